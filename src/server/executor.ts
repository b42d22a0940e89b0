// A thread that executes commands: everything it needs, built from the shared shape, and the door
// through which commands ask for what is beyond their partition.

import { SystemClock } from '../base/clock.js';
import { diskErrorText, SystemDisk } from '../base/disk.js';
import { hashBytes, setHashKey } from '../base/hash.js';
import { Prng } from '../base/prng.js';
import { Slices } from '../base/slices.js';
import { allCommands } from '../commands/index.js';
import { type Asker, type Change, Config } from '../config/config.js';
import type { Access } from '../dispatch/access.js';
import { Effects, Notify, notifyClassesOf } from '../dispatch/effects.js';
import { Gate } from '../dispatch/gates.js';
import { limits } from '../dispatch/limits.js';
import { Parts } from '../dispatch/parts.js';
import { Runner } from '../dispatch/run.js';
import { Session } from '../dispatch/session.js';
import { CommandTable } from '../dispatch/table.js';
import { Keyspace } from '../keyspace/keyspace.js';
import type { WaiterPlace } from '../keyspace/waiters.js';
import { NO_WATCH } from '../keyspace/watchers.js';
import { AppendLog } from '../log/append-log.js';
import { Feed } from '../log/feed.js';
import { Failure, Policy } from '../log/logs.js';
import { Board } from '../mesh/board.js';
import { ControlBlock, PauseMode } from '../mesh/control.js';
import { type MessageHandler, MessageKind, Post } from '../mesh/post.js';
import { Saving } from '../mesh/saving.js';
import type { Connection } from '../net/connection.js';
import type { OutputLimit } from '../net/hooks.js';
import { Serving } from '../net/serving.js';
import { PubSub } from '../pubsub/hub.js';
import { Monitors } from '../pubsub/monitors.js';
import { Form } from '../pubsub/notices.js';
import type { TrackedSession } from '../pubsub/tracked.js';
import { Tracking } from '../pubsub/tracking.js';
import { ImageWriter } from '../rdb/images.js';
import { GrowingEdge, Reply } from '../resp/write.js';
import { configureLocks, holderOf, locksHeld, releaseLock, takeLock } from '../slab/lock.js';
import { Header, usedBytesOf } from '../slab/slab.js';
import { ClientDirectory } from '../stats/clients.js';
import { COMMANDS_MAX, CommandStats } from '../stats/commands.js';
import { Hotkeys } from '../stats/hotkeys.js';
import { LatencyMonitor } from '../stats/latency.js';
import { Counter, ServerStats } from '../stats/server.js';
import { Slowlog } from '../stats/slowlog.js';
import { walkedNodes } from '../structs/walked.js';
import { thresholds } from '../types/thresholds.js';
import { makeAccess } from './access.js';
import { ClientMemory } from './client-memory.js';
import { Door } from './door.js';
import { adoptStamping, Eviction } from './eviction.js';
import { Followers } from './followers.js';
import { moveListeners } from './listen-changes.js';
import type { LogFile } from './log-file.js';
import { Migrations } from './migrations.js';
import { attachSlabs, type ProcessShape, statThreads } from './shape.js';
import { refuseTlsChanges } from './tls-changes.js';

/** What a reply to a waiter begins with on its way to another thread. */
const PLACE_BYTES = 4;

/** Of turns that read something one in so many is timed, for INFO; a power of two. */
const TIMED_TURNS = 16;
/** How soon who waits for the disk hears that it has synced. */
const LOG_LOOK_MS = 5;
const POLICIES: Readonly<Record<string, Policy>> = {
  no: Policy.No,
  everysec: Policy.EverySecond,
  always: Policy.Always,
};

interface LogWait {
  readonly session: Session;
  readonly wait: Session['wait'];
  /** Lower bits of a number. */
  readonly low: number;
}

/** Says of a held lock that its holder only sleeps: labels of commands are from 1 on. */
export const SLEEPING = -1;

