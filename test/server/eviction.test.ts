// maxmemory around the commands of one thread: the limit, who is refused, what is told.

import { describe, expect, it } from 'vitest';
import { allCommands } from '../../src/commands/index.js';
import { Config } from '../../src/config/config.js';
import { Notify } from '../../src/dispatch/effects.js';
import { Gate } from '../../src/dispatch/gates.js';
import { CommandTable } from '../../src/dispatch/table.js';
import { Eviction } from '../../src/server/eviction.js';
import { checkSlab } from '../../src/slab/check.js';
import { holderOf } from '../../src/slab/lock.js';
import { Header, usedBytesOf } from '../../src/slab/slab.js';
import { Counter, ServerStats } from '../../src/stats/server.js';
import { Engine } from '../support/engine.js';

const TABLE = new CommandTable(allCommands);
const MB = 2 ** 20;
const OOM = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";

interface Limited {
  readonly engine: Engine;
  readonly stats: ServerStats;
  readonly records: string[];
  readonly events: string[];
  /** What runs between two turns of a server's loop. */
  turn(): boolean;
  readonly eviction: Eviction;
  configure(pairs: Readonly<Record<string, string>>): void;
  used(): number;
}

function open(settings: Readonly<Record<string, string>>): Limited {
  const records: string[] = [];
  const events: string[] = [];
  const config = new Config('/');
  const stats = new ServerStats(new SharedArrayBuffer(ServerStats.bytesFor(1)), 1, 0);
  const engine = new Engine({
    specs: allCommands,
    table: TABLE,
    partitions: 8,
    server: { config, stats },
    sink: {
      isOn: true,
      append: (_database, u8, start, length) =>
        records.push(Buffer.from(u8.slice(start, start + length)).toString('latin1')),
    },
  });
  const { keyspace, runner, effects } = engine;
  keyspace.sinks.evicted = (partition, database, u8, start, length) => {
    effects.recordRemoval(database, u8, start, length);
    effects.announce(partition, u8, start, length, Notify.Evicted, 'evicted');
  };
  engine.listen((event, key) => events.push(`${event} ${key}`));
  const eviction = new Eviction({
    runner,
    self: holderOf(0),
    threadCount: 1,
    stats,
    latency: { sample() {} } as never,
    besideBytes: () => 0,
  });
  const configure = (pairs: Readonly<Record<string, string>>) => {
    for (const [name, value] of Object.entries(pairs)) expect(config.set(name, [value])).toBe(null);
    eviction.adopt(config);
  };
  configure(settings);
  const used = () => engine.slabs.reduce((sum, slab) => sum + usedBytesOf(slab), 0);
  const turn = () => {
    runner.readClock();
    return eviction.look();
  };
  return { engine, stats, records, events, turn, eviction, configure, used };
}

const POLICIES = ['allkeys-lru', 'volatile-lfu', 'allkeys-lrm', 'allkeys-random', 'volatile-ttl'];

