// Blocking commands. A handler that finds nothing calls `context.block`: the session is registered
// as a waiter in the same visit (keyspace/waiters.ts). Whoever makes one of its keys ready runs the
// same handler again, with the waiter's words, under its own locks and before its own reply leaves:
// an element that a waiter took was never there for anybody else.
//
//   writer's command ─▶ settle ─▶ for each ready key, first come first served:
//                                 claim ─▶ run the waiter's command ─▶ settle ─▶ unlink
//                     ─▶ release the locks ─▶ log is written ─▶ finished replies go to their owners
//
// What a waiter's command may look at: the keys in partitions that the writer holds. A key of it
// elsewhere is passed over (Context.isHere): it had nothing when the waiter came, and whoever made
// it ready since finds the waiter claimed. Only a key that the command writes to (BLMOVE's target)
// must be held. So a command that changes a key where such a waiter stands takes the target's lock
// with its own, before it begins (`wanting`, and Runner.takeLocksFor): the move is one step with
// the change that caused it, as on Redis, and no element is up for grabs in between.
//
// A command that makes a key ready in another way than by a key among its words holds all locks
// anyhow (FLUSHALL, SWAPDB), or makes only keyless waiters ready (a key expires). Should neither be
// so, `left` has the keys that could not be served, and the runner serves them with all locks.

import { assert } from '../base/assert.js';
import { hashBytes } from '../base/hash.js';
import { Slices } from '../base/slices.js';
import { typeOf } from '../keyspace/entry.js';
import type { Partition } from '../keyspace/partition.js';
import {
  NO_PLACE,
  type StandPlace,
  type WaiterPlace,
  Waiters,
  type WaitersShape,
} from '../keyspace/waiters.js';
import { Refusal } from '../resp/errors.js';
import { GrowingEdge, Reply } from '../resp/write.js';
import { NONE } from '../slab/slab.js';
import type { Type } from '../types/kind.js';
import type { Command } from './command.js';
import type { Context } from './context.js';
import { findKeys, KeyPositions, placeKey } from './route.js';
import { Session } from './session.js';

/** What a command waits for. */
export interface BlockOrder {
  /** The keys that it reads. */
  readonly type: Type;
  /** The words of its keys; of a command that also writes to one, only those it waits for. */
  readonly firstKey: number;
  readonly keyCount: number;
  /** Clock milliseconds; Infinity for never. */
  readonly deadlineMs: number;
  /** Woken also when a key goes or changes its type (XREADGROUP). */
  readonly isKeyless?: boolean;
  /** The word of a key that it writes to (BLMOVE). */
  readonly target?: number;
  /** Words to run with when it is woken, where they are not its own (`$` of XREAD). */
  readonly replaced?: ReadonlyMap<number, Uint8Array>;
  /** What is answered where waiting is not allowed: no array (the rule), or no value. */
  readonly deniedAs?: 'value';
  /** When time alone may have given it something, though nobody changed a key: it is run again. */
  readonly lookMs?: number;
}

/** A finished reply on its way to the thread that owns the session. */
export interface ServedReply {
  readonly waiter: WaiterPlace;
  readonly bytes: Uint8Array;
}

const UNBLOCKED = new Refusal('UNBLOCKED client unblocked via CLIENT UNBLOCK');
/** Of a ring with more waiters the targets are not gone through: all locks are taken. */
const LOOKED_AT_MAX = 64;
/** No type: the key does not exist. */
const NO_TYPE = -1;

/** Which partitions a command wants to hold besides its own. */
export const enum Wanted {
  Nothing = 0,
  Some = 1,
  All = 2,
}

