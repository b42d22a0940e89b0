// Long strings in a snapshot (structs/walked.ts): their nodes are chunks of a blob, from 0 on.
// A string that is replaced or deleted, or moves because it grows, leaves its blob to the walk,
// which frees it. Whoever writes into it hands over the chunks that it touches, if the walk has
// not seen them; bits beside the blob tell which were.
//
//   blob: │ walk word │ bits, or bytes that were kept │ bytes … │
//   bits, a block while a walk is on
//   ┌─────────────────┬───────────────────────┬──────────────────────────┐
//   │ bytes of string │ chunks from the front │ a bit for each chunk …   │
//   │ at the cut      │ that were walked      │ 1: it was handed over    │
//   └─────────────────┴───────────────────────┴──────────────────────────┘

import { assert } from '../base/assert.js';
import { allocate, type BlockRef, release, reserve } from '../slab/alloc.js';
import { NONE, type Slab } from '../slab/slab.js';
import type { TakeNode } from '../structs/table-first.js';
import { beginValueWalk, isWalked, numberOrder, WalkKind, walkedNodes } from '../structs/walked.js';

const enum Blob {
  Walk = 0,
  Bits = 1,
  HeadBytes = 8,
}
const enum Bits {
  Length = 0,
  Walked = 1,
  First = 2,
}
/** Copied in a few microseconds. */
export const CHUNK_BYTES = 64 * 1024;
const CHUNK_SHIFT = 16;
const WORD_BITS = 32;
/** Of a string of 2 GiB, which no slab can hold. */
const BITS_BYTES_MAX = 4096 + Bits.First * 4;

/** Word index of the walk word of a blob. */
export function blobWalkAt(blob: number): number {
  return (blob << 1) + Blob.Walk;
}

/** The blob whose walk word is there. */
export function blobOfWalk(walkAt: number): number {
  return (walkAt - Blob.Walk) >> 1;
}

/** Byte offset of a chunk. */
export function chunkStart(walkAt: number, index: number): number {
  return (walkAt << 2) + Blob.HeadBytes + index * CHUNK_BYTES;
}

function bitsAt(slab: Slab, walkAt: number): number {
  return slab.i32[walkAt + Blob.Bits]! << 1;
}

/** Bytes that the string had at the cut. */
export function blobLengthOfWalk(slab: Slab, walkAt: number): number {
  return slab.i32[bitsAt(slab, walkAt) + Bits.Length]!;
}

/** Is there memory for the bits of a string? Nobody has reserved it. */
export function canWalkBlob(slab: Slab): boolean {
  return reserve(slab, BITS_BYTES_MAX);
}

/** Begins the walk through a string of `length` bytes, if canWalkBlob has said so. */
export function beginBlobWalk(slab: Slab, blob: number, length: number): void {
  const chunks = (length + CHUNK_BYTES - 1) >>> CHUNK_SHIFT;
  const words = Bits.First + Math.ceil(chunks / WORD_BITS);
  const bits = allocate(slab, words * 4);
  assert(bits !== NONE, 'memory for bits was reserved');
  const { i32 } = slab;
  i32.fill(0, bits << 1, (bits << 1) + words);
  i32[(bits << 1) + Bits.Length] = length;
  const walkAt = blobWalkAt(blob);
  i32[walkAt + Blob.Bits] = bits;
  beginValueWalk(slab, walkAt, WalkKind.String, false);
}

/** The walk through a blob is over. */
export function endBlobWalk(slab: Slab, walkAt: number): void {
  release(slab, slab.i32[walkAt + Blob.Bits]! as BlockRef);
  slab.i32[walkAt + Blob.Bits] = NONE;
}

/** The chunk need not be handed over any more; false when it need not anyway. */
function takeChunk(slab: Slab, bits: number, index: number): boolean {
  const { i32 } = slab;
  if (index < i32[bits + Bits.Walked]!) return false;
  const at = bits + Bits.First + ((index / WORD_BITS) | 0);
  const bit = 1 << (index % WORD_BITS);
  if ((i32[at]! & bit) !== 0) return false;
  i32[at] = i32[at]! | bit;
  return true;
}

/** Bytes [from, end) of a blob are about to change: the walk has their chunks first. */
export function saveBytesFirst(slab: Slab, blob: number, from: number, end: number): void {
  const walkAt = blobWalkAt(blob);
  if (!isWalked(slab, walkAt)) return;
  const bits = bitsAt(slab, walkAt);
  const stop = Math.min(end, slab.i32[bits + Bits.Length]!);
  for (let index = from >>> CHUNK_SHIFT; index * CHUNK_BYTES < stop; index++) {
    if (!takeChunk(slab, bits, index)) continue;
    walkedNodes.save(slab, walkAt, index, numberOrder(index + 1));
  }
}

/** Goes on over at most `chunks`, until `isEnough`. True when it is over. */
export function walkBlob(
  slab: Slab,
  walkAt: number,
  chunks: number,
  take: TakeNode,
  isEnough: () => boolean,
): boolean {
  const { i32 } = slab;
  const bits = bitsAt(slab, walkAt);
  const end = (i32[bits + Bits.Length]! + CHUNK_BYTES - 1) >>> CHUNK_SHIFT;
  for (let left = chunks; left > 0; left--) {
    const index = i32[bits + Bits.Walked]!;
    if (index >= end) return true;
    if (takeChunk(slab, bits, index)) take(slab, walkAt, index, numberOrder(index + 1));
    i32[bits + Bits.Walked] = index + 1;
    if (isEnough()) break;
  }
  return i32[bits + Bits.Walked]! >= end;
}
