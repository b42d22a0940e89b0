// The registry of channels against plain maps, with several threads' ends of it in one thread, and
// from real threads at once.

import { describe, expect, it } from 'vitest';
import { setHashKey } from '../../src/base/hash.js';
import {
  checkRegistry,
  createRegistry,
  Kind,
  type RecordId,
  Registry,
} from '../../src/pubsub/registry.js';
import { checkSlab } from '../../src/slab/check.js';
import { Slab } from '../../src/slab/slab.js';
import { randomTest } from '../support/random-test.js';

const THREADS = 3;
const RECORD_BYTES = 4 * 1024 * 1024;
setHashKey([1, 2]);

interface Held {
  readonly thread: number;
  readonly kind: Kind;
  readonly name: string;
  readonly id: RecordId;
}

function bytesOf(name: string): Uint8Array {
  return Buffer.from(name, 'latin1');
}

describe('the registry', () => {
  randomTest('counts what was added and not removed, by kind, name and thread', 5, (random) => {
    const shape = createRegistry(THREADS, RECORD_BYTES);
    const ends = Array.from({ length: THREADS }, (_, thread) => new Registry(shape, thread));
    const held: Held[] = [];
    const looked: { kind: Kind; name: string }[] = [];
    const names = Array.from({ length: 40 }, (_, index) => 'x'.repeat(9 * (index % 9)) + index);
    for (let step = 0; step < 600; step++) {
      if (held.length > 0 && random.next() < 0.45) {
        const [gone] = held.splice(random.below(held.length), 1);
        ends[gone!.thread]!.remove(gone!.id);
      } else {
        const thread = random.below(THREADS);
        const kind = random.below(Kind.Count) as Kind;
        const name = random.pick(names);
        const before = ends[thread]!.version;
        const id = ends[thread]!.add(kind, bytesOf(name), 0, name.length);
        expect(id).not.toBe(0);
        expect(ends[thread]!.version).toBeGreaterThan(before);
        held.push({ thread, kind, name, id });
      }
      if (step % 100 === 0) checkRegistry(shape);
      // Half of the time what this one has looked for last.
      const reading = random.below(THREADS);
      if (random.next() < 0.5 || looked[reading] === undefined) {
        looked[reading] = { kind: random.below(Kind.Count) as Kind, name: random.pick(names) };
      }
      const { kind, name } = looked[reading];
      const mine = held.filter((each) => each.kind === kind && each.name === name);
      const reader = ends[reading]!;
      reader.look(kind, bytesOf(name), 0, name.length);
      expect(reader.total).toBe(mine.length);
      if (mine.length > 0) {
        expect(reader.id).toBe(mine[0]!.id);
        const targets = ends.map((_, thread) => mine.filter((m) => m.thread === thread).length);
        expect([...reader.targets]).toEqual(targets);
      }
    }
    for (const kind of [Kind.Channel, Kind.Shard, Kind.Pattern]) {
      const expected = new Set(held.filter((each) => each.kind === kind).map(({ name }) => name));
      const found = ends[0]!.names(kind).map((name) => Buffer.from(name).toString('latin1'));
      expect(found.sort()).toEqual([...expected].sort());
      expect(ends[0]!.nameCount(kind)).toBe(expected.size);
    }
    const patterns = ends[0]!.patterns();
    const total = patterns.reduce((sum, each) => sum + each.total, 0);
    expect(total).toBe(held.filter((each) => each.kind === Kind.Pattern).length);
    for (const { thread, id } of held) ends[thread]!.remove(id);
    checkRegistry(shape);
    expect(checkSlab(new Slab(0, shape.records)).usedBytes).toBe(0);
    expect(ends[0]!.nameCount(Kind.Channel)).toBe(0);
  });

  it('says when it has no memory left, and goes on', () => {
    const shape = createRegistry(1, 1024 * 1024);
    const registry = new Registry(shape, 0);
    const ids: RecordId[] = [];
    for (;;) {
      const name = bytesOf(`${ids.length}`.padEnd(2000, 'x'));
      const id = registry.add(Kind.Channel, name, 0, name.length);
      if (id === 0) break;
      ids.push(id);
    }
    expect(ids.length).toBeGreaterThan(100);
    checkRegistry(shape);
    for (const id of ids) registry.remove(id);
    checkRegistry(shape);
    expect(registry.add(Kind.Channel, bytesOf('a'), 0, 1)).not.toBe(0);
  });

  it('takes a version for every change, also where 32 bits end', () => {
    const shape = createRegistry(1, RECORD_BYTES);
    // The version stands behind the lock: as after four billion changes.
    new Int32Array(shape.words)[16] = -2;
    const registry = new Registry(shape, 0);
    const first = registry.add(Kind.Channel, bytesOf('a'), 0, 1);
    const { version } = registry;
    registry.look(Kind.Channel, bytesOf('a'), 0, 1);
    expect(registry.version).toBe(version);
    expect(version).toBe(2 ** 32);
    registry.remove(first);
    expect(registry.readVersion()).toBe(2 ** 32 + 2);
  });
});
