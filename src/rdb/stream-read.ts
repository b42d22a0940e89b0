// Streams, read from the three forms that Redis 5, 7.0 and 7.2 write, and from the own one
// (stream-write.ts has the picture; the first has neither the marks behind the last ID nor what
// groups have read, the first two no active times). Entries must ascend, all counts must be those
// of what is there, and every pending entry must belong to one consumer.

import { int64 } from '../base/ascii.js';
import { compareBytes, copyBytes, isZeros } from '../base/bytes.js';
import { Slices } from '../base/slices.js';
import { NONE, type Slab } from '../slab/slab.js';
import { Encoding, Type } from '../types/kind.js';
import {
  addUnowned,
  type ConsumerRef,
  consumerAt,
  consumerCount,
  consumerNameLength,
  consumerNameStart,
  consumerOf,
  consumerReserve,
  countUpTo,
  createConsumer,
  createGroup,
  findConsumer,
  findGroup,
  findPending,
  type GroupRef,
  groupAt,
  groupCount,
  groupNameLength,
  groupNameStart,
  groupReserve,
  ownPending,
  pendingCount,
  pendingReserve,
  setActive,
  setDeliveries,
  setEntriesRead,
} from '../types/stream/groups.js';
import { compareIds, StreamId } from '../types/stream/id.js';
import {
  appendIid,
  createProducers,
  hasIid,
  IIDS_MAX,
  iidAddedMs,
  iidReserve,
  type Name,
  newestIid,
  PRODUCERS_RESERVE_BYTES,
  type ProducerRef,
  type ProducersRef,
  producerAt,
  producerCount,
  producerNamed,
  producerNameLength,
  producerNameStart,
  SECONDS_MAX,
  setDuplicates,
  setIidsAdded,
} from '../types/stream/producers.js';
import {
  appendEntry,
  appendReserve,
  createStream,
  type StreamRef,
  setAdded,
  setLastGivenId,
  setMaxDeletedId,
  streamLength,
} from '../types/stream/stream.js';
import type { Building } from './building.js';
import { readLength, readWide } from './length.js';
import { Listpack } from './listpack.js';
import { NEVER_SEEN_MS, RdbType } from './rdb-type.js';
import { BAD_DATA, type ByteSource } from './source.js';
import { DELETED, ID_BYTES, SAME_FIELDS } from './stream-write.js';

const SCRATCH_BYTES = 4096;
const SCRATCH_KEPT = 1024 * 1024;
/** Pieces of an entry besides its values. */
const PIECES = 3;
/** So many names may come in any order: Redis writes them sorted, more would be slow to sort. */
const UNSORTED_NAMES_MAX = 4096;

const listpack = new Listpack();
/** Names and values of one entry, and before them the names that its listpack refers to. */
const words = new Slices(new Uint8Array(new ArrayBuffer(SCRATCH_BYTES)));
const names = new Slices();
const word = new Slices();
let wordsEnd = 0;
const master = new StreamId();
const id = new StreamId();
const last = new StreamId();

export function readStream(source: ByteSource, type: RdbType, building: Building): void {
  const { slab } = building;
  building.reserve(0);
  const stream = createStream(slab);
  building.hold(Type.Stream, Encoding.Log, stream);
  last.set(0, 0, 0, 0);
  for (let left = readLength(source); left > 0; left--) readBlock(source, building, stream);
  if (words.u8.length > SCRATCH_KEPT) words.u8 = new Uint8Array(new ArrayBuffer(SCRATCH_BYTES));
  if (readLength(source) !== streamLength(slab, stream)) throw BAD_DATA;
  readMarks(source, type, slab, stream);
  for (let left = readLength(source); left > 0; left--) {
    readGroup(source, type, building, stream);
  }
  if (type === RdbType.StreamProducers) readProducers(source, building, stream);
}

