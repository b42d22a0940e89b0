// The share of trees in the walk through a large value (walked.ts): nodes are leaves. The walk goes
// in the order of the members and remembers the last member of the last leaf that it has passed.
// Behind that member stands what it has not seen, whatever was split, joined or freed meanwhile:
// members of leaves with the other epoch have not moved, and before it there are none, for a leaf
// that was passed keeps the value's epoch, as does what becomes of it.

import { assert } from '../base/assert.js';
import { NONE, type Slab } from '../slab/slab.js';
import { type MemberRef, nameBytes, nameStart, scoreOf } from './member.js';
import type { TakeNode } from './table-first.js';
import { leafAt, TreeRoot } from './tree.js';
import { Inner, Leaf } from './tree-node.js';
import { isWalked, Order, Walk } from './walked.js';

/** Up to where the walk has come. */
export class TreePlace {
  hasBegun = false;
  score = 0;
  name = new Uint8Array(new ArrayBuffer(64));
  length = 0;

  /** The walk has passed this member, and all before it. */
  passed(slab: Slab, member: MemberRef): void {
    const start = nameStart(member);
    const length = nameBytes(slab, member);
    if (this.name.length < length) this.name = new Uint8Array(new ArrayBuffer(2 * length));
    this.name.set(slab.u8.subarray(start, start + length));
    this.length = length;
    this.score = scoreOf(slab, member);
    this.hasBegun = true;
  }
}

function firstLeaf(slab: Slab, rootAt: number): number {
  const { i32 } = slab;
  let node = i32[rootAt + TreeRoot.Top]! << 1;
  for (let level = i32[rootAt + TreeRoot.Height]!; level > 0; level--) {
    node = i32[node + Inner.Children]! << 1;
  }
  return node;
}

/**
 * Goes on with the walk behind `place`, over at most `leaves` leaves and until `isEnough`. True
 * when it is over.
 */
export function walkTree(
  slab: Slab,
  rootAt: number,
  place: TreePlace,
  leaves: number,
  take: TakeNode,
  isEnough: () => boolean,
): boolean {
  const { i32 } = slab;
  const walkAt = rootAt + TreeRoot.Walk;
  const epoch = i32[walkAt]! & Walk.EpochMask;
  if (i32[rootAt + TreeRoot.Top] === NONE) return true;
  let leaf = place.hasBegun
    ? leafAt(slab, rootAt, place.score, place.name, 0, place.length)
    : firstLeaf(slab, rootAt);
  // The first leaf may be the one that was passed last: without another there is no headway.
  let hasTaken = false;
  for (let left = leaves; ; left--) {
    if (i32[leaf + Leaf.Epoch] !== epoch) {
      take(slab, walkAt, leaf, Order.None);
      i32[leaf + Leaf.Epoch] = epoch;
      hasTaken = true;
    }
    const next = i32[leaf + Leaf.Next]!;
    if (next === NONE) return true;
    if (left <= 1 || (hasTaken && isEnough())) {
      const last = i32[leaf + Leaf.Count]! - 1;
      place.passed(slab, i32[leaf + Leaf.Members + last]! as MemberRef);
      return false;
    }
    leaf = next << 1;
  }
}

/** Asserts that no walk has left a leaf behind. */
export function checkTreeEpochs(slab: Slab, rootAt: number): void {
  const { i32 } = slab;
  const walkAt = rootAt + TreeRoot.Walk;
  if (isWalked(slab, walkAt) || i32[rootAt + TreeRoot.Top] === NONE) return;
  const epoch = i32[walkAt]! & Walk.EpochMask;
  for (let leaf = firstLeaf(slab, rootAt); leaf !== NONE; leaf = i32[leaf + Leaf.Next]! << 1) {
    assert(i32[leaf + Leaf.Epoch] === epoch, 'a leaf has the epoch of its tree');
  }
}
