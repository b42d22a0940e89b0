// A bank: clients on all workers move money between accounts in every way that is one step, while
// others add all accounts up. Every sum must be right at every moment, and after kill -9 and the
// next start as well; nobody may wait for a lock for long. BANK_SECONDS=300 makes five minutes of
// it for each number of workers.

import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeCommand, isError, printReply, type Reply, textOf } from '../support/resp.js';
import { partSeed, Random, seedOf } from '../support/seed.js';
import { type Client, type Server, type ServerOptions, startServer } from '../support/server.js';

const SECONDS = Number(process.env.BANK_SECONDS ?? 1.5);
const ACCOUNTS = SECONDS < 60 ? 200 : 1000;
const START = 1000;
const TELLERS = 8;
const AUDITORS = 2;
const AUDIT_PAUSE_MS = 20;
const REPLY_MS_MAX = 60_000;
const PROGRESS_EVERY_MS = 30_000;
const SETUP_MS_MAX = 120_000;
const seed = seedOf('SEED');
const command = 'npx vitest run test/live/bank.test.ts';
const repeat = `repeat with: SEED=${seed} BANK_SECONDS=${SECONDS} ${command}`;

const MOVE = `
  if tonumber(redis.call('GET', KEYS[1])) < tonumber(ARGV[1]) then return 0 end
  redis.call('DECRBY', KEYS[1], ARGV[1])
  redis.call('INCRBY', KEYS[2], ARGV[1])
  return 1`;
/** Makes the names of its keys itself: nobody can know them beforehand. */
const MOVE_UNDECLARED = MOVE.replaceAll(/KEYS\[(\d)\]/g, (_, key) => {
  return `('account:' .. ARGV[${Number(key) + 1}])`;
});
const SUM = `
  local sum = 0
  for account = 0, tonumber(ARGV[1]) - 1 do
    sum = sum + redis.call('GET', 'account:' .. account)
  end
  return sum`;
const SUM_DECLARED = `
  local sum = 0
  for _, text in ipairs(redis.call('MGET', unpack(KEYS))) do sum = sum + text end
  return sum`;

const nameOf = (account: number) => `account:${account}`;
const allNames = Array.from({ length: ACCOUNTS }, (_, account) => nameOf(account));

interface Transfer {
  readonly from: number;
  readonly to: number;
  readonly amount: number;
}

async function ask(client: Client, ...words: (string | number)[]): Promise<Reply> {
  const [reply] = await askAll(client, words);
  return reply!;
}

async function askAll(client: Client, ...commands: (string | number)[][]): Promise<Reply[]> {
  const replies: Reply[] = [];
  for (const words of commands) await client.send(encodeCommand(words));
  while (replies.length < commands.length) replies.push(await client.read(REPLY_MS_MAX));
  for (const reply of replies) if (isError(reply)) throw new Error(printReply(reply));
  return replies;
}

/** Watches both accounts, and tries again when another was faster. True if it moved anything. */
async function moveWatching(client: Client, { from, to, amount }: Transfer): Promise<boolean> {
  for (;;) {
    const [, balance] = await askAll(
      client,
      ['WATCH', nameOf(from), nameOf(to)],
      ['MGET', nameOf(from), nameOf(to)],
    );
    const [source, target] = numbersOf(balance!);
    if (source! < amount || from === to) {
      await ask(client, 'UNWATCH');
      return false;
    }
    const replies = await askAll(
      client,
      ['MULTI'],
      ['SET', nameOf(from), source! - amount],
      ['SET', nameOf(to), target! + amount],
      ['EXEC'],
    );
    if (replies[3]!.type === 'array' && replies[3]!.value !== null) return true;
  }
}

async function moveByTransaction(client: Client, transfer: Transfer): Promise<boolean> {
  const { from, to, amount } = transfer;
  await askAll(
    client,
    ['MULTI'],
    ['DECRBY', nameOf(from), amount],
    ['INCRBY', nameOf(to), amount],
    ['EXEC'],
  );
  return true;
}

async function moveByScript(client: Client, { from, to, amount }: Transfer): Promise<boolean> {
  return isOne(await ask(client, 'EVAL', MOVE, 2, nameOf(from), nameOf(to), amount));
}

async function moveUndeclared(client: Client, { from, to, amount }: Transfer): Promise<boolean> {
  return isOne(await ask(client, 'EVAL', MOVE_UNDECLARED, 0, amount, from, to));
}

const WAYS = [moveWatching, moveByTransaction, moveByScript, moveUndeclared] as const;

