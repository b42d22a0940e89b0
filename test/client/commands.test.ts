// The client's list of commands, and how much the client weighs.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { clientCommands } from '../support/client-commands.js';
import { projectRoot } from '../support/server.js';

/** "A few kilobytes", compressed as web servers do. */
const GZIPPED_BYTES_MAX = 6 * 1024;

function read(path: string): Buffer {
  return readFileSync(join(projectRoot(), path));
}

describe('flagstone/client', () => {
  it('has a method for every command that there is now (npm run docs)', () => {
    expect(read('src/client/commands.generated.ts').toString()).toBe(clientCommands());
  });

  it('is a few kilobytes', () => {
    expect(gzipSync(read('dist/client/index.js'), { level: 9 }).length).toBeLessThan(
      GZIPPED_BYTES_MAX,
    );
  });

  it('is what package.json exports, with its types', () => {
    const { exports } = JSON.parse(read('package.json').toString()) as {
      exports: Record<string, { types: string; default: string }>;
    };
    const { types, default: main } = exports['./client']!;
    expect(read(types).toString()).toContain('export declare function connect');
    expect(read(main).toString()).toContain('flagstone.msgpack');
  });
});
