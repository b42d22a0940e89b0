// npm run bench: see run.ts.

import { openProgress } from './progress.js';
import { runBenchmark } from './run.js';

const progress = openProgress(process.stderr);
try {
  process.exitCode = await runBenchmark(process.argv.slice(2), {
    progress,
    print: (text) => process.stdout.write(`${text}\n`),
  });
} catch (error) {
  progress.end();
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
