// A partition against Maps: every door, all databases, strings of every encoding, and upkeep
// between.

import { describe, expect, it } from 'vitest';
import { copyEntry, copyReserve, renameEntry, renameReserve } from '../../src/keyspace/copy.js';
import { freeDetachedStep } from '../../src/keyspace/detached.js';
import {
  checkEntry,
  type EntryRef,
  expiryOf,
  hasExpiry,
  hashOfEntry,
  Type,
} from '../../src/keyspace/entry.js';
import { checkExpiry } from '../../src/keyspace/expire.js';
import { flushDatabase, flushPartition, swapDatabases } from '../../src/keyspace/flush.js';
import { eachEntry } from '../../src/keyspace/scan.js';
import {
  Edited,
  editReserve,
  editString,
  putString,
  readString,
  StringBytes,
  stringReserve,
} from '../../src/keyspace/strings.js';
import { upkeepStep } from '../../src/keyspace/upkeep.js';
import { checkSlab } from '../../src/slab/check.js';
import { Header, NONE, usedBytesOf } from '../../src/slab/slab.js';
import { checkTable, TableRoot } from '../../src/structs/table.js';
import { KeyModel } from '../support/key-model.js';
import { randomTest } from '../support/random-test.js';
import type { Random } from '../support/seed.js';

const DATABASES = 3;
const LONG_KEY = 'k'.repeat(1023);

interface Kept {
  value: string;
  /** -1 for none. */
  expiry: number;
}

class Model extends KeyModel {
  readonly random: Random;
  readonly databases: Map<string, Kept>[] = Array.from({ length: DATABASES }, () => new Map());
  private readonly bytes = new StringBytes();
  private readonly edited = new Edited();

  constructor(random: Random) {
    super(16 * 1024 * 1024, DATABASES);
    this.random = random;
    this.keyspace.nowMs = 1_700_000_000_000;
  }

  key(): string {
    const { random } = this;
    if (random.chance(0.02)) return LONG_KEY + random.below(3);
    return `key:${random.below(random.chance(0.5) ? 10 : 300)}`;
  }

  value(): string {
    const { random } = this;
    const sort = random.below(10);
    if (sort < 3) return String(random.below(100_000) - 50_000);
    if (sort < 8) return random.bytes(random.below(80));
    return 'v'.repeat(random.pick([4000, 4096, 4097, 9000, 30_000]) + random.below(10));
  }

  map(): Map<string, Kept> {
    return this.databases[this.partition.database]!;
  }

  /** The model forgets what the clock took; the partition finds out by itself. */
  live(key: string): Kept | undefined {
    const kept = this.map().get(key);
    if (kept === undefined || kept.expiry === -1 || kept.expiry > this.keyspace.nowMs) return kept;
    this.map().delete(key);
    return undefined;
  }

  text(entry: EntryRef): string {
    const { bytes } = this;
    readString(this.partition.slab, entry, bytes);
    const { start, length } = bytes;
    return Buffer.from(bytes.u8.slice(start, start + length)).toString('latin1');
  }

  get(key: string): void {
    const entry = this.partition.find(this.place(key), 0, Type.String);
    const kept = this.live(key);
    expect(entry !== NONE).toBe(kept !== undefined);
    if (kept === undefined) return;
    checkEntry(this.partition.slab, entry);
    expect(this.text(entry)).toBe(kept.value);
    expect(expiryOf(this.partition.slab, entry)).toBe(kept.expiry);
  }

  set(key: string): void {
    const { partition, random } = this;
    const args = this.place(key, this.value());
    const keepsExpiry = random.chance(0.5);
    const entry = partition.edit(args, 0, Type.Any);
    partition.reserve(stringReserve(args.lengthOf(0), args.lengthOf(1)));
    putString(partition, args, 0, entry, args.u8, args.startOf(1), args.lengthOf(1), keepsExpiry);
    const expiry = keepsExpiry ? (this.live(key)?.expiry ?? -1) : -1;
    this.map().set(key, { value: args.text(1), expiry });
  }

