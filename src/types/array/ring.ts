// Rings: arrays that are written in a circle. A ring whose size changes is put in order first, so
// that what was inserted last survives, and stands where the next insert expects it.

import { NONE, type Slab } from '../../slab/slab.js';
import {
  type ArrayRef,
  arrayCount,
  countBytes,
  createLike,
  moveArray,
  readCursor,
  readLength,
  releaseRoot,
  rowReserve,
  setSlot,
  writeCursor,
} from './array.js';
import { saveArrayFirst } from './first.js';
import { freeArrayStep } from './kind.js';
import { comparePositions, Position, remainder, spanOf } from './position.js';
import { EMPTY, slotBytes } from './slot.js';
import { ArrayWalk } from './walk.js';

const length = new Position();
const cursor = new Position();
const first = new Position();
const last = new Position();
const target = new Position();
const walk = new ArrayWalk();

/** Where the next value of an array without an end goes; 2^64 - 1 when there is no room. */
export function readNext(slab: Slab, root: ArrayRef, out: Position): void {
  if (root === NONE || !readCursor(slab, root, out)) out.set(0, 0);
  else out.increment();
}

/**
 * How many of its last values a ring keeps, at the most, when it is put in order for `size` places:
 * all when it grows after it has gone round. 0 when it may stay as it is.
 */
function keptOf(slab: Slab, root: ArrayRef, size: Position): number {
  readLength(slab, root, length);
  const order = comparePositions(size, length);
  const count = arrayCount(slab, root);
  if (order < 0) return Math.min(count, size.high === 0 && size.low >= 0 ? size.low : count);
  if (order === 0) return 0;
  const hasCursor = readCursor(slab, root, cursor);
  cursor.increment();
  return hasCursor && comparePositions(cursor, length) < 0 ? count : 0;
}

/** Bytes that orderRing may allocate. */
export function orderReserve(slab: Slab, root: ArrayRef, size: Position): number {
  return root === NONE ? 0 : rowReserve(keptOf(slab, root, size));
}

/**
 * Puts a ring in order for `size` places, if that is necessary: its last values, up to the first
 * gap, stand from 0 on, the oldest first. Memory was reserved.
 */
export function orderRing(slab: Slab, root: ArrayRef, size: Position): void {
  const most = keptOf(slab, root, size);
  if (most === 0) return;
  const hasCursor = readCursor(slab, root, cursor);
  readLength(slab, root, length);
  if (hasCursor) {
    remainder(cursor, length);
  } else {
    cursor.copyFrom(length);
    cursor.decrement();
  }
  // From the cursor down to 0, and then from the end down to behind the cursor.
  first.set(0, 0);
  const lower = countBack(slab, root, cursor, first, most);
  let upper = 0;
  last.copyFrom(length);
  last.decrement();
  const isWhole = lower === spanOf(first, cursor);
  if (isWhole && lower < most && comparePositions(cursor, last) < 0) {
    first.copyFrom(cursor);
    first.increment();
    upper = countBack(slab, root, last, first, most - lower);
  }
  saveArrayFirst(slab, root);
  const ordered = createLike(slab, root);
  target.set(0, 0);
  if (upper > 0) moveUp(slab, root, ordered, last, upper, lower + upper);
  if (lower > 0) moveUp(slab, root, ordered, cursor, lower, lower);
  if (lower > 0) {
    target.decrement();
    writeCursor(slab, ordered, target);
  }
  while (!freeArrayStep(slab, root, Number.MAX_SAFE_INTEGER)) {}
  moveArray(slab, ordered, root);
  releaseRoot(slab, ordered);
}

/** How many positions from `from` down to `to` have values without a gap, at most `most`. */
function countBack(slab: Slab, root: ArrayRef, from: Position, to: Position, most: number): number {
  let count = 0;
  target.copyFrom(from);
  walk.open(slab, root, from, to);
  while (count < most && walk.next() && comparePositions(walk.position, target) === 0) {
    target.decrement();
    count++;
  }
  return count;
}

/** Moves the `count` values that end at `end` behind those that `ordered` has already. */
function moveUp(
  slab: Slab,
  root: ArrayRef,
  ordered: ArrayRef,
  end: Position,
  count: number,
  expected: number,
): void {
  const { i32 } = slab;
  first.copyFrom(end);
  for (let left = count; left > 1; left--) first.decrement();
  walk.open(slab, root, first, end);
  while (walk.next()) {
    const { word } = walk;
    i32[walk.place] = EMPTY;
    const bytes = slotBytes(slab, word);
    countBytes(slab, root, -bytes);
    countBytes(slab, ordered, bytes);
    setSlot(slab, ordered, target, word, expected--);
    target.increment();
  }
}
