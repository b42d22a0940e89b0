// The road of every command: look up, refuse or route, take the locks, run, settle, release, count.
// Sources (connections, scripts, links, log replay) fill a Slices with words and call `run`; what
// they get is bytes in a Reply and an Outcome.
//
// Time. A clock read costs as much as a tenth of a short command, so a run of equal quick commands
// (one key, constant cost) is timed as one: at most GROUP_CALLS of them, closed by any other
// command, by the end of input, and by whatever can make a quick command slow. The time of a group
// is what statistics and slow log see, and the end of one group is the beginning of the next.

import { assert } from '../base/assert.js';
import type { Clock } from '../base/clock.js';
import { hashBytes } from '../base/hash.js';
import { Slices } from '../base/slices.js';
import type { Keyspace } from '../keyspace/keyspace.js';
import type { WaitersShape } from '../keyspace/waiters.js';
import { NO_WATCH, type WatchersShape } from '../keyspace/watchers.js';
import { Refusal } from '../resp/errors.js';
import type { Reply } from '../resp/write.js';
import {
  type Holder,
  type LockPlaces,
  labelHold,
  releaseLock,
  releaseLocks,
  takeLock,
  takeLocks,
} from '../slab/lock.js';
import { Header } from '../slab/slab.js';
import { Placed } from './batch.js';
import { Blocking, Wanted } from './blocking.js';
import type { Command } from './command.js';
import { Context, type Visitor } from './context.js';
import { Flag, InMulti, Shape } from './define.js';
import type { Effects } from './effects.js';
import { answerOf, Gate } from './gates.js';
import type { Parts } from './parts.js';
import type { Queue } from './queue.js';
import { findKeys, KeyPositions, placeKey } from './route.js';
import type { ServerDoor } from './server-door.js';
import { ReplyMode, type Session } from './session.js';
import type { CommandTable } from './table.js';
import { TOUCH_KEYS, Touch } from './touch.js';
import { Transactions } from './transactions.js';

/** What became of a command. */
export const enum Outcome {
  /** It was answered (or refused); go on. */
  Done = 0,
  /** It may not run now and was not touched: run the same words again later. */
  Postponed = 1,
}

const GROUP_CALLS = 32;
const NO_PARTITION = -1;
/** Times that a command gives its locks back for more before it takes them all. */
const WIDENING_ROUNDS = 3;
/** A command or a reply from this size on takes long enough to be timed by itself. */
const LONG_BYTES = 16 * 1024;
const UNKNOWN_ARGS_BYTES = 128;