  append(key: string): void {
    const { partition, edited } = this;
    const args = this.place(key, this.value().slice(0, 5000));
    const entry = partition.edit(args, 0, Type.String);
    const before = this.live(key)?.value ?? '';
    const length = before.length + args.lengthOf(1);
    if (length === 0) return;
    partition.reserve(editReserve(args.lengthOf(0), length));
    editString(partition, args, 0, entry, length, edited);
    const start = edited.start + before.length;
    partition.slab.u8.set(args.copy(1), start);
    this.map().set(key, { value: before + args.text(1), expiry: this.live(key)?.expiry ?? -1 });
  }

  expire(key: string): void {
    const { partition, random } = this;
    const args = this.place(key);
    const entry = partition.edit(args, 0, Type.Any);
    const kept = this.live(key);
    expect(entry !== NONE).toBe(kept !== undefined);
    if (kept === undefined) return;
    partition.reserve(args.lengthOf(0) + 8192);
    if (random.chance(0.3)) {
      partition.dropExpiry(entry, args.hashes[0]!);
      kept.expiry = -1;
      return;
    }
    kept.expiry = this.keyspace.nowMs + 1 + random.below(random.pick([100, 10_000, 1e9]));
    const high = Math.floor(kept.expiry / 2 ** 32);
    partition.setExpiry(entry, args.hashes[0]!, kept.expiry | 0, high);
  }

  remove(key: string): void {
    const args = this.place(key);
    const entry = this.partition.peek(args, 0);
    expect(entry !== NONE).toBe(this.live(key) !== undefined);
    if (entry !== NONE) this.partition.remove(args, 0, entry);
    this.map().delete(key);
  }

  move(key: string): void {
    const { partition } = this;
    const from = partition.database;
    const to = (from + 1) % DATABASES;
    const args = this.place(key);
    const entry = partition.edit(args, 0, Type.Any);
    const kept = this.live(key);
    if (entry === NONE) return;
    partition.select(to);
    const isTaken = partition.peek(args, 0) !== NONE;
    expect(isTaken).toBe(this.live(key) !== undefined);
    partition.select(from);
    if (isTaken) return;
    partition.reserve(0);
    partition.moveTo(args, 0, entry, to);
    this.databases[from]!.delete(key);
    this.databases[to]!.set(key, kept!);
  }

  renameOrCopy(from: string, to: string): void {
    const { partition } = this;
    const { slab } = partition;
    const args = this.place(from, to);
    const entry = partition.edit(args, 0, Type.Any);
    const kept = this.live(from);
    if (entry === NONE || from === to) return;
    const isCopy = this.random.chance(0.5);
    const replaced = partition.peek(args, 1);
    this.live(to);
    if (isCopy) partition.reserve(copyReserve(slab, entry, to.length));
    else partition.reserve(renameReserve(partition, entry, partition, to.length));
    if (replaced !== NONE) partition.remove(args, 1, replaced);
    if (isCopy) copyEntry(slab, entry, partition, args, 1);
    else renameEntry(partition, entry, partition, args, 0, 1);
    this.map().set(to, { ...kept! });
    if (!isCopy) this.map().delete(from);
  }

  flush(): void {
    const { partition, random } = this;
    const database = random.below(DATABASES);
    flushDatabase(partition, database, random.chance(0.7));
    this.databases[database]!.clear();
  }

  swap(): void {
    const [first, second] = [this.random.below(DATABASES), this.random.below(DATABASES)];
    swapDatabases(this.partition, first, second);
    const kept = this.databases[first]!;
    this.databases[first] = this.databases[second]!;
    this.databases[second] = kept;
  }

  upkeep(): void {
    const { nowMs } = this.keyspace;
    const give = this.random.chance(0.5)
      ? (offset: number, bytes: number) =>
          void this.partition.slab.u8.fill(0, offset, offset + bytes)
      : null;
    const { database } = this.partition;
    upkeepStep(this.partition, { expires: this.random.chance(0.5), nowMs, give });
    this.partition.select(database);
  }

