// Commands of streams. Ids are given, never taken from the clock, and trimming is exact: where
// nodes end is each server's own business.

import { type Maker, type Row, row, type Step } from './maker.js';

const GROUPS = ['g1', 'g2', 'g1', 'g2', 'nogroup'];
const CONSUMERS = ['alice', 'bob', 'carol'];
const ID_SPAN = 60;

export const STREAMS: readonly Row[] = [
  row(50, (m) => ['XADD', m.keyOf('stream'), ...addOptions(m), newId(m), ...fields(m)]),
  row(8, makeRun),
  row(8, (m) => ['XLEN', m.keyOf('stream')]),
  row(20, (m) => ['XRANGE', m.keyOf('stream'), bound(m), bound(m), ...countOption(m)]),
  row(15, (m) => ['XREVRANGE', m.keyOf('stream'), bound(m), bound(m), ...countOption(m)]),
  row(20, (m) => ['XDEL', m.keyOf('stream'), ...ids(m)]),
  row(6, (m) => ['XTRIM', m.keyOf('stream'), ...trimming(m)]),
  row(12, makeRead),
  row(14, (m) => [
    'XGROUP',
    'CREATE',
    m.keyOf('stream'),
    m.random.pick(['g1', 'g2']),
    m.random.chance(0.3) ? '$' : m.random.chance(0.5) ? '0' : someId(m),
    ...m.options(2, [() => ['MKSTREAM'], () => ['ENTRIESREAD', m.random.pick(['0', '3', '-1'])]]),
  ]),
  row(4, (m) => ['XGROUP', 'SETID', m.keyOf('stream'), group(m), someId(m)]),
  row(2, (m) => ['XGROUP', 'DESTROY', m.keyOf('stream'), group(m)]),
  row(4, (m) => ['XGROUP', 'CREATECONSUMER', m.keyOf('stream'), group(m), consumer(m)]),
  row(3, (m) => ['XGROUP', 'DELCONSUMER', m.keyOf('stream'), group(m), consumer(m)]),
  row(20, makeGroupRead),
  row(12, (m) => ['XACK', m.keyOf('stream'), group(m), ...ids(m)]),
  row(6, (m) => ['XPENDING', m.keyOf('stream'), group(m)]),
  row(6, makePending),
  row(10, makeClaim),
  row(8, (m) => [
    'XAUTOCLAIM',
    m.keyOf('stream'),
    group(m),
    consumer(m),
    '0',
    m.random.chance(0.5) ? '0-0' : someId(m),
    ...m.options(2, [() => ['COUNT', m.random.pick(['1', '5', '100', '0'])], () => ['JUSTID']]),
  ]),
  // 7.0 does not compare with the last id that was deleted: an id behind all others.
  row(2, (m) => [
    'XSETID',
    m.keyOf('stream'),
    `${ID_SPAN + m.random.below(3)}-5`,
    ...m.options(2, [
      () => ['ENTRIESADDED', m.random.pick(['5', '1000', '-1'])],
      () => ['MAXDELETEDID', someId(m)],
    ]),
  ]),
  row(5, (m) => ['XINFO', 'STREAM', m.keyOf('stream')]),
  row(4, (m) => ['XINFO', 'GROUPS', m.keyOf('stream')]),
  row(4, (m) => ['XINFO', 'CONSUMERS', m.keyOf('stream'), group(m)]),
  row(4, (m) => ['DEL', m.keyOf('stream')]),
];

function group(m: Maker): string {
  return m.random.pick(GROUPS);
}

function consumer(m: Maker): string {
  return m.random.pick(CONSUMERS);
}

/** An id that may be there. */
function someId(m: Maker): string {
  const { random } = m;
  if (random.chance(0.02)) return random.pick(['x', '1-', '-1', '1-x', '', '1-1-1']);
  const ms = random.below(ID_SPAN);
  return random.chance(0.3) ? String(ms) : `${ms}-${random.below(4)}`;
}

function ids(m: Maker): string[] {
  return Array.from({ length: m.random.between(1, 6) }, () => someId(m));
}

/** Small steps up; what is too small is refused by both. */
function newId(m: Maker): string {
  const { random } = m;
  if (random.chance(0.3)) return `${random.below(ID_SPAN)}-*`;
  return someId(m);
}

function bound(m: Maker): string {
  const { random } = m;
  if (random.chance(0.4)) return random.pick(['-', '+']);
  return random.chance(0.2) ? `(${someId(m)}` : someId(m);
}

function countOption(m: Maker): string[] {
  return m.random.chance(0.3) ? ['COUNT', m.random.pick(['1', '3', '100', '0', '-1', 'x'])] : [];
}

function fields(m: Maker): string[] {
  const { random } = m;
  // The same fields again and again are stored once for a node.
  if (random.chance(0.6)) return ['temperature', m.member(), 'place', m.member()];
  if (random.chance(0.03)) return ['odd'];
  return m.members(3).flatMap((field) => [field, m.value()]);
}

function addOptions(m: Maker): string[] {
  const { random } = m;
  const options = random.chance(0.1) ? ['NOMKSTREAM'] : [];
  return random.chance(0.1) ? [...options, ...trimming(m)] : options;
}

function trimming(m: Maker): string[] {
  const { random } = m;
  const exactly = random.chance(0.3) ? ['='] : [];
  if (random.chance(0.5)) {
    return ['MAXLEN', ...exactly, random.pick(['0', '5', '50', '200', '-1', 'x'])];
  }
  return ['MINID', ...exactly, someId(m)];
}

/** Many entries at once, over several nodes. */
function makeRun(m: Maker): Step {
  const key = m.keyOf('stream');
  const first = m.random.below(ID_SPAN);
  return Array.from({ length: m.random.pick([20, 101, 150]) }, (_, index) => [
    'XADD',
    key,
    `${first}-${index + 1}`,
    'temperature',
    String(index),
    ...(index % 7 === 0 ? ['extra', m.member()] : []),
  ]);
}

function makeRead(m: Maker): readonly string[] {
  const keys = m.keysOf('stream', 3);
  const from = keys.map(() => (m.random.chance(0.1) ? '$' : m.random.pick(['0', someId(m)])));
  return ['XREAD', ...countOption(m), 'STREAMS', ...keys, ...from];
}

function makeGroupRead(m: Maker): readonly string[] {
  const keys = m.keysOf('stream', 2);
  const from = keys.map(() => (m.random.chance(0.7) ? '>' : m.random.pick(['0', someId(m)])));
  const options = m.random.chance(0.15) ? ['NOACK'] : [];
  const who = ['GROUP', m.random.pick(['g1', 'g2']), consumer(m)];
  return ['XREADGROUP', ...who, ...countOption(m), ...options, 'STREAMS', ...keys, ...from];
}

function makePending(m: Maker): readonly string[] {
  const idle = m.random.chance(0.2) ? ['IDLE', '0'] : [];
  const range = [bound(m), bound(m), m.random.pick(['1', '10', '1000', '0', '-1'])];
  const whose = m.random.chance(0.4) ? [consumer(m)] : [];
  return ['XPENDING', m.keyOf('stream'), group(m), ...idle, ...range, ...whose];
}

function makeClaim(m: Maker): readonly string[] {
  const options = m.options(3, [
    () => ['IDLE', '1000'],
    () => ['RETRYCOUNT', m.random.pick(['0', '7', '-1'])],
    () => ['FORCE'],
    () => ['JUSTID'],
    () => ['LASTID', someId(m)],
  ]);
  return ['XCLAIM', m.keyOf('stream'), group(m), consumer(m), '0', ...ids(m), ...options];
}
