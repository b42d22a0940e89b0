// A hash table of refs that grows by splitting segments, never as a whole (extendible hashing:
// R. Fagin et al., 1979). The keyspace uses one per database; hashes and sets use the same.
// The table stores refs and one-byte tags only: what a ref points to, its owner compares.
//
//   directory: 2^depth words          segment: 32 buckets of 64 bytes
//   ┌───────────────────────────┐     ┌────────┬────────┬── … ──┬────────┐
//   │ segment ref  │ its depth  │ ──▶ │ bucket │ bucket │       │ bucket │
//   │ (256-byte    │ (low 5     │     └────────┴────────┴── … ──┴────────┘
//   │  aligned)    │  bits)     │
//   └───────────────────────────┘
//
//   bucket, one cache line:
//    word 0 … 11                     12 … 14                  15
//   ┌───────────────────────────────┬────────────────────────┬───────────┬────────┐
//   │ 12 refs, 0 is empty           │ 12 tags of one byte,   │ overflow  │ epoch  │
//   │                               │ 0 is empty             │ ref 28    │ 4 bits │
//   └───────────────────────────────┴────────────────────────┴───────────┴────────┘
//
//   hash bits:  31 ……… 13  directory (from the top, `depth` of them) │ 12 … 5 tag │ 4 … 0 bucket
//
// A bucket that is full links overflow buckets. A segment whose overflow grows while it is more
// than three quarters full is split in two by the next bit of the hash: about 300 entries are
// rehashed, which bounds what one command pays for growth. Only the first bucket of a chain carries
// an epoch.

import { assert } from '../base/assert.js';
import { allocate, type BlockRef, release, reserve } from '../slab/alloc.js';
import { NONE, type Ref, type Slab } from '../slab/slab.js';
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
import { Walk } from './walked.js';

export { TableRoot };

export type BucketRef = Ref<'table bucket'>;

const TAG_WORDS = 3;
const BUCKET_MASK = BUCKETS_PER_SEGMENT - 1;
const BUCKET_SHIFT = 5;
const TAG_SHIFT = 5;
const TAG_MASK = 0xff;
const TAG_EVERYWHERE = 0x01010101;
const TAG_HIGH_BITS = 0x80808080 | 0;
const EPOCH_SHIFT = 28;

/** Directory bits: what tag and bucket leave of a 32-bit hash. */
const DEPTH_MAX = 19;
const PREFIX_SHIFT = 32 - DEPTH_MAX;

/** Entries from which a segment that needs another overflow bucket is split instead: 77 %. */
const SPLIT_ENTRIES = 296;
/** Up to here an empty table is freed at once: eight segments. */
const SMALL_DEPTH = 3;
/** Two sibling segments with at most so many entries become one again. */
const MERGE_ENTRIES = 144;

const PREFIX_MASK = (1 << DEPTH_MAX) - 1;
/** Draws of randomRef before it walks on: a sparse table is mostly empty buckets. */
const DRAWS_MAX = 128;
const DRAWN_TOGETHER = 3;
const drawnBuckets = new Int32Array(DRAWN_TOGETHER);
const drawnShifts = new Int32Array(DRAWN_TOGETHER);

/** Hardly a chain is longer, unless memory is short: draws of randomRef aim at so many entries. */
const FAIR_ENTRIES = 16;

/** A directory entry's twin after doubling stands in the next word. */
const SIBLING = 1;

/** Positions of a scan are below this: a bucket number, then a prefix of DEPTH_MAX bits. */
export const SCAN_END = 2 ** (DEPTH_MAX + BUCKET_SHIFT);

/** Does the thing at `ref` have the key u8[start, start + length)? */
export type SameKey = (
  slab: Slab,
  ref: number,
  u8: Uint8Array,
  start: number,
  length: number,
) => boolean;

/** The hash of the thing at `ref`. */
export type HashOf = (slab: Slab, ref: number) => number;

function tagOf(hash: number): number {
  const tag = (hash >>> TAG_SHIFT) & TAG_MASK;
  return tag === 0 ? 1 : tag;
}

/** First word of the bucket for `hash`, or 0 while the table has no segment. */
export function bucketAt(slab: Slab, rootAt: number, hash: number): number {
  const { i32 } = slab;
  const directory = i32[rootAt + TableRoot.Directory]!;
  if (directory === NONE) return 0;
  const depth = i32[rootAt + TableRoot.Depth]!;
  // A shift by 32 is a shift by 0 in JavaScript: two shifts make depth 0 right.
  const entry = i32[(directory << 1) + ((hash >>> 1) >>> (31 - depth))]!;
  return ((entry & ~DEPTH_MASK) << 1) + (hash & BUCKET_MASK) * Bucket.Words;
}

