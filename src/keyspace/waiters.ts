// Who waits for which key: the shared records of blocked sessions and the queues they stand in.
//
// A waiter is a block in the record slab of the thread that owns its session; that thread alone
// allocates and frees it. It has a stand for each of its keys; the stands of one key of one
// database form a ring in the order of their arrival, whatever threads they come from.
//
//   waiter: words of Waiter │ stands, Stand.Words each │ per argument: start, length │ bytes
//
//   queues of a partition                        a bucket:   first stands of keys
//   ┌────────────────────┬────────────────┐      head ──▶ leader A ◀──▶ leader B ──▶ 0
//   │ Line: counts of it │ buckets: heads │                 │  ▲
//   └────────────────────┴────────────────┘                 ▼  │          ring of key A, by arrival
//                                                           stand ◀──▶ stand
//   Stands and waiters are named by places: thread << shift | granule in that thread's slab.
//
//   The state of a waiter:
//
//               a writer               a writer, which has run the command
//     Waiting ───────────▶ Claimed ────────────────────────────────────▶ Done
//      │   ▲                │   │                                         ▲ ▲
//      │   └────────────────┘   │ the owner: its session is gone          │ │
//      │     it found nothing   └──────────────▶ Orphaned ────────────────┘ │
//      └──── the owner: time is over, its session is gone ──────────────────┘
//
// Who writes what, and what orders it (test/sim/waiters.ts)
// - State is changed by compare-and-swap alone. Only one of writer and owner gets the waiter out of
//   Waiting, so it is answered once, and nothing is taken for a session that is gone before.
// - Everything else of a waiter is written before it is linked and does not change afterwards.
// - Links, ring counts, buckets and lines are read and written under the lock of the partition.
//   A session is linked in the visit that found nothing: no writer comes in between.
// - A writer that finds the waiter claimed by another awaits what becomes of it: put back, it may
//   want this writer's key.
// - A writer claims under the lock of a partition in which the waiter stands, unlinks it from the
//   partitions it holds and then posts to the owner. The owner unlinks the rest and frees the block
//   when that message has come, or at once when it got the waiter itself.
// - CLIENT UNBLOCK on any thread is a writer that has the answer ready.

import { assert } from '../base/assert.js';
import { copyBytes, equalBytes } from '../base/bytes.js';
import type { Slices } from '../base/slices.js';
import { allocate, type BlockRef, formatSlab, release, reserve } from '../slab/alloc.js';
import { Header, NONE, Slab } from '../slab/slab.js';
import type { Type } from '../types/kind.js';
import type { Partition } from './partition.js';

const enum Waiter {
  State = 0,
  Slot = State + 1,
  IdLow = Slot + 1,
  IdHigh = IdLow + 1,
  Protocol = IdHigh + 1,
  Database = Protocol + 1,
  Command = Database + 1,
  Type = Command + 1,
  Flags = Type + 1,
  /** Argument that holds the key the command writes to, and its partition; 0 for none. */
  Target = Flags + 1,
  TargetPartition = Target + 1,
  StandCount = TargetPartition + 1,
  WordCount = StandCount + 1,
  Words = WordCount + 2, // one unused: stands begin at a granule
}

const enum Stand {
  /** Granules from the waiter's first to this stand's. */
  Offset = 0,
  IsLinked = Offset + 1,
  IsLeader = IsLinked + 1,
  Partition = IsLeader + 1,
  Database = Partition + 1,
  Hash = Database + 1,
  KeyStart = Hash + 1,
  KeyBytes = KeyStart + 1,
  Next = KeyBytes + 1,
  Previous = Next + 1,
  // Of leaders only: their bucket's list, and what their ring holds.
  BucketNext = Previous + 1,
  BucketPrevious = BucketNext + 1,
  Count = BucketPrevious + 1,
  KeylessCount = Count + 1,
  TargetCount = KeylessCount + 1,
  IsReady = TargetCount + 1,
  Words = IsReady + 1,
}

