// Replies as values, for HTTP, where they become JSON or MessagePack documents. WebSockets do
// without (frames/replies.ts).

import { doubleOf, isText } from './frames/replies.js';

/** An error, as a whole reply or inside of one. */
export class ReplyError {
  readonly line: string;

  constructor(line: string) {
    this.line = line;
  }

  /** The first word: NOAUTH, ERR. */
  get code(): string {
    const space = this.line.indexOf(' ');
    return space === -1 ? this.line : this.line.slice(0, space);
  }
}

/** What a subscription sends. */
export class PushMessage {
  readonly items: readonly Value[];

  constructor(items: readonly Value[]) {
    this.items = items;
  }
}

export type Value =
  | string
  | number
  | bigint
  | boolean
  | null
  | Uint8Array
  | ReplyError
  | PushMessage
  | readonly Value[]
  | ReadonlyMap<Value, Value>;

const CR = 0x0d;
const FORMAT_BYTES = 4;
const START_BYTES = 1024;

/**
 * Collects bytes of replies that come in pieces and gives them back as values. Each byte is looked
 * at twice at the most, however long the reply: the end of a value is found first, going on where
 * the last piece ended.
 */
export class ReplyReader {
  private u8: Uint8Array<ArrayBuffer> = new Uint8Array(new ArrayBuffer(START_BYTES));
  private end = 0;
  /** Where the next value begins. */
  private from = 0;
  /** How far its end was looked for, and how many values are to come until there. */
  private at = 0;
  private left = 1;

  /** Bytes that are held. */
  get bytes(): number {
    return this.end - this.from;
  }

  add(source: Uint8Array, start: number, end: number): void {
    const bytes = end - start;
    if (this.from === this.end) {
      this.at -= this.from;
      this.from = 0;
      this.end = 0;
    }
    if (this.end + bytes > this.u8.length) {
      const grown = new Uint8Array(new ArrayBuffer(Math.max(this.u8.length * 2, this.end + bytes)));
      grown.set(this.u8.subarray(0, this.end));
      this.u8 = grown;
    }
    this.u8.set(source.subarray(start, end), this.end);
    this.end += bytes;
  }

  /** The next value; undefined when it is not there as a whole. */
  next(): Value | undefined {
    if (!this.findEnd()) return undefined;
    const reading = new Reading(this.u8, this.from);
    const value = reading.value();
    this.from = this.at;
    this.left = 1;
    return value;
  }

  private findEnd(): boolean {
    const { u8, end } = this;
    while (this.left > 0) {
      const { at } = this;
      if (at >= end) return false;
      const lineEnd = u8.indexOf(CR, at);
      if (lineEnd === -1 || lineEnd + 1 >= end) return false;
      const count = Number(latin1(u8, at + 1, lineEnd));
      this.at = lineEnd + 2;
      this.left--;
      switch (String.fromCharCode(u8[at]!)) {
        case '$':
        case '=':
        case '!':
          if (count >= 0) this.at += count + 2;
          break;
        case '*':
        case '~':
        case '>':
          if (count > 0) this.left += count;
          break;
        case '%':
          this.left += count * 2;
          break;
        case '|':
          this.left += count * 2 + 1;
          break;
      }
    }
    return this.at <= end;
  }
}

class Reading {
  private readonly u8: Uint8Array;
  private at: number;

  constructor(u8: Uint8Array, at: number) {
    this.u8 = u8;
    this.at = at;
  }

  value(): Value {
    const { u8, at } = this;
    const lineEnd = u8.indexOf(CR, at);
    const line = latin1(u8, at + 1, lineEnd);
    this.at = lineEnd + 2;
    switch (String.fromCharCode(u8[at]!)) {
      case '$':
        return this.bulk(Number(line), 0);
      case '=':
        return this.bulk(Number(line), FORMAT_BYTES);
      case ':':
        return integerOf(line);
      case '*':
      case '~':
        return this.many(Number(line));
      case '>':
        return new PushMessage(this.many(Number(line)) ?? []);
      case '%':
        return this.map(Number(line));
      case '|':
        this.map(Number(line));
        return this.value();
      case '_':
        return null;
      case '#':
        return line === 't';
      case ',':
        return doubleOf(line);
      case '-':
        return new ReplyError(Buffer.from(line, 'latin1').toString('utf8'));
      case '!':
        return new ReplyError(String(this.bulk(Number(line), 0)));
      default:
        return Buffer.from(line, 'latin1').toString('utf8');
    }
  }

  private bulk(bytes: number, skipped: number): Value {
    if (bytes < 0) return null;
    const start = this.at + skipped;
    const length = bytes - skipped;
    this.at += bytes + 2;
    const value = Buffer.from(this.u8.slice(start, start + length).buffer);
    return isText(value, 0, length) ? value.toString('utf8') : value;
  }

  private many(count: number): Value[] | null {
    if (count < 0) return null;
    const values: Value[] = [];
    for (let index = 0; index < count; index++) values.push(this.value());
    return values;
  }

  private map(count: number): ReadonlyMap<Value, Value> {
    const pairs = new Map<Value, Value>();
    for (let index = 0; index < count; index++) {
      const key = this.value();
      pairs.set(key, this.value());
    }
    return pairs;
  }
}

function integerOf(text: string): number | bigint {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
}

function latin1(u8: Uint8Array, start: number, end: number): string {
  if (end - start === 1) return String.fromCharCode(u8[start]!);
  return Buffer.from(u8.buffer, u8.byteOffset + start, end - start).toString('latin1');
}

/** The bytes of a value that is a string. */
export function bytesOf(value: Value): Uint8Array | null {
  if (typeof value === 'string') return Buffer.from(value, 'utf8');
  return value instanceof Uint8Array ? value : null;
}

/** A value as JSON; see docs/gateway.md for what JSON has no form of. */
export function jsonOf(value: Value): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'number':
      return Number.isFinite(value) ? String(value) : JSON.stringify(textOf(value));
    case 'bigint':
      return `"${value}"`;
    case 'boolean':
      return String(value);
    default:
      return value === null ? 'null' : jsonOfObject(value);
  }
}

function textOf(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  return value > 0 ? 'inf' : '-inf';
}

function jsonOfObject(value: Exclude<Value, string | number | bigint | boolean | null>): string {
  if (value instanceof Uint8Array) {
    return `{"base64":"${Buffer.from(value).toString('base64')}"}`;
  }
  if (value instanceof ReplyError) return `{"error":${JSON.stringify(value.line)}}`;
  if (value instanceof PushMessage) return jsonOfObject(value.items);
  if (!(value instanceof Map)) {
    return `[${(value as readonly Value[]).map(jsonOf).join(',')}]`;
  }
  const pairs = [...(value as ReadonlyMap<Value, Value>)];
  if (pairs.every(([key]) => typeof key === 'string')) {
    return `{${pairs.map(([key, each]) => `${jsonOf(key)}:${jsonOf(each)}`).join(',')}}`;
  }
  return `[${pairs.map(([key, each]) => `[${jsonOf(key)},${jsonOf(each)}]`).join(',')}]`;
}
