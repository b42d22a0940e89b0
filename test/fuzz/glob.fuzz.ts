// Patterns and texts that are likely to meet, against the plain model.

import { equal } from 'node:assert/strict';
import { matchesGlob } from '../../src/base/glob.js';
import { fits, itemsOf } from '../model/glob.js';
import type { Random } from '../support/seed.js';
import type { FuzzTarget } from './target.js';

const PATTERN_PIECES = [...'abcABC*?[]^-\\', '*', '[a-c]', '[^b]', '[\\]]', 'ab'];
const LETTERS = 'abcABC-]^';
const PIECES_MAX = 9;
const TEXT_MAX = 10;

export const target: FuzzTarget = {
  name: 'glob',
  about: 'glob patterns against a plain recursive model, letters folded and not',
  stepsPerRun: 20_000,
  run({ steps, random, note }) {
    for (let step = 0; step < steps; step++) {
      const pattern = pieces(random, PATTERN_PIECES, random.below(PIECES_MAX));
      const text = pieces(random, [...LETTERS], random.below(TEXT_MAX));
      note(`step ${step}: pattern ${JSON.stringify(pattern)}, text ${JSON.stringify(text)}`);
      // Only the empty pattern matches the empty text, as in Redis.
      const expected = text === '' ? pattern === '' : fits(itemsOf(pattern), text);
      equal(isMatch(pattern, text, false), expected);
      const isPlain = !/[[\]\\]/.test(pattern);
      if (!isPlain || text === '') continue;
      const folded = fits(itemsOf(pattern.toLowerCase()), text.toLowerCase());
      equal(isMatch(pattern, text, true), folded);
    }
  },
};

function pieces(random: Random, list: readonly string[], count: number): string {
  let text = '';
  for (let index = 0; index < count; index++) text += random.pick(list);
  return text;
}

/** What stands around both would change the answer if it were read. */
function isMatch(pattern: string, text: string, isFolded: boolean): boolean {
  const around = Buffer.from(`*${pattern}*]`, 'latin1');
  const within = Buffer.from(`a${text}b`, 'latin1');
  return matchesGlob(around, 1, pattern.length, within, 1, text.length, isFolded);
}
