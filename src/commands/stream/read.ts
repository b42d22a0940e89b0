// XREAD and XREADGROUP: what is new in several streams, for oneself or as one of a group.
//
// A command goes over its keys three times: it finds streams and groups, and may refuse; it decides
// what each key gives, which in a group is the change; it writes the answer, whose head says how
// many keys have something. What the second found for the third stands in `shares`.

import { isWord, readInteger, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, crossCommand, Flag } from '../../dispatch/define.js';
import { Notify } from '../../dispatch/effects.js';
import { Type } from '../../keyspace/entry.js';
import { Refusal, SYNTAX } from '../../resp/errors.js';
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
import { compareIds, MAX_ID, readIdAt, StreamId } from '../../types/stream/id.js';
import { IdTreeCursor } from '../../types/stream/id-tree.js';
import {
  countEntries,
  readLastGivenId,
  type StreamRef,
  seekEntry,
  seekEntryBack,
} from '../../types/stream/stream.js';
import { readMillisecondsDeadline } from '../timeout.js';
import { recordClaim, recordConsumer, recordGroup } from './records.js';
import {
  editStream,
  findStream,
  IdList,
  idText,
  isByte,
  quoted,
  readId,
  replyEntries,
  replyEntry,
  replyId,
  textOf,
} from './value.js';

const BLOCK = word('BLOCK');
const COUNT = word('COUNT');
const STREAMS = word('STREAMS');
const GROUP = word('GROUP');
const NOACK = word('NOACK');
const DOLLAR = 0x24;
const PLUS = 0x2b;
const GREATER = 0x3e;
const NO_LIMIT = Number.MAX_SAFE_INTEGER;

const GROUP_UNSUPPORTED = new Refusal(
  'ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.',
);
const NOACK_UNSUPPORTED = new Refusal(
  'ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.',
);
const GROUP_MISSING = new Refusal('ERR Missing GROUP option for XREADGROUP');
const DOLLAR_MEANINGLESS = new Refusal(
  'ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of ' +
    'this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID ' +
    'would just return an empty result set.',
);
const GREATER_MEANINGLESS = new Refusal(
  'ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> ' +
    '<consumer> option.',
);

/** What a key gives. */
const enum Share {
  None = 0,
  /** Entries from an ID on. */
  Entries = 1,
  /** What is pending for the consumer, from an ID on. */
  History = 2,
}

/** The words of the running command. */
const reading = {
  limit: 0,
  /** When waiting is over, -1 for not waiting at all. */
  deadlineMs: -1,
  isGroup: false,
  /** The words of group and consumer. */
  groupWord: 0,
  consumerWord: 0,
  acknowledges: false,
  firstKey: 0,
  keyCount: 0,
};

/** What each key gives, by its place among the keys. */
const shares = {
  kinds: new Uint8Array(16),
  streams: new Int32Array(16),
  groups: new Int32Array(16),
  counts: new Float64Array(16),
  /** Where each begins: behind an ID, or in the list of what is pending. */
  starts: new IdList(),
  firsts: new Int32Array(16),
  pending: new IdList(),
};

const id = new StreamId();
const last = new StreamId();
const cursor = new EntryCursor();
const walk = new IdTreeCursor();

// ── Reading ──────────────────────────────────────────────────────────────────────────────────

function readOptions(context: Context, isGroup: boolean): void {
  const { args } = context;
  reading.limit = NO_LIMIT;
  reading.deadlineMs = -1;
  reading.isGroup = isGroup;
  reading.groupWord = 0;
  reading.acknowledges = false;
  reading.firstKey = 0;
  for (let index = 1; index < args.count && reading.firstKey === 0; index++) {
    index = readOption(context, index);
  }
  if (reading.firstKey === 0) throw SYNTAX;
  if (isGroup && reading.groupWord === 0) throw GROUP_MISSING;
}

/** Reads the option at word `index`; returns its last word. */
function readOption(context: Context, index: number): number {
  const { args } = context;
  const more = args.count - 1 - index;
  if (more >= 1 && isWord(args, index, COUNT)) {
    const count = readInteger(args, index + 1);
    reading.limit = count <= 0 ? NO_LIMIT : count;
    return index + 1;
  }
  if (more >= 1 && isWord(args, index, STREAMS)) {
    readKeyCount(context, more);
    reading.firstKey = index + 1;
    return index;
  }
  if (more >= 1 && isWord(args, index, BLOCK)) {
    reading.deadlineMs = readMillisecondsDeadline(context, index + 1);
    return index + 1;
  }
  if (more >= 2 && isWord(args, index, GROUP)) {
    if (!reading.isGroup) throw GROUP_UNSUPPORTED;
    reading.groupWord = index + 1;
    reading.consumerWord = index + 2;
    return index + 2;
  }
  if (!isWord(args, index, NOACK)) throw SYNTAX;
  if (!reading.isGroup) throw NOACK_UNSUPPORTED;
  reading.acknowledges = true;
  return index;
}

