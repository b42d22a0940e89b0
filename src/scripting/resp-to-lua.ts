// Replies of commands become values of Lua, as Redis makes them: from the bytes of the protocol
// straight into the machine, without anything in between.
//
//   integer → number · bulk string → string · array → list · status → {ok=…} · error → {err=…}
//   no value → false · RESP3: null → nil · double → {double=…} · big number → {big_number=…} ·
//   verbatim → {verbatim_string={string=…, format=…}} · map → {map={…}} · set → {set={…=true}}

import type { LuaMachine, LuaState } from './lua-api.js';
import { pushBoolean, pushNil, pushNumber } from './lua-stack.js';

const enum Mark {
  Error = 0x2d,
  Status = 0x2b,
  Integer = 0x3a,
  Bulk = 0x24,
  Array = 0x2a,
  Push = 0x3e,
  Null = 0x5f,
  Boolean = 0x23,
  Double = 0x2c,
  BigNumber = 0x28,
  Verbatim = 0x3d,
  Map = 0x25,
  Set = 0x7e,
  Attribute = 0x7c,
}

const CR = 0x0d;
const MINUS = 0x2d;
const ZERO = 0x30;
const TRUE = 0x74;
const LINE_END_BYTES = 2;
/** `txt:` in front of a verbatim string. */
const FORMAT_BYTES = 4;
/** A function that Lua calls may push twenty values without asking; a level here takes three. */
const FREE_LEVELS = 5;
const VALUES_PER_LEVEL = 4;

export class ReplyReader {
  private readonly machine: LuaMachine;
  private state: LuaState = 0;
  private u8: Uint8Array = new Uint8Array(0);
  /** What is read next. */
  private at = 0;
  /** Where u8[0] lies in the machine's memory; −1 when it lies elsewhere. */
  private address = -1;
  private level = 0;

  constructor(machine: LuaMachine) {
    this.machine = machine;
  }

  /**
   * Pushes the value of the one reply that u8 begins with, whose first byte lies at `address` in
   * the machine's memory, or elsewhere (−1).
   */
  push(state: LuaState, u8: Uint8Array, address: number): void {
    this.state = state;
    this.u8 = u8;
    this.at = 0;
    this.address = address;
    this.level = 0;
    this.pushNext();
  }

  private pushNext(): void {
    const mark = this.u8[this.at++]!;
    if (mark === Mark.Bulk) this.pushBulk();
    else if (mark === Mark.Integer) pushNumber(this.machine, this.state, this.integer());
    else if (mark === Mark.Array) this.pushArray();
    else if (mark === Mark.Status) this.pushField('ok');
    else if (mark === Mark.Error) this.pushError();
    else this.pushNewer(mark);
  }

  private pushNewer(mark: number): void {
    const { machine, state } = this;
    if (mark === Mark.Null) {
      this.at += LINE_END_BYTES;
      pushNil(machine, state);
    } else if (mark === Mark.Boolean) {
      pushBoolean(machine, state, this.u8[this.at] === TRUE);
      this.at += 1 + LINE_END_BYTES;
    } else if (mark === Mark.Double) this.pushDouble();
    else if (mark === Mark.BigNumber) this.pushField('big_number');
    else if (mark === Mark.Verbatim) this.pushVerbatim();
    else if (mark === Mark.Map) this.pushMap();
    else if (mark === Mark.Set) this.pushSet();
    else if (mark === Mark.Push) this.pushArray();
    else if (mark === Mark.Attribute) this.skipAttribute();
    else throw new Error(`a reply begins with the byte ${mark}`);
  }

  /** A number and its line end; of more than 2^53 the nearest double, as in Lua. */
  private integer(): number {
    const { u8 } = this;
    let at = this.at;
    const isNegative = u8[at] === MINUS;
    if (isNegative) at++;
    const first = at;
    let value = 0;
    for (let byte = u8[at]!; byte !== CR; byte = u8[++at]!) value = value * 10 + (byte - ZERO);
    this.at = at + LINE_END_BYTES;
    // Digit by digit every step would round.
    if (at - first > 15) value = Number(this.latin1(first, at));
    return isNegative ? -value : value;
  }

  private latin1(start: number, end: number): string {
    return Buffer.from(this.u8.buffer, this.u8.byteOffset + start, end - start).toString('latin1');
  }

  private lineEnd(): number {
    const { u8 } = this;
    let at = this.at;
    while (u8[at] !== CR) at++;
    return at;
  }

  private pushText(start: number, length: number): void {
    const { machine, state, address } = this;
    if (address < 0) machine.pushBytes(state, this.u8, start, length);
    else machine.raw.lua_pushlstring(state, address + start, length);
  }

