// Loads an RDB file into a keyspace, in steps of some milliseconds, so that the thread that does it
// can turn to other things in between. Strings, which most keys of large datasets are, take a short
// road that allocates nothing; all else is built beside the keyspace first, see read.ts.

import type { Clock } from '../base/clock.js';
import { keySlot } from '../base/crc.js';
import { hashBytes } from '../base/hash.js';
import { Slices } from '../base/slices.js';
import { type EntryRef, setRecency } from '../keyspace/entry.js';
import type { Keyspace } from '../keyspace/keyspace.js';
import type { Partition } from '../keyspace/partition.js';
import { putString, putStringUntil, stringReserve } from '../keyspace/strings.js';
import { type Holder, releaseLock, takeLock } from '../slab/lock.js';
import { Header, NONE } from '../slab/slab.js';
import { Building } from './building.js';
import { Found, isEmptyValue, RdbFileReader } from './file-read.js';
import type { FileSource } from './file-source.js';
import { RdbType } from './rdb-type.js';
import { readValue, reserveStore, storeValue } from './read.js';
import { skipValue } from './skip.js';
import { BATCH_STRINGS, type BatchedString, StringBatch } from './string-batch.js';
import { type RdbText, skipText } from './strings.js';

export interface LoadOptions {
  readonly keyspace: Keyspace;
  readonly clock: Clock;
  /** Takes the lock of each key's partition; null: the caller holds all of them. */
  readonly holder: Holder | null;
  /**
   * Keys that expired before now: left out, as a primary does; or kept, because what follows (a
   * log) says itself when they go.
   */
  readonly expired: 'skip' | 'keep';
  /** A key that is there already is a broken file, or gives way to the one of the file. */
  readonly duplicates: 'refuse' | 'replace';
  /** The checksum at the end of the file counts. */
  readonly checksums: boolean;
  /** The eviction policy is one of LFU: recency is minutes and a counter. */
  readonly isLfu: boolean;
  /** Something that whoever runs the server should know. */
  warn(line: string): void;
  /** Where several load the same file at the same time: the share that this one loads. */
  readonly lane?: Lane;
}

/**
 * The keys of every partition whose index leaves `index` when divided by `count`. Keys of others
 * are passed over. So each lane reads the whole file, but builds its share of it alone, and two
 * never want the same lock: reading costs a seventh of building, and nothing is handed over.
 */
export interface Lane {
  readonly index: number;
  readonly count: number;
}

/** What a string costs between two looks at the clock, and what bytes of other values do. */
const LOOK_EVERY = 256;
const BYTES_PER_COST = 64;
/** A string from here on is stored at once, and its memory given back. */
const LONG_BYTES = 16 * 1024;
/** The smallest key: type, length and a byte each of key and value. */
const KEY_BYTES_MIN = 4;
/** What a key that is passed over costs. */
const PASS_COST = 0.2;
/** Tables grow by themselves to so many keys soon enough. */
const EXPECTED_KEYS_MIN = 1000;
const NOT_EXPECTING = -1;
const RECENCY_MASK = 0xffffff;
const MINUTES_MASK = 0xffff;
const MINUTE_MS = 60_000;
const COUNTER_BITS = 8;
const TWO_32 = 2 ** 32;

export class RdbLoad {
  /** Facts that the file tells about itself: redis-ver, ctime, used-mem, repl-id, aof-base, … */
  readonly facts = new Map<string, string>();
  /** The code of each library of functions, for the one who can load them. */
  readonly functions: Uint8Array[] = [];
  keysLoaded = 0;
  /** Keys that had expired, and keys of collections without elements: left out. */
  keysExpired = 0;
  keysEmpty = 0;
  /** The source behind the end of the file: a log may follow there. */
  readonly source: FileSource;
  private readonly reader: RdbFileReader;
  private readonly options: LoadOptions;
  private readonly building = new Building();
  private readonly batch: StringBatch;
  private readonly args = new Slices();
  private readonly until = { low: 0, high: 0 };
  /** For each partition: 1 if its keys are loaded here. */
  private readonly isOwn: Uint8Array;
  /** The partition whose table is made next, and for how many keys. */
  private expectingFrom = NOT_EXPECTING;
  private expectedKeys = 0;
  private isOpen = false;
  private isEnded = false;
  private wasAnnouncing = false;

  /** `source` stands where the RDB begins; one that a log begins with ends before the file does. */
  constructor(source: FileSource, options: LoadOptions) {
    this.options = options;
    this.reader = new RdbFileReader(source, options.checksums);
    this.source = source;
    this.batch = new StringBatch(options.keyspace);
    const { index = 0, count = 1 } = options.lane ?? {};
    this.isOwn = Uint8Array.from(options.keyspace.partitions, (_, partition) =>
      partition % count === index ? 1 : 0,
    );
    this.args.count = 1;
  }

  get bytesRead(): number {
    return this.source.position;
  }

  get bytesTotal(): number {
    return this.source.bytesTotal;
  }

  /** The version of the format, known after the first step. */
  get version(): number {
    return this.reader.version;
  }

