// Large sets that are joined in parts by several workers, while others write: every answer is that
// of one moment, and the answers are those of one worker.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isError, printReply } from '../support/resp.js';
import { type Client, type Server, startServer } from '../support/server.js';

// Read by the servers that are started here: every join is offered to other workers.
process.env.FLAGSTONE_JOIN_PARTS_FROM = '1';
const MEMBERS = 6000;
const STEP = 600;
const SWAPS = 150;
const servers: Server[] = [];
let alone: Client;
let together: Client[];

beforeAll(async () => {
  for (const threads of [1, 2]) servers.push(await startServer({ threads, partitions: 16 }));
  alone = await servers[0]!.connect();
  // Connections are spread over the workers: each of them coordinates.
  together = await Promise.all(Array.from({ length: 4 }, () => servers[1]!.connect()));
  for (const client of [alone, together[0]!]) {
    for (let set = 0; set < 4; set++) {
      for (let first = 0; first < MEMBERS; first += STEP) {
        const numbers = Array.from({ length: STEP }, (_, index) => (first + index) * (set + 2));
        const members = numbers.map((number) => `member ${number}`);
        expect(isError(await client.command('SADD', `set:${set}`, ...members))).toBe(false);
        const scored = numbers.flatMap((number) => [`${number % 13}`, `member ${number}`]);
        expect(isError(await client.command('ZADD', `sorted:${set}`, ...scored))).toBe(false);
      }
    }
  }
});
afterAll(async () => {
  for (const server of servers) await server.stop();
});

const QUESTIONS = [
  'SINTERCARD 2 set:0 set:1',
  'SINTERCARD 4 set:0 set:1 set:2 set:3',
  'SUNIONCARD 3 set:0 set:1 set:2',
  'SDIFFCARD 2 set:3 set:0',
  'ZINTERCARD 2 sorted:1 sorted:2',
  'ZINTER 2 sorted:0 sorted:3 WITHSCORES',
  'ZDIFF 3 sorted:0 sorted:3 sorted:2 WITHSCORES',
  'SINTERSTORE target:1 set:0 set:2',
  'SDIFFSTORE target:2 set:1 set:0',
  'SUNIONSTORE target:3 set:1 set:0',
];

/** The elements of a reply, sorted: no order is promised, and it depends on the hash's key. */
function sortedReply(text: string): string {
  return (text.match(/member \d+/g) ?? []).sort().join('\n');
}

describe('two workers', () => {
  it.each(QUESTIONS)('answer %s as one does', async (line) => {
    const words = line.split(' ') as [string, ...string[]];
    const expected = printReply(await alone.command(...words));

    const answers = await Promise.all(together.map((client) => client.command(...words)));

    for (const answer of answers) expect(printReply(answer) === expected).toBe(true);
  });

  it.each(['SINTER', 'SUNION', 'SDIFF'])('list with %s what one lists', async (name) => {
    const expected = sortedReply(printReply(await alone.command(name, 'set:0', 'set:1')));

    const answers = await Promise.all(
      together.map((client) => client.command(name, 'set:0', 'set:1')),
    );

    for (const answer of answers) expect(sortedReply(printReply(answer)) === expected).toBe(true);
  });

  it('see two sets at one moment while members move between them', async () => {
    const [first, second, ...others] = together;
    await first!.command('COPY', 'set:0', 'left');
    await first!.command('COPY', 'set:1', 'right');
    // A member leaves one set for the other in one step. A union that met it in neither, or in
    // both, would count another number.
    const union = printReply(await first!.command('SUNIONCARD', '2', 'left', 'right'));
    await first!.command('SADD', 'left', 'wanderer');
    const expected = `:${Number(union.slice(1)) + 1}`;
    let isDone = false;
    const move = async (client: Client): Promise<void> => {
      for (let swap = 0; swap < SWAPS; swap++) {
        await client.command('SMOVE', 'left', 'right', 'wanderer');
        await client.command('SMOVE', 'right', 'left', 'wanderer');
      }
      isDone = true;
    };
    const count = async (client: Client): Promise<void> => {
      while (!isDone) {
        const both = printReply(await client.command('SUNIONCARD', '2', 'left', 'right'));
        expect(both).toBe(expected);
      }
    };

    await Promise.all([count(first!), count(second!), ...others.map((client) => move(client))]);
  });
});
