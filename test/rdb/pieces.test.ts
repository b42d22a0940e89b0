// Large values in a snapshot, walked node by node while random commands change them, free them and
// move them about: the file must hold each as it was at the cut. All on one thread, step by step.

import { describe, expect, it } from 'vitest';
import { leftGranules } from '../../src/keyspace/detached.js';
import type { EntryRef } from '../../src/keyspace/entry.js';
import { eachEntry } from '../../src/keyspace/scan.js';
import { walkSnapshot } from '../../src/keyspace/snapshot.js';
import { cutKeyspace } from '../../src/keyspace/snapshot-cut.js';
import { upkeepStep } from '../../src/keyspace/upkeep.js';
import { walkWordOf } from '../../src/keyspace/values.js';
import { createSaving, Saving } from '../../src/mesh/saving.js';
import { RdbFileWriter, writeRecord } from '../../src/rdb/file-write.js';
import { createImageRings } from '../../src/rdb/image-rings.js';
import {
  ImageReader,
  type ImageTarget,
  ImageWriter,
  imagesInto,
  packForm,
} from '../../src/rdb/images.js';
import { PieceStore } from '../../src/rdb/piece-store.js';
import {
  beginPieces,
  FIRST_PIECE_ORDER,
  isInPieces,
  PieceWalk,
  writeFirstPiece,
  writePiece,
} from '../../src/rdb/pieces.js';
import { ByteSink } from '../../src/rdb/sink.js';
import { holderOf } from '../../src/slab/lock.js';
import { Header, NONE, type Slab } from '../../src/slab/slab.js';
import { eachInBucket } from '../../src/structs/table.js';
import { WalkKind, walkedNodes, walkKindOf } from '../../src/structs/walked.js';
import { checkKeyspace } from '../support/check-keyspace.js';
import type { Engine } from '../support/engine.js';
import { randomTest } from '../support/random-test.js';
import type { Random } from '../support/seed.js';
import { emptyEngine, loadFile } from './files.js';

const FORM = {
  compresses: true,
  checksums: true,
  isExact: true,
  nowMs: -1,
  recency: 'none' as const,
  recencyNow: 0,
};
const KEYS = ['large', 'second'];
const PARTITIONS = 2;

/** Bytes in an array, as a file would hold them. */
class MemorySpill {
  private readonly sink = new ByteSink();

  write(u8: Uint8Array, length: number): number {
    this.sink.bytes(u8, 0, length);
    return this.sink.at - length;
  }

  read(u8: Uint8Array, length: number, at: number): void {
    u8.set(this.sink.u8.subarray(at, at + length));
  }
}

/** A walk as the job makes it, but with commands between all of its steps. */
class Snapshot {
  readonly engine: Engine;
  private readonly random: Random;
  private readonly saving = new Saving(createSaving(2, 0));
  private readonly rings = createImageRings(2);
  private readonly reader = new ImageReader(this.rings);
  readonly spill = new MemorySpill();
  private readonly pieces: PieceStore;
  private readonly parts: Buffer[] = [];
  private head: Buffer | null = null;
  private readonly file: RdbFileWriter;
  private readonly target: ImageTarget;
  private readonly sink = new ByteSink();
  nodeImages = 0;
  values = 0;

  constructor(engine: Engine, random: Random, memoryBytes: number) {
    this.engine = engine;
    this.random = random;
    this.pieces = new PieceStore(this.spill, memoryBytes);
    const copy = (u8: Uint8Array, length: number) => Buffer.from(u8.slice(0, length));
    const output = {
      write: (u8: Uint8Array, length: number) => void this.parts.push(copy(u8, length)),
      rewrite: (u8: Uint8Array, length: number) => {
        this.head = copy(u8, length);
      },
    };
    this.file = new RdbFileWriter(output, FORM);
    this.target = imagesInto(this.file, () => [0, 0], this.pieces);
    // Two threads take turns: what one has handed over may arrive after what the other has.
    const writers = [0, 1].map(
      (thread) => new ImageWriter(this.rings, this.saving, thread, engine.clock),
    );
    engine.keyspace.sinks.saveFirst = ({ slab, databaseAtCut }, bucket) =>
      this.writerOf(writers).save(slab, bucket, databaseAtCut, 0, true);
    walkedNodes.save = (slab, walkAt, node, order) => {
      this.nodeImages++;
      this.writerOf(writers).saveNode(slab, walkAt, node, order);
    };
  }

