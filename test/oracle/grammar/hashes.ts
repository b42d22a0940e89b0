// Commands of hashes.

import { FLOATS, type Maker, type Row, row } from './maker.js';

export const HASHES: readonly Row[] = [
  row(40, (m) => ['HSET', m.keyOf('hash'), ...pairs(m, 4)]),
  row(6, (m) => ['HMSET', m.keyOf('hash'), ...pairs(m, 4)]),
  row(8, (m) => ['HSET', m.keyOf('hash'), ...manyPairs(m)]),
  row(12, (m) => ['HSETNX', m.keyOf('hash'), m.member(), m.value()]),
  row(20, (m) => ['HGET', m.keyOf('hash'), m.member()]),
  row(12, (m) => ['HMGET', m.keyOf('hash'), ...m.members(5)]),
  row(12, (m) => [m.random.pick(['HGETALL', 'HKEYS', 'HVALS']), m.keyOf('hash')]),
  row(8, (m) => ['HLEN', m.keyOf('hash')]),
  row(8, (m) => ['HSTRLEN', m.keyOf('hash'), m.member()]),
  row(10, (m) => ['HEXISTS', m.keyOf('hash'), m.member()]),
  row(25, (m) => ['HDEL', m.keyOf('hash'), ...m.members(4)]),
  row(15, (m) => ['HINCRBY', m.keyOf('hash'), m.member(), m.integer()]),
  row(12, (m) => ['HINCRBYFLOAT', m.keyOf('hash'), m.member(), increment(m)]),
  row(10, (m) => ['HRANDFIELD', m.keyOf('hash'), ...randomOptions(m)]),
  row(5, makeScan),
  row(3, (m) => ['DEL', m.keyOf('hash')]),
];

function increment(m: Maker): string {
  return m.random.chance(0.7) ? m.random.pick(FLOATS) : m.integer();
}

function pairs(m: Maker, countMax: number): string[] {
  return m.members(countMax).flatMap((field) => [field, m.value()]);
}

function manyPairs(m: Maker): string[] {
  return m.manyMembers().flatMap((field) => [field, m.random.chance(0.99) ? '1' : m.value()]);
}

function randomOptions(m: Maker): string[] {
  const { random } = m;
  if (random.chance(0.3)) return [];
  const count = random.chance(0.6) ? m.count() : `-${random.between(1, 20)}`;
  if (random.chance(0.5)) return [count];
  return [count, random.chance(0.95) ? 'WITHVALUES' : 'BOGUS'];
}

function makeScan(m: Maker): readonly string[] {
  return ['HSCAN', m.keyOf('hash'), m.scanCursor(), ...m.scanOptions()];
}
