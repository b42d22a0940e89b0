// The request parser: RESP arrays of bulk strings, and inline commands. It fills Slices with
// offsets into the input bytes and copies nothing. A command that is not complete yet leaves its
// progress in the parser, so that a command of any size arriving in any pieces is read once.
//
// Rules, limits and error texts are those of Redis (networking.c: processInlineBuffer,
// processMultibulkBuffer).

import { parseSafeInteger } from '../base/ascii.js';
import { copyBytes } from '../base/bytes.js';
import type { Slices } from '../base/slices.js';

const CR = 0x0d;
const LF = 0x0a;
const STAR = 0x2a;
const DOLLAR = 0x24;
const QUOTE = 0x22;
const APOSTROPHE = 0x27;
const BACKSLASH = 0x5c;
const ZERO = 0x30;

/** The longest inline command, and the longest header line. */
const INLINE_BYTES_MAX = 64 * 1024;
const WORDS_MAX = 2 ** 31 - 1;
/** What a session that has not authenticated may send. */
const STRANGER_WORDS_MAX = 10;
const STRANGER_BULK_BYTES_MAX = 16384;
/** Words for which room is made when the header announces them; more arrive before more is made. */
const WORDS_AT_ONCE = 1024;

export const enum Parsed {
  /** `args` holds a command. */
  Command = 0,
  /** Bytes were consumed, but nothing is to be executed (an empty line, an empty array). */
  Nothing = 1,
  /** More input is needed; `at` is where the unfinished command starts. */
  Incomplete = 2,
  /** Protocol error: `error` has the text, the session must end. */
  Error = 3,
}

export interface ParserLimits {
  /** proto-max-bulk-len, bytes. */
  bulkBytesMax: number;
}

export class Parser {
  /** Where the words of the next command go. May be exchanged between two commands. */
  args: Slices;
  readonly limits: ParserLimits;
  /** The input. */
  private u8: Uint8Array;
  /** First byte not yet consumed. */
  at = 0;
  /** Where input ends. */
  end = 0;
  /** Start of the command being read: what is before it is done with. */
  commandAt = 0;
  /** Words still to come of the array being read; 0 between commands. */
  private wordsLeft = 0;
  /** Length of the bulk string being read, −1 before its header. */
  bulkBytes = -1;
  error = '';
  /** Not authenticated yet: small limits apply. */
  isStranger = false;

  constructor(args: Slices, limits: ParserLimits) {
    this.args = args;
    this.u8 = args.u8;
    this.limits = limits;
  }

  /** Starts on fresh input; nothing unfinished may be lost (see isIdle). */
  feed(u8: Uint8Array, start: number, end: number): void {
    this.u8 = u8;
    this.at = start;
    this.commandAt = start;
    this.end = end;
    this.wordsLeft = 0;
    this.bulkBytes = -1;
  }

  /** More input has arrived behind `end`, in a buffer that may have moved by `shift` bytes. */
  extend(u8: Uint8Array, shift: number, end: number): void {
    const { args } = this;
    this.u8 = u8;
    args.u8 = u8;
    if (shift !== 0) {
      for (let index = 0; index < args.count; index++) {
        args.starts[index] = args.starts[index]! + shift;
      }
      this.at += shift;
      this.commandAt += shift;
    }
    this.end = end;
  }

  /** Goes back to the start of the unfinished command: its bytes will be fed again. */
  forget(): void {
    this.at = this.commandAt;
    this.wordsLeft = 0;
    this.bulkBytes = -1;
  }

  /** Goes back to a command that was read ahead and not run. */
  rewind(start: number): void {
    this.commandAt = start;
    this.forget();
  }

  /** Bytes that the unfinished command is known to need from commandAt on. */
  get neededBytes(): number {
    const known = this.at - this.commandAt;
    return this.bulkBytes === -1 ? known : known + this.bulkBytes + 2;
  }

