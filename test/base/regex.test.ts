// Regular expressions against those of JavaScript where both mean the same, and what is refused.

import { describe, expect, it } from 'vitest';
import { Regex } from '../../src/base/regex.js';
import { BACK_REFERENCES, OUT_OF_MEMORY } from '../../src/base/regex-syntax.js';
import { randomTest } from '../support/random-test.js';
import type { Random } from '../support/seed.js';

function matches(pattern: string, text: string, isFolded = false): boolean {
  const bytes = Buffer.from(`<${text}>`, 'latin1');
  return new Regex(pattern, isFolded).matches(bytes, 1, bytes.length - 2);
}

function refusalOf(pattern: string): string {
  try {
    new Regex(pattern, false);
  } catch (error) {
    return (error as Error).message;
  }
  return 'none';
}

describe('a regular expression', () => {
  it('matches as POSIX and TRE say', () => {
    const rows: readonly (readonly [string, string, boolean])[] = [
      ['abc', 'xabcx', true],
      ['abc', 'xabx', false],
      ['^abc$', 'abc', true],
      ['^abc$', 'abcd', false],
      ['^$', '', true],
      ['', 'anything', true],
      ['foo|bar', 'a bar', true],
      ['^(foo|bar)$', 'foobar', false],
      ['a|', 'b', true],
      ['()', 'b', true],
      ['^item-(foo|bar)-[0-9]{3}$', 'item-bar-456', true],
      ['^a{2,3}$', 'aaaa', false],
      ['^a{2,}$', 'aaaa', true],
      ['^a{,2}$', 'aa', true],
      ['^a{,}$', 'aaaaa', true],
      ['^(ab){2}$', 'abab', true],
      ['^a*?b$', 'aaab', true],
      ['^(a*)*$', 'aaaa', true],
      ['^[]a]+$', ']a]', true],
      ['^[^]a]+$', 'b]', false],
      ['^[a-]+$', 'a-a', true],
      ['^[[:alpha:]_]+$', 'ab_C', true],
      ['[[:digit:]]', 'abc', false],
      ['^[\\n]$', '\\', true],
      ['^.$', '\n', true],
      ['^.$', '\0', true],
      ['^\\x41\\x{42}$', 'AB', true],
      ['\\bcat\\b', 'a cat.', true],
      ['\\bcat\\b', 'concat', false],
      ['\\<cat', 'concat', false],
      ['cat\\>', 'concat', true],
      ['\\Bcat', 'concat', true],
      ['^\\d+\\s\\w+$', '42 apples', true],
      ['^\\D\\S\\W$', 'ab!', true],
      ['^\\.\\*$', '.*', true],
      ['^\\Qa.b\\E.$', 'a.bc', true],
      ['^\\Qa.b\\E$', 'axb', false],
      ['(?i)ABC', 'xabc', true],
      ['(?i:A)b', 'ab', true],
      ['(?i:A)b', 'aB', false],
      ['a(?#comment)b', 'ab', true],
      ['^(?:ab)+$', 'abab', true],
      ['\xe9', '\xe9', true],
    ];
    for (const [pattern, text, expected] of rows) {
      expect([pattern, text, matches(pattern, text)]).toEqual([pattern, text, expected]);
    }
  });

  it('finds letters of either case when it is folded', () => {
    expect(matches('^[a-c]X$', 'Bx', true)).toBe(true);
    expect(matches('^[^a-c]$', 'B', true)).toBe(false);
    expect(matches('STRASSE', 'strasse', true)).toBe(true);
    expect(matches('\xe9', '\xc9', true)).toBe(false);
  });

  it('says what is wrong with it', () => {
    const rows: readonly (readonly [string, string])[] = [
      ['(', "Missing ')'"],
      ['a)', "Missing ')'"],
      ['[a', "Missing ']'"],
      ['a{1', "Missing '}'"],
      ['\\x{1', "Missing '}'"],
      ['a{2,1}', 'Invalid contents of {}'],
      ['a{x}', 'Invalid contents of {}'],
      ['a{~2}', 'Invalid contents of {}'],
      ['a{256}', 'Maximum repetition in {} larger than 255'],
      ['[b-a]', 'Invalid character range'],
      ['[[:nothing:]]', 'Unknown character class name'],
      ['[[.a.]]', 'Unknown collating element'],
      ['\\', 'Trailing backslash'],
      ['*a', 'Invalid use of repetition operators'],
      ['a**', 'Invalid use of repetition operators'],
      ['(a)\\1', BACK_REFERENCES],
      ['(a)\\2', 'Invalid back reference'],
      ['(?n)a', 'Invalid regexp'],
      ['(((a{255}){255}){255}){255}', OUT_OF_MEMORY],
      ['('.repeat(1000), OUT_OF_MEMORY],
    ];
    for (const [pattern, refusal] of rows) {
      expect([pattern, refusalOf(pattern)]).toEqual([pattern, refusal]);
    }
  });

  randomTest('matches what a regular expression of JavaScript matches', 400, (random) => {
    const pattern = anyChoice(random, 3);
    const isFolded = random.chance(0.3);
    const model = new RegExp(pattern, isFolded ? 'is' : 's');
    const regex = new Regex(pattern, isFolded);
    for (let count = 0; count < 20; count++) {
      const text = Array.from({ length: random.below(12) }, () => random.pick(LETTERS)).join('');
      const bytes = Buffer.from(text, 'latin1');
      expect([pattern, text, regex.matches(bytes, 0, bytes.length)]).toEqual([
        pattern,
        text,
        model.test(text),
      ]);
    }
  });

  it('takes a time that grows with the text only, however it is made', () => {
    const text = 'a'.repeat(20_000);
    expect(matches('^(a|a|aa)*$', text)).toBe(true);
    expect(matches('^(a*)*b$', text)).toBe(false);
    expect(matches('(x+x+)+y', 'x'.repeat(20_000))).toBe(false);
    expect(matches(`^(a|b)*a(a|b){12}$`, `${'ab'.repeat(5000)}aaaaaaaaaaaaa`)).toBe(true);
  });

  it('forgets states that became too many, and goes on', () => {
    const random = Array.from({ length: 20_000 }, (_, index) =>
      (index * index) % 7 < 3 ? 'a' : 'b',
    );
    const text = `${random.join('')}c`;
    expect(matches('a(a|b){200}c', text)).toBe(/a[ab]{200}c/.test(text));
    expect(matches('a(a|b){200}d', text)).toBe(false);
  });
});

const LETTERS = ['a', 'b', 'A', 'B', '_', ' ', '\n', '1', '-'] as const;

/** Expressions that mean the same to both. */
function anyChoice(random: Random, depth: number): string {
  const count = random.chance(0.3) ? 2 : 1;
  return Array.from({ length: count }, () => anyBranch(random, depth)).join('|');
}

function anyBranch(random: Random, depth: number): string {
  return Array.from({ length: random.between(1, 4) }, () => {
    const atom = anyAtom(random, depth);
    const isAssertion = /^(?:\^|\$|\\b|\\B)$/.test(atom);
    if (isAssertion || random.chance(0.6)) return atom;
    return atom + random.pick(['*', '+', '?', '*?', '{2}', '{1,3}', '{0,1}', '{2,}']);
  }).join('');
}

function anyAtom(random: Random, depth: number): string {
  if (depth > 0 && random.chance(0.2)) return `(${anyChoice(random, depth - 1)})`;
  return random.pick([
    ...['a', 'b', 'A', '1', '_', '-', '.', '[ab]', '[^a]', '[a-b1]', '[^b_]'],
    ...['\\w', '\\W', '\\d', '\\D', '^', '$', '\\b', '\\B'],
  ]);
}
