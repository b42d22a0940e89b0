// Streams against arrays and maps: what was added is found, in order, until it is deleted; what is
// pending belongs to one consumer; and all memory comes back.

import { describe, expect, it } from 'vitest';
import { Slices } from '../../src/base/slices.js';
import { checkSlab } from '../../src/slab/check.js';
import { type Slab, usedBytesOf } from '../../src/slab/slab.js';
import { Encoding } from '../../src/types/kind.js';
import { EntryCursor, payloadBytes } from '../../src/types/stream/block.js';
import {
  addPending,
  advanceGroup,
  type ConsumerRef,
  checkGroups,
  consumerAt,
  consumerCount,
  consumerOf,
  createConsumer,
  createGroup,
  deleteConsumer,
  destroyGroup,
  findConsumer,
  findGroup,
  findPending,
  type GroupRef,
  groupCount,
  movePending,
  ownPendingCount,
  pendingCount,
  removePending,
} from '../../src/types/stream/groups.js';
import {
  compareIds,
  describeId,
  IdForm,
  IdRule,
  MAX_ID,
  parseId,
  readIdAt,
  StreamId,
  ZERO_ID,
} from '../../src/types/stream/id.js';
import {
  checkIdTree,
  clearIdTree,
  findInIdTree,
  floorInIdTree,
  freeIdTreeStep,
  IdTreeCursor,
  idTreeBytes,
  idTreeCount,
  insertInIdTree,
  removeFromIdTree,
} from '../../src/types/stream/id-tree.js';
import { streamKind } from '../../src/types/stream/kind.js';
import { References, trimReferenced } from '../../src/types/stream/references.js';
import {
  appendEntry,
  checkStream,
  countEntries,
  createStream,
  deleteById,
  type StreamRef,
  seekEntry,
  seekEntryBack,
  streamLength,
  Trim,
} from '../../src/types/stream/stream.js';
import { thresholds } from '../../src/types/thresholds.js';
import { randomTest } from '../support/random-test.js';
import type { Random } from '../support/seed.js';
import { freshSlab } from '../support/slab.js';

const MiB = 1024 * 1024;
const ROOT = 40;

function idOf(value: bigint): StreamId {
  const id = new StreamId();
  const word = (shift: bigint) => Number(BigInt.asIntN(32, value >> shift));
  id.set(word(96n), word(64n), word(32n), word(0n));
  return id;
}

function numberOf(id: StreamId): bigint {
  const words = [id.msHigh, id.msLow, id.seqHigh, id.seqLow];
  return words.reduce((value, word) => (value << 32n) | BigInt(word >>> 0), 0n);
}

// ── IDs ──────────────────────────────────────────────────────────────────────────────────────

function read(text: string, rule = IdRule.Strict, missing = 0): string {
  const bytes = Buffer.from(text, 'latin1');
  const id = new StreamId();
  const form = parseId(bytes, 0, bytes.length, missing, rule, id);
  return form === IdForm.None ? 'none' : describeId(id) + (form === IdForm.Open ? ' open' : '');
}

describe('an ID', () => {
  it('is read as Redis reads it', () => {
    const rows: readonly (readonly [string, string])[] = [
      ['0', '0-0'],
      ['1-2', '1-2'],
      ['1526919030474-55', '1526919030474-55'],
      ['007-002', '7-2'],
      ['+7', '7-0'],
      [' 5-3', '5-3'],
      ['5--03', '5-18446744073709551613'],
      ['9007199254740993-9007199254740993', '9007199254740993-9007199254740993'],
      ['9223372036854775808-1', '9223372036854775808-1'],
      ['18446744073709551615-18446744073709551615', '18446744073709551615-18446744073709551615'],
      ['5\0x', '5-0'],
      ['18446744073709551616', 'none'],
      ['', 'none'],
      ['-', 'none'],
      ['+', 'none'],
      ['-1', 'none'],
      ['1-', 'none'],
      ['1-2-3', 'none'],
      ['1-*', 'none'],
      ['5--3', 'none'],
      ['a', 'none'],
      ['1 ', 'none'],
    ];
    for (const [text, expected] of rows) expect([text, read(text)]).toEqual([text, expected]);
    expect(read('-', IdRule.Ends)).toBe('0-0');
    expect(read('+', IdRule.Ends)).toBe(describeId(MAX_ID));
    expect(read('7-*', IdRule.Star)).toBe('7-0 open');
    expect(read('7', IdRule.Strict, -1)).toBe('7-18446744073709551615');
  });

  randomTest('counts up and down, and compares like the number it is', 3, (random) => {
    for (let step = 0; step < 500; step++) {
      const value = randomValue(random, 128);
      const id = idOf(value);
      expect(numberOf(id)).toBe(value);
      expect(compareIds(id, idOf(value + 1n))).toBe(value === 2n ** 128n - 1n ? 1 : -1);
      expect(id.increment()).toBe(value !== 2n ** 128n - 1n);
      expect(numberOf(id)).toBe(BigInt.asUintN(128, value + 1n));
      id.decrement();
      expect(id.decrement()).toBe(value !== 0n);
      expect(numberOf(id)).toBe(BigInt.asUintN(128, value - 1n));
    }
  });
});

