// MIGRATE between two servers, over sockets: what moves, what is answered, and that the server goes
// on serving meanwhile. The other server is a Flagstone as well.

import net from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Reply, textOf } from '../support/resp.js';
import { type Client, type Server, startServer } from '../support/server.js';

const WAIT_MS = 20_000;

describe.each(['native', 'node'] as const)('MIGRATE over the %s transport', (transport) => {
  let source: Server;
  let target: Server;
  let here: Client;
  let there: Client;

  beforeAll(async () => {
    const debug = ['--enable-debug-command', 'yes'];
    source = await startServer({ transport, threads: 2, args: debug });
    target = await startServer({ transport, threads: 2, args: debug });
    here = await source.connect();
    there = await target.connect();
  }, 60_000);

  afterAll(async () => {
    here?.close();
    there?.close();
    await source?.stop();
    await target?.stop();
  });

  beforeEach(async () => {
    await there.command('CONFIG', 'SET', 'requirepass', '');
    await here.command('FLUSHALL');
    await there.command('FLUSHALL');
  });

  async function ask(client: Client, ...words: string[]): Promise<string> {
    return describe1(await client.command(...words));
  }

  const migrate = (...words: string[]) =>
    ask(here, 'MIGRATE', '127.0.0.1', String(target.port), ...words);

  it('moves a key with its expiry', async () => {
    await here.command('SET', 'key', 'value', 'PX', '100000');
    expect(await migrate('key', '0', '5000')).toBe('OK');
    expect(await ask(here, 'EXISTS', 'key')).toBe('0');
    expect(await ask(there, 'GET', 'key')).toBe('value');
    const left = Number(await ask(there, 'PTTL', 'key'));
    expect(left).toBeGreaterThan(50_000);
    expect(left).toBeLessThanOrEqual(100_000);
  });

  it('moves keys of all partitions to another database, and copies with COPY', async () => {
    const keys = Array.from({ length: 50 }, (_, index) => `key:${index}`);
    for (const key of keys) await here.command('RPUSH', key, 'a', key);
    await here.command('ZADD', 'large', ...many(2000).flatMap((each) => [each, `member:${each}`]));
    const digest = await ask(here, 'DEBUG', 'DIGEST-VALUE', 'large', 'key:7');
    const words = ['', '3', '5000', 'COPY', 'KEYS', ...keys, 'large', 'missing'];
    expect(await migrate(...words)).toBe('OK');
    await there.command('SELECT', '3');
    expect(await ask(there, 'DBSIZE')).toBe('51');
    expect(await ask(there, 'DEBUG', 'DIGEST-VALUE', 'large', 'key:7')).toBe(digest);
    expect(await ask(here, 'DBSIZE')).toBe('51');

    expect(await migrate(...words)).toBe(
      'ERR Target instance replied with error: BUSYKEY Target key name already exists.',
    );
    words.splice(3, 1, 'REPLACE');
    expect(await migrate(...words)).toBe('OK');
    expect(await ask(here, 'DBSIZE')).toBe('0');
    await there.command('SELECT', '0');
  });

  it('says NOKEY when there is none', async () => {
    expect(await migrate('missing', '0', '5000')).toBe('NOKEY');
  });

  it('gives passwords to the other server, and passes its refusals on', async () => {
    await here.command('SET', 'key', 'value');
    await there.command('CONFIG', 'SET', 'requirepass', 'secret');
    // A connection that was kept is one that had authenticated itself.
    await there.command('CLIENT', 'KILL', 'TYPE', 'normal');
    expect(await migrate('key', '0', '5000')).toMatch(
      /^ERR Target instance replied with error: NOAUTH/,
    );
    expect(await migrate('key', '0', '5000', 'AUTH', 'wrong')).toMatch(/error: WRONGPASS/);
    expect(await ask(here, 'EXISTS', 'key')).toBe('1');
    expect(await migrate('key', '0', '5000', 'AUTH2', 'default', 'secret')).toBe('OK');
    expect(await ask(here, 'EXISTS', 'key')).toBe('0');
  });

  it('says when the other server is not there, or does not answer in time', async () => {
    await here.command('SET', 'key', 'value');
    const gone = await ask(here, 'MIGRATE', '127.0.0.1', '1', 'key', '0', '1000');
    expect(gone).toBe('IOERR error or timeout connecting to the client');
    const silent = net.createServer(() => {}).listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.once('listening', resolve));
    const { port } = silent.address() as net.AddressInfo;
    const other = await source.connect();
    const waiting = ask(here, 'MIGRATE', '127.0.0.1', String(port), 'key', '0', '1500');
    // The server answers others in the meantime.
    const startMs = Date.now();
    expect(await ask(other, 'GET', 'key')).toBe('value');
    expect(await ask(other, 'INCR', 'counter')).toBe('1');
    expect(Date.now() - startMs).toBeLessThan(1400);
    expect(await waiting).toBe('IOERR error or timeout reading to target instance');
    expect(await ask(other, 'GET', 'key')).toBe('value');
    other.close();
    silent.close();
  });

  it('loses no write to a key that changes while it is sent', async () => {
    const writer = await source.connect();
    await here.command('SET', 'counter', '0');
    let written = 0;
    let isMoving = true;
    const writing = (async () => {
      while (isMoving) {
        await writer.command('INCR', 'counter');
        written++;
      }
    })();
    let moved = '';
    const deadline = Date.now() + WAIT_MS;
    do moved = await migrate('counter', '0', '5000');
    while (moved !== 'OK' && Date.now() < deadline);
    isMoving = false;
    await writing;
    expect(moved).toBe('OK');
    const kept = Number((await ask(here, 'GET', 'counter')) || '0');
    expect(kept + Number(await ask(there, 'GET', 'counter'))).toBe(written);
    writer.close();
  });

  it.each([
    ['ERR syntax error', ['key', '0', '5000', 'NONSENSE']],
    ['ERR syntax error', ['key', '0', '5000', 'AUTH']],
    ['ERR syntax error', ['key', '0', '5000', 'AUTH2', 'user']],
    ['ERR value is not an integer or out of range', ['key', 'x', '5000']],
    ['ERR value is not an integer or out of range', ['key', '0', 'x']],
    [
      'ERR When using MIGRATE KEYS option, the key argument must be set to the empty string',
      ['key', '0', '5000', 'KEYS', 'key'],
    ],
  ])('is refused with %s', async (line, words) => {
    expect(await migrate(...words)).toBe(line);
  });

  it('is refused inside MULTI', async () => {
    await here.command('SET', 'key', 'value');
    await here.command('MULTI');
    await migrate('key', '0', '5000');
    expect(await ask(here, 'EXEC')).toMatch(/MIGRATE is not offered inside MULTI/);
    expect(await ask(here, 'EXISTS', 'key')).toBe('1');
  });

  it('names its keys, whatever the password is', async () => {
    const words = ['MIGRATE', 'h', '1', '', '0', '5', 'AUTH', 'KEYS', 'KEYS', 'a', 'b'];
    expect(await ask(here, 'COMMAND', 'GETKEYS', ...words)).toBe('a b');
    expect(await ask(here, 'COMMAND', 'GETKEYS', ...words.slice(0, 3), 'k', '0', '5')).toBe('k');
  });
});

function many(count: number): string[] {
  return Array.from({ length: count }, (_, index) => String(index));
}

function describe1(reply: Reply): string {
  if (reply.type === 'array') return reply.value.map((each) => describe1(each)).join(' ');
  return textOf(reply) ?? '';
}
