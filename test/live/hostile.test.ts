// Clients that break the rules, or only bend them. None of them may hurt the others.

import net from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { isLocalPeer } from '../../src/net/listen.js';
import { encodeCommand, printReply, textOf } from '../support/resp.js';
import { type Client, type Server, startServer } from '../support/server.js';

const MB = 2 ** 20;
/** A busy machine is slow; only a broken server needs it all. */
const WAIT_MS_MAX = 30_000;
const TRANSPORTS = ['native', 'epoll', 'node'] as const;

/** A socket without a parser: for what is no protocol, and for not reading at all. */
class RawPeer {
  readonly socket: net.Socket;
  received = '';
  isClosed = false;

  constructor(port: number, reads = true) {
    this.socket = net.connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.isClosed = true;
    });
    this.socket.on('end', () => {
      this.isClosed = true;
    });
    if (reads) this.socket.on('data', (bytes) => this.keep(bytes.toString('latin1')));
    else this.socket.pause();
  }

  private keep(text: string): void {
    this.received = (this.received + text).slice(-4096);
  }

  write(bytes: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      this.socket.write(bytes, () => resolve());
    });
  }

  async closedWithin(ms: number): Promise<boolean> {
    const deadline = performance.now() + ms;
    while (!this.isClosed && performance.now() < deadline) await pause(5);
    return this.isClosed;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

describe.each(TRANSPORTS)('%s transport', (transport) => {
  let server: Server;
  let good: Client;
  const peers: RawPeer[] = [];
  const open = (reads = true): RawPeer => {
    const peer = new RawPeer(server.port, reads);
    peers.push(peer);
    return peer;
  };
  beforeAll(async () => {
    server = await startServer({ transport, threads: 2 });
    good = await server.connect();
  });
  afterAll(async () => {
    good.close();
    await server.stop();
  });
  afterEach(async () => {
    for (const peer of peers.splice(0)) peer.socket.destroy();
    expect(server.isRunning, server.report()).toBe(true);
    expect(printReply(await good.command('PING'))).toBe('+PONG');
    await until(async () => (await field('clients', 'connected_clients')) === 1);
    await good.command('FLUSHALL');
  });

  const field = async (section: string, name: string): Promise<number> => {
    const text = textOf(await good.command('INFO', section)) ?? '';
    return Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(text)?.[1]);
  };
  const until = async (isDone: () => Promise<boolean>): Promise<void> => {
    const deadline = performance.now() + WAIT_MS_MAX;
    while (!(await isDone())) {
      if (performance.now() > deadline) throw new Error(`it is not so yet\n${server.report()}`);
      await pause(10);
    }
  };
  const set = async (...words: (string | number)[]) =>
    expect(printReply(await good.command('CONFIG', 'SET', ...words))).toBe('+OK');

  // ---- what is no protocol ----------------------------------------------------------------------

  it.each([
    ['an impossible count', '*-99999999999999999999\r\n', 'invalid multibulk length'],
    ['a huge count', '*2147483648\r\n', 'invalid multibulk length'],
    ['a count of letters', '*abc\r\n', 'invalid multibulk length'],
    ['a negative length', '*1\r\n$-5\r\n', 'invalid bulk length'],
    ['a huge length', '*1\r\n$99999999999\r\n', 'invalid bulk length'],
    ['no length', '*1\r\nPING\r\n', "expected '$', got 'P'"],
    ['an open quote', 'SET "key value\r\n', 'unbalanced quotes in request'],
    ['an endless line', 'x'.repeat(70_000), 'too big inline request'],
    ['an endless count', `*${'1'.repeat(70_000)}`, 'too big mbulk count string'],
    ['an endless length', `*1\r\n$${'1'.repeat(70_000)}`, 'too big bulk count string'],
  ])('answers %s and hangs up', async (_, text, sentence) => {
    const peer = open();
    await peer.write(text);
    expect(await peer.closedWithin(WAIT_MS_MAX)).toBe(true);
    expect(peer.received).toBe(`-ERR Protocol error: ${sentence}\r\n`);
  });

  it('answers what came before the garbage', async () => {
    const peer = open();
    await peer.write('PING\r\n*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n*1\r\n!\r\n');
    expect(await peer.closedWithin(WAIT_MS_MAX)).toBe(true);
    expect(peer.received).toBe(
      "+PONG\r\n$2\r\nhi\r\n-ERR Protocol error: expected '$', got '!'\r\n",
    );
  });

  it('survives random bytes', async () => {
    let state = 12345;
    const bytes = Buffer.alloc(200_000, 0).map(() => {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
      return state >> 16;
    });
    for (let at = 0; at < bytes.length; at += 10_000) {
      const peer = open();
      await peer.write(bytes.subarray(at, at + 10_000));
      peer.socket.end();
    }
  });

  it('takes counts of zero and less for nothing', async () => {
    const peer = open();
    await peer.write('*0\r\n*-1\r\n\r\nPING\r\n');
    await until(async () => peer.received === '+PONG\r\n');
  });

  it('understands lines typed by hand', async () => {
    const peer = open();
    await peer.write('SET "a key" \'it\\\'s\'\r\nGET "a\\x20key"\nPING\n');
    await until(async () => peer.received === "+OK\r\n$4\r\nit's\r\n+PONG\r\n");
  });

  // ---- what is late, or never comes -------------------------------------------------------------

  it('does not mind half a command and silence', async () => {
    const before = await field('memory', 'used_memory_rss');
    for (let index = 0; index < 50; index++) {
      // Half a gigabyte is announced each time: nobody pays for announcements.
      await open().write('*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$536870912\r\nhalf');
    }
    const started = performance.now();
    for (let index = 0; index < 200; index++) await good.command('PING');
    expect(performance.now() - started).toBeLessThan(2000);
    expect((await field('memory', 'used_memory_rss')) - before).toBeLessThan(100 * MB);
  });

  it('puts a command together from single bytes', async () => {
    const peer = open();
    for (const byte of encodeCommand(['SET', 'slow', 'value'])) {
      await peer.write(Uint8Array.of(byte));
    }
    await until(async () => peer.received === '+OK\r\n');
    expect(textOf(await good.command('GET', 'slow'))).toBe('value');
  });

  it('closes idle clients after `timeout`, but not those who wait or work', async () => {
    const idle = open();
    const waiting = await server.connect();
    await set('timeout', 1);
    let printed = '';
    const reply = waiting.command('WAIT', 1, 2500).then((each) => {
      printed = printReply(each);
    });
    const started = performance.now();
    // Until both are over, or this client would be an idle one itself.
    while ((!idle.isClosed || printed === '') && performance.now() - started < 10_000) {
      await good.command('PING');
      await pause(50);
    }
    expect(idle.isClosed).toBe(true);
    await reply;
    expect(printed).toBe(':0');
    await set('timeout', 0);
    waiting.close();
  });

  // ---- half-closed -----------------------------------------------------------------------------

  it('answers everything to a client that has only stopped sending', async () => {
    await good.command('SET', 'big', 'v'.repeat(MB));
    const peer = open(false);
    await peer.write(`${'GET big\r\n'.repeat(40)}ECHO last\r\n`);
    peer.socket.end();
    await pause(300);
    let bytes = 0;
    peer.socket.on('data', (piece) => {
      bytes += piece.length;
    });
    peer.socket.resume();
    expect(await peer.closedWithin(WAIT_MS_MAX)).toBe(true);
    expect(bytes).toBe(40 * (MB + '$1048576\r\n\r\n'.length) + '$4\r\nlast\r\n'.length);
  });

  it('sends all replies before it obeys QUIT', async () => {
    await good.command('SET', 'big', 'v'.repeat(MB));
    const peer = open(false);
    await peer.write(`${'GET big\r\n'.repeat(12)}QUIT\r\nGET big\r\n`);
    await pause(300);
    let bytes = 0;
    peer.socket.on('data', (piece) => {
      bytes += piece.length;
    });
    peer.socket.resume();
    expect(await peer.closedWithin(WAIT_MS_MAX)).toBe(true);
    expect(bytes).toBe(12 * (MB + '$1048576\r\n\r\n'.length) + '+OK\r\n'.length);
  });

  // ---- too much
  // ----------------------------------------------------------------------------------

  it('runs a pipeline of a hundred thousand commands', async () => {
    const client = await server.connect();
    const replies = await client.pipeline(
      Array.from({ length: 100_000 }, (_, index) => ['INCRBY', 'sum', index % 10] as const),
    );
    expect(replies).toHaveLength(100_000);
    expect(replies.at(-1)).toMatchObject({ value: 450_000 });
    client.close();
  });

  it('is not stuck with a client that sends everything before it reads', async () => {
    await good.command('SET', 'value', 'v'.repeat(1000));
    const peer = open(false);
    const line = 'GET value\r\n';
    // 44 MB of commands whose replies are four gigabytes: all are taken, few are run.
    for (let batch = 0; batch < 40; batch++) await peer.write(line.repeat(100_000));
    const rss = await field('memory', 'used_memory_rss');
    expect(rss).toBeLessThan(500 * MB);
    expect(printReply(await good.command('PING'))).toBe('+PONG');
  });

  it('holds back a client that does not read, and serves it when it does', async () => {
    await good.command('SET', 'value', 'v'.repeat(10_000));
    const peer = open(false);
    const count = 20_000;
    await peer.write('GET value\r\n'.repeat(count));
    await pause(300);
    expect(await field('memory', 'used_memory_rss')).toBeLessThan(500 * MB);
    let bytes = 0;
    peer.socket.on('data', (piece) => {
      bytes += piece.length;
    });
    peer.socket.resume();
    const wanted = count * (10_000 + '$10000\r\n\r\n'.length);
    await until(async () => bytes === wanted);
  });

  it('closes a client over its output limit, hard or soft', async () => {
    await good.command('SET', 'value', 'v'.repeat(MB));
    const closed = () => field('stats', 'client_output_buffer_limit_disconnections');
    const before = await closed();
    for (const [index, limit] of ['normal 8mb 0 0', 'normal 0 4mb 1'].entries()) {
      await set('client-output-buffer-limit', limit);
      const peer = open(false);
      void peer.write('GET value\r\n'.repeat(14));
      await until(async () => (await closed()) === before + index + 1);
      const list = textOf(await good.command('CLIENT', 'LIST')) ?? '';
      expect(list.match(/^id=/gm)).toHaveLength(1);
    }
    await set('client-output-buffer-limit', 'normal 0 0 0');
  });

  it('runs no more for a client that is over its output limit', async () => {
    await good.command('SET', 'value', 'v'.repeat(10_000));
    await set('client-output-buffer-limit', 'normal 8mb 0 0');
    const peer = open(false);
    void peer.write('GET value\r\n'.repeat(20_000));
    const pattern = /omem=(\d+) scheduled to be closed ASAP/g;
    const before = [...server.printed.matchAll(pattern)].length;
    const limitReached = () => [...server.printed.matchAll(pattern)].slice(before);
    await until(async () => limitReached().length > 0);
    expect(Number(limitReached()[0]![1])).toBeLessThan(10 * MB);
    await set('client-output-buffer-limit', 'normal 0 0 0');
  });

  it('lets others have their turns while one has very much to say', async () => {
    const elements = Array.from({ length: 20_000 }, (_, index) => `element:${index}`);
    await good.command('RPUSH', 'list', ...elements);
    const count = 3000;
    // Four, so that there are some on the same thread.
    const watchers = await Promise.all(Array.from({ length: 4 }, () => server.connect()));
    const peer = open();
    const lines = Array.from({ length: count }, (_, at) => `SET x ${at + 1}\r\nLPOS list none\r\n`);
    void peer.write(lines.join(''));
    const watch = async (watcher: Client): Promise<number> => {
      const seen = new Set<number>();
      for (let x = 0; x < count; ) {
        x = Number(textOf(await watcher.command('GET', 'x')) ?? 0);
        seen.add(x);
      }
      return seen.size;
    };
    for (const size of await Promise.all(watchers.map(watch))) expect(size).toBeGreaterThan(10);
    for (const watcher of watchers) watcher.close();
  });

  it('closes a client over client-query-buffer-limit', async () => {
    await set('client-query-buffer-limit', MB);
    const peer = open();
    void peer.write(`*2\r\n$4\r\nECHO\r\n$${64 * MB}\r\n${'x'.repeat(4 * MB)}`);
    expect(await peer.closedWithin(WAIT_MS_MAX)).toBe(true);
    await set('client-query-buffer-limit', '1gb');
  });

  it('refuses bulk strings over proto-max-bulk-len', async () => {
    await set('proto-max-bulk-len', MB);
    const peer = open();
    await peer.write(`*2\r\n$4\r\nECHO\r\n$${MB + 1}\r\n`);
    expect(await peer.closedWithin(WAIT_MS_MAX)).toBe(true);
    expect(peer.received).toBe('-ERR Protocol error: invalid bulk length\r\n');
    await set('proto-max-bulk-len', '512mb');
  });

  it('gives strangers little room', async () => {
    await set('requirepass', 'secret');
    for (const text of ['*11\r\n', '*2\r\n$4\r\nAUTH\r\n$16385\r\n']) {
      const peer = open();
      await peer.write(text);
      expect(await peer.closedWithin(WAIT_MS_MAX)).toBe(true);
      expect(peer.received).toMatch(
        /^-ERR Protocol error: unauthenticated (multibulk|bulk) length/,
      );
    }
    await set('requirepass', '');
  });

  // ---- too many
  // ----------------------------------------------------------------------------------

  it('serves a thousand connections', async () => {
    const clients = await Promise.all(Array.from({ length: 1000 }, () => server.connect()));
    await Promise.all(clients.map((client) => client.command('INCR', 'count')));
    expect(await field('clients', 'connected_clients')).toBe(1001);
    expect(textOf(await good.command('GET', 'count'))).toBe('1000');
    for (const client of clients) client.close();
  });

  it('turns away connections beyond maxclients, and takes new ones when others left', async () => {
    await set('maxclients', 5);
    const rejected = await field('stats', 'rejected_connections');
    const clients = await Promise.all(Array.from({ length: 4 }, () => server.connect()));
    for (const client of clients) expect(printReply(await client.command('PING'))).toBe('+PONG');
    const extra = await server.connect();
    expect(printReply(await extra.read())).toBe('-ERR max number of clients reached');
    expect(await extra.closedWithin(WAIT_MS_MAX)).toBe(true);
    expect(await field('stats', 'rejected_connections')).toBe(rejected + 1);
    clients[0]!.close();
    await until(async () => (await field('clients', 'connected_clients')) === 4);
    const next = await server.connect();
    expect(printReply(await next.command('PING'))).toBe('+PONG');
    for (const client of [...clients, next]) client.close();
    await set('maxclients', 10_000);
  });

  it('shrugs off connections that leave at once', async () => {
    for (let round = 0; round < 10; round++) {
      const batch = Array.from({ length: 100 }, () => open());
      // Some say half a word first, some reset instead of closing.
      for (const [index, peer] of batch.entries()) {
        if (index % 3 === 0) void peer.write('*1\r\n$4\r\nPI');
        if (index % 2 === 0) peer.socket.resetAndDestroy();
        else peer.socket.destroy();
      }
      expect(printReply(await good.command('PING'))).toBe('+PONG');
    }
  });
});

describe('protected mode', () => {
  it('knows who is on this machine', () => {
    for (const peer of ['127.0.0.1:5', '127.8.9.10:5', '[::1]:5']) {
      expect(isLocalPeer(peer)).toBe(true);
    }
    for (const peer of ['10.0.0.1:5', '[fe80::1]:5', '1.127.0.0:5', '[::2]:5', '?:0']) {
      expect(isLocalPeer(peer)).toBe(false);
    }
  });
});
