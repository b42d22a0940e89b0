// Counters of the whole server, in shared memory. A thread adds to its own block with plain
// stores; whoever reads sums over all blocks and may see a moment ago. What belongs to the process
// (names of error codes, the figures of the last second) stands before the blocks.
//
//   ┌──────────────────────────────┬─────────────────────┬──────────────────────┬──────────────┐
//   │ shared: lock, error count,   │ names of errors:    │ block of thread 0:   │ … of         │
//   │ peak memory, figures a second│ 128 × (length, text)│ counters, look-ups,  │ thread 1     │
//   │                              │                     │ errors by code       │              │
//   └──────────────────────────────┴─────────────────────┴──────────────────────┴──────────────┘

import { assert } from '../base/assert.js';
import { Lookup } from '../keyspace/keyspace.js';

/** Things that are counted; a thread's own. */
export const enum Counter {
  ConnectionsReceived = 0,
  ConnectionsRejected = 1,
  InputBytes = 2,
  OutputBytes = 3,
  Reads = 4,
  Writes = 5,
  Evicted = 6,
  EvictedClients = 7,
  OutputLimitDisconnections = 8,
  InputLimitDisconnections = 9,
  ErrorReplies = 10,
  AclDenied = 11,
  UnexpectedErrors = 12,
  ActiveExpireMs = 13,
  ExpireTimeCapped = 14,
  CpuUserUs = 15,
  CpuSystemUs = 16,
  Changes = 17,
  EventLoopTurns = 18,
  EventLoopUs = 19,
  AclCommandDenied = 20,
  AclKeyDenied = 21,
  AclChannelDenied = 22,
  MigrateSockets = 23,
  DefragHits = 24,
  DefragMisses = 25,
  DefragKeyHits = 26,
  DefragKeyMisses = 27,
  DefragScanned = 28,
  /** The share of its time, in percent, that the thread moves blocks for; 0 while it does not. */
  DefragPercent = 29,
  Count = 30,
}

/** Redis stops telling codes apart here: a script could invent any number of them. */
const ERROR_CODES_MAX = 128;
const ERROR_NAME_BYTES = 60;
const ERROR_NAME_WORDS = 16;

const enum Shared {
  Lock = 0,
  ErrorCount = 1,
  /** Counts resets: threads forget what they know of error codes. */
  Generation = 2,
  /** Threads that move blocks together. */
  Defragmenting = 3,
  // Doubles from here on, by word; all even.
  PeakBytes = 4,
  PeakMs = 6,
  OperationsPerSecond = 8,
  InputPerSecond = 10,
  OutputPerSecond = 12,
  LoadingStartMs = 26,
  LoadingTotalBytes = 28,
  LoadingLoadedBytes = 30,
  LoadedKeys = 32,
  LoadedExpiredKeys = 34,
  /** Used memory is above maxmemory since; 0 while it is not. */
  ExceededSinceMs = 36,
  ExceededMs = 38,
  /** Forty bytes of text. */
  ReplicationId = 16,
  CyclesPerSecond = 40,
  CycleUs = 42,
  /** Some thread moves blocks since; 0 while none does. */
  DefragSinceMs = 44,
  DefragMs = 46,
  Words = 48,
}

export interface LoadingFigures {
  readonly startMs: number;
  readonly totalBytes: number;
  readonly loadedBytes: number;
}

/** Hex digits of a replication id. */
const REPLICATION_ID_BYTES = 40;

const ERROR_NAMES_AT = Shared.Words;
const BLOCKS_AT = (Shared.Words + ERROR_CODES_MAX * ERROR_NAME_WORDS) >> 1;
const ERRORS_AT = Counter.Count + Lookup.Words + 1;
const BLOCK_DOUBLES = ERRORS_AT + ERROR_CODES_MAX;

/** What CONFIG RESETSTAT leaves: these say how things are, or belong to the process. */
const KEPT_COUNTERS = [
  Counter.CpuUserUs,
  Counter.CpuSystemUs,
  Counter.Changes,
  Counter.MigrateSockets,
  Counter.DefragPercent,
];

/** Seconds' figures are means of so many samples, as in Redis. */
const SAMPLES = 16;