export class Executor {
  readonly thread: number;
  readonly shape: ProcessShape;
  readonly clock: SystemClock;
  readonly config: Config;
  readonly control: ControlBlock;
  readonly keyspace: Keyspace;
  readonly runner: Runner;
  readonly serving: Serving;
  readonly post: Post;
  readonly board: Board;
  readonly parts: Parts;
  private readonly partKeyspace: Keyspace;
  readonly clients: ClientDirectory;
  readonly stats: ServerStats;
  readonly sink: AppendLog;
  readonly pubsub: PubSub;
  readonly tracking: Tracking;
  readonly monitors: Monitors;
  readonly access: Access;
  readonly hotkeys: Hotkeys;
  readonly log: LogFile;
  readonly saving: Saving;
  readonly door: Door;
  readonly migrations: Migrations;
  readonly feed: Feed;
  /** Sessions that wait for records. */
  readonly followers: Followers;
  private readonly commandStats: CommandStats;
  private readonly slowlog: Slowlog;
  readonly latency: LatencyMonitor;
  private configVersion = 0;
  /** ControlBlock.tlsVersion, as it was when the configuration was taken over. */
  tlsVersion = 0;
  /** What others have changed is to be looked at in the next turn, whatever rings. */
  private isLookDue = false;
  /** Sessions that wait for the disk. */
  private logWaits: LogWait[] = [];
  readonly eviction: Eviction;
  readonly clientMemory: ClientMemory;
  private lastInputBytes = 0;
  private lastReads = 0;
  private lastWrites = 0;
  /** When the turn began, by the last look at the clock. */
  private turnStartMs = 0;
  private turns = 0;
  private lastOutputBytes = 0;
  private lastChanges = 0;
  /** Closed while a script kept locks, and not forgotten yet. */
  private forgotten: Connection[] = [];
  /** Answers this thread's other connections in a pause of its script; given by the transport. */
  serveBusy: () => void = () => {};
  /** Has one of them asked for the end of the server? */
  isEndWanted: () => boolean = () => false;
  forgetEndWish: () => void = () => {};
  /** Called when this thread has adopted a configuration, its own changes included. */
  configAdopted: () => void = () => {};
  /** This thread makes a change, and does not take over another's. */
  isChangingConfig = false;

  constructor(shape: ProcessShape, thread: number, log: LogFile, ServingKind = Serving) {
    this.shape = shape;
    this.thread = thread;
    this.log = log;
    const { threadCount } = shape.facts;
    const { executorCount } = shape;
    setHashKey(shape.hashKey);
    this.clock = new SystemClock(new Float64Array(shape.clock));
    this.control = new ControlBlock(shape.control);
    this.config = Config.deserialise(this.control.changeConfig(() => this.control.readConfig()));
    const table = new CommandTable(allCommands, this.config.renames);
    this.commandStats = new CommandStats(shape.commandStats, COMMANDS_MAX, executorCount, thread);
    this.stats = new ServerStats(shape.serverStats, statThreads(shape), thread);
    this.hotkeys = new Hotkeys(shape.hotkeys, executorCount, thread);
    this.latency = new LatencyMonitor(shape.latency, () => this.clock.nowMs());
    this.slowlog = new Slowlog(shape.slowlog, () => this.clock.nowMs());
    this.clients = new ClientDirectory(
      shape.clients,
      executorCount,
      shape.clientsPerThread,
      thread,
    );
    const slabs = attachSlabs(shape.slabs, shape.slabStarts);
    this.keyspace = new Keyspace(slabs, shape.databaseCount, this.stats.lookups);
    this.sink = new AppendLog(shape.logs, thread, new SystemDisk());
    this.post = new Post(shape.mesh, thread, locksHeld);
    this.pubsub = new PubSub({
      shape: shape.pubsub,
      thread,
      post: this.post,
      eachPartition: (visitor) => this.visitPartitions(visitor),
    });
    this.tracking = this.makeTracking();
    this.monitors = this.makeMonitors();
    const effects = new Effects(this.sink, {
      classes: 0,
      notify: (partition, event, database, u8, start, length) =>
        this.pubsub.notices.note(partition, event, database, u8, start, length),
    });
    this.saving = new Saving(shape.saving);
    this.hearOfKeys(effects);
    this.board = new Board(shape.board, thread, (owner) => this.post.wake(owner));
    // Parts come in the middle of other commands: they have a keyspace object of their own.
    this.partKeyspace = new Keyspace(slabs, shape.databaseCount, this.stats.lookups);
    this.parts = new Parts(this.board, threadCount, this.partKeyspace);
    this.migrations = new Migrations(this);
    // As main has it: CONFIG SET dir moves snapshots alone.
    const logDirectory = `${process.cwd()}/${this.config.text('appenddirname')}`;
    this.feed = new Feed(this.sink.files, thread, logDirectory);
    this.followers = new Followers(this);
    this.access = makeAccess(this, table);
    this.door = new Door(this, table, this.commandStats, this.slowlog);
    this.runner = this.makeRunner(table, effects);
    this.eviction = this.makeEviction();
    this.clientMemory = new ClientMemory(this);
    this.serving = this.makeServing(ServingKind);
    this.makeImages();
    this.runner.blocking.isLockedOut = () => this.control.isAnyScriptBusy;
    this.refuseChanges();
    this.applyConfig();
    this.refresh();
  }

