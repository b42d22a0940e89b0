// Strings of several keys at once: MGET, MSET, MSETNX, MSETEX.

import { readIntegerIn } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import {
  type CommandSpec,
  countedKeysAt,
  crossCommand,
  Flag,
  keysFrom,
  splitCommand,
} from '../../dispatch/define.js';
import { Notify } from '../../dispatch/effects.js';
import { Cell, PartKind, type Parts, partsFrom, ROUND_KEYS } from '../../dispatch/parts.js';
import { type EntryRef, Type, typeOf } from '../../keyspace/entry.js';
import type { Partition } from '../../keyspace/partition.js';
import { putString, putStringUntil, stringReserve } from '../../keyspace/strings.js';
import { Refusal } from '../../resp/errors.js';
import type { Reply } from '../../resp/write.js';
import { PAGE_BYTES, SMALL_BYTES_MAX } from '../../slab/alloc.js';
import { NONE } from '../../slab/slab.js';
import { notifyAlso, recordSet, recordSetUntil, replyString } from './bytes.js';
import { found, invalidTimeOf, Option, readOptions, readUntil, until } from './options.js';

const mget = splitCommand({
  name: 'mget',
  arity: -2,
  group: 'string',
  since: '1.0.0',
  summary: 'Returns the strings that several keys hold.',
  cost: 'O(N), N being the number of keys',
  flags: Flag.Read | Flag.Fast,
  syntax: 'key [key ...]',
  keys: [keysFrom(1, -1, 1, 'RO', 'access')],
  tips: ['request_policy:multi_shard'],
  run(context) {
    const { args, parts } = context;
    context.reply.array(args.count - 1);
    if (parts !== null && args.count > partsFrom.keys) replyInParts(context, parts);
    else replyValues(context, 1, args.count);
  },
});

/** Answers with the strings of the keys in words [first, end). */
function replyValues(context: Context, first: number, end: number): void {
  const { args } = context;
  for (let index = first; index < end; index++) {
    const partition = context.at(index);
    replyValue(context.reply, partition, partition.find(args, index, Type.Any));
  }
}

/** A key of another type counts as missing here, not as an error. */
function replyValue(reply: Reply, { slab }: Partition, entry: EntryRef): void {
  if (entry === NONE || typeOf(slab, entry) !== Type.String) reply.nil();
  else replyString(reply, slab, entry);
}

/** As replyValues for all words, with the help of the other threads. */
function replyInParts(context: Context, parts: Parts): void {
  const { args, reply, keyspace, session } = context;
  for (let first = 1; first < args.count; first += ROUND_KEYS) {
    const end = Math.min(first + ROUND_KEYS, args.count);
    if (!parts.spread(PartKind.Get, args, first, end, keyspace, session.database)) {
      replyValues(context, first, end);
      continue;
    }
    for (let index = first; index < end; index++) {
      const state = parts.stateOf(index);
      if (state >= 0) {
        reply.bulk(parts.bytes, parts.startOf(index), state);
      } else if (state === Cell.TooLong) {
        // It was found, stamped and counted: only its bytes are missing.
        const partition = context.at(index);
        replyValue(reply, partition, partition.peek(args, index));
      } else {
        reply.nil();
      }
    }
    parts.close();
  }
}

const mset = splitCommand({
  name: 'mset',
  arity: -3,
  group: 'string',
  since: '1.0.1',
  summary: 'Stores strings under several keys at once.',
  cost: 'O(N), N being the number of keys',
  flags: Flag.Write | Flag.DenyOom,
  syntax: 'key value [key value ...]',
  keys: [keysFrom(1, -1, 2, 'OW', 'update')],
  tips: ['request_policy:multi_shard', 'response_policy:all_succeeded'],
  run(context) {
    const { args } = context;
    if ((args.count & 1) === 0) throw context.command.wrongArity;

    reservePairs(context, 1, args.count);
    setPairs(context, 1, args.count, false);

    context.reply.ok();
  },
});

const msetnx = crossCommand({
  name: 'msetnx',
  arity: -3,
  group: 'string',
  since: '1.0.1',
  summary: 'Stores strings under several keys at once if none of the keys exists.',
  cost: 'O(N), N being the number of keys',
  flags: Flag.Write | Flag.DenyOom,
  syntax: 'key value [key value ...]',
  keys: [keysFrom(1, -1, 2, 'OW', 'insert')],
  run(context) {
    const { args, reply } = context;
    if ((args.count & 1) === 0) throw context.command.wrongArity;

    if (countExisting(context, 1, args.count) !== 0) {
      reply.integer(0);
      return;
    }
    reservePairs(context, 1, args.count);

    setPairs(context, 1, args.count, false);

    reply.integer(1);
  },
});

/** Keys among the pairs in words [first, end) that exist; one that stands twice counts twice. */
function countExisting(context: Context, first: number, end: number): number {
  const { args } = context;
  let count = 0;
  for (let index = first; index < end; index += 2) {
    if (context.at(index).edit(args, index, Type.Any) !== NONE) count++;
  }
  return count;
}

/** Stores the pairs in words [first, end). Memory was reserved. */
function setPairs(context: Context, first: number, end: number, keepsExpiry: boolean): void {
  const { args } = context;
  for (let index = first; index < end; index += 2) {
    const partition = context.at(index);
    const entry = partition.edit(args, index, Type.Any);
    const start = args.startOf(index + 1);
    const length = args.lengthOf(index + 1);
    putString(partition, args, index, entry, args.u8, start, length, keepsExpiry);
    context.changed(index, Notify.String, 'set');
  }
}

