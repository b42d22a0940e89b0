// cmsgpack.unpack and its kin: bytes become values of Lua.

import type { LuaMachine, LuaState } from './lua-api.js';
import { pushBoolean, pushNil, pushNumber } from './lua-stack.js';

const TOO_MANY = 'too many return values at once; use unpack_one or unpack_limit instead.';

/** Bytes of the number behind each mark from 0xca to 0xd3: float, double, uints, ints. */
const NUMBER_BYTES = [4, 8, 1, 2, 4, 8, 1, 2, 4, 8];
const FIRST_NUMBER = 0xca;

/** A table that is being filled; the one inside lies above it on Lua's stack. */
interface Level {
  readonly isMap: boolean;
  /** Values that are still to come, of a map pairs. */
  left: number;
  /** Of a list the next index. */
  index: number;
  /** Of a map: does its next key lie on the stack? */
  hasKey: boolean;
}

export class Unpacking {
  /** What is read next. */
  at: number;
  /** A copy: the machine's memory may be replaced when a value is pushed. */
  private readonly u8: Uint8Array<ArrayBuffer>;
  private readonly view: DataView;
  // Not by recursion: the input says how deep it goes, and Lua's stack has a limit of its own.
  private readonly levels: Level[] = [];

  constructor(
    private readonly lua: LuaMachine,
    private readonly state: LuaState,
    private readonly address: number,
    offset: number,
    private readonly length: number,
  ) {
    this.u8 = lua.u8.slice(address, address + length);
    this.view = new DataView(this.u8.buffer);
    this.at = offset;
  }

  get isAtEnd(): boolean {
    return this.at === this.length;
  }

  /** Reads a value and pushes it, or raises an error. */
  pushValue(): void {
    while (!this.pushPart() || !this.isFinished());
  }

  /** Puts the value on top into its table, and each table that is full into its own. */
  private isFinished(): boolean {
    const { lua, state, levels } = this;
    for (;;) {
      const level = levels.at(-1);
      if (level === undefined) return true;
      if (level.isMap && !level.hasKey) {
        level.hasKey = true;
        return false;
      }
      lua.raw.lua_settable(state, -3);
      if (level.left > 0) {
        this.startNext(level);
        return false;
      }
      levels.pop();
    }
  }

  private startNext(level: Level): void {
    level.left--;
    level.hasKey = false;
    if (!level.isMap) pushNumber(this.lua, this.state, ++level.index);
  }

  /** Reads a mark and what belongs to it; false when a table was begun that needs values. */
  private pushPart(): boolean {
    const { lua, state, u8 } = this;
    this.need(1);
    lua.raw.luaL_checkstack(state, 1, lua.name(TOO_MANY));
    const mark = u8[this.at]!;
    if (mark < 0x80 || mark >= 0xe0) {
      this.at++;
      pushNumber(lua, state, (mark << 24) >> 24);
    } else if (mark < 0x90) return this.open(true, this.skip(mark & 0x0f));
    else if (mark < 0xa0) return this.open(false, this.skip(mark & 0x0f));
    else if (mark < 0xc0) this.pushString(this.skip(mark & 0x1f));
    else if (mark === 0xdc || mark === 0xdd) return this.open(false, this.count(mark - 0xdb));
    else if (mark === 0xde || mark === 0xdf) return this.open(true, this.count(mark - 0xdd));
    else this.pushMarked(mark);
    return true;
  }

  private open(isMap: boolean, count: number): boolean {
    const { lua, state } = this;
    lua.raw.lua_createtable(state, 0, 0);
    if (!isMap) lua.raw.luaL_checkstack(state, 1, lua.name('in function mp_decode_to_lua_array'));
    if (count === 0) return true;
    const level = { isMap, left: count, index: 0, hasKey: false };
    this.levels.push(level);
    this.startNext(level);
    return false;
  }

  private pushMarked(mark: number): void {
    const { lua, state } = this;
    if (mark >= FIRST_NUMBER && mark <= 0xd3) {
      const bytes = NUMBER_BYTES[mark - FIRST_NUMBER]!;
      this.need(1 + bytes);
      pushNumber(lua, state, this.numberAt(mark, this.at + 1));
      this.at += 1 + bytes;
    } else if (mark === 0xc0) {
      this.at++;
      pushNil(lua, state);
    } else if (mark === 0xc2 || mark === 0xc3) {
      this.at++;
      pushBoolean(lua, state, mark === 0xc3);
    } else if (mark >= 0xd9 && mark <= 0xdb) this.pushString(this.count(mark - 0xd9));
    else lua.fail(state, 'Bad data format in input.');
  }

  /** Raises an error unless `bytes` bytes are left. */
  private need(bytes: number): void {
    if (this.length - this.at < bytes) this.lua.fail(this.state, 'Missing bytes in input.');
  }

  /** Goes on behind a mark that holds a count itself. */
  private skip(count: number): number {
    this.at++;
    return count;
  }

  /** Reads the count behind a mark: of 1, 2 or 4 bytes for a power of 0, 1 or 2. */
  private count(power: number): number {
    const { view } = this;
    const bytes = 1 << power;
    this.need(1 + bytes);
    const at = this.at + 1;
    this.at = at + bytes;
    if (power === 0) return view.getUint8(at);
    return power === 1 ? view.getUint16(at) : view.getUint32(at);
  }

  private numberAt(mark: number, at: number): number {
    const { view } = this;
    switch (mark) {
      case 0xca:
        return view.getFloat32(at);
      case 0xcb:
        return view.getFloat64(at);
      case 0xcc:
        return view.getUint8(at);
      case 0xcd:
        return view.getUint16(at);
      case 0xce:
        return view.getUint32(at);
      case 0xd0:
        return view.getInt8(at);
      case 0xd1:
        return view.getInt16(at);
      case 0xd2:
        return view.getInt32(at);
      default:
        // Unsigned ones too: so does the original.
        return Number(view.getBigInt64(at));
    }
  }

  private pushString(length: number): void {
    this.need(length);
    this.lua.raw.lua_pushlstring(this.state, this.address + this.at, length);
    this.at += length;
  }
}
