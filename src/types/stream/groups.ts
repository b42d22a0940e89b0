// Consumer groups: how far a group has read, its consumers, and which entries it has delivered but
// nobody has acknowledged. Such an entry is pending: it has a record in the tree of its group and
// one in the tree of its consumer (id-tree.ts).
//
//   group, 16 words and its name
//   ┌───────────────────┬──────────────┬─────────┬───────────┬────────┬──────┬────────────┬──────┐
//   │ last delivered ID │ entries read │ pending │ consumers │ oldest │ walk │ name bytes │ name │
//   └───────────────────┴──────────────┴─────────┴───────────┴────────┴──────┴────────────┴──────┘
//    4 words             int64, -1:     IdTree,   names,      int64,   2
//                        not known      3 words   2 words     ms       words
//
//   consumer, 8 words and its name
//   ┌──────────────┬──────────────┬───────────┬────────────┬──────┐
//   │ seen at, ms  │ active at,   │ pending   │ name bytes │ name │
//   │              │ ms; -1 never │           │            │      │
//   └──────────────┴──────────────┴───────────┴────────────┴──────┘
//    int64          int64          IdTree
//
//   record of a pending entry in the tree of the group          in the tree of the consumer
//   ┌────┬──────────────────┬────────────┬──────────┐            ┌────┐
//   │ ID │ delivered at, ms │ deliveries │ consumer │            │ ID │
//   └────┴──────────────────┴────────────┴──────────┘            └────┘
//    4    int64              int64        ref; NONE:              4
//                                         released
//
// A pending entry takes 52 bytes where entries are delivered in order.
//
// `oldest`: nothing that is pending was delivered before. It may be too early, when what was
// delivered then has been acknowledged since, and never too late. Who wants what was idle for long
// (XREADGROUP CLAIM) need not look at anything until then, and leaves the exact time behind.

import { int64, int64FromPair } from '../../base/ascii.js';
import { assert } from '../../base/assert.js';
import type { Slices } from '../../base/slices.js';
import { type BlockRef, capacityOf, release } from '../../slab/alloc.js';
import { NONE, type Ref, type Slab } from '../../slab/slab.js';
import { Walk } from '../../structs/walked.js';
import { compareIdAt, compareIds, ID_WORDS, readIdAt, StreamId, writeIdAt } from './id.js';
import {
  checkIdTree,
  clearIdTree,
  findInIdTree,
  freeIdTreeStep,
  IdTree,
  IdTreeCursor,
  idTreeBytes,
  idTreeCount,
  idTreeReserve,
  insertInIdTree,
  removeFromIdTree,
  setLeafEpoch,
} from './id-tree.js';
import {
  checkNames,
  createNamed,
  enterName,
  findName,
  leaveName,
  Names,
  nameCount,
  namedAt,
  nameLength,
  nameReserve,
  nameStart,
  namesBytes,
} from './names.js';
import {
  checkPendingEpochs,
  leaveGroup,
  saveAllPendingFirst,
  savePendingFirst,
  saveRecordFirst,
} from './pending-first.js';
import {
  addedHigh,
  addedLow,
  groupsAt,
  readFirstId,
  readLastGivenId,
  readMaxDeletedId,
  type StreamRef,
  streamLength,
} from './stream.js';

export type GroupRef = Ref<'consumer group'>;
export type ConsumerRef = Ref<'consumer'>;

const enum Group {
  Delivered = 0,
  ReadLow = Delivered + ID_WORDS,
  ReadHigh = ReadLow + 1,
  Pending = ReadHigh + 1,
  Consumers = Pending + IdTree.Words,
  OldestLow = Consumers + Names.Words,
  OldestHigh = OldestLow + 1,
  /** Of a snapshot's walk, see pending-first.ts. */
  Walk = OldestHigh + 1,
  Owner = Walk + 1,
  Name = Owner + 1,
}
const enum Consumer {
  SeenLow = 0,
  SeenHigh = 1,
  ActiveLow = 2,
  ActiveHigh = 3,
  Pending = 4,
  Name = Pending + IdTree.Words,
}
const enum Pending {
  TimeLow = ID_WORDS,
  TimeHigh = TimeLow + 1,
  CountLow = TimeHigh + 1,
  CountHigh = CountLow + 1,
  Consumer = CountHigh + 1,
  Words = Consumer + 1,
}

