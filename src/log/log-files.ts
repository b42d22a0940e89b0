// Writing logs out, whoever does it: the owner at the end of its turn, another thread whose reply
// needs the owner's records, the sync thread, the main thread when something ends. All of it under
// the log's lock. Results are 0 or -errno; whoever gets an error has raised the gate already.
//
// A write that fails leaves the records in the buffer and the file as long as its last whole frame:
// so trying again is all there is to recovery. A sync that fails is another matter: the kernel may
// have dropped what it could not write, and a second sync would not say so. Nothing more goes into
// that generation; its records are dropped, and a new one with a new base holds their effects.

import type { Disk } from '../base/disk.js';
import { FILE_HEAD_BYTES } from './file-head.js';
import { releaseLogLock, takeLogLock } from './log-lock.js';
import {
  baseOf,
  Failure,
  Log,
  NO_FD,
  NO_GENERATION,
  Policy,
  Process,
  type SharedLogs,
} from './logs.js';
import { FRAME_HEAD_BYTES, RecordWriter } from './record.js';

/** A record is made in a microsecond, unless its thread is stopped in the middle. */
const SPINS = 1000;
const RECORD_WAIT_MS = 0.1;

export class LogFiles {
  readonly logs: SharedLogs;
  readonly disk: Disk;
  private readonly writers: readonly RecordWriter[];

  constructor(logs: SharedLogs, disk: Disk) {
    this.logs = logs;
    this.disk = disk;
    this.writers = logs.buffers.map((buffer) => new RecordWriter(buffer));
  }

  writerOf(log: number): RecordWriter {
    return this.writers[log]!;
  }

  take(log: number): void {
    takeLogLock(this.logs.words, baseOf(log) + Log.Lock);
  }

  release(log: number): void {
    releaseLogLock(this.logs.words, baseOf(log) + Log.Lock);
  }

  // ---- writing --------------------------------------------------------------------------------

  /** Writes all records that the file does not have. The caller holds the log's lock. */
  writeOut(log: number): number {
    const { words } = this.logs;
    const base = baseOf(log);
    const end = this.endOf(base);
    // After `end`: a cut before any record up to there has been noted by the owner before it.
    const cutGeneration = Atomics.load(words, base + Log.CutGeneration);
    if (cutGeneration > words[base + Log.FileGeneration]!) {
      const result = this.writeTo(log, words[base + Log.CutAt]!);
      if (result < 0) return result;
      this.switchFile(log);
    }
    return this.writeTo(log, end);
  }

  /** The end of what the owner has appended; waits for a record that is in the making. */
  private endOf(base: number): number {
    const { words } = this.logs;
    for (let spins = 0; ; spins++) {
      // Acquire: the bytes of all records up to there are visible.
      const end = Atomics.load(words, base + Log.End);
      if (end >= 0) return end;
      // Its thread was stopped between two instructions. It waits for nobody meanwhile.
      if (spins > SPINS) Atomics.wait(words, base + Log.End, end, RECORD_WAIT_MS);
    }
  }

  /** Writes [Written, to) as one frame. */
  private writeTo(log: number, to: number): number {
    const { words, doubles } = this.logs;
    const base = baseOf(log);
    const from = words[base + Log.Written]!;
    if (from === to) return 0;
    if (this.isDropped(base)) {
      Atomics.store(words, base + Log.Written, to);
      return 0;
    }
    const writer = this.writers[log]!;
    const frameAt = from - FRAME_HEAD_BYTES;
    writer.frame(frameAt, to);
    const fileBytes = doubles[(base + Log.FileBytes) >> 1]!;
    const result = this.append(base, writer.u8, frameAt, to, fileBytes);
    if (result < 0) return result;
    doubles[(base + Log.FileBytes) >> 1] = fileBytes + to - frameAt;
    // Others compare it with End to see that there is nothing to write: stored for them.
    Atomics.store(words, base + Log.Written, to);
    return 0;
  }

  /** Has the generation of the log's file ended, or is there no file? Then records go nowhere. */
  private isDropped(base: number): boolean {
    const { words } = this.logs;
    const generation = words[base + Log.FileGeneration]!;
    const isEnded = generation <= Atomics.load(words, Process.EndedGeneration);
    return isEnded || words[base + Log.Fd] === NO_FD;
  }

