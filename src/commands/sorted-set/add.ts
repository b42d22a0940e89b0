// Members and their scores: ZADD and ZINCRBY.

import type { Slices } from '../../base/slices.js';
import { isWord, readDouble, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { Notify } from '../../dispatch/effects.js';
import { type EntryRef, Type } from '../../keyspace/entry.js';
import { Refusal, SYNTAX } from '../../resp/errors.js';
import { NONE } from '../../slab/slab.js';
import { SortedSet } from '../../types/sorted-set/index.js';
import { createSet, entryReserve, keepSet, openSet, set } from './window.js';

const NX = word('NX');
const XX = word('XX');
const GT = word('GT');
const LT = word('LT');
const CH = word('CH');
const INCR = word('INCR');

const XX_AND_NX = new Refusal('ERR XX and NX options at the same time are not compatible');
const GT_LT_NX = new Refusal('ERR GT, LT, and/or NX options at the same time are not compatible');
const ONE_PAIR = new Refusal('ERR INCR option supports a single increment-element pair');
const NAN_SCORE = new Refusal('ERR resulting score is not a number (NaN)');

/** What the words before the first score ask for. */
const options = {
  isNew: false,
  isOld: false,
  isGreater: false,
  isLess: false,
  countsChanged: false,
  increments: false,
  /** The word of the first score. */
  firstScore: 0,
};

function readOptions(args: Slices): void {
  options.isNew = false;
  options.isOld = false;
  options.isGreater = false;
  options.isLess = false;
  options.countsChanged = false;
  options.increments = false;
  let index = 2;
  for (; index < args.count; index++) {
    // Scores begin with digits and signs as a rule, so a look at one byte tells them from options.
    if (args.lengthOf(index) < 2 || args.u8[args.startOf(index)]! < LETTER_A) break;
    if (isWord(args, index, NX)) options.isNew = true;
    else if (isWord(args, index, XX)) options.isOld = true;
    else if (isWord(args, index, CH)) options.countsChanged = true;
    else if (isWord(args, index, INCR)) options.increments = true;
    else if (isWord(args, index, GT)) options.isGreater = true;
    else if (isWord(args, index, LT)) options.isLess = true;
    else break;
  }
  options.firstScore = index;
}

const LETTER_A = 0x41;

function refuseOptions(args: Slices): void {
  const { isNew, isOld, isGreater, isLess, firstScore } = options;
  const words = args.count - firstScore;
  if (words === 0 || words % 2 !== 0) throw SYNTAX;
  if (isNew && isOld) throw XX_AND_NX;
  if ((isNew && (isGreater || isLess)) || (isGreater && isLess)) throw GT_LT_NX;
  if (options.increments && words > 2) throw ONE_PAIR;
}

let scores = new Float64Array(64);

/** Reads the scores in words first, first + 2 … into `scores`. */
function readScores(args: Slices, first: number): void {
  const count = (args.count - first) >> 1;
  if (count > scores.length) scores = new Float64Array(count * 2);
  for (let pair = 0; pair < count; pair++) scores[pair] = readDouble(args, first + 2 * pair);
}

const zadd = keyCommand({
  name: 'zadd',
  arity: -4,
  group: 'sorted-set',
  since: '1.2.0',
  summary: 'Adds members to a sorted set, or gives members that are there another score.',
  cost: 'O(log(N)) for each member, N of them in the sorted set.',
  flags: Flag.Write | Flag.DenyOom | Flag.Fast,
  syntax: 'key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]',
  keys: [keyAt(1, 'RW', 'update')],
  history: [
    ['2.4.0', 'Takes several members.'],
    ['3.0.2', 'Takes the options XX, NX, CH and INCR.'],
    ['6.2.0', 'Takes the options GT and LT.'],
  ],
  element: 3,
  run(context) {
    const { args } = context;
    readOptions(args);
    refuseOptions(args);
    const { firstScore } = options;
    readScores(args, firstScore);

    const entry = context.partition.edit(args, 1, Type.SortedSet);
    if (options.increments) increment(context, entry, firstScore + 1);
    else addAll(context, entry, firstScore);
  },
});

/** Adds the pairs of score and member from word `first` on; `options` and `scores` are read. */
function addAll(context: Context, entry: EntryRef, first: number): void {
  const { args, partition } = context;
  const { slab } = partition;
  if (entry === NONE && options.isOld) {
    context.reply.integer(0);
    return;
  }
  reservePairs(context, entry, first);

  const count = (args.count - first) >> 1;
  if (entry === NONE) set.create(slab, count, args.lengthOf(first + 1));
  else openSet(slab, entry).growFor(count);
  let added = 0;
  let updated = 0;
  for (let pair = 0; pair < count; pair++) {
    const outcome = put(args, first + 2 * pair + 1, scores[pair]!);
    if (outcome === Outcome.Added) added++;
    else if (outcome === Outcome.Updated) updated++;
  }
  if (entry === NONE) createSet(partition, context, 1, set);
  else keepSet(entry, set);
  if (added + updated > 0) context.changed(1, Notify.SortedSet, 'zadd');

  context.reply.integer(options.countsChanged ? added + updated : added);
}

/** Makes sure of the memory for the pairs from word `first` on; opens the set of the entry. */
function reservePairs(context: Context, entry: EntryRef, first: number): void {
  const { args, partition } = context;
  let bytes = 0;
  let longest = 0;
  for (let index = first + 1; index < args.count; index += 2) {
    const length = args.lengthOf(index);
    bytes += length;
    if (length > longest) longest = length;
  }
  const count = (args.count - first) >> 1;
  if (entry === NONE) {
    partition.reserve(entryReserve(context, 1) + SortedSet.reserveForNew(count, bytes));
  } else {
    partition.reserve(openSet(partition.slab, entry).reserveFor(count, bytes, longest));
  }
}

const enum Outcome {
  Nothing = 0,
  Added = 1,
  Updated = 2,
}

/** Adds the member of word `index` or gives it this score, as far as the options let it. */
function put(args: Slices, index: number, score: number): Outcome {
  if (!set.find(args.u8, args.startOf(index), args.lengthOf(index))) {
    if (options.isOld) return Outcome.Nothing;
    set.add(score);
    return Outcome.Added;
  }
  const current = set.score;
  if (options.isNew || score === current) return Outcome.Nothing;
  if ((options.isGreater && score < current) || (options.isLess && score > current)) {
    return Outcome.Nothing;
  }
  set.setScore(score);
  return Outcome.Updated;
}

/** Adds the first of `scores` to the score of the member in word `index`, and answers with it. */
function increment(context: Context, entry: EntryRef, index: number): void {
  const { args, partition, reply } = context;
  const { slab } = partition;
  const length = args.lengthOf(index);
  let score = scores[0]!;
  let isThere = false;
  if (entry !== NONE) {
    isThere = openSet(slab, entry).find(args.u8, args.startOf(index), length);
    if (isThere && !options.isNew) {
      const current = set.score;
      score += current;
      if (Number.isNaN(score)) throw NAN_SCORE;
      if ((options.isLess && score >= current) || (options.isGreater && score <= current)) {
        reply.nil();
        return;
      }
    }
  }
  if (isThere ? options.isNew : options.isOld) {
    reply.nil();
    return;
  }
  if (entry === NONE) {
    partition.reserve(entryReserve(context, 1) + SortedSet.reserveForNew(1, length));
  } else {
    partition.reserve(set.reserveFor(1, length, length));
  }

  if (entry === NONE) {
    set.create(slab, 1, length).find(args.u8, args.startOf(index), length);
    set.add(score);
    createSet(partition, context, 1, set);
    context.changed(1, Notify.SortedSet, 'zincr');
  } else if (!isThere || score !== set.score) {
    if (isThere) set.setScore(score);
    else set.add(score);
    keepSet(entry, set);
    context.changed(1, Notify.SortedSet, 'zincr');
  }

  reply.double(score);
}

const zincrby = keyCommand({
  name: 'zincrby',
  arity: 4,
  group: 'sorted-set',
  since: '1.2.0',
  summary: 'Adds to the score of a member; a missing member counts as 0.',
  cost: 'O(log(N)) for N members in the sorted set.',
  flags: Flag.Write | Flag.DenyOom | Flag.Fast,
  syntax: 'key increment member',
  keys: [keyAt(1, 'RW', 'access', 'update')],
  element: 3,
  run(context) {
    const { args } = context;
    options.isNew = false;
    options.isOld = false;
    options.isGreater = false;
    options.isLess = false;
    scores[0] = readDouble(args, 2);

    increment(context, context.partition.edit(args, 1, Type.SortedSet), 3);
  },
});

export const addCommands: readonly CommandSpec[] = [zadd, zincrby];