describe('maxmemory', () => {
  it('does not count what only a snapshot needs yet: evicting would not make it free', () => {
    const limited = open({ maxmemory: '0', 'maxmemory-policy': 'allkeys-lru' });
    for (let index = 0; index < 500; index++) {
      limited.engine.run('SET', `key:${index}`, 'x'.repeat(1000));
    }
    const used = limited.used();
    const { i32 } = limited.engine.slabs[0]!;
    i32[Header.LeftUnits] = Math.ceil(used / 2 / 128);
    limited.configure({ maxmemory: `${Math.floor(used * 0.6)}` });

    expect(limited.turn()).toBe(false);
    i32[Header.LeftUnits] = 0;
    expect(limited.turn()).toBe(true);
  });

  it.each(POLICIES)('holds under %s, write by write', (policy) => {
    const limit = MB;
    const settings = { maxmemory: `${limit}`, 'maxmemory-policy': policy };
    const { engine, stats, turn, used } = open(settings);
    turn();
    for (let index = 0; index < 4500; index++) {
      const value = 'x'.repeat(1 + (index % 600));
      expect(engine.run('SET', `key:${index}`, value, 'EX', '1000')).toBe('+OK\r\n');
      if (index % 64 === 0) turn();
      // One write may be over it; the next makes room first.
      if (index % 20 === 0) expect(used()).toBeLessThan(limit * 1.01);
    }
    expect(stats.total(Counter.Evicted)).toBeGreaterThan(1000);
    expect(used()).toBeGreaterThan(limit * 0.95);
    for (const slab of engine.slabs) checkSlab(slab);
  });

  it('refuses writes, and no reads, when nothing may be evicted', () => {
    const { engine, turn, configure } = open({ maxmemory: '600kb' });
    turn();
    let refused = 0;
    for (let index = 0; index < 5000; index++) {
      const answer = engine.run('SET', `key:${index}`, 'x'.repeat(100));
      if (answer === OOM) refused++;
    }
    expect(refused).toBeGreaterThan(100);
    expect(engine.run('SET', 'more', 'x')).toBe(OOM);
    expect(engine.run('GET', 'key:0')).not.toMatch(/^-/);
    expect(engine.run('DEL', 'key:0', 'key:1', 'key:2')).toBe(':3\r\n');
    configure({ maxmemory: '0' });
    turn();
    expect(engine.runner.raised & (Gate.Limited | Gate.OutOfMemory)).toBe(0);
    expect(engine.run('SET', 'more', 'x')).toBe('+OK\r\n');
  });

  it('refuses writes when only keys without an expiry are left', () => {
    const { engine, turn } = open({ maxmemory: '400kb', 'maxmemory-policy': 'volatile-lru' });
    turn();
    let answer = '';
    for (let index = 0; index < 10_000 && answer !== OOM; index++) {
      answer = engine.run('SET', `key:${index}`, 'x'.repeat(100));
    }
    expect(answer).toBe(OOM);
  });

  it('meets a limit that was lowered without any command, and says what went', () => {
    const { engine, records, events, turn, configure, used } = open({});
    for (let index = 0; index < 2000; index++) engine.run('SET', `key:${index}`, 'x'.repeat(100));
    records.length = 0;
    events.length = 0;
    const limit = Math.floor(used() * 0.9);
    configure({ maxmemory: `${limit}`, 'maxmemory-policy': 'allkeys-lru' });
    expect(turn()).toBe(true);
    expect(used()).toBeLessThanOrEqual(limit);
    expect(records.length).toBe(events.length);
    const [, key] = events[0]!.split(' ') as [string, string];
    expect(events[0]).toBe(`evicted ${key}`);
    expect(records[0]).toBe(`*2\r\n$3\r\nDEL\r\n$${key.length}\r\n${key}\r\n`);
    expect(engine.run('EXISTS', key)).toBe(':0\r\n');
  });

  it('makes a watched key that it evicts break the transaction', () => {
    const { engine, turn, configure } = open({});
    engine.run('SET', 'watched', 'x'.repeat(1000));
    engine.run('WATCH', 'watched');
    configure({ maxmemory: '1', 'maxmemory-policy': 'allkeys-random' });
    turn();
    configure({ maxmemory: '0' });
    turn();
    engine.run('MULTI');
    engine.run('SET', 'other', 'x');
    expect(engine.run('EXEC')).toBe('*-1\r\n');
  });

  it('refuses to queue, and discards, where there is no room', () => {
    const { engine, turn, configure } = open({});
    engine.run('SET', 'key', 'x');
    engine.run('MULTI');
    engine.run('SET', 'key', 'y');
    configure({ maxmemory: '1' });
    turn();
    expect(engine.run('GET', 'key')).toBe(OOM);
    expect(engine.run('EXEC')).toMatch(/^-EXECABORT/);
    engine.run('MULTI');
    expect(engine.run('DISCARD')).toBe('+OK\r\n');
  });

  it('lets a script go on that began with room, and refuses one without', () => {
    const { engine, turn, configure } = open({});
    const script = 'return redis.call("set", KEYS[1], ARGV[1])';
    const reader = '#!lua flags=no-writes\nreturn redis.call("get", KEYS[1])';
    const brave = '#!lua flags=allow-oom\nreturn redis.call("set", KEYS[1], ARGV[1])';
    engine.run('SET', 'other', 'x');
    configure({ maxmemory: '1' });
    turn();
    expect(engine.run('EVAL', script, '1', 'key', 'x')).toContain(
      "-OOM command not allowed when used memory > 'maxmemory'.",
    );
    expect(engine.run('EVAL', reader, '1', 'key')).toBe('$-1\r\n');
    expect(engine.run('EVAL', brave, '1', 'key', 'x')).toBe('+OK\r\n');
    configure({ maxmemory: '0' });
    turn();
    expect(engine.run('EVAL', script, '1', 'key', 'x')).toBe('+OK\r\n');
  });

  it('evicts nothing while data is loaded or clients are paused', () => {
    const { engine, stats, turn, configure } = open({});
    for (let index = 0; index < 100; index++) engine.run('SET', `key:${index}`, 'x');
    configure({ maxmemory: '1', 'maxmemory-policy': 'allkeys-lru' });
    engine.keyspace.expiresByClock = false;
    turn();
    engine.keyspace.expiresByClock = true;
    engine.keyspace.keepsExpired = true;
    turn();
    expect(stats.total(Counter.Evicted)).toBe(0);
    engine.keyspace.keepsExpired = false;
    turn();
    expect(stats.total(Counter.Evicted)).toBe(100);
  });

  it('neither evicts nor refuses while a script keeps locks for too long', () => {
    // A bit of the many.
    const busy = 1 << 20;
    const { engine, stats, turn, configure } = open({});
    engine.run('SET', 'key', 'x');
    configure({ maxmemory: '1', 'maxmemory-policy': 'allkeys-lru' });
    engine.runner.raised |= busy;
    turn();
    expect(engine.runner.raised & Gate.OutOfMemory).toBe(0);
    expect(stats.total(Counter.Evicted)).toBe(0);
    engine.runner.raised &= ~busy;
    turn();
    expect(stats.total(Counter.Evicted)).toBe(1);
  });

  it('says that the next turn is to go on at once, until nothing is left to do', () => {
    const { engine, turn, eviction, configure, used } = open({});
    for (let index = 0; index < 200; index++) engine.run('SET', `key:${index}`, 'x'.repeat(100));
    const limit = Math.floor(used() * 0.8);
    configure({
      maxmemory: `${limit}`,
      'maxmemory-policy': 'allkeys-lru',
      'maxmemory-eviction-tenacity': '0',
    });
    // Every look at the clock finds a millisecond gone.
    engine.clock.monotonicMs = () => ++engine.clock.wallMs;
    turn();
    expect(eviction.isComing).toBe(true);
    for (let turns = 0; turns < 100 && eviction.isComing; turns++) turn();
    expect(used()).toBeLessThanOrEqual(limit);
    expect(eviction.isComing).toBe(false);
  });

  it('frees large values in steps with lazyfree-lazy-eviction, and no more keys for that', () => {
    const { engine, stats, turn, configure, used } = open({});
    const members = Array.from({ length: 5000 }, (_, index) => `member:${index}`);
    for (let index = 0; index < 4; index++) engine.run('SADD', `set:${index}`, ...members);
    const limit = Math.floor(used() * 0.9);
    configure({
      maxmemory: `${limit}`,
      'maxmemory-policy': 'allkeys-lru',
      'lazyfree-lazy-eviction': 'yes',
      'maxmemory-eviction-tenacity': '100',
    });
    turn();
    expect(stats.total(Counter.Evicted)).toBe(1);
    expect(used()).toBeLessThanOrEqual(limit);
    for (const slab of engine.slabs) checkSlab(slab);
  });

  it('counts the time above the limit', () => {
    const { engine, stats, turn, configure } = open({ maxmemory: '1' });
    engine.run('SET', 'key', 'x');
    turn();
    engine.clock.wallMs += 500;
    expect(stats.memoryExceeded(engine.clock.nowMs()).currentMs).toBe(500);
    configure({ maxmemory: '1gb' });
    turn();
    expect(stats.memoryExceeded(engine.clock.nowMs())).toEqual({ totalMs: 500, currentMs: 0 });
  });
});
