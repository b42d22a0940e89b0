// A whole server in this process, without threads and sockets: what a worker has
// (server/executor.ts), and a wire that collects bytes. A turn comes with every input; waits,
// pauses and upkeep get theirs from a timer, or from whoever calls `turn`.

import { randomBytes } from 'node:crypto';
import { withView } from '../../src/base/bytes.js';
import { parseCommandLine } from '../../src/config/command-line.js';
import { loadConfig } from '../../src/config/load.js';
import { REDIS_VERSION } from '../../src/dispatch/server-door.js';
import { Closing } from '../../src/dispatch/session.js';
import { ControlBlock } from '../../src/mesh/control.js';
import { Connection, type Wire } from '../../src/net/connection.js';
import { Executor } from '../../src/server/executor.js';
import { LogFile } from '../../src/server/log-file.js';
import { createShape } from '../../src/server/shape.js';
import { Upkeep } from '../../src/server/upkeep.js';
import type { WireEvents } from './client.js';
import { HASH_KEY } from './engine.js';

export interface InProcessOptions {
  readonly partitions?: number;
  readonly partitionBytes?: number;
  /** As on a command line: '--requirepass', 'secret'. */
  readonly args?: readonly string[];
  /** Gives turns by itself. Without it nothing happens between two calls. */
  readonly hasTimer?: boolean;
}

const PARTITIONS = 4;
/** Address space, as the server takes it: strings of half a gigabyte fit. */
const PARTITION_BYTES = 2 ** 31;
const CLIENTS_MAX = 64;
const TURN_MS = 2;
const INPUT_BYTES = 64 * 1024;
const NO_BYTES = new Uint8Array(0);

/** Keeps the lines instead of printing them. */
class KeptLog extends LogFile {
  readonly lines: string[] = [];

  override write(_level: 'debug' | 'verbose' | 'notice' | 'warning', text: string): void {
    this.lines.push(text);
  }
}

export class InProcessServer {
  readonly executor: Executor;
  readonly sessions = new Set<ServedSession>();
  private readonly log = new KeptLog();
  private readonly upkeep: Upkeep;
  private readonly timer: NodeJS.Timeout | null = null;
  private nextPort = 40_000;
  private input = withView(new Uint8Array(INPUT_BYTES));

  constructor(options: InProcessOptions = {}) {
    this.executor = new Executor(shapeFor(options), 0, this.log);
    this.upkeep = new Upkeep(this.executor);
    this.turn();
    if (options.hasTimer !== true) return;
    this.timer = setInterval(() => this.turn(), TURN_MS);
    this.timer.unref();
  }

  /** Memory that input of so many bytes is read into: the same again and again, as it is there. */
  inputFor(bytes: number): Uint8Array {
    if (this.input.length < bytes) this.input = withView(new Uint8Array(bytes));
    return this.input;
  }

  /** What the server wrote into its log. */
  get logLines(): readonly string[] {
    return this.log.lines;
  }

  open(events: WireEvents): ServedSession {
    const { executor } = this;
    const port = this.nextPort++;
    const session = executor.openSession(port, `127.0.0.1:${port}`, '127.0.0.1:6379');
    if (session === null) throw new Error('the client directory is full');
    executor.control.addConnections(0, 1);
    const wire = new CollectingWire(events, () => this.sessions.delete(served));
    const connection = new Connection(port, 1, session, wire, executor.keyspace.nowMs);
    const served = new ServedSession(this, connection, wire);
    executor.serving.add(connection);
    this.sessions.add(served);
    return served;
  }

  /** One turn of a worker: input that waits, what time has brought, replies. */
  turn(): void {
    const { executor } = this;
    const { runner, serving, clock } = executor;
    runner.readClock();
    executor.lookAround();
    for (const session of this.sessions) session.pump();
    this.upkeep.step(this.executor.clock.monotonicMs());
    serving.endWaits(clock.nowMs());
    // A worker gives others their turns in between; here nobody waits.
    do {
      serving.serveReady();
      serving.flushReplies();
    } while (serving.hasReady);
    executor.count();
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    for (const session of [...this.sessions]) session.close();
  }
}

/** The way back to a client: it takes as many bytes as it reads. */
class CollectingWire implements Wire {
  /** How many more bytes the peer takes: 0 for one that does not read. */
  window = Number.POSITIVE_INFINITY;
  private readonly events: WireEvents;
  private readonly forget: () => void;

