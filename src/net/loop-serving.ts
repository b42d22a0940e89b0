// Connections on a thread that lives on Node's event loop, whatever brings their bytes there as
// callbacks: node:net (node.ts), TLS (tls.ts), a WebSocket. Input is executed as it comes; replies
// leave once at the end of the loop's turn, when all that had input were read.

import { Closing, type Session } from '../dispatch/session.js';
import { Connection, type Wire } from './connection.js';
import { Input } from './input.js';
import type { Serving } from './serving.js';

export class LoopServing {
  readonly serving: Serving;
  private readonly beforeInput: (isFirst: boolean) => void;
  private readonly input: Input;
  private nextGeneration = 1;
  private isFlushPlanned = false;

  /** `beforeInput`: input has come, the first since replies left or more of the same turn. */
  constructor(serving: Serving, beforeInput: (isFirst: boolean) => void) {
    this.serving = serving;
    this.input = new Input(serving);
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
    this.input.arrived(connection, u8, 0, bytes);
    this.planFlush();
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
