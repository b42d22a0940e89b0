// maxmemory over two workers: the limit holds while both of them write, and what goes is told.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { textOf } from '../support/resp.js';
import { type Client, type Server, startServer } from '../support/server.js';

const MB = 2 ** 20;
const LIMIT = 24 * MB;
const WRITERS = 4;
const ROUNDS = 100;
const PER_PIPELINE = 100;

async function figure(client: Client, section: string, name: string): Promise<number> {
  const text = textOf(await client.command('INFO', section)) ?? '';
  return Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(text)?.[1]);
}

/** Waits until it is so; the test's own time is the limit. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 10));
}

describe('maxmemory over two workers', () => {
  let server: Server;
  let client: Client;
  beforeAll(async () => {
    server = await startServer({
      threads: 2,
      args: ['--maxmemory', `${LIMIT}`, '--maxmemory-policy', 'allkeys-lru'],
    });
    client = await server.connect();
  });
  afterAll(async () => {
    client.close();
    await server.stop();
  });

  it('stays within one percent while both write, and near the limit', {
    timeout: 60_000,
  }, async () => {
    let isWriting = true;
    let most = 0;
    const watching = (async () => {
      while (isWriting) most = Math.max(most, await figure(client, 'memory', 'used_memory'));
    })();
    const values = [64, 300, 1000, 3000].map((bytes) => 'x'.repeat(bytes));
    await Promise.all(
      Array.from({ length: WRITERS }, async (_, writer) => {
        const connection = await server.connect();
        for (let round = 0; round < ROUNDS; round++) {
          const pipeline = Array.from({ length: PER_PIPELINE }, (_, index) => {
            const key = `key:${writer}:${round}:${index}`;
            return ['SET', key, values[(round + index) % values.length]!];
          });
          for (const reply of await connection.pipeline(pipeline)) expect(reply.value).toBe('OK');
        }
        connection.close();
      }),
    );
    isWriting = false;
    await watching;

    expect(most).toBeLessThan(LIMIT * 1.01);
    expect(await figure(client, 'memory', 'used_memory')).toBeGreaterThan(LIMIT * 0.9);
    expect(await figure(client, 'stats', 'evicted_keys')).toBeGreaterThan(10_000);
  });

  it('meets a limit that is lowered, without any command', { timeout: 60_000 }, async () => {
    await client.command('CONFIG', 'SET', 'maxmemory', `${LIMIT / 4}`);
    await until(async () => (await figure(client, 'memory', 'used_memory')) <= LIMIT / 4);
    await client.command('CONFIG', 'SET', 'maxmemory', '0');
  });

  it('tells subscribers and tracking clients of every key that goes', {
    timeout: 60_000,
  }, async () => {
    await client.command('FLUSHALL');
    await client.command('CONFIG', 'SET', 'notify-keyspace-events', 'Ee');
    const subscriber = await server.connect();
    await subscriber.command('SUBSCRIBE', '__keyevent@0__:evicted');
    const cache = await server.connect();
    await cache.command('HELLO', '3');
    await cache.command('CLIENT', 'TRACKING', 'ON');
    await cache.command('SET', 'cached', 'x');
    await cache.command('GET', 'cached');
    await client.command('CONFIG', 'SET', 'maxmemory', '1');
    const message = await subscriber.read();
    expect(message.value).toBeDefined();
    expect(JSON.stringify(textOf(message) ?? message)).toContain('cached');
    expect(JSON.stringify(await cache.read())).toContain('cached');
    await client.command('CONFIG', 'SET', 'maxmemory', '0');
    for (const each of [subscriber, cache]) each.close();
  });

  it('closes the largest clients first, on whatever worker', { timeout: 60_000 }, async () => {
    const small = await server.connect();
    const large = await server.connect();
    const kept = await server.connect();
    await kept.command('CLIENT', 'NO-EVICT', 'ON');
    for (const [each, bytes] of [
      [small, 100_000],
      [large, 400_000],
      [kept, 800_000],
    ] as const) {
      await each.command('PING');
      // One byte is still to come.
      const head = `*2\r\n$4\r\nECHO\r\n$${bytes + 1}\r\n`;
      await each.send(Buffer.from(`${head}${'x'.repeat(bytes)}`));
    }
    const normal = () => figure(client, 'memory', 'mem_clients_normal');
    await until(async () => (await normal()) > 1_300_000);
    await client.command('CONFIG', 'SET', 'maxmemory-clients', '1100000');
    expect(await large.closedWithin(20_000)).toBe(true);
    expect(small.isClosed).toBe(false);
    expect(kept.isClosed).toBe(false);
    expect(await figure(client, 'stats', 'evicted_clients')).toBe(1);
    await client.command('CONFIG', 'SET', 'maxmemory-clients', '0');
    for (const each of [small, kept]) each.close();
  });
});