  constructor(events: WireEvents, forget: () => void) {
    this.events = events;
    this.forget = forget;
  }

  send(_connection: Connection, u8: Uint8Array, start: number, end: number): number {
    const bytes = Math.min(this.window, end - start);
    if (bytes > 0) this.events.received(Buffer.from(u8.slice(start, start + bytes)));
    this.window -= bytes;
    return bytes;
  }

  want(): void {
    // connection.wantsReads says the same, and is what `pump` looks at.
  }

  close(): void {
    this.forget();
    this.events.closed('the server closed the connection');
  }
}

/** One connection, seen from its client. */
export class ServedSession {
  readonly connection: Connection;
  readonly server: InProcessServer;
  private readonly wire: CollectingWire;
  /** Sent by the client, not read by the server yet. */
  private readonly arriving: Uint8Array[] = [];

  constructor(server: InProcessServer, connection: Connection, wire: CollectingWire) {
    this.server = server;
    this.connection = connection;
    this.wire = wire;
  }

  /** The client sends bytes. */
  feed(bytes: Uint8Array): void {
    this.arriving.push(bytes);
    this.server.turn();
  }

  /** Bytes that the server has not read, because it does not want to. */
  get unreadBytes(): number {
    return this.arriving.reduce((sum, bytes) => sum + bytes.length, 0);
  }

  /** From now on the client takes so many bytes and no more. */
  takes(bytes: number): void {
    this.wire.window = bytes;
    const { connection, server } = this;
    if (bytes > 0 && connection.wantsWrites) server.executor.serving.roomCame(connection);
    server.turn();
  }

  /** The client sends no more, and may still read. */
  end(): void {
    if (!this.connection.isClosed) this.server.executor.serving.inputEnded(this.connection);
    this.server.turn();
  }

  /** The client closes. */
  close(): void {
    this.server.executor.serving.close(this.connection);
  }

  /** Reads what the client sent, as long as the server wants to. */
  pump(): void {
    const { connection } = this;
    while (this.arriving.length > 0 && connection.wantsReads && !connection.isClosed) {
      this.receive(this.arriving.shift()!);
    }
  }

  /** As the transports do it. */
  private receive(bytes: Uint8Array): void {
    const { connection } = this;
    const { serving } = this.server.executor;
    if (connection.session.closing !== Closing.No) return;
    serving.inputBytes += bytes.length;
    if (connection.large !== null || !serving.isRunnable(connection)) {
      const large = serving.largeInputOf(connection, bytes.length);
      if (large === null) return;
      large.u8.set(bytes, large.end);
      large.arrived(bytes.length);
      serving.receivedLarge(connection);
      return;
    }
    const kept = connection.kept ?? NO_BYTES;
    connection.kept = null;
    const length = kept.length + bytes.length;
    const input = this.server.inputFor(length);
    input.set(kept);
    input.set(bytes, kept.length);
    serving.received(connection, input, 0, length);
  }
}

function shapeFor(options: InProcessOptions) {
  const count = options.partitions ?? PARTITIONS;
  const bytes = options.partitionBytes ?? PARTITION_BYTES;
  const config = loadConfig({
    options: parseCommandLine([
      ...['--threads', '1', '--partitions', String(count)],
      ...['--save', '', '--appendonly', 'no', '--enable-debug-command', 'yes'],
      ...(options.args ?? []),
    ]).options,
    serverVersion: REDIS_VERSION,
  });
  const shape = createShape({
    facts: {
      runId: randomBytes(20).toString('hex'),
      version: '0.0.0',
      startedMs: Date.now(),
      configFile: '',
      executable: process.execPath,
      processId: process.pid,
      port: config.number('port'),
      threadCount: 1,
      edges: [],
      transport: 'node',
      multiplexing: 'libuv',
      partitionBytes: bytes,
    },
    slabs: Array.from({ length: count }, () => new SharedArrayBuffer(bytes)),
    slabStarts: Array.from({ length: count }, () => 0),
    databaseCount: config.number('databases'),
    clientsMax: CLIENTS_MAX,
  });
  const control = new ControlBlock(shape.control);
  control.changeConfig(() => control.writeConfig(config.serialise()));
  return { ...shape, hashKey: HASH_KEY };
}
