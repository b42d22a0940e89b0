import { describe, expect, it } from 'vitest';
import { Lookup } from '../../src/keyspace/keyspace.js';
import { Counter, ServerStats } from '../../src/stats/server.js';

function openStats(threads: number): ServerStats[] {
  const buffer = new SharedArrayBuffer(ServerStats.bytesFor(threads));
  return Array.from({ length: threads }, (_, thread) => new ServerStats(buffer, threads, thread));
}

describe('the counters of the server', () => {
  it('are sums over all threads', () => {
    const [first, second] = openStats(2) as [ServerStats, ServerStats];
    first.add(Counter.InputBytes, 100);
    second.add(Counter.InputBytes, 5);
    second.lookups[Lookup.Hits] = 7;
    first.lookups[Lookup.Hits] = 1;

    expect(first.total(Counter.InputBytes)).toBe(105);
    expect(second.of(0, Counter.InputBytes)).toBe(100);
    expect(first.lookup(Lookup.Hits)).toBe(8);
    expect(first.lookup(Lookup.Misses)).toBe(0);
  });

  it('count error replies by their code, whichever thread saw it first', () => {
    const [first, second] = openStats(2) as [ServerStats, ServerStats];
    first.errorReplied('WRONGTYPE');
    second.errorReplied('ERR');
    second.errorReplied('WRONGTYPE');
    first.errorReplied('ERR');
    first.errorReplied('ERR');

    expect(first.errors()).toEqual([
      ['ERR', 3],
      ['WRONGTYPE', 2],
    ]);
    expect(second.total(Counter.ErrorReplies)).toBe(5);
  });

  it('stop telling error codes apart at 128, and still count the replies', () => {
    const [stats] = openStats(1) as [ServerStats];
    for (let code = 0; code < 200; code++) stats.errorReplied(`E${code}`);
    expect(stats.errors()).toHaveLength(128);
    expect(stats.total(Counter.ErrorReplies)).toBe(200);
  });

  it('start again after a reset, in every thread', () => {
    const [first, second] = openStats(2) as [ServerStats, ServerStats];
    first.errorReplied('ERR');
    second.errorReplied('OOM');
    second.add(Counter.Reads, 3);
    second.put(Counter.CpuUserUs, 500);

    first.reset(0);
    second.errorReplied('OOM');

    expect(first.errors()).toEqual([['OOM', 1]]);
    expect(first.total(Counter.Reads)).toBe(0);
    expect(first.total(Counter.CpuUserUs)).toBe(500);
  });

  it('know what happens a second as a mean of the last samples', () => {
    const [stats] = openStats(1) as [ServerStats];
    let operations = 0;
    for (let tick = 1; tick <= 40; tick++) {
      operations += 500;
      stats.add(Counter.InputBytes, 102.4);
      stats.sample(tick * 100, operations);
    }
    expect(stats.operationsPerSecond).toBeCloseTo(5000);
    expect(stats.inputBytesPerSecond).toBeCloseTo(1024);
    expect(stats.outputBytesPerSecond).toBe(0);
  });

  it('tell the turns of a loop, and not of all loops together', () => {
    const [first, second] = openStats(2) as [ServerStats, ServerStats];
    for (let tick = 1; tick <= 40; tick++) {
      for (const stats of [first, second]) {
        stats.add(Counter.EventLoopTurns, 1);
        stats.add(Counter.EventLoopUs, 70);
      }
      first.sample(tick * 100, 0, 2);
    }
    expect(second.cyclesPerSecond).toBeCloseTo(10);
    expect(second.cycleUs).toBeCloseTo(70);
  });

  it('keep the highest memory and when it was', () => {
    const [first, second] = openStats(2) as [ServerStats, ServerStats];
    first.notePeak(100, 1);
    second.notePeak(300, 2);
    first.notePeak(200, 3);
    expect([second.peakBytes, first.peakMs]).toEqual([300, 2]);
  });

  it('hold the id of the history, which all threads see', () => {
    const [first, second] = openStats(2) as [ServerStats, ServerStats];
    expect(first.replicationId).toBe('');
    first.replicationId = 'ab'.repeat(20);
    expect(second.replicationId).toBe('ab'.repeat(20));
    expect(() => {
      first.replicationId = 'short';
    }).toThrow('40 hex digits');
  });
});
