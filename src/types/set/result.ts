// The result of a set operation, before it is answered or stored: where its members stand in the
// sets they come from, not their bytes. The sets must not change meanwhile.
//
//   one member
//   ┌────────┬─────────────────────┬─────────────────┬──────┐
//   │ source │ byte offset, or low │ length, or high │ hash │
//   └────────┴─────────────────────┴─────────────────┴──────┘
//    index of the set; −1: an int64; −2: taken out again

import { digitsOfInt64 } from '../../base/ascii.js';
import { equalBytes } from '../../base/bytes.js';
import { type BlockRef, PAGE_BYTES, SMALL_BYTES_MAX } from '../../slab/alloc.js';
import { NONE, type Slab } from '../../slab/slab.js';
import { createIntegers, integersAdd, integersReserve } from '../../structs/integers.js';
import { createPacked, packedAppend, packedReserve, tightenPacked } from '../../structs/packed.js';
import { expectEntries } from '../../structs/table.js';
import { Encoding } from '../kind.js';
import { thresholds } from '../thresholds.js';
import { memberReserve } from './member.js';
import {
  createTable,
  insertInteger,
  insertNew,
  integersMax,
  integerText,
  type SetValue,
  SPANS_BYTES,
  TABLE_BYTES,
  writeIntegerText,
} from './value.js';
import type { SetWalk } from './walk.js';

const enum Row {
  Source = 0,
  At = 1,
  Low = At,
  Length = 2,
  High = Length,
  Hash = 3,
  Words = 4,
}

const INTEGER = -1;
const GONE = -2;
const ROWS_AT_START = 256;
const ROWS_KEPT = 16 * 1024;
/** Places of the index for each row: it is never more than half full. */
const INDEX_SHARE = 2;
/** Results of so many bytes may hold members of all sizes. */
const VARIED_BYTES = 16 * 1024;

/** Which encoding a set has after all that is added to it, by Redis's rules. */
class EncodingRule {
  encoding: Encoding = Encoding.Integers;
  private count = 0;
  private integerBytesMax = 0;

  begin(encoding: Encoding): void {
    this.encoding = encoding;
    this.count = 0;
    this.integerBytesMax = 0;
  }

  add(isInteger: boolean, length: number): void {
    const { setMaxListpackEntries, setMaxListpackValue } = thresholds;
    switch (this.encoding) {
      case Encoding.Table:
        return;
      case Encoding.Integers:
        if (isInteger) {
          if (length > this.integerBytesMax) this.integerBytesMax = length;
          if (++this.count > integersMax()) this.encoding = Encoding.Table;
          return;
        }
        this.encoding =
          this.integerBytesMax <= setMaxListpackValue ? Encoding.Packed : Encoding.Table;
        break;
      default:
        break;
    }
    if (this.count >= setMaxListpackEntries || length > setMaxListpackValue) {
      this.encoding = Encoding.Table;
    }
    this.count++;
  }
}

/** Reused by all operations of a thread. */
export class SetResult {
  /** Members in the result. */
  count = 0;
  /** Nobody asks which members they are: `add` counts them alone. */
  countsOnly = false;
  // The member that the last next() has come to.
  isInteger = false;
  low = 0;
  high = 0;
  u8: Uint8Array = integerText;
  start = 0;
  length = 0;
  /** The sets that `add` knows by number. */
  private readonly sources: readonly SetValue[];
  private readonly rule = new EncodingRule();
  private isAllIntegers = true;
  private textBytes = 0;
  private largeCount = 0;
  private rows = new Int32Array(ROWS_AT_START * Row.Words);
  private rowCount = 0;
  private position = 0;
  /** Row numbers + 1 by hash, open addressing; for results that may meet members twice. */
  private index = new Int32Array(ROWS_AT_START * INDEX_SHARE);

  constructor(sources: readonly SetValue[]) {
    this.sources = sources;
  }

  /** Starts an empty result, which Redis would collect in a set of this encoding. */
  begin(encoding: Encoding): void {
    if (this.rowCount !== 0) this.index.fill(0);
    this.count = 0;
    this.rowCount = 0;
    this.position = 0;
    this.textBytes = 0;
    this.largeCount = 0;
    this.isAllIntegers = true;
    this.rule.begin(encoding);
  }

  /** Gives back the memory that a large result took. */
  end(): void {
    if (this.rowCount <= ROWS_KEPT) return;
    this.rows = new Int32Array(ROWS_AT_START * Row.Words);
    this.index = new Int32Array(ROWS_AT_START * INDEX_SHARE);
    this.rowCount = 0;
  }

  /** Adds the member of set `source` where `walk` stands; it is not in the result yet. */
  add(walk: SetWalk, source: number): void {
    if (this.countsOnly) this.count++;
    else this.put(walk, source, 0);
  }

  /** As add, for results in which members are looked for. Nothing happens when it is there. */
  addOnce(walk: SetWalk, source: number): void {
    walk.asInteger();
    const hash = walk.hashOfText();
    if (this.rowOf(walk, hash) !== -1) return;
    this.put(walk, source, hash);
    if (this.rowCount * INDEX_SHARE > this.index.length) this.growIndex();
    else this.enter(this.rowCount - 1, hash);
  }

  /** Takes the member where `walk` stands out again, if it is in the result. */
  remove(walk: SetWalk): void {
    walk.asInteger();
    const row = this.rowOf(walk, walk.hashOfText());
    if (row === -1) return;
    this.rows[row * Row.Words + Row.Source] = GONE;
    this.count--;
  }

