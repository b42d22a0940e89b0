// The native transport over io_uring: a turn is one system call. It hands over the replies of the
// turn before and waits; what sockets have brought meanwhile stands in buffers of the pool, and is
// executed there. A connection says once that it wants input, and a buffer goes back to the pool
// when its input is executed. With epoll, each connection needs a recv and a send of its own.
//
//   turn n      execute │ write replies into the arena │ put sends into the outbox
//   turn n + 1  enter: the sends are done, input arrives │ clear the arena │ execute │ …
//
// A result's tag tells whom it is for: the descriptor, and above it the kind of request and the
// generation of the connection, because a descriptor may be in use again.

import { assert } from '../base/assert.js';
import { withView } from '../base/bytes.js';
import { CANCELLED, Completion, NO_BUFFERS, Ring, type RingPlan } from '../base/io-uring.js';
import { close, Epoll, Errno, ShutdownSide, shutdown } from '../base/libc.js';
import { Closing, type Session } from '../dispatch/session.js';
import { BusyServing } from './busy.js';
import { Connection, KEPT_BYTES_MAX, type Outbox } from './connection.js';
import { Input } from './input.js';
import type { NativeTransport } from './native.js';
import { RawSockets } from './raw-sockets.js';
import type { Serving } from './serving.js';

const POOL_BUFFERS = 256;
const POOL_BUFFER_BYTES = 8 * 1024;
const PLAN: RingPlan = {
  entries: 1024,
  completions: 4096,
  poolCount: POOL_BUFFERS,
  poolBytes: POOL_BUFFER_BYTES,
};

/** What a result is about: the upper two bits of its tag. */
const enum Kind {
  Input = 0,
  Room = 1,
  Sent = 2,
  Bell = 3,
}
const KIND_SHIFT = 30;
const GENERATION_MASK = 0x3fffffff;

const PASSING: ReadonlySet<number> = new Set([
  NO_BUFFERS,
  CANCELLED,
  -Errno.Again,
  -Errno.Interrupted,
]);

/** So many buffers of one connection are executed in a turn: as much as epoll receives. */
const PIECES_PER_TURN = 8;

/** `buffer` of an arrival that brings no input. */
const NO_BUFFER = -1;

function createPool(): Uint8Array<ArrayBuffer> {
  return withView(new Uint8Array(new ArrayBuffer(POOL_BUFFERS * POOL_BUFFER_BYTES)));
}

/** What has come and is not executed yet; counted, because a length is slow to set. */
class Arrivals {
  count = 0;
  readonly connections: (Connection | null)[] = [];
  /** Bytes, 0 at the end of the input, or -errno. */
  readonly results: number[] = [];
  /** Ids in the pool, or NO_BUFFER. */
  readonly buffers: number[] = [];
  /** The input: sources[at][starts[at], starts[at] + results[at]), in the pool or a copy. */
  readonly sources: Uint8Array[] = [];
  readonly starts: number[] = [];
  private readonly ring: Ring;

  constructor(ring: Ring) {
    this.ring = ring;
  }

  add(connection: Connection, result: number, buffer: number): void {
    const at = this.count++;
    this.connections[at] = connection;
    this.results[at] = result;
    this.buffers[at] = buffer;
    this.sources[at] = this.ring.pool;
    this.starts[at] = buffer * POOL_BUFFER_BYTES;
  }

  /** What has a connection still waits for the next turn: before what comes until then. */
  endTurn(): void {
    const { count } = this;
    this.count = 0;
    for (let at = 0; at < count; at++) {
      const connection = this.connections[at];
      if (connection == null) continue;
      const to = this.count++;
      this.connections[at] = null;
      this.connections[to] = connection;
      this.results[to] = this.results[at]!;
      this.buffers[to] = this.buffers[at]!;
      this.sources[to] = this.sources[at]!;
      this.starts[to] = this.starts[at]!;
    }
  }

  /** Its input leaves the pool before it is its turn; false if it has left. */
  copy(at: number): boolean {
    if (this.buffers[at] === NO_BUFFER) return false;
    const start = this.starts[at]!;
    this.sources[at] = withView(this.ring.pool.slice(start, start + this.results[at]!));
    this.starts[at] = 0;
    this.release(at);
    return true;
  }

  /** Its input has been read. */
  done(at: number): void {
    if (this.buffers[at] !== NO_BUFFER) this.release(at);
    // A copy is not to outlive its use.
    this.sources[at] = this.ring.pool;
  }

