// Doubles as text, byte for byte as Redis reads and writes them.
//
// Reading follows strtod in the C locale with Redis's refusals (string2d): decimal and hexadecimal
// floats and infinities in any case are taken; nan, spaces, an empty word, and a number so large or
// so small that it becomes infinite or zero are refused.
//
// Writing follows d2string: integers up to 2^62 with all their digits, everything else with the
// digits of Grisu2 (Florian Loitsch, "Printing Floating-Point Numbers Quickly and Accurately with
// Integers", 2010). Grisu2 is nearly always, but not always, the shortest text. JavaScript's own
// String(value) is, so it cannot be used: about one random double in a thousand would differ.

import { int64, int64FromNumber, lowerOf, writeInt64, writeInteger } from './ascii.js';

/** No double takes more bytes than this, whichever way it is written here. */
export const DOUBLE_TEXT_BYTES_MAX = 32;

const ZERO = 0x30;
const MINUS = 0x2d;
const PLUS = 0x2b;
const DOT = 0x2e;
const LETTER_E = 0x65;
const LETTER_X = 0x78;

const TWO_32 = 4294967296;
const TWO_62 = 2 ** 62;

const WORD_INF = bytesOf('inf');
const WORD_INFINITY = bytesOf('infinity');
const WORD_NAN = bytesOf('nan');

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

// ── Reading ──────────────────────────────────────────────────────────────────────────────────

// Powers of ten that are exact doubles. A mantissa below 2^53 times or divided by one of them is
// rounded once, so it is the nearest double (Clinger's fast path).
const POWERS = Float64Array.from({ length: 23 }, (_, power) => Number(`1e${power}`));
const EXACT_POWER_MAX = 22;
const EXACT_DIGITS_MAX = 15;
// An exponent beyond this is infinite or zero whatever the digits: words have less than 2^30 bytes.
const EXPONENT_MAX = 2_000_000_000;

/** The number in u8[start, start + length), or NaN when Redis says "value is not a valid float". */
export function parseDouble(u8: Uint8Array, start: number, length: number): number {
  const end = start + length;
  let at = start;
  const sign = length > 0 ? u8[at]! : 0;
  if (sign === MINUS || sign === PLUS) at++;
  const digitsAt = at;

  let mantissa = 0;
  let significant = 0;
  let digits = 0;
  let scale = 0;
  let pointAt = -1;
  for (; at < end; at++) {
    const byte = u8[at]!;
    const digit = byte - ZERO;
    if (digit >= 0 && digit <= 9) {
      digits++;
      if (significant > 0 || digit !== 0) significant++;
      mantissa = mantissa * 10 + digit;
      if (pointAt >= 0) scale--;
    } else if (byte === DOT && pointAt < 0) {
      pointAt = at;
    } else {
      break;
    }
  }
  if (digits === 0) return parseWordSlowly(u8, start, end, digitsAt);
  if (at < end) {
    const byte = u8[at]! | 0x20;
    if (byte === LETTER_X) return parseWordSlowly(u8, start, end, digitsAt);
    if (byte !== LETTER_E || !isExponent(u8, at + 1, end)) return Number.NaN;
    scale += readExponent(u8, at + 1, end);
  }
  if (significant === 0) return sign === MINUS ? -0 : 0;
  if (significant <= EXACT_DIGITS_MAX && scale >= -EXACT_POWER_MAX && scale <= EXACT_POWER_MAX) {
    const value = scale < 0 ? mantissa / POWERS[-scale]! : mantissa * POWERS[scale]!;
    return sign === MINUS ? -value : value;
  }
  return parseDecimalSlowly(u8, start, end);
}

/** A sign perhaps, then one digit or more, up to the end. */
function isExponent(u8: Uint8Array, at: number, end: number): boolean {
  if (at < end && (u8[at] === MINUS || u8[at] === PLUS)) at++;
  if (at === end) return false;
  for (; at < end; at++) {
    if (u8[at]! < ZERO || u8[at]! > ZERO + 9) return false;
  }
  return true;
}

/** What isExponent saw, held within ±EXPONENT_MAX. */
function readExponent(u8: Uint8Array, at: number, end: number): number {
  const isNegative = u8[at] === MINUS;
  if (isNegative || u8[at] === PLUS) at++;
  let exponent = 0;
  for (; at < end; at++) exponent = Math.min(EXPONENT_MAX, exponent * 10 + u8[at]! - ZERO);
  return isNegative ? -exponent : exponent;
}

