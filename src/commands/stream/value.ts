// What the commands of streams share: finding a stream, reading IDs among the arguments, writing
// IDs and entries.

import type { Slices } from '../../base/slices.js';
import type { Context } from '../../dispatch/context.js';
import { Notify } from '../../dispatch/effects.js';
import { Encoding, type EntryRef, payloadLow, setPayload, Type } from '../../keyspace/entry.js';
import type { Partition } from '../../keyspace/partition.js';
import { Refusal } from '../../resp/errors.js';
import type { Reply } from '../../resp/write.js';
import { NONE, type Slab } from '../../slab/slab.js';
import type { EntryCursor } from '../../types/stream/block.js';
import { findGroup, type GroupRef } from '../../types/stream/groups.js';
import {
  ID_TEXT_BYTES_MAX,
  ID_WORDS,
  IdForm,
  IdRule,
  parseId,
  readIdAt,
  type StreamId,
  writeId,
  writeIdAt,
} from '../../types/stream/id.js';
import { createStream, type StreamRef } from '../../types/stream/stream.js';

export const INVALID_ID = new Refusal('ERR Invalid stream ID specified as stream command argument');
const INVALID_START = new Refusal('ERR invalid start ID for the interval');
const INVALID_END = new Refusal('ERR invalid end ID for the interval');

const OPEN_BRACKET = 0x28;
/** An entry with its key, and the root of a stream. */
const EMPTY_STREAM_BYTES = 256;

// ── Finding ──────────────────────────────────────────────────────────────────────────────────

/** The stream of an entry; NONE of NONE. */
export function streamOf(slab: Slab, entry: EntryRef): StreamRef {
  return (entry === NONE ? NONE : payloadLow(slab, entry)) as StreamRef;
}

/** The stream of the key at word `index`, for reading; NONE when there is no such key. */
export function findStream(partition: Partition, args: Slices, index: number): StreamRef {
  return streamOf(partition.slab, partition.find(args, index, Type.Stream));
}

/** As findStream, for a change. */
export function editStream(partition: Partition, args: Slices, index: number): StreamRef {
  return streamOf(partition.slab, partition.edit(args, index, Type.Stream));
}

/** The group named by word `group`, NONE when it or the stream does not exist. */
export function groupIn(slab: Slab, stream: StreamRef, args: Slices, group: number): GroupRef {
  return stream === NONE ? (NONE as GroupRef) : findGroup(slab, stream, args, group);
}

/** Bytes that addStream may allocate for the key at word `index`. */
export function streamReserve(args: Slices, index: number): number {
  return args.lengthOf(index) + EMPTY_STREAM_BYTES;
}

/** An empty stream for the key at word `index`, which does not exist. Memory was reserved. */
export function addStream(partition: Partition, args: Slices, index: number): StreamRef {
  const { slab } = partition;
  const entry = partition.create(args, index, Type.Stream, Encoding.Log, 0, 0);
  const stream = createStream(slab);
  setPayload(slab, entry, stream, 0);
  return stream;
}

/** A word as Redis quotes it in errors: as a C string. */
export function quoted(args: Slices, index: number): string {
  const text = args.text(index);
  const zeroAt = text.indexOf('\0');
  return zeroAt === -1 ? text : text.slice(0, zeroAt);
}

/** A second event for a key whose change was counted already. */
export function alsoNotify(context: Context, index: number, event: string): void {
  context.alsoChanged(index, Notify.Stream, event);
}

// ── IDs among the arguments ──────────────────────────────────────────────────────────────────

/** Reads an ID; a missing sequence number is 0. */
export function readId(args: Slices, index: number, out: StreamId): void {
  if (!isId(args, index, out)) throw INVALID_ID;
}

/** Is word `index` an ID? Then it is read into `out`. */
export function isId(args: Slices, index: number, out: StreamId): boolean {
  const start = args.startOf(index);
  return parseId(args.u8, start, args.lengthOf(index), 0, IdRule.Strict, out) !== IdForm.None;
}

/** As readId, but `-` and `+` are IDs, too. */
export function readIdOrEnd(args: Slices, index: number, out: StreamId): void {
  readLenient(args, index, 0, out);
}

