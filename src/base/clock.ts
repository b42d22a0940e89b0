// Time, for everybody: no other file reads a clock. All threads of a process agree on the wall
// clock because they derive it from the monotonic one plus an offset in shared memory, which the
// main thread corrects when the system's clock was set (followWallClock). So it never goes
// backwards between threads by itself, and one read serves both measuring and expiry.

import { performance } from 'node:perf_hooks';

/** Doubles of shared memory that a Clock needs. */
export const CLOCK_DOUBLES = 1;

/** A wall clock that was set back by less than this is not followed: time would go backwards. */
const DRIFT_MS_MAX = 2;
/** How sure a reading of the wall clock must be, and how often it is tried. */
const TICK_WINDOW_MS = 0.02;
const TICKS_MAX = 10;
/**
 * A thread that is stopped between two readings would be late for ever: the quickest one counts.
 */
const OFFSET_READINGS = 8;

export interface Clock {
  /** Milliseconds with fractions since an arbitrary moment, the same in all threads. */
  monotonicMs(): number;
  /** Milliseconds since 1970 with fractions, for a value of monotonicMs. */
  wallAt(monotonicMs: number): number;
  /** Whole milliseconds since 1970. */
  nowMs(): number;
}

export class SystemClock implements Clock {
  private readonly shared: Float64Array;
  /** performance.now() counts from this thread's start; hrtime from one moment for all threads. */
  private readonly threadOffsetMs: number;

  constructor(shared: Float64Array) {
    this.shared = shared;
    this.threadOffsetMs = threadOffsetMs();
    if (this.shared[0] === 0) this.startAtTick();
  }

  monotonicMs(): number {
    return performance.now() + this.threadOffsetMs;
  }

  wallAt(monotonicMs: number): number {
    return monotonicMs + this.shared[0]!;
  }

  nowMs(): number {
    return Math.floor(this.monotonicMs() + this.shared[0]!);
  }

  /** Takes over the system's wall clock if it was set. The main thread calls this now and then. */
  followWallClock(): void {
    const before = this.monotonicMs();
    const wall = Date.now();
    // Date.now() cuts fractions off, and this thread may have been stopped between two lines: the
    // true offset lies between these two.
    const least = wall - this.monotonicMs();
    const most = wall + 1 - before;
    const offset = this.shared[0]!;
    if (offset < least) this.shared[0] = least;
    else if (offset > most + DRIFT_MS_MAX) this.shared[0] = most;
  }

  /**
   * The offset at the moment at which the system's clock reaches a new millisecond. From any other
   * moment it would be up to a millisecond short, and a client on this machine, which tells a time
   * of the same clock, would find its key living longer than it asked for.
   */
  private startAtTick(): void {
    let before = 0;
    let after = 0;
    let now = Date.now();
    for (let tick = 0; tick < TICKS_MAX; tick++) {
      const last = now;
      while (now === last) {
        before = after;
        after = this.monotonicMs();
        now = Date.now();
      }
      // The tick came after `before`: by so little that it does not matter, unless this thread
      // slept.
      if (this.monotonicMs() - before < TICK_WINDOW_MS) break;
    }
    this.shared[0] = now - before;
  }
}

/**
 * How far this thread's performance.now() lies behind hrtime, from the quickest of a few readings.
 */
function threadOffsetMs(): number {
  let offset = 0;
  let tookLeast = Number.POSITIVE_INFINITY;
  for (let reading = 0; reading < OFFSET_READINGS; reading++) {
    const before = performance.now();
    const [seconds, nanoseconds] = process.hrtime();
    const after = performance.now();
    if (after - before >= tookLeast) continue;
    tookLeast = after - before;
    offset = seconds * 1000 + nanoseconds / 1e6 - (before + after) / 2;
  }
  return offset;
}

/** Nobody rings this word: it only passes the time. */
const sleepWord = new Int32Array(new SharedArrayBuffer(4));

/** Stops this thread for so long; it does nothing else meanwhile. */
export function sleep(ms: number): void {
  Atomics.wait(sleepWord, 0, 0, ms);
}

/** A clock that stands until it is moved: for tests and simulations. */
export class ManualClock implements Clock {
  wallMs: number;

  constructor(wallMs: number) {
    this.wallMs = wallMs;
  }

  monotonicMs(): number {
    return this.wallMs;
  }

  wallAt(monotonicMs: number): number {
    return monotonicMs;
  }

  nowMs(): number {
    return Math.floor(this.wallMs);
  }
}

/** The system's date, for what is only shown: lines of the log. */
export function systemDate(): Date {
  return new Date();
}
