// Whole RDB files and append-only directories between Flagstone and a real redis-server, both ways.
// The other server is the one on the PATH, or what REDIS_SERVER names.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { emptyEngine, loadFile, writeFile } from '../rdb/files.js';
import { checkKeyspace, makeValue } from '../rdb/values.js';
import { loadRedisLog } from '../server/redis-logs.js';
import type { Engine } from '../support/engine.js';
import { textOf } from '../support/resp.js';
import { partSeed, Random, seedOf } from '../support/seed.js';
import { type Client, findProgram, type Server, startServer } from '../support/server.js';

const redis = process.env.REDIS_SERVER ?? findProgram('redis-server');
const checker = redis?.replace(/redis-server$/, 'redis-check-rdb') ?? '';
const SEED_VARIABLE = 'SEED';
const RUNS = 3;
const KEYS = 120;
const WAIT_MS = 30_000;

const directories: string[] = [];
const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop('SIGKILL');
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

function newDirectory(): string {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'flagstone-files-'));
  directories.push(directory);
  return directory;
}

async function startRedis(dir: string, ...args: string[]): Promise<Client> {
  const options = ['--enable-debug-command', 'yes', '--save', '', ...args];
  const server = await startServer({ command: redis!, args: options, dir });
  servers.push(server);
  return server.connect();
}

async function ask(client: Client, ...words: string[]): Promise<string> {
  return textOf(await client.command(...words)) ?? '';
}

/** Keys of all types that Redis has as well, in three databases; some expire in years. */
async function fill(random: Random, run: (...words: string[]) => unknown): Promise<void> {
  for (let index = 0; index < KEYS; index++) {
    if (random.chance(0.1)) await run('SELECT', String(random.below(3)));
    const key = `key:${index}`;
    const pending: unknown[] = [];
    makeValue(random, (...words) => pending.push(run(...words)), key, false);
    await Promise.all(pending);
    if (random.chance(0.3)) await run('PEXPIREAT', key, String(2e12 + random.below(1e9)));
  }
  await run('SELECT', '0');
}

function timesHere(engine: Engine): string {
  return ['0', '1', '2']
    .map((database) => {
      engine.run('SELECT', database);
      return Array.from({ length: KEYS }, (_, index) =>
        engine.run('PEXPIRETIME', `key:${index}`).trim(),
      ).join();
    })
    .join();
}

describe.skipIf(redis === null)('an RDB file', () => {
  it('of Flagstone is loaded by Redis, and what Redis writes of it by Flagstone', async () => {
    const seed = seedOf(SEED_VARIABLE);
    for (let run = 0; run < RUNS; run++) {
      const random = new Random(partSeed(seed, run));
      const title = `${SEED_VARIABLE}=${seed}, run ${run}`;
      const engine = emptyEngine();
      await fill(random, (...words) => engine.run(...words));
      const form = { compresses: random.chance(0.7), checksums: random.chance(0.8) };
      const recency = random.pick(['none', 'lru', 'lfu'] as const);
      const directory = newDirectory();
      const file = path.join(directory, 'dump.rdb');
      writeFileSync(file, writeFile(engine, { ...form, recency, isExact: false }).bytes);
      expect(execFileSync(checker, [file], { encoding: 'utf8' }), title).toContain('RDB looks OK!');

      const client = await startRedis(directory);
      expect(await ask(client, 'SAVE')).toBe('OK');
      client.close();

      const back = emptyEngine();
      loadFile(back, readFileSync(file));
      expect(back.digest(), title).toBe(engine.digest());
      expect(timesHere(back), title).toBe(timesHere(engine));
      checkKeyspace(back.keyspace);
    }
  }, 120_000);

  it('of Redis is loaded by Flagstone', async () => {
    const seed = seedOf(SEED_VARIABLE);
    const title = `${SEED_VARIABLE}=${seed}`;
    const directory = newDirectory();
    const client = await startRedis(directory, '--maxmemory-policy', 'allkeys-lru');
    await fill(new Random(partSeed(seed, 1)), (...words) => client.command(...words));
    await ask(
      client,
      'FUNCTION',
      'LOAD',
      '#!lua name=x\nredis.register_function("f", function() end)',
    );
    expect(await ask(client, 'SAVE')).toBe('OK');
    const engine = emptyEngine();
    const loaded = loadFile(engine, readFileSync(path.join(directory, 'dump.rdb')));
    expect(loaded.functions.map(String).join(), title).toContain('#!lua name=x');
    expect(loaded.facts.get('redis-ver'), title).toMatch(/^\d+\./);
    // Redis 7.0 has another digest of sorted sets: what it says is asked for them through the file.
    if (!(await ask(client, 'INFO', 'server')).includes('redis_version:7.0')) {
      expect(engine.digest(), title).toBe(await ask(client, 'DEBUG', 'DIGEST'));
    }
    const sizes = [];
    for (const database of ['0', '1', '2']) {
      await client.command('SELECT', database);
      const reply = await client.command('DBSIZE');
      sizes.push(reply.type === 'integer' ? Number(reply.value) : -1);
    }
    expect(loaded.keysLoaded, title).toBe(sizes.reduce((sum, size) => sum + size));
  }, 120_000);
});

describe.skipIf(redis === null)('the append-only directory of Redis', () => {
  it('is loaded to what Redis itself has, through a rewrite and transactions', async () => {
    const seed = seedOf(SEED_VARIABLE);
    const title = `${SEED_VARIABLE}=${seed}`;
    const directory = newDirectory();
    const client = await startRedis(
      directory,
      ...['--appendonly', 'yes', '--appendfsync', 'no', '--aof-timestamp-enabled', 'yes'],
    );
    const random = new Random(partSeed(seed, 2));
    await fill(random, (...words) => client.command(...words));
    expect(await ask(client, 'BGREWRITEAOF')).toContain('started');
    await untilRewritten(client);
    for (const words of [
      ['MULTI'],
      ['SET', 'a', '1'],
      ['INCR', 'a'],
      ['EXEC'],
      ['SPOP', 'nosuch'],
    ]) {
      await client.command(...words);
    }
    await client.command('SADD', 'popped', 'a', 'b', 'c', 'd');
    await client.command('SPOP', 'popped', '2');
    await fill(random, (...words) => client.command(...words));
    expect(await ask(client, 'SAVE')).toBe('OK');
    const expected = emptyEngine();
    loadFile(expected, readFileSync(path.join(directory, 'dump.rdb')));

    const engine = emptyEngine();
    const loaded = loadRedisLog(engine, directory);

    expect(loaded.warnings, title).toEqual([]);
    expect(engine.digest(), title).toBe(expected.digest());
    expect(timesHere(engine), title).toBe(timesHere(expected));
    checkKeyspace(engine.keyspace);
  }, 120_000);
});

async function untilRewritten(client: Client): Promise<void> {
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    const persistence = await ask(client, 'INFO', 'persistence');
    const isBusy = /aof_rewrite_(in_progress|scheduled):1/.test(persistence);
    if (!isBusy && persistence.includes('aof_last_bgrewrite_status:ok')) return;
    if (Date.now() > deadline) throw new Error(`Redis does not end its rewrite:\n${persistence}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
