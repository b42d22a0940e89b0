// A packed list: elements one behind the other in a single block. Small collections are one, long
// lists are chains of them. It can be walked both ways, and taking from or adding to either end
// moves nothing as long as there is room.
//
//    word 0       word 1                gap bytes
//   ┌────────────┬──────────┬──────────┬─────── ──┬────┬──────┬────┬──────┬────┬── ────┐
//   │ end: bytes │ count 22 │ gap 10   │ (unused) │ 0^a│ a's  │ a^b│ b's  │ b^0│(unused)│
//   │ to the end │          │          │          │    │ body │    │ body │    │        │
//   └────────────┴──────────┴──────────┴─────── ──┴────┴──────┴────┴──────┴────┴── ────┘
//                                                                              └ end
// A token, one byte, tells what a body is. Between two bodies stands one separator, the exclusive
// or of both tokens: whoever comes from the left knows the left token and learns the right one, and
// the other way round. Beyond the ends the token is 0, so a walk learns from the separators alone
// that it is over.
//
//   token 1 … 240    a string of token − 1 bytes
//         241 … 248  an integer of token − 240 bytes, little-endian, as few as it needs
//         249        a string with its length in 2 bytes before it, and again behind it
//         250        the same with 4 bytes
//
// A text that is a canonical int64 is always stored as an integer and nothing else is, so equal
// texts are equal bytes. Rejected: Redis's listpack, which spends two bytes and more an element,
// and offsets at the end of the block, which cost two bytes an element or rebuild on each insert.

import {
  digitsOfInt64,
  INT64_TEXT_BYTES_MAX,
  int64,
  parseInt64,
  writeInt64,
} from '../base/ascii.js';
import { assert } from '../base/assert.js';
import { copyBytes, equalBytes, moveBytes } from '../base/bytes.js';
import { listpackIntegerBytes, listpackStringBytes } from '../base/listpack-size.js';
import { allocate, type BlockRef, capacityOf, release, reserve } from '../slab/alloc.js';
import { NONE, Slab } from '../slab/slab.js';
import {
  bodyBytes,
  bodyBytesBefore,
  COUNT_MAX,
  COUNT_ONE,
  COUNT_SHIFT,
  DIGIT_NINE,
  DIGIT_ZERO,
  firstAt,
  GAP_MASK,
  HEAD_BYTES,
  Head,
  INTEGER_TOKEN,
  lastAt,
  MEDIUM_BYTES_MAX,
  MEDIUM_TOKEN,
  MINUS,
  readLength,
  readWord,
  SHORT_BYTES_MAX,
  SHRINK_BYTES_MIN,
} from './packed-layout.js';

const LONG_TOKEN = 250;

const NO_SLAB = new Slab(0, new SharedArrayBuffer(HEAD_BYTES));

// ── What an element looks like ───────────────────────────────────────────────────────────────

// What encode has found of a text, for whoever called it last.
let codeToken = 0;
let codeBytes = 0;
let codeLow = 0;
let codeHigh = 0;

/** Finds token and body of the text u8[start, start + length). */
function encode(u8: Uint8Array, start: number, length: number): void {
  if (length <= INT64_TEXT_BYTES_MAX && length !== 0) {
    const first = u8[start]!;
    if (
      ((first >= DIGIT_ZERO && first <= DIGIT_NINE) || first === MINUS) &&
      parseInt64(u8, start, length)
    ) {
      codeLow = int64.lo;
      codeHigh = int64.hi;
      codeBytes = integerBytes(codeLow, codeHigh);
      codeToken = INTEGER_TOKEN + codeBytes;
      return;
    }
  }
  if (length <= SHORT_BYTES_MAX) {
    codeToken = length + 1;
    codeBytes = length;
  } else if (length <= MEDIUM_BYTES_MAX) {
    codeToken = MEDIUM_TOKEN;
    codeBytes = length + 4;
  } else {
    codeToken = LONG_TOKEN;
    codeBytes = length + 8;
  }
}

