// What one thread knows of all partitions, and what it needs for each visit: the time of the visit,
// the recency to stamp, and who hears of keys that come and go.

import type { Slab } from '../slab/slab.js';
import type { Text } from '../types/hash/hash.js';
import { Partition } from './partition.js';
import { clockRecency, type FrequencyScale, freshFrequency, Stamping } from './recency.js';

/** News of the keyspace, wired by the floors above. Called under the partition's lock. */
export interface KeyspaceSinks {
  /** A key expired and was removed, by an access or by the owner. */
  expired(
    partition: Partition,
    database: number,
    u8: Uint8Array,
    start: number,
    length: number,
  ): void;
  /** A key is about to be removed to make room: maxmemory. */
  evicted(
    partition: Partition,
    database: number,
    u8: Uint8Array,
    start: number,
    length: number,
  ): void;
  /**
   * A field of the hash at key u8[start, start + length) expired: it is about to be removed. Once
   * for each; fieldsExpired follows once for the hash.
   */
  fieldExpired(
    partition: Partition,
    u8: Uint8Array,
    start: number,
    length: number,
    field: Text,
  ): void;
  /** Fields of a hash have expired, all of them if `isGone`: then the key goes as well. */
  fieldsExpired(
    partition: Partition,
    u8: Uint8Array,
    start: number,
    length: number,
    isGone: boolean,
  ): void;
  /** A key was created; told only while announcesNew. */
  created(partition: Partition, u8: Uint8Array, start: number, length: number): void;
  /** A read found nothing; told only while announcesMisses. */
  missed(partition: Partition, u8: Uint8Array, start: number, length: number): void;
  /** A snapshot is walking and the bucket, as it is now, must be saved before it changes. */
  saveFirst(partition: Partition, bucket: number): void;
  /** Sessions watch or wait for the key that changed: see Header.Listeners. */
  changed(partition: Partition, u8: Uint8Array, start: number, length: number): void;
  /** Two databases of the partition are about to be swapped. Only where there are listeners. */
  swapping(partition: Partition, first: number, second: number): void;
  /** Of the key that is told there will be another value, or none, once they are swapped. */
  swapped(partition: Partition, u8: Uint8Array, start: number, length: number): void;
}

/** Counters of this thread's look-ups, read by INFO; the words stand in shared memory. */
export const enum Lookup {
  Hits = 0,
  Misses = 1,
  Expired = 2,
  Words = 3,
}

/**
 * Which values of many elements lose their key at once and their memory later, by the parameters
 * lazyfree-lazy-*. UNLINK does it always.
 */
export interface Laziness {
  onDelete: boolean;
  /** When a key gets another value, or loses it to a command that is not about removing. */
  onOverwrite: boolean;
  onExpiry: boolean;
  onEviction: boolean;
}

export class Keyspace {
  readonly partitions: readonly Partition[];
  readonly databaseCount: number;
  /** partitions − 1: the partition of a slot is slot & mask. */
  readonly mask: number;
  /** Milliseconds since 1970 for the current visit. */
  nowMs = 0;
  /** What new entries are stamped with, and accesses nearly always: 24 bits, see recency.ts. */
  recency = 0;
  /** What becomes of accesses now. */
  stamping: Stamping = Stamping.Accesses;
  /** The same, as the eviction policy has it: unless the session says CLIENT NO-TOUCH. */
  policyStamping: Stamping = Stamping.Accesses;
  /** lfu-log-factor and lfu-decay-time. */
  readonly frequencyScale: FrequencyScale = { logFactor: 10, decayMinutes: 1 };
  /**
   * False while base load, replay or a replica's link applies: nothing expires by the clock then.
   */
  expiresByClock = true;
  /**
   * True while clients are paused: a key whose time has come is gone for whoever looks, but stays
   * where it is. Nobody may write then.
   */
  keepsExpired = false;
  /** Does somebody want to hear of every new key, of every miss? */
  announcesNew = false;
  announcesMisses = false;
  readonly freesLater: Laziness = {
    onDelete: false,
    onOverwrite: false,
    onExpiry: false,
    onEviction: false,
  };
  readonly lookups: Float64Array;
  sinks: KeyspaceSinks;

  constructor(slabs: readonly Slab[], databaseCount: number, lookups: Float64Array) {
    this.databaseCount = databaseCount;
    this.mask = slabs.length - 1;
    this.lookups = lookups;
    this.sinks = {
      expired() {},
      evicted() {},
      fieldExpired() {},
      fieldsExpired() {},
      created() {},
      missed() {},
      saveFirst() {},
      changed() {},
      swapping() {},
      swapped() {},
    };
    this.partitions = slabs.map((slab) => new Partition(this, slab));
  }

  /** It is `wallMs` now (milliseconds since 1970), for what comes next. */
  setClock(wallMs: number): void {
    this.nowMs = wallMs;
    this.recency =
      this.policyStamping === Stamping.Counts ? freshFrequency(wallMs) : clockRecency(wallMs);
  }

  /** Notes accesses as the policy wants it, from now on. */
  setStamping(stamping: Stamping): void {
    this.policyStamping = stamping;
    this.stamping = stamping;
    this.setClock(this.nowMs);
  }
}
