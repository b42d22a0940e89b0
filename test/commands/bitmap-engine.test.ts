// Bitmap commands on one engine in this process: replies and the order of refusals, what they leave
// in the log, which events they announce, and that the structures below stay whole.

import { describe, expect, it } from 'vitest';
import { Slices } from '../../src/base/slices.js';
import { bitmapCommands } from '../../src/commands/bitmap.js';
import { stringCommands } from '../../src/commands/string/index.js';
import { limits } from '../../src/dispatch/limits.js';
import { placeKey } from '../../src/dispatch/route.js';
import { Encoding, hashOfEntry, setPayload, Type } from '../../src/keyspace/entry.js';
import { checkExpiry } from '../../src/keyspace/expire.js';
import { stringEncodingName } from '../../src/keyspace/strings.js';
import { usedBytesOf } from '../../src/slab/slab.js';
import { checkTable } from '../../src/structs/table.js';
import { Engine, type EngineOptions } from '../support/engine.js';
import { answer, play } from '../support/rows.js';
import { Random, seedOf } from '../support/seed.js';

function start(options: Partial<EngineOptions> = {}): Engine {
  return new Engine({ specs: [...stringCommands, ...bitmapCommands], ...options });
}

function check(engine: Engine): void {
  for (const partition of engine.keyspace.partitions) {
    partition.select(0);
    checkTable(partition.slab, partition.tableRoot, hashOfEntry);
    checkExpiry(partition.slab, partition.expiryRoot);
  }
}

function usedBytes(engine: Engine): number {
  return engine.slabs.reduce((sum, slab) => sum + usedBytesOf(slab), 0);
}

/** The placed key, for doors. */
function placed(engine: Engine, key: string) {
  const args = Slices.of(key);
  const partition = engine.keyspace.partitions[placeKey(engine.keyspace, args, 0)]!;
  partition.select(0);
  return { args, partition };
}

/** A key that holds no string: an entry of another type and no value. */
function createSet(engine: Engine, key: string): void {
  const { args, partition } = placed(engine, key);
  const entry = partition.create(args, 0, Type.Set, Encoding.Integer, 0, 0);
  setPayload(partition.slab, entry, 0, 0);
}

function encodingNameOf(engine: Engine, key: string): string {
  const { args, partition } = placed(engine, key);
  return stringEncodingName(partition.slab, partition.peek(args, 0));
}

function isVolatile(engine: Engine): boolean {
  return engine.keyspace.partitions.some((partition) => partition.volatileCountOf(0) > 0);
}

const SYNTAX = '-ERR syntax error';
const NOT_INTEGER = '-ERR value is not an integer or out of range';
const WRONG_TYPE = '-WRONGTYPE Operation against a key holding the wrong kind of value';
const OFFSET = '-ERR bit offset is not an integer or out of range';
const BIT = '-ERR bit is not an integer or out of range';
const TYPE =
  '-ERR Invalid bitfield type. Use something like i16 u8. ' +
  'Note that u64 is not supported but i64 is.';

