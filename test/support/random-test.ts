// Random tests: runs from one seed that failures print.

import { it } from 'vitest';
import { partSeed, Random, seedOf } from './seed.js';

/** Repeats the runs of a failure: SEED=123 npx vitest run <file>. */
const SEED_VARIABLE = 'SEED';

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
