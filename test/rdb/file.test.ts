// Whole RDB files: what is written is read again, whatever it is, and what is broken is refused
// with a sentence, leaving the slabs in order.

import { describe, expect, it } from 'vitest';
import { Crc64 } from '../../src/base/crc.js';
import {
  type EntryRef,
  expiryOf,
  hasExpiry,
  keyBytesOf,
  keyStartOf,
  recencyOf,
} from '../../src/keyspace/entry.js';
import { eachEntry } from '../../src/keyspace/scan.js';
import { crc64WithZeros } from '../../src/rdb/crc-shift.js';
import { RdbFileError } from '../../src/rdb/file-read.js';
import type { Engine } from '../support/engine.js';
import { partSeed, Random, seedOf } from '../support/seed.js';
import { deleteAll, emptyEngine, fillEngine, loadFile, warmUp, writeFile } from './files.js';
import { FORMS } from './forms.js';
import { checkKeyspace, text, usedBytesOf, withCrc } from './values.js';

const SEED_VARIABLE = 'SEED';
const RUNS = 8;
const FLIPS = 400;

function usedOf(engine: Engine): number {
  return engine.slabs.reduce((sum, slab) => sum + usedBytesOf(slab), 0);
}

/** Of every key, when it expires and perhaps how it was used. */
function times(engine: Engine, isUsed: boolean): Record<string, string> {
  const found: Record<string, string> = {};
  for (const partition of engine.keyspace.partitions) {
    for (let database = 0; database < engine.keyspace.databaseCount; database++) {
      partition.select(database);
      eachEntry(partition, (slab, ref) => {
        const entry = ref as EntryRef;
        const start = keyStartOf(slab, entry);
        const key = Buffer.from(slab.u8.slice(start, start + keyBytesOf(slab, entry)));
        const until = hasExpiry(slab, entry) ? expiryOf(slab, entry) : 'never';
        const recency = isUsed ? recencyOf(slab, entry) & 0xff : '';
        found[`${database} ${key.toString('latin1')}`] = `${until} ${recency}`;
      });
    }
  }
  return found;
}

/** A file of these bytes behind the head, with its end and checksum. */
function file(...parts: readonly Uint8Array[]): Buffer {
  return withCrc(Buffer.concat([Buffer.from('REDIS0010'), ...parts, Buffer.of(255)]));
}

const KEY = Buffer.concat([Buffer.of(0), text('key'), text('value')]);

