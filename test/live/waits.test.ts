// A session that waits: what ends the wait, and what becomes of the commands behind it.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { printReply, textOf } from '../support/resp.js';
import { type Client, type Server, startServer } from '../support/server.js';

const SHAPES = [
  { transport: 'native', threads: 1 },
  { transport: 'native', threads: 8 },
  { transport: 'node', threads: 2 },
] as const;

describe.each(SHAPES)('$transport transport, $threads workers', (shape) => {
  let server: Server;
  let waiter: Client;
  let other: Client;
  beforeAll(async () => {
    server = await startServer(shape);
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    waiter = await server.connect();
    other = await server.connect();
    return () => {
      waiter.close();
      other.close();
      expect(server.isRunning, server.report()).toBe(true);
    };
  });

  const blocked = async (): Promise<number> => {
    const text = textOf(await other.command('INFO', 'clients')) ?? '';
    return Number(/blocked_clients:(\d+)/.exec(text)?.[1]);
  };
  const until = async (isDone: () => Promise<boolean>): Promise<void> => {
    const deadline = performance.now() + 30_000;
    while (!(await isDone())) {
      if (performance.now() > deadline) throw new Error('it did not come to that in 30 s');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const idOf = async (client: Client) => Number((await client.command('CLIENT', 'ID')).value);

  it('ends at its deadline', async () => {
    for (const ms of [1, 50, 250]) {
      const startMs = performance.now();
      expect(printReply(await waiter.command('WAIT', 1, ms))).toBe(':0');
      expect(performance.now() - startMs).toBeGreaterThanOrEqual(ms - 1);
      expect(performance.now() - startMs).toBeLessThan(ms + 10_000);
    }
  });

  it.each([
    [[], /^:0$/],
    [['TIMEOUT'], /^:0$/],
    [['ERROR'], /^-UNBLOCKED client unblocked via CLIENT UNBLOCK$/],
  ])('ends by CLIENT UNBLOCK %j', async (reason, expected) => {
    const id = await idOf(waiter);
    const reply = waiter.command('WAIT', 1, 0);
    await until(async () => (await blocked()) === 1);
    expect(await other.command('CLIENT', 'UNBLOCK', id, ...reason)).toMatchObject({ value: 1 });
    expect(printReply(await reply)).toMatch(expected);
    expect(await other.command('CLIENT', 'UNBLOCK', id)).toMatchObject({ value: 0 });
    expect(printReply(await waiter.command('PING'))).toBe('+PONG');
  });

  it('runs what was sent behind it afterwards, in order', async () => {
    const id = await idOf(waiter);
    const big = 'v'.repeat(100_000);
    const replies = waiter.pipeline([
      ['SET', 'order', 'first'],
      ['WAIT', 1, 0],
      ['GET', 'order'],
      ['SET', 'order', big],
      ['WAIT', 1, 20],
      ['STRLEN', 'order'],
    ]);
    await until(async () => (await blocked()) === 1);
    expect(textOf(await other.command('GET', 'order'))).toBe('first');
    await other.command('CLIENT', 'UNBLOCK', id);

    expect((await replies).map((reply) => reply.value)).toEqual([
      'OK',
      0,
      'first',
      'OK',
      0,
      100_000,
    ]);
  });

  it('ends when the peer leaves, also with commands behind it', async () => {
    for (const isFollowed of [false, true]) {
      const leaver = await server.connect();
      const gone = leaver.command('WAIT', 1, 0).catch(() => 'gone');
      if (isFollowed) void leaver.command('SET', 'left', 'behind').catch(() => {});
      await until(async () => (await blocked()) === 1);
      leaver.close();
      await until(async () => (await blocked()) === 0);
      expect(await gone).toBe('gone');
    }
    expect((await other.command('EXISTS', 'left')).value).toBe(0);
  });

  it('ends by CLIENT KILL', async () => {
    const id = await idOf(waiter);
    const reply = waiter.command('WAIT', 1, 0).catch(() => 'closed');
    await until(async () => (await blocked()) === 1);
    await other.command('CLIENT', 'KILL', 'ID', id);
    expect(await reply).toBe('closed');
    await until(async () => (await blocked()) === 0);
  });

  it('answers nothing to a client that wants no replies', async () => {
    await waiter.send(Buffer.from('CLIENT REPLY OFF\r\nWAIT 1 30\r\nCLIENT REPLY ON\r\nPING\r\n'));
    expect(printReply(await waiter.read())).toBe('+OK');
    expect(printReply(await waiter.read())).toBe('+PONG');
  });

  it('is counted for many at once, and all end together', async () => {
    const many = await Promise.all(Array.from({ length: 200 }, () => server.connect()));
    // On a busy machine the first may be over before the last begins.
    for (let ms = 400, most = 0; most < 200; ms *= 3) {
      const startMs = performance.now();
      let isOver = false;
      const replies = Promise.all(many.map((client) => client.command('WAIT', 1, ms)));
      void replies.finally(() => {
        isOver = true;
      });
      while (!isOver && most < 200) most = Math.max(most, await blocked());
      expect((await replies).every((reply) => reply.value === 0)).toBe(true);
      expect(performance.now() - startMs).toBeLessThan(ms + 20_000);
      expect(await blocked()).toBe(0);
    }
    for (const client of many) client.close();
  });
});
