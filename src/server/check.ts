#!/usr/bin/env node
// flagstone-check, the program: see check-run.ts.

import { readSync } from 'node:fs';
import { runCheck } from './check-run.js';

const LINE_BYTES = 64;
const STANDARD_INPUT = 0;

/** What somebody types after a question; nothing at the end of the input. */
function ask(question: string): string {
  process.stdout.write(question);
  const bytes = Buffer.alloc(LINE_BYTES);
  try {
    return bytes.toString('utf8', 0, readSync(STANDARD_INPUT, bytes)).trim();
  } catch {
    // No terminal, or one that is read by somebody else: nobody has said yes.
    return '';
  }
}

process.exitCode = runCheck(process.argv.slice(2), {
  say: (line) => process.stdout.write(`${line}\n`),
  ask,
});
