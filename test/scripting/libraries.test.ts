// The sandbox and the libraries of scripts answer as those of a real redis-server: every line of
// libraries.txt, which record-lua.ts wrote down.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { LuaMachine, LuaStatus } from '../../src/scripting/lua-api.js';
import { openSandbox, sealSandbox } from '../../src/scripting/sandbox.js';

const folder = new URL('.', import.meta.url);
const show = readFileSync(new URL('show.lua', folder), 'latin1');
const lines = readFileSync(new URL('libraries.txt', folder), 'latin1').split('\n');

const lua = new LuaMachine({ memoryBytesMax: 256 * 1024 * 1024 });
openSandbox(lua);
sealSandbox(lua);

/** What show.lua makes of the source's results. */
function run(source: string): string {
  const quoted = `"${source.replace(/[\\"]/g, '\\$&')}"`;
  const code = Buffer.from(`local source = ${quoted}\n${show}`, 'latin1');
  expect(lua.load(lua.main, code, '@user_script')).toBe(LuaStatus.Ok);
  lua.protectedCall(lua.main, 0, 1, 0);
  const text = lua.textAt(lua.main, -1);
  lua.raw.lua_settop(lua.main, 0);
  return text;
}

const cases = lines.flatMap((line, index) =>
  line.startsWith('> ') ? [[line.slice(2), lines[index + 1]!] as const] : [],
);

test.each(cases)('%s', (source, expected) => {
  expect(run(source)).toBe(expected);
});

test('the file holds what it should', () => {
  expect(cases.length).toBeGreaterThan(300);
});