  /** Writes u8[start, end) behind `fileBytes`, or leaves the file as it was. */
  private append(
    base: number,
    u8: Uint8Array,
    start: number,
    end: number,
    fileBytes: number,
  ): number {
    const { words } = this.logs;
    const fd = words[base + Log.Fd]!;
    if (words[base + Log.IsTorn] !== 0) {
      const result = this.disk.truncate(fd, fileBytes);
      if (result < 0) return this.writeFailed(result);
      words[base + Log.IsTorn] = 0;
    }
    for (let at = start; at < end; ) {
      const written = this.disk.writeAt(fd, u8, at, end - at, fileBytes + at - start);
      if (written > 0) {
        at += written;
        continue;
      }
      // A part of a frame is no frame: it goes, now or when the disk lets it.
      if (at > start && this.disk.truncate(fd, fileBytes) < 0) words[base + Log.IsTorn] = 1;
      return this.writeFailed(written);
    }
    return 0;
  }

  private writeFailed(result: number): number {
    const errno = result === 0 ? NO_PROGRESS : -result;
    this.logs.fail(Failure.Write, errno);
    return -errno;
  }

  /**
   * Writes pieces of a frame that is larger than the buffer, which is empty. The frame's head is
   * the first of them. They are not in the buffer, so what fails here is lost to this generation.
   */
  writeLarge(log: number, pieces: readonly Uint8Array[]): number {
    const { words, doubles } = this.logs;
    const base = baseOf(log);
    if (this.isDropped(base)) return 0;
    const fileBytes = doubles[(base + Log.FileBytes) >> 1]!;
    let at = fileBytes;
    for (const piece of pieces) {
      const result = this.append(base, piece, 0, piece.length, at);
      if (result < 0) {
        if (this.disk.truncate(words[base + Log.Fd]!, fileBytes) < 0) words[base + Log.IsTorn] = 1;
        this.logs.fail(Failure.Ended, -result);
        return result;
      }
      at += piece.length;
    }
    doubles[(base + Log.FileBytes) >> 1] = at;
    return 0;
  }

  /** What is in the buffer is lost to this generation: the buffer is full, and the disk too. */
  giveUp(log: number, errno: number): void {
    const { words } = this.logs;
    const base = baseOf(log);
    this.logs.fail(Failure.Ended, errno);
    Atomics.store(words, base + Log.Written, Atomics.load(words, base + Log.End));
  }

  // ---- generations ----------------------------------------------------------------------------

  /** From here on records go into the file of the next generation. */
  private switchFile(log: number): void {
    const { words, doubles } = this.logs;
    const base = baseOf(log);
    const isSynced = this.unsyncedBytes(base) === 0;
    words[base + Log.OldFd] = words[base + Log.Fd]!;
    words[base + Log.OldUnsynced] = isSynced ? 0 : 1;
    words[base + Log.Fd] = words[base + Log.NextFd]!;
    words[base + Log.NextFd] = NO_FD;
    words[base + Log.FileGeneration] = Atomics.load(words, Process.NextGeneration);
    words[base + Log.IsTorn] = 0;
    doubles[(base + Log.OldBytes) >> 1] =
      doubles[(base + Log.OldBytes) >> 1]! + doubles[(base + Log.FileBytes) >> 1]!;
    doubles[(base + Log.FileBytes) >> 1] = FILE_HEAD_BYTES;
    doubles[(base + Log.SyncedBytes) >> 1] = FILE_HEAD_BYTES;
  }

  /**
   * Brings a log whose owner is idle into the current generation: what it holds from before goes
   * into the file before. 0, or -errno and nothing has changed.
   */
  adopt(log: number): number {
    const { words } = this.logs;
    const base = baseOf(log);
    const result = this.writeOut(log);
    if (result < 0) return result;
    // Should the owner append at this very moment, it notes the cut, at its present end.
    if (words[base + Log.FileGeneration]! < this.logs.generation) this.switchFile(log);
    return 0;
  }

  // ---- syncing --------------------------------------------------------------------------------

  private unsyncedBytes(base: number): number {
    const { doubles } = this.logs;
    return doubles[(base + Log.FileBytes) >> 1]! - doubles[(base + Log.SyncedBytes) >> 1]!;
  }

