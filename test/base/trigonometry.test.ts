// Sine, cosine and arc sine against their series in fixed point with BigInt, 200 bits behind the
// point: the double nearest to that is the result.

import { describe, expect, it } from 'vitest';
import { arcSine, cosine, sine } from '../../src/base/trigonometry.js';
import { randomTest } from '../support/random-test.js';

const BITS = 200n;
const ONE = 1n << BITS;

/** A double as a fixed-point number, exactly: it has at most 1074 bits behind the point. */
function fixed(value: number): bigint {
  let scaled = value;
  let shift = 0n;
  while (!Number.isInteger(scaled)) {
    scaled *= 2;
    shift++;
  }
  return (BigInt(scaled) << BITS) >> shift;
}

/** The sum of x^n / n! for every second n from `first` on, with alternating signs. */
function series(x: bigint, first: bigint): bigint {
  let term = first === 1n ? x : ONE;
  let sum = 0n;
  for (let n = first; term !== 0n; n += 2n) {
    sum += term;
    term = -((((term * x) >> BITS) * x) >> BITS) / ((n + 1n) * (n + 2n));
  }
  return sum;
}

/** Is `value` a double nearest to the number? Half an ulp and a trace is allowed. */
function isNearest(value: number, number: bigint): boolean {
  const size = Math.max(Math.abs(value), 2 ** -60);
  const ulp = 2 ** (Math.floor(Math.log2(size)) - 52);
  const away = fixed(value) - number;
  return (away < 0n ? -away : away) <= fixed(ulp / 2) + fixed(ulp / 2 ** 12);
}

describe('to the last bit', () => {
  randomTest('are sine and cosine of angles up to half a turn', 5, (random) => {
    for (let count = 0; count < 200; count++) {
      const x = (random.next() / 2 ** 31 - 1) * Math.PI * random.pick([1, 1, 0.01, 1e-6]);
      expect(isNearest(sine(x), series(fixed(x), 1n)), `sine of ${x}`).toBe(true);
      expect(isNearest(cosine(x), series(fixed(x), 0n)), `cosine of ${x}`).toBe(true);
    }
  });

  randomTest('is the arc sine: its sine is nearer than those of its neighbours', 5, (random) => {
    for (let count = 0; count < 200; count++) {
      const x = (random.next() / 2 ** 32) * random.pick([1, 1, 0.01, 1e-6]);
      const y = arcSine(x);
      const wanted = fixed(x);
      const half = fixed(2 ** (Math.floor(Math.log2(y)) - 53));
      const trace = half >> 10n;
      expect(series(fixed(y) - half - trace, 1n) < wanted, `arc sine of ${x}`).toBe(true);
      expect(series(fixed(y) + half + trace, 1n) > wanted, `arc sine of ${x}`).toBe(true);
    }
  });
});

describe('at the ends', () => {
  it('angles of zero, a quarter and half a turn', () => {
    expect(sine(0)).toBe(0);
    expect(cosine(0)).toBe(1);
    expect(sine(Math.PI / 2)).toBe(1);
    expect(cosine(Math.PI / 2)).toBe(6.123233995736766e-17);
    expect(sine(Math.PI)).toBe(1.2246467991473532e-16);
    expect(cosine(-Math.PI)).toBe(-1);
    expect(arcSine(0)).toBe(0);
    expect(arcSine(1)).toBe(Math.PI / 2);
  });

  it('what is no angle or no sine is no number', () => {
    expect(sine(Number.POSITIVE_INFINITY)).toBeNaN();
    expect(cosine(Number.NaN)).toBeNaN();
    expect(arcSine(1.5)).toBeNaN();
  });
});
