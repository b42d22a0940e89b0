// Input of a large command: how much memory it takes while it comes.

import { describe, expect, it } from 'vitest';
import { LargeInput } from '../../src/net/connection.js';

const KB = 1024;
const LIMITS = { bulkBytesMax: 512 * 1024 * KB, queuedBytesMax: 1024 * 1024 * KB };

/** What has come of an argument that says it has `bytes`, the header included. */
function begin(bytes: number, come: number): LargeInput {
  const u8 = new Uint8Array(new ArrayBuffer(come)).fill(0x76);
  u8.set(Buffer.from(`*1\r\n$${bytes}\r\n`));
  const large = LargeInput.create(u8, 0, come, LIMITS, bytes);
  expect(large).not.toBeNull();
  large!.parser.next();
  return large!;
}

describe('input of a large command', () => {
  it('is given what an argument needs and no more, when enough of it has come', () => {
    const large = begin(300 * KB, 64 * KB);
    while (large.missingBytes > 0) {
      const least = Math.min(large.missingBytes, 16 * KB);
      expect(large.makeRoom(least)).toBeGreaterThanOrEqual(least);
      large.arrived(least);
      large.parser.next();
    }
    expect(large.u8.length).toBeLessThan(301 * KB);
    expect(large.end).toBe(large.u8.length);
  });

  it('is not given what a header alone promises', () => {
    const large = begin(256 * 1024 * KB, 64 * KB);
    expect(large.u8.length).toBe(512 * KB);
    large.arrived(large.makeRoom(16 * KB));
    large.makeRoom(16 * KB);
    expect(large.u8.length).toBeLessThan(4200 * KB);
  });
});
