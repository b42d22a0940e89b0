// The doors to the entries of one partition: find, edit, create, reshape, remove, and the expiry of
// an entry. All of them run under the partition's lock, in the database that was selected last.
// Lazy expiry, WRONGTYPE and the snapshot's save-first check are decided here and nowhere else.
//
//   database root, 16 words of the slab's header (root.ts)
//   ┌──────────────────────────────┬─────────────────────┬─────────────┬─────────────┬────────┐
//   │ table: directory depth count │ expiry: wheel count │ shrink mark │ cut, walked │ unused │
//   └──────────────────────────────┴─────────────────────┴─────────────┴─────────────┴────────┘
//                                                          see upkeep.ts  snapshot.ts

import { copyBytes } from '../base/bytes.js';
import { hashBytes } from '../base/hash.js';
import type { Slices } from '../base/slices.js';
import { Refusal, WRONG_TYPE } from '../resp/errors.js';
import { reserve } from '../slab/alloc.js';
import { counterOf, DATABASE_WORDS, Header, NONE, type Slab } from '../slab/slab.js';
import {
  bucketAt,
  epochOf,
  expectEntries,
  findInBucket,
  freeTable,
  insert,
  removeRef,
  replaceRef,
  setEpoch,
  shrinkStep,
  TableRoot,
  touchBucket,
} from '../structs/table.js';
import {
  freeDetachedStep,
  freeEntryLater,
  freeEntryNow,
  freeValueLater,
  freeValueNow,
} from './detached.js';
import {
  allocateEntry,
  clearFlag,
  copyInEntry,
  Encoding,
  EntryFlag,
  type EntryRef,
  embeddedBytesOf,
  encodingOf,
  entryBytes,
  expiryHighOf,
  expiryLowOf,
  expiryOf,
  flagsOf,
  hasExpiry,
  hashOfEntry,
  hasKey,
  keyBytesOf,
  keyStartOf,
  liesInEntry,
  placeOf,
  recencyOf,
  releaseEntry,
  roomOfEntry,
  setEmbeddedBytes,
  setFlag,
  setPlace,
  setRecency,
  Type,
  typeOf,
  writeExpiry,
  writeHead,
} from './entry.js';
import {
  addExpiry,
  changedExpiry,
  EXPIRY_RESERVE_BYTES,
  ExpiryRoot,
  freeExpiry,
  movedExpiry,
  removeExpiry,
} from './expire.js';
import { type Keyspace, Lookup } from './keyspace.js';
import { countAccess, Stamping } from './recency.js';
import { Root } from './root.js';

/** Entries or elements to free between two looks at whether there is room now. */
const DETACHED_PER_STEP = 1000;
/**
 * A segment of 2 KiB for 140 keys, where they just do not fit into half as many; and its share of a
 * page and of the directory.
 */
const TABLE_BYTES_PER_KEY = 20;

export class Partition {
  readonly keyspace: Keyspace;
  readonly slab: Slab;
  readonly index: number;
  /** What a full partition answers. */
  readonly full: Refusal;
  /** The selected database and the word index of its root. */
  database = 0;
  rootAt: number = Header.Databases;
  /** The bucket of the last peek, for the edit that follows it. */
  private peeked = 0;
  /** The key that is created next has only changed its value. */
  private isReplacing = false;
  /** What the last peek has found, and for which hash; NONE once it may have moved. */
  private recent: EntryRef = NONE as EntryRef;
  private recentHash = 0;
  /** A command on the key of the last peek, with the lock held since; null for any other. */
  private repeating: Slices | null = null;

  constructor(keyspace: Keyspace, slab: Slab) {
    this.keyspace = keyspace;
    this.slab = slab;
    this.index = slab.index;
    this.full = new Refusal(
      `OOM command not allowed: partition ${slab.index} of ${slab.bytes} bytes is full.`,
    );
  }

  select(database: number): void {
    if (database === this.database) return;
    this.database = database;
    this.rootAt = Header.Databases + database * DATABASE_WORDS;
    // The key stands elsewhere in another database, or nowhere.
    this.recent = NONE as EntryRef;
  }

  /**
   * Says that `args` is a command on the same key as the last one, which held the same lock: its
   * entry is still known. null: that the lock was free in between, or that the key is another.
   */
  repeat(args: Slices | null): void {
    this.repeating = args;
  }

