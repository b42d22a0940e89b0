// The record sink of a worker while there is no log on disk: numbers and records every change in
// its shared buffer, as a log will, and counts. So what a record costs a command is there to be
// measured (parameter `record-sink`), and what comes later hangs on a seam that is in use.
//
// The sequence number is one counter for the process: a shared 32-bit word, because BigInt atomics
// allocate, extended to 53 bits by each thread from the last full value it has seen. That is right
// as long as a thread sees the counter once in 2^31 numbers: observe() is called every second or
// so.

import { recordBytes, writeRecord } from './record.js';

const BUFFER_BYTES = 4 * 1024 * 1024;
const TWO_32 = 2 ** 32;

export class CountingSink {
  isOn = false;
  /** Records and bytes since start, of this thread. */
  recordCount = 0;
  byteCount = 0;
  /** The last number this thread took or saw. */
  lastNumber = 0;
  private readonly counter: Int32Array;
  private readonly buffer: Uint8Array;
  private at = 0;

  constructor(counter: SharedArrayBuffer) {
    this.counter = new Int32Array(counter);
    this.buffer = new Uint8Array(new SharedArrayBuffer(BUFFER_BYTES));
  }

  append(database: number, u8: Uint8Array, start: number, length: number): void {
    // Sequentially consistent, and taken under the command's locks: numbers of changes of one
    // partition ascend in the order of the changes.
    const low = (Atomics.add(this.counter, 0, 1) + 1) | 0;
    const number = this.extend(low);
    const bytes = recordBytes(length);
    this.recordCount++;
    this.byteCount += bytes;
    // Larger than the whole buffer: a log would write it out in pieces; here it is only counted.
    if (bytes > BUFFER_BYTES) return;
    if (this.at + bytes > BUFFER_BYTES) this.at = 0;
    const high = Math.floor(number / TWO_32);
    this.at += writeRecord(this.buffer, this.at, low, high, database, u8, start, length);
  }

  /** Keeps the extension right in a thread that writes seldom. */
  observe(): void {
    this.extend(Atomics.load(this.counter, 0));
  }

  private extend(low: number): number {
    const step = (low - ((this.lastNumber % TWO_32) | 0)) | 0;
    // Another thread's number may be seen late, but never by 2^31.
    const number = this.lastNumber + step;
    if (step > 0) this.lastNumber = number;
    return number;
  }
}
