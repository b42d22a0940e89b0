// A small sorted set: one packed list of member, score, member, score …, in the order of score and
// name. Scores are texts as Redis replies them; whole ones the list keeps as integers.

import { INT64_TEXT_BYTES_MAX } from '../../base/ascii.js';
import { assert } from '../../base/assert.js';
import { compareBytes } from '../../base/bytes.js';
import { DOUBLE_TEXT_BYTES_MAX, parseDouble, writeDouble } from '../../base/float-text.js';
import type { BlockRef } from '../../slab/alloc.js';
import type { Slab } from '../../slab/slab.js';
import {
  checkPacked,
  Packed,
  packedCount,
  packedFind,
  packedInsertBefore,
  packedRemove,
} from '../../structs/packed.js';

/** Elements of the list for each member. */
const STRIDE = 2;
const TWO_32 = 2 ** 32;

/** What the text of a score takes at the most. */
export const SCORE_BYTES_MAX: number = DOUBLE_TEXT_BYTES_MAX;

const cursor = new Packed();
const scores = new Packed();
const integerText = new Uint8Array(INT64_TEXT_BYTES_MAX);
const scoreText = new Uint8Array(DOUBLE_TEXT_BYTES_MAX);

export function smallLength(slab: Slab, list: BlockRef): number {
  return packedCount(slab, list) / STRIDE;
}

/** The score of the member that `member` stands on. */
export function scoreBehind(member: Packed): number {
  const { slab } = member;
  const found = scores.open(slab, member.ref);
  found.stand(member.behind, slab.u8[member.behind]! ^ member.token);
  if (found.isInteger) return found.high * TWO_32 + (found.low >>> 0);
  return parseDouble(slab.u8, found.at, found.length);
}

/** To the member behind; false when there is none. */
export function toNextMember(member: Packed): boolean {
  return member.next() && member.next();
}

/** To the member before; false, and on none, when there is none. */
export function toPreviousMember(member: Packed): boolean {
  return member.previous() && member.previous();
}

/** The score of the member of this name, NaN when it is not there. */
export function smallFind(
  slab: Slab,
  list: BlockRef,
  u8: Uint8Array,
  start: number,
  length: number,
): number {
  if (!packedFind(slab, list, u8, start, length, STRIDE, cursor)) return Number.NaN;
  return scoreBehind(cursor);
}

/** How many members come before the one of this name, which is there. */
export function smallRank(
  slab: Slab,
  list: BlockRef,
  u8: Uint8Array,
  start: number,
  length: number,
): number {
  let rank = 0;
  for (let has = cursor.open(slab, list).first(); has; has = toNextMember(cursor)) {
    if (cursor.equals(u8, start, length)) return rank;
    rank++;
  }
  return -1;
}

/** Negative, 0 or positive as the member's name sorts before, with or after the given one. */
function compareToName(member: Packed, u8: Uint8Array, start: number, length: number): number {
  if (!member.isInteger) {
    return compareBytes(member.slab.u8, member.at, member.length, u8, start, length);
  }
  return compareBytes(integerText, 0, member.writeText(integerText, 0), u8, start, length);
}

/** Does the member come before one of this score and name? */
function isBefore(
  member: Packed,
  score: number,
  u8: Uint8Array,
  start: number,
  length: number,
): boolean {
  const here = scoreBehind(member);
  if (here !== score) return here < score;
  return compareToName(member, u8, start, length) < 0;
}

/** Adds a member that is not there. Memory was reserved; returns the list's block now. */
export function smallAdd(
  slab: Slab,
  list: BlockRef,
  score: number,
  u8: Uint8Array,
  start: number,
  length: number,
): BlockRef {
  cursor.open(slab, list);
  // Members often come in their order: a look at the last one saves the walk then.
  if (cursor.last() && cursor.previous() && isBefore(cursor, score, u8, start, length)) {
    cursor.next();
    cursor.next();
  } else {
    let has = cursor.first();
    while (has && isBefore(cursor, score, u8, start, length)) has = toNextMember(cursor);
  }
  packedInsertBefore(slab, cursor, u8, start, length);
  // Behind the name: before what follows, or at the end.
  cursor.next();
  // The integer 0 has no sign: a small set forgets that of -0, as Redis's does.
  return packedInsertBefore(slab, cursor, scoreText, 0, writeDouble(scoreText, 0, score + 0));
}

/** Removes the member that smallFind has just found. */
export function smallRemove(slab: Slab): BlockRef {
  return packedRemove(slab, cursor, STRIDE);
}

/** Removes `count` members from this rank on; they are there. */
export function smallRemoveRange(
  slab: Slab,
  list: BlockRef,
  rank: number,
  count: number,
): BlockRef {
  cursor.open(slab, list).seek(rank * STRIDE);
  return packedRemove(slab, cursor, count * STRIDE);
}

/** Members with a lower score, or with `isWithEqual` a lower or the same. */
export function smallRankOfScore(
  slab: Slab,
  list: BlockRef,
  score: number,
  isWithEqual: boolean,
): number {
  let rank = 0;
  for (let has = cursor.open(slab, list).first(); has; has = toNextMember(cursor)) {
    const here = scoreBehind(cursor);
    if (here > score || (here === score && !isWithEqual)) break;
    rank++;
  }
  return rank;
}

/** Members with a lower name, or with `isWithEqual` a lower or the same. */
export function smallRankOfName(
  slab: Slab,
  list: BlockRef,
  u8: Uint8Array,
  start: number,
  length: number,
  isWithEqual: boolean,
): number {
  let rank = 0;
  for (let has = cursor.open(slab, list).first(); has; has = toNextMember(cursor)) {
    const order = compareToName(cursor, u8, start, length);
    if (order > 0 || (order === 0 && !isWithEqual)) break;
    rank++;
  }
  return rank;
}

export function seekMember(member: Packed, slab: Slab, list: BlockRef, rank: number): void {
  const isThere = member.open(slab, list).seek(rank * STRIDE);
  assert(isThere, 'a rank is that of a member');
}

export function checkSmall(slab: Slab, list: BlockRef): void {
  checkPacked(slab, list);
  assert(packedCount(slab, list) % STRIDE === 0, 'every member has a score');
  const before = new Packed().open(slab, list);
  const member = new Packed().open(slab, list);
  if (!before.first()) return;
  member.first();
  const text = new Uint8Array(packedTextBytesMax(slab, list));
  while (toNextMember(member)) {
    const length = member.writeText(text, 0);
    const score = scoreBehind(member);
    assert(isBefore(before, score, text, 0, length), 'members are in order');
    toNextMember(before);
  }
}

function packedTextBytesMax(slab: Slab, list: BlockRef): number {
  let most = INT64_TEXT_BYTES_MAX;
  for (let has = cursor.open(slab, list).first(); has; has = cursor.next()) {
    most = Math.max(most, cursor.textLength());
  }
  return most;
}
