// The dashboard's files: read once at start into a fixed map. What is not in it does not exist, so
// no path leads anywhere else.

import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { sha256Hex } from '../../base/sha256.js';
import type { Headers, HttpRequest, HttpResponse } from '../engine.js';
import { HEADERS_ALWAYS } from './answers.js';

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
};
const COMPRESSIBLE = /^(text|application)\/|svg/;
const COMPRESS_FROM_BYTES = 1024;
/** Vite puts a hash of the content into the names of what stands there. */
const HASHED = '/assets/';

const NOT_BUILT =
  'The pages of the dashboard are not built here: run "npm run build" in a copy of the sources. ' +
  'Everything else works: see docs/gateway.md.\n';

interface Page {
  readonly type: string;
  readonly body: Uint8Array;
  readonly zipped: Uint8Array | null;
  readonly tag: string;
  readonly isHashed: boolean;
}

export class Pages {
  private readonly pages = new Map<string, Page>();

  /** Reads all files below `directory`, if there is such. */
  constructor(directory: string) {
    for (const path of listFiles(directory)) {
      const type = TYPES[extname(path)];
      if (type === undefined) continue;
      const body = readFileSync(join(directory, path));
      const name = `/${path.replaceAll('\\', '/')}`;
      const isZipped = COMPRESSIBLE.test(type) && body.length >= COMPRESS_FROM_BYTES;
      this.pages.set(name, {
        type,
        body,
        zipped: isZipped ? gzipSync(body) : null,
        tag: `"${sha256Hex(body).slice(0, 20)}"`,
        isHashed: name.startsWith(HASHED),
      });
    }
    for (const [name, page] of [...this.pages]) {
      if (name.endsWith('/index.html')) this.pages.set(name.slice(0, -'index.html'.length), page);
    }
  }

  /** Answers with a page; false when there is none of that name. */
  answer(request: HttpRequest, response: HttpResponse, more: Headers): boolean {
    const page = this.pages.get(request.path);
    if (page === undefined) {
      if (request.path !== '/') return false;
      const headers: Headers = [['Content-Type', 'text/plain; charset=utf-8'], ...HEADERS_ALWAYS];
      response.answer(404, headers, NOT_BUILT);
      return true;
    }
    const lasting = page.isHashed ? 'public, max-age=31536000, immutable' : 'no-cache';
    const shared: Headers = [
      ...HEADERS_ALWAYS,
      ['Cache-Control', lasting],
      ['ETag', page.tag],
      ['Vary', 'Accept-Encoding, Origin'],
      ...more,
    ];
    if (request.header('if-none-match') === page.tag) {
      response.answer(304, shared, '');
      return true;
    }
    const isZipped = page.zipped !== null && /\bgzip\b/.test(request.header('accept-encoding'));
    const encoding: Headers = isZipped ? [['Content-Encoding', 'gzip']] : [];
    const headers: Headers = [['Content-Type', page.type], ...shared, ...encoding];
    response.answer(200, headers, isZipped ? page.zipped! : page.body);
    return true;
  }
}

function listFiles(directory: string): string[] {
  try {
    const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1));
  } catch {
    return [];
  }
}
