// A block of a stream: some hundred entries one behind the other, in the order of their IDs. The
// entry it was made for gives it its ID and its field names; entries with the same names, which is
// most of them, keep only their values. Entries are never moved inside a block: a deleted one is
// flagged and stays until all of its block are deleted.
//
//   head, 13 words                                                       byte 52
//   ┌──────────┬──────┬──────┬───────┬─────┬──────────┬────────┬───────┬────┬───────┬─────────┬──
//   │ previous │ next │ live │ total │ end │ capacity │ fields │ first │ ID,│ names │ entries │ …
//   └──────────┴──────┴──────┴───────┴─────┴──────────┴────────┴───────┴────┴───────┴─────────┴──
//                                     bytes  bytes              byte    epoch        first    end
//
//   name: │ length │ bytes │
//
//   entry
//   ┌───────┬────────┬────┬─────┬────────────────┬───────────────────┬─────┬──────┐
//   │ flags │ length │ ms │ seq │ fields         │ name, value, …    │ …   │ back │
//   │ 1 B   │        │    │     │ (unless same)  │ (values if same)  │     │      │
//   └───────┴────────┴────┴─────┴────────────────┴───────────────────┴─────┴──────┘
//            of what ^ begins here and ends before back
//
// All numbers are written seven bits a byte, low bits first, the high bit set on all but the last;
// `back`, the bytes from flags to itself, the other way round, so that it is read from the right.
// `ms` is the distance to the block's ID; `seq` too where that is 0, and the number itself
// elsewhere. An entry of two fields of six bytes takes 19 bytes.
//
// Rejected: a count of elements in place of `length` (Redis): passing an entry then means reading
// every value of it.

import { assert } from '../../base/assert.js';
import { copyBytes, equalBytes } from '../../base/bytes.js';
import type { Slices } from '../../base/slices.js';
import { allocate, type BlockRef, capacityOf, release, roundedBytes } from '../../slab/alloc.js';
import { move } from '../../slab/moving.js';
import { NONE, type Ref, type Slab } from '../../slab/slab.js';
import { compareIdAt, compareIds, ID_WORDS, readIdAt, StreamId, writeIdAt } from './id.js';

export type EntryBlock = Ref<'stream block'>;

const enum Head {
  Previous = 0,
  Next = 1,
  Live = 2,
  Total = 3,
  End = 4,
  Capacity = 5,
  Fields = 6,
  First = 7,
  Id = 8,
  /** Of a snapshot's walk, see first.ts. */
  Epoch = Id + ID_WORDS,
  Words = Epoch + 1,
}
const HEAD_BYTES = Head.Words * 4;

const enum Flag {
  Deleted = 1,
  /** The names are the block's. */
  Same = 2,
}

const LOW_BITS = 7;
const LOW_MASK = 0x7f;
const MORE_BIT = 0x80;
/** The first block of a stream begins with this much room, in bytes. */
const FIRST_CAPACITY = 128;
/** A number takes at most so many bytes. */
const NUMBER_BYTES_MAX = 5;
const DOUBLING_BYTES_MAX = 1024;
/** How far a search from the end goes: readers that keep up are a few entries behind. */
const STEPS_BACK_MAX = 16;

/** How a search from the end came out. */
export const enum Sought {
  None = 0,
  Found = 1,
  TooFar = 2,
}

// ── Numbers ──────────────────────────────────────────────────────────────────────────────────

/** Bytes of a number below 2^31. */
function sizeOf(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  return value < 0x10000000 ? 4 : 5;
}

/** Bytes of an unsigned number of two words. */
function sizeOfLong(low: number, high: number): number {
  if (high === 0 && low >= 0) return sizeOf(low);
  let bytes = 1;
  while (high !== 0 || low >>> 0 > LOW_MASK) {
    low = (low >>> LOW_BITS) | (high << (32 - LOW_BITS));
    high >>>= LOW_BITS;
    bytes++;
  }
  return bytes;
}

/** Writes a number below 2^31; returns the place behind it. */
function writeNumber(u8: Uint8Array, at: number, value: number): number {
  while (value > LOW_MASK) {
    u8[at++] = (value & LOW_MASK) | MORE_BIT;
    value >>>= LOW_BITS;
  }
  u8[at] = value;
  return at + 1;
}

