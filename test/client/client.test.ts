// The client against a running gateway, with the WebSocket of ws: replies, channels, caching, the
// change feed, sign-in, and a server that restarts under it.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import {
  type Client,
  type ClientOptions,
  connect,
  type SocketClass,
} from '../../src/client/index.js';
import { freePort, type Server, startServer } from '../support/server.js';

const START_MS_MAX = 60_000;
const TEST_MS_MAX = 120_000;
const SOON = { timeout: 20_000 };

let server: Server;
let gatewayPort: number;
let dir: string;
const opened: Client[] = [];

function start(): Promise<Server> {
  const args = ['--gateway-port', String(gatewayPort), '--appendonly', 'yes'];
  return startServer({ threads: 2, dir, args, startMsMax: START_MS_MAX });
}

function open(options: ClientOptions = {}): Client {
  const url = `ws://127.0.0.1:${gatewayPort}/ws`;
  const client = connect(url, { ...options, WebSocket: WebSocket as unknown as SocketClass });
  opened.push(client);
  return client;
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'flagstone-client-'));
  gatewayPort = await freePort();
  server = await start();
}, TEST_MS_MAX);

afterEach(() => {
  for (const client of opened.splice(0)) client.close();
});

afterAll(async () => {
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

describe('flagstone/client', { timeout: TEST_MS_MAX }, () => {
  it('answers with text, numbers, maps, lists, bytes and errors', async () => {
    const db = open();
    expect(await db.set('text', 'grün')).toBe('OK');
    expect(await db.get('text')).toBe('grün');
    expect(await db.incrby('number', 41)).toBe(41);
    await db.hset('hash', 'a', 1, 'b', 2);
    expect(await db.hgetall('hash')).toEqual(new Map(Object.entries({ a: '1', b: '2' })));
    await db.set('bytes', new Uint8Array([0, 255]));
    expect(await db.get('bytes')).toEqual(new Uint8Array([0, 255]));
    expect(await db.configGet('maxmemory')).toEqual(new Map([['maxmemory', '0']]));
    await expect(db.lpush('text', 1)).rejects.toMatchObject({ code: 'WRONGTYPE' });
  });

  it('gives bytes everywhere in binary mode', async () => {
    const db = open({ binary: true, db: 3 });
    await db.set('k', 'v');
    expect(await db.get('k')).toEqual(new TextEncoder().encode('v'));
    expect(await open().get('k')).toBe(null);
  });

  it('keeps thousands of commands of one task in order', async () => {
    const db = open();
    const replies = await Promise.all(Array.from({ length: 5000 }, () => db.incr('many')));
    expect(replies).toEqual(Array.from({ length: 5000 }, (_, index) => index + 1));
  });

  it('runs a transaction, with an error in its place', async () => {
    const replies = await open().transaction([
      ['SET', 'tx', 1],
      ['LPUSH', 'tx', 1],
      ['INCR', 'tx'],
    ]);
    expect([replies[0], replies[2]]).toEqual(['OK', 2]);
    expect(replies[1]).toMatchObject({ code: 'WRONGTYPE' });
  });

  it('iterates over channels and patterns, and ends with the loop', async () => {
    const db = open();
    const news = db.subscribe('news');
    const all = db.psubscribe('n*');
    await Promise.all([news.ready, all.ready]);
    expect(await db.publish('news', 'hello')).toBe(2);
    for await (const message of news) {
      expect(message).toEqual({ channel: 'news', payload: 'hello' });
      break;
    }
    const message = { channel: 'news', payload: 'hello', pattern: 'n*' };
    expect((await all.next()).value).toEqual(message);
    await expect.poll(() => db.publish('news', 'again'), SOON).toBe(1);
  });

  it('says which keys of a cache are stale', async () => {
    const stale: unknown[] = [];
    const db = open({ onInvalidate: (keys) => stale.push(keys) });
    await db.get('cached');
    await open().set('cached', 'new');
    await expect.poll(() => stale, SOON).toEqual([['cached']]);
  });

  it('follows the changes of keys', async () => {
    const db = open();
    const changes = db.changes({ match: ['followed:*'], from: '0' });
    await db.mset('other', 1, 'followed:1', 2);
    const { value } = await changes.next();
    expect(value!.commands.flat().map(String)).toContain('followed:1');
    await changes.return(undefined);
  });

  it('gives up on what takes too long', async () => {
    const db = open();
    const late = db.call(['BLPOP', 'empty', 0], { timeoutMs: 300 });
    await expect(late).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  it('comes back after a restart, with its subscriptions', async () => {
    const states: string[] = [];
    const db = open({ onState: (state) => states.push(state) });
    const news = db.subscribe('news');
    await news.ready;
    await db.set('kept', 'yes');
    const lost = db.call(['BLPOP', 'empty', 0], { timeoutMs: 0 });
    const isLost = expect(lost).rejects.toMatchObject({ name: 'ConnectionError' });

    await server.stop();
    await isLost;
    const waiting = db.call(['GET', 'kept'], { timeoutMs: 0 });
    server = await start();

    expect(await waiting).toBe('yes');
    expect(states).toContain('waiting');
    const other = open();
    await expect.poll(() => other.publish('news', 'back'), SOON).toBe(1);
    expect((await news.next()).value).toMatchObject({ payload: 'back' });
  });

  it('is refused with a wrong password, and taken with the right one', async () => {
    await open().send('ACL', 'SETUSER', 'ada', 'on', '>secret', '~*', '+@all');
    const wrong = open({ user: 'ada', password: 'guess' });
    await expect(wrong.ping()).rejects.toThrow('WRONGPASS');
    expect(wrong.state).toBe('refused');
    const right = open({ user: 'ada', password: 'secret' });
    expect(await right.aclWhoami()).toBe('ada');
  });
});
