// The latency monitor: what is kept, and how it is shown.

import { describe, expect, it } from 'vitest';
import { drawGraph } from '../../src/commands/server/latency-graph.js';
import { LatencyEvent, LatencyMonitor } from '../../src/stats/latency.js';

const START_MS = 1_700_000_000_000;

function fresh(): { monitor: LatencyMonitor; advance(ms: number): void } {
  let nowMs = START_MS;
  const monitor = new LatencyMonitor(new SharedArrayBuffer(LatencyMonitor.bytes), () => nowMs);
  monitor.thresholdMs = 10;
  return {
    monitor,
    advance(ms) {
      nowMs += ms;
    },
  };
}

describe('the latency monitor', () => {
  it('keeps what reaches the threshold, the worst of each second', () => {
    const { monitor, advance } = fresh();
    for (const ms of [9.9, 12.7, 30, 20]) monitor.sample(LatencyEvent.Command, ms);
    advance(1000);
    monitor.sample(LatencyEvent.Command, 15);
    monitor.sample(LatencyEvent.ExpireCycle, 11);
    expect(monitor.all()).toEqual([
      {
        name: 'command',
        worstMs: 30,
        samples: [
          { second: START_MS / 1000, ms: 30 },
          { second: START_MS / 1000 + 1, ms: 15 },
        ],
      },
      { name: 'expire-cycle', worstMs: 11, samples: [{ second: START_MS / 1000 + 1, ms: 11 }] },
    ]);
  });

  it('keeps the latest 160 samples, and the worst of all', () => {
    const { monitor, advance } = fresh();
    for (let second = 0; second < 200; second++) {
      monitor.sample(LatencyEvent.FastCommand, 300 - second);
      advance(1000);
    }
    const series = monitor.named('fast-command')!;
    expect(series.samples).toHaveLength(160);
    expect(series.samples[0]!.ms).toBe(260);
    expect(series.worstMs).toBe(300);
  });

  it('keeps nothing while it is off, and forgets what it is told to', () => {
    const { monitor } = fresh();
    monitor.thresholdMs = 0;
    monitor.sample(LatencyEvent.Command, 5000);
    expect(monitor.all()).toEqual([]);
    monitor.thresholdMs = 1;
    monitor.sample(LatencyEvent.Command, 5000);
    monitor.sample(LatencyEvent.AofWrite, 5000);
    expect(monitor.reset('COMMAND')).toBe(1);
    expect(monitor.reset('command')).toBe(0);
    expect(monitor.reset(null)).toBe(1);
    expect(monitor.all()).toEqual([]);
  });

  it('draws a graph, ages below it', () => {
    const samples = [100, 300, 200].map((ms, index) => ({ second: 1000 + index * 40, ms }));
    expect(drawGraph({ name: 'command', worstMs: 400, samples }, 1090)).toBe(
      [
        'command - high 300 ms, low 100 ms (all time high 400 ms)',
        '-'.repeat(80),
        ' # ',
        ' |_',
        ' ||',
        '_||',
        '   ',
        '151',
        'm00',
        ' ss',
        '',
      ].join('\n'),
    );
  });
});
