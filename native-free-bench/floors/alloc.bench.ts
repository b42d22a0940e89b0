// The allocator of a slab: blocks of one size, of many, and large runs.

import { allocate, type BlockRef, formatSlab, release } from '../../src/slab/alloc.js';
import { Slab } from '../../src/slab/slab.js';
import type { FloorBench } from '../floor.js';

const SLAB_BYTES = 256 * 1024 * 1024;
const SLAB_BYTES_TINY = 16 * 1024 * 1024;
const LIVE_BLOCKS = 4096;
/** Entries of short strings, of longer ones, and values with blocks of their own. */
const MIXED_BYTES = [40, 56, 40, 120, 40, 300, 56, 1000, 40, 4000];
const STEP = 1021;

export const floorBench: FloorBench = {
  name: 'alloc',
  about: 'a block freed and another taken, with four thousand alive',
  prepare(isTiny) {
    const slabBytes = isTiny ? SLAB_BYTES_TINY : SLAB_BYTES;
    const operations = isTiny ? 64 : LIVE_BLOCKS;
    const live = isTiny ? 64 : LIVE_BLOCKS;
    return [
      churnCase('40 bytes', [40], slabBytes, live, operations),
      churnCase('sizes of entries', MIXED_BYTES, slabBytes, live, operations),
      churnCase('runs of 12 to 40 KB', [12_000, 20_000, 40_000], slabBytes, live >> 2, operations),
    ];
  },
};

function churnCase(
  name: string,
  sizes: readonly number[],
  slabBytes: number,
  live: number,
  operations: number,
) {
  const slab = new Slab(0, new SharedArrayBuffer(slabBytes));
  formatSlab(slab, 1);
  const refs = new Int32Array(live);
  let size = 0;
  const take = () => {
    size = (size + 1) % sizes.length;
    return allocate(slab, sizes[size]!);
  };
  for (let index = 0; index < live; index += 1) refs[index] = take();
  let index = 0;
  const run = () => {
    let sum = 0;
    for (let done = 0; done < operations; done += 1) {
      index = (index + STEP) % live;
      release(slab, refs[index]! as BlockRef);
      const ref = take();
      refs[index] = ref;
      sum = (sum + ref) | 0;
    }
    return sum;
  };
  return { name, operations, run };
}
