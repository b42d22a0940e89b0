// Sorted arrays of integers, all of the same width.
//
//   ┌───────────────┬───────┬───────────────────────────────┐
//   │ bytes of each │ count │ integers, ascending           │   low byte first throughout
//   │ 4: 2, 4 or 8  │ 4     │                               │
//   └───────────────┴───────┴───────────────────────────────┘

import { compareInt64 } from '../base/ascii.js';
import type { BlockRef } from '../slab/alloc.js';
import type { Slab } from '../slab/slab.js';
import { integer, integersAt, integersCount } from '../structs/integers.js';
import type { ByteSink } from './sink.js';
import { BAD_DATA, ByteSource } from './source.js';

const HEAD_BYTES = 8;

/** One integer after the other. */
export class Intset {
  count = 0;
  low = 0;
  high = 0;
  private width = 0;
  private walked = 0;
  private readonly source = new ByteSource();

  /** Stands before the first integer of u8[start, start + length); reads the head. */
  open(u8: Uint8Array, start: number, length: number): this {
    const source = this.source.open(u8, start, start + length);
    this.width = source.little(4);
    this.count = source.little(4);
    this.walked = 0;
    const { width, count } = this;
    if (width !== 2 && width !== 4 && width !== 8) throw BAD_DATA;
    if (count === 0 || HEAD_BYTES + count * width !== length) throw BAD_DATA;
    return this;
  }

  /** To the next integer, which must be greater; false at the end. */
  next(): boolean {
    if (this.walked === this.count) return false;
    const { low, high, source } = this;
    if (this.width === 8) {
      source.wideLittle();
      this.low = source.low;
      this.high = source.high;
    } else {
      const unused = 32 - 8 * this.width;
      this.low = (source.little(this.width) << unused) >> unused;
      this.high = this.low >> 31;
    }
    if (this.walked > 0 && compareInt64(low, high, this.low, this.high) >= 0) throw BAD_DATA;
    this.walked++;
    return true;
  }
}

/** The least and the greatest tell how many bytes each takes. */
function widthOf(slab: Slab, ref: BlockRef, count: number): number {
  integersAt(slab, ref, 0);
  const least = widthOfInteger();
  integersAt(slab, ref, count - 1);
  return Math.max(least, widthOfInteger());
}

function widthOfInteger(): number {
  const { low, high } = integer;
  if (high !== low >> 31) return 8;
  return low === (low << 16) >> 16 ? 2 : 4;
}

/** Bytes of the array with the integers at `ref`. */
export function intsetBytes(slab: Slab, ref: BlockRef): number {
  const count = integersCount(slab, ref);
  return HEAD_BYTES + count * widthOf(slab, ref, count);
}

export function writeIntset(sink: ByteSink, slab: Slab, ref: BlockRef): void {
  const count = integersCount(slab, ref);
  const width = widthOf(slab, ref, count);
  sink.little(width, 4);
  sink.little(count, 4);
  for (let index = 0; index < count; index++) {
    integersAt(slab, ref, index);
    sink.little(integer.low, Math.min(width, 4));
    if (width === 8) sink.little(integer.high, 4);
  }
}
