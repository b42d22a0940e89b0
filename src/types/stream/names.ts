// Sorted lists of named blocks: the groups of a stream, the consumers of a group. Redis shows both
// in the order of their names.
//
//   list, two words of the owner's        array              named block, of whatever kind
//   ┌───────┬───────┐                     ┌─────┬─────┬──    ┌───┬────────────┬───────────┐
//   │ array │ count │                     │ ref │ ref │ …    │ … │ name bytes │ name      │
//   └───────┴───────┘                     └─────┴─────┴──    └───┴────────────┴───────────┘
//                                          by name                word `nameWord`

import { assert } from '../../base/assert.js';
import { compareBytes, copyBytes } from '../../base/bytes.js';
import { allocate, type BlockRef, capacityOf, release } from '../../slab/alloc.js';
import { moveAt } from '../../slab/moving.js';
import { NONE, type Slab } from '../../slab/slab.js';

/** The words of a list; its word index is the `listAt` of every function here. */
export const enum Names {
  Array = 0,
  Count = 1,
  Words = 2,
}

const FIRST_BYTES = 16;

export function nameCount(slab: Slab, listAt: number): number {
  return slab.i32[listAt + Names.Count]!;
}

/** The block at place `index` of the list. */
export function namedAt(slab: Slab, listAt: number, index: number): number {
  return slab.i32[(slab.i32[listAt + Names.Array]! << 1) + index]!;
}

/** Byte offset of a block's name. */
export function nameStart(block: number, nameWord: number): number {
  return ((block << 1) + nameWord + 1) << 2;
}

export function nameLength(slab: Slab, block: number, nameWord: number): number {
  return slab.i32[(block << 1) + nameWord]!;
}

/** The place of the name u8[start, start + length), or -1 - place when it is not in the list. */
export function findName(
  slab: Slab,
  listAt: number,
  nameWord: number,
  u8: Uint8Array,
  start: number,
  length: number,
): number {
  let low = 0;
  let high = nameCount(slab, listAt);
  while (low < high) {
    const middle = (low + high) >>> 1;
    const block = namedAt(slab, listAt, middle);
    const bytes = nameLength(slab, block, nameWord);
    const order = compareBytes(slab.u8, nameStart(block, nameWord), bytes, u8, start, length);
    if (order === 0) return middle;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return -1 - low;
}

/** A block with `nameWord` words of anything, and then its name. Memory was reserved. */
export function createNamed(
  slab: Slab,
  nameWord: number,
  u8: Uint8Array,
  start: number,
  length: number,
): number {
  const block = allocate(slab, (nameWord + 1) * 4 + length);
  assert(block !== NONE, 'memory for a name was reserved');
  slab.i32[(block << 1) + nameWord] = length;
  copyBytes(u8, start, slab.u8, nameStart(block, nameWord), length);
  return block;
}

/** Bytes that createNamed and enterName may allocate together. */
export function nameReserve(
  slab: Slab,
  listAt: number,
  nameWord: number,
  nameBytes: number,
): number {
  return (nameWord + 1) * 4 + nameBytes + nameCount(slab, listAt) * 8 + FIRST_BYTES;
}

/** Enters a block at a place of the list. Memory was reserved. */
export function enterName(slab: Slab, listAt: number, index: number, block: number): void {
  const { i32 } = slab;
  const count = nameCount(slab, listAt);
  const array = i32[listAt + Names.Array]!;
  if (array === NONE || count * 4 === capacityOf(slab, array as BlockRef)) growArray(slab, listAt);
  const at = i32[listAt + Names.Array]! << 1;
  if (index < count) i32.copyWithin(at + index + 1, at + index, at + count);
  i32[at + index] = block;
  i32[listAt + Names.Count] = count + 1;
}

function growArray(slab: Slab, listAt: number): void {
  const { i32 } = slab;
  const count = nameCount(slab, listAt);
  const grown = allocate(slab, Math.max(FIRST_BYTES, count * 8));
  assert(grown !== NONE, 'memory for a list of names was reserved');
  const array = i32[listAt + Names.Array]!;
  if (array !== NONE) {
    i32.copyWithin(grown << 1, array << 1, (array << 1) + count);
    release(slab, array as BlockRef);
  }
  i32[listAt + Names.Array] = grown;
}

/** Takes the block at a place out of the list; it lives on. */
export function leaveName(slab: Slab, listAt: number, index: number): void {
  const { i32 } = slab;
  const count = nameCount(slab, listAt) - 1;
  const array = i32[listAt + Names.Array]!;
  const at = array << 1;
  i32.copyWithin(at + index, at + index + 1, at + count + 1);
  i32[listAt + Names.Count] = count;
  if (count !== 0) return;
  release(slab, array as BlockRef);
  i32[listAt + Names.Array] = NONE;
}

/** Moves the list's array together with others (slab/moving.ts). */
export function moveNames(slab: Slab, listAt: number): void {
  if (slab.i32[listAt + Names.Array] !== NONE) moveAt(slab, listAt + Names.Array);
}

/** As moveNames, the block at place `index`, which the list refers to; returns where it is. */
export function moveNamed(slab: Slab, listAt: number, index: number): number {
  const at = (slab.i32[listAt + Names.Array]! << 1) + index;
  moveAt(slab, at);
  return slab.i32[at]!;
}

/** Bytes of the list's array. */
export function namesBytes(slab: Slab, listAt: number): number {
  const array = slab.i32[listAt + Names.Array]!;
  return array === NONE ? 0 : capacityOf(slab, array as BlockRef);
}

/** Asserts what must hold of a list. */
export function checkNames(slab: Slab, listAt: number, nameWord: number): void {
  const count = nameCount(slab, listAt);
  assert((slab.i32[listAt + Names.Array] === NONE) === (count === 0), 'no names, no array');
  assert(count * 4 <= Math.max(0, namesBytes(slab, listAt)), 'a list of names fits its array');
  for (let index = 0; index < count; index++) {
    const block = namedAt(slab, listAt, index);
    const start = nameStart(block, nameWord);
    const length = nameLength(slab, block, nameWord);
    assert(findName(slab, listAt, nameWord, slab.u8, start, length) === index, 'names are sorted');
  }
}
