// Which channels and patterns have subscribers, and how many on each thread: shared by all threads,
// so that PUBLISH knows its receivers and their threads without asking anybody.
//
//   words:  │ lock, 16 words │ Line: version, counts, first pattern │ buckets: first record │
//
//   record, a block of the records' slab; its ref is the number that threads know it by
//   ┌──────┬──────┬──────┬──────┬───────┬───────────────┬───────────────────────┬───────────────┐
//   │ next │ hash │ kind │ name │ total │ next, previous│ subscribers of thread │ bytes of the  │
//   │      │      │      │ bytes│       │ of all patterns│ 0, 1, …              │ name          │
//   └──────┴──────┴──────┴──────┴───────┴───────────────┴───────────────────────┴───────────────┘
//
// Who writes what, and what orders it
// - Writers hold the lock. It is the last in the order of all locks: it may be taken while
//   partitions' locks are held, nothing is taken or posted while it is held, and it is held for one
//   change or for one walk.
// - Readers hold nothing. The version is odd while a writer changes anything, and two higher
//   afterwards: a reader that finds it even and the same before and after has read one state. What
//   it reads meanwhile may be nonsense, so every index is masked and every walk is bounded.
// - Words that readers follow are stored and loaded by Atomics, which keep their order on every
//   machine. A name's bytes are written before its record is linked and never changed.
// - The version is the time of this registry. A subscription remembers the version it began with
//   and a message the version at which its receivers were counted: it is for those subscriptions
//   that are not younger. So a message that was on its way reaches nobody who subscribed after it
//   was published, nor the subscribers of another channel whose record has got the same number.

import { assert } from '../base/assert.js';
import { copyBytes, equalBytes, withView } from '../base/bytes.js';
import { hashBytes } from '../base/hash.js';
import { allocate, type BlockRef, formatSlab, release, reserve } from '../slab/alloc.js';
import { type Holder, holderOf, LOCK_WORDS, releaseLock, takeLock } from '../slab/lock.js';
import { NONE, Slab } from '../slab/slab.js';

/** What a name in the registry stands for. */
export const enum Kind {
  Channel = 0,
  Shard = 1,
  Pattern = 2,
  Count = 3,
}

/** The number of a channel or pattern while it has subscribers anywhere; 0 is none. */
export type RecordId = number & { readonly __brand: 'pub/sub record' };

const enum Line {
  Version = 0,
  VersionHigh = 1,
  /** Counts changes of patterns: whoever keeps a copy of them looks at it. */
  PatternVersion = 2,
  FirstPattern = 3,
  /** Names of each kind. */
  Counts = 4,
  Words = 16,
}

const enum Word {
  Next = 0,
  Hash = Next + 1,
  Kind = Hash + 1,
  Bytes = Kind + 1,
  Total = Bytes + 1,
  NextPattern = Total + 1,
  PreviousPattern = NextPattern + 1,
  Targets = PreviousPattern + 1,
}

/** A million channels stand four to a bucket; untouched, they are address space only. */
const BUCKETS = 2 ** 18;
const LINE_AT: number = LOCK_WORDS;
const BUCKETS_AT = LINE_AT + Line.Words;
/** Some two million channels with short names; only address space until then. */
const RECORD_BYTES = 256 * 1024 * 1024;
/** Longer chains are nonsense that a reader met in the middle of a change, or it takes the lock. */
const STEPS_MAX = 256;
/** After so many changes in the middle of its look a reader takes the lock. */
const LOOKS_MAX = 32;
/** Longer names are looked up each time. */
const LOOKED_BYTES = 64;
const TWO_32 = 2 ** 32;
const KIND_SALT = 0x9e3779b9;

/** Everything a thread needs to use the registry; plain, so that it can be sent to one. */
export interface RegistryShape {
  readonly words: SharedArrayBuffer;
  readonly records: SharedArrayBuffer;
  readonly threadCount: number;
}

/** Allocates the registry. Called once, before the threads start. */
export function createRegistry(threadCount: number, recordBytes = RECORD_BYTES): RegistryShape {
  const records = new SharedArrayBuffer(recordBytes);
  formatSlab(new Slab(0, records), 0);
  const words = new SharedArrayBuffer((BUCKETS_AT + BUCKETS) * 4);
  return { words, records, threadCount };
}

