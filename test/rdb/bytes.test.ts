// Sinks and sources in pieces, as files will have them, payloads of real servers, and the bytes
// that Flagstone itself writes.

import { describe, expect, it } from 'vitest';
import { hashBytes } from '../../src/base/hash.js';
import { Slices } from '../../src/base/slices.js';
import { type EntryRef, Type } from '../../src/keyspace/entry.js';
import type { Partition } from '../../src/keyspace/partition.js';
import { Building } from '../../src/rdb/building.js';
import { readValue, reserveStore, storeValue } from '../../src/rdb/read.js';
import { ByteSink } from '../../src/rdb/sink.js';
import { ByteSource } from '../../src/rdb/source.js';
import { type Form, rdbTypeOf, writeValue } from '../../src/rdb/write.js';
import { randomTest } from '../support/random-test.js';
import { describeKey, dump, makeValue, startEngine } from './values.js';

const FORM: Form = { compresses: true, isExact: true, nowMs: -1 };

/** The entry of a key, and its word. */
function find(partition: Partition, key: string): { entry: EntryRef; args: Slices } {
  const args = Slices.of(key);
  args.hashes[0] = hashBytes(args.u8, 0, args.lengthOf(0));
  partition.select(0);
  return { entry: partition.find(args, 0, Type.Any), args };
}

/** A file of a few bytes at a time, each time in another buffer. */
class SlowSource extends ByteSource {
  private rest: Uint8Array;
  private readonly step: number;

  constructor(bytes: Uint8Array, step: number) {
    super();
    this.rest = bytes;
    this.step = step;
  }

  protected override refill(bytes: number): boolean {
    const left = this.u8.slice(this.at, this.end);
    const added = Math.max(this.step, bytes - left.length);
    const next = this.rest.subarray(0, added);
    this.rest = this.rest.subarray(next.length);
    const joined = new Uint8Array(left.length + next.length);
    joined.set(left);
    joined.set(next, left.length);
    this.open(joined, 0, joined.length);
    return joined.length >= bytes;
  }
}

describe('a value that passes through small buffers', () => {
  randomTest('is the same', 40, (random) => {
    const engine = startEngine();
    makeValue(random, (...words) => engine.run(...words), 'one', true);
    const partition = engine.keyspace.partitions[0]!;
    const pieces: Buffer[] = [];
    const sink = new ByteSink(
      (u8, length) => {
        pieces.push(Buffer.from(u8.subarray(0, length)));
      },
      random.pick([64, 100, 4096]),
    );
    const { entry } = find(partition, 'one');
    const type = rdbTypeOf(partition.slab, entry, FORM);

    writeValue(sink, partition.slab, entry, FORM);
    sink.end();

    const bytes = Buffer.concat(pieces);
    expect(sink.written).toBe(bytes.length);
    const source = new SlowSource(bytes, random.pick([1, 7, 500]));
    const building = new Building();
    const { args } = find(partition, 'two');
    readValue(source, type, building, partition, args.hashes[0]!);
    reserveStore(building, 3);
    storeValue(building, partition, args, 0, null);
    const radix = /radix-tree-\w+\r\n:\d+/g;
    const [one, two] = ['one', 'two'].map((key) => describeKey(engine, key));
    // The exact form keeps even the times at which consumers last got something.
    expect({ ...two, stream: two!.stream!.replaceAll(radix, '') }).toEqual({
      ...one,
      stream: one!.stream!.replaceAll(radix, ''),
    });
    expect(source.at).toBe(source.end);
  });
});

const LIST = [['RPUSH', 'k', 'a', '1', '-5', 'hello world', String(2 ** 40), 'x'.repeat(70)]];
const STREAM = [
  ['XADD', 'k', '1-1', 'f', 'v', 'g', '7'],
  ['XADD', 'k', '1-2', 'f', 'w', 'g', '8'],
  ['XADD', 'k', '2-0', 'other', 'z'],
  ['XDEL', 'k', '1-2'],
  ['XGROUP', 'CREATE', 'k', 'grp', '0'],
  ['XREADGROUP', 'GROUP', 'grp', 'alice', 'COUNT', '1', 'STREAMS', 'k', '>'],
];