  private writerOf(writers: readonly ImageWriter[]): ImageWriter {
    return writers[this.random.chance(0.5) ? 1 : 0]!;
  }

  /** The whole of it; `between` runs before each step. Returns the file. */
  take(between: () => void): Buffer {
    const { keyspace } = this.engine;
    this.file.begin([]);
    cutKeyspace(keyspace, holderOf(1), () => this.saving.beginWalk(packForm(FORM)));
    for (const partition of keyspace.partitions) {
      const step = (slab: Slab, bucket: number, database: number) => {
        eachInBucket(slab, bucket, (_slab, ref) => this.takeEntry(slab, ref as EntryRef, database));
        return false;
      };
      do {
        between();
        this.reader.drain(this.target);
      } while (!walkSnapshot(partition, 20, step));
    }
    this.reader.drain(this.target);
    for (let value = this.pieces.next(); value !== null; value = this.pieces.next()) {
      this.values++;
      this.takeValue(value.partition, value.walkAt, value.database, value.version, between);
    }
    expect(this.pieces.heldBytes).toBe(0);
    this.file.end();
    if (this.head !== null) this.parts.unshift(Buffer.alloc(0));
    const whole = Buffer.concat(this.parts);
    this.head?.copy(whole);
    return whole;
  }

  private takeEntry(slab: Slab, entry: EntryRef, database: number): void {
    this.sink.reset();
    if (isInPieces(slab, entry)) {
      const version = beginPieces(this.sink, slab, entry, FORM);
      const { u8, at } = this.sink;
      const walkAt = walkWordOf(slab, entry);
      const kind = walkKindOf(slab, walkAt);
      this.pieces.begin(slab.index, walkAt, kind, database, version, u8, 0, at);
      this.sink.reset();
      if (!writeFirstPiece(this.sink, slab, entry, FORM)) return;
      const { sink } = this;
      this.pieces.node(slab.index, walkAt, sink.u8, 0, sink.at, FIRST_PIECE_ORDER, true);
      return;
    }
    const version = writeRecord(this.sink, slab, entry, FORM);
    this.target.select(database);
    this.target.take(this.sink.u8, 0, this.sink.at, 1, version);
  }

  private takeValue(
    partition: number,
    walkAt: number,
    database: number,
    version: number,
    between: () => void,
  ): void {
    const { slab } = this.engine.keyspace.partitions[partition]!;
    this.target.select(database);
    const record = this.file.record(version);
    this.pieces.start({ partition, walkAt }, record);
    const walk = new PieceWalk(slab, walkAt);
    for (let isDone = false; !isDone; ) {
      between();
      this.sink.reset();
      const taken: number[] = [];
      const take = (_slab: Slab, _at: number, node: number, order: number) => {
        writePiece(this.sink, slab, walkAt, node, order, FORM.compresses);
        taken.push(order, this.sink.at);
      };
      isDone = walk.step(take, () => this.random.chance(0.3));
      if (isDone) walk.end();
      this.reader.drain(this.target);
      let start = 0;
      for (let index = 0; index < taken.length; index += 2) {
        const end = taken[index + 1]!;
        this.pieces.walked(taken[index]!, this.sink.u8, start, end - start);
        start = end;
      }
    }
    this.pieces.finish(true);
  }
}

type Run = (...words: string[]) => void;

interface Kind {
  readonly name: string;
  build(run: Run, key: string, random: Random): void;
  change(run: Run, key: string, random: Random): void;
}

const ELEMENTS = 1800;

function many(run: Run, words: readonly string[], count: number, next: (i: number) => string[]) {
  for (let index = 0; index < count; index += 500) {
    const rest = Array.from({ length: Math.min(500, count - index) }, (_, at) => next(index + at));
    run(...words, ...rest.flat());
  }
}

