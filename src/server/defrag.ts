// activedefrag: when a thread moves the blocks of its partitions together, and how much of its time
// it takes for that. How is keyspace/defrag.ts' business.
//
// It begins when all partitions together have more in pages than in blocks, by
// active-defrag-threshold-lower percent and active-defrag-ignore-bytes, and takes between
// active-defrag-cycle-min and -max percent of each owner's time, the more the worse it is. A thread
// that earns a fraction of each millisecond spends it in slices, with a turn for its clients in
// between; a slice takes several steps, and a step holds one lock.

import { Defrag, defragCounts, Moved } from '../keyspace/defrag.js';
import { PAGE_BYTES } from '../slab/alloc.js';
import { holderOf, releaseLock, tryLock } from '../slab/lock.js';
import { counterOf, Header, type Slab, usedBytesOf } from '../slab/slab.js';
import { Counter } from '../stats/server.js';
import type { Executor } from './executor.js';

const CHECK_MS = 100;
/** How long it leaves things alone where a walk over everything has moved or won nearly nothing. */
const FUTILE_MS = 10_000;
const FUTILE_SHARE = 200;
/** Clients wait for a slice at the most; what is earned meanwhile is spent in the next. */
const SLICE_MS = 0.25;
const SAVED_MS_MAX = 1;
/** Blocks that a step looks at: about 50 µs, where all are in nobody's cache twice that. */
const UNITS_PER_STEP = 400;
const SPANS_PER_STEP = 400;
/** Nothing could be done, because locks were taken or a snapshot is on. */
const BUSY_MS = 5;

/** How much more there is in pages than in blocks, of all of these slabs. */
function wasteOf(slabs: readonly Slab[]): { readonly percent: number; readonly bytes: number } {
  let used = 0;
  let active = 0;
  for (const slab of slabs) {
    used += usedBytesOf(slab);
    active += counterOf(slab, Header.UsedPages) * PAGE_BYTES;
  }
  const bytes = active - used;
  return { percent: used === 0 ? 0 : (100 * bytes) / used, bytes };
}

export class Defragmenter {
  /** activedefrag. */
  isWanted = false;
  private readonly executor: Executor;
  /** Indexes of this thread's partitions, and a walk for each. */
  private readonly own: readonly number[];
  private readonly walks: readonly Defrag[];
  private readonly slabs: readonly Slab[];
  /** The share of the time that it takes, in percent; 0 while it has nothing to do. */
  private percent = 0;
  private nextCheckMs = 0;
  private savedMs = 0;
  private seenMs = 0;
  /** Which of its partitions is next, and whether any of this round had to be passed over. */
  private position = 0;
  private hasPassed = false;
  /** What the counts were when the round began. */
  private hitsBefore = 0;
  private missesBefore = 0;
  private wasteBefore = 0;
  /** What of the counts everybody knows. */
  private readonly told = { ...defragCounts };

  constructor(executor: Executor, own: readonly number[]) {
    this.executor = executor;
    this.own = own;
    this.walks = own.map(() => new Defrag());
    this.slabs = executor.keyspace.partitions.map(({ slab }) => slab);
  }

  /** Is there anything that step() is to be called for? */
  get isBusy(): boolean {
    return this.isWanted || this.percent !== 0;
  }

  /** Once a second: what the configuration says. */
  adopt(): void {
    this.isWanted = this.own.length !== 0 && this.executor.config.flag('activedefrag');
  }

  /** Does what this thread has time for. Returns the milliseconds until it has again. */
  step(startMs: number): number {
    if (startMs >= this.nextCheckMs) {
      this.nextCheckMs = startMs + CHECK_MS;
      this.check(startMs);
    }
    if (this.percent === 0) return this.nextCheckMs - startMs;
    const share = this.percent / 100;
    this.savedMs = Math.min(this.savedMs + (startMs - this.seenMs) * share, SAVED_MS_MAX);
    this.seenMs = startMs;
    if (this.savedMs < SLICE_MS) return (SLICE_MS - this.savedMs) / share;
    const { clock } = this.executor;
    let isBusy = false;
    let now = startMs;
    while (!isBusy && this.percent !== 0 && now - startMs < SLICE_MS) {
      isBusy = !this.go(startMs);
      now = clock.monotonicMs();
    }
    this.savedMs -= now - startMs;
    this.count();
    if (isBusy) return BUSY_MS;
    return Math.max(0, (SLICE_MS - this.savedMs) / share);
  }

