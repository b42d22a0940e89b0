// cmsgpack, the MessagePack library of scripts: lua-cmsgpack 0.4.0, which knows the formats before
// binary and extension types came. Numbers that are whole become integers, tables with the indexes
// 1 to n arrays, and tables nested deeper than 16 nil.

import { ByteWriter } from './byte-writer.js';
import { Unpacking } from './cmsgpack-unpack.js';
import { GLOBALS, type LuaMachine, type LuaState, LuaType } from './lua-api.js';
import { numberAt, pushNumber, textLength, textStart, topValue, typeAt } from './lua-stack.js';

const NESTING_MAX = 16;
const INT_MAX = 0x7fffffff;

const enum Format {
  FixMap = 0x80,
  FixArray = 0x90,
  FixString = 0xa0,
  Nil = 0xc0,
  False = 0xc2,
  True = 0xc3,
  Float = 0xca,
  Double = 0xcb,
  Uint8 = 0xcc,
  Uint16 = 0xcd,
  Uint32 = 0xce,
  Uint64 = 0xcf,
  Int8 = 0xd0,
  Int16 = 0xd1,
  Int32 = 0xd2,
  Int64 = 0xd3,
  String8 = 0xd9,
  String16 = 0xda,
  String32 = 0xdb,
  Array16 = 0xdc,
  Map16 = 0xde,
}

/** Makes the global `cmsgpack`. */
export function openCmsgpack(lua: LuaMachine): void {
  const { raw, main } = lua;
  const packer = new Packer(lua);
  raw.lua_createtable(main, 0, 8);
  lua.setFunction(main, -1, 'pack', (state) => packer.run(state));
  lua.setFunction(main, -1, 'unpack', (state) => unpack(lua, state, 0, 0));
  lua.setFunction(main, -1, 'unpack_one', (state) => {
    const offset = optionalInteger(lua, state, 2);
    raw.lua_settop(state, 1);
    return unpack(lua, state, 1, offset);
  });
  lua.setFunction(main, -1, 'unpack_limit', (state) => {
    const limit = raw.luaL_checkinteger(state, 2);
    const offset = optionalInteger(lua, state, 3);
    raw.lua_settop(state, 1);
    return unpack(lua, state, limit, offset);
  });
  const facts = {
    _NAME: 'cmsgpack',
    _VERSION: 'lua-cmsgpack 0.4.0',
    _COPYRIGHT: 'Copyright (C) 2012, Salvatore Sanfilippo',
    _DESCRIPTION: 'MessagePack C implementation for Lua',
  };
  for (const [name, text] of Object.entries(facts)) {
    lua.pushText(main, text);
    lua.setField(main, -2, name);
  }
  lua.setField(main, GLOBALS, 'cmsgpack');
}

function optionalInteger(lua: LuaMachine, state: LuaState, argument: number): number {
  const { raw } = lua;
  return raw.lua_type(state, argument) <= LuaType.Nil ? 0 : raw.luaL_checkinteger(state, argument);
}

/** Unpacks `limit` values from `offset` on, and tells where the next begins; 0 and 0: all. */
function unpack(lua: LuaMachine, state: LuaState, limit: number, offset: number): number {
  const { raw } = lua;
  const isAll = limit === 0 && offset === 0;
  const address = lua.checkString(state, 1);
  const length = lua.stringLength;
  if (offset < 0 || limit < 0) {
    // The length where the limit should stand: so does the original.
    const what = `offset of ${offset} and limit of ${length}`;
    lua.fail(state, `Invalid request to unpack with ${what}.`);
  }
  if (offset > length) {
    lua.fail(state, `Start offset ${offset} greater than input length ${length}.`);
  }
  const unpacking = new Unpacking(lua, state, address, offset, length);
  let count = 0;
  const most = isAll ? INT_MAX : limit;
  for (; !unpacking.isAtEnd && count < most; count++) unpacking.pushValue();
  if (isAll) return count;
  raw.luaL_checkstack(state, 1, lua.name('in function mp_unpack_full'));
  raw.lua_pushnumber(state, unpacking.isAtEnd ? -1 : unpacking.at);
  raw.lua_insert(state, 2);
  return count + 1;
}

class Packer {
  private readonly writer = new ByteWriter();

  constructor(private readonly lua: LuaMachine) {}

  run(state: LuaState): number {
    const { lua, writer } = this;
    const { raw } = lua;
    const count = raw.lua_gettop(state);
    if (count === 0) lua.failArgument(state, 0, 'MessagePack pack needs input.');
    if (raw.lua_checkstack(state, count) === 0) {
      lua.failArgument(state, 0, 'Too many arguments for MessagePack pack.');
    }
    writer.clear();
    for (let index = 1; index <= count; index++) {
      raw.lua_pushvalue(state, index);
      this.pack(state, 0);
    }
    lua.pushBytes(state, writer.u8, 0, writer.length);
    return 1;
  }

