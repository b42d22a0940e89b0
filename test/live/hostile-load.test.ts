// Good clients beside a crowd of bad ones: no reply of theirs is wrong or missing, the server
// lives, and when the crowd has left the memory is what it was. HOSTILE_SECONDS=1800 makes half an
// hour of it. Prints what a reply took, calm and under attack: on a quiet machine those are
// figures. HOSTILE_BESIDE=1 attacks another server first, which shares nothing but the cores: what
// replies take meanwhile is the machine's part.

import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { Attackers } from '../support/attackers.js';
import { encodeCommand, isError, printReply, type Reply, textOf } from '../support/resp.js';
import { partSeed, Random, seedOf } from '../support/seed.js';
import { type Client, type Server, startServer } from '../support/server.js';

const SECONDS = Number(process.env.HOSTILE_SECONDS ?? 3);
/** Only these attacks, to find out which of them does harm: HOSTILE_ATTACKS=loop,storm. */
const names = process.env.HOSTILE_ATTACKS?.split(',');
const isBesideWanted = process.env.HOSTILE_BESIDE === '1';
const VICTIMS = 8;
const MB = 2 ** 20;
const PROGRESS_EVERY_MS = 30_000;
const SETTLE_MS_MAX = 60_000;
const REPLY_MS_MAX = 60_000;
/** Back at the base but for this share, and for what heaps keep after so short a run. */
const RSS_SHARE = 1.1;
const RSS_SLACK_BYTES = SECONDS < 60 ? 150 * MB : 0;
const attacks = names === undefined ? {} : { names };
const seed = seedOf('SEED');
const command = 'npx vitest run test/live/hostile-load.test.ts';
const repeat = `repeat with: SEED=${seed} HOSTILE_SECONDS=${SECONDS} ${command}`;

/** How long replies took, in slots of 10 % each. */
class Latencies {
  private readonly slots = new Map<number, number>();
  count = 0;

  add(ms: number): void {
    const slot = Math.ceil(Math.log(Math.max(ms, 0.001)) / Math.log(1.1));
    this.slots.set(slot, (this.slots.get(slot) ?? 0) + 1);
    this.count++;
  }

  percentile(share: number): number {
    let left = this.count * (1 - share);
    for (const slot of [...this.slots.keys()].sort((first, second) => second - first)) {
      left -= this.slots.get(slot)!;
      if (left < 0) return 1.1 ** slot;
    }
    return 0;
  }

  print(): string {
    const [half, most, worst] = [0.5, 0.99, 0.9999].map((share) => this.percentile(share));
    const texts = [half!, most!, worst!].map((ms) => ms.toFixed(2));
    return `p50 ${texts[0]}, p99 ${texts[1]}, p99.99 ${texts[2]} ms of ${this.count}`;
  }
}

/** Knows what each of its keys must hold, and asks. */
class Victim {
  private sum = 0;
  private text = '';
  private readonly queue: string[] = [];
  private pushed = 0;
  busyReplies = 0;

  constructor(
    private readonly name: string,
    private readonly client: Client,
    private readonly random: Random,
  ) {}

  async work(isOver: () => boolean, latencies: Latencies): Promise<void> {
    while (!isOver()) {
      const startedAt = performance.now();
      await this.step();
      latencies.add(performance.now() - startedAt);
      await new Promise((resolve) => setTimeout(resolve, this.random.below(4)));
    }
  }

  close(): void {
    this.client.close();
  }

  private step(): Promise<void> {
    const { name, random } = this;
    switch (random.below(6)) {
      case 0:
        return this.expect(`:${++this.sum}`, 'INCR', `sum:${name}`);
      case 1:
        this.text = random.bytes(random.below(300));
        return this.expect('+OK', 'SET', `text:${name}`, this.text);
      case 2:
        return this.read();
      case 3:
        this.queue.push(`element ${++this.pushed}`);
        return this.expect(`:${this.queue.length}`, 'RPUSH', `list:${name}`, this.queue.at(-1)!);
      case 4:
        return this.pop();
      default:
        return this.count();
    }
  }

  private async read(): Promise<void> {
    const reply = await this.ask('GET', `text:${this.name}`);
    if ((textOf(reply) ?? '') !== this.text) throw wrong('GET', reply, this.text);
  }

  private async pop(): Promise<void> {
    const reply = await this.ask('LPOP', `list:${this.name}`);
    const element = this.queue.shift() ?? null;
    if ((textOf(reply) ?? null) !== element) throw wrong('LPOP', reply, String(element));
  }

  /** A transaction over keys of several partitions. */
  private async count(): Promise<void> {
    const script = `return {redis.call('INCRBY', KEYS[1], 2), redis.call('INCRBY', KEYS[2], -2)}`;
    const keys = [`plus:${this.name}`, `minus:${this.name}`];
    const reply = await this.ask('EVAL', script, 2, ...keys);
    const items = reply.type === 'array' ? reply.value.map((item) => Number(textOf(item))) : [];
    if (items.length === 2 && items[0] === -items[1]!) return;
    throw wrong('EVAL', reply, 'a number and its negative');
  }

  private async expect(text: string, ...words: (string | number)[]): Promise<void> {
    const reply = await this.ask(...words);
    if (printReply(reply) !== text) throw wrong(String(words[0]), reply, text);
  }

