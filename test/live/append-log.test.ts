// The append log of a running server: what a turn leaves in the files, a full disk, switching on
// and off, WAITAOF. That nothing is lost by kill -9 is test/live/crash.test.ts's.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseManifest } from '../../src/log/manifest.js';
import { recordsOf } from '../support/logs.js';
import { encodeCommands, printReply, textOf } from '../support/resp.js';
import { type Client, commandOf, type Server, startServer } from '../support/server.js';

const WAIT_MS_MAX = 20_000;
const TRANSPORTS =
  process.platform === 'linux' ? (['native', 'node'] as const) : (['node'] as const);

let dir: string;
let server: Server | null = null;
beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'flagstone-log-'));
});
afterEach(async () => {
  await server?.stop('SIGKILL');
  server = null;
  rmSync(dir, { recursive: true, force: true });
});

async function start(
  args: readonly string[],
  transport: 'native' | 'node' = TRANSPORTS[0],
  command: readonly string[] = commandOf(),
) {
  const options = { dir, threads: 2, partitions: 8, transport, command };
  server = await startServer({ ...options, args: ['--auto-aof-rewrite-percentage', '0', ...args] });
  return server;
}

function until(what: () => void | Promise<void>): Promise<void> {
  return vi.waitFor(what, { timeout: WAIT_MS_MAX, interval: 20 });
}

function manifest() {
  const file = path.join(dir, 'appendonlydir', 'flagstone.manifest');
  return parseManifest(readFileSync(file, 'latin1'));
}

/** All records of the open generation's logs, by number. */
function records(): Map<number, string> {
  const folder = path.join(dir, 'appendonlydir');
  const last = manifest().generations.at(-1)!.generation;
  const found = new Map<number, string>();
  for (const name of readdirSync(folder).filter((each) => each.startsWith(`log-${last}-`))) {
    for (const { number, body } of recordsOf(readFileSync(path.join(folder, name)))) {
      found.set(number, body);
    }
  }
  return found;
}

async function figure(client: Client, name: string): Promise<string> {
  const text = textOf(await client.command('INFO', 'persistence')) ?? '';
  return new RegExp(`^${name}:(.*)\r$`, 'm').exec(text)?.[1] ?? 'no such figure';
}

describe.each(TRANSPORTS)('with the %s transport', (transport) => {
  it.each(['always', 'everysec', 'no'])(
    'a reply under %s says that every record up to its own is in the files',
    async (policy) => {
      const { pid } = await start(['--appendonly', 'yes', '--appendfsync', policy], transport);
      const clients = await Promise.all([1, 2, 3, 4].map(() => server!.connect()));
      const sent = Array.from({ length: 50 }, (_, index) => ['INCR', `key:${index % 7}`] as const);
      for (const client of clients) await client.send(encodeCommands(sent));
      for (const client of clients) for (const _ of sent) await client.read();
      process.kill(pid, 'SIGKILL');
      await server!.ended;
      const found = records();
      expect([...found.keys()].sort((a, b) => a - b)).toEqual(
        Array.from({ length: sent.length * clients.length }, (_, index) => index + 1),
      );
      expect(found.get(1)).toMatch(/^\*2\r\n\$4\r\nINCR\r\n/);
    },
  );
});

describe('what is recorded', () => {
  it('is a transaction as one record, and a key that expired by itself', async () => {
    await start(['--appendonly', 'yes']);
    const client = await server!.connect();
    for (const words of [['MULTI'], ['SET', 'a', '1'], ['INCR', 'a'], ['EXEC']]) {
      await client.command(...words);
    }
    await client.command('SET', 'gone', '1', 'PX', '1');
    await until(() => expect([...records().values()].at(-1)).toMatch(/DEL\r\n\$4\r\ngone/));
    const bodies = [...records().values()];
    expect(bodies).toHaveLength(3);
    expect(bodies[0]).toBe(
      '*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\n',
    );
  });

  it('holds a value that is larger than any buffer', async () => {
    await start(['--appendonly', 'yes']);
    const client = await server!.connect();
    const value = 'x'.repeat(9 * 1024 * 1024);
    await client.command('SET', 'small', '1');
    await client.command('SET', 'large', value);
    await client.command('SET', 'small', '2');
    await server!.stop('SIGKILL');
    expect([...records().values()].map((body) => body.length)).toEqual([31, value.length + 36, 31]);
    await start(['--appendonly', 'yes']);
    const again = await server!.connect();
    expect(printReply(await again.command('STRLEN', 'large'))).toBe(`:${value.length}`);
  });

  it('is nothing without appendonly', async () => {
    await start([]);
    const client = await server!.connect();
    await client.command('SET', 'a', '1');
    expect(existsSync(path.join(dir, 'appendonlydir'))).toBe(false);
    expect(await figure(client, 'aof_enabled')).toBe('0');
    expect(await figure(client, 'aof_current_size')).toBe('no such figure');
    expect(server!.printed).toContain('no append log and no snapshots');
  });
});