const enum Argument {
  Start = 0,
  Length = 1,
  Words = 2,
}

const enum State {
  Waiting = 1,
  Claimed = 2,
  Orphaned = 3,
  Done = 4,
}

const enum WaiterFlag {
  /** Woken also when the key goes, or becomes another type's. */
  Keyless = 1,
  /** Its session wants to hear of changes of the keys that it reads (CLIENT TRACKING). */
  Tracked = 2,
}

const enum Line {
  Keys = 0,
  KeylessKeys = 1,
  Words = 16,
}

/** Some ten microseconds; a claim lasts as long as a command. */
const CLAIM_SPINS = 2000;
const CLAIM_SLEEP_MS = 1;

const BUCKETS = 256;
const QUEUE_WORDS = Line.Words + BUCKETS;
const TWO_32 = 2 ** 32;

/** Records of one thread: a hundred thousand blocked sessions; only address space until then. */
const RECORD_BYTES = 64 * 1024 * 1024;
/** Places are below 2^31, small integers on every supported Node. */
const PLACE_BITS = 31;
const GRANULE_BITS = 3;

/** A waiter or a stand, wherever it is; 0 is none. */
export type WaiterPlace = number & { readonly __brand: 'waiter' };
export type StandPlace = number & { readonly __brand: 'stand' };
export const NO_PLACE = 0;

/** Everything a thread needs to use the waiters; plain, so that it can be sent to one. */
export interface WaitersShape {
  /** The records of each thread. */
  readonly records: readonly SharedArrayBuffer[];
  readonly recordBytes: number;
  /** The queues of all partitions. */
  readonly queues: SharedArrayBuffer;
}

/** Allocates records and queues. Called once, before the threads start. */
export function createWaiters(
  threadCount: number,
  partitionCount: number,
  recordBytes: number = RECORD_BYTES,
): WaitersShape {
  const threadBits = Math.ceil(Math.log2(threadCount + 1));
  const bytes = Math.min(recordBytes, 2 ** (PLACE_BITS - threadBits + GRANULE_BITS));
  const records = Array.from({ length: threadCount }, () => new SharedArrayBuffer(bytes));
  for (const [thread, buffer] of records.entries()) formatSlab(new Slab(thread, buffer), 0);
  return {
    records,
    recordBytes: bytes,
    queues: new SharedArrayBuffer(partitionCount * QUEUE_WORDS * 4),
  };
}

/** What a session waits for. */
export interface WaiterOrder {
  readonly slot: number;
  readonly id: number;
  readonly protocol: number;
  readonly database: number;
  readonly commandId: number;
  /** A key of this type wakes it. */
  readonly type: Type;
  readonly isKeyless: boolean;
  readonly isTracked?: boolean;
  /** Argument that holds the key which the command writes to; 0 for none. */
  readonly target: number;
  /** Arguments with other bytes than the command came with; null for none. */
  readonly replaced: ReadonlyMap<number, Uint8Array> | null;
}

export class Waiters {
  private readonly self: number;
  private readonly slabs: readonly Slab[];
  private readonly own: Slab;
  private readonly shift: number;
  private readonly mask: number;
  private readonly queues: Int32Array;
  readonly partitionCount: number;

  constructor(shape: WaitersShape, self: number) {
    this.self = self;
    this.slabs = shape.records.map((buffer, thread) => new Slab(thread, buffer));
    this.own = this.slabs[self]!;
    this.shift = Math.ceil(Math.log2(shape.recordBytes)) - GRANULE_BITS;
    this.mask = 2 ** this.shift - 1;
    this.queues = new Int32Array(shape.queues);
    this.partitionCount = this.queues.length / QUEUE_WORDS;
  }

  // ---- places ---------------------------------------------------------------------------------

