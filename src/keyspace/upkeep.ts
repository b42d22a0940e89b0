// What the owner of a partition does for it between commands: removes expired keys, frees detached
// databases and values, shrinks tables after deletions, gives free pages back to the system. In
// steps: the caller takes the partition's lock, calls, releases. No clock is read here and no lock
// is taken.

import { purge } from '../slab/alloc.js';
import { Header, NONE } from '../slab/slab.js';
import { shrinkStep, TableRoot } from '../structs/table.js';
import { freeDetachedStep } from './detached.js';
import type { EntryRef } from './entry.js';
import { advance, ExpiryRoot, freeExpiryStep } from './expire.js';
import { expireFieldsStep } from './field-expiry.js';
import type { Partition } from './partition.js';

/** What a step may do, and with what. */
export interface UpkeepStep {
  /** False while keys must not expire by themselves (DEBUG SET-ACTIVE-EXPIRE 0). */
  readonly expires: boolean;
  readonly nowMs: number;
  /** Gives pages back to the system; null where that is not possible. */
  readonly give: ((byteOffset: number, bytes: number) => void) | null;
  /** Free pages of the partition that are kept for what comes next; DIRTY_PAGES_KEPT at most. */
  readonly pagesKept?: number;
  /** Active defragmentation is on: few free pages are kept, and short runs go back, too. */
  readonly isTight?: boolean;
}

// One step holds the lock for about 50 µs. An expired entry takes some 0.3 µs of it (its key is
// hashed, its bucket and its block are cache misses), a table segment that is looked at 1 µs, one
// that is merged some 10 µs.
const ENTRIES_PER_STEP = 150;
const SEGMENT_COST = 10;

/** A table that lost an eighth of its keys since it was last dense is looked through. */
const DENSE_SHIFT = 3;

/** Dirty pages that are kept for what comes next: 1 MiB, and an eighth of what is in use. */
const DIRTY_PAGES_KEPT = 256;
const DIRTY_SHARE_SHIFT = 3;
/** Runs of 64 KiB are worth a system call; 256 KiB at once keep it short. */
const PURGE_PAGES_MIN = 16;
const PURGE_PAGES_MAX = 64;
/** What is kept besides 1/128 of what is in use, and runs that are given back at once. */
const TIGHT_PAGES_KEPT = 8;
const TIGHT_SHARE_SHIFT = 7;
const TIGHT_RUNS = 8;

/** One step of upkeep, of the most urgent kind. True when there is nothing left to do for now. */
export function upkeepStep(partition: Partition, step: UpkeepStep): boolean {
  if (step.expires && !expireStep(partition, step.nowMs, ENTRIES_PER_STEP)) return false;
  if (step.expires && !expireFieldsStep(partition, step.nowMs, ENTRIES_PER_STEP)) return false;
  if (!freeDetachedStep(partition.slab, ENTRIES_PER_STEP)) return false;
  if (!shrinkTables(partition, ENTRIES_PER_STEP)) return false;
  if (step.give === null) return true;
  if (step.isTight === true) {
    // Once a round: there may be very many short runs, and clients shall not notice.
    purgeTightly(partition, step.give, step.pagesKept);
    return true;
  }
  return !purgeStep(partition, step.give, step.pagesKept);
}

/**
 * Removes up to `budget` keys that have expired before `nowMs`, of all databases. True when no more
 * are due. It does nothing while keys do not expire by the clock (a replica, a replay).
 */
export function expireStep(partition: Partition, nowMs: number, budget: number): boolean {
  const { slab, keyspace } = partition;
  if (!keyspace.expiresByClock || keyspace.keepsExpired) return true;
  expiring = partition;
  for (let database = 0; database < keyspace.databaseCount; database++) {
    if (partition.volatileCountOf(database) === 0) continue;
    partition.select(database);
    budget = advance(slab, partition.expiryRoot, nowMs, budget, expireEntry);
    if (budget === 0) return false;
  }
  return true;
}

// The partition that this thread is expiring entries of: a closure each step would be garbage.
let expiring: Partition;

function expireEntry(entry: EntryRef): void {
  expiring.expire(entry);
}

/**
 * Goes on shrinking the tables of all databases that lost many keys, where the last call stopped.
 * True at the end of a round over the databases.
 */
export function shrinkTables(partition: Partition, budget: number): boolean {
  const { slab, keyspace } = partition;
  const { i32 } = slab;
  let place = i32[Header.UpkeepSegment]!;
  let database = i32[Header.UpkeepDatabase]!;
  for (; database < keyspace.databaseCount; database++) {
    partition.select(database);
    if (place === 0 && !isSparse(partition)) continue;
    do {
      if (budget <= 0) {
        i32[Header.UpkeepDatabase] = database;
        i32[Header.UpkeepSegment] = place;
        return false;
      }
      budget -= SEGMENT_COST;
      place = shrinkStep(slab, partition.tableRoot, place);
    } while (place !== 0);
    endRound(partition);
  }
  i32[Header.UpkeepDatabase] = 0;
  i32[Header.UpkeepSegment] = 0;
  return true;
}

/** Has the selected database lost so many keys that its table may be too large? */
function isSparse(partition: Partition): boolean {
  const { i32 } = partition.slab;
  const count = i32[partition.tableRoot + TableRoot.Count]!;
  const mark = i32[partition.shrinkMark]!;
  if (count > mark) i32[partition.shrinkMark] = count;
  if (count === 0) return i32[partition.tableRoot + TableRoot.Directory] !== NONE;
  return count < mark - (mark >> DENSE_SHIFT);
}

function endRound(partition: Partition): void {
  const { slab } = partition;
  const { i32 } = slab;
  const count = i32[partition.tableRoot + TableRoot.Count]!;
  i32[partition.shrinkMark] = count;
  // An empty database keeps no index; the next volatile key makes a new one.
  if (i32[partition.expiryRoot + ExpiryRoot.Count] !== 0 || count !== 0) return;
  freeExpiryStep(slab, partition.expiryRoot, Number.POSITIVE_INFINITY);
}

/** Gives one run of free pages back when many are held. True when it did. */
export function purgeStep(
  partition: Partition,
  give: (byteOffset: number, bytes: number) => void,
  pagesKept = DIRTY_PAGES_KEPT,
): boolean {
  const { i32 } = partition.slab;
  const share = i32[Header.UsedPages]! >> DIRTY_SHARE_SHIFT;
  const kept = pagesKept < DIRTY_PAGES_KEPT ? pagesKept : DIRTY_PAGES_KEPT + share;
  if (i32[Header.DirtyPages]! <= kept) return false;
  return purge(partition.slab, PURGE_PAGES_MIN, PURGE_PAGES_MAX, give);
}

/** As purgeStep, runs of any length, where active defragmentation leaves nothing to chance. */
function purgeTightly(
  { slab }: Partition,
  give: (byteOffset: number, bytes: number) => void,
  pagesKept = TIGHT_PAGES_KEPT,
): void {
  const { i32 } = slab;
  const share = i32[Header.UsedPages]! >> TIGHT_SHARE_SHIFT;
  const kept = Math.min(pagesKept, TIGHT_PAGES_KEPT + share);
  for (let run = 0; run < TIGHT_RUNS && i32[Header.DirtyPages]! > kept; run++) {
    if (!purge(slab, 1, PURGE_PAGES_MAX, give)) return;
  }
}
