// A B+tree over IDs: where a stream's blocks begin, and who has not acknowledged which entry. Each
// leaf record is an ID and a few words of its owner's; how many words a record has is said with
// every call. A tree whose owner appends fills its nodes completely; nodes that become empty are
// freed, and nodes that become sparse merge with a neighbour.
//
//   root, three words of the owner's
//   ┌─────┬────────┬───────┐
//   │ top │ height │ count │   height 0: the top is a leaf; top 0: empty
//   └─────┴────────┴───────┘
//
//   leaf, at most 1 KiB (a lone one begins small)
//   ┌──────────────────┬──────┬──────────┬────────┬───────────────────┬──
//   │ count │ capacity │ next │ previous │ epoch  │ ID, owner's words │ …
//   │ 16    │ 16       │ leaf │ leaf     │        │                   │
//   └──────────────────┴──────┴──────────┴────────┴───────────────────┴──
//
//   inner node: the same head, and records of an ID and a child
//   ┌──────────────────┬──────────────────────────┬───────────┬──
//   │ count │ capacity │ unused                   │ ID, child │ …
//   └──────────────────┴──────────────────────────┴───────────┴──
//
// The ID of a child's record is at most the first ID below it, and more than the last ID below the
// record before. The first record of a node is taken for anything less than the second, so its own
// ID is never looked at.

import { assert } from '../../base/assert.js';
import { allocate, type BlockRef, capacityOf, release } from '../../slab/alloc.js';
import { moveAt, moving } from '../../slab/moving.js';
import { NONE, type Slab } from '../../slab/slab.js';
import { compareIdAt, compareIds, ID_WORDS, readIdAt, StreamId, writeIdAt } from './id.js';

/** The words of a root; its word index is the `rootAt` of every function here. */
export const enum IdTree {
  Top = 0,
  Height = 1,
  Count = 2,
  Words = 3,
}

const enum Node {
  Sizes = 0,
  Next = 1,
  Previous = 2,
  /** Of a snapshot's walk, see first.ts; with it, records begin on an even word. */
  Epoch = 3,
  Records = 4,
}
const COUNT_MASK = 0xffff;
const CAPACITY_SHIFT = 16;

const INNER_WORDS = ID_WORDS + 1;
const CHILD = ID_WORDS;
const NODE_BYTES = 1024;
const HEAD_BYTES = Node.Records * 4;
/** Records of a lone leaf; it doubles until it is a whole node. */
const FIRST_CAPACITY = 4;
/** With 25 records a node at the least, 2^31 bytes of slab are full long before. */
const HEIGHT_MAX = 16;

// The way from the top to a leaf, of whoever went down last: nodes, and the record taken in each.
const pathNodes = new Int32Array(HEIGHT_MAX);
const pathIndexes = new Int32Array(HEIGHT_MAX);

/** Bytes that one insertion may allocate. */
export const ID_TREE_RESERVE_BYTES = NODE_BYTES * 6;

/** Bytes that `count` insertions may allocate. */
export function idTreeReserve(count: number, words: number): number {
  // A leaf that is split is half full, and inner nodes are a twentieth of that.
  return Math.ceil((count * (words * 4 + 2) * 9) / 4) + ID_TREE_RESERVE_BYTES;
}

function capacityFor(words: number): number {
  return ((NODE_BYTES - HEAD_BYTES) / (words * 4)) | 0;
}

function countOf(i32: Int32Array, node: number): number {
  return i32[(node << 1) + Node.Sizes]! & COUNT_MASK;
}

function setCount(i32: Int32Array, node: number, count: number): void {
  const at = (node << 1) + Node.Sizes;
  i32[at] = (i32[at]! & ~COUNT_MASK) | count;
}

function recordAt(node: number, index: number, words: number): number {
  return (node << 1) + Node.Records + index * words;
}

function createNode(slab: Slab, capacity: number, words: number): number {
  const node = allocate(slab, HEAD_BYTES + capacity * words * 4);
  assert(node !== NONE, 'memory for a node was reserved');
  const at = node << 1;
  slab.i32[at + Node.Sizes] = capacity << CAPACITY_SHIFT;
  slab.i32[at + Node.Next] = NONE;
  slab.i32[at + Node.Previous] = NONE;
  slab.i32[at + Node.Epoch] = 0;
  return node;
}