  /** The lock was free: whatever was found before may have been changed by anybody. */
  forget(): void {
    this.recent = NONE as EntryRef;
  }

  /** The entry for word `index`, of `type` or Type.Any, stamped as used; NONE when missing. */
  find(args: Slices, index: number, type: Type): EntryRef {
    const { lookups } = this.keyspace;
    const entry = this.peek(args, index);
    if (entry === NONE) {
      lookups[Lookup.Misses] = lookups[Lookup.Misses]! + 1;
      if (this.keyspace.announcesMisses) this.announceMiss(args, index);
      return entry;
    }
    lookups[Lookup.Hits] = lookups[Lookup.Hits]! + 1;
    const { keyspace } = this;
    if (keyspace.stamping === Stamping.Accesses) setRecency(this.slab, entry, keyspace.recency);
    else this.stampSlowly(entry, false);
    if (type !== Type.Any && typeOf(this.slab, entry) !== type) throw WRONG_TYPE;
    return entry;
  }

  /** As find, for a change of the entry: a walking snapshot has saved it when this returns. */
  edit(args: Slices, index: number, type: Type): EntryRef {
    const entry = this.peek(args, index);
    if (entry === NONE) return entry;
    const { keyspace } = this;
    if (keyspace.stamping === Stamping.Accesses) setRecency(this.slab, entry, keyspace.recency);
    else this.stampSlowly(entry, true);
    if (type !== Type.Any && typeOf(this.slab, entry) !== type) throw WRONG_TYPE;
    this.saveBucketFirst(this.peeked);
    return entry;
  }

  /** Notes an access where it is more, or less, than the second of it. */
  private stampSlowly(entry: EntryRef, isChange: boolean): void {
    const { slab, keyspace } = this;
    const { stamping, recency } = keyspace;
    if (stamping === Stamping.Counts) {
      const counted = countAccess(recencyOf(slab, entry), recency, keyspace.frequencyScale);
      setRecency(slab, entry, counted);
    } else if (stamping === Stamping.Changes && isChange) setRecency(slab, entry, recency);
  }

  /** As find, of any type and without stamping: for commands that only ask about a key. */
  look(args: Slices, index: number): EntryRef {
    const entry = this.lookQuietly(args, index);
    if (entry === NONE && this.keyspace.announcesMisses) this.announceMiss(args, index);
    return entry;
  }

  /** As look, but nobody is notified of a miss. */
  lookQuietly(args: Slices, index: number): EntryRef {
    const { lookups } = this.keyspace;
    const entry = this.peek(args, index);
    const at = entry === NONE ? Lookup.Misses : Lookup.Hits;
    lookups[at] = lookups[at]! + 1;
    return entry;
  }

  /** The key at word `index` was asked for and is not there. Only while announcesMisses. */
  announceMiss(args: Slices, index: number): void {
    this.keyspace.sinks.missed(this, args.u8, args.startOf(index), args.lengthOf(index));
  }

  private announceNew(args: Slices, index: number): void {
    const { isReplacing } = this;
    this.isReplacing = false;
    if (isReplacing) return;
    this.keyspace.sinks.created(this, args.u8, args.startOf(index), args.lengthOf(index));
  }

  /** As find, but leaves no trace of the access; an expired entry is removed and counts as none. */
  peek(args: Slices, index: number): EntryRef {
    const hash = args.hashes[index]!;
    const { slab } = this;
    if (this.repeating === args && this.recent !== NONE && this.recentHash === hash) {
      return hasExpiry(slab, this.recent) ? this.unlessExpired(this.recent) : this.recent;
    }
    // Whatever comes of this, what was found before it is forgotten.
    this.recent = NONE as EntryRef;
    const bucket = bucketAt(slab, this.rootAt, hash);
    if (bucket === 0) return NONE as EntryRef;
    this.peeked = bucket;
    const entry = findInBucket(
      slab,
      bucket,
      hash,
      hasKey,
      args.u8,
      args.startOf(index),
      args.lengthOf(index),
    ) as EntryRef;
    this.recent = entry;
    this.recentHash = hash;
    if (entry !== NONE && hasExpiry(slab, entry)) return this.unlessExpired(entry);
    return entry;
  }