/** The ref in the chain at `bucket` (word index, not 0) whose key is the given one, or NONE. */
export function findInBucket(
  slab: Slab,
  bucket: number,
  hash: number,
  isSame: SameKey,
  u8: Uint8Array,
  start: number,
  length: number,
): number {
  const { i32 } = slab;
  const pattern = Math.imul(tagOf(hash), TAG_EVERYWHERE);
  for (;;) {
    for (let word = 0; word < TAG_WORDS; word++) {
      const differs = i32[bucket + Bucket.Tags + word]! ^ pattern;
      // A byte of `hits` is 0x80 where the tag is equal (and rarely just above an equal one).
      let hits = (differs - TAG_EVERYWHERE) & ~differs & TAG_HIGH_BITS;
      while (hits !== 0) {
        const lowest = hits & -hits;
        // Not behind the comparison: V8 gives code up that comes to where it has never been.
        hits ^= lowest;
        const slot = (word << 2) + ((31 - Math.clz32(lowest)) >> 3);
        const ref = i32[bucket + Bucket.Refs + slot]!;
        if (ref !== NONE && isSame(slab, ref, u8, start, length)) return ref;
      }
    }
    const link = i32[bucket + Bucket.Link]! & LINK_MASK;
    if (link === NONE) return NONE;
    bucket = link << 1;
  }
}

/**
 * For the touch pass of a pipeline, without the lock: loads the bucket's line and returns its first
 * word. What it reads may be stale or torn; it is a hint and kept within the slab by `mask`.
 */
export function touchBucket(slab: Slab, rootAt: number, hash: number, mask: number): number {
  const { i32 } = slab;
  const directory = i32[rootAt + TableRoot.Directory]!;
  const depth = i32[rootAt + TableRoot.Depth]! & DEPTH_MASK;
  const entry = i32[((directory << 1) + ((hash >>> 1) >>> (31 - depth))) & mask]!;
  return (((entry & ~DEPTH_MASK) << 1) + (hash & BUCKET_MASK) * Bucket.Words) & mask;
}

/** As touchBucket: the ref that the bucket's tags make likely for `hash`, NONE if there is none. */
export function likelyRef(slab: Slab, bucket: number, hash: number, mask: number): number {
  const { i32 } = slab;
  const pattern = Math.imul(tagOf(hash), TAG_EVERYWHERE);
  for (let word = 0; word < TAG_WORDS; word++) {
    const differs = i32[(bucket + Bucket.Tags + word) & mask]! ^ pattern;
    const hits = (differs - TAG_EVERYWHERE) & ~differs & TAG_HIGH_BITS;
    if (hits === 0) continue;
    const slot = (word << 2) + ((31 - Math.clz32(hits & -hits)) >> 3);
    return i32[(bucket + Bucket.Refs + slot) & mask]!;
  }
  return NONE;
}

/** Epoch of a first bucket: four bits, see Header.Epoch. */
export function epochOf(slab: Slab, bucket: number): number {
  return slab.i32[bucket + Bucket.Link]! >>> EPOCH_SHIFT;
}

export function setEpoch(slab: Slab, bucket: number, epoch: number): void {
  const at = bucket + Bucket.Link;
  slab.i32[at] = (slab.i32[at]! & LINK_MASK) | (epoch << EPOCH_SHIFT);
}

/** Does the table hold `ref` where things with this hash stand? Nothing of the thing is read. */
export function hasRef(slab: Slab, rootAt: number, hash: number, ref: number): boolean {
  const { i32 } = slab;
  let bucket = bucketAt(slab, rootAt, hash);
  while (bucket !== 0) {
    for (let slot = 0; slot < SLOTS; slot++) {
      if (i32[bucket + Bucket.Refs + slot] === ref) return true;
    }
    bucket = (i32[bucket + Bucket.Link]! & LINK_MASK) << 1;
  }
  return false;
}

/** Calls `visit` for every ref in the chain of a first bucket. It may not change the table. */
export function eachInBucket(
  slab: Slab,
  bucket: number,
  visit: (slab: Slab, ref: number) => void,
): void {
  const { i32 } = slab;
  for (;;) {
    for (let slot = 0; slot < SLOTS; slot++) {
      const ref = i32[bucket + Bucket.Refs + slot]!;
      if (ref !== NONE) visit(slab, ref);
    }
    const link = i32[bucket + Bucket.Link]! & LINK_MASK;
    if (link === NONE) return;
    bucket = link << 1;
  }
}

