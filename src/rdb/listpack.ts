// Listpacks, the small collections of Redis 5 and later.
//
//   ┌─────────────┬─────────────────┬─────────┬─────────┬───┬─────┐
//   │ bytes       │ elements        │ element │ element │ … │ 255 │
//   │ 4           │ 2; 65535: count │         │         │   │     │
//   └─────────────┴─────────────────┴─────────┴─────────┴───┴─────┘
//
//   element: a code, its bytes, and behind them how many these are, to be read from the right
//   ┌─────────────────────────────────┬────────┬──────┐
//   │ 0vvvvvvv                        │        │      │   0 … 127
//   │ 110vvvvv vvvvvvvv               │        │      │   −4096 … 4095
//   │ F1, F2, F3, F4 and 2, 3, 4, 8 B │        │ back │   an integer, low byte first
//   │ 10nnnnnn                        │ n B    │      │   text
//   │ 1110nnnn nnnnnnnn               │ n B    │      │
//   │ F0 and 4 bytes, low first       │ n B    │      │
//   └─────────────────────────────────┴────────┴──────┘
//   back: groups of seven bits, the highest first, all but the first with their high bit set

import { INT64_TEXT_BYTES_MAX, int64, parseInt64 } from '../base/ascii.js';
import type { BlockRef } from '../slab/alloc.js';
import type { Slab } from '../slab/slab.js';
import { Packed, packedCount } from '../structs/packed.js';
import { Elements } from './elements.js';
import { writeLength } from './length.js';
import { ByteSink } from './sink.js';
import { BAD_DATA } from './source.js';
import { writeText } from './strings.js';

export const LISTPACK_HEAD_BYTES = 6;
export const LISTPACK_END_BYTES = 1;
export const COUNT_UNKNOWN = 0xffff;
/** Elements up to here have one byte behind them. */
const SHORT_BACK_MAX = 127;
const END = 0xff;

const THIRTEEN_BITS = 0xc0;
const TEXT_6 = 0x80;
const TEXT_12 = 0xe0;
const TEXT_32 = 0xf0;
const INT16 = 0xf1;
const INT24 = 0xf2;
const INT32 = 0xf3;
const INT64 = 0xf4;

// ── Reading ──────────────────────────────────────────────────────────────────────────────────

export class Listpack extends Elements {
  /** Elements by its head, which may not know; believed only at the end. */
  claimed = 0;
  private walked = 0;

  open(bytes: Uint8Array, start: number, length: number): this {
    this.begin(bytes, start, length);
    if (this.little(4) !== length) throw BAD_DATA;
    this.claimed = this.little(2);
    this.walked = 0;
    return this;
  }

  next(): boolean {
    const start = this.take(1);
    const code = this.bytes[start]!;
    if (code === END) {
      if (this.at !== this.end) throw BAD_DATA;
      if (this.claimed !== COUNT_UNKNOWN && this.claimed !== this.walked) throw BAD_DATA;
      return false;
    }
    this.walked++;
    this.read(code);
    const bytes = this.at - start;
    // Nearly all elements have one byte behind them.
    if (bytes > SHORT_BACK_MAX) this.passBack(bytes);
    else if (this.bytes[this.take(1)] !== bytes) throw BAD_DATA;
    return true;
  }

  private read(code: number): void {
    if (code < TEXT_6) this.setWord(code);
    else if (code < THIRTEEN_BITS) this.readText(code & 0x3f);
    else if (code < TEXT_12) {
      const bits = ((code & 0x1f) << 8) | this.little(1);
      this.setWord((bits << 19) >> 19);
    } else if (code < TEXT_32) this.readText(((code & 0xf) << 8) | this.little(1));
    else if (code === TEXT_32) this.readText(this.little(4));
    else if (code === INT16) this.setWord(this.signed(2));
    else if (code === INT24) this.setWord(this.signed(3));
    else if (code === INT32) this.setWord(this.signed(4));
    else if (code === INT64) this.setWide();
    else throw BAD_DATA;
  }

  private readText(length: number): void {
    this.setText(this.take(length), length);
  }

  /** Passes over the length behind an element, which must be that of the element. */
  private passBack(bytes: number): void {
    const backBytes = backLengthBytes(bytes);
    const start = this.take(backBytes);
    for (let index = 0; index < backBytes; index++) {
      const group = (bytes >>> (7 * (backBytes - 1 - index))) & 0x7f;
      const expected = index === 0 ? group : group | 0x80;
      if (this.bytes[start + index] !== expected) throw BAD_DATA;
    }
  }

  /** For listpacks that are records: the next element as an integer, in base/ascii's `int64`. */
  nextInteger(): void {
    if (!this.next() || !parseInt64(this.u8, this.start, this.length)) throw BAD_DATA;
  }

  /** As nextInteger, for one that counts something in this listpack. */
  nextCount(): number {
    this.nextInteger();
    if (int64.hi !== 0 || int64.lo < 0 || int64.lo > this.end - this.at) throw BAD_DATA;
    return int64.lo;
  }

  /** The next element, which must be there. */
  nextText(): void {
    if (!this.next()) throw BAD_DATA;
  }
}

// ── Writing ──────────────────────────────────────────────────────────────────────────────────

/** Redis's limits, each one less than what the groups of seven bits could hold. */
function backLengthBytes(bytes: number): number {
  if (bytes <= 127) return 1;
  if (bytes < 16383) return 2;
  if (bytes < 2097151) return 3;
  return bytes < 268435455 ? 4 : 5;
}

