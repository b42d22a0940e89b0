// Sorted integers against a Set of bigints: all widths, both ends, growing and shrinking.

import { describe, expect, it } from 'vitest';
import { bigIntOfSlowly, int64, int64FromBigIntSlowly } from '../../src/base/ascii.js';
import { type BlockRef, capacityOf, reserve } from '../../src/slab/alloc.js';
import { checkSlab } from '../../src/slab/check.js';
import { NONE, type Slab, usedBytesOf } from '../../src/slab/slab.js';
import {
  checkIntegers,
  copyIntegers,
  createIntegers,
  integer,
  integersAdd,
  integersAt,
  integersCopyBytes,
  integersCount,
  integersHas,
  integersIsAt,
  integersRemove,
  integersRemoveAt,
  integersReserve,
  integersSeek,
  releaseIntegers,
} from '../../src/structs/integers.js';
import { randomTest } from '../support/random-test.js';
import type { Random } from '../support/seed.js';
import { freshSlab } from '../support/slab.js';

const LEAST = -(2n ** 63n);
const LARGEST = 2n ** 63n - 1n;
const EDGES = [15n, 16n, 31n, 32n, 53n, 63n].flatMap((bits) => [
  -(2n ** bits) - 1n,
  -(2n ** bits),
  -(2n ** bits) + 1n,
  2n ** bits - 1n,
  2n ** bits,
]);

class Model {
  readonly slab: Slab = freshSlab(4 * 1024 * 1024);
  readonly values = new Set<bigint>();
  ref: BlockRef = createIntegers(this.slab);

  add(value: bigint): void {
    int64FromBigIntSlowly(value);
    const { lo, hi } = int64;
    const ref = integersAdd(this.slab, this.ref, lo, hi);
    expect(ref === NONE).toBe(this.values.has(value));
    if (ref !== NONE) this.ref = ref as BlockRef;
    this.values.add(value);
  }

  remove(value: bigint): void {
    int64FromBigIntSlowly(value);
    const ref = integersRemove(this.slab, this.ref, int64.lo, int64.hi);
    expect(ref !== NONE).toBe(this.values.delete(value));
    if (ref !== NONE) this.ref = ref as BlockRef;
  }

  removeAt(index: number): void {
    integersAt(this.slab, this.ref, index);
    this.values.delete(bigIntOfSlowly(integer.low, integer.high));
    this.ref = integersRemoveAt(this.slab, this.ref, index);
  }

  has(value: bigint): boolean {
    int64FromBigIntSlowly(value);
    return integersHas(this.slab, this.ref, int64.lo, int64.hi);
  }

  check(): void {
    checkIntegers(this.slab, this.ref);
    expect(listed(this.slab, this.ref)).toEqual(sorted(this.values));
  }
}

function listed(slab: Slab, ref: BlockRef): bigint[] {
  return Array.from({ length: integersCount(slab, ref) }, (_, index) => {
    integersAt(slab, ref, index);
    return bigIntOfSlowly(integer.low, integer.high);
  });
}

function sorted(values: Iterable<bigint>): bigint[] {
  return [...values].sort((a, b) => (a < b ? -1 : 1));
}

function draw(random: Random, bits: number): bigint {
  if (random.chance(0.05)) {
    const edge = random.pick(EDGES);
    if (edge >= LEAST && edge <= LARGEST && BigInt.asIntN(bits, edge) === edge) return edge;
  }
  const value = (BigInt(random.next()) << 32n) | BigInt(random.next());
  return BigInt.asIntN(bits, value >> BigInt(random.below(bits)));
}

