// Packed lists that are built in one go, beside lists of as many appends.

import { describe, expect } from 'vitest';
import { formatSlab } from '../../src/slab/alloc.js';
import { checkSlab } from '../../src/slab/check.js';
import { Slab } from '../../src/slab/slab.js';
import { listpackBytes } from '../../src/structs/chain.js';
import {
  checkPacked,
  createPacked,
  Packed,
  packedAppend,
  packedBytes,
  packedCount,
  releasePacked,
} from '../../src/structs/packed.js';
import { PackedBuilder } from '../../src/structs/packed-build.js';
import { randomTest } from '../support/random-test.js';
import type { Random } from '../support/seed.js';

const LISTPACK_EDGES = 7;
const ROOM = 600_000;

/** Texts about every edge of the format, and integers of every width. */
function element(random: Random): string {
  const sort = random.below(10);
  if (sort < 4) return random.bytes(random.below(20));
  if (sort < 5) return random.bytes(random.pick([0, 1, 23, 24, 25, 63, 64, 127, 238, 239, 240]));
  if (sort < 6 && random.chance(0.1))
    return random.bytes(random.pick([4095, 4096, 65_535, 65_536]));
  const bits = BigInt(random.below(63));
  const size = (1n << bits) + BigInt(random.between(-2, 2));
  const number = random.chance(0.5) ? size : -size;
  return random.chance(0.1) ? `0${number}` : String(number);
}

/** What stands in the list, element by element, and how. */
function contents(slab: Slab, list: Packed): string[] {
  const found: string[] = [];
  for (let isThere = list.first(); isThere; isThere = list.next()) {
    const text = Buffer.from(slab.u8.slice(list.at, list.at + list.length)).toString('latin1');
    found.push(list.isInteger ? `${list.token}:${list.high}/${list.low}` : `${list.token}:${text}`);
  }
  return found;
}

describe('a packed list that is built', () => {
  randomTest('is what as many appends make', 200, (random) => {
    const slab = new Slab(0, new SharedArrayBuffer(8 * 1024 * 1024));
    formatSlab(slab, 1);
    const builder = new PackedBuilder();
    let appended = createPacked(slab, 0);
    builder.begin(slab, ROOM);
    for (let left = random.below(60); left > 0; left--) {
      const text = Buffer.from(element(random), 'latin1');
      builder.text(text, 0, text.length);
      appended = packedAppend(slab, appended, text, 0, text.length);
      if (random.chance(0.05)) builder.end();
    }
    const built = builder.end();

    checkPacked(slab, built);
    expect(builder.count).toBe(packedCount(slab, appended));
    expect(packedCount(slab, built)).toBe(builder.count);
    expect(packedBytes(slab, built)).toBe(packedBytes(slab, appended));
    expect(contents(slab, new Packed().open(slab, built))).toEqual(
      contents(slab, new Packed().open(slab, appended)),
    );
    expect(builder.listpackBytes + LISTPACK_EDGES).toBe(listpackBytes(slab, appended));
    releasePacked(slab, built);
    releasePacked(slab, appended);
    checkSlab(slab);
  });
});
