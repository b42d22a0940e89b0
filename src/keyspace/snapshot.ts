// The keyspace at one instant, while everybody goes on writing: one partition's share of it, under
// the partition's lock.
//
// - The cut raises the partition's epoch. A bucket with another epoch has not changed since then.
// - The walk goes from bucket to bucket, hands over what has the old epoch, and gives it the new.
// - Whoever changes a bucket with the old epoch hands it over first: the doors of partition.ts do.
// - A bucket that is made after the cut is born with the new epoch, and its keys with it. One that
//   is made by a split has that of the bucket it comes from; buckets are merged only where their
//   epochs agree (structs/table.ts). So at every moment an entry of the cut is either handed over,
//   or stands, unchanged, in a bucket with the old epoch.
//
// The walk uses scan positions, bucket by bucket number: a split or a merge never moves an entry
// from before the walk to behind it unless its bucket has the epoch that says so. When the walk has
// passed the last position, no bucket has the old epoch any more, so four bits are enough for it.
//
// Databases are told apart by their roots: Root.Cut says which number the database had at the cut,
// and wanders with the root when SWAPDB swaps it. FLUSHDB and FLUSHALL take the root with all it
// holds out of the keyspace (detached.ts), and the walk goes on there.

import { assert } from '../base/assert.js';
import { DATABASE_WORDS, Header, NONE, type Slab } from '../slab/slab.js';
import {
  bucketAtPosition,
  epochOf,
  nextPosition,
  SCAN_END,
  setEpoch,
  TableRoot,
} from '../structs/table.js';
import { leftRootAt, releaseLeftRoot } from './detached.js';
import { ExpiryRoot } from './expire.js';
import type { Partition } from './partition.js';
import { Root } from './root.js';

const EPOCH_MASK = 0xf;

/**
 * Takes over all entries in the chain of a first bucket, of the database that had this number at
 * the cut. It changes nothing of the partition. False: enough for this hold of the lock.
 */
export type TakeBucket = (slab: Slab, bucket: number, database: number) => boolean;

/** Has a walk yet to finish with this partition? */
export function isWalked(slab: Slab): boolean {
  return slab.i32[Header.WalkedRoots] !== 0;
}

/** Is anything of the partition in the hands of a walk? Then its slab cannot just be reset. */
export function isHeld(slab: Slab): boolean {
  return isWalked(slab) || slab.i32[Header.WalkedValues] !== 0;
}

/** How many keys, and how many of them volatile, each database had at the cut. */
export interface CutCounts {
  readonly keys: Float64Array;
  readonly volatileKeys: Float64Array;
}

/** The cut of one partition: all locks are held. Adds the partition's keys to `counts`. */
export function cutPartition({ slab, keyspace }: Partition, counts: CutCounts): void {
  const { i32 } = slab;
  assert(!isHeld(slab), 'one walk at a time');
  i32[Header.Epoch] = (i32[Header.Epoch]! + 1) & EPOCH_MASK;
  for (let database = 0; database < keyspace.databaseCount; database++) {
    const rootAt = Header.Databases + database * DATABASE_WORDS;
    if (i32[rootAt + Root.Table + TableRoot.Directory] === NONE) continue;
    i32[rootAt + Root.Cut] = database + 1;
    i32[rootAt + Root.Walked] = 0;
    i32[Header.WalkedRoots] = i32[Header.WalkedRoots]! + 1;
    const { keys, volatileKeys } = counts;
    keys[database] = keys[database]! + i32[rootAt + Root.Table + TableRoot.Count]!;
    volatileKeys[database] =
      volatileKeys[database]! + i32[rootAt + Root.Expiry + ExpiryRoot.Count]!;
  }
}

/**
 * Goes on with the walk through the partition, over at most `buckets` of them, until `take` has
 * enough. True when the partition is done.
 */
export function walkSnapshot(partition: Partition, buckets: number, take: TakeBucket): boolean {
  const { slab, keyspace } = partition;
  const { i32 } = slab;
  let left = buckets;
  for (let database = 0; isWalked(slab) && database < keyspace.databaseCount; database++) {
    const rootAt = Header.Databases + database * DATABASE_WORDS;
    if (i32[rootAt + Root.Cut] === 0) continue;
    left = walkRoot(slab, rootAt, left, take);
    if (left === 0) return false;
  }
  while (isWalked(slab)) {
    const rootAt = leftRootAt(slab);
    assert(rootAt !== 0, 'a database that is yet to be walked stands somewhere');
    left = walkRoot(slab, rootAt, left, take);
    if (left === 0) return false;
    releaseLeftRoot(slab);
  }
  return true;
}

/** Goes on in one database; returns how many buckets are left to walk, 0 if it is not done. */
function walkRoot(slab: Slab, rootAt: number, buckets: number, take: TakeBucket): number {
  const { i32 } = slab;
  const tableAt = rootAt + Root.Table;
  const epoch = i32[Header.Epoch]!;
  const database = i32[rootAt + Root.Cut]! - 1;
  let position = i32[rootAt + Root.Walked]!;
  let left = buckets;
  while (position < SCAN_END) {
    if (left === 0) {
      i32[rootAt + Root.Walked] = position;
      return 0;
    }
    const bucket = bucketAtPosition(slab, tableAt, position);
    if (bucket === NONE) break;
    left--;
    if (epochOf(slab, bucket) !== epoch) {
      if (!take(slab, bucket, database)) left = 0;
      setEpoch(slab, bucket, epoch);
    }
    position = nextPosition(slab, tableAt, position);
  }
  i32[rootAt + Root.Cut] = 0;
  i32[Header.WalkedRoots] = i32[Header.WalkedRoots]! - 1;
  // Even where the last bucket was one too many: the next call finds the next database.
  return Math.max(left, 1);
}

/** The selected database is about to go, and there is no memory to leave it to the walk. */
export function saveAllFirst(partition: Partition): void {
  const { keyspace, slab, rootAt } = partition;
  walkRoot(slab, rootAt, Number.POSITIVE_INFINITY, (_slab, bucket) => {
    keyspace.sinks.saveFirst(partition, bucket);
    return true;
  });
}
