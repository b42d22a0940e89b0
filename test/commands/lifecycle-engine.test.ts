// How keys of every type come and go: removing, overwriting, renaming, copying, moving, expiring,
// flushing. Whatever it is, all memory comes back, and what stays is whole.

import { describe, expect, it } from 'vitest';
import { allCommands } from '../../src/commands/index.js';
import { Config } from '../../src/config/config.js';
import { upkeepStep } from '../../src/keyspace/upkeep.js';
import { checkSlab } from '../../src/slab/check.js';
import { Header, usedBytesOf } from '../../src/slab/slab.js';
import { bytesOfEntries, checkKeyspace } from '../support/check-keyspace.js';
import { Engine } from '../support/engine.js';
import { randomTest } from '../support/random-test.js';
import type { Random } from '../support/seed.js';

const LARGE = 3000;
const SMALL = 5;

/** How a key gets `count` elements. */
type Fill = (engine: Engine, key: string, count: number) => void;

function pushing(name: string, element: (index: number) => readonly string[]): Fill {
  return (engine, key, count) => {
    for (let first = 0; first < count; first += 500) {
      const length = Math.min(500, count - first);
      const words = Array.from({ length }, (_, index) => element(first + index)).flat();
      const reply = engine.run(name, key, ...words);
      if (reply.startsWith('-')) throw new Error(reply);
    }
  };
}

const FILLS: Readonly<Record<string, Fill>> = {
  string: (engine, key, count) => void engine.run('SET', key, 'v'.repeat(count)),
  list: pushing('RPUSH', (index) => [`element:${index}`]),
  set: pushing('SADD', (index) => [`member:${index}`]),
  'set of integers': pushing('SADD', (index) => [String(index * 3)]),
  hash: pushing('HSET', (index) => [`field:${index}`, `value:${index}`]),
  zset: pushing('ZADD', (index) => [String(index % 97), `member:${index}`]),
  array: pushing('ARINSERT', (index) => [`value:${index}`]),
  'array of far positions': pushing('ARMSET', (index) => [
    String(index * 1_000_003),
    `value:${index}`,
  ]),
  stream(engine, key, count) {
    for (let index = 0; index < count; index++) {
      engine.run('XADD', key, `${index + 1}-0`, 'field', `value:${index}`);
    }
    engine.run('XGROUP', 'CREATE', key, 'group', '0');
    engine.run('XREADGROUP', 'GROUP', 'group', 'consumer', 'STREAMS', key, '>');
  },
};
const KINDS = Object.keys(FILLS);
/** Those with blocks enough that UNLINK puts their freeing off. */
const STEPWISE = ['list', 'set', 'hash', 'zset', 'stream', 'array', 'array of far positions'];

function start(partitions = 4, partitionBytes = 16 * 1024 * 1024): Engine {
  const config = new Config();
  config.set('enable-debug-command', ['yes']);
  const server = { config };
  return new Engine({ specs: allCommands, partitions, partitionBytes, databases: 4, server });
}

function fill(engine: Engine, kind: string, key: string, count: number): void {
  FILLS[kind]!(engine, key, count);
}

function usedBytes(engine: Engine): number {
  return engine.slabs.reduce((sum, slab) => sum + usedBytesOf(slab), 0);
}

function sumOf(engine: Engine, word: Header): number {
  return engine.slabs.reduce((sum, slab) => sum + slab.i32[word]!, 0);
}

function digest(engine: Engine): string {
  return engine.digest();
}

/** One value's digest, by a database of its own. */
function digestOf(engine: Engine, key: string): string {
  return engine.run('DEBUG', 'DIGEST-VALUE', key);
}

function upkeep(engine: Engine): void {
  engine.runner.readClock();
  for (const partition of engine.keyspace.partitions) {
    const step = { expires: true, nowMs: engine.clock.wallMs, give: null };
    for (let steps = 0; !upkeepStep(partition, step); steps++) {
      if (steps > 100_000) throw new Error('upkeep does not end');
    }
  }
}

