// The keyspace's commands inside one engine: what they leave in the log, what they tell listeners,
// how scans and draws cover the partitions, what memory they need.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { genericCommands } from '../../src/commands/generic/index.js';
import { serverKeyspaceCommands } from '../../src/commands/server-keyspace.js';
import { stringCommands } from '../../src/commands/string/index.js';
import { Config } from '../../src/config/config.js';
import type { CommandSpec, KeySpec } from '../../src/dispatch/define.js';
import { Notify } from '../../src/dispatch/effects.js';
import { CommandTable } from '../../src/dispatch/table.js';
import { hashOfEntry } from '../../src/keyspace/entry.js';
import { checkExpiry } from '../../src/keyspace/expire.js';
import { SCAN_STRIDE } from '../../src/keyspace/scan.js';
import { upkeepStep } from '../../src/keyspace/upkeep.js';
import { checkSlab } from '../../src/slab/check.js';
import { usedBytesOf } from '../../src/slab/slab.js';
import { checkTable } from '../../src/structs/table.js';
import { Engine } from '../support/engine.js';

const specs = [...genericCommands, ...serverKeyspaceCommands, ...stringCommands];

class Recording {
  readonly records: string[] = [];
  readonly events: string[] = [];
  readonly config = new Config();
  readonly engine: Engine;

  constructor(partitions = 4, partitionBytes = 8 * 1024 * 1024) {
    this.engine = new Engine({
      specs,
      partitions,
      partitionBytes,
      server: { config: this.config },
      sink: {
        isOn: true,
        append: (database, u8, start, length) => {
          const text = Buffer.from(u8.slice(start, start + length)).toString('latin1');
          const words = text.split('\r\n').filter((line) => !/^[*$]\d+$/.test(line) && line !== '');
          this.records.push(`${database}> ${words.join(' ')}`);
        },
      },
    });
    this.engine.listen(
      (event, key, database) => void this.events.push(`${database} ${event} ${key}`),
      Notify.Generic,
    );
  }

  run(line: string): string {
    return this.engine.run(...line.split(' '));
  }

  /** What the commands leave in the log, one after the other. */
  recordsOf(...lines: string[]): string[] {
    this.records.length = 0;
    for (const line of lines) this.run(line);
    return [...this.records];
  }

  /** The keyspace notifications of the commands. */
  eventsOf(...lines: string[]): string[] {
    this.events.length = 0;
    for (const line of lines) this.run(line);
    return [...this.events];
  }

  check(): void {
    for (const partition of this.engine.keyspace.partitions) {
      for (let database = 0; database < this.engine.keyspace.databaseCount; database++) {
        partition.select(database);
        checkTable(partition.slab, partition.tableRoot, hashOfEntry);
        checkExpiry(partition.slab, partition.expiryRoot);
      }
      checkSlab(partition.slab);
    }
  }
}

/** The elements of an array reply of bulk strings. */
function bulks(reply: string): string[] {
  return [...reply.matchAll(/\$\d+\r\n(.*)\r\n/g)].map((match) => match[1]!);
}

describe('what the commands leave in the log', () => {
  it('is an absolute time for every way to say one', () => {
    const recording = new Recording();
    const nowMs = recording.engine.clock.nowMs();
    recording.run('SET k v');
    expect(recording.recordsOf('EXPIRE k 100')).toEqual([`0> PEXPIREAT k ${nowMs + 100_000}`]);
    expect(recording.recordsOf('PEXPIRE k 5000 LT')).toEqual([`0> PEXPIREAT k ${nowMs + 5000}`]);
    expect(recording.recordsOf('EXPIREAT k 9000000000')).toEqual(['0> PEXPIREAT k 9000000000000']);
    expect(recording.recordsOf('PEXPIREAT k 9223372036854775807')).toEqual([
      '0> PEXPIREAT k 9223372036854775807',
    ]);
    expect(recording.recordsOf('EXPIRE k 100 GT', 'EXPIRE missing 1')).toEqual([]);
    expect(recording.recordsOf('PERSIST k', 'PERSIST k')).toEqual(['0> PERSIST k']);
  });

  it('is a removal where the time has passed', () => {
    const recording = new Recording();
    recording.run('SET k v');
    expect(recording.recordsOf('EXPIRE k -1')).toEqual(['0> DEL k']);
    recording.engine.keyspace.freesLater.onExpiry = true;
    recording.run('SET k v');
    expect(recording.recordsOf('PEXPIREAT k 5')).toEqual(['0> UNLINK k']);
  });

  it('is nothing where nothing was changed', () => {
    const recording = new Recording();
    recording.run('SET a 1');
    recording.run('SET b 1');
    const idle = ['DEL x', 'UNLINK x y', 'RENAMENX a b', 'RENAME a a', 'COPY a b', 'MOVE x 1'];
    expect(recording.recordsOf(...idle, 'TOUCH a', 'KEYS *', 'SCAN 0', 'DBSIZE')).toEqual([]);
  });

  it('is the command itself for the others, a flush of nothing included', () => {
    const recording = new Recording();
    recording.run('SET a 1');
    const lines = [
      'COPY a b',
      'RENAME b c',
      'MOVE c 1',
      'SWAPDB 0 1',
      'DEL c',
      'FLUSHDB',
      'FLUSHALL',
    ];
    expect(recording.recordsOf(...lines)).toEqual(lines.map((line) => `0> ${line}`));
  });

  it('has the removal of an expired key before what was done in its place', () => {
    const recording = new Recording();
    recording.run('SET a 1');
    recording.run('SET b 2 PX 10');
    recording.engine.clock.wallMs += 10;
    expect(recording.recordsOf('RENAMENX a b')).toEqual(['0> DEL b', '0> RENAMENX a b']);
  });
});

