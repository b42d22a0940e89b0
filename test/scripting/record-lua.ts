// Writes down what the Lua of a server answers: `node dist/test/scripting/record-lua.js [COMMAND…]`
// runs every source line of libraries.txt on a real redis-server and writes the results behind it.

import { readFileSync, writeFileSync } from 'node:fs';
import { startServer } from '../support/server.js';

const FILE = 'test/scripting/libraries.txt';
const command = process.argv.slice(2);
const show = readFileSync('test/scripting/show.lua', 'latin1');
const server = await startServer({ command: command.length > 0 ? command : ['redis-server'] });
try {
  const client = await server.connect();
  const written: string[] = [];
  for (const [index, line] of readFileSync(FILE, 'latin1').split('\n').entries()) {
    if (index > 0 && written.at(-1)?.startsWith('> ')) {
      const source = `"${written.at(-1)!.slice(2).replace(/[\\"]/g, '\\$&')}"`;
      const code = Buffer.from(`local source = ${source}\n${show}`, 'latin1');
      const reply = await client.command('EVAL', code, '0');
      written.push(reply instanceof Uint8Array ? Buffer.from(reply).toString('latin1') : '');
    } else written.push(line);
  }
  writeFileSync(FILE, written.join('\n'), 'latin1');
} finally {
  await server.stop();
}