/**
 * Adds `ref`, which must not be there. The caller has reserved memory; growth that finds none is
 * left for later (chains grow instead).
 */
export function insert(
  slab: Slab,
  rootAt: number,
  hash: number,
  ref: number,
  hashOf: HashOf,
  epoch: number,
): void {
  const { i32 } = slab;
  if (i32[rootAt + TableRoot.Directory] === NONE) {
    createTable(slab, rootAt, epoch | (i32[rootAt + TableRoot.Walk]! & Walk.EpochMask));
  }
  let bucket = bucketAt(slab, rootAt, hash);
  if (!putInChain(slab, bucket, hash, ref)) {
    if (splitIfCrowded(slab, rootAt, hash, hashOf)) bucket = bucketAt(slab, rootAt, hash);
    if (!putInChain(slab, bucket, hash, ref)) extendChain(slab, bucket, hash, ref);
  }
  i32[rootAt + TableRoot.Count] = i32[rootAt + TableRoot.Count]! + 1;
}

/** Puts `next` in the place of `previous`, which must be there. */
export function replaceRef(slab: Slab, bucket: number, previous: number, next: number): void {
  const { i32 } = slab;
  for (;;) {
    for (let slot = 0; slot < SLOTS; slot++) {
      if (i32[bucket + Bucket.Refs + slot] === previous) {
        i32[bucket + Bucket.Refs + slot] = next;
        return;
      }
    }
    const link = i32[bucket + Bucket.Link]! & LINK_MASK;
    assert(link !== NONE, 'a replaced ref stands in its bucket');
    bucket = link << 1;
  }
}

/** Takes `ref`, which must be there, out of the chain at `bucket`. */
export function removeRef(slab: Slab, rootAt: number, bucket: number, ref: number): void {
  const { i32, u8 } = slab;
  let before = 0;
  for (;;) {
    let used = 0;
    let found = -1;
    for (let slot = 0; slot < SLOTS; slot++) {
      const here = i32[bucket + Bucket.Refs + slot]!;
      if (here === NONE) continue;
      if (here === ref) found = slot;
      else used++;
    }
    const link = i32[bucket + Bucket.Link]! & LINK_MASK;
    if (found !== -1) {
      i32[bucket + Bucket.Refs + found] = NONE;
      u8[((bucket + Bucket.Tags) << 2) + found] = 0;
      i32[rootAt + TableRoot.Count] = i32[rootAt + TableRoot.Count]! - 1;
      // An overflow bucket that became empty leaves the chain; the first bucket stays.
      if (used === 0 && before !== 0) {
        const at = before + Bucket.Link;
        i32[at] = (i32[at]! & ~LINK_MASK) | link;
        release(slab, (bucket >> 1) as BlockRef);
      }
      return;
    }
    assert(link !== NONE, 'a removed ref stands in its bucket');
    before = bucket;
    bucket = link << 1;
  }
}

function putInChain(slab: Slab, bucket: number, hash: number, ref: number): boolean {
  const { i32, u8 } = slab;
  for (;;) {
    for (let slot = 0; slot < SLOTS; slot++) {
      if (i32[bucket + Bucket.Refs + slot] === NONE) {
        i32[bucket + Bucket.Refs + slot] = ref;
        u8[((bucket + Bucket.Tags) << 2) + slot] = tagOf(hash);
        return true;
      }
    }
    const link = i32[bucket + Bucket.Link]! & LINK_MASK;
    if (link === NONE) return false;
    bucket = link << 1;
  }
}

function extendChain(slab: Slab, bucket: number, hash: number, ref: number): void {
  const { i32 } = slab;
  const added = allocate(slab, BUCKET_BYTES);
  assert(added !== NONE, 'memory for an overflow bucket was reserved');
  const at = added << 1;
  i32.fill(0, at, at + Bucket.Words);
  // Right behind the first bucket, so that the newest entries are met first.
  const link = i32[bucket + Bucket.Link]!;
  i32[at + Bucket.Link] = link & LINK_MASK;
  i32[bucket + Bucket.Link] = (link & ~LINK_MASK) | added;
  putInChain(slab, at, hash, ref);
}

/** Entries for each segment of a table that is made for them: fewer than a split leaves to both. */
const EXPECTED_ENTRIES = 280;

/**
 * Makes segments for `count` entries in an empty table, so that none is split while they come.
 * Memory was reserved. `epoch` is that of the keyspace, 0 for a table of elements.
 */
