// The table `redis` of scripts: commands, and what goes with them. What a command does is the
// host's business (dispatch/scripts.ts); here its arguments are found in the machine's memory,
// where they stay, and its reply becomes a value.

import { writeInteger } from '../base/ascii.js';
import { withView } from '../base/bytes.js';
import { DOUBLE_TEXT_BYTES_MAX, writeDouble } from '../base/float-text.js';
import { sha1Of } from '../base/sha1.js';
import { Slices } from '../base/slices.js';
import { GrowingEdge, Reply } from '../resp/write.js';
import { type LuaMachine, type LuaState, LuaType } from './lua-api.js';
import {
  argumentAt,
  argumentCount,
  numberAt,
  pushBoolean,
  textLength,
  textStart,
  typeAt,
} from './lua-stack.js';
import { pushError, ReplyReader } from './resp-to-lua.js';

/** What scripts need of the server around them. */
export interface ScriptHost {
  /**
   * Runs the command `args`, whose bytes are borrowed, for the script that runs. Its reply goes to
   * `reply`; a line or sentence that is returned says why it was not run at all.
   */
  call(args: Slices, reply: Reply): string | null;
  /** redis.acl_check_cmd: null when there is no such command. */
  mayCall(args: Slices): boolean | null;
  /** redis.set_repl: whether the log and replicas hear of what follows. */
  setReplication(toLog: boolean, toReplicas: boolean): void;
  /** The lowest of Redis's log levels, 0 to 3, that is written. */
  logLevel(): number;
  log(level: number, text: string): void;
  /** Now and then while a script runs; true: it is to end. */
  tick(): boolean;
}

/** Where a command's short reply is written: what is longer grows outside of the machine. */
const REPLY_BYTES = 32 * 1024;
/** Numbers among the arguments of one command that are written without Lua's help. */
const NUMBERS_MAX = 64;
const NUMBER_BYTES: number = Math.max(32, DOUBLE_TEXT_BYTES_MAX);
/** A reply that has grown beyond is not kept. */
const REPLY_BYTES_KEPT = 1024 * 1024;
const MINUS = 0x2d;
/** double2ll's limit. */
const WHOLE_MAX = 2 ** 62;

const enum Replication {
  Log = 1,
  Replicas = 2,
  All = 3,
}

const LEVELS = ['LOG_DEBUG', 'LOG_VERBOSE', 'LOG_NOTICE', 'LOG_WARNING'] as const;

export class RedisApi {
  /** redis.setresp: of the replies that commands give the script. */
  protocol: 2 | 3 = 2;
  private readonly machine: LuaMachine;
  private readonly host: ScriptHost;
  private readonly args = new Slices();
  private readonly reply: Reply;
  private readonly reader: ReplyReader;
  private readonly replyAddress: number;
  private readonly numbersAddress: number;
  /** The machine's memory as it was seen last, and views of it that know their words. */
  private memory: Uint8Array = new Uint8Array(0);
  private viewed: Uint8Array = this.memory;
  private replyBytes: Uint8Array = this.memory;

  constructor(machine: LuaMachine, host: ScriptHost) {
    this.machine = machine;
    this.host = host;
    this.reader = new ReplyReader(machine);
    this.replyAddress = machine.raw.malloc(REPLY_BYTES);
    this.numbersAddress = machine.raw.malloc(NUMBERS_MAX * NUMBER_BYTES);
    this.reply = new Reply(this.replyBytes, new GrowingEdge());
    this.viewMemory();
  }

  private viewMemory(): void {
    const { machine, replyAddress } = this;
    this.memory = machine.u8;
    const { buffer } = machine.u8;
    this.viewed = withView(new Uint8Array(buffer));
    this.replyBytes = withView(new Uint8Array(buffer, replyAddress, REPLY_BYTES));
    this.reply.u8 = this.replyBytes;
  }

