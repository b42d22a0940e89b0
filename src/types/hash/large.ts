// A large hash: a table of fields, each a block of its own (field.ts). Fields that expire also
// stand in a heap, the next one on top.
//
//   root
//    0        1                2      3                 7            9        10
//   ┌────────┬────────────────┬──────┬─────────────────┬────────────┬────────┬────────┐
//   │ unused │ place, key hash: see  │ table:          │ heap of    │ dense  │ shrink │
//   │        │ expiries.ts           │ directory depth │ expiries:  │ count  │ place  │
//   │        │                │      │ count, walk     │ blocks     │        │        │
//   │        │                │      │ word            │ count      │        │        │
//   └────────┴────────────────┴──────┴─────────────────┴────────────┴────────┴────────┘
//
// A table that lost an eighth of its fields since it was last dense is looked through, a segment
// with each removal, so that emptying a hash gives its table back step by step.

import { assert } from '../../base/assert.js';
import { copyBytes } from '../../base/bytes.js';
import { knownHash } from '../../base/hash.js';
import { allocate, type BlockRef, capacityOf, release } from '../../slab/alloc.js';
import { move, moving } from '../../slab/moving.js';
import { NONE, type Slab } from '../../slab/slab.js';
import {
  changeTime,
  checkHeap,
  freeHeap,
  HeapRoot,
  heapBytes,
  heapReserve,
  isInHeap,
  movedInHeap,
  moveHeap,
  pushToHeap,
  refMoved,
  removeFromHeap,
  timeOf,
  topRef,
  topTime,
} from '../../structs/heap.js';
import {
  bucketAt,
  bucketAtPosition,
  checkTable,
  eachInBucket,
  findInBucket,
  freeSegmentStep,
  insert,
  nextPosition,
  removeRef,
  replaceRef,
  SCAN_END,
  shrinkStep,
  TableRoot,
} from '../../structs/table.js';
import { checkTableEpochs, saveBucketFirst } from '../../structs/table-first.js';
import { moveTable } from '../../structs/table-move.js';
import { roughTableBytes, tableBytes } from '../../structs/table-walk.js';
import { isWalked } from '../../structs/walked.js';
import type { MovePlace } from '../kind.js';
import { hashMoved, keyHashOf, NEVER, setKeyHash, unscheduleHash } from './expiries.js';
import {
  checkField,
  copyName,
  copyValue,
  createField,
  type FieldRef,
  fieldBytesOf,
  fieldRoom,
  fieldStartOf,
  hashOfField,
  isFieldNamed,
  isVolatileField,
  releaseField,
  resizeValue,
  valueBytesOf,
  valueStartOf,
} from './field.js';

const enum Root {
  Place = 1,
  KeyHash = 2,
  Table = 3,
  Heap = Table + TableRoot.Words,
  DenseCount = Heap + HeapRoot.Words,
  ShrinkPlace = DenseCount + 1,
  Words = ShrinkPlace + 1,
}

const ROOT_BYTES = Root.Words * 4;
const DENSE_SHIFT = 3;
/** The table knows the epoch of its buckets by itself, see walked.ts. */
const NO_EPOCH = 0;
/** In the place of the dense count: nothing is done any more but freeing. */
const BEING_FREED = -1;

export function createLarge(slab: Slab, keyHash: number): number {
  const root = allocate(slab, ROOT_BYTES);
  assert(root !== NONE, 'memory for a hash was reserved');
  slab.i32.fill(0, root << 1, (root << 1) + Root.Words);
  setKeyHash(slab, root, keyHash);
  return root;
}

const enum Stage {
  Table = 0,
  Heap = 1,
}

/** Moves the hash's blocks together, see ValueKind.move; returns the root. */
export function moveLarge(slab: Slab, root: number, place: MovePlace): number {
  let moved = root;
  if (place.stage === Stage.Table) {
    if (place.place === 0) {
      moved = move(slab, root);
      if (moved !== root) hashMoved(slab, moved);
    }
    movedRoot = moved;
    place.place = moveTable(slab, tableOf(moved), place.place, moveField);
    if (place.place < SCAN_END) return moved;
    place.next(Stage.Heap);
    if (moving.units <= 0) return moved;
  }
  place.place = moveHeap(slab, heapOf(moved), place.place);
  if (place.place === 0) place.end();
  return moved;
}

/** Of the hash whose fields are being moved. */
let movedRoot = 0;

function moveField(slab: Slab, ref: number): number {
  const moved = move(slab, ref);
  if (moved === ref || !isVolatileField(slab, moved as FieldRef)) return moved;
  if (isInHeap(slab, moved)) refMoved(slab, heapOf(movedRoot), moved);
  return moved;
}

export function largeCount(slab: Slab, root: number): number {
  return slab.i32[tableOf(root) + TableRoot.Count]!;
}

/** Where the table's root stands in the root block. */
export const FIELD_TABLE_WORD: number = Root.Table;

/** Word index of the table's root. */
export function tableOf(root: number): number {
  return (root << 1) + Root.Table;
}

