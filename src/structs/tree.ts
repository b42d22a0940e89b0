// A counted B+tree of the members of a sorted set, in the order of score and name. Every inner node
// knows how many members lie below each of its children: the rank of a member, the member at a rank
// and the ends of a range of scores are one descent each. Leaves and inner nodes: tree-node.ts.
//
// A node that is full is split in halves, but at the ends of the tree where it grows in order the
// new node starts empty: sets that are filled by rising or falling scores have full leaves. A node
// that has become sparse is merged with a neighbour; none is filled up from a neighbour, because
// the neighbour is then well filled itself.

import { assert } from '../base/assert.js';
import { allocate, type BlockRef, release } from '../slab/alloc.js';
import { NONE, type Slab } from '../slab/slab.js';
import {
  type MemberRef,
  nameBytes,
  nameStart,
  orderOfMember,
  orderOfScore,
  scoreOrder,
  setScore,
} from './member.js';
import {
  BEFORE_ALL,
  BEHIND_ALL,
  checkedNodes,
  checkNodes,
  entriesBefore,
  entriesBeforeName,
  INNER_MAX,
  Inner,
  insertInInner,
  insertInLeaf,
  isEqualAt,
  isFirstInOrder,
  isLastInOrder,
  LEAF_MAX,
  Leaf,
  moveTo,
  NODE_BYTES,
  type Separator,
  saveLeafFirst as saveFirst,
  shiftInLeaf,
  sizeOfInner,
  unlinkLeaf,
} from './tree-node.js';
import { Walk } from './walked.js';

/** A tree's words, inside a block of its owner. */
export const enum TreeRoot {
  Top = 0,
  /** Levels of inner nodes: 0 while the top is a leaf. */
  Height = 1,
  Count = 2,
  Nodes = 3,
  /** See walked.ts. */
  Walk = 4,
  Words = 5,
}

/** Nodes with less look for a neighbour to merge with. */
const LEAF_SPARSE = LEAF_MAX >> 2;
const INNER_SPARSE = INNER_MAX >> 2;
/** Merged nodes keep some room, so that they are not split again at once. */
const LEAF_MERGED_MAX = LEAF_MAX - (LEAF_MAX >> 2);
const INNER_MERGED_MAX = INNER_MAX - (INNER_MAX >> 2);

/** No tree is higher: even nodes of three children would hold more than a slab has room for. */
const LEVELS_MAX = 20;
// The way of the last descent: nodes (word indexes) from the top, and the place taken in each. The
// leaf and the place in it come last.
const pathNodes = new Int32Array(LEVELS_MAX);
const pathPlaces = new Int32Array(LEVELS_MAX);

// ── Searching ────────────────────────────────────────────────────────────────────────────────

/**
 * Descends to the first member that is not before (high, low, name); leaves the way in the path.
 * The place in the leaf may be behind its last member. Returns the level of the leaf.
 */
function descend(
  slab: Slab,
  rootAt: number,
  high: number,
  low: number,
  u8: Uint8Array,
  start: number,
  length: number,
): number {
  const { i32 } = slab;
  const height = i32[rootAt + TreeRoot.Height]!;
  let node = i32[rootAt + TreeRoot.Top]! << 1;
  for (let level = 0; level < height; level++) {
    const count = i32[node + Inner.Count]!;
    const highs = node + Inner.Highs;
    // A separator is a member: the child begins with it, so the child before ends before it.
    let place = entriesBefore(slab, highs, INNER_MAX, 1, count, high, low, u8, start, length);
    if (place === count || !isEqualAt(slab, node, place, high, low, u8, start, length)) place--;
    pathNodes[level] = node;
    pathPlaces[level] = place;
    node = i32[node + Inner.Children + place]! << 1;
  }
  const count = i32[node + Leaf.Count]!;
  const highs = node + Leaf.Highs;
  const place = entriesBefore(slab, highs, LEAF_MAX, 0, count, high, low, u8, start, length);
  pathNodes[height] = node;
  pathPlaces[height] = place;
  return height;
}

