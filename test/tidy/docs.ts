// What is written for people: every page has one title, every link and every file it names leads
// somewhere, and every struct has its drawing.

import { resolveImport, type Violation } from './source.js';

export interface Page {
  readonly path: string;
  readonly text: string;
}

export function checkTitles(pages: readonly Page[]): Violation[] {
  return pages.flatMap(({ path, text }) => {
    const titles = linesOf(text).filter(({ line }) => /^# \S/.test(line));
    if (titles.length === 1) return [];
    const extra = titles[1]?.number ?? 1;
    const message = `${titles.length} titles of the first level; a page has one`;
    return [{ rule: 'one title', path, line: extra, text: message }];
  });
}

/** `paths` are all files of the project; a folder counts where a file lies in it. */
export function checkLinks(pages: readonly Page[], paths: ReadonlySet<string>): Violation[] {
  const anchors = new Map(pages.map((page) => [page.path, anchorsOf(page.text)]));
  return pages.flatMap(({ path, text }) =>
    linesOf(text).flatMap(({ line, number }) =>
      [...line.replace(/`[^`]*`/g, '').matchAll(/\]\(([^)\s]+)(?:\s+"[^"]*")?\)/g)].flatMap(
        (match) => {
          const target = match[1]!;
          if (/^[a-z]+:/.test(target)) return [];
          const problem = problemOfLink(path, target, paths, anchors);
          return problem === null ? [] : [{ rule: 'links', path, line: number, text: problem }];
        },
      ),
    ),
  );
}

function problemOfLink(
  path: string,
  target: string,
  paths: ReadonlySet<string>,
  anchors: ReadonlyMap<string, ReadonlySet<string>>,
): string | null {
  const [file = '', anchor] = target.split('#');
  const resolved = file === '' ? path : (resolveImport(path, `./${file}`) ?? file);
  const folder = resolved.endsWith('/') ? resolved : `${resolved}/`;
  const exists = paths.has(resolved) || [...paths].some((known) => known.startsWith(folder));
  if (!exists) return `${target} does not exist (${resolved})`;
  if (anchor === undefined || !anchors.has(resolved)) return null;
  return anchors.get(resolved)!.has(anchor) ? null : `${resolved} has no heading #${anchor}`;
}

/** Headings as GitHub turns them into anchors. */
function anchorsOf(text: string): Set<string> {
  const headings = linesOf(text).flatMap(({ line }) => /^#{1,6}\s+(.*)$/.exec(line)?.[1] ?? []);
  return new Set(
    headings.map((heading) =>
      heading
        .trim()
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

/** A source file named in backticks exists, whole or without its leading src/. */
export function checkNamedFiles(pages: readonly Page[], paths: ReadonlySet<string>): Violation[] {
  return pages.flatMap(({ path, text }) =>
    linesOf(text).flatMap(({ line, number }) =>
      [...line.matchAll(/`((?:[\w.-]+\/)+[\w.-]+\.ts)`/g)].flatMap((match) => {
        const name = match[1]!;
        if (paths.has(name) || paths.has(`src/${name}`)) return [];
        return [{ rule: 'named files', path, line: number, text: `${name} does not exist` }];
      }),
    ),
  );
}

/** Every struct has its drawing: its file is named on the page about memory. */
export function checkDrawings(memory: Page, structs: readonly string[]): Violation[] {
  return structs.flatMap((struct) => {
    if (memory.text.includes(struct)) return [];
    const text = `${struct} has no drawing here: copy the one its file opens with`;
    return [{ rule: 'drawings', path: memory.path, line: 1, text }];
  });
}

interface NumberedLine {
  readonly line: string;
  readonly number: number;
}

/** The lines outside fenced blocks. */
function linesOf(text: string): NumberedLine[] {
  let fence: string | null = null;
  return text.split('\n').flatMap((line, index) => {
    const mark = /^\s*(```+|~~~+)/.exec(line)?.[1] ?? null;
    const wasInside = fence !== null;
    if (mark !== null && (fence === null || mark === fence)) fence = fence === null ? mark : null;
    return wasInside || mark !== null ? [] : [{ line, number: index + 1 }];
  });
}