describe('keyspace notifications', () => {
  it('have the names and the databases of Redis', () => {
    const recording = new Recording();
    recording.run('SET a 1');
    expect(recording.eventsOf('COPY a b DB 2')).toEqual(['2 copy_to b']);
    expect(recording.eventsOf('RENAME a c')).toEqual(['0 rename_from a', '0 rename_to c']);
    expect(recording.eventsOf('MOVE c 1')).toEqual(['0 move_from c', '1 move_to c']);
    recording.run('SET k v');
    expect(recording.eventsOf('EXPIRE k 10', 'PERSIST k')).toEqual(['0 expire k', '0 persist k']);
    expect(recording.eventsOf('UNLINK k')).toEqual(['0 del k']);
    recording.run('SET k v');
    expect(recording.eventsOf('EXPIRE k 0')).toEqual(['0 del k']);
  });
});

describe('values under other keys', () => {
  it('keep bytes, encoding and time, in the same partition and in another', () => {
    const recording = new Recording();
    const { engine } = recording;
    const values = ['12', 'short', 'x'.repeat(45), 'y'.repeat(50_000)];
    for (const target of ['{k}other', ...Array.from({ length: 12 }, (_, index) => `key${index}`)]) {
      for (const value of values) {
        engine.run('SET', '{k}', value, 'PX', '5000');
        engine.run('RENAME', '{k}', target);
        expect(engine.run('GET', target)).toBe(`$${value.length}\r\n${value}\r\n`);
        engine.run('COPY', target, 'copy', 'REPLACE');
        engine.run('COPY', target, 'copy', 'REPLACE', 'DB', '3');
        expect(engine.run('GET', 'copy')).toBe(`$${value.length}\r\n${value}\r\n`);
        expect(engine.run('PTTL', 'copy')).toBe(':5000\r\n');
        expect(engine.run('OBJECT', 'ENCODING', 'copy')).toBe(
          engine.run('OBJECT', 'ENCODING', target),
        );
        expect(engine.run('EXISTS', '{k}')).toBe(':0\r\n');
      }
      recording.check();
    }
    engine.run('SET', 'raw', '1');
    engine.run('APPEND', 'raw', '2');
    engine.run('RENAME', 'raw', 'moved');
    engine.run('COPY', 'moved', 'copied');
    expect(engine.run('OBJECT', 'ENCODING', 'copied')).toBe('$3\r\nraw\r\n');
  });

  it('are refused by a full partition before anything is changed', () => {
    const recording = new Recording(1, 2 ** 20);
    const { engine } = recording;
    engine.run('SET', 'large', 'x'.repeat(400_000));
    let index = 0;
    while (engine.run('SET', `k${index}`, 'y'.repeat(100)) === '+OK\r\n') index++;
    const used = usedBytesOf(engine.slabs[0]!);
    for (const line of ['COPY large other', 'COPY k1 other', 'RENAME k1 other', 'EXPIRE k1 100']) {
      expect(recording.run(line)).toMatch(/^-OOM /);
    }
    expect(usedBytesOf(engine.slabs[0]!)).toBe(used);
    expect(recording.run('DEL large')).toBe(':1\r\n');
    expect(recording.run('RENAME k1 other')).toBe('+OK\r\n');
    recording.check();
  });
});

