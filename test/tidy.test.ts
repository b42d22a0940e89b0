// The code itself: rules about imports, doors, shapes, names, layouts and pages, as functions over
// all files (test/tidy/). Each rule is shown at work on a made-up snippet, then run on the project.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as docs from './tidy/docs.js';
import { checkDoors, DOORS } from './tidy/doors.js';
import { EXCEPTIONS, excuse } from './tidy/exceptions.js';
import { checkFloors, checkPackages, FLOORS } from './tidy/floors.js';
import * as layout from './tidy/layout.js';
import { checkCommandNames, checkUnused, commandNamesOf } from './tidy/names.js';
import * as shape from './tidy/shape.js';
import {
  describeViolation,
  importsOf,
  listPaths,
  readTree,
  sourceFile,
  type Violation,
} from './tidy/source.js';

const root = join(import.meta.dirname, '..');
const paths = new Set(listPaths(root, ''));
const sources = readTree(root, ['src', 'test', 'native-free-bench'], ['.ts', '.tsx'])
  .concat(readTree(root, [''], ['vitest.config.ts']))
  .map(({ path, text }) => sourceFile(path, text));
const pages = [...paths]
  .filter((path) => path.endsWith('.md'))
  .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
const starters = ['package.json', '.ci/run']
  .map((path) => readFileSync(join(root, path), 'utf8'))
  .join('\n');

/** What tsc made of the sources that are there now: leftovers of deleted files do not count. */
function builtFiles() {
  const built = readTree(root, ['dist/src'], ['.js']);
  const current = built.filter(({ path }) => paths.has(path.slice(5).replace(/\.js$/, '.ts')));
  return current.map(({ path, text }) => sourceFile(path, text));
}

function memoryViolations(): Violation[] {
  const memory = pages.find(({ path }) => path === 'docs/memory.md');
  if (memory === undefined) return [];
  const structs = [...paths].filter((path) => path.startsWith('src/structs/'));
  return docs.checkDrawings(memory, structs);
}

const PROJECT: Readonly<Record<string, () => Violation[]>> = {
  floors: () => checkFloors(sources),
  packages: () => checkPackages(sources),
  doors: () => checkDoors(sources),
  'line length': () => shape.checkLineLengths(sources),
  'function length': () => shape.checkFunctionLengths(sources),
  'file length': () => shape.checkFileLengths(sources),
  'file name': () => shape.checkFileNames(sources),
  opening: () => shape.checkOpenings(sources),
  words: () => shape.checkWords(sources),
  'default export': () => shape.checkDefaultExports(sources),
  'bare number': () => layout.checkBareNumbers(sources),
  'const enum': () => layout.checkConstEnums(sources),
  'private layout': () => layout.checkPrivateLayouts(sources),
  'struct check': () => layout.checkStructChecks(sources),
  'built enum': () => layout.checkBuiltEnums(builtFiles()),
  'command name': () => checkCommandNames(sources),
  'unused file': () => checkUnused(sources, starters),
  'one title': () => docs.checkTitles(pages),
  links: () => docs.checkLinks(pages, paths),
  'named files': () => docs.checkNamedFiles(pages, paths),
  drawings: memoryViolations,
};

describe('the project', () => {
  for (const [rule, violationsOf] of Object.entries(PROJECT)) {
    it(`keeps the rule '${rule}'`, () => {
      const violations = excuse(rule, violationsOf());
      expect(violations.map(describeViolation)).toEqual([]);
    });
  }

  it('excuses only rules that exist, each with a reason', () => {
    for (const { rule, reason } of EXCEPTIONS) {
      expect(Object.keys(PROJECT)).toContain(rule);
      expect(reason).toMatch(/\w+ \w+/);
    }
  });
});

/** What `check` says about one made-up file. */
function said(
  check: (files: ReturnType<typeof sourceFile>[]) => Violation[],
  path: string,
  ...lines: string[]
): string[] {
  return check([sourceFile(path, lines.join('\n'))]).map(describeViolation);
}

