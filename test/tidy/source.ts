// What the rules look at: a source file in three versions of equal length and equal lines. Rules
// about code never see what stands in a comment or in a string, so a message that quotes a mistake
// is not one. The TypeScript compiler offers no parser in process, and the rules need only words
// and brackets: a scanner of one screen does.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Violation {
  readonly rule: string;
  readonly path: string;
  readonly line: number;
  readonly text: string;
}

export interface SourceFile {
  /** Relative to the project, with forward slashes. */
  readonly path: string;
  /** As it is on disk. */
  readonly text: string;
  /** Comments are blank. */
  readonly bare: string;
  /** Comments and the insides of strings, templates and regular expressions are blank. */
  readonly code: string;
  /** Only the comments are left. */
  readonly comments: string;
}

export interface Import {
  readonly specifier: string;
  readonly line: number;
}

/** One line a person can act on: file, line, rule, what to do. */
export function describeViolation(violation: Violation): string {
  return `${violation.path}:${violation.line} [${violation.rule}] ${violation.text}`;
}

export function sourceFile(path: string, text: string): SourceFile {
  const kinds = scan(text);
  return {
    path,
    text,
    bare: keep(text, kinds, (kind) => kind !== Kind.Comment),
    code: keep(text, kinds, (kind) => kind === Kind.Code),
    comments: keep(text, kinds, (kind) => kind === Kind.Comment),
  };
}

/** All files of the project below `folders` whose names end with one of `endings`. */
export function readTree(root: string, folders: readonly string[], endings: readonly string[]) {
  const paths = folders.flatMap((folder) => listPaths(root, folder));
  const wanted = paths.filter((path) => endings.some((ending) => path.endsWith(ending)));
  return wanted.map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

const NEVER_LOOKED_AT = new Set(['node_modules', '.git', 'dist', 'data', 'coverage']);

/** Paths relative to `root`, sorted. A folder that does not exist has none. */
export function listPaths(root: string, folder: string): string[] {
  const paths: string[] = [];
  const waiting = [folder];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const entry of readFolder(join(root, next))) {
      const path = next === '' ? entry.name : `${next}/${entry.name}`;
      if (!entry.isDirectory()) paths.push(path);
      else if (next !== '' || !NEVER_LOOKED_AT.has(entry.name)) waiting.push(path);
    }
  }
  return paths.sort();
}

function readFolder(path: string) {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

export function lineAt(text: string, index: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < index; at = text.indexOf('\n', at + 1))
    line++;
  return line;
}

const IMPORTS = [
  /\b(?:import|export)\b[^'"`;]*?\bfrom\s*(['"])([^'"]*)\1/g,
  /\bimport\s*(['"])([^'"]*)\1/g,
  /\bimport\s*\(\s*(['"])([^'"]*)\1/g,
  // A thread's entry: new Worker(new URL('./worker.js', import.meta.url)).
  /\bnew URL\(\s*(['"])([^'"]*)\1\s*,\s*import\.meta\.url/g,
];

/** Everything the file names as another module, in the order of its lines. */
export function importsOf(file: SourceFile): Import[] {
  const imports: Import[] = [];
  for (const pattern of IMPORTS) {
    for (const match of file.code.matchAll(pattern)) {
      const quote = match.index + match[0].indexOf(match[1]!);
      const specifier = file.text.slice(quote + 1, quote + 1 + match[2]!.length);
      imports.push({ specifier, line: lineAt(file.text, quote) });
    }
  }
  return imports.sort((a, b) => a.line - b.line);
}

/** The path of the source a relative specifier means; null for a package. */
export function resolveImport(fromPath: string, specifier: string): string | null {
  if (!specifier.startsWith('.')) return null;
  const parts = fromPath.split('/').slice(0, -1);
  for (const part of specifier.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/').replace(/\.js$/, '.ts');
}

const enum Kind {
  Code = 0,
  Comment = 1,
  Literal = 2,
}

function keep(text: string, kinds: Uint8Array, wanted: (kind: number) => boolean): string {
  let kept = '';
  for (let index = 0; index < text.length; index++) {
    const isKept = text[index] === '\n' || wanted(kinds[index]!);
    kept += isKept ? text[index] : ' ';
  }
  return kept;
}

/** The kind of every character. Quotes and the slashes of a regular expression count as code. */
function scan(text: string): Uint8Array {
  const kinds = new Uint8Array(text.length);
  // One number per open template: how many braces of its ${…} are open.
  const templates: number[] = [];
  let at = 0;
  while (at < text.length) {
    const two = text.slice(at, at + 2);
    const one = text[at]!;
    const depth = templates.length - 1;
    if (two === '//' || two === '/*' || (at === 0 && two === '#!')) {
      at = fill(kinds, at, endOfComment(text, at), Kind.Comment);
    } else if (one === "'" || one === '"') {
      at = fill(kinds, at + 1, endOfLiteral(text, at + 1, one), Kind.Literal) + 1;
    } else if (one === '/' && startsRegExp(text, at)) {
      at = fill(kinds, at + 1, endOfRegExp(text, at + 1), Kind.Literal) + 1;
    } else if (one === '`') {
      at = scanTemplate(text, kinds, at + 1, templates);
    } else if (one === '}' && depth >= 0 && templates[depth] === 0) {
      templates.pop();
      at = scanTemplate(text, kinds, at + 1, templates);
    } else {
      if (depth >= 0 && one === '{') templates[depth]! += 1;
      if (depth >= 0 && one === '}') templates[depth]! -= 1;
      at++;
    }
  }
  return kinds;
}

function fill(kinds: Uint8Array, start: number, end: number, kind: number): number {
  kinds.fill(kind, start, end);
  return end;
}

function endOfComment(text: string, at: number): number {
  const isBlock = text[at + 1] === '*';
  const end = isBlock ? text.indexOf('*/', at + 2) : text.indexOf('\n', at);
  if (end === -1) return text.length;
  return isBlock ? end + 2 : end;
}

function endOfLiteral(text: string, at: number, quote: string): number {
  while (at < text.length && text[at] !== quote && text[at] !== '\n')
    at += text[at] === '\\' ? 2 : 1;
  return Math.min(at, text.length);
}

/** The text of a template up to its end or to its next ${. */
function scanTemplate(text: string, kinds: Uint8Array, start: number, open: number[]): number {
  let at = start;
  while (at < text.length && text[at] !== '`') {
    if (text.startsWith('${', at)) {
      fill(kinds, start, at, Kind.Literal);
      open.push(0);
      return at + 2;
    }
    at += text[at] === '\\' ? 2 : 1;
  }
  return fill(kinds, start, Math.min(at, text.length), Kind.Literal) + 1;
}

/** A slash after a value divides; after anything else it opens a regular expression. */
function startsRegExp(text: string, at: number): boolean {
  const before = text.slice(Math.max(0, at - 80), at).trimEnd();
  if (/\b(?:return|typeof|case|in|of|yield|await|else)$/.test(before)) return true;
  return !/[\w$)\]}'"`]$/.test(before);
}

function endOfRegExp(text: string, at: number): number {
  let isInClass = false;
  while (at < text.length && text[at] !== '\n' && (isInClass || text[at] !== '/')) {
    if (text[at] === '[') isInClass = true;
    if (text[at] === ']') isInClass = false;
    at += text[at] === '\\' ? 2 : 1;
  }
  return Math.min(at, text.length);
}
