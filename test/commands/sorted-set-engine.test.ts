// Sorted set commands on one engine in this process: records, events, encodings, full partitions,
// and what came after Redis 7.2.

import { afterEach, expect, it } from 'vitest';
import { genericCommands } from '../../src/commands/generic/index.js';
import { sortedSetCommands } from '../../src/commands/sorted-set/index.js';
import { usedBytesOf } from '../../src/slab/slab.js';
import { thresholds } from '../../src/types/thresholds.js';
import { checkKeyspace } from '../support/check-keyspace.js';
import { Engine, type EngineOptions } from '../support/engine.js';
import { answer } from '../support/rows.js';

const DEFAULTS = { ...thresholds };

afterEach(() => {
  Object.assign(thresholds, DEFAULTS);
});

function start(options: Partial<EngineOptions> = {}): Engine {
  return new Engine({ specs: [...sortedSetCommands, ...genericCommands], ...options });
}

it('records ZMPOP as the plain pop that it was', () => {
  const records: string[] = [];
  const engine = start({
    sink: {
      isOn: true,
      append: (_database, u8, from, length) =>
        void records.push(Buffer.from(u8.slice(from, from + length)).toString('latin1')),
    },
  });
  answer(engine, 'ZADD {k}z 1 a 2 b 3 c');
  answer(engine, 'ZMPOP 2 {k}missing {k}z MAX COUNT 5');
  answer(engine, 'ZMPOP 1 {k}z MIN');
  expect(records.slice(1)).toEqual(['*3\r\n$7\r\nZPOPMAX\r\n$4\r\n{k}z\r\n$1\r\n3\r\n']);
  checkKeyspace(engine.keyspace);
});

it('announces what changed, and nothing when nothing did', () => {
  const engine = start();
  const events: string[] = [];
  engine.effects.notifications.classes = -1;
  engine.effects.notifications.notify = (_class, event) => void events.push(event);
  const said = (line: string): string => {
    events.length = 0;
    answer(engine, line);
    return events.filter((event) => event !== 'new').join(' ');
  };
  expect(said('ZADD z 1 a 2 b 3 c 4 d')).toBe('zadd');
  expect(said('ZADD z 1 a')).toBe('');
  expect(said('ZADD z NX 5 a')).toBe('');
  expect(said('ZADD z INCR 1 a')).toBe('zincr');
  expect(said('ZINCRBY z 0 a')).toBe('');
  expect(said('ZREM z missing')).toBe('');
  expect(said('ZREM z a')).toBe('zrem');
  expect(said('ZREMRANGEBYRANK z 0 0')).toBe('zremrangebyrank');
  expect(said('ZUNIONSTORE t 1 z')).toBe('zunionstore');
  expect(said('ZRANGESTORE t z 5 6')).toBe('del');
  expect(said('ZPOPMAX z 9')).toBe('zpopmax del');
});

it('aggregates with COUNT by weights alone', () => {
  const engine = start();
  answer(engine, 'ZADD {k}a 5 x 7 y');
  answer(engine, 'ZADD {k}b 9 x');
  expect(answer(engine, 'ZUNION 2 {k}a {k}b AGGREGATE COUNT WITHSCORES')).toBe(
    '*4 $1 y $1 1 $1 x $1 2',
  );
  expect(answer(engine, 'ZINTER 2 {k}a {k}b WEIGHTS 3 0.5 AGGREGATE COUNT WITHSCORES')).toBe(
    '*2 $1 x $3 3.5',
  );
  expect(answer(engine, 'ZUNION 2 {k}a {k}b WEIGHTS inf -inf AGGREGATE COUNT WITHSCORES')).toBe(
    '*4 $1 x $1 0 $1 y $3 inf',
  );
});

it('scans every member of a large set that is there all the time', () => {
  const engine = start();
  for (let member = 0; member < 3000; member++) answer(engine, `ZADD z ${member} m${member}`);
  const seen = new Set<string>();
  let cursor = '0';
  let calls = 0;
  do {
    const [, , next, , ...words] = answer(engine, `ZSCAN z ${cursor} COUNT 50`).split(' ');
    cursor = next!;
    for (const word of words) if (word.startsWith('m')) seen.add(word);
    answer(engine, `ZADD z 1 extra${calls++}`);
  } while (cursor !== '0');
  for (let member = 0; member < 3000; member++) expect(seen.has(`m${member}`)).toBe(true);
  expect(calls).toBeGreaterThan(20);
});

it('draws as many members as were asked for, without one twice', () => {
  const engine = start();
  for (let member = 0; member < 500; member++) answer(engine, `ZADD z ${member} m${member}`);
  for (const count of [1, 10, 200, 499, 500, 700]) {
    const words = answer(engine, `ZRANDMEMBER z ${count}`).split(' ');
    const drawn = new Set(words.filter((word) => word.startsWith('m')));
    expect(words[0]).toBe(`*${Math.min(500, count)}`);
    expect(drawn.size).toBe(Math.min(500, count));
  }
  expect(answer(engine, 'ZRANDMEMBER z -700').split(' ')[0]).toBe('*700');
});

it('refuses with -OOM when its partition is full, and changes nothing', () => {
  const engine = start({ partitions: 1, partitionBytes: 2 ** 21 });
  let reply = '';
  let member = 0;
  while (!reply.startsWith('-OOM')) {
    reply = answer(engine, `ZADD z ${member % 97} member-of-some-length-${member}`);
    member++;
  }
  expect(member).toBeGreaterThan(5000);
  const used = usedBytesOf(engine.slabs[0]!);
  expect(answer(engine, `ZADD z 1 ${'x'.repeat(500_000)}`)).toMatch(/^-OOM/);
  expect(answer(engine, 'ZUNIONSTORE t 1 z')).toMatch(/^-OOM/);
  expect(usedBytesOf(engine.slabs[0]!)).toBe(used);
  expect(answer(engine, 'ZCARD z')).toBe(`:${member - 1}`);
  checkKeyspace(engine.keyspace);
  answer(engine, 'DEL z');
  checkKeyspace(engine.keyspace);
});

it('names its encodings and changes between them as Redis does', () => {
  const engine = start();
  thresholds.zsetMaxListpackEntries = 3;
  answer(engine, 'ZADD z 1 a 2 b 3 c');
  expect(answer(engine, 'OBJECT ENCODING z')).toBe('$8 listpack');
  answer(engine, 'ZADD z 4 d');
  expect(answer(engine, 'OBJECT ENCODING z')).toBe('$8 skiplist');
  answer(engine, 'ZREM z a b');
  expect(answer(engine, 'OBJECT ENCODING z')).toBe('$8 skiplist');
  // What is stored anew is as small as it can be.
  answer(engine, 'ZUNIONSTORE z 1 z');
  expect(answer(engine, 'OBJECT ENCODING z')).toBe('$8 listpack');
  expect(answer(engine, 'ZRANGE z 0 -1 WITHSCORES')).toBe('*4 $1 c $1 3 $1 d $1 4');
  checkKeyspace(engine.keyspace);
});