/** Numbers of all sizes, the ends of words among them. */
function randomValue(random: Random, bits: number): bigint {
  let value = 0n;
  for (let word = 0; word < bits / 32; word++) {
    const part = random.pick([0, 0, 1, 0xffffffff, 0x80000000, random.next()]);
    value = (value << 32n) | BigInt(part);
  }
  return value;
}

// ── The tree ─────────────────────────────────────────────────────────────────────────────────

describe('a tree of IDs', () => {
  randomTest('finds what was put into it, and nothing else', 4, (random) => {
    const slab = freshSlab(8 * MiB);
    const words = random.pick([4, 5, 9]);
    const range = random.pick([50, 3000, 40_000]);
    clearIdTree(slab, ROOT);
    const model = new Set<number>();
    let next = 0;
    const key = (value: number) => idOf(BigInt(value) << BigInt(value % 2 === 0 ? 64 : 0));
    for (let phase = 0; phase < 6; phase++) {
      const removals = random.pick([1, 5, 9]);
      const isAppending = random.chance(0.5);
      for (let step = 0; step < 2000; step++) {
        const value = isAppending ? ++next * 2 : 2 * random.below(range);
        const id = key(value);
        const at = findInIdTree(slab, ROOT, words, id);
        expect(at !== 0).toBe(model.has(value));
        if (random.below(10) < removals) {
          const gone = isAppending ? 2 * random.below(next + 1) : value;
          expect(removeFromIdTree(slab, ROOT, words, key(gone))).toBe(model.delete(gone));
        } else if (at === 0) {
          const record = insertInIdTree(slab, ROOT, words, id);
          for (let word = 4; word < words; word++) slab.i32[record + word] = value;
          model.add(value);
        }
      }
      compareTree(slab, words, model, key);
    }
    while (!freeIdTreeStep(slab, ROOT, 10)) expect(idTreeCount(slab, ROOT)).toBeGreaterThan(0);
    expect(usedBytesOf(slab)).toBe(0);
    checkSlab(slab);
  });

  it('fills its nodes when it is appended to', () => {
    const slab = freshSlab(64 * MiB);
    clearIdTree(slab, ROOT);
    for (let value = 1; value <= 100_000; value++)
      insertInIdTree(slab, ROOT, 4, idOf(BigInt(value)));
    expect(idTreeBytes(slab, ROOT) / 100_000).toBeLessThan(17);
  });
});

function compareTree(
  slab: Slab,
  words: number,
  model: ReadonlySet<number>,
  key: (value: number) => StreamId,
): void {
  checkIdTree(slab, ROOT, words);
  const sorted = [...model].sort((a, b) => a - b);
  expect(idTreeCount(slab, ROOT)).toBe(sorted.length);
  const walk = new IdTreeCursor();
  const seen: number[] = [];
  let isThere = walk.seek(slab, ROOT, words, ZERO_ID);
  for (; isThere; isThere = walk.next()) {
    const id = new StreamId();
    readIdAt(slab.i32, walk.at, id);
    const value = sorted[seen.length]!;
    expect(compareIds(id, key(value))).toBe(0);
    for (let word = 4; word < words; word++) expect(slab.i32[walk.at + word]).toBe(value);
    seen.push(value);
  }
  expect(seen.length).toBe(sorted.length);
  for (let probe = 0; probe < sorted.length; probe += 17) {
    const id = key(sorted[probe]!);
    if (!id.decrement()) continue;
    const floor = floorInIdTree(slab, ROOT, words, id);
    const before = new StreamId();
    if (probe === 0) expect(floor).toBe(0);
    else {
      readIdAt(slab.i32, floor, before);
      expect(compareIds(before, key(sorted[probe - 1]!))).toBe(0);
    }
  }
}

// ── Entries ──────────────────────────────────────────────────────────────────────────────────

