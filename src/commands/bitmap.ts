// The commands of the bitmap group: single bits, counting and finding them, combining strings, and
// integers of any width. The bits themselves are the business of types/bitmap.ts.

import {
  bigIntOfSlowly,
  compareInt64,
  int64,
  parseInt64,
  parseSafeInteger,
} from '../base/ascii.js';
import { copyBytes } from '../base/bytes.js';
import type { Slices } from '../base/slices.js';
import { isWord, readInt64, readInteger, word } from '../dispatch/args.js';
import type { Context } from '../dispatch/context.js';
import {
  type CommandSpec,
  crossCommand,
  Flag,
  keyAt,
  keyCommand,
  keysFrom,
} from '../dispatch/define.js';
import { Notify } from '../dispatch/effects.js';
import { limits } from '../dispatch/limits.js';
import { Encoding, type EntryRef, encodingOf, Type } from '../keyspace/entry.js';
import {
  Edited,
  editReserve,
  editString,
  putText,
  readString,
  StringBytes,
  stringLength,
} from '../keyspace/strings.js';
import { Refusal, SYNTAX } from '../resp/errors.js';
import { NONE, type Slab } from '../slab/slab.js';
import {
  addToField,
  BitOperation,
  BitPiece,
  countOnes,
  field,
  findBit,
  fitField,
  Overflow,
  PIECE_BYTES,
  readField,
  writeField,
} from '../types/bitmap.js';

const INVALID_OFFSET = new Refusal('ERR bit offset is not an integer or out of range');
const INVALID_BIT = new Refusal('ERR bit is not an integer or out of range');

const edited = new Edited();

// ── What the commands share ──────────────────────────────────────────────────────────────────

const INTEGER_TEXT_BYTES_MAX = 24;

/** The bytes of a string as types/bitmap takes them: two views of one memory, and a range. */
class Bits {
  u8: Uint8Array = new Uint8Array(0);
  i32: Int32Array = new Int32Array(0);
  start = 0;
  length = 0;
  private readonly string = new StringBytes();
  private readonly text = new Int32Array(new ArrayBuffer(INTEGER_TEXT_BYTES_MAX));
  private readonly textBytes = new Uint8Array(this.text.buffer);

  /** Valid until the next change, or the next read into the same object. */
  read(slab: Slab, entry: EntryRef): void {
    const { string } = this;
    readString(slab, entry, string);
    this.start = string.start;
    this.length = string.length;
    if (string.u8 === slab.u8) {
      this.u8 = slab.u8;
      this.i32 = slab.i32;
      return;
    }
    copyBytes(string.u8, 0, this.textBytes, 0, string.length);
    this.u8 = this.textBytes;
    this.i32 = this.text;
  }
}

const bits = new Bits();

/** A bit's number, low enough for the longest string there may be. */
function readOffset(args: Slices, index: number): number {
  const offset = parseSafeInteger(args.u8, args.startOf(index), args.lengthOf(index));
  // Not so for NaN: no integer, or one beyond 2^53.
  if (offset >= 0 && offset < limits.bulkBytesMax * 8) return offset;
  throw INVALID_OFFSET;
}

/**
 * Makes the string at word 1 at least `bytes` long and leaves its place in `edited`; true if that
 * has created it or made it longer. As in Redis it is a raw string afterwards, even if no bit of it
 * changes. May refuse for want of memory.
 */
function openBits(context: Context, entry: EntryRef, bytes: number, from = 0): boolean {
  const { args, partition } = context;
  const { slab } = partition;
  const kept = entry === NONE ? 0 : stringLength(slab, entry);
  const length = Math.max(kept, bytes);
  const isLonger = length > kept;
  if (isLonger || encodingOf(slab, entry) === Encoding.Integer) {
    partition.reserve(editReserve(args.lengthOf(1), length));
  }
  editString(partition, args, 1, entry, length, edited, from, bytes);
  return isLonger;
}

// ── Single bits ──────────────────────────────────────────────────────────────────────────────

