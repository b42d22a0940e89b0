// Commands of lists.

import { type Maker, type Row, row, type Step } from './maker.js';

const END = ['LEFT', 'RIGHT', 'left', 'right', 'LEFT', 'RIGHT', 'LEFT', 'RIGHT', 'BOGUS'];

export const LISTS: readonly Row[] = [
  row(30, (m) => ['RPUSH', m.keyOf('list'), ...m.members(6)]),
  row(30, (m) => ['LPUSH', m.keyOf('list'), ...m.members(6)]),
  row(6, (m) => ['RPUSHX', m.keyOf('list'), ...m.members(3)]),
  row(6, (m) => ['LPUSHX', m.keyOf('list'), ...m.members(3)]),
  row(8, (m) => [m.random.pick(['LPUSH', 'RPUSH']), m.keyOf('list'), ...m.manyMembers()]),
  row(4, makeWide),
  row(14, (m) => [m.random.pick(['LPOP', 'RPOP']), m.keyOf('list')]),
  row(14, (m) => [m.random.pick(['LPOP', 'RPOP']), m.keyOf('list'), m.count()]),
  row(10, (m) => ['LLEN', m.keyOf('list')]),
  row(15, (m) => ['LINDEX', m.keyOf('list'), m.index()]),
  row(15, (m) => ['LSET', m.keyOf('list'), elementIndex(m), m.member()]),
  row(20, (m) => ['LRANGE', m.keyOf('list'), m.index(), m.index()]),
  row(8, (m) => ['LTRIM', m.keyOf('list'), m.index(), m.index()]),
  row(15, (m) => [
    'LINSERT',
    m.keyOf('list'),
    m.random.pick(['BEFORE', 'AFTER', 'before', 'BOGUS']),
    m.member(),
    m.member(),
  ]),
  row(15, (m) => [
    'LREM',
    m.keyOf('list'),
    m.random.pick(['0', '1', '-1', '2', '-2', 'x']),
    m.member(),
  ]),
  row(15, (m) => ['LPOS', m.keyOf('list'), m.member(), ...posOptions(m)]),
  row(12, (m) => [
    'LMOVE',
    m.keyOf('list'),
    m.keyOf('list'),
    m.random.pick(END),
    m.random.pick(END),
  ]),
  row(8, (m) => ['RPOPLPUSH', m.keyOf('list'), m.keyOf('list')]),
  row(10, makeMultiPop),
  row(3, (m) => ['DEL', m.keyOf('list')]),
];

/** LSET of Redis 7.2 takes indexes modulo 2^32 where a list is small: none that long. */
function elementIndex(m: Maker): string {
  return m.random.chance(0.03)
    ? m.random.pick(['x', '1.5', ''])
    : String(m.random.between(-20, 60));
}

function posOptions(m: Maker): string[] {
  return m.options(3, [
    () => ['RANK', m.random.pick(['1', '2', '-1', '-2', '0', 'x'])],
    () => ['COUNT', m.random.pick(['0', '1', '2', '-1'])],
    () => ['MAXLEN', m.random.pick(['0', '5', '100', '-1'])],
    () => (m.random.chance(0.1) ? ['BOGUS'] : ['COUNT', '0']),
  ]);
}

function makeMultiPop(m: Maker): readonly string[] {
  const keys = m.keysOf('list', 3);
  const options = m.options(1, [() => ['COUNT', m.count()], () => ['COUNT', '0']]);
  return ['LMPOP', m.keyCount(keys), ...keys, m.random.pick(END), ...options];
}

/** Elements of some kilobytes: nodes by bytes, and elements beyond any node. */
function makeWide(m: Maker): Step {
  const key = m.keyOf('list');
  const wide = (): string => 'w'.repeat(m.random.pick([1000, 4000, 8100, 8192, 9000, 70_000]));
  return [
    ['RPUSH', key, wide(), m.member(), wide()],
    ['OBJECT', 'ENCODING', key],
    ['LINSERT', key, 'BEFORE', m.member(), wide()],
    // Redis lets a node grow beyond its limit here, so the new element is not wide.
    ['LSET', key, elementIndex(m), m.member()],
    ['LINDEX', key, m.index()],
    ['LPOP', key, '2'],
    ['LTRIM', key, '0', '40'],
    ['OBJECT', 'ENCODING', key],
    ...(m.random.chance(0.7) ? [['DEL', key]] : []),
  ];
}
