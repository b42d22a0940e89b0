// The allocator against a list of what is handed out: no overlap, exact counters, nothing lost.

import { describe, expect, it } from 'vitest';
import { allocate, heldBytesOf, purge, reserve, resetSlab } from '../../src/slab/alloc.js';
import { checkSlab } from '../../src/slab/check.js';
import { NONE, type Slab, usedBytesOf } from '../../src/slab/slab.js';
import { AllocModel, SLAB_BYTES } from '../model/alloc.js';
import { randomTest } from '../support/random-test.js';
import { freshSlab } from '../support/slab.js';

function purgeAll(slab: Slab): void {
  while (purge(slab, 1, 1000, () => {}));
}

describe('the allocator', () => {
  it('starts with one clean run and knows it', () => {
    const report = checkSlab(freshSlab(SLAB_BYTES));
    expect(report).toMatchObject({ usedBytes: 0, dirtyPages: 0, freeRuns: 1 });
  });

  randomTest('keeps blocks apart, counts exactly and loses nothing', 8, (random) => {
    const model = new AllocModel(random);
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
        if (step % 20 === 0) model.check();
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
