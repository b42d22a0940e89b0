// Decimals of any length, for sums that must come out exactly: digits / 10^scale. BigInt: they are
// made a few times for each command, not for each value.

import type { LongDouble } from './long-double.js';

export interface Decimal {
  readonly digits: bigint;
  /** 0 or more. */
  readonly scale: number;
}

/** printf's precision for a long double, as Redis asks for it. */
const PRECISION = 17;
/** Below 10^-4 it writes an exponent. */
const EXPONENT_MIN = -4;

function rescaled({ digits, scale }: Decimal, wanted: number): bigint {
  return digits * 10n ** BigInt(wanted - scale);
}

export function addDecimal(a: Decimal, b: Decimal): Decimal {
  const scale = Math.max(a.scale, b.scale);
  return { digits: rescaled(a, scale) + rescaled(b, scale), scale };
}

/** Negative, 0 or positive as a is less than, equal to or greater than b. */
export function compareDecimals(a: Decimal, b: Decimal): number {
  const scale = Math.max(a.scale, b.scale);
  const difference = rescaled(a, scale) - rescaled(b, scale);
  if (difference === 0n) return 0;
  return difference < 0n ? -1 : 1;
}

/** A float exactly: every power of two is a decimal. Null for an infinity. */
export function decimalOf(float: LongDouble): Decimal | null {
  if (float.isInfinite) return null;
  const signed = float.isNegative ? -float.mantissa : float.mantissa;
  if (float.exponent >= 0) return { digits: signed << BigInt(float.exponent), scale: 0 };
  if (signed === 0n) return { digits: 0n, scale: 0 };
  // m / 2^e = m · 5^e / 10^e
  return { digits: signed * 5n ** BigInt(-float.exponent), scale: -float.exponent };
}

/** C's "%.17Lg": 17 significant digits, ties to even, no trailing zeros, an exponent if need be. */
export function formatDecimal({ digits, scale }: Decimal): string {
  if (digits === 0n) return '0';
  const sign = digits < 0n ? '-' : '';
  let text = (digits < 0n ? -digits : digits).toString();
  let exponent = text.length - 1 - scale;
  if (text.length > PRECISION) {
    text = rounded(text);
    if (text.length > PRECISION) exponent++;
  }
  const significant = text.slice(0, PRECISION).replace(/0+$/, '');
  if (exponent < EXPONENT_MIN || exponent >= PRECISION) {
    const fraction = significant.length > 1 ? `.${significant.slice(1)}` : '';
    const power = String(Math.abs(exponent)).padStart(2, '0');
    return `${sign}${significant[0]}${fraction}e${exponent < 0 ? '-' : '+'}${power}`;
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${significant}`;
  const whole = significant.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  const fraction = significant.slice(exponent + 1);
  return fraction === '' ? sign + whole : `${sign}${whole}.${fraction}`;
}

/** The first 17 digits, rounded by those behind them; 18 digits when that carries over. */
function rounded(text: string): string {
  const kept = BigInt(text.slice(0, PRECISION));
  const rest = text.slice(PRECISION);
  const half = `5${'0'.repeat(rest.length - 1)}`;
  const isUp = rest > half || (rest === half && kept % 2n === 1n);
  return String(isUp ? kept + 1n : kept);
}
