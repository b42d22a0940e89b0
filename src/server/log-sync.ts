// The thread that syncs the logs once a second (appendfsync everysec). It blocks, in the sync or on
// its bell, and does nothing else: neither a busy worker nor a job delays it.

import { workerData } from 'node:worker_threads';
import { CLOCK_DOUBLES, SystemClock } from '../base/clock.js';
import { SystemDisk } from '../base/disk.js';
import type { LogsShape } from '../log/logs.js';
import { LogSync, SYNC_INTERVAL_MS } from '../log/sync.js';

export interface LogSyncStart {
  readonly logs: LogsShape;
  /** One word: not 0 when the thread is to end. */
  readonly stop: SharedArrayBuffer;
}

function run({ logs, stop }: LogSyncStart): void {
  const stopWord = new Int32Array(stop);
  const sync = new LogSync(logs, new SystemDisk());
  // Only differences are read from it.
  const clock = new SystemClock(new Float64Array(CLOCK_DOUBLES));
  let nextMs = clock.monotonicMs() + SYNC_INTERVAL_MS;
  for (;;) {
    const bell = sync.bell();
    // After the bell was read: who stops this thread rings after it has said so.
    if (stopWord[0] !== 0) return;
    const restMs = nextMs - clock.monotonicMs();
    if (restMs > 0) {
      sync.sleep(bell, restMs);
      continue;
    }
    nextMs += SYNC_INTERVAL_MS;
    sync.pass();
    if (clock.monotonicMs() > nextMs) {
      sync.countDelay();
      nextMs = clock.monotonicMs();
    }
  }
}

run(workerData as LogSyncStart);
