// What the threads share of their append logs: the number that orders all writes, the state of the
// whole, and for each log a buffer and a few words. A log belongs to one thread, which alone
// appends to it; whoever needs its records in the file may write them out (log-files.ts).
//
//   words:    │ Process … (4 lines) │ log 0 (3 lines) │ log 1 │ …        a line is 16 words
//   buffer:   │ head │ record │ record │ record │ record │ free …
//             0      8                 └ Written         └ End
//
// [Written, End) is what the file does not have yet. When it is written out it becomes a frame, and
// its head goes into the 8 bytes before it: they are free at the start of the buffer, and belong to
// records that are in the file already anywhere else. So a buffer can be written out by anybody at
// any record, and the owner needs to know nothing of it.
//
// Who writes what, and what orders it
// - Counter: every writer, by Atomics.add, under the locks of the partitions it changes.
// - Bound, End, CutAt, CutGeneration: the owner of the log. `End` is negated while a record is in
//   the making: set so before its number is taken, with a plain store, for the addition orders it:
//   whoever gets a later number sees it. Afterwards stored by Atomics, which releases the record's
//   bytes. Bound is as the plain store before the addition, and cleared by Atomics after the write.
// - Generation: whoever makes the cut, holding the locks of all partitions. Owners read it under
//   the lock of the partition they change, so a plain read sees it.
// - Written, Fd and all else of a log's third line: whoever holds the log's Lock.
// - Failure, Errno: whoever meets it; taken back by the main thread alone.
// - Origin: the main thread, by BigInt Atomics: they allocate, and do not tear.

import { withView } from '../base/bytes.js';
import { FRAME_HEAD_BYTES } from './record.js';

/** Words of the process. */
export const enum Process {
  /** The last number taken, its lower 32 bits. It has its line for itself. */
  Counter = 0,
  /** What new records belong to; 0 while there is no log. */
  Generation = 16,
  /** What `Generation` becomes at the cut. */
  NextGeneration = 17,
  Policy = 18,
  Failure = 19,
  Errno = 20,
  /** A generation whose files are not written any more, because one of them could not be synced. */
  EndedGeneration = 21,
  /** A job writes much and syncs are left out meanwhile (no-appendfsync-on-rewrite). */
  IsQuiet = 22,
  /** How often Failure was raised: a later failure is not taken for an earlier one. */
  FailureCount = 23,
  /** There is a log, or its first base is on its way: who records goes on, see AppendLog.turnOn. */
  IsHeld = 24,
  /** All records up to this number are synced: its lower 32 bits. */
  Synced = 32,
  /** What the sync thread sleeps on. */
  SyncBell = 33,
  /** Syncs that took so long that one was left out. */
  DelayedSyncs = 34,
  /** A full number that was the last one not long ago: a BigInt64. */
  Origin = 36,
  /** Doubles: bytes of the base and of files that are closed; of everything at the last rewrite. */
  OlderBytes = 40,
  RewrittenBytes = 42,
  /** Somebody waits for records: whoever has written some takes it back, and wakes all threads. */
  Followed = 48,
  Words = 64,
}

/** Words of one log, from `Process.Words + index * Log.Words` on. */
export const enum Log {
  // The owner's line.
  /** All numbers that this turn takes are greater; 0 while it has taken none. */
  Bound = 0,
  /** Where the next record goes; ~End while one is in the making. */
  End = 1,
  /** Where the records of `CutGeneration` begin: the ones before belong to the file before. */
  CutAt = 2,
  CutGeneration = 3,
  /** What the owner knows of appendonly; it may append for longer, see Process.IsHeld. */
  IsOn = 4,
  // Of whoever holds the lock.
  Lock = 16,
  SyncLock = 17,
  Written = 18,
  Fd = 19,
  FileGeneration = 20,
  /** The file of the generation that is to come, or −1. */
  NextFd = 21,
  /** The file before, until it is closed, or −1; and whether it has bytes that are not synced. */
  OldFd = 22,
  OldUnsynced = 23,
  /** The file has a torn frame behind its last whole one. */
  IsTorn = 24,
  /** Doubles: bytes of the file, and how many of them are synced. */
  FileBytes = 32,
  SyncedBytes = 34,
  /** Bytes of files before the current one that are not closed yet. */
  OldBytes = 36,
  Words = 48,
}