/** Some inside, some not. */
function member(random: Random): string {
  return `member:${random.below(ELEMENTS * 1.3)}`;
}

const kinds: readonly Kind[] = [
  {
    name: 'sets',
    build: (run, key) => many(run, ['SADD', key], ELEMENTS, (index) => [`member:${index}`]),
    change(run, key, random) {
      const sort = random.below(10);
      if (sort < 3) run('SADD', key, ...Array.from({ length: 20 }, () => member(random)));
      else if (sort < 6) run('SREM', key, ...Array.from({ length: 20 }, () => member(random)));
      else if (sort < 8) run('SPOP', key, String(random.below(60)));
      else if (sort < 9) run('SMOVE', key, 'other', member(random));
      else run('SPOP', key, String(ELEMENTS - 90));
    },
  },
  {
    name: 'hashes',
    build(run, key, random) {
      many(run, ['HSET', key], ELEMENTS, (index) => [`member:${index}`, random.bytes(index % 30)]);
    },
    change(run, key, random) {
      const sort = random.below(10);
      if (sort < 4) run('HSET', key, member(random), random.bytes(random.below(40)));
      else if (sort < 5) run('HINCRBY', key, member(random), String(random.below(100)));
      else if (sort < 8) run('HDEL', key, ...Array.from({ length: 30 }, () => member(random)));
      else {
        const time = String(random.between(1, 50));
        run('HPEXPIRE', key, time, 'FIELDS', '2', member(random), member(random));
      }
    },
  },
  {
    name: 'hashes with times',
    build(run, key, random) {
      kinds[1]!.build(run, key, random);
      for (let index = 0; index < ELEMENTS; index += 2) {
        const time = String(random.between(20, 2 ** 36));
        run('HPEXPIRE', key, time, 'FIELDS', '1', `member:${index}`);
      }
    },
    change(run, key, random) {
      if (random.chance(0.3)) run('HPERSIST', key, 'FIELDS', '1', member(random));
      else kinds[1]!.change(run, key, random);
    },
  },
  {
    name: 'sorted sets',
    build(run, key, random) {
      many(run, ['ZADD', key], ELEMENTS, (index) => [
        String(random.below(1000) / 7),
        `member:${index}`,
      ]);
    },
    change(run, key, random) {
      const sort = random.below(12);
      const score = () => String(random.below(1000) / 7);
      if (sort < 4) run('ZINCRBY', key, score(), member(random));
      else if (sort < 7) run('ZADD', key, score(), member(random), score(), member(random));
      else if (sort < 9) run('ZREM', key, ...Array.from({ length: 30 }, () => member(random)));
      else if (sort < 10) run('ZPOPMIN', key, String(random.below(200)));
      else if (sort < 11) run('ZREMRANGEBYSCORE', key, score(), score());
      else run('ZPOPMAX', key, '90');
    },
  },
  {
    name: 'lists',
    build(run, key, random) {
      many(run, ['RPUSH', key], 3 * ELEMENTS, (index) => [`${index}:${random.bytes(index % 40)}`]);
      // A node of its own, longer than what is there in one piece anywhere.
      run('LSET', key, String(random.below(3 * ELEMENTS)), random.bytes(100_000));
    },
    change(run, key, random) {
      const sort = random.below(24);
      const index = String(random.below(3 * ELEMENTS));
      if (sort < 5) run('LPUSH', key, ...Array.from({ length: 50 }, () => random.bytes(30)));
      else if (sort < 10) run('RPUSH', key, ...Array.from({ length: 50 }, () => random.bytes(30)));
      else if (sort < 14) run('LPOP', key, String(random.below(300)));
      else if (sort < 18) run('RPOP', key, String(random.below(300)));
      else if (sort < 19) run('LSET', key, index, random.bytes(random.below(9000)));
      else if (sort < 20) run('LSET', key, String(random.below(200)), 'near');
      else if (sort < 21) run('LINSERT', key, 'BEFORE', 'near', random.bytes(random.below(9000)));
      else if (sort < 22) run('LREM', key, '-1', 'near');
      else if (sort < 23) run('LTRIM', key, String(random.below(900)), '-100');
      else run('LMOVE', key, key, random.pick(['LEFT', 'RIGHT']), random.pick(['LEFT', 'RIGHT']));
    },
  },
  {
    name: 'streams',
    build(run, key, random) {
      for (let index = 0; index < 2 * ELEMENTS; index++) {
        const own = random.chance(0.05) ? ['other', random.bytes(30)] : [];
        run('XADD', key, `${1 + (index >> 3)}-${(index & 7) + 1}`, 'field', `${index}`, ...own);
      }
      for (const group of GROUPS) {
        run('XGROUP', 'CREATE', key, group, '0');
        for (const consumer of CONSUMERS) {
          const count = String(ELEMENTS / 3);
          run('XREADGROUP', 'GROUP', group, consumer, 'COUNT', count, 'STREAMS', key, '>');
        }
      }
      run('XGROUP', 'CREATE', key, 'idle', '$');
      run('XGROUP', 'CREATE', key, 'single', '0');
      run('XREADGROUP', 'GROUP', 'single', 'alice', 'COUNT', String(ELEMENTS), 'STREAMS', key, '>');
    },
    change(run, key, random) {
      const sort = random.below(41);
      const group = random.pick(GROUPS);
      const consumer = random.pick(CONSUMERS);
      const ids = (count: number) => Array.from({ length: count }, () => entryId(random));
      if (sort < 8) run('XADD', key, '*', 'field', random.bytes(random.below(200)));
      else if (sort < 16) run('XACK', key, group, ...ids(40));
      else if (sort < 20) run('XDEL', key, ...ids(10));
      else if (sort < 24) {
        run('XREADGROUP', 'GROUP', group, consumer, 'COUNT', '7', 'STREAMS', key, '>');
      } else if (sort < 28) run('XCLAIM', key, group, consumer, '0', ...ids(9), 'FORCE');
      else if (sort < 31) run('XAUTOCLAIM', key, group, consumer, '0', entryId(random));
      else if (sort < 34) run('XTRIM', key, 'MINID', random.pick(['=', '~']), entryId(random));
      else if (sort < 36) run('XGROUP', 'SETID', key, group, entryId(random));
      else if (sort < 37) run('XGROUP', 'DELCONSUMER', key, group, consumer);
      else if (sort < 38) run('XGROUP', 'DESTROY', key, group);
      else if (sort < 39) run('XGROUP', 'CREATE', key, group, '0');
      else if (sort < 40) run('XGROUP', 'DELCONSUMER', key, 'single', 'alice');
      else run('XTRIM', key, 'MAXLEN', String(random.below(3 * ELEMENTS)));
    },
  },
  {
    name: 'arrays',
    build(run, key, random) {
      for (let index = 0; index < 4 * ELEMENTS; index += 100) {
        const values = Array.from({ length: 100 }, (_, at) => `${index + at}`);
        run('ARSET', key, String(index), ...values);
      }
      for (let index = 0; index < ELEMENTS / 2; index++) {
        run('ARSET', key, position(random), random.bytes(random.below(60)));
      }
    },
    change(run, key, random) {
      const sort = random.below(12);
      if (sort < 5) run('ARSET', key, position(random), random.bytes(random.below(60)));
      else if (sort < 7) run('ARDEL', key, position(random), position(random), position(random));
      else if (sort < 9) {
        const from = random.below(4 * ELEMENTS);
        run('ARDELRANGE', key, String(from), String(from + random.below(300)));
      } else if (sort < 11) run('ARINSERT', key, 'inserted', random.bytes(9));
      else run('ARRING', key, String(ELEMENTS), 'ring');
    },
  },
  {
    name: 'strings',
    build(run, key, random) {
      run('SET', key, random.bytes(1000).repeat(key === 'large' ? 600 : 1500));
    },
    change(run, key, random) {
      const sort = random.below(10);
      const at = random.below(STRING_BYTES);
      if (sort < 4) run('SETRANGE', key, String(at), random.bytes(random.below(3000)));
      else if (sort < 6) run('APPEND', key, random.bytes(random.below(90_000)));
      else if (sort < 8) run('SETBIT', key, String(at * 8), '1');
      else if (sort < 9) run('BITFIELD', key, 'SET', 'u8', String(at * 8), '7');
      else run('SETRANGE', key, String(at + 1_000_000), 'far');
    },
  },
];

