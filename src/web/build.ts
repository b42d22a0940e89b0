// What browsers load, built by Vite after tsc: the dashboard, the client as one small file, and the
// pages of the examples. Nothing of it refers to another origin at run time.

import { copyFileSync, existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { build, type InlineConfig } from 'vite';

const root = join(import.meta.dirname, '../../..');
/** All that the pages are made of; this script too, for what it says about them. */
const SOURCES = ['src/web', 'src/client', 'src/examples', 'package-lock.json'];
/** Written last, so that a build that was cut short is done again. */
const LAST_OUTPUT = 'dist/web/client.js';

/** A page with its folder; `./` as the base lets it stand behind any path of a proxy. */
function page(source: string, target: string): InlineConfig {
  return {
    ...COMMON,
    root: join(root, source),
    base: './',
    build: {
      outDir: join(root, target),
      emptyOutDir: true,
      target: 'es2022',
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
    },
  };
}

function client(): InlineConfig {
  return {
    ...COMMON,
    root,
    build: {
      lib: {
        entry: join(root, 'src/client/index.ts'),
        formats: ['es'],
        fileName: () => 'index.js',
      },
      outDir: join(root, 'dist/client'),
      // The declarations of tsc lie there too.
      emptyOutDir: false,
      target: 'es2022',
      reportCompressedSize: false,
      // Of libraries Vite keeps the spaces unless told otherwise here.
      rolldownOptions: { output: { minify: true } },
    },
  };
}

const COMMON: InlineConfig = {
  configFile: false,
  logLevel: 'warn',
  publicDir: false,
  resolve: { conditions: ['browser', 'module', 'import'] },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
};

/** The time of the newest file below a path. */
function newestMs(path: string): number {
  const status = statSync(path);
  if (!status.isDirectory()) return status.mtimeMs;
  const names = readdirSync(path);
  return names.reduce((newest, name) => Math.max(newest, newestMs(join(path, name))), 0);
}

function isCurrent(): boolean {
  const output = join(root, LAST_OUTPUT);
  if (!existsSync(output)) return false;
  const builtMs = statSync(output).mtimeMs;
  return SOURCES.every((source) => newestMs(join(root, source)) < builtMs);
}

if (!isCurrent()) {
  await build(client());
  await build(page('src/web/dashboard', 'dist/web'));
  await build(page('src/examples/game/page', 'dist/examples/game'));
  await build(page('src/examples/analytics/page', 'dist/examples/analytics'));
  // For pages without a bundler: import { connect } from 'http://<gateway>/client.js'.
  copyFileSync(join(root, 'dist/client/index.js'), join(root, LAST_OUTPUT));
}
