// Asserts all that must hold of a keyspace: tables, expiry indexes, entries, values and slabs.

import {
  checkEntry,
  Encoding,
  type EntryRef,
  encodingOf,
  hashOfEntry,
  payloadLow,
  roomOfEntry,
} from '../../src/keyspace/entry.js';
import { checkExpiry } from '../../src/keyspace/expire.js';
import type { Keyspace } from '../../src/keyspace/keyspace.js';
import type { Partition } from '../../src/keyspace/partition.js';
import { eachEntry } from '../../src/keyspace/scan.js';
import { checkStructure, isStructured, structureBytes } from '../../src/keyspace/values.js';
import { type BlockRef, capacityOf } from '../../src/slab/alloc.js';
import { checkSlab } from '../../src/slab/check.js';
import type { Slab } from '../../src/slab/slab.js';
import { checkTable } from '../../src/structs/table.js';

export function checkKeyspace(keyspace: Keyspace): void {
  for (const partition of keyspace.partitions) {
    for (let database = 0; database < keyspace.databaseCount; database++) {
      partition.select(database);
      checkTable(partition.slab, partition.tableRoot, hashOfEntry);
      checkExpiry(partition.slab, partition.expiryRoot);
      eachEntry(partition, checkValue);
    }
    partition.select(0);
    checkSlab(partition.slab);
  }
}

function checkValue(slab: Slab, ref: number): void {
  const entry = ref as EntryRef;
  checkEntry(slab, entry);
  if (isStructured(slab, entry)) checkStructure(slab, entry);
}

/** Bytes of all entries of a partition with their values, as MEMORY USAGE tells them. */
export function bytesOfEntries(partition: Partition): number {
  let bytes = 0;
  for (let database = 0; database < partition.keyspace.databaseCount; database++) {
    partition.select(database);
    eachEntry(partition, (slab, ref) => {
      const entry = ref as EntryRef;
      bytes += roomOfEntry(slab, entry);
      if (isStructured(slab, entry)) bytes += structureBytes(slab, entry);
      else if (encodingOf(slab, entry) === Encoding.Blob) {
        bytes += capacityOf(slab, payloadLow(slab, entry) as BlockRef);
      }
    });
  }
  partition.select(0);
  return bytes;
}