  private makeRunner(table: CommandTable, effects: Effects): Runner {
    const { shape, thread } = this;
    return new Runner({
      keyspace: this.keyspace,
      table,
      effects,
      server: this.door,
      clock: this.clock,
      self: holderOf(thread),
      parts: shape.facts.threadCount > 1 ? this.parts : null,
      waiters: shape.waiters,
      watchers: shape.watchers,
      scripts: shape.scripts,
      tracking: this.tracking,
      monitors: this.monitors,
      thread,
      session: this.makeSession(0, '', '', -1),
      args: new Slices(),
      reply: new Reply(new Uint8Array(new ArrayBuffer(1024)), new GrowingEdge()),
    });
  }

  /** What happens to keys by itself leaves records and notifications. */
  private hearOfKeys(effects: Effects): void {
    const { sinks } = this.keyspace;
    sinks.expired = (partition, database, u8, start, length) => {
      effects.recordRemoval(database, u8, start, length);
      effects.announce(partition, u8, start, length, Notify.Expired, 'expired');
    };
    sinks.evicted = (partition, database, u8, start, length) => {
      effects.recordRemoval(database, u8, start, length);
      effects.announce(partition, u8, start, length, Notify.Evicted, 'evicted');
    };
    sinks.created = (partition, u8, start, length) =>
      effects.announce(partition, u8, start, length, Notify.New, 'new');
    sinks.missed = (partition, u8, start, length) =>
      effects.announce(partition, u8, start, length, Notify.Miss, 'keymiss');
    sinks.fieldExpired = (partition, u8, start, length, field) =>
      effects.recordFieldRemoval(partition.database, u8, start, length, field);
    sinks.fieldsExpired = (partition, u8, start, length, isGone) => {
      effects.announce(partition, u8, start, length, Notify.Hash, 'hexpired');
      if (isGone) effects.announce(partition, u8, start, length, Notify.Generic, 'del');
    };
  }

  private makeServing(ServingKind: typeof Serving): Serving {
    const serving = new ServingKind(this.runner, limits, {
      beforeReplies: () => this.endTurn(),
      closed: (connection) => this.forget(connection),
      log: (level, line) => this.log.write(level, line),
      beforeCommands: () => this.refresh(),
      touched: (connection) => this.touch(connection),
      commandEnded: () => this.tellNews(false),
      answered: (place) => this.runner.blocking.leaveSoon(place as WaiterPlace),
      deadlineMoved: () => {
        // With the native transport a thread counts its sleep anew in every turn.
        if (this.post.bell.kind === 'loop') this.post.bell.ring();
      },
    });
    this.runner.blocking.denialOf = (slot, command, args) =>
      this.access.waiterRefusalOf(slot, command, args);
    this.pubsub.connect(serving.pushes);
    this.tracking.connect(serving.pushes);
    this.monitors.connect(serving.pushes);
    return serving;
  }

  private makeEviction(): Eviction {
    return new Eviction({
      runner: this.runner,
      self: holderOf(this.thread),
      threadCount: this.shape.executorCount,
      stats: this.stats,
      latency: this.latency,
      besideBytes: () => this.besideBytes(),
    });
  }

  private makeMonitors(): Monitors {
    return new Monitors(this.thread, this.shape.executorCount, this.post, (isAnybody) => {
      if (isAnybody) this.runner.raised |= Gate.Monitored;
      else this.runner.raised &= ~Gate.Monitored;
      this.runner.attendance.setMonitored(isAnybody);
    });
  }