  /** Syncs what is in the log's files. The caller holds its lock all the while. */
  sync(log: number): number {
    const { words, doubles } = this.logs;
    const base = baseOf(log);
    if (this.isDropped(base)) return 0;
    if (words[base + Log.OldUnsynced] !== 0) {
      const result = this.disk.sync(words[base + Log.OldFd]!);
      if (result < 0) return this.syncFailed(result);
      words[base + Log.OldUnsynced] = 0;
    }
    if (this.unsyncedBytes(base) === 0) return 0;
    const result = this.disk.sync(words[base + Log.Fd]!);
    if (result < 0) return this.syncFailed(result);
    doubles[(base + Log.SyncedBytes) >> 1] = doubles[(base + Log.FileBytes) >> 1]!;
    return 0;
  }

  /**
   * As sync, without holding the log's lock meanwhile: its owner goes on writing. What is synced
   * counts as of the start. For the sync thread.
   */
  syncBeside(log: number): number {
    const { words } = this.logs;
    const base = baseOf(log);
    // Whoever closes a file takes this lock, so no descriptor goes away under the sync.
    takeLogLock(words, base + Log.SyncLock);
    const result = this.syncUnlocked(log, base);
    releaseLogLock(words, base + Log.SyncLock);
    return result;
  }

  private syncUnlocked(log: number, base: number): number {
    const { words, doubles } = this.logs;
    this.take(log);
    const isDropped = this.isDropped(base);
    const oldFd = words[base + Log.OldUnsynced] !== 0 ? words[base + Log.OldFd]! : NO_FD;
    const fd = this.unsyncedBytes(base) > 0 ? words[base + Log.Fd]! : NO_FD;
    const fileBytes = doubles[(base + Log.FileBytes) >> 1]!;
    const generation = words[base + Log.FileGeneration]!;
    this.release(log);
    if (isDropped) return 0;
    const oldResult = oldFd === NO_FD ? 0 : this.disk.sync(oldFd);
    if (oldResult < 0) return this.syncFailed(oldResult);
    const result = fd === NO_FD ? 0 : this.disk.sync(fd);
    if (result < 0) return this.syncFailed(result);
    this.take(log);
    if (words[base + Log.FileGeneration] === generation) {
      if (oldFd !== NO_FD) words[base + Log.OldUnsynced] = 0;
      const at = (base + Log.SyncedBytes) >> 1;
      doubles[at] = Math.max(doubles[at]!, fileBytes);
    }
    this.release(log);
    return 0;
  }

  private syncFailed(result: number): number {
    this.logs.fail(Failure.Ended, -result);
    return result;
  }

  // ---- other threads' records -----------------------------------------------------------------

  /**
   * Sees to it that every record up to the number with the lower bits `low` is in its file, and
   * synced where the policy says so; logs other than `self`'s own. 0 or -errno.
   */
  help(self: number, low: number): number {
    const { logs } = this;
    for (let log = 0; log < logs.logCount; log++) {
      if (log === self) continue;
      // Loaded after the own number was taken: whoever took a smaller one has published its bound
      // before. A bound that is not smaller says that all its numbers are greater.
      const bound = Atomics.load(logs.words, baseOf(log) + Log.Bound);
      if (bound === 0 || ((low - bound) | 0) <= 0) continue;
      const result = this.helpOne(log);
      if (result < 0) return result;
    }
    return 0;
  }

  private helpOne(log: number): number {
    const { words } = this.logs;
    const base = baseOf(log);
    const end = Atomics.load(words, base + Log.End);
    // Equal: whatever it had appended by now has been written, even if the buffer began anew
    // between the two loads. Not so for syncs, whose state the lock protects.
    const isWritten = end >= 0 && end === Atomics.load(words, base + Log.Written);
    if (isWritten && !this.isAlways) return 0;
    this.take(log);
    let result = this.writeOut(log);
    if (result === 0 && this.isAlways) result = this.sync(log);
    // What was dropped is not in any file, and does not come any more. A log that was switched off
    // promises nothing.
    const isOff = this.logs.generation === NO_GENERATION;
    if (result === 0 && !isOff && this.isDropped(base)) result = -this.logs.errno;
    this.release(log);
    return result;
  }

  /** Does a reply wait for the sync? Asked under a log's lock: so a change of policy counts. */
  get isAlways(): boolean {
    const { words } = this.logs;
    return (
      Atomics.load(words, Process.Policy) === Policy.Always &&
      Atomics.load(words, Process.IsQuiet) === 0
    );
  }
}

/** What a write that writes nothing is called: EIO. */
const NO_PROGRESS = 5;
