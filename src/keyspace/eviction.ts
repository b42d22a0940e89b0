// Which key goes when memory is full. By sampling, as in Redis: of a partition drawn by chance some
// entries, drawn by chance, go into a pool of the best candidates seen so far, and the best of the
// pool is evicted. So one lock is held at a time, all partitions and databases give in proportion
// to what they hold, and the choice is about that of a true order by age or frequency: a candidate
// that was not taken stays for the next rounds.
//
// The pool refers to an entry by its ref and its hash. Both may be out of date when its turn comes:
// it counts only if the table still has that ref under that hash (then the block is that of a
// living entry), and if it is still as good a candidate as it was. Under volatile-ttl no chance is
// needed within a partition: its expiry index knows what is next.
//
//   pool: CANDIDATES places, ascending by score, the best last
//   ┌───────────┬──────────┬──────┬─────┬───────┐
//   │ partition │ database │ hash │ ref │ score │
//   └───────────┴──────────┴──────┴─────┴───────┘

import { Prng } from '../base/prng.js';
import { NONE } from '../slab/slab.js';
import { hasRef, randomRef } from '../structs/table.js';
import { someRefs } from '../structs/table-walk.js';
import { type EntryRef, expiryOf, hasExpiry, hashOfEntry, recencyOf } from './entry.js';
import { randomVolatile, soonestEntry } from './expire.js';
import type { Keyspace } from './keyspace.js';
import type { Partition } from './partition.js';
import { frequencyOf, idleSeconds, Stamping } from './recency.js';

/** What makes a key a good candidate. */
export const enum Measure {
  /** Nothing does: maxmemory-policy noeviction. */
  None = 0,
  /** Seconds without use, or without change: LRU and LRM. */
  Idle = 1,
  /** How seldom it is used: LFU. */
  Rarity = 2,
  Chance = 3,
  /** How soon it expires. */
  Expiry = 4,
}

export interface EvictionPolicy {
  readonly measure: Measure;
  /** Only keys with an expiry go. */
  readonly isVolatile: boolean;
  readonly stamping: Stamping;
}

const MEASURES: Readonly<Record<string, Measure>> = {
  lru: Measure.Idle,
  lrm: Measure.Idle,
  lfu: Measure.Rarity,
  random: Measure.Chance,
  ttl: Measure.Expiry,
};

/** The policy by its name in maxmemory-policy. */
export function evictionPolicy(name: string): EvictionPolicy {
  const [scope, kind = ''] = name.split('-');
  let stamping = Stamping.Accesses;
  if (kind === 'lfu') stamping = Stamping.Counts;
  else if (kind === 'lrm') stamping = Stamping.Changes;
  return {
    measure: MEASURES[kind] ?? Measure.None,
    isVolatile: scope === 'volatile',
    stamping,
  };
}

const CANDIDATES = 16;
/** The most that is sampled at once, whatever maxmemory-samples says. */
const DRAWN_MAX = 64;
/** How long the counts of keys are taken for true, in draws. */
const DRAWS_PER_COUNT = 256;
/** From so large a share of volatile keys on they are found among all keys, else in their index. */
const RARE_SHIFT = 4;
const RARE_TRIES = 64;
/** Frequencies are below 256: the rarer, the better. */
const FREQUENCY_MAX = 255;

export class Evictor {
  policy: EvictionPolicy = evictionPolicy('noeviction');
  /** maxmemory-samples. */
  samples = 5;
  private readonly keyspace: Keyspace;
  // The databases that hold something to evict: partition, database, how many keys.
  private readonly partitions: Int32Array;
  private readonly databases: Int32Array;
  private readonly counts: Float64Array;
  private databaseCount = 0;
  private keyCount = 0;
  private drawsLeft = 0;
  // The pool.
  private readonly poolPartitions = new Int32Array(CANDIDATES);
  private readonly poolDatabases = new Int32Array(CANDIDATES);
  private readonly poolHashes = new Int32Array(CANDIDATES);
  private readonly poolRefs = new Int32Array(CANDIDATES);
  private readonly poolScores = new Float64Array(CANDIDATES);
  private poolCount = 0;
  private readonly drawn = new Int32Array(DRAWN_MAX);
  /** What the loads gave, kept so that they cannot be left out. */
  seen = 0;
  private readonly chance = Prng.fromEntropy();
  private readonly draw = (below: number): number => this.chance.below(below);