function writeLong(u8: Uint8Array, at: number, low: number, high: number): number {
  if (high === 0 && low >= 0) return writeNumber(u8, at, low);
  while (high !== 0 || low >>> 0 > LOW_MASK) {
    u8[at++] = (low & LOW_MASK) | MORE_BIT;
    low = (low >>> LOW_BITS) | (high << (32 - LOW_BITS));
    high >>>= LOW_BITS;
  }
  u8[at] = low;
  return at + 1;
}

/** Writes a number so that it can be read from the right. */
function writeBack(u8: Uint8Array, at: number, value: number): number {
  const bytes = sizeOf(value);
  for (let index = bytes - 1; index > 0; index--) {
    u8[at + index] = (value & LOW_MASK) | MORE_BIT;
    value >>>= LOW_BITS;
  }
  u8[at] = value;
  return at + bytes;
}

// What the last read has found beside its result.
let readEnd = 0;
let readHigh = 0;

/** The number at `at`; leaves the place behind it in `readEnd`. */
function readNumber(u8: Uint8Array, at: number): number {
  let byte = u8[at]!;
  if (byte < MORE_BIT) {
    readEnd = at + 1;
    return byte;
  }
  let value = byte & LOW_MASK;
  for (let shift = LOW_BITS; byte >= MORE_BIT; shift += LOW_BITS) {
    byte = u8[++at]!;
    value |= (byte & LOW_MASK) << shift;
  }
  readEnd = at + 1;
  return value;
}

/** The low word of the number at `at`; leaves the high one in `readHigh`. */
function readLong(u8: Uint8Array, at: number): number {
  let byte = u8[at]!;
  readHigh = 0;
  if (byte < MORE_BIT) {
    readEnd = at + 1;
    return byte;
  }
  let low = byte & LOW_MASK;
  for (let shift = LOW_BITS; byte >= MORE_BIT; shift += LOW_BITS) {
    byte = u8[++at]!;
    const bits = byte & LOW_MASK;
    if (shift < 32) low |= bits << shift;
    if (shift > 32) readHigh |= bits << (shift - 32);
    else if (shift + LOW_BITS > 32) readHigh |= bits >>> (32 - shift);
  }
  readEnd = at + 1;
  return low;
}

// ── Blocks ───────────────────────────────────────────────────────────────────────────────────

export function previousBlock(slab: Slab, block: EntryBlock): EntryBlock {
  return slab.i32[(block << 1) + Head.Previous]! as EntryBlock;
}

export function nextBlock(slab: Slab, block: EntryBlock): EntryBlock {
  return slab.i32[(block << 1) + Head.Next]! as EntryBlock;
}

/** Makes two blocks neighbours; either may be NONE. */
/** Moves a block together with others (slab/moving.ts); returns where it is, linked as before. */
export function moveEntries(slab: Slab, block: EntryBlock): EntryBlock {
  const moved = move(slab, block) as EntryBlock;
  if (moved === block) return block;
  const previous = previousBlock(slab, moved);
  const next = nextBlock(slab, moved);
  if (previous !== NONE) slab.i32[(previous << 1) + Head.Next] = moved;
  if (next !== NONE) slab.i32[(next << 1) + Head.Previous] = moved;
  return moved;
}

export function linkBlocks(slab: Slab, left: EntryBlock, right: EntryBlock): void {
  if (left !== NONE) slab.i32[(left << 1) + Head.Next] = right;
  if (right !== NONE) slab.i32[(right << 1) + Head.Previous] = left;
}

/** Has a snapshot's walk handed over the block? See first.ts. */
export function blockEpoch(slab: Slab, block: EntryBlock): number {
  return slab.i32[(block << 1) + Head.Epoch]!;
}

export function setBlockEpoch(slab: Slab, block: EntryBlock, epoch: number): void {
  slab.i32[(block << 1) + Head.Epoch] = epoch;
}

/** Makes a block that stands in its stream no more the first of a list. */
export function linkLeft(slab: Slab, block: EntryBlock, next: EntryBlock): void {
  slab.i32[(block << 1) + Head.Next] = next;
}

/** Entries that are not deleted. */
export function liveOf(slab: Slab, block: EntryBlock): number {
  return slab.i32[(block << 1) + Head.Live]!;
}

export function readBlockId(slab: Slab, block: EntryBlock, out: StreamId): void {
  readIdAt(slab.i32, (block << 1) + Head.Id, out);
}

/** -1, 0 or 1 as the block begins before, at or after `id`. */
export function compareBlock(slab: Slab, block: EntryBlock, id: StreamId): number {
  return compareIdAt(slab.i32, (block << 1) + Head.Id, id);
}

