// The table against a Map: what is in it is found, what is not is not, scans miss nothing.

import { describe, expect, it } from 'vitest';
import { release, reserve } from '../../src/slab/alloc.js';
import { checkSlab } from '../../src/slab/check.js';
import { NONE, type Slab, usedBytesOf } from '../../src/slab/slab.js';
import {
  bucketAtPosition,
  eachInBucket,
  freeSegmentStep,
  freeTable,
  nextPosition,
  randomRef,
  SCAN_END,
  shrinkStep,
  TableRoot,
} from '../../src/structs/table.js';
import { ROOT, TableModel } from '../model/table.js';
import { randomTest } from '../support/random-test.js';
import { Random } from '../support/seed.js';
import { freshSlab, mix } from '../support/slab.js';

describe('a table', () => {
  randomTest('finds what was put into it, and nothing else', 6, (random) => {
    const table = new TableModel(16 * 1024 * 1024, random.pick([0, 0, 0xffff0000, 0x1f, 0x1fe0]));
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
    const table = new TableModel(16 * 1024 * 1024);
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
    const table = new TableModel(4 * 1024 * 1024);
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

  it('does not merge segments where a chain would need memory', () => {
    // Fourteen in bucket 0, half of them on either side of the first hash bit; others elsewhere.
    class Crowd extends TableModel {
      override hash(value: number): number {
        return value <= 14 ? value << 31 : mix(value) | 1;
      }
    }
    const table = new Crowd(2 ** 20);
    for (let value = 1; value <= 400; value++) table.add(value);
    for (let value = 15; value <= 400; value++) table.remove(value);
    table.shrink();
    expect(table.slab.i32[ROOT + TableRoot.Depth]).toBe(1);
    table.remove(1);
    table.remove(2);
    table.shrink();
    expect(table.slab.i32[ROOT + TableRoot.Depth]).toBe(0);
    table.check();
  });

  it('draws every entry now and then, also when it is nearly empty', () => {
    const table = new TableModel(16 * 1024 * 1024);
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
      const table = new TableModel(8 * 1024 * 1024);
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
    const table = new TableModel(2 ** 20);
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
