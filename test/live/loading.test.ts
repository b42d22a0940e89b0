// While a server loads: who may do what, what it tells about it, and that it can be ended.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { formatManifest } from '../../src/log/manifest.js';
import { HISTORY, LogBuilder, wire } from '../support/log-files.js';
import { printReply } from '../support/resp.js';
import { type Client, commandOf, freePort, Server, type ServerOptions } from '../support/server.js';

const RECORDS = 20_000;
/** Loading takes longer than any test, as long as nobody changes that. */
const DELAY_US = 5000;
const WAIT_MS_MAX = 30_000;
const LOADING = '-LOADING Redis is loading the dataset in memory';

const directory = mkdtempSync(path.join(os.tmpdir(), 'flagstone-loading-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

beforeAll(() => {
  const log = new LogBuilder(1, 0, RECORDS * 100);
  for (let number = 1; number <= RECORDS; number++) {
    log.append(number, 0, wire('SET', `key:${number}`, String(number)));
    if (number % 16 === 0) log.endTurn();
  }
  log.endTurn();
  const folder = path.join(directory, 'appendonlydir');
  mkdirSync(folder);
  writeFileSync(path.join(folder, log.name), log.bytes);
  const generations = [{ generation: 1, from: 1, to: null, logCount: 1 }];
  const manifest = { history: HISTORY, partitionCount: 16, base: null, generations };
  writeFileSync(path.join(folder, 'flagstone.manifest'), formatManifest(manifest));
});

async function eventually<T>(attempt: () => Promise<T | null>, what: string): Promise<T> {
  const deadline = Date.now() + WAIT_MS_MAX;
  while (Date.now() < deadline) {
    const result = await attempt();
    if (result !== null) return result;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`it did not come to pass: ${what}`);
}

let server: Server;
afterEach(async () => {
  await server.stop('SIGKILL');
});

/** A server that has begun to load, and two clients of it: two workers, as a rule. */
async function startLoading(transport: 'native' | 'node'): Promise<[Client, Client]> {
  const options: ServerOptions = {
    dir: directory,
    threads: 2,
    partitions: 16,
    transport,
    args: ['--appendonly', 'yes', '--key-load-delay', String(DELAY_US)],
  };
  server = new Server(commandOf(options), options, await freePort());
  const connected = async () => {
    try {
      return await server.connect();
    } catch {
      return null;
    }
  };
  const first = await eventually(connected, 'a connection');
  const second = await server.connect();
  await eventually(async () => {
    const bytes = await field(first, 'loading_loaded_bytes');
    return Number(bytes) > 0 ? true : null;
  }, 'loading has begun');
  return [first, second];
}

async function say(client: Client, line: string): Promise<string> {
  return printReply(await client.command(...line.split(' ')));
}

async function field(client: Client, name: string): Promise<string | undefined> {
  const text = printReply(await client.command('INFO', 'persistence'));
  return new RegExp(`${name}:([^\\\\\\r\\n]*)`).exec(text)?.[1];
}

describe.each(['native', 'node'] as const)('a server that loads, %s transport', (transport) => {
  it('answers what needs no data, refuses the rest, and then has all of it', async () => {
    const clients = await startLoading(transport);
    for (const client of clients) {
      for (const line of ['PING', 'GET key:1', 'SET a b', 'DBSIZE', 'FLUSHALL', 'SAVE']) {
        expect(await say(client, line), line).toBe(LOADING);
      }
      for (const line of ['SELECT 0', 'MULTI', 'DISCARD', 'WATCH key:1', 'UNWATCH', 'MULTI']) {
        expect(await say(client, line), line).toBe('+OK');
      }
      expect(await say(client, 'GET key:1')).toBe(LOADING);
      expect(await say(client, 'EXEC')).toMatch(/^-EXECABORT/);
      expect(await say(client, 'CONFIG SET appendonly no')).toBe(LOADING);
    }
    const [first, second] = clients;
    expect(await field(first, 'loading')).toBe('1');
    expect(await field(first, 'async_loading')).toBe('0');
    const total = Number(await field(first, 'loading_total_bytes'));
    expect(total).toBeGreaterThan(RECORDS * 30);
    expect(Number(await field(second, 'loading_loaded_bytes'))).toBeLessThan(total);
    expect(await field(second, 'loading_loaded_perc')).toMatch(/^\d+\.\d\d$/);
    expect(await field(second, 'loading_eta_seconds')).toMatch(/^\d+$/);
    expect(server.printed).toMatch(/Server initialized/);
    expect(server.printed).not.toMatch(/Ready to accept connections/);

    expect(await say(first, 'CONFIG SET key-load-delay 0')).toBe('+OK');
    await eventually(
      async () => ((await say(second, 'PING')) === '+PONG' ? true : null),
      'loading is over',
    );
    expect(await say(first, 'DBSIZE')).toBe(`:${RECORDS}`);
    expect(await say(second, `GET key:${RECORDS}`)).toBe(`$"${RECORDS}"`);
    expect(await field(first, 'loading')).toBe('0');
    expect(await field(first, 'loading_total_bytes')).toBeUndefined();
    const order = /Server initialized.*DB loaded from append only file: [\d.]+ seconds.*Ready to/s;
    expect(server.printed).toMatch(order);
    expect(await server.stop()).toBe('it ended with code 0');
  });

  it('ends when it is told to', async () => {
    const [client] = await startLoading(transport);
    void client.command('SHUTDOWN', 'NOSAVE').catch(() => {});
    expect(await server.ended).toBe('it ended with code 0');
    expect(server.printed).not.toMatch(/Ready to accept connections/);
  });

  it('ends on a signal, too', async () => {
    await startLoading(transport);
    expect(await server.stop()).toBe('it ended with code 0');
  });
});

describe('a server that cannot load', () => {
  it('says why, changes nothing, and ends with code 1', async () => {
    const folder = path.join(directory, 'damaged', 'appendonlydir');
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, 'flagstone.manifest'), 'flagstone-log 1\n');
    const options: ServerOptions = {
      dir: path.join(directory, 'damaged'),
      threads: 1,
      partitions: 16,
      args: ['--appendonly', 'yes'],
    };
    server = new Server(commandOf(options), options, await freePort());
    expect(await server.ended).toBe('it ended with code 1');
    expect(server.printed).toMatch(/Fatal error loading the DB: .*manifest/);
  });
});
