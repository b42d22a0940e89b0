// Snapshots against a copy: random commands of all types between the cut and the end of a walk,
// one step here, one step there, on one thread. What the walk and the writers' images give must be
// what was there at the cut, every key exactly once.

import { describe, expect } from 'vitest';
import { allCommands } from '../../src/commands/index.js';
import type { Config } from '../../src/config/config.js';
import { type EntryRef, keyBytesOf, keyStartOf } from '../../src/keyspace/entry.js';
import { flushDatabase, flushPartition } from '../../src/keyspace/flush.js';
import type { Partition } from '../../src/keyspace/partition.js';
import { eachEntry } from '../../src/keyspace/scan.js';
import { isWalked, walkSnapshot } from '../../src/keyspace/snapshot.js';
import { cutKeyspace } from '../../src/keyspace/snapshot-cut.js';
import { upkeepStep } from '../../src/keyspace/upkeep.js';
import { writeRecord } from '../../src/rdb/file-write.js';
import { ByteSink } from '../../src/rdb/sink.js';
import { allocate, type BlockRef, release } from '../../src/slab/alloc.js';
import { holderOf } from '../../src/slab/lock.js';
import { Header, NONE, type Slab } from '../../src/slab/slab.js';
import {
  bucketAtPosition,
  eachInBucket,
  epochOf,
  nextPosition,
  SCAN_END,
} from '../../src/structs/table.js';
import { ALL_GROUPS, makeSteps } from '../oracle/grammar.js';
import { checkKeyspace } from '../support/check-keyspace.js';
import { Engine } from '../support/engine.js';
import { randomTest } from '../support/random-test.js';
import type { Random } from '../support/seed.js';
import { FOREIGN_COMMANDS, SNAPSHOT_FORM } from '../support/snapshot-form.js';

const DATABASES = 16;

/** By database and key, the record as it would stand in a file. */
type Records = Map<string, string>;

const sink = new ByteSink();

function recordOf(slab: Slab, entry: EntryRef): string {
  sink.reset();
  writeRecord(sink, slab, entry, SNAPSHOT_FORM);
  return Buffer.from(sink.u8.subarray(0, sink.at)).toString('latin1');
}

function nameOf(slab: Slab, entry: EntryRef, database: number): string {
  const start = keyStartOf(slab, entry);
  const key = slab.u8.slice(start, start + keyBytesOf(slab, entry));
  return `${database}/${Buffer.from(key).toString('latin1')}`;
}

class Trial {
  readonly engine = new Engine({
    specs: allCommands,
    partitions: 2,
    databases: DATABASES,
    // lazyfree-lazy-user-flush is what FLUSHALL asks for.
    server: { config: { flag: () => false } as unknown as Config },
  });
  readonly random: Random;
  private readonly steps: readonly (readonly string[])[];
  private nextStep = 0;
  /** What the walk and the images gave since the cut. */
  private taken: Records = new Map();
  imageCount = 0;

  constructor(random: Random, stepCount: number) {
    this.random = random;
    this.steps = makeSteps(random, stepCount, ALL_GROUPS)
      .flat()
      .filter((words) => !FOREIGN_COMMANDS.has(words[0]!.toUpperCase()));
    this.engine.keyspace.sinks.saveFirst = (partition, bucket) => {
      this.imageCount++;
      this.take(partition.slab, bucket, partition.databaseAtCut);
    };
  }

  get partitions(): readonly Partition[] {
    return this.engine.keyspace.partitions;
  }

  private take(slab: Slab, bucket: number, database: number): void {
    expect(database).toBeGreaterThanOrEqual(0);
    eachInBucket(slab, bucket, (_slab, ref) => {
      const name = nameOf(slab, ref as EntryRef, database);
      expect(this.taken.has(name), `${name} is there once`).toBe(false);
      this.taken.set(name, recordOf(slab, ref as EntryRef));
    });
  }

  /** Everything that is there now. */
  copy(): Records {
    const records: Records = new Map();
    for (const partition of this.partitions) {
      for (let database = 0; database < DATABASES; database++) {
        partition.select(database);
        eachEntry(partition, (slab, ref) => {
          records.set(nameOf(slab, ref as EntryRef, database), recordOf(slab, ref as EntryRef));
        });
      }
    }
    return records;
  }

