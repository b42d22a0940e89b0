// The log of one thread that executes commands. Its records stand in shared memory when the locks
// of their command are released; at the end of the turn they go to the file with one write, and
// replies leave after it: after every record with a smaller number, too, whoever has to write it.
// How that is safe is shown in test/sim/numbering.ts; what is shared, and what orders it, in
// logs.ts.
//
// Reads under `always`. Nobody may see what a crash removes, so a turn of reads waits until
// everything that has a number when the turn ends is synced. That is more than what the reads saw:
// a word per partition, stored by each write and loaded by each read, would let a read of quiet
// partitions go at once. It was rejected because it costs every read of every policy a store on the
// hottest road there is, and because a read joins the sync that is on anyhow: Redis's own reads
// wait for the same sync, that of the turn they share with the writes.

import { crc32 } from '../base/crc.js';
import type { Disk } from '../base/disk.js';
import { LogFiles } from './log-files.js';
import {
  BUFFER_START,
  baseOf,
  Failure,
  Log,
  type LogsShape,
  NO_GENERATION,
  Policy,
  Process,
  SharedLogs,
} from './logs.js';
import { FRAME_HEAD_BYTES, RECORD_HEAD_BYTES, RecordWriter, recordBytes } from './record.js';

const TWO_32 = 2 ** 32;
/** No turn is open: the first record of the next one opens it. */
const NO_TURN = -1;

export class AppendLog {
  /** Are there to be records? Where they go the generation says. */
  isOn = false;
  /** What appendonly says; see turnOn. */
  private isWanted = false;
  readonly logs: SharedLogs;
  readonly files: LogFiles;
  private readonly index: number;
  private readonly base: number;
  private readonly words: Int32Array;
  private readonly writer: RecordWriter;
  private readonly capacity: number;
  /** Where the next record goes: what End says when no record is in the making. */
  private at = BUFFER_START;
  /** The generation of this turn's records; NO_TURN before the first of them. */
  private turnGeneration = NO_TURN;
  private generation = NO_GENERATION;
  /** A bound is published: this thread may have numbers whose records are not in the file. */
  private isBound = false;
  private policy = Policy.EverySecond;
  /** The failure that was up when the last turn ended: nobody has written since, see mayLeave. */
  private failureSeen = 0;
  // The last number this thread took or saw.
  private lastLow = 0;
  private lastHigh = 0;
  /** The last number it took itself, lower bits. */
  private ownLow = 0;

  constructor(shape: LogsShape, index: number, disk: Disk) {
    this.logs = new SharedLogs(shape);
    this.files = new LogFiles(this.logs, disk);
    this.index = index;
    this.base = baseOf(index);
    this.words = this.logs.words;
    this.writer = this.files.writerOf(index);
    this.capacity = this.writer.u8.length;
  }

  /** The last number this thread took or saw. */
  get lastNumber(): number {
    return this.lastHigh * TWO_32 + (this.lastLow >>> 0);
  }

  /** Lower bits of the last number this thread took: what WAITAOF waits for. */
  get lastOwnLow(): number {
    if (this.generation === NO_GENERATION) return Atomics.load(this.words, Process.Synced);
    return this.ownLow;
  }

  /**
   * appendonly: says so to the thread that switches the log on and off. That thread alone ends a
   * log, later than this one hears of it or not at all, when it is switched on again meanwhile:
   * until then records go on, or the log would go on with a hole.
   */
  turnOn(isWanted: boolean): void {
    this.isWanted = isWanted;
    // Before the load of IsHeld, which the main thread stores before it looks at this one: one of
    // the two sees the other, so no log begins with a thread that does not record.
    Atomics.store(this.words, this.base + Log.IsOn, isWanted ? 1 : 0);
    this.settle();
  }

  private settle(): void {
    this.isOn = this.isWanted || Atomics.load(this.words, Process.IsHeld) !== 0;
  }

