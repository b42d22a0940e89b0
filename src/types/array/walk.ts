// Walking over the values of an array between two positions, up or down. The work is that of the
// slices met, whatever the distance: empty slices do not exist, and pairs are all in use. Any
// change ends the walk.

import { NONE, type Slab } from '../../slab/slab.js';
import {
  type ArrayRef,
  arrayWalkAt,
  countBytes,
  countRemoved,
  removeSlice,
  sliceFrom,
  sliceUpTo,
} from './array.js';
import {
  compareUnsigned,
  highOf,
  lowOf,
  numberHighOf,
  numberLowOf,
  offsetOf,
  Position,
  SLICE_SLOTS,
} from './position.js';
import {
  closePlaces,
  isSparse,
  numberHighAt,
  numberLowAt,
  pairOffset,
  pairsBefore,
  placeAt,
  sliceCapacity,
  sliceCount,
  windowFirst,
} from './slice.js';
import { saveOffsetsFirst } from './slice-first.js';
import { EMPTY, releaseSlot, slotBytes } from './slot.js';

const LAST_OFFSET = SLICE_SLOTS - 1;

export class ArrayWalk {
  /** Where the walk is. */
  readonly position = new Position();
  /** The slot there. */
  word = EMPTY;
  /** Word index of the slot. */
  place = 0;

  private slab: Slab | null = null;
  private root = NONE as ArrayRef;
  private isUp = true;
  private readonly last = new Position();
  /** Number of the slice to look at next, or from which on. */
  private numberHigh = 0;
  private numberLow = 0;
  private isOver = true;
  /** Offset where to begin in the next slice. */
  private entry = 0;
  /** The slice that the walk is in, and the places in it that are left: `next` to `end`. */
  private slice = 0;
  private isInPairs = false;
  private nextPlace = 0;
  private endPlace = 0;
  /** Word index of place 0, and the offset of place 0 of a window. */
  private base = 0;
  private first = 0;

  /** Stands before the first value on the way from `from` to `to`, both included. */
  open(slab: Slab, root: ArrayRef, from: Position, to: Position): void {
    this.slab = slab;
    this.root = root;
    this.isUp = compareUnsigned(from.high, from.low, to.high, to.low) <= 0;
    this.last.copyFrom(to);
    this.numberHigh = numberHighOf(from.high);
    this.numberLow = numberLowOf(from.high, from.low);
    this.entry = offsetOf(from.low);
    this.slice = 0;
    this.isOver = root === NONE;
  }

  /** Steps to the next value; false when there is none. */
  next(): boolean {
    const { i32 } = this.slab!;
    while (this.slice !== 0 || this.nextSlice()) {
      const { endPlace, base } = this;
      const step = this.isUp ? 1 : -1;
      for (let place = this.nextPlace; place !== endPlace; place += step) {
        const word = i32[base + place]!;
        if (word === EMPTY) continue;
        this.word = word;
        this.place = base + place;
        this.nextPlace = place + step;
        this.position.low = lowOf(
          this.numberLow,
          this.isInPairs ? pairOffset(this.slab!, this.slice, place) : this.first + place,
        );
        return true;
      }
      this.leaveSlice();
    }
    return false;
  }

  /** Goes into the next slice on the way; false when there is none. */
  private nextSlice(): boolean {
    if (this.isOver) return false;
    const slab = this.slab!;
    const find = this.isUp ? sliceFrom : sliceUpTo;
    const at = find(slab, this.root, this.numberHigh, this.numberLow);
    if (at === 0) return this.end();
    const high = numberHighAt(slab, at);
    const low = numberLowAt(slab, at);
    // A slice behind the first one is gone through from its end.
    const isFirst = high === this.numberHigh && low === this.numberLow;
    const from = isFirst ? this.entry : this.isUp ? 0 : LAST_OFFSET;
    const lastHigh = numberHighOf(this.last.high);
    const lastLow = numberLowOf(this.last.high, this.last.low);
    const order = compareUnsigned(high, low, lastHigh, lastLow);
    if (this.isUp ? order > 0 : order < 0) return this.end();
    const lastOffset = offsetOf(this.last.low);
    const to = order === 0 ? lastOffset : this.isUp ? LAST_OFFSET : 0;
    this.numberHigh = high;
    this.numberLow = low;
    this.position.high = highOf(high, low);
    this.isOver = order === 0;
    this.slice = at;
    this.base = placeAt(slab, at, 0);
    this.isInPairs = isSparse(slab, at);
    if (this.isUp) this.setPlaces(from, to);
    else this.setPlaces(to, from);
    return true;
  }

