// Encrypted connections on Node's loop. A raw socket comes from a listening socket of this thread,
// or as a descriptor from the acceptor; OpenSSL makes the handshake in its name; then its bytes go
// the way of all others.
//
//   raw socket ─▶ TLS server (not listening: sockets are given to it) ─▶ handshake ─▶ connection
//        └ counted as a client from here on, so that half-open handshakes have a limit

import { Socket } from 'node:net';
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls';
import type { Connection, Peer, Wire } from './connection.js';
import { TOO_MANY_TEXT } from './listen.js';
import type { LoopServing } from './loop-serving.js';
import { addressOf, attach, descriptorOf, SocketWire, turnAwaySocket } from './sockets.js';
import { attachDirect, handleOf, TlsWire } from './tls-wire.js';

/** A peer has so long for its handshake. */
const HANDSHAKE_MS = 10_000;

export interface TlsHooks {
  /** A connection for a peer that was counted, or null (and no longer counted) without room. */
  readonly open: (wire: Wire, peer: Peer) => Connection | null;
  /** What the peer is told instead of being let in; null lets it in. */
  readonly refusal: (address: string) => string | null;
  /** A peer that was counted is gone before it became a connection. */
  readonly lost: () => void;
  readonly log: (line: string) => void;
}

/** Before its handshake. */
export type RawSocket = Socket;

export interface TlsOptions {
  readonly context: SecureContextOptions;
  readonly authClients: string;
  /** The same in all threads, so that a client may come back to any of them. */
  readonly ticketKeys: Uint8Array;
}

export class TlsTransport {
  private readonly loop: LoopServing;
  private readonly hooks: TlsHooks;
  private readonly wire = new TlsWire();
  /** Of sockets that can only be served as streams. */
  private readonly streamWire = new SocketWire();
  /** All sockets, also in the middle of their handshake. */
  private readonly raws = new Set<Socket>();
  private server: Server;

  constructor(loop: LoopServing, hooks: TlsHooks, options: TlsOptions) {
    this.loop = loop;
    this.hooks = hooks;
    this.server = this.createServer(options);
  }

  /** For handshakes that begin from now on. */
  configure(options: TlsOptions): void {
    this.server = this.createServer(options);
  }

  private createServer({ context, authClients, ticketKeys }: TlsOptions): Server {
    const server = createServer({
      ...context,
      requestCert: authClients !== 'no',
      rejectUnauthorized: authClients === 'yes',
      handshakeTimeout: HANDSHAKE_MS,
      ticketKeys: Buffer.from(ticketKeys),
    });
    server.on('secureConnection', (socket) => this.secured(socket));
    // Comes once for every peer that does not get as far as that.
    server.on('tlsClientError', (error, socket) => this.failed(socket, error));
    return server;
  }

  /** A connected descriptor that was counted; false, and no longer counted, if it is none. */
  adopt(fd: number): boolean {
    let raw: Socket;
    try {
      raw = new Socket({ fd, allowHalfOpen: true, readable: true, writable: true });
    } catch (error) {
      this.hooks.lost();
      this.hooks.log(`Error accepting a client connection: ${(error as Error).message}`);
      return false;
    }
    this.accept(raw);
    return true;
  }

  /** A connected socket that was counted. */
  accept(raw: Socket): void {
    raw.on('error', () => {
      // The close that follows says all there is to say.
    });
    this.raws.add(raw);
    raw.on('close', () => this.raws.delete(raw));
    this.server.emit('connection', raw);
  }

  private failed(socket: TLSSocket, error: Error): void {
    this.hooks.lost();
    const address = addressOf(socket.remoteAddress, socket.remotePort);
    const where = address === '' ? '' : ` (addr=${address})`;
    this.hooks.log(`Error accepting a client connection: ${error.message}${where}`);
    socket.destroy();
  }

  private secured(socket: TLSSocket): void {
    socket.on('error', () => {
      // The close that follows says all there is to say.
    });
    const address = addressOf(socket.remoteAddress, socket.remotePort);
    if (isImpostor(socket)) {
      this.hooks.lost();
      this.hooks.log(
        `Error accepting a client connection: ${socket.authorizationError} (addr=${address})`,
      );
      socket.destroy();
      return;
    }
    const refusal = this.hooks.refusal(address);
    if (refusal !== null) {
      this.hooks.lost();
      turnAwaySocket(socket, refusal);
      return;
    }
    const localAddress = addressOf(socket.localAddress, socket.localPort);
    const peer = { fd: descriptorOf(socket), address, localAddress };
    const handle = handleOf(socket);
    const connection = this.hooks.open(handle === null ? this.streamWire : this.wire, peer);
    if (connection === null) turnAwaySocket(socket, TOO_MANY_TEXT);
    else if (handle === null) attach(this.loop, connection, socket);
    else attachDirect(this.loop, connection, socket, handle);
  }

  /** Nobody is served any more: handshakes end too. */
  end(): void {
    for (const raw of this.raws) raw.destroy();
  }
}

/** It need not show a certificate, and shows one that is none of ours. */
function isImpostor(socket: TLSSocket): boolean {
  if (socket.authorized || socket.authorizationError == null) return false;
  return Object.keys(socket.getPeerCertificate()).length > 0;
}
