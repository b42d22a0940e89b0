// The last step of the build (node dist/src/server/bundle.js): the modules of each thread become a
// few large files, in place of what tsc wrote for the threads' entries. Node spends most of a start
// on finding, reading and linking hundreds of small modules, in every thread anew, and each costs
// memory; comments do, too.
//
//   dist/src/**.js ──▶ dist/src/server/{main, worker, …}.js and bundle-*.js, which they share
//
// All of them stand in dist/src/server, whichever folder they came from: what a module says with
// `new URL('./…', import.meta.url)` must be there. Stack traces keep the names of functions.

import { chmodSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { basename, join } from 'node:path';
import { build } from 'vite';

const SHARED = 'bundle-';
const folder = import.meta.dirname;
const source = join(folder, '..');

/** Entries of threads that stand elsewhere than in src/server. */
const ELSEWHERE = ['jobs/job-thread.js'];
const ENTRY = /^(main|worker|acceptor|load-lane|log-sync|edge-[a-z]+)\.js$/;

type Names = Readonly<Record<string, string>>;
interface Manifest {
  readonly bin: Names;
  readonly dependencies?: Names;
  readonly optionalDependencies?: Names;
}

const root = join(source, '../..');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;

/** Packages are loaded from node_modules, and only where a feature is used. */
function packageNames(): string[] {
  const { dependencies, optionalDependencies } = manifest;
  return [...Object.keys(dependencies ?? {}), ...Object.keys(optionalDependencies ?? {})];
}

function entries(): Record<string, string> {
  const paths = readdirSync(folder)
    .filter((name) => ENTRY.test(name))
    .map((name) => join(folder, name));
  paths.push(...ELSEWHERE.map((name) => join(source, name)));
  return Object.fromEntries(paths.map((path) => [basename(path, '.js'), path]));
}

for (const name of readdirSync(folder)) {
  if (name.startsWith(SHARED)) rmSync(join(folder, name));
}
await build({
  configFile: false,
  envDir: false,
  publicDir: false,
  logLevel: 'warn',
  root: source,
  ssr: { target: 'node', external: [...builtinModules, ...packageNames()] },
  build: {
    ssr: true,
    target: 'node20',
    outDir: folder,
    emptyOutDir: false,
    minify: false,
    rolldownOptions: {
      input: entries(),
      output: {
        entryFileNames: '[name].js',
        chunkFileNames: `${SHARED}[hash].js`,
        comments: false,
        // As written: V8 takes the value of a const for granted, and that of a var not.
        topLevelVar: false,
      },
    },
  },
});

// npx and npm link to the programs as they are, and make them executable only when they link.
for (const program of Object.values(manifest.bin)) chmodSync(join(root, program), 0o755);
