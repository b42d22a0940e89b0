import { describe, expect, test } from 'vitest';
import { createPicker, parseDistribution } from '../../native-free-bench/keys.js';
import { Random } from '../../native-free-bench/random.js';

function countPicks(text: string, keyCount: number, picks: number): Float64Array {
  const picker = createPicker(parseDistribution(text), keyCount, new Random(42));
  const counts = new Float64Array(keyCount);
  for (let index = 0; index < picks; index += 1) counts[picker.next()]! += 1;
  return counts;
}

describe('the choice of keys', () => {
  test.each([0.5, 0.99, 1, 1.3])('zipf:%d gives key k a share of 1 / (k + 1)^s', (exponent) => {
    const keyCount = 1000;
    const picks = 2_000_000;
    const counts = countPicks(`zipf:${exponent}`, keyCount, picks);
    const weights = Array.from({ length: keyCount }, (_, key) => (key + 1) ** -exponent);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    // Chi square: its mean is about the count of keys, its deviation the root of twice that. The
    // first keys are also looked at alone, where a wrong rejection shows most.
    for (const looked of [5, keyCount]) {
      const distance = weights.slice(0, looked).reduce((sum, weight, key) => {
        const expected = (weight / total) * picks;
        return sum + (counts[key]! - expected) ** 2 / expected;
      }, 0);
      expect(distance).toBeLessThan(looked + 5 * Math.sqrt(2 * looked));
    }
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(picks);
  });

  test('zipf over one key always picks it', () => {
    expect([...countPicks('zipf:0.99', 1, 100)]).toEqual([100]);
  });

  test('uniform gives every key the same share', () => {
    const counts = countPicks('uniform', 100, 100_000);
    const distance = counts.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    expect(distance).toBeLessThan(100 + 5 * Math.sqrt(200));
  });

  test('sequential visits every key once before any twice', () => {
    const distribution = { kind: 'sequential', first: 3, step: 1 } as const;
    const picker = createPicker(distribution, 10, new Random(1));
    const picks = Array.from({ length: 12 }, () => picker.next());
    expect(picks).toEqual([3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4]);
  });

  test('a distribution is read with its exponent, and nonsense is refused', () => {
    expect(parseDistribution('uniform')).toEqual({ kind: 'uniform' });
    expect(parseDistribution('zipf')).toEqual({ kind: 'zipf', exponent: 0.99 });
    expect(parseDistribution('zipf:1.2')).toEqual({ kind: 'zipf', exponent: 1.2 });
    for (const text of ['zipf:0', 'zipf:x', 'zipf:-1', 'normal', '']) {
      expect(() => parseDistribution(text)).toThrow('is no distribution');
    }
  });

  test('the same seed gives the same numbers, another seed others', () => {
    const take = (seed: number) => {
      const random = new Random(seed);
      return Array.from({ length: 5 }, () => random.next32());
    };
    expect(take(7)).toEqual(take(7));
    expect(take(7)).not.toEqual(take(8));
  });
});
