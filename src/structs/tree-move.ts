// Moving the blocks of a counted tree (tree.ts) together: its nodes, and the members. The walk goes
// by rank, leaf by leaf, so it may stop behind any leaf and go on after any change.

import { move, moveAt, moving } from '../slab/moving.js';
import { NONE, type Slab } from '../slab/slab.js';
import { TreeRoot } from './tree.js';
import { Inner, Leaf } from './tree-node.js';

/** A member stands at `to` now, with its score and its name. */
export type MemberMoved = (slab: Slab, from: number, to: number) => void;

/**
 * Goes on with the leaf that holds the member at `rank`, over at least one leaf and until the
 * budget is spent (slab/moving.ts). Returns the rank to go on with, 0 when all have been met.
 */
export function moveTree(slab: Slab, rootAt: number, rank: number, tell: MemberMoved): number {
  const { i32 } = slab;
  let at = rank;
  while (at < i32[rootAt + TreeRoot.Count]!) {
    at = moveLeaf(slab, rootAt, at, tell);
    if (moving.units <= 0) return at < i32[rootAt + TreeRoot.Count]! ? at : 0;
  }
  return 0;
}

/** The leaf with the member at `rank`, and the inner nodes that begin with it. Returns its end. */
function moveLeaf(slab: Slab, rootAt: number, rank: number, tell: MemberMoved): number {
  const { i32 } = slab;
  /** The word that refers to the node. */
  let wordAt = rootAt + TreeRoot.Top;
  /** Where the first member of the leaf stands as a separator: in the last node but as first. */
  let separatorAt = 0;
  let left = rank;
  for (let level = i32[rootAt + TreeRoot.Height]!; level > 0; level--) {
    if (left === 0) moveAt(slab, wordAt);
    const node = i32[wordAt]! << 1;
    let place = 0;
    while (left >= i32[node + Inner.Sizes + place]!) {
      left -= i32[node + Inner.Sizes + place]!;
      place++;
    }
    if (place > 0) separatorAt = node + Inner.Members + place;
    wordAt = node + Inner.Children + place;
  }
  if (moveAt(slab, wordAt)) relinkLeaf(slab, i32[wordAt]!);
  const leaf = i32[wordAt]! << 1;
  const count = i32[leaf + Leaf.Count]!;
  for (let place = 0; place < count; place++) {
    const member = i32[leaf + Leaf.Members + place]!;
    const moved = move(slab, member);
    if (moved === member) continue;
    i32[leaf + Leaf.Members + place] = moved;
    if (place === 0 && separatorAt !== 0) i32[separatorAt] = moved;
    tell(slab, member, moved);
  }
  return rank - left + count;
}

function relinkLeaf(slab: Slab, leaf: number): void {
  const { i32 } = slab;
  const next = i32[(leaf << 1) + Leaf.Next]!;
  const previous = i32[(leaf << 1) + Leaf.Previous]!;
  if (next !== NONE) i32[(next << 1) + Leaf.Previous] = leaf;
  if (previous !== NONE) i32[(previous << 1) + Leaf.Next] = leaf;
}
