// The world of a script: the libraries of Lua 5.1 that Redis gives, without what reaches outside
// (files, processes, print, compiled code), all of it read-only, and unknown globals refused.
//
//   openSandbox   libraries and replacements; the owner adds its own globals then
//   sealSandbox   takes `debug` away and locks every table that can be reached

import { openBit } from './bit.js';
import { openCjson } from './cjson.js';
import { openCmsgpack } from './cmsgpack.js';
import { GLOBALS, type LuaMachine, type LuaState, LuaType } from './lua-api.js';
import { replaceNumberFunctions } from './number-functions.js';
import { openStruct } from './struct.js';

const ESCAPE = 0x1b;

/** Opens the libraries. `debug` is there until the sandbox is sealed. */
export function openSandbox(lua: LuaMachine): void {
  const { raw, main } = lua;
  for (const name of ['base', 'table', 'string', 'math', 'debug'] as const) {
    raw[`luaopen_${name}`](main);
    raw.lua_settop(main, 0);
  }
  openBit(lua);
  openCjson(lua);
  openCmsgpack(lua);
  openStruct(lua);
  for (const name of ['print', 'dofile', 'loadfile']) {
    raw.lua_pushnil(main);
    lua.setField(main, GLOBALS, name);
  }
  lua.setFunction(main, GLOBALS, 'pcall', (state) => protectedCall(lua, state));
  replaceLoading(lua);
  replaceSetmetatable(lua);
  replaceSetfenv(lua);
  replaceNumberFunctions(lua);
}

/** Locks the sandbox; nothing is on the stack before and after. */
export function sealSandbox(lua: LuaMachine): void {
  const { raw, main } = lua;
  raw.lua_pushnil(main);
  lua.setField(main, GLOBALS, 'debug');
  raw.lua_pushvalue(main, GLOBALS);
  setErrorMetatable(lua);
  protectRecursively(lua);
  // Strings share a metatable, by which one script could change the strings of all others.
  lua.pushText(main, '');
  if (raw.lua_getmetatable(main, -1) !== 0) lua.setReadOnly(main, -1, true);
  const above = raw.lua_type(main, -1) === LuaType.Table ? 3 : 2;
  raw.lua_settop(main, -above - 1);
}

/** Gives the table on top of the stack a metatable that refuses fields that it does not have. */
export function setErrorMetatable(lua: LuaMachine): void {
  const { raw, main } = lua;
  raw.lua_createtable(main, 0, 1);
  lua.setFunction(main, -1, '__index', (state) => refuseUnknown(lua, state));
  raw.lua_setmetatable(main, -2);
}

function refuseUnknown(lua: LuaMachine, state: LuaState): number {
  const { raw } = lua;
  if (raw.lua_gettop(state) !== 2) {
    lua.fail(state, 'Wrong number of arguments to luaProtectedTableError');
  }
  if (raw.lua_isstring(state, -1) === 0) {
    lua.fail(state, 'Second argument to luaProtectedTableError must be a string or number');
  }
  const name = lua.textAt(state, -1).split('\0', 1)[0];
  return lua.fail(state, `Script attempted to access nonexistent global variable '${name}'`);
}

/** Makes the table on top of the stack read-only, and all that can be reached from it. */
export function protectRecursively(lua: LuaMachine): void {
  const { raw, main } = lua;
  if (lua.isReadOnly(main, -1)) return;
  lua.setReadOnly(main, -1, true);
  raw.lua_checkstack(main, 4);
  raw.lua_pushnil(main);
  while (raw.lua_next(main, -2) !== 0) {
    if (raw.lua_type(main, -1) === LuaType.Table) protectRecursively(lua);
    raw.lua_settop(main, -2);
  }
  if (raw.lua_getmetatable(main, -1) === 0) return;
  protectRecursively(lua);
  raw.lua_settop(main, -2);
}

