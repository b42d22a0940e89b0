// A binary heap of refs by time, the earliest on top: fields of a hash by their expiry, hashes of a
// partition by the expiry of their next field. What a ref points to keeps its place in the heap in
// its own second word (index + 1, so that 0 can mean "in no heap"): so anything can be taken out or
// given another time without a search.
//
//   root: 2 words           chunk: 256 elements, 3 words each
//   ┌────────┬───────┐      ┌─────┬────────────────────┬─────┬────────────────────┬── …
//   │ blocks │ count │ ──▶  │ ref │ time: low, high    │ ref │ time: low, high    │
//   └────────┴───────┘      └─────┴────────────────────┴─────┴────────────────────┴── …
//                                  int64 ms since 1970
//
// Up to 256 elements `blocks` is the only chunk, whose block grows with it; beyond, it is a
// directory, a word for each chunk. Growing copies a chunk or a directory, never all elements.

import { assert } from '../base/assert.js';
import { allocate, type BlockRef, capacityOf, release } from '../slab/alloc.js';
import { moveAt, moving } from '../slab/moving.js';
import { NONE, type Slab } from '../slab/slab.js';

/** A heap's two words, inside a root or a block of its owner. All zero is an empty heap. */
export const enum HeapRoot {
  Blocks = 0,
  Count = 1,
  Words = 2,
}

const enum Element {
  Ref = 0,
  Low = 1,
  High = 2,
  Words = 3,
}

/** Of the block that a ref points to. */
const enum Owner {
  Place = 1,
}

const ELEMENT_BYTES = Element.Words * 4;
const CHUNK_SHIFT = 8;
const CHUNK_ELEMENTS = 1 << CHUNK_SHIFT;
const CHUNK_MASK = CHUNK_ELEMENTS - 1;
const CHUNK_BYTES = CHUNK_ELEMENTS * ELEMENT_BYTES;
/** Elements that the first block has room for. */
const FIRST_ELEMENTS = 4;
const DIRECTORY_BYTES_MIN = 64;

const TWO_32 = 2 ** 32;

export function heapCount(slab: Slab, rootAt: number): number {
  return slab.i32[rootAt + HeapRoot.Count]!;
}

/** Bytes that pushing `added` elements may allocate. */
export function heapReserve(slab: Slab, rootAt: number, added: number): number {
  const count = slab.i32[rootAt + HeapRoot.Count]! + added;
  const chunks = (count >>> CHUNK_SHIFT) + 1;
  return (((added >>> CHUNK_SHIFT) + 2) * CHUNK_BYTES + chunks * 8 + DIRECTORY_BYTES_MIN) | 0;
}

/** First word of the element at `index`, which is below the count. */
function elementAt(slab: Slab, rootAt: number, index: number): number {
  const { i32 } = slab;
  const blocks = i32[rootAt + HeapRoot.Blocks]! << 1;
  if (i32[rootAt + HeapRoot.Count]! <= CHUNK_ELEMENTS) return blocks + index * Element.Words;
  const chunk = i32[blocks + (index >>> CHUNK_SHIFT)]! << 1;
  return chunk + (index & CHUNK_MASK) * Element.Words;
}

function timeAt(i32: Int32Array, element: number): number {
  return i32[element + Element.High]! * TWO_32 + (i32[element + Element.Low]! >>> 0);
}

/** The ref whose time comes first; the heap is not empty. */
export function topRef(slab: Slab, rootAt: number): number {
  return slab.i32[elementAt(slab, rootAt, 0) + Element.Ref]!;
}

/** The first time, Infinity for an empty heap. Exact below 2^53. */
export function topTime(slab: Slab, rootAt: number): number {
  if (slab.i32[rootAt + HeapRoot.Count] === 0) return Number.POSITIVE_INFINITY;
  return timeAt(slab.i32, elementAt(slab, rootAt, 0));
}

/** The time of what `ref` points to, which is in the heap. */
export function timeOf(slab: Slab, rootAt: number, ref: number): number {
  return timeAt(slab.i32, elementAt(slab, rootAt, placeOf(slab, ref)));
}

export function isInHeap(slab: Slab, ref: number): boolean {
  return slab.i32[(ref << 1) + Owner.Place] !== 0;
}

function placeOf(slab: Slab, ref: number): number {
  return slab.i32[(ref << 1) + Owner.Place]! - 1;
}

/** Adds `ref`, which is in no heap. Memory was reserved. */
export function pushToHeap(slab: Slab, rootAt: number, ref: number, timeMs: number): void {
  const { i32 } = slab;
  const index = i32[rootAt + HeapRoot.Count]!;
  makeRoom(slab, rootAt, index);
  i32[rootAt + HeapRoot.Count] = index + 1;
  const high = Math.floor(timeMs / TWO_32);
  siftUp(slab, rootAt, index, ref, timeMs | 0, high, timeMs);
}

