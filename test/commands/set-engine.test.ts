// Set commands on one engine in this process: set algebra against JavaScript's sets over several
// partitions, what commands leave in the log, which events they announce, what they leave in the
// slabs, and that chance is fair.

import { describe, expect, it } from 'vitest';
import { genericCommands } from '../../src/commands/generic/index.js';
import { setCommands } from '../../src/commands/set/index.js';
import { stringCommands } from '../../src/commands/string/index.js';
import { Encoding, encodingOf, payloadLow } from '../../src/keyspace/entry.js';
import { eachEntry } from '../../src/keyspace/scan.js';
import { checkSlab } from '../../src/slab/check.js';
import { usedBytesOf } from '../../src/slab/slab.js';
import { checkSet } from '../../src/types/set/kind.js';
import { thresholds } from '../../src/types/thresholds.js';
import { Engine, type EngineOptions } from '../support/engine.js';
import { randomTest } from '../support/random-test.js';
import { answer, play } from '../support/rows.js';
import type { Random } from '../support/seed.js';

const specs = [...setCommands, ...genericCommands, ...stringCommands];
const DEFAULTS = { ...thresholds };

function start(options: Partial<EngineOptions> = {}): Engine {
  return new Engine({ specs, ...options });
}

/** The members in an array or set reply, sorted. */
function members(reply: string): string[] {
  const [head, ...rest] = reply.split('\r\n');
  const found = rest.filter((_, index) => index % 2 === 1);
  expect(found.length, reply).toBe(Number(head!.slice(1)));
  return found.sort();
}

function usedBytes(engine: Engine): number {
  return engine.slabs.reduce((sum, slab) => sum + usedBytesOf(slab), 0);
}

function check(engine: Engine): void {
  for (const partition of engine.keyspace.partitions) {
    partition.select(0);
    eachEntry(partition, (slab, ref) => {
      const entry = ref as Parameters<typeof encodingOf>[1];
      if (encodingOf(slab, entry) <= Encoding.Blob) return;
      checkSet(slab, encodingOf(slab, entry), payloadLow(slab, entry));
    });
    checkSlab(partition.slab);
  }
}

function withThresholds(changed: Partial<typeof thresholds>, run: () => void): void {
  Object.assign(thresholds, changed);
  try {
    run();
  } finally {
    Object.assign(thresholds, DEFAULTS);
  }
}

/** Records of one engine, as words. */
class Log {
  readonly isOn = true;
  readonly lines: string[] = [];

  append(_database: number, u8: Uint8Array, from: number, length: number): void {
    const text = Buffer.from(u8.slice(from, from + length)).toString('latin1');
    for (const command of text.split(/(?=\*\d+\r\n)/)) {
      this.lines.push(members(command.replace(/^\*/, '*')).join(' '));
    }
  }
}

const LONG_MAX = '9223372036854775807';
const KEYS = ['a', 'b', 'c', 'd', 'e'];

/** Keys with sets, and the same commands on JavaScript's sets. */
class Model {
  readonly sets = new Map<string, Set<string>>();

  of(key: string): Set<string> {
    return this.sets.get(key) ?? new Set();
  }

  put(key: string, set: Set<string>): void {
    if (set.size === 0) this.sets.delete(key);
    else this.sets.set(key, set);
  }

  combine(operation: string, keys: readonly string[]): Set<string> {
    const [first, ...others] = keys.map((key) => this.of(key));
    if (operation === 'UNION') return new Set([first!, ...others].flatMap((set) => [...set]));
    const isIn = (set: Set<string>, member: string): boolean =>
      set.has(member) === (operation === 'INTER');
    return new Set([...first!].filter((member) => others.every((set) => isIn(set, member))));
  }
}

function drawMember(random: Random): string {
  return random.pick([String(random.between(-5, 60)), `m${random.below(40)}`, 'x'.repeat(70)]);
}

function drawKeys(random: Random): string[] {
  return Array.from({ length: 1 + random.below(4) }, () => random.pick(KEYS));
}

class Play {
  readonly model = new Model();

  constructor(
    readonly engine: Engine,
    readonly random: Random,
  ) {}

  run(...words: string[]): string {
    return this.engine.run(...words);
  }

  step(): void {
    const { random } = this;
    const choice = random.below(10);
    if (choice < 3) this.add();
    else if (choice < 4) this.remove();
    else if (choice < 5) this.move();
    else if (choice < 6) this.pop();
    else this.combine(random.pick(['INTER', 'UNION', 'DIFF']));
  }

