// DUMP and RESTORE: one value as bytes, for another key or another server. The bytes are those of
// an RDB file (rdb/), in the oldest version that holds the value, so that every Redis since 7.0
// restores it.

import { addInt64, int64 } from '../../base/ascii.js';
import { isWord, readInt64, readInteger, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { Notify } from '../../dispatch/effects.js';
import { type EntryRef, setRecency, Type } from '../../keyspace/entry.js';
import { Building } from '../../rdb/building.js';
import { openPayload, writePayload } from '../../rdb/dump.js';
import { readValue, reserveStore, storeValue } from '../../rdb/read.js';
import { ByteSink } from '../../rdb/sink.js';
import { ByteSource } from '../../rdb/source.js';
import { isWritable } from '../../rdb/write.js';
import { Refusal, SYNTAX } from '../../resp/errors.js';
import { NONE } from '../../slab/slab.js';

// ── DUMP ─────────────────────────────────────────────────────────────────────────────────────

const sink = new ByteSink();
/** At no time has any field expired. */
const NO_TIME = -1;

const dump = keyCommand({
  name: 'dump',
  arity: 2,
  group: 'generic',
  since: '2.6.0',
  summary: 'Answers the value of a key as bytes that RESTORE makes a value of again.',
  cost: 'O(1) to find the key, and O(N) for N elements or bytes of the value.',
  flags: Flag.Read,
  syntax: 'key',
  keys: [keyAt(1, 'RO', 'access')],
  tips: ['nondeterministic_output'],
  run(context) {
    const { args, keyspace, partition, reply } = context;
    const { slab } = partition;
    const form = {
      compresses: context.server.config.flag('rdbcompression'),
      isExact: false,
      nowMs: keyspace.expiresByClock ? keyspace.nowMs : NO_TIME,
    };

    const entry = partition.find(args, 1, Type.Any);
    if (entry === NONE || !isWritable(slab, entry, form)) {
      reply.nil();
      return;
    }

    sink.reset();
    writePayload(sink, slab, entry, form);
    reply.bulk(sink.u8, 0, sink.at);
    sink.reset();
  },
});

// ── RESTORE ──────────────────────────────────────────────────────────────────────────────────

const REPLACE = word('REPLACE');
const ABSTTL = word('ABSTTL');
const IDLETIME = word('IDLETIME');
const FREQ = word('FREQ');
const DEL = word('DEL');
const UNLINK = word('UNLINK');

const BUSY_KEY = new Refusal('BUSYKEY Target key name already exists.');
const INVALID_TTL = new Refusal('ERR Invalid TTL value, must be >= 0');
const INVALID_IDLE_TIME = new Refusal('ERR Invalid IDLETIME value, must be >= 0');
const INVALID_FREQUENCY = new Refusal('ERR Invalid FREQ value, must be >= 0 and <= 255');

const FREQUENCY_MAX = 255;
const FIRST_OPTION = 4;
const NOT_SAID = -1;

/** Recency is 24 bits: seconds under LRU; 16 bits of minutes and a counter under LFU. */
const RECENCY_VALUES = 2 ** 24;
const MINUTES_MASK = 0xffff;
const COUNTER_BITS = 8;
const MINUTE_MS = 60_000;
const TWO_32 = 2 ** 32;

const options = { replaces: false, isAbsolute: false, idleSeconds: NOT_SAID, frequency: NOT_SAID };
/** When the restored key expires; `has` is false for a key that does not. */
const until = { has: false, isPast: false, low: 0, high: 0 };

const building = new Building();
const source = new ByteSource();

function readOptions(context: Context): void {
  const { args } = context;
  options.replaces = false;
  options.isAbsolute = false;
  options.idleSeconds = NOT_SAID;
  options.frequency = NOT_SAID;
  for (let index = FIRST_OPTION; index < args.count; index++) {
    const hasMore = index + 1 < args.count;
    if (isWord(args, index, REPLACE)) {
      options.replaces = true;
    } else if (isWord(args, index, ABSTTL)) {
      options.isAbsolute = true;
    } else if (isWord(args, index, IDLETIME) && hasMore && options.frequency === NOT_SAID) {
      options.idleSeconds = readInteger(args, ++index);
      if (options.idleSeconds < 0) throw INVALID_IDLE_TIME;
    } else if (isWord(args, index, FREQ) && hasMore && options.idleSeconds === NOT_SAID) {
      options.frequency = readInteger(args, ++index);
      if (options.frequency < 0 || options.frequency > FREQUENCY_MAX) throw INVALID_FREQUENCY;
    } else {
      throw SYNTAX;
    }
  }
}

/** Reads word 2: milliseconds from now, or since 1970. */
function readUntil(context: Context): void {
  const { keyspace, nowMs } = context;
  readInt64(context.args, 2);
  if (int64.hi < 0) throw INVALID_TTL;
  until.has = (int64.lo | int64.hi) !== 0;
  if (!until.has) return;
  const high = Math.floor(nowMs / TWO_32);
  // A sum beyond 64 bits is past: Redis's becomes negative.
  const isBeyond = !options.isAbsolute && !addInt64(int64.lo, int64.hi, nowMs | 0, high);
  until.low = int64.lo;
  until.high = int64.hi;
  until.isPast = keyspace.expiresByClock && (isBeyond || int64.value <= nowMs);
}

/** Stamps the key as its options say, if they are about what the eviction policy looks at. */
function stamp(context: Context, entry: EntryRef): void {
  const { idleSeconds, frequency } = options;
  if (idleSeconds === NOT_SAID && frequency === NOT_SAID) return;
  const { keyspace, partition } = context;
  if (context.server.config.text('maxmemory-policy').endsWith('-lfu')) {
    if (frequency === NOT_SAID) return;
    const minutes = Math.floor(context.nowMs / MINUTE_MS) & MINUTES_MASK;
    setRecency(partition.slab, entry, (minutes << COUNTER_BITS) | frequency);
  } else if (idleSeconds !== NOT_SAID) {
    const idle = idleSeconds % RECENCY_VALUES;
    setRecency(partition.slab, entry, (keyspace.recency - idle) & (RECENCY_VALUES - 1));
  }
}

/** What is restored has expired already: the key that it replaces goes, and that is all. */
function onlyRemove(context: Context, replaced: EntryRef): void {
  const { args, effects, keyspace, partition } = context;
  building.drop();
  building.end();
  if (replaced === NONE) return;
  partition.remove(args, 1, replaced);
  if (effects.isRecording) {
    effects.begin(2);
    effects.word(keyspace.freesLater.onOverwrite ? UNLINK : DEL);
    effects.arg(args, 1);
  }
  context.changed(1, Notify.Generic, 'del');
}

/** A time from now is recorded as one since 1970. */
function record(context: Context): void {
  const { args, effects } = context;
  if (!effects.isRecording || !until.has || options.isAbsolute) return;
  effects.begin(args.count + 1);
  for (let index = 0; index < args.count; index++) {
    if (index === 2) effects.int64(until.low, until.high);
    else effects.arg(args, index);
  }
  effects.word(ABSTTL);
}

function restoreKey(context: Context): void {
  const { args, partition, reply } = context;
  readOptions(context);
  const replaced = partition.peek(args, 1);
  if (replaced !== NONE && !options.replaces) throw BUSY_KEY;
  readUntil(context);
  const type = openPayload(source, args.u8, args.startOf(3), args.lengthOf(3));

  // Built beside what the key holds: it is not changed before all of the value is there.
  readValue(source, type, building, partition, args.hashes[1]!);
  if (until.has && until.isPast) {
    onlyRemove(context, replaced);
    reply.ok();
    return;
  }
  reserveStore(building, args.lengthOf(1));

  if (replaced !== NONE) partition.remove(args, 1, replaced);
  const entry = storeValue(building, partition, args, 1, until.has ? until : null);
  stamp(context, entry);
  record(context);
  context.changed(1, Notify.Generic, 'restore');

  reply.ok();
}

const SYNTAX_OF_RESTORE =
  'key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]';
const COST_OF_RESTORE =
  'O(N) for N elements or bytes of the value; O(N*log(N)) for a large sorted set.';
const HISTORY_OF_RESTORE = [
  ['3.0.0', 'REPLACE.'],
  ['5.0.0', 'ABSTTL, IDLETIME and FREQ.'],
] as const;

const restore = keyCommand({
  name: 'restore',
  arity: -4,
  group: 'generic',
  since: '2.6.0',
  summary: 'Gives a key the value whose bytes DUMP has answered.',
  cost: COST_OF_RESTORE,
  flags: Flag.Write | Flag.DenyOom,
  syntax: SYNTAX_OF_RESTORE,
  keys: [keyAt(1, 'OW', 'update')],
  categories: ['@keyspace', '@dangerous'],
  history: HISTORY_OF_RESTORE,
  run: restoreKey,
});

const restoreAsking = keyCommand({
  name: 'restore-asking',
  arity: -4,
  group: 'server',
  since: '3.0.0',
  summary: 'As RESTORE, for keys on their way from one node of a cluster to another.',
  cost: COST_OF_RESTORE,
  flags: Flag.Write | Flag.DenyOom | Flag.Asking,
  syntax: SYNTAX_OF_RESTORE,
  keys: [keyAt(1, 'OW', 'update')],
  categories: ['@keyspace', '@dangerous'],
  history: HISTORY_OF_RESTORE,
  run: restoreKey,
});

export const dumpCommands: readonly CommandSpec[] = [dump, restore, restoreAsking];
