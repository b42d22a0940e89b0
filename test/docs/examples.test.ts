// What the pages show is tried: their programs, their configuration files, and the files they name.

import { execFile, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.js';
import { toByteText } from '../../src/config/words.js';
import { verifyToken } from '../../src/gateway/token.js';
import { connect, freePort, projectRoot, startServer } from '../support/server.js';
import { fencedBlocks } from './fences.js';

const root = projectRoot();
const PAGES = [
  'README.md',
  ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`),
].filter((name) => name.endsWith('.md'));
/** Inside the project, so that Node.js finds the packages; dist is no part of the sources. */
const folder = join(root, 'dist', 'examples-of-docs');
const DEADLINE_MS = 30_000;
const POLL_MS = 100;

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function page(name: string): string {
  return readFileSync(join(root, name), 'utf8');
}

/** The only fenced block of a language in a page. */
function block(name: string, language: string): string {
  const blocks = fencedBlocks(page(name), language);
  expect(blocks).toHaveLength(1);
  return blocks[0]!;
}

/** Runs a program that never ends until it has printed `wanted`; `prod` is called meanwhile. */
async function printed(program: string, wanted: string, prod: () => Promise<unknown>) {
  const place = mkdtempSync(join(made(folder), 'run-'));
  writeFileSync(join(place, 'example.mjs'), program);
  const child = spawn(process.execPath, ['example.mjs'], { cwd: place });
  let output = '';
  child.stdout.on('data', (text: Buffer) => (output += text.toString()));
  child.stderr.on('data', (text: Buffer) => (output += text.toString()));
  try {
    const deadline = Date.now() + DEADLINE_MS;
    while (!output.includes(wanted) && child.exitCode === null && Date.now() < deadline) {
      await prod();
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    expect(output).toContain(wanted);
  } finally {
    child.kill('SIGKILL');
  }
}

function made(path: string): string {
  mkdirSync(path, { recursive: true });
  return path;
}

describe('the programs of the pages', () => {
  it('follow the change feed', { timeout: 2 * DEADLINE_MS }, async () => {
    const server = await startServer({ threads: 2, args: ['--appendonly', 'yes'] });
    const client = await connect(server.port);
    const program = block('docs/change-feed.md', 'js').replace(
      'localhost:6379',
      `127.0.0.1:${server.port}`,
    );
    await printed(program, "0 SET [ 'order:1', 'new' ]", () =>
      client.command('SET', 'order:1', 'new'),
    );
    client.close();
    await server.stop();
  });

  it('speak to the gateway', { timeout: 2 * DEADLINE_MS }, async () => {
    const port = await freePort();
    const server = await startServer({ threads: 1, args: ['--gateway-port', String(port)] });
    const client = await connect(server.port);
    // Node.js 20 has no WebSocket of its own.
    const program = `import WebSocket from 'ws';\n${block('README.md', 'ts')}`.replace(
      "'ws://127.0.0.1:8080/ws'",
      `'ws://127.0.0.1:${port}/ws', { WebSocket }`,
    );
    expect(program).toContain('{ WebSocket }');
    await printed(program, 'hello', () => client.command('PUBLISH', 'news', 'hello'));
    client.close();
    await server.stop();
  });

  it('sign tokens that the gateway takes', async () => {
    const program = `${block('docs/gateway.md', 'js')}\nexport { createToken };\n`;
    const url = `data:text/javascript,${encodeURIComponent(program)}`;
    const { createToken } = (await import(url)) as {
      createToken(secret: string, user: string, seconds: number): string;
    };
    const secret = 'a secret of enough bytes';
    expect(verifyToken(secret, createToken(secret, 'player', 60), Date.now())?.user).toBe('player');
  });

  it('have the command that the page on commands is about as it is', () => {
    const source = page('src/commands/string/range.ts');
    expect(source).toContain(block('docs/adding-a-command.md', 'ts'));
  });
});

describe('the programs of the package', () => {
  const { bin } = JSON.parse(page('package.json')) as { bin: Record<string, string> };

  it.each(Object.entries(bin))('run by their names, as npx starts them: %s', async (_, path) => {
    const { stdout } = await promisify(execFile)(join(root, path), ['--help']);
    expect(stdout).toContain('Usage:');
  });
});

describe('the configurations of the pages', () => {
  const files = fencedBlocks(page('docs/operations.md'), '').filter((text) => /^\w/m.test(text));

  it('are there', () => {
    expect(files).toHaveLength(2);
  });

  it.each(files)('are taken without a warning', (text) => {
    const data = mkdtempSync(join(tmpdir(), 'flagstone-docs-'));
    const config = loadConfig({
      stdinText: toByteText(text.replaceAll('/var/lib/flagstone', data)),
      serverVersion: '1.2.3',
      directory: data,
    });
    expect(config.warnings()).toEqual([]);
    expect(config.number('maxmemory')).toBe(4 * 2 ** 30);
    rmSync(data, { recursive: true });
  });
});

describe('what the pages name', () => {
  it.each(PAGES)('is there: %s', (name) => {
    const text = page(name);
    const links = [...text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map((match) =>
      join(dirname(name), match[1]!),
    );
    const paths = [...text.matchAll(/`((?:src|test|docs)\/[\w/.-]+(?:\.ts|\.txt|\/))`/g)].map(
      (match) => match[1]!,
    );
    expect([...links, ...paths].filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});
