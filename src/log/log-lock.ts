// The locks of the logs: a word each, held while a buffer is written or a file is synced, which can
// be long. They are not the locks of partitions (slab/lock.ts): nobody does anything else while it
// waits for one, and none of those is waited for while one of these is held.
//
// The word is Free, Taken, or Contended: taken, and somebody may sleep on it. Whoever has slept
// takes it as Contended, because others may sleep on; so a wake-up is never lost, at the price of
// one that nobody needed.

import { assert } from '../base/assert.js';

const enum Word {
  Free = 0,
  Taken = 1,
  Contended = 2,
}

/** The shortest hold is a write of a few microseconds. */
const SPINS = 200;

export function takeLogLock(words: Int32Array, at: number): void {
  // Acquire: what the last holder wrote is visible once the swap succeeds.
  if (Atomics.compareExchange(words, at, Word.Free, Word.Taken) === Word.Free) return;
  for (let spins = 0; spins < SPINS; spins++) {
    // Only a load while it is taken: a failing swap would pull the line from its holder.
    if (Atomics.load(words, at) !== Word.Free) continue;
    if (Atomics.compareExchange(words, at, Word.Free, Word.Taken) === Word.Free) return;
  }
  // Exchange announces the sleeper and takes the lock at once, if it has come free.
  while (Atomics.exchange(words, at, Word.Contended) !== Word.Free) {
    Atomics.wait(words, at, Word.Contended);
  }
}

export function tryLogLock(words: Int32Array, at: number): boolean {
  return Atomics.compareExchange(words, at, Word.Free, Word.Taken) === Word.Free;
}

export function releaseLogLock(words: Int32Array, at: number): void {
  // Release: everything written under the lock comes before the exchange.
  const word = Atomics.exchange(words, at, Word.Free);
  assert(word !== Word.Free, 'a log lock that is released is held');
  if (word === Word.Contended) Atomics.notify(words, at, 1);
}
