// Suites about the data types: the tests that redis-benchmark has for them, a board of a million
// members, and bytes for each element.

import {
  type Bench,
  type Contestant,
  describeCores,
  type LoadSpec,
  measure,
  medianFigures,
  pinLoad,
  type Sample,
  sendToAllKeys,
  serverChoices,
  specOf,
  startContestant,
  stopAll,
} from './measure.js';
import type { Column, Figure, ResultTable, Row } from './report.js';
import type { Suite } from './suites.js';
import { LOAD_COLUMNS } from './throughput.js';

/** One command on a collection; {key} counts the elements of a fill. */
interface CollectionCase {
  readonly name: string;
  readonly line: string;
  /** Sent once per element before each round; null starts from nothing. */
  readonly fill: string | null;
  /** Elements filled, in commands of a round: pops need one for each, ranges a few. */
  readonly filled: 'each' | number;
  /** A whole range costs as much as many pushes. */
  readonly share: number;
}

const LIST_FILL = 'RPUSH mylist {value}';

function one(
  name: string,
  line: string,
  fill: string | null = null,
  filled: 'each' | number = 'each',
  share = 1,
): CollectionCase {
  return { name, line, fill, filled, share };
}

// The words of redis-benchmark's own tests.
const TYPE_CASES: readonly CollectionCase[] = [
  one('LPUSH', 'LPUSH mylist {value}'),
  one('RPUSH', 'RPUSH mylist {value}'),
  one('LPOP', 'LPOP mylist', LIST_FILL),
  one('RPOP', 'RPOP mylist', LIST_FILL),
  one('SADD', 'SADD myset element:{random}'),
  one('HSET', 'HSET myhash element:{random} {value}'),
  one('SPOP', 'SPOP myset', 'SADD myset element:{key}'),
  one('ZADD', 'ZADD myzset {random} element:{random}'),
  one('ZPOPMIN', 'ZPOPMIN myzset', 'ZADD myzset {random} element:{key}'),
  one('LRANGE_100', 'LRANGE mylist 0 99', LIST_FILL, 2000, 0.1),
  one('LRANGE_300', 'LRANGE mylist 0 299', LIST_FILL, 2000, 0.04),
  one('LRANGE_600', 'LRANGE mylist 0 599', LIST_FILL, 2000, 0.02),
  one('XADD', 'XADD mystream * myfield {value}'),
];

// A line cannot hold a random rank and the one nine behind it: many places all over the board.
const RANK_PLACES = 250;
const RANK_LINES = Array.from({ length: RANK_PLACES }, (_, place) => place * 3989)
  .map((rank) => `ZRANGE board ${rank} ${rank + 9}`)
  .join(',');

const BOARD_FILL = 'ZADD board {random} member:{key}';
const BOARD_CASES: readonly CollectionCase[] = [
  one('ZADD existing', BOARD_FILL),
  one('ZADD new', 'ZADD board {random} fresh:{random}{key}'),
  one('ZRANK', 'ZRANK board member:{key}'),
  one('ZRANGE by rank', RANK_LINES, null, 'each', 0.5),
  one('ZRANGE by score', 'ZRANGEBYSCORE board {random} +inf LIMIT 0 10', null, 'each', 0.5),
  one('ZINCRBY', 'ZINCRBY board 1 member:{key}'),
];

/** Commands of a round; as many warm the server up first. */
const ROUND_COUNT = 400_000;
const ROUND_COUNT_TINY = 8000;
const WARM_SHARE = 1;

export async function runTypes(bench: Bench, suite: Suite): Promise<ResultTable[]> {
  return withContestants(bench, async (contestants) => {
    const rows: Row[] = [];
    for (const each of TYPE_CASES)
      rows.push(...(await compareCase(bench, contestants, each, true)));
    return [table(bench, contestants, suite.name, rows)];
  });
}

/** One sorted set of a million members on each server. */
export async function runBoard(bench: Bench, suite: Suite): Promise<ResultTable[]> {
  const members = bench.options.keys;
  return withContestants(bench, async (contestants) => {
    for (const contestant of contestants) {
      bench.progress.note(`${contestant.server.name}: a board of ${members} members`);
      await sendToAllKeys(bench, contestant, BOARD_FILL, 0, members);
    }
    const rows: Row[] = [];
    for (const each of BOARD_CASES) {
      rows.push(...(await compareCase(bench, contestants, each, false)));
    }
    return [table(bench, contestants, suite.name, rows)];
  });
}

async function withContestants(
  bench: Bench,
  body: (contestants: readonly Contestant[]) => Promise<ResultTable[]>,
): Promise<ResultTable[]> {
  const contestants: Contestant[] = [];
  try {
    for (const choice of serverChoices(bench.options)) {
      contestants.push(await startContestant(bench, choice, bench.options.threads));
    }
    return await body(contestants);
  } finally {
    await stopAll(contestants);
  }
}

