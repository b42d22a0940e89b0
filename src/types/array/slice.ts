// A slice of an array: 4096 slots of which some are taken. Where many are, they lie in a window,
// a plain array of slots; where few are, in pairs of offset and slot, in order of the offsets.
//
//   record of a slice, 8 words: in the array's root, or in its directory (stream/id-tree.ts)
//   ┌────────────────────────┬───────┬───────┬────────────────────────────────────────┬────────┐
//   │ number: high, low,0, 0 │ block │ count │ first offset 13│ capacity 13│ sparse 1 │ epochs │
//   └────────────────────────┴───────┴───────┴────────────────────────────────────────┴────────┘
//    as the IDs of the directory                                            see slice-first.ts
//
//   block of a dense slice                     block of a sparse slice
//   ┌──────────────────────┬─────┬──           ┌──────┬──────┬── … ──┬────────────┬────────┬──
//   │ slot of first offset │ …   │ …           │ slot │ slot │ …     │ offset 2 B │ offset │ …
//   └──────────────────────┴─────┴──           └──────┴──────┴── … ──┴────────────┴────────┴──
//    capacity words, 0 where empty              capacity words        capacity offsets
//
// A window may be four times as wide as its slots are many before they are packed into pairs (6
// bytes each); pairs become a window again when that takes two slots for each at the most. So a
// slice that grows and shrinks does not go back and forth.

import { assert } from '../../base/assert.js';
import { allocate, type BlockRef, capacityOf, release, roundedBytes } from '../../slab/alloc.js';
import { moveAt } from '../../slab/moving.js';
import { NONE, type Slab } from '../../slab/slab.js';
import { ID_WORDS } from '../stream/id.js';
import { SLICE_SLOTS } from './position.js';
import { EMPTY, moveSlot } from './slot.js';

const enum Slice {
  NumberHigh = 0,
  NumberLow = 1,
  Block = 4,
  Count = Block + 1,
  Window = Count + 1,
  /** Of a snapshot's walk, see slice-first.ts. */
  Epochs = Window + 1,
  Words = Epochs + 1,
}
assert((Slice.Block as number) === ID_WORDS, 'a record begins with an ID');

/** Words of a record. */
export const SLICE_WORDS = Slice.Words;

const enum Pair {
  Low = 0,
  High = 1,
  OffsetBytes = 2,
  /** An offset and a slot. */
  Bytes = 6,
}

const FIELD_BITS = 13;
const FIELD_MASK = (1 << FIELD_BITS) - 1;
const SPARSE_BIT = 1 << (2 * FIELD_BITS);

/** A window at the most so many times as wide as it has slots in use. */
const SPREAD_MAX = 4;
/** Pairs become a window that is at the most so many times as wide. */
const SPREAD_OF_PAIRS = 2;
/** Room that is not worth taking back. */
const SLACK_SLOTS = 16;
const FIRST_SLOTS = 4;

/** The most that a slice's block takes, and what opening one slot of it may allocate. */
export const SLICE_BYTES_MAX = SLICE_SLOTS * 4;

// ── The record ───────────────────────────────────────────────────────────────────────────────

/** The block, NONE where a record has no slice. */
export function blockOf(slab: Slab, at: number): number {
  return slab.i32[at + Slice.Block]!;
}

/** Slots in use. */
export function sliceCount(slab: Slab, at: number): number {
  return slab.i32[at + Slice.Count]!;
}

export function isSparse(slab: Slab, at: number): boolean {
  return (slab.i32[at + Slice.Window]! & SPARSE_BIT) !== 0;
}

/** Slots, or pairs, that the block has room for. */
export function sliceCapacity(slab: Slab, at: number): number {
  return (slab.i32[at + Slice.Window]! >>> FIELD_BITS) & FIELD_MASK;
}

/** The offset of the first slot of a window. */
export function windowFirst(slab: Slab, at: number): number {
  return slab.i32[at + Slice.Window]! & FIELD_MASK;
}

function setWindow(slab: Slab, at: number, block: number, first: number, capacity: number): void {
  slab.i32[at + Slice.Block] = block;
  slab.i32[at + Slice.Window] = first | (capacity << FIELD_BITS);
}

function setPairs(slab: Slab, at: number, block: number, capacity: number): void {
  slab.i32[at + Slice.Block] = block;
  slab.i32[at + Slice.Window] = SPARSE_BIT | (capacity << FIELD_BITS);
}

