// The change feed of a running server: who follows it across reconnections, rewrites and restarts
// gets every change once, in an order that fits each key.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  encodeCommands,
  isError,
  printReply,
  type Reply,
  textOf,
  type Word,
} from '../support/resp.js';
import { type Client, type Server, startServer } from '../support/server.js';

const TRANSPORTS =
  process.platform === 'linux' ? (['native', 'node'] as const) : (['node'] as const);
/** Shorter than what a client waits for a reply. */
const LONG_MS = 12_000;

let dir: string;
let server: Server | null = null;
beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'flagstone-feed-'));
});
afterEach(async () => {
  await server?.stop('SIGKILL');
  server = null;
  rmSync(dir, { recursive: true, force: true });
});

async function start(
  transport: 'native' | 'node' = TRANSPORTS[0],
  args: readonly string[] = ['--appendonly', 'yes'],
): Promise<Server> {
  const rewrites = ['--auto-aof-rewrite-percentage', '0'];
  const options = { dir, threads: 2, partitions: 8, transport, startMsMax: 60_000 };
  server = await startServer({ ...options, args: [...rewrites, ...args] });
  return server;
}

interface Entry {
  readonly number: number;
  readonly database: number;
  readonly commands: readonly (readonly string[])[];
}

interface Page {
  readonly next: string;
  readonly entries: readonly Entry[];
}

function itemsOf(reply: Reply): readonly Reply[] {
  if (reply.type !== 'array') throw new Error(`an array, not ${printReply(reply)}`);
  return reply.value;
}

function pageOf(reply: Reply): Page {
  const [next, entries] = itemsOf(reply);
  return {
    next: textOf(next!)!,
    entries: itemsOf(entries!).map((entry) => {
      const [number, database, commands] = itemsOf(entry);
      return {
        number: Number(textOf(number!)),
        database: Number(textOf(database!)),
        commands: itemsOf(commands!).map((each) => itemsOf(each).map((word) => textOf(word)!)),
      };
    }),
  };
}

async function feed(client: Client, position: string, ...options: Word[]): Promise<Page> {
  return pageOf(await client.command('FEED', 'READ', position, ...options));
}

/** The words of all commands, one line for each record. */
async function lines(client: Client, position: string, ...options: Word[]): Promise<string[]> {
  const { entries } = await feed(client, position, ...options);
  return entries.map(({ commands }) => commands.map((words) => words.join(' ')).join('; '));
}

/** Several connections: of both threads, as a rule. */
function connections(count: number): Promise<Client[]> {
  return Promise.all(Array.from({ length: count }, () => server!.connect()));
}

async function write(client: Client, writer: number, count: number): Promise<void> {
  for (let index = 0; index < count; index += 10) {
    await client.pipeline(
      Array.from({ length: 10 }, (_, at) => ['RPUSH', `list:${at % 3}`, `${writer}:${index + at}`]),
    );
  }
}

async function newest(client: Client): Promise<string> {
  return textOf(itemsOf(await client.command('FEED', 'INFO'))[5]!)!;
}

