// Times to live of single fields.

import type { Slices } from '../../base/slices.js';
import { isWord, word } from '../../dispatch/args.js';
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
import { editHash, endRemoval, hash, readHash, reserveFor, storeHash } from './open.js';

const enum Condition {
  None = 0,
  Nx = 1,
  Xx = 2,
  Gt = 3,
  Lt = 4,
}

/** What is answered of a field. */
const enum Outcome {
  NoField = -2,
  NoTime = -1,
  Refused = 0,
  Done = 1,
  Removed = 2,
}

const CONDITIONS: readonly (readonly [Uint8Array, Condition])[] = [
  [word('NX'), Condition.Nx],
  [word('XX'), Condition.Xx],
  [word('GT'), Condition.Gt],
  [word('LT'), Condition.Lt],
];
const TOO_FEW = new Refusal('ERR Parameter `numFields` should be greater than 0');
const SECOND_MS = 1000;

// ── Setting ──────────────────────────────────────────────────────────────────────────────────

function readCondition(args: Slices, index: number): Condition {
  const row = CONDITIONS.find(([name]) => isWord(args, index, name));
  return row === undefined ? Condition.None : row[1];
}

/** May a field that expires at `before` expire at `timeMs` instead? None is later than any. */
function isAllowed(condition: Condition, before: number, timeMs: number): boolean {
  switch (condition) {
    case Condition.Nx:
      return before === NEVER;
    case Condition.Xx:
      return before !== NEVER;
    case Condition.Gt:
      return before !== NEVER && timeMs > before;
    case Condition.Lt:
      return timeMs < before;
    default:
      return true;
  }
}

/** Answers the same for all fields from word `first` on. */
function replyForAll(context: Context, first: number, outcome: Outcome): void {
  const { args, reply } = context;
  reply.array(args.count - first);
  for (let index = first; index < args.count; index++) reply.integer(outcome);
}

function expireFields(context: Context, unitMs: number, baseMs: number, invalid: Refusal): void {
  const { args } = context;
  const entry = editHash(context);
  const timeMs = readTimeMs(args, 2, unitMs, baseMs, invalid);
  const condition = readCondition(args, 3);
  const first = readFields(args, condition === Condition.None ? 3 : 4, TOO_FEW);
  if (entry === NONE) {
    replyForAll(context, first, Outcome.NoField);
    return;
  }

  if (isPast(context, timeMs)) removeFields(context, entry, first, condition, timeMs);
  else setTimes(context, entry, first, condition, timeMs);
}

function setTimes(
  context: Context,
  entry: EntryRef,
  first: number,
  condition: Condition,
  timeMs: number,
): void {
  const { args, reply } = context;
  reserveFor(context, hash.reserveTimes(args.count - first, timedBytesOf(args, first)));

  changed.begin();
  reply.array(args.count - first);
  for (let index = first; index < args.count; index++) {
    if (!findField(args, index)) reply.integer(Outcome.NoField);
    else if (!isAllowed(condition, hash.time, timeMs)) reply.integer(Outcome.Refused);
    else {
      setTime(args, index, timeMs);
      reply.integer(Outcome.Done);
    }
  }
  if (changed.count === 0) return;
  storeHash(context, entry);
  changed.recordTime(context, timeMs);
  context.changed(1, Notify.Hash, 'hexpire');
}

/** Gives the pair, the field of word `index`, a time, in a hash that may have none yet. */
function setTime(args: Slices, index: number, timeMs: number): void {
  if (!hash.hasTimes) {
    hash.becomeTimed();
    findField(args, index);
  }
  hash.setTime(timeMs);
  changed.add(index);
}

/** A time in the past removes fields at once. */
function removeFields(
  context: Context,
  entry: EntryRef,
  first: number,
  condition: Condition,
  timeMs: number,
): void {
  const { args, reply } = context;
  changed.begin();
  reply.array(args.count - first);
  for (let index = first; index < args.count; index++) {
    if (!findField(args, index)) reply.integer(Outcome.NoField);
    else if (!isAllowed(condition, hash.time, timeMs)) reply.integer(Outcome.Refused);
    else {
      hash.removePair();
      changed.add(index);
      reply.integer(Outcome.Removed);
    }
  }
  if (changed.count === 0) return;
  changed.recordRemoval(context);
  endRemoval(context, entry, 'hdel');
}

interface ExpireFacts {
  readonly name: string;
  readonly summary: string;
  readonly time: string;
  readonly unitMs: number;
  readonly isRelative: boolean;
}

function expireCommand(facts: ExpireFacts): CommandSpec {
  const { name, summary, time, unitMs, isRelative } = facts;
  const invalid = new Refusal(`ERR invalid expire time in '${name}' command`);
  return keyCommand({
    name,
    arity: -6,
    group: 'hash',
    since: '7.4.0',
    summary,
    cost: 'O(N) for N fields.',
    flags: Flag.Write | Flag.Fast,
    syntax: `key ${time} [<NX | XX | GT | LT>] FIELDS numfields field [field ...]`,
    keys: [keyAt(1, 'RW', 'update')],
    run: (context) => expireFields(context, unitMs, isRelative ? context.nowMs : 0, invalid),
  });
}

