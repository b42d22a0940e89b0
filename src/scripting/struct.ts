// struct, the library of scripts that packs values into strings as C lays structs out: Roberto
// Ierusalimschy's, with the sizes of a 64-bit machine.
//
//   > < big, little endian · ! or !n alignment · x a zero byte · b/B 1 · h/H 2 · i/I 4 or in/In n ·
//   l/L 8 · T 8 bytes · f float · d double · cn n bytes, c0 all · s string and a zero

import { ByteWriter } from './byte-writer.js';
import { GLOBALS, type LuaMachine, type LuaState, LuaType } from './lua-api.js';

const INT_BYTES = 4;
const INTEGER_BYTES_MAX = 32;
const WORD_BYTES = 8;
const ALIGNMENT_MAX = 8;
const INT_MAX = 0x7fffffff;

const SIZES: Readonly<Record<string, number>> = {
  ...{ b: 1, B: 1, h: 2, H: 2, l: 8, L: 8, T: 8, f: 4, d: 8, x: 1 },
};
const INTEGERS = 'bBhHlLTiI';

/** Reads a format, an option at a time. */
class Format {
  isLittle = true;
  option = '';
  /** Bytes of the option, as its letter and number say. */
  size = 0;
  private alignment = 1;
  private at = 0;

  constructor(
    private readonly lua: LuaMachine,
    private readonly state: LuaState,
    private readonly text: string,
  ) {}

  next(): boolean {
    if (this.at >= this.text.length) return false;
    this.option = this.text[this.at++]!;
    this.size = this.sizeOf(this.option);
    return true;
  }

  private sizeOf(option: string): number {
    if (option === 'c') return this.number(1);
    if (option !== 'i' && option !== 'I') return SIZES[option] ?? 0;
    const size = this.number(INT_BYTES);
    if (size > INTEGER_BYTES_MAX) {
      const limit = `is larger than limit of ${INTEGER_BYTES_MAX}`;
      this.lua.fail(this.state, `integral size ${size} ${limit}`);
    }
    return size;
  }

  private number(otherwise: number): number {
    const { text } = this;
    if (!isDigit(text[this.at])) return otherwise;
    let value = 0;
    while (isDigit(text[this.at])) {
      value = value * 10 + Number(text[this.at++]);
      if (value > INT_MAX) this.lua.fail(this.state, 'integral size overflow');
    }
    return value;
  }

  /** Bytes to skip before the option when `position` bytes are before it. */
  padding(position: number): number {
    if (this.size === 0 || this.option === 'c') return 0;
    const size = Math.min(this.size, this.alignment);
    return (size - (position & (size - 1))) & (size - 1);
  }

  /** An option that is no value. */
  control(): void {
    const { option, lua, state } = this;
    if (option === ' ') return;
    if (option === '>' || option === '<') this.isLittle = option === '<';
    else if (option === '!') {
      const alignment = this.number(ALIGNMENT_MAX);
      if (alignment <= 0 || (alignment & (alignment - 1)) !== 0) {
        lua.fail(state, `alignment ${alignment} is not a power of 2`);
      }
      this.alignment = alignment;
    } else lua.failArgument(state, 1, `invalid format option '${option}'`);
  }
}

/** Makes the global `struct`. */
export function openStruct(lua: LuaMachine): void {
  const { raw, main } = lua;
  const writer = new ByteWriter();
  raw.lua_createtable(main, 0, 4);
  lua.setFunction(main, -1, 'pack', (state) => pack(lua, state, writer));
  lua.setFunction(main, -1, 'unpack', (state) => unpack(lua, state));
  lua.setFunction(main, -1, 'size', (state) => sizeOfFormat(lua, state));
  lua.setField(main, GLOBALS, 'struct');
}

function formatOf(lua: LuaMachine, state: LuaState): Format {
  const address = lua.checkString(state, 1);
  const text = lua.textOf(address, lua.stringLength);
  const end = text.indexOf('\0');
  return new Format(lua, state, end === -1 ? text : text.slice(0, end));
}

function pack(lua: LuaMachine, state: LuaState, writer: ByteWriter): number {
  const { raw } = lua;
  const format = formatOf(lua, state);
  // As the original does: a first argument that is missing is told as nil.
  raw.lua_pushnil(state);
  writer.clear();
  let argument = 2;
  while (format.next()) {
    const { option, size } = format;
    for (let left = format.padding(writer.length); left > 0; left--) writer.byte(0);
    if (INTEGERS.includes(option)) {
      putInteger(writer, raw.luaL_checknumber(state, argument++), size, format.isLittle);
    } else if (option === 'f' || option === 'd') {
      const value = raw.luaL_checknumber(state, argument++);
      const at = writer.grow(size);
      if (option === 'f') writer.view.setFloat32(at, value, format.isLittle);
      else writer.view.setFloat64(at, value, format.isLittle);
    } else if (option === 'c' || option === 's') {
      packString(lua, state, writer, format, argument++);
    } else if (option === 'x') writer.byte(0);
    else format.control();
  }
  lua.pushBytes(state, writer.u8, 0, writer.length);
  return 1;
}

