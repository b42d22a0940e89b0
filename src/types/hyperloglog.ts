// HyperLogLogs: strings that estimate how many different elements they were given. The bytes are
// Redis's own, so that a value travels by GET and SET, DUMP and RESTORE.
//
//   byte 0        4          5        8                     16
//   ┌────────────┬──────────┬────────┬─────────────────────┬───────────────────────────┐
//   │ H Y L L    │ encoding │ 0 0 0  │ cached cardinality  │ registers …               │
//   └────────────┴──────────┴────────┴─────────────────────┴───────────────────────────┘
//                 0 dense              int64, little-endian; its highest bit says that
//                 1 sparse             the registers have changed since
//
// Dense: 16384 registers of six bits, the first in the lowest bits of the first byte. Sparse: runs
// of registers, each one an opcode; together they cover 16384 registers.
//
//   00llllll            l + 1 registers that are 0
//   01llllll llllllll   l + 1 registers that are 0, high bits first
//   1vvvvvll            l + 1 registers that are v + 1
//
// An element's hash chooses a register; the register keeps the highest rank it has seen, the rank
// being one more than the zeros below the lowest one of the other bits of the hash.

import { copyBytes, moveBytes } from '../base/bytes.js';
import { murmur, murmur64 } from '../base/murmur.js';
import { thresholds } from './thresholds.js';

const enum Head {
  Magic = 0,
  Encoding = 4,
  Cached = 8,
  /** The last byte of the cached cardinality, with the bit that says it is out of date. */
  CachedLast = 15,
  Bytes = 16,
}
const enum Form {
  Dense = 0,
  Sparse = 1,
}

const INDEX_BITS = 14;
/** Registers of one HyperLogLog. */
export const REGISTERS = 2 ** INDEX_BITS;
const REGISTER_BITS = 6;
const REGISTER_MASK = 0x3f;
/** The highest rank a hash of 64 bits leads to, all of its other bits being zero. */
const RANK_MAX = 64 - INDEX_BITS + 1;
export const DENSE_BYTES = Head.Bytes + (REGISTERS * REGISTER_BITS) / 8;
const OUT_OF_DATE = 0x80;

const MAGIC = Uint8Array.from('HYLL', (letter) => letter.charCodeAt(0));

/** Are these bytes a HyperLogLog, as far as the head tells? */
export function isHyperLogLog(u8: Uint8Array, start: number, length: number): boolean {
  if (length < Head.Bytes) return false;
  for (let index = 0; index < MAGIC.length; index++) {
    if (u8[start + Head.Magic + index] !== MAGIC[index]) return false;
  }
  const form = u8[start + Head.Encoding]!;
  return form === Form.Sparse || (form === Form.Dense && length === DENSE_BYTES);
}

export function isDense(u8: Uint8Array, start: number): boolean {
  return u8[start + Head.Encoding] === Form.Dense;
}

// ── The hash ─────────────────────────────────────────────────────────────────────────────────

/** Redis's. */
const SEED = 0xadc83b19 | 0;

/** Where an element goes: the register and the rank that hashElement has found. */
export const place = { register: 0, rank: 0 };

/** Finds register and rank of the element u8[start, start + length), in `place`. */
export function hashElement(u8: Uint8Array, start: number, length: number): void {
  murmur64(u8, start, length, SEED);
  const { low, high } = murmur;
  place.register = low & (REGISTERS - 1);
  const others = (low >>> INDEX_BITS) | (high << (32 - INDEX_BITS));
  // Behind the last bit of the hash stands a one, so that there is an end of zeros.
  const last = (high >>> INDEX_BITS) | (1 << (32 - INDEX_BITS));
  place.rank = others !== 0 ? zerosBelow(others) + 1 : zerosBelow(last) + 33;
}

/** Zeros below the lowest one of a word that is not 0. */
function zerosBelow(word: number): number {
  return 31 - Math.clz32(word & -word);
}

// ── Dense registers ──────────────────────────────────────────────────────────────────────────

/** Register `index` of the dense HyperLogLog at byte `start`. */
export function denseRegister(u8: Uint8Array, start: number, index: number): number {
  const bit = index * REGISTER_BITS;
  const at = start + Head.Bytes + (bit >> 3);
  const shift = bit & 7;
  if (shift <= 8 - REGISTER_BITS) return (u8[at]! >> shift) & REGISTER_MASK;
  const next = at + 1;
  return ((u8[at]! >> shift) | (u8[next]! << (8 - shift))) & REGISTER_MASK;
}