export class Blocking {
  readonly waiters: Waiters;
  /** Replies that wait for the end of the turn. */
  readonly served: ServedReply[] = [];
  /** Keys that became ready under the locks held now: one stand of each. */
  private ready: StandPlace[] = [];
  /** Keys that were ready and could not be served with the locks held. */
  private left: StandPlace[] = [];
  private readonly isHeld: Uint8Array;
  /** Does a command run for somebody who has waited? Then for the session `servedFor`. */
  isServing = false;
  readonly servedFor = { slot: -1, id: 0 };
  private isBlockedAgain = false;
  /** When the command that blocked again wants to be run next. */
  private againMs = Number.POSITIVE_INFINITY;
  /** The monotonic time, and who hears of what was served: given by the runner. */
  readClock: () => number = () => 0;
  onServed: (command: Command, args: Slices, slot: number, ms: number) => void = () => {};
  /** Does a script keep locks for so long that nobody waits for them? Given by server/. */
  isLockedOut: () => boolean = () => false;
  /** Why a session that has waited may not run its command any more; given by server/. */
  denialOf: (slot: number, command: Command, args: Slices) => Refusal | null = () => null;
  /** Claimed, and not out of their queues yet. */
  private leaving: WaiterPlace[] = [];
  /** The waiter's session, as far as its command needs one. */
  private readonly session: Session;
  private readonly args = new Slices();
  private readonly key = new Slices();
  private readonly keys = new Slices();
  private readonly positions = new KeyPositions();
  private readonly reply = new Reply(new Uint8Array(new ArrayBuffer(4096)), new GrowingEdge());
  /** Takes one partition's lock around a visit, given by the runner. */
  private readonly visit: (index: number, visitor: (partition: Partition) => void) => void;

  constructor(
    shape: WaitersShape,
    thread: number,
    visit: (index: number, visitor: (partition: Partition) => void) => void,
  ) {
    this.waiters = new Waiters(shape, thread);
    this.visit = visit;
    this.isHeld = new Uint8Array(this.waiters.partitionCount);
    this.session = new Session({
      id: 0,
      edge: { wake() {} },
      slot: -1,
      address: '',
      localAddress: '',
      fd: -1,
      createdMs: 0,
    });
  }

  /** Are there keys to be served before the locks are released? */
  get hasReady(): boolean {
    return this.ready.length !== 0;
  }

  /** Are there keys to be served with all locks, once these are released? */
  get hasLeft(): boolean {
    return this.left.length !== 0;
  }

  // ---- waiting --------------------------------------------------------------------------------

  /**
   * The command found nothing: its session waits, under the locks of its keys. Where that is not
   * allowed it is answered as when its time is over.
   */
  block(context: Context, order: BlockOrder): void {
    if (this.isServing) {
      this.isBlockedAgain = true;
      this.againMs = order.lookMs ?? Number.POSITIVE_INFINITY;
      return;
    }
    const { session, args, reply } = context;
    if (session.isDenyBlocking) {
      if (order.deniedAs === 'value') reply.nil();
      else reply.nilArray();
      return;
    }
    const words = new Int32Array(order.keyCount).map((_, index) => order.firstKey + index);
    const waiter = this.waiters.enlist(
      {
        slot: session.slot,
        id: session.id,
        protocol: session.protocol,
        database: session.database,
        commandId: context.command.id,
        type: order.type,
        isKeyless: order.isKeyless ?? false,
        target: order.target ?? 0,
        replaced: order.replaced ?? null,
        isTracked: session.tracked?.isRemembering ?? false,
      },
      args,
      words,
      order.keyCount,
      context.keyspace.partitions,
    );
    if (waiter === NO_PLACE) {
      // Not thrown: XREADGROUP may have created a consumer before.
      reply.refusal(NO_MEMORY);
      return;
    }
    const { server, command } = context;
    context.wait({
      deadlineMs: order.deadlineMs,
      timedOut: (late) => {
        server.commandStats.called(command.id, 1, 0);
        late.nilArray();
      },
      withdraw: () => this.withdraw(waiter),
      abandon: () => this.abandon(waiter),
      place: waiter,
      ...(order.lookMs !== undefined && {
        look: { atMs: order.lookMs, again: () => this.look(context, waiter) },
      }),
    });
  }

  /**
   * The time has come to run a waiter's command again, on its own thread and key by key, for the
   * partitions of its keys are locked one at a time. Returns when to do so next.
   */
  private look(context: Context, waiter: WaiterPlace): number {
    const { waiters } = this;
    const laterMs = context.nowMs + LOOK_LATER_MS;
    if (this.isLockedOut()) return laterMs;
    this.againMs = Number.POSITIVE_INFINITY;
    let nextMs = Number.POSITIVE_INFINITY;
    for (let index = 0; index < waiters.standCountOf(waiter); index++) {
      const stand = waiters.standOf(waiter, index);
      this.visit(waiters.partitionOf(stand), (partition) =>
        this.lookAt(context, partition, stand, waiter),
      );
      nextMs = Math.min(nextMs, this.againMs);
    }
    // Answered; or, seldom, in another's hands, who answers it or puts it back.
    return nextMs === Number.POSITIVE_INFINITY ? laterMs : nextMs;
  }

