// Small keyspaces of all types, most of them at the edges of their encodings, on their way from
// Flagstone through a file to a real Redis, through its file back, and key by key through DUMP and
// RESTORE both ways: DEBUG DIGEST and all expiry times are the same at every station, and
// redis-check-rdb accepts every file. ROUND_TRIPS=10000 makes a long run of it. The other server is
// the one on the PATH, or what REDIS_SERVER names; it has to be of 7.2 or newer, because older ones
// do not read all files of Flagstone and have another digest.

import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeValue } from '../rdb/values.js';
import { type Command, encodeCommands, isError, printReply, textOf } from '../support/resp.js';
import { partSeed, Random, seedOf } from '../support/seed.js';
import { type Client, findProgram, type Server, startServer } from '../support/server.js';

const redis = process.env.REDIS_SERVER ?? findProgram('redis-server');
const checker = redis?.replace(/redis-server$/, 'redis-check-rdb') ?? '';
const isOf72 = redis !== null && !/v=(6|7\.0)\./.test(versionOf(redis));
const ROUNDS = Number(process.env.ROUND_TRIPS ?? 8);
const ROUND_MS_MAX = 10_000;
const KEYS_MAX = 12;
const DATABASES = [0, 0, 0, 1, 15];
const REPLY_MS_MAX = 60_000;
const PROGRESS_EVERY_MS = 30_000;
const seed = seedOf('SEED');
const command = 'npx vitest run test/oracle/round-trips.test.ts';
const check = promisify(execFile);

const directory = mkdtempSync(path.join(os.tmpdir(), 'flagstone-trips-'));
const servers: Server[] = [];
let own: Client;
let other: Client;

// Both servers save to, and load from, the same file.
beforeAll(async () => {
  if (!isOf72) return;
  const dir = directory;
  servers.push(await startServer({ threads: 2, partitions: 4, dir, startMsMax: 60_000 }));
  servers.push(await startServer({ command: redis, dir, startMsMax: 60_000 }));
  own = await servers[0]!.connect();
  other = await servers[1]!.connect();
});

