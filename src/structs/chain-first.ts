// The share of chains in the walk through a large value (walked.ts). The order of nodes matters, so
// each is handed over with its number: from 1 on, as they stood in the chain at the cut. The chain
// knows how many of its places, from both ends, the walk need not see any more: they were handed
// over, or were made after the cut.
//
//   places   │ front │   what the walk has yet to see, as it was at the cut   │ back │
//
// The walk takes the first place behind the front. Changes at the ends hand over a node and move
// the front or the back, and the numbers of what lies between are known by counting. The first
// change inside writes its number beside each node in between, which takes no longer than finding a
// place there; from then on a node without a number is one that the walk need not see.
//
// Nodes that go as a whole (LTRIM) before the walk has seen them are left to it, if there is memory
// for a list of them: handing over each would take the time that copying it takes.
//
//   list of nodes that were left
//   ┌──────┬───────┬────────┬──────┬────────┬──────┬── …
//   │ next │ count │ number │ node │ number │ node │
//   └──────┴───────┴────────┴──────┴────────┴──────┴── …

import { assert } from '../base/assert.js';
import { allocate, type BlockRef, release, reserve } from '../slab/alloc.js';
import { NONE, type Slab } from '../slab/slab.js';
import { Chain, type ChainRef, Place, placeAt } from './chain-layout.js';
import { releasePacked } from './packed.js';
import type { TakeNode } from './table-first.js';
import { beginValueWalk, numberOrder, Walk, WalkKind, walkedNodes } from './walked.js';

const enum Left {
  Next = 0,
  Count = 1,
  Nodes = 2,
}
const enum LeftNode {
  Number = 0,
  Node = 1,
  Words = 2,
}
const LEFT_MAX = 63;
const LEFT_BYTES = (Left.Nodes + LEFT_MAX * LeftNode.Words) * 4;
/** Places that a hold of the lock passes over at the most because nothing is to be seen there. */
const PASSED_MAX = 4096;

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
  slab.i32[at + Chain.Handed] = 0;
}

function nodeAt(slab: Slab, chain: ChainRef, index: number): BlockRef {
  return slab.i32[placeAt(slab, chain, index) + Place.Node]! as BlockRef;
}

/**
 * The walk need not see the node in place `index` any more. Returns the node's number, 0 when it
 * need not anyway.
 */
function takeNumber(slab: Slab, chain: ChainRef, index: number): number {
  const { i32 } = slab;
  const at = chain << 1;
  const walk = i32[at + Chain.Walk]!;
  if ((walk & Walk.Walked) === 0) return 0;
  const front = i32[at + Chain.Front]!;
  const end = i32[at + Chain.Nodes]! - i32[at + Chain.Back]!;
  if (index < front || index >= end) return 0;
  const handed = i32[at + Chain.Handed]!;
  let number = handed + index - front + 1;
  if ((walk & Walk.Numbered) !== 0) {
    const place = placeAt(slab, chain, index);
    number = i32[place + Place.Number]!;
    i32[place + Place.Number] = 0;
  } else if (index !== front && index !== end - 1) {
    for (let place = front; place < end; place++) {
      i32[placeAt(slab, chain, place) + Place.Number] = handed + place - front + 1;
    }
    i32[placeAt(slab, chain, index) + Place.Number] = 0;
    i32[at + Chain.Walk] = walk | Walk.Numbered;
  }
  if (index === front) {
    i32[at + Chain.Front] = front + 1;
    i32[at + Chain.Handed] = handed + 1;
  } else if (index === end - 1) {
    i32[at + Chain.Back] = i32[at + Chain.Back]! + 1;
  }
  return number;
}

/** The node in place `index` is about to change. */
export function savePlaceFirst(slab: Slab, chain: ChainRef, index: number): void {
  const number = takeNumber(slab, chain, index);
  if (number === 0) return;
  walkedNodes.save(slab, chainWalkAt(chain), nodeAt(slab, chain, index), numberOrder(number));
}

/**
 * The node in place `index` is about to go as a whole. True when it is the walk's from now on: the
 * caller must not free it.
 */
export function leavePlace(slab: Slab, chain: ChainRef, index: number): boolean {
  const number = takeNumber(slab, chain, index);
  if (number === 0) return false;
  const node = nodeAt(slab, chain, index);
  if (leaveNode(slab, chain, node, number)) return true;
  walkedNodes.save(slab, chainWalkAt(chain), node, numberOrder(number));
  return false;
}