export function expectEntries(slab: Slab, rootAt: number, count: number, epoch = 0): void {
  const { i32 } = slab;
  assert(
    i32[rootAt + TableRoot.Directory] === NONE,
    'a table is empty when it is made for entries',
  );
  let depth = 0;
  while (depth < DEPTH_MAX && count > EXPECTED_ENTRIES * 2 ** depth) depth++;
  const words = 1 << depth;
  const directory = allocate(slab, Math.max(DIRECTORY_BYTES_MIN, words * 4));
  assert(directory !== NONE, 'memory for a directory was reserved');
  for (let index = 0; index < words; index++) {
    const segment = createSegment(slab, epoch);
    assert(segment !== NONE, 'memory for segments was reserved');
    i32[(directory << 1) + index] = segment | depth;
  }
  i32[rootAt + TableRoot.Directory] = directory;
  i32[rootAt + TableRoot.Depth] = depth;
}

const DIRECTORY_BYTES_MIN = 16;

function createTable(slab: Slab, rootAt: number, epoch: number): void {
  const { i32 } = slab;
  const directory = allocate(slab, DIRECTORY_BYTES_MIN);
  const segment = createSegment(slab, epoch);
  assert(directory !== NONE && segment !== NONE, 'memory for a table was reserved');
  i32[directory << 1] = segment;
  i32[rootAt + TableRoot.Directory] = directory;
  i32[rootAt + TableRoot.Depth] = 0;
}

function createSegment(slab: Slab, epoch: number): number {
  const { i32 } = slab;
  const segment = allocate(slab, SEGMENT_BYTES);
  if (segment === NONE) return NONE;
  // Spans of this class start on a page and hold nothing but segments: the low bits are free.
  assert((segment & DEPTH_MASK) === 0, 'a segment is aligned to 256 bytes');
  const at = segment << 1;
  i32.fill(0, at, at + BUCKETS_PER_SEGMENT * Bucket.Words);
  if (epoch !== 0) {
    for (let bucket = 0; bucket < BUCKETS_PER_SEGMENT; bucket++) {
      i32[at + bucket * Bucket.Words + Bucket.Link] = epoch << EPOCH_SHIFT;
    }
  }
  return segment;
}

/** Splits the segment for `hash` when it is crowded and memory allows. True when it was split. */
function splitIfCrowded(slab: Slab, rootAt: number, hash: number, hashOf: HashOf): boolean {
  const { i32 } = slab;
  let depth = i32[rootAt + TableRoot.Depth]!;
  let prefix = (hash >>> 1) >>> (31 - depth);
  const entry = i32[(i32[rootAt + TableRoot.Directory]! << 1) + prefix]!;
  const segment = entry & ~DEPTH_MASK;
  const localDepth = entry & DEPTH_MASK;
  if (localDepth >= DEPTH_MAX || countSegment(slab, segment) < SPLIT_ENTRIES) return false;
  if (localDepth === depth) {
    if (!doubleDirectory(slab, rootAt)) return false;
    depth++;
    prefix = (hash >>> 1) >>> (31 - depth);
  }
  const added = createSegment(slab, 0);
  if (added === NONE) return false;
  touchedWords = touchSegment(slab, segment);
  // The entries with the next bit set go to the new segment, which serves the upper half.
  moveUpperHalf(slab, segment, added, 30 - localDepth, hashOf);
  const directoryAt = i32[rootAt + TableRoot.Directory]! << 1;
  const span = 1 << (depth - localDepth);
  const first = prefix & ~(span - 1);
  const half = span >> 1;
  for (let index = 0; index < half; index++) {
    i32[directoryAt + first + index] = segment | (localDepth + 1);
    i32[directoryAt + first + half + index] = added | (localDepth + 1);
  }
  return true;
}

/** What touchSegment read, so that its reads are not optimised away. */
let touchedWords = 0;

/**
 * Reads a word of everything that the segment refers to. The reads do not wait for each other,
 * where those of the hashing that follows would: a split of 300 keys takes 50 µs instead of 100.
 */
function touchSegment(slab: Slab, segment: number): number {
  const { i32 } = slab;
  let words = touchedWords;
  for (let bucket = 0; bucket < BUCKETS_PER_SEGMENT; bucket++) {
    const at = (segment << 1) + bucket * Bucket.Words + Bucket.Refs;
    for (let slot = 0; slot < SLOTS; slot++) words ^= i32[i32[at + slot]! << 1]!;
  }
  return words;
}

