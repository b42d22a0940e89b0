// node-redis beyond single commands, over RESP2 and RESP3: transactions and watched keys, scripts
// and functions as methods, pools, subscriptions, and what it makes of RESP3's types.

import {
  createClient,
  createClientPool,
  defineScript,
  RESP_TYPES,
  type RedisArgument,
  WatchError,
} from 'redis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Server } from '../support/server.js';
import { DEADLINE_MS, SERVERS, until } from './servers.js';

type Parser = Parameters<ReturnType<typeof defineAdd>['parseCommand']>[0];

function defineAdd() {
  return defineScript({
    SCRIPT: "return redis.call('incrby', KEYS[1], ARGV[1] + ARGV[2])",
    NUMBER_OF_KEYS: 1,
    parseCommand(parser, key: RedisArgument, one: number, two: number) {
      parser.pushKey(key);
      parser.push(`${one}`, `${two}`);
    },
    transformReply: (reply: number) => reply,
  });
}

const LIBRARY = `#!lua name=counting
redis.register_function('countUp', function(keys, args)
  return redis.call('incrby', keys[1], args[1])
end)
redis.register_function{
  function_name = 'countNow',
  callback = function(keys) return tonumber(redis.call('get', keys[1]) or 0) end,
  flags = { 'no-writes' },
}`;

const counting = {
  countUp: {
    NUMBER_OF_KEYS: 1,
    parseCommand(parser: Parser, key: RedisArgument, by: number): void {
      parser.pushKey(key);
      parser.push(`${by}`);
    },
    transformReply: (reply: number) => reply,
  },
  countNow: {
    NUMBER_OF_KEYS: 1,
    IS_READ_ONLY: true,
    parseCommand(parser: Parser, key: RedisArgument): void {
      parser.pushKey(key);
    },
    transformReply: (reply: number) => reply,
  },
} as const;

const PROTOCOLS = [2, 3] as const;
const CASES = SERVERS.flatMap((choice) => PROTOCOLS.map((protocol) => ({ ...choice, protocol })));

function create(port: number, protocol: 2 | 3) {
  const client = createClient({
    url: `redis://127.0.0.1:${port}`,
    RESP: protocol,
    scripts: { add: defineAdd() },
    functions: { counting },
  });
  client.on('error', () => {});
  return client;
}

type TestClient = ReturnType<typeof create>;

