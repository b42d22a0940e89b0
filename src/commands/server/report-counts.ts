// INFO's sections whose fields depend on what there is: commands, errors, databases, threads and
// partitions.

import { Prng, seedFromEntropy } from '../../base/prng.js';
import type { Context } from '../../dispatch/context.js';
import { type EntryRef, expiryOf } from '../../keyspace/entry.js';
import type { Partition } from '../../keyspace/partition.js';
import { freePagesOf, heldBytesOf, PAGE_BYTES } from '../../slab/alloc.js';
import { inspectLock } from '../../slab/lock.js';
import { Header, usedBytesOf } from '../../slab/slab.js';
import { bucketLimit, type CommandTotals, HISTOGRAM_BUCKETS } from '../../stats/commands.js';
import { Counter } from '../../stats/server.js';
import { randomRef } from '../../structs/table.js';
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

/** So many keys are drawn, from so many partitions, to estimate the mean time to live. */
const TTL_DRAWS = 16;
const TTL_PARTITIONS = 8;

const prng = new Prng(seedFromEntropy());
const draw = (below: number) => prng.below(below);

/** An estimate from keys drawn by chance, as Redis's is. */
function meanTtl(context: Context, database: number): number {
  const { nowMs } = context;
  let sum = 0;
  let count = 0;
  const sample = ({ slab, tableRoot }: Partition) => {
    for (let drawn = 0; drawn < TTL_DRAWS; drawn++) {
      const entry = randomRef(slab, tableRoot, draw) as EntryRef;
      if (entry === 0) return;
      const expiry = expiryOf(slab, entry);
      if (expiry <= nowMs) continue;
      sum += expiry - nowMs;
      count++;
    }
  };
  let visited = 0;
  for (const partition of context.keyspace.partitions) {
    if (partition.volatileCountOf(database) === 0) continue;
    context.visitDatabase(partition.index, database, sample);
    visited++;
    if (visited === TTL_PARTITIONS) break;
  }
  return count === 0 ? 0 : Math.round(sum / count);
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
    ...Array.from({ length: facts.threadCount }, (_, thread) => threadField(context, thread)),
    ...partitions.map((partition) => partitionField(context, partition)),
  ];
}

function threadField(context: Context, thread: number): InfoField {
  const { clients, stats } = context.server;
  const text =
    `clients=${clients.count(thread)},` +
    `connections=${stats.of(thread, Counter.ConnectionsReceived)},` +
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
    `free=${freePagesOf(slab) * PAGE_BYTES},contentions=${lock.contentions},` +
    `lock_waited_ms=${lock.waitedMs.toFixed(3)}`;
  return [`partition${partition.index}`, text];
}
