// The server as commands see it (dispatch/server-door.ts), for one executing thread.

import { sleep } from '../base/clock.js';
import { addressOf, madviseDontNeed } from '../base/libc.js';
import { allCommands } from '../commands/index.js';
import type { Asker, Change, Config } from '../config/config.js';
import type { Access } from '../dispatch/access.js';
import { Gate } from '../dispatch/gates.js';
import type { Migration } from '../dispatch/migration.js';
import {
  type FeedLook,
  type ReloadRequest,
  SaveAnswer,
  ScriptFate,
  type ServerDoor,
  type ServerFacts,
  type ShutdownRequest,
} from '../dispatch/server-door.js';
import { Closing, type Session } from '../dispatch/session.js';
import { CommandTable } from '../dispatch/table.js';
import type { Feed } from '../log/feed.js';
import type { SharedLogs } from '../log/logs.js';
import { type KillOutcome, PauseMode } from '../mesh/control.js';
import { type MessageHandler, MessageKind } from '../mesh/post.js';
import { Ending, Figure, type Saving } from '../mesh/saving.js';
import type { Connection } from '../net/connection.js';
import type { PubSub } from '../pubsub/hub.js';
import type { Monitors } from '../pubsub/monitors.js';
import type { Tracking } from '../pubsub/tracking.js';
import type { Form } from '../rdb/write.js';
import { Refusal } from '../resp/errors.js';
import { purge } from '../slab/alloc.js';
import { holderOf, labelHold, locksHeld, releaseLock, takeLock } from '../slab/lock.js';
import { Header, type Slab } from '../slab/slab.js';
import { type ClientDirectory, Wish } from '../stats/clients.js';
import type { CommandStats } from '../stats/commands.js';
import type { Hotkeys } from '../stats/hotkeys.js';
import type { LatencyMonitor } from '../stats/latency.js';
import { Counter, type ServerStats } from '../stats/server.js';
import type { Slowlog } from '../stats/slowlog.js';
import { packEnding } from './ending.js';
import { type Executor, SLEEPING } from './executor.js';
import type { LogLevel } from './log-file.js';
import { reloadDataset } from './reload.js';
import { NO_BASE, reloadLog } from './reload-log.js';
import { threadTime } from './thread-time.js';

const TWO_32 = 2 ** 32;
/** A megabyte at once: MEMORY PURGE holds a partition's lock for that. */
const PURGED_PAGES = 256;
const BUSY_SCRIPT = new Refusal(
  'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.',
);
const BUSY_FUNCTION = new Refusal(
  'BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.',
);
/** How long DEBUG LOADAOF waits for the base of a log that was just switched on; how often. */
const FIRST_BASE_MS = 10_000;
const FIRST_BASE_POLL_MS = 20;
const NO_TIME = { userUs: 0, systemUs: 0 };
/** How long a change of users waits for busy threads before it is answered all the same. */
const SEEN_TRIES = 100;
const SEEN_LOOK_MS = 0.5;
const NOT_ENDED = 'ERR Errors trying to SHUTDOWN. Check logs.';

export class Door implements ServerDoor {
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
  readonly access: Access;
  readonly hotkeys: Hotkeys;
  readonly facts: ServerFacts;
  readonly saving: Saving;
  readonly logs: SharedLogs;
  readonly feed: Feed;
  readonly threadIndex: number;
  private readonly executor: Executor;

  constructor(
    executor: Executor,
    table: CommandTable,
    commandStats: CommandStats,
    slowlog: Slowlog,
  ) {
    this.executor = executor;
    this.config = executor.config;
    this.table = table;
    this.clients = executor.clients;
    this.commandStats = commandStats;
    this.slowlog = slowlog;
    this.latency = executor.latency;
    this.stats = executor.stats;
    this.pubsub = executor.pubsub;
    this.tracking = executor.tracking;
    this.monitors = executor.monitors;
    this.access = executor.access;
    this.hotkeys = executor.hotkeys;
    this.facts = executor.shape.facts;
    this.saving = executor.saving;
    this.logs = executor.sink.logs;
    this.feed = executor.feed;
    this.threadIndex = executor.thread;
  }

