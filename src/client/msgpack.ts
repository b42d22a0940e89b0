// MessagePack, as much of it as the gateway speaks: nil, booleans, numbers, text, bytes, arrays and
// maps. Own code because of its size: msgpackr alone would be several times the whole client.
// https://github.com/msgpack/msgpack/blob/master/spec.md has the tables.

import { ReplyError, type Value } from './value.js';

const START_BYTES = 1024;
/** Deeper than any reply: a frame that nests further is none of the gateway's. */
const DEPTH_MAX = 64;
/** The extension type of an error that stands inside a value. */
const ERROR_KIND = 1;
/** The most bytes that one UTF-16 unit takes in UTF-8. */
const UTF8_BYTES_MAX = 3;

/** What a request may hold. */
export type Encodable =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Encodable[];

const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder();

class Writer {
  private bytes = new Uint8Array(START_BYTES);
  private view = new DataView(this.bytes.buffer);
  private length = 0;

  take(): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(0, this.length);
  }

  value(value: Encodable): void {
    if (value === null) this.byte(0xc0);
    else if (typeof value === 'boolean') this.byte(value ? 0xc3 : 0xc2);
    else if (typeof value === 'number') this.number(value);
    else if (typeof value === 'bigint') this.big(value);
    else if (typeof value === 'string') this.text(value);
    else if (value instanceof Uint8Array) this.binary(value);
    else {
      this.head(value.length, 0x90, 15, 0, 0xdc);
      for (const each of value) this.value(each);
    }
  }

  private number(value: number): void {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
      this.room(9);
      this.view.setUint8(this.length, 0xcb);
      this.view.setFloat64(this.length + 1, value);
      this.length += 9;
    } else if (value >= -32 && value < 128) {
      this.byte(value & 0xff);
    } else if (value >= 0 && value < 0x100) {
      this.byte(0xcc);
      this.byte(value);
    } else if (value >= 0 && value < 0x100000000) {
      this.byte(0xce);
      this.word(value);
    } else this.big(BigInt(value));
  }

  private big(value: bigint): void {
    this.room(9);
    this.view.setUint8(this.length, value > 0x7fffffffffffffffn ? 0xcf : 0xd3);
    this.view.setBigUint64(this.length + 1, BigInt.asUintN(64, value));
    this.length += 9;
  }

  private text(text: string): void {
    const bytesMax = text.length * UTF8_BYTES_MAX;
    // The length stands before the text and is known after it: short texts are written in place.
    if (bytesMax > 31) {
      const bytes = textEncoder.encode(text);
      this.head(bytes.length, 0xa0, 31, 0xd9, 0xda);
      this.append(bytes);
      return;
    }
    this.room(1 + bytesMax);
    const { written } = textEncoder.encodeInto(text, this.bytes.subarray(this.length + 1));
    this.bytes[this.length] = 0xa0 | written;
    this.length += 1 + written;
  }

  private binary(bytes: Uint8Array): void {
    this.head(bytes.length, 0, -1, 0xc4, 0xc5);
    this.append(bytes);
  }

  /** A length in the smallest of its forms: in the tag itself, in one byte, in two, in four. */
  private head(length: number, fix: number, fixMax: number, one: number, two: number): void {
    if (length <= fixMax) this.byte(fix | length);
    else if (one !== 0 && length < 0x100) {
      this.byte(one);
      this.byte(length);
    } else if (length < 0x10000) {
      this.byte(two);
      this.byte(length >> 8);
      this.byte(length & 0xff);
    } else {
      this.byte(two + 1);
      this.word(length);
    }
  }

  private byte(value: number): void {
    this.room(1);
    this.bytes[this.length++] = value;
  }

  private word(value: number): void {
    this.room(4);
    this.view.setUint32(this.length, value);
    this.length += 4;
  }

  private append(bytes: Uint8Array): void {
    this.room(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  private room(bytes: number): void {
    if (this.length + bytes <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.length + bytes));
    larger.set(this.bytes);
    this.bytes = larger;
    this.view = new DataView(larger.buffer);
  }
}

export function encode(value: Encodable): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  writer.value(value);
  return writer.take();
}

class Reader {
  private readonly view: DataView;
  private at = 0;

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.at === this.bytes.length;
  }

  value(depth: number): Value {
    if (depth > DEPTH_MAX) throw new RangeError('a frame nests too deeply');
    const tag = this.view.getUint8(this.at++);
    if (tag < 0x80) return tag;
    if (tag >= 0xe0) return tag - 0x100;
    if (tag < 0x90) return this.map(tag & 15, depth);
    if (tag < 0xa0) return this.array(tag & 15, depth);
    if (tag < 0xc0) return this.text(tag & 31);
    if (tag >= 0xca && tag < 0xd4) return this.number(tag);
    switch (tag) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.take(this.length(1 << (tag - 0xc4))).slice();
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.extension(this.length(1 << (tag - 0xc7)));
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.extension(1 << (tag - 0xd4));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.text(this.length(1 << (tag - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.array(this.length(2 << (tag - 0xdc)), depth);
      case 0xde:
      case 0xdf:
        return this.map(this.length(2 << (tag - 0xde)), depth);
      default:
        throw new RangeError(`a frame has a value of unknown kind ${tag}`);
    }
  }

  private number(tag: number): Value {
    const { view, at } = this;
    this.at += tag < 0xcc ? 4 << (tag - 0xca) : 1 << (tag & 3);
    switch (tag) {
      case 0xca:
        return view.getFloat32(at);
      case 0xcb:
        return view.getFloat64(at);
      case 0xcc:
        return view.getUint8(at);
      case 0xcd:
        return view.getUint16(at);
      case 0xce:
        return view.getUint32(at);
      case 0xcf:
        return smallest(view.getBigUint64(at));
      case 0xd0:
        return view.getInt8(at);
      case 0xd1:
        return view.getInt16(at);
      case 0xd2:
        return view.getInt32(at);
      default:
        return smallest(view.getBigInt64(at));
    }
  }

  private length(bytes: number): number {
    const { view, at } = this;
    this.at += bytes;
    if (bytes === 1) return view.getUint8(at);
    return bytes === 2 ? view.getUint16(at) : view.getUint32(at);
  }

  private text(length: number): string {
    return textDecoder.decode(this.take(length));
  }

  private take(length: number): Uint8Array {
    if (this.at + length > this.bytes.length) throw new RangeError('a frame ends too early');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  /** The one extension there is: an error among the replies of a transaction. */
  private extension(length: number): Value {
    const kind = this.view.getInt8(this.at++);
    const text = this.text(length);
    if (kind !== ERROR_KIND)
      throw new RangeError(`a frame has an extension of unknown kind ${kind}`);
    return new ReplyError(text);
  }

  private array(count: number, depth: number): Value[] {
    const values: Value[] = [];
    while (values.length < count) values.push(this.value(depth + 1));
    return values;
  }

  private map(count: number, depth: number): Map<Value, Value> {
    const map = new Map<Value, Value>();
    while (count-- > 0) {
      const key = this.value(depth + 1);
      map.set(key, this.value(depth + 1));
    }
    return map;
  }
}

function smallest(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** The one value of a frame. Throws RangeError for what is no such frame. */
export function decode(bytes: Uint8Array): Value {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  if (!reader.isAtEnd) throw new RangeError('a frame goes on behind its value');
  return value;
}
