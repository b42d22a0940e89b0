// What both examples need around them: a Flagstone with a gateway (or one that runs already), and a
// small web server for the page, which tells the page where the gateway is.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { parseArgs } from 'node:util';
import WebSocket from 'ws';
import { type Client, type ClientOptions, connect, type SocketClass } from '../client/index.js';

const dist = join(import.meta.dirname, '../..');
const START_MS_MAX = 60_000;
const POLL_MS = 50;

const CONTENT_TYPES: Readonly<Record<string, string | undefined>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
};

export interface Stage {
  /** A client with all permissions, for the example's own part. */
  readonly db: Client;
  readonly pageUrl: string;
  readonly gatewayUrl: string;
  stop(): Promise<void>;
}

export interface StageOptions {
  /** The folder of the page in dist/examples. */
  readonly name: string;
  /** The port of the page unless told otherwise. */
  readonly port: number;
  /** Who the page signs in as; the default user without. */
  readonly visitor?: { readonly user: string; readonly password: string };
}

export async function setStage(options: StageOptions): Promise<Stage> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: String(options.port) },
      gateway: { type: 'string' },
      user: { type: 'string' },
      password: { type: 'string' },
    },
  });
  const page = await servePage(Number(values.port));
  const { port } = page.address() as { port: number };
  const flagstone = values.gateway === undefined ? await startFlagstone(port) : null;
  const gatewayUrl = values.gateway ?? flagstone!.url;
  page.on('request', answerWith(options, gatewayUrl));
  const { user, password } = values;
  const signIn: ClientOptions = password === undefined ? {} : { user: user ?? 'default', password };
  const db = connect(gatewayUrl, { ...signIn, WebSocket: WebSocket as unknown as SocketClass });
  const stop = async (): Promise<void> => {
    db.close();
    page.close();
    page.closeAllConnections();
    await flagstone?.stop();
  };
  return { db, pageUrl: `http://127.0.0.1:${port}/`, gatewayUrl, stop };
}

/** Ends the example in order when it is told to. */
export function stopOnSignals(stop: () => Promise<void>): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      stop().finally(() => process.exit(0));
    });
  }
}

// ---- the page ----------------------------------------------------------------------------------

function servePage(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

/** The page's few files, read once: nothing else can be asked for. */
function answerWith({ name, visitor }: StageOptions, gatewayUrl: string) {
  const folder = join(dist, 'examples', name);
  const files = new Map<string, Buffer>();
  const index = readFileSync(join(folder, 'index.html'));
  files.set('/', index);
  for (const [, path] of index.toString('utf8').matchAll(/(?:src|href)="\.(\/[^"]+)"/g)) {
    files.set(path!, readFileSync(join(folder, path!)));
  }
  files.set('/gateway.json', Buffer.from(JSON.stringify({ url: gatewayUrl, ...visitor })));
  return (request: { url?: string }, response: import('node:http').ServerResponse): void => {
    const path = (request.url ?? '/').split('?')[0]!;
    const file = files.get(path);
    const type = path === '/' ? '.html' : extname(path);
    const contentType = CONTENT_TYPES[type] ?? 'application/json';
    response.writeHead(file === undefined ? 404 : 200, { 'content-type': contentType });
    response.end(file ?? 'There is no such page.');
  };
}

// ---- the server --------------------------------------------------------------------------------

interface Flagstone {
  readonly url: string;
  stop(): Promise<void>;
}

async function startFlagstone(pagePort: number): Promise<Flagstone> {
  const gatewayPort = await freePort();
  const dir = mkdtempSync(join(tmpdir(), 'flagstone-example-'));
  const origins = `http://127.0.0.1:${pagePort} http://localhost:${pagePort}`;
  const child = spawn(
    process.execPath,
    [
      join(dist, 'src/server/main.js'),
      ...['--port', '0', '--dir', dir, '--save', '', '--appendonly', 'no'],
      ...['--gateway-port', String(gatewayPort), '--gateway-origins', origins],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  process.once('exit', () => child.kill('SIGKILL'));
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
    rmSync(dir, { recursive: true, force: true });
  };
  await answersReady(child, `http://127.0.0.1:${gatewayPort}/health/ready`);
  return { url: `ws://127.0.0.1:${gatewayPort}/ws`, stop };
}

async function answersReady(child: ChildProcess, url: string): Promise<void> {
  const deadline = Date.now() + START_MS_MAX;
  while (Date.now() < deadline && child.exitCode === null) {
    const isReady = await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`Flagstone did not get ready at ${url}`);
}

async function freePort(): Promise<number> {
  const probe = await servePage(0);
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