const enum Time {
  Low = 0,
  High = 1,
}

/** Words of the records in a group's tree and in a consumer's. */
export const PENDING_WORDS = Pending.Words;
export const OWN_WORDS = ID_WORDS;

/** Later than any delivery: nothing is pending. */
export const NEVER_MS = Number.MAX_SAFE_INTEGER;

const TWO_32 = 2 ** 32;
const INT32_MAX = 2 ** 31 - 1;
const scratch = new StreamId();
const other = new StreamId();

function readTime(slab: Slab, at: number): number {
  return slab.i32[at + Time.High]! * TWO_32 + (slab.i32[at + Time.Low]! >>> 0);
}

function writeTime(slab: Slab, at: number, ms: number): void {
  slab.i32[at + Time.Low] = ms | 0;
  slab.i32[at + Time.High] = Math.floor(ms / TWO_32);
}

// ── Groups ───────────────────────────────────────────────────────────────────────────────────

export function groupCount(slab: Slab, stream: StreamRef): number {
  return nameCount(slab, groupsAt(stream));
}

/** The group at place `index`, in the order of names. */
export function groupAt(slab: Slab, stream: StreamRef, index: number): GroupRef {
  return namedAt(slab, groupsAt(stream), index) as GroupRef;
}

/** The group named by word `index`, or NONE. */
export function findGroup(slab: Slab, stream: StreamRef, args: Slices, index: number): GroupRef {
  const listAt = groupsAt(stream);
  const start = args.startOf(index);
  const place = findName(slab, listAt, Group.Name, args.u8, start, args.lengthOf(index));
  return (place < 0 ? NONE : namedAt(slab, listAt, place)) as GroupRef;
}

/** Bytes that createGroup may allocate; the stream may be NONE. */
export function groupReserve(slab: Slab, stream: StreamRef, nameBytes: number): number {
  if (stream === NONE) return nameBytes;
  return nameReserve(slab, groupsAt(stream), Group.Name, nameBytes);
}

/** A group with the name of word `index`, which no other has. Memory was reserved. */
export function createGroup(
  slab: Slab,
  stream: StreamRef,
  args: Slices,
  index: number,
  delivered: StreamId,
): GroupRef {
  const start = args.startOf(index);
  return createGroupNamed(slab, stream, args.u8, start, args.lengthOf(index), delivered);
}

/** As createGroup, with the name u8[start, start + length). */
export function createGroupNamed(
  slab: Slab,
  stream: StreamRef,
  u8: Uint8Array,
  start: number,
  length: number,
  delivered: StreamId,
): GroupRef {
  const listAt = groupsAt(stream);
  const place = findName(slab, listAt, Group.Name, u8, start, length);
  assert(place < 0, 'a group has a name of its own');
  const group = createNamed(slab, Group.Name, u8, start, length) as GroupRef;
  const at = group << 1;
  clearIdTree(slab, at + Group.Pending);
  slab.i32[at + Group.Consumers + Names.Array] = NONE;
  slab.i32[at + Group.Consumers + Names.Count] = 0;
  setDeliveredId(slab, group, delivered);
  setEntriesRead(slab, group, -1, -1);
  setOldest(slab, group, NEVER_MS);
  slab.i32[at + Group.Walk] = 0;
  slab.i32[at + Group.Owner] = 0;
  enterName(slab, listAt, -1 - place, group);
  return group;
}

/** Takes a group out of its stream and frees it with its consumers and what is pending. */
export function destroyGroup(slab: Slab, stream: StreamRef, group: GroupRef): void {
  const listAt = groupsAt(stream);
  const start = groupNameStart(group);
  const place = findName(slab, listAt, Group.Name, slab.u8, start, groupNameLength(slab, group));
  leaveName(slab, listAt, place);
  if (leaveGroup(slab, group)) return;
  freeGroupStep(slab, group, Number.MAX_SAFE_INTEGER);
}

