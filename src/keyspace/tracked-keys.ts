// Which sessions have read which key and want to hear when it changes (CLIENT TRACKING without
// BCAST). A key stands here once, whatever database it was read in, with the sessions that have
// read it; whoever changes it takes it out and tells them. Sessions are named by their slot in the
// client directory and the low bits of their id: one that has gone is told nothing.
//
//   stripe: a slab of its own, with a table of keys (structs/table.ts) behind its header
//
//   key, a block                                                            members, a block
//   ┌──────┬───────────┬───────┬───────┬──────────┬─────────┬──────┬────┬─────┐   ┌──────┬────┬─…
//   │ hash │ partition │ key   │ count │ capacity │ members │ slot │ id │ key │   │ slot │ id │
//   │      │           │ bytes │       │          │ ref ────┼──────┼────┼─────┼──▶│      │    │
//   └──────┴───────────┴───────┴───────┴──────────┴─────────┴──────┴────┴─────┘   └──────┴────┴─…
//   One member stands in the key's block (capacity 0); more are a hash set of `capacity` places,
//   empty ones with the slot NOBODY.
//
//   words: │ totals of keys and members, a line │ keys of each partition │
//
// Who writes what, and what orders it
// - A session is added under the lock of the key's partition, held since the key was read; a key is
//   taken out under the lock with which it was changed. So a change after the read finds whoever
//   has read it.
// - A stripe's tables and blocks are read and written under its own lock, which is taken while the
//   partition's is held and in which nothing else is taken.
// - Keys of a partition and its Header.Listeners, of which all keys together are one, belong to the
//   partition's lock. Totals are added to by Atomics, because all partitions count in them.

import { assert } from '../base/assert.js';
import { copyBytes, equalBytes } from '../base/bytes.js';
import { hashBytes } from '../base/hash.js';
import { allocate, type BlockRef, formatSlab, release, reserve, resetSlab } from '../slab/alloc.js';
import { type Holder, holderOf, releaseLock, takeLock } from '../slab/lock.js';
import { Header, NONE, type Ref, Slab } from '../slab/slab.js';
import {
  bucketAt,
  bucketAtPosition,
  checkTable,
  eachInBucket,
  findInBucket,
  insert,
  nextPosition,
  randomRef,
  removeRef,
  SCAN_END,
  TableRoot,
} from '../structs/table.js';
import type { Partition } from './partition.js';

type KeyRef = Ref<'tracked key'>;

const enum Key {
  Hash = 0,
  Partition = Hash + 1,
  KeyBytes = Partition + 1,
  Count = KeyBytes + 1,
  Capacity = Count + 1,
  Members = Capacity + 1,
  Slot = Members + 1,
  Id = Slot + 1,
  Words = Id + 1,
}

const enum Member {
  Slot = 0,
  Id = 1,
  Words = 2,
}

const enum Total {
  Keys = 0,
  Members = 1,
  Words = 16,
}

const NOBODY = -1;
const STRIPES_MAX = 64;
/** All stripes together: some two million keys; only address space until then. */
const ALL_BYTES = 256 * 1024 * 1024;
const STRIPE_BYTES_MIN = 1024 * 1024;
const FIRST_CAPACITY = 4;
/** Spreads slots, which are close to each other, over the places of a set. */
const SPREAD = 0x9e3779b1;
const ROOT: number = Header.Databases;
const ID_MASK = 0x7fffffff;

/** Everything a thread needs to use the keys; plain, so that it can be sent to one. */
export interface TrackedKeysShape {
  readonly stripes: readonly SharedArrayBuffer[];
  readonly words: SharedArrayBuffer;
}

/** Allocates what all threads share. Called once, before they start. */
export function createTrackedKeys(partitionCount: number, bytes = ALL_BYTES): TrackedKeysShape {
  const count = Math.min(partitionCount, STRIPES_MAX);
  const stripeBytes = Math.max(STRIPE_BYTES_MIN, Math.floor(bytes / count));
  const stripes = Array.from({ length: count }, () => new SharedArrayBuffer(stripeBytes));
  for (const [index, buffer] of stripes.entries()) formatSlab(new Slab(index, buffer), 1);
  return { stripes, words: new SharedArrayBuffer((Total.Words + partitionCount) * 4) };
}

