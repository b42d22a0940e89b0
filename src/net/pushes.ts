// What connections are told outside of their own commands: pub/sub messages. A turn's messages
// stand in one arena, each once for all its subscribers, and leave at the end of the turn: each
// subscriber's send takes them from there, and nothing is copied for it. Only who gets messages
// that do not stand together, or has replies in the same turn, has them queued.
//
//   arena:    │ message 1 │ message 2 │ message 3 │ …
//   subscribers of both channels:     └─ from ─ to ┘
//   of another:           └─ from ─ to ┘
//
// A connection has one range, of its replies or of its messages; what comes first goes into its
// queue when the other kind follows.

import { Closing, type Session } from '../dispatch/session.js';
import type { Outlet } from '../pubsub/delivery.js';
import type { Connection } from './connection.js';
import type { Serving } from './serving.js';

const PUSHES_BYTES = 1024 * 1024;

export class Pushes implements Outlet {
  readonly pushes: Uint8Array<ArrayBuffer> = new Uint8Array(new ArrayBuffer(PUSHES_BYTES));
  pushAt = 0;
  private readonly serving: Serving;
  /** listed[0, count): connections that have got messages in this turn. */
  private readonly listed: (Connection | null)[] = [];
  count = 0;

  constructor(serving: Serving) {
    this.serving = serving;
  }

  prepare(bytes: number): void {
    if (this.pushAt + bytes <= PUSHES_BYTES) return;
    this.serving.outbox?.submit();
    this.sendHeld();
    this.pushAt = 0;
  }

  push({ outlet }: Session, start: number, end: number): void {
    const connection = outlet as Connection | null;
    if (connection === null || !isListening(connection)) return;
    const { serving, pushes } = this;
    if (connection.isLeaving) serving.outbox!.submit();
    if (connection.holdsPushes) {
      if (connection.replyTo !== start) {
        serving.enqueue(connection, pushes, connection.replyFrom, connection.replyTo);
        connection.replyFrom = start;
      }
      connection.replyTo = end;
    } else if (serving.isServed(connection)) {
      serving.appendPush(pushes.subarray(start, end));
    } else if (connection.isToFlush) {
      this.queueReplies(connection);
      serving.enqueue(connection, pushes, start, end);
    } else {
      connection.holdsPushes = true;
      connection.replyFrom = start;
      connection.replyTo = end;
      this.list(connection);
    }
  }

  pushLong({ outlet }: Session, bytes: Uint8Array): void {
    const connection = outlet as Connection | null;
    if (connection === null || !isListening(connection)) return;
    const { serving } = this;
    if (connection.isLeaving) serving.outbox!.submit();
    if (serving.isServed(connection)) {
      serving.appendPush(bytes);
      return;
    }
    if (connection.holdsPushes) this.queueHeld(connection);
    else if (connection.isToFlush) this.queueReplies(connection);
    if (!connection.isToFlush) this.list(connection);
    connection.enqueueShared(bytes);
    serving.outputLimits.check(connection);
  }

  private list(connection: Connection): void {
    connection.isToFlush = true;
    const at = this.count++;
    if (at < this.listed.length) this.listed[at] = connection;
    else this.listed.push(connection);
  }

  /** Queues the messages that the connection holds in the arena: something else follows. */
  queueHeld(connection: Connection): void {
    const { replyFrom, replyTo } = connection;
    connection.holdsPushes = false;
    connection.replyFrom = 0;
    connection.replyTo = 0;
    this.serving.enqueue(connection, this.pushes, replyFrom, replyTo);
  }

  private queueReplies(connection: Connection): void {
    const { replyFrom, replyTo } = connection;
    connection.replyFrom = 0;
    connection.replyTo = 0;
    this.serving.enqueue(connection, this.serving.arena, replyFrom, replyTo);
  }

  /** Ends the turn for all that have got messages. */
  flush(): void {
    const { listed, serving } = this;
    for (let index = 0; index < this.count; index++) {
      const connection = listed[index]!;
      listed[index] = null;
      if (!connection.holdsPushes) {
        serving.flush(connection, serving.arena);
        continue;
      }
      // Who has not taken what was sent before is not asked again: it says when it takes more.
      if (connection.wantsWrites && isListening(connection)) {
        connection.isToFlush = false;
        this.queueHeld(connection);
        serving.outputGrew(connection);
        continue;
      }
      connection.holdsPushes = false;
      serving.flush(connection, this.pushes);
    }
    this.count = 0;
  }

  /**
   * The arena is full in the middle of a turn: sends what stands in it. Nobody is closed here, for
   * this may be in the middle of a walk over subscribers; the end of the turn does.
   */
  private sendHeld(): void {
    const { serving } = this;
    for (let index = 0; index < this.count; index++) {
      const connection = this.listed[index]!;
      if (!connection.holdsPushes) continue;
      if (connection.isClosed || connection.output.length > 0) {
        this.queueHeld(connection);
        continue;
      }
      const sent = serving.sendNow(connection, this.pushes);
      if (sent < 0) connection.session.closing = Closing.Now;
      else connection.replyFrom += sent;
      this.queueHeld(connection);
    }
  }
}

/** Whoever is about to be closed is told nothing any more. */
function isListening(connection: Connection): boolean {
  return !connection.isClosed && connection.session.closing === Closing.No;
}
