// The canary must fail: it proves that the runner notices failures and can repeat them.

import type { FuzzTarget } from './target.js';

/** One step in twenty fails, so a run of hundreds fails for every seed worth naming. */
const FAILURE = 0.05;

export const target: FuzzTarget = {
  name: 'canary',
  about: 'must fail: shows that failures are noticed and repeated',
  stepsPerRun: 1_000,
  run({ steps, random, note }) {
    for (let step = 0; step < steps; step++) {
      note(`step ${step}`);
      if (random.chance(FAILURE)) throw new Error(`the canary sang at step ${step}`);
    }
  },
};
