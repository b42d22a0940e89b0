// A stream: blocks of entries in the order of their IDs (block.ts), linked to each other, with an
// index of where each but the last begins (id-tree.ts), and its consumer groups (groups.ts).
//
//   root, 26 words
//   ┌───────┬───────┬──────┬────────┬────────┬───────┬─────────┬──────────┬─────────┬───────────┐
//   │ count │ first │ last │ index  │ groups │ added │ last ID │ first ID │ max     │ producers │
//   │       │ block │ block│ IdTree │ names  │       │         │          │ deleted │ walk, 3   │
//   └───────┴───────┴──────┴────────┴────────┴───────┴─────────┴──────────┴─────────┴───────────┘
//                           3 words  2        int64   4 words   4          4         producers.ts
//
// Entries are added to the last block only, so adding touches no index: a block enters it when the
// next one begins, and its room is cut to what it uses then. A stream of one block has no index.

import { assert } from '../../base/assert.js';
import type { Slices } from '../../base/slices.js';
import { allocate, type BlockRef, capacityOf } from '../../slab/alloc.js';
import { NONE, type Ref, type Slab } from '../../slab/slab.js';
import { Walk } from '../../structs/walked.js';
import { thresholds } from '../thresholds.js';
import {
  addEntry,
  blockReserve,
  checkBlock,
  compareBlock,
  type EntryBlock,
  EntryCursor,
  isFull,
  linkBlocks,
  liveOf,
  moveEntries,
  nextBlock,
  previousBlock,
  readBlockId,
  readLastId,
  releaseBlock,
  Sought,
  sealBlock,
  setBlockEpoch,
  startBlock,
} from './block.js';
import { checkBlockEpochs, leaveBlock, saveBlockFirst } from './block-first.js';
import { compareIdAt, compareIds, ID_WORDS, readIdAt, StreamId, writeIdAt, ZERO_ID } from './id.js';
import {
  checkIdTree,
  clearIdTree,
  findInIdTree,
  floorInIdTree,
  ID_TREE_RESERVE_BYTES,
  IdTree,
  IdTreeCursor,
  idTreeCount,
  insertInIdTree,
  moveIdTree,
  removeFromIdTree,
} from './id-tree.js';

export type StreamRef = Ref<'stream'>;

const enum Root {
  Count = 0,
  First = 1,
  Last = 2,
  Index = 3,
  Groups = Index + IdTree.Words,
  AddedLow = Groups + 2,
  AddedHigh = AddedLow + 1,
  LastId = AddedHigh + 1,
  FirstId = LastId + ID_WORDS,
  MaxDeleted = FirstId + ID_WORDS,
  Producers = MaxDeleted + ID_WORDS,
  /** Of a snapshot's walk, see first.ts. */
  Walk = Producers + 1,
  LeftBlocks = Walk + 1,
  LeftGroups = LeftBlocks + 1,
  Words = LeftGroups + 1,
}

/** A record of the index: the ID of a block, and the block. */
const INDEX_WORDS = ID_WORDS + 1;
const INDEX_BLOCK = ID_WORDS;
/** Redis lets no block of a stream become larger, whatever the configuration. */
const BLOCK_BYTES_MAX = 2 ** 30;

const scratch = new StreamId();

// ── The root ─────────────────────────────────────────────────────────────────────────────────

/** An empty stream. Memory was reserved. */
export function createStream(slab: Slab): StreamRef {
  const stream = allocate(slab, Root.Words * 4);
  assert(stream !== NONE, 'memory for a stream was reserved');
  slab.i32.fill(0, stream << 1, (stream << 1) + Root.Words);
  clearIdTree(slab, (stream << 1) + Root.Index);
  return stream as number as StreamRef;
}

export function streamLength(slab: Slab, stream: StreamRef): number {
  return slab.i32[(stream << 1) + Root.Count]!;
}

export function firstBlock(slab: Slab, stream: StreamRef): EntryBlock {
  return slab.i32[(stream << 1) + Root.First]! as EntryBlock;
}

export function lastBlock(slab: Slab, stream: StreamRef): EntryBlock {
  return slab.i32[(stream << 1) + Root.Last]! as EntryBlock;
}

/** Word index of the list of groups, see names.ts. */
export function groupsAt(stream: StreamRef): number {
  return (stream << 1) + Root.Groups;
}

/** Word index of the reference to what producers.ts keeps; NONE for most streams. */
export function producersAt(stream: StreamRef): number {
  return (stream << 1) + Root.Producers;
}