/** Descends to the member itself, which must be there. Returns the level of the leaf. */
function descendTo(slab: Slab, rootAt: number, member: MemberRef): number {
  orderOfMember(slab, member);
  const start = nameStart(member);
  const length = nameBytes(slab, member);
  const level = descend(slab, rootAt, scoreOrder.high, scoreOrder.low, slab.u8, start, length);
  const at = pathNodes[level]! + Leaf.Members + pathPlaces[level]!;
  assert(slab.i32[at] === member, 'a member stands where its score puts it');
  return level;
}

/** Members before the place of the path. */
function rankOfPath(slab: Slab, level: number): number {
  const { i32 } = slab;
  let rank = pathPlaces[level]!;
  for (let index = 0; index < level; index++) {
    const sizes = pathNodes[index]! + Inner.Sizes;
    const end = sizes + pathPlaces[index]!;
    for (let at = sizes; at < end; at++) rank += i32[at]!;
  }
  return rank;
}

/** How many members come before this one, which must be in the tree. */
export function treeRank(slab: Slab, rootAt: number, member: MemberRef): number {
  return rankOfPath(slab, descendTo(slab, rootAt, member));
}

const NO_NAME = new Uint8Array(0);

/** How many members have a lower score, or with `isWithEqual` a lower or the same. */
export function treeRankOfScore(
  slab: Slab,
  rootAt: number,
  score: number,
  isWithEqual: boolean,
): number {
  if (slab.i32[rootAt + TreeRoot.Top] === NONE) return 0;
  orderOfScore(score);
  const { high, low } = scoreOrder;
  const length = isWithEqual ? BEHIND_ALL : BEFORE_ALL;
  return rankOfPath(slab, descend(slab, rootAt, high, low, NO_NAME, 0, length));
}

/**
 * How many members have a lower name, or with `isWithEqual` a lower or the same, when all have the
 * same score. Otherwise what is answered has no meaning, as on Redis.
 */
export function treeRankOfName(
  slab: Slab,
  rootAt: number,
  u8: Uint8Array,
  start: number,
  length: number,
  isWithEqual: boolean,
): number {
  const { i32 } = slab;
  if (i32[rootAt + TreeRoot.Top] === NONE) return 0;
  const height = i32[rootAt + TreeRoot.Height]!;
  let node = i32[rootAt + TreeRoot.Top]! << 1;
  let rank = 0;
  for (let level = 0; level < height; level++) {
    const count = i32[node + Inner.Count]!;
    const members = node + Inner.Members;
    const place = entriesBeforeName(slab, members, 1, count, u8, start, length, isWithEqual) - 1;
    const sizes = node + Inner.Sizes;
    for (let index = 0; index < place; index++) rank += i32[sizes + index]!;
    node = i32[node + Inner.Children + place]! << 1;
  }
  const count = i32[node + Leaf.Count]!;
  const members = node + Leaf.Members;
  return rank + entriesBeforeName(slab, members, 0, count, u8, start, length, isWithEqual);
}

/** Leaves the way to the member of this rank in the path. Returns the level of the leaf. */
function descendToRank(slab: Slab, rootAt: number, rank: number): number {
  const { i32 } = slab;
  const height = i32[rootAt + TreeRoot.Height]!;
  assert(rank >= 0 && rank < i32[rootAt + TreeRoot.Count]!, 'a rank is that of a member');
  let node = i32[rootAt + TreeRoot.Top]! << 1;
  for (let level = 0; level < height; level++) {
    const sizes = node + Inner.Sizes;
    let place = 0;
    for (let size = i32[sizes]!; size <= rank; size = i32[sizes + place]!) {
      rank -= size;
      place++;
    }
    pathNodes[level] = node;
    pathPlaces[level] = place;
    node = i32[node + Inner.Children + place]! << 1;
  }
  pathNodes[height] = node;
  pathPlaces[height] = rank;
  return height;
}

/** What the touching of refs has read, so that the reads are not optimised away. */
let touchedWords = 0;

/** A place in a tree; valid until the tree changes. */
export class TreeCursor {
  member = NONE as MemberRef;
  private leaf = 0;
  private place = 0;

