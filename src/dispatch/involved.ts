// The partitions that a command involves, and their locks: one list per thread, ascending, taken in
// order and given back together. Which they are the command's keys say, those of a queue or of a
// script, and whoever waits for one of the keys (blocking.ts).

import type { Slices } from '../base/slices.js';
import type { Keyspace } from '../keyspace/keyspace.js';
import { NO_WATCH } from '../keyspace/watchers.js';
import {
  claimLocks,
  type Holder,
  type LockPlaces,
  labelHold,
  releaseLocks,
  takeLocks,
} from '../slab/lock.js';
import { Header } from '../slab/slab.js';
import { DECLARED_KEY, declaresOneKey } from './batch.js';
import { type Blocking, Wanted } from './blocking.js';
import type { Command } from './command.js';
import type { Context } from './context.js';
import { Flag, Shape } from './define.js';
import type { Queue } from './queue.js';
import { findKeys, KeyPositions, placeKey } from './route.js';
import type { Scripts } from './scripts.js';
import type { Session } from './session.js';
import type { CommandTable } from './table.js';
import { TOUCH_KEYS, Touch } from './touch.js';
import type { Transactions } from './transactions.js';

/** Times that a command gives its locks back for more before it takes them all. */
const WIDENING_ROUNDS = 3;

/** Who knows more of a command than its words. */
export interface InvolvedFields {
  readonly context: Context;
  readonly blocking: Blocking;
  readonly scripts: Scripts;
  readonly transactions: Transactions;
  readonly table: CommandTable;
}

export class Involved {
  /** Partitions, ascending: list[0, count), for the count that was returned last. */
  readonly list: Int32Array;
  private readonly keyspace: Keyspace;
  private readonly self: Holder;
  private readonly places: LockPlaces;
  private readonly everyPartition: Int32Array;
  private readonly isInvolved: Uint8Array;
  private readonly positions = new KeyPositions();
  private readonly touching: Touch;
  private fields!: InvolvedFields;

  constructor(keyspace: Keyspace, self: Holder) {
    const { partitions } = keyspace;
    this.keyspace = keyspace;
    this.self = self;
    this.places = {
      words: partitions.map((partition) => partition.slab.i32),
      ats: Int32Array.from(partitions, () => Header.Lock),
    };
    this.everyPartition = Int32Array.from(partitions, (_, index) => index);
    this.list = new Int32Array(partitions.length);
    this.isInvolved = new Uint8Array(partitions.length);
    this.touching = new Touch(keyspace);
  }

  connect(fields: InvolvedFields): void {
    this.fields = fields;
  }

  /** Lists all partitions. Returns how many. */
  all(): number {
    this.list.set(this.everyPartition);
    return this.everyPartition.length;
  }

  /** Takes the locks of all partitions. Returns how many. */
  takeAll(): number {
    const count = this.all();
    takeLocks(this.places, this.list, count, this.self);
    return count;
  }

  release(count: number): void {
    releaseLocks(this.places, this.list, count);
  }

  /** Selects a database in the partitions that are listed. */
  select(database: number, count: number): void {
    const { partitions } = this.keyspace;
    for (let at = 0; at < count; at++) partitions[this.list[at]!]!.select(database);
  }

  /** Taking locks was given up in the middle: no partition is marked any more. */
  giveUp(): void {
    this.isInvolved.fill(0);
  }

  /** Does somebody wait for the key who needs more than its partition when it is changed? */
  wantsMore(command: Command, args: Slices): boolean {
    const { isInvolved } = this;
    const { blocking, context } = this.fields;
    const index = args.partitions[command.firstKey]!;
    isInvolved[index] = 1;
    const wanted = blocking.wanting(context, command.firstKey, isInvolved);
    isInvolved.fill(0);
    return wanted !== Wanted.Nothing;
  }

  /**
   * Takes the locks of the partitions that the command involves, and of those that somebody needs
   * who waits for one of its keys (blocking.ts). That is only seen under the locks: when there are
   * more, all are given back and taken again, in order. Returns how many, listed in `list`.
   * `isDeclared`: the one key that a script declares has been placed.
   */
  claimFor(command: Command, args: Slices, isDeclared: boolean): number {
    const { places, list, self } = this;
    let count =
      command.shape === Shape.Every ? this.all() : this.involve(command, args, isDeclared);
    claimLocks(places, list, count, self);
    if (!command.mayWrite || count === this.everyPartition.length) return count;
    for (let round = 0; ; round++) {
      const wanted = this.wantedBy(count);
      if (wanted === Wanted.Nothing) return count;
      releaseLocks(places, list, count);
      const takesAll = wanted === Wanted.All || round === WIDENING_ROUNDS;
      count = takesAll ? this.all() : this.listInvolved();
      claimLocks(places, list, count, self);
      if (takesAll) {
        this.isInvolved.fill(0);
        return count;
      }
    }
  }

  /** Leaves marks in isInvolved when it is not Nothing: of what is held and what is wanted. */
  private wantedBy(count: number): Wanted {
    const { positions, list, isInvolved } = this;
    const { blocking, context } = this.fields;
    if (!this.isListenedTo(count)) return Wanted.Nothing;
    for (let at = 0; at < count; at++) isInvolved[list[at]!] = 1;
    let result = Wanted.Nothing;
    for (let at = 0; at < positions.count && result !== Wanted.All; at++) {
      const wanted = blocking.wanting(context, positions.words[at]!, isInvolved);
      if (wanted > result) result = wanted;
    }
    if (result === Wanted.Nothing) isInvolved.fill(0);
    return result;
  }

