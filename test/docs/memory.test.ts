// docs/memory.md shows what the sources draw.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectRoot } from '../support/server.js';
import { listPaths } from '../tidy/source.js';
import { drawingOf, drawnFiles, fillDrawings } from './drawings.js';

const root = projectRoot();
const path = join(root, 'docs/memory.md');
const FOLDERS = ['src/slab', 'src/structs', 'src/keyspace', 'src/types'];

function readSource(name: string): string {
  return readFileSync(join(root, name), 'utf8');
}

describe('docs/memory.md', () => {
  it('has the drawings as their sources have them', () => {
    const page = readFileSync(path, 'utf8');
    const filled = fillDrawings(page, readSource);
    if (process.env.WRITE_DRAWINGS === '1') writeFileSync(path, filled);
    else
      expect(page, 'repair: WRITE_DRAWINGS=1 npx vitest run test/docs/memory.test.ts').toBe(filled);
  });

  it('has the drawing of every file that opens with one', () => {
    const drawn = drawnFiles(readFileSync(path, 'utf8'));
    const drawing = FOLDERS.flatMap((folder) => listPaths(root, folder)).filter(
      (name) => drawingOf(readSource(name)) !== null,
    );
    expect(drawn.toSorted()).toEqual(drawing.toSorted());
  });
});

describe('a drawing', () => {
  const source = ['// A pair.', '//', '//    0   1', '//   ┌───┐', '//   └───┘', '//', '// More.'];

  it('is what stands between the words of the opening comment, with its ruler', () => {
    expect(drawingOf(source.join('\n'))).toBe(' 0   1\n┌───┐\n└───┘');
    expect(drawingOf('// No box.\n\n// ┌──┐')).toBeNull();
  });

  it('replaces an older copy, and only that', () => {
    const page = 'a\n<!-- drawing: src/a.ts -->\nold\n<!-- /drawing -->\nb';
    const filled = fillDrawings(page, () => source.join('\n'));
    expect(filled).toContain('┌───┐');
    expect(filled).not.toContain('old');
    expect(fillDrawings(filled, () => source.join('\n'))).toBe(filled);
    expect(() => fillDrawings(page, () => '// Nothing.')).toThrow(
      'src/a.ts opens without a drawing',
    );
  });
});