export function groupNameStart(group: GroupRef): number {
  return nameStart(group, Group.Name);
}

export function groupNameLength(slab: Slab, group: GroupRef): number {
  return nameLength(slab, group, Group.Name);
}

export function readDeliveredId(slab: Slab, group: GroupRef, out: StreamId): void {
  readIdAt(slab.i32, (group << 1) + Group.Delivered, out);
}

export function setDeliveredId(slab: Slab, group: GroupRef, id: StreamId): void {
  writeIdAt(slab.i32, (group << 1) + Group.Delivered, id);
}

/** How many entries the group has read, as far as that is known: an int64, -1 when it is not. */
export function entriesReadLow(slab: Slab, group: GroupRef): number {
  return slab.i32[(group << 1) + Group.ReadLow]!;
}

export function entriesReadHigh(slab: Slab, group: GroupRef): number {
  return slab.i32[(group << 1) + Group.ReadHigh]!;
}

export function setEntriesRead(slab: Slab, group: GroupRef, low: number, high: number): void {
  slab.i32[(group << 1) + Group.ReadLow] = low;
  slab.i32[(group << 1) + Group.ReadHigh] = high;
}

export function knowsEntriesRead(slab: Slab, group: GroupRef): boolean {
  return (entriesReadLow(slab, group) & entriesReadHigh(slab, group)) !== -1;
}

/** Word index of the tree of what is pending in a group; its records have PENDING_WORDS. */
export function pendingAt(group: GroupRef): number {
  return (group << 1) + Group.Pending;
}

/** Word index of the group's walk word and of the one behind it, see pending-first.ts. */
export function groupWalkAt(group: GroupRef): number {
  return (group << 1) + Group.Walk;
}

export function pendingCount(slab: Slab, group: GroupRef): number {
  return idTreeCount(slab, pendingAt(group));
}

/** Nothing pending in the group was delivered before this moment; NEVER_MS for nothing pending. */
export function oldestMs(slab: Slab, group: GroupRef): number {
  return readTime(slab, (group << 1) + Group.OldestLow);
}

/** For who has looked at all that is pending. */
export function setOldest(slab: Slab, group: GroupRef, ms: number): void {
  writeTime(slab, (group << 1) + Group.OldestLow, ms);
}

// ── How far a group is ───────────────────────────────────────────────────────────────────────

/** Was an entry from `start` on deleted by itself? Then those in between cannot be counted. */
function hasGap(slab: Slab, stream: StreamRef, start: StreamId): boolean {
  readMaxDeletedId(slab, stream, scratch);
  if (streamLength(slab, stream) === 0 || scratch.isZero) return false;
  readFirstId(slab, stream, other);
  return compareIds(other, scratch) <= 0 && compareIds(start, scratch) <= 0;
}

/**
 * The number of `id` among all entries ever added, in base/ascii's `int64`; false when it cannot be
 * told, because entries were deleted behind it or it is not one of the ends.
 */
export function countUpTo(slab: Slab, stream: StreamRef, id: StreamId): boolean {
  const low = addedLow(slab, stream);
  const high = addedHigh(slab, stream);
  int64FromPair(low, high);
  if ((low | high) === 0) return true;
  const length = streamLength(slab, stream);
  readLastGivenId(slab, stream, scratch);
  const order = compareIds(id, scratch);
  if (order === 0 || (length === 0 && order < 0)) return true;
  if (order > 0) return false;
  readMaxDeletedId(slab, stream, scratch);
  readFirstId(slab, stream, other);
  if (!scratch.isZero && compareIds(scratch, other) >= 0) return false;
  const toFirst = compareIds(id, other);
  if (toFirst > 0) return false;
  subtract(low, high, toFirst === 0 ? length - 1 : length, 0);
  return true;
}

