// kill -9 at any moment, under writers on two workers: what was acknowledged is there after the
// next start, under every appendfsync, and no transaction is there in part. CRASH_ROUNDS=600 makes
// a long run of it, a third of the rounds under each policy.
//
// Each writer counts its units of work. A unit appends its number to the writer's list; every third
// is a transaction that also sets two other keys to it and moves money between two accounts, all in
// different partitions. So after a crash a list must hold 1 … m with acknowledged ≤ m ≤ sent, both
// keys the last transaction up to m, and the accounts together what they began with: nothing.
//
// In half of the rounds one more connection runs scripts that take long between their first and
// their last write: what they write in two partitions must be there from the same script.

import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Command, encodeCommands, isError, printReply, textOf } from '../support/resp.js';
import { partSeed, Random, seedOf } from '../support/seed.js';
import {
  type Client,
  commandOf,
  freePort,
  Server,
  type ServerOptions,
  startServer,
} from '../support/server.js';

const ROUNDS = Number(process.env.CRASH_ROUNDS ?? 4);
const ROUND_MS_MAX = 60_000;
const WRITERS = 16;
const ACCOUNTS = 40;
const TRANSACTION_EVERY = 3;
const PIPELINE_MAX = 6;
/** Up to half a second of a loop of Lua's. */
const SCRIPT_TURNS_MAX = 4_000_000;
/** Writes, takes its time, and writes somewhere else. */
const SLOW_SCRIPT = `
  local number = redis.call('INCR', KEYS[1])
  for turn = 1, tonumber(ARGV[1]) do end
  return redis.call('HSET', KEYS[2], 'number', number)`;
const SCRIPT_KEYS = ['script:first', 'script:second'] as const;
const LIST_LENGTH_MAX = 3000;
const PROGRESS_EVERY_MS = 30_000;
const POLICIES = ['always', 'everysec', 'no'] as const;
const seed = seedOf('SEED');
const command = 'npx vitest run test/live/crash.test.ts';
const repeat = `repeat with: SEED=${seed} CRASH_ROUNDS=${ROUNDS} ${command}`;

/** How many units of work were answered, and how many were begun. */
interface Scripts {
  acknowledged: number;
  sent: number;
}

interface Writer extends Scripts {
  readonly name: string;
  /** So many numbers were taken from the head of its list, lest long runs read ever more. */
  trimmed: number;
}

interface Work {
  readonly writers: readonly Writer[];
  readonly scripts: Scripts;
}

