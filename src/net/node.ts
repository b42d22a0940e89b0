// The portable transport: node:net streams. Where the native one does not run (macOS, Windows, an
// unknown libc) and where it is asked for. The first worker opens the listening sockets, the others
// listen on the same descriptors.

import type { Socket } from 'node:net';
import type { Connection, Peer, Wire } from './connection.js';
import { TOO_MANY_TEXT } from './listen.js';
import type { LoopServing } from './loop-serving.js';
import { NodeListener } from './node-listener.js';
import { addressOf, attach, descriptorOf, SocketWire, turnAwaySocket } from './sockets.js';

export interface NodeTransportHooks {
  readonly isEnding: () => boolean;
  /** Counts a fresh connection in; otherwise what it is told before it is closed again. */
  readonly admit: (address: string) => string | null;
  /** A connection for one that was admitted, or null when there is no room for a session. */
  readonly open: (wire: Wire, peer: Peer) => Connection | null;
  /** Accepting failed: out of descriptors, for one. */
  readonly failed: (error: Error) => void;
  readonly keepAliveSeconds: () => number;
  readonly unixPath: () => string;
}

export class NodeTransport {
  readonly listener: NodeListener;
  private readonly loop: LoopServing;
  private readonly hooks: NodeTransportHooks;
  private readonly wire = new SocketWire();

  constructor(loop: LoopServing, hooks: NodeTransportHooks) {
    this.loop = loop;
    this.hooks = hooks;
    this.listener = new NodeListener({
      accept: (socket) => this.accept(socket),
      isEnding: hooks.isEnding,
      failed: hooks.failed,
    });
  }

  private accept(socket: Socket): void {
    const address = addressOf(socket.remoteAddress, socket.remotePort) || this.hooks.unixPath();
    const local = addressOf(socket.localAddress, socket.localPort) || this.hooks.unixPath();
    socket.on('error', () => {
      // The close that follows says all there is to say.
    });
    const refusal = this.hooks.admit(address);
    if (refusal !== null) {
      turnAwaySocket(socket, refusal);
      return;
    }
    const peer = { fd: descriptorOf(socket), address, localAddress: local };
    const connection = this.hooks.open(this.wire, peer);
    if (connection === null) {
      turnAwaySocket(socket, TOO_MANY_TEXT);
      return;
    }
    const keepAlive = this.hooks.keepAliveSeconds();
    if (keepAlive > 0) socket.setKeepAlive(true, keepAlive * 1000);
    attach(this.loop, connection, socket);
  }
}
