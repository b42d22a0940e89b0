// Numbers as configuration files write them. Redis reads them with C's functions, and people rely
// on what those accept, so the readings here are theirs: the whole range of 64 bits, hence bigint.

export const INT32_MIN = -(2n ** 31n);
export const INT32_MAX = 2n ** 31n - 1n;
export const UINT32_MAX = 2n ** 32n - 1n;
export const INT64_MIN = -(2n ** 63n);
export const INT64_MAX = 2n ** 63n - 1n;
export const UINT64_MAX = 2n ** 64n - 1n;

export const KB = 1024;
export const MB = 1024 * KB;
export const GB = 1024 * MB;

// As in redis.conf: without the b a unit is decimal.
const BYTES_OF_UNIT: ReadonlyMap<string, bigint> = new Map([
  ['', 1n],
  ['b', 1n],
  ['k', 1000n],
  ['kb', BigInt(KB)],
  ['m', 1000n ** 2n],
  ['mb', BigInt(MB)],
  ['g', 1000n ** 3n],
  ['gb', BigInt(GB)],
]);

/** More digits than this are not read as a memory size. */
const MEMORY_DIGITS_MAX = 127;

/** A plain decimal integer of 64 bits: no blanks, no plus, no leading zeros. */
export function parseInteger(text: string): bigint | null {
  if (!/^(0|-?[1-9][0-9]{0,18})$/.test(text)) return null;
  const value = BigInt(text);
  return value >= INT64_MIN && value <= INT64_MAX ? value : null;
}

/**
 * A number of bytes with an optional unit. No digits at all count as 0, and what passes 64 bits
 * wraps, as in Redis; a size is never negative.
 */
export function parseMemory(text: string): bigint | null {
  const match = /^([0-9]*)([a-z]*)$/i.exec(text);
  const digits = match?.[1] ?? '';
  const unit = BYTES_OF_UNIT.get((match?.[2] ?? '').toLowerCase());
  if (match === null || unit === undefined || digits.length > MEMORY_DIGITS_MAX) return null;

  const count = digits === '' ? 0n : BigInt(digits);
  return BigInt.asUintN(64, (count > UINT64_MAX ? UINT64_MAX : count) * unit);
}

/** What C's strtoll makes of the whole text, blanks and plus before the digits included. */
export function parseLooseInteger(text: string): bigint | null {
  if (text === '') return 0n;
  const match = /^[ \t-\r]*([+-]?)([0-9]+)$/.exec(text);
  if (match === null) return null;
  const value = BigInt(match[2] ?? '0') * (match[1] === '-' ? -1n : 1n);
  if (value > INT64_MAX) return INT64_MAX;
  return value < INT64_MIN ? INT64_MIN : value;
}

/** Octal digits, as file modes are written. Past 64 bits it is no number. */
export function parseOctal(text: string): bigint | null {
  if (text === '') return 0n;
  const match = /^[ \t-\r]*([+-]?)([0-7]+)$/.exec(text);
  if (match === null) return null;
  const value = BigInt(`0o${match[2]}`) * (match[1] === '-' ? -1n : 1n);
  return value >= INT64_MIN && value <= INT64_MAX ? value : null;
}

/** A floating-point number, infinities included, with nothing around it. */
export function parseDecimal(text: string): number | null {
  if (/^[+-]?inf(inity)?$/i.test(text)) {
    return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }
  const isDecimal = /^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?$/i.test(text);
  return isDecimal ? Number(text) : null;
}

/** Up to six decimals, without the zeros at their end. */
export function formatDecimal(value: number): string {
  return value.toFixed(6).replace(/\.?0+$/, '');
}

/** Bytes with the largest unit that leaves nothing over. */
export function formatMemory(bytes: bigint): string {
  for (const unit of ['gb', 'mb', 'kb']) {
    const unitBytes = BYTES_OF_UNIT.get(unit) ?? 1n;
    if (bytes !== 0n && bytes % unitBytes === 0n) return `${bytes / unitBytes}${unit}`;
  }
  return String(bytes);
}
