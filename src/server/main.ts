#!/usr/bin/env node
// The process: command line, configuration, shared memory, threads, signals, an orderly end.

import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { SystemClock } from '../base/clock.js';
import { addressOf, isLibcAvailable, madviseNoHugePage, setrlimitNoFile } from '../base/libc.js';
import { allCommands } from '../commands/index.js';
import { HELP_TEXT, parseCommandLine, versionText } from '../config/command-line.js';
import { Config } from '../config/config.js';
import { ConfigError } from '../config/config-error.js';
import { readStandardInput } from '../config/files.js';
import { loadConfig } from '../config/load.js';
import { CommandTable } from '../dispatch/table.js';
import { ControlBlock } from '../mesh/control.js';
import { MessageKind, type MessageHandlers, Post } from '../mesh/post.js';
import { type Listener, openListeners } from '../net/listen.js';
import { locksHeld } from '../slab/lock.js';
import { PAGE_BYTES } from '../slab/alloc.js';
import { type Slab, usedBytesOf } from '../slab/slab.js';
import { CommandStats } from '../stats/commands.js';
import { ServerStats } from '../stats/server.js';
import type { AcceptorStart } from './acceptor.js';
import { LogFile } from './log-file.js';
import { attachSlabs, createShape, type ProcessShape, reserveSlabs } from './shape.js';
import { FLAGSTONE_VERSION, REDIS_VERSION } from './version.js';
import type { WorkerStart } from './worker.js';

/** Descriptors the process needs beside its clients': files, epoll sets, bells, Node's own. */
const SPARE_DESCRIPTORS = 64;
const CRON_MS = 100;
/**
 * Garbage of a worker is little and dies at once: a nursery of Node's usual 48 MB would only be memory
 * that the process holds beside the data.
 */
const YOUNG_GENERATION_MB = 6;
/**
 * V8 stops inlining into a function once so many bytes of bytecode have gone in (920 by default). The
 * road of a command is a chain of small accessors and wants more: 12 % less CPU per command, see
 * docs/performance.md. Must be set before the threads start.
 */
const INLINING_FLAGS = '--max-inlined-bytecode-size-cumulative=4000 --max-inlined-bytecode-size=800';

interface Started {
  readonly shape: ProcessShape;
  readonly control: ControlBlock;
  readonly config: Config;
  readonly log: LogFile;
  readonly workers: Worker[];
  /** Servers of the node transport that hold the listening descriptors. */
  readonly holders: readonly ReturnType<typeof createServer>[];
}

async function main(): Promise<number> {
  const commandLine = parseCommandLine(process.argv.slice(2));
  if (commandLine.action === 'version') return say(versionText(REDIS_VERSION));
  if (commandLine.action === 'help') return say(HELP_TEXT);
  const table = new CommandTable(allCommands);
  const config = loadConfig({
    file: commandLine.file,
    stdinText: commandLine.isStdinWanted ? readStandardInput() : null,
    options: commandLine.options,
    serverVersion: REDIS_VERSION,
    commandNames: table.byName.keys(),
  });
  const log = new LogFile();
  log.configure(config.text('logfile'), config.text('loglevel'));
  enterDirectory(config);
  log.write('notice', `Flagstone ${FLAGSTONE_VERSION} (Redis ${REDIS_VERSION}) is starting`);
  for (const warning of config.warnings()) log.write('warning', warning);
  const started = await start(config, log, table);
  await serve(started);
  return 0;
}

function say(text: string): number {
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
  return 0;
}

function enterDirectory(config: Config): void {
  const directory = config.text('dir');
  if (!existsSync(directory)) mkdirSync(directory, { recursive: true });
  process.chdir(directory);
}

async function start(config: Config, log: LogFile, table: CommandTable): Promise<Started> {
  const transport = chooseTransport(config, log);
  const threadCount = chooseThreads(config, transport, log);
  const clientsMax = chooseClientsMax(config, transport, log);
  const warn = (line: string) => log.write('warning', line);
  // Before anything large is made: a port in use is the commonest reason to stop here.
  const native = transport === 'native' ? openListeners(listenPlan(config), warn) : [];
  const holders = transport === 'node' ? await openHolders(config) : [];
  const slabs = reserveSlabs(
    config.number('partitions'),
    Math.floor(config.number('partition-size') / 4096) * 4096,
    warn,
  );
  const slabStarts = slabs.map((slab) => (transport === 'native' ? alignedStart(slab) : 0));
  const shape = createShape({
    facts: {
      runId: randomBytes(20).toString('hex'),
      version: FLAGSTONE_VERSION,
      startedMs: Date.now(),
      configFile: config.file ?? '',
      executable: fileURLToPath(import.meta.url),
      processId: process.pid,
      port: config.number('port'),
      threadCount,
      transport,
      partitionBytes: slabs[0]!.byteLength - PAGE_BYTES,
    },
    slabs,
    slabStarts,
    databaseCount: config.number('databases'),
    commandCount: table.all.length,
    clientsMax,
    listeningFds: holders.map((holder) => descriptorOf(holder)),
  });
  const control = new ControlBlock(shape.control);
  new SystemClock(new Float64Array(shape.clock)).followWallClock();
  control.changeConfig(() => control.writeConfig(config.serialise()));
  const workers = startThreads(shape, native);
  return { shape, control, config, log, workers, holders };
}