  private put(walk: SetWalk, source: number, hash: number): void {
    const at = this.rowCount++ * Row.Words;
    if (at === this.rows.length) this.growRows();
    const { rows, rule } = this;
    this.count++;
    // A text that is an integer counts as one, as long as that matters.
    if (this.isAllIntegers || rule.encoding === Encoding.Integers) walk.asInteger();
    let length = walk.length;
    if (walk.isInteger) {
      rows[at + Row.Source] = INTEGER;
      rows[at + Row.Low] = walk.low;
      rows[at + Row.High] = walk.high;
      length = digitsOfInt64(walk.low, walk.high);
    } else {
      this.isAllIntegers = false;
      rows[at + Row.Source] = source;
      rows[at + Row.At] = walk.start;
      rows[at + Row.Length] = length;
    }
    rows[at + Row.Hash] = hash;
    this.textBytes += length;
    if (length >= SMALL_BYTES_MAX) this.largeCount++;
    rule.add(walk.isInteger, length);
  }

  private growRows(): void {
    const grown = new Int32Array(this.rows.length * 2);
    grown.set(this.rows);
    this.rows = grown;
  }

  /** The row with the member where `walk` stands, or −1. */
  private rowOf(walk: SetWalk, hash: number): number {
    const { rows, index } = this;
    const mask = index.length - 1;
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const row = index[place]! - 1;
      if (row === -1) return -1;
      const at = row * Row.Words;
      if (rows[at + Row.Hash] === hash && this.isAt(walk, at)) return row;
    }
  }

  private isAt(walk: SetWalk, at: number): boolean {
    const { rows } = this;
    const source = rows[at + Row.Source]!;
    if (source === GONE || walk.isInteger !== (source === INTEGER)) return false;
    if (walk.isInteger) {
      return rows[at + Row.Low] === walk.low && rows[at + Row.High] === walk.high;
    }
    const { u8, start, length } = walk;
    if (rows[at + Row.Length] !== length) return false;
    return equalBytes(this.sources[source]!.slab.u8, rows[at + Row.At]!, u8, start, length);
  }

  private enter(row: number, hash: number): void {
    const { index } = this;
    const mask = index.length - 1;
    let place = hash & mask;
    while (index[place] !== 0) place = (place + 1) & mask;
    index[place] = row + 1;
  }

  private growIndex(): void {
    this.index = new Int32Array(this.index.length * 2);
    for (let row = 0; row < this.rowCount; row++) {
      this.enter(row, this.rows[row * Row.Words + Row.Hash]!);
    }
  }

  /** To the first member, or the next; false when there is none. */
  next(): boolean {
    const { rows } = this;
    while (this.position < this.rowCount) {
      const at = this.position++ * Row.Words;
      const source = rows[at + Row.Source]!;
      if (source === GONE) continue;
      this.isInteger = source === INTEGER;
      if (this.isInteger) {
        this.low = rows[at + Row.Low]!;
        this.high = rows[at + Row.High]!;
      } else {
        this.u8 = this.sources[source]!.slab.u8;
        this.start = rows[at + Row.At]!;
        this.length = rows[at + Row.Length]!;
      }
      return true;
    }
    return false;
  }

  // ── Storing ────────────────────────────────────────────────────────────────────────────────

  /**
   * The encoding in which Redis stores the result; some operations look at the end whether all of
   * it are integers.
   */
  storedEncoding(looksForIntegers: boolean): Encoding {
    const isFit = looksForIntegers && this.isAllIntegers && this.count <= integersMax();
    return isFit ? Encoding.Integers : this.rule.encoding;
  }

  /** Bytes that `store` allocates at the most. */
  storeReserve(slab: Slab, encoding: Encoding): number {
    const { count, textBytes } = this;
    if (encoding === Encoding.Integers) return integersReserve(slab, NONE, count);
    if (encoding === Encoding.Packed) return packedReserve(slab, NONE, textBytes, count);
    const members = count * memberReserve(0) + textBytes + (textBytes >>> 3);
    const spans = textBytes > VARIED_BYTES ? SPANS_BYTES : 0;
    return TABLE_BYTES + members + this.largeCount * PAGE_BYTES + spans;
  }

  /** Makes a set of the members, which must not have been walked; its root. */
  store(slab: Slab, encoding: Encoding): number {
    if (encoding === Encoding.Integers) return this.storeIntegers(slab);
    if (encoding === Encoding.Packed) return this.storePacked(slab);
    const root = createTable(slab);
    expectEntries(slab, root << 1, this.count);
    while (this.next()) {
      if (this.isInteger) insertInteger(slab, root, this.low, this.high);
      else insertNew(slab, root, this.u8, this.start, this.length);
    }
    return root;
  }

  private storeIntegers(slab: Slab): number {
    let ref = createIntegers(slab);
    while (this.next()) ref = integersAdd(slab, ref, this.low, this.high) as BlockRef;
    return ref;
  }

  private storePacked(slab: Slab): number {
    let ref = createPacked(slab, this.textBytes + this.count);
    while (this.next()) {
      if (this.isInteger) {
        const bytes = writeIntegerText(this.low, this.high);
        ref = packedAppend(slab, ref, integerText, 0, bytes);
      } else {
        ref = packedAppend(slab, ref, this.u8, this.start, this.length);
      }
    }
    return tightenPacked(slab, ref);
  }
}
