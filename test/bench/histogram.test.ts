import { describe, expect, test } from 'vitest';
import { Histogram } from '../../native-free-bench/histogram.js';
import { Random } from '../../native-free-bench/random.js';

const DIGITS_KEPT = 1 / 1000;

/** The percentile by its definition: the value at its rank among all values in order. */
function exactPercentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(1, Math.ceil((percent / 100) * sorted.length)) - 1]!;
}

function expectClose(found: number, exact: number): void {
  expect(Math.abs(found - exact)).toBeLessThanOrEqual(Math.max(1, exact * DIGITS_KEPT));
}

describe('a histogram of latencies', () => {
  test.each([1, 2, 3, 4])('has exact percentiles to three digits (seed %i)', (seed) => {
    const random = new Random(seed);
    const values = Array.from({ length: 20_000 }, () => Math.floor(10 ** (random.unit() * 11)));
    const histogram = new Histogram();
    for (const value of values) histogram.record(value);
    for (const percent of [0, 0.1, 1, 25, 50, 75, 90, 99, 99.9, 99.99, 100]) {
      expectClose(histogram.percentile(percent), exactPercentile(values, percent));
    }
    expect(histogram.count()).toBe(values.length);
    expect(histogram.max()).toBe(Math.max(...values));
    expect(histogram.min()).toBe(Math.min(...values));
    const sum = values.reduce((total, value) => total + value, 0);
    expect(histogram.mean()).toBeCloseTo(sum / values.length, 3);
  });

  test('keeps three digits on both sides of every power of two', () => {
    for (let bit = 0; bit < 42; bit += 1) {
      for (const value of [2 ** bit - 1, 2 ** bit, 2 ** bit + 1, Math.floor(1.5 * 2 ** bit)]) {
        if (value >= 2 ** 42) continue;
        const histogram = new Histogram();
        // A neighbour on either side, so that the clamp to min and max cannot hide a wrong bucket.
        for (const near of [0, value, 2 ** 42 - 1]) histogram.record(near);
        expectClose(histogram.percentile(50), value);
      }
    }
  });

  test('counts what is over its range in the last bucket and still knows the maximum', () => {
    const histogram = new Histogram();
    histogram.record(2 ** 45);
    histogram.record(-5);
    expect(histogram.max()).toBe(2 ** 45);
    expect(histogram.min()).toBe(0);
    expect(histogram.percentile(100)).toBeGreaterThan(2 ** 41);
  });

  test('merged from parts equals one that saw all values', () => {
    const random = new Random(9);
    const whole = new Histogram();
    const parts = [new Histogram(), new Histogram(), new Histogram()];
    for (let index = 0; index < 9000; index += 1) {
      const value = random.below(5_000_000);
      whole.record(value);
      parts[index % parts.length]!.record(value);
    }
    const merged = new Histogram();
    for (const part of parts) merged.merge(part.parts());
    expect(merged.parts()).toEqual(whole.parts());
  });

  test('answers 0 while it is empty', () => {
    const histogram = new Histogram();
    expect([histogram.percentile(99), histogram.mean(), histogram.min(), histogram.max()]).toEqual([
      0, 0, 0, 0,
    ]);
  });
});
