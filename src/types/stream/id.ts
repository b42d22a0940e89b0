// The IDs of a stream: 128 bits, milliseconds and a sequence number. Each is an unsigned 64-bit
// integer that is kept as two int32 words. In a slab an ID is four words, the most significant
// first, so that IDs compare word by word:
//
//   ┌─────────┬────────┬──────────┬─────────┐
//   │ ms high │ ms low │ seq high │ seq low │
//   └─────────┴────────┴──────────┴─────────┘

import {
  cursor64,
  int64,
  parseCursor,
  parseInt64,
  parseSafeInteger,
  writeInt64,
} from '../../base/ascii.js';

const enum Id {
  MsHigh = 0,
  MsLow = 1,
  SeqHigh = 2,
  SeqLow = 3,
  Words = 4,
}

export const ID_WORDS = Id.Words;
/** The text of an ID: two numbers of 20 digits and a dash. */
export const ID_TEXT_BYTES_MAX = 41;

const TWO_32 = 2 ** 32;
const SIGN_BIT = -(2 ** 31);
const DASH = 0x2d;
const PLUS = 0x2b;
const STAR = 0x2a;
const ZERO = 0x30;
/** So many digits are always a safe integer. */
const FAST_DIGITS = 15;
/** Redis refuses longer words. */
const WORD_BYTES_MAX = 127;

/** An ID outside of a slab; reused, because IDs are made on hot paths. */
export class StreamId {
  msHigh = 0;
  msLow = 0;
  seqHigh = 0;
  seqLow = 0;

  set(msHigh: number, msLow: number, seqHigh: number, seqLow: number): void {
    this.msHigh = msHigh;
    this.msLow = msLow;
    this.seqHigh = seqHigh;
    this.seqLow = seqLow;
  }

  copyFrom(other: StreamId): void {
    this.set(other.msHigh, other.msLow, other.seqHigh, other.seqLow);
  }

  /** The milliseconds of a clock, and sequence number 0. */
  setMs(ms: number): void {
    this.set(Math.floor(ms / TWO_32) | 0, ms | 0, 0, 0);
  }

  get isZero(): boolean {
    return (this.msHigh | this.msLow | this.seqHigh | this.seqLow) === 0;
  }

  get isMax(): boolean {
    return (this.msHigh & this.msLow & this.seqHigh & this.seqLow) === -1;
  }

  /** The next ID. False behind the last there is: then it is 0-0. */
  increment(): boolean {
    this.seqLow = (this.seqLow + 1) | 0;
    if (this.seqLow !== 0) return true;
    this.seqHigh = (this.seqHigh + 1) | 0;
    if (this.seqHigh !== 0) return true;
    this.msLow = (this.msLow + 1) | 0;
    if (this.msLow !== 0) return true;
    this.msHigh = (this.msHigh + 1) | 0;
    return this.msHigh !== 0;
  }

  /** The ID before. False before 0-0: then it is the last there is. */
  decrement(): boolean {
    this.seqLow = (this.seqLow - 1) | 0;
    if (this.seqLow !== -1) return true;
    this.seqHigh = (this.seqHigh - 1) | 0;
    if (this.seqHigh !== -1) return true;
    this.msLow = (this.msLow - 1) | 0;
    if (this.msLow !== -1) return true;
    this.msHigh = (this.msHigh - 1) | 0;
    return this.msHigh !== -1;
  }
}

export const ZERO_ID = new StreamId();
export const MAX_ID = new StreamId();
MAX_ID.set(-1, -1, -1, -1);

/** -1, 0 or 1 as a comes before, is or comes after b. */
export function compareIds(a: StreamId, b: StreamId): number {
  if (a.msLow === b.msLow && a.msHigh === b.msHigh) {
    if (a.seqHigh !== b.seqHigh) return compareWords(a.seqHigh, b.seqHigh);
    return a.seqLow === b.seqLow ? 0 : compareWords(a.seqLow, b.seqLow);
  }
  if (a.msHigh !== b.msHigh) return compareWords(a.msHigh, b.msHigh);
  return compareWords(a.msLow, b.msLow);
}

/** Two different words as unsigned numbers. */
function compareWords(a: number, b: number): number {
  return (a ^ SIGN_BIT) < (b ^ SIGN_BIT) ? -1 : 1;
}

/** As compareIds, a being the ID at word `at` of a slab. */
export function compareIdAt(i32: Int32Array, at: number, b: StreamId): number {
  const msHigh = i32[at + Id.MsHigh]!;
  if (msHigh !== b.msHigh) return compareWords(msHigh, b.msHigh);
  const msLow = i32[at + Id.MsLow]!;
  if (msLow !== b.msLow) return compareWords(msLow, b.msLow);
  const seqHigh = i32[at + Id.SeqHigh]!;
  if (seqHigh !== b.seqHigh) return compareWords(seqHigh, b.seqHigh);
  const seqLow = i32[at + Id.SeqLow]!;
  return seqLow === b.seqLow ? 0 : compareWords(seqLow, b.seqLow);
}

export function readIdAt(i32: Int32Array, at: number, out: StreamId): void {
  out.msHigh = i32[at + Id.MsHigh]!;
  out.msLow = i32[at + Id.MsLow]!;
  out.seqHigh = i32[at + Id.SeqHigh]!;
  out.seqLow = i32[at + Id.SeqLow]!;
}