describe.each(KINDS)('a key that holds a %s', (kind) => {
  it.each([SMALL, LARGE])('gives all its memory back when it is removed (%i elements)', (count) => {
    const engine = start();
    for (const remove of [
      () => engine.run('DEL', 'key'),
      () => engine.run('UNLINK', 'key'),
      () => engine.run('SET', 'key', 'short') && engine.run('DEL', 'key'),
      () => engine.run('RENAME', 'key', 'other') && engine.run('DEL', 'other'),
      () => engine.run('RENAME', 'key', '{key}other') && engine.run('DEL', '{key}other'),
      () => engine.run('MOVE', 'key', '2') && engine.run('FLUSHALL'),
      () => engine.run('PEXPIRE', 'key', '-1'),
      () => engine.run('FLUSHDB'),
    ]) {
      fill(engine, kind, 'key', count);
      expect(engine.run('EXISTS', 'key')).toBe(':1\r\n');
      remove();
      upkeep(engine);
      checkKeyspace(engine.keyspace);
      expect(usedBytes(engine), String(remove)).toBe(0);
    }
  });

  it('expires with its value, by access and by upkeep', () => {
    const engine = start();
    for (const isLazy of [false, true]) {
      engine.keyspace.freesLater.onExpiry = isLazy;
      fill(engine, kind, 'a', LARGE);
      fill(engine, kind, 'b', LARGE);
      engine.run('PEXPIRE', 'a', '10');
      engine.run('PEXPIRE', 'b', '10');
      checkKeyspace(engine.keyspace);
      engine.clock.wallMs += 2000;
      expect(engine.run('TYPE', 'a')).toBe('+none\r\n');
      upkeep(engine);
      checkKeyspace(engine.keyspace);
      expect(usedBytes(engine)).toBe(0);
    }
  });

  it.each([SMALL, LARGE])('is copied, within a partition and to others (%i elements)', (count) => {
    const engine = start();
    fill(engine, kind, 'key', count);
    const value = digestOf(engine, 'key');
    for (const target of ['{key}copy', 'a', 'b', 'c', 'd', 'e']) {
      expect(engine.run('COPY', 'key', target)).toBe(':1\r\n');
      expect(digestOf(engine, target)).toBe(value);
      expect(engine.run('OBJECT', 'ENCODING', target)).toBe(
        engine.run('OBJECT', 'ENCODING', 'key'),
      );
      expect(engine.run('COPY', 'key', target)).toBe(':0\r\n');
      expect(engine.run('COPY', 'key', target, 'REPLACE')).toBe(':1\r\n');
    }
    engine.run('COPY', 'key', 'key', 'DB', '3');
    engine.run('DEL', 'key');
    checkKeyspace(engine.keyspace);
    expect(digestOf(engine, '{key}copy')).toBe(value);
    engine.run('DEL', '{key}copy', 'a', 'b', 'c', 'd', 'e');
    engine.run('SELECT', '3');
    expect(digestOf(engine, 'key')).toBe(value);
    checkKeyspace(engine.keyspace);
  });

  it.each([SMALL, LARGE])('is renamed and moved whole (%i elements)', (count) => {
    const engine = start();
    fill(engine, kind, 'key', count);
    engine.run('PEXPIREAT', 'key', '9000000000000');
    const value = digestOf(engine, 'key');
    const names = ['key', '{key}b', 'c', 'd', '{d}e', 'f'];
    for (const [index, name] of names.entries()) {
      if (index === 0) continue;
      fill(engine, 'string', name, 10);
      expect(engine.run('RENAME', names[index - 1]!, name)).toBe('+OK\r\n');
      expect(digestOf(engine, name)).toBe(value);
      expect(engine.run('DBSIZE')).toBe(':1\r\n');
      checkKeyspace(engine.keyspace);
    }
    expect(engine.run('MOVE', 'f', '1')).toBe(':1\r\n');
    engine.run('SWAPDB', '1', '2');
    engine.run('SELECT', '2');
    expect(digestOf(engine, 'f')).toBe(value);
    expect(engine.run('PEXPIRETIME', 'f')).toBe(':9000000000000\r\n');
    checkKeyspace(engine.keyspace);
  });

  it('is flushed with its database, at once or in steps, while others stay', () => {
    const engine = start(1);
    for (const option of ['SYNC', 'ASYNC']) {
      fill(engine, kind, 'stays', LARGE);
      const stays = digest(engine);
      engine.run('SELECT', '1');
      for (let index = 0; index < 10; index++) fill(engine, kind, `key:${index}`, LARGE);
      const before = usedBytes(engine);
      engine.run('FLUSHDB', option);
      expect(digest(engine)).toBe(stays);
      if (option === 'ASYNC') {
        expect(usedBytes(engine)).toBeGreaterThanOrEqual(before);
        expect(sumOf(engine, Header.LazyPending)).toBe(10);
      }
      upkeep(engine);
      checkKeyspace(engine.keyspace);
      expect(sumOf(engine, Header.LazyPending)).toBe(0);
      expect(digest(engine)).toBe(stays);
      engine.run('SELECT', '0');
      engine.run('DEL', 'stays');
      upkeep(engine);
      expect(usedBytes(engine)).toBe(0);
    }
  });

  it('is named by TYPE and by SCAN with its type', () => {
    const engine = start();
    fill(engine, kind, 'key', SMALL);
    fill(engine, kind === 'string' ? 'list' : 'string', 'other', SMALL);
    const name = kind.split(' ')[0]!;
    expect(engine.run('TYPE', 'key')).toBe(`+${name}\r\n`);
    expect(engine.run('SCAN', '0', 'TYPE', name.toUpperCase())).toBe(
      '*2\r\n$1\r\n0\r\n*1\r\n$3\r\nkey\r\n',
    );
  });

  it('takes as much memory as MEMORY USAGE tells', () => {
    const engine = start(1);
    engine.run('SET', 'first', 'v');
    const before = usedBytes(engine) - bytesOfEntries(engine.keyspace.partitions[0]!);
    for (const count of [SMALL, 100, LARGE]) {
      fill(engine, kind, 'key', count);
      const told = Number(engine.run('MEMORY', 'USAGE', 'key').slice(1));
      const first = Number(engine.run('MEMORY', 'USAGE', 'first').slice(1));
      const used = usedBytes(engine);
      expect(Math.abs(told + first + before - used)).toBeLessThan(64 + used / 50);
      engine.run('DEL', 'key');
    }
  });
});

