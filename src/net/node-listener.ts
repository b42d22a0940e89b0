// Listening sockets on Node's loop. One thread opens them, others listen on the same descriptors,
// and the system gives each connection to one of them.

import { createServer, type Server, type Socket } from 'node:net';
import type { ListenPlan } from './listen.js';
import { descriptorOf } from './sockets.js';

export interface NodeListenerHooks {
  readonly accept: (socket: Socket) => void;
  /** The thread ends: it has closed its connections, and nobody would close another. */
  readonly isEnding: () => boolean;
  /** Accepting failed: out of descriptors, for one. */
  readonly failed: (error: Error) => void;
}

export class NodeListener {
  private readonly hooks: NodeListenerHooks;
  private readonly servers: Server[] = [];

  constructor(hooks: NodeListenerHooks) {
    this.hooks = hooks;
  }

  /** Opens the listening sockets; returns their descriptors, for the others to listen on. */
  async open(plan: ListenPlan): Promise<number[]> {
    const fds: number[] = [];
    const { backlog } = plan;
    if (plan.port !== 0) {
      for (const entry of plan.bind) {
        const name = entry.replace(/^-/, '');
        const host = name === '*' ? '0.0.0.0' : name === '::*' ? '::' : name;
        const where = { host, port: plan.port, ipv6Only: host.includes(':'), backlog };
        const fd = await this.listenOn(where, entry.startsWith('-'));
        if (fd !== null) fds.push(fd);
      }
      if (fds.length === 0)
        throw new Error(`Failed listening on port ${plan.port} (tcp), aborting.`);
    }
    if (plan.unixSocket !== '') {
      const fd = await this.listenOn({ path: plan.unixSocket, backlog }, false);
      if (fd !== null) fds.push(fd);
    }
    return fds;
  }

  /** Listens on descriptors that another thread has opened. */
  async listen(fds: readonly number[], backlog: number): Promise<void> {
    for (const fd of fds) await this.listenOn({ fd, backlog }, false);
  }

  /** Null when it may be missing, and is. */
  private async listenOn(where: object, isOptional: boolean): Promise<number | null> {
    const { accept, isEnding } = this.hooks;
    const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
      if (isEnding()) socket.destroy();
      else accept(socket);
    });
    const failure = await new Promise<NodeJS.ErrnoException | null>((resolve) => {
      server.once('error', resolve);
      server.listen(where, () => resolve(null));
    });
    if (failure === null) {
      server.removeAllListeners('error');
      server.on('error', this.hooks.failed);
      this.servers.push(server);
      return descriptorOf(server);
    }
    const isAbsent = failure.code === 'EADDRNOTAVAIL' || failure.code === 'EAFNOSUPPORT';
    if (isOptional && isAbsent) return null;
    throw new Error(`Failed listening: ${failure.message}, aborting.`);
  }

  async end(): Promise<void> {
    for (const server of this.servers) {
      await new Promise<void>((resolve) => server.close(() => resolve()));
    }
  }
}