/** A decimal float whose grammar was checked and that is not zero. */
function parseDecimalSlowly(u8: Uint8Array, start: number, end: number): number {
  const value = Number(textOf(u8, start, end));
  // What has digits other than 0 and becomes zero or infinite was out of range.
  return value === 0 || value === Infinity || value === -Infinity ? Number.NaN : value;
}

function textOf(u8: Uint8Array, start: number, end: number): string {
  return Buffer.from(u8.buffer, u8.byteOffset + start, end - start).toString('latin1');
}

/** Infinities and hexadecimal floats. */
function parseWordSlowly(u8: Uint8Array, start: number, end: number, at: number): number {
  const sign = u8[start] === MINUS ? -1 : 1;
  if (isInfinityText(u8, at, end)) return sign * Infinity;
  const hex = parseHexFloat(u8, at, end);
  if (hex === null) return Number.NaN;
  return sign * roundToDouble(hex);
}

/** Is u8[at, end), its sign taken off, an infinity? */
export function isInfinityText(u8: Uint8Array, at: number, end: number): boolean {
  return isWord(u8, at, end, WORD_INF) || isWord(u8, at, end, WORD_INFINITY);
}

function isWord(u8: Uint8Array, at: number, end: number, word: Uint8Array): boolean {
  if (end - at !== word.length) return false;
  for (let index = 0; index < word.length; index++) {
    if (lowerOf(u8[at + index]!) !== word[index]) return false;
  }
  return true;
}

/** mantissa · 2^exponent, not negative. */
export interface BinaryFloat {
  readonly mantissa: bigint;
  readonly exponent: number;
}

/** Reads 0x, digits with at most one point, and perhaps p with a binary exponent; null if not. */
export function parseHexFloat(u8: Uint8Array, at: number, end: number): BinaryFloat | null {
  const pattern = /^0x(?=\.?[0-9a-f])([0-9a-f]*)(?:\.([0-9a-f]*))?(p[+-]?[0-9]+)?$/i;
  const match = pattern.exec(textOf(u8, at, end));
  if (match === null) return null;
  const fraction = match[2] ?? '';
  const mantissa = BigInt(`0x${match[1]}${fraction}`);
  const exponentAt = end - (match[3]?.length ?? 0) + 1;
  const exponent = match[3] === undefined ? 0 : readExponent(u8, exponentAt, end);
  return { mantissa, exponent: exponent - 4 * fraction.length };
}

/** The nearest double, ties to even; NaN when it becomes infinite, or zero without being zero. */
function roundToDouble({ mantissa, exponent }: BinaryFloat): number {
  if (mantissa === 0n) return 0;
  const bits = bitsOf(mantissa);
  // The exponent of the last of 53 bits, but never below that of the smallest double, 2^-1074.
  const lastBit = Math.max(exponent + bits - 53, -1074);
  if (lastBit > 1024) return Number.NaN;
  const shift = lastBit - exponent;
  // More than a bit below the smallest double: zero. (Also keeps the shift below sane.)
  if (shift > bits + 1) return Number.NaN;
  const rounded = shift <= 0 ? mantissa << BigInt(-shift) : shiftRounded(mantissa, shift);
  // Two steps, because 2^-1074 times 2^53 is fine but 2^1024 is not.
  const value = Number(rounded) * 2 ** Math.max(lastBit, -1022) * 2 ** Math.min(0, lastBit + 1022);
  return value === 0 || value === Infinity ? Number.NaN : value;
}

/** mantissa / 2^shift, rounded to the nearest integer, ties to even; shift > 0. */
export function shiftRounded(mantissa: bigint, shift: number): bigint {
  const by = BigInt(shift);
  const quotient = mantissa >> by;
  const rest = mantissa - (quotient << by);
  const half = 1n << (by - 1n);
  if (rest < half || (rest === half && (quotient & 1n) === 0n)) return quotient;
  return quotient + 1n;
}

/** How many bits a positive integer has. */
export function bitsOf(value: bigint): number {
  const hex = value.toString(16);
  return 4 * (hex.length - 1) + (32 - Math.clz32(Number.parseInt(hex.charAt(0), 16)));
}

