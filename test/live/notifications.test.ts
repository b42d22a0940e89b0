// Keyspace notifications of a running server: which events commands of all groups cause, against
// what was recorded from Redis; expiry by the clock; the order of one key's events from several
// threads.

import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { parseDialogue, playDialogue, printDialogue, type Step } from '../support/notifications.js';
import { type Server, startServer } from '../support/server.js';

const recorded = parseDialogue(
  readFileSync(new URL('./notifications.txt', import.meta.url), 'latin1'),
);
const started: Server[] = [];

afterEach(async () => {
  for (const server of started.splice(0)) await server.stop();
});

async function start(options: Parameters<typeof startServer>[0]): Promise<Server> {
  const server = await startServer(options);
  started.push(server);
  return server;
}

const WAYS = [
  { threads: 1, transport: 'native' },
  { threads: 2, transport: 'native' },
  { threads: 4, transport: 'native' },
  { threads: 2, transport: 'node' },
] as const;

describe('the events of every command are those of Redis', () => {
  it.each(WAYS)(
    'with %o',
    async (way) => {
      const server = await start(way);
      const played = await playDialogue(() => server.connect(), recorded);

      expect(linesOf(played)).toEqual(linesOf(recorded));
    },
    60_000,
  );
});

/** Line by line, so that a difference is seen beside its command. */
function linesOf(dialogue: readonly (Step | string)[]): string[] {
  return printDialogue(dialogue)
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
}

const KEYS_CHANGED = 400;
const WAIT_MS_MAX = 30_000;

describe('notices of one key keep their order', () => {
  it.each(WAYS)(
    'when several threads change it, with %o',
    async (way) => {
      const server = await start(way);
      const setUp = await server.connect();
      await setUp.command('CONFIG', 'SET', 'notify-keyspace-events', 'KEA');
      const listeners = await Promise.all([server.connect(), server.connect(), server.connect()]);
      await listeners[0]!.command('SUBSCRIBE', '__keyspace@0__:turn');
      await listeners[1]!.command('PSUBSCRIBE', '__keyspace@0__:tu*');
      await listeners[2]!.command('SUBSCRIBE', '__keyspace@0__:turn');
      // A list that holds one element or none: pushes and pops that took one alternate.
      const changers = await Promise.all(Array.from({ length: 4 }, () => server.connect()));
      await Promise.all(
        changers.map(async (changer, index) => {
          const command = index % 2 === 0 ? ['SETNX', 'turn', 'x'] : ['DEL', 'turn'];
          for (let round = 0; round < 4; round++) {
            await changer.pipeline(Array.from({ length: KEYS_CHANGED / 4 }, () => command));
          }
        }),
      );
      await setUp.command('SET', 'turn', 'end', 'EX', '100');
      for (const listener of listeners) {
        let isThere = false;
        for (let event = ''; event !== 'expire'; ) {
          const reply = await listener.read(WAIT_MS_MAX);
          const words = reply.type === 'array' ? reply.value : [];
          event = String(words.at(-1)?.value);
          if (event === 'del') expect(isThere).toBe(true);
          isThere = event !== 'del';
        }
        listener.close();
      }
      for (const client of [...changers, setUp]) client.close();
    },
    60_000,
  );
});

describe('a subscription inside a transaction', () => {
  it.each(WAYS)('hears of what the same transaction changes, with %o', async (way) => {
    const server = await start(way);
    const client = await server.connect();
    await client.command('HELLO', '3');
    await client.command('CONFIG', 'SET', 'notify-keyspace-events', 'KEA');
    for (let round = 0; round < 5; round++) {
      await client.command('MULTI');
      await client.command('SET', `before${round}`, '1');
      await client.command('SUBSCRIBE', '__keyevent@0__:set');
      for (let key = 0; key < 8; key++) await client.command('SET', `key${key}`, '1');
      await client.command('EXEC');
      const heard: string[] = [];
      while (heard.length < 8) heard.push(JSON.stringify(await client.read(WAIT_MS_MAX)));
      expect(heard.filter((text) => text.includes('__keyevent@0__:set'))).toHaveLength(8);
      for (let key = 0; key < 8; key++) {
        expect(heard.some((text) => text.includes(`key${key}`))).toBe(true);
      }
      await client.command('UNSUBSCRIBE', '__keyevent@0__:set');
    }
  });
});

describe('expired keys', () => {
  it('are told by whoever removes them: upkeep, or a look', async () => {
    const server = await start({ threads: 2 });
    const client = await server.connect();
    const listener = await server.connect();
    await client.command('CONFIG', 'SET', 'notify-keyspace-events', 'Ex');
    await listener.command('SUBSCRIBE', '__keyevent@0__:expired');
    const names = Array.from({ length: 50 }, (_, index) => `key:${index}`);
    await client.pipeline(names.map((name) => ['SET', name, 'v', 'PX', '20']));
    const told = new Set<string>();
    while (told.size < names.length) {
      const reply = await listener.read(WAIT_MS_MAX);
      told.add(String(reply.type === 'array' ? reply.value.at(-1)?.value : ''));
    }
    expect([...told].sort()).toEqual([...names].sort());

    await client.command('DEBUG', 'SET-ACTIVE-EXPIRE', '0');
    await client.command('SET', 'looked', 'v', 'PX', '1');
    await new Promise((resolve) => setTimeout(resolve, 10));
    await client.command('GET', 'looked');
    const reply = await listener.read(WAIT_MS_MAX);
    expect(reply.type === 'array' ? reply.value.at(-1)?.value : null).toBe('looked');
    client.close();
    listener.close();
  }, 60_000);

  it('are not told when nobody asked for it', async () => {
    const server = await start({ threads: 1 });
    const client = await server.connect();
    const listener = await server.connect();
    await listener.command('PSUBSCRIBE', '*');
    await client.command('CONFIG', 'SET', 'notify-keyspace-events', 'Ax');
    await client.command('SET', 'key', 'v');
    await client.command('CONFIG', 'SET', 'notify-keyspace-events', '');
    await client.command('SET', 'key', 'v');
    await client.command('PUBLISH', 'end', 'x');
    const reply = await listener.read(WAIT_MS_MAX);
    expect(reply.type === 'array' ? reply.value[2]?.value : null).toBe('end');
    client.close();
    listener.close();
  }, 60_000);
});
