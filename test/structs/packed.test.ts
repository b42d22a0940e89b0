// Packed lists against an array of strings: whatever is put in, moved and taken out, both ways lead
// past the same texts, and the block stays whole.

import { describe, expect, it } from 'vitest';
import type { BlockRef } from '../../src/slab/alloc.js';
import { checkSlab } from '../../src/slab/check.js';
import { type Slab, usedBytesOf } from '../../src/slab/slab.js';
import {
  checkPacked,
  copyPacked,
  createPacked,
  Packed,
  packedAppend,
  packedBytes,
  packedCount,
  packedElementBytes,
  packedFind,
  packedInsertBefore,
  packedPrepend,
  packedRemove,
  packedReplace,
  packedReserve,
  packedSplit,
  releasePacked,
  tightenPacked,
} from '../../src/structs/packed.js';
import { randomTest } from '../support/random-test.js';
import type { Random } from '../support/seed.js';
import { freshSlab } from '../support/slab.js';

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

function textOf(cursor: Packed): string {
  const target = new Uint8Array(cursor.textLength());
  expect(cursor.writeText(target, 0)).toBe(target.length);
  return Buffer.from(target).toString('latin1');
}

function forward(slab: Slab, ref: BlockRef): string[] {
  const cursor = new Packed().open(slab, ref);
  const texts: string[] = [];
  for (let isThere = cursor.first(); isThere; isThere = cursor.next()) texts.push(textOf(cursor));
  return texts;
}

function backward(slab: Slab, ref: BlockRef): string[] {
  const cursor = new Packed().open(slab, ref);
  const texts: string[] = [];
  for (let isThere = cursor.last(); isThere; isThere = cursor.previous()) {
    texts.push(textOf(cursor));
  }
  return texts;
}

/** A list and what ought to be in it. */
class Model {
  readonly slab = freshSlab(16 * 1024 * 1024);
  readonly cursor = new Packed();
  texts: string[] = [];
  ref = createPacked(this.slab, 0);

  append(text: string): void {
    this.ref = packedAppend(this.slab, this.ref, bytesOf(text), 0, text.length);
    this.texts.push(text);
  }

  prepend(text: string): void {
    this.ref = packedPrepend(this.slab, this.ref, bytesOf(text), 0, text.length);
    this.texts.unshift(text);
  }

  insert(index: number, text: string): void {
    this.cursor.open(this.slab, this.ref).seek(index);
    // The text lies in the middle of other bytes, as words of a command do.
    const bytes = bytesOf(`<<${text}>>`);
    this.ref = packedInsertBefore(this.slab, this.cursor, bytes, 2, text.length);
    expect(textOf(this.cursor)).toBe(text);
    this.texts.splice(index, 0, text);
  }

  replace(index: number, text: string): void {
    expect(this.cursor.open(this.slab, this.ref).seek(index)).toBe(true);
    this.ref = packedReplace(this.slab, this.cursor, bytesOf(text), 0, text.length);
    expect(textOf(this.cursor)).toBe(text);
    this.texts[index] = text;
  }

  remove(index: number, count: number): void {
    expect(this.cursor.open(this.slab, this.ref).seek(index)).toBe(true);
    this.ref = packedRemove(this.slab, this.cursor, count);
    this.texts.splice(index, count);
    expect(this.cursor.ref).toBe(this.ref);
    expect(this.cursor.token === 0 ? undefined : textOf(this.cursor)).toBe(this.texts[index]);
  }

  check(): void {
    checkPacked(this.slab, this.ref);
    expect(packedCount(this.slab, this.ref)).toBe(this.texts.length);
    expect(forward(this.slab, this.ref)).toEqual(this.texts);
    expect(backward(this.slab, this.ref)).toEqual([...this.texts].reverse());
  }

  /** Nothing but this list is in the slab; without it, nothing is. */
  end(): void {
    checkSlab(this.slab);
    releasePacked(this.slab, this.ref);
    expect(usedBytesOf(this.slab)).toBe(0);
    checkSlab(this.slab);
  }
}

const EDGES = [7, 8, 15, 16, 23, 24, 31, 32, 39, 40, 47, 48, 55, 56, 62, 63];

/** Integers on either side of every width, and texts that only look like integers. */
function edgeTexts(): string[] {
  const texts = ['0', '', '-', '-0', '00', '01', '+1', ' 1', '1 ', '1.0', '1e3', '9'];
  for (const edge of EDGES) {
    for (const near of [-1n, 0n, 1n]) {
      texts.push(String(2n ** BigInt(edge) + near), String(-(2n ** BigInt(edge)) + near));
    }
  }
  for (const length of [1, 127, 238, 239, 240, 241, 255, 256, 65_535, 65_536, 100_000]) {
    texts.push('x'.repeat(length));
  }
  return texts;
}

function anyText(random: Random): string {
  const kind = random.below(20);
  if (kind < 6) return String(random.below(2 ** random.between(1, 31)) - random.below(300));
  if (kind === 6) return random.pick(edgeTexts());
  if (kind === 7) return random.bytes(random.below(1200));
  return random.bytes(random.below(24));
}

function step(model: Model, random: Random, shrinks: boolean): void {
  const { texts } = model;
  const index = random.below(texts.length + 1);
  const choice = random.below(10);
  if (texts.length > 0 && (choice < 3 || shrinks)) {
    const first = random.pick([0, texts.length - 1, Math.min(index, texts.length - 1)]);
    model.remove(first, random.pick([1, 1, 1, 2, random.below(20)]));
  } else if (choice < 5) model.append(anyText(random));
  else if (choice < 7) model.prepend(anyText(random));
  else if (choice < 9 || index === texts.length) model.insert(index, anyText(random));
  else model.replace(index, anyText(random));
}

