// MONITOR over all threads and both transports: every command of every connection, in Redis's form.

import net from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client } from '../support/client.js';
import { type Server, startServer } from '../support/server.js';

const WAYS = [
  { threads: 1, transport: 'native' },
  { threads: 4, transport: 'native' },
  { threads: 2, transport: 'node' },
] as const;
const WAIT_MS_MAX = 30_000;
const MIB = 1024 * 1024;

async function next(client: Client): Promise<string> {
  const { value } = await client.read(WAIT_MS_MAX);
  return String(value);
}

async function say(client: Client, ...words: string[]): Promise<string> {
  return String((await client.command(...words)).value);
}

async function until(isDone: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + WAIT_MS_MAX;
  while (!(await isDone())) {
    if (Date.now() > deadline) throw new Error(`not within ${WAIT_MS_MAX} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The line without its time, and the address as `addr`. */
function shown(line: string): string {
  const [, rest] = /^\d+\.\d{6} (.*)$/s.exec(line) ?? [];
  if (rest === undefined) throw new Error(`no line of MONITOR: ${line}`);
  return rest.replace(/^\[(\d+) 127\.0\.0\.1:\d+\]/, '[$1 addr]');
}

describe.each(WAYS)('with %o', (way) => {
  let server: Server;
  beforeAll(async () => {
    server = await startServer(way);
  });
  afterAll(() => server.stop());

  it('shows the commands of all connections, with their arguments quoted', async () => {
    const monitor = await server.connect();
    expect(await say(monitor, 'MONITOR')).toBe('OK');
    const speakers = await Promise.all(Array.from({ length: 4 }, () => server.connect()));
    for (const [index, speaker] of speakers.entries()) {
      await say(speaker, 'SELECT', String(index));
      await say(speaker, 'set', `k${index}`, 'a "quoted"\\\n\r\t\x07\b\0\xff');
      expect(shown(await next(monitor))).toBe(`[${index} addr] "SELECT" "${index}"`);
      expect(shown(await next(monitor))).toBe(
        `[${index} addr] "set" "k${index}" "a \\"quoted\\"\\\\\\n\\r\\t\\a\\b\\x00\\xff"`,
      );
      speaker.close();
    }
    monitor.close();
  });

  it('leaves out what only administrators say, and secrets', async () => {
    const monitor = await server.connect();
    await say(monitor, 'MONITOR');
    const speaker = await server.connect();
    await say(speaker, 'CONFIG', 'SET', 'maxclients', '1000');
    await say(speaker, 'AUTH', 'default', 'secret');
    await say(speaker, 'NOSUCH', 'command');
    await say(speaker, 'LPUSH', 'list', 'v');
    await say(speaker, 'GET', 'list');
    expect(shown(await next(monitor))).toBe('[0 addr] "AUTH" "(redacted)" "(redacted)"');
    expect(shown(await next(monitor))).toBe('[0 addr] "LPUSH" "list" "v"');
    // Refused by its handler: it has run.
    expect(shown(await next(monitor))).toBe('[0 addr] "GET" "list"');
    speaker.close();
    monitor.close();
  });

  it('shows a transaction as it runs, before its EXEC', async () => {
    const monitor = await server.connect();
    await say(monitor, 'MONITOR');
    const speaker = await server.connect();
    for (const words of [['MULTI'], ['SET', 'k', '1'], ['GET', 'k'], ['EXEC']]) {
      await say(speaker, ...words);
    }
    for (const words of ['"MULTI"', '"SET" "k" "1"', '"GET" "k"', '"EXEC"']) {
      expect(shown(await next(monitor))).toBe(`[0 addr] ${words}`);
    }
    speaker.close();
    monitor.close();
  });

  it('shows a monitor its own commands, until RESET', async () => {
    const monitor = await server.connect();
    await say(monitor, 'MONITOR');
    expect(await say(monitor, 'PING')).toBe('PONG');
    expect(shown(await next(monitor))).toBe('[0 addr] "PING"');
    expect(await say(monitor, 'CLIENT', 'INFO')).toMatch(/flags=O /);
    expect(shown(await next(monitor))).toBe('[0 addr] "CLIENT" "INFO"');
    expect(await say(monitor, 'RESET')).toBe('RESET');
    expect(await say(monitor, 'PING')).toBe('PONG');
    expect(monitor.unread).toEqual([]);
    monitor.close();
  });

  it('closes a monitor that does not read', async () => {
    const speaker = await server.connect();
    await say(speaker, 'CONFIG', 'SET', 'client-output-buffer-limit', 'normal 1mb 0 0');
    const monitor = net.connect(server.port, '127.0.0.1');
    monitor.on('error', () => {});
    monitor.write('MONITOR\r\n');
    monitor.pause();
    await until(async () => /flags=O /.test(await say(speaker, 'CLIENT', 'LIST')));
    const value = 'x'.repeat(MIB);
    await until(async () => {
      await say(speaker, 'SET', 'k', value);
      return !/flags=O /.test(await say(speaker, 'CLIENT', 'LIST'));
    });
    await say(speaker, 'CONFIG', 'SET', 'client-output-buffer-limit', 'normal 0 0 0');
    monitor.destroy();
    speaker.close();
  });
});