afterAll(async () => {
  for (const server of servers) await server.stop('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

function versionOf(program: string): string {
  return execFileSync(program, ['--version'], { encoding: 'utf8' });
}

async function ask(client: Client, ...words: (string | number)[]): Promise<string> {
  const [text] = await askAll(client, [words]);
  return text!;
}

/** Errors are failures: nothing here is wrong on purpose. */
async function askAll(client: Client, commands: readonly Command[]): Promise<string[]> {
  await client.send(encodeCommands(commands));
  const texts: string[] = [];
  for (const words of commands) {
    const reply = await client.read(REPLY_MS_MAX);
    const isFine = !isError(reply);
    if (!isFine) throw new Error(`${words.slice(0, 3).join(' ')}: ${printReply(reply)}`);
    texts.push(textOf(reply) ?? '');
  }
  return texts;
}

const EDGE = [-1, 0, 1];

function words(random: Random, count: number, bytes: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    const name = `${index}:${random.below(1e6)}`;
    return index === count - 1 ? name.padEnd(bytes, 'x') : name;
  });
}

/** A value that is just about to need another encoding, or just needed it. */
function makeEdge(random: Random, key: string): Command[] {
  const bytes = 64 + random.pick(EDGE);
  const count = (limit: number) => limit + random.pick(EDGE);
  switch (random.below(9)) {
    case 0:
      return [['SET', key, random.bytes(44 + random.pick(EDGE))]];
    case 1:
      return [['SET', key, random.pick(['9223372036854775807', '-1', '007', '1e5', '9999', ''])]];
    case 2:
      return [['HSET', key, ...words(random, count(128), bytes).flatMap((word) => [word, word])]];
    case 3:
      return [['SADD', key, ...words(random, count(128), bytes)]];
    case 4: {
      const wide = random.pick([1, 40_000, 3_000_000_000]);
      const length = count(512);
      return [['SADD', key, ...Array.from({ length }, (_, index) => String(index * wide))]];
    }
    case 5: {
      const members = words(random, count(128), bytes);
      return [['ZADD', key, ...members.flatMap((word, index) => [index / 8, word])]];
    }
    case 6:
      // Eight kilobytes of a node, in elements of many or few bytes.
      return [['RPUSH', key, ...words(random, count(random.pick([100, 500])), 20)]].concat(
        random.chance(0.5) ? [['RPUSH', key, 'y'.repeat(8192 + random.below(30) - 15)]] : [],
      );
    case 7:
      return Array.from({ length: count(100) }, (_, index) => {
        return ['XADD', key, `${index + 1}-0`, 'field', 'z'.repeat(random.below(60))];
      });
    default:
      return [['PFADD', key, ...words(random, random.pick([3, 900]), 20)]];
  }
}

interface Place {
  readonly database: number;
  readonly key: string;
}

/** Fills Flagstone, and says where keys are. */
async function fill(random: Random): Promise<Place[]> {
  const commands: Command[] = [];
  const places: Place[] = [];
  for (let count = random.between(1, KEYS_MAX); count > 0; count--) {
    const place = { database: random.pick(DATABASES), key: `key:${count}` };
    places.push(place);
    commands.push(['SELECT', place.database]);
    const run = (...command: string[]) => commands.push(command);
    if (random.chance(0.4)) makeValue(random, run, place.key, false);
    else commands.push(...makeEdge(random, place.key));
    if (random.chance(0.4)) commands.push(['PEXPIREAT', place.key, 2e12 + random.below(1e9)]);
  }
  await askAll(own, commands);
  return places;
}

async function timesOf(client: Client, places: readonly Place[]): Promise<string> {
  const commands = places.flatMap(({ database, key }): Command[] => {
    return [
      ['SELECT', database],
      ['PEXPIRETIME', key],
    ];
  });
  return (await askAll(client, commands)).join();
}

/** Takes all keys from one server to the other, one by one. */
async function carry(from: Client, to: Client, places: readonly Place[]): Promise<void> {
  await ask(to, 'FLUSHALL');
  const answers = await askAll(
    from,
    places.flatMap(({ database, key }): Command[] => {
      return [
        ['SELECT', database],
        ['DUMP', key],
        ['PEXPIRETIME', key],
      ];
    }),
  );
  const commands = places.flatMap(({ database, key }, index): Command[] => {
    const [bytes, time] = answers.slice(index * 3 + 1, index * 3 + 3);
    const ms = Number(time);
    const restore = ['RESTORE', key, ms > 0 ? ms : 0, Buffer.from(bytes!, 'latin1')];
    return [
      ['SELECT', database],
      [...restore, ...(ms > 0 ? ['ABSTTL'] : [])],
    ];
  });
  await askAll(to, commands);
}

async function tripOnce(random: Random, title: string): Promise<void> {
  await ask(own, 'FLUSHALL');
  const places = await fill(random);
  const digest = await ask(own, 'DEBUG', 'DIGEST');
  const times = await timesOf(own, places);
  const expectSame = async (client: Client, station: string): Promise<void> => {
    expect(await timesOf(client, places), `times ${station}; ${title}`).toBe(times);
    expect(await ask(client, 'DEBUG', 'DIGEST'), `digest ${station}; ${title}`).toBe(digest);
  };
  const pass = async (from: Client, to: Client, station: string): Promise<void> => {
    await ask(from, 'SAVE');
    const [{ stdout }] = await Promise.all([
      check(checker, [path.join(directory, 'dump.rdb')]),
      ask(to, 'DEBUG', 'RELOAD', 'NOSAVE'),
    ]);
    expect(stdout, title).toContain('RDB looks OK!');
    await expectSame(to, station);
  };

  await pass(own, other, 'in Redis, from the file');
  await pass(other, own, 'back from the file of Redis');
  await carry(own, other, places);
  await expectSame(other, 'in Redis, restored');
  await carry(other, own, places);
  await expectSame(own, 'restored from Redis');
}

describe.skipIf(!isOf72)('a keyspace', () => {
  it(
    `goes to Redis and back, in files and by DUMP, ${ROUNDS} times`,
    async () => {
      let shownAt = Date.now();
      for (let round = 0; round < ROUNDS; round++) {
        const repeat = `repeat with: SEED=${seed} ROUND_TRIPS=${round + 1} ${command}`;
        await tripOnce(new Random(partSeed(seed, round)), `round ${round}; ${repeat}`);
        if (Date.now() - shownAt < PROGRESS_EVERY_MS) continue;
        shownAt = Date.now();
        console.log(`${round + 1} round trips, seed ${seed}`);
      }
      expect(servers[0]!.printed).not.toMatch(/AssertionFailure/);
    },
    60_000 + ROUNDS * ROUND_MS_MAX,
  );
});