function readKeyCount({ command }: Context, words: number): void {
  if ((words & 1) === 1) {
    const symbol = reading.isGroup ? '>' : '$';
    throw new Refusal(
      `ERR Unbalanced '${command.fullName}' list of streams: ` +
        `for each stream key an ID or '${symbol}' must be specified.`,
    );
  }
  reading.keyCount = words >>> 1;
  if (reading.keyCount <= shares.kinds.length) return;
  const capacity = words;
  shares.kinds = new Uint8Array(capacity);
  shares.streams = new Int32Array(capacity);
  shares.groups = new Int32Array(capacity);
  shares.counts = new Float64Array(capacity);
  shares.firsts = new Int32Array(capacity);
}

// ── Finding ──────────────────────────────────────────────────────────────────────────────────

/** Finds the streams, for reading, and where each is to be read from; checks all IDs. */
function findPlaces(context: Context): void {
  const { args } = context;
  shares.starts.clear();
  for (let place = 0; place < reading.keyCount; place++) {
    const key = reading.firstKey + place;
    const idWord = key + reading.keyCount;
    const isHere = context.isHere(key);
    const stream = isHere ? findStream(context.at(key), args, key) : (NONE as StreamRef);
    shares.streams[place] = stream;
    if (isByte(args, idWord, GREATER)) throw GREATER_MEANINGLESS;
    if (isByte(args, idWord, DOLLAR)) {
      if (stream === NONE) id.set(0, 0, 0, 0);
      else readLastGivenId(context.at(key).slab, stream, id);
    } else if (isByte(args, idWord, PLUS)) id.set(0, 0, 0, 0);
    else readId(args, idWord, id);
    shares.starts.add(id);
  }
  if (context.keyspace.announcesMisses) announceMisses(context);
}

/** Redis looks at all keys once for their IDs and again to read: who listens hears of both. */
function announceMisses(context: Context): void {
  for (let place = 0; place < reading.keyCount; place++) {
    const key = reading.firstKey + place;
    if (shares.streams[place] !== NONE || !context.isHere(key)) continue;
    context.at(key).announceMiss(context.args, key);
  }
}

/** As findPlaces, for a group and a change. */
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

// ── XREAD ────────────────────────────────────────────────────────────────────────────────────

/** What the keys give a reader; returns how many give anything. */
function share(context: Context): number {
  const { args } = context;
  let served = 0;
  for (let place = 0; place < reading.keyCount; place++) {
    shares.kinds[place] = Share.None;
    const stream = shares.streams[place]! as StreamRef;
    if (stream === NONE) continue;
    const key = reading.firstKey + place;
    const { slab } = context.at(key);
    let count = 0;
    if (isByte(args, key + reading.keyCount, PLUS)) {
      count = seekEntryBack(slab, stream, cursor, MAX_ID) ? 1 : 0;
    } else {
      count = countBehind(slab, stream, place);
    }
    if (count === 0) continue;
    shares.kinds[place] = Share.Entries;
    shares.counts[place] = count;
    served++;
  }
  return served;
}

/** Entries behind the start of a key, up to the limit. */
function countBehind(slab: Slab, stream: StreamRef, place: number): number {
  shares.starts.read(place, id);
  // Behind the last ID there is nothing: most who ask are told so.
  readLastGivenId(slab, stream, last);
  if (compareIds(id, last) >= 0 || !id.increment()) return 0;
  if (!seekEntry(slab, stream, cursor, id)) return 0;
  return countEntries(slab, cursor, MAX_ID, reading.limit);
}

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
    else replyNew(context, place);
  }
}

function replyNew(context: Context, place: number): void {
  const { args, reply } = context;
  const key = reading.firstKey + place;
  const stream = shares.streams[place]! as StreamRef;
  const { slab } = context.at(key);
  if (!reading.isGroup && isByte(args, key + reading.keyCount, PLUS)) {
    seekEntryBack(slab, stream, cursor, MAX_ID);
  } else {
    shares.starts.read(place, id);
    id.increment();
    seekEntry(slab, stream, cursor, id);
  }
  const count = shares.counts[place]!;
  reply.array(count);
  replyEntries(reply, cursor, count);
}

/** Nothing was found: waits, if that was asked for. */
function waitOrAnswer(context: Context): void {
  const { deadlineMs, firstKey, keyCount, isGroup } = reading;
  if (deadlineMs < 0) {
    context.reply.nilArray();
    return;
  }
  const replaced = isGroup ? null : idsToWaitWith(context);
  const order = { type: Type.Stream, firstKey, keyCount, deadlineMs, isKeyless: isGroup };
  context.block(replaced === null ? order : { ...order, replaced });
}

/** `$` is what it stood for when the reader came, however late it is woken. */
function idsToWaitWith({ args }: Context): Map<number, Uint8Array> | null {
  let replaced: Map<number, Uint8Array> | null = null;
  for (let place = 0; place < reading.keyCount; place++) {
    const idWord = reading.firstKey + reading.keyCount + place;
    if (!isByte(args, idWord, DOLLAR)) continue;
    shares.starts.read(place, id);
    replaced ??= new Map();
    replaced.set(idWord, idText.slice(0, textOf(id)));
  }
  return replaced;
}

