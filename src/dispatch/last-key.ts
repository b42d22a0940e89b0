// The key that a script has named last, and where it belongs. Scripts name the same key again and
// again; comparing its bytes costs a fifth of hashing them anew. What is remembered does not become
// wrong: where a key belongs depends on nothing but its bytes.

import { copyBytes, equalBytes, withView } from '../base/bytes.js';
import type { Slices } from '../base/slices.js';

/** Longer keys are placed anew each time. */
const KEY_BYTES_MAX = 64;

export class LastKey {
  private readonly bytes = withView(new Uint8Array(new ArrayBuffer(KEY_BYTES_MAX)));
  private length = -1;
  private hash = 0;
  private partition = 0;

  /** Places word `index` if it is this key; returns its partition, −1 if it is another key. */
  place(args: Slices, index: number): number {
    const length = args.lengthOf(index);
    if (length !== this.length) return -1;
    if (!equalBytes(args.u8, args.startOf(index), this.bytes, 0, length)) return -1;
    args.hashes[index] = this.hash;
    args.partitions[index] = this.partition;
    return this.partition;
  }

  /** Remembers word `index`, which has been placed. */
  set(args: Slices, index: number): void {
    const length = args.lengthOf(index);
    if (length > KEY_BYTES_MAX) {
      this.length = -1;
      return;
    }
    copyBytes(args.u8, args.startOf(index), this.bytes, 0, length);
    this.length = length;
    this.hash = args.hashes[index]!;
    this.partition = args.partitions[index]!;
  }
}
