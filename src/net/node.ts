// The portable transport: node:net streams. Where the native one does not run (macOS, Windows, an
// unknown libc) and where it is asked for. The first worker opens the listening sockets, the others
// listen on the same descriptors, and the system gives each connection to one of them.

import { createServer, type Server, type Socket } from 'node:net';
import { Closing, type Session } from '../dispatch/session.js';
import { Connection, type Wire } from './connection.js';
import { DENIED_TEXT, type ListenPlan, TOO_MANY_TEXT } from './listen.js';
import type { Serving } from './serving.js';

export interface NodeTransportHooks {
  /** A session for a fresh connection, or null when there is no room for one. */
  readonly open: (address: string, localAddress: string, fd: number) => Session | null;
  /** Input has come after a while: clocks and gates are to be looked at. */
  readonly beforeInput: () => void;
  readonly isRefused: (address: string) => 'full' | 'protected' | null;
  /** Accepting failed: out of descriptors, for one. */
  readonly failed: (error: Error) => void;
  /** A connection was counted in, and left again before it had a session. */
  readonly counted: (change: 1 | -1) => void;
  readonly keepAliveSeconds: () => number;
  readonly unixPath: () => string;
}

/** A connection that was closed in order has so long to take what was sent. */
const LINGER_MS = 5000;

/** Output that node:net holds for us; more stays in our own queue, where limits see it. */
const SOCKET_BYTES_MAX = 256 * 1024;

export class NodeTransport implements Wire {
  private readonly serving: Serving;
  private readonly hooks: NodeTransportHooks;
  private readonly servers: Server[] = [];
  private nextGeneration = 1;
  private isFlushPlanned = false;

  constructor(serving: Serving, hooks: NodeTransportHooks) {
    this.serving = serving;
    this.hooks = hooks;
  }

  /** Opens the listening sockets; returns their descriptors, for the others to listen on. */
  async open(plan: ListenPlan): Promise<number[]> {
    const fds: number[] = [];
    const { backlog } = plan;
    if (plan.port !== 0) {
      for (const entry of plan.bind) {
        const name = entry.replace(/^-/, '');
        const host = name === '*' ? '0.0.0.0' : name === '::*' ? '::' : name;
        const where = { host, port: plan.port, ipv6Only: host.includes(':'), backlog };
        const fd = await this.listenOn(where, entry.startsWith('-'));
        if (fd !== null) fds.push(fd);
      }
      if (fds.length === 0)
        throw new Error(`Failed listening on port ${plan.port} (tcp), aborting.`);
    }
    if (plan.unixSocket !== '') {
      const fd = await this.listenOn({ path: plan.unixSocket, backlog }, false);
      if (fd !== null) fds.push(fd);
    }
    return fds;
  }

  /** Listens on descriptors that another thread has opened. */
  async listen(fds: readonly number[], backlog: number): Promise<void> {
    for (const fd of fds) await this.listenOn({ fd, backlog }, false);
  }