  next(): Parsed {
    const { args, u8 } = this;
    const end = this.end;
    let at = this.at;
    if (this.wordsLeft === 0) {
      args.u8 = u8;
      this.commandAt = at;
      if (at >= end) return Parsed.Incomplete;
      if (u8[at] !== STAR) return this.inline();
      // *<count>CRLF, where one digit is the rule.
      const digit = u8[at + 1]! - ZERO;
      if (at + 4 <= end && digit > 0 && digit <= 9 && u8[at + 2] === CR) {
        this.wordsLeft = digit;
        at += 4;
      } else {
        const parsed = this.readCount();
        if (parsed !== Parsed.Command) return parsed;
        at = this.at;
      }
      args.count = 0;
    }
    let left = this.wordsLeft;
    while (left > 0) {
      let length = this.bulkBytes;
      if (length === -1) {
        // $<length>CRLF, where one or two digits are the rule; no limit is below 100.
        if (at + 5 <= end && u8[at] === DOLLAR) {
          const first = u8[at + 1]! - ZERO;
          const second = u8[at + 2]!;
          if (second === CR && first >= 0 && first <= 9) {
            length = first;
            at += 4;
          } else if (u8[at + 3] === CR && first > 0 && first <= 9) {
            const low = second - ZERO;
            if (low >= 0 && low <= 9) {
              length = first * 10 + low;
              at += 5;
            }
          }
        }
        if (length === -1 || (this.isStranger && length > STRANGER_BULK_BYTES_MAX)) {
          this.at = at;
          this.wordsLeft = left;
          const parsed = this.readBulkLength();
          if (parsed !== Parsed.Command) return parsed;
          length = this.bulkBytes;
          at = this.at;
        }
      }
      if (at + length + 2 > end) {
        this.at = at;
        this.wordsLeft = left;
        this.bulkBytes = length;
        return Parsed.Incomplete;
      }
      args.push(at, length);
      at += length + 2;
      this.bulkBytes = -1;
      left--;
    }
    this.at = at;
    this.wordsLeft = 0;
    args.rawStart = this.commandAt;
    args.rawEnd = at;
    return Parsed.Command;
  }

  /** Reads `*<count>`; Command when words follow. */
  private readCount(): Parsed {
    const { u8 } = this;
    const lineEnd = this.findLineEnd(this.at);
    if (lineEnd === -1) {
      if (this.end - this.at > INLINE_BYTES_MAX) return this.fail('too big mbulk count string');
      return Parsed.Incomplete;
    }
    const count = parseSafeInteger(u8, this.at + 1, lineEnd - this.at - 1);
    if (!(count <= WORDS_MAX)) return this.fail('invalid multibulk length');
    if (count > STRANGER_WORDS_MAX && this.isStranger) {
      return this.fail('unauthenticated multibulk length');
    }
    this.at = lineEnd + 2;
    if (count <= 0) return Parsed.Nothing;
    this.wordsLeft = count;
    this.args.ensure(Math.min(count, WORDS_AT_ONCE));
    return Parsed.Command;
  }

  /** Reads `$<length>` at this.at; Command when bulkBytes is known. */
  private readBulkLength(): Parsed {
    const { u8 } = this;
    const lineEnd = this.findLineEnd(this.at);
    if (lineEnd === -1) {
      if (this.end - this.at > INLINE_BYTES_MAX) return this.fail('too big bulk count string');
      return Parsed.Incomplete;
    }
    if (u8[this.at] !== DOLLAR) {
      return this.fail(`expected '$', got '${String.fromCharCode(u8[this.at]!)}'`);
    }
    const length = parseSafeInteger(u8, this.at + 1, lineEnd - this.at - 1);
    if (!(length >= 0 && length <= this.limits.bulkBytesMax)) {
      return this.fail('invalid bulk length');
    }
    if (length > STRANGER_BULK_BYTES_MAX && this.isStranger) {
      return this.fail('unauthenticated bulk length');
    }
    this.at = lineEnd + 2;
    this.bulkBytes = length;
    return Parsed.Command;
  }