  /**
   * For the touch pass of a pipeline, without the lock: where the bucket of `hash` is. Only a hint,
   * see structs/table.ts.
   */
  touchBucket(database: number, hash: number): number {
    const rootAt = Header.Databases + database * DATABASE_WORDS;
    return touchBucket(this.slab, rootAt, hash, this.slab.wordMask);
  }

  /** As find, but an expired entry stays where it is, and nothing is refused: for parts. */
  findQuietly(args: Slices, index: number): EntryRef {
    const { slab } = this;
    const hash = args.hashes[index]!;
    const bucket = bucketAt(slab, this.rootAt, hash);
    if (bucket === 0) return NONE as EntryRef;
    const start = args.startOf(index);
    const length = args.lengthOf(index);
    const entry = findInBucket(slab, bucket, hash, hasKey, args.u8, start, length) as EntryRef;
    if (entry === NONE || this.isExpired(entry)) return NONE as EntryRef;
    const { keyspace } = this;
    if (keyspace.stamping === Stamping.Accesses) setRecency(slab, entry, keyspace.recency);
    else this.stampSlowly(entry, false);
    return entry;
  }

  /** The entry that is there for word `index`, even if its time is over; leaves no trace. */
  standing(args: Slices, index: number): EntryRef {
    const { slab } = this;
    const hash = args.hashes[index]!;
    const bucket = bucketAt(slab, this.rootAt, hash);
    if (bucket === 0) return NONE as EntryRef;
    const start = args.startOf(index);
    const length = args.lengthOf(index);
    return findInBucket(slab, bucket, hash, hasKey, args.u8, start, length) as EntryRef;
  }

  private unlessExpired(entry: EntryRef): EntryRef {
    if (!this.isExpired(entry)) return entry;
    this.expire(entry);
    return NONE as EntryRef;
  }

  isExpired(entry: EntryRef): boolean {
    const { keyspace } = this;
    if (!keyspace.expiresByClock || !hasExpiry(this.slab, entry)) return false;
    return expiryOf(this.slab, entry) <= keyspace.nowMs;
  }

  /** Removes an entry because its time has come, and says so. */
  expire(entry: EntryRef): void {
    const { slab, keyspace } = this;
    if (keyspace.keepsExpired) return;
    const start = keyStartOf(slab, entry);
    const length = keyBytesOf(slab, entry);
    const hash = hashBytes(slab.u8, start, length);
    keyspace.lookups[Lookup.Expired] = keyspace.lookups[Lookup.Expired]! + 1;
    // The sinks read the key where it stands: before its block is freed.
    keyspace.sinks.expired(this, this.database, slab.u8, start, length);
    if (slab.i32[Header.Listeners] !== 0) {
      keyspace.sinks.changed(this, slab.u8, start, length);
    }
    this.saveFirst(hash);
    this.unlink(entry, hash, keyspace.freesLater.onExpiry);
  }

  /** Removes an entry to make room, and says so. */
  evict(entry: EntryRef): void {
    const { slab, keyspace } = this;
    const start = keyStartOf(slab, entry);
    const length = keyBytesOf(slab, entry);
    const hash = hashBytes(slab.u8, start, length);
    // As in expire: while the key still stands there.
    keyspace.sinks.evicted(this, this.database, slab.u8, start, length);
    if (slab.i32[Header.Listeners] !== 0) {
      keyspace.sinks.changed(this, slab.u8, start, length);
    }
    this.saveFirst(hash);
    this.unlink(entry, hash, keyspace.freesLater.onEviction);
    this.freeEmpty();
  }

  /** What an empty database keeps of table and index goes at once: its memory is wanted. */
  private freeEmpty(): void {
    const { slab } = this;
    if (slab.i32[this.expiryRoot + ExpiryRoot.Count] === 0) freeExpiry(slab, this.expiryRoot);
    if (slab.i32[this.tableRoot + TableRoot.Count] === 0) shrinkStep(slab, this.tableRoot, 0);
  }

  /**
   * About `count` keys are going to come to the selected database, which is empty: its table is
   * made for them at once, instead of growing with each. Does nothing where there is no room.
   */
  expect(count: number): void {
    const { slab } = this;
    if (slab.i32[this.tableRoot + TableRoot.Directory] !== NONE) return;
    if (!reserve(slab, count * TABLE_BYTES_PER_KEY)) return;
    expectEntries(slab, this.tableRoot, count, slab.i32[Header.Epoch]!);
  }

