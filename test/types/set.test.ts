// Sets against JavaScript's own, with thresholds that make them change their encoding all the time.

import { describe, expect, it } from 'vitest';
import { drawHashKey, setHashKey } from '../../src/base/hash.js';
import { Slices } from '../../src/base/slices.js';
import { checkSlab } from '../../src/slab/check.js';
import { type Slab, usedBytesOf } from '../../src/slab/slab.js';
import { Encoding } from '../../src/types/kind.js';
import { checkSet, setKind } from '../../src/types/set/kind.js';
import { SetResult } from '../../src/types/set/result.js';
import { addReserve, convertToPackedIfSmall, SetValue } from '../../src/types/set/value.js';
import { SetWalk } from '../../src/types/set/walk.js';
import { thresholds } from '../../src/types/thresholds.js';
import { randomTest } from '../support/random-test.js';
import { Random } from '../support/seed.js';
import { freshSlab } from '../support/slab.js';

setHashKey(drawHashKey());

const DEFAULTS = { ...thresholds };

function withThresholds(changed: Partial<typeof thresholds>, run: () => void): void {
  Object.assign(thresholds, changed);
  try {
    run();
  } finally {
    Object.assign(thresholds, DEFAULTS);
  }
}

function drawMember(random: Random): string {
  const kind = random.below(10);
  if (kind < 4) return String(random.between(-40, 300));
  if (kind < 5) return String((BigInt(random.next()) << 31n) - 2n ** 62n);
  if (kind < 6) return random.pick(['', '-', '-0', '007', '9223372036854775808', ' 1', '1 ']);
  if (kind < 9) return `m${random.below(200)}`;
  return 'long'.repeat(random.pick([10, 17, 63, 64, 70, 300])) + random.below(20);
}

/** All members, as text. */
function listMembers(set: SetValue): string[] {
  const walk = new SetWalk().open(set);
  const members: string[] = [];
  while (walk.next()) {
    walk.asText();
    const { u8, start, length } = walk;
    members.push(Buffer.from(u8.slice(start, start + length)).toString('latin1'));
  }
  return members;
}

class Model {
  readonly slab: Slab;
  readonly set = new SetValue();
  readonly members = new Set<string>();

  constructor(slab: Slab, first: string, added: number) {
    this.slab = slab;
    const bytes = Buffer.from(first, 'latin1');
    this.set.create(slab, added, bytes, 0, bytes.length);
    this.add(first);
  }

  add(...texts: string[]): void {
    const words = Slices.of(...texts);
    const before = usedBytesOf(this.slab);
    const reserved = addReserve(this.set, words, 0);
    for (let index = 0; index < words.count; index++) {
      const isNew = this.set.add(words.u8, words.startOf(index), words.lengthOf(index));
      expect(isNew, JSON.stringify(texts[index])).toBe(!this.members.has(texts[index]!));
      this.members.add(texts[index]!);
    }
    // A segment or two may come on top: reserve() keeps 128 KiB for such.
    expect(usedBytesOf(this.slab) - before).toBeLessThanOrEqual(reserved + 16 * 1024);
  }

  remove(text: string): void {
    const bytes = Buffer.from(text, 'latin1');
    expect(this.set.remove(bytes, 0, bytes.length)).toBe(this.members.delete(text));
  }

  has(text: string): boolean {
    const bytes = Buffer.from(text, 'latin1');
    return this.set.has(bytes, 0, bytes.length);
  }

  check(): void {
    checkSet(this.slab, this.set.encoding, this.set.root);
    expect(listMembers(this.set).sort()).toEqual([...this.members].sort());
  }

  free(): void {
    expect(setKind.freeStep(this.slab, this.set.encoding, this.set.root, 1e9)).toBe(true);
  }
}

