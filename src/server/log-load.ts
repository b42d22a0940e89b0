// Loads what a log directory holds beyond its base: the merge gives the records in order, the
// replay runs them, in steps of some milliseconds.

import type { Clock } from '../base/clock.js';
import { Found } from '../log/log-reader.js';
import type { Manifest } from '../log/manifest.js';
import { LogDamage, type LogFault, LogMerge, type MergeEnd, type OpenLog } from '../log/merge.js';
import { type Replay, ReplayFault } from './replay.js';

/** Records between two looks at the clock. */
const LOOK_EVERY = 64;

export class LogLoad {
  recordCount = 0;
  private readonly merge: LogMerge;
  private readonly replay: Replay;
  private readonly clock: Clock;
  private readonly databaseCount: number;
  /** The record that the merge stands on has not been read to its end. */
  private isInRecord = false;
  private ended: MergeEnd | null = null;

  /** Throws a LogDamage when a log is not there, or not what it should be. */
  constructor(manifest: Manifest, open: OpenLog, replay: Replay, clock: Clock) {
    this.merge = new LogMerge(manifest, open);
    this.replay = replay;
    this.clock = clock;
    this.databaseCount = replay.keyspace.databaseCount;
  }

  get totalBytes(): number {
    return this.merge.totalBytes;
  }

  get readBytes(): number {
    return this.merge.readBytes;
  }

  /** Where the logs ended, once step has said true. */
  get end(): MergeEnd {
    if (this.ended === null) throw new Error('The logs have not been read to their end.');
    return this.ended;
  }

  /** After the end: why what was loaded may not be used; null if it may. */
  get fault(): LogFault | null {
    return this.merge.fault;
  }

  /**
   * Goes on for about `budgetMs`; true at the end. A LogDamage says which record cannot be run. No
   * lock is held in between.
   */
  step(budgetMs: number): boolean {
    const { clock, replay, merge } = this;
    replay.readClock();
    const untilMs = clock.monotonicMs() + budgetMs;
    try {
      for (let count = 1; ; count++) {
        if (!this.isInRecord) {
          const found = merge.advance();
          if (found === Found.End) break;
          if (found === Found.NeedsBytes) {
            // What was read ahead lies in a block that is about to be overwritten.
            replay.flush();
            merge.refill();
            continue;
          }
          this.startRecord();
        }
        this.isInRecord = !replay.run();
        if (count % LOOK_EVERY === 0 && clock.monotonicMs() > untilMs) {
          replay.flush();
          return false;
        }
      }
      replay.flush();
    } catch (error) {
      throw error instanceof ReplayFault ? this.damageOf(error) : error;
    }
    this.ended ??= merge.finish();
    return true;
  }

  private startRecord(): void {
    const { reader } = this.merge;
    this.recordCount++;
    if (reader.database >= this.databaseCount) {
      throw this.damage(
        `it is of database ${reader.database}, and this server has ${this.databaseCount} ` +
          'databases: start it with more of them.',
      );
    }
    const { u8, bodyAt, bodyBytes, database } = reader;
    this.replay.feed(u8, bodyAt, bodyAt + bodyBytes, database);
  }

  private damageOf({ command, line }: ReplayFault): LogDamage {
    return this.damage(`'${command}' cannot be run again: it was answered with "${line}".`);
  }

  private damage(reason: string): LogDamage {
    const { reader, nextNumber } = this.merge;
    // Some commands are read ahead: it may be one of the last few records.
    const text = `Record ${nextNumber - 1}, or one of those before it, cannot be loaded: ${reason}`;
    return new LogDamage({ file: reader.name, offset: -1, text });
  }
}
