// The road of every command: look up, refuse or route, take the locks, run, settle, release, count.
// Sources (connections, scripts, links, log replay) fill a Slices with words and call `run`; what
// they get is bytes in a Reply and an Outcome.
//
// Time. A clock read costs as much as a tenth of a short command, so a run of equal quick commands
// (one key, constant cost) is timed as one: at most GROUP_CALLS of them, closed by any other
// command, by the end of a pipeline, and by whatever can make a quick command slow. Single commands
// of connections that are served one right after the other share a group, too. The time of a group
// is what statistics and slow log see, and the end of one group is the beginning of the next.

import { assert } from '../base/assert.js';
import type { Clock } from '../base/clock.js';
import { Slices } from '../base/slices.js';
import type { Keyspace } from '../keyspace/keyspace.js';
import { Stamping } from '../keyspace/recency.js';
import type { WaitersShape } from '../keyspace/waiters.js';
import type { WatchersShape } from '../keyspace/watchers.js';
import type { Monitors } from '../pubsub/monitors.js';
import type { Tracking } from '../pubsub/tracking.js';
import { Refusal } from '../resp/errors.js';
import type { Reply } from '../resp/write.js';
import { createScripts, type ScriptsShape } from '../scripting/registry.js';
import { claimLock, type Holder, releaseLock, takeLock, tryLock } from '../slab/lock.js';
import { Header } from '../slab/slab.js';
import { LatencyEvent } from '../stats/latency.js';
import type { SlowlogSession } from '../stats/slowlog.js';
import { isLong, LONG_BYTES } from './args.js';
import { Attendance } from './attend.js';
import { Placed } from './batch.js';
import { Blocking } from './blocking.js';
import type { Command } from './command.js';
import { Context, type Visitor } from './context.js';
import { Flag, InMulti, Shape } from './define.js';
import type { Effects } from './effects.js';
import { answerOf, discardedBy, Gate, isPermitted } from './gates.js';
import { hearOfChanges } from './hearing.js';
import { Involved } from './involved.js';
import type { Parts } from './parts.js';
import type { Queue } from './queue.js';
import { placeKey } from './route.js';
import { Scripts } from './scripts.js';
import type { ServerDoor } from './server-door.js';
import { ReplyMode, type Session } from './session.js';
import type { CommandTable } from './table.js';
import { Transactions } from './transactions.js';
import { unknownCommand, unknownSubcommand } from './unknown.js';

/** What became of a command. */
export const enum Outcome {
  /** It was answered (or refused); go on. */
  Done = 0,
  /** It may not run now and was not touched: run the same words again later. */
  Postponed = 1,
}

const GROUP_CALLS = 32;
/** For the scripts of a runner without a server around it. */
const OWN_SCRIPTS_BYTES = 16 * 1024 * 1024;
const NO_PARTITION = -1;
const EVERY_PARTITION = -2;
/** All locks are kept for the next script no longer than this. */
const EVERY_KEPT_MS = 1;

export class Runner {
  readonly context: Context;
  readonly keyspace: Keyspace;
  readonly table: CommandTable;
  readonly effects: Effects;
  readonly server: ServerDoor;
  readonly clock: Clock;
  readonly blocking: Blocking;
  readonly transactions: Transactions;
  readonly attendance: Attendance;
  readonly scripts: Scripts;
  private readonly tracking: Tracking | null;
  /** The session while no command runs: what happens then is nobody's doing. */
  private readonly idle: Session;
  /** Gate bits raised for all sessions. */
  raised = 0;
  /**
   * The less of slowlog-log-slower-than and latency-monitor-threshold; infinite when both are off.
   */
  slowerThanUs = 10_000;
  /** slowlog-log-slower-than alone. */
  slowlogUs = 0;
  /** Before a command that may need memory, while there is little of it: see Gate.Limited. */
  makeRoom: (command: Command, isPlaced: boolean) => void = () => {};
  /** busy-reply-threshold; 0 for never. */
  busyAfterMs = 5000;
  private readonly self: Holder;
  private readonly involved: Involved;
  /**
   * Set (keepsLock) while commands of one pipeline run one after the other: the lock of a quick
   * command is then kept for the next one of its group, which often wants the same partition, and
   * all locks for the next script. Who sets it calls `giveBack`.
   */
  private isKeeping = false;
  /** The partition whose lock is kept, EVERY_PARTITION or NO_PARTITION. */
  private kept = NO_PARTITION;
  /** When the first of the scripts that share all locks was over. */
  private keptSinceMs = 0;
  private group: Command | null = null;
  private groupCalls = 0;
  private groupStartMs = 0;
  /** The words of the queued command that runs, unless they were borrowed. */
  private readonly queued = new Slices();
  /** EXEC or a script runs, and holds the locks of all that it runs. */
  private isExecuting = false;
  /** The command that runs a script, and when it began. */
  private scriptCommand: Command | null = null;
  private scriptStartMs = 0;

