// Commands of sets.

import { type Maker, type Row, row } from './maker.js';

const OPERATIONS = ['SINTER', 'SUNION', 'SDIFF'];

export const SETS: readonly Row[] = [
  row(40, (m) => ['SADD', m.keyOf('set'), ...m.members(5)]),
  row(15, (m) => ['SADD', m.keyOf('set'), ...integers(m)]),
  row(8, (m) => ['SADD', m.keyOf('set'), ...m.manyMembers()]),
  row(25, (m) => ['SREM', m.keyOf('set'), ...m.members(5)]),
  row(8, (m) => ['SCARD', m.keyOf('set')]),
  row(15, (m) => ['SISMEMBER', m.keyOf('set'), m.member()]),
  row(10, (m) => ['SMISMEMBER', m.keyOf('set'), ...m.members(5)]),
  row(10, (m) => ['SMEMBERS', m.keyOf('set')]),
  row(12, (m) => ['SMOVE', m.keyOf('set'), m.keyOf('set'), m.member()]),
  row(8, (m) => ['SPOP', m.keyOf('set'), ...(m.random.chance(0.5) ? [m.count()] : [])]),
  row(8, (m) => ['SRANDMEMBER', m.keyOf('set'), ...randomOptions(m)]),
  row(15, (m) => [m.random.pick(OPERATIONS), ...m.keysOf('set', 4)]),
  row(15, (m) => [`${m.random.pick(OPERATIONS)}STORE`, m.keyOf('set'), ...m.keysOf('set', 4)]),
  row(10, makeInterCard),
  row(5, (m) => ['SSCAN', m.keyOf('set'), m.scanCursor(), ...m.scanOptions()]),
  row(4, (m) => ['DEL', m.keyOf('set')]),
];

/** For sets that stay integers. */
function integers(m: Maker): string[] {
  const { random } = m;
  const width = random.pick([10, 100, 40_000, 3_000_000_000]);
  const count = random.between(1, 8);
  return Array.from({ length: count }, () => String(random.between(-width, width)));
}

function randomOptions(m: Maker): string[] {
  const { random } = m;
  if (random.chance(0.3)) return [];
  return [random.chance(0.6) ? m.count() : `-${random.between(1, 20)}`];
}

function makeInterCard(m: Maker): readonly string[] {
  const keys = m.keysOf('set', 3);
  const options = m.options(1, [
    () => ['LIMIT', m.random.pick(['0', '1', '3', '-1', 'x'])],
    () => (m.random.chance(0.2) ? ['BOGUS'] : ['LIMIT', '2']),
  ]);
  return ['SINTERCARD', m.keyCount(keys), ...keys, ...options];
}
