// A thread that serves encrypted connections. With the native transport the acceptor hands it
// connected descriptors, the thread with the fewest first; otherwise it listens itself.

import { close } from '../base/libc.js';
import { MessageKind } from '../mesh/post.js';
import type { ListenPlan } from '../net/listen.js';
import { NodeListener } from '../net/node-listener.js';
import { type RawSocket, type TlsOptions, TlsTransport } from '../net/tls.js';
import { readTls } from '../net/tls-settings.js';
import { type Edge, type EdgeThread, runEdge } from './edge.js';
import { tlsListenPlan } from './listen-plan.js';

class TlsEdge implements Edge {
  private readonly thread: EdgeThread;
  private readonly transport: TlsTransport;
  private readonly listener: NodeListener;
  private tlsVersion: number;

  constructor(thread: EdgeThread) {
    this.thread = thread;
    const { executor } = thread;
    const { control, log } = executor;
    this.tlsVersion = executor.tlsVersion;
    const hooks = {
      open: thread.open.bind(thread),
      refusal: (address: string) => thread.refusal(address),
      lost: () => control.addConnections(executor.thread, -1),
      log: (line: string) => log.write('warning', line),
    };
    this.transport = new TlsTransport(thread.loop, hooks, this.options());
    this.listener = new NodeListener({
      accept: (raw) => this.accept(raw),
      isEnding: () => thread.executor.control.isStopping,
      failed: (error) => log.write('warning', `Accepting client connection: ${error.message}`),
    });
    thread.handlers[MessageKind.Connection] = (_from, u8, start) =>
      this.adopt(new Int32Array(u8.buffer, u8.byteOffset + start, 1)[0]!);
    thread.onConfig(() => this.renew());
  }

  private options(): TlsOptions {
    const { config, shape } = this.thread.executor;
    return {
      context: readTls(config),
      authClients: config.text('tls-auth-clients'),
      ticketKeys: shape.ticketKeys,
    };
  }

  /** Somebody has set something of TLS, and has found it good. */
  private renew(): void {
    // Not the one that is in force by now: that may be of a configuration which is not here yet.
    const { tlsVersion, log } = this.thread.executor;
    if (tlsVersion === this.tlsVersion) return;
    this.tlsVersion = tlsVersion;
    try {
      this.transport.configure(this.options());
    } catch (error) {
      // The files have changed since: what was in force stays.
      log.write('warning', (error as Error).message);
    }
  }

  async start(listeningFds: readonly number[] | null): Promise<readonly number[]> {
    const { config, shape } = this.thread.executor;
    if (shape.facts.transport === 'native') return [];
    const plan: ListenPlan = tlsListenPlan(config);
    if (listeningFds === null) return this.listener.open(plan);
    await this.listener.listen(listeningFds, plan.backlog);
    return listeningFds;
  }

  /** From the acceptor, which has counted it. */
  private adopt(fd: number): void {
    // A certificate that was set counts for whoever connects afterwards.
    this.thread.executor.refresh();
    if (!this.transport.adopt(fd)) close(fd);
  }

  private accept(raw: RawSocket): void {
    const { executor } = this.thread;
    // As in adopt.
    executor.refresh();
    // Before the handshake there is nothing that such a peer would understand.
    if (!this.thread.countIn()) {
      raw.destroy();
      return;
    }
    const keepAlive = executor.config.number('tcp-keepalive');
    if (keepAlive > 0) raw.setKeepAlive(true, keepAlive * 1000);
    this.transport.accept(raw);
  }

  async end(): Promise<void> {
    this.transport.end();
    await this.listener.end();
  }
}

await runEdge((thread) => new TlsEdge(thread));
