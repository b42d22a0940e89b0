// The directory of the logs, in the main thread: which generations there are, their files, the
// manifest. Nobody else writes it.
//
// A generation is a set of log files, one per thread, and what is in them since a cut. To rewrite
// the logs is to begin a generation and to write a base of what was there at its cut:
//
//   prepareRewrite   its files are made, and the manifest lists them beside the old ones.
//   cut              all locks of partitions held: from here on records belong to it (cut.ts).
//   finishRewrite    the base is durable: the manifest drops what came before, the files go.
//
// What came before may be kept for the change feed (feed.ts), whole generations up to so many
// bytes: the manifest lists them apart, and nothing that is loaded depends on them.
//
// At every moment what the manifest names is enough to have everything back: before the cut the new
// files are empty, after it they are merged by number with the old ones.
//
// Switched on at run time, the log is nothing until it has its first base: its generation is begun
// in the same way, but the manifest names it only in finishRewrite. Where that base fails, records
// go on into files that no manifest names, until another one is there.

import { assert } from '../base/assert.js';
import { type Disk, DiskError, diskErrorText, Open, replaceFile, writeFile } from '../base/disk.js';
import { formatFileHead } from './file-head.js';
import { LogFiles } from './log-files.js';
import { releaseLogLock, takeLogLock } from './log-lock.js';
import {
  baseOf,
  Failure,
  Log,
  type LogSizes,
  type LogsShape,
  NO_FD,
  NO_GENERATION,
  Process,
  SharedLogs,
} from './logs.js';
import {
  allGenerations,
  baseFileName,
  filesOf,
  formatManifest,
  type Generation,
  isLogDirectoryFile,
  logFileName,
  MANIFEST_NAME,
  MANIFEST_TEMPORARY_NAME,
  type Manifest,
  type ManifestBase,
} from './manifest.js';

/** What recovery found, and made durable by `begin`. */
export interface Recovered {
  /** 40 hex digits; another than before if anything was cut off. */
  readonly history: string;
  /** The last number that counts; 0 for a fresh directory. */
  readonly number: number;
  readonly base: ManifestBase | null;
  /** Bytes of the base. */
  readonly baseBytes: number;
  /** What was found, oldest first; begin closes them at `number`. */
  readonly generations: readonly Generation[];
  /** Bytes of their logs. */
  readonly logBytes: number;
  /** What is kept for the change feed. */
  readonly past?: readonly Generation[];
}

/** Of a log that begins with its first record. */
export function emptyLog(history: string): Recovered {
  return { history, number: 0, base: null, baseBytes: 0, generations: [], logBytes: 0 };
}

/** A rewrite that is prepared: the cut comes next. */
export interface Rewrite {
  readonly generation: number;
  /** Where the base goes: a name in `directory`. It is synced by whoever writes it. */
  readonly baseFile: string;
  readonly directory: string;
}

export interface KeeperPlan {
  readonly shape: LogsShape;
  readonly disk: Disk;
  /** The data directory's folder of logs: appenddirname. */
  readonly directory: string;
  readonly partitionCount: number;
  /** A history that nobody has had: 40 hex digits. */
  readonly drawHistory: () => string;
  /** feed-history-bytes: what is kept for the change feed beyond the data. None: nothing. */
  readonly pastBytesMax?: () => number;
  readonly log: (level: 'notice' | 'warning', line: string) => void;
}

export class LogKeeper {
  readonly logs: SharedLogs;
  readonly directory: string;
  private readonly plan: KeeperPlan;
  private readonly disk: Disk;
  private readonly files: LogFiles;
  /**
   * What the manifest on disk says; null while there is none of this log. One of a log that was
   * switched off may lie there: it goes with the first base of the next.
   */
  private manifest: Manifest | null = null;
  /** Files that are not needed once a manifest of this log is there. */
  private unnamed: readonly string[] = [];
  private history = '';
  /** The generation that was made for the next cut, or for the last one. */
  private offered = NO_GENERATION;
  /** Prepared, and not finished. */
  private rewrite: Rewrite | null = null;
  private failureTold = Failure.None;

