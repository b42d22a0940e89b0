// The protocol from the outside: an encoder of commands and a decoder of replies, RESP2 and RESP3.
// Written apart from src/resp on purpose: the server must not be judged by its own parser.
//
// Byte strings are latin1 texts here: one character is one byte, in both directions.

export type Word = string | number | bigint | Uint8Array;
export type Command = readonly Word[];

export type Reply =
  | {
      readonly type: 'simple' | 'error' | 'bulk' | 'bulkError' | 'bigNumber';
      readonly value: string;
    }
  | { readonly type: 'double'; readonly value: string }
  | { readonly type: 'verbatim'; readonly format: string; readonly value: string }
  | { readonly type: 'integer'; readonly value: number | bigint }
  | { readonly type: 'boolean'; readonly value: boolean }
  | { readonly type: 'nullBulk' | 'nullArray' | 'null'; readonly value: null }
  | { readonly type: 'array' | 'set' | 'push'; readonly value: readonly Reply[] }
  | { readonly type: 'map'; readonly value: readonly (readonly [Reply, Reply])[] }
  | { readonly type: 'attributed'; readonly attributes: Reply; readonly value: Reply };

export type ReplyType = Reply['type'];

/** Deeper nesting than any reply of a real server: COMMAND INFO nests seven levels. */
const DEPTH_MAX = 64;
const CR = 13;
const LF = 10;
const DIGIT_ZERO = 48;
const MINUS = 45;

// ── Commands ─────────────────────────────────────────────────────────────────────────────────

/** The multibulk form of one command. */
export function encodeCommand(words: Command): Buffer {
  return encodeCommands([words]);
}

/** Many commands in one buffer, as a pipelining client sends them. */
export function encodeCommands(commands: readonly Command[]): Buffer {
  let text = '';
  for (const words of commands) {
    text += `*${words.length}\r\n`;
    for (const word of words) {
      const bytes = wordText(word);
      text += `$${bytes.length}\r\n${bytes}\r\n`;
    }
  }
  return Buffer.from(text, 'latin1');
}

function wordText(word: Word): string {
  if (typeof word === 'string') return word;
  if (word instanceof Uint8Array) return Buffer.from(word).toString('latin1');
  return String(word);
}

// ── Frames ───────────────────────────────────────────────────────────────────────────────────

/** What a server sent that is no RESP. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/**
 * Cuts a stream of bytes into whole replies without decoding them. It keeps one count, of values
 * still missing from the reply, so it resumes at any byte and each byte is looked at once.
 */
export class ReplyFrames {
  private bytes: Buffer = Buffer.allocUnsafe(1 << 14);
  private filled = 0;
  private frameStart = 0;
  private position = 0;
  private missing = 1;

  /** Adds what arrived. Invalidates the frames handed out before. */
  feed(chunk: Uint8Array): void {
    this.makeRoom(chunk.length);
    this.bytes.set(chunk, this.filled);
    this.filled += chunk.length;
  }

  /** The next whole reply as a view, borrowed until the next feed, or undefined. */
  next(): Buffer | undefined {
    while (this.missing > 0) {
      if (!this.skipValue()) return undefined;
    }
    const frame = this.bytes.subarray(this.frameStart, this.position);
    this.frameStart = this.position;
    this.missing = 1;
    return frame;
  }

  /** How many bytes of an unfinished reply are waiting. */
  get pendingBytes(): number {
    return this.filled - this.frameStart;
  }

  /** Moves past one value (of an aggregate: past its header). False when bytes are missing. */
  private skipValue(): boolean {
    const { bytes, position } = this;
    const lineEnd = this.findLineEnd(position);
    if (lineEnd < 0) return false;

    const kind = String.fromCharCode(bytes[position]!);
    const after = lineEnd + 2;
    switch (kind) {
      case '$':
      case '!':
      case '=': {
        const length = readLength(bytes, position + 1, lineEnd);
        if (length >= 0 && this.filled < after + length + 2) return false;
        this.position = length < 0 ? after : after + length + 2;
        this.missing -= 1;
        return true;
      }
      case '*':
      case '~':
      case '>':
        this.missing += Math.max(0, readLength(bytes, position + 1, lineEnd)) - 1;
        break;
      case '%':
        this.missing += 2 * readLength(bytes, position + 1, lineEnd) - 1;
        break;
      case '|':
        // The value that the attributes belong to follows them and still counts.
        this.missing += 2 * readLength(bytes, position + 1, lineEnd);
        break;
      default:
        if (!'+-:_,#('.includes(kind)) {
          const seen = bytes.toString('latin1', position, Math.min(this.filled, position + 60));
          throw new ProtocolError(`no reply starts like this: ${quoted(seen)}`);
        }
        this.missing -= 1;
    }
    this.position = after;
    return true;
  }

  private findLineEnd(from: number): number {
    const { bytes, filled } = this;
    for (let at = from; at + 1 < filled; at++) {
      if (bytes[at] === CR && bytes[at + 1] === LF) return at;
    }
    return -1;
  }

