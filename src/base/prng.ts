// The one source of chance. A seeded generator, so that a test or a simulation repeats from one
// number; the server seeds it from the system's entropy. Not for secrets: those come from
// node:crypto directly.
//
// xoshiro128** (Blackman and Vigna): four 32-bit words, period 2^128 - 1, only shifts, rotations
// and 32-bit multiplications, so nothing leaves int32 and nothing is allocated.

import { randomBytes, randomFillSync } from 'node:crypto';

const enum Word {
  A = 0,
  B = 1,
  C = 2,
  D = 3,
  Count = 4,
}

const TWO_21 = 2097152;
const TWO_32 = 4294967296;
const TWO_53 = 9007199254740992;

/**
 * splitmix, 32 bits: numbers from a seed that may be as poor as 0 or 1. For filling states and for
 * giving each of many generators a seed of its own.
 */
export class SplitMix {
  private readonly state = new Uint32Array(1);

  constructor(seed: number) {
    this.state[0] = seed;
  }

  nextUint32(): number {
    // 2^32 divided by the golden ratio; the multipliers are those of MurmurHash3's finalizer.
    this.state[0] = this.state[0]! + 0x9e3779b9;
    let mixed = this.state[0]!;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return (mixed ^ (mixed >>> 16)) >>> 0;
  }
}

/** The seed of the index-th of many generators that share one seed. */
export function seedOf(seed: number, index: number): number {
  const mixed = new SplitMix(seed ^ Math.imul(index + 1, 0x27d4eb2f));
  mixed.nextUint32();
  return mixed.nextUint32();
}

/** 32 bits from the system's entropy, for a seed that can be printed. */
export function seedFromEntropy(): number {
  const words = new Uint32Array(1);
  randomFillSync(words);
  return words[0]!;
}

export class Prng {
  /** Four words, never all zero. Copy it to stand still, set it to go back. */
  readonly state: Uint32Array;

  constructor(seed: number) {
    this.state = new Uint32Array(Word.Count);
    this.reseed(seed);
  }

  /** A generator with all 128 bits of its state from the system's entropy. */
  static fromEntropy(): Prng {
    const prng = new Prng(0);
    randomFillSync(prng.state);
    leaveZero(prng.state);
    return prng;
  }

  reseed(seed: number): void {
    const mixed = new SplitMix(seed);
    const { state } = this;
    for (let word = 0; word < Word.Count; word++) state[word] = mixed.nextUint32();
    leaveZero(state);
  }

  /** A number in [0, 2^32), each as likely as the others. */
  nextUint32(): number {
    const { state } = this;
    const b = state[Word.B]!;
    const scrambled = Math.imul(b, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9);
    const c = state[Word.C]! ^ state[Word.A]!;
    const d = state[Word.D]! ^ b;
    state[Word.B] = b ^ c;
    state[Word.A] = state[Word.A]! ^ d;
    state[Word.C] = c ^ (b << 9);
    state[Word.D] = (d << 11) | (d >>> 21);
    return result >>> 0;
  }

  /** A number in [0, limit) without bias; limit is an integer in [1, 2^32]. */
  below(limit: number): number {
    // The last, incomplete run of limit numbers below 2^32 is drawn again: less than one draw in
    // two on average, and for small limits never seen.
    const fair = TWO_32 - (TWO_32 % limit);
    let drawn = this.nextUint32();
    while (drawn >= fair) drawn = this.nextUint32();
    return drawn % limit;
  }

  /** A double in [0, 1) with 53 random bits. */
  nextDouble(): number {
    const high = this.nextUint32();
    return (high * TWO_21 + (this.nextUint32() >>> 11)) / TWO_53;
  }
}

/** All zero would stay all zero for ever: one chance in 2^128. */
function leaveZero(state: Uint32Array): void {
  if ((state[Word.A]! | state[Word.B]! | state[Word.C]! | state[Word.D]!) === 0) state[0] = 1;
}

/** `bytes` bytes of the system's entropy as hexadecimal digits: run and replication ids. */
export function randomHex(bytes: number): string {
  return randomBytes(bytes).toString('hex');
}