function subtract(aLow: number, aHigh: number, bLow: number, bHigh: number): void {
  const low = (aLow >>> 0) - (bLow >>> 0);
  int64FromPair(low | 0, (aHigh - bHigh - (low < 0 ? 1 : 0)) | 0);
}

/** How many entries the group has not read yet, in `int64`; false when that cannot be told. */
export function lagOf(slab: Slab, stream: StreamRef, group: GroupRef): boolean {
  const low = addedLow(slab, stream);
  const high = addedHigh(slab, stream);
  if ((low | high) === 0) {
    int64FromPair(0, 0);
    return true;
  }
  readDeliveredId(slab, group, delivered);
  if (knowsEntriesRead(slab, group) && !hasGap(slab, stream, delivered)) {
    subtract(low, high, entriesReadLow(slab, group), entriesReadHigh(slab, group));
    return true;
  }
  if (!countUpTo(slab, stream, delivered)) return false;
  subtract(low, high, int64.lo, int64.hi);
  return true;
}

const delivered = new StreamId();

/** The group was given the entry of this ID: it is the last one delivered if it is beyond that. */
export function advanceGroup(
  slab: Slab,
  stream: StreamRef,
  group: GroupRef,
  id: StreamId,
): boolean {
  const { i32 } = slab;
  const at = group << 1;
  if (compareIdAt(i32, at + Group.Delivered, id) >= 0) return false;
  if (knowsEntriesRead(slab, group) && !hasGap(slab, stream, id)) {
    const low = (i32[at + Group.ReadLow]! + 1) | 0;
    i32[at + Group.ReadLow] = low;
    if (low === 0) i32[at + Group.ReadHigh] = i32[at + Group.ReadHigh]! + 1;
  } else if ((addedLow(slab, stream) | addedHigh(slab, stream)) !== 0) {
    if (countUpTo(slab, stream, id)) setEntriesRead(slab, group, int64.lo, int64.hi);
    else setEntriesRead(slab, group, -1, -1);
  }
  setDeliveredId(slab, group, id);
  return true;
}

// ── Consumers ────────────────────────────────────────────────────────────────────────────────

/** Word index of the list of its consumers, see names.ts. */
export function consumersAt(group: GroupRef): number {
  return (group << 1) + Group.Consumers;
}

export function consumerCount(slab: Slab, group: GroupRef): number {
  return nameCount(slab, consumersAt(group));
}

/** The consumer at place `index`, in the order of names. */
export function consumerAt(slab: Slab, group: GroupRef, index: number): ConsumerRef {
  return namedAt(slab, consumersAt(group), index) as ConsumerRef;
}

/** The consumer named by word `index`, or NONE. */
export function findConsumer(
  slab: Slab,
  group: GroupRef,
  args: Slices,
  index: number,
): ConsumerRef {
  const listAt = consumersAt(group);
  const start = args.startOf(index);
  const place = findName(slab, listAt, Consumer.Name, args.u8, start, args.lengthOf(index));
  return (place < 0 ? NONE : namedAt(slab, listAt, place)) as ConsumerRef;
}

/** Bytes that createConsumer may allocate. */
export function consumerReserve(slab: Slab, group: GroupRef, nameBytes: number): number {
  return nameReserve(slab, consumersAt(group), Consumer.Name, nameBytes);
}

/** A consumer with the name of word `index`, which no other has. Memory was reserved. */
export function createConsumer(
  slab: Slab,
  group: GroupRef,
  args: Slices,
  index: number,
  seenMs: number,
): ConsumerRef {
  const length = args.lengthOf(index);
  return createConsumerNamed(slab, group, args.u8, args.startOf(index), length, seenMs);
}

/** As createConsumer, with the name u8[start, start + length). */
export function createConsumerNamed(
  slab: Slab,
  group: GroupRef,
  u8: Uint8Array,
  start: number,
  length: number,
  seenMs: number,
): ConsumerRef {
  const listAt = consumersAt(group);
  const place = findName(slab, listAt, Consumer.Name, u8, start, length);
  assert(place < 0, 'a consumer has a name of its own');
  const consumer = createNamed(slab, Consumer.Name, u8, start, length) as ConsumerRef;
  clearIdTree(slab, ownPendingAt(consumer));
  setSeen(slab, consumer, seenMs);
  setActive(slab, consumer, -1);
  enterName(slab, listAt, -1 - place, consumer);
  return consumer;
}

