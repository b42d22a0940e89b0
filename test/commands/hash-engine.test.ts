// Hash commands on one engine in this process: against a model, by encodings, with fields that
// expire, and what they leave in the log.

import { afterEach, describe, expect, it } from 'vitest';
import { genericCommands } from '../../src/commands/generic/index.js';
import { hashCommands } from '../../src/commands/hash/index.js';
import { Encoding, type EntryRef, encodingOf, Type } from '../../src/keyspace/entry.js';
import { expireFieldsStep } from '../../src/keyspace/field-expiry.js';
import { flushPartition } from '../../src/keyspace/flush.js';
import { eachEntry } from '../../src/keyspace/scan.js';
import { kindOf, rootOf } from '../../src/keyspace/values.js';
import { checkSlab } from '../../src/slab/check.js';
import { usedBytesOf } from '../../src/slab/slab.js';
import { checkHashExpiries, timedHashCount } from '../../src/types/hash/expiries.js';
import { thresholds } from '../../src/types/thresholds.js';
import { Engine, type EngineOptions } from '../support/engine.js';
import { randomTest } from '../support/random-test.js';
import { bulkTexts } from '../support/resp.js';
import { answer, play } from '../support/rows.js';
import type { Random } from '../support/seed.js';

const before = { ...thresholds };

afterEach(() => {
  Object.assign(thresholds, before);
});

function start(options: Partial<EngineOptions> = {}): Engine {
  return new Engine({ specs: [...hashCommands, ...genericCommands], ...options });
}

/** Checks every hash and every slab; how the hashes are encoded. */
function check(engine: Engine): Set<Encoding> {
  const encodings = new Set<Encoding>();
  for (const partition of engine.keyspace.partitions) {
    partition.select(0);
    eachEntry(partition, (slab, ref) => {
      const entry = ref as EntryRef;
      const encoding = encodingOf(slab, entry);
      encodings.add(encoding);
      kindOf(Type.Hash).check(slab, encoding, rootOf(slab, entry));
    });
    checkHashExpiries(partition.slab);
    checkSlab(partition.slab);
  }
  return encodings;
}

function usedBytes(engine: Engine): number {
  return engine.slabs.reduce((sum, slab) => sum + usedBytesOf(slab), 0);
}

/** What the owner of the partitions does between commands. */
function upkeep(engine: Engine): void {
  for (const partition of engine.keyspace.partitions) {
    while (!expireFieldsStep(partition, engine.clock.nowMs(), 10));
  }
}

const SYNTAX = '-ERR syntax error';

// ── Against a model ──────────────────────────────────────────────────────────────────────────

interface ModelField {
  value: string;
  time: number;
}

class HashModel {
  readonly fields = new Map<string, ModelField>();
  readonly engine: Engine;
  readonly random: Random;

  constructor(engine: Engine, random: Random) {
    this.engine = engine;
    this.random = random;
  }

  get now(): number {
    return this.engine.clock.nowMs();
  }

  expire(): void {
    for (const [name, { time }] of this.fields) if (time <= this.now) this.fields.delete(name);
  }

  name(): string {
    const { random } = this;
    const index = random.below(random.pick([3, 40, 200]));
    return random.pick([`f${index}`, String(index), `${'long'.repeat(20)}${index}`]);
  }

  value(): string {
    const { random } = this;
    return random.pick([
      String(random.below(100_000)),
      random.bytes(random.below(20)),
      '-9223372036854775808',
      random.chance(0.05) ? random.bytes(300) : 'v',
    ]);
  }

