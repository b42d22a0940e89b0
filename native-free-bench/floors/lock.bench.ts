// The lock of a partition when nobody else wants it: the price that every command pays.

import {
  holderOf,
  LOCK_WORDS,
  type LockPlaces,
  labelHold,
  releaseLock,
  releaseLocks,
  takeLock,
  takeLocks,
} from '../../src/slab/lock.js';
import type { FloorBench } from '../floor.js';

const SELF = holderOf(0);
const LOCKS = 64;

export const floorBench: FloorBench = {
  name: 'lock',
  about: 'uncontended locks: one taken and released, ten and sixty-four in order',
  prepare(isTiny) {
    const operations = isTiny ? 16 : 4096;
    return [
      oneCase(operations),
      labelledCase(operations),
      severalCase(10, operations >> 3),
      severalCase(LOCKS, operations >> 4),
    ];
  },
};

function wordsOfLocks(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(LOCKS * LOCK_WORDS * 4));
}

function oneCase(operations: number) {
  const words = wordsOfLocks();
  const run = () => {
    let sum = 0;
    for (let done = 0; done < operations; done += 1) {
      const at = (done % LOCKS) * LOCK_WORDS;
      takeLock(words, at, SELF);
      sum += words[at] === 0 ? 0 : 1;
      releaseLock(words, at);
    }
    return sum;
  };
  return { name: 'one', operations, run };
}

function labelledCase(operations: number) {
  const words = wordsOfLocks();
  const run = () => {
    let sum = 0;
    for (let done = 0; done < operations; done += 1) {
      takeLock(words, 0, SELF);
      labelHold(words, 0, 7);
      sum += words[0] === 0 ? 0 : 1;
      releaseLock(words, 0);
    }
    return sum;
  };
  return { name: 'one, with a label', operations, run };
}

function severalCase(count: number, operations: number) {
  const words = wordsOfLocks();
  const places: LockPlaces = {
    words: Array.from({ length: LOCKS }, () => words),
    ats: Int32Array.from({ length: LOCKS }, (_, index) => index * LOCK_WORDS),
  };
  const partitions = Int32Array.from({ length: LOCKS }, (_, index) => index);
  const run = () => {
    let sum = 0;
    for (let done = 0; done < operations; done += 1) {
      takeLocks(places, partitions, count, SELF);
      sum += words[0] === 0 ? 0 : count;
      releaseLocks(places, partitions, count);
    }
    return sum;
  };
  return { name: `${count} in order`, operations, run };
}
