// HRANDFIELD: fields by chance.

import { int64 } from '../../base/ascii.js';
import { Prng } from '../../base/prng.js';
import { isWord, readInt64, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { OUT_OF_RANGE, Refusal, SYNTAX } from '../../resp/errors.js';
import type { Reply } from '../../resp/write.js';
import { hash, readWholeHash } from './open.js';

const WITHVALUES = word('WITHVALUES');
const LONG_MAX = '9223372036854775807';
const NOT_LONG = new Refusal(
  `ERR value is out of range, value must between -${LONG_MAX} and ${LONG_MAX}`,
);
const INT32_MIN = -(2 ** 31);
const TWO_30 = 2 ** 30;
/** From a third of the fields on, walking over all of them is cheaper than drawing. */
const SHARE_OF_DRAWS = 3;

const chance = Prng.fromEntropy();

function draw(below: number): number {
  return chance.below(below);
}

/** The count in word 2, which has an opposite. */
function readCount(context: Context): number {
  readInt64(context.args, 2);
  if (int64.lo === 0 && int64.hi === INT32_MIN) throw NOT_LONG;
  return int64.value;
}

/** Is the number read last too large for twice as many replies? */
function isHalfOfRange(): boolean {
  const { lo, hi } = int64;
  return hi >= TWO_30 || hi < -TWO_30 || (hi === -TWO_30 && lo === 0);
}

function replyPair(reply: Reply, withValues: boolean): void {
  if (withValues && reply.protocol === 3) reply.array(2);
  hash.replyName(reply);
  if (withValues) hash.replyValue(reply);
}

function replyHeader(reply: Reply, count: number, withValues: boolean): void {
  reply.array(withValues && reply.protocol === 2 ? count * 2 : count);
}

/** Any fields, the same several times perhaps. */
function replyDraws(context: Context, count: number, withValues: boolean): void {
  const { reply } = context;
  replyHeader(reply, count, withValues);
  for (let left = count; left > 0 && !context.isAbandoned; left--) {
    hash.seekRandom(draw);
    replyPair(reply, withValues);
  }
}

/** `count` different fields in the order of a walk, each choice as likely as any other. */
function replyWalk(reply: Reply, count: number, withValues: boolean): void {
  let left = hash.count;
  let wanted = Math.min(count, left);
  replyHeader(reply, wanted, withValues);
  hash.beginWalk();
  while (wanted > 0 && hash.next()) {
    if (wanted === left || draw(left) < wanted) {
      replyPair(reply, withValues);
      wanted--;
    }
    left--;
  }
}

/** `count` different fields, a small share of a large hash. */
function replyDifferent(reply: Reply, count: number, withValues: boolean): void {
  const seen = new Set<number>();
  replyHeader(reply, count, withValues);
  while (seen.size < count) {
    hash.seekRandom(draw);
    if (seen.has(hash.fieldRef)) continue;
    seen.add(hash.fieldRef);
    replyPair(reply, withValues);
  }
}

const hrandfield = keyCommand({
  name: 'hrandfield',
  arity: -2,
  group: 'hash',
  since: '6.2.0',
  summary: 'Answers with fields of a hash that were chosen by chance.',
  cost: 'O(N) for N fields to answer with.',
  flags: Flag.Read,
  syntax: 'key [count [WITHVALUES]]',
  keys: [keyAt(1, 'RO', 'access')],
  tips: ['nondeterministic_output'],
  run(context) {
    const { args, reply } = context;
    if (args.count === 2) {
      replyOne(context);
      return;
    }
    const count = readCount(context);
    const withValues = args.count > 3;
    if (args.count > 4 || (withValues && !isWord(args, 3, WITHVALUES))) throw SYNTAX;
    if (withValues && isHalfOfRange()) throw OUT_OF_RANGE;

    if (!readWholeHash(context) || count === 0) {
      reply.array(0);
    } else if (count < 0 || count === 1) {
      replyDraws(context, Math.abs(count), withValues);
    } else if (!hash.isLarge || count * SHARE_OF_DRAWS > hash.count) {
      replyWalk(reply, count, withValues);
    } else {
      replyDifferent(reply, count, withValues);
    }
  },
});

function replyOne(context: Context): void {
  if (!readWholeHash(context)) {
    context.reply.nil();
    return;
  }
  hash.seekRandom(draw);
  hash.replyName(context.reply);
}

export const randomCommands: readonly CommandSpec[] = [hrandfield];
