// What MULTI, WATCH and their like do to a session: its queue, its watches, and the gate bit that
// sends its commands into the queue. EXEC itself is the runner's (run.ts), because it takes locks.

import type { Slices } from '../base/slices.js';
import type { Keyspace } from '../keyspace/keyspace.js';
import type { Partition } from '../keyspace/partition.js';
import { NO_WATCH, Watchers, type WatchersShape, type WatchPlace } from '../keyspace/watchers.js';
import { OUT_OF_MEMORY_TO_QUEUE, Refusal } from '../resp/errors.js';
import { Counter } from '../stats/server.js';
import type { Command } from './command.js';
import type { Context } from './context.js';
import { Gate } from './gates.js';
import { limits } from './limits.js';
import { Queue } from './queue.js';
import type { ServerDoor } from './server-door.js';
import { Closing, type Session } from './session.js';

/** Queues that wait for the next MULTI. */
const SPARE_QUEUES_MAX = 16;

const NO_MEMORY_TO_WATCH = new Refusal(
  'OOM command not allowed: no memory for another watched key.',
);

export class Transactions {
  readonly watchers: Watchers;
  private readonly keyspace: Keyspace;
  private readonly server: ServerDoor;
  /** Takes one partition's lock around a visit, given by the runner. */
  private readonly visit: (index: number, visitor: (partition: Partition) => void) => void;
  private readonly spare: Queue[] = [];
  /** A pipeline runs whose commands were read ahead. */
  private isBatch = false;
  /** Who has begun a transaction in it, or gone on with one. */
  private queueing: Session | null = null;

  constructor(fields: {
    keyspace: Keyspace;
    server: ServerDoor;
    watchers: WatchersShape;
    thread: number;
    visit: (index: number, visitor: (partition: Partition) => void) => void;
  }) {
    this.watchers = new Watchers(fields.watchers, fields.thread);
    this.keyspace = fields.keyspace;
    this.server = fields.server;
    this.visit = fields.visit;
  }

  // ---- MULTI ----------------------------------------------------------------------------------

  begin(session: Session): void {
    session.queue = this.spare.pop() ?? new Queue(this.keyspace.partitions.length);
    session.raised |= Gate.Multi;
    this.hasQueued(session);
  }

  /**
   * Queues a command of a session that is inside MULTI. Refuses when there is no memory.
   * `isPlaced`: it was read ahead, and its key placed.
   */
  queue(session: Session, command: Command, args: Slices, isPlaced: boolean): Refusal | null {
    const queue = session.queue!;
    // EXEC will fail: what comes until then is answered and forgotten.
    if (queue.isAborted || this.isDirty(session)) return null;
    const isLent = isPlaced && this.queueing === session;
    if (!queue.add(this.keyspace, command, args, isPlaced, isLent)) return OUT_OF_MEMORY_TO_QUEUE;
    if (queue.queuedBytes > limits.queuedBytesMax) this.closeForLength(session, queue);
    this.hasQueued(session);
    return null;
  }

  /** Others need not know of a transaction that begins and ends within one pipeline. */
  private hasQueued(session: Session): void {
    // In the pauses of a script others queue commands, too (net/busy.ts).
    if (this.isBatch && this.queueing === null) this.queueing = session;
    if (this.queueing !== session) this.note(session);
  }

  /** A pipeline of one session, read ahead, begins or ends. */
  setBatch(isBatch: boolean): void {
    this.isBatch = isBatch;
    const session = this.queueing;
    if (isBatch || session === null) return;
    this.queueing = null;
    if (session.queue === null) return;
    session.queue.own();
    this.note(session);
  }

  /** EXEC begins: some commands look at the client directory. */
  begins(session: Session, queue: Queue): void {
    if (!queue.isOfKeys) this.note(session);
  }

  /** What is queued counts as input that has not been executed. */
  private closeForLength(session: Session, queue: Queue): void {
    if (session.closing === Closing.Now) return;
    this.server.log(
      'warning',
      `Closing client that reached max query buffer length: id=${session.id} ` +
        `addr=${session.address} multi-mem=${queue.queuedBytes}`,
    );
    this.server.stats.add(Counter.InputLimitDisconnections, 1);
    session.closing = Closing.Now;
  }

