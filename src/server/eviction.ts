// maxmemory: when room is made, and how long. How is keyspace/eviction.ts' business.
//
// What is used is what the slabs hold, and beside them clients' buffers and the sources of scripts.
// No counter is shared by all commands: each thread adds up all slabs now and then, and in between
// counts what its own commands have changed, by the difference that each leaves in its partition.
// So its figure is exact for its own writes, and short by what others have written since it last
// added up: at most a small share of the limit, because whoever has moved so much adds up again.
//
// While used memory is far below the limit nothing of this concerns commands. Above half of it,
// which no turn of the loop fills, the gate Limited is up, and commands that may need memory come
// here before they take their locks (dispatch/run.ts). One partition's lock is held at a time. A
// turn of the loop looks as well, so that a limit that was lowered is met without any command.

import type { Config } from '../config/config.js';
import type { Command } from '../dispatch/command.js';
import { Shape } from '../dispatch/define.js';
import { Gate } from '../dispatch/gates.js';
import type { Runner } from '../dispatch/run.js';
import { freeDetachedStep, leftGranules } from '../keyspace/detached.js';
import { Evictor, evictionPolicy, Measure } from '../keyspace/eviction.js';
import type { Keyspace } from '../keyspace/keyspace.js';
import { Refusal } from '../resp/errors.js';
import { claimLock, type Holder, locksHeld, releaseLock, tryLock } from '../slab/lock.js';
import { counterOf, GRANULE_BYTES, Header, NONE, type Slab } from '../slab/slab.js';
import { LatencyEvent, type LatencyMonitor } from '../stats/latency.js';
import { Counter, type ServerStats } from '../stats/server.js';

/** Writes of this thread after which it adds up what others have written. */
const WRITES_PER_SUM = 64;
/** Or after its own writes, or evictions, have moved this share of the limit, of all threads. */
const MOVED_SHARE = 256;
/** Evictions after which all is added up again: others may be making room as well. */
const KEYS_PER_SUM = 4;
/** Evictions between two looks at the clock. */
const KEYS_PER_LOOK = 16;
/** Other places that are tried before one waits for a lock. */
const BUSY_TRIES = 4;
/** Entries or elements of detached values that are freed at a time. */
const DETACHED_PER_STEP = 200;
/** maxmemory-eviction-tenacity: so much time for each of the first ten, then a sixth more each. */
const TENACITY_US = 50;
const TENACITY_LINEAR = 10;
const TENACITY_GROWTH = 1.15;
const TENACITY_MAX = 100;
/** A turn of many connections could write half of so little. */
const SMALL_LIMIT_BYTES = 64 * 1024 * 1024;
const NOWHERE = -1;

const enum Room {
  /** Used memory is within the limit. */
  Made = 0,
  /** It is not yet: the time for it is over. */
  Coming = 1,
  /** Nothing is left that may be evicted. */
  Failed = 2,
}

export interface EvictionFields {
  readonly runner: Runner;
  readonly self: Holder;
  readonly threadCount: number;
  readonly stats: ServerStats;
  readonly latency: LatencyMonitor;
  /** What counts beside the slabs. */
  besideBytes(): number;
}

/** How a thread notes the use of keys, by the configuration: also one that only loads them. */
export function adoptStamping(keyspace: Keyspace, config: Config): void {
  const { stamping } = evictionPolicy(config.text('maxmemory-policy'));
  keyspace.frequencyScale.logFactor = config.number('lfu-log-factor');
  keyspace.frequencyScale.decayMinutes = config.number('lfu-decay-time');
  if (keyspace.policyStamping !== stamping) keyspace.setStamping(stamping);
}

function sliceOf(tenacity: number): number {
  if (tenacity >= TENACITY_MAX) return Number.POSITIVE_INFINITY;
  const linearMs = (TENACITY_US * Math.min(tenacity, TENACITY_LINEAR)) / 1000;
  return linearMs * TENACITY_GROWTH ** Math.max(0, tenacity - TENACITY_LINEAR);
}

/** What only a snapshot needs yet does not count: evicting more does not make it free sooner. */
function countedGranules(slab: Slab): number {
  return counterOf(slab, Header.UsedGranules) - leftGranules(slab);
}

export class Eviction {
  /** maxmemory; 0 for none. */
  limitBytes = 0;
  /** More is to be evicted than there was time for: the next turn goes on at once. */
  isComing = false;
  private readonly fields: EvictionFields;
  private readonly keyspace: Keyspace;
  private readonly evictor: Evictor;
  /** Time for one go, milliseconds. */
  private sliceMs = sliceOf(TENACITY_LINEAR);
  private usedBytes = 0;
  /** Granules in use of each partition, when this thread last looked. */
  private readonly seen: Int32Array;
  /** Something that was removed waits to be freed. */
  private hasDetached = false;
  /** How far own changes have moved usedBytes since it was added up. */
  private movedBytes = 0;
  private writesLeft = 0;
  /** The partition that the last write was let into; NOWHERE if it may have been any. */
  private written = NOWHERE;