/** When a reply may leave: appendfsync. */
export const enum Policy {
  No = 0,
  EverySecond = 1,
  Always = 2,
}

/** Why writes are refused. */
export const enum Failure {
  None = 0,
  /** A write failed: it is tried again, and when it goes all is well. */
  Write = 1,
  /** A sync failed: what the file holds is unknown. A new generation with a new base is needed. */
  Ended = 2,
}

export const NO_FD = -1;
export const NO_GENERATION = 0;
/** Where the first record of a buffer stands: the frame's head goes before it. */
export const BUFFER_START: number = FRAME_HEAD_BYTES;

const BUFFER_BYTES = 4 * 1024 * 1024;
const TWO_32 = 2 ** 32;

export interface LogSizes {
  /** Bytes of all that the manifest names: aof_current_size. */
  readonly currentBytes: number;
  /** The same after the last rewrite, or at the start: aof_base_size. */
  readonly baseBytes: number;
}

export interface LogsShape {
  readonly words: SharedArrayBuffer;
  /** One per log. Address space: a buffer holds what a turn writes, as a rule a few kilobytes. */
  readonly buffers: readonly SharedArrayBuffer[];
}

export function createLogs(logCount: number, bufferBytes = BUFFER_BYTES): LogsShape {
  const words = new SharedArrayBuffer((Process.Words + logCount * Log.Words) * 4);
  const i32 = new Int32Array(words);
  i32[Process.Policy] = Policy.EverySecond;
  for (let log = 0; log < logCount; log++) {
    const base = baseOf(log);
    i32[base + Log.End] = BUFFER_START;
    i32[base + Log.Written] = BUFFER_START;
    i32[base + Log.Fd] = NO_FD;
    i32[base + Log.NextFd] = NO_FD;
    i32[base + Log.OldFd] = NO_FD;
  }
  const buffers = Array.from({ length: logCount }, () => new SharedArrayBuffer(bufferBytes));
  return { words, buffers };
}

/** The first word of a log. */
export function baseOf(log: number): number {
  return Process.Words + log * Log.Words;
}

/** A thread's view of what is shared. */
export class SharedLogs {
  readonly words: Int32Array;
  readonly doubles: Float64Array;
  readonly buffers: readonly Uint8Array[];
  readonly logCount: number;
  private readonly origin: BigInt64Array;

  constructor(shape: LogsShape) {
    this.words = new Int32Array(shape.words);
    this.doubles = new Float64Array(shape.words);
    this.origin = new BigInt64Array(shape.words, Process.Origin * 4, 1);
    this.buffers = shape.buffers.map((buffer) => withView(new Uint8Array(buffer)));
    this.logCount = shape.buffers.length;
  }

  // ---- numbers --------------------------------------------------------------------------------

  /** The last number taken, in full. Cold. */
  currentNumber(): number {
    // The origin first: the counter is then not behind it, and less than 2^32 ahead.
    const origin = Number(Atomics.load(this.origin, 0));
    const low = Atomics.load(this.words, Process.Counter);
    return origin + ((low - ((origin % TWO_32) | 0)) >>> 0);
  }

  /** Main thread: once a second or so, so that currentNumber stays right. */
  refreshOrigin(): void {
    Atomics.store(this.origin, 0, BigInt(this.currentNumber()));
  }

  /** Main thread, before anybody takes one: numbers go on behind this one. */
  startNumbersAt(number: number): void {
    Atomics.store(this.origin, 0, BigInt(number));
    Atomics.store(this.words, Process.Counter, (number % TWO_32) | 0);
    Atomics.store(this.words, Process.Synced, (number % TWO_32) | 0);
  }

  // ---- failures -------------------------------------------------------------------------------

