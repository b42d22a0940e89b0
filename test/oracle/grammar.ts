// Random command streams for the differential oracle: one row per command, valid and invalid
// options mixed. Rows stand in groups; commands about keys are in every stream.

import type { Random } from '../support/seed.js';
import { GEO } from './grammar/geo.js';
import { HASHES } from './grammar/hashes.js';
import { HYPERLOGLOGS } from './grammar/hyperloglogs.js';
import { KEYSPACE, OTHERS } from './grammar/keyspace.js';
import { LISTS } from './grammar/lists.js';
import { Maker, type Row, type Step } from './grammar/maker.js';
import { SETS } from './grammar/sets.js';
import { SORTS } from './grammar/sort.js';
import { SORTED_SETS } from './grammar/sorted-sets.js';
import { STREAMS } from './grammar/streams.js';
import { BITMAPS, STRINGS } from './grammar/strings.js';
import { makeThresholds, THRESHOLDS } from './grammar/thresholds.js';

export type { Step };

const GROUPS = {
  string: STRINGS,
  bitmap: BITMAPS,
  list: LISTS,
  hash: HASHES,
  set: SETS,
  zset: SORTED_SETS,
  geo: GEO,
  hll: HYPERLOGLOGS,
  stream: STREAMS,
  sort: SORTS,
} as const;

export type Group = keyof typeof GROUPS;
export const ALL_GROUPS = Object.keys(GROUPS) as Group[];

/** Reads a list of groups, as the command line has it. */
export function readGroups(text: string): Group[] {
  const names = text.split(',');
  const unknown = names.find((name) => !Object.hasOwn(GROUPS, name));
  if (unknown !== undefined) throw new Error(`no group ${unknown}: ${ALL_GROUPS.join(', ')}`);
  return names as Group[];
}

/** The steps of one stream: the same for the same chance, count and groups. */
export function makeSteps(random: Random, count: number, groups: readonly Group[]): Step[] {
  const rows: Row[] = groups.flatMap((group) => [...GROUPS[group]]);
  const maker = new Maker(random, [...rows, ...KEYSPACE, ...OTHERS, ...THRESHOLDS]);
  const steps: Step[] = [makeThresholds(maker)];
  for (let made = 0; made < count; ) {
    const step = maker.next();
    steps.push(step);
    made += step.length;
  }
  return steps;
}
