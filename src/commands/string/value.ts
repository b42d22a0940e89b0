// GET and SET, and the commands that are a GET and a SET with something more.

import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { Notify } from '../../dispatch/effects.js';
import { bytesOfEntry, type EntryRef, hasExpiry, Type, typeOf } from '../../keyspace/entry.js';
import { putString, putStringUntil, stringReserve } from '../../keyspace/strings.js';
import { Refusal, WRONG_TYPE } from '../../resp/errors.js';
import { NONE } from '../../slab/slab.js';
import {
  digestOf,
  meetsCondition,
  notifyAlso,
  recordDel,
  recordPersist,
  recordSet,
  recordSetUntil,
  recordUntil,
  replyString,
} from './bytes.js';
import {
  conditionAt,
  found,
  invalidTimeOf,
  Option,
  readOptions,
  readUntil,
  until,
} from './options.js';

const get = keyCommand({
  name: 'get',
  arity: 2,
  group: 'string',
  since: '1.0.0',
  summary: 'Returns the string that a key holds.',
  cost: 'O(1)',
  flags: Flag.Read | Flag.Fast,
  syntax: 'key',
  keys: [keyAt(1, 'RO', 'access')],
  run(context) {
    const { partition, reply } = context;

    const entry = partition.find(context.args, 1, Type.String);

    if (entry === NONE) reply.nil();
    else replyString(reply, partition.slab, entry);
  },
});

// ── SET ──────────────────────────────────────────────────────────────────────────────────────

const SET_OPTIONS =
  Option.Nx | Option.Xx | Option.Get | Option.KeepTtl | Option.Times | Option.Conditions;
const SET_TIME = invalidTimeOf('set');

const set = keyCommand({
  name: 'set',
  arity: -3,
  group: 'string',
  since: '1.0.0',
  summary:
    'Stores a string under a key, whatever the key held, on conditions and for a time if wanted.',
  cost: 'O(1)',
  flags: Flag.Write | Flag.DenyOom,
  syntax:
    'key value [NX | XX | IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | ' +
    'IFDNE ifdne-digest] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | ' +
    'PXAT unix-time-milliseconds | KEEPTTL]',
  keys: [keyAt(1, 'RW', 'access', 'update', 'variable_flags')],
  history: [
    ['2.6.12', 'Added EX, PX, NX and XX.'],
    ['6.0.0', 'Added KEEPTTL.'],
    ['6.2.0', 'Added GET, EXAT and PXAT.'],
    ['7.0.0', 'NX and GET may be used together.'],
    ['8.4.0', 'Added IFEQ, IFNE, IFDEQ and IFDNE.'],
  ],
  run(context) {
    const { args, partition } = context;
    if (args.count !== 3) {
      setWithOptions(context);
      return;
    }
    const length = args.lengthOf(2);

    const entry = partition.edit(args, 1, Type.Any);

    partition.reserve(stringReserve(args.lengthOf(1), length));
    putString(partition, args, 1, entry, args.u8, args.startOf(2), length, false);
    context.changed(1, Notify.String, 'set');

    context.reply.ok();
  },
});

function setWithOptions(context: Context): void {
  const { args, partition, reply } = context;
  const options = readOptions(args, 3, SET_OPTIONS);
  const { timeAt, conditionAt: wantedAt } = found;
  if (timeAt !== 0) readUntil(args, timeAt, options, context.nowMs, SET_TIME);

  const isGetting = (options & Option.Get) !== 0;
  // A GET is a look-up for reading as well: it counts as a hit or a miss, and refuses other types.
  if (isGetting) partition.find(args, 1, Type.String);
  const entry = partition.edit(args, 1, Type.Any);
  if (!maySet(context, entry, options, wantedAt)) {
    if (isGetting && entry !== NONE) replyString(reply, partition.slab, entry);
    else reply.nil();
    return;
  }
  partition.reserve(stringReserve(args.lengthOf(1), args.lengthOf(2)));

  if (isGetting) {
    if (entry === NONE) reply.nil();
    else replyString(reply, partition.slab, entry);
  }

  if (timeAt !== 0) setUntil(context, entry, 2);
  else setNow(context, entry, 2, (options & Option.KeepTtl) !== 0);

  if (!isGetting) reply.ok();
}

/** Do the conditions among the options let SET go on? */
function maySet(context: Context, entry: EntryRef, options: number, wantedAt: number): boolean {
  if ((options & Option.Nx) !== 0) return entry === NONE;
  if ((options & Option.Xx) !== 0) return entry !== NONE;
  if ((options & Option.Conditions) === 0) return true;
  // A missing key differs from every value.
  if (entry === NONE) return (options & (Option.IfNe | Option.IfDne)) !== 0;
  const { slab } = context.partition;
  if (typeOf(slab, entry) !== Type.String) throw WRONG_TYPE;
  return meetsCondition(slab, entry, options, context.args, wantedAt);
}

