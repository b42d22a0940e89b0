// Removing fields of hashes whose time has come: those of one hash when a command looks at it, and
// those of all hashes of a partition by its owner, in steps. When the last field goes the key goes.

import { Header, NONE, type Slab } from '../slab/slab.js';
import { bucketAt, findInBucket } from '../structs/table.js';
import { dueHash, keyHashOf, unscheduleHash } from '../types/hash/expiries.js';
import { Hash, Text } from '../types/hash/hash.js';
import {
  Encoding,
  type EntryRef,
  encodingOf,
  keyBytesOf,
  keyStartOf,
  payloadLow,
  Type,
  typeOf,
} from './entry.js';
import type { Partition } from './partition.js';

const hash = new Hash();
const field = new Text();

/** Fields that the last expireFields has removed. */
let removedCount = 0;

/**
 * Removes up to `budget` fields that have expired at `nowMs` from the hash of an entry of the
 * selected database. Returns the entry, or NONE when no field was left and the key is gone.
 */
export function expireFields(
  partition: Partition,
  entry: EntryRef,
  keyHash: number,
  nowMs: number,
  budget: number,
): EntryRef {
  const { slab, keyspace } = partition;
  const start = keyStartOf(slab, entry);
  const length = keyBytesOf(slab, entry);
  partition.saveFirst(keyHash);
  hash.open(slab, encodingOf(slab, entry), payloadLow(slab, entry), keyHash, nowMs);
  hash.beginWalk();
  removedCount = 0;
  while (removedCount < budget && hash.nextDue()) {
    hash.readName(field);
    keyspace.sinks.fieldExpired(partition, slab.u8, start, length, field);
    hash.removePair();
    removedCount++;
  }
  const isGone = hash.count === 0;
  if (removedCount !== 0) {
    if (slab.i32[Header.Listeners] !== 0) {
      keyspace.sinks.changed(partition, slab.u8, start, length);
    }
    keyspace.sinks.fieldsExpired(partition, slab.u8, start, length, isGone);
  }
  hash.reschedule();
  if (!isGone) return entry;
  partition.removeEmpty(entry, keyHash);
  return NONE as EntryRef;
}

/**
 * Removes up to `budget` fields that have expired at `nowMs`, of all databases. True when no more
 * are due. Leaves any database selected. It does nothing while keys do not expire by the clock.
 */
export function expireFieldsStep(partition: Partition, nowMs: number, budget: number): boolean {
  const { slab, keyspace } = partition;
  if (!keyspace.expiresByClock) return true;
  for (let root = dueHash(slab, nowMs); root !== NONE; root = dueHash(slab, nowMs)) {
    if (budget <= 0) return false;
    const keyHash = keyHashOf(slab, root);
    const entry = entryOf(partition, root, keyHash);
    if (entry === NONE) {
      // Nobody can see it any more: its key is gone and it waits to be freed.
      unscheduleHash(slab, root);
      budget--;
      continue;
    }
    expireFields(partition, entry, keyHash, nowMs, budget);
    budget -= Math.max(1, removedCount);
  }
  return true;
}

/** The entry with this root, of any database, which is selected then; NONE when there is none. */
function entryOf(partition: Partition, root: number, keyHash: number): EntryRef {
  const { slab, keyspace } = partition;
  for (let database = 0; database < keyspace.databaseCount; database++) {
    partition.select(database);
    const bucket = bucketAt(slab, partition.tableRoot, keyHash);
    if (bucket === 0) continue;
    const ref = findInBucket(slab, bucket, keyHash, hasRoot, slab.u8, root, 0);
    if (ref !== NONE) return ref as EntryRef;
  }
  return NONE as EntryRef;
}

/** In the place of a comparison of keys: is `root` what the entry hangs on? */
function hasRoot(slab: Slab, ref: number, _u8: Uint8Array, root: number): boolean {
  const entry = ref as EntryRef;
  if (typeOf(slab, entry) !== Type.Hash || encodingOf(slab, entry) === Encoding.Inside)
    return false;
  return payloadLow(slab, entry) === root;
}