/** Where the first whole page of the buffer begins; asks for small pages from there on. */
function alignedStart(slab: SharedArrayBuffer): number {
  const address = addressOf(slab);
  const start = (PAGE_BYTES - (address % PAGE_BYTES)) % PAGE_BYTES;
  const bytes = Math.floor((slab.byteLength - start) / PAGE_BYTES) * PAGE_BYTES;
  // Small keys all over a slab would make each of its huge pages resident for a few bytes.
  madviseNoHugePage(address + start, bytes);
  return start;
}

function chooseTransport(config: Config, log: LogFile): 'native' | 'node' {
  const wanted = config.text('transport');
  if (wanted === 'node') return 'node';
  if (isLibcAvailable()) return 'native';
  if (wanted === 'native') throw new Error('The native transport needs Linux and koffi.');
  log.write('notice', 'The native transport is not available here; node:net serves instead.');
  return 'node';
}

function chooseThreads(config: Config, transport: 'native' | 'node', log: LogFile): number {
  const wanted = config.number('threads') || availableParallelism();
  if (transport === 'native' || process.platform !== 'win32' || wanted === 1) return wanted;
  log.write('notice', 'Listening descriptors are not shared on this platform: one thread serves.');
  return 1;
}

function chooseClientsMax(config: Config, transport: 'native' | 'node', log: LogFile): number {
  const wanted = config.number('maxclients');
  if (transport === 'node') return wanted;
  const limit = setrlimitNoFile();
  const most = limit - SPARE_DESCRIPTORS;
  if (limit <= 0 || wanted <= most) return wanted;
  log.write(
    'warning',
    `The limit of open files (${limit}) does not allow maxclients ${wanted}: it is now ${most}. ` +
      'Raise "ulimit -n".',
  );
  config.set('maxclients', [String(most)]);
  return most;
}

function listenPlan(config: Config): Parameters<typeof openListeners>[0] {
  const bind = config.list('bind');
  return {
    port: config.number('port'),
    bind: bind.length === 0 ? ['*', '-::*'] : bind,
    backlog: config.number('tcp-backlog'),
    unixSocket: config.text('unixsocket'),
    unixSocketMode: config.number('unixsocketperm'),
  };
}

/** The node transport's listening sockets: opened here, listened on by every worker. */
async function openHolders(config: Config): Promise<ReturnType<typeof createServer>[]> {
  const plan = listenPlan(config);
  const holders: ReturnType<typeof createServer>[] = [];
  const open = async (where: object, isOptional: boolean) => {
    const holder = createServer();
    const failure = await new Promise<Error | null>((resolve) => {
      holder.once('error', resolve);
      holder.listen({ ...where, backlog: plan.backlog }, () => resolve(null));
    });
    if (failure === null) holders.push(holder);
    else if (!isOptional) throw new Error(`Failed listening: ${failure.message}, aborting.`);
  };
  if (plan.port !== 0) {
    for (const entry of plan.bind) {
      const name = entry.replace(/^-/, '');
      const host = name === '*' ? '0.0.0.0' : name === '::*' ? '::' : name;
      const isIpv6 = host.includes(':');
      await open({ host, port: plan.port, ipv6Only: isIpv6 }, entry.startsWith('-'));
    }
  }
  if (plan.unixSocket !== '') {
    if (existsSync(plan.unixSocket)) unlinkSync(plan.unixSocket);
    await open({ path: plan.unixSocket }, false);
  }
  return holders;
}

function descriptorOf(holder: ReturnType<typeof createServer>): number {
  const handle = (holder as unknown as { readonly _handle?: { readonly fd?: number } })._handle;
  return handle?.fd ?? -1;
}

function startThreads(shape: ProcessShape, listeners: readonly Listener[]): Worker[] {
  for (const flag of INLINING_FLAGS.split(' ')) setFlagsFromString(flag);
  const threads: Worker[] = [];
  const script = (name: string) => new URL(name, import.meta.url);
  for (let thread = 0; thread < shape.facts.threadCount; thread++) {
    const workerData: WorkerStart = { shape, thread };
    threads.push(
      new Worker(script('./worker.js'), {
        workerData,
        name: `worker ${thread}`,
        resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
      }),
    );
  }
  if (shape.facts.transport === 'native') {
    const workerData: AcceptorStart = { shape, listeners };
    threads.push(new Worker(script('./acceptor.js'), { workerData, name: 'acceptor' }));
  }
  return threads;
}

