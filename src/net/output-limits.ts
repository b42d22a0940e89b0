// client-output-buffer-limit: who lets more wait than its class may, or for too long, is closed.

import { Closing } from '../dispatch/session.js';
import { Counter } from '../stats/server.js';
import type { Connection } from './connection.js';
import type { OutputLimit } from './hooks.js';
import type { Serving } from './serving.js';

export class OutputLimits {
  readonly normal: OutputLimit = { hardBytes: 0, softBytes: 0, softSeconds: 0 };
  /** Of those who have subscribed to something. */
  readonly subscriber: OutputLimit = { hardBytes: 0, softBytes: 0, softSeconds: 0 };
  private readonly serving: Serving;

  constructor(serving: Serving) {
    this.serving = serving;
  }

  /** May any number of bytes wait for the connection? */
  isUnlimited(connection: Connection): boolean {
    const { hardBytes, softBytes } = this.of(connection);
    return hardBytes === 0 && softBytes === 0;
  }

  private of({ session }: Connection): OutputLimit {
    return session.subscriptions === null ? this.normal : this.subscriber;
  }

  /** To be asked when output was queued; `unsentBytes` will be in a moment. */
  check(connection: Connection, unsentBytes = 0): void {
    const { runner, log } = this.serving;
    const { hardBytes, softBytes, softSeconds } = this.of(connection);
    const bytes = connection.outputBytes + unsentBytes;
    let isOver = hardBytes > 0 && bytes >= hardBytes;
    if (softBytes > 0 && bytes >= softBytes) {
      const now = runner.keyspace.nowMs;
      if (connection.softLimitSinceMs === 0) connection.softLimitSinceMs = now;
      else if (now - connection.softLimitSinceMs > softSeconds * 1000) isOver = true;
    } else {
      connection.softLimitSinceMs = 0;
    }
    if (!isOver || connection.session.closing === Closing.Now) return;
    log(
      'warning',
      `Client id=${connection.session.id} addr=${connection.session.address} omem=${bytes} ` +
        'scheduled to be closed ASAP for overcoming of output buffer limits.',
    );
    runner.server.stats.add(Counter.OutputLimitDisconnections, 1);
    connection.session.closing = Closing.Now;
    connection.dropOutput();
  }

  /** Soft limits end by the clock too, while nothing moves. */
  checkAll(): void {
    for (const connection of this.serving.connections) {
      if (connection.softLimitSinceMs === 0) continue;
      this.check(connection);
      if (connection.session.closing === Closing.Now) this.serving.close(connection);
    }
  }
}
