// Active defragmentation: values of mixed sizes and types, four fifths of them deleted at random.
// What does the process hold then, what once it has moved the rest together, how long does that
// take, and what do clients notice of it?

import type { Reply } from './control.js';
import {
  type Bench,
  type Contestant,
  measure,
  pinLoad,
  type Sample,
  sendToAllKeys,
  serverChoices,
  specOf,
  startContestant,
} from './measure.js';
import type { Mix } from './mix.js';
import { readResidentBytes } from './process-usage.js';
import { ReplyKind } from './replies.js';
import type { Column, Figure, ResultTable, Row } from './report.js';
import type { ServerChoice } from './servers.js';
import type { Suite } from './suites.js';

const MIB = 2 ** 20;

/** Keys that are filled alike, one kind after the other, over and over. */
const CHUNK_KEYS = 4096;
const CHUNK_KEYS_TINY = 64;
const STRING_BYTES = [24, 90, 200, 350, 700, 1300, 2600, 5000];
const ELEMENT_BYTES = 40;
const HASH_FIELDS = 24;
const LIST_ELEMENTS = 30;
const SET_MEMBERS = 20;
const BOARD_MEMBERS = 150;

/** DELs of a key by chance, for each key there is: one of five is not met. */
const DELETIONS = Math.log(5);
/** Purging and shrinking tables go on for a moment after the last command. */
const SETTLE_MS = 3000;
const POLL_MS = 250;
const WORK_SECONDS_MAX = 120;

const COLUMNS: readonly Column[] = [
  { key: 'usedMib', title: 'used_memory MiB', digits: 0, better: 'less' },
  { key: 'residentMib', title: 'RSS MiB', digits: 0, better: 'less' },
  { key: 'ratio', title: 'RSS / used', digits: 3, better: 'less', isCharted: true },
  { key: 'ratioWithoutBase', title: '(RSS − base) / used', digits: 3, better: 'less' },
  { key: 'pagesRatio', title: 'pages / used', digits: 3, better: 'less' },
  { key: 'seconds', title: 'seconds', digits: 1, better: 'less' },
  { key: 'p50Ms', title: 'TYPE p50 ms', digits: 3, better: 'less' },
  { key: 'p99Ms', title: 'TYPE p99 ms', digits: 3, better: 'less' },
];

export async function runDefrag(bench: Bench, suite: Suite): Promise<ResultTable[]> {
  const { options } = bench;
  const rows: Row[] = [];
  for (const choice of serverChoices(options)) rows.push(...(await measureServer(bench, choice)));
  const about =
    `${options.keys} keys: strings of ${STRING_BYTES[0]} to ${STRING_BYTES.at(-1)} bytes, ` +
    'hashes, lists, sets, sorted sets, streams; four of five are deleted at random. ' +
    'Base is the RSS of the empty server';
  return [{ title: suite.name, about, columns: COLUMNS, rows }];
}

/** The lines that fill the keys of a chunk, one for each chunk in turn. */
function fillLines(): string[] {
  const many = (count: number, word: (index: number) => string) =>
    Array.from({ length: count }, (_, index) => word(index)).join(' ');
  const element = 'e'.repeat(ELEMENT_BYTES);
  return [
    ...STRING_BYTES.map((bytes) => `SET key:{key} ${'s'.repeat(bytes)}`),
    `HSET key:{key} ${many(HASH_FIELDS, (index) => `field${index} ${element}`)}`,
    `RPUSH key:{key} ${many(LIST_ELEMENTS, () => element)}`,
    `SADD key:{key} ${many(SET_MEMBERS, (index) => `member${index}`)}`,
    `ZADD key:{key} ${many(BOARD_MEMBERS, (index) => `${index} member${index}`)}`,
    `XADD key:{key} * field ${element}`,
  ];
}

