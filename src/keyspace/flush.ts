// Emptying and swapping databases of one partition, under its lock. When nothing of the partition
// is to stay, its slab is reset, which takes no time at all. Otherwise the entries are freed one by
// one: at once, or detached from their root and freed by the owner in steps (detached.ts).

import { resetSlab } from '../slab/alloc.js';
import { DATABASE_WORDS, Header, NONE, type Slab } from '../slab/slab.js';
import { freeSegmentStep, TableRoot } from '../structs/table.js';
import { detachDatabase, forgetDetached, freeEntryNow } from './detached.js';
import { type EntryRef, keyBytesOf, keyStartOf } from './entry.js';
import { freeExpiryStep } from './expire.js';
import type { Partition } from './partition.js';
import { eachEntry } from './scan.js';
import { isHeld, saveAllFirst } from './snapshot.js';
import { forgetStructures } from './values.js';

/** Removes all keys of all databases. */
export function flushPartition(partition: Partition): void {
  const { databaseCount } = partition.keyspace;
  for (let database = 0; database < databaseCount; database++) tellListeners(partition, database);
  if (!isHeld(partition.slab)) {
    reset(partition);
    return;
  }
  for (let database = 0; database < databaseCount; database++) empty(partition, database, true);
}

/** Removes all keys of one database; detached, its memory comes back in later steps. */
export function flushDatabase(partition: Partition, database: number, isDetached: boolean): void {
  tellListeners(partition, database);
  if (!isHeld(partition.slab) && isAlone(partition, database)) reset(partition);
  else empty(partition, database, isDetached);
}

function empty(partition: Partition, database: number, isDetached: boolean): void {
  const { slab } = partition;
  partition.select(database);
  if (slab.i32[partition.tableRoot + TableRoot.Directory] === NONE) return;
  // What a snapshot has yet to walk through is left to it, whoever else wants it freed at once.
  const isLeft = partition.databaseAtCut !== -1;
  // A slab too full for the little block that holds the root is freed at once instead.
  if ((isDetached || isLeft) && detachDatabase(slab, partition.rootAt)) return;
  if (isLeft) saveAllFirst(partition);
  freeSelected(partition);
  slab.i32[partition.shrinkMark] = 0;
}

/** Swaps all keys of two databases. */
export function swapDatabases(partition: Partition, first: number, second: number): void {
  if (first === second) return;
  const { i32 } = partition.slab;
  if (i32[Header.Listeners] !== 0) {
    partition.keyspace.sinks.swapping(partition, first, second);
    tellSwap(partition, first, second);
    tellSwap(partition, second, first);
  }
  const firstAt = Header.Databases + first * DATABASE_WORDS;
  const secondAt = Header.Databases + second * DATABASE_WORDS;
  for (let word = 0; word < DATABASE_WORDS; word++) {
    const kept = i32[firstAt + word]!;
    i32[firstAt + word] = i32[secondAt + word]!;
    i32[secondAt + word] = kept;
  }
}

/** Is there nothing in the partition but the keys of `database`? */
function isAlone(partition: Partition, database: number): boolean {
  const { databaseCount } = partition.keyspace;
  for (let other = 0; other < databaseCount; other++) {
    if (other !== database && partition.countOf(other) !== 0) return false;
  }
  return true;
}

function reset(partition: Partition): void {
  const { slab, keyspace } = partition;
  const { i32 } = slab;
  const end = Header.Databases + keyspace.databaseCount * DATABASE_WORDS;
  i32.fill(0, Header.Databases, end);
  forgetDetached(slab);
  forgetStructures(slab);
  i32[Header.UpkeepDatabase] = 0;
  i32[Header.UpkeepSegment] = 0;
  // A slab that nobody has used keeps its clean pages.
  if (i32[Header.UsedPages] !== 0) resetSlab(slab);
}

function freeSelected(partition: Partition): void {
  const { slab, tableRoot, expiryRoot } = partition;
  freeExpiryStep(slab, expiryRoot, Number.POSITIVE_INFINITY);
  let place = 0;
  do place = freeSegmentStep(slab, tableRoot, place, freeEntry);
  while (place !== 0);
}

function freeEntry(slab: Slab, ref: number): void {
  freeEntryNow(slab, ref as EntryRef);
}

/** Whoever watches or caches keys of the database hears of each; nobody does, as a rule. */
function tellListeners(partition: Partition, database: number): void {
  const { slab, keyspace } = partition;
  if (slab.i32[Header.Listeners] === 0) return;
  partition.select(database);
  eachEntry(partition, (_slab, ref) => {
    const start = keyStartOf(slab, ref as EntryRef);
    keyspace.sinks.changed(partition, slab.u8, start, keyBytesOf(slab, ref as EntryRef));
  });
}

/** The keys of `source` change in both databases: what was one's value is the other's. */
function tellSwap(partition: Partition, source: number, target: number): void {
  const { slab, keyspace } = partition;
  partition.select(source);
  eachEntry(partition, (_slab, ref) => {
    const start = keyStartOf(slab, ref as EntryRef);
    const length = keyBytesOf(slab, ref as EntryRef);
    keyspace.sinks.swapped(partition, slab.u8, start, length);
    partition.database = target;
    keyspace.sinks.swapped(partition, slab.u8, start, length);
    partition.database = source;
  });
}
