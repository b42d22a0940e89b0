// The bits of byte strings against a text of zeros and ones, and bit fields against BigInt.

import { describe, expect, it } from 'vitest';
import {
  addToField,
  BitOperation,
  BitPiece,
  countOnes,
  countOnesOfBytes,
  field,
  findBit,
  fitField,
  Overflow,
  PIECE_BYTES,
  readField,
  writeField,
} from '../../src/types/bitmap.js';
import { Random, seedOf } from '../support/seed.js';

const SEED = seedOf('FLAGSTONE_SEED');
const REPEAT = `repeat with FLAGSTONE_SEED=${SEED} npx vitest run test/types/bitmap.test.ts`;

/** Two views of shared memory, as a slab has them. */
function memory(bytes: number): { u8: Uint8Array; i32: Int32Array } {
  const buffer = new SharedArrayBuffer((bytes + 3) & ~3);
  return { u8: new Uint8Array(buffer), i32: new Int32Array(buffer) };
}

/** The bits of u8[start, start + length) as text. */
function textOf(u8: Uint8Array, start: number, length: number): string {
  return Array.from(u8.subarray(start, start + length), (byte) =>
    byte.toString(2).padStart(8, '0'),
  ).join('');
}

function fillRandomly(u8: Uint8Array, random: Random, density: number): void {
  for (let at = 0; at < u8.length; at++) {
    const byte = random.below(256);
    u8[at] = random.chance(density) ? byte : random.chance(density) ? 0xff : 0;
  }
}

function onesIn(text: string): number {
  return text.replaceAll('0', '').length;
}

describe('counting ones', () => {
  it('is right for every start and length, whatever stands around', () => {
    const { u8, i32 } = memory(128);
    fillRandomly(u8, new Random(SEED), 1);
    for (let start = 0; start < 9; start++) {
      for (let length = 0; length < 110; length++) {
        const counted = countOnesOfBytes(u8, i32, start, length);
        expect(counted, `${start} + ${length}; ${REPEAT}`).toBe(onesIn(textOf(u8, start, length)));
      }
    }
  });

  it('is right when all of many bits are ones', () => {
    const { u8, i32 } = memory(100_000);
    u8.fill(0xff);
    expect(countOnesOfBytes(u8, i32, 1, 99_998)).toBe(99_998 * 8);
  });

  it('counts from any bit to any bit', () => {
    const { u8, i32 } = memory(16);
    fillRandomly(u8, new Random(SEED), 1);
    const text = textOf(u8, 3, 12);
    for (let first = 0; first < 96; first++) {
      for (let last = first - 1; last < 96; last++) {
        const counted = countOnes(u8, i32, 3, first, last);
        expect(counted, `${first}…${last}; ${REPEAT}`).toBe(onesIn(text.slice(first, last + 1)));
      }
    }
  });
});

describe('finding a bit', () => {
  it('finds the first of its kind between any two bits, or none', () => {
    const random = new Random(SEED);
    const { u8, i32 } = memory(64);
    for (let round = 0; round < 4000; round++) {
      fillRandomly(u8, random, 0.02);
      if (random.chance(0.5)) u8.fill(random.pick([0, 0xff]), 0, random.below(64));
      const start = random.below(8);
      const length = random.between(1, 50);
      const first = random.below(length * 8);
      const last = random.between(first - 1, length * 8 - 1);
      const bit = random.below(2);
      const found = textOf(u8, start, length).indexOf(String(bit), first);
      const wanted = found > last ? -1 : found;
      expect(findBit(u8, i32, start, first, last, bit), REPEAT).toBe(wanted);
    }
  });
});

const MODELS: readonly (readonly [BitOperation, (bits: readonly boolean[]) => boolean])[] = [
  [BitOperation.And, (bits) => bits.every((bit) => bit)],
  [BitOperation.Or, (bits) => bits.some((bit) => bit)],
  [BitOperation.Xor, (bits) => bits.filter((bit) => bit).length % 2 === 1],
  [BitOperation.Not, (bits) => !bits[0]!],
  [BitOperation.Diff, ([x, ...y]) => x! && !y.includes(true)],
  [BitOperation.Diff1, ([x, ...y]) => !x && y.includes(true)],
  [BitOperation.AndOr, ([x, ...y]) => x! && y.includes(true)],
  [BitOperation.One, (bits) => bits.filter((bit) => bit).length === 1],
];

