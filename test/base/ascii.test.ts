import { describe, expect, it } from 'vitest';
import {
  addInt64,
  bigIntOfSlowly,
  compareInt64,
  cursor64,
  digitsOf,
  digitsOfInt64,
  equalsFolded,
  int64,
  int64FromBigIntSlowly,
  int64FromNumber,
  int64FromPair,
  literalOf,
  parseCursor,
  parseInt64,
  parseSafeInteger,
  subtractInt64,
  writeInt64,
  writeInteger,
  writeUint32,
} from '../../src/base/ascii.js';
import { Prng } from '../../src/base/prng.js';

const MIN = -(2n ** 63n);
const MAX = 2n ** 63n - 1n;

// Every text stands between other digits, so that a read past its end is seen.
function withText<Result>(
  text: string,
  read: (u8: Uint8Array, start: number, length: number) => Result,
): Result {
  return read(Buffer.from(`99${text}99`, 'latin1'), 2, text.length);
}

function parsed(text: string): bigint | null {
  if (!withText(text, parseInt64)) return null;
  return bigIntOfSlowly(int64.lo, int64.hi);
}

/** Redis's rule, said in another way. */
function expected(text: string): bigint | null {
  if (!/^(0|-?[1-9][0-9]*)$/.test(text) || text.length > 20) return null;
  const value = BigInt(text);
  return value >= MIN && value <= MAX ? value : null;
}

function pairOf(value: bigint): [number, number] {
  return [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))];
}

function written(write: (u8: Uint8Array, at: number) => number): string {
  const u8 = new Uint8Array(40).fill(0x2e);
  const bytes = write(u8, 3);
  const text = Buffer.from(u8).toString('latin1');
  expect(text.slice(0, 3)).toBe('...');
  expect(text.slice(3 + bytes)).toMatch(/^\.+$/);
  return text.slice(3, 3 + bytes);
}

/** Numbers around every power of two and of ten, and at the ends. */
function edges(): bigint[] {
  const values: bigint[] = [];
  for (let power = 0n; power < 64n; power++) values.push(2n ** power);
  for (let power = 0n; power < 20n; power++) values.push(10n ** power);
  const all = values.flatMap((value) => [value - 1n, value, value + 1n]);
  return [...all, ...all.map((value) => -value)];
}

const SEED = Number(process.env.SEED ?? 7);
const repeat = `SEED=${SEED} npx vitest run test/base/ascii.test.ts`;

function randomInt64(prng: Prng): bigint {
  const bits = (BigInt(prng.nextUint32()) << 32n) | BigInt(prng.nextUint32());
  return BigInt.asIntN(64, bits) >> BigInt(prng.below(64));
}

describe('parseInt64', () => {
  it('agrees with the rule on every text of up to five of the characters that matter', () => {
    const alphabet = ['0', '1', '9', '-', '+', ' ', '/', ':'];
    let texts = [''];
    for (let length = 0; length <= 5; length++) {
      for (const text of texts) {
        if (parsed(text) !== expected(text)) expect(parsed(text), text).toBe(expected(text));
        const safe = withText(text, parseSafeInteger);
        const value = expected(text);
        if (!Object.is(safe, value === null ? Number.NaN : Number(value))) expect(safe).toBe(text);
      }
      if (length < 5) texts = texts.flatMap((text) => alphabet.map((letter) => text + letter));
    }
  });

  it('is exact at the edges of every power of two and ten, and refuses what lies beyond', () => {
    for (const value of edges()) {
      const text = String(value);
      expect(parsed(text), text).toBe(expected(text));
      if (expected(text) === null) continue;
      expect(int64.value).toBe(Number(value));
      expect(int64.isSafe).toBe(Number.isSafeInteger(Number(value)));
      const isSafe = value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= Number.MAX_SAFE_INTEGER;
      expect(withText(text, parseSafeInteger), text).toBe(isSafe ? Number(value) : Number.NaN);
      expect(parsed(`0${text}`)).toBe(null);
      expect(parsed(`${text}x`)).toBe(null);
    }
  });

  it('refuses a character that is no digit at every place of a long number', () => {
    for (const digits of ['9223372036854775807', '1234567890123456', '-1234567890123456']) {
      for (let at = 0; at < digits.length; at++) {
        for (const wrong of ['/', ':', ' ', '-', 'a', '\0']) {
          const text = digits.slice(0, at) + wrong + digits.slice(at + 1);
          expect(parsed(text), text).toBe(expected(text));
        }
      }
    }
  });

  it('reads back what was written, for random numbers of every size', () => {
    const prng = new Prng(SEED);
    for (let round = 0; round < 20_000; round++) {
      const value = randomInt64(prng);
      const [lo, hi] = pairOf(value);
      const text = written((u8, at) => writeInt64(u8, at, lo, hi));
      if (text !== String(value)) expect(text, repeat).toBe(String(value));
      if (digitsOfInt64(lo, hi) !== text.length) expect(digitsOfInt64(lo, hi), text).toBe(repeat);
      if (parsed(text) !== value) expect(parsed(text), repeat).toBe(value);
    }
  });
});