  /**
   * Goes on for about `budgetMs`; true when all is loaded. A large value is read in one piece. An
   * RdbFileError says what is wrong with the file; what was loaded until then stays.
   */
  step(budgetMs: number): boolean {
    const { keyspace, clock } = this.options;
    const startMs = clock.monotonicMs();
    const wallMs = Math.floor(clock.wallAt(startMs));
    keyspace.setClock(wallMs);
    // Keys that come from a file are not new to anybody.
    this.wasAnnouncing = keyspace.announcesNew;
    keyspace.announcesNew = false;
    try {
      while (!this.isEnded) {
        if (this.expectingFrom === NOT_EXPECTING) this.run(LOOK_EVERY);
        else this.expectNext();
        if (clock.monotonicMs() - startMs >= budgetMs) break;
      }
    } finally {
      keyspace.announcesNew = this.wasAnnouncing;
    }
    return this.isEnded;
  }

  /** Loads keys that cost about `budget`. */
  private run(budget: number): void {
    const { reader, source, batch, isOwn } = this;
    const { mask } = this.options.keyspace;
    if (!this.isOpen) {
      this.isOpen = true;
      reader.open();
    }
    for (let left = budget; left > 0; ) {
      reader.key = batch.next.key;
      const found = reader.next();
      let partition = 0;
      if (found === Found.Key) {
        const { u8, start, length } = reader.key;
        partition = keySlot(u8, start, length) & mask;
        if (isOwn[partition] === 0) {
          this.pass();
          left -= PASS_COST;
          continue;
        }
        if (reader.type === RdbType.String) {
          this.readString(partition);
          left--;
          continue;
        }
      }
      this.storeBatch();
      if (found === Found.Key) {
        const before = source.position;
        this.loadValue(partition);
        left -= 1 + (source.position - before) / BYTES_PER_COST;
      } else if (found === Found.End) {
        this.isEnded = true;
        return;
      } else {
        this.take(found);
        if (this.expectingFrom !== NOT_EXPECTING) return;
      }
    }
    this.storeBatch();
  }

  private take(found: Found): void {
    const { reader, options } = this;
    if (found === Found.Fact) this.facts.set(reader.name, reader.text);
    else if (found === Found.Functions) this.functions.push(Buffer.from(reader.text, 'latin1'));
    else if (found === Found.ModuleData) {
      options.warn(
        `The data that the module '${reader.name}' has left in the file are passed over`,
      );
    } else if (found === Found.Database) {
      const { databaseCount } = options.keyspace;
      if (reader.database < databaseCount) {
        this.expect();
        return;
      }
      throw reader.broken(
        `it has keys in database ${reader.database}, and this server has ${databaseCount} ` +
          'databases: start it with more of them',
      );
    }
  }

  /** The file has said how many keys come: no more than its bytes can be. */
  private expect(): void {
    const { reader, source } = this;
    const { partitions } = this.options.keyspace;
    const possible = Math.floor((source.bytesTotal - source.position) / KEY_BYTES_MIN);
    const keys = Math.floor(Math.min(reader.keys, possible) / partitions.length);
    this.expectedKeys = keys;
    if (keys >= EXPECTED_KEYS_MIN) this.expectingFrom = 0;
  }

  /** Makes the next partition's table for the keys that are expected: that takes a while. */
  private expectNext(): void {
    const { keyspace } = this.options;
    const partition = keyspace.partitions[this.expectingFrom++]!;
    if (this.isOwn[partition.index] !== 0) this.expectIn(partition);
    if (this.expectingFrom === keyspace.partitions.length) this.expectingFrom = NOT_EXPECTING;
  }

  private expectIn(partition: Partition): void {
    const { holder } = this.options;
    const words = partition.slab.i32;
    if (holder !== null) takeLock(words, Header.Lock, holder);
    partition.select(this.reader.database);
    partition.expect(this.expectedKeys);
    if (holder !== null) releaseLock(words, Header.Lock);
  }

  /** The partition of a key, locked and in the key's database, and `args` with the key. */
  private enter(
    u8: Uint8Array,
    start: number,
    length: number,
    hash: number,
    index: number,
    database: number,
  ): Partition {
    const { args } = this;
    const { keyspace, holder } = this.options;
    args.u8 = u8;
    args.starts[0] = start;
    args.lengths[0] = length;
    args.hashes[0] = hash;
    const partition = keyspace.partitions[index]!;
    if (holder !== null) takeLock(partition.slab.i32, Header.Lock, holder);
    partition.forget();
    partition.select(database);
    return partition;
  }

  private release(partition: Partition): void {
    if (this.options.holder !== null) releaseLock(partition.slab.i32, Header.Lock);
  }

  /** Has the key that was found expired? Then it is not loaded. */
  private isOver(): boolean {
    const { reader, options } = this;
    if (!reader.hasExpiry || options.expired === 'keep') return false;
    // As Redis has it: not when the very millisecond has come, but when it is over.
    return reader.expiryHigh * TWO_32 + (reader.expiryLow >>> 0) < options.keyspace.nowMs;
  }

