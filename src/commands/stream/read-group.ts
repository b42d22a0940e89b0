// XREADGROUP: what is new in several streams for one of a group, what is pending for it, and what
// it takes over from others (read-claim.ts). What it shares with XREAD is in reading.ts.

import type { Context } from '../../dispatch/context.js';
import { crossCommand, Flag } from '../../dispatch/define.js';
import { Notify } from '../../dispatch/effects.js';
import { Type } from '../../keyspace/entry.js';
import { Refusal } from '../../resp/errors.js';
import { NONE, type Slab } from '../../slab/slab.js';
import { EntryCursor } from '../../types/stream/block.js';
import {
  addPending,
  advanceGroup,
  type ConsumerRef,
  consumerReserve,
  countDelivery,
  createConsumer,
  findConsumer,
  findGroup,
  findPending,
  type GroupRef,
  movePending,
  OWN_WORDS,
  ownPendingAt,
  pendingReserve,
  readDeliveredId,
  setActive,
  setDelivered,
  setDeliveries,
  setSeen,
} from '../../types/stream/groups.js';
import { MAX_ID, readIdAt, StreamId } from '../../types/stream/id.js';
import { IdTreeCursor } from '../../types/stream/id-tree.js';
import { countEntries, findEntry, type StreamRef, seekEntry } from '../../types/stream/stream.js';
import {
  claimedCount,
  claims,
  deliverClaims,
  dueMs,
  findClaims,
  replyClaims,
} from './read-claim.js';
import {
  budget,
  findGroupKeys,
  limitOfKey,
  reading,
  readOptions,
  Share,
  shares,
  takeRoom,
} from './reading.js';
import { recordClaim, recordConsumer, recordGroup } from './records.js';
import {
  editStream,
  isByte,
  quoted,
  readId,
  replyEntry,
  replyEntryBody,
  replyId,
} from './value.js';

const DOLLAR = 0x24;
const GREATER = 0x3e;

const DOLLAR_MEANINGLESS = new Refusal(
  'ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of ' +
    'this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID ' +
    'would just return an empty result set.',
);

const id = new StreamId();
const cursor = new EntryCursor();
const walk = new IdTreeCursor();

// ── Finding ──────────────────────────────────────────────────────────────────────────────────

/** Finds streams and groups, for a change, and where each is to be read from; checks all IDs. */
function findGroups(context: Context): void {
  const { args } = context;
  shares.starts.clear();
  for (let place = 0; place < reading.keyCount; place++) {
    const key = reading.firstKey + place;
    const idWord = key + reading.keyCount;
    shares.streams[place] = NONE;
    shares.groups[place] = NONE;
    if (context.isHere(key)) {
      const partition = context.at(key);
      const stream = editStream(partition, args, key);
      if (stream !== NONE) {
        shares.groups[place] = findGroup(partition.slab, stream, args, reading.groupWord);
      }
      if (shares.groups[place] === NONE) refuseGroup(context, key);
      shares.streams[place] = stream;
    }
    if (isByte(args, idWord, DOLLAR)) throw DOLLAR_MEANINGLESS;
    if (isByte(args, idWord, GREATER)) id.copyFrom(MAX_ID);
    else readId(args, idWord, id);
    shares.starts.add(id);
  }
}

function refuseGroup({ args }: Context, key: number): never {
  const name = quoted(args, reading.groupWord);
  throw new Refusal(
    `NOGROUP No such key '${quoted(args, key)}' or consumer group '${name}' ` +
      'in XREADGROUP with GROUP option',
  );
}

// ── Delivering ───────────────────────────────────────────────────────────────────────────────

/** What the deliveries of a key may take, besides a consumer. */
function deliveryReserve(slab: Slab, place: number): number {
  shares.starts.read(place, id);
  if (!id.isMax) return 0;
  const bytes = reading.leastIdleMs < 0 ? 0 : pendingReserve(claims.counts[place]!);
  if (reading.acknowledges) return bytes;
  readDeliveredId(slab, shares.groups[place]! as GroupRef, id);
  if (!id.increment()) return bytes;
  if (!seekEntry(slab, shares.streams[place]! as StreamRef, cursor, id)) return bytes;
  return bytes + pendingReserve(countEntries(slab, cursor, MAX_ID, limitOfKey()));
}

