// Suites that compare steady load: one mix after the other, and one server with more and more
// workers.

import { parseDistribution } from './keys.js';
import {
  type Bench,
  type Contestant,
  describeCores,
  fillFor,
  type LoadSpec,
  measure,
  medianFigures,
  type Sample,
  serverChoices,
  specOf,
  startContestant,
  stopAll,
} from './measure.js';
import type { Options } from './options.js';
import type { Column, Figure, ResultTable, Row } from './report.js';
import type { Suite } from './suites.js';

export const LOAD_COLUMNS: readonly Column[] = [
  {
    ...{ key: 'throughput', title: 'commands/s', digits: 0, better: 'more' },
    ...{ hasRatio: true, isCharted: true },
  },
  { key: 'p50Ms', title: 'p50 ms', digits: 3, better: 'less' },
  { key: 'p99Ms', title: 'p99 ms', digits: 3, better: 'less' },
  { key: 'p999Ms', title: 'p99.9 ms', digits: 3, better: 'less', isCharted: true },
  {
    ...{ key: 'cpuUs', title: 'CPU µs/cmd', digits: 3, better: 'less' },
    ...{ hasRatio: true, isCharted: true },
  },
  { key: 'residentMib', title: 'RSS MiB', digits: 1, better: 'less' },
];

const MEMORY_COLUMN: Column = {
  ...{ key: 'bytesPerKey', title: 'bytes/key', digits: 1, better: 'less', hasRatio: true },
};
const CHECKSUM_COLUMN: Column = { key: 'checksum', title: 'replies', digits: 0, better: null };

// Rounds draw different keys; a prime apart keeps their seeds from those of load threads.
const ROUND_SEED_STEP = 1_000_003;
const WARM_SECONDS_MAX = 1;
const WARM_SHARE = 10;

export async function runLoadSuite(bench: Bench, suite: Suite): Promise<ResultTable[]> {
  const { options } = bench;
  const contestants: Contestant[] = [];
  const rows: Row[] = [];
  try {
    for (const choice of serverChoices(options)) {
      contestants.push(await startContestant(bench, choice, options.threads));
    }
    for (const one of suite.cases) {
      const depths = one.pipeline === null ? options.pipelines : [one.pipeline];
      for (const depth of depths) {
        const spec = specOf(options, one.mix ?? options.mix, depth);
        rows.push(...(await compare(bench, contestants, spec)));
      }
    }
  } finally {
    await stopAll(contestants);
  }
  const columns = [...LOAD_COLUMNS, MEMORY_COLUMN, CHECKSUM_COLUMN];
  const where = `${options.threads} worker(s), ${describeCores(contestants[0]!)}`;
  const about = `${describeLoad(options)}; ${where}`;
  return [{ title: suite.name, about, columns, rows }];
}

/** One case on all servers in turn, round after round, so that a noisy moment hits all alike. */
async function compare(
  bench: Bench,
  contestants: readonly Contestant[],
  spec: LoadSpec,
): Promise<Row[]> {
  const label = `${spec.mix.name} -P ${spec.pipeline}`;
  const memory: MemoryMark[] = [];
  for (const contestant of contestants) {
    await contestant.server.control.ask('FLUSHALL');
    memory.push(await markMemory(contestant));
    await fillFor(bench, contestant, spec);
    bench.progress.note(`${label}: warming ${contestant.server.name}`);
    if (bench.options.tool !== 'redis-benchmark') await measure(bench, contestant, warmUpOf(spec));
  }
  const samples = await alternate(bench, contestants, spec, label);
  compareReplies(bench, contestants, spec, samples);
  const rows: Row[] = [];
  for (const [index, contestant] of contestants.entries()) {
    const bytesPerKey = bytesBetween(memory[index]!, await markMemory(contestant));
    await contestant.server.control.ask('FLUSHALL');
    const figures = { ...medianFigures(samples[index]!), bytesPerKey };
    rows.push({ label, kind: label, server: contestant.server.name, figures });
  }
  return rows;
}

async function alternate(
  bench: Bench,
  contestants: readonly Contestant[],
  spec: LoadSpec,
  label: string,
): Promise<Sample[][]> {
  const { rounds } = bench.options;
  const samples: Sample[][] = contestants.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, contestant] of contestants.entries()) {
      const seed = spec.seed + (round + 1) * ROUND_SEED_STEP;
      const sample = await measure(bench, contestant, { ...spec, seed });
      samples[index]!.push(sample);
      bench.progress.note(
        `${label}: round ${round + 1} of ${rounds}, ${contestant.server.name} ` +
          `${Math.round(sample.throughput)}/s, ${sample.cpuUs.toFixed(3)} µs CPU`,
      );
    }
  }
  return samples;
}