/** A pattern as it is at one version. */
export interface PatternFacts {
  readonly id: RecordId;
  readonly bytes: Uint8Array;
  readonly total: number;
  /** Subscribers on each thread. */
  readonly targets: Int32Array;
}

export class Registry {
  readonly threadCount: number;
  /** What the last `look` has found: the record, or 0. */
  id = NONE as RecordId;
  total = 0;
  /** The version that the last look, add or remove stands for. */
  version = 0;
  patternVersion = 0;
  /** Subscribers on each thread of what the last look has found. */
  readonly targets: Int32Array;
  private readonly words: Int32Array;
  private readonly slab: Slab;
  private readonly thread: number;
  private readonly self: Holder;
  /** The name that was looked up last, and Line.Version then: whoever publishes does so again. */
  private readonly looked = withView(new Uint8Array(new ArrayBuffer(LOOKED_BYTES)));
  private lookedBytes = -1;
  private lookedKind: Kind = Kind.Channel;
  private lookedVersion = 0;

  constructor(shape: RegistryShape, thread: number) {
    this.threadCount = shape.threadCount;
    this.targets = new Int32Array(shape.threadCount);
    this.words = new Int32Array(shape.words);
    this.slab = new Slab(0, shape.records);
    this.thread = thread;
    this.self = holderOf(thread);
  }

  // ---- readers --------------------------------------------------------------------------------

  /** Looks the name u8[start, start + length) up: see id, total, targets and the versions. */
  look(kind: Kind, u8: Uint8Array, start: number, length: number): void {
    const { words, looked } = this;
    // Nobody has changed anything since: what was found is still so.
    const isSame =
      length === this.lookedBytes &&
      kind === this.lookedKind &&
      equalBytes(u8, start, looked, 0, length) &&
      Atomics.load(words, LINE_AT + Line.Version) === this.lookedVersion;
    if (isSame) return;
    this.lookedBytes = -1;
    const hash = hashOf(kind, u8, start, length);
    for (let looks = 0; looks < LOOKS_MAX; looks++) {
      // Before everything that is read below, and after what the last writer has stored.
      const before = Atomics.load(words, LINE_AT + Line.Version);
      if ((before & 1) !== 0) continue;
      const isWhole = this.read(kind, hash, u8, start, length);
      // After everything that was read above: the same number means that nobody wrote meanwhile.
      if (isWhole && Atomics.load(words, LINE_AT + Line.Version) === before) {
        if (length > LOOKED_BYTES) return;
        copyBytes(u8, start, looked, 0, length);
        this.lookedBytes = length;
        this.lookedKind = kind;
        this.lookedVersion = before;
        return;
      }
    }
    this.take();
    // Under the lock chains are whole, however long.
    this.read(kind, hash, u8, start, length, Number.POSITIVE_INFINITY);
    this.give();
  }

  /** False when it got lost. */
  private read(
    kind: Kind,
    hash: number,
    u8: Uint8Array,
    start: number,
    length: number,
    stepsMax: number = STEPS_MAX,
  ): boolean {
    const { words, slab, targets } = this;
    const { i32, wordMask } = slab;
    const low = Atomics.load(words, LINE_AT + Line.Version) >>> 0;
    this.version = Atomics.load(words, LINE_AT + Line.VersionHigh) * TWO_32 + low;
    this.patternVersion = Atomics.load(words, LINE_AT + Line.PatternVersion);
    this.id = NONE as RecordId;
    this.total = 0;
    let ref = Atomics.load(words, bucketOf(hash));
    // `ref` may be nonsense, but never outside of the slab.
    for (let steps = 0; ref !== NONE; steps++) {
      if (steps >= stepsMax) return false;
      const at = (ref << 1) & wordMask;
      if (at + Word.Targets + targets.length > i32.length) return false;
      if (isNamed(slab, at, kind, hash, u8, start, length, this.threadCount)) {
        this.id = ref as RecordId;
        this.total = Atomics.load(i32, at + Word.Total);
        for (let thread = 0; thread < targets.length; thread++) {
          targets[thread] = Atomics.load(i32, at + Word.Targets + thread);
        }
        return true;
      }
      ref = Atomics.load(i32, at + Word.Next);
    }
    return true;
  }