  constructor(fields: {
    keyspace: Keyspace;
    table: CommandTable;
    effects: Effects;
    server: ServerDoor;
    clock: Clock;
    self: Holder;
    parts?: Parts | null;
    waiters: WaitersShape;
    watchers: WatchersShape;
    tracking?: Tracking;
    monitors?: Monitors;
    /** The scripts that all threads know; by themselves a runner has its own. */
    scripts?: ScriptsShape;
    thread: number;
    session: Session;
    args: Slices;
    reply: Reply;
  }) {
    this.keyspace = fields.keyspace;
    this.table = fields.table;
    this.effects = fields.effects;
    this.server = fields.server;
    this.clock = fields.clock;
    this.self = fields.self;
    this.involved = new Involved(fields.keyspace, fields.self);
    this.blocking = new Blocking(fields.waiters, fields.thread, (index, visitor) =>
      this.visit(index, 0, visitor, claimLock),
    );
    this.transactions = new Transactions({
      keyspace: fields.keyspace,
      server: fields.server,
      watchers: fields.watchers,
      thread: fields.thread,
      visit: (index, visitor) => this.visit(index, 0, visitor),
    });
    this.tracking = fields.tracking ?? null;
    this.attendance = new Attendance({
      table: fields.table,
      keyspace: fields.keyspace,
      server: fields.server,
      tracking: this.tracking,
      monitors: fields.monitors ?? null,
    });
    this.idle = fields.session;
    const scripts = fields.scripts ?? createScripts(OWN_SCRIPTS_BYTES);
    this.scripts = new Scripts(this, scripts, fields.thread, fields.self);
    this.context = new Context({
      keyspace: fields.keyspace,
      effects: fields.effects,
      server: fields.server,
      parts: fields.parts ?? null,
      blocking: this.blocking,
      transactions: this.transactions,
      attendance: this.attendance,
      scripts: this.scripts,
      visitPartition: (index, database, visitor) => this.visitFor(index, database, visitor),
      execute: () => this.execute(),
      session: fields.session,
      command: fields.table.all[0]!,
      args: fields.args,
      reply: fields.reply,
    });
    this.involved.connect(this);
    hearOfChanges(this, this.tracking);
    this.blocking.onServed = (command, args, slot, ms) => this.served(command, args, slot, ms);
    this.readClock();
  }

  set keepsLock(isKeeping: boolean) {
    this.isKeeping = isKeeping;
    this.transactions.setBatch(isKeeping);
  }

  /** Reads the clock for what comes: at the start of a turn, and after any wait. */
  readClock(): void {
    const now = this.clock.monotonicMs();
    this.groupStartMs = now;
    this.tell(now);
  }

  /** Time has passed in the middle of a command: what comes to its keys now comes later. */
  timeHasPassed(): void {
    this.tell(this.clock.monotonicMs());
  }

  /** The monotonic time that was read last: at the start of the turn, or after a group. */
  get lastReadMs(): number {
    return this.groupStartMs;
  }

  private tell(monotonicMs: number): void {
    this.keyspace.setClock(Math.floor(this.clock.wallAt(monotonicMs)));
  }

  /** Runs the command that `args` holds, for `session`, writing to `reply`. */
  run(session: Session, args: Slices, reply: Reply): Outcome {
    return this.runFound(session, this.table.find(args, 0), args, reply, Placed.No);
  }

