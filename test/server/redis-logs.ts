// For tests: loads what Redis has left in a directory into an engine.

import { SystemDisk } from '../../src/base/disk.js';
import { Config } from '../../src/config/config.js';
import { createWaiters } from '../../src/keyspace/waiters.js';
import { createWatchers } from '../../src/keyspace/watchers.js';
import { findRedisLog, RedisLogLoad } from '../../src/server/redis-aof.js';
import { Replay } from '../../src/server/replay.js';
import type { Engine } from '../support/engine.js';

const WAITER_BYTES = 1024 * 1024;
const SESSIONS_MAX = 16;

export interface LoadedLog {
  readonly steps: number;
  readonly bytesRead: number;
  readonly bytesTotal: number;
  readonly functions: readonly Uint8Array[];
  readonly warnings: readonly string[];
}

export function loadRedisLog(
  engine: Engine,
  directory: string,
  how: { readonly budgetMs?: number; readonly mayBeTorn?: boolean } = {},
): LoadedLog {
  const { keyspace, clock } = engine;
  const disk = new SystemDisk();
  const warnings: string[] = [];
  const partitions = keyspace.partitions.length;
  const replay = new Replay({
    keyspace,
    table: engine.runner.table,
    config: new Config(),
    clock,
    waiters: createWaiters(1, partitions, WAITER_BYTES),
    watchers: createWatchers(1, partitions, SESSIONS_MAX),
    thread: 0,
  });
  const log = findRedisLog(disk, directory, 'appendonlydir', 'appendonly.aof');
  if (log === null) throw new Error(`${directory} has no append-only files of Redis`);
  const load = new RedisLogLoad({
    disk,
    log,
    replay,
    clock,
    holder: null,
    checksums: true,
    isLfu: false,
    mayBeTorn: how.mayBeTorn ?? true,
    warn: (line) => warnings.push(line),
  });
  let steps = 1;
  try {
    while (!load.step(how.budgetMs ?? 50)) steps++;
  } finally {
    load.close();
  }
  const { bytesRead, bytesTotal, functions } = load;
  return { steps, bytesRead, bytesTotal, functions, warnings };
}
