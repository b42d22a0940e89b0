// Which hashes of a partition have fields that expire, by the next time that one does: a heap of
// their roots (structs/heap.ts) in the slab's header. Hashes that never had such a field are not
// known here. Both kinds of roots that are begin alike:
//
//    word 0     word 1               word 2
//   ┌──────────┬────────────────────┬──────────────────┬── …
//   │ (theirs) │ place in the heap, │ hash of the key, │
//   │          │ 0 for none         │ to find it again │
//   └──────────┴────────────────────┴──────────────────┴── …
//
// The heap knows neither database nor key: whoever asks looks for the entry that has the root.

import { Header, NONE, type Slab } from '../../slab/slab.js';
import {
  changeTime,
  checkHeap,
  heapCount,
  heapReserve,
  isInHeap,
  moveHeap,
  pushToHeap,
  refMoved,
  removeFromHeap,
  timeOf,
  topRef,
  topTime,
} from '../../structs/heap.js';

const enum Timed {
  KeyHash = 2,
}

/** The time of what does not expire. */
export const NEVER = Number.POSITIVE_INFINITY;

export function keyHashOf(slab: Slab, root: number): number {
  return slab.i32[(root << 1) + Timed.KeyHash]!;
}

export function setKeyHash(slab: Slab, root: number, keyHash: number): void {
  slab.i32[(root << 1) + Timed.KeyHash] = keyHash;
}

/** Bytes that scheduling one more hash may allocate. */
export function scheduleReserve(slab: Slab): number {
  return heapReserve(slab, Header.HashExpiries, 1);
}

/** The next field of the hash expires at `timeMs`, or none does: NEVER. Memory was reserved. */
export function scheduleHash(slab: Slab, root: number, timeMs: number): void {
  if (timeMs === NEVER) unscheduleHash(slab, root);
  else if (!isInHeap(slab, root)) pushToHeap(slab, Header.HashExpiries, root, timeMs);
  else if (nextTimeOf(slab, root) !== timeMs) changeTime(slab, Header.HashExpiries, root, timeMs);
}

export function unscheduleHash(slab: Slab, root: number): void {
  if (isInHeap(slab, root)) removeFromHeap(slab, Header.HashExpiries, root);
}

/** When the next field of the hash expires. */
export function nextTimeOf(slab: Slab, root: number): number {
  return isInHeap(slab, root) ? timeOf(slab, Header.HashExpiries, root) : NEVER;
}

/** Root of a hash with a field that expires at `nowMs` or before, NONE when there is none. */
export function dueHash(slab: Slab, nowMs: number): number {
  return topTime(slab, Header.HashExpiries) <= nowMs ? topRef(slab, Header.HashExpiries) : NONE;
}

/** How many hashes have fields that expire. */
export function timedHashCount(slab: Slab): number {
  return heapCount(slab, Header.HashExpiries);
}

/** After the slab was reset: nothing of the heap is left. */
export function forgetHashes(slab: Slab): void {
  slab.i32.fill(0, Header.HashExpiries, Header.HashExpiries + 2);
}

/** The root of a hash stands elsewhere now, all of it copied along. */
export function hashMoved(slab: Slab, root: number): void {
  if (isInHeap(slab, root)) refMoved(slab, Header.HashExpiries, root);
}

/** Moves the blocks of the heap together, as moveHeap does. */
export function moveHashExpiries(slab: Slab, chunk: number): number {
  return moveHeap(slab, Header.HashExpiries, chunk);
}

export function checkHashExpiries(slab: Slab): void {
  checkHeap(slab, Header.HashExpiries);
}
