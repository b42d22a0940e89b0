// The gateway's WebSocket on both engines: what clients say and hear, and how they are refused.

import net from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createToken } from '../../src/gateway/token.js';
import { printReply } from '../support/resp.js';
import { type Client, freePort, type Server, startServer } from '../support/server.js';
import { InnerError, WebClient } from '../support/web-socket.js';

const SECRET = 'the secret of the gateway';
const WAIT_MS_MAX = 30_000;

describe.each(['uws', 'node'])('the gateway on %s', (engine) => {
  let server: Server;
  let resp: Client;
  let url: string;
  let gatewayPort: number;
  /** A connection that says nothing after its handshake. */
  let halfOpen: Promise<string> | null = null;
  const open: WebClient[] = [];

  beforeAll(async () => {
    gatewayPort = await freePort();
    server = await startServer({
      threads: 2,
      partitions: 8,
      args: [
        ...['--gateway-port', String(gatewayPort), '--gateway-engine', engine],
        ...['--gateway-token-secret', SECRET, '--gateway-idle-seconds', '8'],
        ...['--gateway-origins', 'https://game.example'],
        ...['--client-output-buffer-limit', 'pubsub', '2mb', '0', '0'],
      ],
    });
    url = `ws://127.0.0.1:${gatewayPort}/ws`;
    resp = await server.connect();
  }, WAIT_MS_MAX);

  afterAll(async () => {
    for (const client of open) client.close();
    resp?.close();
    await server?.stop();
  }, WAIT_MS_MAX);

  async function connect(
    protocol: string | string[] = 'flagstone.msgpack',
    options = {},
  ): Promise<WebClient> {
    const client = await WebClient.open(url, protocol, options);
    open.push(client);
    return client;
  }

  it('answers commands with the values they have', async () => {
    const web = await connect();

    expect(await web.say('SET', 'text', 'h\u00e4llo')).toBe('OK');
    expect(await web.say('GET', 'text')).toBe('h\u00e4llo');
    expect(await web.say('SET', 'bytes', Buffer.of(0, 0xff))).toBe('OK');
    expect(await web.say('GET', 'bytes')).toEqual(Buffer.of(0, 0xff));
    expect(await web.say('GET', 'missing')).toBe(null);
    expect(await web.say('INCRBY', 'count', 41)).toBe(41);
    expect(await web.say('HSET', 'hash', 'a', 1, 'b', 1.5)).toBe(2);
    expect(await web.say('HGETALL', 'hash')).toEqual({ a: '1', b: '1.5' });
    expect(await web.say('ZADD', 'zset', 2.5, 'm')).toBe(1);
    expect(await web.say('ZSCORE', 'zset', 'm')).toBe(2.5);
    expect(await web.say('SADD', 'set', 'x')).toBe(1);
    expect(await web.say('SMEMBERS', 'set')).toEqual(['x']);
    await expect(web.say('GET', 'hash')).rejects.toThrow(/^WRONGTYPE/);
    await expect(web.say('NOSUCH')).rejects.toThrow(/^ERR unknown command 'NOSUCH'/);
    expect(printReply(await resp.command('GET', 'text'))).toContain('h');
  });

  it('answers a batch in one frame, in its order', async () => {
    const web = await connect();
    const replies = await web.sayAll([
      ['SET', 'batch', 1],
      ['INCR', 'batch'],
      ['HGET', 'batch', 'f'],
      ['GET', 'batch'],
    ]);

    expect(web.frames).toHaveLength(1);
    expect(web.frames[0]).toEqual(replies);
    expect(replies.map(([, error, value]) => error ?? value)).toEqual([
      'OK',
      2,
      expect.stringMatching(/^WRONGTYPE/),
      '2',
    ]);
  });

  it('answers who waits when the time has come, and what was said behind it then', async () => {
    const web = await connect();
    const waits = web.say('BLPOP', 'queue', 0);
    const behind = web.say('PING');
    await until(async () => printReply(await resp.command('CLIENT', 'LIST')).includes('cmd=blpop'));
    await resp.command('RPUSH', 'queue', 'job');

    expect(await waits).toEqual(['queue', 'job']);
    expect(await behind).toBe('PONG');
    expect(await web.say('BLPOP', 'queue', 0.01)).toBe(null);
  });

  it('pushes messages, and answers a subscription when it holds', async () => {
    const web = await connect();

    expect(await web.say('SUBSCRIBE', 'news', 'more')).toBe(null);
    expect(await web.say('PSUBSCRIBE', 'n?ws')).toBe(null);
    expect(printReply(await resp.command('PUBLISH', 'news', 'hello'))).toContain('2');
    expect((await web.untilPushes(5)).slice(0, 5)).toEqual([
      [null, 'subscribe', 'news', 1],
      [null, 'subscribe', 'more', 2],
      [null, 'psubscribe', 'n?ws', 3],
      [null, 'message', 'news', 'hello'],
      [null, 'pmessage', 'n?ws', 'news', 'hello'],
    ]);
    expect(await web.say('PING')).toBe('PONG');
    expect(await web.say('UNSUBSCRIBE')).toBe(null);
    await expect(web.say('SUBSCRIBE')).rejects.toThrow(/wrong number of arguments/);
  });

  it('gives one message to all subscribers, each the kind of text it asked for', async () => {
    const [text, bytes] = [await connect(), await connect()];
    await text.say('SUBSCRIBE', 'kinds');
    await bytes.say('GATEWAY', 'BINARY', 'ON');
    await bytes.say('SUBSCRIBE', 'kinds');
    await resp.command('PUBLISH', 'kinds', 'a');
    await resp.command('PUBLISH', 'kinds', 'b');

    expect((await text.untilPushes(3)).slice(1)).toEqual([
      [null, 'message', 'kinds', 'a'],
      [null, 'message', 'kinds', 'b'],
    ]);
    expect((await bytes.untilPushes(3)).slice(1).map(([, , , payload]) => payload)).toEqual([
      Buffer.from('a'),
      Buffer.from('b'),
    ]);
  });

  it('runs transactions, with errors where they happened', async () => {
    const web = await connect();
    const replies = await web.sayAll([
      ['MULTI'],
      ['SET', 'in', 'transaction'],
      ['HGET', 'in', 'f'],
      ['EXEC'],
    ]);
    const [, , value] = replies[3]! as [number, null, unknown[]];

    expect(replies.slice(0, 3).map(([, , queued]) => queued)).toEqual(['OK', 'QUEUED', 'QUEUED']);
    expect(value).toEqual(['OK', new InnerError(expect.stringMatching(/^WRONGTYPE/))]);
  });

  it('tells whoever caches a key that it has changed', async () => {
    const web = await connect();
    await web.say('CLIENT', 'TRACKING', 'ON');
    await web.say('GET', 'cached');
    await resp.command('SET', 'cached', 'anew');

    expect(await web.untilPushes(1)).toEqual([[null, 'invalidate', ['cached']]]);
  });

  it('lets a monitor read along', async () => {
    const web = await connect();
    expect(await web.say('MONITOR')).toBe('OK');
    await resp.command('GET', 'watched-by-monitor');
    await until(() => web.pushes.some(([, , line]) => /watched-by-monitor/.test(String(line))));

    expect(web.pushes.every(([id, kind]) => id === null && kind === 'monitor')).toBe(true);
    expect(await web.say('ECHO', 'still')).toBe('still');
  });

  it('stays in the types of RESP3', async () => {
    const web = await connect();

    await expect(web.say('HELLO', '2')).rejects.toThrow(/^NOPROTO/);
    await expect(web.say('CLIENT', 'REPLY', 'OFF')).rejects.toThrow(/^ERR/);
    expect(await web.say('HELLO', '3')).toMatchObject({ proto: 3 });
    expect(await web.say('RESET')).toBe('RESET');
    expect(await web.say('HGETALL', 'no-such-hash')).toEqual({});
  });

  it('carries values of a megabyte, and replies of many', async () => {
    const web = await connect();
    const value = 'x'.repeat(1_000_000);

    expect(await web.say('SET', 'large', value)).toBe('OK');
    expect(await web.say('GET', 'large')).toBe(value);
    const replies = await web.sayAll(Array.from({ length: 12 }, () => ['GET', 'large']));
    expect(replies.every(([, , each]) => each === value)).toBe(true);
    for (let at = 0; at < 50; at++) await web.say('RPUSH', 'long', ...new Array(1000).fill(at));
    expect(await web.say('LRANGE', 'long', 0, -1)).toHaveLength(50_000);
  });

  it('is a client like others: listed, and killed', async () => {
    const web = await connect();
    await web.say('CLIENT', 'SETNAME', 'browser');
    const id = (await web.say('CLIENT', 'ID')) as number;
    const list = printReply(await resp.command('CLIENT', 'LIST'));

    expect(list).toMatch(new RegExp(`id=${id} .* name=browser .* resp=3`));
    await resp.command('CLIENT', 'KILL', 'ID', String(id));
    expect(await web.ended).toMatchObject({ code: 4000 });
  });

  it('tells figures for a dashboard', async () => {
    const web = await connect();
    const figures = (await web.say('GATEWAY', 'STATS')) as {
      workers: { kind: string }[];
      partitions: unknown[];
    };

    expect(figures).toMatchObject({ engine, workers: expect.any(Array) });
    expect(figures.workers.map(({ kind }) => kind)).toEqual(['worker', 'worker', 'gateway']);
    expect(figures.partitions).toHaveLength(8);
    expect(await web.say('GATEWAY', 'PING')).toBe('PONG');
    await expect(web.say('GATEWAY', 'NOSUCH')).rejects.toThrow(/^ERR unknown subcommand/);
  });

  it('speaks RESP3 as it is, cut anywhere', async () => {
    const web = await connect('resp3');
    for (const piece of ['*2\r\n$3\r', '\nGET\r\n$7\r\nno-', 'such\r\nPING\r\n']) {
      web.socket.send(piece);
    }
    await until(() => web.frames.join('') === '_\r\n+PONG\r\n');
    web.socket.send(Buffer.from('HELLO 2\r\nGET no-such\r\n'));
    await until(() => web.frames.join('').endsWith('$-1\r\n'));
    web.socket.send('*1\r\nx\r\n');
    expect(await web.ended).toMatchObject({ code: 1000 });
    expect(web.frames.join('')).toMatch(/-ERR Protocol error/);
  });

  it('chooses the first sub-protocol that it knows', async () => {
    const web = await connect(['other', 'resp3']);
    expect(web.socket.protocol).toBe('resp3');
  });

  it('says goodbye after QUIT', async () => {
    const web = await connect();
    expect(await web.say('QUIT')).toBe('OK');
    expect(await web.ended).toMatchObject({ code: 1000 });
  });

  describe('refuses', () => {
    it.each([
      ['another sub-protocol', ['other'], {}, 400],
      ['none', [], {}, 400],
      ['a foreign origin', ['resp3'], { origin: 'https://evil.example' }, 403],
    ])('%s', async (_, protocols, options, status) => {
      await expect(connect(protocols as string[], options)).rejects.toThrow(String(status));
    });

    it('no origin that it was told, and not its own', async () => {
      const own = await connect('resp3', { origin: url.replace('ws', 'http').slice(0, -3) });
      const other = await connect('resp3', { origin: 'https://game.example' });
      expect([own.socket.protocol, other.socket.protocol]).toEqual(['resp3', 'resp3']);
    });

    it('a WebSocket elsewhere', async () => {
      await expect(WebClient.open(url.replace('/ws', '/other'))).rejects.toThrow(/40\d|426|200/);
    });

    it('a message that is too long, with 1009', async () => {
      const web = await connect();
      web.socket.send(Buffer.alloc(1024 * 1024 + 1));
      expect(await web.ended).toMatchObject({ code: 1009 });
    });

    it('more clients than maxclients, with 1013, and counts none that broke off', async () => {
      const limit = printReply(await resp.command('CONFIG', 'GET', 'maxclients'));
      for (let at = 0; at < 5; at++) {
        const raw = net.connect(gatewayPort, '127.0.0.1');
        raw.on('error', () => {});
        raw.end(
          'GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
            'Sec-WebSocket-Key: wrong\r\nSec-WebSocket-Version: 13\r\n' +
            'Sec-WebSocket-Protocol: resp3\r\n\r\n',
        );
        await new Promise((resolve) => raw.resume().on('close', resolve));
      }
      // Those that ended before may not have left yet.
      const isOpen = ({ socket }: WebClient) => socket.readyState === socket.OPEN;
      const count = 1 + open.filter(isOpen).length;
      await until(async () =>
        printReply(await resp.command('INFO')).includes(`connected_clients:${count}\\r\\n`),
      );
      await resp.command('CONFIG', 'SET', 'maxclients', String(count + 1));
      const last = await connect();
      const one = await connect();
      expect(await one.ended).toMatchObject({ code: 1013 });
      expect(await last.say('PING')).toBe('PONG');
      await resp.command(
        'CONFIG',
        'SET',
        'maxclients',
        /\d+/.exec(limit.replace(/^.*max/s, ''))![0],
      );
      // What begins here ends while the others are tested.
      halfOpen = endOfSilence(gatewayPort);
    });

    it('text, with 1003', async () => {
      const web = await connect();
      web.socket.send('[1,"PING"]');
      expect(await web.ended).toMatchObject({ code: 1003 });
    });

    it.each([
      ['broken MessagePack', Buffer.of(0x93, 1, 0xa4)],
      ['nothing', Buffer.alloc(0)],
      ['what is no request', Buffer.of(0x80)],
    ])('%s, with 1007', async (_, frame) => {
      const web = await connect();
      web.socket.send(frame);
      expect(await web.ended).toMatchObject({ code: 1007 });
    });

    it('whoever subscribes and does not read', async () => {
      const web = await connect();
      await web.say('SUBSCRIBE', 'flood');
      web.socket.pause();
      const payload = 'x'.repeat(500_000);
      await until(async () => {
        const reached = printReply(await resp.command('PUBLISH', 'flood', payload));
        return reached.includes('0');
      });
      web.socket.resume();
      expect([1006, 4001]).toContain((await web.ended).code);
    });

    it('a client that does not answer pings any more', { timeout: 60_000 }, async () => {
      expect(await (halfOpen ?? endOfSilence(gatewayPort))).toBe('closed');
    });
  });

  describe('with a password', () => {
    beforeAll(async () => {
      await resp.command('ACL', 'SETUSER', 'player', 'on', '>pass', '~game:*', '+@all', '-info');
      await resp.command('CONFIG', 'SET', 'requirepass', 'open');
    });
    afterAll(async () => {
      await resp.command('CONFIG', 'SET', 'requirepass', '');
    });

    it('answers strangers with NOAUTH, and lets in who knows it', async () => {
      const web = await connect();
      await expect(web.say('GET', 'k')).rejects.toThrow(/^NOAUTH/);
      await expect(web.say('GATEWAY', 'STATS')).rejects.toThrow(/^NOAUTH/);
      await expect(web.say('AUTH', 'player', 'wrong')).rejects.toThrow(/^WRONGPASS/);
      expect(await web.say('AUTH', 'player', 'pass')).toBe('OK');
      expect(await web.say('SET', 'game:1', 'x')).toBe('OK');
      await expect(web.say('GET', 'k')).rejects.toThrow(/^NOPERM/);
      await expect(web.say('GATEWAY', 'STATS')).rejects.toThrow(/^NOPERM/);
    });

    it('closes on strangers who do not stop, with 1008', async () => {
      const web = await connect();
      const replies = web.sayAll(Array.from({ length: 12 }, () => ['PING']));
      replies.catch(() => {});
      expect(await web.ended).toMatchObject({ code: 1008 });
    });

    it('lets a signed token in for as long as it holds', async () => {
      const web = await connect();
      const token = createToken({ secret: SECRET, user: 'player', seconds: 2 });
      expect(await web.say('GATEWAY', 'TOKEN', token)).toBe('OK');
      expect(await web.say('ACL', 'WHOAMI')).toBe('player');
      expect(await web.ended).toEqual({ code: 1008, reason: 'token expired' });
    });

    it('refuses tokens that are forged, expired, or of nobody', async () => {
      const web = await connect();
      const tokens = [
        createToken({ secret: 'another secret of it', user: 'player', seconds: 60 }),
        createToken({ secret: SECRET, user: 'player', seconds: 1, nowMs: 0 }),
        createToken({ secret: SECRET, user: 'nobody', seconds: 60 }),
        'rubbish',
      ];
      for (const token of tokens) {
        await expect(web.say('GATEWAY', 'TOKEN', token)).rejects.toThrow(/^WRONGPASS/);
      }
    });
  });

  it('lets nobody say more than gateway-rate', async () => {
    await resp.command('CONFIG', 'SET', 'gateway-rate', '5');
    const web = await connect();
    const replies = await web.sayAll(Array.from({ length: 8 }, () => ['PING']));
    await resp.command('CONFIG', 'SET', 'gateway-rate', '0');

    const refused = replies.filter(([, error]) => /^RATELIMIT/.test(String(error)));
    expect(refused).toHaveLength(3);
  });

  it('runs no transaction of which gateway-rate has refused a part', async () => {
    const web = await connect();
    await resp.command('CONFIG', 'SET', 'gateway-rate', '3');
    await web.sayAll([['MULTI'], ['SET', 'part', 1], ['INCR', 'part'], ['INCR', 'part']]);
    await resp.command('CONFIG', 'SET', 'gateway-rate', '0');

    await expect(web.say('EXEC')).rejects.toThrow(/^EXECABORT/);
    expect(await web.say('EXISTS', 'part')).toBe(0);
  });

  it('forgets whom it had no room for', async () => {
    const web = await connect();
    const before = (await figuresOf(web)).gatewayConnections;
    await resp.command('CONFIG', 'SET', 'maxclients', '1');
    const refused = await Promise.all([connect(), connect(), connect()]);
    for (const each of refused) expect((await each.ended).code).toBe(1013);
    await resp.command('CONFIG', 'SET', 'maxclients', '10000');

    await until(async () => (await figuresOf(web)).gatewayConnections <= before);
  });

  it('has its figures where INFO has another name', async () => {
    const port = await freePort();
    const args = ['--gateway-port', String(port), '--gateway-engine', engine];
    const other = await startServer({ args: [...args, '--rename-command', 'info', 'inside'] });
    const web = await WebClient.open(`ws://127.0.0.1:${port}/ws`);
    expect((await figuresOf(web)).engine).toBe(engine);
    web.close();
    await other.stop();
  });

  it('says 1001 when the server ends', async () => {
    const web = await connect();
    await server.stop();
    expect([1001, 1006]).toContain((await web.ended).code);
  });
});

interface SomeFigures {
  readonly engine: string;
  readonly gatewayConnections: number;
}

async function figuresOf(web: WebClient): Promise<SomeFigures> {
  return (await web.say('GATEWAY', 'STATS')) as SomeFigures;
}

function endOfSilence(port: number): Promise<string> {
  const raw = net.connect(port, '127.0.0.1');
  raw.on('error', () => {});
  raw.resume();
  raw.write(
    'GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n' +
      'Sec-WebSocket-Protocol: resp3\r\n\r\n',
  );
  return new Promise((resolve) => raw.on('close', () => resolve('closed')));
}

async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + WAIT_MS_MAX;
  while (!(await isTrue())) {
    if (Date.now() > end) throw new Error('it did not come about');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
