// The machine in which functions run. While a library is loaded it sees a world of its own: the
// table `redis` with register_function and little else. Its functions see the world of scripts.
//
// What both see as their globals is one empty, read-only table; the metatable that finds things in
// it is turned from one world to the other.

import { BAD_NAME, isFunctionName } from './function-head.js';
import {
  GLOBALS,
  HookMask,
  type LuaMachine,
  type LuaState,
  LuaStatus,
  LuaType,
  REGISTRY,
} from './lua-api.js';
import type { ScriptHost } from './redis-api.js';
import { pushError } from './resp-to-lua.js';
import { protectRecursively, setErrorMetatable } from './sandbox.js';
import { ScriptMachine } from './script-machine.js';
import { SCRIPT_FLAGS } from './shebang.js';

/** Where the handler of errors lies on the stack; nothing is above it between runs. */
const HANDLER = 1;
const CHUNK = '@user_function';

const NOT_LOADING = 'redis.register_function can only be called on FUNCTION LOAD command';
const FEW_OR_MANY = 'wrong number of arguments to redis.register_function';
const BAD_FLAGS =
  'flags argument to redis.register_function must be a table representing function flags';
const NO_TABLE =
  'calling redis.register_function with a single argument is only applicable to Lua table ' +
  '(representing named arguments).';

/** What libraries see of the table `redis` of scripts. */
const SHARED_FIELDS = [
  ...['log', 'LOG_DEBUG', 'LOG_VERBOSE', 'LOG_NOTICE', 'LOG_WARNING'],
  ...['REDIS_VERSION', 'REDIS_VERSION_NUM'],
];

/** A function that a library has registered. */
export interface RegisteredFunction {
  readonly name: string;
  readonly description: string | null;
  /** ScriptFlag bits. */
  readonly flags: number;
  /** In Lua's registry. */
  readonly reference: number;
}

/** Arguments of redis.register_function while they are read. */
interface Registration {
  name: string | null;
  description: string | null;
  flags: number;
  reference: number | null;
}

export class FunctionMachine {
  readonly machine: ScriptMachine;
  private readonly lua: LuaMachine;
  /** References of the two worlds. */
  private readonly ofScripts: number;
  private readonly ofLibraries: number;
  /** The functions of the library that is being loaded. */
  private loading: RegisteredFunction[] | null = null;

  constructor(host: ScriptHost, version: string) {
    this.machine = new ScriptMachine({ host, version, isEval: false });
    this.lua = this.machine.lua;
    const { raw, main } = this.lua;
    raw.lua_pushvalue(main, GLOBALS);
    this.ofScripts = raw.luaL_ref(main, REGISTRY);
    this.pushLibraryWorld();
    this.ofLibraries = raw.luaL_ref(main, REGISTRY);
    this.replaceGlobals();
  }

  private pushLibraryWorld(): void {
    const { lua } = this;
    const { raw, main } = lua;
    raw.lua_createtable(main, 0, 1);
    raw.lua_createtable(main, 0, 8);
    lua.getField(main, GLOBALS, 'redis');
    for (const name of SHARED_FIELDS) {
      lua.getField(main, -1, name);
      lua.setField(main, -3, name);
    }
    raw.lua_settop(main, -2);
    lua.setFunction(main, -1, 'register_function', (state) => this.register(state));
    setErrorMetatable(lua);
    lua.setField(main, -2, 'redis');
    setErrorMetatable(lua);
    protectRecursively(lua);
  }

  private replaceGlobals(): void {
    const { lua } = this;
    const { raw, main } = lua;
    raw.lua_createtable(main, 0, 0);
    raw.lua_createtable(main, 0, 1);
    raw.lua_rawgeti(main, REGISTRY, this.ofScripts);
    lua.setField(main, -2, '__index');
    lua.setReadOnly(main, -1, true);
    raw.lua_setmetatable(main, -2);
    lua.setReadOnly(main, -1, true);
    raw.lua_replace(main, GLOBALS);
  }

  /** Lets the globals show another world. */
  private turnTo(world: number): void {
    const { lua } = this;
    const { raw, main } = lua;
    raw.lua_getmetatable(main, GLOBALS);
    lua.setReadOnly(main, -1, false);
    raw.lua_rawgeti(main, REGISTRY, world);
    lua.setField(main, -2, '__index');
    lua.setReadOnly(main, -1, true);
    raw.lua_settop(main, HANDLER);
  }

  /**
   * Runs the source of a library, which registers its functions. A text says what is wrong.
   * `isOverdue` is asked now and then; LuaBroken is thrown where the machine is of no use any more.
   */
  load(source: Uint8Array, isOverdue: () => boolean): readonly RegisteredFunction[] | string {
    const { lua, machine } = this;
    const { raw, main } = lua;
    if (lua.load(main, source, CHUNK) !== LuaStatus.Ok) {
      const problem = `Error compiling function: ${lua.textAt(main, -1)}`;
      raw.lua_settop(main, HANDLER);
      return problem;
    }
    const functions: RegisteredFunction[] = [];
    this.loading = functions;
    machine.interrupt = (state) => this.interrupt(state, isOverdue);
    raw.lua_insert(main, HANDLER + 1);
    const chunk = raw.luaL_ref(main, REGISTRY);
    this.turnTo(this.ofLibraries);
    raw.lua_rawgeti(main, REGISTRY, chunk);
    raw.luaL_unref(main, REGISTRY, chunk);
    const status = lua.protectedCall(main, 0, 0, 0);
    const problem = status === LuaStatus.Ok ? null : this.problemOnTop();
    raw.lua_settop(main, HANDLER);
    this.turnTo(this.ofScripts);
    machine.interrupt = null;
    machine.watch();
    this.loading = null;
    if (problem === null && functions.length > 0) return functions;
    for (const { reference } of functions) this.forget(reference);
    return problem ?? 'No functions registered';
  }

