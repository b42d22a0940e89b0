// bit, the library of bit operations of scripts: those of LuaBitOp, on 32 bits with a sign.

import { GLOBALS, type LuaFunction, type LuaMachine, type LuaState, LuaType } from './lua-api.js';
import { argumentAt, argumentCount, numberAt, pushNumber, typeAt } from './lua-stack.js';

/** 2^52 + 2^51: a sum with it has the number, rounded, in the low bits of its mantissa. */
const ROUNDING = 6_755_399_441_055_744;
const double = new Float64Array(1);
const words = new Int32Array(double.buffer);

type Fold = (bits: number, more: number) => number;

const FOLDS: Readonly<Record<string, Fold>> = {
  band: (bits, more) => bits & more,
  bor: (bits, more) => bits | more,
  bxor: (bits, more) => bits ^ more,
};

const SHIFTS: Readonly<Record<string, Fold>> = {
  lshift: (bits, count) => bits << count,
  rshift: (bits, count) => (bits >>> count) | 0,
  arshift: (bits, count) => bits >> count,
  rol: (bits, count) => (bits << count) | (bits >>> (32 - count)),
  ror: (bits, count) => (bits << (32 - count)) | (bits >>> count),
};

/** Makes the global `bit`. */
export function openBit(lua: LuaMachine): void {
  const { raw, main } = lua;
  raw.lua_createtable(main, 0, 16);
  lua.setFunction(main, -1, 'tobit', (state) => give(lua, state, bitsOf(lua, state, 1)));
  lua.setFunction(main, -1, 'bnot', (state) => give(lua, state, ~bitsOf(lua, state, 1)));
  lua.setFunction(main, -1, 'bswap', (state) => give(lua, state, swapped(bitsOf(lua, state, 1))));
  lua.setFunction(main, -1, 'tohex', (state) => tohex(lua, state));
  for (const [name, fold] of Object.entries(FOLDS)) {
    lua.setFunction(main, -1, name, foldOf(lua, fold));
  }
  for (const [name, shift] of Object.entries(SHIFTS)) {
    lua.setFunction(main, -1, name, shiftOf(lua, shift));
  }
  lua.setField(main, GLOBALS, 'bit');
}

function foldOf(lua: LuaMachine, fold: Fold): LuaFunction {
  return (state) => {
    let bits = bitsOf(lua, state, 1);
    // From the last to the second: which argument an error names depends on it.
    for (let index = argumentCount(lua, state); index > 1; index--) {
      bits = fold(bits, bitsOf(lua, state, index));
    }
    return give(lua, state, bits);
  };
}

function shiftOf(lua: LuaMachine, shift: Fold): LuaFunction {
  return (state) => {
    const bits = bitsOf(lua, state, 1);
    return give(lua, state, shift(bits, bitsOf(lua, state, 2) & 31));
  };
}

function give(lua: LuaMachine, state: LuaState, bits: number): number {
  pushNumber(lua, state, bits | 0);
  return 1;
}

/** The low 32 bits of argument `index`, rounded to a whole number. */
function bitsOf(lua: LuaMachine, state: LuaState, index: number): number {
  const { raw } = lua;
  if (argumentCount(lua, state) >= index) {
    const value = argumentAt(lua, state, index);
    if (typeAt(lua, value) === LuaType.Number) {
      double[0] = numberAt(lua, value) + ROUNDING;
      return words[0]!;
    }
  }
  if (raw.lua_isnumber(state, index) === 0) raw.luaL_typerror(state, index, lua.name('number'));
  double[0] = raw.lua_tonumber(state, index) + ROUNDING;
  return words[0]!;
}

function swapped(bits: number): number {
  return (bits >>> 24) | ((bits >> 8) & 0xff00) | ((bits & 0xff00) << 8) | (bits << 24);
}

function tohex(lua: LuaMachine, state: LuaState): number {
  const bits = bitsOf(lua, state, 1);
  const digits = argumentCount(lua, state) < 2 ? 8 : bitsOf(lua, state, 2);
  const count = Math.min(Math.abs(digits), 8);
  const text = (bits >>> 0)
    .toString(16)
    .padStart(8, '0')
    .slice(8 - count);
  lua.pushText(state, digits < 0 ? text.toUpperCase() : text);
  return 1;
}
