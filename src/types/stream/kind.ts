// What the keyspace does with a stream as a whole.

import { type BlockRef, capacityOf, PAGE_BYTES, release } from '../../slab/alloc.js';
import { NONE, type Slab } from '../../slab/slab.js';
import type { Encoding, ValueKind } from '../kind.js';
import { blockBytes, copyBlock, type EntryBlock, linkBlocks, nextBlock } from './block.js';
import { allPending } from './first.js';
import { checkGroups, copyGroups, freeGroupsStep, groupCount, groupsBytes } from './groups.js';
import { freeIdTreeStep, idTreeBytes } from './id-tree.js';
import { moveStream } from './move.js';
import {
  checkProducers,
  copyProducers,
  freeProducersStep,
  producerCount,
  producersBytes,
  producersOf,
} from './producers.js';
import {
  blockCount,
  checkStream,
  copyRoot,
  createStream,
  firstBlock,
  freeBlocksStep,
  indexAt,
  indexBlocks,
  type StreamRef,
  streamLength,
  streamWalkAt,
} from './stream.js';

export const streamKind: ValueKind = {
  encodingName: () => 'stream',

  length(slab: Slab, _encoding: Encoding, root: number): number {
    // Groups and producers may hold much more than entries: what has any is freed in steps.
    const stream = root as StreamRef;
    const producers = producersOf(slab, stream);
    const named = producers === NONE ? 0 : producerCount(slab, producers);
    return streamLength(slab, stream) + (groupCount(slab, stream) + named) * GROUP_COST;
  },

  freeStep(slab: Slab, _encoding: Encoding, root: number, budget: number): boolean {
    const stream = root as StreamRef;
    const hadGroups = groupCount(slab, stream) !== 0 || producersOf(slab, stream) !== NONE;
    if (!freeGroupsStep(slab, stream, budget)) return false;
    if (!freeProducersStep(slab, stream, budget)) return false;
    // What groups cost is not counted on: with a budget, blocks have steps of their own.
    if (hadGroups && budget < Number.MAX_SAFE_INTEGER) return false;
    if (!freeBlocksStep(slab, stream, budget)) return false;
    if (!freeIdTreeStep(slab, indexAt(stream), budget)) return false;
    release(slab, root as BlockRef);
    return true;
  },

  copyReserve(slab: Slab, encoding: Encoding, root: number): number {
    // What is copied in order is no larger; an eighth and some pages are for spans begun.
    const bytes = streamKind.heldBytes(slab, encoding, root);
    return bytes + (bytes >>> 3) + PAGE_BYTES * 16;
  },

  copy(slab: Slab, _encoding: Encoding, root: number, target: Slab): number {
    const stream = root as StreamRef;
    const copy = createStream(target);
    let first = NONE as EntryBlock;
    let last = NONE as EntryBlock;
    for (let block = firstBlock(slab, stream); block !== NONE; block = nextBlock(slab, block)) {
      const copied = copyBlock(slab, block, target);
      linkBlocks(target, last, copied);
      if (first === NONE) first = copied;
      last = copied;
    }
    copyRoot(slab, stream, target, copy, first, last);
    indexBlocks(target, copy);
    copyGroups(slab, stream, target, copy);
    copyProducers(slab, stream, target, copy);
    return copy;
  },

  heldBytes(slab: Slab, _encoding: Encoding, root: number): number {
    const stream = root as StreamRef;
    let bytes = capacityOf(slab, root as BlockRef) + idTreeBytes(slab, indexAt(stream));
    for (let block = firstBlock(slab, stream); block !== NONE; block = nextBlock(slab, block)) {
      bytes += blockBytes(slab, block);
    }
    return bytes + groupsBytes(slab, stream) + producersBytes(slab, stream);
  },

  move: (slab, _encoding, root, place) => moveStream(slab, root, place),

  walkAt: (_encoding: Encoding, root: number) => streamWalkAt(root as StreamRef),

  roughBytes: (slab: Slab, _encoding: Encoding, root: number) =>
    roughBytes(slab, root as StreamRef),

  check(slab: Slab, _encoding: Encoding, root: number): void {
    checkStream(slab, root as StreamRef);
    checkGroups(slab, root as StreamRef);
    checkProducers(slab, root as StreamRef);
  },
};

/** More than the keyspace frees at once. */
const GROUP_COST = 1000;

const ROUGH_BLOCKS = 64;
/** Of a pending entry, with its record in the tree of its consumer. */
const PENDING_BYTES = 56;

/** About the bytes of a stream, as its first blocks tell. */
function roughBytes(slab: Slab, stream: StreamRef): number {
  let bytes = 0;
  let seen = 0;
  let block = firstBlock(slab, stream);
  for (; block !== NONE && seen < ROUGH_BLOCKS; block = nextBlock(slab, block), seen++) {
    bytes += blockBytes(slab, block);
  }
  const average = seen === 0 ? 0 : bytes / seen;
  return Math.round(average * blockCount(slab, stream)) + allPending(slab, stream) * PENDING_BYTES;
}
