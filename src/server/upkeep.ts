// When and how long a worker tends its partitions: expiry, shrinking tables, freeing what was
// detached, giving pages back, closing idle connections. How is keyspace/upkeep.ts' business. Each
// step takes one partition's lock for some ten microseconds; together they may use a part of each
// interval.

import { addressOf, getTid, madviseDontNeed } from '../base/libc.js';
import { type UpkeepStep, upkeepStep } from '../keyspace/upkeep.js';
import { Refusal } from '../resp/errors.js';
import { PAGE_BYTES } from '../slab/alloc.js';
import { claimLock, holderOf, releaseLock, tryLock } from '../slab/lock.js';
import { Header } from '../slab/slab.js';
import { LatencyEvent } from '../stats/latency.js';
import { Counter } from '../stats/server.js';
import { Defragmenter } from './defrag.js';
import type { Executor } from './executor.js';
import { collectGarbage } from './garbage.js';
import { threadTime } from './thread-time.js';

/** Between two rounds over the partitions. */
const INTERVAL_MS = 100;
/** A round that found much to do goes on at once, but leaves clients their turns in between. */
const SLICE_MS = 1;
/** While pages are given back all the time clients are not to notice. */
const TIGHT_SLICE_MS = 0.25;
const IDLE_CHECK_MS = 1000;
/** The share of maxmemory that free pages may take which are not given back. */
const IDLE_SHARE = 32;

export class Upkeep {
  private readonly executor: Executor;
  /** Indexes of this worker's partitions. */
  private readonly own: readonly number[];
  private readonly addresses: readonly number[];
  /** The kernel's number of this thread; 0 where it is not known. */
  private readonly tid: number;
  private readonly defrag: Defragmenter;
  private nextRoundMs = 0;
  private nextIdleCheckMs = 0;
  private position = 0;
  private isRoundOpen = false;
  private purgesSeen: number;

  constructor(executor: Executor) {
    this.executor = executor;
    const { threadCount, transport } = executor.shape.facts;
    const { partitions } = executor.keyspace;
    this.own = partitions
      .map((partition) => partition.index)
      .filter((index) => index % threadCount === executor.thread);
    this.defrag = new Defragmenter(executor, this.own);
    this.purgesSeen = executor.control.purges;
    this.tid = transport === 'native' ? getTid() : 0;
    // Without libc pages cannot be given back: they stay with the process.
    this.addresses =
      transport === 'native' ? partitions.map((each) => addressOf(each.slab.u8)) : [];
  }

  /** Will the next step do anything? */
  isDue(nowMs: number): boolean {
    const isRoundDue = this.isRoundOpen || nowMs >= this.nextRoundMs;
    return isRoundDue || nowMs >= this.nextIdleCheckMs || this.defrag.isBusy;
  }

  /**
   * Does what is due at `startMs` (monotonic). Returns the milliseconds until there is something to
   * do again.
   */
  step(startMs: number): number {
    const leftMs = this.tendAll(startMs);
    return this.defrag.isBusy ? Math.min(leftMs, this.defrag.step(startMs)) : leftMs;
  }

  private tendAll(startMs: number): number {
    const { clock } = this.executor;
    if (startMs >= this.nextIdleCheckMs) {
      this.nextIdleCheckMs = startMs + IDLE_CHECK_MS;
      this.everySecond();
    }
    if (!this.isRoundOpen) {
      if (startMs < this.nextRoundMs) return this.nextRoundMs - startMs;
      this.isRoundOpen = true;
      this.position = 0;
      this.nextRoundMs = startMs + INTERVAL_MS;
    }
    const sliceMs = this.defrag.isWanted ? TIGHT_SLICE_MS : SLICE_MS;
    const { tracking, runner } = this.executor;
    runner.rest();
    while (tracking.hasToSweep) {
      tracking.sweepStep();
      if (clock.monotonicMs() - startMs > sliceMs) return 0;
    }
    while (this.position < this.own.length) {
      const isDone = this.tend(this.own[this.position]!);
      if (isDone) this.position++;
      if (clock.monotonicMs() - startMs > sliceMs) {
        if (!isDone) this.executor.stats.add(Counter.ExpireTimeCapped, 1);
        return 0;
      }
    }
    this.isRoundOpen = false;
    return Math.max(0, this.nextRoundMs - clock.monotonicMs());
  }

  /** One step for one partition; true when nothing is left to do there for now. */
  private tend(index: number): boolean {
    const { keyspace, thread, control, runner, clock, latency } = this.executor;
    const partition = keyspace.partitions[index]!;
    const words = partition.slab.i32;
    const self = holderOf(thread);
    // A busy partition is left alone at first: its holder is a command.
    if (!tryLock(words, Header.Lock, self)) {
      // Or a script that takes long: then the next turn will do.
      try {
        claimLock(words, Header.Lock, self);
      } catch (thrown) {
        if (!(thrown instanceof Refusal)) throw thrown;
        return true;
      }
    }
    const startMs = clock.monotonicMs();
    const done = upkeepStep(partition, this.stepFor(index, control.activeExpire));
    const tookMs = clock.monotonicMs() - startMs;
    latency.sample(LatencyEvent.ExpireCycle, tookMs);
    this.executor.stats.add(Counter.ActiveExpireMs, tookMs);
    // Some wait for a key to go.
    if (runner.blocking.hasReady) runner.serveWaiting(index);
    releaseLock(words, Header.Lock);
    const { blocking } = runner;
    const isTold = blocking.served.length !== 0 || this.executor.hasNews;
    // Records of keys that expired are written at once, too: this thread may have no replies soon.
    if (isTold || this.executor.sink.hasRecords) this.executor.endTurn();
    return done;
  }

  private stepFor(index: number, expires: boolean): UpkeepStep {
    const address = this.addresses[index];
    return {
      expires,
      nowMs: this.executor.clock.nowMs(),
      pagesKept: this.pagesKept(),
      isTight: this.defrag.isWanted,
      give:
        address === undefined
          ? null
          : (byteOffset, bytes) => void madviseDontNeed(address + byteOffset, bytes),
    };
  }

  /** With maxmemory the process is to stay near it: a thirty-second of it lies idle at most. */
  private pagesKept(): number {
    const { eviction, keyspace } = this.executor;
    if (eviction.limitBytes === 0) return Number.POSITIVE_INFINITY;
    return Math.floor(eviction.limitBytes / IDLE_SHARE / PAGE_BYTES / keyspace.partitions.length);
  }

  private countTime(): void {
    const { stats } = this.executor;
    const time = this.tid === 0 ? null : threadTime(this.tid);
    if (time === null) return;
    stats.put(Counter.CpuUserUs, time.userUs);
    stats.put(Counter.CpuSystemUs, time.systemUs);
  }

  private everySecond(): void {
    const { executor } = this;
    executor.sink.observe();
    this.defrag.adopt();
    executor.serving.outputLimits.checkAll();
    this.countTime();
    const { purges } = executor.control;
    if (purges !== this.purgesSeen) collectGarbage();
    this.purgesSeen = purges;
    const idleSeconds = executor.config.number('timeout');
    if (idleSeconds === 0) return;
    const { nowMs } = executor.keyspace;
    for (const connection of executor.serving.connections) {
      const isIdle = nowMs - connection.lastActiveMs > idleSeconds * 1000;
      const { session } = connection;
      if (!isIdle || session.wait !== null || session.subscriptions !== null) continue;
      executor.log.write('verbose', `Closing idle client ${session.address}`);
      executor.serving.close(connection);
    }
  }
}