/** Frees a consumer with all that is pending for it; returns how many entries that was. */
export function deleteConsumer(slab: Slab, group: GroupRef, consumer: ConsumerRef): number {
  const count = ownPendingCount(slab, consumer);
  removeAllOf(slab, group, consumer);
  const listAt = consumersAt(group);
  const length = consumerNameLength(slab, consumer);
  const start = consumerNameStart(consumer);
  leaveName(slab, listAt, findName(slab, listAt, Consumer.Name, slab.u8, start, length));
  freeIdTreeStep(slab, ownPendingAt(consumer), Number.MAX_SAFE_INTEGER);
  release(slab, consumer as number as BlockRef);
  return count;
}

/** Takes what is pending for a consumer out of the tree of its group. */
function removeAllOf(slab: Slab, group: GroupRef, consumer: ConsumerRef): void {
  if (ownPendingCount(slab, consumer) === pendingCount(slab, group)) {
    // All of it: to free the leaves costs a tenth of taking out each record.
    saveAllPendingFirst(slab, group);
    freeIdTreeStep(slab, pendingAt(group), Number.MAX_SAFE_INTEGER);
    return;
  }
  let isThere = walk.seek(slab, ownPendingAt(consumer), OWN_WORDS, START);
  for (; isThere; isThere = walk.next()) {
    readIdAt(slab.i32, walk.at, scratch);
    savePendingFirst(slab, group, scratch);
    removeFromIdTree(slab, pendingAt(group), PENDING_WORDS, scratch);
  }
}

const START = new StreamId();
const walk = new IdTreeCursor();

export function consumerNameStart(consumer: ConsumerRef): number {
  return nameStart(consumer, Consumer.Name);
}

export function consumerNameLength(slab: Slab, consumer: ConsumerRef): number {
  return nameLength(slab, consumer, Consumer.Name);
}

/** When the consumer last tried anything, in ms since 1970. */
export function seenMs(slab: Slab, consumer: ConsumerRef): number {
  return readTime(slab, (consumer << 1) + Consumer.SeenLow);
}

export function setSeen(slab: Slab, consumer: ConsumerRef, ms: number): void {
  writeTime(slab, (consumer << 1) + Consumer.SeenLow, ms);
}

/** When the consumer last got something; -1 for never. */
export function activeMs(slab: Slab, consumer: ConsumerRef): number {
  return readTime(slab, (consumer << 1) + Consumer.ActiveLow);
}

export function setActive(slab: Slab, consumer: ConsumerRef, ms: number): void {
  writeTime(slab, (consumer << 1) + Consumer.ActiveLow, ms);
}

/** Word index of the tree of what is pending for a consumer; its records have OWN_WORDS. */
export function ownPendingAt(consumer: ConsumerRef): number {
  return (consumer << 1) + Consumer.Pending;
}

export function ownPendingCount(slab: Slab, consumer: ConsumerRef): number {
  return idTreeCount(slab, ownPendingAt(consumer));
}

// ── Pending entries ──────────────────────────────────────────────────────────────────────────

/** Bytes that `count` calls of addPending or movePending may allocate. */
export function pendingReserve(count: number): number {
  return idTreeReserve(count, PENDING_WORDS) + idTreeReserve(count, OWN_WORDS);
}

/** Word index of the record of a pending entry, 0 when it is none. */
export function findPending(slab: Slab, group: GroupRef, id: StreamId): number {
  return findInIdTree(slab, pendingAt(group), PENDING_WORDS, id);
}

export function deliveredMs(slab: Slab, record: number): number {
  return readTime(slab, record + Pending.TimeLow);
}

/** As deliveredMs, in two words. */
export function deliveredLow(slab: Slab, record: number): number {
  return slab.i32[record + Pending.TimeLow]!;
}

