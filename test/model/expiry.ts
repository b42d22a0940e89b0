// The expiry index's model: a Map of keys and when they go.

import { equal, ok } from 'node:assert/strict';
import { Encoding, EntryFlag, type EntryRef, Type } from '../../src/keyspace/entry.js';
import { checkExpiry } from '../../src/keyspace/expire.js';
import { expireStep } from '../../src/keyspace/upkeep.js';
import { KeyModel } from '../support/key-model.js';

export const TICK_MS = 64;
export const DAY_MS = 86_400_000;

/** Keys with expiries, and when the model says that they go. */
export class ExpiryModel extends KeyModel {
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
      ok(at !== undefined && at <= this.keyspace.nowMs, `${key} went early`);
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
    equal(checkExpiry(this.partition.slab, this.partition.expiryRoot), this.due.size);
  }
}
