// Reading arguments. Every reader takes (args, index) and refuses with Redis's own error text; all
// of them belong into a handler's first beat, before anything is found or changed.

import { equalsFolded, int64, parseInt64, parseSafeInteger } from '../base/ascii.js';
import { parseDouble } from '../base/float-text.js';
import type { Slices } from '../base/slices.js';
import { NOT_FLOAT, NOT_INTEGER, type Refusal } from '../resp/errors.js';

/** A command or a reply from this size on takes long enough to be timed by itself. */
export const LONG_BYTES = 16 * 1024;

export function isLong(args: Slices): boolean {
  const last = args.count - 1;
  return args.startOf(last) + args.lengthOf(last) - args.startOf(0) > LONG_BYTES;
}

/** A word to compare with: its upper-case bytes. */
export function word(text: string): Uint8Array {
  return Buffer.from(text.toUpperCase(), 'latin1');
}

/** Is argument `index` this word, in any case? False behind the last argument. */
export function isWord(args: Slices, index: number, literal: Uint8Array): boolean {
  if (index >= args.count) return false;
  return equalsFolded(args.u8, args.startOf(index), args.lengthOf(index), literal);
}

/** An int64, left in base/ascii's `int64`. */
export function readInt64(args: Slices, index: number, refusal: Refusal = NOT_INTEGER): void {
  if (!parseInt64(args.u8, args.startOf(index), args.lengthOf(index))) throw refusal;
}

/**
 * An int64 as a number: exact to ±2^53, the nearest double beyond (where only its size matters).
 */
export function readInteger(args: Slices, index: number, refusal: Refusal = NOT_INTEGER): number {
  const value = parseSafeInteger(args.u8, args.startOf(index), args.lengthOf(index));
  // Not a number: no integer, or one beyond 2^53.
  if (!Number.isNaN(value)) return value;
  readInt64(args, index, refusal);
  return int64.value;
}

/** An integer from `least` to `most`; both refusals are the caller's. */
export function readIntegerIn(
  args: Slices,
  index: number,
  least: number,
  most: number,
  outside: Refusal,
  notInteger: Refusal = NOT_INTEGER,
): number {
  const value = readInteger(args, index, notInteger);
  if (value < least || value > most) throw outside;
  return value;
}

/** A double, by Redis's rules: no NaN, infinities by name. */
export function readDouble(args: Slices, index: number, refusal: Refusal = NOT_FLOAT): number {
  const value = parseDouble(args.u8, args.startOf(index), args.lengthOf(index));
  if (Number.isNaN(value)) throw refusal;
  return value;
}