export function deliveredHigh(slab: Slab, record: number): number {
  return slab.i32[record + Pending.TimeHigh]!;
}

export function setDelivered(slab: Slab, group: GroupRef, record: number, ms: number): void {
  saveRecordFirst(slab, group, record);
  writeTime(slab, record + Pending.TimeLow, ms);
  if (ms < oldestMs(slab, group)) setOldest(slab, group, ms);
}

/** How often a pending entry was delivered: an int64. */
export function deliveriesLow(slab: Slab, record: number): number {
  return slab.i32[record + Pending.CountLow]!;
}

export function deliveriesHigh(slab: Slab, record: number): number {
  return slab.i32[record + Pending.CountHigh]!;
}

/** For a record that setDelivered, or whatever added it, has just written to. */
export function setDeliveries(slab: Slab, record: number, low: number, high: number): void {
  slab.i32[record + Pending.CountLow] = low;
  slab.i32[record + Pending.CountHigh] = high;
}

/** One more, up to the greatest int64: there an entry stands that is not to be tried again. */
export function countDelivery(slab: Slab, record: number): void {
  const low = (deliveriesLow(slab, record) + 1) | 0;
  const high = deliveriesHigh(slab, record);
  if (low === 0 && high === INT32_MAX) return;
  setDeliveries(slab, record, low, low === 0 ? high + 1 : high);
}

/** Whose a pending entry is; NONE for one that was released. */
export function consumerOf(slab: Slab, record: number): ConsumerRef {
  return slab.i32[record + Pending.Consumer]! as ConsumerRef;
}

/**
 * An entry that is not pending becomes so, delivered once; returns its record. Memory was reserved.
 */
export function addPending(
  slab: Slab,
  group: GroupRef,
  consumer: ConsumerRef,
  id: StreamId,
  ms: number,
): number {
  insertInIdTree(slab, ownPendingAt(consumer), OWN_WORDS, id);
  const record = insertPending(slab, group, id);
  setDelivered(slab, group, record, ms);
  setDeliveries(slab, record, 1, 0);
  slab.i32[record + Pending.Consumer] = consumer;
  return record;
}

function insertPending(slab: Slab, group: GroupRef, id: StreamId): number {
  savePendingFirst(slab, group, id);
  const at = pendingAt(group);
  const record = insertInIdTree(slab, at, PENDING_WORDS, id);
  // A leaf is born with the epoch of the one it comes from; this one comes from none.
  if (idTreeCount(slab, at) === 1) {
    const epoch = slab.i32[groupWalkAt(group)]! & Walk.EpochMask;
    setLeafEpoch(slab, slab.i32[at + IdTree.Top]!, epoch);
  }
  return record;
}

/**
 * As addPending, for an entry that is nobody's, or whose consumer is told later, by ownPending: RDB
 * files have it so. Returns its record. Memory was reserved.
 */
export function addUnowned(slab: Slab, group: GroupRef, id: StreamId, ms: number): number {
  const record = insertPending(slab, group, id);
  setDelivered(slab, group, record, ms);
  setDeliveries(slab, record, 1, 0);
  slab.i32[record + Pending.Consumer] = NONE;
  return record;
}

/** Gives an entry that is pending for nobody to its consumer. Memory was reserved. */
export function ownPending(slab: Slab, record: number, consumer: ConsumerRef, id: StreamId): void {
  assert(slab.i32[record + Pending.Consumer] === NONE, 'a pending entry has one consumer');
  insertInIdTree(slab, ownPendingAt(consumer), OWN_WORDS, id);
  slab.i32[record + Pending.Consumer] = consumer;
}

/** Gives a pending entry to another consumer. Memory was reserved. */
export function movePending(
  slab: Slab,
  group: GroupRef,
  record: number,
  consumer: ConsumerRef,
  id: StreamId,
): void {
  const old = consumerOf(slab, record);
  if (old === consumer) return;
  saveRecordFirst(slab, group, record);
  if (old !== NONE) removeFromIdTree(slab, ownPendingAt(old), OWN_WORDS, id);
  insertInIdTree(slab, ownPendingAt(consumer), OWN_WORDS, id);
  slab.i32[record + Pending.Consumer] = consumer;
}

