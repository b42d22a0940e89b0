// Moving blocks together: contents before and after every few steps are compared as the records of
// a file, with random commands of all types in between; and of each form of value so much is left
// in pages as its blocks need, after most of it was deleted.

import { describe, expect, it } from 'vitest';
import { allCommands } from '../../src/commands/index.js';
import type { Config } from '../../src/config/config.js';
import { Defrag, defragCounts, Moved } from '../../src/keyspace/defrag.js';
import {
  Encoding,
  type EntryRef,
  encodingOf,
  keyBytesOf,
  keyStartOf,
  payloadLow,
  Type,
  typeOf,
} from '../../src/keyspace/entry.js';
import type { Partition } from '../../src/keyspace/partition.js';
import { eachEntry } from '../../src/keyspace/scan.js';
import { isHeld, walkSnapshot } from '../../src/keyspace/snapshot.js';
import { cutKeyspace } from '../../src/keyspace/snapshot-cut.js';
import { upkeepStep } from '../../src/keyspace/upkeep.js';
import { writeRecord } from '../../src/rdb/file-write.js';
import { ByteSink } from '../../src/rdb/sink.js';
import { PAGE_BYTES } from '../../src/slab/alloc.js';
import { checkSlab } from '../../src/slab/check.js';
import { holderOf } from '../../src/slab/lock.js';
import { Header, type Slab, usedBytesOf } from '../../src/slab/slab.js';
import { checkHashExpiries, unscheduleHash } from '../../src/types/hash/expiries.js';
import { ALL_GROUPS, makeSteps } from '../oracle/grammar.js';
import { checkKeyspace } from '../support/check-keyspace.js';
import { Engine } from '../support/engine.js';
import { randomTest } from '../support/random-test.js';
import { Random } from '../support/seed.js';
import { FOREIGN_COMMANDS, SNAPSHOT_FORM } from '../support/snapshot-form.js';

const DATABASES = 3;
/** What a span of each size, and the room that is kept in it, may leave unused. */
const SPANS_BYTES = 256 * 1024;
const WASTE = 1.08;
/** A page that can be won is worth a walk. */
const EAGER = 31;

const sink = new ByteSink();

function recordOf(slab: Slab, entry: EntryRef): string {
  sink.reset();
  writeRecord(sink, slab, entry, SNAPSHOT_FORM);
  return Buffer.from(sink.u8.subarray(0, sink.at)).toString('latin1');
}

type Words = readonly (string | number | Buffer)[];

class Trial {
  readonly engine: Engine;
  readonly random: Random;
  readonly walks: Defrag[];

  constructor(random: Random, partitions: number, partitionBytes = 32 * 2 ** 20) {
    this.random = random;
    this.engine = new Engine({
      specs: allCommands,
      partitions,
      partitionBytes,
      databases: DATABASES,
      // lazyfree-lazy-user-flush is what FLUSHALL asks for.
      server: { config: { flag: () => false } as unknown as Config },
    });
    this.walks = this.partitions.map(() => new Defrag(EAGER));
  }

  get partitions(): readonly Partition[] {
    return this.engine.keyspace.partitions;
  }

  run(...words: Words): string {
    return this.engine.run(...words.map((word) => (typeof word === 'number' ? `${word}` : word)));
  }

  copy(): Map<string, string> {
    const records = new Map<string, string>();
    for (const partition of this.partitions) {
      for (let database = 0; database < DATABASES; database++) {
        partition.select(database);
        eachEntry(partition, (slab, ref) => {
          const entry = ref as EntryRef;
          const start = keyStartOf(slab, entry);
          const key = slab.u8.slice(start, start + keyBytesOf(slab, entry));
          const name = `${database}/${Buffer.from(key).toString('latin1')}`;
          records.set(name, recordOf(slab, entry));
        });
      }
    }
    return records;
  }

  /** A step in each partition. */
  step(units: number, scanFields: number): void {
    this.partitions.forEach((partition, index) => {
      this.walks[index]!.step(partition, units, scanFields);
    });
  }

