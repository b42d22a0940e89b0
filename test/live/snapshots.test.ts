// Snapshots of a running server: whatever is written while one is, its file holds one instant; how
// it is asked for, how it fails, and what happens at the end of the server.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { emptyEngine, loadFile } from '../rdb/files.js';
import type { Engine } from '../support/engine.js';
import { type Command, encodeCommands, printReply, textOf } from '../support/resp.js';
import { type Client, type Server, type ServerOptions, startServer } from '../support/server.js';

const DEADLINE_MS = 30_000;
const TEST_MS = 60_000;

const servers: Server[] = [];
const clients: Client[] = [];

async function start(options: ServerOptions = {}): Promise<Server> {
  const server = await startServer({ threads: 2, partitions: 8, ...options });
  servers.push(server);
  return server;
}

async function connect(server: Server): Promise<Client> {
  const client = await server.connect();
  clients.push(client);
  return client;
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const server of servers.splice(0)) await server.stop('SIGKILL');
});

async function say(client: Client, ...words: Command): Promise<string> {
  return printReply(await client.command(...words));
}

async function figure(client: Client, name: string): Promise<string> {
  const text = textOf(await client.command('INFO', 'persistence')) ?? '';
  return new RegExp(`^${name}:(.*)$`, 'm').exec(text)?.[1]?.trim() ?? '';
}

