// The job that writes a snapshot, in this process and on a disk in memory: what its file holds,
// what it leaves behind when the disk fails at any point, and images of any size.

import { describe, expect, it } from 'vitest';
import { CLOCK_DOUBLES } from '../../src/base/clock.js';
import { type JobShape, type SnapshotOrder, writeSnapshot } from '../../src/jobs/snapshot.js';
import { walkSnapshot } from '../../src/keyspace/snapshot.js';
import { cutKeyspace } from '../../src/keyspace/snapshot-cut.js';
import { createLogs } from '../../src/log/logs.js';
import { createSaving, Saving } from '../../src/mesh/saving.js';
import { RdbFileWriter } from '../../src/rdb/file-write.js';
import { createImageRings } from '../../src/rdb/image-rings.js';
import { ImageReader, ImageWriter, imagesInto, packForm } from '../../src/rdb/images.js';
import { PieceStore } from '../../src/rdb/piece-store.js';
import type { Spill } from '../../src/rdb/spill.js';
import { createFunctions, FunctionStore } from '../../src/scripting/function-store.js';
import { holderOf } from '../../src/slab/lock.js';
import { Header } from '../../src/slab/slab.js';
import { ServerStats } from '../../src/stats/server.js';
import { eachInBucket } from '../../src/structs/table.js';
import { emptyEngine, fillEngine, loadFile } from '../rdb/files.js';
import { checkKeyspace } from '../support/check-keyspace.js';
import { type Operation, SimulatedDisk } from '../support/disk.js';
import type { Engine } from '../support/engine.js';
import { randomTest } from '../support/random-test.js';

const NO_SPACE = 28;
const THREADS = 2;

/** For values of which none is large. */
const NO_SPILL: Spill = {
  write: () => expect.unreachable('nothing is so large'),
  read: () => expect.unreachable('nothing is so large'),
};

const form: SnapshotOrder['form'] = {
  compresses: true,
  checksums: true,
  isExact: false,
  nowMs: -1,
  recency: 'none',
  recencyNow: 0,
};

const order: SnapshotOrder = {
  directory: '/data',
  temporaryName: 'temp-1.rdb',
  name: 'dump.rdb',
  isBase: false,
  form,
  facts: [['redis-ver', '7.2.6']],
  syncBytes: 64 * 1024,
  keyDelayUs: 0,
};

function shapeOf(engine: Engine): JobShape {
  return {
    slabs: engine.slabs.map((slab) => slab.buffer),
    slabStarts: engine.slabs.map(() => 0),
    databaseCount: engine.keyspace.databaseCount,
    clock: new SharedArrayBuffer(CLOCK_DOUBLES * 8),
    serverStats: new SharedArrayBuffer(ServerStats.bytesFor(THREADS)),
    statThreads: THREADS,
    images: createImageRings(THREADS),
    saving: createSaving(THREADS, 0),
    logs: createLogs(THREADS),
    functions: createFunctions(1024),
    jobThread: THREADS,
  };
}

function freshDisk(): SimulatedDisk {
  const disk = new SimulatedDisk();
  disk.makeDirectory('/data');
  return disk;
}

function readAll(disk: SimulatedDisk, path: string): Uint8Array {
  const fd = disk.open(path, 0);
  const bytes = new Uint8Array(disk.sizeOf(fd));
  disk.readAt(fd, bytes, 0, bytes.length, 0);
  disk.close(fd);
  return bytes;
}

function loaded(bytes: Uint8Array): Engine {
  const engine = emptyEngine();
  loadFile(engine, bytes, { expired: 'keep' });
  return engine;
}

