// LCS: the longest common subsequence of two strings.

import { isWord, readInteger, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, crossCommand, Flag, keysFrom } from '../../dispatch/define.js';
import { limits } from '../../dispatch/limits.js';
import { Type, typeOf } from '../../keyspace/entry.js';
import { readString, StringBytes } from '../../keyspace/strings.js';
import { Refusal, SYNTAX } from '../../resp/errors.js';
import { NONE } from '../../slab/slab.js';
import { commonLength, commonSubsequence, type Match } from '../../types/lcs.js';

const NOT_STRINGS = new Refusal('ERR The specified keys must contain string values');
const LENGTH_OR_INDEXES = new Refusal(
  'ERR If you want both the length and indexes, please just use IDX.',
);
const TOO_LONG = new Refusal('ERR String too long for LCS');
const TOO_MUCH_MEMORY = new Refusal(
  'ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len',
);
const NO_MEMORY = new Refusal(
  'ERR Insufficient memory, failed allocating transient memory for LCS',
);
/** Redis counts in 32 bits. */
const BYTES_MAX = 2 ** 32 - 2;
/** Redis's table takes 32 bits a cell, and so its limit is reckoned. */
const CELL_BYTES = 4;

const IDX = word('IDX');
const LEN = word('LEN');
const MINMATCHLEN = word('MINMATCHLEN');
const WITHMATCHLEN = word('WITHMATCHLEN');

interface Wish {
  readonly length: boolean;
  readonly indexes: boolean;
  readonly matchLengths: boolean;
  readonly bytesMin: number;
}

const lcs = crossCommand({
  name: 'lcs',
  arity: -3,
  group: 'string',
  since: '7.0.0',
  summary: 'Returns the longest common subsequence of two strings, its length or where it lies.',
  cost: 'O(N*M), N and M being the lengths of the strings',
  flags: Flag.Read,
  syntax: 'key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]',
  keys: [keysFrom(1, 1, 1, 'RO', 'access')],
  run(context) {
    const { reply } = context;
    const a = readOperand(context, 1);
    const b = readOperand(context, 2);
    if (a === null || b === null) throw NOT_STRINGS;
    const wish = readWish(context);
    checkSizes(a.length, b.length);
    if (wish.length) {
      reply.integer(commonLength(a, b));
      return;
    }
    const common = commonSubsequence(a, b);
    if (common === null) throw NO_MEMORY;

    if (wish.indexes) replyMatches(context, common.matches, common.bytes.length, wish);
    else reply.bulk(common.bytes, 0, common.bytes.length);
  },
});

const operand = new StringBytes();
const EMPTY = new Uint8Array(0);

/** The string of word `index`, empty for a missing key; null for a key of another type. */
function readOperand(context: Context, index: number): Uint8Array | null {
  const partition = context.at(index);
  const entry = partition.find(context.args, index, Type.Any);
  if (entry === NONE) return EMPTY;
  if (typeOf(partition.slab, entry) !== Type.String) return null;
  readString(partition.slab, entry, operand);
  const bytes = operand.u8.subarray(operand.start, operand.start + operand.length);
  // The text of an integer stands in scratch memory that the other operand may need.
  return operand.u8 === partition.slab.u8 ? bytes : bytes.slice();
}

function readWish(context: Context): Wish {
  const { args } = context;
  let length = false;
  let indexes = false;
  let matchLengths = false;
  let bytesMin = 0;
  for (let index = 3; index < args.count; index++) {
    if (isWord(args, index, IDX)) indexes = true;
    else if (isWord(args, index, LEN)) length = true;
    else if (isWord(args, index, WITHMATCHLEN)) matchLengths = true;
    else if (isWord(args, index, MINMATCHLEN) && index + 1 < args.count) {
      bytesMin = readInteger(args, ++index);
    } else {
      throw SYNTAX;
    }
  }
  if (length && indexes) throw LENGTH_OR_INDEXES;
  return { length, indexes, matchLengths, bytesMin };
}

function checkSizes(aBytes: number, bBytes: number): void {
  if (aBytes > BYTES_MAX || bBytes > BYTES_MAX) throw TOO_LONG;
  if ((aBytes + 1) * (bBytes + 1) * CELL_BYTES > limits.bulkBytesMax) throw TOO_MUCH_MEMORY;
}

function replyMatches(
  context: Context,
  matches: readonly Match[],
  length: number,
  wish: Wish,
): void {
  const { reply } = context;
  const wanted = matches.filter((match) => lengthOf(match) >= wish.bytesMin);
  reply.map(2);
  reply.text('matches');
  reply.array(wanted.length);
  for (const match of wanted) {
    reply.array(wish.matchLengths ? 3 : 2);
    reply.array(2);
    reply.integer(match.aFirst);
    reply.integer(match.aLast);
    reply.array(2);
    reply.integer(match.bFirst);
    reply.integer(match.bLast);
    if (wish.matchLengths) reply.integer(lengthOf(match));
  }
  reply.text('len');
  reply.integer(length);
}

function lengthOf(match: Match): number {
  return match.aLast - match.aFirst + 1;
}

export const lcsCommands: readonly CommandSpec[] = [lcs];