describe('writing integers', () => {
  it('writes the edges of every power of two and ten as text does', () => {
    for (const value of edges().filter((value) => value >= MIN && value <= MAX)) {
      const [lo, hi] = pairOf(value);
      const text = String(value);
      expect(written((u8, at) => writeInt64(u8, at, lo, hi))).toBe(text);
      expect(digitsOfInt64(lo, hi)).toBe(text.length);
      const number = Number(value);
      if (!Number.isSafeInteger(number)) continue;
      expect(written((u8, at) => writeInteger(u8, at, number))).toBe(text);
      expect(digitsOf(number)).toBe(text.length);
      if (number >= 0 && number < 2 ** 32) {
        expect(written((u8, at) => writeUint32(u8, at, number))).toBe(text);
      }
    }
  });

  it('writes every number below 20000', () => {
    for (let value = 0; value < 20_000; value++) {
      const text = written((u8, at) => writeInteger(u8, at, value));
      if (text !== String(value)) expect(text).toBe(String(value));
    }
  });

  it('writes minus zero as zero', () => {
    expect(written((u8, at) => writeInteger(u8, at, -0))).toBe('0');
    expect(digitsOf(-0)).toBe(1);
  });
});

describe('int64 arithmetic', () => {
  it('adds, subtracts and compares as BigInt does and reports what does not fit', () => {
    const prng = new Prng(SEED);
    const values = [...edges().filter((value) => value >= MIN && value <= MAX)];
    for (let round = 0; round < 200; round++) values.push(randomInt64(prng));
    for (const a of values) {
      const [aLo, aHi] = pairOf(a);
      for (let round = 0; round < 40; round++) {
        const b = values[prng.below(values.length)]!;
        const [bLo, bHi] = pairOf(b);
        const sum = a + b;
        const isSum = addInt64(aLo, aHi, bLo, bHi);
        expect(isSum, repeat).toBe(sum >= MIN && sum <= MAX);
        if (isSum) expect(bigIntOfSlowly(int64.lo, int64.hi)).toBe(sum);
        const difference = a - b;
        const isDifference = subtractInt64(aLo, aHi, bLo, bHi);
        expect(isDifference, repeat).toBe(difference >= MIN && difference <= MAX);
        if (isDifference) expect(bigIntOfSlowly(int64.lo, int64.hi)).toBe(difference);
        expect(compareInt64(aLo, aHi, bLo, bHi)).toBe(a < b ? -1 : a > b ? 1 : 0);
      }
    }
  });

  it('leaves the last result alone when a sum overflows', () => {
    int64FromPair(5, 0);
    const [lo, hi] = pairOf(MAX);
    expect(addInt64(lo, hi, 1, 0)).toBe(false);
    expect(int64.value).toBe(5);
  });

  it('takes integral doubles within the 64 bits and nothing else', () => {
    for (const value of [
      0,
      -0,
      1,
      -1,
      2 ** 31,
      -(2 ** 31),
      2 ** 53,
      -(2 ** 62),
      -(2 ** 63),
      1e18,
    ]) {
      expect(int64FromNumber(value), String(value)).toBe(true);
      expect(bigIntOfSlowly(int64.lo, int64.hi)).toBe(BigInt(value));
      expect(int64.value).toBe(value + 0);
    }
    for (const value of [
      0.5,
      -1.5,
      2 ** 63,
      -1e19,
      Number.NaN,
      1 / 0,
      -1 / 0,
      5e-324,
      -5e-324,
      -1e-9,
    ]) {
      expect(int64FromNumber(value), String(value)).toBe(false);
    }
  });

  it('takes a BigInt of up to 64 bits', () => {
    for (const value of [0n, -1n, MIN, MAX]) {
      expect(int64FromBigIntSlowly(value)).toBe(true);
      expect(bigIntOfSlowly(int64.lo, int64.hi)).toBe(value);
    }
    expect(int64FromBigIntSlowly(MAX + 1n)).toBe(false);
    expect(int64FromBigIntSlowly(MIN - 1n)).toBe(false);
  });
});

