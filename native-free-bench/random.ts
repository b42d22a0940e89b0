// Pseudo-random numbers for load: fast, seeded, the same on every machine, so that two servers get
// the same traffic and a run can be repeated. Not for secrets.

const TWO_TO_32 = 4294967296;

/** xoshiro128**: four 32-bit words of state, equally good in all bits. */
export class Random {
  private a: number;
  private b: number;
  private c: number;
  private d: number;

  constructor(seed: number) {
    // The state must not be all zeroes; splitting the seed by a mixing step keeps near seeds apart.
    this.a = mix(seed);
    this.b = mix(this.a + 0x9e3779b9);
    this.c = mix(this.b + 0x9e3779b9);
    this.d = mix(this.c + 0x9e3779b9) | 1;
  }

  /** A whole number in [0, 2^32). */
  next32(): number {
    const five = Math.imul(this.b, 5);
    const result = Math.imul((five << 7) | (five >>> 25), 9) >>> 0;
    const shifted = this.b << 9;
    this.c ^= this.a;
    this.d ^= this.b;
    this.b ^= this.c;
    this.a ^= this.d;
    this.c ^= shifted;
    this.d = (this.d << 11) | (this.d >>> 21);
    return result;
  }

  /** A number in [0, 1). */
  unit(): number {
    return this.next32() / TWO_TO_32;
  }

  /** A whole number in [0, limit); limit is at most 2^32. */
  below(limit: number): number {
    return Math.floor((this.next32() / TWO_TO_32) * limit);
  }
}

function mix(value: number): number {
  let word = value | 0;
  word = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
  word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
  return word ^ (word >>> 15);
}
