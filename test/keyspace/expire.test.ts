// The expiry index against a Map of times: nobody goes early, nobody stays long, no step does too much.

import { describe, expect, it } from 'vitest';
import { Encoding, EntryFlag, type EntryRef, Type } from '../../src/keyspace/entry.js';
import { checkExpiry } from '../../src/keyspace/expire.js';
import { expireStep } from '../../src/keyspace/upkeep.js';
import { checkSlab } from '../../src/slab/check.js';
import { usedBytesOf } from '../../src/slab/slab.js';
import { KeyModel } from '../support/key-model.js';
import { randomTest } from '../support/model.js';

const TICK_MS = 64;
const DAY_MS = 86_400_000;

/** Keys with expiries, and when the model says that they go. */
class Clockwork extends KeyModel {
  readonly due = new Map<string, number>();
  readonly gone: string[] = [];
  /** When each key got its time: what is overdue already goes with the next tick. */
  readonly placedMs = new Map<string, number>();

  constructor(slabBytes: number) {
    super(slabBytes, 1);
    this.keyspace.nowMs = 1_700_000_000_000;
    this.keyspace.sinks.expired = (_partition, _database, u8, start, length) => {
      const key = Buffer.from(u8.slice(start, start + length)).toString('latin1');
      const at = this.due.get(key);
      expect(at).toBeLessThanOrEqual(this.keyspace.nowMs);
      this.due.delete(key);
      this.gone.push(key);
    };
  }

  get nowMs(): number {
    return this.keyspace.nowMs;
  }

  set(key: string, atMs: number): void {
    const { partition } = this;
    const args = this.place(key);
    const low = atMs | 0;
    const high = Math.floor(atMs / 2 ** 32);
    // A door of its own would remove what has expired; here the index alone shall do it.
    this.keyspace.expiresByClock = false;
    const entry = partition.peek(args, 0);
    this.keyspace.expiresByClock = true;
    partition.reserve(1000);
    if (entry === 0) {
      const flags = EntryFlag.HasExpiry;
      const created = partition.create(args, 0, Type.String, Encoding.Embedded, 0, flags);
      partition.startExpiry(created, low, high);
    } else {
      partition.setExpiry(entry, args.hashes[0]!, low, high);
    }
    this.due.set(key, atMs);
    this.placedMs.set(key, this.nowMs);
  }

  remove(key: string): void {
    if (!this.due.delete(key)) return;
    const args = this.place(key);
    this.keyspace.expiresByClock = false;
    const entry: EntryRef = this.partition.peek(args, 0);
    this.keyspace.expiresByClock = true;
    this.partition.remove(args, 0, entry);
  }

  /** Runs the index to the present, in steps of `budget`; returns how many it took. */
  catchUp(budget: number): number {
    let steps = 1;
    while (!expireStep(this.partition, this.nowMs, budget)) steps++;
    const present = Math.floor(this.nowMs / TICK_MS) * TICK_MS;
    for (const [key, at] of this.due) {
      const latest = Math.max(at, this.placedMs.get(key)! + TICK_MS);
      if (latest < present) throw new Error(`${key} should have gone at ${at}, now ${this.nowMs}`);
    }
    return steps;
  }

  check(): void {
    this.partition.select(0);
    expect(checkExpiry(this.partition.slab, this.partition.expiryRoot)).toBe(this.due.size);
  }
}

describe('the expiry index', () => {
  randomTest('lets go of every key in its time', 8, (random) => {
    const clock = new Clockwork(16 * 1024 * 1024);
    const spans = [0, 10, TICK_MS, 5000, 300_000, 20 * DAY_MS, 4000 * DAY_MS, 400_000 * DAY_MS];
    for (let step = 0; step < 6000; step++) {
      const key = `key:${random.below(400)}`;
      const choice = random.below(20);
      if (choice < 11) clock.set(key, clock.nowMs - 100 + random.below(1 + random.pick(spans)));
      else if (choice < 14) clock.remove(key);
      else if (choice < 18) expireStep(clock.partition, clock.nowMs, 1 + random.below(20));
      else clock.keyspace.nowMs += random.below(1 + random.pick(spans.slice(0, 6)) / 10);
      if (step % 50 === 0) clock.check();
      if (random.chance(0.01)) clock.catchUp(1 + random.below(100));
    }
    clock.catchUp(1000);
    clock.check();
    for (const key of [...clock.due.keys()]) clock.remove(key);
    clock.check();
  });

  randomTest('does not mind a clock that is set back', 4, (random) => {
    const clock = new Clockwork(8 * 1024 * 1024);
    for (let step = 0; step < 2000; step++) {
      clock.set(`key:${random.below(200)}`, clock.nowMs + random.below(100_000));
      if (random.chance(0.1)) clock.keyspace.nowMs += random.below(60_000) - 28_000;
      expireStep(clock.partition, clock.nowMs, 1 + random.below(50));
      if (step % 20 === 0) clock.check();
    }
    clock.keyspace.nowMs += 500_000;
    clock.catchUp(100);
    expect(clock.due.size).toBe(0);
  });

  it('empties a second full of keys in small steps', () => {
    const clock = new Clockwork(64 * 1024 * 1024);
    const count = 50_000;
    for (let index = 0; index < count; index++) {
      clock.set(`key:${index}`, clock.nowMs + 60_000 + (index % 1000));
    }
    clock.keyspace.nowMs += 62_000;
    const budget = 100;
    let before = 0;
    for (let isDone = false; !isDone; ) {
      isDone = expireStep(clock.partition, clock.nowMs, budget);
      expect(clock.gone.length - before).toBeLessThanOrEqual(budget);
      before = clock.gone.length;
    }
    expect(clock.gone.length).toBe(count);
    clock.check();
  });

  it('lets a key of this moment be found expired by whoever asks first', () => {
    const clock = new Clockwork(2 ** 21);
    clock.set('key', clock.nowMs + 10);
    expect(clock.partition.peek(clock.place('key'), 0)).not.toBe(0);
    clock.keyspace.nowMs += 10;
    expect(clock.partition.peek(clock.place('key'), 0)).toBe(0);
    expect(clock.gone).toEqual(['key']);
    clock.check();
  });

  it('stalls without harm while there is no memory to sort keys anew', () => {
    const clock = new Clockwork(2 ** 20);
    for (let index = 0; index < 2000; index++) {
      clock.set(`key:${index}`, clock.nowMs + 1000 + index * 4096);
    }
    const { slab } = clock.partition;
    const filled = clock.fill();
    clock.keyspace.nowMs += 3_000_000;
    for (let step = 0; step < 100; step++) expireStep(clock.partition, clock.nowMs, 100);
    clock.check();
    checkSlab(slab);
    clock.empty(filled);
    clock.catchUp(100);
    clock.keyspace.nowMs += 10_000_000;
    clock.catchUp(100);
    expect(clock.due.size).toBe(0);
    expect(usedBytesOf(slab)).toBeGreaterThan(0);
  });
});