/** Makes room in all partitions before the first change. */
function reserveDeliveries(context: Context): void {
  const { args } = context;
  for (let place = 0; place < reading.keyCount; place++) {
    const group = shares.groups[place]! as GroupRef;
    if (group === NONE) continue;
    const partition = context.at(reading.firstKey + place);
    let bytes = 0;
    // Keys of one partition share its room.
    for (let other = 0; other < reading.keyCount; other++) {
      const { slab } = partition;
      const otherGroup = shares.groups[other]! as GroupRef;
      if (otherGroup === NONE || context.at(reading.firstKey + other) !== partition) continue;
      if (other < place) break;
      bytes += consumerReserve(slab, otherGroup, args.lengthOf(reading.consumerWord));
      bytes += deliveryReserve(slab, other);
    }
    if (bytes !== 0) partition.reserve(bytes);
  }
}

/** Delivers what is new and finds what is pending; returns how many keys give anything. */
function deliver(context: Context): number {
  let served = 0;
  shares.pending.clear();
  for (let place = 0; place < reading.keyCount; place++) {
    shares.kinds[place] = Share.None;
    const group = shares.groups[place]! as GroupRef;
    if (group === NONE) continue;
    const key = reading.firstKey + place;
    const consumer = consumerFor(context, key, group);
    // Nothing is left for the others.
    if (budget.entries <= 0) continue;
    shares.starts.read(place, id);
    if (!id.isMax) {
      shares.counts[place] = markHistory(context, place, consumer);
      if (isCutToNothing) continue;
      shares.kinds[place] = Share.History;
    } else {
      const claimed = reading.leastIdleMs < 0 ? 0 : deliverClaims(context, place, consumer);
      const count = deliverNew(context, place, consumer, limitOfKey() - claimed);
      if (count + claimed === 0) continue;
      shares.kinds[place] = Share.Entries;
      shares.counts[place] = count;
    }
    served++;
  }
  return served;
}

/** The consumer, created if need be; it was seen now. */
function consumerFor(context: Context, key: number, group: GroupRef): ConsumerRef {
  const { args, effects, nowMs } = context;
  const { slab } = context.at(key);
  const found = findConsumer(slab, group, args, reading.consumerWord);
  if (found !== NONE) {
    setSeen(slab, found, nowMs);
    return found;
  }
  const created = createConsumer(slab, group, args, reading.consumerWord, nowMs);
  context.changed(key, Notify.Stream, 'xgroup-createconsumer');
  if (effects.isRecording) {
    recordConsumer(context, key, reading.groupWord, reading.consumerWord);
  }
  return created;
}

/** Delivers entries that the group has not had; leaves where they begin in `shares`. */
function deliverNew(context: Context, place: number, consumer: ConsumerRef, limit: number): number {
  const { effects, nowMs } = context;
  const { groupWord, acknowledges } = reading;
  const key = reading.firstKey + place;
  const { slab } = context.at(key);
  const stream = shares.streams[place]! as StreamRef;
  const group = shares.groups[place]! as GroupRef;
  readDeliveredId(slab, group, id);
  shares.starts.replace(place, id);
  if (limit <= 0 || !id.increment() || !seekEntry(slab, stream, cursor, id)) return 0;
  let count = 0;
  do {
    if (!takeRoom(cursor)) break;
    advanceGroup(slab, stream, group, cursor.id);
    count++;
    if (acknowledges) continue;
    const pending = addDelivery(slab, group, consumer, nowMs);
    if (effects.isRecording) {
      recordClaim(context, key, groupWord, slab, group, cursor.id, pending);
    }
  } while (count < limit && cursor.next());
  if (count === 0) return 0;
  if (!acknowledges) setActive(slab, consumer, nowMs);
  // Also behind claims, which say what was delivered last, but not how many that makes.
  if (effects.isRecording) recordGroup(context, key, groupWord, slab, group);
  effects.dirty += count;
  return count;
}

/** The cursor's entry is pending for the consumer, whoever had it before. */
function addDelivery(slab: Slab, group: GroupRef, consumer: ConsumerRef, nowMs: number): number {
  const pending = findPending(slab, group, cursor.id);
  if (pending === 0) return addPending(slab, group, consumer, cursor.id, nowMs);
  // The group was set back: it reads what it has read before.
  movePending(slab, group, pending, consumer, cursor.id);
  setDelivered(slab, group, pending, nowMs);
  setDeliveries(slab, pending, 1, 0);
  return pending;
}

/** Had the history of a key something, for which no room was left? */
let isCutToNothing = false;

/**
 * What is pending for the consumer behind an ID is delivered once more, unless its entry is gone.
 * This stands in no record: who applies records has no use for it.
 */