// ── Writing ──────────────────────────────────────────────────────────────────────────────────

/** Writes the double as Redis replies it (ZSCORE, RESP3 doubles); returns the bytes written. */
export function writeDouble(u8: Uint8Array, at: number, value: number): number {
  if (value === (value | 0) && (value !== 0 || 1 / value > 0)) return writeInteger(u8, at, value);
  return writeDoubleSlowly(u8, at, value);
}

function writeDoubleSlowly(u8: Uint8Array, at: number, value: number): number {
  if (value !== 0 && value >= -TWO_62 && value <= TWO_62 && int64FromNumber(value)) {
    return writeInt64(u8, at, int64.lo, int64.hi);
  }
  return writeShortest(u8, at, value);
}

/** As writeDouble, but whole numbers with many zeros have an exponent, too: as in DEBUG DIGEST. */
export function writeShortest(u8: Uint8Array, at: number, value: number): number {
  if (Number.isNaN(value)) return writeWord(u8, at, WORD_NAN);
  if (value === 0) {
    const isNegative = 1 / value < 0;
    if (isNegative) u8[at++] = MINUS;
    u8[at] = ZERO;
    return isNegative ? 2 : 1;
  }
  let sign = 0;
  if (value < 0) {
    u8[at] = MINUS;
    sign = 1;
    value = -value;
  }
  if (value === Infinity) return sign + writeWord(u8, at + sign, WORD_INF);
  const count = grisu(value);
  return sign + layOut(u8, at + sign, count, decimalExponent);
}

function writeWord(u8: Uint8Array, at: number, word: Uint8Array): number {
  for (let index = 0; index < word.length; index++) u8[at + index] = word[index]!;
  return word.length;
}

/** The value as digits · 10^exponent, the digits in `digits`, laid out as Redis does. */
function layOut(u8: Uint8Array, at: number, count: number, exponent: number): number {
  const first = exponent + count - 1;
  const size = first < 0 ? -first : first;
  if (exponent >= 0 && size < count + 7) {
    writeDigits(u8, at, 0, count);
    for (let index = count; index < count + exponent; index++) u8[at + index] = ZERO;
    return count + exponent;
  }
  if (exponent < 0 && (exponent > -7 || size < 4)) {
    const whole = count + exponent;
    if (whole <= 0) {
      u8[at++] = ZERO;
      u8[at++] = DOT;
      for (let index = 0; index < -whole; index++) u8[at++] = ZERO;
      writeDigits(u8, at, 0, count);
      return count + 2 - whole;
    }
    writeDigits(u8, at, 0, whole);
    u8[at + whole] = DOT;
    writeDigits(u8, at + whole + 1, whole, count);
    return count + 1;
  }
  let end = at;
  u8[end++] = digits[0]!;
  if (count > 1) {
    u8[end++] = DOT;
    writeDigits(u8, end, 1, count);
    end += count - 1;
  }
  u8[end++] = LETTER_E;
  u8[end++] = first < 0 ? MINUS : PLUS;
  return end - at + writeInteger(u8, end, size);
}

function writeDigits(u8: Uint8Array, at: number, first: number, end: number): void {
  for (let index = first; index < end; index++) u8[at++] = digits[index]!;
}

/** Writes the double as C's "%.17g" does, which is how ZSCAN replies scores. */
export function writeDouble17(u8: Uint8Array, at: number, value: number): number {
  const text = formatDouble17(value);
  for (let index = 0; index < text.length; index++) u8[at + index] = text.charCodeAt(index);
  return text.length;
}

const SCRATCH = new Uint8Array(DOUBLE_TEXT_BYTES_MAX);

/** writeDouble as a string, for cold callers. */
export function formatDouble(value: number): string {
  return textOf(SCRATCH, 0, writeDouble(SCRATCH, 0, value));
}

