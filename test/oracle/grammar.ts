// Random command streams for the differential oracle: one row per command, valid and invalid
// options mixed, keys half from a hot few.
//
// What would make two correct servers differ is kept out: relative times are thousands of seconds
// and conditional ones never equal each other, offsets stay below a few megabytes, and a SET whose
// time has passed is followed by a look at its key, so that both servers have dropped it by then.

import type { Random } from '../support/seed.js';

/** Commands (latin1 words) that travel and shrink as one. */
export type Step = readonly (readonly string[])[];

interface Row {
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
const NO_INTEGERS = [
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
const FLOATS = [
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
const BIG_BYTES_MAX = 3_000_000;
const ODD_CASE = 0.05;
const ODD_ARITY = 0.004;

export class Maker {
  private readonly table: Row[] = [];

  constructor(readonly random: Random) {
    for (const row of ROWS) {
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
    return `key:${random.below(COLD_KEY_COUNT)}`;
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

// ── The commands ─────────────────────────────────────────────────────────────────────────────

const row = (weight: number, make: Row['make']): Row => ({ weight, make });

const STRINGS: readonly Row[] = [
  row(120, makeSet),
  row(100, (m) => m.one('GET')),
  row(10, (m) => ['GETSET', m.key(), m.value()]),
  row(10, (m) => m.one('GETDEL')),
  row(20, (m) => [
    'GETEX',
    m.key(),
    ...m.options(2, [() => m.timeOption(), () => ['PERSIST'], () => ['BOGUS']]),
  ]),
  row(12, (m) => ['SETNX', m.key(), m.value()]),
  row(6, (m) => ['SETEX', m.key(), time(m, m.relativeSeconds()), m.value()]),
  row(6, (m) => ['PSETEX', m.key(), time(m, m.relativeMs()), m.value()]),
  row(15, (m) => m.one('STRLEN')),
  row(25, (m) => ['APPEND', m.key(), m.value()]),
  row(20, (m) => ['SETRANGE', m.key(), m.offset(2000), m.value()]),
  row(25, (m) => ['GETRANGE', m.key(), m.index(), m.index()]),
  row(5, (m) => ['SUBSTR', m.key(), m.index(), m.index()]),
  row(25, (m) => m.one('INCR')),
  row(15, (m) => m.one('DECR')),
  row(25, (m) => ['INCRBY', m.key(), m.integer()]),
  row(15, (m) => ['DECRBY', m.key(), m.integer()]),
  row(25, (m) => [
    'INCRBYFLOAT',
    m.key(),
    m.random.chance(0.7) ? m.random.pick(FLOATS) : m.integer(),
  ]),
  row(20, (m) => ['MGET', ...m.keys(6)]),
  row(15, (m) => ['MSET', ...m.keys(5).flatMap((key) => [key, m.value()])]),
  row(8, (m) => ['MSETNX', ...m.keys(3).flatMap((key) => [key, m.value()])]),
  row(8, makeLcs),
  row(1, makeBig),
];

const BITMAPS: readonly Row[] = [
  row(25, (m) => ['SETBIT', m.key(), m.offset(20_000), m.bit()]),
  row(20, (m) => ['GETBIT', m.key(), m.offset(20_000)]),
  row(20, (m) => ['BITCOUNT', m.key(), ...range(m)]),
  row(25, (m) => ['BITPOS', m.key(), m.bit(), ...range(m)]),
  row(20, (m) => [
    'BITOP',
    m.random.pick(['AND', 'OR', 'XOR', 'NOT', 'and', 'BOGUS']),
    m.key(),
    ...m.keys(3),
  ]),
  row(30, (m) => ['BITFIELD', m.key(), ...m.bitFields()]),
  row(10, (m) => ['BITFIELD_RO', m.key(), ...m.bitFields()]),
];

const KEYSPACE: readonly Row[] = [
  row(25, (m) => ['DEL', ...m.keys(4)]),
  row(10, (m) => ['UNLINK', ...m.keys(4)]),
  row(15, (m) => ['EXISTS', ...m.keys(4)]),
  row(8, (m) => ['TOUCH', ...m.keys(4)]),
  row(10, (m) => m.one('TYPE')),
  row(2, (m) => ['KEYS', m.pattern()]),
  row(1, makeScan),
  row(1, () => ['RANDOMKEY']),
  row(15, (m) => ['RENAME', m.key(), m.key()]),
  row(12, (m) => ['RENAMENX', m.key(), m.key()]),
  row(20, (m) => [
    'COPY',
    m.key(),
    m.key(),
    ...m.options(2, [() => ['REPLACE'], () => ['DB', m.database()], () => ['BOGUS']]),
  ]),
  row(15, (m) => ['MOVE', m.key(), m.database()]),
  row(15, (m) => expire(m, 'EXPIRE', m.relativeSeconds())),
  row(10, (m) => expire(m, 'PEXPIRE', m.relativeMs())),
  row(15, (m) => expire(m, 'EXPIREAT', m.random.chance(0.1) ? '1' : m.farSeconds())),
  row(10, (m) => expire(m, 'PEXPIREAT', m.random.chance(0.1) ? '1' : m.farMs())),
  row(15, (m) => m.one('TTL')),
  row(10, (m) => m.one('PTTL')),
  row(10, (m) => m.one('EXPIRETIME')),
  row(10, (m) => m.one('PEXPIRETIME')),
  row(10, (m) => m.one('PERSIST')),
  row(15, (m) => ['OBJECT', 'ENCODING', m.key()]),
  row(3, (m) => ['OBJECT', m.random.pick(['IDLETIME', 'FREQ', 'BOGUS', 'REFCOUNT']), m.key()]),
  row(20, (m) => ['SELECT', m.database()]),
  row(3, (m) => ['SWAPDB', m.database(), m.database()]),
  row(5, () => ['DBSIZE']),
  row(1, (m) => [m.random.pick(['FLUSHDB', 'FLUSHDB', 'FLUSHALL']), ...flushOption(m)]),
];

const OTHERS: readonly Row[] = [
  row(3, (m) => ['PING', ...(m.random.chance(0.5) ? [m.value()] : [])]),
  row(3, (m) => ['ECHO', m.value()]),
  row(1, () => ['TIME']),
  row(2, (m) => ['MEMORY', 'USAGE', m.key()]),
  row(2, (m) => [m.random.pick(['BOGUS', 'GETT', '', 'S\x00T']), m.value(), m.value()]),
  row(2, (m) => [m.random.pick(['OBJECT', 'COMMAND', 'MEMORY']), 'BOGUS', m.key()]),
  row(2, (m) => ['COMMAND', 'GETKEYS', ...m.random.pick(GETKEYS)(m)]),
];

const GETKEYS: readonly ((m: Maker) => string[])[] = [
  (m) => ['MSET', m.key(), m.value(), m.key(), m.value()],
  (m) => ['BITOP', 'AND', ...m.keys(4)],
  (m) => ['DEL', ...m.keys(4)],
  (m) => ['SET', m.key(), m.value(), 'GET'],
  (m) => ['OBJECT', 'ENCODING', m.key()],
  () => ['PING'],
  () => ['GET'],
  () => ['BOGUS', 'a'],
];

const ROWS: readonly Row[] = [...STRINGS, ...BITMAPS, ...KEYSPACE, ...OTHERS];

function makeSet(m: Maker): Step {
  const key = m.key();
  const options = m.options(4, [
    () => ['NX'],
    () => ['XX'],
    () => ['GET'],
    () => ['KEEPTTL'],
    () => m.timeOption(),
    () => m.timeOption(),
    () => (m.random.chance(0.1) ? ['BOGUS'] : ['GET']),
  ]);
  const command = ['SET', key, m.value(), ...options];
  // A key stored with a time that has passed counts for DBSIZE until somebody looks at it.
  return options.includes('1') ? [command, ['TYPE', key]] : [command];
}

/** Its cost is the product of the lengths, so it works on short keys of its own. */
function makeLcs(m: Maker): Step {
  const text = (): string => {
    let letters = '';
    for (let count = m.random.below(30); count > 0; count--)
      letters += m.random.pick(['a', 'b', 'c', '1']);
    return letters;
  };
  const options = m.options(4, [
    () => ['LEN'],
    () => ['IDX'],
    () => ['WITHMATCHLEN'],
    () => ['MINMATCHLEN', m.random.pick(['0', '2', '3', '-1', 'x'])],
    () => (m.random.chance(0.1) ? ['BOGUS'] : ['IDX']),
  ]);
  const second = m.random.chance(0.05) ? 'missing' : 'lcs:2';
  return [
    ['MSET', 'lcs:1', text(), 'lcs:2', text()],
    ['LCS', 'lcs:1', second, ...options],
    ['DEL', 'lcs:1', 'lcs:2'],
  ];
}

/** A value of some megabytes, looked at and removed: it must not stay to be fetched again. */
function makeBig(m: Maker): Step {
  const at = m.random.below(BIG_BYTES_MAX);
  return [
    ['SETRANGE', 'big', String(at), m.value()],
    ['APPEND', 'big', 'end'],
    ['STRLEN', 'big'],
    ['GETRANGE', 'big', String(at - 10), '-1'],
    ['BITPOS', 'big', '1'],
    ['BITCOUNT', 'big'],
    ['SETBIT', 'big', String(at * 8 + m.random.below(100)), '1'],
    ['BITCOUNT', 'big', '1', '-2'],
    ['DEL', 'big'],
  ];
}

/** The oracle turns it into full scans of both servers. */
function makeScan(m: Maker): readonly string[] {
  const { random } = m;
  if (random.chance(0.1)) return ['SCAN', random.pick(['abc', '1.5', '0 '])];
  return [
    'SCAN',
    '0',
    ...m.options(3, [
      () => ['MATCH', m.pattern()],
      () => ['COUNT', random.pick(['1', '10', '100', '1000'])],
      () => ['TYPE', random.pick(['string', 'STRING', 'list', 'bogus'])],
      () =>
        random.chance(0.2) ? random.pick([['BOGUS'], ['COUNT', '0'], ['MATCH']]) : ['COUNT', '50'],
    ]),
  ];
}

function expire(m: Maker, name: string, far: string): readonly string[] {
  const conditions = m.options(2, [
    () => ['NX'],
    () => ['XX'],
    () => ['GT'],
    () => ['LT'],
    () => (m.random.chance(0.2) ? ['BOGUS'] : ['NX']),
  ]);
  return [name, m.key(), time(m, far), ...conditions];
}

function time(m: Maker, good: string): string {
  return m.random.chance(0.05) ? m.noTime() : good;
}

function range(m: Maker): string[] {
  const roll = m.random.below(10);
  if (roll < 3) return [];
  if (roll < 4) return [m.index()];
  if (roll < 7) return [m.index(), m.index()];
  return [m.index(), m.index(), m.random.pick(['BYTE', 'BIT', 'bit', 'BIT', 'BOGUS'])];
}

function flushOption(m: Maker): string[] {
  return m.random.chance(0.3) ? [m.random.pick(['SYNC', 'ASYNC', 'BOGUS'])] : [];
}
