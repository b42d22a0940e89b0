// Payloads that are not what they claim to be: they are refused, nothing is left of them, and they
// take neither much time nor much memory.

import { describe, expect, it } from 'vitest';
import { checkSlab } from '../../src/slab/check.js';
import { randomTest } from '../support/random-test.js';
import { partSeed, Random, seedOf } from '../support/seed.js';
import { FORMS, id, intset, LARGE_FORMS, listpack, little, ziplist, zipmap } from './forms.js';
import {
  checkEmptied,
  checkKeyspace,
  describeKey,
  dump,
  makeValue,
  payload,
  startEngine,
  text,
  usedBytesOf,
  withCrc,
} from './values.js';

const BAD_DATA = '-ERR Bad data format\r\n';
const BAD_PAYLOAD = '-ERR DUMP payload version or checksum are wrong\r\n';
const body = (...parts: readonly Buffer[]) => Buffer.concat(parts);
const HUGE = Buffer.of(0x80, 0x7f, 0xff, 0xff, 0xff);
const ENDLESS = Buffer.of(0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);

/** With some bytes at a place overwritten. */
function changed(bytes: Buffer, at: number, ...values: readonly number[]): Buffer {
  const copy = Buffer.from(bytes);
  for (const [index, value] of values.entries()) copy[at + index] = value;
  return copy;
}

const LIES: readonly (readonly [name: string, type: number, content: Buffer])[] = [
  ['no body', 0, Buffer.alloc(0)],
  ['a type that nobody has', 8, text('value')],
  ['a module', 7, text('value')],
  ['a type of Flagstone for nothing', 200, text('value')],
  ['an array of nothing', 192, Buffer.of(0, 0)],
  ['an array of fewer values', 192, body(Buffer.of(2, 0, 0), text('a'))],
  [
    'an array with a value behind the last position',
    192,
    body(Buffer.of(1, 0), ENDLESS, text('a')),
  ],
  ['a string shorter than it says', 0, Buffer.of(20, 0x61)],
  ['a string of gigabytes', 0, body(HUGE, Buffer.from('short'))],
  ['a string with an endless length', 0, ENDLESS],
  ['a length of no form', 0, Buffer.of(0x82, 1, 1, 1, 1)],
  ['an encoding of no form', 0, Buffer.of(0xc4, 1)],
  ['a compressed string that claims gigabytes', 0, body(Buffer.of(0xc3, 3), HUGE, text('abc'))],
  ['a compressed string that is shorter', 0, Buffer.of(0xc3, 3, 9, 1, 0x61, 0x61)],
  ['a compressed string that refers to before it', 0, Buffer.of(0xc3, 4, 4, 0, 0x61, 0x20, 9)],
  ['a list of nothing', 1, Buffer.of(0)],
  ['a list with fewer elements', 1, body(Buffer.of(3), text('a'), text('b'))],
  ['a list of billions of elements', 1, body(HUGE, text('a'))],
  ['a list with a node of no kind', 18, body(Buffer.of(1, 3), text(listpack('a')))],
  ['a list of empty nodes', 18, body(Buffer.of(1, 2), text(listpack()))],
  ['a list with an empty plain node', 18, body(Buffer.of(1, 1), text(''))],
  ['a set of nothing', 2, Buffer.of(0)],
  ['a set with a member twice', 2, body(Buffer.of(2), text('a'), text('a'))],
  ['a set with an integer twice', 2, body(Buffer.of(2), text('7'), Buffer.of(0xc0, 7))],
  ['an intset of nothing', 11, text(intset(2))],
  ['an intset that does not ascend', 11, text(intset(2, 5n, 4n))],
  ['an intset with an integer twice', 11, text(intset(4, 5n, 5n))],
  ['an intset of an odd width', 11, text(changed(intset(2, 5n, 6n), 0, 3))],
  ['an intset that is longer than it says', 11, text(changed(intset(2, 5n, 6n), 4, 1))],
  ['an intset of billions', 11, text(changed(intset(2, 5n), 4, 255, 255, 255, 255))],
  ['a set listpack with a member twice', 20, text(listpack('a', 'b', 'a'))],
  ['a sorted set with a member twice', 17, text(listpack('a', 1, 'a', 2))],
  ['a sorted set without a score', 17, text(listpack('a', 1, 'b'))],
  ['a sorted set with a score that is none', 17, text(listpack('a', 'b'))],
  ['a sorted set with NaN as score', 3, body(Buffer.of(1), text('a'), Buffer.of(253))],
  [
    'a sorted set with NaN as double',
    5,
    body(Buffer.of(1), text('a'), Buffer.of(0, 0, 0, 0, 0, 0, 0xf8, 0x7f)),
  ],
  ['a hash with a field twice', 16, text(listpack('a', 1, 'a', 2))],
  [
    'a hash of strings with a field twice',
    4,
    body(Buffer.of(2), ...['a', '1', 'a', '2'].map(text)),
  ],
  ['a hash without a value', 16, text(listpack('a', 1, 'b'))],
  ['a zipmap of nothing', 9, text(zipmap())],
  ['a zipmap with a field twice', 9, text(zipmap('a', '1', 'a', '2'))],
  ['a zipmap that claims more fields', 9, text(changed(zipmap('a', '1'), 0, 2))],
  ['a zipmap that ends in a field', 9, text(Buffer.of(1, 1, 0x61, 0xff))],
  ['a zipmap without an end', 9, text(Buffer.of(1, 1, 0x61, 1, 0, 0x61))],
  ['a time of a field before 1970', 25, body(id(0, 0).subarray(8), text(listpack('a', 1, -5)))],
  ['a time of a field that is none', 25, body(id(0, 0).subarray(8), text(listpack('a', 1, 'x')))],
  ['a listpack that claims more bytes', 16, text(changed(listpack('a', 1), 0, 200))],
  ['a listpack that claims more elements', 16, text(changed(listpack('a', 1), 4, 4))],
  [
    'a listpack without an end',
    16,
    text(changed(listpack('a', 1), listpack('a', 1).length - 1, 1)),
  ],
  ['a listpack with a wrong way back', 16, text(changed(listpack('a', 1), 8, 9))],
  ['a listpack with an element beyond its end', 16, text(changed(listpack('a', 1), 6, 0x8f))],
  ['a ziplist that claims more bytes', 13, text(changed(ziplist('a', 1), 0, 200))],
  ['a ziplist that claims more elements', 13, text(changed(ziplist('a', 1), 8, 4))],
  ['a ziplist with another last element', 13, text(changed(ziplist('a', 1), 4, 10))],
  ['a ziplist with a wrong way back', 13, text(changed(ziplist('a', 1), 13, 9))],
  ['a stream of billions of blocks', 15, HUGE],
  ['a stream with an ID that is none', 15, body(Buffer.of(1), text('short'))],
  ...streamLies(),
];

