// What the keyspace does with an array as a whole.

import { PAGE_BYTES } from '../../slab/alloc.js';
import type { Slab } from '../../slab/slab.js';
import type { Encoding, ValueKind } from '../kind.js';
import {
  type ArrayRef,
  addRecord,
  arrayBytes,
  arrayCount,
  arrayRoughBytes,
  arrayWalkAt,
  checkArray,
  copyFacts,
  countBytes,
  createArray,
  lastSlice,
  moveArrayBlocks,
  releaseRoot,
  removeSlice,
  sliceFrom,
} from './array.js';
import { copySlice, numberHighAt, numberLowAt, placeAt, placesOf, truncateSlice } from './slice.js';
import { copySlot, EMPTY, isBlock, slotBytes } from './slot.js';
import { releasePlaces } from './walk.js';

export const arrayKind: ValueKind = {
  encodingName: () => 'sliced-array',

  length(slab: Slab, _encoding: Encoding, root: number): number {
    return arrayCount(slab, root as ArrayRef);
  },

  freeStep(slab: Slab, _encoding: Encoding, root: number, budget: number): boolean {
    if (!freeArrayStep(slab, root as ArrayRef, budget)) return false;
    releaseRoot(slab, root as ArrayRef);
    return true;
  },

  copyReserve(slab: Slab, _encoding: Encoding, root: number): number {
    // What is copied in order is no larger; an eighth and some pages are for spans begun.
    const bytes = arrayBytes(slab, root as ArrayRef);
    return bytes + (bytes >>> 3) + PAGE_BYTES * 16;
  },

  copy(slab: Slab, _encoding: Encoding, root: number, target: Slab): number {
    return copyArray(slab, root as ArrayRef, target);
  },

  heldBytes(slab: Slab, _encoding: Encoding, root: number): number {
    return arrayBytes(slab, root as ArrayRef);
  },

  move: (slab, _encoding, root, place) => moveArrayBlocks(slab, root as ArrayRef, place),

  walkAt: (_encoding: Encoding, root: number) => arrayWalkAt(root as ArrayRef),

  roughBytes: (slab: Slab, _encoding: Encoding, root: number) =>
    arrayRoughBytes(slab, root as ArrayRef),

  check(slab: Slab, _encoding: Encoding, root: number): void {
    checkArray(slab, root as ArrayRef);
  },
};

/**
 * Frees about `budget` slots from the end; true when no slice is left. Only freeing may follow
 * until then.
 */
export function freeArrayStep(slab: Slab, root: ArrayRef, budget: number): boolean {
  for (let at = lastSlice(slab, root); at !== 0; at = lastSlice(slab, root)) {
    if (budget <= 0) return false;
    const places = placesOf(slab, at);
    const left = Math.max(0, places - budget);
    releasePlaces(slab, root, at, left, places);
    budget -= places - left + 1;
    if (left > 0) truncateSlice(slab, at, left);
    else removeSlice(slab, root, at);
  }
  return true;
}

function copyArray(slab: Slab, root: ArrayRef, target: Slab): ArrayRef {
  const copy = createArray(target);
  copyFacts(slab, root, target, copy);
  let at = sliceFrom(slab, root, 0, 0);
  while (at !== 0) {
    const high = numberHighAt(slab, at);
    const low = numberLowAt(slab, at);
    const to = addRecord(target, copy, high, low);
    copySlice(slab, at, target, to);
    copyValues(target, copy, to, slab);
    const next = (low + 1) | 0;
    // The root of the copy may lie in the slab of the original: nothing in that has moved.
    at = sliceFrom(slab, root, next === 0 ? high + 1 : high, next);
  }
  return copy;
}

/** Gives the copied slots values of their own. */
function copyValues(target: Slab, copy: ArrayRef, at: number, slab: Slab): void {
  const base = placeAt(target, at, 0);
  const places = placesOf(target, at);
  let bytes = 0;
  for (let place = base; place < base + places; place++) {
    const word = target.i32[place]!;
    if (word === EMPTY || !isBlock(word)) continue;
    const copied = copySlot(slab, word, target);
    target.i32[place] = copied;
    bytes += slotBytes(target, copied);
  }
  countBytes(target, copy, bytes);
}
