// Replies: RESP2 and RESP3 written straight into the connection's output bytes. The buffer is the
// edge's (an arena that all connections of a turn share, or a growing one); when it is full the
// edge makes room. Values of many kilobytes go to the edge without passing through the buffer.

import { digitsOf, digitsOfInt64, writeInt64, writeInteger } from '../base/ascii.js';
import { copyBytes } from '../base/bytes.js';
import { DOUBLE_TEXT_BYTES_MAX, writeDouble } from '../base/float-text.js';
import type { Refusal } from './errors.js';

const CR = 0x0d;
const LF = 0x0a;
const DOLLAR = 0x24;
const COLON = 0x3a;
const STAR = 0x2a;
const ZERO = 0x30;
const COMMA = 0x2c;

/** Room that every command may rely on without asking, for short replies. */
export const REPLY_HEADROOM = 64;

/** Values from this size on are handed to the edge as they are. */
export const LARGE_BYTES = 32 * 1024;

/** Who owns the bytes of a reply. */
export interface ReplyEdge {
  /**
   * Makes `reply.u8` have room for `bytes` more at `reply.at`: moves what stands there elsewhere.
   */
  makeRoom(reply: Reply, bytes: number): void;
  /** Takes everything written so far and then a copy of u8[start, start + length). */
  writeLarge(reply: Reply, u8: Uint8Array, start: number, length: number): void;
}

/** The protocol version that HELLO chose. */
export type Protocol = 2 | 3;

const doubleText = new Uint8Array(DOUBLE_TEXT_BYTES_MAX);

export class Reply {
  u8: Uint8Array;
  /** Where the next byte goes. */
  at = 0;
  /** Where the reply of the running command begins, for edges that must leave it out. */
  commandAt = 0;
  protocol: Protocol = 2;
  edge: ReplyEdge;

  constructor(u8: Uint8Array, edge: ReplyEdge) {
    this.u8 = u8;
    this.edge = edge;
  }

  /** Makes room for `bytes` more, at most LARGE_BYTES and a little. */
  ensure(bytes: number): void {
    if (this.at + bytes > this.u8.length) this.edge.makeRoom(this, bytes);
  }

  /** Bytes that are a complete reply already. */
  raw(bytes: Uint8Array): void {
    const length = bytes.length;
    if (length > LARGE_BYTES) {
      this.edge.writeLarge(this, bytes, 0, length);
      return;
    }
    this.ensure(length);
    copyBytes(bytes, 0, this.u8, this.at, length);
    this.at += length;
  }

  ok(): void {
    this.ensure(REPLY_HEADROOM);
    const { u8 } = this;
    const at = this.at;
    u8[at] = 0x2b;
    u8[at + 1] = 0x4f;
    u8[at + 2] = 0x4b;
    u8[at + 3] = CR;
    u8[at + 4] = LF;
    this.at = at + 5;
  }

  /** What MULTI answers to each command that follows. */
  queued(): void {
    this.ensure(REPLY_HEADROOM);
    const { u8 } = this;
    const at = this.at;
    u8[at] = 0x2b;
    u8[at + 1] = 0x51;
    u8[at + 2] = 0x55;
    u8[at + 3] = 0x45;
    u8[at + 4] = 0x55;
    u8[at + 5] = 0x45;
    u8[at + 6] = 0x44;
    u8[at + 7] = CR;
    u8[at + 8] = LF;
    this.at = at + 9;
  }

  /** A simple string of latin1 text without line breaks. */
  simple(text: string): void {
    this.line(0x2b, text);
  }

  refusal(refusal: Refusal): void {
    this.raw(refusal.bytes);
  }

  /** An error line with text of this moment; the code comes first: 'ERR …'. */
  error(line: string): void {
    this.line(0x2d, line.replace(/[\r\n]/g, ' '));
  }

  private line(mark: number, text: string): void {
    this.raw(Buffer.from(`${String.fromCharCode(mark)}${text}\r\n`, 'latin1'));
  }

