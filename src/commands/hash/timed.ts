// Commands that read or set fields and their times at once: HGETDEL, HGETEX and HSETEX.

import type { Slices } from '../../base/slices.js';
import { isWord, readInteger, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { Notify } from '../../dispatch/effects.js';
import type { EntryRef } from '../../keyspace/entry.js';
import { Refusal } from '../../resp/errors.js';
import { NONE } from '../../slab/slab.js';
import { NEVER } from '../../types/hash/expiries.js';
import {
  changed,
  findField,
  isPast,
  NOT_POSITIVE,
  readFields,
  readTimeMs,
  timedBytesOf,
} from './fields.js';
import { editHash, endRemoval, hash, reserveFor, storeHash } from './open.js';
import { prepare, putPair } from './write.js';

const EX = word('EX');
const PX = word('PX');
const EXAT = word('EXAT');
const PXAT = word('PXAT');
const PERSIST = word('PERSIST');
const KEEPTTL = word('KEEPTTL');
const FNX = word('FNX');
const FXX = word('FXX');
const FIELDS = word('FIELDS');
const HSETEX = word('HSETEX');

const SECOND_MS = 1000;
const INT32_MAX = 2 ** 31 - 1;
/** A field gets its time in a block of its own, before the first one is freed. */
const TIMED_BLOCK_BYTES = 32;

/** What is to become of the times of fields, as read from the options. */
const enum Wish {
  None = 0,
  Time = 1,
  /** HGETEX: they have none any more. */
  Persist = 2,
  /** HSETEX: they stay, although the values are new. */
  Keep = 3,
}

const wish = { kind: Wish.None, timeMs: NEVER };

/** Reads the time option at word `index` with the word behind it into `wish`; false for others. */
function readTimeOption(context: Context, index: number, invalid: Refusal): boolean {
  const { args } = context;
  const isRelative = isWord(args, index, EX) || isWord(args, index, PX);
  if (!isRelative && !isWord(args, index, EXAT) && !isWord(args, index, PXAT)) return false;
  const unitMs = isWord(args, index, EX) || isWord(args, index, EXAT) ? SECOND_MS : 1;
  const baseMs = isRelative ? context.nowMs : 0;
  wish.timeMs = readTimeMs(args, index + 1, unitMs, baseMs, invalid);
  wish.kind = Wish.Time;
  return true;
}

function isTimeOption(args: Slices, index: number): boolean {
  if (isWord(args, index, EX) || isWord(args, index, PX)) return true;
  return isWord(args, index, EXAT) || isWord(args, index, PXAT);
}

// ── HGETDEL ──────────────────────────────────────────────────────────────────────────────────

const hgetdel = keyCommand({
  name: 'hgetdel',
  arity: -5,
  group: 'hash',
  since: '8.0.0',
  summary: 'Answers with the values of fields of a hash and removes the fields.',
  cost: 'O(N) for N fields.',
  flags: Flag.Write | Flag.Fast,
  syntax: 'key FIELDS numfields field [field ...]',
  keys: [keyAt(1, 'RW', 'access', 'delete')],
  run(context) {
    const entry = editHash(context);
    const first = readFields(context.args, 2, NOT_POSITIVE);

    getAndRemove(context, entry, first);
  },
});

/** Answers with the values of the fields from word `first` on, and removes them. */
function getAndRemove(context: Context, entry: EntryRef, first: number): void {
  const { args, reply } = context;
  changed.begin();
  reply.array(args.count - first);
  for (let index = first; index < args.count; index++) {
    if (entry === NONE || !findField(args, index)) {
      reply.nil();
      continue;
    }
    hash.replyValue(reply);
    hash.removePair();
    changed.add(index);
  }
  if (changed.count === 0) return;
  changed.recordRemoval(context);
  endRemoval(context, entry, 'hdel');
}

// ── HGETEX ───────────────────────────────────────────────────────────────────────────────────

const HGETEX_TIME = new Refusal("ERR invalid expire time in 'hgetex' command");

/** Reads the options into `wish`; where the fields begin. */
function readGetOptions(context: Context): number {
  const { args } = context;
  wish.kind = Wish.None;
  wish.timeMs = NEVER;
  if (args.count > 4 && readTimeOption(context, 2, HGETEX_TIME)) {
    return readFields(args, 4, NOT_POSITIVE);
  }
  if (!isWord(args, 2, PERSIST)) return readFields(args, 2, NOT_POSITIVE);
  wish.kind = Wish.Persist;
  return readFields(args, 3, NOT_POSITIVE);
}

const hgetex = keyCommand({
  name: 'hgetex',
  arity: -5,
  group: 'hash',
  since: '8.0.0',
  summary: 'Answers with the values of fields of a hash and sets or removes their expiry.',
  cost: 'O(N) for N fields.',
  flags: Flag.Write | Flag.Fast,
  syntax:
    'key [<EX seconds | PX milliseconds | EXAT unix-time-seconds | ' +
    'PXAT unix-time-milliseconds | PERSIST>] FIELDS numfields field [field ...]',
  keys: [keyAt(1, 'RW', 'access', 'update')],
  run(context) {
    const { args } = context;
    const entry = editHash(context);
    const first = readGetOptions(context);
    const isLast = wish.kind === Wish.Time && isPast(context, wish.timeMs);
    if (isLast) {
      getAndRemove(context, entry, first);
      return;
    }
    if (entry !== NONE && wish.kind !== Wish.None) {
      reserveFor(context, hash.reserveTimes(args.count - first, timedBytesOf(args, first)));
    }

    getAndSetTimes(context, entry, first);
  },
});

function getAndSetTimes(context: Context, entry: EntryRef, first: number): void {
  const { args, reply } = context;
  changed.begin();
  reply.array(args.count - first);
  for (let index = first; index < args.count; index++) {
    if (entry === NONE || !findField(args, index)) {
      reply.nil();
      continue;
    }
    hash.replyValue(reply);
    if (wish.kind === Wish.None || hash.time === wish.timeMs) continue;
    if (!hash.hasTimes) {
      hash.becomeTimed();
      findField(args, index);
    }
    hash.setTime(wish.timeMs);
    changed.add(index);
  }
  if (changed.count === 0) return;
  storeHash(context, entry);
  if (wish.kind === Wish.Persist) changed.recordPersistence(context);
  else changed.recordTime(context, wish.timeMs);
  context.changed(1, Notify.Hash, wish.kind === Wish.Persist ? 'hpersist' : 'hexpire');
}

// ── HSETEX ───────────────────────────────────────────────────────────────────────────────────

const HSETEX_TIME = new Refusal("ERR invalid expire time in 'hsetex' command");
const FIELD_COUNT = new Refusal('ERR invalid number of fields');
const NO_TIME = new Refusal('ERR missing expire time');
const ONE_CONDITION = new Refusal('ERR Only one of FXX or FNX arguments can be specified');
const ONE_TIME = new Refusal(
  'ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified',
);

const enum Condition {
  None = 0,
  /** All fields are new. */
  Fnx = 1,
  /** No field is new. */
  Fxx = 2,
}

let condition = Condition.None;

/** Reads the options into `wish` and `condition`; where the fields begin. */
function readSetOptions(context: Context): number {
  const { args, command } = context;
  wish.kind = Wish.None;
  wish.timeMs = NEVER;
  condition = Condition.None;
  for (let index = 2; index < args.count; index++) {
    if (isWord(args, index, FIELDS)) return readPairs(context, index);
    if (isWord(args, index, FNX) || isWord(args, index, FXX)) {
      if (condition !== Condition.None) throw ONE_CONDITION;
      condition = isWord(args, index, FNX) ? Condition.Fnx : Condition.Fxx;
    } else if (isWord(args, index, KEEPTTL)) {
      if (wish.kind !== Wish.None) throw ONE_TIME;
      wish.kind = Wish.Keep;
    } else if (isTimeOption(args, index)) {
      if (wish.kind !== Wish.None) throw ONE_TIME;
      if (index + 1 >= args.count) throw NO_TIME;
      readTimeOption(context, index++, HSETEX_TIME);
    } else {
      const [text] = args.text(index).split('\0', 1);
      context.refuse(`ERR unknown argument: ${text}`);
    }
  }
  throw command.wrongArity;
}

/** FIELDS stands at word `index`: the number of pairs, and so many of them. */
function readPairs({ args, command }: Context, index: number): number {
  if (index >= args.count - 3) throw command.wrongArity;
  const count = readInteger(args, index + 1, FIELD_COUNT);
  if (count < 1 || count > INT32_MAX) throw FIELD_COUNT;
  if (args.count - index - 2 !== count * 2) throw command.wrongArity;
  return index + 2;
}

/** Do the fields from word `first` on exist, or not, as the condition wants it? */
function isConditionMet(args: Slices, entry: EntryRef, first: number): boolean {
  if (condition === Condition.None) return true;
  for (let index = first; index < args.count; index += 2) {
    const isThere = entry !== NONE && findField(args, index);
    if (isThere !== (condition === Condition.Fxx)) return false;
  }
  return true;
}

const hsetex = keyCommand({
  name: 'hsetex',
  arity: -6,
  group: 'hash',
  since: '8.0.0',
  summary: 'Sets fields of a hash to values, and sets or keeps their expiry.',
  cost: 'O(N) for N fields.',
  flags: Flag.Write | Flag.DenyOom | Flag.Fast,
  syntax:
    'key [<FNX | FXX>] [<EX seconds | PX milliseconds | EXAT unix-time-seconds | ' +
    'PXAT unix-time-milliseconds | KEEPTTL>] FIELDS numfields field value [field value ...]',
  keys: [keyAt(1, 'RW', 'update')],
  run(context) {
    const { args } = context;
    const entry = editHash(context);
    const first = readSetOptions(context);
    if (!isConditionMet(args, entry, first)) {
      context.reply.integer(0);
      return;
    }

    if (wish.kind === Wish.Time && isPast(context, wish.timeMs)) {
      removePast(context, entry, first);
    } else {
      setPairs(context, entry, first);
    }

    context.reply.integer(1);
  },
});

/** Values whose time has come already: the fields are gone, whether they were there or not. */
function removePast(context: Context, entry: EntryRef, first: number): void {
  const { args } = context;
  changed.begin();
  for (let index = first; index < args.count; index += 2) {
    if (entry === NONE || !findField(args, index)) continue;
    hash.removePair();
    changed.add(index);
  }
  if (changed.count === 0) return;
  changed.recordRemoval(context);
  endRemoval(context, entry, 'hdel');
}

function setPairs(context: Context, entry: EntryRef, first: number): void {
  const { args } = context;
  const isTimed = wish.kind === Wish.Time;
  let extraBytes = 0;
  if (isTimed) {
    for (let index = first; index < args.count; index++) {
      extraBytes += args.lengthOf(index) + TIMED_BLOCK_BYTES;
    }
  }
  prepare(context, first, args.count, isTimed, extraBytes);
  if (isTimed && !hash.hasTimes) hash.becomeTimed();

  for (let index = first; index < args.count; index += 2) {
    if (wish.kind === Wish.Keep && findField(args, index)) {
      hash.setValue(args.u8, args.startOf(index + 1), args.lengthOf(index + 1));
      continue;
    }
    putPair(args, index);
    if (!isTimed) continue;
    findField(args, index);
    hash.setTime(wish.timeMs);
  }
  storeHash(context, entry);
  if (isTimed && context.effects.isRecording) recordPairs(context, first);
  context.changed(1, Notify.Hash, 'hset');
  if (isTimed) context.alsoChanged(1, Notify.Hash, 'hexpire');
}

/** Records the fields with the time that they have now, whenever the record is read. */
function recordPairs({ args, effects }: Context, first: number): void {
  const { timeMs } = wish;
  effects.begin(6 + args.count - first);
  effects.word(HSETEX);
  effects.arg(args, 1);
  effects.word(PXAT);
  effects.int64(timeMs | 0, Math.floor(timeMs / 2 ** 32));
  effects.word(FIELDS);
  effects.int64((args.count - first) >>> 1, 0);
  for (let index = first; index < args.count; index++) effects.arg(args, index);
}

export const timedCommands: readonly CommandSpec[] = [hgetdel, hgetex, hsetex];
