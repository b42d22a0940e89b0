// A value of any type from RDB bytes: read, checked and built in a partition's slab first (a
// Building), and only then given to a key. Whatever is wrong with the bytes, and if the partition
// cannot hold the value, nothing is left of it.

import type { Slices } from '../base/slices.js';
import { EntryFlag, type EntryRef, setPayload } from '../keyspace/entry.js';
import { createHash, HASH_ENTRY_BYTES } from '../keyspace/inside.js';
import type { Partition } from '../keyspace/partition.js';
import { putString, putStringUntil, stringReserve } from '../keyspace/strings.js';
import { rekeyStructure } from '../keyspace/values.js';
import { NONE } from '../slab/slab.js';
import { scheduleReserve } from '../types/hash/expiries.js';
import { Type } from '../types/kind.js';
import { readArray } from './array.js';
import type { Building } from './building.js';
import { readHash } from './hash.js';
import { readList } from './list.js';
import { RdbType } from './rdb-type.js';
import { readSet } from './set.js';
import { readSortedSet } from './sorted-set.js';
import { BAD_DATA, type ByteSource } from './source.js';
import { readStream } from './stream-read.js';

/** What an entry takes besides its key; rounded up. */
const ENTRY_BYTES = 64;

/**
 * Reads a value of this type for a key of `partition` with this hash. Refused, it leaves nothing
 * behind; else `building` has it, to be stored or dropped.
 */
export function readValue(
  source: ByteSource,
  type: number,
  building: Building,
  partition: Partition,
  keyHash: number,
): void {
  building.begin(partition, keyHash);
  try {
    readBody(source, type, building);
  } catch (refusal) {
    building.drop();
    building.end();
    throw refusal;
  }
}

function readBody(source: ByteSource, type: RdbType, building: Building): void {
  switch (type) {
    case RdbType.String:
      building.text.read(source);
      return;
    case RdbType.List:
    case RdbType.ListZiplist:
    case RdbType.ListQuicklist:
    case RdbType.ListQuicklist2:
      readList(source, type, building);
      return;
    case RdbType.Set:
    case RdbType.SetIntset:
    case RdbType.SetListpack:
      readSet(source, type, building);
      return;
    case RdbType.SortedSet:
    case RdbType.SortedSet2:
    case RdbType.SortedSetZiplist:
    case RdbType.SortedSetListpack:
      readSortedSet(source, type, building);
      return;
    case RdbType.Hash:
    case RdbType.HashZipmap:
    case RdbType.HashZiplist:
    case RdbType.HashListpack:
    case RdbType.HashTimedEarly:
    case RdbType.HashListpackTimedEarly:
    case RdbType.HashTimed:
    case RdbType.HashListpackTimed:
    case RdbType.HashTimedValkey:
      readHash(source, type, building);
      return;
    case RdbType.StreamListpacks:
    case RdbType.StreamListpacks2:
    case RdbType.StreamListpacks3:
    case RdbType.StreamProducers:
      readStream(source, type, building);
      return;
    case RdbType.Array:
      readArray(source, building);
      return;
    default:
      throw BAD_DATA;
  }
}

/** Reserves what storing the value under a key of `keyBytes` may take; drops it when refused. */
export function reserveStore(building: Building, keyBytes: number): void {
  try {
    building.reserve(storeBytes(building, keyBytes));
  } catch (refusal) {
    building.drop();
    building.end();
    throw refusal;
  }
}

function storeBytes(building: Building, keyBytes: number): number {
  if (building.root === NONE) return stringReserve(keyBytes, building.text.length);
  if (building.type !== Type.Hash) return keyBytes + ENTRY_BYTES;
  return keyBytes + HASH_ENTRY_BYTES + scheduleReserve(building.slab);
}

/** When a stored key expires: ms since 1970. */
export interface Until {
  readonly low: number;
  readonly high: number;
}

/**
 * Gives the value to the key of word `index`, which must not exist; `until` is null for a key that
 * does not expire. Memory was reserved with reserveStore.
 */
export function storeValue(
  building: Building,
  partition: Partition,
  args: Slices,
  index: number,
  until: Until | null,
): EntryRef {
  const entry =
    building.root === NONE
      ? storeString(building, partition, args, index, until)
      : storeStructure(building, partition, args, index, until);
  building.root = NONE;
  building.end();
  return entry;
}

function storeString(
  building: Building,
  partition: Partition,
  args: Slices,
  index: number,
  until: Until | null,
): EntryRef {
  const { u8, start, length } = building.text;
  const none = NONE as EntryRef;
  if (until === null) return putString(partition, args, index, none, u8, start, length, false);
  const { low, high } = until;
  return putStringUntil(partition, args, index, none, u8, start, length, low, high);
}

function storeStructure(
  building: Building,
  partition: Partition,
  args: Slices,
  index: number,
  until: Until | null,
): EntryRef {
  const { slab } = partition;
  const { type, encoding, root } = building;
  const flags = until === null ? 0 : EntryFlag.HasExpiry;
  let entry: EntryRef;
  if (type === Type.Hash) {
    entry = createHash(partition, args, index, encoding, root, flags);
  } else {
    entry = partition.create(args, index, type, encoding, 0, flags);
    setPayload(slab, entry, root, 0);
  }
  if (until !== null) partition.startExpiry(entry, until.low, until.high);
  rekeyStructure(slab, entry, args.hashes[index]!);
  return entry;
}
