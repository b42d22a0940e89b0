// A large sorted set: each member in a block of its own (structs/member.ts), found by name in a
// table and by order in a counted tree.
//
//   root, one block
//    word 0                    4                              9               10
//   ┌─────────────────────────┬──────────────────────────────┬───────────────┬─────────────────┐
//   │ table: directory, depth,│ tree: top, height, count,    │ segments      │ granules of the │
//   │ count, unused           │ nodes, walk word             │ freed so far  │ members' blocks │
//   └─────────────────────────┴──────────────────────────────┴───────────────┴─────────────────┘
//
// A member of 16 bytes takes 32 bytes, some 10 in the table and 12 to 17 in the tree.

import { assert } from '../../base/assert.js';
import { hashBytes, knownHash } from '../../base/hash.js';
import { allocate, type BlockRef, capacityOf, release } from '../../slab/alloc.js';
import { move, moving } from '../../slab/moving.js';
import { NONE, type Slab } from '../../slab/slab.js';
import {
  createMember,
  hashOfName,
  hasName,
  type MemberRef,
  memberBytes,
  memberRoom,
  nameBytes,
  nameStart,
  releaseMember,
  scoreOf,
} from '../../structs/member.js';
import {
  bucketAt,
  checkTable,
  expectEntries,
  findInBucket,
  freeSegmentStep,
  insert,
  removeRef,
  replaceRef,
  SCAN_END,
  TableRoot,
} from '../../structs/table.js';
import { moveTable } from '../../structs/table-move.js';
import { tableBytes, tableFrameBytes } from '../../structs/table-walk.js';
import {
  checkTree,
  RUN_MAX,
  TreeCursor,
  TreeRoot,
  treeAppend,
  treeBytes,
  treeFreeStep,
  treeInsert,
  treeRemove,
  treeRemoveFrom,
  treeReserve,
} from '../../structs/tree.js';
import { checkTreeEpochs } from '../../structs/tree-first.js';
import { moveTree } from '../../structs/tree-move.js';
import type { MovePlace } from '../kind.js';

const enum Root {
  Table = 0,
  Tree = TableRoot.Words,
  FreedSegments = Tree + TreeRoot.Words,
  MemberGranules = FreedSegments + 1,
  Words = MemberGranules + 1,
}

const ROOT_BYTES = Root.Words * 4;
const GRANULE_SHIFT = 3;
/** What the table may need for each member added, and what it may need at once. */
const TABLE_BYTES_EACH = 24;
const TABLE_BYTES_ONCE = 8192;

/** Where the table's root stands in the root block. */
export const MEMBER_TABLE_WORD: number = Root.Table;

function tableAt(root: number): number {
  return (root << 1) + Root.Table;
}

/** Word index of the walk word, see structs/walked.ts. */
export function walkWordOf(root: number): number {
  return treeOf(root) + TreeRoot.Walk;
}

/** The root of the sorted set whose walk word is there. */
export function rootOfWalk(walkAt: number): number {
  return (walkAt - Root.Tree - TreeRoot.Walk) >> 1;
}

/** Word index of the tree, for structs/tree.ts. */
export function treeOf(root: number): number {
  return (root << 1) + Root.Tree;
}

export function createLarge(slab: Slab): number {
  const root = allocate(slab, ROOT_BYTES);
  assert(root !== NONE, 'memory for a sorted set was reserved');
  slab.i32.fill(0, root << 1, (root << 1) + Root.Words);
  return root;
}

const enum Stage {
  Table = 0,
  Tree = 1,
}

/** Moves the set's blocks together, see ValueKind.move; returns the root. */
export function largeMove(slab: Slab, root: number, place: MovePlace): number {
  let moved = root;
  if (place.stage === Stage.Table) {
    if (place.place === 0) moved = move(slab, root);
    // The members are met in the tree, where they have two places.
    place.place = moveTable(slab, tableAt(moved), place.place, keepMember);
    if (place.place < SCAN_END) return moved;
    place.next(Stage.Tree);
    if (moving.units <= 0) return moved;
  }
  movedRoot = moved;
  place.place = moveTree(slab, treeOf(moved), place.place, memberMoved);
  if (place.place === 0) place.end();
  return moved;
}

/** Of the set whose members are being moved. */
let movedRoot = 0;

function keepMember(_slab: Slab, ref: number): number {
  return ref;
}

function memberMoved(slab: Slab, from: number, to: number): void {
  replaceRef(slab, bucketAt(slab, tableAt(movedRoot), hashOfName(slab, to)), from, to);
}

export function largeLength(slab: Slab, root: number): number {
  return slab.i32[tableAt(root) + TableRoot.Count]!;
}

/** Bytes that adding `count` members with names of `bytes` in all may allocate. */
export function largeReserve(count: number, bytes: number): number {
  // A block's slack is below an eighth of it and eight bytes.
  const members = (bytes + bytes / 8 + (memberBytes(0) + 8) * count) | 0;
  return members + treeReserve(count) + TABLE_BYTES_EACH * count + TABLE_BYTES_ONCE;
}

/** The hash of the name that was looked for last, for the change that follows. */
let soughtHash = 0;

/** The member of this name, or NONE. */
export function largeFind(
  slab: Slab,
  root: number,
  u8: Uint8Array,
  start: number,
  length: number,
): MemberRef {
  const hash = knownHash(u8, start, length);
  soughtHash = hash;
  const bucket = bucketAt(slab, tableAt(root), hash);
  if (bucket === 0) return NONE as MemberRef;
  return findInBucket(slab, bucket, hash, hasName, u8, start, length) as MemberRef;
}

