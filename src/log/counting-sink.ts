// The record sink of a worker while there is no log on disk: numbers, records and frames every
// change in its shared buffer, as a log will, and counts. So what a record costs a command is there
// to be measured (parameter `record-sink`), and what comes later hangs on a seam that is in use.
//
// The sequence number is one counter for the process: a shared 32-bit word, because BigInt atomics
// allocate, extended to 53 bits by each thread from the last full value it has seen. That is right
// as long as a thread sees the counter once in 2^31 numbers: observe() is called every second or
// so.

import { FRAME_HEAD_BYTES, RecordWriter, recordBytes } from './record.js';

const BUFFER_BYTES = 4 * 1024 * 1024;
const TWO_32 = 2 ** 32;

export class CountingSink {
  isOn = false;
  /** Since start, of this thread. */
  recordCount = 0;
  frameCount = 0;
  byteCount = 0;
  private readonly counter: Int32Array;
  private readonly writer: RecordWriter;
  /** The open frame starts here; it is empty while `at` is just behind its head. */
  private frameAt = 0;
  private at = FRAME_HEAD_BYTES;
  // The last number this thread took or saw.
  private lastLow = 0;
  private lastHigh = 0;

  constructor(
    counter: SharedArrayBuffer,
    buffer: Uint8Array = new Uint8Array(new SharedArrayBuffer(BUFFER_BYTES)),
  ) {
    this.counter = new Int32Array(counter);
    this.writer = new RecordWriter(buffer);
  }

  /** The last number this thread took or saw. */
  get lastNumber(): number {
    return this.lastHigh * TWO_32 + (this.lastLow >>> 0);
  }

  append(database: number, u8: Uint8Array, start: number, length: number): void {
    // Sequentially consistent, and taken under the command's locks: numbers of changes of one
    // partition ascend in the order of the changes.
    const low = (Atomics.add(this.counter, 0, 1) + 1) | 0;
    this.extend(low);
    this.recordCount++;
    const bytes = recordBytes(length);
    const capacity = this.writer.u8.length;
    if (this.at + bytes > capacity) {
      this.endTurn();
      this.frameAt = 0;
      this.at = FRAME_HEAD_BYTES;
      // Larger than the whole buffer: a log would write it out in pieces; here it is only counted.
      if (FRAME_HEAD_BYTES + bytes > capacity) {
        this.byteCount += FRAME_HEAD_BYTES + bytes;
        return;
      }
    }
    this.writer.record(this.at, low, this.lastHigh, database, u8, start, length);
    this.at += bytes;
  }

  /** Closes the frame of what was appended since the last call: before any reply to it leaves. */
  endTurn(): void {
    const { at, frameAt } = this;
    if (at === frameAt + FRAME_HEAD_BYTES) return;
    this.writer.frame(frameAt, at);
    this.frameCount++;
    this.byteCount += at - frameAt;
    this.frameAt = at;
    if (at + FRAME_HEAD_BYTES > this.writer.u8.length) this.frameAt = 0;
    this.at = this.frameAt + FRAME_HEAD_BYTES;
  }

  /** Keeps the extension right in a thread that writes seldom. */
  observe(): void {
    this.extend(Atomics.load(this.counter, 0));
  }

  private extend(low: number): void {
    // Another thread's number may be seen late, but never by 2^31.
    if (((low - this.lastLow) | 0) <= 0) return;
    if (low >>> 0 < this.lastLow >>> 0) this.lastHigh = (this.lastHigh + 1) | 0;
    this.lastLow = low;
  }
}