describe.each(STEPWISE)('a %s of many elements', (kind) => {
  it('is unlinked at once and freed in bounded steps', () => {
    const engine = start(1);
    const [slab] = engine.slabs;
    fill(engine, kind, 'key', 20_000);
    const before = usedBytes(engine);
    expect(engine.run('UNLINK', 'key')).toBe(':1\r\n');
    expect(engine.run('EXISTS', 'key')).toBe(':0\r\n');
    expect(usedBytes(engine)).toBe(before);
    expect(slab!.i32[Header.LazyPending]).toBe(1);
    let left = before;
    const partition = engine.keyspace.partitions[0]!;
    const step = { expires: true, nowMs: engine.clock.wallMs, give: null };
    while (slab!.i32[Header.LazyPending] !== 0) {
      upkeepStep(partition, step);
      // Far less than a tenth of it at once, whatever an element takes.
      expect(left - usedBytes(engine)).toBeLessThan(before / 10);
      left = usedBytes(engine);
      checkSlab(slab!);
    }
    upkeep(engine);
    expect(slab!.i32[Header.LazyFreed]).toBe(1);
    expect(usedBytes(engine)).toBe(0);
  });

  it('is freed later where lazyfree-lazy-user-del and -server-del say so', () => {
    const engine = start(2);
    const { freesLater } = engine.keyspace;
    const removals: [setting: 'onDelete' | 'onOverwrite', words: string[]][] = [
      ['onDelete', ['DEL', 'key']],
      ['onOverwrite', ['SET', 'key', 'v']],
      ['onOverwrite', ['RENAME', 'short', 'key']],
      ['onOverwrite', ['COPY', 'short', 'key', 'REPLACE']],
    ];
    for (const [setting, words] of removals) {
      for (const isLater of [false, true]) {
        engine.run('SET', 'short', 'v');
        fill(engine, kind, 'key', LARGE);
        freesLater[setting] = isLater;
        engine.run(...words);
        freesLater[setting] = false;
        expect(sumOf(engine, Header.LazyPending), words[0]).toBe(isLater ? 1 : 0);
        upkeep(engine);
        checkKeyspace(engine.keyspace);
        engine.run('DEL', 'key', 'short');
        upkeep(engine);
        expect(usedBytes(engine)).toBe(0);
      }
    }
  });

  it('is room for others as soon as it is unlinked', () => {
    const engine = start(1, 4 * 1024 * 1024);
    const room = (): number => {
      let keys = 0;
      while (engine.run('SET', `key:${keys}`, 'v'.repeat(4000)) === '+OK\r\n') keys++;
      return keys;
    };
    const all = room();
    engine.run('FLUSHALL');
    fill(engine, kind, 'large', 5000);
    engine.run('UNLINK', 'large');
    // Less only by what is torn between blocks that stay.
    expect(room()).toBeGreaterThan(all * 0.8);
    checkKeyspace(engine.keyspace);
  });
});

