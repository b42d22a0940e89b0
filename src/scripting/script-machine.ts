// A Lua machine in which scripts run: the libraries, the table `redis`, and running a compiled
// function with its keys and arguments. Scripts of EVAL and functions of FUNCTION LOAD each have
// one, per thread.
//
// Lua's stack outside of a run holds one value: the function that makes a table of every error,
// with the place where it happened.

import { withView } from '../base/bytes.js';
import type { Slices } from '../base/slices.js';
import type { Reply } from '../resp/write.js';
import {
  Collect,
  GLOBALS,
  HookMask,
  LuaBroken,
  type LuaFunction,
  LuaMachine,
  type LuaState,
  LuaStatus,
  LuaType,
  REGISTRY,
} from './lua-api.js';
import { READ_ONLY_BIT, TABLE_MARKED_AT } from './lua-binary.js';
import { checkStack, topValue, typeAt } from './lua-stack.js';
import { errorOf, ReplyWriter, type ReturnedError } from './lua-to-resp.js';
import { RedisApi, type ScriptHost } from './redis-api.js';
import { pushError } from './resp-to-lua.js';
import { openSandbox, sealSandbox } from './sandbox.js';

/** Where the handler of errors lies on the stack. */
const HANDLER = 1;
/** Instructions between two looks at the clock: some hundred microseconds. */
const TICK_INSTRUCTIONS = 100_000;
/** Redis's period, and its step: garbage is collected in small pieces between scripts. */
const RUNS_PER_COLLECTION = 50;
const COLLECTION_STEP = 50;
const MEMORY_BYTES_MAX = 256 * 1024 * 1024;
/** A machine that holds more after a run has to show that it needs it. */
const HELD_BYTES_MAX = 64 * 1024 * 1024;

const HANDLER_SOURCE = `
local getinfo, type, tostring = debug.getinfo, type, tostring
return function(err)
  local at = getinfo(2, 'nSl')
  if at and at.what == 'C' then at = getinfo(3, 'nSl') end
  if type(err) ~= 'table' then err = {err = 'ERR ' .. tostring(err)} end
  if at then
    err.source = at.source
    err.line = at.currentline
  end
  return err
end`;

/** Longer lists of keys are made anew each time. */
const KEPT_KEYS_MAX = 16;

const KILLED = 'Script killed by user with SCRIPT KILL...';

/** A compiled function, and what its errors call it. */
export interface Runnable {
  /** In Lua's registry, as luaL_ref gives it. */
  readonly reference: number;
  /** Of a script its SHA-1, of a function its name. */
  readonly name: string;
  /** Does it look at KEYS and ARGV? Scripts that prove that they do not are spared the tables. */
  readonly readsKeys: boolean;
  /** Is it proved that it neither changes KEYS nor lets it out? The next one may have it, too. */
  readonly leavesKeys: boolean;
  readonly readsArguments: boolean;
}

export interface ScriptMachineOptions {
  readonly host: ScriptHost;
  /** The version of Redis that scripts are told. */
  readonly version: string;
  /** Keys and arguments are globals (EVAL), or the two arguments of the function. */
  readonly isEval: boolean;
}

export class ScriptMachine {
  readonly lua: LuaMachine;
  readonly api: RedisApi;
  private readonly host: ScriptHost;
  private readonly isEval: boolean;
  private readonly writer: ReplyWriter;
  /** Addresses of names, and of the byte that makes the globals read-only. */
  private readonly keysName: number;
  private readonly argumentsName: number;
  private readonly globalsMark: number;
  /** The KEYS of scripts that leave it as it is, in the registry; 0 for none, and its size. */
  private keptKeys = 0;
  private keptCount = 0;
  /** Is the global KEYS that table? */
  private isShown = false;
  private runsUntilCollection = RUNS_PER_COLLECTION;
  /** What the last run has answered as an error; null if none. */
  private error: ReturnedError | null = null;
  private isKilled = false;
  /** The hook that `watch` sets. */
  readonly tick = (state: LuaState): number => this.onTick(state);
  /** Asked in place of the host, while something else than a script runs. */
  interrupt: LuaFunction | null = null;

