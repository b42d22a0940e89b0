// Numbers and words as bytes: 64-bit integers read from and written to ASCII text without strings
// and without BigInt, and the comparison of words with literals. Redis's integers are signed
// 64-bit, JavaScript's numbers hold 53 bits, so an integer is a pair of int32 words:
//
//   value = hi · 2^32 + (lo >>> 0)        hi carries the sign
//
// What a function finds is left in a reused object (`int64`, `cursor64`), to be read at once.

/** A 64-bit integer in two int32 words; borrowed by whoever called last. */
export class Int64 {
  lo = 0;
  hi = 0;
  /** The nearest double: exact when |value| <= 2^53. */
  // Born as NaN so that V8 gives the field room for a double from the start.
  value = Number.NaN;
  /** Does `value` hold the integer exactly, as Number.isSafeInteger understands it? */
  isSafe = true;
}

/** The result of the last parseInt64, addInt64, subtractInt64 or int64From call. */
export const int64 = new Int64();
int64.value = 0;

/** The result of the last parseCursor, unsigned: lo and hi are the bits, value is not negative. */
export const cursor64 = new Int64();
cursor64.value = 0;

/** "-9223372036854775808". */
export const INT64_TEXT_BYTES_MAX = 20;

const TWO_32 = 4294967296;
const TWO_31 = 2147483648;
const BILLION = 1_000_000_000;
const HALF_WORD = 65536;
const INT32_MAX = 2147483647;
// A pair whose hi lies in [-2^21, 2^21) is within ±2^53.
const SAFE_HI = 2097152;

const ZERO = 0x30;
const MINUS = 0x2d;
const PLUS = 0x2b;

// 9 digits always fit an int32, 15 always fit a double.
const INT32_DIGITS = 9;
const DOUBLE_DIGITS = 15;
const INT64_DIGITS = 19;
const UINT64_DIGITS = 20;

// ── Reading ──────────────────────────────────────────────────────────────────────────────────

/**
 * Reads u8[start, start + length) as Redis's string2ll does: no plus sign, no spaces, no leading
 * zeros, no "-0", nothing outside the 64 bits. False leaves `int64` as it was.
 */
export function parseInt64(u8: Uint8Array, start: number, length: number): boolean {
  if (length <= DOUBLE_DIGITS) {
    const value = parseSafeInteger(u8, start, length);
    if (Number.isNaN(value)) return false;
    int64.lo = value | 0;
    int64.hi = Math.floor(value / TWO_32);
    int64.value = value;
    int64.isSafe = true;
    return true;
  }
  const isNegative = u8[start] === MINUS;
  const first = isNegative ? start + 1 : start;
  const end = start + length;
  if (end - first > INT64_DIGITS || u8[first] === ZERO) return false;
  const split = end - INT32_DIGITS;
  const upper = readDigits(u8, first, split);
  const lower = readDigits(u8, split, end);
  if (upper < 0 || lower < 0) return false;

  // upper · 10^9 + lower, by halves of upper so that every product stays below 2^53.
  const upperHigh = Math.floor(upper / HALF_WORD);
  const low = (upper - upperHigh * HALF_WORD) * BILLION + lower;
  const high = upperHigh * BILLION;
  const highCarry = Math.floor(high / HALF_WORD);
  const bits = (high - highCarry * HALF_WORD) * HALF_WORD + low;
  const hi = highCarry + Math.floor(bits / TWO_32);
  const lo = bits | 0;
  if (!isNegative) {
    if (hi > INT32_MAX) return false;
    setInt64(lo, hi);
    return true;
  }
  if (hi > TWO_31 || (hi === TWO_31 && lo !== 0)) return false;
  setInt64(-lo | 0, (~hi + (lo === 0 ? 1 : 0)) | 0);
  return true;
}

/**
 * The integer in u8[start, start + length) with the same strictness as parseInt64, or NaN when it
 * is none or lies outside ±(2^53 - 1).
 */
export function parseSafeInteger(u8: Uint8Array, start: number, length: number): number {
  if (length <= 0) return Number.NaN;
  const end = start + length;
  const isNegative = u8[start] === MINUS;
  let at = isNegative ? start + 1 : start;
  if (at === end) return Number.NaN;
  const digits = end - at;
  if (digits > INT32_DIGITS) return parseLongInteger(u8, at, end, isNegative);
  let digit = u8[at]! - ZERO;
  // A number starts with 1 to 9; zero stands alone and has no sign.
  if (digit === 0) return length === 1 ? 0 : Number.NaN;
  if (digit < 0 || digit > 9) return Number.NaN;
  let value = digit;
  for (at += 1; at < end; at++) {
    digit = u8[at]! - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = (Math.imul(value, 10) + digit) | 0;
  }
  return isNegative ? -value : value;
}