  /** The key that was found is another lane's. */
  private pass(): void {
    const { reader, source } = this;
    try {
      if (reader.type === RdbType.String) skipText(source);
      else skipValue(source, reader.type);
    } catch (thrown) {
      throw reader.refused(thrown);
    }
    if (reader.key.length > LONG_BYTES) reader.key.release();
  }

  private readString(partition: number): void {
    const { reader, batch } = this;
    const string = batch.next;
    string.partition = partition;
    try {
      string.value.read(reader.source);
    } catch (thrown) {
      throw reader.refused(thrown);
    }
    if (this.isOver()) {
      this.keysExpired++;
      return;
    }
    batch.database = reader.database;
    string.hasExpiry = reader.hasExpiry;
    string.expiryLow = reader.expiryLow;
    string.expiryHigh = reader.expiryHigh;
    string.idleSeconds = reader.idleSeconds;
    string.frequency = reader.frequency;
    string.position = reader.source.position;
    batch.count++;
    // What was decompressed stands in memory of its own: it is not to pile up.
    const isLong = string.value.length > LONG_BYTES || string.key.length > LONG_BYTES;
    if (batch.count === BATCH_STRINGS || isLong) this.storeBatch();
    if (isLong) {
      string.value.release();
      string.key.release();
    }
  }

  /** Stores the strings that were read. */
  private storeBatch(): void {
    const { batch, reader } = this;
    const { count } = batch;
    if (count === 0) return;
    batch.place();
    for (let index = 0; index < count; index++) {
      const string = batch.strings[index]!;
      const { u8, start, length } = string.key;
      const partition = this.enter(
        u8,
        start,
        length,
        string.hash,
        string.partition,
        batch.database,
      );
      try {
        this.storeString(partition, string);
      } catch (thrown) {
        reader.key = string.key;
        reader.database = batch.database;
        throw reader.refused(thrown, string.position);
      } finally {
        this.release(partition);
      }
    }
    this.keysLoaded += count;
    batch.count = 0;
  }

  private storeString(partition: Partition, string: BatchedString): void {
    const { args } = this;
    this.makeWay(partition, string.key, string.position);
    const { u8, start, length } = string.value;
    partition.reserve(stringReserve(args.lengthOf(0), length));
    const none = NONE as EntryRef;
    if (!string.hasExpiry) {
      const entry = putString(partition, args, 0, none, u8, start, length, false);
      this.stamp(partition, entry, string.idleSeconds, string.frequency);
      return;
    }
    const { expiryLow: low, expiryHigh: high } = string;
    const entry = putStringUntil(partition, args, 0, none, u8, start, length, low, high);
    this.stamp(partition, entry, string.idleSeconds, string.frequency);
  }

  /** A key of the same name is an error of the file, or goes. */
  private makeWay(partition: Partition, key: RdbText, position: number): void {
    const { args, reader } = this;
    const there = partition.standing(args, 0);
    if (there === NONE) return;
    if (this.options.duplicates === 'refuse') {
      reader.key = key;
      reader.database = partition.database;
      throw reader.broken(`${reader.keyName()} is there twice`, position);
    }
    partition.remove(args, 0, there);
  }

  private loadValue(index: number): void {
    const { reader, building, args, until } = this;
    const { u8, start, length } = reader.key;
    const hash = hashBytes(u8, start, length);
    const partition = this.enter(u8, start, length, hash, index, reader.database);
    try {
      readValue(reader.source, reader.type, building, partition, args.hashes[0]!);
      if (this.isOver()) {
        building.drop();
        building.end();
        this.keysExpired++;
        return;
      }
      reserveStore(building, args.lengthOf(0));
      this.makeRoomFor(partition);
      until.low = reader.expiryLow;
      until.high = reader.expiryHigh;
      const entry = storeValue(building, partition, args, 0, reader.hasExpiry ? until : null);
      this.stamp(partition, entry, reader.idleSeconds, reader.frequency);
      this.keysLoaded++;
    } catch (thrown) {
      if (!isEmptyValue(thrown)) throw reader.refused(thrown);
      this.keysEmpty++;
    } finally {
      this.release(partition);
    }
  }

  /** As makeWay, when a value is built already. */
  private makeRoomFor(partition: Partition): void {
    try {
      this.makeWay(partition, this.reader.key, this.source.position);
    } catch (thrown) {
      this.building.drop();
      this.building.end();
      throw thrown;
    }
  }

  /** What the file says of the key's use, if it is what the eviction policy looks at. */
  private stamp(
    partition: Partition,
    entry: EntryRef,
    idleSeconds: number,
    frequency: number,
  ): void {
    if (idleSeconds < 0 && frequency < 0) return;
    const { nowMs, recency } = this.options.keyspace;
    if (this.options.isLfu) {
      if (frequency < 0) return;
      const minutes = Math.floor(nowMs / MINUTE_MS) & MINUTES_MASK;
      setRecency(partition.slab, entry, (minutes << COUNTER_BITS) | frequency);
    } else if (idleSeconds >= 0) {
      const idle = Math.min(idleSeconds, RECENCY_MASK);
      setRecency(partition.slab, entry, (recency - idle) & RECENCY_MASK);
    }
  }
}