  changeConfig(pairs: readonly string[], asker: Asker): Change {
    const { executor } = this;
    const before = this.config.bytes('requirepass');
    const change = executor.changeConfig(pairs, asker);
    for (const warning of change.warnings) executor.log.write('warning', warning);
    if (change.error !== null) return change;
    // It is another name of the default user's password, and comes after what ACL says of that.
    const password = this.config.bytes('requirepass');
    if (!password.equals(before)) {
      this.access.accounts.setDefaultPassword(password.toString('latin1'));
      this.access.catchUp();
    }
    executor.lookLater();
    // Workers look before each command, so only those who sleep on a setting are told.
    for (let thread = 0; thread < executor.post.threadCount; thread++) executor.post.wake(thread);
    return change;
  }

  usersChanged(user: string): void {
    // They look before each command; but whoever sleeps may have connections to close.
    const { post, shape } = this.executor;
    for (let thread = 0; thread < shape.executorCount; thread++) post.wake(thread);
    if (locksHeld() === 0) this.awaitSubscribersOf(user);
  }

  /** Which channels others have subscribed to only their threads know: they have to look first. */
  private awaitSubscribersOf(user: string): void {
    const { accounts } = this.access;
    const { store, version } = accounts;
    const threads = new Set<number>();
    for (const view of this.clients.views()) {
      const { subscriptions, patternSubscriptions, shardSubscriptions } = view;
      if (view.user !== user || subscriptions + patternSubscriptions + shardSubscriptions === 0) {
        continue;
      }
      threads.add(this.clients.threadOf(view.slot));
    }
    threads.delete(this.threadIndex);
    for (let tries = 0; tries < SEEN_TRIES; tries++) {
      for (const thread of threads) if (store.hasSeen(thread, version)) threads.delete(thread);
      if (threads.size === 0) return;
      sleep(SEEN_LOOK_MS);
      // One of them may wait for this thread in the same way.
      this.access.catchUp();
    }
  }

  closeClientsOf(user: string, acting: Session): void {
    for (const view of this.clients.views()) {
      if (view.user === user && view.id !== acting.id) this.closeClient(view.slot, view.id);
    }
  }

  isLoading(): boolean {
    return (this.executor.control.gates & Gate.Loading) !== 0;
  }

  wakeMain(): void {
    this.executor.post.wake(this.executor.shape.mainThread);
  }

  save(session: Session): void {
    this.askMain(MessageKind.Save, session, 0);
  }

  shutDown(session: Session, request: ShutdownRequest): void {
    this.askMain(MessageKind.Shutdown, session, packEnding(request));
  }

  private askMain(kind: MessageKind, { slot, id }: Session, word: number): void {
    const { post, shape } = this.executor;
    post.sendInts(shape.mainThread, kind, slot, id | 0, Math.floor(id / TWO_32), word);
    post.flush();
  }

  /** MessageKind.Answer: what main says to a session of this thread that waits for it. */
  readonly answerArrived: MessageHandler = (_from, u8, start) => {
    const { serving } = this.executor;
    const words = new Int32Array(u8.buffer, u8.byteOffset + start, 4);
    const [slot = 0, low = 0, high = 0, answer = 0] = words;
    const connection = serving.connectionAt(slot);
    if (connection === null || connection.session.id !== high * TWO_32 + (low >>> 0)) return;
    const { session } = connection;
    if (session.wait === null) return;
    serving.endings.end(connection, (reply) => {
      if (answer === SaveAnswer.Done) reply.ok();
      else {
        this.stats.errorReplied('ERR');
        reply.error(answer === SaveAnswer.Failed ? 'ERR' : NOT_ENDED);
      }
    });
  };

  lastOwnNumber(): number {
    return this.executor.sink.lastOwnLow;
  }

  waitForLog(session: Session, low: number): void {
    this.executor.waitForLog(session, low);
  }