  /** Subscribers of a name, on all threads. */
  countOf(kind: Kind, u8: Uint8Array, start: number, length: number): number {
    this.look(kind, u8, start, length);
    return this.total;
  }

  /** Names of a kind that have subscribers. */
  nameCount(kind: Kind): number {
    return Atomics.load(this.words, LINE_AT + Line.Counts + kind);
  }

  /** What `patternVersion` would be now: has anything changed since a copy was made? */
  readPatternVersion(): number {
    return Atomics.load(this.words, LINE_AT + Line.PatternVersion);
  }

  /** All names of a kind. Cold. */
  names(kind: Kind): Uint8Array[] {
    const { words, slab } = this;
    const names: Uint8Array[] = [];
    this.take();
    for (let bucket = BUCKETS_AT; bucket < BUCKETS_AT + BUCKETS; bucket++) {
      for (let ref = words[bucket]!; ref !== NONE; ref = slab.i32[(ref << 1) + Word.Next]!) {
        if (slab.i32[(ref << 1) + Word.Kind] === kind) names.push(this.nameOf(ref));
      }
    }
    this.give();
    return names;
  }

  /** All patterns; `patternVersion` is theirs afterwards. */
  patterns(): PatternFacts[] {
    const { words, slab, threadCount } = this;
    const { i32 } = slab;
    const patterns: PatternFacts[] = [];
    this.take();
    this.patternVersion = words[LINE_AT + Line.PatternVersion]!;
    let ref = words[LINE_AT + Line.FirstPattern]!;
    while (ref !== NONE) {
      const at = ref << 1;
      const targets = i32.slice(at + Word.Targets, at + Word.Targets + threadCount);
      const total = i32[at + Word.Total]!;
      patterns.push({ id: ref as RecordId, bytes: this.nameOf(ref), total, targets });
      ref = i32[at + Word.NextPattern]!;
    }
    this.give();
    return patterns;
  }

  private nameOf(ref: number): Uint8Array {
    const start = nameStart(ref << 1, this.threadCount);
    const length = this.slab.i32[(ref << 1) + Word.Bytes]!;
    return new Uint8Array(this.slab.u8.slice(start, start + length));
  }

  // ---- writers --------------------------------------------------------------------------------

  /**
   * One more subscriber of this thread. Returns the record's number, 0 when there is no memory;
   * `version` is what the subscription begins with.
   */
  add(kind: Kind, u8: Uint8Array, start: number, length: number): RecordId {
    const hash = hashOf(kind, u8, start, length);
    this.take();
    let ref = this.find(kind, hash, u8, start, length);
    const isNew = ref === NONE;
    if (isNew) ref = this.allocateRecord(kind, hash, u8, start, length);
    if (ref !== NONE) {
      this.beginChange();
      if (isNew) this.link(ref, kind, hash);
      this.count(ref, 1);
      this.endChange();
    }
    this.give();
    return ref as RecordId;
  }

  /** One less subscriber of this thread; the last of all takes the record with it. */
  remove(id: RecordId): void {
    const { i32 } = this.slab;
    this.take();
    this.beginChange();
    this.count(id, -1);
    const isLast = i32[(id << 1) + Word.Total] === 0;
    if (isLast) this.unlink(id);
    this.endChange();
    // Behind the change: readers that are still on the record see that the version has moved.
    if (isLast) release(this.slab, id as number as BlockRef);
    this.give();
  }

  private find(kind: Kind, hash: number, u8: Uint8Array, start: number, length: number): number {
    const { words, slab, threadCount } = this;
    let ref = words[bucketOf(hash)]!;
    while (ref !== NONE) {
      if (isNamed(slab, ref << 1, kind, hash, u8, start, length, threadCount)) return ref;
      ref = slab.i32[(ref << 1) + Word.Next]!;
    }
    return NONE;
  }

