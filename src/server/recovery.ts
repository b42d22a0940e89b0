// What a server finds in its data directory when it starts, and what it makes of it. As Redis has
// it, appendonly decides: with it the logs are the data, whatever else is there; without it the
// snapshot is. The log directory may be one of Flagstone's (a manifest of its own) or one that
// Redis has left, which is read and then left alone.
//
// Nothing is written here but the base that follows from Redis's files: what was found is made
// durable when the logs begin again (log/keeper.ts), behind the cut.

import type { Clock } from '../base/clock.js';
import { type Disk, DiskError, Open, readFile } from '../base/disk.js';
import type { Config } from '../config/config.js';
import { FILE_HEAD_BYTES } from '../log/file-head.js';
import { emptyLog, type Recovered } from '../log/keeper.js';
import { LogOpener } from '../log/log-bytes.js';
import {
  isLogDirectoryFile,
  MANIFEST_NAME,
  type Manifest,
  ManifestError,
  parseManifest,
} from '../log/manifest.js';
import { LogDamage, type MergeEnd } from '../log/merge.js';
import { RdbFileError } from '../rdb/file-read.js';
import { RdbLoad } from '../rdb/load.js';
import type { Holder } from '../slab/lock.js';
import { sourceOf } from './file-input.js';
import type { LaneOptions, LaneOutcome, LoadLanes } from './load-lanes.js';
import { Loading, type LoadingFields, type LoadingPart } from './loading.js';
import type { LogLevel } from './log-file.js';
import { LogLoad } from './log-load.js';
import { findRedisLog, type RedisLog, RedisLogError, RedisLogLoad } from './redis-aof.js';
import { type Replay, ReplayFault } from './replay.js';

export interface RecoveryFields extends LoadingFields {
  readonly disk: Disk;
  /** The data directory. */
  readonly directory: string;
  readonly config: Config;
  readonly clock: Clock;
  readonly replay: Replay;
  readonly holder: Holder;
  readonly log: (level: LogLevel, line: string) => void;
  /** 40 hex digits that nobody has drawn before. */
  newHistory(): string;
  /** Keys that an RDB file gave, and those of it that had expired: for INFO. */
  noteKeys(loaded: number, expired: number): void;
  /** Other threads that load a share of the file, from here on; null: it is loaded by this one. */
  openLanes?(path: string, bytes: number, options: Omit<LaneOptions, 'lane'>): LoadLanes | null;
}

/** What another thread has found wrong with the file. */
class LaneFailure extends Error {}

/** The data cannot be loaded: a message for whoever starts the server. */
export class RecoveryError extends Error {}

export interface RecoveryResult {
  /** Where the logs go on; null when appendonly is no. */
  readonly recovered: Recovered | null;
  /** The data came from elsewhere: a base must be written before the logs begin. */
  readonly needsBase: boolean;
}

/** Loads what is there. Throws a RecoveryError, or LoadingStopped when the server is to end. */
export async function recover(fields: RecoveryFields): Promise<RecoveryResult> {
  try {
    return await new Recovery(fields).run();
  } catch (error) {
    if (isAboutFiles(error)) throw new RecoveryError((error as Error).message);
    throw error;
  }
}

function isAboutFiles(error: unknown): boolean {
  return (
    error instanceof DiskError ||
    error instanceof RdbFileError ||
    error instanceof RedisLogError ||
    error instanceof ManifestError ||
    error instanceof ReplayFault
  );
}

class Recovery {
  private readonly fields: RecoveryFields;
  private readonly logDirectory: string;
  private readonly snapshotPath: string;

  constructor(fields: RecoveryFields) {
    this.fields = fields;
    const { config, directory } = fields;
    this.logDirectory = `${directory}/${config.text('appenddirname')}`;
    this.snapshotPath = `${directory}/${config.text('dbfilename')}`;
  }