  constructor(plan: KeeperPlan) {
    this.plan = plan;
    this.disk = plan.disk;
    this.directory = plan.directory;
    this.logs = new SharedLogs(plan.shape);
    this.files = new LogFiles(this.logs, plan.disk);
  }

  /** Are records taken? */
  get isOn(): boolean {
    return this.logs.generation !== NO_GENERATION;
  }

  /** Records are taken, and a crash loses all of them: the first base is not there. */
  get isWithoutBase(): boolean {
    return this.isOn && this.manifest === null;
  }

  /** Is there something to stop? */
  get isHeld(): boolean {
    return Atomics.load(this.logs.words, Process.IsHeld) !== 0;
  }

  /** From here on threads that record do not cease, whatever appendonly becomes, until stop. */
  hold(): void {
    // Before isArmed is asked: see AppendLog.turnOn.
    Atomics.store(this.logs.words, Process.IsHeld, 1);
  }

  get isRewriting(): boolean {
    return this.rewrite !== null;
  }

  /** How many generations the manifest lists: every start of the server adds one. */
  get generationCount(): number {
    return this.manifest?.generations.length ?? 0;
  }

  /** A generation could not be synced: a rewrite is the only way on. */
  get hasEnded(): boolean {
    return this.logs.failure === Failure.Ended;
  }

  /** Has every thread of `threads` adopted appendonly yes? Before that, no cut. */
  isArmed(threads: readonly number[]): boolean {
    return threads.every((log) => Atomics.load(this.logs.words, baseOf(log) + Log.IsOn) === 1);
  }

  get sizes(): LogSizes {
    return this.logs.sizes;
  }

  // ---- beginning ------------------------------------------------------------------------------

  /**
   * At start, before anybody writes: makes what recovery found durable, and begins a generation
   * behind it. From here on records are taken.
   */
  begin(recovered: Recovered): void {
    const { logs } = this;
    assert(!this.isOn && this.manifest === null, 'logs begin once');
    this.makeDirectory();
    this.history = recovered.history;
    const { number } = recovered;
    const closed = recovered.generations
      .filter(({ from }) => from <= number)
      .map((each) => ({ ...each, to: Math.min(each.to ?? number, number) }));
    const last = recovered.generations.reduce((most, each) => Math.max(most, each.generation), 0);
    const generation = Math.max(last + 1, this.freshGeneration());
    const fds = this.createFiles(generation);
    logs.startNumbersAt(number);
    this.writeManifest({
      history: this.history,
      partitionCount: this.plan.partitionCount,
      base: recovered.base,
      generations: [...closed, this.openGeneration(generation, number + 1)],
      ...pastOf(recovered.past ?? []),
    });
    this.removeStrangers();
    this.offer(generation, fds);
    const { doubles } = logs;
    doubles[Process.OlderBytes >> 1] = recovered.baseBytes + recovered.logBytes;
    doubles[Process.RewrittenBytes >> 1] = recovered.baseBytes + recovered.logBytes;
    this.hold();
    // Nobody else takes numbers yet, so this needs no locks. Release: all of the above is visible.
    Atomics.store(logs.words, Process.Generation, generation);
    this.adoptAll();
  }

  /** A directory that the machine forgets takes all files with it. */
  private makeDirectory(): void {
    const { disk, directory } = this;
    if (disk.exists(directory)) return;
    disk.makeDirectory(directory);
    const slashAt = directory.lastIndexOf('/');
    disk.syncDirectory(slashAt <= 0 ? '.' : directory.slice(0, slashAt));
  }

  private openGeneration(generation: number, from: number): Generation {
    return { generation, from, to: null, logCount: this.logs.logCount };
  }

  /** Makes the files of a generation, each with its head, durable with their names. */
  private createFiles(generation: number): number[] {
    const { disk, directory, logs, history } = this;
    const fds: number[] = [];
    try {
      for (let thread = 0; thread < logs.logCount; thread++) {
        const path = `${directory}/${logFileName(generation, thread)}`;
        writeFile(disk, path, formatFileHead({ generation, thread, history }));
        fds.push(disk.open(path, Open.Edit));
      }
      disk.syncDirectory(directory);
      return fds;
    } catch (error) {
      for (const fd of fds) disk.close(fd);
      throw error;
    }
  }

