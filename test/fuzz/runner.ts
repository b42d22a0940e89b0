// Runs fuzz targets and says how to repeat a failure.

import { readdirSync } from 'node:fs';
import { freshSeed, Random } from '../support/seed.js';
import type { FuzzTarget } from './target.js';

/** Lines of notes shown with a failure. */
const NOTES_MAX = 12;

export interface FuzzFailure {
  readonly seed: number;
  readonly steps: number;
  readonly notes: readonly string[];
  readonly error: unknown;
}

export interface FuzzOptions {
  /** One run with this seed; without it, run after run with fresh seeds. */
  readonly seed?: number;
  readonly steps?: number;
  /** Stops after so many runs. Default: one with a seed, endless without. */
  readonly runs?: number;
  /** Begins no further run after so long. */
  readonly seconds?: number;
  told?(line: string): void;
}

/** All targets beside this file, by name. */
export async function findTargets(): Promise<Map<string, FuzzTarget>> {
  const folder = new URL('.', import.meta.url);
  const targets = new Map<string, FuzzTarget>();
  for (const file of readdirSync(folder).sort()) {
    if (!/\.fuzz\.(js|ts)$/.test(file)) continue;
    const module: { target?: FuzzTarget } = await import(new URL(file, folder).href);
    if (module.target === undefined) throw new Error(`${file} exports no target`);
    targets.set(module.target.name, module.target);
  }
  return targets;
}

/** Runs a target; returns the first failure, or undefined when all runs went well. */
export async function fuzz(
  target: FuzzTarget,
  options: FuzzOptions = {},
): Promise<FuzzFailure | undefined> {
  const steps = options.steps ?? target.stepsPerRun;
  const isFixed = options.seed !== undefined;
  const isTimed = options.seconds !== undefined;
  const runs = options.runs ?? (isFixed && !isTimed ? 1 : Number.POSITIVE_INFINITY);
  const endMs = performance.now() + (options.seconds ?? Number.POSITIVE_INFINITY) * 1000;
  try {
    for (let run = 0; run < runs && performance.now() < endMs; run++) {
      const seed = isFixed ? options.seed! + run : freshSeed();
      options.told?.(`${target.name}: seed ${seed}, ${steps} steps`);
      const failure = await runOnce(target, seed, steps);
      if (failure !== undefined) return failure;
    }
    return undefined;
  } finally {
    await target.stop?.();
  }
}

/** The line that repeats a failure. */
export function repeatLine(target: FuzzTarget, failure: FuzzFailure): string {
  return `npm run fuzz -- ${target.name} --seed ${failure.seed} --steps ${failure.steps}`;
}

async function runOnce(
  target: FuzzTarget,
  seed: number,
  steps: number,
): Promise<FuzzFailure | undefined> {
  const notes: string[] = [];
  const note = (sentence: string): void => {
    if (notes.push(sentence) > NOTES_MAX) notes.shift();
  };
  try {
    await target.run({ seed, steps, random: new Random(seed), note });
    return undefined;
  } catch (error) {
    return { seed, steps, notes, error };
  }
}