  /** Null when it may be missing, and is. */
  private async listenOn(where: object, isOptional: boolean): Promise<number | null> {
    const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) =>
      this.accept(socket),
    );
    const failure = await new Promise<NodeJS.ErrnoException | null>((resolve) => {
      server.once('error', resolve);
      server.listen(where, () => resolve(null));
    });
    if (failure === null) {
      server.removeAllListeners('error');
      server.on('error', (error) => this.hooks.failed(error));
      this.servers.push(server);
      return descriptorOf(server);
    }
    const isAbsent = failure.code === 'EADDRNOTAVAIL' || failure.code === 'EAFNOSUPPORT';
    if (isOptional && isAbsent) return null;
    throw new Error(`Failed listening: ${failure.message}, aborting.`);
  }

  private accept(socket: Socket): void {
    const address = addressOf(socket.remoteAddress, socket.remotePort) || this.hooks.unixPath();
    const local = addressOf(socket.localAddress, socket.localPort) || this.hooks.unixPath();
    socket.on('error', () => {
      // The close that follows says all there is to say.
    });
    this.hooks.counted(1);
    const refused = this.hooks.isRefused(address);
    const session = refused === null ? this.hooks.open(address, local, descriptorOf(socket)) : null;
    if (session === null) {
      this.hooks.counted(-1);
      socket.end(refused === 'protected' ? DENIED_TEXT : TOO_MANY_TEXT);
      // Not to wait for a peer that does not leave.
      socket.destroySoon();
      return;
    }
    const keepAlive = this.hooks.keepAliveSeconds();
    if (keepAlive > 0) socket.setKeepAlive(true, keepAlive * 1000);
    const { nowMs } = this.serving.runner.keyspace;
    const connection = new Connection(session.fd, this.nextGeneration++, session, this, nowMs);
    connection.socket = socket;
    this.serving.add(connection);
    socket.on('data', (bytes) => this.received(connection, bytes));
    socket.on('drain', () => this.drained(connection));
    socket.on('end', () => this.ended(connection));
    socket.on('close', () => this.serving.close(connection));
  }

  private received(connection: Connection, bytes: Buffer): void {
    if (connection.isClosed || connection.session.closing !== Closing.No) return;
    this.hooks.beforeInput();
    if (connection.isClosed) return;
    const { serving } = this;
    connection.lastActiveMs = serving.runner.keyspace.nowMs;
    serving.inputBytes += bytes.length;
    if (connection.large !== null || !serving.isRunnable(connection)) {
      const large = serving.largeInputOf(connection, bytes.length);
      if (large === null) return;
      large.u8.set(bytes, large.end);
      large.arrived(bytes.length);
      serving.receivedLarge(connection);
    } else {
      this.receivedSmall(connection, bytes);
    }
    this.planFlush();
  }

  private ended(connection: Connection): void {
    if (connection.isClosed) return;
    this.serving.inputEnded(connection);
    this.planFlush();
  }

  private receivedSmall(connection: Connection, bytes: Buffer): void {
    const { kept } = connection;
    connection.kept = null;
    if (kept === null) {
      this.serving.received(connection, bytes, 0, bytes.length);
      return;
    }
    const joined = new Uint8Array(new ArrayBuffer(kept.length + bytes.length));
    joined.set(kept);
    joined.set(bytes, kept.length);
    this.serving.received(connection, joined, 0, joined.length);
  }

  /** Replies leave at the end of the loop's turn, when all sockets that had input were read. */
  private planFlush(): void {
    if (this.isFlushPlanned) return;
    this.isFlushPlanned = true;
    setImmediate(() => {
      this.isFlushPlanned = false;
      this.serving.serveReady();
      this.serving.flushReplies();
      // What is ready still goes on after the others' turn.
      if (this.serving.hasReady) this.planFlush();
    });
  }

  private drained(connection: Connection): void {
    if (connection.isClosed || connection.output.length === 0) return;
    this.serving.roomCame(connection);
    this.planFlush();
  }

  send(connection: Connection, u8: Uint8Array, start: number, end: number): number {
    const socket = connection.socket as Socket;
    if (socket.destroyed) return -1;
    let at = start;
    // On as long as the system takes it at once: no 'drain' is told of such writes.
    while (at < end && socket.writableLength < SOCKET_BYTES_MAX) {
      const bytes = Math.min(SOCKET_BYTES_MAX - socket.writableLength, end - at);
      // The socket keeps what it is given until it is sent: a copy, because the arena is used
      // again.
      const copy = Buffer.allocUnsafe(bytes);
      copy.set(u8.subarray(at, at + bytes));
      socket.write(copy);
      at += bytes;
    }
    return at - start;
  }

  want(connection: Connection, reads: boolean, _writes: boolean): void {
    const socket = connection.socket as Socket;
    if (reads) socket.resume();
    else socket.pause();
  }

  close(connection: Connection, isOrderly: boolean): void {
    const socket = connection.socket as Socket;
    if (!isOrderly || socket.writableLength === 0) {
      socket.destroy();
      return;
    }
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    timer.unref();
    socket.end(() => {
      clearTimeout(timer);
      socket.destroy();
    });
  }

  async end(): Promise<void> {
    for (const server of this.servers) {
      await new Promise<void>((resolve) => server.close(() => resolve()));
    }
  }
}

/** As Redis prints it: ip:port, brackets around IPv6, '' for a unix socket. */
function addressOf(host: string | undefined, port: number | undefined): string {
  if (host === undefined || port === undefined) return '';
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The descriptor, for CLIENT LIST; −1 where the platform does not tell. */
function descriptorOf(socket: Socket | Server): number {
  const handle = (socket as unknown as { readonly _handle?: { readonly fd?: number } })._handle;
  return handle?.fd ?? -1;
}
