#!/usr/bin/env node
// flagstone-export, the program: see export-run.ts.

import { runExport } from './export-run.js';

process.exitCode = await runExport(process.argv.slice(2), (line) => {
  process.stdout.write(line.endsWith('\n') ? line : `${line}\n`);
});
