// The bytes of a file, read block by block: what is read of it is never longer than what the file
// has, whatever its lengths claim. The checksum is that of all bytes that were read.
//
// Every block is a buffer of its own, so that a key read from one stays where it is while its value
// is read from the next. The buffers are garbage: one per mebibyte.

import { withView } from '../base/bytes.js';
import { Crc64 } from '../base/crc.js';
import { BAD_DATA, ByteSource } from './source.js';

/** Where a file comes from. */
export interface FileInput {
  /** Bytes of it, if that is known; Infinity if not. */
  readonly bytesTotal: number;
  /** Reads up to `length` bytes to u8[start]; how many it were, 0 at the end. */
  read(u8: Uint8Array, start: number, length: number): number;
}

const BLOCK_BYTES = 1024 * 1024;

export class FileSource extends ByteSource {
  private readonly input: FileInput;
  /** Bytes that the input has given. */
  private received = 0;
  private readonly crc = new Crc64();
  /** Bytes of the buffer from here on are not in the checksum yet. */
  private checkedAt = 0;
  /** The checksum is wanted. */
  checksums = false;

  constructor(input: FileInput) {
    super();
    this.input = input;
  }

  /** Where in the file the next byte is. */
  get position(): number {
    return this.received - (this.end - this.at);
  }

  get bytesTotal(): number {
    return this.input.bytesTotal;
  }

  /** Is there another byte? */
  get hasMore(): boolean {
    return this.has(1);
  }

  /** The checksum of all bytes that were read so far. */
  checksum(): Crc64 {
    this.check();
    return this.crc;
  }

  private check(): void {
    if (this.checksums) this.crc.update(this.u8, this.checkedAt, this.at - this.checkedAt);
    this.checkedAt = this.at;
  }

  /** Passes over bytes that nobody looks at: no buffer is larger for them. */
  skip(bytes: number): void {
    const { at, end, input } = this;
    if (bytes <= end - at) {
      this.at = at + bytes;
      return;
    }
    if (bytes > end - at + input.bytesTotal - this.received) throw BAD_DATA;
    for (let left = bytes; left > 0; ) {
      const some = Math.min(left, BLOCK_BYTES);
      this.take(some);
      left -= some;
    }
  }

  protected override refill(bytes: number): boolean {
    const { u8, at } = this;
    const left = this.end - at;
    if (bytes > left + this.input.bytesTotal - this.received) return false;
    this.check();
    // Without a known total, memory grows no faster than bytes come.
    const isKnown = Number.isFinite(this.input.bytesTotal);
    let block = newBlock(isKnown ? Math.max(bytes, BLOCK_BYTES) : Math.max(BLOCK_BYTES, 2 * left));
    block.set(u8.subarray(at, this.end));
    let end = left;
    while (end < bytes) {
      if (end === block.length) block = grown(block);
      const count = this.input.read(block, end, block.length - end);
      if (count === 0) break;
      end += count;
      this.received += count;
    }
    this.u8 = block;
    this.at = 0;
    this.end = end;
    this.checkedAt = 0;
    return end >= bytes;
  }
}

function newBlock(bytes: number): Uint8Array {
  return withView(new Uint8Array(new ArrayBuffer(bytes)));
}

function grown(block: Uint8Array): Uint8Array {
  const larger = newBlock(2 * block.length);
  larger.set(block);
  return larger;
}
