// What users cost: the same GETs by a session that may do everything on a server that watches
// nothing, and on one with the latency monitor and the slow log on by that session, by a user with
// a key pattern, and by users who need a second pattern or a selector.

import {
  type Bench,
  type Contestant,
  fillFor,
  type LoadUser,
  measure,
  medianFigures,
  type Sample,
  serverChoices,
  specOf,
  startContestant,
  stopAll,
} from './measure.js';
import { type Column, median, type ResultTable, type Row } from './report.js';
import type { ServerChoice } from './servers.js';
import type { Suite } from './suites.js';
import { LOAD_COLUMNS } from './throughput.js';

const PASSWORD = 'benchmark';
const UNWATCHED = ['--latency-monitor-threshold', '0', '--slowlog-log-slower-than', '-1'];
const WATCHED = ['--latency-monitor-threshold', '1', '--slowlog-log-slower-than', '10000'];
const MOST = ['+@all', '-@dangerous'];

interface Case {
  readonly label: string;
  readonly isWatched: boolean;
  /** The rules of the user; null for the default user. */
  readonly rules: readonly string[] | null;
}

/** The first is what the others are compared with. */
const CASES: readonly Case[] = [
  { label: 'default user, unwatched', isWatched: false, rules: null },
  { label: 'default user', isWatched: true, rules: null },
  { label: 'one key pattern', isWatched: true, rules: ['~key:*', ...MOST] },
  { label: 'third key pattern', isWatched: true, rules: ['~a:*', '~b:*', '~key:*', ...MOST] },
  { label: 'selector', isWatched: true, rules: ['~a:*', ...MOST, '(%R~key:* +get)'] },
];

const TIMES: Column = { key: 'times', title: '× unwatched', digits: 3, better: 'less' };
const COLUMNS: readonly Column[] = [...LOAD_COLUMNS, TIMES];

export async function runAcl(bench: Bench, suite: Suite): Promise<ResultTable[]> {
  const { options } = bench;
  const rows: Row[] = [];
  for (const choice of serverChoices(options)) {
    for (const pipeline of options.pipelines) {
      rows.push(...(await measureServer(bench, choice, pipeline)));
    }
  }
  const about =
    'GET; the last column is processor time against the default user on a server with latency ' +
    'monitor and slow log off, the median over rounds';
  return [{ title: suite.name, about, columns: COLUMNS, rows }];
}

/** Rounds alternate between the cases, so that a noisy moment hits all alike. */
async function measureServer(bench: Bench, choice: ServerChoice, pipeline: number): Promise<Row[]> {
  const { options, progress } = bench;
  const spec = specOf(options, 'GET', pipeline);
  const contestants: Contestant[] = [];
  try {
    const unwatched = await startContestant(bench, choice, options.threads, UNWATCHED);
    contestants.push(unwatched);
    const watched = await startContestant(bench, choice, options.threads, WATCHED);
    contestants.push(watched);
    for (const contestant of contestants) await fillFor(bench, contestant, spec);
    const users = await Promise.all(CASES.map(({ rules }, at) => makeUser(watched, at, rules)));
    const samples = CASES.map((): Sample[] => []);
    // One more than is counted: code is compiled in the first.
    for (let round = 0; round <= options.rounds; round += 1) {
      for (const [at, { label, isWatched }] of CASES.entries()) {
        progress.note(`${choice.name}: ${label}, -P ${pipeline}`);
        const user = users[at]!;
        const own = user === null ? spec : { ...spec, user };
        const sample = await measure(bench, isWatched ? watched : unwatched, own);
        if (round > 0) samples[at]!.push(sample);
      }
    }
    return CASES.map(({ label }, at): Row => {
      const times = samples[at]!.map(({ cpuUs }, round) => cpuUs / samples[0]![round]!.cpuUs);
      const figures = { ...medianFigures(samples[at]!), times: median(times) };
      return { label: `${label} -P ${pipeline}`, kind: label, server: choice.name, figures };
    });
  } finally {
    await stopAll(contestants);
  }
}

async function makeUser(
  { server }: Contestant,
  number: number,
  rules: readonly string[] | null,
): Promise<LoadUser | null> {
  if (rules === null) return null;
  const name = `user${number}`;
  await server.control.ask('ACL', 'SETUSER', name, 'on', `>${PASSWORD}`, ...rules);
  return { name, password: PASSWORD };
}
