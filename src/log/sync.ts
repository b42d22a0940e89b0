// appendfsync everysec: what a thread of its own does, so that no sync stands in a worker's way and
// no busy worker delays a sync. Under `always` it finds nothing to do, but for what was written
// before that was chosen; under `no` the system writes when it likes.

import type { Disk } from '../base/disk.js';
import { LogFiles } from './log-files.js';
import { baseOf, Log, type LogsShape, Policy, Process, SharedLogs } from './logs.js';

export const SYNC_INTERVAL_MS = 1000;

export class LogSync {
  readonly logs: SharedLogs;
  private readonly files: LogFiles;

  constructor(shape: LogsShape, disk: Disk) {
    this.logs = new SharedLogs(shape);
    this.files = new LogFiles(this.logs, disk);
  }

  /** Syncs what was written, unless the policy leaves that to others. Returns whether it did. */
  pass(): boolean {
    const { words } = this.logs;
    const isQuiet = Atomics.load(words, Process.IsQuiet) !== 0;
    if (isQuiet || this.logs.policy === Policy.No || this.logs.generation === 0) return false;
    return this.syncAll() === 0;
  }

  /** Everything that has a number by now is synced when this returns 0. */
  syncAll(): number {
    const { logs, files } = this;
    const low = Atomics.load(logs.words, Process.Counter);
    let result = 0;
    for (let log = 0; log < logs.logCount; log++) {
      result = Math.min(result, this.writeBefore(log, low), files.syncBeside(log));
    }
    // Not when the generation has ended: then nothing was synced, and nothing will be.
    if (result === 0 && logs.failure === 0) logs.publishSynced(low);
    return result;
  }

  /** Records that their owner has not written yet, as those of a long turn. */
  private writeBefore(log: number, low: number): number {
    const { words } = this.logs;
    // As in LogFiles.help: loaded after the counter.
    const bound = Atomics.load(words, baseOf(log) + Log.Bound);
    if (bound === 0 || ((low - bound) | 0) <= 0) return 0;
    this.files.take(log);
    const result = this.files.writeOut(log);
    this.files.release(log);
    return result;
  }

  /** How often somebody has rung. */
  bell(): number {
    return Atomics.load(this.logs.words, Process.SyncBell);
  }

  /** Sleeps until the next pass is due, or somebody has rung since `bell`. */
  sleep(bell: number, ms: number): void {
    Atomics.wait(this.logs.words, Process.SyncBell, bell, ms);
  }

  /** A pass took so long that another was left out. */
  countDelay(): void {
    Atomics.add(this.logs.words, Process.DelayedSyncs, 1);
  }
}

/** Wakes the sync thread: it is to end. */
export function ringSyncBell(logs: SharedLogs): void {
  Atomics.add(logs.words, Process.SyncBell, 1);
  Atomics.notify(logs.words, Process.SyncBell);
}
