// Which entries of one table are in another, too, segment by segment and without hashing a key.
//
// Tables of one process share the key of their hash, so that equal keys have the same hash. Where
// an entry stands tells most of its hash: what is in bucket 7 of a segment can only be in bucket 7
// of those segments of the other table that serve the same hashes, and under the same tag.
//
// So a step compares tags, one cache line with another, and looks at the keys of the pairs that
// they leave; it has read a word of each before, and the reads did not wait for each other. Of sets
// of 10,000 members of 15 bytes a member costs 22 ns, where hashing it and looking it up takes 77;
// of a million 65 and 170.

import { NONE, Slab } from '../slab/slab.js';
import {
  BUCKETS_PER_SEGMENT,
  Bucket,
  DEPTH_MASK,
  LINK_MASK,
  SLOTS,
  TableRoot,
} from './table-layout.js';

const TAG_WORDS = 3;
const TAG_EVERYWHERE = 0x01010101;
const TAG_HIGH_BITS = 0x80808080 | 0;
const ROWS_AT_START = 512;
const NO_SLAB = new Slab(0, new SharedArrayBuffer(8));

/** Which entries of the first table a join is to find. */
export const enum Wanted {
  /** Those that are in the second, too. */
  Common = 0,
  /** Those that are not. */
  Alone = 1,
}

/** What a join leaves of an entry. */
export const enum Row {
  Ref = 0,
  /** What the second table has of the same key, or NONE. */
  Match = 1,
  Words = 2,
}

/** Do the things at two refs of two tables have the same key? */
export type SameRefs = (slab: Slab, ref: number, other: Slab, otherRef: number) => boolean;

const NEVER: SameRefs = () => false;

/** Reused; the tables must not change meanwhile. */
export class TableJoin {
  /** Entries that the last step has found, a Row each. */
  rows = new Int32Array(ROWS_AT_START * Row.Words);
  rowCount = 0;
  /** All entries of the segment, and what the second table has of the same key. */
  private count = 0;
  private refs = new Int32Array(ROWS_AT_START);
  private matches = new Int32Array(ROWS_AT_START);
  private slab: Slab = NO_SLAB;
  private other: Slab = NO_SLAB;
  private rootAt = 0;
  private otherAt = 0;
  private isSame: SameRefs = NEVER;
  private wanted = Wanted.Common;
  private place = 0;
  private end = 0;
  private tags = new Uint8Array(ROWS_AT_START);
  private readonly firsts = new Int32Array(BUCKETS_PER_SEGMENT + 1);
  /** Pairs whose tags are equal: the row, and the ref in the second table. */
  private pairRows = new Int32Array(ROWS_AT_START);
  private pairRefs = new Int32Array(ROWS_AT_START);
  private pairCount = 0;
  /** What was read ahead, so that the reads are not optimised away. */
  private touched = 0;

  /** To before the first segment of the table at `rootAt`. */
  open(
    slab: Slab,
    rootAt: number,
    other: Slab,
    otherAt: number,
    isSame: SameRefs,
    wanted: Wanted,
  ): void {
    this.wanted = wanted;
    this.slab = slab;
    this.other = other;
    this.rootAt = rootAt;
    this.otherAt = otherAt;
    this.isSame = isSame;
    this.place = 0;
    this.end = joinPlaces(slab, rootAt);
  }

  /** The same, for the segments at places [place, end) of the directory; whole ones. */
  openAt(place: number, end: number): void {
    this.place = place;
    this.end = end;
  }

  /** Joins the next segment; false when there is none. */
  next(): boolean {
    if (this.place >= this.end) return false;
    const { i32 } = this.slab;
    const directory = i32[this.rootAt + TableRoot.Directory]! << 1;
    const depth = i32[this.rootAt + TableRoot.Depth]!;
    const entry = i32[directory + this.place]!;
    const localDepth = entry & DEPTH_MASK;
    this.readSegment((entry & ~DEPTH_MASK) << 1);
    this.pairAll(this.place >> (depth - localDepth), localDepth);
    this.comparePairs();
    this.keepWanted();
    this.place += 1 << (depth - localDepth);
    return true;
  }

  /** Notes all entries of the segment, bucket by bucket. */
  private readSegment(segment: number): void {
    const { i32, u8 } = this.slab;
    let count = 0;
    for (let bucket = 0; bucket < BUCKETS_PER_SEGMENT; bucket++) {
      this.firsts[bucket] = count;
      let at = segment + bucket * Bucket.Words;
      for (;;) {
        if (count + SLOTS > this.refs.length) this.grow();
        const { refs, matches, tags } = this;
        for (let slot = 0; slot < SLOTS; slot++) {
          const ref = i32[at + Bucket.Refs + slot]!;
          if (ref === NONE) continue;
          refs[count] = ref;
          matches[count] = NONE;
          tags[count++] = u8[((at + Bucket.Tags) << 2) + slot]!;
        }
        const link = i32[at + Bucket.Link]! & LINK_MASK;
        if (link === NONE) break;
        at = link << 1;
      }
    }
    this.firsts[BUCKETS_PER_SEGMENT] = count;
    this.count = count;
  }

