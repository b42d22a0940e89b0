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
  row(6, makeNodes),
  row(3, makeFull),
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

const WIDE_LENGTHS = [1000, 4000, 4081, 4090, 8100, 8172, 8181, 8192, 9000, 16_380, 70_000];

/** Elements of some kilobytes: nodes by bytes, and elements beyond any node. */
function makeWide(m: Maker): Step {
  const key = m.keyOf('list');
  const wide = (): string => 'w'.repeat(m.random.pick(WIDE_LENGTHS));
  return [
    ['RPUSH', key, wide(), m.member(), wide()],
    ['OBJECT', 'ENCODING', key],
    ['LINSERT', key, 'BEFORE', m.member(), wide()],
    ['LSET', key, elementIndex(m), m.random.chance(0.5) ? wide() : m.member()],
    ['LINDEX', key, m.index()],
    ['LPOP', key, '2'],
    ['LTRIM', key, '0', '40'],
    ['DEBUG', 'OBJECT', key],
    ...(m.random.chance(0.7) ? [['DEL', key]] : []),
  ];
}

/** Lengths on both sides of what a listpack spends another byte on. */
const LENGTHS = [1, 20, 62, 63, 64, 124, 125, 126, 127, 200, 300, 500, 1000, 2000, 4095, 4096];

/** Bytes of a node, and of an element's length and its place in a listpack. */
const NODE_BYTES = [4096, 8192, 65_536];
const ELEMENT_BYTES = 3;

/** A list that is about as long as a node may be; then about half of it, and its other half. */
function makeFull(m: Maker): Step {
  const { random } = m;
  const key = m.keyOf('list');
  const length = random.pick(LENGTHS);
  const full = Math.ceil(random.pick(NODE_BYTES) / (length + ELEMENT_BYTES));
  const count = Math.max(1, Math.min(full, 3000) + random.between(-3, 3));
  const text = (): string => (random.chance(0.02) ? m.member() : 'n'.repeat(length));
  const kept = Math.floor(count / 2) + random.between(-3, 3);
  const look = ['DEBUG', 'OBJECT', key];
  return [
    ['DEL', key],
    ['RPUSH', key, ...Array.from({ length: count }, text)],
    look,
    [random.pick(['LPUSH', 'RPUSH']), key, text(), text()],
    look,
    random.chance(0.5)
      ? ['LTRIM', key, '0', String(kept)]
      : [random.pick(['LPOP', 'RPOP']), key, String(kept)],
    look,
    ['LPOP', key],
    ['RPOP', key],
    look,
  ];
}

/** Elements and changes on the inside: what shares a node, and how large nodes are. */
function makeNodes(m: Maker): Step {
  const { random } = m;
  const key = m.keyOf('list');
  const usual = random.pick(LENGTHS);
  const texts = ['pivot', 'pivot:2', 'pivot:3'];
  const text = (): string => {
    if (random.chance(0.1)) return random.pick(texts);
    if (random.chance(0.3)) return m.member();
    return 'n'.repeat(random.chance(0.8) ? usual : random.pick(LENGTHS));
  };
  const steps: (readonly string[])[] = [];
  for (let left = random.between(2, 12); left > 0; left--) {
    const many = Array.from({ length: random.between(1, 40) }, text);
    const index = String(random.between(-60, 60));
    steps.push(
      random.pick([
        ['RPUSH', key, ...many],
        ['LPUSH', key, ...many],
        ['LINSERT', key, random.pick(['BEFORE', 'AFTER']), random.pick(texts), text()],
        ['LINSERT', key, random.pick(['BEFORE', 'AFTER']), random.pick(texts), text()],
        ['LINSERT', key, random.pick(['BEFORE', 'AFTER']), 'n'.repeat(usual), text()],
        ['LSET', key, index, text()],
        ['LREM', key, random.pick(['-1', '1', '3']), text()],
        [random.pick(['LPOP', 'RPOP']), key, String(random.between(1, 30))],
        ['LTRIM', key, String(random.between(0, 20)), String(random.between(-20, -1))],
        ['LMOVE', key, m.keyOf('list'), random.pick(END), random.pick(END)],
      ]),
    );
    steps.push(['DEBUG', 'OBJECT', key]);
  }
  return steps;
}