describe('CONFIG SET', () => {
  it('switches the log on, with a base of what is there, and off again', async () => {
    await start([]);
    const client = await server!.connect();
    await client.command('SET', 'before', '1');
    await client.command('CONFIG', 'SET', 'appendonly', 'yes');
    await until(() => expect(manifest().base).not.toBeNull());
    await client.command('SET', 'after', '2');
    expect([...records().values()]).toHaveLength(1);
    expect(await figure(client, 'aof_enabled')).toBe('1');
    await server!.stop('SIGKILL');

    await start(['--appendonly', 'yes']);
    const again = await server!.connect();
    expect(textOf(await again.command('GET', 'before'))).toBe('1');
    expect(textOf(await again.command('GET', 'after'))).toBe('2');
    await again.command('CONFIG', 'SET', 'appendonly', 'no');
    await until(() => expect(server!.printed).toContain('The append log is switched off'));
    const count = records().size;
    await again.command('SET', 'not', 'recorded');
    expect(records().size).toBe(count);
  });

  it('says in INFO at once that a base is to come, behind a snapshot too', async () => {
    await start(['--save', '']);
    const client = await server!.connect();
    for (let index = 0; index < 40; index++) await client.command('SET', `key:${index}`, 'value');
    await client.command('CONFIG', 'SET', 'rdb-key-save-delay', '20000');
    await client.command('BGSAVE');
    await client.command('CONFIG', 'SET', 'appendonly', 'yes');
    const seen = new Set<string>();
    const base = path.join(dir, 'appendonlydir', 'flagstone.manifest');
    while (!existsSync(base)) {
      const text = textOf(await client.command('INFO', 'persistence'))!;
      const state = /aof_rewrite_in_progress:\d\r\naof_rewrite_scheduled:\d/.exec(text)![0];
      if (!existsSync(base)) seen.add(state.replace(/[^01]+/g, ''));
    }
    expect([...seen]).toEqual(['01', '10']);
    await until(async () => expect(await figure(client, 'aof_rewrite_in_progress')).toBe('0'));
    expect(await figure(client, 'aof_rewrite_scheduled')).toBe('0');
  });

  it('loses nothing when the log is switched off and on again at once', async () => {
    await start(['--appendonly', 'yes']);
    const client = await server!.connect();
    const others = await Promise.all([1, 2, 3].map(() => server!.connect()));
    const off = ['CONFIG', 'SET', 'appendonly', 'no'];
    const on = ['CONFIG', 'SET', 'appendonly', 'yes'];
    let offs = 0;
    for (let round = 0; round < 20; round++) {
      const words = [
        ['SET', `key:${round}`, '1'],
        off,
        ['DEL', `key:${round}`],
        ['SET', `between:${round}`, '1'],
        on,
        ['LPUSH', `key:${round}`, '1'],
      ];
      await client.send(encodeCommands(words));
      for (const other of others) await other.command('INCR', 'other');
      for (const _ of words) await client.read();
      // Now and then it is really off for a while.
      if (round % 5 === 2) {
        await client.command(...off);
        await until(() => expect(server!.printed.match(/switched off/g)).not.toHaveLength(offs));
        offs = server!.printed.match(/switched off/g)!.length;
        await client.command(...on);
      }
    }
    // All of it counts from the first base on.
    await until(async () => {
      await client.command('SET', 'last', '1');
      expect([...records().values()].join('')).toContain('last');
      expect(await figure(client, 'aof_rewrite_in_progress')).toBe('0');
    });
    const size = printReply(await client.command('DBSIZE'));
    const count = textOf(await client.command('GET', 'other'));
    await server!.stop('SIGKILL');
    await start(['--appendonly', 'yes']);
    const again = await server!.connect();
    expect(printReply(await again.command('DBSIZE'))).toBe(size);
    expect(textOf(await again.command('GET', 'other'))).toBe(count);
    expect(printReply(await again.command('TYPE', 'key:3'))).toBe('+list');
    expect(printReply(await again.command('TYPE', 'key:19'))).toBe('+list');
  });

  it('yes counts from the first base on, which is tried again when it has failed', async () => {
    // Files of at most 600 blocks: the base does not fit, and a smaller one does.
    const limited = ['bash', '-c', 'ulimit -f 600; exec "$@"', 'bash', ...commandOf()];
    await start(['--rdbcompression', 'no'], TRANSPORTS[0], limited);
    const client = await server!.connect();
    for (let index = 0; index < 20; index++) {
      await client.command('SET', `key:${index}`, 'x'.repeat(100_000));
    }
    await client.command('CONFIG', 'SET', 'appendonly', 'yes');
    await until(async () => {
      expect(await figure(client, 'aof_rewrites_consecutive_failures')).toBe('3');
    });
    expect(await figure(client, 'aof_last_bgrewrite_status')).toBe('err');
    expect(existsSync(path.join(dir, 'appendonlydir', 'flagstone.manifest'))).toBe(false);
    await client.command('SET', 'meanwhile', '1');
    for (let index = 1; index < 20; index++) await client.command('DEL', `key:${index}`);
    await until(async () => {
      await client.command('BGREWRITEAOF');
      expect(await figure(client, 'aof_last_bgrewrite_status')).toBe('ok');
    });
    await client.command('SET', 'after', '1');
    await server!.stop('SIGKILL');
    await start(['--appendonly', 'yes']);
    const again = await server!.connect();
    expect(printReply(await again.command('MGET', 'meanwhile', 'after'))).toBe('*[$"1", $"1"]');
    expect(printReply(await again.command('DBSIZE'))).toBe(':3');
  });

  it('makes appendfsync stricter for the very next reply', async () => {
    await start(['--appendonly', 'yes', '--appendfsync', 'no']);
    const client = await server!.connect();
    await client.command('SET', 'a', '1');
    expect(printReply(await client.command('WAITAOF', '1', '0', '50'))).toBe('*[:0, :0]');
    await client.command('CONFIG', 'SET', 'appendfsync', 'always');
    await client.command('SET', 'a', '2');
    expect(printReply(await client.command('WAITAOF', '1', '0', '0'))).toBe('*[:1, :0]');
  });
});