  /**
   * Whole walks through each partition, until one has moved nothing. An eager one may go on for
   * ever, because it estimates what it can win: enough is when several have won no page.
   */
  finish(units = 300, scanFields = 100): void {
    this.partitions.forEach((partition, index) => {
      const walk = this.walks[index]!;
      let futile = 0;
      for (let hits = -1; hits !== defragCounts.hits && futile < FUTILE_WALKS; ) {
        hits = defragCounts.hits;
        const pages = pagesOf(partition);
        while (walk.step(partition, units, scanFields) === Moved.Some);
        futile = pagesOf(partition) < pages ? 0 : futile + 1;
      }
    });
  }

  upkeep(): void {
    this.engine.runner.readClock();
    const nowMs = this.engine.clock.wallMs;
    for (const partition of this.partitions) {
      for (let step = 0; step < 200; step++) {
        if (upkeepStep(partition, { expires: true, nowMs, give: null })) break;
      }
    }
  }

  compare(before: ReadonlyMap<string, string>): void {
    const after = this.copy();
    for (const [name, record] of before) expect(after.get(name), name).toBe(record);
    expect(after.size).toBe(before.size);
  }

  /** At the end: what the indexes refer to is what there is. */
  end(): void {
    this.check();
    for (const partition of this.partitions) {
      for (let database = 0; database < DATABASES; database++) {
        partition.select(database);
        eachEntry(partition, unschedule);
      }
    }
  }

  check(): void {
    checkKeyspace(this.engine.keyspace);
    for (const { slab } of this.partitions) checkHashExpiries(slab);
  }
}

/** Takes a hash out of the index of those with times, which asserts that it stands there. */
function unschedule(slab: Slab, ref: number): void {
  const entry = ref as EntryRef;
  const encoding = encodingOf(slab, entry);
  if (typeOf(slab, entry) !== Type.Hash) return;
  if (encoding === Encoding.Table || encoding === Encoding.PackedTimed) {
    unscheduleHash(slab, payloadLow(slab, entry));
  }
}

interface Form {
  readonly name: string;
  readonly count: number;
  /** Makes one, and takes most of it away again where it is one large value. */
  fill(trial: Trial, index: number): void;
  thin?(trial: Trial): void;
}

function text(random: Random, least: number, most: number): string {
  return 'x'.repeat(random.between(least, most));
}

const NINE_IN_TEN = 0.9;
const FUTILE_WALKS = 10;

/** Calls for each of `count`, but for one in ten. */
function mostOf({ random }: Trial, count: number, run: (index: number) => void): void {
  for (let index = 0; index < count; index++) if (random.chance(NINE_IN_TEN)) run(index);
}

