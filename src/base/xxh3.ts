// XXH3, 64 bits, seed 0, default secret (github.com/Cyan4973/xxHash, doc/xxhash_spec.md): the
// digest that DIGEST replies and that IFDEQ compares. 64-bit numbers are pairs of int32 words;
// there is no BigInt and nothing is allocated.
//
// Functions that have a 64-bit result leave it in resultHigh and resultLow. Those hold int32 only,
// which V8 keeps in module variables without allocating.

/** The digest of the last xxh3 call, as two uint32. */
export interface Digest {
  lo: number;
  hi: number;
}

const digest: Digest = { lo: 0, hi: 0 };
let resultHigh = 0;
let resultLow = 0;

/** How many hexadecimal digits a digest is printed with. */
export const DIGEST_TEXT_BYTES = 16;

const TWO_32 = 4294967296;

// The primes of XXH32 and XXH64, in words.
const P32_1 = 0x9e3779b1 | 0;
const P32_2 = 0x85ebca77 | 0;
const P32_3 = 0xc2b2ae3d | 0;
const P64_1_HIGH = 0x9e3779b1 | 0;
const P64_1_LOW = 0x85ebca87 | 0;
const P64_2_HIGH = 0xc2b2ae3d | 0;
const P64_2_LOW = 0x27d4eb4f | 0;
const P64_3_HIGH = 0x165667b1 | 0;
const P64_3_LOW = 0x9e3779f9 | 0;
const P64_4_HIGH = 0x85ebca77 | 0;
const P64_4_LOW = 0xc2b2ae63 | 0;
const P64_5_HIGH = 0x27d4eb2f | 0;
const P64_5_LOW = 0x165667c5 | 0;
const MIX_1_HIGH = 0x16566791 | 0;
const MIX_1_LOW = 0x9e3779f9 | 0;
const MIX_2_HIGH = 0x9fb21c65 | 0;
const MIX_2_LOW = 0x1e98df25 | 0;

const SECRET_BYTES = 192;
const SECRET = Uint8Array.from(
  Buffer.from(
    'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f' +
      'cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c' +
      '3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8' +
      'a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364' +
      'eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e' +
      '2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e',
    'hex',
  ),
);

// Long inputs: stripes of 64 bytes, each against the secret from 8 bytes further on; 16 stripes,
// then the accumulators are scrambled against the secret's end.
const STRIPE_BYTES = 64;
const STRIPES_PER_BLOCK = (SECRET_BYTES - STRIPE_BYTES) / 8;
const BLOCK_BYTES = STRIPE_BYTES * STRIPES_PER_BLOCK;
const LANE_WORDS = 16;
const SCRAMBLE_WORD = (SECRET_BYTES - STRIPE_BYTES) / 4;
const LAST_STRIPE_AT = SECRET_BYTES - STRIPE_BYTES - 7;
const MERGE_AT = 11;

/** The secret as words, from its start and from where the last stripe's part begins. */
const secretWords = wordsFrom(0, SECRET_BYTES / 4);
const lastSecretWords = wordsFrom(LAST_STRIPE_AT, LANE_WORDS);
/** Eight accumulators, low word first. */
const lanes = new Int32Array(LANE_WORDS);
const lanesAtStart = Int32Array.of(
  ...[P32_3, 0, P64_1_LOW, P64_1_HIGH, P64_2_LOW, P64_2_HIGH, P64_3_LOW, P64_3_HIGH],
  ...[P64_4_LOW, P64_4_HIGH, P32_2, 0, P64_5_LOW, P64_5_HIGH, P32_1, 0],
);

function wordsFrom(at: number, count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, word) => read32(SECRET, at + 4 * word));
}

/** The digest of u8[start, start + length); the object is reused by the next call. */
export function xxh3(u8: Uint8Array, start: number, length: number): Readonly<Digest> {
  if (length <= 16) hashUpTo16(u8, start, length);
  else if (length <= 128) hashUpTo128(u8, start, length);
  else if (length <= 240) hashUpTo240(u8, start, length);
  else hashLong(u8, start, length);
  digest.lo = resultLow >>> 0;
  digest.hi = resultHigh >>> 0;
  return digest;
}

