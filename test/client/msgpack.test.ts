// The client's own MessagePack beside msgpackr, which the gateway's tests trust.

import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { decode, type Encodable, encode } from '../../src/client/msgpack.js';
import { ReplyError } from '../../src/client/value.js';

const packr = new Packr({ useRecords: false, mapsAsObjects: false });

const VALUES: readonly Encodable[] = [
  ...[null, true, false, 0, 1, 127, 128, 255, 256, 65535, 65536, 4294967295, 4294967296],
  ...[-1, -32, -33, -128, -129, -32769, -2147483649, 0.5, -0.25, 1e300],
  ...[2n ** 63n - 1n, -(2n ** 63n), 2n ** 64n - 1n],
  ...['', 'a', 'é'.repeat(10), 'x'.repeat(31), 'x'.repeat(32), 'ü'.repeat(200), 'y'.repeat(70000)],
  ...[new Uint8Array(0), new Uint8Array(255).fill(7), new Uint8Array(70000).fill(9)],
  [],
  Array.from({ length: 16 }, (_, index) => index),
  Array.from({ length: 70000 }, () => 'z'),
  [1, ['SET', 'k', new Uint8Array([1, 2])], [[null]]],
];

/** Bytes of any class are the same here, and so are numbers, whichever way they came. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint' || Number.isSafeInteger(value)) return String(value);
  if (value instanceof Uint8Array) return Array.from(value);
  return Array.isArray(value) ? value.map(plain) : value;
}

describe("the client's MessagePack", () => {
  it('writes what msgpackr reads', () => {
    for (const value of VALUES) expect(plain(packr.unpack(encode(value)))).toEqual(plain(value));
  });

  it('reads what msgpackr and it itself write', () => {
    for (const value of VALUES) {
      expect(plain(decode(packr.pack(value)))).toEqual(plain(value));
      expect(plain(decode(encode(value)))).toEqual(plain(value));
    }
    const map = new Map<unknown, unknown>([
      ['a', 1],
      [2, [new Map([['b', null]])]],
    ]);
    expect(decode(packr.pack(map))).toEqual(map);
  });

  it('writes ids without a sign, as the gateway wants them', () => {
    for (const id of [0, 127, 128, 255, 256, 2147483648, 4294967295]) {
      expect([0xcc, 0xce, id]).toContain(encode(id)[0]);
    }
  });

  it('reads an error that stands inside a value', () => {
    const bytes = new TextEncoder().encode('WRONGTYPE no');
    const value = decode(new Uint8Array([0xc7, bytes.length, 1, ...bytes]));
    expect(value).toBeInstanceOf(ReplyError);
    expect((value as ReplyError).code).toBe('WRONGTYPE');
  });

  it('refuses what is cut short, too long, too deep or unknown', () => {
    const whole = encode(['abc', 300, new Uint8Array(300)]);
    for (let length = 0; length < whole.length; length++) {
      expect(() => decode(whole.subarray(0, length))).toThrow(RangeError);
    }
    expect(() => decode(new Uint8Array([...whole, 0]))).toThrow(RangeError);
    expect(() => decode(new Uint8Array(200).fill(0x91))).toThrow(RangeError);
    expect(() => decode(new Uint8Array([0xc1]))).toThrow(RangeError);
  });
});