  waitForFeed(session: Session, look: FeedLook): void {
    this.executor.followers.add(session, look);
  }

  closeClient(slot: number, id: number): void {
    this.wish(slot, id, Wish.Close);
  }

  unblockClient(slot: number, id: number, withError: boolean): void {
    this.wish(slot, id, withError ? Wish.UnblockError : Wish.UnblockTimeout);
  }

  private wish(slot: number, id: number, wish: Wish): void {
    const { clients, post } = this.executor;
    if (!clients.wish(slot, id, wish)) return;
    const owner = clients.threadOf(slot);
    if (owner !== this.threadIndex) post.wake(owner);
  }

  /** Does what another thread (or this one) wished for a connection of this thread. */
  grant(connection: Connection, wish: Wish): void {
    const { serving } = this.executor;
    const { session } = connection;
    if (wish === Wish.Close) {
      session.closing = Closing.Now;
      serving.wake(session);
      return;
    }
    const { wait } = session;
    // It waits no more, or for a key: whoever wished did not find it there, so that is a new wait.
    if (wait?.unblockLine === undefined) return;
    const { timedOut, unblockLine } = wait;
    if (wish === Wish.UnblockError) this.stats.errorReplied('UNBLOCKED');
    if (wish === Wish.UnblockTimeout) serving.endWait(connection, timedOut);
    else serving.endWait(connection, (reply) => reply.error(unblockLine));
  }

  pauseClients(untilMs: number, allCommands: boolean): void {
    const { control, clock } = this.executor;
    control.pause(untilMs, allCommands ? PauseMode.All : PauseMode.Writes, clock.nowMs());
    this.wakeAll();
  }

  unpauseClients(): void {
    // While the server ends, writes wait for that and for nothing else.
    if (this.saving.ending !== Ending.Nothing) return;
    this.executor.control.unpause();
    this.wakeAll();
  }

  private wakeAll(): void {
    const { executor } = this;
    executor.lookLater();
    for (let thread = 0; thread < executor.shape.executorCount; thread++)
      executor.post.wake(thread);
  }

  sleepHoldingLocks(ms: number): void {
    const { executor } = this;
    const self = holderOf(this.threadIndex);
    const slabs = executor.keyspace.partitions.map((partition) => partition.slab);
    // Inside EXEC they are held, and what time it is does not change.
    if (locksHeld() !== 0) {
      for (const { i32 } of slabs) labelHold(i32, Header.Lock, SLEEPING);
      sleep(ms);
      return;
    }
    // Ascending, as every holder of several locks takes them.
    for (const { i32 } of slabs) {
      takeLock(i32, Header.Lock, self);
      labelHold(i32, Header.Lock, SLEEPING);
    }
    sleep(ms);
    for (const { i32 } of slabs.reverse()) releaseLock(i32, Header.Lock);
    executor.runner.timeHasPassed();
  }

  reload(request: ReloadRequest): string | null {
    const { executor } = this;
    let refusal: string | null = null;
    executor.runner.withAllLocks(() => {
      refusal = reloadDataset(request, {
        keyspace: executor.keyspace,
        clock: executor.clock,
        config: executor.config,
        tracking: executor.tracking,
        functions: executor.runner.scripts.functions,
        log: executor.log,
      });
    });
    return refusal;
  }

  loadLog(): string | null {
    // What the others of them have changed so far is in no log yet.
    if (locksHeld() !== 0) return 'ERR DEBUG LOADAOF is not offered inside MULTI and in scripts';
    const { executor } = this;
    const { keyspace, clock, config, tracking, runner, log, shape, thread, sink } = executor;
    let refusal: string | null = null;
    const untilMs = clock.monotonicMs() + FIRST_BASE_MS;
    for (;;) {
      runner.withAllLocks(() => {
        refusal = reloadLog({
          ...{ keyspace, clock, config, tracking, log, shape, thread, sink },
          functions: runner.scripts.functions,
          table: this.logTable,
          // As main has it: CONFIG SET dir moves snapshots alone.
          directory: process.cwd(),
        });
      });
      // The first base is written by a job, which wants nothing of this thread but the locks.
      const isEnding = this.saving.ending !== Ending.Nothing;
      if (refusal !== NO_BASE || isEnding || clock.monotonicMs() > untilMs) break;
      sleep(FIRST_BASE_POLL_MS);
    }
    runner.timeHasPassed();
    // What was loaded is no change since the last snapshot.
    if (refusal === null) this.saving.put(Figure.ChangesSaved, this.stats.total(Counter.Changes));
    return refusal;
  }