/** Bytes that the integer needs, sign included. */
function integerBytes(low: number, high: number): number {
  if (high === low >> 31) return wordBytes(low);
  return 4 + wordBytes(high);
}

function wordBytes(word: number): number {
  if (word === (word << 24) >> 24) return 1;
  if (word === (word << 16) >> 16) return 2;
  return word === (word << 8) >> 8 ? 3 : 4;
}

/** Writes the body that encode has found of the text at `at`, a byte offset in the slab. */
function writeBody(slab: Slab, at: number, u8: Uint8Array, start: number, length: number): void {
  const target = slab.u8;
  if (codeToken <= INTEGER_TOKEN) {
    copyBytes(u8, start, target, at, length);
  } else if (codeToken < MEDIUM_TOKEN) {
    writeInteger(target, at);
  } else {
    const edge = codeToken === MEDIUM_TOKEN ? 2 : 4;
    writeLength(target, at, length, edge);
    copyBytes(u8, start, target, at + edge, length);
    writeLength(target, at + edge + length, length, edge);
  }
}

function writeInteger(target: Uint8Array, at: number): void {
  let word = codeLow;
  for (let index = 0; index < codeBytes; index++) {
    if (index === 4) word = codeHigh;
    target[at + index] = word;
    word >>= 8;
  }
}

function writeLength(target: Uint8Array, at: number, length: number, bytes: number): void {
  for (let index = 0; index < bytes; index++) target[at + index] = length >>> (8 * index);
}

// ── The list as a whole ──────────────────────────────────────────────────────────────────────

/** An empty list with room for elements that take `roomBytes`. Memory was reserved. */
export function createPacked(slab: Slab, roomBytes: number): BlockRef {
  const ref = allocateList(slab, HEAD_BYTES + 1 + roomBytes);
  slab.i32[(ref << 1) + Head.End] = HEAD_BYTES + 1;
  slab.i32[(ref << 1) + Head.Sizes] = 0;
  slab.u8[(ref << 3) + HEAD_BYTES] = 0;
  return ref;
}

function allocateList(slab: Slab, bytes: number): BlockRef {
  const ref = allocate(slab, bytes);
  assert(ref !== NONE, 'memory for a packed list was reserved');
  return ref;
}

/** How many elements there are. */
export function packedCount(slab: Slab, ref: BlockRef): number {
  const count = slab.i32[(ref << 1) + Head.Sizes]! >>> COUNT_SHIFT;
  return count === COUNT_MAX ? countSlowly(slab, ref) : count;
}

function countSlowly(slab: Slab, ref: BlockRef): number {
  const { u8 } = slab;
  let at = firstAt(slab, ref);
  let count = 0;
  for (let token = u8[at]!; token !== 0; token ^= u8[at]!) {
    at += 1 + bodyBytes(u8, at + 1, token);
    count++;
  }
  return count;
}

/** Bytes in use, head included. */
export function packedBytes(slab: Slab, ref: BlockRef): number {
  const at = ref << 1;
  return slab.i32[at + Head.End]! - (slab.i32[at + Head.Sizes]! & GAP_MASK);
}

/**
 * Bytes that a change may allocate at the most that adds `addedCount` elements, texts of
 * `addedBytes` in all, to a list or, for NONE, to a new one.
 */
export function packedReserve(
  slab: Slab,
  ref: BlockRef | typeof NONE,
  addedBytes: number,
  addedCount = 1,
): number {
  const used = ref === NONE ? HEAD_BYTES + 1 : packedBytes(slab, ref as BlockRef);
  // Nine bytes besides its text are what the longest element takes. An eighth is what a block may
  // have of slack; and a list that grows twice in one command has its last two blocks for a moment.
  return Math.ceil((used + addedBytes + 9 * addedCount) * 2.25) + HEAD_BYTES;
}