  /**
   * As run, for a command that was looked up before (null: there is none of that name), and whose
   * key may have been placed as well (Batch).
   */
  runFound(
    session: Session,
    found: Command | null,
    args: Slices,
    reply: Reply,
    placed: Placed,
  ): Outcome {
    const { context } = this;
    let command = found;
    context.session = session;
    context.args = args;
    context.reply = reply;
    const mark = reply.at;
    reply.commandAt = mark;
    if (command === null) return this.rejected(null, unknownCommand(args));
    if (command.subcommands.length !== 0 && args.count > 1) {
      const subcommand = this.table.findSub(command, args, 1);
      if (subcommand === null) {
        return this.rejected(command, unknownSubcommand(command, args));
      }
      command = subcommand;
    }
    context.command = command;
    if (!command.accepts(args.count)) return this.rejected(command, command.wrongArity);
    const closed = command.subjectTo & (this.raised | session.raised);
    if (closed !== 0 && !isPermitted(closed, session, command, args)) {
      const isPlaced = placed !== Placed.No && placed !== Placed.Declared;
      const outcome = this.meetGates(closed, command, isPlaced);
      if (outcome !== PASSES) return outcome;
      // Perhaps its attended twin.
      command = context.command;
    }
    if (command !== this.group) this.startGroup(command);
    if (session.isNoTouch) this.keyspace.stamping = Stamping.Nothing;
    if (command.shape === Shape.Key) {
      if (placed === Placed.No) placeKey(this.keyspace, args, command.firstKey);
      this.runKey(command, context, placed === Placed.AsBefore);
    } else this.runWide(command, context, placed === Placed.Declared);
    if (session.isNoTouch) this.keyspace.stamping = this.keyspace.policyStamping;
    // Who waits is counted when it is answered.
    if (session.wait?.place === undefined) this.groupCalls++;
    if (
      !command.isQuick ||
      this.groupCalls === GROUP_CALLS ||
      reply.at - mark > LONG_BYTES ||
      reply.at < mark ||
      this.slowerThanUs < 1000 ||
      isLong(args)
    ) {
      this.closeGroup(args);
    }
    if (session.replyMode !== ReplyMode.On && session.wait === null) {
      this.applyReplyMode(session, reply);
    }
    return Outcome.Done;
  }

  /** A gate of the command is up: it is refused, kept for later, queued, or may pass after all. */
  private meetGates(closed: number, command: Command, isPlaced: boolean): Outcome | typeof PASSES {
    const { session, args, reply } = this.context;
    if ((closed & Gate.Limited) !== 0) {
      this.giveBack();
      this.makeRoom(command, isPlaced);
      const left = command.subjectTo & (this.raised | session.raised);
      return this.meetOthers(left, Gate.Limited, command, isPlaced);
    }
    const raised = (this.raised | session.raised) & ~Gate.Limited;
    // Nearly always: inside MULTI, and nothing else is raised.
    const answer =
      raised === Gate.Multi && command.isQueueable
        ? 'queue'
        : answerOf(closed, raised, command, session, this.context);
    if (answer === null) return PASSES;
    if (answer === 'attend') {
      this.context.command = this.attendance.enter(command, session);
      return PASSES;
    }
    if (answer === 'wait') {
      const isFree = command.runsScript && this.scripts.saysNoWrites(command, args);
      if (isFree && (raised & Gate.Paused) === 0 && (closed & Gate.WritesPaused) !== 0) {
        return this.meetOthers(closed, Gate.WritesPaused, command, isPlaced);
      }
      return Outcome.Postponed;
    }
    if (answer === 'busy') {
      const busy = this.server.busyRefusal();
      if (busy !== null) return this.rejected(command, busy);
      // It has just ended.
      this.raised &= ~Gate.Busy;
      return this.meetOthers(closed, Gate.Busy, command, isPlaced);
    }
    if (answer !== 'queue') return this.rejected(command, answer);
    const refusal = this.transactions.queue(session, command, args, isPlaced);
    if (refusal !== null) return this.rejected(command, refusal);
    this.scripts.queued(session.queue!, command, args);
    reply.queued();
    this.applyReplyMode(session, reply);
    return Outcome.Done;
  }

  /** As meetGates, but for the gates `passed`. */
  private meetOthers(
    closed: number,
    passed: number,
    command: Command,
    isPlaced: boolean,
  ): Outcome | typeof PASSES {
    const others = closed & ~passed;
    return others === 0 ? PASSES : this.meetGates(others, command, isPlaced);
  }

