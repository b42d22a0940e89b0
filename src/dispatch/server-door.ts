// What commands may ask of the server around them. Implemented in server/, wired at start.

import type { Asker, Change, Config } from '../config/config.js';
import type { PubSub } from '../pubsub/hub.js';
import type { ClientDirectory } from '../stats/clients.js';
import type { CommandStats } from '../stats/commands.js';
import type { ServerStats } from '../stats/server.js';
import type { Slowlog } from '../stats/slowlog.js';
import type { CommandTable } from './table.js';

/** The version of Redis whose behaviour commands follow, and which clients are told. */
export const REDIS_VERSION = '7.2.6';

export interface ShutdownRequest {
  readonly isSaving: boolean | null;
  readonly isNow: boolean;
  readonly isForced: boolean;
}

export interface ServerDoor {
  readonly config: Config;
  readonly table: CommandTable;
  readonly clients: ClientDirectory;
  readonly commandStats: CommandStats;
  readonly slowlog: Slowlog;
  readonly stats: ServerStats;
  readonly pubsub: PubSub;
  /** Facts that never change while the process lives. */
  readonly facts: ServerFacts;
  /** This thread's number among those that execute commands. */
  readonly threadIndex: number;
  /**
   * CONFIG SET name value [name value ...], on top of what all threads have set before: all of it
   * or nothing, and seen by every command that arrives at any thread after the reply.
   */
  changeConfig(pairs: readonly string[], asker: Asker): Change;
  /** Ends the process in order. Returns at once; false when it cannot. */
  shutDown(request: ShutdownRequest): void;
  /** Closes the session in `slot` of the client directory if it is still `id`, on any thread. */
  closeClient(slot: number, id: number): void;
  /** CLIENT UNBLOCK of a session of any thread that waits for something else than a key. */
  unblockClient(slot: number, id: number, withError: boolean): void;
  /** CLIENT PAUSE until `untilMs` (clock), for all commands or for writes only. */
  pauseClients(untilMs: number, allCommands: boolean): void;
  unpauseClients(): void;
  /** Sleeps this thread while it holds all locks (DEBUG SLEEP). */
  sleepHoldingLocks(ms: number): void;
  setActiveExpire(isOn: boolean): void;
  /** A line for the server's log. */
  log(level: 'debug' | 'verbose' | 'notice' | 'warning', line: string): void;
  /** The wall clock in microseconds since 1970, read now. */
  nowUs(): number;
  /** used_memory of all partitions and of what stands beside them, bytes. */
  usedMemory(): number;
}

export interface ServerFacts {
  readonly runId: string;
  readonly version: string;
  readonly startedMs: number;
  readonly configFile: string;
  readonly executable: string;
  readonly processId: number;
  readonly port: number;
  readonly threadCount: number;
  readonly transport: 'native' | 'node';
  readonly partitionBytes: number;
}
