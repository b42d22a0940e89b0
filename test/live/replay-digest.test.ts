// What the logs hold makes the state that they were written for: random commands of several
// connections at once, kill -9, a start, and every key is as it was, with its expiry, its fields'
// expiries, its groups and what is pending in them. In between come rewrites and snapshots, and
// each start has other threads and partitions. REPLAY_ROUNDS=50 makes a long run of it.

import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, it } from 'vitest';
import { Maker } from '../oracle/grammar/maker.js';
import { ALL_GROUPS, makeSteps } from '../oracle/grammar.js';
import { printReply, type Reply, textOf } from '../support/resp.js';
import { partSeed, Random, seedOf } from '../support/seed.js';
import { type Client, type Server, startServer } from '../support/server.js';
import { timedStep, type Words } from '../support/timed-commands.js';

const ROUNDS = Number(process.env.REPLAY_ROUNDS ?? 2);
const STEPS = Number(process.env.REPLAY_STEPS ?? 600);
const ROUND_MS_MAX = 200_000;
const CLIENTS = 3;
const BATCH = 40;
const DATABASES = 16;
/** Longer than anything that is to expire soon. */
const SETTLE_MS = 400;
const DIFFERENCES_MAX = 12;
const seed = seedOf('SEED');
const command = 'npx vitest run test/live/replay-digest.test.ts';
const repeat = `repeat with: SEED=${seed} REPLAY_ROUNDS=${ROUNDS} ${command}`;

