// Loads what Redis has left in its append-only directory (or, before 7.0, in one file): the base,
// an RDB file or commands behind one, then the increments. Nothing of it is changed: the server
// goes on with a log of its own. What Redis does not undo is not undone here either: a transaction
// without its EXEC at the end of the last file has not happened.

import type { Clock } from '../base/clock.js';
import { type Disk, DiskError, Open, readFile } from '../base/disk.js';
import { AofFound, AofReader } from '../rdb/aof-read.js';
import { FileSource } from '../rdb/file-source.js';
import { RdbLoad } from '../rdb/load.js';
import { parseRedisManifest, RedisManifestError } from '../rdb/redis-manifest.js';
import type { Holder } from '../slab/lock.js';
import { type Replay, ReplayFault } from './replay.js';

/** The files to load, in their order: paths. */
export interface RedisLog {
  readonly paths: readonly string[];
}

/** What is wrong with Redis's files, in words for whoever runs the server. */
export class RedisLogError extends Error {
  override readonly name = 'RedisLogError';
}

/**
 * What Redis has left in `directory`: a manifest in `<appenddirname>`, or a file `<appendfilename>`
 * beside it as before 7.0; null if there is neither.
 */
export function findRedisLog(
  disk: Disk,
  directory: string,
  logDirectory: string,
  fileName: string,
): RedisLog | null {
  const manifestPath = `${directory}/${logDirectory}/${fileName}.manifest`;
  if (!disk.exists(manifestPath)) {
    const single = `${directory}/${fileName}`;
    return disk.exists(single) ? { paths: [single] } : null;
  }
  try {
    const text = Buffer.from(readFile(disk, manifestPath)).toString('latin1');
    const { base, increments } = parseRedisManifest(text);
    const names = base === null ? increments : [base, ...increments];
    const paths = names.map((name) => `${directory}/${logDirectory}/${name}`);
    const missing = paths.find((path) => !disk.exists(path));
    if (missing !== undefined)
      throw new RedisLogError(`${manifestPath} names ${missing}, which is not there`);
    return { paths };
  } catch (error) {
    if (error instanceof RedisManifestError) throw new RedisLogError(error.message);
    throw error;
  }
}

export interface RedisLogFields {
  readonly disk: Disk;
  readonly log: RedisLog;
  readonly replay: Replay;
  readonly clock: Clock;
  /** See RdbLoad. */
  readonly holder: Holder | null;
  readonly checksums: boolean;
  readonly isLfu: boolean;
  /** aof-load-truncated: a torn tail of the last file is left out. */
  readonly mayBeTorn: boolean;
  warn(line: string): void;
}

/** Commands between two looks at the clock. */
const LOOK_EVERY = 64;
/** Commands of one transaction that are kept until its EXEC comes. */
const RANGES_MAX = 2 ** 24;
const SAME_DATABASE = -1;
const RDB_MAGIC = Buffer.from('REDIS', 'latin1');

interface Range {
  readonly u8: Uint8Array;
  readonly start: number;
  readonly end: number;
}

export class RedisLogLoad {
  readonly bytesTotal: number;
  /** The code of libraries of functions in RDB files. */
  readonly functions: Uint8Array[] = [];
  keysLoaded = 0;
  private readonly fields: RedisLogFields;
  private bytesBefore = 0;
  private fileIndex = 0;
  private file: AofFile | null = null;

  constructor(fields: RedisLogFields) {
    this.fields = fields;
    let total = 0;
    for (const path of fields.log.paths) total += sizeOf(fields.disk, path);
    this.bytesTotal = total;
  }

  get bytesRead(): number {
    return this.bytesBefore + (this.file?.bytesRead ?? 0);
  }

  get commandsRun(): number {
    return this.fields.replay.commandCount;
  }

  /** Goes on for about `budgetMs`; true when all files are loaded. */
  step(budgetMs: number): boolean {
    const { clock, log } = this.fields;
    const untilMs = clock.monotonicMs() + budgetMs;
    while (this.fileIndex < log.paths.length) {
      const path = log.paths[this.fileIndex]!;
      const isLast = this.fileIndex === log.paths.length - 1;
      this.file ??= new AofFile(path, isLast, this.fields);
      if (!this.file.step(untilMs)) return false;
      this.bytesBefore += this.file.bytesRead;
      this.keysLoaded += this.file.keysLoaded;
      this.functions.push(...this.file.functions);
      this.file.close();
      this.file = null;
      this.fileIndex++;
    }
    return true;
  }

  /** After an error: what is open is closed. */
  close(): void {
    this.file?.close();
    this.file = null;
  }
}

function sizeOf(disk: Disk, path: string): number {
  const fd = disk.open(path, Open.Read);
  try {
    return disk.sizeOf(fd);
  } finally {
    disk.close(fd);
  }
}

/** One file: an RDB part, if it begins with one, then commands. */
class AofFile {
  functions: readonly Uint8Array[] = [];
  keysLoaded = 0;
  private readonly path: string;
  private readonly isLast: boolean;
  private readonly fields: RedisLogFields;
  private readonly fd: number;
  private readonly source: FileSource;
  private readonly reader: AofReader;
  private rdb: RdbLoad | null = null;
  /** The commands of a transaction whose EXEC has not come, and where its MULTI stands. */
  private queued: Range[] | null = null;
  private queuedFrom = 0;
  /** Commands that run now. */
  private ready: Range[] = [];
  private readyAt = 0;
  private isFed = false;
  private isAtEnd = false;