  async run(): Promise<RecoveryResult> {
    const { config, disk, directory, log } = this.fields;
    const manifestPath = `${this.logDirectory}/${MANIFEST_NAME}`;
    const hasSnapshot = disk.exists(this.snapshotPath);
    if (!config.flag('appendonly')) {
      if (disk.exists(manifestPath)) {
        log('warning', `appendonly is no: the logs in ${this.logDirectory} are not loaded.`);
      }
      if (hasSnapshot) await this.loadSnapshot();
      return { recovered: null, needsBase: false };
    }
    if (disk.exists(manifestPath)) {
      return { recovered: await this.loadLogs(), needsBase: false };
    }
    const names = [config.text('appenddirname'), config.text('appendfilename')] as const;
    const redisLog = findRedisLog(disk, directory, ...names);
    this.refuseOrphans(redisLog !== null);
    if (redisLog !== null) await this.loadRedisLog(redisLog);
    else if (hasSnapshot) {
      log(
        'warning',
        `appendonly is yes and there is no log: as in Redis, ${this.snapshotPath} is not loaded. ` +
          'Start with appendonly no and switch the log on with CONFIG SET to keep its data.',
      );
    }
    return { recovered: emptyLog(this.fields.newHistory()), needsBase: redisLog !== null };
  }

  /**
   * Without a manifest nobody knows what the files beside it are worth, and to begin an empty log
   * would remove them. Of a first start that was broken off there are logs without a record at the
   * most; while Redis's files are taken over, a base as well.
   */
  private refuseOrphans(hasRedisLog: boolean): void {
    const { disk } = this.fields;
    if (!disk.exists(this.logDirectory)) return;
    const orphans = disk.list(this.logDirectory).filter((name) => {
      if (!isLogDirectoryFile(name)) return false;
      if (name.endsWith('.rdb')) return !hasRedisLog;
      return this.sizeOf(name) > FILE_HEAD_BYTES;
    });
    if (orphans.length === 0) return;
    throw new RecoveryError(
      `${this.logDirectory} holds data (${orphans.sort().join(', ')}), but ${MANIFEST_NAME} is ` +
        'not there, which says what of it counts. Nothing was changed. Put the manifest back, ' +
        'from a copy of the directory; or, to begin without that data, move these files elsewhere.',
    );
  }

  // ---- Flagstone's logs -----------------------------------------------------------------------

  private async loadLogs(): Promise<Recovered> {
    const { disk, replay, clock } = this.fields;
    const manifest = this.readManifest();
    const opener = new LogOpener(disk, this.logDirectory, 'recovery');
    try {
      const logs = new LogLoad(manifest, (name) => opener.open(name), replay, clock);
      const baseBytes = manifest.base === null ? 0 : this.sizeOf(manifest.base.file);
      const loading = new Loading(baseBytes + logs.totalBytes, this.fields);
      if (manifest.base !== null) await this.loadBase(manifest.base.file, loading);
      await loading.run({
        name: 'the logs',
        bytesTotal: logs.totalBytes,
        get bytesRead() {
          return logs.readBytes;
        },
        get itemCount() {
          return logs.recordCount;
        },
        step: (budgetMs) => logs.step(budgetMs),
      });
      if (logs.fault !== null) throw new LogDamage(logs.fault);
      const { end } = logs;
      this.judge(end);
      opener.sync();
      this.sayLoaded(loading, 'append only file', `${logs.recordCount} records`);
      return this.recoveredOf(manifest, end, baseBytes, logs.totalBytes);
    } catch (error) {
      if (error instanceof LogDamage) throw this.refusalOf(error);
      throw error;
    } finally {
      opener.close();
    }
  }

  private readManifest(): Manifest {
    const path = `${this.logDirectory}/${MANIFEST_NAME}`;
    try {
      const text = Buffer.from(readFile(this.fields.disk, path)).toString('latin1');
      return parseManifest(text);
    } catch (error) {
      if (!(error instanceof ManifestError)) throw error;
      throw new RecoveryError(`${path}: ${error.message}`);
    }
  }

  private sizeOf(file: string): number {
    const { disk } = this.fields;
    const fd = disk.open(`${this.logDirectory}/${file}`, Open.Read);
    try {
      return disk.sizeOf(fd);
    } finally {
      disk.close(fd);
    }
  }