  /** One command, or what goes on beside commands. */
  write(): void {
    const { random, engine } = this;
    const sort = random.below(100);
    if (sort < 50) engine.run(...this.steps[this.nextStep++ % this.steps.length]!);
    else if (sort < 60) engine.run('SET', this.fillerKey(), random.bytes(random.below(60)));
    else if (sort < 68) this.fill(random.between(1, 60));
    else if (sort < 75) this.thin();
    else if (sort < 86) this.fields();
    else if (sort < 89) this.array();
    else if (sort < 95) this.upkeep();
    else if (sort < 99) engine.clock.wallMs += random.below(400);
    else this.empty();
  }

  private fillerKey(): string {
    return `filler:${this.random.below(4000)}`;
  }

  /** Enough keys for splits. */
  fill(count: number): void {
    for (let index = 0; index < count; index++) {
      const words = ['SET', this.fillerKey(), String(this.random.below(1000))];
      if (this.random.chance(0.1)) words.push('PX', String(1 + this.random.below(3000)));
      this.engine.run(...words);
    }
  }

  private thin(): void {
    for (let index = 0; index < 60; index++) this.engine.run('DEL', this.fillerKey());
  }

  private fields(): void {
    const { random, engine } = this;
    const key = `timed:${random.below(40)}`;
    const field = `f${random.below(30)}`;
    const sort = random.below(4);
    if (sort === 0) engine.run('HSET', key, field, random.bytes(random.below(90)));
    else if (sort === 1) {
      engine.run('HPEXPIRE', key, String(1 + random.below(300)), 'FIELDS', '1', field);
    } else if (sort === 2) engine.run('HGET', key, field);
    else engine.run('HDEL', key, field);
  }

  private array(): void {
    const { random, engine } = this;
    engine.run('ARSET', `array:${random.below(5)}`, String(random.below(3000)), random.bytes(9));
  }

  upkeep(): void {
    const { random, engine } = this;
    engine.runner.readClock();
    for (let step = 0; step < 20; step++) {
      const nowMs = engine.clock.wallMs;
      upkeepStep(random.pick(this.partitions), { expires: true, nowMs, give: null });
    }
  }

  private empty(): void {
    const { random, engine } = this;
    const sort = random.below(4);
    if (sort === 0) engine.run('FLUSHALL', random.pick(['SYNC', 'ASYNC']));
    else if (sort === 1) engine.run('FLUSHDB', random.pick(['SYNC', 'ASYNC']));
    else engine.run('SWAPDB', String(random.below(3)), String(random.below(3)));
  }

  /** A database is emptied when there is no memory to leave it to the walk. */
  flushInFullSlab(flushesAll: boolean): void {
    const before = this.copy();
    this.taken = new Map();
    cutKeyspace(this.engine.keyspace, holderOf(1), () => {});
    for (const partition of this.partitions) {
      walkSnapshot(partition, 3, (slab, bucket, database) => {
        this.take(slab, bucket, database);
        return true;
      });
      const blocks = fill(partition.slab);
      if (flushesAll) flushPartition(partition);
      else flushDatabase(partition, 0, true);
      for (const block of blocks) release(partition.slab, block);
    }
    for (const partition of this.partitions) {
      const rest = (slab: Slab, bucket: number, database: number) => {
        this.take(slab, bucket, database);
        return true;
      };
      expect(walkSnapshot(partition, Number.POSITIVE_INFINITY, rest)).toBe(true);
    }
    this.compare(before);
  }

  /** As snapshot, with `between` after each bucket of the walk instead of random commands. */
  snapshotWith(between: () => void): void {
    const before = this.copy();
    this.taken = new Map();
    cutKeyspace(this.engine.keyspace, holderOf(1), () => {});
    for (const partition of this.partitions) {
      const take = (slab: Slab, bucket: number, database: number) => {
        this.take(slab, bucket, database);
        return false;
      };
      while (!walkSnapshot(partition, 1, take)) between();
    }
    this.compare(before);
  }

