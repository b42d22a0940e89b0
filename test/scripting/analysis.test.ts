// Which scripts run narrow. A script that is taken for narrow and is not would be refused in its
// middle, so the list of those that must be wide is the longer one.

import { describe, expect, it } from 'vitest';
import { allCommands } from '../../src/commands/index.js';
import { keepsToKeys } from '../../src/dispatch/narrow.js';
import { CommandTable } from '../../src/dispatch/table.js';
import { isNarrow } from '../../src/scripting/analysis.js';

const table = new CommandTable(allCommands);

function narrow(source: string): boolean {
  return isNarrow(source, (words, tail) => keepsToKeys(table, words, tail));
}

const NARROW: readonly string[] = [
  '',
  'return 1',
  "return redis.call('GET', KEYS[1])",
  "return redis.call('get', KEYS[ARGV[1] + 1])",
  'return redis.call("get", KEYS[#KEYS])',
  "return redis.pcall('INCR', KEYS[1])",
  "for i = 1, 100 do redis.call('INCR', KEYS[1]) end",
  "for i = 1, #KEYS do redis.call('DEL', KEYS[i]) end",
  "for _, key in ipairs(KEYS) do redis.call('DEL', key) end",
  "for n, key in pairs(KEYS) do redis.call('SET', key, n) end",
  "return redis.call('DEL', unpack(KEYS))",
  "return redis.call('MGET', KEYS[1], unpack(KEYS))",
  "return redis.call('SADD', KEYS[1], unpack(ARGV))",
  "return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])",
  "if redis.call('get', KEYS[1]) == ARGV[1] then " +
    "return redis.call('del', KEYS[1]) else return 0 end",
  "local key = KEYS[1] return redis.call('GET', key)",
  "local a, b = KEYS[1], KEYS[2] return redis.call('RENAME', a, b)",
  "local a, b = unpack(KEYS) return redis.call('RENAME', a, b)",
  "local call = redis.call return call('GET', KEYS[1])",
  "local function read(x) return redis.call('GET', KEYS[1]) .. x end return read('y')",
  "local key = KEYS[1] local f = function() return redis.call('GET', key) end return f()",
  "redis.call('MSET', KEYS[1], ARGV[1], KEYS[2], ARGV[2])",
  "return redis.call('BITOP', 'AND', KEYS[1], KEYS[2], KEYS[3])",
  "return redis.call('ZUNIONSTORE', KEYS[1], 2, KEYS[2], KEYS[3])",
  "return redis.call('XADD', KEYS[1], '*', 'field', ARGV[1])",
  "return redis.call('OBJECT', 'ENCODING', KEYS[1])",
  "return redis.call('TIME')",
  "return redis.call('PUBLISH', ARGV[1], ARGV[2])",
  "return redis.call('NOSUCHCOMMAND', 'key')",
  "redis.call('SELECT', 3) return redis.call('GET', KEYS[1])",
  'return {KEYS[1], KEYS[2], ARGV[1]}',
  "return redis.error_reply('ERR ' .. KEYS[1])",
  'redis.setresp(3) return cjson.encode({key = KEYS[1]})',
  'local n = 0 repeat local x = n n = n + 1 until x > 3 return n',
  "-- redis.call('GET', 'other')\nreturn redis.call('GET', KEYS[1])",
  "--[[ redis.call('GET', 'other') ]] return redis.call('GET', KEYS[1])",
  '--[==[ ]] ]==] return 1',
  'return redis.call([[GET]], KEYS[1])',
  "return redis.call('\\71ET', KEYS[1])",
  'local t = {} t.x = KEYS[1] t["y"], t[3] = 1, 2 function t.f() end function t:g() end return 1',
  'return ("x"):rep(3) .. KEYS[1]:upper()',
];

