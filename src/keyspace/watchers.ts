// Who watches which key (WATCH). A watch is a block in the record slab of the thread that owns its
// session; that thread alone allocates and frees it. The watches of a partition stand in buckets by
// the hash of their key; whoever changes a key makes the sessions that watch it dirty.
//
//   watch:   words of Watch │ bytes of the key
//
//   a partition                              a session
//   ┌────────────────┐  bucket:              ┌───────┐
//   │ buckets: heads │──▶ watch ◀──▶ watch   │ dirty │   first watch ──▶ its next ──▶ 0
//   └────────────────┘                       └───────┘   (a list of its owner's alone)
//   Watches are named by places: thread << shift | granule in that thread's slab.
//
// Who writes what, and what orders it (test/sim/watch.ts)
// - Buckets and the words that link a watch into one are read and written under the lock of its
//   partition. A session watches in a visit: what it reads afterwards is the value that it watches,
//   or a newer one that makes it dirty.
// - A session's dirty word is set by anybody, but only under the lock of a partition in which a
//   watch of the session is linked. So whoever has unlinked all of its watches, each under its
//   lock, is the only one left who writes the word: the owner clears it then, and only then may
//   the slot go to another session. Therefore the word needs no generation.
// - EXEC reads the word under the locks of all watched keys. A change was made under one of them,
//   and the word was set before that lock was released: it is seen, without an atomic access.
// - A watch that has made its session dirty is unlinked at once: a key that is changed often does
//   not pay for it again. Its owner frees it.

import { assert } from '../base/assert.js';
import { copyBytes, equalBytes } from '../base/bytes.js';
import { hashBytes } from '../base/hash.js';
import { Slices } from '../base/slices.js';
import { allocate, type BlockRef, formatSlab, release } from '../slab/alloc.js';
import { Header, NONE, Slab } from '../slab/slab.js';
import type { Partition } from './partition.js';

const enum Watch {
  /** The session's, in the client directory. */
  Slot = 0,
  /** The session's next watch. */
  Next = Slot + 1,
  Partition = Next + 1,
  Database = Partition + 1,
  Hash = Database + 1,
  KeyBytes = Hash + 1,
  IsLinked = KeyBytes + 1,
  /** SWAPDB has brought a key whose time was over already: when that goes, nothing has changed. */
  IsStale = IsLinked + 1,
  BucketNext = IsStale + 1,
  BucketPrevious = BucketNext + 1,
  Words = BucketPrevious + 1,
}

const BUCKETS = 256;
/** Watches of one thread: a quarter of a million; only address space until then. */
const RECORD_BYTES = 32 * 1024 * 1024;
/** Places are below 2^31, small integers on every supported Node. */
const PLACE_BITS = 31;
const GRANULE_BITS = 3;

/** A watch, wherever it is; 0 is none. */
export type WatchPlace = number & { readonly __brand: 'watch' };
export const NO_WATCH = 0 as WatchPlace;

/** Everything a thread needs to use the watches; plain, so that it can be sent to one. */
export interface WatchersShape {
  /** The records of each thread. */
  readonly records: readonly SharedArrayBuffer[];
  readonly recordBytes: number;
  /** The buckets of all partitions. */
  readonly buckets: SharedArrayBuffer;
  /** The dirty word of each slot of the client directory. */
  readonly dirty: SharedArrayBuffer;
}

/** Allocates what all threads share. Called once, before they start. */
export function createWatchers(
  threadCount: number,
  partitionCount: number,
  slotCount: number,
  recordBytes: number = RECORD_BYTES,
): WatchersShape {
  const threadBits = Math.ceil(Math.log2(threadCount + 1));
  const bytes = Math.min(recordBytes, 2 ** (PLACE_BITS - threadBits + GRANULE_BITS));
  const records = Array.from({ length: threadCount }, () => new SharedArrayBuffer(bytes));
  for (const [thread, buffer] of records.entries()) formatSlab(new Slab(thread, buffer), 0);
  return {
    records,
    recordBytes: bytes,
    buckets: new SharedArrayBuffer(partitionCount * BUCKETS * 4),
    dirty: new SharedArrayBuffer(slotCount * 4),
  };
}

export class Watchers {
  private readonly self: number;
  private readonly slabs: readonly Slab[];
  private readonly own: Slab;
  private readonly shift: number;
  private readonly mask: number;
  private readonly buckets: Int32Array;
  private readonly dirty: Int32Array;
  /** The key of a watch, for look-ups. */
  private readonly key = new Slices();

  constructor(shape: WatchersShape, self: number) {
    this.self = self;
    this.slabs = shape.records.map((buffer, thread) => new Slab(thread, buffer));
    this.own = this.slabs[self]!;
    this.shift = Math.ceil(Math.log2(shape.recordBytes)) - GRANULE_BITS;
    this.mask = 2 ** this.shift - 1;
    this.buckets = new Int32Array(shape.buckets);
    this.dirty = new Int32Array(shape.dirty);
  }