interface Item {
  readonly value: bigint;
  readonly fields: readonly string[];
}

class Model {
  readonly slab: Slab;
  readonly stream: StreamRef;
  items: Item[] = [];
  last = 0n;

  constructor(slab: Slab) {
    this.slab = slab;
    this.stream = createStream(slab);
  }

  add(value: bigint, fields: readonly string[]): void {
    const args = Slices.of('XADD', ...fields);
    appendEntry(this.slab, this.stream, idOf(value), args, 1, payloadBytes(args, 1));
    this.items.push({ value, fields });
    this.last = value;
  }

  check(): void {
    checkStream(this.slab, this.stream);
    checkGroups(this.slab, this.stream);
    expect(streamLength(this.slab, this.stream)).toBe(this.items.length);
  }
}

function textAt(slab: Slab, at: number, bytes: number): string {
  return Buffer.from(slab.u8.slice(at, at + bytes)).toString('latin1');
}

function itemAt(slab: Slab, cursor: EntryCursor): Item {
  const fields: string[] = [];
  for (let field = 0; field < cursor.fieldCount; field++) {
    cursor.nextField();
    fields.push(textAt(slab, cursor.nameAt, cursor.nameBytes));
    fields.push(textAt(slab, cursor.valueAt, cursor.valueBytes));
  }
  return { value: numberOf(cursor.id), fields };
}

function randomFields(random: Random): string[] {
  const kind = random.below(6);
  if (kind < 3) return ['temperature', String(random.below(1000)), 'place', 'here'];
  const fields: string[] = [];
  for (let count = random.between(1, 4); count > 0; count--) {
    const bytes = random.pick([0, 1, 5, 127, 128, 200, 20_000]);
    fields.push(random.bytes(random.below(8)), random.bytes(kind === 3 ? bytes : 3));
  }
  return fields;
}

/** An ID behind all others: mostly near, sometimes as far as IDs go. */
function nextValue(random: Random, last: bigint): bigint {
  const kind = random.below(40);
  if (kind < 20) return last + 1n;
  if (kind < 36) return (((last >> 64n) + BigInt(random.between(1, 5000))) << 64n) + 3n;
  const far = last + randomValue(random, 96);
  return far > last && far < 2n ** 127n ? far : last + 1n;
}

describe('a stream', () => {
  randomTest('holds what was added until it is deleted', 5, (random) => {
    thresholds.streamNodeMaxEntries = random.pick([1, 2, 7, 100, 100, 0]);
    thresholds.streamNodeMaxBytes = random.pick([100, 1000, 4096, 4096, 0]);
    const model = new Model(freshSlab(64 * MiB));
    const { slab, stream } = model;
    for (let step = 0; step < 1500; step++) {
      const kind = random.below(100);
      if (kind < 70) model.add(nextValue(random, model.last), randomFields(random));
      else if (kind < 90) {
        const picked = model.items[random.below(model.items.length + 1)];
        const value = picked?.value ?? randomValue(random, 128);
        // By chance there may be an entry of that ID, too.
        const item = model.items.find((each) => each.value === value);
        expect(deleteById(slab, stream, idOf(value))).toBe(item !== undefined);
        if (item !== undefined) model.items.splice(model.items.indexOf(item), 1);
      } else if (kind < 91) trimAndCompare(random, model);
      else lookAround(random, model);
      if (step % 100 === 0) model.check();
    }
    model.check();
    compareAll(model);
    compareCopy(random, model);
    while (!streamKind.freeStep(slab, Encoding.Log, stream, random.between(1, 200)));
    expect(usedBytesOf(slab)).toBe(0);
    checkSlab(slab);
    thresholds.streamNodeMaxEntries = 100;
    thresholds.streamNodeMaxBytes = 4096;
  });

  it('takes at most 40 bytes for an entry of two small fields, at a million of them', () => {
    const slab = freshSlab(256 * MiB);
    const stream = createStream(slab);
    const args = Slices.of('XADD', 'player', 'p12345', 'score', '987654');
    const id = new StreamId();
    for (let count = 0; count < 1_000_000; count++) {
      id.setMs(1_700_000_000_000 + Math.floor(count / 3));
      id.seqLow = count % 3;
      appendEntry(slab, stream, id, args, 1, 22);
    }
    expect(streamLength(slab, stream)).toBe(1_000_000);
    expect(usedBytesOf(slab) / 1_000_000).toBeLessThan(40);
    const cursor = new EntryCursor();
    expect(seekEntry(slab, stream, cursor, id)).toBe(true);
    expect(compareIds(cursor.id, id)).toBe(0);
    streamKind.freeStep(slab, Encoding.Log, stream, Number.MAX_SAFE_INTEGER);
    expect(usedBytesOf(slab)).toBe(0);
  });
});