  private lookAt(
    context: Context,
    partition: Partition,
    stand: StandPlace,
    waiter: WaiterPlace,
  ): void {
    const { session, command, args, reply, partition: before } = context;
    this.isHeld[partition.index] = 1;
    this.isServing = true;
    this.tryServe(context, partition, stand, waiter);
    this.isServing = false;
    this.isHeld[partition.index] = 0;
    context.session = session;
    context.command = command;
    context.args = args;
    context.reply = reply;
    context.partition = before;
  }

  /** Ends a wait of this thread; false when a writer has it in hand. Takes locks, so holds none. */
  private withdraw(waiter: WaiterPlace): boolean {
    if (!this.waiters.withdraw(waiter)) return false;
    this.leaveSoon(waiter);
    return true;
  }

  /** As leave, but while a script keeps locks for too long, when it has ended. */
  leaveSoon(waiter: WaiterPlace): void {
    try {
      if (!this.isLockedOut()) {
        this.leave(waiter);
        return;
      }
    } catch (thrown) {
      // It gave up waiting for a lock, which a script keeps for too long.
      if (!(thrown instanceof Refusal)) throw thrown;
    }
    this.leaving.push(waiter);
  }

  /** The script has ended: whoever waits to leave does. */
  leaveLate(): void {
    const { leaving } = this;
    this.leaving = [];
    for (const waiter of leaving) this.leaveSoon(waiter);
  }

  /** The session is gone. */
  private abandon(waiter: WaiterPlace): void {
    // Put back or answered in between: one of the three holds in the end.
    while (!this.withdraw(waiter)) {
      if (this.waiters.orphan(waiter) || this.waiters.isDone(waiter)) return;
    }
  }

  /** The waiter is answered, or needs no answer: takes it out of all queues and frees it. */
  leave(waiter: WaiterPlace): void {
    const { waiters } = this;
    for (;;) {
      const index = waiters.linkedPartitionOf(waiter);
      if (index === -1) break;
      this.visit(index, (partition) => waiters.unlinkAt(waiter, partition));
    }
    waiters.free(waiter);
  }

  /**
   * CLIENT UNBLOCK, on any thread: the session's wait ends as one that a writer serves, so that it
   * takes nothing that comes later. False: it waits for no key.
   */
  unblock(context: Context, id: number, withError: boolean): boolean {
    const { partitions } = context.keyspace;
    let isFound = false;
    for (let index = 0; index < partitions.length && !isFound; index++) {
      context.visit(index, (partition) => {
        const waiter = this.waiters.findSession(partition, id);
        isFound = waiter !== NO_PLACE;
        if (isFound) this.unblockAt(context, partition, waiter, withError);
      });
    }
    return isFound;
  }

  private unblockAt(
    context: Context,
    partition: Partition,
    waiter: WaiterPlace,
    withError: boolean,
  ): void {
    const { waiters, reply } = this;
    // Answered in between: its words still stand here.
    if (!waiters.claim(waiter)) return;
    const { commandStats, stats } = context.server;
    const id = waiters.commandOf(waiter);
    commandStats.called(id, 1, 0);
    reply.at = 0;
    reply.commandAt = 0;
    reply.protocol = waiters.protocolOf(waiter);
    if (withError) {
      stats.errorReplied(UNBLOCKED.code);
      commandStats.failed(id);
      reply.refusal(UNBLOCKED);
    } else reply.nilArray();
    waiters.unlinkAt(waiter, partition);
    waiters.finish(waiter);
    this.served.push({ waiter, bytes: reply.u8.slice(0, reply.at) });
  }

  // ---- before a change ------------------------------------------------------------------------

  /**
   * Marks in `wanted` the partitions that waiters for the key at word `index` need to have locked
   * if that key is changed; its own lock is held, as are those where `wanted` is set already.
   */
  wanting(context: Context, index: number, wanted: Uint8Array): Wanted {
    const { args } = context;
    return this.wantingKey(
      context,
      args.partitions[index]!,
      args.hashes[index]!,
      args.u8,
      args.startOf(index),
      args.lengthOf(index),
      wanted,
      false,
    );
  }

