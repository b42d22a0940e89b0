// Log directories for tests: histories of random commands, written as several threads would write
// them, by the same RecordWriter.

import { formatFileHead } from '../../src/log/file-head.js';
import type { LogBytes } from '../../src/log/log-reader.js';
import { type Generation, logFileName, type Manifest } from '../../src/log/manifest.js';
import { FRAME_HEAD_BYTES, RecordWriter, recordBytes } from '../../src/log/record.js';
import type { Random } from './seed.js';

export const HISTORY = '0123456789abcdef0123456789abcdef01234567';

export interface WrittenRecord {
  readonly number: number;
  readonly database: number;
  readonly body: Buffer;
  /** The log that has it, and where its frame ends there. */
  readonly file: string;
  frameEnd: number;
}

export interface WrittenLogs {
  readonly manifest: Manifest;
  readonly files: Map<string, Uint8Array>;
  /** In the order of their numbers. */
  readonly records: readonly WrittenRecord[];
}

/** A command in the protocol. */
export function wire(...words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
}

/** One thread's log: records are appended, `endTurn` makes them a frame. */
export class LogBuilder {
  readonly name: string;
  private readonly buffer: Uint8Array;
  private readonly writer: RecordWriter;
  private frameAt: number;
  private at: number;
  private open: WrittenRecord[] = [];

  constructor(generation: number, thread: number, bytesMax: number, history = HISTORY) {
    this.name = logFileName(generation, thread);
    this.buffer = new Uint8Array(new ArrayBuffer(bytesMax));
    this.writer = new RecordWriter(this.buffer);
    const head = formatFileHead({ generation, thread, history });
    this.buffer.set(head);
    this.frameAt = head.length;
    this.at = this.frameAt + FRAME_HEAD_BYTES;
  }

  append(number: number, database: number, text: string): WrittenRecord {
    const body = Buffer.from(text, 'latin1');
    const { at } = this;
    const high = Math.floor(number / 2 ** 32);
    this.writer.record(at, number | 0, high, database, body, 0, body.length);
    this.at = at + recordBytes(body.length);
    const record = { number, database, body, file: this.name, frameEnd: 0 };
    this.open.push(record);
    return record;
  }

  endTurn(): void {
    if (this.open.length === 0) return;
    this.writer.frame(this.frameAt, this.at);
    for (const record of this.open) record.frameEnd = this.at;
    this.open = [];
    this.frameAt = this.at;
    this.at += FRAME_HEAD_BYTES;
  }

  get bytes(): Uint8Array {
    return this.buffer.slice(0, this.frameAt);
  }
}

export interface HistoryOptions {
  readonly generations?: readonly { readonly logs: number; readonly records: number }[];
  readonly firstNumber?: number;
  readonly valueBytes?: number;
  readonly databases?: number;
}

/** Writes a random history: all generations but the last are closed. */
export function writeHistory(random: Random, options: HistoryOptions = {}): WrittenLogs {
  const shapes = options.generations ?? [{ logs: 2, records: 40 }];
  const valueBytes = options.valueBytes ?? 12;
  const files = new Map<string, Uint8Array>();
  const records: WrittenRecord[] = [];
  const generations: Generation[] = [];
  let number = options.firstNumber ?? 1;
  for (const [index, shape] of shapes.entries()) {
    const generation = index + 1;
    const from = number;
    const capacity = 4096 + shape.records * (1024 + 8 * valueBytes);
    const logs = Array.from(
      { length: shape.logs },
      (_, thread) => new LogBuilder(generation, thread, capacity),
    );
    for (let count = 0; count < shape.records; count++) {
      const log = random.pick(logs);
      const database = random.below(options.databases ?? 3);
      records.push(log.append(number++, database, randomBody(random, valueBytes)));
      for (const each of logs) if (random.chance(0.4)) each.endTurn();
    }
    for (const log of logs) {
      log.endTurn();
      files.set(log.name, log.bytes);
    }
    const to = index === shapes.length - 1 ? null : number - 1;
    generations.push({ generation, from, to, logCount: shape.logs });
  }
  const manifest = { history: HISTORY, partitionCount: 4, base: null, generations };
  return { manifest, files, records };
}

/** One change, or a transaction, perhaps over several databases. */
export function randomBody(random: Random, valueBytes: number): string {
  const count = random.chance(0.7) ? 1 : random.between(2, 5);
  let body = '';
  for (let index = 0; index < count; index++) {
    if (index > 0 && random.chance(0.3)) body += wire('SELECT', String(random.below(3)));
    body += wire(...randomCommand(random, valueBytes));
  }
  return body;
}

function randomCommand(random: Random, valueBytes: number): readonly string[] {
  const key = `${random.pick(['s', 'n', 'l', 'h', 'z'])}${random.below(6)}`;
  const value = random.bytes(random.below(valueBytes));
  switch (key[0]) {
    case 's':
      return random.chance(0.8) ? ['SET', key, value] : ['DEL', key];
    case 'n':
      return ['INCRBY', key, String(random.below(1000))];
    case 'l':
      return random.chance(0.5) ? ['RPUSH', key, value] : ['LPUSH', key, value, 'x'];
    case 'h':
      return ['HSET', key, String(random.below(9)), value];
    default:
      return ['ZADD', key, String(random.below(99)), value];
  }
}

/** Reads logs that lie in memory. */
export function openIn(files: ReadonlyMap<string, Uint8Array>): (name: string) => LogBytes | null {
  return (name) => {
    const bytes = files.get(name);
    return bytes === undefined ? null : bytesOf(bytes);
  };
}

export function bytesOf(bytes: Uint8Array): LogBytes {
  return {
    size: bytes.length,
    read(u8, at, length, position) {
      const count = Math.max(0, Math.min(length, bytes.length - position));
      u8.set(bytes.subarray(position, position + count), at);
      return count;
    },
  };
}