function integerBytes(low: number, high: number): number {
  if (high !== low >> 31) return 9;
  if (low >= 0 && low < 128) return 1;
  if (low >= -4096 && low < 4096) return 2;
  if (low === (low << 16) >> 16) return 3;
  return low === (low << 8) >> 8 ? 4 : 5;
}

function textHeadBytes(length: number): number {
  if (length < 64) return 1;
  return length < 4096 ? 2 : 5;
}

/** Bytes of an element that is this int64. */
export function integerElementBytes(low: number, high: number): number {
  const bytes = integerBytes(low, high);
  return bytes + backLengthBytes(bytes);
}

/** Bytes of an element that is this text, stored as an integer if it is one. */
export function textElementBytes(u8: Uint8Array, start: number, length: number): number {
  if (length <= INT64_TEXT_BYTES_MAX && parseInt64(u8, start, length)) {
    return integerElementBytes(int64.lo, int64.hi);
  }
  const bytes = textHeadBytes(length) + length;
  return bytes + backLengthBytes(bytes);
}

/** Writes the head of a listpack of so many bytes, head and end included. */
export function writeListpackHead(sink: ByteSink, bytes: number, count: number): void {
  sink.little(bytes, 4);
  sink.little(Math.min(count, COUNT_UNKNOWN), 2);
}

/** Puts what is known of a listpack only behind it into its head, which begins at `at`. */
export function patchListpackHead(u8: Uint8Array, at: number, bytes: number, count: number): void {
  for (let index = 0; index < 4; index++) u8[at + index] = bytes >>> (8 * index);
  const shown = Math.min(count, COUNT_UNKNOWN);
  u8[at + 4] = shown;
  u8[at + 5] = shown >>> 8;
}

export function writeListpackEnd(sink: ByteSink): void {
  sink.byte(END);
}

export function writeIntegerElement(sink: ByteSink, low: number, high: number): void {
  const bytes = integerBytes(low, high);
  switch (bytes) {
    case 1:
      sink.byte(low);
      break;
    case 2:
      sink.byte(THIRTEEN_BITS | ((low >> 8) & 0x1f));
      sink.byte(low);
      break;
    case 9:
      sink.byte(INT64);
      sink.little(low, 4);
      sink.little(high, 4);
      break;
    default:
      sink.byte(INT16 + bytes - 3);
      sink.little(low, bytes - 1);
  }
  writeBack(sink, bytes);
}

/** Writes a text as an element, as an integer if it is one. */
export function writeTextElement(
  sink: ByteSink,
  u8: Uint8Array,
  start: number,
  length: number,
): void {
  if (length <= INT64_TEXT_BYTES_MAX && parseInt64(u8, start, length)) {
    writeIntegerElement(sink, int64.lo, int64.hi);
    return;
  }
  if (length < 64) {
    sink.byte(TEXT_6 | length);
  } else if (length < 4096) {
    sink.byte(TEXT_12 | (length >>> 8));
    sink.byte(length);
  } else {
    sink.byte(TEXT_32);
    sink.little(length, 4);
  }
  sink.bytes(u8, start, length);
  writeBack(sink, textHeadBytes(length) + length);
}

function writeBack(sink: ByteSink, bytes: number): void {
  const backBytes = backLengthBytes(bytes);
  for (let index = 0; index < backBytes; index++) {
    const group = (bytes >>> (7 * (backBytes - 1 - index))) & 0x7f;
    sink.byte(index === 0 ? group : group | 0x80);
  }
}

// ── Packed lists as listpacks ────────────────────────────────────────────────────────────────

const cursor = new Packed();

/** Bytes of the listpack with the elements of a packed list. */
export function listpackBytesOf(slab: Slab, list: BlockRef): number {
  let bytes = LISTPACK_HEAD_BYTES + LISTPACK_END_BYTES;
  cursor.open(slab, list);
  for (let isThere = cursor.first(); isThere; isThere = cursor.next()) {
    if (cursor.isInteger) {
      bytes += integerElementBytes(cursor.low, cursor.high);
    } else {
      const text = textHeadBytes(cursor.length) + cursor.length;
      bytes += text + backLengthBytes(text);
    }
  }
  return bytes;
}

const scratch = new ByteSink();
/** A listpack up to here is put together in memory, where it can be compressed. */
const SCRATCH_BYTES_MAX = 256 * 1024;

/** Writes a packed list as a string that is a listpack. */
export function writePacked(sink: ByteSink, slab: Slab, list: BlockRef, compresses: boolean): void {
  const bytes = listpackBytesOf(slab, list);
  if (bytes > SCRATCH_BYTES_MAX) {
    writeLength(sink, bytes);
    writeElements(sink, slab, list, bytes);
    return;
  }
  scratch.reset();
  writeElements(scratch, slab, list, bytes);
  writeText(sink, scratch.u8, 0, scratch.at, compresses);
}

function writeElements(sink: ByteSink, slab: Slab, list: BlockRef, bytes: number): void {
  writeListpackHead(sink, bytes, packedCount(slab, list));
  cursor.open(slab, list);
  for (let isThere = cursor.first(); isThere; isThere = cursor.next()) {
    if (cursor.isInteger) writeIntegerElement(sink, cursor.low, cursor.high);
    else writeTextElement(sink, slab.u8, cursor.at, cursor.length);
  }
  writeListpackEnd(sink);
}
