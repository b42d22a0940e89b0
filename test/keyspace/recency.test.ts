// The 24 bits in which an entry keeps its use: seconds, or minutes and a counter.

import { describe, expect, it } from 'vitest';
import {
  clockRecency,
  countAccess,
  frequencyOf,
  freshFrequency,
  idleSeconds,
} from '../../src/keyspace/recency.js';

const MINUTE_MS = 60_000;
const NOW_MS = 1_700_000_000_000;
const SCALE = { logFactor: 10, decayMinutes: 1 };

const COUNTERS = 50;

describe('the recency of an entry', () => {
  it('tells seconds without use, over the end of its 24 bits too', () => {
    const stamped = clockRecency(NOW_MS);
    expect(idleSeconds(stamped, clockRecency(NOW_MS + 12_000))).toBe(12);
    const end = 2 ** 24 * 1000 - 1000;
    expect(idleSeconds(clockRecency(end), clockRecency(end + 3000))).toBe(3);
  });

  it('begins a count at five and loses one each lfu-decay-time minutes', () => {
    const stamped = freshFrequency(NOW_MS);
    const later = (minutes: number) => freshFrequency(NOW_MS + minutes * MINUTE_MS);
    expect(frequencyOf(stamped, later(0), SCALE)).toBe(5);
    expect(frequencyOf(stamped, later(3), SCALE)).toBe(2);
    expect(frequencyOf(stamped, later(30), SCALE)).toBe(0);
    expect(frequencyOf(stamped, later(30), { logFactor: 10, decayMinutes: 10 })).toBe(2);
    expect(frequencyOf(stamped, later(30), { logFactor: 10, decayMinutes: 0 })).toBe(5);
  });

  // The figures that redis.conf names for its factors: hits against the counter they lead to.
  it.each([
    [0, 1000, 255, 255],
    [1, 1000, 40, 58],
    [10, 1000, 13, 23],
    [10, 100_000, 125, 160],
    [100, 100_000, 40, 58],
  ])('counts on a logarithm: factor %i, %i hits', (logFactor, hits, least, most) => {
    const scale = { logFactor, decayMinutes: 1 };
    const now = freshFrequency(NOW_MS);
    // Chance counts, so a single counter may end anywhere; the mean of many does not.
    let sum = 0;
    for (let counter = 0; counter < COUNTERS; counter++) {
      let recency = now;
      for (let hit = 0; hit < hits; hit++) recency = countAccess(recency, now, scale);
      sum += frequencyOf(recency, now, scale);
    }
    expect(sum / COUNTERS).toBeGreaterThanOrEqual(least);
    expect(sum / COUNTERS).toBeLessThanOrEqual(most);
  });

  it('takes off what has decayed before it counts, and keeps the minute', () => {
    const stamped = freshFrequency(NOW_MS);
    const now = freshFrequency(NOW_MS + 3 * MINUTE_MS);
    // Two are left; below five every access counts.
    expect(frequencyOf(countAccess(stamped, now, SCALE), now, SCALE)).toBe(3);
  });
});