/** Raises register `index` of the dense HyperLogLog at `start` to `rank`; false if it was there. */
export function raiseDense(u8: Uint8Array, start: number, index: number, rank: number): boolean {
  if (denseRegister(u8, start, index) >= rank) return false;
  writeDense(u8, start, index, rank);
  return true;
}

function writeDense(u8: Uint8Array, start: number, index: number, rank: number): void {
  const bit = index * REGISTER_BITS;
  const at = start + Head.Bytes + (bit >> 3);
  const shift = bit & 7;
  u8[at] = (u8[at]! & ~(REGISTER_MASK << shift)) | (rank << shift);
  if (shift <= 8 - REGISTER_BITS) return;
  const next = at + 1;
  u8[next] = (u8[next]! & ~(REGISTER_MASK >> (8 - shift))) | (rank >> (8 - shift));
}

// ── Registers of several HyperLogLogs ────────────────────────────────────────────────────────

const REGISTERS_PER_WORD = 4;
const REGISTER_WORDS = REGISTERS / REGISTERS_PER_WORD;
/** Bytes of four dense registers. */
const FOUR_BYTES = (REGISTERS_PER_WORD * REGISTER_BITS) / 8;
/** The highest bit of each byte, which no register has. */
const HIGH_BITS = 0x80808080 | 0;

/**
 * All registers of what several HyperLogLogs are together, a byte each and four to a word, the
 * first in the lowest byte: a word is compared at once, where a byte each took 75 µs a HyperLogLog.
 */
export class Registers {
  readonly words = new Int32Array(REGISTER_WORDS);

  clear(): void {
    this.words.fill(0);
  }

  at(register: number): number {
    return (this.words[register >> 2]! >>> ((register & 3) << 3)) & 0xff;
  }

  raise(register: number, rank: number): void {
    const shift = (register & 3) << 3;
    const word = this.words[register >> 2]!;
    if (((word >>> shift) & 0xff) >= rank) return;
    this.words[register >> 2] = (word & ~(0xff << shift)) | (rank << shift);
  }
}

/** Four dense registers, which begin at byte `at`, as a word of Registers. */
function fourAt(u8: Uint8Array, at: number): number {
  const second = at + 1;
  const third = at + 2;
  const bits = u8[at]! | (u8[second]! << 8) | (u8[third]! << 16);
  return (bits & 0x3f) | ((bits & 0xfc0) << 2) | ((bits & 0x3f000) << 4) | ((bits & 0xfc0000) << 6);
}

/** The higher byte of each pair; all are below 128. */
function higherOfEach(one: number, other: number): number {
  // The highest bit of a byte stays where that of `other` is not greater: nothing is borrowed.
  const isOne = (((one | HIGH_BITS) - other) & HIGH_BITS) >>> 7;
  const mask = (isOne << 8) - isOne;
  return (one & mask) | (other & ~mask);
}

/** Raises all registers of a dense HyperLogLog in u8, from 0 on, to `words`. */
function raiseAll(u8: Uint8Array, words: Int32Array): void {
  let at: number = Head.Bytes;
  for (let index = 0; index < REGISTER_WORDS; index++, at += FOUR_BYTES) {
    const four = higherOfEach(words[index]!, fourAt(u8, at));
    u8[at] = (four & 0x3f) | ((four >> 2) & 0xc0);
    const second = at + 1;
    const third = at + 2;
    u8[second] = ((four >> 10) & 0x0f) | ((four >> 12) & 0xf0);
    u8[third] = ((four >> 20) & 0x03) | ((four >> 22) & 0xfc);
  }
}

// ── Sparse runs ──────────────────────────────────────────────────────────────────────────────

const enum Opcode {
  /** Set in a run of registers that are not 0. */
  Ranked = 0x80,
  /** Set in a run of zeros of two bytes. */
  Wide = 0x40,
  LengthMask = 0x3f,
  RankShift = 2,
  RankMask = 0x1f,
  RankedLengthMask = 3,
}

/** The most that a run of one byte covers, and the rank beyond which only dense registers go. */
const ZEROS_MAX = 64;
const RANKED_MAX = 4;
const SPARSE_RANK_MAX = 32;