  /** Cuts, and walks while commands run; what was there at the cut must come out. */
  snapshot(writesPerStep: number): void {
    const { random } = this;
    const before = this.copy();
    this.taken = new Map();
    const counts = cutKeyspace(this.engine.keyspace, holderOf(1), () => {});
    expect(counts.keys.reduce((sum, count) => sum + count, 0)).toBe(before.size);
    const unfinished = [...this.partitions];
    while (unfinished.length > 0) {
      for (let left = random.below(writesPerStep * 2 + 1); left > 0; left--) this.write();
      const partition = random.pick(unfinished);
      const isDone = walkSnapshot(partition, random.between(1, 12), (slab, bucket, database) => {
        this.take(slab, bucket, database);
        return random.chance(0.8);
      });
      if (isDone) unfinished.splice(unfinished.indexOf(partition), 1);
    }
    this.compare(before);
  }

  private compare(before: Records): void {
    for (const [name, record] of before) {
      expect(this.taken.get(name), `${name} is as it was at the cut`).toBe(record);
    }
    expect(this.taken.size).toBe(before.size);
    for (const { slab } of this.partitions) expect(isWalked(slab)).toBe(false);
    this.checkEpochs();
    checkKeyspace(this.engine.keyspace);
  }

  /** No bucket is older than the cut any more. */
  private checkEpochs(): void {
    for (const partition of this.partitions) {
      const { slab } = partition;
      for (let database = 0; database < DATABASES; database++) {
        partition.select(database);
        expect(partition.databaseAtCut).toBe(-1);
        const { tableRoot } = partition;
        for (let at = 0; at < SCAN_END; at = nextPosition(slab, tableRoot, at)) {
          const bucket = bucketAtPosition(slab, tableRoot, at);
          if (bucket === NONE) break;
          expect(epochOf(slab, bucket)).toBe(slab.i32[Header.Epoch]);
        }
      }
    }
  }
}

/** Takes all the memory that a small block could come from. */
function fill(slab: Slab): BlockRef[] {
  const blocks: BlockRef[] = [];
  for (const bytes of [65_536, 4096, 512, 128, 96, 80, 72, 64, 16]) {
    for (let ref = allocate(slab, bytes); ref !== NONE; ref = allocate(slab, bytes)) {
      blocks.push(ref);
    }
  }
  return blocks;
}

describe('a snapshot', () => {
  randomTest('keeps databases that are emptied where there is no memory left', 2, (random) => {
    for (const flushesAll of [false, true]) {
      const trial = new Trial(random, 200);
      trial.fill(800);
      for (let index = 0; index < 200; index++) trial.write();
      trial.engine.run('SELECT', '0');
      trial.fill(300);
      trial.flushInFullSlab(flushesAll);
      expect(trial.imageCount).toBeGreaterThan(0);
    }
  });

  randomTest('holds what was there at the cut, whatever is written meanwhile', 4, (random) => {
    const trial = new Trial(random, 4000);
    for (let round = 0; round < 3; round++) {
      trial.fill(2500);
      for (let index = 0; index < 1500; index++) trial.write();
      trial.snapshot(random.pick([1, 3, 10]));
    }
    expect(trial.imageCount).toBeGreaterThan(0);
  });

  randomTest('finds the keys of segments that are merged under it', 1, (random) => {
    const trial = new Trial(random, 1);
    for (let index = 0; index < 3000; index++) trial.engine.run('SET', `key:${index}`, 'x');
    // Upkeep notes how many keys there are, and sees later that most are gone.
    trial.upkeep();
    for (let index = 0; index < 2900; index++) trial.engine.run('DEL', `key:${index}`);
    trial.snapshotWith(() => trial.upkeep());
  });

  randomTest('has the fields that expired after the cut', 1, (random) => {
    const trial = new Trial(random, 1);
    for (let index = 0; index < 200; index++) {
      trial.engine.run('HSET', `key:${index}`, 'timed', 'x', 'kept', 'y');
      trial.engine.run('HPEXPIRE', `key:${index}`, '1000', 'FIELDS', '1', 'timed');
    }
    trial.snapshotWith(() => {
      trial.engine.clock.wallMs += 1000;
      trial.upkeep();
    });
    expect(trial.engine.run('HLEN', 'key:0')).toBe(':1\r\n');
  });

  randomTest('can follow another as often as epochs repeat', 1, (random) => {
    const trial = new Trial(random, 1000);
    trial.fill(500);
    for (let round = 0; round < 40; round++) {
      for (let index = 0; index < 30; index++) trial.write();
      trial.snapshot(1);
    }
  });
});
