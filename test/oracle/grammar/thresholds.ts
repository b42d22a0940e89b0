// The parameters that say where small encodings end: an episode has them as they are by default, or
// small, so that a few commands cross them.

import { type Maker, type Row, row, type Step } from './maker.js';

const CHOICES: Readonly<Record<string, readonly string[]>> = {
  'hash-max-listpack-entries': ['512', '4', '16', '0'],
  'hash-max-listpack-value': ['64', '8', '20', '0'],
  // Not below the limit of listpacks: what a union of tables is stored as would be a matter of the
  // order in which they are walked.
  'set-max-intset-entries': ['512', '130', '200'],
  'set-max-listpack-entries': ['128', '4', '16', '0'],
  'set-max-listpack-value': ['64', '8', '20', '0'],
  'zset-max-listpack-entries': ['128', '4', '16', '0'],
  'zset-max-listpack-value': ['64', '8', '20', '0'],
  'list-max-listpack-size': ['-2', '3', '10', '-1', '-5', '1', '0', '128', '40000'],
  'list-compress-depth': ['0', '1', '2'],
  'stream-node-max-bytes': ['4096', '100', '0'],
  'stream-node-max-entries': ['100', '4', '10', '0'],
  'hll-sparse-max-bytes': ['3000', '100', '0', '16000'],
};

const NAMES = Object.keys(CHOICES);

/** What an episode begins with, whatever the last one left behind. */
export const DEFAULT_THRESHOLDS: Step = NAMES.map((name) => [
  'CONFIG',
  'SET',
  name,
  CHOICES[name]![0]!,
]);

function change(m: Maker, name: string): readonly string[] {
  return ['CONFIG', 'SET', name, m.random.pick(CHOICES[name]!)];
}

/** The thresholds of an episode. */
export function makeThresholds(m: Maker): Step {
  if (m.random.chance(0.4)) return [];
  return NAMES.map((name) => change(m, name));
}

export const THRESHOLDS: readonly Row[] = [
  row(2, (m) => change(m, m.random.pick(NAMES))),
  row(3, makeEdge),
];

/** The limits above, of elements and of bytes of one. */
const EDGE_COUNTS = [1, 3, 4, 10, 16, 128, 130, 200, 512];
const EDGE_LENGTHS = [8, 9, 20, 21, 44, 45, 63, 64, 65];

type Filled = 'hash' | 'set' | 'zset' | 'list';

/** A value just below, at or above a limit; then something more, and something less. */
function makeEdge(m: Maker): Step {
  const { random } = m;
  const kind = random.pick(['hash', 'set', 'zset', 'list'] as const);
  const key = m.keyOf(kind);
  const count = Math.max(1, random.pick(EDGE_COUNTS) + random.between(-1, 1));
  const isInteger = random.chance(0.5);
  const text = (index: number): string => (isInteger ? String(index) : `e${index}`);
  const wide = (): string => 'x'.repeat(random.pick(EDGE_LENGTHS));
  const texts = Array.from({ length: count }, (_, index) => text(index));
  if (random.chance(0.3)) texts[random.below(count)] = wide();
  const more = random.chance(0.5) ? text(count) : wide();
  const look = ['OBJECT', 'ENCODING', key];
  return [
    ['DEL', key],
    filling(kind, key, texts),
    look,
    filling(kind, key, [more]),
    look,
    ...removals(kind, key, [more, texts[0]!]),
    look,
  ];
}

function filling(kind: Filled, key: string, texts: readonly string[]): readonly string[] {
  switch (kind) {
    case 'hash':
      return [
        'HSET',
        key,
        ...texts.flatMap((text, at) => (at % 2 === 0 ? [text, '1'] : ['f', text])),
      ];
    case 'set':
      return ['SADD', key, ...texts];
    case 'zset':
      return ['ZADD', key, ...texts.flatMap((text, at) => [String(at), text])];
    case 'list':
      return ['RPUSH', key, ...texts];
  }
}

function removals(kind: Filled, key: string, texts: readonly string[]): Step {
  if (kind === 'list') return texts.map((text) => ['LREM', key, '1', text]);
  const name = { hash: 'HDEL', set: 'SREM', zset: 'ZREM' }[kind];
  return [[name, key, ...texts]];
}
