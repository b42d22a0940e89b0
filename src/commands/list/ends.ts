// Pushing to and popping from the ends of a list.

import { readIntegerIn } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { Notify } from '../../dispatch/effects.js';
import { Encoding, type EntryRef, encodingOf, payloadLow, Type } from '../../keyspace/entry.js';
import { OUT_OF_RANGE_POSITIVE } from '../../resp/errors.js';
import type { Reply } from '../../resp/write.js';
import { NONE, type Slab } from '../../slab/slab.js';
import type { ChainRef } from '../../structs/chain.js';
import { dropEnd, findEnd, foundEnd, pushInPlace } from '../../structs/ends.js';
import {
  list,
  openForGrowth,
  openList,
  removeList,
  replyElement,
  replyElements,
  saveList,
  saveOrRemove,
} from './value.js';

const FIRST_ELEMENT = 2;
const PUSH_FLAGS = Flag.Write | Flag.DenyOom | Flag.Fast;
const PUSH_KEYS = [keyAt(1, 'RW', 'insert')];
const POP_FLAGS = Flag.Write | Flag.Fast;
const POP_KEYS = [keyAt(1, 'RW', 'access', 'delete')];

// ── Pushing ──────────────────────────────────────────────────────────────────────────────────

function push(context: Context, isHead: boolean, makesKey: boolean): void {
  const { args, partition, reply } = context;
  const { count } = args;

  const found = partition.edit(args, 1, Type.List);
  if (found === NONE && !makesKey) {
    reply.integer(0);
    return;
  }
  const length = count === 3 && found !== NONE ? pushShort(context, found, isHead) : 0;
  if (length === 0) pushAll(context, found, isHead);
  context.changed(1, Notify.List, isHead ? 'lpush' : 'rpush');

  reply.integer(length === 0 ? list.length : length);
}

/** Pushes a single element where that is quickly done; 0 when it is not done. */
function pushShort({ args, partition }: Context, entry: EntryRef, isHead: boolean): number {
  const { slab } = partition;
  if (encodingOf(slab, entry) !== Encoding.Chain) return 0;
  const chain = payloadLow(slab, entry) as ChainRef;
  const start = args.startOf(FIRST_ELEMENT);
  return pushInPlace(slab, chain, isHead, args.u8, start, args.lengthOf(FIRST_ELEMENT));
}

function pushAll(context: Context, found: EntryRef, isHead: boolean): void {
  const { args } = context;
  const { u8, count } = args;
  let bytes = 0;
  for (let index = FIRST_ELEMENT; index < count; index++) bytes += args.lengthOf(index);

  const entry = openForGrowth(list, context, 1, found, bytes, count - FIRST_ELEMENT);
  for (let index = FIRST_ELEMENT; index < count; index++) {
    list.push(isHead, u8, args.startOf(index), args.lengthOf(index));
  }
  saveList(list, entry);
}

const lpush = keyCommand({
  name: 'lpush',
  arity: -3,
  group: 'list',
  since: '1.0.0',
  summary: 'Puts elements before the first of a list, one after the other, and makes missing keys.',
  cost: 'O(1) for each element, so O(N) for N elements.',
  flags: PUSH_FLAGS,
  syntax: 'key element [element ...]',
  keys: PUSH_KEYS,
  history: [['2.4.0', 'Takes several elements.']],
  run(context) {
    push(context, true, true);
  },
});

const rpush = keyCommand({
  name: 'rpush',
  arity: -3,
  group: 'list',
  since: '1.0.0',
  summary: 'Puts elements behind the last of a list and makes missing keys.',
  cost: 'O(1) for each element, so O(N) for N elements.',
  flags: PUSH_FLAGS,
  syntax: 'key element [element ...]',
  keys: PUSH_KEYS,
  history: [['2.4.0', 'Takes several elements.']],
  run(context) {
    push(context, false, true);
  },
});

const lpushx = keyCommand({
  name: 'lpushx',
  arity: -3,
  group: 'list',
  since: '2.2.0',
  summary: 'Puts elements before the first of a list that exists.',
  cost: 'O(1) for each element, so O(N) for N elements.',
  flags: PUSH_FLAGS,
  syntax: 'key element [element ...]',
  keys: PUSH_KEYS,
  history: [['4.0.0', 'Takes several elements.']],
  run(context) {
    push(context, true, false);
  },
});