  private grow(): void {
    const { refs, matches, tags } = this;
    const words = refs.length * 2;
    this.rows = new Int32Array(words * Row.Words);
    this.refs = new Int32Array(words);
    this.refs.set(refs);
    this.matches = new Int32Array(words);
    this.matches.set(matches);
    this.tags = new Uint8Array(words);
    this.tags.set(tags);
  }

  /** Pairs the entries noted with those of the segments that serve hashes with this prefix. */
  private pairAll(prefix: number, prefixBits: number): void {
    const { i32 } = this.other;
    this.pairCount = 0;
    const directory = i32[this.otherAt + TableRoot.Directory]! << 1;
    if (directory === NONE) return;
    const depth = i32[this.otherAt + TableRoot.Depth]!;
    const spare = depth - prefixBits;
    let place = spare >= 0 ? prefix << spare : prefix >> -spare;
    const end = spare > 0 ? place + (1 << spare) : place + 1;
    while (place < end) {
      const entry = i32[directory + place]!;
      this.pairSegment((entry & ~DEPTH_MASK) << 1);
      place += 1 << (depth - (entry & DEPTH_MASK));
    }
  }

  private pairSegment(segment: number): void {
    const { firsts } = this;
    for (let bucket = 0; bucket < BUCKETS_PER_SEGMENT; bucket++) {
      const first = firsts[bucket]!;
      const next = bucket + 1;
      const end = firsts[next]!;
      if (first < end) this.pairBucket(segment + bucket * Bucket.Words, first, end);
    }
  }

  private pairBucket(bucket: number, first: number, end: number): void {
    const { i32 } = this.other;
    const { i32: ownI32 } = this.slab;
    const { refs, tags } = this;
    let { touched } = this;
    for (let at = bucket; ; ) {
      for (let row = first; row < end; row++) {
        const pattern = Math.imul(tags[row]!, TAG_EVERYWHERE);
        for (let word = 0; word < TAG_WORDS; word++) {
          const differs = i32[at + Bucket.Tags + word]! ^ pattern;
          // As in findInBucket of table.ts.
          let hits = (differs - TAG_EVERYWHERE) & ~differs & TAG_HIGH_BITS;
          while (hits !== 0) {
            const lowest = hits & -hits;
            const ref = i32[at + Bucket.Refs + (word << 2) + ((31 - Math.clz32(lowest)) >> 3)]!;
            hits ^= lowest;
            if (ref === NONE) continue;
            touched ^= i32[ref << 1]! ^ ownI32[refs[row]! << 1]!;
            this.addPair(row, ref);
          }
        }
      }
      const link = i32[at + Bucket.Link]! & LINK_MASK;
      if (link === NONE) break;
      at = link << 1;
    }
    this.touched = touched;
  }

  private addPair(row: number, ref: number): void {
    const index = this.pairCount++;
    if (index === this.pairRows.length) {
      const { pairRows, pairRefs } = this;
      this.pairRows = new Int32Array(index * 2);
      this.pairRows.set(pairRows);
      this.pairRefs = new Int32Array(index * 2);
      this.pairRefs.set(pairRefs);
    }
    this.pairRows[index] = row;
    this.pairRefs[index] = ref;
  }

  private comparePairs(): void {
    const { refs, matches, pairRows, pairRefs, pairCount, slab, other, isSame } = this;
    for (let index = 0; index < pairCount; index++) {
      const row = pairRows[index]!;
      if (matches[row] !== NONE) continue;
      if (isSame(slab, refs[row]!, other, pairRefs[index]!)) matches[row] = pairRefs[index]!;
    }
  }

  private keepWanted(): void {
    const { refs, matches, rows, count } = this;
    const isCommonWanted = this.wanted === Wanted.Common;
    let kept = 0;
    for (let index = 0; index < count; index++) {
      const match = matches[index]!;
      if ((match !== NONE) !== isCommonWanted) continue;
      const at = kept++ * Row.Words;
      rows[at + Row.Ref] = refs[index]!;
      rows[at + Row.Match] = match;
    }
    this.rowCount = kept;
  }
}

/** Places of a table's directory: joins may begin and end at those where a segment begins. */
export function joinPlaces(slab: Slab, rootAt: number): number {
  if (slab.i32[rootAt + TableRoot.Directory] === NONE) return 0;
  return 1 << slab.i32[rootAt + TableRoot.Depth]!;
}

/** How many of them the segment takes that begins at `place`. */
export function segmentPlaces(slab: Slab, rootAt: number, place: number): number {
  const entry = slab.i32[(slab.i32[rootAt + TableRoot.Directory]! << 1) + place]!;
  return 1 << (slab.i32[rootAt + TableRoot.Depth]! - (entry & DEPTH_MASK));
}
