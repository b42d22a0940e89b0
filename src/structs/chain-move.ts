// Moving the blocks of a chain (chain.ts) together: the chain itself, its directory and its nodes,
// by their places, so that the walk may stop anywhere and go on after any change.

import { move, moveAt, moving } from '../slab/moving.js';
import type { Slab } from '../slab/slab.js';
import { Chain, type ChainRef, Place, placeAt } from './chain-layout.js';

/** Moves the chain's own block and its directory; returns where the chain is now. */
export function moveChain(slab: Slab, chain: ChainRef): ChainRef {
  const moved = move(slab, chain) as ChainRef;
  moveAt(slab, (moved << 1) + Chain.Directory);
  return moved;
}

/**
 * Goes on with the node in place `index`, over at least one and until the budget is spent
 * (slab/moving.ts). Returns the place to go on with, 0 when all have been met.
 */
export function moveNodes(slab: Slab, chain: ChainRef, index: number): number {
  const { i32 } = slab;
  const nodesAt = (chain << 1) + Chain.Nodes;
  for (let at = index; at < i32[nodesAt]!; at++) {
    if (moving.units <= 0 && at > index) return at;
    moveAt(slab, placeAt(slab, chain, at) + Place.Node);
  }
  return 0;
}
