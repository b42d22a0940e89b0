// The timeouts of commands that wait: seconds with a fraction, or whole milliseconds; 0 is for
// ever.

import { bigIntOfSlowly, int64 } from '../base/ascii.js';
import { parseDouble } from '../base/float-text.js';
import { parseLongDouble } from '../base/long-double.js';
import { readInt64 } from '../dispatch/args.js';
import type { Context } from '../dispatch/context.js';
import { Refusal } from '../resp/errors.js';

const NOT_FLOAT = new Refusal('ERR timeout is not a float or out of range');
const NOT_INTEGER = new Refusal('ERR timeout is not an integer or out of range');
const NEGATIVE = new Refusal('ERR timeout is negative');
const OUT_OF_RANGE = new Refusal('ERR timeout is out of range');

const INT64_MAX = 2n ** 63n - 1n;
/** Timeouts below can be added to any date. */
const SURE_MS = 2 ** 53;

/** The moment when a wait of word `index` seconds is over; Infinity for 0. */
export function readSecondsDeadline(context: Context, index: number): number {
  const ms = Math.ceil(readSeconds(context, index) * 1000);
  if (ms < 0) throw NEGATIVE;
  if (ms > SURE_MS && ms >= 2 ** 63 - context.nowMs) throw OUT_OF_RANGE;
  return ms === 0 ? Number.POSITIVE_INFINITY : context.nowMs + ms;
}

/** Redis reads a long double: what no double can hold is still too long, or hardly anything. */
function readSeconds({ args }: Context, index: number): number {
  const start = args.startOf(index);
  const length = args.lengthOf(index);
  const seconds = parseDouble(args.u8, start, length);
  if (!Number.isNaN(seconds)) return seconds;
  const exact = parseLongDouble(args.u8, start, length);
  if (exact === null) throw NOT_FLOAT;
  const size = exact.exponent > 0 ? Number.MAX_VALUE : Number.MIN_VALUE;
  return exact.isNegative ? -size : size;
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
