// What the oracle takes for the same answer, and what not.

import { describe, expect, it } from 'vitest';
import { agree } from './compare.js';
import { compareVersions, episodeSteps } from './differential.js';

const bytes = (text: string): Buffer => Buffer.from(text.replaceAll('|', '\r\n'), 'latin1');

describe('two replies agree', () => {
  it('when their bytes are the same', () => {
    expect(agree(['GET', 'a'], bytes('$1|x|'), bytes('$1|x|'))).toBe(true);
    expect(agree(['GET', 'a'], bytes('$1|x|'), bytes('$1|y|'))).toBe(false);
    expect(agree(['GET', 'a'], bytes('$-1|'), bytes('*-1|'))).toBe(false);
  });

  it('in any order where a command has none', () => {
    const [left, right] = [bytes('*2|$1|a|$1|b|'), bytes('*2|$1|b|$1|a|')];
    expect(agree(['KEYS', '*'], left, right)).toBe(true);
    expect(agree(['MGET', 'a', 'b'], left, right)).toBe(false);
    expect(agree(['keys', '*'], left, bytes('*2|$1|b|$1|b|'))).toBe(false);
  });

  it('when times are near, but a missing key is near to nothing', () => {
    expect(agree(['PTTL', 'a'], bytes(':10000|'), bytes(':10400|'))).toBe(true);
    expect(agree(['PTTL', 'a'], bytes(':10000|'), bytes(':90000|'))).toBe(false);
    expect(agree(['TTL', 'a'], bytes(':-1|'), bytes(':-2|'))).toBe(false);
    expect(agree(['TTL', 'a'], bytes(':-1|'), bytes(':1|'))).toBe(false);
  });

  it('pair by pair where fields have no order', () => {
    const [left, right] = [bytes('*4|$1|a|$1|1|$1|b|$1|2|'), bytes('*4|$1|b|$1|2|$1|a|$1|1|')];
    expect(agree(['HGETALL', 'h'], left, right)).toBe(true);
    expect(agree(['HGETALL', 'h'], left, bytes('*4|$1|b|$1|1|$1|a|$1|2|'))).toBe(false);
    expect(agree(['HGETALL', 'h'], bytes('%1|$1|a|$1|1|'), bytes('%1|$1|a|$1|2|'))).toBe(false);
  });

  it('but for facts of their own and for times', () => {
    const stream = (keys: number, length: number) =>
      bytes(`*4|$6|length|:${length}|$15|radix-tree-keys|:${keys}|`);
    expect(agree(['XINFO', 'STREAM', 's'], stream(1, 5), stream(2, 5))).toBe(true);
    expect(agree(['XINFO', 'STREAM', 's'], stream(1, 5), stream(1, 6))).toBe(false);
    const pending = (idle: number, count: number) => bytes(`*1|*4|$3|1-1|$1|c|:${idle}|:${count}|`);
    const words = ['XPENDING', 's', 'g', '-', '+', '10'];
    expect(agree(words, pending(5, 1), pending(700, 1))).toBe(true);
    expect(agree(words, pending(5, 1), pending(5, 2))).toBe(false);
  });

  it('up to a zero byte where texts are collated', () => {
    const left = Buffer.from('*2\r\n$1\r\n1\r\n$2\r\n1\0\r\n', 'latin1');
    const right = Buffer.from('*2\r\n$2\r\n1\0\r\n$1\r\n1\r\n', 'latin1');
    expect(agree(['SORT', 's', 'ALPHA'], left, right)).toBe(true);
    expect(agree(['SORT', 's'], left, right)).toBe(false);
    const swapped = Buffer.from('*2\r\n$1\r\n2\r\n$1\r\n1\r\n', 'latin1');
    const sorted = Buffer.from('*2\r\n$1\r\n1\r\n$1\r\n2\r\n', 'latin1');
    expect(agree(['SORT', 's', 'ALPHA'], swapped, sorted)).toBe(false);
  });

  it('by their number where a set is cut without being sorted', () => {
    const [left, right] = [bytes('*1|$1|a|'), bytes('*1|$1|b|')];
    expect(agree(['SORT', 's', 'BY', 'nosort', 'LIMIT', '0', '1'], left, right)).toBe(true);
    expect(agree(['SORT', 's', 'BY', 'nosort'], left, right)).toBe(false);
    expect(agree(['SORT', 's', 'ALPHA'], left, right)).toBe(false);
  });

  it('by their type alone where the answer is the server’s own', () => {
    expect(agree(['OBJECT', 'IDLETIME', 'a'], bytes(':1|'), bytes(':9|'))).toBe(true);
    expect(agree(['OBJECT', 'ENCODING', 'a'], bytes('$1|a|'), bytes('$1|b|'))).toBe(false);
    expect(agree(['MEMORY', 'USAGE', 'a'], bytes(':56|'), bytes('$-1|'))).toBe(false);
  });
});

describe('a stream', () => {
  it('is the same for the same seed and another for another', () => {
    expect(episodeSteps(1, 0, 500)).toEqual(episodeSteps(1, 0, 500));
    expect(episodeSteps(1, 0, 500)).not.toEqual(episodeSteps(1, 1, 500));
    expect(episodeSteps(1, 0, 500)).not.toEqual(episodeSteps(2, 0, 500));
  });
});

describe('versions', () => {
  it('are ordered by major and minor number', () => {
    expect(compareVersions('7.0.15', '7.2.6')).toBeLessThan(0);
    expect(compareVersions('7.2.0', '7.2.6')).toBe(0);
    expect(compareVersions('8.0.0', '7.4.1')).toBeGreaterThan(0);
  });
});