/** What DUMP of Redis 7.0.15 and 7.2.6 answered for keys that these commands made. */
const OF_REDIS: readonly (readonly [name: string, made: string[][], payload: string])[] = [
  [
    'a list of 7.0',
    LIST,
    '120102c32f406f1b6f00000006008161020101dffb028b68656c6c6f20776f726c640cf4201a08000001' +
      '000009e04678e03c000148ff0a0004a19f87d6a67262',
  ],
  [
    'a list of 7.2',
    LIST,
    '120102c32f406f1b6f00000006008161020101dffb028b68656c6c6f20776f726c640cf4201a08000001' +
      '000009e04678e03c000148ff0b006d7e22f42b399beb',
  ],
  [
    'an intset of 7.0',
    [['SADD', 'k', '1', '2', '300']],
    '0b0e0200000003000000010002002c010a00e510b28e7b9529aa',
  ],
  ['a set of 7.0', [['SADD', 'k', 'a', 'b', '12']], '0203c00c016201610a00386ec1000e58daf0'],
  [
    'a set of 7.2',
    [['SADD', 'k', 'a', 'b', '12']],
    '140f0f00000003008161028162020c01ff0b00d36943317dfe6406',
  ],
  [
    'a sorted set of 7.2',
    [['ZADD', 'k', '1', 'a', '2.5', 'b', '-inf', 'c']],
    '111d1d0000000600816302842d696e6605816102010181620283322e3504ff0b00504d8ee81c80dbb4',
  ],
  [
    'a hash of 7.0',
    [['HSET', 'k', 'f', 'v', 'g', '12']],
    '10121200000004008166028176028167020c01ff0a00de133993f783817e',
  ],
  [
    'a stream of 7.0',
    STREAM,
    '130110000000000000000100000000000000014044440000001900020101010201816602816702000102' +
      '0100010001817602070105010301000101018177020801050100010101dfff020101856f746865720681' +
      '7a020601ff02020001010102030103677270010181ffffffffffffffff01000000000000000100000000' +
      '000000018f80affea1010000010105616c6963658f80affea10100000100000000000000010000000000' +
      '0000010a009e096a59bb275ac0',
  ],
  [
    'a stream of 7.2',
    STREAM,
    '150110000000000000000100000000000000014044440000001900020101010201816602816702000102' +
      '0100010001817602070105010301000101018177020801050100010101dfff020101856f746865720681' +
      '7a020601ff02020001010102030103677270010181ffffffffffffffff01000000000000000100000000' +
      '00000001a180affea1010000010105616c696365a180affea1010000a180affea1010000010000000000' +
      '00000100000000000000010b00244d1ccd89796809',
  ],
];

describe('a payload of a real server', () => {
  it.each(OF_REDIS)('is read: %s', (_, made, payload) => {
    const engine = startEngine();
    for (const words of made) expect(engine.run(...words)).not.toMatch(/^-/);
    const before = describeKey(engine, 'k');

    const bytes = Buffer.from(payload, 'hex');
    expect(engine.run('RESTORE', 'k', '0', bytes, 'REPLACE')).toBe('+OK\r\n');

    const times = /(\w+-time|radix-tree-\w+)\r\n:\d+|:1\d{12}/g;
    const after = describeKey(engine, 'k');
    expect(after.stream!.replaceAll(times, '')).toBe(before.stream!.replaceAll(times, ''));
    expect(after.digest).toBe(before.digest);
  });
});

describe('DUMP writes', () => {
  const versionOf = (bytes: string) => Buffer.from(bytes, 'latin1').readUInt16LE(bytes.length - 10);

  it('the version that Redis 7.0 reads, whatever the type', () => {
    const engine = startEngine();
    for (const words of [
      ['SET', 'string', 'value'],
      ['RPUSH', 'list', 'a'],
      ['SADD', 'set', 'a'],
      ['SADD', 'integers', '1'],
      ['ZADD', 'zset', '1', 'a'],
      ['HSET', 'hash', 'f', 'v'],
      ['XADD', 'stream', '1-1', 'f', 'v'],
    ]) {
      engine.run(...words);
      expect(versionOf(dump(engine, words[1]!)!)).toBe(10);
    }
  });

  it('the version of Redis 7.4 for a hash with times, and no more once it has none', () => {
    const engine = startEngine();
    engine.run('HSET', 'hash', 'f', 'v');
    engine.run('HEXPIRE', 'hash', '100', 'FIELDS', '1', 'f');
    const timed = dump(engine, 'hash')!;
    engine.run('HPERSIST', 'hash', 'FIELDS', '1', 'f');

    expect([timed.charCodeAt(0), versionOf(timed)]).toEqual([24, 12]);
    const untimed = dump(engine, 'hash')!;
    expect([untimed.charCodeAt(0), versionOf(untimed)]).toEqual([4, 10]);
  });
});