describe.each(TRANSPORTS)('with the %s transport', (transport) => {
  it('a follower gets every write once across reconnections and rewrites', async () => {
    await start(transport);
    const clients = await connections(4);
    const COUNT = 1500;
    const writing = Promise.all(clients.map((client, index) => write(client, index, COUNT)));
    const other = await server!.connect();
    const lists = new Map<string, string[]>();
    let position = '0';
    let follower = await server!.connect();
    for (let seen = 0, page = 0; seen < clients.length * COUNT; page++) {
      const { next, entries } = await feed(follower, position, 'COUNT', '150', 'BLOCK', LONG_MS);
      for (const { number, commands } of entries) {
        expect(number).toBe(++seen);
        const [[name, key, value]] = commands as [[string, string, string]];
        expect(name).toBe('RPUSH');
        lists.set(key, [...(lists.get(key) ?? []), value]);
      }
      position = next;
      if (page % 7 === 6) {
        follower.close();
        follower = await server!.connect();
      }
      if (page % 12 === 5) await other.command('BGREWRITEAOF');
    }
    await writing;
    expect(position).toBe(await newest(other));
    for (const [key, values] of lists) {
      const all = itemsOf(await other.command('LRANGE', key, '0', '-1')).map(textOf);
      expect(values).toEqual(all);
    }
  });

  it('a follower that waits hears of a write on any thread, and of nothing else', async () => {
    await start(transport);
    const clients = await connections(6);
    const [follower, ...others] = clients as [Client, ...Client[]];
    let { next } = await feed(follower, '$', 'BLOCK', '1');
    for (const [index, client] of others.entries()) {
      const waiting = feed(follower, next, 'BLOCK', '0', 'MATCH', 'wanted*');
      await client.command('SET', 'other', index);
      await client.command('GET', 'wanted');
      await client.command('SET', 'wanted', index);
      const page = await waiting;
      expect(page.entries.map(({ commands }) => commands)).toEqual([
        [['SET', 'wanted', `${index}`]],
      ]);
      next = page.next;
    }
    const empty = await feed(follower, next, 'BLOCK', '30');
    expect(empty).toEqual({ next, entries: [] });
  });

  it('a follower that does not read its replies slows nobody', async () => {
    await start(transport);
    const clients = await connections(4);
    await write(clients[0]!, 9, 2000);
    const stuck = net.connect(server!.port, '127.0.0.1').pause();
    const request = Array.from({ length: 400 }, () => ['FEED', 'READ', '0'] as const);
    await new Promise((resolve) => stuck.write(encodeCommands(request), resolve));
    await Promise.all(clients.map((client, index) => write(client, index, 1000)));
    const page = await feed(clients[0]!, await newest(clients[0]!), 'BLOCK', '1');
    expect(page.next).toMatch(/-6000$/);
    stuck.destroy();
  });
});

describe('what a follower gets', () => {
  it('is a transaction and a script as one entry, though only one key of it matches', async () => {
    await start();
    const client = await server!.connect();
    const { next } = await feed(client, '0');
    for (const words of [
      ['SET', 'alone', '1'],
      ['MULTI'],
      ['SET', 'a:1', '1'],
      ['SELECT', '3'],
      ['SET', 'b:1', '2'],
      ['EXEC'],
      ['SELECT', '0'],
      ['EVAL', "redis.call('set','c:1','x') redis.call('del','alone')", '2', 'c:1', 'alone'],
      ['MSET', 'd:1', '1', 'a:2', '2'],
      ['GET', 'a:1'],
    ]) {
      expect(isError(await client.command(...words))).toBe(false);
    }
    const [, transaction, script, many] = await lines(client, next);
    expect(transaction).toBe('SET a:1 1; SELECT 3; SET b:1 2');
    expect(script).toMatch(/^set c:1 x; del alone$/i);
    expect(await lines(client, next, 'MATCH', 'b:*')).toEqual([transaction]);
    expect(await lines(client, next, 'MATCH', 'a:*', 'c:*')).toEqual([transaction, script, many]);
    expect(await lines(client, next, 'MATCH', 'a:2')).toEqual([many]);
    expect(await lines(client, next, 'DB', '3')).toEqual([transaction]);
    expect(await lines(client, next, 'DB', '3', 'MATCH', 'a:*')).toEqual([]);
    expect(await lines(client, next, 'MATCH', 'a:*', 'COUNT', '1')).toEqual([transaction]);
    // Its end is behind what was passed over.
    expect((await feed(client, next, 'MATCH', 'nothing')).next).toBe(await newest(client));
  });

  it('is a FLUSHALL whatever it asks for, and an expired key as DEL', async () => {
    await start();
    const client = await server!.connect();
    let { next } = await feed(client, '0');
    await client.command('SET', 'gone', '1', 'PX', '20');
    // What is told first is that it was set, and that may be told alone.
    for (let told = ''; told !== 'DEL gone'; ) {
      const { entries, ...page } = await feed(client, next, 'MATCH', 'gone', 'BLOCK', LONG_MS);
      expect(entries.length).toBeGreaterThan(0);
      told = entries.at(-1)!.commands[0]!.join(' ');
      next = page.next;
    }
    expect(await lines(client, '0', 'MATCH', 'other')).toEqual([]);
    await client.command('SET', 'k', '1');
    await client.command('FLUSHALL');
    const page = await feed(client, next, 'MATCH', 'other', 'DB', '5');
    expect(page.entries.map(({ commands }) => commands[0]![0]!.toUpperCase())).toEqual([
      'FLUSHALL',
    ]);
    next = page.next;
    expect(await lines(client, '0', 'MATCH', 'gone')).toContain('DEL gone');
  });

  it('looks the same in RESP3', async () => {
    await start();
    const [old, young] = (await connections(2)) as [Client, Client];
    await young.command('HELLO', '3');
    young.protocol = 3;
    await old.command('SET', 'k', 'v');
    const reply = printReply(await old.command('FEED', 'READ', '0'));
    expect(reply).toContain('SET');
    expect(printReply(await young.command('FEED', 'READ', '0'))).toBe(reply);
    expect((await young.command('FEED', 'INFO')).type).toBe('map');
  });
});

