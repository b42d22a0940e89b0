// Commands that wait, with their own types: what they leave in the log, and what wakes them.

import { beforeEach, describe, expect, it } from 'vitest';
import { blockingCommands } from '../../src/commands/blocking/index.js';
import { genericCommands } from '../../src/commands/generic/index.js';
import { listCommands } from '../../src/commands/list/index.js';
import { serverKeyspaceCommands } from '../../src/commands/server-keyspace.js';
import { sortedSetCommands } from '../../src/commands/sorted-set/index.js';
import { streamCommands } from '../../src/commands/stream/index.js';
import { stringCommands } from '../../src/commands/string/index.js';
import { type Client, Threads } from '../support/threads.js';

const SPECS = [
  ...blockingCommands,
  ...genericCommands,
  ...listCommands,
  ...sortedSetCommands,
  ...streamCommands,
  ...stringCommands,
  ...serverKeyspaceCommands,
];
const PARTITIONS = 16;

describe('commands that wait', () => {
  let threads: Threads;
  let writer: Client;
  let waiter: Client;
  beforeEach(() => {
    threads = new Threads(SPECS, 2, PARTITIONS);
    waiter = threads.connect(0);
    writer = threads.connect(1);
    return () => {
      expect(threads.check()).toBe(0);
      expect(threads.recordBytes).toBe(0);
    };
  });

  const run = (text: string) => threads.run(writer, ...text.split(' '));
  const wait = (text: string) => threads.run(waiter, ...text.split(' '));
  const lines = (reply: string) =>
    reply
      .trim()
      .split('\r\n')
      .filter((line) => !/^[*$]/.test(line));

  it.each([
    ['BLPOP l 0', 'RPUSH l a b', 'l a', 'LPOP l'],
    ['BRPOP x l 0', 'RPUSH l a b', 'l b', 'RPOP l'],
    ['BLMPOP 0 2 x l LEFT COUNT 5', 'RPUSH l a b', 'l a b', 'LPOP l 2'],
    ['BLMPOP 0 1 l RIGHT', 'RPUSH l a b', 'l b', 'RPOP l 1'],
    ['BLMOVE l m LEFT RIGHT 0', 'RPUSH l a b', 'a', 'LMOVE l m LEFT RIGHT'],
    ['BRPOPLPUSH l m 0', 'RPUSH l a b', 'b', 'RPOPLPUSH l m'],
    [
      'BLMOVEM l m LEFT RIGHT 0 COUNT 2 BULK',
      'RPUSH l a b',
      'a b',
      'LMOVEM l m LEFT RIGHT COUNT 2 BULK',
    ],
    ['BZPOPMIN x z 0', 'ZADD z 1 a 2 b', 'z a 1', 'ZPOPMIN z'],
    ['BZPOPMAX z 0', 'ZADD z 1 a 2 b', 'z b 2', 'ZPOPMAX z'],
    ['BZMPOP 0 2 x z MIN COUNT 9', 'ZADD z 1 a 2 b', 'z a 1 b 2', 'ZPOPMIN z 2'],
  ])('%s is answered after %s, and recorded as what it did', (command, change, reply, record) => {
    expect(wait(command)).toBe('');
    run(change);
    expect(lines(waiter.hear())).toEqual(reply.split(' '));
    expect(threads.records).toEqual([change, record]);
    // At once, where there is something, it is the same.
    threads.records.length = 0;
    run('FLUSHALL');
    run(change);
    expect(lines(wait(command))).toEqual(reply.split(' '));
    expect(threads.records.at(-1)).toBe(record);
  });

  it('takes no key of another type, before or after', () => {
    run('SET s text');
    expect(wait('BLPOP l s 0')).toMatch(/^-WRONGTYPE/);
    wait('BLPOP l 0');
    run('ZADD l 1 member');
    run('SET l text');
    expect(waiter.isWaiting).toBe(true);
    run('DEL l');
    run('RPUSH l a');
    expect(lines(waiter.hear())).toEqual(['l', 'a']);
  });

  it('is refused when its target is no list by then, and leaves the element', () => {
    wait('BLMOVE l m LEFT LEFT 0');
    run('SET m text');
    run('RPUSH l a');
    expect(waiter.hear()).toMatch(/^-WRONGTYPE/);
    expect(run('LRANGE l 0 -1')).toBe('*1\r\n$1\r\na\r\n');
    run('DEL l');
  });

  it('waits on for as many as it wants', () => {
    wait('BLMOVEM l m LEFT RIGHT 0 EXACTLY 3 BULK');
    run('RPUSH l a b');
    expect(waiter.isWaiting).toBe(true);
    run('RPUSH l c d');
    expect(lines(waiter.hear())).toEqual(['a', 'b', 'c']);
    expect(run('LRANGE l 0 -1')).toBe('*1\r\n$1\r\nd\r\n');
  });

  it('reads what comes to any of its streams, each reader all of it', () => {
    const second = threads.connect(1);
    run('XADD s1 5-1 f v');
    wait('XREAD BLOCK 0 STREAMS s1 s2 s3 $ $ 7-0');
    threads.run(second, 'XREAD', 'BLOCK', '0', 'STREAMS', 's3', '0');
    run('XADD s3 6-0 a b');
    expect(waiter.isWaiting).toBe(true);
    expect(lines(second.hear())).toEqual(['s3', '6-0', 'a', 'b']);
    run('XADD s1 5-2 c d');
    expect(lines(waiter.hear())).toEqual(['s1', '5-2', 'c', 'd']);
  });

  const NO_GROUP = "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option";

  it.each([
    ['DEL s', NO_GROUP],
    ['RENAME s t', NO_GROUP],
    ['FLUSHALL', NO_GROUP],
    ['XGROUP DESTROY s g', NO_GROUP],
    ['SET s text', '-WRONGTYPE Operation against a key holding the wrong kind of value'],
    ['XADD s 9-0 f v', '*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n9-0\r\n*2\r\n$1\r\nf\r\n$1\r\nv'],
  ])('tells a reader of a group by %s', (change, reply) => {
    const second = threads.connect(1);
    run('XGROUP CREATE s g $ MKSTREAM');
    wait('XREADGROUP GROUP g a BLOCK 0 STREAMS s >');
    threads.run(second, 'XREADGROUP', 'GROUP', 'g', 'b', 'BLOCK', '0', 'STREAMS', 's', '>');
    run(change);
    expect(waiter.hear()).toBe(`${reply}\r\n`);
    // What the first was given is not new for the second.
    expect(second.isWaiting).toBe(change.startsWith('XADD'));
    threads.close(second);
  });

  it('answers by its time as Redis does', () => {
    wait('BLMOVE l m LEFT LEFT 1');
    threads.timeOut(waiter);
    expect(waiter.hear()).toBe('*-1\r\n');
    waiter.session.isDenyBlocking = true;
    expect(wait('BLMOVE l m LEFT LEFT 1')).toBe('$-1\r\n');
    expect(wait('BZPOPMIN l 1')).toBe('*-1\r\n');
  });

  it.each([
    ['inf', 'timeout is out of range'],
    ['1e400', 'timeout is out of range'],
    ['-1.5e-3', 'timeout is negative'],
    ['-1e400', 'timeout is negative'],
    ['nan', 'timeout is not a float or out of range'],
    ['1s', 'timeout is not a float or out of range'],
    ['9223372036854775', 'timeout is out of range'],
  ])('refuses the timeout %s', (timeout, line) => {
    expect(wait(`BLPOP l ${timeout}`)).toBe(`-ERR ${line}\r\n`);
  });

  it.each([
    ['0.001', 1],
    ['0.0001', 1],
    ['1e-400', 1],
    ['2.5', 2500],
    ['-1e-400', Infinity],
    ['0', Infinity],
  ])('waits %s seconds in whole milliseconds', (timeout, ms) => {
    wait(`BLPOP l ${timeout}`);
    expect(waiter.session.wait?.deadlineMs).toBe(threads.clock.nowMs() + ms);
    threads.close(waiter);
  });
});