const directory = mkdtempSync(path.join(os.tmpdir(), 'flagstone-crash-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function optionsOf(round: number): ServerOptions {
  const policy = POLICIES[round % POLICIES.length]!;
  return {
    dir: directory,
    threads: 2,
    partitions: 16,
    startMsMax: 60_000,
    args: ['--appendonly', 'yes', '--appendfsync', policy],
  };
}

function unitOf({ name }: Writer, number: number, random: Random): readonly Command[] {
  const append: Command = ['RPUSH', `list:${name}`, number];
  if (number % TRANSACTION_EVERY !== 0) return [append];
  const [from, to] = [random.below(ACCOUNTS), random.below(ACCOUNTS)];
  const sum = random.between(1, 100);
  return [
    ['MULTI'],
    ['SET', `first:${name}`, number],
    append,
    ['DECRBY', `account:${from}`, sum],
    ['INCRBY', `account:${to}`, sum],
    ['HSET', `second:${name}`, 'number', number, 'padding', 'p'.repeat(random.below(2000))],
    ['EXEC'],
  ];
}

/** Works until the connection ends. */
async function work(client: Client, writer: Writer, random: Random): Promise<void> {
  try {
    for (;;) {
      const units = Array.from({ length: random.between(1, PIPELINE_MAX) }, () =>
        unitOf(writer, ++writer.sent, random),
      );
      await client.send(encodeCommands(units.flat()));
      for (const unit of units) {
        for (let left = unit.length; left > 0; left--) {
          const reply = await client.read();
          if (isError(reply)) throw new WriteRefused(printReply(reply));
        }
        writer.acknowledged++;
      }
    }
  } catch (error) {
    if (error instanceof WriteRefused) throw error;
  }
}

class WriteRefused extends Error {}

async function integer(client: Client, ...words: Command): Promise<number> {
  return Number(textOf(await client.command(...words)) ?? 0);
}

/** Runs slow scripts until the connection ends. */
async function runScripts(client: Client, scripts: Scripts, random: Random): Promise<void> {
  try {
    for (;;) {
      scripts.sent++;
      const turns = random.below(SCRIPT_TURNS_MAX);
      const reply = await client.command('EVAL', SLOW_SCRIPT, 2, ...SCRIPT_KEYS, turns);
      if (isError(reply)) throw new WriteRefused(printReply(reply));
      scripts.acknowledged++;
    }
  } catch (error) {
    if (error instanceof WriteRefused) throw error;
  }
}

async function checkScripts(client: Client, scripts: Scripts): Promise<void> {
  const first = await integer(client, 'GET', SCRIPT_KEYS[0]);
  const second = await integer(client, 'HGET', SCRIPT_KEYS[1], 'number');
  expect(second, `both writes of a script; ${repeat}`).toBe(first);
  expect(first, `scripts that were acknowledged; ${repeat}`).toBeGreaterThanOrEqual(
    scripts.acknowledged,
  );
  expect(first, `scripts that were sent; ${repeat}`).toBeLessThanOrEqual(scripts.sent);
  scripts.acknowledged = first;
  scripts.sent = first;
}

/** Compares what is there with what was promised; the writers go on from what is there. */
async function check(client: Client, { writers, scripts }: Work): Promise<void> {
  await checkScripts(client, scripts);
  for (const writer of writers) {
    const { name, acknowledged, sent } = writer;
    const list = await client.command('LRANGE', `list:${name}`, '0', '-1');
    const numbers = list.type === 'array' ? list.value.map((item) => Number(textOf(item))) : [];
    const last = writer.trimmed + numbers.length;
    const misplaced = numbers.findIndex((number, index) => number !== writer.trimmed + index + 1);
    expect(misplaced, `${name} is whole and in order; ${repeat}`).toBe(-1);
    expect(last, `${name} has what was acknowledged; ${repeat}`).toBeGreaterThanOrEqual(
      acknowledged,
    );
    expect(last, `${name} has what was sent, at the most; ${repeat}`).toBeLessThanOrEqual(sent);
    const transaction = last - (last % TRANSACTION_EVERY);
    const first = await integer(client, 'GET', `first:${name}`);
    const second = await integer(client, 'HGET', `second:${name}`, 'number');
    expect([first, second], `transactions of ${name}; ${repeat}`).toEqual([
      transaction,
      transaction,
    ]);
    writer.acknowledged = last;
    writer.sent = last;
    if (numbers.length <= LIST_LENGTH_MAX) continue;
    await client.command('LTRIM', `list:${name}`, numbers.length, -1);
    writer.trimmed = last;
  }
  let sum = 0;
  for (let account = 0; account < ACCOUNTS; account++) {
    sum += await integer(client, 'GET', `account:${account}`);
  }
  expect(sum, `money is neither made nor lost; ${repeat}`).toBe(0);
}

/** Starts, checks, works on 16 connections, and is killed. */
async function crashOnce(round: number, all: Work, random: Random): Promise<void> {
  const server = await startServer(optionsOf(round));
  const first = await server.connect();
  await check(first, all);
  const clients: Client[] = [first];
  while (clients.length < WRITERS) clients.push(await server.connect());
  const works = clients.map((client, index) =>
    work(client, all.writers[index]!, new Random(random.next())),
  );
  if (random.chance(0.5)) {
    const other = await server.connect();
    await other.command('BGREWRITEAOF');
    clients.push(other);
  }
  if (random.chance(0.5)) {
    const other = await server.connect();
    works.push(runScripts(other, all.scripts, new Random(random.next())));
    clients.push(other);
  }
  await new Promise((resolve) => setTimeout(resolve, random.between(50, 700)));
  expect(server.isRunning, server.report()).toBe(true);
  await server.stop('SIGKILL');
  for (const client of clients) client.close();
  await Promise.all(works);
}

/** Is killed while it starts. */
async function crashAtStart(round: number, random: Random): Promise<void> {
  const options = optionsOf(round);
  const server = new Server(commandOf(options), options, await freePort());
  await new Promise((resolve) => setTimeout(resolve, random.between(100, 2500)));
  await server.stop('SIGKILL');
}

/** What a long run shows of itself. */
class Progress {
  private readonly startedAt = Date.now();
  private shownAt = Date.now();

  show(round: number, { writers, scripts }: Work): void {
    if (Date.now() - this.shownAt < PROGRESS_EVERY_MS) return;
    this.shownAt = Date.now();
    const units = writers.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
    const seconds = Math.round((Date.now() - this.startedAt) / 1000);
    console.log(`${round} crashes, ${units} units, ${scripts.acknowledged} scripts, ${seconds} s`);
  }
}

describe('a server that is killed at any moment', () => {
  const writers = Array.from({ length: WRITERS }, (_, index) => ({
    name: String(index),
    acknowledged: 0,
    sent: 0,
    trimmed: 0,
  }));
  const all: Work = { writers, scripts: { acknowledged: 0, sent: 0 } };

  it(
    `has lost nothing that was acknowledged and torn no transaction, ${ROUNDS} times`,
    async () => {
      const progress = new Progress();
      for (let round = 0; round < ROUNDS; round++) {
        const random = new Random(partSeed(seed, round));
        await crashOnce(round, all, random);
        if (random.chance(0.3)) await crashAtStart(round + 1, random);
        progress.show(round + 1, all);
      }
      const server = await startServer(optionsOf(0));
      await check(await server.connect(), all);
      const total = writers.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
      expect(total, repeat).toBeGreaterThan(ROUNDS * WRITERS);
      expect(await server.stop()).toBe('it ended with code 0');
    },
    ROUNDS * ROUND_MS_MAX,
  );
});