describe('combining', () => {
  it('agrees with each operation bit by bit, for sources of any start and length', () => {
    const random = new Random(SEED);
    const piece = new BitPiece();
    for (let round = 0; round < 1500; round++) {
      const [operation, model] = random.pick(MODELS);
      const length = random.chance(0.01) ? PIECE_BYTES : random.between(1, 60);
      const count = operation === BitOperation.Not ? 1 : random.between(1, 5);
      piece.start(operation, length);
      const sources: string[] = [];
      for (let index = 0; index < count; index++) {
        const { u8, i32 } = memory(length + 16);
        fillRandomly(u8, random, 0.7);
        const start = random.chance(0.5) ? 8 : random.below(9);
        const bytes = random.chance(0.5) ? length : random.below(length + 1);
        sources.push(textOf(u8, start, bytes).padEnd(length * 8, '0'));
        piece.add(u8, i32, start, bytes);
      }
      const { u8 } = memory(length + 8);
      u8.fill(0xaa);
      piece.finish(u8, 3);
      let wanted = '';
      for (let bit = 0; bit < length * 8; bit++) {
        wanted += model(sources.map((source) => source[bit] === '1')) ? '1' : '0';
      }
      expect(textOf(u8, 3, length) === wanted, `operation ${operation}; ${REPEAT}`).toBe(true);
      expect([u8[2], u8[length + 3]], 'what stands around').toEqual([0xaa, 0xaa]);
    }
  });
});

function cutTo(value: bigint, width: number, isSigned: boolean): bigint {
  return isSigned ? BigInt.asIntN(width, value) : BigInt.asUintN(width, value);
}

function pairOf(value: bigint): [lo: number, hi: number] {
  return [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))];
}

function fieldValue(): bigint {
  return (BigInt(field.hi) << 32n) | BigInt(field.lo >>> 0);
}

/** Values at both ends of fields of all widths, and some between. */
function anyInt64(random: Random): bigint {
  const power = 1n << BigInt(random.below(64));
  const near = BigInt(random.between(-2, 2));
  const wide = (BigInt(random.next()) << 32n) | BigInt(random.next());
  const value = random.pick([power + near, -power + near, (1n << 63n) - power + near, near, wide]);
  return BigInt.asIntN(64, value);
}

describe('fields', () => {
  it('are read and written at any bit, and nothing around them changes', () => {
    const random = new Random(SEED);
    const { u8 } = memory(40);
    for (let round = 0; round < 20_000; round++) {
      fillRandomly(u8, random, 0.8);
      const isSigned = random.chance(0.5);
      const width = random.between(1, isSigned ? 64 : 63);
      const offset = random.below(200);
      const before = textOf(u8, 2, 36);
      readField(u8, 2, 36, offset, width, isSigned);
      const bits = before.slice(offset, offset + width);
      expect(fieldValue(), REPEAT).toBe(cutTo(BigInt(`0b${bits}`), width, isSigned));

      const value = anyInt64(random);
      writeField(u8, 2, offset, width, ...pairOf(value));
      const written = BigInt.asUintN(width, value).toString(2).padStart(width, '0');
      const after = before.slice(0, offset) + written + before.slice(offset + width);
      expect(textOf(u8, 2, 36), REPEAT).toBe(after);
    }
  });

  it('are read as followed by zeros behind the end', () => {
    const { u8 } = memory(16);
    u8.fill(0xff);
    readField(u8, 1, 2, 12, 8, false);
    expect(fieldValue()).toBe(0xf0n);
    readField(u8, 1, 2, 12, 64, true);
    expect(fieldValue()).toBe(-(1n << 60n));
    readField(u8, 1, 2, 2 ** 32 + 5, 63, false);
    expect(fieldValue()).toBe(0n);
  });

  it('overflow as asked, in all widths', () => {
    const random = new Random(SEED);
    for (let round = 0; round < 50_000; round++) {
      const isSigned = random.chance(0.5);
      const width = random.between(1, isSigned ? 64 : 63);
      const overflow = random.pick([Overflow.Wrap, Overflow.Saturate, Overflow.Fail]);
      const isSet = random.chance(0.5);
      const amount = anyInt64(random);
      const old = cutTo(anyInt64(random), width, isSigned);
      const least = isSigned ? -(1n << BigInt(width - 1)) : 0n;
      const most = (1n << BigInt(isSigned ? width - 1 : width)) - 1n;
      const wanted = isSet ? amount : old + amount;
      const isExact = wanted >= least && wanted <= most;

      const said = isSet
        ? fitField(...pairOf(amount), width, isSigned, overflow)
        : addToField(...pairOf(old), ...pairOf(amount), width, isSigned, overflow);

      const hint = `${isSet ? 'set' : old} ${amount} ${isSigned ? 'i' : 'u'}${width}; ${REPEAT}`;
      expect(said, hint).toBe(isExact);
      if (!isExact && overflow === Overflow.Fail) continue;
      let result = cutTo(wanted, width, isSigned);
      if (!isExact && overflow === Overflow.Saturate) {
        // Unsigned fields take a negative value for one of nearly 2^64, and signed ones a value
        // that is more than an int64 below their largest for one above it.
        const isAbove = isSet
          ? !isSigned || amount > most || most - amount >= 1n << 63n
          : wanted > most;
        result = isAbove ? most : least;
      }
      expect(fieldValue(), hint).toBe(result);
    }
  });
});