/** Bytes of all names and values of a new entry: words `first` to the last. */
export function payloadBytes(args: Slices, first: number): number {
  let bytes = 0;
  for (let index = first; index < args.count; index++) bytes += args.lengthOf(index);
  return bytes;
}

/** Is a block full for an entry of `payload` bytes? By the limits of the configuration. */
export function isFull(
  slab: Slab,
  block: EntryBlock,
  payload: number,
  bytesMax: number,
  entriesMax: number,
): boolean {
  const at = block << 1;
  if (slab.i32[at + Head.End]! + payload >= bytesMax) return true;
  return entriesMax !== 0 && slab.i32[at + Head.Total]! >= entriesMax;
}

/** Bytes that startBlock, addEntry and sealBlock together may allocate. */
export function blockReserve(
  slab: Slab,
  tail: EntryBlock,
  payload: number,
  fieldCount: number,
): number {
  const capacity = tail === NONE ? 0 : slab.i32[(tail << 1) + Head.Capacity]!;
  const entry = HEAD_BYTES + payload + fieldCount * 2 * NUMBER_BYTES_MAX + 64;
  return capacity * 2 + entry;
}

/**
 * A new block with the names of an entry and without any entry; it is linked to nothing. It gets as
 * much room as the one before has used: the next hundred entries are like the last as a rule.
 */
export function startBlock(
  slab: Slab,
  before: EntryBlock,
  id: StreamId,
  args: Slices,
  first: number,
  fieldCount: number,
): EntryBlock {
  let end = HEAD_BYTES;
  for (let field = 0; field < fieldCount; field++) {
    const length = args.lengthOf(first + field * 2);
    end += sizeOf(length) + length;
  }
  const like = before === NONE ? FIRST_CAPACITY : slab.i32[(before << 1) + Head.End]!;
  const capacity = roundedBytes(Math.max(like, end));
  const block = allocateBlock(slab, capacity);
  const { i32, u8 } = slab;
  const at = block << 1;
  i32[at + Head.Previous] = NONE;
  i32[at + Head.Next] = NONE;
  i32[at + Head.Live] = 0;
  i32[at + Head.Total] = 0;
  i32[at + Head.End] = end;
  i32[at + Head.Capacity] = capacity;
  i32[at + Head.Fields] = fieldCount;
  i32[at + Head.First] = end;
  writeIdAt(i32, at + Head.Id, id);
  i32[at + Head.Epoch] = 0;
  let to = (block << 3) + HEAD_BYTES;
  for (let field = 0; field < fieldCount; field++) {
    to = writeText(u8, to, args, first + field * 2);
  }
  return block;
}

function allocateBlock(slab: Slab, bytes: number): EntryBlock {
  const block = allocate(slab, bytes);
  assert(block !== NONE, 'memory for a block was reserved');
  return block as number as EntryBlock;
}

export function releaseBlock(slab: Slab, block: EntryBlock): void {
  release(slab, block as number as BlockRef);
}

/** Length and bytes of a word; returns the place behind them. */
function writeText(u8: Uint8Array, at: number, args: Slices, index: number): number {
  const length = args.lengthOf(index);
  const to = writeNumber(u8, at, length);
  copyBytes(args.u8, args.startOf(index), u8, to, length);
  return to + length;
}

/** Are the names of an entry the block's? */
function hasNames(
  slab: Slab,
  block: EntryBlock,
  args: Slices,
  first: number,
  fieldCount: number,
): boolean {
  const { u8 } = slab;
  if (slab.i32[(block << 1) + Head.Fields] !== fieldCount) return false;
  let at = (block << 3) + HEAD_BYTES;
  for (let field = 0; field < fieldCount; field++) {
    const index = first + field * 2;
    const length = args.lengthOf(index);
    if (readNumber(u8, at) !== length) return false;
    at = readEnd;
    if (!equalBytes(u8, at, args.u8, args.startOf(index), length)) return false;
    at += length;
  }
  return true;
}

// The ID of an entry as it is written: see the head of this file.
let msLow = 0;
let msHigh = 0;
let seqLow = 0;
let seqHigh = 0;

