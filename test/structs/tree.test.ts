// The tree against a sorted array: every rank, range and neighbour is what the array says.

import { expect, it } from 'vitest';
import { checkSlab } from '../../src/slab/check.js';
import { Header, NONE, type Slab, usedBytesOf } from '../../src/slab/slab.js';
import {
  createMember,
  type MemberRef,
  nameBytes,
  nameStart,
  releaseMember,
  scoreOf,
} from '../../src/structs/member.js';
import {
  checkTree,
  RUN_MAX,
  TreeCursor,
  TreeRoot,
  treeAppend,
  treeBytes,
  treeFreeStep,
  treeInsert,
  treeMove,
  treeRank,
  treeRankOfName,
  treeRankOfScore,
  treeRemove,
  treeRemoveFrom,
} from '../../src/structs/tree.js';
import { randomTest } from '../support/random-test.js';
import type { Random } from '../support/seed.js';
import { freshSlab } from '../support/slab.js';

/** Any words of the slab's header that nobody else uses in these tests. */
const ROOT: number = Header.Databases;

interface Row {
  score: number;
  name: string;
  member: MemberRef;
}

function bytes(name: string): Uint8Array {
  return Buffer.from(name, 'latin1');
}

/** By score, then by name: latin1 strings compare as their bytes. */
function isBefore(a: Row, score: number, name: string): boolean {
  return a.score !== score ? a.score < score : a.name < name;
}

class TreeModel {
  readonly slab: Slab = freshSlab(32 * 1024 * 1024);
  readonly rows: Row[] = [];
  private readonly cursor = new TreeCursor();