  /** Goes to the member of this rank, which must be there. */
  seek(slab: Slab, rootAt: number, rank: number): void {
    const level = descendToRank(slab, rootAt, rank);
    this.leaf = pathNodes[level]!;
    this.place = pathPlaces[level]!;
    this.member = slab.i32[this.leaf + Leaf.Members + this.place]! as MemberRef;
  }

  /** Goes to the member behind; false, and stays, at the last one. */
  next(slab: Slab): boolean {
    const { i32 } = slab;
    if (this.place + 1 < i32[this.leaf + Leaf.Count]!) this.place++;
    else {
      const next = i32[this.leaf + Leaf.Next]!;
      if (next === NONE) return false;
      this.leaf = next << 1;
      this.place = 0;
    }
    this.member = i32[this.leaf + Leaf.Members + this.place]! as MemberRef;
    return true;
  }

  /** Goes to the member before; false, and stays, at the first one. */
  previous(slab: Slab): boolean {
    const { i32 } = slab;
    if (this.place > 0) this.place--;
    else {
      const previous = i32[this.leaf + Leaf.Previous]!;
      if (previous === NONE) return false;
      this.leaf = previous << 1;
      this.place = i32[this.leaf + Leaf.Count]! - 1;
    }
    this.member = i32[this.leaf + Leaf.Members + this.place]! as MemberRef;
    return true;
  }

  /**
   * Reads a word of each of the next `count` members in this leaf (of the ones before, with a
   * negative count): they lie anywhere, and reads that do not wait for each other overlap where
   * those of a walk would not.
   */
  touch(slab: Slab, count: number): void {
    const { i32 } = slab;
    const from = count < 0 ? Math.max(0, this.place + count + 1) : this.place;
    const end =
      count < 0 ? this.place + 1 : Math.min(i32[this.leaf + Leaf.Count]!, this.place + count);
    const members = this.leaf + Leaf.Members;
    let words = touchedWords;
    for (let place = from; place < end; place++) words ^= i32[i32[members + place]! << 1]!;
    touchedWords = words;
  }
}

/** The leaf of the first member that is not before u8[start, start + length) of this score. */
export function leafAt(
  slab: Slab,
  rootAt: number,
  score: number,
  u8: Uint8Array,
  start: number,
  length: number,
): number {
  orderOfScore(score);
  const { high, low } = scoreOrder;
  return pathNodes[descend(slab, rootAt, high, low, u8, start, length)]!;
}

// ── Adding ───────────────────────────────────────────────────────────────────────────────────

function createNode(slab: Slab, rootAt: number): number {
  const block = allocate(slab, NODE_BYTES);
  assert(block !== NONE, 'memory for a node was reserved');
  slab.i32[rootAt + TreeRoot.Nodes] = slab.i32[rootAt + TreeRoot.Nodes]! + 1;
  return block << 1;
}

function releaseNode(slab: Slab, rootAt: number, node: number): void {
  slab.i32[rootAt + TreeRoot.Nodes] = slab.i32[rootAt + TreeRoot.Nodes]! - 1;
  release(slab, (node >> 1) as BlockRef);
}

/** Adds a member, which is not there yet. Memory for a few nodes was reserved. */
export function treeInsert(slab: Slab, rootAt: number, member: MemberRef): void {
  const { i32 } = slab;
  if (i32[rootAt + TreeRoot.Top] === NONE) createTop(slab, rootAt);
  orderOfMember(slab, member);
  const { high, low } = scoreOrder;
  const start = nameStart(member);
  const level = descend(slab, rootAt, high, low, slab.u8, start, nameBytes(slab, member));
  insertAtPath(slab, rootAt, level, high, low, member);
}

/** As treeInsert, for a member that comes after all others: nothing is compared. */
export function treeAppend(slab: Slab, rootAt: number, member: MemberRef): void {
  const { i32 } = slab;
  if (i32[rootAt + TreeRoot.Top] === NONE) createTop(slab, rootAt);
  orderOfMember(slab, member);
  const { high, low } = scoreOrder;
  insertAtPath(slab, rootAt, descendToEnd(slab, rootAt), high, low, member);
}