const setbit = keyCommand({
  name: 'setbit',
  arity: 4,
  group: 'bitmap',
  since: '2.2.0',
  summary:
    'Sets or clears one bit of a string and returns what it was; zeros fill what lies before.',
  cost: 'O(1)',
  flags: Flag.Write | Flag.DenyOom,
  syntax: 'key offset value',
  keys: [keyAt(1, 'RW', 'access', 'update')],
  run(context) {
    const { args, partition, reply } = context;
    const offset = readOffset(args, 2);
    const bit = readInteger(args, 3, INVALID_BIT);
    if (bit !== 0 && bit !== 1) throw INVALID_BIT;

    const byte = Math.floor(offset / 8);
    const mask = 0x80 >> (offset & 7);
    const entry = partition.edit(args, 1, Type.String);

    const isLonger = openBits(context, entry, byte + 1, byte);
    const { u8 } = partition.slab;
    const at = edited.start + byte;
    const before = u8[at]!;
    const after = bit === 1 ? before | mask : before & ~mask;
    if (isLonger || after !== before) {
      u8[at] = after;
      context.changed(1, Notify.String, 'setbit');
    }

    reply.flag((before & mask) !== 0);
  },
});

const getbit = keyCommand({
  name: 'getbit',
  arity: 3,
  group: 'bitmap',
  since: '2.2.0',
  summary: 'Returns one bit of a string; bits behind its end are 0.',
  cost: 'O(1)',
  flags: Flag.Read | Flag.Fast,
  syntax: 'key offset',
  keys: [keyAt(1, 'RO', 'access')],
  run(context) {
    const { args, partition, reply } = context;
    const offset = readOffset(args, 2);

    const entry = partition.find(args, 1, Type.String);
    if (entry === NONE) {
      reply.integer(0);
      return;
    }
    bits.read(partition.slab, entry);
    const byte = Math.floor(offset / 8);
    const isInside = byte < bits.length;

    reply.flag(isInside && (bits.u8[bits.start + byte]! & (0x80 >> (offset & 7))) !== 0);
  },
});

// ── Counting and finding ─────────────────────────────────────────────────────────────────────

const BIT = word('BIT');
const BYTE = word('BYTE');

/** The unit of a range: true for BIT, false for BYTE. */
function isInBits(args: Slices, index: number): boolean {
  if (isWord(args, index, BIT)) return true;
  if (isWord(args, index, BYTE)) return false;
  throw SYNTAX;
}

/** What openRange has found; empty if the first bit lies behind the last. */
const range = { firstBit: 0, lastBit: -1 };

/**
 * The bits from `first` to `last`, both in the given unit and counted from the end if negative,
 * as far as they lie in a string of `length` bytes, in `range`.
 */
function openRange(first: number, last: number, length: number, isBits: boolean): void {
  const total = isBits ? length * 8 : length;
  if (first < 0) first = Math.max(first + total, 0);
  if (last < 0) last = Math.max(last + total, 0);
  if (last >= total) last = total - 1;
  range.firstBit = isBits ? first : first * 8;
  range.lastBit = isBits ? last : last * 8 + 7;
}

const bitcount = keyCommand({
  name: 'bitcount',
  arity: -2,
  group: 'bitmap',
  since: '2.6.0',
  summary: 'Counts the ones in a string or in a part of it.',
  cost: 'O(N), N being the length of the string or part',
  flags: Flag.Read,
  syntax: 'key [start end [BYTE | BIT]]',
  keys: [keyAt(1, 'RO', 'access')],
  history: [['7.0.0', 'Ranges may be given in bits: `BYTE | BIT`.']],
  run(context) {
    const { args, partition, reply } = context;
    // The key comes first in Redis 7: if it is missing, even a wrong range counts nothing.
    const entry = partition.find(args, 1, Type.String);
    if (entry === NONE) {
      reply.integer(0);
      return;
    }
    bits.read(partition.slab, entry);
    readCountedRange(args, bits.length);

    reply.integer(countOnes(bits.u8, bits.i32, bits.start, range.firstBit, range.lastBit));
  },
});