  /** Raises the gate in all threads: they look at the word before they run commands. */
  fail(failure: Failure, errno: number): void {
    const { words } = this;
    // The reason before the word that says that there is one.
    Atomics.store(words, Process.Errno, errno);
    if (this.failure === Failure.None) Atomics.add(words, Process.FailureCount, 1);
    if (failure === Failure.Ended) {
      Atomics.store(words, Process.EndedGeneration, Atomics.load(words, Process.Generation));
      Atomics.store(words, Process.Failure, failure);
    } else {
      // The graver one stays.
      Atomics.compareExchange(words, Process.Failure, Failure.None, failure);
    }
  }

  get failure(): Failure {
    return Atomics.load(this.words, Process.Failure) as Failure;
  }

  get failureCount(): number {
    return Atomics.load(this.words, Process.FailureCount);
  }

  get errno(): number {
    return Atomics.load(this.words, Process.Errno);
  }

  /** Main thread: the reason is gone. False when there is another one. */
  recovered(from: Failure): boolean {
    const { words } = this;
    if (this.hasEnded) return false;
    Atomics.compareExchange(words, Process.Failure, from, Failure.None);
    // It may have come between the look and the swap.
    if (!this.hasEnded) return this.failure === Failure.None;
    Atomics.store(words, Process.Failure, Failure.Ended);
    return false;
  }

  /** Has the current generation ended? */
  get hasEnded(): boolean {
    const { words, generation } = this;
    return (
      generation !== NO_GENERATION && Atomics.load(words, Process.EndedGeneration) >= generation
    );
  }

  // ---- what is in the files -------------------------------------------------------------------

  get generation(): number {
    return Atomics.load(this.words, Process.Generation);
  }

  get policy(): Policy {
    return Atomics.load(this.words, Process.Policy) as Policy;
  }

  /** May be a moment old. */
  get sizes(): LogSizes {
    const { doubles } = this;
    let currentBytes = doubles[Process.OlderBytes >> 1]!;
    for (let log = 0; log < this.logCount; log++) {
      const base = baseOf(log);
      currentBytes += doubles[(base + Log.FileBytes) >> 1]! + doubles[(base + Log.OldBytes) >> 1]!;
    }
    return { currentBytes, baseBytes: doubles[Process.RewrittenBytes >> 1]! };
  }

  /**
   * The cut of a rewrite: what is recorded from here on belongs to the generation that was
   * prepared. The locks of all partitions are held, so no record is in the making and none is
   * between its change and its number. Returns the last number before it.
   */
  cut(): number {
    const { words } = this;
    const next = Atomics.load(words, Process.NextGeneration);
    // Release, though the partitions' locks do as much: whoever writes next sees it.
    if (next !== NO_GENERATION) Atomics.store(words, Process.Generation, next);
    return this.currentNumber();
  }

  /** Syncs that took so long that one was left out: aof_delayed_fsync. */
  get delayedSyncs(): number {
    return Atomics.load(this.words, Process.DelayedSyncs);
  }

  /** Bytes of records that wait to be written, of all logs. */
  pendingBytes(): number {
    let sum = 0;
    for (let log = 0; log < this.logCount; log++) {
      const end = Atomics.load(this.words, baseOf(log) + Log.End);
      const written = Atomics.load(this.words, baseOf(log) + Log.Written);
      sum += Math.max(0, (end < 0 ? ~end : end) - written);
    }
    return sum;
  }

  /** Is every record up to the number with these lower bits synced? */
  isSynced(low: number): boolean {
    return ((Atomics.load(this.words, Process.Synced) - low) | 0) >= 0;
  }

  /** All records up to `low` are synced: it never goes back. */
  publishSynced(low: number): void {
    const { words } = this;
    for (;;) {
      const before = Atomics.load(words, Process.Synced);
      if (((low - before) | 0) <= 0) return;
      // By swap, because several threads sync, and the later number must stay.
      if (Atomics.compareExchange(words, Process.Synced, before, low) === before) return;
    }
  }
}
