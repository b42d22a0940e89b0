// The mean time to live that INFO tells: exact for few keys, near for many.

import { describe, expect, it } from 'vitest';
import { genericCommands } from '../../src/commands/generic/index.js';
import { stringCommands } from '../../src/commands/string/index.js';
import { expiryBytes, meanExpiry } from '../../src/keyspace/expire.js';
import { Engine } from '../support/engine.js';

function meanOf(engine: Engine): number {
  const [partition] = engine.keyspace.partitions;
  partition!.select(0);
  return meanExpiry(partition!.slab, partition!.expiryRoot);
}

describe('meanExpiry', () => {
  it('is exact for a few keys among many that have no expiry', () => {
    const engine = new Engine({ specs: [...stringCommands, ...genericCommands], partitions: 1 });
    expect(meanOf(engine)).toBe(0);
    for (let index = 0; index < 1000; index++) engine.run('SET', `stays${index}`, '1');
    engine.run('SET', 'short', '1', 'PX', '1000');
    engine.run('SET', 'long', '1', 'EX', '86400');
    expect(meanOf(engine) - engine.clock.nowMs()).toBe((1000 + 86_400_000) / 2);
    engine.run('PERSIST', 'long');
    expect(meanOf(engine) - engine.clock.nowMs()).toBe(1000);
  });

  it('is near for many keys, whatever slots they fill', () => {
    const engine = new Engine({ specs: stringCommands, partitions: 1 });
    let sum = 0;
    const count = 12_000;
    for (let index = 0; index < count; index++) {
      // Most in one slot, so that it is not counted to its end.
      const ttl = index % 6 === 0 ? 1000 + (index % 997) * 1000 : 50_000_000 + (index % 50);
      sum += ttl;
      engine.run('SET', `key${index}`, '1', 'PX', String(ttl));
    }
    const mean = meanOf(engine) - engine.clock.nowMs();
    expect(mean).toBeGreaterThan((sum / count) * 0.97);
    expect(mean).toBeLessThan((sum / count) * 1.03);
  });

  it('knows what the index takes', () => {
    expect(expiryBytes(0)).toBe(0);
    expect(expiryBytes(126)).toBe(expiryBytes(125) + 512);
  });
});