function readCountedRange(args: Slices, length: number): void {
  const { count } = args;
  if (count === 2) {
    openRange(0, length - 1, length, false);
    return;
  }
  if (count !== 4 && count !== 5) throw SYNTAX;
  readInt64(args, 2);
  const first = int64.value;
  const { lo, hi } = int64;
  readInt64(args, 3);
  const last = int64.value;
  // Beyond 2^53 two different ends may be the same double: the pairs are compared. Such a range is
  // empty before its unit is looked at.
  if (first < 0 && last < 0 && compareInt64(lo, hi, int64.lo, int64.hi) > 0) {
    range.firstBit = 0;
    range.lastBit = -1;
    return;
  }
  openRange(first, last, length, count === 5 && isInBits(args, 4));
}

const NOT_A_BIT = new Refusal('ERR The bit argument must be 1 or 0.');

const bitpos = keyCommand({
  name: 'bitpos',
  arity: -3,
  group: 'bitmap',
  since: '2.8.7',
  summary: 'Finds the first 1 or 0 in a string or in a part of it.',
  cost: 'O(N), N being the length of the string or part',
  flags: Flag.Read,
  syntax: 'key bit [start [end [BYTE | BIT]]]',
  keys: [keyAt(1, 'RO', 'access')],
  history: [['7.0.0', 'Ranges may be given in bits: `BYTE | BIT`.']],
  run(context) {
    const { args, partition, reply } = context;
    const bit = readInteger(args, 2);
    if (bit !== 0 && bit !== 1) throw NOT_A_BIT;

    // As with BITCOUNT, a missing key hides a wrong range: it is endless zeros.
    const entry = partition.find(args, 1, Type.String);
    if (entry === NONE) {
      reply.integer(bit === 0 ? 0 : -1);
      return;
    }
    bits.read(partition.slab, entry);
    readSearchedRange(args, bits.length);
    const { firstBit, lastBit } = range;
    let found = findBit(bits.u8, bits.i32, bits.start, firstBit, lastBit, bit);
    // Without an end the string counts as followed by zeros, unless there is nothing to search.
    const isEndless = args.count < 5 && firstBit <= lastBit;
    if (found === -1 && bit === 0 && isEndless) found = bits.length * 8;

    reply.integer(found);
  },
});

function readSearchedRange(args: Slices, length: number): void {
  const { count } = args;
  if (count > 6) throw SYNTAX;
  const first = count > 3 ? readInteger(args, 3) : 0;
  const isBits = count === 6 && isInBits(args, 5);
  const last = count > 4 ? readInteger(args, 4) : length - 1;
  openRange(first, last, length, isBits);
}

// ── BITOP ────────────────────────────────────────────────────────────────────────────────────

interface OperationRow {
  readonly word: Uint8Array;
  readonly operation: BitOperation;
  readonly sourcesMin: number;
  readonly sourcesMax: number;
  readonly refusal: Refusal;
}

function operationRow(name: string, operation: BitOperation, sourcesMin = 1): OperationRow {
  const isUnary = operation === BitOperation.Not;
  const wanted = isUnary ? 'a single source key' : 'at least two source keys';
  return {
    word: word(name),
    operation,
    sourcesMin,
    sourcesMax: isUnary ? 1 : Number.POSITIVE_INFINITY,
    refusal: new Refusal(`ERR BITOP ${name} must be called with ${wanted}.`),
  };
}

const OPERATIONS: readonly OperationRow[] = [
  operationRow('AND', BitOperation.And),
  operationRow('OR', BitOperation.Or),
  operationRow('XOR', BitOperation.Xor),
  operationRow('NOT', BitOperation.Not),
  operationRow('DIFF', BitOperation.Diff, 2),
  operationRow('DIFF1', BitOperation.Diff1, 2),
  operationRow('ANDOR', BitOperation.AndOr, 2),
  operationRow('ONE', BitOperation.One),
];

const TARGET = 2;
const FIRST_SOURCE = 3;