/** pcall as Redis has it: of an error that is a table with a text `err`, that text is given. */
function protectedCall(lua: LuaMachine, state: LuaState): number {
  const { raw } = lua;
  const count = raw.lua_gettop(state);
  if (count === 0) lua.failArgument(state, 1, 'value expected');
  raw.lua_pushboolean(state, 1);
  raw.lua_insert(state, 1);
  if (raw.lua_pcall(state, count - 1, -1, 0) === 0) return raw.lua_gettop(state);
  raw.lua_remove(state, 1);
  if (raw.lua_type(state, -1) === LuaType.Table) {
    lua.getField(state, -1, 'err');
    if (raw.lua_isstring(state, -1) !== 0) raw.lua_replace(state, -2);
  }
  raw.lua_pushboolean(state, 0);
  raw.lua_insert(state, 1);
  return raw.lua_gettop(state);
}

/** The slot of the C function that is the global `name`. */
function slotOfGlobal(lua: LuaMachine, name: string): number {
  const { raw, main } = lua;
  lua.getField(main, GLOBALS, name);
  const slot = raw.lua_tocfunction(main, -1);
  raw.lua_settop(main, -2);
  return slot;
}

/**
 * load and loadstring without compiled code, which nothing verifies. A space in front makes source
 * text of it, and the parser's complaint is the one that it has for such a byte.
 */
function replaceLoading(lua: LuaMachine): void {
  const { raw, main } = lua;
  const loadstring = slotOfGlobal(lua, 'loadstring');
  lua.setFunction(main, GLOBALS, 'loadstring', (state) => {
    const address = lua.checkString(state, 1);
    if (lua.u8[address] !== ESCAPE) return lua.callSlot(loadstring, state);
    const source = lua.bytesAt(state, 1);
    raw.lua_settop(state, 2);
    // Without a name of its own a chunk is called by its text, which is now another one.
    if (raw.lua_type(state, 2) === LuaType.Nil) {
      raw.lua_pushvalue(state, 1);
      raw.lua_replace(state, 2);
    }
    lua.pushBytes(state, Buffer.concat([Buffer.from(' '), source]), 0, source.length + 1);
    raw.lua_replace(state, 1);
    return lua.callSlot(loadstring, state);
  });
  const load = slotOfGlobal(lua, 'load');
  const readPiece = (state: LuaState): number => readSource(lua, state);
  lua.setFunction(main, GLOBALS, 'load', (state) => {
    if (raw.lua_type(state, 1) === LuaType.Function) {
      raw.lua_pushvalue(state, 1);
      raw.lua_pushboolean(state, 0);
      lua.pushFunction(state, readPiece, 2);
      raw.lua_replace(state, 1);
    }
    return lua.callSlot(load, state);
  });
}

/** Reads a piece of source through upvalue 1; upvalue 2: has one that is not empty come? */
function readSource(lua: LuaMachine, state: LuaState): number {
  const { raw } = lua;
  raw.lua_pushvalue(state, GLOBALS - 1);
  raw.lua_call(state, 0, 1);
  const isFirst = raw.lua_toboolean(state, GLOBALS - 2) === 0;
  if (!isFirst || raw.lua_type(state, -1) !== LuaType.String) return 1;
  if (raw.lua_objlen(state, -1) === 0) return 1;
  raw.lua_pushboolean(state, 1);
  raw.lua_replace(state, GLOBALS - 2);
  if (lua.u8[lua.stringAt(state, -1)] !== ESCAPE) return 1;
  lua.pushText(state, ' ');
  raw.lua_insert(state, -2);
  raw.lua_concat(state, 2);
  return 1;
}

/** Lua checks writes to a read-only table; that its metatable stays is checked here. */
function replaceSetmetatable(lua: LuaMachine): void {
  const setmetatable = slotOfGlobal(lua, 'setmetatable');
  lua.setFunction(lua.main, GLOBALS, 'setmetatable', (state) => {
    if (lua.isReadOnly(state, 1)) lua.failReadOnly(state);
    return lua.callSlot(setmetatable, state);
  });
}

/** setfenv(0, …) would give every script after this one other globals. */
function replaceSetfenv(lua: LuaMachine): void {
  const { raw } = lua;
  const setfenv = slotOfGlobal(lua, 'setfenv');
  lua.setFunction(lua.main, GLOBALS, 'setfenv', (state) => {
    const isThread =
      raw.lua_isnumber(state, 1) !== 0 && Math.trunc(raw.lua_tonumber(state, 1)) === 0;
    if (isThread) lua.fail(state, "'setfenv' cannot change environment of given object");
    return lua.callSlot(setfenv, state);
  });
}
