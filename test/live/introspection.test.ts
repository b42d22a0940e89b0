// What a running server tells of itself: the fields of a real one, true figures of the memory and
// of hot keys over all threads, the view in the terminal, the report of a crash.

import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { type Client, commandOf, findProgram, startServer } from '../support/server.js';

async function textOf(client: Client, ...words: string[]): Promise<string> {
  const { value } = await client.command(...words);
  return String(value);
}

/** Names of fields by section. What depends on what has happened is left out. */
async function fieldNames(client: Client): Promise<string[]> {
  const names: string[] = [];
  let section = '';
  for (const line of (await textOf(client, 'INFO', 'everything')).split('\r\n')) {
    if (line.startsWith('# ')) section = line.slice(2);
    else if (line !== '') names.push(`${section} ${line.slice(0, line.indexOf(':'))}`);
  }
  return names.filter((name) => !/^(?:Commandstats|Latencystats|Errorstats) /.test(name));
}

const REDIS = findProgram('redis-server');
const FREED_MS_MAX = 30_000;

/** The names of MEMORY STATS: those of databases depend on what is there. */
async function memoryNames(client: Client): Promise<string[]> {
  const { value } = await client.command('MEMORY', 'STATS');
  const flat = value as readonly { readonly value: unknown }[];
  const names = flat.filter((_, index) => index % 2 === 0).map((each) => String(each.value));
  return names.filter((name) => !name.startsWith('db.'));
}

/** What newer versions of Redis have left out. */
const GONE: ReadonlySet<string> = new Set([
  'Memory used_memory_lua',
  'Memory number_of_cached_scripts',
  'Memory mem_cluster_links',
]);

describe.skipIf(REDIS === null)('INFO beside that of a real server', () => {
  it('has all of its fields, in the same sections and order', async () => {
    const [real, own] = await Promise.all([startServer({ command: REDIS! }), startServer()]);
    try {
      const [theirs, ours] = await Promise.all(
        [real, own].map(async (server) => fieldNames(await server.connect())),
      );
      const wanted = theirs!.filter((name) => !GONE.has(name));
      expect(wanted.length).toBeGreaterThan(150);
      expect(wanted.filter((name) => !ours!.includes(name))).toEqual([]);
      const clients = await Promise.all([real, own].map((server) => server.connect()));
      const [statsThere, statsHere] = await Promise.all(clients.map(memoryNames));
      expect(statsHere).toEqual(statsThere);
      const places = wanted.map((name) => ours!.indexOf(name));
      expect(wanted.filter((_, index) => places[index]! < (places[index - 1] ?? -1))).toEqual([]);
    } finally {
      await Promise.all([real.stop(), own.stop()]);
    }
  }, 60_000);
});

describe('the figures of a running server', () => {
  it('of memory follow the data, and MEMORY PURGE gives the pages back', async () => {
    const server = await startServer({ threads: 2, partitions: 4 });
    try {
      const client = await server.connect();
      const value = 'x'.repeat(50_000);
      for (let index = 0; index < 1000; index++) await client.command('SET', `key${index}`, value);
      const field = async (name: string) =>
        Number(new RegExp(`${name}:(\\d+)`).exec(await textOf(client, 'INFO', 'memory'))![1]);
      expect(await field('allocator_allocated')).toBeGreaterThan(50_000_000);
      expect(await field('used_memory_peak')).toBeGreaterThan(50_000_000);
      expect(await textOf(client, 'MEMORY', 'DOCTOR')).toMatch(/memory/);
      await client.command('FLUSHALL');
      await client.command('MEMORY', 'PURGE');
      const freed = async () =>
        (await field('allocator_allocated')) === 0 && (await field('allocator_resident')) < 2 ** 20;
      // Upkeep frees large tables step by step.
      const deadline = Date.now() + FREED_MS_MAX;
      while (!(await freed()) && Date.now() < deadline) await client.command('MEMORY', 'PURGE');
      expect(await freed()).toBe(true);
      expect(await field('used_memory_peak')).toBeGreaterThan(50_000_000);
    } finally {
      await server.stop();
    }
  }, 60_000);

  it('of hot keys and of reads come from all threads, and flagstone top shows them', async () => {
    const server = await startServer({ threads: 2 });
    try {
      const clients = await Promise.all([1, 2, 3, 4].map(() => server.connect()));
      const [first] = clients as [Client];
      await first.command('HOTKEYS', 'START', 'METRICS', '2', 'CPU', 'NET');
      for (let round = 0; round < 200; round++) {
        await Promise.all(clients.map((client) => client.command('INCR', 'hottest')));
      }
      const report = JSON.stringify((await first.command('HOTKEYS', 'GET')).value);
      // INCR hottest: 27 bytes in, 4 to 6 out, from each of four connections.
      const counted = Number(/"by-net-bytes".*?"hottest".*?"value":(\d+)/.exec(report)![1]);
      expect(counted).toBeGreaterThan(800 * 30);
      expect(counted).toBeLessThan(800 * 40);
      const stats = await textOf(first, 'INFO', 'stats');
      expect(Number(/total_reads_processed:(\d+)/.exec(stats)![1])).toBeGreaterThan(800);

      const [program, ...words] = commandOf();
      const args = [...words, 'top', '-p', String(server.port), '--once', '--interval', '0.2'];
      const view = execFileSync(program!, args, { encoding: 'utf8' });
      expect(view.split('\n').length).toBeLessThanOrEqual(25);
      expect(view).toContain('worker 1');
      expect(view).toMatch(/^hottest /m);
    } finally {
      await server.stop();
    }
  }, 60_000);
});

describe('the report of a crash', () => {
  it('tells thread, command, stack and figures, and the process ends with an error', async () => {
    const server = await startServer({ threads: 2, args: ['--enable-debug-command', 'yes'] });
    const client = await server.connect();
    await client.command('SET', 'a', '1');
    await client.command('DEBUG', 'ASSERT').catch(() => {});
    expect(await server.ended).toBe('it ended with code 1');
    const [, report] = /=== FLAGSTONE BUG REPORT START([\s\S]*)=== FLAGSTONE BUG REPORT END/.exec(
      server.printed,
    )!;
    expect(report).toContain('AssertionFailure: DEBUG ASSERT was asked for');
    expect(report).toMatch(/STACK TRACE -+\nAssertionFailure.*\n +at /);
    expect(report).toMatch(/THREAD -+\nworker [01]\ncommand: debug\nclient: id=\d+/);
    expect(report).toContain('argv[1]: "ASSERT"');
    expect(report).toContain('no partition is locked');
    expect(report).toMatch(/INFO OUTPUT -+\nprocess_id:\d+/);
    expect(server.printed.match(/BUG REPORT START/g)).toHaveLength(1);
  }, 60_000);

  it('is written for SIGABRT, too, which then does what it always does', async () => {
    const server = await startServer({ threads: 1 });
    expect(await server.stop('SIGABRT')).toBe('it ended with SIGABRT');
    expect(server.printed).toMatch(/crashed by signal: 6[\s\S]*STACK TRACE/);
  }, 60_000);
});
