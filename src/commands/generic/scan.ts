// Walking all keys of a database: KEYS, SCAN and RANDOMKEY. They visit one partition at a time, so
// that no lock is held for longer than one partition takes.

import { cursor64, parseCursor } from '../../base/ascii.js';
import { matchesGlob } from '../../base/glob.js';
import { Prng } from '../../base/prng.js';
import { isWord, readInteger, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, sessionCommand } from '../../dispatch/define.js';
import { type EntryRef, keyBytesOf, keyStartOf, Type, typeOf } from '../../keyspace/entry.js';
import type { Partition } from '../../keyspace/partition.js';
import { Bucketful, eachEntry, SCAN_STRIDE, walkStep } from '../../keyspace/scan.js';
import { INVALID_CURSOR, SYNTAX } from '../../resp/errors.js';
import { GrowingEdge, Reply } from '../../resp/write.js';
import { NONE } from '../../slab/slab.js';
import { randomRef } from '../../structs/table.js';

const STAR = 0x2a;
const COUNT_DEFAULT = 10;
/** As Redis: a sparse table costs a SCAN at most ten buckets for each key it was asked for. */
const STEPS_PER_COUNT = 10;
/** One visit walks so many buckets, some 1500 keys: the lock is held for about 100 µs. */
const STEPS_PER_VISIT = 256;
const COLLECTED_BYTES = 4096;
const COLLECTED_BYTES_KEPT = 256 * 1024;

const MATCH = word('MATCH');
const COUNT = word('COUNT');
const TYPE = word('TYPE');
const TYPE_NAMES: readonly (readonly [Uint8Array, Type])[] = [
  [word('STRING'), Type.String],
  [word('LIST'), Type.List],
  [word('SET'), Type.Set],
  [word('ZSET'), Type.SortedSet],
  [word('HASH'), Type.Hash],
  [word('STREAM'), Type.Stream],
];
/** A name that no type has: nothing matches it. */
const NO_TYPE = -1;

/** The keys found by the running command: their number has to be answered before them. */
class Findings {
  count = 0;
  private reply = new Reply(new Uint8Array(new ArrayBuffer(COLLECTED_BYTES)), new GrowingEdge());

  begin(): void {
    this.count = 0;
    this.reply.at = 0;
  }

  add(partition: Partition, entry: EntryRef): void {
    const { slab } = partition;
    this.reply.bulk(slab.u8, keyStartOf(slab, entry), keyBytesOf(slab, entry));
    this.count++;
  }

  end(target: Reply): void {
    const { reply } = this;
    target.array(this.count);
    target.raw(reply.u8.subarray(0, reply.at));
    if (reply.u8.length > COLLECTED_BYTES_KEPT) {
      reply.u8 = new Uint8Array(new ArrayBuffer(COLLECTED_BYTES));
    }
  }
}

/** What the running KEYS or SCAN looks for. Reused by all commands of a thread. */
class Search {
  readonly findings = new Findings();
  /** The pattern's word, 0 for all keys. */
  patternIndex = 0;
  type: number = Type.Any;
  count = COUNT_DEFAULT;
  /** Keys met and buckets left before SCAN stops. */
  sampled = 0;
  stepsLeft = 0;
  position = 0;

  begin(): void {
    this.findings.begin();
    this.patternIndex = 0;
    this.type = Type.Any;
    this.count = COUNT_DEFAULT;
    this.sampled = 0;
  }

  readPattern(context: Context, index: number): void {
    const { args } = context;
    const isAll = args.lengthOf(index) === 1 && args.u8[args.startOf(index)] === STAR;
    this.patternIndex = isAll ? 0 : index;
  }

  matches(context: Context, partition: Partition, entry: EntryRef): boolean {
    const { patternIndex } = this;
    if (patternIndex === 0) return true;
    const { args } = context;
    const { slab } = partition;
    return matchesGlob(
      args.u8,
      args.startOf(patternIndex),
      args.lengthOf(patternIndex),
      slab.u8,
      keyStartOf(slab, entry),
      keyBytesOf(slab, entry),
      false,
    );
  }

  get isSated(): boolean {
    return this.sampled >= this.count || this.stepsLeft < 0;
  }
}

const search = new Search();
const bucketful = new Bucketful();

// ── KEYS ─────────────────────────────────────────────────────────────────────────────────────

const keys = sessionCommand({
  name: 'keys',
  arity: 2,
  group: 'generic',
  since: '1.0.0',
  summary: 'Lists the names of all keys that a pattern fits.',
  cost: 'O(N) for N keys in the database.',
  flags: Flag.Read,
  syntax: 'pattern',
  categories: ['@dangerous'],
  tips: ['request_policy:all_shards', 'nondeterministic_output_order'],
  run(context) {
    search.begin();
    search.readPattern(context, 1);

    const visitor = (partition: Partition): void => {
      eachEntry(partition, (_slab, ref) => {
        const entry = ref as EntryRef;
        if (!search.matches(context, partition, entry)) return;
        // Unlike SCAN, KEYS leaves expired keys where they are.
        if (!partition.isExpired(entry)) search.findings.add(partition, entry);
      });
    };
    const { partitions } = context.keyspace;
    for (let index = 0; index < partitions.length; index++) {
      if (partitions[index]!.countOf(context.session.database) !== 0) context.visit(index, visitor);
    }

    search.findings.end(context.reply);
  },
});

// ── SCAN ─────────────────────────────────────────────────────────────────────────────────────

