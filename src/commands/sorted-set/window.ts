// The window through which the commands of this group look at a key's sorted set, and what a change
// through it ends with. One of each for the thread: a command has one sorted set at a time, and
// those that combine several open their own.

import type { Context } from '../../dispatch/context.js';
import { Notify } from '../../dispatch/effects.js';
import {
  type EntryRef,
  encodingOf,
  payloadLow,
  setEncoding,
  setPayload,
  Type,
} from '../../keyspace/entry.js';
import type { Partition } from '../../keyspace/partition.js';
import { NONE, type Slab } from '../../slab/slab.js';
import { SortedSet, SortedSetWalk } from '../../types/sorted-set/index.js';

export const set = new SortedSet();
export const walk = new SortedSetWalk();

export function openSet(slab: Slab, entry: EntryRef): SortedSet {
  return set.open(slab, encodingOf(slab, entry), payloadLow(slab, entry));
}

/** Opens the sorted set of word `index` for reading; false when there is none. */
export function findSet(context: Context, index: number): boolean {
  const partition = context.at(index);
  const entry = partition.find(context.args, index, Type.SortedSet);
  if (entry === NONE) return false;
  openSet(partition.slab, entry);
  return true;
}

/** The entry has to say where the changed set hangs now, and how it is encoded. */
export function keepSet(entry: EntryRef, changed: SortedSet): void {
  const { slab, encoding, root } = changed;
  if (encodingOf(slab, entry) !== encoding) setEncoding(slab, entry, encoding);
  if (payloadLow(slab, entry) !== root) setPayload(slab, entry, root, 0);
}

/** A new key for word `index` that holds the set. Memory was reserved. */
export function createSet(
  partition: Partition,
  context: Context,
  index: number,
  created: SortedSet,
): void {
  const { args } = context;
  const entry = partition.create(args, index, Type.SortedSet, created.encoding, 0, 0);
  setPayload(partition.slab, entry, created.root, 0);
}

/** Bytes for the entry of a new key. */
export function entryReserve(context: Context, index: number): number {
  return context.args.lengthOf(index) + ENTRY_BYTES_MAX;
}

const ENTRY_BYTES_MAX = 64;

/** Ends a removal of members: says what happened, and removes the key with the last of them. */
export function endRemoval(context: Context, index: number, entry: EntryRef, event: string): void {
  keepSet(entry, set);
  context.changed(index, Notify.SortedSet, event);
  if (set.length > 0) return;
  context.at(index).remove(context.args, index, entry);
  context.alsoChanged(index, Notify.Generic, 'del');
}