describe('the order of refusals', () => {
  it('is words, then type, for single bits and for fields', () => {
    const engine = start();
    createSet(engine, 's');
    play(engine, [
      ['SETBIT s x y', OFFSET],
      ['SETBIT s 0 y', BIT],
      ['SETBIT s 0 2', BIT],
      ['SETBIT s 0 1', WRONG_TYPE],
      ['GETBIT s x', OFFSET],
      ['GETBIT s 0', WRONG_TYPE],
      ['BITFIELD s GET u8 0 GET u64 0', TYPE],
      ['BITFIELD s GET u8 0 SET u8 x y', OFFSET],
      ['BITFIELD s GET u8 0 SET u8 0 y', NOT_INTEGER],
      ['BITFIELD s OVERFLOW BAD SET x', '-ERR Invalid OVERFLOW type specified'],
      ['BITFIELD s SET u8 0', SYNTAX],
      ['BITFIELD s GET u8 0 OVERFLOW', SYNTAX],
      ['BITFIELD s SET u8 0 1', WRONG_TYPE],
      ['BITFIELD s GET u8 0', WRONG_TYPE],
      ['BITFIELD s', WRONG_TYPE],
      ['BITFIELD_RO s SET u8 0 1', '-ERR BITFIELD_RO only supports the GET subcommand'],
      ['BITFIELD_RO s SET u8 0 1 GET', SYNTAX],
      ['BITFIELD_RO s OVERFLOW SAT', WRONG_TYPE],
      ['BITFIELD_RO missing OVERFLOW SAT', '*0'],
    ]);
  });

  it('is key, then words, for counting, and the bit before the key for finding', () => {
    const engine = start();
    createSet(engine, 's');
    engine.run('SET', 'k', 'a');
    play(engine, [
      ['BITCOUNT s x', WRONG_TYPE],
      ['BITCOUNT missing x', ':0'],
      ['BITCOUNT k 0', SYNTAX],
      ['BITCOUNT k 0 x BAD', NOT_INTEGER],
      ['BITCOUNT k -1 -2 BAD', ':0'],
      ['BITCOUNT k -9223372036854775807 -9223372036854775808 BAD', ':0'],
      ['BITCOUNT k -9223372036854775808 -9223372036854775807 BAD', SYNTAX],
      ['BITCOUNT k 0 0 BIT x', SYNTAX],
      ['BITPOS s x', NOT_INTEGER],
      ['BITPOS s 2', '-ERR The bit argument must be 1 or 0.'],
      ['BITPOS s 1 x', WRONG_TYPE],
      ['BITPOS missing 0 x', ':0'],
      ['BITPOS k 1 x y BAD', NOT_INTEGER],
      ['BITPOS k 1 0 y BAD', SYNTAX],
      ['BITPOS k 1 0 y BIT', NOT_INTEGER],
      ['BITPOS k 1 0 0 BIT BIT', SYNTAX],
    ]);
  });

  it('is operation, then number of sources, then their types, for BITOP', () => {
    const engine = start();
    createSet(engine, 's');
    engine.run('SET', 'k', 'a');
    play(engine, [
      ['BITOP BAD t s', SYNTAX],
      ['BITOP not t s s', '-ERR BITOP NOT must be called with a single source key.'],
      ['BITOP diff t s', '-ERR BITOP DIFF must be called with at least two source keys.'],
      ['BITOP diff1 t s', '-ERR BITOP DIFF1 must be called with at least two source keys.'],
      ['BITOP andor t s', '-ERR BITOP ANDOR must be called with at least two source keys.'],
      ['BITOP ONE t s', WRONG_TYPE],
      ['BITOP OR t k s', WRONG_TYPE],
      ['BITOP OR s s', WRONG_TYPE],
      ['GET t', '$-1'],
      ['BITOP ONE s k', ':1'],
      ['GET s', '$1 a'],
    ]);
    check(engine);
  });
});

describe('offsets', () => {
  it('reach to the last bit of the longest string there may be', () => {
    const bytes = limits.bulkBytesMax;
    limits.bulkBytesMax = 100;
    try {
      const engine = start();
      play(engine, [
        ['SETBIT k 799 1', ':0'],
        ['STRLEN k', ':100'],
        ['SETBIT k 800 1', OFFSET],
        ['GETBIT k 799', ':1'],
        ['GETBIT k 800', OFFSET],
        ['BITFIELD k GET u8 799', '*1 :128'],
        ['BITFIELD k SET u8 800 1', OFFSET],
        ['BITFIELD k SET u8 #99 255', '*1 :1'],
        ['BITFIELD k SET u8 #100 255', OFFSET],
        // Only where a field begins is limited.
        ['BITFIELD k SET i64 799 -1', '*1 :-9223372036854775808'],
        ['STRLEN k', ':108'],
      ]);
    } finally {
      limits.bulkBytesMax = bytes;
    }
  });

  it('of fields are multiplied in 64 bits', () => {
    const engine = start();
    play(engine, [
      ['BITFIELD k SET u8 #2305843009213693953 7', '*1 :0'],
      ['BITFIELD k GET u8 8', '*1 :7'],
      ['BITFIELD k GET u8 #9223372036854775807', OFFSET],
      ['BITFIELD k GET u8 #9223372036854775808', OFFSET],
      ['BITFIELD k GET u8 #', OFFSET],
      ['SETBIT k #1 1', OFFSET],
    ]);
  });

  it('beyond the memory of a partition are refused and change nothing', () => {
    const engine = start({ partitions: 1, partitionBytes: 4 * 1024 * 1024 });
    engine.run('SET', 'k', 'a', 'PX', '1000');
    const before = usedBytes(engine);
    expect(answer(engine, 'SETBIT k 4294967295 1')).toMatch(/^-OOM /);
    expect(answer(engine, 'SETBIT new 4294967295 1')).toMatch(/^-OOM /);
    expect(answer(engine, 'BITFIELD k SET u8 4294967295 1')).toMatch(/^-OOM /);
    expect(usedBytes(engine)).toBe(before);
    play(engine, [
      ['GET k', '$1 a'],
      ['GET new', '$-1'],
    ]);
    check(engine);
  });

  it('inside a string can be written when the partition has no room for a second one', () => {
    const engine = start({ partitions: 1, partitionBytes: 4 * 1024 * 1024 });
    play(engine, [
      ['SETBIT k 16777216 1', ':0'],
      ['SETBIT k 7 1', ':0'],
      ['BITFIELD k INCRBY u8 #0 1', '*1 :2'],
      ['BITOP OR k k', ':2097153'],
      ['BITCOUNT k', ':2'],
    ]);
    expect(answer(engine, 'BITOP OR t k')).toMatch(/^-OOM /);
    check(engine);
  });
});

