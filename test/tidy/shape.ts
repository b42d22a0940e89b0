// The shape of files: how long lines, functions and files are, what they are called, what stands
// first, what they may export, and words that may not stay.

import { lineAt, type SourceFile, type Violation } from './source.js';

export const LINE_COLUMNS_MAX = 100;
export const FUNCTION_LINES_MAX = 70;
export const FILE_LINES_MAX = 800;

export function checkLineLengths(files: readonly SourceFile[]): Violation[] {
  return files.flatMap((file) =>
    file.text.split('\n').flatMap((line, index) => {
      const columns = Array.from(line).length;
      if (columns <= LINE_COLUMNS_MAX) return [];
      const text = `${columns} columns; ${LINE_COLUMNS_MAX} is the most`;
      return [{ rule: 'line length', path: file.path, line: index + 1, text }];
    }),
  );
}

export function checkFileLengths(files: readonly SourceFile[]): Violation[] {
  return files.flatMap((file) => {
    const lines = file.text.trimEnd().split('\n').length;
    if (lines <= FILE_LINES_MAX) return [];
    const text = `${lines} lines; past ${FILE_LINES_MAX} it becomes a folder, split by noun`;
    return [{ rule: 'file length', path: file.path, line: FILE_LINES_MAX + 1, text }];
  });
}

export function checkFunctionLengths(files: readonly SourceFile[]): Violation[] {
  return files.flatMap((file) =>
    functionsOf(file).flatMap(({ name, line, lineCount }) => {
      if (lineCount <= FUNCTION_LINES_MAX || isTestBody(file, name)) return [];
      const text = `${name} has ${lineCount} lines; ${FUNCTION_LINES_MAX} is the most`;
      return [{ rule: 'function length', path: file.path, line, text }];
    }),
  );
}

/** describe, it and their like are chapters, not functions: their callbacks have no name. */
function isTestBody(file: SourceFile, name: string): boolean {
  return file.path.endsWith('.test.ts') && name === ANONYMOUS;
}

export interface FunctionSpan {
  readonly name: string;
  readonly line: number;
  readonly lineCount: number;
}

const ANONYMOUS = 'a function without a name';
const BLOCK_WORDS = new Set(['if', 'for', 'while', 'switch', 'catch', 'with', 'await', 'return']);

/** Every function with a body in braces: declarations, methods, accessors, arrows. */
export function functionsOf(file: SourceFile): FunctionSpan[] {
  const { code } = file;
  const pairs = pairBrackets(code);
  const spans: FunctionSpan[] = [];
  for (const [open, close] of pairs.closeOf) {
    const head = code[open] === '{' ? headOf(code, open, pairs.openOf) : null;
    if (head === null) continue;
    const line = lineAt(code, head.at);
    spans.push({ name: head.name, line, lineCount: lineAt(code, close) - line + 1 });
  }
  return spans.sort((a, b) => a.line - b.line);
}

interface Head {
  readonly name: string;
  readonly at: number;
}

