// socket.io: two of its servers speak to each other's clients through the adapters for pub/sub, the
// plain one and the sharded one.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdapter, createShardedAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { Server as SocketServer } from 'socket.io';
import { io, type Socket } from 'socket.io-client';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Server } from '../support/server.js';
import { DEADLINE_MS, SERVERS, until } from './servers.js';

const ADAPTERS = ['ioredis', 'node-redis', 'node-redis, sharded'] as const;
const CASES = SERVERS.flatMap((choice) => ADAPTERS.map((adapter) => ({ ...choice, adapter })));

type Adapter = ReturnType<typeof createAdapter | typeof createShardedAdapter>;

interface Link {
  readonly adapter: Adapter;
  close(): Promise<void>;
}

function linkIoredis(port: number): Link {
  const publisher = new Redis(port, '127.0.0.1');
  const subscriber = publisher.duplicate();
  const close = async (): Promise<void> => {
    await Promise.all([publisher.quit(), subscriber.quit()]);
  };
  const adapter = createAdapter(publisher, subscriber, { requestsTimeout: DEADLINE_MS });
  return { adapter, close };
}

async function linkNodeRedis(port: number, isSharded: boolean): Promise<Link> {
  const publisher = createClient({ url: `redis://127.0.0.1:${port}` });
  const subscriber = publisher.duplicate();
  for (const client of [publisher, subscriber]) client.on('error', () => {});
  await Promise.all([publisher.connect(), subscriber.connect()]);
  const close = async (): Promise<void> => {
    await Promise.all([publisher.close(), subscriber.close()]);
  };
  const create = isSharded ? createShardedAdapter : createAdapter;
  return { adapter: create(publisher, subscriber), close };
}

describe.each(CASES)('socket.io through $adapter on $name', (choice) => {
  let server: Server;
  let links: Link[];
  let webs: SocketServer[];
  /** Two clients of the first server and two of the second, with what they heard. */
  let clients: Socket[];
  let heard: string[][];

  async function link(): Promise<Link> {
    if (choice.adapter === 'ioredis') return linkIoredis(server.port);
    return linkNodeRedis(server.port, choice.adapter.endsWith('sharded'));
  }

  async function serve(adapter: Adapter): Promise<SocketServer> {
    const http = createServer();
    const web = new SocketServer(http, { adapter });
    web.on('connection', (socket) => {
      socket.on('join', async (room: string, done: () => void) => {
        await socket.join(room);
        done();
      });
      socket.on('leave', async (room: string, done: () => void) => {
        await socket.leave(room);
        done();
      });
      socket.on('say', (text: string) => socket.broadcast.emit('said', text));
      socket.on('ask', (number: number, answer: (n: number) => void) => answer(number + 1));
    });
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    return web;
  }

  async function join(web: SocketServer): Promise<Socket> {
    const { port } = web.httpServer.address() as AddressInfo;
    const socket = io(`http://127.0.0.1:${port}`, { transports: ['websocket'] });
    await new Promise<void>((resolve) => socket.once('connect', resolve));
    return socket;
  }

  /** All have heard just this from the last time on; the words of a client in any order. */
  async function expectHeard(wanted: readonly (readonly string[])[]): Promise<void> {
    // Whatever was sent before the mark is there when everybody has heard the mark.
    webs[0]!.emit('said', 'mark');
    webs[1]!.emit('said', 'mark');
    await until(
      () => heard,
      (lists) => lists.every((list) => list.filter((text) => text === 'mark').length === 2),
    );
    expect(heard.map((list) => list.filter((text) => text !== 'mark').sort())).toEqual(wanted);
    for (const list of heard) list.length = 0;
  }

  beforeAll(async () => {
    server = await choice.start();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    links = [await link(), await link()];
    webs = await Promise.all(links.map(({ adapter }) => serve(adapter)));
    clients = await Promise.all([webs[0]!, webs[0]!, webs[1]!, webs[1]!].map(join));
    heard = clients.map(() => []);
    for (const [index, client] of clients.entries()) {
      client.on('said', (text: string) => heard[index]!.push(text));
    }
    // Each must know of the other before anything is sent.
    for (const web of webs) {
      await until(
        () => web.of('/').adapter.serverCount(),
        (count) => count === 2,
      );
      await until(
        async () => (await web.fetchSockets()).length,
        (count) => count === 4,
      );
    }
  });
  afterEach(async () => {
    for (const client of clients) client.close();
    await Promise.all(webs.map((web) => web.close()));
    await Promise.all(links.map(({ close }) => close()));
  });

  it('broadcasts to the clients of both servers', async () => {
    webs[0]!.emit('said', 'from the first');
    clients[3]!.emit('say', 'from a client');
    await until(
      () => heard[0]!,
      (list) => list.includes('from a client'),
    );
    const both = ['from a client', 'from the first'];
    await expectHeard([both, both, both, ['from the first']]);
  });

  // The sharded adapter subscribes to a room's channel after it has answered the join: a message
  // may come before that, beside Redis as well.
  it('sends to rooms with members on both servers', { retry: 3 }, async () => {
    await clients[0]!.emitWithAck('join', 'red');
    await clients[2]!.emitWithAck('join', 'red');
    await clients[3]!.emitWithAck('join', 'blue');
    webs[1]!.to('red').emit('said', 'to red');
    webs[0]!.to('blue').to('red').emit('said', 'to both');
    webs[0]!.except('red').emit('said', 'not to red');
    await expectHeard([
      ['to both', 'to red'],
      ['not to red'],
      ['to both', 'to red'],
      ['not to red', 'to both'],
    ]);
    await clients[2]!.emitWithAck('leave', 'red');
    webs[0]!.to('red').emit('said', 'to red');
    await expectHeard([['to red'], [], [], []]);
  });

  it('finds and moves the sockets of the other server', async () => {
    await clients[1]!.emitWithAck('join', 'red');
    await clients[2]!.emitWithAck('join', 'red');
    const all = await webs[1]!.fetchSockets();
    expect(all.map(({ id }) => id).sort()).toEqual(clients.map(({ id }) => id).sort());
    const red = await webs[0]!.in('red').fetchSockets();
    expect(red.map(({ id }) => id).sort()).toEqual([clients[1]!.id, clients[2]!.id].sort());

    webs[0]!.in(clients[3]!.id!).socketsJoin('moved');
    await until(
      async () => (await webs[0]!.in('moved').fetchSockets()).map(({ id }) => id),
      (ids) => ids.length === 1 && ids[0] === clients[3]!.id,
    );
    webs[0]!.in('moved').disconnectSockets();
    await until(
      () => clients[3]!.connected,
      (isConnected) => !isConnected,
    );
  });

  it('asks clients and the other server, and hears their answers', async () => {
    for (const client of clients) {
      client.on('add', (number: number, answer: (n: number) => void) => answer(number + 1));
    }
    const sums = await webs[0]!.timeout(DEADLINE_MS).emitWithAck('add', 41);
    expect(sums).toEqual([42, 42, 42, 42]);
    webs[1]!.on('name', (answer: (name: string) => void) => answer('second'));
    expect(await webs[0]!.serverSideEmitWithAck('name')).toEqual(['second']);
  });
});