const bitop = crossCommand({
  name: 'bitop',
  arity: -4,
  group: 'bitmap',
  since: '2.6.0',
  summary: 'Combines strings bit by bit and stores the result.',
  cost: 'O(N), N being the length of all sources together',
  flags: Flag.Write | Flag.DenyOom,
  syntax: '<AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE> destkey key [key ...]',
  keys: [keyAt(TARGET, 'OW', 'update'), keysFrom(FIRST_SOURCE, -1, 1, 'RO', 'access')],
  run(context) {
    const { args, reply } = context;
    const operation = readOperation(args);

    const length = findSources(context);
    const partition = context.at(TARGET);
    const target = partition.edit(args, TARGET, Type.Any);
    if (length === 0) {
      if (target !== NONE) {
        partition.remove(args, TARGET, target);
        context.changed(TARGET, Notify.Generic, 'del');
      }
      reply.integer(0);
      return;
    }

    openTarget(context, target, length);
    combineSources(context, operation, length);
    context.changed(TARGET, Notify.String, 'set');

    reply.integer(length);
  },
});

function readOperation(args: Slices): BitOperation {
  const sourceCount = args.count - FIRST_SOURCE;
  for (let index = 0; index < OPERATIONS.length; index++) {
    const row = OPERATIONS[index]!;
    if (!isWord(args, 1, row.word)) continue;
    if (sourceCount < row.sourcesMin || sourceCount > row.sourcesMax) throw row.refusal;
    return row.operation;
  }
  throw SYNTAX;
}

/** The entries of the running command's sources, in order. Reused, and not kept when very long. */
let sources = new Int32Array(64);
const SOURCES_KEPT_MAX = 4096;

/** Finds the sources and returns the length of the longest. */
function findSources(context: Context): number {
  const { args } = context;
  const count = args.count - FIRST_SOURCE;
  if (sources.length < count) sources = new Int32Array(count);
  else if (sources.length > SOURCES_KEPT_MAX) sources = new Int32Array(SOURCES_KEPT_MAX);
  let longest = 0;
  for (let index = 0; index < count; index++) {
    const partition = context.at(FIRST_SOURCE + index);
    const entry = partition.find(args, FIRST_SOURCE + index, Type.String);
    sources[index] = entry;
    if (entry === NONE) continue;
    longest = Math.max(longest, stringLength(partition.slab, entry));
  }
  return longest;
}

/**
 * Makes the target a raw string of `length` bytes without expiry and leaves its place in `edited`.
 * One that is a source too keeps its bytes: each piece of it is read before it is written. Any
 * other starts as a copy of the longest source, which is faster than filling it with zeros.
 */
function openTarget(context: Context, target: EntryRef, length: number): void {
  const { args } = context;
  const partition = context.at(TARGET);
  const { slab } = partition;
  const isSource = target !== NONE && isAmongSources(context, target);
  const keepsBlock =
    isSource && encodingOf(slab, target) === Encoding.Blob && stringLength(slab, target) === length;
  partition.reserve(editReserve(args.lengthOf(TARGET), keepsBlock ? 0 : length));

  let entry = target;
  if (isSource) {
    entry = partition.dropExpiry(target, args.hashes[TARGET]!);
  } else {
    readLongestSource(context, length);
    const { u8, start } = bits;
    entry = putText(partition, args, TARGET, target, u8, start, length, false);
  }
  editString(partition, args, TARGET, entry, length, edited);
  if (isSource) moveSources(context, target, edited.entry);
}

/** Reads the first source that has `length` bytes, the most of all, into `bits`. */
function readLongestSource(context: Context, length: number): void {
  for (let index = FIRST_SOURCE; index < context.args.count; index++) {
    const source = sources[index - FIRST_SOURCE]! as EntryRef;
    if (source === NONE) continue;
    bits.read(context.at(index).slab, source);
    if (bits.length === length) return;
  }
}