function countSegment(slab: Slab, segment: number): number {
  let count = 0;
  for (let bucket = 0; bucket < BUCKETS_PER_SEGMENT; bucket++) {
    count += countChain(slab, (segment << 1) + bucket * Bucket.Words);
  }
  return count;
}

function countChain(slab: Slab, bucket: number): number {
  const { i32 } = slab;
  let count = 0;
  for (;;) {
    for (let slot = 0; slot < SLOTS; slot++) {
      if (i32[bucket + Bucket.Refs + slot] !== NONE) count++;
    }
    const link = i32[bucket + Bucket.Link]! & LINK_MASK;
    if (link === NONE) return count;
    bucket = link << 1;
  }
}

function doubleDirectory(slab: Slab, rootAt: number): boolean {
  const { i32 } = slab;
  const depth = i32[rootAt + TableRoot.Depth]!;
  const words = 1 << depth;
  const previous = i32[rootAt + TableRoot.Directory]!;
  // A directory may be larger than what the command has reserved: it must not take that away.
  if (!reserve(slab, words * 8)) return false;
  const next = allocate(slab, words * 8);
  if (next === NONE) return false;
  const from = previous << 1;
  const to = next << 1;
  for (let index = 0; index < words; index++) {
    const entry = i32[from + index]!;
    const pair = to + 2 * index;
    i32[pair] = entry;
    i32[pair + SIBLING] = entry;
  }
  release(slab, previous as BlockRef);
  i32[rootAt + TableRoot.Directory] = next;
  i32[rootAt + TableRoot.Depth] = depth + 1;
  return true;
}

const SPLIT_LIMIT = 4096;
const stayingRefs = new Int32Array(SPLIT_LIMIT);
const stayingTags = new Uint8Array(SPLIT_LIMIT);

/** Moves entries whose hash has `bit` set from each chain of `segment` to that of `target`. */
function moveUpperHalf(
  slab: Slab,
  segment: number,
  target: number,
  bit: number,
  hashOf: HashOf,
): void {
  const { i32, u8 } = slab;
  for (let index = 0; index < BUCKETS_PER_SEGMENT; index++) {
    const first = (segment << 1) + index * Bucket.Words;
    const into = (target << 1) + index * Bucket.Words;
    // The new bucket's epoch is the old one's: its entries are as old as they were.
    i32[into + Bucket.Link] = i32[first + Bucket.Link]! & ~LINK_MASK;
    let staying = 0;
    let bucket = first;
    for (;;) {
      for (let slot = 0; slot < SLOTS; slot++) {
        const ref = i32[bucket + Bucket.Refs + slot]!;
        if (ref === NONE) continue;
        const hash = hashOf(slab, ref);
        if (((hash >>> bit) >>> 1) & 1) {
          if (!putInChain(slab, into, hash, ref)) extendChain(slab, into, hash, ref);
        } else {
          assert(staying < SPLIT_LIMIT, 'a chain is shorter than the split scratch');
          stayingRefs[staying] = ref;
          stayingTags[staying] = u8[((bucket + Bucket.Tags) << 2) + slot]!;
          staying++;
        }
      }
      const link = i32[bucket + Bucket.Link]! & LINK_MASK;
      if (link === NONE) break;
      bucket = link << 1;
    }
    refill(slab, first, staying);
  }
}

/** Rewrites the chain at `first` with the first `count` staying entries; frees emptied buckets. */
function refill(slab: Slab, first: number, count: number): void {
  const { i32, u8 } = slab;
  let bucket = first;
  let taken = 0;
  for (;;) {
    for (let slot = 0; slot < SLOTS; slot++) {
      const isUsed = taken < count;
      i32[bucket + Bucket.Refs + slot] = isUsed ? stayingRefs[taken]! : NONE;
      u8[((bucket + Bucket.Tags) << 2) + slot] = isUsed ? stayingTags[taken]! : 0;
      if (isUsed) taken++;
    }
    const link = i32[bucket + Bucket.Link]! & LINK_MASK;
    if (taken === count) {
      i32[bucket + Bucket.Link] = i32[bucket + Bucket.Link]! & ~LINK_MASK;
      releaseChain(slab, link);
      return;
    }
    bucket = link << 1;
  }
}

function releaseChain(slab: Slab, link: number): void {
  while (link !== NONE) {
    const next = slab.i32[(link << 1) + Bucket.Link]! & LINK_MASK;
    release(slab, link as BlockRef);
    link = next;
  }
}