/** Registers that the opcode at `at` covers. The last one of a corrupt string may lack a byte. */
function runLength(u8: Uint8Array, at: number, end: number): number {
  const opcode = u8[at]!;
  if ((opcode & Opcode.Ranked) !== 0) return (opcode & Opcode.RankedLengthMask) + 1;
  if ((opcode & Opcode.Wide) === 0) return opcode + 1;
  const next = at + 1;
  const low = next < end ? u8[next]! : 0;
  return (((opcode & Opcode.LengthMask) << 8) | low) + 1;
}

function isWide(u8: Uint8Array, at: number): boolean {
  return (u8[at]! & (Opcode.Ranked | Opcode.Wide)) === Opcode.Wide;
}

function isRanked(u8: Uint8Array, at: number): boolean {
  return (u8[at]! & Opcode.Ranked) !== 0;
}

function rankOf(u8: Uint8Array, at: number): number {
  return ((u8[at]! >> Opcode.RankShift) & Opcode.RankMask) + 1;
}

function rankedOpcode(rank: number, length: number): number {
  return Opcode.Ranked | ((rank - 1) << Opcode.RankShift) | (length - 1);
}

/** Writes a run of `length` zeros as the opcodes at `at`; returns the place behind them. */
function writeZeros(u8: Uint8Array, at: number, length: number): number {
  if (length <= ZEROS_MAX) {
    u8[at] = length - 1;
    return at + 1;
  }
  const next = at + 1;
  u8[at] = ((length - 1) >> 8) | Opcode.Wide;
  u8[next] = (length - 1) & 0xff;
  return next + 1;
}

/** What an addition has done. */
export const enum Change {
  None = 0,
  Made = 1,
  /** The runs end too early: the string is corrupt. */
  Corrupt = 2,
}

/** XZERO, VAL, XZERO: the longest sequence that takes the place of one opcode. */
const SEQUENCE_BYTES_MAX = 5;
/** How many opcodes are looked at for runs that have become equal, as Redis does. */
const JOINED_OPCODES = 5;
const ROOM_AT_START = 32 * 1024;

/**
 * A copy of a HyperLogLog to work on, outside the slab: a corrupt one is noticed half-way through,
 * and nothing may have changed then. Borrowed: reused for every command of the thread.
 */
export class Sketch {
  /** The bytes, from 0. */
  u8 = new Uint8Array(new ArrayBuffer(ROOM_AT_START));
  length = 0;
  private readonly sequence = new Uint8Array(new ArrayBuffer(SEQUENCE_BYTES_MAX));
  private dense: Uint8Array<ArrayBuffer> = new Uint8Array(new ArrayBuffer(ROOM_AT_START));
  /** An opcode boundary, and the first register it covers: where raise looks first. */
  private resumeAt: number = Head.Bytes;
  private resumeRegister = 0;

  get isDense(): boolean {
    return isDense(this.u8, 0);
  }

  /** An empty sketch, as the first PFADD makes it. */
  createEmpty(): void {
    const { u8 } = this;
    u8.fill(0, 0, Head.Bytes);
    u8.set(MAGIC, Head.Magic);
    u8[Head.Encoding] = Form.Sparse;
    this.length = writeZeros(u8, Head.Bytes, REGISTERS);
    this.rewind();
  }

  /** A copy of u8[start, start + length), which isHyperLogLog. */
  load(u8: Uint8Array, start: number, length: number): void {
    this.length = 0;
    this.makeRoom(length);
    copyBytes(u8, start, this.u8, 0, length);
    this.length = length;
    this.rewind();
  }

  /** Adds the element u8[start, start + length). */
  add(u8: Uint8Array, start: number, length: number): Change {
    hashElement(u8, start, length);
    this.rewind();
    return this.raise(place.register, place.rank);
  }

  /** Adds all that `registers` stands for. Not for a corrupt sketch. */
  addRegisters(registers: Registers): void {
    const { words } = registers;
    if (this.isDense) {
      raiseAll(this.u8, words);
      return;
    }
    this.rewind();
    for (let index = 0; index < REGISTER_WORDS; index++) {
      if (words[index] === 0) continue;
      const first = index * REGISTERS_PER_WORD;
      for (let register = first; register < first + REGISTERS_PER_WORD; register++) {
        const rank = registers.at(register);
        if (rank !== 0) this.raise(register, rank);
      }
    }
  }

