// Transactions on all workers at once: money that moves between accounts is never made or lost, and
// whoever looks at all accounts in one transaction sees all of it. TRANSACTION_SECONDS makes the
// race longer.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Command, printReply, type Reply, textOf } from '../support/resp.js';
import { Random, seedOf } from '../support/seed.js';
import { type Client, type Server, startServer } from '../support/server.js';

const RACE_MS = Number(process.env.TRANSACTION_SECONDS ?? 2) * 1000;
const ACCOUNTS = 1000;
const START = 100;
const MOVERS = 8;
const READERS = 4;
const GROUP = 100;
const SHAPES = [
  { transport: 'native', threads: 1 },
  { transport: 'native', threads: 2 },
  { transport: 'native', threads: 4 },
  { transport: 'node', threads: 2 },
] as const;
const seed = seedOf('SEED');
const repeat = `repeat with: SEED=${seed} npx vitest run test/live/transactions.test.ts`;

describe.each(SHAPES)('$transport transport, $threads workers', (shape) => {
  let server: Server;
  const clients: Client[] = [];
  beforeAll(async () => {
    server = await startServer(shape);
    for (let count = 0; count < MOVERS + READERS; count++) {
      const client = await server.connect();
      await client.command('PING');
      clients.push(client);
    }
  });
  afterAll(async () => {
    for (const client of clients) client.close();
    await server.stop();
  });
  beforeEach(async () => {
    for (const client of clients) await client.command('RESET');
    await clients[0]!.command('FLUSHALL');
    return () => expect(server.isRunning, server.report()).toBe(true);
  });

  const account = (index: number) => `account:${index}`;
  const accounts = Array.from({ length: ACCOUNTS }, (_, index) => account(index));

  async function open(): Promise<void> {
    const pairs = accounts.flatMap((name) => [name, String(START)]);
    await clients[0]!.command('MSET', ...pairs);
  }

  /** What all accounts hold together, seen in one transaction of several commands. */
  async function total(client: Client): Promise<number> {
    const reads: Command[] = [];
    for (let at = 0; at < ACCOUNTS; at += GROUP) {
      reads.push(['MGET', ...accounts.slice(at, at + GROUP)]);
    }
    const replies = await client.pipeline([['MULTI'], ...reads, ['EXEC']]);
    const groups = items(replies[replies.length - 1]!);
    expect(groups).toHaveLength(ACCOUNTS / GROUP);
    return groups
      .flatMap((group) => items(group))
      .reduce((sum, reply) => sum + Number(textOf(reply)), 0);
  }

  /** Moves money if nobody has touched either account meanwhile. */
  async function move(client: Client, random: Random): Promise<boolean> {
    // A few accounts are in many transfers: others come in between.
    const from = account(random.below(random.below(2) === 0 ? 10 : ACCOUNTS));
    const to = account(random.below(ACCOUNTS));
    if (from === to) return false;
    const [, left, right] = await client.pipeline([
      ['WATCH', from, to],
      ['GET', from],
      ['GET', to],
    ]);
    const amount = 1 + random.below(20);
    const has = Number(textOf(left!));
    if (has < amount) {
      await client.command('UNWATCH');
      return false;
    }
    const replies = await client.pipeline([
      ['MULTI'],
      ['SET', from, String(has - amount)],
      ['SET', to, String(Number(textOf(right!)) + amount)],
      ['EXEC'],
    ]);
    return replies[3]!.type === 'array';
  }

  it('moves money between accounts, and every look finds all of it', async () => {
    await open();
    const end = performance.now() + RACE_MS;
    let moved = 0;
    let looks = 0;
    const movers = clients.slice(0, MOVERS).map(async (client, index) => {
      const random = new Random(seed + index);
      while (performance.now() < end) if (await move(client, random)) moved++;
    });
    const readers = clients.slice(MOVERS).map(async (client) => {
      while (performance.now() < end) {
        expect(await total(client), repeat).toBe(ACCOUNTS * START);
        looks++;
      }
    });
    await Promise.all([...movers, ...readers]);
    expect(await total(clients[0]!)).toBe(ACCOUNTS * START);
    expect(moved).toBeGreaterThan(MOVERS);
    expect(looks).toBeGreaterThan(READERS);
  });

  it('loses no increment of a counter that each reads, then writes', async () => {
    await clients[0]!.command('SET', 'counter', '0');
    const rounds = 25;
    await Promise.all(
      clients.map(async (client) => {
        for (let done = 0; done < rounds; ) {
          await client.command('WATCH', 'counter');
          const value = Number(textOf(await client.command('GET', 'counter')));
          const replies = await client.pipeline([
            ['MULTI'],
            ['SET', 'counter', String(value + 1)],
            ['EXEC'],
          ]);
          if (replies[2]!.type === 'array') done++;
        }
      }),
    );
    const counted = textOf(await clients[0]!.command('GET', 'counter'));
    expect(Number(counted)).toBe(rounds * clients.length);
  });

  it('lets nobody see half of a transaction', async () => {
    const names = ['left', 'middle', 'right', 'far', '{tag}a', '{tag}b'];
    await clients[0]!.command('MSET', ...names.flatMap((name) => [name, '0']));
    const end = performance.now() + RACE_MS / 2;
    await Promise.all(
      clients.map(async (client, index) => {
        for (let round = 0; performance.now() < end; round++) {
          if (index % 2 === 0) {
            const writes = names.map((name): Command => ['SET', name, `${index}:${round}`]);
            await client.pipeline([['MULTI'], ...writes, ['EXEC']]);
          } else {
            const seen = new Set(items(await client.command('MGET', ...names)).map(textOf));
            expect(seen.size).toBe(1);
          }
        }
      }),
    );
  });

  it('hears of every kind of change from every other worker', async () => {
    const [watcher, ...others] = clients;
    const changes: readonly (readonly Command[])[] = [
      [['SET', 'k', 'x']],
      [['DEL', 'k']],
      [['RENAME', 'other', 'k']],
      [['COPY', 'other', 'k', 'REPLACE']],
      [['MOVE', 'k', '1']],
      [['SORT', 'list', 'STORE', 'k']],
      [['FLUSHDB']],
      [['FLUSHALL']],
      [['SWAPDB', '0', '1']],
      [['EXPIRE', 'k', '1000']],
      [['PEXPIRE', 'k', '-1']],
      [['MULTI'], ['APPEND', 'k', 'x'], ['EXEC']],
    ];
    for (const [index, change] of changes.entries()) {
      const other = others[index % others.length]!;
      await watcher!.pipeline([
        ['MSET', 'k', 'v', 'other', 'o'],
        ['DEL', 'list'],
        ['RPUSH', 'list', '2', '1'],
        ['WATCH', 'k'],
      ]);
      await other.pipeline(change);
      const replies = await watcher!.pipeline([['MULTI'], ['PING'], ['EXEC']]);
      expect(printReply(replies[2]!), `${change[0]}`).toBe('(nil array)');
      const again = await watcher!.pipeline([['MULTI'], ['PING'], ['EXEC']]);
      expect(again[2]!.type).toBe('array');
    }
  });

  it('shows in CLIENT LIST who is in a transaction, and whose is broken', async () => {
    const [one, two] = clients;
    const id = textOf(await one!.command('CLIENT', 'ID'))!;
    const line = async () => textOf(await two!.command('CLIENT', 'LIST', 'ID', id))!;
    expect(await line()).toMatch(/flags=N .* multi=-1 .* multi-mem=0 /);
    await one!.command('WATCH', 'a', 'b');
    expect(await line()).toMatch(/flags=N .* multi=-1 .* multi-mem=0 /);
    await one!.command('MULTI');
    await one!.command('SET', 'c', 'value');
    expect(await line()).toMatch(/flags=x .* multi=1 .* multi-mem=\d{2} /);
    await two!.command('SET', 'a', '1');
    expect(await line()).toMatch(/flags=xd .* multi=1 /);
    await one!.command('EXEC');
    expect(await line()).toMatch(/flags=N .* multi=-1 .* multi-mem=0 /);
  });

  it('runs what looks at all partitions, and what is about the server', async () => {
    const replies = await clients[0]!.pipeline([
      ['MULTI'],
      ['SET', 'k', 'v', 'EX', '1000'],
      ['INFO', 'everything'],
      ['KEYS', '*'],
      ['RANDOMKEY'],
      ['CONFIG', 'RESETSTAT'],
      ['CONFIG', 'SET', 'slowlog-max-len', '100'],
      ['CLIENT', 'PAUSE', '0'],
      ['MEMORY', 'USAGE', 'k'],
      ['SELECT', '1'],
      ['DBSIZE'],
      ['EXEC'],
      ['DBSIZE'],
    ]);
    const [, info, keys, ...rest] = items(replies[11]!);
    expect(textOf(info!)).toContain('db0:keys=1,expires=1');
    expect(items(keys!).map(textOf)).toEqual(['k']);
    expect(rest.some((reply) => reply.type === 'error')).toBe(false);
    expect(replies[12]!.value).toBe(0);
  });

  it('gives everything back when connections end inside transactions', async () => {
    for (let round = 0; round < 5; round++) {
      const leaving = await Promise.all(Array.from({ length: 20 }, () => server.connect()));
      await Promise.all(
        leaving.map((client) =>
          client.pipeline([
            ['WATCH', ...accounts.slice(0, 50)],
            ['MULTI'],
            ['SET', 'k', 'x'.repeat(1000)],
          ]),
        ),
      );
      for (const client of leaving) client.close();
      await clients[0]!.command('SET', account(7), String(round));
    }
    expect((await clients[0]!.command('EXISTS', 'k')).value).toBe(0);
    const replies = await clients[0]!.pipeline([
      ['WATCH', account(7)],
      ['MULTI'],
      ['GET', account(7)],
      ['EXEC'],
    ]);
    expect(items(replies[3]!).map(textOf)).toEqual(['4']);
  });

  it('closes a client that queues more than its input may be', async () => {
    await clients[0]!.command('CONFIG', 'SET', 'client-query-buffer-limit', '1mb');
    const client = await server.connect();
    const text = 'x'.repeat(10_000);
    const queue = async () => {
      await client.command('MULTI');
      for (let count = 0; count < 200; count++) await client.command('SET', 'k', text);
    };
    await expect(queue()).rejects.toThrow();
    await clients[0]!.command('CONFIG', 'SET', 'client-query-buffer-limit', '1gb');
    expect((await clients[0]!.command('EXISTS', 'k')).value).toBe(0);
  });
});

function items(reply: Reply): readonly Reply[] {
  if (reply.type !== 'array') throw new Error(`an array was expected: ${printReply(reply)}`);
  return reply.value;
}
