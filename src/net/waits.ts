// The connections whose sessions wait, and when the next of them has to be looked at: its time is
// over, or time alone may have brought it what it waits for (Wait.look).

import type { Session, Wait } from '../dispatch/session.js';
import type { Connection } from './connection.js';

export class Waits {
  private readonly waiting = new Set<Connection>();
  /** Nothing is due before this moment; Infinity for never. */
  nextMs = Number.POSITIVE_INFINITY;

  /** The connection's session has begun to wait. True when it is due before all others. */
  add(connection: Connection, { deadlineMs, look }: Wait): boolean {
    this.waiting.add(connection);
    const dueMs = look === undefined ? deadlineMs : Math.min(look.atMs, deadlineMs);
    if (dueMs >= this.nextMs) return false;
    this.nextMs = dueMs;
    return true;
  }

  delete(connection: Connection): void {
    this.waiting.delete(connection);
  }

  /**
   * Looks at what is due; `end` is called for every wait whose time is over. True when any may have
   * been answered before its time.
   */
  tend(nowMs: number, end: (connection: Connection, wait: Wait) => void): boolean {
    let hasLooked = false;
    let next = Number.POSITIVE_INFINITY;
    this.nextMs = next;
    for (const connection of this.waiting) {
      const { wait } = connection.session;
      if (wait === null || connection.isClosed) this.waiting.delete(connection);
      else if (wait.deadlineMs <= nowMs) {
        // Somebody has it in hand: its answer comes, or it can be ended in the next turn.
        if (wait.withdraw?.() === false) next = Math.min(next, nowMs + 1);
        else end(connection, wait);
      } else {
        const { look } = wait;
        if (look !== undefined && look.atMs <= nowMs) {
          hasLooked = true;
          look.atMs = look.again();
        }
        next = Math.min(next, wait.deadlineMs, look === undefined ? next : look.atMs);
      }
    }
    // What was resumed may have begun to wait anew.
    this.nextMs = Math.min(this.nextMs, next);
    return hasLooked;
  }
}

/** Blocked, as CLIENT UNBLOCK understands it: not by SAVE or MIGRATE, which end by themselves. */
export function mayWaitForEver({ wait }: Session): boolean {
  return wait !== null && (wait.place !== undefined || wait.unblockLine !== undefined);
}