  constructor(fields: EvictionFields) {
    this.fields = fields;
    this.keyspace = fields.runner.keyspace;
    this.evictor = new Evictor(this.keyspace);
    this.seen = new Int32Array(this.keyspace.partitions.length);
    fields.runner.makeRoom = (command, isPlaced) => this.beforeWrite(command, isPlaced);
  }

  adopt(config: Config): void {
    adoptStamping(this.keyspace, config);
    this.keyspace.freesLater.onEviction = config.flag('lazyfree-lazy-eviction');
    this.limitBytes = config.number('maxmemory');
    this.sliceMs = sliceOf(config.number('maxmemory-eviction-tenacity'));
    const policy = evictionPolicy(config.text('maxmemory-policy'));
    this.evictor.choose(policy, config.number('maxmemory-samples'));
    this.writesLeft = 0;
  }

  // ---- when -----------------------------------------------------------------------------------

  /** Once a turn, with no lock held. Was something evicted? */
  look(): boolean {
    const { runner, stats } = this.fields;
    this.isComing = false;
    if (this.limitBytes === 0) {
      runner.raised &= ~(Gate.OutOfMemory | Gate.Limited);
      return false;
    }
    this.addUp();
    const isNear = this.usedBytes > this.limitBytes / 2 || this.limitBytes < SMALL_LIMIT_BYTES;
    if (isNear) runner.raised |= Gate.Limited;
    else runner.raised &= ~Gate.Limited;
    if (this.usedBytes <= this.limitBytes) {
      runner.raised &= ~Gate.OutOfMemory;
      this.noteWithin();
      return false;
    }
    const before = stats.ownCount(Counter.Evicted);
    this.makeRoom();
    return stats.ownCount(Counter.Evicted) !== before;
  }

  /** A command that may need memory is about to take its locks. */
  private beforeWrite(command: Command, isPlaced: boolean): void {
    const { runner } = this.fields;
    const { context } = runner;
    const { args } = context;
    // A script's pause, in which others are answered: what it holds does not concern them.
    if (this.limitBytes === 0 || locksHeld() !== 0) return;
    const moved = Math.floor(this.limitBytes / MOVED_SHARE / this.fields.threadCount);
    if (--this.writesLeft <= 0 || this.written === NOWHERE || this.movedBytes > moved) this.addUp();
    else this.lookAt(this.written);
    const isOne = isPlaced && command.shape === Shape.Key;
    this.written = isOne ? args.partitions[command.firstKey]! : NOWHERE;
    if (this.usedBytes > this.limitBytes) this.makeRoom();
    else runner.raised &= ~Gate.OutOfMemory;
  }

  // ---- what is used ---------------------------------------------------------------------------

  private addUp(): void {
    const { seen } = this;
    let granules = 0;
    let detached = 0;
    for (const { slab, index } of this.keyspace.partitions) {
      const used = countedGranules(slab);
      seen[index] = used;
      granules += used;
      detached |= counterOf(slab, Header.DetachedValues) | counterOf(slab, Header.Detached);
    }
    this.hasDetached = detached !== NONE;
    this.usedBytes = granules * GRANULE_BYTES + this.fields.besideBytes();
    this.movedBytes = 0;
    this.writesLeft = WRITES_PER_SUM;
  }

  /** What has changed in one partition. */
  private lookAt(index: number): void {
    const { slab } = this.keyspace.partitions[index]!;
    const used = countedGranules(slab);
    if (counterOf(slab, Header.DetachedValues) !== NONE) this.hasDetached = true;
    const bytes = (used - this.seen[index]!) * GRANULE_BYTES;
    this.seen[index] = used;
    this.usedBytes += bytes;
    this.movedBytes += Math.abs(bytes);
  }

  // ---- making room ----------------------------------------------------------------------------

