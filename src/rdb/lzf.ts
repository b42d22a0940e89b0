// LZF, the compression of strings in RDB files. A compressed text is a run of instructions:
//
//   ┌─────────┬──────────────────┐
//   │ 000 n   │ n + 1 bytes      │   literal: these bytes
//   └─────────┴──────────────────┘
//   ┌─────────┬─────┐
//   │ l   d   │ d   │                l from 1 to 6: copy l + 2 bytes
//   └─────────┴─────┘
//   ┌─────────┬─────┬─────┐
//   │ 111 d   │ m   │ d   │          copy m + 9 bytes
//   └─────────┴─────┴─────┘
//    3 bits, 5   8     8
//
// A copy is taken d + 1 bytes back in the output, d being 13 bits, and may overlap what it writes.

const LITERAL_MAX = 32;
const DISTANCE_MAX = 8192;
const COPY_MIN = 3;
const SHORT_COPY_MAX = 8;
const COPY_MAX = 264;
/** A long copy of three bytes stands for 264: no text is longer than so many times its form. */
export const LZF_RATIO_MAX = COPY_MAX / 3;

const HASH_BITS_MIN = 5;
const HASH_BITS_MAX = 14;
/**
 * Where three bytes of this hash were seen last, plus one. Of a short text only the beginning is
 * used: it is cleared for every text.
 */
const seen = new Int32Array(1 << HASH_BITS_MAX);

/**
 * Compresses u8[start, start + length) into out[at, at + room); returns the bytes that takes, or 0
 * when there is no room for them.
 */
export function lzfCompress(
  u8: Uint8Array,
  start: number,
  length: number,
  out: Uint8Array,
  at: number,
  room: number,
): number {
  const end = start + length;
  const outEnd = at + room;
  const lastStart = end - COPY_MIN;
  let to = at;
  let from = start;
  let literalAt = start;
  const bits = Math.min(HASH_BITS_MAX, Math.max(HASH_BITS_MIN, 32 - Math.clz32(length)));
  const shift = 32 - bits;
  seen.fill(0, 0, 1 << bits);
  while (from <= lastStart) {
    const hash = hashOfThree(u8, from, shift);
    const before = start + seen[hash]! - 1;
    seen[hash] = from - start + 1;
    const distance = from - before;
    if (before < start || distance > DISTANCE_MAX || !isSameThree(u8, before, from)) {
      from++;
      continue;
    }
    const most = Math.min(COPY_MAX, end - from);
    let copied = COPY_MIN;
    while (copied < most && u8[before + copied] === u8[from + copied]) copied++;
    to = writeLiterals(u8, literalAt, from, out, to, outEnd);
    if (to === 0 || to + 3 > outEnd) return 0;
    const back = distance - 1;
    if (copied <= SHORT_COPY_MAX) {
      out[to++] = ((copied - 2) << 5) | (back >> 8);
    } else {
      out[to++] = 0xe0 | (back >> 8);
      out[to++] = copied - SHORT_COPY_MAX - 1;
    }
    out[to++] = back & 0xff;
    // One place inside of what was copied is enough for the next copy to be found from.
    const next = from + copied;
    if (next - 1 <= lastStart) seen[hashOfThree(u8, next - 1, shift)] = next - start;
    from = next;
    literalAt = next;
  }
  to = writeLiterals(u8, literalAt, end, out, to, outEnd);
  return to === 0 ? 0 : to - at;
}

function hashOfThree(u8: Uint8Array, at: number, shift: number): number {
  const three = u8[at]! | (u8[at + 1]! << 8) | (u8[at + 2]! << 16);
  return Math.imul(three, 0x9e3779b1) >>> shift;
}

function isSameThree(u8: Uint8Array, a: number, b: number): boolean {
  return u8[a] === u8[b] && u8[a + 1] === u8[b + 1] && u8[a + 2] === u8[b + 2];
}

/** Writes u8[from, end) as literals; returns the place behind them, 0 when there is no room. */
function writeLiterals(
  u8: Uint8Array,
  from: number,
  end: number,
  out: Uint8Array,
  at: number,
  outEnd: number,
): number {
  let to = at;
  while (from < end) {
    const count = Math.min(LITERAL_MAX, end - from);
    if (to + 1 + count > outEnd) return 0;
    out[to++] = count - 1;
    for (let index = 0; index < count; index++) out[to++] = u8[from++]!;
  }
  return to;
}

/**
 * Decompresses u8[start, start + length) into out[0, outLength), which it must fill exactly. False
 * when the text is broken; nothing outside of its ranges is read or written.
 */
export function lzfDecompress(
  u8: Uint8Array,
  start: number,
  length: number,
  out: Uint8Array,
  outLength: number,
): boolean {
  const end = start + length;
  let from = start;
  let to = 0;
  while (from < end) {
    const control = u8[from++]!;
    if (control < LITERAL_MAX) {
      const count = control + 1;
      if (from + count > end || to + count > outLength) return false;
      for (let index = 0; index < count; index++) out[to++] = u8[from++]!;
      continue;
    }
    let count = control >> 5;
    if (count === 7) {
      if (from >= end) return false;
      count += u8[from++]!;
    }
    count += 2;
    if (from >= end) return false;
    let before = to - (((control & 0x1f) << 8) | u8[from++]!) - 1;
    if (before < 0 || to + count > outLength) return false;
    // Byte by byte: a copy may go on into what it has just written.
    for (let index = 0; index < count; index++) out[to++] = out[before++]!;
  }
  return to === outLength;
}
