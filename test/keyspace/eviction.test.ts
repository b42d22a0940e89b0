// Which keys go: the pool over all partitions, for each policy.

import { describe, expect, it } from 'vitest';
import { allCommands } from '../../src/commands/index.js';
import { CommandTable } from '../../src/dispatch/table.js';
import { Evictor, evictionPolicy } from '../../src/keyspace/eviction.js';
import { checkSlab } from '../../src/slab/check.js';
import { holderOf, releaseLock, takeLock } from '../../src/slab/lock.js';
import { Header } from '../../src/slab/slab.js';
import { Engine } from '../support/engine.js';

const TABLE = new CommandTable(allCommands);
const KEYS = 400;

interface Bench {
  readonly engine: Engine;
  readonly evictor: Evictor;
  readonly evicted: string[];
  /** Evicts so many keys, as the server does: one lock at a time. */
  evict(count: number): void;
}

function open(policyName: string): Bench {
  const engine = new Engine({ specs: allCommands, table: TABLE, partitions: 8 });
  const { keyspace } = engine;
  const evictor = new Evictor(keyspace);
  const policy = evictionPolicy(policyName);
  evictor.choose(policy, 5);
  keyspace.setStamping(policy.stamping);
  const evicted: string[] = [];
  keyspace.sinks.evicted = (_partition, _database, u8, start, length) =>
    evicted.push(Buffer.from(u8.slice(start, start + length)).toString());
  const under = <T>(index: number, what: () => T): T => {
    const words = keyspace.partitions[index]!.slab.i32;
    takeLock(words, Header.Lock, holderOf(0));
    try {
      return what();
    } finally {
      releaseLock(words, Header.Lock);
    }
  };
  const evictOne = (): boolean => {
    for (let tries = 0; tries < 1000; tries++) {
      const place = evictor.drawPlace();
      if (place === -1) return false;
      const index = evictor.partitionOf(place);
      if (policyName.endsWith('random')) {
        if (under(index, () => evictor.evictAny(place))) return true;
        continue;
      }
      under(index, () => evictor.sample(place));
      if (evictor.bestPartition === -1) continue;
      if (under(evictor.bestPartition, () => evictor.evictBest())) return true;
    }
    throw new Error('a thousand draws gave no key');
  };
  const evict = (count: number) => {
    engine.runner.readClock();
    for (let left = count; left > 0; left--) if (!evictOne()) return;
  };
  return { engine, evictor, evicted, evict };
}

const key = (index: number) => `key:${index}`;
const indexOf = (name: string) => Number(name.slice('key:'.length));

/** How many of the keys are below `limit`. */
function shareBelow(names: readonly string[], limit: number): number {
  return names.filter((name) => indexOf(name) < limit).length / names.length;
}

describe('eviction', () => {
  it('takes keys that were not used for long, of all partitions', () => {
    const { engine, evicted, evict } = open('allkeys-lru');
    for (let index = 0; index < KEYS; index++) engine.run('SET', key(index), 'x');
    engine.clock.wallMs += 10_000;
    for (let index = KEYS / 2; index < KEYS; index++) engine.run('GET', key(index));
    engine.clock.wallMs += 10_000;
    evict(KEYS / 4);
    expect(evicted.length).toBe(KEYS / 4);
    expect(shareBelow(evicted, KEYS / 2)).toBeGreaterThan(0.95);
    for (const slab of engine.slabs) checkSlab(slab);
  });

  it('takes keys that are seldom used under LFU, however recently', () => {
    const { engine, evicted, evict } = open('allkeys-lfu');
    for (let index = 0; index < KEYS; index++) engine.run('SET', key(index), 'x');
    for (let round = 0; round < 200; round++) {
      for (let index = KEYS / 2; index < KEYS; index++) engine.run('GET', key(index));
    }
    for (let index = 0; index < KEYS / 2; index++) engine.run('GET', key(index));
    evict(KEYS / 4);
    expect(shareBelow(evicted, KEYS / 2)).toBeGreaterThan(0.95);
  });

  it('takes keys that were not changed for long under LRM, read or not', () => {
    const { engine, evicted, evict } = open('allkeys-lrm');
    for (let index = 0; index < KEYS; index++) engine.run('SET', key(index), 'x');
    engine.clock.wallMs += 10_000;
    for (let index = KEYS / 2; index < KEYS; index++) engine.run('APPEND', key(index), 'y');
    for (let index = 0; index < KEYS / 2; index++) engine.run('GET', key(index));
    engine.clock.wallMs += 10_000;
    evict(KEYS / 4);
    expect(shareBelow(evicted, KEYS / 2)).toBeGreaterThan(0.95);
  });

  it('takes what expires soonest under volatile-ttl, nearly in order', () => {
    const { engine, evicted, evict } = open('volatile-ttl');
    for (let index = 0; index < KEYS; index++) {
      engine.run('SET', key(index), 'x', 'PX', `${100_000 + index * 1000}`);
      engine.run('SET', `for ever:${index}`, 'x');
    }
    evict(KEYS / 4);
    expect(evicted.length).toBe(KEYS / 4);
    expect(shareBelow(evicted, KEYS / 4 + 80)).toBe(1);
  });

  it.each([1, 100])('leaves keys without an expiry alone: 1 volatile of %i', (rarity) => {
    for (const policy of ['volatile-lru', 'volatile-lfu', 'volatile-lrm', 'volatile-random']) {
      const { engine, evicted, evict } = open(policy);
      for (let index = 0; index < KEYS; index++) {
        const isVolatile = index % rarity === 0;
        engine.run('SET', key(index), 'x', ...(isVolatile ? ['EX', '1000'] : []));
      }
      evict(KEYS);
      expect(evicted.length).toBe(KEYS / rarity);
      expect(evicted.every((name) => indexOf(name) % rarity === 0)).toBe(true);
      expect(engine.run('DBSIZE')).toBe(`:${KEYS - KEYS / rarity}\r\n`);
    }
  });

  it('is fair: partitions and databases give as they have', () => {
    const { engine, evicted, evict } = open('allkeys-random');
    for (let index = 0; index < 900; index++) engine.run('SET', `key:${index}{a}`, 'x');
    engine.run('SELECT', '3');
    for (let index = 0; index < 100; index++) engine.run('SET', `other:${index}`, 'x');
    evict(500);
    const ofOther = evicted.filter((name) => name.startsWith('other')).length;
    expect(ofOther).toBeGreaterThan(25);
    expect(ofOther).toBeLessThan(80);
  });

  it('does not evict what was used since it became a candidate', () => {
    const { engine, evictor, evicted } = open('allkeys-lru');
    engine.run('SET', 'key:1', 'x');
    engine.clock.wallMs += 5000;
    engine.runner.readClock();
    evictor.sample(evictor.drawPlace());
    const { bestPartition } = evictor;
    engine.run('GET', 'key:1');
    expect(bestPartition).not.toBe(-1);
    expect(evictor.evictBest()).toBe(false);
    expect(evicted).toEqual([]);
  });

  it('leaves nothing behind of an empty database', () => {
    const { engine, evict } = open('allkeys-lru');
    const before = engine.slabs.map((slab) => slab.i32[Header.UsedGranules]);
    for (let index = 0; index < KEYS; index++) engine.run('SET', key(index), 'x', 'EX', '100');
    evict(KEYS + 1);
    expect(engine.run('DBSIZE')).toBe(':0\r\n');
    expect(engine.slabs.map((slab) => slab.i32[Header.UsedGranules])).toEqual(before);
    for (const slab of engine.slabs) checkSlab(slab);
  });
});
