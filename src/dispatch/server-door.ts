// What commands may ask of the server around them. Implemented in server/, wired at start.

import type { Asker, Change, Config } from '../config/config.js';
import type { Feed } from '../log/feed.js';
import type { SharedLogs } from '../log/logs.js';
import type { KillOutcome } from '../mesh/control.js';
import type { Saving } from '../mesh/saving.js';
import type { PubSub } from '../pubsub/hub.js';
import type { Monitors } from '../pubsub/monitors.js';
import type { Tracking } from '../pubsub/tracking.js';
import type { Form } from '../rdb/write.js';
import type { Refusal } from '../resp/errors.js';
import type { Reply } from '../resp/write.js';
import type { Slab } from '../slab/slab.js';
import type { ClientDirectory } from '../stats/clients.js';
import type { CommandStats } from '../stats/commands.js';
import type { Hotkeys } from '../stats/hotkeys.js';
import type { LatencyMonitor } from '../stats/latency.js';
import type { ServerStats } from '../stats/server.js';
import type { Slowlog } from '../stats/slowlog.js';
import type { Access } from './access.js';
import type { Migration } from './migration.js';
import type { Session } from './session.js';
import type { CommandTable } from './table.js';

/** The version of Redis whose behaviour commands follow, and which clients are told. */
export const REDIS_VERSION = '7.2.6';

/** What keeps a SAVE or SHUTDOWN waiting ends with one of these. */
export const enum SaveAnswer {
  Done = 0,
  Failed = 1,
  /** The server goes on: SHUTDOWN failed or was aborted. */
  NotEnded = 2,
}

/** Whether a script that takes long may go on. */
export const enum ScriptFate {
  GoesOn = 0,
  Killed = 1,
  /** SHUTDOWN NOSAVE: what it has done counts for nothing. */
  ServerEnds = 2,
}

export interface ShutdownRequest {
  readonly isSaving: boolean | null;
  readonly isNow: boolean;
  readonly isForced: boolean;
}

/** What DEBUG RELOAD does before it loads the snapshot file. */
export interface ReloadRequest {
  /** Writes the dataset to the file. */
  readonly saves: boolean;
  /** Removes all keys. */
  readonly flushes: boolean;
  /** A key that is there already gives way to the one of the file. */
  readonly merges: boolean;
}

export const enum FeedState {
  /** It can be answered now. */
  Ready = 0,
  /** There is nothing for it up to the limit. */
  Waiting = 1,
  /** There may be something in what it has not gone through yet. */
  Reading = 2,
}

/** Somebody who waits for records. */
export interface FeedLook {
  /** Reads on, up to the limit. */
  read(limit: number): FeedState;
  answer(reply: Reply): void;
}