  constructor(keyspace: Keyspace) {
    this.keyspace = keyspace;
    const places = keyspace.partitions.length * keyspace.databaseCount;
    this.partitions = new Int32Array(places);
    this.databases = new Int32Array(places);
    this.counts = new Float64Array(places);
  }

  /** Another policy, or other samples: what is in the pool was chosen for other reasons. */
  choose(policy: EvictionPolicy, samples: number): void {
    this.policy = policy;
    this.samples = samples;
    this.poolCount = 0;
    this.drawsLeft = 0;
  }

  /** What was counted of keys is not taken for true any more. */
  forgetCounts(): void {
    this.drawsLeft = 0;
  }

  /**
   * A place to look for candidates, for sample() and evictAny(), drawn by how many there are; -1
   * when there is nothing to evict.
   */
  drawPlace(): number {
    if (this.drawsLeft === 0) this.count();
    if (this.keyCount === 0) return -1;
    this.drawsLeft--;
    const { counts } = this;
    let left = this.chance.nextDouble() * this.keyCount;
    let place = 0;
    while (place < this.databaseCount - 1 && left >= counts[place]!) left -= counts[place++]!;
    return place;
  }

  partitionOf(place: number): number {
    return this.partitions[place]!;
  }

  /** Counters may be a moment old: the locks are not held. */
  private count(): void {
    const { keyspace } = this;
    const { isVolatile } = this.policy;
    this.databaseCount = 0;
    this.keyCount = 0;
    this.drawsLeft = DRAWS_PER_COUNT;
    for (const partition of keyspace.partitions) {
      for (let database = 0; database < keyspace.databaseCount; database++) {
        const count = isVolatile
          ? partition.volatileCountOf(database)
          : partition.countOf(database);
        if (count <= 0) continue;
        const place = this.databaseCount++;
        this.partitions[place] = partition.index;
        this.databases[place] = database;
        this.counts[place] = count;
        this.keyCount += count;
      }
    }
    // The fewer keys there are, the sooner they are others.
    this.drawsLeft = Math.min(DRAWS_PER_COUNT, 1 + Math.floor(this.keyCount / 4));
  }

  /** Samples candidates at a place, whose partition's lock is held. */
  sample(place: number): void {
    const partition = this.keyspace.partitions[this.partitions[place]!]!;
    const database = this.databases[place]!;
    partition.select(database);
    if (this.policy.measure === Measure.Expiry) {
      this.offer(partition, database, soonestEntry(partition.slab, partition.expiryRoot));
      return;
    }
    if (this.policy.isVolatile) {
      for (let left = this.samples; left > 0; left--) {
        this.offer(partition, database, this.drawEntry(partition, database));
      }
      return;
    }
    this.sampleTogether(partition, database);
  }

  /** Of all keys: several that stand together, whose cache misses overlap. */
  private sampleTogether(partition: Partition, database: number): void {
    const { slab } = partition;
    const { drawn } = this;
    const wanted = Math.min(this.samples, DRAWN_MAX);
    const count = someRefs(slab, partition.tableRoot, this.draw, drawn, wanted);
    let seen = 0;
    for (let index = 0; index < count; index++) {
      seen ^= recencyOf(slab, drawn[index]! as EntryRef);
    }
    this.seen = seen;
    for (let index = 0; index < count; index++) {
      this.offer(partition, database, drawn[index]! as EntryRef);
    }
  }

