// Servers as child processes: the built Flagstone, or a real redis-server for comparison. Both take
// Redis's own command line, so that one set of tests runs against either.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { certificates } from './certificates.js';
import { type Client, type ConnectOptions, connect } from './client.js';
import { printReply, textOf } from './resp.js';

export { type Client, connect } from './client.js';

/** `native` is the better one of io_uring and epoll that there is. */
export type Transport = 'native' | 'epoll' | 'node';

export interface ServerOptions {
  /** The program and its first arguments. Default: $FLAGSTONE_COMMAND, else the built Flagstone. */
  readonly command?: string | readonly string[];
  /** Further arguments in Redis's form: '--maxmemory', '100mb'. */
  readonly args?: readonly string[];
  /** Worker threads, partitions and transport: Flagstone's own options. */
  readonly threads?: number;
  readonly partitions?: number;
  readonly transport?: Transport;
  /** The data directory to use and keep. Default: a new one, removed at stop. */
  readonly dir?: string;
  readonly startMsMax?: number;
  /** Opens a port for encrypted connections too; clients need no certificate unless args say so. */
  readonly tls?: boolean;
}

export type ServerKind = 'flagstone' | 'redis';

/** Less than a test has. A busy machine is slow; only a broken server needs it all. */
const START_MS_MAX = 50_000;
const STOP_MS_MAX = 5_000;
const PORT_TRIES = 3;
const POLL_MS = 15;
const CLOSE_MS_MAX = 5_000;
/** Output kept per server: enough for any report, and a bound if a server babbles. */
const OUTPUT_CHARS_MAX = 1 << 20;
const REPORT_CHARS = 4_000;

const running = new Set<ChildProcess>();

