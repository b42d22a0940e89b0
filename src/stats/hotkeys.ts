// The hottest keys of all threads, while somebody has asked for them (HOTKEYS): which keys take
// the most processor time, and which the most bytes of the network.
//
// Every thread keeps a table of its own per metric, by the algorithm "space saving" (A. Metwally,
// D. Agrawal, A. El Abbadi, "Efficient Computation of Frequent and Top-k Elements", 2005): a key
// that finds no room takes the entry with the least, and what that had remains as its possible
// error. What is told of a key leaves that error out, so it is never more than what was measured.
// Who asks adds the tables of all threads.
//
//   │ head: state, session, metrics, sizes, times │ region of thread 0 │ region of thread 1 │ …
//   region: │ lock, session, counts │ totals │ table of metric 0 │ table of metric 1 │
//   table:  │ heads of chains, by hash │ entries: next, hash, length, key bytes │ counts, errors │
//
// Who writes what: the head whoever runs HOTKEYS, one at a time by its lock; a region its own
// thread. A region is read by others under its lock, which its thread takes for each command that
// it notes. A region of an earlier session counts as empty until its thread has begun it anew.
// Nothing is touched, so nothing is resident, before the first session.

import { assert } from '../base/assert.js';

/** What keys are ranked by, as bits. */
export const enum Metric {
  Cpu = 1,
  Net = 2,
}

const METRICS = 2;
/** COUNT is at most 64; as many entries for each key that is told make the estimate good. */
export const HOTKEYS_COUNT_MAX = 64;
const ENTRIES_PER_KEY = 10;
const ENTRIES_MAX = HOTKEYS_COUNT_MAX * ENTRIES_PER_KEY;
/** Longer keys are noted by their first bytes. */
export const HOTKEY_BYTES_MAX = 512;
const CHAINS = 1024;

const enum State {
  Nothing = 0,
  Active = 1,
  Stopped = 2,
}

const enum Head {
  Lock = 0,
  State = 1,
  Session = 2,
  Metrics = 3,
  Count = 4,
  Sample = 5,
  // Doubles, by word.
  StartMs = 6,
  EndMs = 8,
  UserUs = 10,
  SystemUs = 12,
  Words = 16,
}

const enum Region {
  Lock = 0,
  Session = 1,
  /** Entries in use of each table. */
  Used = 2,
  // Doubles, by word.
  AllUs = 4,
  AllBytes = 6,
  NetTotal = 8,
  Words = 16,
}

const enum Entry {
  Next = 0,
  Hash = 1,
  Length = 2,
  Bytes = 3,
}

const ENTRY_WORDS = Entry.Bytes + HOTKEY_BYTES_MAX / 4 + 1;
const TABLE_ENTRIES_AT = CHAINS;
const TABLE_COUNTS_AT = TABLE_ENTRIES_AT + ENTRIES_MAX * ENTRY_WORDS;
const TABLE_WORDS = TABLE_COUNTS_AT + ENTRIES_MAX * 4;
const REGION_WORDS = Region.Words + METRICS * TABLE_WORDS;

/** What HOTKEYS START was asked for. */
export interface HotkeysPlan {
  readonly metrics: number;
  readonly count: number;
  readonly sample: number;
  /** 0: until it is stopped. */
  readonly durationMs: number;
}

export interface HotKey {
  readonly key: string;
  readonly amount: number;
}

export interface HotkeysReport extends HotkeysPlan {
  readonly isActive: boolean;
  readonly startMs: number;
  readonly tookMs: number;
  /** Processor time of the process when it began. */
  readonly startUserUs: number;
  readonly startSystemUs: number;
  readonly allUs: number;
  readonly allBytes: number;
  readonly netTotal: number;
  readonly byCpu: readonly HotKey[];
  readonly byNet: readonly HotKey[];
}

export class Hotkeys {
  private readonly i32: Int32Array;
  private readonly f64: Float64Array;
  private readonly u8: Buffer;
  private readonly threadCount: number;
  /** The word at which this thread's region begins. */
  private readonly own: number;
  /** Draws which commands are sampled. */
  private chance = 0x9e3779b9;