function streamLies(): (readonly [string, number, Buffer])[] {
  const entries = (...elements: (string | number)[]) =>
    body(Buffer.of(1), text(id(5, 1)), text(listpack(...elements)));
  const one = [1, 0, 1, 'a', 0, 2, 0, 0, 'x', 4];
  const marks = (count: number) => Buffer.of(count, 5, 1, 0);
  const good = entries(...one);
  const group = (...parts: Buffer[]) => body(good, Buffer.of(1, 5, 1, 1), ...parts);
  const named = body(text('group'), Buffer.of(5, 1));
  const pending = body(Buffer.of(1), id(5, 1), id(0, 0).subarray(8), Buffer.of(1));
  const alice = body(text('alice'), id(0, 0).subarray(8));
  const owned = body(Buffer.of(1), id(5, 1));
  return [
    ['a stream with another length', 15, body(good, marks(2))],
    ['a stream with an entry beyond its last ID', 15, body(good, Buffer.of(1, 4, 0, 0))],
    [
      'a stream whose entries do not ascend',
      15,
      body(entries(2, 0, 1, 'a', 0, 2, 0, 4, 'x', 4, 2, 0, 4, 'x', 4), marks(2)),
    ],
    [
      'a stream whose blocks do not ascend',
      15,
      body(
        Buffer.of(2),
        ...[text(id(5, 1)), text(listpack(...one)), text(id(5, 1)), text(listpack(...one))],
        marks(2),
      ),
    ],
    ['a stream with fewer entries', 15, body(entries(2, ...one.slice(1)), marks(2))],
    ['a stream with more entries', 15, body(entries(...one, ...one.slice(5)), marks(1))],
    ['a stream with an entry of other pieces', 15, body(entries(...one.slice(0, 9), 5), marks(1))],
    ['a stream with an entry of no fields', 15, body(entries(1, 0, 0, 0, 2, 0, 0, 3), marks(1))],
    ['a stream with billions of fields', 15, body(entries(1, 0, 2 ** 40, 'a', 0), marks(1))],
    ['a stream with less than no entries', 15, body(entries(-1, 0, 1, 'a', 0), marks(0))],
    [
      'a group that is there twice',
      15,
      body(...[good, Buffer.of(1, 5, 1, 2), named, Buffer.of(0, 0), named, Buffer.of(0, 0)]),
    ],
    [
      'a consumer that is there twice',
      15,
      group(...[named, Buffer.of(0, 2), alice, Buffer.of(0), alice, Buffer.of(0)]),
    ],
    ['a pending entry of nobody', 15, group(named, pending, Buffer.of(0))],
    [
      'a pending entry of two consumers',
      15,
      group(
        ...[named, pending, Buffer.of(2), alice, owned],
        ...[text('bob'), id(0, 0).subarray(8), owned],
      ),
    ],
    [
      'a consumer with an entry that is not pending',
      15,
      group(...[named, Buffer.of(0, 1), alice, owned]),
    ],
    [
      'a group with an entry pending twice',
      15,
      group(
        ...[named, Buffer.of(2), pending.subarray(1), pending.subarray(1)],
        ...[Buffer.of(1), alice, owned],
      ),
    ],
    ...producerLies(body(good, Buffer.of(1, 5, 1, 5, 1, 0, 0, 1, 0))),
  ];
}