  private add(): void {
    const { random, model } = this;
    const key = random.pick(KEYS);
    const isNumbers = random.chance(0.5);
    const added = Array.from({ length: 1 + random.below(random.pick([2, 10, 60])) }, () =>
      isNumbers ? String(random.below(80)) : drawMember(random),
    );
    const before = model.of(key);
    const after = new Set([...before, ...added]);
    expect(this.run('SADD', key, ...added)).toBe(`:${after.size - before.size}\r\n`);
    model.put(key, after);
  }

  private remove(): void {
    const { random, model } = this;
    const key = random.pick(KEYS);
    const gone = [drawMember(random), drawMember(random)];
    const before = model.of(key);
    const after = new Set([...before].filter((member) => !gone.includes(member)));
    expect(this.run('SREM', key, ...gone)).toBe(`:${before.size - after.size}\r\n`);
    model.put(key, after);
  }

  private move(): void {
    const { random, model } = this;
    const [source, target, member] = [random.pick(KEYS), random.pick(KEYS), drawMember(random)];
    const isThere = model.of(source).has(member);
    expect(this.run('SMOVE', source, target, member)).toBe(`:${isThere ? 1 : 0}\r\n`);
    if (!isThere) return;
    model.put(source, new Set([...model.of(source)].filter((other) => other !== member)));
    model.put(target, new Set([...model.of(target), member]));
  }

  private pop(): void {
    const { random, model } = this;
    const key = random.pick(KEYS);
    const set = model.of(key);
    const count = random.below(random.pick([3, 80]));
    const named = members(this.run('SRANDMEMBER', key, String(count)));
    const popped = members(this.run('SPOP', key, String(count)));
    for (const found of [named, popped]) {
      expect(new Set(found).size).toBe(Math.min(count, set.size));
      for (const member of found) expect(set.has(member)).toBe(true);
    }
    model.put(key, new Set([...set].filter((member) => !popped.includes(member))));
  }

  private combine(operation: string): void {
    const { random, model } = this;
    const keys = drawKeys(random);
    const expected = model.combine(operation, keys);
    expect(members(this.run(`S${operation}`, ...keys))).toEqual([...expected].sort());
    const limit = random.below(50);
    const counted = limit === 0 ? expected.size : Math.min(limit, expected.size);
    const numbers = [String(keys.length), ...keys, 'LIMIT', String(limit)];
    expect(this.run(`S${operation}CARD`, ...numbers)).toBe(`:${counted}\r\n`);
    if (random.chance(0.5)) return;
    const target = random.pick(KEYS);
    expect(this.run(`S${operation}STORE`, target, ...keys)).toBe(`:${expected.size}\r\n`);
    model.put(target, expected);
  }

  compare(): void {
    for (const key of KEYS) {
      expect(members(this.run('SMEMBERS', key))).toEqual([...this.model.of(key)].sort());
      expect(this.run('EXISTS', key)).toBe(`:${this.model.sets.has(key) ? 1 : 0}\r\n`);
    }
  }
}