  /** While a script runs for long the answer is BUSY, and nothing was done: asks again. */
  private async ask(...words: (string | number)[]): Promise<Reply> {
    for (;;) {
      await this.client.send(encodeCommand(words));
      const reply = await this.client.read(REPLY_MS_MAX);
      if (!isError(reply) || !/^-BUSY /.test(printReply(reply))) return reply;
      this.busyReplies++;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
}

describe('good clients on two workers', () => {
  let server: Server | null = null;
  afterEach(async () => {
    const report = server?.isRunning === false ? server.report() : '';
    await server?.stop('SIGKILL');
    expect(report, repeat).not.toMatch(/^server it ended with (?!code 0)/);
  });

  it(
    `are served through ${SECONDS} seconds of hostile load, which leaves nothing behind`,
    async () => {
      const limits = ['--client-output-buffer-limit', 'normal 64mb 32mb 5 pubsub 32mb 8mb 10'];
      const args = ['--busy-reply-threshold', '100', '--maxclients', '2000', ...limits];
      const shape = { threads: 2, partitions: 16, args };
      server = await startServer(shape);
      const one = await server.connect();
      const victims: Victim[] = [];
      for (let index = 0; index < VICTIMS; index++) {
        const random = new Random(partSeed(seed, index));
        victims.push(new Victim(String(index), await server.connect(), random));
      }
      const calm = await workFor(Math.min(30, SECONDS / 3), victims, []);
      const rssCalm = rssOf(server);
      // Code is compiled and heaps find their size under the first attack: that is no leak.
      const first = new Attackers({ port: server.port, seed, ...attacks });
      await workFor(Math.min(60, SECONDS / 3), victims, [first]);
      await first.stop();
      const base = await rssWhenQuiet(server, one);

      if (isBesideWanted) {
        const other = await startServer(shape);
        const away = new Attackers({ port: other.port, seed: seed + 1, ...attacks });
        const beside = await workFor(SECONDS, victims, [away]);
        await away.stop();
        await other.stop();
        console.log(`another server attacked: ${beside.print()}`);
      }
      const crowd = new Attackers({ port: server.port, seed: seed + 1, ...attacks });
      const hostile = await workFor(SECONDS, victims, [crowd], server);
      await crowd.stop();
      const after = await workFor(Math.min(30, SECONDS / 3), victims, []);
      const rss = await rssWhenQuiet(server, one, base);

      console.log(
        `calm ${calm.print()}; hostile ${hostile.print()}; afterwards ${after.print()}; ` +
          `RSS ${inMb(rssCalm)} MB with good clients alone, ${inMb(base)} MB before and ` +
          `${inMb(rss)} MB after; ` +
          JSON.stringify(crowd.tally.counts),
      );
      expect([...first.tally.complaints, ...crowd.tally.complaints], repeat).toEqual([]);
      expect(server.isRunning, server.report()).toBe(true);
      expect(server.printed, repeat).not.toMatch(/AssertionFailure|ASSERTION FAILED|rror:/);
      for (const [name, count] of Object.entries(crowd.tally.counts)) {
        expect(count, name).toBeGreaterThan(0);
      }
      expect(rss, repeat).toBeLessThan(base * RSS_SHARE + RSS_SLACK_BYTES);
      for (const victim of victims) victim.close();
      one.close();
      expect(await server.stop()).toBe('it ended with code 0');
    },
    (SECONDS * 3 + 300) * 1000,
  );
});

async function workFor(
  seconds: number,
  victims: readonly Victim[],
  crowds: readonly Attackers[],
  server?: Server,
): Promise<Latencies> {
  const latencies = new Latencies();
  const endMs = performance.now() + seconds * 1000;
  const isOver = () => performance.now() > endMs;
  const timer = setInterval(() => {
    if (server === undefined) return;
    const busy = victims.reduce((sum, { busyReplies }) => sum + busyReplies, 0);
    const left = Math.round((endMs - performance.now()) / 1000);
    const attacks = JSON.stringify(crowds.map(({ tally }) => tally.counts));
    console.log(
      `${left} s left, ${latencies.print()}, ${busy} BUSY, RSS ${inMb(rssOf(server))}, ${attacks}`,
    );
  }, PROGRESS_EVERY_MS);
  try {
    await Promise.all(victims.map((victim) => victim.work(isOver, latencies)));
  } finally {
    clearInterval(timer);
  }
  return latencies;
}

/** RSS when the others have gone; at the end, as soon as it is as low as it has to be. */
async function rssWhenQuiet(server: Server, client: Client, base = 0): Promise<number> {
  const deadline = performance.now() + SETTLE_MS_MAX;
  while (performance.now() < deadline) {
    const text = textOf(await client.command('INFO', 'clients')) ?? '';
    if (/^connected_clients:(\d+)/m.exec(text)?.[1] === String(VICTIMS + 1)) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  // What attackers wrote, and left behind.
  const keys = await client.command('KEYS', 'attack*');
  const names = keys.type === 'array' ? keys.value.map((item) => textOf(item)!) : [];
  if (names.length > 0) await client.command('DEL', ...names);
  // Free pages that were in use once are no leak: they are given back before anybody measures.
  await client.command('MEMORY', 'PURGE');
  const ms = base === 0 ? Math.min(10_000, SECONDS * 300) : SETTLE_MS_MAX;
  const settledAt = performance.now() + ms;
  while (performance.now() < settledAt) {
    if (base > 0 && rssOf(server) < base * RSS_SHARE + RSS_SLACK_BYTES) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return rssOf(server);
}

function rssOf(server: Server): number {
  const status = readFileSync(`/proc/${server.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}

function inMb(bytes: number): number {
  return Math.round(bytes / MB);
}

function wrong(name: string, reply: Reply, expected: string): Error {
  return new Error(`${name} answered ${printReply(reply)} instead of ${expected}; ${repeat}`);
}