  private allocateRecord(
    kind: Kind,
    hash: number,
    u8: Uint8Array,
    start: number,
    length: number,
  ): number {
    const { slab, threadCount } = this;
    const { i32 } = slab;
    const bytes = (Word.Targets + threadCount) * 4 + length;
    if (!reserve(slab, bytes)) return NONE;
    const ref = allocate(slab, bytes);
    const at = ref << 1;
    i32.fill(0, at, at + Word.Targets + threadCount);
    i32[at + Word.Hash] = hash;
    i32[at + Word.Kind] = kind;
    i32[at + Word.Bytes] = length;
    copyBytes(u8, start, slab.u8, nameStart(at, threadCount), length);
    return ref;
  }

  /** Atomic stores: readers follow these words, and find the whole record behind them. */
  private link(ref: number, kind: Kind, hash: number): void {
    const { words, slab } = this;
    const { i32 } = slab;
    const bucket = bucketOf(hash);
    Atomics.store(i32, (ref << 1) + Word.Next, words[bucket]!);
    Atomics.store(words, bucket, ref);
    Atomics.add(words, LINE_AT + Line.Counts + kind, 1);
    if (kind !== Kind.Pattern) return;
    const first = words[LINE_AT + Line.FirstPattern]!;
    i32[(ref << 1) + Word.NextPattern] = first;
    if (first !== NONE) i32[(first << 1) + Word.PreviousPattern] = ref;
    words[LINE_AT + Line.FirstPattern] = ref;
  }

  private unlink(ref: number): void {
    const { words, slab } = this;
    const { i32 } = slab;
    const at = ref << 1;
    const next = i32[at + Word.Next]!;
    const bucket = bucketOf(i32[at + Word.Hash]!);
    let before = words[bucket]!;
    if (before === ref) {
      Atomics.store(words, bucket, next);
    } else {
      while (i32[(before << 1) + Word.Next] !== ref) before = i32[(before << 1) + Word.Next]!;
      Atomics.store(i32, (before << 1) + Word.Next, next);
    }
    const kind = i32[at + Word.Kind] as Kind;
    Atomics.sub(words, LINE_AT + Line.Counts + kind, 1);
    if (kind !== Kind.Pattern) return;
    const nextPattern = i32[at + Word.NextPattern]!;
    const previous = i32[at + Word.PreviousPattern]!;
    if (nextPattern !== NONE) i32[(nextPattern << 1) + Word.PreviousPattern] = previous;
    if (previous === NONE) words[LINE_AT + Line.FirstPattern] = nextPattern;
    else i32[(previous << 1) + Word.NextPattern] = nextPattern;
  }

  private count(ref: number, change: number): void {
    const { words, slab, thread } = this;
    const { i32 } = slab;
    const at = ref << 1;
    const own = at + Word.Targets + thread;
    assert(i32[own]! + change >= 0, 'a thread takes back its own subscriptions only');
    Atomics.store(i32, own, i32[own]! + change);
    Atomics.store(i32, at + Word.Total, i32[at + Word.Total]! + change);
    if (i32[at + Word.Kind] === Kind.Pattern) Atomics.add(words, LINE_AT + Line.PatternVersion, 1);
  }

  private beginChange(): void {
    // Odd before the first store of the change: a reader that saw any of it sees that.
    Atomics.add(this.words, LINE_AT + Line.Version, 1);
  }

  private endChange(): void {
    const { words } = this;
    const low = (words[LINE_AT + Line.Version]! + 1) | 0;
    if (low === 0) Atomics.add(words, LINE_AT + Line.VersionHigh, 1);
    // Even again, behind all stores of the change.
    Atomics.store(words, LINE_AT + Line.Version, low);
    this.version = words[LINE_AT + Line.VersionHigh]! * TWO_32 + (low >>> 0);
  }

