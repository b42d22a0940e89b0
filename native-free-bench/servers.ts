// Starts servers for measuring, pinned where that is possible, each in an empty folder of its own,
// and waits until they answer.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { type Address, Control } from './control.js';
import { findProgram } from './machine.js';
import { readUsage, type Usage } from './process-usage.js';

export interface ServerChoice {
  readonly name: string;
  /** Words of the command; {port} and {threads} are filled in. Null: it runs already. */
  readonly command: readonly string[] | null;
  readonly address: Address | null;
}

export interface StartOptions {
  readonly threads: number;
  readonly cores: string | null;
  readonly extra: readonly string[];
}

const ANSWER_MS_MAX = 30_000;
const STOP_MS_MAX = 10_000;
const POLL_MS = 2;
const OUTPUT_KEPT = 2000;
const CLIENT_TRIES_MAX = 500;
const CLIENT_POLL_MS = 10;

export class MeasuredServer {
  constructor(
    readonly name: string,
    readonly address: Address,
    readonly control: Control,
    /** From the start of the process to its first PONG; 0 where it ran already. */
    readonly startMs: number,
    private readonly child: ChildProcess | null,
    private readonly folder: string | null,
    /** Connections before any load: the control connection, and a target's others. */
    private readonly clientsAtStart: number,
  ) {}

  get pid(): number | null {
    return this.child?.pid ?? null;
  }

  usage(): Promise<Usage> {
    return readUsage(this.pid, this.control);
  }

  /** Memory in use, once connections that were just closed have given theirs back. */
  async usedMemory(): Promise<number> {
    await this.waitForClients((count) => count <= this.clientsAtStart);
    return this.usedMemoryNow();
  }

  async usedMemoryNow(): Promise<number> {
    return Number((await this.control.info('memory')).get('used_memory'));
  }

  /** Asks until the number of connections, if it is told, fits; false where it never did. */
  async waitForClients(fits: (count: number) => boolean): Promise<boolean> {
    for (let tries = 0; tries < CLIENT_TRIES_MAX; tries += 1) {
      const count = (await this.control.info('clients')).get('connected_clients');
      if (count === undefined || fits(Number(count))) return true;
      await new Promise((resolve) => setTimeout(resolve, CLIENT_POLL_MS));
    }
    return false;
  }

  async stop(): Promise<void> {
    const folder = await this.end();
    if (folder !== null) rmSync(folder, { recursive: true, force: true });
  }

  /** Ends the process and leaves its folder, which is returned, to another one. */
  async end(): Promise<string | null> {
    this.control.close();
    if (this.child !== null) await endChild(this.child);
    return this.folder;
  }

  /** Bytes of a file in the server's folder; 0 where there is none. */
  fileBytes(name: string): number {
    const stats = this.folder === null ? null : statSync(join(this.folder, name), ABSENT_IS_FINE);
    return stats?.size ?? 0;
  }

  /** Bytes of all files there. */
  folderBytes(): number {
    if (this.folder === null) return 0;
    const names = readdirSync(this.folder, { recursive: true }) as string[];
    return names.reduce((sum, name) => {
      const stats = statSync(join(this.folder!, name));
      return sum + (stats.isFile() ? stats.size : 0);
    }, 0);
  }
}

const ABSENT_IS_FINE = { throwIfNoEntry: false } as const;

/** The Flagstone that was built beside this program, or the command given instead. */
export function flagstoneChoice(command: string | null): ServerChoice {
  if (command !== null) return { name: 'Flagstone', command: command.split(/\s+/), address: null };
  const isSource = import.meta.url.endsWith('.ts');
  const path = isSource ? '../dist/src/server/main.js' : '../src/server/main.js';
  const main = fileURLToPath(new URL(path, import.meta.url));
  const words = [process.execPath, main, '--threads', '{threads}'];
  return { name: 'Flagstone', command: words, address: null };
}

/** Real Redis, or null where there is none on the PATH. */
export function redisChoice(command: string | null): ServerChoice | null {
  if (command !== null) return { name: 'Redis', command: command.split(/\s+/), address: null };
  const path = findProgram('redis-server');
  return path === null ? null : { name: 'Redis', command: [path], address: null };
}

export async function startServer(
  choice: ServerChoice,
  options: StartOptions,
): Promise<MeasuredServer> {
  if (choice.command === null) return joinServer(choice);
  const folder = mkdtempSync(join(tmpdir(), 'flagstone-bench-'));
  return startIn(folder, choice, choice.command, options);
}

/** Ends a server without a word and starts another one on its folder. */
export async function restartServer(
  server: MeasuredServer,
  choice: ServerChoice,
  options: StartOptions,
): Promise<MeasuredServer> {
  const folder = await server.end();
  if (folder === null || choice.command === null) throw new Error('only own servers start again');
  return startIn(folder, choice, choice.command, options);
}

async function startIn(
  folder: string,
  choice: ServerChoice,
  command: readonly string[],
  options: StartOptions,
): Promise<MeasuredServer> {
  const port = await freePort();
  const words = [
    ...command.map((word) =>
      word.replaceAll('{port}', String(port)).replaceAll('{threads}', String(options.threads)),
    ),
    ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder],
    ...['--save', '', '--appendonly', 'no', ...options.extra],
  ];
  // taskset becomes the server, so the child's pid is the server's own.
  if (options.cores !== null) words.unshift('taskset', '-c', options.cores);
  const startedAt = performance.now();
  const child = spawn(words[0]!, words.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
  const output = keepOutput(child);
  const address: Address = { host: '127.0.0.1', port, greeting: [] };
  try {
    const control = await waitForPong(address, child);
    const startMs = performance.now() - startedAt;
    return new MeasuredServer(choice.name, address, control, startMs, child, folder, 1);
  } catch (error) {
    await endChild(child);
    rmSync(folder, { recursive: true, force: true });
    const said = output().trim();
    const why = (error as Error).message;
    throw new Error(`${choice.name} did not start: ${why}\n  ${words.join(' ')}\n${said}`);
  }
}

async function joinServer(choice: ServerChoice): Promise<MeasuredServer> {
  const address = choice.address!;
  try {
    const control = await Control.open(address);
    const clients = Number((await control.info('clients')).get('connected_clients') ?? 1);
    return new MeasuredServer(choice.name, address, control, 0, null, null, clients);
  } catch (error) {
    const why = (error as Error).message;
    throw new Error(`${choice.name} at ${address.host}:${address.port} is not there: ${why}`);
  }
}

async function waitForPong(address: Address, child: ChildProcess): Promise<Control> {
  let failure: Error | null = null;
  child.once('error', (error) => {
    failure = error;
  });
  const deadline = performance.now() + ANSWER_MS_MAX;
  while (performance.now() < deadline) {
    if (failure !== null) throw failure as Error;
    if (hasEnded(child)) throw new Error(`it ended with code ${child.exitCode}`);
    const control = await Control.open(address).catch(() => null);
    if (control !== null) {
      const answer = await control.ask('PING').catch(() => null);
      if (answer === 'PONG') return control;
      control.close();
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`no PONG within ${ANSWER_MS_MAX / 1000} s`);
}

/** The last output of a server, for the message when it does not start. */
function keepOutput(child: ChildProcess): () => string {
  let kept = '';
  const keep = (chunk: Buffer) => {
    kept = (kept + chunk.toString()).slice(-OUTPUT_KEPT);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  return () => kept;
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
}

async function endChild(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
  await ended;
  clearTimeout(timer);
}

export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}