function isAmongSources(context: Context, target: EntryRef): boolean {
  const { args } = context;
  for (let index = FIRST_SOURCE; index < args.count; index++) {
    if (isTarget(args, index, target)) return true;
  }
  return false;
}

/** Entries of different partitions may have the same ref. */
function isTarget(args: Slices, index: number, target: EntryRef): boolean {
  if (sources[index - FIRST_SOURCE] !== target) return false;
  return args.partitions[index] === args.partitions[TARGET];
}

/** The target, a source too, has moved. */
function moveSources(context: Context, target: EntryRef, moved: EntryRef): void {
  const { args } = context;
  for (let index = FIRST_SOURCE; index < args.count; index++) {
    if (isTarget(args, index, target)) sources[index - FIRST_SOURCE] = moved;
  }
}

const NOTHING = new Uint8Array(0);
const NO_WORDS = new Int32Array(0);
const piece = new BitPiece();

/** Writes the result of `length` bytes to the target at `edited`. */
function combineSources(context: Context, operation: BitOperation, length: number): void {
  const { args } = context;
  const { u8 } = context.at(TARGET).slab;
  for (let at = 0; at < length; at += PIECE_BYTES) {
    const pieceBytes = Math.min(PIECE_BYTES, length - at);
    piece.start(operation, pieceBytes);
    for (let index = FIRST_SOURCE; index < args.count; index++) {
      const source = sources[index - FIRST_SOURCE]! as EntryRef;
      if (source === NONE) {
        piece.add(NOTHING, NO_WORDS, 0, 0);
        continue;
      }
      bits.read(context.at(index).slab, source);
      const left = Math.min(Math.max(bits.length - at, 0), pieceBytes);
      piece.add(bits.u8, bits.i32, bits.start + at, left);
    }
    piece.finish(u8, edited.start + at);
  }
}

// ── BITFIELD ─────────────────────────────────────────────────────────────────────────────────

const GET = word('GET');
const SET = word('SET');
const INCRBY = word('INCRBY');
const OVERFLOW = word('OVERFLOW');
const WRAP = word('WRAP');
const SAT = word('SAT');
const FAIL = word('FAIL');

const INVALID_OVERFLOW = new Refusal('ERR Invalid OVERFLOW type specified');
const INVALID_TYPE = new Refusal(
  'ERR Invalid bitfield type. Use something like i16 u8. ' +
    'Note that u64 is not supported but i64 is.',
);
const ONLY_GET = new Refusal('ERR BITFIELD_RO only supports the GET subcommand');

const enum Action {
  Get = 0,
  Set = 1,
  Increment = 2,
}

// One step of a plan, in words of Plan.steps; its offset needs more than 32 bits.
const enum Step {
  Action = 0,
  Overflow = 1,
  Width = 2,
  IsSigned = 3,
  AmountLo = 4,
  AmountHi = 5,
  Words = 6,
}

const STEPS_AT_START = 16;
const STEPS_KEPT_MAX = 1024;

/** All steps of a BITFIELD: none of them runs before all are known to be right. */
class Plan {
  count = 0;
  steps = new Int32Array(STEPS_AT_START * Step.Words);
  offsets = new Float64Array(STEPS_AT_START);
  /** Bytes that the string must have for all writes; 0 when there are only reads. */
  bytes = 0;
  /** The first byte that is written. */
  from = Number.MAX_SAFE_INTEGER;

  clear(): void {
    this.count = 0;
    this.bytes = 0;
    this.from = Number.MAX_SAFE_INTEGER;
    if (this.offsets.length > STEPS_KEPT_MAX) this.resize(STEPS_AT_START);
  }

  /** Appends a step and returns where it starts. */
  add(offset: number): number {
    const index = this.count++;
    if (index === this.offsets.length) this.resize(index * 2);
    this.offsets[index] = offset;
    return index * Step.Words;
  }

  private resize(capacity: number): void {
    const kept = Math.min(this.count, capacity);
    const steps = new Int32Array(capacity * Step.Words);
    const offsets = new Float64Array(capacity);
    steps.set(this.steps.subarray(0, kept * Step.Words));
    offsets.set(this.offsets.subarray(0, kept));
    this.steps = steps;
    this.offsets = offsets;
  }
}

