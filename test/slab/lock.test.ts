import { describe, expect, it } from 'vitest';
import {
  configureLocks,
  holderOf,
  inspectLock,
  LOCK_WORDS,
  type LongHold,
  labelHold,
  locksHeld,
  releaseLock,
  releaseLocks,
  takeLock,
  takeLocks,
  tryLock,
  tryLocks,
} from '../../src/slab/lock.js';
import { runJobs } from '../mesh/workers.js';
import { seedOf } from '../support/seed.js';

const seed = seedOf('LOCK_SEED');
const repeat = `repeat with: LOCK_SEED=${seed} npx vitest run test/slab/lock`;

function lockWords(count: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(count * LOCK_WORDS * 4));
}

describe('a lock', () => {
  const first = holderOf(0);
  const second = holderOf(1);

  it('belongs to one holder until it is released', () => {
    const words = lockWords(2);
    takeLock(words, LOCK_WORDS, first);
    expect(locksHeld()).toBe(1);
    expect(tryLock(words, LOCK_WORDS, second)).toBe(false);
    expect(inspectLock(words, LOCK_WORDS).holderThread).toBe(0);
    releaseLock(words, LOCK_WORDS);
    expect(locksHeld()).toBe(0);
    expect(tryLock(words, LOCK_WORDS, second)).toBe(true);
    expect(inspectLock(words, LOCK_WORDS).holderThread).toBe(1);
    releaseLock(words, LOCK_WORDS);
    expect(inspectLock(words, LOCK_WORDS).takes).toBe(2);
    expect(words[0]).toBe(0);
  });

  it('refuses to be released twice or taken twice by one thread', () => {
    const words = lockWords(1);
    takeLock(words, 0, first);
    expect(() => takeLock(words, 0, first)).toThrow('does not take it again');
    releaseLock(words, 0);
    expect(() => releaseLock(words, 0)).toThrow('is held');
    // The refused release counted; take the count back for the tests that follow.
    takeLock(words, 0, first);
    expect(locksHeld()).toBe(0);
    words.fill(0);
  });

  it('knows the label of this hold and forgets that of an earlier one', () => {
    const words = lockWords(1);
    const held = locksHeld();
    takeLock(words, 0, first);
    expect(inspectLock(words, 0).command).toBe(0);
    labelHold(words, 0, 42);
    expect(inspectLock(words, 0).command).toBe(42);
    releaseLock(words, 0);
    takeLock(words, 0, first);
    expect(inspectLock(words, 0).command).toBe(0);
    releaseLock(words, 0);
    expect(locksHeld()).toBe(held);
  });

  it('is taken together with others in ascending order only, and all or none by tryLocks', () => {
    const words = lockWords(4);
    const places = {
      words: Array.from({ length: 4 }, () => words),
      ats: Int32Array.from([0, 1, 2, 3], (partition) => partition * LOCK_WORDS),
    };
    expect(() => takeLocks(places, Int32Array.of(2, 1), 2, first)).toThrow('ascending');
    expect(() => takeLocks(places, Int32Array.of(2, 2), 2, first)).toThrow('ascending');
    takeLocks(places, Int32Array.of(1, 3), 2, first);
    expect(tryLocks(places, Int32Array.of(0, 2, 3), 3, second)).toBe(false);
    expect(inspectLock(words, 0).holderThread).toBe(-1);
    expect(inspectLock(words, 2 * LOCK_WORDS).holderThread).toBe(-1);
    releaseLocks(places, Int32Array.of(1, 3), 2);
    expect(tryLocks(places, Int32Array.of(0, 2, 3), 3, second)).toBe(true);
    releaseLocks(places, Int32Array.of(0, 2, 3), 3);
    expect([...words].filter((_, at) => at % LOCK_WORDS === 0)).toEqual([0, 0, 0, 0]);
  });

  it('serves parts while it is waited for, reserves itself, and reports who holds it', () => {
    const words = lockWords(1);
    const reports: LongHold[] = [];
    let servedCount = 0;
    const startMs = performance.now();
    configureLocks({
      serveParts: () => {
        servedCount++;
        // The holder gives back after a while: here the same thread plays both.
        if (performance.now() - startMs > 60) {
          expect(inspectLock(words, 0).reserverThread).toBe(1);
          // Reserved, so nobody else gets it, free or not.
          releaseLock(words, 0);
          expect(tryLock(words, 0, first)).toBe(false);
          configureLocks({ serveParts: () => false, reportLongHold: () => {}, longHoldMs: 0 });
        }
        return false;
      },
      reportLongHold: (hold) => reports.push(hold),
      longHoldMs: 20,
    });
    takeLock(words, 0, first);
    labelHold(words, 0, 7);
    takeLock(words, 0, second);
    const view = inspectLock(words, 0);
    expect(view.holderThread).toBe(1);
    expect(view.reserverThread).toBe(-1);
    expect(view.contentions).toBe(1);
    expect(view.waitedMs).toBeGreaterThan(50);
    expect(servedCount).toBeGreaterThan(3);
    expect(reports).toHaveLength(1);
    expect(reports[0]).toMatchObject({ holderThread: 0, command: 7, at: 0 });
    releaseLock(words, 0);
    expect(words[0]).toBe(0);
  });
});

