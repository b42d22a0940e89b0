// Reading arrays by position: one, several, a range; and how large they are.

import { isWord, readInteger, word } from '../../dispatch/args.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { Refusal, SYNTAX } from '../../resp/errors.js';
import type { Reply } from '../../resp/write.js';
import { NONE, type Slab } from '../../slab/slab.js';
import {
  type ArrayRef,
  arrayCount,
  readCursor,
  readLength,
  slotAt,
} from '../../types/array/array.js';
import { comparePositions, Position, spanOf } from '../../types/array/position.js';
import { findArray, readPosition, replyPosition, replyRow, replySlot } from './value.js';

/** Empty positions cost nothing to ask for: a reply must not become endless by a slip. */
const ITEMS_MAX = 1_000_000;
const TOO_LONG = new Refusal(`ERR range exceeds maximum of ${ITEMS_MAX} items`);
const TOO_MANY = new Refusal(`ERR count exceeds maximum of ${ITEMS_MAX} items`);
const INVALID_COUNT = new Refusal('ERR invalid COUNT');
const REV = word('REV');

const position = new Position();
const first = new Position();
const last = new Position();

const arget = keyCommand({
  name: 'arget',
  arity: 3,
  group: 'array',
  since: '8.8.0',
  summary: 'Returns the value at a position of an array.',
  cost: 'O(log N) for an array of N slices.',
  flags: Flag.Read | Flag.Fast,
  syntax: 'key index',
  keys: [keyAt(1, 'RO', 'access')],
  run({ partition, args, reply }) {
    const array = findArray(partition, args);
    readPosition(args, 2, position);

    if (array === NONE) reply.nil();
    else
      replySlot(reply, partition.slab, slotAt(partition.slab, array, position.high, position.low));
  },
});

const armget = keyCommand({
  name: 'armget',
  arity: -3,
  group: 'array',
  since: '8.8.0',
  summary: 'Returns the values at several positions of an array.',
  cost: 'O(N) for N positions.',
  flags: Flag.Read | Flag.Fast,
  syntax: 'key index [index ...]',
  keys: [keyAt(1, 'RO', 'access')],
  run({ partition, args, reply }) {
    const { slab } = partition;
    const array = findArray(partition, args);
    for (let index = 2; index < args.count; index++) readPosition(args, index, position);

    reply.array(args.count - 2);
    for (let index = 2; index < args.count; index++) {
      readPosition(args, index, position);
      if (array === NONE) reply.nil();
      else replySlot(reply, slab, slotAt(slab, array, position.high, position.low));
    }
  },
});

const argetrange = keyCommand({
  name: 'argetrange',
  arity: 4,
  group: 'array',
  since: '8.8.0',
  summary: 'Returns what stands at every position of a range of an array, nils included.',
  cost: 'O(N) for a range of N positions.',
  flags: Flag.Read,
  syntax: 'key start end',
  keys: [keyAt(1, 'RO', 'access')],
  run({ partition, args, reply }) {
    readPosition(args, 2, first);
    readPosition(args, 3, last);

    const array = findArray(partition, args);
    const isUp = comparePositions(first, last) <= 0;
    const span = isUp ? spanOf(first, last) : spanOf(last, first);
    if (span > ITEMS_MAX) throw TOO_LONG;

    reply.array(span);
    replyRow(reply, partition.slab, array, first, last);
  },
});

const arlen = keyCommand({
  name: 'arlen',
  arity: 2,
  group: 'array',
  since: '8.8.0',
  summary: 'Returns the length of an array: its greatest position with a value, and one more.',
  cost: 'O(1)',
  flags: Flag.Read | Flag.Fast,
  syntax: 'key',
  keys: [keyAt(1, 'RO', 'access')],
  run({ partition, args, reply }) {
    const array = findArray(partition, args);

    position.set(0, 0);
    if (array !== NONE) readLength(partition.slab, array, position);
    replyPosition(reply, position.high, position.low);
  },
});

const arcount = keyCommand({
  name: 'arcount',
  arity: 2,
  group: 'array',
  since: '8.8.0',
  summary: 'Counts the values of an array.',
  cost: 'O(1)',
  flags: Flag.Read | Flag.Fast,
  syntax: 'key',
  keys: [keyAt(1, 'RO', 'access')],
  run({ partition, args, reply }) {
    const array = findArray(partition, args);

    reply.integer(array === NONE ? 0 : arrayCount(partition.slab, array));
  },
});

const arlastitems = keyCommand({
  name: 'arlastitems',
  arity: -3,
  group: 'array',
  since: '8.8.0',
  summary: 'Returns what was inserted last into an array, the oldest first.',
  cost: 'O(N) for N positions asked for.',
  flags: Flag.Read,
  syntax: 'key count [REV]',
  keys: [keyAt(1, 'RO', 'access')],
  run(context) {
    const { partition, args, reply } = context;
    const { slab } = partition;
    const count = readInteger(args, 2, INVALID_COUNT);
    if (count <= 0) {
      reply.array(0);
      return;
    }
    if (args.count > 4) throw context.command.wrongArity;
    const isReversed = isWord(args, 3, REV);
    if (args.count === 4 && !isReversed) throw SYNTAX;

    const array = findArray(partition, args);
    if (array === NONE) {
      reply.array(0);
      return;
    }
    readLength(slab, array, last);
    // From here on the last position with a value, and how many there are up to it.
    last.decrement();
    first.set(0, 0);
    const wanted = Math.min(count, spanOf(first, last));
    if (wanted > arrayCount(slab, array) && wanted > ITEMS_MAX) throw TOO_MANY;

    const hasCursor = readCursor(slab, array, position);
    if (!hasCursor || comparePositions(position, last) > 0) position.copyFrom(last);
    reply.array(wanted);
    // Down to 0, and then from the end on.
    const lower = Math.min(wanted, spanOf(first, position));
    if (isReversed) {
      replyItems(reply, slab, array, position, lower, true);
      replyItems(reply, slab, array, last, wanted - lower, true);
    } else {
      replyItems(reply, slab, array, last, wanted - lower, false);
      replyItems(reply, slab, array, position, lower, false);
    }
  },
});

/** The `items` positions that end at `end`, from the first of them or from the last. */
function replyItems(
  reply: Reply,
  slab: Slab,
  array: ArrayRef,
  end: Position,
  items: number,
  isReversed: boolean,
): void {
  if (items === 0) return;
  const low = (end.low - (items - 1)) | 0;
  const isBorrowed = low >>> 0 > end.low >>> 0;
  first.set(isBorrowed ? end.high - 1 : end.high, low);
  if (isReversed) replyRow(reply, slab, array, end, first);
  else replyRow(reply, slab, array, first, end);
}

export const readCommands: readonly CommandSpec[] = [
  arget,
  armget,
  argetrange,
  arlen,
  arcount,
  arlastitems,
];
