// Input that stands in a buffer of the transport's: executed in place where that can be, joined to
// what was kept of a command, or copied behind what the connection has in its own large buffer.

import { copyBytes, withView } from '../base/bytes.js';
import { type Connection, KEPT_BYTES_MAX } from './connection.js';
import type { Serving } from './serving.js';

export class Input {
  private readonly serving: Serving;
  /** Where the two pieces of a command are joined; made for the first. */
  private joined: Uint8Array<ArrayBuffer> | null = null;

  constructor(serving: Serving) {
    this.serving = serving;
  }

  /** u8[start, end) has come from the peer; it is the caller's again when this returns. */
  arrived(connection: Connection, u8: Uint8Array, start: number, end: number): void {
    const { serving } = this;
    const bytes = end - start;
    connection.lastActiveMs = serving.runner.keyspace.nowMs;
    serving.inputBytes += bytes;
    serving.readCount++;
    if (connection.large !== null || !serving.isRunnable(connection)) {
      const large = serving.largeInputOf(connection, bytes);
      if (large === null) return;
      copyBytes(u8, start, large.u8, large.end, bytes);
      large.arrived(bytes);
      serving.receivedLarge(connection);
      return;
    }
    const { kept } = connection;
    connection.kept = null;
    if (kept === null) {
      serving.received(connection, u8, start, end);
      return;
    }
    const joined = this.joinedOf(kept.length + bytes);
    copyBytes(kept, 0, joined, 0, kept.length);
    copyBytes(u8, start, joined, kept.length, bytes);
    serving.received(connection, joined, 0, kept.length + bytes);
  }

  private joinedOf(bytes: number): Uint8Array<ArrayBuffer> {
    if (bytes > JOINED_BYTES) return new Uint8Array(new ArrayBuffer(bytes));
    this.joined ??= withView(new Uint8Array(new ArrayBuffer(JOINED_BYTES)));
    return this.joined;
  }
}

/** What is kept at the most, and as much as transports receive at a time. */
const JOINED_BYTES = KEPT_BYTES_MAX + 64 * 1024;