/** The value as C's "%.17g" writes it. */
export function formatDouble17(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (value === 0) return 1 / value < 0 ? '-0' : '0';
  if (value < 0) return `-${formatDouble17(-value)}`;
  if (value === Infinity) return 'inf';
  const text = value.toExponential(16);
  const exponentAt = text.indexOf('e');
  const exponent = Number(text.slice(exponentAt + 1));
  let mantissa = text.charAt(0) + text.slice(2, exponentAt);
  // JavaScript rounds a tie up, C to even. A tie has exactly 18 digits, the last a 5. (50 digits
  // tell: no double lies that close to a tie without being one.)
  if (/[13579]$/.test(mantissa) && /^5e|^50*e/.test(value.toExponential(50).slice(18))) {
    mantissa = mantissa.slice(0, -1) + String(Number(mantissa.at(-1)) - 1);
  }
  mantissa = mantissa.replace(/0+$/, '');
  if (exponent < -4 || exponent >= 17) {
    const point = mantissa.length > 1 ? '.' : '';
    const sign = exponent < 0 ? '-' : '+';
    const power = String(Math.abs(exponent)).padStart(2, '0');
    return `${mantissa.charAt(0)}${point}${mantissa.slice(1)}e${sign}${power}`;
  }
  if (exponent < 0) return `0.${'0'.repeat(-exponent - 1)}${mantissa}`;
  if (mantissa.length <= exponent + 1) return mantissa.padEnd(exponent + 1, '0');
  return `${mantissa.slice(0, exponent + 1)}.${mantissa.slice(exponent + 1)}`;
}

// ── Grisu2 ───────────────────────────────────────────────────────────────────────────────────
//
// The double and the two ends of the interval that rounds to it are scaled by a cached power of ten
// so that their common exponent lies in [-60, -32]; then digits are taken from the upper end until
// what is left is smaller than the interval, and the last digit is moved towards the double.
//
// 64-bit numbers are pairs of int32 words, high before low; products come back in productHigh and
// productLow. Module variables that hold int32 only: V8 keeps those without allocating.

const digits = new Uint8Array(24);
let decimalExponent = 0;
let productHigh = 0;
let productLow = 0;

// Every eighth power of ten from 10^-348 to 10^340, as 64 bits with the first one set.
const FIRST_POWER = -348;
const POWER_STEP = 8;
const POWER_COUNT = 87;
const LOG10_OF_2 = 0.30102999566398114;
const SCALED_MIN = -60;
const SCALED_MAX = -32;
const powerHigh = new Int32Array(POWER_COUNT);
const powerLow = new Int32Array(POWER_COUNT);
const powerExponent = new Int32Array(POWER_COUNT);
fillPowers();

function fillPowers(): void {
  for (let index = 0; index < POWER_COUNT; index++) {
    const power = FIRST_POWER + index * POWER_STEP;
    let mantissa = 10n ** BigInt(Math.abs(power));
    let exponent = 0;
    if (power < 0) {
      // 1 / 10^n with 192 bits: more than enough to round to 64 as the exact value does.
      exponent = -(bitsOf(mantissa) + 192);
      mantissa = (1n << BigInt(-exponent)) / mantissa;
    }
    const shift = bitsOf(mantissa) - 64;
    mantissa = shift > 0 ? shiftRounded(mantissa, shift) : mantissa << BigInt(-shift);
    powerHigh[index] = Number(BigInt.asIntN(32, mantissa >> 32n));
    powerLow[index] = Number(BigInt.asIntN(32, mantissa));
    powerExponent[index] = exponent + shift;
  }
}

const doubleView = new Float64Array(1);
const wordView = new Uint32Array(doubleView.buffer);
// Which word of a double has its sign depends on the machine.
doubleView[0] = -1;
const HIGH_WORD = wordView[0] === 0 ? 1 : 0;
const LOW_WORD = 1 - HIGH_WORD;

