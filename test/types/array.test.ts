// Arrays against maps: what was set is found at its position, in order, until it is taken away; the
// length, the count and the bytes are those of what is there; and all memory comes back.

import { describe, expect, it } from 'vitest';
import { checkSlab } from '../../src/slab/check.js';
import { type Slab, usedBytesOf } from '../../src/slab/slab.js';
import {
  type ArrayRef,
  arrayCount,
  checkArray,
  createArray,
  deleteValue,
  readLength,
  setValue,
  slotAt,
  writeCursor,
} from '../../src/types/array/array.js';
import { arrayKind } from '../../src/types/array/kind.js';
import {
  comparePositions,
  Position,
  parsePosition,
  remainder,
  spanOf,
  writePosition,
} from '../../src/types/array/position.js';
import { orderRing } from '../../src/types/array/ring.js';
import { createSlot, inlineWord, readSlot, SlotText } from '../../src/types/array/slot.js';
import { ArrayWalk, deleteRange, measureSlices } from '../../src/types/array/walk.js';
import { Encoding } from '../../src/types/kind.js';
import { randomTest } from '../support/random-test.js';
import type { Random } from '../support/seed.js';
import { freshSlab } from '../support/slab.js';

const MiB = 1024 * 1024;
const LAST = 2n ** 64n - 2n;

function positionOf(value: bigint): Position {
  const position = new Position();
  position.set(Number(BigInt.asIntN(32, value >> 32n)), Number(BigInt.asIntN(32, value)));
  return position;
}

function numberOf({ high, low }: Position): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

function textOf(slab: Slab, slot: number): string {
  const text = new SlotText();
  readSlot(slab, slot, text);
  const { u8, start, length } = text;
  return Buffer.from(u8.slice(start, start + length)).toString('latin1');
}

function set(slab: Slab, array: ArrayRef, at: bigint, text: string, expected = 1): boolean {
  const bytes = Buffer.from(text, 'latin1');
  return setValue(slab, array, positionOf(at), bytes, 0, bytes.length, expected);
}

function get(slab: Slab, array: ArrayRef, at: bigint): string | null {
  const { high, low } = positionOf(at);
  const slot = slotAt(slab, array, high, low);
  return slot === 0 ? null : textOf(slab, slot);
}

function walked(slab: Slab, array: ArrayRef, from: bigint, to: bigint): [bigint, string][] {
  const walk = new ArrayWalk();
  const found: [bigint, string][] = [];
  walk.open(slab, array, positionOf(from), positionOf(to));
  while (walk.next()) found.push([numberOf(walk.position), textOf(slab, walk.word)]);
  return found;
}

function free(slab: Slab, array: ArrayRef, budget = Number.MAX_SAFE_INTEGER): number {
  let steps = 1;
  while (!arrayKind.freeStep(slab, Encoding.Sliced, array, budget)) steps++;
  return steps;
}

// ── Positions ────────────────────────────────────────────────────────────────────────────────

