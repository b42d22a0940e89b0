// ioredis beyond single commands: scripts as commands of its own, pipelines, transactions, blocking
// reads, streams, and subscriptions of all three kinds.

import { Redis, type Result } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Server } from '../support/server.js';
import { SERVERS, until } from './servers.js';

declare module 'ioredis' {
  interface RedisCommander<Context> {
    transfer(from: string, to: string, amount: number): Result<number, Context>;
    sumAll(...keyCountKeysAndFactor: (string | number)[]): Result<string, Context>;
    swapBuffer(key: string, bytes: Buffer): Result<Buffer | null, Context>;
    swap(key: string, bytes: Buffer): Result<string | null, Context>;
  }
}

const TRANSFER = `
  local amount = tonumber(ARGV[1])
  if tonumber(redis.call('get', KEYS[1]) or 0) < amount then
    return redis.error_reply('POOR the account has less than ' .. ARGV[1])
  end
  redis.call('decrby', KEYS[1], amount)
  return redis.call('incrby', KEYS[2], amount)`;

const SUM_ALL = `
  local sum = 0
  for _, key in ipairs(KEYS) do sum = sum + tonumber(redis.call('get', key) or 0) end
  return tostring(sum * ARGV[1])`;

const SWAP = `
  local old = redis.call('get', KEYS[1])
  redis.call('set', KEYS[1], ARGV[1])
  return old`;

const ACCOUNTS = Array.from({ length: 10 }, (_, index) => `account:${index}`);