describe('the reader of sources', () => {
  it('sees neither comments nor strings nor regular expressions as code', () => {
    const text = `a('x'); // Atomics\n\`b\${c('d')}e\` /* f */ + /g['\`]/.test(h) / 2;`;
    const { code, bare, comments } = sourceFile('src/a.ts', text);

    expect(code).toBe(`a(' ');           \n\` \${c(' ')} \`         + /     /.test(h) / 2;`);
    expect(bare).toContain(`a('x');           \n\`b\${c('d')}e\``);
    expect(comments.trim().replace(/\s+/g, ' ')).toBe('// Atomics /* f */');
  });

  it('finds static, bare, dynamic and worker imports, but none in a string', () => {
    const file = sourceFile(
      'src/server/main.ts',
      [
        "import { a,\n b } from '../base/a.js';",
        "import '../base/b.js';",
        "export type { C } from '../base/c.js';",
        "const d = await import('../base/d.js');",
        "new Worker(new URL('./worker.js', import.meta.url));",
        "const no = `import { x } from '../base/x.js'`;",
      ].join('\n'),
    );

    expect(importsOf(file).map(({ specifier, line }) => `${line} ${specifier}`)).toEqual([
      '2 ../base/a.js',
      '3 ../base/b.js',
      '4 ../base/c.js',
      '5 ../base/d.js',
      '6 ./worker.js',
    ]);
  });
});

describe('floors', () => {
  it('refuses a sibling, with file, line and rule', () => {
    const lines = ['// Log.', "import { x } from '../stats/counters.js';"];
    expect(said(checkFloors, 'src/log/record.ts', ...lines)).toEqual([
      'src/log/record.ts:2 [floors] log/ imports its sibling stats/: ' +
        'move what both need one floor down',
    ]);
  });

  it('refuses a higher floor, and says what to do', () => {
    expect(
      said(checkFloors, 'src/structs/a.ts', "import { x } from '../keyspace/entry.js';"),
    ).toEqual([
      'src/structs/a.ts:1 [floors] structs/ (floor 2) imports keyspace/ (floor 4) above it: ' +
        'take a callback instead and hand it over in server/wire.ts',
    ]);
  });

  it('refuses tests and folders without a floor', () => {
    expect(said(checkFloors, 'src/base/a.ts', "import '../../test/support/seed.js';")).toEqual([
      'src/base/a.ts:1 [floors] src imports test/support/seed.ts: only src belongs to the server',
    ]);
    expect(said(checkFloors, 'src/tools/a.ts', '')[0]).toContain('src/tools stands on no floor');
  });

  it('lets a folder import itself and everything below', () => {
    const lines = ["import '../base/assert.js';", "import './entry.js';", "import 'node:path';"];
    expect(said(checkFloors, 'src/keyspace/partition.ts', ...lines)).toEqual([]);
  });

  it('keeps what stands beside the server away from it, both ways', () => {
    expect(said(checkFloors, 'src/web/a.tsx', "import '../client/index.js';")).toEqual([]);
    expect(said(checkFloors, 'src/client/a.ts', "import '../base/bytes.js';")).toEqual([
      'src/client/a.ts:1 [floors] client/ stands beside the server: ' +
        'it imports itself, not src/base/bytes.ts',
    ]);
    expect(said(checkFloors, 'src/gateway/a.ts', "import '../client/value.js';")).toEqual([
      'src/gateway/a.ts:1 [floors] client/ is no part of the server',
    ]);
  });

  it('knows every folder of src once', () => {
    const folders = FLOORS.flat();
    expect(new Set(folders).size).toBe(folders.length);
  });

  it('refuses a package outside its place, and one that nobody decided on', () => {
    expect(said(checkPackages, 'src/net/epoll.ts', "import koffi from 'koffi';")).toEqual([
      "src/net/epoll.ts:1 [packages] 'koffi' may be imported only in src/base/libc-calls.ts, " +
        'src/base/malloc.ts, test/libraries/hiredis.test.ts: a wrong length is a crash',
    ]);
    expect(said(checkPackages, 'src/base/a.ts', "import _ from 'lodash/fp';")[0]).toContain(
      "'lodash/fp' is not in PACKAGES",
    );
    expect(said(checkPackages, 'src/base/libc-calls.ts', "import koffi from 'koffi';")).toEqual([]);
  });
});