  /** Whether what the last run left off with may be cut off; says what is. */
  private judge({ cut, torn, discardedCount }: MergeEnd): void {
    const { config, log } = this.fields;
    const lines = torn.map(
      ({ file, offset, bytes }) =>
        `${this.logDirectory}/${file} ends with an unfinished write: ${bytes} bytes from offset ` +
        `${offset} on are cut off.`,
    );
    if (discardedCount > 0) {
      lines.push(
        `Record ${cut + 1} is missing, so the ${discardedCount} whole records behind it are cut ` +
          'off, too.',
      );
    }
    if (lines.length === 0) return;
    for (const line of lines) log('warning', line);
    if (config.flag('aof-load-truncated')) {
      log('warning', `The data is what it was after record ${cut}: aof-load-truncated is yes.`);
      return;
    }
    throw new RecoveryError(
      `The logs in ${this.logDirectory} do not end with a whole record, and aof-load-truncated ` +
        `is no. Make a copy of the directory, then either run flagstone-check --fix ` +
        `${this.logDirectory} or set aof-load-truncated to yes.`,
    );
  }

  private recoveredOf(
    manifest: Manifest,
    { cut, torn, discardedCount }: MergeEnd,
    baseBytes: number,
    logBytes: number,
  ): Recovered {
    const { base, generations, history, past = [] } = manifest;
    // Whoever remembers a place behind the cut must see that it is not one of this history.
    const isCutOff = torn.length > 0 || discardedCount > 0;
    return {
      history: isCutOff ? this.fields.newHistory() : history,
      number: cut,
      base,
      baseBytes,
      generations,
      logBytes,
      past,
    };
  }

  private refusalOf(damage: LogDamage): RecoveryError {
    return new RecoveryError(
      `${this.logDirectory}/${damage.message} Nothing was changed. Make a copy of the directory, ` +
        `then run flagstone-check ${this.logDirectory} to see what can be read, and with --fix ` +
        'to cut off what cannot.',
    );
  }

  // ---- RDB files ------------------------------------------------------------------------------

  private async loadBase(file: string, loading: Loading): Promise<void> {
    const path = `${this.logDirectory}/${file}`;
    // What has expired goes when the log says so.
    const load = await this.loadFile(path, loading, 'keep');
    const line = `DB loaded from base file ${file}: ${loading.seconds.toFixed(3)} seconds`;
    this.fields.log('notice', line);
    this.runFunctions(load.functions);
  }

  private async loadSnapshot(): Promise<void> {
    const { disk, log, noteKeys } = this.fields;
    const fd = disk.open(this.snapshotPath, Open.Read);
    const bytes = disk.sizeOf(fd);
    disk.close(fd);
    const loading = new Loading(bytes, this.fields);
    const load = await this.loadFile(this.snapshotPath, loading, 'skip');
    this.runFunctions(load.functions);
    const { keysLoaded, keysExpired, keysEmpty } = load;
    const empty = keysEmpty > 0 ? `, empty keys skipped: ${keysEmpty}` : '';
    log(
      'notice',
      `Done loading RDB, keys loaded: ${keysLoaded}, keys expired: ${keysExpired}${empty}.`,
    );
    noteKeys(keysLoaded, keysExpired);
    this.sayLoaded(loading, 'disk', `${keysLoaded} keys loaded, ${keysExpired} expired`);
  }

  private async loadFile(
    path: string,
    loading: Loading,
    expired: 'skip' | 'keep',
  ): Promise<RdbLoad> {
    const { disk, replay, clock, holder, config, log } = this.fields;
    const fd = disk.open(path, Open.Read);
    const options = {
      expired,
      duplicates: 'refuse',
      isLfu: config.text('maxmemory-policy').endsWith('-lfu'),
    } as const;
    const bytes = disk.sizeOf(fd);
    const lanes = this.fields.openLanes?.(path, bytes, options) ?? null;
    try {
      const load = new RdbLoad(sourceOf(disk, path, fd), {
        ...options,
        keyspace: replay.keyspace,
        clock,
        holder,
        checksums: config.flag('rdbchecksum'),
        warn: (line) => log('warning', line),
        ...(lanes === null ? {} : { lane: lanes.own }),
      });
      await loading.run(partOf(path, bytes, load, lanes));
      if (lanes !== null) addOutcomes(load, await lanes.outcomes());
      return load;
    } catch (error) {
      await lanes?.stop();
      const isOfFile = error instanceof RdbFileError || error instanceof LaneFailure;
      throw isOfFile ? new RecoveryError(`${path}: ${error.message}`) : error;
    } finally {
      disk.close(fd);
    }
  }

