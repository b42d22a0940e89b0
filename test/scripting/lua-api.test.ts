// The machine by itself: crossings, errors through both worlds, limits, and how it breaks.

import { describe, expect, test } from 'vitest';
import {
  HookMask,
  LuaBroken,
  LuaMachine,
  type LuaState,
  LuaStatus,
  LuaType,
  MULTIPLE_RESULTS,
} from '../../src/scripting/lua-api.js';

const MEMORY_BYTES = 64 * 1024 * 1024;

function makeMachine(onMatchTick?: (state: LuaState) => void): LuaMachine {
  const machine = new LuaMachine({
    memoryBytesMax: MEMORY_BYTES,
    ...(onMatchTick === undefined ? {} : { onMatchTick }),
  });
  const { raw, main } = machine;
  for (const name of ['luaopen_base', 'luaopen_table', 'luaopen_string', 'luaopen_math'] as const) {
    machine.pushFunction(main, (state) => raw[name](state));
    raw.lua_call(main, 0, 0);
  }
  return machine;
}

/** Runs source; its status and what it left, as text. */
function run(machine: LuaMachine, source: string): { status: number; text: string } {
  const { raw, main } = machine;
  let status = machine.load(main, Buffer.from(source, 'latin1'), '=test');
  if (status === LuaStatus.Ok) status = machine.protectedCall(main, 0, 1, 0);
  const text = machine.textAt(main, -1);
  raw.lua_settop(main, 0);
  return { status, text };
}

function define(
  machine: LuaMachine,
  name: string,
  body: (machine: LuaMachine, state: LuaState) => number,
): void {
  machine.setFunction(machine.main, -10_002, name, (state) => body(machine, state));
}

describe('strings', () => {
  test('hold every byte, NUL included, both ways', () => {
    const machine = makeMachine();
    const bytes = Uint8Array.from({ length: 1000 }, (_, index) => index & 0xff);
    define(machine, 'give', (lua, state) => {
      lua.pushBytes(state, bytes, 0, bytes.length);
      return 1;
    });
    let heard = new Uint8Array(0);
    define(machine, 'hear', (lua, state) => {
      heard = lua.bytesAt(state, 1);
      return 0;
    });

    expect(run(machine, 'local s = give() hear(s) return #s').text).toBe('1000');
    expect(Buffer.from(heard)).toEqual(Buffer.from(bytes));
  });

  test('larger than the scratch area pass, and the memory grows for them', () => {
    const machine = makeMachine();
    const large = new Uint8Array(20 * 1024 * 1024).fill(120);
    define(machine, 'give', (lua, state) => {
      lua.pushBytes(state, large, 0, large.length);
      return 1;
    });

    expect(run(machine, 'local s = give() return #s .. s:sub(-2)').text).toBe(`${large.length}xx`);
  });
});

describe('errors', () => {
  test('of a function in JavaScript are caught by pcall in Lua, and the stack is whole', () => {
    const machine = makeMachine();
    define(machine, 'refuse', (lua, state) => lua.fail(state, 'not today'));
    const source = `
      local n = 0
      for i = 1, 20000 do
        local ok, message = pcall(refuse)
        if not ok and message == 'test:4: not today' then n = n + 1 end
      end
      return n`;
    const before = machine.raw.stackSave();

    expect(run(machine, 'return refuse()')).toEqual({
      status: LuaStatus.RunError,
      text: 'test:1: not today',
    });
    expect(run(machine, source.replace('test:4', 'not today')).text).toBe('0');
    expect(run(machine, 'return select(2, pcall(refuse))').text).toBe('not today');
    expect(machine.raw.stackSave()).toBe(before);
    expect(machine.isBroken).toBe(false);
  });

  test('in arguments are told with the name of the function', () => {
    const machine = makeMachine();
    define(machine, 'take', (lua, state) => {
      lua.checkString(state, 1);
      return 0;
    });
    define(machine, 'dislike', (lua, state) => lua.failArgument(state, 2, 'too blue'));

    expect(run(machine, 'take({})').text).toBe(
      "test:1: bad argument #1 to 'take' (string expected, got table)",
    );
    expect(run(machine, 'dislike()').text).toBe("test:1: bad argument #2 to 'dislike' (too blue)");
  });

  test('thrown by JavaScript break the machine and reach the caller', () => {
    const machine = makeMachine();
    define(machine, 'burst', () => {
      throw new TypeError('a mistake of ours');
    });

    expect(() => run(machine, 'pcall(burst)')).toThrow('a mistake of ours');
    expect(machine.isBroken).toBe(true);
  });

  test('outside of any pcall break it too', () => {
    const machine = makeMachine();
    machine.pushText(machine.main, 'nobody listens');

    expect(() => machine.error(machine.main)).toThrow(LuaBroken);
  });

  test('in a handler of errors end as an error, not in a loop', () => {
    const machine = makeMachine();
    const source = 'return (select(2, xpcall(error, function() error("again") end)))';

    expect(run(machine, source).status).toBe(LuaStatus.Ok);
    expect(machine.isBroken).toBe(false);
  });
});

