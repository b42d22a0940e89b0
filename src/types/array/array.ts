// Arrays: values at unsigned 64-bit positions, most of which may be empty. Values lie in slices of
// 4096 slots (slice.ts); slices are found by number through a B+tree (stream/id-tree.ts). While
// there is but one, its record stands in the root and there is no tree.
//
//   root, 18 words
//   ┌───────┬───────────┬───────────┬──────────────────┬─────────────────┬──────────────┬──────┐
//   │ count │ cursor:   │ length:   │ granules of the  │ directory: top, │ record of an │ walk │
//   │       │ high, low │ high, low │ values' blocks   │ height, count   │ only slice   │      │
//   └───────┴───────────┴───────────┴──────────────────┴─────────────────┴──────────────┴──────┘
//             last       last value                         3 words            8 words
//             insert,    and one more
//             or -1

import { assert } from '../../base/assert.js';
import { allocate, type BlockRef, capacityOf, release } from '../../slab/alloc.js';
import { move } from '../../slab/moving.js';
import { GRANULE_SHIFT, NONE, type Ref, type Slab } from '../../slab/slab.js';
import { Walk } from '../../structs/walked.js';
import type { MovePlace } from '../kind.js';
import { readIdAt, StreamId, writeIdAt } from '../stream/id.js';
import {
  checkIdTree,
  clearIdTree,
  findInIdTree,
  floorInIdTree,
  ID_TREE_RESERVE_BYTES,
  IdTree,
  IdTreeCursor,
  idTreeBytes,
  idTreeCount,
  idTreeReserve,
  insertInIdTree,
  lastInIdTree,
  moveIdTree,
  removeFromIdTree,
} from '../stream/id-tree.js';
import {
  compareUnsigned,
  highOf,
  lowOf,
  numberHighOf,
  numberLowOf,
  offsetOf,
  type Position,
  SLICE_SLOTS,
} from './position.js';
import {
  blockOf,
  checkSlice,
  clearSlice,
  closePlace,
  createSlice,
  findPlace,
  isSparse,
  lastOffset,
  moveSlice,
  moveSliceBlocks,
  numberHighAt,
  numberLowAt,
  openPlace,
  pairOffset,
  placeAt,
  placesOf,
  SLICE_BYTES_MAX,
  SLICE_WORDS,
  setNumber,
  sliceBytes,
  sliceCount,
  slotIn,
  windowFirst,
} from './slice.js';
import { checkRunEpochs, saveOffsetsFirst } from './slice-first.js';
import { checkSlot, createSlot, EMPTY, releaseSlot, slotBytes, valueBytes } from './slot.js';

export type ArrayRef = Ref<'array'>;

const enum Root {
  Count = 0,
  CursorHigh = 1,
  CursorLow = 2,
  LengthHigh = 3,
  LengthLow = 4,
  Granules = 5,
  Directory = 6,
  Only = Directory + 3,
  /** Of a snapshot's walk, see first.ts. */
  Walk = Only + 8,
  Words = Walk + 1,
}
assert(Root.Only - Root.Directory === IdTree.Words, 'a directory fits the root');
assert(Root.Walk - Root.Only === SLICE_WORDS, 'a record fits the root');

const ROOT_BYTES = Root.Words * 4;

const number = new StreamId();
const cursor = new IdTreeCursor();

export function createArray(slab: Slab): ArrayRef {
  const block = allocate(slab, ROOT_BYTES);
  assert(block !== NONE, 'memory for a root was reserved');
  const at = block << 1;
  slab.i32.fill(0, at, at + Root.Words);
  slab.i32[at + Root.CursorHigh] = -1;
  slab.i32[at + Root.CursorLow] = -1;
  return block as number as ArrayRef;
}

/** Word index of the walk word. */
export function arrayWalkAt(root: ArrayRef): number {
  return (root << 1) + Root.Walk;
}

/** The array whose walk word is there. */
export function arrayOfWalk(walkAt: number): ArrayRef {
  return ((walkAt - Root.Walk) >> 1) as ArrayRef;
}

