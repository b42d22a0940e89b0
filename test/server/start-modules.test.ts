// What a thread loads decides how soon the server answers and how much memory it idles with: main
// and the acceptor execute no command, so they must not load what only executing needs.

import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../../src');
const IMPORT = /^(?:import|export) (?!type\b)([^;]*?) from '(\.[^']+)\.js';/gm;

/** Modules that a module loads with itself; what it imports later, when needed, is not of them. */
function importsOf(path: string): string[] {
  const text = readFileSync(join(root, path), 'utf8');
  return [...text.matchAll(IMPORT)].flatMap((match) => {
    const target = relative(root, join(root, dirname(path), `${match[2]}.ts`));
    return isErased(match[1]!, target) ? [] : [target];
  });
}

/** The compiler drops an import of nothing but types and constant enumerations. */
function isErased(names: string, target: string): boolean {
  const words = names.replace(/[{}]/g, '').split(',');
  return words.every((each) => {
    const word = each.trim();
    if (word === '' || word.startsWith('type ')) return true;
    return readFileSync(join(root, target), 'utf8').includes(`export const enum ${word} {`);
  });
}

function reachOf(entry: string): Set<string> {
  const reached = new Set<string>();
  const open = [entry];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (reached.has(path)) continue;
    reached.add(path);
    open.push(...importsOf(path));
  }
  return reached;
}

/** Where the program is large: nothing of it may be loaded. */
const LARGE = ['commands/', 'types/', 'scripting/lua', 'server/recovery.ts', 'server/replay.ts'];

describe('a start', () => {
  for (const entry of ['server/main.ts', 'server/acceptor.ts', 'server/log-sync.ts']) {
    it(`loads no command with ${entry}`, () => {
      const reached = [...reachOf(entry)];
      const large = reached.filter((path) => LARGE.some((place) => path.startsWith(place)));

      expect(large).toEqual([]);
      expect(reached.length).toBeLessThan(120);
    });
  }

  it('loads all commands with a worker', () => {
    expect(reachOf('server/worker.ts')).toContain('commands/index.ts');
  });
});