describe('walking all keys', () => {
  function filled(count: number): Engine {
    const { engine } = new Recording();
    for (let index = 0; index < count; index++) engine.run('SET', `key:${index}`, '1');
    return engine;
  }

  function scanAll(engine: Engine, ...options: string[]): { keys: string[]; calls: number } {
    const keys: string[] = [];
    let cursor = '0';
    let calls = 0;
    do {
      const [next, ...found] = bulks(engine.run('SCAN', cursor, ...options));
      keys.push(...found);
      cursor = next!;
      calls++;
    } while (cursor !== '0');
    return { keys, calls };
  }

  it('meets each key once while nothing changes, about as many a call as asked for', () => {
    const engine = filled(5000);
    for (const count of [1, 10, 100, 1_000_000]) {
      const { keys, calls } = scanAll(engine, 'COUNT', String(count));
      expect(keys.length).toBe(5000);
      expect(new Set(keys).size).toBe(5000);
      expect(calls).toBeGreaterThan(5000 / (count + 30) - 2);
    }
    expect(bulks(engine.run('KEYS', '*')).length).toBe(5000);
    expect(scanAll(engine, 'MATCH', 'key:1?').keys.length).toBe(10);
    expect(scanAll(engine, 'TYPE', 'hash', 'COUNT', '500').keys.length).toBe(0);
  });

  it('meets every key that stays while others come and go', () => {
    const engine = filled(3000);
    const seen = new Set<string>();
    let cursor = '0';
    let extra = 0;
    do {
      const [next, ...found] = bulks(engine.run('SCAN', cursor, 'COUNT', '20'));
      for (const key of found) seen.add(key);
      cursor = next!;
      for (let index = 0; index < 100; index++) engine.run('SET', `extra:${extra++}`, '1');
      if (extra % 3000 === 0) {
        for (let index = 0; index < extra; index++) engine.run('DEL', `extra:${index}`);
        for (const partition of engine.keyspace.partitions) {
          while (!upkeepStep(partition, { expires: true, nowMs: 0, give: null }));
        }
      }
    } while (cursor !== '0');
    for (let index = 0; index < 3000; index++) expect(seen.has(`key:${index}`)).toBe(true);
  });

  it('ends behind the last partition, whatever the cursor', () => {
    const engine = filled(10);
    for (const cursor of [String(4 * SCAN_STRIDE), '1152921504606846976', '18446744073709551615']) {
      expect(engine.run('SCAN', cursor)).toBe('*2\r\n$1\r\n0\r\n*0\r\n');
    }
  });

  it('removes the expired keys that SCAN meets, not those that KEYS does', () => {
    const recording = new Recording();
    const { engine } = recording;
    engine.run('SET', 'gone', '1', 'PX', '5');
    engine.clock.wallMs += 5;
    expect(engine.run('KEYS', '*')).toBe('*0\r\n');
    expect(engine.run('DBSIZE')).toBe(':1\r\n');
    expect(engine.run('SCAN', '0')).toBe('*2\r\n$1\r\n0\r\n*0\r\n');
    expect(engine.run('DBSIZE')).toBe(':0\r\n');
  });

  it('draws keys of all partitions alike, and never an expired one', () => {
    const { engine } = new Recording();
    const drawn = new Map<string, number>();
    for (let index = 0; index < 40; index++) engine.run('SET', `key:${index}`, '1');
    for (let index = 0; index < 300; index++) engine.run('SET', `gone:${index}`, '1', 'PX', '5');
    engine.clock.wallMs += 5;
    for (let draw = 0; draw < 8000; draw++) {
      const [key] = bulks(engine.run('RANDOMKEY'));
      drawn.set(key!, (drawn.get(key!) ?? 0) + 1);
    }
    expect(drawn.size).toBe(40);
    // 200 draws a key on average; how full its bucket is makes a difference, as in Redis.
    for (const count of drawn.values()) expect(count).toBeGreaterThan(20);
    engine.run('FLUSHALL');
    expect(engine.run('RANDOMKEY')).toBe('$-1\r\n');
  });
});