  check(): void {
    const { partition } = this;
    const { slab } = partition;
    for (let database = 0; database < DATABASES; database++) {
      partition.select(database);
      const count = checkTable(slab, partition.tableRoot, hashOfEntry);
      let volatile = 0;
      let expired = 0;
      eachEntry(partition, (_slab, ref) => {
        if (hasExpiry(slab, ref as EntryRef)) volatile++;
        if (partition.isExpired(ref as EntryRef)) expired++;
      });
      expect(checkExpiry(slab, partition.expiryRoot)).toBe(volatile);
      for (const key of [...this.map().keys()]) this.live(key);
      expect(count - expired).toBe(this.map().size);
    }
    checkSlab(slab);
  }
}

describe('a partition', () => {
  randomTest('keeps what it was given, in every database', 6, (random) => {
    const model = new Model(random);
    for (let step = 0; step < 4000; step++) {
      model.partition.select(random.below(DATABASES));
      const key = model.key();
      const choice = random.below(24);
      if (choice < 7) model.set(key);
      else if (choice < 9) model.append(key);
      else if (choice < 12) model.expire(key);
      else if (choice < 14) model.remove(key);
      else if (choice < 16) model.move(key);
      else if (choice < 19) model.renameOrCopy(key, model.key());
      else if (choice < 22) model.upkeep();
      else if (choice === 22) model.keyspace.nowMs += random.below(200);
      else if (random.chance(0.1)) model.flush();
      else if (random.chance(0.2)) model.swap();
      model.get(model.key());
      if (step % 100 === 0) model.check();
    }
    model.check();
    for (let database = 0; database < DATABASES; database++) {
      model.partition.select(database);
      for (const key of [...model.map().keys()]) model.get(key);
      for (const key of [...model.map().keys()]) model.remove(key);
    }
    const { nowMs } = model.keyspace;
    const step = { expires: true, nowMs: nowMs + 1e10, give: () => {} };
    model.keyspace.nowMs = step.nowMs;
    for (let round = 0; round < 200; round++) upkeepStep(model.partition, step);
    expect(usedBytesOf(model.partition.slab)).toBe(0);
  });

  it('refuses to reserve what it does not have, and can change what is there', () => {
    const model = new KeyModel(2 ** 20, 1);
    const { partition } = model;
    let count = 0;
    const put = (): void => {
      const args = model.place(`key:${count}`, 'v'.repeat(100));
      partition.reserve(stringReserve(args.lengthOf(0), args.lengthOf(1)));
      const { u8 } = args;
      putString(partition, args, 0, NONE as EntryRef, u8, args.startOf(1), args.lengthOf(1), false);
      count++;
    };
    expect(() => {
      while (true) put();
    }).toThrow();
    expect(count).toBeGreaterThan(1000);
    for (let index = 0; index < count; index++) {
      const args = model.place(`key:${index}`);
      partition.remove(args, 0, partition.peek(args, 0));
    }
    // The emptied table is scattered over the slab until the owner shrinks it.
    while (!upkeepStep(partition, { expires: true, nowMs: 0, give: null }));
    partition.select(0);
    put();
  });
});

