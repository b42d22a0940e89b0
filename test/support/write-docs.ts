// `npm run docs`: writes the pages that are made from the code.

import { readFileSync, writeFileSync } from 'node:fs';
import { commandsPage } from './commands-page.js';
import { fillParameters } from './parameters-page.js';

writeFileSync('docs/commands.md', commandsPage());
const compatibility = 'docs/compatibility.md';
writeFileSync(compatibility, fillParameters(readFileSync(compatibility, 'utf8')));
