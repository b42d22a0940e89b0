// Which key a command gets: uniform, zipf, or one after the other (to fill a server).

import type { Random } from './random.js';

export type Distribution =
  | { readonly kind: 'uniform' }
  | { readonly kind: 'zipf'; readonly exponent: number }
  | { readonly kind: 'sequential'; readonly first: number; readonly step: number };

export interface KeyPicker {
  /** The number of a key, in [0, keyCount). */
  next(): number;
}

export function parseDistribution(text: string): Distribution {
  if (text === 'uniform') return { kind: 'uniform' };
  const match = /^zipf(?::(\d+(?:\.\d+)?))?$/.exec(text);
  const exponent = Number(match?.[1] ?? 0.99);
  if (match === null || exponent <= 0) {
    throw new Error(`'${text}' is no distribution: write uniform, or zipf:0.99 (exponent above 0)`);
  }
  return { kind: 'zipf', exponent };
}

export function createPicker(
  distribution: Distribution,
  keyCount: number,
  random: Random,
): KeyPicker {
  switch (distribution.kind) {
    case 'uniform':
      return new UniformKeys(keyCount, random);
    case 'zipf':
      return new ZipfKeys(keyCount, distribution.exponent, random);
    case 'sequential':
      return new SequentialKeys(keyCount, distribution.first, distribution.step);
  }
}

class UniformKeys implements KeyPicker {
  constructor(
    private readonly keyCount: number,
    private readonly random: Random,
  ) {}

  next(): number {
    return this.random.below(this.keyCount);
  }
}

class SequentialKeys implements KeyPicker {
  private key: number;

  constructor(
    private readonly keyCount: number,
    first: number,
    private readonly step: number,
  ) {
    this.key = first % keyCount;
  }

  next(): number {
    const key = this.key;
    this.key = (key + this.step) % this.keyCount;
    return key;
  }
}

/**
 * Zipf by rejection-inversion (Hörmann and Derflinger, 1996): key k has a probability proportional
 * to 1 / (k + 1)^exponent. No table, so a billion keys cost no memory and no cache misses of the
 * load generator disturb the measurement; on average fewer than 1.1 tries are needed.
 */
export class ZipfKeys implements KeyPicker {
  private readonly areaFirst: number;
  private readonly areaLast: number;
  private readonly alwaysWithin: number;

  constructor(
    private readonly keyCount: number,
    private readonly exponent: number,
    private readonly random: Random,
  ) {
    this.areaFirst = this.area(1.5) - 1;
    this.areaLast = this.area(keyCount + 0.5);
    this.alwaysWithin = 2 - this.areaInverse(this.area(2.5) - this.height(2));
  }

  next(): number {
    for (;;) {
      const area = this.areaLast + this.random.unit() * (this.areaFirst - this.areaLast);
      const x = this.areaInverse(area);
      const rank = Math.min(Math.max(Math.floor(x + 0.5), 1), this.keyCount);
      if (rank - x <= this.alwaysWithin) return rank - 1;
      if (area >= this.area(rank + 0.5) - this.height(rank)) return rank - 1;
    }
  }

  /** The hat function x^-exponent. */
  private height(x: number): number {
    return Math.exp(-this.exponent * Math.log(x));
  }

  /** The hat's area from 1 to x, written so that it also holds where the exponent is near 1. */
  private area(x: number): number {
    const logX = Math.log(x);
    return expm1Over((1 - this.exponent) * logX) * logX;
  }

  private areaInverse(area: number): number {
    const bounded = Math.max(area * (1 - this.exponent), -1);
    return Math.exp(log1pOver(bounded) * area);
  }
}

// Near 0 the quotients lose their digits, so the first terms of their series stand in.
const SERIES_BELOW = 1e-8;

function expm1Over(x: number): number {
  return Math.abs(x) > SERIES_BELOW ? Math.expm1(x) / x : 1 + x / 2;
}

function log1pOver(x: number): number {
  return Math.abs(x) > SERIES_BELOW ? Math.log1p(x) / x : 1 - x / 2;
}
