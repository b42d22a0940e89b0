// Streams, written. A block of entries becomes a listpack whose deltas and field names are those of
// its first live entry; deleted entries are left out.
//
//   ┌────────┬─────────────────────┬────────┬─────────┬────────┬─────────────┬──────┬───────┬───┐
//   │ blocks │ ID, listpack, …     │ length │ last ID │ first  │ max deleted │ added│ groups│ … │
//   └────────┴─────────────────────┴────────┴─────────┴────────┴─────────────┴──────┴───────┴───┘
//
//   listpack: the entry that others refer to, and the entries
//   ┌───────┬─────────┬────────┬───────┬───┐  ┌───────┬────┬─────┬────────────────────┬────────┐
//   │ live  │ deleted │ fields │ names │ 0 │  │ flags │ ms │ seq │ values, or fields  │ pieces │
//   │ count │ count   │        │       │   │  │       │    │     │ and name, value, … │        │
//   └───────┴─────────┴────────┴───────┴───┘  └───────┴────┴─────┴────────────────────┴────────┘
//
//   group
//   ┌──────┬─────────┬──────┬─────────┬───────────────────┬───────────┬──────────────────────────┐
//   │ name │ last ID │ read │ pending │ ID, time, count … │ consumers │ name, seen, active, IDs …│
//   └──────┴─────────┴──────┴─────────┴───────────────────┴───────────┴──────────────────────────┘
//
//   what is remembered of producers, behind the groups (StreamProducers)
//   ┌─────────┬─────────────┬───────┬────────────┬───────────┬─────────────────────────────┐
//   │ seconds │ iids at the │ added │ duplicates │ producers │ name, iids, iid, ID, time … │
//   │         │ most        │       │            │           │                             │
//   └─────────┴─────────────┴───────┴────────────┴───────────┴─────────────────────────────┘

import { equalBytes, isZeros } from '../base/bytes.js';
import { NONE, type Slab } from '../slab/slab.js';
import { type EntryBlock, EntryCursor, liveOf, nextBlock } from '../types/stream/block.js';
import {
  activeMs,
  type ConsumerRef,
  consumerAt,
  consumerCount,
  consumerNameLength,
  consumerNameStart,
  consumerOf,
  deliveredMs,
  deliveriesHigh,
  deliveriesLow,
  entriesReadHigh,
  entriesReadLow,
  type GroupRef,
  groupAt,
  groupCount,
  groupNameLength,
  groupNameStart,
  OWN_WORDS,
  ownPendingAt,
  ownPendingCount,
  PENDING_WORDS,
  pendingAt,
  pendingCount,
  readDeliveredId,
  seenMs,
  unownedCount,
} from '../types/stream/groups.js';
import { readIdAt, StreamId, ZERO_ID } from '../types/stream/id.js';
import { IdTreeCursor } from '../types/stream/id-tree.js';
import {
  duplicatesHigh,
  duplicatesLow,
  iidAddedMs,
  iidCount,
  iidNameLength,
  iidNameStart,
  iidSeconds,
  iidsAddedHigh,
  iidsAddedLow,
  iidsMax,
  nextIid,
  oldestIid,
  type ProducersRef,
  producerAt,
  producerCount,
  producerNameLength,
  producerNameStart,
  producersOf,
  readIidEntry,
} from '../types/stream/producers.js';
import {
  addedHigh,
  addedLow,
  blockCount,
  firstBlock,
  readFirstId,
  readLastGivenId,
  readMaxDeletedId,
  type StreamRef,
  streamLength,
} from '../types/stream/stream.js';
import { writeLength, writeWide } from './length.js';
import {
  LISTPACK_HEAD_BYTES,
  patchListpackHead,
  writeIntegerElement,
  writeListpackEnd,
  writeTextElement,
} from './listpack.js';
import { NEVER_SEEN_MS, RdbType } from './rdb-type.js';
import { ByteSink } from './sink.js';
import { writeText } from './strings.js';

export const ID_BYTES = 16;
/** Flags of an entry. */
export const DELETED = 1;
export const SAME_FIELDS = 2;

/** Pieces of an entry besides its values, and besides fields and count where these are its own. */
const PIECES = 3;
const TWO_32 = 2 ** 32;

const enum Field {
  NameAt = 0,
  NameBytes = 1,
  ValueAt = 2,
  ValueBytes = 3,
  Words = 4,
}

const scratch = new ByteSink();
const cursor = new EntryCursor();
const id = new StreamId();
const master = new StreamId();
const walk = new IdTreeCursor();
/** The fields of the entry being written, and the names that the others of its block refer to. */
let fields = new Int32Array(64 * Field.Words);
let masterFields = new Int32Array(64 * Field.Words);
let masterCount = 0;