  constructor(options: ScriptMachineOptions) {
    const lua = new LuaMachine({
      memoryBytesMax: MEMORY_BYTES_MAX,
      onMatchTick: (state) => void this.onTick(state),
    });
    this.lua = lua;
    this.host = options.host;
    this.isEval = options.isEval;
    checkStack(lua);
    openSandbox(lua);
    this.pushHandler();
    this.api = new RedisApi(lua, options.host);
    this.api.pushTable(options.version, options.isEval);
    lua.setField(lua.main, GLOBALS, 'redis');
    sealSandbox(lua);
    this.writer = new ReplyWriter(lua, (error) => {
      this.error = error;
    });
    this.watch();
    this.keysName = lua.name('KEYS');
    this.argumentsName = lua.name('ARGV');
    this.globalsMark = lua.raw.lua_topointer(lua.main, GLOBALS) + TABLE_MARKED_AT;
  }

  /** Has the host, or `interrupt`, asked now and then from now on. */
  watch(): void {
    this.lua.setHook(this.lua.main, this.tick, HookMask.Count, TICK_INSTRUCTIONS);
  }

  private pushHandler(): void {
    const { lua } = this;
    lua.load(lua.main, Buffer.from(HANDLER_SOURCE, 'latin1'), '@err_handler_def');
    lua.protectedCall(lua.main, 0, 1, 0);
  }

  /**
   * Compiles a source; its function is kept in the registry under the reference that is returned. A
   * text says why it cannot be compiled.
   */
  compile(source: Uint8Array, chunkName: string): number | string {
    const { lua } = this;
    const { raw, main } = lua;
    if (lua.load(main, source, chunkName) === LuaStatus.Ok) return raw.luaL_ref(main, REGISTRY);
    const message = lua.textAt(main, -1);
    raw.lua_settop(main, HANDLER);
    return message;
  }

  /** Gives a compiled function back. */
  forget(reference: number): void {
    this.lua.raw.luaL_unref(this.lua.main, REGISTRY, reference);
  }

  /**
   * Runs a function with the keys args[firstKey, firstKey + keyCount) and all further words as its
   * arguments, and writes what it returns. Returns the error that it answered, or null. LuaBroken
   * is thrown where the machine is of no use any more; then nothing was written.
   */
  run(
    runnable: Runnable,
    args: Slices,
    firstKey: number,
    keyCount: number,
    reply: Reply,
  ): ReturnedError | null {
    const { lua, api, isEval } = this;
    const { raw, main } = lua;
    this.error = null;
    api.protocol = 2;
    raw.lua_rawgeti(main, REGISTRY, runnable.reference);
    const firstArgument = firstKey + keyCount;
    if (isEval) {
      this.lockGlobals(false);
      if (runnable.readsKeys) this.setKeys(runnable, args, firstKey, firstArgument);
      if (runnable.readsArguments) {
        this.setGlobal(this.argumentsName, args, firstArgument, args.count);
      }
      this.lockGlobals(true);
    } else {
      this.pushWords(args, firstKey, firstArgument);
      this.pushWords(args, firstArgument, args.count);
    }
    const status = lua.protectedCall(main, isEval ? 0 : 2, 1, HANDLER);
    if (status === LuaStatus.Ok) this.writer.write(reply, api.protocol);
    else this.writeError(reply, runnable.name);
    raw.lua_settop(main, HANDLER);
    this.afterRun();
    return this.error;
  }

  private setKeys(runnable: Runnable, args: Slices, from: number, to: number): void {
    if (runnable.leavesKeys && to - from <= KEPT_KEYS_MAX) {
      this.refillKeys(args, from, to);
      return;
    }
    this.isShown = false;
    this.setGlobal(this.keysName, args, from, to);
  }

  /** Puts other keys into the KEYS of the script before. */
  private refillKeys(args: Slices, from: number, to: number): void {
    const { lua } = this;
    const { raw, main } = lua;
    if (this.keptKeys === 0 || to - from !== this.keptCount) this.makeKeys(to - from);
    raw.lua_rawgeti(main, REGISTRY, this.keptKeys);
    this.fill(args, from, to);
    if (this.isShown) {
      raw.lua_settop(main, -2);
      return;
    }
    raw.lua_setfield(main, GLOBALS, this.keysName);
    this.isShown = true;
  }

