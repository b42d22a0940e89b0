// The share of a stream's groups in the walk through a large value (structs/walked.ts). What is
// pending in a group is walked through leaf by leaf of its tree, with the ID of a leaf's first
// record for a key; the trees of consumers follow from it, and all else of groups and consumers is
// written when the stream is met. Each group has a walk word of its own, whose upper bits number it
// among the groups of the cut that have something pending:
//
//   two words of the group                           ┌───────────┬─────────────────────────┐
//   ┌──────────────────────┬────────────────────┐    │ walk word │ walk word of the stream │
//   │ epoch, walked, …     │ number, 24 bits    │ =  │           │ while it is walked      │
//   └──────────────────────┴────────────────────┘    └───────────┴─────────────────────────┘
//
// A group that is destroyed before the walk has seen all of it is left to the walk, which frees it.
// Such groups are in a list: what is the ID delivered last of others refers to the next one.

import { assert } from '../../base/assert.js';
import { NONE, type Slab } from '../../slab/slab.js';
import type { TakeNode } from '../../structs/table-first.js';
import { isWalked, keyOrder, Walk, walkedNodes } from '../../structs/walked.js';
import {
  freeGroupStep,
  type GroupRef,
  groupAt,
  groupCount,
  groupWalkAt,
  PENDING_WORDS,
  pendingAt,
  pendingCount,
} from './groups.js';
import { readIdAt, StreamId, ZERO_ID } from './id.js';
import {
  leafCount,
  leafEpoch,
  leafOfId,
  leafRecord,
  mayThin,
  nextLeaf,
  previousLeaf,
  setLeafEpoch,
} from './id-tree.js';
import type { StreamRef } from './stream.js';

const enum Share {
  Walk = 0,
  Owner = 1,
}
/** Of the words in the stream's root, see block-first.ts. */
const LEFT_GROUPS = 2;
/** The first word of a group: of the ID delivered last, or the next group that was left. */
const LINK = 0;
const NUMBER_SHIFT = 8;
/** Sections before those of groups: blocks, and what is known of groups when the walk begins. */
export const GROUPS_SECTION = 1;
const PENDING_SECTION = 2;
/** Records that are freed at once of a group that was left. */
const FREED_PER_STEP = 4096;

const id = new StreamId();

/** The section of a group's nodes; `number` is what beginGroupWalk has said. */
function sectionOf(number: number): number {
  return PENDING_SECTION + number;
}

// ── Writers ──────────────────────────────────────────────────────────────────────────────────

function saveLeaf(slab: Slab, group: GroupRef, leaf: number): void {
  const walkAt = groupWalkAt(group);
  const walk = slab.i32[walkAt]!;
  const epoch = walk & Walk.EpochMask;
  if (leaf === NONE || leafEpoch(slab, leaf) === epoch) return;
  const order = keyOrder(sectionOf(walk >>> NUMBER_SHIFT));
  walkedNodes.save(slab, slab.i32[walkAt + Share.Owner]!, leaf, order);
  setLeafEpoch(slab, leaf, epoch);
}

/** What is pending, or not, for this ID in the group is about to change. */
export function savePendingFirst(slab: Slab, group: GroupRef, id: StreamId): void {
  if (!isWalked(slab, groupWalkAt(group))) return;
  const leaf = leafOfId(slab, pendingAt(group), id);
  if (leaf === NONE) return;
  saveLeaf(slab, group, leaf);
  if (!mayThin(slab, leaf, PENDING_WORDS)) return;
  saveLeaf(slab, group, previousLeaf(slab, leaf));
  saveLeaf(slab, group, nextLeaf(slab, leaf));
}

/** All that is pending in the group is about to go. */
export function saveAllPendingFirst(slab: Slab, group: GroupRef): void {
  if (!isWalked(slab, groupWalkAt(group))) return;
  let leaf = leafOfId(slab, pendingAt(group), ZERO_ID);
  for (; leaf !== NONE; leaf = nextLeaf(slab, leaf)) saveLeaf(slab, group, leaf);
}

/** As savePendingFirst, for the record at this word index. */
export function saveRecordFirst(slab: Slab, group: GroupRef, record: number): void {
  if (!isWalked(slab, groupWalkAt(group))) return;
  readIdAt(slab.i32, record, id);
  savePendingFirst(slab, group, id);
}

/** The group is about to go. True when it is the walk's from now on. */
export function leaveGroup(slab: Slab, group: GroupRef): boolean {
  const walkAt = groupWalkAt(group);
  if (!isWalked(slab, walkAt)) return false;
  const { i32 } = slab;
  const listAt = i32[walkAt + Share.Owner]! + LEFT_GROUPS;
  i32[(group << 1) + LINK] = i32[listAt]!;
  i32[listAt] = group;
  return true;
}

