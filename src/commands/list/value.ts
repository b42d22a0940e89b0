// What the commands of lists share: opening the list of an entry, writing it back, the ends by
// name, and elements as replies.

import { digitsOfInt64, writeInt64 } from '../../base/ascii.js';
import { copyBytes } from '../../base/bytes.js';
import { isWord, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { Notify } from '../../dispatch/effects.js';
import {
  type EntryRef,
  encodingOf,
  payloadHigh,
  payloadLow,
  setEncoding,
  setPayload,
  Type,
} from '../../keyspace/entry.js';
import type { Partition } from '../../keyspace/partition.js';
import { SYNTAX } from '../../resp/errors.js';
import type { Reply } from '../../resp/write.js';
import { NONE } from '../../slab/slab.js';
import type { Packed } from '../../structs/packed.js';
import { Encoding } from '../../types/kind.js';
import { List, newListReserve } from '../../types/list.js';

/** The list of the command being run; a command of two lists has the other one in `target`. */
export const list = new List();
export const target = new List();

const LEFT = word('LEFT');
const RIGHT = word('RIGHT');

/** LEFT or RIGHT at word `index`: is it the head? */
export function readIsHead(context: Context, index: number): boolean {
  if (isWord(context.args, index, LEFT)) return true;
  if (isWord(context.args, index, RIGHT)) return false;
  throw SYNTAX;
}

/** Opens the list of an entry. */
export function openList(opened: List, partition: Partition, entry: EntryRef): List {
  const { slab } = partition;
  const encoding = encodingOf(slab, entry);
  return opened.open(slab, encoding, payloadLow(slab, entry), payloadHigh(slab, entry));
}

/** Writes back what a change has made of the list. */
export function saveList(changed: List, entry: EntryRef): void {
  const { slab, encoding } = changed;
  if (encodingOf(slab, entry) !== encoding) setEncoding(slab, entry, encoding);
  setPayload(slab, entry, changed.root, changed.measure);
}

/**
 * Opens the list of the key at word `index` for texts that are about to be added, or makes one for
 * them where `entry` is NONE. All refusals have been made but that of a full partition, which is
 * made here. Returns the entry.
 */
export function openForGrowth(
  opened: List,
  context: Context,
  index: number,
  entry: EntryRef,
  addedBytes: number,
  addedCount: number,
): EntryRef {
  const partition = context.at(index);
  const { slab } = partition;
  if (entry !== NONE) {
    openList(opened, partition, entry);
    partition.reserve(opened.reserveBytes(addedBytes, addedCount));
    opened.grow(addedBytes, addedCount);
    return entry;
  }
  const { args } = context;
  partition.reserve(newListReserve(slab, addedBytes, addedCount) + args.lengthOf(index));
  const created = partition.create(args, index, Type.List, Encoding.Packed, 0, 0);
  opened.create(slab, addedBytes, addedCount);
  opened.grow(addedBytes, addedCount);
  return created;
}

/**
 * After `event` has taken elements out of the list of the key at word `index`: writes the list
 * back, or removes a key that has no elements any more.
 */
export function saveOrRemove(
  changed: List,
  context: Context,
  index: number,
  entry: EntryRef,
  event: string,
): void {
  if (changed.length !== 0) {
    changed.shrink();
    saveList(changed, entry);
    context.changed(index, Notify.List, event);
    return;
  }
  saveList(changed, entry);
  removeList(context, index, entry, event);
}

/** After `event` has taken all there was out of the list of the key at word `index`. */
export function removeList(context: Context, index: number, entry: EntryRef, event: string): void {
  context.at(index).remove(context.args, index, entry);
  context.changed(index, Notify.List, event);
  context.alsoChanged(index, Notify.Generic, 'del');
}

/** An element as a bulk string. */
export function replyElement(reply: Reply, element: Packed): void {
  if (element.isInteger) reply.bulkInt64(element.low, element.high);
  else reply.bulk(element.slab.u8, element.at, element.length);
}

/** `count` elements as bulk strings, from element `index` on, forward or backward. */
export function replyElements(
  reply: Reply,
  source: List,
  index: number,
  count: number,
  isForward: boolean,
): void {
  let left = count;
  let isThere = source.seek(index);
  while (left > 0 && isThere) {
    if (isForward) {
      const written = replyShortRun(reply, source, left);
      left -= written;
      if (left === 0) return;
    }
    replyElement(reply, source.element);
    left--;
    isThere = isForward ? source.next() : source.previous();
  }
}

/** Shorter than this is a length of two digits at the most. */
const SHORT_BYTES = 100;
/** A bulk string of a short text, its head and its end included. */
const SHORT_REPLY_BYTES = SHORT_BYTES + 8;
const CR = 0x0d;
const LF = 0x0a;
const DOLLAR = 0x24;
const ZERO = 0x30;

/**
 * The hot loop of LRANGE: integers and short strings straight from the slab into the reply, without
 * a call for each. Stands on the element that it leaves to the caller, a longer string or the last
 * of `most`; returns how many it has written.
 */
function replyShortRun(reply: Reply, source: List, most: number): number {
  const { element } = source;
  const bytes = element.slab.u8;
  let { u8, at } = reply;
  let room = u8.length - SHORT_REPLY_BYTES;
  let written = 0;
  while (written < most - 1 && element.length < SHORT_BYTES) {
    if (at > room) {
      reply.at = at;
      reply.ensure(SHORT_REPLY_BYTES);
      u8 = reply.u8;
      at = reply.at;
      room = u8.length - SHORT_REPLY_BYTES;
    }
    const { isInteger, low, high } = element;
    const length = isInteger ? digitsOfInt64(low, high) : element.length;
    u8[at++] = DOLLAR;
    if (length < 10) {
      u8[at++] = ZERO + length;
    } else {
      const tens = (length / 10) | 0;
      u8[at++] = ZERO + tens;
      u8[at++] = ZERO + length - tens * 10;
    }
    u8[at++] = CR;
    u8[at++] = LF;
    if (isInteger) writeInt64(u8, at, low, high);
    else copyBytes(bytes, element.at, u8, at, length);
    at += length;
    u8[at++] = CR;
    u8[at++] = LF;
    written++;
    source.next();
  }
  reply.at = at;
  return written;
}