/** 10 to 16 digits: two halves that each fit a double, nine of the digits in the lower. */
function parseLongInteger(u8: Uint8Array, at: number, end: number, isNegative: boolean): number {
  if (end - at > DOUBLE_DIGITS + 1 || u8[at] === ZERO) return Number.NaN;
  const split = end - INT32_DIGITS;
  const upper = readDigits(u8, at, split);
  const lower = readDigits(u8, split, end);
  if (upper < 0 || lower < 0) return Number.NaN;
  const value = upper * BILLION + lower;
  // A sum of 2^53 or more may be rounded, but never to below 2^53.
  if (value > Number.MAX_SAFE_INTEGER) return Number.NaN;
  return isNegative ? -value : value;
}

/** The number of the digits in u8[at, end), at most 15 of them; -1 when one is no digit. */
function readDigits(u8: Uint8Array, at: number, end: number): number {
  let value = 0;
  const fast = Math.min(end, at + INT32_DIGITS);
  for (; at < fast; at++) {
    const digit = u8[at]! - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = (Math.imul(value, 10) + digit) | 0;
  }
  if (at === end) return value;
  let long = value;
  for (; at < end; at++) {
    const digit = u8[at]! - ZERO;
    if (digit < 0 || digit > 9) return -1;
    long = long * 10 + digit;
  }
  return long;
}

/**
 * Reads a SCAN cursor into `cursor64` with the rules of strtoul, which Redis uses: a sign is
 * allowed (minus wraps around 2^64), leading zeros are, the empty word is 0, a NUL ends the
 * number. Refused: a leading space, anything after the digits, anything above 2^64 - 1.
 */
export function parseCursor(u8: Uint8Array, start: number, length: number): boolean {
  const end = start + length;
  if (length <= 0 || u8[start] === 0) return setCursor(0, 0);
  const sign = u8[start]!;
  let at = sign === MINUS || sign === PLUS ? start + 1 : start;
  const first = at;
  while (at < end && u8[at] === ZERO) at++;
  const digitsAt = at;
  while (at < end && u8[at]! >= ZERO && u8[at]! <= ZERO + 9) at++;
  if (at === first || (at < end && u8[at] !== 0)) return false;
  const digits = at - digitsAt;
  if (digits > UINT64_DIGITS) return false;
  if (digits <= INT32_DIGITS) {
    const value = readDigits(u8, digitsAt, at);
    return sign === MINUS ? setCursor(-value | 0, value === 0 ? 0 : -1) : setCursor(value, 0);
  }
  const split = at - INT32_DIGITS;
  const upper = readDigits(u8, digitsAt, split);
  const upperHigh = Math.floor(upper / HALF_WORD);
  const low = (upper - upperHigh * HALF_WORD) * BILLION + readDigits(u8, split, at);
  const high = upperHigh * BILLION;
  const highCarry = Math.floor(high / HALF_WORD);
  const bits = (high - highCarry * HALF_WORD) * HALF_WORD + low;
  const hi = highCarry + Math.floor(bits / TWO_32);
  if (hi >= TWO_32) return false;
  const lo = bits | 0;
  if (sign !== MINUS) return setCursor(lo, hi | 0);
  return setCursor(-lo | 0, (~hi + (lo === 0 ? 1 : 0)) | 0);
}

function setCursor(lo: number, hi: number): true {
  const value = (hi >>> 0) * TWO_32 + (lo >>> 0);
  cursor64.lo = lo;
  cursor64.hi = hi;
  cursor64.value = value;
  cursor64.isSafe = value <= Number.MAX_SAFE_INTEGER;
  return true;
}

// ── Arithmetic ───────────────────────────────────────────────────────────────────────────────

function setInt64(lo: number, hi: number): void {
  const value = hi * TWO_32 + (lo >>> 0);
  int64.lo = lo;
  int64.hi = hi;
  int64.value = value;
  int64.isSafe = value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER;
}

/** Puts the pair into `int64`, with its value and isSafe. */
export function int64FromPair(lo: number, hi: number): void {
  setInt64(lo | 0, hi | 0);
}

