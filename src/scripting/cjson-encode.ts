// cjson.encode: a value of Lua becomes JSON.

import type { ByteWriter } from './byte-writer.js';
import { type LuaMachine, type LuaState, LuaType } from './lua-api.js';
import { numberAt, textLength, textStart, topValue, typeAt } from './lua-stack.js';
import { generalText } from './number-text.js';

/** Index of each setting in its userdata. */
export const Setting = {
  Convert: 0,
  Ratio: 1,
  Safe: 2,
  EncodeDepth: 3,
  DecodeDepth: 4,
  EncodeInvalid: 5,
  DecodeInvalid: 6,
  Precision: 7,
  KeepBuffer: 8,
} as const;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const VALUE_BYTES = 16;
const INT_MAX = 0x7fffffff;
const INT_MIN = -0x80000000;
/** An \u00XX escape. */
const ESCAPE_BYTES_MAX = 6;

/** Escape of each byte; 1 for those that stand for themselves. */
const ESCAPES: readonly (string | 1)[] = Array.from({ length: 256 }, (_, byte) => escapeOf(byte));

function escapeOf(byte: number): string | 1 {
  const short = { 8: '\\b', 9: '\\t', 10: '\\n', 12: '\\f', 13: '\\r' }[byte];
  if (short !== undefined) return short;
  if (byte < 0x20 || byte === 0x7f) return `\\u00${byte.toString(16).padStart(2, '0')}`;
  const char = String.fromCharCode(byte);
  return char === '"' || char === '/' || char === '\\' ? `\\${char}` : 1;
}

const TYPE_NAMES: Readonly<Record<number, string>> = {
  [LuaType.Nil]: 'nil',
  [LuaType.Boolean]: 'boolean',
  [LuaType.LightUserdata]: 'userdata',
  [LuaType.Number]: 'number',
  [LuaType.String]: 'string',
  [LuaType.Table]: 'table',
  [LuaType.Function]: 'function',
  [LuaType.Userdata]: 'userdata',
  [LuaType.Thread]: 'thread',
};

interface Encoding {
  readonly lua: LuaMachine;
  readonly state: LuaState;
  readonly writer: ByteWriter;
  /** Index in i32 of the settings. */
  readonly settings: number;
}

/** Writes the value on top of the stack, which stays there. */
export function encodeValue(
  lua: LuaMachine,
  state: LuaState,
  writer: ByteWriter,
  settings: number,
): void {
  encode({ lua, state, writer, settings }, 0);
}

function encode(encoding: Encoding, depth: number): void {
  const { lua, state, writer } = encoding;
  const value = topValue(lua, state);
  const type = typeAt(lua, value);
  if (type === LuaType.String) encodeString(lua, writer, value);
  else if (type === LuaType.Number) encodeNumber(encoding, value);
  else if (type === LuaType.Table) encodeTable(encoding, depth + 1);
  else if (type === LuaType.Boolean) {
    writer.text(lua.raw.lua_toboolean(state, -1) === 0 ? 'false' : 'true');
  } else if (type === LuaType.Nil || isNull(lua, state, type)) writer.text('null');
  else refuse(encoding, type, 'type not supported');
}

/** cjson.null is the light userdata with address 0. */
function isNull(lua: LuaMachine, state: LuaState, type: number): boolean {
  return type === LuaType.LightUserdata && lua.raw.lua_touserdata(state, -1) === 0;
}

function encodeString(lua: LuaMachine, writer: ByteWriter, value: number): void {
  const start = textStart(lua, value);
  const end = start + textLength(lua, value);
  let at = writer.grow((end - start) * ESCAPE_BYTES_MAX + 2);
  const from = lua.u8;
  const to = writer.u8;
  to[at++] = QUOTE;
  for (let index = start; index < end; index++) {
    const byte = from[index]!;
    const escaped = ESCAPES[byte]!;
    if (escaped === 1) to[at++] = byte;
    else for (let i = 0; i < escaped.length; i++) to[at++] = escaped.charCodeAt(i);
  }
  to[at++] = QUOTE;
  writer.length = at;
}