  /** Packs the value on top of the stack and takes it away. */
  private pack(state: LuaState, level: number): void {
    const { lua, writer } = this;
    const { raw } = lua;
    const value = topValue(lua, state);
    const type = typeAt(lua, value);
    if (type === LuaType.String) this.packString(value);
    else if (type === LuaType.Number) this.packNumber(numberAt(lua, value));
    else if (type === LuaType.Table && level !== NESTING_MAX) this.packTable(state, level);
    else if (type === LuaType.Boolean) {
      writer.byte(raw.lua_toboolean(state, -1) === 0 ? Format.False : Format.True);
    } else writer.byte(Format.Nil);
    raw.lua_settop(state, -2);
  }

  private packString(value: number): void {
    const { lua, writer } = this;
    const length = textLength(lua, value);
    if (length < 32) writer.byte(Format.FixString | length);
    else if (length <= 0xff) this.mark(Format.String8, length, 1);
    else if (length <= 0xffff) this.mark(Format.String16, length, 2);
    else this.mark(Format.String32, length, 4);
    writer.bytes(lua.u8, textStart(lua, value), length);
  }

  /** A mark and `bytes` bytes of a number behind it, the highest first. */
  private mark(mark: number, value: number, bytes: number): void {
    const { writer } = this;
    writer.byte(mark);
    const at = writer.grow(bytes);
    if (bytes === 1) writer.view.setUint8(at, value);
    else if (bytes === 2) writer.view.setUint16(at, value);
    else if (bytes === 4) writer.view.setUint32(at, value);
    else writer.view.setBigInt64(at, BigInt(value));
  }

  private packNumber(value: number): void {
    // Doubles from 2^63 on have no int64.
    if (!Number.isInteger(value) || value >= 2 ** 63 || value < -(2 ** 63)) {
      this.packDouble(value);
    } else if (value >= 0) this.packPositive(value);
    else if (value >= -32) this.writer.byte(value & 0xff);
    else if (value >= -0x80) this.mark(Format.Int8, value & 0xff, 1);
    else if (value >= -0x8000) this.mark(Format.Int16, value & 0xffff, 2);
    else if (value >= -0x80000000) this.mark(Format.Int32, value >>> 0, 4);
    else this.mark(Format.Int64, value, 8);
  }

  private packPositive(value: number): void {
    if (value <= 0x7f) this.writer.byte(value);
    else if (value <= 0xff) this.mark(Format.Uint8, value, 1);
    else if (value <= 0xffff) this.mark(Format.Uint16, value, 2);
    else if (value <= 0xffffffff) this.mark(Format.Uint32, value, 4);
    else this.mark(Format.Uint64, value, 8);
  }

  private packDouble(value: number): void {
    const { writer } = this;
    const isFloat = Math.fround(value) === value;
    writer.byte(isFloat ? Format.Float : Format.Double);
    const at = writer.grow(isFloat ? 4 : 8);
    if (isFloat) writer.view.setFloat32(at, value);
    else writer.view.setFloat64(at, value);
  }

  private packTable(state: LuaState, level: number): void {
    const { lua } = this;
    const { raw } = lua;
    raw.luaL_checkstack(state, 4, lua.name('in function mp_encode_lua_table'));
    const length = this.listLength(state);
    if (length >= 0) {
      this.packHead(Format.FixArray, Format.Array16, length);
      for (let index = 1; index <= length; index++) {
        pushNumber(lua, state, index);
        raw.lua_gettable(state, -2);
        this.pack(state, level + 1);
      }
      return;
    }
    this.packHead(Format.FixMap, Format.Map16, this.fieldCount(state));
    raw.lua_pushnil(state);
    while (raw.lua_next(state, -2) !== 0) {
      raw.lua_pushvalue(state, -2);
      this.pack(state, level + 1);
      this.pack(state, level + 1);
    }
  }

  private packHead(fix: number, head16: number, count: number): void {
    if (count <= 15) this.writer.byte(fix | count);
    else if (count <= 0xffff) this.mark(head16, count, 2);
    else this.mark(head16 + 1, count, 4);
  }

  /** The length of a table whose keys are 1 to n; −1 of any other. */
  private listLength(state: LuaState): number {
    const { lua } = this;
    const { raw } = lua;
    let count = 0;
    let max = 0;
    raw.lua_pushnil(state);
    while (raw.lua_next(state, -2) !== 0) {
      raw.lua_settop(state, -2);
      const key = topValue(lua, state);
      const number = typeAt(lua, key) === LuaType.Number ? numberAt(lua, key) : 0;
      if (!(number >= 1 && number <= INT_MAX && Number.isInteger(number))) {
        raw.lua_settop(state, -2);
        return -1;
      }
      if (number > max) max = number;
      count++;
    }
    return max === count ? raw.lua_objlen(state, -1) : -1;
  }

  private fieldCount(state: LuaState): number {
    const { raw } = this.lua;
    let count = 0;
    raw.lua_pushnil(state);
    while (raw.lua_next(state, -2) !== 0) {
      raw.lua_settop(state, -2);
      count++;
    }
    return count;
  }
}
