// From RESP3 to MessagePack: what the server has written for a connection becomes the messages of
// one frame. Bytes go to bytes: RESP3 says how many elements follow before they do, and so does
// MessagePack, so no value is ever built.
//
// Before each reply stands the id of its request, written by whoever ran it (markReply):
//
//   │ 0x01 │ id, 4 bytes │ reply in RESP3 │ 0x01 │ id │ reply │ push in RESP3 │ …
//
// Replies may come in pieces, cut anywhere. What is unfinished is kept with what was made of it.

import { isUtf8 } from 'node:buffer';
import { copyBytes } from '../../base/bytes.js';
import type { Reply } from '../../resp/write.js';
import { Packed } from './packed.js';

const MARK = 0x01;
export const MARK_BYTES = 5;
const NO_ID = -1;

const CR = 0x0d;
const PLUS = 0x2b;
const MINUS = 0x2d;
const COLON = 0x3a;
const DOLLAR = 0x24;
const STAR = 0x2a;
const UNDERSCORE = 0x5f;
const COMMA = 0x2c;
const HASH = 0x23;
const PAREN = 0x28;
const EQUALS = 0x3d;
const TILDE = 0x7e;
const PERCENT = 0x25;
const PUSH = 0x3e;
const BAR = 0x7c;
const BANG = 0x21;
const SMALL_T = 0x74;
const ZERO = 0x30;

/** Of an error inside a reply. */
export const ERROR_EXTENSION = 1;
/** A verbatim string begins with its format: `txt:`. */
const FORMAT_BYTES = 4;
/** A frame is closed when it has got so long. */
const FRAME_BYTES = 1024 * 1024;
/** Room for the header of an array of messages. */
const FRONT_BYTES = 5;
/** Digits that surely make a safe integer. */
const SAFE_DIGITS = 15;
/** Up to here a loop is faster than asking Node whether it is UTF-8. */
const SCAN_BYTES_MAX = 64;

const KIND_MONITOR = Buffer.from('monitor');
const KIND_ERROR = Buffer.from('error');

/** Says that the reply to the request `id` follows. */
export function markReply(reply: Reply, id: number): void {
  reply.ensure(MARK_BYTES);
  const { u8, at } = reply;
  u8[at] = MARK;
  u8[at + 1] = id & 0xff;
  u8[at + 2] = (id >>> 8) & 0xff;
  u8[at + 3] = (id >>> 16) & 0xff;
  u8[at + 4] = id >>> 24;
  reply.at = at + MARK_BYTES;
}

/** What a connection remembers between two sends. */
export class ReplyState {
  /** Bulk strings are bin, whether they are text or not. */
  isBinary = false;
  /** Whose reply comes next. */
  id = NO_ID;
  /** Input that is not a whole value yet, and how much of it is known to be needed. */
  rest: Uint8Array | null = null;
  restEnd = 0;
  needed = 0;
  /** Of an unfinished message: what was made of it, and how many of its values are to come. */
  made: Packed | null = null;
  left = 0;

  /** Bytes that are kept for what is unfinished. */
  get keptBytes(): number {
    return this.restEnd + (this.made?.at ?? 0);
  }
}

/** Where the frames go. The bytes are the writer's again when this returns. */
export type FrameSink = (frame: Uint8Array) => void;

/** The writer of a thread: one frame after the other. */
export class ReplyFrames {
  /** The frame of this turn. */
  private readonly turn = new Packed();
  /** Where values go: that frame, or the unfinished message of the connection. */
  private out: Packed = this.turn;
  private state: ReplyState = new ReplyState();
  private u8: Uint8Array = this.turn.u8;
  /** Input is read up to `at`. */
  private at = 0;
  private end = 0;
  private count = 0;

  /** Turns u8[start, end) into frames, as far as its messages are complete. */
  translate(state: ReplyState, u8: Uint8Array, start: number, end: number, sink: FrameSink): void {
    this.state = state;
    this.u8 = u8;
    this.at = start;
    this.end = end;
    if (state.rest !== null && !this.joinRest(u8, start, end)) return;
    let messageAt = FRONT_BYTES;
    let { left } = state;
    // An unfinished message has bytes of its own, to which what comes is added.
    this.out = state.made ?? this.turn;
    if (state.made === null) this.out.at = FRONT_BYTES;
    for (;;) {
      if (left === 0) {
        if (this.out.at > messageAt) this.count++;
        if (this.out !== this.turn || this.out.at > FRAME_BYTES) this.emit(sink);
        messageAt = this.out.at;
        const values = this.begin();
        if (this.needs > 0) break;
        left = values;
      } else {
        const more = this.value();
        if (this.needs > 0) break;
        left += more - 1;
      }
    }
    if (this.needs !== NOTHING_LEFT) this.keep(messageAt, left);
    else state.left = 0;
    this.needs = 0;
    this.emit(sink);
    this.turn.shrink();
  }

