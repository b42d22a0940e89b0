// Numbers in arguments against BigInt and Number: what is taken, what is refused, and with which
// line.

import { equal, ok } from 'node:assert/strict';
import { bigIntOfSlowly, cursor64, int64, parseCursor } from '../../src/base/ascii.js';
import { Slices } from '../../src/base/slices.js';
import {
  isWord,
  readDouble,
  readInt64,
  readInteger,
  readIntegerIn,
  word,
} from '../../src/dispatch/args.js';
import { NOT_FLOAT, NOT_INTEGER, OUT_OF_RANGE, SYNTAX } from '../../src/resp/errors.js';
import type { Random } from '../support/seed.js';
import type { FuzzTarget } from './target.js';

const MIN = -(2n ** 63n);
const MAX = 2n ** 63n - 1n;
const CURSOR_MAX = 2n ** 64n - 1n;
const LITERAL = word('KEEPTTL');

export const target: FuzzTarget = {
  name: 'args',
  about: 'readers of integers, doubles, cursors and words against BigInt and Number',
  stepsPerRun: 20_000,
  run({ steps, random, note }) {
    for (let step = 0; step < steps; step++) {
      const text = drawText(random);
      note(`step ${step}: ${JSON.stringify(text)}`);
      const args = Slices.of('9', text, '9');
      expectIntegers(args, text);
      expectRange(args, text, random);
      expectCursor(args, text);
      expectDouble(args, text);
      const name = drawWord(random);
      equal(isWord(Slices.of(name), 0, LITERAL), name.toUpperCase() === 'KEEPTTL');
      equal(isWord(args, args.count, LITERAL), false);
    }
  },
};

function expectIntegers(args: Slices, text: string): void {
  const expected = integerOf(text);
  const refused = refusalOf(() => readInt64(args, 1));
  if (expected === null) {
    equal(refused, NOT_INTEGER);
    equal(
      refusalOf(() => readInteger(args, 1, SYNTAX)),
      SYNTAX,
    );
    return;
  }
  equal(refused, null);
  equal(bigIntOfSlowly(int64.lo, int64.hi), expected);
  equal(
    int64.isSafe,
    Number.isSafeInteger(Number(expected)) && BigInt(Number(expected)) === expected,
  );
  equal(readInteger(args, 1), Number(expected));
}

function expectRange(args: Slices, text: string, random: Random): void {
  const least = random.below(100) - 50;
  const most = least + random.below(1000);
  const value = integerOf(text);
  const refused = refusalOf(() => {
    equal(readIntegerIn(args, 1, least, most, OUT_OF_RANGE), Number(value));
  });
  if (value === null) equal(refused, NOT_INTEGER);
  else equal(refused, value < least || value > most ? OUT_OF_RANGE : null);
}

function expectCursor(args: Slices, text: string): void {
  const expected = cursorOf(text);
  const isTaken = parseCursor(args.u8, args.startOf(1), args.lengthOf(1));
  equal(isTaken, expected !== null);
  if (expected === null) return;
  equal(BigInt.asUintN(64, bigIntOfSlowly(cursor64.lo, cursor64.hi)), expected);
}

function expectDouble(args: Slices, text: string): void {
  let value = Number.NaN;
  const refused = refusalOf(() => {
    value = readDouble(args, 1);
  });
  ok(refused === null || refused === NOT_FLOAT);
  if (!/^[-+]?\d+$/.test(text)) return;
  equal(refused, null);
  ok(Object.is(value, Number(text)), `${text} was read as ${value}`);
}

/** Redis's string2ll. */
function integerOf(text: string): bigint | null {
  if (!/^(0|-?[1-9]\d*)$/.test(text)) return null;
  const value = BigInt(text);
  return value >= MIN && value <= MAX ? value : null;
}

/** strtoul with Redis's refusals: no space in front, nothing behind, no overflow. */
function cursorOf(text: string): bigint | null {
  if (text === '') return 0n;
  const match = /^([-+]?)(\d+)$/.exec(text);
  if (match === null) return null;
  const value = BigInt(match[2]!);
  if (value > CURSOR_MAX) return null;
  return BigInt.asUintN(64, match[1] === '-' ? -value : value);
}

function drawText(random: Random): string {
  const bits = (BigInt(random.next()) << 32n) | BigInt(random.next());
  const value = BigInt.asIntN(66, bits * 3n) >> BigInt(random.below(66));
  const edge = random.pick([MIN, MAX, CURSOR_MAX, 2n ** 53n, 10n ** 15n, 10n ** 18n, 2n ** 31n]);
  const text = String(random.chance(0.7) ? value : edge + BigInt(random.below(5) - 2));
  if (random.chance(0.7)) return text;
  const at = random.below(text.length + 1);
  const damage = random.pick(['0', '-', '+', ' ', '.', '00', 'e3', 'x', '']);
  return text.slice(0, at) + damage + text.slice(at + random.below(2));
}

function drawWord(random: Random): string {
  const letters = [...'keepttl'].map((letter) =>
    random.chance(0.5) ? letter.toUpperCase() : letter,
  );
  if (random.chance(0.3))
    letters[random.below(letters.length)] = random.pick(['x', 'k', '', '[', '@']);
  return letters.join('');
}

/** What was thrown, or null. */
function refusalOf(action: () => void): unknown {
  try {
    action();
    return null;
  } catch (thrown) {
    if (thrown instanceof Error) throw thrown;
    return thrown;
  }
}
