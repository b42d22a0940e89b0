// DEBUG RELOAD: the dataset through its file and back, while other clients are connected.

import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeValue } from '../rdb/values.js';
import { textOf } from '../support/resp.js';
import { partSeed, Random, seedOf } from '../support/seed.js';
import { type Client, type Server, startServer } from '../support/server.js';

const SEED_VARIABLE = 'SEED';
const KEYS = 150;

let server: Server;
let client: Client;

beforeAll(async () => {
  server = await startServer({ threads: 2, args: ['--enable-debug-command', 'yes'] });
  client = await server.connect();
}, 60_000);

afterAll(async () => {
  client?.close();
  await server?.stop();
});

beforeEach(async () => {
  await client.command('FLUSHALL');
});

async function ask(...words: string[]): Promise<string> {
  const reply = await client.command(...words);
  return textOf(reply) ?? reply.type;
}

describe('DEBUG RELOAD', () => {
  it('keeps all keys of all types, and when they expire', async () => {
    const seed = seedOf(SEED_VARIABLE);
    const title = `${SEED_VARIABLE}=${seed}`;
    const random = new Random(partSeed(seed, 0));
    for (let index = 0; index < KEYS; index++) {
      if (index % 10 === 0) await ask('SELECT', String(random.below(16)));
      const pending: unknown[] = [];
      makeValue(random, (...words) => pending.push(client.command(...words)), `k${index}`, true);
      await Promise.all(pending);
    }
    await ask('SELECT', '9');
    await ask('SET', 'volatile', 'value', 'PXAT', '1900000000123');
    const digest = await ask('DEBUG', 'DIGEST');

    expect(await ask('DEBUG', 'RELOAD'), title).toBe('OK');

    expect(await ask('DEBUG', 'DIGEST'), title).toBe(digest);
    expect(await ask('PEXPIRETIME', 'volatile')).toBe('1900000000123');
    expect(existsSync(path.join(server.dir, 'dump.rdb'))).toBe(true);
    await ask('SELECT', '0');
  });

  it('with NOSAVE has what the file had, and with NOFLUSH and MERGE both', async () => {
    await ask('SET', 'a', 'saved');
    await ask('DEBUG', 'RELOAD');
    await ask('SET', 'a', 'newer');
    await ask('SET', 'b', 'newer');
    expect(await ask('DEBUG', 'RELOAD', 'NOSAVE')).toBe('OK');
    expect(await ask('GET', 'a')).toBe('saved');
    expect(await ask('EXISTS', 'b')).toBe('0');

    await ask('SET', 'a', 'newer');
    await ask('SET', 'b', 'newer');
    expect(await ask('DEBUG', 'RELOAD', 'NOSAVE', 'NOFLUSH')).toBe(
      'ERR Error trying to load the RDB dump, check server logs.',
    );
    await expect
      .poll(() => server.printed, { timeout: 20_000 })
      .toContain('key "a" of database 0 is there twice');
    expect(await ask('debug', 'reload', 'nosave', 'noflush', 'merge')).toBe('OK');
    expect(await ask('GET', 'a')).toBe('saved');
    expect(await ask('GET', 'b')).toBe('newer');
  });

  it('keeps libraries of functions, and takes those of the file', async () => {
    const library = (name: string) =>
      `#!lua name=${name}\nredis.register_function('${name}', function() return '${name}' end)`;
    await ask('FUNCTION', 'LOAD', library('saved'));
    expect(await ask('DEBUG', 'RELOAD')).toBe('OK');
    expect(await ask('FCALL', 'saved', '0')).toBe('saved');

    await ask('FUNCTION', 'LOAD', library('newer'));
    expect(await ask('DEBUG', 'RELOAD', 'NOSAVE', 'NOFLUSH')).toMatch(/^ERR Error trying to load/);
    expect(await ask('DEBUG', 'RELOAD', 'NOSAVE', 'NOFLUSH', 'MERGE')).toBe('OK');
    expect(await ask('FCALL', 'newer', '0')).toBe('newer');
    expect(await ask('DEBUG', 'RELOAD', 'NOSAVE')).toBe('OK');
    expect(await ask('FCALL', 'saved', '0')).toBe('saved');
    expect(await ask('FCALL', 'newer', '0')).toBe('ERR Function not found');
    await ask('FUNCTION', 'FLUSH');
  });

  it('tells whoever watches a key that it has changed', async () => {
    await ask('SET', 'watched', '1');
    const watcher = await server.connect();
    await watcher.command('WATCH', 'watched');
    await ask('DEBUG', 'RELOAD');
    await watcher.command('MULTI');
    await watcher.command('GET', 'watched');
    const reply = await watcher.command('EXEC');
    expect(reply.type).toMatch(/^null/);
    watcher.close();
  });

  it('works inside MULTI, together with what else is queued', async () => {
    await ask('SET', 'a', '1');
    await ask('MULTI');
    await ask('INCR', 'a');
    await ask('DEBUG', 'RELOAD');
    await ask('INCR', 'a');
    expect(await ask('EXEC')).toBe('array');
    expect(await ask('GET', 'a')).toBe('3');
    expect(await ask('DEBUG', 'RELOAD', 'NOSAVE')).toBe('OK');
    expect(await ask('GET', 'a')).toBe('2');
  });

  it('lets a client wait on for a key', async () => {
    const waiter = await server.connect();
    const popped = waiter.command('BLPOP', 'list', '0');
    await ask('PING');
    await ask('DEBUG', 'RELOAD');
    await ask('RPUSH', 'list', 'element');
    const reply = await popped;
    expect(reply.type === 'array' ? reply.value.map(textOf) : reply).toEqual(['list', 'element']);
    waiter.close();
  });

  it('says what is wrong with its options, and with a broken file', async () => {
    expect(await ask('DEBUG', 'RELOAD', 'NONSENSE')).toBe(
      'ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.',
    );
    writeFileSync(path.join(server.dir, 'dump.rdb'), 'REDIS0010 this is no file');
    expect(await ask('DEBUG', 'RELOAD', 'NOSAVE')).toBe(
      'ERR Error trying to load the RDB dump, check server logs.',
    );
    expect(await ask('PING')).toBe('PONG');
  });
});
