// `npm run docs`: writes the pages that are made from the code, and the client's list of commands.

import { readFileSync, writeFileSync } from 'node:fs';
import { clientCommands } from './client-commands.js';
import { commandsPage } from './commands-page.js';
import { fillParameters } from './parameters-page.js';

writeFileSync('docs/commands.md', commandsPage());
writeFileSync('src/client/commands.generated.ts', clientCommands());
const compatibility = 'docs/compatibility.md';
writeFileSync(compatibility, fillParameters(readFileSync(compatibility, 'utf8')));