  /** What stopped the walk: 0 for nothing. */
  private needs = 0;

  /** Puts new input behind what was kept; false when that is still not enough. */
  private joinRest(u8: Uint8Array, start: number, end: number): boolean {
    const { state } = this;
    let rest = state.rest!;
    const length = state.restEnd + end - start;
    if (rest.length < length) {
      const grown = new Uint8Array(
        new ArrayBuffer(Math.max(length, state.needed, rest.length * 2)),
      );
      grown.set(rest.subarray(0, state.restEnd));
      rest = grown;
    }
    copyBytes(u8, start, rest, state.restEnd, end - start);
    state.rest = rest;
    state.restEnd = length;
    if (length < state.needed) return false;
    state.rest = null;
    state.restEnd = 0;
    this.u8 = rest;
    this.at = 0;
    this.end = length;
    return true;
  }

  private keep(messageAt: number, left: number): void {
    const { state, out, at, end } = this;
    state.rest = this.u8.slice(at, end);
    state.restEnd = end - at;
    state.needed = this.needs;
    state.left = left;
    if (out === state.made) return;
    if (out.at > messageAt) {
      state.made = new Packed(FRONT_BYTES + out.at - messageAt);
      state.made.at = FRONT_BYTES;
      state.made.raw(out.u8, messageAt, out.at - messageAt);
    }
    out.at = messageAt;
  }

  private emit(sink: FrameSink): void {
    const { out, count, turn } = this;
    if (count > 0) {
      let from = FRONT_BYTES;
      if (count > 1) {
        const end = out.at;
        const bytes = count < 16 ? 1 : count < 65_536 ? 3 : 5;
        from = FRONT_BYTES - bytes;
        out.at = from;
        out.array(count);
        out.at = end;
      }
      sink(out.u8.subarray(from, out.at));
      this.count = 0;
      if (out !== turn) this.state.made = null;
      this.out = turn;
      turn.at = FRONT_BYTES;
    }
  }

  /** Begins a message; returns how many values it still needs. */
  private begin(): number {
    const { u8, state, out } = this;
    while (this.at < this.end && u8[this.at] === MARK) {
      const at = this.at;
      if (at + MARK_BYTES > this.end) return this.stop(MARK_BYTES);
      state.id =
        (u8[at + 1]! | (u8[at + 2]! << 8) | (u8[at + 3]! << 16) | (u8[at + 4]! << 24)) >>> 0;
      this.at = at + MARK_BYTES;
    }
    if (this.at >= this.end) return this.stop(NOTHING_LEFT);
    const type = u8[this.at]!;
    if (type === PUSH) {
      const count = this.header();
      if (this.needs > 0) return 0;
      out.array(count + 1);
      out.nil();
      return count;
    }
    if (type === MINUS || type === BANG) return this.error(type);
    if (type === BAR) return this.attribute(0);
    if (state.id !== NO_ID) {
      out.array(3);
      out.integer(state.id);
      out.nil();
      state.id = NO_ID;
      return 1;
    }
    // What nobody has asked for: a line of MONITOR.
    out.array(3);
    out.nil();
    out.text(KIND_MONITOR, 0, KIND_MONITOR.length);
    return 1;
  }

  /** An error as a whole reply. */
  private error(type: number): number {
    const { state, out, u8 } = this;
    const line = type === MINUS ? this.line() : this.bulk();
    if (this.needs > 0) return 0;
    out.array(3);
    if (state.id === NO_ID) {
      out.nil();
      out.text(KIND_ERROR, 0, KIND_ERROR.length);
      this.text(u8, line, this.length, false);
      return 0;
    }
    out.integer(state.id);
    state.id = NO_ID;
    this.text(u8, line, this.length, false);
    out.nil();
    return 0;
  }

  /** Writes the next value, or the header of one; returns how many more follow from it. */
  private value(): number {
    const { u8, out } = this;
    if (this.at >= this.end) return this.stop(1);
    const type = u8[this.at]!;
    switch (type) {
      case DOLLAR:
      case EQUALS:
        return this.string(type);
      case COLON:
        return this.integer();
      case STAR:
      case TILDE:
      case PUSH:
      case PERCENT:
        return this.many(type);
      case PLUS:
      case PAREN: {
        const start = this.line();
        if (this.needs === 0) this.text(u8, start, this.length, false);
        return 0;
      }
      case BAR:
        // The value that it is about follows.
        return this.attribute(1);
      default:
        return this.rare(type, out);
    }
  }

  private string(type: number): number {
    const { u8, out, state } = this;
    const start = this.bulk();
    if (this.needs > 0) return 0;
    const { length } = this;
    if (length < 0) out.nil();
    else if (type === EQUALS)
      this.text(u8, start + FORMAT_BYTES, length - FORMAT_BYTES, state.isBinary);
    else this.text(u8, start, length, state.isBinary);
    return 0;
  }