/** The way to behind the last member. Returns the level of the leaf. */
function descendToEnd(slab: Slab, rootAt: number): number {
  const { i32 } = slab;
  const height = i32[rootAt + TreeRoot.Height]!;
  let node = i32[rootAt + TreeRoot.Top]! << 1;
  for (let level = 0; level < height; level++) {
    const place = i32[node + Inner.Count]! - 1;
    pathNodes[level] = node;
    pathPlaces[level] = place;
    node = i32[node + Inner.Children + place]! << 1;
  }
  pathNodes[height] = node;
  pathPlaces[height] = i32[node + Leaf.Count]!;
  return height;
}

/** The top of an empty tree: an empty leaf. */
function createTop(slab: Slab, rootAt: number): void {
  const { i32 } = slab;
  const leaf = createNode(slab, rootAt);
  i32[leaf + Leaf.Count] = 0;
  i32[leaf + Leaf.Next] = NONE;
  i32[leaf + Leaf.Previous] = NONE;
  i32[leaf + Leaf.Epoch] = i32[rootAt + TreeRoot.Walk]! & Walk.EpochMask;
  i32[rootAt + TreeRoot.Top] = leaf >> 1;
  i32[rootAt + TreeRoot.Height] = 0;
}

function insertAtPath(
  slab: Slab,
  rootAt: number,
  level: number,
  high: number,
  low: number,
  member: MemberRef,
): void {
  const { i32 } = slab;
  i32[rootAt + TreeRoot.Count] = i32[rootAt + TreeRoot.Count]! + 1;
  changeSizes(slab, level, 1);
  const leaf = pathNodes[level]!;
  const place = pathPlaces[level]!;
  saveFirst(slab, rootAt + TreeRoot.Walk, leaf);
  if (i32[leaf + Leaf.Count]! < LEAF_MAX) insertInLeaf(slab, leaf, place, high, low, member);
  else splitLeaf(slab, rootAt, level, high, low, member);
}

/** Adds to the sizes on the path above `level`. */
function changeSizes(slab: Slab, level: number, difference: number): void {
  const { i32 } = slab;
  for (let index = 0; index < level; index++) {
    const at = pathNodes[index]! + Inner.Sizes + pathPlaces[index]!;
    i32[at] = i32[at]! + difference;
  }
}

/** Inserts at the end of the path, where the leaf is full: its upper part gets its own leaf. */
function splitLeaf(
  slab: Slab,
  rootAt: number,
  level: number,
  high: number,
  low: number,
  member: number,
): void {
  const { i32 } = slab;
  const left = pathNodes[level]!;
  const place = pathPlaces[level]!;
  const right = createNode(slab, rootAt);
  const next = i32[left + Leaf.Next]!;
  let staying = LEAF_MAX >> 1;
  if (place === LEAF_MAX && next === NONE) staying = LEAF_MAX;
  else if (place === 0 && i32[left + Leaf.Previous] === NONE) staying = 0;

  const moving = LEAF_MAX - staying;
  const highs = left + Leaf.Highs;
  const lows = left + Leaf.Lows;
  const members = left + Leaf.Members;
  moveTo(i32, highs + staying, highs + LEAF_MAX, right + Leaf.Highs);
  moveTo(i32, lows + staying, lows + LEAF_MAX, right + Leaf.Lows);
  moveTo(i32, members + staying, members + LEAF_MAX, right + Leaf.Members);
  i32[left + Leaf.Count] = staying;
  i32[right + Leaf.Count] = moving;
  i32[right + Leaf.Next] = next;
  i32[right + Leaf.Previous] = left >> 1;
  i32[right + Leaf.Epoch] = i32[left + Leaf.Epoch]!;
  i32[left + Leaf.Next] = right >> 1;
  if (next !== NONE) i32[(next << 1) + Leaf.Previous] = right >> 1;

  const isRight = place > staying || moving === 0;
  if (isRight) insertInLeaf(slab, right, place - staying, high, low, member);
  else insertInLeaf(slab, left, place, high, low, member);
  adopt(slab, rootAt, level, right, i32[left + Leaf.Count]!, i32[right + Leaf.Count]!, {
    high: i32[right + Leaf.Highs]!,
    low: i32[right + Leaf.Lows]!,
    member: i32[right + Leaf.Members]!,
  });
}