/** The root of the hash whose walk word (structs/walked.ts) is there. */
export function rootOfWalk(walkAt: number): number {
  return (walkAt - Root.Table - TableRoot.Walk) >> 1;
}

function heapOf(root: number): number {
  return (root << 1) + Root.Heap;
}

/** The field of this name, or NONE. */
export function findLarge(
  slab: Slab,
  root: number,
  u8: Uint8Array,
  start: number,
  length: number,
): FieldRef {
  const hash = knownHash(u8, start, length);
  const bucket = bucketAt(slab, tableOf(root), hash);
  if (bucket === 0) return NONE as FieldRef;
  return findInBucket(slab, bucket, hash, isFieldNamed, u8, start, length) as FieldRef;
}

/** When the field expires. */
export function timeOfField(slab: Slab, root: number, field: FieldRef): number {
  return isVolatileField(slab, field) ? timeOf(slab, heapOf(root), field) : NEVER;
}

/** The next time that a field expires. */
export function nextTimeOfLarge(slab: Slab, root: number): number {
  return topTime(slab, heapOf(root));
}

/** The field that expires next; there is one. */
export function nextField(slab: Slab, root: number): FieldRef {
  return topRef(slab, heapOf(root)) as FieldRef;
}

/** Bytes that giving so many fields an expiry may allocate besides the fields. */
export function timesReserve(slab: Slab, root: number, fieldCount: number): number {
  return heapReserve(slab, heapOf(root), fieldCount);
}

/** Adds a field, which must not be there, without an expiry. Memory was reserved. */
export function addLarge(
  slab: Slab,
  root: number,
  nameU8: Uint8Array,
  nameStart: number,
  nameBytes: number,
  valueU8: Uint8Array,
  valueStart: number,
  valueBytes: number,
): FieldRef {
  const hash = knownHash(nameU8, nameStart, nameBytes);
  saveBucketFirst(slab, tableOf(root), hash);
  const field = createField(slab, nameBytes, valueBytes, false);
  const start = fieldStartOf(slab, field);
  copyBytes(nameU8, nameStart, slab.u8, start, nameBytes);
  copyBytes(valueU8, valueStart, slab.u8, start + nameBytes, valueBytes);
  insert(slab, tableOf(root), hash, field, hashOfField, NO_EPOCH);
  return field;
}

/** The field is about to change: a snapshot that walks through the hash has it first. */
function saveFieldFirst(slab: Slab, root: number, field: FieldRef): void {
  const table = tableOf(root);
  if (!isWalked(slab, table + TableRoot.Walk)) return;
  saveBucketFirst(slab, table, hashOfField(slab, field));
}

/** Gives the field another value; its expiry stays. It may move. Memory was reserved. */
export function setValueOfField(
  slab: Slab,
  root: number,
  field: FieldRef,
  u8: Uint8Array,
  start: number,
  length: number,
): FieldRef {
  let target = field;
  saveFieldFirst(slab, root, field);
  if (!resizeValue(slab, field, length)) {
    target = createField(slab, fieldBytesOf(slab, field), length, isVolatileField(slab, field));
    takePlace(slab, root, field, target);
  }
  copyBytes(u8, start, slab.u8, valueStartOf(slab, target), length);
  return target;
}

/** Gives the field an expiry, or none: NEVER. It may move. Memory was reserved. */
export function setTimeOfField(
  slab: Slab,
  root: number,
  field: FieldRef,
  timeMs: number,
): FieldRef {
  const isVolatile = isVolatileField(slab, field);
  saveFieldFirst(slab, root, field);
  if (isVolatile && timeMs !== NEVER) {
    changeTime(slab, heapOf(root), field, timeMs);
    return field;
  }
  if (!isVolatile && timeMs === NEVER) return field;
  const bytes = valueBytesOf(slab, field);
  const target = createField(slab, fieldBytesOf(slab, field), bytes, !isVolatile);
  copyValue(slab, field, slab, target);
  if (isVolatile) removeFromHeap(slab, heapOf(root), field);
  takePlace(slab, root, field, target);
  if (!isVolatile) pushToHeap(slab, heapOf(root), target, timeMs);
  return target;
}

/** Puts `target`, whose value is written, in the place of `field`, which is freed. */
function takePlace(slab: Slab, root: number, field: FieldRef, target: FieldRef): void {
  copyName(slab, field, slab, target);
  replaceRef(slab, bucketAt(slab, tableOf(root), hashOfField(slab, field)), field, target);
  const isInBoth = isVolatileField(slab, field) && isVolatileField(slab, target);
  if (isInBoth && isInHeap(slab, field)) movedInHeap(slab, heapOf(root), field, target);
  releaseField(slab, field);
}

/** Takes the field out and frees it. */
export function removeFromLarge(slab: Slab, root: number, field: FieldRef): void {
  const { i32 } = slab;
  const table = tableOf(root);
  const count = i32[table + TableRoot.Count]!;
  saveFieldFirst(slab, root, field);
  if (isVolatileField(slab, field)) removeFromHeap(slab, heapOf(root), field);
  removeRef(slab, table, bucketAt(slab, table, hashOfField(slab, field)), field);
  releaseField(slab, field);
  const at = root << 1;
  if (count > i32[at + Root.DenseCount]!) i32[at + Root.DenseCount] = count;
  shrinkSomewhat(slab, root, count - 1);
}

