import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { commandsPage } from '../support/commands-page.js';
import { fillParameters } from '../support/parameters-page.js';

const root = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');

describe('pages made from the code', () => {
  it('docs/commands.md lists the commands there are (npm run docs writes it)', () => {
    expect(read('docs/commands.md')).toBe(commandsPage());
  });

  it('docs/compatibility.md lists the parameters there are (npm run docs writes it)', () => {
    const page = read('docs/compatibility.md');
    expect(page).toBe(fillParameters(page));
  });
});