  private release(at: number): void {
    this.ring.giveBack(this.buffers[at]!);
    this.buffers[at] = NO_BUFFER;
  }
}

/** Sends that leave with the next call. */
class Sends implements Outbox {
  count = 0;
  readonly connections: (Connection | null)[] = [];
  readonly sources: Uint8Array[] = [];
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  private readonly transport: UringTransport;

  constructor(transport: UringTransport) {
    this.transport = transport;
  }

  add(connection: Connection, u8: Uint8Array, start: number, end: number): void {
    assert(!connection.isLeaving, 'a connection sends once at a time');
    connection.isLeaving = true;
    const at = this.count++;
    this.connections[at] = connection;
    this.sources[at] = u8;
    this.starts[at] = start;
    this.ends[at] = end;
    this.transport.prepareSend(connection, u8, start, end, at);
  }

  submit(): void {
    if (this.count > 0) this.transport.sendAll();
  }
}

export class UringTransport implements NativeTransport {
  readonly busy: BusyServing;
  private readonly ring: Ring;
  private readonly serving: Serving;
  private readonly input: Input;
  private readonly sends: Sends;
  private readonly arrivals: Arrivals;
  /** arrivals[0, arrivalAt) are executed, or wait for the next turn. */
  private arrivalAt = 0;
  private turns = 0;
  /** Whose input found the pool empty, the first first. */
  private starved: Connection[] = [];
  /** Whose peers take more. */
  private readonly rooms: Connection[] = [];
  /** Who reads into a large buffer: more of it comes straight from the socket. */
  private readonly large: Connection[] = [];
  private readonly sockets: RawSockets;
  /** By descriptor: those are small and reused, so this stays dense. */
  private readonly byFd: (Connection | null)[] = [];
  private readonly bellFd: number;
  private readonly takeBellSignal: () => void;
  private hasBellRung = false;
  private nextGeneration = 1;
  /** Where a pause of a script joins two pieces of a command; made for the first. */
  private busyInput: Uint8Array<ArrayBuffer> | null = null;

  /** Or -errno, where this thread gets no ring. */
  static open(
    serving: Serving,
    bellFd: number,
    takeBellSignal: () => void,
  ): UringTransport | number {
    const ring = Ring.open(PLAN, createPool());
    return typeof ring === 'number'
      ? ring
      : new UringTransport(ring, serving, bellFd, takeBellSignal);
  }

  private constructor(ring: Ring, serving: Serving, bellFd: number, takeBellSignal: () => void) {
    this.ring = ring;
    this.arrivals = new Arrivals(ring);
    this.serving = serving;
    serving.sharesGroups = true;
    this.sends = new Sends(this);
    serving.outbox = this.sends;
    this.input = new Input(serving);
    this.busy = new BusyServing(serving);
    this.sockets = new RawSockets(serving);
    this.bellFd = bellFd;
    this.takeBellSignal = takeBellSignal;
    this.watchBell();
  }

  open(fd: number, session: Session, nowMs: number): Connection {
    const generation = this.nextGeneration;
    this.nextGeneration = (generation + 1) & GENERATION_MASK;
    const connection = new Connection(fd, generation, session, this, nowMs);
    while (this.byFd.length <= fd) this.byFd.push(null);
    this.byFd[fd] = connection;
    this.serving.add(connection);
    this.ring.receiveMany(fd, fd, tagOf(connection, Kind.Input));
    return connection;
  }

  // ---- a turn -----------------------------------------------------------------------------------

  turn(timeoutMs: number, afterWait: () => void): void {
    this.ring.wait(this.hasWork ? 0 : timeoutMs);
    this.collect();
    this.serving.clearArenas();
    afterWait();
    this.takeBell();
    this.fillRooms();
    this.execute();
    this.readLarge();
    this.feedStarved();
  }

  /** What has come while something else was handed over waits no longer, nor who is to ask anew. */
  private get hasWork(): boolean {
    return this.arrivals.count + this.rooms.length + this.starved.length > 0;
  }

  /** Hands over what is written, in the middle of a turn. */
  sendAll(): void {
    this.ring.submit();
    this.collect();
  }

  /** Everything written was handed over: sorts what has come of it. */
  private collect(): void {
    const { ring, sends } = this;
    const { count } = sends;
    sends.count = 0;
    for (let at = 0; at < count; at++) sends.connections[at]!.isLeaving = false;
    while (ring.next()) this.sort(ring.tagLow, ring.tagHigh);
    for (let at = 0; at < count; at++) sends.connections[at] = null;
  }

