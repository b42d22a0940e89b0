// Pipelines that repeat themselves: a command on the key of the one before it is not looked up
// again, and the partition's lock stays taken between them. Whatever the key goes through in
// between, the replies are those of commands that come one by one.

import { afterEach, expect } from 'vitest';
import { InProcessServer, type ServedSession } from '../support/in-process.js';
import { randomTest } from '../support/random-test.js';
import type { Random } from '../support/seed.js';

const MIB = 1024 * 1024;
/** Commands sent together: a batch and a half. */
const PIECE = 24;
const KEYS = ['a', 'b', 'a long key of more than sixteen bytes'];

/** Words behind the key; commands of every type, so that they meet wrong ones as well. */
const TAILS: readonly (readonly [string, ...string[]])[] = [
  ['SET', 'v'],
  ['SET', 'a value that needs another block than the short one before it'],
  ['SET', '7', 'PX', '100000'],
  ['SETEX', '100', 'x'],
  ['GETEX', 'EX', '100'],
  ['PEXPIRE', '0'],
  ['GETDEL'],
  ['GET'],
  ['APPEND', 'tail'],
  ['INCR'],
  ['SETRANGE', '40', 'far'],
  ['EXPIRE', '1000'],
  ['PERSIST'],
  ['DEL'],
  ['UNLINK'],
  ['RPUSH', 'e'],
  ['RPUSH', 'one', 'more'],
  ['LPOP'],
  ['RPOP', '9'],
  ['LLEN'],
  ['SADD', 'm'],
  ['SADD', 'n', 'a member of more than eight bytes'],
  ['SREM', 'm'],
  ['SISMEMBER', 'n'],
  ['HSET', 'f', 'v'],
  ['HSET', 'g', 'v', 'f', 'w'],
  ['HGET', 'g'],
  ['HDEL', 'f'],
  ['ZADD', '1', 'm'],
  ['ZADD', '2', 'n', '3', 'o'],
  ['ZINCRBY', '2', 'm'],
  ['ZRANK', 'o'],
  ['RENAME', 'b'],
  ['MOVE', '1'],
  ['MOVE', '0'],
  ['COPY', 'a', 'REPLACE'],
  ['TYPE'],
  ['STRLEN'],
  ['GET', 'one word too many'],
  ['SET', 'refused', 'NX', 'XX'],
];
const OTHERS: readonly (readonly string[])[] = [
  ['PING'],
  ['MGET', 'a', 'b'],
  ['FLUSHDB'],
  ['FLUSHDB'],
  ['DEL', 'a'],
  ['SELECT', '1'],
  ['SELECT', '0'],
  ['DBSIZE'],
];

/** Collections are tables from their first element on, whose lines are brought near ahead. */
const TABLES_ONLY = ['set', 'hash', 'zset'].flatMap((type) => [
  `--${type}-max-listpack-entries`,
  '0',
]);

const servers: InProcessServer[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.stop();
});

class Peer {
  text = '';
  readonly session: ServedSession;

  constructor(args: readonly string[]) {
    const server = new InProcessServer({ partitions: 2, partitionBytes: 16 * MIB, args });
    servers.push(server);
    this.session = server.open({
      received: (bytes) => {
        this.text += Buffer.from(bytes).toString('latin1');
      },
      closed: () => {},
    });
  }
}

function encoded(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
}

function commandsOf(random: Random): string[] {
  const commands: string[] = [];
  let key = KEYS[0]!;
  let tail = TAILS[0]!;
  for (let index = 0; index < 400; index++) {
    if (random.below(5) === 0) key = KEYS[random.below(KEYS.length)]!;
    if (random.below(3) === 0) tail = TAILS[random.below(TAILS.length)]!;
    if (random.below(10) === 0) commands.push(encoded(OTHERS[random.below(OTHERS.length)]!));
    const [name, ...rest] = tail;
    commands.push(encoded([name, key, ...rest]));
  }
  commands.push(encoded(['DEBUG', 'DIGEST']));
  return commands;
}

randomTest('answer as if their commands came one by one', 40, (random) => {
  const commands = commandsOf(random);
  const args = random.below(2) === 0 ? [] : TABLES_ONLY;
  const together = new Peer(args);
  const single = new Peer(args);

  // In pieces, which are read into the same memory.
  for (let from = 0; from < commands.length; from += PIECE) {
    together.session.feed(Buffer.from(commands.slice(from, from + PIECE).join(''), 'latin1'));
  }
  for (const command of commands) single.session.feed(Buffer.from(command, 'latin1'));

  expect(together.text).toBe(single.text);
});