  // ---- places ---------------------------------------------------------------------------------

  private wordsOf(place: number): Int32Array {
    return this.slabs[place >>> this.shift]!.i32;
  }

  private at(place: number): number {
    return (place & this.mask) << 1;
  }

  private read(place: number, field: Watch): number {
    return this.wordsOf(place)[this.at(place) + field]!;
  }

  private write(place: number, field: Watch, value: number): void {
    this.wordsOf(place)[this.at(place) + field] = value;
  }

  // ---- sessions -------------------------------------------------------------------------------

  /**
   * Has a key changed that the session in `slot` watches? The truth under the locks of its keys,
   * and a hint without them.
   */
  isDirty(slot: number): boolean {
    return this.dirty[slot] === 1;
  }

  /** The owner, once none of the session's watches is linked any more. */
  clearDirty(slot: number): void {
    this.dirty[slot] = 0;
  }

  /** Does the session in `slot` watch the key already? Under the lock of its partition. */
  has(slot: number, partition: Partition, args: Slices, word: number): boolean {
    const hash = args.hashes[word]!;
    let place = this.buckets[this.bucketAt(partition.index, hash)]!;
    while (place !== NO_WATCH) {
      const isSession = this.read(place, Watch.Slot) === slot;
      if (isSession && this.isOfKey(place, partition, hash, args.u8, args.startOf(word))) {
        if (this.read(place, Watch.KeyBytes) === args.lengthOf(word)) return true;
      }
      place = this.read(place, Watch.BucketNext);
    }
    return false;
  }

  /**
   * The session in `slot`, whose first watch was `next`, watches the key at word `word` in the
   * partition's selected database, under its lock. NO_WATCH, and nothing done, without memory.
   */
  add(
    slot: number,
    next: WatchPlace,
    partition: Partition,
    args: Slices,
    word: number,
  ): WatchPlace {
    const { own } = this;
    const length = args.lengthOf(word);
    const ref = allocate(own, Watch.Words * 4 + length);
    if (ref === NONE) return NO_WATCH;
    const place = ((this.self << this.shift) | ref) as WatchPlace;
    const at = this.at(place);
    own.i32[at + Watch.Slot] = slot;
    own.i32[at + Watch.Next] = next;
    own.i32[at + Watch.Partition] = partition.index;
    own.i32[at + Watch.Database] = partition.database;
    own.i32[at + Watch.Hash] = args.hashes[word]!;
    own.i32[at + Watch.KeyBytes] = length;
    own.i32[at + Watch.IsStale] = 0;
    copyBytes(args.u8, args.startOf(word), own.u8, this.keyStartOf(place), length);
    this.link(partition, place);
    return place;
  }

  /** Ends a watch of this thread, under the lock of its partition. Returns the session's next. */
  end(place: WatchPlace, partition: Partition): WatchPlace {
    const next = this.nextOf(place);
    if (this.read(place, Watch.IsLinked) !== 0) this.unlink(partition, place);
    release(this.own, (place & this.mask) as BlockRef);
    return next;
  }

  nextOf(place: WatchPlace): WatchPlace {
    return this.read(place, Watch.Next) as WatchPlace;
  }

  partitionOf(place: WatchPlace): number {
    return this.read(place, Watch.Partition);
  }

  /** Is there no watch in a bucket for it any more? Then it has made its session dirty. */
  isSpent(place: WatchPlace): boolean {
    return this.read(place, Watch.IsLinked) === 0;
  }

  /**
   * Before EXEC, under the lock: a key whose time has come while it was watched is removed, and
   * makes its session dirty as any other change.
   */
  expireKeyOf(place: WatchPlace, partition: Partition): void {
    if (this.isSpent(place) || this.read(place, Watch.IsStale) !== 0) return;
    partition.select(this.read(place, Watch.Database));
    partition.peek(this.keyOf(place), 0);
  }

  // ---- changes, under the lock of the partition -----------------------------------------------

  /** The key u8[start, start + length) of the partition's database has changed, or is going. */
  touch(partition: Partition, hash: number, u8: Uint8Array, start: number, length: number): void {
    let place = this.buckets[this.bucketAt(partition.index, hash)]!;
    while (place !== NO_WATCH) {
      const next = this.read(place, Watch.BucketNext);
      const isKey =
        this.read(place, Watch.KeyBytes) === length &&
        this.isOfKey(place, partition, hash, u8, start);
      if (isKey && this.read(place, Watch.IsStale) !== 0) this.write(place, Watch.IsStale, 0);
      else if (isKey) this.taint(partition, place);
      place = next;
    }
  }