describe('a file', () => {
  it('holds all keys of all types, with what is to be known of them', () => {
    const seed = seedOf(SEED_VARIABLE);
    for (let run = 0; run < RUNS; run++) {
      const random = new Random(partSeed(seed, run));
      const title = `${SEED_VARIABLE}=${seed}, run ${run}`;
      const source = emptyEngine();
      fillEngine(source, random, 60);
      const form = {
        compresses: random.chance(0.5),
        checksums: random.chance(0.8),
        recency: random.pick(['none', 'lru', 'lfu'] as const),
      };

      const written = writeFile(source, form);
      const target = emptyEngine();
      const loaded = loadFile(target, written.bytes, { isLfu: form.recency === 'lfu' });

      expect(loaded.keysLoaded, title).toBe(written.keys);
      expect(target.digest(), title).toBe(source.digest());
      checkKeyspace(target.keyspace);
      const isUsed = form.recency !== 'none';
      expect(times(target, isUsed), title).toEqual(times(source, isUsed));
    }
  });

  it('is of version 10 unless a value needs a newer one, which its first bytes then say', () => {
    const engine = emptyEngine();
    engine.run('SET', 'a', '1');
    engine.run('XADD', 's', '1-1', 'f', 'v');
    engine.run('XGROUP', 'CREATE', 's', 'g', '0');
    expect(writeFile(engine).bytes.toString('latin1', 0, 9)).toBe('REDIS0010');

    engine.run('HSET', 'h', 'f', 'v');
    engine.run('HPEXPIRE', 'h', '100000', 'FIELDS', '1', 'f');
    const written = writeFile(engine);
    expect(written.bytes.toString('latin1', 0, 9)).toBe('REDIS0012');
    const target = emptyEngine();
    loadFile(target, written.bytes);
    expect(target.digest()).toBe(engine.digest());
  });

  it('has streams of version 11 only for consumers that tried without getting anything', () => {
    const engine = emptyEngine();
    engine.run('XADD', 's', '1-1', 'f', 'v');
    engine.run('XGROUP', 'CREATE', 's', 'g', '0');
    engine.run('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 's', '>');
    expect(writeFile(engine).version).toBe(10);
    engine.clock.wallMs += 1000;
    engine.run('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 's', '>');
    const written = writeFile(engine);
    expect(written.version).toBe(11);
    const target = emptyEngine();
    loadFile(target, written.bytes);
    const asked = ['XINFO', 'CONSUMERS', 's', 'g'] as const;
    target.clock.wallMs += 1000;
    expect(target.run(...asked)).toBe(engine.run(...asked));
  });

  it('that cannot be written again from its beginning refuses what its version cannot say', () => {
    const engine = emptyEngine();
    engine.run('HSET', 'h', 'f', 'v');
    engine.run('HPEXPIRE', 'h', '100000', 'FIELDS', '1', 'f');
    expect(() => writeFile(engine, { isStream: true })).toThrow('a value needs RDB version 12');
    const written = writeFile(engine, { isStream: true, version: 12 });
    const target = emptyEngine();
    loadFile(target, written.bytes);
    expect(target.digest()).toBe(engine.digest());
  });

  it('is loaded in steps, of any length', () => {
    const engine = emptyEngine();
    for (let index = 0; index < 5000; index++) engine.run('SET', `key:${index}`, `value ${index}`);
    const { bytes } = writeFile(engine);
    const target = emptyEngine();
    const loaded = loadFile(target, bytes, { budgetMs: 0 });
    expect(loaded.steps).toBeGreaterThan(10);
    expect(loaded.keysLoaded).toBe(5000);
    expect(loaded.bytesRead).toBe(bytes.length);
    expect(target.digest()).toBe(engine.digest());
  });

  it('may have come in pieces of any size, and without a known length', () => {
    const engine = emptyEngine();
    engine.run('SET', 'long', 'x'.repeat(3_000_000));
    engine.run('RPUSH', 'list', 'y'.repeat(1_500_000), 'z');
    fillEngine(engine, new Random(1), 40);
    const { bytes } = writeFile(engine, { compresses: false });
    for (const isEndless of [false, true]) {
      const target = emptyEngine();
      loadFile(target, bytes, { pieceBytes: 1237, isEndless });
      expect(target.digest()).toBe(engine.digest());
    }
  });
});

describe('a file of Redis', () => {
  it.each(FORMS)('holds $name', ({ bytes, commands }) => {
    // Type and body, without the footer of DUMP; the key stands between them.
    const body = bytes.subarray(1, -10);
    const target = emptyEngine();
    const version = Buffer.from('REDIS0012');
    const whole = Buffer.concat([version, bytes.subarray(0, 1), text('key'), body]);
    loadFile(target, withCrc(Buffer.concat([whole, Buffer.of(255)])));
    const expected = emptyEngine();
    for (const words of commands) expected.run(...words);
    expect(target.digest()).toBe(expected.digest());
  });

  it('of version 1 has no checksum', () => {
    const engine = emptyEngine();
    const old = Buffer.concat([Buffer.from('REDIS0001'), Buffer.of(254, 0), KEY, Buffer.of(255)]);
    expect(loadFile(engine, old).keysLoaded).toBe(1);
    expect(engine.run('GET', 'key')).toContain('value');
  });

  it('says of keys when they expire, in seconds or milliseconds, and how they were used', () => {
    const engine = emptyEngine();
    const seconds = Buffer.alloc(5, 253);
    seconds.writeInt32LE(1_800_000_000, 1);
    const ms = Buffer.alloc(9, 252);
    ms.writeBigInt64LE(1_900_000_000_123n, 1);
    const idle = Buffer.of(248, 0x40 | 1, 0x2c);
    loadFile(
      engine,
      file(
        ...[Buffer.of(254, 1, 251, 2, 2), seconds, KEY],
        ...[ms, idle, Buffer.of(0), text('other'), text('12')],
      ),
    );
    engine.run('SELECT', '1');
    expect(engine.run('EXPIRETIME', 'key')).toBe(':1800000000\r\n');
    expect(engine.run('PEXPIRETIME', 'other')).toBe(':1900000000123\r\n');
    expect(engine.run('OBJECT', 'IDLETIME', 'other')).toBe(':300\r\n');
  });

  it('may have facts, functions, slots and data of modules', () => {
    const engine = emptyEngine();
    const moduleName = Buffer.of(0x81, 0x9d, 0x5d, 0xb7, 0x5d, 0xb7, 0x5d, 0xb7, 0x01);
    const loaded = loadFile(
      engine,
      file(
        ...[Buffer.of(250), text('redis-ver'), text('7.4.0'), Buffer.of(245), text('#!lua name=x')],
        ...[Buffer.of(247), moduleName, Buffer.of(2, 2, 5), text('some'), Buffer.of(4)],
        ...[Buffer.alloc(8), Buffer.of(3), Buffer.alloc(4), Buffer.of(0)],
        ...[Buffer.of(244, 1, 1, 0), KEY],
      ),
    );
    expect(loaded.facts.get('redis-ver')).toBe('7.4.0');
    expect(loaded.functions.map(String)).toEqual(['#!lua name=x']);
    expect(loaded.warnings.join()).toMatch(/data that the module '.{9}' has left/);
    expect(engine.run('GET', 'key')).toContain('value');
  });

  it('of Valkey 9 has hashes whose fields expire in a form of its own', () => {
    const engine = emptyEngine();
    const never = Buffer.alloc(8, 0xff);
    const time = Buffer.alloc(8);
    time.writeBigInt64LE(1_900_000_000_000n);
    const fields = [text('a'), text('1'), never, text('b'), text('2'), time];
    const head = Buffer.from('VALKEY080');
    const parts = [head, Buffer.of(22), text('key'), Buffer.of(2), ...fields, Buffer.of(255)];
    loadFile(engine, withCrc(Buffer.concat(parts)));
    expect(engine.run('HPEXPIRETIME', 'key', 'FIELDS', '2', 'a', 'b')).toBe(
      '*2\r\n:-1\r\n:1900000000000\r\n',
    );
  });

  it('may have keys of nothing, which are passed over', () => {
    const engine = emptyEngine();
    const empty = Buffer.concat([Buffer.of(4), text('empty'), Buffer.of(0)]);
    const loaded = loadFile(engine, file(empty, KEY));
    expect([loaded.keysLoaded, loaded.keysEmpty]).toEqual([1, 1]);
  });

  it('may have keys that have expired: they are left out, or kept for what follows', () => {
    const ms = Buffer.alloc(9, 252);
    ms.writeBigInt64LE(1_000_000_000_000n, 1);
    const list = Buffer.concat([ms, Buffer.of(2), text('set'), Buffer.of(1), text('a')]);
    const bytes = file(ms, KEY, list);
    const engine = emptyEngine();
    const used = usedOf(engine);
    const loaded = loadFile(engine, bytes);
    expect([loaded.keysLoaded, loaded.keysExpired]).toEqual([0, 2]);
    expect(usedOf(engine)).toBe(used);
    const keeping = emptyEngine();
    keeping.keyspace.expiresByClock = false;
    expect(loadFile(keeping, bytes, { expired: 'keep' }).keysLoaded).toBe(2);
    expect(keeping.run('PEXPIRETIME', 'key')).toBe(':1000000000000\r\n');
  });
});

describe('a broken file is refused', () => {
  const refusals: readonly (readonly [string, Buffer, RegExp])[] = [
    ['that is too short', Buffer.from('REDIS'), /byte 0: it is too short/],
    ['that is something else', Buffer.from('SQLite format 3'), /does not begin as an RDB file/],
    ['of a later version', Buffer.from('REDIS0099'), /Redis's RDB version 99 is not known/],
    ['of a later Valkey', Buffer.from('VALKEY099'), /Valkey's RDB version 99 is not known/],
    ['without an end', file(KEY).subarray(0, -9), /it ends too early/],
    ['with the same key twice', file(KEY, KEY), /key "key" of database 0 is there twice/],
    ['with too many databases', file(Buffer.of(254, 16), KEY), /keys in database 16, and this/],
    ['with an unknown code', file(Buffer.of(243)), /type or code 243, which is not known/],
    ['with a type of a module', file(Buffer.of(6), text('k')), /a value of the module/],
    ['with old functions', file(Buffer.of(246)), /release candidate of Redis 7.0/],
    [
      'with a broken value',
      file(Buffer.of(11), text('set'), text('no integers')),
      /key "set" of database 0: Bad data format/,
    ],
    [
      'whose checksum is wrong',
      Buffer.concat([file(KEY).subarray(0, -1), Buffer.of(0x55)]),
      /its checksum is another/,
    ],
  ];

  it.each(refusals)('%s', (_, bytes, message) => {
    const engine = emptyEngine();
    expect(() => loadFile(engine, bytes)).toThrow(message);
    checkKeyspace(engine.keyspace);
  });

  it('and a wrong checksum does not matter to who does not look, nor does a missing one', () => {
    const bytes = file(KEY);
    bytes[bytes.length - 1] = bytes.at(-1)! ^ 1;
    expect(loadFile(emptyEngine(), bytes, { checksums: false }).keysLoaded).toBe(1);
    const none = Buffer.concat([file(KEY).subarray(0, -8), Buffer.alloc(8)]);
    expect(loadFile(emptyEngine(), none).keysLoaded).toBe(1);
  });

  it('and gives way to the keys of the file where that is wanted', () => {
    const engine = emptyEngine();
    engine.run('SADD', 'key', 'a', 'b');
    loadFile(engine, file(KEY), { duplicates: 'replace' });
    expect(engine.run('GET', 'key')).toContain('value');
    checkKeyspace(engine.keyspace);
  });

  it('or loads something, when some of its bytes are others, and never leaks', () => {
    const seed = seedOf(SEED_VARIABLE);
    const source = emptyEngine();
    fillEngine(source, new Random(partSeed(seed, 0)), 40);
    const whole = writeFile(source, { checksums: false }).bytes;
    const engine = emptyEngine(1);
    engine.keyspace.expiresByClock = false;
    warmUp(engine);
    const used = usedOf(engine);
    for (let run = 0; run < FLIPS; run++) {
      const random = new Random(partSeed(seed, run + 1));
      const title = `${SEED_VARIABLE}=${seed}, run ${run}`;
      const bytes = Buffer.from(whole);
      for (let flips = random.between(1, 3); flips > 0; flips--) {
        bytes[random.below(bytes.length)] = random.below(256);
      }
      try {
        loadFile(engine, bytes, { expired: 'keep', budgetMs: 1e9 });
      } catch (thrown) {
        expect(thrown, title).toBeInstanceOf(RdbFileError);
      }
      if (run % 8 === 0) checkKeyspace(engine.keyspace);
      deleteAll(engine);
      expect(usedOf(engine), title).toBe(used);
    }
  }, 120_000);
});

describe('a checksum', () => {
  it('with zeros behind it is that of the zeros', () => {
    const crc = new Crc64();
    crc.update(Buffer.from('123456789'), 0, 9);
    for (const zeros of [0, 1, 2, 7, 1000, 65_537]) {
      const long = new Crc64();
      const bytes = Buffer.concat([Buffer.from('123456789'), Buffer.alloc(zeros)]);
      long.update(bytes, 0, bytes.length);
      expect(crc64WithZeros(crc.lo, crc.hi, zeros)).toEqual({ low: long.lo, high: long.hi });
    }
  });
});
