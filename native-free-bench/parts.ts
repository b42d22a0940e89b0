// The suite that finds PARTS_FROM (src/dispatch/parts.ts): MGET of more and more keys by one
// connection, on Flagstone with parts and without, beside Redis. It needs as many free cores as it
// has workers, two at the least: the other workers do nothing but help.
//
// Time is the server's own (usec of cmdstat_mget), so that reading a long reply here does not
// count.

import { runJoins } from './joins.js';
import { type Bench, serverChoices, startContestant } from './measure.js';
import type { Column, Figure, ResultTable, Row } from './report.js';
import type { MeasuredServer, ServerChoice } from './servers.js';
import type { Suite } from './suites.js';

const COLUMNS: readonly Column[] = [
  { key: 'usPerCall', title: 'server µs/MGET', digits: 1, better: 'less', isCharted: true },
  { key: 'nsPerKey', title: 'ns/key', digits: 1, better: 'less', hasRatio: true },
  { key: 'cpuUs', title: 'CPU µs/MGET', digits: 1, better: 'less', hasRatio: true },
  { key: 'calls', title: 'calls', digits: 0, better: null },
];

const KEY_COUNTS = [64, 256, 1024, 4096];
const KEYS_PER_MSET = 500;
const THREADS_MIN = 2;
/** Different commands in turn, so that their keys do not stay in the cache of one core. */
const COMMANDS = 32;
/** A prime, so that the keys of a command lie far apart and in all partitions. */
const KEY_STEP = 7919;
const KEYS_ASKED = 2_000_000;
const KEYS_ASKED_TINY = 10_000;
const WARM_SHARE = 5;
/** Read by src/dispatch/parts.ts. */
const VARIABLE = 'FLAGSTONE_PARTS_FROM';

interface Variant {
  readonly choice: ServerChoice;
  readonly words: string;
}

export async function runParts(bench: Bench, suite: Suite): Promise<ResultTable[]> {
  const { options } = bench;
  const threads = Math.max(THREADS_MIN, options.threads);
  const rows: Row[] = [];
  for (const { choice, words } of serverChoices(options).flatMap(variantsOf)) {
    const { server } = await startContestant(bench, choice, threads);
    try {
      await fill(server, options.keys, options.size);
      for (const count of KEY_COUNTS) {
        bench.progress.note(`${server.name}${words}: MGET of ${count} keys`);
        const kind = `MGET of ${count}`;
        const figures = await measureMget(bench, server, count);
        rows.push({ label: `${kind}${words}`, kind, server: server.name, figures });
      }
    } finally {
      await server.stop();
    }
  }
  const { keys, size } = options;
  const about = `one connection, ${threads} workers, ${keys} keys, ${size}-byte values`;
  const mget: ResultTable = { title: suite.name, about, columns: COLUMNS, rows };
  return [mget, await runJoins(bench, suite.name, threads)];
}

/** Flagstone twice: every round offered, and none. */
function variantsOf(choice: ServerChoice): Variant[] {
  if (choice.name !== 'Flagstone' || choice.command === null) return [{ choice, words: '' }];
  const withFrom = (keys: number, words: string) => ({
    choice: { ...choice, command: ['env', `${VARIABLE}=${keys}`, ...choice.command!] },
    words,
  });
  return [withFrom(1, ', parts on'), withFrom(2 ** 31, ', parts off')];
}

async function fill(server: MeasuredServer, keys: number, size: number): Promise<void> {
  const value = 'x'.repeat(size);
  for (let first = 0; first < keys; first += KEYS_PER_MSET) {
    const words = ['MSET'];
    for (let key = first; key < Math.min(keys, first + KEYS_PER_MSET); key += 1) {
      words.push(`key:${key}`, value);
    }
    await server.control.ask(...words);
  }
}

async function measureMget(
  bench: Bench,
  server: MeasuredServer,
  count: number,
): Promise<Record<string, Figure>> {
  const { isTiny, keys } = bench.options;
  const commands = Array.from({ length: COMMANDS }, (_, index) => commandOf(index, count, keys));
  const calls = Math.ceil((isTiny ? KEYS_ASKED_TINY : KEYS_ASKED) / count);
  await ask(bench, server, commands, Math.ceil(calls / WARM_SHARE), count);
  const timeBefore = await timeOfMget(server);
  const usageBefore = await server.usage();
  await ask(bench, server, commands, calls, count);
  const usageAfter = await server.usage();
  const usPerCall = ((await timeOfMget(server)) - timeBefore) / calls;
  return {
    usPerCall,
    nsPerKey: (usPerCall * 1000) / count,
    cpuUs: (usageAfter.cpuNs - usageBefore.cpuNs) / 1000 / calls,
    calls,
  };
}

function commandOf(index: number, count: number, keys: number): string[] {
  const words = ['MGET'];
  for (let at = 0; at < count; at += 1) {
    words.push(`key:${((index * count + at) * KEY_STEP) % keys}`);
  }
  return words;
}

async function ask(
  bench: Bench,
  server: MeasuredServer,
  commands: readonly (readonly string[])[],
  calls: number,
  count: number,
): Promise<void> {
  for (let call = 0; call < calls; call += 1) {
    const reply = await server.control.ask(...commands[call % commands.length]!);
    if (Array.isArray(reply) && reply.length === count && !reply.includes(null)) continue;
    bench.failures.push(`${server.name}: MGET of ${count} keys found less`);
    return;
  }
}

/** Microseconds that the server has spent on MGET so far. */
async function timeOfMget(server: MeasuredServer): Promise<number> {
  const line = (await server.control.info('commandstats')).get('cmdstat_mget') ?? '';
  return Number(/usec=(\d+)/.exec(line)?.[1] ?? 0);
}