/** Bytes that an element of this text takes, its separator included. */
export function packedElementBytes(u8: Uint8Array, start: number, length: number): number {
  encode(u8, start, length);
  return codeBytes + 1;
}

/** Bytes that the text which was written or asked for last, of `length`, takes in a listpack. */
export function encodedListpackBytes(length: number): number {
  return codeToken <= INTEGER_TOKEN || codeToken >= MEDIUM_TOKEN
    ? listpackStringBytes(length)
    : listpackIntegerBytes(codeLow, codeHigh);
}

/** Gives the list's block back. */
export function releasePacked(slab: Slab, ref: BlockRef): void {
  release(slab, ref);
}

/**
 * A copy in `target`, which may be the same slab, with room for so many bytes more. Memory was
 * reserved.
 */
export function copyPacked(source: Slab, ref: BlockRef, target: Slab, roomBytes = 0): BlockRef {
  const copy = allocateList(target, packedBytes(source, ref) + roomBytes);
  copyPackedTo(source, ref, target, copy);
  return copy;
}

/** A copy at `copy`, in a block of somebody else: it takes packedBytes there. */
export function copyPackedTo(source: Slab, ref: BlockRef, target: Slab, copy: BlockRef): void {
  const bytes = packedBytes(source, ref);
  const at = copy << 1;
  target.i32[at + Head.End] = bytes;
  target.i32[at + Head.Sizes] = source.i32[(ref << 1) + Head.Sizes]! & ~GAP_MASK;
  const from = firstAt(source, ref);
  copyBytes(source.u8, from, target.u8, (copy << 3) + HEAD_BYTES, bytes - HEAD_BYTES);
}

/** Gives back what the block has to spare, when that is worth it and memory allows. */
export function tightenPacked(slab: Slab, ref: BlockRef): BlockRef {
  const room = capacityOf(slab, ref);
  const used = packedBytes(slab, ref);
  if (room <= SHRINK_BYTES_MIN || room - used <= room >>> 3) return ref;
  return moveTight(slab, ref, used);
}

/** After elements went: a block that is more than half empty becomes a smaller one. */
function shrink(slab: Slab, ref: BlockRef): BlockRef {
  const room = capacityOf(slab, ref);
  const used = packedBytes(slab, ref);
  if (room <= SHRINK_BYTES_MIN || room < used * 2) return ref;
  return moveTight(slab, ref, used + (used >>> 2));
}

/** Nobody reserves memory for giving some back: when there is none, the block stays. */
function moveTight(slab: Slab, ref: BlockRef, bytes: number): BlockRef {
  if (!reserve(slab, bytes)) return ref;
  const moved = allocate(slab, bytes);
  if (moved === NONE) return ref;
  const { i32 } = slab;
  const used = packedBytes(slab, ref);
  i32[(moved << 1) + Head.End] = used;
  i32[(moved << 1) + Head.Sizes] = i32[(ref << 1) + Head.Sizes]! & ~GAP_MASK;
  moveBytes(slab.u8, firstAt(slab, ref), (moved << 3) + HEAD_BYTES, used - HEAD_BYTES);
  release(slab, ref);
  return moved;
}

// ── The cursor ───────────────────────────────────────────────────────────────────────────────

/** Stands on an element of a list, or on none; valid until the list changes. */
export class Packed {
  slab: Slab = NO_SLAB;
  ref = NONE as BlockRef;
  /** Byte offset in slab.u8 of a string's bytes, or of the body of an integer. */
  at = 0;
  /** Bytes there. */
  length = 0;
  isInteger = false;
  /** The integer. */
  low = 0;
  high = 0;
  /** The element's token; 0: the cursor stands on none. */
  token = 0;
  /** Byte offsets in slab.u8 of the separators before and behind the element. */
  before = 0;
  behind = 0;

  open(slab: Slab, ref: BlockRef): this {
    this.slab = slab;
    this.ref = ref;
    this.token = 0;
    return this;
  }

