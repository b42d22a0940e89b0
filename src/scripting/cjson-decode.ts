// cjson.decode: JSON becomes a value of Lua. The text is copied out of the machine first, because
// its memory may be replaced whenever a value is pushed; a NUL behind it ends it.

import type { LuaMachine, LuaState } from './lua-api.js';
import { pushBoolean, pushNumber } from './lua-stack.js';
import { read, readNumber } from './number-text.js';

/** What a token is; the names stand in messages. */
const Token = {
  ObjectBegin: 'T_OBJ_BEGIN',
  ObjectEnd: 'T_OBJ_END',
  ArrayBegin: 'T_ARR_BEGIN',
  ArrayEnd: 'T_ARR_END',
  String: 'T_STRING',
  Number: 'T_NUMBER',
  Boolean: 'T_BOOLEAN',
  Null: 'T_NULL',
  Colon: 'T_COLON',
  Comma: 'T_COMMA',
  End: 'T_END',
} as const;
type Token = (typeof Token)[keyof typeof Token];

const SINGLE = new Map<number, Token>([
  [0x7b, Token.ObjectBegin],
  [0x7d, Token.ObjectEnd],
  [0x5b, Token.ArrayBegin],
  [0x5d, Token.ArrayEnd],
  [0x2c, Token.Comma],
  [0x3a, Token.Colon],
  [0, Token.End],
]);

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const PLUS = 0x2b;
const ZERO = 0x30;
const NINE = 0x39;
const LETTER_U = 0x75;
/** Digits of a whole number that is exact without strtod's help. */
const EXACT_DIGITS = 15;
/** Slots of Lua's stack for a table, a key and a value. */
const OBJECT_SLOTS = 3;
const ARRAY_SLOTS = 2;

const ESCAPED = new Map<number, number>(
  [...'"\\/'].map((char) => [char.charCodeAt(0), char.charCodeAt(0)] as const),
);
for (const [char, byte] of Object.entries({ b: 8, t: 9, n: 10, f: 12, r: 13, u: LETTER_U })) {
  ESCAPED.set(char.charCodeAt(0), byte);
}

/** Pushes the value of the JSON text that is argument 1 of the running function. */
export function decodeText(
  lua: LuaMachine,
  state: LuaState,
  maxDepth: number,
  takesInvalid: boolean,
): void {
  new Decoding(lua, state, maxDepth, takesInvalid).run();
}

class Decoding {
  private readonly u8: Uint8Array;
  /** Where the text lies in the machine, so that strings without escapes are not copied twice. */
  private readonly address: number;
  private at = 0;
  private depth = 0;
  private token: Token = Token.End;
  /** Where the token begins. */
  private tokenAt = 0;
  /** What is wrong with it, if anything. */
  private problem: string | null = null;
  private number = 0;
  private isTrue = false;
  private stringStart = 0;
  private stringLength = 0;
  /** Of a string with escapes what it stands for; null when its bytes are those of the text. */
  private unescaped: Uint8Array | null = null;

  constructor(
    private readonly lua: LuaMachine,
    private readonly state: LuaState,
    private readonly maxDepth: number,
    private readonly takesInvalid: boolean,
  ) {
    const address = lua.checkString(state, 1);
    const length = lua.stringLength;
    this.address = address;
    this.u8 = lua.u8.slice(address, address + length + 1);
    if (length >= 2 && (this.u8[0] === 0 || this.u8[1] === 0)) {
      lua.fail(state, 'JSON parser does not support UTF-16 or UTF-32');
    }
  }

  run(): void {
    this.next();
    this.pushValue();
    this.next();
    if (this.token !== Token.End || this.problem !== null) this.fail('the end');
  }

  private fail(expected: string): never {
    const found = this.problem ?? this.token;
    const at = this.tokenAt + 1;
    return this.lua.fail(this.state, `Expected ${expected} but found ${found} at character ${at}`);
  }

  private is(token: Token): boolean {
    return this.problem === null && this.token === token;
  }

  private descend(slots: number): void {
    const { lua, state } = this;
    this.depth++;
    if (this.depth <= this.maxDepth && lua.raw.lua_checkstack(state, slots) !== 0) return;
    const what = `Found too many nested data structures (${this.depth})`;
    lua.fail(state, `${what} at character ${this.at}`);
  }

  private pushValue(): void {
    const { lua, state } = this;
    if (this.problem !== null) this.fail('value');
    switch (this.token) {
      case Token.String:
        this.pushString();
        break;
      case Token.Number:
        pushNumber(lua, state, this.number);
        break;
      case Token.Boolean:
        pushBoolean(lua, state, this.isTrue);
        break;
      case Token.ObjectBegin:
        this.pushObject();
        break;
      case Token.ArrayBegin:
        this.pushArray();
        break;
      case Token.Null:
        lua.raw.lua_pushlightuserdata(state, 0);
        break;
      default:
        this.fail('value');
    }
  }

