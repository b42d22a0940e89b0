// Suites about a full cache: with a quarter of the data as maxmemory and ten times the limit
// written, does the limit hold, what stays resident, and how many reads find their key?

import {
  type Bench,
  type Contestant,
  fillSpec,
  type LoadSpec,
  measure,
  pinLoad,
  planOf,
  type Sample,
  sampleOf,
  sendToAllKeys,
  serverChoices,
  specOf,
  startContestant,
} from './measure.js';
import type { Mix } from './mix.js';
import { readResidentBytes } from './process-usage.js';
import { ReplyKind } from './replies.js';
import type { Column, Figure, ResultTable, Row } from './report.js';
import type { MeasuredServer, ServerChoice } from './servers.js';
import type { Suite } from './suites.js';

const MIB = 2 ** 20;

/** The policies that Redis 7.2 has: both servers know them. */
const POLICIES = [
  'allkeys-lru',
  'allkeys-lfu',
  'allkeys-random',
  'volatile-lru',
  'volatile-lfu',
  'volatile-random',
  'volatile-ttl',
];
/** Least recently modified: only newer versions of Redis have these. */
const OWN_POLICIES = ['allkeys-lrm', 'volatile-lrm'];
/** Writes are refused, and what is measured is that the limit holds. */
const REFUSING = 'noeviction';
const TINY_POLICIES = ['allkeys-lru', 'volatile-ttl'];

/** Of the data, how much fits: a quarter. */
const DATA_SHARE = 4;
/** Redis alone takes a megabyte and more. */
const LIMIT_BYTES_MIN = 8 * MIB;
/** How many times the limit is written, and read. */
const TIMES_WRITTEN = 10;
const POLL_MS = 20;
const RUN_SECONDS_MAX = 600;

const COLUMNS: readonly Column[] = [
  { key: 'hitPercent', title: 'hits %', digits: 2, better: 'more', isCharted: true },
  { key: 'usedPercent', title: 'most used / limit %', digits: 2, better: 'less' },
  { key: 'residentRatio', title: '(RSS − base) / limit', digits: 3, better: 'less' },
  { key: 'baseMib', title: 'base MiB', digits: 0, better: 'less' },
  { key: 'writeP999Ms', title: 'writes p99.9 ms', digits: 3, better: 'less' },
  { key: 'p99Ms', title: 'p99 ms', digits: 3, better: 'less' },
  { key: 'throughput', title: 'commands/s', digits: 0, better: 'more', hasRatio: true },
];

function mixOf(name: string, lines: readonly [line: string, replies: number][]): Mix {
  return {
    name,
    entries: lines.map(([line, replies]) => ({
      command: { name: line.split(' ')[0]!, line, replies, fill: null, isOrderFree: false },
      weight: 1,
    })),
  };
}

const WRITE = 'SET key:{key} {value} EX 100000';
const READS_AND_WRITES = mixOf('GET and SET', [
  ['GET key:{key}', ReplyKind.Any],
  [WRITE, ReplyKind.Any],
]);
const WRITES = mixOf('SET', [[WRITE, ReplyKind.Any]]);

/** Each policy on a fresh server, all servers one after the other. */
export async function runEviction(bench: Bench, suite: Suite): Promise<ResultTable[]> {
  const { options } = bench;
  const limit = Math.max(LIMIT_BYTES_MIN, Math.floor((options.keys * options.size) / DATA_SHARE));
  const rows: Row[] = [];
  const known = options.isTiny ? TINY_POLICIES : [...POLICIES, ...OWN_POLICIES];
  for (const policy of [...known, REFUSING]) {
    for (const choice of serverChoices(options)) {
      if (OWN_POLICIES.includes(policy) && choice.name !== 'Flagstone') continue;
      const figures = await measurePolicy(bench, choice, policy, limit);
      rows.push({ label: policy, kind: policy, server: choice.name, figures });
      bench.progress.note(`${policy}: ${choice.name} ${figures.hitPercent} % hits`);
    }
  }
  const about =
    `${options.keys} keys of ${options.size} bytes, maxmemory ${Math.round(limit / MIB)} MiB, ` +
    `${options.distribution}, as many reads as writes`;
  return [{ title: suite.name, about, columns: COLUMNS, rows }];
}

async function measurePolicy(
  bench: Bench,
  choice: ServerChoice,
  policy: string,
  limit: number,
): Promise<Record<string, Figure>> {
  const { options } = bench;
  const extra = ['--maxmemory', `${limit}`, '--maxmemory-policy', policy];
  const contestant = await startContestant(bench, choice, options.threads, extra);
  const { server } = contestant;
  try {
    const base = residentOf(server);
    pinLoad(contestant);
    await fill(bench, contestant, policy);
    await server.control.ask('CONFIG', 'RESETSTAT');
    const plain = specOf(options, 'GET', options.pipelines[0]!);
    const count = options.count ?? Math.ceil((2 * TIMES_WRITTEN * limit) / options.size);
    const wanted = options.isTiny ? 4000 : count;
    const mixed = await watch(bench, contestant, {
      ...plain,
      ...{ mix: READS_AND_WRITES, count: wanted, seconds: null },
    });
    const stats = await server.control.info('stats');
    const hits = Number(stats.get('keyspace_hits'));
    const misses = Number(stats.get('keyspace_misses'));
    const wrote = { mix: WRITES, pipeline: 1, count: Math.ceil(wanted / 20), seconds: null };
    const isRefused = policy === REFUSING;
    const writes = isRefused ? null : await measure(bench, contestant, { ...plain, ...wrote });
    return {
      hitPercent: (100 * hits) / (hits + misses),
      usedPercent: (100 * mixed.usedBytes) / limit,
      residentRatio: (mixed.residentBytes - base) / limit,
      baseMib: base / MIB,
      writeP999Ms: writes?.p999Ms ?? null,
      p99Ms: mixed.sample.p99Ms,
      throughput: mixed.sample.throughput,
    };
  } finally {
    await server.stop();
  }
}

/** Every key once; where they do not fit, that they are refused is no failure. */
async function fill(bench: Bench, contestant: Contestant, policy: string): Promise<void> {
  const { keys } = bench.options;
  if (policy !== REFUSING) await sendToAllKeys(bench, contestant, WRITE, 0, keys);
  else await bench.crew.run(planOf(bench, contestant.server, fillSpec(bench, WRITE, 0, keys)));
}

interface Watched {
  readonly sample: Pick<Sample, 'p99Ms' | 'throughput'>;
  /** The most that was seen of used_memory, and of what is resident. */
  readonly usedBytes: number;
  readonly residentBytes: number;
}

/** Runs a load and looks at the server's memory all the while. */
async function watch(bench: Bench, { server }: Contestant, spec: LoadSpec): Promise<Watched> {
  const session = await bench.crew.open(planOf(bench, server, spec));
  let usedBytes = 0;
  let residentBytes = 0;
  let isOver = false;
  const untilMs = performance.now() + RUN_SECONDS_MAX * 1000;
  try {
    const running = session.run().finally(() => {
      isOver = true;
    });
    do {
      usedBytes = Math.max(usedBytes, await server.usedMemoryNow());
      residentBytes = Math.max(residentBytes, residentOf(server));
      if (performance.now() > untilMs) session.stop();
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    } while (!isOver);
    return { sample: sampleOf(await running), usedBytes, residentBytes };
  } finally {
    await session.close();
  }
}

function residentOf({ pid }: MeasuredServer): number {
  return pid === null ? 0 : (readResidentBytes(pid) ?? 0);
}
