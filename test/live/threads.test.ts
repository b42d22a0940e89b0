// What one connection says reaches the connections of all threads: configuration, pauses, kills.

import net from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { printReply, textOf } from '../support/resp.js';
import { type Client, type Server, startServer } from '../support/server.js';

const CLIENTS = 12;
const WAIT_MS_MAX = 20_000;
const SHAPES = [
  { transport: 'native', threads: 1 },
  { transport: 'native', threads: 2 },
  { transport: 'native', threads: 8 },
  { transport: 'epoll', threads: 2 },
  { transport: 'node', threads: 2 },
] as const;

async function until(isDone: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX;
  while (!(await isDone())) {
    if (performance.now() > deadline) throw new Error(`not within ${WAIT_MS_MAX} ms`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** The server has no client but this one. */
function untilAlone(client: Client): Promise<void> {
  return until(async () =>
    /^connected_clients:1\r$/m.test(textOf(await client.command('INFO', 'clients')) ?? ''),
  );
}

describe.each(SHAPES)('$transport transport, $threads workers', (shape) => {
  let server: Server;
  let clients: Client[] = [];
  beforeAll(async () => {
    server = await startServer(shape);
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    const first = await server.connect();
    // Those of the test before may not have left yet, and would be counted.
    await untilAlone(first);
    const others = Array.from({ length: CLIENTS - 1 }, () => server.connect());
    clients = [first, ...(await Promise.all(others))];
    // Connected is not yet accepted: who has an answer is.
    await Promise.all(clients.map((client) => client.command('PING')));
    await clients[0]!.command('FLUSHALL');
    return () => {
      for (const client of clients) client.close();
      expect(server.isRunning, server.report()).toBe(true);
    };
  });

  const info = async (section: string): Promise<Map<string, string>> => {
    const text = textOf(await clients[0]!.command('INFO', section)) ?? '';
    return new Map(
      text
        .split('\r\n')
        .filter((line) => line.includes(':'))
        .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
    );
  };
  const idOf = async (client: Client): Promise<number> =>
    Number((await client.command('CLIENT', 'ID')).value);

  it('spreads connections over the workers', async () => {
    const fields = await info('flagstone');
    const counts = [...fields]
      .filter(([name]) => /^thread\d+$/.test(name))
      .map(([, value]) => Number(/clients=(\d+)/.exec(value)?.[1]));

    expect(counts).toHaveLength(shape.threads);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(CLIENTS);
    // Without an acceptor of our own the system spreads them, as evenly as it likes.
    if (shape.transport !== 'node') {
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    }
  });

  it('lists all connections from any of them', async () => {
    const ids = await Promise.all(clients.map(idOf));
    for (const client of clients) {
      const list = textOf(await client.command('CLIENT', 'LIST')) ?? '';
      const listed = [...list.matchAll(/^id=(\d+) /gm)].map((match) => Number(match[1]));
      expect(listed).toEqual(expect.arrayContaining(ids));
      expect(list).not.toMatch(/idle=\d{3,}/);
    }
  });

  it('names the last command of each connection, not of its neighbours', async () => {
    await clients[1]!.command('SET', 'key', 'value');
    await clients[2]!.command('NOSUCHCOMMAND');
    const ids = [await idOf(clients[3]!), await idOf(clients[4]!)];
    await clients[3]!.command('GET', 'key');
    await clients[4]!.command('NOSUCHCOMMAND');
    const list = textOf(await clients[0]!.command('CLIENT', 'LIST', 'ID', ...ids)) ?? '';

    expect([...list.matchAll(/ cmd=(\S+)/g)].map((match) => match[1])).toEqual(['get', 'NULL']);
  });

  it('kills connections of every worker', async () => {
    const ids = await Promise.all(clients.map(idOf));
    for (const [index, id] of ids.entries()) {
      if (index === 0) continue;
      expect(await clients[0]!.command('CLIENT', 'KILL', 'ID', id)).toMatchObject({ value: 1 });
      expect(await clients[index]!.closedWithin(20_000)).toBe(true);
    }
    const list = textOf(await clients[0]!.command('CLIENT', 'LIST')) ?? '';
    expect(list.match(/^id=/gm)).toHaveLength(1);
  });

  it('pauses everybody, and goes on when the time is over', async () => {
    const startMs = performance.now();
    await clients[0]!.command('CLIENT', 'PAUSE', 300);
    const replies = await Promise.all(clients.map((client) => client.command('INCR', 'count')));

    expect(performance.now() - startMs).toBeGreaterThan(280);
    expect(performance.now() - startMs).toBeLessThan(20_000);
    expect(replies.map((reply) => Number(reply.value)).sort((a, b) => a - b)).toEqual(
      Array.from({ length: CLIENTS }, (_, index) => index + 1),
    );
  });

  it('pauses writes only, until somebody ends the pause', async () => {
    await clients[0]!.command('CLIENT', 'PAUSE', 60_000, 'WRITE');
    let written = 0;
    const writes = clients.slice(1, 7).map(async (client) => {
      await client.command('INCR', 'count');
      written++;
    });
    // Each connection of each worker reads on: what stands before its own writes.
    const reads = await Promise.all(
      clients.slice(7).map((client) => client.command('GET', 'count')),
    );
    expect(reads.map((reply) => reply.value)).toEqual(reads.map(() => null));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(written).toBe(0);
    await clients[0]!.command('CLIENT', 'UNPAUSE');
    await Promise.all(writes);

    expect(await clients[0]!.command('GET', 'count')).toMatchObject({ value: '6' });
  });

  it('keeps a pipeline in order over a pause', async () => {
    await clients[0]!.command('CLIENT', 'PAUSE', 200, 'WRITE');
    const replies = await clients[1]!.pipeline([
      ['GET', 'key'],
      ['SET', 'key', 'value'],
      ['GET', 'key'],
      ...Array.from({ length: 5000 }, () => ['INCR', 'count'] as const),
    ]);

    expect(replies.slice(0, 3).map((reply) => reply.value)).toEqual([null, 'OK', 'value']);
    expect(replies.at(-1)).toMatchObject({ value: 5000 });
  });

  it('shows a changed parameter to every worker at once', async () => {
    for (let round = 1; round <= 20; round++) {
      const writer = clients[round % CLIENTS]!;
      await writer.command('CONFIG', 'SET', 'slowlog-max-len', round);
      const seen = await Promise.all(
        clients.map((client) => client.command('CONFIG', 'GET', 'slowlog-max-len')),
      );
      const values = seen.map((reply) => printReply(reply, 'short'));
      expect(new Set(values).size).toBe(1);
      expect(values[0]).toContain(String(round));
    }
  });

  it('loses none of several changes made at the same moment', async () => {
    const names = [
      'timeout',
      'slowlog-max-len',
      'tcp-keepalive',
      'hz',
      'maxclients',
      'lfu-log-factor',
    ];
    for (let round = 1; round <= 15; round++) {
      const values = names.map((_, index) => 100 + round * 10 + index);
      await Promise.all(
        names.map((name, index) => clients[index]!.command('CONFIG', 'SET', name, values[index]!)),
      );
      const replies = await Promise.all(
        names.map((name, index) => clients[CLIENTS - 1 - index]!.command('CONFIG', 'GET', name)),
      );
      const seen = replies.map((reply) =>
        reply.type === 'array' ? Number(reply.value[1]?.value) : Number.NaN,
      );
      expect(seen).toEqual(values);
    }
    await clients[0]!.command('CONFIG', 'SET', 'maxclients', 10_000, 'timeout', 0);
  });

  it('asks everybody new for the password, and lets those who were there go on', async () => {
    await clients[0]!.command('CONFIG', 'SET', 'requirepass', 'secret');
    const fresh = await Promise.all(Array.from({ length: CLIENTS }, () => server.connect()));
    for (const client of clients) {
      expect(printReply(await client.command('PING'))).toBe('+PONG');
    }
    for (const client of fresh) {
      expect(printReply(await client.command('GET', 'key'))).toMatch(/^-NOAUTH/);
    }
    expect(printReply(await fresh[0]!.command('AUTH', 'secret'))).toBe('+OK');
    expect(printReply(await fresh[0]!.command('CONFIG', 'SET', 'requirepass', ''))).toBe('+OK');
    // Without a password there are no strangers, whatever they were before.
    for (const client of fresh) {
      expect(printReply(await client.command('PING'))).toBe('+PONG');
      client.close();
    }
  });

  it('lets nobody in who connects right after a password was set', async () => {
    const set = (password: string) => clients[0]!.command('CONFIG', 'SET', 'requirepass', password);
    for (let round = 0; round < 100; round++) {
      await set('secret');
      const fresh = await Promise.all([server.connect(), server.connect()]);
      for (const client of fresh) {
        expect(printReply(await client.command('GET', 'key'))).toMatch(/^-NOAUTH/);
        client.close();
      }
      await set('');
    }
  });

  it('refuses what cannot be changed while it runs', async () => {
    const set = async (...words: (string | number)[]) =>
      printReply(await clients[1]!.command('CONFIG', 'SET', ...words));

    // A port that somebody has, and an address that is not this machine's (of documentation only).
    const other = net.createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const taken = (other.address() as net.AddressInfo).port;
    expect(await set('port', taken)).toMatch(/^-ERR CONFIG SET failed .*'port'/);
    expect(await set('bind', '203.0.113.7')).toMatch(/^-ERR CONFIG SET failed .*'bind'/);
    expect(await set('port', server.port)).toBe('+OK');
    expect(await set('unixsocket', '/tmp/x')).toMatch(/immutable/);
    expect(await set('maxclients', 4_000_000)).toMatch(/not able to handle/);
    // All or nothing: the first of the two was fine.
    expect(await set('timeout', 77, 'port', taken)).toMatch(/^-ERR/);
    expect(printReply(await clients[2]!.command('CONFIG', 'GET', 'timeout'))).not.toContain('77');
    other.close();
  });

  it('stops everybody during DEBUG SLEEP', async () => {
    const startMs = performance.now();
    const sleeping = clients[0]!.pipeline([
      ['DEBUG', 'LOG', 'falls asleep'],
      ['DEBUG', 'SLEEP', '0.4'],
    ]);
    await until(async () => server.printed.includes('falls asleep'));
    await Promise.all(clients.slice(1).map((client) => client.command('SET', 'key', 'value')));
    expect(performance.now() - startMs).toBeGreaterThan(380);
    expect((await sleeping).map((reply) => printReply(reply))).toEqual(['+OK', '+OK']);
  });

  it('shares the slow log', async () => {
    await clients[0]!.command(
      'CONFIG',
      'SET',
      'slowlog-log-slower-than',
      0,
      'slowlog-max-len',
      128,
    );
    await clients[0]!.command('SLOWLOG', 'RESET');
    await Promise.all(clients.map((client, index) => client.command('SET', `slow:${index}`, 'x')));
    await clients[0]!.command('CONFIG', 'SET', 'slowlog-log-slower-than', 10_000);
    const text = printReply(await clients[5]!.command('SLOWLOG', 'GET', -1));

    for (let index = 0; index < CLIENTS; index++) expect(text).toContain(`slow:${index}"`);
  });

  it('adds up what all workers have done', async () => {
    await clients[0]!.command('CONFIG', 'RESETSTAT');
    await Promise.all(
      clients.map((client) =>
        client.pipeline(Array.from({ length: 200 }, (_, at) => ['GET', `missing:${at}`] as const)),
      ),
    );
    await Promise.all(clients.map((client) => client.command('INCR', 'count')));
    await Promise.all(clients.map((client) => client.command('INCR', 'count', 'many')));
    const stats = await info('stats');
    const commands = await info('commandstats');

    expect(Number(stats.get('keyspace_misses'))).toBeGreaterThanOrEqual(CLIENTS * 200);
    expect(commands.get('cmdstat_get')).toMatch(new RegExp(`^calls=${CLIENTS * 200},`));
    expect(commands.get('cmdstat_incr')).toMatch(
      new RegExp(`^calls=${CLIENTS},.*rejected_calls=${CLIENTS},`),
    );
    expect((await info('keyspace')).get('db0')).toMatch(/^keys=1,/);
    expect((await info('clients')).get('connected_clients')).toBe(String(CLIENTS));
  });

  it('has a hundred thousand keys expired within a second of their moment', async () => {
    const value = 'x'.repeat(16);
    await Promise.all(
      clients.slice(0, 10).map(async (client, index) => {
        const atMs = Date.now() + 1500;
        for (let batch = 0; batch < 10; batch++) {
          await client.pipeline(
            Array.from(
              { length: 1000 },
              (_, at) => ['SET', `e:${index}:${batch}:${at}`, value, 'PXAT', atMs] as const,
            ),
          );
        }
      }),
    );
    const deadline = performance.now() + 4000;
    let left = Number.NaN;
    while (left !== 0 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      const field = (await info('keyspace')).get('db0') ?? 'keys=0,';
      left = Number(/^keys=(\d+)/.exec(field)?.[1]);
    }

    expect(left).toBe(0);
    expect(Number((await info('stats')).get('expired_keys'))).toBeGreaterThanOrEqual(100_000);
  });
});
