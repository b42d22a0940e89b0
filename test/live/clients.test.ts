// Everyday work through the clients people use: ioredis, node-redis, redis-cli (hiredis), redis-py.

import { execFileSync } from 'node:child_process';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { findProgram, type Server, startServer, succeeds } from '../support/server.js';

const PIPELINE_COMMANDS = 1_000;
const PYTHON = '/usr/bin/python3';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());
beforeEach(async () => {
  const client = await server.connect();
  await client.command('FLUSHALL');
  client.close();
});

describe('ioredis', () => {
  let redis: Redis;
  beforeEach(() => {
    redis = new Redis(server.port, '127.0.0.1');
    return () => redis.disconnect();
  });

  it('stores strings and bytes', async () => {
    expect(await redis.set('key', 'value')).toBe('OK');
    expect(await redis.get('key')).toBe('value');
    expect(await redis.get('missing')).toBeNull();

    const bytes = Buffer.from([0, 255, 13, 10, 36]);
    await redis.set('bytes', bytes);
    expect(await redis.getBuffer('bytes')).toEqual(bytes);

    await redis.mset({ a: '1', b: '2' });
    expect(await redis.mget('a', 'missing', 'b')).toEqual(['1', null, '2']);
    expect(await redis.append('key', '!')).toBe(6);
  });

  it('counts', async () => {
    expect(await redis.incr('counter')).toBe(1);
    expect(await redis.incrby('counter', 41)).toBe(42);
    expect(await redis.decr('counter')).toBe(41);
    expect(await redis.incrbyfloat('counter', 0.5)).toBe('41.5');
    await expect(redis.incr('counter')).rejects.toThrow('value is not an integer or out of range');
  });

  it('sets times to live', async () => {
    await redis.set('key', 'value', 'EX', 100, 'NX');
    expect(await redis.ttl('key')).toBeGreaterThan(98);
    expect(await redis.persist('key')).toBe(1);
    expect(await redis.ttl('key')).toBe(-1);
    expect(await redis.expire('key', 0)).toBe(1);
    expect(await redis.exists('key')).toBe(0);
  });

  it('walks, renames and moves keys', async () => {
    await redis.mset({ 'user:1': 'a', 'user:2': 'b', other: 'c' });
    const names: string[] = [];
    for await (const page of redis.scanStream({ match: 'user:*' })) names.push(...page);
    expect(names.sort()).toEqual(['user:1', 'user:2']);

    await redis.rename('other', 'renamed');
    expect(await redis.keys('*named')).toEqual(['renamed']);
    expect(await redis.move('renamed', 1)).toBe(1);
    await redis.select(1);
    expect(await redis.dbsize()).toBe(1);
    expect(await redis.type('renamed')).toBe('string');
  });

  it('pipelines', async () => {
    const pipeline = redis.pipeline();
    for (let index = 0; index < PIPELINE_COMMANDS; index++) pipeline.incr('counter');
    const replies = await pipeline.exec();

    expect(replies?.at(-1)).toEqual([null, PIPELINE_COMMANDS]);
  });

  it('names its connection and reads INFO for its ready check', async () => {
    const named = new Redis(server.port, '127.0.0.1', { connectionName: 'worker', db: 2 });
    try {
      expect(await named.client('GETNAME')).toBe('worker');
      expect(await named.set('key', 'two')).toBe('OK');
      expect(await redis.get('key')).toBeNull();
      expect(await redis.info('server')).toContain('redis_version:');
    } finally {
      named.disconnect();
    }
  });
});