/** An empty array whose slices moveArray may give to `root`. Memory was reserved. */
export function createLike(slab: Slab, root: ArrayRef): ArrayRef {
  const like = createArray(slab);
  slab.i32[arrayWalkAt(like)] = slab.i32[arrayWalkAt(root)]! & Walk.EpochMask;
  return like;
}

/** Frees the root of an array that has no slices. */
export function releaseRoot(slab: Slab, root: ArrayRef): void {
  release(slab, root as number as BlockRef);
}

// ── Facts ────────────────────────────────────────────────────────────────────────────────────

/** Positions that have a value. */
export function arrayCount(slab: Slab, root: ArrayRef): number {
  return slab.i32[(root << 1) + Root.Count]!;
}

/** The greatest position that has a value, and one more. */
export function readLength(slab: Slab, root: ArrayRef, out: Position): void {
  const at = root << 1;
  out.set(slab.i32[at + Root.LengthHigh]!, slab.i32[at + Root.LengthLow]!);
}

/** Where the last insert was; false when there was none, or it was taken back. */
export function readCursor(slab: Slab, root: ArrayRef, out: Position): boolean {
  const at = root << 1;
  out.set(slab.i32[at + Root.CursorHigh]!, slab.i32[at + Root.CursorLow]!);
  return !out.isBehindLast;
}

/** The cursor; 2^64 - 1 stands for none. */
export function writeCursor(slab: Slab, root: ArrayRef, position: Position): void {
  const at = root << 1;
  slab.i32[at + Root.CursorHigh] = position.high;
  slab.i32[at + Root.CursorLow] = position.low;
}

/** Moves the array's blocks together, see ValueKind.move; returns the root. */
export function moveArrayBlocks(slab: Slab, root: ArrayRef, place: MovePlace): ArrayRef {
  let moved = root;
  if (place.place === 0) moved = move(slab, root) as ArrayRef;
  place.place = 1;
  const only = (moved << 1) + Root.Only;
  if (blockOf(slab, only) !== NONE) moveSliceBlocks(slab, only);
  readIdAt(place.id, 0, number);
  const directory = (moved << 1) + Root.Directory;
  const isDone = moveIdTree(slab, directory, SLICE_WORDS, number, moveSliceBlocks);
  writeIdAt(place.id, 0, number);
  if (isDone) place.end();
  return moved;
}

export function countSlices(slab: Slab, root: ArrayRef): number {
  const at = root << 1;
  return blockOf(slab, at + Root.Only) !== NONE ? 1 : idTreeCount(slab, at + Root.Directory);
}

/** Height of the directory's tree: 0 while there is at most one leaf. */
export function directoryHeight(slab: Slab, root: ArrayRef): number {
  return slab.i32[(root << 1) + Root.Directory + IdTree.Height]!;
}

// ── Slices ───────────────────────────────────────────────────────────────────────────────────

/** Word index of the record of slice (high, low), 0 when there is none. */
function findSlice(slab: Slab, root: ArrayRef, high: number, low: number): number {
  const { i32 } = slab;
  const only = (root << 1) + Root.Only;
  if (blockOf(slab, only) !== NONE) {
    return numberLowAt(slab, only) === low && numberHighAt(slab, only) === high ? only : 0;
  }
  const directory = (root << 1) + Root.Directory;
  if (i32[directory + IdTree.Top] === NONE) return 0;
  number.set(high, low, 0, 0);
  return findInIdTree(slab, directory, SLICE_WORDS, number);
}

/** Record of the first slice from (high, low) on, 0 when there is none. */
export function sliceFrom(slab: Slab, root: ArrayRef, high: number, low: number): number {
  const only = (root << 1) + Root.Only;
  if (blockOf(slab, only) !== NONE) {
    const order = compareUnsigned(numberHighAt(slab, only), numberLowAt(slab, only), high, low);
    return order >= 0 ? only : 0;
  }
  number.set(high, low, 0, 0);
  cursor.seek(slab, (root << 1) + Root.Directory, SLICE_WORDS, number);
  return cursor.at;
}

/** Record of the last slice up to (high, low), 0 when there is none. */
export function sliceUpTo(slab: Slab, root: ArrayRef, high: number, low: number): number {
  const only = (root << 1) + Root.Only;
  if (blockOf(slab, only) !== NONE) {
    const order = compareUnsigned(numberHighAt(slab, only), numberLowAt(slab, only), high, low);
    return order <= 0 ? only : 0;
  }
  number.set(high, low, 0, 0);
  return floorInIdTree(slab, (root << 1) + Root.Directory, SLICE_WORDS, number);
}

