// The change feed: the records of all logs in the order of their numbers, for who follows them. It
// reads the files, which are in the page cache as a rule, and takes nothing from who writes: a
// follower that is slow, or gone, costs nobody anything.
//
// How far it may read is the limit. It is asked for before the files are looked at:
//
//   counter      all numbers up to here have been taken
//   − bounds     a log with a bound may lack records with greater numbers (AppendLog, bound)
//   − Synced     under `always`: nobody is told what a crash removes
//
// A thread publishes its bound before it takes a number and clears it after the write, so that
// every record up to the limit is in its file. Whoever reads it then needs no lock.
//
// A cursor stands in one generation, with all its logs open, and takes from whichever has the next
// number. When none has it, it is in the next generation: numbers never go back to an older one.
// Should no generation have it, it was lost with a disk that failed.

import { type Disk, DiskError, Open, readFile } from '../base/disk.js';
import { Refusal } from '../resp/errors.js';
import { type FeedBudget, FeedDamage, FeedFile, Stand } from './feed-file.js';
import { FILE_HEAD_BYTES } from './file-head.js';
import type { LogFiles } from './log-files.js';
import { baseOf, Failure, Log, NO_GENERATION, Process, type SharedLogs } from './logs.js';
import {
  allGenerations,
  type Generation,
  logFileName,
  MANIFEST_NAME,
  type Manifest,
  ManifestError,
  parseManifest,
} from './manifest.js';

const NEEDS_LOG = new Refusal('ERR the change feed needs appendonly yes');
const NOT_BEGUN = new Refusal(
  'ERR the change feed begins when the first base of the append log is written',
);
const NOT_POSITION = new Refusal(
  "ERR invalid position, expected '0', '$' or one that the feed has given",
);
const OTHER_HISTORY =
  'FEEDLOST the position belongs to another history than the one that the logs have now';
const BEHIND_END = 'FEEDLOST the position lies behind the last change: the server has lost changes';
const POSITION = /^([0-9a-f]{40})-([0-9]{1,16})$/;
const TWO_32 = 2 ** 32;
const ALL_LOGS = -1;
const NO_OFFSETS: readonly number[] = [];

/** A place in the feed, behind `number`. */
export interface FeedPosition {
  readonly history: string;
  readonly number: number;
}

export function positionText({ history, number }: FeedPosition): string {
  return `${history}-${number}`;
}

export interface FeedSummary {
  readonly history: string;
  readonly oldest: number;
  readonly newest: number;
  /** Of all logs that the feed can read, and of those that are kept for it alone. */
  readonly bytes: number;
  readonly pastBytes: number;
}

/** Where a follower is: behind `number`. */
export interface FeedCursor extends FeedPosition {
  number: number;
  generation: Generation;
  files: readonly FeedFile[];
}

/** A file that cursors read. */
interface SharedFile {
  readonly fd: number;
  users: number;
}

/** Takes a record; false: it wants no more. */
export type TakeRecord = (file: FeedFile) => boolean;

export class Feed {
  private readonly logs: SharedLogs;
  private readonly files: LogFiles;
  private readonly disk: Disk;
  /** The log of this thread. */
  private readonly own: number;
  private readonly directory: string;
  private manifest: Manifest | null = null;
  /** By session. */
  private readonly cursors = new Map<number, FeedCursor>();
  /** By name. */
  private readonly open = new Map<string, SharedFile>();

  constructor(files: LogFiles, own: number, directory: string) {
    this.logs = files.logs;
    this.files = files;
    this.disk = files.disk;
    this.own = own;
    this.directory = directory;
  }

  // ---- how far --------------------------------------------------------------------------------

  /** Every record up to here may be given. What this thread has pending is written. */
  limit(): number {
    const { logs, own } = this;
    const { words } = logs;
    const isOwnWritten = this.writeOwn();
    const number = logs.currentNumber();
    const low = (number % TWO_32) | 0;
    let missing = 0;
    for (let log = 0; log < logs.logCount; log++) {
      if (log === own && isOwnWritten) continue;
      // After the counter: whoever took a number up to there has published its bound before.
      const bound = Atomics.load(words, baseOf(log) + Log.Bound);
      if (bound !== 0) missing = Math.max(missing, (low - bound) | 0);
    }
    if (this.files.isAlways) {
      missing = Math.max(missing, (low - Atomics.load(words, Process.Synced)) | 0);
    }
    return Math.max(0, number - missing);
  }

  private writeOwn(): boolean {
    const { logs, files, own } = this;
    if (logs.words[baseOf(own) + Log.Bound] === 0) return true;
    files.take(own);
    const result = files.writeOut(own);
    files.release(own);
    return result === 0;
  }

  // ---- who sleeps ----------------------------------------------------------------------------

  /** Asks whoever writes next to wake all threads. Look at the limit once more behind it. */
  askForWaking(): void {
    const { words } = this.logs;
    // In one order with bounds: either the writer sees this, or the limit shows what it has done.
    if (Atomics.load(words, Process.Followed) === 0) Atomics.store(words, Process.Followed, 1);
  }

