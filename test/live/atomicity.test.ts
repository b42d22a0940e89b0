// Commands on several keys are one step for everybody, whatever threads and partitions they meet.
// Writers and readers work from many connections at once, for a bounded time each.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Command, printReply, type Reply, textOf } from '../support/resp.js';
import { type Client, type Server, startServer } from '../support/server.js';

const RACE_MS = 700;
const PAIRS = 4;
const CLIENTS_MAX = 64;
/** Odd, so that a pipeline of swaps does not end where it began. */
const PIPELINE = 15;
const SHAPES = [
  { transport: 'native', threads: 1 },
  { transport: 'native', threads: 2 },
  { transport: 'native', threads: 8 },
  { transport: 'epoll', threads: 2 },
  { transport: 'node', threads: 2 },
] as const;

describe.each(SHAPES)('$transport transport, $threads workers', (shape) => {
  let server: Server;
  const clients: Client[] = [];
  beforeAll(async () => {
    server = await startServer(shape);
    // One after the other: of a burst, the node transport's first worker to wake takes all.
    for (let count = 0; count < Math.max(PAIRS * 2, shape.threads * 2); count++) {
      clients.push(await openClient());
    }
    while ((await idleWorkers()) > 0 && clients.length < CLIENTS_MAX) {
      clients.push(await openClient());
    }
    // Without an acceptor of our own the system decides, and may give all to one worker.
    if (shape.transport !== 'node') expect(await idleWorkers()).toBe(0);
  });
  const openClient = async (): Promise<Client> => {
    const client = await server.connect();
    await client.command('PING');
    return client;
  };
  /** Workers with less than two of the connections: those give no race. */
  const idleWorkers = async (): Promise<number> => {
    const text = textOf(await clients[0]!.command('INFO', 'flagstone')) ?? '';
    const counts = [...text.matchAll(/^thread\d+:clients=(\d+)/gm)].map((row) => Number(row[1]));
    return counts.filter((count) => count < 2).length;
  };
  afterAll(async () => {
    for (const client of clients) client.close();
    await server.stop();
  });
  beforeEach(async () => {
    await clients[0]!.command('FLUSHALL');
  });

  /**
   * Half of the clients run `write`, half run `read`, each in pipelines, until the time is
   * over.
   */
  async function race(
    write: (writer: number, round: number) => Command,
    read: (reader: number) => Command,
    judge: (reply: Reply, reader: number) => void,
  ): Promise<number> {
    const end = performance.now() + RACE_MS;
    let reads = 0;
    const work = clients.map(async (client, index) => {
      const isWriter = index % 2 === 0;
      for (let round = 0; performance.now() < end; round += PIPELINE) {
        const commands = Array.from({ length: PIPELINE }, (_, at) =>
          isWriter ? write(index, round + at) : read(index),
        );
        const replies = await client.pipeline(commands);
        if (isWriter) continue;
        for (const reply of replies) judge(reply, index);
        reads += replies.length;
      }
    });
    await Promise.all(work);
    expect(server.isRunning, server.report()).toBe(true);
    expect(reads).toBeGreaterThan(PIPELINE);
    return reads;
  }

  const keys = (count: number) => Array.from({ length: count }, (_, index) => `key:${index}`);
  const pairs = (names: readonly string[], value: string) => names.flatMap((name) => [name, value]);

  // 20 keys go the usual way, 300 in parts that other threads work on.
  it.each([20, 300])('writes and reads %i keys in one step', async (count) => {
    const names = keys(count);
    await clients[0]!.command('MSET', ...pairs(names, 'first'));

    await race(
      (writer, round) => ['MSET', ...pairs(names, `${writer}:${round}`)],
      () => ['MGET', ...names],
      (reply) => expect(distinct(reply)).toHaveLength(1),
    );
  });

  it('counts every increment of one key exactly', async () => {
    let sent = 0;
    const end = performance.now() + RACE_MS;
    await Promise.all(
      clients.map(async (client) => {
        while (performance.now() < end) {
          const batch = Array.from({ length: PIPELINE * 4 }, () => ['INCR', 'hot'] as const);
          sent += batch.length;
          await client.pipeline(batch);
        }
      }),
    );

    expect(await clients[0]!.command('GET', 'hot')).toEqual({ type: 'bulk', value: String(sent) });
  });

  it('renames so that the key is always in exactly one place', async () => {
    await clients[0]!.command('SET', 'left', 'value');
    await race(
      (_, round) => (round % 2 === 0 ? ['RENAME', 'left', 'right'] : ['RENAME', 'right', 'left']),
      () => ['MGET', 'left', 'right'],
      (reply) => expect(distinct(reply).sort()).toEqual(['nothing', 'value']),
    );
  });

  it('copies a value that was there at one moment', async () => {
    await clients[0]!.command('MSET', 'source', '0', 'twin', '0');
    await clients[0]!.command('COPY', 'source', 'copy');
    let next = 0;
    await race(
      (writer) =>
        writer === 0
          ? ['MSET', 'source', `${++next}`, 'twin', `${next}`]
          : ['COPY', 'source', 'copy', 'REPLACE'],
      () => ['MGET', 'source', 'twin', 'copy'],
      (reply) => {
        const [source, twin, copy] = items(reply).map(Number);
        expect(source).toBe(twin);
        expect(copy).toBeLessThanOrEqual(source!);
      },
    );
  });

  it('lets one of several MSETNX win, with all of its keys', async () => {
    const names = keys(12);
    for (let round = 0; round < 40; round++) {
      const prefixed = names.map((name) => `${round}:${name}`);
      const replies = await Promise.all(
        clients.map((client, index) => {
          // Each begins at another key, so that they would meet half-way.
          const turned = [...prefixed.slice(index % 12), ...prefixed.slice(0, index % 12)];
          return client.command('MSETNX', ...pairs(turned, String(index)));
        }),
      );
      const winners = replies.flatMap((reply, index) => (reply.value === 1 ? [index] : []));
      expect(winners).toHaveLength(1);
      const stored = distinct(await clients[0]!.command('MGET', ...prefixed));
      expect(stored).toEqual([String(winners[0])]);
    }
  });

  it('swaps databases in all partitions at once', async () => {
    const names = keys(20);
    await clients[0]!.command('MSET', ...pairs(names, 'zero'));
    await clients[0]!.pipeline([
      ['SELECT', 1],
      ['MSET', ...pairs(names, 'one')],
      ['SELECT', 0],
    ]);
    const seen = new Set<string>();
    await race(
      () => ['SWAPDB', 0, 1],
      () => ['MGET', ...names],
      (reply) => {
        const values = distinct(reply);
        expect(values).toHaveLength(1);
        seen.add(values[0]!);
      },
    );
    expect([...seen].sort()).toEqual(['one', 'zero']);
  });

  it.each([20, 300])('removes %i keys in one step', async (count) => {
    const names = keys(count);
    await race(
      (_, round) => (round % 2 === 0 ? ['MSET', ...pairs(names, 'x')] : ['DEL', ...names]),
      (reader) => (reader % 4 === 1 ? ['EXISTS', ...names] : ['UNLINK', ...names]),
      (reply) => expect([0, count]).toContain(reply.value),
    );
  });

  it('flushes everything at once while others write', async () => {
    const names = keys(20);
    await race(
      (writer, round) =>
        writer === 0 && round % 8 === 0
          ? ['FLUSHALL', round % 16 === 0 ? 'SYNC' : 'ASYNC']
          : ['MSET', ...pairs(names, String(round))],
      () => ['MGET', ...names],
      (reply) => expect(distinct(reply)).toHaveLength(1),
    );
  });
});

function items(reply: Reply): string[] {
  if (reply.type !== 'array') throw new Error(`an array was expected: ${printReply(reply)}`);
  return reply.value.map((item) => textOf(item) ?? 'nothing');
}

function distinct(reply: Reply): string[] {
  return [...new Set(items(reply))];
}
