// HyperLogLogs against an obvious implementation: MurmurHash64A with BigInt, registers one by one.

import { describe, expect, it } from 'vitest';
import {
  Change,
  cardinality,
  countAll,
  countRegisters,
  DENSE_BYTES,
  denseRegister,
  describeRuns,
  hashElement,
  isHyperLogLog,
  mergeInto,
  place,
  REGISTERS,
  Registers,
  Sketch,
} from '../../src/types/hyperloglog.js';
import { thresholds } from '../../src/types/thresholds.js';
import { randomTest } from '../support/random-test.js';
import type { Random } from '../support/seed.js';

const WORD = (1n << 64n) - 1n;
const FACTOR = 0xc6a4a7935bd1e995n;

function murmur(bytes: Uint8Array): bigint {
  let hash = 0xadc83b19n ^ ((BigInt(bytes.length) * FACTOR) & WORD);
  const whole = bytes.length & ~7;
  for (let at = 0; at < whole; at += 8) {
    let word = Buffer.from(bytes).readBigUInt64LE(at);
    word = (word * FACTOR) & WORD;
    word ^= word >> 47n;
    word = (word * FACTOR) & WORD;
    hash = ((hash ^ word) * FACTOR) & WORD;
  }
  if (whole < bytes.length) {
    for (let at = whole; at < bytes.length; at++)
      hash ^= BigInt(bytes[at]!) << BigInt(8 * (at - whole));
    hash = (hash * FACTOR) & WORD;
  }
  hash ^= hash >> 47n;
  hash = (hash * FACTOR) & WORD;
  return hash ^ (hash >> 47n);
}

function placeOf(bytes: Uint8Array): { register: number; rank: number } {
  const hash = murmur(bytes);
  let rank = 1;
  for (let rest = (hash >> 14n) | (1n << 50n); (rest & 1n) === 0n; rest >>= 1n) rank++;
  return { register: Number(hash & 0x3fffn), rank };
}

function element(random: Random): Uint8Array {
  return Buffer.from(random.bytes(random.below(30)), 'latin1');
}

/** The registers that the bytes of a sketch stand for. */
function registersOf(sketch: Sketch): Registers {
  const registers = new Registers();
  expect(mergeInto(registers, sketch.u8, 0, sketch.length)).toBe(true);
  return registers;
}

function ranksOf(registers: Registers): Uint8Array {
  return Uint8Array.from({ length: REGISTERS }, (_, register) => registers.at(register));
}

function registersWith(ranks: Uint8Array): Registers {
  const registers = new Registers();
  for (let register = 0; register < REGISTERS; register++) {
    registers.raise(register, ranks[register]!);
  }
  return registers;
}

function withSparseMax(bytes: number, run: () => void): void {
  const before = thresholds.hllSparseMaxBytes;
  thresholds.hllSparseMaxBytes = bytes;
  try {
    run();
  } finally {
    thresholds.hllSparseMaxBytes = before;
  }
}

describe('the hash', () => {
  randomTest('chooses register and rank as MurmurHash64A with BigInt does', 5, (random) => {
    for (let count = 0; count < 200; count++) {
      const bytes = element(random);
      hashElement(bytes, 0, bytes.length);
      expect({ ...place }).toEqual(placeOf(bytes));
    }
  });
});