  private sort(tagLow: number, tagHigh: number): void {
    const { ring } = this;
    const kind = tagHigh >>> KIND_SHIFT;
    if (kind === Kind.Sent) this.sentLess(tagLow, ring.result);
    else if (kind === Kind.Bell) this.bellRang();
    else {
      const connection = this.byFd[tagLow];
      const isCurrent = connection != null && connection.generation === (tagHigh & GENERATION_MASK);
      if (kind === Kind.Input) this.inputCame(isCurrent ? connection : null);
      else if (isCurrent) this.rooms.push(connection);
    }
  }

  private inputCame(connection: Connection | null): void {
    const { flags, result } = this.ring;
    const buffer = (flags & Completion.HasBuffer) !== 0 ? flags >>> 16 : NO_BUFFER;
    if (connection === null) {
      if (buffer !== NO_BUFFER) this.ring.giveBack(buffer);
      return;
    }
    const isOver = (flags & Completion.More) === 0;
    if (result >= 0 || !mayGoOn(result)) this.arrivals.add(connection, result, buffer);
    if (isOver && mayGoOn(result)) this.starved.push(connection);
  }

  /** Runs what has come so far. */
  private execute(): void {
    const { arrivals, serving } = this;
    // Receiving is nobody's command: its time goes into no statistics.
    if (arrivals.count > 1) serving.runner.readClock();
    this.turns++;
    let keptCount = 0;
    // More may come while this runs.
    while (this.arrivalAt < arrivals.count) {
      const at = this.arrivalAt++;
      const connection = arrivals.connections[at];
      // A pause of a script has answered it.
      if (connection == null) continue;
      if (this.hasHadItsTurn(connection)) {
        keptCount++;
        continue;
      }
      arrivals.connections[at] = null;
      this.take(connection, at);
    }
    serving.runner.closeGroup(serving.runner.context.args);
    if (keptCount === 0) arrivals.count = 0;
    else arrivals.endTurn();
    this.arrivalAt = 0;
  }

  /** Who has much to say waits for the others, and so does what comes behind that. */
  private hasHadItsTurn(connection: Connection): boolean {
    // A closed one only gives its buffers back.
    if (connection.isClosed) return false;
    if (connection.turn !== this.turns) {
      connection.turn = this.turns;
      connection.turnPieces = 0;
    }
    return connection.turnPieces++ >= PIECES_PER_TURN || this.serving.isReady(connection);
  }

  private take(connection: Connection, at: number): void {
    const { arrivals } = this;
    const result = arrivals.results[at]!;
    const isRead =
      !connection.isClosed && connection.wantsReads && connection.session.closing === Closing.No;
    if (isRead && result > 0) {
      const start = arrivals.starts[at]!;
      this.input.arrived(connection, arrivals.sources[at]!, start, start + result);
      if (connection.large !== null) this.large.push(connection);
    }
    arrivals.done(at);
    if (result > 0 || connection.isClosed) return;
    if (result < 0) this.serving.close(connection);
    else if (isRead) this.serving.inputEnded(connection);
  }

  /** Long arguments are not taken from the pool only: their rest is read where it belongs. */
  private readLarge(): void {
    const { large, arrivals } = this;
    if (large.length === 0) return;
    for (const connection of large.splice(0)) {
      // What has come already must come first.
      if (arrivals.count === 0 && connection.large !== null) this.readLargeOf(connection);
    }
  }

  private readLargeOf(connection: Connection): void {
    // The end, or what went wrong, comes as a result of its own.
    if (!connection.isClosed && connection.wantsReads) this.sockets.receiveLarge(connection);
  }

  /** Buffers are back: as many may ask again as there are in all, the first first. */
  private feedStarved(): void {
    const { starved } = this;
    if (starved.length === 0) return;
    this.starved = starved.slice(POOL_BUFFERS);
    for (let at = 0; at < Math.min(starved.length, POOL_BUFFERS); at++) {
      const connection = starved[at]!;
      if (connection.isClosed) continue;
      const { fd } = connection;
      this.ring.receiveMany(fd, fd, tagOf(connection, Kind.Input));
    }
  }

  private fillRooms(): void {
    const { rooms } = this;
    if (rooms.length === 0) return;
    for (const connection of rooms.splice(0)) {
      connection.isRoomAsked = false;
      if (connection.isClosed || !connection.wantsWrites) continue;
      this.serving.roomCame(connection);
      if (!connection.isClosed && connection.wantsWrites) this.askForRoom(connection);
    }
  }

  private takeBell(): void {
    if (!this.hasBellRung) return;
    this.hasBellRung = false;
    this.takeBellSignal();
  }

