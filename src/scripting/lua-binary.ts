// The Lua 5.1 interpreter as WebAssembly, as wasmoon-lua5.1 ships it, with things added that
// Redis has in its own Lua or needs from it. Each is a few instructions put in front of a function
// of the interpreter while the file is read:
//
//   what every write to a table passes through (luaH_set, luaH_setnum): a table is read-only when
//       the highest bit of its `marked` byte is set, the one bit there that the collector neither
//       uses nor clears, and the function in table slot Slot.ReadOnly raises the error. Stock Lua
//       5.1 cannot do that: __newindex is not asked for keys that exist, so a script could replace
//       string.format for all scripts after it. Empty tables that stand before the real ones were
//       rejected: next, pairs, rawset, # and getmetatable see through them, and each global would
//       cost a second look-up.
//   what matches a pattern at one place (match in lstrlib.c): counts down the word at
//       MATCH_COUNTDOWN, and at zero calls the function in slot Slot.MatchTick. A pattern with
//       nested quantifiers burns hours inside one string.find, where no hook of Lua ever runs.
//   what gives arguments as integers (lua_tointeger): this Lua's integers have 32 bits, and a
//       larger number became the lowest one. It becomes the highest now, so that
//       ("abc"):sub(1, 1e10) is "abc", as where they have 64.
//
// The functions are known by their numbers, so another file than the one measured is refused.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { crc32 } from '../base/crc.js';

// What this file uses of the WebAssembly object: the library of types of browsers, where it is
// declared, brings much that Node does not have.
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

export interface WasmTable {
  readonly length: number;
  grow(count: number): number;
  get(index: number): unknown;
  set(index: number, value: unknown): void;
}

declare const wasmModule: unique symbol;

/** Compiled code, without memory of its own. */
export interface WasmModule {
  readonly [wasmModule]: true;
}

type Imports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

interface WasmCompiler {
  readonly Module: new (bytes: Uint8Array) => WasmModule;
  readonly Instance: new (module: WasmModule, imports: Imports) => { readonly exports: unknown };
  readonly RuntimeError: new () => Error;
}

const { WebAssembly: compiler } = globalThis as unknown as { readonly WebAssembly: WasmCompiler };

/** Slots of the interpreter's function table that the added instructions call. */
export const Slot = { ReadOnly: 177, MatchTick: 178 } as const;

/** Where the word stands that patterns count down: below the interpreter's own memory. */
export const MATCH_COUNTDOWN = 16;

/** Where in a table its `marked` byte stands, and the bit of it that makes the table read-only. */
export const TABLE_MARKED_AT = 5;
export const READ_ONLY_BIT = 0x80;

const PAGE_BYTES = 65_536;

const EXPECTED_BYTES = 203_782;
const EXPECTED_CRC = 0xfd16eb88;

// Numbers of functions of the interpreter, imports counted.
const SET_FUNCTION = 418;
const SET_NUMBER_FUNCTION = 419;
const MATCH_FUNCTION = 402;
const TO_INTEGER_FUNCTION = 48;
const IMPORTED_FUNCTIONS = 27;

const CODE_SECTION = 10;

// Instructions, and the type of a function that takes one int32 and gives nothing.
const Op = {
  If: 0x04,
  End: 0x0b,
  Return: 0x0f,
  CallIndirect: 0x11,
  LocalGet: 0x20,
  LocalTee: 0x22,
  Load: 0x28,
  LoadDouble: 0x2b,
  LoadByte: 0x2d,
  Store: 0x36,
  Const: 0x41,
  ConstDouble: 0x44,
  IsZero: 0x45,
  Equal: 0x46,
  Below: 0x49,
  Greater: 0x4a,
  BelowDouble: 0x63,
  AtLeastDouble: 0x66,
  Add: 0x6a,
  Subtract: 0x6b,
  And: 0x71,
  ShiftLeft: 0x74,
} as const;
const NO_RESULT = 0x40;
const TAKES_ONE_WORD = 6;

let compiled: WasmModule | null = null;

/** The interpreter's code, compiled once per thread, when the first script comes. */
export function luaModule(): WasmModule {
  if (compiled === null) compiled = new compiler.Module(patchedBinary());
  return compiled;
}

export function compileWasm(bytes: Uint8Array): WasmModule {
  return new compiler.Module(bytes);
}

export function instantiate(module: WasmModule, imports: Imports): unknown {
  return new compiler.Instance(module, imports).exports;
}

/** Whether `error` is how WebAssembly reports a trap: memory out of bounds, unreachable code. */
export function isTrap(error: unknown): boolean {
  return error instanceof compiler.RuntimeError;
}

export function pagesOf(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES);
}

function patchedBinary(): Uint8Array {
  const path = createRequire(import.meta.url).resolve('wasmoon-lua5.1');
  const bytes = new Uint8Array(readFileSync(path.replace(/index\.js$/, 'liblua5.1.wasm')));
  if (bytes.length !== EXPECTED_BYTES || crc32(bytes, 0, bytes.length) >>> 0 !== EXPECTED_CRC) {
    throw new Error('wasmoon-lua5.1 is not the version whose functions this file knows');
  }
  return withPrologues(bytes, [
    [SET_FUNCTION, readOnlyCheck()],
    [SET_NUMBER_FUNCTION, readOnlyCheck()],
    [MATCH_FUNCTION, matchCount()],
    [TO_INTEGER_FUNCTION, highestInteger()],
  ]);
}

