// Walking the keys of one database of one partition, under the partition's lock: all at once, or
// from one scan position to the next (structs/table.ts), over which the lock may be released.

import { NONE, type Slab } from '../slab/slab.js';
import { bucketAtPosition, eachInBucket, nextPosition, SCAN_END } from '../structs/table.js';
import type { EntryRef } from './entry.js';
import type { Partition } from './partition.js';

/**
 * Positions of one partition's scan are below this: a cursor is partition × SCAN_STRIDE + position.
 */
export const SCAN_STRIDE = SCAN_END;

const REFS_AT_START = 64;

/**
 * The entries at one scan position, in a copy: what is done about them may change the table. Reused
 * by all walks of a thread.
 */
export class Bucketful {
  refs = new Int32Array(REFS_AT_START);
  count = 0;

  at(index: number): EntryRef {
    return this.refs[index]! as EntryRef;
  }

  add(ref: number): void {
    if (this.count === this.refs.length) {
      const refs = new Int32Array(this.count * 2);
      refs.set(this.refs);
      this.refs = refs;
    }
    this.refs[this.count++] = ref;
  }
}

let collected = new Bucketful();

function collect(_slab: Slab, ref: number): void {
  collected.add(ref);
}

/**
 * Sets `out` to the entries at `position` of the selected database and returns the next position,
 * SCAN_STRIDE behind the last. Expired entries that still stand there are among them.
 */
export function walkStep(partition: Partition, position: number, out: Bucketful): number {
  const { slab, tableRoot } = partition;
  out.count = 0;
  const bucket = bucketAtPosition(slab, tableRoot, position);
  if (bucket === NONE) return SCAN_STRIDE;
  collected = out;
  eachInBucket(slab, bucket, collect);
  return nextPosition(slab, tableRoot, position);
}

/**
 * Calls `visit` for every entry of the selected database, expired ones included. It may free blocks
 * but not change the table.
 */
export function eachEntry(partition: Partition, visit: (slab: Slab, ref: number) => void): void {
  const { slab, tableRoot } = partition;
  for (let position = 0; position < SCAN_END; ) {
    const bucket = bucketAtPosition(slab, tableRoot, position);
    if (bucket === NONE) return;
    eachInBucket(slab, bucket, visit);
    position = nextPosition(slab, tableRoot, position);
  }
}