  private pushBulk(): void {
    const length = this.integer();
    if (length < 0) {
      pushBoolean(this.machine, this.state, false);
      return;
    }
    const start = this.at;
    this.at = start + length + LINE_END_BYTES;
    this.pushText(start, length);
  }

  /** The rest of the line as the only field of a table. */
  private pushField(name: string): void {
    const { machine, state } = this;
    const start = this.at;
    const end = this.lineEnd();
    this.at = end + LINE_END_BYTES;
    machine.raw.lua_createtable(state, 0, 1);
    this.pushText(start, end - start);
    machine.setField(state, -2, name);
  }

  private pushError(): void {
    const start = this.at;
    const end = this.lineEnd();
    this.at = end + LINE_END_BYTES;
    pushError(this.machine, this.state, `-${this.latin1(start, end)}`, true);
  }

  private pushDouble(): void {
    const { machine, state } = this;
    const start = this.at;
    const end = this.lineEnd();
    this.at = end + LINE_END_BYTES;
    machine.raw.lua_createtable(state, 0, 1);
    pushNumber(machine, state, doubleOf(this.latin1(start, end)));
    machine.setField(state, -2, 'double');
  }

  private pushVerbatim(): void {
    const { machine, state } = this;
    const length = this.integer();
    const start = this.at;
    this.at = start + length + LINE_END_BYTES;
    machine.raw.lua_createtable(state, 0, 1);
    machine.raw.lua_createtable(state, 0, 2);
    this.pushText(start + FORMAT_BYTES, length - FORMAT_BYTES);
    machine.setField(state, -2, 'string');
    this.pushText(start, FORMAT_BYTES - 1);
    machine.setField(state, -2, 'format');
    machine.setField(state, -2, 'verbatim_string');
  }

  private enter(): void {
    if (++this.level <= FREE_LEVELS) return;
    this.machine.raw.luaL_checkstack(
      this.state,
      VALUES_PER_LEVEL,
      this.machine.name('too many nested replies'),
    );
  }

  private pushArray(): void {
    const { machine, state } = this;
    const { raw } = machine;
    const count = this.integer();
    if (count < 0) {
      pushBoolean(machine, state, false);
      return;
    }
    this.enter();
    raw.lua_createtable(state, count, 0);
    for (let index = 1; index <= count; index++) {
      this.pushNext();
      raw.lua_rawseti(state, -2, index);
    }
    this.level--;
  }

  private pushMap(): void {
    const { machine, state } = this;
    const { raw } = machine;
    const count = this.integer();
    this.enter();
    raw.lua_createtable(state, 0, 1);
    raw.lua_createtable(state, 0, count);
    for (let left = count; left > 0; left--) {
      this.pushNext();
      this.pushNext();
      raw.lua_rawset(state, -3);
    }
    machine.setField(state, -2, 'map');
    this.level--;
  }

  private pushSet(): void {
    const { machine, state } = this;
    const { raw } = machine;
    const count = this.integer();
    this.enter();
    raw.lua_createtable(state, 0, 1);
    raw.lua_createtable(state, 0, count);
    for (let left = count; left > 0; left--) {
      this.pushNext();
      pushBoolean(machine, state, true);
      raw.lua_rawset(state, -3);
    }
    machine.setField(state, -2, 'set');
    this.level--;
  }

  /** Scripts do not see attributes: what follows them is the value. */
  private skipAttribute(): void {
    const { machine, state } = this;
    for (let left = this.integer() * 2; left > 0; left--) {
      this.pushNext();
      machine.raw.lua_settop(state, -2);
    }
    this.pushNext();
  }
}

function doubleOf(text: string): number {
  if (text === 'inf') return Number.POSITIVE_INFINITY;
  if (text === '-inf') return Number.NEGATIVE_INFINITY;
  return Number(text);
}

/**
 * Pushes an error as scripts know it, {err=…}: of a line of the protocol, with its '-', or of a
 * sentence, which gets the code ERR. `isCounted`: statistics have it already.
 */
export function pushError(
  machine: LuaMachine,
  state: LuaState,
  line: string,
  isCounted: boolean,
): void {
  let code = 'ERR';
  let message = line;
  if (line.startsWith('-')) {
    const space = line.indexOf(' ');
    if (space !== -1) code = line.slice(1, space);
    message = line.slice(space === -1 ? 1 : space + 1);
  }
  machine.raw.lua_createtable(state, 0, 2);
  machine.pushText(state, `${code} ${message.replace(/^[\r\n]+|[\r\n]+$/g, '')}`);
  machine.setField(state, -2, 'err');
  if (!isCounted) return;
  machine.raw.lua_pushboolean(state, 1);
  machine.setField(state, -2, 'ignore_error_stats_update');
}
