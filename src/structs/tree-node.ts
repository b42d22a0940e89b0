// The nodes of a counted B+tree (tree.ts): how they lie in memory, and what is done within one.
//
//   leaf, 1 KiB: the scores lie beside the refs, so that a search meets members only at a tie
//   ┌───────┬──────┬──────────┬────────┬───────────────┬──────────────┬────────────┐
//   │ count │ next │ previous │ epoch  │ 84 high words │ 84 low words │ 84 members │
//   └───────┴──────┴──────────┴────────┴───────────────┴──────────────┴────────────┘
//   inner node, 1 KiB
//   ┌───────┬─────────────┬──────────┬───────────────┬──────────────┬────────────┐
//   │ count │ 51 children │ 51 sizes │ 51 high words │ 51 low words │ 51 members │
//   └───────┴─────────────┴──────────┴───────────────┴──────────────┴────────────┘
//
// High word, low word and member at place i of an inner node separate child i - 1 from child i:
// they are those of the first member below child i, exactly, so that no separator outlives its
// member. Those at place 0 mean nothing. High and low are the words of structs/member.ts.
//
// The layouts are exported, against the rule, because two files share them: the way through a tree
// and the inside of its nodes are too much for one.

import { assert } from '../base/assert.js';
import { NONE, type Slab } from '../slab/slab.js';
import {
  checkMember,
  compareName,
  type MemberRef,
  nameBytes,
  nameStart,
  orderOfMember,
  scoreOrder,
} from './member.js';
import { Order, Walk, walkedNodes } from './walked.js';

export const LEAF_MAX = 84;
export const INNER_MAX = 51;

export const enum Leaf {
  Count = 0,
  Next = 1,
  Previous = 2,
  /** Of the walk through the tree, see walked.ts. */
  Epoch = 3,
  Highs = 4,
  Lows = Highs + 84,
  Members = Lows + 84,
  Words = Members + 84,
}

export const enum Inner {
  Count = 0,
  Children = 1,
  Sizes = Children + 51,
  Highs = Sizes + 51,
  Lows = Highs + 51,
  Members = Lows + 51,
  Words = Members + 51,
}

export const NODE_BYTES = 1024;
assert(Leaf.Words * 4 <= NODE_BYTES && Inner.Words * 4 <= NODE_BYTES, 'nodes fit their blocks');
assert(Leaf.Words - Leaf.Members === LEAF_MAX, 'a leaf has the room that is spoken of');
assert(Inner.Words - Inner.Members === INNER_MAX, 'an inner node has the room that is spoken of');

/** As the length of a name: before, or behind, all members of the score. */
export const BEFORE_ALL = -1;
export const BEHIND_ALL = -2;

/** Does the member sort before the name? */
export function isNameBefore(
  slab: Slab,
  member: number,
  u8: Uint8Array,
  start: number,
  length: number,
): boolean {
  if (length < 0) return length === BEHIND_ALL;
  return compareName(slab, member as MemberRef, u8, start, length) < 0;
}

/**
 * How many of the `count` entries, whose high words begin at `highs`, lie before the target. Lows
 * and members follow at the same `distance`, from `first` on.
 */
