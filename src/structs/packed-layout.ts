// What packed lists look like in memory, for the files that know: packed.ts, where the picture
// stands, ends.ts, and rdb/list-pieces.ts, which copies them as they are.

import type { BlockRef } from '../slab/alloc.js';
import type { Slab } from '../slab/slab.js';

export const enum Head {
  End = 0,
  Sizes = 1,
  Words = 2,
}
export const HEAD_BYTES = Head.Words * 4;

export const COUNT_SHIFT = 10;
export const COUNT_ONE = 1 << COUNT_SHIFT;
export const GAP_MASK = COUNT_ONE - 1;
/** This count stands for itself or more: then the elements are counted. */
export const COUNT_MAX = 2 ** 22 - 1;

export const SHORT_BYTES_MAX = 239;
export const INTEGER_TOKEN = 240;
export const MEDIUM_TOKEN = 249;
export const MEDIUM_BYTES_MAX = 0xffff;

/** Blocks up to here keep their room when elements go. */
export const SHRINK_BYTES_MIN = 64;

// A text that may be an integer begins with one of these.
export const DIGIT_ZERO = 0x30;
export const DIGIT_NINE = 0x39;
export const MINUS = 0x2d;

/** Byte offset in the slab of the first separator. */
export function firstAt(slab: Slab, ref: BlockRef): number {
  return (ref << 3) + HEAD_BYTES + (slab.i32[(ref << 1) + Head.Sizes]! & GAP_MASK);
}

/** Byte offset in the slab of the last separator. */
export function lastAt(slab: Slab, ref: BlockRef): number {
  return (ref << 3) + slab.i32[(ref << 1) + Head.End]! - 1;
}

export function readLength(u8: Uint8Array, at: number, token: number): number {
  return token === MEDIUM_TOKEN ? readWord(u8, at, 2) & MEDIUM_BYTES_MAX : readWord(u8, at, 4);
}

/** The signed integer of one to four bytes at `at`. */
export function readWord(u8: Uint8Array, at: number, bytes: number): number {
  let word = u8[at++]!;
  if (bytes === 1) return (word << 24) >> 24;
  word |= u8[at++]! << 8;
  if (bytes === 2) return (word << 16) >> 16;
  word |= u8[at++]! << 16;
  return bytes === 3 ? (word << 8) >> 8 : word | (u8[at]! << 24);
}

/** Bytes of the body at `at`. */
export function bodyBytes(u8: Uint8Array, at: number, token: number): number {
  if (token <= INTEGER_TOKEN) return token - 1;
  if (token < MEDIUM_TOKEN) return token - INTEGER_TOKEN;
  return readLength(u8, at, token) + (token === MEDIUM_TOKEN ? 4 : 8);
}

/** Bytes of the body that ends before `end`. */
export function bodyBytesBefore(u8: Uint8Array, end: number, token: number): number {
  if (token <= INTEGER_TOKEN) return token - 1;
  if (token < MEDIUM_TOKEN) return token - INTEGER_TOKEN;
  const edge = token === MEDIUM_TOKEN ? 2 : 4;
  return readLength(u8, end - edge, token) + 2 * edge;
}
