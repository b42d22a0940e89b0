// The door to Lua: a machine is one instance of the Lua 5.1 interpreter in WebAssembly, with a
// memory of its own. One per thread, made when the first script comes; making it is synchronous.
// Scripts cannot reach anything outside of that memory but what is handed in by pushFunction.
//
// raw.lua_* are the functions of Lua's C API, called with (state, …); strings travel as (address,
// length) in the machine's memory, so they hold any bytes. u8 and i32 are views of that memory.
// When it grows the views are replaced: read `machine.u8` again after any call that may allocate.
//
// Errors. lua_error unwinds by throwing LONG_JUMP through whatever JavaScript stands between it
// and the lua_pcall that catches it. A function given to pushFunction must therefore let what it
// did not expect pass (`finally` is fine, a `catch` rethrows), and must not throw anything of its
// own: an exception that is no long jump leaves Lua's own stack of calls torn. The machine is
// broken then (isBroken) and its owner makes another one; memory outside is not touched.
//
// Cost, measured on one 2-core machine with Node 20.20 (ns): JavaScript calls raw.lua_gettop 5,
// pushes a number and pops it 12, a string of 10 bytes 24; Lua calls a function in JavaScript 32,
// one in C (type) 47; pcall of such a function 150; an error raised and caught 2400. Reading the
// file and compiling take 6 ms, an instance with its libraries 3 ms and 2 MB.

import { assert } from '../base/assert.js';
import {
  compileWasm,
  instantiate,
  isTrap,
  luaModule,
  MATCH_COUNTDOWN,
  pagesOf,
  READ_ONLY_BIT,
  Slot,
  TABLE_MARKED_AT,
  type WasmMemory,
  type WasmTable,
} from './lua-binary.js';

/** Address of a lua_State: the machine's main one, or that of a coroutine. */
export type LuaState = number;

/** A function that Lua calls: arguments are on the stack, it gives how many results it left. */
export type LuaFunction = (state: LuaState) => number;

export const LuaType = {
  None: -1,
  Nil: 0,
  Boolean: 1,
  LightUserdata: 2,
  Number: 3,
  String: 4,
  Table: 5,
  Function: 6,
  Userdata: 7,
  Thread: 8,
} as const;

/** What lua_pcall, lua_load and lua_resume answer. */
export const LuaStatus = {
  Ok: 0,
  Yield: 1,
  RunError: 2,
  SyntaxError: 3,
  MemoryError: 4,
  HandlerError: 5,
} as const;

/** Pseudo-indexes of lua.h. */
export const REGISTRY = -10_000;
export const ENVIRONMENT = -10_001;
export const GLOBALS = -10_002;
export function upvalue(index: number): number {
  return GLOBALS - index;
}

export const MULTIPLE_RESULTS = -1;

export const HookMask = { Call: 1, Return: 2, Line: 4, Count: 8 } as const;

export const Collect = { Stop: 0, Restart: 1, Full: 2, CountKb: 3, CountRest: 4, Step: 5 } as const;

