// Decimals as C's printf writes them with "%.17Lg".

import { describe, expect, it } from 'vitest';
import { addDecimal, compareDecimals, decimalOf, formatDecimal } from '../../src/base/decimal.js';
import { parseLongDouble } from '../../src/base/long-double.js';
import { randomTest } from '../support/random-test.js';

describe('a decimal', () => {
  it('is written with 17 digits at the most, and an exponent where C has one', () => {
    const rows: readonly (readonly [bigint, number, string])[] = [
      [0n, 0, '0'],
      [0n, 5, '0'],
      [60n, 0, '60'],
      [-60n, 1, '-6'],
      [215n, 1, '21.5'],
      [5n, 2, '0.05'],
      [1n, 4, '0.0001'],
      [1n, 5, '1e-05'],
      [125n, 7, '1.25e-05'],
      [12345678901234567n, 0, '12345678901234567'],
      [123456789012345678n, 0, '1.2345678901234568e+17'],
      [99999999999999999n, 0, '99999999999999999'],
      [999999999999999996n, 0, '1e+18'],
      [9223372036854775807n, 0, '9.2233720368547758e+18'],
      [-9223372036854775808n, 0, '-9.2233720368547758e+18'],
      [100000000000000005n, 18, '0.1'],
      [100000000000000015n, 18, '0.10000000000000002'],
      [10n ** 300n, 0, '1e+300'],
    ];
    for (const [digits, scale, text] of rows) expect(formatDecimal({ digits, scale })).toBe(text);
  });

  it('is what a long double is, exactly', () => {
    const bytes = Buffer.from('0.1', 'latin1');
    const float = parseLongDouble(bytes, 0, bytes.length)!;
    expect(formatDecimal(decimalOf(float)!)).toBe('0.1');
    const half = Buffer.from('-0x1p-1', 'latin1');
    expect(formatDecimal(decimalOf(parseLongDouble(half, 0, half.length)!)!)).toBe('-0.5');
  });

  randomTest('adds and compares exactly', 200, (random) => {
    const one = { digits: BigInt(random.between(-(10 ** 9), 10 ** 9)), scale: random.below(9) };
    const two = { digits: BigInt(random.between(-(10 ** 9), 10 ** 9)), scale: random.below(9) };
    const at = (value: typeof one) => value.digits * 10n ** BigInt(9 - value.scale);
    const sum = addDecimal(one, two);
    expect(sum.digits * 10n ** BigInt(9 - sum.scale)).toBe(at(one) + at(two));
    expect(Math.sign(compareDecimals(one, two))).toBe(
      at(one) < at(two) ? -1 : at(one) > at(two) ? 1 : 0,
    );
    const text = formatDecimal(one);
    if (!text.includes('e')) expect(Number(text)).toBe(Number(one.digits) / 10 ** one.scale);
  });
});
