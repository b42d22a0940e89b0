// Single elements of a list: by index, by value, beside another one.

import { int64 } from '../../base/ascii.js';
import { isWord, readInt64, readInteger, readIntegerIn, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { Notify } from '../../dispatch/effects.js';
import { Type } from '../../keyspace/entry.js';
import { INDEX_OUT_OF_RANGE, NO_SUCH_KEY, Refusal, SYNTAX } from '../../resp/errors.js';
import { NONE } from '../../slab/slab.js';
import { Wanted } from '../../types/list.js';
import { list, openList, replyElement, saveList, saveOrRemove } from './value.js';

const wanted = new Wanted();

/** Sets `wanted` to the text of word `index`. */
function readWanted(context: Context, index: number): void {
  const { args } = context;
  wanted.set(args.u8, args.startOf(index), args.lengthOf(index));
}

const llen = keyCommand({
  name: 'llen',
  arity: 2,
  group: 'list',
  since: '1.0.0',
  summary: 'Counts the elements of a list.',
  cost: 'O(1)',
  flags: Flag.Read | Flag.Fast,
  syntax: 'key',
  keys: [keyAt(1, 'RO')],
  run({ args, partition, reply }) {
    const entry = partition.find(args, 1, Type.List);

    reply.integer(entry === NONE ? 0 : openList(list, partition, entry).length);
  },
});

const lindex = keyCommand({
  name: 'lindex',
  arity: 3,
  group: 'list',
  since: '1.0.0',
  summary: 'Returns the element at an index of a list; negative indexes count from the end.',
  cost: 'O(N) for N elements between the index and the nearer end; O(1) at both ends.',
  flags: Flag.Read,
  syntax: 'key index',
  keys: [keyAt(1, 'RO', 'access')],
  run({ args, partition, reply }) {
    // As in Redis, a missing key is nil whatever the index is.
    const entry = partition.find(args, 1, Type.List);
    if (entry === NONE) {
      reply.nil();
      return;
    }
    const index = readInteger(args, 2);
    openList(list, partition, entry);

    if (list.seek(index < 0 ? index + list.length : index)) replyElement(reply, list.element);
    else reply.nil();
  },
});

/**
 * Makes room for a text of so many bytes beside the element where the list's walk stands, or in its
 * place. As on Redis, the list makes room even where there is no such element: it is the same list
 * then, in the other encoding. True when that ended the walk.
 */
function makeRoom(context: Context, isThere: boolean, bytes: number): boolean {
  context.partition.reserve(isThere ? list.changeReserveBytes(bytes) : list.reserveBytes(bytes, 1));
  return list.grow(bytes, 1);
}

const lset = keyCommand({
  name: 'lset',
  arity: 4,
  group: 'list',
  since: '1.0.0',
  summary: 'Puts an element in the place of the one at an index of a list.',
  cost: 'O(N) for N elements between the index and the nearer end; O(1) at both ends.',
  flags: Flag.Write | Flag.DenyOom,
  syntax: 'key index element',
  keys: [keyAt(1, 'RW', 'update')],
  run(context) {
    const { args, partition, reply } = context;
    const entry = partition.edit(args, 1, Type.List);
    if (entry === NONE) throw NO_SUCH_KEY;
    const index = readInteger(args, 2);

    openList(list, partition, entry);
    const place = index < 0 ? index + list.length : index;
    const isThere = list.seek(place);
    const hasMoved = makeRoom(context, isThere, args.lengthOf(3));
    if (!isThere) {
      saveList(list, entry);
      throw INDEX_OUT_OF_RANGE;
    }
    if (hasMoved) list.seek(place);
    list.replace(args.u8, args.startOf(3), args.lengthOf(3));
    list.shrink();
    saveList(list, entry);
    context.changed(1, Notify.List, 'lset');

    reply.ok();
  },
});

const BEFORE = word('BEFORE');
const AFTER = word('AFTER');

const linsert = keyCommand({
  name: 'linsert',
  arity: 5,
  group: 'list',
  since: '2.2.0',
  summary: 'Puts an element before or behind the first element of a list that has a given value.',
  cost: 'O(N) for N elements from the head to the given one; O(1) at the head.',
  flags: Flag.Write | Flag.DenyOom,
  syntax: 'key <BEFORE | AFTER> pivot element',
  keys: [keyAt(1, 'RW', 'insert')],
  run(context) {
    const { args, partition, reply } = context;
    const isBehind = isWord(args, 2, AFTER);
    if (!isBehind && !isWord(args, 2, BEFORE)) throw SYNTAX;
    readWanted(context, 3);

    const entry = partition.edit(args, 1, Type.List);
    if (entry === NONE) {
      reply.integer(0);
      return;
    }

    openList(list, partition, entry);
    const isThere = findWanted();
    const hasMoved = makeRoom(context, isThere, args.lengthOf(4));
    if (!isThere) {
      saveList(list, entry);
      reply.integer(-1);
      return;
    }
    if (hasMoved) findWanted();
    list.insert(isBehind, args.u8, args.startOf(4), args.lengthOf(4));
    saveList(list, entry);
    context.changed(1, Notify.List, 'linsert');

    reply.integer(list.length);
  },
});

/** Goes to the first element that is wanted; false when there is none. */
function findWanted(): boolean {
  for (let isThere = list.first(); isThere; isThere = list.next()) {
    if (wanted.is(list.element)) return true;
  }
  return false;
}

const lrem = keyCommand({
  name: 'lrem',
  arity: 4,
  group: 'list',
  since: '1.0.0',
  summary: 'Removes elements of a value from a list: all, or so many from the head or the tail.',
  cost: 'O(N+M) for a list of N elements and M removed ones.',
  flags: Flag.Write,
  syntax: 'key count element',
  keys: [keyAt(1, 'RW', 'delete')],
  run(context) {
    const { args, partition, reply } = context;
    const count = readInteger(args, 2);
    readWanted(context, 3);

    const entry = partition.edit(args, 1, Type.List);
    if (entry === NONE) {
      reply.integer(0);
      return;
    }

    openList(list, partition, entry);
    const removed = count < 0 ? removeBackward(-count) : removeForward(count);
    if (removed !== 0) saveOrRemove(list, context, 1, entry, 'lrem');

    reply.integer(removed);
  },
});

/** Removes up to `most` wanted elements from the head on, all for 0. */
function removeForward(most: number): number {
  let removed = 0;
  for (let isThere = list.first(); isThere; ) {
    if (!wanted.is(list.element)) {
      isThere = list.next();
      continue;
    }
    isThere = list.delete();
    if (++removed === most) return removed;
  }
  return removed;
}

function removeBackward(most: number): number {
  let removed = 0;
  for (let isThere = list.last(); isThere; ) {
    if (!wanted.is(list.element)) {
      isThere = list.previous();
      continue;
    }
    const isBehind = list.delete();
    if (++removed === most) return removed;
    isThere = isBehind ? list.previous() : list.length !== 0 && list.last();
  }
  return removed;
}

const RANK = word('RANK');
const COUNT = word('COUNT');
const MAXLEN = word('MAXLEN');
const RANK_ZERO = new Refusal(
  "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... " +
    'or use negative to start from the end of the list',
);
const RANK_LEAST = new Refusal(
  'ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807',
);
const COUNT_NEGATIVE = new Refusal("ERR COUNT can't be negative");
const MAXLEN_NEGATIVE = new Refusal("ERR MAXLEN can't be negative");
const INT32_MIN = -(2 ** 31);
const NOT_GIVEN = -1;
const MATCHES_AT_START = 64;

/** What LPOS is to look for, as readOptions has found it. */
const options = { rank: 1, count: NOT_GIVEN, maxLength: 0 };

function readOptions(context: Context): void {
  const { args } = context;
  options.rank = 1;
  options.count = NOT_GIVEN;
  options.maxLength = 0;
  const most = Number.POSITIVE_INFINITY;
  for (let index = 3; index < args.count; index += 2) {
    if (index + 1 === args.count) throw SYNTAX;
    if (isWord(args, index, RANK)) {
      options.rank = readRank(context, index + 1);
    } else if (isWord(args, index, COUNT)) {
      options.count = readIntegerIn(args, index + 1, 0, most, COUNT_NEGATIVE, COUNT_NEGATIVE);
    } else if (isWord(args, index, MAXLEN)) {
      options.maxLength = readIntegerIn(args, index + 1, 0, most, MAXLEN_NEGATIVE, MAXLEN_NEGATIVE);
    } else {
      throw SYNTAX;
    }
  }
}

function readRank(context: Context, index: number): number {
  readInt64(context.args, index);
  // The least int64 has no counterpart.
  if (int64.lo === 0 && int64.hi === INT32_MIN) throw RANK_LEAST;
  if (int64.value === 0) throw RANK_ZERO;
  return int64.value;
}

/** Indexes of the matches; grows. */
let matches = new Int32Array(MATCHES_AT_START);

/** Leaves the indexes in `matches` and returns how many there are. */
function findMatches(most: number): number {
  const { length } = list;
  const isForward = options.rank > 0;
  let toSkip = Math.abs(options.rank) - 1;
  const stepsMax = options.maxLength === 0 ? length : Math.min(length, options.maxLength);
  let found = 0;
  let isThere = isForward ? list.first() : list.last();
  for (let step = 0; isThere && step < stepsMax; step++) {
    if (wanted.is(list.element)) {
      if (toSkip > 0) {
        toSkip--;
      } else {
        if (found === matches.length) matches = grown(matches);
        matches[found++] = isForward ? step : length - 1 - step;
        if (found === most) return found;
      }
    }
    isThere = isForward ? list.next() : list.previous();
  }
  return found;
}

function grown(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}

const lpos = keyCommand({
  name: 'lpos',
  arity: -3,
  group: 'list',
  since: '6.0.6',
  summary: 'Returns the indexes at which a list has an element.',
  cost: 'O(N) for a list of N elements; less when a match is near, or with MAXLEN.',
  flags: Flag.Read,
  syntax: 'key element [RANK rank] [COUNT num-matches] [MAXLEN len]',
  keys: [keyAt(1, 'RO', 'access')],
  run(context) {
    const { args, partition, reply } = context;
    readOptions(context);
    const { count } = options;
    readWanted(context, 2);

    const entry = partition.find(args, 1, Type.List);
    let found = 0;
    if (entry !== NONE) {
      openList(list, partition, entry);
      // Of a missing count one match is wanted; of 0 all are.
      found = findMatches(count === NOT_GIVEN ? 1 : count);
    }

    if (count === NOT_GIVEN) {
      if (found === 0) reply.nil();
      else reply.integer(matches[0]!);
      return;
    }
    reply.array(found);
    for (let index = 0; index < found; index++) reply.integer(matches[index]!);
    if (matches.length > MATCHES_AT_START) matches = new Int32Array(MATCHES_AT_START);
  },
});

export const elementCommands: readonly CommandSpec[] = [llen, lindex, lset, linsert, lrem, lpos];
