// The 80-bit floats of x86, which Redis adds with in INCRBYFLOAT and HINCRBYFLOAT. Clients see
// their digits (0.1 + 0.2 is 0.3 there, 3.0e3 + 200.1 is 3200.09999999999999997), so they are
// computed exactly: 64 bits of mantissa, rounded to the nearest, ties to even.
//
//   value = mantissa · 2^exponent        0 <= mantissa < 2^64, -16445 <= exponent <= 16320
//
// BigInt throughout, except for the sums that a proof lets us do in doubles: see addShortDecimals.

import { writeInteger } from './ascii.js';
import {
  type BinaryFloat,
  bitsOf,
  isInfinityText,
  parseHexFloat,
  shiftRounded,
} from './float-text.js';

export interface LongDouble {
  readonly isNegative: boolean;
  readonly isInfinite: boolean;
  /** 0 when infinite. */
  readonly mantissa: bigint;
  readonly exponent: number;
}

/** What addFloatTexts answers instead of a length. */
export const enum FloatRefusal {
  /** The first word is no float. */
  First = -1,
  /** The second word is no float; looked at before the first. */
  Second = -2,
  /** Both are floats, their sum is not: "increment would produce NaN or Infinity". */
  Sum = -3,
}

/** Redis copies the word into a buffer of 5 KiB with a NUL and refuses what does not fit. */
const TEXT_BYTES_MAX = 5 * 1024 - 1;
/** A sign, the 4933 digits of the largest value, a point, 17 decimals. */
export const LONG_DOUBLE_TEXT_BYTES_MAX = 1 + 4933 + 1 + 17;

const MANTISSA_BITS = 64;
const EXPONENT_MIN = -16445;
const EXPONENT_MAX = 16320;
// 10^4933 is more than the largest value, 10^-4952 less than half the smallest.
const DECIMAL_MAX = 4933;
const DECIMAL_MIN = -4952;
const DECIMALS = 17;
const SCALE = 10n ** 17n;

const MINUS = 0x2d;
const PLUS = 0x2b;
const DOT = 0x2e;
const ZERO = 0x30;

/**
 * Writes the sum of two float words, as INCRBYFLOAT replies and stores it, at target[at], and
 * returns its length or a FloatRefusal. The target has room for LONG_DOUBLE_TEXT_BYTES_MAX bytes
 * and may be what the words lie in: they are read before anything is written.
 */
export function addFloatTexts(
  firstU8: Uint8Array,
  firstStart: number,
  firstLength: number,
  secondU8: Uint8Array,
  secondStart: number,
  secondLength: number,
  target: Uint8Array,
  at: number,
): number {
  if (readShortDecimal(secondU8, secondStart, secondLength)) {
    const second = decimalDigits;
    const secondScale = decimalScale;
    if (readShortDecimal(firstU8, firstStart, firstLength)) {
      const length = addShortDecimals(decimalDigits, decimalScale, second, secondScale, target, at);
      if (length > 0) return length;
    }
  }
  const second = parseLongDouble(secondU8, secondStart, secondLength);
  if (second === null) return FloatRefusal.Second;
  const first = parseLongDouble(firstU8, firstStart, firstLength);
  if (first === null) return FloatRefusal.First;
  const sum = addLongDoubles(first, second);
  if (sum === null || sum.isInfinite) return FloatRefusal.Sum;
  return writeText(target, at, formatLongDouble(sum));
}

// ── The fast way ─────────────────────────────────────────────────────────────────────────────

const DECIMAL_DIGITS_MAX = 15;
const POWERS = Float64Array.from({ length: 16 }, (_, power) => 10 ** power);
let decimalDigits = 0;
let decimalScale = 0;

/**
 * Reads an optional minus and up to 15 digits with perhaps a point between them, as
 * decimalDigits / 10^decimalScale. Everything else, valid or not, is left to parseLongDouble.
 */
function readShortDecimal(u8: Uint8Array, start: number, length: number): boolean {
  const end = start + length;
  let at = start;
  const isNegative = length > 0 && u8[at] === MINUS;
  if (isNegative) at++;
  if (end - at < 1 || end - at > DECIMAL_DIGITS_MAX + 1) return false;
  let digits = 0;
  let count = 0;
  let pointAt = -1;
  for (; at < end; at++) {
    const byte = u8[at]!;
    if (byte >= ZERO && byte <= ZERO + 9) {
      digits = digits * 10 + (byte - ZERO);
      count++;
    } else if (byte === DOT && pointAt < 0 && count > 0) {
      pointAt = at;
    } else {
      return false;
    }
  }
  if (count > DECIMAL_DIGITS_MAX) return false;
  decimalDigits = isNegative ? -digits : digits;
  decimalScale = pointAt < 0 ? 0 : end - pointAt - 1;
  return true;
}