/**
 * Takes a pending entry from its consumer, if it has one: it is pending for nobody, since the
 * beginning of time, so that whoever claims it finds it idle long enough.
 */
export function releasePending(slab: Slab, group: GroupRef, record: number, id: StreamId): void {
  const consumer = consumerOf(slab, record);
  saveRecordFirst(slab, group, record);
  if (consumer !== NONE) removeFromIdTree(slab, ownPendingAt(consumer), OWN_WORDS, id);
  slab.i32[record + Pending.Consumer] = NONE;
  setDelivered(slab, group, record, 0);
}

/** How many pending entries of the group are nobody's. */
export function unownedCount(slab: Slab, group: GroupRef): number {
  let count = pendingCount(slab, group);
  for (let index = 0; index < consumerCount(slab, group); index++) {
    count -= ownPendingCount(slab, consumerAt(slab, group, index));
  }
  return count;
}

/** The entry is not pending any more; false when it was not. */
export function removePending(slab: Slab, group: GroupRef, id: StreamId): boolean {
  const record = findPending(slab, group, id);
  if (record === 0) return false;
  const consumer = consumerOf(slab, record);
  savePendingFirst(slab, group, id);
  if (consumer !== NONE) removeFromIdTree(slab, ownPendingAt(consumer), OWN_WORDS, id);
  removeFromIdTree(slab, pendingAt(group), PENDING_WORDS, id);
  return true;
}

// ── Whole groups ─────────────────────────────────────────────────────────────────────────────

/** Frees about `budget` records of a group that its stream has given up; then the group. */
export function freeGroupStep(slab: Slab, group: GroupRef, budget: number): boolean {
  const listAt = consumersAt(group);
  for (let count = nameCount(slab, listAt); count > 0; count--) {
    const consumer = namedAt(slab, listAt, count - 1) as ConsumerRef;
    const pending = ownPendingCount(slab, consumer);
    if (!freeIdTreeStep(slab, ownPendingAt(consumer), budget)) return false;
    release(slab, consumer as number as BlockRef);
    leaveName(slab, listAt, count - 1);
    budget -= pending + 1;
    if (budget <= 0) return false;
  }
  if (!freeIdTreeStep(slab, pendingAt(group), budget)) return false;
  release(slab, group as number as BlockRef);
  return true;
}

/** Frees about `budget` records of a stream's groups. True when there is none left. */
export function freeGroupsStep(slab: Slab, stream: StreamRef, budget: number): boolean {
  for (let count = groupCount(slab, stream); count > 0; count--) {
    const group = groupAt(slab, stream, count - 1);
    const pending = pendingCount(slab, group);
    if (!freeGroupStep(slab, group, budget)) return false;
    leaveName(slab, groupsAt(stream), count - 1);
    budget -= pending + 1;
    if (budget <= 0) return count === 1;
  }
  return true;
}

/** A consumer stands elsewhere now: tells what is pending for it. */
export function consumerMoved(slab: Slab, group: GroupRef, consumer: ConsumerRef): void {
  const pending = new IdTreeCursor();
  const id = new StreamId();
  let isThere = pending.seek(slab, ownPendingAt(consumer), OWN_WORDS, id);
  for (; isThere; isThere = pending.next()) {
    readIdAt(slab.i32, pending.at, id);
    slab.i32[findPending(slab, group, id) + Pending.Consumer] = consumer;
  }
}

/** Bytes of a stream's groups. */
export function groupsBytes(slab: Slab, stream: StreamRef): number {
  let bytes = namesBytes(slab, groupsAt(stream));
  for (let index = 0; index < groupCount(slab, stream); index++) {
    const group = groupAt(slab, stream, index);
    bytes += capacityOf(slab, group as number as BlockRef) + idTreeBytes(slab, pendingAt(group));
    bytes += namesBytes(slab, consumersAt(group));
    for (let place = 0; place < consumerCount(slab, group); place++) {
      const consumer = consumerAt(slab, group, place);
      bytes += capacityOf(slab, consumer as number as BlockRef);
      bytes += idTreeBytes(slab, ownPendingAt(consumer));
    }
  }
  return bytes;
}