  /** Goes to the same element of a list that is a copy of this one. */
  follow(copy: BlockRef): void {
    const shift = firstAt(this.slab, copy) - firstAt(this.slab, this.ref);
    this.ref = copy;
    this.at += shift;
    this.before += shift;
    this.behind += shift;
  }

  /** To the first element; false when there is none. */
  first(): boolean {
    const at = firstAt(this.slab, this.ref);
    return this.stand(at, this.slab.u8[at]!);
  }

  last(): boolean {
    const at = lastAt(this.slab, this.ref);
    return this.standBefore(at, this.slab.u8[at]!);
  }

  /** To the element behind; false, and on none, when there is none. */
  next(): boolean {
    if (this.token === 0) return false;
    return this.stand(this.behind, this.slab.u8[this.behind]! ^ this.token);
  }

  previous(): boolean {
    if (this.token === 0) return false;
    return this.standBefore(this.before, this.slab.u8[this.before]! ^ this.token);
  }

  /** To element `index` from the front, or from the back (−1 is the last); false when outside. */
  seek(index: number): boolean {
    const count = packedCount(this.slab, this.ref);
    const wanted = index < 0 ? index + count : index;
    if (wanted < 0 || wanted >= count) {
      this.token = 0;
      return false;
    }
    if (wanted <= count >>> 1) return this.seekForward(wanted);
    return this.seekBackward(count - 1 - wanted);
  }

  private seekForward(steps: number): boolean {
    const { u8 } = this.slab;
    let at = firstAt(this.slab, this.ref);
    let token = u8[at]!;
    for (; steps > 0; steps--) {
      at += 1 + (token <= INTEGER_TOKEN ? token - 1 : bodyBytes(u8, at + 1, token));
      token ^= u8[at]!;
    }
    return this.stand(at, token);
  }

  private seekBackward(steps: number): boolean {
    const { u8 } = this.slab;
    let at = lastAt(this.slab, this.ref);
    let token = u8[at]!;
    for (; steps > 0; steps--) {
      at -= 1 + (token <= INTEGER_TOKEN ? token - 1 : bodyBytesBefore(u8, at, token));
      token ^= u8[at]!;
    }
    return this.standBefore(at, token);
  }

  /** Stands on the element of `token` behind the separator at `before`. */
  stand(before: number, token: number): boolean {
    this.token = token;
    this.before = before;
    const at = before + 1;
    if (token <= INTEGER_TOKEN) {
      if (token === 0) {
        this.behind = before;
        return false;
      }
      this.isInteger = false;
      this.at = at;
      this.length = token - 1;
      this.behind = before + token;
      return true;
    }
    this.behind = at + bodyBytes(this.slab.u8, at, token);
    this.read(at);
    return true;
  }

  private standBefore(behind: number, token: number): boolean {
    this.token = token;
    this.behind = behind;
    if (token <= INTEGER_TOKEN) {
      if (token === 0) {
        this.before = behind;
        return false;
      }
      this.isInteger = false;
      this.before = behind - token;
      this.at = this.before + 1;
      this.length = token - 1;
      return true;
    }
    const at = behind - bodyBytesBefore(this.slab.u8, behind, token);
    this.before = at - 1;
    this.read(at);
    return true;
  }

  /** Reads an integer or a long string whose body begins at `at`. */
  private read(at: number): void {
    const { token } = this;
    this.isInteger = token < MEDIUM_TOKEN;
    if (this.isInteger) {
      const bytes = token - INTEGER_TOKEN;
      this.at = at;
      this.length = bytes;
      this.low = readWord(this.slab.u8, at, bytes < 4 ? bytes : 4);
      this.high = bytes > 4 ? readWord(this.slab.u8, at + 4, bytes - 4) : this.low >> 31;
      return;
    }
    const edge = token === MEDIUM_TOKEN ? 2 : 4;
    this.at = at + edge;
    this.length = readLength(this.slab.u8, at, token);
  }