  step(): void {
    const { random, fields, engine } = this;
    const name = this.name();
    const known = fields.get(name);
    switch (random.below(12)) {
      case 0:
      case 1:
      case 2: {
        const value = this.value();
        expect(engine.run('HSET', 'k', name, value)).toBe(known ? ':0\r\n' : ':1\r\n');
        fields.set(name, { value, time: Number.POSITIVE_INFINITY });
        break;
      }
      case 3:
      case 4:
        expect(engine.run('HDEL', 'k', name)).toBe(known ? ':1\r\n' : ':0\r\n');
        fields.delete(name);
        break;
      case 5: {
        const reply = engine.run('HINCRBY', 'k', name, '7');
        const isInteger = /^(0|-?[1-9]\d{0,18})$/.test(known?.value ?? '0');
        if (!isInteger) expect(reply).toBe('-ERR hash value is not an integer\r\n');
        else {
          const value = String(BigInt(known?.value ?? 0) + 7n);
          expect(reply).toBe(`:${value}\r\n`);
          fields.set(name, { value, time: known?.time ?? Number.POSITIVE_INFINITY });
        }
        break;
      }
      case 6: {
        const ms = 1 + random.below(500);
        const reply = engine.run('HPEXPIRE', 'k', String(ms), 'FIELDS', '1', name);
        expect(reply).toBe(known ? '*1\r\n:1\r\n' : '*1\r\n:-2\r\n');
        if (known) known.time = this.now + ms;
        break;
      }
      case 7: {
        const reply = engine.run('HPERSIST', 'k', 'FIELDS', '1', name);
        const isTimed = known !== undefined && known.time !== Number.POSITIVE_INFINITY;
        expect(reply).toBe(`*1\r\n:${known ? (isTimed ? 1 : -1) : -2}\r\n`);
        if (known) known.time = Number.POSITIVE_INFINITY;
        break;
      }
      case 8:
        engine.clock.wallMs += random.below(30);
        if (random.chance(0.5)) upkeep(engine);
        break;
      case 9: {
        const value = this.value();
        engine.run('HSETEX', 'k', 'KEEPTTL', 'FIELDS', '1', name, value);
        fields.set(name, { value, time: known?.time ?? Number.POSITIVE_INFINITY });
        break;
      }
      case 10: {
        const left = known === undefined ? -2 : Math.max(-1, known.time - this.now);
        const expected = left === Number.POSITIVE_INFINITY ? -1 : left;
        const reply = engine.run('HPTTL', 'k', 'FIELDS', '1', name);
        expect(reply).toBe(`*1\r\n:${expected}\r\n`);
        break;
      }
      default:
        expect(bulkTexts(engine.run('HGET', 'k', name))).toEqual(known ? [known.value] : []);
    }
  }

  compare(): void {
    const reply = bulkTexts(this.engine.run('HGETALL', 'k'));
    const found = new Map<string, string>();
    for (let at = 0; at < reply.length; at += 2) found.set(reply[at]!, reply[at + 1]!);
    const expected = [...this.fields].map(([name, { value }]) => [name, value] as const);
    expect(found).toEqual(new Map(expected));
    expect(this.engine.run('HLEN', 'k')).toBe(`:${this.fields.size}\r\n`);
    expect(this.engine.run('EXISTS', 'k')).toBe(this.fields.size === 0 ? ':0\r\n' : ':1\r\n');
  }
}

