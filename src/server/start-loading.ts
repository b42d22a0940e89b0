// Loading as the main thread does it: what it needs to execute commands, and what tells the others
// about it. The gate is up in all threads meanwhile; whoever calls this lowers it. Main loads this
// module, and with it all commands, only when there is data (fresh-start.ts).

import { setTimeout as sleep } from 'node:timers/promises';
import { SystemClock } from '../base/clock.js';
import { SystemDisk } from '../base/disk.js';
import { setHashKey } from '../base/hash.js';
import { allCommands } from '../commands/index.js';
import type { Config } from '../config/config.js';
import { limits } from '../dispatch/limits.js';
import { CommandTable } from '../dispatch/table.js';
import { Keyspace } from '../keyspace/keyspace.js';
import { holderOf } from '../slab/lock.js';
import { ServerStats } from '../stats/server.js';
import { adoptStamping } from './eviction.js';
import { adoptThresholds } from './executor.js';
import { newHistory } from './fresh-start.js';
import { LoadLanes, laneCountFor } from './load-lanes.js';
import type { LogFile } from './log-file.js';
import { type RecoveryResult, recover } from './recovery.js';
import { Replay, uncountedLookups } from './replay.js';
import { attachSlabs, type ProcessShape, statThreads } from './shape.js';

export interface LoadingServer {
  readonly shape: ProcessShape;
  readonly config: Config;
  readonly log: LogFile;
  /** The server is to end. */
  isStopping(): boolean;
}

/** Loads the data directory, which is the process's own. */
export function loadData(server: LoadingServer): Promise<RecoveryResult> {
  const { shape, config, log } = server;
  setHashKey(shape.hashKey);
  adoptThresholds(config);
  // Values may be as long as the configuration of whoever wrote them allowed.
  limits.bulkBytesMax = Number.POSITIVE_INFINITY;
  const clock = new SystemClock(new Float64Array(shape.clock));
  const slabs = attachSlabs(shape.slabs, shape.slabStarts);
  const stats = new ServerStats(shape.serverStats, statThreads(shape), 0);
  const thread = shape.mainThread;
  const keyspace = new Keyspace(slabs, shape.databaseCount, uncountedLookups());
  adoptStamping(keyspace, config);
  const replay = new Replay({
    keyspace,
    table: new CommandTable(allCommands),
    config,
    clock,
    waiters: shape.waiters,
    watchers: shape.watchers,
    scripts: shape.scripts,
    thread,
  });
  return recover({
    disk: new SystemDisk(),
    directory: '.',
    config,
    clock,
    replay,
    holder: holderOf(thread),
    log: (level, line) => log.write(level, line),
    newHistory,
    noteKeys: (loaded, expired) => stats.noteLoadedKeys(loaded, expired),
    turn: (ms) => (ms > 0 ? sleep(ms) : new Promise((resolve) => setImmediate(resolve))),
    openLanes(path, bytes, options) {
      // Who wants it to take long wants it one key after the other.
      const isSlow = config.number('key-load-delay') !== 0;
      const count = isSlow ? 1 : laneCountFor(bytes, slabs.length);
      return count === 1 ? null : new LoadLanes({ path, shape, keyspace, options }, count);
    },
    delayUs: () => delayOf(config.number('key-load-delay')),
    isStopping: () => server.isStopping(),
    publish: (figures) => {
      stats.loading = figures;
    },
    say: (line) => log.write('notice', line),
  });
}

/** key-load-delay: −N is a microsecond for every N keys. */
function delayOf(value: number): number {
  return value < 0 ? -1 / value : value;
}
