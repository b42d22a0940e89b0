// What the commands of arrays share: finding an array, reading positions among the arguments,
// writing values and positions.

import type { Slices } from '../../base/slices.js';
import type { Context } from '../../dispatch/context.js';
import { Notify } from '../../dispatch/effects.js';
import { Encoding, type EntryRef, payloadLow, setPayload, Type } from '../../keyspace/entry.js';
import type { Partition } from '../../keyspace/partition.js';
import { Refusal } from '../../resp/errors.js';
import type { Reply } from '../../resp/write.js';
import { NONE, type Slab } from '../../slab/slab.js';
import {
  type ArrayRef,
  arrayCount,
  createArray,
  NEW_ARRAY_BYTES,
} from '../../types/array/array.js';
import {
  POSITION_TEXT_BYTES_MAX,
  Position,
  parsePosition,
  spanOf,
  writePosition,
} from '../../types/array/position.js';
import { EMPTY, readSlot, SlotText } from '../../types/array/slot.js';
import { ArrayWalk } from '../../types/array/walk.js';

export const INVALID_INDEX = new Refusal('ERR invalid array index');

const CRLF = Uint8Array.of(0x0d, 0x0a);
const COLON = 0x3a;

// ── Finding ──────────────────────────────────────────────────────────────────────────────────

/** The array of an entry; NONE of NONE. */
export function arrayOf(slab: Slab, entry: EntryRef): ArrayRef {
  return (entry === NONE ? NONE : payloadLow(slab, entry)) as ArrayRef;
}

/** The array of key 1, for reading; NONE when there is no such key. */
export function findArray(partition: Partition, args: Slices): ArrayRef {
  return arrayOf(partition.slab, partition.find(args, 1, Type.Array));
}

/** As findArray, for a change. */
export function editArray(partition: Partition, args: Slices): ArrayRef {
  return arrayOf(partition.slab, partition.edit(args, 1, Type.Array));
}

/** Reserves memory for a change of the array that takes `bytes`; with the key, if it is new. */
export function reserveFor(context: Context, array: ArrayRef, bytes: number): void {
  const { args, partition } = context;
  partition.reserve(array === NONE ? bytes + args.lengthOf(1) + NEW_ARRAY_BYTES : bytes);
}

/** An empty array for key 1, which does not exist. Memory was reserved. */
export function addArray(partition: Partition, args: Slices): ArrayRef {
  const { slab } = partition;
  const entry = partition.create(args, 1, Type.Array, Encoding.Sliced, 0, 0);
  const array = createArray(slab);
  setPayload(slab, entry, array, 0);
  return array;
}

/** Ends a command that removed values: with the event, and without the key when none is left. */
export function endRemoval(
  context: Context,
  entry: EntryRef,
  array: ArrayRef,
  event: string,
): void {
  const { args, partition } = context;
  const isEmpty = arrayCount(partition.slab, array) === 0;
  if (isEmpty) partition.remove(args, 1, entry);
  context.changed(1, Notify.Array, event);
  if (isEmpty) context.alsoChanged(1, Notify.Generic, 'del');
}

// ── Positions among the arguments ────────────────────────────────────────────────────────────

/** Reads where a value stands or could stand. */
export function readPosition(args: Slices, index: number, out: Position): void {
  const isRead = parsePosition(args.u8, args.startOf(index), args.lengthOf(index), out);
  if (!isRead || out.isBehindLast) throw INVALID_INDEX;
}

// ── Writing ──────────────────────────────────────────────────────────────────────────────────

const text = new SlotText();
const positionText = new Uint8Array(new ArrayBuffer(POSITION_TEXT_BYTES_MAX + 1));

/** The value of a slot, nil where it is empty. */
export function replySlot(reply: Reply, slab: Slab, word: number): void {
  if (word === EMPTY) {
    reply.nil();
    return;
  }
  readSlot(slab, word, text);
  reply.bulk(text.u8, text.start, text.length);
}

/** An unsigned integer. */
export function replyPosition(reply: Reply, high: number, low: number): void {
  if (high >= 0) reply.int64(low, high);
  else replySlowly(reply, high, low);
}

/** From 2^63 on. */
function replySlowly(reply: Reply, high: number, low: number): void {
  positionText[0] = COLON;
  const length = writePosition(positionText, 1, high, low);
  reply.raw(positionText.slice(0, length + 1));
  reply.raw(CRLF);
}

const walk = new ArrayWalk();
const expected = new Position();

/**
 * What stands at every position from `from` to `to`, up or down, nils included. There are at most
 * 2^31 of them.
 */
export function replyRow(
  reply: Reply,
  slab: Slab,
  array: ArrayRef,
  from: Position,
  to: Position,
): void {
  const isUp = spanOf(from, to) > 0;
  let left = isUp ? spanOf(from, to) : spanOf(to, from);
  expected.copyFrom(from);
  walk.open(slab, array, from, to);
  while (walk.next()) {
    const { low } = walk.position;
    // The way is shorter than 2^32: the low words tell how far it was.
    const gap = (isUp ? low - expected.low : expected.low - low) >>> 0;
    for (let nils = gap; nils > 0; nils--) reply.nil();
    replySlot(reply, slab, walk.word);
    left -= gap + 1;
    expected.low = isUp ? (low + 1) | 0 : (low - 1) | 0;
  }
  for (; left > 0; left--) reply.nil();
}