  /** The cached cardinality does not hold any more. */
  forgetCount(): void {
    const { u8 } = this;
    u8[Head.CachedLast] = u8[Head.CachedLast]! | OUT_OF_DATE;
  }

  /** Makes the sketch dense; false if its runs do not cover all registers. */
  becomeDense(): boolean {
    if (this.isDense) return true;
    const { u8, length, dense } = this;
    dense.fill(0, 0, DENSE_BYTES);
    copyBytes(u8, 0, dense, 0, Head.Bytes);
    dense[Head.Encoding] = Form.Dense;
    let register = 0;
    for (let at: number = Head.Bytes; at < length; at += isWide(u8, at) ? 2 : 1) {
      const next = register + runLength(u8, at, length);
      if (isRanked(u8, at)) {
        if (next > REGISTERS) break;
        const rank = rankOf(u8, at);
        for (; register < next; register++) writeDense(dense, 0, register, rank);
      }
      register = next;
    }
    if (register !== REGISTERS) return false;
    this.dense = u8;
    this.u8 = dense;
    this.length = DENSE_BYTES;
    return true;
  }

  /** Makes `register` at least `rank`. Without rewind registers come in ascending order. */
  private raise(register: number, rank: number): Change {
    if (this.isDense) return raiseDense(this.u8, 0, register, rank) ? Change.Made : Change.None;
    if (rank > SPARSE_RANK_MAX) return this.promote(register, rank);
    this.makeRoom(this.length + SEQUENCE_BYTES_MAX);
    const { u8, length } = this;
    let at = this.resumeAt;
    let first = this.resumeRegister;
    let last = -1;
    let previous = at;
    let beforePrevious = at;
    let previousFirst = first;
    let resumeFirst = first;
    for (; at < length; at += isWide(u8, at) ? 2 : 1) {
      last = first + runLength(u8, at, length) - 1;
      if (register <= last) break;
      beforePrevious = previous;
      previous = at;
      resumeFirst = previousFirst;
      previousFirst = first;
      first = last + 1;
    }
    if (at >= length) return Change.Corrupt;
    this.resumeAt = beforePrevious;
    this.resumeRegister = resumeFirst;
    if (isRanked(u8, at) && rankOf(u8, at) >= rank) return Change.None;
    // A run of one register (only wide runs of corrupt strings have two bytes) is overwritten.
    if (first === last && !isWide(u8, at)) u8[at] = rankedOpcode(rank, 1);
    else if (!this.split(at, first, last, register, rank)) return this.promote(register, rank);
    this.joinFrom(previous);
    this.forgetCount();
    return Change.Made;
  }

  /** Puts a run of one register into the run at `at`; false if the string would be too long. */
  private split(at: number, first: number, last: number, register: number, rank: number): boolean {
    const { u8, length, sequence } = this;
    const before = register - first;
    const behind = last - register;
    let bytes = 0;
    if (isRanked(u8, at)) {
      const other = rankOf(u8, at);
      if (before > 0) sequence[bytes++] = rankedOpcode(other, before);
      sequence[bytes++] = rankedOpcode(rank, 1);
      if (behind > 0) sequence[bytes++] = rankedOpcode(other, behind);
    } else {
      if (before > 0) bytes = writeZeros(sequence, bytes, before);
      sequence[bytes++] = rankedOpcode(rank, 1);
      if (behind > 0) bytes = writeZeros(sequence, bytes, behind);
    }
    const replaced = isWide(u8, at) ? 2 : 1;
    const grown = bytes - replaced;
    if (grown > 0 && length + grown > thresholds.hllSparseMaxBytes) return false;
    const next = at + replaced;
    if (grown !== 0 && next < length) moveBytes(u8, next, next + grown, length - next);
    copyBytes(sequence, 0, u8, at, bytes);
    this.length = length + grown;
    return true;
  }

  /** Joins runs of the same rank among the first few opcodes from `at` on. */
  private joinFrom(at: number): void {
    const { u8 } = this;
    let { length } = this;
    for (let looked = 0; at < length && looked < JOINED_OPCODES; looked++) {
      if (!isRanked(u8, at)) {
        at += isWide(u8, at) ? 2 : 1;
        continue;
      }
      const next = at + 1;
      if (next < length && isRanked(u8, next) && rankOf(u8, at) === rankOf(u8, next)) {
        const joined = runLength(u8, at, length) + runLength(u8, next, length);
        if (joined <= RANKED_MAX) {
          // The next opcode may be joined to this one as well: it is looked at again.
          u8[next] = rankedOpcode(rankOf(u8, at), joined);
          moveBytes(u8, next, at, length - next);
          length--;
          continue;
        }
      }
      at++;
    }
    this.length = length;
  }