describe('a wait', () => {
  it('is ended by CLIENT UNBLOCK, and by CLIENT KILL', async () => {
    await start();
    const [follower, other] = (await connections(2)) as [Client, Client];
    const id = textOf(await follower.command('CLIENT', 'ID'))!;
    for (const [how, expected] of [
      ['TIMEOUT', /^\*\[.*-0.*, \*\[\]\]$/],
      ['ERROR', /^-UNBLOCKED/],
    ] as const) {
      const waiting = follower.command('FEED', 'READ', '0', 'BLOCK', '0');
      let isDone = false;
      while (!isDone) {
        isDone = textOf(await other.command('CLIENT', 'UNBLOCK', id, how)) === '1';
      }
      expect(printReply(await waiting)).toMatch(expected);
    }
    const waiting = follower.command('FEED', 'READ', '0', 'BLOCK', '0').then(
      () => 'answered',
      () => 'closed',
    );
    await other.command('CLIENT', 'KILL', 'ID', id);
    expect(await waiting).toBe('closed');
    await other.command('SET', 'k', 'v');
    expect((await feed(other, '0')).entries).toHaveLength(1);
  });

  it('is refused inside MULTI, and the feed without appendonly', async () => {
    await start(TRANSPORTS[0], []);
    const client = await server!.connect();
    expect(printReply(await client.command('FEED', 'READ', '0'))).toBe(
      '-ERR the change feed needs appendonly yes',
    );
    await client.command('MULTI');
    expect(printReply(await client.command('FEED', 'READ', '0'))).toMatch(/^-ERR .*transaction/);
  });
});

describe('a restart', () => {
  it('in order goes on with the position of before, also after a rewrite', async () => {
    await start();
    const client = await server!.connect();
    await client.command('SET', 'a', '1');
    const { next } = await feed(client, '0');
    await client.command('SET', 'b', '2');
    await client.command('BGREWRITEAOF');
    while (!/^generation 2 from 3 /m.test(manifestText())) await pause();
    await client.command('SET', 'c', '3');
    await server!.stop();
    await start();
    const again = await server!.connect();
    await again.command('SET', 'd', '4');
    expect(await lines(again, next)).toEqual(['SET b 2', 'SET c 3', 'SET d 4']);
    expect(await lines(again, '0')).toHaveLength(4);
  });

  it.each(['always', 'everysec'])(
    'after kill -9 under %s goes on without a gap, or says that it cannot',
    async (policy) => {
      const args = ['--appendonly', 'yes', '--appendfsync', policy];
      await start(TRANSPORTS[0], args);
      const clients = await connections(4);
      const writing = clients.map((client, index) =>
        write(client, index, 1_000_000).catch(() => 0),
      );
      const follower = await server!.connect();
      const values: string[] = [];
      let position = '0';
      const follow = async (client: Client): Promise<void> => {
        const { next, entries } = await feed(client, position, 'BLOCK', '200', 'MATCH', 'list:1');
        for (const { commands } of entries) values.push(commands[0]![2]!);
        position = next;
      };
      for (let page = 0; page < 30; page++) await follow(follower);
      process.kill(server!.pid, 'SIGKILL');
      await server!.ended;
      await Promise.all(writing);
      await start(TRANSPORTS[0], args);
      const again = await server!.connect();
      const all = itemsOf(await again.command('LRANGE', 'list:1', '0', '-1')).map(textOf);
      // What it was told is there, whatever else is.
      expect(values.length).toBeGreaterThan(0);
      expect(all.slice(0, values.length)).toEqual(values);
      const reply = await again.command('FEED', 'READ', position, 'COUNT', '1');
      if (isError(reply)) {
        expect(printReply(reply)).toMatch(/^-FEEDLOST/);
        return;
      }
      while (position !== (await newest(again))) await follow(again);
      expect(values).toEqual(all);
    },
  );
});

function manifestText(): string {
  return readFileSync(path.join(dir, 'appendonlydir', 'flagstone.manifest'), 'latin1');
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}