  /**
   * Makes the table and leaves it on the stack. `isEval`: with what only scripts of EVAL have.
   */
  pushTable(version: string, isEval: boolean): void {
    const { machine } = this;
    const { main, raw } = machine;
    raw.lua_createtable(main, 0, 32);
    machine.setFunction(main, -1, 'call', (state) => this.call(state, true));
    machine.setFunction(main, -1, 'pcall', (state) => this.call(state, false));
    machine.setFunction(main, -1, 'log', (state) => this.log(state));
    machine.setFunction(main, -1, 'setresp', (state) => this.setProtocol(state));
    machine.setFunction(main, -1, 'sha1hex', (state) => this.sha1hex(state));
    machine.setFunction(main, -1, 'error_reply', (state) => this.errorReply(state));
    machine.setFunction(main, -1, 'status_reply', (state) => this.statusReply(state));
    machine.setFunction(main, -1, 'set_repl', (state) => this.setReplication(state));
    machine.setFunction(main, -1, 'acl_check_cmd', (state) => this.checkCommand(state));
    for (const [level, name] of LEVELS.entries()) this.setNumber(name, level);
    this.setNumber('REPL_NONE', 0);
    this.setNumber('REPL_AOF', Replication.Log);
    this.setNumber('REPL_SLAVE', Replication.Replicas);
    this.setNumber('REPL_REPLICA', Replication.Replicas);
    this.setNumber('REPL_ALL', Replication.All);
    this.setNumber('REDIS_VERSION_NUM', versionNumber(version));
    machine.pushText(main, version);
    machine.setField(main, -2, 'REDIS_VERSION');
    if (!isEval) return;
    machine.setFunction(main, -1, 'breakpoint', (state) => this.answer(state, false));
    machine.setFunction(main, -1, 'replicate_commands', (state) => this.answer(state, true));
    machine.setFunction(main, -1, 'debug', () => 0);
  }

  private setNumber(name: string, value: number): void {
    const { machine } = this;
    machine.raw.lua_pushnumber(machine.main, value);
    machine.setField(machine.main, -2, name);
  }

  private answer(state: LuaState, value: boolean): number {
    pushBoolean(this.machine, state, value);
    return 1;
  }

  // ---- commands -------------------------------------------------------------------------------

  private call(state: LuaState, raises: boolean): number {
    const { machine, reply, host, args } = this;
    const problem = this.readArguments(state);
    if (problem !== null) {
      pushError(machine, state, problem, false);
      return raises ? machine.error(state) : 1;
    }
    reply.u8 = this.replyBytes;
    reply.at = 0;
    reply.commandAt = 0;
    reply.protocol = this.protocol;
    const refused = host.call(args, reply);
    if (refused !== null) {
      pushError(machine, state, refused, true);
      return raises ? machine.error(state) : 1;
    }
    const { u8 } = reply;
    const isError = u8[0] === MINUS;
    this.reader.push(state, u8, u8 === this.replyBytes ? this.replyAddress : -1);
    if (u8.length > REPLY_BYTES_KEPT) reply.u8 = this.replyBytes;
    return isError && raises ? machine.error(state) : 1;
  }

  /** Points `args` at the arguments of the running function; gives what is wrong with them. */
  private readArguments(state: LuaState): string | null {
    const { machine, args } = this;
    const count = argumentCount(machine, state);
    if (count === 0) return 'Please specify at least one argument for this redis lib call';
    args.count = 0;
    let numberCount = 0;
    for (let index = 1; index <= count; index++) {
      const value = argumentAt(machine, state, index);
      const type = typeAt(machine, value);
      if (type === LuaType.String) {
        args.push(textStart(machine, value), textLength(machine, value));
      } else if (type === LuaType.Number) {
        this.addNumber(state, index, numberCount++);
      } else return 'Lua redis lib command arguments must be strings or integers';
    }
    // Writing numbers may have made the memory grow.
    if (this.memory !== machine.u8) this.viewMemory();
    args.u8 = this.viewed;
    args.rawEnd = 0;
    return null;
  }

  private addNumber(state: LuaState, index: number, numberIndex: number): void {
    const { machine, args } = this;
    const value = numberAt(machine, argumentAt(machine, state, index));
    if (numberIndex < NUMBERS_MAX) {
      const start = this.numbersAddress + numberIndex * NUMBER_BYTES;
      args.push(start, writeNumber(machine.u8, start, value));
      return;
    }
    machine.pushText(state, numberText(value));
    machine.raw.lua_replace(state, index);
    const text = argumentAt(machine, state, index);
    args.push(textStart(machine, text), textLength(machine, text));
  }

  private checkCommand(state: LuaState): number {
    const { machine, host, args } = this;
    const problem = this.readArguments(state);
    if (problem !== null) this.fail(state, problem);
    const isAllowed = host.mayCall(args);
    if (isAllowed === null) this.fail(state, 'Invalid command passed to redis.acl_check_cmd()');
    pushBoolean(machine, state, isAllowed);
    return 1;
  }

