// Chains against an array of strings: at both ends, inside, over nodes of every size.

import { describe, expect, it } from 'vitest';
import { checkSlab } from '../../src/slab/check.js';
import { usedBytesOf } from '../../src/slab/slab.js';
import {
  adoptNode,
  ChainCursor,
  type ChainRef,
  chainCount,
  chainDelete,
  chainHeldBytes,
  chainInsert,
  chainNode,
  chainNodes,
  chainPush,
  chainRemoveRange,
  chainReplace,
  chainReserve,
  checkChain,
  copyChain,
  createChain,
  freeChainStep,
  listpackBytes,
  nodeBytesMax,
  nodeElementsMax,
} from '../../src/structs/chain.js';
import { createPacked, type Packed, packedAppend, packedCount } from '../../src/structs/packed.js';
import { randomTest } from '../support/random-test.js';
import type { Random } from '../support/seed.js';
import { freshSlab } from '../support/slab.js';

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

function textOf(element: Packed): string {
  const target = new Uint8Array(element.textLength());
  element.writeText(target, 0);
  return Buffer.from(target).toString('latin1');
}

/** A chain and what ought to be in it. */
class Model {
  readonly slab = freshSlab(64 * 1024 * 1024);
  readonly cursor = new ChainCursor();
  readonly chain: ChainRef;
  texts: string[] = [];

  constructor(readonly limit: number) {
    this.chain = createChain(this.slab, limit);
  }

  push(isHead: boolean, text: string): void {
    const { slab, chain, limit } = this;
    const most = chainReserve(slab, chain, text.length, 1, limit) + 4 * nodeBytesMax(limit);
    const before = usedBytesOf(slab);
    chainPush(slab, chain, isHead, bytesOf(text), 0, text.length);
    expect(usedBytesOf(slab) - before).toBeLessThanOrEqual(most);
    if (isHead) this.texts.unshift(text);
    else this.texts.push(text);
  }

  pop(isHead: boolean): void {
    this.cursor.open(this.slab, this.chain);
    if (isHead) this.cursor.first();
    else this.cursor.last();
    chainDelete(this.cursor);
    if (isHead) this.texts.shift();
    else this.texts.pop();
  }

  private seek(index: number): ChainCursor {
    expect(this.cursor.open(this.slab, this.chain).seek(index)).toBe(true);
    expect(textOf(this.cursor.element)).toBe(this.texts[index]);
    return this.cursor;
  }

  insert(index: number, isBehind: boolean, text: string): void {
    chainInsert(this.seek(index), isBehind, bytesOf(text), 0, text.length);
    this.texts.splice(isBehind ? index + 1 : index, 0, text);
  }

  replace(index: number, text: string): void {
    chainReplace(this.seek(index), bytesOf(text), 0, text.length);
    this.texts[index] = text;
  }

  delete(index: number): void {
    const isThere = chainDelete(this.seek(index));
    this.texts.splice(index, 1);
    expect(isThere ? textOf(this.cursor.element) : undefined).toBe(this.texts[index]);
  }

  removeRange(index: number, count: number): void {
    chainRemoveRange(this.slab, this.chain, index, count);
    this.texts.splice(index, count);
  }

  check(): void {
    const { slab, chain, cursor, texts } = this;
    checkChain(slab, chain);
    expect(chainCount(slab, chain)).toBe(texts.length);
    cursor.open(slab, chain);
    const forward: string[] = [];
    for (let isThere = cursor.first(); isThere; isThere = cursor.next()) {
      forward.push(textOf(cursor.element));
    }
    expect(forward).toEqual(texts);
    const backward: string[] = [];
    for (let isThere = cursor.last(); isThere; isThere = cursor.previous()) {
      backward.push(textOf(cursor.element));
    }
    expect(backward.reverse()).toEqual(texts);
  }

  /** Frees the chain in steps; nothing else was in the slab. */
  end(): void {
    checkSlab(this.slab);
    while (!freeChainStep(this.slab, this.chain, 10));
    expect(usedBytesOf(this.slab)).toBe(0);
    checkSlab(this.slab);
  }
}

/** How many elements are in each node. */
function elementsOf({ slab, chain }: Model): number[] {
  const nodes = Array.from({ length: chainNodes(slab, chain) }, (_, index) => index);
  return nodes.map((index) => packedCount(slab, chainNode(slab, chain, index)));
}

function anyText(random: Random): string {
  const kind = random.below(30);
  if (kind < 10) return String(random.below(2 ** random.between(1, 32)));
  if (kind === 10) return random.bytes(random.below(20_000));
  if (kind === 11) return random.bytes(random.below(3000));
  return random.bytes(random.below(random.pick([4, 30, 300])));
}

function step(model: Model, random: Random, removals: number): void {
  const { length } = model.texts;
  const index = random.below(Math.max(1, length));
  const choice = random.below(20);
  if (length !== 0 && choice < removals) {
    if (choice % 3 === 0) model.pop(random.chance(0.5));
    else if (choice % 3 === 1) model.delete(index);
    else model.removeRange(index, random.below(Math.min(length - index, 40) + 1));
  } else if (length === 0 || choice < 14) model.push(random.chance(0.5), anyText(random));
  else if (choice < 18) model.insert(index, random.chance(0.5), anyText(random));
  else model.replace(index, anyText(random));
}

