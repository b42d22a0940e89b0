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
// Memory that is copied and compared by every command (the slabs, what is received, what is sent)
// therefore carries a DataView, which reads and writes words at any byte (withView):
//
//   bytes                            8    16    24    32    48    64    128
//   copy, a word a turn             13    16    18    20    24    29     47
//   compare, a byte a turn          15    30           58          200
//   compare, a word a turn          10    13           18           32
//
// Rejected: Float64 copies. They are twice as fast as words, but bytes that happen to be a
// signalling NaN need not survive them. BigInt64 ones allocate. A subclass of Uint8Array makes
// `subarray` slow; a property of the array itself leaves it as it is.

// Above it `set` wins, although it allocates a view.
const COPY_LOOP_MAX = 48;
const COPY_WORDS_MAX = 128;
const MOVE_LOOP_MAX = 16;
const FILL_LOOP_MAX = 16;
const COMPARE_LOOP_MAX = 160;
const COMPARE_WORDS_MAX = 320;
const WORD_LOOP_MAX = 128;
/** Below it words do not pay. */
const WORDS_FROM = 8;

/** Bytes that may be read and written as words, too: `view` is over the same bytes. */
export interface ViewedBytes extends Uint8Array {
  readonly view?: DataView;
}

/** Gives bytes their view: for memory that is kept, before its first use. */
export function withView<T extends Uint8Array>(u8: T): T {
  (u8 as { view?: DataView }).view = new DataView(u8.buffer, u8.byteOffset, u8.length);
  return u8;
}

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
  const { view } = source as ViewedBytes;
  const targetView = (target as ViewedBytes).view;
  if (view !== undefined && targetView !== undefined && length >= WORDS_FROM) {
    if (length <= COPY_WORDS_MAX) {
      copyViewed(view, sourceStart, targetView, targetStart, length);
      return;
    }
  }
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

function copyViewed(
  source: DataView,
  sourceStart: number,
  target: DataView,
  targetStart: number,
  length: number,
): void {
  let from = sourceStart | 0;
  let to = targetStart | 0;
  const end = (from + length) | 0;
  for (const last = end - 8; from <= last; from = (from + 8) | 0) {
    target.setInt32(to, source.getInt32(from, true), true);
    target.setInt32((to + 4) | 0, source.getInt32((from + 4) | 0, true), true);
    to = (to + 8) | 0;
  }
  if (from <= end - 4) {
    target.setInt32(to, source.getInt32(from, true), true);
    from = (from + 4) | 0;
    to = (to + 4) | 0;
  }
  while (from < end) target.setUint8(to++, source.getUint8(from++));
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
  const { view } = a as ViewedBytes;
  const other = (b as ViewedBytes).view;
  if (view !== undefined && other !== undefined && length <= COMPARE_WORDS_MAX) {
    return equalViewed(view, aStart, other, bStart, length);
  }
  if (length > COMPARE_LOOP_MAX) return compareSlowly(a, aStart, length, b, bStart, length) === 0;
  for (let index = 0; index < length; index++) {
    if (a[aStart + index] !== b[bStart + index]) return false;
  }
  return true;
}

function equalViewed(
  a: DataView,
  aStart: number,
  b: DataView,
  bStart: number,
  length: number,
): boolean {
  let at = aStart | 0;
  let other = bStart | 0;
  const end = (at + length) | 0;
  for (const last = end - 4; at <= last; at = (at + 4) | 0) {
    if (a.getInt32(at, true) !== b.getInt32(other, true)) return false;
    other = (other + 4) | 0;
  }
  while (at < end) if (a.getUint8(at++) !== b.getUint8(other++)) return false;
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

/** Is every byte of u8[start, start + length) zero? */
export function isZeros(u8: Uint8Array, start: number, length: number): boolean {
  const end = start + length;
  for (let at = start; at < end; at++) if (u8[at] !== 0) return false;
  return true;
}

export function fillBytes(u8: Uint8Array, start: number, length: number, byte: number): void {
  const end = start + length;
  if (length > FILL_LOOP_MAX) {
    u8.fill(byte, start, end);
    return;
  }
  for (let at = start; at < end; at++) u8[at] = byte;
}