/** The functions of lua.h and lauxlib.h that are used; every address is an int32. */
export interface RawLua {
  readonly memory: WasmMemory;
  readonly __indirect_function_table: WasmTable;
  __wasm_call_ctors(): void;
  malloc(bytes: number): number;
  free(address: number): void;
  stackSave(): number;
  stackRestore(address: number): void;
  setThrew(threw: number, value: number): void;
  luaL_newstate(): LuaState;
  luaopen_base(state: LuaState): number;
  luaopen_table(state: LuaState): number;
  luaopen_string(state: LuaState): number;
  luaopen_math(state: LuaState): number;
  luaopen_debug(state: LuaState): number;
  lua_atpanic(state: LuaState, slot: number): number;
  lua_close(state: LuaState): void;
  lua_newthread(state: LuaState): LuaState;
  lua_resume(state: LuaState, argumentCount: number): number;
  lua_status(state: LuaState): number;
  lua_xmove(from: LuaState, to: LuaState, count: number): void;
  lua_checkstack(state: LuaState, count: number): number;
  luaL_checkstack(state: LuaState, count: number, message: number): void;
  lua_gettop(state: LuaState): number;
  lua_settop(state: LuaState, index: number): void;
  lua_pushvalue(state: LuaState, index: number): void;
  lua_remove(state: LuaState, index: number): void;
  lua_insert(state: LuaState, index: number): void;
  lua_replace(state: LuaState, index: number): void;
  lua_type(state: LuaState, index: number): number;
  lua_isnumber(state: LuaState, index: number): number;
  lua_isstring(state: LuaState, index: number): number;
  lua_iscfunction(state: LuaState, index: number): number;
  lua_rawequal(state: LuaState, first: number, second: number): number;
  lua_tonumber(state: LuaState, index: number): number;
  lua_tointeger(state: LuaState, index: number): number;
  lua_toboolean(state: LuaState, index: number): number;
  lua_tolstring(state: LuaState, index: number, lengthAddress: number): number;
  lua_objlen(state: LuaState, index: number): number;
  lua_tocfunction(state: LuaState, index: number): number;
  lua_topointer(state: LuaState, index: number): number;
  lua_touserdata(state: LuaState, index: number): number;
  lua_pushnil(state: LuaState): void;
  lua_pushnumber(state: LuaState, value: number): void;
  lua_pushinteger(state: LuaState, value: number): void;
  lua_pushlstring(state: LuaState, address: number, length: number): void;
  lua_pushcclosure(state: LuaState, slot: number, upvalueCount: number): void;
  lua_pushboolean(state: LuaState, value: number): void;
  lua_pushlightuserdata(state: LuaState, address: number): void;
  lua_createtable(state: LuaState, listCount: number, fieldCount: number): void;
  lua_gettable(state: LuaState, index: number): void;
  lua_getfield(state: LuaState, index: number, name: number): void;
  lua_rawget(state: LuaState, index: number): void;
  lua_rawgeti(state: LuaState, index: number, key: number): void;
  lua_settable(state: LuaState, index: number): void;
  lua_setfield(state: LuaState, index: number, name: number): void;
  lua_rawset(state: LuaState, index: number): void;
  lua_rawseti(state: LuaState, index: number, key: number): void;
  lua_getmetatable(state: LuaState, index: number): number;
  lua_setmetatable(state: LuaState, index: number): number;
  lua_getfenv(state: LuaState, index: number): void;
  lua_setfenv(state: LuaState, index: number): number;
  lua_call(state: LuaState, argumentCount: number, resultCount: number): void;
  lua_pcall(state: LuaState, arguments_: number, results: number, handler: number): number;
  lua_error(state: LuaState): number;
  lua_next(state: LuaState, index: number): number;
  lua_concat(state: LuaState, count: number): void;
  lua_gc(state: LuaState, what: number, value: number): number;
  lua_newuserdata(state: LuaState, bytes: number): number;
  lua_getstack(state: LuaState, level: number, record: number): number;
  lua_getinfo(state: LuaState, what: number, record: number): number;
  lua_sethook(state: LuaState, slot: number, mask: number, count: number): number;
  luaL_where(state: LuaState, level: number): void;
  luaL_argerror(state: LuaState, argument: number, message: number): number;
  luaL_typerror(state: LuaState, argument: number, typeName: number): number;
  luaL_checklstring(state: LuaState, argument: number, lengthAddress: number): number;
  luaL_checknumber(state: LuaState, argument: number): number;
  luaL_checkinteger(state: LuaState, argument: number): number;
  luaL_checktype(state: LuaState, argument: number, type: number): void;
  luaL_checkany(state: LuaState, argument: number): void;
  luaL_loadbuffer(state: LuaState, address: number, length: number, name: number): number;
  luaL_ref(state: LuaState, index: number): number;
  luaL_unref(state: LuaState, index: number, reference: number): void;
}

/** Thrown by lua_error, caught by lua_pcall; what stands between lets it pass. */
export const LONG_JUMP: unique symbol = Symbol('Lua unwinds to its pcall');