function readMarks(source: ByteSource, type: RdbType, slab: Slab, stream: StreamRef): void {
  readId(source, id);
  if (compareIds(id, last) < 0) throw BAD_DATA;
  setLastGivenId(slab, stream, id);
  if (type === RdbType.StreamListpacks) {
    setAdded(slab, stream, streamLength(slab, stream), 0);
    return;
  }
  // The first ID is that of the first entry: what is claimed of it does not matter.
  readId(source, id);
  readId(source, id);
  setMaxDeletedId(slab, stream, id);
  readWide(source);
  setAdded(slab, stream, source.low, source.high);
}

/** An ID as two numbers. */
function readId(source: ByteSource, out: StreamId): void {
  readWide(source);
  const { low, high } = source;
  readWide(source);
  out.set(high, low, source.high, source.low);
}

/** An ID as sixteen bytes, the highest first. */
function readRawId(source: ByteSource, out: StreamId): void {
  source.need(ID_BYTES);
  const msHigh = source.big32() | 0;
  const msLow = source.big32() | 0;
  const seqHigh = source.big32() | 0;
  out.set(msHigh, msLow, seqHigh, source.big32() | 0);
}

// ── Entries ──────────────────────────────────────────────────────────────────────────────────

const wordAt = (u8: Uint8Array, at: number): number =>
  (u8[at]! << 24) | (u8[at + 1]! << 16) | (u8[at + 2]! << 8) | u8[at + 3]!;

function readBlock(source: ByteSource, building: Building, stream: StreamRef): void {
  const { text, second } = building;
  text.read(source);
  if (text.length !== ID_BYTES) throw BAD_DATA;
  const { u8, start } = text;
  master.set(
    wordAt(u8, start),
    wordAt(u8, start + 4),
    wordAt(u8, start + 8),
    wordAt(u8, start + 12),
  );
  second.read(source);
  listpack.open(second.u8, second.start, second.length);
  const live = listpack.nextCount();
  const deleted = listpack.nextCount();
  readNames();
  let found = 0;
  for (let left = live + deleted; left > 0; left--) {
    if (readEntry(building, stream)) found++;
  }
  if (found !== live || listpack.next()) throw BAD_DATA;
}

/** The names that entries refer to, and the 0 behind them. */
function readNames(): void {
  const count = listpack.nextCount();
  names.count = 0;
  wordsEnd = 0;
  for (let left = count; left > 0; left--) {
    listpack.nextText();
    keepText(names);
  }
  listpack.nextInteger();
  if ((int64.lo | int64.hi) !== 0) throw BAD_DATA;
}

/** Copies the listpack's text behind the others. */
function keepText(slices: Slices): void {
  const { u8, start, length } = listpack;
  if (wordsEnd + length > words.u8.length) {
    const grown = new Uint8Array(new ArrayBuffer(2 * (wordsEnd + length)));
    grown.set(words.u8.subarray(0, wordsEnd));
    words.u8 = grown;
  }
  copyBytes(u8, start, words.u8, wordsEnd, length);
  slices.push(wordsEnd, length);
  wordsEnd += length;
}

/** Reads an entry, and adds it unless it is deleted; true when it was added. */
function readEntry(building: Building, stream: StreamRef): boolean {
  listpack.nextInteger();
  const flags = int64.lo;
  listpack.nextInteger();
  addTo(master.msLow, master.msHigh, int64.lo, int64.hi);
  const { sumLow: msLow, sumHigh: msHigh } = sum;
  listpack.nextInteger();
  addTo(master.seqLow, master.seqHigh, int64.lo, int64.hi);
  id.set(msHigh, msLow, sum.sumHigh, sum.sumLow);
  const namesEnd = wordsEnd;
  const count = readFields((flags & SAME_FIELDS) !== 0);
  const payload = wordsEnd - namesEnd;
  wordsEnd = namesEnd;
  if ((flags & DELETED) !== 0) return false;
  if (count === 0 || compareIds(id, last) <= 0) throw BAD_DATA;
  const { slab } = building;
  const bytes = (flags & SAME_FIELDS) !== 0 ? payload + namesEnd : payload;
  building.reserve(appendReserve(slab, stream, bytes, count));
  appendEntry(slab, stream, id, words, 0, bytes);
  last.copyFrom(id);
  return true;
}