  /** appendfsync. When it becomes stricter, what was promised less is synced. */
  setPolicy(policy: Policy): void {
    if (this.policy === policy) return;
    this.policy = policy;
    // Before the syncs: who writes after them has seen it under the log's lock.
    Atomics.store(this.words, Process.Policy, policy);
    if (policy !== Policy.Always) return;
    for (let log = 0; log < this.logs.logCount; log++) {
      this.files.take(log);
      this.files.sync(log);
      this.files.release(log);
    }
  }

  // ---- during a turn --------------------------------------------------------------------------

  append(database: number, u8: Uint8Array, start: number, length: number): void {
    const { words, base } = this;
    // A plain load: the cut is made under all locks of partitions, and this is under one of them.
    if (words[Process.Generation] !== this.turnGeneration && !this.openTurn()) return;
    const bytes = recordBytes(length);
    if (this.at + bytes > this.capacity && !this.makeRoom(bytes)) {
      this.appendLarge(database, u8, start, length);
      return;
    }
    const { at } = this;
    // In the making. The addition releases it: whoever has a later number waits for this record.
    words[base + Log.End] = ~at;
    // Sequentially consistent, and under the command's locks: numbers of changes of one partition
    // ascend in the order of the changes.
    const low = (Atomics.add(words, Process.Counter, 1) + 1) | 0;
    this.extend(low);
    this.ownLow = low;
    this.writer.record(at, low, this.lastHigh, database, u8, start, length);
    this.at = at + bytes;
    // Release: whoever sees the end sees the record.
    Atomics.store(words, base + Log.End, this.at);
  }

  /** Before the first number of a turn, and when the generation changes. False: no records now. */
  private openTurn(): boolean {
    const { words, base } = this;
    const generation = words[Process.Generation]!;
    if (generation === NO_GENERATION) return false;
    if (generation !== this.generation) {
      this.adoptNumber();
      // Together they come before the end of the first record: see LogFiles.writeOut.
      words[base + Log.CutAt] = this.at;
      Atomics.store(words, base + Log.CutGeneration, generation);
      this.generation = generation;
    }
    if (!this.isBound) {
      // Older than the counter is as good: then others write this log once more than they need.
      const bound = Atomics.load(words, Process.Counter);
      // Plain, for the addition that takes the first number releases it. 0 would be no bound.
      words[base + Log.Bound] = bound === 0 ? -1 : bound;
      this.isBound = true;
    }
    this.turnGeneration = generation;
    return true;
  }

  /** The buffer is full. False: the record is larger than all of it, which is empty now. */
  private makeRoom(bytes: number): boolean {
    const { files, index } = this;
    files.take(index);
    const result = files.writeOut(index);
    if (result < 0) files.giveUp(index, -result);
    this.startBuffer();
    files.release(index);
    return this.at + bytes <= this.capacity;
  }

  /** Everything is written: the buffer begins anew. Under the log's lock. */
  private startBuffer(): void {
    const { words, base } = this;
    if (this.at === BUFFER_START) return;
    this.at = BUFFER_START;
    // In this order: who compares the two without the lock finds them different in between.
    Atomics.store(words, base + Log.Written, BUFFER_START);
    Atomics.store(words, base + Log.End, BUFFER_START);
  }

  /** A record that no buffer holds goes to the file at once, from where it stands. */
  private appendLarge(database: number, u8: Uint8Array, start: number, length: number): void {
    const { words, base, files, index } = this;
    const head = new Uint8Array(new ArrayBuffer(FRAME_HEAD_BYTES + RECORD_HEAD_BYTES));
    const pieces = [head, u8.subarray(start, start + length)];
    const paddingBytes = recordBytes(length) - RECORD_HEAD_BYTES - length;
    if (paddingBytes > 0) pieces.push(new Uint8Array(paddingBytes));
    files.take(index);
    // As in append; who needs the record finds it in the making, and waits for the lock.
    words[base + Log.End] = ~this.at;
    const low = (Atomics.add(words, Process.Counter, 1) + 1) | 0;
    this.extend(low);
    this.ownLow = low;
    const writer = new RecordWriter(head);
    writer.recordHead(FRAME_HEAD_BYTES, low, this.lastHigh, database, length);
    let checksum = 0;
    for (const piece of pieces) {
      const from = piece === head ? FRAME_HEAD_BYTES : 0;
      checksum = crc32(piece, from, piece.length - from, checksum);
    }
    writer.frameHead(0, recordBytes(length), checksum);
    files.writeLarge(index, pieces);
    Atomics.store(words, base + Log.End, this.at);
    files.release(index);
  }

