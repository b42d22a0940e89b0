// A slot of an array: one word, which is the value or says where it is. Every text has exactly one
// form, the first of these that fits, so that equal words are equal values, blocks aside:
//
//   bit 31                                        4  3  2  1  0
//   ┌──────────────────────────────────────────────────────────┐
//   │ 0: empty                                                 │
//   ├────────────────────────────────────────────────────┬─────┤
//   │ integer from -2^29 to 2^29 - 1                     │ 1 0 │
//   ├──────────────────────────────────────┬───────┬─────┼─────┤
//   │ decimal: signed digits, ±(2^24 - 1)  │ scale │ 1 1 │ 1 1 │   21.5: digits 215, scale 1
//   ├───────────┬───────────┬───────────┬──┴──┬────┴─┬───┼─────┤
//   │ byte 2    │ byte 1    │ byte 0    │     │length│ 0 │ 1 1 │   up to three bytes
//   ├───────────┴┬──────────┴─┬─────────┴──┬──┴──────┼───┼─────┤
//   │ byte 3, 7  │ byte 2, 7  │ byte 1, 7  │ byte 0  │0 1│ 1 1 │   four bytes of ASCII
//   ├────────────┴────────────┴────────────┴─────────┴───┼─────┤
//   │ ref of a block                                     │ 0 1 │
//   └────────────────────────────────────────────────────┴─────┘
//
//   block of a longer text
//   ┌────────┬───────┐       ┌─────┬────────────────┬───────┐
//   │ length │ bytes │   or  │ 255 │ length, 4 B    │ bytes │
//   │ 1 B    │       │       │ 1 B │ lowest first   │       │
//   └────────┴───────┘       └─────┴────────────────┴───────┘

import { parseSafeInteger, writeInteger } from '../../base/ascii.js';
import { assert } from '../../base/assert.js';
import { copyBytes } from '../../base/bytes.js';
import { allocate, type BlockRef, capacityOf, release } from '../../slab/alloc.js';
import { move } from '../../slab/moving.js';
import { NONE, type Slab } from '../../slab/slab.js';

export const EMPTY = 0;

const TAG_MASK = 3;
const enum Tag {
  Ref = 1,
  Integer = 2,
  Text = 3,
}
const TAG_BITS = 2;
const INTEGER_LIMIT = 2 ** 29;
/** "-536870912". */
const INTEGER_TEXT_BYTES_MAX = 10;

/** The low four bits of each kind of text; of a short one, only three count. */
const SHORT = Tag.Text;
const ASCII = Tag.Text | 4;
const DECIMAL = Tag.Text | 12;
const SHORT_MASK = 7;
const TEXT_MASK = 15;
const SHORT_LENGTH_SHIFT = 3;
const SHORT_LENGTH_MASK = 3;
const SHORT_BYTES_MAX = 3;
const ASCII_BYTES = 4;
const ASCII_SHIFT = 4;
const ASCII_BITS = 7;
const ASCII_MASK = 0x7f;
const SCALE_SHIFT = 4;
const SCALE_MASK = 7;
const SCALE_MAX = 8;
const DIGITS_SHIFT = 7;
const DIGITS_MAX = 2 ** 24 - 1;
/** "-1.2345678" and the like: a sign, eight digits, a point. */
const DECIMAL_TEXT_BYTES_MAX = 10;

const enum Block {
  Length = 0,
  ShortBytes = 1,
  LongBytes = 5,
}
/** Where the length of a long text stands: where a short one's bytes do. */
const LONG_LENGTH = Block.ShortBytes;
const LONG_MARK = 255;

const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;

/** The bytes of a value, wherever they are: valid until the next change or the next read. */
export class SlotText {
  u8: Uint8Array = new Uint8Array(0);
  start = 0;
  length = 0;
}

const scratch = new Uint8Array(new ArrayBuffer(16));

// ── Writing ──────────────────────────────────────────────────────────────────────────────────

