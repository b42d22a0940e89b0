// How hash commands come to their hash and leave it: the key at word 1, opened in `hash`, the one
// of this thread. Fields whose time has come are removed on the way, a bounded number of them;
// those that are left are not found.

import type { Context } from '../../dispatch/context.js';
import { Notify } from '../../dispatch/effects.js';
import {
  type EntryRef,
  encodingOf,
  hasExpiry,
  payloadLow,
  setEncoding,
  setPayload,
  Type,
} from '../../keyspace/entry.js';
import { expireFields } from '../../keyspace/field-expiry.js';
import { createHash, HASH_ENTRY_BYTES } from '../../keyspace/inside.js';
import type { Partition } from '../../keyspace/partition.js';
import { rootOf } from '../../keyspace/values.js';
import { NONE } from '../../slab/slab.js';
import { Hash } from '../../types/hash/hash.js';
import { Encoding } from '../../types/kind.js';

/** The hash of the running command. */
export const hash = new Hash();

/** Removing a field takes less than a microsecond; a command should not wait for many. */
const EXPIRED_PER_COMMAND = 128;
const NO_TIME = -1;

/** Opens the hash of key 1 for reading; false when there is none. */
export function readHash(context: Context): boolean {
  const entry = context.partition.find(context.args, 1, Type.Hash);
  return entry !== NONE && openEntry(context, entry, EXPIRED_PER_COMMAND) !== NONE;
}

/** As readHash, for commands that look at all fields: none of them has expired then. */
export function readWholeHash(context: Context): boolean {
  const entry = context.partition.find(context.args, 1, Type.Hash);
  return entry !== NONE && openEntry(context, entry, Number.POSITIVE_INFINITY) !== NONE;
}

/** Opens the hash of key 1 for a change; where there is none, `hash` is none yet. */
export function editHash(context: Context): EntryRef {
  const { args, partition } = context;
  let entry = partition.edit(args, 1, Type.Hash);
  if (entry !== NONE) entry = openEntry(context, entry, EXPIRED_PER_COMMAND);
  if (entry === NONE) hash.openNone(partition.slab, args.hashes[1]!);
  return entry;
}

function openEntry(context: Context, entry: EntryRef, budget: number): EntryRef {
  const { args, keyspace, partition } = context;
  const { slab } = partition;
  const keyHash = args.hashes[1]!;
  const nowMs = keyspace.expiresByClock ? keyspace.nowMs : NO_TIME;
  const encoding = encodingOf(slab, entry);
  hash.open(slab, encoding, rootOf(slab, entry), keyHash, nowMs);
  if (!hash.isDue) return entry;
  const left = expireFields(partition, entry, keyHash, nowMs, budget);
  if (left !== NONE) hash.open(slab, encoding, rootOf(slab, left), keyHash, nowMs);
  return left;
}

/** Reserves memory for a change of the hash that takes `bytes`, its key included. */
export function reserveFor(context: Context, bytes: number): void {
  context.partition.reserve(context.args.lengthOf(1) + HASH_ENTRY_BYTES + bytes);
}

/**
 * Lets key 1 hold the hash as it is now, after the last change; `entry` may be NONE. Returns the
 * entry, which may have moved.
 */
export function storeHash(context: Context, entry: EntryRef): EntryRef {
  const { args, partition } = context;
  const { slab } = partition;
  const { encoding, root } = hash;
  let stored = entry;
  if (entry === NONE) {
    stored = createHash(partition, args, 1, encoding, root, 0);
    if (encodingOf(slab, stored) === Encoding.Inside) {
      hash.open(slab, Encoding.Inside, rootOf(slab, stored), args.hashes[1]!, NO_TIME);
    }
  } else if (encodingOf(slab, entry) === Encoding.Inside) {
    if (!hash.isInside) stored = giveBlock(partition, args.hashes[1]!, entry);
  } else if (payloadLow(slab, entry) !== root || encodingOf(slab, entry) !== encoding) {
    setEncoding(slab, entry, encoding);
    setPayload(slab, entry, root, 0);
  }
  if (encoding !== Encoding.Packed) hash.reschedule();
  return stored;
}

/** The hash has left its entry, which gets the shape for that. */
function giveBlock(partition: Partition, keyHash: number, entry: EntryRef): EntryRef {
  const { slab } = partition;
  const isVolatile = hasExpiry(slab, entry);
  const shaped = partition.reshape(entry, keyHash, Type.Hash, hash.encoding, 0, isVolatile);
  setPayload(slab, shaped, hash.root, 0);
  return shaped;
}

/**
 * Ends a command that removed fields: with the event `event`, and without the key when no field is
 * left.
 */
export function endRemoval(context: Context, entry: EntryRef, event: string): void {
  const stored = storeHash(context, entry);
  const isEmpty = hash.count === 0;
  if (isEmpty) context.partition.remove(context.args, 1, stored);
  context.changed(1, Notify.Hash, event);
  if (isEmpty) context.alsoChanged(1, Notify.Generic, 'del');
}
