// The share of chains in the walk through a large value (walked.ts). The order of nodes matters, so
// the chain knows how many of its places, from both ends, the walk need not see any more: they were
// handed over, or were made after the cut.
//
//   places   │ front │   what the walk has yet to see, as it was at the cut   │ back │
//
// The walk takes the first place behind the front. Whoever changes or frees a node in between first
// hands over all nodes up to it, from the end that is nearer: those from the front in their order,
// those from the back in the opposite one. What is put in or taken out at either side only moves
// the ends. So a change in the very middle of a list hands over half of it at the most, which is
// what finding that place costs as well; changes at the ends hand over a node.

import { assert } from '../base/assert.js';
import type { BlockRef } from '../slab/alloc.js';
import type { Slab } from '../slab/slab.js';
import { Chain, type ChainRef, Place, placeAt } from './chain-layout.js';
import type { TakeNode } from './table-first.js';
import { beginValueWalk, Walk, WalkKind, walkedNodes } from './walked.js';

/** Word index of the walk word. */
export function chainWalkAt(chain: ChainRef): number {
  return (chain << 1) + Chain.Walk;
}

/** The chain whose walk word is there. */
export function chainOfWalk(walkAt: number): ChainRef {
  return ((walkAt - Chain.Walk) >> 1) as ChainRef;
}

export function beginChainWalk(slab: Slab, chain: ChainRef): void {
  const at = chain << 1;
  beginValueWalk(slab, at + Chain.Walk, WalkKind.List, false);
  slab.i32[at + Chain.Front] = 0;
  slab.i32[at + Chain.Back] = 0;
}

function nodeAt(slab: Slab, chain: ChainRef, index: number): BlockRef {
  return slab.i32[placeAt(slab, chain, index) + Place.Node]! as BlockRef;
}

/** The node in place `index` is about to change, or to go. */
export function savePlaceFirst(slab: Slab, chain: ChainRef, index: number): void {
  const { i32 } = slab;
  const at = chain << 1;
  if ((i32[at + Chain.Walk]! & Walk.Walked) === 0) return;
  const nodes = i32[at + Chain.Nodes]!;
  const front = i32[at + Chain.Front]!;
  const end = nodes - i32[at + Chain.Back]!;
  if (index < front || index >= end) return;
  if (index - front < end - index) {
    for (let place = front; place <= index; place++) {
      walkedNodes.save(slab, at + Chain.Walk, nodeAt(slab, chain, place), false);
    }
    i32[at + Chain.Front] = index + 1;
  } else {
    for (let place = end - 1; place >= index; place--) {
      walkedNodes.save(slab, at + Chain.Walk, nodeAt(slab, chain, place), true);
    }
    i32[at + Chain.Back] = nodes - index;
  }
}

/** A node comes into place `index`, or goes from there: `change` is 1 or -1. Not counted yet. */
export function placesChanged(slab: Slab, chain: ChainRef, index: number, change: number): void {
  const { i32 } = slab;
  const at = chain << 1;
  if ((i32[at + Chain.Walk]! & Walk.Walked) === 0) return;
  const front = i32[at + Chain.Front]!;
  const isInFront = change > 0 ? index <= front : index < front;
  const side = at + (isInFront ? Chain.Front : Chain.Back);
  i32[side] = i32[side]! + change;
}

/** Asserts that what is done at the ends is no more than there is. */
export function checkChainWalk(slab: Slab, chain: ChainRef): void {
  const { i32 } = slab;
  const at = chain << 1;
  const done = i32[at + Chain.Front]! + i32[at + Chain.Back]!;
  const isOn = (i32[at + Chain.Walk]! & Walk.Walked) !== 0;
  assert(!isOn || done <= i32[at + Chain.Nodes]!, 'a walk is done with places that are there');
}

/** Goes on with the walk, over at most `nodes` nodes, until `isEnough`. True when it is over. */
export function walkChain(
  slab: Slab,
  chain: ChainRef,
  nodes: number,
  take: TakeNode,
  isEnough: () => boolean,
): boolean {
  const { i32 } = slab;
  const at = chain << 1;
  for (let left = nodes; ; left--) {
    const front = i32[at + Chain.Front]!;
    if (front >= i32[at + Chain.Nodes]! - i32[at + Chain.Back]!) return true;
    take(slab, at + Chain.Walk, nodeAt(slab, chain, front));
    i32[at + Chain.Front] = front + 1;
    if (left <= 1 || isEnough()) return false;
  }
}
