// One connection's bytes: input that is not yet a whole command, output that the peer has not yet
// taken. A quiet connection holds neither. How bytes come and go is the transport's (native.ts,
// node.ts); what is done with them is serving.ts'.

import { assert } from '../base/assert.js';
import { copyBytes, withView } from '../base/bytes.js';
import { Slices } from '../base/slices.js';
import { Closing, type Session } from '../dispatch/session.js';
import { Parser, type ParserLimits } from '../resp/parse.js';

/** What a transport can do for a connection. */
export interface Wire {
  /** Sends what it can of u8[start, end); returns how many bytes the peer has taken, −1 if gone. */
  send(connection: Connection, u8: Uint8Array, start: number, end: number): number;
  /** The connection wants to read, to be told when it can write, or both. */
  want(connection: Connection, reads: boolean, writes: boolean): void;
  /** Gives the descriptor back; `isOrderly`: once what was sent has left. */
  close(connection: Connection, isOrderly: boolean): void;
}

/**
 * Sends of a turn that leave together, where a transport can do that (uring.ts). They take their
 * bytes from the arenas of the turn, which must stand until then. A connection has one of them at a
 * time, and nothing is queued for it before that has left.
 */
export interface Outbox {
  /** How many have not left. */
  readonly count: number;
  /** u8[start, end) leaves with the others; if the peer takes less, Serving.sentLess says so. */
  add(connection: Connection, u8: Uint8Array, start: number, end: number): void;
  /** All leave now. Closes nobody. */
  submit(): void;
}

/** Who is at the other end, as CLIENT LIST shows it. */
export interface Peer {
  /** −1 where there is none. */
  readonly fd: number;
  readonly address: string;
  readonly localAddress: string;
}

/** Unfinished input up to here is copied aside and read again from its start. */
export const KEPT_BYTES_MAX = 32 * 1024;
const LARGE_START_BYTES = 32 * 1024;
/** So many times what has arrived: a header alone makes nobody allocate what it promises. */
const TRUSTED = 8;
/** Replies that wait for the peer share chunks of this size; longer ones have their own. */
const CHUNK_BYTES = 16 * 1024;