describe('doors', () => {
  it('refuses each word and module outside its places, and lets it pass inside', () => {
    const samples: Readonly<Record<string, string>> = {
      Atomics: 'Atomics.load(words, 0);',
      libc: "import koffi from 'koffi';",
      files: "import { readFileSync } from 'node:fs';",
      time: 'const nowMs = Date.now();',
      chance: 'const x = Math.random();',
      sockets: "import { connect } from 'node:net';",
      exit: 'process.exit(1);',
    };
    for (const door of DOORS) {
      const sample = samples[door.name]!;
      expect(said(checkDoors, 'src/types/set.ts', '', sample)).toEqual([
        expect.stringMatching(
          `^src/types/set.ts:2 .doors. .* passes by the door of ${door.name}: `,
        ),
      ]);
      for (const { at } of door.places) {
        expect(said(checkDoors, at.endsWith('/') ? `${at}a.ts` : at, sample)).toEqual([]);
      }
    }
  });

  it('says which door to take', () => {
    expect(said(checkDoors, 'src/acl/users.ts', 'const id = Math.random();')).toEqual([
      'src/acl/users.ts:1 [doors] Math.random passes by the door of chance: ' +
        'draw from base/prng.ts or digest with base/hash.ts',
    ]);
  });

  it('leaves strings, comments and tests alone', () => {
    const lines = [
      "const say = 'Date.now() and node:fs';",
      '// Math.random is elsewhere',
      "f('fs');",
    ];
    expect(said(checkDoors, 'src/types/set.ts', ...lines)).toEqual([]);
    expect(said(checkDoors, 'test/types/set.test.ts', 'Date.now();')).toEqual([]);
  });
});