  /** The transaction is over, or given up: nothing is queued and nothing watched any more. */
  end(session: Session): void {
    if (this.queueing === session) this.queueing = null;
    const isShown = session.watch !== NO_WATCH || session.queue?.isShown !== false;
    this.dropQueue(session);
    this.unwatch(session);
    if (isShown) this.note(session);
  }

  private dropQueue(session: Session): void {
    const { queue } = session;
    if (queue === null) return;
    session.queue = null;
    session.raised &= ~Gate.Multi;
    queue.clear();
    if (queue.isSmall && this.spare.length < SPARE_QUEUES_MAX) this.spare.push(queue);
  }

  /** The session's connection is closed. */
  closed(session: Session): void {
    this.dropQueue(session);
    this.unwatch(session);
  }

  /** Tells the client directory, which all threads see. */
  private note(session: Session): void {
    const { queue, slot, watchCount } = session;
    const { clients } = this.server;
    if (queue === null) clients.setTransaction(slot, -1, 0, watchCount);
    else {
      clients.setTransaction(slot, queue.count, queue.queuedBytes, watchCount);
      queue.isShown = true;
    }
  }

  // ---- WATCH ----------------------------------------------------------------------------------

  /** Has a key changed that the session watches? Only a hint unless its locks are held. */
  isDirty(session: Session): boolean {
    return session.watch !== NO_WATCH && this.watchers.isDirty(session.slot);
  }

  /** Watches the keys of the command, whose partitions are locked: all of them or none. */
  watch(context: Context): void {
    const { session, args } = context;
    const { watchers } = this;
    const { slot, watch: before, watchCount } = session;
    // EXEC will fail whatever else is watched.
    if (this.isDirty(session)) return;
    for (let word = 1; word < args.count; word++) {
      const partition = context.at(word);
      // A key whose time is over is gone: it may not seem to change when it is removed.
      partition.peek(args, word);
      if (watchers.has(slot, partition, args, word)) continue;
      const place = watchers.add(slot, session.watch, partition, args, word);
      if (place === NO_WATCH) {
        while (session.watch !== before) this.unwatchOne(session);
        session.watchCount = watchCount;
        throw NO_MEMORY_TO_WATCH;
      }
      session.watch = place;
      session.watchCount++;
    }
    this.note(session);
  }

  /** Ends the first watch of the session; the lock of its partition is held. */
  private unwatchOne(session: Session): void {
    const { watchers } = this;
    const partition = this.keyspace.partitions[watchers.partitionOf(session.watch)]!;
    session.watch = watchers.end(session.watch, partition);
  }

  /** Ends all watches of the session; takes their locks one by one, so holds none. */
  unwatch(session: Session): void {
    if (session.watch === NO_WATCH) return;
    const { watchers } = this;
    while (session.watch !== NO_WATCH) {
      this.visit(watchers.partitionOf(session.watch), () => this.unwatchOne(session));
    }
    this.forgetWatches(session);
  }

  /** UNWATCH. */
  unwatchAll(session: Session): void {
    this.unwatch(session);
    this.note(session);
  }

  /** As unwatch, under the locks of all watched keys. */
  unwatchHeld(session: Session): void {
    if (session.watch === NO_WATCH) return;
    while (session.watch !== NO_WATCH) this.unwatchOne(session);
    this.forgetWatches(session);
    this.note(session);
  }

  private forgetWatches(session: Session): void {
    session.watchCount = 0;
    this.watchers.clearDirty(session.slot);
  }

  /**
   * For EXEC, under the locks of all watched keys: has one of them changed, or has its time come?
   */
  isBroken(session: Session): boolean {
    const { watchers, keyspace } = this;
    let place: WatchPlace = session.watch;
    while (place !== NO_WATCH && !watchers.isDirty(session.slot)) {
      watchers.expireKeyOf(place, keyspace.partitions[watchers.partitionOf(place)]!);
      place = watchers.nextOf(place);
    }
    return this.isDirty(session);
  }
}
