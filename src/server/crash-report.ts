// What the process leaves behind in its log when it must not go on: a broken assertion, an error
// that nobody catches, the death of a thread. In the form of Redis's reports, so that people and
// programs that look for one find it: who, where, doing what, with which locks, and how things
// stood. The first thread that reports is the only one: what follows it follows from it.
//
// A partition may be torn by then, and its lock may never be released. So nothing here takes a
// lock or looks into a value: all figures are counters, read as they are.

import { release } from 'node:os';
import { systemDate } from '../base/clock.js';
import type { Slices } from '../base/slices.js';
import { ControlBlock } from '../mesh/control.js';
import { heldBytesOf } from '../slab/alloc.js';
import { inspectLock } from '../slab/lock.js';
import { Header, type Slab, usedBytesOf } from '../slab/slab.js';
import { Counter, ServerStats } from '../stats/server.js';
import { secretsOf } from '../stats/slowlog.js';
import type { Executor } from './executor.js';
import type { LogFile } from './log-file.js';
import { attachSlabs, type ProcessShape, statThreads } from './shape.js';
import { FLAGSTONE_VERSION, REDIS_VERSION } from './version.js';

const WORDS_MAX = 16;
const WORD_BYTES_MAX = 128;
/** A script's stack may be as long as it likes. */
const STACK_LINES_MAX = 64;

/** What the thread that reports knows of itself. */
export interface Reporter {
  readonly shape: ProcessShape;
  /** "worker 0", "main". */
  readonly name: string;
  /** Its number as a holder of locks; −1 for one that holds none. */
  readonly holder: number;
  /** What it was doing, in lines. */
  describe(): string[];
}

let reporter: Reporter | null = null;

/** This thread is the one that reports what happens to it. */
export function setReporter(own: Reporter): void {
  reporter = own;
}

/** An executing thread: reports also what none of its promises catches, and ends by it. */
export function watchOver(executor: Executor): void {
  const { shape, thread, log } = executor;
  const edge = shape.facts.edges[thread - shape.facts.threadCount];
  const name = edge === undefined ? `worker ${thread}` : `${edge} ${thread}`;
  setReporter({ shape, name, holder: thread, describe: () => describeCommand(executor) });
  process.on('uncaughtException', (error) => {
    reportCrash(log, error);
    process.exit(1);
  });
}

/** Writes the report, unless another thread has done so already. */
export function reportCrash(log: LogFile, error: unknown, signal = ''): void {
  const control = reporter === null ? null : new ControlBlock(reporter.shape.control);
  if (control !== null && !control.noteCrash()) return;
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const cause = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  log.write('warning', '=== FLAGSTONE BUG REPORT START: Cut & paste starting from here ===');
  log.write('warning', describeBuild());
  log.write('warning', signal === '' ? `crashed by ${cause}` : `crashed by signal: ${signal}`);
  const lines = ['', '------ STACK TRACE ------'];
  lines.push(...stack.split('\n').slice(0, STACK_LINES_MAX));
  if (reporter !== null) lines.push(...describeState(reporter));
  log.writeLines(lines);
  log.write('warning', '=== FLAGSTONE BUG REPORT END ===');
}

function describeBuild(): string {
  const { node, v8 } = process.versions;
  return (
    `Flagstone ${FLAGSTONE_VERSION} (Redis ${REDIS_VERSION}), Node.js ${node}, V8 ${v8}, ` +
    `${process.platform} ${release()} ${process.arch}`
  );
}

function describeState(own: Reporter): string[] {
  const slabs = attachSlabs(own.shape.slabs, own.shape.slabStarts);
  return [
    '',
    '------ THREAD ------',
    own.name,
    ...own.describe(),
    '',
    '------ LOCKS ------',
    ...describeLocks(slabs, own.holder),
    '',
    '------ INFO OUTPUT ------',
    ...describeFigures(own.shape, slabs),
    '',
  ];
}

/** Which partitions are locked, and by whom. */
function describeLocks(slabs: readonly Slab[], holder: number): string[] {
  const lines: string[] = [];
  for (const { index, i32 } of slabs) {
    const { holderThread, command, hasWaiters } = inspectLock(i32, Header.Lock);
    if (holderThread === -1) continue;
    const who = holderThread === holder ? 'this thread' : `thread ${holderThread}`;
    const what = command > 0 ? `, for command ${command - 1}` : '';
    lines.push(`partition ${index}: held by ${who}${what}${hasWaiters ? ', others wait' : ''}`);
  }
  return lines.length === 0 ? ['no partition is locked'] : lines;
}

function describeFigures(shape: ProcessShape, slabs: readonly Slab[]): string[] {
  const { facts } = shape;
  const stats = new ServerStats(shape.serverStats, statThreads(shape), 0);
  const used = slabs.reduce((sum, slab) => sum + usedBytesOf(slab), 0);
  const held = slabs.reduce((sum, slab) => sum + heldBytesOf(slab), 0);
  const full = slabs.reduce((most, slab) => (usedBytesOf(slab) > usedBytesOf(most) ? slab : most));
  const uptimeMs = systemDate().getTime() - facts.startedMs;
  return [
    `process_id:${facts.processId}`,
    `run_id:${facts.runId}`,
    `uptime_in_seconds:${Math.max(0, Math.floor(uptimeMs / 1000))}`,
    `threads:${facts.threadCount}`,
    `edges:${facts.edges.join(' ')}`,
    `transport:${facts.transport}`,
    `partitions:${slabs.length}`,
    `used_memory:${used}`,
    `allocator_active:${held}`,
    `used_memory_rss:${process.memoryUsage.rss()}`,
    `fullest_partition:${full.index},used=${usedBytesOf(full)}`,
    `total_connections_received:${stats.total(Counter.ConnectionsReceived)}`,
    `total_net_input_bytes:${stats.total(Counter.InputBytes)}`,
    `total_net_output_bytes:${stats.total(Counter.OutputBytes)}`,
    `total_error_replies:${stats.total(Counter.ErrorReplies)}`,
    `changes:${stats.total(Counter.Changes)}`,
  ];
}

/** The command that an executing thread runs, or ran last. */
function describeCommand({ runner }: Executor): string[] {
  const { command, args, session, executing } = runner.context;
  const lines = [`command: ${command.fullName}`];
  if (executing !== null) lines.push(`inside of: ${executing.fullName}`);
  if (session.id !== 0) {
    lines.push(
      `client: id=${session.id} addr=${session.address} name=${session.name} ` +
        `db=${session.database} resp=${session.protocol}`,
    );
  }
  const words = wordsOf(command.fullName, args);
  words.forEach((word, index) => {
    lines.push(`argv[${index}]: ${word}`);
  });
  return lines;
}

function wordsOf(fullName: string, args: Slices): string[] {
  try {
    const secrets = secretsOf(fullName, args);
    const shown = Math.min(args.count, WORDS_MAX);
    const words = Array.from({ length: shown }, (_, index) => {
      if (secrets.has(index)) return '(redacted)';
      const text = args.text(index);
      const rest = text.length - WORD_BYTES_MAX;
      const more = rest > 0 ? `... (${rest} more bytes)` : '';
      return `${JSON.stringify(text.slice(0, WORD_BYTES_MAX))}${more}`;
    });
    if (args.count > shown) words.push(`... (${args.count - shown} more arguments)`);
    return words;
  } catch {
    // They may be what is broken.
    return ['the arguments cannot be read'];
  }
}
