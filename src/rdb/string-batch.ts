// Strings on their way into the keyspace, some at a time: where each will stand in its table is
// looked up for all of them first, so that the waits for memory overlap. Of five million keys it
// saves a quarter of the time of loading them.

import { hashBytes } from '../base/hash.js';
import type { Keyspace } from '../keyspace/keyspace.js';
import { RdbText } from './strings.js';

/**
 * Several times what a core has in flight, so that it never runs dry, and so few that the lines are
 * still near when they are used: 16 cost a tenth more time, 64 as much as 32.
 */
export const BATCH_STRINGS = 64;

/** One string with its key, and what the file says of it. */
export class BatchedString {
  readonly key = new RdbText();
  readonly value = new RdbText();
  hasExpiry = false;
  expiryLow = 0;
  expiryHigh = 0;
  /** -1 where the file does not say. */
  idleSeconds = -1;
  frequency = -1;
  /** Where in the file it ended. */
  position = 0;
  partition = 0;
  hash = 0;
}

export class StringBatch {
  readonly strings: readonly BatchedString[] = Array.from(
    { length: BATCH_STRINGS },
    () => new BatchedString(),
  );
  count = 0;
  /** The database of all of them. */
  database = 0;
  /** What the loads gave, kept so that they cannot be left out. */
  seen = 0;
  private readonly keyspace: Keyspace;
  private readonly buckets = new Int32Array(BATCH_STRINGS);

  constructor(keyspace: Keyspace) {
    this.keyspace = keyspace;
  }

  /** The place for the next string. */
  get next(): BatchedString {
    return this.strings[this.count]!;
  }

  /** Finds the buckets of all keys, whose partitions are known. */
  place(): void {
    const { strings, count, keyspace, buckets, database } = this;
    const { partitions } = keyspace;
    for (let index = 0; index < count; index++) {
      const string = strings[index]!;
      const { u8, start, length } = string.key;
      const hash = hashBytes(u8, start, length);
      string.hash = hash;
      buckets[index] = partitions[string.partition]!.touchBucket(database, hash);
    }
    // Without locks: the loads are hints, and kept within their slabs.
    let seen = 0;
    for (let index = 0; index < count; index++) {
      seen ^= partitions[strings[index]!.partition]!.slab.i32[buckets[index]!]!;
    }
    this.seen = seen;
  }
}
