// The thread of the gateway: HTTP and WebSockets (gateway/), whose clients' sessions are served
// here like all others. What the gateway needs of the server, and the server of it, meets here.

import { setPriority } from 'node:os';
import { join } from 'node:path';
import { Slices } from '../base/slices.js';
import type { Command } from '../dispatch/command.js';
import { Gate } from '../dispatch/gates.js';
import type { Session } from '../dispatch/session.js';
import type { Figures, GatewayDoor, Guest, Line, Peer } from '../gateway/door.js';
import { Gateway } from '../gateway/gateway.js';
import type { Connection, Wire } from '../net/connection.js';
import type { LoopServing } from '../net/loop-serving.js';
import { type Edge, type EdgeThread, runEdge } from './edge.js';
import { collectFigures } from './gateway-figures.js';
import { GatewayServing } from './gateway-serving.js';

/** Where Vite has put the dashboard's files. */
const PAGES = join(import.meta.dirname, '../../web');
/**
 * Nice value of the thread: where processors are short, a flood of web clients takes from web
 * clients, and the workers go first.
 */
const NICENESS = 5;

class GatewayEdge implements Edge, Wire, GatewayDoor {
  private readonly thread: EdgeThread;
  private readonly gateway: Gateway;
  private readonly info: Command;
  private readonly infoWords = Slices.of(Buffer.from('INFO'));

  constructor(thread: EdgeThread) {
    this.thread = thread;
    // By its own name: rename-command may have given it another one, or none.
    this.info = thread.executor.runner.table.all.find(({ fullName }) => fullName === 'info')!;
    this.gateway = new Gateway(this, PAGES);
    thread.onConfig(() => this.gateway.configChanged());
  }

  async start(): Promise<readonly number[]> {
    stepBack();
    await this.gateway.start();
    return [];
  }

  end(): Promise<void> {
    return this.gateway.end();
  }

  // ---- Wire: what sessions say ------------------------------------------------------------------

  send(connection: Connection, u8: Uint8Array, start: number, end: number): number {
    const isPush = u8 === this.thread.executor.serving.pushes.pushes;
    return guestOf(connection).send(u8, start, end, isPush);
  }

  /** WebSockets cannot be told to wait; what comes too early is kept, within limits. */
  want(): void {}

  close(connection: Connection, isOrderly: boolean): void {
    guestOf(connection).close(isOrderly);
  }

  // ---- GatewayDoor: what the gateway asks -------------------------------------------------------

  admit(address: string): string | null {
    const refusal = this.thread.admit(address);
    return refusal === null ? null : refusal.slice(1).trimEnd();
  }

  open(guest: Guest, peer: Peer): Line | null {
    const { address, localAddress } = peer;
    const connection = this.thread.open(this, { fd: -1, address, localAddress });
    if (connection === null) return null;
    connection.socket = guest;
    return new SessionLine(connection, this.thread.loop);
  }

  speakRespThree(session: Session): void {
    session.protocol = 3;
    this.thread.executor.clients.setProtocol(session.slot, 3);
  }

  authenticateAs(session: Session, user: string): boolean {
    const { access } = this.thread.executor;
    access.catchUp();
    // Names of users are byte text.
    return access.authenticateAs(session, Buffer.from(user, 'utf8').toString('latin1'));
  }

  refusalToInspect(session: Session): string | null {
    if ((session.raised & Gate.Stranger) !== 0) return 'NOAUTH Authentication required.';
    const { rights } = session;
    if (rights === null) return null;
    const problem = this.thread.executor.access.explain(rights, this.info, this.infoWords);
    return problem === null ? null : `NOPERM ${problem}`;
  }

  needsPassword(): boolean {
    const { access } = this.thread.executor;
    access.catchUp();
    return access.needsPassword;
  }

  get isLoading(): boolean {
    const { control } = this.thread.executor;
    return (control.gates & Gate.Loading) !== 0;
  }

  get isStopping(): boolean {
    return this.thread.executor.control.isStopping;
  }

  nowMs(): number {
    return this.thread.executor.clock.nowMs();
  }

  text(parameter: string): string {
    return this.thread.executor.config.text(parameter);
  }

  number(parameter: string): number {
    return this.thread.executor.config.number(parameter);
  }

  flag(parameter: string): boolean {
    return this.thread.executor.config.flag(parameter);
  }

  log(level: 'notice' | 'warning' | 'verbose', line: string): void {
    this.thread.executor.log.write(level, line);
  }

  figures(): Figures {
    const { engineName, socketCount } = this.gateway;
    return collectFigures(this.thread.executor, { engine: engineName, sockets: socketCount });
  }
}

class SessionLine implements Line {
  readonly session: Session;
  private readonly connection: Connection;
  private readonly loop: LoopServing;

  constructor(connection: Connection, loop: LoopServing) {
    this.connection = connection;
    this.session = connection.session;
    this.loop = loop;
  }

  get isClosed(): boolean {
    return this.connection.isClosed;
  }

  received(bytes: Uint8Array): void {
    this.loop.received(this.connection, bytes, bytes.length);
  }

  drained(): void {
    this.loop.drained(this.connection);
  }

  gone(): void {
    this.loop.gone(this.connection);
  }
}

function guestOf(connection: Connection): Guest {
  return connection.socket as Guest;
}

/** On Linux the priority is the thread's own; elsewhere it would be that of the process. */
function stepBack(): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(0, NICENESS);
  } catch {
    // Nobody is worse off than without it.
  }
}

await runEdge((thread) => new GatewayEdge(thread), GatewayServing);