  private makeRoom(): void {
    const { runner, latency } = this.fields;
    const { keyspace } = this;
    const hasRest = !keyspace.expiresByClock || keyspace.keepsExpired;
    // While data is loaded, and while clients are paused, nothing goes by itself. While a script
    // keeps locks for too long nothing is let in that needs memory, and nobody waits for them.
    if (hasRest || (runner.raised & Gate.Busy) !== 0) return;
    const { session } = runner.context;
    // What happens to keys now is no session's doing.
    runner.rest();
    const startMs = runner.clock.monotonicMs();
    const room = this.evictFor(startMs);
    latency.sample(LatencyEvent.EvictionCycle, runner.clock.monotonicMs() - startMs);
    runner.context.session = session;
    this.isComing = room === Room.Coming;
    if (room === Room.Failed) runner.raised |= Gate.OutOfMemory;
    else runner.raised &= ~Gate.OutOfMemory;
    if (room === Room.Made) this.noteWithin();
    else this.fields.stats.noteMemoryExceeded(keyspace.nowMs);
  }

  private noteWithin(): void {
    this.fields.stats.noteMemoryWithin(this.keyspace.nowMs);
  }

  private evictFor(startMs: number): Room {
    const { clock } = this.fields.runner;
    const canEvict = this.evictor.policy.measure !== Measure.None;
    for (let count = 1; this.usedBytes > this.limitBytes; count++) {
      if (!(this.hasDetached && this.freeDetached()) && !(canEvict && this.evictOne())) {
        // Others may have made room, or filled it, while this thread looked at its own figures.
        this.addUp();
        if (this.usedBytes <= this.limitBytes) return Room.Made;
        this.evictor.forgetCounts();
        if (!canEvict || !this.evictOne()) return Room.Failed;
      }
      if (count % KEYS_PER_SUM === 0) this.addUp();
      if (count % KEYS_PER_LOOK !== 0) continue;
      if (clock.monotonicMs() - startMs > this.sliceMs) return Room.Coming;
    }
    return Room.Made;
  }

  /** What was removed and only waits to be freed goes before any key. False: there is none. */
  private freeDetached(): boolean {
    for (const partition of this.keyspace.partitions) {
      const { slab, index } = partition;
      const hasValues = counterOf(slab, Header.DetachedValues) !== NONE;
      if (!hasValues && counterOf(slab, Header.Detached) === NONE) continue;
      if (!tryLock(slab.i32, Header.Lock, this.fields.self)) continue;
      freeDetachedStep(slab, DETACHED_PER_STEP);
      this.lookAt(index);
      releaseLock(slab.i32, Header.Lock);
      return true;
    }
    this.hasDetached = false;
    return false;
  }

  /** False: there is nothing to evict, or nothing that can be had now. */
  private evictOne(): boolean {
    const { evictor } = this;
    const isByChance = evictor.policy.measure === Measure.Chance;
    for (;;) {
      const place = this.takePlace();
      if (place === NOWHERE) return false;
      const index = evictor.partitionOf(place);
      if (isByChance) {
        if (this.finish(index, evictor.evictAny(place))) return true;
        continue;
      }
      evictor.sample(place);
      const best = evictor.bestPartition;
      if (best !== index) {
        this.release(index);
        if (best === NOWHERE) continue;
        if (!this.take(best)) return false;
      }
      if (this.finish(best, evictor.evictBest())) return true;
    }
  }

  /** A place with the lock of its partition; NOWHERE when there is nothing to evict. */
  private takePlace(): number {
    const { evictor, keyspace } = this;
    let place = NOWHERE;
    for (let tries = BUSY_TRIES; tries > 0; tries--) {
      place = evictor.drawPlace();
      if (place === NOWHERE) return place;
      const words = keyspace.partitions[evictor.partitionOf(place)]!.slab.i32;
      // A free one rather than one that somebody works on.
      if (tryLock(words, Header.Lock, this.fields.self)) return place;
    }
    return this.take(evictor.partitionOf(place)) ? place : NOWHERE;
  }

  private take(index: number): boolean {
    const words = this.keyspace.partitions[index]!.slab.i32;
    if (tryLock(words, Header.Lock, this.fields.self)) return true;
    try {
      claimLock(words, Header.Lock, this.fields.self);
      return true;
    } catch (thrown) {
      // A script keeps it for too long.
      if (!(thrown instanceof Refusal)) throw thrown;
      return false;
    }
  }

  /** Under the lock of partition `index`, from which a key was evicted or not: lets it go. */
  private finish(index: number, isEvicted: boolean): boolean {
    if (isEvicted) {
      const { runner, stats } = this.fields;
      stats.add(Counter.Evicted, 1);
      this.lookAt(index);
      if (this.keyspace.freesLater.onEviction) this.hasDetached = true;
      // Some wait for a key to go.
      if (runner.blocking.hasReady) runner.serveWaiting(index);
    }
    this.release(index);
    return isEvicted;
  }

  private release(index: number): void {
    releaseLock(this.keyspace.partitions[index]!.slab.i32, Header.Lock);
  }
}
