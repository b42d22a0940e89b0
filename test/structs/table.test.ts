// The table against a Map: what is in it is found, what is not is not, scans miss nothing.

import { describe, expect, it } from 'vitest';
import { allocate, release, reserve } from '../../src/slab/alloc.js';
import { checkSlab } from '../../src/slab/check.js';
import { Header, NONE, type Slab, usedBytesOf } from '../../src/slab/slab.js';
import {
  bucketAt,
  bucketAtPosition,
  checkTable,
  eachInBucket,
  findInBucket,
  freeSegmentStep,
  freeTable,
  insert,
  nextPosition,
  randomRef,
  removeRef,
  replaceRef,
  SCAN_END,
  shrinkStep,
} from '../../src/structs/table.js';
import { freshSlab, mix, randomTest } from '../support/model.js';
import { Random } from '../support/seed.js';

const ROOT = Header.Databases;
const NO_BYTES = new Uint8Array(0);

/** Things are blocks that hold a number and its hash; the number looked for stands in `wanted`. */
let wanted = 0;

function isWanted(slab: Slab, ref: number): boolean {
  return slab.i32[ref * 2] === wanted;
}

function hashOf(slab: Slab, ref: number): number {
  return slab.i32[ref * 2 + 1]!;
}

class Numbers {
  readonly slab: Slab;
  readonly refs = new Map<number, number>();
  /** Hash bits that all numbers share: they crowd into few segments then. */
  readonly sharedBits: number;

  constructor(slabBytes: number, sharedBits = 0) {
    this.slab = freshSlab(slabBytes);
    this.sharedBits = sharedBits;
  }

  hash(value: number): number {
    return mix(value) & ~this.sharedBits;
  }

  block(value: number): number {
    const ref = allocate(this.slab, 16);
    this.slab.i32[ref * 2] = value;
    this.slab.i32[ref * 2 + 1] = this.hash(value);
    return ref;
  }

  add(value: number): void {
    if (this.refs.has(value)) return;
    const ref = this.block(value);
    insert(this.slab, ROOT, this.hash(value), ref, hashOf, 0);
    this.refs.set(value, ref);
  }

  remove(value: number): void {
    const ref = this.refs.get(value);
    if (ref === undefined) return;
    removeRef(this.slab, ROOT, bucketAt(this.slab, ROOT, this.hash(value)), ref);
    release(this.slab, ref as Parameters<typeof release>[1]);
    this.refs.delete(value);
  }

  move(value: number): void {
    const ref = this.refs.get(value);
    if (ref === undefined) return;
    const moved = this.block(value);
    replaceRef(this.slab, bucketAt(this.slab, ROOT, this.hash(value)), ref, moved);
    release(this.slab, ref as Parameters<typeof release>[1]);
    this.refs.set(value, moved);
  }

  find(value: number): number {
    wanted = value;
    const bucket = bucketAt(this.slab, ROOT, this.hash(value));
    if (bucket === 0) return NONE;
    return findInBucket(this.slab, bucket, this.hash(value), isWanted, NO_BYTES, 0, 0);
  }

  shrink(): void {
    let place = 0;
    do place = shrinkStep(this.slab, ROOT, place);
    while (place !== 0);
  }

  check(): void {
    expect(checkTable(this.slab, ROOT, hashOf)).toBe(this.refs.size);
  }
}