  private makeRoom(extraBytes: number): void {
    if (this.filled + extraBytes <= this.bytes.length) return;
    const kept = this.filled - this.frameStart;
    let target = this.bytes;
    // Growing only when the kept bytes fill half keeps the moving cheap.
    if ((kept + extraBytes) * 2 > target.length) {
      target = Buffer.allocUnsafe(2 ** Math.ceil(Math.log2((kept + extraBytes) * 2)));
    }
    this.bytes.copy(target, 0, this.frameStart, this.filled);
    this.bytes = target;
    this.position -= this.frameStart;
    this.frameStart = 0;
    this.filled = kept;
  }
}

function readLength(bytes: Buffer, start: number, end: number): number {
  const isNegative = bytes[start] === MINUS;
  let value = 0;
  for (let at = isNegative ? start + 1 : start; at < end; at++) {
    const digit = bytes[at]! - DIGIT_ZERO;
    if (digit < 0 || digit > 9) {
      throw new ProtocolError(
        `a length is no number: ${quoted(bytes.toString('latin1', start, end))}`,
      );
    }
    value = value * 10 + digit;
  }
  return isNegative ? -value : value;
}

// ── Replies ──────────────────────────────────────────────────────────────────────────────────

/** Decodes replies out of chunks of any size. */
export class ReplyDecoder {
  private readonly frames = new ReplyFrames();

  feed(chunk: Uint8Array): void {
    this.frames.feed(chunk);
  }

  next(): Reply | undefined {
    const frame = this.frames.next();
    return frame === undefined ? undefined : decodeReply(frame);
  }

  get pendingBytes(): number {
    return this.frames.pendingBytes;
  }
}

/** Decodes one whole reply. */
export function decodeReply(frame: Buffer): Reply {
  const cursor = new Cursor(frame);
  const reply = cursor.value(0);
  if (cursor.at !== frame.length) throw new ProtocolError('bytes are left after the reply');
  return reply;
}

class Cursor {
  at = 0;
  constructor(private readonly bytes: Buffer) {}

  value(depth: number): Reply {
    if (depth > DEPTH_MAX) throw new ProtocolError('a reply is nested too deeply');
    const kind = String.fromCharCode(this.bytes[this.at]!);
    const line = this.line();
    switch (kind) {
      case '+':
        return { type: 'simple', value: line };
      case '-':
        return { type: 'error', value: line };
      case ':':
        return { type: 'integer', value: integerOf(line) };
      case ',':
        return { type: 'double', value: line };
      case '(':
        return { type: 'bigNumber', value: line };
      case '_':
        return { type: 'null', value: null };
      case '#':
        return { type: 'boolean', value: booleanOf(line) };
      case '$':
        return line === '-1'
          ? { type: 'nullBulk', value: null }
          : { type: 'bulk', value: this.body(Number(line)) };
      case '!':
        return { type: 'bulkError', value: this.body(Number(line)) };
      case '=':
        return verbatimOf(this.body(Number(line)));
      case '*':
        return line === '-1'
          ? { type: 'nullArray', value: null }
          : { type: 'array', value: this.items(Number(line), depth) };
      case '~':
        return { type: 'set', value: this.items(Number(line), depth) };
      case '>':
        return { type: 'push', value: this.items(Number(line), depth) };
      case '%':
        return { type: 'map', value: this.pairs(Number(line), depth) };
      case '|': {
        const attributes: Reply = { type: 'map', value: this.pairs(Number(line), depth) };
        return { type: 'attributed', attributes, value: this.value(depth + 1) };
      }
      default:
        throw new ProtocolError(`no reply starts with ${quoted(kind)}`);
    }
  }

  private line(): string {
    const end = this.bytes.indexOf('\r\n', this.at, 'latin1');
    if (end < 0) throw new ProtocolError('a reply ends inside a line');
    const line = this.bytes.toString('latin1', this.at + 1, end);
    this.at = end + 2;
    return line;
  }

  private body(length: number): string {
    const end = this.at + length;
    if (this.bytes[end] !== CR || this.bytes[end + 1] !== LF) {
      throw new ProtocolError('a bulk is longer or shorter than it says');
    }
    const text = this.bytes.toString('latin1', this.at, end);
    this.at = end + 2;
    return text;
  }

  private items(count: number, depth: number): Reply[] {
    const items: Reply[] = [];
    for (let index = 0; index < count; index++) items.push(this.value(depth + 1));
    return items;
  }

  private pairs(count: number, depth: number): [Reply, Reply][] {
    const pairs: [Reply, Reply][] = [];
    for (let index = 0; index < count; index++) {
      const key = this.value(depth + 1);
      pairs.push([key, this.value(depth + 1)]);
    }
    return pairs;
  }
}

function integerOf(text: string): number | bigint {
  if (!/^[+-]?\d+$/.test(text)) throw new ProtocolError(`no integer: ${quoted(text)}`);
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
}