/**
 * The machine cannot go on: an error outside of any pcall (out of memory while arguments are
 * pushed), a trap, or a recursion in C that used up the thread's stack. Make another machine.
 */
export class LuaBroken extends Error {}

export interface LuaOptions {
  /** The most that the machine's memory may grow to; beyond, Lua says "not enough memory". */
  readonly memoryBytesMax: number;
  /** Called inside a pattern match about every MATCH_STEPS steps; may raise an error. */
  onMatchTick?(state: LuaState): void;
}

const SCRATCH_BYTES = 64 * 1024;
// About a millisecond of matching.
const MATCH_STEPS = 100_000;
// A growth by less would copy the memory's views again and again.
const GROWTH_BYTES_MIN = 4 * 1024 * 1024;

export class LuaMachine {
  readonly raw: RawLua;
  readonly main: LuaState;
  /** The machine's memory; replaced when it grows. */
  u8: Uint8Array<ArrayBuffer>;
  i32: Int32Array<ArrayBuffer>;
  f64: Float64Array<ArrayBuffer>;
  /** Length of the string that stringAt found last. */
  stringLength = 0;
  /** Set when Lua's inside may be torn; nothing but throwing the machine away is right then. */
  isBroken = false;

  private readonly memoryBytesMax: number;
  private readonly lengthAddress: number;
  private scratchAddress: number;
  private scratchBytes = SCRATCH_BYTES;
  private readonly names = new Map<string, number>();
  private readonly slots = new Map<LuaFunction, number>();
  private readonly hooks = new Map<LuaFunction, number>();
  /** Functions of Lua's own that lua_pcall and its like run, by slot. */
  private readonly invoked: ((first: number, second: number) => void)[] = [];

  constructor(options: LuaOptions) {
    this.memoryBytesMax = options.memoryBytesMax;
    this.raw = instantiate(luaModule(), this.imports()) as RawLua;
    this.u8 = new Uint8Array(0);
    this.i32 = new Int32Array(0);
    this.f64 = new Float64Array(0);
    this.viewMemory();
    this.raw.__wasm_call_ctors();
    this.lengthAddress = this.raw.malloc(8);
    this.scratchAddress = this.raw.malloc(SCRATCH_BYTES);
    this.fillSlots(options);
    this.main = this.raw.luaL_newstate();
    assert(this.main !== 0, 'there is memory for a Lua state');
    const panic = (state: LuaState): number => {
      throw new LuaBroken(`Lua panicked: ${this.textAt(state, -1)}`);
    };
    this.raw.lua_atpanic(this.main, this.slotOf(panic));
  }

  /** Bytes of memory that this machine holds from the system; they never shrink. */
  get heldBytes(): number {
    return this.u8.length;
  }

  /** Bytes that Lua's values take, garbage that is not yet collected included. */
  usedBytes(): number {
    const { raw, main } = this;
    return raw.lua_gc(main, Collect.CountKb, 0) * 1024 + raw.lua_gc(main, Collect.CountRest, 0);
  }

  // -- Functions --

  /** Pushes `run` as a Lua function, with the topmost `upvalues` values as its upvalues. */
  pushFunction(state: LuaState, run: LuaFunction, upvalues = 0): void {
    this.raw.lua_pushcclosure(state, this.slotOf(run), upvalues);
  }

  /** Sets `run` as field `name` of the table at `index`. */
  setFunction(state: LuaState, index: number, name: string, run: LuaFunction): void {
    this.pushFunction(state, run);
    // The function lies on top now: an index from the top has moved by one.
    this.setField(state, index < 0 && index > REGISTRY ? index - 1 : index, name);
  }

  /** Calls the C function at slot `slot` in the frame of the one that runs now. */
  callSlot(slot: number, state: LuaState): number {
    return (this.raw.__indirect_function_table.get(slot) as LuaFunction)(state);
  }

  // -- Strings --

