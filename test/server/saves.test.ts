// When a rewrite that has failed is tried again.

import { describe, expect, it } from 'vitest';
import { rewriteRestSeconds } from '../../src/server/saves.js';

describe('rewrites that fail', () => {
  it('are tried again more and more seldom, but at least once an hour', () => {
    const rests = [0, 2, 3, 4, 5, 9, 1000].map((failures) => rewriteRestSeconds(failures, false));
    expect(rests).toEqual([0, 0, 60, 120, 240, 3600, 3600]);
  });

  it('are tried again soon for as long as writes are refused for want of a base', () => {
    for (const failures of [3, 9, 1000]) expect(rewriteRestSeconds(failures, true)).toBe(5);
  });
});