  /** One key, one partition: lock, run, settle, release. The key has been placed. */
  private runKey(command: Command, context: Context, isRepeat: boolean): void {
    const { args, session } = context;
    const { keyspace, effects } = this;
    const index = args.partitions[command.firstKey]!;
    const partition = keyspace.partitions[index]!;
    const words = partition.slab.i32;
    if (index !== this.kept) {
      this.giveBack();
      if (!tryLock(words, Header.Lock, this.self) && !this.claimSlowly(command, words)) return;
      this.kept = index;
      partition.forget();
    } else {
      partition.repeat(isRepeat ? args : null);
    }
    if (
      words[Header.Listeners] !== 0 &&
      command.isWrite &&
      this.involved.wantsMore(command, args)
    ) {
      this.runWide(command, context, false);
      return;
    }
    partition.select(session.database);
    context.partition = partition;
    try {
      command.run(context);
      if (effects.dirty !== 0) effects.settle(session.database, args);
    } catch (thrown) {
      this.refuse(command, thrown, context.reply);
    }
    if (this.blocking.hasReady) {
      this.serveWaiting(index);
      this.giveBack();
      return;
    }
    // A word that is not this thread alone says that others wait for the lock.
    if (!this.isKeeping || words[Header.Lock] !== this.self) this.giveBack();
  }

  /** Waits for the lock; false, and the command is refused, when a script keeps it for too long. */
  private claimSlowly(command: Command, words: Int32Array): boolean {
    try {
      claimLock(words, Header.Lock, this.self);
      return true;
    } catch (thrown) {
      this.refuse(command, thrown, this.context.reply);
      return false;
    }
  }

  /** No command runs for now: what happens to keys is no session's doing. */
  rest(): void {
    this.context.session = this.idle;
  }

  /** Releases the lock that was kept for the next command, if there is one. */
  giveBack(): void {
    const { kept } = this;
    if (kept === NO_PARTITION) return;
    this.kept = NO_PARTITION;
    if (kept === EVERY_PARTITION) {
      this.involved.release(this.involved.all());
      return;
    }
    const partition = this.keyspace.partitions[kept]!;
    partition.repeat(null);
    releaseLock(partition.slab.i32, Header.Lock);
  }

  /** Serves who waits for what the command has changed; the lock of partition `index` is held. */
  serveWaiting(index: number): void {
    this.involved.list[0] = index;
    this.blocking.serve(this.context, this.involved.list, 1);
  }

  /** `isDeclared`: the one key that a script declares has been placed. */
  private runWide(command: Command, context: Context, isDeclared: boolean): void {
    const { args, session } = context;
    const { effects, involved } = this;
    // They stay with this thread, as if they were taken anew.
    const hasAll = this.kept === EVERY_PARTITION && command.runsScript;
    if (hasAll) this.kept = NO_PARTITION;
    else this.giveBack();
    if (command.shape === Shape.Session) {
      try {
        command.run(context);
        if (effects.dirty !== 0) effects.settle(session.database, args);
      } catch (thrown) {
        this.refuse(command, thrown, context.reply);
      }
      return;
    }
    let count: number;
    try {
      count = hasAll ? involved.all() : involved.claimFor(command, args, isDeclared);
    } catch (thrown) {
      // A script keeps them for too long.
      involved.giveUp();
      this.refuse(command, thrown, context.reply);
      return;
    }
    const { partitions } = this.keyspace;
    involved.select(session.database, count);
    if (!command.isFast && !hasAll) involved.label(command, count);
    // A command of one key comes here too, when its waiters want more than its partition.
    const isOfKey = command.shape === Shape.Key;
    const first = isOfKey ? args.partitions[command.firstKey]! : involved.list[0]!;
    context.partition = partitions[count === 0 ? 0 : first]!;
    try {
      command.run(context);
      if (effects.dirty !== 0) effects.settle(session.database, args);
    } catch (thrown) {
      this.refuse(command, thrown, context.reply);
    }
    if (this.blocking.hasReady) this.blocking.serve(context, involved.list, count);
    if (this.isKeeping && command.runsScript && count === partitions.length) this.keepAll(hasAll);
    else involved.release(count);
    if (this.blocking.hasLeft) this.serveLeft();
  }