  /** Is the element's text u8[start, start + length)? */
  equals(u8: Uint8Array, start: number, length: number): boolean {
    if (!this.isInteger) {
      return length === this.length && equalBytes(this.slab.u8, this.at, u8, start, length);
    }
    if (length > INT64_TEXT_BYTES_MAX || !parseInt64(u8, start, length)) return false;
    return int64.lo === this.low && int64.hi === this.high;
  }

  /** Bytes of the element's text. */
  textLength(): number {
    return this.isInteger ? digitsOfInt64(this.low, this.high) : this.length;
  }

  /** Writes the element's text at target[at]; returns its length. */
  writeText(target: Uint8Array, at: number): number {
    if (this.isInteger) return writeInt64(target, at, this.low, this.high);
    copyBytes(this.slab.u8, this.at, target, at, this.length);
    return this.length;
  }
}

// ── Changes ──────────────────────────────────────────────────────────────────────────────────

// Where openHole has made room: a byte offset in the slab, and the list's block now.
let holeAt = 0;
let holeRef = NONE as BlockRef;

/**
 * Makes room for `bytes` at `at`, a byte offset in the slab inside the list or at its end, by
 * moving what is shorter: what stands before or what stands behind. Leaves holeAt and holeRef.
 */
function openHole(slab: Slab, ref: BlockRef, at: number, bytes: number): void {
  const { i32, u8 } = slab;
  const word = ref << 1;
  const base = ref << 3;
  const end = i32[word + Head.End]!;
  const sizes = i32[word + Head.Sizes]!;
  const gap = sizes & GAP_MASK;
  const headBytes = at - base - HEAD_BYTES - gap;
  const tailBytes = base + end - at;
  if (bytes <= gap && headBytes < tailBytes) {
    i32[word + Head.Sizes] = sizes - bytes;
    const first = at - headBytes;
    if (headBytes === 1) u8[first - bytes] = u8[first]!;
    else moveBytes(u8, first, first - bytes, headBytes);
    holeAt = at - bytes;
    holeRef = ref;
    return;
  }
  const room = capacityOf(slab, ref);
  // Room in front is made for good, where the list is not too short to be worth it.
  if (end + bytes <= room && (headBytes !== 1 || tailBytes <= SHRINK_BYTES_MIN)) {
    i32[word + Head.End] = end + bytes;
    if (tailBytes !== 0) moveBytes(u8, at, at + bytes, tailBytes);
    holeAt = at;
    holeRef = ref;
    return;
  }
  rebuild(slab, ref, headBytes, tailBytes, bytes, room);
}

/** The slow part of openHole: all moves, inside its block or to a larger one. */
function rebuild(
  slab: Slab,
  ref: BlockRef,
  headBytes: number,
  tailBytes: number,
  bytes: number,
  room: number,
): void {
  const { i32, u8 } = slab;
  const used = HEAD_BYTES + headBytes + tailBytes + bytes;
  const isInPlace = used <= room;
  const moved = isInPlace ? ref : allocateList(slab, used);
  // What goes to the front leaves the spare room there, for the next that goes to the front.
  const spare = (isInPlace ? room : capacityOf(slab, moved)) - used;
  const gap = headBytes !== 1 ? 0 : spare < GAP_MASK ? spare : GAP_MASK;
  const from = firstAt(slab, ref);
  const to = (moved << 3) + HEAD_BYTES + gap;
  const tailTo = to + headBytes + bytes;
  if (to <= from) {
    moveBytes(u8, from, to, headBytes);
    moveBytes(u8, from + headBytes, tailTo, tailBytes);
  } else {
    moveBytes(u8, from + headBytes, tailTo, tailBytes);
    moveBytes(u8, from, to, headBytes);
  }
  i32[(moved << 1) + Head.End] = used + gap;
  i32[(moved << 1) + Head.Sizes] = (i32[(ref << 1) + Head.Sizes]! & ~GAP_MASK) | gap;
  if (!isInPlace) release(slab, ref);
  holeAt = to + headBytes;
  holeRef = moved;
}