/**
 * Writes the sum of two short decimals, or returns 0 when it might differ from what the 80-bit
 * floats give. Whole numbers below 10^15 are exact in both. For the others: with a and b each
 * rounded to 64 bits, and their sum rounded again, the result is off by at most
 *
 *   2^-64 · (|a| + |b| + |a + b|)(1 + 2^-64)  <  2^-63 · (|a| + |b|) · 1.0001  <  0.5 · 10^-17
 *
 * as long as |a| + |b| < 46. The true sum is a multiple of 10^-15, so it is the multiple of
 * 10^-17 nearest to the result, which is what 17 decimals print.
 */
function addShortDecimals(
  first: number,
  firstScale: number,
  second: number,
  secondScale: number,
  target: Uint8Array,
  at: number,
): number {
  const scale = Math.max(firstScale, secondScale);
  if (scale === 0) return writeInteger(target, at, first + second);
  const size = Math.abs(first) / POWERS[firstScale]! + Math.abs(second) / POWERS[secondScale]!;
  // Below 45 · 10^14 the scaled numbers and their sum are exact doubles.
  if (!(size < 45) || scale >= DECIMAL_DIGITS_MAX) return 0;
  let sum = first * POWERS[scale - firstScale]! + second * POWERS[scale - secondScale]!;
  let end = at;
  if (sum < 0) {
    target[end++] = MINUS;
    sum = -sum;
  }
  const whole = Math.floor(sum / POWERS[scale]!);
  let fraction = sum - whole * POWERS[scale]!;
  end += writeInteger(target, end, whole);
  if (fraction === 0) return end - at;
  target[end++] = DOT;
  // Digit by digit from the front; what is left becomes 0 where trailing zeros would begin.
  for (let place = scale - 1; fraction > 0; place--) {
    const digit = Math.floor(fraction / POWERS[place]!);
    target[end++] = ZERO + digit;
    fraction -= digit * POWERS[place]!;
  }
  return end - at;
}

// ── Reading ──────────────────────────────────────────────────────────────────────────────────

/** The word as strtold reads it, or null when Redis says "value is not a valid float". */
export function parseLongDouble(u8: Uint8Array, start: number, length: number): LongDouble | null {
  if (length <= 0 || length > TEXT_BYTES_MAX) return null;
  const end = start + length;
  const isNegative = u8[start] === MINUS;
  const at = isNegative || u8[start] === PLUS ? start + 1 : start;
  if (isInfinityText(u8, at, end)) return infinite(isNegative);
  const hex = parseHexFloat(u8, at, end);
  const value = hex === null ? parseDecimal(u8, at, end, isNegative) : round(hex, isNegative);
  if (value === null || value.isInfinite) return null;
  // Below half of the smallest value: only a true zero may become zero.
  return value.mantissa === 0n && hex !== null && hex.mantissa !== 0n ? null : value;
}

function parseDecimal(
  u8: Uint8Array,
  start: number,
  end: number,
  isNegative: boolean,
): LongDouble | null {
  const text = Buffer.from(u8.buffer, u8.byteOffset + start, end - start).toString('latin1');
  const match = /^(?=\.?[0-9])0*([0-9]*)(?:\.([0-9]*))?(?:e([+-]?[0-9]+))?$/i.exec(text);
  if (match === null) return null;
  const fraction = match[2] ?? '';
  const digits = (match[1] + fraction).replace(/^0+/, '');
  if (digits === '') return zero(isNegative);
  // Number() of the longest exponent may be infinite: then the next line refuses it.
  const exponent = Number(match[3] ?? 0) - fraction.length;
  const magnitude = exponent + digits.length;
  if (magnitude > DECIMAL_MAX || magnitude < DECIMAL_MIN) return null;
  const value = roundDecimal(BigInt(digits), exponent, isNegative);
  return value.mantissa === 0n ? null : value;
}

function roundDecimal(digits: bigint, exponent: number, isNegative: boolean): LongDouble {
  if (exponent >= 0) {
    return round({ mantissa: digits * 10n ** BigInt(exponent), exponent: 0 }, isNegative);
  }
  // A quotient of at least 67 bits, its last bit set if the division left a rest: so no tie is
  // seen where there is none.
  const divisor = 10n ** BigInt(-exponent);
  const shift = Math.max(0, bitsOf(divisor) - bitsOf(digits) + MANTISSA_BITS + 3);
  const scaled = digits << BigInt(shift);
  const quotient = scaled / divisor;
  const isExact = quotient * divisor === scaled;
  const mantissa = (quotient << 1n) | (isExact ? 0n : 1n);
  return round({ mantissa, exponent: -shift - 1 }, isNegative);
}

