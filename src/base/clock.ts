// Time, for everybody: no other file reads a clock. All threads of a process agree on the wall clock
// because they derive it from the monotonic one plus an offset in shared memory, which the main thread
// corrects when the system's clock was set (followWallClock). So it never goes backwards between
// threads by itself, and one read serves both measuring and expiry.

import { performance } from 'node:perf_hooks';

/** Doubles of shared memory that a Clock needs. */
export const CLOCK_DOUBLES = 1;

/** A wall clock that was set by less than this is followed only at the next correction. */
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
    if (this.shared[0] === 0) this.followWallClock();
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
    const offset = Date.now() - this.monotonicMs();
    if (Math.abs(offset - this.shared[0]!) > DRIFT_MS_MAX) this.shared[0] = offset;
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