  private makeTracking(): Tracking {
    const { shape, thread, clients, keyspace } = this;
    const self = holderOf(thread);
    const chance = Prng.fromEntropy();
    return new Tracking({
      shape: shape.tracking,
      thread,
      partitions: keyspace.partitions,
      post: this.post,
      eachPartition: (visitor) => this.visitPartitions(visitor),
      visit: (index, visitor) => {
        const partition = keyspace.partitions[index]!;
        takeLock(partition.slab.i32, Header.Lock, self);
        visitor(partition);
        releaseLock(partition.slab.i32, Header.Lock);
      },
      hashOf: hashBytes,
      random: (below) => chance.below(below),
      threadOf: (slot) => clients.threadOf(slot),
      isConnected: (slot, id) => clients.isOpen(slot, id),
      sessionAt: (slot) => this.serving.connectionAt(slot)?.session ?? null,
      noted: (session) => this.noteTracked(session),
    });
  }

  private noteTracked(session: TrackedSession): void {
    const { slot, tracked } = session;
    session.trackedChanged();
    this.clients.setRedirect(slot, tracked === null ? -1 : tracked.redirect);
    this.clients.setPrefixes(slot, tracked === null ? 0 : tracked.prefixes.length);
  }

  /** A walking snapshot gets what it has not seen yet before this thread changes it. */
  private makeImages(): void {
    const { keyspace, runner } = this;
    const images = new ImageWriter(this.shape.images, this.saving, this.thread, this.clock);
    walkedNodes.save = (slab, walkAt, node, order) => images.saveNode(slab, walkAt, node, order);
    keyspace.sinks.saveFirst = (partition, bucket) => {
      const hasChanged = runner.effects.dirty !== 0 || runner.context.executing !== null;
      const { slab, databaseAtCut } = partition;
      images.save(slab, bucket, databaseAtCut, keyspace.recency, hasChanged);
    };
  }

  private visitPartitions(visitor: (partition: number) => void): void {
    const self = holderOf(this.thread);
    for (const { index, slab } of this.keyspace.partitions) {
      takeLock(slab.i32, Header.Lock, self);
      visitor(index);
      releaseLock(slab.i32, Header.Lock);
    }
  }

  // ---- sessions -------------------------------------------------------------------------------

  /** A session for a fresh connection; null when the directory has no slot left. */
  openSession(fd: number, address: string, localAddress: string): Session | null {
    // A password that another thread has set counts for whoever connects afterwards.
    this.refresh();
    const id = this.clients.drawId();
    const createdMs = this.clock.nowMs();
    const slot = this.clients.open({ id, address, localAddress, fd, createdMs });
    if (slot < 0) return null;
    this.stats.add(Counter.ConnectionsReceived, 1);
    const session = this.makeSession(slot, address, localAddress, fd, id, createdMs);
    this.access.begin(session);
    return session;
  }

  private makeSession(
    slot: number,
    address: string,
    localAddress: string,
    fd: number,
    id = 0,
    createdMs = 0,
  ): Session {
    return new Session({
      id,
      edge: { wake: (woken) => this.serving.wake(woken) },
      slot,
      address,
      localAddress,
      fd,
      createdMs,
    });
  }

  private forget(connection: Connection): void {
    const { session } = connection;
    const isBound =
      session.watch !== NO_WATCH || session.subscriptions !== null || session.tracked !== null;
    // What it leaves behind stands under locks that a script may keep.
    if (isBound && this.control.isAnyScriptBusy) {
      this.forgotten.push(connection);
      return;
    }
    this.runner.transactions.closed(connection.session);
    this.feed.closed(connection.session.id);
    this.pubsub.leave(connection.session);
    this.tracking.closed(connection.session);
    this.monitors.remove(connection.session);
    this.clients.close(connection.session.slot);
    this.control.addConnections(this.thread, -1);
  }