/** Of a stream without groups. */
function producerLies(stream: Buffer): (readonly [string, number, Buffer])[] {
  const iid = (name: string, ms: number) =>
    body(text(name), id(5, 1), body(Buffer.from(little(ms, 8))));
  const one = (...iids: Buffer[]) => body(text('p'), Buffer.of(iids.length), ...iids);
  const lie = (limits: number[], ...producers: Buffer[]) =>
    body(stream, Buffer.of(...limits, 0, 0, producers.length), ...producers);
  const good = one(iid('a', 5));
  return [
    ['producers whose iids live for no time', 193, lie([0, 5], good)],
    ['producers that may have no iids', 193, lie([60, 0], good)],
    ['a producer with more iids than it may', 193, lie([60, 1], one(iid('a', 5), iid('b', 5)))],
    ['a producer without iids', 193, lie([60, 5], one())],
    ['a producer without a name', 193, lie([60, 5], body(text(''), Buffer.of(1), iid('a', 5)))],
    ['a producer that is there twice', 193, lie([60, 5], good, good)],
    ['an iid that is there twice', 193, lie([60, 5], one(iid('a', 5), iid('a', 5)))],
    ['an iid without a name', 193, lie([60, 5], one(iid('', 5)))],
    [
      'iids that do not come in the order of time',
      193,
      lie([60, 5], one(iid('a', 5), iid('b', 4))),
    ],
    ['an iid from before 1970', 193, lie([60, 5], one(iid('a', -1)))],
  ];
}

describe('RESTORE refuses', () => {
  it.each(LIES)('%s', (_, type, content) => {
    const engine = startEngine();
    const used = usedBytesOf(engine.slabs[0]!);

    expect(engine.run('RESTORE', 'key', '0', payload(type, content, 12))).toBe(BAD_DATA);

    expect(engine.run('EXISTS', 'key')).toBe(':0\r\n');
    checkEmptied(engine, used);
  });

  it('a value that has lost its last byte, of any form', () => {
    const engine = startEngine();
    const used = usedBytesOf(engine.slabs[0]!);
    for (const { name, bytes } of [...FORMS, ...LARGE_FORMS]) {
      const cut = Buffer.concat([bytes.subarray(0, -11), bytes.subarray(-10, -8)]);
      const answer = engine.run('RESTORE', name, '0', withCrc(cut));
      // What is left of a text is a text.
      if (!/^an? .*string/.test(name) || name.includes('compressed')) {
        expect(answer, name).toBe(BAD_DATA);
      }
      engine.run('DEL', name);
    }
    checkEmptied(engine, used);
  });

  it('a newer version, a wrong checksum, and what is too short for both', () => {
    const engine = startEngine();
    const good = payload(0, text('value'));

    expect(engine.run('RESTORE', 'key', '0', payload(0, text('value'), 13))).toBe(BAD_PAYLOAD);
    expect(engine.run('RESTORE', 'key', '0', changed(good, 3, 0x62))).toBe(BAD_PAYLOAD);
    expect(engine.run('RESTORE', 'key', '0', changed(good, good.length - 1, 1))).toBe(BAD_PAYLOAD);
    expect(engine.run('RESTORE', 'key', '0', good.subarray(0, 9))).toBe(BAD_PAYLOAD);
    expect(engine.run('RESTORE', 'key', '0', '')).toBe(BAD_PAYLOAD);
    expect(engine.run('RESTORE', 'key', '0', good)).toBe('+OK\r\n');
  });

  it('consumers by the hundred thousand that come in the worst order, without much ado', () => {
    const count = 200_000;
    const consumers = Array.from({ length: count }, (_, index) =>
      body(text(`c${1_000_000 - index}`), Buffer.alloc(9)),
    );
    const many = Buffer.of(0x80, ...little(count, 4).reverse());
    const group = Buffer.concat([text('group'), Buffer.of(0, 0, 0), many, ...consumers]);
    const engine = startEngine({ partitionBytes: 64 * 1024 * 1024 });

    const startedMs = performance.now();
    const bytes = payload(15, body(Buffer.of(0, 0, 0, 0, 1), group));
    expect(engine.run('RESTORE', 'key', '0', bytes)).toBe(BAD_DATA);
    expect(performance.now() - startedMs).toBeLessThan(10_000);
  });
});

