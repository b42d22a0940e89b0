// Moving the blocks of one partition together, for its owner, in steps: whatever refers to a block
// is met in one walk over the databases, and what stands in a sparse span moves (slab/moving.ts).
// The caller takes the partition's lock, calls, releases; no clock is read here.
//
// Between two steps the walk remembers nothing by its address but the roots of large values that
// wait for their turn, and looks whether an entry with the same hash still has that root: scan
// positions, ranks, IDs and places in lists mean something after any change.
//
// A partition that a snapshot walks is left alone until that is over, as Redis does while a child
// is saving: the job remembers large values by their words.

import { endEmptying } from '../slab/alloc.js';
import { limitsArray, move, moving, setLimits, useLimits } from '../slab/moving.js';
import { Header, NONE, type Slab } from '../slab/slab.js';
import { bucketAt, findInBucket, SCAN_END, TableRoot } from '../structs/table.js';
import { moveTable } from '../structs/table-move.js';
import { moveHashExpiries } from '../types/hash/expiries.js';
import { MovePlace } from '../types/kind.js';
import {
  Encoding,
  type EntryRef,
  encodingOf,
  hasExpiry,
  hashOfEntry,
  payloadHigh,
  payloadLow,
  setPayload,
  typeOf,
} from './entry.js';
import { ExpiryRoot, movedExpiry, moveExpiry } from './expire.js';
import type { Partition } from './partition.js';
import { isHeld } from './snapshot.js';
import { isStructured, kindOf, lengthOf } from './values.js';

/** How a step came out. */
export const enum Moved {
  /** There is more to do. */
  Some = 0,
  /** The walk is over: what was sparse is empty, or will be looked at in another walk. */
  All = 1,
  /** A snapshot walks through the partition: nothing was done. */
  Held = 2,
}

/** What the steps of this thread have met, since it began. */
export const defragCounts = {
  /** Blocks that were moved, and that were left where they are. */
  hits: 0,
  misses: 0,
  /** Keys of which something was moved, and nothing. */
  keyHits: 0,
  keyMisses: 0,
  /** Keys that were looked at. */
  scanned: 0,
};

const enum Stage {
  Begin = 0,
  Table = 1,
  Expiry = 2,
  FieldExpiry = 3,
  End = 4,
}

/** For what has to be done at once. */
const NO_END = 2 ** 30;
/** A walk is to win more than a thirty-second of the pages. */
const WORTH_SHIFT = 5;

/** A value of many elements that waits for its turn. */
interface LaterValue {
  readonly hash: number;
  readonly type: number;
  readonly encoding: Encoding;
  root: number;
  hasMoved: boolean;
}

const inlinePlace = new MovePlace();

// What moveEntry needs of the step that is going on: a closure each step would be garbage.
let fieldsMax = 0;
let queue: LaterValue[] = [];

/** One walk after the other through one partition. */
export class Defrag {
  private stage = Stage.Begin;
  private database = 0;
  private position = 0;
  /** The values that were too large for their bucket's step, and where the first of them is. */
  private later: LaterValue[] = [];
  private readonly place = new MovePlace();
  private readonly limits = limitsArray();
  private readonly worthShift: number;

  /** A walk is to win more than the pages in use shifted by `worthShift`. */
  constructor(worthShift = WORTH_SHIFT) {
    this.worthShift = worthShift;
  }

  /** Has a walk begun that is not over? */
  get isOn(): boolean {
    return this.stage !== Stage.Begin;
  }

  /**
   * Goes on for about `units` blocks (slab/moving.ts). A value of more than `scanFields` elements
   * is moved in several steps, any other in one.
   */
  step(partition: Partition, units: number, scanFields: number): Moved {
    const { slab } = partition;
    if (isHeld(slab)) return Moved.Held;
    partition.forget();
    moving.units = units;
    moving.hits = 0;
    moving.misses = 0;
    useLimits(this.limits);
    fieldsMax = scanFields;
    while (moving.units > 0 && !this.go(partition));
    defragCounts.hits += moving.hits;
    defragCounts.misses += moving.misses;
    // An entry that was found before may stand elsewhere now.
    partition.forget();
    return this.isOn ? Moved.Some : Moved.All;
  }

  /**
   * Gives up the walk: spans that were being emptied take blocks again. In steps; true when it is
   * done.
   */
  stop(partition: Partition, spans: number): boolean {
    this.later = [];
    if (!endEmptying(partition.slab, spans)) return false;
    this.stage = Stage.Begin;
    return true;
  }

  /** One thing more; true at the end of the walk. */
  private go(partition: Partition): boolean {
    const { slab } = partition;
    switch (this.stage) {
      case Stage.Begin:
        return !this.begin(slab);
      case Stage.Table:
        partition.select(this.database);
        if (this.later.length !== 0) this.goOnWithValue(partition);
        else this.goOnWithTable(partition);
        return false;
      case Stage.Expiry:
        partition.select(this.database);
        this.position = moveExpiry(slab, partition.expiryRoot, this.position);
        if (this.position === 0) this.nextDatabase(partition);
        return false;
      case Stage.FieldExpiry:
        this.position = moveHashExpiries(slab, this.position);
        if (this.position === 0) this.stage = Stage.End;
        return false;
      default: {
        // A span costs about as much as a block.
        const spans = moving.units;
        moving.units = 0;
        return this.stop(partition, spans);
      }
    }
  }

