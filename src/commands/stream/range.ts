// Ranges of entries by ID.

import { isWord, readInteger, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { SYNTAX } from '../../resp/errors.js';
import { NONE, type Slab } from '../../slab/slab.js';
import { EntryCursor } from '../../types/stream/block.js';
import { compareIds, StreamId } from '../../types/stream/id.js';
import {
  countEntries,
  type StreamRef,
  seekEntry,
  seekEntryBack,
} from '../../types/stream/stream.js';
import { findStream, readEnd, readStart, replyEntries, replyEntriesBack } from './value.js';

const COUNT = word('COUNT');
const NO_LIMIT = Number.MAX_SAFE_INTEGER;

const start = new StreamId();
const end = new StreamId();
const cursor = new EntryCursor();

/** COUNT, from word 4 on; less than nothing is nothing. */
function readLimit(context: Context): number {
  const { args } = context;
  let limit = NO_LIMIT;
  for (let index = 4; index < args.count; index += 2) {
    if (index + 1 === args.count || !isWord(args, index, COUNT)) throw SYNTAX;
    limit = Math.max(0, readInteger(args, index + 1));
  }
  return limit;
}

/** Stands on the first entry of the range and counts those up to `limit`; 0 when there is none. */
function findRange(slab: Slab, stream: StreamRef, limit: number): number {
  if (!seekEntry(slab, stream, cursor, start)) return 0;
  const count = countEntries(slab, cursor, end, limit);
  if (count !== 0) seekEntry(slab, stream, cursor, start);
  return count;
}

const xrange = keyCommand({
  name: 'xrange',
  arity: -4,
  group: 'stream',
  since: '5.0.0',
  summary: 'Returns the entries of a stream between two IDs.',
  cost: 'O(N) for N entries, after O(log M) in a stream of M.',
  flags: Flag.Read,
  syntax: 'key start end [COUNT count]',
  keys: [keyAt(1, 'RO', 'access')],
  history: [['6.2.0', 'Takes IDs behind ( as exclusive.']],
  run(context) {
    const { args, partition, reply } = context;
    readStart(args, 2, start);
    readEnd(args, 3, end);
    const limit = readLimit(context);

    const stream = findStream(partition, args, 1);
    if (stream === NONE) {
      reply.array(0);
      return;
    }
    if (limit === 0) {
      reply.nilArray();
      return;
    }
    const count = findRange(partition.slab, stream, limit);

    reply.array(count);
    replyEntries(reply, cursor, count);
  },
});

const xrevrange = keyCommand({
  name: 'xrevrange',
  arity: -4,
  group: 'stream',
  since: '5.0.0',
  summary: 'Returns the entries of a stream between two IDs, the latest first.',
  cost: 'O(N) for N entries, after O(log M) in a stream of M.',
  flags: Flag.Read,
  syntax: 'key end start [COUNT count]',
  keys: [keyAt(1, 'RO', 'access')],
  history: [['6.2.0', 'Takes IDs behind ( as exclusive.']],
  run(context) {
    const { args, partition, reply } = context;
    readStart(args, 3, start);
    readEnd(args, 2, end);
    const limit = readLimit(context);

    const stream = findStream(partition, args, 1);
    if (stream === NONE) {
      reply.array(0);
      return;
    }
    if (limit === 0) {
      reply.nilArray();
      return;
    }
    const { slab } = partition;
    const count = countBack(slab, stream, limit);

    reply.array(count);
    if (count !== 0) seekEntryBack(slab, stream, cursor, end);
    replyEntriesBack(reply, cursor, count);
  },
});

/** Entries of a few blocks are counted from the back, as many as are wanted. */
const COUNTED_BACK_MAX = 1000;

function countBack(slab: Slab, stream: StreamRef, limit: number): number {
  if (limit > COUNTED_BACK_MAX) return findRange(slab, stream, limit);
  if (!seekEntryBack(slab, stream, cursor, end)) return 0;
  let count = 0;
  while (compareIds(cursor.id, start) >= 0) {
    count++;
    if (count === limit || !cursor.previous()) break;
  }
  return count;
}

export const rangeCommands: readonly CommandSpec[] = [xrange, xrevrange];
