// Many texts outside the slabs, one behind the other in a growing buffer: elements to sort, weights
// and results.

import { copyBytes } from '../../base/bytes.js';

const BYTES_AT_START = 4096;
const TEXTS_AT_START = 256;
/** What one large command has grown is not kept for ever. */
const TEXTS_KEPT = 64 * 1024;
const BYTES_KEPT = 4 * 1024 * 1024;

export class Texts {
  count = 0;
  u8 = new Uint8Array(BYTES_AT_START);
  /** First byte of each text; −1: there is none, only its place. */
  starts = new Float64Array(TEXTS_AT_START);
  lengths = new Int32Array(TEXTS_AT_START);
  bytes = 0;

  begin(): void {
    if (this.lengths.length > TEXTS_KEPT || this.u8.length > BYTES_KEPT) {
      this.u8 = new Uint8Array(BYTES_AT_START);
      this.starts = new Float64Array(TEXTS_AT_START);
      this.lengths = new Int32Array(TEXTS_AT_START);
    }
    this.count = 0;
    this.bytes = 0;
  }

  add(u8: Uint8Array, start: number, length: number): void {
    if (this.bytes + length > this.u8.length) this.growBytes(length);
    copyBytes(u8, start, this.u8, this.bytes, length);
    this.addPlace(this.bytes, length);
    this.bytes += length;
  }

  addMissing(): void {
    this.addPlace(-1, 0);
  }

  isMissing(index: number): boolean {
    return this.starts[index]! < 0;
  }

  private addPlace(start: number, length: number): void {
    if (this.count === this.lengths.length) this.growPlaces();
    this.starts[this.count] = start;
    this.lengths[this.count] = length;
    this.count++;
  }

  private growBytes(length: number): void {
    const grown = new Uint8Array(Math.max(this.u8.length * 2, this.bytes + length));
    grown.set(this.u8.subarray(0, this.bytes));
    this.u8 = grown;
  }

  private growPlaces(): void {
    const starts = new Float64Array(this.count * 2);
    const lengths = new Int32Array(this.count * 2);
    starts.set(this.starts);
    lengths.set(this.lengths);
    this.starts = starts;
    this.lengths = lengths;
  }
}
