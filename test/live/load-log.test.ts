// DEBUG LOADAOF: the append logs are read again while the server runs and others are connected.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FILE_HEAD_BYTES } from '../../src/log/file-head.js';
import { makeValue } from '../rdb/values.js';
import { textOf } from '../support/resp.js';
import { partSeed, Random, seedOf } from '../support/seed.js';
import { type Client, type Server, startServer } from '../support/server.js';

const SEED_VARIABLE = 'SEED';
const WAIT_MS_MAX = 30_000;
const KEYS = 25;
const NOT_LOADED = 'ERR Error trying to load the AOF files, check server logs.';

let dir: string;
let server: Server;
let client: Client;

beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'flagstone-load-log-'));
});
afterEach(async () => {
  client?.close();
  await server?.stop('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
});

async function start(threads: number, appendOnly: 'yes' | 'no' = 'yes'): Promise<void> {
  const args = ['--appendonly', appendOnly, '--enable-debug-command', 'yes'];
  args.push('--auto-aof-rewrite-percentage', '0');
  server = await startServer({ dir, threads, partitions: 8, args });
  client = await server.connect();
  await expect.poll(() => ask('GET', 'a'), { timeout: WAIT_MS_MAX }).not.toMatch(/^LOADING/);
}

async function ask(...words: string[]): Promise<string> {
  const reply = await client.command(...words);
  return textOf(reply) ?? reply.type;
}

function info(name: string): Promise<string> {
  return ask('INFO', 'persistence').then(
    (text) => new RegExp(`^${name}:(.*)\r$`, 'm').exec(text)?.[1] ?? '',
  );
}

async function untilRewritten(): Promise<void> {
  await expect.poll(() => info('aof_rewrite_in_progress'), { timeout: WAIT_MS_MAX }).toBe('0');
}

/** Loads the logs, and finds what was there before. */
async function expectSameAfterLoading(title: string): Promise<void> {
  const digest = await ask('DEBUG', 'DIGEST');
  expect(await ask('DEBUG', 'LOADAOF'), title).toBe('OK');
  expect(await ask('DEBUG', 'DIGEST'), title).toBe(digest);
}

async function fill(random: Random, prefix: string): Promise<void> {
  for (let index = 0; index < KEYS; index++) {
    if (index % 10 === 0) await ask('SELECT', String(random.below(16)));
    const pending: unknown[] = [];
    const send = (...words: string[]) => pending.push(client.command(...words));
    makeValue(random, send as never, `${prefix}${index}`, true);
    await Promise.all(pending);
  }
}

describe.each([1, 2])('DEBUG LOADAOF with %i thread(s)', (threads) => {
  it('brings back what was there, in a rewrite too, and the logs go on', async () => {
    const seed = seedOf(SEED_VARIABLE);
    const title = `${SEED_VARIABLE}=${seed}`;
    const random = new Random(partSeed(seed, threads));
    await start(threads);
    await fill(random, 'first');
    await ask('SET', 'volatile', 'value', 'PXAT', '1900000000123');
    await expectSameAfterLoading(title);
    expect(await ask('PEXPIRETIME', 'volatile')).toBe('1900000000123');

    // A rewrite that takes its time, behind its cut.
    await ask('CONFIG', 'SET', 'rdb-key-save-delay', '100000');
    await ask('BGREWRITEAOF');
    await expect.poll(() => info('aof_rewrite_in_progress'), { timeout: WAIT_MS_MAX }).toBe('1');
    const others = await Promise.all([server.connect(), server.connect()]);
    const busy = others.map(async (other, number) => {
      for (let index = 0; index < 200; index++) {
        await other.command('RPUSH', `list${number}`, String(index));
        await other.command('INCR', 'shared');
      }
    });
    expect(await ask('DEBUG', 'LOADAOF'), title).toBe('OK');
    expect(await ask('DEBUG', 'LOADAOF'), title).toBe('OK');
    await Promise.all(busy);
    await expectSameAfterLoading(title);
    await ask('CONFIG', 'SET', 'rdb-key-save-delay', '0');
    await untilRewritten();
    await expectSameAfterLoading(title);
    await ask('SELECT', '0');
    expect(await others[0]!.command('GET', 'shared').then(textOf)).toBe('400');
    for (const other of others) other.close();

    await fill(random, 'second');
    await ask('SELECT', '0');
    const digest = await ask('DEBUG', 'DIGEST');
    client.close();
    await server.stop('SIGKILL');
    await start(threads);
    expect(await ask('DEBUG', 'DIGEST'), title).toBe(digest);
  });
});

describe('DEBUG LOADAOF', () => {
  it('takes functions from the logs, and tells those who watch, wait and cache', async () => {
    await start(2);
    const code = "#!lua name=lib\nredis.register_function('f', function() return 'here' end)";
    await ask('FUNCTION', 'LOAD', code);
    await ask('SET', 'watched', '1');
    await ask('RPUSH', 'passing', 'element');
    await ask('DEL', 'passing');
    const watcher = await server.connect();
    await watcher.command('WATCH', 'watched');
    const waiter = await server.connect();
    const popped = waiter.command('BLPOP', 'passing', '0');
    await expect
      .poll(() => ask('INFO', 'clients'), { timeout: WAIT_MS_MAX })
      .toContain('blocked_clients:1');

    expect(await ask('DEBUG', 'LOADAOF')).toBe('OK');

    expect(await ask('FCALL', 'f', '0')).toBe('here');
    await watcher.command('MULTI');
    expect((await watcher.command('EXEC')).type).toMatch(/^null/);
    // What was in the list for a moment of the past was not for who waits now.
    expect(await ask('INFO', 'clients')).toContain('blocked_clients:1');
    await ask('RPUSH', 'passing', 'new');
    const reply = await popped;
    expect(reply.type === 'array' ? reply.value.map(textOf) : reply).toEqual(['passing', 'new']);
    expect(await ask('EVAL', 'return 1', '0')).toBe('1');
    await ask('MULTI');
    await ask('DEBUG', 'LOADAOF');
    const refused = await client.command('EXEC');
    expect(refused.type === 'array' && textOf(refused.value[0]!)).toBe(
      'ERR DEBUG LOADAOF is not offered inside MULTI and in scripts',
    );
    watcher.close();
    waiter.close();
  });

  it('changes nothing when a log is damaged', async () => {
    await start(1);
    await ask('SET', 'a', 'first');
    await ask('SET', 'a', 'second');
    const folder = path.join(dir, 'appendonlydir');
    const name = readdirSync(folder).find((each) => each.startsWith('log-'))!;
    const bytes = readFileSync(path.join(folder, name));
    const damaged = Buffer.from(bytes);
    damaged[FILE_HEAD_BYTES + 20]! ^= 1;
    writeFileSync(path.join(folder, name), damaged);
    expect(await ask('DEBUG', 'LOADAOF')).toBe(NOT_LOADED);
    expect(await ask('GET', 'a')).toBe('second');
    writeFileSync(path.join(folder, name), bytes);
    await ask('SET', 'b', '1');
    await expectSameAfterLoading('mended');
    expect(await ask('GET', 'b')).toBe('1');
  });

  it('changes nothing when the base is damaged, cut or gone', async () => {
    await start(2);
    for (let index = 0; index < 200; index++) await ask('SET', `key${index}`, `value ${index}`);
    await ask('BGREWRITEAOF');
    await untilRewritten();
    await ask('SET', 'a', 'behind the base');
    const digest = await ask('DEBUG', 'DIGEST');
    const folder = path.join(dir, 'appendonlydir');
    const base = path.join(folder, readdirSync(folder).find((each) => each.startsWith('base-'))!);
    const bytes = readFileSync(base);
    const flipped = Buffer.from(bytes);
    flipped[bytes.length >> 1]! ^= 1;
    for (const damaged of [flipped, bytes.subarray(0, bytes.length - 4), bytes.subarray(0, 0)]) {
      writeFileSync(base, damaged);
      expect(await ask('DEBUG', 'LOADAOF')).toBe(NOT_LOADED);
      expect(await ask('DEBUG', 'DIGEST')).toBe(digest);
    }
    rmSync(base);
    expect(await ask('DEBUG', 'LOADAOF')).toBe(NOT_LOADED);
    expect(await ask('DEBUG', 'DIGEST')).toBe(digest);
    writeFileSync(base, bytes);
    await expectSameAfterLoading('mended');
  });

  it('without appendonly loads what lies there, and says when there is nothing', async () => {
    await start(1, 'no');
    await ask('SET', 'a', 'only in memory');
    expect(await ask('DEBUG', 'LOADAOF')).toBe(NOT_LOADED);
    expect(await ask('DBSIZE')).toBe('0');
    await ask('CONFIG', 'SET', 'appendonly', 'yes');
    // It waits for the first base.
    expect(await ask('DEBUG', 'LOADAOF')).toBe('OK');
    await ask('SET', 'a', 'in the log');
    await ask('CONFIG', 'SET', 'appendonly', 'no');
    await expect.poll(() => info('aof_enabled'), { timeout: WAIT_MS_MAX }).toBe('0');
    await expect
      .poll(() => server.printed, { timeout: WAIT_MS_MAX })
      .toContain('The append log is switched off');
    await ask('SET', 'a', 'only in memory');
    expect(await ask('DEBUG', 'LOADAOF')).toBe('OK');
    expect(await ask('GET', 'a')).toBe('in the log');
  });
});