describe('a packed list', () => {
  randomTest('holds what an array of strings would hold', 60, (random) => {
    const model = new Model();
    const steps = random.pick([20, 100, 400]);
    for (let index = 0; index < steps; index++) {
      step(model, random, random.chance(0.1));
      checkPacked(model.slab, model.ref);
      if (index % 10 === 0) model.check();
    }
    model.check();
    while (model.texts.length > 0) {
      step(model, random, true);
      checkPacked(model.slab, model.ref);
    }
    model.check();
    model.end();
  });

  it('keeps integers and texts of every length, at every place', () => {
    const model = new Model();
    for (const text of edgeTexts()) {
      model.append(text);
      model.prepend(text);
    }
    model.check();
    for (const [index, text] of edgeTexts().entries()) model.replace(index, text);
    model.check();
    model.end();
  });

  it('stores an integer in as few bytes as it needs, one more than its own', () => {
    const sizes: [string, number][] = [
      ['127', 2],
      ['-128', 2],
      ['128', 3],
      ['-32768', 3],
      ['32768', 4],
      ['8388607', 4],
      ['8388608', 5],
      ['2147483647', 5],
      ['2147483648', 6],
      ['549755813888', 7],
      ['9223372036854775807', 9],
      ['-9223372036854775808', 9],
      ['9223372036854775808', 20],
      ['', 1],
      ['abc', 4],
      ['-', 2],
    ];
    for (const [text, bytes] of sizes) {
      expect([text, packedElementBytes(bytesOf(text), 0, text.length)]).toEqual([text, bytes]);
    }
  });

  it('says of an integer what it is', () => {
    const model = new Model();
    for (const text of ['-1', '4294967296', '-4294967297']) model.append(text);
    const { cursor } = model;
    cursor.open(model.slab, model.ref).first();
    expect([cursor.isInteger, cursor.low, cursor.high]).toEqual([true, -1, -1]);
    cursor.next();
    expect([cursor.isInteger, cursor.low, cursor.high]).toEqual([true, 0, 1]);
    cursor.next();
    expect([cursor.isInteger, cursor.low, cursor.high]).toEqual([true, -1, -2]);
    expect(cursor.equals(bytesOf('-4294967297'), 0, 11)).toBe(true);
    expect(cursor.equals(bytesOf('-4294967296'), 0, 11)).toBe(false);
    model.end();
  });

  it('finds a text among those that its stride looks at, and only there', () => {
    const model = new Model();
    const texts = ['field', 'value', '12', 'field', 'x'.repeat(300), '12', 'y'.repeat(70_000)];
    for (const text of texts) model.append(text);
    const find = (text: string, stride: number): number => {
      const bytes = bytesOf(`--${text}`);
      const { slab, ref, cursor } = model;
      if (!packedFind(slab, ref, bytes, 2, text.length, stride, cursor)) return -1;
      expect(textOf(cursor)).toBe(text);
      let index = 0;
      while (cursor.previous()) index++;
      return index;
    };
    for (const text of new Set(texts)) {
      expect(find(text, 1)).toBe(texts.indexOf(text));
      expect(find(text, 2)).toBe(texts.findIndex((other, at) => other === text && at % 2 === 0));
    }
    expect(find('x'.repeat(299), 1)).toBe(-1);
    expect(find('13', 1)).toBe(-1);
    expect(find('', 1)).toBe(-1);
    model.end();
  });

  it('takes what was reserved at the most, and gives back what it does not need', () => {
    const model = new Model();
    const { slab } = model;
    for (let index = 0; index < 2000; index++) {
      const text = `element ${index}`;
      const most = packedReserve(slab, model.ref, text.length);
      const before = usedBytesOf(slab);
      model.append(text);
      expect(usedBytesOf(slab)).toBeLessThanOrEqual(before + most);
    }
    const full = usedBytesOf(slab);
    expect(full).toBeLessThan(packedBytes(slab, model.ref) * 1.15 + 4096);
    model.remove(10, 1985);
    expect(usedBytesOf(slab)).toBeLessThan(full / 20);
    model.check();
    model.end();
  });

  it('is a queue without moving its elements at each end', () => {
    const model = new Model();
    for (let index = 0; index < 300; index++) model.append(`job ${index}`);
    for (let index = 300; index < 20_000; index++) {
      model.append(`job ${index}`);
      model.remove(0, 1);
    }
    model.check();
    expect(usedBytesOf(model.slab)).toBeLessThan(2 * packedBytes(model.slab, model.ref));
    model.end();
  });

  randomTest('is copied, tightened and split in two', 40, (random) => {
    const model = new Model();
    const { slab, cursor } = model;
    const count = random.between(1, 60);
    for (let index = 0; index < count; index++) model.append(anyText(random));
    for (let index = random.below(count); index > 0; index--) model.remove(0, 1);
    model.ref = tightenPacked(slab, model.ref);
    model.check();
    const other = freshSlab(16 * 1024 * 1024);
    const copy = copyPacked(slab, model.ref, other);
    checkPacked(other, copy);
    expect(forward(other, copy)).toEqual(model.texts);
    const at = random.below(model.texts.length);
    cursor.open(slab, model.ref).seek(at);
    const behind = packedSplit(slab, cursor);
    expect(cursor.ref).toBe(model.ref);
    checkPacked(slab, behind);
    expect(forward(slab, behind)).toEqual(model.texts.slice(at));
    releasePacked(slab, behind);
    model.texts = model.texts.slice(0, at);
    model.check();
    model.end();
  });
});