function trimAndCompare(random: Random, model: Model): void {
  const { items, slab, stream } = model;
  const trim = new Trim();
  trim.isByLength = random.chance(0.5);
  trim.isApproximate = random.chance(0.5);
  trim.limit = trim.isApproximate && random.chance(0.5) ? random.below(100) : 0;
  const wanted = random.below(Math.min(items.length, 150) + 1);
  trim.length = items.length - wanted;
  const edge = items[wanted]?.value ?? model.last + 1n;
  trim.id.copyFrom(idOf(edge));
  const deleted = trimReferenced(slab, stream, trim, References.Keep);
  if (!trim.isApproximate) expect(deleted).toBe(wanted);
  else expect(deleted).toBeLessThanOrEqual(trim.limit === 0 ? wanted : trim.limit);
  model.items = items.slice(deleted);
  model.check();
}

/** Seeks, counts and walks from somewhere, in both directions. */
function lookAround(random: Random, model: Model): void {
  const { items, slab, stream } = model;
  const cursor = new EntryCursor();
  const place = random.below(items.length + 1);
  const from = (items[place]?.value ?? model.last + 1n) + BigInt(random.between(-1, 1));
  if (from < 0n) return;
  const behind = items.filter((item) => item.value >= from);
  expect(seekEntry(slab, stream, cursor, idOf(from))).toBe(behind.length > 0);
  if (behind.length > 0) {
    expect(numberOf(cursor.id)).toBe(behind[0]!.value);
    const end = behind[random.below(behind.length)]!.value + BigInt(random.between(-1, 1));
    const limit = random.between(1, 300);
    const count = behind.filter((item) => item.value <= end).length;
    expect(countEntries(slab, cursor, idOf(end), limit)).toBe(Math.min(limit, count));
    seekEntry(slab, stream, cursor, idOf(from));
    expect(countEntries(slab, cursor, MAX_ID, limit)).toBe(Math.min(limit, behind.length));
  }
  const before = items.filter((item) => item.value <= from);
  expect(seekEntryBack(slab, stream, cursor, idOf(from))).toBe(before.length > 0);
  if (before.length === 0) return;
  expect(numberOf(cursor.id)).toBe(before.at(-1)!.value);
  for (let back = 2; back < 5 && back <= before.length; back++) {
    expect(cursor.previous()).toBe(true);
    expect(itemAt(slab, cursor)).toEqual(before.at(-back));
  }
}

function itemsOf(slab: Slab, stream: StreamRef): Item[] {
  const items: Item[] = [];
  const cursor = new EntryCursor();
  let isThere = seekEntry(slab, stream, cursor, ZERO_ID);
  for (; isThere; isThere = cursor.next()) items.push(itemAt(slab, cursor));
  return items;
}

function compareAll(model: Model): void {
  const { items, slab, stream } = model;
  expect(itemsOf(slab, stream)).toEqual(items);
  const cursor = new EntryCursor();
  const backwards: bigint[] = [];
  let isThere = seekEntryBack(slab, stream, cursor, MAX_ID);
  for (; isThere; isThere = cursor.previous()) backwards.push(numberOf(cursor.id));
  expect(backwards.reverse()).toEqual(items.map((item) => item.value));
}

function compareCopy(random: Random, model: Model): void {
  const { slab, stream } = model;
  const target = random.chance(0.5) ? slab : freshSlab(64 * MiB);
  const before = usedBytesOf(target);
  const copy = streamKind.copy(slab, Encoding.Log, stream, target) as StreamRef;
  const bytes = usedBytesOf(target) - before;
  expect(bytes).toBe(streamKind.heldBytes(target, Encoding.Log, copy));
  expect(bytes).toBeLessThanOrEqual(streamKind.copyReserve(slab, Encoding.Log, stream));
  streamKind.check(target, Encoding.Log, copy);
  expect(itemsOf(target, copy)).toEqual(model.items);
  streamKind.freeStep(target, Encoding.Log, copy, Number.MAX_SAFE_INTEGER);
  expect(usedBytesOf(target)).toBe(before);
}

// ── Groups ───────────────────────────────────────────────────────────────────────────────────

const NAMES = ['', 'a', 'ab', 'b', 'consumer', 'consumer-with-a-long-name', '\xff'];

function wordOf(text: string): Slices {
  return Slices.of(text);
}