  /** A safe integer. */
  integer(value: number): void {
    this.ensure(REPLY_HEADROOM);
    const { u8 } = this;
    let at = this.at;
    u8[at++] = COLON;
    if (value >= 0 && value < 10) u8[at++] = ZERO + value;
    else at += writeInteger(u8, at, value);
    u8[at] = CR;
    u8[at + 1] = LF;
    this.at = at + 2;
  }

  /** The int64 (low, high). */
  int64(low: number, high: number): void {
    this.ensure(REPLY_HEADROOM);
    const { u8 } = this;
    let at = this.at;
    u8[at++] = COLON;
    at += writeInt64(u8, at, low, high);
    u8[at] = CR;
    u8[at + 1] = LF;
    this.at = at + 2;
  }

  /** 1 or 0. */
  flag(isSet: boolean): void {
    this.integer(isSet ? 1 : 0);
  }

  /** RESP3's true or false; 1 or 0 in RESP2. */
  boolean(isSet: boolean): void {
    if (this.protocol === 2) this.flag(isSet);
    else this.line(0x23, isSet ? 't' : 'f');
  }

  /** No value. */
  nil(): void {
    this.ensure(REPLY_HEADROOM);
    const { u8 } = this;
    const at = this.at;
    if (this.protocol === 3) {
      u8[at] = 0x5f;
      u8[at + 1] = CR;
      u8[at + 2] = LF;
      this.at = at + 3;
      return;
    }
    u8[at] = DOLLAR;
    u8[at + 1] = 0x2d;
    u8[at + 2] = 0x31;
    u8[at + 3] = CR;
    u8[at + 4] = LF;
    this.at = at + 5;
  }

  /** No array: differs from nil in RESP2 only. */
  nilArray(): void {
    if (this.protocol === 3) this.nil();
    else this.line(STAR, '-1');
  }

  /** A bulk string of the bytes u8[start, start + length). */
  bulk(source: Uint8Array, start: number, length: number): void {
    if (length >= LARGE_BYTES) {
      this.bulkLarge(source, start, length);
      return;
    }
    this.ensure(length + REPLY_HEADROOM);
    const { u8 } = this;
    let at = this.header(DOLLAR, length);
    copyBytes(source, start, u8, at, length);
    at += length;
    u8[at] = CR;
    u8[at + 1] = LF;
    this.at = at + 2;
  }

  private bulkLarge(source: Uint8Array, start: number, length: number): void {
    this.ensure(REPLY_HEADROOM);
    this.at = this.header(DOLLAR, length);
    this.edge.writeLarge(this, source, start, length);
    this.ensure(REPLY_HEADROOM);
    const at = this.at;
    this.u8[at] = CR;
    this.u8[at + 1] = LF;
    this.at = at + 2;
  }

  /** Writes mark, length and CRLF where there is room; returns the place behind them. */
  private header(mark: number, length: number): number {
    const { u8 } = this;
    let at = this.at;
    u8[at++] = mark;
    if (length < 10) u8[at++] = ZERO + length;
    else at += writeInteger(u8, at, length);
    u8[at] = CR;
    u8[at + 1] = LF;
    return at + 2;
  }

  /** A bulk string of latin1 text. */
  text(text: string): void {
    const bytes = Buffer.from(text, 'latin1');
    this.bulk(bytes, 0, bytes.length);
  }

  /** A bulk string of UTF-8 text. */
  utf8(text: string): void {
    const bytes = Buffer.from(text, 'utf8');
    this.bulk(bytes, 0, bytes.length);
  }

  /** A bulk string that is the text of a safe integer. */
  bulkInteger(value: number): void {
    this.ensure(REPLY_HEADROOM);
    let at = this.header(DOLLAR, digitsOf(value));
    at += writeInteger(this.u8, at, value);
    this.u8[at] = CR;
    this.u8[at + 1] = LF;
    this.at = at + 2;
  }

