// One measurement: a load against one server, with what the server used for it.

import { cpus } from 'node:os';
import { parseAddress } from './control.js';
import { Histogram } from './histogram.js';
import { type Distribution, parseDistribution } from './keys.js';
import type { LoadPlan, LoadResult } from './load.js';
import type { LoadCrew } from './load-threads.js';
import { type CorePlan, findProgram, pinThisProcess, planCores } from './machine.js';
import { fillLines, type Mix, parseMix } from './mix.js';
import type { Options } from './options.js';
import type { Progress } from './progress.js';
import { runRedisBenchmark } from './redis-benchmark.js';
import { ReplyKind } from './replies.js';
import { median } from './report.js';
import {
  flagstoneChoice,
  type MeasuredServer,
  redisChoice,
  type ServerChoice,
  startServer,
} from './servers.js';

const NS_PER_MS = 1e6;
const MIB = 2 ** 20;

/** What every suite is given. */
export interface Bench {
  readonly options: Options;
  readonly progress: Progress;
  readonly crew: LoadCrew;
  readonly failures: string[];
}

/** A server that is measured, and where it and its load run. */
export interface Contestant {
  readonly server: MeasuredServer;
  readonly cores: CorePlan;
}

/** What is sent in one measurement. */
export interface LoadSpec {
  readonly mix: Mix;
  readonly pipeline: number;
  readonly keys: number;
  readonly distribution: Distribution;
  readonly count: number | null;
  readonly seconds: number | null;
  readonly connections: number;
  readonly seed: number;
  /** Whom the connections log in as; without one they stay the default user. */
  readonly user?: LoadUser;
}

export interface LoadUser {
  readonly name: string;
  readonly password: string;
}

export interface Sample {
  readonly commands: number;
  readonly throughput: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  /** Processor time of the server for each command, in microseconds. */
  readonly cpuUs: number;
  readonly residentMib: number;
  /** Of replies; null where the tool does not look at them. */
  readonly checksum: number | null;
}

/** What the load alone can tell. */
export type LoadSample = Omit<Sample, 'cpuUs' | 'residentMib'>;

export function serverChoices(options: Options): ServerChoice[] {
  if (options.targets.length > 0) return options.targets.map(targetChoice);
  const redis = options.isRedisWanted ? redisChoice(options.redisCommand) : null;
  const flagstone = flagstoneChoice(options.flagstoneCommand);
  return redis === null ? [flagstone] : [flagstone, redis];
}

/** Starts a server on the cores that are its own. Only Flagstone has worker threads to count. */
export async function startContestant(
  bench: Bench,
  choice: ServerChoice,
  threads: number,
  extra: readonly string[] = [],
): Promise<Contestant> {
  const { options, progress } = bench;
  const used = choice.name === 'Flagstone' ? threads : 1;
  const canPin = options.isPinned && findProgram('taskset') !== null && choice.command !== null;
  const cores = planCores(cpus().length, used, canPin);
  if (cores.server === null) pinThisProcess(null); // a child would inherit the load's cores
  progress.note(choice.command === null ? `joining ${choice.name}` : `starting ${choice.name}`);
  const server = await startServer(choice, { threads, cores: cores.server, extra });
  if (choice.command === null && (await server.control.askNumber('DBSIZE')) > 0) {
    await server.stop();
    throw new Error(`${choice.name} holds keys: only an empty server is measured and flushed`);
  }
  return { server, cores };
}

export async function stopAll(contestants: readonly Contestant[]): Promise<void> {
  await Promise.all(contestants.map((contestant) => contestant.server.stop()));
}

export function specOf(options: Options, mix: string, pipeline: number): LoadSpec {
  return {
    mix: parseMix(mix),
    pipeline,
    keys: options.keys,
    distribution: parseDistribution(options.distribution),
    count: options.count,
    seconds: options.count === null ? options.seconds : null,
    connections: options.connections,
    seed: options.seed,
  };
}

export function planOf(bench: Bench, server: MeasuredServer, spec: LoadSpec): LoadPlan {
  const { host, port, greeting } = server.address;
  const { mix, pipeline, keys, distribution, count, seconds, connections, seed, user } = spec;
  const { size } = bench.options;
  const login = user === undefined ? [] : [['AUTH', user.name, user.password]];
  return {
    ...{
      host,
      port,
      connections,
      greeting: [...greeting, ...login],
      pipeline,
      keys,
      size,
      distribution,
    },
    ...{ entries: mix.entries, seed, count, seconds },
  };
}

/** Runs one load and notes every wrong reply as a failure. */
export async function measure(
  bench: Bench,
  contestant: Contestant,
  spec: LoadSpec,
): Promise<Sample> {
  pinLoad(contestant);
  if (bench.options.tool === 'redis-benchmark') return measureNative(bench, contestant, spec);
  const { server } = contestant;
  const session = await bench.crew.open(planOf(bench, server, spec));
  try {
    const before = await server.usage();
    const result = await session.run();
    const after = await server.usage();
    noteFailures(bench, server, spec, result);
    return {
      ...sampleOf(result),
      cpuUs: (after.cpuNs - before.cpuNs) / 1000 / result.commands,
      residentMib: after.residentBytes / MIB,
    };
  } finally {
    await session.close();
  }
}