function readScanOptions(context: Context): void {
  const { args } = context;
  for (let index = 2; index < args.count; index += 2) {
    const hasValue = index + 1 < args.count;
    if (hasValue && isWord(args, index, COUNT)) {
      search.count = readInteger(args, index + 1);
      if (search.count < 1) throw SYNTAX;
    } else if (hasValue && isWord(args, index, MATCH)) {
      search.readPattern(context, index + 1);
    } else if (hasValue && isWord(args, index, TYPE)) {
      search.type = readType(context, index + 1);
    } else {
      throw SYNTAX;
    }
  }
  search.stepsLeft = search.count * STEPS_PER_COUNT;
}

function readType(context: Context, index: number): number {
  const row = TYPE_NAMES.find(([name]) => isWord(context.args, index, name));
  return row === undefined ? NO_TYPE : row[1];
}

/** Walks from the search's position on, until it has enough, has worked enough, or is through. */
function scanVisit(context: Context, partition: Partition): void {
  for (let steps = 0; steps < STEPS_PER_VISIT; steps++) {
    search.position = walkStep(partition, search.position, bucketful);
    for (let index = 0; index < bucketful.count; index++) {
      scanEntry(context, partition, bucketful.at(index));
    }
    search.stepsLeft--;
    if (search.position === SCAN_STRIDE || search.isSated) return;
  }
}

function scanEntry(context: Context, partition: Partition, entry: EntryRef): void {
  search.sampled++;
  if (!search.matches(context, partition, entry)) return;
  if (partition.isExpired(entry)) {
    partition.expire(entry);
    return;
  }
  const isWanted = search.type === Type.Any || search.type === typeOf(partition.slab, entry);
  if (isWanted) search.findings.add(partition, entry);
}

const scan = sessionCommand({
  name: 'scan',
  arity: -2,
  group: 'generic',
  since: '2.8.0',
  summary: 'Lists the names of some keys, and where to go on.',
  cost: 'O(1) for a call, O(N) for all calls that it takes to meet N keys.',
  flags: Flag.Read,
  syntax: 'cursor [MATCH pattern] [COUNT count] [TYPE type]',
  tips: ['nondeterministic_output', 'request_policy:special', 'response_policy:special'],
  history: [['6.0.0', 'Takes the option TYPE.']],
  run(context) {
    const { args, keyspace, reply, session } = context;
    search.begin();
    if (!parseCursor(args.u8, args.startOf(1), args.lengthOf(1))) throw INVALID_CURSOR;
    const cursor = cursor64.value;
    readScanOptions(context);

    const { partitions } = keyspace;
    let index = Math.floor(cursor / SCAN_STRIDE);
    search.position = cursor % SCAN_STRIDE;
    const visitor = (partition: Partition): void => scanVisit(context, partition);
    while (index < partitions.length && !search.isSated) {
      // A key that is there during the whole scan is counted during the whole scan.
      const isEmpty = partitions[index]!.countOf(session.database) === 0;
      if (isEmpty) search.position = SCAN_STRIDE;
      else context.visit(index, visitor);
      if (search.position < SCAN_STRIDE) continue;
      search.position = 0;
      index++;
    }

    reply.array(2);
    reply.bulkInteger(index < partitions.length ? index * SCAN_STRIDE + search.position : 0);
    search.findings.end(reply);
  },
});

// ── RANDOMKEY ────────────────────────────────────────────────────────────────────────────────

/** Expired keys that one visit may meet and remove before it lets others at the partition. */
const EXPIRED_PER_VISIT = 100;

const chance = Prng.fromEntropy();

function draw(below: number): number {
  return chance.below(below);
}

/** The partition of the index-th of all keys, in the order of partitions. */
function partitionOfKey(partitions: readonly Partition[], database: number, index: number): number {
  for (let at = 0; at < partitions.length; at++) {
    index -= partitions[at]!.countOf(database);
    if (index < 0) return at;
  }
  return partitions.length - 1;
}

function countKeys(partitions: readonly Partition[], database: number): number {
  let count = 0;
  for (let at = 0; at < partitions.length; at++) count += partitions[at]!.countOf(database);
  return count;
}

const randomkey = sessionCommand({
  name: 'randomkey',
  arity: 1,
  group: 'generic',
  since: '1.0.0',
  summary: 'Names a key that is drawn by chance.',
  cost: 'O(1)',
  flags: Flag.Read,
  tips: ['request_policy:all_shards', 'response_policy:special', 'nondeterministic_output'],
  run(context) {
    const { keyspace, reply, session } = context;
    const { partitions } = keyspace;
    let isFound = false;
    const visitor = (partition: Partition): void => {
      for (let expired = 0; expired < EXPIRED_PER_VISIT; expired++) {
        const entry = randomRef(partition.slab, partition.tableRoot, draw) as EntryRef;
        if (entry === NONE) return;
        if (!partition.isExpired(entry)) {
          const { slab } = partition;
          reply.bulk(slab.u8, keyStartOf(slab, entry), keyBytesOf(slab, entry));
          isFound = true;
          return;
        }
        partition.expire(entry);
      }
    };

    // Each visit finds a key or removes expired ones, so that this ends.
    while (!isFound) {
      const count = countKeys(partitions, session.database);
      if (count === 0) {
        reply.nil();
        return;
      }
      context.visit(partitionOfKey(partitions, session.database, draw(count)), visitor);
    }
  },
});

export const scanCommands: readonly CommandSpec[] = [keys, scan, randomkey];
