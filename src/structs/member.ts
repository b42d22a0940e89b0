// A member of a sorted set: one block with its score and its name. A table finds it by name, a tree
// keeps it in order; both hold its ref.
//
//    word 0            2          3
//   ┌─────────────────┬──────────┬──────────────┐
//   │ score, a double │ length   │ name bytes … │
//   └─────────────────┴──────────┴──────────────┘
//
// Scores are compared as two signed words, which order as the doubles do: the bits of a negative
// double are turned over, and so is the highest bit of the lower word. Words pass through calls and
// fields without being boxed, doubles do not. -0 and 0 have the same words: they are equal.

import { assert } from '../base/assert.js';
import { compareBytes, copyBytes, equalBytes } from '../base/bytes.js';
import { hashBytes } from '../base/hash.js';
import { allocate, type BlockRef, capacityOf, release } from '../slab/alloc.js';
import { equalBlocks } from '../slab/equal.js';
import { NONE, type Ref, type Slab } from '../slab/slab.js';

export type MemberRef = Ref<'sorted set member'>;

const enum Member {
  Score = 0,
  Length = 2,
  Name = 3,
}

const SIGN = 0x80000000 | 0;
const MAGNITUDE = 0x7fffffff;

const doubleView = new Float64Array(1);
const wordView = new Int32Array(doubleView.buffer);
// Which word of a double has its sign depends on the machine.
doubleView[0] = -1;
const HIGH_WORD = wordView[0] === 0 ? 1 : 0;
const LOW_WORD = 1 - HIGH_WORD;

/** Two words that order as the score they stand for. */
export class ScoreOrder {
  high = 0;
  low = 0;
}

/** Where orderOfScore and orderOfMember leave their result. */
export const scoreOrder = new ScoreOrder();

function orderOfView(): void {
  const high = wordView[HIGH_WORD]!;
  const low = wordView[LOW_WORD]!;
  if (high >= 0) {
    scoreOrder.high = high;
    scoreOrder.low = low ^ SIGN;
  } else {
    scoreOrder.high = high ^ MAGNITUDE;
    scoreOrder.low = ~low ^ SIGN;
  }
}

export function orderOfScore(score: number): void {
  // -0 becomes 0.
  doubleView[0] = score + 0;
  orderOfView();
}

export function orderOfMember(slab: Slab, member: MemberRef): void {
  const { i32 } = slab;
  const at = (member << 1) + Member.Score;
  wordView[HIGH_WORD] = i32[at + HIGH_WORD]!;
  wordView[LOW_WORD] = i32[at + LOW_WORD]!;
  if (wordView[HIGH_WORD] === SIGN && wordView[LOW_WORD] === 0) wordView[HIGH_WORD] = 0;
  orderOfView();
}

export function memberBytes(nameBytes: number): number {
  return Member.Name * 4 + nameBytes;
}

/** A new member with this score and the name u8[start, start + length). Memory was reserved. */
export function createMember(
  slab: Slab,
  score: number,
  u8: Uint8Array,
  start: number,
  length: number,
): MemberRef {
  const block = allocate(slab, memberBytes(length));
  assert(block !== NONE, 'memory for a member was reserved');
  const member = block as number as MemberRef;
  setScore(slab, member, score);
  slab.i32[(member << 1) + Member.Length] = length;
  copyBytes(u8, start, slab.u8, nameStart(member), length);
  return member;
}

export function releaseMember(slab: Slab, ref: number): void {
  release(slab, ref as BlockRef);
}

/** Bytes that the member's block takes. */
export function memberRoom(slab: Slab, member: MemberRef): number {
  return capacityOf(slab, member as number as BlockRef);
}

export function scoreOf(slab: Slab, member: MemberRef): number {
  const { i32 } = slab;
  const at = (member << 1) + Member.Score;
  wordView[HIGH_WORD] = i32[at + HIGH_WORD]!;
  wordView[LOW_WORD] = i32[at + LOW_WORD]!;
  return doubleView[0]!;
}

export function setScore(slab: Slab, member: MemberRef, score: number): void {
  const { i32 } = slab;
  const at = (member << 1) + Member.Score;
  doubleView[0] = score;
  i32[at + HIGH_WORD] = wordView[HIGH_WORD]!;
  i32[at + LOW_WORD] = wordView[LOW_WORD]!;
}

/** Byte offset of the name. */
export function nameStart(member: MemberRef): number {
  return ((member << 1) + Member.Name) << 2;
}

export function nameBytes(slab: Slab, member: MemberRef): number {
  return slab.i32[(member << 1) + Member.Length]!;
}

/** Have two members of two sorted sets the same name? Their blocks are alike from the length on. */
export function areNamesakes(slab: Slab, ref: number, other: Slab, otherRef: number): boolean {
  const at = (ref << 1) + Member.Length;
  const otherAt = (otherRef << 1) + Member.Length;
  const bytes = (Member.Name - Member.Length) * 4 + slab.i32[at]!;
  return equalBlocks(slab, at, other, otherAt, bytes);
}

/** Is the member's name u8[start, start + length)? For the table. */
export function hasName(
  slab: Slab,
  ref: number,
  u8: Uint8Array,
  start: number,
  length: number,
): boolean {
  const member = ref as MemberRef;
  if (nameBytes(slab, member) !== length) return false;
  return equalBytes(slab.u8, nameStart(member), u8, start, length);
}

export function hashOfName(slab: Slab, ref: number): number {
  const member = ref as MemberRef;
  return hashBytes(slab.u8, nameStart(member), nameBytes(slab, member));
}

/** Negative, 0 or positive as the member's name sorts before, with or after the given one. */
export function compareName(
  slab: Slab,
  member: MemberRef,
  u8: Uint8Array,
  start: number,
  length: number,
): number {
  return compareBytes(slab.u8, nameStart(member), nameBytes(slab, member), u8, start, length);
}

/** Asserts what must hold of any member. */
export function checkMember(slab: Slab, member: MemberRef): void {
  const bytes = nameBytes(slab, member);
  assert(member > 0 && bytes >= 0, 'a member has a name');
  assert(memberBytes(bytes) <= memberRoom(slab, member), 'a member fits its block');
  assert(!Number.isNaN(scoreOf(slab, member)), 'a score is a number');
}