/** The change of a SET without a time; its value is word `valueAt`. */
function setNow(context: Context, entry: EntryRef, valueAt: number, keepsExpiry: boolean): void {
  const { args, partition } = context;
  const length = args.lengthOf(valueAt);
  putString(partition, args, 1, entry, args.u8, args.startOf(valueAt), length, keepsExpiry);
  context.changed(1, Notify.String, 'set');
  recordSet(context, 1, valueAt, keepsExpiry);
}

/** The change of a SET with the time in `until`. A time that has passed is for expiry to find. */
function setUntil(context: Context, entry: EntryRef, valueAt: number): void {
  const { args, partition } = context;
  const { low, high } = until;
  const length = args.lengthOf(valueAt);
  putStringUntil(partition, args, 1, entry, args.u8, args.startOf(valueAt), length, low, high);
  context.changed(1, Notify.String, 'set');
  notifyAlso(context, 1, Notify.Generic, 'expire');
  recordSetUntil(context, 1, valueAt, low, high);
}

// ── SETNX, SETEX, PSETEX ─────────────────────────────────────────────────────────────────────

const setnx = keyCommand({
  name: 'setnx',
  arity: 3,
  group: 'string',
  since: '1.0.0',
  summary: 'Stores a string under a key that does not exist yet.',
  cost: 'O(1)',
  flags: Flag.Write | Flag.DenyOom | Flag.Fast,
  syntax: 'key value',
  keys: [keyAt(1, 'OW', 'insert')],
  deprecatedSince: '2.6.12',
  replacedBy: '`SET` with the `NX` argument',
  run(context) {
    const { args, partition, reply } = context;

    const entry = partition.edit(args, 1, Type.Any);
    if (entry !== NONE) {
      reply.integer(0);
      return;
    }

    partition.reserve(stringReserve(args.lengthOf(1), args.lengthOf(2)));
    setNow(context, entry, 2, false);

    reply.integer(1);
  },
});

const SETEX_TIME = invalidTimeOf('setex');
const PSETEX_TIME = invalidTimeOf('psetex');

const setex = keyCommand({
  name: 'setex',
  arity: 4,
  group: 'string',
  since: '2.0.0',
  summary: 'Stores a string under a key for so many seconds.',
  cost: 'O(1)',
  flags: Flag.Write | Flag.DenyOom,
  syntax: 'key seconds value',
  keys: [keyAt(1, 'OW', 'update')],
  deprecatedSince: '2.6.12',
  replacedBy: '`SET` with the `EX` argument',
  run: (context) => setFor(context, Option.Ex, SETEX_TIME),
});

const psetex = keyCommand({
  name: 'psetex',
  arity: 4,
  group: 'string',
  since: '2.6.0',
  summary: 'Stores a string under a key for so many milliseconds.',
  cost: 'O(1)',
  flags: Flag.Write | Flag.DenyOom,
  syntax: 'key milliseconds value',
  keys: [keyAt(1, 'OW', 'update')],
  deprecatedSince: '2.6.12',
  replacedBy: '`SET` with the `PX` argument',
  run: (context) => setFor(context, Option.Px, PSETEX_TIME),
});

function setFor(context: Context, unit: number, invalid: Refusal): void {
  const { args, partition } = context;
  readUntil(args, 2, unit, context.nowMs, invalid);

  const entry = partition.edit(args, 1, Type.Any);

  partition.reserve(stringReserve(args.lengthOf(1), args.lengthOf(3)));
  setUntil(context, entry, 3);

  context.reply.ok();
}

// ── GETSET, GETDEL, GETEX ────────────────────────────────────────────────────────────────────

const getset = keyCommand({
  name: 'getset',
  arity: 3,
  group: 'string',
  since: '1.0.0',
  summary: 'Stores a string under a key and returns the one it held.',
  cost: 'O(1)',
  flags: Flag.Write | Flag.DenyOom | Flag.Fast,
  syntax: 'key value',
  keys: [keyAt(1, 'RW', 'access', 'update')],
  deprecatedSince: '6.2.0',
  replacedBy: '`SET` with the `GET` argument',
  run(context) {
    const { args, partition, reply } = context;

    partition.find(args, 1, Type.String);
    const entry = partition.edit(args, 1, Type.String);
    partition.reserve(stringReserve(args.lengthOf(1), args.lengthOf(2)));

    if (entry === NONE) reply.nil();
    else replyString(reply, partition.slab, entry);

    setNow(context, entry, 2, false);
  },
});

const getdel = keyCommand({
  name: 'getdel',
  arity: 2,
  group: 'string',
  since: '6.2.0',
  summary: 'Returns the string that a key holds and deletes the key.',
  cost: 'O(1)',
  flags: Flag.Write | Flag.Fast,
  syntax: 'key',
  keys: [keyAt(1, 'RW', 'access', 'delete')],
  run(context) {
    const { args, partition, reply } = context;

    const entry = partition.find(args, 1, Type.String);
    if (entry === NONE) {
      reply.nil();
      return;
    }

    replyString(reply, partition.slab, entry);

    removeKey(context, entry);
  },
});

