// The table in phases of growing and shrinking, under hashes that crowd: it finds what was put into
// it, a scan misses nothing that stays, and nothing of it is left when all is gone.

import { equal, ok } from 'node:assert/strict';
import { checkSlab } from '../../src/slab/check.js';
import { NONE, usedBytesOf } from '../../src/slab/slab.js';
import {
  bucketAtPosition,
  eachInBucket,
  nextPosition,
  SCAN_END,
  shrinkStep,
} from '../../src/structs/table.js';
import { ROOT, TableModel } from '../model/table.js';
import type { FuzzTarget } from './target.js';

const SLAB_BYTES = 16 * 1024 * 1024;
/** Hash bits that all numbers share; the rest spreads them. */
const SHARED_BITS = [0, 0, 0, 0xffff0000, 0x1f, 0x1fe0];
const PHASE_STEPS = 2000;
const CHECK_EVERY_STEPS = 500;

export const target: FuzzTarget = {
  name: 'table',
  about: 'the table against a Map, checkTable as it goes, with a scan under way',
  stepsPerRun: 20_000,
  run({ steps, random, note }) {
    const table = new TableModel(SLAB_BYTES, random.pick(SHARED_BITS));
    const numbers = random.pick([50, 2000, 20_000]);
    const scan = new Scan(table);
    let removals = 3;
    for (let step = 0; step < steps; step++) {
      if (step % PHASE_STEPS === 0) removals = random.pick([1, 3, 5, 9]);
      const value = 1 + random.below(numbers);
      const choice = random.below(10);
      note(`step ${step}: value ${value}, choice ${choice} of ${removals}`);
      if (choice < removals) {
        table.remove(value);
        scan.left(value);
      } else if (choice === 9) {
        table.move(value);
      } else {
        table.add(value);
      }
      equal(table.find(value), table.refs.get(value) ?? NONE);
      if (random.chance(0.01)) shrinkStep(table.slab, ROOT, random.below(40));
      if (random.chance(0.1)) scan.step();
      if (step % CHECK_EVERY_STEPS === 0) table.check();
    }
    table.shrink();
    table.checkAll();
    for (const value of [...table.refs.keys()]) table.remove(value);
    for (let round = 0; round < 3; round++) table.shrink();
    equal(usedBytesOf(table.slab), 0);
    checkSlab(table.slab);
  },
};

/** A scan, and what it must see: whatever is there from its beginning to its end. */
class Scan {
  private readonly table: TableModel;
  private position = 0;
  private expected = new Set<number>();

  constructor(table: TableModel) {
    this.table = table;
  }

  left(value: number): void {
    this.expected.delete(value);
  }

  step(): void {
    const { slab } = this.table;
    if (this.position === 0) this.expected = new Set(this.table.refs.keys());
    const bucket = bucketAtPosition(slab, ROOT, this.position);
    if (bucket !== 0) {
      eachInBucket(slab, bucket, (_, ref) => void this.expected.delete(slab.i32[ref * 2]!));
    }
    this.position = nextPosition(slab, ROOT, this.position);
    if (this.position < SCAN_END) return;
    ok(this.expected.size === 0, `a scan missed ${[...this.expected].slice(0, 5).join(' ')}`);
    this.position = 0;
  }
}
