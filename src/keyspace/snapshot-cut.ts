// The cut of a snapshot: the instant that all partitions agree on. It holds all locks for a few
// microseconds, and gets them without standing in anybody's way for longer: it only tries, and
// where a lock is busy it lets go of those it has and tries again.

import { sleep } from '../base/clock.js';
import {
  type Holder,
  type LockPlaces,
  releaseLock,
  releaseLocks,
  takeLock,
  takeLocks,
  tryLocks,
} from '../slab/lock.js';
import { Header } from '../slab/slab.js';
import type { Keyspace } from './keyspace.js';
import { type CutCounts, cutPartition } from './snapshot.js';

/** A round takes a few microseconds, so these are over in about a millisecond. */
const QUICK_ROUNDS = 200;
/** After so many, it waits for each lock once; a command of many seconds is waited for so. */
const ROUNDS = 400;
const PAUSE_MS = 0.1;
/** Times that it waits for each lock in turn before it takes them as any other command does. */
const PATIENCE = 3;

/**
 * Cuts all partitions at one instant; `between` runs in it, with all locks held: it must be quick.
 * Returns how many keys there are in each database.
 */
export function cutKeyspace(keyspace: Keyspace, self: Holder, between: () => void): CutCounts {
  const { partitions, databaseCount } = keyspace;
  const places: LockPlaces = {
    words: partitions.map((partition) => partition.slab.i32),
    ats: Int32Array.from(partitions, () => Header.Lock),
  };
  const all = Int32Array.from(partitions, (_, index) => index);
  const counts = {
    keys: new Float64Array(databaseCount),
    volatileKeys: new Float64Array(databaseCount),
  };
  takeAll(places, all, self);
  for (const partition of partitions) cutPartition(partition, counts);
  between();
  releaseLocks(places, all, all.length);
  return counts;
}

function takeAll(places: LockPlaces, all: Int32Array, self: Holder): void {
  for (let patience = PATIENCE; patience > 0; patience--) {
    for (let round = 0; round < ROUNDS; round++) {
      if (tryLocks(places, all, all.length, self)) return;
      if (round > QUICK_ROUNDS) sleep(PAUSE_MS);
    }
    waitForEach(places, self);
  }
  // So busy that some lock is always taken: in order and with a reservation each comes in turn.
  takeLocks(places, all, all.length, self);
}

/** Until every lock was free once. Nothing else is held, so a long command holds up nobody more. */
function waitForEach(places: LockPlaces, self: Holder): void {
  places.words.forEach((words, partition) => {
    takeLock(words, places.ats[partition]!, self);
    releaseLock(words, places.ats[partition]!);
  });
}
