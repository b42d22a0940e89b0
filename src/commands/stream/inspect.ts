// XINFO: what there is to know of a stream, its groups and their consumers.

import { int64 } from '../../base/ascii.js';
import { isWord, readInteger, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import {
  type CommandSpec,
  containerCommand,
  Flag,
  keyAt,
  keyCommand,
} from '../../dispatch/define.js';
import { NO_SUCH_KEY, Refusal } from '../../resp/errors.js';
import type { Reply } from '../../resp/write.js';
import { NONE, type Slab } from '../../slab/slab.js';
import { EntryCursor } from '../../types/stream/block.js';
import {
  activeMs,
  type ConsumerRef,
  consumerAt,
  consumerCount,
  consumerOf,
  deliveredMs,
  deliveriesHigh,
  deliveriesLow,
  entriesReadHigh,
  entriesReadLow,
  findGroup,
  findPending,
  type GroupRef,
  groupAt,
  groupCount,
  groupNameLength,
  groupNameStart,
  knowsEntriesRead,
  lagOf,
  OWN_WORDS,
  ownPendingAt,
  ownPendingCount,
  PENDING_WORDS,
  pendingAt,
  pendingCount,
  readDeliveredId,
  seenMs,
  unownedCount,
} from '../../types/stream/groups.js';
import { MAX_ID, readIdAt, StreamId, ZERO_ID } from '../../types/stream/id.js';
import { IdTreeCursor } from '../../types/stream/id-tree.js';
import {
  duplicatesHigh,
  duplicatesLow,
  iidSeconds,
  iidsAddedHigh,
  iidsAddedLow,
  iidsMax,
  type ProducersRef,
  producersOf,
  tracked,
  trackedIn,
} from '../../types/stream/producers.js';
import {
  addedHigh,
  addedLow,
  blockCount,
  radixNodes,
  readFirstId,
  readLastGivenId,
  readMaxDeletedId,
  type StreamRef,
  seekEntry,
  seekEntryBack,
  streamLength,
} from '../../types/stream/stream.js';
import { helpSubcommand, refuseSubcommand } from '../server/help.js';
import { replyConsumer } from './pending.js';
import { findStream, quoted, replyEntries, replyEntry, replyId } from './value.js';

const KEYS = [keyAt(2, 'RO', 'access')];
const TIPS = ['nondeterministic_output'];
const FULL = word('FULL');
const COUNT = word('COUNT');
/** What XINFO STREAM FULL shows of each list unless asked for more. */
const COUNT_DEFAULT = 10;

const id = new StreamId();
const cursor = new EntryCursor();
const walk = new IdTreeCursor();

function existingStream({ args, partition }: Context): StreamRef {
  const stream = findStream(partition, args, 2);
  if (stream === NONE) throw NO_SUCH_KEY;
  return stream;
}

// ── XINFO STREAM ─────────────────────────────────────────────────────────────────────────────

/** How many of each list FULL shows, 0 for all; -1 without FULL. */
function readFull(context: Context): number {
  const { args } = context;
  if (args.count === 3) return -1;
  const hasCount = args.count === 6;
  if (args.count !== 4 && !hasCount) refuseSubcommand(context);
  if (!isWord(args, 3, FULL)) refuseSubcommand(context);
  if (!hasCount) return COUNT_DEFAULT;
  if (!isWord(args, 4, COUNT)) refuseSubcommand(context);
  const count = readInteger(args, 5);
  return count < 0 ? COUNT_DEFAULT : count;
}

const stream = keyCommand({
  name: 'stream',
  arity: -3,
  group: 'stream',
  since: '5.0.0',
  summary: 'Tells about a stream; with FULL also its entries and groups.',
  cost: 'O(1) without FULL, apart from the count of radix tree nodes.',
  flags: Flag.Read,
  syntax: 'key [FULL [COUNT count]]',
  keys: KEYS,
  history: [
    ['6.0.0', 'Takes FULL.'],
    ['7.0.0', 'Tells max-deleted-entry-id, entries-added, recorded-first-entry-id and lags.'],
    ['7.2.0', 'Tells active-time, and seen-time of attempts without success.'],
    ['8.6.0', 'Tells what is remembered of producers: idmp-duration and its like.'],
    ['8.8.0', 'Tells the nacked-count of groups.'],
  ],
  run(context) {
    const { reply, partition } = context;
    const { slab } = partition;
    const found = existingStream(context);
    const count = readFull(context);

    const producers = producersOf(slab, found);
    const more = producers === NONE ? 0 : 6;
    reply.map((count < 0 ? 10 : 9) + more);
    replyMarks(reply, slab, found);
    if (producers !== NONE) replyProducers(context, slab, producers);
    if (count < 0) replyEdges(reply, slab, found);
    else replyFull(reply, slab, found, count === 0 ? Number.MAX_SAFE_INTEGER : count);
  },
});

function replyMarks(reply: Reply, slab: Slab, found: StreamRef): void {
  reply.text('length');
  reply.integer(streamLength(slab, found));
  reply.text('radix-tree-keys');
  reply.integer(blockCount(slab, found));
  reply.text('radix-tree-nodes');
  reply.integer(radixNodes(slab, found));
  reply.text('last-generated-id');
  readLastGivenId(slab, found, id);
  replyId(reply, id);
  reply.text('max-deleted-entry-id');
  readMaxDeletedId(slab, found, id);
  replyId(reply, id);
  reply.text('entries-added');
  reply.int64(addedLow(slab, found), addedHigh(slab, found));
  reply.text('recorded-first-entry-id');
  readFirstId(slab, found, id);
  replyId(reply, id);
}

/** Of streams whose producers have named themselves, or were said to do so (XCFGSET). */
function replyProducers({ nowMs, reply }: Context, slab: Slab, producers: ProducersRef): void {
  trackedIn(slab, producers, nowMs);
  reply.text('idmp-duration');
  reply.integer(iidSeconds(slab, producers));
  reply.text('idmp-maxsize');
  reply.integer(iidsMax(slab, producers));
  reply.text('pids-tracked');
  reply.integer(tracked.pids);
  reply.text('iids-tracked');
  reply.integer(tracked.iids);
  reply.text('iids-added');
  reply.int64(iidsAddedLow(slab, producers), iidsAddedHigh(slab, producers));
  reply.text('iids-duplicates');
  reply.int64(duplicatesLow(slab, producers), duplicatesHigh(slab, producers));
}

function replyEdges(reply: Reply, slab: Slab, found: StreamRef): void {
  reply.text('groups');
  reply.integer(groupCount(slab, found));
  reply.text('first-entry');
  if (seekEntry(slab, found, cursor, ZERO_ID)) replyEntry(reply, cursor);
  else reply.nil();
  reply.text('last-entry');
  if (seekEntryBack(slab, found, cursor, MAX_ID)) replyEntry(reply, cursor);
  else reply.nil();
}

function replyFull(reply: Reply, slab: Slab, found: StreamRef, count: number): void {
  reply.text('entries');
  const shown = Math.min(count, streamLength(slab, found));
  reply.array(shown);
  if (seekEntry(slab, found, cursor, ZERO_ID)) replyEntries(reply, cursor, shown);
  reply.text('groups');
  reply.array(groupCount(slab, found));
  for (let index = 0; index < groupCount(slab, found); index++) {
    replyFullGroup(reply, slab, found, groupAt(slab, found, index), count);
  }
}

function replyFullGroup(
  reply: Reply,
  slab: Slab,
  found: StreamRef,
  group: GroupRef,
  count: number,
): void {
  const released = unownedCount(slab, group);
  reply.map(released === 0 ? 7 : 8);
  replyGroupName(reply, slab, group);
  replyProgress(reply, slab, found, group);
  reply.text('pel-count');
  reply.integer(pendingCount(slab, group));
  reply.text('pending');
  let left = Math.min(count, pendingCount(slab, group));
  reply.array(left);
  walk.seek(slab, pendingAt(group), PENDING_WORDS, ZERO_ID);
  for (; left > 0; left--, walk.next()) {
    reply.array(4);
    readIdAt(slab.i32, walk.at, id);
    replyId(reply, id);
    replyConsumer(reply, slab, consumerOf(slab, walk.at));
    replyDelivery(reply, slab, walk.at);
  }
  reply.text('consumers');
  reply.array(consumerCount(slab, group));
  for (let index = 0; index < consumerCount(slab, group); index++) {
    replyFullConsumer(reply, slab, group, consumerAt(slab, group, index), count);
  }
  // Redis 8 tells it always; here the answer is that of older ones where nothing was released.
  if (released === 0) return;
  reply.text('nacked-count');
  reply.integer(released);
}

function replyFullConsumer(
  reply: Reply,
  slab: Slab,
  group: GroupRef,
  consumer: ConsumerRef,
  count: number,
): void {
  reply.map(5);
  reply.text('name');
  replyConsumer(reply, slab, consumer);
  reply.text('seen-time');
  reply.integer(seenMs(slab, consumer));
  reply.text('active-time');
  reply.integer(activeMs(slab, consumer));
  reply.text('pel-count');
  reply.integer(ownPendingCount(slab, consumer));
  reply.text('pending');
  let left = Math.min(count, ownPendingCount(slab, consumer));
  reply.array(left);
  walk.seek(slab, ownPendingAt(consumer), OWN_WORDS, ZERO_ID);
  for (; left > 0; left--, walk.next()) {
    reply.array(3);
    readIdAt(slab.i32, walk.at, id);
    replyId(reply, id);
    replyDelivery(reply, slab, findPending(slab, group, id));
  }
}

function replyDelivery(reply: Reply, slab: Slab, pending: number): void {
  reply.integer(deliveredMs(slab, pending));
  reply.int64(deliveriesLow(slab, pending), deliveriesHigh(slab, pending));
}

// ── XINFO GROUPS ─────────────────────────────────────────────────────────────────────────────

const groups = keyCommand({
  name: 'groups',
  arity: 3,
  group: 'stream',
  since: '5.0.0',
  summary: 'Lists the consumer groups of a stream.',
  cost: 'O(N) for N groups.',
  flags: Flag.Read,
  syntax: 'key',
  keys: KEYS,
  history: [['7.0.0', 'Tells entries-read and lag.']],
  run(context) {
    const { reply, partition } = context;
    const { slab } = partition;
    const found = existingStream(context);

    reply.array(groupCount(slab, found));
    for (let index = 0; index < groupCount(slab, found); index++) {
      const group = groupAt(slab, found, index);
      reply.map(6);
      replyGroupName(reply, slab, group);
      reply.text('consumers');
      reply.integer(consumerCount(slab, group));
      reply.text('pending');
      reply.integer(pendingCount(slab, group));
      replyProgress(reply, slab, found, group);
    }
  },
});

function replyGroupName(reply: Reply, slab: Slab, group: GroupRef): void {
  reply.text('name');
  reply.bulk(slab.u8, groupNameStart(group), groupNameLength(slab, group));
}

/** How far a group has read. */
function replyProgress(reply: Reply, slab: Slab, found: StreamRef, group: GroupRef): void {
  reply.text('last-delivered-id');
  readDeliveredId(slab, group, id);
  replyId(reply, id);
  reply.text('entries-read');
  if (knowsEntriesRead(slab, group)) {
    reply.int64(entriesReadLow(slab, group), entriesReadHigh(slab, group));
  } else reply.nil();
  reply.text('lag');
  if (lagOf(slab, found, group)) reply.int64(int64.lo, int64.hi);
  else reply.nil();
}

// ── XINFO CONSUMERS ──────────────────────────────────────────────────────────────────────────

const consumers = keyCommand({
  name: 'consumers',
  arity: 4,
  group: 'stream',
  since: '5.0.0',
  summary: 'Lists the consumers of a group.',
  cost: 'O(N) for N consumers.',
  flags: Flag.Read,
  syntax: 'key group',
  keys: KEYS,
  tips: TIPS,
  history: [['7.2.0', 'Tells inactive, and idle of attempts without success.']],
  run(context) {
    const { args, nowMs, partition, reply } = context;
    const { slab } = partition;
    const group = findGroup(slab, existingStream(context), args, 3);
    if (group === NONE) {
      const name = quoted(args, 3);
      const key = quoted(args, 2);
      throw new Refusal(`NOGROUP No such consumer group '${name}' for key name '${key}'`);
    }

    reply.array(consumerCount(slab, group));
    for (let index = 0; index < consumerCount(slab, group); index++) {
      const consumer = consumerAt(slab, group, index);
      const active = activeMs(slab, consumer);
      reply.map(4);
      reply.text('name');
      replyConsumer(reply, slab, consumer);
      reply.text('pending');
      reply.integer(ownPendingCount(slab, consumer));
      reply.text('idle');
      reply.integer(Math.max(0, nowMs - seenMs(slab, consumer)));
      reply.text('inactive');
      reply.integer(active === -1 ? -1 : nowMs - active);
    }
  },
});

const xinfo = containerCommand({
  name: 'xinfo',
  arity: -2,
  group: 'stream',
  since: '5.0.0',
  summary: 'Tells about streams and their groups.',
  flags: 0,
  subcommands: [
    stream,
    groups,
    consumers,
    helpSubcommand({
      container: 'xinfo',
      group: 'stream',
      since: '5.0.0',
      lines: [
        'CONSUMERS <key> <groupname>',
        '    Show consumers of <groupname>.',
        'GROUPS <key>',
        '    Show the stream consumer groups.',
        'STREAM <key> [FULL [COUNT <count>]',
        '    Show information about the stream.',
      ],
    }),
  ],
});

export const inspectCommands: readonly CommandSpec[] = [xinfo];