/** The word of a text that fits into one; EMPTY when it takes a block. */
export function inlineWord(u8: Uint8Array, start: number, length: number): number {
  if (length <= INTEGER_TEXT_BYTES_MAX) {
    const value = parseSafeInteger(u8, start, length);
    if (value >= -INTEGER_LIMIT && value < INTEGER_LIMIT) {
      return (value << TAG_BITS) | Tag.Integer;
    }
    if (length <= DECIMAL_TEXT_BYTES_MAX) {
      const word = decimalWord(u8, start, length);
      if (word !== EMPTY) return word;
    }
  }
  if (length <= SHORT_BYTES_MAX) return shortWord(u8, start, length);
  return length === ASCII_BYTES ? asciiWord(u8, start) : EMPTY;
}

/** Digits with a point between them, just as they would be written again. */
function decimalWord(u8: Uint8Array, start: number, length: number): number {
  const end = start + length;
  const isNegative = length > 0 && u8[start] === MINUS;
  const first = isNegative ? start + 1 : start;
  let digits = 0;
  let pointAt = 0;
  for (let at = first; at < end; at++) {
    const byte = u8[at]!;
    if (byte === DOT && pointAt === 0 && at > first) {
      pointAt = at;
      continue;
    }
    if (byte < ZERO || byte > ZERO + 9) return EMPTY;
    digits = digits * 10 + (byte - ZERO);
  }
  const scale = end - pointAt - 1;
  if (pointAt === 0 || scale === 0 || scale > SCALE_MAX || digits > DIGITS_MAX) return EMPTY;
  // A leading zero stands alone before the point; zero has no sign.
  if (u8[first] === ZERO && pointAt - first > 1) return EMPTY;
  if (isNegative && digits === 0) return EMPTY;
  const signed = isNegative ? -digits : digits;
  return (signed << DIGITS_SHIFT) | ((scale - 1) << SCALE_SHIFT) | DECIMAL;
}

function shortWord(u8: Uint8Array, start: number, length: number): number {
  let word = (length << SHORT_LENGTH_SHIFT) | SHORT;
  for (let index = 0; index < length; index++) word |= u8[start + index]! << (8 * (index + 1));
  return word;
}

function asciiWord(u8: Uint8Array, start: number): number {
  let word = ASCII;
  for (let index = 0; index < ASCII_BYTES; index++) {
    const byte = u8[start + index]!;
    if (byte > ASCII_MASK) return EMPTY;
    word |= byte << (ASCII_SHIFT + index * ASCII_BITS);
  }
  return word;
}

/** Bytes of the block that a text of `length` takes, if it takes one. */
export function valueBytes(length: number): number {
  return length + (length < LONG_MARK ? Block.ShortBytes : Block.LongBytes);
}

/** The word of a text, in a block if need be. Memory was reserved. */
export function createSlot(slab: Slab, u8: Uint8Array, start: number, length: number): number {
  const word = inlineWord(u8, start, length);
  if (word !== EMPTY) return word;
  const block = allocate(slab, valueBytes(length));
  assert(block !== NONE, 'memory for a value was reserved');
  const at = block * 8;
  const bytes = slab.u8;
  let target = at + Block.ShortBytes;
  if (length < LONG_MARK) bytes[at + Block.Length] = length;
  else {
    bytes[at + Block.Length] = LONG_MARK;
    target = at + Block.LongBytes;
    for (let index = 0; index < 4; index++) {
      bytes[at + LONG_LENGTH + index] = length >>> (8 * index);
    }
  }
  copyBytes(u8, start, bytes, target, length);
  return (block << TAG_BITS) | Tag.Ref;
}

/** A copy of a value for `target`. Memory was reserved. */
export function copySlot(slab: Slab, word: number, target: Slab): number {
  if (!isBlock(word)) return word;
  readSlot(slab, word, copied);
  return createSlot(target, copied.u8, copied.start, copied.length);
}

const copied = new SlotText();

// ── Reading ──────────────────────────────────────────────────────────────────────────────────