  /** Evicts an entry by chance at a place, whose partition's lock is held. False: none is there. */
  evictAny(place: number): boolean {
    const partition = this.keyspace.partitions[this.partitions[place]!]!;
    const database = this.databases[place]!;
    partition.select(database);
    const entry = this.drawEntry(partition, database);
    if (entry === NONE) return false;
    partition.evict(entry);
    return true;
  }

  private drawEntry(partition: Partition, database: number): EntryRef {
    const { slab } = partition;
    if (!this.policy.isVolatile) {
      return randomRef(slab, partition.tableRoot, this.draw) as EntryRef;
    }
    const volatileCount = partition.volatileCountOf(database);
    if (volatileCount > partition.countOf(database) >> RARE_SHIFT) {
      for (let left = RARE_TRIES; left > 0; left--) {
        const entry = randomRef(slab, partition.tableRoot, this.draw) as EntryRef;
        if (entry === NONE || hasExpiry(slab, entry)) return entry;
      }
    }
    return randomVolatile(slab, partition.expiryRoot, this.draw);
  }

  /** The higher, the sooner it goes. */
  private scoreOf({ slab }: Partition, entry: EntryRef): number {
    const { recency, frequencyScale } = this.keyspace;
    switch (this.policy.measure) {
      case Measure.Idle:
        return idleSeconds(recencyOf(slab, entry), recency);
      case Measure.Rarity:
        return FREQUENCY_MAX - frequencyOf(recencyOf(slab, entry), recency, frequencyScale);
      case Measure.Expiry:
        return -expiryOf(slab, entry);
      default:
        return 0;
    }
  }

  /** Puts an entry where it belongs in the pool, if it is better than the worst of it. */
  private offer(partition: Partition, database: number, entry: EntryRef): void {
    if (entry === NONE) return;
    const { poolScores, poolRefs, poolPartitions } = this;
    const score = this.scoreOf(partition, entry);
    const { index } = partition;
    let place = this.poolCount;
    for (let at = 0; at < this.poolCount; at++) {
      if (poolRefs[at] === entry && poolPartitions[at] === index) return;
      if (place === this.poolCount && poolScores[at]! > score) place = at;
    }
    if (this.poolCount === CANDIDATES) {
      if (place === 0) return;
      place--;
      this.shift(0, 1, place);
    } else {
      this.shift(place + 1, place, this.poolCount - place);
      this.poolCount++;
    }
    poolPartitions[place] = index;
    this.poolDatabases[place] = database;
    this.poolHashes[place] = hashOfEntry(partition.slab, entry);
    poolRefs[place] = entry;
    poolScores[place] = score;
  }

  private shift(to: number, from: number, count: number): void {
    if (count === 0) return;
    this.poolPartitions.copyWithin(to, from, from + count);
    this.poolDatabases.copyWithin(to, from, from + count);
    this.poolHashes.copyWithin(to, from, from + count);
    this.poolRefs.copyWithin(to, from, from + count);
    this.poolScores.copyWithin(to, from, from + count);
  }

  /** The partition of the best candidate, whose lock evictBest() wants; -1 for none. */
  get bestPartition(): number {
    return this.poolCount === 0 ? -1 : this.poolPartitions[this.poolCount - 1]!;
  }

  /**
   * Evicts the best candidate, or drops it where it is none any more: then false. The lock of its
   * partition is held.
   */
  evictBest(): boolean {
    const place = --this.poolCount;
    const partition = this.keyspace.partitions[this.poolPartitions[place]!]!;
    const entry = this.poolRefs[place]! as EntryRef;
    const hash = this.poolHashes[place]!;
    const { slab } = partition;
    partition.select(this.poolDatabases[place]!);
    if (!hasRef(slab, partition.tableRoot, hash, entry)) return false;
    // Its block may have become another key's, of the same bucket.
    if (hashOfEntry(slab, entry) !== hash) return false;
    if (this.policy.isVolatile && !hasExpiry(slab, entry)) return false;
    // It was used since, or lives longer.
    if (this.scoreOf(partition, entry) < this.poolScores[place]!) return false;
    partition.evict(entry);
    return true;
  }
}