  constructor(buffer: SharedArrayBuffer, threadCount: number, thread: number) {
    const bytes = Hotkeys.bytesFor(threadCount);
    assert(buffer.byteLength >= bytes, 'the buffer holds a region for each thread');
    this.i32 = new Int32Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.u8 = Buffer.from(buffer);
    this.threadCount = threadCount;
    this.own = this.regionOf(thread);
  }

  static bytesFor(threadCount: number): number {
    return (Head.Words + threadCount * REGION_WORDS) * 4;
  }

  // ---- HOTKEYS --------------------------------------------------------------------------------

  /** Is a session on? Its time may be over: then it ends here. */
  isActiveAt(nowMs: number): boolean {
    // Atomic: who sees the state sees the plan that was written before it.
    if (Atomics.load(this.i32, Head.State) !== State.Active) return false;
    if (nowMs < this.f64[Head.EndMs >> 1]!) return true;
    this.stop(this.f64[Head.EndMs >> 1]!);
    return false;
  }

  /** Is there anything to tell? */
  get hasReport(): boolean {
    return Atomics.load(this.i32, Head.State) !== State.Nothing;
  }

  /** False: a session is on. */
  start(plan: HotkeysPlan, nowMs: number, cpu: { user: number; system: number }): boolean {
    if (this.isActiveAt(nowMs)) return false;
    const { i32, f64 } = this;
    this.take(Head.Lock);
    i32[Head.Metrics] = plan.metrics;
    i32[Head.Count] = plan.count;
    i32[Head.Sample] = plan.sample;
    f64[Head.StartMs >> 1] = nowMs;
    f64[Head.EndMs >> 1] =
      plan.durationMs === 0 ? Number.POSITIVE_INFINITY : nowMs + plan.durationMs;
    f64[Head.UserUs >> 1] = cpu.user;
    f64[Head.SystemUs >> 1] = cpu.system;
    // The session before the state: whoever finds it active begins its region anew.
    Atomics.add(i32, Head.Session, 1);
    Atomics.store(i32, Head.State, State.Active);
    this.release(Head.Lock);
    return true;
  }

  /** False: none was on. */
  stop(nowMs: number): boolean {
    this.take(Head.Lock);
    const wasActive = this.i32[Head.State] === State.Active;
    if (wasActive) {
      this.f64[Head.EndMs >> 1] = nowMs;
      Atomics.store(this.i32, Head.State, State.Stopped);
    }
    this.release(Head.Lock);
    return wasActive;
  }

  /** Forgets the last session; false while one is on. */
  reset(nowMs: number): boolean {
    if (this.isActiveAt(nowMs)) return false;
    this.take(Head.Lock);
    Atomics.add(this.i32, Head.Session, 1);
    Atomics.store(this.i32, Head.State, State.Nothing);
    this.release(Head.Lock);
    return true;
  }

  report(nowMs: number): HotkeysReport | null {
    const isActive = this.isActiveAt(nowMs);
    if (!this.hasReport) return null;
    const { i32, f64 } = this;
    const startMs = f64[Head.StartMs >> 1]!;
    const endMs = isActive ? nowMs : f64[Head.EndMs >> 1]!;
    const totals = { allUs: 0, allBytes: 0, netTotal: 0 };
    const sums = [new Map<string, number>(), new Map<string, number>()] as const;
    for (let thread = 0; thread < this.threadCount; thread++) this.addRegion(thread, totals, sums);
    const count = i32[Head.Count]!;
    return {
      isActive,
      metrics: i32[Head.Metrics]!,
      count,
      sample: i32[Head.Sample]!,
      durationMs: endMs - startMs,
      startMs,
      tookMs: Math.max(0, endMs - startMs),
      startUserUs: f64[Head.UserUs >> 1]!,
      startSystemUs: f64[Head.SystemUs >> 1]!,
      ...totals,
      byCpu: hottest(sums[0], count),
      byNet: hottest(sums[1], count),
    };
  }

