// The expiry index against a Map of times: nobody goes early, nobody stays long.

import { equal } from 'node:assert/strict';
import { expireStep } from '../../src/keyspace/upkeep.js';
import { checkSlab } from '../../src/slab/check.js';
import { DAY_MS, ExpiryModel, TICK_MS } from '../model/expiry.js';
import type { FuzzTarget } from './target.js';

const SLAB_BYTES = 16 * 1024 * 1024;
const SPANS_MS = [0, 10, TICK_MS, 5000, 300_000, 20 * DAY_MS, 4000 * DAY_MS, 400_000 * DAY_MS];
const CHECK_EVERY_STEPS = 50;

export const target: FuzzTarget = {
  name: 'expire',
  about: 'the expiry index against a Map of times, checkExpiry as it goes',
  stepsPerRun: 6000,
  run({ steps, random, note }) {
    const model = new ExpiryModel(SLAB_BYTES);
    for (let step = 0; step < steps; step++) {
      const key = `key:${random.below(400)}`;
      const choice = random.below(20);
      const span = random.below(1 + random.pick(SPANS_MS));
      const budget = 1 + random.below(20);
      note(`step ${step}: ${key}, choice ${choice}, ${span} ms, budget ${budget}`);
      if (choice < 11) model.set(key, model.nowMs - 100 + span);
      else if (choice < 14) model.remove(key);
      else if (choice < 18) expireStep(model.partition, model.nowMs, budget);
      else model.keyspace.nowMs += random.below(1 + random.pick(SPANS_MS.slice(0, 6)) / 10);
      if (step % CHECK_EVERY_STEPS === 0) model.check();
      if (random.chance(0.01)) model.catchUp(1 + random.below(100));
    }
    model.catchUp(1000);
    model.check();
    for (const key of [...model.due.keys()]) model.remove(key);
    model.check();
    equal(model.due.size, 0);
    checkSlab(model.partition.slab);
  },
};
