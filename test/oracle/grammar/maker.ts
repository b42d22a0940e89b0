// What random commands are made of: keys half from a hot few, values on both sides of every
// encoding's threshold, valid and invalid numbers, options in any order.
//
// What would make two correct servers differ is kept out: relative times are thousands of seconds
// and conditional ones never equal each other, offsets stay below a few megabytes, and a SET whose
// time has passed is followed by a look at its key, so that both servers have dropped it by then.

import type { Random } from '../../support/seed.js';

/** Commands (latin1 words) that travel and shrink as one. */
export type Step = readonly (readonly string[])[];

export interface Row {
  readonly weight: number;
  make(make: Maker): readonly string[] | Step;
}

const HOT_KEYS = ['a', 'b', 'c', 'counter', 'bits', '{tag}a', '{tag}b', '{other}a'];
const ODD_KEYS = ['', '\x00\xff', '{}', '{}x', 'a{tag}b', '{{tag}}', 'key with blank', '*', '[a]'];
const COLD_KEY_COUNT = 500;
const DATABASE_COUNT = 16;

const EDGE_INTEGERS = [
  '0',
  '1',
  '-1',
  '7',
  '255',
  '-128',
  '2147483647',
  '2147483648',
  '-2147483649',
  '4294967295',
  '9007199254740993',
  '9223372036854775806',
  '9223372036854775807',
  '-9223372036854775807',
  '-9223372036854775808',
];
export const NO_INTEGERS = [
  '9223372036854775808',
  '-9223372036854775809',
  '01',
  '+1',
  '-0',
  ' 1',
  '1 ',
  '1.5',
  'abc',
  '',
  '-',
  '1\x00',
  '99999999999999999999999',
];
export const FLOATS = [
  '0.1',
  '-0.1',
  '3.0',
  '1e5',
  '1e-7',
  '5.0e3',
  '.5',
  '5.',
  '0x10',
  '1e400',
  'inf',
  '-inf',
  'nan',
  '1e17',
  '123456789.123456789',
  '-2.5e-3',
  '1e',
  '--1',
  '1,5',
];
const WORDS = ['value', 'hello world', '', 'x', '\x00', '\xff\xfe', 'a\r\nb', 'foobar', '"quoted"'];
/** 44 and 45 bytes are the two sides of the embedded string encoding. */
const LENGTHS = [1, 8, 20, 21, 43, 44, 45, 46, 64, 100, 300];

/** 2100-01-01 and a bit: absolute times no run reaches. */
const FAR_SECONDS = 4_102_444_800;
const FAR_SPAN = 100_000_000;
export const BIG_BYTES_MAX = 3_000_000;
const ODD_CASE = 0.05;
const ODD_ARITY = 0.004;

/** What a key may hold; keys are named after it. */
export type Kind = (typeof KINDS)[number];
const KINDS = ['list', 'hash', 'set', 'zset', 'geo', 'hll', 'stream'] as const;
/** Strings that other commands change are no HyperLogLogs any more. */
const COMMON_KINDS = KINDS.filter((kind) => kind !== 'hll');
const KEYS_PER_KIND = 6;
/** Both sides of the widths that integers are stored in. */
const EDGE_MEMBERS = [
  '127',
  '128',
  '-4096',
  '4095',
  '32767',
  '32768',
  '-32769',
  '8388607',
  '8388608',
  '2147483647',
  '2147483648',
  '-9223372036854775808',
  '9223372036854775807',
  '9223372036854775808',
  '007',
  '-0',
  '1.5',
  '',
];
/** 64 bytes are the limit of members of small encodings, 63 that of short lengths in them. */
const MEMBER_LENGTHS = [9, 10, 11, 62, 63, 64, 65, 66];
const FILL_COUNTS = [3, 8, 15, 16, 17, 33, 64, 100, 127, 128, 129, 130, 200, 511, 512, 513];
const SCORES = ['inf', '-inf', '+inf', '1e300', '-1e300', '1e-10', '0.1', '0.2', '3.3', '1e17'];

export class Maker {
  private readonly table: Row[] = [];

  constructor(
    readonly random: Random,
    rows: readonly Row[],
  ) {
    for (const row of rows) {
      for (let count = 0; count < row.weight; count++) this.table.push(row);
    }
  }

  /** The next step of the stream. */
  next(): Step {
    const made = this.random.pick(this.table).make(this);
    if (typeof made[0] !== 'string') return made as Step;
    return [this.varied(made as readonly string[])];
  }

  /** Sometimes another case of the name, sometimes a word too many or too few. */
  private varied(words: readonly string[]): readonly string[] {
    const { random } = this;
    if (random.chance(ODD_CASE)) words = [words[0]!.toLowerCase(), ...words.slice(1)];
    if (!random.chance(ODD_ARITY)) return words;
    if (random.chance(0.5)) return [...words, random.pick(['1', 'x', 'NX', ''])];
    return words.slice(0, -1).length === 0 ? words : words.slice(0, -1);
  }

