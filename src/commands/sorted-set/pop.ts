// Members of the lowest or highest scores, taken out. popFromSortedSet is what the commands that
// wait for a member run, too, once there is one.

import { isWord, readIntegerIn, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import {
  type CommandSpec,
  countedKeysAt,
  crossCommand,
  Flag,
  keyAt,
  keyCommand,
} from '../../dispatch/define.js';
import { type EntryRef, Type } from '../../keyspace/entry.js';
import { OUT_OF_RANGE_POSITIVE, Refusal, SYNTAX } from '../../resp/errors.js';
import { NONE } from '../../slab/slab.js';
import { endRemoval, openSet, set, walk } from './window.js';

const MIN = word('MIN');
const MAX = word('MAX');
const COUNT = word('COUNT');
const ZPOPMIN = word('ZPOPMIN');
const ZPOPMAX = word('ZPOPMAX');

const NO_KEYS = new Refusal('ERR numkeys should be greater than 0');
const NO_COUNT = new Refusal('ERR count should be greater than 0');

/** What popFromSortedSet answers with. */
export const enum PopForm {
  /** member, score, member, score … */
  Flat = 0,
  /** A pair for each member. */
  Pairs = 1,
  /** The key, then member and score: BZPOPMIN. */
  KeyAndMember = 2,
  /** The key, then an array of pairs: ZMPOP. */
  KeyAndPairs = 3,
}

/**
 * Takes up to `count` members, at least one, from the sorted set of word `index`, whose entry was
 * found by `edit`: those of the highest scores, or of the lowest. Answers, and says what happened.
 * The record is of ZPOPMIN or ZPOPMAX, with a count where the form is that of ZMPOP.
 */
export function popFromSortedSet(
  context: Context,
  index: number,
  entry: EntryRef,
  isMax: boolean,
  count: number,
  form: PopForm,
): void {
  const { args, effects, reply } = context;
  const { length } = openSet(context.at(index).slab, entry);
  const popped = Math.min(count, length);

  if (form >= PopForm.KeyAndMember && effects.isRecording) {
    effects.begin(form === PopForm.KeyAndPairs ? 3 : 2);
    effects.word(isMax ? ZPOPMAX : ZPOPMIN);
    effects.arg(args, index);
    if (form === PopForm.KeyAndPairs) effects.int64(popped, 0);
  }
  // The reply is written into the session's own bytes: it cannot fail half-way.
  const isNested = form === PopForm.Pairs || form === PopForm.KeyAndPairs;
  if (form === PopForm.KeyAndMember) reply.array(popped * 2 + 1);
  else if (form === PopForm.KeyAndPairs) reply.array(2);
  if (form >= PopForm.KeyAndMember) reply.bulk(args.u8, args.startOf(index), args.lengthOf(index));
  if (isNested) reply.array(popped);
  else if (form === PopForm.Flat) reply.array(popped * 2);
  walk.seek(set, isMax ? length - 1 : 0);
  for (let member = 0; member < popped; member++) {
    if (isNested) reply.array(2);
    reply.bulk(walk.u8, walk.start, walk.length);
    walk.readScore();
    reply.double(walk.score);
    if (isMax) walk.previous();
    else walk.next();
  }

  set.removeRange(isMax ? length - popped : 0, popped);
  endRemoval(context, index, entry, isMax ? 'zpopmax' : 'zpopmin');
}

function pop(context: Context, isMax: boolean): void {
  const { args, partition, reply } = context;
  if (args.count > 3) throw SYNTAX;
  const hasCount = args.count === 3;
  const count = hasCount
    ? readIntegerIn(args, 2, 0, Infinity, OUT_OF_RANGE_POSITIVE, OUT_OF_RANGE_POSITIVE)
    : 1;

  const entry = partition.edit(args, 1, Type.SortedSet);
  if (entry === NONE || count === 0) {
    reply.array(0);
    return;
  }

  const form = hasCount && reply.protocol === 3 ? PopForm.Pairs : PopForm.Flat;
  popFromSortedSet(context, 1, entry, isMax, count, form);
}

const POP_KEYS = [keyAt(1, 'RW', 'access', 'delete')];

const zpopmin = keyCommand({
  name: 'zpopmin',
  arity: -2,
  group: 'sorted-set',
  since: '5.0.0',
  summary: 'Takes the members of the lowest scores out; with the last of them the key goes.',
  cost: 'O(log(N)*M) for N members in the sorted set and M that are taken.',
  flags: Flag.Write | Flag.Fast,
  syntax: 'key [count]',
  keys: POP_KEYS,
  run: (context) => pop(context, false),
});

const zpopmax = keyCommand({
  name: 'zpopmax',
  arity: -2,
  group: 'sorted-set',
  since: '5.0.0',
  summary: 'Takes the members of the highest scores out; with the last of them the key goes.',
  cost: 'O(log(N)*M) for N members in the sorted set and M that are taken.',
  flags: Flag.Write | Flag.Fast,
  syntax: 'key [count]',
  keys: POP_KEYS,
  run: (context) => pop(context, true),
});

/** What ZMPOP, or BZMPOP, asks for. */
export const multiplePop = { keyCount: 0, firstKey: 0, isMax: false, count: 1 };

/** Reads `numkeys key [key ...] MIN | MAX [COUNT count]` from word `first` on into multiplePop. */
export function readMultiplePop(context: Context, first: number): void {
  const { args } = context;
  const keyCount = readIntegerIn(args, first, 1, Infinity, NO_KEYS, NO_KEYS);
  const whereIndex = first + keyCount + 1;
  if (whereIndex >= args.count) throw SYNTAX;
  const isMax = isWord(args, whereIndex, MAX);
  if (!isMax && !isWord(args, whereIndex, MIN)) throw SYNTAX;
  let count = -1;
  for (let index = whereIndex + 1; index < args.count; index += 2) {
    if (count !== -1 || index + 1 >= args.count || !isWord(args, index, COUNT)) throw SYNTAX;
    count = readIntegerIn(args, index + 1, 1, Infinity, NO_COUNT, NO_COUNT);
  }
  multiplePop.keyCount = keyCount;
  multiplePop.firstKey = first + 1;
  multiplePop.isMax = isMax;
  multiplePop.count = count === -1 ? 1 : count;
}

/** Pops from the first key that holds members, as multiplePop has it; false when none does. */
export function popFromFirst(context: Context): boolean {
  const { args } = context;
  const { count, firstKey, isMax, keyCount } = multiplePop;
  for (let index = firstKey; index < firstKey + keyCount; index++) {
    const entry = context.at(index).edit(args, index, Type.SortedSet);
    if (entry === NONE) continue;
    popFromSortedSet(context, index, entry, isMax, count, PopForm.KeyAndPairs);
    return true;
  }
  return false;
}

const zmpop = crossCommand({
  name: 'zmpop',
  arity: -4,
  group: 'sorted-set',
  since: '7.0.0',
  summary: 'Takes members of the lowest or highest scores out of the first key that holds any.',
  cost: 'O(K) + O(M*log(N)) for K keys, N members in the sorted set and M that are taken.',
  flags: Flag.Write | Flag.MovableKeys,
  syntax: 'numkeys key [key ...] MIN | MAX [COUNT count]',
  keys: [countedKeysAt(1, 1, 'RW', 'access', 'delete')],
  run(context) {
    readMultiplePop(context, 1);

    if (!popFromFirst(context)) context.reply.nilArray();
  },
});

export const popCommands: readonly CommandSpec[] = [zpopmin, zpopmax, zmpop];