/**
 * One step of shrinking, for the owner's upkeep: looks at the segment at directory place `place`,
 * merges it with its sibling when both together are sparse, halves the directory when nothing needs
 * its last bit. Returns the next place, 0 when the round is over.
 */
export function shrinkStep(slab: Slab, rootAt: number, place: number): number {
  const { i32 } = slab;
  const directory = i32[rootAt + TableRoot.Directory]!;
  if (directory === NONE) return 0;
  const depth = i32[rootAt + TableRoot.Depth]!;
  // A large table that became empty shrinks like any other, so that no step takes long.
  if (i32[rootAt + TableRoot.Count] === 0 && depth <= SMALL_DEPTH) {
    freeTable(slab, rootAt);
    return 0;
  }
  // One halving a step: the place stays behind the end of what is left.
  if (place >= 1 << depth) return halveDirectory(slab, rootAt) ? place : 0;
  const directoryAt = directory << 1;
  const entry = i32[directoryAt + place]!;
  const localDepth = entry & DEPTH_MASK;
  const span = 1 << (depth - localDepth);
  const first = place & ~(span - 1);
  if (localDepth === 0) return 1 << depth;
  const isLower = (first & span) === 0;
  const sibling = i32[directoryAt + (isLower ? first + span : first - span)]!;
  if (!isLower || (sibling & DEPTH_MASK) !== localDepth) return first + span;
  const lower = entry & ~DEPTH_MASK;
  const upper = sibling & ~DEPTH_MASK;
  if (countSegment(slab, lower) + countSegment(slab, upper) > MERGE_ENTRIES)
    return first + 2 * span;
  if (!mergeSegments(slab, lower, upper)) return first + 2 * span;
  for (let index = 0; index < 2 * span; index++) {
    i32[directoryAt + first + index] = lower | (localDepth - 1);
  }
  // What became an upper half may be merged into the lower one, which has been passed already. Any
  // place inside stands for its segment, and 0 would end the round.
  return (first & ~(4 * span - 1)) + 1;
}

/**
 * Moves all of `upper` into `lower`. False when their epochs differ (a snapshot is walking), or
 * when a chain would need more than its first bucket: merging must not need memory, nobody reserved
 * any.
 */
function mergeSegments(slab: Slab, lower: number, upper: number): boolean {
  for (let index = 0; index < BUCKETS_PER_SEGMENT; index++) {
    const into = (lower << 1) + index * Bucket.Words;
    const from = (upper << 1) + index * Bucket.Words;
    if (epochOf(slab, into) !== epochOf(slab, from)) return false;
    if (countChain(slab, into) + countChain(slab, from) > SLOTS) return false;
  }
  const { i32, u8 } = slab;
  for (let index = 0; index < BUCKETS_PER_SEGMENT; index++) {
    const into = (lower << 1) + index * Bucket.Words;
    let bucket = (upper << 1) + index * Bucket.Words;
    for (;;) {
      for (let slot = 0; slot < SLOTS; slot++) {
        const ref = i32[bucket + Bucket.Refs + slot]!;
        if (ref === NONE) continue;
        const hash = u8[((bucket + Bucket.Tags) << 2) + slot]! << TAG_SHIFT;
        const isPut = putInChain(slab, into, hash, ref);
        assert(isPut, 'a merged chain has room for both');
      }
      const link = i32[bucket + Bucket.Link]! & LINK_MASK;
      if (link === NONE) break;
      bucket = link << 1;
    }
    releaseChain(slab, i32[(upper << 1) + index * Bucket.Words + Bucket.Link]! & LINK_MASK);
  }
  release(slab, upper as BlockRef);
  return true;
}

function halveDirectory(slab: Slab, rootAt: number): boolean {
  const { i32 } = slab;
  const depth = i32[rootAt + TableRoot.Depth]!;
  if (depth === 0) return false;
  const from = i32[rootAt + TableRoot.Directory]! << 1;
  const words = 1 << (depth - 1);
  for (let index = 0; index < words; index++) {
    if ((i32[from + 2 * index]! & DEPTH_MASK) === depth) return false;
  }
  const next = allocate(slab, words * 4);
  if (next === NONE) return false;
  for (let index = 0; index < words; index++) i32[(next << 1) + index] = i32[from + 2 * index]!;
  release(slab, i32[rootAt + TableRoot.Directory]! as BlockRef);
  i32[rootAt + TableRoot.Directory] = next;
  i32[rootAt + TableRoot.Depth] = depth - 1;
  return true;
}