  private wordsOf(place: number): Int32Array {
    return this.slabs[place >>> this.shift]!.i32;
  }

  private at(place: number): number {
    return (place & this.mask) << 1;
  }

  private read(place: number, field: Stand | Waiter): number {
    return this.wordsOf(place)[this.at(place) + field]!;
  }

  private write(place: number, field: Stand | Waiter, value: number): void {
    this.wordsOf(place)[this.at(place) + field] = value;
  }

  private add(place: number, field: Stand, value: number): void {
    const words = this.wordsOf(place);
    const at = this.at(place) + field;
    words[at] = words[at]! + value;
  }

  waiterOf(stand: StandPlace): WaiterPlace {
    return (stand - this.read(stand, Stand.Offset)) as WaiterPlace;
  }

  standCountOf(waiter: WaiterPlace): number {
    return this.read(waiter, Waiter.StandCount);
  }

  standOf(waiter: WaiterPlace, index: number): StandPlace {
    return (waiter + ((Waiter.Words + index * Stand.Words) >> 1)) as StandPlace;
  }

  ownerOf(waiter: WaiterPlace): number {
    return waiter >>> this.shift;
  }

  slotOf(waiter: WaiterPlace): number {
    return this.read(waiter, Waiter.Slot);
  }

  idOf(waiter: WaiterPlace): number {
    return this.read(waiter, Waiter.IdHigh) * TWO_32 + (this.read(waiter, Waiter.IdLow) >>> 0);
  }

  protocolOf(waiter: WaiterPlace): 2 | 3 {
    return this.read(waiter, Waiter.Protocol) === 3 ? 3 : 2;
  }

  databaseOf(waiter: WaiterPlace): number {
    return this.read(waiter, Waiter.Database);
  }

  commandOf(waiter: WaiterPlace): number {
    return this.read(waiter, Waiter.Command);
  }

  typeOf(waiter: WaiterPlace): Type {
    return this.read(waiter, Waiter.Type) as Type;
  }

  isKeyless(waiter: WaiterPlace): boolean {
    return (this.read(waiter, Waiter.Flags) & WaiterFlag.Keyless) !== 0;
  }

  isTracked(waiter: WaiterPlace): boolean {
    return (this.read(waiter, Waiter.Flags) & WaiterFlag.Tracked) !== 0;
  }

  /** The partition of the key it writes to; -1 for none. */
  targetPartitionOf(waiter: WaiterPlace): number {
    if (this.read(waiter, Waiter.Target) === 0) return -1;
    return this.read(waiter, Waiter.TargetPartition);
  }

  targetWordOf(waiter: WaiterPlace): number {
    return this.read(waiter, Waiter.Target);
  }

  partitionOf(stand: StandPlace): number {
    return this.read(stand, Stand.Partition);
  }

  // ---- the owner ------------------------------------------------------------------------------

  /**
   * Puts a waiter into the queues of its keys: words keys[0, keyCount) of `args`, which have been
   * placed and whose partitions are locked. NO_PLACE, and nothing done, when there is no memory.
   */
  enlist(
    order: WaiterOrder,
    args: Slices,
    keys: Int32Array,
    keyCount: number,
    partitions: readonly Partition[],
  ): WaiterPlace {
    const { own } = this;
    const bytes = recordBytesOf(order, args, keyCount);
    if (!reserve(own, bytes)) return NO_PLACE as WaiterPlace;
    const ref = allocate(own, bytes);
    if (ref === NONE) return NO_PLACE as WaiterPlace;
    const waiter = ((this.self << this.shift) | ref) as WaiterPlace;
    this.writeWaiter(waiter, order, args, keyCount);
    for (let index = 0; index < keyCount; index++) {
      const word = keys[index]!;
      this.writeStand(waiter, index, args, word, order.database);
      this.link(partitions[args.partitions[word]!]!, this.standOf(waiter, index));
    }
    return waiter;
  }

