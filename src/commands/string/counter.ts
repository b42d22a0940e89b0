// Counters: integers are counted in place, floats as the 80-bit ones of Redis.

import { addInt64, int64, parseInt64, subtractInt64 } from '../../base/ascii.js';
import { addFloatTexts, FloatRefusal, LONG_DOUBLE_TEXT_BYTES_MAX } from '../../base/long-double.js';
import { readInt64, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { Notify } from '../../dispatch/effects.js';
import {
  Encoding,
  type EntryRef,
  encodingOf,
  payloadHigh,
  payloadLow,
  setPayload,
  Type,
} from '../../keyspace/entry.js';
import {
  putInteger,
  putText,
  readString,
  StringBytes,
  stringReserve,
} from '../../keyspace/strings.js';
import { NAN_OR_INFINITY, NOT_FLOAT, NOT_INTEGER, OVERFLOW, Refusal } from '../../resp/errors.js';
import { NONE } from '../../slab/slab.js';
import { beginSet, endSetKeeping } from './bytes.js';

const INT32_MIN = -(2 ** 31);
const COUNTER_FLAGS = Flag.Write | Flag.DenyOom | Flag.Fast;
const COUNTER_KEYS = [keyAt(1, 'RW', 'access', 'update')];

const incr = keyCommand({
  name: 'incr',
  arity: 2,
  group: 'string',
  since: '1.0.0',
  summary: 'Adds one to the integer that a key holds; a missing key counts as 0.',
  cost: 'O(1)',
  flags: COUNTER_FLAGS,
  syntax: 'key',
  keys: COUNTER_KEYS,
  run: (context) => count(context, 1, 0),
});

const decr = keyCommand({
  name: 'decr',
  arity: 2,
  group: 'string',
  since: '1.0.0',
  summary: 'Takes one from the integer that a key holds; a missing key counts as 0.',
  cost: 'O(1)',
  flags: COUNTER_FLAGS,
  syntax: 'key',
  keys: COUNTER_KEYS,
  run: (context) => count(context, -1, -1),
});

const incrby = keyCommand({
  name: 'incrby',
  arity: 3,
  group: 'string',
  since: '1.0.0',
  summary: 'Adds to the integer that a key holds; a missing key counts as 0.',
  cost: 'O(1)',
  flags: COUNTER_FLAGS,
  syntax: 'key increment',
  keys: COUNTER_KEYS,
  run(context) {
    readInt64(context.args, 2);
    count(context, int64.lo, int64.hi);
  },
});

const DECREMENT_OVERFLOW = new Refusal('ERR decrement would overflow');

const decrby = keyCommand({
  name: 'decrby',
  arity: 3,
  group: 'string',
  since: '1.0.0',
  summary: 'Takes from the integer that a key holds; a missing key counts as 0.',
  cost: 'O(1)',
  flags: COUNTER_FLAGS,
  syntax: 'key decrement',
  keys: COUNTER_KEYS,
  run(context) {
    readInt64(context.args, 2);
    // The least int64 has no opposite.
    if (int64.lo === 0 && int64.hi === INT32_MIN) throw DECREMENT_OVERFLOW;
    subtractInt64(0, 0, int64.lo, int64.hi);
    count(context, int64.lo, int64.hi);
  },
});

/** Adds the int64 (low, high) to the key. */
function count(context: Context, low: number, high: number): void {
  const { args, partition } = context;
  const { slab } = partition;

  const entry = partition.edit(args, 1, Type.String);
  if (entry === NONE || encodingOf(slab, entry) !== Encoding.Integer) {
    countSlowly(context, entry, low, high);
    return;
  }
  if (!addInt64(payloadLow(slab, entry), payloadHigh(slab, entry), low, high)) throw OVERFLOW;
  const { lo, hi } = int64;

  setPayload(slab, entry, lo, hi);
  context.changed(1, Notify.String, 'incrby');

  context.reply.int64(lo, hi);
}

const value = new StringBytes();

/** The key is missing, or its integer is text (of APPEND, SETRANGE or INCRBYFLOAT). */
function countSlowly(context: Context, entry: EntryRef, low: number, high: number): void {
  const { args, partition } = context;
  if (entry !== NONE) {
    readString(partition.slab, entry, value);
    if (!parseInt64(value.u8, value.start, value.length)) throw NOT_INTEGER;
    if (!addInt64(int64.lo, int64.hi, low, high)) throw OVERFLOW;
    low = int64.lo;
    high = int64.hi;
  }
  partition.reserve(stringReserve(args.lengthOf(1), 0));

  putInteger(partition, args, 1, entry, low, high, true);
  context.changed(1, Notify.String, 'incrby');

  context.reply.int64(low, high);
}

const ZERO_TEXT = word('0');
const sum = new Uint8Array(new ArrayBuffer(LONG_DOUBLE_TEXT_BYTES_MAX));

const incrbyfloat = keyCommand({
  name: 'incrbyfloat',
  arity: 3,
  group: 'string',
  since: '2.6.0',
  summary: 'Adds to the floating-point number that a key holds; a missing key counts as 0.',
  cost: 'O(1)',
  flags: COUNTER_FLAGS,
  syntax: 'key increment',
  keys: COUNTER_KEYS,
  run(context) {
    const { args, effects, partition } = context;

    const entry = partition.edit(args, 1, Type.String);
    const length = addToFloat(context, entry);
    if (length === FloatRefusal.Sum) throw NAN_OR_INFINITY;
    if (length < 0) throw NOT_FLOAT;
    partition.reserve(stringReserve(args.lengthOf(1), length));

    putText(partition, args, 1, entry, sum, 0, length, true);
    context.changed(1, Notify.String, 'incrbyfloat');
    // The sum is recorded, not the addition: another machine may round otherwise.
    if (effects.isRecording) {
      beginSet(context, 1, 1);
      effects.bytes(sum, 0, length);
      endSetKeeping(context);
    }

    context.reply.bulk(sum, 0, length);
  },
});

/** Writes the sum of the string and word 2 into `sum`; its length, or a FloatRefusal. */
function addToFloat(context: Context, entry: EntryRef): number {
  const { args } = context;
  const start = args.startOf(2);
  const length = args.lengthOf(2);
  if (entry === NONE) {
    return addFloatTexts(ZERO_TEXT, 0, ZERO_TEXT.length, args.u8, start, length, sum, 0);
  }
  readString(context.partition.slab, entry, value);
  return addFloatTexts(value.u8, value.start, value.length, args.u8, start, length, sum, 0);
}

export const counterCommands: readonly CommandSpec[] = [incr, decr, incrby, decrby, incrbyfloat];