/** High and low word of the slice's number. */
export function numberHighAt(slab: Slab, at: number): number {
  return slab.i32[at + Slice.NumberHigh]!;
}

export function numberLowAt(slab: Slab, at: number): number {
  return slab.i32[at + Slice.NumberLow]!;
}

/** Writes the number of a record that stands outside of the directory. */
export function setNumber(slab: Slab, at: number, high: number, low: number): void {
  const { i32 } = slab;
  i32.fill(0, at + Slice.NumberHigh, at + Slice.Block);
  i32[at + Slice.NumberHigh] = high;
  i32[at + Slice.NumberLow] = low;
}

/** Gives a record the slice of another, which has none afterwards. */
export function moveSlice(slab: Slab, from: number, to: number): void {
  const { i32 } = slab;
  for (let word: number = Slice.Block; word < Slice.Words; word++) {
    i32[to + word] = i32[from + word]!;
  }
  clearSlice(slab, from);
}

/** The record has no slice. */
export function clearSlice(slab: Slab, at: number): void {
  slab.i32[at + Slice.Block] = NONE;
  slab.i32[at + Slice.Count] = 0;
  slab.i32[at + Slice.Window] = 0;
  slab.i32[at + Slice.Epochs] = 0;
}

/** A bit for each run of slots: has a snapshot's walk handed it over? See slice-first.ts. */
export function runEpochs(slab: Slab, at: number): number {
  return slab.i32[at + Slice.Epochs]!;
}

export function setRunEpochs(slab: Slab, at: number, epochs: number): void {
  slab.i32[at + Slice.Epochs] = epochs;
}

/** Bytes of the slice's block. */
export function sliceBytes(slab: Slab, at: number): number {
  return capacityOf(slab, blockOf(slab, at) as BlockRef);
}

// ── Pairs ────────────────────────────────────────────────────────────────────────────────────

/** Byte where the offsets of the pairs begin. */
function offsetsAt(slab: Slab, at: number): number {
  return ((blockOf(slab, at) << 1) + sliceCapacity(slab, at)) * 4;
}

/** The offset of pair `index`. */
export function pairOffset(slab: Slab, at: number, index: number): number {
  const { u8 } = slab;
  const byte = offsetsAt(slab, at) + index * Pair.OffsetBytes;
  return u8[byte + Pair.Low]! | (u8[byte + Pair.High]! << 8);
}

function writeOffset(u8: Uint8Array, byte: number, offset: number): void {
  u8[byte + Pair.Low] = offset;
  u8[byte + Pair.High] = offset >>> 8;
}

/** Word index of the slot of pair or place `index` in the block. */
export function placeAt(slab: Slab, at: number, index: number): number {
  return (blockOf(slab, at) << 1) + index;
}

