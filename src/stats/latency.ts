// What took long: for each kind of event its latest samples and the worst of all, in memory that
// all threads share. Only what takes longer than latency-monitor-threshold comes here, so writers
// and readers take a tiny spin lock for the time of a store or a copy.
//
//   │ lock │ series of event 0 │ series of event 1 │ …
//   series: │ next place, worst │ samples, SAMPLES of them: second, milliseconds │   (doubles)
//   A second of 0 is no sample; worst is one more than it was, and 0 in a series without any.

/** Redis's events, as far as they can happen here. */
export const enum LatencyEvent {
  Command = 0,
  FastCommand = 1,
  ExpireCycle = 2,
  AofWrite = 3,
  AofWriteAlone = 4,
  AofWritePendingFsync = 5,
  AofWriteActiveChild = 6,
  AofFsyncAlways = 7,
  AofRename = 8,
  EvictionCycle = 9,
  EvictionDel = 10,
  Count = 11,
}

const NAMES: readonly string[] = [
  'command',
  'fast-command',
  'expire-cycle',
  'aof-write',
  'aof-write-alone',
  'aof-write-pending-fsync',
  'aof-write-active-child',
  'aof-fsync-always',
  'aof-rename',
  'eviction-cycle',
  'eviction-del',
];

/** Samples of an event that are kept. */
const SAMPLES = 160;

const enum Head {
  Lock = 0,
  /** In doubles. */
  Doubles = 8,
}

const enum Series {
  Next = 0,
  Worst = 1,
  Samples = 2,
}

const enum Sample {
  Second = 0,
  Ms = 1,
  Doubles = 2,
}

const SERIES_DOUBLES: number = Series.Samples + SAMPLES * Sample.Doubles;

export interface LatencySample {
  /** Seconds since 1970. */
  readonly second: number;
  readonly ms: number;
}

export interface LatencySeries {
  readonly name: string;
  /** The worst since the last reset. */
  readonly worstMs: number;
  /** The oldest first. */
  readonly samples: readonly LatencySample[];
}

export class LatencyMonitor {
  /** latency-monitor-threshold in milliseconds; 0 when nobody wants to know. */
  thresholdMs = 0;
  private readonly i32: Int32Array;
  private readonly f64: Float64Array;
  private readonly nowMs: () => number;

  constructor(buffer: SharedArrayBuffer, nowMs: () => number) {
    this.i32 = new Int32Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.nowMs = nowMs;
  }

  static get bytes(): number {
    return (Head.Doubles + LatencyEvent.Count * SERIES_DOUBLES) * 8;
  }

  /** Something took `ms`: it is kept if that is long. */
  sample(event: LatencyEvent, ms: number): void {
    const whole = Math.floor(ms);
    if (this.thresholdMs === 0 || whole < this.thresholdMs) return;
    this.take();
    this.write(Head.Doubles + event * SERIES_DOUBLES, whole);
    this.release();
  }

  private write(at: number, ms: number): void {
    const { f64 } = this;
    const second = Math.floor(this.nowMs() / 1000);
    // One more than it was, so that 0 is "never".
    if (ms + 1 > f64[at + Series.Worst]!) f64[at + Series.Worst] = ms + 1;
    const next = f64[at + Series.Next]!;
    const last = at + Series.Samples + ((next + SAMPLES - 1) % SAMPLES) * Sample.Doubles;
    // A second has one sample, its worst.
    if (f64[last + Sample.Second] === second) {
      if (ms > f64[last + Sample.Ms]!) f64[last + Sample.Ms] = ms;
      return;
    }
    const here = at + Series.Samples + next * Sample.Doubles;
    f64[here + Sample.Second] = second;
    f64[here + Sample.Ms] = ms;
    f64[at + Series.Next] = (next + 1) % SAMPLES;
  }

  /** All series that have samples. */
  all(): LatencySeries[] {
    this.take();
    const series: LatencySeries[] = [];
    for (let event = 0; event < LatencyEvent.Count; event++) {
      const found = this.read(event);
      if (found !== null) series.push(found);
    }
    this.release();
    return series;
  }

  /** The series of this name in its exact letters, or null. */
  named(name: string): LatencySeries | null {
    return this.all().find((series) => series.name === name) ?? null;
  }

  private read(event: number): LatencySeries | null {
    const { f64 } = this;
    const at = Head.Doubles + event * SERIES_DOUBLES;
    const worst = f64[at + Series.Worst]!;
    if (worst === 0) return null;
    const samples: LatencySample[] = [];
    for (let index = 0; index < SAMPLES; index++) {
      const place = (f64[at + Series.Next]! + index) % SAMPLES;
      const from = at + Series.Samples + place * Sample.Doubles;
      const second = f64[from + Sample.Second]!;
      if (second !== 0) samples.push({ second, ms: f64[from + Sample.Ms]! });
    }
    return { name: NAMES[event]!, worstMs: worst - 1, samples };
  }

  /** Forgets one series, in any letters, or all of them; returns how many there were. */
  reset(name: string | null): number {
    this.take();
    let count = 0;
    for (let event = 0; event < LatencyEvent.Count; event++) {
      if (name !== null && NAMES[event] !== name.toLowerCase()) continue;
      const at = Head.Doubles + event * SERIES_DOUBLES;
      if (this.f64[at + Series.Worst] !== 0) count++;
      this.f64.fill(0, at, at + SERIES_DOUBLES);
    }
    this.release();
    return count;
  }

  private take(): void {
    // A spin, because it is held for the time of a store, or of a copy of some kilobytes.
    while (Atomics.compareExchange(this.i32, Head.Lock, 0, 1) !== 0);
  }

  private release(): void {
    Atomics.store(this.i32, Head.Lock, 0);
  }
}