  /** Pushes bytes as a string. */
  pushBytes(state: LuaState, u8: Uint8Array, start: number, length: number): void {
    const address = this.scratch(length);
    if (length < 24) {
      const to = this.u8;
      for (let at = 0; at < length; at++) to[address + at] = u8[start + at]!;
    } else {
      this.u8.set(u8.subarray(start, start + length), address);
    }
    this.raw.lua_pushlstring(state, address, length);
  }

  /** Pushes text of which each character is one byte. */
  pushText(state: LuaState, text: string): void {
    const { length } = text;
    const address = this.scratch(length);
    const to = this.u8;
    for (let at = 0; at < length; at++) to[address + at] = text.charCodeAt(at);
    this.raw.lua_pushlstring(state, address, length);
  }

  /**
   * Address of the string at `index`, its length in `stringLength`; 0 when it is neither string nor
   * number. A number on the stack becomes a string there, as lua_tolstring does it.
   */
  stringAt(state: LuaState, index: number): number {
    const address = this.raw.lua_tolstring(state, index, this.lengthAddress);
    this.stringLength = this.i32[this.lengthAddress >> 2]!;
    return address;
  }

  /** Like stringAt for an argument of a function: raises Lua's own error if it is no string. */
  checkString(state: LuaState, argument: number): number {
    const address = this.raw.luaL_checklstring(state, argument, this.lengthAddress);
    this.stringLength = this.i32[this.lengthAddress >> 2]!;
    return address;
  }

  /** The string or number at `index` as text, a character per byte; '' when it is neither. */
  textAt(state: LuaState, index: number): string {
    const address = this.stringAt(state, index);
    return address === 0 ? '' : this.textOf(address, this.stringLength);
  }

  textOf(address: number, length: number): string {
    return Buffer.from(this.u8.buffer, address, length).toString('latin1');
  }

  /** A copy of the bytes of the string at `index`, which must be a string or number. */
  bytesAt(state: LuaState, index: number): Uint8Array<ArrayBuffer> {
    const address = this.stringAt(state, index);
    assert(address !== 0, 'bytes are asked of a string or number');
    return this.u8.slice(address, address + this.stringLength);
  }

  /** Room for `length` bytes and a NUL in the machine's memory, valid until it is asked again. */
  scratch(length: number): number {
    if (length >= this.scratchBytes) this.growScratch(length);
    return this.scratchAddress;
  }

  /** Address of `name` with a NUL behind it; kept for ever, so for the program's own names only. */
  name(name: string): number {
    const known = this.names.get(name);
    if (known !== undefined) return known;
    const address = this.raw.malloc(name.length + 1);
    if (address === 0) throw new LuaBroken('no memory for a name');
    this.u8.set(Buffer.from(`${name}\0`, 'latin1'), address);
    this.names.set(name, address);
    return address;
  }

  // -- Tables --

  getField(state: LuaState, index: number, name: string): void {
    this.raw.lua_getfield(state, index, this.name(name));
  }

  setField(state: LuaState, index: number, name: string): void {
    this.raw.lua_setfield(state, index, this.name(name));
  }

  /** Makes the table at `index` read-only, or writable again. */
  setReadOnly(state: LuaState, index: number, isReadOnly: boolean): void {
    const at = this.raw.lua_topointer(state, index) + TABLE_MARKED_AT;
    const marked = this.u8[at]!;
    this.u8[at] = isReadOnly ? marked | READ_ONLY_BIT : marked & ~READ_ONLY_BIT;
  }

  isReadOnly(state: LuaState, index: number): boolean {
    if (this.raw.lua_type(state, index) !== LuaType.Table) return false;
    const at = this.raw.lua_topointer(state, index) + TABLE_MARKED_AT;
    return (this.u8[at]! & READ_ONLY_BIT) !== 0;
  }

  // -- Code and calls --

  /** Compiles source text and pushes its function, or an error message. Gives a LuaStatus. */
  load(state: LuaState, source: Uint8Array, chunkName: string): number {
    const { raw } = this;
    const nameBytes = Buffer.from(`${chunkName}\0`, 'latin1');
    const address = this.scratch(source.length + nameBytes.length);
    this.u8.set(source, address);
    this.u8.set(nameBytes, address + source.length);
    return raw.luaL_loadbuffer(state, address, source.length, address + source.length);
  }