/** Takes the `bytes` at `at` out, by moving what is shorter: what is before or what is behind. */
function closeHole(slab: Slab, ref: BlockRef, at: number, bytes: number): void {
  const { i32, u8 } = slab;
  const word = ref << 1;
  const base = ref << 3;
  const sizes = i32[word + Head.Sizes]!;
  const gap = sizes & GAP_MASK;
  const headBytes = at - base - HEAD_BYTES - gap;
  const tailBytes = base + i32[word + Head.End]! - at - bytes;
  if (headBytes < tailBytes && gap + bytes <= GAP_MASK) {
    i32[word + Head.Sizes] = sizes + bytes;
    const first = at - headBytes;
    if (headBytes === 1) u8[first + bytes] = u8[first]!;
    else moveBytes(u8, first, first + bytes, headBytes);
    return;
  }
  // A gap that would be too long is closed altogether, so that it can begin anew.
  const closed = headBytes < tailBytes ? gap : 0;
  if (closed !== 0) moveBytes(u8, at - headBytes, base + HEAD_BYTES, headBytes);
  i32[word + Head.Sizes] = sizes - closed;
  i32[word + Head.End] = i32[word + Head.End]! - bytes - closed;
  if (tailBytes !== 0) moveBytes(u8, at + bytes, at - closed, tailBytes);
}

function countDown(slab: Slab, ref: BlockRef, removed: number): void {
  const at = (ref << 1) + Head.Sizes;
  const sizes = slab.i32[at]!;
  if (sizes >>> COUNT_SHIFT !== COUNT_MAX) {
    slab.i32[at] = sizes - removed * COUNT_ONE;
    return;
  }
  const count = Math.min(COUNT_MAX, countSlowly(slab, ref));
  slab.i32[at] = (sizes & GAP_MASK) | (count << COUNT_SHIFT);
}

/**
 * Inserts the text that was encoded last, behind the separator at `before`; `previous` and `next`
 * are the tokens around it. Leaves holeAt at the new body.
 */
function insert(
  slab: Slab,
  ref: BlockRef,
  before: number,
  previous: number,
  next: number,
  u8: Uint8Array,
  start: number,
  length: number,
): BlockRef {
  openHole(slab, ref, before + 1, codeBytes + 1);
  const list = holeRef;
  const at = holeAt;
  slab.u8[at - 1] = previous ^ codeToken;
  writeBody(slab, at, u8, start, length);
  slab.u8[at + codeBytes] = codeToken ^ next;
  const sizes = slab.i32[(list << 1) + Head.Sizes]!;
  if (sizes >>> COUNT_SHIFT !== COUNT_MAX) slab.i32[(list << 1) + Head.Sizes] = sizes + COUNT_ONE;
  return list;
}

// The source of a text lies anywhere but in the list that it is put into. Memory was reserved. What
// is returned takes the place of the list's ref.

/** Puts the text behind the last element. */
export function packedAppend(
  slab: Slab,
  ref: BlockRef,
  u8: Uint8Array,
  start: number,
  length: number,
): BlockRef {
  encode(u8, start, length);
  const before = lastAt(slab, ref);
  return insert(slab, ref, before, slab.u8[before]!, 0, u8, start, length);
}

/** Puts the text before the first element. */
export function packedPrepend(
  slab: Slab,
  ref: BlockRef,
  u8: Uint8Array,
  start: number,
  length: number,
): BlockRef {
  encode(u8, start, length);
  const before = firstAt(slab, ref);
  return insert(slab, ref, before, 0, slab.u8[before]!, u8, start, length);
}