function leaveNode(slab: Slab, chain: ChainRef, node: BlockRef, number: number): boolean {
  const { i32 } = slab;
  const leftAt = (chain << 1) + Chain.Left;
  let block = i32[leftAt]!;
  if (block === NONE || i32[(block << 1) + Left.Count] === LEFT_MAX) {
    // Nobody reserves memory for this: where there is none, the node is handed over.
    const begun = reserve(slab, LEFT_BYTES) ? allocate(slab, LEFT_BYTES) : NONE;
    if (begun === NONE) return false;
    i32[(begun << 1) + Left.Next] = block;
    i32[(begun << 1) + Left.Count] = 0;
    i32[leftAt] = begun;
    block = begun;
  }
  const at = block << 1;
  const count = i32[at + Left.Count]!;
  const entry = at + Left.Nodes + count * LeftNode.Words;
  i32[entry + LeftNode.Number] = number;
  i32[entry + LeftNode.Node] = node;
  i32[at + Left.Count] = count + 1;
  return true;
}

/** A node comes into place `index`, or goes from there: `change` is 1 or -1. Not counted yet. */
export function placesChanged(slab: Slab, chain: ChainRef, index: number, change: number): void {
  const { i32 } = slab;
  const at = chain << 1;
  if ((i32[at + Chain.Walk]! & Walk.Walked) === 0) return;
  const front = i32[at + Chain.Front]!;
  const end = i32[at + Chain.Nodes]! - i32[at + Chain.Back]!;
  const isInFront = change > 0 ? index <= front : index < front;
  // What is inside has handed over what it was, or is new: then the nodes have their numbers.
  if (!isInFront && index < end) return;
  const side = at + (isInFront ? Chain.Front : Chain.Back);
  i32[side] = i32[side]! + change;
}

/** Asserts that what is done at the ends is no more than there is, and that numbers ascend. */
export function checkChainWalk(slab: Slab, chain: ChainRef): void {
  const { i32 } = slab;
  const at = chain << 1;
  const walk = i32[at + Chain.Walk]!;
  if ((walk & Walk.Walked) === 0) {
    assert(i32[at + Chain.Left] === NONE, 'nothing is left to a walk that is over');
    return;
  }
  const front = i32[at + Chain.Front]!;
  const end = i32[at + Chain.Nodes]! - i32[at + Chain.Back]!;
  assert(front <= end, 'a walk is done with places that are there');
  if ((walk & Walk.Numbered) === 0) return;
  let last = 0;
  for (let index = front; index < end; index++) {
    const number = i32[placeAt(slab, chain, index) + Place.Number]!;
    assert(number === 0 || number > last, 'numbers of nodes ascend');
    if (number !== 0) last = number;
  }
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
  let left = nodes;
  for (; i32[at + Chain.Left] !== NONE; left--) {
    takeLeft(slab, chain, take);
    if (left <= 1 || isEnough()) return false;
  }
  for (let passed = 0; passed < PASSED_MAX; passed++) {
    const front = i32[at + Chain.Front]!;
    if (front >= i32[at + Chain.Nodes]! - i32[at + Chain.Back]!) return true;
    const number = takeNumber(slab, chain, front);
    if (number === 0) continue;
    take(slab, at + Chain.Walk, nodeAt(slab, chain, front), numberOrder(number));
    if (--left <= 0 || isEnough()) return false;
  }
  return false;
}

/** Takes over the node that was left last, and frees it. */
function takeLeft(slab: Slab, chain: ChainRef, take: TakeNode): void {
  const { i32 } = slab;
  const at = chain << 1;
  const block = i32[at + Chain.Left]!;
  const count = i32[(block << 1) + Left.Count]! - 1;
  const entry = (block << 1) + Left.Nodes + count * LeftNode.Words;
  const node = i32[entry + LeftNode.Node]! as BlockRef;
  take(slab, at + Chain.Walk, node, numberOrder(i32[entry + LeftNode.Number]!));
  releasePacked(slab, node);
  i32[(block << 1) + Left.Count] = count;
  if (count > 0) return;
  i32[at + Chain.Left] = i32[(block << 1) + Left.Next]!;
  release(slab, block as BlockRef);
}