  private pushString(): void {
    const { lua, state, unescaped } = this;
    if (unescaped !== null) lua.pushBytes(state, unescaped, 0, this.stringLength);
    else lua.raw.lua_pushlstring(state, this.address + this.stringStart, this.stringLength);
  }

  private pushObject(): void {
    const { state } = this;
    const { raw } = this.lua;
    this.descend(OBJECT_SLOTS);
    raw.lua_createtable(state, 0, 0);
    this.next();
    while (!this.is(Token.ObjectEnd)) {
      if (!this.is(Token.String)) this.fail('object key string');
      this.pushString();
      this.next();
      if (!this.is(Token.Colon)) this.fail('colon');
      this.next();
      this.pushValue();
      raw.lua_rawset(state, -3);
      this.next();
      if (this.is(Token.ObjectEnd)) break;
      if (!this.is(Token.Comma)) this.fail('comma or object end');
      this.next();
      if (this.is(Token.ObjectEnd)) this.fail('object key string');
    }
    this.depth--;
  }

  private pushArray(): void {
    const { state } = this;
    const { raw } = this.lua;
    this.descend(ARRAY_SLOTS);
    raw.lua_createtable(state, 0, 0);
    this.next();
    for (let index = 1; !this.is(Token.ArrayEnd); index++) {
      this.pushValue();
      raw.lua_rawseti(state, -2, index);
      this.next();
      if (this.is(Token.ArrayEnd)) break;
      if (!this.is(Token.Comma)) this.fail('comma or array end');
      this.next();
      if (this.is(Token.ArrayEnd)) this.fail('value');
    }
    this.depth--;
  }

  // ---- tokens ---------------------------------------------------------------------------------

  private next(): void {
    const { u8 } = this;
    let at = this.at;
    while (u8[at] === 0x20 || (u8[at]! >= 9 && u8[at]! <= 10) || u8[at] === 13) at++;
    this.at = at;
    this.tokenAt = at;
    this.problem = null;
    const byte = u8[at]!;
    if (byte === QUOTE) {
      this.readString();
      return;
    }
    const single = SINGLE.get(byte);
    if (single !== undefined) {
      this.token = single;
      // The end stays where it is.
      if (byte !== 0) this.at++;
      return;
    }
    if (byte === MINUS || (byte >= ZERO && byte <= NINE)) this.readNumberToken();
    else this.readWord();
  }

  private readWord(): void {
    if (this.takes('true') || this.takes('false')) {
      this.token = Token.Boolean;
      this.isTrue = this.at - this.tokenAt === 4;
    } else if (this.takes('null')) this.token = Token.Null;
    else if (this.takesInvalid && this.isInvalidNumber()) this.readSlowNumber();
    else this.problem = 'invalid token';
  }

  private takes(word: string): boolean {
    const { u8, at } = this;
    for (let index = 0; index < word.length; index++) {
      if (u8[at + index] !== word.charCodeAt(index)) return false;
    }
    this.at += word.length;
    return true;
  }

  /** Is what is next something that strtod reads, but that is no JSON? */
  private isInvalidNumber(): boolean {
    const { u8 } = this;
    let { at } = this;
    const first = u8[at]!;
    // Bytes that begin no token at all are not looked at further.
    if (!'iInN+-0123456789'.includes(String.fromCharCode(first))) return false;
    if (first === PLUS) return true;
    if (first === MINUS) at++;
    if (u8[at] === ZERO) {
      const second = u8[at + 1]!;
      return (second | 0x20) === 0x78 || (second >= ZERO && second <= NINE);
    }
    if (u8[at]! <= NINE) return false;
    return /^(?:inf|nan)/i.test(Buffer.from(u8.subarray(at, at + 3)).toString('latin1'));
  }

  private readNumberToken(): void {
    if (!this.takesInvalid && this.isInvalidNumber()) {
      this.problem = 'invalid number';
      return;
    }
    const { u8 } = this;
    const isNegative = u8[this.at] === MINUS;
    const start = this.at + (isNegative ? 1 : 0);
    let at = start;
    let value = 0;
    for (; u8[at]! >= ZERO && u8[at]! <= NINE; at++) value = value * 10 + u8[at]! - ZERO;
    const isPlain = at > start && at - start <= EXACT_DIGITS && !continuesNumber(u8[at]!);
    if (!isPlain) {
      this.readSlowNumber();
      return;
    }
    this.token = Token.Number;
    this.number = isNegative ? -value : value;
    this.at = at;
  }

