// The longest common subsequence of two byte strings, by dynamic programming, and the ranges in
// which they match. Of several subsequences of the same length the one is found that Redis finds.
//
//   lengths: cell (i, j) is the length for the first i bytes of a and the first j of b.
//   Walking back from the last cell needs no length, only whether the cell above is longer than the
//   one to the left: one bit a cell, where the whole table takes 32.

/** A match: a[aFirst … aLast] stands in the subsequence, and in b at bFirst … bLast. */
export interface Match {
  readonly aFirst: number;
  readonly aLast: number;
  readonly bFirst: number;
  readonly bLast: number;
}

export interface CommonSubsequence {
  readonly bytes: Uint8Array;
  /** From the end of the strings to their beginning. */
  readonly matches: readonly Match[];
}

/** The length of the longest common subsequence. */
export function commonLength(a: Uint8Array, b: Uint8Array): number {
  const lengths = new Uint32Array(b.length);
  let length = 0;
  for (let i = 0; i < a.length; i++) length = nextRow(lengths, a[i]!, b, null, 0);
  return length;
}

/** The longest common subsequence itself, or null when there is no memory for the walk. */
export function commonSubsequence(a: Uint8Array, b: Uint8Array): CommonSubsequence | null {
  const isAboveLonger = allocateBits(a.length * b.length);
  if (isAboveLonger === null) return null;
  const lengths = new Uint32Array(b.length);
  let length = 0;
  for (let i = 0; i < a.length; i++) {
    length = nextRow(lengths, a[i]!, b, isAboveLonger, i * b.length);
  }
  return walkBack(a, b, length, isAboveLonger);
}

function allocateBits(count: number): Uint8Array | null {
  try {
    return new Uint8Array(Math.ceil(count / 8));
  } catch {
    return null;
  }
}

/** Turns the row for a prefix of a into the row for one byte more; returns its last length. */
function nextRow(
  lengths: Uint32Array,
  byte: number,
  b: Uint8Array,
  isAboveLonger: Uint8Array | null,
  firstBit: number,
): number {
  let diagonal = 0;
  let left = 0;
  for (let j = 0; j < b.length; j++) {
    const above = lengths[j]!;
    if (byte === b[j]) {
      left = diagonal + 1;
    } else if (above > left) {
      left = above;
      if (isAboveLonger !== null) {
        const bit = firstBit + j;
        // A string of 2^29 bytes has more bits than an int32 counts: no shift of the bit's number.
        const at = Math.floor(bit / 8);
        isAboveLonger[at] = isAboveLonger[at]! | (1 << (bit % 8));
      }
    }
    lengths[j] = left;
    diagonal = above;
  }
  return left;
}

function walkBack(
  a: Uint8Array,
  b: Uint8Array,
  length: number,
  isAboveLonger: Uint8Array,
): CommonSubsequence {
  const bytes = new Uint8Array(length);
  const matches: Match[] = [];
  let open: { aFirst: number; aLast: number; bFirst: number; bLast: number } | null = null;
  let left = length;
  let i = a.length;
  let j = b.length;
  while (i > 0 && j > 0) {
    if (a[i - 1] !== b[j - 1]) {
      if (open !== null) matches.push(open);
      open = null;
      const bit = (i - 1) * b.length + (j - 1);
      if ((isAboveLonger[Math.floor(bit / 8)]! >> (bit % 8)) & 1) i--;
      else j--;
      continue;
    }
    i--;
    j--;
    bytes[--left] = a[i]!;
    open ??= { aFirst: i, aLast: i, bFirst: j, bLast: j };
    open.aFirst = i;
    open.bFirst = j;
  }
  if (open !== null) matches.push(open);
  return { bytes, matches };
}