  /** The register does not fit into runs any more. */
  private promote(register: number, rank: number): Change {
    if (!this.becomeDense()) return Change.Corrupt;
    raiseDense(this.u8, 0, register, rank);
    return Change.Made;
  }

  private rewind(): void {
    this.resumeAt = Head.Bytes;
    this.resumeRegister = 0;
  }

  private makeRoom(bytes: number): void {
    if (bytes < this.u8.length) return;
    const grown = new Uint8Array(new ArrayBuffer(bytes * 2));
    grown.set(this.u8.subarray(0, this.length));
    this.u8 = grown;
  }
}

// ── Counting ─────────────────────────────────────────────────────────────────────────────────

/** A cardinality as an int64: what countAll and readCached have found. */
export const cardinality = { low: 0, high: 0 };

const VALUES = 2 ** REGISTER_BITS;
/** How many registers have each value; six bits of a register may hold what no rank is. */
const histogram = new Int32Array(VALUES);
/** The same for the first of four registers, the second …: equal neighbours need not wait. */
const histograms = new Int32Array(VALUES * REGISTERS_PER_WORD);

function countFour(four: number): void {
  const first = four & 0xff;
  const second = VALUES + ((four >> 8) & 0xff);
  const third = 2 * VALUES + ((four >> 16) & 0xff);
  const fourth = 3 * VALUES + (four >>> 24);
  histograms[first] = histograms[first]! + 1;
  histograms[second] = histograms[second]! + 1;
  histograms[third] = histograms[third]! + 1;
  histograms[fourth] = histograms[fourth]! + 1;
}

/** Adds what countFour has counted to `histogram`. */
function sumHistograms(): void {
  for (let index = 0; index < histograms.length; index++) {
    const value = index & REGISTER_MASK;
    histogram[value] = histogram[value]! + histograms[index]!;
  }
  histograms.fill(0);
}

/** Sets `cardinality` from the head of a HyperLogLog; false if it is out of date. */
export function readCached(u8: Uint8Array, start: number): boolean {
  if ((u8[start + Head.CachedLast]! & OUT_OF_DATE) !== 0) return false;
  cardinality.low = readWord(u8, start + Head.Cached);
  cardinality.high = readWord(u8, start + Head.Cached + 4);
  return true;
}

function readWord(u8: Uint8Array, at: number): number {
  let word = 0;
  for (let byte = 0; byte < 4; byte++) word |= u8[at + byte]! << (byte << 3);
  return word;
}

/** Writes `cardinality` to the head of a HyperLogLog. */
export function writeCached(u8: Uint8Array, start: number): void {
  writeWord(u8, start + Head.Cached, cardinality.low);
  writeWord(u8, start + Head.Cached + 4, cardinality.high);
}

function writeWord(u8: Uint8Array, at: number, word: number): void {
  for (let byte = 0; byte < 4; byte++) u8[at + byte] = word >> (byte << 3);
}

/** The cached cardinality of a HyperLogLog in the slab does not hold any more. */
export function forgetCached(u8: Uint8Array, start: number): void {
  u8[start + Head.CachedLast] = u8[start + Head.CachedLast]! | OUT_OF_DATE;
}

/** Counts the elements of a HyperLogLog, in `cardinality`; false if it is corrupt. */
export function countAll(u8: Uint8Array, start: number, length: number): boolean {
  histogram.fill(0);
  if (isDense(u8, start)) {
    let at = start + Head.Bytes;
    for (let index = 0; index < REGISTER_WORDS; index++, at += FOUR_BYTES) {
      countFour(fourAt(u8, at));
    }
    sumHistograms();
  } else {
    let registers = 0;
    const end = start + length;
    for (let at = start + Head.Bytes; at < end; at += isWide(u8, at) ? 2 : 1) {
      const run = runLength(u8, at, end);
      const value = isRanked(u8, at) ? rankOf(u8, at) : 0;
      histogram[value] = histogram[value]! + run;
      registers += run;
    }
    if (registers !== REGISTERS) return false;
  }
  estimate();
  return true;
}