/** One step of shrinking a table that has lost many of its fields. */
function shrinkSomewhat(slab: Slab, root: number, count: number): void {
  const { i32 } = slab;
  const at = root << 1;
  const place = i32[at + Root.ShrinkPlace]!;
  const dense = i32[at + Root.DenseCount]!;
  if (place === 0 && count >= dense - (dense >>> DENSE_SHIFT)) return;
  const next = shrinkStep(slab, tableOf(root), place);
  i32[at + Root.ShrinkPlace] = next;
  if (next === 0) i32[at + Root.DenseCount] = count;
}

/** Calls `visit` for every field; it may not change the table. */
export function eachField(
  slab: Slab,
  root: number,
  visit: (slab: Slab, field: number) => void,
): void {
  const table = tableOf(root);
  for (let position = 0; position < SCAN_END; ) {
    const bucket = bucketAtPosition(slab, table, position);
    if (bucket === 0) return;
    eachInBucket(slab, bucket, visit);
    position = nextPosition(slab, table, position);
  }
}

// ── As a value of the keyspace ───────────────────────────────────────────────────────────────

function freeField(slab: Slab, field: number): void {
  releaseField(slab, field as FieldRef);
}

/** Frees about `budget` fields, whole segments of the table; true when root and all are gone. */
export function freeLargeStep(slab: Slab, root: number, budget: number): boolean {
  const { i32 } = slab;
  const at = root << 1;
  if (i32[at + Root.DenseCount] !== BEING_FREED) {
    unscheduleHash(slab, root);
    freeHeap(slab, at + Root.Heap);
    i32[at + Root.DenseCount] = BEING_FREED;
    i32[at + Root.ShrinkPlace] = 0;
  }
  let left = budget;
  while (i32[at + Root.Table + TableRoot.Directory] !== NONE) {
    if (left <= 0) return false;
    const before = i32[at + Root.Table + TableRoot.Count]!;
    // While it is freed, the place of shrinking says where freeing goes on.
    const place = i32[at + Root.ShrinkPlace]!;
    i32[at + Root.ShrinkPlace] = freeSegmentStep(slab, at + Root.Table, place, freeField);
    left -= Math.max(1, before - i32[at + Root.Table + TableRoot.Count]!);
  }
  release(slab, root as BlockRef);
  return true;
}

// What the walk of the running copy needs.
let copyTarget: Slab;
let copyRoot = 0;
let sourceRoot = 0;

function copyField(source: Slab, ref: number): void {
  const field = ref as FieldRef;
  const isVolatile = isVolatileField(source, field);
  const bytes = fieldBytesOf(source, field);
  const copy = createField(copyTarget, bytes, valueBytesOf(source, field), isVolatile);
  copyName(source, field, copyTarget, copy);
  copyValue(source, field, copyTarget, copy);
  const hash = hashOfField(copyTarget, copy);
  insert(copyTarget, tableOf(copyRoot), hash, copy, hashOfField, NO_EPOCH);
  if (!isVolatile) return;
  pushToHeap(copyTarget, heapOf(copyRoot), copy, timeOfField(source, sourceRoot, field));
}

/** A copy, which is not scheduled yet. Memory was reserved. */
export function copyLarge(source: Slab, root: number, target: Slab): number {
  copyTarget = target;
  copyRoot = createLarge(target, keyHashOf(source, root));
  sourceRoot = root;
  eachField(source, root, copyField);
  return copyRoot;
}

let countedBytes = 0;

function countBytes(slab: Slab, field: number): void {
  countedBytes += fieldRoom(slab, field as FieldRef);
}

/** Bytes of slab that the hash holds. */
export function largeBytes(slab: Slab, root: number): number {
  countedBytes = capacityOf(slab, root as BlockRef);
  eachField(slab, root, countBytes);
  return countedBytes + tableBytes(slab, tableOf(root)) + heapBytes(slab, heapOf(root));
}

/** About as much, found quickly. */
export function largeRoughBytes(slab: Slab, root: number): number {
  const roomOf = (_slab: Slab, field: number) => fieldRoom(slab, field as FieldRef);
  return roughTableBytes(slab, tableOf(root), roomOf) + heapBytes(slab, heapOf(root));
}

/** Asserts what must hold of a large hash. */
export function checkLarge(slab: Slab, root: number): void {
  checkTable(slab, tableOf(root), hashOfField);
  checkTableEpochs(slab, tableOf(root));
  checkHeap(slab, heapOf(root));
  let volatileCount = 0;
  eachField(slab, root, (_slab, ref) => {
    const field = ref as FieldRef;
    checkField(slab, field);
    if (!isVolatileField(slab, field)) return;
    assert(isInHeap(slab, field), 'a field that expires stands in the heap');
    volatileCount++;
  });
  const heap = heapOf(root);
  assert(slab.i32[heap + HeapRoot.Count] === volatileCount, 'the heap holds what expires');
}