  private wantingKey(
    context: Context,
    partition: number,
    hash: number,
    u8: Uint8Array,
    start: number,
    length: number,
    wanted: Uint8Array,
    isTarget: boolean,
  ): Wanted {
    const { waiters } = this;
    let result = Wanted.Nothing;
    let leader = waiters.nextAnywhere(partition, hash, u8, start, length, 0);
    while (leader !== NO_PLACE) {
      if (waiters.targetCountOf(leader) !== 0) {
        // A chain of moves: seldom, and not worth to be followed.
        if (isTarget || waiters.countOf(leader) > LOOKED_AT_MAX) return Wanted.All;
        const more = this.wantingRing(context, leader, wanted);
        if (more === Wanted.All) return more;
        if (more === Wanted.Some) result = more;
      }
      leader = waiters.nextAnywhere(partition, hash, u8, start, length, leader);
    }
    return result;
  }

  private wantingRing(context: Context, leader: StandPlace, wanted: Uint8Array): Wanted {
    const { waiters, keys } = this;
    let result = Wanted.Nothing;
    let stand = leader;
    do {
      const waiter = waiters.waiterOf(stand);
      const target = waiters.targetPartitionOf(waiter);
      if (target >= 0 && wanted[target] === 0) {
        wanted[target] = 1;
        result = Wanted.Some;
      } else if (target >= 0) {
        // Held, so it can be seen whether others wait for what the move brings there.
        waiters.readArguments(waiter, keys);
        const word = waiters.targetWordOf(waiter);
        const start = keys.startOf(word);
        const length = keys.lengthOf(word);
        const hash = hashBytes(keys.u8, start, length);
        const { u8 } = keys;
        const chained = this.wantingKey(context, target, hash, u8, start, length, wanted, true);
        if (chained === Wanted.All) return chained;
      }
      stand = waiters.nextOf(stand);
    } while (stand !== leader);
    return result;
  }

  // ---- after a change -------------------------------------------------------------------------

  /** The key u8[start, start + length) of the partition's database has changed, or is gone. */
  keyChanged(
    partition: Partition,
    hash: number,
    u8: Uint8Array,
    start: number,
    length: number,
  ): void {
    const { waiters } = this;
    const leader = waiters.firstFor(partition, hash, u8, start, length);
    if (leader !== NO_PLACE && waiters.markReady(leader)) this.ready.push(leader);
  }

  /**
   * Serves who waits for the keys that became ready, in their order, and for those that become so
   * by that. The locks of partitions[0, count) are held.
   */
  serve(context: Context, partitions: Int32Array, count: number): void {
    assert(!this.isServing, 'those who wait are served by one command at a time');
    const { isHeld, ready } = this;
    const { session, command, args, reply, partition } = context;
    for (let at = 0; at < count; at++) isHeld[partitions[at]!] = 1;
    this.isServing = true;
    this.servedFor.slot = session.slot;
    this.servedFor.id = session.id;
    // The list grows while it is gone through: a move makes its target ready.
    for (let at = 0; at < ready.length; at++) this.serveKey(context, ready[at]!);
    ready.length = 0;
    this.isServing = false;
    context.session = session;
    context.command = command;
    context.args = args;
    context.reply = reply;
    context.partition = partition;
    for (let at = 0; at < count; at++) {
      isHeld[partitions[at]!] = 0;
      context.keyspace.partitions[partitions[at]!]!.select(session.database);
    }
  }

  /** Takes the keys that were left: they are ready again, now that all locks are held. */
  takeLeft(): void {
    for (const stand of this.left) {
      const leader = this.waiters.leaderOf(stand);
      if (leader !== NO_PLACE && this.waiters.markReady(leader)) this.ready.push(leader);
    }
    this.left = [];
  }

  private serveKey(context: Context, ready: StandPlace): void {
    const { waiters } = this;
    const leader = waiters.leaderOf(ready);
    if (leader === NO_PLACE) return;
    waiters.clearReady(leader);
    const partition = context.keyspace.partitions[waiters.partitionOf(leader)]!;
    // Each is asked once: who blocks again keeps its place.
    let type = this.typeAt(partition, leader);
    let stand = leader;
    for (let asked = waiters.countOf(leader); asked > 0; asked--) {
      if (type === NO_TYPE && waiters.keylessCountOf(waiters.leaderOf(stand)) === 0) return;
      const next = waiters.nextOf(stand);
      const waiter = waiters.waiterOf(stand);
      if (waiters.typeOf(waiter) === type || waiters.isKeyless(waiter)) {
        const isLast = asked === 1;
        this.tryServe(context, partition, stand, waiter);
        if (!isLast) type = this.typeAt(partition, next);
      }
      stand = next;
    }
  }

