import { describe, expect, it } from 'vitest';
import { CLOCK_DOUBLES, SystemClock } from '../../src/base/clock.js';

const shared = () => new Float64Array(CLOCK_DOUBLES);

/** What the system's own clock says before and after a reading of ours. */
function bracketed(clock: SystemClock): { before: number; ours: number; after: number } {
  const before = Date.now();
  const ours = clock.nowMs();
  return { before, ours, after: Date.now() };
}

describe('the system clock', () => {
  it('never shows an earlier millisecond than the system does', () => {
    // A clock whose offset is a fraction of a millisecond short is wrong in that share of readings.
    for (let round = 0; round < 20; round++) {
      const clock = new SystemClock(shared());
      for (let reading = 0; reading < 500; reading++) {
        const { before, ours, after } = bracketed(clock);
        expect(ours).toBeGreaterThanOrEqual(before);
        expect(ours).toBeLessThanOrEqual(after + 1);
      }
    }
  });

  it('is not moved by following a wall clock that nobody has set', () => {
    const offset = shared();
    const clock = new SystemClock(offset);
    const before = offset[0]!;
    for (let round = 0; round < 1000; round++) clock.followWallClock();
    expect(Math.abs(offset[0]! - before)).toBeLessThan(0.5);
  });

  it.each([
    ['forward', 60_000],
    ['back', -60_000],
  ])('follows a wall clock that was set %s', (_direction, byMs) => {
    const offset = shared();
    const clock = new SystemClock(offset);
    offset[0]! -= byMs;
    clock.followWallClock();
    const { before, ours, after } = bracketed(clock);
    expect(ours).toBeGreaterThanOrEqual(before - 1);
    expect(ours).toBeLessThanOrEqual(after + 3);
  });
});
