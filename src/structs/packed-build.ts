// Building a packed list (packed.ts) of elements that come one behind the other, in a block that
// has room for all of them: nothing is looked up, moved or allocated on the way. What is built is
// what as many appends would make, but for the room that is left.

import { INT64_TEXT_BYTES_MAX, int64, parseInt64 } from '../base/ascii.js';
import { copyBytes } from '../base/bytes.js';
import { listpackIntegerBytes, listpackStringBytes } from '../base/listpack-size.js';
import type { BlockRef } from '../slab/alloc.js';
import type { Slab } from '../slab/slab.js';
import { createPacked } from './packed.js';
import {
  COUNT_MAX,
  COUNT_SHIFT,
  DIGIT_NINE,
  HEAD_BYTES,
  Head,
  INTEGER_TOKEN,
  MEDIUM_BYTES_MAX,
  MEDIUM_TOKEN,
  MINUS,
  SHORT_BYTES_MAX,
} from './packed-layout.js';

const LONG_TOKEN = 250;
/** Texts up to here are copied where they stand: a call costs more. */
const NEAR_BYTES_MAX = 24;

/** One at a time. The list is whole from `end` on; until then it may only be released. */
export class PackedBuilder {
  list = 0 as BlockRef;
  /** Elements so far, and what they take in a listpack, without its head. */
  count = 0;
  listpackBytes = 0;
  private slab: Slab | null = null;
  /** Where the next separator goes, and the token before it. */
  private at = 0;
  private token = 0;

  /** A new list with room for elements that take `roomBytes`. Memory was reserved. */
  begin(slab: Slab, roomBytes: number): BlockRef {
    this.slab = slab;
    this.list = createPacked(slab, roomBytes);
    this.count = 0;
    this.listpackBytes = 0;
    this.at = (this.list << 3) + HEAD_BYTES;
    this.token = 0;
    return this.list;
  }

  /** Adds a text, as an integer if it is one. It lies outside of the slab. */
  text(source: Uint8Array, start: number, length: number): void {
    const first = length === 0 ? 0 : source[start]!;
    const mayBeInteger = first <= DIGIT_NINE && first >= MINUS && length <= INT64_TEXT_BYTES_MAX;
    if (mayBeInteger && parseInt64(source, start, length)) {
      this.integer(int64.lo, int64.hi);
      return;
    }
    const { u8 } = this.slab!;
    let at = this.at + 1;
    if (length <= SHORT_BYTES_MAX) {
      this.separate(u8, length + 1);
      if (length <= NEAR_BYTES_MAX) {
        for (let index = 0; index < length; index++) u8[at + index] = source[start + index]!;
      } else {
        copyBytes(source, start, u8, at, length);
      }
      at += length;
    } else {
      const edge = length <= MEDIUM_BYTES_MAX ? 2 : 4;
      this.separate(u8, edge === 2 ? MEDIUM_TOKEN : LONG_TOKEN);
      writeLength(u8, at, length, edge);
      copyBytes(source, start, u8, at + edge, length);
      at += edge + length;
      writeLength(u8, at, length, edge);
      at += edge;
    }
    this.at = at;
    this.listpackBytes += listpackStringBytes(length);
  }

  integer(low: number, high: number): void {
    const { u8 } = this.slab!;
    const isShort = high === low >> 31;
    const bytes = isShort ? wordBytes(low) : 4 + wordBytes(high);
    this.separate(u8, INTEGER_TOKEN + bytes);
    const at = this.at + 1;
    let word = low;
    for (let index = 0; index < bytes; index++) {
      if (index === 4) word = high;
      u8[at + index] = word;
      word >>= 8;
    }
    this.at = at + bytes;
    this.listpackBytes += listpackIntegerBytes(low, high);
  }

  private separate(u8: Uint8Array, token: number): void {
    u8[this.at] = this.token ^ token;
    this.token = token;
    this.count++;
  }

  /** The list is whole: more may be added afterwards, until somebody else changes it. */
  end(): BlockRef {
    const { list, at, count } = this;
    const { i32, u8 } = this.slab!;
    u8[at] = this.token;
    i32[(list << 1) + Head.End] = at + 1 - (list << 3);
    i32[(list << 1) + Head.Sizes] = Math.min(count, COUNT_MAX) << COUNT_SHIFT;
    return list;
  }
}

function wordBytes(word: number): number {
  if (word === (word << 24) >> 24) return 1;
  if (word === (word << 16) >> 16) return 2;
  return word === (word << 8) >> 8 ? 3 : 4;
}

function writeLength(target: Uint8Array, at: number, length: number, bytes: number): void {
  for (let index = 0; index < bytes; index++) target[at + index] = length >>> (8 * index);
}