  private many(type: number): number {
    const count = this.header();
    if (this.needs > 0) return 0;
    if (count < 0) {
      this.out.nil();
      return 0;
    }
    if (type === PERCENT) {
      this.out.map(count);
      return count * 2;
    }
    this.out.array(count);
    return count;
  }

  private integer(): number {
    const { u8, out } = this;
    const start = this.line();
    if (this.needs > 0) return 0;
    const { length } = this;
    if (length > SAFE_DIGITS) {
      const value = BigInt(latin1(u8, start, length));
      if (value >= -MAX_SAFE && value <= MAX_SAFE) out.integer(Number(value));
      else out.int64(value);
      return 0;
    }
    out.integer(readSafe(u8, start, start + length));
    return 0;
  }

  private rare(type: number, out: Packed): number {
    const { u8 } = this;
    const start = type === BANG ? this.bulk() : this.line();
    if (this.needs > 0) return 0;
    const { length } = this;
    if (type === UNDERSCORE) out.nil();
    else if (type === HASH) out.boolean(u8[start] === SMALL_T);
    else if (type === COMMA) out.double(doubleOf(latin1(u8, start, length)));
    else if (type === MINUS || type === BANG) out.extension(ERROR_EXTENSION, u8, start, length);
    else out.nil();
    return 0;
  }

  /** Leaves out what an attribute says; returns `follows`. */
  private attribute(follows: number): number {
    const from = this.at;
    const pairs = this.header();
    if (this.needs > 0) return follows;
    let left = pairs * 2;
    while (left > 0) {
      left += this.skip() - 1;
      if (this.needs > 0) {
        this.needs = this.end - from + 1;
        this.at = from;
        return follows;
      }
    }
    return follows;
  }

  private skip(): number {
    const type = this.at < this.end ? this.u8[this.at]! : CR;
    if (type === CR) return this.stop(1);
    if (type === DOLLAR || type === EQUALS || type === BANG) {
      this.bulk();
      return 0;
    }
    if (type === STAR || type === TILDE || type === PUSH) return this.header();
    if (type === PERCENT || type === BAR) return this.header() * 2;
    this.line();
    return 0;
  }

  private text(u8: Uint8Array, start: number, length: number, isBinary: boolean): void {
    if (isBinary || !isText(u8, start, length)) this.out.bin(u8, start, length);
    else this.out.text(u8, start, length);
  }

  // ---- input ------------------------------------------------------------------------------------

  /** Of what line and bulk have found. */
  private length = 0;

  private stop(needs: number): number {
    this.needs = needs;
    return 0;
  }

  /** Consumes a line with its type byte; returns where its text begins. */
  private line(): number {
    const start = this.at + 1;
    const { u8, end } = this;
    let at = start;
    while (at < end && u8[at] !== CR) at++;
    if (at + 1 >= end) {
      this.needs = end - this.at + 1;
      return start;
    }
    this.length = at - start;
    this.at = at + 2;
    return start;
  }

  /** Consumes a header; returns its number, −1 for none. */
  private header(): number {
    const start = this.line();
    return this.needs > 0 ? 0 : readSafe(this.u8, start, start + this.length);
  }

  /** Consumes a string with its header; returns where it begins. */
  private bulk(): number {
    const from = this.at;
    const bytes = this.header();
    if (this.needs > 0) return 0;
    this.length = bytes;
    if (bytes < 0) return this.at;
    const start = this.at;
    if (start + bytes + 2 > this.end) {
      this.needs = start + bytes + 2 - from;
      this.at = from;
      return start;
    }
    this.at = start + bytes + 2;
    return start;
  }
}

/** The walk is over because everything was read, and not in the middle of a message. */
const NOTHING_LEFT = Number.MAX_SAFE_INTEGER;
const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

function readSafe(u8: Uint8Array, start: number, end: number): number {
  const isNegative = u8[start] === MINUS;
  let value = 0;
  for (let at = isNegative ? start + 1 : start; at < end; at++) value = value * 10 + u8[at]! - ZERO;
  return isNegative ? -value : value;
}

/** The number that a RESP3 double's text says. */
export function doubleOf(text: string): number {
  if (text === 'inf') return Number.POSITIVE_INFINITY;
  if (text === '-inf') return Number.NEGATIVE_INFINITY;
  return Number(text);
}

function latin1(u8: Uint8Array, start: number, length: number): string {
  return Buffer.from(u8.buffer, u8.byteOffset + start, length).toString('latin1');
}

export function isText(u8: Uint8Array, start: number, length: number): boolean {
  if (length > SCAN_BYTES_MAX) return isUtf8(u8.subarray(start, start + length));
  let bits = 0;
  for (let at = start; at < start + length; at++) bits |= u8[at]!;
  return bits < 0x80 || isUtf8(u8.subarray(start, start + length));
}