const plan = new Plan();

/** Reads the steps from word 2 on into `plan`. */
function readPlan(args: Slices): void {
  plan.clear();
  let overflow = Overflow.Wrap;
  for (let index = 2; index < args.count; ) {
    const wordsBehind = args.count - index - 1;
    if (wordsBehind >= 2 && isWord(args, index, GET)) {
      readStep(args, index, Action.Get, overflow);
      index += 3;
    } else if (wordsBehind >= 3 && isWord(args, index, SET)) {
      readStep(args, index, Action.Set, overflow);
      index += 4;
    } else if (wordsBehind >= 3 && isWord(args, index, INCRBY)) {
      readStep(args, index, Action.Increment, overflow);
      index += 4;
    } else if (wordsBehind >= 1 && isWord(args, index, OVERFLOW)) {
      overflow = readOverflow(args, index + 1);
      index += 2;
    } else {
      throw SYNTAX;
    }
  }
}

function readOverflow(args: Slices, index: number): Overflow {
  if (isWord(args, index, WRAP)) return Overflow.Wrap;
  if (isWord(args, index, SAT)) return Overflow.Saturate;
  if (isWord(args, index, FAIL)) return Overflow.Fail;
  throw INVALID_OVERFLOW;
}

/** The step whose action stands at word `index`, with its type, offset and amount behind it. */
function readStep(args: Slices, index: number, action: Action, overflow: Overflow): void {
  const width = readWidth(args, index + 1);
  const offset = readFieldOffset(args, index + 2, width);
  const isWrite = action !== Action.Get;
  if (isWrite) readInt64(args, index + 3);

  const at = plan.add(offset);
  const { steps } = plan;
  steps[at + Step.Action] = action;
  steps[at + Step.Overflow] = overflow;
  steps[at + Step.Width] = width;
  steps[at + Step.IsSigned] = args.u8[args.startOf(index + 1)] === LOWER_I ? 1 : 0;
  if (!isWrite) return;
  steps[at + Step.AmountLo] = int64.lo;
  steps[at + Step.AmountHi] = int64.hi;
  plan.from = Math.min(plan.from, Math.floor(offset / 8));
  plan.bytes = Math.max(plan.bytes, Math.floor((offset + width - 1) / 8) + 1);
}

const LOWER_I = 0x69;
const LOWER_U = 0x75;
const HASH = 0x23;

/** The width in a type like i16 or u8. An unsigned one of 64 bits would not fit an int64 reply. */
function readWidth(args: Slices, index: number): number {
  const start = args.startOf(index);
  const length = args.lengthOf(index);
  const sign = length === 0 ? 0 : args.u8[start]!;
  if (sign !== LOWER_I && sign !== LOWER_U) throw INVALID_TYPE;
  const width = parseSafeInteger(args.u8, start + 1, length - 1);
  // Not so for NaN: no integer.
  if (width >= 1 && width <= (sign === LOWER_I ? 64 : 63)) return width;
  throw INVALID_TYPE;
}

/** A bit's number, or with a # before it that of a field among fields of this width. */
function readFieldOffset(args: Slices, index: number, width: number): number {
  const start = args.startOf(index);
  const length = args.lengthOf(index);
  if (length === 0 || args.u8[start] !== HASH) return readOffset(args, index);
  if (!parseInt64(args.u8, start + 1, length - 1)) throw INVALID_OFFSET;
  let offset = int64.value * width;
  if (!Number.isSafeInteger(offset)) offset = wrapOffsetSlowly(int64.lo, int64.hi, width);
  if (offset >= 0 && offset < limits.bulkBytesMax * 8) return offset;
  throw INVALID_OFFSET;
}

/** Redis multiplies in 64 bits, so that a very large number may come out as a small offset. */
function wrapOffsetSlowly(lo: number, hi: number, width: number): number {
  return Number(BigInt.asIntN(64, bigIntOfSlowly(lo, hi) * BigInt(width)));
}

