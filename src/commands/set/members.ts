// Members of one set, and of one member's way from set to set.

import { equalBytes } from '../../base/bytes.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, crossCommand, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
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
import type { Reply } from '../../resp/write.js';
import { NONE } from '../../slab/slab.js';
import { addReserve, SetValue } from '../../types/set/value.js';
import { SetWalk } from '../../types/set/walk.js';

/** What an entry takes besides its key. */
const ENTRY_BYTES = 64;

const set = new SetValue();
const walk = new SetWalk();

/** Opens the set of an entry. */
export function openSet(value: SetValue, partition: Partition, entry: EntryRef): SetValue {
  const { slab } = partition;
  return value.open(slab, encodingOf(slab, entry), payloadLow(slab, entry));
}

/** Writes back what a change has made of the set. */
export function keepSet(value: SetValue, partition: Partition, entry: EntryRef): void {
  const { slab } = partition;
  if (encodingOf(slab, entry) !== value.encoding) setEncoding(slab, entry, value.encoding);
  if (payloadLow(slab, entry) !== value.root) setPayload(slab, entry, value.root, 0);
}

/** A new entry for the key at word `index`, with the set. Memory was reserved. */
export function createSetEntry(context: Context, index: number, value: SetValue): void {
  const { args } = context;
  const partition = context.at(index);
  const entry = partition.create(args, index, Type.Set, value.encoding, 0, 0);
  setPayload(partition.slab, entry, value.root, 0);
}

/** Bytes that createSetEntry takes. */
export function entryReserve(context: Context, index: number): number {
  return ENTRY_BYTES + context.args.lengthOf(index);
}

/** Writes the member where the walk stands. */
export function replyMember(reply: Reply, member: SetWalk): void {
  if (member.isInteger) reply.bulkInt64(member.low, member.high);
  else reply.bulk(member.u8, member.start, member.length);
}

/** Writes all members, without a header. */
export function replyMembers(reply: Reply, value: SetValue): void {
  walk.open(value);
  while (walk.next()) replyMember(reply, walk);
}

// ── Changing ─────────────────────────────────────────────────────────────────────────────────

const sadd = keyCommand({
  name: 'sadd',
  arity: -3,
  group: 'set',
  since: '1.0.0',
  summary: 'Adds members to a set; a missing key counts as an empty set.',
  cost: 'O(1) for each member.',
  flags: Flag.Write | Flag.DenyOom | Flag.Fast,
  syntax: 'key member [member ...]',
  keys: [keyAt(1, 'RW', 'insert')],
  history: [['2.4.0', 'Takes several members.']],
  element: 2,
  run(context) {
    const { args, partition } = context;

    const entry = partition.edit(args, 1, Type.Set);
    if (entry === NONE) {
      addToNewSet(context);
      return;
    }
    openSet(set, partition, entry);
    partition.reserve(addReserve(set, args, 2));

    set.expect(args.count - 2);
    const added = addWords(context);
    keepSet(set, partition, entry);
    if (added !== 0) context.changed(1, Notify.Set, 'sadd');

    context.reply.integer(added);
  },
});

/** Adds the words from 2 on; returns how many were no members yet. */
function addWords(context: Context): number {
  const { args } = context;
  const { u8, count } = args;
  let added = 0;
  for (let index = 2; index < count; index++) {
    if (set.add(u8, args.startOf(index), args.lengthOf(index))) added++;
  }
  return added;
}

function addToNewSet(context: Context): void {
  const { args, partition } = context;
  partition.reserve(addReserve(null, args, 2) + entryReserve(context, 1));

  set.create(partition.slab, args.count - 2, args.u8, args.startOf(2), args.lengthOf(2));
  const added = addWords(context);
  createSetEntry(context, 1, set);
  context.changed(1, Notify.Set, 'sadd');

  context.reply.integer(added);
}

const srem = keyCommand({
  name: 'srem',
  arity: -3,
  group: 'set',
  since: '1.0.0',
  summary: 'Takes members out of a set, and its key away with the last of them.',
  cost: 'O(1) for each member.',
  flags: Flag.Write | Flag.Fast,
  syntax: 'key member [member ...]',
  keys: [keyAt(1, 'RW', 'delete')],
  history: [['2.4.0', 'Takes several members.']],
  element: 2,
  run(context) {
    const { args, partition } = context;

    const entry = partition.edit(args, 1, Type.Set);
    if (entry === NONE) {
      context.reply.integer(0);
      return;
    }
    openSet(set, partition, entry);

    let removed = 0;
    for (let index = 2; index < args.count; index++) {
      if (!set.remove(args.u8, args.startOf(index), args.lengthOf(index))) continue;
      removed++;
      if (set.count === 0) break;
    }
    if (removed !== 0) keepAfterRemoval(context, 1, entry, set, 'srem');

    context.reply.integer(removed);
  },
});

