// What has one place only: a command's name stands in one source file, and a file that nothing
// reaches has no place at all.

import { lineAt, resolveImport, type SourceFile, type Violation } from './source.js';

export interface CommandName {
  readonly name: string;
  readonly path: string;
  readonly line: number;
}

/**
 * The names of the commands that files of src/commands define: a `name:` directly in the object of
 * a command. Deeper ones belong to subcommands, which share names freely (CONFIG GET, GET).
 */
export function commandNamesOf(files: readonly SourceFile[]): CommandName[] {
  const groups = files.filter((file) => file.path.startsWith('src/commands/'));
  return groups.flatMap((file) => {
    const names: CommandName[] = [];
    for (const match of file.code.matchAll(/\bname:\s*(['"])( *)\1/g)) {
      if (!isInCommand(file.code, match.index)) continue;
      const start = match.index + match[0].indexOf(match[1]!) + 1;
      const name = file.text.slice(start, start + match[2]!.length);
      names.push({ name, path: file.path, line: lineAt(file.text, match.index) });
    }
    return names;
  });
}

function isInCommand(code: string, index: number): boolean {
  const open: number[] = [];
  for (let at = 0; at < index; at++) {
    if ('([{'.includes(code[at]!)) open.push(at);
    else if (')]}'.includes(code[at]!)) open.pop();
  }
  const braces = open.filter((at) => code[at] === '{');
  const last = open.at(-2);
  if (braces.length !== 1 || last === undefined || code[last] !== '(') return false;
  return /\w*Command(?:<[^()]*>)?$/.test(code.slice(Math.max(0, last - 60), last));
}

export function checkCommandNames(files: readonly SourceFile[]): Violation[] {
  const firstOf = new Map<string, CommandName>();
  const violations: Violation[] = [];
  for (const found of commandNamesOf(files)) {
    const first = firstOf.get(found.name);
    if (first === undefined) firstOf.set(found.name, found);
    else {
      const text = `'${found.name}' is a command of ${first.path}:${first.line} already`;
      violations.push({ rule: 'command name', path: found.path, line: found.line, text });
    }
  }
  return violations;
}

/**
 * Files that nothing reaches. A file of src must be reached from src: what only a test imports is
 * no part of the server. Any relative path of a module counts, not only an import: threads are
 * started by path. Entries are what package.json and .ci/run start, every test, floor bench and
 * fuzz target, and tools whose opening comment says how to start them.
 */
export function checkUnused(files: readonly SourceFile[], starters: string): Violation[] {
  const reached = new Set<string>();
  for (const file of files) {
    for (const match of file.code.matchAll(/(['"])( +)\1/g)) {
      const text = file.text.slice(match.index + 1, match.index + 1 + match[2]!.length);
      const target = /^\.\.?\/.*\.js$/.test(text) ? resolveImport(file.path, text) : null;
      const isOwn = target !== file.path;
      const counts = target?.startsWith('src/') ? file.path.startsWith('src/') : true;
      if (target === null || !isOwn || !counts) continue;
      reached.add(target);
      reached.add(target.replace(/\.ts$/, '.tsx'));
    }
  }
  return files.flatMap((file) => {
    if (reached.has(file.path) || isEntry(file, starters)) return [];
    const text = 'nothing imports this file and nothing starts it';
    return [{ rule: 'unused file', path: file.path, line: 1, text }];
  });
}

function isEntry({ path, comments }: SourceFile, starters: string): boolean {
  if (/\.(?:test|bench|fuzz)\.ts$/.test(path) || !path.includes('/')) return true;
  // The first module of a page is named in its index.html, the client's by package.json.
  if (/^src\/(?:web|examples)\/.*\/main\.tsx?$/.test(path)) return true;
  const built = `dist/${path.replace(/\.ts$/, '.js')}`;
  if (comments.includes(`node ${built}`)) return true;
  return starters.includes(path) || starters.includes(built);
}
