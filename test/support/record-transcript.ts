// Writes down what a server answers: `node dist/test/support/record-transcript.js FILE [COMMAND…]`
// fills in the replies that a transcript file still lacks, in RESP3, from a real redis-server.
// A human then reads every line and turns volatile values into matchers.

import { readFileSync, writeFileSync } from 'node:fs';
import { printReply } from './resp.js';
import { startServer } from './server.js';
import { parseTranscript, playSection } from './transcript.js';

const [file, ...command] = process.argv.slice(2);
if (file === undefined) {
  console.error('usage: node dist/test/support/record-transcript.js FILE [SERVER COMMAND…]');
  process.exit(2);
}

const lines = readFileSync(file, 'latin1').split('\n');
const replies = new Map<number, string>();
const server = await startServer({ command: command.length > 0 ? command : ['redis-server'] });
try {
  for (const section of parseTranscript(lines.join('\n'), file).sections) {
    const protocol = section.options.has('resp2') ? 2 : 3;
    await playSection(
      section,
      {
        way: { protocol, isPipelined: false },
        open: () => server.connect(),
        learn: (step, reply) => replies.set(step.line, printReply(reply, 'short')),
      },
      file,
    ).catch((error: Error) => {
      console.error(error.message);
      process.exitCode = 1;
    });
  }
} finally {
  await server.stop();
}

const written = lines.flatMap((line, index) => {
  const reply = replies.get(index + 1);
  return reply === undefined ? [line] : [line, reply];
});
writeFileSync(file, written.join('\n'), 'latin1');
console.log(`${file}: ${replies.size} replies written down`);
