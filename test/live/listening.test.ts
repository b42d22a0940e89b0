// CONFIG SET port and bind while the server runs: it listens where it is told before it answers, or
// goes on where it was. And the lines of its log that harnesses wait for.

import { readdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { printReply } from '../support/resp.js';
import { type Client, connect, freePort, type Server, startServer } from '../support/server.js';

const IS_LINUX = process.platform === 'linux';

let server: Server;
let client: Client;

async function begin(...args: string[]): Promise<void> {
  server = await startServer({ threads: 2, transport: 'native', args });
  client = await connect(server.port);
}

async function ask(...words: string[]): Promise<string> {
  return printReply(await client.command(...words));
}

async function pingAt(port: number): Promise<string> {
  const other = await connect(port);
  const reply = printReply(await other.command('PING'));
  other.close();
  return reply;
}

afterEach(async () => {
  client.close();
  await server.stop();
});

describe.skipIf(!IS_LINUX)('CONFIG SET port and bind', () => {
  beforeEach(() => begin());

  it('move to another port and back, and keep the connections that there are', async () => {
    const port = await freePort();

    expect(await ask('CONFIG', 'SET', 'port', String(port))).toBe('+OK');
    expect(await pingAt(port)).toBe('+PONG');
    await expect(pingAt(server.port)).rejects.toThrow();
    expect(await ask('INFO', 'server')).toContain(`tcp_port:${port}\\r\\n`);

    expect(await ask('CONFIG', 'SET', 'port', String(server.port))).toBe('+OK');
    expect(await pingAt(server.port)).toBe('+PONG');
  });

  it('move to an address that the one before is part of, and back', async () => {
    for (const bind of ['*', '127.0.0.1', '* -::*', '127.0.0.1 -::1']) {
      expect(await ask('CONFIG', 'SET', 'bind', bind)).toBe('+OK');
      expect(await pingAt(server.port)).toBe('+PONG');
    }
  });

  it('close the door with no address, until there is one again', async () => {
    expect(await ask('CONFIG', 'SET', 'bind', '')).toBe('+OK');
    await expect(pingAt(server.port)).rejects.toThrow();

    expect(await ask('CONFIG', 'SET', 'bind', '127.0.0.1')).toBe('+OK');
    expect(await pingAt(server.port)).toBe('+PONG');
  });

  it('lose no socket, however fast they follow one another', async () => {
    const ports = await Promise.all(Array.from({ length: 8 }, () => freePort()));
    const descriptors = () => readdirSync(`/proc/${server.pid}/fd`).length;
    const before = descriptors();
    const moves = Array.from({ length: 2000 }, (_, index) =>
      ask('CONFIG', 'SET', 'port', String(ports[index % ports.length])),
    );
    const refused = (await Promise.all(moves)).filter((reply) => reply !== '+OK');
    // The acceptor may be behind.
    expect(refused.every((reply) => reply.includes('Unable to listen'))).toBe(true);
    expect(server.printed).not.toContain('already in use');

    await expect.poll(() => ask('CONFIG', 'SET', 'port', String(server.port))).toBe('+OK');
    expect(await pingAt(server.port)).toBe('+PONG');
    await expect.poll(descriptors).toBeLessThan(before + 3);
    for (const port of ports) await expect(pingAt(port)).rejects.toThrow();
  });

  it('stay where they are when the new place is not to be had, all or nothing', async () => {
    const taken = await startServer({ threads: 1 });
    const refused = await ask('CONFIG', 'SET', 'timeout', '9', 'port', String(taken.port));
    const nowhere = await ask('CONFIG', 'SET', 'bind', '999.999.999.999');
    await taken.stop();

    expect(refused).toContain("'port') - Unable to listen on this port");
    expect(nowhere).toContain("'bind') - Failed to bind to specified addresses");
    expect(await ask('CONFIG', 'GET', 'timeout')).not.toContain('9');
    expect(await pingAt(server.port)).toBe('+PONG');
  });
});

describe.skipIf(!IS_LINUX)('a start as harnesses want it', () => {
  it('shows port and process id before the line they wait for', async () => {
    await begin('--always-show-logo', 'yes');
    const pid = /process_id:(\d+)/.exec(await ask('INFO', 'server'))?.[1];

    expect(server.printed).toMatch(new RegExp(`Port: ${server.port}\\n.* PID: ${pid}\\n`));
    expect(server.printed).toMatch(new RegExp(`PID: ${pid}[^]*${pid}:M .* \\* Server initialized`));
    expect(server.printed).toMatch(/\* Ready to accept connections tcp\n/);
  });

  it('finds commands by the names that the configuration gives them', async () => {
    await begin('--rename-command', 'get', 'fetch', '--rename-command', 'flushall', '');

    expect(await ask('SET', 'key', 'value')).toBe('+OK');
    expect(await ask('FETCH', 'key')).toContain('value');
    expect(await ask('GET', 'key')).toContain("ERR unknown command 'GET'");
    expect(await ask('FLUSHALL')).toContain("ERR unknown command 'FLUSHALL'");
  });

  it('fills a database for tests, and keeps what stands there', async () => {
    await begin('--enable-debug-command', 'yes');
    await ask('SET', 'k:1', 'mine');

    expect(await ask('DEBUG', 'POPULATE', '100', 'k', '12')).toBe('+OK');
    expect(await ask('DBSIZE')).toBe(':100');
    expect(await ask('GET', 'k:1')).toContain('mine');
    expect(await ask('STRLEN', 'k:2')).toBe(':12');
    expect(await ask('DEBUG', 'POPULATE', '-1')).toMatch(/must be positive/);
  });
});
