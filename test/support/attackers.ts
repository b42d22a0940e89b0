// Peers that do a server every harm that is no crime: a thread of its own runs them all at once, so
// that the clients who are measured beside them do not wait for them. Talks to its parent in
// messages: a tally now and then, and the last one after 'stop'.

import net from 'node:net';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { type Client, connect } from './client.js';
import { type Command, encodeCommands, isError, printReply, type Reply, textOf } from './resp.js';
import { partSeed, Random } from './seed.js';

export interface AttackPlan {
  readonly port: number;
  readonly seed: number;
  /** Names of ATTACKS; all, unless told otherwise. */
  readonly names?: readonly string[];
}

/** How often each attack was carried out, and what should not have happened. */
export interface Tally {
  readonly counts: Readonly<Record<string, number>>;
  readonly complaints: readonly string[];
}

const TALLY_EVERY_MS = 1000;
const COMPLAINTS_MAX = 20;
const PIPELINE = 20_000;
const STORM = 60;
const VALUE_BYTES = 10_000;
const MONITOR_MS = 1500;
const STALL_MS = 1500;
const PAUSE_MS_MAX = 200;
/** A crowd waits for each other; who waits longer than this has been forgotten. */
const REPLY_MS_MAX = 60_000;
/** Own keys: the good clients use others. */
const KEY = 'attack';

type Attack = (random: Random) => Promise<void>;

let port = 0;
let isOver = false;
const counts: Record<string, number> = {};
const complaints: string[] = [];

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function complain(sentence: string): void {
  if (complaints.length < COMPLAINTS_MAX) complaints.push(sentence);
}

/** A socket without a parser. It may come to any end. */
function rawSocket(): net.Socket {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => {});
  return socket;
}

async function ask(client: Client, ...commands: Command[]): Promise<Reply[]> {
  await client.send(encodeCommands(commands));
  const replies: Reply[] = [];
  while (replies.length < commands.length) replies.push(await client.read(REPLY_MS_MAX));
  return replies;
}

/** Bytes, half of them of a real request, to who may hang up at once. */
async function garbage(random: Random): Promise<void> {
  const socket = rawSocket();
  socket.resume();
  for (let count = random.between(1, 4); count > 0; count--) {
    const request = `*3\r\n$3\r\nSET\r\n$6\r\n${KEY}\r\n$5\r\nvalue\r\n`;
    const cut = request.slice(0, random.below(request.length));
    const announced = `*2\r\n$4\r\nECHO\r\n$${random.pick([536870912, 70_000, -7])}\r\n`;
    const piece = random.pick([cut, announced, random.bytes(random.between(1, 3000))]);
    socket.write(Buffer.from(piece, 'latin1'));
    await pause(random.below(5));
  }
  if (random.chance(0.5)) socket.resetAndDestroy();
  else socket.destroy();
}

async function storm(random: Random): Promise<void> {
  const sockets = Array.from({ length: STORM }, rawSocket);
  await pause(random.below(20));
  for (const [index, socket] of sockets.entries()) {
    if (index % 3 === 0) socket.write('*1\r\n$4\r\nPI');
    if (index % 2 === 0) socket.resetAndDestroy();
    else socket.destroy();
  }
}

/** Asks for hundreds of megabytes and reads none of them. */
async function stall(random: Random): Promise<void> {
  const socket = rawSocket();
  socket.pause();
  socket.write(`SET ${KEY}:value ${'v'.repeat(VALUE_BYTES)}\r\n`);
  socket.write(`GET ${KEY}:value\r\n`.repeat(PIPELINE));
  await pause(random.below(STALL_MS));
  if (random.chance(0.3)) {
    socket.resume();
    await pause(random.below(STALL_MS));
  }
  socket.destroy();
}

async function hugePipeline(random: Random): Promise<void> {
  const client = await connect(port);
  const key = `${KEY}:${random.below(100)}`;
  const commands = Array.from({ length: PIPELINE }, (_, index) =>
    index % 2 === 0 ? (['INCR', key] as const) : (['GET', key] as const),
  );
  try {
    const replies = await ask(client, ...commands);
    for (let index = 0; index < replies.length; index += 2) {
      const [sum, text] = [replies[index]!, replies[index + 1]!];
      if (isError(sum) || isError(text)) continue;
      // Others count the same key: between the two it can only grow.
      if (Number(textOf(text)) >= Number(textOf(sum))) continue;
      complain(`INCR answered ${textOf(sum)}, and GET behind it ${textOf(text)}`);
      break;
    }
  } finally {
    client.close();
  }
}