/** Each adds up all accounts in one step. */
const AUDITS: readonly ((client: Client) => Promise<number>)[] = [
  async (client) => Number(textOf(await ask(client, 'EVAL', SUM, 0, ACCOUNTS))),
  async (client) => {
    return Number(textOf(await ask(client, 'EVAL', SUM_DECLARED, ACCOUNTS, ...allNames)));
  },
  async (client) => total(numbersOf(await ask(client, 'MGET', ...allNames))),
];

class Bank {
  readonly moved = WAYS.map(() => 0);
  audits = 0;
  isOver = false;

  /** Moves money until the time is over or the server is gone. */
  async serve(client: Client, random: Random): Promise<void> {
    while (!this.isOver) {
      const way = random.below(WAYS.length);
      const hot = random.chance(0.3) ? 5 : ACCOUNTS;
      const [from, to] = [random.below(hot), random.below(ACCOUNTS)];
      const isMoved = await WAYS[way]!(client, { from, to, amount: random.between(1, 50) });
      if (isMoved) this.moved[way]!++;
    }
  }

  async audit(client: Client, random: Random): Promise<void> {
    while (!this.isOver) {
      const sum = await random.pick(AUDITS)(client);
      expect(sum, repeat).toBe(ACCOUNTS * START);
      this.audits++;
      await new Promise((resolve) => setTimeout(resolve, random.below(AUDIT_PAUSE_MS)));
    }
  }

  print(): string {
    const [watching, transactions, scripts, undeclared] = this.moved;
    return (
      `${watching} transfers with WATCH, ${transactions} without, ${scripts} by scripts, ` +
      `${undeclared} with undeclared keys, ${this.audits} audits`
    );
  }
}

describe.each([2, 4])('a bank on %d workers', (threads) => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'flagstone-bank-'));
  let server: Server | null = null;
  afterEach(async () => {
    await server?.stop('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  });

  it(
    'has the same sum at every moment and after a crash, and nobody waits for ever',
    async () => {
      const options: ServerOptions = {
        ...{ threads, partitions: 16, dir: directory, startMsMax: 60_000 },
        // On a busy machine a thread may stand still for a second; who is stuck stays so.
        args: ['--appendonly', 'yes', '--appendfsync', 'everysec', '--watchdog-lock-ms', '5000'],
      };
      server = await startServer(options);
      const first = await server.connect();
      await ask(first, 'MSET', ...allNames.flatMap((name) => [name, START]));
      const clients: Client[] = [];
      while (clients.length < TELLERS + AUDITORS) clients.push(await server.connect());
      const bank = new Bank();
      const progress = setInterval(() => console.log(bank.print()), PROGRESS_EVERY_MS);
      const end = setTimeout(() => {
        bank.isOver = true;
      }, SECONDS * 1000);
      const works = clients.map((client, index) => {
        const random = new Random(partSeed(seed, index));
        return index < TELLERS ? bank.serve(client, random) : bank.audit(client, random);
      });
      await Promise.all(works).finally(() => {
        bank.isOver = true;
        clearInterval(progress);
        clearTimeout(end);
      });
      console.log(`${threads} workers: ${bank.print()}; seed ${seed}`);
      expect(Math.min(bank.audits, ...bank.moved), repeat).toBeGreaterThan(0);
      expect(server.printed, repeat).not.toMatch(
        /The lock of a partition is held|AssertionFailure/,
      );

      await crash(server, clients);
      server = await startServer(options);
      const after = await server.connect();
      for (const audit of AUDITS) expect(await audit(after), repeat).toBe(ACCOUNTS * START);
      expect(await server.stop()).toBe('it ended with code 0');
    },
    (SECONDS + 60) * 1000 + SETUP_MS_MAX,
  );
});

/** kill -9 among transfers. */
async function crash(server: Server, clients: readonly Client[]): Promise<void> {
  const bank = new Bank();
  const works = clients
    .slice(0, TELLERS)
    .map((client, index) => bank.serve(client, new Random(partSeed(seed, 100 + index))));
  const ends = Promise.allSettled(works);
  await new Promise((resolve) => setTimeout(resolve, 300));
  await server.stop('SIGKILL');
  bank.isOver = true;
  for (const client of clients) client.close();
  await ends;
}

function numbersOf(reply: Reply): number[] {
  if (reply.type !== 'array' || reply.value === null) throw new Error(printReply(reply));
  return reply.value.map((item) => Number(textOf(item)));
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

function isOne(reply: Reply): boolean {
  return reply.type === 'integer' && Number(reply.value) === 1;
}
