// Sorted sets against a sorted array, in both encodings and across the threshold between them.

import { afterEach, expect, it } from 'vitest';
import { checkSlab } from '../../src/slab/check.js';
import { type Slab, usedBytesOf } from '../../src/slab/slab.js';
import { Encoding } from '../../src/types/kind.js';
import { SortedSet, SortedSetWalk, sortedSetKind } from '../../src/types/sorted-set/index.js';
import { thresholds } from '../../src/types/thresholds.js';
import { randomTest } from '../support/random-test.js';
import { Random } from '../support/seed.js';
import { freshSlab } from '../support/slab.js';

const DEFAULTS = { ...thresholds };

afterEach(() => {
  Object.assign(thresholds, DEFAULTS);
});

function bytes(name: string): Uint8Array {
  return Buffer.from(name, 'latin1');
}

type Row = readonly [score: number, name: string];

function byScoreAndName(a: Row, b: Row): number {
  if (a[0] !== b[0]) return a[0] < b[0] ? -1 : 1;
  return a[1] < b[1] ? -1 : 1;
}

/** All members in order, as the window shows them. */
function rowsOf(set: SortedSet): Row[] {
  const walk = new SortedSetWalk();
  const rows: Row[] = [];
  if (set.length === 0) return rows;
  walk.seek(set, 0);
  do {
    walk.readScore();
    const name = Buffer.from(walk.u8.slice(walk.start, walk.start + walk.length));
    rows.push([walk.score, name.toString('latin1')]);
  } while (walk.next());
  return rows;
}

function backwards(set: SortedSet): Row[] {
  const walk = new SortedSetWalk();
  const rows: Row[] = [];
  walk.seek(set, set.length - 1);
  do {
    walk.readScore();
    const name = Buffer.from(walk.u8.slice(walk.start, walk.start + walk.length));
    rows.push([walk.score, name.toString('latin1')]);
  } while (walk.previous());
  return rows;
}

class Model {
  readonly slab: Slab = freshSlab(16 * 1024 * 1024);
  readonly set: SortedSet;
  readonly scores = new Map<string, number>();

  constructor(count: number) {
    this.set = new SortedSet().create(this.slab, count, 1);
  }

  rows(): Row[] {
    return [...this.scores].map(([name, score]): Row => [score, name]).sort(byScoreAndName);
  }

  put(name: string, score: number): void {
    const text = bytes(name);
    const known = this.scores.get(name);
    expect(this.set.find(text, 0, text.length)).toBe(known !== undefined);
    if (known === undefined) this.set.add(score);
    else {
      expect(this.set.score).toBe(known);
      if (known !== score) this.set.setScore(score);
    }
    this.scores.set(name, score);
  }

  check(): void {
    const { set, slab } = this;
    sortedSetKind.check(slab, set.encoding, set.root);
    expect(rowsOf(set)).toEqual(this.rows());
  }
}

function scoreFrom(random: Random): number {
  const choice = random.below(6);
  if (choice === 0) return random.below(5);
  if (choice === 1) return random.pick([Infinity, -Infinity, 1e300, 5e-324, 2 ** 53, -1.5, 0.1]);
  return (random.next() - 2 ** 31) / random.pick([1, 7, 1024]);
}

randomTest('a sorted set is what a sorted array is, whatever its encoding', 8, (random) => {
  thresholds.zsetMaxListpackEntries = random.pick([0, 5, 60, 100_000]);
  thresholds.zsetMaxListpackValue = random.pick([3, 64]);
  const model = new Model(random.pick([1, 200]));
  const { set } = model;
  const names = random.pick([30, 300]);
  for (let step = 0; step < 700; step++) {
    const number = random.below(names);
    const name = number % 3 === 0 ? String(number - 20) : `m${number}${'x'.repeat(number % 70)}`;
    const choice = random.below(10);
    if (choice < 6) model.put(name, scoreFrom(random));
    else if (choice < 8) {
      const text = bytes(name);
      if (set.find(text, 0, text.length)) set.remove();
      model.scores.delete(name);
    } else if (set.length > 0) {
      const rows = model.rows();
      const rank = random.below(rows.length);
      const [score, member] = rows[rank]!;
      const text = bytes(member);
      expect(set.find(text, 0, text.length)).toBe(true);
      expect(set.rank()).toBe(rank);
      expect(set.rankOfScore(score, false)).toBe(rows.filter((row) => row[0] < score).length);
      expect(set.rankOfScore(score, true)).toBe(rows.filter((row) => row[0] <= score).length);
      if (random.chance(0.1)) {
        const count = Math.min(rows.length - rank, 1 + random.below(20));
        set.removeRange(rank, count);
        for (const row of rows.slice(rank, rank + count)) model.scores.delete(row[1]);
      }
    }
    if (random.chance(0.02)) model.check();
  }
  model.check();
  if (set.length > 0) expect(backwards(set)).toEqual(model.rows().reverse());

  const { encoding, root, slab } = set;
  const copied = sortedSetKind.copy(slab, encoding, root, slab);
  sortedSetKind.check(slab, encoding, copied);
  expect(rowsOf(new SortedSet().open(slab, encoding, copied))).toEqual(model.rows());
  const held = usedBytesOf(slab);
  const bytesHeld =
    sortedSetKind.heldBytes(slab, encoding, root) + sortedSetKind.heldBytes(slab, encoding, copied);
  expect(bytesHeld).toBe(held);
  while (!sortedSetKind.freeStep(slab, encoding, root, 10));
  expect(sortedSetKind.freeStep(slab, encoding, copied, 1e9)).toBe(true);
  expect(usedBytesOf(slab)).toBe(0);
  checkSlab(slab);
});

it('a small set becomes large with one member too many, or with a name too long', () => {
  const model = new Model(1);
  for (let member = 0; member < 128; member++) model.put(`m${member}`, member);
  expect(model.set.encoding).toBe(Encoding.Packed);
  model.put('m128', 128);
  expect(model.set.encoding).toBe(Encoding.Tree);
  model.check();

  const other = new Model(1);
  other.put('x'.repeat(64), 1);
  expect(other.set.encoding).toBe(Encoding.Packed);
  other.put('x'.repeat(65), 1);
  expect(other.set.encoding).toBe(Encoding.Tree);
  other.check();
});

it('a large set is freed in steps of about what was asked for', () => {
  thresholds.zsetMaxListpackEntries = 0;
  const model = new Model(1);
  for (let member = 0; member < 6000; member++) model.put(`m${member}`, member % 977);
  const { encoding, root, slab } = model.set;
  let steps = 1;
  while (!sortedSetKind.freeStep(slab, encoding, root, 500)) steps++;
  // Once through the members, and once through the nodes.
  expect(steps).toBeGreaterThan(10);
  expect(usedBytesOf(slab)).toBe(0);
});

it('a member of 16 bytes takes less than 64 bytes of a large set', () => {
  thresholds.zsetMaxListpackEntries = 0;
  const model = new Model(1);
  const random = new Random(5);
  // So many that the table is neither about to grow nor has just grown.
  for (let member = 0; member < 30_000; member++) {
    const text = bytes(String(member).padStart(16, 'm'));
    expect(model.set.find(text, 0, text.length)).toBe(false);
    model.set.add(random.next());
  }
  expect(usedBytesOf(model.slab) / model.set.length).toBeLessThan(64);
});