const xread = crossCommand({
  name: 'xread',
  arity: -4,
  group: 'stream',
  since: '5.0.0',
  summary: 'Returns what streams have behind given IDs, waiting until there is anything.',
  cost: 'O(N) for N entries, after O(log M) in each stream of M.',
  flags: Flag.Read | Flag.Blocking | Flag.MovableKeys,
  syntax: '[COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]',
  keys: [
    {
      flags: ['RO', 'access', 'incomplete'],
      begin: { keyword: 'STREAMS', startFrom: 1 },
      find: { lastKey: -1, step: 1, limit: 2 },
    },
  ],
  history: [['7.4.0', 'Takes + for the last entry.']],
  run(context) {
    readOptions(context, false);

    findPlaces(context);
    const served = share(context);

    if (served !== 0) replyShares(context, served);
    else waitOrAnswer(context);
  },
});

// ── XREADGROUP ───────────────────────────────────────────────────────────────────────────────

/** What the deliveries of a key may take, besides a consumer. */
function deliveryReserve(slab: Slab, place: number): number {
  shares.starts.read(place, id);
  if (!id.isMax || reading.acknowledges) return 0;
  readDeliveredId(slab, shares.groups[place]! as GroupRef, id);
  if (!id.increment()) return 0;
  if (!seekEntry(slab, shares.streams[place]! as StreamRef, cursor, id)) return 0;
  return pendingReserve(countEntries(slab, cursor, MAX_ID, reading.limit));
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
    shares.starts.read(place, id);
    if (!id.isMax) {
      shares.kinds[place] = Share.History;
      shares.counts[place] = markHistory(context, place, consumer);
    } else {
      const count = deliverNew(context, place, consumer);
      if (count === 0) continue;
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
function deliverNew(context: Context, place: number, consumer: ConsumerRef): number {
  const { effects, nowMs } = context;
  const { groupWord, acknowledges, limit } = reading;
  const key = reading.firstKey + place;
  const { slab } = context.at(key);
  const stream = shares.streams[place]! as StreamRef;
  const group = shares.groups[place]! as GroupRef;
  readDeliveredId(slab, group, id);
  shares.starts.replace(place, id);
  if (!id.increment() || !seekEntry(slab, stream, cursor, id)) return 0;
  let count = 0;
  do {
    advanceGroup(slab, stream, group, cursor.id);
    count++;
    if (acknowledges) continue;
    const pending = addDelivery(slab, group, consumer, nowMs);
    if (effects.isRecording) {
      recordClaim(context, key, groupWord, slab, group, cursor.id, pending);
    }
  } while (count < limit && cursor.next());
  if (!acknowledges) setActive(slab, consumer, nowMs);
  else if (effects.isRecording) recordGroup(context, key, groupWord, slab, group);
  effects.dirty += count;
  return count;
}

/** The cursor's entry is pending for the consumer, whoever had it before. */
function addDelivery(slab: Slab, group: GroupRef, consumer: ConsumerRef, nowMs: number): number {
  const pending = findPending(slab, group, cursor.id);
  if (pending === 0) return addPending(slab, group, consumer, cursor.id, nowMs);
  // The group was set back: it reads what it has read before.
  movePending(slab, pending, consumer, cursor.id);
  setDelivered(slab, pending, nowMs);
  setDeliveries(slab, pending, 1, 0);
  return pending;
}

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
  let count = 0;
  let isThere = walk.seek(slab, ownPendingAt(consumer), OWN_WORDS, id);
  for (; isThere && count < reading.limit; isThere = walk.next()) {
    readIdAt(slab.i32, walk.at, id);
    shares.pending.add(id);
    count++;
    if (!seekEntry(slab, stream, cursor, id) || compareIds(cursor.id, id) !== 0) continue;
    const pending = findPending(slab, group, id);
    setDelivered(slab, pending, nowMs);
    countDelivery(slab, pending);
  }
  return count;
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
    if (seekEntry(slab, stream, cursor, id) && compareIds(cursor.id, id) === 0) {
      replyEntry(reply, cursor);
      continue;
    }
    reply.array(2);
    replyId(reply, id);
    reply.nilArray();
  }
}

const xreadgroup = crossCommand({
  name: 'xreadgroup',
  arity: -7,
  group: 'stream',
  since: '5.0.0',
  summary: 'Returns what is new in streams to a consumer of a group, or what is pending for it.',
  cost: 'O(N log M) for N entries, with M pending.',
  flags: Flag.Write | Flag.Blocking | Flag.MovableKeys,
  syntax:
    'GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] ' +
    'id [id ...]',
  keys: [
    {
      flags: ['RO', 'access', 'incomplete'],
      begin: { keyword: 'STREAMS', startFrom: 4 },
      find: { lastKey: -1, step: 1, limit: 2 },
    },
  ],
  run(context) {
    readOptions(context, true);

    findGroups(context);
    reserveDeliveries(context);

    const served = deliver(context);

    if (served !== 0) replyShares(context, served);
    else waitOrAnswer(context);
  },
});

export const readCommands: readonly CommandSpec[] = [xread, xreadgroup];
