// Suites about what reaches the disk: the price of the log, snapshots while clients write, and how
// soon a server is back.

import {
  type Bench,
  type Contestant,
  type LoadSample,
  type LoadSpec,
  measure,
  medianFigures,
  noteFailures,
  pinLoad,
  planOf,
  type Sample,
  sampleOf,
  sendToAllKeys,
  serverChoices,
  specOf,
  startContestant,
  stopAll,
} from './measure.js';
import { readResidentBytes } from './process-usage.js';
import type { Column, Figure, ResultTable, Row } from './report.js';
import { type MeasuredServer, restartServer } from './servers.js';
import type { Suite } from './suites.js';
import { LOAD_COLUMNS } from './throughput.js';

const MIB = 2 ** 20;

// ── The log ──────────────────────────────────────────────────────────────────────────────────

const POLICIES = [
  { policy: 'no log', extra: [], pipeline: 32 },
  { policy: 'everysec', extra: ['--appendonly', 'yes', '--appendfsync', 'everysec'], pipeline: 32 },
  { policy: 'always', extra: ['--appendonly', 'yes', '--appendfsync', 'always'], pipeline: 1 },
] as const;

/** SET with each policy: all servers of a policy are alive at the same time. */
export async function runLog(bench: Bench, suite: Suite): Promise<ResultTable[]> {
  const { options } = bench;
  const rows: Row[] = [];
  for (const { policy, extra, pipeline } of POLICIES) {
    const contestants: Contestant[] = [];
    try {
      for (const choice of serverChoices(options)) {
        contestants.push(await startContestant(bench, choice, options.threads, extra));
      }
      const spec = specOf(options, 'SET', pipeline);
      const samples = contestants.map(() => [] as Sample[]);
      for (let round = 0; round <= options.rounds; round++) {
        for (const [index, contestant] of contestants.entries()) {
          const sample = await measure(bench, contestant, { ...spec, seed: spec.seed + round });
          // Round 0 warms up.
          if (round > 0) samples[index]!.push(sample);
          const { name } = contestant.server;
          bench.progress.note(`${policy}: round ${round}, ${name} ${sample.cpuUs.toFixed(3)} µs`);
        }
      }
      for (const [index, { server }] of contestants.entries()) {
        const label = `SET -P ${pipeline}, ${policy}`;
        const figures = medianFigures(samples[index]!);
        rows.push({ label, kind: label, server: server.name, figures });
      }
    } finally {
      await stopAll(contestants);
    }
  }
  const about = `${options.connections} connections, median of ${options.rounds} round(s)`;
  return [{ title: suite.name, about, columns: LOAD_COLUMNS, rows }];
}

// ── A snapshot ───────────────────────────────────────────────────────────────────────────────

const SNAPSHOT_COLUMNS: readonly Column[] = [
  { key: 'seconds', title: 's', digits: 2, better: 'less' },
  { key: 'mibPerSecond', title: 'MiB/s', digits: 0, better: 'more', hasRatio: true },
  { key: 'quietP99Ms', title: 'p99 ms before', digits: 3, better: 'less' },
  { key: 'p99Ms', title: 'p99 ms during', digits: 3, better: 'less', isCharted: true },
  { key: 'p999Ms', title: 'p99.9 ms during', digits: 3, better: 'less' },
  { key: 'maxMs', title: 'max ms during', digits: 1, better: 'less' },
  { key: 'residentRatio', title: 'RSS during / before', digits: 3, better: 'less' },
  { key: 'throughput', title: 'commands/s during', digits: 0, better: 'more' },
];

const POLL_MS = 20;
const SNAPSHOT_SECONDS_MAX = 300;
const QUIET_SECONDS = 5;

/** BGSAVE of a full server while the mix of the options runs as fast as it can. */
export async function runSnapshot(bench: Bench, suite: Suite): Promise<ResultTable[]> {
  const { options } = bench;
  const rows: Row[] = [];
  for (const choice of serverChoices(options)) {
    const contestant = await startContestant(bench, choice, options.threads);
    try {
      pinLoad(contestant);
      bench.progress.note(`${choice.name}: filling ${options.keys} keys`);
      await sendToAllKeys(bench, contestant, 'SET key:{key} {value}', 0, options.keys);
      const figures = await measureSnapshot(bench, contestant);
      rows.push({ label: `${options.keys} keys`, kind: 'snapshot', server: choice.name, figures });
    } finally {
      await contestant.server.stop();
    }
  }
  const about =
    `BGSAVE while ${options.connections} connections run ${options.mix} at ` +
    `-P ${options.pipelines[0]}; RSS of Redis with what its child copied`;
  return [{ title: suite.name, about, columns: SNAPSHOT_COLUMNS, rows }];
}