  private addRegion(
    thread: number,
    totals: { allUs: number; allBytes: number; netTotal: number },
    sums: readonly Map<string, number>[],
  ): void {
    const at = this.regionOf(thread);
    const { i32, f64 } = this;
    this.take(at + Region.Lock);
    if (i32[at + Region.Session] === i32[Head.Session]) {
      totals.allUs += f64[(at + Region.AllUs) >> 1]!;
      totals.allBytes += f64[(at + Region.AllBytes) >> 1]!;
      totals.netTotal += f64[(at + Region.NetTotal) >> 1]!;
      for (let metric = 0; metric < METRICS; metric++) {
        this.addTable(
          at + Region.Words + metric * TABLE_WORDS,
          i32[at + Region.Used + metric]!,
          sums[metric]!,
        );
      }
    }
    this.release(at + Region.Lock);
  }

  private addTable(table: number, used: number, sums: Map<string, number>): void {
    for (let index = 0; index < used; index++) {
      const entry = table + TABLE_ENTRIES_AT + index * ENTRY_WORDS;
      const bytesAt = (entry + Entry.Bytes) * 4;
      const length = this.i32[entry + Entry.Length]!;
      const key = this.u8.toString('latin1', bytesAt, bytesAt + length);
      const amount = this.countOf(table, index) - this.errorOf(table, index);
      sums.set(key, (sums.get(key) ?? 0) + amount);
    }
  }

  // ---- noting commands --------------------------------------------------------------------------

  /**
   * A command with `keyCount` keys took so long and so many bytes. True: it is one of the sample,
   * and `note` is to be called for each of its keys. Then, or else, `end`.
   */
  begin(us: number, bytes: number): boolean {
    const { i32, f64, own } = this;
    this.take(own + Region.Lock);
    const session = Atomics.load(i32, Head.Session);
    if (i32[own + Region.Session] !== session) this.beginRegion(session);
    f64[(own + Region.AllUs) >> 1] = f64[(own + Region.AllUs) >> 1]! + us;
    f64[(own + Region.AllBytes) >> 1] = f64[(own + Region.AllBytes) >> 1]! + bytes;
    const sample = i32[Head.Sample]!;
    if (sample <= 1) return true;
    // Xorshift: any even spread will do.
    let draw = this.chance;
    draw ^= draw << 13;
    draw ^= draw >>> 17;
    draw ^= draw << 5;
    this.chance = draw;
    return (draw >>> 0) % sample === 0;
  }

  note(
    hash: number,
    u8: Uint8Array,
    start: number,
    length: number,
    us: number,
    bytes: number,
  ): void {
    const metrics = this.i32[Head.Metrics]!;
    const { own, f64 } = this;
    if ((metrics & Metric.Cpu) !== 0) this.add(0, hash, u8, start, length, us);
    if ((metrics & Metric.Net) === 0) return;
    this.add(1, hash, u8, start, length, bytes);
    f64[(own + Region.NetTotal) >> 1] = f64[(own + Region.NetTotal) >> 1]! + bytes;
  }

  end(): void {
    this.release(this.own + Region.Lock);
  }

  private beginRegion(session: number): void {
    const { i32, own } = this;
    i32.fill(0, own + Region.Used, own + Region.Words);
    for (let metric = 0; metric < METRICS; metric++) {
      const table = own + Region.Words + metric * TABLE_WORDS;
      i32.fill(0, table, table + CHAINS);
    }
    i32[own + Region.Session] = session;
  }

  private add(
    metric: number,
    hash: number,
    u8: Uint8Array,
    start: number,
    length: number,
    amount: number,
  ): void {
    const { i32, f64, own } = this;
    const table = own + Region.Words + metric * TABLE_WORDS;
    const noted = Math.min(length, HOTKEY_BYTES_MAX);
    let index = this.find(table, hash, u8, start, noted);
    if (index === -1) {
      const most = i32[Head.Count]! * ENTRIES_PER_KEY;
      const used = i32[own + Region.Used + metric]!;
      if (used < most) {
        index = used;
        i32[own + Region.Used + metric] = used + 1;
        this.put(table, index, 0);
      } else {
        index = this.leastOf(table, used);
        this.unlink(table, index);
        this.put(table, index, this.countOf(table, index));
      }
      this.link(table, index, hash, u8, start, noted);
    }
    const at = (table + TABLE_COUNTS_AT + index * 4) >> 1;
    f64[at] = f64[at]! + amount;
  }

