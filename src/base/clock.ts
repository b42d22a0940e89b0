// Time, for everybody: no other file reads a clock. All threads of a process agree on the wall clock
// because they derive it from the monotonic one plus an offset in shared memory, which the main thread
// corrects when the system's clock was set (followWallClock). So it never goes backwards between
// threads by itself, and one read serves both measuring and expiry.

import { performance } from 'node:perf_hooks';

/** Doubles of shared memory that a Clock needs. */
export const CLOCK_DOUBLES = 1;

/** A wall clock that was set back by less than this is not followed: time would go backwards. */
const DRIFT_MS_MAX = 2;

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
    const [seconds, nanoseconds] = process.hrtime();
    this.threadOffsetMs = seconds * 1000 + nanoseconds / 1e6 - performance.now();
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
   * The offset at the moment at which the system's clock reaches a new millisecond. From any other moment
   * it would be up to a millisecond short, and a client on this machine, which tells a time of the same
   * clock, would find its key living longer than it asked for.
   */
  private startAtTick(): void {
    const wall = Date.now();
    let now = wall;
    while (now === wall) now = Date.now();
    this.shared[0] = now - this.monotonicMs();
  }
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
