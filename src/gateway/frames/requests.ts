// From MessagePack to RESP: the requests of a frame become the bytes that a RESP client would have
// sent, in one buffer that is used again, and the ids of their replies. Bytes go to bytes without a
// value in between; numbers become their text.
//
//   [id, command, ...args]   or   [[id, command, ...args], …]

import { writeInteger } from '../../base/ascii.js';
import { copyBytes, withView } from '../../base/bytes.js';

const START_BYTES = 64 * 1024;
const ZERO = 0x30;
const CR = 0x0d;
const LF = 0x0a;
const STAR = 0x2a;
const DOLLAR = 0x24;

/** What a word needs beside its bytes, at the most; and a number altogether. */
const WORD_BYTES = 64;

export class RequestFrames {
  /** RESP: u8[0, at). */
  u8: Uint8Array<ArrayBuffer> = withView(new Uint8Array(new ArrayBuffer(START_BYTES)));
  at = 0;
  /** Of the requests in the bytes, in their order: ids[0, count). */
  readonly ids: number[] = [];
  count = 0;
  private frame: Uint8Array = this.u8;
  private view: DataView = new DataView(this.u8.buffer);
  private from = 0;

  /** Reads a frame; false when it is not MessagePack, or no requests. */
  read(frame: Uint8Array): boolean {
    if (this.u8.length > START_BYTES) {
      this.u8 = withView(new Uint8Array(new ArrayBuffer(START_BYTES)));
    }
    this.frame = frame;
    this.view = new DataView(frame.buffer, frame.byteOffset, frame.length);
    this.from = 0;
    this.at = 0;
    this.count = 0;
    try {
      const first = this.arrayCount();
      if (first <= 0) return false;
      if (!isArray(frame[this.from]!)) return this.request(first) && this.from === frame.length;
      for (let index = 0; index < first; index++) {
        if (!this.request(this.arrayCount())) return false;
      }
      return this.from === frame.length;
    } catch (error) {
      // A DataView refuses to read behind the end.
      if (error instanceof RangeError) return false;
      throw error;
    }
  }

  /** The count of an array's header; −1 for anything else. */
  private arrayCount(): number {
    const mark = this.view.getUint8(this.from++);
    if (mark >= 0x90 && mark < 0xa0) return mark & 0x0f;
    if (mark === 0xdc) return this.count16();
    if (mark === 0xdd) return this.count32();
    return -1;
  }

  private count8(): number {
    return this.view.getUint8(this.from++);
  }

  private count16(): number {
    this.from += 2;
    return this.view.getUint16(this.from - 2);
  }

  private count32(): number {
    this.from += 4;
    return this.view.getUint32(this.from - 4);
  }

  private request(words: number): boolean {
    // Each word has a byte at the least: a count alone makes nobody allocate its promise.
    if (words < 2 || words > this.frame.length) return false;
    const id = this.readId();
    if (id < 0) return false;
    if (this.count < this.ids.length) this.ids[this.count] = id;
    else this.ids.push(id);
    this.count++;
    this.header(STAR, words - 1);
    for (let index = 1; index < words; index++) {
      if (!this.word()) return false;
    }
    return true;
  }

  private readId(): number {
    const mark = this.view.getUint8(this.from++);
    if (mark < 0x80) return mark;
    if (mark === 0xcc) return this.count8();
    if (mark === 0xcd) return this.count16();
    if (mark === 0xce) return this.count32();
    // Some writers have signed forms for all integers.
    if (mark === 0xd0) return this.view.getInt8(this.from++);
    if (mark === 0xd1) return (this.count16() << 16) >> 16;
    if (mark === 0xd2) return this.count32() | 0;
    if (mark !== 0xcf && mark !== 0xd3) return -1;
    const high = this.count32();
    const low = this.count32();
    return high === 0 ? low : -1;
  }

  private word(): boolean {
    const mark = this.view.getUint8(this.from++);
    if (mark >= 0xa0 && mark < 0xc0) return this.bytes(mark & 0x1f);
    if (mark < 0x80) return this.integer(mark);
    if (mark >= 0xe0) return this.integer(mark - 256);
    switch (mark) {
      case 0xc4:
      case 0xd9:
        return this.bytes(this.count8());
      case 0xc5:
      case 0xda:
        return this.bytes(this.count16());
      case 0xc6:
      case 0xdb:
        return this.bytes(this.count32());
      case 0xc2:
        return this.integer(0);
      case 0xc3:
        return this.integer(1);
      default:
        return this.number(mark);
    }
  }

  private number(mark: number): boolean {
    const { view, from } = this;
    switch (mark) {
      case 0xcc:
        return this.integer(this.count8());
      case 0xcd:
        return this.integer(this.count16());
      case 0xce:
        return this.integer(this.count32());
      case 0xcf:
        this.from += 8;
        return this.text(view.getBigUint64(from).toString());
      case 0xd0:
        this.from += 1;
        return this.integer(view.getInt8(from));
      case 0xd1:
        this.from += 2;
        return this.integer(view.getInt16(from));
      case 0xd2:
        this.from += 4;
        return this.integer(view.getInt32(from));
      case 0xd3:
        this.from += 8;
        return this.text(view.getBigInt64(from).toString());
      case 0xca:
        this.from += 4;
        return this.text(numberText(view.getFloat32(from)));
      case 0xcb:
        this.from += 8;
        return this.text(numberText(view.getFloat64(from)));
      default:
        return false;
    }
  }

  /** A word of the frame's next bytes. */
  private bytes(length: number): boolean {
    const { frame, from } = this;
    if (from + length > frame.length) return false;
    this.header(DOLLAR, length);
    this.ensure(length);
    copyBytes(frame, from, this.u8, this.at, length);
    this.at += length;
    this.lineEnd();
    this.from = from + length;
    return true;
  }

  private integer(value: number): boolean {
    if (value >= 0 && value < 10) {
      this.header(DOLLAR, 1);
      this.u8[this.at++] = ZERO + value;
      this.lineEnd();
      return true;
    }
    return this.text(String(value));
  }

  private text(text: string): boolean {
    this.header(DOLLAR, text.length);
    for (let index = 0; index < text.length; index++) this.u8[this.at++] = text.charCodeAt(index);
    this.lineEnd();
    return true;
  }

  private header(mark: number, count: number): void {
    this.ensure(WORD_BYTES);
    const { u8 } = this;
    u8[this.at++] = mark;
    if (count < 10) u8[this.at++] = ZERO + count;
    else this.at += writeInteger(u8, this.at, count);
    this.lineEnd();
  }

  private lineEnd(): void {
    const { u8, at } = this;
    u8[at] = CR;
    u8[at + 1] = LF;
    this.at = at + 2;
  }

  private ensure(bytes: number): void {
    const needed = this.at + bytes + WORD_BYTES;
    if (needed <= this.u8.length) return;
    const grown = withView(new Uint8Array(new ArrayBuffer(Math.max(needed, this.u8.length * 2))));
    grown.set(this.u8.subarray(0, this.at));
    this.u8 = grown;
  }
}

function isArray(mark: number): boolean {
  return (mark >= 0x90 && mark < 0xa0) || mark === 0xdc || mark === 0xdd;
}

/** The shortest text that is read back as the same number. */
export function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return 'inf';
  if (value === Number.NEGATIVE_INFINITY) return '-inf';
  return Number.isNaN(value) ? 'nan' : String(value);
}