/** Record of the last slice, 0 when there is none. */
export function lastSlice(slab: Slab, root: ArrayRef): number {
  const only = (root << 1) + Root.Only;
  if (blockOf(slab, only) !== NONE) return only;
  return lastInIdTree(slab, (root << 1) + Root.Directory, SLICE_WORDS);
}

/**
 * The record of a new slice (high, low): its number is written, the rest is the caller's. Other
 * records may have moved. Memory was reserved.
 */
export function addRecord(slab: Slab, root: ArrayRef, high: number, low: number): number {
  const only = (root << 1) + Root.Only;
  const directory = (root << 1) + Root.Directory;
  if (blockOf(slab, only) !== NONE) {
    number.set(numberHighAt(slab, only), numberLowAt(slab, only), 0, 0);
    moveSlice(slab, only, insertInIdTree(slab, directory, SLICE_WORDS, number));
  } else if (slab.i32[directory + IdTree.Top] === NONE) {
    setNumber(slab, only, high, low);
    return only;
  }
  number.set(high, low, 0, 0);
  return insertInIdTree(slab, directory, SLICE_WORDS, number);
}

// ── Reading and writing slots ────────────────────────────────────────────────────────────────

/** The slot at a position, EMPTY when it has no value. */
export function slotAt(slab: Slab, root: ArrayRef, high: number, low: number): number {
  const at = findSlice(slab, root, numberHighOf(high), numberLowOf(high, low));
  return at === 0 ? EMPTY : slotIn(slab, at, offsetOf(low));
}

/**
 * Gives a position the value u8[start, start + length); true when it had none. `expected` is how
 * many values are about to follow each other from here on, this one included. Memory was reserved.
 */
export function setValue(
  slab: Slab,
  root: ArrayRef,
  position: Position,
  u8: Uint8Array,
  start: number,
  length: number,
  expected: number,
): boolean {
  const word = createSlot(slab, u8, start, length);
  countBytes(slab, root, slotBytes(slab, word));
  return setSlot(slab, root, position, word, expected);
}

/** As setValue, for a slot whose value is counted already. */
export function setSlot(
  slab: Slab,
  root: ArrayRef,
  position: Position,
  word: number,
  expected: number,
): boolean {
  const { i32 } = slab;
  const { high, low } = position;
  const numberHigh = numberHighOf(high);
  const numberLow = numberLowOf(high, low);
  const offset = offsetOf(low);
  let at = findSlice(slab, root, numberHigh, numberLow);
  if (at === 0) {
    at = addRecord(slab, root, numberHigh, numberLow);
    createSlice(slab, at, offset, expected, i32[arrayWalkAt(root)]! & Walk.EpochMask);
  }
  saveOffsetsFirst(slab, arrayWalkAt(root), at, offset, offset);
  const place = openPlace(slab, at, offset);
  const old = i32[place]!;
  i32[place] = word;
  if (old !== EMPTY) {
    countBytes(slab, root, -slotBytes(slab, old));
    releaseSlot(slab, old);
    return false;
  }
  const rootAt = root << 1;
  i32[rootAt + Root.Count] = i32[rootAt + Root.Count]! + 1;
  const lengthHigh = i32[rootAt + Root.LengthHigh]!;
  const lengthLow = i32[rootAt + Root.LengthLow]!;
  if (compareUnsigned(high, low, lengthHigh, lengthLow) >= 0) {
    i32[rootAt + Root.LengthLow] = low + 1;
    i32[rootAt + Root.LengthHigh] = low === -1 ? high + 1 : high;
  }
  return true;
}

/** Bytes of values' blocks that the array holds more, or less. */
export function countBytes(slab: Slab, root: ArrayRef, bytes: number): void {
  const at = (root << 1) + Root.Granules;
  if (bytes !== 0) slab.i32[at] = slab.i32[at]! + (bytes >> GRANULE_SHIFT);
}

