// From the words of a command line to a report: which suite, with which options, and where results
// go.

import { writeFileSync } from 'node:fs';
import { runFloors } from './floors.js';
import { LoadCrew } from './load-threads.js';
import { describeMachine, findProgram } from './machine.js';
import {
  type CommandLine,
  describeOptions,
  type Options,
  parseCommandLine,
  resolveOptions,
  type Tool,
} from './options.js';
import { renderPage } from './page.js';
import type { Progress } from './progress.js';
import { printMachine, printTable, type Report, type ResultTable, withRatios } from './report.js';
import { describeSuites, findSuite, type Suite } from './suites.js';

export interface Surroundings {
  readonly progress: Progress;
  print(text: string): void;
}

/** Runs what the command line asks for; answers the exit code. */
export async function runBenchmark(
  args: readonly string[],
  { progress, print }: Surroundings,
): Promise<number> {
  const line = parseCommandLine(args);
  if (line.isHelp) {
    print(usage());
    return 0;
  }
  const report = await measureAll(line, args, progress);
  progress.end();
  for (const table of report.tables) print(`\n${printTable(table)}`);
  print(`\n${printMachine(report.machine)}`);
  for (const failure of report.failures) print(`FAILURE ${failure}`);
  if (line.given.json) writeFileSync(line.given.json, `${JSON.stringify(report, null, 2)}\n`);
  if (line.given.html) writeFileSync(line.given.html, renderPage(report));
  return report.failures.length === 0 ? 0 : 1;
}

async function measureAll(
  line: CommandLine,
  args: readonly string[],
  progress: Progress,
): Promise<Report> {
  const [name = 'load', ...rest] = line.words;
  const failures: string[] = [];
  let tables: ResultTable[];
  if (name === 'floors') {
    tables = await runFloors(rest, { isTiny: line.given.isTiny === true, progress });
  } else {
    if (rest.length > 0)
      throw new Error(`one benchmark at a time: '${rest.join(' ')}' is too much`);
    const suite = findSuite(name);
    const options = suiteOptions(suite, line);
    const crew = new LoadCrew(options.loadThreads);
    try {
      tables = await suite.run({ options, progress, crew, failures }, suite);
    } finally {
      await crew.end();
    }
  }
  return {
    command: ['npm run bench --', ...args].join(' '),
    machine: describeMachine(),
    tables: tables.map(withRatios),
    failures,
  };
}

function suiteOptions(suite: Suite, line: CommandLine): Options {
  const options = resolveOptions(line.given, suite.defaults, suite.tiny);
  if (suite.isStarter && options.targets.length > 0) {
    throw new Error(`'${suite.name}' starts its servers itself, so it takes no --target`);
  }
  const hasNative = findProgram('redis-benchmark') !== null;
  if (options.tool === 'redis-benchmark' && !hasNative) {
    throw new Error('redis-benchmark is not on the PATH; --benchmark-tool own needs nothing');
  }
  const tool: Tool = options.tool ?? (suite.prefersNative && hasNative ? 'redis-benchmark' : 'own');
  return { ...options, tool };
}

function usage(): string {
  return `npm run bench -- [name] [options]

Benchmarks
${describeSuites()}
  floors       Single structures, as in floors NAME; nanoseconds for each operation.

Options
${describeOptions()}

Without --target it starts Flagstone and, where redis-server is on the PATH, real Redis.`;
}
