// What a string holds that is a whole collection by itself: a listpack, a ziplist, a zipmap or an
// array of integers, one element after the other. The first walk checks the whole string, every
// length and count in it; only then is anything built of it.

import { writeInt64 } from '../base/ascii.js';
import { BAD_DATA } from './source.js';

/** The text of an int64, twice: the element before stays readable (a field, while its value is). */
const DIGITS_BYTES = 24;

export abstract class Elements {
  /** The element that next() has come to: its text. Valid until the next but one. */
  u8: Uint8Array = new Uint8Array(0);
  start = 0;
  length = 0;
  /** It was an integer, and while `keepsIntegers` has no text, but is in `low` and `high`. */
  isInteger = false;
  keepsIntegers = false;
  low = 0;
  high = 0;
  /** The string. */
  protected bytes: Uint8Array = new Uint8Array(0);
  protected at = 0;
  protected end = 0;
  private readonly digits = new Uint8Array(new ArrayBuffer(2 * DIGITS_BYTES));
  private slot = 0;

  /** Stands before the first element of bytes[start, start + length); reads the head. */
  abstract open(bytes: Uint8Array, start: number, length: number): this;

  /** To the next element; false at the end, which is then that of the string. */
  abstract next(): boolean;

  /** Walks over all elements; returns how many there are. Then open() again. */
  count(): number {
    let count = 0;
    while (this.next()) count++;
    return count;
  }

  protected begin(bytes: Uint8Array, start: number, length: number): void {
    this.bytes = bytes;
    this.at = start;
    this.end = start + length;
  }

  /** Refuses unless `bytes` more are there; returns where they begin, and passes over them. */
  protected take(bytes: number): number {
    const start = this.at;
    if (bytes > this.end - start) throw BAD_DATA;
    this.at = start + bytes;
    return start;
  }

  /** An unsigned number of up to four bytes, low byte first. */
  protected little(bytes: number): number {
    const start = this.take(bytes);
    let word = 0;
    for (let index = 0; index < bytes; index++) word |= this.bytes[start + index]! << (8 * index);
    return word >>> 0;
  }

  /** A signed integer of `bytes` bytes, at most four. */
  protected signed(bytes: number): number {
    const unused = 32 - 8 * bytes;
    return (this.little(bytes) << unused) >> unused;
  }

  protected setText(start: number, length: number): void {
    this.isInteger = false;
    this.u8 = this.bytes;
    this.start = start;
    this.length = length;
  }

  protected setInteger(low: number, high: number): void {
    this.isInteger = true;
    this.low = low;
    this.high = high;
    if (this.keepsIntegers) return;
    this.writeInteger(low, high);
  }

  /** Gives an integer that was kept as one its text. */
  spell(): void {
    if (this.isInteger) this.writeInteger(this.low, this.high);
  }

  /** Gives the integer its text, where it has none yet. */
  protected writeInteger(low: number, high: number): void {
    this.slot ^= DIGITS_BYTES;
    this.u8 = this.digits;
    this.start = this.slot;
    this.length = writeInt64(this.digits, this.slot, low, high);
  }

  protected setWord(word: number): void {
    this.setInteger(word, word >> 31);
  }

  protected setWide(): void {
    const low = this.little(4) | 0;
    this.setInteger(low, this.little(4) | 0);
  }
}
