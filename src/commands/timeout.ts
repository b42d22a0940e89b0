// The timeouts of commands that wait: seconds with a fraction, or whole milliseconds; 0 is for
// ever.

import { bigIntOfSlowly, int64 } from '../base/ascii.js';
import { parseDouble } from '../base/float-text.js';
import { type LongDouble, parseLongDouble } from '../base/long-double.js';
import { readInt64 } from '../dispatch/args.js';
import type { Context } from '../dispatch/context.js';
import { Refusal } from '../resp/errors.js';

const NOT_FLOAT = new Refusal('ERR timeout is not a float or out of range');
const NOT_INTEGER = new Refusal('ERR timeout is not an integer or out of range');
const NEGATIVE = new Refusal('ERR timeout is negative');
const OUT_OF_RANGE = new Refusal('ERR timeout is out of range');

/** Of a long double. */
const MANTISSA_BITS = 64;
const INT64_MAX = 2n ** 63n - 1n;
/** Timeouts below can be added to any date. */
const SURE_MS = 2 ** 53;

/** The moment when a wait of word `index` seconds is over; Infinity for 0. */
export function readSecondsDeadline(context: Context, index: number): number {
  const ms = readMilliseconds(context, index);
  if (ms < 0) throw NEGATIVE;
  if (ms > SURE_MS && ms >= 2 ** 63 - context.nowMs) throw OUT_OF_RANGE;
  return ms === 0 ? Number.POSITIVE_INFINITY : context.nowMs + ms;
}

/** Word `index`, so many seconds, in whole milliseconds; more than dates have for all too many. */
function readMilliseconds({ args }: Context, index: number): number {
  const start = args.startOf(index);
  const length = args.lengthOf(index);
  const seconds = parseDouble(args.u8, start, length);
  if (Number.isInteger(seconds)) return seconds * 1000;
  const exact = parseLongDouble(args.u8, start, length);
  if (exact === null) throw NOT_FLOAT;
  if (exact.isInfinite || exact.exponent > 0) {
    return exact.isNegative ? -Number.MAX_VALUE : Number.MAX_VALUE;
  }
  return Number(thousandfoldSlowly(exact));
}

/**
 * Redis multiplies long doubles and rounds up: a thousand times -0.001 is a little more than -1
 * there, and thus no time at all. Of a fraction, so that the exponent is none or negative.
 */
function thousandfoldSlowly({ isNegative, mantissa, exponent }: LongDouble): bigint {
  let product = mantissa * 1000n;
  const excess = product.toString(2).length - MANTISSA_BITS;
  if (excess > 0) {
    const unit = 1n << BigInt(excess);
    const rest = product % unit;
    product -= rest;
    const isOdd = (product & unit) !== 0n;
    if (2n * rest > unit || (2n * rest === unit && isOdd)) product += unit;
  }
  const scale = BigInt(-exponent);
  if (isNegative) return -(product >> scale);
  return (product + (1n << scale) - 1n) >> scale;
}

/** The moment when a wait of word `index` milliseconds is over; Infinity for 0. */
export function readMillisecondsDeadline(context: Context, index: number): number {
  readInt64(context.args, index, NOT_INTEGER);
  const { value, lo, hi } = int64;
  if (value < 0) throw NEGATIVE;
  if (value === 0) return Number.POSITIVE_INFINITY;
  const isTooFar = value > SURE_MS && bigIntOfSlowly(lo, hi) > INT64_MAX - BigInt(context.nowMs);
  if (isTooFar) throw OUT_OF_RANGE;
  return context.nowMs + value;
}
