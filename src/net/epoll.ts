// The native transport over epoll. Level-triggered, one recv per readable connection and turn: a
// connection with much to say comes again next turn, after the others.
//
// A turn first receives from all, then executes for all, then sends to all: so the code of each of
// the three (the kernel's and ours) is read into the caches once a turn, not once a connection.
//
//   input │ A's unfinished command │ what recv has brought for A │ B's … │ …            │ room │
//         └ Arrivals.starts[0]                      Arrivals.ends[0] ┘       inputAt ┘

import { assert } from '../base/assert.js';
import { copyBytes, withView } from '../base/bytes.js';
import {
  addressOf,
  close,
  Epoll,
  EpollEvents,
  Errno,
  epollAdd,
  epollCreate,
  epollModify,
  epollWait,
  errnoText,
  recv,
} from '../base/libc.js';
import type { Session } from '../dispatch/session.js';
import { BusyServing } from './busy.js';
import { Connection, KEPT_BYTES_MAX } from './connection.js';
import type { NativeTransport } from './native.js';
import { RawSockets } from './raw-sockets.js';
import type { Serving } from './serving.js';

const RECEIVE_BYTES = 64 * 1024;
/** Room for one connection's input at the least, and for that of a whole turn as a rule. */
const ARRIVAL_BYTES_MAX = KEPT_BYTES_MAX + RECEIVE_BYTES;
const INPUT_BYTES = 512 * 1024;
const EVENTS_PER_TURN = 512;
/** Generations stay below this, so that −1 can mark the doorbell. */
const GENERATION_MASK = 0x3fffffff;
const BELL_GENERATION = -1;

/** Input that was received and is not executed yet; counted, because a length is slow to set. */
class Arrivals {
  count = 0;
  readonly connections: (Connection | null)[] = [];
  readonly starts = new Int32Array(EVENTS_PER_TURN);
  readonly ends = new Int32Array(EVENTS_PER_TURN);

  add(connection: Connection, start: number, end: number): void {
    const at = this.count++;
    this.starts[at] = start;
    this.ends[at] = end;
    if (at < this.connections.length) this.connections[at] = connection;
    else this.connections.push(connection);
  }
}

export class EpollTransport implements NativeTransport {
  private readonly epoll: number;
  private readonly events = new EpollEvents(EVENTS_PER_TURN);
  private readonly serving: Serving;
  private readonly input: Uint8Array<ArrayBuffer>;
  private readonly inputAddress: number;
  /** Where the next recv of this turn goes. */
  private inputAt = 0;
  private readonly arrivals = new Arrivals();
  private readonly sockets: RawSockets;
  /** By descriptor: those are small and reused, so this stays dense. */
  private readonly byFd: (Connection | null)[] = [];
  private readonly takeBellSignal: () => void;
  private nextGeneration = 1;
  readonly busy: BusyServing;
  /** For the pauses of a script; made for the first. */
  private busyInput: Uint8Array<ArrayBuffer> | null = null;
  private busyEvents: EpollEvents | null = null;

  constructor(serving: Serving, bellFd: number, takeBellSignal: () => void) {
    this.serving = serving;
    serving.sharesGroups = true;
    this.takeBellSignal = takeBellSignal;
    this.input = withView(new Uint8Array(new ArrayBuffer(INPUT_BYTES)));
    this.inputAddress = addressOf(this.input);
    this.sockets = new RawSockets(serving);
    this.busy = new BusyServing(serving);
    this.epoll = epollCreate();
    if (this.epoll < 0) throw new Error(`No epoll descriptor: ${errnoText(this.epoll)}`);
    const added = epollAdd(this.epoll, bellFd, Epoll.In, bellFd, BELL_GENERATION);
    if (added < 0) throw new Error(`The doorbell cannot be watched: ${errnoText(added)}`);
  }

  open(fd: number, session: Session, nowMs: number): Connection | null {
    const generation = this.nextGeneration;
    this.nextGeneration = (generation + 1) & GENERATION_MASK;
    const connection = new Connection(fd, generation, session, this, nowMs);
    const added = epollAdd(this.epoll, fd, Epoll.In, fd, generation);
    if (added < 0) {
      close(fd);
      return null;
    }
    while (this.byFd.length <= fd) this.byFd.push(null);
    this.byFd[fd] = connection;
    this.serving.add(connection);
    return connection;
  }

  turn(timeoutMs: number, afterWait: () => void): void {
    const { events } = this;
    const count = epollWait(this.epoll, events, timeoutMs);
    afterWait();
    if (count < 0) throw new Error(`epoll_wait failed: ${errnoText(count)}`);
    for (let index = 0; index < count; index++) {
      const fd = events.lowOf(index);
      const generation = events.highOf(index);
      if (generation === BELL_GENERATION) {
        this.takeBellSignal();
        continue;
      }
      const connection = this.byFd[fd];
      // The descriptor was closed, and perhaps reused, by an earlier event of this very turn.
      if (connection == null || connection.generation !== generation) continue;
      const bits = events.eventsOf(index);
      if ((bits & Epoll.Out) !== 0) this.serving.roomCame(connection);
      if (connection.isClosed || (bits & ~Epoll.Out) === 0) continue;
      // Nothing more is read, so these bits say that the peer is gone altogether.
      if (!connection.wantsReads) this.serving.close(connection);
      else this.read(connection);
    }
    this.execute();
  }

