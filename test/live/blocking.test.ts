// Clients that wait for keys, on all workers at once: every element that is pushed is popped
// exactly once, and in its order. BLOCKING_CLIENTS and BLOCKING_SECONDS make it larger: the full
// measure is 1000 clients for a minute.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { printReply, type Reply, textOf } from '../support/resp.js';
import { Random, seedOf } from '../support/seed.js';
import { type Client, type Server, startServer } from '../support/server.js';

const CLIENTS = Number(process.env.BLOCKING_CLIENTS ?? 200);
const RACE_MS = Number(process.env.BLOCKING_SECONDS ?? 2.5) * 1000;
const KEYS = 12;
const SHAPES = [
  { transport: 'native', threads: 1 },
  { transport: 'native', threads: 2 },
  { transport: 'native', threads: 8 },
  { transport: 'epoll', threads: 2 },
  { transport: 'node', threads: 2 },
] as const;
const seed = seedOf('SEED');
const repeat = `repeat with: SEED=${seed} npx vitest run test/live/blocking.test.ts`;

describe.each(SHAPES)('$transport transport, $threads workers', (shape) => {
  let server: Server;
  let waiter: Client;
  let other: Client;
  beforeAll(async () => {
    const args = ['--maxclients', String(CLIENTS + 100)];
    server = await startServer({ ...shape, args, startMsMax: 50_000 });
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    waiter = await server.connect();
    other = await server.connect();
    await other.command('FLUSHALL');
    return () => {
      waiter.close();
      other.close();
      expect(server.isRunning, server.report()).toBe(true);
    };
  });

  const figure = async (name: string): Promise<number> => {
    const text = textOf(await other.command('INFO', 'clients')) ?? '';
    return Number(new RegExp(`${name}:(\\d+)`).exec(text)?.[1]);
  };
  const until = async (name: string, value: number): Promise<void> => {
    const deadline = performance.now() + 5000;
    while ((await figure(name)) !== value) {
      if (performance.now() > deadline) throw new Error(`${name} is not ${value} after 5 s`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };
  const blocked = (count: number) => until('blocked_clients', count);

  it('serves before the reply of the writer leaves', async () => {
    for (let round = 0; round < 50; round++) {
      const reply = waiter.command('BLPOP', `list:${round}`, 0);
      await blocked(1);
      const [pushed, length, exists] = await other.pipeline([
        ['LPUSH', `list:${round}`, 'x'],
        ['LLEN', `list:${round}`],
        ['EXISTS', `list:${round}`],
      ]);
      expect([pushed!.value, length!.value, exists!.value]).toEqual([1, 0, 0]);
      expect(texts(await reply)).toEqual([`list:${round}`, 'x']);
    }
  });

  it('serves those who came first, first', async () => {
    const many = await Promise.all(Array.from({ length: 24 }, () => server.connect()));
    const replies: Promise<Reply>[] = [];
    for (const [index, client] of many.entries()) {
      replies.push(client.command('BLPOP', 'queue', 0));
      await blocked(index + 1);
    }
    const elements = many.map((_, index) => `e${index}`);
    await other.command('RPUSH', 'queue', ...elements.slice(0, 9));
    for (const element of elements.slice(9)) await other.command('RPUSH', 'queue', element);
    expect((await Promise.all(replies)).map((reply) => texts(reply)[1])).toEqual(elements);
    for (const client of many) client.close();
  });

  it('ends at its deadline: never before, and soon after', async () => {
    for (const ms of [1, 20, 130]) {
      const lateMs: number[] = [];
      for (let round = 0; round < 5; round++) {
        const startMs = performance.now();
        const timer = pause(ms).then(() => performance.now() - startMs - ms);
        const reply = await waiter.command('BLPOP', 'nothing', ms / 1000);
        const tookMs = performance.now() - startMs;
        // The clocks of two processes, and timers of whole milliseconds.
        expect(tookMs).toBeGreaterThanOrEqual(ms - 1.5);
        lateMs.push(tookMs - ms - (await timer));
        expect(printReply(reply)).toBe('(nil array)');
      }
      // A busy machine is late, with timers too; deadlines looked at now and then always are.
      expect(Math.min(...lateMs)).toBeLessThan(25);
    }
    expect(await figure('total_blocking_keys')).toBe(0);
  });

  it('ends by CLIENT UNBLOCK, and the connection goes on', async () => {
    const id = Number((await waiter.command('CLIENT', 'ID')).value);
    for (const [reason, expected] of [
      ['TIMEOUT', '(nil array)'],
      ['ERROR', '-UNBLOCKED client unblocked via CLIENT UNBLOCK'],
    ] as const) {
      const reply = waiter.command('BZPOPMIN', 'a', 'b', 'c', 0);
      await blocked(1);
      expect(await figure('total_blocking_keys')).toBe(3);
      expect((await other.command('CLIENT', 'UNBLOCK', id, reason)).value).toBe(1);
      expect(printReply(await reply)).toBe(expected);
      expect(await figure('total_blocking_keys')).toBe(0);
    }
    expect((await other.command('CLIENT', 'UNBLOCK', id)).value).toBe(0);
    await other.command('ZADD', 'a', 1, 'x');
    expect(texts(await waiter.command('BZPOPMIN', 'a', 0))).toEqual(['a', 'x', '1']);
  });

  it('takes nothing that is pushed after CLIENT UNBLOCK, and is counted by then', async () => {
    const id = Number((await waiter.command('CLIENT', 'ID')).value);
    for (let round = 0; round < 50; round++) {
      const key = `list:${round}`;
      const reply = waiter.command('BLPOP', key, 0);
      await blocked(1);
      await other.command('CONFIG', 'RESETSTAT');
      const [unblocked, stats, pushed, length] = await other.pipeline([
        ['CLIENT', 'UNBLOCK', id, round % 2 === 0 ? 'TIMEOUT' : 'ERROR'],
        ['INFO', 'commandstats'],
        ['RPUSH', key, 'x'],
        ['LLEN', key],
      ]);
      expect([unblocked!.value, pushed!.value, length!.value]).toEqual([1, 1, 1]);
      const failures = round % 2 === 0 ? 0 : 1;
      const counts = `calls=1,.*,rejected_calls=0,failed_calls=${failures}`;
      expect(textOf(stats!)).toMatch(new RegExp(`cmdstat_blpop:${counts}`));
      expect(['nullArray', 'error']).toContain((await reply).type);
    }
  });

  it('leaves the element when the peer has left or was killed', async () => {
    for (const isKilled of [false, true]) {
      const leaver = await server.connect();
      const id = Number((await leaver.command('CLIENT', 'ID')).value);
      void leaver.command('BLPOP', 'left', 'other', 0).catch(() => {});
      await blocked(1);
      if (isKilled) await other.command('CLIENT', 'KILL', 'ID', id);
      else leaver.close();
      await blocked(0);
      expect((await other.command('RPUSH', 'left', 'x')).value).toBe(1);
      expect((await other.command('LLEN', 'left')).value).toBe(1);
      await other.command('DEL', 'left');
      leaver.close();
    }
  });

  it('runs what was sent behind it, with what it was given', async () => {
    const replies = waiter.pipeline([
      ['BLMOVE', 'in', 'out', 'LEFT', 'RIGHT', 0],
      ['LRANGE', 'out', 0, -1],
      ['BLPOP', 'out', 'in', 0],
      ['BLPOP', 'in', 0.01],
      ['PING'],
    ]);
    await blocked(1);
    const big = 'v'.repeat(200_000);
    await other.command('RPUSH', 'in', big);
    const [moved, range, popped, timedOut, pong] = await replies;
    expect(textOf(moved!)).toBe(big);
    expect(texts(range!)).toEqual([big]);
    expect(texts(popped!)).toEqual(['out', big]);
    expect(printReply(timedOut!)).toBe('(nil array)');
    expect(printReply(pong!)).toBe('+PONG');
  });

  it(
    `gives every element to one of ${CLIENTS} clients, in order`,
    async () => {
      const clients: Client[] = [];
      for (let count = 0; count < CLIENTS; count++) clients.push(await server.connect());
      const race = new Race(clients, new Random(seed));
      await race.run();
      expect(race.complaints.slice(0, 5), repeat).toEqual([]);
      expect(await race.leftOver(other)).toEqual(race.missing());
      expect(race.poppedCount).toBeGreaterThan(CLIENTS);
      expect(await figure('total_blocking_keys')).toBe(0);
      for (const client of clients) client.close();
    },
    RACE_MS + 60_000,
  );
});

const nameOf = (kind: string, key: number) => `${kind}:${key}`;

/**
 * Producers push elements that name their producer and count up; consumers pop them in every way
 * there is, movers pass some on to another list, and some unblock others.
 */
class Race {
  /** What went wrong. */
  readonly complaints: string[] = [];
  poppedCount = 0;
  private readonly clients: readonly Client[];
  private readonly random: Random;
  private readonly pushed = new Set<string>();
  private readonly popped = new Set<string>();
  private endMs = 0;
  private producersLeft = 0;
  private moversLeft = 0;

  constructor(clients: readonly Client[], random: Random) {
    this.clients = clients;
    this.random = random;
  }

  async run(): Promise<void> {
    this.endMs = performance.now() + RACE_MS;
    const roles = this.clients.map((client, index) => {
      if (index % 5 === 0) return () => this.produce(client, index);
      if (index % 5 === 1) return () => this.move(client);
      if (index % 20 === 2) return () => this.unblock(client);
      return () => this.consume(client);
    });
    this.producersLeft = Math.ceil(this.clients.length / 5);
    this.moversLeft = Math.ceil((this.clients.length - 1) / 5);
    await Promise.all(roles.map((role) => role()));
  }

  /** Elements that were pushed and not popped. */
  missing(): string[] {
    return [...this.pushed].filter((element) => !this.popped.has(element)).sort();
  }

  /** Elements that are still somewhere. */
  async leftOver(client: Client): Promise<string[]> {
    const found: string[] = [];
    for (let key = 0; key < KEYS; key++) {
      for (const kind of ['list', 'moved']) {
        found.push(...texts(await client.command('LRANGE', nameOf(kind, key), 0, -1)));
      }
      found.push(...texts(await client.command('ZRANGE', nameOf('set', key), 0, -1)));
    }
    return found.sort();
  }

  private async produce(client: Client, producer: number): Promise<void> {
    const { random } = this;
    for (let count = 0; performance.now() < this.endMs; ) {
      const key = random.below(KEYS);
      const isSet = random.below(4) === 0;
      const batch = Array.from({ length: 1 + random.below(4) }, () => `${producer}-${++count}`);
      for (const element of batch) this.pushed.add(element);
      // Scores ascend in the order of pushing.
      const scored = batch.flatMap((element) => [Number(element.split('-')[1]), element]);
      await (isSet
        ? client.command('ZADD', nameOf('set', key), ...scored)
        : client.command('RPUSH', nameOf('list', key), ...batch));
      if (random.below(3) === 0) await pause(random.below(4));
    }
    this.producersLeft--;
  }

  private async move(client: Client): Promise<void> {
    const { random } = this;
    while (performance.now() < this.endMs || this.producersLeft > 0) {
      const from = nameOf('list', random.below(KEYS));
      const to = nameOf('moved', random.below(KEYS));
      await client.command('BLMOVE', from, to, 'LEFT', 'RIGHT', 0.02 + random.below(80) / 1000);
      if (random.below(2) === 0) await pause(random.below(5));
    }
    this.moversLeft--;
  }

  private async unblock(client: Client): Promise<void> {
    while (performance.now() < this.endMs) {
      const id = 1 + this.random.below(this.clients.length + 20);
      await client.command(
        'CLIENT',
        'UNBLOCK',
        id,
        this.random.below(2) === 0 ? 'ERROR' : 'TIMEOUT',
      );
      await pause(1);
    }
  }

  private async consume(client: Client): Promise<void> {
    const { random } = this;
    const last = new Map<string, number>();
    let idleRounds = 0;
    while (idleRounds < 3) {
      const isOver = this.producersLeft === 0 && this.moversLeft === 0;
      const seconds = isOver ? 0.02 : 0.01 + random.below(200) / 1000;
      const kind = random.below(4) === 0 ? 'set' : random.below(2) === 0 ? 'list' : 'moved';
      const count = isOver ? KEYS : 1 + random.below(3);
      const first = random.below(KEYS);
      const keys = Array.from({ length: count }, (_, at) => nameOf(kind, (first + at) % KEYS));
      const reply = await client.command(...popOf(random, kind, keys, seconds));
      const got = reply.type === 'array' ? elementsOf(reply) : null;
      if (got === null) idleRounds = isOver ? idleRounds + 1 : 0;
      else for (const element of got.elements) this.take(got.key, element, last);
    }
  }

  /** `last`: what this consumer has got of each producer from each list. */
  private take(key: string, element: string, last: Map<string, number>): void {
    this.poppedCount++;
    if (!this.pushed.has(element)) this.complaints.push(`${element} was never pushed`);
    if (this.popped.has(element)) this.complaints.push(`${element} came twice`);
    this.popped.add(element);
    const [producer, number] = element.split('-');
    const name = `${key} ${producer}`;
    // From one list to one consumer, a producer's elements come in its order; moved ones need not.
    if (key.startsWith('list') && (last.get(name) ?? 0) > Number(number)) {
      this.complaints.push(`${element} came after ${last.get(name)} from ${key}`);
    }
    last.set(name, Number(number));
  }
}

function popOf(
  random: Random,
  kind: string,
  keys: readonly string[],
  seconds: number,
): readonly (string | number)[] {
  const isSeveral = random.below(3) === 0;
  if (kind === 'set') {
    if (isSeveral) return ['BZMPOP', seconds, keys.length, ...keys, 'MIN', 'COUNT', 3];
    return ['BZPOPMIN', ...keys, seconds];
  }
  if (isSeveral) return ['BLMPOP', seconds, keys.length, ...keys, 'LEFT', 'COUNT', 3];
  return ['BLPOP', ...keys, seconds];
}

/** The key and the elements, of any of the commands. */
function elementsOf(reply: Reply): { key: string; elements: string[] } | null {
  if (reply.type !== 'array' || reply.value === null) return null;
  const [key, second] = reply.value as readonly Reply[];
  const name = textOf(key!) ?? '';
  if (second?.type !== 'array') return { key: name, elements: [textOf(second!) ?? ''] };
  const inner = second.value as readonly Reply[];
  const elements = inner.map((item) => {
    return textOf(item.type === 'array' ? (item.value as readonly Reply[])[0]! : item) ?? '';
  });
  return { key: name, elements };
}

function texts(reply: Reply): string[] {
  if (reply.type !== 'array' || reply.value === null) throw new Error(printReply(reply));
  return (reply.value as readonly Reply[]).map((item) => textOf(item) ?? 'nothing');
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
