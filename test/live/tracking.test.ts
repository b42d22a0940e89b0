// Client-side caching over all threads and both transports: who has read a key hears of its change,
// after the reply that it has read, once; and the clients people use keep their caches right.

import { Redis } from 'ioredis';
import { BasicClientSideCache, createClient } from 'redis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Client } from '../support/client.js';
import { printReply, type Reply } from '../support/resp.js';
import { type Server, startServer } from '../support/server.js';

const WAYS = [
  { threads: 1, transport: 'native' },
  { threads: 2, transport: 'native' },
  { threads: 4, transport: 'native' },
  { threads: 2, transport: 'node' },
] as const;
const WAIT_MS_MAX = 30_000;

async function until(isDone: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + WAIT_MS_MAX;
  while (!(await isDone())) {
    if (Date.now() > deadline) throw new Error(`not within ${WAIT_MS_MAX} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const print = (reply: Reply): string => printReply(reply, 'short');

/** The next reply or message, as printed. */
async function next(client: Client): Promise<string> {
  return print(await client.read(WAIT_MS_MAX));
}

async function say(client: Client, line: string): Promise<string> {
  return print(await client.command(...line.split(' ')));
}

const told = (...keys: string[]): string =>
  `>["invalidate", [${keys.map((key) => `"${key}"`).join(', ')}]]`;
const ALL_GONE = '>["invalidate", (nil)]';

describe.each(WAYS)('with %o', (way) => {
  let server: Server;
  let writer: Client;
  const opened: Client[] = [];
  beforeAll(async () => {
    server = await startServer(way);
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    for (const client of opened.splice(0)) client.close();
    writer = await open();
    // Those of the test before may not have left yet, and would be counted.
    await until(async () => (await figure('connected_clients')) === 1);
    await say(writer, 'FLUSHALL');
    await say(writer, 'CONFIG SET tracking-table-max-keys 1000000');
  });

  async function open(protocol: 2 | 3 = 2): Promise<Client> {
    const client = await server.connect();
    opened.push(client);
    if (protocol === 3) {
      await client.command('HELLO', '3');
      client.protocol = 3;
    }
    return client;
  }

  async function figure(name: string): Promise<number> {
    const reply = await writer.command('INFO', 'everything');
    return Number(new RegExp(`${name}:(\\d+)`).exec(String(reply.value))?.[1]);
  }

  it('whoever has read a key hears once of its change', async () => {
    const readers = await Promise.all(Array.from({ length: 5 }, () => open(3)));
    for (const reader of readers) {
      expect(await say(reader, 'CLIENT TRACKING ON')).toBe('OK');
      await say(reader, 'MGET one two');
    }
    await say(writer, 'SET one 1');
    await say(writer, 'SET one 2');
    await say(writer, 'DEL two');
    await say(writer, 'SET two 2');
    for (const reader of readers) {
      expect(await next(reader)).toBe(told('one'));
      expect(await next(reader)).toBe(told('two'));
      expect(await say(reader, 'PING')).toBe('PONG');
    }
  });

  it('what one changes itself it hears after the reply', async () => {
    const reader = await open(3);
    await say(reader, 'CLIENT TRACKING ON');
    const replies = reader.pipeline([['GET', 'k'], ['SET', 'k', '1'], ['PING'], ['GET', 'k']]);
    const seen = (await replies).map(print);
    seen.push(await next(reader));
    expect(seen).toEqual(['(nil)', 'OK', told('k'), 'PONG', '"1"']);
    await say(reader, 'MULTI');
    await say(reader, 'SET k 2');
    await say(reader, 'GET k');
    expect(await say(reader, 'EXEC')).toBe('[+"OK", "2"]');
    expect(await next(reader)).toBe(told('k'));
    await say(writer, 'SET k 3');
    expect(await next(reader)).toBe(told('k'));
  });

  it('NOLOOP leaves out what one changes itself', async () => {
    const reader = await open(3);
    await say(reader, 'CLIENT TRACKING ON NOLOOP');
    await say(reader, 'GET k');
    await say(reader, 'SET k 1');
    expect(await say(reader, 'GET k')).toBe('"1"');
    await say(writer, 'SET k 2');
    expect(await next(reader)).toBe(told('k'));
  });

  it('with OPTIN and OPTOUT the next command or transaction is the exception', async () => {
    const reader = await open(3);
    await say(reader, 'CLIENT TRACKING ON OPTIN');
    await say(reader, 'GET a');
    await say(reader, 'CLIENT CACHING YES');
    await say(reader, 'GET b');
    await say(reader, 'GET c');
    await say(reader, 'CLIENT CACHING YES');
    await say(reader, 'MULTI');
    await say(reader, 'GET d');
    await say(reader, 'EXEC');
    await say(reader, 'GET e');
    for (const key of ['a', 'b', 'c', 'd', 'e']) await say(writer, `SET ${key} 1`);
    expect(await next(reader)).toBe(told('b'));
    expect(await next(reader)).toBe(told('d'));
    await say(reader, 'CLIENT TRACKING OFF');
    await say(reader, 'CLIENT TRACKING ON OPTOUT');
    await say(reader, 'CLIENT CACHING NO');
    await say(reader, 'GET a');
    await say(reader, 'GET b');
    await say(writer, 'MSET a 2 b 2');
    expect(await next(reader)).toBe(told('b'));
    expect(await say(reader, 'PING')).toBe('PONG');
  });

  it('in broadcast mode all keys with a prefix are told, together', async () => {
    const reader = await open(3);
    await say(reader, 'CLIENT TRACKING ON BCAST PREFIX user: PREFIX item:');
    const silent = await open(3);
    await say(silent, 'CLIENT TRACKING ON BCAST NOLOOP');
    await writer.pipeline([
      ['SET', 'user:2', '1'],
      ['SET', 'other', '1'],
      ['SET', 'user:1', '1'],
      ['SET', 'item:1', '1'],
      ['SET', 'user:2', '2'],
    ]);
    expect([await next(reader), await next(reader)].sort()).toEqual([
      told('item:1'),
      told('user:1', 'user:2'),
    ]);
    expect(await next(silent)).toBe(told('item:1', 'other', 'user:1', 'user:2'));
    await say(silent, 'SET own 1');
    expect(await say(silent, 'PING')).toBe('PONG');
    expect(await say(reader, 'CLIENT TRACKING ON BCAST PREFIX us')).toMatch(/overlaps/);
    expect(await figure('tracking_total_prefixes')).toBe(3);
    await say(reader, 'CLIENT TRACKING OFF');
    await say(writer, 'SET user:1 3');
    expect(await say(reader, 'PING')).toBe('PONG');
  });

  it('a client of RESP2 hears through another connection, told that it subscribed', async () => {
    const listeners = [await open(), await open(), await open()];
    for (const listener of listeners) {
      const id = print(await listener.command('CLIENT', 'ID'));
      await say(listener, 'SUBSCRIBE __redis__:invalidate');
      const reader = await open();
      expect(await say(reader, `CLIENT TRACKING ON REDIRECT ${id}`)).toBe('OK');
      expect(await say(reader, 'CLIENT GETREDIR')).toBe(id);
      await say(reader, 'GET k');
    }
    await say(writer, 'SET k 1');
    for (const listener of listeners) {
      expect(await next(listener)).toBe('["message", "__redis__:invalidate", ["k"]]');
    }
    await say(writer, 'FLUSHALL');
    for (const listener of listeners) {
      expect(await next(listener)).toBe('["message", "__redis__:invalidate", (nil)]');
    }
  });

  it('who redirects to somebody that has gone is told so', async () => {
    const listener = await open(3);
    const id = print(await listener.command('CLIENT', 'ID'));
    const reader = await open(3);
    await say(reader, `CLIENT TRACKING ON REDIRECT ${id}`);
    await say(reader, 'GET k');
    await say(writer, 'SET k 1');
    expect(await next(listener)).toBe(told('k'));
    await say(reader, 'GET k');
    listener.close();
    await until(async () => !(await say(writer, 'CLIENT LIST')).includes(`id=${id} `));
    await say(writer, 'SET k 2');
    expect(await next(reader)).toBe(`>["tracking-redir-broken", ${id}]`);
    expect(await say(reader, 'CLIENT TRACKINGINFO')).toMatch(/"broken_redirect"/);
    expect(await say(reader, 'CLIENT INFO')).toMatch(new RegExp(`flags=tR .*redir=${id} `));
  });

  it('a flush makes everybody forget everything', async () => {
    const reader = await open(3);
    await say(reader, 'CLIENT TRACKING ON');
    const everywhere = await open(3);
    await say(everywhere, 'CLIENT TRACKING ON BCAST');
    await say(writer, 'SET k 1');
    expect(await next(everywhere)).toBe(told('k'));
    await say(reader, 'GET k');
    await say(writer, 'FLUSHDB');
    expect(await next(reader)).toBe(ALL_GONE);
    expect(await next(everywhere)).toBe(ALL_GONE);
    expect(await figure('tracking_total_keys')).toBe(0);
    await say(reader, 'FLUSHALL');
    expect(await next(reader)).toBe(ALL_GONE);
  });

  it('a key that expires is told', async () => {
    const reader = await open(3);
    await say(reader, 'CLIENT TRACKING ON');
    // A busy machine may be late: then the key has gone before anybody has read it.
    for (let ms = 40; ; ms *= 2) {
      await say(writer, `SET k${ms} 1 PX ${ms}`);
      if ((await say(reader, `GET k${ms}`)) === '(nil)') continue;
      expect(await next(reader)).toBe(told(`k${ms}`));
      break;
    }
  });

  it('no more keys are remembered than may be', async () => {
    const reader = await open(3);
    await say(reader, 'CLIENT TRACKING ON');
    await say(writer, 'CONFIG SET tracking-table-max-keys 10');
    const keys = Array.from({ length: 300 }, (_, index) => `key:${index}`);
    for (const key of keys) await reader.send(Buffer.from(`GET ${key}\r\n`));
    const forgotten = new Set<string>();
    let answers = 0;
    while (answers < keys.length || forgotten.size < keys.length - 10) {
      const line = await next(reader);
      if (line === '(nil)') answers++;
      else forgotten.add(line);
    }
    await until(async () => (await figure('tracking_total_keys')) <= 10);
  });

  it('one that waited hears of its own change after the answer', async () => {
    const reader = await open(3);
    await say(reader, 'CLIENT TRACKING ON');
    await say(reader, 'LRANGE to{x} 0 -1');
    await reader.send(Buffer.from('BLMOVE from{x} to{x} LEFT LEFT 0\r\n'));
    await until(async () => (await figure('blocked_clients')) === 1);
    await say(writer, 'RPUSH from{x} v');
    expect(await next(reader)).toBe('"v"');
    expect(await next(reader)).toBe(told('to{x}'));
  });

  it('who leaves is not remembered', async () => {
    const readers = await Promise.all(Array.from({ length: 6 }, () => open(3)));
    for (const [index, reader] of readers.entries()) {
      await say(reader, index % 2 === 0 ? 'CLIENT TRACKING ON' : 'CLIENT TRACKING ON BCAST');
      for (let key = 0; key < 50; key++) await say(reader, `GET key:${key}`);
    }
    expect(await figure('tracking_clients')).toBe(6);
    expect(await figure('tracking_total_items')).toBe(150);
    for (const reader of readers) reader.close();
    await until(async () => (await figure('tracking_clients')) === 0);
    expect(await figure('tracking_total_prefixes')).toBe(0);
    await until(
      async () => server.kind === 'redis' || (await figure('tracking_total_items')) === 0,
    );
  });

  it('no reader is left with an old value, whatever the threads do', async () => {
    const [readerCount, rounds, keys] = [4, 150, 8];
    const caches = await Promise.all(
      Array.from({ length: readerCount }, async () => {
        const client = await open(3);
        await say(client, 'CLIENT TRACKING ON');
        return client;
      }),
    );
    const writers = await Promise.all(Array.from({ length: 3 }, () => open()));
    const writing = Promise.all(
      writers.map(async (client, which) => {
        for (let round = 0; round < rounds; round++) {
          await say(client, `SET key:${(round + which) % keys} ${which}-${round}`);
        }
      }),
    );
    const last = await Promise.all(caches.map((client) => keepReading(client, keys, writing)));
    for (let key = 0; key < keys; key++) {
      const value = await say(writer, `GET key:${key}`);
      for (const cache of last) expect(cache.get(`key:${key}`) ?? value).toBe(value);
    }
  }, 60_000);

  it('node-redis keeps its cache right', async () => {
    const cache = new BasicClientSideCache();
    const client = createClient({
      socket: { port: server.port },
      RESP: 3,
      clientSideCache: cache,
    });
    await client.connect();
    await say(writer, 'SET k 1');
    expect(await client.get('k')).toBe('1');
    const before = cache.stats().hitCount;
    expect(await client.get('k')).toBe('1');
    expect(cache.stats().hitCount).toBe(before + 1);
    await say(writer, 'SET k 2');
    await until(async () => (await client.get('k')) === '2');
    await say(writer, 'FLUSHALL');
    await until(async () => (await client.get('k')) === null);
    client.destroy();
  });

  it('ioredis hears invalidations through its subscriber', async () => {
    const listener = new Redis({ port: server.port, protocol: 2 });
    const reader = new Redis({ port: server.port, protocol: 2 });
    const heard: unknown[] = [];
    const id = await listener.client('ID');
    listener.on('message', (channel, keys) => heard.push([channel, String(keys)]));
    await listener.subscribe('__redis__:invalidate');
    await reader.client('TRACKING', 'ON', 'REDIRECT', id);
    await reader.get('k');
    await say(writer, 'SET k 1');
    await until(() => heard.length > 0);
    expect(heard[0]).toEqual(['__redis__:invalidate', 'k']);
    listener.disconnect();
    reader.disconnect();
  });
});

/**
 * Reads keys and keeps what it has read until it is told to forget it; returns what it holds when
 * the writing is done and nothing comes any more.
 */
async function keepReading(
  client: Client,
  keys: number,
  writing: Promise<unknown>,
): Promise<Map<string, string>> {
  const cache = new Map<string, string>();
  let isWriting = true;
  void writing.then(() => {
    isWriting = false;
  });
  const take = (line: string, asked: string | null): boolean => {
    const key = /^>\["invalidate", \["(.*)"\]\]$/.exec(line)?.[1];
    if (key !== undefined) cache.delete(key);
    else if (asked !== null) cache.set(asked, line);
    return key === undefined;
  };
  for (let turn = 0; isWriting || turn % keys !== 0; turn++) {
    const asked = `key:${turn % keys}`;
    await client.send(Buffer.from(`GET ${asked}\r\n`));
    while (!take(await next(client), asked));
  }
  // What was changed before is told before the answer to a later command of its writer.
  await client.send(Buffer.from('PING\r\n'));
  while (take(await next(client), null) === false);
  return cache;
}
