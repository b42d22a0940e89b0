// cjson, the JSON library of scripts: what lua-cjson 2.1 gives scripts of Redis, its limits and
// sentences included. Its settings lie in a userdata that all functions of one `cjson.new()` share:
//
//   convert · ratio · safe · encodeDepth · decodeDepth · encodeInvalid · decodeInvalid ·
//   precision · keepBuffer                                                  an int32 each

import { ByteWriter } from './byte-writer.js';
import { decodeText } from './cjson-decode.js';
import { encodeValue, Setting } from './cjson-encode.js';
import { GLOBALS, type LuaMachine, type LuaState, LuaType, upvalue } from './lua-api.js';

const INT_MAX = 0x7fffffff;

const DEFAULTS: readonly number[] = [0, 2, 10, 1000, 1000, 0, 1, 14, 1];

const OFF_ON = ['off', 'on'];
const OFF_ON_NULL = ['off', 'on', 'null'];

/** Makes the global `cjson`. */
export function openCjson(lua: LuaMachine): void {
  new Cjson(lua).push(lua.main);
  lua.setField(lua.main, GLOBALS, 'cjson');
}

class Cjson {
  private readonly writer = new ByteWriter();
  private readonly functions: readonly (readonly [string, (state: LuaState) => number])[];

  constructor(private readonly lua: LuaMachine) {
    this.functions = [
      ['encode', (state) => this.encode(state)],
      ['decode', (state) => this.decode(state)],
      ['encode_sparse_array', (state) => this.setSparse(state)],
      ['encode_max_depth', (state) => this.setOne(state, Setting.EncodeDepth, 1, INT_MAX)],
      ['decode_max_depth', (state) => this.setOne(state, Setting.DecodeDepth, 1, INT_MAX)],
      ['encode_number_precision', (state) => this.setOne(state, Setting.Precision, 1, 14)],
      ['encode_keep_buffer', (state) => this.setChoice(state, Setting.KeepBuffer, OFF_ON)],
      [
        'encode_invalid_numbers',
        (state) => this.setChoice(state, Setting.EncodeInvalid, OFF_ON_NULL),
      ],
      ['decode_invalid_numbers', (state) => this.setChoice(state, Setting.DecodeInvalid, OFF_ON)],
      ['new', (state) => this.push(state)],
    ];
  }

  /** Pushes a module table with settings of its own. */
  push(state: LuaState): number {
    const { lua } = this;
    const { raw } = lua;
    raw.lua_createtable(state, 0, 16);
    const settings = raw.lua_newuserdata(state, DEFAULTS.length * 4);
    lua.i32.set(DEFAULTS, settings >> 2);
    for (const [name, run] of this.functions) {
      raw.lua_pushvalue(state, -1);
      lua.pushFunction(state, run, 1);
      lua.setField(state, -3, name);
    }
    raw.lua_settop(state, -2);
    raw.lua_pushlightuserdata(state, 0);
    lua.setField(state, -2, 'null');
    lua.pushText(state, 'cjson');
    lua.setField(state, -2, '_NAME');
    lua.pushText(state, '2.1.0');
    lua.setField(state, -2, '_VERSION');
    return 1;
  }

  private encode(state: LuaState): number {
    const { lua, writer } = this;
    this.expectOne(state);
    writer.clear();
    encodeValue(lua, state, writer, this.settings(state));
    lua.pushBytes(state, writer.u8, 0, writer.length);
    return 1;
  }

  private decode(state: LuaState): number {
    const { lua } = this;
    this.expectOne(state);
    const settings = this.settings(state);
    const maxDepth = lua.i32[settings + Setting.DecodeDepth]!;
    const takesInvalid = lua.i32[settings + Setting.DecodeInvalid]! !== 0;
    decodeText(lua, state, maxDepth, takesInvalid);
    return 1;
  }

  private expectOne(state: LuaState): void {
    const { lua } = this;
    if (lua.raw.lua_gettop(state) !== 1) lua.failArgument(state, 1, 'expected 1 argument');
  }

  /** Index in i32 of the settings of the function that runs. */
  private settings(state: LuaState): number {
    return this.lua.raw.lua_touserdata(state, upvalue(1)) >> 2;
  }

  /** At most `count` arguments; those that are missing become nil. */
  private takeArguments(state: LuaState, count: number): number {
    const { lua } = this;
    if (lua.raw.lua_gettop(state) > count) {
      lua.failArgument(state, count + 1, 'found too many arguments');
    }
    lua.raw.lua_settop(state, count);
    return this.settings(state);
  }

  private setSparse(state: LuaState): number {
    const settings = this.takeArguments(state, 3);
    this.choice(state, 1, settings + Setting.Convert, OFF_ON);
    this.integer(state, 2, settings + Setting.Ratio, 0, INT_MAX);
    this.integer(state, 3, settings + Setting.Safe, 0, INT_MAX);
    return 3;
  }

  private setOne(state: LuaState, setting: number, min: number, max: number): number {
    this.integer(state, 1, this.takeArguments(state, 1) + setting, min, max);
    return 1;
  }

  private setChoice(state: LuaState, setting: number, names: readonly string[]): number {
    this.choice(state, 1, this.takeArguments(state, 1) + setting, names);
    return 1;
  }

  private integer(state: LuaState, argument: number, at: number, min: number, max: number): void {
    const { lua } = this;
    const { raw } = lua;
    if (raw.lua_type(state, argument) !== LuaType.Nil) {
      const value = raw.luaL_checkinteger(state, argument);
      // Argument 1 whichever it is: so does the original.
      if (value < min || value > max) {
        lua.failArgument(state, 1, `expected integer between ${min} and ${max}`);
      }
      lua.i32[at] = value;
    }
    raw.lua_pushnumber(state, lua.i32[at]!);
  }

  private choice(state: LuaState, argument: number, at: number, names: readonly string[]): void {
    const { lua } = this;
    const { raw } = lua;
    const type = raw.lua_type(state, argument);
    if (type === LuaType.Boolean) lua.i32[at] = raw.lua_toboolean(state, argument);
    else if (type !== LuaType.Nil) {
      lua.checkString(state, argument);
      const name = lua.textAt(state, argument);
      const index = names.indexOf(name);
      if (index === -1) lua.failArgument(state, argument, `invalid option '${name}'`);
      lua.i32[at] = index;
    }
    const value = lua.i32[at]!;
    if (value < 2) raw.lua_pushboolean(state, value);
    else lua.pushText(state, names[value]!);
  }
}
