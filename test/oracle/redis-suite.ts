// Redis's own test suite against Flagstone as an outside server:
//   node dist/test/oracle/redis-suite.js --suite FOLDER [--threads n] [--unit unit/expire]… [--all]
// FOLDER is an extracted source tree of Redis 7.2 (its `runtest` and `tests`); the suite needs
// tclsh. Tests named in test/oracle/redis-suite-skips.txt are left out; --all runs them too and
// names those that pass, so that the list stays honest. docs/compatibility.md gives the reason of
// each.

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { findProgram, projectRoot, startServer } from '../support/server.js';

const UNITS = [
  'unit/type/string',
  'unit/type/incr',
  'unit/bitops',
  'unit/bitfield',
  'unit/expire',
  'unit/keyspace',
  'unit/scan',
  'unit/lazyfree',
  'unit/protocol',
  'unit/querybuf',
  'unit/quit',
  'unit/info-command',
];
const UNIT_MS_MAX = 300_000;
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
for (const unit of values.unit ?? UNITS) {
  const outcome = await runUnit(unit);
  outcomes.push(outcome);
  show(outcome);
}
process.exitCode = judge(outcomes) ? 0 : 1;

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
async function runUnit(unit: string): Promise<Outcome> {
  const threads = values.threads === undefined ? {} : { threads: Number(values.threads) };
  const server = await startServer(threads);
  try {
    const args = ['--host', '127.0.0.1', '--port', String(server.port), '--durable'];
    args.push('--single', unit);
    if (!values.all) args.push('--skipfile', skipFile);
    const { text, ending } = await runSuite(args);
    const outcome = read(unit, text, ending);
    return server.isRunning ? outcome : { ...outcome, brokenOff: server.report() };
  } finally {
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

/** Prints the sum and what is wrong with the list of skips; true when all is as it should be. */
function judge(all: readonly Outcome[]): boolean {
  const passed = all.flatMap((outcome) => outcome.passed);
  const failed = all.flatMap((outcome) => outcome.failed.map(({ name }) => name));
  const skipped = all.flatMap((outcome) => outcome.skipped);
  const isWhole = all.every((outcome) => outcome.brokenOff === null);
  console.log(`all: ${passed.length} passed, ${failed.length} failed, ${skipped.length} skipped`);
  if (values.all) {
    const needless = [...listed].filter((name) => passed.includes(name) && !failed.includes(name));
    for (const name of needless) console.log(`passes, though listed: ${name}`);
    return isWhole && needless.length === 0 && failed.every((name) => listed.has(name));
  }
  const unknown = values.unit ? [] : [...listed].filter((name) => !skipped.includes(name));
  for (const name of unknown) console.log(`listed, but no such test: ${name}`);
  return isWhole && failed.length === 0 && unknown.length === 0;
}