/** Takes the value at a position away; false when it has none. */
export function deleteValue(slab: Slab, root: ArrayRef, position: Position): boolean {
  const { i32 } = slab;
  const { high, low } = position;
  const at = findSlice(slab, root, numberHighOf(high), numberLowOf(high, low));
  if (at === 0) return false;
  const place = findPlace(slab, at, offsetOf(low));
  const word = place === 0 ? EMPTY : i32[place]!;
  if (word === EMPTY) return false;
  saveOffsetsFirst(slab, arrayWalkAt(root), at, offsetOf(low), offsetOf(low));
  countBytes(slab, root, -slotBytes(slab, word));
  releaseSlot(slab, word);
  i32[place] = EMPTY;
  closePlace(slab, at, offsetOf(low));
  if (sliceCount(slab, at) === 0) removeSlice(slab, root, at);
  const rootAt = root << 1;
  i32[rootAt + Root.Count] = i32[rootAt + Root.Count]! - 1;
  if (isLast(slab, root, high, low)) findLength(slab, root);
  return true;
}

/** Frees the block of a slice without values, and takes out its record. */
export function removeSlice(slab: Slab, root: ArrayRef, at: number): void {
  release(slab, blockOf(slab, at) as BlockRef);
  if (at === (root << 1) + Root.Only) {
    clearSlice(slab, at);
    return;
  }
  number.set(numberHighAt(slab, at), numberLowAt(slab, at), 0, 0);
  removeFromIdTree(slab, (root << 1) + Root.Directory, SLICE_WORDS, number);
}

function isLast(slab: Slab, root: ArrayRef, high: number, low: number): boolean {
  const at = root << 1;
  const nextLow = (low + 1) | 0;
  const nextHigh = nextLow === 0 ? (high + 1) | 0 : high;
  return slab.i32[at + Root.LengthLow] === nextLow && slab.i32[at + Root.LengthHigh] === nextHigh;
}

/** `count` values have gone with their slots; the length may be less now. */
export function countRemoved(slab: Slab, root: ArrayRef, count: number): void {
  const at = root << 1;
  slab.i32[at + Root.Count] = slab.i32[at + Root.Count]! - count;
  findLength(slab, root);
}

/** Measures the length anew. */
function findLength(slab: Slab, root: ArrayRef): void {
  const { i32 } = slab;
  const rootAt = root << 1;
  const at = lastSlice(slab, root);
  let high = 0;
  let low = 0;
  if (at !== 0) {
    const numberLow = numberLowAt(slab, at);
    high = highOf(numberHighAt(slab, at), numberLow);
    low = (lowOf(numberLow, lastOffset(slab, at)) + 1) | 0;
    if (low === 0) high++;
  }
  i32[rootAt + Root.LengthHigh] = high;
  i32[rootAt + Root.LengthLow] = low;
}

// ── Memory ───────────────────────────────────────────────────────────────────────────────────

/** Bytes of a root, and of the entry of a new key besides the key. */
export const NEW_ARRAY_BYTES = ROOT_BYTES + 64;

/** Bytes that a value of `length` may take besides its slot, pages begun included. */
export function valueReserve(length: number): number {
  const bytes = valueBytes(length);
  return bytes + (bytes >>> 3) + 16;
}

/** Bytes that slots for `count` values in a row may take. */
export function rowReserve(count: number): number {
  // A single slot is within what a reservation leaves for small blocks.
  if (count === 1) return 0;
  const slices = Math.ceil(count / SLICE_SLOTS) + 1;
  return Math.min(slices * SLICE_BYTES_MAX, count * 24 + SLICE_BYTES_MAX) + recordsReserve(slices);
}

/**
 * Bytes that slots for `count` values anywhere may take, which come in `runs` of neighbours in one
 * slice.
 */
export function scatteredReserve(slab: Slab, root: ArrayRef, count: number, runs: number): number {
  if (count === 1) return 0;
  const old = root === NONE ? 0 : Math.min(runs, countSlices(slab, root));
  const values = root === NONE ? count : arrayCount(slab, root) + count;
  // A window has four slots for each of its values at the most, and half of that to grow; and no
  // slice is larger than slices get.
  const grown = Math.min(old * SLICE_BYTES_MAX, old * 64 + values * 24);
  const bytes = grown + SLICE_BYTES_MAX + runs * 64 + count * 24;
  return bytes + recordsReserve(runs);
}

