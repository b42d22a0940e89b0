// The README's examples are run as they stand, against a server started from dist: the session by
// redis-cli where there is one and by the tests' own client everywhere, the example by Node.js.

import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { splitWords } from '../support/pattern.js';
import { findProgram, projectRoot, type Server, startServer } from '../support/server.js';
import { type Exchange, expectedPrints, fencedBlocks, printLikeCli, sessionOf } from './fences.js';

const run = promisify(execFile);
const root = projectRoot();
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const sessions = fencedBlocks(readme, 'console').map(sessionOf);
const examples = fencedBlocks(readme, 'js');

let server: Server;

beforeAll(async () => {
  server = await startServer();
});

afterAll(async () => {
  await server?.stop();
});

beforeEach(async () => {
  const client = await server.connect();
  expect(await client.command('FLUSHALL')).toEqual({ type: 'simple', value: 'OK' });
  client.close();
});

describe('the README', () => {
  it('has a session and a Node.js example', () => {
    expect(sessions.length).toBeGreaterThan(0);
    expect(examples.length).toBeGreaterThan(0);
    expect(examples.flatMap(expectedPrints).length).toBeGreaterThan(0);
  });

  it.each(sessions.map((session) => ({ session })))(
    'shows a session that a plain client sees',
    async ({ session }) => {
      const client = await server.connect();
      const seen: Exchange[] = [];
      for (const { command } of session) {
        const reply = await client.command(...splitWords(command));
        seen.push({ command, printed: printLikeCli(reply) });
      }
      client.close();

      expect(seen).toEqual(session);
    },
  );

  it.skipIf(findProgram('redis-cli') === null)(
    'shows a session that redis-cli prints',
    async () => {
      for (const session of sessions) {
        const typed = session.map(({ command }) => command).join('\n');
        const printed = await runWithInput('redis-cli', typed);
        // An error is followed by an empty line when nobody sits at a terminal.
        const lines = printed.split('\n').filter((line) => line !== '');
        expect(lines).toEqual(session.flatMap((exchange) => exchange.printed.split('\n')));
      }
    },
  );

  it.each(examples)('shows an example that prints what it says', async (example) => {
    // Inside the project, so that Node.js finds the client; dist is no part of the sources.
    const folder = join(root, 'dist', 'readme');
    const path = join(folder, `example-${process.pid}.mjs`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, example.replaceAll('127.0.0.1:6379', `127.0.0.1:${server.port}`));
    try {
      const { stdout } = await run(process.execPath, [path], { timeout: 30_000 });
      expect(stdout.trim().split('\n')).toEqual(expectedPrints(example));
    } finally {
      rmSync(path);
    }
  });
});

function runWithInput(program: string, input: string): Promise<string> {
  const child = run(program, ['-p', String(server.port), '--no-raw'], { timeout: 30_000 });
  child.child.stdin?.end(`${input}\n`);
  return child.then(({ stdout }) => stdout);
}
