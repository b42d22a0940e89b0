// Members between two ranks, scores or names: ZRANGE, the commands it has taken the place of, and
// ZRANGESTORE.

import { isWord, readInteger, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, crossCommand, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { Refusal, SYNTAX } from '../../resp/errors.js';
import { By, Range } from './bounds.js';
import { collected } from './collected.js';
import { findSet, set, walk } from './window.js';

const BYSCORE = word('BYSCORE');
const BYLEX = word('BYLEX');
const REV = word('REV');
const LIMIT = word('LIMIT');
const WITHSCORES = word('WITHSCORES');

const LIMIT_BY_RANK = new Refusal(
  'ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX',
);
const SCORES_BY_NAME = new Refusal(
  'ERR syntax error, WITHSCORES not supported in combination with BYLEX',
);

/** What a command of this family may leave to its options. */
const enum Open {
  Nothing = 0,
  Order = 1,
  Direction = 2,
  Scores = 4,
}

/** Members read ahead of a walk at once. */
const TOUCHED_MAX = 32;

const range = new Range();
const wanted = { by: By.Rank as By, isReversed: false, withScores: false, offset: 0, limit: -1 };

/** Reads the ends of the range, from word `first` on, and the options behind them into `wanted`. */
function readRange(
  context: Context,
  first: number,
  by: By,
  isReversed: boolean,
  open: number,
): void {
  const { args } = context;
  wanted.by = by;
  wanted.isReversed = isReversed;
  wanted.withScores = false;
  wanted.offset = 0;
  wanted.limit = -1;
  if (args.count > first + 2) readOptions(context, first + 2, open);
  if (wanted.limit !== -1 && wanted.by === By.Rank) throw LIMIT_BY_RANK;
  if (wanted.withScores && wanted.by === By.Name) throw SCORES_BY_NAME;
  const isTurned = wanted.isReversed && wanted.by !== By.Rank;
  range.read(args, wanted.by, isTurned ? first + 1 : first, isTurned ? first : first + 1);
}

function readOptions(context: Context, first: number, open: number): void {
  const { args } = context;
  let isOrderOpen = (open & Open.Order) !== 0;
  let isDirectionOpen = (open & Open.Direction) !== 0;
  for (let index = first; index < args.count; index++) {
    if ((open & Open.Scores) !== 0 && isWord(args, index, WITHSCORES)) wanted.withScores = true;
    else if (isWord(args, index, LIMIT) && index + 2 < args.count) {
      wanted.offset = readInteger(args, index + 1);
      wanted.limit = readInteger(args, index + 2);
      index += 2;
    } else if (isDirectionOpen && isWord(args, index, REV)) {
      wanted.isReversed = true;
      isDirectionOpen = false;
    } else if (isOrderOpen && isWord(args, index, BYLEX)) {
      wanted.by = By.Name;
      isOrderOpen = false;
    } else if (isOrderOpen && isWord(args, index, BYSCORE)) {
      wanted.by = By.Score;
      isOrderOpen = false;
    } else {
      throw SYNTAX;
    }
  }
}

/** Finds the ranks that are wanted, in the opened set. */
function resolveRange(u8: Uint8Array): number {
  range.resolve(set, u8);
  if (wanted.by !== By.Rank) range.cut(wanted.offset, wanted.limit, wanted.isReversed);
  else if (wanted.isReversed) range.turn(set.length);
  return range.end - range.from;
}

function answerRange(context: Context, by: By, isReversed: boolean, open: number): void {
  const { args, reply } = context;
  readRange(context, 2, by, isReversed, open);

  const count = findSet(context, 1) ? resolveRange(args.u8) : 0;

  const { withScores } = wanted;
  const isNested = withScores && reply.protocol === 3;
  reply.array(withScores && !isNested ? count * 2 : count);
  if (count === 0) return;
  walk.seek(set, wanted.isReversed ? range.end - 1 : range.from);
  const step = wanted.isReversed ? -TOUCHED_MAX : TOUCHED_MAX;
  for (let index = 0; index < count; index++) {
    if (index % TOUCHED_MAX === 0)
      walk.touch(count - index < TOUCHED_MAX ? turned(count - index) : step);
    if (isNested) reply.array(2);
    reply.bulk(walk.u8, walk.start, walk.length);
    if (withScores) {
      walk.readScore();
      reply.double(walk.score);
    }
    if (wanted.isReversed) walk.previous();
    else walk.next();
  }
}

/** So many members in the direction of the walk. */
function turned(count: number): number {
  return wanted.isReversed ? -count : count;
}

const READ_KEYS = [keyAt(1, 'RO', 'access')];

const zrange = keyCommand({
  name: 'zrange',
  arity: -4,
  group: 'sorted-set',
  since: '1.2.0',
  summary: 'Lists the members between two ranks, two scores or two names.',
  cost: 'O(log(N)+M) for N members in the sorted set and M in the answer.',
  flags: Flag.Read,
  syntax: 'key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]',
  keys: READ_KEYS,
  history: [['6.2.0', 'Takes the options REV, BYSCORE, BYLEX and LIMIT.']],
  run(context) {
    answerRange(context, By.Rank, false, Open.Order | Open.Direction | Open.Scores);
  },
});

const zrevrange = keyCommand({
  name: 'zrevrange',
  arity: -4,
  group: 'sorted-set',
  since: '1.2.0',
  summary: 'Lists the members between two ranks, counted from the highest score.',
  cost: 'O(log(N)+M) for N members in the sorted set and M in the answer.',
  flags: Flag.Read,
  syntax: 'key start stop [WITHSCORES]',
  keys: READ_KEYS,
  deprecatedSince: '6.2.0',
  replacedBy: '`ZRANGE` with the `REV` argument',
  run: (context) => answerRange(context, By.Rank, true, Open.Scores),
});

const zrangebyscore = keyCommand({
  name: 'zrangebyscore',
  arity: -4,
  group: 'sorted-set',
  since: '1.0.5',
  summary: 'Lists the members between two scores.',
  cost: 'O(log(N)+M) for N members in the sorted set and M in the answer.',
  flags: Flag.Read,
  syntax: 'key min max [WITHSCORES] [LIMIT offset count]',
  keys: READ_KEYS,
  history: [['2.0.0', 'Takes the option WITHSCORES.']],
  deprecatedSince: '6.2.0',
  replacedBy: '`ZRANGE` with the `BYSCORE` argument',
  run: (context) => answerRange(context, By.Score, false, Open.Scores),
});

const zrevrangebyscore = keyCommand({
  name: 'zrevrangebyscore',
  arity: -4,
  group: 'sorted-set',
  since: '2.2.0',
  summary: 'Lists the members between two scores, from the highest down.',
  cost: 'O(log(N)+M) for N members in the sorted set and M in the answer.',
  flags: Flag.Read,
  syntax: 'key max min [WITHSCORES] [LIMIT offset count]',
  keys: READ_KEYS,
  history: [['2.1.6', 'A lowest and a highest score may be left out of the range.']],
  deprecatedSince: '6.2.0',
  replacedBy: '`ZRANGE` with the `REV` and `BYSCORE` arguments',
  run: (context) => answerRange(context, By.Score, true, Open.Scores),
});

const zrangebylex = keyCommand({
  name: 'zrangebylex',
  arity: -4,
  group: 'sorted-set',
  since: '2.8.9',
  summary: 'Lists the members between two names, where all scores are the same.',
  cost: 'O(log(N)+M) for N members in the sorted set and M in the answer.',
  flags: Flag.Read,
  syntax: 'key min max [LIMIT offset count]',
  keys: READ_KEYS,
  deprecatedSince: '6.2.0',
  replacedBy: '`ZRANGE` with the `BYLEX` argument',
  // WITHSCORES is understood here, to be refused with a line of its own.
  run: (context) => answerRange(context, By.Name, false, Open.Scores),
});

const zrevrangebylex = keyCommand({
  name: 'zrevrangebylex',
  arity: -4,
  group: 'sorted-set',
  since: '2.8.9',
  summary: 'Lists the members between two names from the last up, where all scores are the same.',
  cost: 'O(log(N)+M) for N members in the sorted set and M in the answer.',
  flags: Flag.Read,
  syntax: 'key max min [LIMIT offset count]',
  keys: READ_KEYS,
  deprecatedSince: '6.2.0',
  replacedBy: '`ZRANGE` with the `REV` and `BYLEX` arguments',
  run: (context) => answerRange(context, By.Name, true, Open.Scores),
});

const zrangestore = crossCommand({
  name: 'zrangestore',
  arity: -5,
  group: 'sorted-set',
  since: '6.2.0',
  summary: 'Stores the members between two ranks, two scores or two names under another key.',
  cost: 'O(log(N)+M) for N members in the sorted set and M that are stored.',
  flags: Flag.Write | Flag.DenyOom,
  syntax: 'dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]',
  keys: [keyAt(1, 'OW', 'update'), keyAt(2, 'RO', 'access')],
  run(context) {
    readRange(context, 3, By.Rank, false, Open.Order | Open.Direction);

    collected.begin();
    const count = findSet(context, 2) ? resolveRange(context.args.u8) : 0;
    if (count > 0) {
      walk.seek(set, range.from);
      for (let index = 0; index < count; index++) {
        walk.readScore();
        collected.append(walk.u8, walk.start, walk.length, walk.score);
        walk.next();
      }
    }

    collected.store(context, 1, 'zrangestore');
  },
});

export const rangeCommands: readonly CommandSpec[] = [
  zrange,
  zrevrange,
  zrangebyscore,
  zrevrangebyscore,
  zrangebylex,
  zrevrangebylex,
  zrangestore,
];
