// What DUMP answers and RESTORE takes: one value by itself.
//
//   ┌────────┬──────────────┬────────────────────────┬──────────────────────────────┐
//   │ type 1 │ body of the  │ version 2, low byte    │ CRC64 of all before, 8, low  │
//   │        │ value        │ first                  │ byte first                   │
//   └────────┴──────────────┴────────────────────────┴──────────────────────────────┘

import { Crc64 } from '../base/crc.js';
import type { EntryRef } from '../keyspace/entry.js';
import { Refusal } from '../resp/errors.js';
import type { Slab } from '../slab/slab.js';
import { RDB_VERSION_MAX, versionOf } from './rdb-type.js';
import type { ByteSink } from './sink.js';
import type { ByteSource } from './source.js';
import { type Form, rdbTypeOf, writeValue } from './write.js';

const VERSION_BYTES = 2;
const CRC_BYTES = 8;
const FOOTER_BYTES = VERSION_BYTES + CRC_BYTES;

export const BAD_PAYLOAD = new Refusal('ERR DUMP payload version or checksum are wrong');

const crc = new Crc64();

/** Writes the payload of an entry's value into an empty sink that keeps all of it. */
export function writePayload(sink: ByteSink, slab: Slab, entry: EntryRef, form: Form): void {
  const type = rdbTypeOf(slab, entry, form);
  sink.byte(type);
  writeValue(sink, slab, entry, form);
  writeFooter(sink, versionOf(type));
}

/** Writes version and checksum behind all that the sink holds. */
export function writeFooter(sink: ByteSink, version: number): void {
  sink.little(version, VERSION_BYTES);
  crc.reset();
  crc.update(sink.u8, 0, sink.at);
  sink.little(crc.lo, 4);
  sink.little(crc.hi, 4);
}

/**
 * Checks version and checksum of the payload u8[start, start + length), and lets `source` stand
 * before its body. Returns the type.
 */
export function openPayload(
  source: ByteSource,
  u8: Uint8Array,
  start: number,
  length: number,
): number {
  checkFooter(source, u8, start, length);
  return source.byte();
}

/** Checks version and checksum, and lets `source` read what is before them. */
export function checkFooter(
  source: ByteSource,
  u8: Uint8Array,
  start: number,
  length: number,
): void {
  if (length < FOOTER_BYTES) throw BAD_PAYLOAD;
  const footerAt = start + length - FOOTER_BYTES;
  source.open(u8, footerAt, start + length);
  if (source.little(VERSION_BYTES) > RDB_VERSION_MAX) throw BAD_PAYLOAD;
  crc.reset();
  crc.update(u8, start, length - CRC_BYTES);
  const low = source.little(4);
  const high = source.little(4);
  if (low !== crc.lo || high !== crc.hi) throw BAD_PAYLOAD;
  // The body ends where the footer begins: nothing in it is read as data.
  source.open(u8, start, footerAt);
}