/** In one of the forms that streamTypeFor names. */
export function writeStream(
  sink: ByteSink,
  slab: Slab,
  root: number,
  type: RdbType,
  compresses: boolean,
): void {
  const stream = root as StreamRef;
  const hasActiveTimes = type !== RdbType.StreamListpacks2;
  writeLength(sink, blockCount(slab, stream));
  for (let block = firstBlock(slab, stream); block !== NONE; block = nextBlock(slab, block)) {
    writeBlock(sink, slab, block, compresses);
  }
  writeMarks(sink, slab, stream);
  const groups = groupCount(slab, stream);
  for (let index = 0; index < groups; index++) {
    writeGroup(sink, slab, groupAt(slab, stream, index), hasActiveTimes, compresses);
  }
  if (type === RdbType.StreamProducers) {
    writeProducers(sink, slab, producersOf(slab, stream), compresses);
  }
}

/** What stands between blocks and groups. */
export function writeMarks(sink: ByteSink, slab: Slab, stream: StreamRef): void {
  writeLength(sink, streamLength(slab, stream));
  readLastGivenId(slab, stream, id);
  writeId(sink, id);
  readFirstId(slab, stream, id);
  writeId(sink, id);
  readMaxDeletedId(slab, stream, id);
  writeId(sink, id);
  writeWide(sink, addedLow(slab, stream), addedHigh(slab, stream));
  writeLength(sink, groupCount(slab, stream));
}

/** As two numbers. */
function writeId(sink: ByteSink, id: StreamId): void {
  writeWide(sink, id.msLow, id.msHigh);
  writeWide(sink, id.seqLow, id.seqHigh);
}

/** As sixteen bytes, the highest first. */
export function writeRawId(sink: ByteSink, id: StreamId): void {
  sink.big32(id.msHigh);
  sink.big32(id.msLow);
  sink.big32(id.seqHigh);
  sink.big32(id.seqLow);
}

function writeTime(sink: ByteSink, ms: number): void {
  sink.little(ms | 0, 4);
  sink.little(Math.floor(ms / TWO_32), 4);
}

// ── Entries ──────────────────────────────────────────────────────────────────────────────────

/** Writes one block: the unit in which a long stream can be written. */
export function writeBlock(
  sink: ByteSink,
  slab: Slab,
  block: EntryBlock,
  compresses: boolean,
): void {
  writeLength(sink, ID_BYTES);
  writeBlockBody(sink, slab, block, compresses);
}

/** As writeBlock, but for what is the same of all blocks: it begins with the ID. */
export function writeBlockBody(
  sink: ByteSink,
  slab: Slab,
  block: EntryBlock,
  compresses: boolean,
): void {
  scratch.reset();
  scratch.room(LISTPACK_HEAD_BYTES);
  scratch.at += LISTPACK_HEAD_BYTES;
  cursor.seekFrom(slab, block, ZERO_ID);
  master.copyFrom(cursor.id);
  let elements = beginListpack(slab, liveOf(slab, block));
  do {
    elements += writeEntry(slab);
  } while (cursor.next() && cursor.block === block);
  writeListpackEnd(scratch);
  patchListpackHead(scratch.u8, 0, scratch.at, elements);
  writeRawId(sink, master);
  writeText(sink, scratch.u8, 0, scratch.at, compresses);
}

/** Writes what stands before the entries; returns how many elements that is. */
function beginListpack(slab: Slab, live: number): number {
  readFields();
  masterCount = cursor.fieldCount;
  const own = masterFields;
  masterFields = fields;
  fields = own;
  writeNumber(live);
  writeNumber(0);
  writeNumber(masterCount);
  for (let field = 0; field < masterCount; field++) {
    const at = field * Field.Words;
    const start = masterFields[at + Field.NameAt]!;
    writeTextElement(scratch, slab.u8, start, masterFields[at + Field.NameBytes]!);
  }
  writeNumber(0);
  // Its fields were read already; the entry itself comes next, so it is sought again.
  cursor.seekFrom(slab, cursor.block, ZERO_ID);
  return masterCount + 4;
}

function writeNumber(value: number): void {
  writeIntegerElement(scratch, value, value >> 31);
}

/** Reads names and values of the cursor's entry. */
function readFields(): void {
  const count = cursor.fieldCount;
  if (fields.length < count * Field.Words) fields = new Int32Array(2 * count * Field.Words);
  for (let field = 0; field < count; field++) {
    const at = field * Field.Words;
    cursor.nextField();
    fields[at + Field.NameAt] = cursor.nameAt;
    fields[at + Field.NameBytes] = cursor.nameBytes;
    fields[at + Field.ValueAt] = cursor.valueAt;
    fields[at + Field.ValueBytes] = cursor.valueBytes;
  }
}

