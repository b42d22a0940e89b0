// Taking over pending entries: XCLAIM by their IDs, XAUTOCLAIM in their order.

import { int64 } from '../../base/ascii.js';
import type { Slices } from '../../base/slices.js';
import { isWord, readInt64, readInteger, readIntegerIn, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { Notify } from '../../dispatch/effects.js';
import { Refusal, SYNTAX } from '../../resp/errors.js';
import { NONE, type Slab } from '../../slab/slab.js';
import { EntryCursor } from '../../types/stream/block.js';
import {
  addPending,
  type ConsumerRef,
  consumerOf,
  consumerReserve,
  countDelivery,
  createConsumer,
  deliveredMs,
  findConsumer,
  findPending,
  type GroupRef,
  movePending,
  PENDING_WORDS,
  pendingAt,
  pendingCount,
  pendingReserve,
  readDeliveredId,
  setActive,
  setDelivered,
  setDeliveredId,
  setDeliveries,
  setSeen,
} from '../../types/stream/groups.js';
import { compareIds, readIdAt, StreamId, ZERO_ID } from '../../types/stream/id.js';
import { IdTreeCursor } from '../../types/stream/id-tree.js';
import { findEntry, type StreamRef } from '../../types/stream/stream.js';
import { dropDeleted, recordClaim, recordConsumer, recordGroup } from './records.js';
import {
  editStream,
  groupIn,
  IdList,
  isId,
  quoted,
  readId,
  readStart,
  replyEntry,
  replyId,
} from './value.js';

const GROUP = 2;
const CONSUMER = 3;
const IDLE_TIME = 4;

const FORCE = word('FORCE');
const JUSTID = word('JUSTID');
const IDLE = word('IDLE');
const TIME = word('TIME');
const RETRYCOUNT = word('RETRYCOUNT');
const LASTID = word('LASTID');
const COUNT = word('COUNT');

const id = new StreamId();
const cursor = new EntryCursor();
/** What the running command has claimed, and what it found deleted. */
const claimed = new IdList();
const deleted = new IdList();

/** The consumer that claims, created if need be; it was seen now. Memory was reserved. */
function claimant(context: Context, group: GroupRef): ConsumerRef {
  const { args, nowMs, partition } = context;
  const { slab } = partition;
  const found = findConsumer(slab, group, args, CONSUMER);
  if (found !== NONE) {
    setSeen(slab, found, nowMs);
    return found;
  }
  const created = createConsumer(slab, group, args, CONSUMER, nowMs);
  context.changed(1, Notify.Stream, 'xgroup-createconsumer');
  if (context.effects.isRecording) recordConsumer(context, 1, GROUP, CONSUMER);
  return created;
}

export function findGroupOf(context: Context, stream: StreamRef): GroupRef {
  const { args, partition } = context;
  const group = groupIn(partition.slab, stream, args, GROUP);
  if (group !== NONE) return group;
  const key = quoted(args, 1);
  throw new Refusal(`NOGROUP No such key '${key}' or consumer group '${quoted(args, GROUP)}'`);
}

/** The entry `id` is the consumer's now, as its record says. */
function noteClaimed(
  context: Context,
  slab: Slab,
  group: GroupRef,
  consumer: ConsumerRef,
  pending: number,
): void {
  const { effects } = context;
  claimed.add(id);
  setActive(slab, consumer, context.nowMs);
  if (effects.isRecording) recordClaim(context, 1, GROUP, slab, group, id, pending);
  effects.dirty++;
}

/** All that was claimed: IDs, or entries. */
function replyClaimed(context: Context, slab: Slab, stream: StreamRef, justIds: boolean): void {
  const { reply } = context;
  reply.array(claimed.count);
  for (let index = 0; index < claimed.count; index++) {
    claimed.read(index, id);
    if (justIds) replyId(reply, id);
    else if (findEntry(slab, stream, cursor, id)) replyEntry(reply, cursor);
  }
}

// ── XCLAIM ───────────────────────────────────────────────────────────────────────────────────

const NOT_IDLE_TIME = new Refusal('ERR Invalid min-idle-time argument for XCLAIM');
const NOT_IDLE = new Refusal('ERR Invalid IDLE option argument for XCLAIM');
const NOT_TIME = new Refusal('ERR Invalid TIME option argument for XCLAIM');
const NOT_RETRYCOUNT = new Refusal('ERR Invalid RETRYCOUNT option argument for XCLAIM');
const FIRST_ID = 5;

const claim = {
  leastIdleMs: 0,
  /** The word behind the last ID. */
  idEnd: 0,
  isForced: false,
  justIds: false,
  deliveredMs: 0,
  hasDeliveries: false,
  deliveriesLow: 0,
  deliveriesHigh: 0,
  lastId: new StreamId(),
};

function readClaim(context: Context): void {
  const { args, nowMs } = context;
  claim.leastIdleMs = Math.max(0, readInteger(args, IDLE_TIME, NOT_IDLE_TIME));
  let index = FIRST_ID;
  while (index < args.count && isId(args, index, id)) index++;
  claim.idEnd = index;
  claim.isForced = false;
  claim.justIds = false;
  claim.deliveredMs = -1;
  claim.hasDeliveries = false;
  claim.lastId.set(0, 0, 0, 0);
  for (; index < args.count; index++) index = readClaimOption(args, index, nowMs);
  // Who computes the time elsewhere may be a little off: that is no reason to refuse.
  if (!(claim.deliveredMs >= 0 && claim.deliveredMs <= nowMs)) claim.deliveredMs = nowMs;
}

/** Reads the option at word `index`; returns its last word. */
function readClaimOption(args: Slices, index: number, nowMs: number): number {
  if (isWord(args, index, FORCE)) {
    claim.isForced = true;
    return index;
  }
  if (isWord(args, index, JUSTID)) {
    claim.justIds = true;
    return index;
  }
  const value = index + 1;
  const hasValue = value < args.count;
  if (hasValue && isWord(args, index, IDLE)) {
    claim.deliveredMs = nowMs - readInteger(args, value, NOT_IDLE);
  } else if (hasValue && isWord(args, index, TIME)) {
    claim.deliveredMs = readInteger(args, value, NOT_TIME);
  } else if (hasValue && isWord(args, index, RETRYCOUNT)) {
    readInt64(args, value, NOT_RETRYCOUNT);
    claim.hasDeliveries = int64.hi >= 0;
    claim.deliveriesLow = int64.lo;
    claim.deliveriesHigh = int64.hi;
  } else if (hasValue && isWord(args, index, LASTID)) {
    readId(args, value, claim.lastId);
  } else throw new Refusal(`ERR Unrecognized XCLAIM option '${quoted(args, index)}'`);
  return value;
}

const xclaim = keyCommand({
  name: 'xclaim',
  arity: -6,
  group: 'stream',
  since: '5.0.0',
  summary: 'Gives pending entries to a consumer, if they were idle long enough.',
  cost: 'O(log N) for each entry, with N pending.',
  flags: Flag.Write | Flag.Fast,
  syntax:
    'key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds] ' +
    '[RETRYCOUNT count] [FORCE] [JUSTID] [LASTID lastid]',
  keys: [keyAt(1, 'RW', 'update')],
  tips: ['nondeterministic_output'],
  run(context) {
    const { args, effects, partition } = context;
    const { slab } = partition;
    const stream = editStream(partition, args, 1);
    const group = findGroupOf(context, stream);
    readClaim(context);
    const room = consumerReserve(slab, group, args.lengthOf(CONSUMER));
    partition.reserve(room + pendingReserve(claim.idEnd - FIRST_ID));

    claimed.clear();
    readDeliveredId(slab, group, id);
    const isAhead = compareIds(claim.lastId, id) > 0;
    if (isAhead) setDeliveredId(slab, group, claim.lastId);
    const consumer = claimant(context, group);
    const { dirty } = effects;
    for (let index = FIRST_ID; index < claim.idEnd; index++) {
      readId(args, index, id);
      claimOne(context, slab, stream, group, consumer);
    }
    // A record of a claim says how far the group is.
    if (isAhead && effects.dirty === dirty) {
      if (effects.isRecording) recordGroup(context, 1, GROUP, slab, group);
      effects.dirty++;
    }

    replyClaimed(context, slab, stream, claim.justIds);
  },
});

/** Claims the entry `id`, if it is there and was idle long enough. */
function claimOne(
  context: Context,
  slab: Slab,
  stream: StreamRef,
  group: GroupRef,
  consumer: ConsumerRef,
): void {
  let pending = findPending(slab, group, id);
  if (!findEntry(slab, stream, cursor, id)) {
    if (pending !== 0) dropDeleted(context, 1, GROUP, slab, group, id, pending);
    return;
  }
  if (pending === 0) {
    if (!claim.isForced) return;
    pending = addPending(slab, group, consumer, id, claim.deliveredMs);
  } else {
    const idleMs = context.nowMs - deliveredMs(slab, pending);
    if (claim.leastIdleMs !== 0 && idleMs < claim.leastIdleMs) return;
    if (consumerOf(slab, pending) !== consumer) movePending(slab, group, pending, consumer, id);
    setDelivered(slab, group, pending, claim.deliveredMs);
  }
  if (claim.hasDeliveries) {
    setDeliveries(slab, pending, claim.deliveriesLow, claim.deliveriesHigh);
  } else if (!claim.justIds) countDelivery(slab, pending);
  noteClaimed(context, slab, group, consumer, pending);
}

// ── XAUTOCLAIM ───────────────────────────────────────────────────────────────────────────────

const NOT_IDLE_TIME_AUTO = new Refusal('ERR Invalid min-idle-time argument for XAUTOCLAIM');
const COUNT_NOT_POSITIVE = new Refusal('ERR COUNT must be > 0');
/** As many as Redis could hold the IDs of. */
const COUNT_MAX = 2 ** 59 - 1;
const COUNT_DEFAULT = 100;
/** So many pending entries are looked at for each that may be claimed. */
const ATTEMPTS_PER_ENTRY = 10;

const sweep = { leastIdleMs: 0, count: 0, justIds: false, start: new StreamId() };
const walk = new IdTreeCursor();

function readSweep(args: Slices): void {
  sweep.leastIdleMs = Math.max(0, readInteger(args, IDLE_TIME, NOT_IDLE_TIME_AUTO));
  readStart(args, 5, sweep.start);
  sweep.count = COUNT_DEFAULT;
  sweep.justIds = false;
  for (let index = 6; index < args.count; index++) {
    if (isWord(args, index, COUNT) && index + 1 < args.count) {
      const refusal = COUNT_NOT_POSITIVE;
      sweep.count = readIntegerIn(args, ++index, 1, COUNT_MAX, refusal, refusal);
    } else if (isWord(args, index, JUSTID)) sweep.justIds = true;
    else throw SYNTAX;
  }
}

const xautoclaim = keyCommand({
  name: 'xautoclaim',
  arity: -6,
  group: 'stream',
  since: '6.2.0',
  summary: 'Gives pending entries that were idle long enough to a consumer, in their order.',
  cost: 'O(log N) for each entry, with N pending.',
  flags: Flag.Write | Flag.Fast,
  syntax: 'key group consumer min-idle-time start [COUNT count] [JUSTID]',
  keys: [keyAt(1, 'RW', 'delete')],
  tips: ['nondeterministic_output'],
  history: [['7.0.0', 'Tells the IDs of entries that were deleted.']],
  run(context) {
    const { args, partition, reply } = context;
    const { slab } = partition;
    readSweep(args);
    const stream = editStream(partition, args, 1);
    const group = findGroupOf(context, stream);
    const room = consumerReserve(slab, group, args.lengthOf(CONSUMER));
    const most = Math.min(sweep.count, pendingCount(slab, group));
    partition.reserve(room + pendingReserve(most));

    claimed.clear();
    deleted.clear();
    const isThere = claimInOrder(context, slab, stream, group, claimant(context, group));

    reply.array(3);
    if (isThere) readIdAt(slab.i32, walk.at, id);
    replyId(reply, isThere ? id : ZERO_ID);
    replyClaimed(context, slab, stream, sweep.justIds);
    reply.array(deleted.count);
    for (let index = 0; index < deleted.count; index++) {
      deleted.read(index, id);
      replyId(reply, id);
    }
  },
});

/** Claims what may be; true when `walk` stands on what comes after. */
function claimInOrder(
  context: Context,
  slab: Slab,
  stream: StreamRef,
  group: GroupRef,
  consumer: ConsumerRef,
): boolean {
  const { nowMs } = context;
  const at = pendingAt(group);
  let attempts = sweep.count * ATTEMPTS_PER_ENTRY;
  let left = sweep.count;
  let isThere = walk.seek(slab, at, PENDING_WORDS, sweep.start);
  for (; isThere && attempts > 0 && left > 0; attempts--) {
    const pending = walk.at;
    readIdAt(slab.i32, pending, id);
    if (!findEntry(slab, stream, cursor, id)) {
      deleted.add(id);
      dropDeleted(context, 1, GROUP, slab, group, id, pending);
      isThere = walk.seek(slab, at, PENDING_WORDS, id);
      left--;
      continue;
    }
    if (sweep.leastIdleMs === 0 || nowMs - deliveredMs(slab, pending) >= sweep.leastIdleMs) {
      if (consumerOf(slab, pending) !== consumer) movePending(slab, group, pending, consumer, id);
      setDelivered(slab, group, pending, nowMs);
      if (!sweep.justIds) countDelivery(slab, pending);
      noteClaimed(context, slab, group, consumer, pending);
      left--;
    }
    isThere = walk.next();
  }
  return isThere;
}

export const claimCommands: readonly CommandSpec[] = [xclaim, xautoclaim];