  /** Logs know commands by the names that they were born with. */
  private get logTable(): CommandTable {
    const { renames } = this.config;
    return renames.length === 0 ? this.table : new CommandTable(allCommands);
  }

  // ---- scripts that take long -----------------------------------------------------------------

  areScriptsFree(): boolean {
    return this.executor.control.areScriptsFree;
  }

  setScriptsFree(isFree: boolean): void {
    this.executor.control.setScriptsFree(isFree);
  }

  scriptIsBusy(isEval: boolean, hasWritten: boolean): void {
    const { control, sink, serving } = this.executor;
    control.scriptIsBusy(this.threadIndex, isEval, hasWritten);
    // What others were answered in this turn does not wait for the script, unless the log has to
    // be written first: not under its locks.
    const isAlways = sink.isOn && this.config.text('appendfsync') === 'always';
    if (!sink.hasRecords && !isAlways) serving.flushOthers();
  }

  scriptMayWrite(): boolean {
    return this.executor.control.scriptMayWrite(this.threadIndex);
  }

  scriptEnded(): void {
    this.executor.control.scriptEnded(this.threadIndex);
    this.executor.forgetEndWish();
    this.wakeAll();
  }

  serveBusy(): void {
    this.executor.refresh();
    this.executor.serveBusy();
  }

  scriptFate(): ScriptFate {
    const { executor } = this;
    if (executor.control.isStopping || executor.isEndWanted()) return ScriptFate.ServerEnds;
    const isKilled = executor.control.isScriptKilled(this.threadIndex);
    return isKilled ? ScriptFate.Killed : ScriptFate.GoesOn;
  }

  killScript(isEval: boolean): KillOutcome {
    return this.executor.control.killScripts(this.executor.shape.executorCount, isEval);
  }

  busyRefusal(): Refusal | null {
    const { control } = this.executor;
    if (!control.isAnyScriptBusy) return null;
    return control.isEvalBusy(this.executor.shape.executorCount) ? BUSY_SCRIPT : BUSY_FUNCTION;
  }

  migrate(session: Session, migration: Migration): void {
    this.executor.migrations.start(session, migration);
  }

  migrationForm(nowMs: number): Form {
    return this.executor.migrations.form(nowMs);
  }

  setProfiled(isProfiled: boolean): void {
    const { executor } = this;
    if (isProfiled) executor.control.raiseGate(Gate.Profiled);
    else executor.control.lowerGate(Gate.Profiled);
    executor.lookLater();
  }

  givePages(slab: Slab): boolean {
    if (this.facts.transport !== 'native') return false;
    const address = addressOf(slab.u8);
    return purge(slab, 1, PURGED_PAGES, (at, bytes) => void madviseDontNeed(address + at, bytes));
  }

  giveHeaps(): void {
    this.executor.control.wantPurge();
  }

  setActiveExpire(isOn: boolean): void {
    this.executor.control.setActiveExpire(isOn);
  }

  log(level: LogLevel, line: string): void {
    this.executor.log.write(level, line);
  }

  nowUs(): number {
    const { clock } = this.executor;
    return Math.floor(clock.wallAt(clock.monotonicMs()) * 1000);
  }

  mainThreadTime(): { readonly userUs: number; readonly systemUs: number } {
    return threadTime(this.facts.processId) ?? NO_TIME;
  }

  usedMemory(): number {
    return this.executor.usedMemory();
  }
}