  /** Does anybody wait for a key, or watch one, in list[0, count)? */
  private isListenedTo(count: number): boolean {
    const { list } = this;
    const { partitions } = this.keyspace;
    for (let at = 0; at < count; at++) {
      if (partitions[list[at]!]!.slab.i32[Header.Listeners] !== 0) return true;
    }
    return false;
  }

  /** Lists the partitions that are marked in isInvolved, and takes the marks back. */
  private listInvolved(): number {
    const { list, isInvolved } = this;
    let count = 0;
    for (let index = 0; index < isInvolved.length; index++) {
      if (isInvolved[index] === 0) continue;
      isInvolved[index] = 0;
      list[count++] = index;
    }
    return count;
  }

  /** The locks of all keys that are queued or watched, as claimFor takes those of a command. */
  claimForQueue(queue: Queue, session: Session, queued: Slices): number {
    const { places, list, self } = this;
    // Watches end under locks, so whoever has some waits for all of them.
    const takeLocksOf = session.watch === NO_WATCH ? claimLocks : takeLocks;
    let count = queue.isWide ? this.all() : this.involveQueue(queue, session);
    takeLocksOf(places, list, count, self);
    const isAll = count === this.everyPartition.length;
    if (isAll || (queue.flags & Flag.Write) === 0 || !this.isListenedTo(count)) return count;
    if (!this.isMoreWanted(queue, queued, count)) return count;
    // Somebody who waits needs more than these: seldom, so nobody asks how much.
    releaseLocks(places, list, count);
    count = this.all();
    takeLocksOf(places, list, count, self);
    return count;
  }

  private involveQueue(queue: Queue, session: Session): number {
    const { isInvolved, list } = this;
    const { watchers } = this.fields.transactions;
    let count = 0;
    for (let at = 0; at < queue.partitionCount; at++) {
      count = this.include(queue.partitions[at]!, count);
    }
    for (let place = session.watch; place !== NO_WATCH; place = watchers.nextOf(place)) {
      count = this.include(watchers.partitionOf(place), count);
    }
    for (let at = 0; at < count; at++) isInvolved[list[at]!] = 0;
    return count;
  }

  /** Do waiters want more partitions, if the keys that are queued to be written change? */
  private isMoreWanted(queue: Queue, queued: Slices, count: number): boolean {
    const { positions, isInvolved, list } = this;
    const { context, blocking, table } = this.fields;
    const { args } = context;
    for (let at = 0; at < count; at++) isInvolved[list[at]!] = 1;
    let isWanted = false;
    for (let left = queue.count; left > 0; left--) {
      const words = queue.read(queued);
      const command = table.all[queue.id]!;
      context.args = words;
      if (!command.isWrite || !findKeys(command, words, positions)) continue;
      for (let at = 0; at < positions.count; at++) {
        const wanted = blocking.wanting(context, positions.words[at]!, isInvolved);
        if (wanted !== Wanted.Nothing) isWanted = true;
      }
    }
    queue.rewind();
    context.args = args;
    isInvolved.fill(0);
    return isWanted;
  }

  /** Says which command holds the locks, for the watchdog: only slow commands are worth it. */
  label(command: Command, count: number): void {
    for (let at = 0; at < count; at++) {
      const partition = this.list[at]!;
      labelHold(this.places.words[partition]!, Header.Lock, command.id + 1);
    }
  }

  /** Places all keys and lists their partitions in ascending order. Returns how many. */
  private involve(command: Command, args: Slices, isDeclared: boolean): number {
    const { positions, list, isInvolved } = this;
    const isNarrow = command.runsScript && this.fields.scripts.isNarrow(command, args);
    if (isNarrow && declaresOneKey(args)) return this.involveOne(args, isDeclared);
    // Where keys cannot be found the handler refuses before it looks for any.
    if (!findKeys(command, args, positions)) {
      positions.count = 0;
      return 0;
    }
    const { touching } = this;
    const { database } = this.fields.context.session;
    // One alone is looked for at once.
    const isTouching = positions.count > 1;
    let count = 0;
    for (let at = 0; at < positions.count; at++) {
      const word = positions.words[at]!;
      const index = placeKey(this.keyspace, args, word);
      if (isTouching && at < TOUCH_KEYS) touching.add(index, database, args.hashes[word]!);
      count = this.include(index, count);
    }
    for (let at = 0; at < count; at++) isInvolved[list[at]!] = 0;
    // The keys beyond the first few are touched by the parts of a large command, or not at all.
    if (isTouching) touching.run();
    const isEvery = command.runsScript && !isNarrow;
    return isEvery || positions.isEvery ? this.all() : count;
  }

  /** A script of one declared key needs no more than its partition. */
  private involveOne(args: Slices, isPlaced: boolean): number {
    const { positions } = this;
    if (!isPlaced) placeKey(this.keyspace, args, DECLARED_KEY);
    positions.count = 0;
    positions.isEvery = false;
    positions.add(DECLARED_KEY, 0);
    this.fields.scripts.lastKey.set(args, DECLARED_KEY);
    this.list[0] = args.partitions[DECLARED_KEY]!;
    return 1;
  }

  /** Adds a partition to list[0, count), and marks it. Returns how many there are now. */
  private include(index: number, count: number): number {
    const { list, isInvolved } = this;
    if (isInvolved[index] !== 0) return count;
    isInvolved[index] = 1;
    // Insertion keeps the list sorted: it is short, or soon complete.
    let to = count;
    while (to > 0 && list[to - 1]! > index) {
      list[to] = list[to - 1]!;
      to--;
    }
    list[to] = index;
    return count + 1;
  }
}
