// The expiry index against a Map of times: nobody goes early, nobody stays long, no step does too
// much.

import { describe, expect, it } from 'vitest';
import { expireStep } from '../../src/keyspace/upkeep.js';
import { checkSlab } from '../../src/slab/check.js';
import { usedBytesOf } from '../../src/slab/slab.js';
import { DAY_MS, ExpiryModel, TICK_MS } from '../model/expiry.js';
import { randomTest } from '../support/random-test.js';

describe('the expiry index', () => {
  randomTest('lets go of every key in its time', 8, (random) => {
    const clock = new ExpiryModel(16 * 1024 * 1024);
    const spans = [0, 10, TICK_MS, 5000, 300_000, 20 * DAY_MS, 4000 * DAY_MS, 400_000 * DAY_MS];
    for (let step = 0; step < 6000; step++) {
      const key = `key:${random.below(400)}`;
      const choice = random.below(20);
      if (choice < 11) clock.set(key, clock.nowMs - 100 + random.below(1 + random.pick(spans)));
      else if (choice < 14) clock.remove(key);
      else if (choice < 18) expireStep(clock.partition, clock.nowMs, 1 + random.below(20));
      else clock.keyspace.nowMs += random.below(1 + random.pick(spans.slice(0, 6)) / 10);
      if (step % 50 === 0) clock.check();
      if (random.chance(0.01)) clock.catchUp(1 + random.below(100));
    }
    clock.catchUp(1000);
    clock.check();
    for (const key of [...clock.due.keys()]) clock.remove(key);
    clock.check();
  });

  randomTest('does not mind a clock that is set back', 4, (random) => {
    const clock = new ExpiryModel(8 * 1024 * 1024);
    for (let step = 0; step < 2000; step++) {
      clock.set(`key:${random.below(200)}`, clock.nowMs + random.below(100_000));
      if (random.chance(0.1)) clock.keyspace.nowMs += random.below(60_000) - 28_000;
      expireStep(clock.partition, clock.nowMs, 1 + random.below(50));
      if (step % 20 === 0) clock.check();
    }
    clock.keyspace.nowMs += 500_000;
    clock.catchUp(100);
    expect(clock.due.size).toBe(0);
  });

  it('empties a second full of keys in small steps', () => {
    const clock = new ExpiryModel(64 * 1024 * 1024);
    const count = 50_000;
    for (let index = 0; index < count; index++) {
      clock.set(`key:${index}`, clock.nowMs + 60_000 + (index % 1000));
    }
    clock.keyspace.nowMs += 62_000;
    const budget = 100;
    let before = 0;
    for (let isDone = false; !isDone; ) {
      isDone = expireStep(clock.partition, clock.nowMs, budget);
      expect(clock.gone.length - before).toBeLessThanOrEqual(budget);
      before = clock.gone.length;
    }
    expect(clock.gone.length).toBe(count);
    clock.check();
  });

  it('lets a key of this moment be found expired by whoever asks first', () => {
    const clock = new ExpiryModel(2 ** 21);
    clock.set('key', clock.nowMs + 10);
    expect(clock.partition.peek(clock.place('key'), 0)).not.toBe(0);
    clock.keyspace.nowMs += 10;
    expect(clock.partition.peek(clock.place('key'), 0)).toBe(0);
    expect(clock.gone).toEqual(['key']);
    clock.check();
  });

  it('stalls without harm while there is no memory to sort keys anew', () => {
    const clock = new ExpiryModel(2 ** 20);
    // All in one slot of the third level: it is sorted into 64 of the second when its time comes.
    const slotMs = TICK_MS * 64 * 64;
    const startMs = Math.ceil(clock.nowMs / slotMs + 3) * slotMs;
    for (let index = 0; index < 2000; index++) {
      clock.set(`key:${index}`, startMs + ((index * 997) % slotMs));
    }
    const { slab } = clock.partition;
    const filled = clock.fill();
    clock.keyspace.nowMs = startMs + TICK_MS;
    let isDone = true;
    for (let step = 0; step < 100; step++) isDone = expireStep(clock.partition, clock.nowMs, 100);
    expect(isDone).toBe(false);
    clock.check();
    checkSlab(slab);
    clock.empty(filled);
    clock.catchUp(100);
    clock.keyspace.nowMs += 2 * slotMs;
    clock.catchUp(100);
    expect(clock.due.size).toBe(0);
    expect(usedBytesOf(slab)).toBeGreaterThan(0);
  });
});