describe('a chain', () => {
  randomTest('holds what an array of strings would hold', 40, (random) => {
    const model = new Model(random.pick([-5, -2, -1, -1, 1, 2, 3, 7, 100]));
    for (let phase = 0; phase < 4; phase++) {
      const removals = random.pick([2, 5, 11]);
      const steps = random.pick([30, 200]);
      for (let index = 0; index < steps; index++) {
        step(model, random, removals);
        if (index % 20 === 0) model.check();
      }
      model.check();
    }
    const other = freshSlab(64 * 1024 * 1024);
    const copy = copyChain(model.slab, model.chain, other);
    checkChain(other, copy);
    const copied = new ChainCursor().open(other, copy);
    const texts: string[] = [];
    for (let isThere = copied.first(); isThere; isThere = copied.next()) {
      texts.push(textOf(copied.element));
    }
    expect(texts).toEqual(model.texts);
    if (random.chance(0.5)) {
      while (model.texts.length > 0) {
        step(model, random, 20);
        checkChain(model.slab, model.chain);
      }
    }
    model.end();
  });

  it('keeps its nodes within the limits that list-max-listpack-size names', () => {
    expect([-1, -2, -3, -4, -5, -6].map(nodeBytesMax)).toEqual([
      4096, 8192, 16_384, 32_768, 65_536, 65_536,
    ]);
    expect([0, 1, 128].map(nodeElementsMax)).toEqual([1, 1, 128]);
    for (const [limit, nodes] of [
      [-1, 4],
      [-2, 2],
      [3, 334],
      [1, 1000],
      [0, 1000],
    ] as const) {
      const model = new Model(limit);
      for (let index = 0; index < 1000; index++) model.push(false, `element ${1000 + index}`);
      expect([limit, chainNodes(model.slab, model.chain)]).toEqual([limit, nodes]);
      model.check();
      model.end();
    }
  });

  it('gives an element that is longer than a node one of its own', () => {
    const model = new Model(-1);
    for (const text of ['a', 'b', 'x'.repeat(5000), 'c', 'd']) model.push(false, text);
    expect(chainNodes(model.slab, model.chain)).toBe(3);
    model.check();
    model.end();
  });

  it('replaces an element where it is, however long it becomes', () => {
    const model = new Model(-1);
    for (const text of ['a', 'b', 'c', 'd']) model.push(false, text);
    model.replace(1, 'y'.repeat(70_000));
    expect(elementsOf(model)).toEqual([4]);
    model.push(false, 'e');
    expect(elementsOf(model)).toEqual([4, 1]);
    model.insert(2, false, 'b and a half');
    expect(elementsOf(model)).toEqual([3, 3]);
    model.check();
    model.end();
  });

  it('cuts a full node for an element inside, and joins what fits together', () => {
    const model = new Model(4);
    for (let index = 0; index < 12; index++) model.push(false, `element ${index}`);
    model.delete(8);
    expect(elementsOf(model)).toEqual([4, 4, 3]);
    model.insert(5, false, 'x');
    expect(elementsOf(model)).toEqual([4, 2, 3, 3]);
    model.delete(6);
    model.push(false, 'last');
    expect(elementsOf(model)).toEqual([4, 2, 2, 4]);
    // The two nodes before the one that is cut fit together; its parts fit to nothing.
    model.insert(9, true, 'y');
    expect(elementsOf(model)).toEqual([4, 4, 2, 3]);
    model.check();
    model.end();
  });

  it('makes a packed list its first node without copying it', () => {
    const model = new Model(-2);
    let node = createPacked(model.slab, 100);
    for (const text of ['a', 'b']) node = packedAppend(model.slab, node, bytesOf(text), 0, 1);
    adoptNode(model.slab, model.chain, node, listpackBytes(model.slab, node));
    model.texts = ['a', 'b'];
    model.push(true, 'first');
    model.check();
    model.end();
  });

  it('holds a million elements of sixteen bytes in some 18 bytes each', () => {
    const model = new Model(-2);
    const { slab, chain } = model;
    const before = usedBytesOf(slab);
    for (let index = 0; index < 1_000_000; index++) {
      const text = bytesOf(`element ${10_000_000 + index}`);
      chainPush(slab, chain, index % 2 === 0, text, 0, text.length);
    }
    const used = usedBytesOf(slab) - before;
    expect(used / 1_000_000).toBeLessThan(18.2);
    expect(chainHeldBytes(slab, chain)).toBeLessThanOrEqual(used + before);
    checkChain(slab, chain);
    const cursor = model.cursor.open(slab, chain);
    for (let index = 0; index < 1_000_000; index++) {
      if (index % 3 === 0) cursor.first();
      else cursor.last();
      chainDelete(cursor);
    }
    expect(usedBytesOf(slab)).toBeLessThan(200);
    model.end();
  });
});
