// The other half of the suite `parts`, which finds JOIN_PARTS_FROM (src/dispatch/parts.ts): sets
// with sets of more and more members, of which half are common, on Flagstone with parts and
// without, beside Redis. Latency is what the one client sees, which has nothing else to do.

import { performance } from 'node:perf_hooks';
import { type Bench, serverChoices, startContestant } from './measure.js';
import { type Column, type Figure, median, type ResultTable, type Row } from './report.js';
import type { MeasuredServer, ServerChoice } from './servers.js';

const COLUMNS: readonly Column[] = [
  { key: 'latencyUs', title: 'latency µs', digits: 0, better: 'less', isCharted: true },
  { key: 'cpuUs', title: 'CPU µs', digits: 0, better: 'less', hasRatio: true },
  { key: 'calls', title: 'calls', digits: 0, better: null },
];

const SIZES = [1000, 10_000, 100_000, 1_000_000];
const SIZES_TINY = [1000];
const MEMBERS_PER_COMMAND = 1000;
/** Members looked at for one figure. */
const MEMBERS_ASKED = 5_000_000;
const CALLS_MIN = 5;
const WARM_SHARE = 4;
/** Read by src/dispatch/parts.ts. */
const VARIABLE = 'FLAGSTONE_JOIN_PARTS_FROM';
/** Odd, so that numbers become names without order, each its own. */
const NAME_FACTOR = 0x9e3779b1;

const COMMANDS = [
  'SINTERCARD 2 a b',
  'SINTER a b',
  'SINTERSTORE target a b',
  'SDIFF a b',
  'SUNION a b',
  'ZINTERCARD 2 za zb',
  'ZINTERSTORE target 2 za zb',
];

/** One more table of the suite: sets with sets. */
export async function runJoins(bench: Bench, title: string, threads: number): Promise<ResultTable> {
  const rows: Row[] = [];
  const sizes = bench.options.isTiny ? SIZES_TINY : SIZES;
  for (const { choice, words } of serverChoices(bench.options).flatMap(variantsOf)) {
    const { server } = await startContestant(bench, choice, threads);
    try {
      for (const size of sizes) {
        bench.progress.note(`${server.name}${words}: sets of ${size} members`);
        await fill(server, size);
        for (const line of COMMANDS) {
          const kind = `${line.split(' ')[0]} of ${size}`;
          const figures = await measureLine(bench, server, line.split(' '), size);
          rows.push({ label: `${kind}${words}`, kind, server: server.name, figures });
        }
      }
    } finally {
      await server.stop();
    }
  }
  const about = `one connection, ${threads} workers, half of the members in both sets`;
  return { title: `${title}: sets with sets`, about, columns: COLUMNS, rows };
}

/** Flagstone twice: every join in parts, and none. */
function variantsOf(choice: ServerChoice): { choice: ServerChoice; words: string }[] {
  if (choice.name !== 'Flagstone' || choice.command === null) return [{ choice, words: '' }];
  const withFrom = (entries: number, words: string) => ({
    choice: { ...choice, command: ['env', `${VARIABLE}=${entries}`, ...choice.command!] },
    words,
  });
  return [withFrom(1, ', parts on'), withFrom(2 ** 31, ', parts off')];
}

async function fill(server: MeasuredServer, size: number): Promise<void> {
  await server.control.ask('FLUSHALL');
  for (let first = 0; first < size; first += MEMBERS_PER_COMMAND) {
    const count = Math.min(MEMBERS_PER_COMMAND, size - first);
    const numbers = Array.from({ length: count }, (_, index) => first + index);
    for (const [key, from] of [['a', 0] as const, ['b', size >> 1] as const]) {
      const names = numbers.map((number) => nameOf(number + from));
      await server.control.ask('SADD', key, ...names);
      const scored = names.flatMap((name, index) => [`${(first + index) % 1009}`, name]);
      await server.control.ask('ZADD', `z${key}`, ...scored);
    }
  }
}

function nameOf(number: number): string {
  const mixed = Math.imul(number + 1, NAME_FACTOR) >>> 0;
  return `member:${mixed.toString(16).padStart(8, '0')}`;
}

async function measureLine(
  bench: Bench,
  server: MeasuredServer,
  words: readonly string[],
  size: number,
): Promise<Record<string, Figure>> {
  const wanted = bench.options.isTiny ? CALLS_MIN : Math.ceil(MEMBERS_ASKED / size);
  const calls = Math.max(CALLS_MIN, wanted);
  for (let call = 0; call < calls / WARM_SHARE; call += 1) await server.control.ask(...words);
  const latencies: number[] = [];
  const before = await server.usage();
  for (let call = 0; call < calls; call += 1) {
    const startedAt = performance.now();
    await server.control.ask(...words);
    latencies.push((performance.now() - startedAt) * 1000);
  }
  const after = await server.usage();
  return {
    latencyUs: median(latencies),
    cpuUs: (after.cpuNs - before.cpuNs) / 1000 / calls,
    calls,
  };
}
