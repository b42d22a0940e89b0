// Random commands on strings and their times, in process, against a Map. After each the answers are
// compared, now and then everything that is there and the structures below. A refusal changes
// nothing; what the records say gives the same keyspace when it is replayed.

import { equal, ok } from 'node:assert/strict';
import { setHashKey } from '../../src/base/hash.js';
import { Slices } from '../../src/base/slices.js';
import { connectionCommands } from '../../src/commands/connection.js';
import { genericCommands } from '../../src/commands/generic/index.js';
import { serverKeyspaceCommands } from '../../src/commands/server-keyspace.js';
import { stringCommands } from '../../src/commands/string/index.js';
import { Config } from '../../src/config/config.js';
import { hashOfEntry } from '../../src/keyspace/entry.js';
import { checkExpiry } from '../../src/keyspace/expire.js';
import { upkeepStep } from '../../src/keyspace/upkeep.js';
import { Parsed, Parser } from '../../src/resp/parse.js';
import { checkSlab } from '../../src/slab/check.js';
import { checkTable } from '../../src/structs/table.js';
import { KeyspaceModel } from '../model/keyspace.js';
import { Engine } from '../support/engine.js';
import { quoted } from '../support/resp.js';
import type { Random } from '../support/seed.js';
import type { FuzzTarget } from './target.js';

const SPECS = [
  ...stringCommands,
  ...genericCommands,
  ...serverKeyspaceCommands,
  ...connectionCommands,
];
const DATABASES = 3;
const PARTITION_BYTES = 4 * 1024 * 1024;
const CHECK_EVERY_STEPS = 100;
const KEYS = Array.from({ length: 24 }, (_, index) =>
  index % 5 === 0 ? `{tag}${index}` : `key:${index}`,
);
const LONG_KEY = 'k'.repeat(1500);
const LIMITS = { bulkBytesMax: 512 * 1024 * 1024 };

/** Always refused, whatever there is: `key` and `value` are drawn. */
const REFUSED: readonly (readonly string[])[] = [
  ['SET', 'key'],
  ['SET', 'key', 'value', 'NX', 'XX'],
  ['SET', 'key', 'value', 'PX', '0'],
  ['SET', 'key', 'value', 'PX', 'soon'],
  ['SET', 'key', 'value', 'PX', '9223372036854775807'],
  ['SET', 'key', 'value', 'BOGUS'],
  ['MSET', 'key', 'value', 'key'],
  ['MSETNX', 'key'],
  ['INCRBY', 'key', 'one'],
  ['INCRBYFLOAT', 'key', 'one'],
  ['SETRANGE', 'key', '-1', 'value'],
  ['SETRANGE', 'key', '536870912', 'x'],
  ['GETEX', 'key', 'BOGUS'],
  ['EXPIRE', 'key', 'soon'],
  ['EXPIRE', 'key', '10', 'NX', 'XX'],
  ['PEXPIRE', 'key', '9223372036854775807'],
  ['RENAME', 'nothing', 'key'],
  ['COPY', 'key', 'key2', 'DB', '99'],
  ['MOVE', 'key', '99'],
  ['SELECT', '99'],
  ['SWAPDB', '0', '99'],
  ['DEL'],
  ['BOGUS', 'key'],
];

export const target: FuzzTarget = {
  name: 'keyspace',
  about: 'random string commands against a Map; refusals change nothing; records replay',
  stepsPerRun: 3000,
  run({ seed, steps, random, note }) {
    const play = new Play(random);
    // The key of the hash is part of what a seed repeats.
    setHashKey([seed | 0, ~seed]);
    for (let step = 0; step < steps; step++) {
      if (random.chance(0.2)) play.wait(random.below(random.pick([5, 100, 3000])));
      const mustRefuse = random.chance(0.08);
      const words = mustRefuse ? play.drawRefused() : play.draw();
      note(`step ${step}: ${quoted(words.join(' ')).slice(0, 200)}`);
      play.step(words, mustRefuse);
      if (step % CHECK_EVERY_STEPS === 0) play.compareAll();
    }
    play.compareAll();
    play.compareReplay();
  },
};