/** The digits of a positive double in `digits`, its exponent in decimalExponent; their count. */
function grisu(value: number): number {
  doubleView[0] = value;
  let high = wordView[HIGH_WORD]!;
  let low = wordView[LOW_WORD]! | 0;
  let exponent = high >>> 20;
  high &= 0xfffff;
  // At a power of two the doubles below lie twice as close.
  const isPowerOfTwo = exponent !== 0 && high === 0 && low === 0;
  if (exponent !== 0) {
    high |= 0x100000;
    exponent -= 1075;
  } else {
    exponent = -1074;
  }
  const shift = high !== 0 ? Math.clz32(high) : 32 + Math.clz32(low);
  exponent -= shift;
  if (shift >= 32) {
    high = low << (shift - 32);
    low = 0;
  } else {
    high = (high << shift) | (low >>> (32 - shift));
    low <<= shift;
  }
  // Half the distance to the next double above, and half (or a quarter) of that below.
  const above = shift - 1;
  const below = isPowerOfTwo ? shift - 2 : shift - 1;
  const aboveHigh = above >= 32 ? 1 << (above - 32) : 0;
  const aboveLow = above >= 32 ? 0 : 1 << above;
  const belowHigh = below >= 32 ? 1 << (below - 32) : 0;
  const belowLow = below >= 32 ? 0 : 1 << below;

  const index = powerIndexFor(exponent);
  decimalExponent = -(FIRST_POWER + index * POWER_STEP);
  const upperLow = (low + aboveLow) | 0;
  multiply((high + aboveHigh + carryOf(upperLow, low)) | 0, upperLow, index);
  const scaledUpperHigh = (productHigh - (productLow === 0 ? 1 : 0)) | 0;
  const scaledUpperLow = (productLow - 1) | 0;
  const lowerLow = (low - belowLow) | 0;
  multiply((high - belowHigh - carryOf(low, lowerLow)) | 0, lowerLow, index);
  const scaledLowerLow = (productLow + 1) | 0;
  const scaledLowerHigh = (productHigh + (scaledLowerLow === 0 ? 1 : 0)) | 0;
  multiply(high, low, index);

  deltaHigh = (scaledUpperHigh - scaledLowerHigh - carryOf(scaledUpperLow, scaledLowerLow)) | 0;
  deltaLow = (scaledUpperLow - scaledLowerLow) | 0;
  distanceHigh = (scaledUpperHigh - productHigh - carryOf(scaledUpperLow, productLow)) | 0;
  distanceLow = (scaledUpperLow - productLow) | 0;
  const scaledExponent = exponent + powerExponent[index]! + 64;
  return takeDigits(scaledUpperHigh, scaledUpperLow, -scaledExponent - 32);
}

/** 1 when a < b as unsigned words: the carry of a sum a that had b in it, the borrow of a - b. */
function carryOf(a: number, b: number): number {
  return a >>> 0 < b >>> 0 ? 1 : 0;
}

/** The cached power that brings a 64-bit number with this exponent into the range for digits. */
function powerIndexFor(exponent: number): number {
  const approximate = Math.trunc(-(exponent + POWER_COUNT) * LOG10_OF_2);
  let index = Math.trunc((approximate - FIRST_POWER) / POWER_STEP);
  for (;;) {
    const scaled = exponent + powerExponent[index]! + 64;
    if (scaled < SCALED_MIN) index++;
    else if (scaled > SCALED_MAX) index--;
    else return index;
  }
}

/** The upper 64 bits, rounded, of the pair times a cached power. */
function multiply(high: number, low: number, index: number): void {
  const otherHigh = powerHigh[index]!;
  const otherLow = powerLow[index]!;
  const lowLow = multiplyHigh(low, otherLow);
  const crossA = multiplyHigh(high, otherLow);
  const crossB = multiplyHigh(low, otherHigh);
  const top = multiplyHigh(high, otherHigh);
  // The second 32 bits from below, with half a unit of the third added; below 2^34.
  const second =
    (Math.imul(high, otherLow) >>> 0) + (Math.imul(low, otherHigh) >>> 0) + lowLow + 0x80000000;
  // The third; below 2^34.
  const third = (Math.imul(high, otherHigh) >>> 0) + crossA + crossB + Math.floor(second / TWO_32);
  productLow = third | 0;
  productHigh = (top + Math.floor(third / TWO_32)) | 0;
}

