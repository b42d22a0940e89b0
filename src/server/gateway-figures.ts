// The figures of the moment that the gateway's dashboard and metrics show.

import type { CommandFigures, Figures, PartitionFigures, WorkerFigures } from '../gateway/door.js';
import { Lookup } from '../keyspace/keyspace.js';
import { usedBytesOf } from '../slab/slab.js';
import { bucketLimit, HISTOGRAM_BUCKETS } from '../stats/commands.js';
import { Counter } from '../stats/server.js';
import type { Executor } from './executor.js';

const LIMITS_US: readonly number[] = Array.from({ length: HISTOGRAM_BUCKETS }, (_, bucket) =>
  bucketLimit(bucket),
);

/** What only the gateway knows. */
export interface GatewayFacts {
  readonly engine: string;
  readonly sockets: number;
}

export function collectFigures(executor: Executor, gateway: GatewayFacts): Figures {
  const { stats, clients, config, shape } = executor;
  const { facts } = shape;
  const nowMs = executor.clock.nowMs();
  const commandFigures = commandsOf(executor);
  const partitions = partitionsOf(executor);
  const usedMemory = executor.usedMemory();
  stats.notePeak(usedMemory, nowMs);
  return {
    time: nowMs,
    uptimeMs: Math.max(0, nowMs - facts.startedMs),
    version: facts.version,
    engine: gateway.engine,
    commands: sumOf(commandFigures, ({ calls }) => calls),
    connections: clients.count(),
    gatewayConnections: gateway.sockets,
    inputBytes: stats.total(Counter.InputBytes),
    outputBytes: stats.total(Counter.OutputBytes),
    hits: stats.lookup(Lookup.Hits),
    misses: stats.lookup(Lookup.Misses),
    expired: stats.lookup(Lookup.Expired),
    evicted: stats.total(Counter.Evicted),
    errors: stats.total(Counter.ErrorReplies),
    usedMemory,
    peakMemory: stats.peakBytes,
    residentBytes: process.memoryUsage.rss(),
    maxMemory: config.number('maxmemory'),
    keys: sumOf(partitions, ({ keys }) => keys),
    workers: threadsOf(executor),
    partitions,
    latency: { limitsUs: LIMITS_US, counts: addUp(commandFigures) },
    commandStats: commandFigures,
  };
}

function sumOf<Row>(rows: readonly Row[], of: (row: Row) => number): number {
  return rows.reduce((sum, row) => sum + of(row), 0);
}

function addUp(commands: readonly CommandFigures[]): number[] {
  const counts = new Array<number>(HISTOGRAM_BUCKETS).fill(0);
  for (const { histogram } of commands) {
    for (let bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
      counts[bucket] = counts[bucket]! + histogram[bucket]!;
    }
  }
  return counts;
}

function threadsOf({ shape, stats, clients, door }: Executor): WorkerFigures[] {
  const { threadCount, edges } = shape.facts;
  const rows: WorkerFigures[] = [];
  for (let thread = 0; thread < shape.executorCount; thread++) {
    rows.push({
      thread,
      kind: thread < threadCount ? 'worker' : edges[thread - threadCount]!,
      connections: clients.count(thread),
      commands: door.commandStats.callsIn(thread),
      microseconds: door.commandStats.microsecondsIn(thread),
      cpuUserUs: stats.of(thread, Counter.CpuUserUs),
      cpuSystemUs: stats.of(thread, Counter.CpuSystemUs),
      turns: stats.of(thread, Counter.EventLoopTurns),
      inputBytes: stats.of(thread, Counter.InputBytes),
      outputBytes: stats.of(thread, Counter.OutputBytes),
    });
  }
  return rows;
}

function partitionsOf({ keyspace, shape }: Executor): PartitionFigures[] {
  const capacityBytes = shape.facts.partitionBytes;
  return keyspace.partitions.map((partition) => {
    let keys = 0;
    for (let database = 0; database < keyspace.databaseCount; database++) {
      keys += partition.countOf(database);
    }
    return { keys, usedBytes: usedBytesOf(partition.slab), capacityBytes };
  });
}

function commandsOf({ runner, door }: Executor): CommandFigures[] {
  const rows: CommandFigures[] = [];
  for (const { id, fullName } of runner.table.all) {
    const { calls, microseconds, rejected, failed, histogram } = door.commandStats.totals(id);
    if (calls + rejected + failed === 0) continue;
    const counts = [...histogram];
    rows.push({ name: fullName, calls, microseconds, rejected, failed, histogram: counts });
  }
  return rows;
}