/** Frees directory, segments and chains. What the refs point to is the caller's to free. */
export function freeTable(slab: Slab, rootAt: number): void {
  const { i32 } = slab;
  const directory = i32[rootAt + TableRoot.Directory]!;
  if (directory === NONE) return;
  const depth = i32[rootAt + TableRoot.Depth]!;
  for (let place = 0; place < 1 << depth; ) {
    const entry = i32[(directory << 1) + place]!;
    const segment = entry & ~DEPTH_MASK;
    for (let bucket = 0; bucket < BUCKETS_PER_SEGMENT; bucket++) {
      const at = (segment << 1) + bucket * Bucket.Words;
      releaseChain(slab, i32[at + Bucket.Link]! & LINK_MASK);
    }
    release(slab, segment as BlockRef);
    place += 1 << (depth - (entry & DEPTH_MASK));
  }
  release(slab, directory as BlockRef);
  i32[rootAt + TableRoot.Directory] = NONE;
  i32[rootAt + TableRoot.Depth] = 0;
  i32[rootAt + TableRoot.Count] = 0;
}

/**
 * Frees one segment, handing each ref in it to `free`, for tables that nobody uses any more:
 * `place` is where the last call left off, 0 at first. Returns the next place; 0 when the table is
 * gone.
 */
export function freeSegmentStep(
  slab: Slab,
  rootAt: number,
  place: number,
  free: (slab: Slab, ref: number) => void,
): number {
  const { i32 } = slab;
  const directory = i32[rootAt + TableRoot.Directory]!;
  if (directory === NONE) return 0;
  const depth = i32[rootAt + TableRoot.Depth]!;
  const entry = i32[(directory << 1) + place]!;
  const segment = entry & ~DEPTH_MASK;
  for (let index = 0; index < BUCKETS_PER_SEGMENT; index++) {
    const bucket = (segment << 1) + index * Bucket.Words;
    i32[rootAt + TableRoot.Count] = i32[rootAt + TableRoot.Count]! - countChain(slab, bucket);
    eachInBucket(slab, bucket, free);
    releaseChain(slab, i32[bucket + Bucket.Link]! & LINK_MASK);
  }
  release(slab, segment as BlockRef);
  const next = place + (1 << (depth - (entry & DEPTH_MASK)));
  if (next < 1 << depth) return next;
  release(slab, directory as BlockRef);
  i32[rootAt + TableRoot.Directory] = NONE;
  i32[rootAt + TableRoot.Depth] = 0;
  assert(i32[rootAt + TableRoot.Count] === 0, 'a freed table held what it counted');
  return 0;
}

/** First word of the bucket at a scan position, or 0 when the table is empty. */
export function bucketAtPosition(slab: Slab, rootAt: number, position: number): number {
  // A position is made of hash bits: it finds its bucket as a hash would.
  const prefix = position & PREFIX_MASK;
  return bucketAt(slab, rootAt, (prefix << PREFIX_SHIFT) | (position >>> DEPTH_MAX));
}

/**
 * The position behind `position`, SCAN_END after the last. A scan takes all segments' buckets of
 * one number before those of the next. A segment that splits or merges changes the range of
 * prefixes that it serves, but an entry never changes its bucket's number: so a scan meets every
 * entry that is there from its beginning to its end, and some of them twice. (Segment after segment
 * would miss those of a segment that is merged into one that is half walked.)
 */
export function nextPosition(slab: Slab, rootAt: number, position: number): number {
  const { i32 } = slab;
  const directory = i32[rootAt + TableRoot.Directory]!;
  if (directory === NONE) return SCAN_END;
  const depth = i32[rootAt + TableRoot.Depth]!;
  const prefix = position & PREFIX_MASK;
  const entry = i32[(directory << 1) + (prefix >>> (DEPTH_MAX - depth))]!;
  const span = 1 << (DEPTH_MAX - (entry & DEPTH_MASK));
  // Behind the last prefix this carries into the bucket number.
  return position - (prefix & (span - 1)) + span;
}

