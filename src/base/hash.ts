// The keyed hash of keys and members: HalfSipHash-1-3 with a 64-bit key and a 32-bit result
// (J.-P. Aumasson, D. Bernstein, "SipHash: a fast short-input PRF", 2012; the 32-bit variant of the
// reference code). The key is drawn at start, so that nobody can craft keys that share a bucket.
// All threads of a process must use the same key: server/ hands it to every thread.

import { randomBytes } from 'node:crypto';
import type { ViewedBytes } from './bytes.js';

let key0 = 0;
let key1 = 0;

/** A fresh key: two int32 words. */
export function drawHashKey(): readonly [number, number] {
  const bytes = randomBytes(8);
  return [bytes.readInt32LE(0), bytes.readInt32LE(4)];
}

/** Sets this thread's key, once, before the first hash. */
export function setHashKey(key: readonly [number, number]): void {
  key0 = key[0] | 0;
  key1 = key[1] | 0;
}

/** The hash of u8[start, start + length), an int32. */
export function hashBytes(u8: Uint8Array, start: number, length: number): number {
  const k0 = key0;
  const k1 = key1;
  let v0 = k0;
  let v1 = k1;
  let v2 = 0x6c796765 ^ k0;
  let v3 = 0x74656462 ^ k1;
  const { view } = u8 as ViewedBytes;
  const end = (start + (length & ~3)) | 0;
  let at = start | 0;
  for (; at < end; at = (at + 4) | 0) {
    const word =
      view === undefined
        ? u8[at]! | (u8[at + 1]! << 8) | (u8[at + 2]! << 16) | (u8[at + 3]! << 24)
        : view.getInt32(at, true);
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  let last = length << 24;
  const rest = length & 3;
  if (rest > 2) last |= u8[end + 2]! << 16;
  if (rest > 1) last |= u8[end + 1]! << 8;
  if (rest > 0) last |= u8[end]!;
  v3 ^= last;
  // One compression round for the last word, then three of finalisation: four equal rounds, of
  // which the first is followed by the feed-in.
  for (let round = 0; round < 4; round++) {
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    if (round === 0) {
      v0 ^= last;
      v2 ^= 0xff;
    }
  }
  return v1 ^ v3;
}

// Hashes of words that were computed ahead of their use, by the place of the word. They hold as
// long as the bytes do: whoever remembers some forgets them before the bytes change.
const REMEMBERED = 64;
const rememberedStarts = new Int32Array(REMEMBERED);
const rememberedLengths = new Int32Array(REMEMBERED);
const rememberedHashes = new Int32Array(REMEMBERED);
/** The bytes that the words lie in; null while nothing is remembered. */
let rememberedIn: Uint8Array | null = null;

/** The hash of u8[start, start + length), kept for knownHash until forgetHashes. */
export function rememberHash(u8: Uint8Array, start: number, length: number): number {
  if (rememberedIn !== u8) {
    rememberedIn = u8;
    rememberedLengths.fill(-1);
  }
  const hash = hashBytes(u8, start, length);
  const slot = start & (REMEMBERED - 1);
  rememberedStarts[slot] = start;
  rememberedLengths[slot] = length;
  rememberedHashes[slot] = hash;
  return hash;
}

/** As hashBytes, for what may have been hashed ahead. */
export function knownHash(u8: Uint8Array, start: number, length: number): number {
  if (rememberedIn === u8) {
    const slot = start & (REMEMBERED - 1);
    if (rememberedStarts[slot] === start && rememberedLengths[slot] === length) {
      return rememberedHashes[slot]!;
    }
  }
  return hashBytes(u8, start, length);
}

export function forgetHashes(): void {
  rememberedIn = null;
}
