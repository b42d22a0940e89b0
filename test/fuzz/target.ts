// What a fuzz target is. A file *.fuzz.ts beside this one exports `target`, and
// `npm run fuzz -- <name>` finds it by its name.

import type { Random } from '../support/seed.js';

export interface FuzzRun {
  readonly seed: number;
  readonly steps: number;
  readonly random: Random;
  /** Remembers what is being done, shown if the run fails. */
  note(sentence: string): void;
}

export interface FuzzTarget {
  readonly name: string;
  /** One sentence for the list of targets. */
  readonly about: string;
  /** Steps of one run when nobody says how many: about a second of work. */
  readonly stepsPerRun: number;
  /** Throws at the first thing that is wrong. The same seed and steps do the same. */
  run(run: FuzzRun): Promise<void> | void;
  /** Ends what the target keeps from run to run. */
  stop?(): Promise<void>;
}
