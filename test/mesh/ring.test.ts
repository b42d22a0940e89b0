import { describe, expect, it } from 'vitest';
import { RingReader, RingWriter, ringBytes } from '../../src/mesh/ring.js';
import { Random, seedOf } from '../support/seed.js';

const seed = seedOf('RING_SEED');
const repeat = `repeat with: RING_SEED=${seed} npx vitest run test/mesh/ring`;

const CAPACITY = 1024;

function ring(capacity = CAPACITY): { writer: RingWriter; reader: RingReader } {
  const memory = new SharedArrayBuffer(128 + ringBytes(capacity));
  return {
    writer: new RingWriter(memory, 128, capacity),
    reader: new RingReader(memory, 128, capacity),
  };
}

function message(length: number, first: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (first + at) & 0xff);
}

function drainAll(reader: RingReader): { kind: number; bytes: Uint8Array }[] {
  const got: { kind: number; bytes: Uint8Array }[] = [];
  reader.drain((kind, u8, start, length) => {
    got.push({ kind, bytes: u8.slice(start, start + length) });
  });
  return got;
}

describe('a ring', () => {
  it('hands over messages in order, whole, with their kinds', () => {
    const { writer, reader } = ring();
    expect(reader.isEmpty()).toBe(true);
    for (let length = 0; length < 20; length++) {
      expect(writer.tryPush(length + 1, message(40, length), 3, length)).toBe(true);
    }
    expect(reader.isEmpty()).toBe(false);
    const got = drainAll(reader);
    expect(got.map(({ kind }) => kind)).toEqual(got.map((_, index) => index + 1));
    for (const [length, { bytes }] of got.entries()) {
      expect(bytes).toEqual(message(length, length + 3));
    }
    expect(reader.isEmpty()).toBe(true);
  });

  it('says when it is full, and changes nothing then', () => {
    const { writer, reader } = ring();
    let pushed = 0;
    while (writer.tryPush(1, message(56, pushed), 0, 56)) pushed++;
    expect(pushed).toBe(CAPACITY / 64);
    expect(writer.tryPush(1, message(0, 0), 0, 0)).toBe(false);
    const got = drainAll(reader);
    expect(got.map(({ bytes }) => bytes[0])).toEqual(got.map((_, index) => index));
    expect(writer.tryPush(1, message(56, 0), 0, 56)).toBe(true);
  });

  it('sends words that are written in place', () => {
    const { writer, reader } = ring();
    for (let round = 0; round < 100; round++) {
      const at = writer.reserve(9, 12);
      expect(at % 8).toBe(0);
      expect(reader.isEmpty()).toBe(true);
      writer.i32.set([round, ~round, 7], at >> 2);
      writer.commit();
      const [{ kind, bytes } = { kind: 0, bytes: new Uint8Array(12) }] = drainAll(reader);
      expect(kind).toBe(9);
      expect([...new Int32Array(bytes.buffer)]).toEqual([round, ~round, 7]);
    }
  });

  it('carries the longest whole message from every position', () => {
    const { writer, reader } = ring();
    const long = message(writer.wholeBytesMax, 5);
    for (let position = 0; position < CAPACITY; position += 8) {
      expect(writer.tryPush(1, long, 0, 0)).toBe(true);
      drainAll(reader);
      expect(writer.tryPush(2, long, 0, long.length)).toBe(true);
      expect(drainAll(reader)).toEqual([{ kind: 2, bytes: long }]);
    }
    expect(() => writer.tryPush(1, message(600, 0), 0, writer.wholeBytesMax + 1)).toThrow(
      'as fragments',
    );
  });

  it('carries messages longer than itself in fragments', () => {
    const { writer, reader } = ring();
    for (const total of [1, 247, 248, 249, 1000, 5000, 40_001]) {
      const long = message(total + 3, total);
      const got: Uint8Array[] = [];
      let sent = 0;
      for (let rounds = 0; sent < total; rounds++) {
        expect(rounds).toBeLessThan(200);
        sent = writer.pushFragments(4, total, sent, long, 3 + sent);
        reader.drain((kind, u8, start, length) => {
          expect(kind).toBe(4);
          got.push(u8.slice(start, start + length));
        });
      }
      expect(got).toEqual([long.slice(3)]);
    }
  });

  it('lets the drainer know that the pusher wants room', () => {
    const { writer, reader } = ring();
    expect(reader.takeWish()).toBe(false);
    while (writer.tryPush(1, message(56, 0), 0, 56));
    expect(writer.wantRoom()).toBe(true);
    expect(writer.willBeRung()).toBe(true);
    drainAll(reader);
    expect(reader.takeWish()).toBe(true);
    expect(writer.willBeRung()).toBe(false);
    expect(reader.takeWish()).toBe(false);
    while (writer.tryPush(1, message(56, 0), 0, 56));
    drainAll(reader);
    expect(writer.wantRoom()).toBe(false);
  });

  it('is not drained from within its own drain', () => {
    const { writer, reader } = ring();
    writer.tryPush(1, message(8, 0), 0, 8);
    const nested = () => reader.drain(() => reader.drain(() => {}));
    expect(nested).toThrow('within its own drain');
  });

  it('behaves like a queue, also where its counters wrap around 2^31 and 2^32', () => {
    for (const start of [0, 0x7ffffc00, -0x400]) {
      const memory = new SharedArrayBuffer(ringBytes(CAPACITY));
      new Int32Array(memory)[0] = start;
      new Int32Array(memory)[16] = start;
      const writer = new RingWriter(memory, 0, CAPACITY);
      const reader = new RingReader(memory, 0, CAPACITY);
      const random = new Random(seed + start);
      const model: { kind: number; bytes: Uint8Array }[] = [];
      for (let step = 0; step < 3000; step++) {
        if (random.chance(0.6)) {
          const bytes = message(random.below(writer.wholeBytesMax / 2), random.below(256));
          const kind = random.below(65_536);
          if (writer.tryPush(kind, bytes, 0, bytes.length)) model.push({ kind, bytes });
          else expect(model.length, repeat).toBeGreaterThan(0);
        } else {
          expect(drainAll(reader), repeat).toEqual(model.splice(0));
        }
      }
    }
  });
});