describe('shape', () => {
  const body = (count: number) => Array.from({ length: count }, () => '  call();');

  it('counts columns, not bytes', () => {
    const line = `// ${'─'.repeat(97)}`;
    expect(said(shape.checkLineLengths, 'src/a.ts', line)).toEqual([]);
    expect(said(shape.checkLineLengths, 'src/a.ts', '', `${line}x`)).toEqual([
      'src/a.ts:2 [line length] 101 columns; 100 is the most',
    ]);
  });

  it('names the function that is too long', () => {
    const long = ['function walk(', '  a: number,', '): { b: number } {', ...body(67), '}'];
    expect(said(shape.checkFunctionLengths, 'src/a.ts', '', ...long)).toEqual([
      'src/a.ts:2 [function length] walk has 71 lines; 70 is the most',
    ]);
    long.splice(3, 1);
    expect(said(shape.checkFunctionLengths, 'src/a.ts', '', ...long)).toEqual([]);
  });

  it('sees methods, arrows and handlers, and no block that is not a function', () => {
    const file = sourceFile(
      'src/a.ts',
      [
        'class A { run<T>(x: T): void { if (x) { a(); } } get b(): number { return 1; } }',
        'const arrow = (x: number): number => { for (;;) { return x; } };',
        "export const c = keyCommand({ name: 'c', run({ args }) { switch (args) { } } });",
        'list.map((x) => { return x; });',
        'function two(): string | undefined {\n  return new B(1).c();\n}\nclass B {\n}',
        'const one = async (x) => { await x; };',
      ].join('\n'),
    );
    expect(shape.functionsOf(file).map(({ name }) => name)).toEqual([
      'run',
      'b',
      'arrow',
      'run',
      'a function without a name',
      'two',
      'one',
    ]);
  });

  it('lets the chapters of a test be long, but not its functions', () => {
    const chapter = ["describe('x', () => {", ...body(90), '});'];
    expect(said(shape.checkFunctionLengths, 'test/a.test.ts', ...chapter)).toEqual([]);
    expect(said(shape.checkFunctionLengths, 'src/a.ts', ...chapter)).toHaveLength(1);
    const long = ['const play = () => {', ...body(90), '};'];
    expect(said(shape.checkFunctionLengths, 'test/a.test.ts', ...long)).toHaveLength(1);
  });

  it('refuses a file past its length', () => {
    expect(said(shape.checkFileLengths, 'src/a.ts', ...body(801))).toEqual([
      'src/a.ts:801 [file length] 801 lines; past 800 it becomes a folder, split by noun',
    ]);
    expect(said(shape.checkFileLengths, 'src/a.ts', ...body(800))).toEqual([]);
  });

  it('refuses names that say nothing', () => {
    expect(said(shape.checkFileNames, 'src/net/socket-utils.ts', '')).toEqual([
      "src/net/socket-utils.ts:1 [file name] 'utils' names no thing: call the file by its noun",
    ]);
    expect(said(shape.checkFileNames, 'src/net/lockManager.ts', '')).toEqual([
      'src/net/lockManager.ts:1 [file name] file names are lower case with hyphens',
    ]);
    expect(said(shape.checkFileNames, 'src/slab/lock.ts', '')).toEqual([]);
  });

  it('wants a file to open with what it is for', () => {
    expect(said(shape.checkOpenings, 'src/a.ts', "import './b.js';")).toEqual([
      'src/a.ts:1 [opening] a file opens with a comment that says what it is for',
    ]);
    expect(said(shape.checkOpenings, 'src/a.ts', '#!/usr/bin/env node', '// The start.')).toEqual(
      [],
    );
  });

  it('refuses promises without an owner and ways around the types', () => {
    const words = (line: string) => said(shape.checkWords, 'src/a.ts', line);
    expect(words('// TODO: later')).toEqual([
      'src/a.ts:1 [words] TODO: write TODO(owner): and the condition under which it is done',
    ]);
    expect(words('// TODO(ada): when Node 22 is the oldest')).toEqual([]);
    expect(words('// FIXME')[0]).toContain('fix it, or say why not');
    expect(words('// @ts-ignore')[0]).toContain('mend the type');
    expect(words('const a = b as any;')[0]).toContain('use unknown at the border');
    expect(words("const a = 'as any';")).toEqual([]);
    expect(words(`const a = '/${'home'}/ada/flagstone';`)[0]).toContain('a path of one machine');
  });

  it('refuses default exports', () => {
    expect(said(shape.checkDefaultExports, 'src/a.ts', 'export default class A {}')).toEqual([
      'src/a.ts:1 [default export] export by name, so that one thing has one name everywhere',
    ]);
    expect(said(shape.checkDefaultExports, 'src/a.ts', 'export { a as default };')).toHaveLength(1);
    expect(said(shape.checkDefaultExports, 'src/a.ts', 'export const a = 1;')).toEqual([]);
    expect(said(shape.checkDefaultExports, 'a.config.ts', 'export default 1;')).toEqual([]);
  });
});

