// What the model tests of memory share: a slab of their own, a seed that failures print, keys that
// come again.

import { it } from 'vitest';
import { formatSlab } from '../../src/slab/alloc.js';
import { Slab } from '../../src/slab/slab.js';
import { partSeed, Random, seedOf } from './seed.js';

/** Repeats the runs of a failure: SEED=123 npx vitest run <file>. */
const SEED_VARIABLE = 'SEED';

export function freshSlab(bytes: number, databases = 1): Slab {
  const slab = new Slab(0, new SharedArrayBuffer(bytes));
  formatSlab(slab, databases);
  return slab;
}

/** A test of `runs` random runs; a failure names the seed that repeats it. */
export function randomTest(title: string, runs: number, run: (random: Random) => void): void {
  it(title, () => {
    const seed = seedOf(SEED_VARIABLE);
    for (let index = 0; index < runs; index++) {
      try {
        run(new Random(partSeed(seed, index)));
      } catch (error) {
        const { message, stack } = error as Error;
        throw new Error(
          `run ${index}, repeat with ${SEED_VARIABLE}=${seed}: ${message}\n${stack}`,
          {
            cause: error,
          },
        );
      }
    }
  });
}

/** An int32 that spreads well over its bits. */
export function mix(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