describe('parseCursor', () => {
  function cursorOf(text: string): bigint | null {
    if (!withText(text, parseCursor)) return null;
    expect(cursor64.value).toBe(
      Number(BigInt.asUintN(64, bigIntOfSlowly(cursor64.lo, cursor64.hi))),
    );
    return BigInt.asUintN(64, bigIntOfSlowly(cursor64.lo, cursor64.hi));
  }

  it('reads what strtoul reads', () => {
    // Answers of a real server to SCAN with each of these cursors: taken, or "invalid cursor".
    const rows: [string, bigint | null][] = [
      ['0', 0n],
      ['', 0n],
      ['-0', 0n],
      ['+5', 5n],
      ['-5', 2n ** 64n - 5n],
      ['0000000000000000000000000000007', 7n],
      ['18446744073709551615', 2n ** 64n - 1n],
      ['-18446744073709551615', 1n],
      ['18446744073709551616', null],
      ['18446744073709551625', null],
      ['28446744073709551615', null],
      ['99999999999999999999', null],
      ['100000000000000000000', null],
      ['-18446744073709551616', null],
      ['9223372036854775808', 2n ** 63n],
      ['1234567890123', 1234567890123n],
      ['5\0garbage', 5n],
      ['\0', 0n],
      [' 5', null],
      ['\t5', null],
      ['5 ', null],
      ['5x', null],
      ['x', null],
      ['+', null],
      ['-', null],
      ['+-5', null],
      ['0x10', null],
      ['1.5', null],
    ];
    for (const [text, value] of rows) expect(cursorOf(text), JSON.stringify(text)).toBe(value);
  });

  it('agrees with BigInt for random digits', () => {
    const prng = new Prng(SEED);
    for (let round = 0; round < 5000; round++) {
      let text = '';
      for (let count = 1 + prng.below(21); count > 0; count--) text += prng.below(10);
      const value = BigInt(text);
      const isFit = value < 2n ** 64n;
      if (cursorOf(text) !== (isFit ? value : null)) expect(text).toBe(repeat);
    }
  });
});

describe('equalsFolded', () => {
  it('folds letters of the word, and letters only', () => {
    const literal = literalOf('exat');
    for (const text of ['EXAT', 'exat', 'eXaT']) {
      expect(withText(text, (u8, start, length) => equalsFolded(u8, start, length, literal))).toBe(
        true,
      );
    }
    for (const text of ['EXA', 'EXATS', 'EXAU', '']) {
      expect(withText(text, (u8, start, length) => equalsFolded(u8, start, length, literal))).toBe(
        false,
      );
    }
    for (let byte = 0; byte < 256; byte++) {
      for (const upper of [0x40, 0x41, 0x5a, 0x5b]) {
        const isEqual = equalsFolded(Uint8Array.of(byte), 0, 1, Uint8Array.of(upper));
        expect(isEqual).toBe(
          String.fromCharCode(byte).replace(/[a-z]/, (c) => c.toUpperCase()) ===
            String.fromCharCode(upper),
        );
      }
    }
  });
});