describe('keys of all types', () => {
  it('have the digests that Redis 7.2 gives them', () => {
    const engine = start();
    engine.run('RPUSH', 'list', 'a', '1', 'b');
    engine.run('SADD', 'set', 'a', 'b', 'c');
    engine.run('SADD', 'numbers', '1', '2', '3');
    engine.run('HSET', 'hash', 'a', '1', 'b', '2');
    engine.run('ZADD', 'zset', '1.5', 'a', '1e17', 'b', 'inf', 'c', '-2', 'd');
    engine.run('XADD', 'stream', '1-2', 'a', '1', 'b', '2');
    engine.run('XADD', 'stream', '5-0', 'c', '3');
    for (const [key, expected] of [
      ['list', 'd5f44352f6226abea9252dad248ef5de0d964396'],
      ['set', '593c2414786d75446e97f4ea5d4b731f3313da72'],
      ['numbers', '2a462a3f51a1db89738ebbeef0c47ce1bbc85246'],
      ['hash', '6c8f22b3bf510fdcfd6122dd0f908a80e88243bf'],
      ['zset', '88bc647bb611f08ed2eb1b020c93235b4d3da152'],
      ['stream', '46b882656c635e36431942f0339ef1ca73f8fb74'],
    ]) {
      expect(digestOf(engine, key!), key).toBe(`*1\r\n+${expected}\r\n`);
    }
    engine.run('PEXPIRE', 'list', '1000000');
    expect(digest(engine)).toBe('6f8bfd07d237287ef86c739a0244977d0a5505d6');
  });

  randomTest('live through any commands about keys', 5, (random) => {
    const engine = start(random.pick([1, 2, 8]));
    const { freesLater } = engine.keyspace;
    for (let step = 0; step < 400; step++) {
      if (step % 50 === 0) {
        freesLater.onDelete = random.chance(0.5);
        freesLater.onOverwrite = random.chance(0.5);
        freesLater.onExpiry = random.chance(0.5);
      }
      randomStep(engine, random);
      if (random.chance(0.05)) upkeep(engine);
      if (step % 20 === 0) checkKeyspace(engine.keyspace);
    }
    checkKeyspace(engine.keyspace);
    for (let database = 0; database < 4; database++) {
      engine.run('SELECT', String(database));
      engine.run('FLUSHDB', random.pick(['SYNC', 'ASYNC']));
    }
    upkeep(engine);
    expect(usedBytes(engine)).toBe(0);
  });
});

function randomStep(engine: Engine, random: Random): void {
  const key = (): string => `${random.pick(['', '{tag}'])}k${random.below(8)}`;
  const database = (): string => String(random.below(4));
  const name = key();
  if (random.chance(0.35)) {
    engine.run('DEL', name);
    fill(engine, random.pick(KINDS), name, random.pick([1, 3, 64, 65, 129, 520]));
    return;
  }
  engine.clock.wallMs += random.below(20);
  engine.run(
    ...random.pick<() => string[]>([
      () => ['DEL', key(), key()],
      () => ['UNLINK', key(), key()],
      () => ['SET', key(), 'v'],
      () => ['RENAME', key(), key()],
      () => ['COPY', key(), key(), 'REPLACE'],
      () => ['COPY', key(), key(), 'DB', database(), 'REPLACE'],
      () => ['MOVE', key(), database()],
      () => ['SELECT', database()],
      () => ['SWAPDB', database(), database()],
      () => ['PEXPIRE', key(), String(random.below(100))],
      () => ['PERSIST', key()],
      () => (random.chance(0.1) ? ['FLUSHDB', random.pick(['SYNC', 'ASYNC'])] : ['DBSIZE']),
    ])(),
  );
}