  key(): string {
    const { random } = this;
    if (random.chance(0.5)) return random.pick(HOT_KEYS);
    if (random.chance(0.04)) return random.pick(ODD_KEYS);
    if (random.chance(0.3)) return this.keyOf(random.pick(COMMON_KINDS));
    return `key:${random.below(COLD_KEY_COUNT)}`;
  }

  /** A key that mostly holds a value of this kind, if any. */
  keyOf(kind: Kind): string {
    const { random } = this;
    if (random.chance(0.03)) return this.key();
    const number = random.below(KEYS_PER_KIND);
    return number % 3 === 0 ? `{tag}${kind}${number}` : `${kind}:${number}`;
  }

  keysOf(kind: Kind, countMax: number): string[] {
    return Array.from({ length: this.random.between(1, countMax) }, () => this.keyOf(kind));
  }

  /** An element, field or member: few enough to meet again. */
  member(): string {
    const { random } = this;
    const roll = random.below(20);
    if (roll < 8) return String(random.below(30));
    if (roll < 16) return `m${random.below(40)}`;
    if (roll < 17) return random.pick(EDGE_MEMBERS);
    if (roll < 18) return 'abcdefghij'.repeat(7).slice(0, random.pick(MEMBER_LENGTHS));
    // SORT ALPHA of Redis takes a NUL for the end of a text: none that is the same as ''.
    const value = this.value();
    return value.startsWith('\x00') ? 'nul' : value;
  }

  members(countMax: number): string[] {
    return Array.from({ length: this.random.between(1, countMax) }, () => this.member());
  }

  /** Many different members at once, around a threshold: all integers, all texts or both. */
  manyMembers(): string[] {
    const { random } = this;
    const count = random.pick(FILL_COUNTS);
    const first = random.below(1000);
    const style = random.below(3);
    return Array.from({ length: count }, (_, index) => {
      const isInteger = style === 0 || (style === 1 && index % 2 === 0);
      return isInteger ? String(first + index) : `member:${first + index}`;
    });
  }

  /** How many to take: small, at times 0, negative or no number. */
  count(): string {
    const { random } = this;
    if (random.chance(0.04)) return random.pick(NO_INTEGERS);
    if (random.chance(0.06)) return random.pick(['0', '-1', '2147483648', '9223372036854775807']);
    return String(random.between(1, random.chance(0.8) ? 5 : 200));
  }

  /** The number of keys before a list of keys; rarely a wrong one. */
  keyCount(keys: readonly string[]): string {
    const { random } = this;
    if (random.chance(0.96)) return String(keys.length);
    return random.pick(['0', '-1', 'x', String(keys.length + 1), String(keys.length - 1)]);
  }

  score(): string {
    const { random } = this;
    const roll = random.below(40);
    if (roll < 24) return String(random.between(-20, 20));
    if (roll < 30) return `${random.between(-20, 20)}.${random.pick(['5', '25', '125', '1', '3'])}`;
    if (roll < 34) return random.pick(SCORES);
    if (roll < 36) return random.pick(FLOATS);
    return this.integer();
  }

  /** One end of a range of scores. */
  scoreBound(): string {
    const { random } = this;
    if (random.chance(0.2)) return random.pick(['-inf', '+inf', 'inf', '(-inf', '(inf']);
    const score = this.score();
    return random.chance(0.3) ? `(${score}` : score;
  }

  /** Where a scan begins; the oracle goes on until its end. */
  scanCursor(): string {
    return this.random.chance(0.95) ? '0' : this.random.pick(['abc', '1.5', '0 ', '']);
  }

  scanOptions(): string[] {
    const { random } = this;
    return this.options(2, [
      () => ['MATCH', random.pick(['*', 'm1*', '1?', 'member:*', '[0-3]', '*5*', ''])],
      () => ['COUNT', random.pick(['1', '5', '10', '1000'])],
      () => (random.chance(0.2) ? random.pick([['BOGUS'], ['COUNT', '0'], ['MATCH']]) : []),
    ]);
  }

  keys(countMax: number): string[] {
    return Array.from({ length: this.random.between(1, countMax) }, () => this.key());
  }

  integer(): string {
    const { random } = this;
    const roll = random.below(20);
    if (roll < 12) return String(random.between(-1000, 1000));
    if (roll < 18) return random.pick(EDGE_INTEGERS);
    return random.pick(NO_INTEGERS);
  }

  value(): string {
    const { random } = this;
    switch (random.below(8)) {
      case 0:
      case 1:
        return this.integer();
      case 2:
        return random.pick(FLOATS);
      case 3:
        return random.pick(WORDS);
      case 4:
        return random.bytes(random.between(0, 40));
      case 5:
        return 'abcdefghij'.repeat(30).slice(0, random.pick(LENGTHS));
      default:
        return `v${random.below(1000)}`;
    }
  }