describe('BITOP', () => {
  const TRUTH: readonly (readonly [operation: string, result: string])[] = [
    ['AND', '\x01'],
    ['OR', '\x7f'],
    ['XOR', '\x69'],
    ['DIFF', '\x08'],
    ['DIFF1', '\x70'],
    ['ANDOR', '\x07'],
    ['ONE', '\x68'],
  ];

  it('knows eight operations', () => {
    const engine = start();
    // The three sources hold every combination of three bits.
    engine.run('SET', 'x', '\x0f');
    engine.run('SET', 'y', '\x33');
    engine.run('SET', 'z', '\x55');
    for (const [operation, result] of TRUTH) {
      expect(answer(engine, `BITOP ${operation} t x y z`), operation).toBe(':1');
      expect(engine.run('GET', 't'), operation).toBe(`$1\r\n${result}\r\n`);
    }
    play(engine, [
      ['BITOP ONE t x', ':1'],
      ['BITOP NOT t x', ':1'],
    ]);
    expect(engine.run('GET', 't')).toBe('$1\r\n\xf0\r\n');
  });

  it('reads numbers as their text, each source its own', () => {
    const engine = start();
    play(engine, [
      ['SET a 1111', '+OK'],
      ['SET b 22', '+OK'],
      ['BITOP OR t a b', ':4'],
      ['GET t', '$4 3311'],
      ['BITOP OR a a b', ':4'],
      ['GET a', '$4 3311'],
      ['INCR a', ':3312'],
    ]);
    expect(encodingNameOf(engine, 't')).toBe('raw');
  });

  it('leaves a raw string without expiry, whatever the target was', () => {
    for (const length of [1, 30, 4096, 4097, 9000]) {
      for (const old of ['7', 'x', 'y'.repeat(5000), 'z'.repeat(20_000)]) {
        const engine = start();
        const text = 'a'.repeat(length);
        engine.run('SET', 'k', text);
        engine.run('SET', 't', old, 'PX', '100000');
        expect(engine.run('BITOP', 'OR', 't', 'k')).toBe(`:${length}\r\n`);
        expect(engine.run('GET', 't')).toBe(`$${length}\r\n${text}\r\n`);
        expect(encodingNameOf(engine, 't')).toBe('raw');
        expect(isVolatile(engine)).toBe(false);
        check(engine);
      }
    }
  });

  it('may write to one of its sources, which loses its expiry', () => {
    for (const length of [2, 50, 4096, 4097, 9000]) {
      for (const line of [
        'BITOP XOR t t k',
        'BITOP XOR t k t',
        'BITOP XOR t t t k',
        'BITOP NOT t t',
      ]) {
        const engine = start();
        engine.run('SET', 'k', 'b'.repeat(length));
        engine.run('SET', 't', '12', 'PX', '100000');
        expect(answer(engine, line)).toBe(line.includes('NOT') ? ':2' : `:${length}`);
        const first = line.includes('t t t') ? '\x62\x62' : '\x53\x50';
        const text = line.includes('NOT') ? '\xce\xcd' : first + 'b'.repeat(length - 2);
        expect(engine.run('GET', 't'), line).toBe(`$${text.length}\r\n${text}\r\n`);
        expect(isVolatile(engine)).toBe(false);
        check(engine);
      }
    }
  });

  it('takes very many sources, missing ones and one many times', () => {
    const engine = start();
    const missing = Array.from({ length: 5000 }, (_, index) => `missing:${index}`);
    engine.run('SET', 'k', 'abc');
    expect(engine.run('BITOP', 'OR', 't', ...missing, 'k')).toBe(':3\r\n');
    expect(engine.run('GET', 't')).toBe('$3\r\nabc\r\n');
    expect(engine.run('BITOP', 'AND', 't', 'k', ...missing)).toBe(':3\r\n');
    expect(engine.run('GET', 't')).toBe('$3\r\n\0\0\0\r\n');
    expect(engine.run('BITOP', 'XOR', 't', ...Array<string>(4999).fill('k'))).toBe(':3\r\n');
    expect(engine.run('GET', 't')).toBe('$3\r\nabc\r\n');
    expect(engine.run('BITOP', 'OR', 't', ...missing)).toBe(':0\r\n');
    expect(engine.run('GET', 't')).toBe('$-1\r\n');
    check(engine);
  });

  it('does not see an expired source', () => {
    const engine = start();
    engine.run('SET', 'k', 'abc', 'PX', '10');
    engine.run('SET', 't', 'abc');
    engine.clock.wallMs += 11;
    play(engine, [
      ['BITOP OR t k', ':0'],
      ['GET t', '$-1'],
    ]);
    check(engine);
  });
});