/** Puts the text before the cursor's element, or behind the last; the cursor stands on it then. */
export function packedInsertBefore(
  slab: Slab,
  cursor: Packed,
  u8: Uint8Array,
  start: number,
  length: number,
): BlockRef {
  encode(u8, start, length);
  const before = cursor.token === 0 ? lastAt(slab, cursor.ref) : cursor.before;
  const next = cursor.token;
  const previous = slab.u8[before]! ^ next;
  const list = insert(slab, cursor.ref, before, previous, next, u8, start, length);
  cursor.ref = list;
  cursor.stand(holeAt - 1, codeToken);
  return list;
}

/** Would packedReplace leave all other elements where they are? */
export function replacesInPlace(
  cursor: Packed,
  u8: Uint8Array,
  start: number,
  length: number,
): boolean {
  encode(u8, start, length);
  return codeBytes === cursor.behind - cursor.before - 1;
}

/** Puts the text in the place of the cursor's element, where the cursor stays. */
export function packedReplace(
  slab: Slab,
  cursor: Packed,
  u8: Uint8Array,
  start: number,
  length: number,
): BlockRef {
  assert(cursor.token !== 0, 'an element is replaced where there is one');
  encode(u8, start, length);
  const bytes = slab.u8;
  const change = cursor.token ^ codeToken;
  const oldBytes = cursor.behind - cursor.before - 1;
  bytes[cursor.before] = bytes[cursor.before]! ^ change;
  bytes[cursor.behind] = bytes[cursor.behind]! ^ change;
  let list = cursor.ref;
  let at = cursor.before + 1;
  if (codeBytes > oldBytes) {
    openHole(slab, list, cursor.behind, codeBytes - oldBytes);
    list = holeRef;
    at = holeAt - oldBytes;
  } else if (codeBytes < oldBytes) {
    const gap = slab.i32[(list << 1) + Head.Sizes]! & GAP_MASK;
    closeHole(slab, list, at + codeBytes, oldBytes - codeBytes);
    // What stands before the hole may have moved up.
    at += (slab.i32[(list << 1) + Head.Sizes]! & GAP_MASK) - gap;
  }
  writeBody(slab, at, u8, start, length);
  const offset = at - (list << 3);
  const token = codeToken;
  const gap = slab.i32[(list << 1) + Head.Sizes]! & GAP_MASK;
  const settled = codeBytes < oldBytes ? shrink(slab, list) : list;
  cursor.ref = settled;
  // A list that moved to a smaller block has no gap there.
  cursor.stand((settled << 3) + offset - 1 - (settled === list ? 0 : gap), token);
  return settled;
}

/**
 * Takes `count` elements out, the cursor's and those behind it, as many as there are. The cursor
 * then stands on the element that follows, or on none. `staysInBlock`: whatever the block has to
 * spare then.
 */
export function packedRemove(
  slab: Slab,
  cursor: Packed,
  count: number,
  staysInBlock = false,
): BlockRef {
  const { u8 } = slab;
  const { ref: list, before } = cursor;
  const previous = u8[before]! ^ cursor.token;
  let { token } = cursor;
  let at = before;
  let removed = 0;
  for (; removed < count && token !== 0; removed++) {
    at += 1 + bodyBytes(u8, at + 1, token);
    token ^= u8[at]!;
  }
  const bytes = at - before;
  const gap = slab.i32[(list << 1) + Head.Sizes]! & GAP_MASK;
  u8[before] = previous ^ token;
  closeHole(slab, list, before + 1, bytes);
  countDown(slab, list, removed);
  const newGap = slab.i32[(list << 1) + Head.Sizes]! & GAP_MASK;
  const offset = before + newGap - gap - (list << 3);
  const settled = staysInBlock ? list : shrink(slab, list);
  cursor.ref = settled;
  cursor.stand((settled << 3) + offset - (settled === list ? 0 : newGap), token);
  return settled;
}

/**
 * Cuts the list in two before the cursor's element: what is returned holds it and what follows; the
 * list keeps the rest in its block, and the cursor stands on none. Memory was reserved.
 */