/** Finds what is written of an ID in a block. */
function relate(i32: Int32Array, block: EntryBlock, id: StreamId): void {
  readIdAt(i32, (block << 1) + Head.Id, base);
  const low = (id.msLow >>> 0) - (base.msLow >>> 0);
  msLow = low | 0;
  msHigh = (id.msHigh - base.msHigh - (low < 0 ? 1 : 0)) | 0;
  seqLow = id.seqLow;
  seqHigh = id.seqHigh;
  if ((msLow | msHigh) !== 0) return;
  const difference = (id.seqLow >>> 0) - (base.seqLow >>> 0);
  seqLow = difference | 0;
  seqHigh = (id.seqHigh - base.seqHigh - (difference < 0 ? 1 : 0)) | 0;
}

const base = new StreamId();

/**
 * Adds an entry of words `first` on behind all others: its ID is greater than theirs. The block may
 * move: use what is returned, and link it. Memory was reserved.
 */
export function addEntry(
  slab: Slab,
  block: EntryBlock,
  id: StreamId,
  args: Slices,
  first: number,
  fieldCount: number,
): EntryBlock {
  const { i32, u8 } = slab;
  const isSame = hasNames(slab, block, args, first, fieldCount);
  const step = isSame ? 2 : 1;
  const from = isSame ? first + 1 : first;
  const wordEnd = first + fieldCount * 2;
  relate(i32, block, id);
  let content = sizeOfLong(msLow, msHigh) + sizeOfLong(seqLow, seqHigh);
  if (!isSame) content += sizeOf(fieldCount);
  for (let index = from; index < wordEnd; index += step) {
    const length = args.lengthOf(index);
    content += sizeOf(length) + length;
  }
  const bytes = 1 + sizeOf(content) + content;
  const end = i32[(block << 1) + Head.End]!;
  const newEnd = end + bytes + sizeOf(bytes);
  const added = newEnd > i32[(block << 1) + Head.Capacity]! ? grow(slab, block, newEnd) : block;

  let to = (added << 3) + end;
  u8[to] = isSame ? Flag.Same : 0;
  to = writeNumber(u8, to + 1, content);
  to = writeLong(u8, to, msLow, msHigh);
  to = writeLong(u8, to, seqLow, seqHigh);
  if (!isSame) to = writeNumber(u8, to, fieldCount);
  for (let index = from; index < wordEnd; index += step) to = writeText(u8, to, args, index);
  writeBack(u8, to, bytes);
  const at = added << 1;
  i32[at + Head.End] = newEnd;
  i32[at + Head.Live] = i32[at + Head.Live]! + 1;
  i32[at + Head.Total] = i32[at + Head.Total]! + 1;
  return added;
}

/** Gives a block twice its room, a large one a quarter more, or `bytes` if that is more. */
function grow(slab: Slab, block: EntryBlock, bytes: number): EntryBlock {
  const capacity = slab.i32[(block << 1) + Head.Capacity]!;
  const more = capacity < DOUBLING_BYTES_MAX ? capacity : capacity >>> 2;
  return moveBlock(slab, block, roundedBytes(Math.max(capacity + more, bytes)));
}

/** Gives back the room that a block does not need, because nothing will be added. It may move. */
export function sealBlock(slab: Slab, block: EntryBlock): EntryBlock {
  const at = block << 1;
  const capacity = roundedBytes(slab.i32[at + Head.End]!);
  return capacity < slab.i32[at + Head.Capacity]! ? moveBlock(slab, block, capacity) : block;
}

function moveBlock(slab: Slab, block: EntryBlock, capacity: number): EntryBlock {
  const { i32, u8 } = slab;
  const moved = allocateBlock(slab, capacity);
  const start = block << 3;
  u8.copyWithin(moved << 3, start, start + i32[(block << 1) + Head.End]!);
  i32[(moved << 1) + Head.Capacity] = capacity;
  linkBlocks(slab, previousBlock(slab, block), moved);
  linkBlocks(slab, moved, nextBlock(slab, block));
  releaseBlock(slab, block);
  return moved;
}

/** A copy in another slab, or the same one, linked to nothing and without spare room. */
export function copyBlock(slab: Slab, block: EntryBlock, target: Slab): EntryBlock {
  const bytes = slab.i32[(block << 1) + Head.End]!;
  const capacity = roundedBytes(bytes);
  const copy = allocateBlock(target, capacity);
  copyBytes(slab.u8, block << 3, target.u8, copy << 3, bytes);
  const at = copy << 1;
  target.i32[at + Head.Capacity] = capacity;
  target.i32[at + Head.Previous] = NONE;
  target.i32[at + Head.Next] = NONE;
  target.i32[at + Head.Epoch] = 0;
  return copy;
}

