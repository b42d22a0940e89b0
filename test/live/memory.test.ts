// The largest values, a partition without room, and what connections leave behind.

import net from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { printReply, textOf } from '../support/resp.js';
import { type Client, type Server, startServer } from '../support/server.js';

const MB = 2 ** 20;
const HALF_GB = 512 * MB;
const TRANSPORTS = ['native', 'epoll', 'node'] as const;

/**
 * Sends `head`, then `count` megabytes of `letter`, then CRLF, and reads until `bytes` have
 * come.
 */
function exchange(
  port: number,
  head: string,
  count: number,
  letter: string,
  bytes: number,
): Promise<{ first: string; last: string }> {
  const piece = Buffer.alloc(MB, letter);
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1' });
    let first = '';
    let last = '';
    let received = 0;
    let sent = 0;
    const send = (): void => {
      while (sent < count) {
        sent++;
        if (!socket.write(piece)) return;
      }
      if (sent++ === count && count > 0) socket.write('\r\n');
    };
    socket.on('drain', send);
    socket.on('error', reject);
    socket.on('data', (data: Buffer) => {
      if (first.length < 64) first += data.toString('latin1', 0, 64 - first.length);
      last = (last + data.toString('latin1', Math.max(0, data.length - 64))).slice(-64);
      received += data.length;
      if (received < bytes) return;
      socket.destroy();
      resolve({ first, last });
    });
    socket.write(head);
    send();
  });
}