/** Word index of the walk word; two more follow it, see first.ts. */
export function streamWalkAt(stream: StreamRef): number {
  return (stream << 1) + Root.Walk;
}

/** The stream whose walk word is there. */
export function streamOfWalk(walkAt: number): StreamRef {
  return ((walkAt - Root.Walk) >> 1) as StreamRef;
}

/** Word index of the index of blocks. */
export function indexAt(stream: StreamRef): number {
  return (stream << 1) + Root.Index;
}

/** The ID that was given last, whether or not its entry is still there. */
export function readLastGivenId(slab: Slab, stream: StreamRef, out: StreamId): void {
  readIdAt(slab.i32, (stream << 1) + Root.LastId, out);
}

export function setLastGivenId(slab: Slab, stream: StreamRef, id: StreamId): void {
  writeIdAt(slab.i32, (stream << 1) + Root.LastId, id);
}

/** The ID of the first live entry, 0-0 when there is none. */
export function readFirstId(slab: Slab, stream: StreamRef, out: StreamId): void {
  readIdAt(slab.i32, (stream << 1) + Root.FirstId, out);
}

/** The greatest ID that was ever deleted by itself, 0-0 for none. */
export function readMaxDeletedId(slab: Slab, stream: StreamRef, out: StreamId): void {
  readIdAt(slab.i32, (stream << 1) + Root.MaxDeleted, out);
}

export function setMaxDeletedId(slab: Slab, stream: StreamRef, id: StreamId): void {
  writeIdAt(slab.i32, (stream << 1) + Root.MaxDeleted, id);
}

/** All entries that were ever added: an int64. */
export function addedLow(slab: Slab, stream: StreamRef): number {
  return slab.i32[(stream << 1) + Root.AddedLow]!;
}

export function addedHigh(slab: Slab, stream: StreamRef): number {
  return slab.i32[(stream << 1) + Root.AddedHigh]!;
}

export function setAdded(slab: Slab, stream: StreamRef, low: number, high: number): void {
  slab.i32[(stream << 1) + Root.AddedLow] = low;
  slab.i32[(stream << 1) + Root.AddedHigh] = high;
}

export function blockCount(slab: Slab, stream: StreamRef): number {
  const isEmpty = lastBlock(slab, stream) === NONE;
  return isEmpty ? 0 : idTreeCount(slab, indexAt(stream)) + 1;
}

// ── Adding ───────────────────────────────────────────────────────────────────────────────────

/** Bytes that appendEntry may allocate; the stream may be NONE, a new one. */
export function appendReserve(
  slab: Slab,
  stream: StreamRef,
  payload: number,
  fieldCount: number,
): number {
  if (stream === NONE) return blockReserve(slab, NONE as EntryBlock, payload, fieldCount);
  return blockReserve(slab, lastBlock(slab, stream), payload, fieldCount) + ID_TREE_RESERVE_BYTES;
}

/**
 * Adds an entry of names and values, words `first` on, `payload` bytes in all. Its ID is greater
 * than the last that was given. Memory was reserved.
 */
export function appendEntry(
  slab: Slab,
  stream: StreamRef,
  id: StreamId,
  args: Slices,
  first: number,
  payload: number,
): void {
  const { i32 } = slab;
  const at = stream << 1;
  const fieldCount = (args.count - first) >>> 1;
  const tail = i32[at + Root.Last]! as EntryBlock;
  let block = tail;
  if (tail === NONE || isBlockFull(slab, tail, payload)) {
    block = startBlock(slab, tail, id, args, first, fieldCount);
    setBlockEpoch(slab, block, i32[at + Root.Walk]! & Walk.EpochMask);
    if (tail === NONE) i32[at + Root.First] = block;
    else sealTail(slab, stream, tail, block);
    i32[at + Root.Last] = block;
  } else if ((i32[at + Root.Walk]! & Walk.Walked) !== 0) {
    saveBlockFirst(slab, at + Root.Walk, block);
  }
  const added = addEntry(slab, block, id, args, first, fieldCount);
  if (added !== block) {
    if (i32[at + Root.First] === block) i32[at + Root.First] = added;
    i32[at + Root.Last] = added;
  }
  const count = i32[at + Root.Count]! + 1;
  i32[at + Root.Count] = count;
  const low = (i32[at + Root.AddedLow]! + 1) | 0;
  i32[at + Root.AddedLow] = low;
  if (low === 0) i32[at + Root.AddedHigh] = i32[at + Root.AddedHigh]! + 1;
  writeIdAt(i32, at + Root.LastId, id);
  if (count === 1) writeIdAt(i32, at + Root.FirstId, id);
}