const FORMS: readonly Form[] = [
  {
    name: 'strings in their entries',
    count: 20_000,
    fill: (trial, at) => trial.run('SET', `k${at}`, text(trial.random, 0, 90)),
  },
  {
    name: 'volatile keys',
    count: 20_000,
    fill: (trial, at) => trial.run('SET', `k${at}`, at, 'PX', 10_000_000 + at * 40_000),
  },
  {
    name: 'strings of their own',
    count: 1500,
    fill: (trial, at) => {
      trial.run('SET', `k${at}`, text(trial.random, 4097, 7000));
    },
  },
  {
    name: 'small hashes, changed',
    count: 4000,
    fill: (trial, at) => {
      trial.run('HSET', `k${at}`, 'a', text(trial.random, 1, 60));
      trial.run('HSET', `k${at}`, 'b', text(trial.random, 1, 60), 'c', 5);
    },
  },
  {
    name: 'small hashes with times',
    count: 4000,
    fill: (trial, at) => {
      trial.run('HSET', `k${at}`, 'a', text(trial.random, 1, 60), 'b', 1);
      trial.run('HPEXPIRE', `k${at}`, trial.random.between(1e6, 1e8), 'FIELDS', 1, 'b');
    },
  },
  {
    name: 'hashes with times that are tables',
    count: 3000,
    fill: (trial, at) => {
      trial.run('HSET', `k${at}`, 'a', text(trial.random, 65, 90), 'b', 1);
      trial.run('HPEXPIRE', `k${at}`, trial.random.between(1e6, 1e8), 'FIELDS', 1, 'b');
    },
  },
  {
    name: 'small lists, sets and sorted sets',
    count: 6000,
    fill: (trial, at) => {
      const kind = at % 4;
      if (kind === 0) trial.run('RPUSH', `k${at}`, text(trial.random, 1, 60), 'x');
      else if (kind === 1) trial.run('SADD', `k${at}`, text(trial.random, 1, 60), 'x');
      else if (kind === 2) trial.run('SADD', `k${at}`, 1, 2, trial.random.below(1e9));
      else trial.run('ZADD', `k${at}`, 1.5, text(trial.random, 1, 60), 2, 'x');
    },
  },
  {
    name: 'the fields of a large hash',
    count: 15_000,
    fill: (trial, at) => trial.run('HSET', 'k', `field:${at}`, text(trial.random, 1, 80)),
    thin: (trial) => mostOf(trial, 15_000, (at) => trial.run('HDEL', 'k', `field:${at}`)),
  },
  {
    name: 'the fields with times of a large hash',
    count: 12_000,
    fill: (trial, at) => {
      trial.run('HSET', 'k', `field:${at}`, at);
      trial.run('HPEXPIRE', 'k', trial.random.between(1e6, 1e8), 'FIELDS', 1, `field:${at}`);
    },
    thin: (trial) => mostOf(trial, 12_000, (at) => trial.run('HDEL', 'k', `field:${at}`)),
  },
  {
    name: 'the members of a large set',
    count: 15_000,
    fill: (trial, at) => trial.run('SADD', 'k', `${at}:${text(trial.random, 1, 60)}`),
    thin: (trial) => {
      const members = [...trial.copy().keys()].length;
      expect(members).toBe(1);
      trial.run('SPOP', 'k', 13_500);
    },
  },
  {
    name: 'the members of a large sorted set',
    count: 15_000,
    fill: (trial, at) => trial.run('ZADD', 'k', trial.random.below(1000), `member:${at}`),
    thin: (trial) => mostOf(trial, 15_000, (at) => trial.run('ZREM', 'k', `member:${at}`)),
  },
  {
    name: 'the nodes of long lists',
    count: 40_000,
    fill: (trial, at) => trial.run('RPUSH', `k${at % 20}`, text(trial.random, 20, 60)),
    thin: (trial) => {
      // Lists that grow beside each other and lose all but their beginnings.
      for (let list = 0; list < 20; list++) trial.run('LTRIM', `k${list}`, 0, 10 + 60 * list);
    },
  },
  {
    name: 'streams, their groups and their producers',
    count: 8000,
    fill: (trial, at) => {
      const key = `k${at % 16}`;
      if (at < 16) trial.run('XGROUP', 'CREATE', key, 'group', '0', 'MKSTREAM');
      trial.run(
        'XADD',
        key,
        'IDMP',
        `producer${at % 5}`,
        `iid${at}`,
        '*',
        'f',
        text(trial.random, 1, 40),
      );
      if (at % 3 === 0) {
        const consumer = `consumer${trial.random.below(9)}`;
        trial.run('XREADGROUP', 'GROUP', 'group', consumer, 'COUNT', '3', 'STREAMS', key, '>');
      }
    },
    thin: (trial) => {
      for (let stream = 0; stream < 14; stream++) trial.run('DEL', `k${stream}`);
    },
  },
  {
    name: 'arrays',
    count: 20_000,
    fill: (trial, at) => {
      trial.run('ARSET', `k${at % 7}`, trial.random.below(300_000), text(trial.random, 5, 60));
    },
    thin: (trial) => {
      for (let key = 0; key < 7; key++) {
        for (let at = 0; at < 300_000; at += 5000) {
          trial.run('ARDELRANGE', `k${key}`, at, at + 4500);
        }
      }
    },
  },
];

function pagesOf({ slab }: Partition): number {
  return slab.i32[Header.UsedPages]!;
}

