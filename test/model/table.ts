// The table's model: a Map from numbers to the blocks that stand for them in a table.

import { equal } from 'node:assert/strict';
import { allocate, release } from '../../src/slab/alloc.js';
import { Header, NONE, type Slab } from '../../src/slab/slab.js';
import {
  bucketAt,
  checkTable,
  findInBucket,
  insert,
  removeRef,
  replaceRef,
  shrinkStep,
} from '../../src/structs/table.js';
import { freshSlab, mix } from '../support/slab.js';

export const ROOT = Header.Databases;
const NO_BYTES = new Uint8Array(0);

/** Things are blocks that hold a number and its hash; the number looked for stands in `wanted`. */
let wanted = 0;

function isWanted(slab: Slab, ref: number): boolean {
  return slab.i32[ref * 2] === wanted;
}

function hashOf(slab: Slab, ref: number): number {
  return slab.i32[ref * 2 + 1]!;
}

export class TableModel {
  readonly slab: Slab;
  readonly refs = new Map<number, number>();
  /** Hash bits that all numbers share: they crowd into few segments then. */
  readonly sharedBits: number;

  constructor(slabBytes: number, sharedBits = 0) {
    this.slab = freshSlab(slabBytes);
    this.sharedBits = sharedBits;
  }

  hash(value: number): number {
    return mix(value) & ~this.sharedBits;
  }

  block(value: number): number {
    const ref = allocate(this.slab, 16);
    this.slab.i32[ref * 2] = value;
    this.slab.i32[ref * 2 + 1] = this.hash(value);
    return ref;
  }

  add(value: number): void {
    if (this.refs.has(value)) return;
    const ref = this.block(value);
    insert(this.slab, ROOT, this.hash(value), ref, hashOf, 0);
    this.refs.set(value, ref);
  }

  remove(value: number): void {
    const ref = this.refs.get(value);
    if (ref === undefined) return;
    removeRef(this.slab, ROOT, bucketAt(this.slab, ROOT, this.hash(value)), ref);
    release(this.slab, ref as Parameters<typeof release>[1]);
    this.refs.delete(value);
  }

  move(value: number): void {
    const ref = this.refs.get(value);
    if (ref === undefined) return;
    const moved = this.block(value);
    replaceRef(this.slab, bucketAt(this.slab, ROOT, this.hash(value)), ref, moved);
    release(this.slab, ref as Parameters<typeof release>[1]);
    this.refs.set(value, moved);
  }

  find(value: number): number {
    wanted = value;
    const bucket = bucketAt(this.slab, ROOT, this.hash(value));
    if (bucket === 0) return NONE;
    return findInBucket(this.slab, bucket, this.hash(value), isWanted, NO_BYTES, 0, 0);
  }

  shrink(): void {
    let place = 0;
    do place = shrinkStep(this.slab, ROOT, place);
    while (place !== 0);
  }

  check(): void {
    equal(checkTable(this.slab, ROOT, hashOf), this.refs.size);
  }

  checkAll(): void {
    this.check();
    for (const [value, ref] of this.refs) equal(this.find(value), ref);
  }
}
