// Reading a table from one end to the other, where nothing changes it meanwhile.

import { type BlockRef, capacityOf } from '../slab/alloc.js';
import { NONE, type Slab } from '../slab/slab.js';
import {
  BUCKET_BYTES,
  BUCKETS_PER_SEGMENT,
  Bucket,
  DEPTH_MASK,
  LINK_MASK,
  SEGMENT_BYTES,
  SLOTS,
  TableRoot,
} from './table-layout.js';

/** A walk over all refs of a table that does not change meanwhile. Reused. */
export class TableWalk {
  private slab: Slab | null = null;
  private rootAt = 0;
  private place = 0;
  private left = 0;
  private bucket = 0;
  private at = 0;
  private slot = 0;
  /** So that the reads of touch are not optimised away. */
  private touched = 0;

  open(slab: Slab, rootAt: number): void {
    this.slab = slab;
    this.rootAt = rootAt;
    this.place = 0;
    this.left = 0;
    this.at = 0;
    this.slot = SLOTS;
  }

  /** The next ref, NONE at the end. */
  next(): number {
    const { i32 } = this.slab!;
    for (;;) {
      while (this.slot < SLOTS) {
        const ref = i32[this.at + Bucket.Refs + this.slot++]!;
        if (ref !== NONE) return ref;
      }
      const link = this.at === 0 ? NONE : i32[this.at + Bucket.Link]! & LINK_MASK;
      if (link !== NONE) this.at = link << 1;
      else if (!this.nextBucket(i32)) return NONE;
      this.slot = 0;
      this.touch(i32);
    }
  }

  /**
   * Reads a word of what the bucket refers to: these reads do not wait for each other, where those
   * of whoever looks at one ref after the other do.
   */
  private touch(i32: Int32Array): void {
    const { at } = this;
    let words = this.touched;
    for (let slot = 0; slot < SLOTS; slot++) words ^= i32[i32[at + Bucket.Refs + slot]! << 1]!;
    this.touched = words;
  }

  private nextBucket(i32: Int32Array): boolean {
    if (this.left === 0) {
      const directory = i32[this.rootAt + TableRoot.Directory]!;
      const depth = i32[this.rootAt + TableRoot.Depth]!;
      if (directory === NONE || this.place >= 1 << depth) return false;
      const entry = i32[(directory << 1) + this.place]!;
      this.place += 1 << (depth - (entry & DEPTH_MASK));
      this.bucket = (entry & ~DEPTH_MASK) << 1;
      this.left = BUCKETS_PER_SEGMENT;
    }
    this.at = this.bucket;
    this.bucket += Bucket.Words;
    this.left--;
    return true;
  }
}

/** Bytes that directory, segments and chains hold. */
export function tableBytes(slab: Slab, rootAt: number): number {
  const { i32 } = slab;
  const directory = i32[rootAt + TableRoot.Directory]!;
  if (directory === NONE) return 0;
  const depth = i32[rootAt + TableRoot.Depth]!;
  let bytes = capacityOf(slab, directory as BlockRef);
  for (let place = 0; place < 1 << depth; ) {
    const entry = i32[(directory << 1) + place]!;
    bytes += SEGMENT_BYTES;
    for (let bucket = 0; bucket < BUCKETS_PER_SEGMENT; bucket++) {
      let at = ((entry & ~DEPTH_MASK) << 1) + bucket * Bucket.Words;
      for (let link = i32[at + Bucket.Link]! & LINK_MASK; link !== NONE; ) {
        bytes += BUCKET_BYTES;
        at = link << 1;
        link = i32[at + Bucket.Link]! & LINK_MASK;
      }
    }
    place += 1 << (depth - (entry & DEPTH_MASK));
  }
  return bytes;
}

const ROUGH_REFS = 64;
const roughWalk = new TableWalk();

/** About the bytes of the table and of what its refs refer to, as the first of them tell. */
export function roughTableBytes(
  slab: Slab,
  rootAt: number,
  bytesOf: (slab: Slab, ref: number) => number,
): number {
  let bytes = 0;
  let seen = 0;
  roughWalk.open(slab, rootAt);
  for (let left = ROUGH_REFS; left > 0; left--) {
    const ref = roughWalk.next();
    if (ref === NONE) break;
    bytes += bytesOf(slab, ref);
    seen++;
  }
  const each = seen === 0 ? 0 : bytes / seen;
  return tableFrameBytes(slab, rootAt) + Math.round(each * slab.i32[rootAt + TableRoot.Count]!);
}

/** Bytes of directory and segments alone: the buckets themselves are not looked at. */
export function tableFrameBytes(slab: Slab, rootAt: number): number {
  const { i32 } = slab;
  const directory = i32[rootAt + TableRoot.Directory]!;
  if (directory === NONE) return 0;
  const depth = i32[rootAt + TableRoot.Depth]!;
  let bytes = capacityOf(slab, directory as BlockRef);
  for (let place = 0; place < 1 << depth; ) {
    const entry = i32[(directory << 1) + place]!;
    bytes += SEGMENT_BYTES;
    place += 1 << (depth - (entry & DEPTH_MASK));
  }
  return bytes;
}

/**
 * Up to `count` refs of the table into `into`, from a bucket drawn with `draw` (uniform below its
 * argument) on, and how many they are. Things that stand together have nothing in common but bits
 * of their hashes, so they are as good as drawn one by one, for a tenth of the cache misses; but
 * those of short chains and of young segments come somewhat more often than others.
 */
export function someRefs(
  slab: Slab,
  rootAt: number,
  draw: (below: number) => number,
  into: Int32Array,
  count: number,
): number {
  const { i32 } = slab;
  if (i32[rootAt + TableRoot.Count] === 0) return 0;
  const depth = i32[rootAt + TableRoot.Depth]!;
  const directoryAt = i32[rootAt + TableRoot.Directory]! << 1;
  const buckets = BUCKETS_PER_SEGMENT << depth;
  let place = draw(buckets);
  // Always from the first slot on, what stands in the last ones would hardly ever be met.
  const firstSlot = draw(SLOTS);
  let found = 0;
  // Once over all of them at the most: a table that was large may be nearly empty.
  for (let left = buckets; left > 0 && found < count; left--) {
    const segment = i32[directoryAt + Math.floor(place / BUCKETS_PER_SEGMENT)]! & ~DEPTH_MASK;
    let bucket = (segment << 1) + (place % BUCKETS_PER_SEGMENT) * Bucket.Words;
    while (bucket !== 0) {
      for (let turn = 0; turn < SLOTS && found < count; turn++) {
        const ref = i32[bucket + Bucket.Refs + ((firstSlot + turn) % SLOTS)]!;
        if (ref !== NONE) into[found++] = ref;
      }
      bucket = (i32[bucket + Bucket.Link]! & LINK_MASK) << 1;
    }
    place = (place + 1) % buckets;
  }
  return found;
}
