// The acceptor thread of the native transport: listens, accepts, and hands each connection to the
// worker with the fewest.

import { parentPort, workerData } from 'node:worker_threads';
import { UserStore } from '../acl/user-store.js';
import { SystemClock, sleep } from '../base/clock.js';
import {
  close,
  Epoll,
  EpollEvents,
  Errno,
  epollAdd,
  epollCreate,
  epollWait,
  errnoText,
} from '../base/libc.js';
import { Config } from '../config/config.js';
import { ControlBlock } from '../mesh/control.js';
import { MessageKind, Post } from '../mesh/post.js';
import {
  acceptOne,
  DENIED_TEXT,
  isLocalPeer,
  type Listener,
  peerName,
  TOO_MANY_TEXT,
  turnAway,
} from '../net/listen.js';
import { ListeningSockets } from '../net/listening.js';
import { locksHeld } from '../slab/lock.js';
import { Counter, ServerStats } from '../stats/server.js';
import { LogFile } from './log-file.js';
import { type ProcessShape, statThreads } from './shape.js';

const SLEEP_MS = 100;
/** Connections taken from one listener before the others are looked at. */
const ACCEPTS_PER_TURN = 256;
const BELL = -1;
/** Out of descriptors or memory: the queue stays readable, so a pause keeps this from spinning. */
const PAUSE_MS = 10;
/** Such a state is told of this often. */
const COMPLAINT_MS = 1000;

export interface AcceptorStart {
  readonly shape: ProcessShape;
  readonly listeners: readonly Listener[];
}

class Acceptor {
  private readonly shape: ProcessShape;
  /** By the number that epoll knows them by; null where one is gone. */
  private readonly listeners: (Listener | null)[] = [];
  private readonly listening: ListeningSockets;
  private listeningVersion = -1;
  private readonly control: ControlBlock;
  private readonly post: Post;
  private readonly config: Config;
  private readonly log = new LogFile();
  private readonly clock: SystemClock;
  private readonly stats: ServerStats;
  private readonly users: UserStore;
  private configVersion: number;
  private nextComplaintMs = 0;
  private lastTarget: number;
  private lastTlsTarget: number;

  constructor({ shape, listeners }: AcceptorStart) {
    this.shape = shape;
    this.listeners.push(...listeners.filter(({ isUnix }) => isUnix));
    this.listening = new ListeningSockets(shape.listening);
    this.lastTarget = shape.facts.threadCount - 1;
    this.lastTlsTarget = shape.facts.threadCount;
    this.control = new ControlBlock(shape.control);
    this.post = new Post(shape.mesh, shape.acceptorThread, locksHeld);
    this.clock = new SystemClock(new Float64Array(shape.clock));
    this.stats = new ServerStats(shape.serverStats, statThreads(shape), shape.acceptorThread);
    this.users = new UserStore(shape.users);
    this.configVersion = this.control.configVersion;
    this.config = Config.deserialise(this.control.changeConfig(() => this.control.readConfig()));
    this.log.configure(this.config.text('logfile'), this.config.text('loglevel'));
  }

  async run(): Promise<void> {
    const { bell } = this.post;
    const epoll = epollCreate();
    const events = new EpollEvents(64);
    if (epoll < 0) throw new Error(`No epoll descriptor: ${errnoText(epoll)}`);
    epollAdd(epoll, bell.eventfd, Epoll.In, bell.eventfd, BELL);
    for (const [index, listener] of this.listeners.entries()) {
      epollAdd(epoll, listener!.fd, Epoll.In, listener!.fd, index);
    }
    this.adoptListeners(epoll);
    this.control.isServing();
    while (!this.control.isStopping) {
      bell.announce();
      const hasWork = this.post.poll([]) > 0 || this.post.outboxCount() > 0;
      const isBusy = hasWork || this.control.isStopping;
      const count = epollWait(epoll, events, isBusy ? 1 : SLEEP_MS);
      bell.silence();
      this.adoptListeners(epoll);
      this.adoptConfig();
      for (let index = 0; index < count; index++) {
        const which = events.highOf(index);
        if (which === BELL) bell.takeSignal();
        else if (this.listeners[which]) this.acceptAll(this.listeners[which]);
      }
      this.post.flush();
      // Node's loop gets its turn: log lines and the port's messages live there.
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const listener of this.listeners) if (listener !== null) close(listener.fd);
    close(epoll);
  }

