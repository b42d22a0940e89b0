// Members by chance: SPOP takes them out, SRANDMEMBER only names them.

import { Prng } from '../../base/prng.js';
import { readIntegerIn, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { Notify } from '../../dispatch/effects.js';
import { Encoding, type EntryRef, Type } from '../../keyspace/entry.js';
import { OUT_OF_RANGE_POSITIVE, Refusal, SYNTAX } from '../../resp/errors.js';
import { NONE } from '../../slab/slab.js';
import type { MemberRef } from '../../types/set/member.js';
import { convertToPackedIfSmall, SetValue } from '../../types/set/value.js';
import { SetWalk } from '../../types/set/walk.js';
import { keepAfterRemoval, openSet, replyMember, replyMembers } from './members.js';

const LONG_MAX = '9223372036854775807';
const INT64_MAX = 2 ** 63;
const COUNT_OUT_OF_RANGE = new Refusal(
  `ERR value is out of range, value must between -${LONG_MAX} and ${LONG_MAX}`,
);

/** Members in one recorded SREM, as in Redis. */
const RECORD_MEMBERS = 1024;
/** A table of which at least a third goes, or is named, is walked through instead of drawn from. */
const WALK_SHARE = 3;
/** As Redis: a set of which only a sixth or less remains is built anew. */
const REBUILD_SHARE = 5;

const DEL = word('DEL');
const UNLINK = word('UNLINK');
const SREM = word('SREM');

const DRAW_END = 2 ** 31;

const chance = Prng.fromEntropy();
const set = new SetValue();
const walk = new SetWalk();

/**
 * A number in [0, below), below at most 2^30, without bias. Unlike Prng.below it stays with small
 * integers, whose remainder takes a tenth of the time: several are drawn for each member.
 */
function draw(below: number): number {
  for (;;) {
    const drawn = chance.nextUint32() >>> 1;
    // Nearly always: a power of two, which divides without rest.
    if ((below & (below - 1)) === 0) return drawn & (below - 1);
    const rest = drawn % below;
    // The last, incomplete run of so many numbers is drawn again.
    if (drawn - rest <= DRAW_END - below) return rest;
  }
}

// ── SPOP ─────────────────────────────────────────────────────────────────────────────────────

const spop = keyCommand({
  name: 'spop',
  arity: -2,
  group: 'set',
  since: '1.0.0',
  summary: 'Takes one member out of a set by chance, or several, and answers with them.',
  cost: 'O(1) without a count, O(N) for a count of N.',
  flags: Flag.Write | Flag.Fast,
  syntax: 'key [count]',
  keys: [keyAt(1, 'RW', 'access', 'delete')],
  tips: ['nondeterministic_output'],
  history: [['3.2.0', 'Takes a count.']],
  run(context) {
    const { args, partition, reply } = context;
    if (args.count > 2) {
      popSeveral(context);
      return;
    }

    const entry = partition.edit(args, 1, Type.Set);
    if (entry === NONE) {
      reply.nil();
      return;
    }
    openSet(set, partition, entry);

    walk.pick(set, draw);
    recordRemoval(context, 1);
    takeOut(context);
    keepAfterRemoval(context, 1, entry, set, 'spop');
  },
});

/** Answers with the member where the walk stands, and takes it out. */
function takeOut(context: Context): void {
  replyMember(context.reply, walk);
  if (context.effects.isRecording) recordMember(context);
  walk.remove();
}

/** Begins an SREM of `count` members, which follow: by chance they are others elsewhere. */
function recordRemoval(context: Context, count: number): void {
  const { effects } = context;
  if (!effects.isRecording) return;
  effects.begin(2 + count);
  effects.word(SREM);
  effects.arg(context.args, 1);
}

function recordMember(context: Context): void {
  const { effects } = context;
  if (walk.isInteger) effects.int64(walk.low, walk.high);
  else effects.bytes(walk.u8, walk.start, walk.length);
}

function popSeveral(context: Context): void {
  const { args, partition, reply } = context;
  if (args.count > 3) throw SYNTAX;
  const most = readIntegerIn(args, 2, 0, INT64_MAX, OUT_OF_RANGE_POSITIVE, OUT_OF_RANGE_POSITIVE);

  const entry = partition.edit(args, 1, Type.Set);
  if (entry === NONE || most === 0) {
    reply.set(0);
    return;
  }
  openSet(set, partition, entry);
  const size = set.count;
  if (most >= size) {
    popAll(context, entry);
    return;
  }

  reply.set(most);
  if (set.encoding === Encoding.Packed) popFromPacked(context, most, size);
  else if (set.encoding === Encoding.Table && most * WALK_SHARE > size) popByWalk(context, most);
  else popByDraw(context, most);
  const left = size - most;
  if (left * REBUILD_SHARE <= most) convertToPackedIfSmall(set);
  keepAfterRemoval(context, 1, entry, set, 'spop');
}

function popAll(context: Context, entry: EntryRef): void {
  const { args, effects, keyspace, partition, reply } = context;
  reply.set(set.count);
  replyMembers(reply, set);
  partition.remove(args, 1, entry);
  if (effects.isRecording) {
    effects.begin(2);
    effects.word(keyspace.freesLater.onOverwrite ? UNLINK : DEL);
    effects.arg(args, 1);
  }
  context.changed(1, Notify.Set, 'spop');
  context.alsoChanged(1, Notify.Generic, 'del');
}

/** Begins the next recorded SREM after `done` of `count` members, where one is due. */
function recordBatch(context: Context, done: number, count: number): void {
  if (done % RECORD_MEMBERS !== 0) return;
  recordRemoval(context, Math.min(RECORD_MEMBERS, count - done));
}

function popByDraw(context: Context, count: number): void {
  for (let done = 0; done < count; done++) {
    recordBatch(context, done, count);
    walk.pick(set, draw);
    takeOut(context);
  }
}

/** One pass over the list: each member is taken with the chance that makes them `count` in all. */
function popFromPacked(context: Context, count: number, size: number): void {
  let done = 0;
  let left = size;
  walk.open(set);
  let isThere = walk.next();
  while (isThere && done < count) {
    if (draw(left--) < count - done) {
      recordBatch(context, done, count);
      takeOut(context);
      done++;
      isThere = walk.stay();
    } else {
      isThere = walk.next();
    }
  }
}

/** As popFromPacked; the table may not change under the walk, so that the refs are kept first. */
function popByWalk(context: Context, count: number): void {
  const refs = new Int32Array(count);
  let chosen = 0;
  let left = set.count;
  walk.open(set);
  while (chosen < count && walk.next()) {
    if (draw(left--) < count - chosen) refs[chosen++] = walk.identity;
  }
  for (let done = 0; done < count; done++) {
    recordBatch(context, done, count);
    walk.standOnBlock(refs[done]! as MemberRef);
    takeOut(context);
  }
}

// ── SRANDMEMBER ──────────────────────────────────────────────────────────────────────────────

const srandmember = keyCommand({
  name: 'srandmember',
  arity: -2,
  group: 'set',
  since: '1.0.0',
  summary: 'Names one member of a set by chance, or several.',
  cost: 'O(1) without a count, O(N) for a count of N.',
  flags: Flag.Read,
  syntax: 'key [count]',
  keys: [keyAt(1, 'RO', 'access')],
  tips: ['nondeterministic_output'],
  history: [['2.6.0', 'Takes a count.']],
  run(context) {
    const { args, partition, reply } = context;
    if (args.count > 2) {
      nameSeveral(context);
      return;
    }

    const entry = partition.find(args, 1, Type.Set);
    if (entry === NONE) {
      reply.nil();
      return;
    }
    openSet(set, partition, entry);

    walk.pick(set, draw);
    replyMember(reply, walk);
  },
});

function nameSeveral(context: Context): void {
  const { args, partition, reply } = context;
  if (args.count > 3) throw SYNTAX;
  const count = readIntegerIn(args, 2, -INT64_MAX, INT64_MAX, COUNT_OUT_OF_RANGE);
  if (count === -INT64_MAX) throw COUNT_OUT_OF_RANGE;

  const entry = partition.find(args, 1, Type.Set);
  if (entry === NONE || count === 0) {
    reply.array(0);
    return;
  }
  openSet(set, partition, entry);
  const size = set.count;

  // A negative count asks for so many draws, in which a member may come again and again.
  reply.array(Math.min(Math.abs(count), count < 0 ? Number.POSITIVE_INFINITY : size));
  if (count < 0) nameWithRepeats(context, -count);
  else if (count >= size) replyMembers(reply, set);
  else if (set.encoding === Encoding.Table && count * WALK_SHARE <= size)
    nameByDraw(context, count);
  else nameByWalk(context, count, size);
}

function nameWithRepeats(context: Context, count: number): void {
  for (let done = 0; done < count && !context.isAbandoned; done++) {
    walk.pick(set, draw);
    replyMember(context.reply, walk);
  }
}

/** Few of many: draws until there are enough that differ. */
function nameByDraw(context: Context, count: number): void {
  const named = new Set<number>();
  while (named.size < count) {
    walk.pick(set, draw);
    if (named.has(walk.identity)) continue;
    named.add(walk.identity);
    replyMember(context.reply, walk);
  }
}

/** One pass: each member is named with the chance that makes them `count` in all. */
function nameByWalk(context: Context, count: number, size: number): void {
  let named = 0;
  let left = size;
  walk.open(set);
  while (named < count && walk.next()) {
    if (draw(left--) >= count - named) continue;
    replyMember(context.reply, walk);
    named++;
  }
}

export const randomCommands: readonly CommandSpec[] = [spop, srandmember];