describe('the job that writes a snapshot', () => {
  randomTest('writes a file from which everything comes back', 1, (random) => {
    const engine = emptyEngine();
    fillEngine(engine, random, 200);
    const disk = freshDisk();

    const outcome = writeSnapshot(shapeOf(engine), order, disk);

    expect(outcome.failure).toBeNull();
    expect(disk.list('/data')).toEqual(['dump.rdb']);
    expect(loaded(readAll(disk, '/data/dump.rdb')).digest()).toBe(engine.digest());
    // The file and its name are on the disk, and not only on their way.
    expect(readAll(disk.crashed(null), '/data/dump.rdb').length).toBe(outcome.fileBytes);
  });

  const FAULTS: readonly [Operation, number][] = [
    ['open', 0],
    ['write', 0],
    ['write', 1],
    ['sync', 0],
    ['sync', 1],
    ['rename', 0],
  ];
  it.each(FAULTS)('keeps the file before when %s number %i fails', (operation, after) => {
    const engine = emptyEngine();
    for (let index = 0; index < 3000; index++) {
      engine.run('SET', `key:${index}`, `${Math.sin(index)}`.repeat(12));
    }
    const shape = shapeOf(engine);
    const disk = freshDisk();
    expect(writeSnapshot(shape, order, disk).failure).toBeNull();
    const before = readAll(disk, '/data/dump.rdb');
    engine.run('SET', 'later', 'x');

    disk.failNext(operation, NO_SPACE, { after });
    const outcome = writeSnapshot(shape, order, disk);

    expect(outcome.failure).toMatch(/temp-1\.rdb: No space left on device$/);
    expect(disk.list('/data')).toEqual(['dump.rdb']);
    expect(readAll(disk, '/data/dump.rdb')).toEqual(before);
    // The next one is as good as any.
    expect(writeSnapshot(shape, order, disk).failure).toBeNull();
    expect(loaded(readAll(disk, '/data/dump.rdb')).digest()).toBe(engine.digest());
    checkKeyspace(engine.keyspace);
  });

  it.each([0, 2])('leaves no walk behind when write %i of large values fails', (after) => {
    const engine = emptyEngine();
    const words = (count: number) => Array.from({ length: count }, (_, index) => `word:${index}`);
    engine.run('SADD', 'set', ...words(12_000));
    engine.run('HSET', 'hash', ...words(24_000));
    engine.run('RPUSH', 'list', ...words(24_000));
    engine.run('ZADD', 'sorted', ...words(12_000).flatMap((word, at) => [`${at}`, word]));
    const shape = shapeOf(engine);
    const disk = freshDisk();

    disk.failNext('write', NO_SPACE, { after });
    expect(writeSnapshot(shape, order, disk).failure).toMatch(/No space left on device$/);

    expect(disk.list('/data')).toEqual([]);
    for (const { i32 } of engine.slabs) expect(i32[Header.WalkedValues]).toBe(0);
    checkKeyspace(engine.keyspace);
    engine.run('SADD', 'set', 'more');
    engine.run('LPUSH', 'list', 'more');
    expect(writeSnapshot(shape, order, disk).failure).toBeNull();
    expect(loaded(readAll(disk, '/data/dump.rdb')).digest()).toBe(engine.digest());
  });

  it('has the libraries that were loaded between its order and its cut', () => {
    const engine = emptyEngine();
    engine.run('SET', 'key', 'value');
    const shape = shapeOf(engine);
    const library = Buffer.from('#!lua name=late\n');
    class LoadingDisk extends SimulatedDisk {
      override open(path: string, how: number): number {
        new FunctionStore(shape.functions).write([library]);
        return super.open(path, how);
      }
    }
    const disk = new LoadingDisk();
    disk.makeDirectory('/data');

    expect(writeSnapshot(shape, order, disk).failure).toBeNull();

    const load = loadFile(emptyEngine(), readAll(disk, '/data/dump.rdb'), { expired: 'keep' });
    expect(load.functions.map((code) => Buffer.from(code).toString())).toEqual([String(library)]);
  });

  it('says so when somebody has removed the file meanwhile, whatever it is called', () => {
    for (const temporaryName of [order.temporaryName, order.name]) {
      const disk = new SimulatedDisk();
      disk.makeDirectory('/data');
      const sync = disk.sync.bind(disk);
      disk.sync = (fd) => {
        disk.remove(`/data/${temporaryName}`);
        return sync(fd);
      };
      const { failure } = writeSnapshot(shapeOf(emptyEngine()), { ...order, temporaryName }, disk);
      expect(failure).toMatch(/No such file/);
    }
  });

  it('says so when the directory cannot be synced', () => {
    const engine = emptyEngine();
    const disk = freshDisk();
    disk.failNext('syncDirectory', NO_SPACE);
    expect(writeSnapshot(shapeOf(engine), order, disk).failure).toMatch(/^Syncing the directory/);
  });
});