  /** Begins, or takes more of the time, or ends, as computed from the state of all partitions. */
  private check(nowMs: number): void {
    const { config } = this.executor;
    if (!this.isWanted || !this.executor.keyspace.expiresByClock) {
      if (this.percent !== 0 && this.stop()) this.end(nowMs + CHECK_MS);
      return;
    }
    const { percent, bytes } = wasteOf(this.slabs);
    const lower = config.number('active-defrag-threshold-lower');
    if (this.percent === 0) {
      if (percent < lower || bytes < config.number('active-defrag-ignore-bytes')) return;
      if (!this.own.some((_, index) => this.isSparse(index, lower))) return;
    }
    const upper = config.number('active-defrag-threshold-upper');
    const least = config.number('active-defrag-cycle-min');
    const most = config.number('active-defrag-cycle-max');
    const way = upper === lower ? 1 : Math.min(1, Math.max(0, (percent - lower) / (upper - lower)));
    const wanted = Math.max(1, Math.min(99, Math.trunc(least + way * (most - least))));
    if (this.percent === 0) this.begin(nowMs);
    // As much as the walk began with: it gets better while it goes on.
    this.percent = Math.max(this.percent, wanted);
    this.executor.stats.put(Counter.DefragPercent, this.percent);
  }

  private begin(nowMs: number): void {
    this.executor.stats.defragBegan(this.executor.clock.nowMs());
    this.seenMs = nowMs;
    this.savedMs = 0;
    this.beginRound();
  }

  private beginRound(): void {
    this.position = 0;
    this.hasPassed = false;
    this.hitsBefore = defragCounts.hits;
    this.missesBefore = defragCounts.misses;
    this.wasteBefore = this.ownWaste();
  }

  private ownWaste(): number {
    return wasteOf(this.own.map((index) => this.slabs[index]!)).bytes;
  }

  private end(nextCheckMs: number): void {
    const { stats, clock } = this.executor;
    this.percent = 0;
    this.nextCheckMs = nextCheckMs;
    stats.put(Counter.DefragPercent, 0);
    stats.defragEnded(clock.nowMs());
  }

  /** Is it worth a walk through this partition? One that was begun is. */
  private isSparse(index: number, lower: number): boolean {
    if (this.walks[index]!.isOn) return true;
    const slab = this.slabs[this.own[index]!]!;
    return wasteOf([slab]).percent >= Math.max(1, lower);
  }

  /** One step; false where nothing could be done. */
  private go(nowMs: number): boolean {
    const lower = this.executor.config.number('active-defrag-threshold-lower');
    while (this.position < this.own.length && !this.isSparse(this.position, lower)) this.position++;
    if (this.position === this.own.length) return this.endRound(nowMs);
    const index = this.own[this.position]!;
    const partition = this.executor.keyspace.partitions[index]!;
    const words = partition.slab.i32;
    // Its holder is a command: nobody's command waits for this thread, and it waits for none.
    if (!tryLock(words, Header.Lock, holderOf(this.executor.thread))) return false;
    const scanFields = this.executor.config.number('active-defrag-max-scan-fields');
    const moved = this.walks[this.position]!.step(partition, UNITS_PER_STEP, scanFields);
    releaseLock(words, Header.Lock);
    if (moved === Moved.Held) this.hasPassed = true;
    if (moved !== Moved.Some) this.position++;
    return true;
  }

  /** All partitions have been walked through: what is still sparse is for another walk. */
  private endRound(nowMs: number): boolean {
    if (this.hasPassed) {
      // A snapshot is on: back to what it holds, once it has let go.
      this.position = 0;
      this.hasPassed = false;
      return false;
    }
    const hits = defragCounts.hits - this.hitsBefore;
    const hasMovedLittle = hits * FUTILE_SHARE < hits + defragCounts.misses - this.missesBefore;
    // What a walk can win is an estimate: one that has won nothing may go on so for ever.
    const isFutile = hasMovedLittle || this.ownWaste() >= this.wasteBefore;
    this.end(nowMs + (isFutile ? FUTILE_MS : CHECK_MS));
    return true;
  }

  /** Lets spans that were being emptied take blocks again. True when all do. */
  private stop(): boolean {
    const self = holderOf(this.executor.thread);
    return this.own.every((index, at) => {
      const walk = this.walks[at]!;
      if (!walk.isOn) return true;
      const partition = this.executor.keyspace.partitions[index]!;
      if (!tryLock(partition.slab.i32, Header.Lock, self)) return false;
      const isDone = walk.stop(partition, SPANS_PER_STEP);
      releaseLock(partition.slab.i32, Header.Lock);
      return isDone;
    });
  }

  /** Tells everybody what this thread has done. */
  private count(): void {
    const { stats } = this.executor;
    stats.add(Counter.DefragHits, defragCounts.hits - this.told.hits);
    stats.add(Counter.DefragMisses, defragCounts.misses - this.told.misses);
    stats.add(Counter.DefragKeyHits, defragCounts.keyHits - this.told.keyHits);
    stats.add(Counter.DefragKeyMisses, defragCounts.keyMisses - this.told.keyMisses);
    stats.add(Counter.DefragScanned, defragCounts.scanned - this.told.scanned);
    Object.assign(this.told, defragCounts);
  }
}