function readLenient(args: Slices, index: number, missing: number, out: StreamId): void {
  const start = args.startOf(index);
  const form = parseId(args.u8, start, args.lengthOf(index), missing, IdRule.Ends, out);
  if (form === IdForm.None) throw INVALID_ID;
}

/** Reads where an interval begins: an ID, one behind `(`, `-` or `+`. */
export function readStart(args: Slices, index: number, out: StreamId): void {
  if (!isExclusive(args, index)) {
    readLenient(args, index, 0, out);
    return;
  }
  readExclusive(args, index, 0, out);
  if (!out.increment()) throw INVALID_START;
}

/** Reads where an interval ends. Without a sequence number it takes in all of its millisecond. */
export function readEnd(args: Slices, index: number, out: StreamId): void {
  if (!isExclusive(args, index)) {
    readLenient(args, index, -1, out);
    return;
  }
  readExclusive(args, index, -1, out);
  if (!out.decrement()) throw INVALID_END;
}

function isExclusive(args: Slices, index: number): boolean {
  return args.lengthOf(index) > 1 && args.u8[args.startOf(index)] === OPEN_BRACKET;
}

function readExclusive(args: Slices, index: number, missing: number, out: StreamId): void {
  const start = args.startOf(index) + 1;
  const form = parseId(args.u8, start, args.lengthOf(index) - 1, missing, IdRule.Strict, out);
  if (form === IdForm.None) throw INVALID_ID;
}

/** Is word `index` this one byte? */
export function isByte(args: Slices, index: number, byte: number): boolean {
  return args.lengthOf(index) === 1 && args.u8[args.startOf(index)] === byte;
}

/** A growing list of IDs: what a command has found and will answer. */
export class IdList {
  count = 0;
  private words = new Int32Array(256);

  clear(): void {
    this.count = 0;
  }

  add(id: StreamId): void {
    const at = this.count++ * ID_WORDS;
    if (at === this.words.length) {
      const grown = new Int32Array(at * 2);
      grown.set(this.words);
      this.words = grown;
    }
    writeIdAt(this.words, at, id);
  }

  read(index: number, out: StreamId): void {
    readIdAt(this.words, index * ID_WORDS, out);
  }

  replace(index: number, id: StreamId): void {
    writeIdAt(this.words, index * ID_WORDS, id);
  }
}

// ── Writing ──────────────────────────────────────────────────────────────────────────────────

/** The text of the last ID that textOf was asked for. */
export const idText = new Uint8Array(new ArrayBuffer(ID_TEXT_BYTES_MAX));

/** Writes an ID into `idText`; returns its length. */
export function textOf(id: StreamId): number {
  return writeId(idText, 0, id);
}

export function replyId(reply: Reply, id: StreamId): void {
  reply.bulk(idText, 0, writeId(idText, 0, id));
}

/** The entry that the cursor stands on: its ID, and its names and values. */
export function replyEntry(reply: Reply, cursor: EntryCursor): void {
  reply.array(2);
  replyEntryBody(reply, cursor);
}

/** The same without the head of the array, for answers that tell more of an entry. */
export function replyEntryBody(reply: Reply, cursor: EntryCursor): void {
  const { u8 } = cursor.slab!;
  replyId(reply, cursor.id);
  reply.array(cursor.fieldCount * 2);
  for (let field = cursor.fieldCount; field > 0; field--) {
    cursor.nextField();
    reply.bulk(u8, cursor.nameAt, cursor.nameBytes);
    reply.bulk(u8, cursor.valueAt, cursor.valueBytes);
  }
}

/** `count` entries, from the one that the cursor stands on. */
export function replyEntries(reply: Reply, cursor: EntryCursor, count: number): void {
  for (let left = count; left > 0; left--) {
    replyEntry(reply, cursor);
    if (left > 1) cursor.next();
  }
}

/** As replyEntries, to the front. */
export function replyEntriesBack(reply: Reply, cursor: EntryCursor, count: number): void {
  for (let left = count; left > 0; left--) {
    replyEntry(reply, cursor);
    if (left > 1) cursor.previous();
  }
}