/** Puts an integral double into `int64`; false unless it is an integer within the 64 bits. */
export function int64FromNumber(value: number): boolean {
  // 2^63 itself is a double and is one too many; -2^63 fits.
  if (!(value >= -TWO_31 * TWO_32 && value < TWO_31 * TWO_32)) return false;
  if (value !== Math.floor(value)) return false;
  const hi = Math.floor(value / TWO_32);
  setInt64((value - hi * TWO_32) | 0, hi | 0);
  return true;
}

/** a + b into `int64`; false, with `int64` as it was, when the sum needs more than 64 bits. */
export function addInt64(aLo: number, aHi: number, bLo: number, bHi: number): boolean {
  const low = (aLo >>> 0) + (bLo >>> 0);
  const hi = aHi + bHi + (low >= TWO_32 ? 1 : 0);
  if (hi !== (hi | 0)) return false;
  setInt64(low | 0, hi);
  return true;
}

/** a - b into `int64`; false, with `int64` as it was, when it needs more than 64 bits. */
export function subtractInt64(aLo: number, aHi: number, bLo: number, bHi: number): boolean {
  const low = (aLo >>> 0) - (bLo >>> 0);
  const hi = aHi - bHi - (low < 0 ? 1 : 0);
  if (hi !== (hi | 0)) return false;
  setInt64(low | 0, hi);
  return true;
}

/** -1, 0 or 1 as a is less than, equal to or greater than b. */
export function compareInt64(aLo: number, aHi: number, bLo: number, bHi: number): number {
  if (aHi !== bHi) return aHi < bHi ? -1 : 1;
  if (aLo === bLo) return 0;
  return aLo >>> 0 < bLo >>> 0 ? -1 : 1;
}

export function bigIntOfSlowly(lo: number, hi: number): bigint {
  return (BigInt(hi) << 32n) | BigInt(lo >>> 0);
}

/** Puts `value` into `int64`; false when it needs more than 64 bits. */
export function int64FromBigIntSlowly(value: bigint): boolean {
  if (BigInt.asIntN(64, value) !== value) return false;
  setInt64(Number(BigInt.asIntN(32, value)), Number(value >> 32n));
  return true;
}

// ── Writing ──────────────────────────────────────────────────────────────────────────────────

// The two digits of every number below 100.
const TENS = new Uint8Array(100);
const ONES = new Uint8Array(100);
for (let pair = 0; pair < 100; pair++) {
  TENS[pair] = ZERO + Math.floor(pair / 10);
  ONES[pair] = ZERO + (pair % 10);
}

/** Writes the pair in decimal at u8[at] and returns how many bytes that took. */
export function writeInt64(u8: Uint8Array, at: number, lo: number, hi: number): number {
  if (hi >= -SAFE_HI && hi < SAFE_HI) return writeInteger(u8, at, hi * TWO_32 + (lo >>> 0));
  let sign = 0;
  if (hi < 0) {
    u8[at] = MINUS;
    sign = 1;
    hi = (~hi + (lo === 0 ? 1 : 0)) | 0;
    lo = -lo | 0;
  }
  // The division by 10^9 on paper, 16 bits at a time, so that every step is exact. The first
  // quotient digit is at most 2 because the magnitude's hi is at most 2^31.
  const first = Math.floor((hi >>> 0) / BILLION);
  let rest = (hi >>> 0) - first * BILLION;
  const second = Math.floor((rest * HALF_WORD + (lo >>> 16)) / BILLION);
  rest = rest * HALF_WORD + (lo >>> 16) - second * BILLION;
  const third = Math.floor((rest * HALF_WORD + (lo & 0xffff)) / BILLION);
  rest = rest * HALF_WORD + (lo & 0xffff) - third * BILLION;
  const upper = (first * HALF_WORD + second) * HALF_WORD + third;
  const upperBytes = writeInteger(u8, at + sign, upper);
  writeNineDigits(u8, at + sign + upperBytes, rest);
  return sign + upperBytes + INT32_DIGITS;
}

/** Writes an integer within ±2^53 in decimal at u8[at] and returns how many bytes that took. */
export function writeInteger(u8: Uint8Array, at: number, value: number): number {
  if (value < 0) {
    u8[at] = MINUS;
    return 1 + writePositive(u8, at + 1, -value);
  }
  return writePositive(u8, at, value);
}

/** Writes a uint32 in decimal at u8[at] and returns how many bytes that took. */
export function writeUint32(u8: Uint8Array, at: number, value: number): number {
  return writePositive(u8, at, value);
}

function writePositive(u8: Uint8Array, at: number, value: number): number {
  if (value < 10) {
    u8[at] = ZERO + value;
    return 1;
  }
  if (value <= INT32_MAX) return writeSmall(u8, at, value | 0);
  const upper = Math.floor(value / BILLION);
  const upperBytes = writeSmall(u8, at, upper | 0);
  writeNineDigits(u8, at + upperBytes, (value - upper * BILLION) | 0);
  return upperBytes + INT32_DIGITS;
}