  /** False where a walk would hardly win anything. */
  private begin(slab: Slab): boolean {
    // Counting spans takes about as long as a step may.
    moving.units = 0;
    if (setLimits(slab, this.limits) <= slab.i32[Header.UsedPages]! >> this.worthShift)
      return false;
    useLimits(this.limits);
    this.later = [];
    this.place.begin();
    this.database = 0;
    this.position = 0;
    this.stage = Stage.Table;
    return true;
  }

  private nextDatabase(partition: Partition): void {
    const { databaseCount } = partition.keyspace;
    this.position = 0;
    this.stage = Stage.Table;
    do {
      this.database++;
      if (this.database === databaseCount) {
        this.stage = Stage.FieldExpiry;
        return;
      }
      partition.select(this.database);
    } while (isBare(partition));
  }

  private goOnWithTable(partition: Partition): void {
    queue = this.later;
    this.position = moveTable(partition.slab, partition.tableRoot, this.position, moveEntry);
    if (this.position < SCAN_END || this.later.length !== 0) return;
    this.position = 0;
    this.stage = Stage.Expiry;
  }

  /** A piece of the value that was met last. */
  private goOnWithValue(partition: Partition): void {
    const { slab } = partition;
    const value = this.later[this.later.length - 1]!;
    const hits = moving.hits;
    const entry = entryOf(partition, value);
    if (entry !== NONE) {
      const kind = kindOf(typeOf(slab, entry));
      const root = kind.move(slab, value.encoding, value.root, this.place);
      if (root !== value.root) setPayload(slab, entry, root, payloadHigh(slab, entry));
      value.root = root;
    }
    value.hasMoved ||= moving.hits !== hits;
    moving.units--;
    if (entry !== NONE && !this.place.isDone) return;
    countKey(value.hasMoved);
    this.later.pop();
    this.place.begin();
    // The last bucket of the table may have been it.
    if (this.later.length !== 0 || this.position < SCAN_END) return;
    this.position = 0;
    this.stage = Stage.Expiry;
  }
}

function isBare({ slab, tableRoot, expiryRoot }: Partition): boolean {
  const { i32 } = slab;
  return (
    i32[tableRoot + TableRoot.Directory] === NONE && i32[expiryRoot + ExpiryRoot.Wheel] === NONE
  );
}

function countKey(hasMoved: boolean): void {
  defragCounts.scanned++;
  if (hasMoved) defragCounts.keyHits++;
  else defragCounts.keyMisses++;
}

/** The entry of the selected database with this value, NONE when it is gone or another by now. */
function entryOf({ slab, tableRoot }: Partition, value: LaterValue): EntryRef {
  const bucket = bucketAt(slab, tableRoot, value.hash);
  if (bucket === 0) return NONE as EntryRef;
  const entry = findInBucket(slab, bucket, value.hash, hasRoot, slab.u8, value.root, 0) as EntryRef;
  if (entry === NONE) return entry;
  const isSame = typeOf(slab, entry) === value.type && encodingOf(slab, entry) === value.encoding;
  return isSame ? entry : (NONE as EntryRef);
}

/** In the place of a comparison of keys: is `root` what the entry hangs on? */
function hasRoot(slab: Slab, ref: number, _u8: Uint8Array, root: number): boolean {
  const entry = ref as EntryRef;
  if (!isStructured(slab, entry) || encodingOf(slab, entry) === Encoding.Inside) return false;
  return payloadLow(slab, entry) === root;
}

/** An entry and what hangs on it, unless that is large: then it waits for its turn. */
function moveEntry(slab: Slab, ref: number): number {
  const hits = moving.hits;
  const entry = move(slab, ref) as EntryRef;
  if (entry !== ref && hasExpiry(slab, entry)) movedExpiry(slab, entry);
  const encoding = encodingOf(slab, entry);
  if (encoding === Encoding.Blob) {
    setPayload(slab, entry, move(slab, payloadLow(slab, entry)), payloadHigh(slab, entry));
  } else if (isStructured(slab, entry) && encoding !== Encoding.Inside) {
    if (lengthOf(slab, entry) > fieldsMax) {
      queue.push({
        hash: hashOfEntry(slab, entry),
        type: typeOf(slab, entry),
        encoding,
        root: payloadLow(slab, entry),
        hasMoved: moving.hits !== hits,
      });
      return entry;
    }
    moveValue(slab, entry, encoding);
  }
  countKey(moving.hits !== hits);
  return entry;
}

/** All of a value that is not large. */
function moveValue(slab: Slab, entry: EntryRef, encoding: Encoding): void {
  const { units } = moving;
  moving.units = NO_END;
  const root = payloadLow(slab, entry);
  const kind = kindOf(typeOf(slab, entry));
  const moved = kind.move(slab, encoding, root, inlinePlace.begin());
  moving.units += units - NO_END;
  if (moved !== root) setPayload(slab, entry, moved, payloadHigh(slab, entry));
}