  /**
   * lua_pcall. What Lua can catch comes back as a LuaStatus; what breaks the machine is thrown, as
   * LuaBroken or as the exception that a function of ours let out.
   */
  protectedCall(state: LuaState, argumentCount: number, results: number, handler: number): number {
    try {
      return this.raw.lua_pcall(state, argumentCount, results, handler);
    } catch (error) {
      throw this.broken(error);
    }
  }

  /** Raises the value on top of the stack as an error. */
  error(state: LuaState): never {
    this.raw.lua_error(state);
    throw new LuaBroken('lua_error returned');
  }

  /** Raises `message` with the place of the caller in front, as luaL_error does. */
  fail(state: LuaState, message: string): never {
    return this.failAt(state, 1, message);
  }

  /**
   * Raises the error of a write to a read-only table, as the interpreter does: with the place of
   * what runs, if that is Lua code.
   */
  failReadOnly(state: LuaState): never {
    return this.failAt(state, 0, 'Attempt to modify a readonly table');
  }

  private failAt(state: LuaState, level: number, message: string): never {
    this.raw.luaL_where(state, level);
    this.pushText(state, message);
    this.raw.lua_concat(state, 2);
    return this.error(state);
  }

  /** Raises "bad argument #n to 'function' (message)". */
  failArgument(state: LuaState, argument: number, message: string): never {
    const address = this.scratch(message.length + 1);
    this.u8.set(Buffer.from(`${message}\0`, 'latin1'), address);
    this.raw.luaL_argerror(state, argument, address);
    throw new LuaBroken('luaL_argerror returned');
  }

  /**
   * Runs `hook` at every `count` instructions (or at every line, for HookMask.Line) of `state` and
   * of coroutines that it makes from now on. null takes it away. The hook may raise an error.
   */
  setHook(state: LuaState, hook: LuaFunction | null, mask: number, count: number): void {
    const slot = hook === null ? 0 : this.hookSlotOf(hook);
    this.raw.lua_sethook(state, slot, hook === null ? 0 : mask, count);
  }

  private slotOf(run: LuaFunction): number {
    const known = this.slots.get(run);
    if (known !== undefined) return known;
    const slot = this.addToTable(asWasm(run, 'function'));
    this.slots.set(run, slot);
    return slot;
  }

  private hookSlotOf(hook: LuaFunction): number {
    const known = this.hooks.get(hook);
    if (known !== undefined) return known;
    const slot = this.addToTable(asWasm(hook, 'hook'));
    this.hooks.set(hook, slot);
    return slot;
  }

  private addToTable(wasmFunction: unknown): number {
    const table = this.raw.__indirect_function_table;
    const slot = table.length;
    table.grow(1);
    table.set(slot, wasmFunction);
    return slot;
  }

  /** The slots that lua-binary.ts's instructions call: they must be the first ones added. */
  private fillSlots(options: LuaOptions): void {
    const readOnly = (state: LuaState): number => this.failReadOnly(state);
    const tick = (state: LuaState): number => {
      this.i32[MATCH_COUNTDOWN >> 2] = MATCH_STEPS;
      options.onMatchTick?.(state);
      return 0;
    };
    const slots = [
      this.addToTable(asWasm(readOnly, 'void')),
      this.addToTable(asWasm(tick, 'void')),
    ];
    assert(slots[0] === Slot.ReadOnly && slots[1] === Slot.MatchTick, 'slots are as expected');
    this.i32[MATCH_COUNTDOWN >> 2] = MATCH_STEPS;
  }

  private growScratch(length: number): void {
    const bytes = Math.max(length + 1, Math.min(this.scratchBytes * 2, 1024 * 1024));
    this.raw.free(this.scratchAddress);
    this.scratchBytes = 0;
    this.scratchAddress = this.raw.malloc(bytes);
    if (this.scratchAddress === 0) throw this.broken(new LuaBroken('no memory for a string'));
    this.scratchBytes = bytes;
  }

