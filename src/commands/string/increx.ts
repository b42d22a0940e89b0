// INCREX: a counter with bounds and an expiry, in one step. A step that leaves the bounds (or the
// range of the type) is not made, or with SATURATE made as far as the bound. The answer is the
// value and what was added to it.

import { addInt64, compareInt64, int64, parseInt64, subtractInt64 } from '../../base/ascii.js';
import {
  addLongDoubles,
  formatLongDouble,
  type LongDouble,
  longDoubleFrom,
  parseLongDouble,
} from '../../base/long-double.js';
import type { Slices } from '../../base/slices.js';
import { isWord, readInt64, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { Notify } from '../../dispatch/effects.js';
import { type EntryRef, hasExpiry, Type } from '../../keyspace/entry.js';
import {
  putInteger,
  putText,
  readString,
  StringBytes,
  stringReserve,
} from '../../keyspace/strings.js';
import { NOT_FLOAT, NOT_INTEGER, Refusal, SYNTAX } from '../../resp/errors.js';
import { NONE } from '../../slab/slab.js';
import { beginSet, endSetKeeping, endSetUntil, notifyAlso, recordDel } from './bytes.js';
import { invalidTimeOf, readUntil, timeOptionAt, until } from './options.js';

const BYINT = word('BYINT');
const BYFLOAT = word('BYFLOAT');
const SATURATE = word('SATURATE');
const LBOUND = word('LBOUND');
const UBOUND = word('UBOUND');
const PERSIST = word('PERSIST');
const ENX = word('ENX');

const TIME = invalidTimeOf('increx');
const NO_TIME = new Refusal('ERR ENX flag requires an expiration');
const BOUNDS_CROSSED = new Refusal("ERR LBOUND can't be greater than UBOUND");
const STEP_OVERFLOW = new Refusal('ERR applied increment would overflow');
const INFINITE_STEP = new Refusal('ERR applied increment would be Infinity');
const INFINITE_INCREMENT = new Refusal('ERR BYFLOAT increment cannot be Infinity');
const INFINITE_VALUE = new Refusal('ERR value cannot be Infinity');
const [NO_INTEGER_INCREMENT, NO_FLOAT_INCREMENT] = refusalsOf('Increment');
const [NO_INTEGER_LBOUND, NO_FLOAT_LBOUND] = refusalsOf('LBOUND');
const [NO_INTEGER_UBOUND, NO_FLOAT_UBOUND] = refusalsOf('UBOUND');

function refusalsOf(what: string): [Refusal, Refusal] {
  return [
    new Refusal(`ERR ${what} is not an integer or out of range`),
    new Refusal(`ERR ${what} is not a valid float`),
  ];
}

const increx = keyCommand({
  name: 'increx',
  arity: -2,
  group: 'string',
  since: '8.8.0',
  summary: 'Adds to the number that a key holds, within bounds, and sets or removes its expiry.',
  cost: 'O(1)',
  flags: Flag.Write | Flag.DenyOom | Flag.Fast,
  syntax:
    'key [BYFLOAT float | BYINT integer] [SATURATE] [LBOUND lowerbound] [UBOUND upperbound] ' +
    '[EX seconds | PX milliseconds | EXAT unix-time-seconds | ' +
    'PXAT unix-time-milliseconds | PERSIST] [ENX]',
  keys: [keyAt(1, 'RW', 'access', 'update')],
  run(context) {
    readWish(context.args);
    if (wish.isFloat) stepFloat(context);
    else stepInteger(context);
  },
});

// ── Words ────────────────────────────────────────────────────────────────────────────────────

/** What the words of the running command ask for; word indexes are 0 for words not given. */
const wish = {
  isFloat: false,
  incrementAt: 0,
  lowerAt: 0,
  upperAt: 0,
  saturates: false,
  unit: 0,
  timeAt: 0,
  persists: false,
  onlyFirstTime: false,
};

/** Reads the words into `wish`. Unlike SET's, no option may stand twice. */
function readWish(args: Slices): void {
  wish.isFloat = false;
  wish.incrementAt = 0;
  wish.lowerAt = 0;
  wish.upperAt = 0;
  wish.saturates = false;
  wish.unit = 0;
  wish.timeAt = 0;
  wish.persists = false;
  wish.onlyFirstTime = false;
  for (let index = 2; index < args.count; index++) {
    if (!readFlag(args, index)) readPair(args, index++);
  }
  if (wish.persists && (wish.timeAt !== 0 || wish.onlyFirstTime)) throw SYNTAX;
  if (wish.onlyFirstTime && wish.timeAt === 0) throw NO_TIME;
}

function readFlag(args: Slices, index: number): boolean {
  if (isWord(args, index, SATURATE)) {
    if (wish.saturates) throw SYNTAX;
    wish.saturates = true;
  } else if (isWord(args, index, PERSIST)) {
    if (wish.persists) throw SYNTAX;
    wish.persists = true;
  } else if (isWord(args, index, ENX)) {
    if (wish.onlyFirstTime) throw SYNTAX;
    wish.onlyFirstTime = true;
  } else {
    return false;
  }
  return true;
}

/** An option at word `index` and its value behind it. */
function readPair(args: Slices, index: number): void {
  const valueAt = index + 1;
  if (valueAt === args.count) throw SYNTAX;
  const isInteger = isWord(args, index, BYINT);
  if (isInteger || isWord(args, index, BYFLOAT)) {
    if (wish.incrementAt !== 0) throw SYNTAX;
    wish.incrementAt = valueAt;
    wish.isFloat = !isInteger;
  } else if (isWord(args, index, LBOUND)) {
    if (wish.lowerAt !== 0) throw SYNTAX;
    wish.lowerAt = valueAt;
  } else if (isWord(args, index, UBOUND)) {
    if (wish.upperAt !== 0) throw SYNTAX;
    wish.upperAt = valueAt;
  } else {
    const unit = timeOptionAt(args, index);
    if (unit === 0 || wish.timeAt !== 0) throw SYNTAX;
    wish.unit = unit;
    wish.timeAt = valueAt;
  }
}

function readTime(context: Context): void {
  if (wish.timeAt !== 0) readUntil(context.args, wish.timeAt, wish.unit, context.nowMs, TIME);
}

// ── Integers ─────────────────────────────────────────────────────────────────────────────────

/** An int64 to keep: `int64` is overwritten by every reader. */
interface Pair {
  low: number;
  high: number;
}

const INT64_MAX: Readonly<Pair> = { low: -1, high: 0x7fffffff };
const INT64_MIN: Readonly<Pair> = { low: 0, high: -0x80000000 };

const increment: Pair = { low: 0, high: 0 };
const lower: Pair = { low: 0, high: 0 };
const upper: Pair = { low: 0, high: 0 };
const result: Pair = { low: 0, high: 0 };
const current: Pair = { low: 0, high: 0 };
const value = new StringBytes();

function keep(pair: Pair, low: number, high: number): void {
  pair.low = low;
  pair.high = high;
}

function isBefore(a: Readonly<Pair>, b: Readonly<Pair>): boolean {
  return compareInt64(a.low, a.high, b.low, b.high) < 0;
}

function readPairAt(args: Slices, index: number, pair: Pair, invalid: Refusal): void {
  readInt64(args, index, invalid);
  keep(pair, int64.lo, int64.hi);
}

function stepInteger(context: Context): void {
  const { args, partition, reply } = context;
  readIntegerWish(args);
  readTime(context);

  const entry = partition.edit(args, 1, Type.String);
  readCurrent(context, entry);
  if (!stepWithinBounds()) {
    reply.array(2);
    reply.int64(current.low, current.high);
    reply.integer(0);
    return;
  }
  subtractOrRefuse();
  const { lo, hi } = int64;
  partition.reserve(stringReserve(args.lengthOf(1), 0));

  if (isOver(context, entry)) removeOver(context, entry);
  else storeInteger(context, entry);

  reply.array(2);
  reply.int64(result.low, result.high);
  reply.int64(lo, hi);
}

function readIntegerWish(args: Slices): void {
  keep(increment, 1, 0);
  keep(lower, INT64_MIN.low, INT64_MIN.high);
  keep(upper, INT64_MAX.low, INT64_MAX.high);
  const { incrementAt, lowerAt, upperAt } = wish;
  if (incrementAt !== 0) readPairAt(args, incrementAt, increment, NO_INTEGER_INCREMENT);
  if (lowerAt !== 0) readPairAt(args, lowerAt, lower, NO_INTEGER_LBOUND);
  if (upperAt !== 0) readPairAt(args, upperAt, upper, NO_INTEGER_UBOUND);
  if (isBefore(upper, lower)) throw BOUNDS_CROSSED;
}

function readCurrent(context: Context, entry: EntryRef): void {
  keep(current, 0, 0);
  if (entry === NONE) return;
  readString(context.partition.slab, entry, value);
  if (!parseInt64(value.u8, value.start, value.length)) throw NOT_INTEGER;
  keep(current, int64.lo, int64.hi);
}

/** Sets `result`; false when the step is not to be made. */
function stepWithinBounds(): boolean {
  const fits = addInt64(current.low, current.high, increment.low, increment.high);
  if (fits) keep(result, int64.lo, int64.hi);
  else if (increment.high < 0) keep(result, INT64_MIN.low, INT64_MIN.high);
  else keep(result, INT64_MAX.low, INT64_MAX.high);
  const isBelow = isBefore(result, lower);
  const isAbove = isBefore(upper, result);
  if (fits && !isBelow && !isAbove) return true;
  if (!wish.saturates) return false;
  if (isBelow) keep(result, lower.low, lower.high);
  else if (isAbove) keep(result, upper.low, upper.high);
  return true;
}

/** Leaves the step that is made in `int64`. */
function subtractOrRefuse(): void {
  if (!subtractInt64(result.low, result.high, current.low, current.high)) throw STEP_OVERFLOW;
}

function storeInteger(context: Context, entry: EntryRef): void {
  const { args, effects, partition } = context;
  const isTimed = setsTime(context, entry);
  const wasVolatile = isVolatile(context, entry);
  const keepsExpiry = isTimed || !wish.persists;
  const { low, high } = result;
  const stored = putInteger(partition, args, 1, entry, low, high, keepsExpiry);
  if (isTimed) partition.setExpiry(stored, args.hashes[1]!, until.low, until.high);
  context.changed(1, Notify.String, 'incrby');
  notifyExpiry(context, isTimed, wasVolatile);
  if (!effects.isRecording) return;
  beginSet(context, 1, wordsBehind(isTimed));
  effects.int64(low, high);
  endRecord(context, isTimed);
}

// ── Floats ───────────────────────────────────────────────────────────────────────────────────

/** The largest finite 80-bit float. */
const LARGEST: LongDouble = {
  isNegative: false,
  isInfinite: false,
  mantissa: 2n ** 64n - 1n,
  exponent: 16320,
};
const ZERO = longDoubleFrom(0)!;

function negated(number: LongDouble): LongDouble {
  return { ...number, isNegative: !number.isNegative };
}

function isLess(a: LongDouble, b: LongDouble): boolean {
  const difference = addLongDoubles(a, negated(b));
  // No difference: two infinities of one sign.
  if (difference === null || !difference.isNegative) return false;
  return difference.isInfinite || difference.mantissa !== 0n;
}

function readFloat(args: Slices, index: number, invalid: Refusal): LongDouble {
  const number = parseLongDouble(args.u8, args.startOf(index), args.lengthOf(index));
  if (number === null) throw invalid;
  return number;
}

/** As stepInteger, with floats: rare enough for objects. */
function stepFloat(context: Context): void {
  const { args, partition } = context;
  const { incrementAt, lowerAt, upperAt } = wish;
  const by = readFloat(args, incrementAt, NO_FLOAT_INCREMENT);
  if (by.isInfinite) throw INFINITE_INCREMENT;
  const least = lowerAt === 0 ? negated(LARGEST) : readFloat(args, lowerAt, NO_FLOAT_LBOUND);
  const most = upperAt === 0 ? LARGEST : readFloat(args, upperAt, NO_FLOAT_UBOUND);
  if (isLess(most, least)) throw BOUNDS_CROSSED;
  readTime(context);

  const entry = partition.edit(args, 1, Type.String);
  const before = readCurrentFloat(context, entry);
  const sum = addLongDoubles(before, by)!;
  let after = sum.isInfinite ? { ...LARGEST, isNegative: sum.isNegative } : sum;
  let step = by;
  const isBelow = isLess(after, least);
  const isAbove = isLess(most, after);
  if (sum.isInfinite || isBelow || isAbove) {
    if (!wish.saturates) {
      replyFloats(context, before, ZERO);
      return;
    }
    if (isBelow) after = least;
    else if (isAbove) after = most;
    step = addLongDoubles(after, negated(before))!;
    if (step.isInfinite) throw INFINITE_STEP;
  }
  const text = Buffer.from(formatLongDouble(after), 'latin1');
  partition.reserve(stringReserve(args.lengthOf(1), text.length));

  if (isOver(context, entry)) removeOver(context, entry);
  else storeFloat(context, entry, text);

  replyFloats(context, after, step);
}

function readCurrentFloat(context: Context, entry: EntryRef): LongDouble {
  if (entry === NONE) return ZERO;
  readString(context.partition.slab, entry, value);
  const number = parseLongDouble(value.u8, value.start, value.length);
  if (number === null) throw NOT_FLOAT;
  if (number.isInfinite) throw INFINITE_VALUE;
  return number;
}

function storeFloat(context: Context, entry: EntryRef, text: Uint8Array): void {
  const { args, effects, partition } = context;
  const isTimed = setsTime(context, entry);
  const wasVolatile = isVolatile(context, entry);
  const keepsExpiry = isTimed || !wish.persists;
  const stored = putText(partition, args, 1, entry, text, 0, text.length, keepsExpiry);
  if (isTimed) partition.setExpiry(stored, args.hashes[1]!, until.low, until.high);
  context.changed(1, Notify.String, 'incrbyfloat');
  notifyExpiry(context, isTimed, wasVolatile);
  if (!effects.isRecording) return;
  beginSet(context, 1, wordsBehind(isTimed));
  effects.word(text);
  endRecord(context, isTimed);
}

/** Two floats: doubles of RESP3, text in RESP2. */
function replyFloats(context: Context, first: LongDouble, second: LongDouble): void {
  const { reply } = context;
  reply.array(2);
  for (const number of [first, second]) {
    const text = formatLongDouble(number);
    if (reply.protocol === 2) reply.text(text);
    else reply.raw(Buffer.from(`,${text}\r\n`, 'latin1'));
  }
}

// ── Expiry ───────────────────────────────────────────────────────────────────────────────────

function isVolatile(context: Context, entry: EntryRef): boolean {
  return entry !== NONE && hasExpiry(context.partition.slab, entry);
}

/** Does the key get the time in `until`? With ENX only one that has none. */
function setsTime(context: Context, entry: EntryRef): boolean {
  return wish.timeAt !== 0 && !(wish.onlyFirstTime && isVolatile(context, entry));
}

/** Is the time that the key gets over already? */
function isOver(context: Context, entry: EntryRef): boolean {
  if (!setsTime(context, entry)) return false;
  return until.ms <= context.nowMs && context.keyspace.expiresByClock;
}

/** A key whose time is over is deleted instead of changed. */
function removeOver(context: Context, entry: EntryRef): void {
  if (entry === NONE) return;
  context.partition.remove(context.args, 1, entry);
  context.changed(1, Notify.Generic, 'del');
  recordDel(context, 1);
}

function notifyExpiry(context: Context, isTimed: boolean, wasVolatile: boolean): void {
  if (isTimed) notifyAlso(context, 1, Notify.Generic, 'expire');
  else if (wish.persists && wasVolatile) notifyAlso(context, 1, Notify.Generic, 'persist');
}

function wordsBehind(isTimed: boolean): number {
  if (isTimed) return 2;
  return wish.persists ? 0 : 1;
}

function endRecord(context: Context, isTimed: boolean): void {
  if (isTimed) endSetUntil(context, until.low, until.high);
  else if (!wish.persists) endSetKeeping(context);
}

export const increxCommands: readonly CommandSpec[] = [increx];