/** Two digits at a time from the back; value is in [0, 2^31). */
function writeSmall(u8: Uint8Array, at: number, value: number): number {
  const count = digitsOfSmall(value);
  let end = at + count - 1;
  for (; end > at; end -= 2) {
    const quotient = (value / 100) | 0;
    const pair = value - Math.imul(quotient, 100);
    u8[end] = ONES[pair]!;
    u8[end - 1] = TENS[pair]!;
    value = quotient;
  }
  // A digit is left, or none. Both are computed, for the reason of digitsOfSmall.
  const isLeft = end === at;
  const left = ZERO + value;
  const written = u8[at]!;
  u8[at] = isLeft ? left : written;
  return count;
}

/** The lower nine digits of a longer number, zeros included. */
function writeNineDigits(u8: Uint8Array, at: number, value: number): void {
  let end = at + INT32_DIGITS;
  while (end > at + 1) {
    const quotient = (value / 100) | 0;
    const pair = value - Math.imul(quotient, 100);
    u8[--end] = ONES[pair]!;
    u8[--end] = TENS[pair]!;
    value = quotient;
  }
  u8[at] = ZERO + value;
}

/** How many bytes writeInteger writes for a safe integer, its sign included. */
export function digitsOf(value: number): number {
  if (value < 0) return 1 + digitsOf(-value);
  if (value <= INT32_MAX) return digitsOfSmall(value | 0);
  return INT32_DIGITS + digitsOfSmall(Math.floor(value / BILLION) | 0);
}

/** How many bytes writeInt64 writes for the pair, its sign included. */
export function digitsOfInt64(lo: number, hi: number): number {
  if (hi >= -SAFE_HI && hi < SAFE_HI) return digitsOf(hi * TWO_32 + (lo >>> 0));
  const high = hi < 0 ? (~hi + (lo === 0 ? 1 : 0)) >>> 0 : hi;
  const low = (hi < 0 ? -lo : lo) >>> 0;
  // Outside ±2^53 there are 16 digits, and one more from each of these powers on. The pair is
  // compared: as a double, a number just below a power may have been rounded up to it.
  let digits = DOUBLE_DIGITS + 1;
  if (isAtLeast(low, high, 1e16)) digits++;
  if (isAtLeast(low, high, 1e17)) digits++;
  if (isAtLeast(low, high, 1e18)) digits++;
  return hi < 0 ? digits + 1 : digits;
}

/** Is the unsigned pair at least `power`, an exact double? */
function isAtLeast(low: number, high: number, power: number): boolean {
  const powerHigh = Math.floor(power / TWO_32);
  return high === powerHigh ? low >= power - powerHigh * TWO_32 : high > powerHigh;
}

/**
 * From the length in bits, which tells the digits or one too few. Rejected: a tree of comparisons.
 * Counters that reach their next digit would come to one that has never run, where V8 gives up the
 * code that it is inlined into, the whole road of INCR.
 */
function digitsOfSmall(value: number): number {
  const bits = 32 - Math.clz32(value | 1);
  // 1233 / 4096 is the logarithm of 2 to base 10, near enough for 31 bits.
  const digits = (bits * 1233) >> 12;
  return digits + 1 - ((value - POWERS_OF_TEN[digits]!) >>> 31);
}

/** The first is 0 in place of 1, so that 0 has a digit. */
const POWERS_OF_TEN = Int32Array.of(0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9);

// ── Words ────────────────────────────────────────────────────────────────────────────────────

/** Is u8[start, start + length) the literal, whatever the case? The literal is upper-case ASCII. */
export function equalsFolded(
  u8: Uint8Array,
  start: number,
  length: number,
  literal: Uint8Array,
): boolean {
  if (length !== literal.length) return false;
  for (let index = 0; index < length; index++) {
    if (upperOf(u8[start + index]!) !== literal[index]) return false;
  }
  return true;
}

/** The byte with a to z made A to Z; every other byte as it is. */
export function upperOf(byte: number): number {
  return byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte;
}

/** The byte with A to Z made a to z; every other byte as it is. */
export function lowerOf(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
}

/** A literal for equalsFolded: upper-case ASCII bytes, made once at module load. */
export function literalOf(text: string): Uint8Array {
  return Uint8Array.from(text.toUpperCase(), (letter) => letter.charCodeAt(0));
}
