// Setting and removing fields.

import type { Slices } from '../../base/slices.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { Notify } from '../../dispatch/effects.js';
import { NONE } from '../../slab/slab.js';
import { thresholds } from '../../types/thresholds.js';
import { editHash, endRemoval, hash, reserveFor, storeHash } from './open.js';

const WRITE_FLAGS = Flag.Write | Flag.DenyOom | Flag.Fast;
/** What an element of a small hash takes besides its text, as a rule. */
const ELEMENT_BYTES = 1;

/** What measure has found. */
let wordsBytes = 0;
let longestBytes = 0;

/** Adds up the words [first, end). */
function measure(args: Slices, first: number, end: number): void {
  wordsBytes = 0;
  longestBytes = 0;
  for (let index = first; index < end; index++) {
    const length = args.lengthOf(index);
    wordsBytes += length;
    if (length > longestBytes) longestBytes = length;
  }
}

/**
 * Gets `hash` ready for the pairs in words [first, end): reserves memory, for `extraBytes` more,
 * and makes it large where the pairs alone do so.
 */
export function prepare(
  context: Context,
  first: number,
  end: number,
  getsTimes: boolean,
  extraBytes: number,
): void {
  const { args, partition } = context;
  measure(args, first, end);
  const pairs = (end - first) >>> 1;
  const becomesLarge =
    pairs > thresholds.hashMaxListpackEntries || longestBytes > thresholds.hashMaxListpackValue;
  reserveFor(context, hash.reserveBytes(pairs, wordsBytes, becomesLarge, getsTimes) + extraBytes);
  if (hash.root === NONE) {
    const roomBytes = wordsBytes + (end - first) * ELEMENT_BYTES;
    hash.create(partition.slab, becomesLarge, roomBytes, args.hashes[1]!);
  } else if (becomesLarge && !hash.isLarge) {
    hash.becomeLarge();
  }
}

/** Puts all pairs from word 2 on; how many fields are new. */
function putPairs(context: Context): number {
  const { args } = context;
  if ((args.count & 1) !== 0) throw context.command.wrongArity;

  const entry = editHash(context);
  prepare(context, 2, args.count, false, 0);

  let created = 0;
  for (let index = 2; index < args.count; index += 2) {
    if (putPair(args, index)) created++;
  }
  storeHash(context, entry);
  context.changed(1, Notify.Hash, 'hset');
  return created;
}

/** Puts the field of word `index` and the value behind it; true when the field is new. */
export function putPair(args: Slices, index: number): boolean {
  const { u8 } = args;
  const value = index + 1;
  return hash.put(
    u8,
    args.startOf(index),
    args.lengthOf(index),
    u8,
    args.startOf(value),
    args.lengthOf(value),
  );
}

const hset = keyCommand({
  name: 'hset',
  arity: -4,
  group: 'hash',
  since: '2.0.0',
  summary: 'Sets fields of a hash to values and counts those that are new.',
  cost: 'O(1) for each field, O(N) for N fields.',
  flags: WRITE_FLAGS,
  syntax: 'key field value [field value ...]',
  keys: [keyAt(1, 'RW', 'update')],
  history: [['4.0.0', 'Takes several fields.']],
  element: 2,
  run: (context) => context.reply.integer(putPairs(context)),
});

const hmset = keyCommand({
  name: 'hmset',
  arity: -4,
  group: 'hash',
  since: '2.0.0',
  summary: 'Sets fields of a hash to values.',
  cost: 'O(N) for N fields.',
  flags: WRITE_FLAGS,
  syntax: 'key field value [field value ...]',
  keys: [keyAt(1, 'RW', 'update')],
  deprecatedSince: '4.0.0',
  replacedBy: '`HSET` with multiple field-value pairs',
  element: 2,
  run(context) {
    putPairs(context);
    context.reply.ok();
  },
});

const hsetnx = keyCommand({
  name: 'hsetnx',
  arity: 4,
  group: 'hash',
  since: '2.0.0',
  summary: 'Sets a field of a hash to a value if the field does not exist.',
  cost: 'O(1)',
  flags: WRITE_FLAGS,
  syntax: 'key field value',
  keys: [keyAt(1, 'RW', 'insert')],
  element: 2,
  run(context) {
    const { args } = context;

    const entry = editHash(context);
    if (entry !== NONE && hash.find(args.u8, args.startOf(2), args.lengthOf(2))) {
      context.reply.integer(0);
      return;
    }
    prepare(context, 2, 4, false, 0);

    putPair(args, 2);
    storeHash(context, entry);
    context.changed(1, Notify.Hash, 'hset');

    context.reply.integer(1);
  },
});

const hdel = keyCommand({
  name: 'hdel',
  arity: -3,
  group: 'hash',
  since: '2.0.0',
  summary: 'Removes fields of a hash, and the hash with its last field.',
  cost: 'O(N) for N fields.',
  flags: Flag.Write | Flag.Fast,
  syntax: 'key field [field ...]',
  keys: [keyAt(1, 'RW', 'delete')],
  history: [['2.4.0', 'Takes several fields.']],
  element: 2,
  run(context) {
    const { args } = context;

    const entry = editHash(context);
    let removed = 0;
    if (entry !== NONE) {
      for (let index = 2; index < args.count; index++) {
        if (!hash.find(args.u8, args.startOf(index), args.lengthOf(index))) continue;
        hash.removePair();
        removed++;
      }
      if (removed !== 0) endRemoval(context, entry, 'hdel');
    }

    context.reply.integer(removed);
  },
});

export const writeCommands: readonly CommandSpec[] = [hset, hsetnx, hmset, hdel];