/** How many pairs have an offset below `offset`. */
export function pairsBefore(slab: Slab, at: number, offset: number): number {
  const { u8 } = slab;
  const offsets = offsetsAt(slab, at);
  let low = 0;
  let high = sliceCount(slab, at);
  while (low < high) {
    const middle = (low + high) >>> 1;
    const byte = offsets + middle * Pair.OffsetBytes;
    if ((u8[byte + Pair.Low]! | (u8[byte + Pair.High]! << 8)) < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Moves pairs [from, count) to `to`. */
function movePairs(slab: Slab, at: number, from: number, to: number): void {
  const { i32, u8 } = slab;
  const end = sliceCount(slab, at);
  if (from >= end) return;
  const slots = placeAt(slab, at, 0);
  const offsets = offsetsAt(slab, at);
  i32.copyWithin(slots + to, slots + from, slots + end);
  u8.copyWithin(
    offsets + to * Pair.OffsetBytes,
    offsets + from * Pair.OffsetBytes,
    offsets + end * Pair.OffsetBytes,
  );
}

// ── Finding ──────────────────────────────────────────────────────────────────────────────────

/** The slot at `offset`, EMPTY when there is none. */
export function slotIn(slab: Slab, at: number, offset: number): number {
  const place = findPlace(slab, at, offset);
  return place === 0 ? EMPTY : slab.i32[place]!;
}

/** Word index of the slot at `offset`, which may be empty; 0 when the block has none. */
export function findPlace(slab: Slab, at: number, offset: number): number {
  const window = slab.i32[at + Slice.Window]!;
  if ((window & SPARSE_BIT) === 0) {
    const index = offset - (window & FIELD_MASK);
    // A negative index is a great unsigned one.
    if (index >>> 0 >= window >>> FIELD_BITS) return 0;
    return placeAt(slab, at, index);
  }
  const index = pairsBefore(slab, at, offset);
  if (index === sliceCount(slab, at) || pairOffset(slab, at, index) !== offset) return 0;
  return placeAt(slab, at, index);
}

/** The least offset in use. The slice is not empty. */
export function firstOffset(slab: Slab, at: number): number {
  if (isSparse(slab, at)) return pairOffset(slab, at, 0);
  const { i32 } = slab;
  const first = placeAt(slab, at, 0);
  let place = first;
  while (i32[place] === EMPTY) place++;
  return windowFirst(slab, at) + place - first;
}

/** The greatest offset in use. The slice is not empty. */
export function lastOffset(slab: Slab, at: number): number {
  if (isSparse(slab, at)) return pairOffset(slab, at, sliceCount(slab, at) - 1);
  const { i32 } = slab;
  const first = placeAt(slab, at, 0);
  let place = first + sliceCapacity(slab, at) - 1;
  while (i32[place] === EMPTY) place--;
  return windowFirst(slab, at) + place - first;
}

// ── Blocks ───────────────────────────────────────────────────────────────────────────────────

function createBlock(slab: Slab, bytes: number): BlockRef {
  const block = allocate(slab, bytes);
  assert(block !== NONE, 'memory for a slice was reserved');
  return block;
}

/** Slots of a block that has room for `slots`, or for a few more, but no more than `most`. */
function slotsOf(slots: number, most: number): number {
  return Math.min(most, roundedBytes(slots * 4) >>> 2);
}

/**
 * A record's new slice: a window from `offset` on for `expected` values, all of it empty. `epoch`
 * is that of the array.
 */
export function createSlice(
  slab: Slab,
  at: number,
  offset: number,
  expected: number,
  epoch: number,
): void {
  const most = SLICE_SLOTS - offset;
  const capacity = slotsOf(Math.min(most, Math.max(expected, FIRST_SLOTS)), most);
  const block = createBlock(slab, capacity * 4);
  setWindow(slab, at, block, offset, capacity);
  slab.i32[at + Slice.Count] = 0;
  slab.i32[at + Slice.Epochs] = -epoch;
  slab.i32.fill(EMPTY, block << 1, (block << 1) + capacity);
}

/** The slots in use, from offset `low` to `high` at the most, go into a window from `first` on. */
function makeWindow(
  slab: Slab,
  at: number,
  block: BlockRef,
  first: number,
  capacity: number,
  low: number,
  high: number,
): void {
  const { i32 } = slab;
  const target = (block << 1) - first;
  const old = blockOf(slab, at);
  i32.fill(EMPTY, block << 1, (block << 1) + capacity);
  if (isSparse(slab, at)) {
    const count = sliceCount(slab, at);
    const slots = placeAt(slab, at, 0);
    for (let index = 0; index < count; index++) {
      i32[target + pairOffset(slab, at, index)] = i32[slots + index]!;
    }
  } else {
    const source = (old << 1) - windowFirst(slab, at);
    i32.copyWithin(target + low, source + low, source + high + 1);
  }
  setWindow(slab, at, block, first, capacity);
  release(slab, old as BlockRef);
}

/** Bytes of a block for so many pairs, or a few more. */
function pairsBytes(pairs: number): number {
  return roundedBytes(pairs * Pair.Bytes);
}

/** The slots in use go into a block of so many bytes as pairs. */
function makePairs(slab: Slab, at: number, block: BlockRef, bytes: number): void {
  const { i32, u8 } = slab;
  const capacity = Math.min(SLICE_SLOTS, (bytes / Pair.Bytes) | 0);
  const slots = block << 1;
  const offsets = (slots + capacity) * 4;
  const old = blockOf(slab, at);
  const count = sliceCount(slab, at);
  if (isSparse(slab, at)) {
    const from = offsetsAt(slab, at);
    i32.copyWithin(slots, old << 1, (old << 1) + count);
    u8.copyWithin(offsets, from, from + count * Pair.OffsetBytes);
  } else {
    const first = windowFirst(slab, at);
    let index = 0;
    for (let place = 0; index < count; place++) {
      const word = i32[(old << 1) + place]!;
      if (word === EMPTY) continue;
      i32[slots + index] = word;
      writeOffset(u8, offsets + index * Pair.OffsetBytes, first + place);
      index++;
    }
  }
  setPairs(slab, at, block, capacity);
  release(slab, old as BlockRef);
}

// ── Opening and closing slots ────────────────────────────────────────────────────────────────

/**
 * Word index of the slot at `offset`. If it is EMPTY, the slice counts it as taken now and the
 * caller fills it. Memory was reserved.
 */
export function openPlace(slab: Slab, at: number, offset: number): number {
  const { i32 } = slab;
  let place = findPlace(slab, at, offset);
  if (place !== 0) {
    if (i32[place] === EMPTY) i32[at + Slice.Count] = i32[at + Slice.Count]! + 1;
    return place;
  }
  if (!isSparse(slab, at)) widen(slab, at, offset);
  else if (sliceCount(slab, at) === sliceCapacity(slab, at)) growPairs(slab, at, offset);
  if (isSparse(slab, at)) place = insertPair(slab, at, offset);
  else place = findPlace(slab, at, offset);
  i32[at + Slice.Count] = i32[at + Slice.Count]! + 1;
  return place;
}

function insertPair(slab: Slab, at: number, offset: number): number {
  const index = pairsBefore(slab, at, offset);
  movePairs(slab, at, index, index + 1);
  writeOffset(slab.u8, offsetsAt(slab, at) + index * Pair.OffsetBytes, offset);
  const place = placeAt(slab, at, index);
  slab.i32[place] = EMPTY;
  return place;
}

/** Makes a window hold `offset`, which lies outside, or makes pairs of it. */
function widen(slab: Slab, at: number, offset: number): void {
  const most = SPREAD_MAX * (sliceCount(slab, at) + 1);
  const first = windowFirst(slab, at);
  const last = first + sliceCapacity(slab, at) - 1;
  if (Math.max(last, offset) - Math.min(first, offset) < most) {
    widenTo(slab, at, offset, first, last);
    return;
  }
  // The window's ends may be empty.
  const low = firstOffset(slab, at);
  const high = lastOffset(slab, at);
  if (Math.max(high, offset) - Math.min(low, offset) < most) {
    widenTo(slab, at, offset, low, high);
  } else {
    const bytes = pairsBytes(sliceCount(slab, at) + 2);
    makePairs(slab, at, createBlock(slab, bytes), bytes);
  }
}

/** A window over [low, high] and `offset`, with half as much room again where it grows. */
function widenTo(slab: Slab, at: number, offset: number, low: number, high: number): void {
  let first = Math.min(low, offset);
  let end = Math.max(high, offset) + 1;
  const half = (end - first) >>> 1;
  if (offset < low) first = Math.max(0, first - half);
  else end = Math.min(SLICE_SLOTS, end + half);
  const capacity = slotsOf(end - first, SLICE_SLOTS - first);
  makeWindow(slab, at, createBlock(slab, capacity * 4), first, capacity, low, high);
}

/** Pairs that fill their block become more of them, or a window if that is small enough. */
function growPairs(slab: Slab, at: number, offset: number): void {
  const count = sliceCount(slab, at);
  const low = pairOffset(slab, at, 0);
  const high = pairOffset(slab, at, count - 1);
  const span = Math.max(high, offset) - Math.min(low, offset) + 1;
  if (span <= SPREAD_OF_PAIRS * (count + 1)) {
    widenTo(slab, at, offset, low, high);
    return;
  }
  const bytes = pairsBytes(count + 1 + (count >>> 2));
  makePairs(slab, at, createBlock(slab, bytes), bytes);
}

/** The slot at `offset`, which the caller has emptied, is not in use any more. */
export function closePlace(slab: Slab, at: number, offset: number): void {
  const { i32 } = slab;
  if (isSparse(slab, at)) {
    const index = pairsBefore(slab, at, offset);
    movePairs(slab, at, index + 1, index);
  }
  i32[at + Slice.Count] = i32[at + Slice.Count]! - 1;
  tighten(slab, at);
}

/** As closePlace, for `count` slots in [low, high], all that are in use there. */
export function closePlaces(slab: Slab, at: number, low: number, high: number, count: number) {
  const { i32 } = slab;
  if (isSparse(slab, at)) {
    const index = pairsBefore(slab, at, low);
    movePairs(slab, at, index + count, index);
  } else {
    const first = windowFirst(slab, at);
    const from = Math.max(0, low - first);
    const end = Math.min(sliceCapacity(slab, at), high - first + 1);
    if (from < end) i32.fill(EMPTY, placeAt(slab, at, from), placeAt(slab, at, end));
  }
  i32[at + Slice.Count] = i32[at + Slice.Count]! - count;
  tighten(slab, at);
}

/**
 * Takes back room where much of it is empty. The smaller block is allocated before the larger one
 * is freed; when a full slab has no room for it, the slice stays as it is.
 */
function tighten(slab: Slab, at: number): void {
  const count = sliceCount(slab, at);
  const capacity = sliceCapacity(slab, at);
  if (count === 0) return;
  if (isSparse(slab, at)) {
    if (capacity > 2 * count + SLACK_SLOTS) tightenPairs(slab, at);
    return;
  }
  if (capacity <= SPREAD_MAX * count + SLACK_SLOTS) return;
  const low = firstOffset(slab, at);
  const high = lastOffset(slab, at);
  const span = high - low + 1;
  if (span > SPREAD_OF_PAIRS * count) {
    tightenPairs(slab, at);
    return;
  }
  const slots = slotsOf(span, SLICE_SLOTS - low);
  const block = allocate(slab, slots * 4);
  if (block !== NONE) makeWindow(slab, at, block, low, slots, low, high);
}

function tightenPairs(slab: Slab, at: number): void {
  const count = sliceCount(slab, at);
  const bytes = pairsBytes(count + (count >>> 2));
  const block = allocate(slab, bytes);
  if (block !== NONE) makePairs(slab, at, block, bytes);
}

// ── Whole slices ─────────────────────────────────────────────────────────────────────────────

/** Lets a slice forget its slots from place `index` on, which have been freed: for freeing. */
export function truncateSlice(slab: Slab, at: number, index: number): void {
  const { i32 } = slab;
  if (isSparse(slab, at)) i32[at + Slice.Count] = index;
  else setWindow(slab, at, blockOf(slab, at), windowFirst(slab, at), index);
}

/** Places of the block to look at: pairs in use, or the whole window. */
export function placesOf(slab: Slab, at: number): number {
  return isSparse(slab, at) ? sliceCount(slab, at) : sliceCapacity(slab, at);
}

/** Moves block and values together with others (slab/moving.ts). */
export function moveSliceBlocks(slab: Slab, at: number): void {
  const { i32 } = slab;
  moveAt(slab, at + Slice.Block);
  const first = placeAt(slab, at, 0);
  const end = first + placesOf(slab, at);
  for (let place = first; place < end; place++) i32[place] = moveSlot(slab, i32[place]!);
}

/** A copy of the block, slots and all, for the record at `to` of `target`. Memory was reserved. */
export function copySlice(slab: Slab, at: number, target: Slab, to: number): void {
  const bytes = sliceCapacity(slab, at) * (isSparse(slab, at) ? Pair.Bytes : 4);
  const block = createBlock(target, bytes);
  const from = blockOf(slab, at) * 8;
  target.u8.set(slab.u8.subarray(from, from + bytes), block * 8);
  target.i32[to + Slice.Block] = block;
  target.i32[to + Slice.Count] = sliceCount(slab, at);
  target.i32[to + Slice.Window] = slab.i32[at + Slice.Window]!;
  target.i32[to + Slice.Epochs] = 0;
}

/** Asserts what must hold of a slice. */
export function checkSlice(slab: Slab, at: number): void {
  const { i32 } = slab;
  const count = sliceCount(slab, at);
  const capacity = sliceCapacity(slab, at);
  assert(count > 0 && count <= capacity, 'a slice has slots in use, and no more than it has');
  const first = placeAt(slab, at, 0);
  if (isSparse(slab, at)) {
    assert(capacity * Pair.Bytes <= sliceBytes(slab, at), 'pairs fit their block');
    for (let index = 0; index < count; index++) {
      assert(i32[first + index] !== EMPTY, 'a pair has a value');
      const offset = pairOffset(slab, at, index);
      assert(offset < SLICE_SLOTS, 'an offset lies in the slice');
      if (index > 0) assert(pairOffset(slab, at, index - 1) < offset, 'offsets ascend');
    }
    return;
  }
  assert(capacity * 4 <= sliceBytes(slab, at), 'a window fits its block');
  assert(windowFirst(slab, at) + capacity <= SLICE_SLOTS, 'a window lies in the slice');
  let used = 0;
  for (let place = first; place < first + capacity; place++) if (i32[place] !== EMPTY) used++;
  assert(used === count, 'the count is of the slots in use');
}