describe('a hash', () => {
  randomTest('holds what was put into it, until it is removed or expires', 12, (random) => {
    thresholds.hashMaxListpackEntries = random.pick([0, 20, 512]);
    const engine = start({ partitions: 1 });
    const model = new HashModel(engine, random);
    for (let step = 0; step < 1500; step++) {
      model.expire();
      model.step();
      model.expire();
      if (step % 25 === 0) model.compare();
      if (step % 100 === 0) check(engine);
    }
    model.compare();
    check(engine);
    engine.run('DEL', 'k');
    check(engine);
    expect(timedHashCount(engine.slabs[0]!)).toBe(0);
  });

  it('frees all of its memory with its last field, however large it was', () => {
    const engine = start({ partitions: 1 });
    engine.run('HSET', 'other', 'a', 'b');
    const empty = usedBytes(engine);
    for (let index = 0; index < 20_000; index++) engine.run('HSET', 'k', `field:${index}`, 'v');
    expect(check(engine)).toEqual(new Set([Encoding.Inside, Encoding.Table]));
    const full = usedBytes(engine);
    for (let index = 0; index < 19_990; index++) engine.run('HDEL', 'k', `field:${index}`);
    check(engine);
    // The table went with the fields: ten are left in a few segments at the most.
    expect(usedBytes(engine) - empty).toBeLessThan(full / 20);
    for (let index = 19_990; index < 20_000; index++) engine.run('HDEL', 'k', `field:${index}`);
    expect(engine.run('EXISTS', 'k')).toBe(':0\r\n');
    expect(usedBytes(engine)).toBe(empty);
  });

  it('takes at most 45 bytes for a field of ten bytes with a value of ten', () => {
    const engine = start({ partitions: 1, partitionBytes: 64 * 1024 * 1024 });
    const fields = 200_000;
    for (let index = 0; index < fields; index += 10) {
      const words: string[] = [];
      for (let each = index; each < index + 10; each++) {
        words.push(`f${String(each).padStart(9, '0')}`, `v${String(each).padStart(9, '0')}`);
      }
      engine.run('HSET', 'k', ...words);
    }
    expect(usedBytes(engine) / fields).toBeLessThan(45);
  });

  it('changes nothing when there is no memory', () => {
    const engine = start({ partitions: 1, partitionBytes: 2 ** 20 });
    let index = 0;
    while (engine.run('HSET', 'k', `f${index}`, 'v'.repeat(100)).startsWith(':')) index++;
    const words = Array.from({ length: 200 }, (_, each) => [`g${each}`, 'v']).flat();
    expect(engine.run('HSET', 'k', ...words)).toMatch(/^-OOM/);
    expect(engine.run('HLEN', 'k')).toBe(`:${index}\r\n`);
    expect(engine.run('HEXISTS', 'k', 'g0')).toBe(':0\r\n');
    check(engine);
  });
});

describe('the encoding', () => {
  it('becomes hashtable where Redis makes it one, and listpackex with a time', () => {
    thresholds.hashMaxListpackEntries = 4;
    thresholds.hashMaxListpackValue = 8;
    const engine = start();
    play(engine, [
      ['HSET a 1 1 2 2 3 3 4 4', ':4'],
      ['OBJECT ENCODING a', '$8 listpack'],
      ['HSET a 4 5', ':0'],
      ['OBJECT ENCODING a', '$8 listpack'],
      ['HEXPIRE a 100 FIELDS 1 1', '*1 :1'],
      ['OBJECT ENCODING a', '$10 listpackex'],
      ['HSET a 5 5', ':1'],
      ['OBJECT ENCODING a', '$9 hashtable'],
      ['HTTL a FIELDS 2 1 2', '*2 :100 :-1'],
      ['HSETNX b f 123456789', ':1'],
      ['OBJECT ENCODING b', '$9 hashtable'],
      ['HSET c f 1 f 1 f 1 f 1 f 1', ':1'],
      ['OBJECT ENCODING c', '$9 hashtable'],
      ['HINCRBY d f 123456789', ':123456789'],
      ['OBJECT ENCODING d', '$9 hashtable'],
      ['HSET e f 1', ':1'],
      ['HSETNX e f 123456789', ':0'],
      ['OBJECT ENCODING e', '$8 listpack'],
    ]);
    check(engine);
  });

  it('becomes hashtable with the first new value after the limit was lowered', () => {
    const changes = [
      ['HSET k a 5', ':0', '5', '$9 hashtable'],
      ['HINCRBY k a 1', ':2', '2', '$9 hashtable'],
      ['HINCRBYFLOAT k a 1.5', '$3 2.5', '2.5', '$9 hashtable'],
      ['HSET k a 7 b 8 a 9', ':0', '9', '$9 hashtable'],
      ['HSETNX k a 5', ':0', '1', '$8 listpack'],
      ['HDEL k d', ':1', '1', '$8 listpack'],
    ] as const;
    for (const isTimed of [false, true]) {
      for (const [change, reply, value, encoding] of changes) {
        const engine = start();
        play(engine, [['HSET k a 1 b 2 c 3 d 4 e 5', ':5']]);
        if (isTimed) engine.run('HEXPIRE', 'k', '100', 'FIELDS', '1', 'c');
        thresholds.hashMaxListpackEntries = 2;
        const expected = isTimed ? encoding.replace('$8 listpack', '$10 listpackex') : encoding;
        play(engine, [
          [change, reply],
          ['OBJECT ENCODING k', expected],
          ['HGET k a', `$${value.length} ${value}`],
          ['HGET k c', '$1 3'],
          ['HTTL k FIELDS 1 c', isTimed ? '*1 :100' : '*1 :-1'],
        ]);
        check(engine);
        thresholds.hashMaxListpackEntries = before.hashMaxListpackEntries;
      }
    }
  });
});