  /** The next cut is into this generation. */
  private offer(generation: number, fds: readonly number[]): void {
    const { words } = this.logs;
    for (const [log, fd] of fds.entries()) {
      this.files.take(log);
      words[baseOf(log) + Log.NextFd] = fd;
      this.files.release(log);
    }
    Atomics.store(words, Process.NextGeneration, generation);
    this.offered = generation;
  }

  private writeManifest(manifest: Manifest): void {
    const bytes = Buffer.from(formatManifest(manifest), 'latin1');
    replaceFile(this.disk, this.directory, MANIFEST_NAME, MANIFEST_TEMPORARY_NAME, bytes);
    this.manifest = manifest;
  }

  /** Files of logs that the manifest does not name: a crash came before they were removed. */
  private removeStrangers(): void {
    const { disk, directory } = this;
    const known = new Set(filesOf(this.manifest!));
    for (const name of disk.list(directory)) {
      if (isLogDirectoryFile(name) && !known.has(name)) this.remove(name);
    }
  }

  /** A file that stays is a nuisance and no harm: the next start tries again. */
  private remove(name: string): void {
    try {
      this.disk.remove(`${this.directory}/${name}`);
    } catch (error) {
      this.plan.log('warning', `A log file that is not needed stays: ${(error as Error).message}`);
    }
  }

  /** Brings every log into the current generation. Returns 0 or -errno of those that cannot. */
  private adoptAll(): number {
    let result = 0;
    for (let log = 0; log < this.logs.logCount; log++) {
      this.files.take(log);
      result = Math.min(result, this.files.adopt(log));
      this.files.release(log);
    }
    return result;
  }

  // ---- rewriting ------------------------------------------------------------------------------

  /**
   * Makes the next generation ready for the cut. Throws when the disk does not let it, and then
   * nothing has changed. A rewrite that was given up is begun anew.
   */
  prepareRewrite(): Rewrite {
    const { directory } = this;
    this.hold();
    // One that was prepared, and never cut into, does for this one.
    if (this.offered === NO_GENERATION || this.offered === this.logs.generation) {
      if (this.isOn && this.adoptAll() < 0) {
        throw new Error(`The logs cannot be written: ${diskErrorText(this.logs.errno)}.`);
      }
      this.closeOldFiles();
      this.prepareFiles();
    }
    const generation = this.offered;
    this.rewrite = { generation, baseFile: baseFileName(generation), directory };
    return this.rewrite;
  }

  private prepareFiles(): void {
    const { disk, logs, manifest, isOn } = this;
    this.makeDirectory();
    // Between two times of appendonly yes nothing was recorded: positions of before mean nothing.
    if (!isOn) this.history = this.plan.drawHistory();
    const generation = this.freshGeneration();
    const fds = this.createFiles(generation);
    try {
      if (manifest === null) {
        const logFiles = fds.map((_, thread) => logFileName(generation, thread));
        this.unnamed = [...this.unnamed, ...logFiles, baseFileName(generation)];
      } else {
        const next = this.openGeneration(generation, logs.currentNumber() + 1);
        this.writeManifest({ ...manifest, generations: [...manifest.generations, next] });
      }
    } catch (error) {
      for (const fd of fds) disk.close(fd);
      throw error;
    }
    this.offer(generation, fds);
  }

  /** One that no file in the directory has, whoever left it there. */
  private freshGeneration(): number {
    let last = Atomics.load(this.logs.words, Process.NextGeneration);
    for (const name of this.disk.list(this.directory)) {
      if (isLogDirectoryFile(name)) last = Math.max(last, generationOfFile(name));
    }
    return last + 1;
  }

  /** The job has failed or was given up. What the manifest names is still all there is. */
  abandonRewrite(): void {
    this.rewrite = null;
  }

