// Publish and subscribe over all threads and both transports: exact counts, the order of each
// publisher, who comes and goes in between, who does not read, and the clients people use.

import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client } from '../support/client.js';
import { encodeCommands, printReply, type Reply } from '../support/resp.js';
import { type Server, startServer } from '../support/server.js';

const WAYS = [
  { threads: 1, transport: 'native' },
  { threads: 2, transport: 'native' },
  { threads: 4, transport: 'native' },
  { threads: 2, transport: 'node' },
] as const;
const WAIT_MS_MAX = 30_000;

/** The words of a message as text. */
function wordsOf(reply: Reply): string[] {
  if (reply.type !== 'array' && reply.type !== 'push') throw new Error(printReply(reply));
  return reply.value.map((item) => String(item.value));
}

async function until(isDone: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + WAIT_MS_MAX;
  while (!(await isDone())) {
    if (Date.now() > deadline) throw new Error(`not within ${WAIT_MS_MAX} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function integer(client: Client, ...words: string[]): Promise<number> {
  const reply = await client.command(...words);
  if (reply.type !== 'integer') throw new Error(printReply(reply));
  return Number(reply.value);
}

describe.each(WAYS)('with %o', (way) => {
  let server: Server;
  beforeAll(async () => {
    server = await startServer(way);
  });
  afterAll(() => server.stop());

  it('every subscriber gets every message, each publisher in its order', async () => {
    const [publishers, subscribers, messages] = [4, 9, 300];
    const listeners = await Promise.all(
      Array.from({ length: subscribers }, () => server.connect()),
    );
    for (const [index, listener] of listeners.entries()) {
      if (index % 3 === 1) {
        await listener.command('HELLO', '3');
        listener.protocol = 3;
      }
      if (index % 3 === 2) await listener.command('PSUBSCRIBE', 'ord*');
      else await listener.command('SUBSCRIBE', 'order');
    }
    const speakers = await Promise.all(Array.from({ length: publishers }, () => server.connect()));
    const counts = await Promise.all(
      speakers.map((speaker, from) =>
        speaker.pipeline(
          Array.from({ length: messages }, (_, number) => [
            'PUBLISH',
            'order',
            `${from} ${number}`,
          ]),
        ),
      ),
    );
    for (const replies of counts) {
      for (const reply of replies) expect(Number(reply.value)).toBe(subscribers);
    }
    for (const listener of listeners) {
      const next = new Array<number>(publishers).fill(0);
      for (let left = publishers * messages; left > 0; left--) {
        const [from, number] = wordsOf(await listener.read(WAIT_MS_MAX))
          .at(-1)!
          .split(' ');
        expect(Number(number)).toBe(next[Number(from)]);
        next[Number(from)] = Number(number) + 1;
      }
      expect(listener.unread).toEqual([]);
      listener.close();
    }
    for (const speaker of speakers) speaker.close();
    await until(async () => (await countOf(server, 'order')) === 0);
  }, 60_000);

  it('who has the confirmation gets what is published afterwards, and nothing older', async () => {
    const speaker = await server.connect();
    const keeper = await server.connect();
    await keeper.command('SUBSCRIBE', 'fresh');
    for (let round = 0; round < 60; round++) {
      await integer(speaker, 'PUBLISH', 'fresh', `old ${round}`);
      const listener = await server.connect();
      await listener.command('SUBSCRIBE', 'fresh');
      expect(await integer(speaker, 'PUBLISH', 'fresh', `new ${round}`)).toBe(2);
      expect(wordsOf(await listener.read())).toEqual(['message', 'fresh', `new ${round}`]);
      await listener.command('UNSUBSCRIBE', 'fresh');
      expect(await integer(speaker, 'PUBLISH', 'fresh', 'late')).toBe(1);
      listener.close();
    }
    keeper.close();
    speaker.close();
  }, 60_000);

  it('subscribers that come, go and break off do not disturb the others', async () => {
    const steady = await Promise.all([server.connect(), server.connect(), server.connect()]);
    for (const client of steady) await client.command('SUBSCRIBE', 'busy');
    const speaker = await server.connect();
    let isOver = false;
    const visitors = Array.from({ length: 4 }, async () => {
      while (!isOver) {
        const visitor = await server.connect();
        await visitor.command('SUBSCRIBE', 'busy');
        await visitor.command('PSUBSCRIBE', 'b*');
        visitor.close();
      }
    });
    const messages = 2_000;
    for (let number = 0; number < messages; number += 50) {
      const batch = Array.from({ length: 50 }, (_, at) => ['PUBLISH', 'busy', `${number + at}`]);
      for (const reply of await speaker.pipeline(batch)) {
        expect(Number(reply.value)).toBeGreaterThanOrEqual(steady.length);
      }
    }
    isOver = true;
    await Promise.all(visitors);
    for (const client of steady) {
      for (let number = 0; number < messages; number++) {
        expect(wordsOf(await client.read(WAIT_MS_MAX)).at(-1)).toBe(`${number}`);
      }
      client.close();
    }
    await until(async () => (await countOf(server, 'busy')) === 0);
    expect(await integer(speaker, 'PUBSUB', 'NUMPAT')).toBe(0);
    speaker.close();
  }, 60_000);

  it('what a transaction publishes comes before what the same client publishes next', async () => {
    const listener = await server.connect();
    await listener.command('SUBSCRIBE', 'turns');
    const speaker = await server.connect();
    const rounds = 50;
    const words: string[][] = [];
    for (let round = 0; round < rounds; round++) {
      words.push(['MULTI'], ['PUBLISH', 'turns', `${round} first`], ['EXEC']);
      words.push(['PUBLISH', 'turns', `${round} second`]);
    }
    await speaker.pipeline(words);
    for (let round = 0; round < rounds; round++) {
      expect(wordsOf(await listener.read(WAIT_MS_MAX)).at(-1)).toBe(`${round} first`);
      expect(wordsOf(await listener.read(WAIT_MS_MAX)).at(-1)).toBe(`${round} second`);
    }
    listener.close();
    speaker.close();
  });

  it('who subscribes in the middle of a pipeline hears itself in order', async () => {
    const client = await server.connect();
    await client.command('HELLO', '3');
    const words = ['SUBSCRIBE own', 'PUBLISH own 1', 'PUBLISH own 2', 'PING'];
    await client.send(encodeCommands(words.map((line) => line.split(' '))));
    const replies: string[] = [];
    for (let left = 6; left > 0; left--) replies.push(printReply(await client.read(WAIT_MS_MAX)));
    // As Redis does: each message after the reply to its PUBLISH.
    expect(replies.slice(1).map((reply) => reply.replace(/\s+/g, ' '))).toEqual([
      ':1',
      replies[2]!.replace(/\s+/g, ' '),
      ':1',
      replies[4]!.replace(/\s+/g, ' '),
      '+PONG',
    ]);
    expect(replies[2]).toContain('message');
    expect(replies[4]).toContain('message');
    client.close();
  });

  it('long messages arrive whole, also longer than the ring between threads', async () => {
    const listeners = await Promise.all(Array.from({ length: 5 }, () => server.connect()));
    for (const listener of listeners) await listener.command('SUBSCRIBE', 'long');
    const speaker = await server.connect();
    for (const length of [40_000, 70_000, 300_000, 3_000_000]) {
      const text = String.fromCharCode(0x61 + (length % 7)).repeat(length);
      expect(await integer(speaker, 'PUBLISH', 'long', text)).toBe(listeners.length);
      await integer(speaker, 'PUBLISH', 'long', 'short');
      for (const listener of listeners) {
        expect(wordsOf(await listener.read())[2] === text).toBe(true);
        expect(wordsOf(await listener.read())[2]).toBe('short');
      }
    }
    for (const client of [...listeners, speaker]) client.close();
  }, 60_000);
});

async function countOf(server: Server, channel: string): Promise<number> {
  const client = await server.connect();
  const reply = await client.command('PUBSUB', 'NUMSUB', channel);
  client.close();
  if (reply.type !== 'array') throw new Error(printReply(reply));
  return Number(reply.value[1]!.value);
}

describe.each(['native', 'node'] as const)('with the transport %s', (transport) => {
  let server: Server;
  beforeAll(async () => {
    server = await startServer({ threads: 2, transport });
  });
  afterAll(() => server.stop());

  it('a subscriber that does not read is closed at its limit, and slows nobody', async () => {
    const speaker = await server.connect();
    await speaker.command('CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 1mb 0 0');
    const reader = await server.connect();
    await reader.command('SUBSCRIBE', 'flood');
    const sleeper = new Redis(server.port, '127.0.0.1', { retryStrategy: () => null });
    await sleeper.subscribe('flood');
    // It reads no more, and the kernel holds a few megabytes for it.
    (sleeper as unknown as { stream: { pause(): void } }).stream.pause();
    const text = 'x'.repeat(100_000);
    let isCut = false;
    for (let round = 0; round < 400 && !isCut; round++) {
      const count = await integer(speaker, 'PUBLISH', 'flood', text);
      expect(wordsOf(await reader.read())[2]?.length).toBe(text.length);
      isCut = count === 1;
    }
    expect(isCut).toBe(true);
    sleeper.disconnect();
    await speaker.command('CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 32mb 8mb 60');
    reader.close();
    speaker.close();
  }, 60_000);

  it('subscribers are listed and closed by their type', async () => {
    const speaker = await server.connect();
    const listener = await server.connect();
    await listener.command('SUBSCRIBE', 'a');
    await listener.command('PSUBSCRIBE', 'b*');
    await listener.command('SSUBSCRIBE', 's');
    const listed = async () =>
      String((await speaker.command('CLIENT', 'LIST', 'TYPE', 'pubsub')).value);
    // Subscribers that others have closed may not be gone yet.
    await until(async () => (await listed()).trim().split('\n').length === 1);
    expect(await listed()).toMatch(/flags=P .*sub=1 psub=1 ssub=1/);
    const info = String((await speaker.command('INFO')).value);
    expect(info).toContain('pubsub_clients:1\r\n');
    expect(info).toContain('pubsub_channels:1\r\npubsub_patterns:1\r\npubsubshard_channels:1\r\n');
    expect(await integer(speaker, 'CLIENT', 'KILL', 'TYPE', 'pubsub')).toBe(1);
    expect(await listener.closedWithin(WAIT_MS_MAX)).toBe(true);
    await until(async () => (await integer(speaker, 'PUBLISH', 'a', 'x')) === 0);
    speaker.close();
  }, 60_000);

  it('ioredis and node-redis subscribe as they are used to', async () => {
    const got: string[] = [];
    const io = new Redis(server.port, '127.0.0.1');
    io.on('message', (channel, message) => got.push(`io ${channel} ${message}`));
    io.on('pmessage', (pattern, channel, message) =>
      got.push(`io ${pattern} ${channel} ${message}`),
    );
    expect(await io.subscribe('one', 'two')).toBe(2);
    expect(await io.psubscribe('o*')).toBe(3);
    const node = createClient({ socket: { port: server.port, host: '127.0.0.1' } });
    await node.connect();
    await node.subscribe('one', (message, channel) => got.push(`node ${channel} ${message}`));
    await node.pSubscribe('t*', (message, channel) => got.push(`node t* ${channel} ${message}`));
    await node.sSubscribe('shard', (message, channel) => got.push(`node ${channel} ${message}`));
    const speaker = new Redis(server.port, '127.0.0.1');
    expect(await speaker.publish('one', '1')).toBe(3);
    expect(await speaker.publish('two', '2')).toBe(2);
    expect(await speaker.spublish('shard', '3')).toBe(1);
    await until(() => got.length === 6);
    expect(got.sort()).toEqual([
      'io o* one 1',
      'io one 1',
      'io two 2',
      'node one 1',
      'node shard 3',
      'node t* two 2',
    ]);
    await io.unsubscribe('one');
    await node.unsubscribe('one');
    expect(await speaker.publish('one', '1')).toBe(1);
    io.disconnect();
    speaker.disconnect();
    node.destroy();
  }, 60_000);
});