describe.each(SERVERS)('ioredis on $name', (choice) => {
  let server: Server;
  let redis: Redis;
  const others: Redis[] = [];

  function another(): Redis {
    const client = new Redis(server.port, '127.0.0.1');
    define(client);
    others.push(client);
    return client;
  }

  function define(client: Redis): void {
    client.defineCommand('transfer', { numberOfKeys: 2, lua: TRANSFER });
    client.defineCommand('sumAll', { lua: SUM_ALL, readOnly: true });
    client.defineCommand('swap', { numberOfKeys: 1, lua: SWAP });
  }

  beforeAll(async () => {
    server = await choice.start();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    redis = another();
    await redis.flushall();
  });
  afterEach(() => {
    for (const client of others.splice(0)) client.disconnect();
  });

  it('runs scripts as commands, loads the unknown, and knows their errors', async () => {
    await redis.mset('a', 100, 'b', 1);
    expect(await redis.transfer('a', 'b', 30)).toBe(31);
    await expect(redis.transfer('a', 'b', 71)).rejects.toThrow(
      /^POOR the account has less than 71/,
    );
    await redis.script('FLUSH');
    expect(await redis.transfer('a', 'b', 70)).toBe(101);
    expect(await redis.mget('a', 'b')).toEqual(['0', '101']);
    expect(await redis.sumAll(2, 'a', 'b', 0.5)).toBe('50.5');
    const bytes = Buffer.from([0, 255, 13, 10]);
    expect(await redis.swap('bytes', bytes)).toBeNull();
    expect(await redis.swapBuffer('bytes', Buffer.alloc(0))).toEqual(bytes);
  });

  it('keeps the sum of all accounts while many scripts move money', async () => {
    await redis.mset(Object.fromEntries(ACCOUNTS.map((name) => [name, 100])));
    const clients = Array.from({ length: 6 }, another);
    let isDone = false;
    const sums = new Set<string>();
    const watch = async (): Promise<void> => {
      while (!isDone) sums.add(await redis.sumAll(ACCOUNTS.length, ...ACCOUNTS, 1));
    };
    const move = async (client: Redis, seed: number): Promise<void> => {
      for (let step = 0; step < 150; step++) {
        const from = ACCOUNTS[(seed + step * 7) % 10]!;
        const to = ACCOUNTS[(seed * 3 + step * 11 + 1) % 10]!;
        await client.transfer(from, to, 1 + (step % 40)).catch((error: Error) => {
          expect(error.message).toMatch(/^POOR/);
        });
      }
    };
    const watching = watch();
    await Promise.all(clients.map(move));
    isDone = true;
    await watching;
    expect([...sums]).toEqual(['1000']);
  });

  it('sends pipelines with scripts and errors in them, in order', async () => {
    const pipeline = redis.pipeline();
    for (let index = 0; index < 500; index++) pipeline.set(`k${index}`, index);
    pipeline.transfer('k400', 'k1', 400).lpush('k2', 'x').get('k1').sumAll(2, 'k1', 'k2', 1);
    const answers = (await pipeline.exec())!;
    expect(answers.slice(0, 500).every(([error, ok]) => error === null && ok === 'OK')).toBe(true);
    const [transfer, push, get, sum] = answers.slice(500);
    expect(transfer).toEqual([null, 401]);
    expect(push![0]?.message).toMatch(/^WRONGTYPE/);
    expect([get, sum]).toEqual([
      [null, '401'],
      [null, '403'],
    ]);
  });

  it('pipelines by itself what one turn asks', async () => {
    const auto = new Redis(server.port, '127.0.0.1', { enableAutoPipelining: true });
    others.push(auto);
    const names = Array.from({ length: 300 }, (_, index) => `k${index}`);
    await Promise.all(names.map((name) => auto.set(name, name)));
    expect(await Promise.all(names.map((name) => auto.get(name)))).toEqual(names);
  });

  it('makes transactions, and none of them when a watched key changed', async () => {
    const answers = await redis.multi().set('a', 1).incr('a').transfer('a', 'b', 2).exec();
    expect(answers).toEqual([
      [null, 'OK'],
      [null, 2],
      [null, 2],
    ]);
    await redis.watch('a');
    await another().set('a', 'changed');
    expect(await redis.multi().set('a', 'mine').set('b', 'mine').exec()).toBeNull();
    expect(await redis.mget('a', 'b')).toEqual(['changed', '2']);
    const wrong = redis.multi().set('c', 1).call('set', 'c').exec();
    await expect(wrong).rejects.toThrow(/^EXECABORT/);
    expect(await redis.exists('c')).toBe(0);
  });

  it('waits for elements, oldest waiter first', async () => {
    const waiters: Promise<[string, string] | null>[] = [];
    for (let count = 1; count <= 3; count++) {
      waiters.push(another().blpop('queue', 'other', 0));
      await until(
        async () => /blocked_clients:(\d+)/.exec(await redis.info('clients'))?.[1],
        (blocked) => blocked === `${count}`,
      );
    }
    await redis.rpush('queue', 'a', 'b');
    await redis.rpush('other', 'c');
    expect(await Promise.all(waiters)).toEqual([
      ['queue', 'a'],
      ['queue', 'b'],
      ['other', 'c'],
    ]);
  });

  it('shares a stream among the consumers of a group', async () => {
    await redis.xgroup('CREATE', 'jobs', 'group', '$', 'MKSTREAM');
    const [ann, bob] = [another(), another()];
    const read = (client: Redis, name: string) =>
      client.xreadgroup('GROUP', 'group', name, 'COUNT', 1, 'BLOCK', 0, 'STREAMS', 'jobs', '>');
    const reads = [read(ann, 'ann'), read(bob, 'bob')];
    const ids = [await redis.xadd('jobs', '*', 'n', '1'), await redis.xadd('jobs', '*', 'n', '2')];
    const got = (await Promise.all(reads)) as [string, [string, string[]][]][][];
    const entries = got.map(([stream]) => stream![1][0]!);
    expect(entries.map(([id]) => id).sort()).toEqual(ids);
    expect(await redis.xack('jobs', 'group', entries[0]![0])).toBe(1);
    expect((await redis.xpending('jobs', 'group'))[0]).toBe(1);
    const claimed = await redis.xautoclaim('jobs', 'group', 'carl', 0, '0');
    expect(claimed[1]).toEqual([entries[1]]);
  });

  it('walks keys and members in streams of batches', async () => {
    const names = Array.from({ length: 2_000 }, (_, index) => `name:${index}`);
    await redis.mset(Object.fromEntries(names.map((name) => [name, 'x'])));
    await redis.sadd('set', names);
    const seen = new Set<string>();
    for await (const keys of redis.scanStream({ match: 'name:*', count: 100 })) {
      for (const key of keys) seen.add(key);
    }
    expect(seen).toEqual(new Set(names));
    const members = new Set<string>();
    for await (const batch of redis.sscanStream('set', { count: 50 })) {
      for (const member of batch) members.add(member);
    }
    expect(members).toEqual(new Set(names));
  });

  it('subscribes to channels, patterns and shards', async () => {
    const heard: string[] = [];
    const [ears, shardEars] = [another(), another()];
    ears.on('message', (channel, text) => heard.push(`${channel} ${text}`));
    ears.on('pmessage', (pattern, channel, text) => heard.push(`${pattern} ${channel} ${text}`));
    shardEars.on('smessage', (channel, text) => heard.push(`shard ${channel} ${text}`));
    expect(await ears.subscribe('news', 'sport')).toBe(2);
    expect(await ears.psubscribe('s*', '[a-m]*')).toBe(4);
    expect(await shardEars.ssubscribe('news')).toBe(1);

    expect(await redis.publish('sport', '1')).toBe(2);
    expect(await redis.spublish('news', '2')).toBe(1);
    expect(await redis.eval("return redis.call('publish', 'animals', '3')", 0)).toBe(1);
    expect(await redis.multi().publish('news', '4').publish('zoo', '5').exec()).toEqual([
      [null, 1],
      [null, 0],
    ]);
    await until(
      () => heard,
      ({ length }) => length === 5,
    );
    const wanted = ['[a-m]* animals 3', 'news 4', 's* sport 1', 'shard news 2', 'sport 1'];
    expect(heard.sort()).toEqual(wanted);

    expect(await ears.unsubscribe('sport')).toBe(3);
    expect(await ears.punsubscribe('s*', '[a-m]*')).toBe(1);
    expect(await redis.publish('sport', '6')).toBe(0);
    expect(await redis.pubsub('CHANNELS')).toEqual(['news']);
  });

  it('comes back with its subscriptions after its connection was closed', async () => {
    const ears = another();
    const heard: string[] = [];
    ears.on('message', (_channel, text) => heard.push(text));
    ears.on('error', () => {});
    await ears.subscribe('news');
    await redis.client('KILL', 'TYPE', 'PUBSUB');
    await until(
      async () => {
        await redis.publish('news', 'again');
        return heard.length;
      },
      (length) => length > 0,
    );
    expect(heard[0]).toBe('again');
  });
});