/** A session's id as it stands in words that all threads share. */
export function lowId(id: number): number {
  return id % (ID_MASK + 1);
}

export class TrackedKeys {
  /** Of the key taken out last: pairs of slot and id, members[0, memberCount * 2). */
  members = new Int32Array(64);
  memberCount = 0;
  /** The key that `draw` has chosen: drawn[0, drawnBytes). */
  drawn = new Uint8Array(new ArrayBuffer(256));
  drawnBytes = 0;
  private readonly slabs: readonly Slab[];
  private readonly words: Int32Array;
  private readonly self: Holder;
  private readonly found: number[] = [];

  constructor(shape: TrackedKeysShape, thread: number) {
    this.slabs = shape.stripes.map((buffer, index) => new Slab(index, buffer));
    this.words = new Int32Array(shape.words);
    this.self = holderOf(thread);
  }

  // ---- counts, readable without locks -----------------------------------------------------------

  get keyCount(): number {
    return Atomics.load(this.words, Total.Keys);
  }

  /** Sessions of all keys. */
  get itemCount(): number {
    return Atomics.load(this.words, Total.Members);
  }

  get usedBytes(): number {
    let granules = 0;
    for (const { i32 } of this.slabs) granules += Atomics.load(i32, Header.UsedGranules);
    return granules * 8;
  }

  /** Keys of a partition. */
  countOf(partition: number): number {
    return this.words[Total.Words + partition]!;
  }

  // ---- under the partition's lock ---------------------------------------------------------------

  /** The session in `slot` has read the key. False when there is no room to remember it. */
  remember(
    partition: Partition,
    hash: number,
    u8: Uint8Array,
    start: number,
    length: number,
    slot: number,
    id: number,
  ): boolean {
    const slab = this.take(partition.index);
    const key = find(slab, hash, u8, start, length);
    const isDone =
      key !== NONE
        ? this.join(slab, key, slot, id)
        : this.create(slab, partition, hash, u8, start, length, slot, id);
    this.give(slab);
    return isDone;
  }

  private create(
    slab: Slab,
    partition: Partition,
    hash: number,
    u8: Uint8Array,
    start: number,
    length: number,
    slot: number,
    id: number,
  ): boolean {
    const bytes = Key.Words * 4 + length;
    if (!reserve(slab, bytes)) return false;
    const ref = allocate(slab, bytes);
    const at = ref << 1;
    const { i32 } = slab;
    i32[at + Key.Hash] = hash;
    i32[at + Key.Partition] = partition.index;
    i32[at + Key.KeyBytes] = length;
    i32[at + Key.Count] = 1;
    i32[at + Key.Capacity] = 0;
    i32[at + Key.Members] = NONE;
    i32[at + Key.Slot] = slot;
    i32[at + Key.Id] = id;
    copyBytes(u8, start, slab.u8, (at + Key.Words) << 2, length);
    insert(slab, ROOT, hash, ref, hashOfKey, 0);
    const counted = Total.Words + partition.index;
    this.words[counted] = this.words[counted]! + 1;
    if (this.words[counted] === 1) listen(partition, 1);
    this.countTotals(1, 1);
    return true;
  }

  private join(slab: Slab, key: KeyRef, slot: number, id: number): boolean {
    const { i32 } = slab;
    const at = key << 1;
    const capacity = i32[at + Key.Capacity]!;
    if (capacity === 0) {
      if (i32[at + Key.Slot] === slot && i32[at + Key.Id] === id) return true;
      if (!resize(slab, at, FIRST_CAPACITY)) return false;
    } else {
      const place = placeOf(slab, at, slot, id);
      if (i32[place + Member.Slot] !== NOBODY) return true;
      // At most half full, so that what is not there is seen after a few steps.
      if ((i32[at + Key.Count]! + 1) * 2 > capacity && !resize(slab, at, capacity * 2)) {
        return false;
      }
    }
    const place = placeOf(slab, at, slot, id);
    i32[place + Member.Slot] = slot;
    i32[place + Member.Id] = id;
    i32[at + Key.Count] = i32[at + Key.Count]! + 1;
    this.countTotals(0, 1);
    return true;
  }

