// A member of a set that is a table: a block of its own, with nothing but its length before it.
//
//   up to 254 bytes              longer
//   ┌────────┬───────────┐      ┌─────┬────────────────┬───────────┐
//   │ length │ bytes     │      │ 255 │ length 4 bytes │ bytes     │
//   └────────┴───────────┘      └─────┴────────────────┴───────────┘
//
// A member of 16 bytes takes a block of 24; its share of the table is some 9 bytes more.

import { assert } from '../../base/assert.js';
import { copyBytes, equalBytes } from '../../base/bytes.js';
import { hashBytes } from '../../base/hash.js';
import { allocate, type BlockRef, capacityOf, release, SMALL_BYTES_MAX } from '../../slab/alloc.js';
import { equalBlocks } from '../../slab/equal.js';
import { NONE, type Ref, type Slab } from '../../slab/slab.js';

export type MemberRef = Ref<'set member'>;

const LONG = 255;
const SHORT_HEAD = 1;
const LONG_HEAD = 5;
/** What a table needs for one more member when it grows: a segment has 148 at the least. */
const TABLE_SHARE_BYTES = 16;
const PAGE_BYTES = 4096;

/** Byte offset in slab.u8 of the member's bytes. */
export function memberStart(slab: Slab, ref: MemberRef): number {
  const at = ref << 3;
  return at + (slab.u8[at]! === LONG ? LONG_HEAD : SHORT_HEAD);
}

export function memberLength(slab: Slab, ref: MemberRef): number {
  const length = slab.u8[ref << 3]!;
  return length === LONG ? longLength(slab.u8, ref << 3) : length;
}

function longLength(u8: Uint8Array, at: number): number {
  let length = 0;
  for (let byte = 0; byte < 4; byte++) length |= u8[at + SHORT_HEAD + byte]! << (8 * byte);
  return length;
}

/** Is the member u8[start, start + length)? For findInBucket. */
export function isMember(
  slab: Slab,
  ref: number,
  u8: Uint8Array,
  start: number,
  length: number,
): boolean {
  const bytes = slab.u8;
  const at = ref << 3;
  if (length < LONG) {
    if (bytes[at] !== length) return false;
    for (let index = 0; index < length; index++) {
      if (bytes[at + SHORT_HEAD + index] !== u8[start + index]) return false;
    }
    return true;
  }
  if (bytes[at] !== LONG || longLength(bytes, at) !== length) return false;
  return equalBytes(bytes, at + LONG_HEAD, u8, start, length);
}

/**
 * Are two members of two sets the same? Their blocks are alike from the length on, so that words
 * are compared.
 */
export function areSameMembers(slab: Slab, ref: number, other: Slab, otherRef: number): boolean {
  const length = slab.u8[ref << 3]!;
  if (length !== other.u8[otherRef << 3]!) return false;
  const bytes = length === LONG ? LONG_HEAD + longLength(slab.u8, ref << 3) : SHORT_HEAD + length;
  if (length === LONG && longLength(other.u8, otherRef << 3) !== bytes - LONG_HEAD) return false;
  return equalBlocks(slab, ref << 1, other, otherRef << 1, bytes);
}

export function hashOfMember(slab: Slab, ref: number): number {
  const member = ref as MemberRef;
  return hashBytes(slab.u8, memberStart(slab, member), memberLength(slab, member));
}

/** A block with the bytes u8[start, start + length). Memory was reserved. */
export function createMember(slab: Slab, u8: Uint8Array, start: number, length: number): MemberRef {
  const head = length < LONG ? SHORT_HEAD : LONG_HEAD;
  const ref = allocate(slab, head + length) as number as MemberRef;
  assert(ref !== NONE, 'memory for a member was reserved');
  const bytes = slab.u8;
  const at = ref << 3;
  if (head === SHORT_HEAD) {
    bytes[at] = length;
  } else {
    bytes[at] = LONG;
    for (let byte = 0; byte < 4; byte++) bytes[at + SHORT_HEAD + byte] = length >>> (8 * byte);
  }
  copyBytes(u8, start, bytes, at + head, length);
  return ref;
}

export function freeMember(slab: Slab, ref: number): void {
  release(slab, ref as BlockRef);
}

/** Bytes that one more member of so many bytes may take at the most, its place included. */
export function memberReserve(length: number): number {
  const bytes = length + LONG_HEAD + TABLE_SHARE_BYTES;
  // Small blocks are up to an eighth larger than what is asked for, and at least 16 bytes.
  return bytes + (length > SMALL_BYTES_MAX ? PAGE_BYTES : 11 + (length >>> 3));
}

export function checkMember(slab: Slab, ref: MemberRef): void {
  const end = memberStart(slab, ref) + memberLength(slab, ref);
  assert(end <= (ref << 3) + capacityOf(slab, ref as number as BlockRef), 'a member fits');
}