function booleanOf(text: string): boolean {
  if (text !== 't' && text !== 'f') throw new ProtocolError(`no boolean: ${quoted(text)}`);
  return text === 't';
}

function verbatimOf(body: string): Reply {
  return { type: 'verbatim', format: body.slice(0, 3), value: body.slice(4) };
}

// ── Texts ────────────────────────────────────────────────────────────────────────────────────

export type Style = 'tagged' | 'short';

/**
 * One stable line for a reply. Tagged: `+OK`, `:1`, `$"a\x00"`, `*[…]`, `%{…}`. Short leaves the
 * tag out where the text alone says it, as transcripts are written: `OK`, `1`, `"a\x00"`, `[…]`.
 */
export function printReply(reply: Reply, style: Style = 'tagged'): string {
  const tag = (text: string): string => (style === 'short' ? '' : text);
  const list = (items: readonly Reply[]): string =>
    items.map((item) => printInside(item, style)).join(', ');
  switch (reply.type) {
    case 'simple':
      return isPlain(reply.value) ? `${tag('+')}${reply.value}` : `+${quoted(reply.value)}`;
    case 'error':
      return isOneLine(reply.value) ? `-${reply.value}` : `-${quoted(reply.value)}`;
    case 'bulkError':
      return `!${quoted(reply.value)}`;
    case 'integer':
      return `${tag(':')}${reply.value}`;
    case 'double':
      return `,${reply.value}`;
    case 'bigNumber':
      return `(big) ${reply.value}`;
    case 'boolean':
      return reply.value ? '#t' : '#f';
    case 'null':
      return style === 'short' ? '(nil)' : '(nil3)';
    case 'nullBulk':
      return '(nil)';
    case 'nullArray':
      return '(nil array)';
    case 'bulk':
      return `${tag('$')}${quoted(reply.value)}`;
    case 'verbatim':
      return `=${reply.format}:${quoted(reply.value)}`;
    case 'array':
      return `${tag('*')}[${list(reply.value)}]`;
    case 'set':
      return `~[${list(reply.value)}]`;
    case 'push':
      return `>[${list(reply.value)}]`;
    case 'map':
      return `${tag('%')}{${reply.value
        .map(([key, value]) => `${printInside(key, style)}: ${printInside(value, style)}`)
        .join(', ')}}`;
    case 'attributed':
      return `(with ${printInside(reply.attributes, style)}) ${printInside(reply.value, style)}`;
  }
}

/** Inside an aggregate a line would swallow the rest of it, so errors and simples are quoted. */
function printInside(reply: Reply, style: Style): string {
  if (reply.type === 'error') return `-${quoted(reply.value)}`;
  if (reply.type === 'simple') return `+${quoted(reply.value)}`;
  return printReply(reply, style);
}

function isPlain(text: string): boolean {
  return /^[A-Za-z][A-Za-z0-9 _-]*$/.test(text);
}

function isOneLine(text: string): boolean {
  return /^[A-Za-z][\x20-\x7e]*$/.test(text) && !text.endsWith(' ');
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '"': '\\"',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\b': '\\b',
  '\x07': '\\a',
};

/** A byte string in double quotes, with redis-cli's escapes. */
export function quoted(text: string): string {
  let result = '"';
  for (const character of text) {
    const code = character.charCodeAt(0);
    const escaped = ESCAPES[character];
    if (escaped !== undefined) result += escaped;
    else if (code >= 0x20 && code <= 0x7e) result += character;
    else result += `\\x${code.toString(16).padStart(2, '0')}`;
  }
  return `${result}"`;
}

/** A command as one would type it into redis-cli. */
export function printCommand(words: Command): string {
  return words
    .map((word) => wordText(word))
    .map((text) => (/^[\w.:*{}@+<>=,#/-]+$/.test(text) ? text : quoted(text)))
    .join(' ');
}

/** The bytes of a scalar reply as text, or undefined for aggregates and nulls. */
export function textOf(reply: Reply): string | undefined {
  switch (reply.type) {
    case 'integer':
    case 'boolean':
      return String(reply.value);
    case 'array':
    case 'set':
    case 'push':
    case 'map':
    case 'null':
    case 'nullBulk':
    case 'nullArray':
    case 'attributed':
      return undefined;
    default:
      return reply.value;
  }
}

/** The texts of all bulk strings in a reply given as latin1 protocol text, in order. */
export function bulkTexts(protocol: string): string[] {
  return bulksIn(decodeReply(Buffer.from(protocol, 'latin1')));
}

function bulksIn(reply: Reply): string[] {
  switch (reply.type) {
    case 'bulk':
      return [reply.value];
    case 'array':
    case 'set':
    case 'push':
      return reply.value.flatMap(bulksIn);
    case 'map':
      return reply.value.flatMap((pair) => pair.flatMap(bulksIn));
    case 'attributed':
      return bulksIn(reply.value);
    default:
      return [];
  }
}

export function isError(reply: Reply): boolean {
  return reply.type === 'error' || reply.type === 'bulkError';
}