describe('a sketch', () => {
  randomTest('keeps the highest rank of each register in every representation', 8, (random) => {
    withSparseMax(random.pick([0, 18, 60, 500, 3000, 20_000]), () => {
      const sketch = new Sketch();
      sketch.createEmpty();
      const model = new Uint8Array(REGISTERS);
      const count = random.pick([3, 50, 400, 1500]);
      for (let added = 0; added < count; added++) {
        const bytes = element(random);
        const { register, rank } = placeOf(bytes);
        const isNews = rank > model[register]!;
        const change = sketch.add(bytes, 0, bytes.length);
        expect(change).toBe(isNews ? Change.Made : Change.None);
        if (isNews) model[register] = rank;
      }
      expect(ranksOf(registersOf(sketch))).toEqual(model);
      expect(isHyperLogLog(sketch.u8, 0, sketch.length)).toBe(true);
      if (!sketch.isDense) expect(sketch.length).toBeLessThanOrEqual(thresholds.hllSparseMaxBytes);
    });
  });

  randomTest('takes all registers of another as one by one from the start', 6, (random) => {
    const ranks = new Uint8Array(REGISTERS);
    for (let count = random.pick([1, 30, 900]); count > 0; count--) {
      ranks[random.below(REGISTERS)] = random.between(1, 20);
    }
    const sketch = new Sketch();
    sketch.createEmpty();
    if (random.chance(0.5)) sketch.becomeDense();
    for (let count = 0; count < 40; count++) {
      const bytes = element(random);
      sketch.add(bytes, 0, bytes.length);
    }
    const before = ranksOf(registersOf(sketch));
    const expected = before.map((rank, index) => Math.max(rank, ranks[index]!));
    sketch.addRegisters(registersWith(ranks));
    expect(ranksOf(registersOf(sketch))).toEqual(expected);
  });

  randomTest('merge register by register, dense as sparse', 6, (random) => {
    const merged = new Registers();
    const expected = new Uint8Array(REGISTERS);
    for (let sketches = 0; sketches < 4; sketches++) {
      const sketch = new Sketch();
      sketch.createEmpty();
      if (random.chance(0.5)) sketch.becomeDense();
      for (let count = random.pick([3, 500, 20_000]); count > 0; count--) {
        const bytes = element(random);
        sketch.add(bytes, 0, bytes.length);
        const { register, rank } = place;
        expected[register] = Math.max(expected[register]!, rank);
      }
      expect(mergeInto(merged, sketch.u8, 0, sketch.length)).toBe(true);
    }
    expect(ranksOf(merged)).toEqual(expected);
  });

  it('joins runs of one rank, up to four registers', () => {
    const sketch = new Sketch();
    sketch.createEmpty();
    sketch.addRegisters(registersWith(new Uint8Array(REGISTERS).fill(3, 100, 106)));
    expect(describeRuns(sketch.u8, 0, sketch.length)).toBe('Z:100 v:3,4 v:3,2 Z:16278');
  });

  it('becomes dense for a rank above 32 whatever its length', () => {
    const sketch = new Sketch();
    sketch.createEmpty();
    const registers = new Registers();
    registers.raise(7, 33);
    sketch.addRegisters(registers);
    expect(sketch.isDense).toBe(true);
    expect(sketch.length).toBe(DENSE_BYTES);
    expect(denseRegister(sketch.u8, 0, 7)).toBe(33);
  });

  it('is found corrupt when its runs end too early', () => {
    const sketch = new Sketch();
    sketch.createEmpty();
    const bytes = sketch.u8.slice(0, sketch.length - 2);
    sketch.load(bytes, 0, bytes.length);
    expect(sketch.add(Buffer.from('a'), 0, 1)).toBe(Change.Corrupt);
    expect(countAll(sketch.u8, 0, sketch.length)).toBe(false);
    expect(sketch.becomeDense()).toBe(false);
  });
});

describe('counting', () => {
  it('agrees between sparse, dense and plain registers, and is near the truth', () => {
    const sparse = new Sketch();
    const dense = new Sketch();
    sparse.createEmpty();
    dense.createEmpty();
    dense.becomeDense();
    for (let count = 1; count <= 100_000; count++) {
      const bytes = Buffer.from(`element ${count}`);
      sparse.add(bytes, 0, bytes.length);
      dense.add(bytes, 0, bytes.length);
      if (![1, 10, 100, 1000, 10_000, 100_000].includes(count)) continue;
      countAll(sparse.u8, 0, sparse.length);
      const estimated = cardinality.low;
      countAll(dense.u8, 0, dense.length);
      expect(cardinality.low).toBe(estimated);
      countRegisters(registersOf(sparse));
      expect(cardinality.low).toBe(estimated);
      expect(Math.abs(estimated - count)).toBeLessThanOrEqual(count * 0.03);
    }
  });

  it('gives the number a C program gets for registers that no elements lead to', () => {
    countRegisters(registersWith(new Uint8Array(REGISTERS).fill(63)));
    expect({ ...cardinality }).toEqual({ low: 0, high: -(2 ** 31) });
    countRegisters(new Registers());
    expect({ ...cardinality }).toEqual({ low: 0, high: 0 });
  });
});