/** Counts what `registers` stand for, in `cardinality`. */
export function countRegisters(registers: Registers): void {
  const { words } = registers;
  histogram.fill(0);
  let zeros = 0;
  for (let index = 0; index < REGISTER_WORDS; index++) {
    const four = words[index]!;
    if (four === 0) zeros += REGISTERS_PER_WORD;
    else countFour(four);
  }
  sumHistograms();
  histogram[0] = histogram[0]! + zeros;
  estimate();
}

/** Raises each of `registers` to that of a HyperLogLog; false if it is corrupt. */
export function mergeInto(
  registers: Registers,
  u8: Uint8Array,
  start: number,
  length: number,
): boolean {
  if (isDense(u8, start)) {
    mergeDense(registers.words, u8, start);
    return true;
  }
  let register = 0;
  const end = start + length;
  for (let at = start + Head.Bytes; at < end; at += isWide(u8, at) ? 2 : 1) {
    const next = register + runLength(u8, at, end);
    if (isRanked(u8, at)) {
      // What follows all registers does not make a string corrupt.
      if (next > REGISTERS) break;
      const rank = rankOf(u8, at);
      for (; register < next; register++) registers.raise(register, rank);
    }
    register = next;
  }
  return register === REGISTERS;
}

function mergeDense(words: Int32Array, u8: Uint8Array, start: number): void {
  let at = start + Head.Bytes;
  for (let index = 0; index < REGISTER_WORDS; index++, at += FOUR_BYTES) {
    words[index] = higherOfEach(words[index]!, fourAt(u8, at));
  }
}

/** 0.5 / ln 2. */
const ALPHA = 0.7213475204444817;
const TWO_32 = 2 ** 32;
const TWO_63 = 2 ** 63;

/**
 * The cardinality that the histogram tells of: Otmar Ertl, "New cardinality estimation algorithms
 * for HyperLogLog sketches", 2017. The order of operations is Redis's, so that all bits agree.
 */
function estimate(): void {
  let sum = REGISTERS * tau((REGISTERS - histogram[RANK_MAX]!) / REGISTERS);
  for (let rank = RANK_MAX - 1; rank >= 1; rank--) sum = (sum + histogram[rank]!) * 0.5;
  sum += REGISTERS * sigma(histogram[0]! / REGISTERS);
  const estimated = (ALPHA * REGISTERS * REGISTERS) / sum;
  const whole = Math.floor(estimated);
  const rounded = estimated - whole >= 0.5 ? whole + 1 : whole;
  if (rounded < TWO_63) {
    cardinality.low = rounded | 0;
    cardinality.high = Math.floor(rounded / TWO_32) | 0;
  } else {
    // Registers that no elements lead to: the number a C program gets for what int64 cannot hold.
    cardinality.low = 0;
    cardinality.high = 0x80000000 | 0;
  }
}

function sigma(x: number): number {
  if (x === 1) return Infinity;
  let power = x;
  let factor = 1;
  let sum = x;
  for (let before = Number.NaN; before !== sum; ) {
    power *= power;
    before = sum;
    sum += power * factor;
    factor += factor;
  }
  return sum;
}

function tau(x: number): number {
  if (x === 0 || x === 1) return 0;
  let root = x;
  let factor = 1;
  let sum = 1 - x;
  for (let before = Number.NaN; before !== sum; ) {
    root = Math.sqrt(root);
    before = sum;
    factor *= 0.5;
    sum -= (1 - root) * (1 - root) * factor;
  }
  return sum / 3;
}

// ── Looking inside ───────────────────────────────────────────────────────────────────────────

/** The opcodes of a sparse HyperLogLog as text, as PFDEBUG DECODE shows them. */
export function describeRuns(u8: Uint8Array, start: number, length: number): string {
  const runs: string[] = [];
  const end = start + length;
  for (let at = start + Head.Bytes; at < end; at += isWide(u8, at) ? 2 : 1) {
    const run = runLength(u8, at, end);
    if (isRanked(u8, at)) runs.push(`v:${rankOf(u8, at)},${run}`);
    else runs.push(isWide(u8, at) ? `Z:${run}` : `z:${run}`);
  }
  return runs.join(' ');
}