const sum = { sumLow: 0, sumHigh: 0 };

/** Adds two numbers of 64 bits, which wraps around. */
function addTo(aLow: number, aHigh: number, bLow: number, bHigh: number): void {
  const low = (aLow >>> 0) + (bLow >>> 0);
  sum.sumLow = low | 0;
  sum.sumHigh = (aHigh + bHigh + (low > 0xffffffff ? 1 : 0)) | 0;
}

/** Leaves names and values in `words`; returns how many fields there are. */
function readFields(isSame: boolean): number {
  const count = isSame ? names.count : listpack.nextCount();
  words.count = 0;
  for (let field = 0; field < count; field++) {
    listpack.nextText();
    if (isSame) {
      words.push(names.startOf(field), names.lengthOf(field));
    } else {
      keepText(words);
      listpack.nextText();
    }
    keepText(words);
  }
  const pieces = isSame ? count + PIECES : 2 * count + 1 + PIECES;
  listpack.nextInteger();
  if (int64.hi !== 0 || int64.lo !== pieces) throw BAD_DATA;
  return count;
}

// ── Groups ───────────────────────────────────────────────────────────────────────────────────

function readGroup(source: ByteSource, type: RdbType, building: Building, stream: StreamRef): void {
  const { slab } = building;
  readWord(source, building);
  readId(source, id);
  if (findGroup(slab, stream, word, 0) !== NONE) throw BAD_DATA;
  const groups = groupCount(slab, stream);
  if (groups > UNSORTED_NAMES_MAX) {
    const before = groupAt(slab, stream, groups - 1);
    checkBehind(slab, groupNameStart(before), groupNameLength(slab, before));
  }
  building.reserve(groupReserve(slab, stream, word.lengthOf(0)));
  const group = createGroup(slab, stream, word, 0, id);
  if (type !== RdbType.StreamListpacks) {
    readWide(source);
    setEntriesRead(slab, group, source.low, source.high);
  } else if (countUpTo(slab, stream, id)) {
    setEntriesRead(slab, group, int64.lo, int64.hi);
  }
  readPending(source, building, group);
  const hasActiveTimes = type === RdbType.StreamListpacks3 || type === RdbType.StreamProducers;
  let owned = 0;
  for (let left = readLength(source); left > 0; left--) {
    owned += readConsumer(source, hasActiveTimes, building, group);
  }
  if (owned !== pendingCount(slab, group)) throw BAD_DATA;
}

/** The name of a group or of a consumer, as word 0. */
function readWord(source: ByteSource, building: Building): void {
  const { text } = building;
  text.read(source);
  word.u8 = text.u8;
  word.count = 0;
  word.push(text.start, text.length);
}

/** Refuses unless word 0 sorts behind a name in the slab. */
function checkBehind(slab: Slab, start: number, length: number): void {
  const { u8 } = word;
  const order = compareBytes(slab.u8, start, length, u8, word.startOf(0), word.lengthOf(0));
  if (order >= 0) throw BAD_DATA;
}

/** What is pending in a group, for nobody yet. */
function readPending(source: ByteSource, building: Building, group: GroupRef): void {
  const { slab } = building;
  for (let left = readLength(source); left > 0; left--) {
    readRawId(source, id);
    const ms = source.signedLittle();
    readWide(source);
    if (findPending(slab, group, id) !== 0) throw BAD_DATA;
    building.reserve(pendingReserve(1));
    const record = addUnowned(slab, group, id, ms);
    setDeliveries(slab, record, source.low, source.high);
  }
}