export interface ServerDoor {
  readonly config: Config;
  readonly table: CommandTable;
  readonly clients: ClientDirectory;
  readonly commandStats: CommandStats;
  readonly slowlog: Slowlog;
  readonly latency: LatencyMonitor;
  readonly stats: ServerStats;
  readonly pubsub: PubSub;
  readonly tracking: Tracking;
  readonly monitors: Monitors;
  /** Who may do what. */
  readonly access: Access;
  /**
   * This user, or others, have changed: all threads see it before they run another command, and
   * close at once what may not stay.
   */
  usersChanged(user: string): void;
  /** A connection acted as the user of this name, which is gone: it is closed, wherever it is. */
  closeClientsOf(user: string, acting: Session): void;
  readonly hotkeys: Hotkeys;
  /** Are all threads to note what hotkeys are made of? */
  setProfiled(isProfiled: boolean): void;
  /** The state of the append logs. */
  readonly logs: SharedLogs;
  /** Lower bits of the last number that a change of this thread has taken. */
  lastOwnNumber(): number;
  /**
   * WAITAOF: ends the session's wait, with timedOut, when every record up to the number with these
   * lower bits is synced.
   */
  waitForLog(session: Session, low: number): void;
  /** The changes of all threads in their order, for who follows them. */
  readonly feed: Feed;
  /**
   * FEED READ: the session waits, and `look` is asked for its answer whenever there are new records
   * (or at once, while what is there has not been gone through).
   */
  waitForFeed(session: Session, look: FeedLook): void;
  /** Facts that never change while the process lives. */
  readonly facts: ServerFacts;
  /** This thread's number among those that execute commands. */
  readonly threadIndex: number;
  /**
   * CONFIG SET name value [name value ...], on top of what all threads have set before: all of it
   * or nothing, and seen by every command that arrives at any thread after the reply.
   */
  changeConfig(pairs: readonly string[], asker: Asker): Change;
  /** Is the data being loaded? */
  isLoading(): boolean;
  /** What goes on with snapshots; whoever leaves a wish in it wakes main. */
  readonly saving: Saving;
  /** Even while locks are held. */
  wakeMain(): void;
  /** Writes a snapshot; the session, which waits, is answered when it is there. */
  save(session: Session): void;
  /** Ends the process in order, or answers the session, which waits, why not. */
  shutDown(session: Session, request: ShutdownRequest): void;
  /** May scripts call every command (DEBUG SET-DISABLE-DENY-SCRIPTS)? */
  areScriptsFree(): boolean;
  setScriptsFree(isFree: boolean): void;
  /** The script of this thread runs for longer than busy-reply-threshold. */
  scriptIsBusy(isEval: boolean, hasWritten: boolean): void;
  /** It is about to write for the first time: from now on nobody may end it. False: it is ended. */
  scriptMayWrite(): boolean;
  scriptEnded(): void;
  /** In the middle of a busy script: answers the other connections of this thread. */
  serveBusy(): void;
  /** Has somebody asked for the end of this thread's script, or of the server? */
  scriptFate(): ScriptFate;
  /** SCRIPT KILL or FUNCTION KILL, on any thread. */
  killScript(isEval: boolean): KillOutcome;
  /** What commands are answered while a script keeps the server busy; null if none does. */
  busyRefusal(): Refusal | null;
  /** Closes the session in `slot` of the client directory if it is still `id`, on any thread. */
  closeClient(slot: number, id: number): void;
  /** CLIENT UNBLOCK of a session of any thread that waits for something else than a key. */
  unblockClient(slot: number, id: number, withError: boolean): void;
  /** CLIENT PAUSE until `untilMs` (clock), for all commands or for writes only. */
  pauseClients(untilMs: number, allCommands: boolean): void;
  unpauseClients(): void;
  /** Sleeps this thread while it holds all locks (DEBUG SLEEP). */
  sleepHoldingLocks(ms: number): void;
  /** DEBUG RELOAD: null when the dataset was loaded again, else why not. */
  reload(request: ReloadRequest): string | null;
  /** DEBUG LOADAOF: null when the append logs were loaded again, else why not. */
  loadLog(): string | null;
  /** MIGRATE: sends the keys; the session, which waits, is answered at the end. */
  migrate(session: Session, migration: Migration): void;
  /** How values are written for other servers. */
  migrationForm(nowMs: number): Form;
  /**
   * Gives a run of free pages of a partition, whose lock is held, back to the system; false when
   * there are none left, or nobody to give them to.
   */
  givePages(slab: Slab): boolean;
  /** Asks all threads to give back what they hold beside the partitions, in the next seconds. */
  giveHeaps(): void;
  setActiveExpire(isOn: boolean): void;
  /** A line for the server's log. */
  log(level: 'debug' | 'verbose' | 'notice' | 'warning', line: string): void;
  /** The wall clock in microseconds since 1970, read now. */
  nowUs(): number;
  /** Processor time of the main thread; 0 where the system does not tell. */
  mainThreadTime(): { readonly userUs: number; readonly systemUs: number };
  /** used_memory of all partitions and of what stands beside them, bytes. */
  usedMemory(): number;
}

/** What clients of a thread beside the workers speak. */
export type EdgeKind = 'tls' | 'gateway';

export interface ServerFacts {
  readonly runId: string;
  readonly version: string;
  readonly startedMs: number;
  readonly configFile: string;
  readonly executable: string;
  readonly processId: number;
  readonly port: number;
  /** Workers: threads 0 to threadCount − 1. */
  readonly threadCount: number;
  /** Threads beside the workers that execute commands too, in the order of their numbers. */
  readonly edges: readonly EdgeKind[];
  readonly transport: 'native' | 'node';
  /** What tells the transport of input. */
  readonly multiplexing: 'io_uring' | 'epoll' | 'libuv';
  readonly partitionBytes: number;
}
