// What tables look like in memory, for the two files that know: table.ts, where the picture stands,
// and table-walk.ts.

/** A table's words, inside a root or a block of its owner. */
export const enum TableRoot {
  Directory = 0,
  Depth = 1,
  Count = 2,
  /** Of a value's table: see walked.ts. */
  Walk = 3,
  Words = 4,
}

export const enum Bucket {
  Refs = 0,
  Tags = 12,
  Link = 15,
  Words = 16,
}

export const SLOTS = 12;
export const BUCKETS_PER_SEGMENT = 32;
export const BUCKET_BYTES = 64;
export const SEGMENT_BYTES = BUCKETS_PER_SEGMENT * BUCKET_BYTES;
export const LINK_MASK = 0x0fffffff;
export const DEPTH_MASK = 0x1f;