const directory = mkdtempSync(path.join(os.tmpdir(), 'flagstone-replay-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

// ── Playing ──────────────────────────────────────────────────────────────────────────────────

const SKIPPED = /^(?:debug|object|command|client|config|big|memory)$/i;

/** A second look at what is pending counts as a delivery, which Redis does not record either. */
function isPlayed(words: Words): boolean {
  if (SKIPPED.test(words[0]!)) return false;
  if (words[0]!.toLowerCase() !== 'xreadgroup') return true;
  const at = words.findIndex((word) => word.toLowerCase() === 'streams');
  const ids = words.slice(at + 1 + (words.length - at - 1) / 2);
  return ids.every((id) => id === '>');
}

async function play(client: Client, random: Random): Promise<void> {
  const maker = new Maker(random, []);
  let batch: Words[] = [];
  for (const step of makeSteps(random, STEPS, ALL_GROUPS)) {
    const isFlush = step.some((words) => /^flush/i.test(words[0]!));
    if (!isFlush || random.chance(0.3)) batch.push(...step.filter(isPlayed));
    if (random.chance(0.8)) batch.push(...timedStep(maker).filter(isPlayed));
    if (batch.length < BATCH) continue;
    await client.pipeline(batch);
    batch = [];
  }
  if (batch.length > 0) await client.pipeline(batch);
}

/** Random commands, and rewrites and snapshots while they run; ends when all of it has. */
async function playAll(clients: readonly Client[], helper: Client, random: Random): Promise<void> {
  let isDone = false;
  const playing = Promise.all(
    clients.map((client) => play(client, new Random(random.below(2 ** 31)))),
  ).finally(() => {
    isDone = true;
  });
  const disturbing = (async () => {
    while (!isDone) {
      await sleep(50 + random.below(200));
      await helper.command(random.pick(['BGREWRITEAOF', 'BGSAVE', 'PING', 'BGREWRITEAOF']));
    }
  })();
  await Promise.all([playing, disturbing]);
  const busy = /(?:aof_rewrite_in_progress|rdb_bgsave_in_progress|aof_rewrite_scheduled):1/;
  while (busy.test(textOf(await helper.command('INFO', 'persistence'))!)) await sleep(50);
  await sleep(SETTLE_MS);
}

// ── Comparing ────────────────────────────────────────────────────────────────────────────────

const READS: Readonly<Record<string, (key: string) => Words>> = {
  string: (key) => ['GET', key],
  list: (key) => ['LRANGE', key, '0', '-1'],
  hash: (key) => ['HGETALL', key],
  set: (key) => ['SMEMBERS', key],
  zset: (key) => ['ZRANGE', key, '0', '-1', 'WITHSCORES'],
  stream: (key) => ['XINFO', 'STREAM', key, 'FULL', 'COUNT', '0'],
};

/** How many elements of an answer belong together, where their order says nothing. */
const UNORDERED: Readonly<Record<string, number>> = { set: 1, hash: 2 };

/** All that is kept of a key: not when a consumer was last seen, or how often an iid came again. */
async function stateOf(client: Client): Promise<Map<string, string>> {
  const state = new Map<string, string>();
  for (let database = 0; database < DATABASES; database++) {
    await client.command('SELECT', database);
    for (const key of itemsOf(await client.command('KEYS', '*')).map((item) => textOf(item)!)) {
      const type = textOf(await client.command('TYPE', key))!;
      state.set(`${database}/${type}/${key}`, await stateOfKey(client, key, type));
    }
  }
  const libraries = await client.command('FUNCTION', 'LIST', 'WITHCODE');
  state.set('functions', printSorted(libraries, 1));
  return state;
}

async function stateOfKey(client: Client, key: string, type: string): Promise<string> {
  const expiry = printReply(await client.command('PEXPIRETIME', key));
  const read = READS[type]?.(key) ?? ['DEBUG', 'DIGEST-VALUE', key];
  const value = printSorted((await client.pipeline([read]))[0]!, UNORDERED[type] ?? 0);
  const timeless = value.replace(
    /"(?:seen-time|active-time|radix-tree-keys|radix-tree-nodes|iids-duplicates)", :-?\d+/g,
    '',
  );
  if (type !== 'hash') return `${expiry}\n${timeless}`;
  const names = itemsOf(await client.command('HKEYS', key)).map((item) => textOf(item)!);
  const fields = ['FIELDS', names.length, ...names.sort()];
  const expiries = printReply(await client.command('HPEXPIRETIME', key, ...fields));
  return `${expiry}\n${expiries}\n${timeless}`;
}

function itemsOf(reply: Reply): readonly Reply[] {
  return reply.type === 'array' || reply.type === 'set' ? reply.value : [];
}

/** 0: as it is. */
function printSorted(reply: Reply, together: number): string {
  if (together === 0) return printReply(reply);
  const items = itemsOf(reply);
  const texts: string[] = [];
  for (let at = 0; at < items.length; at += together) {
    const group = items.slice(at, at + together);
    texts.push(group.map((item) => printReply(item)).join(' '));
  }
  return texts.sort().join('\n');
}

function differences(before: Map<string, string>, after: Map<string, string>): string[] {
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((key) => before.get(key) !== after.get(key))
    .map((key) => {
      const [was, is] = [before.get(key) ?? '(missing)', after.get(key) ?? '(missing)'];
      return `${JSON.stringify(key)}\n  before ${unlike(was, is)}\n  after  ${unlike(is, was)}`;
    });
}

/** A text where it begins to be unlike another. */
function unlike(text: string, other: string): string {
  let at = 0;
  while (at < text.length && text[at] === other[at]) at++;
  return `[${at}/${text.length}] …${text.slice(Math.max(0, at - 80), at + 200)}`;
}

// ── Rounds ───────────────────────────────────────────────────────────────────────────────────

function start(random: Random, policy: string): Promise<Server> {
  return startServer({
    dir: directory,
    startMsMax: 60_000,
    threads: random.pick([1, 2, 3]),
    partitions: random.pick([4, 8, 32]),
    args: [
      ...['--appendonly', 'yes', '--appendfsync', policy, '--save', ''],
      ...['--enable-debug-command', 'yes', '--hash-max-listpack-entries', '64'],
    ],
  });
}

async function playRound(random: Random): Promise<string[]> {
  const policy = random.pick(['no', 'everysec', 'always']);
  const server = await start(random, policy);
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => server.connect()));
  const helper = await server.connect();
  await playAll(clients, helper, random);
  const before = await stateOf(helper);
  await server.stop('SIGKILL');
  for (const client of [...clients, helper]) client.close();

  const next = await start(random, policy);
  const after = await stateOf(await next.connect());
  await next.stop();
  expect(before.size).toBeGreaterThan(CLIENTS);
  return differences(before, after);
}

it(
  `a start brings back what was there before kill -9; ${repeat}`,
  async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const found = await playRound(new Random(partSeed(seed, round)));
      expect(found.slice(0, DIFFERENCES_MAX)).toEqual([]);
    }
  },
  ROUNDS * ROUND_MS_MAX,
);