describe('HRANDFIELD', () => {
  it('draws every field of a large hash about as often', () => {
    const engine = start({ partitions: 1 });
    thresholds.hashMaxListpackEntries = 8;
    const words = Array.from({ length: 900 }, (_, index) => [`f${index}`, 'v']).flat();
    engine.run('HSET', 'k', ...words);
    const seen = new Map<string, number>();
    for (const name of bulkTexts(engine.run('HRANDFIELD', 'k', '-90000'))) {
      seen.set(name, (seen.get(name) ?? 0) + 1);
    }
    expect(seen.size).toBe(900);
    // Chi-square with 899 degrees of freedom: 1100 is exceeded once in 200 000 runs.
    let chi = 0;
    for (const count of seen.values()) chi += (count - 100) ** 2 / 100;
    expect(chi).toBeLessThan(1100);
  });

  it('answers with different fields for a positive count', () => {
    const engine = start();
    for (const size of [5, 700]) {
      engine.run('DEL', 'k');
      const words = Array.from({ length: size }, (_, index) => [`f${index}`, `${index}`]).flat();
      engine.run('HSET', 'k', ...words);
      for (const count of [1, 3, 4, size - 1, size, size + 10]) {
        const drawn = bulkTexts(engine.run('HRANDFIELD', 'k', String(count)));
        expect(drawn.length).toBe(Math.min(count, size));
        expect(new Set(drawn).size).toBe(drawn.length);
      }
    }
    play(engine, [
      ['HRANDFIELD none', '$-1'],
      ['HRANDFIELD none 3', '*0'],
      ['HRANDFIELD k 0', '*0'],
      ['HRANDFIELD k 1 WITHVALUES x', SYNTAX],
      ['HRANDFIELD k 1 VALUES', SYNTAX],
      ['HRANDFIELD k 9223372036854775807 WITHVALUES', '-ERR value is out of range'],
      ['HRANDFIELD k x', '-ERR value is not an integer or out of range'],
    ]);
  });
});

describe('HSCAN', () => {
  it('meets every field that stays while others come and go', () => {
    const engine = start({ partitions: 1 });
    for (let index = 0; index < 3000; index++) engine.run('HSET', 'k', `stay:${index}`, 'v');
    const seen = new Set<string>();
    let cursor = '0';
    let round = 0;
    do {
      const [next, ...names] = bulkTexts(
        engine.run('HSCAN', 'k', cursor, 'COUNT', '20', 'NOVALUES'),
      );
      for (const name of names) seen.add(name);
      cursor = next!;
      for (let index = 0; index < 100; index++) {
        if (round % 40 < 20) engine.run('HSET', 'k', `pass:${round % 40}:${index}`, 'v');
        else engine.run('HDEL', 'k', `pass:${(round % 40) - 20}:${index}`);
      }
      round++;
    } while (cursor !== '0');
    for (let index = 0; index < 3000; index++) expect(seen.has(`stay:${index}`)).toBe(true);
  });

  it('knows its options, and answers for a small hash as a whole', () => {
    const engine = start();
    engine.run('HSET', 'k', 'a', '1', 'b', '2');
    play(engine, [
      ['HSCAN k 0', '*2 $1 0 *4 $1 a $1 1 $1 b $1 2'],
      ['HSCAN k 0 MATCH b*', '*2 $1 0 *2 $1 b $1 2'],
      ['HSCAN k 0 NOVALUES COUNT 1', '*2 $1 0 *2 $1 a $1 b'],
      ['HSCAN k 0 COUNT 0', SYNTAX],
      ['HSCAN k 0 TYPE hash', SYNTAX],
      ['HSCAN k x', '-ERR invalid cursor'],
      ['HSCAN none 0 NONSENSE', '*2 $1 0 *0'],
    ]);
  });
});

