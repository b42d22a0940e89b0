import { describe, expect, it } from 'vitest';
import { Prng, SplitMix, seedFromEntropy, seedOf } from '../../src/base/prng.js';

describe('Prng', () => {
  it('is xoshiro128**: the published first numbers from the state 1, 2, 3, 4', () => {
    const prng = new Prng(0);
    prng.state.set([1, 2, 3, 4]);
    const drawn = Array.from({ length: 6 }, () => prng.nextUint32());
    expect(drawn).toEqual([11520, 0, 5927040, 70819200, 2031721883, 1637235492]);
  });

  it('repeats from its seed, and from a copy of its state', () => {
    const first = new Prng(42);
    const second = new Prng(42);
    for (let round = 0; round < 1000; round++) expect(first.nextUint32()).toBe(second.nextUint32());
    second.state.set(first.state);
    expect(second.nextDouble()).toBe(first.nextDouble());
    first.reseed(42);
    expect(first.nextUint32()).toBe(new Prng(42).nextUint32());
    expect(new Prng(43).nextUint32()).not.toBe(new Prng(42).nextUint32());
  });

  it('draws below a limit, each number about as often as the others', () => {
    const prng = new Prng(1);
    for (const limit of [1, 2, 3, 7, 100]) {
      const counts = new Array<number>(limit).fill(0);
      const draws = 2000 * limit;
      for (let round = 0; round < draws; round++) counts[prng.below(limit)]! += 1;
      // Ten standard deviations.
      for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(450);
    }
  });

  it('has no bias where 2^32 is no multiple of the limit', () => {
    // Below 3 · 2^30 a plain remainder would give the lower third half of all draws.
    const prng = new Prng(2);
    const limit = 3 * 2 ** 30;
    let low = 0;
    for (let round = 0; round < 30_000; round++) if (prng.below(limit) < 2 ** 30) low++;
    expect(Math.abs(low - 10_000)).toBeLessThan(1000);
    for (let round = 0; round < 100; round++) expect(prng.below(2 ** 32)).toBeLessThan(2 ** 32);
  });

  it('draws doubles in [0, 1) that use all 53 bits', () => {
    const prng = new Prng(3);
    let sum = 0;
    let odd = 0;
    for (let round = 0; round < 10_000; round++) {
      const value = prng.nextDouble();
      expect(value >= 0 && value < 1).toBe(true);
      sum += value;
      if ((value * 2 ** 53) % 2 === 1) odd++;
    }
    expect(Math.abs(sum / 10_000 - 0.5)).toBeLessThan(0.03);
    expect(Math.abs(odd - 5000)).toBeLessThan(500);
  });
});

describe('seeds', () => {
  it('differ for neighbouring indexes and seeds', () => {
    const seeds = new Set<number>();
    for (let seed = 0; seed < 30; seed++) {
      for (let index = 0; index < 30; index++) seeds.add(seedOf(seed, index));
    }
    expect(seeds.size).toBe(900);
  });

  it('come out of splitmix well mixed even from zero', () => {
    const mixed = new SplitMix(0);
    const drawn = new Set(Array.from({ length: 1000 }, () => mixed.nextUint32()));
    expect(drawn.size).toBe(1000);
    expect(drawn.has(0)).toBe(false);
  });

  it('are not the same twice when they come from entropy', () => {
    expect(new Set(Array.from({ length: 8 }, seedFromEntropy)).size).toBe(8);
    const [first, second] = [Prng.fromEntropy(), Prng.fromEntropy()];
    expect(Array.from(first.state)).not.toEqual(Array.from(second.state));
  });
});
