// A set of int64 as a sorted array in one block. All elements have the width of the widest that
// was ever there: 2, 4 or 8 bytes.
//
//    word 0                       from word 1 on
//   ┌────────────────────┬───────┬─────────┬─────────┬─── ──┬─────────┬────────┐
//   │ count 30           │width 2│ least   │         │      │ largest │ unused │
//   └────────────────────┴───────┴─────────┴─────────┴─── ──┴─────────┴────────┘
//                         0: 2 bytes, 1: 4 bytes, 2: 8 bytes (low word, high word)

import { compareInt64 } from '../base/ascii.js';
import { assert } from '../base/assert.js';
import { copyBytes, moveBytes } from '../base/bytes.js';
import {
  allocate,
  type BlockRef,
  capacityOf,
  growInPlace,
  release,
  reserve,
  roundedBytes,
  SMALL_BYTES_MAX,
} from '../slab/alloc.js';
import { NONE, type Slab } from '../slab/slab.js';

const enum Head {
  Sizes = 0,
  Words = 1,
}
const enum Pair {
  Low = 0,
  High = 1,
}
const enum Width {
  Int16 = 0,
  Int32 = 1,
  Int64 = 2,
}

const HEAD_BYTES = Head.Words * 4;
const SHORT_MASK = 0xffff;
const COUNT_SHIFT = 2;
const COUNT_ONE = 1 << COUNT_SHIFT;
const WIDTH_MASK = COUNT_ONE - 1;
/** A count has 30 bits; Redis draws the same line. */
export const INTEGERS_COUNT_MAX = 2 ** 30 - 1;

/** Larger blocks grow by an eighth more than they must, smaller ones by their class. */
const GROW_BYTES_MIN = 256;
/** Blocks up to here keep their room when elements go. */
const SHRINK_BYTES_MIN = 64;

/** What integersAt has read. */
export const integer = { low: 0, high: 0 };

function widthFor(low: number, high: number): Width {
  if (high !== low >> 31) return Width.Int64;
  return low === (low << 16) >> 16 ? Width.Int16 : Width.Int32;
}

function bytesFor(count: number, width: Width): number {
  return HEAD_BYTES + count * (2 << width);
}

/** An empty set. Memory was reserved. */
export function createIntegers(slab: Slab): BlockRef {
  const ref = allocate(slab, HEAD_BYTES);
  assert(ref !== NONE, 'memory for integers was reserved');
  slab.i32[(ref << 1) + Head.Sizes] = 0;
  return ref;
}

/** How many there are. */
export function integersCount(slab: Slab, ref: BlockRef): number {
  return slab.i32[(ref << 1) + Head.Sizes]! >>> COUNT_SHIFT;
}

/** Bytes of slab that the set holds. */
export function integersHeldBytes(slab: Slab, ref: BlockRef): number {
  return capacityOf(slab, ref);
}

/** Bytes that adding so many integers may allocate at the most; `ref` may be NONE. */
export function integersReserve(
  slab: Slab,
  ref: BlockRef | typeof NONE,
  addedCount: number,
): number {
  const count = ref === NONE ? 0 : integersCount(slab, ref as BlockRef);
  const bytes = bytesFor(count + addedCount, Width.Int64);
  // One block that is an eighth larger than it must be; while it is filled, the one before it is
  // there, too.
  return bytes <= SMALL_BYTES_MAX / 4 ? bytes : Math.ceil(bytes * 2.5);
}

/** Reads the integer at `index`, counted from the least, into `integer`. */
export function integersAt(slab: Slab, ref: BlockRef, index: number): void {
  const width = slab.i32[(ref << 1) + Head.Sizes]! & WIDTH_MASK;
  readAt(slab, (ref << 1) + Head.Words, width, index);
}

function readAt(slab: Slab, at: number, width: Width, index: number): void {
  const { i32 } = slab;
  if (width === Width.Int64) {
    const pair = at + (index << 1);
    integer.low = i32[pair + Pair.Low]!;
    integer.high = i32[pair + Pair.High]!;
    return;
  }
  const value = width === Width.Int32 ? i32[at + index]! : shortAt(i32, at, index);
  integer.low = value;
  integer.high = value >> 31;
}

/** Two shorts to a word, the first in its lower half. */
function shortAt(i32: Int32Array, at: number, index: number): number {
  const word = i32[at + (index >> 1)]!;
  return (index & 1) === 0 ? (word << 16) >> 16 : word >> 16;
}

function writeAt(
  slab: Slab,
  at: number,
  width: Width,
  index: number,
  low: number,
  high: number,
): void {
  const { i32 } = slab;
  if (width === Width.Int64) {
    const pair = at + (index << 1);
    i32[pair + Pair.Low] = low;
    i32[pair + Pair.High] = high;
  } else if (width === Width.Int32) {
    i32[at + index] = low;
  } else {
    const pair = at + (index >> 1);
    const other = i32[pair]!;
    const isFirst = (index & 1) === 0;
    i32[pair] = isFirst
      ? (other & ~SHORT_MASK) | (low & SHORT_MASK)
      : (other & SHORT_MASK) | (low << 16);
  }
}