function packString(
  lua: LuaMachine,
  state: LuaState,
  writer: ByteWriter,
  { option, size }: Format,
  argument: number,
): void {
  const address = lua.checkString(state, argument);
  const length = lua.stringLength;
  const bytes = size === 0 ? length : size;
  // The number of the argument behind it: so does the original.
  if (length < bytes) lua.failArgument(state, argument + 1, 'string too short');
  writer.bytes(lua.u8, address, bytes);
  if (option === 's') writer.byte(0);
}

function putInteger(writer: ByteWriter, value: number, size: number, isLittle: boolean): void {
  const at = writer.grow(size);
  const { u8 } = writer;
  let bits = bitsOf(value);
  for (let index = 0; index < size; index++) {
    u8[isLittle ? at + index : at + size - 1 - index] = Number(bits & 0xffn);
    bits >>= 8n;
  }
}

/** A number as the 64 bits that C's conversions make of it on x86-64. */
function bitsOf(value: number): bigint {
  if (Number.isNaN(value) || value < -(2 ** 63)) return 1n << 63n;
  return value >= 2 ** 64 ? 0n : BigInt.asUintN(64, BigInt(Math.trunc(value)));
}

function unpack(lua: LuaMachine, state: LuaState): number {
  const { raw } = lua;
  const format = formatOf(lua, state);
  const address = lua.checkString(state, 2);
  const length = lua.stringLength;
  const isGiven = raw.lua_type(state, 3) > LuaType.Nil;
  const offset = isGiven ? Math.trunc(raw.luaL_checknumber(state, 3)) : 1;
  if (offset === 0) lua.failArgument(state, 3, 'offset must be 1 or greater');
  let position = offset < 0 ? Number.POSITIVE_INFINITY : offset - 1;
  let count = 0;
  while (format.next()) {
    position += format.padding(position);
    if (!(position + format.size <= length)) tooShort(lua, state);
    raw.luaL_checkstack(state, 2, lua.name('too many results'));
    const { option, size } = format;
    const at = address + position;
    if (INTEGERS.includes(option)) {
      raw.lua_pushnumber(state, integerAt(lua.u8, at, format));
    } else if (option === 'f' || option === 'd') {
      const view = new DataView(lua.u8.buffer, at, size);
      const { isLittle } = format;
      const value = option === 'f' ? view.getFloat32(0, isLittle) : view.getFloat64(0, isLittle);
      raw.lua_pushnumber(state, value);
    } else if (option === 'c') {
      if (size === 0) {
        const bytes = previousSize(lua, state, count, length - position);
        count--;
        raw.lua_pushlstring(state, at, bytes);
        position += bytes;
      } else raw.lua_pushlstring(state, at, size);
    } else if (option === 's') {
      const end = lua.u8.indexOf(0, at);
      if (end >= address + length) lua.fail(state, 'unfinished string in data');
      raw.lua_pushlstring(state, at, end - at);
      position += end - at + 1;
    } else {
      if (option !== 'x') format.control();
      count--;
    }
    count++;
    position += size;
  }
  raw.lua_pushnumber(state, position + 1);
  return count + 1;
}

function tooShort(lua: LuaMachine, state: LuaState): never {
  return lua.failArgument(state, 2, 'data string too short');
}

/** Takes the number that was unpacked last away: it is the length of a string. */
function previousSize(lua: LuaMachine, state: LuaState, count: number, most: number): number {
  const { raw } = lua;
  if (count === 0 || raw.lua_isnumber(state, -1) === 0) {
    lua.fail(state, "format 'c0' needs a previous size");
  }
  const size = Math.trunc(raw.lua_tonumber(state, -1));
  raw.lua_settop(state, -2);
  if (!(size >= 0 && size <= most)) tooShort(lua, state);
  return size;
}

function integerAt(u8: Uint8Array, at: number, { option, size, isLittle }: Format): number {
  let bits = 0n;
  for (let index = 0; index < size; index++) {
    bits = (bits << 8n) | BigInt(u8[isLittle ? at + size - 1 - index : at + index]!);
  }
  bits = BigInt.asUintN(WORD_BYTES * 8, bits);
  if (option !== option.toLowerCase()) return Number(bits);
  const mask = BigInt.asUintN(64, -1n << BigInt((size * 8 - 1) & 63));
  return Number(BigInt.asIntN(64, (bits & mask) === 0n ? bits : bits | mask));
}

function sizeOfFormat(lua: LuaMachine, state: LuaState): number {
  const format = formatOf(lua, state);
  let position = 0;
  while (format.next()) {
    const { option, size } = format;
    position += format.padding(position);
    if (option === 's') lua.failArgument(state, 1, "option 's' has no fixed size");
    if (option === 'c' && size === 0) {
      lua.failArgument(state, 1, "option 'c0' has no fixed size");
    }
    if (!/[0-9A-Za-z]/.test(option)) format.control();
    position += size;
  }
  lua.raw.lua_pushnumber(state, position);
  return 1;
}

function isDigit(char: string | undefined): boolean {
  return char !== undefined && char >= '0' && char <= '9';
}