describe('set commands', () => {
  randomTest('agree with plain sets, whatever the encodings and partitions', 10, (random) => {
    const changed = {
      setMaxIntsetEntries: random.pick([0, 3, 512]),
      setMaxListpackEntries: random.pick([0, 10, 128]),
    };
    withThresholds(changed, () => {
      const engine = start({ partitions: random.pick([1, 3, 8]), partitionBytes: 4 * 1024 * 1024 });
      const empty = usedBytes(engine);
      const run = new Play(engine, random);
      for (let step = 0; step < 250; step++) run.step();
      run.compare();
      check(engine);
      engine.run('DEL', ...KEYS);
      for (const partition of engine.keyspace.partitions) partition.select(0);
      expect(usedBytes(engine) - empty).toBeLessThan(engine.slabs.length * 3000);
    });
  });

  it('refuse a key of another type and leave everything as it was', () => {
    const engine = start();
    play(engine, [
      ['SET string v', '+OK'],
      ['SADD set a b', ':2'],
    ]);
    const wrong = '-WRONGTYPE Operation against a key holding the wrong kind of value';
    const lines = [
      'SADD string a',
      'SREM string a',
      'SISMEMBER string a',
      'SMISMEMBER string a',
      'SCARD string',
      'SMEMBERS string',
      'SPOP string',
      'SPOP string 0',
      'SPOP string 1',
      'SRANDMEMBER string',
      'SRANDMEMBER string 0',
      'SSCAN string 0',
      'SMOVE string set a',
      'SMOVE set string a',
      'SMOVE set string missing',
      'SINTER set string',
      'SINTER missing string',
      'SUNION set string',
      'SDIFF set string',
      'SDIFF missing string',
      'SINTERSTORE set string',
      'SUNIONSTORE set set string',
      'SDIFFSTORE set string set',
      'SINTERCARD 2 set string',
      'SUNIONCARD 2 set string',
      'SDIFFCARD 2 set string',
    ];
    for (const line of lines) play(engine, [[line, wrong]]);
    play(engine, [
      ['SMOVE missing string a', ':0'],
      ['SCARD set', ':2'],
      ['GET string', '$1 v'],
      // The destination may be of any type.
      ['SUNIONSTORE string set', ':2'],
      ['TYPE string', '+set'],
    ]);
  });

  it('look at their words in the order in which Redis does', () => {
    const positive = '-ERR value is out of range, must be positive';
    const numkeys = '-ERR numkeys should be greater than 0';
    play(start(), [
      ['SET string v', '+OK'],
      ['SPOP string x', positive],
      ['SPOP missing -1', positive],
      ['SPOP missing 1 2', '-ERR syntax error'],
      ['SPOP missing', '$-1'],
      ['SPOP missing 3', '*0'],
      ['SRANDMEMBER missing x', '-ERR value is not an integer or out of range'],
      ['SRANDMEMBER missing 1 2', '-ERR syntax error'],
      [
        'SRANDMEMBER missing -9223372036854775808',
        `-ERR value is out of range, value must between -${LONG_MAX} and ${LONG_MAX}`,
      ],
      ['SRANDMEMBER missing 9223372036854775807', '*0'],
      ['SINTERCARD 0 a', numkeys],
      ['SINTERCARD a a', numkeys],
      ['SUNIONCARD -1 a', numkeys],
      ['SDIFFCARD 2 a', "-ERR Number of keys can't be greater than number of args"],
      ['SINTERCARD 1 a LIMIT', '-ERR syntax error'],
      ['SINTERCARD 1 a LIMIT -1', "-ERR LIMIT can't be negative"],
      ['SINTERCARD 1 a LIMIT x', "-ERR LIMIT can't be negative"],
      ['SINTERCARD 1 a APPROX', '-ERR syntax error'],
      ['SUNIONCARD 1 a APPROX', ':0'],
      ['SUNIONCARD 1 a LIMIT 1 APPROX', ':0'],
      ['SSCAN missing x', '-ERR invalid cursor'],
      ['SSCAN missing 0 NONSENSE', '*2 $1 0 *0'],
    ]);
  });

  it('take the time to live away where a set replaces another value, and only there', () => {
    const engine = start();
    play(engine, [
      ['SADD set a b', ':2'],
      ['EXPIRE set 100', ':1'],
      ['SADD set c', ':1'],
      ['SREM set a', ':1'],
      ['TTL set', ':100'],
      ['SUNIONSTORE set set', ':2'],
      ['TTL set', ':-1'],
      ['PEXPIRE set 5', ':1'],
    ]);
    engine.clock.wallMs += 10;
    play(engine, [
      ['SCARD set', ':0'],
      ['SADD set x', ':1'],
      ['SMEMBERS set', '*1 $1 x'],
    ]);
  });
});

