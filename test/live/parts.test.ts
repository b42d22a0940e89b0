// Commands of thousands of keys on a server with several workers: the answers are those of one.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isError, printReply } from '../support/resp.js';
import { type Client, type Server, startServer } from '../support/server.js';

// Off by default: the server that is started here inherits this.
process.env.FLAGSTONE_PARTS_FROM = '256';
const KEYS = 5000;
const CLIENTS = 4;
const keys = Array.from({ length: KEYS }, (_, index) => `key:${index}`);
const servers: Server[] = [];
let alone: Client;
let together: Client[];

beforeAll(async () => {
  for (const threads of [1, 2]) servers.push(await startServer({ threads, partitions: 16 }));
  alone = await servers[0]!.connect();
  // Connections are spread over the workers: each of them coordinates.
  together = await Promise.all(Array.from({ length: CLIENTS }, () => servers[1]!.connect()));
  const pairs = keys.flatMap((key, index) =>
    index % 3 === 0 ? [] : [key, 'v'.repeat((index * 7) % 900) + index],
  );
  for (const client of [alone, together[0]!]) {
    expect(isError(await client.command('MSET', ...pairs))).toBe(false);
    await client.command('SET', 'key:0', 'x'.repeat(200_000));
    for (const key of keys.slice(10, 40)) await client.command('PEXPIRE', key, '1');
  }
  await new Promise((resolve) => setTimeout(resolve, 10));
});
afterAll(async () => {
  for (const server of servers) await server.stop();
});

describe('two workers', () => {
  it.each(['MGET', 'EXISTS', 'TOUCH'])('answer %s of 5000 keys as one does', async (name) => {
    const expected = printReply(await alone.command(name, ...keys));

    const answers = await Promise.all(together.map((client) => client.command(name, ...keys)));

    for (const answer of answers) expect(printReply(answer) === expected).toBe(true);
  });

  it('answer while others write, and count every look-up', async () => {
    const hits = async (client: Client): Promise<number> => {
      const reply = await client.command('INFO', 'stats');
      const text = printReply(reply);
      const found = /keyspace_hits:(\d+)/.exec(text);
      return Number(found?.[1]);
    };
    const before = await hits(together[0]!);
    const [first, second, ...writers] = together;
    const expected = printReply(await alone.command('EXISTS', ...keys));
    const rounds = 20;
    const reads = Array.from({ length: rounds }, async () => {
      for (const client of [first!, second!]) {
        expect(printReply(await client.command('EXISTS', ...keys))).toBe(expected);
      }
    });
    const writes = writers.map(async (client) => {
      for (let round = 0; round < 200; round++) await client.command('INCR', `counter:${round}`);
    });
    await Promise.all([...reads, ...writes]);

    expect((await hits(together[0]!)) - before).toBe(rounds * 2 * Number(expected.slice(1)));
  });
});
