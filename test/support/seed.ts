// Chance for tests: a small seeded generator (sfc32), so that every random run can be repeated from
// the one number it prints.

export class Random {
  readonly seed: number;
  private a: number;
  private b: number;
  private c: number;
  private counter: number;

  constructor(seed: number) {
    this.seed = seed;
    this.a = seed | 0;
    this.b = Math.floor(seed / 2 ** 32) | 0;
    this.c = 0x9e3779b9 | 0;
    this.counter = 1;
    // Twelve rounds spread a small seed over the whole state (sfc32's own recommendation).
    for (let round = 0; round < 12; round++) this.next();
  }

  /** A whole number in [0, 2^32). */
  next(): number {
    const sum = (((this.a + this.b) | 0) + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (this.c << 21) | (this.c >>> 11);
    this.c = (this.c + sum) | 0;
    return sum >>> 0;
  }

  /** A whole number in [0, limit). The limit is at most 2^32. */
  below(limit: number): number {
    return Math.floor((this.next() / 2 ** 32) * limit);
  }

  /** A whole number in [first, last]. */
  between(first: number, last: number): number {
    return first + this.below(last - first + 1);
  }

  chance(probability: number): boolean {
    return this.next() < probability * 2 ** 32;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** `count` random bytes as a latin1 string. */
  bytes(count: number): string {
    let text = '';
    for (let index = 0; index < count; index++) text += String.fromCharCode(this.next() >>> 24);
    return text;
  }
}

/** A seed nobody chose. Print it: it is the only way back. */
export function freshSeed(): number {
  return Math.floor(Math.random() * 2 ** 31);
}

/** The seed of part `index` of a run with the seed `seed`: far apart for near inputs. */
export function partSeed(seed: number, index: number): number {
  const random = new Random(seed * 65_537 + index);
  return random.next();
}

/** Reads the seed that a failing test asked to repeat, or makes a fresh one. */
export function seedOf(variable: string): number {
  const text = process.env[variable];
  return text === undefined ? freshSeed() : Number(text);
}
