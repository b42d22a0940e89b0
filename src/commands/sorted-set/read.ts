// What there is: sizes, scores and ranks.

import { isWord, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { SYNTAX } from '../../resp/errors.js';
import { By, Range } from './bounds.js';
import { findSet, set } from './window.js';

const WITHSCORE = word('WITHSCORE');
const FAST_READ = Flag.Read | Flag.Fast;
const READ_KEYS = [keyAt(1, 'RO', 'access')];

const zcard = keyCommand({
  name: 'zcard',
  arity: 2,
  group: 'sorted-set',
  since: '1.2.0',
  summary: 'Counts the members of a sorted set.',
  cost: 'O(1)',
  flags: FAST_READ,
  syntax: 'key',
  keys: [keyAt(1, 'RO')],
  run(context) {
    context.reply.integer(findSet(context, 1) ? set.length : 0);
  },
});

const zscore = keyCommand({
  name: 'zscore',
  arity: 3,
  group: 'sorted-set',
  since: '1.2.0',
  summary: 'Tells the score of a member.',
  cost: 'O(1)',
  flags: FAST_READ,
  syntax: 'key member',
  keys: READ_KEYS,
  element: 2,
  run(context) {
    const { args, reply } = context;

    if (findSet(context, 1) && set.find(args.u8, args.startOf(2), args.lengthOf(2))) {
      reply.double(set.score);
    } else {
      reply.nil();
    }
  },
});

const zmscore = keyCommand({
  name: 'zmscore',
  arity: -3,
  group: 'sorted-set',
  since: '6.2.0',
  summary: 'Tells the scores of several members.',
  cost: 'O(N) for N members that are asked for.',
  flags: FAST_READ,
  syntax: 'key member [member ...]',
  keys: READ_KEYS,
  element: 2,
  run(context) {
    const { args, reply } = context;
    const isThere = findSet(context, 1);

    reply.array(args.count - 2);
    for (let index = 2; index < args.count; index++) {
      if (isThere && set.find(args.u8, args.startOf(index), args.lengthOf(index))) {
        reply.double(set.score);
      } else {
        reply.nil();
      }
    }
  },
});

const range = new Range();

function countRange(context: Context, by: By): void {
  const { args } = context;
  range.read(args, by, 2, 3);

  context.reply.integer(findSet(context, 1) ? range.resolve(set, args.u8) : 0);
}

const zcount = keyCommand({
  name: 'zcount',
  arity: 4,
  group: 'sorted-set',
  since: '2.0.0',
  summary: 'Counts the members whose scores lie between two others.',
  cost: 'O(log(N)) for N members in the sorted set.',
  flags: FAST_READ,
  syntax: 'key min max',
  keys: READ_KEYS,
  run: (context) => countRange(context, By.Score),
});

const zlexcount = keyCommand({
  name: 'zlexcount',
  arity: 4,
  group: 'sorted-set',
  since: '2.8.9',
  summary: 'Counts the members whose names lie between two others, where all scores are the same.',
  cost: 'O(log(N)) for N members in the sorted set.',
  flags: FAST_READ,
  syntax: 'key min max',
  keys: READ_KEYS,
  run: (context) => countRange(context, By.Name),
});

function answerRank(context: Context, isReversed: boolean): void {
  const { args, command, reply } = context;
  if (args.count > 4) {
    context.refuse(`ERR wrong number of arguments for '${command.spec.name}' command`);
  }
  const withScore = args.count === 4;
  if (withScore && !isWord(args, 3, WITHSCORE)) throw SYNTAX;

  const isThere = findSet(context, 1) && set.find(args.u8, args.startOf(2), args.lengthOf(2));
  if (!isThere) {
    if (withScore) reply.nilArray();
    else reply.nil();
    return;
  }
  const rank = set.rank();

  if (withScore) reply.array(2);
  reply.integer(isReversed ? set.length - 1 - rank : rank);
  if (withScore) reply.double(set.score);
}

const zrank = keyCommand({
  name: 'zrank',
  arity: -3,
  group: 'sorted-set',
  since: '2.0.0',
  summary: 'Counts the members before a member, in the order of rising scores.',
  cost: 'O(log(N)) for N members in the sorted set.',
  flags: FAST_READ,
  syntax: 'key member [WITHSCORE]',
  keys: READ_KEYS,
  history: [['7.2.0', 'Takes the option WITHSCORE.']],
  element: 2,
  run: (context) => answerRank(context, false),
});

const zrevrank = keyCommand({
  name: 'zrevrank',
  arity: -3,
  group: 'sorted-set',
  since: '2.0.0',
  summary: 'Counts the members before a member, in the order of falling scores.',
  cost: 'O(log(N)) for N members in the sorted set.',
  flags: FAST_READ,
  syntax: 'key member [WITHSCORE]',
  keys: READ_KEYS,
  history: [['7.2.0', 'Takes the option WITHSCORE.']],
  element: 2,
  run: (context) => answerRank(context, true),
});

export const readCommands: readonly CommandSpec[] = [
  zcard,
  zscore,
  zmscore,
  zcount,
  zlexcount,
  zrank,
  zrevrank,
];
