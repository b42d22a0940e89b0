// Rules of users, many in a row, beside a real redis-server of 7.2: every reply, and what ACL LIST
// and ACL GETUSER make of them in the end. The other server is the one on the PATH, or what
// REDIS_SERVER names.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { printReply } from '../support/resp.js';
import { partSeed, Random, seedOf } from '../support/seed.js';
import { type Client, findProgram, type Server, startServer } from '../support/server.js';

const redis = process.env.REDIS_SERVER ?? findProgram('redis-server');
const SEED_VARIABLE = 'SEED';
const RUNS = 20;
const COMMANDS = 12;

const NAMES = ['ann', 'bob'];
const HASH = '2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b';
const WORDS = [
  'on',
  'off',
  'nopass',
  'resetpass',
  '>secret',
  '>other',
  '<secret',
  '<other',
  `#${HASH}`,
  `!${HASH}`,
  '#12',
  'skip-sanitize-payload',
  'sanitize-payload',
  'allkeys',
  'resetkeys',
  '~*',
  '~a:*',
  '~',
  '%R~a:*',
  '%W~a:*',
  '%RW~b',
  '%wr~*',
  '%R~*',
  '%R',
  '%Q~x',
  'allchannels',
  'resetchannels',
  '&*',
  '&news:*',
  '&x',
  '+@all',
  '-@all',
  'allcommands',
  'nocommands',
  '+get',
  '-GET',
  '+config',
  '-config',
  '+config|get',
  '-config|set',
  '+CONFIG|Set',
  '+client|id',
  '-client|id',
  '+select',
  '-select',
  '+select|0',
  '+select|1',
  '+@string',
  '-@String',
  '+@dangerous',
  '-@dangerous',
  '+@admin',
  '-@nosuch',
  '+nosuch',
  '+config|nosuch',
  '+config|get|x',
  'clearselectors',
  'reset',
  'bogus',
  '(+get ~a*)',
  '(-@all +@hash %R~h*)',
  '(+set',
  '~c)',
  '(bogus)',
  '()',
  '',
];

let server: Server;
let other: Server;
let ours: Client;
let theirs: Client;
let isOf72 = false;

beforeAll(async () => {
  if (redis === null) return;
  other = await startServer({ command: redis });
  theirs = await other.connect();
  isOf72 = /redis_version:7\.2/.test(printReply(await theirs.command('INFO', 'server')));
  if (!isOf72) return;
  server = await startServer({ threads: 2 });
  ours = await server.connect();
});

afterAll(async () => {
  await server?.stop();
  await other?.stop();
});

/** Both servers' replies to one command have to be the same. */
async function both(title: string, words: readonly string[]): Promise<void> {
  const [mine, real] = await Promise.all([ours.command(...words), theirs.command(...words)]);
  expect(`${words.join(' ')} → ${printReply(mine)}`, title).toBe(
    `${words.join(' ')} → ${printReply(real)}`,
  );
}

describe.skipIf(redis === null)('rules of users', () => {
  it('mean what they mean to Redis, and are written down as there', async () => {
    if (!isOf72) return;
    const seed = seedOf(SEED_VARIABLE);
    for (let run = 0; run < RUNS; run++) {
      const random = new Random(partSeed(seed, run));
      const title = `${SEED_VARIABLE}=${seed}, run ${run}`;
      for (let step = 0; step < COMMANDS; step++) {
        const count = random.between(0, 5);
        const rules = Array.from({ length: count }, () => random.pick(WORDS));
        await both(title, ['ACL', 'SETUSER', random.pick(NAMES), ...rules]);
      }
      await both(title, ['ACL', 'LIST']);
      for (const name of NAMES) {
        await both(title, ['ACL', 'GETUSER', name]);
        for (const line of ['GET a:1', 'CONFIG GET x', 'SELECT 0', 'HSET h1 f v', 'PUBLISH x y']) {
          await both(title, ['ACL', 'DRYRUN', name, ...line.split(' ')]);
        }
      }
      await both(title, ['ACL', 'DELUSER', ...NAMES]);
    }
  });
});
