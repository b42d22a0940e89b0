// What every key is put through before anything is looked up: its hash and its slot.

import { keySlot } from '../../src/base/crc.js';
import { hashBytes, setHashKey } from '../../src/base/hash.js';
import { xxh3 } from '../../src/base/xxh3.js';
import type { FloorBench } from '../floor.js';

const KEY_BYTES = [4, 16, 40, 100];
const KEYS = 256;

type Digest = (u8: Uint8Array, start: number, length: number) => number;

const slot: Digest = (u8, start, length) => keySlot(u8, start, length);
const hash: Digest = (u8, start, length) => hashBytes(u8, start, length);
const digest: Digest = (u8, start, length) => xxh3(u8, start, length).lo;

export const floorBench: FloorBench = {
  name: 'hash',
  about: 'the slot (CRC16), the keyed hash (HalfSipHash) and the digest (XXH3) of keys',
  prepare(isTiny) {
    setHashKey([0x01234567, 0x89abcdef]);
    const rounds = isTiny ? 1 : 16;
    return KEY_BYTES.flatMap((keyBytes) => [
      digestCase('slot', slot, keyBytes, rounds),
      digestCase('hash', hash, keyBytes, rounds),
      digestCase('xxh3', digest, keyBytes, rounds),
    ]);
  },
};

function digestCase(name: string, one: Digest, keyBytes: number, rounds: number) {
  const u8 = new Uint8Array(KEYS * keyBytes);
  for (let at = 0; at < u8.length; at += 1) u8[at] = 0x61 + ((at * 31) % 26);
  const run = () => {
    let sum = 0;
    for (let round = 0; round < rounds; round += 1) {
      for (let at = 0; at < u8.length; at += keyBytes) sum = (sum + one(u8, at, keyBytes)) | 0;
    }
    return sum;
  };
  return { name: `${name}, ${keyBytes} bytes`, operations: rounds * KEYS, run };
}