/** Writes the digest of u8[start, start + length) as 16 lower-case hexadecimal digits. */
export function writeDigest(
  target: Uint8Array,
  at: number,
  u8: Uint8Array,
  start: number,
  length: number,
): void {
  xxh3(u8, start, length);
  writeHexWord(target, at, resultHigh);
  writeHexWord(target, at + DIGEST_TEXT_BYTES / 2, resultLow);
}

function writeHexWord(target: Uint8Array, at: number, word: number): void {
  for (let shift = 28; shift >= 0; shift -= 4) {
    const digit = (word >>> shift) & 0xf;
    target[at++] = digit + (digit < 10 ? 0x30 : 0x57);
  }
}

// ── By length ────────────────────────────────────────────────────────────────────────────────

function hashUpTo16(u8: Uint8Array, start: number, length: number): void {
  if (length > 8) {
    const lowLow = read32(u8, start) ^ secretPair(24, 32);
    const lowHigh = read32(u8, start + 4) ^ secretPair(28, 36);
    const end = start + length;
    const highLow = read32(u8, end - 8) ^ secretPair(40, 48);
    const highHigh = read32(u8, end - 4) ^ secretPair(44, 52);
    multiplyFolded(lowHigh, lowLow, highHigh, highLow);
    addToResult(highHigh, highLow);
    // The low half with its eight bytes in reverse.
    addToResult(reversed(lowLow), reversed(lowHigh));
    addToResult(0, length);
    avalanche();
    return;
  }
  if (length > 3) {
    resultLow = read32(u8, start + length - 4) ^ secretPair(8, 16);
    resultHigh = read32(u8, start) ^ secretPair(12, 20);
    mixFourToEight(length);
    return;
  }
  if (length > 0) {
    const first = u8[start]!;
    const middle = u8[start + (length >> 1)]!;
    const last = u8[start + length - 1]!;
    resultLow = ((first << 16) | (middle << 24) | last | (length << 8)) ^ secretPair(0, 4);
    resultHigh = 0;
  } else {
    resultLow = secretPair(56, 64);
    resultHigh = secretPair(60, 68);
  }
  avalanche64();
}

/** The words of the secret at two places, one over the other. */
function secretPair(at: number, otherAt: number): number {
  return secretWords[at >> 2]! ^ secretWords[otherAt >> 2]!;
}

function hashUpTo128(u8: Uint8Array, start: number, length: number): void {
  const end = start + length;
  multiply64(0, length, P64_1_HIGH, P64_1_LOW);
  let high = resultHigh;
  let low = resultLow;
  // Pairs of 16 bytes from both ends, the innermost first.
  for (let pair = (length - 1) >> 5; pair >= 0; pair--) {
    mix16(u8, start + 16 * pair, 32 * pair);
    addToResult(high, low);
    high = resultHigh;
    low = resultLow;
    mix16(u8, end - 16 * (pair + 1), 32 * pair + 16);
    addToResult(high, low);
    high = resultHigh;
    low = resultLow;
  }
  avalanche();
}

function hashUpTo240(u8: Uint8Array, start: number, length: number): void {
  multiply64(0, length, P64_1_HIGH, P64_1_LOW);
  let high = resultHigh;
  let low = resultLow;
  const rounds = length >> 4;
  for (let round = 0; round < rounds; round++) {
    if (round === 8) {
      avalanche();
      high = resultHigh;
      low = resultLow;
    }
    mix16(u8, start + 16 * round, round < 8 ? 16 * round : 16 * (round - 8) + 3);
    addToResult(high, low);
    high = resultHigh;
    low = resultLow;
  }
  // 128 bytes and a few more: the eight rounds were all there are.
  if (rounds === 8) {
    avalanche();
    high = resultHigh;
    low = resultLow;
  }
  mix16(u8, start + length - 16, 136 - 17);
  addToResult(high, low);
  avalanche();
}