describe.each(TRANSPORTS)('%s transport', (transport) => {
  let server: Server;
  let client: Client;
  beforeAll(async () => {
    server = await startServer({ transport, threads: 2 });
    client = await server.connect();
  });
  afterAll(async () => {
    client.close();
    await server.stop();
  });
  const say = async (...words: (string | number)[]) => printReply(await client.command(...words));
  const resident = async () => {
    const text = textOf(await client.command('INFO', 'memory')) ?? '';
    return Number(/used_memory_rss:(\d+)/.exec(text)?.[1]);
  };

  it('takes and gives values of 512 MB, and no larger ones', async () => {
    const head = `*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$${HALF_GB}\r\n`;
    expect((await exchange(server.port, head, 512, 'a', 5)).first).toBe('+OK\r\n');
    expect(await say('STRLEN', 'big')).toBe(`:${HALF_GB}`);
    expect(await say('GETRANGE', 'big', -3, -1)).toBe('$"aaa"');
    // Others are served while half a gigabyte leaves.
    const reply = exchange(server.port, 'GET big\r\n', 0, 'a', HALF_GB + 14);
    let slowestMs = 0;
    for (let index = 0; index < 50; index++) {
      const startMs = performance.now();
      await say('PING');
      slowestMs = Math.max(slowestMs, performance.now() - startMs);
    }
    expect((await reply).first).toMatch(/^\$536870912\r\naaa/);
    expect((await reply).last).toMatch(/aaa\r\n$/);
    // Copying half a gigabyte at once, or waiting for the peer, would take far longer.
    expect(slowestMs).toBeLessThan(10_000);

    const tooLong = '-ERR string exceeds maximum allowed size (proto-max-bulk-len)';
    expect(await say('APPEND', 'big', 'x')).toBe(tooLong);
    expect(await say('SETRANGE', 'big', HALF_GB, 'x')).toBe(tooLong);
    expect(await say('SETRANGE', 'big', HALF_GB - 1, 'z')).toBe(`:${HALF_GB}`);
    expect(await say('GETRANGE', 'big', -2, -1)).toBe('$"az"');
    expect(await say('SETRANGE', 'fresh', HALF_GB - 1, 'z')).toBe(`:${HALF_GB}`);
    expect(await say('APPEND', 'fresh', 'x')).toBe(tooLong);
    expect(await say('DEL', 'big', 'fresh')).toBe(':2');
    expect(server.isRunning, server.report()).toBe(true);
  }, 180_000);

  it('gives the memory of large values back', async () => {
    // Without libc pages stay with the process, to be used again.
    const most = transport === 'node' ? 3000 * MB : 700 * MB;
    const deadline = performance.now() + 60_000;
    while ((await resident()) > most && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(await resident()).toBeLessThan(most);
  }, 90_000);

  it('does not grow by connections that have come and gone', async () => {
    const round = async (count: number) => {
      for (let batch = 0; batch < count; batch++) {
        const clients = await Promise.all(Array.from({ length: 100 }, () => server.connect()));
        await Promise.all(clients.map((each) => each.command('SET', 'key', 'x'.repeat(20_000))));
        for (const each of clients) each.close();
      }
    };
    const listed = async () =>
      textOf(await client.command('CLIENT', 'LIST'))?.match(/^id=/gm)?.length;
    const untilAlone = () => expect.poll(listed, { timeout: 20_000 }).toBe(1);
    await round(20);
    await untilAlone();
    const before = await resident();
    await round(60);
    await untilAlone();

    expect((await resident()) - before).toBeLessThan(60 * MB);
  });
});

describe('a full partition', () => {
  let server: Server;
  let client: Client;
  beforeAll(async () => {
    server = await startServer({ partitions: 4, args: ['--partition-size', '16mb'] });
    client = await server.connect();
  });
  afterAll(async () => {
    client.close();
    await server.stop();
  });

  it('refuses what does not fit, by name, and changes nothing', async () => {
    const say = async (...words: (string | number)[]) => printReply(await client.command(...words));
    const full = /^-OOM .*partition \d/;
    await say('SET', '{a}:old', 'value', 'EX', 1000);
    await say('SET', '{a}:large', 'x'.repeat(7 * MB));
    const digest = await say('DEBUG', 'DIGEST');

    expect(await say('SET', '{a}:next', 'x'.repeat(12 * MB))).toMatch(full);
    expect(await say('SET', '{a}:old', 'x'.repeat(12 * MB))).toMatch(full);
    expect(await say('APPEND', '{a}:large', 'x'.repeat(9 * MB))).toMatch(full);
    expect(await say('SETRANGE', '{a}:old', 15 * MB, 'x')).toMatch(full);
    expect(await say('SETBIT', '{a}:old', 15 * MB * 8, 1)).toMatch(full);
    expect(await say('MSET', '{a}:one', 'x', '{a}:two', 'x'.repeat(12 * MB))).toMatch(full);
    expect(await say('MSETNX', 'far', 'x', '{a}:two', 'x'.repeat(12 * MB))).toMatch(full);
    expect(await say('DEBUG', 'DIGEST')).toBe(digest);

    // Others have room, and so has this one once something is gone.
    expect(await say('SET', '{b}:next', 'x'.repeat(12 * MB))).toBe('+OK');
    expect(await say('GET', '{a}:old')).toBe('$"value"');
    expect(await say('DEL', '{a}:large')).toBe(':1');
    expect(await say('SET', '{a}:next', 'x'.repeat(7 * MB))).toBe('+OK');
  });

  it('goes on refusing small keys until it is emptied', async () => {
    await client.command('FLUSHALL');
    const value = 'x'.repeat(1000);
    let refusals = 0;
    for (let batch = 0; batch < 40; batch++) {
      const replies = await client.pipeline(
        Array.from({ length: 1000 }, (_, at) => ['SET', `{a}:${batch}:${at}`, value] as const),
      );
      refusals += replies.filter((reply) => reply.type === 'error').length;
    }
    expect(refusals).toBeGreaterThan(20_000);
    expect((await client.command('DBSIZE')).value).toBe(40_000 - refusals);
    expect(printReply(await client.command('GET', '{a}:0:0'))).toBe(`$"${value}"`);
    await client.command('FLUSHALL');
    expect(printReply(await client.command('SET', '{a}:0:0', value))).toBe('+OK');
    expect(server.isRunning, server.report()).toBe(true);
  });
});
