// DEBUG LOADAOF: what the append logs have in memory is written to them, the dataset is removed and
// loaded again from the directory of the logs, all under all locks. It is for tests: nobody else
// is served meanwhile. The logs themselves stay as they are, so they go on where they were.
//
// What can be known before is: base and logs are read once to their end before anything is removed.
// So what is missing in them, or damaged, leaves everything as it was.

import { type Disk, DiskError, Open, readFile, SystemDisk } from '../base/disk.js';
import { limits } from '../dispatch/limits.js';
import type { CommandTable } from '../dispatch/table.js';
import { Keyspace } from '../keyspace/keyspace.js';
import type { AppendLog } from '../log/append-log.js';
import { LogOpener } from '../log/log-bytes.js';
import { Found, type LogBytes } from '../log/log-reader.js';
import { NO_GENERATION } from '../log/logs.js';
import { MANIFEST_NAME, type Manifest, ManifestError, parseManifest } from '../log/manifest.js';
import { LogDamage, LogMerge, type MergeEnd } from '../log/merge.js';
import { RdbFileError } from '../rdb/file-read.js';
import { type Lane, RdbLoad } from '../rdb/load.js';
import { Refusal } from '../resp/errors.js';
import { adoptStamping } from './eviction.js';
import { sourceOf } from './file-input.js';
import { LogLoad } from './log-load.js';
import { findRedisLog, type RedisLog, RedisLogError, RedisLogLoad } from './redis-aof.js';
import { emptyDataset, type ReloadFields } from './reload.js';
import { Replay, ReplayFault, uncountedLookups } from './replay.js';
import type { ProcessShape } from './shape.js';

export interface ReloadLogFields extends ReloadFields {
  readonly shape: ProcessShape;
  readonly thread: number;
  readonly table: CommandTable;
  /** This thread's own; through it the logs of all. */
  readonly sink: AppendLog;
  /** The directory that appenddirname and appendfilename stand in. */
  readonly directory: string;
}

const NOT_LOADED = 'ERR Error trying to load the AOF files, check server logs.';
/** Nothing was changed: the log was switched on, and is not there yet. */
export const NO_BASE =
  'ERR The append log has no base yet: it was switched on, and the first one is being written. ' +
  'Try again when aof_rewrite_in_progress is 0';
/** A rewrite that ends just now takes files away: the manifest that says so is there before. */
const LOOKS_MAX = 10;

/** A lane that no partition belongs to: all keys are passed over. */
const NO_KEYS: Lane = { index: 1, count: 1 };

/** The logs cannot be loaded. */
class NotLoadable extends Error {}

/** Null when all went well, else what to answer. The caller holds all locks. */
export function reloadLog(fields: ReloadLogFields): string | null {
  const { config, log } = fields;
  const { bulkBytesMax } = limits;
  // Values may be as long as the configuration of whoever wrote them allowed.
  limits.bulkBytesMax = Number.POSITIVE_INFINITY;
  const loading = new LogReload(fields);
  try {
    const isWanted = config.flag('appendonly');
    if (isWanted && !loading.isOn) return NO_BASE;
    const refusal = loading.run();
    if (refusal === null) log.write('notice', 'Append Only File loaded by DEBUG LOADAOF');
    return refusal;
  } catch (error) {
    if (!isAboutData(error)) throw error;
    const reason = error instanceof Refusal ? error.line : (error as Error).message;
    log.write('warning', `DEBUG LOADAOF: ${reason}`);
    const { isEmptied } = loading;
    const left = isEmptied ? 'The dataset is what was loaded until then.' : 'Nothing was changed.';
    log.write('warning', left);
    return NOT_LOADED;
  } finally {
    limits.bulkBytesMax = bulkBytesMax;
    loading.close();
    for (const partition of fields.keyspace.partitions) partition.forget();
  }
}

function isAboutData(error: unknown): boolean {
  return (
    error instanceof DiskError ||
    error instanceof LogDamage ||
    error instanceof ManifestError ||
    error instanceof NotLoadable ||
    error instanceof RdbFileError ||
    error instanceof RedisLogError ||
    error instanceof Refusal ||
    error instanceof ReplayFault
  );
}