// ── The walk ─────────────────────────────────────────────────────────────────────────────────

/** The walk through a stream begins: gives numbers to groups that have something pending. */
export function beginGroupWalks(slab: Slab, stream: StreamRef, streamWalkAt: number): void {
  let number = 0;
  for (let index = 0; index < groupCount(slab, stream); index++) {
    const group = groupAt(slab, stream, index);
    if (pendingCount(slab, group) === 0) continue;
    const at = groupWalkAt(group);
    const epoch = (slab.i32[at]! & Walk.EpochMask) ^ 1;
    slab.i32[at + Share.Walk] = epoch | Walk.Walked | (number++ << NUMBER_SHIFT);
    slab.i32[at + Share.Owner] = streamWalkAt;
  }
}

function numberOf(slab: Slab, group: GroupRef): number {
  return slab.i32[groupWalkAt(group)]! >>> NUMBER_SHIFT;
}

/** The group whose turn it is: the one with the least number; NONE when all were walked through. */
export function dueGroup(slab: Slab, stream: StreamRef, streamWalkAt: number): GroupRef {
  let due = NONE as GroupRef;
  // Groups are in the order of names, and so are their numbers.
  for (let index = 0; index < groupCount(slab, stream) && due === NONE; index++) {
    const group = groupAt(slab, stream, index);
    if (isWalked(slab, groupWalkAt(group))) due = group;
  }
  let left = slab.i32[streamWalkAt + LEFT_GROUPS]! as GroupRef;
  for (; left !== NONE; left = slab.i32[(left << 1) + LINK]! as GroupRef) {
    if (due === NONE || numberOf(slab, left) < numberOf(slab, due)) due = left;
  }
  return due;
}

/** Where the walk is in a group: up to which ID it has come. */
export class PendingPlace {
  private readonly id = new StreamId();

  reset(): void {
    this.id.copyFrom(ZERO_ID);
  }

  /** Goes on over one leaf; true when the group has none behind it. */
  step(slab: Slab, group: GroupRef, take: TakeNode): boolean {
    const leaf = leafOfId(slab, pendingAt(group), this.id);
    if (leaf === NONE) return true;
    const walkAt = groupWalkAt(group);
    const walk = slab.i32[walkAt]!;
    const epoch = walk & Walk.EpochMask;
    if (this.takeLeaf(slab, walkAt, leaf, take)) return nextLeaf(slab, leaf) === NONE;
    // What was passed last, or what somebody has handed over: the next one it is.
    const next = nextLeaf(slab, leaf);
    if (next === NONE) return true;
    if (leafEpoch(slab, next) !== epoch) this.takeLeaf(slab, walkAt, next, take);
    else this.passed(slab, next);
    return nextLeaf(slab, next) === NONE;
  }

  private takeLeaf(slab: Slab, walkAt: number, leaf: number, take: TakeNode): boolean {
    const walk = slab.i32[walkAt]!;
    const epoch = walk & Walk.EpochMask;
    if (leafEpoch(slab, leaf) === epoch) return false;
    const order = keyOrder(sectionOf(walk >>> NUMBER_SHIFT));
    take(slab, slab.i32[walkAt + Share.Owner]!, leaf, order);
    setLeafEpoch(slab, leaf, epoch);
    this.passed(slab, leaf);
    return true;
  }

  private passed(slab: Slab, leaf: number): void {
    const last = leafRecord(leaf, leafCount(slab, leaf) - 1, PENDING_WORDS);
    readIdAt(slab.i32, last, this.id);
  }
}

/** Ends the walk through a group; true unless the group was left and there is more to free. */
export function endGroupWalk(slab: Slab, streamWalkAt: number, group: GroupRef): boolean {
  const { i32 } = slab;
  let linkAt = streamWalkAt + LEFT_GROUPS;
  while (i32[linkAt] !== NONE && i32[linkAt] !== group) linkAt = (i32[linkAt]! << 1) + LINK;
  if (i32[linkAt] === NONE) {
    i32[groupWalkAt(group)] = i32[groupWalkAt(group)]! & Walk.EpochMask;
    return true;
  }
  const next = i32[(group << 1) + LINK]!;
  if (!freeGroupStep(slab, group, FREED_PER_STEP)) return false;
  i32[linkAt] = next;
  return true;
}

/** Asserts that no walk has left a leaf behind. */
export function checkPendingEpochs(slab: Slab, group: GroupRef): void {
  if (isWalked(slab, groupWalkAt(group))) return;
  const epoch = slab.i32[groupWalkAt(group)]! & Walk.EpochMask;
  let leaf = leafOfId(slab, pendingAt(group), ZERO_ID);
  for (; leaf !== NONE; leaf = nextLeaf(slab, leaf)) {
    assert(leafEpoch(slab, leaf) === epoch, 'a leaf has the epoch of its group');
  }
}