  private touch(connection: Connection): void {
    const { session } = connection;
    this.clients.touch(
      session.slot,
      Math.floor(this.keyspace.nowMs / 1000),
      connection.commandId,
      session.database,
      session.clientFlags,
      connection.inputBytes,
      connection.outputBytes,
      connection.argumentBytes,
    );
    const { large, output } = connection;
    if (large !== null || output.length !== 0 || connection.showsBuffers) {
      connection.showsBuffers = large !== null || output.length !== 0;
      this.clients.setSizes(session.slot, {
        inputFreeBytes: large === null ? 0 : large.u8.length - large.end,
        argumentBytes: connection.argumentBytes,
        outputChunks: output.length,
      });
    }
    if (this.clientMemory.isLimited) this.clientMemory.check();
  }

  // ---- waits ----------------------------------------------------------------------------------

  /**
   * The log has what this turn has changed, then others hear of it: replies of waiters that were
   * served leave no earlier than those of the commands that served them.
   */
  endTurn(): void {
    const { hasRecords } = this.sink;
    const isSafe = this.sink.endTurn();
    if (hasRecords && this.feed.isWakingAsked) this.followers.wake();
    if (this.logWaits.length !== 0) this.isLookDue = true;
    // Who is closed hears no news of what was not kept.
    if (!isSafe) this.closeUnsafe();
    this.tellNews(true);
    const { served } = this.runner.blocking;
    if (served.length === 0) return;
    let isPosted = false;
    for (const { waiter, bytes } of served) {
      const owner = this.runner.blocking.waiters.ownerOf(waiter);
      if (owner === this.thread) this.answer(waiter, bytes);
      else {
        isPosted = true;
        const message = messageOf(waiter, bytes);
        this.post.send(owner, MessageKind.Reply, message, 0, message.length);
      }
    }
    served.length = 0;
    if (isPosted) this.post.flush();
    if (this.tracking.hasLate) this.tracking.settleLate();
  }

  /**
   * The log does not hold what this turn has changed: nobody is told that it was done. To clients
   * it looks as if the server had died in between, which leaves open what came of it.
   */
  private closeUnsafe(): void {
    const { served, waiters } = this.runner.blocking;
    this.serving.closeUnanswered();
    for (const { waiter } of served) {
      this.door.closeClient(waiters.slotOf(waiter), waiters.idOf(waiter));
    }
    served.length = 0;
  }

  /**
   * Others hear of what has happened, now that no lock is held; `endsTurn`: also what is told once
   * a turn.
   */
  private tellNews(endsTurn: boolean): void {
    const { tracking, monitors, pubsub } = this;
    if (tracking.hasNews) tracking.settle(endsTurn);
    if (pubsub.hasNews) pubsub.settle();
    if (monitors.hasNews) monitors.settle();
  }

  /** Is there something that others have to hear of? */
  get hasNews(): boolean {
    return this.tracking.hasNews || this.pubsub.hasNews || this.monitors.hasNews;
  }

  /** MessageKind.Reply: the finished reply of a waiter of this thread. */
  readonly replyArrived: MessageHandler = (_from, u8, start, length) => {
    const place = new Int32Array(u8.buffer, u8.byteOffset + start, 1)[0]!;
    // Copied: whoever gets it runs on with its other commands, and the ring is being drained.
    this.answer(place as WaiterPlace, u8.slice(start + PLACE_BYTES, start + length));
  };

  private answer(waiter: WaiterPlace, bytes: Uint8Array): void {
    const { blocking } = this.runner;
    this.serving.endings.answer(blocking.waiters.slotOf(waiter), waiter, bytes);
  }

  // ---- what a turn begins with ----------------------------------------------------------------

  /**
   * Looks at what other threads have changed: configuration, gates, wishes. Serves whom that lets
   * go on, so it is not to be called from a command (see lookLater).
   */
  lookAround(): void {
    this.isLookDue = false;
    this.turnStartMs = this.runner.lastReadMs;
    this.refresh();
    // What was evicted is told at once: this turn may have no replies.
    if (this.eviction.look()) this.endTurn();
    if (this.eviction.isComing) this.isLookDue = true;
    if (this.clients.hasWishes) this.grantWishes();
    if (this.logWaits.length !== 0) this.endLogWaits();
    if (this.followers.hasWaits && this.followers.look()) this.isLookDue = true;
    const closed = Gate.Paused | Gate.WritesPaused | Gate.Busy;
    const isPaused = (this.runner.raised & closed) !== 0;
    if ((this.runner.raised & Gate.Busy) === 0) this.catchUp();
    if (!isPaused && this.serving.hasPostponed) this.serving.resumePostponed();
  }

