// Where RDB bytes come from: a payload that is there as a whole, or a file read in pieces
// (a subclass that overrides `refill`). Nothing in it is believed: every read asks whether the
// bytes are there, and what is claimed is never allocated before.

import { Refusal } from '../resp/errors.js';

/** What is read is no RDB value, or a broken one. */
export const BAD_DATA = new Refusal('ERR Bad data format');

/** A collection of nothing, read to its end: files have had such keys, Redis passes over them. */
export const EMPTY_VALUE = new Refusal(BAD_DATA.line);

const TWO_32 = 2 ** 32;

export class ByteSource {
  u8: Uint8Array = new Uint8Array(0);
  /** The next byte to read, and the end of those that are there. */
  at = 0;
  end = 0;
  /** What wide() and wideLittle() have read. */
  low = 0;
  high = 0;

  /** Reads u8[start, end) from now on. */
  open(u8: Uint8Array, start: number, end: number): this {
    this.u8 = u8;
    this.at = start;
    this.end = end;
    return this;
  }

  /**
   * Called when fewer than `bytes` bytes are left in the buffer: false when there are no more. What
   * was read before stays where it was, so a refilled source has another buffer, which begins with
   * the bytes that were left.
   */
  protected refill(_bytes: number): boolean {
    return false;
  }

  /** Refuses unless `bytes` more are there, in one piece at u8[at]. */
  need(bytes: number): void {
    if (bytes > this.end - this.at && !this.refill(bytes)) throw BAD_DATA;
  }

  /** Are `bytes` more there? Then they are in one piece at u8[at]. */
  has(bytes: number): boolean {
    return bytes <= this.end - this.at || this.refill(bytes);
  }

  byte(): number {
    this.need(1);
    return this.u8[this.at++]!;
  }

  /** Passes over `bytes` bytes; returns where they begin in `u8`. */
  take(bytes: number): number {
    this.need(bytes);
    const start = this.at;
    this.at = start + bytes;
    return start;
  }

  /** An unsigned number of up to four bytes, low byte first. */
  little(bytes: number): number {
    const start = this.take(bytes);
    let word = 0;
    for (let index = 0; index < bytes; index++) word |= this.u8[start + index]! << (8 * index);
    return word >>> 0;
  }

  /** An unsigned word, high byte first. */
  big32(): number {
    const start = this.take(4);
    let word = 0;
    for (let index = 0; index < 4; index++) word = (word << 8) | this.u8[start + index]!;
    return word >>> 0;
  }

  /** Eight bytes, low byte first, into `low` and `high`. */
  wideLittle(): void {
    this.low = this.little(4) | 0;
    this.high = this.little(4) | 0;
  }

  /** An int64, low byte first, as a number. */
  signedLittle(): number {
    this.wideLittle();
    return this.high * TWO_32 + (this.low >>> 0);
  }
}