export function writeIdAt(i32: Int32Array, at: number, id: StreamId): void {
  i32[at + Id.MsHigh] = id.msHigh;
  i32[at + Id.MsLow] = id.msLow;
  i32[at + Id.SeqHigh] = id.seqHigh;
  i32[at + Id.SeqLow] = id.seqLow;
}

// ── Text ─────────────────────────────────────────────────────────────────────────────────────

/** What a word is as an ID. */
export const enum IdForm {
  /** No ID at all. */
  None = 0,
  Whole = 1,
  /** `ms-*`: the sequence number is to be made. */
  Open = 2,
}

/** What a word may be besides `ms` and `ms-seq`. */
export const enum IdRule {
  Strict = 0,
  /** `-` and `+`, the least and the greatest ID. */
  Ends = 1,
  /** `ms-*` */
  Star = 2,
}

/**
 * Reads u8[start, start + length) into `out`. Where the sequence number is missing, both its words
 * are `missing`: 0 or -1. Numbers are read as leniently as Redis does, which falls back to
 * strtoull: spaces before them, signs and leading zeros pass.
 */
export function parseId(
  u8: Uint8Array,
  start: number,
  length: number,
  missing: number,
  rule: IdRule,
  out: StreamId,
): IdForm {
  const end = start + length;
  let dash = start;
  while (dash < end && u8[dash] !== DASH) dash++;
  const ms = parsePlain(u8, start, dash - start);
  if (ms < 0) return parseSlowly(u8, start, length, missing, rule, out);
  let seq = 0;
  if (dash < end) {
    seq = parsePlain(u8, dash + 1, end - dash - 1);
    if (seq < 0) return parseSlowly(u8, start, length, missing, rule, out);
  }
  out.msHigh = Math.floor(ms / TWO_32) | 0;
  out.msLow = ms | 0;
  if (dash < end) {
    out.seqHigh = seq < TWO_32 ? 0 : Math.floor(seq / TWO_32) | 0;
    out.seqLow = seq | 0;
  } else {
    out.seqHigh = missing;
    out.seqLow = missing;
  }
  return IdForm.Whole;
}

/** A number of few digits, or -1. */
function parsePlain(u8: Uint8Array, start: number, length: number): number {
  if (length === 1) {
    const digit = u8[start]! - ZERO;
    return digit <= 9 ? digit : -1;
  }
  if (length > FAST_DIGITS) return -1;
  const value = parseSafeInteger(u8, start, length);
  return value >= 0 ? value : -1;
}

function parseSlowly(
  u8: Uint8Array,
  start: number,
  length: number,
  missing: number,
  rule: IdRule,
  out: StreamId,
): IdForm {
  if (length > WORD_BYTES_MAX) return IdForm.None;
  // Redis reads the word as a C string.
  let end = start;
  while (end < start + length && u8[end] !== 0) end++;
  const first = u8[start];
  if (end - start === 1 && (first === DASH || first === PLUS)) {
    if (rule !== IdRule.Ends) return IdForm.None;
    out.copyFrom(first === DASH ? ZERO_ID : MAX_ID);
    return IdForm.Whole;
  }
  let dash = start;
  while (dash < end && u8[dash] !== DASH) dash++;
  if (!parseUnsigned(u8, start, dash)) return IdForm.None;
  const msHigh = cursor64.hi;
  const msLow = cursor64.lo;
  if (dash === end) {
    out.set(msHigh, msLow, missing, missing);
    return IdForm.Whole;
  }
  const seqAt = dash + 1;
  if (rule === IdRule.Star && seqAt + 1 === end && u8[seqAt] === STAR) {
    out.set(msHigh, msLow, 0, 0);
    return IdForm.Open;
  }
  if (!parseUnsigned(u8, seqAt, end)) return IdForm.None;
  out.set(msHigh, msLow, cursor64.hi, cursor64.lo);
  return IdForm.Whole;
}

/** Reads an unsigned 64-bit integer into `cursor64`, as Redis's string2ull does. */
function parseUnsigned(u8: Uint8Array, start: number, end: number): boolean {
  // What is a proper negative number is refused; any other goes to strtoull, which wraps it.
  if (parseInt64(u8, start, end - start) && int64.hi < 0) return false;
  while (start < end && isSpace(u8[start]!)) start++;
  return start < end && parseCursor(u8, start, end - start);
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

/** Writes `ms-seq` at u8[at] and returns how many bytes that took. */
export function writeId(u8: Uint8Array, at: number, id: StreamId): number {
  let end = at + writeUnsigned(u8, at, id.msLow, id.msHigh);
  u8[end++] = DASH;
  if (id.seqHigh === 0 && id.seqLow >= 0 && id.seqLow <= 9) u8[end++] = ZERO + id.seqLow;
  else end += writeUnsigned(u8, end, id.seqLow, id.seqHigh);
  return end - at;
}

function writeUnsigned(u8: Uint8Array, at: number, low: number, high: number): number {
  if (high >= 0) return writeInt64(u8, at, low, high);
  return writeUnsignedSlowly(u8, at, low, high);
}

/** Beyond 2^63: such IDs are made by hand only. */
function writeUnsignedSlowly(u8: Uint8Array, at: number, low: number, high: number): number {
  const text = String((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0));
  for (let index = 0; index < text.length; index++) u8[at + index] = text.charCodeAt(index);
  return text.length;
}

const scratch = new Uint8Array(new ArrayBuffer(48));

/** The ID as text, for messages. */
export function describeId(id: StreamId): string {
  return Buffer.from(scratch.slice(0, writeId(scratch, 0, id))).toString('latin1');
}
