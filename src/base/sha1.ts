// SHA-1, as names of scripts: by the library of the runtime, which takes a microsecond for a short
// script and has machine code for a long one.

import { createHash } from 'node:crypto';

/** The SHA-1 of u8[start, start + length): 20 bytes. */
export function sha1Of(u8: Uint8Array, start: number, length: number): Buffer {
  return createHash('sha1')
    .update(u8.subarray(start, start + length))
    .digest();
}