function isBlockFull(slab: Slab, block: EntryBlock, payload: number): boolean {
  const { streamNodeMaxBytes, streamNodeMaxEntries } = thresholds;
  const isUnlimited = streamNodeMaxBytes === 0 || streamNodeMaxBytes > BLOCK_BYTES_MAX;
  const bytesMax = isUnlimited ? BLOCK_BYTES_MAX : streamNodeMaxBytes;
  return isFull(slab, block, payload, bytesMax, streamNodeMaxEntries);
}

/** The last block is full: it gives back spare room and enters the index; `next` follows it. */
function sealTail(slab: Slab, stream: StreamRef, tail: EntryBlock, next: EntryBlock): void {
  const { i32 } = slab;
  const sealed = sealBlock(slab, tail);
  const at = stream << 1;
  if (i32[at + Root.First] === tail) i32[at + Root.First] = sealed;
  linkBlocks(slab, sealed, next);
  readBlockId(slab, sealed, scratch);
  const record = insertInIdTree(slab, at + Root.Index, INDEX_WORDS, scratch);
  i32[record + INDEX_BLOCK] = sealed;
}

// ── Finding ──────────────────────────────────────────────────────────────────────────────────

/** Stands on the first live entry from `id` on. */
export function seekEntry(
  slab: Slab,
  stream: StreamRef,
  cursor: EntryCursor,
  id: StreamId,
): boolean {
  const last = lastBlock(slab, stream);
  if (last === NONE) return false;
  // Readers that keep up look for what was added last.
  if (compareBlock(slab, last, id) <= 0) {
    const sought = cursor.seekFromEnd(slab, last, id);
    if (sought !== Sought.TooFar) return sought === Sought.Found;
    return cursor.seekFrom(slab, last, id);
  }
  return cursor.seekFrom(slab, blockFor(slab, stream, id), id);
}

/** Stands on the last live entry up to `id`. */
export function seekEntryBack(
  slab: Slab,
  stream: StreamRef,
  cursor: EntryCursor,
  id: StreamId,
): boolean {
  const last = lastBlock(slab, stream);
  if (last === NONE) return false;
  if (compareBlock(slab, last, id) <= 0) return cursor.seekBack(slab, last, id);
  const at = floorInIdTree(slab, indexAt(stream), INDEX_WORDS, id);
  if (at === 0) return false;
  return cursor.seekBack(slab, slab.i32[at + INDEX_BLOCK]! as EntryBlock, id);
}

/** Stands on the entry of exactly this ID, if it is live. */
export function findEntry(
  slab: Slab,
  stream: StreamRef,
  cursor: EntryCursor,
  id: StreamId,
): boolean {
  return seekEntry(slab, stream, cursor, id) && compareIds(cursor.id, id) === 0;
}

/** The last block that begins with `id` or before, or the first. The stream is not empty. */
export function blockFrom(slab: Slab, stream: StreamRef, id: StreamId): EntryBlock {
  const last = lastBlock(slab, stream);
  return compareBlock(slab, last, id) <= 0 ? last : blockFor(slab, stream, id);
}

/** The block that `id` lies in: the last that begins with it or before, or the first. */
function blockFor(slab: Slab, stream: StreamRef, id: StreamId): EntryBlock {
  const at = floorInIdTree(slab, indexAt(stream), INDEX_WORDS, id);
  if (at === 0) return firstBlock(slab, stream);
  return slab.i32[at + INDEX_BLOCK]! as EntryBlock;
}

/**
 * Live entries from where the cursor stands up to `end`, no more than `limit`. Moves the cursor;
 * blocks that lie in the range as a whole are not walked.
 */
export function countEntries(
  slab: Slab,
  cursor: EntryCursor,
  end: StreamId,
  limit: number,
): number {
  let count = 0;
  let { block } = cursor;
  // The first block from the cursor on.
  do {
    if (compareIds(cursor.id, end) > 0) return count;
    count++;
    if (count >= limit || !cursor.next()) return count;
  } while (cursor.block === block);
  block = cursor.block;
  for (;;) {
    const next = nextBlock(slab, block);
    if (next === NONE || compareBlock(slab, next, end) > 0) break;
    count += liveOf(slab, block);
    if (count >= limit) return limit;
    block = next;
  }
  // The last one: whole as well where nothing bounds the range.
  if (end.isMax) return Math.min(limit, count + liveOf(slab, block));
  if (!cursor.seekFrom(slab, block, ZERO_ID)) return count;
  while (count < limit && compareIds(cursor.id, end) <= 0) {
    count++;
    if (!cursor.next()) break;
  }
  return count;
}

