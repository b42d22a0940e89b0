// The digest of a dataset: the same keys and values give the same 40 digits, on this server and on
// Redis, whatever the order in which they were written. It is Redis's construction: a digest of
// each key and value, all of them combined by XOR, after the number of their database.

import type { Context } from '../../dispatch/context.js';
import { type EntryRef, keyBytesOf, keyStartOf } from '../../keyspace/entry.js';
import type { Partition } from '../../keyspace/partition.js';
import type { Slab } from '../../slab/slab.js';
import { bucketAtPosition, eachInBucket, nextPosition, SCAN_END } from '../../structs/table.js';
import { DIGEST_BYTES, emptyDigest, mixDigest, mixNumber, xorDigest } from './digest-mixing.js';
import { mixValue } from './digest-values.js';

/** The digest of all keys of all databases. Each partition is as it is when its turn comes. */
export function digestOfAll(context: Context): Uint8Array {
  const { keyspace } = context;
  const total = emptyDigest();
  for (let database = 0; database < keyspace.databaseCount; database++) {
    if (keyspace.partitions.every((partition) => partition.countOf(database) === 0)) continue;
    mixNumber(total, database);
    for (const partition of keyspace.partitions) {
      context.visitDatabase(partition.index, database, (visited) => xorPartition(total, visited));
    }
  }
  return total;
}

function xorPartition(total: Uint8Array, partition: Partition): void {
  const { slab, tableRoot } = partition;
  const xorEntry = (_: Slab, ref: number) => {
    const entry = ref as EntryRef;
    const digest = emptyDigest();
    mixDigest(digest, slab.u8, keyStartOf(slab, entry), keyBytesOf(slab, entry));
    mixValue(digest, slab, entry);
    xorDigest(total, digest, 0, DIGEST_BYTES);
  };
  for (let position = 0; position < SCAN_END; position = nextPosition(slab, tableRoot, position)) {
    const bucket = bucketAtPosition(slab, tableRoot, position);
    if (bucket !== 0) eachInBucket(slab, bucket, xorEntry);
  }
}

export function hexOf(digest: Uint8Array): string {
  return Buffer.from(digest).toString('hex');
}