export function clearIdTree(slab: Slab, rootAt: number): void {
  slab.i32[rootAt + IdTree.Top] = NONE;
  slab.i32[rootAt + IdTree.Height] = 0;
  slab.i32[rootAt + IdTree.Count] = 0;
}

export function idTreeCount(slab: Slab, rootAt: number): number {
  return slab.i32[rootAt + IdTree.Count]!;
}

// ── Finding ──────────────────────────────────────────────────────────────────────────────────

/** How many records of a node have an ID below `id`. */
function lowerBound(i32: Int32Array, node: number, words: number, id: StreamId): number {
  let low = 0;
  let high = countOf(i32, node);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareIdAt(i32, recordAt(node, middle, words), id) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Which child of an inner node `id` belongs to. */
function childFor(i32: Int32Array, node: number, id: StreamId): number {
  let low = 1;
  let high = countOf(i32, node);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareIdAt(i32, recordAt(node, middle, INNER_WORDS), id) <= 0) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The leaf that `id` belongs to; leaves the way in the path. The tree is not empty. */
function descend(slab: Slab, rootAt: number, id: StreamId): number {
  const { i32 } = slab;
  let node = i32[rootAt + IdTree.Top]!;
  const height = i32[rootAt + IdTree.Height]!;
  for (let level = 0; level < height; level++) {
    const index = childFor(i32, node, id);
    pathNodes[level] = node;
    pathIndexes[level] = index;
    node = i32[recordAt(node, index, INNER_WORDS) + CHILD]!;
  }
  return node;
}

/** Word index of the record of `id`, 0 when there is none. */
export function findInIdTree(slab: Slab, rootAt: number, words: number, id: StreamId): number {
  const { i32 } = slab;
  if (i32[rootAt + IdTree.Top] === NONE) return 0;
  const leaf = descend(slab, rootAt, id);
  const index = lowerBound(i32, leaf, words, id);
  if (index === countOf(i32, leaf)) return 0;
  const at = recordAt(leaf, index, words);
  return compareIdAt(i32, at, id) === 0 ? at : 0;
}

/** Word index of the last record with an ID of at most `id`, 0 when there is none. */
export function floorInIdTree(slab: Slab, rootAt: number, words: number, id: StreamId): number {
  const { i32 } = slab;
  if (i32[rootAt + IdTree.Top] === NONE) return 0;
  let leaf = descend(slab, rootAt, id);
  let index = lowerBound(i32, leaf, words, id);
  if (index < countOf(i32, leaf) && compareIdAt(i32, recordAt(leaf, index, words), id) === 0) {
    return recordAt(leaf, index, words);
  }
  if (index === 0) {
    leaf = i32[(leaf << 1) + Node.Previous]!;
    if (leaf === NONE) return 0;
    index = countOf(i32, leaf);
  }
  return recordAt(leaf, index - 1, words);
}

/** A record's word index: what it refers to is to be moved. */
export type MoveRecord = (slab: Slab, at: number) => void;

/**
 * Moves the nodes of a tree together (slab/moving.ts), from the record of `from` on, and hands each
 * record to `moveRecord`, until the budget is spent. False then: `from` is where to go on.
 */
export function moveIdTree(
  slab: Slab,
  rootAt: number,
  words: number,
  from: StreamId,
  moveRecord: MoveRecord,
): boolean {
  const { i32 } = slab;
  if (i32[rootAt + IdTree.Top] === NONE) return true;
  for (;;) {
    const leaf = moveWay(slab, rootAt, from);
    const count = countOf(i32, leaf);
    let index = lowerBound(i32, leaf, words, from);
    while (index < count) {
      moveRecord(slab, recordAt(leaf, index, words));
      index++;
      if (moving.units <= 0) break;
    }
    const next = index < count ? leaf : i32[(leaf << 1) + Node.Next]!;
    if (next === NONE) return true;
    readIdAt(i32, recordAt(next, index < count ? index : 0, words), from);
    if (moving.units <= 0) return false;
  }
}

/** Moves the nodes on the way to `id`; returns the leaf. */
function moveWay(slab: Slab, rootAt: number, id: StreamId): number {
  const { i32 } = slab;
  let wordAt = rootAt + IdTree.Top;
  for (let level = i32[rootAt + IdTree.Height]!; level > 0; level--) {
    moveAt(slab, wordAt);
    const node = i32[wordAt]!;
    wordAt = recordAt(node, childFor(i32, node, id), INNER_WORDS) + CHILD;
  }
  const isMoved = moveAt(slab, wordAt);
  const leaf = i32[wordAt]!;
  if (!isMoved) return leaf;
  const next = i32[(leaf << 1) + Node.Next]!;
  const previous = i32[(leaf << 1) + Node.Previous]!;
  if (next !== NONE) i32[(next << 1) + Node.Previous] = leaf;
  if (previous !== NONE) i32[(previous << 1) + Node.Next] = leaf;
  return leaf;
}

/** Walks the records of a tree in order. Any insertion or removal ends the walk: seek again. */
export class IdTreeCursor {
  slab: Slab | null = null;
  words = 0;
  /** Word index of the record, 0 behind the last. */
  at = 0;
  private leaf = NONE;
  private index = 0;

  /** Stands on the first record from `id` on. */
  seek(slab: Slab, rootAt: number, words: number, id: StreamId): boolean {
    this.slab = slab;
    this.words = words;
    const { i32 } = slab;
    if (i32[rootAt + IdTree.Top] === NONE) return this.end();
    this.leaf = descend(slab, rootAt, id);
    this.index = lowerBound(i32, this.leaf, words, id);
    return this.settle(i32);
  }

  next(): boolean {
    this.index++;
    return this.settle(this.slab!.i32);
  }

  private settle(i32: Int32Array): boolean {
    if (this.index >= countOf(i32, this.leaf)) {
      this.leaf = i32[(this.leaf << 1) + Node.Next]!;
      this.index = 0;
      if (this.leaf === NONE) return this.end();
    }
    this.at = recordAt(this.leaf, this.index, this.words);
    return true;
  }

  private end(): boolean {
    this.at = 0;
    return false;
  }
}

/** Word index of the last record, 0 in an empty tree. */
export function lastInIdTree(slab: Slab, rootAt: number, words: number): number {
  const { i32 } = slab;
  let node = i32[rootAt + IdTree.Top]!;
  if (node === NONE) return 0;
  for (let level = i32[rootAt + IdTree.Height]!; level > 0; level--) {
    node = i32[recordAt(node, countOf(i32, node) - 1, INNER_WORDS) + CHILD]!;
  }
  return recordAt(node, countOf(i32, node) - 1, words);
}

// ── Leaves, for a snapshot's walk ────────────────────────────────────────────────────────────

/** The leaf that `id` belongs to, NONE in an empty tree. */
export function leafOfId(slab: Slab, rootAt: number, id: StreamId): number {
  return slab.i32[rootAt + IdTree.Top] === NONE ? NONE : descend(slab, rootAt, id);
}

export function nextLeaf(slab: Slab, leaf: number): number {
  return slab.i32[(leaf << 1) + Node.Next]!;
}

export function previousLeaf(slab: Slab, leaf: number): number {
  return slab.i32[(leaf << 1) + Node.Previous]!;
}

export function leafEpoch(slab: Slab, leaf: number): number {
  return slab.i32[(leaf << 1) + Node.Epoch]!;
}

export function setLeafEpoch(slab: Slab, leaf: number, epoch: number): void {
  slab.i32[(leaf << 1) + Node.Epoch] = epoch;
}

export function leafCount(slab: Slab, leaf: number): number {
  return countOf(slab.i32, leaf);
}

/** Word index of a record of a leaf. */
export function leafRecord(leaf: number, index: number, words: number): number {
  return recordAt(leaf, index, words);
}

/** May the leaf join a neighbour, or go, when a record is taken out? */
export function mayThin(slab: Slab, leaf: number, words: number): boolean {
  return countOf(slab.i32, leaf) - 1 <= capacityFor(words) >>> 2;
}

// ── Inserting ────────────────────────────────────────────────────────────────────────────────

/**
 * Word index of a new record for `id`, which has none yet: its other words are undefined. Memory
 * was reserved.
 */
export function insertInIdTree(slab: Slab, rootAt: number, words: number, id: StreamId): number {
  const { i32 } = slab;
  i32[rootAt + IdTree.Count] = i32[rootAt + IdTree.Count]! + 1;
  if (i32[rootAt + IdTree.Top] === NONE) {
    i32[rootAt + IdTree.Top] = createNode(slab, FIRST_CAPACITY, words);
  }
  let leaf = descend(slab, rootAt, id);
  let index = lowerBound(i32, leaf, words, id);
  if (countOf(i32, leaf) === i32[(leaf << 1) + Node.Sizes]! >>> CAPACITY_SHIFT) {
    if (i32[rootAt + IdTree.Height] === 0 && countOf(i32, leaf) < capacityFor(words)) {
      leaf = growLeaf(slab, rootAt, leaf, words);
    } else {
      const left = countOf(i32, splitLeaf(slab, rootAt, leaf, index, words));
      if (index > left || (index === left && splitRight !== NONE && isAppended)) {
        leaf = splitRight;
        index -= left;
      }
    }
  }
  const at = openRecord(i32, leaf, index, words);
  writeIdAt(i32, at, id);
  if (isAppended) {
    isAppended = false;
    addChild(slab, rootAt, i32[rootAt + IdTree.Height]! - 1, splitRight, id);
  }
  return at;
}

// The node that a split has made, and whether it is still empty and waits for its first record.
let splitRight = NONE;
let isAppended = false;
const separator = new StreamId();

/** Makes room for a record at `index` of a node that is not full. */
function openRecord(i32: Int32Array, node: number, index: number, words: number): number {
  const count = countOf(i32, node);
  const at = recordAt(node, index, words);
  if (index < count) i32.copyWithin(at + words, at, recordAt(node, count, words));
  setCount(i32, node, count + 1);
  return at;
}

/** A lone leaf becomes one of twice the size. */
function growLeaf(slab: Slab, rootAt: number, leaf: number, words: number): number {
  const { i32 } = slab;
  const count = countOf(i32, leaf);
  const grown = createNode(slab, Math.min(count * 2, capacityFor(words)), words);
  const from = recordAt(leaf, 0, words);
  i32.copyWithin(recordAt(grown, 0, words), from, from + count * words);
  setCount(i32, grown, count);
  i32[(grown << 1) + Node.Epoch] = i32[(leaf << 1) + Node.Epoch]!;
  release(slab, leaf as BlockRef);
  i32[rootAt + IdTree.Top] = grown;
  return grown;
}

/**
 * Splits a full leaf for a record at `index`. At the end of the last leaf the new one stays empty
 * for it, so that who appends fills every leaf. Returns the left leaf.
 */
function splitLeaf(slab: Slab, rootAt: number, leaf: number, index: number, words: number): number {
  const { i32 } = slab;
  const count = countOf(i32, leaf);
  const next = i32[(leaf << 1) + Node.Next]!;
  const right = createNode(slab, capacityFor(words), words);
  i32[(right << 1) + Node.Next] = next;
  i32[(right << 1) + Node.Previous] = leaf;
  i32[(right << 1) + Node.Epoch] = i32[(leaf << 1) + Node.Epoch]!;
  i32[(leaf << 1) + Node.Next] = right;
  if (next !== NONE) i32[(next << 1) + Node.Previous] = right;
  splitRight = right;
  isAppended = next === NONE && index === count;
  if (isAppended) return leaf;
  const left = count >>> 1;
  moveRecords(i32, leaf, left, right, 0, count - left, words);
  setCount(i32, leaf, left);
  setCount(i32, right, count - left);
  readIdAt(i32, recordAt(right, 0, words), separator);
  addChild(slab, rootAt, i32[rootAt + IdTree.Height]! - 1, right, separator);
  return leaf;
}

function moveRecords(
  i32: Int32Array,
  source: number,
  sourceIndex: number,
  target: number,
  targetIndex: number,
  count: number,
  words: number,
): void {
  const from = recordAt(source, sourceIndex, words);
  i32.copyWithin(recordAt(target, targetIndex, words), from, from + count * words);
}

/**
 * Enters a new child, whose IDs begin at `id`, behind the child that the path took at `level`; -1
 * is above the top. Goes up as far as nodes are full.
 */
function addChild(slab: Slab, rootAt: number, level: number, child: number, id: StreamId): void {
  const { i32 } = slab;
  for (; level >= 0; level--) {
    const node = pathNodes[level]!;
    const index = pathIndexes[level]! + 1;
    const count = countOf(i32, node);
    if (count < capacityFor(INNER_WORDS)) {
      enterChild(i32, node, index, child, id);
      return;
    }
    // Full: the right half goes to a new node, or nothing does when the child is the last.
    const right = createNode(slab, capacityFor(INNER_WORDS), INNER_WORDS);
    if (index === count) {
      enterChild(i32, right, 0, child, id);
    } else {
      const left = count >>> 1;
      moveRecords(i32, node, left, right, 0, count - left, INNER_WORDS);
      setCount(i32, node, left);
      setCount(i32, right, count - left);
      // The child of record `left` may be the one that was split: then the new one follows it.
      if (index > left) enterChild(i32, right, index - left, child, id);
      else enterChild(i32, node, index, child, id);
      readIdAt(i32, recordAt(right, 0, INNER_WORDS), separator);
      id = separator;
    }
    child = right;
  }
  const top = createNode(slab, capacityFor(INNER_WORDS), INNER_WORDS);
  const old = i32[rootAt + IdTree.Top]!;
  enterChild(i32, top, 0, old, id);
  enterChild(i32, top, 1, child, id);
  i32[rootAt + IdTree.Top] = top;
  i32[rootAt + IdTree.Height] = i32[rootAt + IdTree.Height]! + 1;
}

function enterChild(i32: Int32Array, node: number, index: number, child: number, id: StreamId) {
  const at = openRecord(i32, node, index, INNER_WORDS);
  writeIdAt(i32, at, id);
  i32[at + CHILD] = child;
}

// ── Removing ─────────────────────────────────────────────────────────────────────────────────

/** Takes the record of `id` out; false when there is none. */
export function removeFromIdTree(slab: Slab, rootAt: number, words: number, id: StreamId): boolean {
  const { i32 } = slab;
  if (i32[rootAt + IdTree.Top] === NONE) return false;
  const leaf = descend(slab, rootAt, id);
  const index = lowerBound(i32, leaf, words, id);
  const count = countOf(i32, leaf);
  if (index === count || compareIdAt(i32, recordAt(leaf, index, words), id) !== 0) return false;
  closeRecord(i32, leaf, index, words);
  i32[rootAt + IdTree.Count] = i32[rootAt + IdTree.Count]! - 1;
  if (count - 1 <= capacityFor(words) >>> 2) thin(slab, rootAt, leaf, words);
  return true;
}

function closeRecord(i32: Int32Array, node: number, index: number, words: number): void {
  const count = countOf(i32, node);
  const at = recordAt(node, index, words);
  if (index + 1 < count) i32.copyWithin(at, at + words, recordAt(node, count, words));
  setCount(i32, node, count - 1);
}

/** A leaf has become sparse: it and what is above it goes or merges. */
function thin(slab: Slab, rootAt: number, leaf: number, words: number): void {
  const { i32 } = slab;
  let node = leaf;
  let width = words;
  for (let level = i32[rootAt + IdTree.Height]! - 1; level >= 0; level--) {
    const parent = pathNodes[level]!;
    const index = pathIndexes[level]!;
    if (countOf(i32, node) === 0) {
      if (width === words && node === leaf) unlinkLeaf(i32, node);
      release(slab, node as BlockRef);
      closeRecord(i32, parent, index, INNER_WORDS);
    } else if (!mergeInto(slab, parent, index, width, node === leaf)) {
      return;
    }
    if (countOf(i32, parent) > capacityFor(INNER_WORDS) >>> 2) return;
    node = parent;
    width = INNER_WORDS;
  }
  lowerTop(slab, rootAt);
}

/** Frees tops that have one child, or nothing at all. */
function lowerTop(slab: Slab, rootAt: number): void {
  const { i32 } = slab;
  let top = i32[rootAt + IdTree.Top]!;
  while (i32[rootAt + IdTree.Height]! > 0 && countOf(i32, top) === 1) {
    const child = i32[recordAt(top, 0, INNER_WORDS) + CHILD]!;
    release(slab, top as BlockRef);
    top = child;
    i32[rootAt + IdTree.Top] = top;
    i32[rootAt + IdTree.Height] = i32[rootAt + IdTree.Height]! - 1;
  }
  if (countOf(i32, top) !== 0) return;
  release(slab, top as BlockRef);
  i32[rootAt + IdTree.Top] = NONE;
  i32[rootAt + IdTree.Height] = 0;
}

function unlinkLeaf(i32: Int32Array, leaf: number): void {
  const next = i32[(leaf << 1) + Node.Next]!;
  const previous = i32[(leaf << 1) + Node.Previous]!;
  if (next !== NONE) i32[(next << 1) + Node.Previous] = previous;
  if (previous !== NONE) i32[(previous << 1) + Node.Next] = next;
}

/**
 * Merges child `index` of `parent` with its right or left neighbour when both together fill no more
 * than three quarters of a node: room enough that the next insertion does not split it again.
 */
function mergeInto(
  slab: Slab,
  parent: number,
  index: number,
  words: number,
  isLeaf: boolean,
): boolean {
  const { i32 } = slab;
  const most = (capacityFor(words) * 3) >>> 2;
  const own = countOf(i32, childOf(i32, parent, index));
  if (index + 1 < countOf(i32, parent)) {
    if (own + countOf(i32, childOf(i32, parent, index + 1)) <= most) {
      mergeRight(slab, parent, index, words, isLeaf);
      return true;
    }
  }
  if (index > 0 && own + countOf(i32, childOf(i32, parent, index - 1)) <= most) {
    mergeRight(slab, parent, index - 1, words, isLeaf);
    return true;
  }
  return false;
}

function childOf(i32: Int32Array, node: number, index: number): number {
  return i32[recordAt(node, index, INNER_WORDS) + CHILD]!;
}

/** Child `index + 1` of `parent` goes into child `index`. */
function mergeRight(slab: Slab, parent: number, index: number, words: number, isLeaf: boolean) {
  const { i32 } = slab;
  const left = childOf(i32, parent, index);
  const right = childOf(i32, parent, index + 1);
  const leftCount = countOf(i32, left);
  const rightCount = countOf(i32, right);
  if (!isLeaf) {
    // The first ID of an inner node may be too great; as one among others it has to be right.
    readIdAt(i32, recordAt(parent, index + 1, INNER_WORDS), separator);
    writeIdAt(i32, recordAt(right, 0, words), separator);
  }
  moveRecords(i32, right, 0, left, leftCount, rightCount, words);
  setCount(i32, left, leftCount + rightCount);
  if (isLeaf) unlinkLeaf(i32, right);
  release(slab, right as BlockRef);
  closeRecord(i32, parent, index + 1, INNER_WORDS);
}

// ── Whole trees ──────────────────────────────────────────────────────────────────────────────

/**
 * Frees about `budget` records from the end and then nodes above them. True when the tree is empty.
 * What the records refer to is the caller's. Only freeing may follow.
 */
export function freeIdTreeStep(slab: Slab, rootAt: number, budget: number): boolean {
  const { i32 } = slab;
  while (i32[rootAt + IdTree.Top] !== NONE) {
    if (budget <= 0) return false;
    const height = i32[rootAt + IdTree.Height]!;
    let node = i32[rootAt + IdTree.Top]!;
    for (let level = 0; level < height; level++) {
      pathNodes[level] = node;
      node = childOf(i32, node, countOf(i32, node) - 1);
    }
    const count = countOf(i32, node);
    budget -= count;
    i32[rootAt + IdTree.Count] = i32[rootAt + IdTree.Count]! - count;
    release(slab, node as BlockRef);
    let level = height - 1;
    for (; level >= 0; level--) {
      const parent = pathNodes[level]!;
      setCount(i32, parent, countOf(i32, parent) - 1);
      if (countOf(i32, parent) > 0) break;
      release(slab, parent as BlockRef);
    }
    if (level < 0) clearIdTree(slab, rootAt);
  }
  return true;
}

/** Bytes of the tree's nodes. */
export function idTreeBytes(slab: Slab, rootAt: number): number {
  const { i32 } = slab;
  const top = i32[rootAt + IdTree.Top]!;
  return top === NONE ? 0 : nodeBytes(slab, top, i32[rootAt + IdTree.Height]!);
}

function nodeBytes(slab: Slab, node: number, height: number): number {
  let bytes = capacityOf(slab, node as BlockRef);
  if (height === 0) return bytes;
  const count = countOf(slab.i32, node);
  for (let index = 0; index < count; index++) {
    bytes += nodeBytes(slab, childOf(slab.i32, node, index), height - 1);
  }
  return bytes;
}

const least = new StreamId();
const greatest = new StreamId();

/** Asserts what must hold of a tree. */
export function checkIdTree(slab: Slab, rootAt: number, words: number): void {
  const { i32 } = slab;
  const top = i32[rootAt + IdTree.Top]!;
  const height = i32[rootAt + IdTree.Height]!;
  if (top === NONE) {
    assert(i32[rootAt + IdTree.Count] === 0 && height === 0, 'an empty tree has no records');
    return;
  }
  const leaves: number[] = [];
  collectLeaves(slab, top, height, words, leaves);
  let records = 0;
  let previous: number = NONE;
  let isFirst = true;
  for (const leaf of leaves) {
    assert(i32[(leaf << 1) + Node.Previous] === previous, 'leaves are linked backwards');
    if (previous !== NONE) {
      assert(i32[(previous << 1) + Node.Next] === leaf, 'leaves are linked forwards');
    }
    for (let index = 0; index < countOf(i32, leaf); index++) {
      readIdAt(i32, recordAt(leaf, index, words), greatest);
      assert(isFirst || compareIds(least, greatest) < 0, 'IDs ascend');
      least.copyFrom(greatest);
      isFirst = false;
      records++;
    }
    previous = leaf;
  }
  assert(i32[(previous << 1) + Node.Next] === NONE, 'the last leaf has none behind it');
  assert(records === i32[rootAt + IdTree.Count], 'the count of records is exact');
}

function collectLeaves(
  slab: Slab,
  node: number,
  height: number,
  words: number,
  leaves: number[],
): void {
  const { i32 } = slab;
  const width = height === 0 ? words : INNER_WORDS;
  const count = countOf(i32, node);
  const capacity = i32[(node << 1) + Node.Sizes]! >>> CAPACITY_SHIFT;
  assert(count > 0 && count <= capacity, 'a node has records, and no more than fit');
  assert(
    HEAD_BYTES + capacity * width * 4 <= capacityOf(slab, node as BlockRef),
    'a node fits its block',
  );
  if (height === 0) {
    leaves.push(node);
    return;
  }
  for (let index = 0; index < count; index++) {
    const first = leaves.length;
    collectLeaves(slab, childOf(i32, node, index), height - 1, words, leaves);
    if (index === 0) continue;
    const bound = new StreamId();
    readIdAt(i32, recordAt(node, index, INNER_WORDS), bound);
    const leaf = leaves[first]!;
    assert(compareIdAt(i32, recordAt(leaf, 0, words), bound) >= 0, 'a separator is a lower bound');
    const before = leaves[first - 1]!;
    const lastAt = recordAt(before, countOf(i32, before) - 1, words);
    assert(compareIdAt(i32, lastAt, bound) < 0, 'a separator is above what stands before it');
  }
}
