// The numbers in an array: sum, least and greatest of those values that are numbers, and the bits
// of those that are integers. Integers of 64 bits and decimals of up to 15 digits are taken as they
// are; what else Redis reads as a float (1e300, 0x10, inf) goes through its 80-bit floats, slowly.

import {
  bigIntOfSlowly,
  int64,
  int64FromBigIntSlowly,
  int64FromPair,
  parseInt64,
} from '../../base/ascii.js';
import {
  addDecimal,
  compareDecimals,
  type Decimal,
  decimalOf,
  formatDecimal,
} from '../../base/decimal.js';
import { addLongDoubles, type LongDouble, parseLongDouble } from '../../base/long-double.js';
import type { Slab } from '../../slab/slab.js';
import { integerOf, isInteger, readSlot, SlotText } from './slot.js';

const DIGITS_MAX = 15;
const ZERO = 0x30;
const MINUS = 0x2d;
const DOT = 0x2e;
const POWERS = Float64Array.from({ length: DIGITS_MAX + 1 }, (_, power) => 10 ** power);
/** Sums of digits are carried over before they could exceed 2^53. */
const CARRY_FROM = 2 ** 52;
const SCALES = DIGITS_MAX + 1;
/** So many words of 32 bits have a sum below 2^53. */
const WIDE_MAX = 2 ** 20;

const enum Form {
  /** No number. */
  None = 0,
  Integer = 1,
  Decimal = 2,
  Float = 3,
}

/** A value as a number, one at a time. */
class NumberReader {
  form = Form.None;
  /** The nearest double; of a decimal or an integer up to 2^53 no other has the same. */
  value = 0.5;
  /** Of a decimal: digits / 10^scale. Of an integer up to 2^53 too, with scale 0. */
  digits = 0.5;
  scale = 0;
  /** Of an integer. */
  low = 0;
  high = 0;
  float: LongDouble | null = null;
  private readonly text = new SlotText();

  read(slab: Slab, word: number): void {
    if (isInteger(word)) {
      const value = integerOf(word);
      this.setInteger(value, value, value < 0 ? -1 : 0);
      return;
    }
    const { text } = this;
    readSlot(slab, word, text);
    if (this.readDecimal(text.u8, text.start, text.length)) return;
    if (parseInt64(text.u8, text.start, text.length)) {
      this.setInteger(int64.value, int64.lo, int64.hi);
      return;
    }
    this.readSlowly();
  }

  copyFrom(other: NumberReader): void {
    this.form = other.form;
    this.value = other.value;
    this.digits = other.digits;
    this.scale = other.scale;
    this.low = other.low;
    this.high = other.high;
    this.float = other.float;
  }

  private setInteger(value: number, low: number, high: number): void {
    this.form = Form.Integer;
    this.value = value;
    this.digits = value;
    this.scale = 0;
    this.low = low;
    this.high = high;
  }

  /** A minus perhaps, digits, a point, digits: 15 of them at the most. */
  private readDecimal(u8: Uint8Array, start: number, length: number): boolean {
    const isNegative = length > 0 && u8[start] === MINUS;
    const first = isNegative ? start + 1 : start;
    const end = start + length;
    if (end - first < 3 || end - first > DIGITS_MAX + 1) return false;
    let digits = 0;
    let pointAt = 0;
    for (let at = first; at < end; at++) {
      const byte = u8[at]!;
      if (byte === DOT && pointAt === 0 && at > first) {
        pointAt = at;
        continue;
      }
      if (byte < ZERO || byte > ZERO + 9) return false;
      digits = digits * 10 + (byte - ZERO);
    }
    if (pointAt === 0 || pointAt === end - 1) return false;
    this.form = Form.Decimal;
    this.digits = isNegative ? -digits : digits;
    this.scale = end - pointAt - 1;
    this.value = this.digits / POWERS[this.scale]!;
    return true;
  }

  private readSlowly(): void {
    const { u8, start, length } = this.text;
    // A copy, because the texts of the floats are made from plain memory.
    const bytes = new Uint8Array(u8.slice(start, start + length));
    const float = parseLongDouble(bytes, 0, length);
    this.float = float;
    this.form = float === null ? Form.None : Form.Float;
    if (float !== null) this.value = doubleOf(float);
  }

  /** The number exactly; null for an infinity. */
  exactly(): Decimal | null {
    if (this.form === Form.Float) return decimalOf(this.float!);
    if (this.form === Form.Integer && !Number.isSafeInteger(this.digits)) {
      return { digits: bigIntOfSlowly(this.low, this.high), scale: 0 };
    }
    return { digits: BigInt(this.digits), scale: this.scale };
  }
}

function doubleOf(float: LongDouble): number {
  const sign = float.isNegative ? -1 : 1;
  if (float.isInfinite) return sign * Number.POSITIVE_INFINITY;
  // In two steps, because a power alone may be out of a double's range.
  const half = Math.trunc(float.exponent / 2);
  return sign * Number(float.mantissa) * 2 ** half * 2 ** (float.exponent - half);
}

const reader = new NumberReader();

// ── Sums ─────────────────────────────────────────────────────────────────────────────────────

