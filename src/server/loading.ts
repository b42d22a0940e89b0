// Loading in steps: what is read into the keyspace while the thread's own loop turns in between and
// the workers answer that the data is being loaded. It knows how far it is, for INFO and the log.

import type { Clock } from '../base/clock.js';
import type { LoadingFigures } from '../stats/server.js';

/** The longest step: what else main does waits for so long. */
const STEP_MS = 40;
/** Between two lines about progress. */
const REPORT_MS = 5000;
const MB = 1024 * 1024;

/** Something that is read in steps. */
export interface LoadingPart {
  /** What the log calls it. */
  readonly name: string;
  readonly bytesTotal: number;
  readonly bytesRead: number;
  /** Keys or records so far. */
  readonly itemCount: number;
  /** Goes on for about `budgetMs`; true when all is read. */
  step(budgetMs: number): boolean;
}

export interface LoadingFields {
  readonly clock: Clock;
  /** Lets the thread's loop turn, for so many milliseconds at the least. */
  turn(ms: number): Promise<void>;
  /** key-load-delay: microseconds that each key is to take longer, for tests of slow loading. */
  delayUs?(): number;
  /** The server is to end: no further step is taken. */
  isStopping(): boolean;
  /** For INFO. */
  publish(figures: LoadingFigures): void;
  say(line: string): void;
}

/** The server was told to end while it loaded. */
export class LoadingStopped extends Error {}

export class Loading {
  readonly startMs: number;
  private readonly fields: LoadingFields;
  private readonly wallMs: number;
  private readonly totalBytes: number;
  /** Bytes of the parts that are done. */
  private doneBytes = 0;
  private reportedMs: number;

  constructor(totalBytes: number, fields: LoadingFields) {
    this.fields = fields;
    this.totalBytes = totalBytes;
    this.startMs = fields.clock.monotonicMs();
    this.reportedMs = this.startMs;
    this.wallMs = fields.clock.nowMs();
    this.publish(0);
  }

  /** Loads one part to its end. */
  async run(part: LoadingPart): Promise<void> {
    const { fields } = this;
    for (;;) {
      if (fields.isStopping()) throw new LoadingStopped();
      const delayUs = fields.delayUs?.() ?? 0;
      const before = part.itemCount;
      // With a delay the steps are as short as they can be.
      const isDone = part.step(delayUs === 0 ? STEP_MS : 0);
      this.publish(part.bytesRead);
      if (isDone) break;
      this.report(part);
      await fields.turn(((part.itemCount - before) * delayUs) / 1000);
    }
    this.doneBytes += part.bytesTotal;
  }

  get seconds(): number {
    return (this.fields.clock.monotonicMs() - this.startMs) / 1000;
  }

  /** What was loaded, how fast: the last line. */
  summary(keys: number): string {
    const { seconds, totalBytes } = this;
    const speed = totalBytes / MB / Math.max(seconds, 0.001);
    return (
      `${keys} keys are there: ${(totalBytes / MB).toFixed(1)} MB were read in ` +
      `${seconds.toFixed(3)} seconds, ${speed.toFixed(0)} MB/s`
    );
  }

  private publish(partBytes: number): void {
    const loadedBytes = this.doneBytes + partBytes;
    const { wallMs, totalBytes } = this;
    this.fields.publish({ startMs: wallMs, totalBytes, loadedBytes });
  }

  private report(part: LoadingPart): void {
    const now = this.fields.clock.monotonicMs();
    if (now - this.reportedMs < REPORT_MS) return;
    this.reportedMs = now;
    const read = this.doneBytes + part.bytesRead;
    const share = ((100 * read) / Math.max(this.totalBytes, 1)).toFixed(1);
    this.fields.say(
      `Loading ${part.name}: ${share} %, ${(read / MB).toFixed(0)} of ` +
        `${(this.totalBytes / MB).toFixed(0)} MB, ${this.seconds.toFixed(0)} seconds so far`,
    );
  }
}