describe('layout', () => {
  const indexed = (line: string) => said(layout.checkBareNumbers, 'src/structs/a.ts', line);

  it('refuses a bare number as a field', () => {
    expect(indexed('slab.i32[node + 3] = 1;')).toEqual([
      'src/structs/a.ts:1 [bare number] i32[node + 3]: 3 needs a name ' +
        "(a field of the struct's enum)",
    ]);
    expect(indexed('return u8[7];')).toHaveLength(1);
    expect(indexed('u8[(3 + at)] = 0;')).toHaveLength(1);
    expect(indexed('slab.f64[(node + 3) >> 1] = 0;')).toHaveLength(1);
    expect(indexed('i32[u8[at + 2]! + Node.Height] = 0;')).toHaveLength(1);
    expect(indexed('u8[isLong ? 5 : 0] = 0;')).toHaveLength(1);
    expect(indexed('const heads = new Int32Array(9); heads[0x10] = 1;')).toHaveLength(1);
  });

  it('accepts names, zero, conversions, ends, and arrays that are not typed', () => {
    expect(indexed('slab.i32[node + Node.Height] = u8[0] + u8[at + 0];')).toEqual([]);
    expect(indexed('slab.f64[(node + Node.Score) >> 1] = 1;')).toEqual([]);
    expect(indexed('i32[(ref << 1) + level * 2 + Level.Span] = u8[end - 1];')).toEqual([]);
    expect(
      indexed('CLASS[u8[(bytes + 7) >> 3]!] + i32[(at << 1) + (hash >>> (31 - depth))];'),
    ).toEqual([]);
    expect(indexed('u8[placeOf(slab, at + 1)];')).toEqual([]);
    expect(indexed('const word = words[1]; type A = B[2];')).toEqual([]);
    expect(said(layout.checkBareNumbers, 'src/resp/parse.ts', 'u8[at + 1];')).toEqual([]);
  });

  it('refuses enums that stay at run time', () => {
    expect(said(layout.checkConstEnums, 'src/a.ts', 'enum Node { Member = 0 }')).toEqual([
      'src/a.ts:1 [const enum] enum Node becomes an object: make it a const enum',
    ]);
    expect(said(layout.checkConstEnums, 'src/a.ts', 'export const enum Node {}')).toEqual([]);
    const built = ['var Node;', '(function (Node) {', '  Node[0] = 1;', '})(Node || (Node = {}));'];
    expect(said(layout.checkBuiltEnums, 'dist/src/a.js', ...built)).toEqual([
      'dist/src/a.js:1 [built enum] the enum Node is an object in the built file: ' +
        'make it a private const enum',
    ]);
  });

  it('keeps the layout of a struct inside its file', () => {
    expect(
      said(layout.checkPrivateLayouts, 'src/structs/a.ts', 'export const enum Node {}'),
    ).toEqual([
      'src/structs/a.ts:1 [private layout] Node is exported: ' +
        'give other files an accessor function instead',
    ]);
    expect(said(layout.checkPrivateLayouts, 'src/types/a.ts', 'export const enum T {}')).toEqual(
      [],
    );
  });

  it('wants a check of every struct', () => {
    expect(said(layout.checkStructChecks, 'src/structs/a.ts', 'export function walk() {}')).toEqual(
      [
        'src/structs/a.ts:1 [struct check] a struct ends with an exported check function ' +
          'that walks it and asserts',
      ],
    );
    const check = 'export function checkPacked(slab: Slab, ref: Ref): void {}';
    expect(said(layout.checkStructChecks, 'src/structs/a.ts', check)).toEqual([]);
  });
});

