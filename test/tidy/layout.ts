// How structs are written: fields by name and never by a bare number, layouts in private const
// enums that leave no object behind, and a check at the end of every struct's file.

import { lineAt, type SourceFile, type Violation } from './source.js';

const LAYOUT_FOLDERS = ['src/slab/', 'src/structs/', 'src/keyspace/', 'src/types/'];

const TYPED_ARRAY =
  '(?:Uint8|Int8|Uint16|Int16|Uint32|Int32|Float32|Float64|BigInt64|BigUint64|Uint8Clamped)Array';

/** The views every slab has, by the names they have everywhere. */
const VIEW_NAMES = ['u8', 'i8', 'u16', 'i16', 'u32', 'i32', 'f32', 'f64', 'i64', 'u64'];

/**
 * A field's place is always a name: i32[node + Node.Height], never i32[node + 3]. Only an added or
 * lone number is a field in disguise: shifts and products convert units, and a subtraction counts
 * from an end.
 */
export function checkBareNumbers(files: readonly SourceFile[]): Violation[] {
  const inLayouts = files.filter((file) => LAYOUT_FOLDERS.some((at) => file.path.startsWith(at)));
  return inLayouts.flatMap((file) => {
    const names = [...VIEW_NAMES, ...typedArrayNamesOf(file)].join('|');
    const violations: Violation[] = [];
    for (const match of file.code.matchAll(new RegExp(`(?<![\\w$])(?:${names})\\[`, 'g'))) {
      const start = match.index + match[0].length;
      const index = file.code.slice(start, endOfIndex(file.code, start));
      const bare = bareNumberIn(index);
      if (bare === null) continue;
      const text = `${match[0]}${index}]: ${bare} needs a name (a field of the struct's enum)`;
      const line = lineAt(file.text, match.index);
      violations.push({ rule: 'bare number', path: file.path, line, text });
    }
    return violations;
  });
}

/** The first number that is added to the rest of an index, or stands there alone. */
function bareNumberIn(index: string): string | null {
  const own = withoutArguments(index).replace(ROUNDED_UP, (whole, added, shift) =>
    Number(added) === 2 ** Number(shift) - 1 ? ' ' : whole,
  );
  for (const match of own.matchAll(ADDED_NUMBER)) {
    if (Number(match[1]!.replaceAll('_', '')) !== 0) return match[1]!;
  }
  return null;
}

const ADDED_NUMBER = /(?:^|[+(?:])\s*(\d[\d_]*|0x[\da-f_]+)\b(?=\s*(?:$|[+)?:]))/gi;

/** (bytes + 7) >> 3 rounds up to a unit: that number follows from the shift. */
const ROUNDED_UP = /\+\s*(\d+)\s*\)\s*>>>?\s*(\d+)/g;

/** Arguments of calls are no offsets, and inner indexes have their own turn. */
function withoutArguments(index: string): string {
  let own = index;
  for (let before = ''; before !== own; ) {
    before = own;
    own = own.replace(/([\w$!)\]])(?:\([^()[\]]*\)|\[[^()[\]]*\])/g, '$1');
  }
  return own.trim();
}

function typedArrayNamesOf(file: SourceFile): string[] {
  const declared = new RegExp(`([\\w$]+)[!?]?\\s*[:=]\\s*(?:new\\s+)?${TYPED_ARRAY}\\b`, 'g');
  return [...file.code.matchAll(declared)].map((match) => match[1]!);
}

function endOfIndex(code: string, start: number): number {
  let depth = 1;
  let at = start;
  for (; at < code.length; at++) {
    if (code[at] === '[') depth++;
    if (code[at] === ']') depth--;
    if (depth === 0) break;
  }
  return at;
}

/** An enum that is not const is an object at run time, looked up at every field. */
export function checkConstEnums(files: readonly SourceFile[]): Violation[] {
  return files.flatMap((file) =>
    [...file.code.matchAll(/(?<!\bconst\s+)\benum\s+([\w$]+)\s*\{/g)].map((match) => ({
      rule: 'const enum',
      path: file.path,
      line: lineAt(file.text, match.index),
      text: `enum ${match[1]} becomes an object: make it a const enum`,
    })),
  );
}

/** A layout that leaves its file is inlined by some builds and looked up by others. */
export function checkPrivateLayouts(files: readonly SourceFile[]): Violation[] {
  const structs = files.filter((file) => file.path.startsWith('src/structs/'));
  return structs.flatMap((file) =>
    [...file.code.matchAll(/\bexport\s+const\s+enum\s+([\w$]+)/g)].map((match) => ({
      rule: 'private layout',
      path: file.path,
      line: lineAt(file.text, match.index),
      text: `${match[1]} is exported: give other files an accessor function instead`,
    })),
  );
}

export function checkStructChecks(files: readonly SourceFile[]): Violation[] {
  const structs = files.filter((file) => file.path.startsWith('src/structs/'));
  return structs.flatMap((file) => {
    if (/\bexport\s+function\s+check[A-Z]\w*\s*[(<]/.test(file.code)) return [];
    const text = 'a struct ends with an exported check function that walks it and asserts';
    return [{ rule: 'struct check', path: file.path, line: 1, text }];
  });
}

/** What tsc leaves of an enum that it did not inline. Looks at built files (dist/src/…). */
export function checkBuiltEnums(files: readonly SourceFile[]): Violation[] {
  return files.flatMap((file) =>
    [...file.code.matchAll(/\bvar\s+([\w$]+);\s*\(function\s*\(\1\)\s*\{/g)].map((match) => ({
      rule: 'built enum',
      path: file.path,
      line: lineAt(file.text, match.index),
      text: `the enum ${match[1]} is an object in the built file: make it a private const enum`,
    })),
  );
}