  /** Behind a turn that has written: has somebody asked? */
  get isWakingAsked(): boolean {
    return Atomics.load(this.logs.words, Process.Followed) !== 0;
  }

  /** Before all are woken: whoever asks from here on sees what was written. */
  takeWakingBack(): void {
    Atomics.store(this.logs.words, Process.Followed, 0);
  }

  // ---- positions ------------------------------------------------------------------------------

  /** The cursor of a session, standing at a position in its written form. */
  follow(sessionId: number, position: string): FeedCursor {
    this.checkOn();
    const kept = this.cursors.get(sessionId);
    if (kept !== undefined) {
      if (positionText(kept) === position) return kept;
      this.closed(sessionId);
    }
    const cursor = position === '$' ? this.openNow() : this.openAt(position);
    this.cursors.set(sessionId, cursor);
    return cursor;
  }

  /** The session follows no more. */
  closed(sessionId: number): void {
    const cursor = this.cursors.get(sessionId);
    if (cursor === undefined) return;
    this.cursors.delete(sessionId);
    this.releaseFiles(cursor.files);
  }

  summary(): FeedSummary {
    this.checkOn();
    const manifest = this.readManifest();
    const { past = [], generations, history } = manifest;
    const pastBytes = this.bytesOf(past);
    return {
      history,
      oldest: oldestOf(manifest),
      newest: this.limit(),
      bytes: pastBytes + this.bytesOf(generations),
      pastBytes,
    };
  }

  private bytesOf(generations: readonly Generation[]): number {
    let sum = 0;
    for (const { generation, logCount } of generations) {
      for (let thread = 0; thread < logCount; thread++) {
        try {
          const path = `${this.directory}/${logFileName(generation, thread)}`;
          const fd = this.disk.open(path, Open.Read);
          sum += this.disk.sizeOf(fd);
          this.disk.close(fd);
        } catch (error) {
          // Removed meanwhile.
          if (!(error instanceof DiskError)) throw error;
        }
      }
    }
    return sum;
  }

  private checkOn(): void {
    const { generation } = this.logs;
    if (generation === NO_GENERATION) throw NEEDS_LOG;
    const isListed = (manifest: Manifest | null) =>
      manifest?.generations.some((each) => each.generation === generation) === true;
    // A history ends together with its generation, so what is known of this one still holds.
    if (isListed(this.manifest)) return;
    if (!isListed(this.readManifest())) throw NOT_BEGUN;
  }

  private readManifest(): Manifest {
    try {
      const bytes = readFile(this.disk, `${this.directory}/${MANIFEST_NAME}`);
      this.manifest = parseManifest(Buffer.from(bytes).toString('latin1'));
      return this.manifest;
    } catch (error) {
      // There is none yet.
      if (error instanceof DiskError || error instanceof ManifestError) throw NOT_BEGUN;
      throw error;
    }
  }

  /** `0`, or what positionText has written. */
  private openAt(text: string): FeedCursor {
    const manifest = this.readManifest();
    const { history } = manifest;
    const parts = POSITION.exec(text);
    if (parts === null && text !== '0') throw NOT_POSITION;
    if (parts !== null && parts[1] !== history) throw new Refusal(OTHER_HISTORY);
    const oldest = oldestOf(manifest);
    const number = parts === null ? oldest : Number(parts[2]);
    if (number > this.logs.currentNumber()) throw new Refusal(BEHIND_END);
    if (number < oldest) throw trimmed(history, oldest);
    const generation = generationAt(manifest, number + 1);
    try {
      return this.openIn({ history, number }, generation, NO_OFFSETS);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      // Removed between the two looks, unless it is missing.
      const again = this.readManifest();
      if (number < oldestOf(again)) throw trimmed(again.history, oldestOf(again));
      throw new Refusal(`FEEDLOST ${error.message}`);
    }
  }

  private openIn(
    position: FeedPosition,
    generation: Generation,
    offsets: readonly number[],
  ): FeedCursor {
    const files: FeedFile[] = [];
    try {
      for (let thread = 0; thread < generation.logCount; thread++) {
        const name = logFileName(generation.generation, thread);
        const fd = this.openFile(name);
        files.push(new FeedFile(this.disk, fd, name, offsets[thread] ?? FILE_HEAD_BYTES));
      }
    } catch (error) {
      this.releaseFiles(files);
      throw error;
    }
    const { history, number } = position;
    return { history, number, generation, files };
  }

  private openFile(name: string): number {
    let file = this.open.get(name);
    if (file === undefined) {
      file = { fd: this.disk.open(`${this.directory}/${name}`, Open.Read), users: 0 };
      this.open.set(name, file);
    }
    file.users++;
    return file.fd;
  }

  private releaseFiles(files: readonly FeedFile[]): void {
    for (const { name } of files) {
      const file = this.open.get(name)!;
      file.users--;
      if (file.users > 0) continue;
      this.open.delete(name);
      this.disk.close(file.fd);
    }
  }