  /**
   * Scripts that lock everything share the locks with the next one of their pipeline: otherwise two
   * threads that have such scripts would hand all locks to and fro after each. `isShared`: this one
   * had them from the script before.
   */
  private keepAll(isShared: boolean): void {
    this.kept = EVERY_PARTITION;
    if (!isShared) this.keptSinceMs = this.groupStartMs;
    else if (this.groupStartMs - this.keptSinceMs >= EVERY_KEPT_MS) this.giveBack();
  }

  /**
   * Runs `what` with the locks of all partitions, for a session command that concerns the whole
   * dataset. Whoever waits for a key that it has changed is served.
   */
  withAllLocks(what: () => void): void {
    if (this.isExecuting) {
      // EXEC of a command that visits holds all of them, and serves at its end.
      what();
      return;
    }
    const { context, blocking, involved } = this;
    const count = involved.takeAll();
    involved.label(context.command, count);
    try {
      what();
      if (blocking.hasReady) blocking.serve(context, involved.list, count);
    } finally {
      involved.release(count);
    }
    if (blocking.hasLeft) this.serveLeft();
  }

  /** Serves with all locks who could not be served with those of the command. */
  private serveLeft(): void {
    const { blocking, context, involved } = this;
    const count = involved.takeAll();
    blocking.takeLeft();
    blocking.serve(context, involved.list, count);
    involved.release(count);
  }

  // ---- EXEC -----------------------------------------------------------------------------------

  /**
   * Runs what the session has queued, as one: all locks first, one time, one record. The handler of
   * EXEC has seen that nothing speaks against it that can be seen without the locks.
   */
  private execute(): void {
    const { context, blocking, transactions, involved } = this;
    const { session, reply, command } = context;
    const queue = session.queue!;
    let count: number;
    try {
      count = involved.claimForQueue(queue, session, this.queued);
    } catch (thrown) {
      involved.giveUp();
      transactions.end(session);
      throw thrown instanceof Refusal ? discardedBy(thrown) : thrown;
    }
    if (queue.isSlow) involved.label(command, count);
    transactions.begins(session, queue);
    const isBroken = transactions.isBroken(session);
    transactions.unwatchHeld(session);
    if (isBroken) reply.nilArray();
    else this.runQueue(queue, count);
    if (blocking.hasReady) {
      // The transaction had one time; what has expired since is nothing for those who wait.
      this.tell(this.clock.monotonicMs());
      blocking.serve(context, involved.list, count);
    }
    involved.release(count);
    transactions.end(session);
    if (blocking.hasLeft) this.serveLeft();
  }

  /** Runs the queued commands; the locks of involved.list[0, count) are held. */
  private runQueue(queue: Queue, count: number): void {
    const { context, effects, attendance } = this;
    const { session, reply, command, args } = context;
    const { commands } = attendance;
    const startMs = this.groupStartMs;
    this.isExecuting = true;
    context.executing = command;
    session.isDenyBlocking = true;
    effects.beginTransaction();
    this.group = null;
    reply.array(queue.count);
    for (let left = queue.count; left > 0; left--) this.runNext(queue, count);
    this.closeGroup(null);
    effects.endTransaction();
    // What it has switched on in its middle counts from the next command on.
    attendance.commands = commands;
    session.isDenyBlocking = false;
    context.args = args;
    context.command = command;
    context.executing = null;
    this.isExecuting = false;
    // The time of EXEC is that of its commands, and ends with the last of them.
    const endMs = this.groupStartMs;
    this.server.commandStats.called(command.id, 1, (endMs - startMs) * 1000);
    this.server.latency.sample(LatencyEvent.Command, endMs - startMs);
    this.tell(endMs);
    // It is counted already: runFound counts it once more.
    this.groupCalls = -1;
  }

  private runNext(queue: Queue, count: number): void {
    const { context } = this;
    const { reply } = context;
    const words = queue.read(this.queued);
    const command = this.attendance.commands[queue.id]!;
    const mark = reply.at;
    if (command !== this.group) this.startGroup(command);
    context.command = command;
    context.args = words;
    this.runQueued(command, words, count);
    this.groupCalls++;
    if (
      !command.isQuick ||
      this.groupCalls === GROUP_CALLS ||
      reply.at - mark > LONG_BYTES ||
      reply.at < mark ||
      this.slowerThanUs < 1000 ||
      isLong(words)
    ) {
      this.closeGroup(words);
    }
  }

