// The gateway's HTTP side on both engines: commands, keys, events, metrics, health, pages.

import http from 'node:http';
import net from 'node:net';
import { Packr } from 'msgpackr';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createToken } from '../../src/gateway/token.js';
import { parseOpenMetrics } from '../support/open-metrics.js';
import { printReply } from '../support/resp.js';
import { type Client, freePort, type Server, startServer } from '../support/server.js';

const SECRET = 'the secret of the gateway';
const WAIT_MS_MAX = 30_000;
const packr = new Packr({ useRecords: false });

describe.each(['uws', 'node'])('HTTP on %s', (engine) => {
  let server: Server;
  let resp: Client;
  let port: number;
  let base: string;

  beforeAll(async () => {
    port = await freePort();
    base = `http://127.0.0.1:${port}`;
    server = await startServer({
      threads: 1,
      partitions: 8,
      args: [
        ...['--gateway-port', String(port), '--gateway-engine', engine],
        ...['--gateway-token-secret', SECRET, '--gateway-max-message-bytes', '64kb'],
        ...['--gateway-origins', 'https://game.example'],
      ],
    });
    resp = await server.connect();
  }, WAIT_MS_MAX);

  afterAll(async () => {
    resp?.close();
    await server?.stop();
  }, WAIT_MS_MAX);

  async function api(body: unknown, headers: Record<string, string> = {}): Promise<unknown[]> {
    const response = await fetch(`${base}/api`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return [response.status, await response.json()];
  }

  async function get(path: string, headers: Record<string, string> = {}): Promise<unknown[]> {
    const response = await fetch(base + path, { headers });
    return [response.status, await response.json()];
  }

  /** The first line of the answer to bytes as they are. */
  function raw(bytes: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes));
      let text = '';
      socket.on('data', (piece) => {
        text += piece;
        if (text.includes('\r\n')) socket.destroy();
      });
      socket.on('error', reject);
      socket.on('close', () => resolve(text.split('\r\n', 1)[0]!));
    });
  }

  describe('POST /api', () => {
    it('runs a command', async () => {
      expect(await api(['SET', 'k', 'v\u00e4lue'])).toEqual([200, { result: 'OK' }]);
      expect(await api(['GET', 'k'])).toEqual([200, { result: 'v\u00e4lue' }]);
      expect(await api(['GET', 'none'])).toEqual([200, { result: null }]);
      expect(await api(['GET'])).toEqual([400, { error: expect.stringMatching(/^ERR wrong/) }]);
    });

    it('runs several on one connection', async () => {
      const commands = [
        ['SELECT', 3],
        ['SET', 'third', true],
        ['MULTI'],
        ['INCR', 'third'],
        ['HGET', 'third', 'f'],
        ['EXEC'],
        ['NOSUCH'],
      ];
      const [status, body] = await api({ commands });

      expect(status).toBe(200);
      expect(body).toEqual({
        results: [
          { result: 'OK' },
          { result: 'OK' },
          { result: 'OK' },
          { result: 'QUEUED' },
          { result: 'QUEUED' },
          { result: [2, { error: expect.stringMatching(/^WRONGTYPE/) }] },
          { error: expect.stringMatching(/^ERR unknown command/) },
        ],
      });
      expect(await api({ commands: [] })).toEqual([200, { results: [] }]);
      expect(await api(['GET', 'third'])).toEqual([200, { result: null }]);
    });

    it('takes and gives bytes', async () => {
      const bytes = Buffer.of(0xff, 0, 13, 10);
      const base64 = bytes.toString('base64');

      expect(await api(['SET', 'bytes', { base64 }])).toEqual([200, { result: 'OK' }]);
      expect(await api(['GET', 'bytes'])).toEqual([200, { result: { base64 } }]);
      const response = await fetch(`${base}/api`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Accept: 'application/octet-stream' },
        body: '["GET","bytes"]',
      });
      expect(Buffer.from(await response.arrayBuffer())).toEqual(bytes);
    });

    it('speaks MessagePack', async () => {
      const response = await fetch(`${base}/api`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/msgpack', Accept: 'application/msgpack' },
        body: packr.pack({ commands: [['SET', 'mp', Buffer.of(0xff)], ['GET', 'mp'], ['PING']] }),
      });
      expect(packr.unpack(Buffer.from(await response.arrayBuffer()))).toEqual({
        results: [{ result: 'OK' }, { result: Buffer.of(0xff) }, { result: 'PONG' }],
      });
    });

    it('gives values of all types a form in JSON', async () => {
      const commands = [
        ['HSET', 'form:hash', 'a', 1],
        ['HGETALL', 'form:hash'],
        ['ZADD', 'form:zset', '+inf', 'm', 1.5, 'n'],
        ['ZRANGE', 'form:zset', 0, -1, 'WITHSCORES'],
        ['SET', 'form:int', '9007199254740993'],
        ['INCR', 'form:int'],
      ];
      const [, body] = (await api({ commands })) as [number, { results: unknown[] }];

      expect(body.results[1]).toEqual({ result: { a: '1' } });
      expect(body.results[3]).toEqual({
        result: [
          ['n', 1.5],
          ['m', 'inf'],
        ],
      });
      expect(body.results[5]).toEqual({ result: '9007199254740994' });
    });

    it('waits for a command that waits', async () => {
      const waiting = api(['BLPOP', 'http:queue', 0]);
      await until(async () => /cmd=blpop/.test(printReply(await resp.command('CLIENT', 'LIST'))));
      await resp.command('RPUSH', 'http:queue', 'job');
      expect(await waiting).toEqual([200, { result: ['http:queue', 'job'] }]);
    });

    it('ends the wait of a client that goes away, and closes its session', async () => {
      const controller = new AbortController();
      const gone = fetch(`${base}/api`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: '["BLPOP","http:nobody",0]',
        signal: controller.signal,
      }).catch(() => 'aborted');
      await until(async () => /cmd=blpop/.test(printReply(await resp.command('CLIENT', 'LIST'))));
      controller.abort();
      expect(await gone).toBe('aborted');
      await until(async () => !/cmd=blpop/.test(printReply(await resp.command('CLIENT', 'LIST'))));
    });

    it.each([
      ['no JSON', '{', 400],
      ['a string', '"PING"', 400],
      ['an object without commands', '{"a":1}', 400],
      ['an empty command', '[]', 400],
      ['a word that is an object', '["SET","a",{"b":1}]', 400],
      ['a word that is null', '["SET","a",null]', 400],
      ['bytes that are no base64', '["SET","a",{"base64":"%%"}]', 400],
      ['a command that needs a lasting connection', '["SUBSCRIBE","a"]', 400],
      ['the same within several', '{"commands":[["PING"],["monitor"]]}', 400],
      ['a body that is too long', `["SET","a","${'x'.repeat(70_000)}"]`, 413],
    ])('refuses %s', async (_, body, status) => {
      expect(await api(body)).toEqual([status, { error: expect.stringMatching(/^ERR /) }]);
    });

    it('refuses what is neither JSON nor MessagePack', async () => {
      expect((await api('["PING"]', { 'Content-Type': 'text/plain' }))[0]).toBe(415);
      expect((await get('/api'))[0]).toBe(405);
    });
  });

  describe('GET /api/key', () => {
    it('reads a key of any type', async () => {
      await api({
        commands: [
          ['SET', 'read:string', 'v'],
          ['PEXPIRE', 'read:string', 100_000],
          ['HSET', 'read:hash', 'f', 'v'],
          ['RPUSH', 'read:list', 'a', 'b', 'c'],
          ['SADD', 'read:set', 'm'],
          ['ZADD', 'read:zset', 1, 'a', 2, 'b'],
          ['XADD', 'read:stream', '1-1', 'f', 'v'],
          ['ARSET', 'read:array', 5, 'v'],
        ],
      });
      const value = async (path: string) =>
        (await get(`/api/key/${path}`))[1] as { value: unknown };

      expect(await value('read%3Astring')).toMatchObject({ type: 'string', value: 'v' });
      expect(await value('read:hash')).toMatchObject({ type: 'hash', value: { f: 'v' }, ttl: -1 });
      expect((await value('read:list?start=1')).value).toEqual(['b', 'c']);
      expect((await value('read:set')).value).toEqual(['m']);
      expect((await value('read:zset?rev=1')).value).toEqual([
        ['b', 2],
        ['a', 1],
      ]);
      expect((await value('read:stream')).value).toEqual([['1-1', ['f', 'v']]]);
      expect((await value('read:array')).value).toEqual([[5, 'v']]);
    });

    it('says what is not there, and what is no key', async () => {
      expect((await get('/api/key/none'))[0]).toBe(404);
      expect((await get('/api/key/%zz'))[0]).toBe(400);
      expect((await get('/api/key/none?db=99'))[0]).toBe(400);
      expect((await api('', {}))[0]).toBe(400);
    });

    it('gives a string as it is', async () => {
      await api(['SET', 'plain', { base64: '/wA=' }]);
      const response = await fetch(`${base}/api/key/plain`, {
        headers: { Accept: 'application/octet-stream' },
      });
      expect(Buffer.from(await response.arrayBuffer())).toEqual(Buffer.of(0xff, 0));
    });
  });

  it('streams messages as events', async () => {
    const stream = await openEvents(`${base}/events?channel=news&pattern=n*`);
    await until(() => (stream.text.match(/event: subscribed/g) ?? []).length === 2);
    await resp.command('PUBLISH', 'news', 'hello\nworld');
    await until(() => stream.text.includes('event: pmessage'));

    expect(stream.type).toBe('text/event-stream');
    expect(stream.text).toContain(
      'event: message\ndata: {"channel":"news","payload":"hello\\nworld"}\n\n',
    );
    stream.close();
    await until(async () =>
      printReply(await resp.command('PUBSUB', 'NUMSUB', 'news')).includes('0'),
    );
    expect((await get('/events'))[0]).toBe(400);
  });

  it('keeps what a stream does not take within the limit of its output, and goes on', async () => {
    const stream = await openEvents(`${base}/events?channel=large`);
    await until(() => stream.text.includes('subscribed'));
    stream.pause();
    const payload = 'x'.repeat(1024 * 1024);
    for (let sent = 0; sent < 20; sent++) await resp.command('PUBLISH', 'large', payload);
    const line = printReply(await resp.command('CLIENT', 'LIST', 'TYPE', 'PUBSUB'));
    expect(Number(/omem=(\d+)/.exec(line)![1])).toBeGreaterThan(payload.length);

    stream.resume();
    await until(() => stream.text.length > 20 * payload.length);
    stream.close();
  });

  it('answers HEAD of a stream without one', async () => {
    expect((await fetch(`${base}/events?channel=a`, { method: 'HEAD' })).status).toBe(405);
  });

  it('ends a stream with the token that it was given for', async () => {
    const name = 'h\u00f6rer';
    await resp.command('ACL', 'SETUSER', Buffer.from(name), 'on', '&*', '+subscribe');
    const token = createToken({ secret: SECRET, user: name, seconds: 2 });
    const stream = await openEvents(`${base}/events?channel=a&token=${token}`);
    await until(() => stream.text.includes('subscribed'));
    await until(() => stream.isEnded);
  });

  it('reads nothing for a page that may have given its own name this address', async () => {
    const paths = ['/api/key/k', '/events?channel=a', '/metrics', '/health/live'];
    const ask = (host: string, path: string, more = '') =>
      raw(`GET ${path} HTTP/1.1\r\nHost: ${host}:${port}\r\n${more}\r\n`);
    const statuses = await Promise.all(paths.map((path) => ask('evil.example', path)));
    expect(statuses.map((line) => line.split(' ')[1])).toEqual(['403', '403', '403', '200']);
    expect(await ask('localhost', '/metrics')).toContain('200');

    const token = createToken({ secret: SECRET, user: 'default', seconds: 60 });
    const key = `Authorization: Bearer ${token}`;
    expect(await ask('evil.example', '/metrics', `${key}\r\n`)).toContain('200');
    // The default user takes every password.
    const any = `Authorization: Basic ${Buffer.from('default:any').toString('base64')}`;
    expect(await ask('evil.example', '/metrics', `${any}\r\n`)).toContain('403');
    await resp.command('CONFIG', 'SET', 'gateway-origins', `http://cache.example:${port}`);
    expect(await ask('cache.example', '/metrics')).toContain('200');
    await resp.command('CONFIG', 'SET', 'gateway-origins', 'https://game.example');
  });

  it('gives metrics that a strict reader takes', async () => {
    const response = await fetch(`${base}/metrics`);
    const families = parseOpenMetrics(await response.text());

    expect(response.headers.get('content-type')).toMatch(/^application\/openmetrics-text/);
    expect(families.get('flagstone_connected_clients')?.samples[0]?.value).toBeGreaterThan(0);
    expect(families.get('flagstone_partition_keys')?.samples).toHaveLength(8);
    expect(families.get('flagstone_thread_commands')?.samples).toHaveLength(2);
    const calls = families.get('flagstone_command_calls')?.samples ?? [];
    expect(calls.find(({ labels }) => labels.get('command') === 'get')?.value).toBeGreaterThan(0);
  });

  it('says that it lives, and that it is ready', async () => {
    expect(await get('/health/live')).toEqual([200, { status: 'live' }]);
    expect(await get('/health/ready')).toEqual([200, { status: 'ready' }]);
    const head = await fetch(`${base}/health/live`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });

  it('has pages that load nothing from elsewhere, and no way out of them', async () => {
    const page = await fetch(`${base}/`);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    for (const path of [
      '/../package.json',
      '/%2e%2e/package.json',
      '/..%2fpackage.json',
      '//etc',
    ]) {
      expect(await raw(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)).toMatch(/ 40[04] /);
    }
    expect((await get('/no-such-page'))[0]).toBe(404);
  });

  it('refuses headers that are too long', async () => {
    const line = `X-Long: ${'x'.repeat(200_000)}\r\n`;
    const answer = await raw(`GET / HTTP/1.1\r\nHost: localhost\r\n${line}\r\n`).catch(() => '431');
    expect(answer).toMatch(/431|^$/);
  });

  it('refuses foreign pages, and tells those that are allowed', async () => {
    expect((await get('/health/live', { Origin: 'https://evil.example' }))[0]).toBe(403);
    const allowed = await fetch(`${base}/api`, {
      method: 'OPTIONS',
      headers: { Origin: 'https://game.example' },
    });
    expect(allowed.status).toBe(204);
    expect(allowed.headers.get('access-control-allow-origin')).toBe('https://game.example');
    // The client is there for pages without a bundler, wherever they come from.
    const script = await fetch(`${base}/client.js`, {
      headers: { Origin: 'https://game.example' },
    });
    expect(script.status).toBe(200);
    expect(script.headers.get('access-control-allow-origin')).toBe('https://game.example');
  });

  it('counts what an address may say', async () => {
    await resp.command('CONFIG', 'SET', 'gateway-rate', '3');
    const startMs = performance.now();
    const answers = await Promise.all(Array.from({ length: 40 }, () => api(['PING'])));
    const seconds = (performance.now() - startMs) / 1000;
    await resp.command('CONFIG', 'SET', 'gateway-rate', '0');
    const taken = answers.filter(([status]) => status === 200).length;
    // A second's worth at once, and what has come since.
    expect(taken).toBeGreaterThanOrEqual(3);
    expect(taken).toBeLessThanOrEqual(3 + 3 * seconds);
    expect(answers.filter(([status]) => status === 429)).toHaveLength(40 - taken);
  });

  describe('with a password', () => {
    beforeAll(async () => {
      await resp.command('ACL', 'SETUSER', 'reader', 'on', '>pass', '~*', '+@read', '+ping');
      await resp.command('CONFIG', 'SET', 'requirepass', 'open');
    });
    afterAll(async () => {
      await resp.command('CONFIG', 'SET', 'requirepass', '');
    });

    const basic = (text: string) => ({
      Authorization: `Basic ${Buffer.from(text).toString('base64')}`,
    });

    it('wants one, and says how', async () => {
      const response = await fetch(`${base}/metrics`);
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toMatch(/^Basic/);
      expect((await get('/api/key/k', basic('reader:wrong')))[0]).toBe(401);
      expect((await get('/health/ready'))[0]).toBe(200);
    });

    it('lets in who has one, as far as the user may go', async () => {
      expect((await get('/api/key/k', basic('reader:pass')))[0]).toBe(200);
      expect((await get('/metrics', basic('reader:pass')))[0]).toBe(403);
      expect((await api(['SET', 'k', 'v'], basic('reader:pass')))[0]).toBe(403);
      expect((await api(['SET', 'k', 'v'], basic(':open')))[0]).toBe(200);
    });

    it('takes signed tokens', async () => {
      const token = createToken({ secret: SECRET, user: 'reader', seconds: 60 });
      const old = createToken({ secret: SECRET, user: 'reader', seconds: 60, nowMs: 0 });

      expect((await get('/api/key/k', { Authorization: `Bearer ${token}` }))[0]).toBe(200);
      expect((await get('/api/key/k', { Authorization: `Bearer ${old}` }))[0]).toBe(401);
      expect((await get(`/events?channel=a&token=${old}`))[0]).toBe(401);
    });
  });

  it('leaves no session behind', async () => {
    await until(
      async () => printReply(await resp.command('CLIENT', 'LIST')).split('id=').length <= 3,
    );
  });
});

interface Events {
  text: string;
  readonly type: string;
  isEnded: boolean;
  pause(): void;
  resume(): void;
  close(): void;
}

function openEvents(url: string): Promise<Events> {
  return new Promise((resolve, reject) => {
    const request = http.get(url, (response) => {
      const stream = {
        text: '',
        type: response.headers['content-type'] ?? '',
        isEnded: false,
        pause: () => response.pause(),
        resume: () => response.resume(),
        close: () => request.destroy(),
      };
      response.on('end', () => {
        stream.isEnded = true;
      });
      response.setEncoding('utf8').on('data', (piece: string) => {
        stream.text += piece;
      });
      response.on('error', () => {});
      resolve(stream);
    });
    request.on('error', reject);
  });
}

async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + WAIT_MS_MAX;
  while (!(await isTrue())) {
    if (Date.now() > end) throw new Error('it did not come about');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
