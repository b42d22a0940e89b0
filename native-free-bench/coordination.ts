// Suites about what programs coordinate themselves with: transactions, scripts, messages.

import {
  type Bench,
  type Contestant,
  describeCores,
  pinLoad,
  serverChoices,
  startContestant,
  stopAll,
} from './measure.js';
import { Random } from './random.js';
import { encodeAll, LineCounter, repeat } from './repeat.js';
import { type Column, type Figure, median, type ResultTable, type Row } from './report.js';
import type { Suite } from './suites.js';

const COLUMNS: readonly Column[] = [
  {
    ...{ key: 'cpuUs', title: 'CPU µs', digits: 3, better: 'less' },
    ...{ hasRatio: true, isCharted: true },
  },
  { key: 'perSecond', title: 'per s', digits: 0, better: 'more', hasRatio: true },
];

interface Used {
  readonly cpuUs: number;
  readonly perSecond: number;
}

/** One line of a table. `run` does it `count` times on a server. */
interface Case {
  readonly name: string;
  readonly count: number;
  prepare(contestant: Contestant): Promise<void>;
  /** What comes before and after each run, and is not measured. */
  open?(contestant: Contestant): Promise<void>;
  close?(): void;
  run(contestant: Contestant, count: number): Promise<void>;
}

const WARM_SHARE = 4;
const TINY_SHARE = 200;

/** All cases on all servers, round after round, the servers in turn. */
async function compareAll(
  bench: Bench,
  suite: Suite,
  about: string,
  cases: readonly Case[],
  threads: number,
): Promise<ResultTable[]> {
  const { rounds, isTiny } = bench.options;
  const contestants: Contestant[] = [];
  const rows: Row[] = [];
  let where = '';
  try {
    for (const choice of serverChoices(bench.options)) {
      contestants.push(await startContestant(bench, choice, threads));
    }
    where = describeCores(contestants[0]!);
    for (const each of cases) {
      const count = Math.max(20, Math.round(each.count / (isTiny ? TINY_SHARE : 1)));
      const samples = contestants.map(() => [] as Used[]);
      for (const contestant of contestants) {
        await each.prepare(contestant);
        await useOf(contestant, each, Math.ceil(count / WARM_SHARE));
      }
      for (let round = 1; round <= rounds; round++) {
        for (const [index, contestant] of contestants.entries()) {
          const used = await useOf(contestant, each, count);
          samples[index]!.push(used);
          const { name } = contestant.server;
          bench.progress.note(
            `${each.name}: round ${round} of ${rounds}, ${name} ${used.cpuUs.toFixed(3)} µs`,
          );
        }
      }
      for (const [index, { server }] of contestants.entries()) {
        const figures: Record<string, Figure> = {
          cpuUs: median(samples[index]!.map((used) => used.cpuUs)),
          perSecond: median(samples[index]!.map((used) => used.perSecond)),
        };
        rows.push({ label: each.name, kind: each.name, server: server.name, figures });
      }
    }
  } finally {
    await stopAll(contestants);
  }
  const how = `${about}; ${threads} worker(s), ${where}, median of ${rounds} round(s)`;
  return [{ title: suite.name, about: how, columns: COLUMNS, rows }];
}

async function useOf(contestant: Contestant, each: Case, count: number): Promise<Used> {
  pinLoad(contestant);
  const { server } = contestant;
  try {
    await each.open?.(contestant);
    const before = await server.usage();
    const startMs = performance.now();
    await each.run(contestant, count);
    const seconds = (performance.now() - startMs) / 1000;
    const after = await server.usage();
    return { cpuUs: (after.cpuNs - before.cpuNs) / 1000 / count, perSecond: count / seconds };
  } finally {
    each.close?.();
  }
}

// ── Transactions ─────────────────────────────────────────────────────────────────────────────

const BATCHES = 200;
const TEN = 10;

/** Twelve digits of a random key. */
function keyOf(random: Random, keys: number): string {
  return String(random.below(keys)).padStart(12, '0');
}

export function runTransactions(bench: Bench, suite: Suite): Promise<ResultTable[]> {
  const { keys, connections, seed, threads } = bench.options;
  const random = new Random(seed);
  const batches = Array.from({ length: BATCHES }, () => {
    const increments = Array.from({ length: TEN }, () => [
      'INCR',
      `counter:${keyOf(random, keys)}`,
    ]);
    return encodeAll([['MULTI'], ...increments, ['EXEC']]);
  });
  const transaction: Case = {
    name: 'MULTI, 10 INCR, EXEC',
    count: 100_000,
    prepare: async () => {},
    run: ({ server }, count) =>
      repeat({
        ...{ address: server.address, batches, linesPerBatch: 2 * (TEN + 1) },
        ...{ batchCount: count, connections },
      }),
  };
  const about = `one transaction at a time on each of ${connections} connections, CPU for each`;
  return compareAll(bench, suite, about, [transaction], threads);
}

