// Keys as such: removing, counting, naming their kind, renaming, copying, moving between databases.

import { equalBytes } from '../../base/bytes.js';
import type { Slices } from '../../base/slices.js';
import { isWord, readInteger, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import {
  type CommandSpec,
  crossCommand,
  Flag,
  keyAt,
  keyCommand,
  keysFrom,
  splitCommand,
} from '../../dispatch/define.js';
import { Notify } from '../../dispatch/effects.js';
import { PartKind, partsFrom, ROUND_KEYS } from '../../dispatch/parts.js';
import { copyEntry, copyReserve, renameEntry, renameReserve } from '../../keyspace/copy.js';
import { Type, typeOf } from '../../keyspace/entry.js';
import {
  DATABASE_OUT_OF_RANGE,
  NO_SUCH_KEY,
  NOT_INTEGER,
  Refusal,
  SAME_OBJECT,
  SYNTAX,
} from '../../resp/errors.js';
import { NONE } from '../../slab/slab.js';

const INT_MIN = -(2 ** 31);
const INT_MAX = 2 ** 31 - 1;
const NOT_INT = new Refusal(
  `ERR value is out of range, value must between ${INT_MIN} and ${INT_MAX}`,
);
const DB = word('DB');
const REPLACE = word('REPLACE');

// ── Removing and counting ────────────────────────────────────────────────────────────────────

function removeKeys(context: Context, isLater: boolean): void {
  const { args } = context;
  let removed = 0;
  for (let index = 1; index < args.count; index++) {
    const partition = context.at(index);
    const entry = partition.peek(args, index);
    if (entry === NONE) continue;
    partition.removeFor(args, index, entry, isLater);
    context.changed(index, Notify.Generic, 'del');
    removed++;
  }

  context.reply.integer(removed);
}

const del = splitCommand({
  name: 'del',
  arity: -2,
  group: 'generic',
  since: '1.0.0',
  summary: 'Removes keys with their values.',
  cost: 'O(N) for N keys, and O(M) for each value of M elements.',
  flags: Flag.Write,
  syntax: 'key [key ...]',
  keys: [keysFrom(1, -1, 1, 'RM', 'delete')],
  tips: ['request_policy:multi_shard', 'response_policy:agg_sum'],
  run: (context) => removeKeys(context, context.keyspace.freesLater.onDelete),
});

const unlink = splitCommand({
  name: 'unlink',
  arity: -2,
  group: 'generic',
  since: '4.0.0',
  summary: 'Removes keys at once and frees their values later.',
  cost: 'O(1) for each key; freeing takes O(N) for N elements afterwards.',
  flags: Flag.Write | Flag.Fast,
  syntax: 'key [key ...]',
  keys: [keysFrom(1, -1, 1, 'RM', 'delete')],
  tips: ['request_policy:multi_shard', 'response_policy:agg_sum'],
  run: (context) => removeKeys(context, true),
});

const exists = splitCommand({
  name: 'exists',
  arity: -2,
  group: 'generic',
  since: '1.0.0',
  summary: 'Counts which of the keys exist; a key that is named twice counts twice.',
  cost: 'O(N) for N keys.',
  flags: Flag.Read | Flag.Fast,
  syntax: 'key [key ...]',
  keys: [keysFrom(1, -1, 1, 'RO')],
  tips: ['request_policy:multi_shard', 'response_policy:agg_sum'],
  history: [['3.0.3', 'Takes several keys.']],
  run(context) {
    context.reply.integer(countKeys(context, PartKind.Has));
  },
});

const touch = splitCommand({
  name: 'touch',
  arity: -2,
  group: 'generic',
  since: '3.2.1',
  summary: 'Marks keys as just used and counts those that exist.',
  cost: 'O(N) for N keys.',
  flags: Flag.Read | Flag.Fast,
  syntax: 'key [key ...]',
  keys: [keysFrom(1, -1, 1, 'RO')],
  tips: ['request_policy:multi_shard', 'response_policy:agg_sum'],
  run(context) {
    // The one command that CLIENT NO-TOUCH does not silence.
    context.keyspace.stamping = context.keyspace.policyStamping;

    context.reply.integer(countKeys(context, PartKind.Touch));
  },
});

/** How many of the keys exist; the other threads help where there are very many. */
function countKeys(context: Context, kind: PartKind.Has | PartKind.Touch): number {
  const { args, parts, keyspace, session } = context;
  if (parts === null || args.count <= partsFrom.keys)
    return countAmong(context, kind, 1, args.count);
  let count = 0;
  for (let first = 1; first < args.count; first += ROUND_KEYS) {
    const end = Math.min(first + ROUND_KEYS, args.count);
    if (parts.spread(kind, args, first, end, keyspace, session.database)) {
      count += parts.foundCount;
      parts.close();
    } else {
      count += countAmong(context, kind, first, end);
    }
  }
  return count;
}

/** How many of the keys in words [first, end) exist. */
function countAmong(context: Context, kind: PartKind, first: number, end: number): number {
  const { args } = context;
  let count = 0;
  for (let index = first; index < end; index++) {
    const partition = context.at(index);
    const entry =
      kind === PartKind.Has ? partition.look(args, index) : partition.find(args, index, Type.Any);
    if (entry !== NONE) count++;
  }
  return count;
}

const TYPE_LINES = new Map<number, Uint8Array>([
  [Type.String, Buffer.from('+string\r\n', 'latin1')],
  [Type.List, Buffer.from('+list\r\n', 'latin1')],
  [Type.Set, Buffer.from('+set\r\n', 'latin1')],
  [Type.SortedSet, Buffer.from('+zset\r\n', 'latin1')],
  [Type.Hash, Buffer.from('+hash\r\n', 'latin1')],
  [Type.Stream, Buffer.from('+stream\r\n', 'latin1')],
  [Type.Array, Buffer.from('+array\r\n', 'latin1')],
]);
const NO_TYPE_LINE = Buffer.from('+none\r\n', 'latin1');

const type = keyCommand({
  name: 'type',
  arity: 2,
  group: 'generic',
  since: '1.0.0',
  summary: 'Names the type of the value of a key.',
  cost: 'O(1)',
  flags: Flag.Read | Flag.Fast,
  syntax: 'key',
  keys: [keyAt(1, 'RO')],
  run(context) {
    const { partition } = context;
    const entry = partition.look(context.args, 1);

    if (entry === NONE) context.reply.raw(NO_TYPE_LINE);
    else context.reply.raw(TYPE_LINES.get(typeOf(partition.slab, entry))!);
  },
});

// ── Renaming ─────────────────────────────────────────────────────────────────────────────────

function isSameWord(args: Slices, first: number, second: number): boolean {
  const length = args.lengthOf(first);
  if (args.lengthOf(second) !== length) return false;
  return equalBytes(args.u8, args.startOf(first), args.u8, args.startOf(second), length);
}

/** Renames key 1 to key 2; false when key 2 exists and may not be replaced. */
function renameKey(context: Context, replaces: boolean): boolean {
  const { args } = context;

  const source = context.at(1);
  const target = context.at(2);
  const entry = source.edit(args, 1, Type.Any);
  if (entry === NONE) throw NO_SUCH_KEY;
  if (isSameWord(args, 1, 2)) return replaces;
  const replaced = target.peek(args, 2);
  if (replaced !== NONE && !replaces) return false;
  target.reserve(renameReserve(source, entry, target, args.lengthOf(2)));

  if (replaced !== NONE) target.remove(args, 2, replaced);
  renameEntry(source, entry, target, args, 1, 2);
  context.changed(1, Notify.Generic, 'rename_from');
  context.alsoChanged(2, Notify.Generic, 'rename_to');
  return true;
}

const rename = crossCommand({
  name: 'rename',
  arity: 3,
  group: 'generic',
  since: '1.0.0',
  summary: 'Gives the value of a key to another key, in the place of what that one held.',
  cost: 'O(1), and O(N) for N bytes of value when the keys lie in different partitions.',
  flags: Flag.Write,
  syntax: 'key newkey',
  keys: [keyAt(1, 'RW', 'access', 'delete'), keyAt(2, 'OW', 'update')],
  run(context) {
    renameKey(context, true);
    context.reply.ok();
  },
});

const renamenx = crossCommand({
  name: 'renamenx',
  arity: 3,
  group: 'generic',
  since: '1.0.0',
  summary: 'Gives the value of a key to another key if that one does not exist.',
  cost: 'O(1), and O(N) for N bytes of value when the keys lie in different partitions.',
  flags: Flag.Write | Flag.Fast,
  syntax: 'key newkey',
  keys: [keyAt(1, 'RW', 'access', 'delete'), keyAt(2, 'OW', 'insert')],
  history: [['3.2.0', 'The same key twice is no error any more.']],
  run(context) {
    context.reply.flag(renameKey(context, false));
  },
});

// ── Other databases ──────────────────────────────────────────────────────────────────────────

function readDatabase(context: Context, index: number): number {
  const database = readInteger(context.args, index, NOT_INTEGER);
  if (database < INT_MIN || database > INT_MAX) throw NOT_INT;
  if (database < 0 || database >= context.keyspace.databaseCount) throw DATABASE_OUT_OF_RANGE;
  return database;
}

const copying = { database: 0, replaces: false };

function readCopyOptions(context: Context): void {
  const { args } = context;
  copying.database = context.session.database;
  copying.replaces = false;
  for (let index = 3; index < args.count; index++) {
    if (isWord(args, index, REPLACE)) copying.replaces = true;
    else if (isWord(args, index, DB) && index + 1 < args.count) {
      copying.database = readDatabase(context, ++index);
    } else throw SYNTAX;
  }
}

const copy = crossCommand({
  name: 'copy',
  arity: -3,
  group: 'generic',
  since: '6.2.0',
  summary: 'Copies the value of a key to another key, of this or of another database.',
  cost: 'O(N) for N elements or bytes of the value.',
  flags: Flag.Write | Flag.DenyOom,
  syntax: 'source destination [DB destination-db] [REPLACE]',
  keys: [keyAt(1, 'RO', 'access'), keyAt(2, 'OW', 'update')],
  run(context) {
    const { args, session } = context;
    readCopyOptions(context);
    const isElsewhere = copying.database !== session.database;
    if (!isElsewhere && isSameWord(args, 1, 2)) throw SAME_OBJECT;

    const source = context.at(1);
    const target = context.at(2);
    const entry = source.find(args, 1, Type.Any);
    if (entry === NONE) {
      context.reply.integer(0);
      return;
    }
    target.select(copying.database);
    const replaced = target.peek(args, 2);
    if (replaced !== NONE && !copying.replaces) {
      target.select(session.database);
      context.reply.integer(0);
      return;
    }
    target.reserve(copyReserve(source.slab, entry, args.lengthOf(2)));

    if (replaced !== NONE) target.remove(args, 2, replaced);
    copyEntry(source.slab, entry, target, args, 2);
    context.changed(2, Notify.Generic, 'copy_to');
    target.select(session.database);

    context.reply.integer(1);
  },
});

const move = keyCommand({
  name: 'move',
  arity: 3,
  group: 'generic',
  since: '1.0.0',
  summary: 'Takes a key to another database unless it exists there.',
  cost: 'O(1)',
  flags: Flag.Write | Flag.Fast,
  syntax: 'key db',
  keys: [keyAt(1, 'RW', 'access', 'update')],
  run(context) {
    const { args, partition, session } = context;
    const database = readDatabase(context, 2);
    if (database === session.database) throw SAME_OBJECT;

    const entry = partition.edit(args, 1, Type.Any);
    if (entry === NONE) {
      context.reply.integer(0);
      return;
    }
    partition.select(database);
    const isTaken = partition.peek(args, 1) !== NONE;
    partition.select(session.database);
    if (isTaken) {
      context.reply.integer(0);
      return;
    }
    partition.reserve(0);

    partition.moveTo(args, 1, entry, database);
    partition.select(session.database);
    context.changed(1, Notify.Generic, 'move_from');
    partition.select(database);
    context.alsoChanged(1, Notify.Generic, 'move_to');
    partition.select(session.database);

    context.reply.integer(1);
  },
});

export const keyCommands: readonly CommandSpec[] = [
  del,
  unlink,
  exists,
  touch,
  type,
  rename,
  renamenx,
  copy,
  move,
];
