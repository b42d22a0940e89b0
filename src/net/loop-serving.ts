// Connections on a thread that lives on Node's event loop, whatever brings their bytes there as
// callbacks: node:net (node.ts), TLS (tls.ts), a WebSocket. Input is executed as it comes; replies
// leave once at the end of the loop's turn, when all that had input were read.

import { copyBytes } from '../base/bytes.js';
import { Closing, type Session } from '../dispatch/session.js';
import { Connection, type Wire } from './connection.js';
import type { Serving } from './serving.js';

export class LoopServing {
  readonly serving: Serving;
  private readonly beforeInput: (isFirst: boolean) => void;
  private nextGeneration = 1;
  private isFlushPlanned = false;

  /** `beforeInput`: input has come, the first since replies left or more of the same turn. */
  constructor(serving: Serving, beforeInput: (isFirst: boolean) => void) {
    this.serving = serving;
    this.beforeInput = beforeInput;
  }

  /** A connection for a session, whose bytes go by `wire`. */
  add(session: Session, wire: Wire): Connection {
    const { serving } = this;
    const { nowMs } = serving.runner.keyspace;
    const connection = new Connection(session.fd, this.nextGeneration++, session, wire, nowMs);
    serving.add(connection);
    return connection;
  }

  /** u8[0, bytes) has come from the peer; it is the caller's again when this returns. */
  received(connection: Connection, u8: Uint8Array, bytes: number): void {
    if (connection.isClosed || connection.session.closing !== Closing.No) return;
    this.beforeInput(!this.isFlushPlanned);
    if (connection.isClosed) return;
    const { serving } = this;
    connection.lastActiveMs = serving.runner.keyspace.nowMs;
    serving.inputBytes += bytes;
    serving.readCount++;
    if (connection.large !== null || !serving.isRunnable(connection)) {
      const large = serving.largeInputOf(connection, bytes);
      if (large === null) return;
      copyBytes(u8, 0, large.u8, large.end, bytes);
      large.arrived(bytes);
      serving.receivedLarge(connection);
    } else {
      this.receivedSmall(connection, u8, bytes);
    }
    this.planFlush();
  }

  private receivedSmall(connection: Connection, u8: Uint8Array, bytes: number): void {
    const { kept } = connection;
    connection.kept = null;
    if (kept === null) {
      this.serving.received(connection, u8, 0, bytes);
      return;
    }
    const joined = new Uint8Array(new ArrayBuffer(kept.length + bytes));
    joined.set(kept);
    copyBytes(u8, 0, joined, kept.length, bytes);
    this.serving.received(connection, joined, 0, joined.length);
  }

  /** The peer has sent its last byte; it may still read. */
  ended(connection: Connection): void {
    if (connection.isClosed) return;
    this.serving.inputEnded(connection);
    this.planFlush();
  }

  /** The peer takes more, after a send that it did not take whole. */
  drained(connection: Connection): void {
    if (connection.isClosed || connection.output.length === 0) return;
    this.serving.roomCame(connection);
    this.planFlush();
  }

  /** Nothing comes from the peer or goes to it any more. */
  gone(connection: Connection): void {
    this.serving.close(connection);
  }

  private planFlush(): void {
    if (this.isFlushPlanned) return;
    this.isFlushPlanned = true;
    setImmediate(this.endTurn);
  }

  private readonly endTurn = (): void => {
    this.isFlushPlanned = false;
    this.serving.serveReady();
    this.serving.flushReplies();
    // What is ready still goes on after the others' turn.
    if (this.serving.hasReady) this.planFlush();
  };
}
