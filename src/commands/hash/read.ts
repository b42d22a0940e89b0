// Reading fields: some by name, or all of them.

import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { hash, readHash, readWholeHash } from './open.js';

const READ_FAST = Flag.Read | Flag.Fast;
const READ_KEYS = [keyAt(1, 'RO', 'access')];
const ASK_KEYS = [keyAt(1, 'RO')];
const NO_ORDER = ['nondeterministic_output_order'];

/** Makes the field of word `index` the pair; false when the open hash has none. */
function find(context: Context, index: number): boolean {
  const { args } = context;
  return hash.find(args.u8, args.startOf(index), args.lengthOf(index));
}

const hget = keyCommand({
  name: 'hget',
  arity: 3,
  group: 'hash',
  since: '2.0.0',
  summary: 'Answers with the value of a field of a hash.',
  cost: 'O(1)',
  flags: READ_FAST,
  syntax: 'key field',
  keys: READ_KEYS,
  element: 2,
  run(context) {
    if (readHash(context) && find(context, 2)) hash.replyValue(context.reply);
    else context.reply.nil();
  },
});

const hmget = keyCommand({
  name: 'hmget',
  arity: -3,
  group: 'hash',
  since: '2.0.0',
  summary: 'Answers with the values of several fields of a hash.',
  cost: 'O(N) for N fields.',
  flags: READ_FAST,
  syntax: 'key field [field ...]',
  keys: READ_KEYS,
  element: 2,
  run(context) {
    const { args, reply } = context;
    const isThere = readHash(context);

    reply.array(args.count - 2);
    for (let index = 2; index < args.count; index++) {
      if (isThere && find(context, index)) hash.replyValue(reply);
      else reply.nil();
    }
  },
});

const hexists = keyCommand({
  name: 'hexists',
  arity: 3,
  group: 'hash',
  since: '2.0.0',
  summary: 'Answers whether a hash has a field.',
  cost: 'O(1)',
  flags: READ_FAST,
  syntax: 'key field',
  keys: ASK_KEYS,
  element: 2,
  run: (context) => context.reply.flag(readHash(context) && find(context, 2)),
});

const hlen = keyCommand({
  name: 'hlen',
  arity: 2,
  group: 'hash',
  since: '2.0.0',
  summary: 'Counts the fields of a hash.',
  cost: 'O(1)',
  flags: READ_FAST,
  syntax: 'key',
  keys: ASK_KEYS,
  run: (context) => context.reply.integer(readHash(context) ? hash.count : 0),
});

const hstrlen = keyCommand({
  name: 'hstrlen',
  arity: 3,
  group: 'hash',
  since: '3.2.0',
  summary: 'Answers how many bytes the value of a field has.',
  cost: 'O(1)',
  flags: READ_FAST,
  syntax: 'key field',
  keys: ASK_KEYS,
  element: 2,
  run(context) {
    const isThere = readHash(context) && find(context, 2);
    context.reply.integer(isThere ? hash.valueLength : 0);
  },
});

/** Answers with all names, or with all values. */
function answerAll(context: Context, isNames: boolean): void {
  const { reply } = context;
  const isThere = readWholeHash(context);

  reply.array(isThere ? hash.count : 0);
  if (!isThere) return;
  hash.beginWalk();
  while (hash.next()) {
    if (isNames) hash.replyName(reply);
    else hash.replyValue(reply);
  }
}

const hgetall = keyCommand({
  name: 'hgetall',
  arity: 2,
  group: 'hash',
  since: '2.0.0',
  summary: 'Answers with all fields and values of a hash.',
  cost: 'O(N) for N fields.',
  flags: Flag.Read,
  syntax: 'key',
  keys: READ_KEYS,
  tips: NO_ORDER,
  run(context) {
    const { reply } = context;
    const isThere = readWholeHash(context);

    reply.map(isThere ? hash.count : 0);
    if (!isThere) return;
    hash.beginWalk();
    while (hash.next()) {
      hash.replyName(reply);
      hash.replyValue(reply);
    }
  },
});

const hkeys = keyCommand({
  name: 'hkeys',
  arity: 2,
  group: 'hash',
  since: '2.0.0',
  summary: 'Answers with the names of all fields of a hash.',
  cost: 'O(N) for N fields.',
  flags: Flag.Read,
  syntax: 'key',
  keys: READ_KEYS,
  tips: NO_ORDER,
  run: (context) => answerAll(context, true),
});

const hvals = keyCommand({
  name: 'hvals',
  arity: 2,
  group: 'hash',
  since: '2.0.0',
  summary: 'Answers with the values of all fields of a hash.',
  cost: 'O(N) for N fields.',
  flags: Flag.Read,
  syntax: 'key',
  keys: READ_KEYS,
  tips: NO_ORDER,
  run: (context) => answerAll(context, false),
});

export const readCommands: readonly CommandSpec[] = [
  hget,
  hmget,
  hexists,
  hlen,
  hstrlen,
  hgetall,
  hkeys,
  hvals,
];