export function packedSplit(slab: Slab, cursor: Packed): BlockRef {
  const { i32, u8 } = slab;
  const { ref, before } = cursor;
  const bytes = lastAt(slab, ref) - before;
  const second = createPacked(slab, bytes);
  moveBytes(u8, before, (second << 3) + HEAD_BYTES, bytes + 1);
  i32[(second << 1) + Head.End] = HEAD_BYTES + 1 + bytes;
  u8[(second << 3) + HEAD_BYTES] = cursor.token;
  const count = countSlowly(slab, second);
  i32[(second << 1) + Head.Sizes] = Math.min(COUNT_MAX, count) << COUNT_SHIFT;
  u8[before] = u8[before]! ^ cursor.token;
  i32[(ref << 1) + Head.End] = before + 1 - (ref << 3);
  countDown(slab, ref, count);
  cursor.open(slab, ref);
  return second;
}

/** Looks at every `stride`-th element, from the first on, for this text; the cursor goes there. */
export function packedFind(
  slab: Slab,
  ref: BlockRef,
  u8: Uint8Array,
  start: number,
  length: number,
  stride: number,
  cursor: Packed,
): boolean {
  encode(u8, start, length);
  const wanted = codeToken;
  const isText = wanted <= INTEGER_TOKEN || wanted >= MEDIUM_TOKEN;
  if (!isText) writeInteger(needle, 0);
  const bytes = isText ? length : codeBytes;
  const edge = wanted < MEDIUM_TOKEN ? 0 : wanted === MEDIUM_TOKEN ? 2 : 4;
  const source = isText ? u8 : needle;
  const from = isText ? start : 0;
  const list = slab.u8;
  let at = firstAt(slab, ref);
  let skip = 1;
  for (let token = list[at]!; token !== 0; token ^= list[at]!) {
    if (--skip === 0) {
      skip = stride;
      if (token === wanted && (edge === 0 || readLength(list, at + 1, token) === length)) {
        // The last byte first: names that are numbered differ there.
        const isLike = bytes === 0 || list[at + edge + bytes] === source[from + bytes - 1];
        if (isLike && equalBytes(list, at + 1 + edge, source, from, bytes)) {
          cursor.open(slab, ref);
          return cursor.stand(at, token);
        }
      }
    }
    at += 1 + (token <= INTEGER_TOKEN ? token - 1 : bodyBytes(list, at + 1, token));
  }
  cursor.open(slab, ref);
  return false;
}

/** The body of an integer that packedFind looks for. */
const needle = new Uint8Array(8);

// ── Checking ─────────────────────────────────────────────────────────────────────────────────

/** Walks the list both ways and asserts what must hold of it. */
export function checkPacked(slab: Slab, ref: BlockRef): void {
  const room = capacityOf(slab, ref);
  const end = slab.i32[(ref << 1) + Head.End]!;
  assert(end <= room, 'a packed list ends inside its block');
  assert(packedBytes(slab, ref) > HEAD_BYTES, 'a packed list has a separator');
  const cursor = new Packed().open(slab, ref);
  const starts: number[] = [];
  const text = new Uint8Array(INT64_TEXT_BYTES_MAX);
  for (let isThere = cursor.first(); isThere; isThere = cursor.next()) {
    assert(cursor.behind < (ref << 3) + end, 'an element ends before its list');
    assert(cursor.token <= LONG_TOKEN, 'a token is known');
    if (cursor.isInteger) {
      encode(text, 0, cursor.writeText(text, 0));
    } else {
      encode(slab.u8, cursor.at, cursor.length);
    }
    assert(codeToken === cursor.token, 'an element is stored in its one form');
    starts.push(cursor.at);
  }
  assert(cursor.before === lastAt(slab, ref), 'a walk ends where the list ends');
  assert(starts.length === packedCount(slab, ref), 'the count is of what is there');
  for (let isThere = cursor.last(); isThere; isThere = cursor.previous()) {
    assert(starts.pop() === cursor.at, 'both ways lead past the same elements');
  }
  assert(starts.length === 0, 'both ways lead past the same elements');
}
