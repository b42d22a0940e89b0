// What a group has delivered and nobody has acknowledged yet: XACK and XPENDING.

import { isWord, readInteger, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { Refusal, SYNTAX } from '../../resp/errors.js';
import type { Reply } from '../../resp/write.js';
import { NONE, type Slab } from '../../slab/slab.js';
import {
  type ConsumerRef,
  consumerAt,
  consumerCount,
  consumerNameLength,
  consumerNameStart,
  consumerOf,
  deliveredMs,
  deliveriesHigh,
  deliveriesLow,
  findConsumer,
  findPending,
  type GroupRef,
  OWN_WORDS,
  ownPendingAt,
  ownPendingCount,
  PENDING_WORDS,
  pendingAt,
  pendingCount,
  removePending,
} from '../../types/stream/groups.js';
import { compareIdAt, readIdAt, StreamId, ZERO_ID } from '../../types/stream/id.js';
import { IdTreeCursor, lastInIdTree } from '../../types/stream/id-tree.js';
import { checkIds } from './remove.js';
import {
  editStream,
  findStream,
  groupIn,
  quoted,
  readEnd,
  readId,
  readStart,
  replyId,
} from './value.js';

const IDLE = word('IDLE');
const RANGE_WORDS_MIN = 6;
const RANGE_WORDS_MAX = 9;
const IDLE_WORDS_MIN = 8;

const id = new StreamId();
const start = new StreamId();
const end = new StreamId();
const walk = new IdTreeCursor();

const xack = keyCommand({
  name: 'xack',
  arity: -4,
  group: 'stream',
  since: '5.0.0',
  summary: 'Acknowledges entries that a group was given, and counts those that were pending.',
  cost: 'O(log N) for each entry, with N pending.',
  flags: Flag.Write | Flag.Fast,
  syntax: 'key group id [id ...]',
  keys: [keyAt(1, 'RW', 'update')],
  run({ args, effects, partition, reply }) {
    const { slab } = partition;
    const stream = editStream(partition, args, 1);
    const group = groupIn(slab, stream, args, 2);
    if (group === NONE) {
      reply.integer(0);
      return;
    }
    if (args.count > 4) checkIds(args, 3, args.count);

    let acknowledged = 0;
    for (let index = 3; index < args.count; index++) {
      readId(args, index, id);
      if (removePending(slab, group, id)) acknowledged++;
    }
    effects.dirty += acknowledged;

    reply.integer(acknowledged);
  },
});

// ── XPENDING ─────────────────────────────────────────────────────────────────────────────────

const range = { leastIdleMs: 0, limit: 0, consumerAt: 0 };

function readRange(context: Context): void {
  const { args } = context;
  let index = 3;
  range.leastIdleMs = 0;
  if (isWord(args, 3, IDLE)) {
    range.leastIdleMs = readInteger(args, 4);
    if (args.count < IDLE_WORDS_MIN) throw SYNTAX;
    index += 2;
  }
  range.limit = Math.max(0, readInteger(args, index + 2));
  readStart(args, index, start);
  readEnd(args, index + 1, end);
  range.consumerAt = index + 3 < args.count ? index + 3 : 0;
}

const xpending = keyCommand({
  name: 'xpending',
  arity: -3,
  group: 'stream',
  since: '5.0.0',
  summary: 'Tells which entries of a group are pending, as a summary or one by one.',
  cost: 'O(N) for N entries or consumers that are told of, and for those that are passed over.',
  flags: Flag.Read,
  syntax: 'key group [[IDLE min-idle-time] start end count [consumer]]',
  keys: [keyAt(1, 'RO', 'access')],
  tips: ['nondeterministic_output'],
  history: [['6.2.0', 'Takes IDLE, and IDs behind ( as exclusive.']],
  run(context) {
    const { args, partition } = context;
    const { slab } = partition;
    const isSummary = args.count === 3;
    if (!isSummary && (args.count < RANGE_WORDS_MIN || args.count > RANGE_WORDS_MAX)) throw SYNTAX;
    if (!isSummary) readRange(context);

    const group = groupIn(slab, findStream(partition, args, 1), args, 2);
    if (group === NONE) {
      const key = quoted(args, 1);
      const name = quoted(args, 2);
      throw new Refusal(`NOGROUP No such key '${key}' or consumer group '${name}'`);
    }

    if (isSummary) replySummary(context, slab, group);
    else replyRange(context, slab, group);
  },
});

function replySummary({ reply }: Context, slab: Slab, group: GroupRef): void {
  const count = pendingCount(slab, group);
  reply.array(4);
  reply.integer(count);
  if (count === 0) {
    reply.nil();
    reply.nil();
    reply.nilArray();
    return;
  }
  const at = pendingAt(group);
  walk.seek(slab, at, PENDING_WORDS, ZERO_ID);
  readIdAt(slab.i32, walk.at, id);
  replyId(reply, id);
  readIdAt(slab.i32, lastInIdTree(slab, at, PENDING_WORDS), id);
  replyId(reply, id);
  const consumers = consumerCount(slab, group);
  let busy = 0;
  for (let index = 0; index < consumers; index++) {
    if (ownPendingCount(slab, consumerAt(slab, group, index)) !== 0) busy++;
  }
  reply.array(busy);
  for (let index = 0; index < consumers; index++) {
    const consumer = consumerAt(slab, group, index);
    const pending = ownPendingCount(slab, consumer);
    if (pending === 0) continue;
    reply.array(2);
    replyConsumer(reply, slab, consumer);
    reply.bulkInteger(pending);
  }
}

/** The name of a consumer; an empty one for nobody. */
export function replyConsumer(reply: Reply, slab: Slab, consumer: ConsumerRef): void {
  if (consumer === NONE) {
    reply.text('');
    return;
  }
  reply.bulk(slab.u8, consumerNameStart(consumer), consumerNameLength(slab, consumer));
}

// Records of what will be answered; they stay where they are meanwhile.
let found = new Int32Array(128);

function replyRange(context: Context, slab: Slab, group: GroupRef): void {
  const { args, nowMs, reply } = context;
  let count = 0;
  if (range.consumerAt === 0) {
    count = collect(slab, group, pendingAt(group), PENDING_WORDS, nowMs);
  } else {
    const consumer = findConsumer(slab, group, args, range.consumerAt);
    if (consumer !== NONE) {
      count = collect(slab, group, ownPendingAt(consumer), OWN_WORDS, nowMs);
    }
  }

  reply.array(count);
  for (let index = 0; index < count; index++) {
    const record = found[index]!;
    reply.array(4);
    readIdAt(slab.i32, record, id);
    replyId(reply, id);
    const consumer = consumerOf(slab, record);
    replyConsumer(reply, slab, consumer);
    reply.integer(consumer === NONE ? -1 : Math.max(0, nowMs - deliveredMs(slab, record)));
    reply.int64(deliveriesLow(slab, record), deliveriesHigh(slab, record));
  }
}

/** Leaves in `found` the records of the range that are idle long enough; returns how many. */
function collect(
  slab: Slab,
  group: GroupRef,
  treeAt: number,
  words: number,
  nowMs: number,
): number {
  const { i32 } = slab;
  const { leastIdleMs, limit } = range;
  let count = 0;
  let isThere = count < limit && walk.seek(slab, treeAt, words, start);
  while (isThere && compareIdAt(i32, walk.at, end) <= 0) {
    let record = walk.at;
    if (words === OWN_WORDS) {
      readIdAt(i32, record, id);
      record = findPending(slab, group, id);
    }
    if (leastIdleMs === 0 || nowMs - deliveredMs(slab, record) >= leastIdleMs) {
      if (count === found.length) {
        const grown = new Int32Array(count * 2);
        grown.set(found);
        found = grown;
      }
      found[count++] = record;
    }
    isThere = count < limit && walk.next();
  }
  return count;
}

export const pendingCommands: readonly CommandSpec[] = [xack, xpending];
