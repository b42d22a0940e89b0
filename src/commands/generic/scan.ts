// Walking all keys of a database: KEYS, SCAN and RANDOMKEY. They visit one partition at a time, so
// that no lock is held for longer than one partition takes.

import { Prng } from '../../base/prng.js';
import { isWord, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, sessionCommand } from '../../dispatch/define.js';
import { type EntryRef, keyBytesOf, keyStartOf, Type, typeOf } from '../../keyspace/entry.js';
import type { Partition } from '../../keyspace/partition.js';
import { Bucketful, eachEntry, SCAN_STRIDE, walkStep } from '../../keyspace/scan.js';
import { SYNTAX } from '../../resp/errors.js';
import { NONE } from '../../slab/slab.js';
import { randomRef } from '../../structs/table.js';
import { Findings, readCursor, ScanOptions } from '../scan-options.js';

/** One visit walks so many buckets, some 1500 keys: the lock is held for about 100 µs. */
const STEPS_PER_VISIT = 256;

const TYPE = word('TYPE');
const TYPE_NAMES: readonly (readonly [Uint8Array, Type])[] = [
  [word('STRING'), Type.String],
  [word('LIST'), Type.List],
  [word('SET'), Type.Set],
  [word('ZSET'), Type.SortedSet],
  [word('HASH'), Type.Hash],
  [word('STREAM'), Type.Stream],
  [word('ARRAY'), Type.Array],
];
/** A name that no type has: nothing matches it. */
const NO_TYPE = -1;

/** What the running KEYS or SCAN looks for. Reused by all commands of a thread. */
class Search {
  readonly findings = new Findings();
  readonly options = new ScanOptions();
  type: number = Type.Any;
  /** Keys met and buckets left before SCAN stops. */
  sampled = 0;
  stepsLeft = 0;
  position = 0;

  begin(): void {
    this.findings.begin();
    this.options.begin();
    this.type = Type.Any;
    this.sampled = 0;
  }

  matches(context: Context, partition: Partition, entry: EntryRef): boolean {
    const { slab } = partition;
    const start = keyStartOf(slab, entry);
    return this.options.matches(context.args, slab.u8, start, keyBytesOf(slab, entry));
  }

  add(partition: Partition, entry: EntryRef): void {
    const { slab } = partition;
    this.findings.add(slab.u8, keyStartOf(slab, entry), keyBytesOf(slab, entry));
  }

  get isSated(): boolean {
    return this.sampled >= this.options.count || this.stepsLeft < 0;
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
  visits: true,
  run(context) {
    search.begin();
    search.options.readPattern(context.args, 1);

    const visitor = (partition: Partition): void => {
      eachEntry(partition, (_slab, ref) => {
        const entry = ref as EntryRef;
        if (!search.matches(context, partition, entry)) return;
        // Unlike SCAN, KEYS leaves expired keys where they are.
        if (!partition.isExpired(entry)) search.add(partition, entry);
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
    if (search.options.read(args, index)) continue;
    if (index + 1 < args.count && isWord(args, index, TYPE)) {
      search.type = readType(context, index + 1);
    } else {
      throw SYNTAX;
    }
  }
  search.stepsLeft = search.options.stepsMax;
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
  if (isWanted) search.add(partition, entry);
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
  visits: true,
  run(context) {
    const { args, keyspace, reply, session } = context;
    search.begin();
    const cursor = readCursor(args, 1);
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

    const next = index < partitions.length ? index * SCAN_STRIDE + search.position : 0;
    search.findings.endScan(reply, next);
  },
});

// ── RANDOMKEY ────────────────────────────────────────────────────────────────────────────────

/** Expired keys that one visit may meet and remove before it lets others at the partition. */
const EXPIRED_PER_VISIT = 100;

/** Expired keys that RANDOMKEY passes over while none of them may be removed. */
const KEPT_TRIES = 100;

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
  visits: true,
  run(context) {
    const { keyspace, reply, session } = context;
    const { partitions } = keyspace;
    let isFound = false;
    let keptTries = KEPT_TRIES;
    const visitor = (partition: Partition): void => {
      for (let expired = 0; expired < EXPIRED_PER_VISIT; expired++) {
        const entry = randomRef(partition.slab, partition.tableRoot, draw) as EntryRef;
        if (entry === NONE) return;
        // Kept while clients are paused: then one of them has to do, as in Redis.
        if (!partition.isExpired(entry) || (keyspace.keepsExpired && keptTries-- === 0)) {
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
