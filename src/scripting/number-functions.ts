// Functions of Lua's libraries that the interpreter, whose `long` has 32 bits, would answer
// otherwise than a server of 64 bits: string.format with integers and tonumber with a base.
// And math.random, whose numbers Redis makes by itself (drand48).

import { GLOBALS, type LuaMachine, type LuaState, LuaType } from './lua-api.js';
import { argumentAt, argumentCount, numberAt, typeAt } from './lua-stack.js';

const INT_MAX = 0x7fffffff;
const UINT_MAX = 0xffffffff;
const LONG_BITS = 64;
const LONG_MIN = -(1n << 63n);

export function replaceNumberFunctions(lua: LuaMachine): void {
  replaceFormat(lua);
  replaceTonumber(lua);
  replaceRandom(lua);
}

/** Replaces field `name` of the global table `library`, or a global; gives the slot it had. */
function replace(
  lua: LuaMachine,
  library: string | null,
  name: string,
  make: (slot: number) => (state: LuaState) => number,
): void {
  const { raw, main } = lua;
  if (library === null) raw.lua_pushvalue(main, GLOBALS);
  else lua.getField(main, GLOBALS, library);
  lua.getField(main, -1, name);
  const slot = raw.lua_tocfunction(main, -1);
  raw.lua_settop(main, -2);
  lua.setFunction(main, -1, name, make(slot));
  raw.lua_settop(main, -2);
}

// ---- string.format ----------------------------------------------------------------------------