describe('a lock that a waiter has reserved', () => {
  it('is left alone by those who come later, until the reserver has had it', () => {
    const words = lockWords(1);
    words[0] = holderOf(5) << 12; // free, reserved by thread 5: as a release leaves it
    expect(inspectLock(words, 0)).toMatchObject({ holderThread: -1, reserverThread: 5 });
    const startMs = performance.now();
    configureLocks({
      serveParts: () => {
        if (performance.now() - startMs > 10) words[0] = 0; // thread 5 took it, and released it
        return false;
      },
      reportLongHold: () => {},
      longHoldMs: 0,
    });
    takeLock(words, 0, holderOf(0));
    expect(performance.now() - startMs).toBeGreaterThan(10);
    expect(inspectLock(words, 0).holderThread).toBe(0);
    releaseLock(words, 0);
    expect(words[0]).toBe(0);
  });
});

describe('a lock that a job holds', () => {
  const job = 9;

  /** Who has reserved the lock of `holder` when `first` first looks whether there is other work. */
  function reserverOfWait(holder: number): number {
    const words = lockWords(1);
    let reserver = -2;
    configureLocks({
      serveParts: () => {
        if (reserver !== -2) return false;
        reserver = inspectLock(words, 0).reserverThread;
        releaseLock(words, 0);
        // As a job does that goes on at once.
        const isTaken = tryLock(words, 0, holderOf(holder));
        if (isTaken) releaseLock(words, 0);
        expect(isTaken).toBe(reserver === -1);
        return false;
      },
      reportLongHold: () => {},
      longHoldMs: 0,
      jobThread: job,
    });
    takeLock(words, 0, holderOf(holder));
    takeLock(words, 0, holderOf(0));
    releaseLock(words, 0);
    expect(words[0]).toBe(0);
    configureLocks({ serveParts: () => false, reportLongHold: () => {}, longHoldMs: 0 });
    return reserver;
  }

  it("is the next waiter's as soon as it waits, and nobody else's", () => {
    expect(reserverOfWait(job)).toBe(0);
    expect(reserverOfWait(job + 1)).toBe(-1);
  });
});

describe('a lock between threads', () => {
  it('lets four threads count exactly', async () => {
    const words = lockWords(2);
    const jobs = [0, 1, 2, 3].map((thread) => ({
      job: 'count' as const,
      thread,
      words: words.buffer as SharedArrayBuffer,
      lockAt: 0,
      counterAt: LOCK_WORDS,
      durationMs: 400,
      visitTurns: 20,
      pauseTurns: 0,
    }));
    const results = await runJobs(jobs);
    const total = results.reduce((sum, [takes]) => sum + takes!, 0);
    expect(total).toBeGreaterThan(1000);
    expect(words[LOCK_WORDS]).toBe(total);
    expect(words[0]).toBe(0);
    expect(inspectLock(words, 0).takes).toBe(total);
  });

  it('gives eight threads on one lock their fair parts of it', async () => {
    const words = lockWords(2);
    const jobs = [0, 1, 2, 3, 4, 5, 6, 7].map((thread) => ({
      job: 'count' as const,
      thread,
      words: words.buffer as SharedArrayBuffer,
      lockAt: 0,
      counterAt: LOCK_WORDS,
      durationMs: 1000,
      visitTurns: 500,
      pauseTurns: 5000,
    }));
    const results = await runJobs(jobs);
    const total = results.reduce((sum, [takes]) => sum + takes!, 0);
    expect(words[LOCK_WORDS]).toBe(total);
    const takes = results.map(([count]) => count!);
    expect(Math.min(...takes), `takes: ${takes.join(' ')}`).toBeGreaterThan(total / 8 / 5);
  });

  it('keeps sums whole while threads take pairs of locks and all locks', async () => {
    const [accounts, stride] = [6, 2 * LOCK_WORDS];
    const words = new Int32Array(new SharedArrayBuffer(accounts * stride * 4));
    const jobs = [0, 1, 2, 3].map((thread) => ({
      job: 'transfer' as const,
      thread,
      words: words.buffer as SharedArrayBuffer,
      accounts,
      stride,
      rounds: 20_000,
      seed: seed + thread,
    }));
    const results = await runJobs(jobs);
    expect(
      results.map(([wrongSums]) => wrongSums),
      repeat,
    ).toEqual([0, 0, 0, 0]);
    const balances = Array.from({ length: accounts }, (_, at) => words[at * stride + stride - 1]!);
    expect(
      balances.reduce((sum, balance) => sum + balance, 0),
      repeat,
    ).toBe(0);
    expect(balances.some((balance) => balance !== 0)).toBe(true);
  });
});