  /** The entry starts with this count, all of it in doubt. */
  private put(table: number, index: number, count: number): void {
    const at = (table + TABLE_COUNTS_AT + index * 4) >> 1;
    this.f64[at] = count;
    this.f64[at + 1] = count;
  }

  private countOf(table: number, index: number): number {
    return this.f64[(table + TABLE_COUNTS_AT + index * 4) >> 1]!;
  }

  private errorOf(table: number, index: number): number {
    return this.f64[((table + TABLE_COUNTS_AT + index * 4) >> 1) + 1]!;
  }

  private leastOf(table: number, used: number): number {
    let least = 0;
    let amount = Number.POSITIVE_INFINITY;
    for (let index = 0; index < used; index++) {
      const count = this.countOf(table, index);
      if (count >= amount) continue;
      amount = count;
      least = index;
    }
    return least;
  }

  private find(table: number, hash: number, u8: Uint8Array, start: number, length: number): number {
    const { i32 } = this;
    let next = i32[table + (hash & (CHAINS - 1))]!;
    while (next !== 0) {
      const entry = table + TABLE_ENTRIES_AT + (next - 1) * ENTRY_WORDS;
      if (i32[entry + Entry.Hash] === hash && this.isKey(entry, u8, start, length)) return next - 1;
      next = i32[entry + Entry.Next]!;
    }
    return -1;
  }

  private isKey(entry: number, u8: Uint8Array, start: number, length: number): boolean {
    if (this.i32[entry + Entry.Length] !== length) return false;
    const bytesAt = (entry + Entry.Bytes) * 4;
    for (let at = 0; at < length; at++) {
      if (this.u8[bytesAt + at] !== u8[start + at]) return false;
    }
    return true;
  }

  private link(
    table: number,
    index: number,
    hash: number,
    u8: Uint8Array,
    start: number,
    length: number,
  ): void {
    const { i32 } = this;
    const entry = table + TABLE_ENTRIES_AT + index * ENTRY_WORDS;
    const head = table + (hash & (CHAINS - 1));
    i32[entry + Entry.Next] = i32[head]!;
    i32[entry + Entry.Hash] = hash;
    i32[entry + Entry.Length] = length;
    i32[head] = index + 1;
    const bytesAt = (entry + Entry.Bytes) * 4;
    for (let at = 0; at < length; at++) this.u8[bytesAt + at] = u8[start + at]!;
  }

  private unlink(table: number, index: number): void {
    const { i32 } = this;
    const gone = table + TABLE_ENTRIES_AT + index * ENTRY_WORDS;
    let at = table + (i32[gone + Entry.Hash]! & (CHAINS - 1));
    while (i32[at] !== index + 1) {
      assert(i32[at] !== 0, 'an entry stands in the chain of its hash');
      at = table + TABLE_ENTRIES_AT + (i32[at]! - 1) * ENTRY_WORDS + Entry.Next;
    }
    i32[at] = i32[gone + Entry.Next]!;
  }

  private regionOf(thread: number): number {
    return Head.Words + thread * REGION_WORDS;
  }

  private take(at: number): void {
    // A spin: a region is its own thread's but for the moments in which somebody reads it.
    while (Atomics.compareExchange(this.i32, at, 0, 1) !== 0);
  }

  private release(at: number): void {
    Atomics.store(this.i32, at, 0);
  }
}

/** The `count` largest, the largest first. */
function hottest(sums: ReadonlyMap<string, number>, count: number): HotKey[] {
  return [...sums]
    .map(([key, amount]) => ({ key, amount: Math.floor(amount) }))
    .filter(({ amount }) => amount > 0)
    .sort((a, b) => b.amount - a.amount)
    .slice(0, count);
}

assert(Head.Words % 2 === 0 && REGION_WORDS % 2 === 0, 'regions begin at an even word');
assert(TABLE_COUNTS_AT % 2 === 0, 'counts stand at even words');
