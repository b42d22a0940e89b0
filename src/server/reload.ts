// DEBUG RELOAD: the dataset is written to the snapshot file, removed, and loaded from there, all
// under all locks. It is for tests: nobody else is served meanwhile, however long that takes.

import type { Clock } from '../base/clock.js';
import { type Disk, DiskError, Open, SystemDisk } from '../base/disk.js';
import type { Config } from '../config/config.js';
import type { Functions } from '../dispatch/functions.js';
import { REDIS_VERSION, type ReloadRequest } from '../dispatch/server-door.js';
import type { EntryRef } from '../keyspace/entry.js';
import { flushPartition } from '../keyspace/flush.js';
import type { Keyspace } from '../keyspace/keyspace.js';
import { eachEntry } from '../keyspace/scan.js';
import { RdbFileError } from '../rdb/file-read.js';
import { RdbFileWriter, type Recency } from '../rdb/file-write.js';
import { RdbLoad } from '../rdb/load.js';
import { Refusal } from '../resp/errors.js';
import { sourceOf } from './file-input.js';
import type { LogFile } from './log-file.js';

export interface ReloadFields {
  readonly keyspace: Keyspace;
  readonly clock: Clock;
  readonly config: Config;
  /** Clients' caches: they hear of the flush. */
  readonly tracking: { beginFlush(): void; endFlush(): void };
  readonly functions: Functions;
  readonly log: Pick<LogFile, 'write'>;
}

const NOT_SAVED = 'ERR';
const NOT_LOADED = 'ERR Error trying to load the RDB dump, check server logs.';

/** Null when all went well, else what to answer. The caller holds all locks. */
export function reloadDataset(request: ReloadRequest, fields: ReloadFields): string | null {
  const { config, log } = fields;
  const disk = new SystemDisk();
  const directory = config.text('dir');
  const name = config.text('dbfilename');
  try {
    if (request.saves) saveDataset(disk, directory, name, fields);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    log.write('warning', `DEBUG RELOAD: ${error.message}`);
    return NOT_SAVED;
  }
  if (request.flushes) emptyDataset(fields);
  try {
    loadDataset(disk, `${directory}/${name}`, request.merges, fields);
  } catch (error) {
    const isRefused = error instanceof Refusal;
    if (!(isRefused || error instanceof DiskError || error instanceof RdbFileError)) throw error;
    log.write('warning', `DEBUG RELOAD: ${isRefused ? error.line : error.message}`);
    return NOT_LOADED;
  }
  log.write('warning', 'DB reloaded by DEBUG RELOAD');
  return null;
}

/** Removes all keys and all functions. */
export function emptyDataset({ keyspace, tracking, functions }: ReloadFields): void {
  tracking.beginFlush();
  for (const partition of keyspace.partitions) flushPartition(partition);
  tracking.endFlush();
  functions.flush();
}

/** What the eviction policy looks at, as Redis writes it. */
function recencyFor(config: Config): Recency {
  const policy = config.text('maxmemory-policy');
  if (policy.endsWith('lfu')) return 'lfu';
  return policy.endsWith('lru') || policy.endsWith('lrm') ? 'lru' : 'none';
}

function saveDataset(disk: Disk, directory: string, name: string, fields: ReloadFields): void {
  const { config, keyspace, clock } = fields;
  const temporary = `${directory}/temp-${process.pid}.reload.rdb`;
  const fd = disk.open(temporary, Open.Create);
  let bytes = 0;
  const writeAt = (u8: Uint8Array, length: number, position: number) => {
    for (let at = 0; at < length; ) {
      const count = disk.writeAt(fd, u8, at, length - at, position + at);
      if (count <= 0) throw new DiskError('Writing', temporary, -count);
      at += count;
    }
  };
  try {
    const writer = new RdbFileWriter(
      {
        write(u8, length) {
          writeAt(u8, length, bytes);
          bytes += length;
        },
        rewrite: (u8, length) => writeAt(u8, length, 0),
      },
      {
        compresses: config.flag('rdbcompression'),
        checksums: config.flag('rdbchecksum'),
        isExact: true,
        nowMs: clock.nowMs(),
        recency: recencyFor(config),
        recencyNow: keyspace.recency,
      },
    );
    writer.begin([
      ['redis-ver', REDIS_VERSION],
      ['redis-bits', '64'],
      ['ctime', String(Math.floor(clock.nowMs() / 1000))],
    ]);
    for (const { code } of fields.functions.all) writer.functions(code);
    for (let database = 0; database < keyspace.databaseCount; database++) {
      writeDatabase(writer, keyspace, database);
    }
    writer.end();
  } finally {
    disk.close(fd);
  }
  disk.rename(temporary, `${directory}/${name}`);
}

function writeDatabase(writer: RdbFileWriter, keyspace: Keyspace, database: number): void {
  let keys = 0;
  let volatileKeys = 0;
  for (const partition of keyspace.partitions) {
    keys += partition.countOf(database);
    volatileKeys += partition.volatileCountOf(database);
  }
  if (keys === 0) return;
  writer.select(database, keys, volatileKeys);
  for (const partition of keyspace.partitions) {
    partition.select(database);
    eachEntry(partition, (slab, ref) => {
      writer.entry(slab, ref as EntryRef);
    });
  }
}

function loadDataset(disk: Disk, path: string, merges: boolean, fields: ReloadFields): void {
  const { keyspace, clock, config, log } = fields;
  const fd = disk.open(path, Open.Read);
  try {
    const load = new RdbLoad(sourceOf(disk, path, fd), {
      keyspace,
      clock,
      holder: null,
      expired: 'skip',
      duplicates: merges ? 'replace' : 'refuse',
      checksums: config.flag('rdbchecksum'),
      isLfu: recencyFor(config) === 'lfu',
      warn: (line) => log.write('warning', line),
    });
    while (!load.step(Number.POSITIVE_INFINITY));
    for (const code of load.functions) fields.functions.load(code, merges, false);
  } finally {
    disk.close(fd);
  }
}