async function compareCase(
  bench: Bench,
  contestants: readonly Contestant[],
  each: CollectionCase,
  isFresh: boolean,
): Promise<Row[]> {
  const { rounds, isTiny } = bench.options;
  const full = bench.options.count ?? (isTiny ? ROUND_COUNT_TINY : ROUND_COUNT);
  const count = Math.max(2000, Math.round(full * each.share));
  const samples: Sample[][] = contestants.map(() => []);
  // Round 0 warms up.
  for (let round = 0; round <= rounds; round += 1) {
    for (const [index, contestant] of contestants.entries()) {
      const { server } = contestant;
      pinLoad(contestant);
      const commands = round === 0 ? Math.max(2000, Math.ceil(count / WARM_SHARE)) : count;
      if (isFresh) await prepare(bench, contestant, each, commands);
      const spec = specFor(bench, each, commands, round);
      const sample = await measure(bench, contestant, spec);
      if (round > 0) samples[index]!.push(sample);
      bench.progress.note(
        `${each.name}: round ${round} of ${rounds}, ${server.name} ${sample.cpuUs.toFixed(3)} µs`,
      );
    }
  }
  return contestants.map(({ server }, index) => ({
    label: each.name,
    kind: each.name,
    server: server.name,
    figures: medianFigures(samples[index]!),
  }));
}

async function prepare(
  bench: Bench,
  contestant: Contestant,
  each: CollectionCase,
  commands: number,
): Promise<void> {
  await contestant.server.control.ask('FLUSHALL');
  if (each.fill === null) return;
  const elements = each.filled === 'each' ? commands : each.filled;
  await sendToAllKeys(bench, contestant, each.fill, 0, elements);
}

function specFor(bench: Bench, each: CollectionCase, count: number, round: number): LoadSpec {
  const { options } = bench;
  const spec = specOf(options, each.line, options.pipelines[0]!);
  return { ...spec, count, seconds: null, seed: spec.seed + round };
}

function table(
  bench: Bench,
  contestants: readonly Contestant[],
  title: string,
  rows: readonly Row[],
): ResultTable {
  const { connections, keys, size, rounds, pipelines, threads } = bench.options;
  const about =
    `${connections} connections, -P ${pipelines[0]}, ${keys} different elements, ${size}-byte ` +
    `values, median of ${rounds} round(s); ${threads} worker(s), ${describeCores(contestants[0]!)}`;
  return { title, about, columns: LOAD_COLUMNS, rows };
}

const ELEMENT_COLUMNS: readonly Column[] = [
  {
    ...{ key: 'bytes', title: 'used bytes/element', digits: 1, better: 'less' },
    ...{ hasRatio: true, isCharted: true },
  },
  { key: 'elements', title: 'elements', digits: 0, better: null },
  { key: 'throughput', title: 'fill/s', digits: 0, better: 'more' },
];

const TEN_DIGITS = 10;
// {key} has twelve digits: with a prefix of four it makes the sixteen bytes that are compared.
const ELEMENT_CASES: readonly { readonly name: string; readonly line: string }[] = [
  { name: 'sorted set, members of 16', line: 'ZADD big {random} mem:{key}' },
  { name: 'set, members of 16', line: 'SADD big mem:{key}' },
  { name: 'hash, 12 + 10', line: `HSET big {key} ${'v'.repeat(TEN_DIGITS)}` },
  { name: 'list, elements of 16', line: 'RPUSH big val:{key}' },
  { name: 'stream, two small fields', line: 'XADD big * x 12 y 34' },
  {
    name: 'hashes of 5 fields, 10 + 10',
    line: `HSET h:{key} ${[1, 2, 3, 4, 5].map((n) => `fieldname${n} value${n}6789`).join(' ')}`,
  },
];

export async function runElements(bench: Bench, suite: Suite): Promise<ResultTable[]> {
  const { keys } = bench.options;
  const rows: Row[] = [];
  for (const choice of serverChoices(bench.options)) {
    const contestant = await startContestant(bench, choice, bench.options.threads);
    try {
      pinLoad(contestant);
      for (const each of ELEMENT_CASES) {
        const figures = await measureElements(bench, contestant, each.line);
        rows.push({ label: each.name, kind: each.name, server: choice.name, figures });
      }
    } finally {
      await contestant.server.stop();
    }
  }
  const order = ELEMENT_CASES.map((each) => each.name);
  rows.sort((a, b) => order.indexOf(a.label) - order.indexOf(b.label));
  const about = `${keys} elements each; the difference of used_memory for each element`;
  return [{ title: suite.name, about, columns: ELEMENT_COLUMNS, rows }];
}

async function measureElements(
  bench: Bench,
  contestant: Contestant,
  line: string,
): Promise<Record<string, Figure>> {
  const { server } = contestant;
  const { keys } = bench.options;
  await server.control.ask('FLUSHALL');
  const before = await server.usedMemory();
  bench.progress.note(`${server.name}: ${line}`);
  const result = await sendToAllKeys(bench, contestant, line, 0, keys);
  return {
    bytes: ((await server.usedMemory()) - before) / keys,
    elements: keys,
    throughput: result.commands / (result.elapsedMs / 1000),
  };
}
