// Large values in a snapshot: each is walked node by node, under short locks, while writers go on.
// A node is a bucket of a table, a leaf of a tree, or a node of a chain. What the three have in
// common is one word in the root of the value, and what is here.
//
//   walk word; what a chain has besides: see chain-first.ts
//   ┌───────┬────────┬───────┬──────┬──────────┬───────────────────┐
//   │ epoch │ walked │ timed │ kind │ numbered │ the owner's, as   │
//   │ 1 bit │ 1 bit  │ 1 bit │ 3    │ 1 bit    │ it pleases        │
//   └───────┴────────┴───────┴──────┴──────────┴───────────────────┘
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
// matter: those of sets, hashes and sorted sets are written as they come, and all others come with
// what tells where they belong, a number or a key (Order).

import type { Slab } from '../slab/slab.js';

export const enum Walk {
  EpochMask = 1,
  Walked = 2,
  /** Of hashes: their fields are written with times. */
  Timed = 4,
  /** Of lists: each place knows the number of its node. */
  Numbered = 64,
}

const KIND_SHIFT = 3;
const KIND_MASK = 7;

/** Whose nodes they are. */
export const enum WalkKind {
  Set = 0,
  Hash = 1,
  SortedSet = 2,
  List = 3,
  Stream = 4,
  Array = 5,
  String = 6,
}

/** Where a node belongs in its value: the lowest bits of a word say what the rest is. */
export const enum Order {
  /** Anywhere. */
  None = 0,
  /** It has a number, from 1 on. */
  Number = 1,
  /** It begins with a key of 16 bytes; and the value has several sections, from 0 on. */
  Key = 2,
  /** As Key, of a node that the walk takes over before it has come to its key. */
  KeyAhead = 3,
}

export const enum OrderBits {
  Mask = 3,
  Shift = 2,
}

/** The order of the node with this number. */
export function numberOrder(number: number): number {
  return (number << OrderBits.Shift) | Order.Number;
}

/** As keyOrder, for a node that the walk takes over before it has come to its key. */
export function aheadOrder(section: number): number {
  return (section << OrderBits.Shift) | Order.KeyAhead;
}

/** The order of a node with a key in a section. */
export function keyOrder(section: number): number {
  return (section << OrderBits.Shift) | Order.Key;
}

/** Takes over a node of the value whose walk word is at `walkAt`, before it changes. */
export type SaveNode = (slab: Slab, walkAt: number, node: number, order: number) => void;

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