// ── Deleting ─────────────────────────────────────────────────────────────────────────────────

/**
 * Deletes the entry that the cursor stands on. True when its block went with it: then the cursor
 * has to seek again. The first ID is not updated: see settleFirstId.
 */
export function deleteEntry(slab: Slab, stream: StreamRef, cursor: EntryCursor): boolean {
  const at = (stream << 1) + Root.Count;
  slab.i32[at] = slab.i32[at]! - 1;
  saveBlockFirst(slab, streamWalkAt(stream), cursor.block);
  if (cursor.flagDeleted() !== 0) return false;
  removeBlock(slab, stream, cursor.block);
  return true;
}

/** Takes a block out of the stream and frees it; its live entries were taken off the count. */
function removeBlock(slab: Slab, stream: StreamRef, block: EntryBlock): void {
  const { i32 } = slab;
  const at = stream << 1;
  const previous = previousBlock(slab, block);
  const next = nextBlock(slab, block);
  linkBlocks(slab, previous, next);
  if (previous === NONE) i32[at + Root.First] = next;
  if (next === NONE) {
    i32[at + Root.Last] = previous;
    // The last block stands in no index: the one before is the last now.
    if (previous !== NONE) removeFromIndex(slab, stream, previous);
  } else {
    removeFromIndex(slab, stream, block);
  }
  if (!leaveBlock(slab, at + Root.Walk, block)) releaseBlock(slab, block);
}

function removeFromIndex(slab: Slab, stream: StreamRef, block: EntryBlock): void {
  readBlockId(slab, block, scratch);
  const isFound = removeFromIdTree(slab, indexAt(stream), INDEX_WORDS, scratch);
  assert(isFound, 'every block but the last stands in the index');
}

const firstCursor = new EntryCursor();

/** After deletions: the ID of the first live entry is looked up again. */
export function settleFirstId(slab: Slab, stream: StreamRef): void {
  const isFound = seekEntry(slab, stream, firstCursor, ZERO_ID);
  writeIdAt(slab.i32, (stream << 1) + Root.FirstId, isFound ? firstCursor.id : ZERO_ID);
}

/** Deletes the entry of this ID and keeps the stream's marks; false when there is none. */
export function deleteById(slab: Slab, stream: StreamRef, id: StreamId): boolean {
  if (!findEntry(slab, stream, firstCursor, id)) return false;
  deleteEntry(slab, stream, firstCursor);
  const { i32 } = slab;
  const at = stream << 1;
  if (compareIdAt(i32, at + Root.MaxDeleted, id) < 0) writeIdAt(i32, at + Root.MaxDeleted, id);
  if (compareIdAt(i32, at + Root.FirstId, id) === 0) settleFirstId(slab, stream);
  return true;
}

// ── Trimming ─────────────────────────────────────────────────────────────────────────────────

/** What to trim: the oldest entries go. */
export class Trim {
  /** Trims to `length`; if not, what is older than `id`. */
  isByLength = true;
  length = 0;
  readonly id = new StreamId();
  /** Whole blocks only. */
  isApproximate = false;
  /** Entries at the most, 0: all. */
  limit = 0;
}

/** Called with each entry that goes, before it does. */
export type Leaving = (slab: Slab, stream: StreamRef, id: StreamId) => void;

/** Trims a stream; returns how many entries went. `leaving` may be null. */
export function trimStream(
  slab: Slab,
  stream: StreamRef,
  trim: Trim,
  leaving: Leaving | null,
): number {
  const before = streamLength(slab, stream);
  for (;;) {
    const block = firstBlock(slab, stream);
    const length = streamLength(slab, stream);
    if (block === NONE || (trim.isByLength && length <= trim.length)) break;
    const live = liveOf(slab, block);
    if (trim.limit !== 0 && before - length + live > trim.limit) break;
    if (!isOlder(slab, block, length - live, trim)) {
      if (!trim.isApproximate) trimInside(slab, stream, trim, leaving);
      break;
    }
    if (leaving !== null) tellLeaving(slab, stream, block, leaving);
    slab.i32[(stream << 1) + Root.Count] = length - live;
    removeBlock(slab, stream, block);
  }
  const deleted = before - streamLength(slab, stream);
  if (deleted !== 0) settleFirstId(slab, stream);
  return deleted;
}