describe('encodings', () => {
  function encoding(engine: Engine, key: string): string {
    return engine.run('OBJECT', 'ENCODING', key).split('\r\n')[1]!;
  }

  function numbers(count: number): string[] {
    return Array.from({ length: count }, (_, index) => String(index));
  }

  it('change where Redis changes them', () => {
    const engine = start();
    engine.run('SADD', 'n', ...numbers(512));
    expect(encoding(engine, 'n')).toBe('intset');
    engine.run('SADD', 'n', '512');
    expect(encoding(engine, 'n')).toBe('hashtable');
    engine.run('SADD', 'few', ...numbers(127));
    engine.run('SADD', 'few', 'a');
    expect(encoding(engine, 'few')).toBe('listpack');
    engine.run('SADD', 'few', 'b');
    expect(encoding(engine, 'few')).toBe('hashtable');
    engine.run('SADD', 'many', ...numbers(128));
    engine.run('SADD', 'many', 'a');
    expect(encoding(engine, 'many')).toBe('hashtable');
    engine.run('SADD', 'long', 'x'.repeat(64));
    expect(encoding(engine, 'long')).toBe('listpack');
    engine.run('SADD', 'long', 'x'.repeat(65));
    expect(encoding(engine, 'long')).toBe('hashtable');
    // What is asked for at once counts, not what becomes of it.
    engine.run('SADD', 'hint', 'a', ...Array.from({ length: 200 }, () => 'b'));
    expect(encoding(engine, 'hint')).toBe('hashtable');
    engine.run('SADD', 'again', '1');
    engine.run('SADD', 'again', ...Array.from({ length: 513 }, () => '1'));
    expect(encoding(engine, 'again')).toBe('hashtable');
    engine.run('SADD', 'bytes', '007', '9223372036854775808');
    expect(encoding(engine, 'bytes')).toBe('listpack');
  });

  it('of results are those that Redis chooses', () => {
    const engine = start();
    const words = numbers(200).map((number) => `w${number}`);
    engine.run('SADD', 'table', ...words, ...numbers(200));
    engine.run('SADD', 'words', ...words.slice(0, 5), '1');
    engine.run('SADD', 'numbers', ...numbers(300));
    const rows: (readonly [command: string, encoding: string])[] = [
      // An intersection is looked through for integers in the end.
      ['SINTERSTORE r table numbers', 'intset'],
      ['SINTERSTORE r table words', 'listpack'],
      ['SINTERSTORE r table table', 'hashtable'],
      ['SUNIONSTORE r numbers', 'intset'],
      ['SUNIONSTORE r words', 'listpack'],
      ['SUNIONSTORE r words numbers', 'hashtable'],
      ['SDIFFSTORE r words table numbers', ''],
      ['SDIFFSTORE r numbers table', 'intset'],
      // Taking the second from all of the first leaves the table that the first has needed.
      ['SDIFFSTORE r table numbers', 'hashtable'],
    ];
    for (const [command, expected] of rows) {
      engine.run('DEL', 'r');
      answer(engine, command);
      const found = engine.run('EXISTS', 'r') === ':1\r\n' ? encoding(engine, 'r') : '';
      expect(`${command}: ${found}`).toBe(`${command}: ${expected}`);
    }
  });

  it('go back to a list where SPOP leaves little of a table', () => {
    const engine = start();
    engine.run('SADD', 'set', ...numbers(600));
    engine.run('SPOP', 'set', '400');
    expect(encoding(engine, 'set')).toBe('hashtable');
    engine.run('SPOP', 'set', '180');
    expect(encoding(engine, 'set')).toBe('listpack');
    expect(engine.run('SCARD', 'set')).toBe(':20\r\n');
    check(engine);
  });
});

