// Where in an array a value stands: an unsigned 64-bit integer, kept as two int32 words. Arrays are
// cut into slices of 4096 slots, so a position is the number of a slice and an offset in it:
//
//   ┌──────────────────────────────┬───────────┐
//   │ number of the slice, 52 bits │ offset 12 │
//   └──────────────────────────────┴───────────┘

import { cursor64, int64, parseCursor, parseInt64, writeInt64 } from '../../base/ascii.js';

export const OFFSET_BITS = 12;
/** Slots of a slice. */
export const SLICE_SLOTS = 1 << OFFSET_BITS;
const OFFSET_MASK = SLICE_SLOTS - 1;
const NUMBER_LOW_SHIFT = 32 - OFFSET_BITS;

/** "18446744073709551615". */
export const POSITION_TEXT_BYTES_MAX = 20;
/** So many digits are an int32. */
const FAST_DIGITS = 9;
const ZERO = 0x30;
const SIGN_BIT = -(2 ** 31);

/** A position outside of a slab; reused, because positions are made on hot paths. */
export class Position {
  high = 0;
  low = 0;

  set(high: number, low: number): void {
    this.high = high;
    this.low = low;
  }

  copyFrom(other: Position): void {
    this.set(other.high, other.low);
  }

  /** 2^64 - 1: no value stands there, so that a length is never more than that. */
  get isBehindLast(): boolean {
    return (this.high & this.low) === -1;
  }

  get isZero(): boolean {
    return (this.high | this.low) === 0;
  }

  /** The next position; behind 2^64 - 1 comes 0. */
  increment(): void {
    this.low = (this.low + 1) | 0;
    if (this.low === 0) this.high = (this.high + 1) | 0;
  }

  /** The position before; before 0 comes 2^64 - 1. */
  decrement(): void {
    if (this.low === 0) this.high = (this.high - 1) | 0;
    this.low = (this.low - 1) | 0;
  }

  /** `count` positions further, at most 2^31; false, and nothing is changed, behind 2^64 - 1. */
  advance(count: number): boolean {
    const low = (this.low + count) | 0;
    const isCarry = low >>> 0 < this.low >>> 0;
    if (isCarry && this.high === -1) return false;
    if (isCarry) this.high = (this.high + 1) | 0;
    this.low = low;
    return true;
  }
}

/** -1, 0 or 1 as a is less than, is or is greater than b. */
export function compareUnsigned(aHigh: number, aLow: number, bHigh: number, bLow: number): number {
  if (aHigh !== bHigh) return (aHigh ^ SIGN_BIT) < (bHigh ^ SIGN_BIT) ? -1 : 1;
  if (aLow === bLow) return 0;
  return (aLow ^ SIGN_BIT) < (bLow ^ SIGN_BIT) ? -1 : 1;
}

export function comparePositions(a: Position, b: Position): number {
  return compareUnsigned(a.high, a.low, b.high, b.low);
}

/** b - a + 1 for a <= b; Infinity from 2^53 on. */
export function spanOf(a: Position, b: Position): number {
  const span = ((b.high >>> 0) - (a.high >>> 0)) * 2 ** 32 + (b.low >>> 0) - (a.low >>> 0) + 1;
  return span <= Number.MAX_SAFE_INTEGER ? span : Number.POSITIVE_INFINITY;
}

// The number of a position's slice, in two words as well.

export function numberHighOf(high: number): number {
  return high >>> OFFSET_BITS;
}

export function numberLowOf(high: number, low: number): number {
  return (high << NUMBER_LOW_SHIFT) | (low >>> OFFSET_BITS);
}

export function offsetOf(low: number): number {
  return low & OFFSET_MASK;
}

export function highOf(numberHigh: number, numberLow: number): number {
  return (numberHigh << OFFSET_BITS) | (numberLow >>> NUMBER_LOW_SHIFT);
}

export function lowOf(numberLow: number, offset: number): number {
  return (numberLow << OFFSET_BITS) | offset;
}

// ── Arithmetic that happens rarely ───────────────────────────────────────────────────────────

function bigIntOf(position: Position): bigint {
  return (BigInt(position.high >>> 0) << 32n) | BigInt(position.low >>> 0);
}

/** position %= divisor, which is not 0. */
export function remainder(position: Position, divisor: Position): void {
  const order = comparePositions(position, divisor);
  if (order < 0) return;
  if (order === 0) position.set(0, 0);
  else remainderSlowly(position, divisor);
}

function remainderSlowly(position: Position, divisor: Position): void {
  const rest = bigIntOf(position) % bigIntOf(divisor);
  position.set(Number(BigInt.asIntN(32, rest >> 32n)), Number(BigInt.asIntN(32, rest)));
}

// ── Text ─────────────────────────────────────────────────────────────────────────────────────

/**
 * Reads u8[start, start + length) as Redis's string2ull does: what is no plain integer goes to
 * strtoull, which passes over spaces, signs and leading zeros. False when it is no such number.
 */
export function parsePosition(
  u8: Uint8Array,
  start: number,
  length: number,
  out: Position,
): boolean {
  if (length === 0 || length > FAST_DIGITS) return parseSlowly(u8, start, length, out);
  let value = 0;
  for (let at = start; at < start + length; at++) {
    const digit = u8[at]! - ZERO;
    if (digit < 0 || digit > 9) return parseSlowly(u8, start, length, out);
    value = (Math.imul(value, 10) + digit) | 0;
  }
  out.set(0, value);
  return true;
}

function parseSlowly(u8: Uint8Array, start: number, length: number, out: Position): boolean {
  // Redis reads the word as a C string.
  let end = start;
  while (end < start + length && u8[end] !== 0) end++;
  if (parseInt64(u8, start, end - start) && int64.hi < 0) return false;
  while (start < end && isSpace(u8[start]!)) start++;
  if (start === end || !parseCursor(u8, start, end - start)) return false;
  out.set(cursor64.hi, cursor64.lo);
  return true;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

/** Writes the position in decimal at u8[at] and returns how many bytes that took. */
export function writePosition(u8: Uint8Array, at: number, high: number, low: number): number {
  if (high >= 0) return writeInt64(u8, at, low, high);
  return writeSlowly(u8, at, high, low);
}

/** From 2^63 on: such positions are rare. */
function writeSlowly(u8: Uint8Array, at: number, high: number, low: number): number {
  const text = String((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0));
  for (let index = 0; index < text.length; index++) u8[at + index] = text.charCodeAt(index);
  return text.length;
}