/** Memory for a peer's bytes; null when the system has none, which is no reason to end. */
function tryAllocate(bytes: number): Uint8Array<ArrayBuffer> | null {
  try {
    return withView(new Uint8Array(new ArrayBuffer(bytes)));
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** Input that is not read again from its start, or must wait: a buffer and a parser of its own. */
export class LargeInput {
  u8: Uint8Array<ArrayBuffer>;
  end: number;
  readonly parser: Parser;

  private constructor(u8: Uint8Array<ArrayBuffer>, end: number, limits: ParserLimits) {
    this.u8 = u8;
    this.end = end;
    this.parser = new Parser(new Slices(u8), limits);
    this.parser.feed(u8, 0, end);
  }

  /** Begins with a copy of u8[start, end), of so many that are needed; null without memory. */
  static create(
    u8: Uint8Array,
    start: number,
    end: number,
    limits: ParserLimits,
    neededBytes = 0,
  ): LargeInput | null {
    const bytes = end - start;
    const promised = Math.min(neededBytes, bytes * TRUSTED);
    const copy = tryAllocate(Math.max(LARGE_START_BYTES, bytes * 2, promised));
    if (copy === null) return null;
    copyBytes(u8, start, copy, 0, end - start);
    return new LargeInput(copy, end - start, limits);
  }

  /** Bytes that the current argument lacks; 0 when it lacks none, or nobody knows. */
  get missingBytes(): number {
    const { parser } = this;
    return Math.max(0, parser.commandAt + parser.neededBytes - this.end);
  }

  /**
   * Room behind `end`: at least `least` bytes, as much as the current argument needs at the most;
   * −1 when there is no memory.
   */
  makeRoom(least: number): number {
    const { parser } = this;
    // Moved when half of it is done with, so that each byte moves about once.
    if (parser.commandAt > this.end >> 1) this.dropConsumed();
    if (this.u8.length - this.end < least) {
      if (parser.commandAt > 0) this.dropConsumed();
      const needed = parser.neededBytes;
      const capacity =
        needed < this.end + least
          ? this.end * 2 + least
          : Math.min(needed, this.end * TRUSTED + least);
      if (capacity > this.u8.length && !this.grow(capacity)) return -1;
    }
    return this.u8.length - this.end;
  }

  private grow(capacity: number): boolean {
    const grown = tryAllocate(capacity);
    if (grown === null) return false;
    grown.set(this.u8.subarray(0, this.end));
    this.u8 = grown;
    this.parser.extend(grown, 0, this.end);
    return true;
  }

  private dropConsumed(): void {
    const { parser } = this;
    const from = parser.commandAt;
    this.u8.copyWithin(0, from, this.end);
    this.end -= from;
    parser.extend(this.u8, -from, this.end);
  }

  /** `bytes` more have been written at `end`. */
  arrived(bytes: number): void {
    this.end += bytes;
    this.parser.extend(this.u8, 0, this.end);
  }
}

export class Connection {
  readonly fd: number;
  readonly generation: number;
  readonly session: Session;
  readonly wire: Wire;
  /** Start of an unfinished command, or what has arrived while the session may not run any. */
  kept: Uint8Array | null = null;
  large: LargeInput | null = null;
  /** Chunks the peer has not taken: the first from `sentOfFirst` on, the last up to `endOfLast`. */
  output: Uint8Array[] = [];
  private sentOfFirst = 0;
  private endOfLast = 0;
  outputBytes = 0;
  /** Since when the output is over its soft limit; 0 if it is not. */
  softLimitSinceMs = 0;
  /** Where this turn's replies stand in the arena; equal if there are none. */
  replyFrom = 0;
  replyTo = 0;
  /** The range stands in the arena of messages instead (pushes.ts). */
  holdsPushes = false;
  /** Stands in a list of connections to flush. */
  isToFlush = false;
  /** Commands wait in `kept` because a gate asked to wait. */
  isPostponed = false;
  /** Commands wait because the peer does not take its output. */
  isHeldBack = false;
  /** The peer has sent its last byte; it may still read. */
  isInputEnded = false;
  wantsReads = true;
  wantsWrites = false;
  isClosed = false;
  /** Its replies stand in the outbox. */
  isLeaving = false;
  /** The system was asked to tell when the peer takes more, and has not. */
  isRoomAsked = false;
  /** The last turn in which io_uring brought it input, and how many pieces it has had in it. */
  turn = 0;
  turnPieces = 0;
  /** Sizes of its buffers stand in the client directory, and are to be brought up to date. */
  showsBuffers = false;
  /** When bytes last went either way. */
  lastActiveMs = 0;
  /** Id of the last command; −1 before the first. */
  commandId = -1;
  /** Only when a transport keeps something of its own beside: a node:net socket. */
  socket: unknown = null;

  constructor(fd: number, generation: number, session: Session, wire: Wire, nowMs: number) {
    this.fd = fd;
    this.generation = generation;
    this.session = session;
    this.wire = wire;
    this.lastActiveMs = nowMs;
  }

  /** Is there nothing to do for it when its replies have left? */
  get isUndisturbed(): boolean {
    return (
      this.session.closing === Closing.No &&
      !this.isInputEnded &&
      !this.isHeldBack &&
      !this.wantsWrites
    );
  }

  /** Bytes of input held for this connection, without what is known as words already. */
  get inputBytes(): number {
    const { large } = this;
    return (this.kept?.length ?? 0) + (large === null ? 0 : large.end - large.parser.at);
  }

  /** Bytes of the words that an unfinished large command has so far. */
  get argumentBytes(): number {
    return this.large === null ? 0 : this.large.parser.at - this.large.parser.commandAt;
  }

  /** Keeps a copy of u8[start, end) as unread input. */
  keep(u8: Uint8Array, start: number, end: number): void {
    this.kept = start === end ? null : u8.slice(start, end);
  }

  /**
   * As keep, of a command that needs so many bytes in all: what the next receipt has no room for
   * gets a large buffer. False when there is no memory for that.
   */
  keepRest(
    u8: Uint8Array,
    start: number,
    end: number,
    limits: ParserLimits,
    neededBytes = 0,
  ): boolean {
    this.kept = null;
    if (end - start <= KEPT_BYTES_MAX && neededBytes <= KEPT_BYTES_MAX * 2) {
      this.keep(u8, start, end);
      return true;
    }
    this.large = LargeInput.create(u8, start, end, limits, neededBytes);
    return this.large !== null;
  }

  /** Appends a copy of u8[start, end) to the output. False when there is no memory for it. */
  enqueue(u8: Uint8Array, start: number, end: number): boolean {
    assert(!this.isLeaving, 'what was written before has left');
    if (start === end) return true;
    const { output } = this;
    const last = output[output.length - 1];
    let from = start;
    if (last !== undefined && this.endOfLast < last.length) {
      const bytes = Math.min(last.length - this.endOfLast, end - start);
      copyBytes(u8, start, last, this.endOfLast, bytes);
      this.endOfLast += bytes;
      this.outputBytes += bytes;
      from += bytes;
    }
    const rest = end - from;
    if (rest === 0) return true;
    const chunk = tryAllocate(Math.max(CHUNK_BYTES, rest));
    if (chunk === null) return false;
    copyBytes(u8, from, chunk, 0, rest);
    output.push(chunk);
    this.endOfLast = rest;
    this.outputBytes += rest;
    return true;
  }

  /** Appends bytes that never change to the output, without copying them. */
  enqueueShared(bytes: Uint8Array): void {
    assert(!this.isLeaving, 'what was written before has left');
    const { output } = this;
    const last = output.length - 1;
    // All chunks but the last are full.
    if (last >= 0 && this.endOfLast < output[last]!.length) {
      output[last] = output[last]!.subarray(0, this.endOfLast);
    }
    output.push(bytes);
    this.endOfLast = bytes.length;
    this.outputBytes += bytes.length;
  }

  /** Forgets what the peer has not taken. */
  dropOutput(): void {
    this.output = [];
    this.outputBytes = 0;
    this.sentOfFirst = 0;
  }

  /** Sends queued output as far as the peer takes it: how many bytes, −1 when the peer is gone. */
  drain(): number {
    let total = 0;
    while (this.output.length > 0) {
      const chunk = this.output[0]!;
      const end = this.output.length === 1 ? this.endOfLast : chunk.length;
      const sent = this.wire.send(this, chunk, this.sentOfFirst, end);
      if (sent < 0) return -1;
      total += sent;
      this.outputBytes -= sent;
      this.sentOfFirst += sent;
      if (this.sentOfFirst < end) return total;
      this.output.shift();
      this.sentOfFirst = 0;
    }
    return total;
  }
}