/** Each finds another way to a key that was not declared, or could. */
const WIDE: readonly string[] = [
  "return redis.call('GET', 'key')",
  "return redis.call('GET', ARGV[1])",
  "return redis.call('GET', 'a' .. KEYS[1])",
  "return redis.call('GET', KEYS[1] .. ':x')",
  "return redis.call('GET', KEYS[1]:lower())",
  "return redis.call('GET', (KEYS[1]):lower())",
  "return redis.call('GET', KEYS[1] or 'other')",
  "return redis.call('GET', #KEYS)",
  'return redis.call(ARGV[1], KEYS[1])',
  "return redis.call('G' .. 'ET', KEYS[1])",
  'return redis.call(unpack(ARGV))',
  'return redis.call(unpack(KEYS))',
  "return redis.call('MGET', unpack(ARGV))",
  "return redis.call('MGET', KEYS[1], unpack(ARGV))",
  "return redis.call('DEL', KEYS[1], ARGV[1])",
  "return redis.call('MSET', unpack(KEYS))",
  "return redis.call('RENAME', KEYS[1], ARGV[1])",
  "return redis.call('GET', ...)",
  "return redis.call('GET', f())",
  // KEYS changed, passed on or replaced.
  "KEYS[1] = 'other' return redis.call('GET', KEYS[1])",
  "KEYS = {'other'} return redis.call('GET', KEYS[1])",
  "KEYS[1], KEYS[2] = 'a', 'b' return redis.call('GET', KEYS[1])",
  "local keys = KEYS keys[1] = 'other' return redis.call('GET', KEYS[1])",
  "local KEYS = {'other'} return redis.call('GET', KEYS[1])",
  "local function f(KEYS) return redis.call('GET', KEYS[1]) end return f({'other'})",
  "local function f(k) k[1] = 'other' end f(KEYS) return redis.call('GET', KEYS[1])",
  "table.insert(KEYS, 1, 'other') return redis.call('GET', KEYS[1])",
  "table.sort(KEYS) return redis.call('GET', KEYS[1])",
  "local _, keys = ipairs(KEYS) keys[1] = 'other' return redis.call('GET', KEYS[1])",
  "local t = {KEYS} t[1][1] = 'other' return redis.call('GET', KEYS[1])",
  "(KEYS)[1] = 'other' return redis.call('GET', KEYS[1])",
  "for k in next, KEYS do end return redis.call('GET', KEYS[1])",
  "function KEYS.f() end return redis.call('GET', KEYS[1])",
  'KEYS:x() return 1',
  "setmetatable(KEYS, {__index = function() return 'other' end}) return redis.call('GET', KEYS[9])",
  "rawset(KEYS, 1, 'other') return redis.call('GET', KEYS[1])",
  // Locals that do not stay what they were.
  "local key = KEYS[1] key = 'other' return redis.call('GET', key)",
  "local key = KEYS[1] local function f() key = 'other' end f() return redis.call('GET', key)",
  "local key = KEYS[1] while true do redis.call('GET', key) key = ARGV[1] end",
  "local key = KEYS[1] do local key = 'other' redis.call('GET', key) end",
  "local key = KEYS[1] for key = 1, 2 do redis.call('GET', key) end",
  "local key = KEYS[1] for key in pairs({}) do redis.call('GET', key) end",
  "local key = KEYS[1] local function f(key) redis.call('GET', key) end f('other')",
  "local key = KEYS[1] function key() end return redis.call('GET', key)",
  "local function key() end return redis.call('GET', key)",
  "local a, b = KEYS[1] return redis.call('GET', ARGV[1])",
  "local a, b = f(), KEYS[1] return redis.call('GET', a)",
  "local a = {KEYS[1]} return redis.call('GET', a[1])",
  "for i, key in ipairs(ARGV) do redis.call('GET', key) end",
  "for key, i in ipairs(KEYS) do redis.call('GET', key) end",
  "local ipairs = function() return next, {'other'} end " +
    "for _, k in ipairs(KEYS) do redis.call('GET', k) end",
  "local unpack = function() return 'other' end return redis.call('GET', unpack(KEYS))",
  "repeat local key = KEYS[1] until redis.call('GET', key) " +
    "local key = ARGV[1] redis.call('GET', key)",
  // redis, its functions and the globals got hold of in other ways.
  "local r = redis return r.call('GET', 'other')",
  "local call = redis.call call = redis.pcall return call('GET', KEYS[1])",
  "local f = {redis.call} return f[1]('GET', 'other')",
  "return pcall(redis.call, 'GET', 'other')",
  "return redis['call']('GET', 'other')",
  "return redis['ca' .. 'll']('GET', 'other')",
  "return redis:call('GET', 'other')",
  'redis.call = nil return 1',
  'redis = nil return 1',
  "local function f(redis) return redis.call('GET', KEYS[1]) end return f(redis)",
  "return (redis.call)('GET', 'other')",
  "return (function() return redis.call end)()('GET', 'other')",
  "return _G.redis.call('GET', 'other')",
  "return _G['redis']['call']('GET', 'other')",
  "return getfenv().redis.call('GET', 'other')",
  "setfenv(1, {KEYS = {'other'}, redis = redis}) return redis.call('GET', KEYS[1])",
  'return loadstring(\'return redis.call("GET", "other")\')()',
  'return load(function() return nil end)()',
  "return rawget(_G, 'redis')",
  'for k, v in pairs(_G) do end',
  "getmetatable('').__index = function() return 'other' end",
  'pcall = nil',
  'function pcall() end',
  "for _, v in pairs(redis) do v('GET', 'other') end",
  'return coroutine.wrap(function() end)()',
  "return string.gsub('GET', '.*', redis.call)",
  'undeclared = 1',
  'return undeclared',
  // Commands that look elsewhere by themselves.
  "return redis.call('KEYS', '*')",
  "return redis.call('SCAN', 0)",
  "return redis.call('RANDOMKEY')",
  "return redis.call('FLUSHALL')",
  "return redis.call('SWAPDB', 0, 1)",
  "return redis.call('SORT', KEYS[1], 'BY', 'weight_*')",
  "return redis.call('SORT', KEYS[1], 'STORE', ARGV[1])",
  "return redis.call('ZUNIONSTORE', KEYS[1], KEYS[2], 'a', 'b')",
  "return redis.call('ZUNIONSTORE', KEYS[1], ARGV[1], KEYS[2])",
  "return redis.call('XREAD', ARGV[1], 'STREAMS', KEYS[1], 0)",
  "return redis.call('XREAD', 'STREAMS', 'other', 0)",
  "return redis.call('OBJECT', ARGV[1], KEYS[1])",
  "return redis.call('OBJECT', unpack(ARGV))",
  "return redis.call('COPY', KEYS[1], KEYS[2] .. '')",
  // Sources that hide what they say.
  "return --[[\n]] redis.call('GET', 'other')",
  "return redis --[==[ ]] ]==] .call('GET', 'other')",
  "return redis.call('GET', '\\107ey')",
  "local s = [[ ]] redis.call('GET', 'other') --]]",
  "local s = '\\\n' redis.call('GET', 'other')",
  "local s = \"'\" redis.call('GET', 'other') local t = \"'\"",
  `return ${'('.repeat(5000)}1${')'.repeat(5000)}`,
  `return ${'{'.repeat(5000)}${'}'.repeat(5000)}`,
  'return $',
  "return 'unfinished",
  '--[[ unfinished',
  'return [==[ unfinished',
  'if true then',
  'end',
];

describe('the analysis of scripts', () => {
  it.each(NARROW)('finds that this keeps to its keys: %s', (source) => {
    expect(narrow(source)).toBe(true);
  });

  it.each(WIDE.map((source) => [source.slice(0, 100), source] as const))(
    'finds that this may look elsewhere: %s',
    (_, source) => {
      expect(narrow(source)).toBe(false);
    },
  );
});