  /**
   * The base is durable, in the file that prepareRewrite named, and holds every change up to
   * `number`, which the cut returned. Drops all that came before.
   */
  finishRewrite(number: number, baseFileBytes: number): void {
    const { rewrite, logs, files } = this;
    assert(rewrite !== null, 'a rewrite that ends was prepared');
    const { generation, baseFile } = rewrite;
    assert(logs.generation === generation, 'a rewrite ends after its cut');
    const old = this.manifest === null ? this.unnamed : filesOf(this.manifest);
    const past = this.isPastWhole(generation) ? this.choosePast(generation, number) : [];
    this.disk.syncDirectory(this.directory);
    this.writeManifest({
      history: this.history,
      partitionCount: this.plan.partitionCount,
      base: { file: baseFile, number },
      generations: [this.openGeneration(generation, number + 1)],
      ...pastOf(past),
    });
    this.rewrite = null;
    this.unnamed = [];
    // What waits to be written to files from before need not be any more; only now, for without
    // the new manifest it would be a gap before what came later.
    const ended = Atomics.load(logs.words, Process.EndedGeneration);
    if (ended < generation) Atomics.store(logs.words, Process.EndedGeneration, generation - 1);
    this.adoptAll();
    for (let log = 0; log < logs.logCount; log++) {
      // What was not synced of it need not be.
      files.take(log);
      logs.words[baseOf(log) + Log.OldUnsynced] = 0;
      files.release(log);
    }
    this.closeOldFiles();
    const kept = new Set(filesOf(this.manifest!));
    for (const name of old) if (!kept.has(name)) this.remove(name);
    logs.doubles[Process.OlderBytes >> 1] = baseFileBytes;
    logs.doubles[Process.RewrittenBytes >> 1] = this.sizes.currentBytes;
    this.endFailure(Failure.Ended);
  }

  /**
   * Do the logs from before `generation` hold all there was up to its cut? What still waits to be
   * written to them is, and they are synced: nobody does it later.
   */
  private isPastWhole(generation: number): boolean {
    const { logs, manifest } = this;
    if ((this.plan.pastBytesMax?.() ?? 0) === 0) return false;
    // Switched on at run time, the log has no past; after a failed sync the past has holes.
    const isListed = manifest?.generations.some((each) => each.generation === generation) === true;
    if (!isListed || logs.failure !== Failure.None || this.adoptAll() < 0) return false;
    for (let log = 0; log < logs.logCount; log++) {
      if (this.files.syncBeside(log) < 0) return false;
    }
    return logs.failure === Failure.None;
  }

  /** The latest generations before `generation` that fit into feed-history-bytes. */
  private choosePast(generation: number, number: number): readonly Generation[] {
    const { disk, directory } = this;
    const all = allGenerations(this.manifest!).filter((each) => each.generation < generation);
    const chosen: Generation[] = [];
    let bytesLeft = this.plan.pastBytesMax!();
    try {
      for (const each of all.toReversed()) {
        for (let thread = 0; thread < each.logCount; thread++) {
          const fd = disk.open(`${directory}/${logFileName(each.generation, thread)}`, Open.Read);
          bytesLeft -= disk.sizeOf(fd);
          disk.close(fd);
        }
        if (bytesLeft < 0) break;
        chosen.unshift({ ...each, to: each.to ?? number });
      }
    } catch (error) {
      // Somebody has removed a log: the feed ends there, and the rewrite goes on.
      if (!(error instanceof DiskError)) throw error;
      this.plan.log('warning', `The change feed is cut off: ${error.message}`);
    }
    return chosen;
  }

  private closeOldFiles(): void {
    for (let log = 0; log < this.logs.logCount; log++) this.closeOldFile(log);
  }

  /** The file before the current one. Its generation may still count, so it is synced first. */
  private closeOldFile(log: number): void {
    const { files } = this;
    const { words, doubles } = this.logs;
    const base = baseOf(log);
    takeLogLock(words, base + Log.SyncLock);
    files.take(log);
    const fd = words[base + Log.OldFd]!;
    if (fd !== NO_FD) {
      files.sync(log);
      this.disk.close(fd);
      words[base + Log.OldFd] = NO_FD;
      words[base + Log.OldUnsynced] = 0;
    }
    const olderBytes = doubles[Process.OlderBytes >> 1]!;
    doubles[Process.OlderBytes >> 1] = olderBytes + doubles[(base + Log.OldBytes) >> 1]!;
    doubles[(base + Log.OldBytes) >> 1] = 0;
    files.release(log);
    releaseLogLock(words, base + Log.SyncLock);
  }