/** The sum of decimals is exact, whatever their number; floats are added as Redis does. */
export class Sum {
  hasAny = false;
  private readonly sums = new Float64Array(SCALES);
  /** Sums of the words of integers beyond those, and how many there are in them. */
  private highs = 0.5;
  private lows = 0.5;
  private wideCount = 0;
  private carried: Decimal = { digits: 0n, scale: 0 };
  private floats: LongDouble | null = null;
  private isNaN = false;

  clear(): void {
    this.hasAny = false;
    this.sums.fill(0);
    this.highs = 0;
    this.lows = 0;
    this.wideCount = 0;
    this.carried = { digits: 0n, scale: 0 };
    this.floats = null;
    this.isNaN = false;
  }

  add(slab: Slab, word: number): void {
    reader.read(slab, word);
    if (reader.form === Form.None) return;
    this.hasAny = true;
    if (reader.form === Form.Float) {
      this.addFloat(reader.float!);
      return;
    }
    if (!(Math.abs(reader.digits) < CARRY_FROM)) {
      this.highs += reader.high;
      this.lows += reader.low >>> 0;
      this.wideCount++;
      if (this.wideCount === WIDE_MAX) this.carryWide();
      return;
    }
    const { scale } = reader;
    const sum = this.sums[scale]! + reader.digits;
    this.sums[scale] = sum;
    if (sum >= CARRY_FROM || sum <= -CARRY_FROM) this.carry(scale);
  }

  private carry(scale: number): void {
    this.carried = addDecimal(this.carried, { digits: BigInt(this.sums[scale]!), scale });
    this.sums[scale] = 0;
  }

  private carryWide(): void {
    const digits = (BigInt(this.highs) << 32n) + BigInt(this.lows);
    this.carried = addDecimal(this.carried, { digits, scale: 0 });
    this.highs = 0;
    this.lows = 0;
    this.wideCount = 0;
  }

  private addFloat(float: LongDouble): void {
    const sum = this.floats === null ? float : addLongDoubles(this.floats, float);
    if (sum === null) this.isNaN = true;
    else this.floats = sum;
  }

  /** The sum as text. */
  text(): string {
    if (this.isNaN) return '-nan';
    for (let scale = 0; scale < SCALES; scale++) this.carry(scale);
    this.carryWide();
    const { floats } = this;
    if (floats === null) return formatDecimal(this.carried);
    if (floats.isInfinite) return floats.isNegative ? '-inf' : 'inf';
    return formatDecimal(addDecimal(this.carried, decimalOf(floats)!));
  }
}

// ── The least and the greatest ───────────────────────────────────────────────────────────────

export class Extreme {
  hasAny = false;
  private isGreatest = false;
  private readonly kept = new NumberReader();

  begin(isGreatest: boolean): void {
    this.hasAny = false;
    this.isGreatest = isGreatest;
  }

  add(slab: Slab, word: number): void {
    reader.read(slab, word);
    if (reader.form === Form.None) return;
    if (this.hasAny) {
      const { value } = reader;
      const best = this.kept.value;
      if (this.isGreatest ? value < best : value > best) return;
      if (value === best && !this.isBeyond()) return;
    }
    this.hasAny = true;
    this.kept.copyFrom(reader);
  }

  /** Numbers that round to one double are compared as they are. */
  private isBeyond(): boolean {
    const isCertain = Number.isSafeInteger(reader.digits) || reader.form === Form.Decimal;
    if (isCertain && reader.form !== Form.Float) return false;
    const exact = reader.exactly();
    const best = this.kept.exactly();
    if (exact === null || best === null) return false;
    const order = compareDecimals(exact, best);
    return this.isGreatest ? order > 0 : order < 0;
  }

  text(): string {
    const exact = this.kept.exactly();
    if (exact === null) return this.kept.value < 0 ? '-inf' : 'inf';
    return formatDecimal(exact);
  }
}

// ── Bits ─────────────────────────────────────────────────────────────────────────────────────

export const enum BitOperation {
  And = 0,
  Or = 1,
  Xor = 2,
}

/** Bits of the integers, and of the whole part of other numbers that an int64 can hold. */
export class Bits {
  hasAny = false;
  low = 0;
  high = 0;
  private operation = BitOperation.And;

  begin(operation: BitOperation): void {
    this.hasAny = false;
    this.operation = operation;
  }

  add(slab: Slab, word: number): void {
    reader.read(slab, word);
    if (!toInteger()) return;
    const { lo, hi } = int64;
    if (!this.hasAny) {
      this.low = lo;
      this.high = hi;
      this.hasAny = true;
    } else if (this.operation === BitOperation.And) {
      this.low &= lo;
      this.high &= hi;
    } else if (this.operation === BitOperation.Or) {
      this.low |= lo;
      this.high |= hi;
    } else {
      this.low ^= lo;
      this.high ^= hi;
    }
  }
}

/** The number of the reader, cut to an integer, into `int64`; false when there is none. */
function toInteger(): boolean {
  if (reader.form === Form.None) return false;
  if (reader.form === Form.Integer) {
    int64FromPair(reader.low, reader.high);
    return true;
  }
  if (reader.form === Form.Decimal) {
    const whole = Math.trunc(reader.value);
    int64FromPair(whole | 0, Math.floor(whole / 2 ** 32));
    return true;
  }
  const exact = reader.exactly();
  return exact !== null && int64FromBigIntSlowly(exact.digits / 10n ** BigInt(exact.scale));
}
