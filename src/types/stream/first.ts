// The walk of a snapshot through a stream (structs/walked.ts): its blocks (block-first.ts), then
// what is pending in its groups (pending-first.ts).

import { NONE, type Slab } from '../../slab/slab.js';
import type { TakeNode } from '../../structs/table-first.js';
import { beginValueWalk, WalkKind } from '../../structs/walked.js';
import { nextBlock, readBlockId } from './block.js';
import { walkBlock, walkLeftBlock } from './block-first.js';
import { groupAt, groupCount, pendingCount } from './groups.js';
import { compareIds, StreamId } from './id.js';
import { beginGroupWalks, dueGroup, endGroupWalk, PendingPlace } from './pending-first.js';
import { blockFrom, firstBlock, type StreamRef, streamOfWalk, streamWalkAt } from './stream.js';

export function beginStreamWalk(slab: Slab, stream: StreamRef): void {
  const walkAt = streamWalkAt(stream);
  beginValueWalk(slab, walkAt, WalkKind.Stream, false);
  beginGroupWalks(slab, stream, walkAt);
}

/** How many entries are pending in all groups. */
export function allPending(slab: Slab, stream: StreamRef): number {
  let pending = 0;
  for (let index = 0; index < groupCount(slab, stream); index++) {
    pending += pendingCount(slab, groupAt(slab, stream, index));
  }
  return pending;
}

/** Where the walk is, and the walk. */
export class StreamWalk {
  private readonly id = new StreamId();
  private hasBegun = false;
  private hasBlocks = true;
  /** The number of the group the place belongs to does not matter: it begins anew with each. */
  private readonly place = new PendingPlace();
  private isFreeing = false;

  /** Goes on over at most `nodes` nodes, until `isEnough`. True when it is over. */
  step(
    slab: Slab,
    walkAt: number,
    nodes: number,
    take: TakeNode,
    isEnough: () => boolean,
  ): boolean {
    const stream = streamOfWalk(walkAt);
    for (let left = nodes; left > 0; left--) {
      if (this.hasBlocks) this.blockStep(slab, stream, walkAt, take);
      else if (this.groupStep(slab, stream, walkAt, take)) return true;
      if (isEnough()) break;
    }
    return false;
  }

  private blockStep(slab: Slab, stream: StreamRef, walkAt: number, take: TakeNode): void {
    if (walkLeftBlock(slab, walkAt, take)) return;
    let block = firstBlock(slab, stream);
    if (this.hasBegun && block !== NONE) {
      block = blockFrom(slab, stream, this.id);
      readBlockId(slab, block, passedId);
      // The block that was passed last, unless that has gone: then it is one before.
      const isBefore = compareIds(passedId, this.id) <= 0;
      if (isBefore) block = nextBlock(slab, block);
    }
    if (block === NONE) {
      this.hasBlocks = false;
      return;
    }
    walkBlock(slab, walkAt, block, take);
    readBlockId(slab, block, this.id);
    this.hasBegun = true;
  }

  private groupStep(slab: Slab, stream: StreamRef, walkAt: number, take: TakeNode): boolean {
    const group = dueGroup(slab, stream, walkAt);
    if (group === NONE) return true;
    if (!this.isFreeing && !this.place.step(slab, group, take)) return false;
    this.isFreeing = !endGroupWalk(slab, walkAt, group);
    if (!this.isFreeing) this.place.reset();
    return false;
  }
}

const passedId = new StreamId();
