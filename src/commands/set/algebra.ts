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
import { JoinKind } from '../../dispatch/parts.js';
import { Encoding, Type } from '../../keyspace/entry.js';
import { Refusal, SYNTAX } from '../../resp/errors.js';
import type { BlockRef } from '../../slab/alloc.js';
import { NONE } from '../../slab/slab.js';
import { integersIsAt, integersSeek } from '../../structs/integers.js';
import { Row, Wanted } from '../../structs/table-join.js';
import type { MemberRef } from '../../types/set/member.js';
import { SetResult } from '../../types/set/result.js';
import { SetValue } from '../../types/set/value.js';
import { SetWalk } from '../../types/set/walk.js';
import { thresholds } from '../../types/thresholds.js';
import { isWorthJoining, Joined } from '../joined.js';
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
const joined = new Joined();

/** Collects into `result`; finds all sets first, which may refuse. */
type Collect = (context: Context, first: number, end: number, limit: number) => void;

// ── Two tables at once ───────────────────────────────────────────────────────────────────────

/** Is it worth while to meet the members of `set` together with those of `other`? */
function canJoin(set: SetValue, other: SetValue, limit: number): boolean {
  if (set.encoding !== Encoding.Table || other.encoding !== Encoding.Table) return false;
  return isWorthJoining(set.count, other.count, limit);
}

/** `walk` and `joined` go to set `at`: which of its members has set `other`, too, or has it not? */
function openJoin(context: Context, at: number, other: number, wanted: Wanted): void {
  const set = sources.sets[at]!;
  const { slab, root } = sources.sets[other]!;
  const { count, root: own } = set;
  joined.open(context, set.slab, own << 1, count, slab, root << 1, JoinKind.Sets, wanted);
  walk.open(set);
}

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
  if (sources.count > 1 && canJoin(smallest, sets[1]!, limit)) {
    intersectJoined(context, limit);
    return;
  }
  if (isIntegers && areAllIntegers()) {
    intersectIntegers(limit);
    return;
  }
  walk.open(smallest);
  while (result.count < limit && walk.next()) {
    if (isInAll(1)) result.add(walk, 0);
  }
};

function areAllIntegers(): boolean {
  const { sets, count } = sources;
  for (let at = 0; at < count; at++) if (sets[at]!.encoding !== Encoding.Integers) return false;
  return true;
}

/** Where intersectIntegers stands in each set. */
let places = new Int32Array(8);

/** Arrays in ascending order are gone through side by side. */
function intersectIntegers(limit: number): void {
  if (places.length < sources.count) places = new Int32Array(sources.count * 2);
  places.fill(0);
  walk.open(sources.sets[0]!);
  while (result.count < limit && walk.next()) {
    if (isAtPlaces()) result.add(walk, 0);
  }
}

function isAtPlaces(): boolean {
  const { sets, count } = sources;
  const { low, high } = walk;
  for (let at = 1; at < count; at++) {
    const { slab, root } = sets[at]!;
    const place = integersSeek(slab, root as BlockRef, places[at]!, low, high);
    places[at] = place;
    if (!integersIsAt(slab, root as BlockRef, place, low, high)) return false;
  }
  return true;
}

function intersectJoined(context: Context, limit: number): void {
  const isDecided = sources.count === 2;
  openJoin(context, 0, 1, Wanted.Common);
  while (joined.next()) {
    if (result.count >= limit) {
      joined.close();
      return;
    }
    const { rowCount, rows, rowsAt } = joined;
    if (isDecided && result.countsOnly) {
      result.count += rowCount;
      continue;
    }
    for (let row = 0; row < rowCount; row++) {
      walk.standOnBlock(rows[rowsAt + row * Row.Words + Row.Ref]! as MemberRef);
      if (isDecided || isInAll(2)) result.add(walk, 0);
    }
  }
}

/** Is the member where the walk stands in all sets from `first` on? */
function isInAll(first: number): boolean {
  const { sets, count } = sources;
  for (let at = first; at < count; at++) {
    if (!isSame(sets[at]!, sets[0]!) && !walk.isIn(sets[at]!)) return false;
  }
  return true;
}

/** Is the member where the walk stands in any set from `first` on, before `end`? */
function isInAny(first: number, end: number): boolean {
  const { sets } = sources;
  for (let at = first; at < end; at++) {
    if (walk.isIn(sets[at]!)) return true;
  }
  return false;
}

const unite: Collect = (context, first, end, limit) => {
  sources.find(context, first, end);
  result.begin(Encoding.Integers);
  if (sources.count > 0 && canUniteInOrder()) {
    uniteLargest(context, limit);
    return;
  }
  for (let at = 0; at < sources.count; at++) {
    walk.open(sources.sets[at]!);
    while (result.count < limit && walk.next()) result.addOnce(walk, at);
  }
};

/** Looking members up in more sets than this takes longer than indexing the result. */
const LOOKED_UP_SETS_MAX = 3;

/**
 * May the largest set come first? With few sets, and when the result becomes a table whatever comes
 * first: else the order of the members decides on the encoding.
 */
function canUniteInOrder(): boolean {
  const { sets, count } = sources;
  if (count > LOOKED_UP_SETS_MAX) return false;
  const { setMaxIntsetEntries, setMaxListpackEntries } = thresholds;
  for (let at = 0; at < count; at++) {
    const set = sets[at]!;
    if (set.encoding === Encoding.Table) {
      if (set.count > Math.max(setMaxIntsetEntries, setMaxListpackEntries)) return true;
    }
  }
  return false;
}

/** All members of the largest set, and of each other those that none before it has. */
function uniteLargest(context: Context, limit: number): void {
  const { sets } = sources;
  sources.sort(0, false);
  walk.open(sets[0]!);
  while (result.count < limit && walk.next()) result.add(walk, 0);
  for (let at = 1; at < sources.count && result.count < limit; at++) {
    addUnlike(context, at, 0, at, limit);
  }
}

/** Adds the members of set `at` that no set in [first, end) has. */
function addUnlike(context: Context, at: number, first: number, end: number, limit: number): void {
  const { sets } = sources;
  const set = sets[at]!;
  for (let other = first; other < end; other++) if (isSame(sets[other]!, set)) return;
  if (first === end || !canJoin(set, sets[first]!, limit)) {
    walk.open(set);
    while (result.count < limit && walk.next()) {
      if (!isInAny(first, end)) result.add(walk, at);
    }
    return;
  }
  openJoin(context, at, first, Wanted.Alone);
  while (joined.next()) {
    if (result.count >= limit) {
      joined.close();
      return;
    }
    const { rowCount, rows, rowsAt } = joined;
    if (result.countsOnly && first + 1 === end) {
      result.count += rowCount;
      continue;
    }
    for (let row = 0; row < rowCount; row++) {
      walk.standOnBlock(rows[rowsAt + row * Row.Words + Row.Ref]! as MemberRef);
      if (!isInAny(first + 1, end)) result.add(walk, at);
    }
  }
}

const subtract: Collect = (context, first, end, limit) => {
  sources.find(context, first, end);
  result.begin(Encoding.Integers);
  if (!sources.hasFirst || sources.repeatsFirst) return;
  if (looksUp()) {
    // The largest first: it is the likeliest to have the member.
    sources.sort(1, false);
    addUnlike(context, 0, 1, sources.count, limit);
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
  result.countsOnly = false;
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
  result.countsOnly = false;
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
  if (replaced !== NONE && count === 0) target.remove(args, 1, replaced);
  if (count > 0) {
    if (replaced !== NONE) target.makeWay(args, 1, replaced);
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

  result.countsOnly = true;
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