  private readSlowNumber(): void {
    const { u8 } = this;
    let end = this.at;
    while (isNumberByte(u8[end]!)) end++;
    const text = Buffer.from(u8.subarray(this.at, end)).toString('latin1');
    this.token = Token.Number;
    this.number = readNumber(text, 0);
    if (read.length === 0) this.problem = 'invalid number';
    this.at += read.length;
  }

  private readString(): void {
    const { u8 } = this;
    const start = this.at + 1;
    let at = start;
    while (u8[at] !== QUOTE && u8[at] !== BACKSLASH && u8[at] !== 0) at++;
    if (u8[at] === QUOTE) {
      this.token = Token.String;
      this.stringStart = start;
      this.stringLength = at - start;
      this.unescaped = null;
      this.at = at + 1;
      return;
    }
    this.at = at;
    this.readEscapedString(start);
  }

  private readEscapedString(start: number): void {
    const { u8 } = this;
    // What escapes stand for is never longer than they are.
    const to = new Uint8Array(this.endOfString(this.at) - start + 1);
    to.set(u8.subarray(start, this.at));
    let length = this.at - start;
    let problem: string | null = null;
    while (u8[this.at] !== QUOTE && problem === null) {
      const byte = u8[this.at]!;
      const escaped = byte === BACKSLASH ? ESCAPED.get(u8[this.at + 1]!) : byte;
      if (byte === 0) problem = 'unexpected end of string';
      else if (escaped === undefined) problem = 'invalid escape code';
      else if (byte === BACKSLASH && escaped === LETTER_U) {
        const code = this.readUnicode();
        if (code === -1) problem = 'invalid unicode escape code';
        else length = putUtf8(to, length, code);
      } else {
        to[length++] = escaped;
        this.at += byte === BACKSLASH ? 2 : 1;
      }
    }
    this.problem = problem;
    this.tokenAt = problem === null ? this.tokenAt : this.at;
    this.at++;
    this.token = Token.String;
    this.unescaped = to;
    this.stringLength = length;
  }

  /** Where the string ends, or the text. */
  private endOfString(from: number): number {
    const { u8 } = this;
    let at = from;
    while (u8[at] !== QUOTE && u8[at] !== 0) at += u8[at] === BACKSLASH && u8[at + 1] !== 0 ? 2 : 1;
    return at;
  }

  /** Reads \uXXXX, or two of them; −1 when it is not right. */
  private readUnicode(): number {
    const { u8, at } = this;
    const high = hex4(u8, at + 2);
    if (high < 0 || (high & 0xf800) !== 0xd800) {
      if (high >= 0) this.at += 6;
      return high;
    }
    if ((high & 0x400) !== 0) return -1;
    if (u8[at + 6] !== BACKSLASH || u8[at + 7] !== LETTER_U) return -1;
    const low = hex4(u8, at + 8);
    if (low < 0 || (low & 0xfc00) !== 0xdc00) return -1;
    this.at += 12;
    return (((high & 0x3ff) << 10) | (low & 0x3ff)) + 0x10000;
  }
}

/** Could the byte go on with a number of which the digits before it are only the beginning? */
function continuesNumber(byte: number): boolean {
  const letter = byte | 0x20;
  return byte === 0x2e || letter === 0x65 || letter === 0x78;
}

/** May the byte stand in anything that strtod reads? */
function isNumberByte(byte: number): boolean {
  if (byte >= ZERO && byte <= NINE) return true;
  const letter = byte | 0x20;
  if (letter >= 0x61 && letter <= 0x7a) return true;
  return byte === 0x2e || byte === MINUS || byte === PLUS || byte === 0x28 || byte === 0x29;
}

function hex4(u8: Uint8Array, at: number): number {
  let value = 0;
  for (let index = 0; index < 4; index++) {
    const byte = u8[at + index]!;
    const letter = byte | 0x20;
    if (byte >= ZERO && byte <= NINE) value = value * 16 + byte - ZERO;
    else if (letter >= 0x61 && letter <= 0x66) value = value * 16 + letter - 0x61 + 10;
    else return -1;
  }
  return value;
}

function putUtf8(to: Uint8Array, at: number, code: number): number {
  if (code < 0x80) {
    to[at] = code;
    return at + 1;
  }
  const bytes = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  for (let index = bytes - 1; index > 0; index--) {
    to[at + index] = 0x80 | (code & 0x3f);
    code >>= 6;
  }
  to[at] = ((0xf00 >> bytes) & 0xff) | code;
  return at + bytes;
}
