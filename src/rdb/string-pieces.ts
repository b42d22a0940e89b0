// Long strings as a snapshot writes them in pieces (pieces.ts): chunks of bytes, with numbers.
// One that may be compressed is put together first, which takes no lock.
//
//   what stands before the chunks
//   ┌─────────────────────────┬─────────────────────┬─────────────┐
//   │ as in file-write.ts     │ bytes of the string │ compresses? │
//   └─────────────────────────┴─────────────────────┴─────────────┘
//                              4 B                   1 B

import { blobLengthOfWalk, CHUNK_BYTES, chunkStart } from '../keyspace/string-first.js';
import type { Slab } from '../slab/slab.js';
import type { Assembly } from './assembly.js';
import { writeLength } from './length.js';
import type { ByteSink } from './sink.js';
import { COMPRESSED_BYTES_MAX, writeText } from './strings.js';

const LENGTH_BYTES = 4;
const TAIL_BYTES = LENGTH_BYTES + 1;

/** What stands between the key and the chunks, for StringAssembly. */
export function writeStringHead(sink: ByteSink, length: number, compresses: boolean): void {
  sink.little(length, LENGTH_BYTES);
  sink.byte(compresses ? 1 : 0);
}

/** Writes chunk `index` of the string whose walk word is there. */
export function writeChunk(sink: ByteSink, slab: Slab, walkAt: number, index: number): void {
  const left = blobLengthOfWalk(slab, walkAt) - index * CHUNK_BYTES;
  sink.bytes(slab.u8, chunkStart(walkAt, index), Math.min(CHUNK_BYTES, left));
}

export class StringAssembly implements Assembly {
  /** Of a string that may be compressed: its bytes so far. */
  private readonly bytes: Uint8Array | null;
  private at = 0;

  constructor(
    head: Uint8Array,
    private readonly sink: ByteSink,
  ) {
    const view = new DataView(head.buffer, head.byteOffset, head.length);
    const headBytes = head.length - TAIL_BYTES;
    const length = view.getUint32(headBytes, true);
    const compresses = head[head.length - 1] === 1;
    sink.bytes(head, 0, headBytes);
    const isWhole = compresses && length <= COMPRESSED_BYTES_MAX;
    this.bytes = isWhole ? new Uint8Array(new ArrayBuffer(length)) : null;
    if (!isWhole) writeLength(sink, length);
  }

  take(_section: number, u8: Uint8Array, start: number, length: number): void {
    const { bytes } = this;
    if (bytes === null) {
      this.sink.bytes(u8, start, length);
      return;
    }
    bytes.set(u8.subarray(start, start + length), this.at);
    this.at += length;
  }

  end(): void {
    const { bytes } = this;
    if (bytes !== null) writeText(this.sink, bytes, 0, bytes.length, true);
  }
}