  private writeWaiter(
    waiter: WaiterPlace,
    order: WaiterOrder,
    args: Slices,
    keyCount: number,
  ): void {
    const { i32, u8 } = this.own;
    const at = this.at(waiter);
    i32[at + Waiter.Slot] = order.slot;
    i32[at + Waiter.IdLow] = order.id % TWO_32;
    i32[at + Waiter.IdHigh] = Math.floor(order.id / TWO_32);
    i32[at + Waiter.Protocol] = order.protocol;
    i32[at + Waiter.Database] = order.database;
    i32[at + Waiter.Command] = order.commandId;
    i32[at + Waiter.Type] = order.type;
    i32[at + Waiter.Flags] =
      (order.isKeyless ? WaiterFlag.Keyless : 0) | (order.isTracked ? WaiterFlag.Tracked : 0);
    i32[at + Waiter.Target] = order.target;
    i32[at + Waiter.TargetPartition] = order.target === 0 ? 0 : args.partitions[order.target]!;
    i32[at + Waiter.StandCount] = keyCount;
    i32[at + Waiter.WordCount] = args.count;
    let argument = at + Waiter.Words + keyCount * Stand.Words;
    let byte = (argument + args.count * Argument.Words) << 2;
    for (let index = 0; index < args.count; index++) {
      const other = order.replaced?.get(index);
      const length = other?.length ?? args.lengthOf(index);
      if (other === undefined) copyBytes(args.u8, args.startOf(index), u8, byte, length);
      else copyBytes(other, 0, u8, byte, length);
      i32[argument + Argument.Start] = byte;
      i32[argument + Argument.Length] = length;
      argument += Argument.Words;
      byte += length;
    }
    // The swaps that follow on this word, and the locks of the queues, order what stands above.
    Atomics.store(i32, at + Waiter.State, State.Waiting);
  }

  private writeStand(
    waiter: WaiterPlace,
    index: number,
    args: Slices,
    word: number,
    database: number,
  ): void {
    const { i32 } = this.own;
    const stand = this.standOf(waiter, index);
    const at = this.at(stand);
    const argument = this.argumentsAt(waiter) + word * Argument.Words;
    i32.fill(0, at, at + Stand.Words);
    i32[at + Stand.Offset] = stand - waiter;
    i32[at + Stand.Partition] = args.partitions[word]!;
    i32[at + Stand.Database] = database;
    i32[at + Stand.Hash] = args.hashes[word]!;
    i32[at + Stand.KeyStart] = i32[argument + Argument.Start]!;
    i32[at + Stand.KeyBytes] = i32[argument + Argument.Length]!;
  }

  private argumentsAt(waiter: WaiterPlace): number {
    return this.at(waiter) + Waiter.Words + this.read(waiter, Waiter.StandCount) * Stand.Words;
  }

  /** Gets a waiter of this thread out of the writers' reach; false when one of them has it. */
  withdraw(waiter: WaiterPlace): boolean {
    return this.swap(waiter, State.Waiting, State.Done);
  }

  /**
   * The session of a claimed waiter is gone. False when it was put back or answered meanwhile:
   * withdraw it, or await the message.
   */
  orphan(waiter: WaiterPlace): boolean {
    return this.swap(waiter, State.Claimed, State.Orphaned);
  }

  isDone(waiter: WaiterPlace): boolean {
    // Acquire: after Done nobody but the owner touches the record.
    return Atomics.load(this.wordsOf(waiter), this.at(waiter) + Waiter.State) === State.Done;
  }

  /** Of a waiter that is Done: a partition in whose queues it still stands; -1 for none. */
  linkedPartitionOf(waiter: WaiterPlace): number {
    const count = this.read(waiter, Waiter.StandCount);
    for (let index = 0; index < count; index++) {
      const stand = this.standOf(waiter, index);
      if (this.read(stand, Stand.IsLinked) !== 0) return this.partitionOf(stand);
    }
    return -1;
  }