  /** Refuses with -OOM unless a change that allocates a block of `bytes` can go through. */
  reserve(bytes: number): void {
    if (!reserve(this.slab, bytes + EXPIRY_RESERVE_BYTES)) this.reserveSlowly(bytes);
  }

  /** What is detached is room as well: its keys are gone, only freeing it was put off. */
  private reserveSlowly(bytes: number): void {
    const { slab } = this;
    for (let isLast = false; !isLast; ) {
      isLast = freeDetachedStep(slab, DETACHED_PER_STEP);
      if (reserve(slab, bytes + EXPIRY_RESERVE_BYTES)) return;
    }
    throw this.full;
  }

  /**
   * A new entry for word `index`, which must not exist: head and key written, payload or value not.
   * Memory was reserved.
   */
  create(
    args: Slices,
    index: number,
    type: Type,
    encoding: Encoding,
    valueBytes: number,
    flags: number,
  ): EntryRef {
    const { slab, keyspace } = this;
    const hash = args.hashes[index]!;
    const keyBytes = args.lengthOf(index);
    this.saveFirst(hash);
    const block = allocateEntry(
      slab,
      entryBytes(encoding, keyBytes, valueBytes, (flags & EntryFlag.HasExpiry) !== 0),
    );
    const entry = writeHead(
      slab,
      block,
      type,
      encoding,
      keyBytes,
      valueBytes,
      flags,
      keyspace.recency,
    );
    copyBytes(args.u8, args.startOf(index), slab.u8, keyStartOf(slab, entry), keyBytes);
    const epoch = slab.i32[Header.Epoch]!;
    insert(slab, this.rootAt + Root.Table, hash, entry, hashOfEntry, epoch);
    if (keyspace.announcesNew) this.announceNew(args, index);
    return entry;
  }

  /**
   * Gives an entry another encoding, value length or room for an expiry. Its key, expiry (when it
   * keeps one), recency and flags stay; payload and value are undefined afterwards. `hash` is the
   * key's. The entry may move: use what is returned. Memory was reserved.
   */
  reshape(
    entry: EntryRef,
    hash: number,
    type: Type,
    encoding: Encoding,
    valueBytes: number,
    isVolatile: boolean,
  ): EntryRef {
    const { slab } = this;
    const wasVolatile = hasExpiry(slab, entry);
    if (wasVolatile === isVolatile && this.fits(entry, type, encoding, valueBytes)) {
      if (encoding === Encoding.Embedded) setEmbeddedBytes(slab, entry, valueBytes);
      return entry;
    }
    const keyBytes = keyBytesOf(slab, entry);
    const flags =
      (flagsOf(slab, entry) & ~EntryFlag.HasExpiry) | (isVolatile ? EntryFlag.HasExpiry : 0);
    const block = allocateEntry(slab, entryBytes(encoding, keyBytes, valueBytes, isVolatile));
    const moved = writeHead(
      slab,
      block,
      type,
      encoding,
      keyBytes,
      valueBytes,
      flags & ~EntryFlag.LongKey,
      recencyOf(slab, entry),
    );
    copyBytes(slab.u8, keyStartOf(slab, entry), slab.u8, keyStartOf(slab, moved), keyBytes);
    const rootAt = this.rootAt + Root.Expiry;
    if (wasVolatile && isVolatile) {
      writeExpiry(slab, moved, expiryLowOf(slab, entry), expiryHighOf(slab, entry));
      setPlace(slab, moved, placeOf(slab, entry));
      movedExpiry(slab, moved);
    } else if (wasVolatile) {
      removeExpiry(slab, rootAt, entry);
    }
    this.replace(hash, entry, moved);
    return moved;
  }

  /** An entry stands in another block now. */
  private replace(hash: number, entry: EntryRef, moved: EntryRef): void {
    const { slab } = this;
    this.recent = NONE as EntryRef;
    replaceRef(slab, bucketAt(slab, this.rootAt, hash), entry, moved);
    releaseEntry(slab, entry);
  }

