// Lua's stack as it lies in the machine's memory, read and written without a call: crossing from
// JavaScript to WebAssembly and back costs 5 to 10 ns a time, and a command called by a script has
// several arguments, each with a type, an address and a length.
//
//   lua_State                             a value, 16 bytes
//   ┌──────────────┬─────┬──────┬ …       ┌──────────────────────────┬──────┬─────┐
//   │ collectable  │ top │ base │         │ number, boolean, address │ type │     │
//   └──────────────┴─────┴──────┴ …       └──────────────────────────┴──────┴─────┘
//    0              8     12               0                          8
//
//   a string                              a table
//   ┌──────────────┬──────┬────────┬──── …   ┌─────────────┬──────────┬───────┬──── …
//   │ collectable  │ hash │ length │ bytes   │ collectable │ metatable│ array │ node …
//   └──────────────┴──────┴────────┴──── …   └─────────────┴──────────┴───────┴──── …
//    0              8      12       16        0             8          12      16
//
// These places are those of the one binary that lua-binary.ts accepts; `checkStack` looks whether
// they are where they should be, once for each machine. Only what neither allocates nor can fail
// is done here, and only in functions that Lua calls, or above a stack that was asked for room.

import { assert } from '../base/assert.js';
import type { LuaMachine, LuaState } from './lua-api.js';
import { LuaType } from './lua-api.js';

const enum State {
  Top = 8,
  Base = 12,
}

const enum Value {
  Number = 0,
  Type = 8,
  Bytes = 16,
}

const enum Text {
  Length = 12,
  Bytes = 16,
}

const enum Table {
  Node = 16,
}

/** How many arguments the running function was given. */
export function argumentCount(machine: LuaMachine, state: LuaState): number {
  const { i32 } = machine;
  return (i32[(state + State.Top) >> 2]! - i32[(state + State.Base) >> 2]!) / Value.Bytes;
}

/** Address of argument `index`, from 1 on, of the running function. */
export function argumentAt(machine: LuaMachine, state: LuaState, index: number): number {
  return machine.i32[(state + State.Base) >> 2]! + (index - 1) * Value.Bytes;
}

/** Address of the topmost value. */
export function topValue(machine: LuaMachine, state: LuaState): number {
  return machine.i32[(state + State.Top) >> 2]! - Value.Bytes;
}

/** The LuaType of the value at an address. */
export function typeAt(machine: LuaMachine, value: number): number {
  return machine.i32[(value + Value.Type) >> 2]!;
}

export function numberAt(machine: LuaMachine, value: number): number {
  return machine.f64[(value + Value.Number) >> 3]!;
}

/** Where the bytes of the string at an address begin. */
export function textStart(machine: LuaMachine, value: number): number {
  return machine.i32[(value + Value.Number) >> 2]! + Text.Bytes;
}

export function textLength(machine: LuaMachine, value: number): number {
  const { i32 } = machine;
  return i32[(i32[(value + Value.Number) >> 2]! + Text.Length) >> 2]!;
}

/** What all tables without named fields have as their node. */
export function nodeOf(machine: LuaMachine, value: number): number {
  const { i32 } = machine;
  return i32[(i32[(value + Value.Number) >> 2]! + Table.Node) >> 2]!;
}

export function pushNumber(machine: LuaMachine, state: LuaState, value: number): void {
  const { i32 } = machine;
  const at = i32[(state + State.Top) >> 2]!;
  machine.f64[(at + Value.Number) >> 3] = value;
  i32[(at + Value.Type) >> 2] = LuaType.Number;
  i32[(state + State.Top) >> 2] = at + Value.Bytes;
}

export function pushBoolean(machine: LuaMachine, state: LuaState, isTrue: boolean): void {
  const { i32 } = machine;
  const at = i32[(state + State.Top) >> 2]!;
  i32[(at + Value.Number) >> 2] = isTrue ? 1 : 0;
  i32[(at + Value.Type) >> 2] = LuaType.Boolean;
  i32[(state + State.Top) >> 2] = at + Value.Bytes;
}

export function pushNil(machine: LuaMachine, state: LuaState): void {
  const { i32 } = machine;
  const at = i32[(state + State.Top) >> 2]!;
  i32[(at + Value.Type) >> 2] = LuaType.Nil;
  i32[(state + State.Top) >> 2] = at + Value.Bytes;
}

/** Takes the topmost `count` values away. */
export function pop(machine: LuaMachine, state: LuaState, count: number): void {
  const { i32 } = machine;
  const at = (state + State.Top) >> 2;
  i32[at] = i32[at]! - count * Value.Bytes;
}

/** Is the memory laid out as this file says? Throws if not. */
export function checkStack(machine: LuaMachine): void {
  const { raw, main } = machine;
  const before = raw.lua_gettop(main);
  assert(argumentCount(machine, main) === before, 'the stack is where it should be');
  pushNumber(machine, main, 1234.5);
  assert(raw.lua_tonumber(main, -1) === 1234.5, 'numbers are as Lua has them');
  pushBoolean(machine, main, true);
  assert(raw.lua_type(main, -1) === LuaType.Boolean, 'booleans are as Lua has them');
  assert(raw.lua_toboolean(main, -1) === 1, 'booleans are as Lua has them');
  pushNil(machine, main);
  assert(raw.lua_type(main, -1) === LuaType.Nil, 'nil is as Lua has it');
  machine.pushText(main, 'a string');
  const text = topValue(machine, main);
  assert(typeAt(machine, text) === LuaType.String, 'strings are as Lua has them');
  assert(textStart(machine, text) === machine.stringAt(main, -1), 'bytes are behind their string');
  assert(textLength(machine, text) === machine.stringLength, 'a string knows its length');
  raw.lua_createtable(main, 0, 0);
  const node = nodeOf(machine, topValue(machine, main));
  raw.lua_createtable(main, 4, 0);
  assert(nodeOf(machine, topValue(machine, main)) === node, 'lists share their node');
  raw.lua_createtable(main, 0, 1);
  assert(nodeOf(machine, topValue(machine, main)) !== node, 'fields have nodes of their own');
  pop(machine, main, 7);
  assert(raw.lua_gettop(main) === before, 'values are taken away as Lua does it');
}