  /** Frees a waiter of this thread that stands nowhere any more. */
  free(waiter: WaiterPlace): void {
    assert(this.linkedPartitionOf(waiter) === -1, 'a waiter that is freed stands nowhere');
    release(this.own, (waiter & this.mask) as BlockRef);
  }

  /** Records in use, bytes: for INFO and tests. */
  get usedBytes(): number {
    return this.own.i32[Header.UsedGranules]! << GRANULE_BITS;
  }

  // ---- writers, under the locks of the queues -------------------------------------------------

  /**
   * Gets the waiter for this writer; false when it is answered already, or gone. One that another
   * writer has claimed may be put back, and would then not hear of this writer's key: so that is
   * awaited. The other waits for nothing while it has a waiter, so it is soon.
   */
  claim(waiter: WaiterPlace): boolean {
    const words = this.wordsOf(waiter);
    const at = this.at(waiter) + Waiter.State;
    for (let spins = 0; ; spins++) {
      const state = Atomics.compareExchange(words, at, State.Waiting, State.Claimed);
      if (state !== State.Claimed) return state === State.Waiting;
      // Only for the case that the other thread is not running.
      if (spins > CLAIM_SPINS) Atomics.wait(words, at, State.Claimed, CLAIM_SLEEP_MS);
    }
  }

  /** The claimer found nothing for it. False when the session is gone meanwhile. */
  putBack(waiter: WaiterPlace): boolean {
    return this.swap(waiter, State.Claimed, State.Waiting);
  }

  /** The claimer has run the command, or nobody waits for it any more. */
  finish(waiter: WaiterPlace): void {
    // Release: the owner may free the record from here on, once the message has come.
    const before = Atomics.exchange(
      this.wordsOf(waiter),
      this.at(waiter) + Waiter.State,
      State.Done,
    );
    assert(before === State.Claimed || before === State.Orphaned, 'a waiter is finished once');
  }

  private swap(waiter: WaiterPlace, from: State, to: State): boolean {
    // Sequentially consistent: one of writer and owner wins, and sees what the other wrote before.
    const at = this.at(waiter) + Waiter.State;
    return Atomics.compareExchange(this.wordsOf(waiter), at, from, to) === from;
  }

  /** Points `args` to the words of a waiter; keys are to be placed anew. */
  readArguments(waiter: WaiterPlace, args: Slices): void {
    const slab = this.slabs[waiter >>> this.shift]!;
    const count = this.read(waiter, Waiter.WordCount);
    let at = this.argumentsAt(waiter);
    args.u8 = slab.u8;
    args.count = 0;
    args.rawEnd = 0;
    args.ensure(count);
    for (let index = 0; index < count; index++) {
      args.push(slab.i32[at + Argument.Start]!, slab.i32[at + Argument.Length]!);
      at += Argument.Words;
    }
  }

  /** Takes a waiter out of the queues of `partition`. */
  unlinkAt(waiter: WaiterPlace, partition: Partition): void {
    const count = this.read(waiter, Waiter.StandCount);
    for (let index = 0; index < count; index++) {
      const stand = this.standOf(waiter, index);
      if (this.partitionOf(stand) !== partition.index) continue;
      if (this.read(stand, Stand.IsLinked) !== 0) this.unlink(partition, stand);
    }
  }

  // ---- queues ---------------------------------------------------------------------------------

  private bucketAt(partition: number, hash: number): number {
    return partition * QUEUE_WORDS + Line.Words + (hash & (BUCKETS - 1));
  }

