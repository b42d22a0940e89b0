// The walk of a snapshot through an array (structs/walked.ts): slice by slice, by their numbers.

import type { Slab } from '../../slab/slab.js';
import type { TakeNode } from '../../structs/table-first.js';
import { beginValueWalk, isWalked, WalkKind } from '../../structs/walked.js';
import { type ArrayRef, arrayOfWalk, arrayWalkAt, sliceFrom } from './array.js';
import { SLICE_SLOTS } from './position.js';
import { numberHighAt, numberLowAt } from './slice.js';
import { RUN_SLOTS, saveOffsetsFirst, walkSlice } from './slice-first.js';

export function beginArrayWalk(slab: Slab, root: ArrayRef): void {
  beginValueWalk(slab, arrayWalkAt(root), WalkKind.Array, false);
}

/** All of the array is about to change: the walk has what it has not seen first. */
export function saveArrayFirst(slab: Slab, root: ArrayRef): void {
  const walkAt = arrayWalkAt(root);
  if (!isWalked(slab, walkAt)) return;
  let at = sliceFrom(slab, root, 0, 0);
  while (at !== 0) {
    saveOffsetsFirst(slab, walkAt, at, 0, SLICE_SLOTS - 1);
    const low = (numberLowAt(slab, at) + 1) | 0;
    at = sliceFrom(slab, root, numberHighAt(slab, at) + (low === 0 ? 1 : 0), low);
  }
}

const RUNS = SLICE_SLOTS / RUN_SLOTS;

/** Where the walk is, and the walk. */
export class ArrayPieceWalk {
  private numberHigh = 0;
  private numberLow = 0;
  private run = 0;

  /** Goes on over at most `slices` slices, until `isEnough`. True when it is over. */
  step(
    slab: Slab,
    walkAt: number,
    slices: number,
    take: TakeNode,
    isEnough: () => boolean,
  ): boolean {
    const root = arrayOfWalk(walkAt);
    for (let left = slices; left > 0; left--) {
      const at = sliceFrom(slab, root, this.numberHigh, this.numberLow);
      if (at === 0) return true;
      const high = numberHighAt(slab, at);
      const low = numberLowAt(slab, at);
      if (high !== this.numberHigh || low !== this.numberLow) this.run = 0;
      this.numberHigh = high;
      this.numberLow = low;
      this.run = walkSlice(slab, walkAt, at, this.run, take, isEnough);
      if (this.run === RUNS) {
        this.run = 0;
        this.numberLow = (low + 1) | 0;
        if (this.numberLow === 0) this.numberHigh = high + 1;
      }
      if (isEnough()) return false;
    }
    return false;
  }
}