  /** The version now: for what happens without a look. */
  readVersion(): number {
    const { words } = this;
    for (;;) {
      const high = Atomics.load(words, LINE_AT + Line.VersionHigh);
      const low = Atomics.load(words, LINE_AT + Line.Version);
      // In the middle of a change: what it adds is younger than what happens now.
      if (Atomics.load(words, LINE_AT + Line.VersionHigh) === high) {
        return high * TWO_32 + ((low & ~1) >>> 0);
      }
    }
  }

  private take(): void {
    takeLock(this.words, 0, this.self);
  }

  private give(): void {
    releaseLock(this.words, 0);
  }
}

function hashOf(kind: Kind, u8: Uint8Array, start: number, length: number): number {
  return hashBytes(u8, start, length) ^ Math.imul(kind, KIND_SALT);
}

function bucketOf(hash: number): number {
  return BUCKETS_AT + (hash & (BUCKETS - 1));
}

function nameStart(at: number, threadCount: number): number {
  return (at + Word.Targets + threadCount) << 2;
}

/** Has the record whose words begin at `at` this name? A reader may ask it of nonsense. */
function isNamed(
  slab: Slab,
  at: number,
  kind: Kind,
  hash: number,
  u8: Uint8Array,
  start: number,
  length: number,
  threadCount: number,
): boolean {
  const { i32 } = slab;
  if (Atomics.load(i32, at + Word.Hash) !== hash) return false;
  if (Atomics.load(i32, at + Word.Kind) !== kind) return false;
  if (Atomics.load(i32, at + Word.Bytes) !== length) return false;
  const nameAt = nameStart(at, threadCount);
  if (nameAt + length > slab.u8.length) return false;
  return equalBytes(slab.u8, nameAt, u8, start, length);
}

/** Walks everything and throws at the first contradiction. Nobody may write meanwhile. */
export function checkRegistry(shape: RegistryShape): void {
  const words = new Int32Array(shape.words);
  const slab = new Slab(0, shape.records);
  const counts = new Int32Array(Kind.Count);
  assert((words[LINE_AT + Line.Version]! & 1) === 0, 'nobody is changing the registry');
  for (let bucket = BUCKETS_AT; bucket < BUCKETS_AT + BUCKETS; bucket++) {
    for (let ref = words[bucket]!; ref !== NONE; ref = slab.i32[(ref << 1) + Word.Next]!) {
      checkRecord(slab, ref, bucket, shape.threadCount);
      const kind = slab.i32[(ref << 1) + Word.Kind]!;
      counts[kind] = counts[kind]! + 1;
    }
  }
  for (let kind = 0; kind < Kind.Count; kind++) {
    assert(words[LINE_AT + Line.Counts + kind] === counts[kind], 'names are counted by kind');
  }
  let patterns = 0;
  let previous = NONE;
  let ref = words[LINE_AT + Line.FirstPattern]!;
  while (ref !== NONE) {
    const at = ref << 1;
    assert(slab.i32[at + Word.Kind] === Kind.Pattern, 'the list of patterns holds patterns');
    assert(slab.i32[at + Word.PreviousPattern] === previous, 'the list is linked both ways');
    previous = ref;
    ref = slab.i32[at + Word.NextPattern]!;
    assert(++patterns <= counts[Kind.Pattern]!, 'the list of patterns ends');
  }
  assert(patterns === counts[Kind.Pattern], 'every pattern is in the list');
}

function checkRecord(slab: Slab, ref: number, bucket: number, threadCount: number): void {
  const { i32, u8 } = slab;
  const at = ref << 1;
  const kind = i32[at + Word.Kind]!;
  assert(kind >= 0 && kind < Kind.Count, 'a record has a kind');
  const hash = hashOf(kind, u8, nameStart(at, threadCount), i32[at + Word.Bytes]!);
  assert(i32[at + Word.Hash] === hash, 'a record knows the hash of its name');
  assert(bucketOf(hash) === bucket, 'a record stands in its bucket');
  let sum = 0;
  for (let thread = 0; thread < threadCount; thread++) {
    assert(i32[at + Word.Targets + thread]! >= 0, 'no thread has fewer than no subscribers');
    sum += i32[at + Word.Targets + thread]!;
  }
  assert(sum === i32[at + Word.Total] && sum > 0, 'a record has subscribers and their sum');
}
