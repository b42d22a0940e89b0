// Doubles to text and back: nothing is lost, whichever of Redis's ways writes them, and texts are
// read as JavaScript's own parser reads what both of them take.

import { equal, ok } from 'node:assert/strict';
import {
  DOUBLE_TEXT_BYTES_MAX,
  formatDouble,
  formatDouble17,
  parseDouble,
  writeDouble,
  writeDouble17,
} from '../../src/base/float-text.js';
import type { Random } from '../support/seed.js';
import type { FuzzTarget } from './target.js';

const words = new Uint32Array(2);
const double = new Float64Array(words.buffer);

export const target: FuzzTarget = {
  name: 'float-text',
  about: 'doubles written and read again, and decimal texts against Number()',
  stepsPerRun: 20_000,
  run({ steps, random, note }) {
    for (let step = 0; step < steps; step++) {
      const value = drawDouble(random);
      note(`step ${step}: ${value}`);
      for (const text of [formatDouble(value), formatDouble17(value)]) {
        ok(text.length <= DOUBLE_TEXT_BYTES_MAX, `${text} is too long`);
        ok(Object.is(read(text), value), `${value} was written as ${text}`);
      }
      expectSameBytes(writeDouble, value, formatDouble(value));
      expectSameBytes(writeDouble17, value, formatDouble17(value));
      const text = drawText(random);
      note(`step ${step}: text ${text}`);
      equal(String(read(text)), String(expectedOf(text)));
    }
  },
};

function drawDouble(random: Random): number {
  switch (random.below(4)) {
    case 0:
      return random.below(2 ** 31) - 2 ** 30;
    case 1:
      return (random.below(2 ** 31) - 2 ** 30) / 10 ** random.below(12);
    case 2:
      return 2 ** random.between(-60, 70) * (1 + random.below(3));
    default:
      words[0] = random.next();
      words[1] = random.next();
      return Number.isFinite(double[0]!) ? double[0]! : 1.5;
  }
}

function drawText(random: Random): string {
  const digits = (most: number): string => {
    let text = '';
    for (let count = random.below(most + 1); count > 0; count--) text += String(random.below(10));
    return text;
  };
  const sign = random.pick(['', '', '-', '+']);
  const point = random.pick(['', '.']);
  const exponent = random.chance(0.5)
    ? ''
    : `${random.pick(['e', 'E'])}${random.pick(['', '-', '+'])}${digits(3)}`;
  const behind = random.chance(0.03) ? random.pick([' ', 'x', 'e']) : '';
  return `${sign}${digits(22)}${point}${digits(20)}${exponent}${behind}`;
}

/**
 * What Redis takes: a whole decimal float that is neither too large nor, not being 0, too small.
 */
function expectedOf(text: string): number {
  if (!/^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(text)) return Number.NaN;
  const value = Number(text);
  if (!Number.isFinite(value)) return Number.NaN;
  const isZero = !/[1-9]/.test(text.split(/e/i)[0]!);
  if (value === 0 && !isZero) return Number.NaN;
  return value;
}

function read(text: string): number {
  return parseDouble(Buffer.from(`9${text}9`, 'latin1'), 1, text.length);
}

function expectSameBytes(
  write: (u8: Uint8Array, at: number, value: number) => number,
  value: number,
  text: string,
): void {
  const u8 = new Uint8Array(DOUBLE_TEXT_BYTES_MAX + 8).fill(0x2e);
  const bytes = write(u8, 3, value);
  equal(Buffer.from(u8.slice(3, 3 + bytes)).toString('latin1'), text);
  equal(u8[2], 0x2e, 'nothing is written before');
  equal(u8[3 + bytes], 0x2e, 'nothing is written behind');
}