  /** Takes a key out: false when nobody has read it. Who has is in `members` afterwards. */
  takeOut(
    partition: Partition,
    hash: number,
    u8: Uint8Array,
    start: number,
    length: number,
  ): boolean {
    if (this.countOf(partition.index) === 0) return false;
    const slab = this.take(partition.index);
    const key = find(slab, hash, u8, start, length);
    if (key !== NONE) {
      this.readMembers(slab, key << 1);
      this.remove(slab, partition, key);
    }
    this.give(slab);
    return key !== NONE;
  }

  private readMembers(slab: Slab, at: number): void {
    const { i32 } = slab;
    const count = i32[at + Key.Count]!;
    const needed = count * Member.Words;
    if (needed > this.members.length) this.members = new Int32Array(needed * 2);
    const { members } = this;
    this.memberCount = count;
    const capacity = i32[at + Key.Capacity]!;
    if (capacity === 0) {
      members[Member.Slot] = i32[at + Key.Slot]!;
      members[Member.Id] = i32[at + Key.Id]!;
      return;
    }
    const end = (i32[at + Key.Members]! << 1) + capacity * Member.Words;
    let to = 0;
    for (let from = i32[at + Key.Members]! << 1; from < end; from += Member.Words) {
      if (i32[from + Member.Slot] === NOBODY) continue;
      members[to + Member.Slot] = i32[from + Member.Slot]!;
      members[to + Member.Id] = i32[from + Member.Id]!;
      to += Member.Words;
    }
  }

  private remove(slab: Slab, partition: Partition, key: KeyRef): void {
    const { i32 } = slab;
    const at = key << 1;
    const bucket = bucketAt(slab, ROOT, i32[at + Key.Hash]!);
    this.countTotals(-1, -i32[at + Key.Count]!);
    removeRef(slab, ROOT, bucket, key);
    if (i32[at + Key.Capacity] !== 0) release(slab, i32[at + Key.Members]! as BlockRef);
    release(slab, key as number as BlockRef);
    const counted = Total.Words + partition.index;
    this.words[counted] = this.words[counted]! - 1;
    if (this.words[counted] === 0) listen(partition, -1);
  }

  /**
   * Takes out of some keys of the partition the sessions that `isGone`, from position `from` on;
   * `budget` is about how many keys are looked at. Returns where to go on, 0 at the end.
   */
  sweep(
    partition: Partition,
    from: number,
    budget: number,
    isGone: (slot: number, id: number) => boolean,
  ): number {
    if (this.countOf(partition.index) === 0) return 0;
    const slab = this.take(partition.index);
    const { i32 } = slab;
    const { found } = this;
    let position = from;
    for (let left = budget; left > 0 && position < SCAN_END; left -= found.length + 1) {
      found.length = 0;
      const bucket = bucketAtPosition(slab, ROOT, position);
      eachInBucket(slab, bucket, (_slab, ref) => found.push(ref));
      for (const ref of found) {
        if (i32[(ref << 1) + Key.Partition] !== partition.index) continue;
        this.sweepKey(slab, partition, ref as KeyRef, isGone);
      }
      position = i32[ROOT + TableRoot.Count] === 0 ? SCAN_END : nextPosition(slab, ROOT, position);
    }
    this.give(slab);
    return position >= SCAN_END ? 0 : position;
  }

  private sweepKey(
    slab: Slab,
    partition: Partition,
    key: KeyRef,
    isGone: (slot: number, id: number) => boolean,
  ): void {
    const { i32 } = slab;
    const at = key << 1;
    this.readMembers(slab, at);
    const { members, memberCount } = this;
    let left = 0;
    for (let index = 0; index < memberCount; index++) {
      const slot = members[index * Member.Words + Member.Slot]!;
      const id = members[index * Member.Words + Member.Id]!;
      if (isGone(slot, id)) continue;
      members[left * Member.Words + Member.Slot] = slot;
      members[left * Member.Words + Member.Id] = id;
      left++;
    }
    if (left === memberCount) return;
    if (left === 0) {
      this.remove(slab, partition, key);
      return;
    }
    // The set keeps its size: those who are left are put into it anew.
    fillMembers(slab, at);
    for (let index = 0; index < left; index++) {
      const slot = members[index * Member.Words + Member.Slot]!;
      const id = members[index * Member.Words + Member.Id]!;
      const place = placeOf(slab, at, slot, id);
      i32[place + Member.Slot] = slot;
      i32[place + Member.Id] = id;
    }
    i32[at + Key.Count] = left;
    this.countTotals(0, left - memberCount);
  }