  /** Two databases of the partition are about to be swapped. */
  swapping(partition: Partition, first: number, second: number): void {
    const { index, database } = partition;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      let place = this.buckets[this.bucketAt(index, bucket)]!;
      while (place !== NO_WATCH) {
        const next = this.read(place, Watch.BucketNext);
        const watched = this.read(place, Watch.Database);
        if (watched === first) this.swapped(partition, place, first, second);
        else if (watched === second) this.swapped(partition, place, second, first);
        place = next;
      }
    }
    partition.select(database);
  }

  /** What was in `here`, where the watched key is, makes room for what is in `there`. */
  private swapped(partition: Partition, place: number, here: number, there: number): void {
    const key = this.keyOf(place);
    partition.select(here);
    const wasHere = partition.standing(key, 0) !== NONE;
    partition.select(there);
    const coming = partition.standing(key, 0);
    if (!wasHere && coming === NONE) return;
    const isStaleComing = coming !== NONE && partition.isExpired(coming);
    if (this.read(place, Watch.IsStale) !== 0) {
      // A key whose time is over is no key: it goes, or another such comes in its place.
      if (coming === NONE) this.write(place, Watch.IsStale, 0);
      if (coming === NONE || isStaleComing) return;
    } else if (!wasHere && isStaleComing) {
      this.write(place, Watch.IsStale, 1);
      return;
    }
    this.taint(partition, place);
  }

  /** Makes the session of a watch dirty. */
  private taint(partition: Partition, place: number): void {
    this.dirty[this.read(place, Watch.Slot)] = 1;
    this.unlink(partition, place);
  }

  // ---- buckets --------------------------------------------------------------------------------

  private bucketAt(partition: number, hash: number): number {
    return partition * BUCKETS + (hash & (BUCKETS - 1));
  }

  private keyStartOf(place: number): number {
    return (this.at(place) + Watch.Words) << 2;
  }

  /** Is it of the key at u8[start]? Whether that is as long as its own is the caller's to see. */
  private isOfKey(
    place: number,
    partition: Partition,
    hash: number,
    u8: Uint8Array,
    start: number,
  ): boolean {
    if (this.read(place, Watch.Hash) !== hash) return false;
    if (this.read(place, Watch.Database) !== partition.database) return false;
    const keys = this.slabs[place >>> this.shift]!.u8;
    const length = this.read(place, Watch.KeyBytes);
    return equalBytes(keys, this.keyStartOf(place), u8, start, length);
  }

  /** The key of a watch as the only word of a command, placed. */
  private keyOf(place: number): Slices {
    const { key } = this;
    key.u8 = this.slabs[place >>> this.shift]!.u8;
    key.count = 0;
    key.push(this.keyStartOf(place), this.read(place, Watch.KeyBytes));
    key.hashes[0] = this.read(place, Watch.Hash);
    key.partitions[0] = this.read(place, Watch.Partition);
    return key;
  }

  private link(partition: Partition, place: number): void {
    const bucket = this.bucketAt(partition.index, this.read(place, Watch.Hash));
    const head = this.buckets[bucket]!;
    this.write(place, Watch.BucketNext, head);
    this.write(place, Watch.BucketPrevious, NO_WATCH);
    this.write(place, Watch.IsLinked, 1);
    if (head !== NO_WATCH) this.write(head, Watch.BucketPrevious, place);
    this.buckets[bucket] = place;
    const { i32 } = partition.slab;
    i32[Header.Listeners] = i32[Header.Listeners]! + 1;
  }

  private unlink(partition: Partition, place: number): void {
    const next = this.read(place, Watch.BucketNext);
    const previous = this.read(place, Watch.BucketPrevious);
    if (next !== NO_WATCH) this.write(next, Watch.BucketPrevious, previous);
    if (previous !== NO_WATCH) this.write(previous, Watch.BucketNext, next);
    else this.buckets[this.bucketAt(partition.index, this.read(place, Watch.Hash))] = next;
    this.write(place, Watch.IsLinked, 0);
    const { i32 } = partition.slab;
    i32[Header.Listeners] = i32[Header.Listeners]! - 1;
  }

  /** Records in use, bytes: for INFO and tests. */
  get usedBytes(): number {
    return this.own.i32[Header.UsedGranules]! << GRANULE_BITS;
  }

  /** Asserts that the buckets of a partition hang together; under its lock. Returns its watches. */
  check(partition: Partition): number {
    let total = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      let previous = NO_WATCH as number;
      let place = this.buckets[this.bucketAt(partition.index, bucket)]!;
      while (place !== NO_WATCH) {
        assert(this.read(place, Watch.IsLinked) === 1, 'who stands in a bucket knows it');
        assert(this.read(place, Watch.Partition) === partition.index, 'it is of the partition');
        assert(this.read(place, Watch.BucketPrevious) === previous, 'it is walked both ways');
        const key = this.keyOf(place);
        const hash = hashBytes(key.u8, key.startOf(0), key.lengthOf(0));
        assert(hash === key.hashes[0], 'a watch has the hash of its key');
        assert((hash & (BUCKETS - 1)) === bucket, 'a watch stands in the bucket of its key');
        total++;
        previous = place;
        place = this.read(place, Watch.BucketNext);
      }
    }
    return total;
  }
}

assert(Watch.Words % 2 === 0, 'a watch ends at a granule');