/** The index of the integer, or, as ~index, the place where it belongs. */
function search(slab: Slab, ref: BlockRef, low: number, high: number): number {
  const { i32 } = slab;
  const sizes = i32[(ref << 1) + Head.Sizes]!;
  const width = sizes & WIDTH_MASK;
  const at = (ref << 1) + Head.Words;
  const count = sizes >>> COUNT_SHIFT;
  if (width === Width.Int64) return searchPairs(i32, at, count, low, high);
  // What is too wide for the array stands beyond one of its ends.
  if (high !== low >> 31) return high < 0 ? ~0 : ~count;
  let first = 0;
  let end = count;
  while (first < end) {
    const middle = (first + end) >>> 1;
    const value = width === Width.Int32 ? i32[at + middle]! : shortAt(i32, at, middle);
    if (value === low) return middle;
    if (value < low) first = middle + 1;
    else end = middle;
  }
  return ~first;
}

function searchPairs(
  i32: Int32Array,
  at: number,
  count: number,
  low: number,
  high: number,
): number {
  let first = 0;
  let end = count;
  while (first < end) {
    const middle = (first + end) >>> 1;
    const pair = at + (middle << 1);
    const order = compareInt64(i32[pair + Pair.Low]!, i32[pair + Pair.High]!, low, high);
    if (order === 0) return middle;
    if (order < 0) first = middle + 1;
    else end = middle;
  }
  return ~first;
}

/** Is (low, high) in the set? */
export function integersHas(slab: Slab, ref: BlockRef, low: number, high: number): boolean {
  return search(slab, ref, low, high) >= 0;
}

/**
 * The first index from `from` on whose integer is not below (low, high); the count when all are. It
 * is sought near `from` first: who asks for ascending integers takes a few steps for each.
 */
export function integersSeek(
  slab: Slab,
  ref: BlockRef,
  from: number,
  low: number,
  high: number,
): number {
  const sizes = slab.i32[(ref << 1) + Head.Sizes]!;
  const at = (ref << 1) + Head.Words;
  const count = sizes >>> COUNT_SHIFT;
  const width = sizes & WIDTH_MASK;
  let first = from;
  let end = from;
  for (let step = 1; end < count; step *= 2) {
    readAt(slab, at, width, end);
    if (compareInt64(integer.low, integer.high, low, high) >= 0) break;
    first = end + 1;
    end += step;
  }
  if (end > count) end = count;
  while (first < end) {
    const middle = (first + end) >>> 1;
    readAt(slab, at, width, middle);
    if (compareInt64(integer.low, integer.high, low, high) < 0) first = middle + 1;
    else end = middle;
  }
  return first;
}

/** Is (low, high) the integer at `index`, which may be the count? */
export function integersIsAt(
  slab: Slab,
  ref: BlockRef,
  index: number,
  low: number,
  high: number,
): boolean {
  if (index >= integersCount(slab, ref)) return false;
  integersAt(slab, ref, index);
  return integer.low === low && integer.high === high;
}

/**
 * Adds (low, high). Returns NONE when it was there already, else the set's ref from now on. Memory
 * was reserved.
 */
export function integersAdd(
  slab: Slab,
  ref: BlockRef,
  low: number,
  high: number,
): BlockRef | typeof NONE {
  const found = search(slab, ref, low, high);
  if (found >= 0) return NONE;
  const { i32 } = slab;
  const sizes = i32[(ref << 1) + Head.Sizes]!;
  const width = sizes & WIDTH_MASK;
  const wanted = widthFor(low, high);
  if (wanted > width) return widen(slab, ref, wanted, low, high);
  const count = sizes >>> COUNT_SHIFT;
  const grown = withRoom(slab, ref, bytesFor(count, width), bytesFor(count + 1, width));
  const at = (grown << 1) + Head.Words;
  const size = 2 << width;
  const from = (at << 2) + ~found * size;
  const behind = (count - ~found) * size;
  if (behind !== 0) moveBytes(slab.u8, from, from + size, behind);
  writeAt(slab, at, width, ~found, low, high);
  i32[(grown << 1) + Head.Sizes] = sizes + COUNT_ONE;
  return grown;
}

/** The block, or a larger one with the same contents, with room for `bytes`. */
function withRoom(slab: Slab, ref: BlockRef, usedBytes: number, bytes: number): BlockRef {
  // The class of the bytes in use says it for nearly all small blocks, without a look at the page.
  if (bytes <= SMALL_BYTES_MAX && roundedBytes(usedBytes) >= bytes) return ref;
  if (capacityOf(slab, ref) >= bytes) return ref;
  const wanted = bytes < GROW_BYTES_MIN ? bytes : bytes + (bytes >>> 3);
  if (bytes > SMALL_BYTES_MAX && growInPlace(slab, ref, wanted)) return ref;
  const grown = allocate(slab, wanted);
  assert(grown !== NONE, 'memory for integers was reserved');
  copyBytes(slab.u8, ref << 3, slab.u8, grown << 3, usedBytes);
  release(slab, ref);
  return grown;
}

