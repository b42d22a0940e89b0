#!/usr/bin/env node
// The process: command line, configuration, shared memory, threads, signals, an orderly end.

import { accessSync, constants, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { SystemClock, systemDate } from '../base/clock.js';
import { probeRing } from '../base/io-uring.js';
import {
  addressOf,
  errnoText,
  isLibcAvailable,
  madviseNoHugePage,
  setrlimitNoFile,
} from '../base/libc.js';
import { randomHex } from '../base/prng.js';
import { HELP_TEXT, parseCommandLine, versionText } from '../config/command-line.js';
import type { Config } from '../config/config.js';
import { ConfigError } from '../config/config-error.js';
import { readStandardInput } from '../config/files.js';
import { CommandsWanted, type LoadRequest, loadConfig } from '../config/load.js';
import { THREADS_MAX } from '../config/parameters/own.js';
import { Gate } from '../dispatch/gates.js';
import type { EdgeKind, ServerFacts, ShutdownRequest } from '../dispatch/server-door.js';
import { JobPool } from '../jobs/pool.js';
import { ControlBlock } from '../mesh/control.js';
import { type MessageHandlers, Post } from '../mesh/post.js';
import { Ending } from '../mesh/saving.js';
import { type Listener, openListeners, resolvePlan } from '../net/listen.js';
import { ListeningSockets } from '../net/listening.js';
import { checkTls } from '../net/tls-settings.js';
import { PAGE_BYTES } from '../slab/alloc.js';
import { locksHeld } from '../slab/lock.js';
import { type Slab, usedBytesOf } from '../slab/slab.js';
import { COMMANDS_MAX, CommandStats } from '../stats/commands.js';
import { ServerStats } from '../stats/server.js';
import type { AcceptorStart } from './acceptor.js';
import { deferCompilerThreads } from './compiler-threads.js';
import { reportCrash, setReporter } from './crash-report.js';
import type { EdgeStart } from './edge.js';
import { edgesOf } from './edge-plan.js';
import { endingOf } from './ending.js';
import { freshStart } from './fresh-start.js';
import { listenPlan, tlsListenPlan } from './listen-plan.js';
import { LoadingStopped } from './loading.js';
import { LogFile } from './log-file.js';
import { LogKeeping } from './log-keeping.js';
import { Resident } from './resident.js';
import { Saves } from './saves.js';
import { attachSlabs, createShape, type ProcessShape, reserveSlabs, statThreads } from './shape.js';
import { sayInitialized, sayReady, sayStarting } from './start-lines.js';
import { clearUnixSocket, permitUnixSocket, removeFile } from './unix-socket.js';
import { FLAGSTONE_VERSION, REDIS_VERSION } from './version.js';
import type { Listening, WorkerStart } from './worker.js';

/** Descriptors the process needs beside its clients': files, epoll sets, bells, Node's own. */
const SPARE_DESCRIPTORS = 64;
/** With fewer the threads start one after the other: each may have hundreds of files open then. */
const DESCRIPTORS_AT_START = 4096;
const CRON_MS = 100;
/** Room in the client directory, address space only, beyond which maxclients needs a restart. */
const CLIENTS_MAX = 32_768;
/**
 * Garbage of a worker is little and dies at once: a nursery of Node's usual 48 MB would only be
 * memory that the process holds beside the data.
 */
const YOUNG_GENERATION_MB = 6;
/** The least that V8 can do with. */
const ACCEPTOR_YOUNG_GENERATION_MB = 3;
/**
 * V8 stops inlining into a function once so many bytes of bytecode have gone in (920 by default).
 * The road of a command is a chain of small accessors and wants more: 12 % less CPU per command,
 * see docs/performance.md. Must be set before the threads start.
 */
const INLINING_FLAGS =
  '--max-inlined-bytecode-size-cumulative=4000 --max-inlined-bytecode-size=800';

const EDGE_SCRIPTS: Readonly<Record<EdgeKind, string>> = {
  tls: './edge-tls.js',
  gateway: './edge-gateway.js',
};

interface Started {
  readonly shape: ProcessShape;
  readonly control: ControlBlock;
  readonly config: Config;
  readonly log: LogFile;
  readonly workers: Worker[];
}

async function main(): Promise<number> {
  const [first, ...rest] = process.argv.slice(2);
  if (first === 'top') return (await import('./top.js')).top(rest);
  if (first === 'token') return (await import('./token.js')).token(rest, process.env);
  const commandLine = parseCommandLine(process.argv.slice(2));
  if (commandLine.action === 'version') return say(versionText(REDIS_VERSION));
  if (commandLine.action === 'help') return say(HELP_TEXT);
  const config = await readConfig({
    file: commandLine.file,
    stdinText: commandLine.isStdinWanted ? readStandardInput() : null,
    options: commandLine.options,
    serverVersion: REDIS_VERSION,
  });
  const log = new LogFile();
  log.configure(config.text('logfile'), config.text('loglevel'));
  enterDirectory(config);
  sayStarting(config, log);
  const started = await startOrTell(config, log);
  await serve(started);
  return 0;
}

function say(text: string): number {
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
  return 0;
}

/**
 * The commands are loaded here only for a configuration that speaks of them: each thread that
 * executes loads them anyway, and main does not execute.
 */
async function readConfig(request: LoadRequest): Promise<Config> {
  try {
    return loadConfig({ ...request, commandNames: 'later' });
  } catch (error) {
    if (!(error instanceof CommandsWanted)) throw error;
  }
  const { allCommands } = await import('../commands/index.js');
  const { checkUser } = await import('./users.js');
  return loadConfig({ ...request, checkUser, commandNames: allCommands.map(({ name }) => name) });
}

function enterDirectory(config: Config): void {
  const directory = config.text('dir');
  try {
    if (!existsSync(directory)) mkdirSync(directory, { recursive: true });
    process.chdir(directory);
    accessSync('.', constants.W_OK);
  } catch (error) {
    throw new Error(
      `The data directory '${directory}' cannot be used: ${(error as Error).message}`,
    );
  }
}

/** Whoever waits for lines of the log must hear of a failure there: a port in use, for instance. */
async function startOrTell(config: Config, log: LogFile): Promise<Started> {
  try {
    return await start(config, log);
  } catch (error) {
    log.write('warning', (error as Error).message);
    throw error;
  }
}

async function start(config: Config, log: LogFile): Promise<Started> {
  const transport = chooseTransport(config, log);
  const threadCount = chooseThreads(config, transport, log);
  const edges = edgesOf(config, threadCount);
  const clientsMax = chooseClientsMax(config, transport, log);
  const warn = (line: string) => log.write('warning', line);
  // Before anything large is made: a port in use is the commonest reason to stop here.
  const plan = await resolvePlan(listenPlan(config));
  await clearUnixSocket(plan.unixSocket);
  const native = transport === 'native' ? openListeners(plan, warn) : [];
  if (config.number('tls-port') !== 0) {
    requireTls(config, log);
    const tlsPlan = await resolvePlan(tlsListenPlan(config));
    if (transport === 'native') native.push(...openListeners(tlsPlan, warn));
  }
  if (transport === 'native') permitUnixSocket(plan.unixSocket, config.number('unixsocketperm'));
  const slabs = reserveSlabs(
    config.number('partitions'),
    config.number('partition-size'),
    threadCount + edges.length,
    warn,
  );
  const slabStarts = slabs.map((slab) => (transport === 'native' ? alignedStart(slab) : 0));
  const shape = createShape({
    facts: {
      runId: randomHex(20),
      version: FLAGSTONE_VERSION,
      startedMs: systemDate().getTime(),
      configFile: config.file ?? '',
      executable: fileURLToPath(import.meta.url),
      processId: process.pid,
      // As Redis shows it: that of TLS where there is no other.
      port: config.number('port') || config.number('tls-port'),
      threadCount,
      edges,
      transport,
      multiplexing: chooseMultiplexing(config, transport, log),
      partitionBytes: slabs[0]!.byteLength - PAGE_BYTES,
    },
    slabs,
    slabStarts,
    databaseCount: config.number('databases'),
    clientsMax,
  });
  const control = new ControlBlock(shape.control);
  new SystemClock(new Float64Array(shape.clock)).followWallClock();
  control.changeConfig(() => control.writeConfig(config.serialise()));
  // Until the data is loaded: before the first thread, so that nobody sees a part of it.
  control.raiseGate(Gate.Loading);
  // Before the first thread: nobody is to be served under other rules.
  if (config.users.length > 0 || config.text('aclfile') !== '') {
    (await import('./users.js')).makeUsers(config, log, shape.users);
  }
  watchOverMain(shape, log);
  const workers = await startThreads(shape, native, log);
  return { shape, control, config, log, workers };
}

function requireTls(config: Config, log: LogFile): void {
  const failure = checkTls(config);
  if (failure === null) return;
  log.write('warning', failure);
  throw new Error('Failed to configure TLS. Check logs for more info.');
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
  if (wanted !== 'auto') throw new Error('The native transport needs Linux and koffi.');
  log.write('notice', 'The native transport is not available here; node:net serves instead.');
  return 'node';
}

function chooseMultiplexing(
  config: Config,
  transport: 'native' | 'node',
  log: LogFile,
): ServerFacts['multiplexing'] {
  if (transport === 'node') return 'libuv';
  const wanted = config.text('transport');
  if (wanted === 'epoll') return 'epoll';
  const probed = probeRing();
  if (probed === 0) return 'io_uring';
  const reason = `io_uring is not available here (${errnoText(probed)})`;
  if (wanted === 'io_uring') throw new Error(`${reason}: it needs Linux 6.1 and permission.`);
  log.write('notice', `${reason}; epoll serves instead.`);
  return 'epoll';
}

function chooseThreads(config: Config, transport: 'native' | 'node', log: LogFile): number {
  const cores = availableParallelism();
  const wanted = config.number('threads') || Math.min(cores, THREADS_MAX);
  if (wanted > cores) log.write('warning', tooManyThreads(wanted, cores));
  if (transport === 'native' || process.platform !== 'win32' || wanted === 1) return wanted;
  log.write('notice', 'Listening descriptors are not shared on this platform: one thread serves.');
  return 1;
}

function tooManyThreads(threads: number, cores: number): string {
  return (
    `threads is ${threads}, and this process may use ${cores} core(s): threads beyond that take ` +
    'some 30 MB each and make nothing faster. "threads 0" is one for each core.'
  );
}

/** How many clients there may ever be: CONFIG SET maxclients goes up to that. */
function chooseClientsMax(config: Config, transport: 'native' | 'node', log: LogFile): number {
  const wanted = config.number('maxclients');
  if (transport === 'node') return Math.max(wanted, CLIENTS_MAX);
  const limit = setrlimitNoFile();
  const most = limit - SPARE_DESCRIPTORS;
  if (limit <= 0 || wanted <= most) return Math.max(wanted, Math.min(most, CLIENTS_MAX));
  log.write(
    'warning',
    `The limit of open files (${limit}) does not allow maxclients ${wanted}: it is now ${most}. ` +
      'Raise "ulimit -n".',
  );
  config.set('maxclients', [String(most)]);
  return most;
}

async function startThreads(
  shape: ProcessShape,
  listeners: readonly Listener[],
  log: LogFile,
): Promise<Worker[]> {
  for (const flag of INLINING_FLAGS.split(' ')) setFlagsFromString(flag);
  const { threadCount, transport } = shape.facts;
  if (transport === 'native' && availableParallelism() === 1) deferCompilerThreads();
  const threads: Worker[] = [];
  const control = new ControlBlock(shape.control);
  const watch = (thread: Worker) => watchOverThread(thread, control, log);
  // A thread that starts opens all files of the program at once.
  const isTight = transport === 'native' && setrlimitNoFile() < DESCRIPTORS_AT_START;
  let listeningFds: readonly number[] | null = transport === 'native' ? [] : null;
  for (let thread = 0; thread < threadCount; thread++) {
    const worker = watch(startWorker({ shape, thread, listeningFds }));
    threads.push(worker);
    listeningFds ??= await listeningOf(worker);
    if (isTight) await untilServing(control, threads.length);
  }
  threads.push(...(await startEdges(shape, watch)));
  if (transport === 'native') {
    new ListeningSockets(shape.listening).add(listeners);
    threads.push(watch(startAcceptor({ shape, listeners })));
  }
  return threads;
}

/** One after the other: the first of a kind opens the sockets that the others listen on too. */
async function startEdges(
  shape: ProcessShape,
  watch: (thread: Worker) => Worker,
): Promise<Worker[]> {
  const { edges, threadCount } = shape.facts;
  const fdsOf = new Map<EdgeKind, readonly number[]>();
  const threads: Worker[] = [];
  for (const [index, kind] of edges.entries()) {
    const workerData: EdgeStart = {
      shape,
      thread: threadCount + index,
      listeningFds: fdsOf.get(kind) ?? null,
    };
    const name = `${kind} ${edges.slice(0, index).filter((each) => each === kind).length}`;
    const worker = watch(new Worker(scriptOf(EDGE_SCRIPTS[kind]), { workerData, name }));
    threads.push(worker);
    fdsOf.set(kind, await listeningOf(worker));
  }
  return threads;
}

function startWorker(workerData: WorkerStart): Worker {
  return new Worker(scriptOf('./worker.js'), {
    workerData,
    name: `worker ${workerData.thread}`,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
  });
}

function startAcceptor(workerData: AcceptorStart): Worker {
  return new Worker(scriptOf('./acceptor.js'), {
    workerData,
    name: 'acceptor',
    resourceLimits: { maxYoungGenerationSizeMb: ACCEPTOR_YOUNG_GENERATION_MB },
  });
}

function scriptOf(name: string): URL {
  return new URL(name, import.meta.url);
}

/** From the start on: one that cannot even be loaded ends the process, and the log says why. */
function watchOverThread(thread: Worker, control: ControlBlock, log: LogFile): Worker {
  thread.once('error', (error) => crash(log, error));
  thread.once('exit', (code) => {
    if (!control.isStopping) crash(log, new Error(`A thread ended with code ${code}.`));
  });
  return thread;
}

/** Waits until a thread that listens by itself has opened its sockets. */
function listeningOf(worker: Worker): Promise<readonly number[]> {
  return new Promise((resolve, reject) => {
    worker.once('message', (message: Listening) => {
      if ('fds' in message) resolve(message.fds);
      else reject(new Error(message.failure));
    });
  });
}

async function serve(started: Started): Promise<void> {
  const { shape, control, config, log, workers } = started;
  const post = new Post(shape.mesh, shape.mainThread, locksHeld);
  let end: () => void = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const handlers: MessageHandlers[number][] = [];
  const pool = new JobPool();
  const logs = new LogKeeping({ shape, config, log, crash: (error) => crash(log, error) });
  const saves = startSaves(started, post, pool, logs);
  const shutDown = (reason: string, request: ShutdownRequest) => {
    log.write('warning', reason);
    // What is loaded so far is not the data: as in Redis nothing is saved, whoever asks for it.
    const isLoading = (control.gates & Gate.Loading) !== 0;
    const how = isLoading ? { ...request, isSaving: false } : request;
    saves.prepareEnd(how).then(
      (isReady) => {
        if (isReady) end();
      },
      (error: unknown) => crash(log, error),
    );
  };
  saves.listen(handlers, (request) => shutDown('User requested shutdown...', request));
  process.on('SIGTERM', () => {
    const request = endingOf(config.list('shutdown-on-sigterm'));
    shutDown('Received SIGTERM scheduling shutdown...', request);
  });
  process.on('SIGINT', () => {
    // Twice from the keyboard is meant.
    if (saves.saving.ending !== Ending.Nothing) insist(log, saves);
    const request = endingOf(config.list('shutdown-on-sigint'));
    shutDown('Received SIGINT scheduling shutdown...', request);
  });
  process.on('SIGPIPE', () => {});
  process.on('SIGHUP', () => {});
  await untilServing(control, workers.length);
  writePidFile(config, log);
  sayInitialized(shape, config, log);
  const resident = new Resident(shape);
  const clock = new SystemClock(new Float64Array(shape.clock));
  const cron = startCron(started, post, handlers, () => {
    saves.step();
    logs.step();
    resident.step(clock.monotonicMs());
  });
  if (await load(started, post, ended, logs, saves)) {
    saves.loaded();
    resident.begin(clock.monotonicMs());
    sayReady(config, log);
  }
  await ended;
  cron();
  await stopAll(started, post, () => logs.end());
  await pool.close();
}

function startSaves(
  { shape, control, config, log }: Started,
  post: Post,
  pool: JobPool,
  logs: LogKeeping,
): Saves {
  const slabs = attachSlabs(shape.slabs, shape.slabStarts);
  return new Saves({
    shape,
    control,
    config,
    log,
    clock: new SystemClock(new Float64Array(shape.clock)),
    post,
    // Main counts nothing of its own: it reads as thread 0.
    stats: new ServerStats(shape.serverStats, statThreads(shape), 0),
    pool,
    usedMemory: () => slabs.reduce((sum, slab) => sum + usedBytesOf(slab), 0),
    logs,
    crash: (error) => crash(log, error),
  });
}

/**
 * Loads the data, then lets all threads serve; false when the server is to end instead. When it
 * cannot be loaded, the process ends.
 */
async function load(
  started: Started,
  post: Post,
  ended: Promise<unknown>,
  logs: LogKeeping,
  saves: Saves,
): Promise<boolean> {
  const { shape, control, config, log } = started;
  let isEnding = false;
  void ended.then(() => {
    isEnding = true;
  });
  try {
    const found =
      freshStart('.', config) ??
      (await (
        await import('./start-loading.js')
      ).loadData({
        shape,
        config,
        log,
        isStopping: () => isEnding,
      }));
    logs.begin(found.needsBase ? null : found.recovered);
    if (found.needsBase) await saves.beginLogs(logs);
    logs.serve();
  } catch (error) {
    if (error instanceof LoadingStopped) return false;
    log.write('warning', `Fatal error loading the DB: ${(error as Error).message}`);
    await stopAll(started, post, () => logs.end());
    throw error;
  }
  control.lowerGate(Gate.Loading);
  for (let thread = 0; thread < post.threadCount; thread++) post.wake(thread);
  return true;
}

function insist(log: LogFile, saves: Saves): never {
  log.write('warning', 'You insist... exiting now.');
  saves.removeTemporaryFile();
  process.exit(1);
}

async function untilServing(control: ControlBlock, threadCount: number): Promise<void> {
  while (control.servingCount < threadCount) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Main's own turns: messages, wall clock, samples for INFO. Returns how to stop. */
function startCron(
  started: Started,
  post: Post,
  handlers: MessageHandlers,
  step: () => void,
): () => void {
  const { shape } = started;
  const clock = new SystemClock(new Float64Array(shape.clock));
  const sampler = new Sampler(started, clock);
  let isStopped = false;
  const turn = async () => {
    while (!isStopped) {
      post.bell.announce();
      if (post.poll(handlers) === 0) await post.bell.waitAsync(CRON_MS);
      post.bell.silence();
      step();
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
  private readonly loops: number;

  constructor(
    { shape }: Started,
    private readonly clock: SystemClock,
  ) {
    const { executorCount } = shape;
    this.loops = executorCount;
    // Main counts nothing of its own: it reads as thread 0 and writes only what is shared.
    this.stats = new ServerStats(shape.serverStats, statThreads(shape), 0);
    this.commandStats = new CommandStats(shape.commandStats, COMMANDS_MAX, executorCount, 0);
    this.slabs = attachSlabs(shape.slabs, shape.slabStarts);
  }

  sample(): void {
    const nowMs = this.clock.nowMs();
    let calls = 0;
    for (let id = 0; id < COMMANDS_MAX; id++) calls += this.commandStats.callsOf(id);
    this.stats.sample(nowMs, calls, this.loops);
    let used = 0;
    for (const slab of this.slabs) used += usedBytesOf(slab);
    this.stats.notePeak(used, nowMs);
  }
}

/** Ends all threads; `endLogs` when none is left that could append. */
async function stopAll(started: Started, post: Post, endLogs: () => Promise<void>): Promise<void> {
  const { control, shape, workers, config, log } = started;
  const exits = workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve)));
  control.stop();
  for (let thread = 0; thread <= shape.acceptorThread; thread++) post.wake(thread);
  await Promise.all(exits);
  await endLogs();
  const unixSocket = config.text('unixsocket');
  if (unixSocket !== '') removeFile(unixSocket);
  const pidFile = config.text('pidfile');
  if (pidFile !== '') {
    log.write('notice', 'Removing the pid file.');
    removeFile(pidFile);
  }
  log.write('warning', 'Flagstone is now ready to exit, bye bye...');
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
  reportCrash(log, error);
  process.exit(1);
}

const FOR_OTHERS = 'it also reports for threads that cannot any more: the stack tells whose it is';

/** What main itself does not catch, and the signal by which somebody wants to know more. */
function watchOverMain(shape: ProcessShape, log: LogFile): void {
  setReporter({ shape, name: 'main', holder: shape.mainThread, describe: () => [FOR_OTHERS] });
  process.on('uncaughtException', (error) => crash(log, error));
  process.once('SIGABRT', () => {
    reportCrash(log, new Error('asked for by SIGABRT'), '6 (SIGABRT)');
    // Without the listener it does what it always does.
    process.kill(process.pid, 'SIGABRT');
  });
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof ConfigError) process.stderr.write(`${error.message}\n`);
  else process.stderr.write(`Flagstone cannot start: ${(error as Error).message}\n`);
  process.exit(1);
}
process.exit();