/** A ref drawn with `draw` (uniform below its argument), all equally likely, or NONE. */
export function randomRef(slab: Slab, rootAt: number, draw: (below: number) => number): number {
  const { i32 } = slab;
  const count = i32[rootAt + TableRoot.Count]!;
  if (count === 0) return NONE;
  const depth = i32[rootAt + TableRoot.Depth]!;
  const directoryAt = i32[rootAt + TableRoot.Directory]! << 1;
  if (depth === 0) return refInSegment(slab, i32[directoryAt]! & ~DEPTH_MASK, draw(count));
  // A bucket and an entry by chance, until there is such an entry: a choice among those of the
  // bucket would favour the entries of short chains. Several buckets are drawn at a time, so that
  // the cache misses of the loads overlap.
  for (let draws = 0; draws < DRAWS_MAX; draws += DRAWN_TOGETHER) {
    let seen = 0;
    for (let nth = 0; nth < DRAWN_TOGETHER; nth++) {
      const at = draw(BUCKETS_PER_SEGMENT << depth);
      const entry = i32[directoryAt + (at >>> BUCKET_SHIFT)]!;
      const bucket = ((entry & ~DEPTH_MASK) << 1) + (at & BUCKET_MASK) * Bucket.Words;
      drawnBuckets[nth] = bucket;
      drawnShifts[nth] = depth - (entry & DEPTH_MASK);
      seen ^= i32[bucket + Bucket.Link]!;
    }
    touchedWords = seen;
    for (let nth = 0; nth < DRAWN_TOGETHER; nth++) {
      const bucket = drawnBuckets[nth]!;
      const chain = countChain(slab, bucket);
      if (chain === 0) continue;
      // A segment that fills several places of the directory is met as many times as often.
      const index = draw(Math.max(chain, FAIR_ENTRIES) << drawnShifts[nth]!);
      if (index < chain) return refInChain(slab, bucket, index);
    }
  }
  for (let position = draw(SCAN_END); ; ) {
    const bucket = bucketAtPosition(slab, rootAt, position);
    const chain = countChain(slab, bucket);
    if (chain !== 0) return refInChain(slab, bucket, draw(chain));
    position = nextPosition(slab, rootAt, position) % SCAN_END;
  }
}

function refInSegment(slab: Slab, segment: number, index: number): number {
  for (let bucket = segment << 1; ; bucket += Bucket.Words) {
    const chain = countChain(slab, bucket);
    if (index < chain) return refInChain(slab, bucket, index);
    index -= chain;
  }
}

function refInChain(slab: Slab, bucket: number, index: number): number {
  const { i32 } = slab;
  for (;;) {
    for (let slot = 0; slot < SLOTS; slot++) {
      const ref = i32[bucket + Bucket.Refs + slot]!;
      if (ref !== NONE && index-- === 0) return ref;
    }
    bucket = (i32[bucket + Bucket.Link]! & LINK_MASK) << 1;
  }
}

/** Walks the whole table and asserts its invariants. Returns how many entries it holds. */
export function checkTable(slab: Slab, rootAt: number, hashOf: HashOf): number {
  const { i32, u8 } = slab;
  const directory = i32[rootAt + TableRoot.Directory]!;
  if (directory === NONE) {
    assert(i32[rootAt + TableRoot.Count] === 0, 'a table without directory is empty');
    return 0;
  }
  const depth = i32[rootAt + TableRoot.Depth]!;
  let count = 0;
  for (let place = 0; place < 1 << depth; ) {
    const entry = i32[(directory << 1) + place]!;
    const localDepth = entry & DEPTH_MASK;
    assert(localDepth <= depth, 'a segment is not deeper than its directory');
    const span = 1 << (depth - localDepth);
    assert((place & (span - 1)) === 0, 'a segment starts where its prefix starts');
    for (let index = 0; index < span; index++) {
      assert(i32[(directory << 1) + place + index] === entry, 'a segment fills its range');
    }
    for (let index = 0; index < BUCKETS_PER_SEGMENT; index++) {
      let bucket = ((entry & ~DEPTH_MASK) << 1) + index * Bucket.Words;
      for (;;) {
        for (let slot = 0; slot < SLOTS; slot++) {
          const ref = i32[bucket + Bucket.Refs + slot]!;
          const tag = u8[((bucket + Bucket.Tags) << 2) + slot]!;
          assert((ref === NONE) === (tag === 0), 'a tag stands beside every ref');
          if (ref === NONE) continue;
          const hash = hashOf(slab, ref);
          assert(tagOf(hash) === tag, 'a tag is of its ref');
          assert((hash & BUCKET_MASK) === index, 'a ref stands in its bucket');
          assert((hash >>> 1) >>> (31 - depth) >= place, 'a ref stands in its segment');
          assert((hash >>> 1) >>> (31 - depth) < place + span, 'a ref stands in its segment');
          count++;
        }
        const link = i32[bucket + Bucket.Link]! & LINK_MASK;
        if (link === NONE) break;
        bucket = link << 1;
      }
    }
    place += span;
  }
  assert(count === i32[rootAt + TableRoot.Count], 'the count is of what is there');
  return count;
}