  /** No script keeps locks for too long: what was put off is done. */
  private catchUp(): void {
    this.runner.blocking.leaveLate();
    if (this.forgotten.length === 0) return;
    const { forgotten } = this;
    this.forgotten = [];
    for (const connection of forgotten) this.forget(connection);
  }

  /**
   * The part of lookAround that every command relies on: two loads. What was stored before a reply
   * left another thread counts for each command that arrives afterwards.
   */
  refresh(): void {
    const { control, runner } = this;
    if (control.configVersion !== this.configVersion) this.adoptConfig();
    this.access.catchUp();
    const paused = control.pausedAt(this.keyspace.nowMs);
    let raised =
      (runner.raised & (Gate.OutOfMemory | Gate.Limited | Gate.Monitored)) | control.gates;
    // What is being loaded goes by its own records, also for upkeep and for who looks at a key.
    this.keyspace.expiresByClock = (raised & Gate.Loading) === 0;
    if (paused === PauseMode.All) raised |= Gate.Paused;
    else if (paused === PauseMode.Writes) raised |= Gate.WritesPaused;
    if (this.sink.logs.failure !== Failure.None) raised |= this.logFailed();
    runner.raised = raised;
    // Not in the middle of a transaction that pauses and then writes.
    this.keyspace.keepsExpired = paused !== PauseMode.Nothing && locksHeld() === 0;
  }

  private logFailed(): Gate {
    limits.logFailure = diskErrorText(this.sink.logs.errno);
    return Gate.LogFailed;
  }

  /** From within a command: gates now, the rest once it is over. */
  lookLater(): void {
    this.refresh();
    this.isLookDue = true;
  }

  /** Followers of this thread are looked at in the next turn. */
  lookDue(): void {
    this.isLookDue = true;
  }

  /** WAITAOF: ends the session's wait when all records up to the number are synced. */
  waitForLog(session: Session, low: number): void {
    this.logWaits.push({ session, wait: session.wait, low });
  }

  private endLogWaits(): void {
    const { logWaits, serving } = this;
    this.logWaits = [];
    for (const each of logWaits) {
      const { session, wait, low } = each;
      if (wait === null || session.wait !== wait) continue;
      const connection = serving.connectionAt(session.slot);
      if (connection === null || connection.session !== session) continue;
      if (this.sink.logs.isSynced(low)) serving.endWait(connection, wait.timedOut);
      else this.logWaits.push(each);
    }
  }

  /** May this thread sleep, as far as its own turn goes? */
  get isIdle(): boolean {
    return !this.isLookDue && !this.serving.hasReady;
  }

  /** Milliseconds until those who wait here have to be looked at; Infinity if nobody does. */
  get pauseLeftMs(): number {
    if (this.logWaits.length !== 0) return LOG_LOOK_MS;
    const lookMs = this.followers.leftMs;
    const isPaused = (this.runner.raised & (Gate.Paused | Gate.WritesPaused)) !== 0;
    if (!isPaused || !this.serving.hasPostponed) return lookMs;
    return Math.min(lookMs, Math.max(0, this.control.pausedUntilMs - this.keyspace.nowMs));
  }

  private grantWishes(): void {
    this.clients.takeWishes((slot, id, wish) => {
      const connection = this.serving.connectionAt(slot);
      if (connection !== null && connection.session.id === id) this.door.grant(connection, wish);
    });
  }

  private adoptConfig(): void {
    this.control.changeConfig(() => this.readConfig());
    this.applyConfig();
  }

  /** Within control.changeConfig: brings the copy up to date. */
  private readConfig(): void {
    const version = this.control.configVersion;
    if (version === this.configVersion) return;
    this.configVersion = version;
    this.tlsVersion = this.control.tlsVersion;
    this.config.adopt(this.control.readConfig());
  }

