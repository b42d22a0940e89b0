import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatDecimal,
  formatMemory,
  parseInteger,
  parseMemory,
} from '../../src/config/numbers.js';
import { fromByteText, quoteWord, splitWords, toByteText } from '../../src/config/words.js';

describe('The words of a line', () => {
  it.each<[string, string[] | null]>([
    ['', []],
    ['  \t ', []],
    ['a b\tc', ['a', 'b', 'c']],
    ['a "" b', ['a', '', 'b']],
    ['"a b" c', ['a b', 'c']],
    ["'a b' c", ['a b', 'c']],
    ['pre"quoted rest" next', ['prequoted rest', 'next']],
    [String.raw`"\n\r\t\b\a\\\"\q"`, ['\n\r\t\b\x07\\"q']],
    [String.raw`"\x41\xfF\xg1\x4"`, ['A\xffxg1x4']],
    [String.raw`'it\'s \n raw'`, ["it's \\n raw"]],
    [String.raw`back\slash`, ['back\\slash']],
    ['"open', null],
    ["'open", null],
    [String.raw`"ends in backslash\"`, null],
    [`"a"b`, null],
    [`'a'"b"`, null],
    ['a # no comment here', ['a', '#', 'no', 'comment', 'here']],
    ['a\vb \v c', ['a\vb', 'c']],
    ['a\0b c', ['a']],
  ])('of %j are %j', (line, words) => {
    expect(splitWords(line)).toEqual(words);
  });

  it('come back from their quoted form, whatever bytes they hold', () => {
    const bytes = fc
      .array(fc.integer({ min: 0, max: 255 }))
      .map((codes) => String.fromCharCode(...codes));
    fc.assert(
      fc.property(fc.array(bytes), (words) => {
        expect(splitWords(words.map(quoteWord).join(' '))).toEqual(words);
      }),
    );
  });

  it('become byte text and readable text again', () => {
    expect(toByteText('é')).toBe('\xc3\xa9');
    expect(fromByteText(toByteText('žluť 🪨'))).toBe('žluť 🪨');
    expect(quoteWord(toByteText('é'))).toBe(String.raw`"\xc3\xa9"`);
  });
});

describe('Numbers', () => {
  it.each<[string, bigint | null]>([
    ['0', 0n],
    ['-0', null],
    ['00', null],
    ['+1', null],
    [' 1', null],
    ['1 ', null],
    ['', null],
    ['-9223372036854775808', -(2n ** 63n)],
    ['9223372036854775807', 2n ** 63n - 1n],
    ['9223372036854775808', null],
  ])('%j as an integer is %s', (text, value) => {
    expect(parseInteger(text)).toBe(value);
  });

  it.each<[string, bigint | null]>([
    ['1', 1n],
    ['1b', 1n],
    ['1k', 1000n],
    ['1kb', 1024n],
    ['2M', 2_000_000n],
    ['2Mb', 2_097_152n],
    ['3g', 3_000_000_000n],
    ['3GB', 3_221_225_472n],
    ['', 0n],
    ['kb', 0n],
    ['1t', null],
    ['-1', null],
    ['1.5gb', null],
    ['1 gb', null],
    ['18446744073709551616', 2n ** 64n - 1n],
  ])('%j as memory is %s', (text, value) => {
    expect(parseMemory(text)).toBe(value);
  });

  it('show the largest unit that fits exactly', () => {
    const shown = [0n, 1000n, 1024n, 1536n, 3n << 20n, 5n << 30n, (1n << 30n) + 1n];
    expect(shown.map(formatMemory)).toEqual([
      '0',
      '1000',
      '1kb',
      '1536',
      '3mb',
      '5gb',
      '1073741825',
    ]);
    expect([0, 50, 99.9, 100, 99.123456789].map(formatDecimal)).toEqual([
      '0',
      '50',
      '99.9',
      '100',
      '99.123457',
    ]);
  });
});