/** Bytes that copyBlock allocates, and that the block holds when it is sealed. */
export function blockBytes(slab: Slab, block: EntryBlock): number {
  return capacityOf(slab, block as number as BlockRef);
}

// ── Entries ──────────────────────────────────────────────────────────────────────────────────

/**
 * Stands on an entry and walks over those that are not deleted, from block to block. Valid until
 * entries are added or a block is freed; `id` is overwritten by every step.
 */
export class EntryCursor {
  readonly id = new StreamId();
  slab: Slab | null = null;
  block: EntryBlock = NONE as EntryBlock;
  fieldCount = 0;
  /** What nextField has found, bytes in slab.u8. */
  nameAt = 0;
  nameBytes = 0;
  valueAt = 0;
  valueBytes = 0;
  // Bytes in slab.u8: where the entry begins, where the next one does, and its next name and value.
  private at = 0;
  private end = 0;
  private namesAt = 0;
  private valuesAt = 0;
  private isSame = false;

  /** Stands on the first live entry from `id` on, at or behind the beginning of `block`. */
  seekFrom(slab: Slab, block: EntryBlock, id: StreamId): boolean {
    this.slab = slab;
    if (!this.enterFirst(block)) return false;
    while (this.isDeleted || compareIds(this.id, id) < 0) {
      if (!this.step()) return false;
    }
    return true;
  }

  /**
   * As seekFrom, for an ID that is likely to be near the end of `block`, which is the last: goes
   * back from there, a few steps at the most.
   */
  seekFromEnd(slab: Slab, block: EntryBlock, id: StreamId): Sought {
    this.slab = slab;
    this.enterLast(block);
    for (let steps = 0; compareIds(this.id, id) >= 0; steps++) {
      if (steps === STEPS_BACK_MAX || !this.stepBackInside()) return Sought.TooFar;
    }
    // Before here nothing counts: the first live entry behind it is the one.
    return this.next() ? Sought.Found : Sought.None;
  }

  /** Stands on the last entry of a block, deleted or not. */
  standLast(slab: Slab, block: EntryBlock): void {
    this.slab = slab;
    this.enterLast(block);
  }

  /** Stands on the last live entry up to `id`, at or before the end of `block`. */
  seekBack(slab: Slab, block: EntryBlock, id: StreamId): boolean {
    this.slab = slab;
    if (!this.enterLast(block)) return false;
    while (this.isDeleted || compareIds(this.id, id) > 0) {
      if (!this.stepBack()) return false;
    }
    return true;
  }

  /** To the next live entry. */
  next(): boolean {
    do {
      if (!this.step()) return false;
    } while (this.isDeleted);
    return true;
  }

  /** To the live entry before. */
  previous(): boolean {
    do {
      if (!this.stepBack()) return false;
    } while (this.isDeleted);
    return true;
  }

  /** Reads the next name and value of the entry. */
  nextField(): void {
    const { u8 } = this.slab!;
    if (this.isSame) {
      this.nameBytes = readNumber(u8, this.namesAt);
      this.nameAt = readEnd;
      this.namesAt = this.nameAt + this.nameBytes;
    } else {
      this.nameBytes = readNumber(u8, this.valuesAt);
      this.nameAt = readEnd;
      this.valuesAt = this.nameAt + this.nameBytes;
    }
    this.valueBytes = readNumber(u8, this.valuesAt);
    this.valueAt = readEnd;
    this.valuesAt = this.valueAt + this.valueBytes;
  }

  /** Flags the entry as deleted; returns how many live ones the block has left. */
  flagDeleted(): number {
    const { i32, u8 } = this.slab!;
    u8[this.at] = u8[this.at]! | Flag.Deleted;
    const at = (this.block << 1) + Head.Live;
    const left = i32[at]! - 1;
    i32[at] = left;
    return left;
  }

  private get isDeleted(): boolean {
    return (this.slab!.u8[this.at]! & Flag.Deleted) !== 0;
  }

  private enterFirst(block: EntryBlock): boolean {
    if (block === NONE) return false;
    this.block = block;
    this.load((block << 3) + this.slab!.i32[(block << 1) + Head.First]!);
    return true;
  }

  private enterLast(block: EntryBlock): boolean {
    if (block === NONE) return false;
    this.block = block;
    this.loadBefore((block << 3) + this.slab!.i32[(block << 1) + Head.End]!);
    return true;
  }