const DIRECTIVE = /%(?:%|([-+ #0]*)(\d*)(?:\.(\d*))?([a-zA-Z]))/g;
const INTEGER_LETTERS = 'diouxX';

function replaceFormat(lua: LuaMachine): void {
  replace(lua, 'string', 'format', (slot) => (state) => {
    if (hasLargeInteger(lua, state)) writeLargeIntegers(lua, state);
    return lua.callSlot(slot, state);
  });
}

/** Is one of the arguments behind the format a number that 32 bits with a sign do not hold? */
function hasLargeInteger(lua: LuaMachine, state: LuaState): boolean {
  const count = argumentCount(lua, state);
  for (let index = 2; index <= count; index++) {
    const value = argumentAt(lua, state, index);
    const type = typeAt(lua, value);
    // Texts of numbers are numbers too; negative ones matter to %u and %x.
    if (type === LuaType.Number) {
      const number = numberAt(lua, value);
      if (!(number >= 0 && number <= INT_MAX)) return true;
    } else if (type === LuaType.String && lua.raw.lua_isnumber(state, index) !== 0) return true;
  }
  return false;
}

/** Writes the integers among the arguments itself, and makes %s of their directives. */
function writeLargeIntegers(lua: LuaMachine, state: LuaState): void {
  const { raw } = lua;
  if (raw.lua_type(state, 1) !== LuaType.String) return;
  const count = argumentCount(lua, state);
  let argument = 1;
  const format = lua.textAt(state, 1).replace(DIRECTIVE, (all, flags, width, precision, letter) => {
    if (letter === undefined) return all;
    argument++;
    const isLarge = INTEGER_LETTERS.includes(letter) && argument <= count;
    // What Lua would refuse (its limits are two digits) it is left to refuse.
    const isRefused = `${flags}`.length > 5 || width.length > 2 || (precision?.length ?? 0) > 2;
    if (!isLarge || isRefused || raw.lua_isnumber(state, argument) === 0) return all;
    const text = integerText(raw.lua_tonumber(state, argument), flags, precision, letter);
    lua.pushText(state, padded(text, flags, Number(width), precision));
    raw.lua_replace(state, argument);
    return '%s';
  });
  lua.pushText(state, format);
  raw.lua_replace(state, 1);
}

/** What printf's directive makes of a number, without its width. */
function integerText(
  value: number,
  flags: string,
  precision: string | undefined,
  letter: string,
): string {
  const isSigned = letter === 'd' || letter === 'i';
  const bits = isSigned ? toLong(value) : BigInt.asUintN(LONG_BITS, toUnsignedLong(value));
  const base = letter === 'o' ? 8 : letter === 'x' || letter === 'X' ? 16 : 10;
  let digits = (bits < 0n ? -bits : bits).toString(base);
  if (precision !== undefined) {
    digits = bits === 0n && Number(precision) === 0 ? '' : digits.padStart(Number(precision), '0');
  }
  if (letter === 'X') digits = digits.toUpperCase();
  if (flags.includes('#') && base === 8 && !digits.startsWith('0')) digits = `0${digits}`;
  const sign = bits < 0n ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
  if (isSigned) return sign + digits;
  return flags.includes('#') && base === 16 && bits !== 0n ? `0${letter}${digits}` : digits;
}

function padded(text: string, flags: string, width: number, precision: string | undefined): string {
  if (flags.includes('-')) return text.padEnd(width);
  if (!flags.includes('0') || precision !== undefined) return text.padStart(width);
  const prefix = /^(?:[-+ ]|0[xX])?/.exec(text)![0];
  return prefix + text.slice(prefix.length).padStart(width - prefix.length, '0');
}

/** (long)value, as x86-64 does it. */
function toLong(value: number): bigint {
  if (!(value >= -(2 ** 63) && value < 2 ** 63)) return LONG_MIN;
  return BigInt(Math.trunc(value));
}

/** (unsigned long)value, as x86-64 does it. */
function toUnsignedLong(value: number): bigint {
  if (value >= 2 ** 64) return 0n;
  return value >= 2 ** 63 ? BigInt(value) : toLong(value);
}

// ---- tonumber with a base ---------------------------------------------------------------------

function replaceTonumber(lua: LuaMachine): void {
  const { raw } = lua;
  replace(lua, null, 'tonumber', (slot) => (state) => {
    if (argumentCount(lua, state) < 2 || raw.lua_type(state, 2) === LuaType.Nil) {
      return lua.callSlot(slot, state);
    }
    const base = raw.luaL_checkinteger(state, 2);
    if (base === 10) return lua.callSlot(slot, state);
    lua.checkString(state, 1);
    if (base < 2 || base > 36) lua.failArgument(state, 2, 'base out of range');
    const value = unsignedOf(lua.textAt(state, 1), base);
    if (value === null) raw.lua_pushnil(state);
    else raw.lua_pushnumber(state, value);
    return 1;
  });
}

/** strtoul, with nothing but blanks behind the number; null when it is none. */
function unsignedOf(text: string, base: number): number | null {
  const match = /^[ \t-\r]*([-+]?)(0x(?=[0-9a-f]))?([0-9a-z]+)[ \t-\r]*(?:\0|$)/i.exec(text);
  if (match === null) return null;
  const [, sign, prefix = '', rest] = match;
  const digits = base === 16 ? rest! : prefix + rest!;
  let value = 0n;
  for (const digit of digits) {
    const number = Number.parseInt(digit, 36);
    if (number >= base) return null;
    value = value * BigInt(base) + BigInt(number);
  }
  const most = (1n << 64n) - 1n;
  if (value > most) return Number(most);
  return Number(sign === '-' ? BigInt.asUintN(LONG_BITS, -value) : value);
}

// ---- math.random ------------------------------------------------------------------------------

const MULTIPLIER = 0x5deece66dn;
const INCREMENT = 0xbn;
const STATE_MASK = (1n << 48n) - 1n;
const START = 0x1234abcd330en;
const SEED_LOW = 0x330en;
const RANDOM_MAX = 2 ** 31 - 1;

function replaceRandom(lua: LuaMachine): void {
  const { raw } = lua;
  let word = START;
  replace(lua, 'math', 'random', () => (state) => {
    word = (word * MULTIPLIER + INCREMENT) & STATE_MASK;
    const share = (Number(word >> 17n) % RANDOM_MAX) / RANDOM_MAX;
    const count = argumentCount(lua, state);
    if (count === 0) {
      raw.lua_pushnumber(state, share);
      return 1;
    }
    if (count > 2) lua.fail(state, 'wrong number of arguments');
    const low = count === 1 ? 1 : integerArgument(lua, state, 1);
    const high = integerArgument(lua, state, count);
    if (low > high) lua.failArgument(state, count, 'interval is empty');
    const size = count === 1 ? high : (high - low + 1) | 0;
    raw.lua_pushnumber(state, Math.floor(share * size) + low);
    return 1;
  });
  replace(lua, 'math', 'randomseed', () => (state) => {
    const seed = BigInt(integerArgument(lua, state, 1) & UINT_MAX);
    word = (BigInt.asUintN(32, seed) << 16n) | SEED_LOW;
    return 0;
  });
}

/** (int)luaL_checkinteger: the low 32 bits of a 64-bit integer. */
function integerArgument(lua: LuaMachine, state: LuaState, index: number): number {
  return Number(BigInt.asIntN(32, toLong(lua.raw.luaL_checknumber(state, index))));
}
