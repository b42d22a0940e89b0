// Moving blocks together, so that sparse spans become empty and their pages go back to the system.
// Whoever knows a structure walks over it and calls move() for each block, writing the result to
// where the block is referred to; which blocks move is decided here, by their spans.
//
//   before                 a span is left alone    a sparse one is taken      and is empty once
//   ┌───┬───┬───┬───┐      when it is fuller       off the list of those      the walk has been
//   │ a │   │   │ b │      than the limit of       with room at the first     through all that
//   ├───┼───┼───┼───┤      its class: blocks       of its blocks that the     refers to its blocks
//   │ c │ d │   │ e │ ◀─── move to these           walk meets
//   └───┴───┴───┴───┘
//
// A span that is being emptied takes no new blocks, neither moved ones nor those of commands. What
// moves goes to the first span with room, which is never emptied itself: so hardly a block is moved
// twice in one walk, and the spans that remain are filled one after the other.
//
// The limit of a class: of its spans with room so many are kept, the fullest ones, as it takes to
// hold all of their blocks. A walk over everything then leaves the class about as dense as it can
// be; what comes and goes meanwhile is for the next.

import {
  type BlockRef,
  blocksOfClass,
  CLASS_COUNT,
  capacityOf,
  countSpans,
  moveBlock,
  pagesOfClass,
} from './alloc.js';
import { Header, type Slab } from './slab.js';

/** Spans of a class that are looked at to find its limit: the rest is taken to be like them. */
const SAMPLED_SPANS = 128;
const PARTS = 32;
/** Room that is kept besides, so that few moved blocks need a span of their own. */
const SPARE = 1.02;
/** All of the spans that are alike are emptied where one of eight can be spared. */
const WORTH_SHIFT = 3;
/** A block that stays costs a unit of the budget, one that moves some more, and its bytes. */
const MOVE_UNITS = 3;
const UNIT_SHIFT = 8;

/** What one step of a walk may spend, and what it did. A thread takes one step at a time. */
export const moving = {
  /** Goes down with every block; a walk stops where it is not above 0. */
  units: 0,
  hits: 0,
  misses: 0,
};

const limits = new Int32Array(CLASS_COUNT);
const counts = new Int32Array(PARTS);

/**
 * Sets how full a span of each class has to be to stay, as things are in this slab now. Returns how
 * many pages a walk can win, or NO_END where more is sparse than it looked at.
 */
export function setLimits(slab: Slab, into: Int32Array): number {
  pagesToWin = 0;
  for (let sizeClass = 0; sizeClass < CLASS_COUNT; sizeClass++) {
    into[sizeClass] = limitOf(slab, sizeClass);
  }
  return pagesToWin;
}

let pagesToWin = 0;
const NO_END = 2 ** 31;

/** The next moves are in this slab, by these limits. */
export function useLimits(from: Int32Array): void {
  limits.set(from);
}

export function limitsArray(): Int32Array {
  return new Int32Array(CLASS_COUNT);
}

function limitOf(slab: Slab, sizeClass: number): number {
  if (slab.i32[Header.ClassHeads + sizeClass] === 0) return 0;
  counts.fill(0);
  const used = countSpans(slab, sizeClass, SAMPLED_SPANS, counts);
  const blocks = blocksOfClass(sizeClass);
  const needed = Math.ceil((used * SPARE) / blocks);
  let spans = 0;
  for (let part = 0; part < PARTS; part++) spans += counts[part]!;
  let kept = needed;
  for (let part = PARTS - 1; part >= 0; part--) {
    kept -= counts[part]!;
    if (kept > 0) continue;
    // Of this part only some are needed. Where much is won all of it goes: spans that are alike
    // would stay as they are otherwise.
    const isWorthIt = spans - needed >= Math.max(1, spans >> WORTH_SHIFT);
    if (isWorthIt && spans === SAMPLED_SPANS) pagesToWin = NO_END;
    else if (spans > needed) pagesToWin += (spans - needed) * pagesOfClass(sizeClass);
    return Math.ceil(((isWorthIt ? part + 1 : part) * blocks) / PARTS);
  }
  return 0;
}

/** Moves the block if its span is sparse; returns where it is now. */
export function move(slab: Slab, ref: number): number {
  const moved = moveBlock(slab, ref as BlockRef, limits);
  if (moved === ref) {
    moving.misses++;
    moving.units--;
    return ref;
  }
  moving.hits++;
  moving.units -= MOVE_UNITS + (capacityOf(slab, moved) >> UNIT_SHIFT);
  return moved;
}

/** As move, of the block that word `at` refers to, which is changed. True when it has moved. */
export function moveAt(slab: Slab, at: number): boolean {
  const ref = slab.i32[at]!;
  const moved = move(slab, ref);
  if (moved === ref) return false;
  slab.i32[at] = moved;
  return true;
}