/** Does a block go as a whole, which leaves `left` entries? */
export function isOlder(slab: Slab, block: EntryBlock, left: number, trim: Trim): boolean {
  if (trim.isByLength) return left >= trim.length;
  readLastId(slab, block, scratch);
  return compareIds(scratch, trim.id) < 0;
}

const trimCursor = new EntryCursor();
const leavingId = new StreamId();

function tellLeaving(slab: Slab, stream: StreamRef, block: EntryBlock, leaving: Leaving): void {
  if (!trimCursor.seekFrom(slab, block, ZERO_ID)) return;
  do {
    leavingId.copyFrom(trimCursor.id);
    leaving(slab, stream, leavingId);
  } while (trimCursor.next() && trimCursor.block === block);
}

/** Flags the first entries of the first block, which keeps some. */
function trimInside(slab: Slab, stream: StreamRef, trim: Trim, leaving: Leaving | null): void {
  if (!trimCursor.seekFrom(slab, firstBlock(slab, stream), ZERO_ID)) return;
  for (;;) {
    if (trim.isByLength) {
      if (streamLength(slab, stream) <= trim.length) return;
    } else if (compareIds(trimCursor.id, trim.id) >= 0) return;
    if (leaving !== null) {
      leavingId.copyFrom(trimCursor.id);
      leaving(slab, stream, leavingId);
    }
    // All live entries may be old where a deleted one at the end is not: then the block goes.
    if (deleteEntry(slab, stream, trimCursor) || !trimCursor.next()) return;
  }
}

// ── Whole streams ────────────────────────────────────────────────────────────────────────────

/** Enters all blocks but the last into the index, for a stream whose blocks were linked by hand. */
export function indexBlocks(slab: Slab, stream: StreamRef): void {
  const { i32 } = slab;
  const at = stream << 1;
  const last = lastBlock(slab, stream);
  for (let block = firstBlock(slab, stream); block !== last; block = nextBlock(slab, block)) {
    readBlockId(slab, block, scratch);
    i32[insertInIdTree(slab, at + Root.Index, INDEX_WORDS, scratch) + INDEX_BLOCK] = block;
  }
}

/** Copies the marks of a root, and says where the copy's blocks begin and end. */
export function copyRoot(
  slab: Slab,
  stream: StreamRef,
  target: Slab,
  copy: StreamRef,
  first: EntryBlock,
  last: EntryBlock,
): void {
  for (let word = Root.AddedLow as number; word < Root.Producers; word++) {
    target.i32[(copy << 1) + word] = slab.i32[(stream << 1) + word]!;
  }
  target.i32[(copy << 1) + Root.Count] = streamLength(slab, stream);
  target.i32[(copy << 1) + Root.First] = first;
  target.i32[(copy << 1) + Root.Last] = last;
}

/** Frees about `budget` entries, block by block. True when there is none left. */
export function freeBlocksStep(slab: Slab, stream: StreamRef, budget: number): boolean {
  const { i32 } = slab;
  const at = stream << 1;
  while (i32[at + Root.First] !== NONE) {
    if (budget <= 0) return false;
    const block = firstBlock(slab, stream);
    const live = liveOf(slab, block);
    budget -= live;
    i32[at + Root.Count] = i32[at + Root.Count]! - live;
    i32[at + Root.First] = nextBlock(slab, block);
    releaseBlock(slab, block);
  }
  return true;
}

/**
 * Moves blocks and index together (slab/moving.ts), from the block of `from` on, until the budget
 * is spent. False then: `from` is where to go on.
 */
export function moveBlocks(slab: Slab, stream: StreamRef, from: StreamId): boolean {
  movedStream = stream;
  if (!moveIdTree(slab, indexAt(stream), INDEX_WORDS, from, moveIndexed)) return false;
  // The last block is in no index.
  const last = lastBlock(slab, stream);
  if (last !== NONE) blockMoved(slab, last, moveEntries(slab, last));
  return true;
}

/** The stream whose blocks are being moved. */
let movedStream = NONE as StreamRef;

function moveIndexed(slab: Slab, at: number): void {
  const block = slab.i32[at + INDEX_BLOCK]! as EntryBlock;
  const moved = moveEntries(slab, block);
  slab.i32[at + INDEX_BLOCK] = moved;
  blockMoved(slab, block, moved);
}

function blockMoved(slab: Slab, from: EntryBlock, to: EntryBlock): void {
  const at = movedStream << 1;
  if (slab.i32[at + Root.First] === from) slab.i32[at + Root.First] = to;
  if (slab.i32[at + Root.Last] === from) slab.i32[at + Root.Last] = to;
}