/**
 * Puts `right` into the tree, behind the node of the path at `level` that was split. Splits are
 * rare enough to allocate a separator.
 */
function adopt(
  slab: Slab,
  rootAt: number,
  level: number,
  right: number,
  leftSize: number,
  rightSize: number,
  separator: Separator,
): void {
  const { i32 } = slab;
  if (level === 0) {
    const top = createNode(slab, rootAt);
    i32[top + Inner.Count] = 1;
    i32[top + Inner.Children] = i32[rootAt + TreeRoot.Top]!;
    i32[top + Inner.Sizes] = leftSize;
    insertInInner(slab, top, 1, right, rightSize, separator);
    i32[rootAt + TreeRoot.Top] = top >> 1;
    i32[rootAt + TreeRoot.Height] = i32[rootAt + TreeRoot.Height]! + 1;
    return;
  }
  const node = pathNodes[level - 1]!;
  const place = pathPlaces[level - 1]!;
  i32[node + Inner.Sizes + place] = leftSize;
  if (i32[node + Inner.Count]! < INNER_MAX) {
    insertInInner(slab, node, place + 1, right, rightSize, separator);
  } else {
    splitInner(slab, rootAt, level - 1, place + 1, right, rightSize, separator);
  }
}

/** Inserts a child at `place` of the path's node at `level`, which is full. */
function splitInner(
  slab: Slab,
  rootAt: number,
  level: number,
  place: number,
  child: number,
  size: number,
  separator: Separator,
): void {
  const { i32 } = slab;
  const left = pathNodes[level]!;
  const right = createNode(slab, rootAt);
  const isGrowing = place === INNER_MAX && isLastOfPath(slab, level);
  const staying = isGrowing ? INNER_MAX : (INNER_MAX + 1) >> 1;
  for (let field: number = Inner.Children; field < Inner.Words; field += INNER_MAX) {
    moveTo(i32, left + field + staying, left + field + INNER_MAX, right + field);
  }
  i32[left + Inner.Count] = staying;
  i32[right + Inner.Count] = INNER_MAX - staying;
  if (place > staying || isGrowing) {
    insertInInner(slab, right, place - staying, child, size, separator);
  } else {
    insertInInner(slab, left, place, child, size, separator);
  }
  adopt(slab, rootAt, level, right, sizeOfInner(slab, left), sizeOfInner(slab, right), {
    high: i32[right + Inner.Highs]!,
    low: i32[right + Inner.Lows]!,
    member: i32[right + Inner.Members]!,
  });
}

/** Is the node of the path at `level` the last of its level? */
function isLastOfPath(slab: Slab, level: number): boolean {
  for (let index = 0; index < level; index++) {
    if (pathPlaces[index]! + 1 < slab.i32[pathNodes[index]! + Inner.Count]!) return false;
  }
  return true;
}

// ── Removing ─────────────────────────────────────────────────────────────────────────────────

/** Takes a member, which must be there, out of the tree. Its block stays. */
export function treeRemove(slab: Slab, rootAt: number, member: MemberRef): void {
  removeRun(slab, rootAt, descendTo(slab, rootAt, member), 1);
}

/** Members that treeRemoveFrom may take out at once. */
export const RUN_MAX = LEAF_MAX;

/**
 * Takes the member of this rank and some that follow it out of the tree: at most `limit`, and only
 * those of one leaf. Their refs are left in `removed`; returns how many. Their blocks stay.
 */
export function treeRemoveFrom(
  slab: Slab,
  rootAt: number,
  rank: number,
  limit: number,
  removed: Int32Array,
): number {
  const { i32 } = slab;
  const level = descendToRank(slab, rootAt, rank);
  const leaf = pathNodes[level]!;
  const place = pathPlaces[level]!;
  const count = Math.min(limit, i32[leaf + Leaf.Count]! - place);
  const members = leaf + Leaf.Members + place;
  for (let index = 0; index < count; index++) removed[index] = i32[members + index]!;
  removeRun(slab, rootAt, level, count);
  return count;
}