async function measureSnapshot(
  bench: Bench,
  contestant: Contestant,
): Promise<Record<string, Figure>> {
  const { server } = contestant;
  const { options } = bench;
  const spec = specOf(options, options.mix, options.pipelines[0]!);
  const { quiet, during, seconds, residentRatio } = await snapshotUnder(bench, contestant, spec);
  const { throughput, p99Ms, p999Ms, maxMs } = during;
  const bytes = server.fileBytes('dump.rdb');
  return {
    ...{ seconds, mibPerSecond: bytes / MIB / seconds, quietP99Ms: quiet.p99Ms },
    ...{ p99Ms, p999Ms, maxMs, residentRatio, throughput },
  };
}

interface LoadedSnapshot {
  readonly seconds: number;
  readonly quiet: LoadSample;
  readonly during: LoadSample;
  /** The most that was resident meanwhile, with what a child copied, of what was before. */
  readonly residentRatio: number;
  /** How long writers waited for room for what they copied; null where nobody tells. */
  readonly waitedMs: number | null;
}

function waitedMsOf(info: ReadonlyMap<string, string>): number | null {
  const waitedMs = info.get('snapshot_writer_wait_ms');
  return waitedMs === undefined ? null : Number(waitedMs);
}

/** Runs the load for a while, and then during a BGSAVE from its beginning to its end. */
async function snapshotUnder(
  bench: Bench,
  contestant: Contestant,
  load: LoadSpec,
): Promise<LoadedSnapshot> {
  const { server } = contestant;
  const { options } = bench;
  const spec = { ...load, count: null };
  const quietSeconds = options.isTiny ? options.seconds : QUIET_SECONDS;
  const quiet = await measure(bench, contestant, { ...spec, seconds: quietSeconds });
  const before = residentOf(server);
  const session = await bench.crew.open(
    planOf(bench, server, { ...spec, seconds: SNAPSHOT_SECONDS_MAX }),
  );
  try {
    const running = session.run();
    const waitedBefore = waitedMsOf(await server.control.info('persistence'));
    const startMs = performance.now();
    await server.control.ask('BGSAVE');
    let most = before;
    let info = await server.control.info('persistence');
    while (info.get('rdb_bgsave_in_progress') === '1') {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      most = Math.max(most, residentOf(server));
      info = await server.control.info('persistence');
    }
    const seconds = (performance.now() - startMs) / 1000;
    session.stop();
    const result = await running;
    noteFailures(bench, server, spec, result);
    if (info.get('rdb_last_bgsave_status') !== 'ok') {
      bench.failures.push(`${server.name}: the snapshot failed`);
    }
    most += Number(info.get('rdb_last_cow_size') ?? 0);
    const waited = waitedMsOf(info);
    return {
      ...{ seconds, quiet, during: sampleOf(result), residentRatio: most / before },
      waitedMs: waited === null ? null : waited - (waitedBefore ?? 0),
    };
  } finally {
    await session.close();
  }
}

function residentOf(server: MeasuredServer): number {
  return server.pid === null ? 0 : (readResidentBytes(server.pid) ?? 0);
}

// ── A snapshot of one large value ────────────────────────────────────────────────────────────

const LARGE_SNAPSHOT_COLUMNS: readonly Column[] = [
  { key: 'seconds', title: 's', digits: 2, better: 'less' },
  { key: 'quietP50Ms', title: 'p50 ms before', digits: 3, better: 'less' },
  { key: 'quietP99Ms', title: 'p99 ms before', digits: 3, better: 'less' },
  { key: 'quietP999Ms', title: 'p99.9 ms before', digits: 3, better: 'less' },
  { key: 'quietMaxMs', title: 'longest ms before', digits: 2, better: 'less' },
  { key: 'p50Ms', title: 'p50 ms during', digits: 3, better: 'less' },
  { key: 'p99Ms', title: 'p99 ms during', digits: 3, better: 'less' },
  { key: 'p999Ms', title: 'p99.9 ms during', digits: 3, better: 'less' },
  { key: 'maxMs', title: 'longest ms during', digits: 2, better: 'less', isCharted: true },
  { key: 'waitedMs', title: 'ms for room', digits: 1, better: 'less' },
  { key: 'throughput', title: 'commands/s during', digits: 0, better: 'more' },
];

