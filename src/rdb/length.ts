// Lengths: how long a string is, how many elements follow, and the numbers of streams.
//
//   ┌────┬────────┐   ┌────┬────────┬────────┐   ┌──────────┬──────────┐   ┌──────────┬─────────┐
//   │ 00 │ 6 bits │   │ 01 │ 6 bits │ 8 bits │   │ 10000000 │ 32 bits  │   │ 10000001 │ 64 bits │
//   └────┴────────┘   └────┴────────┴────────┘   └──────────┴──────────┘   └──────────┴─────────┘
//
// High bits first. A byte that begins with 11 is no length but says that a string has another form
// (strings.ts).

import type { ByteSink } from './sink.js';
import { BAD_DATA, type ByteSource } from './source.js';

const FOURTEEN = 0x40;
const WORD = 0x80;
const WIDE = 0x81;
const FORM = 0xc0;
const SIX_BITS = 0x3f;
const TWO_32 = 2 ** 32;
/** Longer than any slab: no such string or count is real. */
const LENGTH_MAX = 2 ** 31;

/** Bytes that writeLength takes. */
export function lengthBytes(length: number): number {
  if (length <= SIX_BITS) return 1;
  return length < 2 ** 14 ? 2 : 5;
}

/** Writes a length below 2^32. */
export function writeLength(sink: ByteSink, length: number): void {
  sink.room(8);
  if (length <= SIX_BITS) {
    sink.u8[sink.at++] = length;
  } else if (length < 2 ** 14) {
    sink.u8[sink.at++] = FOURTEEN | (length >>> 8);
    sink.u8[sink.at++] = length;
  } else {
    sink.u8[sink.at++] = WORD;
    sink.big32(length);
  }
}

/** Writes an unsigned number of 64 bits. */
export function writeWide(sink: ByteSink, low: number, high: number): void {
  if (high === 0) {
    writeLength(sink, low >>> 0);
    return;
  }
  sink.byte(WIDE);
  sink.big32(high);
  sink.big32(low);
}

/** Reads an unsigned number of 64 bits into `low` and `high` of the source. */
export function readWide(source: ByteSource): void {
  const first = source.byte();
  if (first >= FORM) throw BAD_DATA;
  readWideFrom(source, first);
}

/** As readWide, whose first byte was read already. */
export function readWideFrom(source: ByteSource, first: number): void {
  let low = 0;
  let high = 0;
  if (first < FOURTEEN) low = first;
  else if (first < WORD) low = ((first & SIX_BITS) << 8) | source.byte();
  else if (first === WORD) low = source.big32();
  else if (first === WIDE) {
    high = source.big32();
    low = source.big32();
  } else throw BAD_DATA;
  source.low = low | 0;
  source.high = high | 0;
}

/** The unsigned number that was read last, as a number; not exact from 2^53 on. */
export function wideValue(source: ByteSource): number {
  return (source.high >>> 0) * TWO_32 + (source.low >>> 0);
}

/** A length or a count. One that no slab could hold is refused. */
export function readLength(source: ByteSource): number {
  readWide(source);
  return checkedLength(source);
}

/** The length that was read last, if it may be one. */
export function checkedLength(source: ByteSource): number {
  if (source.high !== 0 || source.low < 0) throw BAD_DATA;
  const length = source.low;
  if (length >= LENGTH_MAX) throw BAD_DATA;
  return length;
}
