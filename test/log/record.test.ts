// Records and frames of the logs, and the sink that writes and counts them.

import { describe, expect, it } from 'vitest';
import { Slices } from '../../src/base/slices.js';
import { Effects } from '../../src/dispatch/effects.js';
import { CountingSink } from '../../src/log/counting-sink.js';
import { FRAME_HEAD_BYTES, readFrame, recordBytes } from '../../src/log/record.js';
import { Parser } from '../../src/resp/parse.js';
import { randomTest } from '../support/random-test.js';

function start(bytes = 4096) {
  const counter = new SharedArrayBuffer(4);
  const buffer = new Uint8Array(new SharedArrayBuffer(bytes));
  const sink = new CountingSink(counter, buffer);
  sink.isOn = true;
  return { counter, buffer, sink };
}

function bodiesOf(u8: Uint8Array, at = 0): { bodies: string[]; end: number } {
  const frame = readFrame(u8, at, u8.length);
  if (frame === null) throw new Error('the frame cannot be read');
  const bodies = frame.records.map(({ body }) => Buffer.from(body).toString('latin1'));
  return { bodies, end: frame.end };
}

describe('a frame', () => {
  randomTest('gives back the records of a turn, whatever their lengths and places', 5, (random) => {
    const { buffer, sink } = start(64 * 1024);
    const written: { body: string; database: number }[] = [];
    for (let length = 0; length < 400; length += 1 + random.below(7)) {
      const offset = random.below(9);
      const source = new Uint8Array(length + offset + 5);
      for (let at = 0; at < source.length; at++) source[at] = random.below(256);
      const database = random.below(16);
      sink.append(database, source, offset, length);
      const body = Buffer.from(source.subarray(offset, offset + length)).toString('latin1');
      written.push({ body, database });
    }
    sink.endTurn();
    const { records, end } = readFrame(buffer, 0, buffer.length)!;
    const read = records.map(({ body, database }) => ({
      body: Buffer.from(body).toString('latin1'),
      database,
    }));
    expect(read).toEqual(written);
    expect(records.map(({ low }) => low)).toEqual(written.map((_, index) => index + 1));
    expect([sink.recordCount, sink.frameCount, sink.byteCount]).toEqual([written.length, 1, end]);
  });

  it('is refused when it is torn or any byte of it has changed', () => {
    const { buffer, sink } = start();
    const { u8 } = Slices.of('*1\r\n$4\r\nPING\r\n');
    sink.append(0, u8, 0, u8.length);
    sink.endTurn();
    const { end } = bodiesOf(buffer);
    for (let cut = 0; cut < end; cut++) expect(readFrame(buffer, 0, cut)).toBeNull();
    for (let at = 0; at < end; at++) {
      buffer[at] = buffer[at]! ^ 1;
      expect(readFrame(buffer, 0, buffer.length), `byte ${at}`).toBeNull();
      buffer[at] = buffer[at]! ^ 1;
    }
    expect(readFrame(buffer, 0, buffer.length)).not.toBeNull();
  });

  it('begins anew in front when the buffer is full, and a record too large is only counted', () => {
    const { buffer, sink } = start(120);
    const u8 = new Uint8Array(200).fill(0x61);
    sink.append(0, u8, 0, 40);
    sink.append(0, u8, 0, 41);
    // The second did not fit behind the first: its frame stands in front.
    sink.endTurn();
    expect(bodiesOf(buffer).bodies).toEqual(['a'.repeat(41)]);
    sink.append(0, u8, 0, 200);
    sink.endTurn();
    expect(sink.recordCount).toBe(3);
    const whole = [40, 41, 200].map((bytes) => FRAME_HEAD_BYTES + recordBytes(bytes));
    expect(sink.byteCount).toBe(whole.reduce((sum, bytes) => sum + bytes));
  });
});

describe('a number', () => {
  it('goes on counting where the shared word wraps', () => {
    const { buffer, counter, sink } = start();
    // As other threads would move it on, seen now and then.
    for (const low of [2 ** 30, 2 ** 31 - 1, -(2 ** 30), -2]) {
      new Int32Array(counter)[0] = low;
      sink.observe();
    }
    const u8 = new Uint8Array(4);
    for (let index = 0; index < 3; index++) sink.append(0, u8, 0, 4);
    sink.endTurn();
    const { records } = readFrame(buffer, 0, buffer.length)!;
    expect(records.map(({ low, high }) => [low, high])).toEqual([
      [-1, 0],
      [0, 1],
      [1, 1],
    ]);
    expect(sink.lastNumber).toBe(2 ** 32 + 1);
  });
});

describe('the record of a command', () => {
  it('is what the client sent, byte for byte', () => {
    const { buffer, sink } = start();
    const effects = new Effects(sink, { classes: 0, notify() {} });
    const text = 'x*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n*1\r\n$4\r\nPING\r\n';
    const u8 = new Uint8Array(Buffer.from(text, 'latin1'));
    const parser = new Parser(new Slices(), { bulkBytesMax: 100 });
    parser.feed(u8, 1, u8.length);
    parser.next();
    effects.dirty = 1;
    effects.settle(0, parser.args);
    sink.endTurn();
    expect(bodiesOf(buffer).bodies).toEqual(['*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n']);
  });

  it('is made of its words when they came as a line', () => {
    const { buffer, sink } = start();
    const effects = new Effects(sink, { classes: 0, notify() {} });
    const args = new Slices();
    const parser = new Parser(args, { bulkBytesMax: 100 });
    for (const text of ['*1\r\n$4\r\nPING\r\n', 'set k "a b"\r\n']) {
      const u8 = new Uint8Array(Buffer.from(text, 'latin1'));
      parser.feed(u8, 0, u8.length);
      parser.next();
    }
    effects.dirty = 1;
    effects.settle(0, args);
    sink.endTurn();
    expect(bodiesOf(buffer).bodies).toEqual(['*3\r\n$3\r\nset\r\n$1\r\nk\r\n$3\r\na b\r\n']);
  });
});