describe('a position', () => {
  const read = (text: string): bigint | null => {
    const bytes = Buffer.from(text, 'latin1');
    const position = new Position();
    return parsePosition(bytes, 0, bytes.length, position) ? numberOf(position) : null;
  };

  it('is read as Redis reads unsigned integers', () => {
    const rows: readonly (readonly [string, bigint | null])[] = [
      ['0', 0n],
      ['7', 7n],
      ['007', 7n],
      ['+7', 7n],
      [' 7', 7n],
      ['999999999', 999_999_999n],
      ['4294967296', 2n ** 32n],
      ['9223372036854775808', 2n ** 63n],
      ['18446744073709551615', 2n ** 64n - 1n],
      ['18446744073709551616', null],
      ['-1', null],
      ['', null],
      [' ', null],
      ['7 ', null],
      ['7x', null],
      ['0x10', null],
      ['1.5', null],
    ];
    for (const [text, value] of rows) expect([text, read(text)]).toEqual([text, value]);
  });

  randomTest('counts as an unsigned integer of 64 bits does', 200, (random) => {
    const a = anyPosition(random);
    const b = anyPosition(random);
    const text = Buffer.alloc(32);
    const length = writePosition(text, 0, positionOf(a).high, positionOf(a).low);
    expect(text.toString('latin1', 0, length)).toBe(String(a));
    expect(read(String(a))).toBe(a);
    expect(Math.sign(comparePositions(positionOf(a), positionOf(b)))).toBe(
      a < b ? -1 : a > b ? 1 : 0,
    );
    if (a <= b && b - a < 2n ** 52n) {
      expect(spanOf(positionOf(a), positionOf(b))).toBe(Number(b - a) + 1);
    }
    const count = random.below(1000);
    const advanced = positionOf(a);
    expect(advanced.advance(count)).toBe(a + BigInt(count) < 2n ** 64n);
    if (a + BigInt(count) < 2n ** 64n) expect(numberOf(advanced)).toBe(a + BigInt(count));
    const rest = positionOf(a);
    remainder(rest, positionOf(b + 1n));
    expect(numberOf(rest)).toBe(a % (b + 1n));
  });
});

function anyPosition(random: Random): bigint {
  const bits = BigInt(random.between(1, 64));
  const value = ((BigInt(random.next()) << 32n) | BigInt(random.next())) & (2n ** bits - 1n);
  return value > LAST ? LAST : value;
}

// ── Slots ────────────────────────────────────────────────────────────────────────────────────

function anyText(random: Random): string {
  switch (random.below(9)) {
    case 0:
      return String(random.between(-(2 ** 31), 2 ** 31));
    case 1:
      return (random.between(-(10 ** 9), 10 ** 9) / 10 ** random.between(0, 9)).toFixed(
        random.below(10),
      );
    case 2:
      return random.bytes(random.below(6));
    case 3:
      return random.pick(['', '0', '-0', '00', '-0.0', '0.5', '-0.5', '.5', '5.', '1.50', '01.5']);
    case 4:
      return 'x'.repeat(random.pick([253, 254, 255, 256, 300, 70_000]));
    case 5:
      return String.fromCharCode(...Array.from({ length: 4 }, () => random.below(128)));
    case 6:
      return random.pick(['16777215.0', '1.6777215', '1.6777216', '-1.6777215', '536870911']);
    case 7:
      return random.pick(['-536870912', '-536870913', '536870912', '9223372036854775807', '1e5']);
    default:
      return random.bytes(random.below(40));
  }
}

describe('a slot', () => {
  randomTest('reads as it was written, and every text has one form', 400, (random) => {
    const slab = freshSlab(2 * MiB);
    const text = anyText(random);
    const bytes = Buffer.from(text, 'latin1');
    const slot = createSlot(slab, bytes, 0, bytes.length);
    expect(textOf(slab, slot)).toBe(text);
    expect(slot).not.toBe(0);
    const inline = inlineWord(bytes, 0, bytes.length);
    if (inline !== 0) expect(inline).toBe(slot);
  });

  it('takes small integers, short decimals and very short texts without a block', () => {
    const isInline = (text: string) =>
      inlineWord(Buffer.from(text, 'latin1'), 0, text.length) !== 0;
    for (const text of ['0', '-1', '536870911', '21.5', '1013.25', '-0.05', 'on', '', 'true']) {
      expect([text, isInline(text)]).toEqual([text, true]);
    }
    for (const text of ['536870912', 'false', '1e300', '1234567890.5', 't\xfcrk', '-0.00000']) {
      expect([text, isInline(text)]).toEqual([text, false]);
    }
  });
});

// ── Arrays ───────────────────────────────────────────────────────────────────────────────────

interface Run {
  readonly slab: Slab;
  readonly array: ArrayRef;
  readonly model: Map<bigint, string>;
  /** Where most of what happens happens. */
  readonly bases: readonly bigint[];
  readonly spread: number;
}

