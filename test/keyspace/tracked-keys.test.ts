// Tracked keys against a Map of Sets: who has read a key is found when it is taken out.

import { describe, expect, it } from 'vitest';
import { hashBytes } from '../../src/base/hash.js';
import { Keyspace, Lookup } from '../../src/keyspace/keyspace.js';
import type { Partition } from '../../src/keyspace/partition.js';
import { createTrackedKeys, TrackedKeys } from '../../src/keyspace/tracked-keys.js';
import { formatSlab } from '../../src/slab/alloc.js';
import { checkSlab } from '../../src/slab/check.js';
import { Header, Slab } from '../../src/slab/slab.js';
import { randomTest } from '../support/random-test.js';
import type { Random } from '../support/seed.js';

const MIB = 1024 * 1024;
const ID = 1000;

class Model {
  readonly partitions: readonly Partition[];
  readonly shape;
  readonly keys: TrackedKeys;
  readonly expected = new Map<string, Set<number>>();

  constructor(partitionCount: number, bytes = 64 * MIB) {
    const slabs = Array.from({ length: partitionCount }, (_, index) => {
      const slab = new Slab(index, new SharedArrayBuffer(MIB));
      formatSlab(slab, 1);
      return slab;
    });
    this.partitions = new Keyspace(slabs, 1, new Float64Array(Lookup.Words)).partitions;
    this.shape = createTrackedKeys(partitionCount, bytes);
    this.keys = new TrackedKeys(this.shape, 0);
  }

  private of(name: string): [Partition, number, Uint8Array] {
    const bytes = Buffer.from(name);
    const partition = this.partitions[(name.length * 7 + bytes.at(-1)!) % this.partitions.length]!;
    return [partition, hashBytes(bytes, 0, bytes.length), bytes];
  }

  remember(name: string, slot: number): boolean {
    const [partition, hash, bytes] = this.of(name);
    const isDone = this.keys.remember(partition, hash, bytes, 0, bytes.length, slot, ID + slot);
    if (!isDone) return false;
    this.expected.set(name, (this.expected.get(name) ?? new Set()).add(slot));
    return true;
  }

  takeOut(name: string): void {
    const [partition, hash, bytes] = this.of(name);
    const isFound = this.keys.takeOut(partition, hash, bytes, 0, bytes.length);
    const slots = this.expected.get(name);
    expect(isFound).toBe(slots !== undefined);
    if (slots === undefined) return;
    this.expected.delete(name);
    const { members, memberCount } = this.keys;
    const found = new Set<number>();
    for (let index = 0; index < memberCount; index++) {
      found.add(members[index * 2]!);
      expect(members[index * 2 + 1]).toBe(ID + members[index * 2]!);
    }
    expect(memberCount).toBe(slots.size);
    expect(found).toEqual(slots);
  }

  sweep(random: Random, isGone: (slot: number) => boolean): void {
    for (const partition of this.partitions) {
      let position = 0;
      do {
        position = this.keys.sweep(partition, position, 1 + random.below(50), isGone);
      } while (position !== 0);
    }
    for (const [name, slots] of this.expected) {
      for (const slot of slots) if (isGone(slot)) slots.delete(slot);
      if (slots.size === 0) this.expected.delete(name);
    }
  }

  check(): void {
    this.keys.check(this.partitions.length);
    expect(this.keys.keyCount).toBe(this.expected.size);
    const items = [...this.expected.values()].reduce((sum, slots) => sum + slots.size, 0);
    expect(this.keys.itemCount).toBe(items);
    for (const partition of this.partitions) {
      const isListening = this.keys.countOf(partition.index) > 0;
      expect(partition.slab.i32[Header.Listeners]).toBe(isListening ? 1 : 0);
    }
    for (const [index, buffer] of this.shape.stripes.entries()) checkSlab(new Slab(index, buffer));
  }
}

describe('tracked keys', () => {
  randomTest('tell who has read a key, each once', 5, (random) => {
    const model = new Model(random.pick([1, 3, 64, 100]));
    const [names, slots] = random.pick([
      [10, 3000],
      [2000, 4],
      [300, 60],
    ]);
    for (let phase = 0; phase < 4; phase++) {
      for (let step = 0; step < 3000; step++) {
        const name = `${'k'.repeat(1 + random.below(30))}${random.below(names)}`;
        if (random.chance(0.7)) model.remember(name, random.below(slots));
        else model.takeOut(name);
      }
      model.check();
      const odd = random.below(3);
      model.sweep(random, (slot) => slot % 3 === odd);
      model.check();
    }
    model.keys.clear(model.partitions);
    model.expected.clear();
    model.check();
    expect(model.keys.usedBytes).toBe(0);
  });

  it('say that there is no room, and stay whole', () => {
    const model = new Model(1, MIB);
    let name = 0;
    while (model.remember(`key:${name}`, 1)) name++;
    expect(name).toBeGreaterThan(1000);
    model.check();
    for (let taken = 0; taken < name; taken++) model.takeOut(`key:${taken}`);
    model.check();
  });

  it('one is drawn by chance while there are any', () => {
    const model = new Model(4);
    expect(model.keys.draw(() => 0)).toBe(-1);
    model.remember('only', 1);
    const index = model.keys.draw((below) => below - 1);
    expect(index).toBeGreaterThanOrEqual(0);
    expect(Buffer.from(model.keys.drawn.slice(0, model.keys.drawnBytes)).toString()).toBe('only');
  });
});
