// The share of tables in the walk through a large value (walked.ts): nodes are the first buckets of
// chains, with the epoch in the lowest of the bits that the keyspace's buckets have for theirs. A
// split gives both buckets the epoch, buckets are merged only where their epochs agree (table.ts).
// The walk goes by scan positions: an element moves from before it to behind it, or the other way,
// only with a bucket that has the epoch which says so.

import { assert } from '../base/assert.js';
import { NONE, type Slab } from '../slab/slab.js';
import {
  bucketAt,
  bucketAtPosition,
  epochOf,
  nextPosition,
  SCAN_END,
  setEpoch,
  TableRoot,
} from './table.js';
import { isWalked, Order, Walk, walkedNodes } from './walked.js';

/** Something in the bucket for `hash` is about to change: the walk has it first. */
export function saveBucketFirst(slab: Slab, rootAt: number, hash: number): void {
  const walkAt = rootAt + TableRoot.Walk;
  const walk = slab.i32[walkAt]!;
  if ((walk & Walk.Walked) === 0) return;
  const bucket = bucketAt(slab, rootAt, hash);
  if (bucket === 0) return;
  const epoch = walk & Walk.EpochMask;
  if (epochOf(slab, bucket) === epoch) return;
  walkedNodes.save(slab, walkAt, bucket, Order.None);
  setEpoch(slab, bucket, epoch);
}

/** Takes over the elements of a node, for the thread that walks. */
export type TakeNode = (slab: Slab, walkAt: number, node: number, order: number) => void;

/**
 * Goes on with the walk from `position`, over at least one of them and at most `buckets`, until
 * `isEnough`. Returns where it goes on, SCAN_END when it is over.
 */
export function walkTable(
  slab: Slab,
  rootAt: number,
  position: number,
  buckets: number,
  take: TakeNode,
  isEnough: () => boolean,
): number {
  const walkAt = rootAt + TableRoot.Walk;
  const epoch = slab.i32[walkAt]! & Walk.EpochMask;
  let at = position;
  for (let left = buckets; at < SCAN_END; left--) {
    const bucket = bucketAtPosition(slab, rootAt, at);
    // The table is gone, with all that was in it.
    if (bucket === NONE) return SCAN_END;
    if (epochOf(slab, bucket) !== epoch) {
      take(slab, walkAt, bucket, Order.None);
      setEpoch(slab, bucket, epoch);
    }
    at = nextPosition(slab, rootAt, at);
    if (left <= 1 || isEnough()) break;
  }
  return at;
}

/** Asserts that no walk has left a bucket behind. */
export function checkTableEpochs(slab: Slab, rootAt: number): void {
  const walkAt = rootAt + TableRoot.Walk;
  if (isWalked(slab, walkAt)) return;
  const epoch = slab.i32[walkAt]! & Walk.EpochMask;
  for (let at = 0; at < SCAN_END; at = nextPosition(slab, rootAt, at)) {
    const bucket = bucketAtPosition(slab, rootAt, at);
    if (bucket === NONE) return;
    assert(epochOf(slab, bucket) === epoch, 'a bucket has the epoch of its table');
  }
}