  /** CONFIG SET: alone among all threads, on top of what they have published. */
  changeConfig(pairs: readonly string[], asker: Asker): Change {
    const { control } = this;
    const change = control.changeConfig(() => {
      this.readConfig();
      this.isChangingConfig = true;
      const outcome = this.config.change(pairs, asker);
      this.isChangingConfig = false;
      if (outcome.error === null) {
        control.writeConfig(this.config.serialise());
        this.configVersion = control.configVersion;
        this.tlsVersion = control.tlsVersion;
      }
      return outcome;
    });
    // Also after a refusal: what others had published may have come along.
    this.applyConfig();
    return change;
  }

  /** What cannot be changed while the server runs, beyond what Redis says. */
  private refuseChanges(): void {
    const { config, shape } = this;
    moveListeners(this);
    refuseTlsChanges(this);
    const { clientsMax } = shape;
    config.onChange('maxclients', () =>
      config.number('maxclients') <= clientsMax
        ? undefined
        : 'The operating system is not able to handle the specified number of clients, try with ' +
          `${clientsMax}`,
    );
  }

  /** Runs after every change of configuration, here or elsewhere. */
  applyConfig(): void {
    const { config, runner } = this;
    limits.bulkBytesMax = config.number('proto-max-bulk-len');
    adoptThresholds(config);
    const { freesLater } = this.keyspace;
    freesLater.onDelete = config.flag('lazyfree-lazy-user-del');
    freesLater.onOverwrite = config.flag('lazyfree-lazy-server-del');
    freesLater.onExpiry = config.flag('lazyfree-lazy-expire');
    const slowerThan = config.number('slowlog-log-slower-than');
    runner.slowlogUs = slowerThan < 0 ? Number.POSITIVE_INFINITY : slowerThan;
    this.latency.thresholdMs = config.number('latency-monitor-threshold');
    const measuredUs = this.latency.thresholdMs * 1000 || Number.POSITIVE_INFINITY;
    runner.busyAfterMs = config.number('busy-reply-threshold');
    runner.slowerThanUs = Math.min(runner.slowlogUs, measuredUs);
    this.slowlog.setLengthMax(config.number('slowlog-max-len'));
    this.commandStats.tracksLatency = config.flag('latency-tracking');
    this.access.log.setLengthMax(config.number('acllog-max-len'));
    this.eviction.adopt(config);
    adoptStamping(this.partKeyspace, config);
    this.clientMemory.adopt(config);
    limits.queuedBytesMax = config.number('client-query-buffer-limit');
    this.serving.setInputLimit(limits.queuedBytesMax);
    const outputLimits = config.list('client-output-buffer-limit');
    setOutputLimit(this.serving.outputLimits.normal, 'normal', outputLimits);
    setOutputLimit(this.serving.outputLimits.subscriber, 'pubsub', outputLimits);
    this.selectNotifications(config.text('notify-keyspace-events'));
    this.tracking.keysMax = config.number('tracking-table-max-keys');
    this.tracking.checkLimit();
    this.sink.turnOn(config.flag('appendonly'));
    this.sink.setPolicy(POLICIES[config.text('appendfsync')]!);
    this.log.configure(config.text('logfile'), config.text('loglevel'));
    configureLocks({
      serveParts: () => this.serveParts(),
      reportLongHold: (hold) => {
        // DEBUG SLEEP holds them on purpose.
        if (hold.command === SLEEPING) return;
        this.log.write(
          'warning',
          `The lock of a partition is held by thread ${hold.holderThread} for ` +
            `${Math.round(hold.waitedMs)} ms${this.describeHold(hold.command)}.`,
        );
      },
      longHoldMs: config.number('watchdog-lock-ms'),
      reasonToGiveUp: () => this.door.busyRefusal(),
      jobThread: this.shape.jobThread,
    });
    this.configAdopted();
  }

  /** notify-keyspace-events. Without a form there is nothing that could be told. */
  private selectNotifications(letters: string): void {
    const { pubsub, runner, keyspace } = this;
    const forms =
      (letters.includes('K') ? Form.Keyspace : 0) | (letters.includes('E') ? Form.Keyevent : 0);
    const classes = forms === 0 ? 0 : notifyClassesOf(letters);
    pubsub.notices.forms = forms;
    runner.effects.notifications.classes = classes;
    keyspace.announcesNew = (classes & Notify.New) !== 0;
    keyspace.announcesMisses = (classes & Notify.Miss) !== 0;
  }

