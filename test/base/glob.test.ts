import { describe, expect, it } from 'vitest';
import { matchesGlob } from '../../src/base/glob.js';
import { fits, itemsOf } from '../model/glob.js';

function isMatch(pattern: string, text: string, isFolded = false): boolean {
  // What stands around both would change the answer if it were read.
  const a = Buffer.from(`*${pattern}*]`, 'latin1');
  const b = Buffer.from(`a${text}b`, 'latin1');
  return matchesGlob(a, 1, pattern.length, b, 1, text.length, isFolded);
}

/** All texts over the alphabet of up to `length` characters. */
function textsOf(alphabet: string, length: number): string[] {
  let last = [''];
  const all = [''];
  for (let count = 0; count < length; count++) {
    last = last.flatMap((text) => [...alphabet].map((letter) => text + letter));
    all.push(...last);
  }
  return all;
}

describe('matchesGlob', () => {
  it('agrees with a plain model on every short pattern and text', () => {
    const texts = textsOf('ab-', 3).filter((text) => text !== '');
    let matches = 0;
    for (const pattern of textsOf('ab*?[]^-\\', 4)) {
      const items = itemsOf(pattern);
      for (const text of texts) {
        const expected = fits(items, text);
        if (isMatch(pattern, text) !== expected) expect(`${pattern} ${text}`).toBe(expected);
        if (expected) matches++;
      }
    }
    expect(matches).toBeGreaterThan(5000);
  });

  it('agrees with the model on longer patterns of stars', () => {
    for (const pattern of textsOf('ab*', 7)) {
      const items = itemsOf(pattern);
      for (const text of ['a', 'ab', 'aab', 'abab', 'bbaab', 'aaaaaa', 'abbabba']) {
        if (isMatch(pattern, text) !== fits(items, text))
          expect(`${pattern} ${text}`).toBe('equal');
      }
    }
  });

  it('matches the empty text with the empty pattern only, not with a star', () => {
    expect(isMatch('', '')).toBe(true);
    for (const pattern of ['*', '**', '?', '[^a]', 'a'])
      expect(isMatch(pattern, ''), pattern).toBe(false);
    expect(isMatch('', 'a')).toBe(false);
  });

  it('does what Redis does with the odd patterns', () => {
    // Each row was answered by stringmatchlen of Redis 7.2.6 on x86-64.
    const rows: [string, string, boolean, boolean][] = [
      ['h[^e]llo', 'hello', false, false],
      ['h[a-b]llo', 'hbllo', true, true],
      ['h[b-a]llo', 'hbllo', true, true],
      ['h\\[a', 'h[a', true, true],
      ['a\\', 'a\\', true, true],
      ['[', '[', false, false],
      ['[^', 'x', true, true],
      ['[a', 'a', true, true],
      ['[]', ']', false, false],
      ['[^]', 'x', true, true],
      ['[\\]]', ']', true, true],
      ['[\\a]', 'A', false, false],
      ['[a]', 'A', false, true],
      ['[a-c]', 'B', false, true],
      ['[A-C]', 'b', false, true],
      ['[\\x41-', '-', true, true],
      ['[a-', '-', true, true],
      ['[a-]', 'b', false, false],
      ['[a-]', ']', true, true],
      ['HELLO*', 'hello world', false, true],
      ['\\HELLO', 'hello', false, true],
      ['[a-\xff]', '\0', true, true],
      ['[a-\xff]', 'b', false, false],
      ['[a-\xff]', '\xff', true, true],
      ['[a-\xff]', '\x80', false, false],
      ['[\x80-\x90]', '\x85', true, true],
      ['[a-\xe9]', 'b', false, false],
      ['[a-\xe9]', '\xf0', true, false],
      ['?', '\xff', true, true],
    ];
    for (const [pattern, text, plain, folded] of rows) {
      const named = JSON.stringify([pattern, text]);
      expect(isMatch(pattern, text), named).toBe(plain);
      expect(isMatch(pattern, text, true), `${named} folded`).toBe(folded);
    }
  });

  it('takes no exponential time for a pattern of many stars', () => {
    const text = 'a'.repeat(50_000);
    const startedMs = performance.now();
    expect(isMatch(`${'a*'.repeat(900)}b`, text)).toBe(false);
    expect(isMatch(`${'*a'.repeat(900)}*b*`, text)).toBe(false);
    expect(performance.now() - startedMs).toBeLessThan(30_000);
  });

  it('gives up beyond a thousand stars, as Redis does', () => {
    const text = 'a'.repeat(2000);
    expect(isMatch('*a'.repeat(1000), text)).toBe(true);
    expect(isMatch('*a'.repeat(1001), text)).toBe(false);
    expect(isMatch(`${'*a'.repeat(1000)}*`, text)).toBe(true);
    expect(isMatch('**a'.repeat(1000), text)).toBe(true);
  });
});