export class ServerStats {
  readonly buffer: SharedArrayBuffer;
  /** Counters of this thread's Keyspace (Lookup). */
  readonly lookups: Float64Array;
  private readonly threadCount: number;
  private readonly i32: Int32Array;
  private readonly f64: Float64Array;
  private readonly u8: Buffer;
  /** This thread's block. */
  private readonly own: Float64Array;
  private readonly codes = new Map<string, number>();
  private codesGeneration = 0;
  private readonly operations = new Rate();
  private readonly input = new Rate();
  private readonly output = new Rate();
  private readonly cycles = new Rate();
  private readonly cycleTimes = new Rate();

  constructor(buffer: SharedArrayBuffer, threadCount: number, thread: number) {
    this.buffer = buffer;
    this.threadCount = threadCount;
    this.i32 = new Int32Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.u8 = Buffer.from(buffer);
    this.own = this.f64.subarray(this.blockAt(thread), this.blockAt(thread + 1));
    this.lookups = this.own.subarray(Counter.Count, Counter.Count + Lookup.Words);
    assert(this.own.length === BLOCK_DOUBLES, 'the buffer holds a block for each thread');
  }

  static bytesFor(threadCount: number): number {
    return (BLOCKS_AT + threadCount * BLOCK_DOUBLES) * 8;
  }

  // ---- counting -------------------------------------------------------------------------------

  add(counter: Counter, amount: number): void {
    this.own[counter] = this.own[counter]! + amount;
  }

  /** For figures that are measured, not counted: processor time of this thread. */
  put(counter: Counter, value: number): void {
    this.own[counter] = value;
  }

  /** An error reply left; `code` is its first word. */
  errorReplied(code: string): void {
    this.own[Counter.ErrorReplies] = this.own[Counter.ErrorReplies]! + 1;
    const index = this.codeIndexOf(code);
    if (index === -1) return;
    this.own[ERRORS_AT + index] = this.own[ERRORS_AT + index]! + 1;
  }

  /** What this thread has counted. */
  ownCount(counter: Counter): number {
    return this.own[counter]!;
  }

  /**
   * Used memory stays above maxmemory for now, or is within it again. Two threads that see its end
   * at once may count some milliseconds twice.
   */
  noteMemoryExceeded(nowMs: number): void {
    if (this.f64[Shared.ExceededSinceMs >> 1] === 0) this.f64[Shared.ExceededSinceMs >> 1] = nowMs;
  }

  noteMemoryWithin(nowMs: number): void {
    const { f64 } = this;
    const sinceMs = f64[Shared.ExceededSinceMs >> 1]!;
    if (sinceMs === 0) return;
    f64[Shared.ExceededSinceMs >> 1] = 0;
    f64[Shared.ExceededMs >> 1] = f64[Shared.ExceededMs >> 1]! + Math.max(0, nowMs - sinceMs);
  }

  /** For how long used memory was above maxmemory, before now and now, milliseconds. */
  memoryExceeded(nowMs: number): { readonly totalMs: number; readonly currentMs: number } {
    const sinceMs = this.f64[Shared.ExceededSinceMs >> 1]!;
    const currentMs = sinceMs === 0 ? 0 : Math.max(0, nowMs - sinceMs);
    return { totalMs: this.f64[Shared.ExceededMs >> 1]! + currentMs, currentMs };
  }

  /** This thread begins to move blocks together, or ends. */
  defragBegan(nowMs: number): void {
    // Whoever is the first, or the last, of them keeps the time of all.
    if (Atomics.add(this.i32, Shared.Defragmenting, 1) === 0) {
      this.f64[Shared.DefragSinceMs >> 1] = nowMs;
    }
  }

  defragEnded(nowMs: number): void {
    const { f64 } = this;
    if (Atomics.sub(this.i32, Shared.Defragmenting, 1) !== 1) return;
    const sinceMs = f64[Shared.DefragSinceMs >> 1]!;
    f64[Shared.DefragSinceMs >> 1] = 0;
    f64[Shared.DefragMs >> 1] = f64[Shared.DefragMs >> 1]! + Math.max(0, nowMs - sinceMs);
  }

  /** Does any thread move blocks now? */
  get isDefragmenting(): boolean {
    return Atomics.load(this.i32, Shared.Defragmenting) !== 0;
  }

  /** For how long blocks have been moved, in all and since it began this time, and how hard. */
  defragTime(nowMs: number): { totalMs: number; currentMs: number; percent: number } {
    const sinceMs = this.f64[Shared.DefragSinceMs >> 1]!;
    const currentMs = sinceMs === 0 ? 0 : Math.max(0, nowMs - sinceMs);
    let percent = 0;
    for (let thread = 0; thread < this.threadCount; thread++) {
      percent = Math.max(percent, this.of(thread, Counter.DefragPercent));
    }
    return { totalMs: this.f64[Shared.DefragMs >> 1]! + currentMs, currentMs, percent };
  }

