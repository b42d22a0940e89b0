// Small hashes: one packed list (structs/packed.ts), which is the root itself while no field
// expires: field, value, field, value. As long as it is as it was written it may lie inside the
// entry of its key (keyspace/inside.ts). Once a field expires, there is a root of its own, and a
// time stands behind each value: field, value, time, field, value, time; 0 is never.
//
//   root with times
//    0          1                2
//   ┌──────────┬────────────────┬──────────┐
//   │ packed   │ place, key hash: see      │
//   │ list     │ expiries.ts               │
//   └──────────┴────────────────┴──────────┘

import { writeInteger } from '../../base/ascii.js';
import { assert } from '../../base/assert.js';
import { allocate, type BlockRef, capacityOf, release } from '../../slab/alloc.js';
import { move, moveAt } from '../../slab/moving.js';
import { NONE, type Slab } from '../../slab/slab.js';
import {
  checkPacked,
  copyPacked,
  createPacked,
  Packed,
  packedAppend,
  packedBytes,
  packedCount,
  packedReplace,
  releasePacked,
} from '../../structs/packed.js';
import { Encoding } from '../kind.js';
import { hashMoved, keyHashOf, NEVER, setKeyHash, unscheduleHash } from './expiries.js';

const enum Root {
  List = 0,
  Place = 1,
  KeyHash = 2,
  Words = 3,
}

export const PAIR = 2;
export const TRIPLE = 3;

const ROOT_BYTES = Root.Words * 4;
const TWO_32 = 2 ** 32;

const timeText = new Uint8Array(new ArrayBuffer(24));
const cursor = new Packed();

/** Moves list and root together with others (slab/moving.ts); returns the root. */
export function moveSmall(slab: Slab, encoding: Encoding, root: number): number {
  const moved = move(slab, root);
  if (encoding !== Encoding.PackedTimed) return moved;
  moveAt(slab, (moved << 1) + Root.List);
  if (moved !== root) hashMoved(slab, moved);
  return moved;
}

/** Is a hash of this encoding one list of pairs, wherever that lies? */
export function isPairs(encoding: Encoding): boolean {
  return encoding === Encoding.Packed || encoding === Encoding.Inside;
}

export function listOf(slab: Slab, encoding: Encoding, root: number): BlockRef {
  if (encoding !== Encoding.PackedTimed) return root as BlockRef;
  return slab.i32[(root << 1) + Root.List]! as BlockRef;
}

export function strideOf(encoding: Encoding): number {
  return encoding === Encoding.PackedTimed ? TRIPLE : PAIR;
}

/** The list of a root with times has moved. */
export function setList(slab: Slab, root: number, list: BlockRef): void {
  slab.i32[(root << 1) + Root.List] = list;
}

/** A root with times for a list of triples. Memory was reserved. */
export function createTimed(slab: Slab, list: BlockRef, keyHash: number): number {
  const root = allocate(slab, ROOT_BYTES);
  assert(root !== NONE, 'memory for a hash was reserved');
  slab.i32[(root << 1) + Root.Place] = 0;
  setList(slab, root, list);
  setKeyHash(slab, root, keyHash);
  return root;
}

/** A list of triples with the pairs of `list`, which is freed. Memory was reserved. */
export function withTimes(slab: Slab, list: BlockRef): BlockRef {
  const pairs = packedCount(slab, list) / PAIR;
  let triples = createPacked(slab, packedBytes(slab, list) + timesBytes(pairs));
  cursor.open(slab, list);
  for (let isThere = cursor.first(); isThere; isThere = cursor.next()) {
    triples = appendElement(slab, triples, cursor);
    cursor.next();
    triples = appendElement(slab, triples, cursor);
    triples = appendTime(slab, triples, NEVER);
  }
  releasePacked(slab, list);
  return triples;
}

/** Room for the times of so many pairs: seven bytes are a time of this century, at most nine. */
export function timesBytes(pairs: number): number {
  return pairs * 9;
}

const elementText = new Uint8Array(new ArrayBuffer(24));

/** Appends the text of `from`'s element, which stands in another list. */
function appendElement(slab: Slab, list: BlockRef, from: Packed): BlockRef {
  if (!from.isInteger) return packedAppend(slab, list, slab.u8, from.at, from.length);
  return packedAppend(slab, list, elementText, 0, from.writeText(elementText, 0));
}

export function appendTime(slab: Slab, list: BlockRef, timeMs: number): BlockRef {
  return packedAppend(slab, list, timeText, 0, writeTime(timeMs));
}

/** Puts a time in the place of the one that the cursor stands on. */
export function replaceTime(slab: Slab, at: Packed, timeMs: number): BlockRef {
  return packedReplace(slab, at, timeText, 0, writeTime(timeMs));
}

function writeTime(timeMs: number): number {
  return writeInteger(timeText, 0, timeMs === NEVER ? 0 : timeMs);
}

/** The time that the cursor stands on. */
export function readTime(at: Packed): number {
  if (at.low === 0 && at.high === 0) return NEVER;
  return at.high * TWO_32 + (at.low >>> 0);
}

/** The next time that a field expires. */
export function nextTimeOfSmall(slab: Slab, root: number): number {
  let next = NEVER;
  cursor.open(slab, listOf(slab, Encoding.PackedTimed, root));
  for (let isThere = cursor.first(); isThere; isThere = cursor.next()) {
    cursor.next();
    cursor.next();
    next = Math.min(next, readTime(cursor));
  }
  return next;
}

export function freeSmall(slab: Slab, encoding: Encoding, root: number): void {
  // Inside its entry it goes with that.
  if (encoding === Encoding.Inside) return;
  releasePacked(slab, listOf(slab, encoding, root));
  if (encoding === Encoding.Packed) return;
  unscheduleHash(slab, root);
  release(slab, root as BlockRef);
}

/** A copy, which is not scheduled yet. Memory was reserved. */
export function copySmall(source: Slab, encoding: Encoding, root: number, target: Slab): number {
  const list = copyPacked(source, listOf(source, encoding, root), target);
  return isPairs(encoding) ? list : createTimed(target, list, keyHashOf(source, root));
}

/** Bytes of slab that the hash holds besides its entry. */
export function smallBytes(slab: Slab, encoding: Encoding, root: number): number {
  if (encoding === Encoding.Inside) return 0;
  const bytes = capacityOf(slab, listOf(slab, encoding, root));
  return encoding === Encoding.Packed ? bytes : bytes + capacityOf(slab, root as BlockRef);
}

/** Asserts what must hold of a small hash. */
export function checkSmall(slab: Slab, encoding: Encoding, root: number): void {
  const list = listOf(slab, encoding, root);
  checkPacked(slab, list);
  const stride = strideOf(encoding);
  const count = packedCount(slab, list);
  assert(count % stride === 0, 'every field has a value, and a time where there are times');
  const names = new Set<string>();
  const walk = new Packed().open(slab, list);
  for (let isThere = walk.first(), index = 0; isThere; isThere = walk.next(), index++) {
    if (index % stride === 0) names.add(textOf(walk));
    if (index % stride === 2) assert(walk.isInteger, 'a time is an integer');
  }
  assert(names.size === count / stride, 'no field is there twice');
}

function textOf(element: Packed): string {
  const text = new Uint8Array(element.textLength());
  element.writeText(text, 0);
  return Buffer.from(text).toString('latin1');
}