/** Writes the set back, or takes its key away when it is empty, and says so. */
export function keepAfterRemoval(
  context: Context,
  index: number,
  entry: EntryRef,
  value: SetValue,
  event: string,
): void {
  const partition = context.at(index);
  keepSet(value, partition, entry);
  context.changed(index, Notify.Set, event);
  if (value.count !== 0) return;
  partition.remove(context.args, index, entry);
  context.alsoChanged(index, Notify.Generic, 'del');
}

const moved = new SetValue();

function isSameKey(context: Context, first: number, second: number): boolean {
  const { args } = context;
  const length = args.lengthOf(first);
  if (args.lengthOf(second) !== length) return false;
  return equalBytes(args.u8, args.startOf(first), args.u8, args.startOf(second), length);
}

const smove = crossCommand({
  name: 'smove',
  arity: 4,
  group: 'set',
  since: '1.0.0',
  summary: 'Takes a member out of one set and adds it to another.',
  cost: 'O(1)',
  flags: Flag.Write | Flag.Fast,
  syntax: 'source destination member',
  keys: [keyAt(1, 'RW', 'access', 'delete'), keyAt(2, 'RW', 'insert')],
  run(context) {
    const { args, reply } = context;
    const start = args.startOf(3);
    const length = args.lengthOf(3);

    const source = context.at(1);
    const target = context.at(2);
    const from = source.edit(args, 1, Type.Set);
    if (from === NONE) {
      reply.integer(0);
      return;
    }
    const into = target.edit(args, 2, Type.Set);
    openSet(moved, source, from);
    const isThere = moved.has(args.u8, start, length);
    if (!isThere || isSameKey(context, 1, 2)) {
      reply.flag(isThere);
      return;
    }
    if (into === NONE) target.reserve(addReserve(null, args, 3) + entryReserve(context, 2));
    else target.reserve(addReserve(openSet(set, target, into), args, 3));

    moved.remove(args.u8, start, length);
    keepAfterRemoval(context, 1, from, moved, 'srem');
    if (into === NONE) {
      set.create(target.slab, 1, args.u8, start, length);
      set.add(args.u8, start, length);
      createSetEntry(context, 2, set);
      context.changed(2, Notify.Set, 'sadd');
    } else if (set.add(args.u8, start, length)) {
      keepSet(set, target, into);
      context.changed(2, Notify.Set, 'sadd');
    }

    reply.integer(1);
  },
});

// ── Asking ───────────────────────────────────────────────────────────────────────────────────

const sismember = keyCommand({
  name: 'sismember',
  arity: 3,
  group: 'set',
  since: '1.0.0',
  summary: 'Says whether something is a member of a set.',
  cost: 'O(1)',
  flags: Flag.Read | Flag.Fast,
  syntax: 'key member',
  keys: [keyAt(1, 'RO')],
  element: 2,
  run(context) {
    const { args, partition } = context;
    const entry = partition.find(args, 1, Type.Set);
    const isFound = entry !== NONE && hasWord(context, entry, 2);

    context.reply.flag(isFound);
  },
});

function hasWord(context: Context, entry: EntryRef, index: number): boolean {
  const { args, partition } = context;
  openSet(set, partition, entry);
  return set.has(args.u8, args.startOf(index), args.lengthOf(index));
}

const smismember = keyCommand({
  name: 'smismember',
  arity: -3,
  group: 'set',
  since: '6.2.0',
  summary: 'Says of each of several things whether it is a member of a set.',
  cost: 'O(N) for N members that are asked for.',
  flags: Flag.Read | Flag.Fast,
  syntax: 'key member [member ...]',
  keys: [keyAt(1, 'RO', 'access')],
  element: 2,
  run(context) {
    const { args, partition, reply } = context;
    const entry = partition.find(args, 1, Type.Set);

    reply.array(args.count - 2);
    for (let index = 2; index < args.count; index++) {
      reply.flag(entry !== NONE && hasWord(context, entry, index));
    }
  },
});

const scard = keyCommand({
  name: 'scard',
  arity: 2,
  group: 'set',
  since: '1.0.0',
  summary: 'Counts the members of a set.',
  cost: 'O(1)',
  flags: Flag.Read | Flag.Fast,
  syntax: 'key',
  keys: [keyAt(1, 'RO')],
  run(context) {
    const { args, partition } = context;
    const entry = partition.find(args, 1, Type.Set);

    context.reply.integer(entry === NONE ? 0 : openSet(set, partition, entry).count);
  },
});

const smembers = keyCommand({
  name: 'smembers',
  arity: 2,
  group: 'set',
  since: '1.0.0',
  summary: 'Lists all members of a set.',
  cost: 'O(N) for N members of the set.',
  flags: Flag.Read,
  syntax: 'key',
  keys: [keyAt(1, 'RO', 'access')],
  tips: ['nondeterministic_output_order'],
  run(context) {
    const { args, partition, reply } = context;
    const entry = partition.find(args, 1, Type.Set);
    if (entry === NONE) {
      reply.set(0);
      return;
    }
    openSet(set, partition, entry);

    reply.set(set.count);
    replyMembers(reply, set);
  },
});

export const memberCommands: readonly CommandSpec[] = [
  sadd,
  srem,
  smove,
  sismember,
  smismember,
  scard,
  smembers,
];
