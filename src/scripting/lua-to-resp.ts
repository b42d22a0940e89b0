// What a script returns becomes a reply, as Redis makes it:
//
//   string → bulk string · number → integer, its fraction cut off · list → array, up to its first
//   nil · {ok=…} → status · {err=…} → error · false → no value, true → 1 (after redis.setresp(3):
//   booleans) · {double=…}, {big_number=…}, {verbatim_string=…}, {map=…}, {set=…} → theirs in RESP3
//
// A list is gone through twice, because its length comes first.

import type { Reply } from '../resp/write.js';
import { type LuaMachine, type LuaState, LuaType } from './lua-api.js';
import { nodeOf, numberAt, pop, textLength, textStart, topValue, typeAt } from './lua-stack.js';

/** What luaReplyToRedisReply asks room for at every level. */
const VALUES_PER_LEVEL = 4;
/** Tables within tables. Lua's stack would hold 8000, the thread's own not in all cases. */
const LEVELS_MAX = 2000;
const LINE_BREAKS = /[\r\n]/g;
const TWO_32 = 2 ** 32;
const TWO_63 = 2 ** 63;

/** An error that a script has returned, for whoever counts them. */
export interface ReturnedError {
  readonly line: string;
  /** Statistics have it already: it was a command's. */
  readonly isCounted: boolean;
}

export class ReplyWriter {
  private readonly machine: LuaMachine;
  private readonly state: LuaState;
  private readonly failed: (error: ReturnedError) => void;
  /** The node of tables without named fields. */
  private readonly bareNode: number;
  /** The script has asked for RESP3. */
  private hasNewTypes = false;
  private level = 0;

  /** `failed` hears of every error in a reply. */
  constructor(machine: LuaMachine, failed: (error: ReturnedError) => void) {
    this.machine = machine;
    this.state = machine.main;
    this.failed = failed;
    machine.raw.lua_createtable(machine.main, 0, 0);
    this.bareNode = nodeOf(machine, topValue(machine, machine.main));
    pop(machine, machine.main, 1);
  }

  /** Writes the topmost value and takes it away. */
  write(reply: Reply, scriptProtocol: 2 | 3): void {
    this.hasNewTypes = scriptProtocol === 3;
    this.level = 0;
    this.writeTop(reply);
  }

  private writeTop(reply: Reply): void {
    const { machine, state } = this;
    const { raw } = machine;
    const value = topValue(machine, state);
    const type = typeAt(machine, value);
    if (type === LuaType.String) {
      reply.bulk(machine.u8, textStart(machine, value), textLength(machine, value));
    } else if (type === LuaType.Number) {
      writeNumber(reply, numberAt(machine, value));
    } else if (type === LuaType.Boolean) {
      this.writeBoolean(reply, raw.lua_toboolean(state, -1) !== 0);
    } else if (type === LuaType.Table) {
      this.level++;
      if (this.level <= LEVELS_MAX && raw.lua_checkstack(state, VALUES_PER_LEVEL) !== 0) {
        this.writeTable(reply);
      } else {
        const line = 'ERR reached lua stack limit';
        this.failed({ line, isCounted: false });
        reply.error(line);
      }
      this.level--;
    } else reply.nil();
    raw.lua_settop(state, -2);
  }

  private writeBoolean(reply: Reply, isTrue: boolean): void {
    if (this.hasNewTypes) reply.boolean(isTrue);
    else if (isTrue) reply.integer(1);
    else reply.nil();
  }

  private writeTable(reply: Reply): void {
    const { machine, state } = this;
    const isList = nodeOf(machine, topValue(machine, state)) === this.bareNode;
    if (isList || !this.writeNamed(reply)) this.writeList(reply);
  }

  /** Writes a table that says by a field what it is; false if it does not. */
  private writeNamed(reply: Reply): boolean {
    const { machine, state } = this;
    if (this.pushField('err') === LuaType.String) {
      pop(machine, state, 1);
      const error = errorOf(machine, state);
      this.failed(error);
      reply.error(error.line);
      return true;
    }
    pop(machine, state, 1);
    if (this.pushField('ok') === LuaType.String) {
      reply.simple(beforeZero(machine.textAt(state, -1)).replace(LINE_BREAKS, ' '));
    } else if (this.pushOther('double') === LuaType.Number) {
      reply.double(numberAt(machine, topValue(machine, state)));
    } else if (this.pushOther('big_number') === LuaType.String) {
      reply.bigNumber(machine.textAt(state, -1).replace(LINE_BREAKS, ' '));
    } else if (this.pushOther('verbatim_string') === LuaType.Table && this.writeVerbatim(reply)) {
      // Written.
    } else if (this.pushOther('map') === LuaType.Table) {
      this.writePairs(reply, true);
    } else if (this.pushOther('set') === LuaType.Table) {
      this.writePairs(reply, false);
    } else {
      pop(machine, state, 1);
      return false;
    }
    pop(machine, state, 1);
    return true;
  }