  // ---- all keys ---------------------------------------------------------------------------------

  /** Forgets everything, under the locks of all partitions. */
  clear(partitions: readonly Partition[]): void {
    if (this.keyCount === 0) return;
    for (const slab of this.slabs) {
      takeLock(slab.i32, Header.Lock, this.self);
      slab.i32.fill(0, ROOT, ROOT + TableRoot.Words);
      resetSlab(slab);
      releaseLock(slab.i32, Header.Lock);
    }
    for (const partition of partitions) {
      const counted = Total.Words + partition.index;
      if (this.words[counted] === 0) continue;
      this.words[counted] = 0;
      listen(partition, -1);
    }
    this.countTotals(-this.keyCount, -this.itemCount);
  }

  /**
   * Chooses a key by chance, left in `drawn`; returns its partition, −1 when none was found. It may
   * be gone once its partition is locked. Under no lock.
   */
  draw(random: (below: number) => number): number {
    const { slabs } = this;
    const first = random(slabs.length);
    for (let offset = 0; offset < slabs.length; offset++) {
      const slab = slabs[(first + offset) % slabs.length]!;
      // Without the lock only to pass over stripes that look empty.
      if (Atomics.load(slab.i32, ROOT + TableRoot.Count) === 0) continue;
      takeLock(slab.i32, Header.Lock, this.self);
      const key = randomRef(slab, ROOT, random);
      const partition = key === NONE ? -1 : slab.i32[(key << 1) + Key.Partition]!;
      if (key !== NONE) this.copyKey(slab, key << 1);
      releaseLock(slab.i32, Header.Lock);
      if (partition !== -1) return partition;
    }
    return -1;
  }

  private copyKey(slab: Slab, at: number): void {
    const length = slab.i32[at + Key.KeyBytes]!;
    if (length > this.drawn.length) this.drawn = new Uint8Array(new ArrayBuffer(length * 2));
    copyBytes(slab.u8, (at + Key.Words) << 2, this.drawn, 0, length);
    this.drawnBytes = length;
  }

  // ---- inside -----------------------------------------------------------------------------------

  private take(partition: number): Slab {
    const slab = this.slabs[partition % this.slabs.length]!;
    takeLock(slab.i32, Header.Lock, this.self);
    return slab;
  }

  private give(slab: Slab): void {
    releaseLock(slab.i32, Header.Lock);
  }

  private countTotals(keys: number, members: number): void {
    if (keys !== 0) Atomics.add(this.words, Total.Keys, keys);
    Atomics.add(this.words, Total.Members, members);
  }

  /** Walks everything and throws at the first contradiction. Nobody may write meanwhile. */
  check(partitionCount: number): void {
    const counts = new Int32Array(partitionCount);
    let members = 0;
    for (const [stripe, slab] of this.slabs.entries()) {
      checkTable(slab, ROOT, hashOfKey);
      if (slab.i32[ROOT + TableRoot.Count] === 0) continue;
      for (let position = 0; position < SCAN_END; ) {
        eachInBucket(slab, bucketAtPosition(slab, ROOT, position), (_slab, ref) => {
          const partition = slab.i32[(ref << 1) + Key.Partition]!;
          assert(partition % this.slabs.length === stripe, 'a key stands in its stripe');
          counts[partition] = counts[partition]! + 1;
          members += checkKey(slab, ref as KeyRef);
        });
        position = nextPosition(slab, ROOT, position);
      }
    }
    let keys = 0;
    for (const [partition, count] of counts.entries()) {
      assert(this.countOf(partition) === count, 'a partition counts its keys');
      keys += count;
    }
    assert(this.keyCount === keys, 'the total of keys is their sum');
    assert(this.itemCount === members, 'the total of members is their sum');
  }
}