describe('what follows a change', () => {
  const ROWS: readonly (readonly [command: string, record: string, events: string])[] = [
    ['SETBIT k 7 0', 'SETBIT k 7 0', 'setbit k'],
    ['SETBIT k 7 0', '', ''],
    ['SETBIT k 7 1', 'SETBIT k 7 1', 'setbit k'],
    ['SETBIT k 8 0', 'SETBIT k 8 0', 'setbit k'],
    ['SETBIT k 9 2', '', ''],
    ['BITFIELD k GET u8 0', '', ''],
    ['BITFIELD k SET u8 0 1', '', ''],
    ['BITFIELD k SET u8 0 2 SET u8 0 3', 'BITFIELD k SET u8 0 2 SET u8 0 3', 'setbit k'],
    ['BITFIELD k OVERFLOW FAIL SET u8 0 256', '', ''],
    // The string is longer now: the change must be told although no field was written.
    [
      'BITFIELD k OVERFLOW FAIL SET u8 16 256',
      'BITFIELD k OVERFLOW FAIL SET u8 16 256',
      'setbit k',
    ],
    ['BITFIELD k SET u8 24 0', 'BITFIELD k SET u8 24 0', 'setbit k'],
    ['BITCOUNT k', '', ''],
    ['BITOP OR t k', 'BITOP OR t k', 'set t'],
    ['BITOP OR t missing', 'BITOP OR t missing', 'del t'],
    ['BITOP OR t missing', '', ''],
  ];

  it('is recorded and announced when something has changed, and only then', () => {
    const records: string[] = [];
    const sink = {
      isOn: true,
      append(_database: number, u8: Uint8Array, start: number, length: number) {
        const text = Buffer.from(u8.slice(start, start + length)).toString('latin1');
        const words = text.split('\r\n').filter((line) => !/^[*$]\d+$/.test(line) && line !== '');
        records.push(words.join(' '));
      },
    };
    const engine = start({ sink });
    const events: string[] = [];
    engine.listen((event, key) => void events.push(`${event} ${key}`));
    for (const [command, record, announced] of ROWS) {
      records.length = 0;
      events.length = 0;
      answer(engine, command);
      expect([command, records.join(' '), events.join(', ')]).toEqual([command, record, announced]);
    }
  });
});

// ── Random commands against an obvious model ─────────────────────────────────────────────────