  /** The first stand of a key, NO_PLACE for none. `after`: search on behind that leader. */
  private findLeader(
    partition: number,
    database: number,
    hash: number,
    u8: Uint8Array,
    start: number,
    length: number,
    after: number,
  ): StandPlace {
    const bucket = this.bucketAt(partition, hash);
    let stand = after === 0 ? this.queues[bucket]! : this.read(after, Stand.BucketNext);
    while (stand !== NO_PLACE) {
      const { i32, u8: keys } = this.slabs[stand >>> this.shift]!;
      const at = this.at(stand);
      const isKey =
        i32[at + Stand.Hash] === hash &&
        i32[at + Stand.KeyBytes] === length &&
        (database < 0 || i32[at + Stand.Database] === database) &&
        equalBytes(keys, i32[at + Stand.KeyStart]!, u8, start, length);
      if (isKey) return stand as StandPlace;
      stand = i32[at + Stand.BucketNext]!;
    }
    return NO_PLACE as StandPlace;
  }

  /** The first who waits for a key of `partition`, in the database selected there. */
  firstFor(
    partition: Partition,
    hash: number,
    u8: Uint8Array,
    start: number,
    length: number,
  ): StandPlace {
    return this.findLeader(partition.index, partition.database, hash, u8, start, length, 0);
  }

  /**
   * Those who wait for a key in any database: the leaders one after the other, from 0 on. For
   * commands that may change the key in another database than the session's.
   */
  nextAnywhere(
    partition: number,
    hash: number,
    u8: Uint8Array,
    start: number,
    length: number,
    after: number,
  ): StandPlace {
    return this.findLeader(partition, -1, hash, u8, start, length, after);
  }

  /** Who is first now where `stand` stands or stood. */
  leaderOf(stand: StandPlace): StandPlace {
    const { i32, u8 } = this.slabs[stand >>> this.shift]!;
    const at = this.at(stand);
    return this.findLeader(
      i32[at + Stand.Partition]!,
      i32[at + Stand.Database]!,
      i32[at + Stand.Hash]!,
      u8,
      i32[at + Stand.KeyStart]!,
      i32[at + Stand.KeyBytes]!,
      0,
    );
  }

  nextOf(stand: StandPlace): StandPlace {
    return this.read(stand, Stand.Next) as StandPlace;
  }

  countOf(leader: StandPlace): number {
    return this.read(leader, Stand.Count);
  }

  keylessCountOf(leader: StandPlace): number {
    return this.read(leader, Stand.KeylessCount);
  }

  /** How many in the ring write to a key of another partition. */
  targetCountOf(leader: StandPlace): number {
    return this.read(leader, Stand.TargetCount);
  }

  databaseOfStand(stand: StandPlace): number {
    return this.read(stand, Stand.Database);
  }

  /** Marks a key as ready; false when it was so already. */
  markReady(leader: StandPlace): boolean {
    if (this.read(leader, Stand.IsReady) !== 0) return false;
    this.write(leader, Stand.IsReady, 1);
    return true;
  }

  clearReady(leader: StandPlace): void {
    this.write(leader, Stand.IsReady, 0);
  }

  /** The waiter of session `id` among all that stand in `partition`; NO_PLACE for none. */
  findSession(partition: Partition, id: number): WaiterPlace {
    const start = partition.index * QUEUE_WORDS;
    if (this.queues[start + Line.Keys] === 0) return NO_PLACE as WaiterPlace;
    for (let bucket = start + Line.Words; bucket < start + QUEUE_WORDS; bucket++) {
      let leader = this.queues[bucket]!;
      while (leader !== NO_PLACE) {
        let stand = leader as StandPlace;
        do {
          const waiter = this.waiterOf(stand);
          if (this.idOf(waiter) === id) return waiter;
          stand = this.nextOf(stand);
        } while (stand !== leader);
        leader = this.read(leader, Stand.BucketNext);
      }
    }
    return NO_PLACE as WaiterPlace;
  }