/** The files of one generation of the manifest, open: they may be removed meanwhile. */
interface OpenedLogs {
  readonly manifest: Manifest;
  readonly end: MergeEnd;
  open(name: string): LogBytes | null;
  readonly baseFd: number | null;
}

class LogReload {
  isEmptied = false;
  private readonly fields: ReloadLogFields;
  private readonly disk: Disk = new SystemDisk();
  private readonly logDirectory: string;
  private opener: LogOpener | null = null;
  private baseFd: number | null = null;

  constructor(fields: ReloadLogFields) {
    this.fields = fields;
    this.logDirectory = `${fields.directory}/${fields.config.text('appenddirname')}`;
  }

  /** Are records taken? */
  get isOn(): boolean {
    return this.fields.sink.logs.generation !== NO_GENERATION;
  }

  run(): string | null {
    const { disk, fields, logDirectory } = this;
    const { config, directory } = fields;
    if (this.isOn) this.writeOut();
    else if (!disk.exists(`${logDirectory}/${MANIFEST_NAME}`)) {
      const names = [config.text('appenddirname'), config.text('appendfilename')] as const;
      return this.loadRedisLog(findRedisLog(disk, directory, ...names));
    }
    const opened = this.openLogs();
    if (opened === null) return NO_BASE;
    const { end } = opened;
    const isWhole = end.torn.length === 0 && end.discardedCount === 0;
    this.judge(end, isWhole);
    if (opened.manifest.base !== null) {
      this.readBase(this.ownKeyspace(), opened.manifest.base.file, opened.baseFd!, NO_KEYS);
    }
    this.load(opened);
    // As Redis has it, which loads what there is of a torn log, and calls it an error.
    return isWhole ? null : NOT_LOADED;
  }

  close(): void {
    this.opener?.close();
    this.opener = null;
    if (this.baseFd !== null) this.disk.close(this.baseFd);
    this.baseFd = null;
  }

  /** All records are in the files from here on: nobody makes one without a partition's lock. */
  private writeOut(): void {
    const { files, logs } = this.fields.sink;
    for (let log = 0; log < logs.logCount; log++) {
      files.take(log);
      const result = files.writeOut(log);
      files.release(log);
      if (result < 0) throw new DiskError('Writing', this.logDirectory, -result);
    }
  }

  // ---- before anything is removed ---------------------------------------------------------------

  /** Null: the log that is on is in no manifest yet. */
  private openLogs(): OpenedLogs | null {
    for (let looks = 1; ; looks++) {
      const path = `${this.logDirectory}/${MANIFEST_NAME}`;
      if (!this.disk.exists(path)) return null;
      const text = Buffer.from(readFile(this.disk, path)).toString('latin1');
      const manifest = parseManifest(text);
      const { logs } = this.fields.sink;
      const isNamed = manifest.generations.some((each) => each.generation === logs.generation);
      if (this.isOn && !isNamed) return null;
      try {
        return this.openFiles(manifest);
      } catch (error) {
        if (looks === LOOKS_MAX || !this.hasChanged(path, text)) throw error;
        this.close();
      }
    }
  }

  private hasChanged(path: string, text: string): boolean {
    return Buffer.from(readFile(this.disk, path)).toString('latin1') !== text;
  }

  private openFiles(manifest: Manifest): OpenedLogs {
    const opener = new LogOpener(this.disk, this.logDirectory, 'look');
    this.opener = opener;
    if (manifest.base !== null) {
      this.baseFd = this.disk.open(`${this.logDirectory}/${manifest.base.file}`, Open.Read);
    }
    const known = new Map<string, LogBytes | null>();
    const open = (name: string): LogBytes | null => {
      if (!known.has(name)) known.set(name, opener.open(name));
      return known.get(name)!;
    };
    return { manifest, open, end: endOf(manifest, open), baseFd: this.baseFd };
  }

  /** May what the logs end with be loaded? */
  private judge(end: MergeEnd, isWhole: boolean): void {
    const { config, log, sink } = this.fields;
    if (this.isOn) {
      const number = sink.logs.currentNumber();
      if (isWhole && end.cut === number) return;
      throw new NotLoadable(`The logs end with record ${end.cut}, and the last one was ${number}.`);
    }
    if (isWhole) return;
    for (const { file, offset } of end.torn) {
      log.write('warning', `${file} ends with an unfinished write at offset ${offset}.`);
    }
    if (!config.flag('aof-load-truncated')) {
      throw new NotLoadable('aof-load-truncated is no.');
    }
  }