const ITERATIONS = 20_000;
const CHECK_EACH = 500;

describe('RESTORE survives', () => {
  it('payloads with one to three wrong bytes, and leaves nothing of them', () => {
    const seed = seedOf('SEED');
    const engine = startEngine({ partitionBytes: 8 * 1024 * 1024 });
    const used = usedBytesOf(engine.slabs[0]!);
    const seeds = [...FORMS, ...LARGE_FORMS.slice(2, 4)].map(({ bytes }) => bytes);
    let accepted = 0;
    for (let run = 0; run < ITERATIONS; run++) {
      const random = new Random(partSeed(seed, run));
      const bytes = spoilt(random, random.pick(seeds));
      const title = `SEED=${seed}, run ${run}: ${bytes.toString('hex')}`;

      const answer = engine.run('RESTORE', 'key', '0', bytes);

      expect(answer === '+OK\r\n' || answer === BAD_DATA, `${title}\n${answer}`).toBe(true);
      if (answer === '+OK\r\n') {
        accepted++;
        if (accepted % 20 === 0) checkKeyspace(engine.keyspace);
        engine.run('DEL', 'key');
      }
      if (run % CHECK_EACH === 0) {
        expect(usedBytesOf(engine.slabs[0]!), title).toBe(used);
        checkSlab(engine.slabs[0]!);
      }
    }
    checkEmptied(engine, used);
    // The fuzzing is of use only as long as both happens.
    expect(accepted).toBeGreaterThan(ITERATIONS / 50);
    expect(accepted).toBeLessThan(ITERATIONS / 2);
  });
});

/** With some bytes of type and body changed, and a checksum that says so. */
function spoilt(random: Random, bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes.subarray(0, -8));
  for (let count = random.between(1, 3); count > 0; count--) {
    const at = random.below(copy.length - 2);
    copy[at] = random.chance(0.5) ? random.below(256) : copy[at]! ^ (1 << random.below(8));
  }
  return withCrc(copy);
}

describe('a value that does not fit into its partition', () => {
  randomTest('is refused, and what was there is there still', 20, (random) => {
    const large = startEngine();
    makeValue(random, (...words) => large.run(...words), 'key', true);
    const bytes = dump(large, 'key')!;
    const small = startEngine({ partitionBytes: 1024 * 1024 });
    small.run('SET', 'key', 'before');
    fillUp(small);
    const used = usedBytesOf(small.slabs[0]!);

    const answer = small.run('RESTORE', 'key', '0', bytes, 'REPLACE');

    if (answer !== '+OK\r\n') {
      expect(answer).toMatch(/^-OOM command not allowed: partition 0/);
      expect(small.run('GET', 'key')).toBe('$6\r\nbefore\r\n');
      expect(usedBytesOf(small.slabs[0]!)).toBe(used);
    }
    checkKeyspace(small.keyspace);
  });

  it('is freed when it is half built', () => {
    const large = startEngine();
    for (let index = 0; index < 40; index++) {
      const members = Array.from({ length: 1000 }, (_, at) => `member:${index}:${at}`);
      large.run('SADD', 'set', ...members);
      large.run('RPUSH', 'list', ...members, ...members);
      large.run('HSET', 'hash', ...members);
      large.run('ZADD', 'zset', ...members.flatMap((member, at) => [String(at), member]));
      large.run('XADD', 'stream', `${index + 1}-1`, ...members, ...members);
    }
    const small = startEngine({ partitionBytes: 1024 * 1024 });
    const used = usedBytesOf(small.slabs[0]!);
    for (const key of ['set', 'list', 'hash', 'zset', 'stream']) {
      expect(small.run('RESTORE', key, '0', dump(large, key)!), key).toMatch(/^-OOM/);
      expect(usedBytesOf(small.slabs[0]!)).toBe(used);
      expect(describeKey(large, key).type).not.toBe('+none');
    }
    checkEmptied(small, used);
  });
});

function fillUp(engine: ReturnType<typeof startEngine>): void {
  const filling = 'x'.repeat(1000);
  for (let index = 0; ; index++) {
    if (engine.run('SET', `fill${index}`, filling).startsWith('-')) return;
  }
}
