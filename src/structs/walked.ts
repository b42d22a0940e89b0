// Large values in a snapshot: each is walked node by node, under short locks, while writers go on.
// A node is a bucket of a table, a leaf of a tree, or a node of a chain. What the three have in
// common is one word in the root of the value, and what is here.
//
//   walk word; what a chain has besides: see chain-first.ts
//   ┌───────┬────────┬───────┬──────┬────────────────────────┐
//   │ epoch │ walked │ timed │ kind │ nodes of a chain that  │
//   │ 1 bit │ 1 bit  │ 1 bit │ 2    │ were handed over, 27   │
//   └───────┴────────┴───────┴──────┴────────────────────────┘
//
// - The walk of a value begins by turning its epoch over: now every node has another one.
// - The walk goes from node to node, hands over what has the other epoch, and gives it the value's.
// - Whoever changes, splits, joins or frees a node with the other epoch hands it over first, whole.
//   After that it is like any node that was made after the cut.
// - A node that is split gives its epoch to both halves, and by then that is the value's: it was
//   handed over. A new node is born with the value's.
//
// So at every moment an element of the cut is either handed over, or stands, unchanged, in a node
// with the other epoch; and none stands in both. When the walk has passed the last node, all nodes
// have the value's epoch, so one bit is enough for it. In what order nodes are handed over does not
// matter for sets, hashes and sorted sets. It does for chains, which know only what lies between
// two ends that grow towards each other (chain-first.ts). Their nodes are numbered as they are
// handed over, because those of several threads may arrive in another order.

import type { Slab } from '../slab/slab.js';

export const enum Walk {
  EpochMask = 1,
  Walked = 2,
  /** Of hashes: their fields are written with times. */
  Timed = 4,
}

const KIND_SHIFT = 3;
const KIND_MASK = 3;
const ORDER_SHIFT = 5;

/** Whose nodes they are. */
export const enum WalkKind {
  Set = 0,
  Hash = 1,
  SortedSet = 2,
  List = 3,
}

/**
 * Takes over a node of the value whose walk word is at `walkAt`, before it changes. Of a chain:
 * does it follow on what was taken over from the front, or precede what was from the back?
 */
export type SaveNode = (slab: Slab, walkAt: number, node: number, isFromBack: boolean) => void;

/** Where nodes go that are about to change; a thread that executes commands sets it once. */
export const walkedNodes: { save: SaveNode } = {
  save() {},
};

export function isWalked(slab: Slab, walkAt: number): boolean {
  return (slab.i32[walkAt]! & Walk.Walked) !== 0;
}

export function isTimed(slab: Slab, walkAt: number): boolean {
  return (slab.i32[walkAt]! & Walk.Timed) !== 0;
}

export function walkKindOf(slab: Slab, walkAt: number): WalkKind {
  return ((slab.i32[walkAt]! >>> KIND_SHIFT) & KIND_MASK) as WalkKind;
}

/**
 * Which of the nodes that writers hand over is the next one: from 1 on for chains, which have fewer
 * nodes than 27 bits can count; 0 for all others.
 */
export function takeOrder(slab: Slab, walkAt: number): number {
  if (walkKindOf(slab, walkAt) !== WalkKind.List) return 0;
  const { i32 } = slab;
  i32[walkAt] = i32[walkAt]! + (1 << ORDER_SHIFT);
  return i32[walkAt]! >>> ORDER_SHIFT;
}

/** The walk of a value begins. */
export function beginValueWalk(
  slab: Slab,
  walkAt: number,
  kind: WalkKind,
  hasTimes: boolean,
): void {
  const { i32 } = slab;
  const epoch = (i32[walkAt]! & Walk.EpochMask) ^ 1;
  const timed = hasTimes ? Walk.Timed : 0;
  i32[walkAt] = epoch | Walk.Walked | timed | (kind << KIND_SHIFT);
}

/** It is over: every node has been handed over. */
export function endValueWalk(slab: Slab, walkAt: number): void {
  slab.i32[walkAt] = slab.i32[walkAt]! & Walk.EpochMask;
}
