// A record: one atomic change, framed. This is what a worker's append log will hold; disk formats
// are little-endian, whatever the machine is.
//
//   byte 0        4          8            16         18
//   ┌────────────┬──────────┬────────────┬──────────┬────────────────────────────┐
//   │ length of  │ CRC-32C  │ sequence   │ database │ RESP commands, one after   │
//   │ what comes │ of what  │ number     │          │ the other                  │
//   │ behind CRC │ comes    │ (int64)    │          │                            │
//   │            │ behind   │            │          │                            │
//   └────────────┴──────────┴────────────┴──────────┴────────────────────────────┘

import { copyBytes } from '../base/bytes.js';
import { crc32c } from '../base/crc.js';

const LENGTH_AT = 0;
const CHECKSUM_AT = 4;
const NUMBER_AT = 8;
const DATABASE_AT = 16;
const BODY_AT = 18;

/** Bytes of a record with a body of `bytes`. */
export function recordBytes(bytes: number): number {
  return BODY_AT + bytes;
}

/**
 * Writes a record at `target[at …]` with number high · 2^32 + low; returns the bytes written. The
 * number is stored as two words, so that nothing is allocated.
 */
export function writeRecord(
  target: Uint8Array,
  at: number,
  low: number,
  high: number,
  database: number,
  body: Uint8Array,
  start: number,
  length: number,
): number {
  const total = BODY_AT + length;
  writeWord(target, at + LENGTH_AT, total - NUMBER_AT);
  writeWord(target, at + NUMBER_AT, low);
  writeWord(target, at + NUMBER_AT + 4, high);
  target[at + DATABASE_AT] = database & 0xff;
  target[at + DATABASE_AT + 1] = database >>> 8;
  copyBytes(body, start, target, at + BODY_AT, length);
  writeWord(target, at + CHECKSUM_AT, crc32c(target, at + NUMBER_AT, total - NUMBER_AT));
  return total;
}

function writeWord(target: Uint8Array, at: number, word: number): void {
  target[at] = word & 0xff;
  target[at + 1] = (word >>> 8) & 0xff;
  target[at + 2] = (word >>> 16) & 0xff;
  target[at + 3] = word >>> 24;
}

export interface ReadRecord {
  readonly low: number;
  readonly high: number;
  readonly database: number;
  readonly bodyAt: number;
  readonly bodyBytes: number;
  readonly end: number;
}

/** Reads the record at `at`; null when it is torn or wrong. Cold: recovery and tests. */
export function readRecord(u8: Uint8Array, at: number, end: number): ReadRecord | null {
  if (end - at < BODY_AT) return null;
  const view = new DataView(u8.buffer, u8.byteOffset, u8.byteLength);
  const length = view.getUint32(at + LENGTH_AT, true);
  if (length < BODY_AT - NUMBER_AT || at + NUMBER_AT + length > end) return null;
  const checksum = view.getUint32(at + CHECKSUM_AT, true);
  if (checksum !== crc32c(u8, at + NUMBER_AT, length) >>> 0) return null;
  return {
    low: view.getInt32(at + NUMBER_AT, true),
    high: view.getInt32(at + NUMBER_AT + 4, true),
    database: view.getUint16(at + DATABASE_AT, true),
    bodyAt: at + BODY_AT,
    bodyBytes: length - (BODY_AT - NUMBER_AT),
    end: at + NUMBER_AT + length,
  };
}