describe.each([2, 3] as const)('node-redis with RESP%i', (protocol) => {
  const open = () => createClient({ url: `redis://127.0.0.1:${server.port}`, RESP: protocol });
  let redis: ReturnType<typeof open>;
  beforeEach(async () => {
    redis = open();
    await redis.connect();
    return () => redis.destroy();
  });

  it('stores strings, counts and sets times to live', async () => {
    expect(await redis.set('key', 'value', { expiration: { type: 'EX', value: 100 } })).toBe('OK');
    expect(await redis.get('key')).toBe('value');
    expect(await redis.ttl('key')).toBeGreaterThan(98);
    expect(await redis.getEx('key', { type: 'PX', value: 5_000 })).toBe('value');
    expect(await redis.incrBy('counter', 5)).toBe(5);
    expect(await redis.mGet(['key', 'missing'])).toEqual(['value', null]);
    expect(await redis.getDel('key')).toBe('value');
    expect(await redis.exists('key')).toBe(0);
  });

  it('works with bits', async () => {
    await redis.setBit('bits', 7, 1);
    expect(await redis.getBit('bits', 7)).toBe(1);
    expect(await redis.bitCount('bits')).toBe(1);
    expect(await redis.bitPos('bits', 1)).toBe(7);
  });

  it('walks over keys', async () => {
    await redis.mSet({ a: '1', b: '2', c: '3' });
    const names: string[] = [];
    for await (const page of redis.scanIterator({ COUNT: 1 })) names.push(...page);

    expect([...new Set(names)].sort()).toEqual(['a', 'b', 'c']);
    expect((await redis.keys('*')).sort()).toEqual(['a', 'b', 'c']);
    expect(await redis.dbSize()).toBe(3);
  });

  it('reads and changes the configuration', async () => {
    expect(await redis.configGet('maxmemory-policy')).toEqual({ 'maxmemory-policy': 'noeviction' });
    expect(await redis.configSet('slowlog-max-len', '128')).toBe('OK');
  });

  it('pipelines what is sent in one turn', async () => {
    const replies = await Promise.all(
      Array.from({ length: PIPELINE_COMMANDS }, () => redis.incr('counter')),
    );

    expect(replies.at(-1)).toBe(PIPELINE_COMMANDS);
  });
});

describe('redis-cli', () => {
  const program = findProgram('redis-cli');
  const run = (input: string, ...args: string[]): string =>
    execFileSync(program!, ['-p', String(server.port), ...args], { input, encoding: 'utf8' });

  it('talks as every operator does', (context) => {
    if (program === null) return context.skip('there is no redis-cli on the PATH');

    expect(run('', 'SET', 'key', 'value')).toBe('OK\n');
    expect(run('', '--no-raw', 'GET', 'key')).toBe('"value"\n');
    expect(run('', '--no-raw', 'GET', 'missing')).toBe('(nil)\n');
    expect(run('', '--no-raw', '-3', 'CONFIG', 'GET', 'databases')).toContain(
      '"databases" => "16"',
    );
    expect(run('', '-n', '3', 'DBSIZE')).toBe('0\n');
  });

  it('reads commands from its input', (context) => {
    if (program === null) return context.skip('there is no redis-cli on the PATH');

    const output = run('SET a 1\nINCR a\nINCRBY a abc\nTTL a\n');

    expect(output).toBe('OK\n2\nERR value is not an integer or out of range\n\n-1\n');
  });
});

const PYTHON_WORK = `
import sys, redis
client = redis.Redis(port=int(sys.argv[1]))
assert client.ping()
assert client.set('key', b'\\x00\\xffvalue', ex=100, nx=True)
assert client.get('key') == b'\\x00\\xffvalue'
assert 98 <= client.ttl('key') <= 100
assert client.incr('counter', 5) == 5
assert client.incrbyfloat('counter', 1.5) == 6.5
assert client.mset({'a': 1, 'b': 2}) and client.mget('a', 'none', 'b') == [b'1', None, b'2']
assert client.setrange('a', 3, 'x') == 4 and client.getrange('a', 0, -1) == b'1\\x00\\x00x'
assert client.setbit('bits', 3, 1) == 0 and client.bitcount('bits') == 1
assert sorted(client.scan_iter(count=2)) == [b'a', b'b', b'bits', b'counter', b'key']
assert client.rename('a', 'z') and client.copy('z', 'y') and client.exists('z', 'y', 'a') == 2
assert client.type('z') == b'string' and client.object('encoding', 'b') == b'int'
assert client.config_get('databases') == {'databases': '16'}
assert client.info('server')['redis_version'].startswith('7.')
assert client.client_setname('worker') and client.client_getname() == 'worker'
with client.pipeline(transaction=False) as pipeline:
    for _ in range(1000): pipeline.incr('loop')
    assert pipeline.execute()[-1] == 1000
assert client.flushdb() and client.dbsize() == 0
try:
    client.set('text', 'x'); client.incr('text'); assert False
except redis.ResponseError as error:
    assert 'not an integer' in str(error)
print('done')
`;

describe('redis-py', () => {
  it('does everyday work', (context) => {
    if (!succeeds(PYTHON, ['-c', 'import redis'])) {
      return context.skip('python3-redis is not installed');
    }

    const output = execFileSync(PYTHON, ['-c', PYTHON_WORK, String(server.port)], {
      encoding: 'utf8',
    });

    expect(output).toBe('done\n');
  });
});
