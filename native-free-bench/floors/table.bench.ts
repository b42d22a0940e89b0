// The keyspace table: look-ups that hit and miss, and entries that go in and out, in a table that
// fits the caches and in one that does not.

import { allocate, type BlockRef, formatSlab, release } from '../../src/slab/alloc.js';
import { Header, Slab } from '../../src/slab/slab.js';
import { bucketAt, findInBucket, insert, removeRef } from '../../src/structs/table.js';
import type { FloorBench } from '../floor.js';

const ROOT = Header.Databases;
const BLOCK_BYTES = 16;
const NO_BYTES = new Uint8Array(0);
const LOOKUPS = 4096;
/** A prime: look-ups jump over the whole table. */
const STEP = 7919;

const enum Thing {
  Number = 0,
  Hash = 1,
}

/** Things are blocks that hold a number and its hash; the number looked for stands in `wanted`. */
let wanted = 0;
const isWanted = (slab: Slab, ref: number) => slab.i32[(ref << 1) + Thing.Number] === wanted;
const hashOf = (slab: Slab, ref: number) => slab.i32[(ref << 1) + Thing.Hash]!;

export const floorBench: FloorBench = {
  name: 'table',
  about: 'look-ups and changes of a table, without locks and without commands around them',
  prepare(isTiny) {
    const counts = isTiny ? [1000] : [10_000, 1_000_000];
    const lookups = isTiny ? 64 : LOOKUPS;
    return counts.flatMap((count) => {
      const slab = tableOf(count);
      const where = `of ${count}`;
      return [
        findCase(`found, ${where}`, slab, count, 1, lookups),
        findCase(`missed, ${where}`, slab, count, count + 1, lookups),
        changeCase(`in and out, ${where}`, slab, count, lookups),
      ];
    });
  },
};

function hashOfNumber(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

function add(slab: Slab, value: number): BlockRef {
  const ref = allocate(slab, BLOCK_BYTES);
  const hash = hashOfNumber(value);
  slab.i32[(ref << 1) + Thing.Number] = value;
  slab.i32[(ref << 1) + Thing.Hash] = hash;
  insert(slab, ROOT, hash, ref, hashOf, 0);
  return ref;
}

function tableOf(count: number): Slab {
  const slab = new Slab(0, new SharedArrayBuffer(4 * 1024 * 1024 + count * 64));
  formatSlab(slab, 1);
  for (let value = 1; value <= count; value += 1) add(slab, value);
  return slab;
}

function find(slab: Slab, value: number): number {
  wanted = value;
  const hash = hashOfNumber(value);
  return findInBucket(slab, bucketAt(slab, ROOT, hash), hash, isWanted, NO_BYTES, 0, 0);
}

function findCase(name: string, slab: Slab, count: number, first: number, lookups: number) {
  let position = 0;
  const run = () => {
    let sum = 0;
    for (let lookup = 0; lookup < lookups; lookup += 1) {
      sum = (sum + find(slab, first + position)) | 0;
      position = (position + STEP) % count;
    }
    return sum;
  };
  return { name, operations: lookups, run };
}

function changeCase(name: string, slab: Slab, count: number, changes: number) {
  let next = count + 1;
  const run = () => {
    let sum = 0;
    for (let change = 0; change < changes; change += 1) {
      const ref = add(slab, next);
      sum = (sum + ref) | 0;
      removeRef(slab, ROOT, bucketAt(slab, ROOT, hashOfNumber(next)), ref);
      release(slab, ref);
      next = next === 2 * count ? count + 1 : next + 1;
    }
    return sum;
  };
  return { name, operations: changes, run };
}