describe('moving blocks together', () => {
  for (const form of FORMS) {
    it(`leaves ${form.name} in the pages that they need`, () => {
      const random = new Random(7);
      const trial = new Trial(random, 1);
      const partition = trial.partitions[0]!;
      for (let index = 0; index < form.count; index++) form.fill(trial, index);
      if (form.thin !== undefined) form.thin(trial);
      else mostOf(trial, form.count, (index) => trial.run('DEL', `k${index}`));
      trial.upkeep();
      const before = trial.copy();
      expect(before.size).toBeGreaterThan(0);
      const pagesBefore = pagesOf(partition);
      trial.finish();
      const used = usedBytesOf(partition.slab);
      expect(pagesOf(partition) * PAGE_BYTES).toBeLessThan(used * WASTE + SPANS_BYTES);
      expect(pagesOf(partition)).toBeLessThan(pagesBefore);
      trial.compare(before);
      trial.end();
    });
  }

  randomTest('changes nothing, whatever commands come in between', 1, (random) => {
    const trial = new Trial(random, 2);
    const steps = makeSteps(random, 3000, ALL_GROUPS)
      .flat()
      .filter((words) => !FOREIGN_COMMANDS.has(words[0]!.toUpperCase()));
    let next = 0;
    const { hits } = defragCounts;
    for (let round = 0; round < 24; round++) {
      for (let count = random.below(120); count > 0; count--) {
        trial.engine.run(...steps[next++ % steps.length]!);
      }
      for (const form of FORMS) {
        for (let count = random.below(60); count > 0; count--) {
          form.fill(trial, random.below(4000));
        }
      }
      // As a connection of its own: the grammar selects databases.
      trial.run('SELECT', random.below(DATABASES));
      for (let count = random.below(600); count > 0; count--) {
        trial.run('DEL', `k${random.below(4000)}`);
        trial.run('ZREM', 'k', `member:${random.below(4000)}`);
        trial.run('HDEL', 'k', `field:${random.below(4000)}`);
      }
      if (random.chance(0.1)) trial.upkeep();
      const before = trial.copy();
      for (let count = random.below(12); count > 0; count--) {
        trial.step(random.between(1, 400), random.pick([1, 20, 1000]));
      }
      trial.compare(before);
      if (round % 6 === 0) trial.check();
    }
    trial.finish();
    trial.end();
    expect(defragCounts.hits).toBeGreaterThan(hits);
  });

  randomTest('leaves a partition to the snapshot that walks it', 1, (random) => {
    const trial = new Trial(random, 2);
    for (let index = 0; index < 6000; index++) {
      trial.run('SET', `k${index}`, text(random, 0, 90));
    }
    mostOf(trial, 6000, (index) => trial.run('DEL', `k${index}`));
    trial.step(200, 100);
    const before = trial.copy();
    const taken = new Map<string, number>();
    cutKeyspace(trial.engine.keyspace, holderOf(1), () => {});
    trial.partitions.forEach((partition, index) => {
      let isDone = false;
      while (!isDone) {
        const { hits } = defragCounts;
        const isFirst = index === 0;
        expect(trial.walks[index]!.step(partition, 300, 100)).toBe(Moved.Held);
        expect(defragCounts.hits).toBe(hits);
        // What the walk has left is free to move.
        if (!isFirst) expect(trial.walks[0]!.step(trial.partitions[0]!, 300, 100)).not.toBe(2);
        isDone = walkSnapshot(partition, 3, (slab, bucket) => {
          taken.set(`${slab.index}/${bucket}`, bucket);
          return true;
        });
      }
      expect(isHeld(partition.slab)).toBe(false);
    });
    trial.finish();
    trial.compare(before);
    trial.check();
  });

  it('lets spans take blocks again when it is given up', () => {
    const trial = new Trial(new Random(3), 1);
    const { slab } = trial.partitions[0]!;
    for (let index = 0; index < 6000; index++) trial.run('SET', `k${index}`, 'some value');
    mostOf(trial, 6000, (index) => trial.run('DEL', `k${index}`));
    trial.step(1, 100);
    trial.step(300, 100);
    expect(slab.i32[Header.EmptiedSpans]).not.toBe(0);
    checkSlab(slab);
    while (!trial.walks[0]!.stop(trial.partitions[0]!, 2));
    expect(slab.i32[Header.EmptiedSpans]).toBe(0);
    expect(trial.walks[0]!.isOn).toBe(false);
    checkSlab(slab);
  });
});