class Play {
  private readonly random: Random;
  private readonly records: [database: number, bytes: Buffer][] = [];
  private readonly engine: Engine;
  private readonly model = new KeyspaceModel(DATABASES);

  constructor(random: Random) {
    this.random = random;
    const { records } = this;
    this.engine = start(random.pick([1, 2, 8]), {
      isOn: true,
      append: (database: number, u8: Uint8Array, at: number, length: number) =>
        void records.push([database, Buffer.from(u8.slice(at, at + length))]),
    });
    this.model.nowMs = this.engine.clock.wallMs;
  }

  /** Time goes on, and at times the owners of partitions look after them. */
  wait(ms: number): void {
    const { engine, model, random } = this;
    engine.clock.wallMs += ms;
    model.nowMs += ms;
    if (!random.chance(0.3)) return;
    engine.runner.readClock();
    for (const partition of engine.keyspace.partitions) {
      upkeepStep(partition, { expires: true, nowMs: model.nowMs, give: null });
    }
  }

  step(words: readonly string[], mustRefuse: boolean): void {
    const { engine, model } = this;
    const expected = mustRefuse ? undefined : model.run(words)!;
    const isRefused = expected === undefined || expected.startsWith('-');
    const before = isRefused ? this.digest() : '';
    if (words[0] === 'DBSIZE') this.removeExpired();
    const { changes } = engine.effects;
    const answer = engine.run(...words);
    if (expected !== undefined) equal(quoted(answer), quoted(expected));
    else ok(answer.startsWith('-'), `it should have been refused: ${quoted(answer)}`);
    if (!isRefused) return;
    equal(this.digest(), before, 'a refusal changes nothing');
    equal(engine.effects.changes, changes, 'a refusal counts as no change');
  }

  /** Whoever looks at an expired key removes it; until then digests and DBSIZE count it. */
  private removeExpired(): void {
    const { engine } = this;
    const { database } = engine.session;
    for (let index = 0; index < DATABASES; index++) {
      engine.session.database = index;
      engine.run('EXISTS', ...KEYS, LONG_KEY);
    }
    engine.session.database = database;
  }

  private digest(): string {
    this.removeExpired();
    return this.engine.digest();
  }

  compareAll(): void {
    const { engine, model } = this;
    model.expire();
    const { database } = model;
    this.removeExpired();
    for (let index = 0; index < DATABASES; index++) {
      model.database = index;
      engine.session.database = index;
      for (const words of [
        ['DBSIZE'],
        ...KEYS.flatMap((key) => [
          ['GET', key],
          ['PEXPIRETIME', key],
        ]),
      ]) {
        equal(
          quoted(engine.run(...words)),
          quoted(model.run(words)!),
          `${words.join(' ')} in ${index}`,
        );
      }
    }
    model.database = database;
    engine.session.database = database;
    checkStructures(engine);
  }

  /** The records, run one after the other, give the same keyspace. */
  compareReplay(): void {
    const replica = start(this.random.pick([1, 4]), { isOn: false, append() {} });
    replica.keyspace.expiresByClock = false;
    const args = new Slices();
    const parser = new Parser(args, LIMITS);
    for (const [database, bytes] of this.records) {
      replica.session.database = database;
      parser.feed(bytes, 0, bytes.length);
      while (parser.next() === Parsed.Command) {
        const words = Array.from({ length: args.count }, (_, index) => args.copy(index));
        const answer = replica.run(...words);
        ok(!answer.startsWith('-'), `a record was refused: ${quoted(answer)}`);
      }
    }
    replica.clock.wallMs = this.engine.clock.wallMs;
    replica.keyspace.expiresByClock = true;
    equal(replica.digest(), this.digest(), 'records replay');
    checkStructures(replica);
  }