  /** Makes `args` hold the key of a stand, as its only word. */
  readKey(stand: StandPlace, args: Slices): void {
    const { i32, u8 } = this.slabs[stand >>> this.shift]!;
    const at = this.at(stand);
    args.u8 = u8;
    args.count = 0;
    args.push(i32[at + Stand.KeyStart]!, i32[at + Stand.KeyBytes]!);
    args.hashes[0] = i32[at + Stand.Hash]!;
    args.partitions[0] = i32[at + Stand.Partition]!;
  }

  private link(partition: Partition, stand: StandPlace): void {
    const waiter = this.waiterOf(stand);
    let leader = this.leaderOf(stand);
    if (leader === NO_PLACE) {
      this.lead(partition.index, stand);
      leader = stand;
    } else {
      const last = this.read(leader, Stand.Previous) as StandPlace;
      // The same key twice in one command: all its stands are linked in one go.
      if (this.waiterOf(last) === waiter) return;
      this.write(stand, Stand.Next, leader);
      this.write(stand, Stand.Previous, last);
      this.write(last, Stand.Next, stand);
      this.write(leader, Stand.Previous, stand);
    }
    this.write(stand, Stand.IsLinked, 1);
    this.countRing(partition.index, leader, waiter, 1);
    const { i32 } = partition.slab;
    i32[Header.Listeners] = i32[Header.Listeners]! + 1;
  }

  /** A ring of its own for the first who waits for a key. */
  private lead(partition: number, stand: StandPlace): void {
    this.write(stand, Stand.Next, stand);
    this.write(stand, Stand.Previous, stand);
    this.write(stand, Stand.IsLeader, 1);
    const bucket = this.bucketAt(partition, this.read(stand, Stand.Hash));
    const head = this.queues[bucket]!;
    this.write(stand, Stand.BucketNext, head);
    this.write(stand, Stand.BucketPrevious, NO_PLACE);
    if (head !== NO_PLACE) this.write(head, Stand.BucketPrevious, stand);
    this.queues[bucket] = stand;
    this.countLine(partition, Line.Keys, 1);
  }

  private unlink(partition: Partition, stand: StandPlace): void {
    const leader = this.leaderOf(stand);
    assert(leader !== NO_PLACE, 'who stands in a queue is found there');
    this.countRing(partition.index, leader, this.waiterOf(stand), -1);
    const next = this.read(stand, Stand.Next) as StandPlace;
    const previous = this.read(stand, Stand.Previous) as StandPlace;
    this.write(previous, Stand.Next, next);
    this.write(next, Stand.Previous, previous);
    if (leader === stand) this.promote(partition.index, stand, next);
    this.write(stand, Stand.IsLinked, 0);
    const { i32 } = partition.slab;
    i32[Header.Listeners] = i32[Header.Listeners]! - 1;
  }

  /** `next` leads the ring in place of `leader`, which leaves; the last one takes it all away. */
  private promote(partition: number, leader: StandPlace, next: StandPlace): void {
    const bucketNext = this.read(leader, Stand.BucketNext);
    const bucketPrevious = this.read(leader, Stand.BucketPrevious);
    const isLast = next === leader;
    const heir = isLast ? bucketNext : next;
    if (bucketPrevious !== NO_PLACE) this.write(bucketPrevious, Stand.BucketNext, heir);
    else this.queues[this.bucketAt(partition, this.read(leader, Stand.Hash))] = heir;
    this.write(leader, Stand.IsLeader, 0);
    if (isLast) {
      if (bucketNext !== NO_PLACE) this.write(bucketNext, Stand.BucketPrevious, bucketPrevious);
      this.countLine(partition, Line.Keys, -1);
      return;
    }
    if (bucketNext !== NO_PLACE) this.write(bucketNext, Stand.BucketPrevious, next);
    this.write(next, Stand.IsLeader, 1);
    this.write(next, Stand.BucketNext, bucketNext);
    this.write(next, Stand.BucketPrevious, bucketPrevious);
    this.write(next, Stand.Count, this.read(leader, Stand.Count));
    this.write(next, Stand.KeylessCount, this.read(leader, Stand.KeylessCount));
    this.write(next, Stand.TargetCount, this.read(leader, Stand.TargetCount));
    this.write(next, Stand.IsReady, this.read(leader, Stand.IsReady));
  }

