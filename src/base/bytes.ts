// Copying, comparing and filling ranges of bytes. Each function has a loop for short ranges and a
// call into V8 for long ones; the limits are where the two cross, measured on Node 20.20 (2 cores
// of x86-64), between shared and plain memory in turns, in ns:
//
//   bytes                            8    16    24    32    48    64    128   1024
//   loop, a byte a turn             23    29    42    54    78   102    199   1560
//   loop, eight bytes a turn        13    20    27    34    48    61    116    906
//   target.set(source.subarray)     52    53    53    54    54    54     56     88
//   u8.copyWithin, one memory       24    25    25    26    27    27     29     51
//   Int32Array loop, aligned         9    13    16    19    25    32     58    420
//
// Rejected: Float64Array copies. They are twice as fast as Int32Array ones, but bytes that happen
// to be a signalling NaN need not survive them. DataView needs a second view of every buffer.

// Above it `set` wins, although it allocates a view.
const COPY_LOOP_MAX = 48;
const MOVE_LOOP_MAX = 16;
const FILL_LOOP_MAX = 16;
const COMPARE_LOOP_MAX = 160;
const WORD_LOOP_MAX = 128;

/**
 * Copies `length` bytes. The ranges must not overlap unless the target lies before the source:
 * moveBytes is for that.
 */
export function copyBytes(
  source: Uint8Array,
  sourceStart: number,
  target: Uint8Array,
  targetStart: number,
  length: number,
): void {
  if (length > COPY_LOOP_MAX) {
    target.set(source.subarray(sourceStart, sourceStart + length), targetStart);
    return;
  }
  let from = sourceStart | 0;
  let to = targetStart | 0;
  const end = (from + length) | 0;
  // Eight at a time saves two of five bounds checks and jumps: 20 ns instead of 29 for 16 bytes.
  for (const last = end - 8; from <= last; ) {
    target[to++] = source[from++]!;
    target[to++] = source[from++]!;
    target[to++] = source[from++]!;
    target[to++] = source[from++]!;
    target[to++] = source[from++]!;
    target[to++] = source[from++]!;
    target[to++] = source[from++]!;
    target[to++] = source[from++]!;
  }
  while (from < end) target[to++] = source[from++]!;
}

/** Copies within one memory; the ranges may overlap in either direction. */
export function moveBytes(
  u8: Uint8Array,
  sourceStart: number,
  targetStart: number,
  length: number,
): void {
  if (length > MOVE_LOOP_MAX) {
    u8.copyWithin(targetStart, sourceStart, sourceStart + length);
    return;
  }
  if (targetStart <= sourceStart) {
    for (let index = 0; index < length; index++) u8[targetStart + index] = u8[sourceStart + index]!;
    return;
  }
  for (let index = length - 1; index >= 0; index--) {
    u8[targetStart + index] = u8[sourceStart + index]!;
  }
}

/** Copies aligned 32-bit words; the same rule about overlap as copyBytes. */
export function copyWords(
  source: Int32Array,
  sourceWord: number,
  target: Int32Array,
  targetWord: number,
  wordCount: number,
): void {
  if (wordCount > WORD_LOOP_MAX) {
    target.set(source.subarray(sourceWord, sourceWord + wordCount), targetWord);
    return;
  }
  for (let index = 0; index < wordCount; index++) {
    target[targetWord + index] = source[sourceWord + index]!;
  }
}

/** Are the two ranges of `length` bytes the same? */
export function equalBytes(
  a: Uint8Array,
  aStart: number,
  b: Uint8Array,
  bStart: number,
  length: number,
): boolean {
  if (length > COMPARE_LOOP_MAX) return compareSlowly(a, aStart, length, b, bStart, length) === 0;
  for (let index = 0; index < length; index++) {
    if (a[aStart + index] !== b[bStart + index]) return false;
  }
  return true;
}

/** -1, 0 or 1 as a sorts before, with or after b: by bytes, then the shorter first. */
export function compareBytes(
  a: Uint8Array,
  aStart: number,
  aLength: number,
  b: Uint8Array,
  bStart: number,
  bLength: number,
): number {
  const length = Math.min(aLength, bLength);
  // Long ranges that differ do so early as a rule, so the loop goes first whatever the length.
  const looped = Math.min(length, COMPARE_LOOP_MAX);
  for (let index = 0; index < looped; index++) {
    const difference = a[aStart + index]! - b[bStart + index]!;
    if (difference !== 0) return difference < 0 ? -1 : 1;
  }
  if (looped < length) return compareSlowly(a, aStart, aLength, b, bStart, bLength);
  if (aLength === bLength) return 0;
  return aLength < bLength ? -1 : 1;
}

/** memcmp, for ranges long enough to pay for two views. */
function compareSlowly(
  a: Uint8Array,
  aStart: number,
  aLength: number,
  b: Uint8Array,
  bStart: number,
  bLength: number,
): number {
  return Buffer.compare(a.subarray(aStart, aStart + aLength), b.subarray(bStart, bStart + bLength));
}

export function fillBytes(u8: Uint8Array, start: number, length: number, byte: number): void {
  const end = start + length;
  if (length > FILL_LOOP_MAX) {
    u8.fill(byte, start, end);
    return;
  }
  for (let at = start; at < end; at++) u8[at] = byte;
}
