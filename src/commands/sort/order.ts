// Sorting: by number or by text, of the elements themselves or of weights found for them.

import { compareBytes } from '../../base/bytes.js';
import { parseDouble } from '../../base/float-text.js';
import type { Texts } from './texts.js';

const SPACE = 0x20;
const TAB = 0x09;
const CARRIAGE_RETURN = 0x0d;
/** Smaller numbers have less digits; to C they are out of range. */
const SMALLEST_NORMAL = 2 ** -1022;

/** A number as SORT reads them, with C's strtod; NaN when it refuses. */
export function readNumber(u8: Uint8Array, start: number, length: number): number {
  // A zero byte ends the text, spaces may lead it, and no text at all counts as 0.
  const zeroAt = lengthBeforeZero(u8, start, length);
  if (zeroAt === 0) return 0;
  let at = start;
  const end = start + zeroAt;
  while (at < end && isSpace(u8[at]!)) at++;
  const number = parseDouble(u8, at, end - at);
  return number !== 0 && Math.abs(number) < SMALLEST_NORMAL ? Number.NaN : number;
}

function isSpace(byte: number): boolean {
  return byte === SPACE || (byte >= TAB && byte <= CARRIAGE_RETURN);
}

function lengthBeforeZero(u8: Uint8Array, start: number, length: number): number {
  for (let at = 0; at < length; at++) if (u8[start + at] === 0) return at;
  return length;
}

/** The indexes 0 to count − 1, to be sorted. */
export function unsorted(count: number): Int32Array {
  const order = new Int32Array(count);
  for (let index = 0; index < count; index++) order[index] = index;
  return order;
}

/** Sorts by numbers; elements of the same number by their bytes, so that there is one order. */
export function sortByNumber(
  order: Int32Array,
  numbers: Float64Array,
  texts: Texts,
  isDescending: boolean,
): void {
  const { u8, starts, lengths } = texts;
  const sign = isDescending ? -1 : 1;
  order.sort((a, b) => {
    const difference = numbers[a]! - numbers[b]!;
    if (difference < 0) return -sign;
    if (difference > 0) return sign;
    // Infinities of one sign have no difference either.
    return sign * compareBytes(u8, starts[a]!, lengths[a]!, u8, starts[b]!, lengths[b]!);
  });
}

/**
 * Sorts by the bytes of `texts`; places without a text come first, and equal ones stay in their
 * order. As on Redis a zero byte ends a text, but not when the result is stored.
 */
export function sortByText(
  order: Int32Array,
  texts: Texts,
  isDescending: boolean,
  isStored: boolean,
): void {
  const { u8, starts, count } = texts;
  const sign = isDescending ? -1 : 1;
  const lengths = new Int32Array(count);
  for (let index = 0; index < count; index++) {
    const length = texts.lengths[index]!;
    const isWhole = isStored || texts.isMissing(index);
    lengths[index] = isWhole ? length : lengthBeforeZero(u8, starts[index]!, length);
  }
  order.sort((a, b) => {
    const aStart = starts[a]!;
    const bStart = starts[b]!;
    if (aStart < 0 || bStart < 0) return aStart < bStart ? -sign : aStart > bStart ? sign : 0;
    return sign * compareBytes(u8, aStart, lengths[a]!, u8, bStart, lengths[b]!);
  });
}