  /** The index of the CR that ends the line at `start`, when the byte behind it has arrived too. */
  private findLineEnd(start: number): number {
    const found = this.u8.indexOf(CR, start);
    return found === -1 || found + 1 >= this.end ? -1 : found;
  }

  private fail(text: string): Parsed {
    this.error = `ERR Protocol error: ${text}`;
    return Parsed.Error;
  }

  /** A line of words, as typed into telnet. */
  private inline(): Parsed {
    const { args, u8 } = this;
    const lineFeed = u8.indexOf(LF, this.at);
    if (lineFeed === -1 || lineFeed >= this.end) {
      if (this.end - this.at > INLINE_BYTES_MAX) return this.fail('too big inline request');
      return Parsed.Incomplete;
    }
    const lineEnd = lineFeed > this.at && u8[lineFeed - 1] === CR ? lineFeed - 1 : lineFeed;
    // Words are unescaped in place, in a copy: the input may have to be read once more.
    args.u8 = new Uint8Array(new ArrayBuffer(lineEnd - this.at));
    copyBytes(u8, this.at, args.u8, 0, args.u8.length);
    this.at = lineFeed + 1;
    args.count = 0;
    args.rawEnd = 0;
    if (!this.splitLine(0, args.u8.length)) return this.fail('unbalanced quotes in request');
    return args.count === 0 ? Parsed.Nothing : Parsed.Command;
  }

  /**
   * Splits args.u8[start, end) into words, unescaping quoted ones in place: a word never gets
   * longer. False for unbalanced quotes.
   */
  private splitLine(start: number, end: number): boolean {
    const { args } = this;
    const u8 = args.u8;
    let at = start;
    for (;;) {
      while (at < end && isSpace(u8[at]!)) at++;
      // As for C strings, a zero byte ends the line.
      if (at >= end || u8[at] === 0) return true;
      const wordAt = at;
      let to = at;
      let quote = 0;
      for (;;) {
        const byte = at < end ? u8[at]! : 0;
        if (quote !== 0) {
          if (byte === 0) return false;
          if (byte === quote) {
            // A closing quote must be followed by a space or nothing.
            if (at + 1 < end && u8[at + 1] !== 0 && !isSpace(u8[at + 1]!)) return false;
            at++;
            break;
          }
          if (byte === BACKSLASH) {
            const used = readEscape(u8, at, end, quote);
            u8[to++] = unescaped;
            at += used;
            continue;
          }
          u8[to++] = byte;
          at++;
          continue;
        }
        if (byte === 0 || isSpace(byte)) break;
        if (byte === QUOTE || byte === APOSTROPHE) quote = byte;
        else u8[to++] = byte;
        at++;
      }
      args.push(wordAt, to - wordAt);
    }
  }
}

let unescaped = 0;

/**
 * Reads the escape at u8[at] inside `quote`; leaves its byte in `unescaped`, returns its length.
 */
function readEscape(u8: Uint8Array, at: number, end: number, quote: number): number {
  const next = at + 1 < end ? u8[at + 1]! : 0;
  if (quote === APOSTROPHE) {
    unescaped = next === APOSTROPHE ? APOSTROPHE : BACKSLASH;
    return next === APOSTROPHE ? 2 : 1;
  }
  if (next === 0x78 && at + 3 < end) {
    const high = hexDigit(u8[at + 2]!);
    const low = hexDigit(u8[at + 3]!);
    if (high !== -1 && low !== -1) {
      unescaped = high * 16 + low;
      return 4;
    }
  }
  if (next === 0) {
    unescaped = BACKSLASH;
    return 1;
  }
  unescaped = ESCAPES.get(next) ?? next;
  return 2;
}

const ESCAPES = new Map([
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
  [0x62, 0x08],
  [0x61, 0x07],
]);

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const folded = byte | 0x20;
  return folded >= 0x61 && folded <= 0x66 ? folded - 0x57 : -1;
}

/** The bytes that isspace() of the C locale takes. */
function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}