describe('recency', () => {
  it('is stamped by what uses a key and not by what asks about it', () => {
    const { engine } = new Recording();
    engine.run('SET', 'key', 'v');
    engine.clock.wallMs += 5000;
    for (const line of ['TTL key', 'TYPE key', 'EXISTS key', 'OBJECT ENCODING key', 'SCAN 0']) {
      engine.run(...line.split(' '));
    }
    expect(engine.run('OBJECT', 'IDLETIME', 'key')).toBe(':5\r\n');
    engine.session.isNoTouch = true;
    engine.run('GET', 'key');
    expect(engine.run('OBJECT', 'IDLETIME', 'key')).toBe(':5\r\n');
    engine.run('TOUCH', 'key');
    expect(engine.run('OBJECT', 'IDLETIME', 'key')).toBe(':0\r\n');
  });

  it('is a frequency under an LFU policy only', () => {
    const { engine, config } = new Recording();
    engine.run('SET', 'key', 'v');
    expect(engine.run('OBJECT', 'FREQ', 'key')).toMatch(/^-ERR An LFU maxmemory policy is not/);
    config.set('maxmemory-policy', ['allkeys-lfu']);
    expect(engine.run('OBJECT', 'FREQ', 'key')).toMatch(/^:\d+\r\n$/);
    expect(engine.run('OBJECT', 'IDLETIME', 'key')).toMatch(/^-ERR An LFU maxmemory policy is sel/);
    expect(engine.run('OBJECT', 'FREQ', 'missing')).toBe('$-1\r\n');
  });
});

describe('WAIT and WAITAOF', () => {
  it('answer at once what a server alone can say', () => {
    const { engine } = new Recording();
    expect(engine.run('WAIT', '0', '0')).toBe(':0\r\n');
    expect(engine.run('WAIT', '-1', '0')).toBe(':0\r\n');
    expect(engine.run('WAITAOF', '0', '0', '0')).toBe('*2\r\n:0\r\n:0\r\n');
    expect(engine.run('WAITAOF', '1', '0', '0')).toMatch(/^-ERR WAITAOF cannot be used/);
    expect(engine.session.wait).toBeNull();
  });

  it('wait for the rest until their time is over', () => {
    const { engine } = new Recording();
    expect(engine.run('WAIT', '1', '100')).toBe('');
    expect(engine.session.wait!.deadlineMs).toBe(engine.clock.nowMs() + 100);
    engine.session.wait = null;
    expect(engine.run('WAITAOF', '0', '2', '0')).toBe('');
    expect(engine.session.wait!.deadlineMs).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('emptying', () => {
  it('leaves nothing behind in any partition', () => {
    const recording = new Recording();
    const { engine } = recording;
    for (let index = 0; index < 2000; index++) engine.run('SET', `key:${index}`, '1', 'EX', '100');
    engine.run('SWAPDB', '0', '5');
    expect(engine.run('DBSIZE')).toBe(':0\r\n');
    engine.run('SET', 'other', '1');
    engine.run('FLUSHDB', 'ASYNC');
    engine.run('SWAPDB', '5', '0');
    expect(engine.run('DBSIZE')).toBe(':2000\r\n');
    engine.run('FLUSHALL');
    for (const slab of engine.slabs) expect(usedBytesOf(slab)).toBe(0);
    recording.check();
  });
});

interface Row {
  readonly cmd: string;
  readonly sub?: string;
  readonly group: string;
  readonly since: string;
  readonly arity: number;
  readonly flags: readonly string[];
  readonly fls: readonly number[];
  readonly tips?: readonly string[];
  readonly acl: readonly string[];
  readonly syntax?: string;
  readonly keyspecs?: readonly { f: string[]; b: [string, number]; k: [string, ...number[]] }[];
}

function plainSpec(spec: KeySpec): unknown {
  const { begin, find } = spec;
  if (typeof begin !== 'object' || typeof find !== 'object' || !('lastKey' in find)) return spec;
  return {
    f: spec.flags,
    b: 'index' in begin ? ['index', begin.index] : ['keyword', begin.keyword, begin.startFrom],
    k: ['range', find.lastKey, find.step, find.limit],
  };
}

describe('the facts of the commands', () => {
  const url = new URL('../reference/redis-commands.json', import.meta.url);
  const rows = (JSON.parse(readFileSync(url, 'utf8')) as Row[]).filter((row) => row.cmd);
  const own: CommandSpec[] = [...genericCommands, ...serverKeyspaceCommands];
  const table = new CommandTable(own);

  for (const command of table.all) {
    const { spec, parent } = command;
    const container = parent === null ? spec.name : parent.spec.name;
    const row = rows.find(
      (each) =>
        each.cmd.toLowerCase() === container &&
        (each.sub?.toLowerCase() ?? '') === (parent === null ? '' : spec.name),
    );
    it(`are those of Redis for ${command.fullName}`, () => {
      expect(row).toBeDefined();
      expect(spec.arity).toBe(row!.arity);
      expect(spec.group).toBe(row!.group);
      expect(spec.since).toBe(row!.since);
      expect((spec.keys ?? []).map(plainSpec)).toEqual(row!.keyspecs ?? []);
      expect([...(spec.tips ?? [])].sort()).toEqual([...(row!.tips ?? [])].sort());
      expect(spec.syntax ?? '').toBe(row!.syntax ?? '');
    });
  }
});