describe('what set commands leave behind', () => {
  it('is a record of what was taken out, not of chance', () => {
    const log = new Log();
    const engine = start({ sink: log });
    answer(engine, 'SADD set a');
    const popped = members(engine.run('SPOP', 'set', '1'));
    expect(popped).toEqual(['a']);
    answer(engine, 'SADD set a');
    answer(engine, 'SPOP set');
    answer(engine, 'SADD set 1 2 3 4 5');
    const some = members(engine.run('SPOP', 'set', '2'));
    answer(engine, 'SPOP missing');
    answer(engine, 'SPOP set 0');
    answer(engine, 'SADD set 1');
    const sorted = (words: string[]): string => words.sort().join(' ');
    const expected = [
      'SADD a set',
      'DEL set',
      'SADD a set',
      'SREM a set',
      '1 2 3 4 5 SADD set',
      sorted(['SREM', 'set', ...some]),
    ];
    expect(log.lines.slice(0, 6)).toEqual(expected);
    // The rest was a change or not, as chance had it.
    expect(log.lines.length - 6).toBe(some.includes('1') ? 1 : 0);
  });

  it('is a record for every thousand members or so of a large pop', () => {
    for (const [size, count] of [
      [10_000, 2500],
      [5000, 4000],
      [1100, 1050],
    ] as const) {
      const log = new Log();
      const engine = start({ sink: log });
      engine.run('SADD', 'set', ...Array.from({ length: size }, (_, index) => `m${index}`));
      log.lines.length = 0;
      const popped = members(engine.run('SPOP', 'set', String(count)));
      const words = log.lines.map((line) => line.split(' '));
      expect(words.length).toBe(Math.ceil(count / 1024));
      const recorded = words.flatMap((line) => line.filter((word) => word.startsWith('m')));
      expect(recorded.sort()).toEqual(popped);
      expect(engine.run('SCARD', 'set')).toBe(`:${size - count}\r\n`);
    }
  });

  it('is one event for each change, and none where nothing changed', () => {
    const engine = start();
    const events: string[] = [];
    engine.listen((event, key) => void events.push(`${event} ${key}`));
    const rows: (readonly [command: string, events: string])[] = [
      ['SADD s a b c', 'sadd s'],
      ['SADD s a', ''],
      ['SREM s x', ''],
      ['SREM s a', 'srem s'],
      ['SMOVE s t b', 'srem s, sadd t'],
      ['SMOVE s t x', ''],
      ['SADD s b', 'sadd s'],
      ['SMOVE s t b', 'srem s'],
      ['SMOVE s t c', 'srem s, del s, sadd t'],
      ['SMOVE t t c', ''],
      ['SPOP t', 'spop t'],
      ['SPOP t', 'spop t, del t'],
      ['SPOP t', ''],
      ['SADD t a b', 'sadd t'],
      ['SPOP t 0', ''],
      ['SPOP t 5', 'spop t, del t'],
      ['SINTERSTORE r s', ''],
      ['SADD s a', 'sadd s'],
      ['SINTERSTORE r s', 'sinterstore r'],
      ['SUNIONSTORE r s t', 'sunionstore r'],
      ['SDIFFSTORE r s', 'sdiffstore r'],
      ['SDIFFSTORE r t', 'del r'],
      ['SREM s a b c', 'srem s, del s'],
    ];
    for (const [command, expected] of rows) {
      events.length = 0;
      answer(engine, command);
      expect(`${command}: ${events.join(', ')}`).toBe(`${command}: ${expected}`);
    }
  });

  it('is the same as before where a partition is full', () => {
    const engine = start({ partitions: 1, partitionBytes: 2 * 1024 * 1024 });
    let count = 0;
    const long = 'x'.repeat(1000);
    while (engine.run('SADD', 'set', `${count}${long}`).startsWith(':')) count++;
    expect(count).toBeGreaterThan(500);
    const before = usedBytes(engine);
    for (const line of ['SADD other a', 'SUNIONSTORE copy set', 'SMOVE set other 1']) {
      const reply = answer(engine, line);
      expect(reply.startsWith('-OOM') || reply === ':0', reply).toBe(true);
    }
    expect(usedBytes(engine)).toBe(before);
    // What takes away goes on working.
    expect(engine.run('SREM', 'set', `0${long}`)).toBe(':1\r\n');
    expect(members(engine.run('SPOP', 'set', '100')).length).toBe(100);
    expect(engine.run('SCARD', 'set')).toBe(`:${count - 101}\r\n`);
    check(engine);
  });
});

describe('SSCAN', () => {
  it('meets every member that stays, while others come and go', () => {
    const engine = start();
    const staying = Array.from({ length: 1000 }, (_, index) => `stays ${index}`);
    const passing = Array.from({ length: 5000 }, (_, index) => `passes ${index}`);
    engine.run('SADD', 'set', ...staying, ...passing);
    const seen = new Set<string>();
    let cursor = '0';
    let calls = 0;
    do {
      const reply = engine.run('SSCAN', 'set', cursor, 'COUNT', '50');
      const [, , next, ...rest] = reply.split('\r\n');
      cursor = next!;
      for (const member of members(rest.join('\r\n'))) seen.add(member);
      if (++calls === 5) for (const member of passing) engine.run('SREM', 'set', member);
      if (calls === 12) engine.run('SADD', 'set', ...passing);
    } while (cursor !== '0');
    expect(calls).toBeGreaterThan(15);
    for (const member of staying) expect(seen.has(member)).toBe(true);
  });

  it('answers with all of a small set at once, as far as the pattern fits', () => {
    play(start(), [
      ['SADD n 1 12 2', ':3'],
      ['SSCAN n 0 MATCH 1*', '*2 $1 0 *2 $1 1 $2 12'],
      ['SSCAN n 7 COUNT 1', '*2 $1 0 *3 $1 1 $1 2 $2 12'],
      ['SSCAN n 0 COUNT 0', '-ERR syntax error'],
      ['SSCAN n 0 MATCH', '-ERR syntax error'],
      ['SSCAN n 0 TYPE set', '-ERR syntax error'],
      ['SADD p b a', ':2'],
      ['SSCAN p 0 MATCH [b-z]', '*2 $1 0 *1 $1 b'],
    ]);
  });
});