/** The same commands must get the same replies, where their order cannot make a difference. */
function compareReplies(
  bench: Bench,
  contestants: readonly Contestant[],
  spec: LoadSpec,
  samples: readonly (readonly Sample[])[],
): void {
  const isComparable = spec.mix.entries.every((entry) => entry.command.isOrderFree);
  if (spec.count === null || !isComparable) return;
  const [first, ...others] = samples;
  for (const [index, other] of others.entries()) {
    const isSame = other.every((sample, round) => sample.checksum === first![round]!.checksum);
    if (isSame) continue;
    const names = `${contestants[0]!.server.name} and ${contestants[index + 1]!.server.name}`;
    bench.failures.push(`${spec.mix.name}: ${names} gave different replies to the same commands`);
  }
}

function warmUpOf(spec: LoadSpec): LoadSpec {
  if (spec.count !== null)
    return { ...spec, count: Math.max(1, Math.ceil(spec.count / WARM_SHARE)) };
  return { ...spec, seconds: Math.min(WARM_SECONDS_MAX, (spec.seconds ?? 1) / 2) };
}

interface MemoryMark {
  readonly used: number;
  readonly keys: number;
}

async function markMemory(contestant: Contestant): Promise<MemoryMark> {
  const { server } = contestant;
  return { used: await server.usedMemory(), keys: await server.control.askNumber('DBSIZE') };
}

function bytesBetween(before: MemoryMark, after: MemoryMark): Figure {
  const keys = after.keys - before.keys;
  return keys > 0 ? (after.used - before.used) / keys : null;
}

function describeLoad(options: Options): string {
  const length = options.count === null ? `${options.seconds} s` : `${options.count} commands`;
  const tool = options.tool === 'redis-benchmark' ? 'redis-benchmark' : 'own load generator';
  return (
    `${tool}, ${options.connections} connections, ${options.keys} keys ${options.distribution}, ` +
    `${options.size}-byte values, ` +
    `median of ${options.rounds} round(s) of ${length}`
  );
}

const WORKER_COUNTS = [1, 2, 4, 8];
const HOT_COUNT = 500_000;
const HOT_COUNT_TINY = 4000;
const HOT_KEY = 'counter:hot';

/** Flagstone with 1, 2, 4 and 8 workers, and Redis once, all alive at the same time. */
export async function runShape(bench: Bench, suite: Suite): Promise<ResultTable[]> {
  const { options } = bench;
  const contestants: Contestant[] = [];
  const names: string[] = [];
  const tables: ResultTable[] = [];
  try {
    for (const choice of serverChoices(options)) {
      const isFlagstone = choice.name === 'Flagstone';
      for (const threads of isFlagstone ? WORKER_COUNTS : [1]) {
        contestants.push(await startContestant(bench, choice, threads));
        names.push(isFlagstone ? `${threads} worker${threads === 1 ? '' : 's'}` : 'one thread');
      }
    }
    for (const distribution of ['uniform', 'zipf:0.99']) {
      for (const depth of options.pipelines) {
        const spec = {
          ...specOf(options, options.mix, depth),
          distribution: parseDistribution(distribution),
        };
        const rows = await compare(bench, contestants, spec);
        const title = `${suite.name}: ${distribution} -P ${depth}`;
        tables.push(shapeTable(title, describeLoad({ ...options, distribution }), rows, names));
      }
    }
    const rows = await runHotKey(bench, contestants);
    const about = 'INCR of one key by all connections; its value afterwards is exact';
    tables.push(shapeTable(`${suite.name}: one hot key`, about, rows, names));
  } finally {
    await stopAll(contestants);
  }
  return tables;
}

async function runHotKey(bench: Bench, contestants: readonly Contestant[]): Promise<Row[]> {
  const { options } = bench;
  const count = options.count ?? (options.isTiny ? HOT_COUNT_TINY : HOT_COUNT);
  const spec: LoadSpec = {
    ...specOf(options, 'HOTINCR', options.pipelines[0]!),
    count,
    seconds: null,
  };
  for (const contestant of contestants) await contestant.server.control.ask('DEL', HOT_KEY);
  const samples = await alternate(bench, contestants, spec, 'one hot key');
  const rows: Row[] = [];
  for (const [index, { server }] of contestants.entries()) {
    const own = samples[index]!;
    const sent = own.reduce((total, sample) => total + sample.commands, 0);
    const total = await server.control.askNumber('GET', HOT_KEY);
    if (total !== sent) {
      bench.failures.push(`${server.name}: ${sent} INCR of one key made ${total}`);
    }
    const figures = { ...medianFigures(own), total };
    rows.push({ label: '', kind: 'hot', server: server.name, figures });
  }
  return rows;
}

function shapeTable(
  title: string,
  about: string,
  rows: readonly Row[],
  names: readonly string[],
): ResultTable {
  const hasTotal = rows.some((row) => 'total' in row.figures);
  const total: Column = { key: 'total', title: 'exact total', digits: 0, better: null };
  return {
    title,
    about,
    columns: hasTotal ? [...LOAD_COLUMNS, total] : [...LOAD_COLUMNS, CHECKSUM_COLUMN],
    rows: rows.map((row, index) => ({ ...row, label: names[index]!, kind: title })),
  };
}
