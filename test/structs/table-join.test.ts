// Joins of two tables against two Maps: what both have is matched, what one has alone is not.

import { describe, expect, it } from 'vitest';
import { NONE, type Slab } from '../../src/slab/slab.js';
import { joinPlaces, Row, segmentPlaces, TableJoin, Wanted } from '../../src/structs/table-join.js';
import { ROOT, TableModel } from '../model/table.js';
import { randomTest } from '../support/random-test.js';
import { Random } from '../support/seed.js';

const SLAB_BYTES = 16 * 1024 * 1024;

function isSame(slab: Slab, ref: number, other: Slab, otherRef: number): boolean {
  return slab.i32[ref * 2] === other.i32[otherRef * 2];
}

function fill(table: TableModel, random: Random, count: number, below: number): void {
  for (let step = 0; step < count; step++) table.add(1 + random.below(below));
  for (const value of [...table.refs.keys()]) if (random.chance(0.2)) table.remove(value);
  if (random.chance(0.5)) table.shrink();
}

/** What the join finds of the first table: numbers with the ref in the second, or NONE. */
function foundBy(join: TableJoin, table: TableModel): Map<number, number> {
  const found = new Map<number, number>();
  while (join.next()) {
    for (let row = 0; row < join.rowCount; row++) {
      const at = row * Row.Words;
      const value = table.slab.i32[join.rows[at + Row.Ref]! * 2]!;
      expect(found.has(value)).toBe(false);
      found.set(value, join.rows[at + Row.Match]!);
    }
  }
  return found;
}

function expectedOf(table: TableModel, other: TableModel, wanted: Wanted): Map<number, number> {
  const all = [...table.refs.keys()].map(
    (value) => [value, other.refs.get(value) ?? NONE] as const,
  );
  return new Map(all.filter(([, ref]) => (ref !== NONE) === (wanted === Wanted.Common)));
}

describe('a join', () => {
  randomTest('matches what both tables have, whatever their sizes', 20, (random) => {
    // Shared bits crowd the numbers into few buckets with long chains, or under few tags.
    const shared = random.pick([0, 0, 0xffff0000, 0x1f, 0x1fe0]);
    const table = new TableModel(SLAB_BYTES, shared);
    const other = new TableModel(SLAB_BYTES, shared);
    const below = random.pick([100, 5000, 50_000]);
    fill(table, random, random.pick([0, 1, 30, 700, 12_000]), below);
    fill(other, random, random.pick([0, 1, 30, 700, 12_000]), below);
    const join = new TableJoin();
    for (const wanted of [Wanted.Common, Wanted.Alone]) {
      join.open(table.slab, ROOT, other.slab, ROOT, isSame, wanted);

      expect(foundBy(join, table)).toEqual(expectedOf(table, other, wanted));
    }
  });

  it('is the same in pieces', () => {
    const random = new Random(11);
    const table = new TableModel(SLAB_BYTES);
    const other = new TableModel(SLAB_BYTES);
    fill(table, random, 9000, 20_000);
    fill(other, random, 3000, 20_000);
    const join = new TableJoin();
    const found = new Map<number, number>();
    const places = joinPlaces(table.slab, ROOT);
    for (let place = 0; place < places; ) {
      const next = place + segmentPlaces(table.slab, ROOT, place);
      join.open(table.slab, ROOT, other.slab, ROOT, isSame, Wanted.Common);
      join.openAt(place, next);
      for (const [value, ref] of foundBy(join, table)) found.set(value, ref);
      place = next;
    }

    expect(found).toEqual(expectedOf(table, other, Wanted.Common));
  });
});