  private step(): boolean {
    const { i32 } = this.slab!;
    const at = this.block << 1;
    if (this.end === (this.block << 3) + i32[at + Head.End]!) {
      return this.enterFirst(i32[at + Head.Next]! as EntryBlock);
    }
    this.load(this.end);
    return true;
  }

  private stepBack(): boolean {
    if (this.stepBackInside()) return true;
    return this.enterLast(this.slab!.i32[(this.block << 1) + Head.Previous]! as EntryBlock);
  }

  private stepBackInside(): boolean {
    const first = (this.block << 3) + this.slab!.i32[(this.block << 1) + Head.First]!;
    if (this.at === first) return false;
    this.loadBefore(this.at);
    return true;
  }

  private loadBefore(end: number): void {
    const { u8 } = this.slab!;
    let byte = u8[end - 1]!;
    let bytes = byte & LOW_MASK;
    let start = end - 1;
    for (let shift = LOW_BITS; byte >= MORE_BIT; shift += LOW_BITS) {
      byte = u8[--start]!;
      bytes |= (byte & LOW_MASK) << shift;
    }
    this.load(start - bytes);
  }

  /** Reads the entry that begins at byte `at`. */
  private load(at: number): void {
    const { i32, u8 } = this.slab!;
    const { id, block } = this;
    this.at = at;
    const length = readNumber(u8, at + 1);
    const contentAt = readEnd;
    const bytes = contentAt - at + length;
    this.end = at + bytes + sizeOf(bytes);
    readIdAt(i32, (block << 1) + Head.Id, id);
    const ms = readLong(u8, contentAt);
    if ((ms | readHigh) !== 0) {
      const low = (id.msLow >>> 0) + (ms >>> 0);
      id.msLow = low | 0;
      id.msHigh = (id.msHigh + readHigh + (low > 0xffffffff ? 1 : 0)) | 0;
      id.seqLow = readLong(u8, readEnd);
      id.seqHigh = readHigh;
    } else {
      const seq = readLong(u8, readEnd);
      const low = (id.seqLow >>> 0) + (seq >>> 0);
      id.seqLow = low | 0;
      id.seqHigh = (id.seqHigh + readHigh + (low > 0xffffffff ? 1 : 0)) | 0;
    }
    this.isSame = (u8[at]! & Flag.Same) !== 0;
    if (this.isSame) {
      this.fieldCount = i32[(block << 1) + Head.Fields]!;
      this.namesAt = (block << 3) + HEAD_BYTES;
    } else {
      this.fieldCount = readNumber(u8, readEnd);
    }
    this.valuesAt = readEnd;
  }

  /** Asserts what must hold of the entries of a block. */
  check(slab: Slab, block: EntryBlock): void {
    const { i32 } = slab;
    this.slab = slab;
    let total = 0;
    let live = 0;
    const before = new StreamId();
    this.enterFirst(block);
    while (this.block === block) {
      const end = this.end;
      assert(total > 0 || compareBlock(slab, block, this.id) === 0, 'the first entry has its ID');
      assert(total === 0 || compareIds(before, this.id) < 0, 'the IDs of entries ascend');
      for (let field = 0; field < this.fieldCount; field++) this.nextField();
      assert(this.valuesAt < end && end - this.valuesAt <= NUMBER_BYTES_MAX, 'values fill it');
      before.copyFrom(this.id);
      const { at } = this;
      if (!this.isDeleted) live++;
      total++;
      this.loadBefore(end);
      assert(this.at === at, 'an entry is found again from behind');
      if (!this.step()) break;
    }
    assert(total === i32[(block << 1) + Head.Total], 'the count of entries is exact');
    assert(live === i32[(block << 1) + Head.Live], 'the count of live entries is exact');
  }
}

const edge = new EntryCursor();

/** The ID of a block's last entry, deleted or not. */
export function readLastId(slab: Slab, block: EntryBlock, out: StreamId): void {
  edge.standLast(slab, block);
  out.copyFrom(edge.id);
}

/** Asserts what must hold of a block. */
export function checkBlock(slab: Slab, block: EntryBlock): void {
  const { i32 } = slab;
  const at = block << 1;
  const capacity = i32[at + Head.Capacity]!;
  assert(capacity === capacityOf(slab, block as number as BlockRef), 'a block knows its capacity');
  assert(i32[at + Head.End]! <= capacity, 'entries lie in their block');
  assert(i32[at + Head.Live]! > 0, 'a block has a live entry');
  assert(i32[at + Head.Live]! <= i32[at + Head.Total]!, 'no more are live than there are');
  edge.check(slab, block);
}
