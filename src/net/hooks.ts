// What serving connections (serving.ts) is given by the thread that does it.

import type { Connection } from './connection.js';

/** client-output-buffer-limit of a class; 0 is no limit. */
export interface OutputLimit {
  hardBytes: number;
  softBytes: number;
  softSeconds: number;
}

/** So much of a turn's replies no limit looks at, as on Redis; more counts before it is sent. */
export const UNCOUNTED_BYTES = 16 * 1024;

export interface ServingHooks {
  /** Called before replies leave: the log writes (and syncs) what they acknowledge. */
  readonly beforeReplies: () => void;
  /** The connection is closed and forgotten. */
  readonly closed: (connection: Connection) => void;
  readonly log: (level: 'notice' | 'warning' | 'verbose', line: string) => void;
  /** Input has arrived: what all threads share (configuration, gates) is looked at first. */
  readonly beforeCommands: () => void;
  /** The shared client directory's cheap per-turn note. */
  readonly touched: (connection: Connection) => void;
  /** The answer to the wait `place` has come: whoever waited is on no list any more. */
  readonly answered: (place: number) => void;
  /** A command of a subscriber is over: what it tells itself follows its reply. */
  readonly commandEnded: () => void;
  /** A wait ends earlier than all that were known: who sleeps until then wakes earlier. */
  readonly deadlineMoved: () => void;
}