function removeKey(context: Context, entry: EntryRef): void {
  context.partition.remove(context.args, 1, entry);
  context.changed(1, Notify.Generic, 'del');
  recordDel(context, 1);
}

const GETEX_OPTIONS = Option.Times | Option.Persist;
const GETEX_TIME = invalidTimeOf('getex');

const getex = keyCommand({
  name: 'getex',
  arity: -2,
  group: 'string',
  since: '6.2.0',
  summary: 'Returns the string that a key holds and sets or removes its expiry.',
  cost: 'O(1)',
  flags: Flag.Write | Flag.Fast,
  syntax:
    'key [EX seconds | PX milliseconds | EXAT unix-time-seconds | ' +
    'PXAT unix-time-milliseconds | PERSIST]',
  keys: [keyAt(1, 'RW', 'access', 'update')],
  run(context) {
    const { args, partition, reply } = context;
    const options = readOptions(args, 2, GETEX_OPTIONS);
    const { timeAt } = found;

    const entry = partition.find(args, 1, Type.String);
    if (entry === NONE) {
      reply.nil();
      return;
    }
    // Redis looks at the time only when there is a key to give it to.
    if (timeAt !== 0) readUntil(args, timeAt, options, context.nowMs, GETEX_TIME);
    if (options !== 0) partition.reserve(bytesOfEntry(partition.slab, entry) + EXPIRY_BYTES);

    replyString(reply, partition.slab, entry);

    if (timeAt !== 0) expireAt(context, options);
    else if ((options & Option.Persist) !== 0) persist(context, entry);
  },
});

/** Room for an expiry in an entry; rounded up. */
const EXPIRY_BYTES = 16;

/** Gives the key the expiry in `until`; an absolute one that has passed deletes the key. */
function expireAt(context: Context, options: number): void {
  const { args, partition } = context;
  const { low, high, ms } = until;
  const entry = partition.edit(args, 1, Type.String);
  const isAbsolute = (options & (Option.ExAt | Option.PxAt)) !== 0;
  if (isAbsolute && ms <= context.nowMs && context.keyspace.expiresByClock) {
    removeKey(context, entry);
    return;
  }
  partition.setExpiry(entry, args.hashes[1]!, low, high);
  context.changed(1, Notify.Generic, 'expire');
  recordUntil(context, 1, low, high);
}

function persist(context: Context, entry: EntryRef): void {
  const { args, partition } = context;
  if (!hasExpiry(partition.slab, entry)) return;
  partition.dropExpiry(partition.edit(args, 1, Type.String), args.hashes[1]!);
  context.changed(1, Notify.Generic, 'persist');
  recordPersist(context, 1);
}

// ── DELEX, DIGEST ────────────────────────────────────────────────────────────────────────────

const NOT_A_STRING = new Refusal('ERR Key should be of string type if conditions are specified');
const NO_CONDITION = new Refusal('ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE');

const delex = keyCommand({
  name: 'delex',
  arity: -2,
  group: 'string',
  since: '8.4.0',
  summary: 'Deletes a key if its value or the digest of its value is as given.',
  cost: 'O(1) with IFEQ and IFNE, O(N) with IFDEQ and IFDNE, N being the length of the value',
  flags: Flag.Write | Flag.Fast,
  syntax: 'key [IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest]',
  keys: [keyAt(1, 'RW', 'delete', 'variable_flags')],
  run(context) {
    const { args, partition, reply } = context;
    if (args.count !== 2 && args.count !== 4) throw context.command.wrongArity;

    const entry = partition.edit(args, 1, Type.Any);
    if (entry === NONE || !mayDelete(context, entry)) {
      reply.integer(0);
      return;
    }

    removeKey(context, entry);

    reply.integer(1);
  },
});

function mayDelete(context: Context, entry: EntryRef): boolean {
  const { args, partition } = context;
  if (args.count === 2) return true;
  if (typeOf(partition.slab, entry) !== Type.String) throw NOT_A_STRING;
  const condition = conditionAt(args, 2);
  if (condition === 0) throw NO_CONDITION;
  return meetsCondition(partition.slab, entry, condition, args, 3);
}

const digest = keyCommand({
  name: 'digest',
  arity: 2,
  group: 'string',
  since: '8.4.0',
  summary: 'Returns the XXH3 digest of the string that a key holds, as 16 hexadecimal digits.',
  cost: 'O(N), N being the length of the string',
  flags: Flag.Read | Flag.Fast,
  syntax: 'key',
  keys: [keyAt(1, 'RO', 'access')],
  run(context) {
    const { partition, reply } = context;

    const entry = partition.find(context.args, 1, Type.String);
    if (entry === NONE) {
      reply.nil();
      return;
    }

    const text = digestOf(partition.slab, entry);
    reply.bulk(text, 0, text.length);
  },
});

export const valueCommands: readonly CommandSpec[] = [
  get,
  set,
  setnx,
  setex,
  psetex,
  getset,
  getdel,
  getex,
  delex,
  digest,
];
