// Growing bytes with the writers of MessagePack that replies need. One is shared by all
// connections of a thread: what is in it leaves before the next one is served.

import { copyBytes, withView } from '../../base/bytes.js';

const START_BYTES = 64 * 1024;

/** MessagePack's first bytes, as far as they are written here. */
const enum Mark {
  FixMap = 0x80,
  FixArray = 0x90,
  FixText = 0xa0,
  Nil = 0xc0,
  False = 0xc2,
  True = 0xc3,
  Bin8 = 0xc4,
  Bin16 = 0xc5,
  Bin32 = 0xc6,
  Ext8 = 0xc7,
  Ext16 = 0xc8,
  Ext32 = 0xc9,
  Float64 = 0xcb,
  Uint8 = 0xcc,
  Uint16 = 0xcd,
  Uint32 = 0xce,
  Int8 = 0xd0,
  Int16 = 0xd1,
  Int32 = 0xd2,
  Int64 = 0xd3,
  Text8 = 0xd9,
  Text16 = 0xda,
  Text32 = 0xdb,
  Array16 = 0xdc,
  Array32 = 0xdd,
  Map16 = 0xde,
  Map32 = 0xdf,
}

const SHORT_TEXT_BYTES = 32;
const SHORT_COUNT = 16;
const UINT8_COUNT = 256;
const UINT16_COUNT = 65_536;
const UINT32_COUNT = 2 ** 32;
/** Room that every header has without asking. */
const HEADER_BYTES = 16;

export class Packed {
  u8: Uint8Array<ArrayBuffer>;
  private view: DataView;
  at = 0;

  constructor(bytes: number = START_BYTES) {
    this.u8 = withView(new Uint8Array(new ArrayBuffer(bytes)));
    this.view = new DataView(this.u8.buffer);
  }

  /** Makes room for `bytes` more, and for a header. */
  ensure(bytes: number): void {
    const needed = this.at + bytes + HEADER_BYTES;
    if (needed <= this.u8.length) return;
    const grown = withView(new Uint8Array(new ArrayBuffer(Math.max(needed, this.u8.length * 2))));
    grown.set(this.u8.subarray(0, this.at));
    this.u8 = grown;
    this.view = new DataView(grown.buffer);
  }

  /** Gives back the memory that an unusually long frame has taken. */
  shrink(): void {
    if (this.u8.length <= START_BYTES) return;
    this.u8 = withView(new Uint8Array(new ArrayBuffer(START_BYTES)));
    this.view = new DataView(this.u8.buffer);
  }

  raw(source: Uint8Array, start: number, length: number): void {
    this.ensure(length);
    copyBytes(source, start, this.u8, this.at, length);
    this.at += length;
  }

  nil(): void {
    this.byte(Mark.Nil);
  }

  boolean(isSet: boolean): void {
    this.byte(isSet ? Mark.True : Mark.False);
  }

  byte(value: number): void {
    this.ensure(1);
    this.u8[this.at++] = value;
  }

  array(count: number): void {
    if (count < SHORT_COUNT) this.byte(Mark.FixArray + count);
    else this.long(Mark.Array16, Mark.Array32, count);
  }

  map(count: number): void {
    if (count < SHORT_COUNT) this.byte(Mark.FixMap + count);
    else this.long(Mark.Map16, Mark.Map32, count);
  }

  private long(mark16: number, mark32: number, count: number): void {
    this.ensure(0);
    const { view, at } = this;
    if (count < UINT16_COUNT) {
      view.setUint8(at, mark16);
      view.setUint16(at + 1, count);
      this.at = at + 3;
    } else {
      view.setUint8(at, mark32);
      view.setUint32(at + 1, count);
      this.at = at + 5;
    }
  }

  /** A safe integer, in its shortest form. */
  integer(value: number): void {
    this.ensure(0);
    const { view, at } = this;
    if (value >= 0) this.positive(value);
    else if (value >= -32) this.u8[this.at++] = value & 0xff;
    else if (value >= -128) {
      view.setUint8(at, Mark.Int8);
      view.setInt8(at + 1, value);
      this.at = at + 2;
    } else if (value >= -32_768) {
      view.setUint8(at, Mark.Int16);
      view.setInt16(at + 1, value);
      this.at = at + 3;
    } else if (value >= -2_147_483_648) {
      view.setUint8(at, Mark.Int32);
      view.setInt32(at + 1, value);
      this.at = at + 5;
    } else {
      this.int64(BigInt(value));
    }
  }

  private positive(value: number): void {
    const { u8, view, at } = this;
    if (value < 128) {
      u8[at] = value;
      this.at = at + 1;
    } else if (value < UINT8_COUNT) {
      view.setUint8(at, Mark.Uint8);
      view.setUint8(at + 1, value);
      this.at = at + 2;
    } else if (value < UINT16_COUNT) {
      view.setUint8(at, Mark.Uint16);
      view.setUint16(at + 1, value);
      this.at = at + 3;
    } else if (value < UINT32_COUNT) {
      view.setUint8(at, Mark.Uint32);
      view.setUint32(at + 1, value);
      this.at = at + 5;
    } else {
      this.int64(BigInt(value));
    }
  }

  int64(value: bigint): void {
    this.ensure(0);
    this.view.setUint8(this.at, Mark.Int64);
    this.view.setBigInt64(this.at + 1, value);
    this.at += 9;
  }

  double(value: number): void {
    this.ensure(0);
    this.view.setUint8(this.at, Mark.Float64);
    this.view.setFloat64(this.at + 1, value);
    this.at += 9;
  }

  /** Bytes that are valid UTF-8. */
  text(source: Uint8Array, start: number, length: number): void {
    if (length < SHORT_TEXT_BYTES) this.byte(Mark.FixText + length);
    else this.header(Mark.Text8, Mark.Text16, Mark.Text32, length);
    this.raw(source, start, length);
  }

  bin(source: Uint8Array, start: number, length: number): void {
    this.header(Mark.Bin8, Mark.Bin16, Mark.Bin32, length);
    this.raw(source, start, length);
  }

  extension(type: number, source: Uint8Array, start: number, length: number): void {
    this.header(Mark.Ext8, Mark.Ext16, Mark.Ext32, length);
    this.byte(type);
    this.raw(source, start, length);
  }

  private header(mark8: number, mark16: number, mark32: number, length: number): void {
    this.ensure(0);
    const { view, at } = this;
    if (length < UINT8_COUNT) {
      view.setUint8(at, mark8);
      view.setUint8(at + 1, length);
      this.at = at + 2;
    } else if (length < UINT16_COUNT) {
      view.setUint8(at, mark16);
      view.setUint16(at + 1, length);
      this.at = at + 3;
    } else {
      view.setUint8(at, mark32);
      view.setUint32(at + 1, length);
      this.at = at + 5;
    }
  }
}
