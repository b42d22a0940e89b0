// Elements that go from one list to another, or out of the first list that has any.

import { isWord, readIntegerIn, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import {
  type CommandSpec,
  countedKeysAt,
  crossCommand,
  Flag,
  keyAt,
} from '../../dispatch/define.js';
import { Notify } from '../../dispatch/effects.js';
import { type EntryRef, Type } from '../../keyspace/entry.js';
import { Refusal, SYNTAX } from '../../resp/errors.js';
import { NONE } from '../../slab/slab.js';
import { Encoding } from '../../types/kind.js';
import { copyElement, ElementText, readElement } from '../../types/list.js';
import { popElements } from './ends.js';
import {
  list,
  openForGrowth,
  openList,
  readIsHead,
  replyElement,
  saveList,
  saveOrRemove,
  target,
} from './value.js';

const MOVE_FLAGS = Flag.Write | Flag.DenyOom;
const MOVE_KEYS = [keyAt(1, 'RW', 'access', 'delete'), keyAt(2, 'RW', 'insert')];
const SOURCE = 1;
const TARGET = 2;
const COUNT = word('COUNT');

const text = new ElementText();

function pushEvent(isHead: boolean): string {
  return isHead ? 'lpush' : 'rpush';
}

function popEvent(isHead: boolean): string {
  return isHead ? 'lpop' : 'rpop';
}

// ── One element ──────────────────────────────────────────────────────────────────────────────

/**
 * LMOVE from the key at word 1 to that at word 2, replying the element as a bulk string. False when
 * there is no source: then nothing is replied.
 */
export function moveElement(context: Context, fromHead: boolean, toHead: boolean): boolean {
  const { args, reply } = context;
  const partition = context.at(SOURCE);
  const source = partition.edit(args, SOURCE, Type.List);
  if (source === NONE) return false;
  const found = context.at(TARGET).edit(args, TARGET, Type.List);
  if (found === source && context.at(TARGET) === partition) {
    rotate(context, source, fromHead, toHead);
    return true;
  }
  openList(list, partition, source);
  if (fromHead) list.first();
  else list.last();
  readElement(list.element, text);

  // As on Redis, an integer that comes out of a long list is no text whose length would count.
  const isText = list.encoding === Encoding.Packed || !list.element.isInteger;
  const bytes = isText ? text.length : 0;

  const entry = openForGrowth(target, context, TARGET, found, bytes, 1);
  replyElement(reply, list.element);
  target.push(toHead, text.u8, text.start, text.length);
  saveList(target, entry);
  // A move is one change: it is counted with its source.
  context.alsoChanged(TARGET, Notify.List, pushEvent(toHead));
  list.delete();
  saveOrRemove(list, context, SOURCE, source, popEvent(fromHead));
  return true;
}

/** Source and target are the same list. */
function rotate(context: Context, entry: EntryRef, fromHead: boolean, toHead: boolean): void {
  openList(list, context.at(SOURCE), entry);
  if (fromHead) list.first();
  else list.last();
  // The element is copied: its list changes before it is put back.
  copyElement(list.element, text);
  context.at(SOURCE).reserve(list.reserveBytes(text.length, 1));
  list.delete();
  list.grow(text.length, 1);
  list.push(toHead, text.u8, text.start, text.length);
  list.shrink();
  saveList(list, entry);
  context.alsoChanged(TARGET, Notify.List, pushEvent(toHead));
  context.changed(SOURCE, Notify.List, popEvent(fromHead));

  context.reply.bulk(text.u8, text.start, text.length);
}

const rpoplpush = crossCommand({
  name: 'rpoplpush',
  arity: 3,
  group: 'list',
  since: '1.2.0',
  summary: 'Takes the last element of one list, puts it before the first of another, returns it.',
  cost: 'O(1)',
  flags: MOVE_FLAGS,
  syntax: 'source destination',
  keys: MOVE_KEYS,
  deprecatedSince: '6.2.0',
  replacedBy: '`LMOVE` with the `RIGHT` and `LEFT` arguments',
  run(context) {
    if (!moveElement(context, false, true)) context.reply.nil();
  },
});

const lmove = crossCommand({
  name: 'lmove',
  arity: 5,
  group: 'list',
  since: '6.2.0',
  summary: 'Takes an element from one end of a list, puts it to an end of another, returns it.',
  cost: 'O(1)',
  flags: MOVE_FLAGS,
  syntax: 'source destination <LEFT | RIGHT> <LEFT | RIGHT>',
  keys: MOVE_KEYS,
  run(context) {
    const fromHead = readIsHead(context, 3);
    const toHead = readIsHead(context, 4);

    if (!moveElement(context, fromHead, toHead)) context.reply.nil();
  },
});

// ── Several elements ─────────────────────────────────────────────────────────────────────────

const EXACTLY = word('EXACTLY');
const OBO = word('OBO');
const BULK = word('BULK');
const COUNT_TOO_SMALL = new Refusal('ERR count should be greater than 0');
const EXACTLY_TOO_SMALL = new Refusal('ERR exactly should be greater than 0');

/** What LMOVEM moves, and how. */
export interface MoveOrder {
  readonly fromHead: boolean;
  readonly toHead: boolean;
  /** How many, at the most or exactly. */
  readonly count: number;
  readonly isExact: boolean;
  /** Each element is pushed before the next is popped, so that their order may turn round. */
  readonly isOneByOne: boolean;
}

/** Reads the options of LMOVEM, which begin at word `index`. */
export function readMoveOrder(context: Context, index: number): MoveOrder {
  const { args } = context;
  const fromHead = readIsHead(context, 3);
  const toHead = readIsHead(context, 4);
  if (args.count === index) {
    return { fromHead, toHead, count: 1, isExact: false, isOneByOne: false };
  }
  const isExact = isWord(args, index, EXACTLY);
  if (args.count !== index + 3 || (!isExact && !isWord(args, index, COUNT))) throw SYNTAX;
  const isOneByOne = isWord(args, index + 2, OBO);
  if (!isOneByOne && !isWord(args, index + 2, BULK)) throw SYNTAX;
  const refusal = isExact ? EXACTLY_TOO_SMALL : COUNT_TOO_SMALL;
  const count = readIntegerIn(args, index + 1, 1, Number.POSITIVE_INFINITY, refusal, refusal);
  return { fromHead, toHead, count, isExact, isOneByOne };
}

/**
 * LMOVEM from the key at word 1 to that at word 2, replying the elements in the order in which they
 * stand then. False when the source has none, or fewer than an exact order asks for: then nothing
 * is replied.
 */
export function moveElements(context: Context, order: MoveOrder): boolean {
  const { args, reply } = context;
  const { fromHead, toHead } = order;
  const source = context.at(SOURCE).edit(args, SOURCE, Type.List);
  if (source === NONE) return false;
  const found = context.at(TARGET).edit(args, TARGET, Type.List);
  const { length } = openList(list, context.at(SOURCE), source);
  if (order.isExact && order.count > length) return false;
  const count = Math.min(order.count, length);
  const first = fromHead ? 0 : length - count;
  const texts = copyTexts(first, count);
  // One by one, what comes out of the head goes into the head in front of those before it.
  if (order.isOneByOne && fromHead === toHead) texts.reverse();
  const bytes = texts.reduce((sum, each) => sum + each.length, 0);
  const isSame = found === source && context.at(TARGET) === context.at(SOURCE);
  const into = isSame ? list : target;

  const entry = openForGrowth(into, context, TARGET, found, bytes, count);
  list.removeRange(first, count);
  for (let at = 0; at < count; at++) {
    const each = texts[toHead ? count - 1 - at : at]!;
    into.push(toHead, each, 0, each.length);
  }
  if (isSame) into.shrink();
  saveList(into, entry);
  context.alsoChanged(TARGET, Notify.List, pushEvent(toHead));
  saveOrRemove(list, context, SOURCE, source, popEvent(fromHead));

  reply.array(count);
  for (const each of texts) reply.bulk(each, 0, each.length);
  return true;
}

/** Copies of the texts of `count` elements of the list, from element `index` on. */
function copyTexts(index: number, count: number): Uint8Array[] {
  const texts: Uint8Array[] = [];
  list.seek(index);
  for (let at = 0; at < count; at++) {
    const bytes = new Uint8Array(list.element.textLength());
    list.element.writeText(bytes, 0);
    texts.push(bytes);
    list.next();
  }
  return texts;
}

const lmovem = crossCommand({
  name: 'lmovem',
  arity: -5,
  group: 'list',
  since: '8.10.0',
  summary: 'Takes elements from one end of a list, puts them to an end of another, returns them.',
  cost: 'O(N) for N elements moved.',
  flags: MOVE_FLAGS,
  syntax:
    'source destination <LEFT | RIGHT> <LEFT | RIGHT> ' +
    '[<COUNT count | EXACTLY exactly> <OBO | BULK>]',
  keys: MOVE_KEYS,
  run(context) {
    const order = readMoveOrder(context, 5);

    if (moveElements(context, order)) return;

    if (order.isExact) context.reply.nilArray();
    else context.reply.array(0);
  },
});

// ── Popping from the first list that has elements ────────────────────────────────────────────

const NUMKEYS_TOO_SMALL = new Refusal('ERR numkeys should be greater than 0');
const LPOP = word('LPOP');
const RPOP = word('RPOP');

/** What LMPOP pops. */
export interface PopOrder {
  readonly firstKey: number;
  readonly keyCount: number;
  readonly isHead: boolean;
  readonly count: number;
}

/** Reads LMPOP's words from the number of keys, at word `index`, on. */
export function readPopOrder(context: Context, index: number): PopOrder {
  const { args } = context;
  const most = Number.POSITIVE_INFINITY;
  const keyCount = readIntegerIn(args, index, 1, most, NUMKEYS_TOO_SMALL, NUMKEYS_TOO_SMALL);
  const whereAt = index + keyCount + 1;
  if (whereAt >= args.count) throw SYNTAX;
  const isHead = readIsHead(context, whereAt);
  let count = 1;
  if (args.count > whereAt + 1) {
    if (args.count !== whereAt + 3 || !isWord(args, whereAt + 1, COUNT)) {
      throw refusalOfRest(context, whereAt + 1);
    }
    count = readIntegerIn(args, whereAt + 2, 1, most, COUNT_TOO_SMALL, COUNT_TOO_SMALL);
  }
  return { firstKey: index + 1, keyCount, isHead, count };
}

/** Redis reads a count before it finds the word behind it: a bad one is refused first. */
function refusalOfRest(context: Context, index: number): Refusal {
  const { args } = context;
  if (index + 1 < args.count && isWord(args, index, COUNT)) {
    const most = Number.POSITIVE_INFINITY;
    readIntegerIn(args, index + 1, 1, most, COUNT_TOO_SMALL, COUNT_TOO_SMALL);
  }
  return SYNTAX;
}

/**
 * Pops from the first of the keys that exists and replies its name and the elements. False when
 * none exists: then nothing is replied.
 */
export function popFirstOf(context: Context, order: PopOrder): boolean {
  const { args, reply, effects } = context;
  const { firstKey, isHead } = order;
  for (let index = firstKey; index < firstKey + order.keyCount; index++) {
    if (!context.isHere(index)) continue;
    const entry = context.at(index).edit(args, index, Type.List);
    if (entry === NONE) continue;
    reply.array(2);
    reply.bulk(args.u8, args.startOf(index), args.lengthOf(index));
    const popped = popElements(context, index, entry, isHead, order.count);
    if (effects.isRecording) {
      effects.begin(3);
      effects.word(isHead ? LPOP : RPOP);
      effects.arg(args, index);
      effects.int64(popped, 0);
    }
    return true;
  }
  return false;
}

const lmpop = crossCommand({
  name: 'lmpop',
  arity: -4,
  group: 'list',
  since: '7.0.0',
  summary: 'Takes elements out of the first list of several that has any, and returns them.',
  cost: 'O(N+M) for N keys and M elements returned.',
  flags: Flag.Write | Flag.MovableKeys,
  syntax: 'numkeys key [key ...] <LEFT | RIGHT> [COUNT count]',
  keys: [countedKeysAt(1, 1, 'RW', 'access', 'delete')],
  run(context) {
    const order = readPopOrder(context, 1);

    if (!popFirstOf(context, order)) context.reply.nilArray();
  },
});

export const moveCommands: readonly CommandSpec[] = [rpoplpush, lmove, lmovem, lmpop];