  private makeKeys(count: number): void {
    const { raw, main } = this.lua;
    if (this.keptKeys !== 0) raw.luaL_unref(main, REGISTRY, this.keptKeys);
    raw.lua_createtable(main, count, 0);
    this.keptKeys = raw.luaL_ref(main, REGISTRY);
    this.keptCount = count;
    this.isShown = false;
  }

  private setGlobal(name: number, args: Slices, from: number, to: number): void {
    this.pushWords(args, from, to);
    this.lua.raw.lua_setfield(this.lua.main, GLOBALS, name);
  }

  private lockGlobals(isLocked: boolean): void {
    const { u8 } = this.lua;
    const at = this.globalsMark;
    u8[at] = isLocked ? u8[at]! | READ_ONLY_BIT : u8[at]! & ~READ_ONLY_BIT;
  }

  /** Pushes a list of the words from `from` up to `to`. */
  private pushWords(args: Slices, from: number, to: number): void {
    const { raw, main } = this.lua;
    raw.lua_createtable(main, to - from, 0);
    this.fill(args, from, to);
  }

  /** Puts the words into the list on the top of the stack. */
  private fill(args: Slices, from: number, to: number): void {
    const { lua } = this;
    const { raw, main } = lua;
    for (let index = from; index < to; index++) {
      lua.pushBytes(main, args.u8, args.startOf(index), args.lengthOf(index));
      raw.lua_rawseti(main, -2, index - from + 1);
    }
  }

  private writeError(reply: Reply, name: string): void {
    const { lua } = this;
    const { main } = lua;
    let error: ReturnedError;
    if (typeAt(lua, topValue(lua, main)) === LuaType.Table) error = errorOf(lua, main, name);
    else {
      const text = lua.textAt(main, -1).slice(0, 100);
      const line = `ERR Error running script ${name}, ${text || 'execution failure'}`;
      error = { line: line.replace(/[\r\n]/g, ' ').trimEnd(), isCounted: false };
    }
    this.error = error;
    reply.error(error.line);
  }

  private afterRun(): void {
    const { lua } = this;
    if (this.isKilled) {
      this.isKilled = false;
      this.watch();
    }
    if (--this.runsUntilCollection > 0) return;
    this.runsUntilCollection = RUNS_PER_COLLECTION;
    lua.raw.lua_gc(lua.main, Collect.Step, COLLECTION_STEP);
  }

  /** Gives back what nothing holds any more; not in the middle of a run. */
  collect(): void {
    this.lua.raw.lua_gc(this.lua.main, Collect.Full, 0);
  }

  /** Has a run left the machine so large that another one had better be made? */
  get isBloated(): boolean {
    const { lua } = this;
    if (lua.heldBytes <= HELD_BYTES_MAX) return false;
    this.collect();
    return lua.usedBytes() < lua.heldBytes / 2;
  }

  private onTick(state: LuaState): number {
    const { lua, interrupt } = this;
    if (interrupt !== null) return interrupt(state);
    if (!this.isKilled && !this.host.tick()) return 0;
    this.isKilled = true;
    // At every line from now on, so that no pcall of the script's gets it any further.
    lua.setHook(lua.main, this.tick, HookMask.Line, 0);
    lua.setHook(state, this.tick, HookMask.Line, 0);
    pushError(lua, state, KILLED, false);
    return lua.error(state);
  }
}

/** May whoever ran a script go on with a new machine after this exception? */
export function isBroken(thrown: unknown): thrown is LuaBroken {
  return thrown instanceof LuaBroken;
}

/** Bytes with a view of their words, for comparing. */
export function viewedCopy(u8: Uint8Array, start: number, length: number): Uint8Array {
  const copy = withView(new Uint8Array(new ArrayBuffer(length)));
  copy.set(u8.subarray(start, start + length));
  return copy;
}
