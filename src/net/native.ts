// The native transport: raw sockets through libc, on Linux. One of these per worker; the acceptor
// (server/acceptor.ts) hands it descriptors. It comes in two kinds: over io_uring (uring.ts) where
// the kernel has it and lets us, over epoll (epoll.ts) elsewhere.

import { errnoText } from '../base/libc.js';
import type { Session } from '../dispatch/session.js';
import type { BusyServing } from './busy.js';
import type { Connection, Wire } from './connection.js';
import { EpollTransport } from './epoll.js';
import type { Serving } from './serving.js';
import { UringTransport } from './uring.js';

export interface NativeTransport extends Wire {
  readonly busy: BusyServing;
  /**
   * Takes over a connected descriptor. Null, and the descriptor closed, if it cannot be
   * watched.
   */
  open(fd: number, session: Session, nowMs: number): Connection | null;
  /** Waits up to `timeoutMs` for input and room for output, and serves what has come. */
  turn(timeoutMs: number, afterWait: () => void): void;
  /** In a pause of a script that takes long: answers whoever says something (busy.ts). */
  busyTurn(): void;
  /** Gives its own descriptors back; connections were closed before. */
  end(): void;
}

/**
 * `bellFd` is the thread's doorbell; `takeBellSignal` is called when it has rung. A thread that
 * gets no ring has epoll: rings count as locked memory, of which an ordinary user may have only so
 * much.
 */
export function createNative(
  kind: 'io_uring' | 'epoll',
  serving: Serving,
  bellFd: number,
  takeBellSignal: () => void,
): NativeTransport {
  if (kind === 'io_uring') {
    const opened = UringTransport.open(serving, bellFd, takeBellSignal);
    if (typeof opened !== 'number') return opened;
    const reason = `This thread gets no io_uring (${errnoText(opened)})`;
    serving.log('warning', `${reason}; epoll serves it instead. Perhaps raise "ulimit -l".`);
  }
  return new EpollTransport(serving, bellFd, takeBellSignal);
}