  // ---- while it runs --------------------------------------------------------------------------

  /** Every tenth of a second or so: numbers stay in sight, and what has failed is tried again. */
  tick(): void {
    const { logs } = this;
    logs.refreshOrigin();
    const { failure } = logs;
    if (failure !== this.failureTold) this.tellFailure(failure);
    if (failure === Failure.Write && this.writeAll() === 0) this.endFailure(failure);
  }

  private tellFailure(failure: Failure): void {
    this.failureTold = failure;
    if (failure === Failure.None) return;
    const reason = diskErrorText(this.logs.errno);
    const text =
      failure === Failure.Write
        ? `The log cannot be written: ${reason}. Writes are refused until it can.`
        : `The log could not be kept: ${reason}. Writes are refused until it is rewritten.`;
    this.plan.log('warning', text);
  }

  private endFailure(failure: Failure): void {
    if (failure === Failure.None || this.logs.failure !== failure) return;
    if (!this.logs.recovered(failure)) return;
    this.failureTold = Failure.None;
    this.plan.log('notice', 'The log can be written again: writes are accepted.');
  }

  private writeAll(): number {
    let result = 0;
    for (let log = 0; log < this.logs.logCount; log++) {
      this.files.take(log);
      result = Math.min(result, this.files.writeOut(log));
      this.files.release(log);
    }
    return result;
  }

  /** no-appendfsync-on-rewrite: a job that writes much is on, or is over. */
  setQuiet(isQuiet: boolean): void {
    Atomics.store(this.logs.words, Process.IsQuiet, isQuiet ? 1 : 0);
  }

  // ---- ending ---------------------------------------------------------------------------------

  /**
   * No more records, and what there is is written and synced: at the end of the process, when all
   * threads that append have ended, and for appendonly no. The manifest stays. False when the disk
   * did not take it.
   */
  stop(): boolean {
    const { logs } = this;
    if (!this.isHeld) return true;
    const hasFailed = logs.failure !== Failure.None;
    // Owners that still see the old one append to buffers that are not written any more.
    Atomics.store(logs.words, Process.Generation, NO_GENERATION);
    let result = 0;
    for (let log = 0; log < logs.logCount; log++) {
      this.closeOldFile(log);
      result = Math.min(result, this.closeFile(log));
    }
    this.offered = NO_GENERATION;
    this.rewrite = null;
    // The next log goes on with nothing of this one, whose files stay until it has its base.
    if (this.manifest !== null) this.unnamed = filesOf(this.manifest);
    this.manifest = null;
    this.endFailure(logs.failure);
    // Last: threads cease when they see it, and from here on nobody misses their records.
    Atomics.store(logs.words, Process.IsHeld, 0);
    return result === 0 && !hasFailed;
  }

  private closeFile(log: number): number {
    const { files, disk } = this;
    const { words, doubles } = this.logs;
    const base = baseOf(log);
    takeLogLock(words, base + Log.SyncLock);
    files.take(log);
    let result = files.writeOut(log);
    if (result === 0) result = files.sync(log);
    for (const at of [base + Log.Fd, base + Log.NextFd, base + Log.OldFd]) {
      if (words[at] !== NO_FD) disk.close(words[at]!);
      words[at] = NO_FD;
    }
    doubles[(base + Log.FileBytes) >> 1] = 0;
    doubles[(base + Log.SyncedBytes) >> 1] = 0;
    files.release(log);
    releaseLogLock(words, base + Log.SyncLock);
    return result;
  }
}

function pastOf(past: readonly Generation[]): { readonly past?: readonly Generation[] } {
  return past.length === 0 ? {} : { past };
}

function generationOfFile(name: string): number {
  return Number(/-([0-9]+)/.exec(name)![1]);
}