  private runQueued(command: Command, words: Slices, count: number): void {
    const { context, effects, keyspace } = this;
    const { session } = context;
    const { partitions } = keyspace;
    keyspace.stamping = session.isNoTouch ? Stamping.Nothing : keyspace.policyStamping;
    if (command.shape === Shape.Key) {
      const partition = partitions[words.partitions[command.firstKey]!]!;
      partition.select(session.database);
      context.partition = partition;
    } else if (command.shape !== Shape.Session) {
      this.involved.select(session.database, count);
      context.partition = partitions[count === 0 ? 0 : this.involved.list[0]!]!;
    }
    try {
      if ((session.raised & Gate.Restricted) !== 0) this.server.access.checkQueued(context);
      command.run(context);
      if (effects.dirty !== 0) effects.settle(session.database, words);
    } catch (thrown) {
      this.refuse(command, thrown, context.reply);
    }
  }

  // ---- scripts --------------------------------------------------------------------------------

  /** A script begins, as the command that runs. Returns whether it does so inside of EXEC. */
  beginScript(): boolean {
    const isInside = this.isExecuting;
    this.isExecuting = true;
    if (!isInside) this.effects.beginTransaction();
    this.scriptCommand = this.group;
    this.scriptStartMs = this.groupStartMs;
    this.group = null;
    this.attendance.isInScript = true;
    return isInside;
  }

  /** The script is over: its time is that of all that it did. */
  endScript(isInside: boolean, args: Slices): void {
    const hasCalled = this.groupCalls !== 0 || this.groupStartMs !== this.scriptStartMs;
    this.closeGroup(null);
    if (!isInside) this.effects.endTransaction();
    this.isExecuting = isInside;
    this.attendance.isInScript = false;
    const endMs = this.groupStartMs;
    this.group = this.scriptCommand;
    this.groupCalls = 0;
    this.groupStartMs = this.scriptStartMs;
    if (!hasCalled) return;
    // The clock was read just now, for its last command: that is its own end, too.
    this.groupCalls = 1;
    this.endGroup(args, endMs);
    // It is counted already: runFound counts it once more.
    this.groupCalls = -1;
  }

  /** Runs a command of the script; its keys are placed, their databases selected. */
  runInScript(command: Command, args: Slices, reply: Reply): void {
    const { context, effects } = this;
    if (command !== this.group) this.startGroup(command);
    context.command = command;
    context.args = args;
    context.reply = reply;
    try {
      command.run(context);
      if (effects.dirty !== 0) effects.settle(context.session.database, args);
    } catch (thrown) {
      this.refuse(command, thrown, reply);
    }
    this.groupCalls++;
    if (
      !command.isQuick ||
      this.groupCalls === GROUP_CALLS ||
      reply.at > LONG_BYTES ||
      this.slowerThanUs < 1000 ||
      args.lengthOf(args.count - 1) > LONG_BYTES
    ) {
      this.closeGroup(args);
    }
  }

  /**
   * In the middle of a script: runs commands of other sessions, none of which touches a key
   * (net/busy.ts), and leaves everything as it was.
   */
  keepWhile(others: () => void): void {
    const { context, group, groupCalls, groupStartMs } = this;
    const { session, command, args, reply, partition } = context;
    this.group = null;
    this.groupCalls = 0;
    // What they take is no part of the script's time, and the script's none of theirs.
    this.groupStartMs = this.clock.monotonicMs();
    others();
    this.closeGroup(null);
    this.group = group;
    this.groupCalls = groupCalls;
    this.groupStartMs = groupStartMs;
    context.session = session;
    context.command = command;
    context.args = args;
    context.reply = reply;
    context.partition = partition;
  }

  /** A handler's visit. Inside EXEC the lock is held already. */
  private visitFor(index: number, database: number, visitor: Visitor): void {
    assert(this.context.command.visits, 'a command that visits partitions says so');
    if (!this.isExecuting) {
      const { reply } = this.context;
      // What has begun to answer goes on to its end.
      this.visit(index, database, visitor, reply.at === reply.commandAt ? claimLock : takeLock);
      return;
    }
    const partition = this.keyspace.partitions[index]!;
    partition.select(database);
    visitor(partition);
  }