async function measureServer(bench: Bench, choice: ServerChoice): Promise<Row[]> {
  const { options } = bench;
  const contestant = await startContestant(bench, choice, options.threads);
  const { control, pid } = contestant.server;
  const residentOf = () => (pid === null ? 0 : (readResidentBytes(pid) ?? 0));
  const rows: Row[] = [];
  const base = residentOf();
  const note = async (label: string, seconds: number, sample: Sample | null) => {
    const memory = await control.info('memory');
    const used = Number(memory.get('used_memory'));
    const resident = residentOf();
    const figures: Record<string, Figure> = {
      usedMib: used / MIB,
      residentMib: resident / MIB,
      ratio: resident / used,
      ratioWithoutBase: (resident - base) / used,
      pagesRatio: Number(memory.get('allocator_frag_ratio')),
      seconds,
      p50Ms: sample?.p50Ms ?? null,
      p99Ms: sample?.p99Ms ?? null,
    };
    rows.push({ label, kind: label, server: choice.name, figures });
    bench.progress.note(`${choice.name}, ${label}: RSS ${Math.round(resident / MIB)} MiB`);
  };
  try {
    pinLoad(contestant);
    let startedMs = performance.now();
    const lap = () => {
      const seconds = (performance.now() - startedMs) / 1000;
      startedMs = performance.now();
      return seconds;
    };
    await fill(bench, contestant);
    await note('full', lap(), null);
    await deleteMost(bench, contestant);
    await rest(options.isTiny ? POLL_MS : SETTLE_MS);
    const before = await readKeys(bench, contestant);
    await note('after the deletions', lap(), before);
    const isOn = await switchOn(bench, contestant);
    const { during, seconds } = await work(bench, contestant, isOn);
    await note('while it works', seconds, during);
    await control.ask('CONFIG', 'SET', 'activedefrag', 'no');
    lap();
    const after = await readKeys(bench, contestant);
    await note('afterwards', lap(), after);
    return rows;
  } finally {
    await contestant.server.stop();
  }
}

async function fill(bench: Bench, contestant: Contestant): Promise<void> {
  const { keys, isTiny } = bench.options;
  const chunk = isTiny ? CHUNK_KEYS_TINY : CHUNK_KEYS;
  const lines = fillLines();
  bench.progress.note(`${contestant.server.name}: filling ${keys} keys`);
  for (let first = 0, turn = 0; first < keys; first += chunk, turn++) {
    const line = lines[turn % lines.length]!;
    await sendToAllKeys(bench, contestant, line, first, Math.min(keys, first + chunk));
  }
}

function mixOf(line: string): Mix {
  const command = { name: line, line, replies: ReplyKind.Any, fill: null, isOrderFree: false };
  return { name: line, entries: [{ command, weight: 1 }] };
}

async function deleteMost(bench: Bench, contestant: Contestant): Promise<void> {
  const { options } = bench;
  await measure(bench, contestant, {
    ...specOf(options, 'GET', 64),
    mix: mixOf('DEL key:{key}'),
    distribution: { kind: 'uniform' },
    count: Math.ceil(options.keys * DELETIONS),
    seconds: null,
  });
}

/** Asks for keys of all types, one command at a time. */
function readKeys(bench: Bench, contestant: Contestant): Promise<Sample> {
  const spec = specOf(bench.options, 'GET', 1);
  return measure(bench, contestant, { ...spec, mix: mixOf('TYPE key:{key}') });
}

/** False where the server cannot: a Redis that was built without its own allocator. */
async function switchOn(bench: Bench, { server }: Contestant): Promise<boolean> {
  const settings = ['active-defrag-ignore-bytes', '1mb', 'active-defrag-threshold-lower', '5'];
  await server.control.ask('CONFIG', 'SET', ...settings);
  const answer: Reply = await server.control
    .ask('CONFIG', 'SET', 'activedefrag', 'yes')
    .catch((error: Error) => error.message);
  if (answer === 'OK') return true;
  bench.progress.note(`${server.name}: ${String(answer)}`);
  return false;
}

/** Reads until nothing is moved any more; the reads while something was are what counts. */
async function work(
  bench: Bench,
  contestant: Contestant,
  isOn: boolean,
): Promise<{ during: Sample; seconds: number }> {
  const { control } = contestant.server;
  const startedMs = performance.now();
  const running = async () =>
    Number((await control.info('memory')).get('active_defrag_running')) > 0;
  const untilMs = startedMs + (bench.options.isTiny ? POLL_MS : WORK_SECONDS_MAX * 1000);
  if (isOn && !bench.options.isTiny) await waitFor(running, startedMs + SETTLE_MS);
  const during = await readKeys(bench, contestant);
  await waitFor(async () => !(await running()), untilMs);
  const seconds = (performance.now() - startedMs) / 1000;
  // What came free goes back to the system in the next moments.
  await rest(bench.options.isTiny ? POLL_MS : SETTLE_MS);
  return { during, seconds };
}

async function waitFor(isReached: () => Promise<boolean>, untilMs: number): Promise<void> {
  while (performance.now() < untilMs && !(await isReached())) await rest(POLL_MS);
}

function rest(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
