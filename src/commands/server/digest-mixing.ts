// How a digest takes up bytes: SHA-1, combined so that order counts or does not.

export const DIGEST_BYTES = 20;
const BLOCK_BYTES = 64;
const LENGTH_AT = 56;
const ROUNDS = 80;

const schedule = new Int32Array(ROUNDS);
const block = Buffer.alloc(BLOCK_BYTES);
const state = new Int32Array(5);
const hashed = Buffer.alloc(DIGEST_BYTES);
const number = Buffer.alloc(4);

/** SHA-1 (FIPS 180-4) of u8[start, start + length), into `hashed`. */
function sha1(u8: Uint8Array, start: number, length: number): void {
  state.set([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0]);
  const whole = length - (length % BLOCK_BYTES);
  for (let at = 0; at < whole; at += BLOCK_BYTES) {
    block.set(u8.subarray(start + at, start + at + BLOCK_BYTES));
    mixBlock();
  }
  // The rest, a single 1 bit, zeros, and the length in bits: one block or two.
  block.fill(0);
  block.set(u8.subarray(start + whole, start + length));
  block[length - whole] = 0x80;
  if (length - whole >= LENGTH_AT) {
    mixBlock();
    block.fill(0);
  }
  block.writeUInt32BE(Math.floor(length / 2 ** 29), LENGTH_AT);
  block.writeUInt32BE((length * 8) % 2 ** 32, LENGTH_AT + 4);
  mixBlock();
  state.forEach((word, index) => {
    hashed.writeInt32BE(word, index * 4);
  });
}

function mixBlock(): void {
  for (let round = 0; round < 16; round++) schedule[round] = block.readInt32BE(round * 4);
  for (let round = 16; round < ROUNDS; round++) {
    const word =
      schedule[round - 3]! ^ schedule[round - 8]! ^ schedule[round - 14]! ^ schedule[round - 16]!;
    schedule[round] = (word << 1) | (word >>> 31);
  }
  let [a, b, c, d, e] = state as unknown as [number, number, number, number, number];
  for (let round = 0; round < ROUNDS; round++) {
    let mixed: number;
    if (round < 20) mixed = ((b & c) | (~b & d)) + 0x5a827999;
    else if (round < 40) mixed = (b ^ c ^ d) + 0x6ed9eba1;
    else if (round < 60) mixed = ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
    else mixed = (b ^ c ^ d) + 0xca62c1d6;
    const next = (((a << 5) | (a >>> 27)) + mixed + e + schedule[round]!) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = next;
  }
  [a, b, c, d, e].forEach((word, index) => {
    state[index] = state[index]! + word;
  });
}

/** digest ^= SHA1(bytes): the order of several such steps does not matter. */
export function xorDigest(digest: Uint8Array, u8: Uint8Array, start: number, length: number): void {
  sha1(u8, start, length);
  for (let index = 0; index < DIGEST_BYTES; index++)
    digest[index] = digest[index]! ^ hashed[index]!;
}

/** digest = SHA1(digest ^ SHA1(bytes)): the order of several such steps matters. */
export function mixDigest(digest: Uint8Array, u8: Uint8Array, start: number, length: number): void {
  xorDigest(digest, u8, start, length);
  sha1(digest, 0, DIGEST_BYTES);
  digest.set(hashed);
}

export function mixNumber(digest: Uint8Array, figure: number): void {
  number.writeUInt32BE(figure, 0);
  mixDigest(digest, number, 0, number.length);
}

export function emptyDigest(): Uint8Array {
  return new Uint8Array(DIGEST_BYTES);
}
