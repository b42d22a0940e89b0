// The tables of hot keys: what they tell is never more than what was noted, and the hottest are
// among what they tell.

import { describe, expect, it } from 'vitest';
import { Prng } from '../../src/base/prng.js';
import { HOTKEY_BYTES_MAX, Hotkeys, Metric } from '../../src/stats/hotkeys.js';

const CPU = { user: 1000, system: 500 };
const BOTH = { metrics: Metric.Cpu | Metric.Net, count: 10, sample: 1, durationMs: 0 };
const START_MS = 1_000;

function open(threads: number): Hotkeys[] {
  const buffer = new SharedArrayBuffer(Hotkeys.bytesFor(threads));
  return Array.from({ length: threads }, (_, thread) => new Hotkeys(buffer, threads, thread));
}

/** A hash that puts many keys into few chains, so that chains are walked. */
function hashOf(key: string): number {
  let hash = 0;
  for (const letter of key) hash = (hash * 31 + letter.charCodeAt(0)) & 0xff;
  return hash;
}

function note(hotkeys: Hotkeys, key: string, us: number, bytes: number): void {
  const words = Buffer.from(`--${key}`, 'latin1');
  if (hotkeys.begin(us, bytes)) hotkeys.note(hashOf(key), words, 2, key.length, us, bytes);
  hotkeys.end();
}

describe('Hotkeys', () => {
  it('adds what all threads have noted, the hottest first', () => {
    const [first, second] = open(2) as [Hotkeys, Hotkeys];
    expect(first.report(START_MS)).toBeNull();
    expect(first.start(BOTH, START_MS, CPU)).toBe(true);
    expect(second.start(BOTH, START_MS, CPU)).toBe(false);
    note(first, 'a', 5, 100);
    note(second, 'a', 7, 10);
    note(second, 'b', 20, 50);

    const report = first.report(START_MS + 500)!;
    expect(report.isActive).toBe(true);
    expect(report.tookMs).toBe(500);
    expect(report.allUs).toBe(32);
    expect(report.netTotal).toBe(160);
    expect(report.byCpu).toEqual([
      { key: 'b', amount: 20 },
      { key: 'a', amount: 12 },
    ]);
    expect(report.byNet).toEqual([
      { key: 'a', amount: 110 },
      { key: 'b', amount: 50 },
    ]);
  });

  it('begins each session with nothing, and ends it when its time is over', () => {
    const [hotkeys] = open(1) as [Hotkeys];
    hotkeys.start(BOTH, START_MS, CPU);
    note(hotkeys, 'old', 1, 1);
    expect(hotkeys.reset(START_MS)).toBe(false);
    expect(hotkeys.stop(START_MS + 10)).toBe(true);
    expect(hotkeys.stop(START_MS + 10)).toBe(false);
    expect(hotkeys.report(START_MS + 999)!.tookMs).toBe(10);

    hotkeys.start({ ...BOTH, durationMs: 100 }, START_MS, CPU);
    expect(hotkeys.report(START_MS)!.byCpu).toEqual([]);
    expect(hotkeys.isActiveAt(START_MS + 99)).toBe(true);
    expect(hotkeys.isActiveAt(START_MS + 100)).toBe(false);
    expect(hotkeys.report(START_MS + 5000)!.tookMs).toBe(100);
    expect(hotkeys.reset(START_MS + 5000)).toBe(true);
    expect(hotkeys.report(START_MS + 5000)).toBeNull();
  });

  it('finds the hottest of many keys, and tells no more of them than there was', () => {
    const [hotkeys] = open(1) as [Hotkeys];
    const prng = new Prng(7);
    const truth = new Map<string, number>();
    hotkeys.start(BOTH, START_MS, CPU);
    for (let step = 0; step < 50_000; step++) {
      const isHot = prng.below(10) < 6;
      const key = isHot ? `hot${prng.below(10)}` : `cold${prng.below(20_000)}`;
      truth.set(key, (truth.get(key) ?? 0) + 3);
      note(hotkeys, key, 3, 1);
    }
    const { byCpu } = hotkeys.report(START_MS)!;
    expect(byCpu.map(({ key }) => key).toSorted()).toEqual(
      Array.from({ length: 10 }, (_, index) => `hot${index}`),
    );
    for (const { key, amount } of byCpu) {
      expect(amount).toBeLessThanOrEqual(truth.get(key)!);
      expect(amount).toBeGreaterThan(truth.get(key)! * 0.9);
    }
  });

  it('notes one command of so many, but counts all of them', () => {
    const [hotkeys] = open(1) as [Hotkeys];
    hotkeys.start({ ...BOTH, sample: 10 }, START_MS, CPU);
    for (let step = 0; step < 10_000; step++) note(hotkeys, 'key', 1, 1);
    const { allUs, byCpu } = hotkeys.report(START_MS)!;
    expect(allUs).toBe(10_000);
    expect(byCpu[0]!.amount).toBeGreaterThan(700);
    expect(byCpu[0]!.amount).toBeLessThan(1300);
  });

  it('tells keys that are longer than its entries by their first bytes', () => {
    const [hotkeys] = open(1) as [Hotkeys];
    hotkeys.start({ ...BOTH, metrics: Metric.Net }, START_MS, CPU);
    note(hotkeys, 'x'.repeat(2 * HOTKEY_BYTES_MAX), 1, 9);
    note(hotkeys, 'x'.repeat(HOTKEY_BYTES_MAX), 1, 8);
    const { byCpu, byNet } = hotkeys.report(START_MS)!;
    expect(byCpu).toEqual([]);
    expect(byNet).toEqual(
      expect.arrayContaining([expect.objectContaining({ key: 'x'.repeat(HOTKEY_BYTES_MAX) })]),
    );
  });
});