describe('sorted integers', () => {
  randomTest('hold what was put into them, in order, and nothing else', 12, (random) => {
    const model = new Model();
    for (const bits of [9, 16, 32, 53, 64]) {
      for (let step = 0; step < 300; step++) {
        const value = draw(random, bits);
        if (random.chance(0.6)) model.add(value);
        else if (random.chance(0.5)) model.remove(value);
        else if (model.values.size > 0) model.removeAt(random.below(model.values.size));
        const asked = draw(random, 64);
        expect(model.has(asked)).toBe(model.values.has(asked));
      }
      model.check();
    }
    for (const value of [...model.values]) {
      expect(model.has(value)).toBe(true);
      model.remove(value);
    }
    model.check();
    releaseIntegers(model.slab, model.ref);
    checkSlab(model.slab);
    expect(usedBytesOf(model.slab)).toBe(0);
  });

  randomTest('are sought in ascending order from where the last was found', 8, (random) => {
    const model = new Model();
    const bits = random.pick([9, 16, 32, 64]);
    for (let step = random.pick([0, 1, 20, 400]); step > 0; step--) model.add(draw(random, bits));
    const held = sorted(model.values);
    const asked = sorted(Array.from({ length: 200 }, () => draw(random, bits)));
    let from = 0;
    for (const value of random.chance(0.5) ? asked : sorted([...asked, ...held])) {
      int64FromBigIntSlowly(value);
      const { lo, hi } = int64;
      const below = held.filter((other) => other < value).length;
      from = integersSeek(model.slab, model.ref, from, lo, hi);
      expect(from).toBe(below);
      const isThere = integersIsAt(model.slab, model.ref, from, lo, hi);
      expect(isThere).toBe(model.values.has(value));
    }
  });

  it('take the width of the widest', () => {
    const model = new Model();
    for (let value = 0n; value < 100n; value++) model.add(value);
    expect(integersCopyBytes(model.slab, model.ref)).toBe(4 + 100 * 2);
    model.add(-32_769n);
    expect(integersCopyBytes(model.slab, model.ref)).toBe(4 + 101 * 4);
    model.add(LARGEST);
    expect(integersCopyBytes(model.slab, model.ref)).toBe(4 + 102 * 8);
    model.remove(LARGEST);
    expect(integersCopyBytes(model.slab, model.ref)).toBe(4 + 101 * 8);
    model.check();
  });

  it('are found and missed at the edges of every width', () => {
    for (const bits of [16, 32, 64]) {
      const model = new Model();
      model.add(-(2n ** BigInt(bits - 1)));
      model.add(2n ** BigInt(bits - 1) - 1n);
      for (const edge of EDGES) {
        if (edge < LEAST || edge > LARGEST) continue;
        expect(model.has(edge)).toBe(model.values.has(edge));
        model.remove(edge);
        expect(model.has(edge)).toBe(false);
      }
    }
  });

  it('give memory back when most of them go, and need no more than was reserved', () => {
    const model = new Model();
    for (let value = 0n; value < 20_000n; value++) {
      const before = usedBytesOf(model.slab) - capacityOf(model.slab, model.ref);
      const reserved = integersReserve(model.slab, model.ref, 1);
      model.add(value * 3n - 30_000n);
      expect(usedBytesOf(model.slab) - before).toBeLessThanOrEqual(reserved + 4096);
    }
    expect(capacityOf(model.slab, model.ref)).toBeLessThan(20_000 * 4 * 1.2);
    while (model.values.size > 100) model.removeAt(model.values.size - 1);
    expect(capacityOf(model.slab, model.ref)).toBeLessThan(1000);
    model.check();
  });

  it('stay where they are when memory for a smaller block is missing', () => {
    const model = new Model();
    for (let value = 0n; value < 1000n; value++) model.add(value);
    const taken = capacityOf(model.slab, model.ref);
    while (reserve(model.slab, 8)) createIntegers(model.slab);
    while (model.values.size > 1) model.removeAt(0);
    expect(capacityOf(model.slab, model.ref)).toBe(taken);
    model.check();
  });

  it('are copied tightly', () => {
    const model = new Model();
    for (let value = 0n; value < 500n; value++) model.add(value ** 5n);
    const target = freshSlab(2 ** 20);
    const copy = copyIntegers(model.slab, model.ref, target);
    checkIntegers(target, copy);
    expect(listed(target, copy)).toEqual(sorted(model.values));
  });
});