  // ---- Redis's logs ---------------------------------------------------------------------------

  private async loadRedisLog(redisLog: RedisLog): Promise<void> {
    const { disk, replay, clock, holder, config, log } = this.fields;
    const load = new RedisLogLoad({
      disk,
      log: redisLog,
      replay,
      clock,
      holder,
      checksums: config.flag('rdbchecksum'),
      isLfu: config.text('maxmemory-policy').endsWith('-lfu'),
      mayBeTorn: config.flag('aof-load-truncated'),
      warn: (line) => log('warning', line),
    });
    const loading = new Loading(load.bytesTotal, this.fields);
    try {
      await loading.run({
        name: "Redis's append-only files",
        bytesTotal: load.bytesTotal,
        get bytesRead() {
          return load.bytesRead;
        },
        get itemCount() {
          return load.keysLoaded + load.commandsRun;
        },
        step: (budgetMs) => load.step(budgetMs),
      });
    } finally {
      load.close();
    }
    this.runFunctions(load.functions);
    this.sayLoaded(loading, 'append only file', `${load.commandsRun} commands`);
    log('notice', "Redis's append-only files stay as they are: Flagstone begins a log of its own.");
  }

  // ---- both -----------------------------------------------------------------------------------

  /** Libraries of functions take the road of a command. */
  private runFunctions(libraries: readonly Uint8Array[]): void {
    const { replay } = this.fields;
    for (const code of libraries) {
      const head = `*4\r\n$8\r\nFUNCTION\r\n$4\r\nLOAD\r\n$7\r\nREPLACE\r\n$${code.length}\r\n`;
      const bytes = Buffer.concat([Buffer.from(head, 'latin1'), code, Buffer.from('\r\n')]);
      replay.feed(bytes, 0, bytes.length, 0);
      replay.run();
      replay.flush();
    }
  }

  private sayLoaded(loading: Loading, source: string, what: string): void {
    const { log } = this.fields;
    log('notice', `DB loaded from ${source}: ${loading.seconds.toFixed(3)} seconds`);
    log('notice', `${what}; ${loading.summary(this.countKeys())}`);
  }

  private countKeys(): number {
    const { partitions, databaseCount } = this.fields.replay.keyspace;
    let count = 0;
    for (const partition of partitions) {
      for (let database = 0; database < databaseCount; database++) {
        count += partition.countOf(database);
      }
    }
    return count;
  }
}

/** One's own lane, and then the wait for the others. */
function partOf(
  name: string,
  bytesTotal: number,
  load: RdbLoad,
  lanes: LoadLanes | null,
): LoadingPart {
  let isOwnDone = false;
  return {
    name,
    bytesTotal,
    get bytesRead() {
      return load.bytesRead;
    },
    get itemCount() {
      return load.keysLoaded;
    },
    step(budgetMs) {
      if (isOwnDone) return lanes!.areThrough(budgetMs);
      isOwnDone = load.step(budgetMs);
      if (lanes === null) return isOwnDone;
      return lanes.hasFailed;
    },
  };
}

/** What was loaded by all; throws what the first of them that failed has met. */
function addOutcomes(load: RdbLoad, outcomes: readonly LaneOutcome[]): void {
  const [first] = outcomes
    .map(({ failure }) => failure)
    .filter((failure) => failure !== null)
    .sort((a, b) => a.offset - b.offset);
  if (first !== undefined) throw new LaneFailure(first.line);
  for (const { keysLoaded, keysExpired, keysEmpty } of outcomes) {
    load.keysLoaded += keysLoaded;
    load.keysExpired += keysExpired;
    load.keysEmpty += keysEmpty;
  }
}