  /** The places of the slice whose offsets lie in [low, high]. */
  private setPlaces(low: number, high: number): void {
    const slab = this.slab!;
    const { slice } = this;
    let from: number;
    let end: number;
    if (this.isInPairs) {
      from = pairsBefore(slab, slice, low);
      end = high === LAST_OFFSET ? sliceCount(slab, slice) : pairsBefore(slab, slice, high + 1);
    } else {
      this.first = windowFirst(slab, slice);
      from = Math.max(0, low - this.first);
      end = Math.min(sliceCapacity(slab, slice), high - this.first + 1);
    }
    if (from >= end) from = end = 0;
    this.nextPlace = this.isUp ? from : end - 1;
    this.endPlace = this.isUp ? end : from - 1;
  }

  private leaveSlice(): void {
    this.slice = 0;
    // The number of the next slice at the nearest; over the ends of the numbers there is none.
    if (this.isUp) {
      this.numberLow = (this.numberLow + 1) | 0;
      if (this.numberLow === 0) this.numberHigh++;
      this.entry = 0;
      return;
    }
    if (this.numberLow === 0) {
      if (this.numberHigh === 0) this.isOver = true;
      this.numberHigh--;
    }
    this.numberLow = (this.numberLow - 1) | 0;
    this.entry = LAST_OFFSET;
  }

  private end(): boolean {
    this.isOver = true;
    return false;
  }
}

// ── Ranges ───────────────────────────────────────────────────────────────────────────────────

/** Takes the values at [low, high] away, low being the lesser; returns how many there were. */
export function deleteRange(slab: Slab, root: ArrayRef, low: Position, high: Position): number {
  const lastHigh = numberHighOf(high.high);
  const lastLow = numberLowOf(high.high, high.low);
  let numberHigh = numberHighOf(low.high);
  let numberLow = numberLowOf(low.high, low.low);
  let from = offsetOf(low.low);
  let removed = 0;
  for (;;) {
    const at = sliceFrom(slab, root, numberHigh, numberLow);
    if (at === 0) break;
    const foundHigh = numberHighAt(slab, at);
    const foundLow = numberLowAt(slab, at);
    const order = compareUnsigned(foundHigh, foundLow, lastHigh, lastLow);
    if (order > 0) break;
    if (foundHigh !== numberHigh || foundLow !== numberLow) from = 0;
    removed += clearOffsets(slab, root, at, from, order === 0 ? offsetOf(high.low) : LAST_OFFSET);
    if (order === 0) break;
    numberLow = (foundLow + 1) | 0;
    numberHigh = numberLow === 0 ? foundHigh + 1 : foundHigh;
    from = 0;
  }
  if (removed > 0) countRemoved(slab, root, removed);
  return removed;
}

/** Takes the values at offsets [low, high] of a slice away, and the slice if none is left. */
function clearOffsets(slab: Slab, root: ArrayRef, at: number, low: number, high: number): number {
  let from: number;
  let end: number;
  if (isSparse(slab, at)) {
    from = pairsBefore(slab, at, low);
    end = pairsBefore(slab, at, high + 1);
  } else {
    const first = windowFirst(slab, at);
    from = Math.max(0, low - first);
    end = Math.min(sliceCapacity(slab, at), high - first + 1);
  }
  saveOffsetsFirst(slab, arrayWalkAt(root), at, low, high);
  const count = releasePlaces(slab, root, at, from, end);
  if (count === sliceCount(slab, at)) removeSlice(slab, root, at);
  else if (count > 0) closePlaces(slab, at, low, high, count);
  return count;
}

/** Frees what the slots at places [from, end) refer to; returns how many are in use. */
export function releasePlaces(
  slab: Slab,
  root: ArrayRef,
  at: number,
  from: number,
  end: number,
): number {
  const { i32 } = slab;
  const base = placeAt(slab, at, 0);
  let count = 0;
  let bytes = 0;
  for (let place = from; place < end; place++) {
    const word = i32[base + place]!;
    if (word === EMPTY) continue;
    bytes += slotBytes(slab, word);
    releaseSlot(slab, word);
    count++;
  }
  countBytes(slab, root, -bytes);
  return count;
}

// ── Measures ─────────────────────────────────────────────────────────────────────────────────

export interface SliceMeasures {
  /** Slices with a window, the slots of their windows, and how many of these are in use. */
  dense: number;
  denseSlots: number;
  denseValues: number;
  /** Slices with pairs, and how many pairs they have room for. */
  sparse: number;
  sparseSlots: number;
}

/** Looks at every slice, for people. */
export function measureSlices(slab: Slab, root: ArrayRef): SliceMeasures {
  const sums = { dense: 0, denseSlots: 0, denseValues: 0, sparse: 0, sparseSlots: 0 };
  let at = sliceFrom(slab, root, 0, 0);
  while (at !== 0) {
    if (isSparse(slab, at)) {
      sums.sparse++;
      sums.sparseSlots += sliceCapacity(slab, at);
    } else {
      sums.dense++;
      sums.denseSlots += sliceCapacity(slab, at);
      sums.denseValues += sliceCount(slab, at);
    }
    const low = (numberLowAt(slab, at) + 1) | 0;
    at = sliceFrom(slab, root, numberHighAt(slab, at) + (low === 0 ? 1 : 0), low);
  }
  return sums;
}