function encodeNumber(encoding: Encoding, value: number): void {
  const { lua, writer, settings } = encoding;
  const number = numberAt(lua, value);
  if (!Number.isFinite(number)) {
    const invalid = lua.i32[settings + Setting.EncodeInvalid]!;
    if (invalid === 0) refuse(encoding, LuaType.Number, 'must not be NaN or Inf');
    writer.text(invalid === 1 ? generalText(number, 14) : 'null');
    return;
  }
  const precision = lua.i32[settings + Setting.Precision]!;
  const isShort = Number.isInteger(number) && Math.abs(number) < 10 ** precision;
  if (isShort && !Object.is(number, -0)) writer.text(String(number));
  else writer.text(generalText(number, precision));
}

function encodeTable(encoding: Encoding, depth: number): void {
  const { lua, state, settings } = encoding;
  const { raw } = lua;
  const maxDepth = lua.i32[settings + Setting.EncodeDepth]!;
  if (depth > maxDepth || raw.lua_checkstack(state, 3) === 0) {
    lua.fail(state, `Cannot serialise, excessive nesting (${depth})`);
  }
  const length = listLength(encoding);
  if (length > 0) encodeList(encoding, depth, length);
  else encodeObject(encoding, depth);
}

/** The largest index of a table that has nothing else than indexes; −1 of an object. */
function listLength(encoding: Encoding): number {
  const { lua, state, settings } = encoding;
  const { raw } = lua;
  let max = 0;
  let items = 0;
  raw.lua_pushnil(state);
  while (raw.lua_next(state, -2) !== 0) {
    const key = topValue(lua, state) - VALUE_BYTES;
    const number = typeAt(lua, key) === LuaType.Number ? numberAt(lua, key) : 0;
    if (number < 1 || Math.floor(number) !== number) {
      raw.lua_settop(state, -3);
      return -1;
    }
    // The original keeps an int: what is too large for one makes the table an object.
    if (number > max) max = number > INT_MAX ? INT_MIN : number;
    items++;
    raw.lua_settop(state, -2);
  }
  const ratio = lua.i32[settings + Setting.Ratio]!;
  if (ratio > 0 && max > items * ratio && max > lua.i32[settings + Setting.Safe]!) {
    if (lua.i32[settings + Setting.Convert] === 0) {
      refuse(encoding, LuaType.Table, 'excessively sparse array');
    }
    return -1;
  }
  return max;
}

function encodeList(encoding: Encoding, depth: number, length: number): void {
  const { lua, state, writer } = encoding;
  const { raw } = lua;
  writer.text('[');
  for (let index = 1; index <= length; index++) {
    if (index > 1) writer.byte(COMMA);
    raw.lua_rawgeti(state, -1, index);
    encode(encoding, depth);
    raw.lua_settop(state, -2);
  }
  writer.text(']');
}

function encodeObject(encoding: Encoding, depth: number): void {
  const { lua, state, writer } = encoding;
  const { raw } = lua;
  writer.text('{');
  let isFirst = true;
  raw.lua_pushnil(state);
  while (raw.lua_next(state, -2) !== 0) {
    if (!isFirst) writer.byte(COMMA);
    isFirst = false;
    encodeKey(encoding, topValue(lua, state) - VALUE_BYTES);
    writer.byte(COLON);
    encode(encoding, depth);
    raw.lua_settop(state, -2);
  }
  writer.text('}');
}

function encodeKey(encoding: Encoding, key: number): void {
  const { lua, writer } = encoding;
  const type = typeAt(lua, key);
  if (type === LuaType.String) encodeString(lua, writer, key);
  else if (type === LuaType.Number) {
    writer.byte(QUOTE);
    encodeNumber(encoding, key);
    writer.byte(QUOTE);
  } else refuse(encoding, type, 'table key must be a number or string');
}

function refuse({ lua, state }: Encoding, type: number, reason: string): never {
  return lua.fail(state, `Cannot serialise ${TYPE_NAMES[type]}: ${reason}`);
}