/** A script that never ends, with keys or without, until another connection kills it. */
async function loop(random: Random): Promise<void> {
  const [runner, killer] = [await connect(port), await connect(port)];
  try {
    const keys = random.chance(0.5) ? ['0'] : ['1', `${KEY}:script`];
    const end = runner.read(REPLY_MS_MAX);
    end.catch(() => {});
    void runner.send(Buffer.from(`EVAL "while true do end" ${keys.join(' ')}\r\n`));
    await pause(random.between(1, 300));
    for (let isRunning = true; isRunning && !isOver; ) {
      await ask(killer, ['SCRIPT', 'KILL']);
      isRunning = !(await Promise.race([end.then(() => true), pause(20).then(() => false)]));
    }
    for (let tries = 0; isOver && tries < 100; tries++) {
      await ask(killer, ['SCRIPT', 'KILL']);
      if (await Promise.race([end.then(() => true), pause(20).then(() => false)])) break;
    }
    const text = printReply(await end, 'short');
    if (!/Script killed by user|BUSY|UNKILLABLE/.test(text)) complain(`a killed loop: ${text}`);
  } finally {
    runner.close();
    killer.close();
  }
}

/** Reads what all others do, or leaves it to the server to keep. */
async function monitor(random: Random): Promise<void> {
  const socket = rawSocket();
  if (random.chance(0.6)) socket.resume();
  else socket.pause();
  socket.write('MONITOR\r\n');
  await pause(random.below(MONITOR_MS));
  socket.destroy();
}

/** A subscriber that does not read, and messages for it. */
async function flood(random: Random): Promise<void> {
  const socket = rawSocket();
  socket.pause();
  socket.write(`SUBSCRIBE ${KEY}\r\n`);
  const client = await connect(port);
  try {
    const message = 'm'.repeat(VALUE_BYTES);
    for (let count = random.between(1, 20); count > 0; count--) {
      await ask(client, ...Array.from({ length: 50 }, () => ['PUBLISH', KEY, message]));
    }
  } finally {
    client.close();
    socket.destroy();
  }
}

/** Large values of all types that come and go, some with the client that was making them. */
async function fill(random: Random): Promise<void> {
  const client: Client = await connect(port);
  try {
    const words = Array.from({ length: 2000 }, (_, index) => `${index}:${random.below(1e6)}`);
    const key = `${KEY}:large:${random.below(20)}`;
    const name = random.pick(['SADD', 'RPUSH', 'HSET', 'PFADD']);
    await ask(client, ['UNLINK', key]);
    for (let count = random.between(1, 5); count > 0; count--) {
      await ask(client, [name, key, ...words.map((word) => `${word}:${count}`)]);
    }
    await ask(client, ['SET', `${key}:text`, 't'.repeat(random.below(2 ** 20)), 'PX', 500]);
    if (random.chance(0.8)) await ask(client, [random.pick(['DEL', 'UNLINK']), key]);
  } finally {
    client.close();
  }
}

const ATTACKS: Readonly<Record<string, Attack>> = {
  garbage,
  storm,
  stall,
  hugePipeline,
  loop,
  monitor,
  flood,
  fill,
};

async function repeat(name: string, attack: Attack, random: Random): Promise<void> {
  while (!isOver) {
    try {
      await attack(random);
    } catch (error) {
      // Whoever attacks may be thrown out; a server that does not answer is another matter.
      const { message } = error as Error;
      if (/no reply within|ECONNREFUSED/.test(message)) complain(`${name}: ${message}`);
    }
    counts[name] = (counts[name] ?? 0) + 1;
    await pause(random.below(PAUSE_MS_MAX));
  }
}

async function attackAll(plan: AttackPlan): Promise<void> {
  port = plan.port;
  const tell = (): void => parentPort!.postMessage({ counts, complaints });
  const timer = setInterval(tell, TALLY_EVERY_MS);
  parentPort!.once('message', () => {
    isOver = true;
  });
  const chosen = Object.entries(ATTACKS).filter(([name]) => plan.names?.includes(name) ?? true);
  await Promise.all(
    chosen.map(([name, attack], index) =>
      repeat(name, attack, new Random(partSeed(plan.seed, index))),
    ),
  );
  clearInterval(timer);
  tell();
  parentPort!.close();
}

/** The thread of attackers, as its parent sees it. */
export class Attackers {
  tally: Tally = { counts: {}, complaints: [] };
  private readonly worker: Worker;
  private readonly ended: Promise<void>;

  constructor(plan: AttackPlan) {
    this.worker = new Worker(builtPath(), { workerData: plan });
    this.worker.on('message', (tally: Tally) => {
      this.tally = tally;
    });
    this.ended = new Promise((resolve, reject) => {
      this.worker.once('exit', () => resolve());
      this.worker.once('error', reject);
    });
  }

  /** Lets all attacks that are under way come to their end. */
  async stop(): Promise<void> {
    this.worker.postMessage('stop');
    await this.ended;
  }
}

/** Threads run compiled code; a test that runs the sources uses what was built. */
function builtPath(): string {
  const isSource = import.meta.url.endsWith('.ts');
  const path = isSource ? '../../dist/test/support/attackers.js' : './attackers.js';
  return fileURLToPath(new URL(path, import.meta.url));
}

// Vitest's own worker threads have other data.
const data: Partial<AttackPlan> | null = workerData;
if (!isMainThread && import.meta.url.endsWith('.js') && data?.port !== undefined) {
  await attackAll(data as AttackPlan);
}