  private describeHold(label: number): string {
    const command = this.runner.table.all[label - 1];
    return command === undefined ? '' : ` by ${command.fullName}`;
  }

  /** Parts of large commands that others offer: see dispatch/parts.ts. */
  serveParts(): boolean {
    return this.board.serve(this.parts.runPart, 1) > 0;
  }

  /** What clients and the sources of scripts and functions take, beside the data. */
  private besideBytes(): number {
    const { registry, functions } = this.runner.scripts;
    return registry.bytes + functions.store.bytes + this.clients.totalBytes();
  }

  usedMemory(): number {
    let sum = this.besideBytes();
    for (const partition of this.keyspace.partitions) sum += usedBytesOf(partition.slab);
    return sum;
  }

  /** The turn took so long, and stands for `turns` of which nobody else looked at the clock. */
  private countTurns(turns: number): void {
    const { stats } = this;
    const us = Math.max(0, this.clock.monotonicMs() - this.turnStartMs) * 1000;
    stats.add(Counter.EventLoopUs, us * turns);
    stats.put(Counter.MigrateSockets, this.migrations.cachedCount);
  }

  /** Adds this thread's counts of the turn to the shared statistics. */
  count(): void {
    const { serving, stats } = this;
    stats.add(Counter.EventLoopTurns, 1);
    // Nobody waits for a thread that has read nothing: of those turns all are timed.
    if (serving.readCount === this.lastReads) this.countTurns(1);
    else if ((++this.turns & (TIMED_TURNS - 1)) === 0) this.countTurns(TIMED_TURNS);
    stats.add(Counter.InputBytes, serving.inputBytes - this.lastInputBytes);
    stats.add(Counter.OutputBytes, serving.outputBytes - this.lastOutputBytes);
    stats.add(Counter.Changes, this.runner.effects.changes - this.lastChanges);
    stats.add(Counter.Reads, serving.readCount - this.lastReads);
    stats.add(Counter.Writes, serving.writeCount - this.lastWrites);
    this.lastReads = serving.readCount;
    this.lastWrites = serving.writeCount;
    this.lastInputBytes = serving.inputBytes;
    this.lastOutputBytes = serving.outputBytes;
    this.lastChanges = this.runner.effects.changes;
  }
}

/** A waiter's place and its reply, for another thread. */
function messageOf(waiter: WaiterPlace, bytes: Uint8Array): Uint8Array {
  const message = new Uint8Array(new ArrayBuffer(PLACE_BYTES + bytes.length));
  new Int32Array(message.buffer, 0, 1)[0] = waiter;
  message.set(bytes, PLACE_BYTES);
  return message;
}

export function adoptThresholds(config: Config): void {
  thresholds.hashMaxListpackEntries = config.number('hash-max-listpack-entries');
  thresholds.hashMaxListpackValue = config.number('hash-max-listpack-value');
  thresholds.setMaxIntsetEntries = config.number('set-max-intset-entries');
  thresholds.setMaxListpackEntries = config.number('set-max-listpack-entries');
  thresholds.setMaxListpackValue = config.number('set-max-listpack-value');
  thresholds.zsetMaxListpackEntries = config.number('zset-max-listpack-entries');
  thresholds.zsetMaxListpackValue = config.number('zset-max-listpack-value');
  thresholds.listMaxListpackSize = config.number('list-max-listpack-size');
  thresholds.streamNodeMaxBytes = config.number('stream-node-max-bytes');
  thresholds.streamNodeMaxEntries = config.number('stream-node-max-entries');
  thresholds.streamIdmpDuration = config.number('stream-idmp-duration');
  thresholds.streamIdmpMaxsize = config.number('stream-idmp-maxsize');
  thresholds.hllSparseMaxBytes = config.number('hll-sparse-max-bytes');
}

/** Reads a class of client-output-buffer-limit: "normal hard soft seconds pubsub hard …". */
function setOutputLimit(limit: OutputLimit, className: string, words: readonly string[]): void {
  const at = words.indexOf(className);
  if (at === -1) return;
  limit.hardBytes = Number(words[at + 1]);
  limit.softBytes = Number(words[at + 2]);
  limit.softSeconds = Number(words[at + 3]);
}
