// Flagstone against a real redis-server: 50,000 random commands from a fixed seed. More, and with
// fresh seeds: node dist/test/oracle/main.js.

import { afterAll, describe, expect, it } from 'vitest';
import { findProgram } from '../support/server.js';
import {
  type Difference,
  Differential,
  describe as describeDifference,
  protocolOf,
  shrink,
} from './differential.js';
import { Side } from './side.js';

const SEED = 20_240_611;
const COUNT = 50_000;
const TEST_MS_MAX = 120_000;

const redis = findProgram('redis-server');
const open: Side[] = [];
afterAll(async () => {
  for (const side of open) await side.close();
});

function sides(left: string | undefined, right: string): Differential {
  const pair = [new Side('left', left), new Side('right', right)] as const;
  open.push(...pair);
  return new Differential(...pair);
}

function printed(difference: Difference | undefined, episode: number): string {
  if (difference === undefined) return 'no difference';
  const repeat = `node dist/test/oracle/main.js --seed ${SEED} --episode ${episode}`;
  return `${describeDifference(difference, ['flagstone', 'redis'])}\nrepeat: ${repeat}`;
}

describe('the differential oracle', () => {
  it('finds no difference to a real redis-server', { timeout: TEST_MS_MAX }, async (context) => {
    if (redis === null) return context.skip('there is no redis-server on the PATH');
    const differential = sides(undefined, redis);

    const found = await differential.run({ seed: SEED, count: COUNT });

    expect(printed(found?.difference, found?.episode ?? 0)).toBe('no difference');
  });

  it('finds a difference and shrinks it to one step', async (context) => {
    if (redis === null) return context.skip('there is no redis-server on the PATH');
    const differential = sides(`${redis} --proto-max-bulk-len 1mb`, redis);

    const found = await differential.run({ seed: SEED, count: COUNT });
    const shortest = await shrink(differential, found!.steps, protocolOf(SEED, found!.episode));

    expect(shortest.steps).toHaveLength(1);
    expect(shortest.difference.left).toContain('string exceeds maximum allowed size');
  });

  it('finds a difference that only the keys at the end show', async (context) => {
    if (redis === null) return context.skip('there is no redis-server on the PATH');
    // Without CONFIG it keeps what it was started with.
    const own = '--hash-max-listpack-entries 0 --rename-command CONFIG UNUSED';
    const differential = sides(`${redis} ${own}`, redis);

    const difference = await differential.play([[['HSET', 'hash', 'a', '1']]], 2);

    expect(difference?.words).toEqual(['OBJECT', 'ENCODING', 'hash']);
  });
});
