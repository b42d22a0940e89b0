// npm run fuzz -- <name> [--seed n] [--steps n] [--seconds n]: runs one target until it fails, is
// stopped or has had its time; with a seed and no time, once. Without a name it lists the targets;
// --list prints those that should pass, for CI.

import { parseArgs } from 'node:util';
import { findTargets, fuzz, repeatLine } from './runner.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string' },
    steps: { type: 'string' },
    runs: { type: 'string' },
    seconds: { type: 'string' },
    list: { type: 'boolean' },
  },
});
const targets = await findTargets();
const target = targets.get(positionals[0] ?? '');

if (values.list) {
  // The canary must fail: test/fuzz/fuzz.test.ts sees to that.
  for (const { name, about } of targets.values()) {
    if (name !== 'canary') console.log(`${name} ${about}`);
  }
} else if (target === undefined) {
  console.log('usage: npm run fuzz -- <name> [--seed n] [--steps n] [--runs n] [--seconds n]\n');
  for (const { name, about } of targets.values()) console.log(`  ${name.padEnd(16)}${about}`);
  process.exitCode = positionals.length === 0 ? 0 : 2;
} else {
  const failure = await fuzz(target, {
    ...(values.seed === undefined ? {} : { seed: Number(values.seed) }),
    ...(values.steps === undefined ? {} : { steps: Number(values.steps) }),
    ...(values.runs === undefined ? {} : { runs: Number(values.runs) }),
    ...(values.seconds === undefined ? {} : { seconds: Number(values.seconds) }),
    told: (line) => console.log(line),
  });
  if (failure !== undefined) {
    for (const note of failure.notes) console.error(`  ${note}`);
    console.error(failure.error);
    console.error(`\nrepeat: ${repeatLine(target, failure)}`);
    process.exitCode = 1;
  }
}