export function sampleOf(result: LoadResult): LoadSample {
  const latency = new Histogram();
  latency.merge(result.latency);
  const at = (percent: number) => latency.percentile(percent) / NS_PER_MS;
  return {
    commands: result.commands,
    throughput: result.commands / (result.elapsedMs / 1000),
    p50Ms: at(50),
    p99Ms: at(99),
    p999Ms: at(99.9),
    maxMs: latency.max() / NS_PER_MS,
    checksum: result.checksum,
  };
}

/** Fills a server with what a mix reads, each key once. */
export async function fillFor(bench: Bench, contestant: Contestant, spec: LoadSpec): Promise<void> {
  pinLoad(contestant);
  for (const line of fillLines(spec.mix)) {
    bench.progress.note(`${contestant.server.name}: filling ${spec.keys} keys`);
    await sendToAllKeys(bench, contestant, line, 0, spec.keys);
  }
}

/** Sends a line once for each key in [first, end). */
export async function sendToAllKeys(
  bench: Bench,
  contestant: Contestant,
  line: string,
  first: number,
  end: number,
): Promise<LoadResult> {
  const spec = fillSpec(bench, line, first, end);
  const result = await bench.crew.run(planOf(bench, contestant.server, spec));
  noteFailures(bench, contestant.server, spec, result);
  return result;
}

export function fillSpec(bench: Bench, line: string, first: number, end: number): LoadSpec {
  const command = {
    ...{ name: 'fill', line, replies: ReplyKind.Any },
    ...{ fill: null, isOrderFree: true },
  };
  return {
    mix: { name: `fill (${line})`, entries: [{ command, weight: 1 }] },
    pipeline: 64,
    keys: end,
    distribution: { kind: 'sequential', first, step: 1 },
    count: end - first,
    seconds: null,
    connections: Math.min(bench.options.connections, 16),
    seed: bench.options.seed,
  };
}

/** The median of each figure; the checksums of all rounds as one text. */
export function medianFigures(samples: readonly Sample[]): Record<string, number | string | null> {
  const middle = (pick: (sample: Sample) => number) => median(samples.map(pick));
  const checksums = samples.map((sample) => sample.checksum);
  const sum = checksums.reduce<number>((total, checksum) => total + (checksum ?? 0), 0);
  return {
    throughput: middle((sample) => sample.throughput),
    p50Ms: middle((sample) => sample.p50Ms),
    p99Ms: middle((sample) => sample.p99Ms),
    p999Ms: middle((sample) => sample.p999Ms),
    maxMs: middle((sample) => sample.maxMs),
    cpuUs: middle((sample) => sample.cpuUs),
    residentMib: middle((sample) => sample.residentMib),
    checksum: checksums.includes(null) ? null : hex(sum),
  };
}

/** The median and the 99th percentile of times in milliseconds, which it sorts. */
export function timesOf(times: number[]): Record<string, number | null> {
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor(times.length * share)] ?? null;
  return { p50Ms: at(0.5), p99Ms: at(0.99), count: times.length };
}

export function describeCores({ cores }: Contestant): string {
  if (cores.server === null) return 'nothing pinned to cores';
  return `server on core ${cores.server}, load on core ${cores.load}`;
}

export function hex(checksum: number): string {
  return (checksum % 2 ** 32).toString(16).padStart(8, '0');
}

export function pinLoad(contestant: Contestant): void {
  if (contestant.cores.load !== null) pinThisProcess(contestant.cores.load);
}

export function noteFailures(
  bench: Bench,
  server: MeasuredServer,
  spec: LoadSpec,
  result: LoadResult,
): void {
  const who = `${server.name}, ${spec.mix.name}`;
  for (const [text, count] of result.errorTexts) {
    bench.failures.push(`${who}: ${count} error replies: ${text}`);
  }
  if (result.wrongTypes > 0) {
    bench.failures.push(`${who}: ${result.wrongTypes} replies of a wrong type`);
  }
  if (result.unexpected > 0) {
    bench.failures.push(`${who}: ${result.unexpected} replies that nobody asked for`);
  }
}

// A first short run warms the server and tells how many commands fill the time wanted.
const NATIVE_TRIAL_COUNT = 20_000;

async function measureNative(
  bench: Bench,
  contestant: Contestant,
  spec: LoadSpec,
): Promise<Sample> {
  const { server } = contestant;
  const { host, port } = server.address;
  const { mix, pipeline, keys, connections, user } = spec;
  const common = {
    ...{ host, port, connections, pipeline, keys, size: bench.options.size, mix },
    ...(user === undefined ? {} : { user }),
  };
  let count = spec.count;
  if (count === null) {
    const trial = await runRedisBenchmark({
      ...common,
      count: bench.options.isTiny ? 1000 : NATIVE_TRIAL_COUNT,
    });
    count = Math.max(1000, Math.round(trial.throughput * (spec.seconds ?? 1)));
  }
  const before = await server.usage();
  const result = await runRedisBenchmark({ ...common, count });
  const after = await server.usage();
  return {
    ...result,
    cpuUs: (after.cpuNs - before.cpuNs) / 1000 / result.commands,
    residentMib: after.residentBytes / MIB,
    checksum: null,
  };
}

function targetChoice(text: string, index: number): ServerChoice {
  const named = /^(\w+)=(.*)$/.exec(text);
  const name = named?.[1] ?? (index === 0 ? 'target' : `target ${index + 1}`);
  return { name, command: null, address: parseAddress(named?.[2] ?? text) };
}