  /** An index into a value: mostly near its ends. */
  index(): string {
    const { random } = this;
    if (random.chance(0.04)) return random.pick(NO_INTEGERS);
    if (random.chance(0.04)) return random.pick(EDGE_INTEGERS);
    return String(random.between(-20, 60));
  }

  /** An offset that is written to: never beyond what memory should hold. */
  offset(limit: number): string {
    const { random } = this;
    if (random.chance(0.02)) return random.pick(NO_INTEGERS);
    if (random.chance(0.02)) return random.pick(['-1', '9223372036854775807', '4294967296']);
    return String(random.below(random.chance(0.8) ? 64 : limit));
  }

  bit(): string {
    return this.random.chance(0.02)
      ? this.random.pick(['2', '-1', 'x', ''])
      : String(this.random.below(2));
  }

  /** Thousands of seconds, so that nothing expires while a run lasts; unique enough to compare. */
  relativeSeconds(): string {
    return String(100_000 + this.random.below(FAR_SPAN));
  }

  relativeMs(): string {
    return `${this.relativeSeconds()}${this.random.between(100, 999)}`;
  }

  farSeconds(): string {
    return String(FAR_SECONDS + this.random.below(FAR_SPAN));
  }

  farMs(): string {
    return `${this.farSeconds()}${this.random.between(100, 999)}`;
  }

  noTime(): string {
    return this.random.pick([
      '0',
      '-1',
      'abc',
      '',
      '1.5',
      '9223372036854775807',
      '-9223372036854775808',
      '9223372036854775808',
      '9223372036854776',
    ]);
  }

  /** EX, PX, EXAT or PXAT with a time, rarely a wrong one. */
  timeOption(): string[] {
    const { random } = this;
    const name = random.pick(['EX', 'PX', 'EXAT', 'PXAT']);
    if (random.chance(0.06)) return [name, this.noTime()];
    if (random.chance(0.02)) return [name];
    if (name === 'EX') return [name, this.relativeSeconds()];
    if (name === 'PX') return [name, this.relativeMs()];
    if (random.chance(0.1)) return [name, '1'];
    return [name, name === 'EXAT' ? this.farSeconds() : this.farMs()];
  }

  /** Up to `countMax` of the given options, again and again and in any order. */
  options(countMax: number, list: readonly (() => readonly string[])[]): string[] {
    const { random } = this;
    const count = random.chance(0.5) ? 0 : random.between(1, countMax);
    const words: string[] = [];
    for (let index = 0; index < count; index++) words.push(...random.pick(list)());
    return words.map((word) => (random.chance(ODD_CASE) ? word.toLowerCase() : word));
  }

  database(): string {
    const { random } = this;
    if (random.chance(0.03)) return random.pick(['16', '-1', 'abc', '', '99999999999999999999']);
    // Few databases in play make MOVE, COPY and SWAPDB meet each other.
    return String(random.below(random.chance(0.9) ? 3 : DATABASE_COUNT));
  }

  pattern(): string {
    const { random } = this;
    return random.pick([
      '*',
      'key:1*',
      'key:?',
      'key:[1-3]?',
      'k*[^5]',
      'k*[5-1]',
      '{*',
      'a',
      '\\*',
      '[a-c]',
      '*:*9',
      '',
      'key:4??',
      '[',
      '[a',
      '?',
      '\\',
      '**a',
    ]);
  }

  bitType(): string {
    const { random } = this;
    if (random.chance(0.03)) return random.pick(['u64', 'i65', 'u0', 'i0', 'x8', '8', 'u', '']);
    return random.chance(0.5) ? `u${random.between(1, 63)}` : `i${random.between(1, 64)}`;
  }

  bitOffset(): string {
    const { random } = this;
    return random.chance(0.3) ? `#${random.below(20)}` : this.offset(2000);
  }

  bitFields(): string[] {
    const { random } = this;
    const words: string[] = [];
    for (let count = random.between(0, 4); count > 0; count--) {
      switch (random.below(8)) {
        case 0:
        case 1:
          words.push('GET', this.bitType(), this.bitOffset());
          break;
        case 2:
        case 3:
          words.push('SET', this.bitType(), this.bitOffset(), this.integer());
          break;
        case 4:
        case 5:
          words.push('INCRBY', this.bitType(), this.bitOffset(), this.integer());
          break;
        default:
          words.push('OVERFLOW', random.pick(['WRAP', 'SAT', 'FAIL', 'sat', 'BOGUS']));
      }
    }
    return words;
  }

  one(name: string): string[] {
    return [name, this.key()];
  }
}

export const row = (weight: number, make: Row['make']): Row => ({ weight, make });

export function time(m: Maker, good: string): string {
  return m.random.chance(0.05) ? m.noTime() : good;
}
