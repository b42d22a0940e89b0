// Recovery in this process: a log directory on a simulated disk is loaded into an engine, and its
// logs begin again, as a server does it when it starts.

import { type Disk, writeFile } from '../../src/base/disk.js';
import { allCommands } from '../../src/commands/index.js';
import { Config } from '../../src/config/config.js';
import { CommandTable } from '../../src/dispatch/table.js';
import { createWaiters } from '../../src/keyspace/waiters.js';
import { createWatchers } from '../../src/keyspace/watchers.js';
import { AppendLog } from '../../src/log/append-log.js';
import { LogKeeper } from '../../src/log/keeper.js';
import { createLogs } from '../../src/log/logs.js';
import { formatManifest, MANIFEST_NAME } from '../../src/log/manifest.js';
import { type RecoveryResult, recover } from '../../src/server/recovery.js';
import { Replay } from '../../src/server/replay.js';
import { holderOf } from '../../src/slab/lock.js';
import { SimulatedDisk } from './disk.js';
import { Engine } from './engine.js';
import type { WrittenLogs } from './log-files.js';

export const LOG_DIRECTORY = 'data/appendonlydir';
const PARTITION_BYTES = 4 * 1024 * 1024;
const WAITER_BYTES = 64 * 1024;
const SESSIONS_MAX = 4;

const TABLE = new CommandTable(allCommands);

let historyCount = 0;

/** Another one each time. */
export function drawHistory(): string {
  return (++historyCount).toString(16).padStart(40, '0');
}

export interface Recovered {
  readonly engine: Engine;
  readonly result: RecoveryResult;
  /** What the server's log would show. */
  readonly lines: readonly string[];
}

export interface RecoverOptions {
  readonly partitions?: number;
  /** Directives beyond appendonly yes. */
  readonly config?: Readonly<Record<string, string>>;
  isStopping?(): boolean;
}

export function replayInto(engine: Engine): Replay {
  const { keyspace, clock } = engine;
  const partitions = keyspace.partitions.length;
  return new Replay({
    keyspace,
    table: engine.runner.table,
    config: new Config(),
    clock,
    waiters: createWaiters(1, partitions, WAITER_BYTES),
    watchers: createWatchers(1, partitions, SESSIONS_MAX),
    thread: 0,
  });
}

export function newEngine(partitions = 4): Engine {
  return new Engine({
    specs: allCommands,
    table: TABLE,
    partitions,
    partitionBytes: PARTITION_BYTES,
    server: { config: new Config() },
  });
}

export async function recoverFrom(disk: Disk, options: RecoverOptions = {}): Promise<Recovered> {
  const engine = newEngine(options.partitions);
  const lines: string[] = [];
  const directives: Record<string, string> = { appendonly: 'yes', ...options.config };
  const config = new Config();
  for (const [name, value] of Object.entries(directives)) {
    const problem = config.set(name, [value]);
    if (problem !== null) throw new Error(`${name} ${value}: ${problem}`);
  }
  const result = await recover({
    disk,
    directory: 'data',
    config,
    clock: engine.clock,
    replay: replayInto(engine),
    holder: holderOf(0),
    log: (level, line) => lines.push(`${level}: ${line}`),
    newHistory: drawHistory,
    noteKeys() {},
    turn: () => Promise.resolve(),
    isStopping: () => options.isStopping?.() ?? false,
    publish() {},
    say: (line) => lines.push(`notice: ${line}`),
  });
  engine.keyspace.expiresByClock = true;
  return { engine, result, lines };
}

/** The logs of a server that has recovered, one for each of `logs` threads. */
export function beginLogs(
  disk: Disk,
  { recovered }: RecoveryResult,
  logs = 2,
): { readonly keeper: LogKeeper; readonly appends: readonly AppendLog[] } {
  if (recovered === null) throw new Error('there is no log to go on with');
  const shape = createLogs(logs, 64 * 1024);
  const keeper = new LogKeeper({
    shape,
    disk,
    directory: LOG_DIRECTORY,
    partitionCount: 4,
    drawHistory,
    log() {},
  });
  keeper.begin(recovered);
  const appends = Array.from({ length: logs }, (_, index) => new AppendLog(shape, index, disk));
  for (const append of appends) append.turnOn(true);
  return { keeper, appends };
}

/** A change as a record holds it. */
export interface Change {
  readonly database: number;
  readonly body: Uint8Array;
}

/** What an engine holds after these changes. */
export function digestAfter(changes: readonly Change[]): string {
  const engine = newEngine();
  const replay = replayInto(engine);
  for (const { database, body } of changes) {
    replay.feed(body, 0, body.length, database);
    while (!replay.run());
    replay.flush();
  }
  return engine.digest();
}

/** A disk with the logs, all of it synced. */
export function putLogs({ manifest, files }: WrittenLogs): SimulatedDisk {
  const disk = new SimulatedDisk();
  disk.makeDirectory('data');
  disk.makeDirectory(LOG_DIRECTORY);
  for (const [name, bytes] of files) writeFile(disk, `${LOG_DIRECTORY}/${name}`, bytes);
  const text = Buffer.from(formatManifest(manifest), 'latin1');
  writeFile(disk, `${LOG_DIRECTORY}/${MANIFEST_NAME}`, text);
  disk.syncDirectory('data');
  disk.syncDirectory(LOG_DIRECTORY);
  return disk;
}
