// Records and frames of the logs, as a turn leaves them in its file.

import { describe, expect, it } from 'vitest';
import { Slices } from '../../src/base/slices.js';
import { Effects } from '../../src/dispatch/effects.js';
import { FILE_HEAD_BYTES } from '../../src/log/file-head.js';
import { readFrame } from '../../src/log/record.js';
import { Parser } from '../../src/resp/parse.js';
import { LOG_DIRECTORY, LogWorld } from '../support/logs.js';
import { randomTest } from '../support/random-test.js';

/** A log, and what its file holds behind the head. */
function start() {
  const world = new LogWorld(1, { bufferBytes: 256 * 1024 });
  const sink = world.logs[0]!;
  const written = (): Uint8Array => {
    sink.endTurn();
    return world.disk.contentOf(`${LOG_DIRECTORY}/log-1-0.flog`)!.slice(FILE_HEAD_BYTES);
  };
  return { sink, written };
}

function bodiesOf(u8: Uint8Array, at = 0): { bodies: string[]; end: number } {
  const frame = readFrame(u8, at, u8.length);
  if (frame === null) throw new Error('the frame cannot be read');
  const bodies = frame.records.map(({ body }) => Buffer.from(body).toString('latin1'));
  return { bodies, end: frame.end };
}

describe('a frame', () => {
  randomTest('gives back the records of a turn, whatever their lengths and places', 5, (random) => {
    const { sink, written } = start();
    const appended: { body: string; database: number }[] = [];
    for (let length = 0; length < 400; length += 1 + random.below(7)) {
      const offset = random.below(9);
      const source = new Uint8Array(length + offset + 5);
      for (let at = 0; at < source.length; at++) source[at] = random.below(256);
      const database = random.below(16);
      sink.append(database, source, offset, length);
      const body = Buffer.from(source.subarray(offset, offset + length)).toString('latin1');
      appended.push({ body, database });
    }
    const u8 = written();
    const { records, end } = readFrame(u8, 0, u8.length)!;
    const read = records.map(({ body, database }) => ({
      body: Buffer.from(body).toString('latin1'),
      database,
    }));
    expect(read).toEqual(appended);
    expect(records.map(({ low }) => low)).toEqual(appended.map((_, index) => index + 1));
    expect(end).toBe(u8.length);
  });

  it('is refused when it is torn or any byte of it has changed', () => {
    const { sink, written } = start();
    const { u8 } = Slices.of('*1\r\n$4\r\nPING\r\n');
    sink.append(0, u8, 0, u8.length);
    const buffer = written();
    const { end } = bodiesOf(buffer);
    for (let cut = 0; cut < end; cut++) expect(readFrame(buffer, 0, cut)).toBeNull();
    for (let at = 0; at < end; at++) {
      buffer[at] = buffer[at]! ^ 1;
      expect(readFrame(buffer, 0, buffer.length), `byte ${at}`).toBeNull();
      buffer[at] = buffer[at]! ^ 1;
    }
    expect(readFrame(buffer, 0, buffer.length)).not.toBeNull();
  });
});

describe('the record of a command', () => {
  it('is what the client sent, byte for byte', () => {
    const { sink, written } = start();
    const effects = new Effects(sink, { classes: 0, notify() {} });
    const text = 'x*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n*1\r\n$4\r\nPING\r\n';
    const u8 = new Uint8Array(Buffer.from(text, 'latin1'));
    const parser = new Parser(new Slices(), { bulkBytesMax: 100 });
    parser.feed(u8, 1, u8.length);
    parser.next();
    effects.dirty = 1;
    effects.settle(0, parser.args);
    expect(bodiesOf(written()).bodies).toEqual(['*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n']);
  });

  it('is made of its words when they came as a line', () => {
    const { sink, written } = start();
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
    expect(bodiesOf(written()).bodies).toEqual(['*3\r\n$3\r\nset\r\n$1\r\nk\r\n$3\r\na b\r\n']);
  });
});