export function isBlock(word: number): boolean {
  return (word & TAG_MASK) === Tag.Ref;
}

export function isInteger(word: number): boolean {
  return (word & TAG_MASK) === Tag.Integer;
}

/** The value of a word that isInteger. */
export function integerOf(word: number): number {
  return word >> TAG_BITS;
}

/** Bytes of slab that a value holds besides its slot. */
export function slotBytes(slab: Slab, word: number): number {
  return isBlock(word) ? capacityOf(slab, (word >>> TAG_BITS) as BlockRef) : 0;
}

/** Moves what a value holds together with others (slab/moving.ts); returns its word. */
export function moveSlot(slab: Slab, word: number): number {
  return isBlock(word) ? (move(slab, word >>> TAG_BITS) << TAG_BITS) | Tag.Ref : word;
}

/** Frees what a value holds besides its slot. */
export function releaseSlot(slab: Slab, word: number): void {
  if (isBlock(word)) release(slab, (word >>> TAG_BITS) as BlockRef);
}

/** Sets `out` to the value of a slot that is not empty; short ones stand in scratch memory. */
export function readSlot(slab: Slab, word: number, out: SlotText): void {
  if (isBlock(word)) {
    readBlock(slab, word, out);
    return;
  }
  out.u8 = scratch;
  out.start = 0;
  if (isInteger(word)) out.length = writeInteger(scratch, 0, word >> TAG_BITS);
  else if ((word & SHORT_MASK) === SHORT) out.length = readShort(word);
  else if ((word & TEXT_MASK) === ASCII) out.length = readAscii(word);
  else out.length = readDecimal(word);
}

function readBlock(slab: Slab, word: number, out: SlotText): void {
  const { u8 } = slab;
  const at = (word >>> TAG_BITS) * 8;
  out.u8 = u8;
  const length = u8[at + Block.Length]!;
  if (length < LONG_MARK) {
    out.start = at + Block.ShortBytes;
    out.length = length;
    return;
  }
  let long = 0;
  for (let index = 3; index >= 0; index--) long = (long << 8) | u8[at + LONG_LENGTH + index]!;
  out.start = at + Block.LongBytes;
  out.length = long;
}

function readShort(word: number): number {
  const length = (word >>> SHORT_LENGTH_SHIFT) & SHORT_LENGTH_MASK;
  for (let index = 0; index < length; index++) scratch[index] = word >>> (8 * (index + 1));
  return length;
}

function readAscii(word: number): number {
  for (let index = 0; index < ASCII_BYTES; index++) {
    scratch[index] = (word >>> (ASCII_SHIFT + index * ASCII_BITS)) & ASCII_MASK;
  }
  return ASCII_BYTES;
}

function readDecimal(word: number): number {
  const scale = ((word >>> SCALE_SHIFT) & SCALE_MASK) + 1;
  const signed = word >> DIGITS_SHIFT;
  let digits = Math.abs(signed);
  let count = 0;
  for (let left = digits; left > 0; left = (left / 10) | 0) count++;
  const sign = signed < 0 ? 1 : 0;
  if (sign === 1) scratch[0] = MINUS;
  const end = sign + Math.max(count, scale + 1) + 1;
  for (let at = end - 1; at >= sign; at--) {
    if (at === end - 1 - scale) {
      scratch[at] = DOT;
      continue;
    }
    scratch[at] = ZERO + (digits % 10);
    digits = (digits / 10) | 0;
  }
  return end;
}

/** Asserts what must hold of a slot that is not empty. */
export function checkSlot(slab: Slab, word: number): void {
  readSlot(slab, word, copied);
  const { u8, start, length } = copied;
  assert(isBlock(word) === (inlineWord(u8, start, length) === EMPTY), 'a text has one form');
  if (!isBlock(word)) assert(inlineWord(u8, start, length) === word, 'a word reads as written');
  else assert(valueBytes(length) <= slotBytes(slab, word), 'a value fits its block');
}