function markHistory(context: Context, place: number, consumer: ConsumerRef): number {
  const { nowMs } = context;
  const key = reading.firstKey + place;
  const { slab } = context.at(key);
  const stream = shares.streams[place]! as StreamRef;
  const group = shares.groups[place]! as GroupRef;
  id.increment();
  shares.firsts[place] = shares.pending.count;
  const limit = limitOfKey();
  let count = 0;
  isCutToNothing = false;
  let isThere = walk.seek(slab, ownPendingAt(consumer), OWN_WORDS, id);
  for (; isThere && count < limit; isThere = walk.next()) {
    readIdAt(slab.i32, walk.at, id);
    const isGone = !findEntry(slab, stream, cursor, id);
    // Of an entry that is gone the answer has the ID alone: as good as nothing.
    if (isGone) budget.entries--;
    else if (!takeRoom(cursor)) {
      isCutToNothing = count === 0;
      break;
    }
    shares.pending.add(id);
    count++;
    if (isGone) continue;
    const pending = findPending(slab, group, id);
    setDelivered(slab, group, pending, nowMs);
    countDelivery(slab, pending);
  }
  return count;
}

// ── Answering ────────────────────────────────────────────────────────────────────────────────

function replyShares(context: Context, served: number): void {
  const { args, reply } = context;
  if (reply.protocol === 3) reply.map(served);
  else reply.array(served);
  for (let place = 0; place < reading.keyCount; place++) {
    const kind = shares.kinds[place]! as Share;
    if (kind === Share.None) continue;
    const key = reading.firstKey + place;
    if (reply.protocol === 2) reply.array(2);
    reply.bulk(args.u8, args.startOf(key), args.lengthOf(key));
    if (kind === Share.History) replyHistory(context, place);
    else replyDelivered(context, place);
  }
}

/** What was claimed, then what is new, which tells as much of itself: it was never delivered. */
function replyDelivered(context: Context, place: number): void {
  const { reply } = context;
  const count = shares.counts[place]!;
  const hasClaims = reading.leastIdleMs >= 0;
  reply.array(count + (hasClaims ? claimedCount(place) : 0));
  if (hasClaims) replyClaims(context, place);
  if (count === 0) return;
  const stream = shares.streams[place]! as StreamRef;
  shares.starts.read(place, id);
  id.increment();
  seekEntry(context.at(reading.firstKey + place).slab, stream, cursor, id);
  for (let left = count; left > 0; left--) {
    reply.array(hasClaims ? 4 : 2);
    replyEntryBody(reply, cursor);
    if (hasClaims) {
      reply.integer(0);
      reply.integer(0);
    }
    if (left > 1) cursor.next();
  }
}

function replyHistory(context: Context, place: number): void {
  const { reply } = context;
  const { slab } = context.at(reading.firstKey + place);
  const stream = shares.streams[place]! as StreamRef;
  const first = shares.firsts[place]!;
  const count = shares.counts[place]!;
  reply.array(count);
  for (let index = 0; index < count; index++) {
    shares.pending.read(first + index, id);
    if (findEntry(slab, stream, cursor, id)) {
      replyEntry(reply, cursor);
      continue;
    }
    reply.array(2);
    replyId(reply, id);
    reply.nilArray();
  }
}

/** Nothing was found: waits, if that was asked for. */
function waitOrAnswer(context: Context): void {
  const { deadlineMs, firstKey, keyCount, leastIdleMs } = reading;
  if (deadlineMs < 0) {
    context.reply.nilArray();
    return;
  }
  const order = { type: Type.Stream, firstKey, keyCount, deadlineMs, isKeyless: true };
  context.block(leastIdleMs < 0 ? order : { ...order, lookMs: dueMs(context) });
}

export const xreadgroup = crossCommand({
  name: 'xreadgroup',
  arity: -7,
  group: 'stream',
  since: '5.0.0',
  summary: 'Returns what is new in streams to a consumer of a group, or what is pending for it.',
  cost: 'O(N log M) for N entries, with M pending; O(N log M + M) where CLAIM finds any.',
  flags: Flag.Write | Flag.Blocking | Flag.MovableKeys,
  syntax:
    'GROUP group consumer [COUNT count] [MAXCOUNT maxcount] [MAXSIZE maxsize] ' +
    '[BLOCK milliseconds] [CLAIM min-idle-time] [NOACK] STREAMS key [key ...] id [id ...]',
  keys: [
    {
      flags: ['RO', 'access', 'incomplete'],
      begin: { keyword: 'STREAMS', startFrom: 4 },
      find: { lastKey: -1, step: 1, limit: 2 },
    },
  ],
  findKeys: findGroupKeys,
  history: [
    ['8.4.0', 'Takes CLAIM.'],
    ['8.10.0', 'Takes MAXCOUNT and MAXSIZE.'],
  ],
  run(context) {
    readOptions(context, true);

    findGroups(context);
    if (reading.leastIdleMs >= 0) findClaims(context);
    reserveDeliveries(context);

    const served = deliver(context);

    if (served !== 0) replyShares(context, served);
    else waitOrAnswer(context);
  },
});
