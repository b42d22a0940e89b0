// The ends of a chain in place, against the same pushes and pops done the general way.

import { describe, expect, it } from 'vitest';
import { checkSlab } from '../../src/slab/check.js';
import { usedBytesOf } from '../../src/slab/slab.js';
import {
  ChainCursor,
  type ChainRef,
  chainCount,
  chainDelete,
  chainNodeBytes,
  chainNodes,
  chainPush,
  checkChain,
  createChain,
} from '../../src/structs/chain.js';
import { dropEnd, findEnd, foundEnd, pushInPlace } from '../../src/structs/ends.js';
import { randomTest } from '../support/random-test.js';
import type { Random } from '../support/seed.js';
import { freshSlab } from '../support/slab.js';

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

/** A chain, and how often its ends were changed in place. */
class Queue {
  readonly slab = freshSlab(64 * 1024 * 1024);
  readonly cursor = new ChainCursor();
  readonly chain: ChainRef;
  quick = 0;
  slow = 0;

  constructor(
    limit: number,
    readonly isQuick: boolean,
  ) {
    this.chain = createChain(this.slab, limit);
  }

  push(isHead: boolean, text: string): void {
    const { slab, chain } = this;
    if (this.isQuick) {
      const used = usedBytesOf(slab);
      const count = pushInPlace(slab, chain, isHead, bytesOf(text), 0, text.length);
      expect(usedBytesOf(slab)).toBe(used);
      if (count !== 0) {
        expect(count).toBe(chainCount(slab, chain));
        this.quick++;
        return;
      }
      this.slow++;
    }
    chainPush(slab, chain, isHead, bytesOf(text), 0, text.length);
  }

  pop(isHead: boolean): string {
    const { slab, chain, cursor } = this;
    if (this.isQuick && findEnd(slab, chain, isHead)) {
      const { at, length } = foundEnd;
      const text = Buffer.from(slab.u8.slice(at, at + length)).toString('latin1');
      dropEnd(slab, chain, isHead);
      this.quick++;
      return text;
    }
    cursor.open(slab, chain);
    if (isHead) cursor.first();
    else cursor.last();
    const text = textAt(cursor);
    chainDelete(cursor);
    return text;
  }

  texts(): string[] {
    const { cursor } = this;
    const texts: string[] = [];
    cursor.open(this.slab, this.chain);
    for (let isThere = cursor.first(); isThere; isThere = cursor.next()) texts.push(textAt(cursor));
    return texts;
  }

  /** What OBJECT ENCODING and the limits look at. */
  nodes(): number[] {
    const { slab, chain } = this;
    const nodes = chainNodes(slab, chain);
    return Array.from({ length: nodes }, (_, index) => chainNodeBytes(slab, chain, index));
  }
}

function textAt({ element }: ChainCursor): string {
  const target = new Uint8Array(element.textLength());
  element.writeText(target, 0);
  return Buffer.from(target).toString('latin1');
}

function randomText(random: Random): string {
  const kind = random.below(10);
  if (kind === 0) return String(random.between(-5000, 5000));
  if (kind === 1) return '';
  if (kind === 2) return 'long'.repeat(random.between(50, 90));
  if (kind === 3) return `${random.below(10)}x`;
  return 'abcdefghij'.repeat(4).slice(0, random.between(1, 40));
}

describe('the ends of a chain', () => {
  randomTest('are changed in place as they are in general', 40, (random) => {
    const limit = [-2, -1, 3, 128][random.below(4)]!;
    const quick = new Queue(limit, true);
    const general = new Queue(limit, false);
    let bias = 70;
    for (let step = 0; step < 3000; step++) {
      if (step % 500 === 0) bias = random.between(20, 90);
      const isHead = random.below(2) === 0;
      if (random.below(100) < bias || chainCount(general.slab, general.chain) === 0) {
        const text = randomText(random);
        quick.push(isHead, text);
        general.push(isHead, text);
      } else {
        expect(quick.pop(isHead)).toBe(general.pop(isHead));
      }
      if (step % 100 === 0) checkChain(quick.slab, quick.chain);
    }
    expect(quick.texts()).toEqual(general.texts());
    expect(quick.nodes()).toEqual(general.nodes());
    expect(usedBytesOf(quick.slab)).toBe(usedBytesOf(general.slab));
    checkChain(quick.slab, quick.chain);
    checkSlab(quick.slab);
    expect(quick.quick).toBeGreaterThan(0);
  });

  it('refuses what takes more than a few stores', () => {
    const queue = new Queue(-2, true);
    for (const text of ['12', '', 'x'.repeat(240)]) queue.push(false, text);
    expect(queue.quick).toBe(0);
    expect(findEnd(queue.slab, queue.chain, true)).toBe(false);
    expect(queue.texts()).toEqual(['12', '', 'x'.repeat(240)]);
  });

  it('does nearly all pushes and pops of a queue', () => {
    const queue = new Queue(-2, true);
    for (let index = 0; index < 20_000; index++) queue.push(index % 2 === 0, `element ${index}`);
    expect(queue.quick).toBeGreaterThan(19_000);
    queue.quick = 0;
    for (let index = 0; index < 15_000; index++) queue.pop(index % 2 === 0);
    expect(queue.quick).toBeGreaterThan(14_000);
  });
});
