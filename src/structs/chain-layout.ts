// What chains look like in memory, for the two files that know: chain.ts, where the picture stands,
// and ends.ts.

import type { Ref, Slab } from '../slab/slab.js';

export type ChainRef = Ref<'chain'>;

export const enum Chain {
  Elements = 0,
  Nodes = 1,
  First = 2,
  Mask = 3,
  Directory = 4,
  BytesMax = 5,
  ElementsMax = 6,
  /** Of a snapshot's walk: see chain-first.ts. */
  Walk = 7,
  Front = 8,
  Back = 9,
  Handed = 10,
  Left = 11,
  Words = 12,
}
export const enum Place {
  Node = 0,
  Elements = 1,
  Bytes = 2,
  /** Of a snapshot's walk: see chain-first.ts. */
  Number = 3,
  Words = 4,
}

/** What Redis allows for besides the text, when it looks whether an element fits a node. */
const ELEMENT_ALLOWANCE = 8;

/** Word index of the directory's words for the node in place `index`, counted from the first. */
export function placeAt(slab: Slab, chain: ChainRef, index: number): number {
  const { i32 } = slab;
  const at = chain << 1;
  const place = (i32[at + Chain.First]! + index) & i32[at + Chain.Mask]!;
  return (i32[at + Chain.Directory]! << 1) + place * Place.Words;
}

/** May a text of `length` join the node of the directory's words at `place`? */
export function allows(slab: Slab, chain: ChainRef, place: number, length: number): boolean {
  const { i32 } = slab;
  const at = chain << 1;
  return (
    i32[place + Place.Bytes]! + length + ELEMENT_ALLOWANCE <= i32[at + Chain.BytesMax]! &&
    i32[place + Place.Elements]! < i32[at + Chain.ElementsMax]!
  );
}
