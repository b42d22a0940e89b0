// What both kinds of the native transport do with a socket by a call of its own: sending at once,
// and receiving into a connection's large buffer.

import { addressOf, Errno, recv, send } from '../base/libc.js';
import type { Connection } from './connection.js';
import type { Serving } from './serving.js';

/** One recv into a large buffer takes at most so much, so that others get their turn. */
const LARGE_RECEIVE_BYTES_MAX = 1024 * 1024;
const LARGE_RECEIVE_BYTES_MIN = 16 * 1024;

export class RawSockets {
  private readonly serving: Serving;
  private readonly arenaAddress: number;
  private readonly pushesAddress: number;

  constructor(serving: Serving) {
    this.serving = serving;
    this.arenaAddress = addressOf(serving.arena);
    this.pushesAddress = addressOf(serving.pushes.pushes);
  }

  /** Where the bytes of `u8` stand; to ask the system for it is slow. */
  addressOf(u8: Uint8Array): number {
    const { serving } = this;
    if (u8 === serving.arena) return this.arenaAddress;
    return u8 === serving.pushes.pushes ? this.pushesAddress : addressOf(u8);
  }

  /** How many of the bytes the system has taken; −1 if the connection is broken. */
  send(connection: Connection, u8: Uint8Array, start: number, end: number): number {
    const sent = send(connection.fd, this.addressOf(u8) + start, end - start);
    this.serving.writeCount++;
    if (sent >= 0) return sent;
    return sent === -Errno.Again ? 0 : -1;
  }

  /**
   * Receives what the connection's large buffer has room for, and serves it. How much came: 0 at
   * the end of the input, else -errno.
   */
  receiveLarge(connection: Connection): number {
    const { serving } = this;
    // For the end of an argument no buffer grows by what is not going to come.
    const missing = connection.large?.missingBytes || LARGE_RECEIVE_BYTES_MIN;
    const least = Math.min(missing, LARGE_RECEIVE_BYTES_MIN);
    const large = serving.largeInputOf(connection, least);
    // It is closed: it had said more than it may.
    if (large === null) return -Errno.Again;
    const room = Math.min(large.u8.length - large.end, LARGE_RECEIVE_BYTES_MAX);
    const got = recv(connection.fd, addressOf(large.u8) + large.end, room);
    if (got <= 0) return got;
    connection.lastActiveMs = serving.runner.keyspace.nowMs;
    serving.inputBytes += got;
    serving.readCount++;
    large.arrived(got);
    serving.receivedLarge(connection);
    return got;
  }
}