async function serve(started: Started): Promise<void> {
  const { shape, control, config, log, workers } = started;
  const post = new Post(shape.mesh, shape.mainThread, locksHeld);
  let end: (reason: string) => void = () => {};
  const ended = new Promise<string>((resolve) => {
    end = resolve;
  });
  const handlers: MessageHandlers[number][] = [];
  handlers[MessageKind.Shutdown] = () => end('User requested shutdown...');
  for (const worker of workers) {
    worker.once('error', (error) => crash(log, error));
    worker.once('exit', (code) => {
      if (!control.isStopping) crash(log, new Error(`A thread ended with code ${code}.`));
    });
  }
  process.on('SIGTERM', () => end('Received SIGTERM scheduling shutdown...'));
  process.on('SIGINT', () => end('Received SIGINT scheduling shutdown...'));
  process.on('SIGPIPE', () => {});
  process.on('SIGHUP', () => {});
  await untilServing(control, workers.length);
  writePidFile(config, log);
  log.write('notice', 'Server initialized');
  log.write('notice', describeStart(shape, config));
  log.write('notice', 'Ready to accept connections tcp');
  const cron = startCron(started, post, handlers);
  log.write('warning', await ended);
  cron();
  await stopAll(started, post);
}

async function untilServing(control: ControlBlock, threadCount: number): Promise<void> {
  while (control.servingCount < threadCount) await new Promise((resolve) => setTimeout(resolve, 2));
}

function describeStart(shape: ProcessShape, config: Config): string {
  const { facts, slabs } = shape;
  const gib = (facts.partitionBytes / 2 ** 30).toFixed(facts.partitionBytes < 2 ** 30 ? 3 : 0);
  return (
    `${facts.threadCount} worker thread(s), ${slabs.length} partitions of ${gib} GiB address ` +
    `space, ${facts.transport} transport, port ${config.number('port')}, pid ${facts.processId}; ` +
    'nothing is written to disk yet: the data lives as long as the process'
  );
}

/** Main's own turns: messages, wall clock, samples for INFO. Returns how to stop. */
function startCron(started: Started, post: Post, handlers: MessageHandlers): () => void {
  const { shape } = started;
  const clock = new SystemClock(new Float64Array(shape.clock));
  const sampler = new Sampler(started, clock);
  let isStopped = false;
  const turn = async () => {
    while (!isStopped) {
      post.bell.announce();
      if (post.poll(handlers) === 0) await post.bell.waitAsync(CRON_MS);
      post.bell.silence();
    }
  };
  const timer = setInterval(() => {
    clock.followWallClock();
    sampler.sample();
    post.poll(handlers);
    post.flush();
  }, CRON_MS);
  void turn();
  return () => {
    isStopped = true;
    clearInterval(timer);
  };
}

/** Takes the figures of a second that INFO shows, and remembers the memory peak. */
class Sampler {
  private readonly stats: ServerStats;
  private readonly commandStats: CommandStats;
  private readonly slabs: readonly Slab[];
  private readonly commandCount: number;

  constructor(
    { shape }: Started,
    private readonly clock: SystemClock,
  ) {
    const { threadCount } = shape.facts;
    this.commandCount = new CommandTable(allCommands).all.length;
    // Main counts nothing of its own: it reads as thread 0 and writes only what is shared.
    this.stats = new ServerStats(shape.serverStats, threadCount, 0);
    this.commandStats = new CommandStats(shape.commandStats, this.commandCount, threadCount, 0);
    this.slabs = attachSlabs(shape.slabs, shape.slabStarts);
  }

  sample(): void {
    const nowMs = this.clock.nowMs();
    let calls = 0;
    for (let id = 0; id < this.commandCount; id++) calls += this.commandStats.callsOf(id);
    this.stats.sample(nowMs, calls);
    let used = 0;
    for (const slab of this.slabs) used += usedBytesOf(slab);
    this.stats.notePeak(used, nowMs);
  }
}

async function stopAll(started: Started, post: Post): Promise<void> {
  const { control, shape, workers, config, log, holders } = started;
  const exits = workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve)));
  control.stop();
  for (let thread = 0; thread <= shape.facts.threadCount; thread++) post.wake(thread);
  await Promise.all(exits);
  for (const holder of holders) holder.close();
  const unixSocket = config.text('unixsocket');
  if (unixSocket !== '') unlinkIfThere(unixSocket);
  const pidFile = config.text('pidfile');
  if (pidFile !== '') {
    log.write('notice', 'Removing the pid file.');
    unlinkIfThere(pidFile);
  }
  log.write('warning', 'Flagstone is now ready to exit, bye bye...');
}

function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It is gone, which is what was wanted.
  }
}

function writePidFile(config: Config, log: LogFile): void {
  const path = config.text('pidfile');
  if (path === '') return;
  try {
    writeFileSync(path, `${process.pid}\n`);
  } catch (error) {
    log.write('warning', `The pid file cannot be written: ${(error as Error).message}`);
  }
}

/** A thread is gone and with it, perhaps, half a change: nothing goes on. */
function crash(log: LogFile, error: unknown): void {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  log.write('warning', `=== FLAGSTONE BUG REPORT START ===`);
  log.write('warning', `Flagstone ${FLAGSTONE_VERSION}, Node ${process.version}, ${stack}`);
  log.write('warning', `=== FLAGSTONE BUG REPORT END ===`);
  process.exit(1);
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof ConfigError) process.stderr.write(`${error.message}\n`);
  else process.stderr.write(`Flagstone cannot start: ${(error as Error).message}\n`);
  process.exit(1);
}
process.exit();
