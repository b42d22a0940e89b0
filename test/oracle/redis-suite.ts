// Redis's own test suite against Flagstone as an outside server:
//   node dist/test/oracle/redis-suite.js --suite FOLDER [--threads n] [--resp3] [--all]
//     [--unit unit/expire]… [--only NAME]…
// FOLDER is an extracted source tree of Redis 7.2 (its `runtest` and `tests`); the suite needs
// tclsh. Tests named in test/oracle/redis-suite-skips.txt are left out; --all runs them afterwards
// and names those that pass, so that the list stays honest. docs/compatibility.md gives the reason
// of each. --resp3 runs the suite over RESP3, --only runs single tests, and with FLAGSTONE_COMMAND
// set to a redis-server the same run says what Redis itself comes to.

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { findProgram, projectRoot, startServer } from '../support/server.js';
import { openResp3Door } from './resp3-door.js';

const UNITS = [
  'unit/type/string',
  'unit/type/incr',
  'unit/bitops',
  'unit/bitfield',
  'unit/dump',
  'unit/expire',
  'unit/keyspace',
  'unit/scan',
  'unit/lazyfree',
  'unit/protocol',
  'unit/querybuf',
  'unit/quit',
  'unit/info-command',
  'unit/type/list',
  'unit/type/list-2',
  'unit/type/list-3',
  'unit/type/hash',
  'unit/type/set',
  'unit/type/zset',
  'unit/type/stream',
  'unit/type/stream-cgroups',
  'unit/geo',
  'unit/hyperloglog',
  'unit/sort',
  'unit/multi',
  'unit/slowlog',
  'unit/introspection',
  'unit/introspection-2',
  'unit/other',
  'unit/pubsub',
  'unit/pubsubshard',
  'unit/tracking',
  'unit/latency-monitor',
  'unit/pause',
  'unit/scripting',
  'unit/functions',
];
/**
 * Units that rewrite the append log and load it again: it is on from the start, so that none of
 * their rewrites meets that of the first base.
 */
const WITH_LOG: ReadonlySet<string> = new Set([
  'unit/other',
  'unit/type/stream',
  'unit/type/stream-cgroups',
]);
const UNIT_MS_MAX = 300_000;
/** The suite listens in the 32 ports below its base; two runs at a time must not share them. */
const BASE_PORT = 21_111 + 64 * (1 + (process.pid % 100));
const DETAIL_COLUMNS = 160;

/** What one unit came to. */
interface Outcome {
  readonly unit: string;
  readonly passed: readonly string[];
  readonly failed: readonly Failure[];
  readonly skipped: readonly string[];
  /** What the suite itself leaves out against an outside server. */
  readonly ignored: readonly string[];
  /** Why the unit did not come to its end, or null. */
  readonly brokenOff: string | null;
}

interface Failure {
  readonly name: string;
  readonly detail: string;
}