describe('a set', () => {
  randomTest('has the members that were added and not taken out', 15, (random) => {
    const changed = {
      setMaxIntsetEntries: random.pick([0, 1, 5, 100, 512]),
      setMaxListpackEntries: random.pick([0, 1, 5, 40, 128]),
      setMaxListpackValue: random.pick([0, 1, 3, 20, 64]),
    };
    withThresholds(changed, () => {
      const slab = freshSlab(16 * 1024 * 1024);
      const other = freshSlab(16 * 1024 * 1024);
      const model = new Model(slab, drawMember(random), random.pick([1, 3, 200]));
      const removals = random.pick([0.1, 0.4, 0.6]);
      for (let step = 0; step < 600; step++) {
        if (random.chance(removals)) model.remove(drawMember(random));
        else if (random.chance(0.9)) model.add(drawMember(random));
        else model.add(...Array.from({ length: random.below(30) + 1 }, () => drawMember(random)));
        const asked = drawMember(random);
        expect(model.has(asked)).toBe(model.members.has(asked));
        expect(model.set.count).toBe(model.members.size);
        if (step % 100 === 99) model.check();
      }
      const { encoding, root } = model.set;
      const before = usedBytesOf(other);
      const copy = new SetValue().open(other, encoding, setKind.copy(slab, encoding, root, other));
      checkSet(other, encoding, copy.root);
      expect(listMembers(copy).sort()).toEqual([...model.members].sort());
      const taken = usedBytesOf(other) - before;
      expect(taken).toBeLessThanOrEqual(setKind.copyReserve(slab, encoding, root) + 4096);
      setKind.freeStep(other, encoding, copy.root, 1e9);
      model.free();
      for (const each of [slab, other]) {
        checkSlab(each);
        expect(usedBytesOf(each)).toBe(0);
      }
    });
  });

  it('takes at most 36 bytes for a member of 16 in a large table, and gives them back', () => {
    const slab = freshSlab(64 * 1024 * 1024);
    const model = new SetValue();
    const text = Buffer.alloc(16);
    model.create(slab, 1000, text, 0, 16);
    const count = 300_000;
    for (let number = 0; number < count; number++) {
      text.write(`member:${String(number).padStart(9, '0')}`, 'latin1');
      model.add(text, 0, 16);
    }
    const bytes = usedBytesOf(slab) / count;
    expect(bytes).toBeLessThanOrEqual(36);
    const held = setKind.heldBytes(slab, model.encoding, model.root) / count;
    expect(Math.abs(held - bytes)).toBeLessThan(1.5);
    // Removals shrink the table as they go: nobody calls any upkeep here.
    for (let number = 1000; number < count; number++) {
      text.write(`member:${String(number).padStart(9, '0')}`, 'latin1');
      model.remove(text, 0, 16);
    }
    expect(usedBytesOf(slab)).toBeLessThan(1000 * 120);
    checkSet(slab, model.encoding, model.root);
  });

  it('is freed in steps of about as many members as are asked for', () => {
    const slab = freshSlab(16 * 1024 * 1024);
    const model = new Model(slab, 'first', 1000);
    model.add(...Array.from({ length: 5000 }, (_, index) => `member ${index}`));
    const { encoding, root } = model.set;
    let steps = 1;
    let before = setKind.length(slab, encoding, root);
    while (!setKind.freeStep(slab, encoding, root, 100)) {
      const left = setKind.length(slab, encoding, root);
      expect(before - left).toBeLessThan(600);
      before = left;
      steps++;
    }
    expect(steps).toBeGreaterThan(10);
    expect(usedBytesOf(slab)).toBe(0);
    checkSlab(slab);
  });

  it('becomes a packed list again where little of a table is left, if all of it fits', () => {
    const slab = freshSlab(4 * 1024 * 1024);
    const model = new Model(slab, 'first', 1000);
    model.add('12', 'x'.repeat(65));
    convertToPackedIfSmall(model.set);
    expect(model.set.encoding).toBe(Encoding.Table);
    model.remove('x'.repeat(65));
    convertToPackedIfSmall(model.set);
    expect(model.set.encoding).toBe(Encoding.Packed);
    model.check();
    model.free();
    expect(usedBytesOf(slab)).toBe(0);
  });

  it('is drawn from fairly in every encoding', () => {
    const random = new Random(5);
    const words = Array.from({ length: 40 }, (_, index) => `member ${index}`);
    const sets = [
      ['0', 1, Array.from({ length: 40 }, (_, index) => String(index))],
      ['a', 1, words],
      ['a', 1000, words],
    ] as const;
    for (const [first, added, members] of sets) {
      const model = new Model(freshSlab(4 * 1024 * 1024), first, added);
      model.remove(first);
      model.add(...members);
      const walk = new SetWalk();
      const counts = new Map<string, number>();
      for (let draw = 0; draw < 40_000; draw++) {
        walk.pick(model.set, (below) => random.below(below));
        walk.asText();
        const { u8, start, length } = walk;
        const text = Buffer.from(u8.slice(start, start + length)).toString('latin1');
        counts.set(text, (counts.get(text) ?? 0) + 1);
      }
      // Chi squared with 39 degrees of freedom: above 85 once in 30 000 times.
      let chi = 0;
      for (const member of members) chi += ((counts.get(member) ?? 0) - 1000) ** 2 / 1000;
      expect(chi).toBeLessThan(85);
    }
  });
});

describe('the result of a set operation', () => {
  randomTest(
    'holds each member once and is stored in the encoding Redis would use',
    10,
    (random) => {
      const changed = {
        setMaxIntsetEntries: random.pick([1, 5, 100, 512]),
        setMaxListpackEntries: random.pick([0, 1, 5, 40, 128]),
        setMaxListpackValue: random.pick([1, 3, 20, 64]),
      };
      withThresholds(changed, () => {
        const slab = freshSlab(16 * 1024 * 1024);
        const models = [0, 1, 2].map(() => {
          const model = new Model(slab, drawMember(random), random.pick([1, 200]));
          const size = random.pick([0, 5, 50, 400]);
          for (let step = 0; step < size; step++) model.add(drawMember(random));
          return model;
        });
        const result = new SetResult(models.map((model) => model.set));
        const walk = new SetWalk();
        result.begin(Encoding.Integers);
        // What adding one by one makes of a set, in the order in which they are met.
        let grown: Model | null = null;
        for (const [at, model] of models.entries()) {
          walk.open(model.set);
          while (walk.next()) result.addOnce(walk, at);
          for (const member of listMembers(model.set)) {
            grown ??= new Model(slab, member, 1);
            grown.add(member);
          }
        }
        const gone = models[1]!;
        walk.open(gone.set);
        while (random.chance(0.9) && walk.next()) {
          result.remove(walk);
          walk.asText();
          const { u8, start, length } = walk;
          grown!.remove(Buffer.from(u8.slice(start, start + length)).toString('latin1'));
        }
        expect(result.count).toBe(grown!.members.size);
        const encoding = result.storedEncoding(false);
        if (changed.setMaxListpackEntries > 0 && grown!.set.encoding !== Encoding.Integers) {
          expect(encoding).toBe(grown!.set.encoding);
        }
        const target = freshSlab(16 * 1024 * 1024);
        const root = result.store(target, encoding);
        expect(usedBytesOf(target)).toBeLessThanOrEqual(result.storeReserve(target, encoding));
        checkSet(target, encoding, root);
        const stored = new SetValue().open(target, encoding, root);
        expect(listMembers(stored).sort()).toEqual([...grown!.members].sort());
        result.end();
      });
    },
  );
});
