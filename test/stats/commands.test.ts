import { describe, expect, it } from 'vitest';
import { bucketLimit, CommandStats, HISTOGRAM_BUCKETS } from '../../src/stats/commands.js';

function statsOf(threads: number, thread: number, buffer?: SharedArrayBuffer): CommandStats {
  const shared = buffer ?? new SharedArrayBuffer(CommandStats.bytesFor(3, threads));
  return new CommandStats(shared, 3, threads, thread);
}

describe('command statistics', () => {
  it('count a call in the bucket whose limits enclose its time', () => {
    for (let step = -20; step < 260; step++) {
      const microseconds = 2 ** (step / 10);
      const stats = statsOf(1, 0);
      stats.called(1, 1, microseconds);
      const bucket = stats.totals(1).histogram.indexOf(1);
      const isLast = bucket === HISTOGRAM_BUCKETS - 1;
      expect(microseconds <= bucketLimit(bucket) || isLast, `${microseconds}`).toBe(true);
      if (bucket > 0) expect(microseconds, `${bucket}`).toBeGreaterThan(bucketLimit(bucket - 1));
    }
  });

  it('share the time of a group evenly among its calls in the histogram', () => {
    const stats = statsOf(1, 0);
    stats.called(0, 10, 30);
    const totals = stats.totals(0);
    expect(totals.calls).toBe(10);
    expect(totals.microseconds).toBe(30);
    expect(Math.max(...totals.histogram)).toBe(10);
  });

  it('sum over threads and forget on reset', () => {
    const first = statsOf(2, 0);
    const second = statsOf(2, 1, first.buffer);
    first.called(2, 1, 5);
    second.called(2, 2, 7);
    second.failed(2);
    first.rejected(2);
    expect(first.totals(2)).toMatchObject({ calls: 3, microseconds: 12, failed: 1, rejected: 1 });
    expect(first.callsOf(2)).toBe(3);
    first.reset();
    expect(second.totals(2).calls).toBe(0);
  });
});
