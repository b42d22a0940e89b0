// The share of a stream's blocks in the walk through a large value (structs/walked.ts): each is a
// node, with its ID for a key. The walk goes by IDs and remembers the last that it has passed.
// Blocks that go as a whole (XTRIM) before the walk has seen them are left to it, in a list that
// they link themselves: handing over each would take the time that copying it takes.
//
//   three words of the stream's root
//   ┌───────────┬────────────────────────────┬─────────────────────────────┐
//   │ walk word │ first block that was left  │ first group that was left,  │
//   │           │                            │ see pending-first.ts        │
//   └───────────┴────────────────────────────┴─────────────────────────────┘

import { assert } from '../../base/assert.js';
import { NONE, type Slab } from '../../slab/slab.js';
import type { TakeNode } from '../../structs/table-first.js';
import { aheadOrder, isWalked, keyOrder, Walk, walkedNodes } from '../../structs/walked.js';
import {
  blockEpoch,
  type EntryBlock,
  linkLeft,
  nextBlock,
  releaseBlock,
  setBlockEpoch,
} from './block.js';

const enum Share {
  Walk = 0,
  LeftBlocks = 1,
}

/** The section of a stream's nodes that blocks make up. */
export const BLOCK_SECTION = 0;

/** The walk need not see the block any more; false when it need not anyway. */
function takeBlock(slab: Slab, walkAt: number, block: EntryBlock): boolean {
  const walk = slab.i32[walkAt + Share.Walk]!;
  if ((walk & Walk.Walked) === 0) return false;
  const epoch = walk & Walk.EpochMask;
  if (blockEpoch(slab, block) === epoch) return false;
  setBlockEpoch(slab, block, epoch);
  return true;
}

/** The block is about to change: the walk through its stream has it first. */
export function saveBlockFirst(slab: Slab, walkAt: number, block: EntryBlock): void {
  if (!takeBlock(slab, walkAt, block)) return;
  walkedNodes.save(slab, walkAt, block, keyOrder(BLOCK_SECTION));
}

/**
 * The block stands in its stream no more. True when it is the walk's from now on: the caller must
 * not free it.
 */
export function leaveBlock(slab: Slab, walkAt: number, block: EntryBlock): boolean {
  if (!takeBlock(slab, walkAt, block)) return false;
  linkLeft(slab, block, slab.i32[walkAt + Share.LeftBlocks]! as EntryBlock);
  slab.i32[walkAt + Share.LeftBlocks] = block;
  return true;
}

/** Takes over a block that was left, and frees it; false when there is none. */
export function walkLeftBlock(slab: Slab, walkAt: number, take: TakeNode): boolean {
  const block = slab.i32[walkAt + Share.LeftBlocks]! as EntryBlock;
  if (block === NONE) return false;
  take(slab, walkAt, block, aheadOrder(BLOCK_SECTION));
  slab.i32[walkAt + Share.LeftBlocks] = nextBlock(slab, block);
  releaseBlock(slab, block);
  return true;
}

/** Takes over a block that stands in its stream, unless the walk need not see it. */
export function walkBlock(slab: Slab, walkAt: number, block: EntryBlock, take: TakeNode): void {
  if (takeBlock(slab, walkAt, block)) take(slab, walkAt, block, keyOrder(BLOCK_SECTION));
}

/** Asserts that no walk has left a block behind. */
export function checkBlockEpochs(slab: Slab, walkAt: number, first: EntryBlock): void {
  if (isWalked(slab, walkAt)) return;
  assert(slab.i32[walkAt + Share.LeftBlocks] === NONE, 'nothing is left to a walk that is over');
  const epoch = slab.i32[walkAt]! & Walk.EpochMask;
  for (let block = first; block !== NONE; block = nextBlock(slab, block)) {
    assert(blockEpoch(slab, block) === epoch, 'a block has the epoch of its stream');
  }
}