/** Takes out the member at the end of the path and those behind it in its leaf: `run` in all. */
function removeRun(slab: Slab, rootAt: number, level: number, run: number): void {
  const { i32 } = slab;
  const leaf = pathNodes[level]!;
  const place = pathPlaces[level]!;
  const count = i32[leaf + Leaf.Count]!;
  saveFirst(slab, rootAt + TreeRoot.Walk, leaf);
  changeSizes(slab, level, -run);
  i32[rootAt + TreeRoot.Count] = i32[rootAt + TreeRoot.Count]! - run;
  for (let field: number = Leaf.Highs; field < Leaf.Words; field += LEAF_MAX) {
    const at = leaf + field + place;
    moveTo(i32, at + run, leaf + field + count, at);
  }
  const left = count - run;
  i32[leaf + Leaf.Count] = left;
  if (left === 0) {
    removeLeaf(slab, rootAt, level);
    return;
  }
  if (place === 0) renameFirst(slab, level);
  if (left < LEAF_SPARSE && level > 0) mergeLeaf(slab, rootAt, level);
}

/** The leaf of the path begins with another member, or with another score, than it did. */
function renameFirst(slab: Slab, level: number): void {
  const { i32 } = slab;
  const leaf = pathNodes[level]!;
  separate(slab, level, i32[leaf + Leaf.Highs]!, i32[leaf + Leaf.Lows]!, i32[leaf + Leaf.Members]!);
}

/** What lies below the path's node at `level` begins with this member now. */
function separate(slab: Slab, level: number, high: number, low: number, member: number): void {
  const { i32 } = slab;
  // The separator stands where the path last does not take the first child.
  for (let index = level - 1; index >= 0; index--) {
    const place = pathPlaces[index]!;
    if (place === 0) continue;
    const node = pathNodes[index]!;
    i32[node + Inner.Highs + place] = high;
    i32[node + Inner.Lows + place] = low;
    i32[node + Inner.Members + place] = member;
    return;
  }
}

/** The leaf of the path has become empty. */
function removeLeaf(slab: Slab, rootAt: number, level: number): void {
  const leaf = pathNodes[level]!;
  unlinkLeaf(slab, leaf);
  releaseNode(slab, rootAt, leaf);
  removeChild(slab, rootAt, level - 1, level === 0 ? 0 : pathPlaces[level - 1]!);
}

/**
 * Takes the child at `place` out of the path's node at `level`; it has been released. Nodes that
 * become empty go, too, and the top goes while it has one child only.
 */
function removeChild(slab: Slab, rootAt: number, level: number, place: number): void {
  const { i32 } = slab;
  if (level < 0) {
    i32[rootAt + TreeRoot.Top] = NONE;
    i32[rootAt + TreeRoot.Height] = 0;
    return;
  }
  const node = pathNodes[level]!;
  const count = i32[node + Inner.Count]! - 1;
  for (let field: number = Inner.Children; field < Inner.Words; field += INNER_MAX) {
    const at = node + field + place;
    moveTo(i32, at + 1, node + field + count + 1, at);
  }
  i32[node + Inner.Count] = count;
  if (count === 0) {
    releaseNode(slab, rootAt, node);
    removeChild(slab, rootAt, level - 1, level === 0 ? 0 : pathPlaces[level - 1]!);
    return;
  }
  if (place === 0) {
    separate(
      slab,
      level,
      i32[node + Inner.Highs]!,
      i32[node + Inner.Lows]!,
      i32[node + Inner.Members]!,
    );
  }
  if (level === 0) lowerTop(slab, rootAt);
  else if (count < INNER_SPARSE) mergeInner(slab, rootAt, level);
}

function lowerTop(slab: Slab, rootAt: number): void {
  const { i32 } = slab;
  while (i32[rootAt + TreeRoot.Height]! > 0) {
    const top = i32[rootAt + TreeRoot.Top]! << 1;
    if (i32[top + Inner.Count] !== 1) return;
    i32[rootAt + TreeRoot.Top] = i32[top + Inner.Children]!;
    i32[rootAt + TreeRoot.Height] = i32[rootAt + TreeRoot.Height]! - 1;
    releaseNode(slab, rootAt, top);
  }
}