// ── Memory of several pairs ──────────────────────────────────────────────────────────────────

/**
 * A block may take a fresh span of its size class, of up to 64 KiB; all the classes together take
 * less than 1 MiB of them.
 */
const SPAN_BYTES_MAX = 64 * 1024;
const SPANS_MAX = 16;
/** A pair's share of new buckets and segments of the table, and the head of its entry. */
const TABLE_BYTES = 128;

/** The most that one pair takes from its partition, spans aside. */
function bytesOfPair(keyBytes: number, valueBytes: number): number {
  // Where the value has a block of its own, the entry is a second one.
  const bytes = stringReserve(keyBytes, valueBytes) + keyBytes + TABLE_BYTES;
  // An eighth is the slack of size classes, another the unused tail of spans.
  return bytes <= SMALL_BYTES_MAX ? bytes * 1.25 : bytes + 2 * PAGE_BYTES;
}

/** What the pairs of the running command need of each partition. */
let pairBytes = new Float64Array(64);
let pairCounts = new Int32Array(64);

/** Refuses with -OOM unless every partition has memory for its share of the pairs. */
function reservePairs(context: Context, first: number, end: number): void {
  const { args } = context;
  const partitionCount = context.keyspace.partitions.length;
  if (pairBytes.length < partitionCount) {
    pairBytes = new Float64Array(partitionCount);
    pairCounts = new Int32Array(partitionCount);
  }
  for (let index = first; index < end; index += 2) {
    pairBytes[args.partitions[index]!] = 0;
    pairCounts[args.partitions[index]!] = 0;
  }
  for (let index = first; index < end; index += 2) {
    const at = args.partitions[index]!;
    const bytes = pairBytes[at]! + bytesOfPair(args.lengthOf(index), args.lengthOf(index + 1));
    const others = pairCounts[at]!;
    pairBytes[at] = bytes;
    pairCounts[at] = others + 1;
    context.at(index).reserve(bytes + Math.min(others, SPANS_MAX) * SPAN_BYTES_MAX);
  }
}

// ── MSETEX ───────────────────────────────────────────────────────────────────────────────────

const MSETEX_OPTIONS = Option.Nx | Option.Xx | Option.KeepTtl | Option.Times;
const MSETEX_TIME = invalidTimeOf('msetex');
const INVALID_COUNT = new Refusal('ERR invalid numkeys value');
const WRONG_PAIRS = new Refusal('ERR wrong number of key-value pairs');
const PAIRS_MAX = 2 ** 31 - 1;

const msetex = crossCommand({
  name: 'msetex',
  arity: -4,
  group: 'string',
  since: '8.4.0',
  summary:
    'Stores strings under several keys at once, on a condition and for a common time if wanted.',
  cost: 'O(N), N being the number of keys',
  flags: Flag.Write | Flag.DenyOom | Flag.MovableKeys,
  syntax:
    'numkeys key value [key value ...] [NX | XX] [EX seconds | PX milliseconds | ' +
    'EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]',
  keys: [countedKeysAt(1, 2, 'OW', 'update')],
  tips: ['request_policy:multi_shard', 'response_policy:all_succeeded'],
  run(context) {
    const { args, reply } = context;
    const count = readIntegerIn(args, 1, 1, PAIRS_MAX, INVALID_COUNT, INVALID_COUNT);
    const end = 2 + 2 * count;
    if (end > args.count) throw WRONG_PAIRS;
    const options = readOptions(args, end, MSETEX_OPTIONS);
    const { timeAt } = found;
    if (timeAt !== 0) readUntil(args, timeAt, options, context.nowMs, MSETEX_TIME);

    if ((options & (Option.Nx | Option.Xx)) !== 0) {
      const wanted = (options & Option.Nx) !== 0 ? 0 : count;
      if (countExisting(context, 2, end) !== wanted) {
        reply.integer(0);
        return;
      }
    }
    reservePairs(context, 2, end);

    const keepsExpiry = (options & Option.KeepTtl) !== 0;
    if (timeAt !== 0) setPairsUntil(context, 2, end);
    else setPairs(context, 2, end, keepsExpiry);
    recordPairs(context, 2, end, keepsExpiry, timeAt !== 0);

    reply.integer(1);
  },
});

/** As setPairs, with the time in `until`. */
function setPairsUntil(context: Context, first: number, end: number): void {
  const { args } = context;
  const { low, high } = until;
  for (let index = first; index < end; index += 2) {
    const partition = context.at(index);
    const entry = partition.edit(args, index, Type.Any);
    const start = args.startOf(index + 1);
    const length = args.lengthOf(index + 1);
    putStringUntil(partition, args, index, entry, args.u8, start, length, low, high);
    context.changed(index, Notify.String, 'set');
    notifyAlso(context, index, Notify.Generic, 'expire');
  }
}

/** One record of a SET for each pair: every reader of logs knows it, and no condition is left. */
function recordPairs(
  context: Context,
  first: number,
  end: number,
  keepsExpiry: boolean,
  isVolatile: boolean,
): void {
  const { low, high } = until;
  for (let index = first; index < end; index += 2) {
    if (isVolatile) recordSetUntil(context, index, index + 1, low, high);
    else recordSet(context, index, index + 1, keepsExpiry);
  }
}

export const severalCommands: readonly CommandSpec[] = [mget, mset, msetnx, msetex];