describe.each(CASES)('node-redis with RESP$protocol on $name', (choice) => {
  let server: Server;
  let redis: TestClient;
  const open: TestClient[] = [];

  async function another(): Promise<TestClient> {
    const client = create(server.port, choice.protocol);
    open.push(client);
    await client.connect();
    return client;
  }

  beforeAll(async () => {
    server = await choice.start();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    redis = await another();
    await redis.flushAll();
  });
  afterEach(() => {
    for (const client of open.splice(0)) client.destroy();
  });

  it('makes transactions of all that they are told', async () => {
    const answers = await redis
      .multi()
      .set('name', 'flint')
      .hSet('hash', { a: '1', b: '2' })
      .hGetAll('hash')
      .zAdd('board', [
        { value: 'ann', score: 1.5 },
        { value: 'bob', score: -Infinity },
      ])
      .zRangeWithScores('board', 0, -1)
      .add('sum', 1, 2)
      .exec();
    expect(answers).toEqual([
      'OK',
      2,
      { a: '1', b: '2' },
      2,
      [
        { value: 'bob', score: -Infinity },
        { value: 'ann', score: 1.5 },
      ],
      3,
    ]);
  });

  it('gives a transaction up when a watched key changed', async () => {
    const other = await another();
    await redis.watch('a');
    await other.set('a', 'changed');
    await expect(redis.multi().set('a', 'mine').exec()).rejects.toThrow(WatchError);
    expect(await redis.get('a')).toBe('changed');
    await redis.watch(['a', 'b']);
    await other.set('c', 'not watched');
    expect(await redis.multi().set('a', 'mine').exec()).toEqual(['OK']);
  });

  it('counts right when many connections watch, read and write', async () => {
    const url = `redis://127.0.0.1:${server.port}`;
    // All are there from the beginning, and patient: a busy machine is slow.
    const options = { minimum: 6, maximum: 6, acquireTimeout: DEADLINE_MS };
    const pool = createClientPool({ url, RESP: choice.protocol }, options);
    await pool.connect();
    let retries = 0;
    const countUp = (): Promise<void> =>
      pool.execute(async (client) => {
        for (;;) {
          await client.watch('count');
          const count = Number(await client.get('count'));
          try {
            await client
              .multi()
              .set('count', count + 1)
              .exec();
            return;
          } catch (error) {
            if (!(error instanceof WatchError)) throw error;
            retries++;
          }
        }
      });
    await Promise.all(Array.from({ length: 60 }, countUp));
    expect(await pool.get('count')).toBe('60');
    expect(retries).toBeGreaterThan(0);
    pool.destroy();
  });

  it('has scripts as methods, also after the server forgot them', async () => {
    expect(await redis.add('sum', 1, 2)).toBe(3);
    await redis.scriptFlush();
    expect(await redis.add('sum', 3, 4)).toBe(10);
    expect(
      await redis.eval('return { KEYS[1], ARGV[1], #ARGV }', {
        keys: ['k'],
        arguments: ['a', 'b'],
      }),
    ).toEqual(['k', 'a', 2]);
    await expect(redis.add('sum', Number.NaN, 0)).rejects.toThrow(/not an integer|script/);
  });

  it('has functions as methods', async () => {
    await redis.functionLoad(LIBRARY, { REPLACE: true });
    expect(await redis.counting.countUp('visits', 5)).toBe(5);
    expect(await redis.counting.countUp('visits', 2)).toBe(7);
    expect(await redis.counting.countNow('visits')).toBe(7);
    const [library] = await redis.functionList();
    expect(library).toMatchObject({ library_name: 'counting', engine: 'LUA' });
    const dump = await redis.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }).functionDump();
    await redis.functionFlush();
    await expect(redis.counting.countNow('visits')).rejects.toThrow('Function not found');
    await redis.functionRestore(dump);
    expect(await redis.counting.countNow('visits')).toBe(7);
  });

  it('reads the same from replies of either protocol', async () => {
    await redis.hSet('hash', { field: 'value', number: 1 });
    await redis.sAdd('set', ['a', 'b', 'c']);
    await redis.zAdd('board', { value: 'ann', score: 0.1 });
    await redis.geoAdd('places', { longitude: 13.361389, latitude: 38.115556, member: 'Palermo' });
    expect(await redis.hGetAll('hash')).toEqual({ field: 'value', number: '1' });
    expect((await redis.sMembers('set')).sort()).toEqual(['a', 'b', 'c']);
    expect(await redis.zScore('board', 'ann')).toBe(0.1);
    expect(await redis.incrByFloat('float', 0.5)).toBe('0.5');
    expect(await redis.xAdd('stream', '1-1', { name: 'ann' })).toBe('1-1');
    expect(await redis.xRange('stream', '-', '+')).toEqual([
      { id: '1-1', message: { name: 'ann' } },
    ]);
    expect((await redis.xRead({ key: 'stream', id: '0' })) as unknown).toMatchObject([
      { name: 'stream', messages: [{ id: '1-1' }] },
    ]);
    expect((await redis.configGet('maxmemory*')).maxmemory).toBe('0');
    expect(await redis.geoDist('places', 'Palermo', 'Palermo', 'm')).toBe(0);
    expect((await redis.clientInfo()).resp).toBe(choice.protocol);
  });

  it('subscribes to channels, patterns and shards', async () => {
    const ears = await another();
    const heard: string[] = [];
    const hear = (text: string, channel: string): number => heard.push(`${channel} ${text}`);
    await ears.subscribe(['news', 'sport'], hear);
    await ears.pSubscribe('n*', (text, channel) => heard.push(`n* ${channel} ${text}`));
    await ears.sSubscribe(['news', 'more'], (text, channel) =>
      heard.push(`shard ${channel} ${text}`),
    );
    expect(await redis.publish('news', '1')).toBe(2);
    expect(await redis.sPublish('more', '2')).toBe(1);
    expect(await redis.publish('sport', '3')).toBe(1);
    await until(
      () => heard,
      ({ length }) => length === 4,
    );
    expect(heard.sort()).toEqual(['n* news 1', 'news 1', 'shard more 2', 'sport 3']);
    expect(await redis.pubSubNumSub(['news', 'none'])).toEqual({ news: 1, none: 0 });
    expect((await redis.pubSubShardChannels()).sort()).toEqual(['more', 'news']);
    await ears.unsubscribe('news', hear);
    await ears.pUnsubscribe();
    await ears.sUnsubscribe('more');
    expect(await redis.publish('news', '4')).toBe(0);
    expect(await redis.sPublish('more', '5')).toBe(0);
    expect(await redis.publish('sport', '6')).toBe(1);
  });

  it('hands elements to those that wait for them', async () => {
    const waiting = await another();
    const element = waiting.blPop(['queue', 'other'], 0);
    await redis.rPush('other', 'element');
    expect(await element).toEqual({ key: 'other', element: 'element' });
    const moved = waiting.blMove('queue', 'done', 'LEFT', 'RIGHT', 0);
    await redis.rPush('queue', 'second');
    expect(await moved).toBe('second');
    expect(await redis.lRange('done', 0, -1)).toEqual(['second']);
    const best = waiting.bzPopMin('board', 0);
    await redis.zAdd('board', { value: 'ann', score: 3 });
    expect(await best).toEqual({ key: 'board', value: 'ann', score: 3 });
  });

  it('walks keys, fields, members and scores', async () => {
    const names = Array.from({ length: 1_000 }, (_, index) => `name:${index}`);
    await redis.mSet(names.map((name): [string, string] => [name, 'x']));
    await redis.hSet('hash', Object.fromEntries(names.map((name) => [name, 'x'])));
    await redis.zAdd(
      'board',
      names.map((value, score) => ({ value, score })),
    );
    const keys = new Set<string>();
    for await (const batch of redis.scanIterator({ MATCH: 'name:*', COUNT: 100 })) {
      for (const key of batch) keys.add(key);
    }
    expect(keys).toEqual(new Set(names));
    const fields = new Set<string>();
    for await (const batch of redis.hScanIterator('hash')) {
      for (const { field } of batch) fields.add(field);
    }
    expect(fields).toEqual(new Set(names));
    let sum = 0;
    for await (const batch of redis.zScanIterator('board')) {
      for (const { score } of batch) sum += score;
    }
    expect(sum).toBe((999 * 1_000) / 2);
  });
});