export class Runner {
  readonly context: Context;
  readonly keyspace: Keyspace;
  readonly table: CommandTable;
  readonly effects: Effects;
  readonly server: ServerDoor;
  readonly clock: Clock;
  readonly blocking: Blocking;
  readonly transactions: Transactions;
  /** Gate bits raised for all sessions. */
  raised = 0;
  /** slowlog-log-slower-than; infinite when the slow log is off. */
  slowerThanUs = 10_000;
  private readonly self: Holder;
  private readonly places: LockPlaces;
  private readonly allPartitions: Int32Array;
  private readonly positions = new KeyPositions();
  private readonly touching: Touch;
  /** Partitions of a command with several keys, ascending. */
  private readonly involved: Int32Array;
  private readonly isInvolved: Uint8Array;
  /**
   * Set while commands of one pipeline run one after the other: the lock of a quick command is then
   * kept for the next one of its group, which often wants the same partition. Who sets it calls
   * `giveBack`.
   */
  keepsLock = false;
  /** The partition whose lock is kept, or NO_PARTITION. */
  private kept = NO_PARTITION;
  private group: Command | null = null;
  private groupCalls = 0;
  private groupStartMs = 0;
  /** The words of the queued command that runs. */
  private readonly queued = new Slices();
  /** EXEC runs, and holds the locks of all that it runs. */
  private isExecuting = false;

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
    thread: number;
    session: Session;
    args: Slices;
    reply: Reply;
  }) {
    this.keyspace = fields.keyspace;
    this.touching = new Touch(fields.keyspace);
    this.table = fields.table;
    this.effects = fields.effects;
    this.server = fields.server;
    this.clock = fields.clock;
    this.self = fields.self;
    const { partitions } = fields.keyspace;
    this.places = {
      words: partitions.map((partition) => partition.slab.i32),
      ats: Int32Array.from(partitions, () => Header.Lock),
    };
    this.allPartitions = Int32Array.from(partitions, (_, index) => index);
    this.involved = new Int32Array(partitions.length);
    this.isInvolved = new Uint8Array(partitions.length);
    this.blocking = new Blocking(fields.waiters, fields.thread, (index, visitor) =>
      this.visit(index, 0, visitor),
    );
    this.transactions = new Transactions({
      keyspace: fields.keyspace,
      server: fields.server,
      watchers: fields.watchers,
      thread: fields.thread,
      visit: (index, visitor) => this.visit(index, 0, visitor),
    });
    this.context = new Context({
      keyspace: fields.keyspace,
      effects: fields.effects,
      server: fields.server,
      parts: fields.parts ?? null,
      blocking: this.blocking,
      transactions: this.transactions,
      visitPartition: (index, database, visitor) => this.visitFor(index, database, visitor),
      execute: () => this.execute(),
      session: fields.session,
      command: fields.table.all[0]!,
      args: fields.args,
      reply: fields.reply,
    });
    this.hearOfChanges();
    this.readClock();
  }

  /** Whoever waits for a key or watches it hears of its changes. */
  private hearOfChanges(): void {
    const { sinks } = this.keyspace;
    const { blocking, transactions } = this;
    const { watchers } = transactions;
    sinks.changed = (partition, u8, start, length) => {
      const hash = hashBytes(u8, start, length);
      blocking.keyChanged(partition, hash, u8, start, length);
      watchers.touch(partition, hash, u8, start, length);
    };
    sinks.swapping = (partition, first, second) => watchers.swapping(partition, first, second);
    sinks.swapped = (partition, u8, start, length) =>
      blocking.keyChanged(partition, hashBytes(u8, start, length), u8, start, length);
  }

  /** Reads the clock for what comes: at the start of a turn, and after any wait. */
  readClock(): void {
    const now = this.clock.monotonicMs();
    this.groupStartMs = now;
    this.tell(now);
  }

  /** The monotonic time that was read last: at the start of the turn, or after a group. */
  get lastReadMs(): number {
    return this.groupStartMs;
  }

  private tell(monotonicMs: number): void {
    const { keyspace } = this;
    const wallMs = Math.floor(this.clock.wallAt(monotonicMs));
    keyspace.nowMs = wallMs;
    keyspace.recency = Math.floor(wallMs / 1000) & 0xffffff;
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
    if (closed !== 0) {
      const outcome = this.meetGates(closed, command, placed !== Placed.No);
      if (outcome !== PASSES) return outcome;
    }
    if (command !== this.group) this.startGroup(command);
    if (session.isNoTouch) this.keyspace.stampsAccess = false;
    if (command.shape === Shape.Key) {
      if (placed === Placed.No) placeKey(this.keyspace, args, command.firstKey);
      this.runKey(command, context, placed === Placed.AsBefore);
    } else {
      this.runWide(command, context);
    }
    this.keyspace.stampsAccess = true;
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
    const raised = this.raised | session.raised;
    // Nearly always: inside MULTI, and nothing else is raised.
    const answer =
      raised === Gate.Multi && command.isQueueable
        ? 'queue'
        : answerOf(closed, raised, command, session);
    if (answer === null) return PASSES;
    if (answer === 'wait') return Outcome.Postponed;
    if (answer !== 'queue') return this.rejected(command, answer);
    const refusal = this.transactions.queue(session, command, args, isPlaced);
    if (refusal !== null) return this.rejected(command, refusal);
    reply.raw(QUEUED);
    this.applyReplyMode(session, reply);
    return Outcome.Done;
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
      takeLock(words, Header.Lock, this.self);
      this.kept = index;
      partition.forget();
    } else {
      partition.repeat(isRepeat ? args : null);
    }
    if (words[Header.Listeners] !== 0 && command.isWrite && this.wantsMore(command, args)) {
      this.runWide(command, context);
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
    if (!this.keepsLock || words[Header.Lock] !== this.self) this.giveBack();
  }

  /** Releases the lock that was kept for the next command, if there is one. */
  giveBack(): void {
    const { kept } = this;
    if (kept === NO_PARTITION) return;
    this.kept = NO_PARTITION;
    const partition = this.keyspace.partitions[kept]!;
    partition.repeat(null);
    releaseLock(partition.slab.i32, Header.Lock);
  }

  /** Does somebody wait for the key who needs more than its partition when it is changed? */
  private wantsMore(command: Command, args: Slices): boolean {
    const { isInvolved } = this;
    const index = args.partitions[command.firstKey]!;
    isInvolved[index] = 1;
    const wanted = this.blocking.wanting(this.context, command.firstKey, isInvolved);
    isInvolved.fill(0);
    return wanted !== Wanted.Nothing;
  }

  /** Serves who waits for what the command has changed; the lock of partition `index` is held. */
  serveWaiting(index: number): void {
    this.involved[0] = index;
    this.blocking.serve(this.context, this.involved, 1);
  }

  private runWide(command: Command, context: Context): void {
    const { args, session } = context;
    const { effects } = this;
    this.giveBack();
    if (command.shape === Shape.Session) {
      try {
        command.run(context);
        if (effects.dirty !== 0) effects.settle(session.database, args);
      } catch (thrown) {
        this.refuse(command, thrown, context.reply);
      }
      return;
    }
    const count = this.takeLocksFor(command, args);
    const { partitions } = this.keyspace;
    for (let at = 0; at < count; at++) partitions[this.involved[at]!]!.select(session.database);
    if (!command.isFast) this.label(command, count);
    // A command of one key comes here too, when its waiters want more than its partition.
    const isOfKey = command.shape === Shape.Key;
    const first = isOfKey ? args.partitions[command.firstKey]! : this.involved[0]!;
    context.partition = partitions[count === 0 ? 0 : first]!;
    try {
      command.run(context);
      if (effects.dirty !== 0) effects.settle(session.database, args);
    } catch (thrown) {
      this.refuse(command, thrown, context.reply);
    }
    if (this.blocking.hasReady) this.blocking.serve(context, this.involved, count);
    releaseLocks(this.places, this.involved, count);
    if (this.blocking.hasLeft) this.serveLeft();
  }

  /**
   * Takes the locks of the partitions that the command involves, and of those that somebody needs
   * who waits for one of its keys (blocking.ts). That is only seen under the locks: when there are
   * more, all are given back and taken again, in order. Returns how many, listed in `involved`.
   */
  private takeLocksFor(command: Command, args: Slices): number {
    const { places, involved, self } = this;
    let count = command.shape === Shape.Every ? this.involveAll() : this.involve(command, args);
    takeLocks(places, involved, count, self);
    if (!command.isWrite || count === this.allPartitions.length) return count;
    for (let round = 0; ; round++) {
      const wanted = this.wantedBy(count);
      if (wanted === Wanted.Nothing) return count;
      releaseLocks(places, involved, count);
      const takesAll = wanted === Wanted.All || round === WIDENING_ROUNDS;
      count = takesAll ? this.involveAll() : this.listInvolved();
      takeLocks(places, involved, count, self);
      if (takesAll) {
        this.isInvolved.fill(0);
        return count;
      }
    }
  }

  /** Leaves marks in isInvolved when it is not Nothing: of what is held and what is wanted. */
  private wantedBy(count: number): Wanted {
    const { positions, involved, isInvolved, blocking, context } = this;
    if (!this.isListenedTo(count)) return Wanted.Nothing;
    for (let at = 0; at < count; at++) isInvolved[involved[at]!] = 1;
    let result = Wanted.Nothing;
    for (let at = 0; at < positions.count && result !== Wanted.All; at++) {
      const wanted = blocking.wanting(context, positions.words[at]!, isInvolved);
      if (wanted > result) result = wanted;
    }
    if (result === Wanted.Nothing) isInvolved.fill(0);
    return result;
  }

  /** Does anybody wait for a key, or watch one, in involved[0, count)? */
  private isListenedTo(count: number): boolean {
    const { involved } = this;
    const { partitions } = this.keyspace;
    for (let at = 0; at < count; at++) {
      if (partitions[involved[at]!]!.slab.i32[Header.Listeners] !== 0) return true;
    }
    return false;
  }

  /** Lists the partitions that are marked in isInvolved, and takes the marks back. */
  private listInvolved(): number {
    const { involved, isInvolved } = this;
    let count = 0;
    for (let index = 0; index < isInvolved.length; index++) {
      if (isInvolved[index] === 0) continue;
      isInvolved[index] = 0;
      involved[count++] = index;
    }
    return count;
  }

  /** Serves with all locks who could not be served with those of the command. */
  private serveLeft(): void {
    const { blocking, context } = this;
    const count = this.involveAll();
    takeLocks(this.places, this.involved, count, this.self);
    blocking.takeLeft();
    blocking.serve(context, this.involved, count);
    releaseLocks(this.places, this.involved, count);
  }

  // ---- EXEC -----------------------------------------------------------------------------------

  /**
   * Runs what the session has queued, as one: all locks first, one time, one record. The handler of
   * EXEC has seen that nothing speaks against it that can be seen without the locks.
   */
  private execute(): void {
    const { context, blocking, transactions } = this;
    const { session, reply, command } = context;
    const queue = session.queue!;
    const count = this.takeLocksOfQueue(queue, session);
    if (queue.isSlow) this.label(command, count);
    const isBroken = transactions.isBroken(session);
    transactions.unwatchHeld(session);
    if (isBroken) reply.nilArray();
    else this.runQueue(queue, count);
    if (blocking.hasReady) {
      // The transaction had one time; what has expired since is nothing for those who wait.
      this.tell(this.clock.monotonicMs());
      blocking.serve(context, this.involved, count);
    }
    releaseLocks(this.places, this.involved, count);
    transactions.end(session);
    if (blocking.hasLeft) this.serveLeft();
  }

  /** The locks of all keys that are queued or watched, as takeLocksFor takes those of a command. */
  private takeLocksOfQueue(queue: Queue, session: Session): number {
    const { places, involved, self } = this;
    let count = queue.isWide ? this.involveAll() : this.involveQueue(queue, session);
    takeLocks(places, involved, count, self);
    const isAll = count === this.allPartitions.length;
    if (isAll || (queue.flags & Flag.Write) === 0 || !this.isListenedTo(count)) return count;
    if (!this.isMoreWanted(queue, count)) return count;
    // Somebody who waits needs more than these: seldom, so nobody asks how much.
    releaseLocks(places, involved, count);
    count = this.involveAll();
    takeLocks(places, involved, count, self);
    return count;
  }

  private involveQueue(queue: Queue, session: Session): number {
    const { isInvolved, involved, transactions } = this;
    const { watchers } = transactions;
    let count = 0;
    for (let at = 0; at < queue.partitionCount; at++) {
      count = this.include(queue.partitions[at]!, count);
    }
    for (let place = session.watch; place !== NO_WATCH; place = watchers.nextOf(place)) {
      count = this.include(watchers.partitionOf(place), count);
    }
    for (let at = 0; at < count; at++) isInvolved[involved[at]!] = 0;
    return count;
  }

  /** Do waiters want more partitions, if the keys that are queued to be written change? */
  private isMoreWanted(queue: Queue, count: number): boolean {
    const { context, queued, positions, isInvolved, involved } = this;
    const { args } = context;
    for (let at = 0; at < count; at++) isInvolved[involved[at]!] = 1;
    let isWanted = false;
    context.args = queued;
    for (let left = queue.count; left > 0; left--) {
      const command = this.table.all[queue.read(queued)]!;
      if (!command.isWrite || !findKeys(command, queued, positions)) continue;
      for (let at = 0; at < positions.count; at++) {
        const wanted = this.blocking.wanting(context, positions.words[at]!, isInvolved);
        if (wanted !== Wanted.Nothing) isWanted = true;
      }
    }
    queue.rewind();
    context.args = args;
    isInvolved.fill(0);
    return isWanted;
  }

  /** Runs the queued commands; the locks of involved[0, count) are held. */
  private runQueue(queue: Queue, count: number): void {
    const { context, queued, effects } = this;
    const { session, reply, command, args } = context;
    const startMs = this.groupStartMs;
    this.isExecuting = true;
    context.executing = command;
    context.args = queued;
    session.isDenyBlocking = true;
    effects.beginTransaction();
    this.group = null;
    reply.array(queue.count);
    for (let left = queue.count; left > 0; left--) this.runNext(queue, count);
    this.closeGroup(null);
    effects.endTransaction();
    session.isDenyBlocking = false;
    context.args = args;
    context.command = command;
    context.executing = null;
    this.isExecuting = false;
    // The time of EXEC is that of its commands, and ends with the last of them.
    const endMs = this.groupStartMs;
    this.server.commandStats.called(command.id, 1, (endMs - startMs) * 1000);
    this.tell(endMs);
    // It is counted already: runFound counts it once more.
    this.groupCalls = -1;
  }

  private runNext(queue: Queue, count: number): void {
    const { context, queued } = this;
    const { reply } = context;
    const command = this.table.all[queue.read(queued)]!;
    const mark = reply.at;
    if (command !== this.group) this.startGroup(command);
    context.command = command;
    this.runQueued(command, count);
    this.groupCalls++;
    if (
      !command.isQuick ||
      this.groupCalls === GROUP_CALLS ||
      reply.at - mark > LONG_BYTES ||
      reply.at < mark ||
      this.slowerThanUs < 1000 ||
      isLong(queued)
    ) {
      this.closeGroup(queued);
    }
  }

  private runQueued(command: Command, count: number): void {
    const { context, effects, keyspace, queued } = this;
    const { session } = context;
    const { partitions } = keyspace;
    keyspace.stampsAccess = !session.isNoTouch;
    if (command.shape === Shape.Key) {
      const partition = partitions[queued.partitions[command.firstKey]!]!;
      partition.select(session.database);
      context.partition = partition;
    } else if (command.shape !== Shape.Session) {
      for (let at = 0; at < count; at++) {
        partitions[this.involved[at]!]!.select(session.database);
      }
      context.partition = partitions[count === 0 ? 0 : this.involved[0]!]!;
    }
    try {
      command.run(context);
      if (effects.dirty !== 0) effects.settle(session.database, queued);
    } catch (thrown) {
      this.refuse(command, thrown, context.reply);
    }
  }

  /** Says which command holds the locks, for the watchdog: only slow commands are worth it. */
  private label(command: Command, count: number): void {
    for (let at = 0; at < count; at++) {
      const partition = this.involved[at]!;
      labelHold(this.places.words[partition]!, Header.Lock, command.id + 1);
    }
  }

  private involveAll(): number {
    this.involved.set(this.allPartitions);
    return this.allPartitions.length;
  }

  /** Places all keys and lists their partitions in ascending order. Returns how many. */
  private involve(command: Command, args: Slices): number {
    const { positions, involved, isInvolved } = this;
    // Where keys cannot be found the handler refuses before it looks for any.
    if (!findKeys(command, args, positions)) {
      positions.count = 0;
      return 0;
    }
    const { touching } = this;
    const { database } = this.context.session;
    let count = 0;
    for (let at = 0; at < positions.count; at++) {
      const word = positions.words[at]!;
      const index = placeKey(this.keyspace, args, word);
      if (at < TOUCH_KEYS) touching.add(index, database, args.hashes[word]!);
      count = this.include(index, count);
    }
    for (let at = 0; at < count; at++) isInvolved[involved[at]!] = 0;
    // The keys beyond the first few are touched by the parts of a large command, or not at all.
    touching.run();
    return positions.isEvery ? this.involveAll() : count;
  }

  /** Adds a partition to involved[0, count), and marks it. Returns how many there are now. */
  private include(index: number, count: number): number {
    const { involved, isInvolved } = this;
    if (isInvolved[index] !== 0) return count;
    isInvolved[index] = 1;
    // Insertion keeps the list sorted: it is short, or soon complete.
    let to = count;
    while (to > 0 && involved[to - 1]! > index) {
      involved[to] = involved[to - 1]!;
      to--;
    }
    involved[to] = index;
    return count + 1;
  }

  /** A handler's visit. Inside EXEC the lock is held already. */
  private visitFor(index: number, database: number, visitor: Visitor): void {
    assert(this.context.command.visits, 'a command that visits partitions says so');
    if (!this.isExecuting) {
      this.visit(index, database, visitor);
      return;
    }
    const partition = this.keyspace.partitions[index]!;
    partition.select(database);
    visitor(partition);
  }

  private visit(index: number, database: number, visitor: Visitor): void {
    const partition = this.keyspace.partitions[index]!;
    const words = partition.slab.i32;
    takeLock(words, Header.Lock, this.self);
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
    this.giveBack();
    const { group, groupCalls } = this;
    if (group === null || groupCalls === 0) return;
    const now = this.clock.monotonicMs();
    const microseconds = (now - this.groupStartMs) * 1000;
    this.server.commandStats.called(group.id, groupCalls, microseconds);
    if (microseconds >= this.slowerThanUs && (group.flags & Flag.SkipSlowlog) === 0) {
      this.server.slowlog.record(this.context.session, group, args, groupCalls, microseconds);
    }
    this.groupStartMs = now;
    this.groupCalls = 0;
    this.group = null;
    // A transaction has one time for all its commands.
    if (!this.isExecuting) this.tell(now);
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
const QUEUED = Buffer.from('+QUEUED\r\n', 'latin1');

/** What EXEC answers when it may not run. */
function discardedBy({ line, code }: Refusal): Refusal {
  const reason = code === 'ERR' ? line.slice('ERR '.length) : line;
  return new Refusal(`EXECABORT Transaction discarded because of: ${reason}`);
}

function isLong(args: Slices): boolean {
  const last = args.count - 1;
  return args.startOf(last) + args.lengthOf(last) - args.startOf(0) > LONG_BYTES;
}

function unknownCommand(args: Slices): Refusal {
  // Redis quotes the arguments it has got, up to 128 bytes of them.
  let quoted = '';
  for (let index = 1; index < args.count && quoted.length < UNKNOWN_ARGS_BYTES; index++) {
    quoted += `'${textBeforeZero(args, index, UNKNOWN_ARGS_BYTES - quoted.length)}' `;
  }
  const name = textBeforeZero(args, 0, UNKNOWN_ARGS_BYTES);
  return new Refusal(`ERR unknown command '${name}', with args beginning with: ${quoted}`);
}

function unknownSubcommand(command: Command, args: Slices): Refusal {
  const name = textBeforeZero(args, 1, UNKNOWN_ARGS_BYTES);
  const container = command.spec.name.toUpperCase();
  return new Refusal(`ERR unknown subcommand '${name}'. Try ${container} HELP.`);
}

/** A word as Redis quotes it, which prints it as a C string: a zero byte ends it. */
function textBeforeZero(args: Slices, index: number, bytesMax: number): string {
  const text = args.text(index).slice(0, bytesMax);
  const zeroAt = text.indexOf('\0');
  return zeroAt === -1 ? text : text.slice(0, zeroAt);
}
