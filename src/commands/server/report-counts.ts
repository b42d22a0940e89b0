// INFO's sections whose fields depend on what there is: commands, errors, databases, threads and
// partitions.

import type { Context } from '../../dispatch/context.js';
import { meanExpiry } from '../../keyspace/expire.js';
import type { Partition } from '../../keyspace/partition.js';
import { freePagesOf, heldBytesOf, PAGE_BYTES } from '../../slab/alloc.js';
import { inspectLock } from '../../slab/lock.js';
import { Header, usedBytesOf } from '../../slab/slab.js';
import { bucketLimit, type CommandTotals, HISTOGRAM_BUCKETS } from '../../stats/commands.js';
import { Counter } from '../../stats/server.js';
import type { InfoField } from './report.js';

export function commandStats(context: Context): readonly InfoField[] {
  const { commandStats: perCommand, table } = context.server;
  return table.all.flatMap((command): InfoField[] => {
    const { calls, microseconds, rejected, failed } = perCommand.totals(command.id);
    if (calls === 0 && rejected === 0 && failed === 0) return [];
    const perCall = calls === 0 ? 0 : microseconds / calls;
    const text =
      `calls=${calls},usec=${Math.round(microseconds)},usec_per_call=${perCall.toFixed(2)},` +
      `rejected_calls=${rejected},failed_calls=${failed}`;
    return [[`cmdstat_${command.fullName}`, text]];
  });
}

/** A script may put anything into an error's code: what would break the lines is replaced. */
export function errorStats(context: Context): readonly InfoField[] {
  return context.server.stats
    .errors()
    .map(([code, count]) => [`errorstat_${code.replace(/[#:\r\n]/g, '_')}`, `count=${count}`]);
}

export function latencyStats(context: Context): readonly InfoField[] {
  const { commandStats: perCommand, config, table } = context.server;
  if (!config.flag('latency-tracking')) return [];
  const percentiles = config.list('latency-tracking-info-percentiles');
  return table.all.flatMap((command): InfoField[] => {
    const totals = perCommand.totals(command.id);
    const counted = totals.histogram.reduce((sum, count) => sum + count, 0);
    if (counted === 0) return [];
    const values = percentiles.map(
      (text) => `p${text}=${valueAt(totals, counted, Number(text)).toFixed(3)}`,
    );
    return [[`latency_percentiles_usec_${command.fullName}`, values.join(',')]];
  });
}

/** The upper bound of the bucket that the percentile falls into. */
function valueAt(totals: CommandTotals, counted: number, percentile: number): number {
  const wanted = Math.max(1, Math.ceil((counted * percentile) / 100));
  let seen = 0;
  for (let bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
    seen += totals.histogram[bucket]!;
    if (seen >= wanted) return bucketLimit(bucket);
  }
  return bucketLimit(HISTOGRAM_BUCKETS - 1);
}

export function keyspaceCounts(context: Context): readonly InfoField[] {
  const fields: InfoField[] = [];
  for (let database = 0; database < context.keyspace.databaseCount; database++) {
    let keys = 0;
    let volatileKeys = 0;
    for (const partition of context.keyspace.partitions) {
      keys += partition.countOf(database);
      volatileKeys += partition.volatileCountOf(database);
    }
    if (keys === 0 && volatileKeys === 0) continue;
    const ttl = volatileKeys === 0 ? 0 : meanTtl(context, database);
    fields.push([`db${database}`, `keys=${keys},expires=${volatileKeys},avg_ttl=${ttl}`]);
  }
  return fields;
}

/** What remains of the time to live of the keys that have one, on average, in milliseconds. */
function meanTtl(context: Context, database: number): number {
  let sum = 0;
  let count = 0;
  for (const partition of context.keyspace.partitions) {
    const here = partition.volatileCountOf(database);
    if (here === 0) continue;
    context.visitDatabase(partition.index, database, ({ slab, expiryRoot }) => {
      sum += meanExpiry(slab, expiryRoot) * here;
      count += here;
    });
  }
  return count === 0 ? 0 : Math.max(0, Math.round(sum / count - context.nowMs));
}

/** What only this server has: a line for each thread and for each partition. */
export function flagstone(context: Context): readonly InfoField[] {
  const { facts, threadIndex } = context.server;
  const { partitions } = context.keyspace;
  const used = partitions.map((partition) => usedBytesOf(partition.slab));
  const total = used.reduce((sum, bytes) => sum + bytes, 0);
  const most = used.reduce((largest, bytes) => Math.max(largest, bytes), 0);
  const mean = total / partitions.length;
  return [
    ['flagstone_version', facts.version],
    ['transport', facts.transport],
    ['threads', facts.threadCount],
    ['answering_thread', threadIndex],
    ['partitions', partitions.length],
    ['partition_bytes', facts.partitionBytes],
    ['partition_fill_max_perc', ((most * 100) / facts.partitionBytes).toFixed(2)],
    ['partition_fill_mean_perc', ((mean * 100) / facts.partitionBytes).toFixed(2)],
    ['partition_skew', (mean === 0 ? 1 : most / mean).toFixed(2)],
    ...workers(context),
    ...partitionRows(context),
  ];
}

/** A line for each thread that executes commands. */
export function workers(context: Context): readonly InfoField[] {
  const { facts } = context.server;
  return Array.from({ length: facts.threadCount + facts.edges.length }, (_, thread) =>
    threadField(context, thread),
  );
}

export function partitionRows(context: Context): readonly InfoField[] {
  return context.keyspace.partitions.map((partition) => partitionField(context, partition));
}

function threadField(context: Context, thread: number): InfoField {
  const { clients, commandStats, stats, facts } = context.server;
  const edge = facts.edges[thread - facts.threadCount];
  const text =
    `${edge === undefined ? '' : `kind=${edge},`}clients=${clients.count(thread)},` +
    `connections=${stats.of(thread, Counter.ConnectionsReceived)},` +
    `commands=${commandStats.callsIn(thread)},` +
    `input_bytes=${stats.of(thread, Counter.InputBytes)},` +
    `output_bytes=${stats.of(thread, Counter.OutputBytes)},` +
    `turns=${stats.of(thread, Counter.EventLoopTurns)},` +
    `cpu_user_us=${Math.round(stats.of(thread, Counter.CpuUserUs))},` +
    `cpu_sys_us=${Math.round(stats.of(thread, Counter.CpuSystemUs))}`;
  return [`thread${thread}`, text];
}

function partitionField(context: Context, partition: Partition): InfoField {
  const { slab } = partition;
  let keys = 0;
  let volatileKeys = 0;
  for (let database = 0; database < context.keyspace.databaseCount; database++) {
    keys += partition.countOf(database);
    volatileKeys += partition.volatileCountOf(database);
  }
  const lock = inspectLock(slab.i32, Header.Lock);
  const text =
    `keys=${keys},expires=${volatileKeys},used=${usedBytesOf(slab)},held=${heldBytesOf(slab)},` +
    `free=${freePagesOf(slab) * PAGE_BYTES},visits=${lock.takes >>> 0},` +
    `contentions=${lock.contentions},` +
    `lock_waited_ms=${lock.waitedMs.toFixed(3)}`;
  return [`partition${partition.index}`, text];
}
