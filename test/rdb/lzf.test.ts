// LZF against texts that a real server (Redis 7.2.6) has compressed, against itself, and against
// broken ones.

import { describe, expect, it } from 'vitest';
import { LZF_RATIO_MAX, lzfCompress, lzfDecompress } from '../../src/rdb/lzf.js';
import { randomTest } from '../support/random-test.js';

const FOX =
  'The quick brown fox jumps over the lazy dog. The quick brown fox jumps over the lazy cat.';
const X_5000 = `017878${'e0ff00'.repeat(18)}e0eb00017878`;

/** From DUMP: what stands behind 0xc3 and the two lengths. */
const OF_REDIS: readonly (readonly [text: string, compressed: string])[] = [
  ['a'.repeat(100), '016161e05700016161'],
  ['abc'.repeat(12), '0361626361e01502016263'],
  [
    FOX,
    '1f54686520717569636b2062726f776e20666f78206a756d7073206f7665722074201e0a6c617a7920646f672e' +
      '2054200de01b2c036361742e',
  ],
  ['x'.repeat(5000), X_5000],
  [`${'0123456789'.repeat(40)}end`, '0a3031323334353637383930e0ff09e1740d02656e64'],
];

function decompress(compressed: Uint8Array, length: number): string | null {
  const out = Buffer.alloc(length);
  return lzfDecompress(compressed, 0, compressed.length, out, length)
    ? out.toString('latin1')
    : null;
}

function compress(text: string, room = text.length + 64): Buffer | null {
  const bytes = Buffer.from(text, 'latin1');
  const out = Buffer.alloc(room + 2, 0xee);
  const length = lzfCompress(bytes, 0, bytes.length, out, 1, room);
  // Nothing is written before or behind the room.
  expect([out[0], out[room + 1]]).toEqual([0xee, 0xee]);
  return length === 0 ? null : Buffer.from(out.subarray(1, 1 + length));
}

describe('LZF', () => {
  it.each(OF_REDIS)('reads what Redis has compressed: %s', (text, compressed) => {
    expect(decompress(Buffer.from(compressed, 'hex'), text.length)).toBe(text);
  });

  it.each(OF_REDIS)('compresses as well as Redis: %s', (text, compressed) => {
    const own = compress(text)!;

    expect(decompress(own, text.length)).toBe(text);
    expect(own.length).toBeLessThanOrEqual(compressed.length / 2 + 2);
  });

  randomTest('reads what it has written, whatever it is', 300, (random) => {
    const alphabet = random.pick([1, 2, 4, 26, 256]);
    const length = random.pick([1, 3, 20, 300, 9000, 20_000]);
    let text = '';
    while (text.length < length) {
      if (random.chance(0.1)) text += text.slice(-random.between(1, 9000));
      else text += String.fromCharCode(random.below(alphabet));
    }

    expect(decompress(compress(text)!, text.length)).toBe(text);
  });

  it('gives up where there is no room', () => {
    const text = FOX.repeat(3);
    const length = compress(text)!.length;

    expect(compress(text, length)).not.toBeNull();
    for (let room = 0; room < length; room++) expect(compress(text, room)).toBeNull();
  });

  it('refuses what is broken, and reads nothing beyond it', () => {
    const good = Buffer.from(OF_REDIS[2]![1], 'hex');

    expect(decompress(good, FOX.length - 1)).toBeNull();
    expect(decompress(good, FOX.length + 1)).toBeNull();
    for (let cut = 1; cut < good.length; cut++) {
      expect(decompress(good.subarray(0, cut), FOX.length)).toBeNull();
    }
    expect(decompress(Buffer.of(0x20, 0), 3)).toBeNull();
    expect(decompress(Buffer.of(0, 0x61, 0x20, 1), 4)).toBeNull();
    expect(decompress(Buffer.of(0, 0x61, 0xe0, 5), 15)).toBeNull();
    expect(decompress(Buffer.of(0, 0x61, 0xe0), 15)).toBeNull();
  });

  it('never stands for more than the ratio that readers count on', () => {
    const bytes = compress('a'.repeat(100_000))!;

    expect(100_000 / bytes.length).toBeLessThanOrEqual(LZF_RATIO_MAX);
  });
});