/** Has the entry the names that its block refers to? */
function isSame(slab: Slab): boolean {
  if (cursor.fieldCount !== masterCount) return false;
  for (let field = 0; field < masterCount; field++) {
    const at = field * Field.Words;
    const bytes = fields[at + Field.NameBytes]!;
    if (bytes !== masterFields[at + Field.NameBytes]) return false;
    const start = fields[at + Field.NameAt]!;
    const masterStart = masterFields[at + Field.NameAt]!;
    if (start === masterStart) continue;
    if (!equalBytes(slab.u8, start, slab.u8, masterStart, bytes)) return false;
  }
  return true;
}

/** Writes the cursor's entry; returns how many elements that is. */
function writeEntry(slab: Slab): number {
  const count = cursor.fieldCount;
  readFields();
  const isLike = isSame(slab);
  writeNumber(isLike ? SAME_FIELDS : 0);
  writeDistance(cursor.id.msLow, cursor.id.msHigh, master.msLow, master.msHigh);
  writeDistance(cursor.id.seqLow, cursor.id.seqHigh, master.seqLow, master.seqHigh);
  if (!isLike) writeNumber(count);
  for (let field = 0; field < count; field++) {
    const at = field * Field.Words;
    if (!isLike) {
      const start = fields[at + Field.NameAt]!;
      writeTextElement(scratch, slab.u8, start, fields[at + Field.NameBytes]!);
    }
    writeTextElement(scratch, slab.u8, fields[at + Field.ValueAt]!, fields[at + Field.ValueBytes]!);
  }
  const pieces = isLike ? count + PIECES : 2 * count + 1 + PIECES;
  writeNumber(pieces);
  return pieces + 1;
}

/** The difference of two numbers of 64 bits, which wraps around. */
function writeDistance(low: number, high: number, fromLow: number, fromHigh: number): void {
  const difference = (low >>> 0) - (fromLow >>> 0);
  const borrow = difference < 0 ? 1 : 0;
  writeIntegerElement(scratch, difference | 0, (high - fromHigh - borrow) | 0);
}

// ── Groups ───────────────────────────────────────────────────────────────────────────────────

function writeGroup(
  sink: ByteSink,
  slab: Slab,
  group: GroupRef,
  hasActiveTimes: boolean,
  compresses: boolean,
): void {
  writeGroupHead(sink, slab, group, compresses);
  let isThere = walk.seek(slab, pendingAt(group), PENDING_WORDS, ZERO_ID);
  for (; isThere; isThere = walk.next()) {
    readIdAt(slab.i32, walk.at, id);
    writeRawId(sink, id);
    writeTime(sink, deliveredMs(slab, walk.at));
    writeWide(sink, deliveriesLow(slab, walk.at), deliveriesHigh(slab, walk.at));
  }
  const consumers = consumerCount(slab, group);
  const released = unownedCount(slab, group);
  writeLength(sink, released === 0 ? consumers : consumers + 1);
  if (released !== 0) writeReleased(sink, slab, group, released, hasActiveTimes, compresses);
  for (let index = 0; index < consumers; index++) {
    writeConsumer(sink, slab, consumerAt(slab, group, index), hasActiveTimes, compresses);
  }
}

/** What stands before the pending entries of a group. */
export function writeGroupHead(
  sink: ByteSink,
  slab: Slab,
  group: GroupRef,
  compresses: boolean,
): void {
  writeText(sink, slab.u8, groupNameStart(group), groupNameLength(slab, group), compresses);
  readDeliveredId(slab, group, id);
  writeId(sink, id);
  writeWide(sink, entriesReadLow(slab, group), entriesReadHigh(slab, group));
  writeLength(sink, pendingCount(slab, group));
}

/**
 * Entries that are pending for nobody (XNACK): servers that do not know of that find a consumer who
 * was never seen, and stream-read.ts knows them by it. Its name is the first of '', '\0', '\0\0' …
 * that no consumer has, because such servers refuse two of one name.
 */
function writeReleased(
  sink: ByteSink,
  slab: Slab,
  group: GroupRef,
  count: number,
  hasActiveTimes: boolean,
  compresses: boolean,
): void {
  writeReleasedHead(sink, slab, group, count, hasActiveTimes, compresses);
  let isThere = walk.seek(slab, pendingAt(group), PENDING_WORDS, ZERO_ID);
  for (; isThere; isThere = walk.next()) {
    if (consumerOf(slab, walk.at) !== NONE) continue;
    readIdAt(slab.i32, walk.at, id);
    writeRawId(sink, id);
  }
}

