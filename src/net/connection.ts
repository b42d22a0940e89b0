// One connection's bytes: input that is not yet a whole command, output that the peer has not yet
// taken. A quiet connection holds neither. How bytes come and go is the transport's (native.ts,
// node.ts); what is done with them is serving.ts'.

import { copyBytes } from '../base/bytes.js';
import { Slices } from '../base/slices.js';
import type { Session } from '../dispatch/session.js';
import { Parser, type ParserLimits } from '../resp/parse.js';

/** What a transport can do for a connection. */
export interface Wire {
  /** Sends what it can of u8[start, end); returns how many bytes the peer has taken, −1 if gone. */
  send(connection: Connection, u8: Uint8Array, start: number, end: number): number;
  /** The connection wants to read, to be told when it can write, or both. */
  want(connection: Connection, reads: boolean, writes: boolean): void;
  /** Gives the descriptor back. */
  close(connection: Connection): void;
}

/** Unfinished input up to here is copied aside and read again from its start. */
export const KEPT_BYTES_MAX = 32 * 1024;
const LARGE_START_BYTES = 64 * 1024;

/** Input of a command too large to be read again: a buffer and a parser of its own. */
export class LargeInput {
  u8: Uint8Array<ArrayBuffer>;
  end: number;
  readonly parser: Parser;

  constructor(u8: Uint8Array, start: number, end: number, limits: ParserLimits) {
    this.u8 = new Uint8Array(new ArrayBuffer(Math.max(LARGE_START_BYTES, (end - start) * 2)));
    this.end = end - start;
    copyBytes(u8, start, this.u8, 0, this.end);
    this.parser = new Parser(new Slices(this.u8), limits);
    this.parser.feed(this.u8, 0, this.end);
  }

  /** Room behind `end`: at least `least` bytes, as much as the current argument needs at the most. */
  makeRoom(least: number): number {
    const { parser } = this;
    if (parser.commandAt > 0) this.dropConsumed();
    if (this.u8.length - this.end < least) {
      // Never more than double what has arrived: a header alone makes nobody allocate its promise.
      const wanted = Math.max(parser.neededBytes, this.end + least);
      const capacity = Math.min(Math.max(wanted, this.end + least), this.end * 2 + least);
      const grown = new Uint8Array(new ArrayBuffer(capacity));
      grown.set(this.u8.subarray(0, this.end));
      this.u8 = grown;
      parser.extend(grown, 0, this.end);
    }
    return this.u8.length - this.end;
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
  /** Start of an unfinished command, or whole commands while the session may not run any. */
  kept: Uint8Array | null = null;
  large: LargeInput | null = null;
  /** Chunks the peer has not taken; the first from `sentOfFirst` on. */
  output: Uint8Array[] = [];
  sentOfFirst = 0;
  outputBytes = 0;
  /** Since when the output is over its soft limit; 0 if it is not. */
  softLimitSinceMs = 0;
  /** Where this turn's replies stand in the arena; equal if there are none. */
  replyFrom = 0;
  replyTo = 0;
  /** Stands in the list of connections to flush. */
  isToFlush = false;
  /** Whole commands wait in `kept` because a gate asked to wait. */
  isPostponed = false;
  /** Reading stopped because the peer does not take its output. */
  isHeldBack = false;
  wantsReads = true;
  wantsWrites = false;
  isClosed = false;
  lastInputMs = 0;
  /** Only when a transport keeps something of its own beside: a node:net socket. */
  socket: unknown = null;

  constructor(
    fd: number,
    generation: number,
    session: Session,
    wire: Wire,
    nowMs: number,
  ) {
    this.fd = fd;
    this.generation = generation;
    this.session = session;
    this.wire = wire;
    this.lastInputMs = nowMs;
  }

  /** Bytes of input held for this connection. */
  get inputBytes(): number {
    return (this.kept?.length ?? 0) + (this.large?.end ?? 0);
  }

  /** Keeps a copy of u8[start, end) as unread input. */
  keep(u8: Uint8Array, start: number, end: number): void {
    this.kept = start === end ? null : u8.slice(start, end);
  }

  /** Appends a copy of u8[start, end) to the output. */
  enqueue(u8: Uint8Array, start: number, end: number): void {
    if (start === end) return;
    const chunk = new Uint8Array(new ArrayBuffer(end - start));
    copyBytes(u8, start, chunk, 0, end - start);
    this.output.push(chunk);
    this.outputBytes += chunk.length;
  }

  /** Sends queued output as far as the peer takes it. False when the peer is gone. */
  drain(): boolean {
    while (this.output.length > 0) {
      const chunk = this.output[0]!;
      const sent = this.wire.send(this, chunk, this.sentOfFirst, chunk.length);
      if (sent < 0) return false;
      this.outputBytes -= sent;
      this.sentOfFirst += sent;
      if (this.sentOfFirst < chunk.length) return true;
      this.output.shift();
      this.sentOfFirst = 0;
    }
    return true;
  }
}
