// The acceptor thread of the native transport: listens, accepts, and hands each connection to the
// worker with the fewest.

import { parentPort, workerData } from 'node:worker_threads';
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
import { locksHeld } from '../slab/lock.js';
import { LogFile } from './log-file.js';
import type { ProcessShape } from './shape.js';

const SLEEP_MS = 100;
/** Connections taken from one listener before the others are looked at. */
const ACCEPTS_PER_TURN = 256;
const BELL = -1;

export interface AcceptorStart {
  readonly shape: ProcessShape;
  readonly listeners: readonly Listener[];
}

class Acceptor {
  private readonly shape: ProcessShape;
  private readonly listeners: readonly Listener[];
  private readonly control: ControlBlock;
  private readonly post: Post;
  private readonly config: Config;
  private readonly log = new LogFile();
  private configVersion: number;

  constructor({ shape, listeners }: AcceptorStart) {
    this.shape = shape;
    this.listeners = listeners;
    this.control = new ControlBlock(shape.control);
    this.post = new Post(shape.mesh, shape.acceptorThread, locksHeld);
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
      epollAdd(epoll, listener.fd, Epoll.In, listener.fd, index);
    }
    this.control.isServing();
    while (!this.control.isStopping) {
      bell.announce();
      const isBusy = this.post.poll([]) > 0 || this.post.outboxCount() > 0;
      const count = epollWait(epoll, events, isBusy ? 1 : SLEEP_MS);
      bell.silence();
      this.adoptConfig();
      for (let index = 0; index < count; index++) {
        const which = events.highOf(index);
        if (which === BELL) bell.takeSignal();
        else this.acceptAll(this.listeners[which]!);
      }
      this.post.flush();
      // Node's loop gets its turn: log lines and the port's messages live there.
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const listener of this.listeners) close(listener.fd);
    close(epoll);
  }

  private adoptConfig(): void {
    const version = this.control.configVersion;
    if (version === this.configVersion) return;
    this.configVersion = version;
    this.control.changeConfig(() => this.config.adopt(this.control.readConfig()));
    this.log.configure(this.config.text('logfile'), this.config.text('loglevel'));
  }

  private acceptAll(listener: Listener): void {
    const keepAlive = this.config.number('tcp-keepalive');
    const clientsMax = this.config.number('maxclients');
    const isProtected =
      this.config.flag('protected-mode') && this.config.bytes('requirepass').length === 0;
    const { threadCount } = this.shape.facts;
    for (let accepted = 0; accepted < ACCEPTS_PER_TURN; accepted++) {
      const fd = acceptOne(listener, keepAlive);
      if (fd === -1) return;
      if (fd < 0) {
        this.log.write('warning', `Accepting client connection: ${errnoText(fd)}`);
        // Out of descriptors: the queue stays readable, so a pause keeps this from spinning.
        if (fd === -Errno.TooManyFiles) Atomics.wait(pauseWord, 0, 0, 10);
        return;
      }
      if (this.control.connectionCount(threadCount) >= clientsMax) {
        turnAway(fd, TOO_MANY_TEXT);
      } else if (isProtected && !listener.isUnix && !isLocalPeer(peerName(fd))) {
        turnAway(fd, DENIED_TEXT);
      } else {
        this.handOver(fd, listener.isUnix);
      }
    }
  }

  private handOver(fd: number, isUnix: boolean): void {
    let target = 0;
    let fewest = Number.POSITIVE_INFINITY;
    for (let thread = 0; thread < this.shape.facts.threadCount; thread++) {
      const count = this.control.connectionsOf(thread);
      if (count >= fewest) continue;
      fewest = count;
      target = thread;
    }
    this.control.addConnections(target, 1);
    this.post.sendInts(target, MessageKind.Connection, fd, isUnix ? 1 : 0, 0, 0);
  }
}

const pauseWord = new Int32Array(new SharedArrayBuffer(4));

await new Acceptor(workerData as AcceptorStart).run();
parentPort?.close();