  /** Can the entry take this shape in its own block, without wasting more than half of it? */
  private fits(entry: EntryRef, type: Type, encoding: Encoding, valueBytes: number): boolean {
    const { slab } = this;
    if (encodingOf(slab, entry) !== encoding || typeOf(slab, entry) !== type) return false;
    if (encoding !== Encoding.Embedded) return true;
    if (embeddedBytesOf(slab, entry) === valueBytes) return true;
    const bytes = entryBytes(encoding, keyBytesOf(slab, entry), valueBytes, hasExpiry(slab, entry));
    const room = roomOfEntry(slab, entry);
    return bytes <= room && bytes * 2 >= room;
  }

  /**
   * Sets the expiry to (high, low) ms since 1970. An entry without room for one moves: its payload
   * or value is copied along. Use what is returned. Memory was reserved.
   */
  setExpiry(entry: EntryRef, hash: number, low: number, high: number): EntryRef {
    const { slab } = this;
    const rootAt = this.rootAt + Root.Expiry;
    if (hasExpiry(slab, entry)) {
      writeExpiry(slab, entry, low, high);
      changedExpiry(slab, rootAt, entry);
      return entry;
    }
    const moved = this.move(entry, hash, true);
    this.startExpiry(moved, low, high);
    return moved;
  }

  /**
   * The first expiry of an entry that was just created or reshaped with room for one: until now it
   * stands in no index. Memory was reserved.
   */
  startExpiry(entry: EntryRef, low: number, high: number): void {
    writeExpiry(this.slab, entry, low, high);
    addExpiry(this.slab, this.rootAt + Root.Expiry, entry, this.keyspace.nowMs);
  }

  /** Makes a volatile entry persistent. It moves: use what is returned. Memory was reserved. */
  dropExpiry(entry: EntryRef, hash: number): EntryRef {
    if (!hasExpiry(this.slab, entry)) return entry;
    return this.move(entry, hash, false);
  }

  /** Copies the whole entry into a block with or without room for an expiry. */
  private move(entry: EntryRef, hash: number, isVolatile: boolean): EntryRef {
    const { slab } = this;
    const encoding = encodingOf(slab, entry);
    const valueBytes = embeddedBytesOf(slab, entry);
    const keyBytes = keyBytesOf(slab, entry);
    const flags =
      (flagsOf(slab, entry) & ~EntryFlag.HasExpiry) | (isVolatile ? EntryFlag.HasExpiry : 0);
    const block = allocateEntry(slab, entryBytes(encoding, keyBytes, valueBytes, isVolatile));
    const moved = writeHead(
      slab,
      block,
      typeOf(slab, entry),
      encoding,
      keyBytes,
      valueBytes,
      flags & ~EntryFlag.LongKey,
      recencyOf(slab, entry),
    );
    // Payload (8 bytes, where there is one) and key stand together in both.
    const payloadBytes = liesInEntry(encoding) ? 0 : 8;
    copyBytes(
      slab.u8,
      keyStartOf(slab, entry) - payloadBytes,
      slab.u8,
      keyStartOf(slab, moved) - payloadBytes,
      payloadBytes + keyBytes,
    );
    if (payloadBytes === 0) copyInEntry(slab, entry, slab, moved);
    if (!isVolatile) removeExpiry(slab, this.rootAt + Root.Expiry, entry);
    this.replace(hash, entry, moved);
    return moved;
  }

  /**
   * Removes the entry for word `index`, which `edit` or `peek` has found, with its value: because
   * another value comes in its place, or none is left.
   */
  remove(args: Slices, index: number, entry: EntryRef): void {
    this.removeFor(args, index, entry, this.keyspace.freesLater.onOverwrite);
  }

  /** As remove, of a key that is created again at once: it is not told as new. */
  makeWay(args: Slices, index: number, entry: EntryRef): void {
    this.isReplacing = this.keyspace.announcesNew;
    this.remove(args, index, entry);
  }

  /** As remove; a value of many elements is freed later or at once. */
  removeFor(args: Slices, index: number, entry: EntryRef, isLater: boolean): void {
    const hash = args.hashes[index]!;
    this.saveFirst(hash);
    this.unlink(entry, hash, isLater);
  }

  /** As remove, for an entry that a walk has found and that has no elements any more. */
  removeEmpty(entry: EntryRef, hash: number): void {
    this.saveFirst(hash);
    this.unlink(entry, hash, false);
  }

