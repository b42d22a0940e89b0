// The rings that images of buckets travel through (images.ts). Apart, because every thread of the
// process meets the type and main makes the memory, while only threads that execute write images.

import { ringBytes } from '../mesh/ring.js';

/** What a disk that syncs for a tenth of a second leaves unwritten of images of 40 MB a second. */
const RING_BYTES = 4 * 1024 * 1024;

export interface ImageRings {
  readonly rings: readonly SharedArrayBuffer[];
  readonly ringCapacity: number;
}

/** The rings of `threadCount` threads. */
export function createImageRings(threadCount: number, ringCapacity = RING_BYTES): ImageRings {
  const bytes = ringBytes(ringCapacity);
  const rings = Array.from({ length: threadCount }, () => new SharedArrayBuffer(bytes));
  return { rings, ringCapacity };
}