function somewhere(random: Random, run: Run): bigint {
  const at = random.pick(run.bases) + BigInt(random.below(run.spread));
  return at > LAST ? LAST : at;
}

function step(random: Random, run: Run): void {
  const { slab, array, model } = run;
  const at = somewhere(random, run);
  const roll = random.below(100);
  if (roll < 45) {
    const text = anyText(random);
    expect(set(slab, array, at, text)).toBe(!model.has(at));
    model.set(at, text);
  } else if (roll < 55) {
    const count = random.between(1, 200);
    for (let index = 0; index < count; index++) {
      const next = at + BigInt(index);
      if (next > LAST) break;
      const text = String(random.below(1000));
      expect(set(slab, array, next, text, count - index)).toBe(!model.has(next));
      model.set(next, text);
    }
  } else if (roll < 85) {
    expect(deleteValue(slab, array, positionOf(at))).toBe(model.delete(at));
  } else if (roll < 95) {
    const other = somewhere(random, run);
    const [low, high] = at < other ? [at, other] : [other, at];
    const gone = [...model.keys()].filter((key) => key >= low && key <= high);
    // Most of the time only a little goes.
    if (gone.length > 30 && random.chance(0.8)) return;
    expect(deleteRange(slab, array, positionOf(low), positionOf(high))).toBe(gone.length);
    for (const key of gone) model.delete(key);
  } else {
    const other = somewhere(random, run);
    expect(walked(slab, array, at, other)).toEqual(rangeOf(model, at, other));
  }
}

function rangeOf(model: Map<bigint, string>, from: bigint, to: bigint): [bigint, string][] {
  const [low, high] = from <= to ? [from, to] : [to, from];
  const found = [...model].filter(([key]) => key >= low && key <= high);
  found.sort(([a], [b]) => (a < b ? -1 : 1));
  return from <= to ? found : found.reverse();
}

function expectSame(run: Run): void {
  const { slab, array, model } = run;
  checkArray(slab, array);
  expect(arrayCount(slab, array)).toBe(model.size);
  const length = new Position();
  readLength(slab, array, length);
  const greatest = [...model.keys()].reduce((a, b) => (a > b ? a : b), -1n);
  expect(numberOf(length)).toBe(greatest + 1n);
  expect(walked(slab, array, 0n, LAST)).toEqual(rangeOf(model, 0n, LAST));
  expect(walked(slab, array, LAST, 0n)).toEqual(rangeOf(model, LAST, 0n));
  for (const [key, text] of model) expect(get(slab, array, key)).toBe(text);
}

const SHAPES: readonly { readonly bases: readonly bigint[]; readonly spread: number }[] = [
  { bases: [0n], spread: 50 },
  { bases: [0n], spread: 3000 },
  { bases: [0n, 4000n, 8100n], spread: 300 },
  { bases: [0n, 2n ** 32n - 100n, 2n ** 63n - 100n, LAST - 300n], spread: 400 },
  { bases: [0n], spread: 2 ** 21 },
];

