// Times to live. All times are int64 milliseconds since 1970; numbers carry them where they are
// exact, BigInts in the slow cases beyond 2^53.

import {
  bigIntOfSlowly,
  compareInt64,
  int64,
  int64FromBigIntSlowly,
  int64FromNumber,
} from '../../base/ascii.js';
import type { Slices } from '../../base/slices.js';
import { isWord, readInt64, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { Notify } from '../../dispatch/effects.js';
import {
  bytesOfEntry,
  type EntryRef,
  expiryHighOf,
  expiryLowOf,
  expiryOf,
  hasExpiry,
  Type,
} from '../../keyspace/entry.js';
import type { Partition } from '../../keyspace/partition.js';
import { Refusal } from '../../resp/errors.js';
import { NONE, type Slab } from '../../slab/slab.js';

const enum Condition {
  None = 0,
  Nx = 1,
  Xx = 2,
  Gt = 4,
  Lt = 8,
}

const NX = word('NX');
const XX = word('XX');
const GT = word('GT');
const LT = word('LT');
const PEXPIREAT = word('PEXPIREAT');
const DEL = word('DEL');
const UNLINK = word('UNLINK');

const NX_WITH_OTHERS = new Refusal(
  'ERR NX and XX, GT or LT options at the same time are not compatible',
);
const GT_WITH_LT = new Refusal('ERR GT and LT options at the same time are not compatible');

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
/** A thousand times a number below, and a date added, stays an exact double. */
const EXACT_LIMIT = 2 ** 43;
/** Room for an expiry in an entry: two words of time and one of place. */
const EXPIRY_BYTES = 12;

// ── Setting ──────────────────────────────────────────────────────────────────────────────────

function readConditions(context: Context): number {
  const { args } = context;
  let conditions = Condition.None;
  for (let index = 3; index < args.count; index++) {
    if (isWord(args, index, NX)) conditions |= Condition.Nx;
    else if (isWord(args, index, XX)) conditions |= Condition.Xx;
    else if (isWord(args, index, GT)) conditions |= Condition.Gt;
    else if (isWord(args, index, LT)) conditions |= Condition.Lt;
    else refuseOption(context, index);
  }
  if ((conditions & Condition.Nx) !== 0 && conditions !== Condition.Nx) throw NX_WITH_OTHERS;
  if ((conditions & Condition.Gt) !== 0 && (conditions & Condition.Lt) !== 0) throw GT_WITH_LT;
  return conditions;
}

function refuseOption(context: Context, index: number): never {
  // Redis prints the option as a C string.
  const [text] = context.args.text(index).split('\0', 1);
  context.refuse(`ERR Unsupported option ${text}`);
}

/** Leaves the time that word 2 means, in ms since 1970, in `int64`. */
function readTime(args: Slices, unitMs: number, baseMs: number, invalid: Refusal): void {
  readInt64(args, 2);
  const { value } = int64;
  if (value > -EXACT_LIMIT && value < EXACT_LIMIT) int64FromNumber(value * unitMs + baseMs);
  else readTimeSlowly(unitMs, baseMs, invalid);
}

function readTimeSlowly(unitMs: number, baseMs: number, invalid: Refusal): void {
  const unit = BigInt(unitMs);
  let when = bigIntOfSlowly(int64.lo, int64.hi);
  if (when > INT64_MAX / unit || when < INT64_MIN / unit) throw invalid;
  when = when * unit + BigInt(baseMs);
  if (when > INT64_MAX) throw invalid;
  int64FromBigIntSlowly(when);
}

/** Do the conditions allow the entry to expire at (low, high)? No expiry is later than any. */
function isAllowed(
  slab: Slab,
  entry: EntryRef,
  conditions: number,
  low: number,
  high: number,
): boolean {
  if (!hasExpiry(slab, entry)) return (conditions & (Condition.Xx | Condition.Gt)) === 0;
  if ((conditions & Condition.Nx) !== 0) return false;
  const order = compareInt64(low, high, expiryLowOf(slab, entry), expiryHighOf(slab, entry));
  if ((conditions & Condition.Gt) !== 0 && order <= 0) return false;
  return (conditions & Condition.Lt) === 0 || order < 0;
}

function expireKey(context: Context, unitMs: number, baseMs: number, invalid: Refusal): void {
  const { args, partition } = context;
  const conditions = readConditions(context);
  readTime(args, unitMs, baseMs, invalid);
  const { lo, hi, value } = int64;

  const entry = partition.edit(args, 1, Type.Any);
  const isRefused =
    entry === NONE ||
    (conditions !== Condition.None && !isAllowed(partition.slab, entry, conditions, lo, hi));
  if (isRefused) {
    context.reply.integer(0);
    return;
  }
  const isPast = value <= context.nowMs && context.keyspace.expiresByClock;
  if (isPast) removeExpired(context, partition, entry);
  else setTime(context, partition, entry, lo, hi);

  context.reply.integer(1);
}

function setTime(
  context: Context,
  partition: Partition,
  entry: EntryRef,
  low: number,
  high: number,
): void {
  const { args, effects } = context;
  partition.reserve(bytesOfEntry(partition.slab, entry) + EXPIRY_BYTES);

  partition.setExpiry(entry, args.hashes[1]!, low, high);
  if (effects.isRecording) {
    effects.begin(3);
    effects.word(PEXPIREAT);
    effects.arg(args, 1);
    effects.int64(low, high);
  }
  context.changed(1, Notify.Generic, 'expire');
}

/** A time in the past removes the key at once. */
function removeExpired(context: Context, partition: Partition, entry: EntryRef): void {
  const { args, effects } = context;
  const isLater = context.keyspace.freesLater.onExpiry;
  partition.removeFor(args, 1, entry, isLater);
  if (effects.isRecording) {
    effects.begin(2);
    effects.word(isLater ? UNLINK : DEL);
    effects.arg(args, 1);
  }
  context.changed(1, Notify.Generic, 'del');
}

interface ExpireFacts {
  readonly name: string;
  readonly since: string;
  readonly summary: string;
  readonly syntax: string;
  readonly unitMs: number;
  readonly isRelative: boolean;
}

function expireCommand(facts: ExpireFacts): CommandSpec {
  const { name, since, summary, syntax, unitMs, isRelative } = facts;
  const invalid = new Refusal(`ERR invalid expire time in '${name}' command`);
  return keyCommand({
    name,
    arity: -3,
    group: 'generic',
    since,
    summary,
    cost: 'O(1)',
    flags: Flag.Write | Flag.Fast,
    syntax,
    keys: [keyAt(1, 'RW', 'update')],
    history: [['7.0.0', 'Takes the conditions NX, XX, GT and LT.']],
    run: (context) => expireKey(context, unitMs, isRelative ? context.nowMs : 0, invalid),
  });
}

const CONDITIONS = '[<NX | XX | GT | LT>]';

const expire = expireCommand({
  name: 'expire',
  since: '1.0.0',
  summary: 'Lets a key expire after some seconds.',
  syntax: `key seconds ${CONDITIONS}`,
  unitMs: 1000,
  isRelative: true,
});

const pexpire = expireCommand({
  name: 'pexpire',
  since: '2.6.0',
  summary: 'Lets a key expire after some milliseconds.',
  syntax: `key milliseconds ${CONDITIONS}`,
  unitMs: 1,
  isRelative: true,
});

const expireat = expireCommand({
  name: 'expireat',
  since: '1.2.0',
  summary: 'Lets a key expire at a time in seconds since 1970.',
  syntax: `key unix-time-seconds ${CONDITIONS}`,
  unitMs: 1000,
  isRelative: false,
});

const pexpireat = expireCommand({
  name: 'pexpireat',
  since: '2.6.0',
  summary: 'Lets a key expire at a time in milliseconds since 1970.',
  syntax: `key unix-time-milliseconds ${CONDITIONS}`,
  unitMs: 1,
  isRelative: false,
});

const persist = keyCommand({
  name: 'persist',
  arity: 2,
  group: 'generic',
  since: '2.2.0',
  summary: 'Takes the expiry of a key away.',
  cost: 'O(1)',
  flags: Flag.Write | Flag.Fast,
  syntax: 'key',
  keys: [keyAt(1, 'RW', 'update')],
  run(context) {
    const { args, partition } = context;

    const entry = partition.edit(args, 1, Type.Any);
    if (entry === NONE || !hasExpiry(partition.slab, entry)) {
      context.reply.integer(0);
      return;
    }
    partition.reserve(bytesOfEntry(partition.slab, entry));

    partition.dropExpiry(entry, args.hashes[1]!);
    context.changed(1, Notify.Generic, 'persist');

    context.reply.integer(1);
  },
});

// ── Asking ───────────────────────────────────────────────────────────────────────────────────

const NO_KEY = -2;
const NO_EXPIRY = -1;
const SECOND_MS = 1000;

/** Answers with the expiry of key 1, from `baseMs` on; seconds are rounded. */
function replyTime(context: Context, unitMs: number, baseMs: number): void {
  const { partition, reply } = context;
  const { slab } = partition;
  const entry = partition.look(context.args, 1);
  if (entry === NONE) {
    reply.integer(NO_KEY);
    return;
  }
  if (!hasExpiry(slab, entry)) {
    reply.integer(NO_EXPIRY);
    return;
  }
  const expiry = expiryOf(slab, entry);
  if (!Number.isSafeInteger(expiry)) {
    replyTimeSlowly(context, entry, unitMs, baseMs);
    return;
  }
  const left = Math.max(0, expiry - baseMs);
  reply.integer(unitMs === 1 ? left : Math.floor((left + SECOND_MS / 2) / SECOND_MS));
}

function replyTimeSlowly(context: Context, entry: EntryRef, unitMs: number, baseMs: number): void {
  const { slab } = context.partition;
  const expiry = bigIntOfSlowly(expiryLowOf(slab, entry), expiryHighOf(slab, entry));
  const left = expiry - BigInt(baseMs);
  int64FromBigIntSlowly(unitMs === 1 ? left : (left + BigInt(SECOND_MS / 2)) / BigInt(SECOND_MS));
  context.reply.int64(int64.lo, int64.hi);
}

const ttl = keyCommand({
  name: 'ttl',
  arity: 2,
  group: 'generic',
  since: '1.0.0',
  summary: 'Answers after how many seconds a key expires.',
  cost: 'O(1)',
  flags: Flag.Read | Flag.Fast,
  syntax: 'key',
  keys: [keyAt(1, 'RO', 'access')],
  tips: ['nondeterministic_output'],
  history: [['2.8.0', 'Answers -2 for a key that does not exist.']],
  run: (context) => replyTime(context, SECOND_MS, context.nowMs),
});

const pttl = keyCommand({
  name: 'pttl',
  arity: 2,
  group: 'generic',
  since: '2.6.0',
  summary: 'Answers after how many milliseconds a key expires.',
  cost: 'O(1)',
  flags: Flag.Read | Flag.Fast,
  syntax: 'key',
  keys: [keyAt(1, 'RO', 'access')],
  tips: ['nondeterministic_output'],
  history: [['2.8.0', 'Answers -2 for a key that does not exist.']],
  run: (context) => replyTime(context, 1, context.nowMs),
});

const expiretime = keyCommand({
  name: 'expiretime',
  arity: 2,
  group: 'generic',
  since: '7.0.0',
  summary: 'Answers when a key expires, in seconds since 1970.',
  cost: 'O(1)',
  flags: Flag.Read | Flag.Fast,
  syntax: 'key',
  keys: [keyAt(1, 'RO', 'access')],
  run: (context) => replyTime(context, SECOND_MS, 0),
});

const pexpiretime = keyCommand({
  name: 'pexpiretime',
  arity: 2,
  group: 'generic',
  since: '7.0.0',
  summary: 'Answers when a key expires, in milliseconds since 1970.',
  cost: 'O(1)',
  flags: Flag.Read | Flag.Fast,
  syntax: 'key',
  keys: [keyAt(1, 'RO', 'access')],
  run: (context) => replyTime(context, 1, 0),
});

export const expiryCommands: readonly CommandSpec[] = [
  expire,
  pexpire,
  expireat,
  pexpireat,
  persist,
  ttl,
  pttl,
  expiretime,
  pexpiretime,
];