const OPERATIONS: Readonly<Record<string, (bytes: readonly number[]) => number>> = {
  AND: (bytes) => bytes.reduce((a, b) => a & b),
  OR: (bytes) => bytes.reduce((a, b) => a | b),
  XOR: (bytes) => bytes.reduce((a, b) => a ^ b),
  NOT: (bytes) => ~bytes[0]! & 0xff,
  DIFF: ([x, ...y]) => x! & ~y.reduce((a, b) => a | b),
  DIFF1: ([x, ...y]) => y.reduce((a, b) => a | b) & ~x!,
  ANDOR: ([x, ...y]) => x! & y.reduce((a, b) => a | b),
  ONE: (bytes) => {
    const isOnce = (bit: number) => bytes.filter((byte) => byte & bit).length === 1;
    return [1, 2, 4, 8, 16, 32, 64, 128].reduce((sum, bit) => sum | (isOnce(bit) ? bit : 0), 0);
  },
};

/** Bitmaps as texts of zeros and ones, a multiple of eight long. */
class Model {
  readonly keys = new Map<string, string>();

  bits(key: string): string {
    return this.keys.get(key) ?? '';
  }

  /** Writes `text` at bit `at`, and zeros before it. */
  write(key: string, at: number, text: string): void {
    const old = this.bits(key).padEnd(Math.ceil((at + text.length) / 8) * 8, '0');
    this.keys.set(key, old.slice(0, at) + text + old.slice(at + text.length));
  }

  combine(name: string, target: string, sources: readonly string[]): number {
    const all = sources.map((key) => bytesOf(this.bits(key)));
    const length = Math.max(...all.map((bytes) => bytes.length));
    if (length === 0) {
      this.keys.delete(target);
      return 0;
    }
    const result = Buffer.alloc(length);
    for (let at = 0; at < length; at++) {
      result[at] = OPERATIONS[name]!(all.map((bytes) => bytes[at] ?? 0));
    }
    this.keys.set(target, textOf(result));
    return length;
  }
}

function bytesOf(bits: string): Buffer {
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}

function textOf(bytes: Buffer): string {
  return Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('');
}

const KEYS = ['', 'a', 'b', '{b}c', 'key:0000000001', 'k'.repeat(1023)];
const LENGTHS = [0, 1, 7, 31, 44, 45, 300, 4095, 4096, 4097, 9000];

class Duel {
  readonly model = new Model();

  constructor(
    readonly engine: Engine,
    readonly random: Random,
  ) {}

  private offset(): number {
    return this.random.below(this.random.pick([9, 100, 400, 4000, 40_000]));
  }

  step(): void {
    const { random } = this;
    const key = random.pick(KEYS);
    switch (random.below(8)) {
      case 0:
        this.set(key);
        break;
      case 1:
        this.setBit(key);
        break;
      case 2:
        this.count(key);
        break;
      case 3:
        this.find(key);
        break;
      case 4:
      case 5:
        this.combine(key);
        break;
      default:
        this.changeField(key);
    }
  }

  private expect(wanted: string, ...words: string[]): void {
    expect(this.engine.run(...words), words.slice(0, 6).join(' ').slice(0, 200)).toBe(wanted);
  }

  private set(key: string): void {
    const { random } = this;
    const length = random.pick(LENGTHS);
    const fill = random.pick(['\0', '\xff', null]);
    let text = fill === null ? random.bytes(length) : fill.repeat(length);
    if (random.chance(0.2)) text = String(random.between(-1e9, 1e9));
    this.expect('+OK\r\n', 'SET', key, text, ...(random.chance(0.3) ? ['PX', '1000000'] : []));
    this.model.keys.set(key, textOf(Buffer.from(text, 'latin1')));
  }

  private setBit(key: string): void {
    const offset = this.offset();
    const bit = String(this.random.below(2));
    const old = this.model.bits(key)[offset] ?? '0';
    this.expect(`:${old}\r\n`, 'GETBIT', key, String(offset));
    this.expect(`:${old}\r\n`, 'SETBIT', key, String(offset), bit);
    this.model.write(key, offset, bit);
  }