/** The leaf of the path is sparse: it becomes one with a neighbour when both have room together. */
function mergeLeaf(slab: Slab, rootAt: number, level: number): void {
  const { i32 } = slab;
  const node = pathNodes[level - 1]!;
  const place = pathPlaces[level - 1]!;
  const count = i32[pathNodes[level]! + Leaf.Count]!;
  // Left and right of the pair by the place of the right one.
  const next = place + 1;
  let second = 0;
  if (place > 0) {
    const before = i32[node + Inner.Children + place - 1]! << 1;
    if (i32[before + Leaf.Count]! + count <= LEAF_MERGED_MAX) second = place;
  }
  if (second === 0 && next < i32[node + Inner.Count]!) {
    const behind = i32[node + Inner.Children + next]! << 1;
    if (i32[behind + Leaf.Count]! + count <= LEAF_MERGED_MAX) second = next;
  }
  if (second === 0) return;
  const left = i32[node + Inner.Children + second - 1]! << 1;
  const right = i32[node + Inner.Children + second]! << 1;
  const leftCount = i32[left + Leaf.Count]!;
  const rightCount = i32[right + Leaf.Count]!;
  saveFirst(slab, rootAt + TreeRoot.Walk, left);
  saveFirst(slab, rootAt + TreeRoot.Walk, right);
  for (let field: number = Leaf.Highs; field < Leaf.Words; field += LEAF_MAX) {
    const from = right + field;
    moveTo(i32, from, from + rightCount, left + field + leftCount);
  }
  i32[left + Leaf.Count] = leftCount + rightCount;
  i32[node + Inner.Sizes + second - 1] = leftCount + rightCount;
  unlinkLeaf(slab, right);
  releaseNode(slab, rootAt, right);
  removeChild(slab, rootAt, level - 1, second);
}

/** As mergeLeaf, for an inner node. */
function mergeInner(slab: Slab, rootAt: number, level: number): void {
  const { i32 } = slab;
  const parent = pathNodes[level - 1]!;
  const place = pathPlaces[level - 1]!;
  const count = i32[pathNodes[level]! + Inner.Count]!;
  const next = place + 1;
  let second = 0;
  if (place > 0) {
    const before = i32[parent + Inner.Children + place - 1]! << 1;
    if (i32[before + Inner.Count]! + count <= INNER_MERGED_MAX) second = place;
  }
  if (second === 0 && next < i32[parent + Inner.Count]!) {
    const behind = i32[parent + Inner.Children + next]! << 1;
    if (i32[behind + Inner.Count]! + count <= INNER_MERGED_MAX) second = next;
  }
  if (second === 0) return;
  const left = i32[parent + Inner.Children + second - 1]! << 1;
  const right = i32[parent + Inner.Children + second]! << 1;
  const leftCount = i32[left + Inner.Count]!;
  const rightCount = i32[right + Inner.Count]!;
  for (let field: number = Inner.Children; field < Inner.Words; field += INNER_MAX) {
    const from = right + field;
    moveTo(i32, from, from + rightCount, left + field + leftCount);
  }
  // What was the right node's first child is separated by what separated the nodes.
  i32[left + Inner.Highs + leftCount] = i32[parent + Inner.Highs + second]!;
  i32[left + Inner.Lows + leftCount] = i32[parent + Inner.Lows + second]!;
  i32[left + Inner.Members + leftCount] = i32[parent + Inner.Members + second]!;
  i32[left + Inner.Count] = leftCount + rightCount;
  const sizes = parent + Inner.Sizes + second;
  i32[sizes - 1] = i32[sizes - 1]! + i32[sizes]!;
  releaseNode(slab, rootAt, right);
  removeChild(slab, rootAt, level - 1, second);
}

// ── Changing a score ─────────────────────────────────────────────────────────────────────────

/**
 * Gives a member another score. It stays in its leaf when its new place is between that leaf's
 * members; otherwise it is taken out and added again. Memory for a few nodes was reserved.
 */
