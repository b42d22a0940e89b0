// Commands of keys, databases and the rest.

import { type Maker, type Row, row, time } from './maker.js';

export const KEYSPACE: readonly Row[] = [
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

export const OTHERS: readonly Row[] = [
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

function flushOption(m: Maker): string[] {
  return m.random.chance(0.3) ? [m.random.pick(['SYNC', 'ASYNC', 'BOGUS'])] : [];
}
