// Sets with sets: intersections, unions and differences, answered, stored or only counted. The
// sets may lie in several partitions, all of whose locks are held.

import type { Slices } from '../../base/slices.js';
import { isWord, readIntegerIn, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import {
  type CommandSpec,
  countedKeysAt,
  crossCommand,
  Flag,
  keyAt,
  keysFrom,
} from '../../dispatch/define.js';
import { Notify } from '../../dispatch/effects.js';
import { Encoding, Type } from '../../keyspace/entry.js';
import { Refusal, SYNTAX } from '../../resp/errors.js';
import { NONE } from '../../slab/slab.js';
import { SetResult } from '../../types/set/result.js';
import { SetValue } from '../../types/set/value.js';
import { SetWalk } from '../../types/set/walk.js';
import { createSetEntry, entryReserve, openSet, replyMembers } from './members.js';

const INT64_MAX = 2 ** 63;
const NO_KEYS = new Refusal('ERR numkeys should be greater than 0');
const TOO_MANY_KEYS = new Refusal("ERR Number of keys can't be greater than number of args");
const NEGATIVE_LIMIT = new Refusal("ERR LIMIT can't be negative");
const LIMIT = word('LIMIT');
const APPROX = word('APPROX');

/** Counting stops here. */
const NO_LIMIT = Number.POSITIVE_INFINITY;

/** The sets that exist among those named, as their own first, sorted as the operation wants. */
class Sources {
  readonly sets: SetValue[] = [];
  count = 0;
  missing = 0;
  /** Does the first key exist? */
  hasFirst = false;
  /** Does the first key come again? */
  repeatsFirst = false;

  /** Finds the sets of the keys in words [first, end). */
  find(context: Context, first: number, end: number): void {
    const { args } = context;
    this.count = 0;
    this.missing = 0;
    this.hasFirst = false;
    this.repeatsFirst = false;
    for (let index = first; index < end; index++) {
      const partition = context.at(index);
      const entry = partition.find(args, index, Type.Set);
      if (entry === NONE) {
        this.missing++;
        continue;
      }
      if (this.count === this.sets.length) this.sets.push(new SetValue());
      const set = openSet(this.sets[this.count]!, partition, entry);
      if (index === first) this.hasFirst = true;
      else if (this.hasFirst && isSame(set, this.sets[0]!)) this.repeatsFirst = true;
      this.count++;
    }
  }

  /** Sorts the sets from `first` on by how many members they have. */
  sort(first: number, isAscending: boolean): void {
    const { sets } = this;
    for (let at = first + 1; at < this.count; at++) {
      const moving = sets[at]!;
      const size = isAscending ? moving.count : -moving.count;
      let to = at;
      for (; to > first; to--) {
        const before = sets[to - 1]!;
        if ((isAscending ? before.count : -before.count) <= size) break;
        sets[to] = before;
      }
      sets[to] = moving;
    }
  }
}

function isSame(one: SetValue, other: SetValue): boolean {
  return one.slab === other.slab && one.root === other.root;
}

const sources = new Sources();
const result = new SetResult(sources.sets);
const walk = new SetWalk();

/** Collects into `result`; finds all sets first, which may refuse. */
type Collect = (context: Context, first: number, end: number, limit: number) => void;

// ── The three operations ─────────────────────────────────────────────────────────────────────

const intersect: Collect = (context, first, end, limit) => {
  sources.find(context, first, end);
  if (sources.missing > 0) {
    result.begin(Encoding.Integers);
    return;
  }
  sources.sort(0, true);
  const { sets } = sources;
  const smallest = sets[0]!;
  // Redis collects in an array of integers only what comes from one.
  const isIntegers = smallest.encoding === Encoding.Integers;
  result.begin(isIntegers ? Encoding.Integers : Encoding.Packed);
  walk.open(smallest);
  while (result.count < limit && walk.next()) {
    if (isInAll(1)) result.add(walk, 0);
  }
};

/** Is the member where the walk stands in all sets from `first` on? */
function isInAll(first: number): boolean {
  const { sets, count } = sources;
  for (let at = first; at < count; at++) {
    if (!isSame(sets[at]!, sets[0]!) && !walk.isIn(sets[at]!)) return false;
  }
  return true;
}

function isInAny(first: number): boolean {
  const { sets, count } = sources;
  for (let at = first; at < count; at++) {
    if (walk.isIn(sets[at]!)) return true;
  }
  return false;
}

const unite: Collect = (context, first, end, limit) => {
  sources.find(context, first, end);
  result.begin(Encoding.Integers);
  for (let at = 0; at < sources.count; at++) {
    walk.open(sources.sets[at]!);
    while (result.count < limit && walk.next()) result.addOnce(walk, at);
  }
};

const subtract: Collect = (context, first, end, limit) => {
  sources.find(context, first, end);
  result.begin(Encoding.Integers);
  if (!sources.hasFirst || sources.repeatsFirst) return;
  if (looksUp()) {
    // The largest first: it is the likeliest to have the member.
    sources.sort(1, false);
    walk.open(sources.sets[0]!);
    while (result.count < limit && walk.next()) {
      if (!isInAny(1)) result.add(walk, 0);
    }
    return;
  }
  walk.open(sources.sets[0]!);
  while (walk.next()) result.addOnce(walk, 0);
  for (let at = 1; at < sources.count && result.count > 0; at++) {
    walk.open(sources.sets[at]!);
    while (walk.next()) result.remove(walk);
  }
};

/**
 * Looking each member of the first set up in the others takes a step for each of them and each set;
 * taking the others' members out of the first takes a step for each of all members. As Redis
 * decides, which gives the former an advantage.
 */
function looksUp(): boolean {
  const { sets, count } = sources;
  let all = 0;
  for (let at = 0; at < count; at++) all += sets[at]!.count;
  return Math.floor((sets[0]!.count * count) / 2) <= all;
}

// ── What becomes of the result ───────────────────────────────────────────────────────────────

function answer(context: Context, collect: Collect): void {
  const { args, reply } = context;
  if (args.count === 2) {
    answerOne(context);
    return;
  }
  collect(context, 1, args.count, NO_LIMIT);

  reply.set(result.count);
  while (result.next()) {
    if (result.isInteger) reply.bulkInt64(result.low, result.high);
    else reply.bulk(result.u8, result.start, result.length);
  }
  result.end();
}

/** Any operation on one set is that set. */
function answerOne(context: Context): void {
  const { reply } = context;
  sources.find(context, 1, 2);
  if (sources.count === 0) {
    reply.set(0);
    return;
  }
  const set = sources.sets[0]!;
  reply.set(set.count);
  replyMembers(reply, set);
}

function store(context: Context, collect: Collect, event: string): void {
  const { args, reply } = context;
  collect(context, 2, args.count, NO_LIMIT);

  const target = context.at(1);
  const { count } = result;
  const encoding = result.storedEncoding(collect === intersect);
  const { slab } = target;
  if (count > 0) target.reserve(result.storeReserve(slab, encoding) + entryReserve(context, 1));

  // The sets that the result comes from may be the one that goes.
  const root = count > 0 ? result.store(slab, encoding) : NONE;
  result.end();
  const replaced = target.peek(args, 1);
  if (replaced !== NONE) target.remove(args, 1, replaced);
  if (count > 0) {
    createSetEntry(context, 1, stored.open(slab, encoding, root));
    context.changed(1, Notify.Set, event);
  } else if (replaced !== NONE) {
    context.changed(1, Notify.Generic, 'del');
  }

  reply.integer(count);
}

const stored = new SetValue();

function readKeyCount(args: Slices): number {
  const count = readIntegerIn(args, 1, 1, INT64_MAX, NO_KEYS, NO_KEYS);
  if (count > args.count - 2) throw TOO_MANY_KEYS;
  return count;
}

/** The options behind the keys; `takesApprox`: a union may be estimated, yet it is exact. */
function readLimit(args: Slices, first: number, takesApprox: boolean): number {
  let limit = 0;
  for (let index = first; index < args.count; index++) {
    if (isWord(args, index, LIMIT) && index + 1 < args.count) {
      limit = readIntegerIn(args, ++index, 0, INT64_MAX, NEGATIVE_LIMIT, NEGATIVE_LIMIT);
    } else if (!takesApprox || !isWord(args, index, APPROX)) {
      throw SYNTAX;
    }
  }
  return limit === 0 ? NO_LIMIT : limit;
}

function count(context: Context, collect: Collect): void {
  const { args, reply } = context;
  const end = 2 + readKeyCount(args);
  const limit = readLimit(args, end, collect === unite);

  collect(context, 2, end, limit);

  reply.integer(Math.min(result.count, limit));
  result.end();
}

// ── Commands ─────────────────────────────────────────────────────────────────────────────────

const READ_KEYS = [keysFrom(1, -1, 1, 'RO', 'access')];
const STORE_KEYS = [keyAt(1, 'OW', 'update'), keysFrom(2, -1, 1, 'RO', 'access')];
const COUNTED_KEYS = [countedKeysAt(1, 1, 'RO', 'access')];
const COUNTED_SYNTAX = 'numkeys key [key ...] [LIMIT limit]';
const IN_ANY_ORDER = ['nondeterministic_output_order'];
const INTERSECTION_COST = 'O(N*M) for N members of the smallest of M sets.';
const TOTAL_COST = 'O(N) for N members of all sets.';

const sinter = crossCommand({
  name: 'sinter',
  arity: -2,
  group: 'set',
  since: '1.0.0',
  summary: 'Lists what is a member of each of several sets.',
  cost: INTERSECTION_COST,
  flags: Flag.Read,
  syntax: 'key [key ...]',
  keys: READ_KEYS,
  tips: IN_ANY_ORDER,
  run: (context) => answer(context, intersect),
});

const sinterstore = crossCommand({
  name: 'sinterstore',
  arity: -3,
  group: 'set',
  since: '1.0.0',
  summary: 'Stores what is a member of each of several sets.',
  cost: INTERSECTION_COST,
  flags: Flag.Write | Flag.DenyOom,
  syntax: 'destination key [key ...]',
  keys: STORE_KEYS,
  run: (context) => store(context, intersect, 'sinterstore'),
});

const sintercard = crossCommand({
  name: 'sintercard',
  arity: -3,
  group: 'set',
  since: '7.0.0',
  summary: 'Counts what is a member of each of several sets.',
  cost: INTERSECTION_COST,
  flags: Flag.Read | Flag.MovableKeys,
  syntax: COUNTED_SYNTAX,
  keys: COUNTED_KEYS,
  run: (context) => count(context, intersect),
});

const sunion = crossCommand({
  name: 'sunion',
  arity: -2,
  group: 'set',
  since: '1.0.0',
  summary: 'Lists what is a member of any of several sets.',
  cost: TOTAL_COST,
  flags: Flag.Read,
  syntax: 'key [key ...]',
  keys: READ_KEYS,
  tips: IN_ANY_ORDER,
  run: (context) => answer(context, unite),
});

const sunionstore = crossCommand({
  name: 'sunionstore',
  arity: -3,
  group: 'set',
  since: '1.0.0',
  summary: 'Stores what is a member of any of several sets.',
  cost: TOTAL_COST,
  flags: Flag.Write | Flag.DenyOom,
  syntax: 'destination key [key ...]',
  keys: STORE_KEYS,
  run: (context) => store(context, unite, 'sunionstore'),
});

const sunioncard = crossCommand({
  name: 'sunioncard',
  arity: -3,
  group: 'set',
  since: '8.10.0',
  summary: 'Counts what is a member of any of several sets; the count is exact with APPROX, too.',
  cost: TOTAL_COST,
  flags: Flag.Read | Flag.MovableKeys,
  syntax: 'numkeys key [key ...] [APPROX] [LIMIT limit]',
  keys: COUNTED_KEYS,
  run: (context) => count(context, unite),
});

const sdiff = crossCommand({
  name: 'sdiff',
  arity: -2,
  group: 'set',
  since: '1.0.0',
  summary: 'Lists what is a member of the first set and of none of the others.',
  cost: TOTAL_COST,
  flags: Flag.Read,
  syntax: 'key [key ...]',
  keys: READ_KEYS,
  tips: IN_ANY_ORDER,
  run: (context) => answer(context, subtract),
});

const sdiffstore = crossCommand({
  name: 'sdiffstore',
  arity: -3,
  group: 'set',
  since: '1.0.0',
  summary: 'Stores what is a member of the first set and of none of the others.',
  cost: TOTAL_COST,
  flags: Flag.Write | Flag.DenyOom,
  syntax: 'destination key [key ...]',
  keys: STORE_KEYS,
  run: (context) => store(context, subtract, 'sdiffstore'),
});

const sdiffcard = crossCommand({
  name: 'sdiffcard',
  arity: -3,
  group: 'set',
  since: '8.10.0',
  summary: 'Counts what is a member of the first set and of none of the others.',
  cost: TOTAL_COST,
  flags: Flag.Read | Flag.MovableKeys,
  syntax: COUNTED_SYNTAX,
  keys: COUNTED_KEYS,
  run: (context) => count(context, subtract),
});

export const setAlgebraCommands: readonly CommandSpec[] = [
  sinter,
  sinterstore,
  sintercard,
  sunion,
  sunionstore,
  sunioncard,
  sdiff,
  sdiffstore,
  sdiffcard,
];