/** Copies all groups of a stream to another, which has none. Memory was reserved. */
export function copyGroups(slab: Slab, stream: StreamRef, target: Slab, copy: StreamRef): void {
  const id = new StreamId();
  for (let index = 0; index < groupCount(slab, stream); index++) {
    const group = groupAt(slab, stream, index);
    readDeliveredId(slab, group, id);
    const length = groupNameLength(slab, group);
    const start = groupNameStart(group);
    const copied = createGroupNamed(target, copy, slab.u8, start, length, id);
    setEntriesRead(target, copied, entriesReadLow(slab, group), entriesReadHigh(slab, group));
    copyConsumers(slab, group, target, copied);
  }
}

function copyConsumers(slab: Slab, group: GroupRef, target: Slab, copy: GroupRef): void {
  const copies = new Map<number, ConsumerRef>();
  for (let index = 0; index < consumerCount(slab, group); index++) {
    const consumer = consumerAt(slab, group, index);
    const length = consumerNameLength(slab, consumer);
    const start = consumerNameStart(consumer);
    const seen = seenMs(slab, consumer);
    const copied = createConsumerNamed(target, copy, slab.u8, start, length, seen);
    setActive(target, copied, activeMs(slab, consumer));
    copies.set(consumer, copied);
  }
  let isThere = walk.seek(slab, pendingAt(group), PENDING_WORDS, START);
  for (; isThere; isThere = walk.next()) {
    readIdAt(slab.i32, walk.at, scratch);
    const consumer = copies.get(consumerOf(slab, walk.at));
    const ms = deliveredMs(slab, walk.at);
    const record =
      consumer === undefined
        ? addUnowned(target, copy, scratch, ms)
        : addPending(target, copy, consumer, scratch, ms);
    const low = deliveriesLow(slab, walk.at);
    setDeliveries(target, record, low, deliveriesHigh(slab, walk.at));
  }
}

/** Asserts what must hold of a stream's groups. */
export function checkGroups(slab: Slab, stream: StreamRef): void {
  checkNames(slab, groupsAt(stream), Group.Name);
  for (let index = 0; index < groupCount(slab, stream); index++) {
    checkGroup(slab, groupAt(slab, stream, index));
  }
}

function checkGroup(slab: Slab, group: GroupRef): void {
  checkNames(slab, consumersAt(group), Consumer.Name);
  checkIdTree(slab, pendingAt(group), PENDING_WORDS);
  checkPendingEpochs(slab, group);
  const consumers = new Set<number>();
  let pending = 0;
  for (let index = 0; index < consumerCount(slab, group); index++) {
    const consumer = consumerAt(slab, group, index);
    checkIdTree(slab, ownPendingAt(consumer), OWN_WORDS);
    pending += ownPendingCount(slab, consumer);
    consumers.add(consumer);
  }
  let released = 0;
  const id = new StreamId();
  let isThere = walk.seek(slab, pendingAt(group), PENDING_WORDS, START);
  for (; isThere; isThere = walk.next()) {
    const consumer = consumerOf(slab, walk.at);
    const isBehind = deliveredMs(slab, walk.at) >= oldestMs(slab, group);
    assert(isBehind, 'nothing pending was delivered before the oldest');
    if (consumer === NONE) {
      released++;
      continue;
    }
    assert(consumers.has(consumer), 'a pending entry belongs to a consumer of its group');
    readIdAt(slab.i32, walk.at, id);
    const own = findInIdTree(slab, ownPendingAt(consumer), OWN_WORDS, id);
    assert(own !== 0, 'a consumer knows what is pending for it');
  }
  const owned = pendingCount(slab, group) - released;
  assert(pending === owned, 'a pending entry has one consumer at the most');
}
