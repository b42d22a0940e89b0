// What packed lists look like in memory, for the two files that know: packed.ts, where the picture
// stands, and ends.ts.

export const enum Head {
  End = 0,
  Sizes = 1,
  Words = 2,
}
export const HEAD_BYTES = Head.Words * 4;

export const COUNT_SHIFT = 10;
export const COUNT_ONE = 1 << COUNT_SHIFT;
export const GAP_MASK = COUNT_ONE - 1;
/** This count stands for itself or more: then the elements are counted. */
export const COUNT_MAX = 2 ** 22 - 1;

export const SHORT_BYTES_MAX = 239;
export const INTEGER_TOKEN = 240;
export const MEDIUM_TOKEN = 249;

/** Blocks up to here keep their room when elements go. */
export const SHRINK_BYTES_MIN = 64;

// A text that may be an integer begins with one of these.
export const DIGIT_ZERO = 0x30;
export const DIGIT_NINE = 0x39;
export const MINUS = 0x2d;