function recordsReserve(slices: number): number {
  return slices === 1 ? ID_TREE_RESERVE_BYTES : idTreeReserve(slices, SLICE_WORDS);
}

/** About as much as arrayBytes, found quickly. */
export function arrayRoughBytes(slab: Slab, root: ArrayRef): number {
  const slots = arrayCount(slab, root) * 4 + countSlices(slab, root) * SLICE_WORDS * 4;
  return slots + (slab.i32[(root << 1) + Root.Granules]! << GRANULE_SHIFT);
}

/** Bytes of everything the array holds. */
export function arrayBytes(slab: Slab, root: ArrayRef): number {
  const at = root << 1;
  let bytes = capacityOf(slab, root as number as BlockRef);
  bytes += slab.i32[at + Root.Granules]! << GRANULE_SHIFT;
  bytes += idTreeBytes(slab, at + Root.Directory);
  const only = at + Root.Only;
  if (blockOf(slab, only) !== NONE) return bytes + sliceBytes(slab, only);
  number.set(0, 0, 0, 0);
  let isThere = cursor.seek(slab, at + Root.Directory, SLICE_WORDS, number);
  for (; isThere; isThere = cursor.next()) bytes += sliceBytes(slab, cursor.at);
  return bytes;
}

/** Gives `to` all that `from` has, but for its cursor; `from` has nothing then. */
export function moveArray(slab: Slab, from: ArrayRef, to: ArrayRef): void {
  const { i32 } = slab;
  const source = from << 1;
  const target = to << 1;
  for (let word = 0; word < Root.Walk; word++) i32[target + word] = i32[source + word]!;
  i32.fill(0, source, source + Root.Words);
  clearIdTree(slab, source + Root.Directory);
}

/** Copies what is not in slices: cursor, count, length. */
export function copyFacts(slab: Slab, root: ArrayRef, target: Slab, copy: ArrayRef): void {
  for (let word: number = Root.Count; word < Root.Granules; word++) {
    target.i32[(copy << 1) + word] = slab.i32[(root << 1) + word]!;
  }
}

/** Asserts what must hold of an array. */
export function checkArray(slab: Slab, root: ArrayRef): void {
  const { i32 } = slab;
  const rootAt = root << 1;
  const directory = rootAt + Root.Directory;
  checkIdTree(slab, directory, SLICE_WORDS);
  const hasOnly = blockOf(slab, rootAt + Root.Only) !== NONE;
  assert(!hasOnly || idTreeCount(slab, directory) === 0, 'the only slice stands in the root');
  let count = 0;
  let bytes = 0;
  let slices = 0;
  let at = sliceFrom(slab, root, 0, 0);
  while (at !== 0) {
    checkSlice(slab, at);
    checkRunEpochs(slab, arrayWalkAt(root), at);
    count += sliceCount(slab, at);
    for (let place = 0; place < placesOf(slab, at); place++) {
      const word = i32[placeAt(slab, at, place)]!;
      if (word === EMPTY) continue;
      checkSlot(slab, word);
      bytes += slotBytes(slab, word);
      const offset = isSparse(slab, at)
        ? pairOffset(slab, at, place)
        : windowFirst(slab, at) + place;
      assert(slotIn(slab, at, offset) === word, 'a slot is found by its offset');
    }
    slices++;
    const next = numberLowAt(slab, at) + 1;
    at = sliceFrom(slab, root, numberHighAt(slab, at) + (next === 0 ? 1 : 0), next | 0);
  }
  assert(slices === countSlices(slab, root), 'all slices are found');
  assert(count === i32[rootAt + Root.Count], 'the count is of the values');
  assert(bytes === i32[rootAt + Root.Granules]! << GRANULE_SHIFT, 'the bytes are of the values');
  const high = i32[rootAt + Root.LengthHigh];
  const low = i32[rootAt + Root.LengthLow];
  findLength(slab, root);
  const isExact = i32[rootAt + Root.LengthHigh] === high && i32[rootAt + Root.LengthLow] === low;
  assert(isExact, 'the length ends behind the last value');
}
