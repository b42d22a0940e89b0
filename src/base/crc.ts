// The checksums: CRC16 (XMODEM) for Redis Cluster's slots, CRC64 (Jones) for RDB files and DUMP,
// CRC-32 for our own logs. Tables are computed at module load: a table per byte of distance, so
// that several bytes are folded in one step ("slicing").

import { crc32 as zlibCrc32 } from 'node:zlib';

const BYTE_VALUES = 256;

/** Redis Cluster's number of slots. */
export const SLOT_COUNT = 16384;

const OPEN = 0x7b;
const CLOSE = 0x7d;

// ── CRC16 ────────────────────────────────────────────────────────────────────────────────────

// x^16 + x^12 + x^5 + 1, most significant bit first, from 0.
const CRC16_POLYNOMIAL = 0x1021;

// crc16Near[b]: b as the last byte; …Next, …Far, …Farthest: with one, two, three zero bytes after.
const crc16Near = new Uint16Array(BYTE_VALUES);
const crc16Next = new Uint16Array(BYTE_VALUES);
const crc16Far = new Uint16Array(BYTE_VALUES);
const crc16Farthest = new Uint16Array(BYTE_VALUES);
fillCrc16();

function fillCrc16(): void {
  for (let byte = 0; byte < BYTE_VALUES; byte++) {
    let crc = byte << 8;
    for (let bit = 0; bit < 8; bit++) {
      crc = (crc & 0x8000 ? (crc << 1) ^ CRC16_POLYNOMIAL : crc << 1) & 0xffff;
    }
    crc16Near[byte] = crc;
  }
  for (let byte = 0; byte < BYTE_VALUES; byte++) {
    crc16Next[byte] = withZeroByte(crc16Near[byte]!);
    crc16Far[byte] = withZeroByte(crc16Next[byte]!);
    crc16Farthest[byte] = withZeroByte(crc16Far[byte]!);
  }
}

function withZeroByte(crc: number): number {
  return ((crc << 8) ^ crc16Near[crc >>> 8]!) & 0xffff;
}

/** The CRC16 of u8[start, start + length). */
export function crc16(u8: Uint8Array, start: number, length: number): number {
  const end = (start + length) | 0;
  const lastFour = end - 4;
  let at = start | 0;
  let crc = 0;
  while (at <= lastFour) {
    crc =
      crc16Farthest[(crc >>> 8) ^ u8[at++]!]! ^
      crc16Far[(crc & 0xff) ^ u8[at++]!]! ^
      crc16Next[u8[at++]!]! ^
      crc16Near[u8[at++]!]!;
  }
  while (at < end) crc = ((crc << 8) & 0xffff) ^ crc16Near[(crc >>> 8) ^ u8[at++]!]!;
  return crc;
}

/**
 * The slot of a key: of its first {tag}, when it has one that is closed and not empty, else of the
 * whole key. One loop looks for the brace and computes the CRC of a key that has none.
 */
export function keySlot(u8: Uint8Array, start: number, length: number): number {
  const end = (start + length) | 0;
  const lastFour = end - 4;
  let at = start | 0;
  let crc = 0;
  while (at <= lastFour) {
    const a = u8[at++]!;
    const b = u8[at++]!;
    const c = u8[at++]!;
    const d = u8[at++]!;
    if (a === OPEN || b === OPEN || c === OPEN || d === OPEN) return taggedSlot(u8, start, end);
    crc =
      crc16Farthest[(crc >>> 8) ^ a]! ^ crc16Far[(crc & 0xff) ^ b]! ^ crc16Next[c]! ^ crc16Near[d]!;
  }
  while (at < end) {
    const byte = u8[at++]!;
    if (byte === OPEN) return taggedSlot(u8, start, end);
    crc = ((crc << 8) & 0xffff) ^ crc16Near[(crc >>> 8) ^ byte]!;
  }
  return crc & (SLOT_COUNT - 1);
}

/** The slot of a key that has an opening brace. */
function taggedSlot(u8: Uint8Array, start: number, end: number): number {
  let open = start;
  while (u8[open] !== OPEN) open++;
  let close = open + 1;
  while (close < end && u8[close] !== CLOSE) close++;
  if (close === end || close === open + 1) return crc16(u8, start, end - start) & (SLOT_COUNT - 1);
  return crc16(u8, open + 1, close - open - 1) & (SLOT_COUNT - 1);
}