/** Gives `ref`, which is in the heap, another time. */
export function changeTime(slab: Slab, rootAt: number, ref: number, timeMs: number): void {
  const index = placeOf(slab, ref);
  const before = timeAt(slab.i32, elementAt(slab, rootAt, index));
  const low = timeMs | 0;
  const high = Math.floor(timeMs / TWO_32);
  if (timeMs <= before) siftUp(slab, rootAt, index, ref, low, high, timeMs);
  else siftDown(slab, rootAt, index, ref, low, high, timeMs);
}

/** Takes `ref`, which is in the heap, out of it. */
export function removeFromHeap(slab: Slab, rootAt: number, ref: number): void {
  const { i32 } = slab;
  const index = placeOf(slab, ref);
  assert(
    i32[elementAt(slab, rootAt, index) + Element.Ref] === ref,
    'a ref stands where its block says',
  );
  const last = i32[rootAt + HeapRoot.Count]! - 1;
  const lastAt = elementAt(slab, rootAt, last);
  const moved = i32[lastAt + Element.Ref]!;
  const low = i32[lastAt + Element.Low]!;
  const high = i32[lastAt + Element.High]!;
  const before = timeAt(i32, elementAt(slab, rootAt, index));
  i32[(ref << 1) + Owner.Place] = 0;
  giveRoomBack(slab, rootAt, last);
  i32[rootAt + HeapRoot.Count] = last;
  if (index === last) return;
  const time = high * TWO_32 + (low >>> 0);
  if (time <= before) siftUp(slab, rootAt, index, moved, low, high, time);
  else siftDown(slab, rootAt, index, moved, low, high, time);
}

/**
 * The block at `from`, a copy of which now stands at `to`, is in the heap: makes the heap refer to
 * the copy.
 */
export function movedInHeap(slab: Slab, rootAt: number, from: number, to: number): void {
  const at = elementAt(slab, rootAt, placeOf(slab, from));
  slab.i32[at + Element.Ref] = to;
  slab.i32[(to << 1) + Owner.Place] = slab.i32[(from << 1) + Owner.Place]!;
}

/** What the heap refers to stands at `ref` now, its place copied along. */
export function refMoved(slab: Slab, rootAt: number, ref: number): void {
  slab.i32[elementAt(slab, rootAt, placeOf(slab, ref)) + Element.Ref] = ref;
}

function put(
  i32: Int32Array,
  element: number,
  index: number,
  ref: number,
  low: number,
  high: number,
): void {
  i32[element + Element.Ref] = ref;
  i32[element + Element.Low] = low;
  i32[element + Element.High] = high;
  i32[(ref << 1) + Owner.Place] = index + 1;
}

function siftUp(
  slab: Slab,
  rootAt: number,
  index: number,
  ref: number,
  low: number,
  high: number,
  time: number,
): void {
  const { i32 } = slab;
  let at = elementAt(slab, rootAt, index);
  while (index > 0) {
    const parent = (index - 1) >>> 1;
    const parentAt = elementAt(slab, rootAt, parent);
    if (timeAt(i32, parentAt) <= time) break;
    copyElement(i32, parentAt, at, index);
    index = parent;
    at = parentAt;
  }
  put(i32, at, index, ref, low, high);
}

function siftDown(
  slab: Slab,
  rootAt: number,
  index: number,
  ref: number,
  low: number,
  high: number,
  time: number,
): void {
  const { i32 } = slab;
  const count = i32[rootAt + HeapRoot.Count]!;
  let at = elementAt(slab, rootAt, index);
  for (;;) {
    let child = 2 * index + 1;
    if (child >= count) break;
    let childAt = elementAt(slab, rootAt, child);
    if (child + 1 < count) {
      const otherAt = elementAt(slab, rootAt, child + 1);
      if (timeAt(i32, otherAt) < timeAt(i32, childAt)) {
        child++;
        childAt = otherAt;
      }
    }
    if (timeAt(i32, childAt) >= time) break;
    copyElement(i32, childAt, at, index);
    index = child;
    at = childAt;
  }
  put(i32, at, index, ref, low, high);
}

function copyElement(i32: Int32Array, from: number, to: number, index: number): void {
  put(
    i32,
    to,
    index,
    i32[from + Element.Ref]!,
    i32[from + Element.Low]!,
    i32[from + Element.High]!,
  );
}

/** Memory for the element at `index`, the first behind the last. */
function makeRoom(slab: Slab, rootAt: number, index: number): void {
  const { i32 } = slab;
  const blocks = i32[rootAt + HeapRoot.Blocks]!;
  if (index < CHUNK_ELEMENTS) {
    if (blocks !== NONE && (index + 1) * ELEMENT_BYTES <= capacityOf(slab, blocks as BlockRef)) {
      return;
    }
    const elements = Math.min(CHUNK_ELEMENTS, Math.max(FIRST_ELEMENTS, index * 2));
    const grown = take(slab, elements * ELEMENT_BYTES);
    replaceBlocks(slab, rootAt, grown, index * Element.Words);
    return;
  }
  if ((index & CHUNK_MASK) !== 0) return;
  // The count still is what it was: at the first directory, `blocks` is the only chunk.
  if (index === CHUNK_ELEMENTS) {
    const directory = take(slab, DIRECTORY_BYTES_MIN);
    i32[directory << 1] = blocks;
    i32[rootAt + HeapRoot.Blocks] = directory;
  }
  const chunk = index >>> CHUNK_SHIFT;
  const directory = i32[rootAt + HeapRoot.Blocks]!;
  const bytes = capacityOf(slab, directory as BlockRef);
  if ((chunk + 1) * 4 > bytes) replaceBlocks(slab, rootAt, take(slab, bytes * 2), chunk);
  i32[(i32[rootAt + HeapRoot.Blocks]! << 1) + chunk] = take(slab, CHUNK_BYTES);
}

