// The server's commands about whole databases: emptying, counting and swapping them.

import { isWord, readIntegerIn, word } from '../dispatch/args.js';
import type { Context } from '../dispatch/context.js';
import { type CommandSpec, everyCommand, Flag, sessionCommand } from '../dispatch/define.js';
import { flushDatabase, flushPartition, swapDatabases } from '../keyspace/flush.js';
import { DATABASE_OUT_OF_RANGE, Refusal, SYNTAX } from '../resp/errors.js';

const INT_MIN = -(2 ** 31);
const INT_MAX = 2 ** 31 - 1;
const INVALID_FIRST = new Refusal('ERR invalid first DB index');
const INVALID_SECOND = new Refusal('ERR invalid second DB index');
const SYNC = word('SYNC');
const ASYNC = word('ASYNC');

function readIsAsync(context: Context): boolean {
  const { args } = context;
  if (args.count === 1) return context.server.config.flag('lazyfree-lazy-user-flush');
  if (args.count === 2 && isWord(args, 1, ASYNC)) return true;
  if (args.count === 2 && isWord(args, 1, SYNC)) return false;
  throw SYNTAX;
}

function countKeys(context: Context, database: number): number {
  let count = 0;
  for (const partition of context.keyspace.partitions) count += partition.countOf(database);
  return count;
}

/** Counts `removed` keys as changes. A flush is recorded even where there was nothing to remove. */
function recordFlush(context: Context, removed: number): void {
  context.effects.dirty += Math.max(1, removed);
}

const flushall = everyCommand({
  name: 'flushall',
  arity: -1,
  group: 'server',
  since: '1.0.0',
  summary: 'Removes all keys of all databases.',
  cost: 'O(1) for each partition.',
  flags: Flag.Write,
  syntax: '[<ASYNC | SYNC>]',
  categories: ['@keyspace', '@dangerous'],
  tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
  history: [
    ['4.0.0', 'Takes the option ASYNC.'],
    ['6.2.0', 'Takes the option SYNC.'],
  ],
  run(context) {
    // Emptied partitions are reset at once: it does not matter which of the two was asked for.
    if (context.args.count > 1) readIsAsync(context);
    const { databaseCount, partitions } = context.keyspace;
    let removed = 0;
    for (let database = 0; database < databaseCount; database++) {
      removed += countKeys(context, database);
    }

    context.server.tracking.beginFlush();
    for (const partition of partitions) {
      flushPartition(partition);
      partition.select(context.session.database);
    }
    context.server.tracking.endFlush();
    recordFlush(context, removed);
    context.server.saving.wishAfterFlush();
    context.server.wakeMain();

    context.reply.ok();
  },
});

const flushdb = everyCommand({
  name: 'flushdb',
  arity: -1,
  group: 'server',
  since: '1.0.0',
  summary: 'Removes all keys of the selected database.',
  cost: 'O(N) for N keys where other databases have keys too, O(1) where not.',
  flags: Flag.Write,
  syntax: '[<ASYNC | SYNC>]',
  categories: ['@keyspace', '@dangerous'],
  tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
  history: [
    ['4.0.0', 'Takes the option ASYNC.'],
    ['6.2.0', 'Takes the option SYNC.'],
  ],
  run(context) {
    const isAsync = readIsAsync(context);
    const { database } = context.session;
    const removed = countKeys(context, database);

    context.server.tracking.beginFlush();
    for (const partition of context.keyspace.partitions) {
      flushDatabase(partition, database, isAsync);
      partition.select(database);
    }
    context.server.tracking.endFlush();
    recordFlush(context, removed);

    context.reply.ok();
  },
});

const dbsize = sessionCommand({
  name: 'dbsize',
  arity: 1,
  group: 'server',
  since: '1.0.0',
  summary: 'Counts the keys of the selected database.',
  cost: 'O(1)',
  flags: Flag.Read | Flag.Fast,
  categories: ['@keyspace'],
  tips: ['request_policy:all_shards', 'response_policy:agg_sum'],
  run(context) {
    context.reply.integer(countKeys(context, context.session.database));
  },
});

const swapdb = everyCommand({
  name: 'swapdb',
  arity: 3,
  group: 'server',
  since: '4.0.0',
  summary: 'Swaps two databases: every connection sees the keys of the other one.',
  cost: 'O(1), and O(N) for N keys while connections watch or cache keys.',
  flags: Flag.Write | Flag.Fast,
  syntax: 'index1 index2',
  categories: ['@keyspace', '@dangerous'],
  run(context) {
    const { args, keyspace } = context;
    const first = readIntegerIn(args, 1, INT_MIN, INT_MAX, INVALID_FIRST, INVALID_FIRST);
    const second = readIntegerIn(args, 2, INT_MIN, INT_MAX, INVALID_SECOND, INVALID_SECOND);
    const { databaseCount, partitions } = keyspace;
    const isInside = first >= 0 && first < databaseCount && second >= 0 && second < databaseCount;
    if (!isInside) throw DATABASE_OUT_OF_RANGE;

    for (const partition of partitions) {
      swapDatabases(partition, first, second);
      partition.select(context.session.database);
    }
    context.effects.dirty++;

    context.reply.ok();
  },
});

export const serverKeyspaceCommands: readonly CommandSpec[] = [flushall, flushdb, dbsize, swapdb];