const STRING_BYTES = 580_000;

const GROUPS = ['first', 'second'];
const CONSUMERS = ['alice', 'bob', 'carol'];

function entryId(random: Random): string {
  return `${1 + random.below(ELEMENTS / 4)}-${1 + random.below(8)}`;
}

/** Near the beginning, near those that lie far away, or in between. */
function position(random: Random): string {
  const far = BigInt(random.below(2 ** 31)) << 32n;
  return random.chance(0.5) ? String(random.below(5 * ELEMENTS)) : String(far);
}

/** What happens to the whole value. */
function strike(run: Run, key: string, random: Random): void {
  const sort = random.below(14);
  if (sort < 3) run(random.pick(['DEL', 'UNLINK']), key);
  else if (sort < 4) run('SET', key, 'x');
  else if (sort < 6) run('RENAME', key, random.pick(['moved', '{large}moved', ...KEYS]));
  else if (sort < 7) run('COPY', key, 'copied', 'REPLACE');
  else if (sort < 8) run('PEXPIRE', key, '1');
  else if (sort < 9) run('MOVE', key, '3');
  else if (sort < 10) run('SWAPDB', '0', '3');
  else if (sort < 11) run('FLUSHALL', random.pick(['SYNC', 'ASYNC']));
  else if (sort < 12) run('FLUSHDB', random.pick(['SYNC', 'ASYNC']));
  else if (sort < 13) run('SDIFFSTORE', key, key);
  else run('RESTORE', key, '0', 'nonsense', 'REPLACE');
}

