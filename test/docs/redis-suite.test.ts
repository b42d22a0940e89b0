// docs/compatibility.md names every test of Redis's own suite that is left out, and no other.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { projectRoot } from '../support/server.js';

const read = (name: string) => readFileSync(path.join(projectRoot(), name), 'utf8');

it('the tests of Redis that are skipped are those that the page gives a reason for', () => {
  const skipped = read('test/oracle/redis-suite-skips.txt')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  const page = read('docs/compatibility.md');
  const section = page.slice(page.indexOf('<!-- suite'), page.indexOf('<!-- /suite -->'));
  const rows = section.matchAll(/^\| unit\/\S+ \| `(.*)` \| (.+) \|$/gm);
  const explained = [...rows].map(([, name]) => name);
  expect(skipped.length).toBeGreaterThan(0);
  expect(explained).toEqual(skipped);
});