  private viewMemory(): void {
    const { buffer } = this.raw.memory;
    this.u8 = new Uint8Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.f64 = new Float64Array(buffer);
  }

  private broken(error: unknown): unknown {
    this.isBroken = true;
    if (error instanceof RangeError) return new LuaBroken('stack overflow inside the interpreter');
    return isTrap(error) ? new LuaBroken(`Lua trapped: ${(error as Error).message}`) : error;
  }

  /** What the interpreter imports. Files, processes and the like are not there. */
  private imports(): Record<string, Record<string, unknown>> {
    const known: Record<string, unknown> = {
      invoke_vii: (slot: number, first: number, second: number) => {
        this.invoke(slot, first, second);
      },
      _emscripten_throw_longjmp: () => {
        throw LONG_JUMP;
      },
      emscripten_memcpy_js: (to: number, from: number, length: number) => {
        this.u8.copyWithin(to, from, from + length);
      },
      emscripten_resize_heap: (bytes: number) => this.growMemory(bytes >>> 0),
      environ_sizes_get: (countAddress: number, bytesAddress: number) => {
        this.i32[countAddress >> 2] = 0;
        this.i32[bytesAddress >> 2] = 0;
        return 0;
      },
      environ_get: () => 0,
    };
    const refuse = (name: string) => () => {
      throw new LuaBroken(`Lua asked for ${name}`);
    };
    const all = new Proxy(known, {
      get: (target, name) => target[name as string] ?? refuse(String(name)),
    });
    return { env: all, wasi_snapshot_preview1: all };
  }

  /** setjmp and a call: where lua_error lands. */
  private invoke(slot: number, first: number, second: number): void {
    const { raw } = this;
    const stack = raw.stackSave();
    try {
      const run = this.invoked[slot] ?? this.invokable(slot);
      run(first, second);
    } catch (error) {
      if (error !== LONG_JUMP) throw error;
      raw.stackRestore(stack);
      raw.setThrew(1, 0);
    }
  }

  /** A table's `get` takes longer than the call itself, so what it gave is kept. */
  private invokable(slot: number): (first: number, second: number) => void {
    const run = this.raw.__indirect_function_table.get(slot);
    this.invoked[slot] = run as (first: number, second: number) => void;
    return this.invoked[slot];
  }

  /** Grows the memory to at least `bytes`; 0 says that it cannot. */
  private growMemory(bytes: number): number {
    const held = this.u8.length;
    if (bytes > this.memoryBytesMax) return 0;
    const wanted = Math.min(Math.max(bytes, held + GROWTH_BYTES_MIN), this.memoryBytesMax);
    try {
      this.raw.memory.grow(pagesOf(wanted - held));
    } catch {
      return 0;
    }
    this.viewMemory();
    return 1;
  }
}

type Signature = 'function' | 'hook' | 'void';

// A module that imports a function and exports it again: that makes of a function in JavaScript
// one that stands in a table (WebAssembly.Function would, but no Node has it without a flag).
const INT = 0x7f;
const TYPES: Readonly<Record<Signature, readonly number[]>> = {
  function: [0x60, 1, INT, 1, INT],
  hook: [0x60, 2, INT, INT, 0],
  void: [0x60, 1, INT, 0],
};

const adapters = new Map<Signature, ReturnType<typeof compileWasm>>();

function asWasm(run: LuaFunction, signature: Signature): unknown {
  let adapter = adapters.get(signature);
  if (adapter === undefined) {
    const type = [1, ...TYPES[signature]];
    const magic = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
    const types = [1, type.length, ...type];
    const imports = [2, 7, 1, 1, 0x65, 1, 0x66, 0, 0];
    const exports = [7, 5, 1, 1, 0x66, 0, 0];
    adapter = compileWasm(Uint8Array.from([...magic, ...types, ...imports, ...exports]));
    adapters.set(signature, adapter);
  }
  return (instantiate(adapter, { e: { f: run } }) as { readonly f: unknown }).f;
}