export function entriesBefore(
  slab: Slab,
  highs: number,
  distance: number,
  first: number,
  count: number,
  high: number,
  low: number,
  u8: Uint8Array,
  start: number,
  length: number,
): number {
  const { i32 } = slab;
  const lows = highs + distance;
  const members = lows + distance;
  let from = first;
  let to = count;
  while (from < to) {
    const middle = (from + to) >>> 1;
    const difference = i32[highs + middle]!;
    let isBefore: boolean;
    if (difference !== high) isBefore = difference < high;
    else {
      const lowHere = i32[lows + middle]!;
      if (lowHere !== low) isBefore = lowHere < low;
      else isBefore = isNameBefore(slab, i32[members + middle]!, u8, start, length);
    }
    if (isBefore) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** As entriesBefore, by names alone: for sets whose members all have one score. */
export function entriesBeforeName(
  slab: Slab,
  members: number,
  first: number,
  count: number,
  u8: Uint8Array,
  start: number,
  length: number,
  isWithEqual: boolean,
): number {
  const { i32 } = slab;
  let from = first;
  let to = count;
  while (from < to) {
    const middle = (from + to) >>> 1;
    const order = compareName(slab, i32[members + middle]! as MemberRef, u8, start, length);
    if (order < 0 || (isWithEqual && order === 0)) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** Is the separator at `place` the member that is looked for? */
export function isEqualAt(
  slab: Slab,
  node: number,
  place: number,
  high: number,
  low: number,
  u8: Uint8Array,
  start: number,
  length: number,
): boolean {
  const { i32 } = slab;
  if (length < 0) return false;
  if (i32[node + Inner.Highs + place] !== high || i32[node + Inner.Lows + place] !== low) {
    return false;
  }
  const member = i32[node + Inner.Members + place]! as MemberRef;
  return compareName(slab, member, u8, start, length) === 0;
}

export function sizeOfInner(slab: Slab, node: number): number {
  const { i32 } = slab;
  const sizes = node + Inner.Sizes;
  const end = sizes + i32[node + Inner.Count]!;
  let size = 0;
  for (let at = sizes; at < end; at++) size += i32[at]!;
  return size;
}

// ── Changes ──────────────────────────────────────────────────────────────────────────────────

/** Moves i32[from, end) up by `distance` words. */
export function moveUp(i32: Int32Array, from: number, end: number, distance: number): void {
  for (let at = end - 1; at >= from; at--) i32[at + distance] = i32[at]!;
}

/** Moves i32[from, end) to `to`, which lies before or elsewhere. */
export function moveTo(i32: Int32Array, from: number, end: number, to: number): void {
  for (let at = from; at < end; at++) i32[to++] = i32[at]!;
}

export function insertInLeaf(
  slab: Slab,
  leaf: number,
  place: number,
  high: number,
  low: number,
  member: number,
): void {
  const { i32 } = slab;
  const count = i32[leaf + Leaf.Count]!;
  const highs = leaf + Leaf.Highs;
  const lows = leaf + Leaf.Lows;
  const members = leaf + Leaf.Members;
  moveUp(i32, highs + place, highs + count, 1);
  moveUp(i32, lows + place, lows + count, 1);
  moveUp(i32, members + place, members + count, 1);
  i32[highs + place] = high;
  i32[lows + place] = low;
  i32[members + place] = member;
  i32[leaf + Leaf.Count] = count + 1;
}

/** The first member below a node, and the words of its score. */
export interface Separator {
  readonly high: number;
  readonly low: number;
  readonly member: number;
}

export function insertInInner(
  slab: Slab,
  node: number,
  place: number,
  child: number,
  size: number,
  separator: Separator,
): void {
  const { i32 } = slab;
  const count = i32[node + Inner.Count]!;
  for (let field: number = Inner.Children; field < Inner.Words; field += INNER_MAX) {
    moveUp(i32, node + field + place, node + field + count, 1);
  }
  i32[node + Inner.Children + place] = child >> 1;
  i32[node + Inner.Sizes + place] = size;
  i32[node + Inner.Highs + place] = separator.high;
  i32[node + Inner.Lows + place] = separator.low;
  i32[node + Inner.Members + place] = separator.member;
  i32[node + Inner.Count] = count + 1;
}

/** Makes a gap at `to` out of the one at `from`. */
export function shiftInLeaf(slab: Slab, leaf: number, from: number, to: number): void {
  const { i32 } = slab;
  for (let field: number = Leaf.Highs; field < Leaf.Words; field += LEAF_MAX) {
    const base = leaf + field;
    if (from < to) moveTo(i32, base + from + 1, base + to + 1, base + from);
    else moveUp(i32, base + to, base + from, 1);
  }
}

export function unlinkLeaf(slab: Slab, leaf: number): void {
  const { i32 } = slab;
  const next = i32[leaf + Leaf.Next]!;
  const previous = i32[leaf + Leaf.Previous]!;
  if (next !== NONE) i32[(next << 1) + Leaf.Previous] = previous;
  if (previous !== NONE) i32[(previous << 1) + Leaf.Next] = next;
}

/** Would a member at the end of the leaf stand before the next leaf's members? */
export function isLastInOrder(
  slab: Slab,
  leaf: number,
  high: number,
  low: number,
  start: number,
  length: number,
): boolean {
  const next = slab.i32[leaf + Leaf.Next]!;
  if (next === NONE) return true;
  const highs = (next << 1) + Leaf.Highs;
  return entriesBefore(slab, highs, LEAF_MAX, 0, 1, high, low, slab.u8, start, length) === 0;
}

/** Would a member at the beginning of the leaf stand behind the leaf's before? */
export function isFirstInOrder(
  slab: Slab,
  leaf: number,
  high: number,
  low: number,
  start: number,
  length: number,
): boolean {
  const previous = slab.i32[leaf + Leaf.Previous]!;
  if (previous === NONE) return true;
  const before = previous << 1;
  const last = slab.i32[before + Leaf.Count]! - 1;
  const highs = before + Leaf.Highs;
  const end = last + 1;
  return entriesBefore(slab, highs, LEAF_MAX, last, end, high, low, slab.u8, start, length) === end;
}

// ── A snapshot's walk, see walked.ts ─────────────────────────────────────────────────────────

/** A leaf is about to change: the walk through the tree has its members first. */
export function saveLeafFirst(slab: Slab, walkAt: number, leaf: number): void {
  const { i32 } = slab;
  const epoch = i32[walkAt]! & Walk.EpochMask;
  if (i32[leaf + Leaf.Epoch] === epoch) return;
  walkedNodes.save(slab, walkAt, leaf, Order.None);
  i32[leaf + Leaf.Epoch] = epoch;
}

/** Calls `visit` for every member of a leaf. */
export function eachInLeaf(
  slab: Slab,
  leaf: number,
  visit: (slab: Slab, member: MemberRef) => void,
): void {
  const { i32 } = slab;
  const members = leaf + Leaf.Members;
  const end = members + i32[leaf + Leaf.Count]!;
  // Members lie anywhere: reads that do not wait for each other overlap, those of visits do not.
  let words = touchedWords;
  for (let at = members; at < end; at++) words ^= i32[i32[at]! << 1]!;
  touchedWords = words;
  for (let at = members; at < end; at++) visit(slab, i32[at]! as MemberRef);
}

/** What touching has read, so that the reads are not optimised away. */
let touchedWords = 0;

// ── Checking ─────────────────────────────────────────────────────────────────────────────────

/** Walks all nodes below `top` and asserts their invariants. Returns how many members there are. */
export function checkNodes(slab: Slab, top: number, height: number): number {
  walk.leaf = NONE;
  walk.nodes = 0;
  walk.member = NONE as MemberRef;
  const count = top === NONE ? 0 : checkNode(slab, top << 1, height);
  const { leaf } = walk;
  if (leaf !== NONE) assert(slab.i32[leaf + Leaf.Next] === NONE, 'the last leaf is the last');
  return count;
}

/** The nodes that checkNodes has met. */
export function checkedNodes(): number {
  return walk.nodes;
}

/** Where checkNodes is: the leaf and the member met last. */
const walk = { leaf: 0, nodes: 0, member: NONE as MemberRef };

function checkNode(slab: Slab, node: number, height: number): number {
  const { i32 } = slab;
  walk.nodes++;
  if (height === 0) return checkLeaf(slab, node);
  const count = i32[node + Inner.Count]!;
  assert(count > 0 && count <= INNER_MAX, 'an inner node has children');
  let size = 0;
  for (let place = 0; place < count; place++) {
    const child = i32[node + Inner.Children + place]! << 1;
    if (place > 0) {
      let first = child;
      for (let level = height - 1; level > 0; level--) first = i32[first + Inner.Children]! << 1;
      const isFirst =
        i32[first + Leaf.Members] === i32[node + Inner.Members + place] &&
        i32[first + Leaf.Highs] === i32[node + Inner.Highs + place] &&
        i32[first + Leaf.Lows] === i32[node + Inner.Lows + place];
      assert(isFirst, 'a separator is the first member behind it');
    }
    const below = checkNode(slab, child, height - 1);
    assert(below === i32[node + Inner.Sizes + place], 'a size is of what lies below');
    size += below;
  }
  return size;
}

function checkLeaf(slab: Slab, leaf: number): number {
  const { i32 } = slab;
  const count = i32[leaf + Leaf.Count]!;
  assert(count > 0 && count <= LEAF_MAX, 'a leaf has members');
  assert(i32[leaf + Leaf.Previous] === walk.leaf >> 1, 'a leaf knows the one before');
  if (walk.leaf !== NONE) assert(i32[walk.leaf + Leaf.Next] === leaf >> 1, 'leaves are linked');
  walk.leaf = leaf;
  for (let place = 0; place < count; place++) {
    const member = i32[leaf + Leaf.Members + place]! as MemberRef;
    checkMember(slab, member);
    orderOfMember(slab, member);
    const { high, low } = scoreOrder;
    const isOwn = i32[leaf + Leaf.Highs + place] === high && i32[leaf + Leaf.Lows + place] === low;
    assert(isOwn, 'the score beside a member is its own');
    if (walk.member !== NONE) assert(isInOrder(slab, walk.member, member), 'members are in order');
    walk.member = member;
  }
  return count;
}

function isInOrder(slab: Slab, first: MemberRef, second: MemberRef): boolean {
  orderOfMember(slab, first);
  const { high, low } = scoreOrder;
  orderOfMember(slab, second);
  if (high !== scoreOrder.high) return high < scoreOrder.high;
  if (low !== scoreOrder.low) return low < scoreOrder.low;
  return compareName(slab, first, slab.u8, nameStart(second), nameBytes(slab, second)) < 0;
}
