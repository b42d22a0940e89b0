import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { isLibcAvailable } from '../../src/base/libc.js';
import { trimMalloc } from '../../src/base/malloc.js';

const MB = 2 ** 20;
const BLOCKS = 2000;
/** Small enough to come from an arena, in whole. */
const BLOCK_BYTES = 60_000;
/** One of so many is kept, so that no end of the arena is free by itself. */
const KEPT = 50;

const resident = () => process.memoryUsage.rss();
const isGlibc = JSON.stringify(process.report.getReport()).includes('glibcVersionRuntime');

/** In a function of its own, so that nothing refers to the others any more. */
function fillAndKeepSome(): Buffer[] {
  const all = Array.from({ length: BLOCKS }, () => Buffer.allocUnsafeSlow(BLOCK_BYTES).fill(1));
  return all.filter((_, index) => index % KEPT === 0);
}

describe.skipIf(!isLibcAvailable() || !isGlibc)('malloc', () => {
  it('gives back what was freed', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const atFirst = resident();
    const kept = fillAndKeepSome();
    expect(resident() - atFirst).toBeGreaterThan(80 * MB);
    collect();
    // Buffers are freed by a thread of V8's.
    await new Promise((resolve) => setTimeout(resolve, 200));
    const before = resident();

    expect(trimMalloc()).toBe(true);

    expect(before - resident()).toBeGreaterThan(50 * MB);
    expect(kept.every((each) => each.every((byte) => byte === 1))).toBe(true);
  });
});