  /** A bulk string that is the text of the int64 (low, high). */
  bulkInt64(low: number, high: number): void {
    this.ensure(REPLY_HEADROOM);
    let at = this.header(DOLLAR, digitsOfInt64(low, high));
    at += writeInt64(this.u8, at, low, high);
    this.u8[at] = CR;
    this.u8[at + 1] = LF;
    this.at = at + 2;
  }

  /** The header of an array of `count` replies. */
  array(count: number): void {
    this.ensure(REPLY_HEADROOM);
    this.at = this.header(STAR, count);
  }

  /** The header of a map of `pairs` pairs; in RESP2 an array of twice as many. */
  map(pairs: number): void {
    this.ensure(REPLY_HEADROOM);
    this.at = this.protocol === 3 ? this.header(0x25, pairs) : this.header(STAR, pairs * 2);
  }

  set(count: number): void {
    this.ensure(REPLY_HEADROOM);
    this.at = this.header(this.protocol === 3 ? 0x7e : STAR, count);
  }

  push(count: number): void {
    this.ensure(REPLY_HEADROOM);
    this.at = this.header(this.protocol === 3 ? 0x3e : STAR, count);
  }

  /** A double: RESP3's own type, text in RESP2. */
  double(value: number): void {
    const length = writeDouble(doubleText, 0, value);
    if (this.protocol === 2) {
      this.bulk(doubleText, 0, length);
      return;
    }
    this.ensure(REPLY_HEADROOM);
    const { u8 } = this;
    let at = this.at;
    u8[at++] = COMMA;
    copyBytes(doubleText, 0, u8, at, length);
    at += length;
    u8[at] = CR;
    u8[at + 1] = LF;
    this.at = at + 2;
  }

  /** As double, for a text that was made elsewhere. */
  doubleOf(text: string): void {
    if (this.protocol === 3) this.line(COMMA, text);
    else this.text(text);
  }

  /** Text for humans with a three-letter format: RESP3 verbatim, else a bulk string. */
  verbatim(text: string, format: 'txt' | 'mkd'): void {
    if (this.protocol === 2) {
      this.utf8(text);
      return;
    }
    const bytes = Buffer.from(`${format}:${text}`, 'utf8');
    this.line(0x3d, String(bytes.length));
    this.raw(bytes);
    this.raw(CRLF);
  }

  /** As verbatim in RESP3, of bytes and in any format, of which three characters count. */
  verbatimBytes(source: Uint8Array, start: number, length: number, format: string): void {
    this.line(0x3d, String(length + 4));
    this.raw(Buffer.from(`${format.slice(0, 3).padEnd(3)}:`, 'latin1'));
    // Longer bytes than the buffer's room go to the edge as those of a bulk string do.
    if (length >= LARGE_BYTES) this.edge.writeLarge(this, source, start, length);
    else {
      this.ensure(length);
      copyBytes(source, start, this.u8, this.at, length);
      this.at += length;
    }
    this.raw(CRLF);
  }

  /** A RESP3 big number; a bulk string in RESP2. */
  bigNumber(text: string): void {
    if (this.protocol === 3) this.line(0x28, text);
    else this.text(text);
  }
}

const CRLF = Uint8Array.of(CR, LF);

/** An edge for callers that want the bytes: the buffer grows. */
export class GrowingEdge implements ReplyEdge {
  makeRoom(reply: Reply, bytes: number): void {
    const grown = new Uint8Array(new ArrayBuffer(Math.max(reply.u8.length * 2, reply.at + bytes)));
    grown.set(reply.u8.subarray(0, reply.at));
    reply.u8 = grown;
  }

  writeLarge(reply: Reply, u8: Uint8Array, start: number, length: number): void {
    reply.ensure(length);
    copyBytes(u8, start, reply.u8, reply.at, length);
    reply.at += length;
  }
}
