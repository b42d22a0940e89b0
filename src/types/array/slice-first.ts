// The share of a slice in the walk of a snapshot through its array (structs/walked.ts). Nodes are
// runs of 128 slots, because 4096 values may be long: each has a bit of the slice's record for its
// epoch. A node is told to whoever writes it by the record and the run, in one number:
//
//   node = word index of the record × 32 + run
//
// The record stays where it is while the node is written, and no longer.

import { assert } from '../../base/assert.js';
import type { Slab } from '../../slab/slab.js';
import type { TakeNode } from '../../structs/table-first.js';
import { isWalked, keyOrder, Walk, walkedNodes } from '../../structs/walked.js';
import { SLICE_SLOTS } from './position.js';
import {
  isSparse,
  pairOffset,
  pairsBefore,
  placeAt,
  runEpochs,
  setRunEpochs,
  sliceCapacity,
  sliceCount,
  windowFirst,
} from './slice.js';
import { EMPTY } from './slot.js';

const RUNS = 32;
export const RUN_SLOTS = SLICE_SLOTS / RUNS;
const RUN_SHIFT = 7;
assert(1 << RUN_SHIFT === RUN_SLOTS, 'a run is found by shifting');
const ORDER = keyOrder(0);

function nodeOf(at: number, run: number): number {
  return at * RUNS + run;
}

/** Word index of the record of a node. */
export function recordOfNode(node: number): number {
  return Math.floor(node / RUNS);
}

export function runOfNode(node: number): number {
  return node % RUNS;
}

function isSeen(slab: Slab, walkAt: number, at: number, run: number): boolean {
  const epoch = slab.i32[walkAt]! & Walk.EpochMask;
  return ((runEpochs(slab, at) >>> run) & 1) === epoch;
}

function see(slab: Slab, at: number, run: number): void {
  setRunEpochs(slab, at, runEpochs(slab, at) ^ (1 << run));
}

/** Slots at offsets [low, high] of a slice are about to change: the walk has them first. */
export function saveOffsetsFirst(
  slab: Slab,
  walkAt: number,
  at: number,
  low: number,
  high: number,
): void {
  if (!isWalked(slab, walkAt)) return;
  for (let run = low >>> RUN_SHIFT; run <= high >>> RUN_SHIFT; run++) {
    if (isSeen(slab, walkAt, at, run)) continue;
    if (findRun(slab, at, run)) walkedNodes.save(slab, walkAt, nodeOf(at, run), ORDER);
    see(slab, at, run);
  }
}

/** Takes over runs of a slice from `run` on until `isEnough`; returns the next, 32 at its end. */
export function walkSlice(
  slab: Slab,
  walkAt: number,
  at: number,
  run: number,
  take: TakeNode,
  isEnough: () => boolean,
): number {
  let next = run;
  for (; next < RUNS && (next === run || !isEnough()); next++) {
    if (isSeen(slab, walkAt, at, next)) continue;
    if (findRun(slab, at, next)) take(slab, walkAt, nodeOf(at, next), ORDER);
    see(slab, at, next);
  }
  return next;
}

/** What findRun has found: places of the slice's block, of which those of a window may be empty. */
export const foundRun = { from: 0, end: 0 };

/** Finds the values of a run, from the first to the last; false when it has none. */
export function findRun(slab: Slab, at: number, run: number): boolean {
  const low = run << RUN_SHIFT;
  let from: number;
  let end: number;
  if (isSparse(slab, at)) {
    from = pairsBefore(slab, at, low);
    end = pairsBefore(slab, at, low + RUN_SLOTS);
  } else {
    const first = windowFirst(slab, at);
    const base = placeAt(slab, at, 0);
    from = Math.max(0, low - first);
    end = Math.min(sliceCapacity(slab, at), low + RUN_SLOTS - first);
    while (from < end && slab.i32[base + from] === EMPTY) from++;
    while (from < end && slab.i32[base + end - 1] === EMPTY) end--;
  }
  foundRun.from = from;
  foundRun.end = end;
  return from < end && sliceCount(slab, at) > 0;
}

/** The offset of a place of the slice's block. */
export function offsetAt(slab: Slab, at: number, place: number): number {
  return isSparse(slab, at) ? pairOffset(slab, at, place) : windowFirst(slab, at) + place;
}

/** Asserts that no walk has left a run behind. */
export function checkRunEpochs(slab: Slab, walkAt: number, at: number): void {
  if (isWalked(slab, walkAt)) return;
  const epoch = slab.i32[walkAt]! & Walk.EpochMask;
  assert(runEpochs(slab, at) === -epoch, 'the runs of a slice have the epoch of their array');
}
