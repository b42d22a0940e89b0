// SORT and SORT_RO: the elements of a list, set or sorted set in the order of their own numbers or
// texts, or of those found under other keys.

import type { Slices } from '../../base/slices.js';
import { mayReadAll } from '../../dispatch/access.js';
import { isWord, readInteger, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import {
  type CommandSpec,
  crossCommand,
  Flag,
  type KeySpec,
  keyAt,
} from '../../dispatch/define.js';
import { Notify } from '../../dispatch/effects.js';
import type { KeyPositions } from '../../dispatch/route.js';
import { type EntryRef, Type, typeOf } from '../../keyspace/entry.js';
import { lengthOf } from '../../keyspace/values.js';
import { Refusal, SYNTAX, WRONG_TYPE } from '../../resp/errors.js';
import type { Reply } from '../../resp/write.js';
import { NONE } from '../../slab/slab.js';
import { Encoding } from '../../types/kind.js';
import { builtListReserve } from '../../types/list.js';
import { list, saveList } from '../list/value.js';
import { addAll, addPart, isSortable, makeLarge } from './elements.js';
import { readNumber, sortByNumber, sortByText, unsorted } from './order.js';
import { hasStar, isElementItself, Pattern, value } from './pattern.js';
import { Texts } from './texts.js';

const ASC = word('ASC');
const DESC = word('DESC');
const ALPHA = word('ALPHA');
const LIMIT = word('LIMIT');
const STORE = word('STORE');
const BY = word('BY');
const GET = word('GET');

const NO_NUMBERS = new Refusal("ERR One or more scores can't be converted into double");

// ── Reading ──────────────────────────────────────────────────────────────────────────────────

/** What a command asks for. */
class Wish {
  isDescending = false;
  isByText = false;
  offset = 0;
  /** At most so many elements; negative: all that follow. */
  count = -1;
  /** The word of the key that takes the result; 0: it is answered. */
  storeAt = 0;
  /** The word of the pattern that leads to the weights; 0: elements are their own. */
  byAt = 0;
  /** A pattern without a star: the elements stay in the order they have. */
  isUnsorted = false;
  /** The words of the patterns that lead to what is answered. */
  readonly getAts: number[] = [];

  clear(): void {
    this.isDescending = false;
    this.isByText = false;
    this.offset = 0;
    this.count = -1;
    this.storeAt = 0;
    this.byAt = 0;
    this.isUnsorted = false;
    this.getAts.length = 0;
  }
}

const BY_DENIED = new Refusal('ERR BY option of SORT denied due to insufficient ACL permissions.');
const GET_DENIED = new Refusal(
  'ERR GET option of SORT denied due to insufficient ACL permissions.',
);

const wish = new Wish();

function readWish(context: Context, mayStore: boolean): void {
  const { args } = context;
  wish.clear();
  for (let index = 2; index < args.count; index++) {
    const behind = args.count - 1 - index;
    if (isWord(args, index, ASC)) wish.isDescending = false;
    else if (isWord(args, index, DESC)) wish.isDescending = true;
    else if (isWord(args, index, ALPHA)) wish.isByText = true;
    else if (isWord(args, index, LIMIT) && behind >= 2) {
      wish.offset = readInteger(args, ++index);
      wish.count = readInteger(args, ++index);
    } else if (mayStore && isWord(args, index, STORE) && behind >= 1) {
      wish.storeAt = ++index;
    } else if (isWord(args, index, BY) && behind >= 1) {
      wish.byAt = ++index;
      if (!hasStar(args, index)) wish.isUnsorted = true;
      // A pattern reads keys that no word names.
      else if (!mayReadAll(context)) throw BY_DENIED;
    } else if (isWord(args, index, GET) && behind >= 1) {
      if (!mayReadAll(context)) throw GET_DENIED;
      wish.getAts.push(++index);
    } else throw SYNTAX;
  }
}

/**
 * The source, the target of the last STORE, and with patterns any key: the words are gone through
 * as readWish does, which refuses what is skipped here.
 */
function findSortKeys(args: Slices, out: KeyPositions): boolean {
  out.add(1, SOURCE);
  let target = 0;
  for (let index = 2; index < args.count - 1; index++) {
    if (isWord(args, index, LIMIT)) {
      index += 2;
    } else if (isWord(args, index, STORE)) {
      target = ++index;
    } else if (isWord(args, index, BY) || isWord(args, index, GET)) {
      index++;
      if (hasStar(args, index) && !isElementItself(args, index)) out.isEvery = true;
    }
  }
  if (target !== 0) out.add(target, TARGET);
  return true;
}

// ── Sorting ──────────────────────────────────────────────────────────────────────────────────

const elements = new Texts();
const weights = new Texts();
const results = new Texts();

/** The part of the elements that is wanted: from `first` up to but not including `end`. */
const part = { first: 0, end: 0 };

function openPart(length: number): void {
  part.first = Math.min(Math.max(wish.offset, 0), length);
  part.end = wish.count < 0 ? length : Math.min(part.first + wish.count, length);
}

/** Loads `elements` and returns the order of those wanted, which are in `part` of it. */
function sortEntry(context: Context, entry: EntryRef): Int32Array {
  const { slab } = context.at(1);
  const type = typeOf(slab, entry);
  openPart(lengthOf(slab, entry));
  // What is stored, or seen by a script, has to have one order everywhere; members have none.
  const isSeen = wish.storeAt !== 0 || context.scripts.isRunning;
  const isForced = wish.isUnsorted && type === Type.Set && isSeen;
  if (wish.isUnsorted && !isForced) {
    if (type === Type.Set) {
      addAll(slab, entry, elements);
    } else {
      const { first, end } = part;
      addPart(slab, entry, elements, first, end - first, !wish.isDescending);
      part.first = 0;
      part.end = elements.count;
    }
    return unsorted(elements.count);
  }
  addAll(slab, entry, elements);
  const order = unsorted(elements.count);
  const by = wish.byAt === 0 || isForced ? null : new Pattern(context.args, wish.byAt);
  if (wish.isByText || isForced) sortTexts(context, order, by);
  else sortNumbers(context, order, by);
  return order;
}

function sortTexts(context: Context, order: Int32Array, by: Pattern | null): void {
  const isStored = wish.storeAt !== 0;
  if (by === null) {
    sortByText(order, elements, wish.isDescending, isStored);
    return;
  }
  weights.begin();
  const { starts, lengths, count } = elements;
  for (let index = 0; index < count; index++) {
    const isThere = by.look(context, elements.u8, starts[index]!, lengths[index]!);
    if (isThere) weights.add(value.u8, value.start, value.length);
    else weights.addMissing();
  }
  sortByText(order, weights, wish.isDescending, isStored);
}

function sortNumbers(context: Context, order: Int32Array, by: Pattern | null): void {
  const { u8, starts, lengths, count } = elements;
  const numbers = new Float64Array(count);
  for (let index = 0; index < count; index++) {
    const start = starts[index]!;
    const length = lengths[index]!;
    if (by === null) numbers[index] = readNumber(u8, start, length);
    // An element without a weight counts as 0.
    else if (by.look(context, u8, start, length)) {
      numbers[index] = readNumber(value.u8, value.start, value.length);
    }
    if (Number.isNaN(numbers[index])) throw NO_NUMBERS;
  }
  sortByNumber(order, numbers, elements, wish.isDescending);
}

// ── Answering and storing ────────────────────────────────────────────────────────────────────

function answer(context: Context, order: Int32Array): void {
  const { reply, args } = context;
  const { u8, starts, lengths } = elements;
  const gets = wish.getAts.map((index) => new Pattern(args, index));
  reply.array((part.end - part.first) * Math.max(gets.length, 1));
  for (let place = part.first; place < part.end; place++) {
    const index = order[place]!;
    const start = starts[index]!;
    const length = lengths[index]!;
    if (gets.length === 0) reply.bulk(u8, start, length);
    for (const get of gets) replyLooked(reply, get.look(context, u8, start, length));
  }
}

function replyLooked(reply: Reply, isThere: boolean): void {
  if (isThere) reply.bulk(value.u8, value.start, value.length);
  else reply.nil();
}

/** Leaves what is to be stored in `results`; what a pattern does not find is an empty text. */
function collect(context: Context, order: Int32Array): void {
  const { u8, starts, lengths } = elements;
  const gets = wish.getAts.map((index) => new Pattern(context.args, index));
  for (let place = part.first; place < part.end; place++) {
    const index = order[place]!;
    const start = starts[index]!;
    const length = lengths[index]!;
    if (gets.length === 0) results.add(u8, start, length);
    for (const get of gets) {
      if (get.look(context, u8, start, length)) results.add(value.u8, value.start, value.length);
      else results.add(u8, start, 0);
    }
  }
}

/** Makes `results` the list of the target's key, or removes it when there are none. */
function store(context: Context): void {
  const { args, reply } = context;
  const { storeAt } = wish;
  const { u8, starts, lengths, count } = results;
  const partition = context.at(storeAt);
  const replaced = partition.edit(args, storeAt, Type.Any);
  if (count === 0) {
    if (replaced !== NONE) {
      partition.remove(args, storeAt, replaced);
      context.changed(storeAt, Notify.Generic, 'del');
    }
    reply.integer(0);
    return;
  }
  const { slab } = partition;
  partition.reserve(builtListReserve(slab, results.bytes, count) + args.lengthOf(storeAt));

  if (replaced !== NONE) partition.makeWay(args, storeAt, replaced);
  const entry = partition.create(args, storeAt, Type.List, Encoding.Chain, 0, 0);
  list.build(slab);
  for (let index = 0; index < count; index++) {
    list.push(false, u8, starts[index]!, lengths[index]!);
  }
  list.settle();
  saveList(list, entry);
  context.changed(storeAt, Notify.List, 'sortstore');

  reply.integer(count);
}

function runSort(context: Context, mayStore: boolean): void {
  const { args } = context;
  readWish(context, mayStore);

  const partition = context.at(1);
  const entry = partition.find(args, 1, Type.Any);
  elements.begin();
  results.begin();
  part.first = 0;
  part.end = 0;
  let order = unsorted(0);
  if (entry !== NONE) {
    const type = typeOf(partition.slab, entry);
    if (!isSortable(type)) throw WRONG_TYPE;
    if (type === Type.SortedSet) makeLarge(context, partition, entry);
    order = sortEntry(context, entry);
  }

  if (wish.storeAt === 0) {
    answer(context, order);
    return;
  }
  collect(context, order);
  store(context);
}

// ── The commands ─────────────────────────────────────────────────────────────────────────────

/** Indexes of the key specifications. */
const SOURCE = 0;
const TARGET = 2;

const PATTERN_KEYS: KeySpec = { flags: ['RO', 'access'], begin: 'unknown', find: 'unknown' };
const STORE_KEY: KeySpec = { flags: ['OW', 'update'], begin: 'unknown', find: 'unknown' };
const COST = 'O(N+M*log(M)) for N elements of which M are answered; O(N) where nothing is sorted.';
const SYNTAX_TEXT =
  'key [BY by-pattern] [LIMIT offset count] [GET get-pattern [GET get-pattern ...]] ' +
  '[ASC | DESC] [ALPHA]';
const CATEGORIES = ['@set', '@sortedset', '@list', '@dangerous'];

const sort = crossCommand({
  name: 'sort',
  arity: -2,
  group: 'generic',
  since: '1.0.0',
  summary: 'Returns or stores the elements of a list, a set or a sorted set in order.',
  cost: COST,
  flags: Flag.Write | Flag.DenyOom | Flag.MovableKeys,
  syntax: `${SYNTAX_TEXT} [STORE destination]`,
  keys: [keyAt(1, 'RO', 'access'), PATTERN_KEYS, STORE_KEY],
  findKeys: findSortKeys,
  categories: CATEGORIES,
  run: (context) => runSort(context, true),
});

const sortRo = crossCommand({
  name: 'sort_ro',
  arity: -2,
  group: 'generic',
  since: '7.0.0',
  summary: 'Returns the elements of a list, a set or a sorted set in order.',
  cost: COST,
  flags: Flag.Read | Flag.MovableKeys,
  syntax: SYNTAX_TEXT,
  keys: [keyAt(1, 'RO', 'access'), PATTERN_KEYS],
  findKeys: findSortKeys,
  categories: CATEGORIES,
  run: (context) => runSort(context, false),
});

export const sortCommands: readonly CommandSpec[] = [sort, sortRo];