  // ---- loading ----------------------------------------------------------------------------------

  /** A keyspace of its own over the same slabs: nothing expires by the clock in it. */
  private ownKeyspace(): Keyspace {
    const { keyspace: served } = this.fields;
    const slabs = served.partitions.map(({ slab }) => slab);
    return new Keyspace(slabs, served.databaseCount, uncountedLookups());
  }

  private empty(): Replay {
    const { fields } = this;
    const { config, shape, keyspace: served, clock } = fields;
    emptyDataset(fields);
    this.isEmptied = true;
    const keyspace = this.ownKeyspace();
    adoptStamping(keyspace, config);
    const { waiters, watchers, scripts } = shape;
    const replay = new Replay({
      ...{ keyspace, config, clock, waiters, watchers, scripts },
      table: fields.table,
      thread: fields.thread,
      areLocksHeld: true,
    });
    // Who waits for a key, watches it or caches it hears of this thread's changes, whose they are.
    keyspace.sinks = served.sinks;
    return replay;
  }

  private load({ manifest, open, baseFd }: OpenedLogs): void {
    const replay = this.empty();
    const { clock } = this.fields;
    replay.readClock();
    if (manifest.base !== null) this.loadBase(replay, manifest.base.file, baseFd!);
    const logs = new LogLoad(manifest, open, replay, clock);
    logs.step(Number.POSITIVE_INFINITY);
  }

  private loadBase(replay: Replay, file: string, fd: number): void {
    const load = this.readBase(replay.keyspace, file, fd);
    for (const code of load.functions) this.fields.functions.load(code, true, false);
  }

  private readBase(keyspace: Keyspace, file: string, fd: number, lane?: Lane): RdbLoad {
    const { clock, config, log } = this.fields;
    const path = `${this.logDirectory}/${file}`;
    const load = new RdbLoad(sourceOf(this.disk, path, fd), {
      ...{ keyspace, clock },
      ...(lane === undefined ? {} : { lane }),
      holder: null,
      // What has expired goes when the log says so.
      expired: 'keep',
      duplicates: 'refuse',
      checksums: config.flag('rdbchecksum'),
      isLfu: config.text('maxmemory-policy').endsWith('-lfu'),
      warn: (line) => log.write('warning', line),
    });
    try {
      while (!load.step(Number.POSITIVE_INFINITY));
    } catch (error) {
      if (!(error instanceof RdbFileError)) throw error;
      throw new NotLoadable(`${path}: ${error.message}`);
    }
    return load;
  }

  /** What Redis has left there; with nothing at all the dataset is empty, and that an error. */
  private loadRedisLog(redisLog: RedisLog | null): string | null {
    const { clock, config, functions, log } = this.fields;
    const replay = this.empty();
    if (redisLog === null) throw new NotLoadable(`There is no log in ${this.logDirectory}.`);
    const load = new RedisLogLoad({
      disk: this.disk,
      log: redisLog,
      replay,
      clock,
      holder: null,
      checksums: config.flag('rdbchecksum'),
      isLfu: config.text('maxmemory-policy').endsWith('-lfu'),
      mayBeTorn: config.flag('aof-load-truncated'),
      warn: (line) => log.write('warning', line),
    });
    try {
      while (!load.step(Number.POSITIVE_INFINITY));
    } finally {
      load.close();
    }
    for (const code of load.functions) functions.load(code, true, false);
    return null;
  }
}

/** Reads the logs to their end, and looks at every record. */
function endOf(manifest: Manifest, open: (name: string) => LogBytes | null): MergeEnd {
  const merge = new LogMerge(manifest, open);
  for (let found = merge.advance(); found !== Found.End; found = merge.advance()) {
    if (found === Found.NeedsBytes) merge.refill();
  }
  const end = merge.finish();
  if (merge.fault !== null) throw new LogDamage(merge.fault);
  return end;
}