  // ---- the end of a turn ----------------------------------------------------------------------

  /**
   * Before replies leave: all they promise is in the files, and synced where the policy says so.
   * False when it is not, and they must not leave. No lock is held.
   */
  endTurn(): boolean {
    if (this.turnGeneration !== NO_TURN) return this.finishTurn() || this.mayLeave();
    if (this.isBound) this.tryUnbind();
    if (this.isOn && this.logs.policy === Policy.Always) this.awaitReads();
    return true;
  }

  /** Has this turn appended anything? */
  get hasRecords(): boolean {
    return this.turnGeneration !== NO_TURN;
  }

  private finishTurn(): boolean {
    const { files, index, ownLow } = this;
    this.turnGeneration = NO_TURN;
    if (!this.writeOwn()) return false;
    if (files.help(index, ownLow) < 0) return false;
    // Asked after the helping, to which a buffer that was given up meanwhile looks written: then a
    // smaller number is in no file, and a start would stop before this turn's.
    if (this.logs.failure === Failure.Ended) return false;
    if (files.isAlways) this.logs.publishSynced(ownLow);
    return true;
  }

  /**
   * May replies leave although the turn's records are not safe? If the very same failure was up
   * before the turn began: then the gate has refused all that writes, and the records are those of
   * keys that expired by themselves.
   */
  private mayLeave(): boolean {
    const { failureCount } = this.logs;
    const isOld = failureCount === this.failureSeen;
    this.failureSeen = failureCount;
    return isOld;
  }

  private writeOwn(): boolean {
    const { files, index } = this;
    files.take(index);
    let result = files.writeOut(index);
    if (result === 0 && files.isAlways) result = files.sync(index);
    if (result === 0) this.startBuffer();
    const isEnded = this.logs.failure === Failure.Ended;
    files.release(index);
    // The bound stays until the records are where they belong: nobody's later reply leaves before.
    if (result < 0 || isEnded) return false;
    this.unbind();
    return true;
  }

  private unbind(): void {
    this.isBound = false;
    // Release: after the write, whoever sees it may rely on the file.
    Atomics.store(this.words, this.base + Log.Bound, 0);
  }

  /** After a turn that failed: somebody may have written the records since. */
  private tryUnbind(): void {
    if (this.logs.failure === Failure.None) this.writeOwn();
  }

  /**
   * Under `always`: nothing that a read of this turn may have seen is lost by a crash. While the
   * disk fails reads go on, and see what is not safe.
   */
  private awaitReads(): void {
    const { logs, files, index, words } = this;
    if (logs.failure !== Failure.None || logs.generation === NO_GENERATION) return;
    // What a read saw had its number before the lock of its partition was given back.
    const low = Atomics.load(words, Process.Counter);
    if (logs.isSynced(low)) return;
    if (files.help(index, low) === 0 && files.isAlways) logs.publishSynced(low);
  }

  // ---- numbers --------------------------------------------------------------------------------

  /**
   * Once a second, so that the extension stays right in a thread that writes seldom, and no command
   * pays for a log that has ended.
   */
  observe(): void {
    this.settle();
    this.extend(Atomics.load(this.words, Process.Counter));
  }

  /** A generation begins: the numbers may have been set anew, or seen long ago. */
  private adoptNumber(): void {
    const number = this.logs.currentNumber();
    this.lastLow = (number % TWO_32) | 0;
    this.lastHigh = Math.floor(number / TWO_32);
  }

  private extend(low: number): void {
    // Another thread's number may be seen late, but never by 2^31.
    if (((low - this.lastLow) | 0) <= 0) return;
    if (low >>> 0 < this.lastLow >>> 0) this.lastHigh = (this.lastHigh + 1) | 0;
    this.lastLow = low;
  }
}