describe('a table', () => {
  randomTest('finds what was put into it, and nothing else', 6, (random) => {
    const table = new Numbers(16 * 1024 * 1024, random.pick([0, 0, 0xffff0000, 0x1f, 0x1fe0]));
    const numbers = random.pick([50, 2000, 20_000]);
    for (let phase = 0; phase < 6; phase++) {
      const removals = random.pick([1, 3, 5, 9]);
      for (let step = 0; step < numbers; step++) {
        const value = 1 + random.below(numbers);
        const choice = random.below(10);
        if (choice < removals) table.remove(value);
        else if (choice === 9) table.move(value);
        else table.add(value);
        if (table.find(value) !== (table.refs.get(value) ?? NONE)) throw new Error(`lost ${value}`);
        if (random.chance(0.01)) shrinkStep(table.slab, ROOT, random.below(40));
      }
      table.check();
      table.shrink();
      table.check();
      for (const [value, ref] of table.refs) {
        if (table.find(value) !== ref) throw new Error(`lost ${value}`);
      }
    }
    for (const value of [...table.refs.keys()]) table.remove(value);
    for (let round = 0; round < 3; round++) table.shrink();
    expect(usedBytesOf(table.slab)).toBe(0);
  });

  randomTest('misses nothing in a scan while it grows and shrinks', 12, (random) => {
    const table = new Numbers(16 * 1024 * 1024);
    const staying = 200 + random.below(3000);
    for (let value = 1; value <= staying; value++) table.add(value);
    const seen = new Set<number>();
    const passing: number[] = [];
    let next = staying + 1;
    for (let position = 0; position < SCAN_END; ) {
      const bucket = bucketAtPosition(table.slab, ROOT, position);
      eachInBucket(table.slab, bucket, (slab, ref) => void seen.add(slab.i32[ref * 2]!));
      position = nextPosition(table.slab, ROOT, position);
      // Others come in thousands and go again, so that segments split and merge under the scan.
      if (!random.chance(0.03)) continue;
      const grows = passing.length === 0 || random.chance(0.4);
      for (let many = random.below(3000); grows && many > 0; many--) {
        table.add(next);
        passing.push(next++);
      }
      while (!grows && passing.length > 0) table.remove(passing.pop()!);
      for (let round = 0; round < 3; round++) table.shrink();
    }
    for (let value = 1; value <= staying; value++) expect(seen.has(value)).toBe(true);
  });

  it('merges what a scan has half walked without hiding any of it', () => {
    // Few entries in two segments: a scan stops inside the lower one, then both become one.
    const table = new Numbers(4 * 1024 * 1024);
    const random = new Random(7);
    for (let value = 1; value <= 400; value++) table.add(value);
    for (let value = 1; value <= 400; value++) if (random.chance(0.8)) table.remove(value);
    const staying = [...table.refs.keys()];
    const seen = new Set<number>();
    let position = 0;
    for (let step = 0; position < SCAN_END; step++) {
      const bucket = bucketAtPosition(table.slab, ROOT, position);
      eachInBucket(table.slab, bucket, (slab, ref) => void seen.add(slab.i32[ref * 2]!));
      position = nextPosition(table.slab, ROOT, position);
      if (step === 10) table.shrink();
    }
    expect(staying.filter((value) => !seen.has(value))).toEqual([]);
  });

  it('draws every entry now and then, also when it is nearly empty', () => {
    const table = new Numbers(16 * 1024 * 1024);
    for (let value = 1; value <= 20_000; value++) table.add(value);
    for (let value = 4; value <= 20_000; value++) table.remove(value);
    const random = new Random(11);
    const drawn = new Set<number>();
    for (let draw = 0; draw < 300; draw++) {
      drawn.add(randomRef(table.slab, ROOT, (below) => random.below(below)));
    }
    expect(drawn).toEqual(new Set(table.refs.values()));
    expect(randomRef(freshSlab(2 ** 20), ROOT, () => 0)).toBe(NONE);
  });

  it('is freed at once or segment by segment, and leaves nothing', () => {
    for (const isStepwise of [false, true]) {
      const table = new Numbers(8 * 1024 * 1024);
      for (let value = 1; value <= 5000; value++) table.add(value);
      const free = (slab: Slab, ref: number): void =>
        release(slab, ref as Parameters<typeof release>[1]);
      if (isStepwise) {
        let place = 0;
        do place = freeSegmentStep(table.slab, ROOT, place, free);
        while (place !== 0);
      } else {
        freeTable(table.slab, ROOT);
        for (const ref of table.refs.values()) free(table.slab, ref);
      }
      expect(usedBytesOf(table.slab)).toBe(0);
      checkSlab(table.slab);
    }
  });

  it('goes on in chains when the slab has no memory for growing', () => {
    const table = new Numbers(2 ** 20);
    let value = 1;
    while (reserve(table.slab, 16)) table.add(value++);
    expect(value).toBeGreaterThan(10_000);
    table.check();
    // What is kept back is enough for a few more entries, whatever they need.
    for (let more = 0; more < 500; more++) table.add(value++);
    table.check();
    for (const [number, ref] of table.refs) expect(table.find(number)).toBe(ref);
  });
});