// ── CRC-32 ───────────────────────────────────────────────────────────────────────────────────

/**
 * The CRC-32 of u8[start, start + length), as an uint32: zlib's, which folds 16 bytes a step. Of
 * more bytes in pieces when given what came out for those before.
 */
export function crc32(u8: Uint8Array, start: number, length: number, before = 0): number {
  return zlibCrc32(u8.subarray(start, start + length), before);
}

// ── CRC64 ────────────────────────────────────────────────────────────────────────────────────

// Jones's polynomial 0xad93d23594c935a9 with its bits reversed, in two words.
const CRC64_POLYNOMIAL_HIGH = 0x95ac9329;
const CRC64_POLYNOMIAL_LOW = 0xac4bc9b5;

// Table k, of 256 words, is for a byte with k bytes after it in the step of eight.
const SLICES = 8;

const enum Slice {
  T0 = 0,
  T1 = 256,
  T2 = 512,
  T3 = 768,
  T4 = 1024,
  T5 = 1280,
  T6 = 1536,
  T7 = 1792,
}

const crc64High = new Int32Array(SLICES * BYTE_VALUES);
const crc64Low = new Int32Array(SLICES * BYTE_VALUES);
fillCrc64();

function fillCrc64(): void {
  for (let byte = 0; byte < BYTE_VALUES; byte++) {
    let high = 0;
    let low = byte;
    for (let bit = 0; bit < 8; bit++) {
      const isOdd = low & 1;
      low = (low >>> 1) | (high << 31);
      high >>>= 1;
      if (isOdd) {
        low ^= CRC64_POLYNOMIAL_LOW;
        high ^= CRC64_POLYNOMIAL_HIGH;
      }
    }
    crc64High[byte] = high;
    crc64Low[byte] = low;
  }
  for (let at = BYTE_VALUES; at < SLICES * BYTE_VALUES; at++) {
    const high = crc64High[at - BYTE_VALUES]!;
    const low = crc64Low[at - BYTE_VALUES]!;
    const index = low & 0xff;
    crc64High[at] = (high >>> 8) ^ crc64High[index]!;
    crc64Low[at] = (low >>> 8) ^ (high << 24) ^ crc64Low[index]!;
  }
}

/** A CRC64 in the making: update it with one range of bytes after the other. */
export class Crc64 {
  /** The lower and upper 32 bits so far, as uint32. */
  lo = 0;
  hi = 0;

  reset(): void {
    this.lo = 0;
    this.hi = 0;
  }

  update(u8: Uint8Array, start: number, length: number): void {
    const end = (start + length) | 0;
    const lastEight = end - 8;
    let at = start | 0;
    let low = this.lo | 0;
    let high = this.hi | 0;
    while (at <= lastEight) {
      low ^= u8[at++]! | (u8[at++]! << 8) | (u8[at++]! << 16) | (u8[at++]! << 24);
      high ^= u8[at++]! | (u8[at++]! << 8) | (u8[at++]! << 16) | (u8[at++]! << 24);
      const i7 = Slice.T7 + (low & 0xff);
      const i6 = Slice.T6 + ((low >>> 8) & 0xff);
      const i5 = Slice.T5 + ((low >>> 16) & 0xff);
      const i4 = Slice.T4 + (low >>> 24);
      const i3 = Slice.T3 + (high & 0xff);
      const i2 = Slice.T2 + ((high >>> 8) & 0xff);
      const i1 = Slice.T1 + ((high >>> 16) & 0xff);
      const i0 = Slice.T0 + (high >>> 24);
      low = foldFour(crc64Low, i7, i6, i5, i4) ^ foldFour(crc64Low, i3, i2, i1, i0);
      high = foldFour(crc64High, i7, i6, i5, i4) ^ foldFour(crc64High, i3, i2, i1, i0);
    }
    while (at < end) {
      const index = (low ^ u8[at++]!) & 0xff;
      low = (low >>> 8) ^ (high << 24) ^ crc64Low[index]!;
      high = (high >>> 8) ^ crc64High[index]!;
    }
    this.lo = low >>> 0;
    this.hi = high >>> 0;
  }
}

function foldFour(table: Int32Array, a: number, b: number, c: number, d: number): number {
  return table[a]! ^ table[b]! ^ table[c]! ^ table[d]!;
}