  private visit(index: number, database: number, visitor: Visitor, take = takeLock): void {
    const partition = this.keyspace.partitions[index]!;
    const words = partition.slab.i32;
    take(words, Header.Lock, this.self);
    partition.select(database);
    try {
      visitor(partition);
      // A look at a key may have expired it.
      if (this.blocking.hasReady) this.serveWaiting(index);
    } finally {
      releaseLock(words, Header.Lock);
    }
  }

  /** A handler threw: the user's errors are answered, broken invariants end the process. */
  private refuse(command: Command, thrown: unknown, reply: Reply): void {
    if (!(thrown instanceof Refusal)) throw thrown;
    assert(this.effects.dirty === 0, `${command.fullName} refuses before its first change`);
    this.server.stats.errorReplied(thrown.code);
    this.server.commandStats.failed(command.id);
    reply.refusal(thrown);
  }

  /** Answers a command that did not get as far as its handler. */
  private rejected(command: Command | null, refusal: Refusal): Outcome {
    const { session, reply } = this.context;
    // The next command repeats one that has not run.
    this.giveBack();
    if (session.queue !== null) session.queue.isAborted = true;
    let answer = refusal;
    if (command !== null && command.inMulti === InMulti.Executes) {
      answer = discardedBy(refusal);
      this.transactions.end(session);
    }
    this.server.stats.errorReplied(answer.code);
    if (command !== null) this.server.commandStats.rejected(command.id);
    reply.refusal(answer);
    this.applyReplyMode(session, reply);
    return Outcome.Done;
  }

  private startGroup(command: Command): void {
    if (this.groupCalls !== 0) this.closeGroup(null);
    this.group = command;
  }

  /** Ends the group: its time goes to the statistics, and becomes the time of the next visit. */
  closeGroup(args: Slices | null): void {
    if (this.kept !== EVERY_PARTITION || !this.isKeeping) this.giveBack();
    const { group, groupCalls } = this;
    if (group === null || groupCalls === 0) return;
    this.endGroup(args, this.clock.monotonicMs());
  }

  /** The group of commands, of which there is one, ended `now`. */
  private endGroup(args: Slices | null, now: number): void {
    const { groupCalls } = this;
    const group = this.group!;
    const microseconds = (now - this.groupStartMs) * 1000;
    this.server.commandStats.called(group.id, groupCalls, microseconds);
    if (microseconds >= this.slowerThanUs) {
      this.noteSlow(this.context.session, group, args, groupCalls, microseconds);
    }
    this.groupStartMs = now;
    this.groupCalls = 0;
    this.group = null;
    // A transaction has one time for all its commands.
    if (!this.isExecuting) this.tell(now);
  }

  /** The command of a session in `slot`, of any thread, that has waited was run for it. */
  private served(command: Command, args: Slices, slot: number, ms: number): void {
    const { server } = this;
    server.commandStats.called(command.id, 1, ms * 1000);
    if (ms * 1000 < this.slowerThanUs) return;
    const session = server.clients.view(slot);
    if (session !== null) this.noteSlow(session, command, args, 1, ms * 1000);
  }

  private noteSlow(
    session: SlowlogSession,
    group: Command,
    args: Slices | null,
    calls: number,
    us: number,
  ): void {
    const { slowlog, latency } = this.server;
    if (us >= this.slowlogUs && (group.flags & Flag.SkipSlowlog) === 0) {
      slowlog.record(session, group, args, calls, us);
    }
    const event = group.isFast ? LatencyEvent.FastCommand : LatencyEvent.Command;
    latency.sample(event, us / 1000);
  }

  /** CLIENT REPLY: drops what the command wrote, now or when its wait was over. */
  applyReplyMode(session: Session, reply: Reply): void {
    if (session.replyMode === ReplyMode.On) return;
    reply.at = reply.commandAt;
    if (session.replyMode === ReplyMode.SkipNext) session.replyMode = ReplyMode.Skip;
    else if (session.replyMode === ReplyMode.Skip) session.replyMode = ReplyMode.On;
  }
}

/** What meetGates says of a command that no raised gate refuses. */
const PASSES = -1;
