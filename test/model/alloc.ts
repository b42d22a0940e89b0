// The allocator's model: a list of the blocks that are handed out, each with marks in its first,
// middle and last words.

import { equal, ok } from 'node:assert/strict';
import {
  allocate,
  type BlockRef,
  capacityOf,
  growInPlace,
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
import { NONE } from '../../src/slab/slab.js';
import type { Random } from '../support/seed.js';
import { freshSlab } from '../support/slab.js';

export const SLAB_BYTES = 8 * 1024 * 1024;

interface Block {
  ref: BlockRef;
  bytes: number;
  mark: number;
}

/** Blocks with marks in their first and last words, as a user would have written them. */
export class AllocModel {
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
    if (isSure) ok(ref !== NONE, 'a reserved block is had');
    if (ref === NONE) return;
    equal(capacityOf(this.slab, ref), roundedBytes(bytes));
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
      equal(i32[word], block.mark, 'a block holds what was written');
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
    equal(capacityOf(this.slab, block.ref), Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES);
    block.bytes = Math.max(bytes, 8);
    this.stamp(block);
  }

  /** Pages that are given back are filled: nobody may have used them. */
  purge(): void {
    const pagesMax = 1 + this.random.below(64);
    purge(this.slab, 1 + this.random.below(8), pagesMax, (offset, bytes) => {
      ok(bytes <= pagesMax * PAGE_BYTES, 'no more is given back than was asked for');
      this.slab.u8.fill(0xee, offset, offset + bytes);
    });
  }

  reset(): void {
    resetSlab(this.slab);
    this.blocks.length = 0;
  }

  /** Asserts that allocator and list agree. */
  check(): void {
    equal(checkSlab(this.slab).usedBytes, this.usedBytes());
  }

  checkAll(): void {
    this.check();
    for (const block of this.blocks) this.expectWhole(block);
  }
}