function nameOf(slab: Slab, group: GroupRef, consumer: ConsumerRef): string {
  const found = NAMES.find((name) => findConsumer(slab, group, wordOf(name), 0) === consumer);
  return found ?? 'unknown';
}

describe('a consumer group', () => {
  randomTest('knows what is pending for whom', 4, (random) => {
    const model = new Model(freshSlab(64 * MiB));
    const { slab, stream } = model;
    const empty = usedBytesOf(slab);
    const group = createGroup(slab, stream, wordOf('group'), 0, ZERO_ID);
    const pending = new Map<bigint, string>();
    const consumers = new Set<string>();
    const range = random.pick([10, 300, 5000]);
    for (let step = 0; step < 5000; step++) {
      const name = random.pick(NAMES);
      const value = BigInt(random.below(range));
      let consumer = findConsumer(slab, group, wordOf(name), 0);
      expect(consumer !== 0).toBe(consumers.has(name));
      if (consumer === 0) {
        consumer = createConsumer(slab, group, wordOf(name), 0, 5);
        consumers.add(name);
      }
      const record = findPending(slab, group, idOf(value));
      expect(record !== 0).toBe(pending.has(value));
      const kind = random.below(100);
      if (kind < 50) {
        if (record === 0) addPending(slab, group, consumer, idOf(value), step);
        else movePending(slab, group, record, consumer, idOf(value));
        pending.set(value, name);
      } else if (kind < 99) {
        expect(removePending(slab, group, idOf(value))).toBe(pending.delete(value));
      } else {
        const own = [...pending].filter(([, owner]) => owner === name);
        expect(deleteConsumer(slab, group, consumer)).toBe(own.length);
        for (const [gone] of own) pending.delete(gone);
        consumers.delete(name);
      }
      if (step % 500 === 0) checkGroups(slab, stream);
    }
    compareGroup(slab, group, pending, consumers);
    compareCopy(random, model);
    expect(findGroup(slab, stream, wordOf('group'), 0)).toBe(group);
    destroyGroup(slab, stream, group);
    expect(groupCount(slab, stream)).toBe(0);
    expect(usedBytesOf(slab)).toBe(empty);
    checkSlab(slab);
  });

  it('keeps groups in the order of their names, and frees them step by step', () => {
    const slab = freshSlab(16 * MiB);
    const stream = createStream(slab);
    for (let index = 0; index < 300; index++) {
      const word = wordOf(`group-${(index * 7) % 300}`);
      const group = createGroup(slab, stream, word, 0, ZERO_ID);
      const consumer = createConsumer(slab, group, wordOf('one'), 0, 5);
      for (let entry = 1; entry < 20; entry++) {
        addPending(slab, group, consumer, idOf(BigInt(entry)), 5);
      }
    }
    checkGroups(slab, stream);
    let steps = 0;
    while (!streamKind.freeStep(slab, Encoding.Log, stream, 50)) steps++;
    expect(steps).toBeGreaterThan(50);
    expect(usedBytesOf(slab)).toBe(0);
  });

  it('counts what it has read as long as that can be told', () => {
    const model = new Model(freshSlab(16 * MiB));
    const { slab, stream } = model;
    for (let value = 1n; value <= 5n; value++) model.add(value, ['f', 'v']);
    const group = createGroup(slab, stream, wordOf('group'), 0, ZERO_ID);
    expect(advanceGroup(slab, stream, group, idOf(1n))).toBe(true);
    expect(advanceGroup(slab, stream, group, idOf(1n))).toBe(false);
    expect(advanceGroup(slab, stream, group, idOf(5n))).toBe(true);
    expect(pendingCount(slab, group)).toBe(0);
  });
});

function compareGroup(
  slab: Slab,
  group: GroupRef,
  pending: ReadonlyMap<bigint, string>,
  consumers: ReadonlySet<string>,
): void {
  expect(pendingCount(slab, group)).toBe(pending.size);
  expect(consumerCount(slab, group)).toBe(consumers.size);
  for (const [value, name] of pending) {
    const record = findPending(slab, group, idOf(value));
    expect(nameOf(slab, group, consumerOf(slab, record))).toBe(name);
  }
  for (let index = 0; index < consumers.size; index++) {
    const consumer = consumerAt(slab, group, index);
    const name = nameOf(slab, group, consumer);
    expect(consumers.has(name)).toBe(true);
    const own = [...pending.values()].filter((owner) => owner === name);
    expect(ownPendingCount(slab, consumer)).toBe(own.length);
  }
}