describe('images', () => {
  it('carry values larger than a message, and as many as are made', () => {
    const engine = emptyEngine(1);
    const noise = (bytes: number) =>
      Buffer.from(Float64Array.from({ length: bytes / 8 }, Math.random).buffer);
    engine.run('SET', 'long', noise(24 * 1024));
    engine.run('SET', 'short', 'x');
    for (let index = 0; index < 300; index++) engine.run('HSET', 'hash', `${index}`, noise(800));
    for (let index = 0; index < 500; index++) engine.run('SET', `key:${index}`, `${index}`);
    const before = engine.digest();
    const { images, saving: shared } = shapeOf(engine);
    const saving = new Saving(shared);
    const writer = new ImageWriter(images, saving, 1, engine.clock);
    engine.keyspace.sinks.saveFirst = (partition, bucket) =>
      writer.save(partition.slab, bucket, partition.databaseAtCut, 0, false);
    const parts: Buffer[] = [];
    const file = new RdbFileWriter(
      { write: (u8, length) => void parts.push(Buffer.from(u8.slice(0, length))) },
      { ...form, version: 12 },
    );
    file.begin([]);
    cutKeyspace(engine.keyspace, holderOf(1), () => saving.beginWalk(packForm(form)));

    // Every key is changed before the walk gets anywhere.
    for (let round = 0; round < 2; round++) engine.run('APPEND', 'long', 'more');
    engine.run('DEL', 'short', 'hash');
    for (let index = 0; index < 500; index++) engine.run('INCR', `key:${index}`);
    new ImageReader(images).drain(imagesInto(file, () => [0, 0], new PieceStore(NO_SPILL)));
    const [partition] = engine.keyspace.partitions;
    walkSnapshot(partition!, Number.POSITIVE_INFINITY, (slab, bucket) => {
      eachInBucket(slab, bucket, () => expect.unreachable('every bucket was changed'));
      return true;
    });
    file.end();

    expect(loaded(Buffer.concat(parts)).digest()).toBe(before);
  });

  it('say by the clock how long a writer waited for room', () => {
    const engine = emptyEngine(1);
    const { images, saving: shared } = shapeOf(engine);
    const saving = new Saving(shared);
    const reader = new ImageReader(images);
    const target = { select() {}, take() {}, pieces: new PieceStore(NO_SPILL) };
    // Who looks at the time waits; meanwhile the walk takes out what is there.
    const times = [1000, 1250];
    const monotonicMs = () => {
      while (reader.drain(target));
      return times.shift()!;
    };
    const clock = { ...engine.clock, monotonicMs, wallAt: (ms: number) => ms, nowMs: () => 0 };
    const writer = new ImageWriter(images, saving, 1, clock);
    engine.keyspace.sinks.saveFirst = (partition, bucket) =>
      writer.save(partition.slab, bucket, partition.databaseAtCut, 0, false);
    for (let index = 0; index < 200; index++) engine.run('SET', `${index}`, 'x'.repeat(30_000));
    cutKeyspace(engine.keyspace, holderOf(1), () =>
      saving.beginWalk(packForm({ ...form, compresses: false })),
    );

    for (let index = 0; index < 200 && saving.waitCount === 0; index++) {
      engine.run('DEL', `${index}`);
    }

    expect(saving.waitCount).toBe(1);
    expect(saving.waitedMs).toBe(250);
  });
});
