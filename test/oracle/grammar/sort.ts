// SORT. Equal weights may come in any order, and so may what is not sorted at all: what a command
// asks for is made so that its answer has one order, or that the oracle compares without it.

import { type Maker, type Row, row, type Step } from './maker.js';

/**
 * Redis takes a number that was out of range in an earlier command for one of its own SORT; this
 * reads a number and changes nothing, and it is forgotten.
 */
const FORGET_RANGE = ['ZADD', 'missing:scores', 'XX', '1', 'a'];

export const SORTS: readonly Row[] = [
  row(20, makeNumeric),
  row(20, makeAlpha),
  row(12, makeWeighted),
  row(8, makeUnsorted),
  row(6, makeStore),
];

function source(m: Maker): string {
  return m.keyOf(m.random.pick(['list', 'set', 'zset']));
}

function name(m: Maker): string {
  return m.random.pick(['SORT', 'SORT', 'SORT_RO']);
}

function options(m: Maker): string[] {
  return m.options(2, [
    () => ['LIMIT', m.random.pick(['0', '2', '-1', 'x']), m.random.pick(['0', '3', '-1', '100'])],
    () => [m.random.pick(['ASC', 'DESC', 'desc'])],
    () => (m.random.chance(0.1) ? ['BOGUS'] : ['ASC']),
  ]);
}

/** Texts that are no numbers are refused. */
function makeNumeric(m: Maker): Step {
  const key = m.random.pick(['numbers', '{tag}numbers']);
  const count = m.random.between(1, 40);
  const numbers = Array.from({ length: count }, () => String(m.random.between(-200, 200)));
  const add = m.random.pick(['RPUSH', 'SADD']);
  return [
    [add, key, ...numbers],
    FORGET_RANGE,
    [name(m), key, ...options(m)],
    ...(m.random.chance(0.2) ? [FORGET_RANGE, [name(m), source(m), ...options(m)]] : []),
    ['DEL', key],
  ];
}

function makeAlpha(m: Maker): readonly string[] {
  return [name(m), source(m), 'ALPHA', ...options(m)];
}

/** Each element's weight is its own, so that there are no ties. */
function makeWeighted(m: Maker): Step {
  const elements = Array.from({ length: m.random.between(1, 12) }, (_, index) => `e${index}`);
  const weights = elements.map((_, index) => (index * 7919) % 101);
  const isHash = m.random.chance(0.5);
  const isAlpha = m.random.chance(0.3);
  const store = elements.map((element, index) =>
    isHash
      ? ['HSET', `{tag}w:${element}`, 'weight', String(weights[index])]
      : ['SET', `{tag}w:${element}`, String(weights[index])],
  );
  const by = isHash ? '{tag}w:*->weight' : '{tag}w:*';
  const gets = m.random.chance(0.5) ? ['GET', by, 'GET', '#'] : [];
  return [
    ...store,
    ['RPUSH', '{tag}elements', ...elements],
    FORGET_RANGE,
    ['SORT', '{tag}elements', 'BY', by, ...gets, ...(isAlpha ? ['ALPHA'] : []), ...options(m)],
    ['DEL', '{tag}elements', ...elements.map((element) => `{tag}w:${element}`)],
  ];
}

/** A list keeps its order, a sorted set has one; a set has none. */
function makeUnsorted(m: Maker): readonly string[] {
  const key = m.keyOf(m.random.pick(['list', 'zset']));
  return [name(m), key, 'BY', 'nosort', ...options(m)];
}

function makeStore(m: Maker): Step {
  const target = m.keyOf('list');
  return [
    [
      'SORT',
      m.keyOf(m.random.pick(['list', 'zset', 'set'])),
      'ALPHA',
      ...options(m),
      'STORE',
      target,
    ],
    ['LRANGE', target, '0', '-1'],
  ];
}
