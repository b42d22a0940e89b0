// Producers that name themselves, so that what they add twice is there once: the words of XADD for
// it, XCFGSET, and XIDMPRECORD, which stands in logs behind the XADD it belongs to.

import { copyBytes } from '../../base/bytes.js';
import type { Slices } from '../../base/slices.js';
import { xxh3 } from '../../base/xxh3.js';
import { isWord, readIntegerIn, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { NO_SUCH_KEY, Refusal, SYNTAX } from '../../resp/errors.js';
import { NONE, type Slab } from '../../slab/slab.js';
import { EntryCursor } from '../../types/stream/block.js';
import { compareIds, StreamId } from '../../types/stream/id.js';
import {
  countDuplicate,
  createProducers,
  findIid,
  forgetThrough,
  IIDS_MAX,
  type IidRef,
  iidReserve,
  iidSeconds,
  iidsMax,
  type Name,
  PRODUCERS_RESERVE_BYTES,
  type ProducersRef,
  producersOf,
  readIidEntry,
  rememberIid,
  SECONDS_MAX,
  setLimits,
} from '../../types/stream/producers.js';
import { findEntry, type StreamRef } from '../../types/stream/stream.js';
import { thresholds } from '../../types/thresholds.js';
import { editStream, idText, readId, textOf } from './value.js';

const IDMP = word('IDMP');
const IDMPAUTO = word('IDMPAUTO');
const IDMP_DURATION = word('IDMP-DURATION');
const IDMP_MAXSIZE = word('IDMP-MAXSIZE');
const XIDMPRECORD = word('XIDMPRECORD');

const PID_EMPTY = new Refusal('ERR the producer ID must not be empty');
const IID_EMPTY = new Refusal('ERR the idempotent ID must not be empty');
export const ID_GIVEN = new Refusal(
  'ERR IDMP and IDMPAUTO can only be used when the entry ID is *',
);
const NOT_DURATION = new Refusal('ERR invalid duration');
const NOT_MAXSIZE = new Refusal('ERR invalid maxsize');
const NO_ENTRY = new Refusal('ERR the stream has no entry with this ID');
const OTHER_ENTRY = new Refusal('ERR the idempotent ID belongs to another entry');

// Who adds, and what it calls the entry.
const pid: Name = { u8: new Uint8Array(0), start: 0, length: 0 };
const iid: Name = { u8: new Uint8Array(0), start: 0, length: 0 };

const id = new StreamId();
const first = new StreamId();
const cursor = new EntryCursor();

// ── XADD ─────────────────────────────────────────────────────────────────────────────────────

/** What the words of XADD say of its producer. */
export const production = {
  isNamed: false,
  /** The iid comes from the entry's fields. */
  isAutomatic: false,
};

/** Reads IDMP or IDMPAUTO at word `index`; returns its last word, or `index - 1` for neither. */
export function readProduction(args: Slices, index: number): number {
  const isAutomatic = isWord(args, index, IDMPAUTO);
  if (!isAutomatic && !isWord(args, index, IDMP)) return index - 1;
  const end = index + (isAutomatic ? 1 : 2);
  if (production.isNamed || end >= args.count) throw SYNTAX;
  production.isNamed = true;
  production.isAutomatic = isAutomatic;
  takeName(pid, args, index + 1, PID_EMPTY);
  if (!isAutomatic) takeName(iid, args, index + 2, IID_EMPTY);
  return end;
}

function takeName(name: Name, args: Slices, index: number, refusal: Refusal): void {
  name.u8 = args.u8;
  name.start = args.startOf(index);
  name.length = args.lengthOf(index);
  if (name.length === 0) throw refusal;
}

const LENGTH_BYTES = 4;
const HASH_BYTES = 16;
const hashed = new Uint8Array(HASH_BYTES);
let content = new Uint8Array(256);

/** The iid of an entry whose fields are the words from `from` on: the same for the same fields. */
export function nameByContent(args: Slices, from: number): void {
  let bytes = 1;
  for (let index = from; index < args.count; index++) bytes += LENGTH_BYTES + args.lengthOf(index);
  if (content.length < bytes) content = new Uint8Array(bytes * 2);
  let at = 0;
  for (let index = from; index < args.count; index++) {
    const length = args.lengthOf(index);
    writeWord(content, at, length);
    copyBytes(args.u8, args.startOf(index), content, at + LENGTH_BYTES, length);
    at += LENGTH_BYTES + length;
  }
  // Two hashes of different bytes: one of 64 bits might take two entries for the same.
  content[at] = 1;
  hashInto(0, at);
  hashInto(HASH_BYTES / 2, at + 1);
  iid.u8 = hashed;
  iid.start = 0;
  iid.length = HASH_BYTES;
}

function hashInto(at: number, length: number): void {
  const { lo, hi } = xxh3(content, 0, length);
  writeWord(hashed, at, lo);
  writeWord(hashed, at + LENGTH_BYTES, hi);
}

function writeWord(u8: Uint8Array, at: number, value: number): void {
  u8[at] = value;
  u8[at + 1] = value >>> 8;
  u8[at + 2] = value >>> 16;
  u8[at + 3] = value >>> 24;
}

/** Has the producer added this before? Then it is told the ID of the first, left in `out`. */
export function findFirst(context: Context, stream: StreamRef, out: StreamId): boolean {
  const { slab } = context.partition;
  const producers = producersIn(slab, stream);
  if (producers === NONE) return false;
  const known = findIid(slab, producers, pid, iid, context.nowMs);
  if (known === NONE) return false;
  countDuplicate(slab, producers);
  readIidEntry(slab, known, out);
  return true;
}

/** Bytes that `remember` may allocate; the stream may be NONE. */
export function productionReserve(slab: Slab, stream: StreamRef): number {
  return iidReserve(slab, producersIn(slab, stream), pid, iid);
}

/** The producer has added the entry `added` just now. Memory was reserved. */
export function remember(context: Context, stream: StreamRef, added: StreamId): void {
  const { nowMs, partition } = context;
  const { slab } = partition;
  rememberIid(slab, producersFor(slab, stream), pid, iid, added, nowMs, nowMs);
}

function producersIn(slab: Slab, stream: StreamRef): ProducersRef {
  return stream === NONE ? (NONE as ProducersRef) : producersOf(slab, stream);
}

/** The stream's producers, from now on if it had none; by the limits of the configuration. */
function producersFor(slab: Slab, stream: StreamRef): ProducersRef {
  const producers = producersOf(slab, stream);
  if (producers !== NONE) return producers;
  const { streamIdmpDuration, streamIdmpMaxsize } = thresholds;
  return createProducers(slab, stream, streamIdmpDuration, streamIdmpMaxsize);
}

const RECORD_WORDS = 5;

/** Records what `remember` has done. */
export function recordProduction({ args, effects }: Context, added: StreamId): void {
  effects.begin(RECORD_WORDS);
  effects.word(XIDMPRECORD);
  effects.arg(args, 1);
  effects.bytes(pid.u8, pid.start, pid.length);
  effects.bytes(iid.u8, iid.start, iid.length);
  effects.bytes(idText, 0, textOf(added));
}

// ── XIDMPRECORD ──────────────────────────────────────────────────────────────────────────────

const xidmprecord = keyCommand({
  name: 'xidmprecord',
  arity: 5,
  group: 'stream',
  since: '8.6.2',
  summary: 'Says which producer added an entry of a stream, and as what; for logs and replicas.',
  cost: 'O(log N) for N producers, or iids of one.',
  flags: Flag.Write | Flag.DenyOom | Flag.Fast,
  syntax: 'key pid iid stream-id',
  keys: [keyAt(1, 'RW', 'update')],
  run(context) {
    const { args, effects, nowMs, partition, reply } = context;
    const { slab } = partition;
    takeName(pid, args, 2, PID_EMPTY);
    takeName(iid, args, 3, IID_EMPTY);
    readId(args, 4, id);

    const stream = editStream(partition, args, 1);
    if (stream === NONE) throw NO_SUCH_KEY;
    // A log is right, whatever this clock and these limits say of what it tells.
    const isReplay = !partition.keyspace.expiresByClock;
    if (!isReplay && !findEntry(slab, stream, cursor, id)) throw NO_ENTRY;
    const producers = producersOf(slab, stream);
    const known = producers === NONE ? NONE : findIid(slab, producers, pid, iid, nowMs);
    if (known !== NONE) {
      readIidEntry(slab, known as IidRef, first);
      const isSame = compareIds(first, id) === 0;
      if (!isSame && !isReplay) throw OTHER_ENTRY;
      if (isSame) {
        reply.ok();
        return;
      }
    }
    partition.reserve(iidReserve(slab, producers, pid, iid));
    if (known !== NONE) forgetThrough(slab, producers, pid, iid);

    // An ID that was made has the time in it; one that is ahead of it is from now.
    const addedMs = Math.min(msOf(id), nowMs);
    rememberIid(slab, producersFor(slab, stream), pid, iid, id, addedMs, nowMs);
    effects.dirty++;

    reply.ok();
  },
});

function msOf({ msHigh, msLow }: StreamId): number {
  return (msHigh >>> 0) * 2 ** 32 + (msLow >>> 0);
}

// ── XCFGSET ──────────────────────────────────────────────────────────────────────────────────

/** What is set; 0 for what is not. */
const limits = { seconds: 0, iidsMax: 0 };

function readLimits({ args }: Context): void {
  limits.seconds = 0;
  limits.iidsMax = 0;
  if (args.count === 2) throw SYNTAX;
  for (let index = 2; index < args.count; index += 2) {
    if (index + 1 >= args.count) throw SYNTAX;
    if (isWord(args, index, IDMP_DURATION)) {
      const refusal = NOT_DURATION;
      limits.seconds = readIntegerIn(args, index + 1, 1, SECONDS_MAX, refusal, refusal);
    } else if (isWord(args, index, IDMP_MAXSIZE)) {
      const refusal = NOT_MAXSIZE;
      limits.iidsMax = readIntegerIn(args, index + 1, 1, IIDS_MAX, refusal, refusal);
    } else throw SYNTAX;
  }
}

const xcfgset = keyCommand({
  name: 'xcfgset',
  arity: -2,
  group: 'stream',
  since: '8.6.0',
  summary: 'Sets how long a stream remembers what its producers added, and how much of it.',
  cost: 'O(1); O(N) for N iids that are forgotten.',
  flags: Flag.Write | Flag.Fast,
  syntax: 'key [IDMP-DURATION idmp-duration] [IDMP-MAXSIZE idmp-maxsize]',
  keys: [keyAt(1, 'RW', 'update')],
  run(context) {
    const { args, effects, partition, reply } = context;
    const { slab } = partition;
    readLimits(context);

    const stream = editStream(partition, args, 1);
    if (stream === NONE) throw NO_SUCH_KEY;
    partition.reserve(PRODUCERS_RESERVE_BYTES);

    const producers = producersFor(slab, stream);
    const seconds = limits.seconds === 0 ? iidSeconds(slab, producers) : limits.seconds;
    const most = limits.iidsMax === 0 ? iidsMax(slab, producers) : limits.iidsMax;
    setLimits(slab, producers, seconds, most);
    effects.dirty++;

    reply.ok();
  },
});

export const idempotenceCommands: readonly CommandSpec[] = [xcfgset, xidmprecord];