  /** `$`: behind all that has a number, which is written first, so that it stays the last one. */
  private openNow(): FeedCursor {
    for (;;) {
      const generation = this.logs.generation;
      const offsets = this.endsOf(generation);
      const number = this.logs.currentNumber();
      const low = (number % TWO_32) | 0;
      const { manifest, files, logs } = this;
      const listed = manifest?.generations.find((each) => each.generation === generation);
      if (manifest === null || listed === undefined) {
        this.checkOn();
        continue;
      }
      // The disk fails: then from what is known to be safe on.
      if (files.help(ALL_LOGS, low) < 0) {
        return this.openAt(positionText({ history: manifest.history, number: this.limit() }));
      }
      if (files.isAlways) logs.publishSynced(low);
      if (logs.generation !== generation) continue;
      return this.openIn({ history: manifest.history, number }, listed, offsets);
    }
  }

  /** Where the files of the generation end: what comes later has later numbers. */
  private endsOf(generation: number): number[] {
    const { logs, files } = this;
    const { words, doubles } = logs;
    const ends: number[] = [];
    for (let log = 0; log < logs.logCount; log++) {
      const base = baseOf(log);
      files.take(log);
      // A log whose owner has been idle since the cut has none yet, or nothing in it.
      const isCurrent = words[base + Log.FileGeneration] === generation;
      ends.push(isCurrent ? doubles[(base + Log.FileBytes) >> 1]! : FILE_HEAD_BYTES);
      files.release(log);
    }
    return ends;
  }

  // ---- reading --------------------------------------------------------------------------------

  /**
   * Gives the records behind the cursor, up to the limit, in their order, and moves it past those
   * that were taken. False: the budget was spent, and there may be more.
   */
  read(cursor: FeedCursor, limit: number, budget: FeedBudget, take: TakeRecord): boolean {
    this.checkOn();
    const before = cursor.number;
    for (const file of cursor.files) file.refresh();
    try {
      while (cursor.number < limit) {
        const file = this.find(cursor, limit, budget);
        if (file === LATER) return false;
        if (file === null) {
          if (this.moveOn(cursor)) continue;
          return true;
        }
        cursor.number = file.number;
        if (!take(file)) return false;
      }
      return true;
    } catch (error) {
      // What was taken before is given first.
      if (cursor.number > before && isAboutFeed(error)) return false;
      if (error instanceof FeedDamage) throw new Refusal(`FEEDLOST ${error.message}`);
      throw error;
    } finally {
      for (const file of cursor.files) file.rest();
    }
  }

  /** The log that has the next record; null when none of the generation does. */
  private find(
    cursor: FeedCursor,
    limit: number,
    budget: FeedBudget,
  ): FeedFile | typeof LATER | null {
    const { files, number } = cursor;
    let isLater = false;
    for (let index = 0; index < files.length; index++) {
      const file = files[index]!;
      const stand = file.seek(number, limit, budget);
      if (stand === Stand.Record && file.number === number + 1) return file;
      if (stand === Stand.Later) isLater = true;
    }
    return isLater ? LATER : null;
  }

  /** Goes to the next generation. False: there is none yet. */
  private moveOn(cursor: FeedCursor): boolean {
    const manifest = this.readManifest();
    const { history, number } = cursor;
    if (manifest.history !== history) throw new Refusal(OTHER_HISTORY);
    const next = allGenerations(manifest).find(
      ({ generation }) => generation > cursor.generation.generation,
    );
    if (next === undefined) {
      // Refused writes have left no gap once the disk is well again: it is said then.
      if (this.logs.failure !== Failure.None) return false;
      throw new Refusal(`FEEDLOST change ${number + 1} is in none of the logs`);
    }
    if (next.from > number + 1) throw trimmed(history, oldestOf(manifest));
    try {
      const opened = this.openIn(cursor, next, NO_OFFSETS);
      this.releaseFiles(cursor.files);
      cursor.files = opened.files;
      cursor.generation = next;
      return true;
    } catch (error) {
      if (error instanceof DiskError) throw trimmed(history, oldestOf(this.readManifest()));
      throw error;
    }
  }
}

const LATER = Symbol('the budget is spent');

function isAboutFeed(error: unknown): boolean {
  return error instanceof Refusal || error instanceof FeedDamage;
}

/** Behind which number everything is there, without a gap. */
function oldestOf(manifest: Manifest): number {
  const all = allGenerations(manifest);
  let { from } = all.at(-1)!;
  for (let index = all.length - 2; index >= 0; index--) {
    const { to, from: earlier } = all[index]!;
    if (to !== null && to + 1 < from) break;
    from = Math.min(from, earlier);
  }
  return Math.max(0, from - 1);
}

/** The first that may have the record with the number. */
function generationAt(manifest: Manifest, number: number): Generation {
  const all = allGenerations(manifest);
  const oldest = oldestOf(manifest);
  return all.find(({ to, from }) => from > oldest && (to === null || to >= number)) ?? all.at(-1)!;
}

function trimmed(history: string, oldest: number): Refusal {
  return new Refusal(`FEEDTRIMMED oldest position is ${positionText({ history, number: oldest })}`);
}