const rpushx = keyCommand({
  name: 'rpushx',
  arity: -3,
  group: 'list',
  since: '2.2.0',
  summary: 'Puts elements behind the last of a list that exists.',
  cost: 'O(1) for each element, so O(N) for N elements.',
  flags: PUSH_FLAGS,
  syntax: 'key element [element ...]',
  keys: PUSH_KEYS,
  history: [['4.0.0', 'Takes several elements.']],
  run(context) {
    push(context, false, false);
  },
});

// ── Popping ──────────────────────────────────────────────────────────────────────────────────

/**
 * Pops one element of the list at the key word `index`, whose entry `edit` has found, and replies
 * it as a bulk string.
 */
export function popElement(
  context: Context,
  index: number,
  entry: EntryRef,
  isHead: boolean,
): void {
  const partition = context.at(index);
  if (popShort(context.reply, partition.slab, entry, isHead)) {
    context.changed(index, Notify.List, isHead ? 'lpop' : 'rpop');
    return;
  }
  openList(list, partition, entry);
  if (isHead) list.first();
  else list.last();
  replyElement(context.reply, list.element);
  list.delete();
  saveOrRemove(list, context, index, entry, isHead ? 'lpop' : 'rpop');
}

/** Pops and replies an element where that is quickly done; false when it is not done. */
function popShort(reply: Reply, slab: Slab, entry: EntryRef, isHead: boolean): boolean {
  if (encodingOf(slab, entry) !== Encoding.Chain) return false;
  const chain = payloadLow(slab, entry) as ChainRef;
  if (!findEnd(slab, chain, isHead)) return false;
  reply.bulk(slab.u8, foundEnd.at, foundEnd.length);
  dropEnd(slab, chain, isHead);
  return true;
}

/**
 * Pops up to `most` elements of the list at the key word `index`, whose entry `edit` has found, and
 * replies them as an array. Returns how many there were.
 */
export function popElements(
  context: Context,
  index: number,
  entry: EntryRef,
  isHead: boolean,
  most: number,
): number {
  const { reply } = context;
  openList(list, context.at(index), entry);
  const { length } = list;
  const count = most < length ? most : length;
  reply.array(count);
  if (isHead) replyElements(reply, list, 0, count, true);
  else replyElements(reply, list, length - 1, count, false);
  const event = isHead ? 'lpop' : 'rpop';
  if (count === length) {
    removeList(context, index, entry, event);
    return count;
  }
  list.removeRange(isHead ? 0 : length - count, count);
  saveOrRemove(list, context, index, entry, event);
  return count;
}

function pop(context: Context, isHead: boolean): void {
  const { args, partition, reply } = context;
  if (args.count === 2) {
    const entry = partition.edit(args, 1, Type.List);
    if (entry === NONE) reply.nil();
    else popElement(context, 1, entry, isHead);
    return;
  }
  popSeveral(context, isHead);
}

function popSeveral(context: Context, isHead: boolean): void {
  const { args, partition, reply } = context;
  if (args.count > 3) throw context.command.wrongArity;
  const most = readIntegerIn(
    args,
    2,
    0,
    Number.POSITIVE_INFINITY,
    OUT_OF_RANGE_POSITIVE,
    OUT_OF_RANGE_POSITIVE,
  );

  const entry = partition.edit(args, 1, Type.List);

  if (entry === NONE) reply.nilArray();
  else if (most === 0) reply.array(0);
  else popElements(context, 1, entry, isHead, most);
}

const lpop = keyCommand({
  name: 'lpop',
  arity: -2,
  group: 'list',
  since: '1.0.0',
  summary: 'Takes the first element, or the first few, out of a list and returns them.',
  cost: 'O(N) for N elements taken.',
  flags: POP_FLAGS,
  syntax: 'key [count]',
  keys: POP_KEYS,
  history: [['6.2.0', 'Takes a count.']],
  run(context) {
    pop(context, true);
  },
});

const rpop = keyCommand({
  name: 'rpop',
  arity: -2,
  group: 'list',
  since: '1.0.0',
  summary: 'Takes the last element, or the last few, out of a list and returns them.',
  cost: 'O(N) for N elements taken.',
  flags: POP_FLAGS,
  syntax: 'key [count]',
  keys: POP_KEYS,
  history: [['6.2.0', 'Takes a count.']],
  run(context) {
    pop(context, false);
  },
});

export const endCommands: readonly CommandSpec[] = [lpush, rpush, lpushx, rpushx, lpop, rpop];