  /** The type of the key for which `stand` waits. */
  private typeAt(partition: Partition, stand: StandPlace): number {
    const { key, waiters } = this;
    waiters.readKey(stand, key);
    partition.select(waiters.databaseOfStand(stand));
    const entry = partition.peek(key, 0);
    return entry === NONE ? NO_TYPE : typeOf(partition.slab, entry);
  }

  private tryServe(
    context: Context,
    partition: Partition,
    stand: StandPlace,
    waiter: WaiterPlace,
  ): void {
    const { waiters, isHeld, reply } = this;
    const target = waiters.targetPartitionOf(waiter);
    if (target >= 0 && isHeld[target] === 0) {
      this.left.push(stand);
      return;
    }
    // Not to be had: its owner has it, on the way to these locks, or another writer has served it.
    if (!waiters.claim(waiter)) return;
    const command = context.server.table.all[waiters.commandOf(waiter)]!;
    this.prepare(context, waiter, command);
    context.partition = partition;
    this.isBlockedAgain = false;
    const startMs = this.readClock();
    const { slot, id } = this.servedFor;
    // Its user may have lost the right to what it waits for.
    const denial = this.denialOf(slot, command, this.args);
    if (denial !== null) this.deny(context, command, denial);
    else this.runCommand(context, command);
    if (this.isBlockedAgain) {
      if (waiters.putBack(waiter)) return;
      // Its session is gone: the owner still waits for word of the record.
      reply.at = 0;
    } else if (denial === null) {
      this.onServed(command, this.args, slot, this.readClock() - startMs);
      if (waiters.isTracked(waiter)) context.attendance.remember(context, command, slot, id);
    }
    for (let index = 0; index < isHeld.length; index++) {
      if (isHeld[index] !== 0) waiters.unlinkAt(waiter, context.keyspace.partitions[index]!);
    }
    waiters.finish(waiter);
    this.served.push({ waiter, bytes: reply.u8.slice(0, reply.at) });
    if (reply.u8.length > REPLY_BYTES_KEPT) reply.u8 = new Uint8Array(new ArrayBuffer(4096));
  }

  /** Makes the context that of the waiter: its words, its keys placed, its database selected. */
  private prepare(context: Context, waiter: WaiterPlace, command: Command): void {
    const { waiters, args, session, reply, positions, isHeld } = this;
    const { keyspace } = context;
    const database = waiters.databaseOf(waiter);
    waiters.readArguments(waiter, args);
    const areFound = findKeys(command, args, positions);
    assert(areFound, 'the words of a waiter name its keys');
    for (let at = 0; at < positions.count; at++) {
      const word = positions.words[at]!;
      const index = placeKey(keyspace, args, word);
      if (isHeld[index] !== 0) keyspace.partitions[index]!.select(database);
      else args.partitions[word] = ELSEWHERE;
    }
    session.database = database;
    session.protocol = waiters.protocolOf(waiter);
    this.servedFor.slot = waiters.slotOf(waiter);
    this.servedFor.id = waiters.idOf(waiter);
    reply.at = 0;
    reply.commandAt = 0;
    reply.protocol = session.protocol;
    context.session = session;
    context.command = command;
    context.args = args;
    context.reply = reply;
  }

  private deny({ server }: Context, command: Command, denial: Refusal): void {
    server.stats.errorReplied(denial.code);
    server.commandStats.rejected(command.id);
    this.reply.refusal(denial);
  }

  private runCommand(context: Context, command: Command): void {
    const { effects, server } = context;
    try {
      command.run(context);
    } catch (thrown) {
      if (!(thrown instanceof Refusal)) throw thrown;
      assert(effects.dirty === 0, `${command.fullName} refuses before its first change`);
      server.stats.errorReplied(thrown.code);
      server.commandStats.failed(command.id);
      this.reply.refusal(thrown);
    }
    if (effects.dirty !== 0) effects.settle(this.session.database, this.args);
  }
}

/** Where a key is that the command may not look at. */
const ELSEWHERE = -1;
const REPLY_BYTES_KEPT = 1024 * 1024;
const LOOK_LATER_MS = 10;
const NO_MEMORY = new Refusal('OOM command not allowed: no memory for another blocked client.');
