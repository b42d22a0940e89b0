// Comparing blocks of two slabs, or of one.

import type { Slab } from './slab.js';

/**
 * Are the `bytes` from word `word` of one slab on those from word `otherWord` of another on? Four
 * at a time, and byte by byte behind the last whole word: blocks are not cleared there.
 */
export function equalBlocks(
  slab: Slab,
  word: number,
  other: Slab,
  otherWord: number,
  bytes: number,
): boolean {
  const { i32, u8 } = slab;
  const { i32: otherI32, u8: otherU8 } = other;
  const words = bytes >> 2;
  for (let index = 0; index < words; index++) {
    if (i32[word + index] !== otherI32[otherWord + index]) return false;
  }
  const at = (word + words) << 2;
  const otherAt = (otherWord + words) << 2;
  const rest = bytes & 3;
  for (let index = 0; index < rest; index++) {
    if (u8[at + index] !== otherU8[otherAt + index]) return false;
  }
  return true;
}
