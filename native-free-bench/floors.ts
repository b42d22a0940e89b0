// Runs the benches of single floors: finds floors/*.bench.js, times each case with tinybench,
// prints nanoseconds for each operation and a hash of what the cases computed.

import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Bench as TimedBench } from 'tinybench';
import type { FloorBench, FloorCase } from './floor.js';
import type { Progress } from './progress.js';
import type { Column, ResultTable, Row } from './report.js';

const COLUMNS: readonly Column[] = [
  { key: 'ns', title: 'ns/op', digits: 2, better: 'less', isCharted: true },
  { key: 'spread', title: '± %', digits: 2, better: 'less' },
  { key: 'p99Ns', title: 'p99 ns/op', digits: 2, better: 'less' },
  { key: 'samples', title: 'samples', digits: 0, better: null },
  { key: 'hash', title: 'result', digits: 0, better: null },
];

export interface FloorOptions {
  readonly isTiny: boolean;
  readonly progress: Progress;
}

export async function runFloors(
  names: readonly string[],
  options: FloorOptions,
): Promise<ResultTable[]> {
  const benches = await findFloors();
  const wanted = names.length === 0 ? benches : benches.filter(({ name }) => names.includes(name));
  const missing = names.filter((name) => benches.every((bench) => bench.name !== name));
  if (missing.length > 0) {
    const known = benches.map((bench) => bench.name).join(', ');
    throw new Error(`there is no floor '${missing.join(', ')}'; there are ${known}`);
  }
  const tables: ResultTable[] = [];
  for (const bench of wanted) tables.push(await runFloor(bench, options));
  return tables;
}

export async function runFloor(bench: FloorBench, options: FloorOptions): Promise<ResultTable> {
  const rows: Row[] = [];
  for (const one of bench.prepare(options.isTiny)) {
    options.progress.note(`${bench.name}: ${one.name}`);
    rows.push(await timeCase(one, options.isTiny));
  }
  return { title: `floor ${bench.name}`, about: bench.about, columns: COLUMNS, rows };
}

async function timeCase(one: FloorCase, isTiny: boolean): Promise<Row> {
  const hash = hashOf(one.run()); // before the clock runs: later calls may answer other numbers
  let kept = 0;
  const timed = new TimedBench({
    time: isTiny ? 1 : 500,
    iterations: isTiny ? 2 : 16,
    warmup: !isTiny,
    warmupTime: 100,
    throws: true,
  });
  timed.add(one.name, () => {
    kept = (kept + one.run()) | 0;
  });
  await timed.run();
  const result = timed.tasks[0]?.result;
  if (result === undefined || !('latency' in result)) {
    throw new Error(`${one.name} was not timed (${kept})`);
  }
  const { latency } = result;
  const perOperation = (ms: number) => (ms * 1e6) / one.operations;
  const figures = {
    ns: perOperation(latency.p50),
    spread: latency.rme,
    p99Ns: perOperation(latency.p99),
    samples: latency.samplesCount,
    hash,
  };
  return { label: one.name, kind: one.name, server: '', figures };
}

/** A result number as eight hexadecimal digits; fractions count too. */
function hashOf(result: number): string {
  const bytes = new Uint8Array(Float64Array.of(result).buffer);
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}

async function findFloors(): Promise<FloorBench[]> {
  const folder = new URL('./floors/', import.meta.url);
  if (!existsSync(folder)) return [];
  const files = readdirSync(fileURLToPath(folder)).filter((file) => /\.bench\.[jt]s$/.test(file));
  const benches: FloorBench[] = [];
  for (const file of files.sort()) {
    const module: { floorBench?: FloorBench } = await import(
      pathToFileURL(fileURLToPath(new URL(file, folder))).href
    );
    if (module.floorBench === undefined) throw new Error(`${file} exports no floorBench`);
    benches.push(module.floorBench);
  }
  return benches;
}