describe('flushing', () => {
  function filled(keys: number): Model {
    const model = new Model(null as unknown as Random);
    for (let database = 0; database < 2; database++) {
      model.partition.select(database);
      for (let index = 0; index < keys; index++) {
        const args = model.place(`key:${index}`, 'x'.repeat(index % 50 === 0 ? 9000 : 20));
        const { partition } = model;
        partition.reserve(10_000);
        const entry = putString(
          partition,
          args,
          0,
          NONE as EntryRef,
          args.u8,
          args.startOf(1),
          args.lengthOf(1),
          false,
        );
        if (index % 3 === 0) partition.setExpiry(entry, args.hashes[0]!, index, 1000);
      }
    }
    return model;
  }

  it('everything resets the slab', () => {
    const { partition } = filled(1000);
    const { slab } = partition;
    flushDatabase(partition, 1, true);
    flushPartition(partition);
    expect(checkSlab(partition.slab)).toMatchObject({ usedBytes: 0, usedPages: 0 });
    expect(partition.countOf(0) + partition.countOf(1) + slab.i32[Header.LazyPending]!).toBe(0);
  });

  it('one database frees its entries and no others', () => {
    const { partition } = filled(1000);
    const half = usedBytesOf(partition.slab) / 2;
    flushDatabase(partition, 0, false);
    expect(partition.countOf(0)).toBe(0);
    expect(partition.countOf(1)).toBe(1000);
    expect(Math.abs(usedBytesOf(partition.slab) - half)).toBeLessThan(half / 10);
    flushDatabase(partition, 1, false);
    expect(usedBytesOf(partition.slab)).toBe(0);
  });

  it('asynchronously frees in bounded steps', () => {
    const { partition } = filled(3000);
    const { slab } = partition;
    const before = usedBytesOf(slab);
    flushDatabase(partition, 0, true);
    flushDatabase(partition, 0, true);
    expect(partition.countOf(0)).toBe(0);
    expect(slab.i32[Header.LazyPending]!).toBe(3000);
    expect(usedBytesOf(slab)).toBeGreaterThanOrEqual(before);
    let left = 3000;
    let steps = 0;
    while (!freeDetachedStep(slab, 100)) {
      expect(left - slab.i32[Header.LazyPending]!).toBeLessThan(600);
      left = slab.i32[Header.LazyPending]!;
      steps++;
    }
    expect(steps).toBeGreaterThan(5);
    expect(slab.i32[Header.LazyFreed]).toBe(3000);
    expect(slab.i32[Header.Detached]).toBe(NONE);
    expect(partition.countOf(1)).toBe(1000 * 3);
    checkSlab(slab);
  });

  it('tells whoever listens to keys', () => {
    const model = filled(10);
    const { partition, keyspace } = model;
    partition.slab.i32[Header.Listeners] = 1;
    const heard: string[] = [];
    const hear = (_partition: unknown, u8: Uint8Array, start: number, length: number) => {
      const key = Buffer.from(u8.slice(start, start + length)).toString();
      heard.push(`${partition.database}/${key}`);
    };
    keyspace.sinks.changed = hear;
    keyspace.sinks.swapped = hear;
    keyspace.sinks.swapping = (_partition, first, second) => heard.push(`${first}/${second}`);
    swapDatabases(partition, 1, 2);
    expect(heard.shift()).toBe('1/2');
    expect(new Set(heard)).toEqual(
      new Set([1, 2].flatMap((at) => Array.from({ length: 10 }, (_, key) => `${at}/key:${key}`))),
    );
    heard.length = 0;
    flushDatabase(partition, 2, true);
    expect(heard.length).toBe(10);
    flushPartition(partition);
    expect(heard.length).toBe(20);
  });
});

describe('upkeep', () => {
  it('shrinks a table that lost most of its keys, step by step', () => {
    const model = new Model(null as unknown as Random);
    const { partition } = model;
    const count = 60_000;
    for (let index = 0; index < count; index++) {
      const args = model.place(`key:${index}`, '1');
      partition.reserve(100);
      putString(partition, args, 0, NONE as EntryRef, args.u8, args.startOf(1), 1, false);
    }
    const step = { expires: true, nowMs: 0, give: null };
    while (!upkeepStep(partition, step));
    partition.select(0);
    const depth = partition.slab.i32[partition.tableRoot + TableRoot.Depth]!;
    for (let index = 100; index < count; index++) {
      const args = model.place(`key:${index}`);
      partition.remove(args, 0, partition.peek(args, 0));
    }
    for (let round = 0; round < 5000; round++) upkeepStep(partition, step);
    partition.select(0);
    checkTable(partition.slab, partition.tableRoot, hashOfEntry);
    expect(depth).toBeGreaterThan(7);
    expect(partition.slab.i32[partition.tableRoot + TableRoot.Depth]).toBe(0);
    expect(usedBytesOf(partition.slab)).toBeLessThan(100 * 32 + 3000);
  });

  it('gives pages back when many are free', () => {
    const model = new KeyModel(32 * 1024 * 1024, 1);
    model.empty(model.fill());
    const { slab } = model.partition;
    let given = 0;
    const step = {
      expires: true,
      nowMs: 0,
      give: (_at: number, bytes: number) => void (given += bytes),
    };
    while (!upkeepStep(model.partition, step));
    expect(given).toBeGreaterThan(28 * 1024 * 1024);
    expect(checkSlab(slab).dirtyPages).toBeLessThanOrEqual(256);
  });
});