  /** Pushes a field of the topmost table, by its own rules only; gives the type. */
  private pushField(name: string): number {
    const { machine, state } = this;
    machine.pushText(state, name);
    machine.raw.lua_rawget(state, -2);
    return typeAt(machine, topValue(machine, state));
  }

  /** As pushField, in place of the field that was pushed before. */
  private pushOther(name: string): number {
    pop(this.machine, this.state, 1);
    return this.pushField(name);
  }

  /** The verbatim string of the topmost table, if it is one. */
  private writeVerbatim(reply: Reply): boolean {
    const { machine, state } = this;
    if (this.pushField('format') !== LuaType.String) {
      pop(machine, state, 1);
      return false;
    }
    const format = machine.textAt(state, -1);
    if (this.pushOther('string') !== LuaType.String) {
      pop(machine, state, 1);
      return false;
    }
    const value = topValue(machine, state);
    const start = textStart(machine, value);
    const length = textLength(machine, value);
    if (reply.protocol === 2) reply.bulk(machine.u8, start, length);
    else reply.verbatimBytes(machine.u8, start, length, format);
    pop(machine, state, 1);
    return true;
  }

  /** The topmost table as a map, or its keys as a set. */
  private writePairs(reply: Reply, isMap: boolean): void {
    const { machine, state } = this;
    const { raw } = machine;
    let count = 0;
    raw.lua_pushnil(state);
    while (raw.lua_next(state, -2) !== 0) {
      raw.lua_settop(state, -2);
      count++;
    }
    if (isMap) reply.map(count);
    else reply.set(count);
    raw.lua_pushnil(state);
    while (raw.lua_next(state, -2) !== 0) {
      if (!isMap) raw.lua_settop(state, -2);
      raw.lua_pushvalue(state, isMap ? -2 : -1);
      this.writeTop(reply);
      if (isMap) this.writeTop(reply);
    }
  }

  private writeList(reply: Reply): void {
    const { machine, state } = this;
    const { raw } = machine;
    let count = 0;
    for (;;) {
      raw.lua_rawgeti(state, -1, count + 1);
      const type = typeAt(machine, topValue(machine, state));
      pop(machine, state, 1);
      if (type === LuaType.Nil) break;
      count++;
    }
    reply.array(count);
    for (let index = 1; index <= count; index++) {
      raw.lua_rawgeti(state, -1, index);
      this.writeTop(reply);
    }
  }
}

/** A number as Redis casts it: the fraction goes, what int64 cannot hold becomes its least. */
function writeNumber(reply: Reply, value: number): void {
  if (Number.isSafeInteger(value)) {
    // A negative zero is none.
    reply.integer(value + 0);
    return;
  }
  const whole = Math.trunc(value);
  if (Number.isSafeInteger(whole)) reply.integer(whole + 0);
  else if (whole >= -TWO_63 && whole < TWO_63) {
    const high = Math.floor(whole / TWO_32);
    reply.int64((whole - high * TWO_32) | 0, high | 0);
  } else reply.int64(0, -(2 ** 31));
}

/**
 * The error that lies on top of the stack, which stays there: a table with fields `err`, `source`
 * and `line`, or any text. `name` is that of the script, for what says where it happened.
 */
export function errorOf(machine: LuaMachine, state: LuaState, name?: string): ReturnedError {
  const { raw } = machine;
  const line = fieldText(machine, state, 'err') ?? '';
  let where = '';
  if (name !== undefined) {
    const source = fieldText(machine, state, 'source');
    const at = fieldText(machine, state, 'line');
    if (source !== null && at !== null) where = ` script: ${name}, on ${source}:${at}.`;
  }
  rawField(machine, state, 'ignore_error_stats_update');
  const isCounted = raw.lua_toboolean(state, -1) !== 0;
  raw.lua_settop(state, -2);
  return { line: `${line}${where}`.replace(LINE_BREAKS, ' '), isCounted };
}

function fieldText(machine: LuaMachine, state: LuaState, name: string): string | null {
  const { raw } = machine;
  rawField(machine, state, name);
  const text = raw.lua_isstring(state, -1) !== 0 ? beforeZero(machine.textAt(state, -1)) : null;
  raw.lua_settop(state, -2);
  return text;
}

/** By the table's own fields only: nothing catches what a metatable's function may raise here. */
function rawField(machine: LuaMachine, state: LuaState, name: string): void {
  machine.pushText(state, name);
  machine.raw.lua_rawget(state, -2);
}

/** Redis takes these texts as C strings. */
function beforeZero(text: string): string {
  const zeroAt = text.indexOf('\0');
  return zeroAt === -1 ? text : text.slice(0, zeroAt);
}
