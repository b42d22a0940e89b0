// Sizes of Redis's listpacks. A list ends where a listpack with the same elements would end, so
// that OBJECT ENCODING agrees, although nothing here is stored as a listpack.
//
// A listpack has six bytes of head and one at its end. An element of it has one to five bytes that
// tell what it is and how long, then its body, then its size in groups of seven bits.

/** Head and end of a listpack. */
export const LISTPACK_HEAD_BYTES = 7;

/** Strings shorter than this have their length in six bits, or in twelve; else in four bytes. */
const SHORT_BYTES = 64;
const MEDIUM_BYTES = 4096;
/** Elements up to here have one byte behind them; shorter ones than the others two, three, four. */
const BEHIND_ONE_MAX = 127;
const BEHIND_TWO = 2 ** 14 - 1;
const BEHIND_THREE = 2 ** 21 - 1;
const BEHIND_FOUR = 2 ** 28 - 1;

/** Bytes of the element that a string of `length` bytes is. */
export function listpackStringBytes(length: number): number {
  if (length < SHORT_BYTES) return length + 2;
  const bytes = length + (length < MEDIUM_BYTES ? 2 : 5);
  if (bytes <= BEHIND_ONE_MAX) return bytes + 1;
  if (bytes < BEHIND_TWO) return bytes + 2;
  return bytes + (bytes < BEHIND_THREE ? 3 : bytes < BEHIND_FOUR ? 4 : 5);
}

/** Bytes of the element that an integer is. */
export function listpackIntegerBytes(low: number, high: number): number {
  if (high !== low >> 31) return 10;
  if (low >= 0 && low < 128) return 2;
  if (low >= -4096 && low < 4096) return 3;
  if (low === (low << 16) >> 16) return 4;
  return low === (low << 8) >> 8 ? 5 : 6;
}