  /** Counts `waiter` in (1) or out (-1) of a ring. */
  private countRing(
    partition: number,
    leader: StandPlace,
    waiter: WaiterPlace,
    change: 1 | -1,
  ): void {
    this.add(leader, Stand.Count, change);
    if (this.isKeyless(waiter)) {
      const before = this.read(leader, Stand.KeylessCount);
      this.add(leader, Stand.KeylessCount, change);
      if (before === 0 || before + change === 0)
        this.countLine(partition, Line.KeylessKeys, change);
    }
    const target = this.targetPartitionOf(waiter);
    if (target >= 0 && target !== partition) this.add(leader, Stand.TargetCount, change);
  }

  private countLine(partition: number, field: Line, change: 1 | -1): void {
    const at = partition * QUEUE_WORDS + field;
    this.queues[at] = this.queues[at]! + change;
  }

  /** Keys that somebody waits for; without locks, so it may be a moment old. */
  keyCount(): number {
    return this.sum(Line.Keys);
  }

  /** Those of them where somebody also waits for the key to go. */
  keylessKeyCount(): number {
    return this.sum(Line.KeylessKeys);
  }

  private sum(field: Line): number {
    let sum = 0;
    for (let partition = 0; partition < this.partitionCount; partition++) {
      // Atomic, so that a reader without the lock never sees a torn value.
      sum += Atomics.load(this.queues, partition * QUEUE_WORDS + field);
    }
    return sum;
  }

  /** Asserts that the queues of a partition hang together; under its lock. Returns its stands. */
  check(partition: Partition): number {
    let total = 0;
    let keys = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      let previous = NO_PLACE;
      let leader = this.queues[this.bucketAt(partition.index, bucket)]!;
      while (leader !== NO_PLACE) {
        assert(this.read(leader, Stand.IsLeader) === 1, 'a bucket lists leaders');
        assert(
          this.read(leader, Stand.BucketPrevious) === previous,
          'a bucket is walked both ways',
        );
        total += this.checkRing(partition.index, leader as StandPlace);
        keys++;
        previous = leader;
        leader = this.read(leader, Stand.BucketNext);
      }
    }
    const line = partition.index * QUEUE_WORDS;
    assert(this.queues[line + Line.Keys] === keys, 'the line counts the keys of its queues');
    return total;
  }

  private checkRing(partition: number, leader: StandPlace): number {
    let count = 0;
    let keyless = 0;
    let stand = leader;
    do {
      assert(this.read(stand, Stand.IsLinked) === 1, 'who stands in a ring knows it');
      assert(this.partitionOf(stand) === partition, 'a ring belongs to one partition');
      assert(
        (stand === leader) === (this.read(stand, Stand.IsLeader) === 1),
        'a ring has a leader',
      );
      const next = this.nextOf(stand);
      assert(this.read(next, Stand.Previous) === stand, 'a ring is walked both ways');
      if (this.isKeyless(this.waiterOf(stand))) keyless++;
      count++;
      stand = next;
    } while (stand !== leader);
    assert(this.countOf(leader) === count, 'a leader counts its ring');
    assert(this.keylessCountOf(leader) === keyless, 'a leader counts its keyless waiters');
    return count;
  }
}

function recordBytesOf(order: WaiterOrder, args: Slices, keyCount: number): number {
  let bytes = (Waiter.Words + keyCount * Stand.Words + args.count * Argument.Words) * 4;
  for (let index = 0; index < args.count; index++) {
    bytes += order.replaced?.get(index)?.length ?? args.lengthOf(index);
  }
  return bytes;
}

assert(Waiter.Words % 2 === 0 && Stand.Words % 2 === 0, 'stands begin at granules');
