// The fuzz runner itself, and a short fixed run of each target.

import { describe, expect, it } from 'vitest';
import { findTargets, fuzz, repeatLine } from './runner.js';

const SEED = 1;
const STEPS = 60;
const targets = await findTargets();

describe('the fuzz runner', () => {
  it('finds every target by its name', () => {
    expect([...targets.keys()]).toContain('resp-live');
    expect([...targets.keys()]).toContain('canary');
  });

  it('notices the failure of the canary and names the line that repeats it', async () => {
    const canary = targets.get('canary')!;

    const failure = await fuzz(canary, { seed: SEED });
    const again = await fuzz(canary, { seed: failure!.seed, steps: failure!.steps });

    expect(repeatLine(canary, failure!)).toBe('npm run fuzz -- canary --seed 1 --steps 1000');
    expect(failure!.notes.at(-1)).toMatch(/^step \d+$/);
    expect(String(again!.error)).toBe(String(failure!.error));
  });
});

describe('a short run', () => {
  const sound = [...targets.values()].filter((target) => target.name !== 'canary');
  it.each(sound.map((target) => [target.name, target] as const))(
    'of %s finds nothing',
    async (_, target) => {
      const failure = await fuzz(target, {
        seed: SEED,
        steps: Math.min(STEPS, target.stepsPerRun),
      });

      expect(failure).toBeUndefined();
    },
  );
});