function upkeep(engine: Engine): void {
  engine.runner.readClock();
  for (const partition of engine.keyspace.partitions) {
    for (let step = 0; step < 50; step++) {
      upkeepStep(partition, { expires: true, nowMs: engine.clock.wallMs, give: null });
    }
  }
}

/** Nothing is left of walks, and all memory comes back. */
function checkAfter(engine: Engine): void {
  checkKeyspace(engine.keyspace);
  for (const { slab } of engine.keyspace.partitions) {
    expect(slab.i32[Header.WalkedValues]).toBe(0);
    expect(slab.i32[Header.LeftValues]).toBe(NONE);
    expect(leftGranules(slab)).toBe(0);
  }
  for (let database = 0; database < engine.keyspace.databaseCount; database++) {
    engine.run('SELECT', String(database));
    const keys: string[] = [];
    for (const partition of engine.keyspace.partitions) {
      partition.select(database);
      eachEntry(partition, () => void keys.push('x'));
    }
    if (keys.length > 0) engine.run('DEL', ...KEYS, 'moved', '{large}moved', 'copied', 'other');
  }
  for (let round = 0; round < 20; round++) upkeep(engine);
  for (const { slab } of engine.keyspace.partitions) {
    checkKeyspace(engine.keyspace);
    expect(slab.i32[Header.UsedGranules]! * 8).toBeLessThan(64 * 1024);
  }
}