/** if (table.marked & READ_ONLY_BIT) slot[ReadOnly](state), in a function of (state, table, …). */
function readOnlyCheck(): number[] {
  return [
    ...[Op.LocalGet, 1],
    ...[Op.LoadByte, 0, TABLE_MARKED_AT],
    ...[Op.Const, ...signed(READ_ONLY_BIT)],
    Op.And,
    ...[Op.If, NO_RESULT],
    ...[Op.LocalGet, 0],
    ...[Op.Const, ...signed(Slot.ReadOnly)],
    ...[Op.CallIndirect, TAKES_ONE_WORD, 0],
    Op.End,
  ];
}

/** if (--countdown === 0) slot[MatchTick](match.state), in a function of (match, …). */
function matchCount(): number[] {
  const stateInMatch = 8;
  return [
    ...[Op.Const, ...signed(MATCH_COUNTDOWN)],
    ...[Op.Const, ...signed(MATCH_COUNTDOWN)],
    ...[Op.Load, 2, 0],
    ...[Op.Const, 1],
    Op.Subtract,
    ...[Op.Store, 2, 0],
    ...[Op.Const, ...signed(MATCH_COUNTDOWN)],
    ...[Op.Load, 2, 0],
    Op.IsZero,
    ...[Op.If, NO_RESULT],
    ...[Op.LocalGet, 0],
    ...[Op.Load, 2, stateInMatch],
    ...[Op.Const, ...signed(Slot.MatchTick)],
    ...[Op.CallIndirect, TAKES_ONE_WORD, 0],
    Op.End,
  ];
}

/**
 * if (value is a number from 2^31 up to 2^63) return 2^31 - 1, in a function of (state, index). Its
 * first local, which it sets before it reads it, keeps the value's address.
 */
function highestInteger(): number[] {
  const topInState = 8;
  const baseInState = 12;
  const typeInValue = 8;
  const numberType = 3;
  const address = 2;
  const condition = [
    ...[Op.LocalGet, 1, Op.Const, 0, Op.Greater, Op.If, NO_RESULT],
    ...[Op.LocalGet, 0, Op.Load, 2, baseInState],
    ...[Op.LocalGet, 1, Op.Const, 4, Op.ShiftLeft, Op.Add, Op.Const, 16, Op.Subtract],
    ...[Op.LocalTee, address, Op.LocalGet, 0, Op.Load, 2, topInState, Op.Below],
    ...[Op.If, NO_RESULT],
    ...[Op.LocalGet, address, Op.Load, 2, typeInValue, Op.Const, numberType, Op.Equal],
    ...[Op.If, NO_RESULT],
    ...[Op.LocalGet, address, Op.LoadDouble, 3, 0, Op.ConstDouble, ...double(2 ** 31)],
    ...[Op.AtLeastDouble, Op.If, NO_RESULT],
    ...[Op.LocalGet, address, Op.LoadDouble, 3, 0, Op.ConstDouble, ...double(2 ** 63)],
    ...[Op.BelowDouble, Op.If, NO_RESULT],
  ];
  const ends = [Op.End, Op.End, Op.End, Op.End, Op.End];
  return [...condition, Op.Const, ...signed(0x7fffffff), Op.Return, ...ends];
}

function double(value: number): number[] {
  return [...new Uint8Array(new Float64Array([value]).buffer)];
}

/** The module with instructions in front of some functions; sizes are written anew. */
function withPrologues(
  bytes: Uint8Array,
  prologues: readonly (readonly [number, readonly number[]])[],
): Uint8Array {
  const headBytes = 8;
  const parts: Uint8Array[] = [bytes.subarray(0, headBytes)];
  let at = headBytes;
  while (at < bytes.length) {
    const size = readUnsigned(bytes, at + 1);
    const end = size.next + size.value;
    if (bytes[at] === CODE_SECTION) {
      const body = codeWithPrologues(bytes, size.next, new Map(prologues));
      parts.push(Uint8Array.from([CODE_SECTION, ...unsigned(body.length)]), body);
    } else {
      parts.push(bytes.subarray(at, end));
    }
    at = end;
  }
  return Buffer.concat(parts);
}

function codeWithPrologues(
  bytes: Uint8Array,
  start: number,
  prologues: ReadonlyMap<number, readonly number[]>,
): Uint8Array {
  const count = readUnsigned(bytes, start);
  const parts: Uint8Array[] = [bytes.subarray(start, count.next)];
  let at = count.next;
  for (let index = 0; index < count.value; index++) {
    const size = readUnsigned(bytes, at);
    const end = size.next + size.value;
    const prologue = prologues.get(index + IMPORTED_FUNCTIONS);
    if (prologue === undefined) {
      parts.push(bytes.subarray(at, end));
    } else {
      const code = endOfLocals(bytes, size.next);
      parts.push(
        Uint8Array.from(unsigned(size.value + prologue.length)),
        bytes.subarray(size.next, code),
        Uint8Array.from(prologue),
        bytes.subarray(code, end),
      );
    }
    at = end;
  }
  return Buffer.concat(parts);
}

/** Where the instructions of a function begin: behind groups of (count, type). */
function endOfLocals(bytes: Uint8Array, start: number): number {
  const groups = readUnsigned(bytes, start);
  let at = groups.next;
  for (let group = 0; group < groups.value; group++) at = readUnsigned(bytes, at).next + 1;
  return at;
}

function readUnsigned(bytes: Uint8Array, start: number): { value: number; next: number } {
  let value = 0;
  let at = start;
  for (let shift = 0; ; shift += 7, at++) {
    const byte = bytes[at]!;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return { value, next: at + 1 };
  }
}

function unsigned(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 0x80; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return [...bytes, value];
}

/** A number that is not negative as a signed one: the highest bit of its last byte is a sign. */
function signed(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 0x40; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return [...bytes, value];
}
