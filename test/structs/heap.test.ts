// The heap against a plain list: the earliest is on top, anything can leave or change its time.

import { describe, expect, it } from 'vitest';
import { allocate, type BlockRef, release } from '../../src/slab/alloc.js';
import { checkSlab } from '../../src/slab/check.js';
import { Header, usedBytesOf } from '../../src/slab/slab.js';
import {
  changeTime,
  checkHeap,
  freeHeap,
  HeapRoot,
  heapCount,
  movedInHeap,
  pushToHeap,
  removeFromHeap,
  timeOf,
  topRef,
  topTime,
} from '../../src/structs/heap.js';
import { randomTest } from '../support/random-test.js';
import { freshSlab } from '../support/slab.js';

const ROOT: number = Header.HashExpiries;
const OWNER_BYTES = 16;

function owner(slab: ReturnType<typeof freshSlab>): BlockRef {
  const block = allocate(slab, OWNER_BYTES);
  slab.i32.fill(0, block << 1, (block << 1) + 4);
  return block;
}

describe('a heap', () => {
  randomTest('has the earliest on top, whatever comes, goes or changes', 5, (random) => {
    const slab = freshSlab(8 * 1024 * 1024);
    const times = new Map<number, number>();
    const many = random.pick([8, 300, 3000]);
    const time = (): number => random.pick([random.below(50), random.next() * 1000]);
    for (let step = 0; step < 4 * many; step++) {
      const refs = [...(many > 300 ? [] : times.keys())];
      const known = refs.length === 0 ? (times.keys().next().value ?? 0) : random.pick(refs);
      const choice = random.below(step < 2 * many ? 5 : 12);
      if (known === 0 || choice < 3) {
        const ref = owner(slab);
        const at = time();
        pushToHeap(slab, ROOT, ref, at);
        times.set(ref, at);
      } else if (choice === 3) {
        const at = time();
        changeTime(slab, ROOT, known, at);
        times.set(known, at);
      } else if (choice === 4) {
        const moved = owner(slab);
        movedInHeap(slab, ROOT, known, moved);
        times.set(moved, times.get(known)!);
        times.delete(known);
        release(slab, known as BlockRef);
      } else {
        const ref = choice < 8 ? topRef(slab, ROOT) : known;
        removeFromHeap(slab, ROOT, ref);
        times.delete(ref);
        release(slab, ref as BlockRef);
      }
      expect(heapCount(slab, ROOT)).toBe(times.size);
      if (step % 50 === 0) checkHeap(slab, ROOT);
    }
    checkHeap(slab, ROOT);
    for (const [ref, at] of times) expect(timeOf(slab, ROOT, ref)).toBe(at);
    const order = [...times.values()].sort((a, b) => a - b);
    for (const expected of order) {
      expect(topTime(slab, ROOT)).toBe(expected);
      const ref = topRef(slab, ROOT);
      removeFromHeap(slab, ROOT, ref);
      release(slab, ref as BlockRef);
    }
    expect(topTime(slab, ROOT)).toBe(Number.POSITIVE_INFINITY);
    expect(usedBytesOf(slab)).toBe(0);
    checkSlab(slab);
  });

  it('is freed at once with its directory', () => {
    const slab = freshSlab(8 * 1024 * 1024);
    const refs: BlockRef[] = [];
    for (let index = 0; index < 700; index++) {
      refs.push(owner(slab));
      pushToHeap(slab, ROOT, refs[index]!, 700 - index);
    }
    freeHeap(slab, ROOT);
    for (const ref of refs) release(slab, ref);
    expect(slab.i32[ROOT + HeapRoot.Blocks]).toBe(0);
    expect(usedBytesOf(slab)).toBe(0);
  });
});
