// Searching and adding up the values of an array: ARSCAN, ARGREP and AROP. The work is that of the
// values in the range and of their slices, not of the range.

import type { Slices } from '../../base/slices.js';
import { isWord, readInteger, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { Refusal, SYNTAX } from '../../resp/errors.js';
import type { Reply } from '../../resp/write.js';
import { NONE, type Slab } from '../../slab/slab.js';
import { type ArrayRef, readLength } from '../../types/array/array.js';
import { BitOperation, Bits, Extreme, Sum } from '../../types/array/numbers.js';
import { Position } from '../../types/array/position.js';
import { ArrayWalk } from '../../types/array/walk.js';
import { Exact, Predicates } from './predicates.js';
import { findArray, readPosition, replyPosition, replySlot } from './value.js';

const LIMIT_NOT_POSITIVE = new Refusal('ERR LIMIT must be positive');
const UNKNOWN_OPERATION = new Refusal('ERR unknown operation');
const NO_VALUE = new Refusal('ERR MATCH requires a value argument');

const LIMIT = word('LIMIT');
const NO_LIMIT = Number.MAX_SAFE_INTEGER;

const first = new Position();
const last = new Position();
const walk = new ArrayWalk();

function readLimit(args: Slices, index: number): number {
  const limit = readInteger(args, index);
  if (limit <= 0) throw LIMIT_NOT_POSITIVE;
  return limit;
}

// ── ARSCAN ───────────────────────────────────────────────────────────────────────────────────

const arscan = keyCommand({
  name: 'arscan',
  arity: -4,
  group: 'array',
  since: '8.8.0',
  summary: 'Returns the values in a range of an array with their positions.',
  cost: 'O(N) for N values in the range.',
  flags: Flag.Read,
  syntax: 'key start end [LIMIT limit]',
  keys: [keyAt(1, 'RO', 'access')],
  run(context) {
    const { partition, args, reply } = context;
    const { slab } = partition;
    readPosition(args, 2, first);
    readPosition(args, 3, last);
    if (args.count !== 4 && args.count !== 6) throw context.command.wrongArity;
    if (args.count === 6 && !isWord(args, 4, LIMIT)) throw SYNTAX;
    const limit = args.count === 6 ? readLimit(args, 5) : NO_LIMIT;

    const array = findArray(partition, args);
    let count = 0;
    walk.open(slab, array, first, last);
    while (count < limit && walk.next()) count++;

    reply.array(count);
    walk.open(slab, array, first, last);
    for (; count > 0; count--) {
      walk.next();
      replyPair(reply, slab, walk.position.high, walk.position.low, walk.word);
    }
  },
});

function replyPair(reply: Reply, slab: Slab, high: number, low: number, slot: number): void {
  reply.array(2);
  replyPosition(reply, high, low);
  replySlot(reply, slab, slot);
}

// ── ARGREP ───────────────────────────────────────────────────────────────────────────────────

const WITHVALUES = word('WITHVALUES');
const NOCASE = word('NOCASE');
const AND = word('AND');
const OR = word('OR');
const MINUS = 0x2d;
const PLUS = 0x2b;

const enum Find {
  High = 0,
  Low = 1,
  Slot = 2,
  Words = 3,
}

/** What has been found, because a reply begins with how much that is. */
class Finds {
  count = 0;
  private words = new Int32Array(FINDS_AT_START);

  begin(): void {
    this.count = 0;
    if (this.words.length > FINDS_KEPT_MAX) this.words = new Int32Array(FINDS_AT_START);
  }

  add(high: number, low: number, slot: number): void {
    const at = this.count++ * Find.Words;
    if (at + Find.Words > this.words.length) {
      const grown = new Int32Array(this.words.length * 2);
      grown.set(this.words);
      this.words = grown;
    }
    this.words[at + Find.High] = high;
    this.words[at + Find.Low] = low;
    this.words[at + Find.Slot] = slot;
  }

  reply(reply: Reply, slab: Slab, withValues: boolean): void {
    const { words } = this;
    reply.array(this.count);
    for (let at = 0; at < this.count * Find.Words; at += Find.Words) {
      const high = words[at + Find.High]!;
      const low = words[at + Find.Low]!;
      if (withValues) replyPair(reply, slab, high, low, words[at + Find.Slot]!);
      else replyPosition(reply, high, low);
    }
  }
}

const FINDS_AT_START = 3 * 1024;
const FINDS_KEPT_MAX = 3 * 64 * 1024;
const finds = new Finds();
const predicates = new Predicates();

/** What an ARGREP asks for besides its predicates. */
const options = { limit: NO_LIMIT, withValues: false, isFirst: false, isLast: false };

const argrep = keyCommand({
  name: 'argrep',
  arity: -6,
  group: 'array',
  since: '8.8.0',
  summary: 'Finds the values in a range of an array that equal, contain or match something.',
  cost: 'O(N * C) for N values in the range, C being the cost of the predicates for one of them.',
  flags: Flag.Read,
  syntax:
    'key start end <EXACT string | MATCH string | GLOB pattern | RE pattern> ' +
    '[<EXACT string | MATCH string | GLOB pattern | RE pattern> ...] ' +
    '[<AND | OR | LIMIT limit | WITHVALUES | NOCASE> ' +
    '[<AND | OR | LIMIT limit | WITHVALUES | NOCASE> ...]]',
  keys: [keyAt(1, 'RO', 'access')],
  run({ partition, args, reply }) {
    const { slab } = partition;
    readBounds(args);
    readPredicates(args);

    const array = findArray(partition, args);
    if (array === NONE) {
      reply.array(0);
      return;
    }
    resolveBounds(slab, array);
    finds.begin();
    walk.open(slab, array, first, last);
    while (finds.count < options.limit && walk.next()) {
      if (!predicates.hold(slab, walk.word)) continue;
      finds.add(walk.position.high, walk.position.low, walk.word);
    }

    finds.reply(reply, slab, options.withValues);
  },
});

/** Reads both ends: a position, or `-` and `+`, which the array's length decides. */
function readBounds(args: Slices): void {
  readBound(args, 2, first);
  readBound(args, 3, last);
  options.isFirst = isByte(args, 2, PLUS);
  options.isLast = isByte(args, 3, PLUS);
}

function readBound(args: Slices, index: number, out: Position): void {
  if (isByte(args, index, MINUS) || isByte(args, index, PLUS)) out.set(0, 0);
  else readPosition(args, index, out);
}

function isByte(args: Slices, index: number, byte: number): boolean {
  return args.lengthOf(index) === 1 && args.u8[args.startOf(index)] === byte;
}

const end = new Position();

/** `+` is the last position with a value. */
function resolveBounds(slab: Slab, array: ArrayRef): void {
  readLength(slab, array, end);
  end.decrement();
  if (options.isFirst) first.copyFrom(end);
  if (options.isLast) last.copyFrom(end);
}

/** Reads predicates and options, in any order; of an option given twice the last counts. */
function readPredicates(args: Slices): void {
  options.limit = NO_LIMIT;
  options.withValues = false;
  predicates.begin();
  for (let index = 4; index < args.count; index++) {
    if (predicates.isKeyword(args, index)) {
      if (index + 1 === args.count) throw SYNTAX;
      predicates.add(args, index);
      index++;
    } else if (isWord(args, index, LIMIT)) {
      if (index + 1 === args.count) throw SYNTAX;
      options.limit = readLimit(args, ++index);
    } else if (isWord(args, index, WITHVALUES)) options.withValues = true;
    else if (isWord(args, index, NOCASE)) predicates.isFolded = true;
    else if (isWord(args, index, AND)) predicates.wantsAll = true;
    else if (isWord(args, index, OR)) predicates.wantsAll = false;
    else throw SYNTAX;
  }
  predicates.prepare(args);
}

// ── AROP ─────────────────────────────────────────────────────────────────────────────────────

const enum Operation {
  Sum = 0,
  Least = 1,
  Greatest = 2,
  And = 3,
  Or = 4,
  Xor = 5,
  Match = 6,
  Used = 7,
}
const OPERATIONS: readonly Uint8Array[] = [
  word('SUM'),
  word('MIN'),
  word('MAX'),
  word('AND'),
  word('OR'),
  word('XOR'),
  word('MATCH'),
  word('USED'),
];

const sum = new Sum();
const extreme = new Extreme();
const bits = new Bits();
const exact = new Exact();

const arop = keyCommand({
  name: 'arop',
  arity: -5,
  group: 'array',
  since: '8.8.0',
  summary: 'Adds up, compares, combines or counts the values in a range of an array.',
  cost: 'O(N) for N values in the range.',
  flags: Flag.Read,
  syntax: 'key start end <SUM | MIN | MAX | AND | OR | XOR | MATCH value | USED>',
  keys: [keyAt(1, 'RO', 'access')],
  run(context) {
    const { partition, args, reply } = context;
    readPosition(args, 2, first);
    readPosition(args, 3, last);
    const operation = readOperation(context);

    const array = findArray(partition, args);

    walk.open(partition.slab, array, first, last);
    switch (operation) {
      case Operation.Sum:
        replySum(reply, partition.slab);
        break;
      case Operation.Least:
      case Operation.Greatest:
        replyExtreme(reply, partition.slab, operation === Operation.Greatest);
        break;
      case Operation.And:
        replyBits(reply, partition.slab, BitOperation.And);
        break;
      case Operation.Or:
        replyBits(reply, partition.slab, BitOperation.Or);
        break;
      case Operation.Xor:
        replyBits(reply, partition.slab, BitOperation.Xor);
        break;
      case Operation.Match:
        replyMatches(reply, partition.slab, args);
        break;
      case Operation.Used:
        replyUsed(reply);
    }
  },
});

function readOperation(context: Context): Operation {
  const { args } = context;
  const operation: Operation = OPERATIONS.findIndex((literal) => isWord(args, 4, literal));
  if (operation < 0) throw UNKNOWN_OPERATION;
  if (operation === Operation.Match) {
    if (args.count !== 6) throw NO_VALUE;
  } else if (args.count !== 5) {
    throw context.command.wrongArity;
  }
  return operation;
}

function replySum(reply: Reply, slab: Slab): void {
  sum.clear();
  while (walk.next()) sum.add(slab, walk.word);
  if (sum.hasAny) reply.text(sum.text());
  else reply.nil();
}

function replyExtreme(reply: Reply, slab: Slab, isGreatest: boolean): void {
  extreme.begin(isGreatest);
  while (walk.next()) extreme.add(slab, walk.word);
  if (extreme.hasAny) reply.text(extreme.text());
  else reply.nil();
}

function replyBits(reply: Reply, slab: Slab, operation: BitOperation): void {
  bits.begin(operation);
  while (walk.next()) bits.add(slab, walk.word);
  if (bits.hasAny) reply.int64(bits.low, bits.high);
  else reply.nil();
}

function replyMatches(reply: Reply, slab: Slab, args: Slices): void {
  exact.begin(args.u8, args.startOf(5), args.lengthOf(5));
  let count = 0;
  while (walk.next()) if (exact.holds(slab, walk.word)) count++;
  reply.integer(count);
}

function replyUsed(reply: Reply): void {
  let count = 0;
  while (walk.next()) count++;
  reply.integer(count);
}

export const searchCommands: readonly CommandSpec[] = [arscan, argrep, arop];