export function treeMove(slab: Slab, rootAt: number, member: MemberRef, score: number): void {
  const { i32 } = slab;
  const level = descendTo(slab, rootAt, member);
  const wasHigh = scoreOrder.high;
  const wasLow = scoreOrder.low;
  saveFirst(slab, rootAt + TreeRoot.Walk, pathNodes[level]!);
  orderOfScore(score);
  const { high, low } = scoreOrder;
  setScore(slab, member, score);
  const leaf = pathNodes[level]!;
  const from = pathPlaces[level]!;
  const count = i32[leaf + Leaf.Count]!;
  const isRising = wasHigh !== high ? wasHigh < high : wasLow < low;
  const start = nameStart(member);
  const length = nameBytes(slab, member);
  const highs = leaf + Leaf.Highs;
  // Rising, only what lies behind may have to give way, and the member itself leaves a gap before
  // it; falling, only what lies before.
  let to: number;
  if (isRising) {
    to =
      entriesBefore(slab, highs, LEAF_MAX, from + 1, count, high, low, slab.u8, start, length) - 1;
    if (to === count - 1 && !isLastInOrder(slab, leaf, high, low, start, length)) to = count;
  } else {
    to = entriesBefore(slab, highs, LEAF_MAX, 0, from, high, low, slab.u8, start, length);
    if (to === 0 && from > 0 && i32[leaf + Leaf.Previous] !== NONE) to = -1;
    else if (from === 0 && !isFirstInOrder(slab, leaf, high, low, start, length)) to = -1;
  }
  if (to < 0 || to === count) {
    removeRun(slab, rootAt, level, 1);
    treeInsert(slab, rootAt, member);
    return;
  }
  if (to !== from) shiftInLeaf(slab, leaf, from, to);
  i32[leaf + Leaf.Highs + to] = high;
  i32[leaf + Leaf.Lows + to] = low;
  i32[leaf + Leaf.Members + to] = member;
  if (from === 0 || to === 0) renameFirst(slab, level);
}

// ── The whole tree ───────────────────────────────────────────────────────────────────────────

/** Bytes that the nodes take. */
export function treeBytes(slab: Slab, rootAt: number): number {
  return slab.i32[rootAt + TreeRoot.Nodes]! * NODE_BYTES;
}

/** Nodes that adding `count` members may need, in bytes. */
export function treeReserve(count: number): number {
  // Each half of a split leaf takes half a leaf of new members before it splits again; the inner
  // nodes are a twentieth of that, and the first split may go up to the top.
  return (Math.ceil(count / (LEAF_MAX >> 1)) * 1.1 + 2) * NODE_BYTES;
}

/**
 * Frees nodes for about `budget` members, from the end. True when none is left. The members' blocks
 * are the caller's, and need not be there any more.
 */
export function treeFreeStep(slab: Slab, rootAt: number, budget: number): boolean {
  const { i32 } = slab;
  while (i32[rootAt + TreeRoot.Top] !== NONE) {
    if (budget <= 0) return false;
    budget -= LEAF_MAX;
    const height = i32[rootAt + TreeRoot.Height]!;
    let node = i32[rootAt + TreeRoot.Top]! << 1;
    for (let level = 0; level < height; level++) {
      const last = i32[node + Inner.Count]! - 1;
      pathNodes[level] = node;
      node = i32[node + Inner.Children + last]! << 1;
    }
    releaseNode(slab, rootAt, node);
    let level = height - 1;
    for (; level >= 0; level--) {
      const parent = pathNodes[level]!;
      i32[parent + Inner.Count] = i32[parent + Inner.Count]! - 1;
      if (i32[parent + Inner.Count]! > 0) break;
      releaseNode(slab, rootAt, parent);
    }
    if (level < 0) i32[rootAt + TreeRoot.Top] = NONE;
  }
  return true;
}

/** An empty tree. */
export function clearTree(slab: Slab, rootAt: number): void {
  slab.i32.fill(0, rootAt, rootAt + TreeRoot.Words);
}

/** Walks the whole tree and asserts its invariants. Returns how many members it holds. */
export function checkTree(slab: Slab, rootAt: number): number {
  const { i32 } = slab;
  const count = checkNodes(slab, i32[rootAt + TreeRoot.Top]!, i32[rootAt + TreeRoot.Height]!);
  assert(count === i32[rootAt + TreeRoot.Count], 'the count is of what is there');
  assert(checkedNodes() === i32[rootAt + TreeRoot.Nodes], 'all nodes hang in the tree');
  return count;
}