  private bellRang(): void {
    this.hasBellRung = true;
    if ((this.ring.flags & Completion.More) === 0) this.watchBell();
  }

  private watchBell(): void {
    this.ring.pollMany(this.bellFd, Epoll.In, this.bellFd, Kind.Bell << KIND_SHIFT);
  }

  // ---- a script that takes long -----------------------------------------------------------------

  busyTurn(): void {
    this.ring.wait(0);
    this.collect();
    this.takeBell();
    this.answerWaiting();
  }

  /** What cannot be answered now stays, and so does what comes after it. */
  private answerWaiting(): void {
    const { arrivals } = this;
    const left = new Set<Connection>();
    for (let at = 0; at < arrivals.count; at++) {
      const connection = arrivals.connections[at];
      if (connection == null) continue;
      const bytes = arrivals.results[at]!;
      // Whoever is gone is noticed when the script is over.
      if (bytes <= 0 || left.has(connection) || !this.busy.mayServe(connection)) {
        left.add(connection);
        this.setAside(connection, at);
        continue;
      }
      arrivals.connections[at] = null;
      this.answerBusy(connection, at);
    }
  }

  /** A script may take long: what waits for its end must not hold the pool, and brings no more. */
  private setAside(connection: Connection, at: number): void {
    if (this.arrivals.copy(at)) this.ring.cancel(connection.fd, tagOf(connection, Kind.Input));
  }

  private answerBusy(connection: Connection, at: number): void {
    const { arrivals, serving } = this;
    const bytes = arrivals.results[at]!;
    serving.inputBytes += bytes;
    serving.readCount++;
    const u8 = arrivals.sources[at]!;
    const start = arrivals.starts[at]!;
    const { kept } = connection;
    if (kept === null) {
      this.busy.answer(connection, u8, start, start + bytes);
    } else {
      assert(kept.length <= KEPT_BYTES_MAX, 'there is room for a receipt behind what was kept');
      const busyBytes = KEPT_BYTES_MAX + POOL_BUFFER_BYTES;
      this.busyInput ??= withView(new Uint8Array(new ArrayBuffer(busyBytes)));
      this.busyInput.set(kept);
      this.busyInput.set(u8.subarray(start, start + bytes), kept.length);
      this.busy.answer(connection, this.busyInput, 0, kept.length + bytes);
    }
    arrivals.done(at);
  }

  // ---- output -----------------------------------------------------------------------------------

  /** For the outbox: writes the request of its entry `at`. */
  prepareSend(
    connection: Connection,
    u8: Uint8Array,
    start: number,
    end: number,
    at: number,
  ): void {
    const address = this.sockets.addressOf(u8) + start;
    this.serving.writeCount++;
    this.ring.send(connection.fd, address, end - start, at, Kind.Sent << KIND_SHIFT);
  }

  private sentLess(at: number, result: number): void {
    const { connections, sources, starts, ends } = this.sends;
    const sent = result >= 0 ? result : result === -Errno.Again ? 0 : -1;
    this.serving.sentLess(connections[at]!, sources[at]!, starts[at]!, ends[at]!, sent);
  }

  send(connection: Connection, u8: Uint8Array, start: number, end: number): number {
    assert(!connection.isLeaving, 'what was written before has left');
    return this.sockets.send(connection, u8, start, end);
  }

  /** Input is asked for once and for all: what is not wanted is dropped when it comes. */
  want(connection: Connection, _reads: boolean, writes: boolean): void {
    if (writes) this.askForRoom(connection);
  }

  private askForRoom(connection: Connection): void {
    if (connection.isRoomAsked) return;
    connection.isRoomAsked = true;
    const { fd } = connection;
    this.ring.pollOnce(fd, Epoll.Out, fd, tagOf(connection, Kind.Room));
  }

  close(connection: Connection): void {
    const { fd } = connection;
    // A request that was written and is not handed over must not meet the descriptor's next owner.
    if (this.ring.unsubmitted > 0) this.sendAll();
    this.byFd[fd] = null;
    // The kernel holds the socket until what waits for input is done with; this ends it.
    shutdown(fd, ShutdownSide.Both);
    close(fd);
  }

  end(): void {
    this.ring.end();
  }
}

/** Is input to be asked for again? The pool was empty, or it was not to come for a while. */
function mayGoOn(result: number): boolean {
  return result > 0 || PASSING.has(result);
}

function tagOf({ generation }: Connection, kind: Kind): number {
  return generation | (kind << KIND_SHIFT);
}
