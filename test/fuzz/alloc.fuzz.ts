// The allocator in phases of growing and shrinking: blocks stay apart, counters stay exact.

import { equal } from 'node:assert/strict';
import { heldBytesOf, purge } from '../../src/slab/alloc.js';
import { checkSlab } from '../../src/slab/check.js';
import { usedBytesOf } from '../../src/slab/slab.js';
import { AllocModel } from '../model/alloc.js';
import type { FuzzTarget } from './target.js';

const PHASE_STEPS = 300;
const CHECK_EVERY_STEPS = 20;

export const target: FuzzTarget = {
  name: 'alloc',
  about: 'the allocator against a list of blocks, checkSlab as it goes',
  stepsPerRun: 4000,
  run({ steps, random, note }) {
    const model = new AllocModel(random);
    let releases = 4;
    for (let step = 0; step < steps; step++) {
      if (step % PHASE_STEPS === 0) releases = random.pick([1, 3, 4, 6]);
      const choice = random.below(10);
      note(`step ${step}: choice ${choice} of ${releases}, ${model.blocks.length} blocks`);
      if (choice < releases) model.release();
      else if (choice < 8) model.allocate();
      else if (choice === 8) model.resize();
      else model.purge();
      if (random.chance(0.001)) model.reset();
      if (step % CHECK_EVERY_STEPS === 0) model.check();
    }
    model.checkAll();
    while (model.blocks.length > 0) model.release();
    equal(usedBytesOf(model.slab), 0);
    while (purge(model.slab, 1, 1000, () => {}));
    equal(heldBytesOf(model.slab), 0);
    equal(checkSlab(model.slab).freeRuns, 1);
  },
};