// Whatever ends this process, its servers end with it.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class Server {
  readonly kind: ServerKind;
  readonly port: number;
  readonly dir: string;
  /** 0 without one. */
  readonly tlsPort: number;
  private readonly child: ChildProcess;
  private readonly keepsDir: boolean;
  private output = '';
  private ending: string | null = null;
  /** Resolves to a sentence when the process has ended. */
  readonly ended: Promise<string>;

  constructor(
    words: readonly string[],
    options: ServerOptions,
    port: number,
    tls: TlsPlace = NO_TLS,
  ) {
    this.kind = kindOf(words);
    this.port = port;
    this.tlsPort = tls.port;
    this.keepsDir = options.dir !== undefined;
    this.dir = options.dir ?? mkdtempSync(path.join(os.tmpdir(), 'flagstone-test-'));
    const [program, ...first] = words;
    this.child = spawn(program!, [...first, ...argumentsOf(this, options, tls.args)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(this.child);
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => this.keep(text));
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => this.keep(text));
    this.ended = new Promise((resolve) => {
      const end = (sentence: string): void => {
        running.delete(this.child);
        this.ending ??= sentence;
        resolve(this.ending);
      };
      this.child.on('error', (error) => end(`it could not be started: ${error.message}`));
      this.child.on('close', (code, signal) => end(`it ended with ${signal ?? `code ${code}`}`));
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.ending === null;
  }

  /** Everything it printed, standard error included. */
  get printed(): string {
    return this.output;
  }

  /** What a failing test should show: how the server is and its last lines. */
  report(): string {
    return `server ${this.ending ?? 'is running'}\n${this.output.slice(-REPORT_CHARS)}`;
  }

  connect(options: ConnectOptions = {}): Promise<Client> {
    return connect(options.tls === undefined ? this.port : this.tlsPort, options);
  }

  /** Encrypted, to the port of `tls`. */
  async connectSecurely(options: ConnectOptions = {}): Promise<Client> {
    const { authority } = await certificates();
    return this.connect({ ...options, tls: { ca: readFileSync(authority), ...options.tls } });
  }

  /** Orderly stop; SIGKILL when it takes longer than five seconds. Returns how it ended. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<string> {
    this.child.kill(signal);
    const timer = setTimeout(() => {
      this.output += '\n(killed: it did not stop in time)\n';
      this.child.kill('SIGKILL');
    }, STOP_MS_MAX);
    const ending = await this.ended;
    clearTimeout(timer);
    if (!this.keepsDir) rmSync(this.dir, { recursive: true, force: true });
    return ending;
  }

  private keep(text: string): void {
    this.output = (this.output + text).slice(-OUTPUT_CHARS_MAX);
  }
}

/** Starts a server on a free port and returns when it answers PONG. */
export async function startServer(options: ServerOptions = {}): Promise<Server> {
  const words = commandOf(options);
  let report = '';
  for (let tries = 0; tries < PORT_TRIES; tries++) {
    const server = new Server(words, options, await freePort(), await tlsPlace(options));
    if (await answersPing(server, options.startMsMax ?? START_MS_MAX)) return server;
    report = server.report();
    await server.stop('SIGKILL');
    // Only a port that somebody took in between is worth a second try.
    if (!/in use|EADDRINUSE|bind/i.test(report)) break;
  }
  throw new Error(`${words.join(' ')} did not answer PING:\n${report}`);
}

/** The words that start the server under test. */
export function commandOf(options: ServerOptions = {}): readonly string[] {
  const command = options.command ?? (process.env.FLAGSTONE_COMMAND || builtFlagstone());
  return typeof command === 'string' ? command.split(' ').filter((word) => word !== '') : command;
}

export function kindOf(words: readonly string[]): ServerKind {
  return path.basename(words[0] ?? '').startsWith('redis-server') ? 'redis' : 'flagstone';
}

/** The path of a program on the PATH, or null. */
export function findProgram(name: string): string | null {
  for (const folder of (process.env.PATH ?? '').split(path.delimiter)) {
    const candidate = path.join(folder, name);
    if (existsSync(candidate)) return candidate;
  }
  return null;
}

/** Whether a program runs with these arguments and succeeds. */
export function succeeds(program: string, args: readonly string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** The project's root, from the sources as well as from dist. */
export function projectRoot(): string {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  while (!existsSync(path.join(folder, 'package.json'))) folder = path.dirname(folder);
  return folder;
}

function builtFlagstone(): readonly string[] {
  const main = path.join(projectRoot(), 'dist/src/server/main.js');
  if (!existsSync(main)) throw new Error(`${main} does not exist: run \`npm run build\` first`);
  return [process.execPath, main];
}

interface TlsPlace {
  readonly port: number;
  readonly args: readonly string[];
}

const NO_TLS: TlsPlace = { port: 0, args: [] };

async function tlsPlace(options: ServerOptions): Promise<TlsPlace> {
  if (options.tls !== true) return NO_TLS;
  const port = await freePort();
  const { server, authority } = await certificates();
  const args = ['--tls-port', String(port), '--tls-ca-cert-file', authority];
  args.push('--tls-cert-file', server.cert, '--tls-key-file', server.key);
  if (!options.args?.includes('--tls-auth-clients')) args.push('--tls-auth-clients', 'no');
  return { port, args };
}

function argumentsOf(
  server: Server,
  options: ServerOptions,
  tls: readonly string[],
): readonly string[] {
  const args = ['--port', String(server.port), '--bind', '127.0.0.1', '--dir', server.dir];
  if (!options.args?.includes('--save')) args.push('--save', '');
  if (!options.args?.includes('--appendonly')) args.push('--appendonly', 'no');
  args.push('--enable-debug-command', 'yes');
  if (options.threads !== undefined) args.push('--threads', String(options.threads));
  if (options.partitions !== undefined) args.push('--partitions', String(options.partitions));
  if (options.transport !== undefined) args.push('--transport', options.transport);
  return [...args, ...tls, ...(options.args ?? [])];
}

async function answersPing(server: Server, startMsMax: number): Promise<boolean> {
  const deadline = Date.now() + startMsMax;
  while (Date.now() < deadline && server.isRunning) {
    if (await isUp(server)) return server.isRunning;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return false;
}

async function isUp({ port, dir }: Server): Promise<boolean> {
  let client: Client | null = null;
  try {
    client = await connect(port);
    const text = printReply(await client.command('PING'));
    // A server that asks for a password is up too.
    const isAnswered = text === '+PONG' || text.startsWith('-NOAUTH');
    const place = await client.command('CONFIG', 'GET', 'dir');
    await client.command('QUIT');
    // Once it is closed from there, no test meets it among its own clients.
    if (!isAnswered || !(await client.closedWithin(CLOSE_MS_MAX))) return false;
    // Another server may have taken the port in between, and this one is about to say so.
    return place.type !== 'array' || textOf(place.value[1]!) === realpathSync(dir);
  } catch {
    return false;
  } finally {
    client?.close();
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}