  /** CONFIG SET port or bind: closing a descriptor takes it out of the epoll set as well. */
  private adoptListeners(epoll: number): void {
    const { version } = this.listening;
    if (version === this.listeningVersion) return;
    this.listeningVersion = version;
    const current = this.listening.adopt();
    for (const [index, known] of this.listeners.entries()) {
      if (known === null || known.isUnix) continue;
      const at = current.findIndex(({ fd, name }) => fd === known.fd && name === known.name);
      if (at === -1) this.listeners[index] = null;
      else current.splice(at, 1);
    }
    for (const listener of current) {
      epollAdd(epoll, listener.fd, Epoll.In, listener.fd, this.listeners.length);
      this.listeners.push(listener);
    }
  }

  private adoptConfig(): void {
    const version = this.control.configVersion;
    if (version === this.configVersion) return;
    this.control.changeConfig(() => {
      this.configVersion = this.control.configVersion;
      this.config.adopt(this.control.readConfig());
    });
    this.log.configure(this.config.text('logfile'), this.config.text('loglevel'));
  }

  private acceptAll(listener: Listener): void {
    const keepAlive = this.config.number('tcp-keepalive');
    const clientsMax = this.config.number('maxclients');
    const isProtected = this.config.flag('protected-mode') && !this.users.defaultHasPassword;
    const { executorCount } = this.shape;
    for (let accepted = 0; accepted < ACCEPTS_PER_TURN; accepted++) {
      const fd = acceptOne(listener, keepAlive);
      // A socket that a CONFIG SET has silenced, before word of it came.
      if (fd === -1 || fd === -Errno.Invalid) return;
      if (fd < 0) {
        this.complain(`Accepting client connection: ${errnoText(fd)}`);
        sleep(PAUSE_MS);
        return;
      }
      if (this.control.connectionCount(executorCount) >= clientsMax) {
        this.stats.add(Counter.ConnectionsRejected, 1);
        turnAway(fd, listener.isTls ? '' : TOO_MANY_TEXT);
      } else if (isProtected && !listener.isTls && !listener.isUnix && !isLocalPeer(peerName(fd))) {
        this.stats.add(Counter.ConnectionsRejected, 1);
        turnAway(fd, DENIED_TEXT);
      } else {
        this.handOver(fd, listener);
      }
    }
  }

  private complain(line: string): void {
    const nowMs = this.clock.monotonicMs();
    if (nowMs < this.nextComplaintMs) return;
    this.nextComplaintMs = nowMs + COMPLAINT_MS;
    this.log.write('warning', line);
  }

  private handOver(fd: number, { isUnix, isTls }: Listener): void {
    const { threadCount, edges } = this.shape.facts;
    // The first edges are those of TLS.
    const first = isTls ? threadCount : 0;
    const count = isTls ? edges.lastIndexOf('tls') + 1 : threadCount;
    const last = isTls ? this.lastTlsTarget : this.lastTarget;
    let target = first;
    let fewest = Number.POSITIVE_INFINITY;
    // Starts behind the last one, so that connections which come and go take turns as well.
    for (let offset = 1; offset <= count; offset++) {
      const thread = first + ((last - first + offset) % count);
      const held = this.control.connectionsOf(thread);
      if (held >= fewest) continue;
      fewest = held;
      target = thread;
    }
    if (isTls) this.lastTlsTarget = target;
    else this.lastTarget = target;
    this.control.addConnections(target, 1);
    this.post.sendInts(target, MessageKind.Connection, fd, isUnix ? 1 : 0, 0, 0);
  }
}

await new Acceptor(workerData as AcceptorStart).run();
parentPort?.close();
