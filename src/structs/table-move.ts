// Moving the blocks of a table (table.ts) together: directory, segments, overflow buckets, and what
// its refs refer to. The walk goes by scan positions, so it may stop anywhere and go on after any
// change: what is there all the time is met. Epochs wander with their buckets.

import { move, moveAt, moving } from '../slab/moving.js';
import { NONE, type Slab } from '../slab/slab.js';
import { bucketAtPosition, nextPosition, SCAN_END } from './table.js';
import {
  BUCKETS_PER_SEGMENT,
  Bucket,
  DEPTH_MASK,
  LINK_MASK,
  SLOTS,
  TableRoot,
} from './table-layout.js';

/** Moves what `ref` refers to, with all that hangs on it; returns the ref of it afterwards. */
export type MoveRef = (slab: Slab, ref: number) => number;

/** Positions below this are of the first buckets: every segment is met once among them. */
const FIRST_BUCKETS_END = SCAN_END / BUCKETS_PER_SEGMENT;

/**
 * Goes on from `position`, over at least one bucket and until the budget is spent (moving.ts).
 * Returns where it goes on, SCAN_END when the table has been walked through.
 */
export function moveTable(slab: Slab, rootAt: number, position: number, moveRef: MoveRef): number {
  if (slab.i32[rootAt + TableRoot.Directory] === NONE) return SCAN_END;
  if (position === 0) moveAt(slab, rootAt + TableRoot.Directory);
  let at = position;
  do {
    if (at < FIRST_BUCKETS_END) moveSegment(slab, rootAt, at);
    const bucket = bucketAtPosition(slab, rootAt, at);
    if (bucket === NONE) return SCAN_END;
    moveChain(slab, bucket, moveRef);
    moving.units--;
    at = nextPosition(slab, rootAt, at);
  } while (at < SCAN_END && moving.units > 0);
  return at;
}

/** The segment of a position: as many words of the directory refer to it as its prefix has. */
function moveSegment(slab: Slab, rootAt: number, position: number): void {
  const { i32 } = slab;
  const depth = i32[rootAt + TableRoot.Depth]!;
  const place = Math.floor((position * 2 ** depth) / FIRST_BUCKETS_END);
  const directoryAt = i32[rootAt + TableRoot.Directory]! << 1;
  const entry = i32[directoryAt + place]!;
  const localDepth = entry & DEPTH_MASK;
  const segment = entry & ~DEPTH_MASK;
  const moved = move(slab, segment);
  if (moved === segment) return;
  const span = 1 << (depth - localDepth);
  const first = directoryAt + (place & ~(span - 1));
  i32.fill(moved | localDepth, first, first + span);
}

/** The overflow buckets of a chain, and what all of its refs refer to. */
function moveChain(slab: Slab, first: number, moveRef: MoveRef): void {
  const { i32 } = slab;
  let bucket = first;
  for (;;) {
    for (let slot = 0; slot < SLOTS; slot++) {
      const ref = i32[bucket + Bucket.Refs + slot]!;
      if (ref === NONE) continue;
      const moved = moveRef(slab, ref);
      if (moved !== ref) i32[bucket + Bucket.Refs + slot] = moved;
    }
    const word = i32[bucket + Bucket.Link]!;
    const link = word & LINK_MASK;
    if (link === NONE) return;
    const moved = move(slab, link);
    if (moved !== link) i32[bucket + Bucket.Link] = (word & ~LINK_MASK) | moved;
    bucket = moved << 1;
  }
}