/** All tracked keys of a partition together are one listener. */
function listen({ slab: { i32 } }: Partition, change: number): void {
  i32[Header.Listeners] = i32[Header.Listeners]! + change;
}

function hashOfKey(slab: Slab, ref: number): number {
  return slab.i32[(ref << 1) + Key.Hash]!;
}

function isKey(slab: Slab, ref: number, u8: Uint8Array, start: number, length: number): boolean {
  const at = ref << 1;
  if (slab.i32[at + Key.KeyBytes] !== length) return false;
  return equalBytes(slab.u8, (at + Key.Words) << 2, u8, start, length);
}

function find(slab: Slab, hash: number, u8: Uint8Array, start: number, length: number): KeyRef {
  const bucket = bucketAt(slab, ROOT, hash);
  if (bucket === 0) return NONE as KeyRef;
  return findInBucket(slab, bucket, hash, isKey, u8, start, length) as KeyRef;
}

/** Where the session stands in the set of the key at `at`, or the empty place for it. */
function placeOf(slab: Slab, at: number, slot: number, id: number): number {
  const { i32 } = slab;
  const first = i32[at + Key.Members]! << 1;
  const mask = i32[at + Key.Capacity]! - 1;
  let index = (Math.imul(slot, SPREAD) >>> 8) & mask;
  for (;;) {
    const place = first + index * Member.Words;
    const here = i32[place + Member.Slot];
    if (here === NOBODY || (here === slot && i32[place + Member.Id] === id)) return place;
    index = (index + 1) & mask;
  }
}

function fillMembers(slab: Slab, at: number): void {
  const first = slab.i32[at + Key.Members]! << 1;
  slab.i32.fill(NOBODY, first, first + slab.i32[at + Key.Capacity]! * Member.Words);
}

/** Gives the key's set `capacity` places. False when there is no memory. */
function resize(slab: Slab, at: number, capacity: number): boolean {
  const { i32 } = slab;
  const bytes = capacity * Member.Words * 4;
  if (!reserve(slab, bytes)) return false;
  const previous = i32[at + Key.Members]!;
  const places = i32[at + Key.Capacity]!;
  i32[at + Key.Members] = allocate(slab, bytes);
  i32[at + Key.Capacity] = capacity;
  fillMembers(slab, at);
  if (places === 0) {
    move(slab, at, i32[at + Key.Slot]!, i32[at + Key.Id]!);
    return true;
  }
  const end = (previous << 1) + places * Member.Words;
  for (let from = previous << 1; from < end; from += Member.Words) {
    if (i32[from + Member.Slot] === NOBODY) continue;
    move(slab, at, i32[from + Member.Slot]!, i32[from + Member.Id]!);
  }
  release(slab, previous as BlockRef);
  return true;
}

function move(slab: Slab, at: number, slot: number, id: number): void {
  const place = placeOf(slab, at, slot, id);
  slab.i32[place + Member.Slot] = slot;
  slab.i32[place + Member.Id] = id;
}

/** Returns how many members the key has. */
function checkKey(slab: Slab, key: KeyRef): number {
  const { i32, u8 } = slab;
  const at = key << 1;
  const count = i32[at + Key.Count]!;
  const capacity = i32[at + Key.Capacity]!;
  const hash = hashBytes(u8, (at + Key.Words) << 2, i32[at + Key.KeyBytes]!);
  assert(i32[at + Key.Hash] === hash, 'a tracked key knows its hash');
  if (capacity === 0) {
    assert(count === 1, 'a key without a set has one member');
    return count;
  }
  assert(count > 0 && count * 2 <= capacity, 'a set is at most half full');
  const first = i32[at + Key.Members]! << 1;
  let seen = 0;
  for (let place = first; place < first + capacity * Member.Words; place += Member.Words) {
    const slot = i32[place + Member.Slot]!;
    if (slot === NOBODY) continue;
    assert(placeOf(slab, at, slot, i32[place + Member.Id]!) === place, 'a member is found');
    seen++;
  }
  assert(seen === count, 'a set counts its members');
  return count;
}

assert(Key.Words % 2 === 0 && Member.Words === 2, 'blocks end at a granule');