function hashLong(u8: Uint8Array, start: number, length: number): void {
  lanes.set(lanesAtStart);
  // The last byte is left for the last stripe, which may overlap the one before.
  const blocks = Math.floor((length - 1) / BLOCK_BYTES);
  let at = start;
  for (let block = 0; block < blocks; block++) {
    for (let stripe = 0; stripe < STRIPES_PER_BLOCK; stripe++) {
      accumulate(u8, at, secretWords, 2 * stripe);
      at += STRIPE_BYTES;
    }
    scramble();
  }
  const stripes = Math.floor((length - 1 - blocks * BLOCK_BYTES) / STRIPE_BYTES);
  for (let stripe = 0; stripe < stripes; stripe++) {
    accumulate(u8, at, secretWords, 2 * stripe);
    at += STRIPE_BYTES;
  }
  accumulate(u8, start + length - STRIPE_BYTES, lastSecretWords, 0);
  mergeLanes(length);
}

/** Adds a stripe: 8 bytes each to the neighbour's lane, the product of their keyed halves here. */
function accumulate(u8: Uint8Array, at: number, secret: Int32Array, secretAt: number): void {
  for (let word = 0; word < LANE_WORDS; word += 2) {
    const low = u8[at++]! | (u8[at++]! << 8) | (u8[at++]! << 16) | (u8[at++]! << 24);
    const high = u8[at++]! | (u8[at++]! << 8) | (u8[at++]! << 16) | (u8[at++]! << 24);
    const keyLow = low ^ secret[secretAt + word]!;
    const keyHigh = high ^ secret[secretAt + word + 1]!;
    const neighbour = word ^ 2;
    addToLane(neighbour, high, low);
    addToLane(word, multiplyHigh(keyLow, keyHigh), Math.imul(keyLow, keyHigh));
  }
}

function addToLane(word: number, high: number, low: number): void {
  const sum = (lanes[word]! + low) | 0;
  lanes[word] = sum;
  lanes[word + 1] = lanes[word + 1]! + high + (sum >>> 0 < low >>> 0 ? 1 : 0);
}

function scramble(): void {
  for (let word = 0; word < LANE_WORDS; word += 2) {
    const high = lanes[word + 1]!;
    const low = lanes[word]! ^ (high >>> 15) ^ secretWords[SCRAMBLE_WORD + word]!;
    multiply64(high ^ secretWords[SCRAMBLE_WORD + word + 1]!, low, 0, P32_1);
    lanes[word] = resultLow;
    lanes[word + 1] = resultHigh;
  }
}

function mergeLanes(length: number): void {
  // A length may have more than 32 bits.
  multiply64(Math.floor(length / TWO_32), length | 0, P64_1_HIGH, P64_1_LOW);
  let high = resultHigh;
  let low = resultLow;
  for (let word = 0; word < LANE_WORDS; word += 4) {
    const at = MERGE_AT + 4 * word;
    multiplyFolded(
      lanes[word + 1]! ^ read32(SECRET, at + 4),
      lanes[word]! ^ read32(SECRET, at),
      lanes[word + 3]! ^ read32(SECRET, at + 12),
      lanes[word + 2]! ^ read32(SECRET, at + 8),
    );
    addToResult(high, low);
    high = resultHigh;
    low = resultLow;
  }
  avalanche();
}

// ── Mixing ───────────────────────────────────────────────────────────────────────────────────

/** 16 bytes against 16 of the secret. */
function mix16(u8: Uint8Array, at: number, secretAt: number): void {
  multiplyFolded(
    read32(u8, at + 4) ^ read32(SECRET, secretAt + 4),
    read32(u8, at) ^ read32(SECRET, secretAt),
    read32(u8, at + 12) ^ read32(SECRET, secretAt + 12),
    read32(u8, at + 8) ^ read32(SECRET, secretAt + 8),
  );
}

