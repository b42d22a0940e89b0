// Strings: bytes with their length before them, or one of the forms that begin with 11:
//
//   ┌──────────┬───────┐  ┌──────────┬────────┐  ┌──────────┬────────┐
//   │ 11000000 │ int8  │  │ 11000001 │ int16  │  │ 11000010 │ int32  │   low byte first
//   └──────────┴───────┘  └──────────┴────────┘  └──────────┴────────┘
//   ┌──────────┬────────────────────┬────────┬─────────────────┐
//   │ 11000011 │ bytes it takes     │ length │ LZF (lzf.ts)    │
//   └──────────┴────────────────────┴────────┴─────────────────┘

import { INT64_TEXT_BYTES_MAX, int64, parseInt64, writeInt64 } from '../base/ascii.js';
import type { FileSource } from './file-source.js';
import { checkedLength, lengthBytes, readLength, readWideFrom, writeLength } from './length.js';
import { LZF_RATIO_MAX, lzfCompress, lzfDecompress } from './lzf.js';
import type { ByteSink } from './sink.js';
import { BAD_DATA, type ByteSource } from './source.js';

const FORM = 0xc0;
const INT8 = 0xc0;
const INT16 = 0xc1;
const INT32 = 0xc2;
const COMPRESSED = 0xc3;

/** The text of an int32 has at most so many bytes. */
const INT32_TEXT_BYTES = 11;
/** Shorter texts are not worth compressing; Redis draws the line here. */
const COMPRESSED_BYTES_MIN = 21;
/**
 * Longer ones are not: that takes some milliseconds for each megabyte, and a partition's lock is
 * held while a snapshot does it.
 */
export const COMPRESSED_BYTES_MAX = 1024 * 1024;
/** What compressing must save at the least. */
const SAVED_BYTES = 4;
const SCRATCH_KEPT = 1024 * 1024;

// ── Writing ──────────────────────────────────────────────────────────────────────────────────

let compressed = new Uint8Array(new ArrayBuffer(16 * 1024));

/** Writes u8[start, start + length) as a string, in the shortest form. */
export function writeText(
  sink: ByteSink,
  u8: Uint8Array,
  start: number,
  length: number,
  compresses: boolean,
): void {
  if (length <= INT32_TEXT_BYTES && parseInt64(u8, start, length) && int64.hi === int64.lo >> 31) {
    writeInteger(sink, int64.lo);
    return;
  }
  if (compresses && length >= COMPRESSED_BYTES_MIN && length <= COMPRESSED_BYTES_MAX) {
    if (writeCompressed(sink, u8, start, length)) return;
  }
  writeLength(sink, length);
  sink.bytes(u8, start, length);
}

/** Writes the text of an int64 as a string. */
export function writeIntegerText(sink: ByteSink, low: number, high: number): void {
  if (high === low >> 31) {
    writeInteger(sink, low);
    return;
  }
  const length = writeInt64(integerText, 0, low, high);
  writeLength(sink, length);
  sink.bytes(integerText, 0, length);
}

const integerText = new Uint8Array(new ArrayBuffer(INT64_TEXT_BYTES_MAX));

function writeInteger(sink: ByteSink, word: number): void {
  if (word === (word << 24) >> 24) {
    sink.byte(INT8);
    sink.little(word, 1);
  } else if (word === (word << 16) >> 16) {
    sink.byte(INT16);
    sink.little(word, 2);
  } else {
    sink.byte(INT32);
    sink.little(word, 4);
  }
}

function writeCompressed(sink: ByteSink, u8: Uint8Array, start: number, length: number): boolean {
  const room = length - SAVED_BYTES;
  if (compressed.length < room) compressed = new Uint8Array(new ArrayBuffer(2 * room));
  const bytes = lzfCompress(u8, start, length, compressed, 0, room);
  if (bytes !== 0) {
    sink.byte(COMPRESSED);
    writeLength(sink, bytes);
    writeLength(sink, length);
    sink.bytes(compressed, 0, bytes);
  }
  if (compressed.length > SCRATCH_KEPT) compressed = new Uint8Array(new ArrayBuffer(16 * 1024));
  return bytes !== 0;
}

/** Bytes of a string of `length` bytes that is written as it is. */
export function plainBytes(length: number): number {
  return lengthBytes(length) + length;
}

// ── Reading ──────────────────────────────────────────────────────────────────────────────────

const NOTHING = new Uint8Array(0);

/** A string that was read: bytes of the source, or of scratch memory of its own. */
export class RdbText {
  u8: Uint8Array = NOTHING;
  start = 0;
  length = 0;
  private scratch = new Uint8Array(new ArrayBuffer(64));

  /** Reads the next string. Valid until this reads another. */
  read(source: ByteSource): void {
    const first = source.byte();
    if (first < FORM) {
      readWideFrom(source, first);
      const length = checkedLength(source);
      this.start = source.take(length);
      this.u8 = source.u8;
      this.length = length;
      return;
    }
    switch (first) {
      case INT8:
        this.setInteger((source.little(1) << 24) >> 24);
        return;
      case INT16:
        this.setInteger((source.little(2) << 16) >> 16);
        return;
      case INT32:
        this.setInteger(source.little(4) | 0);
        return;
      case COMPRESSED:
        this.decompress(source);
        return;
      default:
        throw BAD_DATA;
    }
  }

  private setInteger(word: number): void {
    this.u8 = this.scratch;
    this.start = 0;
    this.length = writeInt64(this.scratch, 0, word, word >> 31);
  }

  private decompress(source: ByteSource): void {
    const bytes = readLength(source);
    const length = readLength(source);
    const start = source.take(bytes);
    // What is claimed is allocated only if the bytes that are there can stand for so much.
    if (length === 0 || length > bytes * LZF_RATIO_MAX) throw BAD_DATA;
    if (this.scratch.length < length) this.scratch = new Uint8Array(new ArrayBuffer(length));
    if (!lzfDecompress(source.u8, start, bytes, this.scratch, length)) throw BAD_DATA;
    this.u8 = this.scratch;
    this.start = 0;
    this.length = length;
  }

  /** Gives back the memory of a long text. */
  release(): void {
    this.u8 = NOTHING;
    if (this.scratch.length > SCRATCH_KEPT) this.scratch = new Uint8Array(new ArrayBuffer(64));
  }
}

/** Passes over a string, however long it is. */
export function skipText(source: FileSource): void {
  const first = source.byte();
  if (first < FORM) {
    readWideFrom(source, first);
    source.skip(checkedLength(source));
  } else if (first === COMPRESSED) {
    const bytes = readLength(source);
    readLength(source);
    source.skip(bytes);
  } else if (first <= INT32) source.take(1 << (first - INT8));
  else throw BAD_DATA;
}