describe('an array', () => {
  randomTest('holds what a map holds', 25, (random) => {
    const slab = freshSlab(16 * MiB);
    const usedBefore = usedBytesOf(slab);
    const array = createArray(slab);
    const run = { slab, array, model: new Map<bigint, string>(), ...random.pick(SHAPES) };
    const steps = random.between(50, 600);
    for (let index = 0; index < steps; index++) {
      step(random, run);
      if (index % 50 === 0) expectSame(run);
    }
    expectSame(run);
    const held = arrayKind.heldBytes(slab, Encoding.Sliced, array);
    expect(held).toBe(usedBytesOf(slab) - usedBefore);

    const copy = arrayKind.copy(slab, Encoding.Sliced, array, slab) as ArrayRef;
    free(slab, array, random.pick([10, 1000, Number.MAX_SAFE_INTEGER]));
    expectSame({ ...run, array: copy });
    free(slab, copy);
    expect(usedBytesOf(slab)).toBe(usedBefore);
    checkSlab(slab);
  });

  it('takes four bytes for a small integer in a row, and some more for one far away', () => {
    const slab = freshSlab(64 * MiB);
    const row = createArray(slab);
    for (let at = 0; at < 100_000; at++) set(slab, row, BigInt(at), String(at));
    expect(arrayKind.heldBytes(slab, Encoding.Sliced, row) / 100_000).toBeLessThan(4.3);
    const far = createArray(slab);
    for (let at = 0; at < 10_000; at++) set(slab, far, BigInt(at) * 2n ** 45n, String(at));
    expect(arrayKind.heldBytes(slab, Encoding.Sliced, far) / 10_000).toBeLessThan(64);
  });

  it('packs few values of a slice into pairs, and many into a window', () => {
    const slab = freshSlab(16 * MiB);
    const array = createArray(slab);
    for (let at = 0n; at < 4096n; at += 100n) set(slab, array, at, '1');
    expect(measureSlices(slab, array)).toMatchObject({ dense: 0, sparse: 1 });
    for (let at = 0n; at < 4096n; at++) set(slab, array, at, '2');
    expect(measureSlices(slab, array)).toMatchObject({ dense: 1, sparse: 0, denseValues: 4096 });
    deleteRange(slab, array, positionOf(3n), positionOf(4000n));
    expect(measureSlices(slab, array)).toMatchObject({ dense: 0, sparse: 1 });
    checkArray(slab, array);
  });

  it('is freed in steps that a budget bounds', () => {
    const slab = freshSlab(16 * MiB);
    const usedBefore = usedBytesOf(slab);
    const array = createArray(slab);
    for (let at = 0; at < 10_000; at++) set(slab, array, BigInt(at), `value ${at}`);
    expect(free(slab, array, 1000)).toBeGreaterThan(9);
    expect(usedBytesOf(slab)).toBe(usedBefore);
  });
});

// ── Rings ────────────────────────────────────────────────────────────────────────────────────

describe('a ring that is put in order', () => {
  randomTest('keeps its last values up to the first gap, the oldest first', 60, (random) => {
    const slab = freshSlab(4 * MiB);
    const usedBefore = usedBytesOf(slab);
    const array = createArray(slab);
    const old = random.between(1, 40);
    const written = random.between(1, 100);
    const ring: (string | null)[] = new Array<string | null>(old).fill(null);
    let cursor = -1;
    for (let index = 0; index < written; index++) {
      cursor = (cursor + 1) % old;
      ring[cursor] = `value ${index}`;
      set(slab, array, BigInt(cursor), ring[cursor]!);
    }
    writeCursor(slab, array, positionOf(BigInt(cursor)));
    const gaps = random.below(3);
    for (let index = 0; index < gaps; index++) {
      const gap = random.below(old);
      if (
        ring.filter((text) => text !== null).length > 1 &&
        deleteValue(slab, array, positionOf(BigInt(gap)))
      ) {
        ring[gap] = null;
      }
    }
    while (ring.at(-1) === null) ring.pop();
    const size = random.between(1, 60);
    orderRing(slab, array, positionOf(BigInt(size)));
    checkArray(slab, array);
    const after = walked(slab, array, 0n, 1000n).map(([, text]) => text);
    const isOrdered = size < ring.length || (size > ring.length && cursor + 1 < ring.length);
    expect(after).toEqual(
      isOrdered ? keptOf(ring, cursor, size) : ring.filter((text) => text !== null),
    );
    free(slab, array);
    expect(usedBytesOf(slab)).toBe(usedBefore);
  });
});

/** The values before the cursor, it included, in a circle, up to a gap or `size` of them. */
function keptOf(ring: readonly (string | null)[], cursor: number, size: number): string[] {
  const kept: string[] = [];
  let at = cursor % ring.length;
  while (kept.length < Math.min(size, ring.length)) {
    const text = ring[at];
    if (text === null || text === undefined) break;
    kept.unshift(text);
    at = (at + ring.length - 1) % ring.length;
  }
  return kept;
}
