import { describe, expect, it } from 'vitest';
import {
  compareBytes,
  copyBytes,
  copyWords,
  equalBytes,
  fillBytes,
  moveBytes,
  withView,
} from '../../src/base/bytes.js';

// Around every limit between the loop and the call, and well above.
const LENGTHS = [
  ...[0, 1, 2, 3, 4, 7, 8, 9, 11, 12, 15, 16, 17, 24, 47, 48, 49, 64],
  ...[127, 128, 129, 159, 160, 161, 300, 320, 321, 2000],
];

/** `memory`: plain or shared, with a view or without. */
function counted(length: number, memory: Memory): Uint8Array {
  const { isShared, isViewed } = memory;
  // A view of a part: its offsets are those of the array.
  const bytes = isShared ? new SharedArrayBuffer(length + 24) : new ArrayBuffer(length + 24);
  const u8 = new Uint8Array(bytes, 8, length);
  if (isViewed) withView(u8);
  for (let at = 0; at < length; at++) u8[at] = (at * 7 + (at >> 8)) & 0xff;
  return u8;
}

interface Memory {
  readonly isShared: boolean;
  readonly isViewed: boolean;
}

const PLAIN: Memory = { isShared: false, isViewed: false };
const SHARED: Memory = { isShared: true, isViewed: false };
const VIEWED: Memory = { isShared: true, isViewed: true };
const kinds = [PLAIN, SHARED, VIEWED, { isShared: false, isViewed: true }];
const memories = kinds.flatMap((from) => kinds.map((to) => [from, to] as const));

describe('copyBytes', () => {
  it('copies the range and touches nothing else, from and to shared and plain memory', () => {
    for (const [sourceKind, targetKind] of memories) {
      const source = counted(2200, sourceKind);
      for (const length of LENGTHS) {
        for (const [from, to] of [
          [0, 0],
          [3, 8],
          [8, 5],
          [17, 1],
        ] as const) {
          const target = counted(2200, targetKind).fill(0xee);
          copyBytes(source, from, target, to, length);
          const expected = Array<number>(2200).fill(0xee);
          for (let index = 0; index < length; index++) expected[to + index] = source[from + index]!;
          expect(Array.from(target), `${length} bytes`).toEqual(expected);
        }
      }
    }
  });

  it('may copy to a lower place of the same memory', () => {
    for (const [length, distance] of LENGTHS.flatMap((each) =>
      [1, 3, 8, 20].map((by) => [each, by] as const),
    )) {
      for (const kind of kinds) {
        const u8 = counted(2200, kind);
        const expected = Array.from(u8.slice(40, 40 + length));
        copyBytes(u8, 40, u8, 40 - distance, length);
        expect(Array.from(u8.slice(40 - distance, 40 - distance + length))).toEqual(expected);
      }
    }
  });
});

describe('moveBytes', () => {
  it('moves overlapping ranges in both directions', () => {
    for (const length of LENGTHS) {
      for (const distance of [-20, -8, -1, 0, 1, 3, 8, 20]) {
        const u8 = counted(2200, VIEWED);
        const model = Array.from(u8);
        model.copyWithin(40 + distance, 40, 40 + length);
        moveBytes(u8, 40, 40 + distance, length);
        expect(Array.from(u8), `${length} bytes by ${distance}`).toEqual(model);
      }
    }
  });
});

describe('copyWords', () => {
  it('copies the words and touches nothing else', () => {
    for (const count of [0, 1, 5, 127, 128, 129, 500]) {
      const source = Int32Array.from({ length: 600 }, (_, word) => word * 0x01020305);
      const target = new Int32Array(600).fill(-1);
      copyWords(source, 3, target, 7, count);
      const expected = Array<number>(600).fill(-1);
      for (let word = 0; word < count; word++) expected[7 + word] = source[3 + word]!;
      expect(Array.from(target)).toEqual(expected);
    }
  });
});

describe('equalBytes and compareBytes', () => {
  it('see a difference at every place, whichever way it goes', () => {
    for (const [sourceKind, targetKind] of memories) {
      const a = counted(2100, sourceKind);
      for (const length of LENGTHS) {
        const b = counted(2100, targetKind);
        b.copyWithin(9, 5);
        expect(equalBytes(a, 5, b, 9, length)).toBe(true);
        expect(compareBytes(a, 5, length, b, 9, length)).toBe(0);
        expect(compareBytes(a, 5, length, b, 9, length + 1)).toBe(-1);
        expect(compareBytes(a, 5, length + 1, b, 9, length)).toBe(1);
        for (const place of [0, 1, 7, 8, length - 1]) {
          if (place < 0 || place >= length) continue;
          const kept = b[9 + place]!;
          b[9 + place] = kept ^ 0x80;
          expect(equalBytes(a, 5, b, 9, length)).toBe(false);
          const order = kept < 0x80 ? -1 : 1;
          expect(compareBytes(a, 5, length, b, 9, length)).toBe(order);
          expect(compareBytes(a, 5, length, b, 9, length - (length - place - 1))).toBe(order);
          b[9 + place] = kept;
        }
      }
    }
  });

  it('do not look beyond the range', () => {
    const a = counted(64, VIEWED);
    const b = counted(64, VIEWED);
    a[20] = 0;
    b[20] = 1;
    expect(equalBytes(a, 0, b, 0, 20)).toBe(true);
    expect(compareBytes(a, 0, 20, b, 0, 20)).toBe(0);
  });
});

describe('fillBytes', () => {
  it('fills the range and touches nothing else', () => {
    for (const length of LENGTHS) {
      const u8 = counted(2200, SHARED);
      const expected = Array.from(u8).fill(0xab, 11, 11 + length);
      fillBytes(u8, 11, length, 0xab);
      expect(Array.from(u8)).toEqual(expected);
    }
  });
});
