// Writes down the events of the commands in a dialogue of notifications, from a real redis-server:
// `node dist/test/support/record-notifications.js FILE [SERVER COMMAND…]`.

import { readFileSync, writeFileSync } from 'node:fs';
import { parseDialogue, playDialogue, printDialogue } from './notifications.js';
import { startServer } from './server.js';

const [file, ...command] = process.argv.slice(2);
if (file === undefined) {
  console.error('usage: node dist/test/support/record-notifications.js FILE [SERVER COMMAND…]');
  process.exit(2);
}

const server = await startServer({ command: command.length > 0 ? command : ['redis-server'] });
try {
  const dialogue = parseDialogue(readFileSync(file, 'latin1'));
  const played = await playDialogue(() => server.connect(), dialogue);
  writeFileSync(file, printDialogue(played), 'latin1');
} finally {
  await server.stop();
}
