// Suites about single events: growth, expiry, ten thousand connections, the start of the process.
// Each server is measured alone and fresh.

import { performance } from 'node:perf_hooks';
import type { LoadResult } from './load.js';
import {
  type Bench,
  type Contestant,
  fillSpec,
  measure,
  pinLoad,
  planOf,
  sampleOf,
  sendToAllKeys,
  serverChoices,
  specOf,
  startContestant,
} from './measure.js';
import { type Column, type Figure, median, type ResultTable, type Row } from './report.js';
import type { ServerChoice } from './servers.js';
import type { Suite } from './suites.js';
import { LOAD_COLUMNS } from './throughput.js';

const NS_PER_MS = 1e6;
const MIB = 2 ** 20;

async function sleep(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

/** Starts a fresh server, measures, stops it whatever happened. */
async function withServer<Result>(
  bench: Bench,
  choice: ServerChoice,
  extra: readonly string[],
  body: (contestant: Contestant) => Promise<Result>,
): Promise<Result> {
  const contestant = await startContestant(bench, choice, bench.options.threads, extra);
  try {
    pinLoad(contestant);
    return await body(contestant);
  } finally {
    await contestant.server.stop();
  }
}

const WARM_SECONDS = 0.5;

/** Lets the load's code be compiled before anything is timed; PING changes nothing in a server. */
async function warmLoad(bench: Bench, contestant: Contestant): Promise<void> {
  const { options } = bench;
  const spec = specOf(options, 'PING', options.pipelines[0]!);
  const seconds = options.isTiny ? options.seconds : WARM_SECONDS;
  const ownLoad: Bench = { ...bench, options: { ...options, tool: 'own' } };
  await measure(ownLoad, contestant, { ...spec, count: null, seconds });
}

const MEMORY_COLUMNS: readonly Column[] = [
  {
    ...{ key: 'bytesPerKey', title: 'used bytes/key', digits: 1, better: 'less' },
    ...{ hasRatio: true, isCharted: true },
  },
  {
    ...{ key: 'residentPerKey', title: 'RSS bytes/key', digits: 1, better: 'less' },
    ...{ hasRatio: true, isCharted: true },
  },
  { key: 'keys', title: 'keys', digits: 0, better: null },
  { key: 'throughput', title: 'fill/s', digits: 0, better: 'more' },
];

const MEMORY_CASES = [
  { label: 'no TTL', line: 'SET key:{key} {value}' },
  { label: 'with TTL', line: 'SET key:{key} {value} EX 100000' },
];

export async function runMemory(bench: Bench, suite: Suite): Promise<ResultTable[]> {
  const { keys, size } = bench.options;
  const rows: Row[] = [];
  for (const one of MEMORY_CASES) {
    for (const choice of serverChoices(bench.options)) {
      const figures = await withServer(bench, choice, [], (contestant) =>
        measureMemory(bench, contestant, one.line),
      );
      rows.push({ label: one.label, kind: one.label, server: choice.name, figures });
    }
  }
  const about = `${keys} keys of 16 bytes, values of ${size} bytes, a fresh server each`;
  return [{ title: suite.name, about, columns: MEMORY_COLUMNS, rows }];
}

async function measureMemory(
  bench: Bench,
  contestant: Contestant,
  line: string,
): Promise<Record<string, Figure>> {
  const { server } = contestant;
  const { keys } = bench.options;
  const usedBefore = await server.usedMemory();
  const usageBefore = await server.usage();
  bench.progress.note(`${server.name}: ${line}, ${keys} keys`);
  const result = await sendToAllKeys(bench, contestant, line, 0, keys);
  const held = await server.control.askNumber('DBSIZE');
  if (held !== keys) bench.failures.push(`${server.name}: holds ${held} keys of ${keys}`);
  const usageAfter = await server.usage();
  return {
    bytesPerKey: ((await server.usedMemory()) - usedBefore) / held,
    residentPerKey: (usageAfter.residentBytes - usageBefore.residentBytes) / held,
    keys: held,
    throughput: result.commands / (result.elapsedMs / 1000),
  };
}

const GROWTH_COLUMNS: readonly Column[] = [
  { key: 'slowestUs', title: 'slowest µs', digits: 0, better: 'less', isCharted: true },
  { key: 'slowCount', title: 'over 100 µs', digits: 0, better: 'less' },
  { key: 'p999Ms', title: 'p99.9 ms', digits: 3, better: 'less' },
  { key: 'maxMs', title: 'max ms', digits: 3, better: 'less', isCharted: true },
  { key: 'throughput', title: 'SET/s', digits: 0, better: 'more' },
  { key: 'cpuUs', title: 'CPU µs/cmd', digits: 3, better: 'less', hasRatio: true },
  { key: 'bytesPerKey', title: 'bytes/key', digits: 1, better: 'less' },
];

const GROWTH_STEPS = 5;
const SLOW_US = 100;
const SLOW_ENTRIES_MAX = 10_000;

export async function runGrowth(bench: Bench, suite: Suite): Promise<ResultTable[]> {
  const { keys, pipelines, rounds } = bench.options;
  const ends = Array.from({ length: GROWTH_STEPS }, (_, step) =>
    Math.round((keys * (step + 1)) / GROWTH_STEPS),
  );
  const labelOf = (end: number, round: number): string =>
    `${timeOf(round)} to ${end.toLocaleString('en-US')}`;
  const rows: Row[] = [];
  for (const choice of serverChoices(bench.options)) {
    await withServer(bench, choice, [], async (contestant) => {
      const { server } = contestant;
      await watchSlowCommands(contestant);
      await warmLoad(bench, contestant);
      for (let round = 1; round <= rounds; round++) {
        if (round > 1) await server.control.ask('FLUSHALL', 'SYNC');
        const usedBefore = await server.usedMemory();
        for (const [step, end] of ends.entries()) {
          const label = labelOf(end, round);
          bench.progress.note(`${choice.name}: ${label} keys`);
          const figures = await growTo(bench, contestant, step === 0 ? 0 : ends[step - 1]!, end);
          const bytesPerKey = ((await server.usedMemory()) - usedBefore) / end;
          const row = { label, kind: label, server: choice.name };
          rows.push({ ...row, figures: { ...figures, bytesPerKey } });
        }
      }
    });
  }
  const order = Array.from({ length: rounds }, (_, round) =>
    ends.map((end) => labelOf(end, round + 1)),
  ).flat();
  rows.sort((a, b) => order.indexOf(a.label) - order.indexOf(b.label));
  const about =
    `SET of new keys at -P ${pipelines[0]}; the slowest command by the server's SLOWLOG, ` +
    'p99.9 and max of a batch as clients see it; again: after FLUSHALL, by code that is compiled';
  return [{ title: suite.name, about, columns: GROWTH_COLUMNS, rows }];
}

/** A server does something for the first time with code that is not compiled yet. */
function timeOf(round: number): string {
  if (round === 1) return 'first';
  return round === 2 ? 'again' : `again (${round})`;
}

async function growTo(
  bench: Bench,
  contestant: Contestant,
  first: number,
  end: number,
): Promise<Record<string, Figure>> {
  const { options } = bench;
  const spec = {
    ...fillSpec(bench, 'SET key:{key} {value}', first, end),
    pipeline: options.pipelines[0]!,
    connections: options.connections,
  };
  const ownLoad: Bench = { ...bench, options: { ...options, tool: 'own' } };
  const sample = await measure(ownLoad, contestant, spec);
  const slow = await readSlowCommands(contestant);
  const { throughput, p999Ms, maxMs, cpuUs } = sample;
  return { ...slow, throughput, p999Ms, maxMs, cpuUs };
}

async function watchSlowCommands({ server }: Contestant): Promise<void> {
  await server.control.ask('CONFIG', 'SET', 'slowlog-log-slower-than', String(SLOW_US));
  await server.control.ask('CONFIG', 'SET', 'slowlog-max-len', String(SLOW_ENTRIES_MAX));
  await server.control.ask('SLOWLOG', 'RESET');
}

/** The longest SET in the slow log, in microseconds, and how many SETs stand there. */
async function readSlowCommands({ server }: Contestant): Promise<Record<string, Figure>> {
  const entries = await server.control.ask('SLOWLOG', 'GET', '-1');
  await server.control.ask('SLOWLOG', 'RESET');
  if (!Array.isArray(entries)) return { slowestUs: null, slowCount: null };
  // An entry is [id, time, duration in µs, [words…], …].
  const times = entries
    .filter(Array.isArray)
    .filter((entry) => Array.isArray(entry[3]) && String(entry[3][0]).toUpperCase() === 'SET')
    .map((entry) => Number(entry[2]));
  return { slowestUs: times.length === 0 ? null : Math.max(...times), slowCount: times.length };
}

const EXPIRY_COLUMNS: readonly Column[] = [
  {
    ...{ key: 'lateMs', title: 'all gone after ms', digits: 0, better: 'less' },
    ...{ hasRatio: true, isCharted: true },
  },
  { key: 'p50Ms', title: 'p50 ms', digits: 3, better: 'less' },
  { key: 'p99Ms', title: 'p99 ms', digits: 3, better: 'less' },
  { key: 'p999Ms', title: 'p99.9 ms', digits: 3, better: 'less', isCharted: true },
  { key: 'maxMs', title: 'max ms', digits: 3, better: 'less' },
  { key: 'throughput', title: 'GET/s meanwhile', digits: 0, better: 'more' },
  { key: 'cpuSeconds', title: 'CPU s', digits: 2, better: 'less' },
];

const FILL_SLOWEST = 100_000; // keys each second that a slow machine fills
const FILL_SLACK_MS = 2000; // for code that is not compiled yet, and busy machines
const EXPIRY_LEAD_MS = 500;
const EXPIRY_WAIT_MS_MAX = 120_000;
const EXPIRY_POLL_MS = 2;

export async function runExpiry(bench: Bench, suite: Suite): Promise<ResultTable[]> {
  const { keys, rounds } = bench.options;
  const rows: Row[] = [];
  for (const choice of serverChoices(bench.options)) {
    await withServer(bench, choice, [], async (contestant) => {
      for (let round = 1; round <= rounds; round++) {
        const figures = await measureExpiry(bench, contestant);
        const label = `${keys} keys, ${timeOf(round)}`;
        rows.push({ label, kind: 'expiry', server: choice.name, figures });
      }
    });
  }
  const about =
    'all keys expire at one moment; DBSIZE is asked until it counts none of them, ' +
    'while GETs of other keys run; again: on the same server, by code that is compiled';
  return [{ title: suite.name, about, columns: EXPIRY_COLUMNS, rows }];
}

async function measureExpiry(
  bench: Bench,
  contestant: Contestant,
): Promise<Record<string, Figure>> {
  const { server } = contestant;
  const { options, progress } = bench;
  await warmLoad(bench, contestant);
  const others = Math.max(1, Math.floor(options.keys / 10));
  await sendToAllKeys(bench, contestant, 'SET key:{key} {value}', 0, others);
  const fillMs = (options.keys / FILL_SLOWEST) * 1000;
  const expiresAt = Date.now() + Math.ceil(fillMs + FILL_SLACK_MS);
  progress.note(`${server.name}: setting ${options.keys} keys that expire together`);
  const line = `SET brief:{key} {value} PXAT ${expiresAt}`;
  await sendToAllKeys(bench, contestant, line, 0, options.keys);
  const all = await server.control.askNumber('DBSIZE');
  if (all !== options.keys + others) {
    bench.failures.push(`${server.name}: only ${all} keys before the expiry; filling was too slow`);
  }
  await sleep(Math.max(0, expiresAt - Date.now() - EXPIRY_LEAD_MS));

  progress.note(`${server.name}: waiting for DBSIZE ${others}`);
  const spec = { ...specOf(options, 'GET', options.pipelines[0]!), keys: others };
  const limits = { count: null, seconds: EXPIRY_WAIT_MS_MAX / 1000 };
  const plan = planOf(bench, server, { ...spec, ...limits });
  const session = await bench.crew.open(plan);
  try {
    const before = await server.usage();
    const running = session.run();
    const lateMs = await waitForExpiry(bench, contestant, others, expiresAt);
    session.stop();
    const result = await running;
    const after = await server.usage();
    noteErrors(bench, contestant, result);
    const { throughput, p50Ms, p99Ms, p999Ms, maxMs } = sampleOf(result);
    const cpuSeconds = (after.cpuNs - before.cpuNs) / 1e9;
    return { lateMs, throughput, p50Ms, p99Ms, p999Ms, maxMs, cpuSeconds };
  } finally {
    await session.close();
  }
}

/** Milliseconds from the moment of expiry until only `others` are counted, or null at the limit. */
async function waitForExpiry(
  bench: Bench,
  { server }: Contestant,
  others: number,
  expiresAt: number,
): Promise<number | null> {
  while (Date.now() < expiresAt + EXPIRY_WAIT_MS_MAX) {
    const keys = await server.control.askNumber('DBSIZE');
    if (keys === others) return Math.max(0, Date.now() - expiresAt);
    if (keys < others) break;
    await sleep(EXPIRY_POLL_MS);
  }
  bench.failures.push(`${server.name}: DBSIZE did not become ${others} after the expiry`);
  return null;
}

function noteErrors(bench: Bench, { server }: Contestant, result: LoadResult): void {
  const wrong = result.errors + result.wrongTypes + result.unexpected;
  if (wrong > 0) bench.failures.push(`${server.name}: ${wrong} wrong replies to GET`);
}

const IDLE_COUNT = 10_000;
const IDLE_COUNT_TINY = 100;
const CONNECTION_COLUMNS: readonly Column[] = [
  {
    ...{ key: 'residentPerIdle', title: 'RSS bytes/idle', digits: 0, better: 'less' },
    ...{ hasRatio: true, isCharted: true },
  },
  { key: 'usedPerIdle', title: 'used bytes/idle', digits: 0, better: 'less' },
  ...LOAD_COLUMNS,
];

export async function runConnections(bench: Bench, suite: Suite): Promise<ResultTable[]> {
  const { options } = bench;
  const idleCount = options.isTiny ? IDLE_COUNT_TINY : IDLE_COUNT;
  const rows: Row[] = [];
  for (const choice of serverChoices(options)) {
    const extra = ['--maxclients', String(idleCount + options.connections + 100)];
    await withServer(bench, choice, extra, async (contestant) => {
      const base = { server: choice.name };
      await warmLoad(bench, contestant);
      const alone = await measureActive(bench, contestant);
      rows.push({ ...base, label: 'no idle', kind: 'alone', figures: alone });
      const figures = await measureIdle(bench, contestant, idleCount);
      rows.push({ ...base, label: `${idleCount} idle`, kind: 'idle', figures });
    });
  }
  rows.sort((a, b) => (a.kind === b.kind ? 0 : a.kind === 'alone' ? -1 : 1));
  const about = `${options.connections} active connections at -P ${options.pipelines[0]}`;
  return [{ title: suite.name, about, columns: CONNECTION_COLUMNS, rows }];
}

async function measureActive(
  bench: Bench,
  contestant: Contestant,
): Promise<Record<string, Figure>> {
  const { options } = bench;
  bench.progress.note(`${contestant.server.name}: ${options.connections} active connections`);
  const spec = specOf(options, options.mix, options.pipelines[0]!);
  const ownLoad: Bench = { ...bench, options: { ...options, tool: 'own' } };
  return { ...(await measure(ownLoad, contestant, spec)) };
}

async function measureIdle(
  bench: Bench,
  contestant: Contestant,
  idleCount: number,
): Promise<Record<string, Figure>> {
  const { server } = contestant;
  const usedBefore = await server.usedMemory();
  const usageBefore = await server.usage();
  bench.progress.note(`${server.name}: opening ${idleCount} idle connections`);
  const spec = { ...specOf(bench.options, 'PING', 1), connections: idleCount };
  // Opened and never told to go: each has said nothing but what a greeting needs.
  const idle = await bench.crew.open(planOf(bench, server, spec)).catch((error) => {
    const why = (error as Error).message;
    throw new Error(`${idleCount} connections could not be opened (see ulimit -n): ${why}`);
  });
  try {
    // The server may still be accepting; a connection counts when it is listed.
    if (!(await server.waitForClients((count) => count > idleCount))) {
      throw new Error(`${server.name} does not list ${idleCount} clients`);
    }
    const usedAfter = await server.usedMemoryNow();
    const usageAfter = await server.usage();
    const figures = await measureActive(bench, contestant);
    return {
      ...figures,
      residentPerIdle: (usageAfter.residentBytes - usageBefore.residentBytes) / idleCount,
      usedPerIdle: (usedAfter - usedBefore) / idleCount,
    };
  } finally {
    await idle.close();
  }
}

const START_COLUMNS: readonly Column[] = [
  {
    ...{ key: 'startMs', title: 'to first PONG ms', digits: 1, better: 'less' },
    ...{ hasRatio: true, isCharted: true },
  },
  {
    ...{ key: 'residentMib', title: 'idle RSS MiB', digits: 1, better: 'less' },
    ...{ hasRatio: true, isCharted: true },
  },
  { key: 'idleCpuMs', title: 'idle CPU ms/s', digits: 2, better: 'less' },
];

export async function runStart(bench: Bench, suite: Suite): Promise<ResultTable[]> {
  const { rounds, isTiny } = bench.options;
  const idleMs = isTiny ? 100 : 1000;
  const choices = serverChoices(bench.options);
  const samples = choices.map(() => ({
    startMs: [] as number[],
    residentMib: [] as number[],
    idleCpuMs: [] as number[],
  }));
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, choice] of choices.entries()) {
      await withServer(bench, choice, [], async ({ server }) => {
        const own = samples[index]!;
        own.startMs.push(server.startMs);
        const before = await server.usage();
        const startedAt = performance.now();
        await sleep(idleMs);
        const after = await server.usage();
        const seconds = (performance.now() - startedAt) / 1000;
        own.residentMib.push(after.residentBytes / MIB);
        own.idleCpuMs.push((after.cpuNs - before.cpuNs) / NS_PER_MS / seconds);
      });
    }
  }
  const rows = choices.map((choice, index): Row => {
    const { startMs, residentMib, idleCpuMs } = samples[index]!;
    const figures = {
      startMs: median(startMs),
      residentMib: median(residentMib),
      idleCpuMs: median(idleCpuMs),
    };
    return { label: 'start', kind: 'start', server: choice.name, figures };
  });
  const about = `median of ${rounds} start(s), then idle for ${idleMs} ms`;
  return [{ title: suite.name, about, columns: START_COLUMNS, rows }];
}