/** The upper 32 bits of the product of two unsigned words. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const crossA = Math.imul(aHigh, bLow);
  const crossB = Math.imul(aLow, bHigh);
  const middle = (Math.imul(aLow, bLow) >>> 16) + (crossA & 0xffff) + (crossB & 0xffff);
  return (Math.imul(aHigh, bHigh) + (crossA >>> 16) + (crossB >>> 16) + (middle >>> 16)) >>> 0;
}

// The width of the interval, and how far the double lies below its upper end.
let deltaHigh = 0;
let deltaLow = 0;
let distanceHigh = 0;
let distanceLow = 0;

const DIVISORS = Int32Array.of(1e9, 1e8, 1e7, 1e6, 1e5, 1e4, 1e3, 100, 10, 1);

/** Digits from the scaled upper end, whose point stands `shift` bits above its low word. */
function takeDigits(upperHigh: number, upperLow: number, shift: number): number {
  const mask = (1 << shift) - 1;
  let count = 0;
  let whole = upperHigh >>> shift;
  let high = upperHigh & mask;
  // Leading zeros are no digits.
  let power = 0;
  while (power < DIVISORS.length && DIVISORS[power]! > whole) power++;
  for (; power < DIVISORS.length; power++) {
    const divisor = DIVISORS[power]!;
    const digit = Math.floor(whole / divisor);
    digits[count++] = ZERO + digit;
    whole -= digit * divisor;
    const restHigh = ((whole << shift) + high) >>> 0;
    if (isAtMost(restHigh, upperLow, deltaHigh, deltaLow)) {
      decimalExponent += DIVISORS.length - 1 - power;
      moveLastDigit(count, restHigh, upperLow, divisor << shift);
      return count;
    }
  }
  let low = upperLow;
  // In locals, which are registers, until the digits end.
  let widthHigh = deltaHigh;
  let widthLow = deltaLow;
  let places = 0;
  for (;;) {
    high = (Math.imul(high, 10) + carryOfTen(low)) | 0;
    low = Math.imul(low, 10);
    const digit = high >>> shift;
    high &= mask;
    if (digit !== 0 || count !== 0) digits[count++] = ZERO + digit;
    places++;
    widthHigh = (Math.imul(widthHigh, 10) + carryOfTen(widthLow)) | 0;
    widthLow = Math.imul(widthLow, 10);
    if (!isAtMost(widthHigh, widthLow, high, low)) {
      decimalExponent -= places;
      deltaHigh = widthHigh;
      deltaLow = widthLow;
      for (; places > 0; places--) scaleDistance();
      moveLastDigit(count, high, low, 1 << shift);
      return count;
    }
  }
}

/** The distance, too, takes part in the shift of the point. */
function scaleDistance(): void {
  distanceHigh = (Math.imul(distanceHigh, 10) + carryOfTen(distanceLow)) | 0;
  distanceLow = Math.imul(distanceLow, 10);
}

/** What ten times an unsigned word carries into the next one. */
function carryOfTen(word: number): number {
  return ((word >>> 16) * 10 + (((word & 0xffff) * 10) >>> 16)) >>> 16;
}

/** a <= b as unsigned pairs. */
function isAtMost(aHigh: number, aLow: number, bHigh: number, bLow: number): boolean {
  if (aHigh >>> 0 !== bHigh >>> 0) return aHigh >>> 0 < bHigh >>> 0;
  return aLow >>> 0 <= bLow >>> 0;
}

/**
 * Lowers the last digit, a unit each, while that brings the digits nearer to the double and keeps
 * them in the interval. `rest` is what the digits lie below the upper end; a unit has no low word.
 */
function moveLastDigit(count: number, restHigh: number, restLow: number, unitHigh: number): void {
  while (!isAtMost(distanceHigh, distanceLow, restHigh, restLow)) {
    const leftLow = (deltaLow - restLow) | 0;
    const leftHigh = (deltaHigh - restHigh - carryOf(deltaLow, restLow)) | 0;
    if (!isAtMost(unitHigh, 0, leftHigh, leftLow)) return;
    const nextHigh = (restHigh + unitHigh) | 0;
    if (isAtMost(distanceHigh, distanceLow, nextHigh, restLow)) {
      // Past the double: only if that ends nearer to it than staying does.
      const beforeLow = (distanceLow - restLow) | 0;
      const beforeHigh = (distanceHigh - restHigh - carryOf(distanceLow, restLow)) | 0;
      const afterLow = (restLow - distanceLow) | 0;
      const afterHigh = (nextHigh - distanceHigh - carryOf(restLow, distanceLow)) | 0;
      if (isAtMost(beforeHigh, beforeLow, afterHigh, afterLow)) return;
    }
    digits[count - 1] = digits[count - 1]! - 1;
    restHigh = nextHigh;
  }
}