describe('WAITAOF', () => {
  it('waits for the sync of a second under everysec', async () => {
    await start(['--appendonly', 'yes', '--appendfsync', 'everysec']);
    const client = await server!.connect();
    await client.command('SET', 'a', '1');
    const reply = printReply(await client.command('WAITAOF', '1', '0', String(WAIT_MS_MAX)));
    expect(reply).toBe('*[:1, :0]');
  });

  it('is refused without a log', async () => {
    await start([]);
    const client = await server!.connect();
    expect(printReply(await client.command('WAITAOF', '1', '0', '0'))).toContain(
      'WAITAOF cannot be used when numlocal is set but appendonly is disabled.',
    );
  });
});

describe('INFO', () => {
  it('tells the sizes of the log', async () => {
    await start(['--appendonly', 'yes']);
    const client = await server!.connect();
    for (let index = 0; index < 20; index++) await client.command('SET', 'a', 'x'.repeat(100));
    const folder = path.join(dir, 'appendonlydir');
    const bytes = readdirSync(folder)
      .filter((name) => name.endsWith('.flog'))
      .reduce((sum, name) => sum + statSync(path.join(folder, name)).size, 0);
    expect(await figure(client, 'aof_current_size')).toBe(String(bytes));
    await client.command('BGREWRITEAOF');
    await until(async () => expect(await figure(client, 'aof_base_size')).not.toBe('0'));
    expect(manifest().base).not.toBeNull();
  });
});