/** XXH3's own last step. */
function avalanche(): void {
  multiply64(resultHigh, resultLow ^ (resultHigh >>> 5), MIX_1_HIGH, MIX_1_LOW);
  resultLow ^= resultHigh;
}

/** The last step of XXH64, for up to three bytes. */
function avalanche64(): void {
  multiply64(resultHigh, resultLow ^ (resultHigh >>> 1), P64_2_HIGH, P64_2_LOW);
  const low = resultLow ^ ((resultLow >>> 29) | (resultHigh << 3));
  multiply64(resultHigh ^ (resultHigh >>> 29), low, P64_3_HIGH, P64_3_LOW);
  resultLow ^= resultHigh;
}

/** The last step for four to eight bytes: rotations by 49 and 24, two products. */
function mixFourToEight(length: number): void {
  let high = resultHigh;
  let low = resultLow;
  const mixedHigh = high ^ ((low << 17) | (high >>> 15)) ^ ((high << 24) | (low >>> 8));
  const mixedLow = low ^ ((high << 17) | (low >>> 15)) ^ ((low << 24) | (high >>> 8));
  multiply64(mixedHigh, mixedLow, MIX_2_HIGH, MIX_2_LOW);
  // (h >> 35) + length stays below 2^32.
  low = resultLow ^ ((resultHigh >>> 3) + length);
  multiply64(resultHigh, low, MIX_2_HIGH, MIX_2_LOW);
  high = resultHigh;
  resultHigh ^= high >>> 28;
  resultLow ^= (resultLow >>> 28) | (high << 4);
}

// ── Words ────────────────────────────────────────────────────────────────────────────────────

function read32(u8: Uint8Array, at: number): number {
  return u8[at]! | (u8[at + 1]! << 8) | (u8[at + 2]! << 16) | (u8[at + 3]! << 24);
}

function reversed(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}

function addToResult(high: number, low: number): void {
  const sum = (resultLow + low) | 0;
  resultHigh = (resultHigh + high + (sum >>> 0 < low >>> 0 ? 1 : 0)) | 0;
  resultLow = sum;
}

/** The lower 64 bits of a product. */
function multiply64(aHigh: number, aLow: number, bHigh: number, bLow: number): void {
  const crossed = (Math.imul(aHigh, bLow) + Math.imul(aLow, bHigh)) | 0;
  resultHigh = (multiplyHigh(aLow, bLow) + crossed) | 0;
  resultLow = Math.imul(aLow, bLow);
}

/** The lower 64 bits of a 128-bit product over the upper 64. */
function multiplyFolded(aHigh: number, aLow: number, bHigh: number, bLow: number): void {
  const crossA = Math.imul(aHigh, bLow);
  const crossB = Math.imul(aLow, bHigh);
  // The second and third words from below with what is carried into them; both below 2^34.
  const second = (multiplyHigh(aLow, bLow) >>> 0) + (crossA >>> 0) + (crossB >>> 0);
  const third =
    (multiplyHigh(aHigh, bLow) >>> 0) +
    (multiplyHigh(aLow, bHigh) >>> 0) +
    (Math.imul(aHigh, bHigh) >>> 0) +
    (second >= TWO_32 ? (second >= 2 * TWO_32 ? 2 : 1) : 0);
  const carry = third >= TWO_32 ? (third >= 2 * TWO_32 ? 2 : 1) : 0;
  resultLow = Math.imul(aLow, bLow) ^ third;
  resultHigh = second ^ (multiplyHigh(aHigh, bHigh) + carry);
}

/** The upper word of the product of two unsigned words, as int32. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const crossA = Math.imul(aHigh, bLow);
  const crossB = Math.imul(aLow, bHigh);
  const middle = (Math.imul(aLow, bLow) >>> 16) + (crossA & 0xffff) + (crossB & 0xffff);
  return (Math.imul(aHigh, bHigh) + (crossA >>> 16) + (crossB >>> 16) + (middle >>> 16)) | 0;
}