  /** Runs what this turn has received so far. */
  private execute(): void {
    const { arrivals, serving } = this;
    // Receiving is nobody's command: its time goes into no statistics.
    if (arrivals.count > 1) serving.runner.readClock();
    for (let index = 0; index < arrivals.count; index++) {
      const connection = arrivals.connections[index];
      arrivals.connections[index] = null;
      // Another one's command may have closed it, or a script's pause has answered it.
      if (connection == null || connection.isClosed) continue;
      serving.received(connection, this.input, arrivals.starts[index]!, arrivals.ends[index]!);
    }
    serving.runner.closeGroup(serving.runner.context.args);
    arrivals.count = 0;
    this.inputAt = 0;
  }

  busyTurn(): void {
    const { arrivals, busy } = this;
    for (let index = 0; index < arrivals.count; index++) {
      const connection = arrivals.connections[index];
      if (connection == null || connection.isClosed || !busy.mayServe(connection)) continue;
      arrivals.connections[index] = null;
      busy.answer(connection, this.input, arrivals.starts[index]!, arrivals.ends[index]!);
    }
    this.busyEvents ??= new EpollEvents(EVENTS_PER_TURN);
    const count = epollWait(this.epoll, this.busyEvents, 0);
    for (let index = 0; index < count; index++) {
      const generation = this.busyEvents.highOf(index);
      if (generation === BELL_GENERATION) this.takeBellSignal();
      else this.readBusy(this.busyEvents.lowOf(index), generation);
    }
  }

  private readBusy(fd: number, generation: number): void {
    const connection = this.byFd[fd];
    if (connection == null || connection.generation !== generation) return;
    const isWaiting = this.arrivals.connections.includes(connection);
    if (isWaiting || !this.busy.mayServe(connection)) return;
    this.busyInput ??= withView(new Uint8Array(new ArrayBuffer(ARRIVAL_BYTES_MAX)));
    const input = this.busyInput;
    const kept = connection.kept?.length ?? 0;
    assert(kept <= KEPT_BYTES_MAX, 'there is room for a receipt behind what was kept');
    if (connection.kept !== null) copyBytes(connection.kept, 0, input, 0, kept);
    const got = recv(fd, addressOf(input) + kept, RECEIVE_BYTES);
    // Whoever is gone is noticed when the script is over.
    if (got > 0) this.busy.answer(connection, input, 0, kept + got);
  }

  private read(connection: Connection): void {
    if (connection.large !== null || !this.serving.isRunnable(connection)) {
      const got = this.sockets.receiveLarge(connection);
      if (got <= 0) this.ended(connection, got);
      return;
    }
    if (this.inputAt + ARRIVAL_BYTES_MAX > INPUT_BYTES) {
      this.execute();
      if (connection.isClosed) return;
    }
    const start = this.inputAt;
    let at = start;
    const { kept } = connection;
    if (kept !== null) {
      assert(kept.length <= KEPT_BYTES_MAX, 'there is room for a receipt behind what was kept');
      copyBytes(kept, 0, this.input, at, kept.length);
      at += kept.length;
    }
    const got = recv(connection.fd, this.inputAddress + at, RECEIVE_BYTES);
    if (got <= 0) {
      this.ended(connection, got);
      return;
    }
    connection.kept = null;
    connection.lastActiveMs = this.serving.runner.keyspace.nowMs;
    this.serving.inputBytes += got;
    this.serving.readCount++;
    this.inputAt = at + got;
    this.arrivals.add(connection, start, at + got);
  }

  private ended(connection: Connection, got: number): void {
    if (got === -Errno.Again) return;
    if (got === 0) this.serving.inputEnded(connection);
    else this.serving.close(connection);
  }

  send(connection: Connection, u8: Uint8Array, start: number, end: number): number {
    return this.sockets.send(connection, u8, start, end);
  }

  want(connection: Connection, reads: boolean, writes: boolean): void {
    const bits = (reads ? Epoll.In : 0) | (writes ? Epoll.Out : 0);
    epollModify(this.epoll, connection.fd, bits, connection.fd, connection.generation);
  }

  /** What was sent leaves by itself: the kernel has it. */
  close(connection: Connection): void {
    this.byFd[connection.fd] = null;
    // Closing takes the descriptor out of the epoll set as well: nobody else has a copy of it.
    close(connection.fd);
  }

  end(): void {
    close(this.epoll);
  }
}
