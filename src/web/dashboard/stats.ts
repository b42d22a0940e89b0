// What GATEWAY STATS says, each second, and what follows from two answers: rates and percentiles.

import type { Value } from '../../client/index.js';
import { db, explain, link } from './link.js';
import { Store } from './store.js';

export interface WorkerStats {
  readonly thread: number;
  readonly kind: string;
  readonly connections: number;
  readonly commands: number;
  readonly cpuUserUs: number;
  readonly cpuSystemUs: number;
}

export interface PartitionStats {
  readonly keys: number;
  readonly usedBytes: number;
  readonly capacityBytes: number;
}

export interface CommandStats {
  readonly name: string;
  readonly calls: number;
  readonly microseconds: number;
  readonly rejected: number;
  readonly failed: number;
  readonly histogram: readonly number[];
}

export interface Stats {
  readonly time: number;
  readonly uptimeMs: number;
  readonly version: string;
  readonly engine: string;
  readonly commands: number;
  readonly connections: number;
  readonly gatewayConnections: number;
  readonly inputBytes: number;
  readonly outputBytes: number;
  readonly hits: number;
  readonly misses: number;
  readonly expired: number;
  readonly evicted: number;
  readonly errors: number;
  readonly usedMemory: number;
  readonly peakMemory: number;
  readonly residentBytes: number;
  readonly maxMemory: number;
  readonly keys: number;
  readonly workers: readonly WorkerStats[];
  readonly partitions: readonly PartitionStats[];
  readonly latency: { readonly limitsUs: readonly number[]; readonly counts: readonly number[] };
  readonly commandStats: readonly CommandStats[];
}

/** One second of the past. A missing number is a gap in the line. */
export interface Sample {
  readonly time: number;
  readonly opsPerSecond: number;
  readonly inputPerSecond: number;
  readonly outputPerSecond: number;
  readonly p50: number | null;
  readonly p99: number | null;
  readonly p999: number | null;
  readonly hitRatio: number | null;
  readonly usedMemory: number;
  readonly residentBytes: number;
  readonly workerCpu: readonly number[];
  readonly workerOps: readonly number[];
}

export interface StatsState {
  readonly last: Stats | null;
  readonly before: Stats | null;
  readonly samples: readonly Sample[];
  readonly error: string | null;
}

const POLL_MS = 1_000;
/** Five minutes. */
const SAMPLES_MAX = 300;

export const stats = new Store<StatsState>({ last: null, before: null, samples: [], error: null });

/** Maps of replies become plain objects: their keys are names that both sides know. */
export function plain(value: Value): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (!(value instanceof Map)) return value;
  return Object.fromEntries([...value].map(([key, each]) => [String(key), plain(each)]));
}

/** Asks until the page goes away. Hidden pages do not ask. */
export function startStats(): () => void {
  let isAsking = false;
  const ask = async (): Promise<void> => {
    if (isAsking || document.hidden || link.value.state !== 'ready') return;
    isAsking = true;
    try {
      add(plain(await db().send('GATEWAY', 'STATS')) as Stats);
    } catch (error) {
      stats.set({ ...stats.value, error: explain(error) });
    }
    isAsking = false;
  };
  const timer = setInterval(ask, POLL_MS);
  const stopListening = link.listen(ask);
  ask();
  return () => {
    clearInterval(timer);
    stopListening();
  };
}

function add(next: Stats): void {
  const { last, samples } = stats.value;
  // A server that has begun anew counts from zero.
  const isContinued = last !== null && next.uptimeMs >= last.uptimeMs && next.time > last.time;
  if (!isContinued) {
    stats.set({ last: next, before: null, samples, error: null });
    return;
  }
  const kept = samples.slice(-SAMPLES_MAX + 1);
  stats.set({ last: next, before: last, samples: [...kept, sampleOf(last, next)], error: null });
}

function sampleOf(before: Stats, after: Stats): Sample {
  const secondsBetween = Math.max(0.001, (after.time - before.time) / 1000);
  const rate = (from: number, to: number): number => Math.max(0, to - from) / secondsBetween;
  const counts = difference(before.latency.counts, after.latency.counts);
  const at = (share: number): number | null => percentile(after.latency.limitsUs, counts, share);
  const hits = after.hits - before.hits;
  const misses = after.misses - before.misses;
  const pairs = after.workers.map(
    (worker, index) => [before.workers[index] ?? worker, worker] as const,
  );
  return {
    time: after.time,
    opsPerSecond: rate(before.commands, after.commands),
    inputPerSecond: rate(before.inputBytes, after.inputBytes),
    outputPerSecond: rate(before.outputBytes, after.outputBytes),
    p50: at(0.5),
    p99: at(0.99),
    p999: at(0.999),
    hitRatio: hits + misses > 0 ? hits / (hits + misses) : null,
    usedMemory: after.usedMemory,
    residentBytes: after.residentBytes,
    workerCpu: pairs.map(([from, to]) => rate(cpuOf(from), cpuOf(to)) / 1e6),
    workerOps: pairs.map(([from, to]) => rate(from.commands, to.commands)),
  };
}

function cpuOf(worker: WorkerStats): number {
  return worker.cpuUserUs + worker.cpuSystemUs;
}

export function difference(before: readonly number[], after: readonly number[]): number[] {
  return after.map((value, index) => Math.max(0, value - (before[index] ?? 0)));
}

/** The time below which a share of the commands took, within its step of the histogram. */
export function percentile(
  limits: readonly number[],
  counts: readonly number[],
  share: number,
): number | null {
  const total = counts.reduce((sum, each) => sum + each, 0);
  if (total === 0) return null;
  let left = total * share;
  for (let step = 0; step < counts.length; step++) {
    const inStep = counts[step]!;
    const upper = limits[step] ?? limits.at(-1) ?? 0;
    const lower = step === 0 ? 0 : limits[step - 1]!;
    if (inStep > 0 && left <= inStep) return lower + ((upper - lower) * left) / inStep;
    left -= inStep;
  }
  return limits.at(-1) ?? null;
}