/** Adds an integer that is wider than all there are: it is the least or the largest. */
function widen(slab: Slab, ref: BlockRef, wanted: Width, low: number, high: number): BlockRef {
  const { i32 } = slab;
  const sizes = i32[(ref << 1) + Head.Sizes]!;
  const width = sizes & WIDTH_MASK;
  const count = sizes >>> COUNT_SHIFT;
  const grown = allocate(slab, bytesFor(count + 1, wanted));
  assert(grown !== NONE, 'memory for integers was reserved');
  const from = (ref << 1) + Head.Words;
  const to = (grown << 1) + Head.Words;
  const shift = high < 0 ? 1 : 0;
  for (let index = 0; index < count; index++) {
    readAt(slab, from, width, index);
    writeAt(slab, to, wanted, index + shift, integer.low, integer.high);
  }
  writeAt(slab, to, wanted, shift === 1 ? 0 : count, low, high);
  i32[(grown << 1) + Head.Sizes] = ((count + 1) << COUNT_SHIFT) | wanted;
  release(slab, ref);
  return grown;
}

/** Takes (low, high) out. Returns NONE when it is not there, else the set's ref from now on. */
export function integersRemove(
  slab: Slab,
  ref: BlockRef,
  low: number,
  high: number,
): BlockRef | typeof NONE {
  const found = search(slab, ref, low, high);
  return found < 0 ? NONE : integersRemoveAt(slab, ref, found);
}

/** Takes the integer at `index` out. Returns the set's ref from now on. */
export function integersRemoveAt(slab: Slab, ref: BlockRef, index: number): BlockRef {
  const { i32 } = slab;
  const sizes = i32[(ref << 1) + Head.Sizes]!;
  const width = sizes & WIDTH_MASK;
  const count = sizes >>> COUNT_SHIFT;
  const size = 2 << width;
  const at = (ref << 3) + HEAD_BYTES + index * size;
  const behind = (count - index - 1) * size;
  if (behind !== 0) moveBytes(slab.u8, at + size, at, behind);
  i32[(ref << 1) + Head.Sizes] = sizes - COUNT_ONE;
  return shrink(slab, ref, bytesFor(count - 1, width));
}

/** A block that is more than half empty becomes a smaller one, when memory allows. */
function shrink(slab: Slab, ref: BlockRef, bytes: number): BlockRef {
  const room = capacityOf(slab, ref);
  if (room <= SHRINK_BYTES_MIN || bytes * 2 > room) return ref;
  const wanted = bytes + (bytes >>> 2);
  if (!reserve(slab, wanted)) return ref;
  const smaller = allocate(slab, wanted);
  if (smaller === NONE) return ref;
  copyBytes(slab.u8, ref << 3, slab.u8, smaller << 3, bytes);
  release(slab, ref);
  return smaller;
}

/** Bytes that copyIntegers allocates. */
export function integersCopyBytes(slab: Slab, ref: BlockRef): number {
  const sizes = slab.i32[(ref << 1) + Head.Sizes]!;
  return bytesFor(sizes >>> COUNT_SHIFT, sizes & WIDTH_MASK);
}

/** A copy in `target`, which may be the same slab. Memory was reserved. */
export function copyIntegers(source: Slab, ref: BlockRef, target: Slab): BlockRef {
  const bytes = integersCopyBytes(source, ref);
  const copy = allocate(target, bytes);
  assert(copy !== NONE, 'memory for a copy was reserved');
  copyBytes(source.u8, ref << 3, target.u8, copy << 3, bytes);
  return copy;
}

/** Gives the block back. */
export function releaseIntegers(slab: Slab, ref: BlockRef): void {
  release(slab, ref);
}

/** Asserts what must hold of the array. */
export function checkIntegers(slab: Slab, ref: BlockRef): void {
  const sizes = slab.i32[(ref << 1) + Head.Sizes]!;
  const width = sizes & WIDTH_MASK;
  const count = sizes >>> COUNT_SHIFT;
  assert(width <= Width.Int64, 'a width is one of three');
  assert(bytesFor(count, width) <= capacityOf(slab, ref), 'the integers fit their block');
  let low = 0;
  let high = 0;
  for (let index = 0; index < count; index++) {
    integersAt(slab, ref, index);
    if (index > 0) {
      assert(compareInt64(low, high, integer.low, integer.high) < 0, 'integers are sorted');
    }
    low = integer.low;
    high = integer.high;
  }
}