describe('large values in a snapshot', () => {
  for (const { name, build, change } of kinds) {
    randomTest(`${name} are as they were at the cut, whatever changes meanwhile`, 2, (random) => {
      const engine = emptyEngine(PARTITIONS);
      const run: Run = (...words) => void engine.run(...words);
      for (const strikes of [false, true]) {
        run('FLUSHALL');
        run('SELECT', '0');
        for (const key of KEYS) build(run, key, random);
        if (random.chance(0.5)) run('PEXPIRE', 'second', '1000000');
        const before = engine.digest();
        const snapshot = new Snapshot(engine, random, random.pick([0, 2 ** 20]));

        const file = snapshot.take(() => {
          for (let left = random.below(4); left > 0; left--) change(run, random.pick(KEYS), random);
          if (strikes && random.chance(0.03)) strike(run, random.pick(KEYS), random);
          if (strikes && random.chance(0.05)) build(run, random.pick(KEYS), random);
          if (random.chance(0.1)) engine.clock.wallMs += random.below(20);
          if (random.chance(0.2)) upkeep(engine);
        });

        const loaded = emptyEngine(PARTITIONS);
        loadFile(loaded, file, { expired: 'keep' });
        expect(loaded.digest()).toBe(before);
        expect(snapshot.values).toBe(2);
        expect(snapshot.nodeImages).toBeGreaterThan(0);
        checkKeyspace(engine.keyspace);
      }
      checkAfter(engine);
    });
  }

  it('are those of few but long elements, too', () => {
    const engine = emptyEngine(1);
    const fields = Array.from({ length: 30 }, (_, index) => [`${index}`, 'x'.repeat(10_000)]);
    engine.run('HSET', 'large', ...fields.flat());
    engine.run('RPUSH', 'list', ...fields.flat());
    engine.run('HSET', 'small', ...fields.slice(0, 20).flat());
    const before = engine.digest();
    randomless((random) => {
      const snapshot = new Snapshot(engine, random, 0);
      const file = snapshot.take(() => {
        engine.run('HSET', 'large', '1', 'other', '2', 'other');
        engine.run('LSET', 'list', '7', 'other');
      });
      expect(snapshot.values).toBe(2);
      const loaded = emptyEngine(1);
      loadFile(loaded, file, { expired: 'keep' });
      expect(loaded.digest()).toBe(before);
    });
  });

  it('have nodes too many for the memory: those of all values wait on the disk', () => {
    const spilled = new MemorySpill();
    const limit = 64 * 1024;
    const store = new PieceStore(spilled, limit);
    const node = Buffer.alloc(1000, 'x');
    for (let round = 0; round < 20; round++) {
      for (let value = 0; value < 50; value++) {
        store.node(0, value, node, 0, node.length, 0, true);
        expect(store.heldBytes).toBeLessThanOrEqual(2 * limit);
      }
    }
    for (let value = 0; value < 50; value++) store.begin(0, value, WalkKind.Set, 0, 10, node, 0, 7);
    for (let next = store.next(); next !== null; next = store.next()) {
      const sink = new ByteSink();
      store.start(next, sink);
      store.finish(true);
      expect(sink.at).toBe(7 + 20 * node.length);
    }
    expect(store.heldBytes).toBe(0);
  });

  it.each(kinds)('that are $name take about as much as is known while they are left', (kind) => {
    const engine = emptyEngine(1);
    const run: Run = (...words) => void engine.run(...words);
    const { slab } = engine.keyspace.partitions[0]!;
    randomless((random) => {
      const bytes = Object.assign(random, { bytes: (length: number) => 'x'.repeat(length) });
      const numbers = Object.assign(bytes, { below: () => 1, between: () => 2 ** 36 });
      kind.build(run, 'large', numbers);
      const before = slab.i32[Header.UsedGranules]!;
      let left = 0;
      new Snapshot(engine, random, 0).take(() => {
        run('GETSET', 'nothing', 'x');
        run('EXPIRE', 'large', '1000');
        run('DEL', 'large');
        left = Math.max(left, leftGranules(slab));
      });
      expect(left).toBeGreaterThan(before * 0.8);
      expect(left).toBeLessThan(before * 1.2);
      expect(leftGranules(slab)).toBe(0);
    });
  });

  it('are walked again by the next snapshot, and the one after that', () => {
    const engine = emptyEngine(PARTITIONS);
    const run: Run = (...words) => void engine.run(...words);
    many(run, ['SADD', 'large'], ELEMENTS, (index) => [`member:${index}`]);
    let written = 0;
    randomless((random) => {
      for (let round = 0; round < 5; round++) {
        const before = engine.digest();
        const file = new Snapshot(engine, random, 0).take(() => {
          run('SADD', 'large', `new:${written++}`);
          run('SREM', 'large', `member:${written}`);
        });
        const loaded = emptyEngine(PARTITIONS);
        loadFile(loaded, file, { expired: 'keep' });
        expect(loaded.digest()).toBe(before);
        checkKeyspace(engine.keyspace);
      }
    });
  });
});

/** The order of the steps does not matter here. */
function randomless(run: (random: Random) => void): void {
  run({ chance: () => true } as unknown as Random);
}