  constructor(path: string, isLast: boolean, fields: RedisLogFields) {
    const { disk } = fields;
    this.path = path;
    this.isLast = isLast;
    this.fields = fields;
    this.fd = disk.open(path, Open.Read);
    let position = 0;
    this.source = new FileSource({
      bytesTotal: disk.sizeOf(this.fd),
      read: (u8, start, length) => {
        const count = disk.readAt(this.fd, u8, start, length, position);
        if (count < 0) throw new DiskError('Reading', path, -count);
        position += count;
        return count;
      },
    });
    this.reader = new AofReader(this.source);
    if (this.startsAsRdb()) this.rdb = new RdbLoad(this.source, this.rdbOptions());
    // Commands of a file begin in database 0, whatever the file before ended in.
    else this.runLater(SELECT_FIRST, 0, SELECT_FIRST.length);
  }

  get bytesRead(): number {
    return this.source.position;
  }

  close(): void {
    this.fields.disk.close(this.fd);
  }

  private startsAsRdb(): boolean {
    const { source } = this;
    if (!source.has(RDB_MAGIC.length)) return false;
    return RDB_MAGIC.every((byte, index) => source.u8[source.at + index] === byte);
  }

  private rdbOptions() {
    const { replay, clock, holder, checksums, isLfu, warn } = this.fields;
    const { keyspace } = replay;
    // What has expired goes when a command behind it says so.
    const expired = 'keep' as const;
    const duplicates = 'refuse' as const;
    return { keyspace, clock, holder, expired, duplicates, checksums, isLfu, warn };
  }

  step(untilMs: number): boolean {
    const { clock, replay } = this.fields;
    if (this.rdb !== null) {
      const { rdb } = this;
      if (!rdb.step(Math.max(0, untilMs - clock.monotonicMs()))) return false;
      this.functions = rdb.functions;
      this.keysLoaded = rdb.keysLoaded;
      this.rdb = null;
      this.runLater(SELECT_FIRST, 0, SELECT_FIRST.length);
    }
    replay.readClock();
    try {
      for (let count = 1; ; count++) {
        if (this.runReady()) {
          if (this.isAtEnd) break;
          this.readNext();
        }
        if (count % LOOK_EVERY === 0 && clock.monotonicMs() > untilMs) {
          replay.flush();
          return false;
        }
      }
      replay.flush();
    } catch (error) {
      throw error instanceof ReplayFault ? this.errorOf(error) : error;
    }
    return true;
  }

  /** Runs what was read; false when there is more of it. */
  private runReady(): boolean {
    const { replay } = this.fields;
    while (this.readyAt < this.ready.length) {
      if (!this.isFed) {
        const { u8, start, end } = this.ready[this.readyAt]!;
        replay.feed(u8, start, end, SAME_DATABASE);
        this.isFed = true;
      }
      if (!replay.run()) return false;
      this.isFed = false;
      this.readyAt++;
    }
    this.ready.length = 0;
    this.readyAt = 0;
    return true;
  }

  private runLater(u8: Uint8Array, start: number, end: number): void {
    this.ready.push({ u8, start, end });
  }

  private readNext(): void {
    const { reader } = this;
    switch (reader.next()) {
      case AofFound.Command:
        this.takeCommand();
        return;
      case AofFound.Multi:
        if (this.queued !== null) throw this.damaged('a transaction begins within another');
        this.queued = [];
        this.queuedFrom = reader.position;
        return;
      case AofFound.Exec:
        if (this.queued === null) throw this.damaged('a transaction ends that has not begun');
        for (const range of this.queued) this.ready.push(range);
        this.queued = null;
        return;
      case AofFound.Torn:
        this.tear(this.queued === null ? reader.position : this.queuedFrom);
        return;
      case AofFound.End:
        if (this.queued !== null) this.tear(this.queuedFrom);
        this.isAtEnd = true;
        return;
      default:
        throw this.damaged('what stands there is no command');
    }
  }

  private takeCommand(): void {
    const { u8, start, end } = this.reader;
    if (this.queued === null) this.runLater(u8, start, end);
    else if (this.queued.length < RANGES_MAX) this.queued.push({ u8, start, end });
    else throw this.damaged(`a transaction has more than ${RANGES_MAX} commands`);
  }

  /** The file ends within what begins at `position`. */
  private tear(position: number): void {
    const { fields, path, isLast, source } = this;
    const lost = source.bytesTotal - position;
    const place = `${path} ends in the middle of what begins at byte ${position}`;
    if (!isLast) throw new RedisLogError(`${place}, and it is not the last file of its manifest`);
    if (!fields.mayBeTorn) {
      throw new RedisLogError(
        `${place}: make a copy of the file and cut it there (redis-check-aof --fix does), or set ` +
          'aof-load-truncated to yes',
      );
    }
    fields.warn(`${place}: its last ${lost} bytes are left out, because aof-load-truncated is yes`);
    this.queued = null;
    this.isAtEnd = true;
  }

  private damaged(reason: string): RedisLogError {
    const { path, reader } = this;
    return new RedisLogError(
      `${path} is damaged at byte ${reader.position}: ${reason}. Make a copy of the file, then ` +
        'redis-check-aof --fix cuts it there: all that follows is lost',
    );
  }

  private errorOf({ command, line }: ReplayFault): RedisLogError {
    const { path, reader } = this;
    // Some commands are read ahead: it may be one of the last few.
    return new RedisLogError(
      `${path}, shortly before byte ${reader.position}: '${command}' cannot be run again: it was ` +
        `answered with "${line}"`,
    );
  }
}

const SELECT_FIRST = Buffer.from('*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n', 'latin1');
