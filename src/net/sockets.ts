// What node:net and node:tls sockets have in common: they bring bytes by events and take bytes into
// a queue of their own, which is kept short here, so that limits see what waits for a slow reader.

import type { Socket } from 'node:net';
import { copyBytes } from '../base/bytes.js';
import type { Connection, Wire } from './connection.js';
import type { LoopServing } from './loop-serving.js';

/** A connection that was closed in order has so long to take what was sent. */
export const LINGER_MS = 5000;

/** Output that a socket holds for us; more stays in our own queue, where limits see it. */
export const SOCKET_BYTES_MAX = 256 * 1024;

/** Who counts this thread's writes: a thread has one loop. */
let counting: LoopServing | null = null;

/** Joins a connection and its socket. */
export function attach(loop: LoopServing, connection: Connection, socket: Socket): void {
  counting = loop;
  connection.socket = socket;
  socket.on('data', (bytes) => loop.received(connection, bytes, bytes.length));
  socket.on('drain', () => loop.drained(connection));
  socket.on('end', () => loop.ended(connection));
  socket.on('close', () => loop.gone(connection));
}

export class SocketWire implements Wire {
  send(connection: Connection, u8: Uint8Array, start: number, end: number): number {
    const socket = connection.socket as Socket;
    if (socket.destroyed) return -1;
    let at = start;
    // On as long as the system takes it at once: no 'drain' is told of such writes.
    while (at < end && socket.writableLength < SOCKET_BYTES_MAX) {
      const bytes = Math.min(SOCKET_BYTES_MAX - socket.writableLength, end - at);
      // The socket keeps what it is given until it is sent: a copy, because the arena is used
      // again.
      const copy = Buffer.allocUnsafe(bytes);
      copyBytes(u8, at, copy, 0, bytes);
      socket.write(copy);
      if (counting !== null) counting.serving.writeCount++;
      at += bytes;
    }
    return at - start;
  }

  want(connection: Connection, reads: boolean, _writes: boolean): void {
    const socket = connection.socket as Socket;
    if (reads) socket.resume();
    else socket.pause();
  }

  close(connection: Connection, isOrderly: boolean): void {
    const socket = connection.socket as Socket;
    if (!isOrderly || socket.writableLength === 0) {
      socket.destroy();
      return;
    }
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    timer.unref();
    socket.end(() => {
      clearTimeout(timer);
      socket.destroy();
    });
  }
}

/** Tells a peer why it is not let in, without waiting for it to leave. */
export function turnAwaySocket(socket: Socket, text: string): void {
  socket.end(text);
  socket.destroySoon();
}

/** As Redis prints it: ip:port, brackets around IPv6, '' for a unix socket. */
export function addressOf(host: string | undefined, port: number | undefined): string {
  if (host === undefined || port === undefined) return '';
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The descriptor, for CLIENT LIST; −1 where the platform does not tell. */
export function descriptorOf(socket: object): number {
  const handle = (socket as { readonly _handle?: { readonly fd?: number } })._handle;
  return handle?.fd ?? -1;
}