  // ---- reading --------------------------------------------------------------------------------

  total(counter: Counter): number {
    return this.sum(counter);
  }

  /** The counter of one thread. */
  of(thread: number, counter: Counter): number {
    return this.f64[this.blockAt(thread) + counter]!;
  }

  lookup(which: Lookup): number {
    return this.sum(Counter.Count + which);
  }

  /** Error replies by code, in the order of the codes' names. */
  errors(): [code: string, count: number][] {
    const count = Math.min(Atomics.load(this.i32, Shared.ErrorCount), ERROR_CODES_MAX);
    const rows: [string, number][] = [];
    for (let index = 0; index < count; index++) {
      rows.push([this.readCode(index), this.sum(ERRORS_AT + index)]);
    }
    return rows.filter(([, total]) => total > 0).sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** used_memory now: keeps the highest seen. */
  notePeak(bytes: number, nowMs: number): void {
    if (bytes <= this.f64[Shared.PeakBytes >> 1]!) return;
    this.f64[Shared.PeakBytes >> 1] = bytes;
    this.f64[Shared.PeakMs >> 1] = nowMs;
  }

  get peakBytes(): number {
    return this.f64[Shared.PeakBytes >> 1]!;
  }

  get peakMs(): number {
    return this.f64[Shared.PeakMs >> 1]!;
  }

  /**
   * Called by the main thread ten times a second with the number of commands run so far, by
   * `loops` threads.
   */
  sample(nowMs: number, commands: number, loops = 1): void {
    const { f64 } = this;
    f64[Shared.OperationsPerSecond >> 1] = this.operations.next(nowMs, commands);
    f64[Shared.InputPerSecond >> 1] = this.input.next(nowMs, this.total(Counter.InputBytes));
    f64[Shared.OutputPerSecond >> 1] = this.output.next(nowMs, this.total(Counter.OutputBytes));
    const cycles = this.total(Counter.EventLoopTurns);
    f64[Shared.CyclesPerSecond >> 1] = this.cycles.next(nowMs, cycles) / loops;
    // What a cycle took is what the time gained while their count went on: a rate per cycle.
    const perThousand = this.cycleTimes.next(cycles, this.total(Counter.EventLoopUs));
    f64[Shared.CycleUs >> 1] = perThousand / 1000;
  }

  get operationsPerSecond(): number {
    return this.f64[Shared.OperationsPerSecond >> 1]!;
  }

  get inputBytesPerSecond(): number {
    return this.f64[Shared.InputPerSecond >> 1]!;
  }

  get outputBytesPerSecond(): number {
    return this.f64[Shared.OutputPerSecond >> 1]!;
  }

  /** Turns of a thread's loop in a second, the mean of all, and the microseconds that one took. */
  get cyclesPerSecond(): number {
    return this.f64[Shared.CyclesPerSecond >> 1]!;
  }

  get cycleUs(): number {
    return this.f64[Shared.CycleUs >> 1]!;
  }

  /** What is being loaded; all zero when nothing was since the start. */
  get loading(): LoadingFigures {
    const { f64 } = this;
    return {
      startMs: f64[Shared.LoadingStartMs >> 1]!,
      totalBytes: f64[Shared.LoadingTotalBytes >> 1]!,
      loadedBytes: f64[Shared.LoadingLoadedBytes >> 1]!,
    };
  }

  set loading({ startMs, totalBytes, loadedBytes }: LoadingFigures) {
    const { f64 } = this;
    f64[Shared.LoadingStartMs >> 1] = startMs;
    f64[Shared.LoadingTotalBytes >> 1] = totalBytes;
    f64[Shared.LoadingLoadedBytes >> 1] = loadedBytes;
  }

  /** Keys that the last RDB file gave, and those of it that had expired. */
  get loadedKeys(): { readonly loaded: number; readonly expired: number } {
    const { f64 } = this;
    return {
      loaded: f64[Shared.LoadedKeys >> 1]!,
      expired: f64[Shared.LoadedExpiredKeys >> 1]!,
    };
  }

  noteLoadedKeys(loaded: number, expired: number): void {
    this.f64[Shared.LoadedKeys >> 1] = loaded;
    this.f64[Shared.LoadedExpiredKeys >> 1] = expired;
  }

  /** The name of this history of changes: 40 hex digits, empty until one is set. */
  get replicationId(): string {
    const start = Shared.ReplicationId * 4;
    return this.u8.toString('latin1', start, start + REPLICATION_ID_BYTES).replaceAll('\0', '');
  }

  set replicationId(digits: string) {
    assert(/^[0-9a-f]{40}$/.test(digits), 'a replication id has 40 hex digits');
    this.u8.write(digits, Shared.ReplicationId * 4, 'latin1');
  }

  /** CONFIG RESETSTAT; counts of other threads that are being written may survive by one. */
  reset(nowMs: number): void {
    const kept = KEPT_COUNTERS;
    for (let thread = 0; thread < this.threadCount; thread++) {
      const at = this.blockAt(thread);
      const values = kept.map((counter) => this.f64[at + counter]!);
      this.f64.fill(0, at, at + BLOCK_DOUBLES);
      kept.forEach((counter, index) => {
        this.f64[at + counter] = values[index]!;
      });
    }
    this.f64[Shared.DefragMs >> 1] = 0;
    if (this.f64[Shared.DefragSinceMs >> 1] !== 0) this.f64[Shared.DefragSinceMs >> 1] = nowMs;
    this.take();
    this.i32[Shared.ErrorCount] = 0;
    this.i32[Shared.Generation] = this.i32[Shared.Generation]! + 1;
    this.release();
  }

  // ---- inside ---------------------------------------------------------------------------------

  private sum(field: number): number {
    let sum = 0;
    for (let thread = 0; thread < this.threadCount; thread++) {
      sum += this.f64[this.blockAt(thread) + field]!;
    }
    return sum;
  }

  private blockAt(thread: number): number {
    return BLOCKS_AT + thread * BLOCK_DOUBLES;
  }

  /** The shared place of a code; -1 when there are too many. */
  private codeIndexOf(code: string): number {
    const generation = Atomics.load(this.i32, Shared.Generation);
    if (generation !== this.codesGeneration) {
      this.codes.clear();
      this.codesGeneration = generation;
    }
    const known = this.codes.get(code);
    if (known !== undefined) return known;
    const index = this.enter(code.slice(0, ERROR_NAME_BYTES));
    if (this.codes.size < ERROR_CODES_MAX * 2) this.codes.set(code, index);
    return index;
  }

  private enter(code: string): number {
    this.take();
    const count = this.i32[Shared.ErrorCount]!;
    let index = 0;
    while (index < count && this.readCode(index) !== code) index++;
    if (index === count) {
      if (count < ERROR_CODES_MAX) {
        this.writeCode(index, code);
        Atomics.store(this.i32, Shared.ErrorCount, count + 1);
      } else {
        index = -1;
      }
    }
    this.release();
    return index;
  }

  private readCode(index: number): string {
    const at = ERROR_NAMES_AT + index * ERROR_NAME_WORDS;
    const start = (at + 1) * 4;
    return this.u8.toString('latin1', start, start + this.i32[at]!);
  }

  private writeCode(index: number, code: string): void {
    const at = ERROR_NAMES_AT + index * ERROR_NAME_WORDS;
    this.i32[at] = this.u8.write(code, (at + 1) * 4, 'latin1');
  }

  private take(): void {
    // A spin: the lock is held while a list of at most 128 short names is looked through.
    while (Atomics.compareExchange(this.i32, Shared.Lock, 0, 1) !== 0);
  }

  private release(): void {
    Atomics.store(this.i32, Shared.Lock, 0);
  }
}

/** What a growing count gained a second, as a mean of the last samples. */
class Rate {
  private readonly samples = new Float64Array(SAMPLES);
  private place = 0;
  private lastMs = 0;
  private lastCount = 0;

  next(nowMs: number, count: number): number {
    const passedMs = nowMs - this.lastMs;
    if (passedMs <= 0) return this.mean();
    // The first call has nothing to compare with; a reset count starts from zero.
    const gained = this.lastMs === 0 ? 0 : Math.max(0, count - this.lastCount);
    this.samples[this.place] = (gained * 1000) / passedMs;
    this.place = (this.place + 1) % SAMPLES;
    this.lastMs = nowMs;
    this.lastCount = count;
    return this.mean();
  }

  private mean(): number {
    return this.samples.reduce((sum, sample) => sum + sample, 0) / SAMPLES;
  }
}
