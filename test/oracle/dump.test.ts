// DUMP and RESTORE between Flagstone and a real redis-server, both ways: the value that arrives is
// the one that left, by the digest that both servers have of values. The other server is the one on
// the PATH, or what REDIS_SERVER names.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FORMS, LARGE_FORMS } from '../rdb/forms.js';
import { describeKey, digestOf, dump, makeValue, startEngine } from '../rdb/values.js';
import { decodeReply, type Reply, textOf } from '../support/resp.js';
import { partSeed, Random, seedOf } from '../support/seed.js';
import { type Client, findProgram, type Server, startServer } from '../support/server.js';

const redis = process.env.REDIS_SERVER ?? findProgram('redis-server');
const RUNS = 120;
const SEED_VARIABLE = 'SEED';

let server: Server | null = null;
let client: Client;
/** Redis 7.0 has no listpacks for lists and sets, and another digest of sorted sets. */
let isOf72 = false;

beforeAll(async () => {
  if (redis === null) return;
  server = await startServer({ command: redis, args: ['--enable-debug-command', 'yes'] });
  client = await server.connect();
  isOf72 = !/redis_version:(6|7\.0)/.test(await ask('INFO', 'server'));
});

afterAll(async () => {
  client?.close();
  await server?.stop();
});

async function ask(...words: string[]): Promise<string> {
  return textOf(await client.command(...words)) ?? '';
}

/**
 * As DEBUG DIGEST-VALUE. Redis 7.0 writes scores in another way before it mixes them: there, the
 * digest of a sorted set is that of what comes back when it is dumped.
 */
async function digestThere(key: string): Promise<string> {
  if (!isOf72 && (await ask('TYPE', key)) === 'zset') {
    const back = startEngine();
    back.run('RESTORE', key, '0', await ask('DUMP', key));
    return digestOf(back.keyspace.partitions[0]!, key);
  }
  const reply: Reply = await client.command('DEBUG', 'DIGEST-VALUE', key);
  return reply.type === 'array' ? (textOf(reply.value[0]!) ?? '') : '';
}

/** The encoding that Redis itself gives the value when it restores it. */
async function encodingThere(key: string, bytes: string): Promise<string> {
  await ask('RESTORE', `${key}:again`, '0', bytes);
  return ask('OBJECT', 'ENCODING', `${key}:again`);
}

describe.skipIf(redis === null)('a value goes', () => {
  it('from Flagstone to Redis', async () => {
    const seed = seedOf(SEED_VARIABLE);
    const engine = startEngine();
    for (let run = 0; run < RUNS; run++) {
      const random = new Random(partSeed(seed, run));
      const key = `key${run}`;
      makeValue(random, (...words) => engine.run(...words), key, false);
      const facts = describeKey(engine, key);
      const title = `${SEED_VARIABLE}=${seed}, run ${run}: ${JSON.stringify(facts)}`;
      const bytes = dump(engine, key)!;

      expect(await ask('RESTORE', key, '0', bytes), title).toBe('OK');

      expect(await digestThere(key), title).toBe(facts.digest);
      const isSameEncoding = isOf72 && facts.type !== '+set';
      if (isSameEncoding) expect(await ask('OBJECT', 'ENCODING', key)).toBe(facts.encoding);
      if (facts.type === '+stream') expect(await groupsThere(key)).toBe(groupsHere(facts.stream!));
    }
  });

  it('from Redis to Flagstone', async () => {
    const seed = seedOf(SEED_VARIABLE);
    const engine = startEngine();
    for (let run = 0; run < RUNS; run++) {
      const random = new Random(partSeed(seed, run + RUNS));
      const key = `other${run}`;
      const commands: string[][] = [];
      makeValue(random, (...words) => commands.push(words), key, false);
      for (const words of commands) {
        await ask(...words);
        engine.run(...words);
      }
      const bytes = await ask('DUMP', key);
      const title = `${SEED_VARIABLE}=${seed}, run ${run}: ${JSON.stringify(commands)}`;

      const { digest } = describeKey(engine, key);

      expect(engine.run('RESTORE', key, '0', bytes, 'REPLACE'), title).toBe('+OK\r\n');

      const facts = describeKey(engine, key);
      expect(facts.digest, title).toBe(digest);
      expect(facts.digest, title).toBe(await digestThere(key));
      if (isOf72) expect(facts.encoding, title).toBe(await encodingThere(key, bytes));
      if (facts.type === '+stream') expect(await groupsThere(key)).toBe(groupsHere(facts.stream!));
    }
  });
});

describe.skipIf(redis === null)('a form put together by hand', () => {
  it.each([...FORMS, ...LARGE_FORMS])('is what Redis reads as well: $name', async (form) => {
    const { name, bytes } = form;
    const version = bytes.readUInt16LE(bytes.length - 10);
    const tooNew = version > 11 || (version > 10 && !isOf72);
    const key = `form ${name}`;
    const engine = startEngine();
    engine.run('RESTORE', key, '0', bytes);

    const answer = await ask('RESTORE', key, '0', bytes.toString('latin1'));

    if (tooNew) expect(answer).toMatch(/version or checksum/);
    else expect(answer).toBe('OK');
    const { digest } = describeKey(engine, key);
    if (!tooNew) expect(await digestThere(key)).toBe(digest);
  });
});

/** What XINFO says of a stream without entries, times and the number of blocks. */
async function groupsThere(key: string): Promise<string> {
  return marks(await client.command('XINFO', 'STREAM', key, 'FULL', 'COUNT', '1'));
}

function groupsHere(stream: string): string {
  return marks(decodeReply(Buffer.from(stream, 'latin1')));
}

const LEFT_OUT = new Set([
  'radix-tree-keys',
  'radix-tree-nodes',
  'entries',
  'seen-time',
  'active-time',
]);

function marks(reply: Reply): string {
  return JSON.stringify(reply, (_name, value: unknown) => {
    if (!Array.isArray(value)) return typeof value === 'bigint' ? String(value) : value;
    return withoutPairs(value as Reply[]);
  });
}

function withoutPairs(items: readonly Reply[]): Reply[] {
  return items.filter((item, index) => {
    if (LEFT_OUT.has(textOf(item) ?? '')) return false;
    return index === 0 || !LEFT_OUT.has(textOf(items[index - 1]!) ?? '');
  });
}