  private problemOnTop(): string {
    const { lua } = this;
    const { raw, main } = lua;
    let text: string;
    if (raw.lua_isstring(main, -1) !== 0) text = `ERR ${lua.textAt(main, -1)}`;
    else {
      if (raw.lua_type(main, -1) === LuaType.Table) lua.getField(main, -1, 'err');
      text = lua.textAt(main, -1);
    }
    return `Error registering functions: ${text}`;
  }

  private interrupt(state: LuaState, isOverdue: () => boolean): number {
    const { lua, machine } = this;
    if (!isOverdue()) return 0;
    // At every line from now on, so that no pcall gets it any further.
    lua.setHook(lua.main, machine.tick, HookMask.Line, 0);
    lua.setHook(state, machine.tick, HookMask.Line, 0);
    pushError(lua, state, 'FUNCTION LOAD timeout', false);
    return lua.error(state);
  }

  /** Gives a function back. */
  forget(reference: number): void {
    this.machine.forget(reference);
  }

  // ---- redis.register_function ----------------------------------------------------------------

  private register(state: LuaState): number {
    const { lua, loading } = this;
    const { raw } = lua;
    if (loading === null) this.fail(state, NOT_LOADING);
    const count = raw.lua_gettop(state);
    if (count < 1 || count > 2) this.fail(state, FEW_OR_MANY);
    const registration: Registration = {
      name: null,
      description: null,
      flags: 0,
      reference: null,
    };
    let problem =
      count === 1 ? this.readNamed(state, registration) : this.readPair(state, registration);
    const { name, description, flags, reference } = registration;
    if (problem === null && name === null) {
      problem = 'redis.register_function must get a function name argument';
    } else if (problem === null && reference === null) {
      problem = 'redis.register_function must get a callback argument';
    } else if (problem === null && !isFunctionName(name!)) problem = BAD_NAME;
    else if (problem === null && loading.some((known) => isSameName(known.name, name!))) {
      problem = 'Function already exists in the library';
    }
    if (problem !== null) {
      if (reference !== null) raw.luaL_unref(state, REGISTRY, reference);
      this.fail(state, problem);
    }
    loading.push({ name: name!, description, flags, reference: reference! });
    return 0;
  }

  private fail(state: LuaState, sentence: string): never {
    pushError(this.lua, state, sentence, false);
    return this.lua.error(state);
  }

  /** register_function(name, callback) */
  private readPair(state: LuaState, registration: Registration): string | null {
    const { lua } = this;
    const { raw } = lua;
    if (raw.lua_isstring(state, 1) === 0) {
      return 'first argument to redis.register_function must be a string';
    }
    registration.name = lua.textAt(state, 1);
    if (raw.lua_type(state, 2) !== LuaType.Function) {
      return 'second argument to redis.register_function must be a function';
    }
    registration.reference = raw.luaL_ref(state, REGISTRY);
    return null;
  }

  /** register_function{function_name=…, callback=…, flags={…}, description=…} */
  private readNamed(state: LuaState, registration: Registration): string | null {
    const { lua } = this;
    const { raw } = lua;
    if (raw.lua_type(state, 1) !== LuaType.Table) return NO_TABLE;
    raw.lua_pushnil(state);
    while (raw.lua_next(state, 1) !== 0) {
      if (raw.lua_type(state, -2) !== LuaType.String) {
        return raw.lua_type(state, -2) === LuaType.Number
          ? 'unknown argument given to redis.register_function'
          : 'named argument key given to redis.register_function is not a string';
      }
      const key = lua.textAt(state, -2).toLowerCase();
      const problem = this.readArgument(state, key, registration);
      if (problem !== null) return problem;
      raw.lua_settop(state, 2);
    }
    return null;
  }

  /** Reads the value on top. */
  private readArgument(state: LuaState, key: string, registration: Registration): string | null {
    const { lua } = this;
    const { raw } = lua;
    const type = raw.lua_type(state, -1);
    const isText = type === LuaType.String || type === LuaType.Number;
    if (key === 'function_name' || key === 'description') {
      if (!isText) return `${key} argument given to redis.register_function must be a string`;
      registration[key === 'description' ? 'description' : 'name'] = lua.textAt(state, -1);
      return null;
    }
    if (key === 'callback') {
      if (type !== LuaType.Function) {
        return 'callback argument given to redis.register_function must be a function';
      }
      registration.reference = raw.luaL_ref(state, REGISTRY);
      return null;
    }
    if (key !== 'flags') return 'unknown argument given to redis.register_function';
    if (type !== LuaType.Table) {
      return BAD_FLAGS;
    }
    const flags = this.flagsOnTop(state);
    if (flags === null) return 'unknown flag given';
    registration.flags = flags;
    return null;
  }

  /** The flags that the list on top names; null if one is none. */
  private flagsOnTop(state: LuaState): number | null {
    const { lua } = this;
    const { raw } = lua;
    let flags = 0;
    for (let index = 1; ; index++) {
      raw.lua_pushnumber(state, index);
      raw.lua_gettable(state, -2);
      if (raw.lua_type(state, -1) === LuaType.Nil) break;
      const flag = SCRIPT_FLAGS.get(lua.textAt(state, -1).toLowerCase());
      if (flag === undefined) return null;
      flags |= flag;
      raw.lua_settop(state, -2);
    }
    raw.lua_settop(state, -2);
    return flags;
  }
}

/** Functions are called by their names in any case. */
function isSameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