// ── Fields that expire ───────────────────────────────────────────────────────────────────────

/** An engine that keeps what it records, a line for each record. */
function recording(): { engine: Engine; records: string[] } {
  const records: string[] = [];
  const engine = start({
    partitions: 1,
    sink: {
      isOn: true,
      append(_database, u8, from, length) {
        const text = Buffer.from(u8.slice(from, from + length)).toString('latin1');
        records.push(bulkTexts(text).join(' '));
      },
    },
  });
  return { engine, records };
}

describe('fields that expire', () => {
  it('are never seen again, and take their key with them', () => {
    for (const entries of [0, 512]) {
      thresholds.hashMaxListpackEntries = entries;
      const engine = start();
      play(engine, [
        ['HSET k a 1 b 2', ':2'],
        ['HPEXPIRE k 10 FIELDS 2 a none', '*2 :1 :-2'],
      ]);
      engine.clock.wallMs += 10;
      play(engine, [
        ['HGET k a', '$-1'],
        ['HLEN k', ':1'],
        ['HGETALL k', '*2 $1 b $1 2'],
        ['HPEXPIRE k 10 FIELDS 1 b', '*1 :1'],
      ]);
      engine.clock.wallMs += 10;
      upkeep(engine);
      expect(answer(engine, 'EXISTS k')).toBe(':0');
      check(engine);
    }
  });

  it('stay hidden when more have expired than one command removes', () => {
    const engine = start({ partitions: 1 });
    const words = Array.from({ length: 1000 }, (_, index) => [`f${index}`, 'v']).flat();
    engine.run('HSET', 'k', ...words, 'stays', 'v');
    const names = Array.from({ length: 1000 }, (_, index) => `f${index}`);
    engine.run('HPEXPIRE', 'k', '5', 'FIELDS', '1000', ...names);
    engine.clock.wallMs += 5;
    const hidden = names.filter((name) => engine.run('HEXISTS', 'k', name) === ':0\r\n');
    expect(hidden.length).toBe(1000);
    engine.run('HSET', 'k', 'f999', 'again');
    expect(bulkTexts(engine.run('HKEYS', 'k')).sort()).toEqual(['f999', 'stays']);
    expect(engine.run('HTTL', 'k', 'FIELDS', '1', 'f999')).toBe('*1\r\n:-1\r\n');
    check(engine);
  });

  it('follow their hash when it is copied, renamed or moved', () => {
    for (const entries of [0, 512]) {
      thresholds.hashMaxListpackEntries = entries;
      const engine = start({ partitions: 2 });
      play(engine, [
        ['HSET k a 1 b 2', ':2'],
        ['HPEXPIRE k 10 FIELDS 1 a', '*1 :1'],
        ['COPY k copy', ':1'],
        ['COPY k {k}copy', ':1'],
        ['COPY k third DB 3', ':1'],
        ['RENAME k renamed', '+OK'],
        ['RENAME {k}copy {k}renamed', '+OK'],
        ['MOVE copy 2', ':1'],
      ]);
      check(engine);
      expect(engine.slabs.reduce((sum, slab) => sum + timedHashCount(slab), 0)).toBe(4);
      engine.clock.wallMs += 10;
      upkeep(engine);
      for (const slab of engine.slabs) expect(timedHashCount(slab)).toBe(0);
      play(engine, [
        ['HGETALL renamed', '*2 $1 b $1 2'],
        ['HGETALL {k}renamed', '*2 $1 b $1 2'],
      ]);
      check(engine);
      for (const partition of engine.keyspace.partitions) flushPartition(partition);
      expect(usedBytes(engine)).toBe(0);
    }
  });

  it('leave HDEL in the log, and their times in absolute form', () => {
    const { engine, records } = recording();
    const now = engine.clock.nowMs();
    play(engine, [
      ['HSET k a 1 b 2 c 3', ':3'],
      ['HEXPIRE k 1 FIELDS 2 a none', '*2 :1 :-2'],
      ['HEXPIRE k 100 GT FIELDS 2 a b', '*2 :1 :0'],
      ['HGETEX k PX 50 FIELDS 1 b', '*1 $1 2'],
      ['HGETEX k PERSIST FIELDS 2 b c', '*2 $1 2 $1 3'],
      ['HSETEX k PX 20 FIELDS 1 d 4', ':1'],
      ['HINCRBYFLOAT k d 0.5', '$3 4.5'],
      ['HEXPIRE k 0 FIELDS 1 c', '*1 :2'],
      ['HGETDEL k FIELDS 2 b none', '*2 $1 2 $-1'],
      ['HPERSIST k FIELDS 1 none', '*1 :-2'],
    ]);
    engine.clock.wallMs += 20;
    play(engine, [['HGET k d', '$-1']]);
    expect(records).toEqual([
      'HSET k a 1 b 2 c 3',
      `HPEXPIREAT k ${now + 1000} FIELDS 1 a`,
      `HPEXPIREAT k ${now + 100_000} FIELDS 1 a`,
      `HPEXPIREAT k ${now + 50} FIELDS 1 b`,
      'HPERSIST k FIELDS 1 b',
      `HSETEX k PXAT ${now + 20} FIELDS 1 d 4`,
      'HSETEX k KEEPTTL FIELDS 1 d 4.5',
      'HDEL k c',
      'HDEL k b',
      'HDEL k d',
    ]);
  });

  it('obey conditions and refuse what they cannot take', () => {
    const engine = start();
    const tooLong = "-ERR invalid expire time in 'hexpire' command";
    play(engine, [
      ['HSET k a 1 b 2', ':2'],
      ['HEXPIRE k 10 XX FIELDS 1 a', '*1 :0'],
      ['HEXPIRE k 10 GT FIELDS 1 a', '*1 :0'],
      ['HEXPIRE k 10 LT FIELDS 1 a', '*1 :1'],
      ['HEXPIRE k 20 NX FIELDS 2 a b', '*2 :0 :1'],
      ['HEXPIRE k 15 LT FIELDS 2 a b', '*2 :0 :1'],
      ['HTTL k FIELDS 3 a b c', '*3 :10 :15 :-2'],
      ['HEXPIRE k -1 FIELDS 1 a', '-ERR invalid expire time, must be >= 0'],
      ['HEXPIRE k 99999999999999 FIELDS 1 a', tooLong],
      ['HEXPIRE k x FIELDS 1 a', '-ERR value is not an integer or out of range'],
      [
        'HEXPIRE k 1 FILEDS 1 a',
        '-ERR Mandatory argument FIELDS is missing or not at the right position',
      ],
      ['HEXPIRE k 1 FIELDS 0 a', '-ERR Parameter `numFields` should be greater than 0'],
      ['HTTL k FIELDS 0 a', '-ERR Number of fields must be a positive integer'],
      ['HTTL k FIELDS 2 a', '-ERR The `numfields` parameter must match the number of arguments'],
      ['HSETEX k FNX FIELDS 2 a 1 z 1', ':0'],
      ['HSETEX k FXX EX 5 FIELDS 2 a 1 z 1', ':0'],
      ['HSETEX k FXX EX 5 FIELDS 2 a 3 b 4', ':1'],
      ['HTTL k FIELDS 2 a b', '*2 :5 :5'],
      ['HSETEX k KEEPTTL FIELDS 1 a 5', ':1'],
      ['HSET k b 6', ':0'],
      ['HTTL k FIELDS 2 a b', '*2 :5 :-1'],
      ['HSETEX k NX FIELDS 1 a 5', '-ERR unknown argument: NX'],
      ['HSETEX k FIELDS 0 a 5', '-ERR invalid number of fields'],
      ['HSETEX k FIELDS 2 a 5', "-ERR wrong number of arguments for 'hsetex' command"],
    ]);
    check(engine);
  });
});
