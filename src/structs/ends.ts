// The ends of a chain, in place: adding a short text and taking one, when nothing has to be
// allocated, moved or freed for it. That is nearly every push and pop of a queue; what is refused
// here (false, or 0), chain.ts does, and the bytes are the same either way.

import { copyBytes } from '../base/bytes.js';
import { listpackStringBytes } from '../base/listpack-size.js';
import { type BlockRef, capacityOf } from '../slab/alloc.js';
import type { Slab } from '../slab/slab.js';
import { allows, Chain, type ChainRef, Place, placeAt } from './chain-layout.js';
import {
  COUNT_MAX,
  COUNT_ONE,
  COUNT_SHIFT,
  DIGIT_NINE,
  GAP_MASK,
  HEAD_BYTES,
  Head,
  INTEGER_TOKEN,
  SHORT_BYTES_MAX,
  SHRINK_BYTES_MIN,
} from './packed-layout.js';
import { isWalked } from './walked.js';

/**
 * Puts the text u8[start, start + length) before the first element or behind the last. Returns how
 * many elements there are then; 0, and nothing is changed, when it takes more than a few stores.
 */
export function pushInPlace(
  slab: Slab,
  chain: ChainRef,
  isHead: boolean,
  u8: Uint8Array,
  start: number,
  length: number,
): number {
  // An integer may begin like this: it has another form. And an empty text has no first byte.
  if (length === 0 || length > SHORT_BYTES_MAX || u8[start]! <= DIGIT_NINE) return 0;
  const { i32 } = slab;
  const at = chain << 1;
  const nodes = i32[at + Chain.Nodes]!;
  if (nodes === 0 || isWalked(slab, at + Chain.Walk)) return 0;
  const place = placeAt(slab, chain, isHead ? 0 : nodes - 1);
  if (!allows(slab, chain, place, length)) return 0;
  const node = i32[place + Place.Node]! as BlockRef;
  const isDone = isHead
    ? prependInPlace(slab, node, u8, start, length)
    : appendInPlace(slab, node, u8, start, length);
  if (!isDone) return 0;
  i32[place + Place.Elements] = i32[place + Place.Elements]! + 1;
  i32[place + Place.Bytes] = i32[place + Place.Bytes]! + listpackStringBytes(length);
  const elements = i32[at + Chain.Elements]! + 1;
  i32[at + Chain.Elements] = elements;
  return elements;
}

/** Into the spare room of the block. A separator is the exclusive or of the tokens beside it. */
function appendInPlace(
  slab: Slab,
  node: BlockRef,
  u8: Uint8Array,
  start: number,
  length: number,
): boolean {
  const { i32, u8: bytes } = slab;
  const word = node << 1;
  const end = i32[word + Head.End]!;
  const sizes = i32[word + Head.Sizes]!;
  const token = length + 1;
  if (sizes >>> COUNT_SHIFT === COUNT_MAX || end + token > capacityOf(slab, node)) return false;
  const at = (node << 3) + end;
  bytes[at - 1] = bytes[at - 1]! ^ token;
  copyBytes(u8, start, bytes, at, length);
  bytes[at + length] = token;
  i32[word + Head.End] = end + token;
  i32[word + Head.Sizes] = sizes + COUNT_ONE;
  return true;
}

/** Into the gap. */
function prependInPlace(
  slab: Slab,
  node: BlockRef,
  u8: Uint8Array,
  start: number,
  length: number,
): boolean {
  const { i32, u8: bytes } = slab;
  const word = node << 1;
  const sizes = i32[word + Head.Sizes]!;
  const gap = sizes & GAP_MASK;
  const token = length + 1;
  if (gap < token || sizes >>> COUNT_SHIFT === COUNT_MAX) return false;
  const behind = (node << 3) + HEAD_BYTES + gap;
  bytes[behind] = bytes[behind]! ^ token;
  bytes[behind - token] = token;
  copyBytes(u8, start, bytes, behind - length, length);
  i32[word + Head.Sizes] = sizes + COUNT_ONE - token;
  return true;
}

/** What findEnd has found: a byte offset in slab.u8, and bytes. */
export const foundEnd = { at: 0, length: 0 };

/**
 * Finds the first or the last element, when it is a short string that dropEnd can take out in
 * place; false when not.
 */
export function findEnd(slab: Slab, chain: ChainRef, isHead: boolean): boolean {
  const { i32, u8 } = slab;
  const nodes = i32[(chain << 1) + Chain.Nodes]!;
  // A chain of one node may become a packed list.
  if (nodes < 2 || isWalked(slab, (chain << 1) + Chain.Walk)) return false;
  const place = placeAt(slab, chain, isHead ? 0 : nodes - 1);
  if (i32[place + Place.Elements] === 1) return false;
  const node = i32[place + Place.Node]! as BlockRef;
  const word = node << 1;
  const base = node << 3;
  const end = i32[word + Head.End]!;
  const sizes = i32[word + Head.Sizes]!;
  const gap = sizes & GAP_MASK;
  const separator = isHead ? base + HEAD_BYTES + gap : base + end - 1;
  const token = u8[separator]!;
  if (token > INTEGER_TOKEN || sizes >>> COUNT_SHIFT === COUNT_MAX) return false;
  if (isHead && gap + token > GAP_MASK) return false;
  // The block would become a smaller one.
  const room = capacityOf(slab, node);
  if (room > SHRINK_BYTES_MIN && room >= (end - gap - token) * 2) return false;
  foundEnd.at = isHead ? separator + 1 : separator - token + 1;
  foundEnd.length = token - 1;
  return true;
}

/** Takes out what findEnd has found. */
export function dropEnd(slab: Slab, chain: ChainRef, isHead: boolean): void {
  const { i32, u8 } = slab;
  const at = chain << 1;
  const place = placeAt(slab, chain, isHead ? 0 : i32[at + Chain.Nodes]! - 1);
  const node = i32[place + Place.Node]!;
  const word = node << 1;
  const base = node << 3;
  const { length } = foundEnd;
  const token = length + 1;
  const sizes = i32[word + Head.Sizes]!;
  if (isHead) {
    const behind = base + HEAD_BYTES + (sizes & GAP_MASK) + token;
    u8[behind] = u8[behind]! ^ token;
    i32[word + Head.Sizes] = sizes - COUNT_ONE + token;
  } else {
    const end = i32[word + Head.End]! - token;
    u8[base + end - 1] = u8[base + end - 1]! ^ token;
    i32[word + Head.Sizes] = sizes - COUNT_ONE;
    i32[word + Head.End] = end;
  }
  i32[place + Place.Elements] = i32[place + Place.Elements]! - 1;
  i32[place + Place.Bytes] = i32[place + Place.Bytes]! - listpackStringBytes(length);
  i32[at + Chain.Elements] = i32[at + Chain.Elements]! - 1;
}
