// Deleting entries by their IDs, with or without a view to the groups that refer to them.

import type { Slices } from '../../base/slices.js';
import { isWord, readInteger, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { Notify } from '../../dispatch/effects.js';
import { Refusal, SYNTAX } from '../../resp/errors.js';
import { NONE, type Slab } from '../../slab/slab.js';
import { EntryCursor } from '../../types/stream/block.js';
import { type GroupRef, removePending } from '../../types/stream/groups.js';
import { StreamId } from '../../types/stream/id.js';
import { isReferenced, References, removeReferences } from '../../types/stream/references.js';
import { deleteById, findEntry, type StreamRef } from '../../types/stream/stream.js';
import { isReferences, options } from './trimming.js';
import { editStream, groupIn, readId } from './value.js';

export const IDS = word('IDS');
const COUNT_NOT_POSITIVE = new Refusal('ERR Number of IDs must be a positive integer');
const COUNT_WRONG = new Refusal('ERR The `numids` parameter must match the number of arguments');

/** What XDELEX and XACKDEL answer for an ID. */
const enum Fate {
  Missing = -1,
  Deleted = 1,
  Kept = 2,
}

const id = new StreamId();
const cursor = new EntryCursor();

/** Refuses unless words [first, end) are IDs: the command is done as a whole or not at all. */
export function checkIds(args: Slices, first: number, end: number): void {
  for (let index = first; index < end; index++) readId(args, index, id);
}

const xdel = keyCommand({
  name: 'xdel',
  arity: -3,
  group: 'stream',
  since: '5.0.0',
  summary: 'Deletes entries of a stream by their IDs.',
  cost: 'O(log N) for each entry in a stream of N.',
  flags: Flag.Write | Flag.Fast,
  syntax: 'key id [id ...]',
  keys: [keyAt(1, 'RW', 'delete')],
  run(context) {
    const { args, partition, reply } = context;
    const { slab } = partition;
    const stream = editStream(partition, args, 1);
    if (stream === NONE) {
      reply.integer(0);
      return;
    }
    checkIds(args, 2, args.count);

    let deleted = 0;
    for (let index = 2; index < args.count; index++) {
      readId(args, index, id);
      if (deleteById(slab, stream, id)) deleted++;
    }
    if (deleted !== 0) noteDeleted(context, deleted);

    reply.integer(deleted);
  },
});

function noteDeleted(context: Context, deleted: number): void {
  context.changed(1, Notify.Stream, 'xdel');
  context.effects.dirty += deleted - 1;
}

// ── With a view to groups ────────────────────────────────────────────────────────────────────

/** The words of the IDs that readIds has read. */
export const block = { first: 0, end: 0 };

/** A count at word `index` and so many IDs behind it. */
export function readIds(args: Slices, index: number): void {
  const count = readInteger(args, index, COUNT_NOT_POSITIVE);
  if (count <= 0) throw COUNT_NOT_POSITIVE;
  if (count > args.count - index - 1) throw COUNT_WRONG;
  block.first = index + 1;
  block.end = block.first + count;
}

/** KEEPREF, DELREF or ACKED, and IDS with its count: in any order, from word `index` on. */
function readIdsBlock(args: Slices, index: number): void {
  let hasReferences = false;
  block.first = 0;
  block.end = 0;
  options.references = References.Keep;
  for (; index < args.count; index++) {
    if (isReferences(args, index)) {
      if (hasReferences) throw SYNTAX;
      hasReferences = true;
    } else if (isWord(args, index, IDS) && index + 1 < args.count && block.first === 0) {
      readIds(args, index + 1);
      index = block.end - 1;
    } else if (block.first !== 0) throw COUNT_WRONG;
    else throw SYNTAX;
  }
  if (block.first === 0) throw SYNTAX;
  checkIds(args, block.first, block.end);
}

/** All IDs are missing. */
function replyMissing(context: Context): void {
  const { reply } = context;
  reply.array(block.end - block.first);
  for (let index = block.first; index < block.end; index++) reply.integer(Fate.Missing);
}

// References that the running command has removed.
let removed = 0;

/** Deletes the entry of `id` as the options have it. */
function deleteWith(slab: Slab, stream: StreamRef): Fate {
  const { references } = options;
  // Those to an entry that is gone already go, too.
  if (references === References.Delete) removed += removeReferences(slab, stream, id);
  if (references === References.Acknowledged && findEntry(slab, stream, cursor, id)) {
    if (isReferenced(slab, stream, id)) return Fate.Kept;
  }
  return deleteById(slab, stream, id) ? Fate.Deleted : Fate.Missing;
}

const xdelex = keyCommand({
  name: 'xdelex',
  arity: -5,
  group: 'stream',
  since: '8.2.0',
  summary: 'Deletes entries of a stream, and says what becomes of references in its groups.',
  cost: 'O(log N) for each entry and group in a stream of N.',
  flags: Flag.Write | Flag.Fast,
  syntax: 'key [KEEPREF | DELREF | ACKED] IDS numids id [id ...]',
  keys: [keyAt(1, 'RW', 'delete')],
  run(context) {
    const { args, effects, partition, reply } = context;
    const { slab } = partition;
    readIdsBlock(args, 2);

    const stream = editStream(partition, args, 1);
    if (stream === NONE) {
      replyMissing(context);
      return;
    }

    let deleted = 0;
    removed = 0;
    reply.array(block.end - block.first);
    for (let index = block.first; index < block.end; index++) {
      readId(args, index, id);
      const fate = deleteWith(slab, stream);
      if (fate === Fate.Deleted) deleted++;
      reply.integer(fate);
    }
    if (deleted !== 0) noteDeleted(context, deleted);
    effects.dirty += removed;
  },
});

const xackdel = keyCommand({
  name: 'xackdel',
  arity: -6,
  group: 'stream',
  since: '8.2.0',
  summary: 'Acknowledges pending entries of a group and deletes them from the stream.',
  cost: 'O(log N) for each entry and group in a stream of N.',
  flags: Flag.Write | Flag.Fast,
  syntax: 'key group [KEEPREF | DELREF | ACKED] IDS numids id [id ...]',
  keys: [keyAt(1, 'RW', 'update', 'delete')],
  run(context) {
    const { args, effects, partition } = context;
    const { slab } = partition;
    readIdsBlock(args, 3);

    const stream = editStream(partition, args, 1);
    const group = groupIn(slab, stream, args, 2);
    if (group === NONE) {
      replyMissing(context);
      return;
    }

    removed = 0;
    const deleted = acknowledgeAndDelete(context, stream, group);
    if (deleted !== 0) noteDeleted(context, deleted);
    effects.dirty += removed;
  },
});

/** Answers each ID; returns how many entries went. */
function acknowledgeAndDelete(context: Context, stream: StreamRef, group: GroupRef): number {
  const { args, partition, reply } = context;
  const { slab } = partition;
  let deleted = 0;
  reply.array(block.end - block.first);
  for (let index = block.first; index < block.end; index++) {
    readId(args, index, id);
    if (!removePending(slab, group, id)) {
      reply.integer(Fate.Missing);
      continue;
    }
    removed++;
    const fate = deleteWith(slab, stream);
    if (fate === Fate.Deleted) deleted++;
    // An entry that was gone before its acknowledgement is gone now as well.
    reply.integer(fate === Fate.Missing ? Fate.Deleted : fate);
  }
  return deleted;
}

export const removeCommands: readonly CommandSpec[] = [xdel, xdelex, xackdel];
