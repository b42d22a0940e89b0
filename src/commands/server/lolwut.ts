// LOLWUT: a wall of flagstones, laid anew each time. Like every LOLWUT it ends with the version.

import { int64 } from '../../base/ascii.js';
import { Prng, seedFromEntropy } from '../../base/prng.js';
import { isWord, readInt64, word } from '../../dispatch/args.js';
import { Flag, sessionCommand } from '../../dispatch/define.js';
import { REDIS_VERSION } from '../../dispatch/server-door.js';

const VERSION = word('VERSION');

const COLUMNS = 60;
const ROWS = 4;
const STONE_COLUMNS_MIN = 6;
const STONE_COLUMNS_MAX = 16;

/** Rows of stones of random width, joints shared: `+-----+--------+`. */
function wall(prng: Prng): string {
  const rows = Array.from({ length: ROWS }, () => joints(prng));
  let text = '';
  for (let row = 0; row <= ROWS; row++) {
    const above = row > 0 ? rows[row - 1]! : new Set<number>();
    const below = row < ROWS ? rows[row]! : new Set<number>();
    text += line((column) => (above.has(column) || below.has(column) ? '+' : '-'));
    if (row < ROWS) text += line((column) => (below.has(column) ? '|' : grain(prng)));
  }
  return text;
}

function joints(prng: Prng): Set<number> {
  const columns = new Set([0, COLUMNS - 1]);
  let at = STONE_COLUMNS_MIN + prng.below(STONE_COLUMNS_MAX);
  while (at < COLUMNS - STONE_COLUMNS_MIN) {
    columns.add(at);
    at += STONE_COLUMNS_MIN + prng.below(STONE_COLUMNS_MAX - STONE_COLUMNS_MIN);
  }
  return columns;
}

function grain(prng: Prng): string {
  return prng.below(12) === 0 ? '.' : ' ';
}

function line(at: (column: number) => string): string {
  return `${Array.from({ length: COLUMNS }, (_, column) => at(column)).join('')}\n`;
}

export const lolwut = sessionCommand({
  name: 'lolwut',
  arity: -1,
  group: 'server',
  since: '5.0.0',
  summary: 'Draws something, and tells the version.',
  cost: 'O(1)',
  flags: Flag.Read | Flag.Fast,
  syntax: '[VERSION version]',
  run({ args, server, reply }) {
    // A version alone chooses nothing: there is one drawing.
    if (args.count >= 3 && isWord(args, 1, VERSION)) readInt64(args, 2);
    const seed = args.count >= 3 && isWord(args, 1, VERSION) ? int64.lo : seedFromEntropy();
    const drawing = wall(new Prng(seed >>> 0));
    const { version } = server.facts;
    reply.verbatim(`${drawing}\nRedis ver. ${REDIS_VERSION} (Flagstone ${version})\n`, 'txt');
  },
});