/** Asserts what must hold of blocks, index and marks; groups have their own check. */
export function checkStream(slab: Slab, stream: StreamRef): void {
  const { i32 } = slab;
  const at = stream << 1;
  assert(Root.Words * 4 <= capacityOf(slab, stream as number as BlockRef), 'a root has room');
  checkIdTree(slab, at + Root.Index, INDEX_WORDS);
  let live = 0;
  let blocks = 0;
  let previous = NONE as EntryBlock;
  const id = new StreamId();
  for (let block = firstBlock(slab, stream); block !== NONE; block = nextBlock(slab, block)) {
    checkBlock(slab, block);
    assert(previousBlock(slab, block) === previous, 'blocks are linked both ways');
    readBlockId(slab, block, id);
    if (previous !== NONE) {
      readLastId(slab, previous, scratch);
      assert(compareIds(scratch, id) < 0, 'blocks ascend');
    }
    const record = findInIdTree(slab, at + Root.Index, INDEX_WORDS, id);
    if (block === lastBlock(slab, stream)) {
      assert(record === 0, 'the last block stands in no index');
      readLastId(slab, block, id);
      assert(compareIdAt(i32, at + Root.LastId, id) >= 0, 'no entry is beyond the last ID');
    } else {
      assert(record !== 0 && i32[record + INDEX_BLOCK] === block, 'a block stands in the index');
    }
    live += liveOf(slab, block);
    blocks++;
    previous = block;
  }
  checkBlockEpochs(slab, at + Root.Walk, firstBlock(slab, stream));
  assert(lastBlock(slab, stream) === previous, 'the last block is known');
  assert(blocks === blockCount(slab, stream), 'the index holds blocks of the stream only');
  assert(live === streamLength(slab, stream), 'the count of entries is exact');
  readFirstId(slab, stream, id);
  const isFound = seekEntry(slab, stream, firstCursor, ZERO_ID);
  assert(compareIds(id, isFound ? firstCursor.id : ZERO_ID) === 0, 'the first ID is known');
}

// ── As Redis counts ──────────────────────────────────────────────────────────────────────────

const ID_BYTES = 16;

/**
 * Nodes of the radix tree in which Redis would keep the IDs of the blocks: XINFO shows it. Such a
 * tree has a leaf for each ID, a node wherever IDs part, and one for each run of bytes between.
 */
export function radixNodes(slab: Slab, stream: StreamRef): number {
  const last = lastBlock(slab, stream);
  if (last === NONE) return 1;
  // Depths at which the IDs seen so far part from their neighbours, ascending.
  const parting: number[] = [];
  let nodes = 0;
  const close = (depth: number, above: number) => {
    nodes += depth > above + 1 ? 2 : 1;
  };
  const left = new StreamId();
  const right = new StreamId();
  const walk = new IdTreeCursor();
  let isFirst = true;
  let before = -1;
  const take = () => {
    const common = isFirst ? -1 : commonBytes(left, right);
    if (!isFirst) close(ID_BYTES, Math.max(before, common));
    while (parting.length > 0 && parting.at(-1)! > common) {
      const depth = parting.pop()!;
      close(depth, Math.max(parting.at(-1) ?? -1, common));
    }
    if (common >= 0 && parting.at(-1) !== common) parting.push(common);
    before = common;
    left.copyFrom(right);
    isFirst = false;
  };
  let isThere = walk.seek(slab, indexAt(stream), INDEX_WORDS, ZERO_ID);
  for (; isThere; isThere = walk.next()) {
    readIdAt(slab.i32, walk.at, right);
    take();
  }
  readBlockId(slab, last, right);
  take();
  close(ID_BYTES, before);
  while (parting.length > 0) {
    const depth = parting.pop()!;
    close(depth, parting.at(-1) ?? -1);
  }
  return nodes;
}

/** How many bytes two different IDs begin with alike. */
function commonBytes(a: StreamId, b: StreamId): number {
  if (a.msHigh !== b.msHigh) return Math.clz32(a.msHigh ^ b.msHigh) >>> 3;
  if (a.msLow !== b.msLow) return 4 + (Math.clz32(a.msLow ^ b.msLow) >>> 3);
  if (a.seqHigh !== b.seqHigh) return 8 + (Math.clz32(a.seqHigh ^ b.seqHigh) >>> 3);
  return 12 + (Math.clz32(a.seqLow ^ b.seqLow) >>> 3);
}