/** The element at `last` goes, the last of all: frees what held no other. */
function giveRoomBack(slab: Slab, rootAt: number, last: number): void {
  const { i32 } = slab;
  const blocks = i32[rootAt + HeapRoot.Blocks]!;
  if (last === 0) {
    release(slab, blocks as BlockRef);
    i32[rootAt + HeapRoot.Blocks] = NONE;
    return;
  }
  if (last < CHUNK_ELEMENTS || (last & CHUNK_MASK) !== 0) return;
  release(slab, i32[(blocks << 1) + (last >>> CHUNK_SHIFT)]! as BlockRef);
  if (last !== CHUNK_ELEMENTS) return;
  i32[rootAt + HeapRoot.Blocks] = i32[blocks << 1]!;
  release(slab, blocks as BlockRef);
}

function take(slab: Slab, bytes: number): BlockRef {
  const block = allocate(slab, bytes);
  assert(block !== NONE, 'memory for a heap was reserved');
  return block;
}

function replaceBlocks(slab: Slab, rootAt: number, next: BlockRef, words: number): void {
  const { i32 } = slab;
  const previous = i32[rootAt + HeapRoot.Blocks]!;
  if (previous !== NONE) {
    const from = previous << 1;
    i32.copyWithin(next << 1, from, from + words);
    release(slab, previous as BlockRef);
  }
  i32[rootAt + HeapRoot.Blocks] = next;
}

/**
 * Moves the heap's own blocks together (slab/moving.ts), from chunk `chunk` on, until the budget is
 * spent. Returns the chunk to go on with, 0 when all have been met.
 */
export function moveHeap(slab: Slab, rootAt: number, chunk: number): number {
  const { i32 } = slab;
  if (i32[rootAt + HeapRoot.Blocks] === NONE) return 0;
  if (chunk === 0) moveAt(slab, rootAt + HeapRoot.Blocks);
  const count = i32[rootAt + HeapRoot.Count]!;
  if (count <= CHUNK_ELEMENTS) return 0;
  const directoryAt = i32[rootAt + HeapRoot.Blocks]! << 1;
  const chunks = ((count - 1) >>> CHUNK_SHIFT) + 1;
  for (let at = chunk; at < chunks; at++) {
    if (moving.units <= 0 && at > chunk) return at;
    moveAt(slab, directoryAt + at);
  }
  return 0;
}

/** Frees the heap's blocks; what it refers to is the caller's, and its places are not reset. */
export function freeHeap(slab: Slab, rootAt: number): void {
  const { i32 } = slab;
  const blocks = i32[rootAt + HeapRoot.Blocks]!;
  const count = i32[rootAt + HeapRoot.Count]!;
  if (blocks === NONE) return;
  if (count > CHUNK_ELEMENTS) {
    for (let chunk = 0; chunk <= (count - 1) >>> CHUNK_SHIFT; chunk++) {
      release(slab, i32[(blocks << 1) + chunk]! as BlockRef);
    }
  }
  release(slab, blocks as BlockRef);
  i32[rootAt + HeapRoot.Blocks] = NONE;
  i32[rootAt + HeapRoot.Count] = 0;
}

/** Bytes that the heap's blocks hold. */
export function heapBytes(slab: Slab, rootAt: number): number {
  const blocks = slab.i32[rootAt + HeapRoot.Blocks]!;
  if (blocks === NONE) return 0;
  const count = slab.i32[rootAt + HeapRoot.Count]!;
  const bytes = capacityOf(slab, blocks as BlockRef);
  if (count <= CHUNK_ELEMENTS) return bytes;
  return bytes + (((count - 1) >>> CHUNK_SHIFT) + 1) * CHUNK_BYTES;
}

/** Walks the heap and asserts its order and its places. */
export function checkHeap(slab: Slab, rootAt: number): void {
  const { i32 } = slab;
  const count = i32[rootAt + HeapRoot.Count]!;
  assert((count === 0) === (i32[rootAt + HeapRoot.Blocks] === NONE), 'an empty heap has no block');
  for (let index = 0; index < count; index++) {
    const at = elementAt(slab, rootAt, index);
    const ref = i32[at + Element.Ref]!;
    assert(ref !== NONE && placeOf(slab, ref) === index, 'a ref keeps its place in the heap');
    if (index === 0) continue;
    const parentAt = elementAt(slab, rootAt, (index - 1) >>> 1);
    assert(timeAt(i32, parentAt) <= timeAt(i32, at), 'no element is earlier than its parent');
  }
}