describe('names', () => {
  const get = "export const get = keyCommand({ name: 'get', run() { return { name: 'x' }; } });";

  it('refuses a command in two files', () => {
    const files = [
      sourceFile('src/commands/bitmap.ts', `\n${get}`),
      sourceFile('src/commands/string.ts', get),
    ];
    expect(checkCommandNames(files).map(describeViolation)).toEqual([
      "src/commands/string.ts:1 [command name] 'get' is a command " +
        'of src/commands/bitmap.ts:2 already',
    ]);
  });

  it('leaves subcommands and other objects their names', () => {
    const config =
      "export const config = sessionCommand({ name: 'config', " +
      "subcommands: [sessionCommand({ name: 'get' })] }); const row = { name: 'get' };";
    const files = [
      sourceFile('src/commands/server.ts', config),
      sourceFile('src/commands/a.ts', get),
    ];
    expect(commandNamesOf(files).map(({ name }) => name)).toEqual(['config', 'get']);
    expect(checkCommandNames(files)).toEqual([]);
  });

  it('refuses a file that nothing reaches', () => {
    const files = [
      sourceFile('src/server/main.ts', "import '../base/a.js'; start('./worker.js');"),
      sourceFile('src/server/worker.ts', ''),
      sourceFile('src/base/a.ts', ''),
      sourceFile('src/base/b.ts', "import './b.js';"),
      sourceFile('test/base/b.test.ts', "import '../../src/base/b.js'; import '../support/c.js';"),
      sourceFile('test/support/c.ts', ''),
      sourceFile('test/support/d.ts', '// Started with `node dist/test/support/d.js`.'),
    ];
    const starts = '{ "start": "node dist/src/server/main.js" }';
    expect(checkUnused(files, starts).map(describeViolation)).toEqual([
      'src/base/b.ts:1 [unused file] nothing imports this file and nothing starts it',
    ]);
    expect(checkUnused(files, '').map(({ path }) => path)).toContain('src/server/main.ts');
  });
});

describe('pages', () => {
  const page = (path: string, ...lines: string[]) => ({ path, text: lines.join('\n') });

  it('have one title', () => {
    const two = page('docs/a.md', '# One', '```sh', '# a comment', '```', '# Two');
    expect(docs.checkTitles([two, page('docs/b.md', '## None')]).map(describeViolation)).toEqual([
      'docs/a.md:5 [one title] 2 titles of the first level; a page has one',
      'docs/b.md:1 [one title] 0 titles of the first level; a page has one',
    ]);
    expect(docs.checkTitles([page('docs/a.md', '# One', '## Two')])).toEqual([]);
  });

  it('have no dead link', () => {
    const known = new Set(['README.md', 'docs/a.md', 'src/base/a.ts']);
    const good = '[a](docs/a.md#the-lock-4) [s](src/base/) [w](https://example.org/x) `[n](no.md)`';
    const readme = page('README.md', '# R', good, '[x](docs/no.md) [y](#nothing)');
    const target = page('docs/a.md', '# A', '## The lock (4)', '[up](../README.md)');
    expect(docs.checkLinks([readme, target], known).map(describeViolation)).toEqual([
      'README.md:3 [links] docs/no.md does not exist (docs/no.md)',
      'README.md:3 [links] README.md has no heading #nothing',
    ]);
  });

  it('name only files that exist', () => {
    const known = new Set(['src/base/a.ts']);
    const named = page('docs/a.md', '`src/base/a.ts` and `base/a.ts` and `base/b.ts`');
    expect(docs.checkNamedFiles([named], known).map(describeViolation)).toEqual([
      'docs/a.md:1 [named files] base/b.ts does not exist',
    ]);
  });

  it('draw every struct', () => {
    const memory = page('docs/memory.md', 'see `src/structs/packed.ts`');
    const structs = ['src/structs/packed.ts', 'src/structs/btree.ts'];
    expect(docs.checkDrawings(memory, structs).map(describeViolation)).toEqual([
      'docs/memory.md:1 [drawings] src/structs/btree.ts has no drawing here: ' +
        'copy the one its file opens with',
    ]);
  });
});

describe('exceptions', () => {
  const violation: Violation = { rule: 'floors', path: 'src/a/b.ts', line: 3, text: 'imports c' };
  const row = { rule: 'floors', path: 'src/a/', reason: 'because it is so' };

  it('excuse what they name, and only that', () => {
    expect(excuse('floors', [violation], [row])).toEqual([]);
    expect(excuse('floors', [violation], [{ ...row, containing: 'imports c' }])).toEqual([]);
    expect(excuse('floors', [violation], [])).toEqual([violation]);
  });

  it('must still be needed', () => {
    expect(excuse('floors', [], [row]).map(describeViolation)).toEqual([
      'src/a/:1 [floors] its row in test/tidy/exceptions.ts excuses nothing any more: take it out',
    ]);
  });
});