/** What stands before the IDs of entries that are pending for nobody. */
export function writeReleasedHead(
  sink: ByteSink,
  slab: Slab,
  group: GroupRef,
  count: number,
  hasActiveTimes: boolean,
  compresses: boolean,
): void {
  const nameBytes = freeNameBytes(slab, group);
  writeText(sink, new Uint8Array(nameBytes), 0, nameBytes, compresses);
  writeTime(sink, NEVER_SEEN_MS);
  if (hasActiveTimes) writeTime(sink, NEVER_SEEN_MS);
  writeLength(sink, count);
}

// ── Producers ────────────────────────────────────────────────────────────────────────────────

export function writeProducers(
  sink: ByteSink,
  slab: Slab,
  producers: ProducersRef,
  compresses: boolean,
): void {
  writeLength(sink, iidSeconds(slab, producers));
  writeLength(sink, iidsMax(slab, producers));
  writeWide(sink, iidsAddedLow(slab, producers), iidsAddedHigh(slab, producers));
  writeWide(sink, duplicatesLow(slab, producers), duplicatesHigh(slab, producers));
  const count = producerCount(slab, producers);
  writeLength(sink, count);
  for (let index = 0; index < count; index++) {
    const producer = producerAt(slab, producers, index);
    const length = producerNameLength(slab, producer);
    writeText(sink, slab.u8, producerNameStart(producer), length, compresses);
    writeLength(sink, iidCount(slab, producer));
    for (let iid = oldestIid(slab, producer); iid !== NONE; iid = nextIid(slab, iid)) {
      writeText(sink, slab.u8, iidNameStart(iid), iidNameLength(slab, iid), compresses);
      readIidEntry(slab, iid, id);
      writeRawId(sink, id);
      writeTime(sink, iidAddedMs(slab, iid));
    }
  }
}

export interface StreamForm {
  readonly isExact: boolean;
  readonly dropsProducers?: boolean;
}

/**
 * Without active times a reader takes for them when the consumers last tried: exact for a stream
 * whose consumers got something whenever they tried.
 */
export function streamTypeFor(slab: Slab, root: number, form: StreamForm): RdbType {
  const stream = root as StreamRef;
  if (producersOf(slab, stream) !== NONE && form.dropsProducers !== true) {
    return RdbType.StreamProducers;
  }
  if (!form.isExact) return RdbType.StreamListpacks2;
  const groups = groupCount(slab, stream);
  for (let index = 0; index < groups; index++) {
    const group = groupAt(slab, stream, index);
    const consumers = consumerCount(slab, group);
    for (let at = 0; at < consumers; at++) {
      const consumer = consumerAt(slab, group, at);
      if (activeMs(slab, consumer) !== seenMs(slab, consumer)) return RdbType.StreamListpacks3;
    }
  }
  return RdbType.StreamListpacks2;
}

/** How many zero bytes are nobody's name. Consumers are sorted by name: those come first. */
function freeNameBytes(slab: Slab, group: GroupRef): number {
  const consumers = consumerCount(slab, group);
  let bytes = 0;
  for (let index = 0; index < consumers; index++) {
    const consumer = consumerAt(slab, group, index);
    const start = consumerNameStart(consumer);
    if (!isZeros(slab.u8, start, consumerNameLength(slab, consumer))) continue;
    if (consumerNameLength(slab, consumer) === bytes) bytes++;
  }
  return bytes;
}

function writeConsumer(
  sink: ByteSink,
  slab: Slab,
  consumer: ConsumerRef,
  hasActiveTimes: boolean,
  compresses: boolean,
): void {
  writeConsumerHead(sink, slab, consumer, hasActiveTimes, compresses);
  let isThere = walk.seek(slab, ownPendingAt(consumer), OWN_WORDS, ZERO_ID);
  for (; isThere; isThere = walk.next()) {
    readIdAt(slab.i32, walk.at, id);
    writeRawId(sink, id);
  }
}

/** What stands before the IDs of entries that are pending for a consumer. */
export function writeConsumerHead(
  sink: ByteSink,
  slab: Slab,
  consumer: ConsumerRef,
  hasActiveTimes: boolean,
  compresses: boolean,
): void {
  const length = consumerNameLength(slab, consumer);
  writeText(sink, slab.u8, consumerNameStart(consumer), length, compresses);
  writeTime(sink, seenMs(slab, consumer));
  if (hasActiveTimes) writeTime(sink, activeMs(slab, consumer));
  writeLength(sink, ownPendingCount(slab, consumer));
}