function changeGranules(slab: Slab, root: number, member: MemberRef, sign: number): void {
  const at = (root << 1) + Root.MemberGranules;
  slab.i32[at] = slab.i32[at]! + sign * (memberRoom(slab, member) >> GRANULE_SHIFT);
}

/** Adds a member that largeFind has just not found. */
export function largeAdd(
  slab: Slab,
  root: number,
  score: number,
  u8: Uint8Array,
  start: number,
  length: number,
): void {
  const member = createMember(slab, score, u8, start, length);
  changeGranules(slab, root, member, 1);
  insert(slab, tableAt(root), soughtHash, member, hashOfName, 0);
  treeInsert(slab, treeOf(root), member);
}

/** Makes room for `count` members in an empty set, as part of what largeReserve reserved. */
export function largeExpect(slab: Slab, root: number, count: number): void {
  expectEntries(slab, tableAt(root), count);
}

/** Adds a member that comes after all others; `hash` is that of its name. */
export function largeAppend(
  slab: Slab,
  root: number,
  score: number,
  u8: Uint8Array,
  start: number,
  length: number,
  hash: number,
): void {
  const member = createMember(slab, score, u8, start, length);
  changeGranules(slab, root, member, 1);
  insert(slab, tableAt(root), hash, member, hashOfName, 0);
  treeAppend(slab, treeOf(root), member);
}

/** Removes a member that largeFind has just found. */
export function largeRemove(slab: Slab, root: number, member: MemberRef): void {
  treeRemove(slab, treeOf(root), member);
  dropMember(slab, root, member, soughtHash);
}

function dropMember(slab: Slab, root: number, member: MemberRef, hash: number): void {
  const at = tableAt(root);
  removeRef(slab, at, bucketAt(slab, at, hash), member);
  changeGranules(slab, root, member, -1);
  releaseMember(slab, member);
}

const removed = new Int32Array(RUN_MAX);

/** Removes `count` members from this rank on; they are there. */
export function largeRemoveRange(slab: Slab, root: number, rank: number, count: number): void {
  while (count > 0) {
    const run = treeRemoveFrom(slab, treeOf(root), rank, count, removed);
    for (let index = 0; index < run; index++) {
      dropMember(slab, root, removed[index]! as MemberRef, hashOfName(slab, removed[index]!));
    }
    count -= run;
  }
}

/** Frees about `budget` members; true when all are gone and the root with them. */
export function largeFreeStep(slab: Slab, root: number, budget: number): boolean {
  const { i32 } = slab;
  const at = tableAt(root);
  const freedAt = (root << 1) + Root.FreedSegments;
  while (i32[at + TableRoot.Directory] !== NONE) {
    if (budget <= 0) return false;
    const before = i32[at + TableRoot.Count]!;
    i32[freedAt] = freeSegmentStep(slab, at, i32[freedAt]!, releaseMember);
    budget -= before - i32[at + TableRoot.Count]!;
  }
  if (!treeFreeStep(slab, treeOf(root), budget)) return false;
  release(slab, root as BlockRef);
  return true;
}

export function largeCopyReserve(slab: Slab, root: number): number {
  return largeReserve(largeLength(slab, root), memberBytesOf(slab, root)) + ROOT_BYTES;
}

function memberBytesOf(slab: Slab, root: number): number {
  return slab.i32[(root << 1) + Root.MemberGranules]! * (1 << GRANULE_SHIFT);
}

/** A copy in `target`. Memory was reserved. */
export function largeCopy(slab: Slab, root: number, target: Slab): number {
  const copy = createLarge(target);
  const length = largeLength(slab, root);
  if (length === 0) return copy;
  largeExpect(target, copy, length);
  const cursor = new TreeCursor();
  cursor.seek(slab, treeOf(root), 0);
  do {
    const { member } = cursor;
    const start = nameStart(member);
    const bytes = nameBytes(slab, member);
    const hash = hashBytes(slab.u8, start, bytes);
    largeAppend(target, copy, scoreOf(slab, member), slab.u8, start, bytes, hash);
  } while (cursor.next(slab));
  return copy;
}

export function largeHeldBytes(slab: Slab, root: number): number {
  return (
    capacityOf(slab, root as BlockRef) +
    memberBytesOf(slab, root) +
    tableBytes(slab, tableAt(root)) +
    treeBytes(slab, treeOf(root))
  );
}

/** About as much, found quickly. */
export function largeRoughBytes(slab: Slab, root: number): number {
  const frame = tableFrameBytes(slab, tableAt(root));
  return frame + memberBytesOf(slab, root) + treeBytes(slab, treeOf(root));
}

export function checkLarge(slab: Slab, root: number): void {
  const count = checkTable(slab, tableAt(root), hashOfName);
  assert(checkTree(slab, treeOf(root)) === count, 'tree and table hold the same members');
  checkTreeEpochs(slab, treeOf(root));
  if (count === 0) return;
  let granules = 0;
  const cursor = new TreeCursor();
  cursor.seek(slab, treeOf(root), 0);
  do {
    const { member } = cursor;
    granules += memberRoom(slab, member) >> GRANULE_SHIFT;
    const found = largeFind(slab, root, slab.u8, nameStart(member), nameBytes(slab, member));
    assert(found === member, 'a member of the tree is found by its name');
  } while (cursor.next(slab));
  assert(granules === slab.i32[(root << 1) + Root.MemberGranules], 'members are accounted for');
}

/** Word index of the table, for scans and draws. */
export function tableOf(root: number): number {
  return tableAt(root);
}