const bitfield = keyCommand({
  name: 'bitfield',
  arity: -2,
  group: 'bitmap',
  since: '3.2.0',
  summary: 'Reads, sets and increments integers of any width among the bits of a string.',
  cost: 'O(1) for each subcommand',
  flags: Flag.Write | Flag.DenyOom,
  syntax:
    'key [<GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] ' +
    '<SET encoding offset value | INCRBY encoding offset increment>> ' +
    '[<GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] ' +
    '<SET encoding offset value | INCRBY encoding offset increment>> ...]]',
  keys: [keyAt(1, 'RW', 'access', 'update', 'variable_flags')],
  run(context) {
    const { args, partition, reply } = context;
    readPlan(args);
    if (plan.bytes === 0) {
      replyFields(context);
      return;
    }

    const entry = partition.edit(args, 1, Type.String);
    // A string that was only made longer, all writes having failed, has changed too.
    let isChanged = openBits(context, entry, plan.bytes, plan.from);

    const { u8 } = partition.slab;
    const { start } = edited;
    const length = stringLength(partition.slab, edited.entry);
    reply.array(plan.count);
    for (let index = 0; index < plan.count; index++) {
      if (runStep(context, u8, start, length, index)) isChanged = true;
    }
    if (isChanged) context.changed(1, Notify.String, 'setbit');
  },
});

const bitfieldRo = keyCommand({
  name: 'bitfield_ro',
  arity: -2,
  group: 'bitmap',
  since: '6.0.0',
  summary: 'Reads integers of any width among the bits of a string.',
  cost: 'O(1) for each subcommand',
  flags: Flag.Read | Flag.Fast,
  syntax: 'key [GET encoding offset [GET encoding offset ...]]',
  keys: [keyAt(1, 'RO', 'access')],
  run(context) {
    readPlan(context.args);
    if (plan.bytes !== 0) throw ONLY_GET;

    replyFields(context);
  },
});

/** Runs a plan that only reads; the fields of a missing key are 0. */
function replyFields(context: Context): void {
  const { args, partition, reply } = context;
  const entry = partition.find(args, 1, Type.String);
  if (entry === NONE) bits.length = 0;
  else bits.read(partition.slab, entry);

  reply.array(plan.count);
  for (let index = 0; index < plan.count; index++) {
    runStep(context, bits.u8, bits.start, bits.length, index);
  }
}

/** Runs one step of the plan and answers it; true if it has changed the field. */
function runStep(
  context: Context,
  u8: Uint8Array,
  start: number,
  length: number,
  index: number,
): boolean {
  const { reply } = context;
  const { steps } = plan;
  const at = index * Step.Words;
  const action = steps[at + Step.Action]!;
  const width = steps[at + Step.Width]!;
  const isSigned = steps[at + Step.IsSigned] === 1;
  const offset = plan.offsets[index]!;

  readField(u8, start, length, offset, width, isSigned);
  const { lo, hi } = field;
  if (action === Action.Get) {
    reply.int64(lo, hi);
    return false;
  }
  const amountLo = steps[at + Step.AmountLo]!;
  const amountHi = steps[at + Step.AmountHi]!;
  const overflow = steps[at + Step.Overflow]! as Overflow;
  const isExact =
    action === Action.Set
      ? fitField(amountLo, amountHi, width, isSigned, overflow)
      : addToField(lo, hi, amountLo, amountHi, width, isSigned, overflow);
  if (!isExact && overflow === Overflow.Fail) {
    reply.nil();
    return false;
  }
  writeField(u8, start, offset, width, field.lo, field.hi);
  if (action === Action.Set) reply.int64(lo, hi);
  else reply.int64(field.lo, field.hi);
  return field.lo !== lo || field.hi !== hi;
}

export const bitmapCommands: readonly CommandSpec[] = [
  setbit,
  getbit,
  bitcount,
  bitpos,
  bitop,
  bitfield,
  bitfieldRo,
];
