// XGROUP: consumer groups and their consumers.

import { int64 } from '../../base/ascii.js';
import { isWord, readInt64, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import {
  type CommandSpec,
  containerCommand,
  Flag,
  keyAt,
  keyCommand,
} from '../../dispatch/define.js';
import { Notify } from '../../dispatch/effects.js';
import { Refusal } from '../../resp/errors.js';
import { NONE } from '../../slab/slab.js';
import {
  consumerReserve,
  createConsumer,
  createGroup,
  deleteConsumer,
  destroyGroup,
  findConsumer,
  findGroup,
  type GroupRef,
  groupReserve,
  setDeliveredId,
  setEntriesRead,
} from '../../types/stream/groups.js';
import { StreamId } from '../../types/stream/id.js';
import { readLastGivenId, type StreamRef } from '../../types/stream/stream.js';
import { helpSubcommand, refuseSubcommand } from '../server/help.js';
import {
  addStream,
  editStream,
  isByte,
  quoted,
  readId,
  readIdOrEnd,
  streamReserve,
} from './value.js';

const MKSTREAM = word('MKSTREAM');
const ENTRIESREAD = word('ENTRIESREAD');
const DOLLAR = 0x24;
/** Words of the longest XGROUP CREATE, and of SETID with and without its option. */
const CREATE_WORDS_MAX = 8;
const SETID_WORDS = [5, 7];

const NO_KEY = new Refusal(
  'ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to ' +
    'use the MKSTREAM option to create an empty stream automatically.',
);
const READ_NEGATIVE = new Refusal('ERR value for ENTRIESREAD must be positive or -1');
const BUSY_GROUP = new Refusal('BUSYGROUP Consumer Group name already exists');

const id = new StreamId();
const options = { makesStream: false, readLow: -1, readHigh: -1 };

/** The words behind the ID of CREATE and SETID; only the former makes streams. */
function readGroupOptions(context: Context, isCreate: boolean): void {
  const { args } = context;
  options.makesStream = false;
  options.readLow = -1;
  options.readHigh = -1;
  for (let index = 5; index < args.count; index++) {
    if (isCreate && isWord(args, index, MKSTREAM)) {
      options.makesStream = true;
    } else if (isWord(args, index, ENTRIESREAD) && index + 1 < args.count) {
      readInt64(args, ++index);
      if (int64.hi < 0 && (int64.hi & int64.lo) !== -1) throw READ_NEGATIVE;
      options.readLow = int64.lo;
      options.readHigh = int64.hi;
    } else refuseSubcommand(context);
  }
}

/** The stream of word 2, which must exist. */
function existingStream(context: Context): StreamRef {
  const stream = editStream(context.partition, context.args, 2);
  if (stream === NONE) throw NO_KEY;
  return stream;
}

/** The group of word 3, which must exist. */
function existingGroup(context: Context, stream: StreamRef): GroupRef {
  const { args, partition } = context;
  const group = findGroup(partition.slab, stream, args, 3);
  if (group !== NONE) return group;
  const name = quoted(args, 3);
  const key = quoted(args, 2);
  throw new Refusal(`NOGROUP No such consumer group '${name}' for key name '${key}'`);
}

const create = keyCommand({
  name: 'create',
  arity: -5,
  group: 'stream',
  since: '5.0.0',
  summary: 'Creates a consumer group.',
  cost: 'O(1)',
  flags: Flag.Write | Flag.DenyOom,
  syntax: 'key group <id | $> [MKSTREAM] [ENTRIESREAD entries-read]',
  keys: [keyAt(2, 'RW', 'insert')],
  history: [['7.0.0', 'Takes ENTRIESREAD.']],
  run(context) {
    const { args, partition, reply } = context;
    const { slab } = partition;
    readGroupOptions(context, true);

    let stream = editStream(partition, args, 2);
    if (stream === NONE && !options.makesStream) throw NO_KEY;
    if (args.count > CREATE_WORDS_MAX) refuseSubcommand(context);
    if (!isByte(args, 4, DOLLAR)) readId(args, 4, id);
    else if (stream === NONE) id.set(0, 0, 0, 0);
    else readLastGivenId(slab, stream, id);
    if (stream !== NONE && findGroup(slab, stream, args, 3) !== NONE) throw BUSY_GROUP;
    partition.reserve(streamReserve(args, 2) + groupReserve(slab, stream, args.lengthOf(3)) + 64);

    if (stream === NONE) stream = addStream(partition, args, 2);
    const group = createGroup(slab, stream, args, 3, id);
    setEntriesRead(slab, group, options.readLow, options.readHigh);
    context.changed(2, Notify.Stream, 'xgroup-create');

    reply.ok();
  },
});

const setid = keyCommand({
  name: 'setid',
  arity: -5,
  group: 'stream',
  since: '5.0.0',
  summary: 'Sets the last delivered ID of a consumer group.',
  cost: 'O(1)',
  flags: Flag.Write,
  syntax: 'key group <id | $> [ENTRIESREAD entries-read]',
  keys: [keyAt(2, 'RW', 'update')],
  history: [['7.0.0', 'Takes ENTRIESREAD.']],
  run(context) {
    const { args, partition, reply } = context;
    const { slab } = partition;
    readGroupOptions(context, false);

    const stream = existingStream(context);
    const group = existingGroup(context, stream);
    if (!SETID_WORDS.includes(args.count)) refuseSubcommand(context);
    if (isByte(args, 4, DOLLAR)) readLastGivenId(slab, stream, id);
    else readIdOrEnd(args, 4, id);

    setDeliveredId(slab, group, id);
    setEntriesRead(slab, group, options.readLow, options.readHigh);
    context.changed(2, Notify.Stream, 'xgroup-setid');

    reply.ok();
  },
});

const destroy = keyCommand({
  name: 'destroy',
  arity: 4,
  group: 'stream',
  since: '5.0.0',
  summary: 'Removes a consumer group with its consumers and what is pending.',
  cost: 'O(N) for N pending entries.',
  flags: Flag.Write,
  syntax: 'key group',
  keys: [keyAt(2, 'RW', 'delete')],
  run(context) {
    const { args, partition, reply } = context;
    const { slab } = partition;
    const stream = existingStream(context);
    const group = findGroup(slab, stream, args, 3);
    if (group === NONE) {
      reply.integer(0);
      return;
    }

    destroyGroup(slab, stream, group);
    context.changed(2, Notify.Stream, 'xgroup-destroy');

    reply.integer(1);
  },
});

const createconsumer = keyCommand({
  name: 'createconsumer',
  arity: 5,
  group: 'stream',
  since: '6.2.0',
  summary: 'Creates a consumer in a group.',
  cost: 'O(log N) in a group of N consumers.',
  flags: Flag.Write | Flag.DenyOom,
  syntax: 'key group consumer',
  keys: [keyAt(2, 'RW', 'insert')],
  run(context) {
    const { args, partition, reply } = context;
    const { slab } = partition;
    const group = existingGroup(context, existingStream(context));
    if (findConsumer(slab, group, args, 4) !== NONE) {
      reply.integer(0);
      return;
    }
    partition.reserve(consumerReserve(slab, group, args.lengthOf(4)));

    createConsumer(slab, group, args, 4, context.nowMs);
    context.changed(2, Notify.Stream, 'xgroup-createconsumer');

    reply.integer(1);
  },
});

const delconsumer = keyCommand({
  name: 'delconsumer',
  arity: 5,
  group: 'stream',
  since: '5.0.0',
  summary: 'Removes a consumer from its group, with what is pending for it.',
  cost: 'O(N) for N entries that are pending for it.',
  flags: Flag.Write,
  syntax: 'key group consumer',
  keys: [keyAt(2, 'RW', 'delete')],
  run(context) {
    const { args, partition, reply } = context;
    const { slab } = partition;
    const group = existingGroup(context, existingStream(context));
    const consumer = findConsumer(slab, group, args, 4);
    if (consumer === NONE) {
      reply.integer(0);
      return;
    }

    const pending = deleteConsumer(slab, group, consumer);
    context.changed(2, Notify.Stream, 'xgroup-delconsumer');

    reply.integer(pending);
  },
});

const xgroup = containerCommand({
  name: 'xgroup',
  arity: -2,
  group: 'stream',
  since: '5.0.0',
  summary: 'Manages consumer groups.',
  flags: 0,
  subcommands: [
    create,
    setid,
    destroy,
    createconsumer,
    delconsumer,
    helpSubcommand({
      container: 'xgroup',
      group: 'stream',
      since: '5.0.0',
      lines: [
        'CREATE <key> <groupname> <id|$> [option]',
        '    Create a new consumer group. Options are:',
        '    * MKSTREAM',
        '      Create the empty stream if it does not exist.',
        '    * ENTRIESREAD entries_read',
        "      Set the group's entries_read counter (internal use).",
        'CREATECONSUMER <key> <groupname> <consumer>',
        '    Create a new consumer in the specified group.',
        'DELCONSUMER <key> <groupname> <consumer>',
        '    Remove the specified consumer.',
        'DESTROY <key> <groupname>',
        '    Remove the specified group.',
        'SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]',
        '    Set the current group ID and entries_read counter.',
      ],
    }),
  ],
});

export const groupCommands: readonly CommandSpec[] = [xgroup];