/** Reads a consumer; returns how many entries are pending for it. */
function readConsumer(
  source: ByteSource,
  hasActiveTime: boolean,
  building: Building,
  group: GroupRef,
): number {
  const { slab } = building;
  readWord(source, building);
  const seen = source.signedLittle();
  const active = hasActiveTime ? source.signedLittle() : seen;
  if (seen === NEVER_SEEN_MS && isZeros(word.u8, word.startOf(0), word.lengthOf(0))) {
    return readReleased(source, slab, group);
  }
  if (findConsumer(slab, group, word, 0) !== NONE) throw BAD_DATA;
  const consumers = consumerCount(slab, group);
  if (consumers > UNSORTED_NAMES_MAX) {
    const before = consumerAt(slab, group, consumers - 1);
    checkBehind(slab, consumerNameStart(before), consumerNameLength(slab, before));
  }
  building.reserve(consumerReserve(slab, group, word.lengthOf(0)));
  const consumer = createConsumer(slab, group, word, 0, seen);
  setActive(slab, consumer, active);
  const count = readLength(source);
  for (let left = count; left > 0; left--) readOwned(source, building, group, consumer);
  return count;
}

/** Passes over the entries that are nobody's, which they are already; returns how many. */
function readReleased(source: ByteSource, slab: Slab, group: GroupRef): number {
  const count = readLength(source);
  for (let left = count; left > 0; left--) {
    readRawId(source, id);
    const record = findPending(slab, group, id);
    if (record === 0 || consumerOf(slab, record) !== NONE) throw BAD_DATA;
  }
  return count;
}

function readOwned(
  source: ByteSource,
  building: Building,
  group: GroupRef,
  consumer: ConsumerRef,
): void {
  const { slab } = building;
  readRawId(source, id);
  const record = findPending(slab, group, id);
  if (record === 0 || consumerOf(slab, record) !== NONE) throw BAD_DATA;
  building.reserve(pendingReserve(1));
  ownPending(slab, record, consumer, id);
}

// ── Producers ────────────────────────────────────────────────────────────────────────────────

function readProducers(source: ByteSource, building: Building, stream: StreamRef): void {
  const { slab } = building;
  const seconds = readLength(source);
  const most = readLength(source);
  if (seconds < 1 || seconds > SECONDS_MAX || most < 1 || most > IIDS_MAX) throw BAD_DATA;
  building.reserve(PRODUCERS_RESERVE_BYTES);
  const producers = createProducers(slab, stream, seconds, most);
  readWide(source);
  setIidsAdded(slab, producers, source.low, source.high);
  readWide(source);
  setDuplicates(slab, producers, source.low, source.high);
  for (let left = readLength(source); left > 0; left--) {
    readProducer(source, building, producers, most);
  }
}

function readProducer(
  source: ByteSource,
  building: Building,
  producers: ProducersRef,
  most: number,
): void {
  const { slab } = building;
  readWord(source, building);
  const count = readLength(source);
  if (word.lengthOf(0) === 0 || count < 1 || count > most) throw BAD_DATA;
  const producerTotal = producerCount(slab, producers);
  if (producerTotal > 0) {
    const before = producerAt(slab, producers, producerTotal - 1);
    checkBehind(slab, producerNameStart(before), producerNameLength(slab, before));
  }
  const pid = copyOfWord();
  let producer = NONE as ProducerRef;
  for (let left = count; left > 0; left--) {
    readWord(source, building);
    const iid: Name = { u8: word.u8, start: word.startOf(0), length: word.lengthOf(0) };
    readRawId(source, id);
    const ms = source.signedLittle();
    building.reserve(iidReserve(slab, producers, pid, iid));
    if (producer === NONE) producer = producerNamed(slab, producers, pid);
    if (!isNextIid(slab, producer, iid, ms)) throw BAD_DATA;
    appendIid(slab, producer, iid, id, ms);
  }
}

/** The text of word 0, which the next text takes the place of. */
function copyOfWord(): Name {
  const start = word.startOf(0);
  const length = word.lengthOf(0);
  return { u8: word.u8.slice(start, start + length), start: 0, length };
}

/** An iid has a name that its producer has not used, and is no older than the one before. */
function isNextIid(slab: Slab, producer: ProducerRef, iid: Name, ms: number): boolean {
  if (iid.length === 0 || ms < 0 || hasIid(slab, producer, iid)) return false;
  const newest = newestIid(slab, producer);
  return newest === NONE || ms >= iidAddedMs(slab, newest);
}
