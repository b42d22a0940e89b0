// Commands of strings and bitmaps.

import { BIG_BYTES_MAX, FLOATS, type Maker, type Row, row, type Step, time } from './maker.js';

export const STRINGS: readonly Row[] = [
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

export const BITMAPS: readonly Row[] = [
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

function range(m: Maker): string[] {
  const roll = m.random.below(10);
  if (roll < 3) return [];
  if (roll < 4) return [m.index()];
  if (roll < 7) return [m.index(), m.index()];
  return [m.index(), m.index(), m.random.pick(['BYTE', 'BIT', 'bit', 'BIT', 'BOGUS'])];
}
