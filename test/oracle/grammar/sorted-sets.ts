// Commands of sorted sets.

import { type Maker, type Row, row, type Step } from './maker.js';

const OPERATIONS = ['ZINTER', 'ZUNION', 'ZDIFF'];

export const SORTED_SETS: readonly Row[] = [
  row(50, (m) => ['ZADD', m.keyOf('zset'), ...addOptions(m), ...scored(m, 4)]),
  row(8, (m) => ['ZADD', m.keyOf('zset'), ...manyScored(m)]),
  row(12, (m) => ['ZINCRBY', m.keyOf('zset'), m.score(), m.member()]),
  row(25, (m) => ['ZREM', m.keyOf('zset'), ...m.members(4)]),
  row(6, (m) => ['ZCARD', m.keyOf('zset')]),
  row(10, (m) => ['ZSCORE', m.keyOf('zset'), m.member()]),
  row(8, (m) => ['ZMSCORE', m.keyOf('zset'), ...m.members(4)]),
  row(12, (m) => [
    m.random.pick(['ZRANK', 'ZREVRANK']),
    m.keyOf('zset'),
    m.member(),
    ...(m.random.chance(0.3) ? [m.random.chance(0.9) ? 'WITHSCORE' : 'BOGUS'] : []),
  ]),
  row(25, (m) => ['ZRANGE', m.keyOf('zset'), ...rangeOf(m)]),
  row(10, (m) => ['ZREVRANGE', m.keyOf('zset'), m.index(), m.index(), ...withScores(m)]),
  row(12, (m) => [
    m.random.pick(['ZRANGEBYSCORE', 'ZREVRANGEBYSCORE']),
    m.keyOf('zset'),
    m.scoreBound(),
    m.scoreBound(),
    ...m.options(2, [() => ['WITHSCORES'], () => limit(m)]),
  ]),
  row(8, (m) => ['ZCOUNT', m.keyOf('zset'), m.scoreBound(), m.scoreBound()]),
  row(5, (m) => ['ZREMRANGEBYSCORE', m.keyOf('zset'), m.scoreBound(), m.scoreBound()]),
  row(5, (m) => ['ZREMRANGEBYRANK', m.keyOf('zset'), m.index(), m.index()]),
  row(10, (m) => [
    m.random.pick(['ZPOPMIN', 'ZPOPMAX']),
    m.keyOf('zset'),
    ...(m.random.chance(0.5) ? [m.count()] : []),
  ]),
  row(6, makeMultiPop),
  row(12, makeOperation),
  row(12, makeStore),
  row(6, makeInterCard),
  row(8, (m) => ['ZRANGESTORE', m.keyOf('zset'), m.keyOf('zset'), ...rangeOf(m, false)]),
  row(8, (m) => ['ZRANDMEMBER', m.keyOf('zset'), ...randomOptions(m)]),
  row(4, (m) => ['ZSCAN', m.keyOf('zset'), m.scanCursor(), ...m.scanOptions()]),
  row(10, makeLex),
  row(4, (m) => ['DEL', m.keyOf('zset')]),
];

function addOptions(m: Maker): string[] {
  return m.options(3, [
    () => ['NX'],
    () => ['XX'],
    () => ['GT'],
    () => ['LT'],
    () => ['CH'],
    () => ['CH'],
    () => (m.random.chance(0.3) ? ['INCR'] : ['CH']),
    () => (m.random.chance(0.1) ? ['BOGUS'] : ['XX']),
  ]);
}

function scored(m: Maker, countMax: number): string[] {
  return m.members(countMax).flatMap((member) => [m.score(), member]);
}

function manyScored(m: Maker): string[] {
  return m.manyMembers().flatMap((member) => [String(m.random.below(50)), member]);
}

function withScores(m: Maker): string[] {
  return m.random.chance(0.4) ? [m.random.chance(0.97) ? 'WITHSCORES' : 'BOGUS'] : [];
}

function limit(m: Maker): string[] {
  return [
    'LIMIT',
    m.random.pick(['0', '1', '3', '-1', 'x']),
    m.random.pick(['0', '2', '10', '-1']),
  ];
}