// ── Scripts ──────────────────────────────────────────────────────────────────────────────────

const GET_SCRIPT = "return redis.call('GET', KEYS[1])";
const LOOP_SCRIPT = "for i = 1, 100 do redis.call('INCR', KEYS[1]) end return 100";
// Its key is made by the script, so all partitions are locked.
const WIDE_SCRIPT = "for i = 1, 100 do redis.call('INCR', 'c:' .. ARGV[1]) end return 100";

function scriptCase(
  bench: Bench,
  name: string,
  script: string,
  count: number,
  linesPerReply: number,
  wordsFor: (digits: string) => readonly string[],
): Case {
  const { keys, seed, connections } = bench.options;
  const pipeline = bench.options.pipelines[0]!;
  let batches: Uint8Array[] = [];
  return {
    name,
    count,
    async prepare({ server }) {
      const { control } = server;
      const sha = String(await control.ask('SCRIPT', 'LOAD', script));
      const random = new Random(seed);
      batches = Array.from({ length: BATCHES }, () =>
        encodeAll(
          Array.from({ length: pipeline }, () => [
            'EVALSHA',
            sha,
            ...wordsFor(keyOf(random, keys)),
          ]),
        ),
      );
      for (let index = 0; index < Math.min(keys, 10_000); index++) {
        await control.ask('SET', `key:${String(index).padStart(12, '0')}`, 'v'.repeat(32));
      }
    },
    run: ({ server }, runs) =>
      repeat({
        ...{ address: server.address, batches, linesPerBatch: linesPerReply * pipeline },
        ...{ batchCount: Math.ceil(runs / pipeline), connections },
      }),
  };
}

export async function runScripts(bench: Bench, suite: Suite): Promise<ResultTable[]> {
  const small: Bench = { ...bench, options: { ...bench.options, keys: 10_000 } };
  const cases = [
    scriptCase(small, 'one GET', GET_SCRIPT, 200_000, 2, (key) => ['1', `key:${key}`]),
    scriptCase(small, '100 INCR', LOOP_SCRIPT, 20_000, 1, (key) => ['1', `count:${key}`]),
    scriptCase(small, '100 INCR, undeclared', WIDE_SCRIPT, 20_000, 1, (key) => ['0', key]),
  ];
  const about = `EVALSHA at -P ${bench.options.pipelines[0]}, CPU for each call`;
  const tables = await compareAll(small, suite, about, cases, bench.options.threads);
  const two = await compareAll(small, suite, about, cases, 2);
  return [...tables, { ...two[0]!, title: `${suite.name}: two workers` }];
}

// ── Messages ─────────────────────────────────────────────────────────────────────────────────

const PUBLISH_PIPELINE = 16;
const SUBSCRIBER_COUNTS = [1, 10, 100];
/** A message has seven lines: its head, and two for each of three words. */
const MESSAGE_LINES = 7;
const CONFIRMATION_LINES = 6;
const BATCHES_MIN = 2500;

function publishCase(bench: Bench, subscribers: number): Case {
  const text = 'm'.repeat(bench.options.size);
  const batch = encodeAll(
    Array.from({ length: PUBLISH_PIPELINE }, () => ['PUBLISH', 'channel', text]),
  );
  let listeners: LineCounter[] = [];
  return {
    name: `${subscribers} subscriber${subscribers === 1 ? '' : 's'}`,
    // Messages that are delivered: turns enough for the code to be compiled in the first of them.
    count: Math.max(400_000, subscribers * PUBLISH_PIPELINE * BATCHES_MIN),
    prepare: async () => {},
    async open({ server }) {
      for (let index = 0; index < subscribers; index++) {
        const listener = await LineCounter.open(server.address);
        listener.send(encodeAll([['SUBSCRIBE', 'channel']]));
        await listener.until(CONFIRMATION_LINES);
        listeners.push(listener);
      }
    },
    close() {
      for (const listener of listeners) listener.close();
      listeners = [];
    },
    async run({ server }, count) {
      const { address } = server;
      const batches = Math.max(1, Math.round(count / subscribers / PUBLISH_PIPELINE));
      const lines = CONFIRMATION_LINES + batches * PUBLISH_PIPELINE * MESSAGE_LINES;
      const all = Promise.all(listeners.map((listener) => listener.until(lines)));
      await repeat({
        ...{ address, batches: [batch], linesPerBatch: PUBLISH_PIPELINE },
        ...{ batchCount: batches, connections: 1 },
      });
      await all;
    },
  };
}

export function runPublish(bench: Bench, suite: Suite): Promise<ResultTable[]> {
  const cases = SUBSCRIBER_COUNTS.map((subscribers) => publishCase(bench, subscribers));
  const about =
    `one publisher at -P ${PUBLISH_PIPELINE}, messages of ${bench.options.size} bytes, ` +
    'CPU for each message delivered';
  return compareAll(bench, suite, about, cases, bench.options.threads);
}