  /** Raises an error as scripts know it. */
  private fail(state: LuaState, sentence: string): never {
    pushError(this.machine, state, sentence, false);
    return this.machine.error(state);
  }

  // ---- the rest -------------------------------------------------------------------------------

  private log(state: LuaState): number {
    const { machine, host } = this;
    const { raw } = machine;
    const count = argumentCount(machine, state);
    if (count < 2) this.fail(state, 'redis.log() requires two arguments or more.');
    if (raw.lua_isnumber(state, 1) === 0) {
      this.fail(state, 'First argument must be a number (log level).');
    }
    const level = Math.trunc(raw.lua_tonumber(state, 1));
    if (!(level >= 0 && level < LEVELS.length)) this.fail(state, 'Invalid debug level.');
    if (level < host.logLevel()) return 0;
    let text = '';
    for (let index = 2; index <= count; index++) {
      if (raw.lua_isstring(state, index) === 0) continue;
      text += `${index === 2 ? '' : ' '}${machine.textAt(state, index)}`;
    }
    host.log(level, text);
    return 0;
  }

  private setProtocol(state: LuaState): number {
    const { machine } = this;
    if (argumentCount(machine, state) !== 1) {
      this.fail(state, 'redis.setresp() requires one argument.');
    }
    const version = Math.trunc(machine.raw.lua_tonumber(state, 1));
    if (version !== 2 && version !== 3) this.fail(state, 'RESP version must be 2 or 3.');
    this.protocol = version;
    return 0;
  }

  private sha1hex(state: LuaState): number {
    const { machine } = this;
    if (argumentCount(machine, state) !== 1) this.fail(state, 'wrong number of arguments');
    const start = machine.stringAt(state, 1);
    const length = start === 0 ? 0 : machine.stringLength;
    machine.pushText(state, sha1Of(machine.u8, start, length).toString('hex'));
    return 1;
  }

  private isOneText(state: LuaState): boolean {
    const { machine } = this;
    if (argumentCount(machine, state) !== 1) return false;
    return typeAt(machine, argumentAt(machine, state, 1)) === LuaType.String;
  }

  private errorReply(state: LuaState): number {
    const { machine } = this;
    if (!this.isOneText(state)) {
      pushError(machine, state, 'wrong number or type of arguments', false);
      return 1;
    }
    const text = beforeZero(machine.textAt(state, 1));
    pushError(machine, state, text.startsWith('-') ? text : `-${text}`, false);
    return 1;
  }

  private statusReply(state: LuaState): number {
    const { machine } = this;
    if (!this.isOneText(state)) {
      pushError(machine, state, 'wrong number or type of arguments', false);
      return 1;
    }
    machine.raw.lua_createtable(state, 0, 1);
    machine.raw.lua_pushvalue(state, 1);
    machine.setField(state, -2, 'ok');
    return 1;
  }

  private setReplication(state: LuaState): number {
    const { machine, host } = this;
    if (argumentCount(machine, state) !== 1) {
      this.fail(state, 'redis.set_repl() requires one argument.');
    }
    const flags = Math.trunc(machine.raw.lua_tonumber(state, 1));
    if (!(flags >= 0 && flags <= Replication.All)) {
      const names = 'REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE';
      this.fail(state, `Invalid replication flags. Use ${names}.`);
    }
    host.setReplication((flags & Replication.Log) !== 0, (flags & Replication.Replicas) !== 0);
    return 0;
  }
}

/** Writes an argument that is a number as Redis does; returns how many bytes. */
function writeNumber(u8: Uint8Array, start: number, value: number): number {
  if (Number.isSafeInteger(value)) return writeInteger(u8, start, value + 0);
  if (Number.isInteger(value) && Math.abs(value) <= WHOLE_MAX) {
    return Buffer.from(u8.buffer, u8.byteOffset).write(String(BigInt(value)), start, 'latin1');
  }
  return writeDouble(u8, start, value);
}

function numberText(value: number): string {
  const bytes = new Uint8Array(NUMBER_BYTES);
  return Buffer.from(bytes.buffer, 0, writeNumber(bytes, 0, value)).toString('latin1');
}

/** 7.2.6 as 0x00070206. */
function versionNumber(version: string): number {
  return version.split('.').reduce((number, part) => number * 256 + Number(part), 0);
}

function beforeZero(text: string): string {
  const zeroAt = text.indexOf('\0');
  return zeroAt === -1 ? text : text.slice(0, zeroAt);
}
