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
import {
  addressOf,
  close,
  Epoll,
  Errno,
  recv,
  ShutdownSide,
  send,
  shutdown,
} from '../base/libc.js';
import { Closing, type Session } from '../dispatch/session.js';
import { BusyServing } from './busy.js';
import { Connection, KEPT_BYTES_MAX, type Outbox } from './connection.js';
import { Input } from './input.js';
import type { NativeTransport } from './native.js';
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

/** One recv into a large buffer takes at most so much, so that others get their turn. */
const LARGE_RECEIVE_BYTES_MAX = 1024 * 1024;
const LARGE_RECEIVE_BYTES_MIN = 16 * 1024;

const PASSING: ReadonlySet<number> = new Set([
  NO_BUFFERS,
  CANCELLED,
  -Errno.Again,
  -Errno.Interrupted,
]);

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
  readonly buffers: number[] = [];
  /** Where the input stands that had to leave the pool before it was its turn. */
  readonly copies: (Uint8Array<ArrayBuffer> | null)[] = [];

  add(connection: Connection, result: number, buffer: number): void {
    const at = this.count++;
    this.connections[at] = connection;
    this.results[at] = result;
    this.buffers[at] = buffer;
    this.copies[at] = null;
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
  private readonly arrivals = new Arrivals();
  /** arrivals[0, arrivalAt) are executed. */
  private arrivalAt = 0;
  /** Whose input found the pool empty, from starvedAt on. */
  private starved: Connection[] = [];
  /** Whose peers take more. */
  private readonly rooms: Connection[] = [];
  /** Who reads into a large buffer: more of it comes straight from the socket. */
  private readonly large: Connection[] = [];
  private readonly arenaAddress: number;
  private readonly pushesAddress: number;
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
    this.serving = serving;
    serving.sharesGroups = true;
    this.sends = new Sends(this);
    serving.outbox = this.sends;
    this.input = new Input(serving);
    this.busy = new BusyServing(serving);
    this.arenaAddress = addressOf(serving.arena);
    this.pushesAddress = addressOf(serving.pushes.pushes);
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
    // What has come while something else was handed over waits no longer.
    this.ring.wait(this.arrivals.count > 0 ? 0 : timeoutMs);
    this.collect();
    this.serving.clearArenas();
    afterWait();
    this.takeBell();
    this.fillRooms();
    this.execute();
    this.readLarge();
    this.feedStarved();
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
    // More may come while this runs.
    while (this.arrivalAt < arrivals.count) {
      const at = this.arrivalAt++;
      const connection = arrivals.connections[at];
      // A pause of a script has answered it.
      if (connection == null) continue;
      arrivals.connections[at] = null;
      this.take(connection, at);
    }
    serving.runner.closeGroup(serving.runner.context.args);
    arrivals.count = 0;
    this.arrivalAt = 0;
  }

  private take(connection: Connection, at: number): void {
    const { ring, arrivals } = this;
    const result = arrivals.results[at]!;
    const buffer = arrivals.buffers[at]!;
    const isRead =
      !connection.isClosed && connection.wantsReads && connection.session.closing === Closing.No;
    if (isRead && result > 0) {
      const copy = arrivals.copies[at] ?? null;
      const start = copy === null ? buffer * POOL_BUFFER_BYTES : 0;
      this.input.arrived(connection, copy ?? ring.pool, start, start + result);
      arrivals.copies[at] = null;
      if (connection.large !== null) this.large.push(connection);
    }
    if (buffer !== NO_BUFFER) ring.giveBack(buffer);
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
    if (connection.isClosed || !connection.wantsReads) return;
    // For the end of an argument no buffer grows by what is not going to come.
    const missing = connection.large?.missingBytes || LARGE_RECEIVE_BYTES_MIN;
    const least = Math.min(missing, LARGE_RECEIVE_BYTES_MIN);
    const large = this.serving.largeInputOf(connection, least);
    if (large === null) return;
    const room = Math.min(large.u8.length - large.end, LARGE_RECEIVE_BYTES_MAX);
    const got = recv(connection.fd, addressOf(large.u8) + large.end, room);
    // The end, or what went wrong, comes as a result of its own.
    if (got <= 0) return;
    connection.lastActiveMs = this.serving.runner.keyspace.nowMs;
    this.serving.inputBytes += got;
    this.serving.readCount++;
    large.arrived(got);
    this.serving.receivedLarge(connection);
  }

  /** All buffers are back: as many may ask again as there are, the first first. */
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
    for (let at = this.arrivalAt; at < arrivals.count; at++) {
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
      this.answerBusy(connection, arrivals.buffers[at]!, bytes);
    }
  }

  /** A script may take long: what waits for its end must not hold the pool, and brings no more. */
  private setAside(connection: Connection, at: number): void {
    const { arrivals, ring } = this;
    const buffer = arrivals.buffers[at]!;
    if (buffer === NO_BUFFER) return;
    const start = buffer * POOL_BUFFER_BYTES;
    arrivals.copies[at] = withView(ring.pool.slice(start, start + arrivals.results[at]!));
    arrivals.buffers[at] = NO_BUFFER;
    ring.giveBack(buffer);
    ring.cancel(connection.fd, tagOf(connection, Kind.Input));
  }

  private answerBusy(connection: Connection, buffer: number, bytes: number): void {
    const { ring, serving } = this;
    serving.inputBytes += bytes;
    serving.readCount++;
    const start = buffer * POOL_BUFFER_BYTES;
    const { kept } = connection;
    if (kept === null) {
      this.busy.answer(connection, ring.pool, start, start + bytes);
    } else {
      assert(kept.length <= KEPT_BYTES_MAX, 'there is room for a receipt behind what was kept');
      const busyBytes = KEPT_BYTES_MAX + POOL_BUFFER_BYTES;
      this.busyInput ??= withView(new Uint8Array(new ArrayBuffer(busyBytes)));
      this.busyInput.set(kept);
      this.busyInput.set(ring.pool.subarray(start, start + bytes), kept.length);
      this.busy.answer(connection, this.busyInput, 0, kept.length + bytes);
    }
    ring.giveBack(buffer);
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
    const address = this.addressOf(u8) + start;
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
    const sent = send(connection.fd, this.addressOf(u8) + start, end - start);
    this.serving.writeCount++;
    if (sent >= 0) return sent;
    return sent === -Errno.Again ? 0 : -1;
  }

  private addressOf(u8: Uint8Array): number {
    const { serving } = this;
    if (u8 === serving.arena) return this.arenaAddress;
    return u8 === serving.pushes.pushes ? this.pushesAddress : addressOf(u8);
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