function zero(isNegative: boolean): LongDouble {
  return { isNegative, isInfinite: false, mantissa: 0n, exponent: EXPONENT_MIN };
}

function infinite(isNegative: boolean): LongDouble {
  return { isNegative, isInfinite: true, mantissa: 0n, exponent: EXPONENT_MAX };
}

/** The nearest 80-bit float, ties to even: infinite when too large, zero when too small. */
function round({ mantissa, exponent }: BinaryFloat, isNegative: boolean): LongDouble {
  if (mantissa === 0n) return zero(isNegative);
  const bits = bitsOf(mantissa);
  const lastBit = Math.max(exponent + bits - MANTISSA_BITS, EXPONENT_MIN);
  if (lastBit > EXPONENT_MAX) return infinite(isNegative);
  const shift = lastBit - exponent;
  if (shift > bits + 1) return zero(isNegative);
  if (shift <= 0) {
    return {
      isNegative,
      isInfinite: false,
      mantissa: mantissa << BigInt(-shift),
      exponent: lastBit,
    };
  }
  const rounded = shiftRounded(mantissa, shift);
  if (rounded >> 64n === 0n) {
    return { isNegative, isInfinite: false, mantissa: rounded, exponent: lastBit };
  }
  // Rounded up to 2^64.
  if (lastBit === EXPONENT_MAX) return infinite(isNegative);
  return { isNegative, isInfinite: false, mantissa: rounded >> 1n, exponent: lastBit + 1 };
}

/** The double as it stands, infinities included; null for NaN. */
export function longDoubleFrom(value: number): LongDouble | null {
  if (Number.isNaN(value)) return null;
  const isNegative = value < 0 || (value === 0 && 1 / value < 0);
  const size = Math.abs(value);
  if (size === Infinity) return infinite(isNegative);
  if (size === 0) return zero(isNegative);
  // Scaled in two steps to an integer: 2^1074 alone would be infinite.
  const exponent = Math.max(-1074, Math.floor(Math.log2(size)) - 53);
  const scaled =
    exponent < -1022 ? size * 2 ** 1022 * 2 ** (-exponent - 1022) : size / 2 ** exponent;
  return round({ mantissa: BigInt(scaled), exponent }, isNegative);
}

// ── Adding ───────────────────────────────────────────────────────────────────────────────────

/** a + b rounded once; null is NaN, which only infinities of different sign give. */
export function addLongDoubles(a: LongDouble, b: LongDouble): LongDouble | null {
  if (a.isInfinite || b.isInfinite) {
    if (a.isInfinite && b.isInfinite && a.isNegative !== b.isNegative) return null;
    return infinite(a.isInfinite ? a.isNegative : b.isNegative);
  }
  const exponent = Math.min(a.exponent, b.exponent);
  const sum = signedAt(a, exponent) + signedAt(b, exponent);
  // Zeros of one sign keep it; any other sum that is zero is +0.
  if (sum === 0n) return zero(a.isNegative && b.isNegative);
  return round({ mantissa: sum < 0n ? -sum : sum, exponent }, sum < 0n);
}

function signedAt(value: LongDouble, exponent: number): bigint {
  if (value.mantissa === 0n) return 0n;
  const mantissa = value.mantissa << BigInt(value.exponent - exponent);
  return value.isNegative ? -mantissa : mantissa;
}

// ── Writing ──────────────────────────────────────────────────────────────────────────────────

/** C's "%.17Lf" without trailing zeros and without a minus before zero. */
export function formatLongDouble(value: LongDouble): string {
  const sign = value.isNegative ? '-' : '';
  if (value.isInfinite) return `${sign}inf`;
  const { mantissa, exponent } = value;
  if (exponent >= 0) return sign + (mantissa << BigInt(exponent)).toString();
  const scaled = shiftRounded(mantissa * SCALE, -exponent);
  if (scaled === 0n) return '0';
  const whole = scaled / SCALE;
  const fraction = (scaled - whole * SCALE).toString().padStart(DECIMALS, '0').replace(/0+$/, '');
  return fraction === '' ? `${sign}${whole}` : `${sign}${whole}.${fraction}`;
}

function writeText(u8: Uint8Array, at: number, text: string): number {
  for (let index = 0; index < text.length; index++) u8[at + index] = text.charCodeAt(index);
  return text.length;
}
