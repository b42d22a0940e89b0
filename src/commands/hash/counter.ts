// Fields that are counters: integers of 64 bits, and floats as the 80-bit ones of Redis.

import { addInt64, int64, writeInt64 } from '../../base/ascii.js';
import {
  addFloatTexts,
  FloatRefusal,
  LONG_DOUBLE_TEXT_BYTES_MAX,
  parseLongDouble,
} from '../../base/long-double.js';
import { readInt64, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { Notify } from '../../dispatch/effects.js';
import type { EntryRef } from '../../keyspace/entry.js';
import { NAN_OR_INFINITY, NOT_FLOAT, OVERFLOW, Refusal } from '../../resp/errors.js';
import { NONE } from '../../slab/slab.js';
import { NEVER } from '../../types/hash/expiries.js';
import { Text } from '../../types/hash/hash.js';
import { thresholds } from '../../types/thresholds.js';
import { editHash, hash, reserveFor, storeHash } from './open.js';

const COUNTER_FLAGS = Flag.Write | Flag.DenyOom | Flag.Fast;
const COUNTER_KEYS = [keyAt(1, 'RW', 'access', 'update')];

const HASH_NOT_INTEGER = new Refusal('ERR hash value is not an integer');
const HASH_NOT_FLOAT = new Refusal('ERR hash value is not a float');
const INCREMENT_INFINITE = new Refusal('ERR value is NaN or Infinity');

/** The sum as text. */
const sum = new Uint8Array(new ArrayBuffer(LONG_DOUBLE_TEXT_BYTES_MAX));
const value = new Text();

/** Gives the field of word 2, which find has found or not, the value in `sum`; its time stays. */
function putSum(context: Context, entry: EntryRef, isThere: boolean, length: number): void {
  const { args, partition } = context;
  const start = args.startOf(2);
  const nameBytes = args.lengthOf(2);
  const valueMax = thresholds.hashMaxListpackValue;
  const becomesLarge = !hash.isLarge && (nameBytes > valueMax || length > valueMax);
  reserveFor(context, hash.reserveBytes(1, nameBytes + length, becomesLarge, false));

  if (entry === NONE) {
    hash.create(partition.slab, becomesLarge, nameBytes + length + 4, args.hashes[1]!);
  } else if (becomesLarge) {
    hash.becomeLarge();
    if (isThere) hash.find(args.u8, start, nameBytes);
  }
  if (isThere) hash.setValue(sum, 0, length);
  else hash.add(args.u8, start, nameBytes, sum, 0, length);
  storeHash(context, entry);
}

const hincrby = keyCommand({
  name: 'hincrby',
  arity: 4,
  group: 'hash',
  since: '2.0.0',
  summary: 'Adds to the integer in a field of a hash; a missing field counts as 0.',
  cost: 'O(1)',
  flags: COUNTER_FLAGS,
  syntax: 'key field increment',
  keys: COUNTER_KEYS,
  element: 2,
  run(context) {
    const { args } = context;
    readInt64(args, 3);
    let low = int64.lo;
    let high = int64.hi;

    const entry = editHash(context);
    const isThere = entry !== NONE && hash.find(args.u8, args.startOf(2), args.lengthOf(2));
    if (isThere) {
      if (!hash.readInt64()) throw HASH_NOT_INTEGER;
      if (!addInt64(int64.lo, int64.hi, low, high)) throw OVERFLOW;
      low = int64.lo;
      high = int64.hi;
    }

    putSum(context, entry, isThere, writeInt64(sum, 0, low, high));
    context.changed(1, Notify.Hash, 'hincrby');

    context.reply.int64(low, high);
  },
});

const ZERO_TEXT = word('0');
const HSET = word('HSET');
const HSETEX = word('HSETEX');
const KEEPTTL = word('KEEPTTL');
const FIELDS = word('FIELDS');

const hincrbyfloat = keyCommand({
  name: 'hincrbyfloat',
  arity: 4,
  group: 'hash',
  since: '2.6.0',
  summary: 'Adds to the floating-point number in a field of a hash; a missing field counts as 0.',
  cost: 'O(1)',
  flags: COUNTER_FLAGS,
  syntax: 'key field increment',
  keys: COUNTER_KEYS,
  element: 2,
  run(context) {
    const { args } = context;
    const increment = parseLongDouble(args.u8, args.startOf(3), args.lengthOf(3));
    if (increment === null) throw NOT_FLOAT;
    if (increment.isInfinite) throw INCREMENT_INFINITE;

    const entry = editHash(context);
    const isThere = entry !== NONE && hash.find(args.u8, args.startOf(2), args.lengthOf(2));
    const length = addToFloat(context, isThere);
    const isTimed = isThere && hash.time !== NEVER;

    putSum(context, entry, isThere, length);
    context.changed(1, Notify.Hash, 'hincrbyfloat');
    if (context.effects.isRecording) recordSum(context, isTimed, length);

    context.reply.bulk(sum, 0, length);
  },
});

/** Leaves the sum of the pair, or of 0, and word 3 in `sum`; returns its length. */
function addToFloat(context: Context, isThere: boolean): number {
  const { u8 } = context.args;
  const start = context.args.startOf(3);
  const bytes = context.args.lengthOf(3);
  if (isThere) {
    hash.readValue(value);
  } else {
    value.u8 = ZERO_TEXT;
    value.start = 0;
    value.length = ZERO_TEXT.length;
  }
  const length = addFloatTexts(value.u8, value.start, value.length, u8, start, bytes, sum, 0);
  if (length === FloatRefusal.Sum) throw NAN_OR_INFINITY;
  if (length < 0) throw HASH_NOT_FLOAT;
  return length;
}

/** The sum is recorded, not the addition: another machine may round otherwise. */
function recordSum({ args, effects }: Context, isTimed: boolean, length: number): void {
  effects.begin(isTimed ? 7 : 4);
  effects.word(isTimed ? HSETEX : HSET);
  effects.arg(args, 1);
  if (isTimed) {
    effects.word(KEEPTTL);
    effects.word(FIELDS);
    effects.int64(1, 0);
  }
  effects.arg(args, 2);
  effects.bytes(sum, 0, length);
}

export const counterCommands: readonly CommandSpec[] = [hincrby, hincrbyfloat];