async function until(what: string, isReached: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await isReached())) {
    if (Date.now() > deadline) throw new Error(`${what} did not come about`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const isSaved = async (client: Client) => (await figure(client, 'rdb_bgsave_in_progress')) === '0';

async function saveBehind(client: Client): Promise<void> {
  expect(await say(client, 'BGSAVE')).toBe('+Background saving started');
  await until('the end of a snapshot', () => isSaved(client));
  expect(await figure(client, 'rdb_last_bgsave_status')).toBe('ok');
}

/** The snapshot file of the server, in an engine of this process. */
function load(server: Server): Engine {
  const engine = emptyEngine();
  // Every key once: a second one of the same name is refused.
  loadFile(engine, readFileSync(join(server.dir, 'dump.rdb')), { expired: 'keep' });
  return engine;
}

const keysIn = ({ keyspace }: Engine, database = 0) =>
  keyspace.partitions.reduce((sum, partition) => sum + partition.countOf(database), 0);

const numberAt = (engine: Engine, ...words: string[]) =>
  Number(/(-?\d+)\r\n$/.exec(engine.run(...words))?.[1] ?? '0');

const ACCOUNTS = 300;
const OPENING = 100;

/** Moves that keep sums: between keys, fields, members and lists. */
function move(round: number): Command[] {
  const pick = (factor: number) => String((round * factor + 7) % ACCOUNTS);
  const [from, to] = [pick(31), pick(17)];
  return [
    ['MULTI'],
    ['DECRBY', `account:${from}`, '3'],
    ['INCRBY', `account:${to}`, '3'],
    ['HINCRBY', 'bank', from, '-2'],
    ['HINCRBY', 'bank', to, '2'],
    ['ZINCRBY', 'board', '-1', from],
    ['ZINCRBY', 'board', '1', to],
    ['LMOVE', `list:${round % 2}`, `list:${(round + 1) % 2}`, 'LEFT', 'RIGHT'],
    ['SMOVE', `set:${round % 2}`, `set:${(round + 1) % 2}`, to],
    ['EXEC'],
  ];
}

/** Keys come and go, so that tables split and shrink under the walk. */
function churn(round: number): Command[] {
  const key = `churn:${(round * 7919) % 20_000}`;
  return round % 3 === 0 ? [['DEL', key]] : [['SET', key, `value of round ${round}`]];
}

/** One connection, in one pipeline: the second key follows the first, by three at the most. */
const FOLLOWED: Command[] = ['leader', 'leader', 'leader', 'follower', 'follower', 'follower'].map(
  (key) => ['INCR', key],
);

async function open(client: Client): Promise<void> {
  const commands: Command[] = [];
  for (let index = 0; index < ACCOUNTS; index++) {
    commands.push(['SET', `account:${index}`, String(OPENING)]);
    commands.push(['HSET', 'bank', String(index), String(OPENING)]);
    commands.push(['ZADD', 'board', String(OPENING), String(index)]);
    commands.push(['RPUSH', `list:${index % 2}`, String(index)]);
    commands.push(['SADD', `set:${index % 2}`, String(index)]);
  }
  for (let index = 0; index < 20_000; index++) commands.push(['SET', `filler:${index}`, 'x']);
  await client.pipeline(commands);
}

function checkSums(engine: Engine): void {
  const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);
  const accounts = Array.from({ length: ACCOUNTS }, (_, index) => index);
  const total = ACCOUNTS * OPENING;
  expect(sum(accounts.map((index) => numberAt(engine, 'GET', `account:${index}`)))).toBe(total);
  expect(sum(accounts.map((index) => numberAt(engine, 'HGET', 'bank', `${index}`)))).toBe(total);
  expect(sum(accounts.map((index) => numberAt(engine, 'ZSCORE', 'board', `${index}`)))).toBe(total);
  expect(numberAt(engine, 'LLEN', 'list:0') + numberAt(engine, 'LLEN', 'list:1')).toBe(ACCOUNTS);
  expect(numberAt(engine, 'SCARD', 'set:0') + numberAt(engine, 'SCARD', 'set:1')).toBe(ACCOUNTS);
  expect(engine.run('EXISTS', 'filler:0', 'filler:19999')).toBe(':2\r\n');
  const ahead = numberAt(engine, 'GET', 'leader') - numberAt(engine, 'GET', 'follower');
  expect(ahead).toBeGreaterThanOrEqual(0);
  expect(ahead).toBeLessThanOrEqual(3);
}

describe('a snapshot of a busy server', () => {
  it.each(['native', 'node'] as const)(
    'holds one instant (%s transport)',
    async (transport) => {
      const server = await start({ transport, args: ['--rdb-key-save-delay', '-2'] });
      const asker = await connect(server);
      await open(asker);
      let isOver = false;
      const writers = [move, move, churn, churn].map(async (make, writer) => {
        const client = await connect(server);
        for (let round = writer * 1000; !isOver; round += 10) {
          const commands = Array.from({ length: 10 }, (_, at) => make(round + at)).flat();
          await client.pipeline(writer === 0 ? [...commands, ...FOLLOWED] : commands);
        }
      });
      for (let count = 0; count < 4; count++) {
        await saveBehind(asker);
        checkSums(load(server));
      }
      expect(Number(await figure(asker, 'rdb_last_cow_size'))).toBeGreaterThan(0);
      isOver = true;
      await Promise.all(writers);
      expect(await say(asker, 'SAVE')).toBe('+OK');
      checkSums(load(server));
      expect(server.isRunning, server.report()).toBe(true);
    },
    TEST_MS,
  );

  it(
    'has what was emptied and swapped meanwhile',
    async () => {
      const server = await start({ args: ['--rdb-key-save-delay', '1000'] });
      const client = await connect(server);
      for (const database of ['0', '1', '2']) {
        await client.command('SELECT', database);
        await client.pipeline(
          Array.from({ length: 1000 }, (_, index) => ['SET', `key:${index}`, database]),
        );
      }
      expect(await say(client, 'BGSAVE')).toBe('+Background saving started');
      await until(
        'the walk',
        async () => (await figure(client, 'current_save_keys_total')) !== '0',
      );
      await client.command('SWAPDB', '0', '1');
      await client.command('FLUSHDB');
      await client.command('SELECT', '0');
      await client.command('SET', 'key:7', 'of later');
      await client.command('FLUSHDB', 'SYNC');
      await client.command('SET', 'key:8', 'of later');
      expect(await isSaved(client)).toBe(false);
      await until('the end of the snapshot', () => isSaved(client));

      const engine = load(server);
      for (const database of ['0', '1', '2']) {
        engine.run('SELECT', database);
        expect(keysIn(engine, Number(database))).toBe(1000);
        expect(engine.run('GET', 'key:7')).toBe(`$1\r\n${database}\r\n`);
      }
      expect(await say(client, 'DBSIZE')).toBe(':1');
    },
    TEST_MS,
  );
});

describe('asking for snapshots', () => {
  it(
    'lets others go on while the client of SAVE waits',
    async () => {
      const server = await start({ args: ['--rdb-key-save-delay', '1000'] });
      const [waiting, other] = [await connect(server), await connect(server)];
      await other.pipeline(Array.from({ length: 2000 }, (_, index) => ['SET', `${index}`, 'x']));
      const before = Number(textOf(await other.command('LASTSAVE')) ?? '0');
      let isAnswered = false;
      await waiting.send(encodeCommands([['SAVE']]));
      const saved = waiting.read(TEST_MS).then((reply) => {
        isAnswered = true;
        return printReply(reply);
      });
      await until('the walk', async () => (await figure(other, 'current_save_keys_total')) !== '0');
      expect(await say(other, 'SET', 'later', 'x')).toBe('+OK');
      expect(isAnswered).toBe(false);
      expect(await saved).toBe('+OK');
      expect(keysIn(load(server))).toBe(2000);
      const lastSave = Number(textOf(await other.command('LASTSAVE')) ?? '0');
      expect(lastSave).toBeGreaterThanOrEqual(before);
      // What came after the cut is a change since then.
      expect(await figure(other, 'rdb_changes_since_last_save')).toBe('1');
    },
    TEST_MS,
  );

  it(
    'refuses a second one, and schedules one inside EXEC',
    async () => {
      const server = await start({ args: ['--rdb-key-save-delay', '3000'] });
      const client = await connect(server);
      await client.pipeline(Array.from({ length: 1000 }, (_, index) => ['SET', `${index}`, 'x']));
      expect(await say(client, 'BGSAVE')).toBe('+Background saving started');
      const already = '-ERR Background save already in progress';
      expect(await say(client, 'BGSAVE')).toBe(already);
      expect(await say(client, 'BGSAVE', 'SCHEDULE')).toBe(already);
      expect(await say(client, 'SAVE')).toBe(already);
      expect(await say(client, 'BGSAVE', 'NEVER')).toBe('-ERR syntax error');
      await client.command('CONFIG', 'SET', 'rdb-key-save-delay', '0');
      await until('the end of the snapshot', () => isSaved(client));
      await client.command('MULTI');
      await client.command('BGSAVE');
      expect(await say(client, 'EXEC')).toContain('Background saving scheduled');
      await until('the scheduled one', async () => (await figure(client, 'rdb_saves')) === '2');
      await until('its end', () => isSaved(client));
      expect(await say(client, 'BGREWRITEAOF')).toContain(
        "-ERR Can't execute an AOF background rewriting.",
      );
    },
    TEST_MS,
  );

  it(
    'comes by itself where save points say so',
    async () => {
      const server = await start({ args: ['--save', '1 2'] });
      const client = await connect(server);
      await client.pipeline([
        ['SET', 'a', '1'],
        ['SET', 'b', '2'],
      ]);
      await until('the snapshot', async () => (await figure(client, 'rdb_saves')) === '1');
      await until('its end', () => isSaved(client));
      expect(keysIn(load(server))).toBe(2);
      expect(server.printed).toContain('2 changes in 1 seconds. Saving...');
      // All keys removed on purpose do not come back from the file.
      await client.command('FLUSHALL');
      await until('the next', async () => (await figure(client, 'rdb_saves')) === '2');
      await until('its end', () => isSaved(client));
      expect(keysIn(load(server))).toBe(0);
    },
    TEST_MS,
  );
});

describe('a snapshot that fails', () => {
  it(
    'leaves no file behind, and stops writes until one succeeds',
    async () => {
      const server = await start({ args: ['--save', '3600 1000000'] });
      const client = await connect(server);
      await client.command('SET', 'key', 'value');
      // A directory in its place cannot be replaced by a file.
      mkdirSync(join(server.dir, 'dump.rdb'));
      expect(await say(client, 'SAVE')).toBe('-ERR');
      expect(await figure(client, 'rdb_last_bgsave_status')).toBe('ok');
      expect(await say(client, 'BGSAVE')).toBe('+Background saving started');
      await until('the end of the snapshot', () => isSaved(client));
      expect(await figure(client, 'rdb_last_bgsave_status')).toBe('err');
      expect(readdirSync(server.dir)).toEqual(['dump.rdb']);
      const refusal =
        "-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to " +
        'persist to disk. Commands that may modify the data set are disabled, because this ' +
        'instance is configured to report errors during writes if RDB snapshotting fails ' +
        '(stop-writes-on-bgsave-error option). Please check the Redis logs for details about ' +
        'the RDB error.';
      await until('the gate', async () => (await say(client, 'SET', 'key', 'x')) === refusal);
      expect(await say(client, 'PING')).toBe(refusal);
      expect(await say(client, 'GET', 'key')).toBe('$"value"');

      await client.command('CONFIG', 'SET', 'stop-writes-on-bgsave-error', 'no');
      await until('the open gate', async () => (await say(client, 'PING')) === '+PONG');
      await client.command('CONFIG', 'SET', 'stop-writes-on-bgsave-error', 'yes');
      await until('the gate', async () => (await say(client, 'PING')) === refusal);

      rmdirSync(join(server.dir, 'dump.rdb'));
      await saveBehind(client);
      await until('the open gate', async () => (await say(client, 'SET', 'key', 'x')) === '+OK');
    },
    TEST_MS,
  );
});

describe('the end of the server', () => {
  it.each(['SHUTDOWN', 'SIGTERM', 'SHUTDOWN SAVE'] as const)(
    'comes after a last snapshot that lacks nothing acknowledged: %s',
    async (how) => {
      const args = how === 'SHUTDOWN SAVE' ? [] : ['--save', '3600 1000000'];
      const server = await start({ args });
      const client = await connect(server);
      const writer = await connect(server);
      let acknowledged = 0;
      const writing = (async () => {
        for (;;) {
          const replies = await writer.pipeline(Array.from({ length: 5 }, () => ['INCR', 'count']));
          acknowledged = Number(printReply(replies.at(-1)!).slice(1));
        }
      })().catch(() => {});
      await until('some writes', () => acknowledged > 100);
      let ending: Promise<unknown> = Promise.resolve();
      if (how === 'SIGTERM') process.kill(server.pid, 'SIGTERM');
      else ending = client.command(...how.split(' ')).catch(() => {});
      expect(await server.ended).toBe('it ended with code 0');
      await Promise.all([writing, ending]);
      expect(numberAt(load(server), 'GET', 'count')).toBeGreaterThanOrEqual(acknowledged);
    },
    TEST_MS,
  );

  it(
    'writes nothing when told so, or when there are no save points',
    async () => {
      for (const [args, words] of [
        [
          ['--save', '3600 1'],
          ['SHUTDOWN', 'NOSAVE'],
        ],
        [[], ['SHUTDOWN']],
      ] as const) {
        const server = await start({ args });
        const client = await connect(server);
        await client.command('SET', 'key', 'value');
        await client.command(...words).catch(() => {});
        expect(await server.ended).toBe('it ended with code 0');
        expect(existsSync(join(server.dir, 'dump.rdb'))).toBe(false);
      }
    },
    TEST_MS,
  );

  it(
    'does not come when the last snapshot fails, unless it is forced',
    async () => {
      const server = await start({ args: ['--save', '3600 1000000'] });
      const client = await connect(server);
      await client.command('SET', 'key', 'value');
      mkdirSync(join(server.dir, 'dump.rdb'));
      expect(await say(client, 'SHUTDOWN')).toBe('-ERR Errors trying to SHUTDOWN. Check logs.');
      expect(await say(client, 'SET', 'key', 'x')).toBe('+OK');
      await client.command('SHUTDOWN', 'FORCE').catch(() => {});
      expect(await server.ended).toBe('it ended with code 0');
    },
    TEST_MS,
  );

  it(
    'can be aborted while the last snapshot is written; writes wait for it',
    async () => {
      const server = await start({ args: ['--rdb-key-save-delay', '100000'] });
      const [client, other] = [await connect(server), await connect(server)];
      await client.pipeline(Array.from({ length: 1000 }, (_, index) => ['SET', `${index}`, 'x']));
      const ended = say(client, 'SHUTDOWN', 'SAVE').catch((error: Error) => error.message);
      await until('the walk', async () => (await figure(other, 'current_save_keys_total')) !== '0');
      expect(await say(other, 'GET', '7')).toBe('$"x"');
      const aborting = await connect(server);
      let isWritten = false;
      const written = say(other, 'SET', '7', 'y').then((line) => {
        isWritten = true;
        return line;
      });
      expect(await say(aborting, 'PING')).toBe('+PONG');
      expect(isWritten).toBe(false);
      expect(await say(aborting, 'SHUTDOWN', 'ABORT')).toBe('+OK');
      expect(await ended).toBe('-ERR Errors trying to SHUTDOWN. Check logs.');
      expect(await written).toBe('+OK');
      expect(await say(aborting, 'SHUTDOWN', 'ABORT')).toBe('-ERR No shutdown in progress.');
      expect(existsSync(join(server.dir, 'dump.rdb'))).toBe(false);
    },
    TEST_MS,
  );
});