/** By rank or by score; by name only where all scores are the same (makeLex). */
function rangeOf(m: Maker, mayShowScores = true): string[] {
  const { random } = m;
  const scores = mayShowScores ? withScores(m) : [];
  const direction = random.chance(0.4) ? ['REV'] : [];
  if (random.chance(0.5)) return [m.index(), m.index(), ...direction, ...scores];
  const limits = random.chance(0.4) ? limit(m) : [];
  return [m.scoreBound(), m.scoreBound(), 'BYSCORE', ...direction, ...limits, ...scores];
}

function makeMultiPop(m: Maker): readonly string[] {
  const keys = m.keysOf('zset', 3);
  const options = m.options(1, [() => ['COUNT', m.count()], () => ['COUNT', '0']]);
  return ['ZMPOP', m.keyCount(keys), ...keys, m.random.pick(['MIN', 'MAX', 'max']), ...options];
}

/** Sets count as sorted sets with the scores 1. */
function sources(m: Maker): string[] {
  return m.keysOf('zset', 3).map((key) => (m.random.chance(0.15) ? m.keyOf('set') : key));
}

function weighing(m: Maker, keys: readonly string[]): string[] {
  return m.options(2, [
    () => ['WEIGHTS', ...keys.map(() => m.random.pick(['1', '2', '0.5', '-1', 'inf', '0', '3']))],
    () => ['AGGREGATE', m.random.pick(['SUM', 'MIN', 'MAX', 'max', 'BOGUS'])],
    () => (m.random.chance(0.1) ? ['WEIGHTS', '1', 'x'] : ['AGGREGATE', 'MIN']),
  ]);
}

function makeOperation(m: Maker): readonly string[] {
  const keys = sources(m);
  const name = m.random.pick(OPERATIONS);
  const options = name === 'ZDIFF' ? [] : weighing(m, keys);
  return [name, m.keyCount(keys), ...keys, ...options, ...withScores(m)];
}

function makeStore(m: Maker): readonly string[] {
  const keys = sources(m);
  const name = m.random.pick(OPERATIONS);
  const options = name === 'ZDIFF' ? [] : weighing(m, keys);
  return [`${name}STORE`, m.keyOf('zset'), m.keyCount(keys), ...keys, ...options];
}

function makeInterCard(m: Maker): readonly string[] {
  const keys = sources(m);
  const options = m.options(1, [() => ['LIMIT', m.random.pick(['0', '1', '3', '-1', 'x'])]]);
  return ['ZINTERCARD', m.keyCount(keys), ...keys, ...options];
}

function randomOptions(m: Maker): string[] {
  const { random } = m;
  if (random.chance(0.3)) return [];
  const count = random.chance(0.6) ? m.count() : `-${random.between(1, 20)}`;
  return random.chance(0.5) ? [count] : [count, random.chance(0.95) ? 'WITHSCORES' : 'BOGUS'];
}

function lexBound(m: Maker): string {
  const { random } = m;
  if (random.chance(0.2)) return random.pick(['-', '+']);
  if (random.chance(0.03)) return random.pick(['', 'x', '[', '(']);
  return random.pick(['[', '(']) + random.pick(['', 'a', 'm2', 'm30', '1', '15', 'z', m.member()]);
}

/** Ranges by name mean something only where all scores are the same: a key of its own. */
function makeLex(m: Maker): Step {
  const key = 'lex';
  const count = m.random.pick([3, 20, 140]);
  const members = Array.from({ length: count }, () => ['0', m.member()]).flat();
  const bounds = (): string[] => [lexBound(m), lexBound(m)];
  const limits = (): string[] => (m.random.chance(0.4) ? limit(m) : []);
  return [
    ['ZADD', key, ...members],
    ['ZLEXCOUNT', key, ...bounds()],
    ['ZRANGEBYLEX', key, ...bounds(), ...limits()],
    ['ZREVRANGEBYLEX', key, ...bounds(), ...limits()],
    ['ZRANGE', key, ...bounds(), 'BYLEX', ...limits()],
    ['ZRANGE', key, ...bounds(), 'BYLEX', 'REV'],
    ['ZRANGESTORE', m.keyOf('zset'), key, ...bounds(), 'BYLEX', ...limits()],
    ['ZREMRANGEBYLEX', key, ...bounds()],
    ['DEL', key],
  ];
}
