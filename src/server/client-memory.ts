// maxmemory-clients: when all connections together take more than it, the largest are closed, on
// whatever thread they are. Any thread may find that out, at the end of a connection's turn; it
// tells their owners to close them. Whoever was told to close counts no more, so two threads that
// look at the same time do not close twice as many.

import type { Config } from '../config/config.js';
import { Closing } from '../dispatch/session.js';

import { ClientFlag } from '../stats/clients.js';
import { Counter } from '../stats/server.js';
import type { Executor } from './executor.js';

/** Connections that are no clients, or that asked to stay (CLIENT NO-EVICT). */
const STAYS = ClientFlag.NoEvict | ClientFlag.Replica | ClientFlag.Master;

interface Candidate {
  readonly slot: number;
  readonly id: number;
  readonly bytes: number;
}

export class ClientMemory {
  private readonly executor: Executor;
  private limitBytes = 0;

  constructor(executor: Executor) {
    this.executor = executor;
  }

  get isLimited(): boolean {
    return this.limitBytes > 0;
  }

  adopt(config: Config): void {
    const limit = config.share('maxmemory-clients');
    // A share of maxmemory: without one there is no limit either.
    this.limitBytes =
      'bytes' in limit
        ? limit.bytes
        : Math.floor((config.number('maxmemory') * limit.percent) / 100);
    if (this.isLimited) this.check();
  }

  /** Closes the largest while all together take too much. */
  check(): void {
    if (this.executor.clients.totalBytes() > this.limitBytes) this.evict();
  }

  private evict(): void {
    const { clients, door, stats, log } = this.executor;
    const candidates: Candidate[] = [];
    let total = 0;
    clients.eachSize((slot, id, bytes, flags) => {
      total += bytes;
      if ((flags & STAYS) === 0) candidates.push({ slot, id, bytes });
    });
    if (total <= this.limitBytes) return;
    candidates.sort((a, b) => b.bytes - a.bytes);
    for (const { slot, id, bytes } of candidates) {
      if (total <= this.limitBytes) return;
      total -= bytes;
      // All threads look when the limit has changed: one of them tells it, and counts it.
      if (!clients.claimClosing(slot, id)) continue;
      stats.add(Counter.EvictedClients, 1);
      log.write('notice', `Evicting client: id=${id} tot-mem=${bytes}`);
      this.stop(slot, id);
      // Its thread is woken when it has been counted.
      door.closeClient(slot, id);
    }
  }

  /** One of this thread runs nothing more until it is closed, at the beginning of the next turn. */
  private stop(slot: number, id: number): void {
    const session = this.executor.serving.connectionAt(slot)?.session;
    if (session?.id === id) session.closing = Closing.Now;
  }
}
