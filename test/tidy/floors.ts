// The floors of src: a folder imports lower floors only, siblings never import each other, and news
// goes up through callbacks wired in server/wire.ts. docs/design.md says why.

import { importsOf, resolveImport, type SourceFile, type Violation } from './source.js';

/** From the ground up. Folders on one line are siblings. */
export const FLOORS: readonly (readonly string[])[] = [
  ['base'],
  ['config', 'resp', 'mesh', 'slab'],
  ['structs'],
  ['types'],
  ['keyspace'],
  ['rdb'],
  ['acl', 'cluster', 'log', 'pubsub', 'replication', 'scripting', 'stats'],
  ['dispatch'],
  ['commands'],
  ['net', 'gateway', 'jobs', 'top'],
  ['server'],
];

/**
 * What runs in browsers, or is a program of its own, beside the server: what each may import. None
 * of them imports a folder of the server, and the server imports none of them.
 */
export const BESIDE: Readonly<Record<string, readonly string[] | undefined>> = {
  client: [],
  web: ['client'],
  examples: ['client'],
};

const floorOf = new Map(FLOORS.flatMap((folders, floor) => folders.map((name) => [name, floor])));

interface PackageRow {
  readonly name: string;
  /** Where it may be imported: a file, or a folder with its slash. */
  readonly at: readonly string[];
  readonly reason: string;
}

/** A package that is not here may not be imported at all: a dependency is a decision. */
export const PACKAGES: readonly PackageRow[] = [
  {
    name: 'koffi',
    at: ['src/base/libc-calls.ts', 'src/base/malloc.ts', 'test/libraries/hiredis.test.ts'],
    reason: 'a wrong length is a crash',
  },
  { name: 'uWebSockets.js', at: ['src/gateway/'], reason: 'the gateway is an edge' },
  { name: 'ws', at: ['src/gateway/', 'src/examples/', 'test/'], reason: 'the gateway is an edge' },
  { name: 'preact', at: ['src/web/'], reason: 'the dashboard only' },
  { name: 'uplot', at: ['src/web/', 'src/examples/'], reason: 'pages only' },
  { name: 'vite', at: ['src/web/build.ts', 'src/server/bundle.ts'], reason: 'it builds' },
  {
    name: 'msgpackr',
    at: ['src/gateway/', 'src/jobs/', 'test/'],
    reason: 'documents and messages',
  },
  { name: 'piscina', at: ['src/jobs/'], reason: 'jobs are an edge' },
  { name: 'wasmoon-lua5.1', at: ['src/scripting/'], reason: 'Lua stands behind one door' },
  { name: 'tinybench', at: ['native-free-bench/'], reason: 'benchmarks only' },
  { name: 'vite', at: ['src/server/bundle.ts', 'src/web/build.ts'], reason: 'build only' },
  { name: 'vitest', at: ['test/', 'vitest.config.ts'], reason: 'tests only' },
  { name: 'fast-check', at: ['test/'], reason: 'tests only' },
  { name: 'selfsigned', at: ['test/'], reason: 'tests only' },
  { name: 'ioredis', at: ['test/'], reason: 'tests only' },
  { name: 'redis', at: ['test/'], reason: 'tests only' },
  { name: 'playwright-core', at: ['test/'], reason: 'tests only' },
  { name: 'bullmq', at: ['test/libraries/'], reason: 'tests only' },
  { name: 'connect-redis', at: ['test/libraries/'], reason: 'tests only' },
  { name: 'express', at: ['test/libraries/'], reason: 'tests only' },
  { name: 'express-session', at: ['test/libraries/'], reason: 'tests only' },
  { name: 'rate-limiter-flexible', at: ['test/libraries/'], reason: 'tests only' },
  { name: 'redlock', at: ['test/libraries/'], reason: 'tests only' },
  { name: 'socket.io', at: ['test/libraries/'], reason: 'tests only' },
  { name: 'socket.io-client', at: ['test/libraries/'], reason: 'tests only' },
  { name: '@socket.io/redis-adapter', at: ['test/libraries/'], reason: 'tests only' },
];

export function checkFloors(files: readonly SourceFile[]): Violation[] {
  return files.filter((file) => file.path.startsWith('src/')).flatMap(checkFloorsOf);
}

function checkFloorsOf(file: SourceFile): Violation[] {
  const folder = folderOf(file.path);
  const allowed = BESIDE[folder];
  if (allowed !== undefined) return checkBeside(file, folder, allowed);
  const floor = floorOf.get(folder);
  if (floor === undefined) {
    const text = `src/${folder} stands on no floor: add it to FLOORS in test/tidy/floors.ts`;
    return [{ rule: 'floors', path: file.path, line: 1, text }];
  }
  return importsOf(file).flatMap(({ specifier, line }) => {
    const target = resolveImport(file.path, specifier);
    const text = target === null ? null : objectionTo(folder, floor, target);
    return text === null ? [] : [{ rule: 'floors', path: file.path, line, text }];
  });
}

function checkBeside(file: SourceFile, folder: string, allowed: readonly string[]): Violation[] {
  return importsOf(file).flatMap(({ specifier, line }) => {
    const target = resolveImport(file.path, specifier);
    const isFree = target === null || folderOf(target) === folder;
    if (isFree || allowed.includes(folderOf(target))) return [];
    const may = ['itself', ...allowed].join(' and ');
    const text = `${folder}/ stands beside the server: it imports ${may}, not ${target}`;
    return [{ rule: 'floors', path: file.path, line, text }];
  });
}

function objectionTo(folder: string, floor: number, target: string): string | null {
  if (!target.startsWith('src/')) return `src imports ${target}: only src belongs to the server`;
  const targetFolder = folderOf(target);
  if (BESIDE[targetFolder] !== undefined) return `${targetFolder}/ is no part of the server`;
  const targetFloor = floorOf.get(targetFolder);
  if (targetFloor === undefined) return `${target} stands on no floor`;
  if (targetFolder === folder || targetFloor < floor) return null;
  if (targetFloor === floor) {
    return `${folder}/ imports its sibling ${targetFolder}/: move what both need one floor down`;
  }
  return (
    `${folder}/ (floor ${floor}) imports ${targetFolder}/ (floor ${targetFloor}) above it: ` +
    'take a callback instead and hand it over in server/wire.ts'
  );
}

function folderOf(path: string): string {
  return path.split('/').length > 2 ? path.split('/')[1]! : '';
}

export function checkPackages(files: readonly SourceFile[]): Violation[] {
  return files.flatMap((file) =>
    importsOf(file).flatMap(({ specifier, line }) => {
      if (specifier.startsWith('.') || specifier.startsWith('node:')) return [];
      const text = objectionToPackage(file.path, specifier);
      return text === null ? [] : [{ rule: 'packages', path: file.path, line, text }];
    }),
  );
}

function objectionToPackage(path: string, specifier: string): string | null {
  const parts = specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1);
  const row = PACKAGES.find(({ name }) => name === parts.join('/'));
  if (row === undefined) {
    return `'${specifier}' is not in PACKAGES (test/tidy/floors.ts); Node's own start with node:`;
  }
  if (row.at.some((place) => path.startsWith(place))) return null;
  return `'${row.name}' may be imported only in ${row.at.join(', ')}: ${row.reason}`;
}
