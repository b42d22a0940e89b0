// The allocator against a list of what is handed out: no overlap, exact counters, nothing lost.

import { describe, expect, it } from 'vitest';
import {
  allocate,
  type BlockRef,
  capacityOf,
  growInPlace,
  heldBytesOf,
  PAGE_BYTES,
  purge,
  release,
  reserve,
  resetSlab,
  roundedBytes,
  SMALL_BYTES_MAX,
  shrinkInPlace,
} from '../../src/slab/alloc.js';
import { checkSlab } from '../../src/slab/check.js';
import { NONE, type Slab, usedBytesOf } from '../../src/slab/slab.js';
import { freshSlab, randomTest } from '../support/model.js';
import type { Random } from '../support/seed.js';

const SLAB_BYTES = 8 * 1024 * 1024;

interface Block {
  ref: BlockRef;
  bytes: number;
  mark: number;
}

/** Blocks with marks in their first and last words, as a user would have written them. */
class Model {
  readonly slab = freshSlab(SLAB_BYTES);
  readonly random: Random;
  readonly blocks: Block[] = [];
  private nextMark = 1;

  constructor(random: Random) {
    this.random = random;
  }

  usedBytes(): number {
    return this.blocks.reduce((sum, block) => sum + capacityOf(this.slab, block.ref), 0);
  }

  size(): number {
    const { random } = this;
    const sort = random.below(10);
    if (sort < 6) return 1 + random.below(300);
    if (sort < 8) return 1 + random.below(SMALL_BYTES_MAX + 100);
    if (sort < 9) return random.below(20) * PAGE_BYTES + random.below(3);
    return random.below(600_000);
  }

  allocate(): void {
    const bytes = this.size();
    const isSure = reserve(this.slab, bytes);
    const ref = allocate(this.slab, bytes);
    if (isSure) expect(ref).not.toBe(NONE);
    if (ref === NONE) return;
    expect(capacityOf(this.slab, ref)).toBe(roundedBytes(bytes));
    this.stamp({ ref, bytes: Math.max(bytes, 8), mark: 0 });
  }

  stamp(block: Block): void {
    block.mark = this.nextMark++;
    this.slab.i32.fill(block.mark, block.ref * 2, block.ref * 2 + (block.bytes >> 2));
    if (!this.blocks.includes(block)) this.blocks.push(block);
  }

  expectWhole(block: Block): void {
    const { i32 } = this.slab;
    const first = block.ref * 2;
    for (const word of [first, first + (block.bytes >> 2) - 1, first + (block.bytes >> 3)]) {
      expect(i32[word]).toBe(block.mark);
    }
  }

  release(): void {
    const index = this.random.below(this.blocks.length);
    const [block] = this.blocks.splice(index, 1);
    if (block === undefined) return;
    this.expectWhole(block);
    release(this.slab, block.ref);
  }

  resize(): void {
    const large = this.blocks.filter((block) => capacityOf(this.slab, block.ref) > SMALL_BYTES_MAX);
    if (large.length === 0) return;
    const block = this.random.pick(large);
    const bytes = Math.max(1, this.size() * 4);
    this.expectWhole(block);
    if (bytes <= capacityOf(this.slab, block.ref)) shrinkInPlace(this.slab, block.ref, bytes);
    else if (!growInPlace(this.slab, block.ref, bytes)) return;
    expect(capacityOf(this.slab, block.ref)).toBe(Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES);
    block.bytes = Math.max(bytes, 8);
    this.stamp(block);
  }

  /** Pages that are given back are filled: nobody may have used them. */
  purge(): void {
    const pagesMax = 1 + this.random.below(64);
    purge(this.slab, 1 + this.random.below(8), pagesMax, (offset, bytes) => {
      expect(bytes).toBeLessThanOrEqual(pagesMax * PAGE_BYTES);
      this.slab.u8.fill(0xee, offset, offset + bytes);
    });
  }

  reset(): void {
    resetSlab(this.slab);
    this.blocks.length = 0;
  }
}

function purgeAll(slab: Slab): void {
  while (purge(slab, 1, 1000, () => {}));
}

describe('the allocator', () => {
  it('starts with one clean run and knows it', () => {
    const report = checkSlab(freshSlab(SLAB_BYTES));
    expect(report).toMatchObject({ usedBytes: 0, dirtyPages: 0, freeRuns: 1 });
  });

  randomTest('keeps blocks apart, counts exactly and loses nothing', 8, (random) => {
    const model = new Model(random);
    // Phases of growing and shrinking, so that the slab is full and empty now and then.
    for (let phase = 0; phase < 8; phase++) {
      const releases = random.pick([2, 4, 6]);
      for (let step = 0; step < 400; step++) {
        const choice = random.below(10);
        if (choice < releases) model.release();
        else if (choice < 8) model.allocate();
        else if (choice === 8) model.resize();
        else model.purge();
        if (random.chance(0.002)) model.reset();
        if (step % 20 === 0) expect(checkSlab(model.slab).usedBytes).toBe(model.usedBytes());
      }
      for (const block of model.blocks) model.expectWhole(block);
    }
    while (model.blocks.length > 0) model.release();
    expect(usedBytesOf(model.slab)).toBe(0);
    checkSlab(model.slab);
    purgeAll(model.slab);
    expect(heldBytesOf(model.slab)).toBe(0);
    expect(checkSlab(model.slab).freeRuns).toBe(1);
  });

  it('refuses a reservation before an allocation could fail', () => {
    const slab = freshSlab(4 * 1024 * 1024);
    let count = 0;
    while (reserve(slab, 100)) {
      expect(allocate(slab, 100)).not.toBe(NONE);
      count++;
    }
    expect(count).toBeGreaterThan(30_000);
    // What was kept back: 128 KiB of metadata in blocks of any size.
    for (let bytes = 0; bytes < 128 * 1024; bytes += 2048) {
      expect(allocate(slab, 2048)).not.toBe(NONE);
    }
  });

  it('forgets everything when it is reset', () => {
    const slab = freshSlab(SLAB_BYTES);
    for (let index = 0; index < 1000; index++) allocate(slab, 10 + index * 5);
    resetSlab(slab);
    expect(checkSlab(slab)).toMatchObject({ usedBytes: 0, usedPages: 0, freeRuns: 2 });
    expect(allocate(slab, SLAB_BYTES / 8)).not.toBe(NONE);
  });
});