  placeOf(score: number, name: string): number {
    let from = 0;
    let to = this.rows.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (isBefore(this.rows[middle]!, score, name)) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  add(score: number, name: string): void {
    const place = this.placeOf(score, name);
    const met = this.rows[place];
    if (met !== undefined && met.score === score && met.name === name) return;
    const text = bytes(name);
    const member = createMember(this.slab, score, text, 0, text.length);
    treeInsert(this.slab, ROOT, member);
    this.rows.splice(place, 0, { score, name, member });
  }

  remove(place: number): void {
    const [row] = this.rows.splice(place, 1);
    treeRemove(this.slab, ROOT, row!.member);
    releaseMember(this.slab, row!.member);
  }

  removeFrom(place: number, limit: number): void {
    const removed = new Int32Array(RUN_MAX);
    const count = treeRemoveFrom(this.slab, ROOT, place, limit, removed);
    const gone = this.rows.splice(place, count).map((row) => row.member as number);
    expect([...removed.subarray(0, count)]).toEqual(gone);
    for (const member of gone) releaseMember(this.slab, member);
  }

  move(place: number, score: number): void {
    const [row] = this.rows.splice(place, 1);
    treeMove(this.slab, ROOT, row!.member, score);
    this.rows.splice(this.placeOf(score, row!.name), 0, { ...row!, score });
  }

  /** Compares one rank, from all sides. */
  compareAt(place: number): void {
    const { cursor, rows, slab } = this;
    const row = rows[place]!;
    expect(treeRank(slab, ROOT, row.member)).toBe(place);
    cursor.seek(slab, ROOT, place);
    expect(cursor.member).toBe(row.member);
    const lower = rows.findIndex((each) => each.score >= row.score);
    expect(treeRankOfScore(slab, ROOT, row.score, false)).toBe(lower);
    const higher = rows.findIndex((each) => each.score > row.score);
    const end = higher === -1 ? rows.length : higher;
    expect(treeRankOfScore(slab, ROOT, row.score, true)).toBe(end);
    expect(cursor.next(slab)).toBe(place + 1 < rows.length);
    if (place + 1 < rows.length) expect(cursor.member).toBe(rows[place + 1]!.member);
    cursor.seek(slab, ROOT, place);
    expect(cursor.previous(slab)).toBe(place > 0);
    if (place > 0) expect(cursor.member).toBe(rows[place - 1]!.member);
  }

  check(): void {
    const { cursor, rows, slab } = this;
    expect(checkTree(slab, ROOT)).toBe(rows.length);
    if (rows.length === 0) return;
    cursor.seek(slab, ROOT, 0);
    for (const row of rows) {
      const start = nameStart(cursor.member);
      const name = slab.u8.slice(start, start + nameBytes(slab, cursor.member));
      const here = {
        score: scoreOf(slab, cursor.member),
        name: Buffer.from(name).toString('latin1'),
      };
      if (here.score !== row.score || here.name !== row.name) throw new Error(`lost ${row.name}`);
      cursor.next(slab);
    }
  }

  free(): void {
    for (const row of this.rows) releaseMember(this.slab, row.member);
    while (!treeFreeStep(this.slab, ROOT, 100));
    expect(usedBytesOf(this.slab)).toBe(0);
    checkSlab(this.slab);
  }
}

const SPECIAL = [0, -0, Infinity, -Infinity, 1e-300, -1e-300, 5e-324, 2 ** 53, 1.5, -1.5];

function scoreFrom(random: Random, kind: number): number {
  switch (kind) {
    case 0:
      return random.below(10) - 5;
    case 1:
      return random.below(100_000);
    case 2:
      return 1.7e12 + random.below(1000);
    case 3:
      return random.pick(SPECIAL);
    default:
      return (random.next() - 2 ** 31) / 1000;
  }
}

randomTest('a tree ranks, ranges and moves as a sorted array does', 6, (random) => {
  const tree = new TreeModel();
  const size = random.pick([100, 1500, 5000]);
  const kind = random.below(5);
  for (let phase = 0; phase < 4; phase++) {
    const removals = random.pick([1, 3, 6]);
    for (let step = 0; step < size; step++) {
      const { rows } = tree;
      const choice = random.below(10);
      const place = random.below(Math.max(1, rows.length));
      if (rows.length === 0 || choice >= removals + 2) {
        tree.add(scoreFrom(random, kind), `m${random.below(size * 4)}-${phase}-${step}`);
      } else if (choice < removals) {
        if (random.chance(0.02)) tree.removeFrom(place, 1 + random.below(200));
        else tree.remove(place);
      } else {
        const near = rows[place]!.score + (random.chance(0.5) ? 1 : -0.5);
        const score = random.chance(0.5) && !Number.isNaN(near) ? near : scoreFrom(random, kind);
        if (score !== rows[place]!.score) tree.move(place, score);
      }
      if (random.chance(0.003)) tree.check();
      if (rows.length > 0 && random.chance(0.02)) tree.compareAt(random.below(rows.length));
    }
    tree.check();
  }
  tree.free();
});

randomTest('a tree of one score is in the order of names', 4, (random) => {
  const tree = new TreeModel();
  for (let step = 0; step < 3000; step++) tree.add(7, random.bytes(random.below(4)));
  tree.check();
  for (let step = 0; step < 500; step++) {
    const name = random.bytes(random.below(5));
    const text = bytes(name);
    for (const isWithEqual of [false, true]) {
      const expected = tree.rows.filter(
        (row) => row.name < name || (isWithEqual && row.name === name),
      ).length;
      const rank = treeRankOfName(tree.slab, ROOT, text, 0, text.length, isWithEqual);
      expect(rank).toBe(expected);
    }
  }
  while (tree.rows.length > 0) tree.removeFrom(random.below(tree.rows.length), 50);
  expect(tree.slab.i32[ROOT + TreeRoot.Top]).toBe(NONE);
  tree.free();
});

it('a tree that is filled in order has full leaves, whichever way it grows', () => {
  for (const sign of [1, -1]) {
    const tree = new TreeModel();
    for (let step = 0; step < 20_000; step++) tree.add(sign * step, `m${step}`);
    tree.check();
    // 12 bytes for each member, and the inner nodes.
    expect(treeBytes(tree.slab, ROOT)).toBeLessThan(20_000 * 13);
    while (tree.rows.length > 0) tree.removeFrom(0, 1000);
    tree.free();
  }
});

it('a tree to which members are appended is the one in which they are inserted', () => {
  const appended = new TreeModel();
  const inserted = new TreeModel();
  for (let step = 0; step < 20_000; step++) {
    const score = step >> 2;
    const name = `m${step % 4}`;
    inserted.add(score, name);
    const text = bytes(name);
    const member = createMember(appended.slab, score, text, 0, text.length);
    treeAppend(appended.slab, ROOT, member);
    appended.rows.push({ score, name, member });
    if ((step & (step + 1)) === 0) appended.check();
  }
  appended.check();
  expect(treeBytes(appended.slab, ROOT)).toBe(treeBytes(inserted.slab, ROOT));
  appended.add(-1, 'first');
  appended.add(7.5, 'between');
  appended.check();
});

it('a tree that lost most of its members gives their memory back', () => {
  const tree = new TreeModel();
  for (let step = 0; step < 20_000; step++) tree.add((step * 7919) % 20_011, `m${step}`);
  for (let place = 0; place < tree.rows.length; place++) {
    for (let gone = 0; gone < 9 && place < tree.rows.length; gone++) tree.remove(place);
  }
  tree.check();
  expect(treeBytes(tree.slab, ROOT)).toBeLessThan(tree.rows.length * 60);
  tree.free();
});