const hexpire = expireCommand({
  name: 'hexpire',
  summary: 'Lets fields of a hash expire after some seconds.',
  time: 'seconds',
  unitMs: SECOND_MS,
  isRelative: true,
});

const hpexpire = expireCommand({
  name: 'hpexpire',
  summary: 'Lets fields of a hash expire after some milliseconds.',
  time: 'milliseconds',
  unitMs: 1,
  isRelative: true,
});

const hexpireat = expireCommand({
  name: 'hexpireat',
  summary: 'Lets fields of a hash expire at a time in seconds since 1970.',
  time: 'unix-time-seconds',
  unitMs: SECOND_MS,
  isRelative: false,
});

const hpexpireat = expireCommand({
  name: 'hpexpireat',
  summary: 'Lets fields of a hash expire at a time in milliseconds since 1970.',
  time: 'unix-time-milliseconds',
  unitMs: 1,
  isRelative: false,
});

const hpersist = keyCommand({
  name: 'hpersist',
  arity: -5,
  group: 'hash',
  since: '7.4.0',
  summary: 'Takes the expiry of fields of a hash away.',
  cost: 'O(N) for N fields.',
  flags: Flag.Write | Flag.Fast,
  syntax: 'key FIELDS numfields field [field ...]',
  keys: [keyAt(1, 'RW', 'update')],
  run(context) {
    const { args, reply } = context;
    const entry = editHash(context);
    const first = readFields(args, 2, NOT_POSITIVE);
    if (entry === NONE) {
      replyForAll(context, first, Outcome.NoField);
      return;
    }
    reserveFor(context, hash.reserveTimes(args.count - first, timedBytesOf(args, first)));

    changed.begin();
    reply.array(args.count - first);
    for (let index = first; index < args.count; index++) {
      if (!findField(args, index)) reply.integer(Outcome.NoField);
      else if (hash.time === NEVER) reply.integer(Outcome.NoTime);
      else {
        hash.setTime(NEVER);
        changed.add(index);
        reply.integer(Outcome.Done);
      }
    }
    if (changed.count === 0) return;
    storeHash(context, entry);
    changed.recordPersistence(context);
    context.changed(1, Notify.Hash, 'hpersist');
  },
});

// ── Asking ───────────────────────────────────────────────────────────────────────────────────

/** Answers with the times of fields, from `baseMs` on; seconds are rounded up. */
function replyTimes(context: Context, unitMs: number, baseMs: number): void {
  const { args, reply } = context;
  const isThere = readHash(context);
  const first = readFields(args, 2, NOT_POSITIVE);
  if (!isThere) {
    replyForAll(context, first, Outcome.NoField);
    return;
  }

  reply.array(args.count - first);
  for (let index = first; index < args.count; index++) {
    if (!findField(args, index)) {
      reply.integer(Outcome.NoField);
      continue;
    }
    const timeMs = hash.time;
    if (timeMs === NEVER) reply.integer(Outcome.NoTime);
    else reply.integer(Math.ceil((timeMs - baseMs) / unitMs));
  }
}

interface AskFacts {
  readonly name: string;
  readonly summary: string;
  readonly unitMs: number;
  readonly isRelative: boolean;
}

function askCommand({ name, summary, unitMs, isRelative }: AskFacts): CommandSpec {
  return keyCommand({
    name,
    arity: -5,
    group: 'hash',
    since: '7.4.0',
    summary,
    cost: 'O(N) for N fields.',
    flags: Flag.Read | Flag.Fast,
    syntax: 'key FIELDS numfields field [field ...]',
    keys: [keyAt(1, 'RO', 'access')],
    tips: isRelative ? ['nondeterministic_output'] : [],
    run: (context) => replyTimes(context, unitMs, isRelative ? context.nowMs : 0),
  });
}

const httl = askCommand({
  name: 'httl',
  summary: 'Answers after how many seconds fields of a hash expire.',
  unitMs: SECOND_MS,
  isRelative: true,
});

const hpttl = askCommand({
  name: 'hpttl',
  summary: 'Answers after how many milliseconds fields of a hash expire.',
  unitMs: 1,
  isRelative: true,
});

const hexpiretime = askCommand({
  name: 'hexpiretime',
  summary: 'Answers when fields of a hash expire, in seconds since 1970.',
  unitMs: SECOND_MS,
  isRelative: false,
});

const hpexpiretime = askCommand({
  name: 'hpexpiretime',
  summary: 'Answers when fields of a hash expire, in milliseconds since 1970.',
  unitMs: 1,
  isRelative: false,
});

export const expiryCommands: readonly CommandSpec[] = [
  hexpire,
  hpexpire,
  hexpireat,
  hpexpireat,
  hpersist,
  httl,
  hpttl,
  hexpiretime,
  hpexpiretime,
];
