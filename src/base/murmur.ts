// MurmurHash64A (Austin Appleby, public domain): a hash of 64 bits, for what has to agree with
// other programs byte by byte. The keyspace has its own, which is keyed: see hash.ts.
//
// It is counted in halves of 32 bits; a product of halves is put together from products of 16 bits,
// which int32 holds. BigInt would take 30 times as long.

/** The last hash. */
export const murmur = { low: 0, high: 0 };

/** The factor 0xc6a4a7935bd1e995. */
const FACTOR_LOW = 0x5bd1e995 | 0;
const FACTOR_HIGH = 0xc6a4a793 | 0;
const FACTOR_LOW_0 = FACTOR_LOW & 0xffff;
const FACTOR_LOW_1 = FACTOR_LOW >>> 16;

/** The high half of (low, high) × factor; the low half is Math.imul(low, FACTOR_LOW). */
function highProduct(low: number, high: number): number {
  const low0 = low & 0xffff;
  const low1 = low >>> 16;
  const cross = Math.imul(low0, FACTOR_LOW_1);
  const across = Math.imul(low1, FACTOR_LOW_0);
  const middle = (Math.imul(low0, FACTOR_LOW_0) >>> 16) + (cross & 0xffff) + (across & 0xffff);
  const carried =
    Math.imul(low1, FACTOR_LOW_1) + (cross >>> 16) + (across >>> 16) + (middle >>> 16);
  return (carried + Math.imul(low, FACTOR_HIGH) + Math.imul(high, FACTOR_LOW)) | 0;
}

/** Hashes u8[start, start + length) with a seed of 32 bits, into `murmur`. */
export function murmur64(u8: Uint8Array, start: number, length: number, seed: number): void {
  let low = seed ^ Math.imul(length, FACTOR_LOW);
  let high = highProduct(length, 0);
  let at = start;
  for (const end = start + (length & ~7); at < end; at += 8) {
    const wordLow = u8[at]! | (u8[at + 1]! << 8) | (u8[at + 2]! << 16) | (u8[at + 3]! << 24);
    const wordHigh = u8[at + 4]! | (u8[at + 5]! << 8) | (u8[at + 6]! << 16) | (u8[at + 7]! << 24);
    let mixedHigh = highProduct(wordLow, wordHigh);
    let mixedLow = Math.imul(wordLow, FACTOR_LOW);
    // word ^= word >>> 47: only the highest 17 bits are left, and they land in the low half.
    mixedLow ^= mixedHigh >>> 15;
    mixedHigh = highProduct(mixedLow, mixedHigh);
    mixedLow = Math.imul(mixedLow, FACTOR_LOW);
    low ^= mixedLow;
    high = highProduct(low, high ^ mixedHigh);
    low = Math.imul(low, FACTOR_LOW);
  }
  const rest = length & 7;
  if (rest !== 0) {
    for (let index = 0; index < rest; index++) {
      if (index < 4) low ^= u8[at + index]! << (index << 3);
      else high ^= u8[at + index]! << ((index - 4) << 3);
    }
    high = highProduct(low, high);
    low = Math.imul(low, FACTOR_LOW);
  }
  low ^= high >>> 15;
  high = highProduct(low, high);
  low = Math.imul(low, FACTOR_LOW);
  murmur.low = low ^ (high >>> 15);
  murmur.high = high;
}
