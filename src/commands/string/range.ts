// Parts of strings: reading and writing ranges, appending, the length.

import { compareInt64, int64 } from '../../base/ascii.js';
import { copyBytes } from '../../base/bytes.js';
import { readInt64, readInteger } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { Notify } from '../../dispatch/effects.js';
import { limits } from '../../dispatch/limits.js';
import { Type } from '../../keyspace/entry.js';
import {
  Edited,
  editReserve,
  editString,
  putString,
  readString,
  StringBytes,
  stringLength,
  stringReserve,
} from '../../keyspace/strings.js';
import { Refusal, STRING_TOO_LONG } from '../../resp/errors.js';
import { NONE } from '../../slab/slab.js';

const value = new StringBytes();
const edited = new Edited();
const EMPTY = new Uint8Array(0);

const getrange = keyCommand({
  name: 'getrange',
  arity: 4,
  group: 'string',
  since: '2.4.0',
  summary: 'Returns a part of the string that a key holds.',
  cost: 'O(N), N being the length of the part; O(1) for short ones',
  flags: Flag.Read,
  syntax: 'key start end',
  keys: [keyAt(1, 'RO', 'access')],
  run: replyRange,
});

const substr = keyCommand({
  name: 'substr',
  arity: 4,
  group: 'string',
  since: '1.0.0',
  summary: 'Returns a part of the string that a key holds.',
  cost: 'O(N), N being the length of the part; O(1) for short ones',
  flags: Flag.Read,
  syntax: 'key start end',
  keys: [keyAt(1, 'RO', 'access')],
  deprecatedSince: '2.0.0',
  replacedBy: '`GETRANGE`',
  run: replyRange,
});

function replyRange(context: Context): void {
  const { args, partition, reply } = context;
  readInt64(args, 2);
  let first = int64.value;
  const { lo, hi } = int64;
  readInt64(args, 3);
  let last = int64.value;
  // Beyond 2^53 two different ends may be the same double: the pairs are compared.
  const isBackwards = first < 0 && last < 0 && compareInt64(lo, hi, int64.lo, int64.hi) > 0;

  const entry = partition.find(args, 1, Type.String);
  if (entry === NONE || isBackwards) {
    reply.bulk(EMPTY, 0, 0);
    return;
  }
  readString(partition.slab, entry, value);
  const { length } = value;
  if (first < 0) first = Math.max(first + length, 0);
  if (last < 0) last = Math.max(last + length, 0);
  if (last >= length) last = length - 1;

  if (first > last) reply.bulk(EMPTY, 0, 0);
  else reply.bulk(value.u8, value.start + first, last - first + 1);
}

const OFFSET_OUT_OF_RANGE = new Refusal('ERR offset is out of range');

const setrange = keyCommand({
  name: 'setrange',
  arity: 4,
  group: 'string',
  since: '2.2.0',
  summary: 'Overwrites a part of a string from an offset on; zeros fill what lies before it.',
  cost: 'O(M), M being the length of the value; O(1) for short ones',
  flags: Flag.Write | Flag.DenyOom,
  syntax: 'key offset value',
  keys: [keyAt(1, 'RW', 'update')],
  run(context) {
    const { args, partition, reply } = context;
    const offset = readInteger(args, 2);
    if (offset < 0) throw OFFSET_OUT_OF_RANGE;
    const written = args.lengthOf(3);

    const entry = partition.edit(args, 1, Type.String);
    const kept = entry === NONE ? 0 : stringLength(partition.slab, entry);
    if (written === 0) {
      reply.integer(kept);
      return;
    }
    if (offset + written > limits.bulkBytesMax) throw STRING_TOO_LONG;
    const length = Math.max(kept, offset + written);
    partition.reserve(editReserve(args.lengthOf(1), length));

    editString(partition, args, 1, entry, length, edited, offset, offset + written);
    copyBytes(args.u8, args.startOf(3), partition.slab.u8, edited.start + offset, written);
    context.changed(1, Notify.String, 'setrange');

    reply.integer(length);
  },
});

const append = keyCommand({
  name: 'append',
  arity: 3,
  group: 'string',
  since: '2.0.0',
  summary: 'Appends to the string that a key holds; a missing key is created.',
  cost: 'O(1), averaged over many calls',
  flags: Flag.Write | Flag.DenyOom | Flag.Fast,
  syntax: 'key value',
  keys: [keyAt(1, 'RW', 'insert')],
  run(context) {
    const { args, partition, reply } = context;
    const start = args.startOf(2);
    const added = args.lengthOf(2);

    const entry = partition.edit(args, 1, Type.String);
    if (entry === NONE) {
      partition.reserve(stringReserve(args.lengthOf(1), added));
      putString(partition, args, 1, entry, args.u8, start, added, false);
      context.changed(1, Notify.String, 'append');
      reply.integer(added);
      return;
    }
    const kept = stringLength(partition.slab, entry);
    const length = kept + added;
    if (length > limits.bulkBytesMax) throw STRING_TOO_LONG;
    partition.reserve(editReserve(args.lengthOf(1), length));

    editString(partition, args, 1, entry, length, edited, kept, length);
    copyBytes(args.u8, start, partition.slab.u8, edited.start + kept, added);
    context.changed(1, Notify.String, 'append');

    reply.integer(length);
  },
});

const strlen = keyCommand({
  name: 'strlen',
  arity: 2,
  group: 'string',
  since: '2.2.0',
  summary: 'Returns the length of the string that a key holds.',
  cost: 'O(1)',
  flags: Flag.Read | Flag.Fast,
  syntax: 'key',
  keys: [keyAt(1, 'RO')],
  run(context) {
    const { partition } = context;

    const entry = partition.find(context.args, 1, Type.String);

    context.reply.integer(entry === NONE ? 0 : stringLength(partition.slab, entry));
  },
});

export const rangeCommands: readonly CommandSpec[] = [getrange, substr, setrange, append, strlen];