describe('limits', () => {
  test('a hook interrupts an endless loop, and one inside a coroutine', () => {
    const machine = makeMachine();
    const stop = (state: LuaState) => machine.fail(state, 'stopped');
    machine.setHook(machine.main, stop, HookMask.Count, 10_000);

    expect(run(machine, 'while true do end').text).toBe('stopped');
    expect(
      run(machine, 'while true do pcall(function() while true do end end) error("x") end').text,
    ).toBe('test:1: x');
    const inside =
      'return select(2, coroutine.resume(coroutine.create(' + 'function() while true do end end)))';
    expect(run(machine, inside).text).toBe('stopped');

    machine.setHook(machine.main, null, 0, 0);
    expect(run(machine, 'for i = 1, 100000 do end return 1').text).toBe('1');
  });

  test('memory ends at the limit with an error that Lua can catch, and is free again', () => {
    const machine = makeMachine();

    expect(run(machine, 'return string.rep("x", 1e9)').text).toBe('not enough memory');
    const table = 'local t = {} for i = 1, 1e9 do t[i] = {i} end';
    expect(run(machine, table)).toEqual({
      status: LuaStatus.MemoryError,
      text: 'not enough memory',
    });
    expect(machine.heldBytes).toBeLessThanOrEqual(MEMORY_BYTES);
    machine.raw.lua_gc(machine.main, 2, 0);
    expect(machine.usedBytes()).toBeLessThan(1024 * 1024);
    expect(run(machine, 'return #string.rep("x", 10e6)').text).toBe('10000000');
  });

  test('deep recursion ends as an error', () => {
    const machine = makeMachine();

    expect(run(machine, 'local function f() return 1 + f() end return f()').text).toBe(
      'test:1: stack overflow',
    );
    const nested =
      'local d = 0 local function f() d = d + 1 return (("a"):gsub("a", f)) end ' +
      'pcall(f) return d';
    expect(run(machine, nested).text).toBe('198');
    expect(machine.isBroken).toBe(false);
  });

  test('a pattern with nested quantifiers can be stopped', () => {
    let ticks = 0;
    const machine: LuaMachine = makeMachine((state) => {
      if (++ticks === 3) machine.fail(state, 'enough of that');
    });
    const source = 'return ("a"):rep(40):find(("a?"):rep(40) .. ("a"):rep(40))';

    expect(run(machine, source).text).toContain('enough of that');
    expect(run(machine, 'return ("key:17"):match("%d+")').text).toBe('17');
  });

  test('a pattern that recurses too deep breaks the machine and nothing else', () => {
    const machine = makeMachine();
    const source = 'return ("a"):rep(400000):find(("a?"):rep(200000) .. "b")';

    expect(() => run(machine, source)).toThrow(LuaBroken);
    expect(machine.isBroken).toBe(true);
    expect(run(makeMachine(), 'return 1').text).toBe('1');
  });
});

describe('a read-only table', () => {
  const REFUSED = 'Attempt to modify a readonly table';
  function protect(): LuaMachine {
    const machine = makeMachine();
    define(machine, 'protect', (lua, state) => {
      lua.setReadOnly(state, 1, true);
      return 0;
    });
    define(machine, 'open', (lua, state) => {
      lua.setReadOnly(state, 1, false);
      return 0;
    });
    return machine;
  }

  test.each([
    't.a = 2',
    't.b = 1',
    't.a = nil',
    't[1] = 1',
    'rawset(t, "a", 2)',
    'table.insert(t, 1)',
    'table.remove(t)',
    'table.sort(t)',
  ])('refuses %s', (change) => {
    const machine = protect();
    const source = `t = {9, 8, a = 1} protect(t) local ok, e = pcall(function() ${change} end)
      assert(t[1] == 9 and t[2] == 8 and t.a == 1 and t.b == nil) return e`;

    expect(run(machine, source).text).toContain(REFUSED);
  });

  test('is read, walked and measured as before, and may be opened again', () => {
    const machine = protect();
    const source = `local t = setmetatable({9, 8, a = 1}, {__index = {c = 3}}) protect(t)
      local n = 0 for k in pairs(t) do n = n + 1 end
      local seen = n .. #t .. t.a .. t.c
      open(t) t.a = 2 return seen .. t.a`;

    expect(run(machine, source).text).toBe('32132');
  });
});

test('coroutines, values of all types and many results cross the door', () => {
  const machine = makeMachine();
  const types: number[] = [];
  define(machine, 'look', (lua, state) => {
    const top = lua.raw.lua_gettop(state);
    for (let index = 1; index <= top; index++) types.push(lua.raw.lua_type(state, index));
    lua.raw.lua_settop(state, 0);
    lua.raw.lua_pushnumber(state, 1.5);
    lua.raw.lua_pushboolean(state, 1);
    lua.raw.lua_pushnil(state);
    return 3;
  });
  const { main, raw } = machine;
  const source = `return coroutine.wrap(function(...)
    return look(nil, true, 1, "s", {}, print, coroutine.running()) end)()`;

  expect(machine.load(main, Buffer.from(source), '=test')).toBe(LuaStatus.Ok);
  expect(machine.protectedCall(main, 0, MULTIPLE_RESULTS, 0)).toBe(LuaStatus.Ok);
  expect(raw.lua_gettop(main)).toBe(3);
  expect(raw.lua_tonumber(main, 1)).toBe(1.5);
  expect(types).toEqual([
    LuaType.Nil,
    LuaType.Boolean,
    LuaType.Number,
    LuaType.String,
    LuaType.Table,
    LuaType.Function,
    LuaType.Thread,
  ]);
});