const { values } = parseArgs({
  options: {
    suite: { type: 'string' },
    threads: { type: 'string' },
    unit: { type: 'string', multiple: true },
    only: { type: 'string', multiple: true },
    resp3: { type: 'boolean' },
    all: { type: 'boolean' },
  },
});
const suite = suiteFolder(values.suite);
const skipFile = path.join(projectRoot(), 'test/oracle/redis-suite-skips.txt');
const listed = new Set(
  readFileSync(skipFile, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#')),
);
const outcomes: Outcome[] = [];
const needless: string[] = [];
for (const unit of values.unit ?? UNITS) {
  const chosen = (values.only ?? []).flatMap((name) => ['--only', name]);
  const outcome = await runUnit(unit, chosen.length > 0 ? chosen : ['--skipfile', skipFile]);
  outcomes.push(outcome);
  show(outcome);
  if (values.all && chosen.length === 0) needless.push(...(await passing(unit, outcome.skipped)));
}
process.exitCode = judge(outcomes, needless) ? 0 : 1;

function suiteFolder(folder: string | undefined): string {
  if (folder === undefined) stop('Name the source tree of Redis 7.2: --suite FOLDER');
  if (!existsSync(path.join(folder, 'tests/test_helper.tcl'))) stop(`${folder} has no tests`);
  if (findProgram('tclsh') === null && findProgram('tclsh8.6') === null)
    stop('No tclsh on the PATH');
  return folder;
}

function stop(sentence: string): never {
  console.error(sentence);
  process.exit(2);
}

/** Each run gets a server of its own: what one leaves behind does not touch the next. */
async function runUnit(unit: string, more: readonly string[]): Promise<Outcome> {
  const threads = values.threads === undefined ? {} : { threads: Number(values.threads) };
  const log = WITH_LOG.has(unit) ? { args: ['--appendonly', 'yes'] } : {};
  const server = await startServer({ ...threads, ...log });
  const door = values.resp3 ? await openResp3Door(server.port) : null;
  try {
    const args = ['--host', '127.0.0.1', '--port', String((door ?? server).port), '--durable'];
    args.push('--baseport', String(BASE_PORT), '--single', unit);
    if (door !== null) args.push('--force-resp3');
    args.push(...more);
    const { text, ending } = await runSuite(args);
    const outcome = read(unit, text, ending);
    return server.isRunning ? outcome : { ...outcome, brokenOff: server.report() };
  } finally {
    door?.close();
    await server.stop();
  }
}

function runSuite(args: readonly string[]): Promise<{ text: string; ending: string | null }> {
  return new Promise((resolve) => {
    // A process group of its own, because the suite starts processes that would stay.
    const child = spawn('./runtest', args, { cwd: suite, detached: true, stdio: 'pipe' });
    let text = '';
    let ending: string | null = null;
    const keep = (chunk: string): void => {
      text += chunk;
    };
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', keep);
    const timer = setTimeout(() => {
      ending = `it took longer than ${UNIT_MS_MAX / 1000} seconds`;
      process.kill(-child.pid!, 'SIGKILL');
    }, UNIT_MS_MAX);
    child.on('error', (error) => {
      ending = error.message;
    });
    child.on('close', () => {
      clearTimeout(timer);
      resolve({ text, ending });
    });
  });
}

function read(unit: string, coloured: string, ending: string | null): Outcome {
  const passed: string[] = [];
  const failed: Failure[] = [];
  const skipped: string[] = [];
  const ignored: string[] = [];
  let brokenOff = ending ?? 'the suite printed no end of the unit';
  let hasEnded = false;
  const lines = coloured.replaceAll(/\x1b\[[0-9;]*m/g, '').split('\n');
  for (const [index, line] of lines.entries()) {
    const [, status, rest] = /^\[(\w+|\d+\/\d+ done)\]: (.*)$/.exec(line) ?? [];
    if (status === undefined || rest === undefined) continue;
    if (status === 'ok') passed.push(rest.replace(/ \(\d+ ms\)$/, ''));
    else if (status === 'skip') skipped.push(rest);
    else if (status === 'ignore') ignored.push(rest);
    else if (status === 'exception') brokenOff = rest;
    else if (status.endsWith('done')) hasEnded = true;
    else if (status === 'err') {
      const name = rest.replace(/ in tests\/\S+\.tcl$/, '');
      failed.push({ name, detail: (lines[index + 1] ?? '').slice(0, DETAIL_COLUMNS) });
    }
  }
  const isWhole = hasEnded && ending === null;
  return { unit, passed, failed, skipped, ignored, brokenOff: isWhole ? null : brokenOff };
}

function show(outcome: Outcome): void {
  const { unit, passed, failed, skipped, ignored, brokenOff } = outcome;
  console.log(
    `${unit.padEnd(20)} ${passed.length} passed, ${failed.length} failed, ` +
      `${skipped.length} skipped, ${ignored.length} not for outside servers`,
  );
  for (const { name, detail } of failed) console.log(`  failed: ${name}\n    ${detail}`);
  if (brokenOff !== null) console.log(`  broken off: ${brokenOff}`);
}

/**
 * Which of the tests that are left out would pass. First all together, because some need what
 * another has made; then those that did not each alone, because a test that breaks off leaves
 * clients and keys behind that make others fail.
 */
async function passing(unit: string, names: readonly string[]): Promise<readonly string[]> {
  if (names.length === 0) return [];
  const together = await runUnit(
    unit,
    [...new Set(names)].flatMap((name) => ['--only', name]),
  );
  const passed = new Set(together.passed);
  for (const name of new Set(names)) {
    if (passed.has(name) && !together.failed.some((failure) => failure.name === name)) continue;
    passed.delete(name);
    const alone = await runUnit(unit, ['--only', name]);
    if (alone.passed.length > 0 && alone.failed.length === 0) passed.add(name);
  }
  for (const name of passed) console.log(`  passes, though listed: ${name}`);
  return [...passed];
}

/** Prints the sum and what is wrong with the list of skips; true when all is as it should be. */
function judge(all: readonly Outcome[], needless: readonly string[]): boolean {
  const passed = all.flatMap((outcome) => outcome.passed);
  const failed = all.flatMap((outcome) => outcome.failed);
  const skipped = all.flatMap((outcome) => outcome.skipped);
  const isWhole = all.every((outcome) => outcome.brokenOff === null);
  console.log(`all: ${passed.length} passed, ${failed.length} failed, ${skipped.length} skipped`);
  const isPart = values.unit !== undefined || values.only !== undefined;
  const unknown = isPart ? [] : [...listed].filter((name) => !skipped.includes(name));
  for (const name of unknown) console.log(`listed, but no such test: ${name}`);
  return isWhole && failed.length + needless.length + unknown.length === 0;
}