/** Name and place of the function whose body opens at `brace`; null for any other brace. */
function headOf(code: string, brace: number, openOf: ReadonlyMap<number, number>): Head | null {
  let end = trimEnd(code, brace);
  const isArrow = code.endsWith('=>', end) || code.slice(0, end).endsWith('=>');
  if (isArrow) end = trimEnd(code, end - 2);
  const close = endOfParameters(code, end);
  const open = close === -1 ? undefined : openOf.get(close);
  if (open === undefined) return isArrow ? arrowHead(code, end) : null;
  if (isArrow) return arrowHead(code, open);
  const before = code.slice(Math.max(0, open - 200), open).replace(/<[^()]*>\s*$/, '');
  const name = /([\w$#]+)\s*$/.exec(before)?.[1];
  if (name === undefined || BLOCK_WORDS.has(name) || /\bcase\s[^:]*$/.test(before)) return null;
  if (/\bnew\s+[\w.$]+$/.test(before)) return null;
  return { name: name === 'function' ? ANONYMOUS : name, at: open };
}

/** An arrow is called by what it is assigned to. */
function arrowHead(code: string, at: number): Head {
  const before = code.slice(Math.max(0, at - 200), at);
  const name = /([\w$]+)\s*(?::[^=;{}]*)?=\s*(?:async\s*)?[\w$]*$/.exec(before)?.[1];
  return { name: name ?? ANONYMOUS, at };
}

/** Where the `)` of the parameters is, seen from the end of an optional return type; or -1. */
function endOfParameters(code: string, end: number): number {
  if (code[end - 1] === ')') return end - 1;
  const window = code.slice(Math.max(0, end - 200), end);
  const typed = /\)\s*:\s*[^;=(){}]*(?:\{[^{}()]*\})?[^;=(){}\n]*$/.exec(window);
  return typed === null ? -1 : end - window.length + typed.index;
}

function trimEnd(code: string, end: number): number {
  while (end > 0 && /\s/.test(code[end - 1]!)) end--;
  return end;
}

function pairBrackets(code: string) {
  const closeOf = new Map<number, number>();
  const openOf = new Map<number, number>();
  const open: number[] = [];
  for (let at = 0; at < code.length; at++) {
    if ('([{'.includes(code[at]!)) open.push(at);
    if (!')]}'.includes(code[at]!)) continue;
    const start = open.pop();
    if (start === undefined) continue;
    closeOf.set(start, at);
    openOf.set(at, start);
  }
  return { closeOf, openOf };
}

/** Names that say nothing: if no noun fits, the boundary is wrong. */
const BANNED_NAMES =
  /^(?:utils?|helpers?|managers?|handlers?|handles?|data|info|misc|common|shared)$/;

export function checkFileNames(files: readonly SourceFile[]): Violation[] {
  return files.flatMap((file) => {
    const path = file.path.replace(/(?:\.test)?\.ts$/, '');
    const parts = path.split('/').flatMap((part) => part.split(/[-.]/));
    const banned = parts.find((part) => BANNED_NAMES.test(part));
    const violations: Violation[] = [];
    const add = (text: string) =>
      violations.push({ rule: 'file name', path: file.path, line: 1, text });
    if (banned !== undefined) add(`'${banned}' names no thing: call the file by its noun`);
    if (/[A-Z_]/.test(path)) add('file names are lower case with hyphens');
    return violations;
  });
}

export function checkOpenings(files: readonly SourceFile[]): Violation[] {
  return files.flatMap((file) => {
    if (
      !file.path.includes('/') ||
      file.path.endsWith('.test.ts') ||
      /^(?:#!.*\n)?\s*\/[/*]/.test(file.text)
    )
      return [];
    const text = 'a file opens with a comment that says what it is for';
    return [{ rule: 'opening', path: file.path, line: 1, text }];
  });
}

interface BannedWord {
  readonly pattern: RegExp;
  readonly where: 'text' | 'code' | 'comments';
  readonly instead: string;
}

const BANNED_WORDS: readonly BannedWord[] = [
  {
    pattern: /\bTODO\b(?!\([\w@.-]+\): \S)/g,
    where: 'comments',
    instead: 'write TODO(owner): and the condition under which it is done',
  },
  { pattern: /\bFIXME\b|\bXXX\b|\bHACK\b/g, where: 'comments', instead: 'fix it, or say why not' },
  {
    pattern: /@ts-ignore\b|@ts-nocheck\b/g,
    where: 'comments',
    instead: 'mend the type; a test of a wrong type uses @ts-expect-error with a reason',
  },
  { pattern: /\bas any\b/g, where: 'code', instead: 'use unknown at the border and parse it' },
  { pattern: /\bdebugger\b/g, where: 'code', instead: 'take it out' },
  {
    pattern: /(?<![\w.])\/(?:work|root|home|tmp\/redis)[\w.-]*\//g,
    where: 'text',
    instead: 'a path of one machine has no meaning on another',
  },
];

export function checkWords(files: readonly SourceFile[]): Violation[] {
  return files.flatMap((file) =>
    BANNED_WORDS.flatMap(({ pattern, where, instead }) =>
      [...file[where].matchAll(pattern)].map((match) => ({
        rule: 'words',
        path: file.path,
        line: lineAt(file.text, match.index),
        text: `${match[0]}: ${instead}`,
      })),
    ),
  );
}

const DEFAULT_EXPORT = /\bexport\s+default\b|\bexport\s*\{[^}]*\bas\s+default\b/g;

export function checkDefaultExports(files: readonly SourceFile[]): Violation[] {
  // vitest reads its configuration from the default export.
  const own = files.filter((file) => !file.path.endsWith('.config.ts'));
  return own.flatMap((file) =>
    [...file.code.matchAll(DEFAULT_EXPORT)].map((match) => ({
      rule: 'default export',
      path: file.path,
      line: lineAt(file.text, match.index),
      text: 'export by name, so that one thing has one name everywhere',
    })),
  );
}