  /** As remove, but what the entry refers to lives on: it has another owner now. */
  removeHead(args: Slices, index: number, entry: EntryRef): void {
    const hash = args.hashes[index]!;
    this.saveFirst(hash);
    this.takeOut(entry, hash);
    releaseEntry(this.slab, entry);
  }

  /**
   * Takes the entry for word `index` to another database, where its key must not exist, and selects
   * that database. The entry stays where it is. Memory was reserved.
   */
  moveTo(args: Slices, index: number, entry: EntryRef, database: number): void {
    const { slab } = this;
    const hash = args.hashes[index]!;
    this.saveFirst(hash);
    this.takeOut(entry, hash);
    this.select(database);
    this.saveFirst(hash);
    const epoch = slab.i32[Header.Epoch]!;
    insert(slab, this.rootAt + Root.Table, hash, entry, hashOfEntry, epoch);
    if (this.keyspace.announcesNew) this.announceNew(args, index);
    if (!hasExpiry(slab, entry)) return;
    addExpiry(slab, this.rootAt + Root.Expiry, entry, this.keyspace.nowMs);
  }

  private unlink(entry: EntryRef, hash: number, isLater: boolean): void {
    this.takeOut(entry, hash);
    if (isLater) freeEntryLater(this.slab, entry);
    else freeEntryNow(this.slab, entry);
  }

  /** Takes an entry out of table and expiry index; its block stays. */
  private takeOut(entry: EntryRef, hash: number): void {
    const { slab } = this;
    this.recent = NONE as EntryRef;
    if (hasExpiry(slab, entry)) removeExpiry(slab, this.rootAt + Root.Expiry, entry);
    removeRef(slab, this.rootAt + Root.Table, bucketAt(slab, this.rootAt, hash), entry);
  }

  /** Frees what the entry refers to, for an entry that gets another value. */
  freeValue(entry: EntryRef): void {
    if (this.keyspace.freesLater.onOverwrite) freeValueLater(this.slab, entry);
    else freeValueNow(this.slab, entry);
  }

  /** Marks a string as changed in place, or not. */
  markRaw(entry: EntryRef, isRaw: boolean): void {
    if (isRaw) setFlag(this.slab, entry, EntryFlag.Raw);
    else clearFlag(this.slab, entry, EntryFlag.Raw);
  }

  /** Before a bucket changes: a walking snapshot that has not been here yet saves it. */
  saveFirst(hash: number): void {
    const bucket = bucketAt(this.slab, this.rootAt, hash);
    if (bucket !== 0) this.saveBucketFirst(bucket);
  }

  private saveBucketFirst(bucket: number): void {
    const { slab } = this;
    const epoch = slab.i32[Header.Epoch]!;
    if (epochOf(slab, bucket) === epoch) return;
    this.keyspace.sinks.saveFirst(this, bucket);
    setEpoch(slab, bucket, epoch);
    slab.i32[Header.SavedFirst] = slab.i32[Header.SavedFirst]! + 1;
  }

  /** Keys in a database, and how many of them have an expiry; may be read without the lock. */
  countOf(database: number): number {
    const at = Header.Databases + database * DATABASE_WORDS + Root.Table + TableRoot.Count;
    return counterOf(this.slab, at);
  }

  volatileCountOf(database: number): number {
    const at = Header.Databases + database * DATABASE_WORDS + Root.Expiry + ExpiryRoot.Count;
    return counterOf(this.slab, at);
  }

  /**
   * The number that the selected database had at the cut of the snapshot that has yet to walk
   * through it; -1 for none.
   */
  get databaseAtCut(): number {
    return this.slab.i32[this.rootAt + Root.Cut]! - 1;
  }

  /** Word index of the selected database's table root and expiry root. */
  get tableRoot(): number {
    return this.rootAt + Root.Table;
  }

  get expiryRoot(): number {
    return this.rootAt + Root.Expiry;
  }

  /** Word index of the number of keys at which the table was last found dense, see upkeep.ts. */
  get shrinkMark(): number {
    return this.rootAt + Root.ShrinkMark;
  }

  /** Frees table and index of the selected database; the entries are freed by the caller. */
  freeRoots(): void {
    this.recent = NONE as EntryRef;
    freeExpiry(this.slab, this.expiryRoot);
    freeTable(this.slab, this.tableRoot);
  }
}