  private count(key: string): void {
    const bits = this.model.bits(key);
    const first = this.random.below(bits.length + 1);
    const last = this.random.below(bits.length + 1);
    const ones = (text: string) => `:${text.replaceAll('0', '').length}\r\n`;
    this.expect(ones(bits), 'BITCOUNT', key);
    const range = [String(first), String(last)];
    this.expect(ones(bits.slice(first, last + 1)), 'BITCOUNT', key, ...range, 'BIT');
    const bytes = bits.slice(first * 8, last * 8 + 8);
    this.expect(ones(bytes), 'BITCOUNT', key, ...range);
  }

  private find(key: string): void {
    const bits = this.model.bits(key);
    if (bits === '') return;
    const bit = String(this.random.below(2));
    const first = this.random.below(bits.length);
    const last = this.random.below(bits.length);
    const within = bits.slice(0, last + 1).indexOf(bit, first);
    const range = [String(first), String(last)];
    this.expect(`:${within}\r\n`, 'BITPOS', key, bit, ...range, 'BIT');
    const found = bits.indexOf(bit);
    this.expect(`:${found === -1 && bit === '0' ? bits.length : found}\r\n`, 'BITPOS', key, bit);
  }

  private combine(target: string): void {
    const { random } = this;
    const name = random.pick(Object.keys(OPERATIONS));
    const least = /^(?:DIFF1?|ANDOR)$/.test(name) ? 2 : 1;
    const count = name === 'NOT' ? 1 : random.between(least, 5);
    const sources = Array.from({ length: count }, () => random.pick([...KEYS, 'missing']));
    const length = this.model.combine(name, target, sources);
    this.expect(`:${length}\r\n`, 'BITOP', name, target, ...sources);
  }

  private changeField(key: string): void {
    const { random } = this;
    const isSigned = random.chance(0.5);
    const width = random.between(1, isSigned ? 64 : 63);
    const cut = (value: bigint) =>
      isSigned ? BigInt.asIntN(width, value) : BigInt.asUintN(width, value);
    const offset = this.offset();
    const type = `${isSigned ? 'i' : 'u'}${width}`;
    const bits = this.model
      .bits(key)
      .slice(offset, offset + width)
      .padEnd(width, '0');
    const old = cut(BigInt(`0b${bits}`));
    this.expect(`*1\r\n:${old}\r\n`, 'BITFIELD', key, 'GET', type, String(offset));
    this.expect(`*1\r\n:${old}\r\n`, 'BITFIELD_RO', key, 'GET', type, String(offset));
    const wide = (BigInt(random.next()) << 32n) | BigInt(random.next());
    const amount = BigInt.asIntN(random.between(1, 64), wide);
    const isSet = random.chance(0.5);
    const now = cut(isSet ? amount : old + amount);
    const change = [isSet ? 'SET' : 'INCRBY', type, String(offset), String(amount)];
    this.expect(`*1\r\n:${isSet ? old : now}\r\n`, 'BITFIELD', key, ...change);
    this.model.write(key, offset, BigInt.asUintN(width, now).toString(2).padStart(width, '0'));
  }
}

describe('random commands', () => {
  it('agree with texts of zeros and ones, and leave the structures whole', () => {
    const seed = seedOf('FLAGSTONE_SEED');
    const engine = start({ partitions: 4 });
    // Tables and wheels stay once they are there.
    for (const key of KEYS) engine.run('SET', key, 'v', 'EX', '100');
    for (const key of KEYS) engine.run('GETDEL', key);
    const before = usedBytes(engine);
    const duel = new Duel(engine, new Random(seed));
    const repeat = `FLAGSTONE_SEED=${seed} npx vitest run test/commands/bitmap-engine.test.ts`;
    for (let step = 0; step < 1500; step++) {
      try {
        duel.step();
      } catch (error) {
        throw new Error(`step ${step} of ${repeat}`, { cause: error });
      }
      const key = duel.random.pick(KEYS);
      const value = duel.model.keys.get(key);
      const text = value === undefined ? null : bytesOf(value).toString('latin1');
      const wanted = text === null ? '$-1\r\n' : `$${text.length}\r\n${text}\r\n`;
      expect(engine.run('GET', key) === wanted, `step ${step} of ${repeat}`).toBe(true);
      if (step % 50 === 0) check(engine);
    }
    for (const key of KEYS) engine.run('GETDEL', key);
    check(engine);
    expect(usedBytes(engine)).toBe(before);
  });
});
