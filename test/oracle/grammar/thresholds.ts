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
  'list-max-listpack-size': ['-2', '3', '10', '-1', '-5', '1'],
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

/** Where nodes of a list end that was made under another limit is each server's own business. */
const CHANGING = NAMES.filter((name) => name !== 'list-max-listpack-size');

export const THRESHOLDS: readonly Row[] = [row(2, (m) => change(m, m.random.pick(CHANGING)))];
