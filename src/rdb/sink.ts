// Where RDB bytes go: a buffer that grows, or one that is handed on whenever it is full, so that a
// value of any size passes through a few kilobytes.

import { copyBytes, withView } from '../base/bytes.js';

/** Takes u8[0, length), which is used again as soon as it returns. */
export type Flush = (u8: Uint8Array, length: number) => void;

const BYTES_AT_START = 4096;
/** A buffer that grew beyond this is not kept. */
const BYTES_KEPT = 1024 * 1024;

export class ByteSink {
  u8: Uint8Array<ArrayBuffer>;
  /** Where the next byte goes. */
  at = 0;
  /** Bytes that were handed on. */
  private flushed = 0;
  private readonly flush: Flush | null;
  private view: DataView;

  /** Without `flush`, everything stays in `u8`, which grows. */
  constructor(flush: Flush | null = null, bytes: number = BYTES_AT_START) {
    this.flush = flush;
    this.u8 = buffer(bytes);
    this.view = new DataView(this.u8.buffer);
  }

  /** Bytes written since the last reset. */
  get written(): number {
    return this.flushed + this.at;
  }

  /** Forgets what was written, and gives back the memory of a large text. */
  reset(): void {
    this.at = 0;
    this.flushed = 0;
    if (this.u8.length > BYTES_KEPT) this.hold(buffer(BYTES_AT_START));
  }

  /** Hands on what is left in the buffer. */
  end(): void {
    if (this.flush === null || this.at === 0) return;
    this.flushed += this.at;
    this.flush(this.u8, this.at);
    this.at = 0;
  }

  /** Makes room for `bytes` more in one piece. */
  room(bytes: number): void {
    if (this.at + bytes > this.u8.length) this.makeRoom(bytes);
  }

  private makeRoom(bytes: number): void {
    this.end();
    const wanted = this.at + bytes;
    if (wanted <= this.u8.length) return;
    const grown = buffer(Math.max(2 * this.u8.length, wanted));
    grown.set(this.u8.subarray(0, this.at));
    this.hold(grown);
  }

  private hold(u8: Uint8Array<ArrayBuffer>): void {
    this.u8 = u8;
    this.view = new DataView(u8.buffer);
  }

  byte(value: number): void {
    this.room(1);
    this.u8[this.at++] = value;
  }

  /** Writes u8[start, start + length), however long. */
  bytes(u8: Uint8Array, start: number, length: number): void {
    if (this.flush === null || this.at + length <= this.u8.length) {
      this.room(length);
      copyBytes(u8, start, this.u8, this.at, length);
      this.at += length;
      return;
    }
    let from = start;
    const end = start + length;
    while (from < end) {
      if (this.at === this.u8.length) this.end();
      const count = Math.min(end - from, this.u8.length - this.at);
      copyBytes(u8, from, this.u8, this.at, count);
      this.at += count;
      from += count;
    }
  }

  /** The lower `bytes` bytes of a word, low byte first. */
  little(word: number, bytes: number): void {
    this.room(4);
    for (let index = 0; index < bytes; index++) this.u8[this.at++] = word >>> (8 * index);
  }

  /** A double, low byte first. */
  double(value: number): void {
    this.room(8);
    this.view.setFloat64(this.at, value, true);
    this.at += 8;
  }

  /** A word, high byte first. */
  big32(word: number): void {
    this.room(4);
    for (let shift = 24; shift >= 0; shift -= 8) this.u8[this.at++] = word >>> shift;
  }
}

/** Short texts are copied by words where both sides have a view. */
function buffer(bytes: number): Uint8Array<ArrayBuffer> {
  return withView(new Uint8Array(new ArrayBuffer(bytes)));
}