/** One connection is never in its own way; sixteen stand in line behind whatever is held. */
const BOARD_CONNECTIONS = [1, 16];

/** BGSAVE of one sorted set of all the members there are, while their scores change. */
export async function runZsetSnapshot(bench: Bench, suite: Suite): Promise<ResultTable[]> {
  const { options } = bench;
  const rows: Row[] = [];
  for (const choice of serverChoices(options)) {
    const contestant = await startContestant(bench, choice, options.threads);
    try {
      pinLoad(contestant);
      bench.progress.note(`${choice.name}: a board of ${options.keys} members`);
      await sendToAllKeys(bench, contestant, 'ZADD board {random} member:{key}', 0, options.keys);
      for (const connections of BOARD_CONNECTIONS) {
        const spec = { ...specOf(options, options.mix, options.pipelines[0]!), connections };
        const { seconds, quiet, during, waitedMs } = await snapshotUnder(bench, contestant, spec);
        const { p50Ms, p99Ms, p999Ms, maxMs, throughput } = during;
        const figures = {
          ...{ seconds, quietP50Ms: quiet.p50Ms, quietP99Ms: quiet.p99Ms },
          ...{ quietP999Ms: quiet.p999Ms, quietMaxMs: quiet.maxMs },
          ...{ p50Ms, p99Ms, p999Ms, maxMs, waitedMs, throughput },
        };
        const label = `${connections} connection(s)`;
        bench.progress.note(`${choice.name}, ${label}: longest ${maxMs.toFixed(2)} ms`);
        rows.push({ label, kind: label, server: choice.name, figures });
      }
    } finally {
      await contestant.server.stop();
    }
  }
  const about =
    `BGSAVE of a sorted set of ${options.keys} members under ${options.mix} of random ones at ` +
    `-P ${options.pipelines[0]}; ${options.threads} worker(s)`;
  return [{ title: suite.name, about, columns: LARGE_SNAPSHOT_COLUMNS, rows }];
}

// ── Back again ───────────────────────────────────────────────────────────────────────────────

const RECOVERY_COLUMNS: readonly Column[] = [
  {
    ...{ key: 'seconds', title: 's', digits: 2, better: 'less' },
    ...{ hasRatio: true, isCharted: true },
  },
  { key: 'mib', title: 'MiB of files', digits: 0, better: null },
  { key: 'mibPerSecond', title: 'MiB/s', digits: 0, better: 'more' },
  { key: 'keys', title: 'keys', digits: 0, better: null },
];

const RECOVERY_CASES = [
  {
    label: 'snapshot',
    extra: [] as readonly string[],
    /** Each key once, as a SAVE has it. */
    rewrites: 1,
  },
  { label: 'log', extra: ['--appendonly', 'yes', '--appendfsync', 'no'], rewrites: 3 },
];

/** Fills, ends with SHUTDOWN, and starts again on the same folder. */
export async function runRecovery(bench: Bench, suite: Suite): Promise<ResultTable[]> {
  const { options } = bench;
  const rows: Row[] = [];
  for (const { label, extra, rewrites } of RECOVERY_CASES) {
    for (const choice of serverChoices(options)) {
      const more = [...extra, '--auto-aof-rewrite-percentage', '0'];
      const contestant = await startContestant(bench, choice, options.threads, more);
      let { server } = contestant;
      try {
        pinLoad(contestant);
        for (let round = 0; round < rewrites; round++) {
          bench.progress.note(`${choice.name}: ${label}, writing ${options.keys} keys`);
          await sendToAllKeys(bench, contestant, 'SET key:{key} {value}', 0, options.keys);
        }
        if (label === 'snapshot') await server.control.ask('SAVE');
        const mib = server.folderBytes() / MIB;
        const again = { threads: options.threads, cores: contestant.cores.server, extra: more };
        server = await restartServer(server, choice, again);
        const seconds = server.startMs / 1000;
        const keys = await server.control.askNumber('DBSIZE');
        if (keys !== options.keys) {
          bench.failures.push(
            `${choice.name}: ${keys} of ${options.keys} keys are back (${label})`,
          );
        }
        const figures = { seconds, mib, mibPerSecond: mib / seconds, keys };
        rows.push({ label, kind: label, server: choice.name, figures });
      } finally {
        await server.stop();
      }
    }
  }
  const about = 'from the start of the process until it has loaded all and answers PING';
  return [{ title: suite.name, about, columns: RECOVERY_COLUMNS, rows }];
}