  draw(): string[] {
    const { random } = this;
    const key = this.key();
    switch (random.below(12)) {
      case 0:
        return ['SET', key, this.value(), ...this.setOptions()];
      case 1:
        return [random.pick(['INCR', 'DECR']), key];
      case 2:
        return [random.pick(['INCRBY', 'DECRBY']), key, String(random.below(2000) - 1000)];
      case 3:
        return [
          random.pick(['GET', 'GETDEL', 'STRLEN', 'TYPE', 'PTTL', 'PEXPIRETIME', 'PERSIST']),
          key,
        ];
      case 4:
        return [random.pick(['GETSET', 'APPEND', 'SETNX']), key, this.value()];
      case 5:
        return random.chance(0.5)
          ? ['SETRANGE', key, String(random.below(random.pick([10, 200, 6000]))), this.value()]
          : ['GETRANGE', key, String(random.below(60) - 30), String(random.below(60) - 30)];
      case 6:
        return [random.pick(['MSET', 'MSETNX']), ...this.some(() => [this.key(), this.value()])];
      case 7:
        return [
          random.pick(['DEL', 'UNLINK', 'EXISTS', 'TOUCH', 'MGET']),
          ...this.some(() => [this.key()]),
        ];
      case 8:
      case 9:
        return this.expiry(key);
      case 10:
        return this.whole(key);
      default:
        return random.chance(0.5) ? ['GETEX', key, 'PX', this.time()] : ['GETEX', key, 'PERSIST'];
    }
  }

  private expiry(key: string): string[] {
    const { random, model } = this;
    const rule = random.pick([[], [], ['NX'], ['XX'], ['GT'], ['LT']]);
    if (random.chance(0.3)) return ['EXPIRE', key, String(random.below(5) - 1), ...rule];
    if (random.chance(0.6)) return ['PEXPIRE', key, this.time(), ...rule];
    return ['PEXPIREAT', key, String(model.nowMs + random.below(4000) - 100), ...rule];
  }

  /** Commands on more than one key or database. */
  private whole(key: string): string[] {
    const { random } = this;
    const database = String(random.below(DATABASES));
    switch (random.below(7)) {
      case 0:
        return ['RENAME', key, this.key()];
      case 1:
        return ['RENAMENX', key, this.key()];
      case 2:
        return [
          'COPY',
          key,
          this.key(),
          'DB',
          database,
          ...(random.chance(0.5) ? ['REPLACE'] : []),
        ];
      case 3:
        return ['MOVE', key, database];
      case 4:
        return ['SELECT', database];
      case 5:
        return random.chance(0.2) ? ['FLUSHDB'] : ['DBSIZE'];
      default:
        return ['SWAPDB', database, String(random.below(DATABASES))];
    }
  }

  drawRefused(): string[] {
    return this.random
      .pick(REFUSED)
      .map((word) => (word === 'key' ? this.key() : word === 'value' ? this.value() : word));
  }

  private key(): string {
    return this.random.chance(0.02) ? LONG_KEY : this.random.pick(KEYS);
  }

  private value(): string {
    const { random } = this;
    switch (random.below(5)) {
      case 0:
        return random.bytes(random.below(30));
      case 1:
        return random.bytes(random.below(random.pick([100, 5000, 20_000])));
      case 2:
        return random.pick([
          '9223372036854775807',
          '-9223372036854775808',
          '9223372036854775000',
          '',
        ]);
      default:
        return String(random.below(1000) - 500);
    }
  }

  private time(): string {
    return String(1 + this.random.below(this.random.pick([10, 1000, 100_000])));
  }

  private setOptions(): string[] {
    const { random } = this;
    return [
      ...random.pick([[], [], ['NX'], ['XX']]),
      ...(random.chance(0.3) ? ['GET'] : []),
      ...random.pick([[], ['KEEPTTL'], ['PX', this.time()]]),
    ];
  }

  private some(draw: () => string[]): string[] {
    return Array.from({ length: this.random.between(1, 6) }, draw).flat();
  }
}

function start(partitions: number, sink: Engine['effects']['sink']): Engine {
  const server = { config: new Config('/') };
  const sizes = { partitions, partitionBytes: PARTITION_BYTES, databases: DATABASES };
  return new Engine({ specs: SPECS, ...sizes, sink, server });
}

function checkStructures(engine: Engine): void {
  for (const partition of engine.keyspace.partitions) {
    for (let database = 0; database < DATABASES; database++) {
      partition.select(database);
      checkTable(partition.slab, partition.tableRoot, hashOfEntry);
      checkExpiry(partition.slab, partition.expiryRoot);
    }
    checkSlab(partition.slab);
  }
}
