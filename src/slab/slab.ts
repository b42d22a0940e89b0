// A slab: the memory of one partition, a SharedArrayBuffer of at most 2 GiB that every thread which
// executes commands has attached. It is reserved once and never moves or grows, so views on it are
// taken once per thread. Offsets are in granules of 8 bytes; granule 0 belongs to the header, so 0
// can mean "nothing" everywhere.
//
//    page 0 …                                                            …
//   ┌─────────────────┬──────────────────────────┬───────────────────────┬──────── …
//   │ header          │ page descriptors, 16 B a │ pages of size classes │ large
//   │ (Header, words) │ page of the slab         │                       │ runs
//   └─────────────────┴──────────────────────────┴───────────────────────┴──────── …
//
// Who writes what: the words of the lock line are written by any thread, by the rules of lock.ts;
// every other word only by the thread that holds the lock. Readers without the lock (INFO, DBSIZE)
// use Atomics.load on single counters and may see a value that is a moment old.

import { assert } from '../base/assert.js';
import { withView } from '../base/bytes.js';

/** Bytes in a granule, the unit of refs. */
export const GRANULE_BYTES = 8;
export const GRANULE_SHIFT = 3;

/** Every byte offset must stay a small integer in V8: 2^31. */
export const SLAB_BYTES_MAX = 2 ** 31;

/** Below this a partition could not hold its header and a handful of runs. */
export const SLAB_BYTES_MIN = 2 ** 20;

/** A granule index in a slab; 0 is NONE. Branded by what stands there. */
export type Ref<Kind extends string> = number & { readonly ref: Kind };

/** No block, no entry, no bucket. */
export const NONE = 0;

// The header, in words of 4 bytes; a line is a cache line of 16 words.
export const enum Header {
  Magic = 1,
  PageCount = Magic + 1,
  FirstPage = PageCount + 1,
  DescriptorsAt = FirstPage + 1,
  DatabaseCount = DescriptorsAt + 1,
  // The lock's own line, see lock.ts.
  Lock = 16,
  // What settle and the doors look at after and before a change: one line, read by every write.
  Listeners = Lock + 16,
  Epoch = Listeners + 1,
  SavedFirst = Epoch + 1,
  WaitedKeys = SavedFirst + 1,
  LazyFreed = WaitedKeys + 1,
  Splits = LazyFreed + 1,
  // Databases that a snapshot has yet to walk through: those of the keyspace, and a list of those
  // that were emptied meanwhile. See keyspace/snapshot.ts.
  WalkedRoots = Splits + 1,
  LeftRoots = WalkedRoots + 1,
  // Allocator.
  UsedGranules = Listeners + 16,
  UsedPages = UsedGranules + 1,
  DirtyPages = UsedPages + 1,
  HighPage = DirtyPages + 1,
  LevelMap = HighPage + 1,
  PurgedPages = LevelMap + 1,
  PeakGranules = PurgedPages + 1,
  // Head of the list of spans that are being emptied: nothing is allocated in them.
  EmptiedSpans = PeakGranules + 1,
  // One bitmap of second-level bins for each first level (20 levels: 2^19 pages in 2 GiB).
  BinMaps = UsedGranules + 16,
  // Heads of the bins of free runs: 20 levels × 4.
  Bins = BinMaps + 32,
  // Their last runs: clean ones stand behind dirty ones.
  BinTails = Bins + 80,
  // Heads of the lists of pages with room, one per size class.
  ClassHeads = BinTails + 80,
  // Background work of the owner: lists of what is detached, see keyspace/detached.ts, how many
  // keys had it, and where upkeep stopped.
  Detached = ClassHeads + 64,
  UpkeepDatabase = Detached + 1,
  UpkeepSegment = UpkeepDatabase + 1,
  DetachedValues = UpkeepSegment + 1,
  LazyPending = DetachedValues + 1,
  // A heap of the hashes that have fields with an expiry, see types/hash/expiries.ts: two words.
  HashExpiries = LazyPending + 1,
  // Large values that a snapshot has yet to walk through, a list of those whose keys are gone, and
  // about how much memory these take: see keyspace/detached.ts.
  WalkedValues = HashExpiries + 2,
  LeftValues = WalkedValues + 1,
  LeftUnits = LeftValues + 1,
  // Databases: DatabaseCount roots, see keyspace/partition.ts.
  Databases = Detached + 16,
}

/** Words of one database root. */
export const DATABASE_WORDS = 16;

const MAGIC = 0x57a6f14d;

export class Slab {
  /** Number of the partition this slab belongs to. */
  readonly index: number;
  readonly buffer: SharedArrayBuffer;
  readonly u8: Uint8Array;
  readonly i32: Int32Array;
  /** Any word index, masked with this, lies in the slab: for reads that are only hints. */
  readonly wordMask: number;

  /**
   * `start` is where in the buffer the slab begins: the system hands out memory 16 bytes behind a
   * page boundary, and a slab wants to begin at one (alignedStart), for cache lines and for
   * madvise.
   */
  constructor(index: number, buffer: SharedArrayBuffer, start = 0) {
    this.index = index;
    this.buffer = buffer;
    const bytes = Math.min(SLAB_BYTES_MAX, buffer.byteLength - start);
    this.u8 = withView(new Uint8Array(buffer, start, bytes));
    this.i32 = new Int32Array(buffer, start, bytes >>> 2);
    this.wordMask = 2 ** Math.floor(Math.log2(bytes >>> 2)) - 1;
  }

  get bytes(): number {
    return this.u8.length;
  }
}

/** Stamps a fresh slab, once, before any other thread attaches it. */
export function formatHeader(slab: Slab, databaseCount: number): void {
  const { i32 } = slab;
  assert(i32[Header.Magic] === 0, 'a slab is formatted once');
  i32[Header.Magic] = MAGIC;
  i32[Header.DatabaseCount] = databaseCount;
}

export function isFormatted(slab: Slab): boolean {
  return slab.i32[Header.Magic] === MAGIC;
}

/**
 * A counter of the header or of a root, for readers that do not hold the lock: loaded atomically,
 * so that it may be a moment old but is never torn.
 */
export function counterOf(slab: Slab, at: number): number {
  return Atomics.load(slab.i32, at);
}

/** Bytes in use by blocks and runs; may be read without the lock. */
export function usedBytesOf(slab: Slab): number {
  // A plain counter, loaded atomically so that a reader without the lock never sees a torn value.
  return Atomics.load(slab.i32, Header.UsedGranules) * GRANULE_BYTES;
}
