import { describe, expect, it } from 'vitest';
import { Crc64, crc16, crc32, keySlot, SLOT_COUNT } from '../../src/base/crc.js';
import { Prng } from '../../src/base/prng.js';

// CLUSTER KEYSLOT of Redis 7.2.6.
const SLOTS: readonly [string, number][] = [
  ['', 0],
  ['123456789', 12739],
  ['foo', 12182],
  ['{user1000}.following', 3443],
  ['{user1000}.followers', 3443],
  ['foo{}{bar}', 8363],
  ['foo{{bar}}zap', 4015],
  ['foo{bar}{zap}', 5061],
  ['{}', 15257],
  ['{a', 10276],
  ['a}', 5921],
  ['{a}', 15495],
  ['}{a}', 15495],
  ['a{b', 13340],
  ['{', 4092],
  ['}', 12090],
  ['key:0000000001', 10712],
  ['somekey', 11058],
  ['\xff\x00{x}', 16287],
  ['0123456789abcdef', 10405],
  ['aaaa{', 1879],
  ['aaa{b}', 3300],
  ['{b}aaaaaaaaaaaaaaa', 3300],
  ['user:{42}:profile', 8000],
];

const SEED = Number(process.env.SEED ?? 17);
const repeat = `SEED=${SEED} npx vitest run test/base/crc.test.ts`;

/** The checksum of "123456789", which every catalogue of CRCs prints. */
const CHECK = Buffer.from('123456789');

function bytesOf(prng: Prng, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => prng.below(256));
}

/** Bit by bit, as the definition goes. */
function plainCrc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++)
      crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
  }
  return crc;
}

function plainReflected(bytes: Uint8Array, polynomial: bigint, start: bigint): bigint {
  let crc = start;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ polynomial : crc >> 1n;
  }
  return crc;
}

function hexOf(crc: Crc64): string {
  return crc.hi.toString(16).padStart(8, '0') + crc.lo.toString(16).padStart(8, '0');
}

describe('keySlot', () => {
  it('agrees with CLUSTER KEYSLOT', () => {
    for (const [key, slot] of SLOTS) {
      const bytes = Buffer.from(`{x}${key}}`, 'latin1');
      expect(keySlot(bytes, 3, bytes.length - 4), JSON.stringify(key)).toBe(slot);
    }
  });

  it('follows the rule of the tag for random keys with braces', () => {
    const prng = new Prng(SEED);
    for (let round = 0; round < 20_000; round++) {
      let key = '';
      for (let count = prng.below(20); count > 0; count--) key += 'ab{}'.charAt(prng.below(4));
      const tag = /^[^{]*\{([^}]+)\}/.exec(key)?.[1];
      const slot = plainCrc16(Buffer.from(tag ?? key)) % SLOT_COUNT;
      const bytes = Buffer.from(key);
      if (keySlot(bytes, 0, bytes.length) !== slot) expect(key, repeat).toBe(slot);
    }
  });
});

describe('the checksums', () => {
  it('give the check values of the catalogue', () => {
    const crc = new Crc64();
    crc.update(CHECK, 0, 9);
    expect(crc16(CHECK, 0, 9)).toBe(0x31c3);
    expect(crc32(CHECK, 0, 9)).toBe(0xcbf43926);
    expect(hexOf(crc)).toBe('e9c6d914c4b8d9ca');
  });

  it('agree with their bit-by-bit definitions at every length up to 70', () => {
    const prng = new Prng(SEED);
    for (let length = 0; length <= 70; length++) {
      const bytes = bytesOf(prng, length + 6);
      const range = bytes.subarray(3, 3 + length);
      expect(crc16(bytes, 3, length), repeat).toBe(plainCrc16(range));
      const wanted = plainReflected(range, 0xedb88320n, 0xffffffffn) ^ 0xffffffffn;
      expect(crc32(bytes, 3, length), repeat).toBe(Number(wanted));
      const crc = new Crc64();
      crc.update(bytes, 3, length);
      const wanted64 = plainReflected(range, 0x95ac9329ac4bc9b5n, 0n);
      expect(hexOf(crc), repeat).toBe(wanted64.toString(16).padStart(16, '0'));
    }
  });

  it('may be taken in pieces', () => {
    const prng = new Prng(SEED);
    const bytes = bytesOf(prng, 200);
    const whole = new Crc64();
    whole.update(bytes, 0, 200);
    for (let cut = 0; cut <= 200; cut++) {
      const crc = new Crc64();
      crc.update(bytes, 0, cut);
      crc.update(bytes, cut, 200 - cut);
      expect(hexOf(crc)).toBe(hexOf(whole));
    }
    whole.reset();
    expect(hexOf(whole)).toBe('0'.repeat(16));
  });
});
