// Emptying and swapping databases of one partition, under its lock. When nothing of the partition
// is to stay, its slab is reset, which takes no time at all. Otherwise the entries are freed one by
// one: at once, or detached from their root and freed by the owner in steps.
//
//   detached database, one block, linked from the slab's header
//   ┌──────┬──────────────────────────────┬─────────────────────┬───────┐
//   │ next │ table: directory depth count │ expiry: wheel count │ place │
//   └──────┴──────────────────────────────┴─────────────────────┴───────┘
//                                                                where freeing goes on

import { allocate, type BlockRef, release, resetSlab } from '../slab/alloc.js';
import { DATABASE_WORDS, Header, NONE, type Slab } from '../slab/slab.js';
import { freeSegmentStep, TableRoot } from '../structs/table.js';
import { type EntryRef, keyBytesOf, keyStartOf, releaseEntry } from './entry.js';
import { ExpiryRoot, freeExpiryStep } from './expire.js';
import type { Partition } from './partition.js';
import { eachEntry } from './scan.js';

const enum Detached {
  Next = 0,
  Table = Next + 1,
  Expiry = Table + TableRoot.Words,
  Place = Expiry + ExpiryRoot.Words,
  Words = Place + 1,
}

const DETACHED_BYTES = Detached.Words * 4;
/** What freeing a segment costs besides its entries, in entries. */
const SEGMENT_COST = 16;

/** Removes all keys of all databases. */
export function flushPartition(partition: Partition): void {
  const { databaseCount } = partition.keyspace;
  for (let database = 0; database < databaseCount; database++) tellListeners(partition, database);
  reset(partition);
}

/** Removes all keys of one database; detached, its memory comes back in freeDetachedStep. */
export function flushDatabase(partition: Partition, database: number, isDetached: boolean): void {
  const { slab } = partition;
  tellListeners(partition, database);
  if (isAlone(partition, database)) {
    reset(partition);
    return;
  }
  partition.select(database);
  if (slab.i32[partition.tableRoot + TableRoot.Directory] === NONE) return;
  // A slab too full for the little block that holds the root is freed at once instead.
  const isKept = isDetached && detach(partition);
  if (!isKept) freeSelected(partition);
  slab.i32[partition.shrinkMark] = 0;
}

/** Swaps all keys of two databases. */
export function swapDatabases(partition: Partition, first: number, second: number): void {
  if (first === second) return;
  const { i32 } = partition.slab;
  tellSwap(partition, first, second);
  tellSwap(partition, second, first);
  const firstAt = Header.Databases + first * DATABASE_WORDS;
  const secondAt = Header.Databases + second * DATABASE_WORDS;
  for (let word = 0; word < DATABASE_WORDS; word++) {
    const kept = i32[firstAt + word]!;
    i32[firstAt + word] = i32[secondAt + word]!;
    i32[secondAt + word] = kept;
  }
}

/**
 * Frees about `budget` entries of detached databases. True when there are none left. One step frees
 * a segment at the least: some 300 entries.
 */
export function freeDetachedStep(partition: Partition, budget: number): boolean {
  const { slab } = partition;
  const { i32 } = slab;
  while (i32[Header.Detached] !== NONE) {
    if (budget <= 0) return false;
    const node = i32[Header.Detached]!;
    const at = node << 1;
    const before = i32[at + Detached.Table + TableRoot.Count]!;
    if (!freeExpiryStep(slab, at + Detached.Expiry, budget)) return false;
    freeing = partition;
    i32[at + Detached.Place] = freeSegmentStep(
      slab,
      at + Detached.Table,
      i32[at + Detached.Place]!,
      freeEntry,
    );
    const freed = before - i32[at + Detached.Table + TableRoot.Count]!;
    i32[Header.LazyFreed] = i32[Header.LazyFreed]! + freed;
    budget -= freed + SEGMENT_COST;
    if (i32[at + Detached.Place] === 0) {
      i32[Header.Detached] = i32[at + Detached.Next]!;
      release(slab, node as BlockRef);
    }
  }
  return true;
}

/** Entries that are detached and not yet freed. */
export function detachedCountOf(partition: Partition): number {
  const { i32 } = partition.slab;
  let count = 0;
  for (let node = i32[Header.Detached]!; node !== NONE; ) {
    count += i32[(node << 1) + Detached.Table + TableRoot.Count]!;
    node = i32[(node << 1) + Detached.Next]!;
  }
  return count;
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
  i32[Header.Detached] = NONE;
  i32[Header.UpkeepDatabase] = 0;
  i32[Header.UpkeepSegment] = 0;
  // A slab that nobody has used keeps its clean pages.
  if (i32[Header.UsedPages] !== 0) resetSlab(slab);
}

/** Hangs the selected root into the list of the header; false when there is no memory for that. */
function detach(partition: Partition): boolean {
  const { slab } = partition;
  const { i32 } = slab;
  const node = allocate(slab, DETACHED_BYTES);
  if (node === NONE) return false;
  const at = node << 1;
  i32[at + Detached.Next] = i32[Header.Detached]!;
  for (let word = 0; word < TableRoot.Words; word++) {
    i32[at + Detached.Table + word] = i32[partition.tableRoot + word]!;
    i32[partition.tableRoot + word] = 0;
  }
  for (let word = 0; word < ExpiryRoot.Words; word++) {
    i32[at + Detached.Expiry + word] = i32[partition.expiryRoot + word]!;
    i32[partition.expiryRoot + word] = 0;
  }
  i32[at + Detached.Place] = 0;
  i32[Header.Detached] = node;
  return true;
}

function freeSelected(partition: Partition): void {
  const { slab, tableRoot, expiryRoot } = partition;
  freeExpiryStep(slab, expiryRoot, Number.POSITIVE_INFINITY);
  freeing = partition;
  let place = 0;
  do place = freeSegmentStep(slab, tableRoot, place, freeEntry);
  while (place !== 0);
}

// The partition that this thread is freeing entries of: a closure each step would be garbage.
let freeing: Partition;

function freeEntry(slab: Slab, ref: number): void {
  const entry = ref as EntryRef;
  freeing.freeValue(entry);
  releaseEntry(slab, entry);
}

/** Whoever watches or caches keys of the database hears of each; nobody does, as a rule. */
function tellListeners(partition: Partition, database: number): void {
  const { slab } = partition;
  if (slab.i32[Header.Listeners] === 0) return;
  partition.select(database);
  eachEntry(partition, (_slab, ref) => tell(partition, ref as EntryRef));
}

/** The keys of `source` change in both databases: what was one's value is the other's. */
function tellSwap(partition: Partition, source: number, target: number): void {
  if (partition.slab.i32[Header.Listeners] === 0) return;
  tellListeners(partition, source);
  eachEntry(partition, (_slab, ref) => {
    partition.database = target;
    tell(partition, ref as EntryRef);
    partition.database = source;
  });
}

function tell(partition: Partition, entry: EntryRef): void {
  const { slab, keyspace } = partition;
  const start = keyStartOf(slab, entry);
  keyspace.sinks.changed(partition, slab.u8, start, keyBytesOf(slab, entry));
}
