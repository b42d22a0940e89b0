// The oracle's command line: node dist/test/oracle/main.js [--seed n] [--count n] [--episode n]
//   [--left COMMAND|PORT] [--right COMMAND|PORT] [--threads n] [--groups list,hash]
// Left is the built Flagstone (with so many threads) and right the redis-server on the PATH, unless
// told otherwise. Groups: those of grammar.ts; the commands about keys are always there.

import { parseArgs } from 'node:util';
import { printCommand } from '../support/resp.js';
import { freshSeed } from '../support/seed.js';
import { Differential, describe, type Found, protocolOf, shrink } from './differential.js';
import { ALL_GROUPS, readGroups } from './grammar.js';
import { Side } from './side.js';

const COUNT = 1_000_000;
const PROGRESS_MS = 5_000;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    count: { type: 'string' },
    episode: { type: 'string' },
    left: { type: 'string' },
    right: { type: 'string' },
    threads: { type: 'string' },
    groups: { type: 'string' },
  },
});
const seed = values.seed === undefined ? freshSeed() : Number(values.seed);
const count = Number(values.count ?? COUNT);
const threads = values.threads === undefined ? undefined : Number(values.threads);
const groups = values.groups === undefined ? ALL_GROUPS : readGroups(values.groups);
const left = new Side('left', values.left, threads);
const right = new Side('right', values.right ?? 'redis-server');
const differential = new Differential(left, right);

try {
  console.log(`seed ${seed}, ${count} commands`);
  const startedAt = Date.now();
  let shownAt = startedAt;
  const found = await differential.run({
    seed,
    count,
    groups,
    ...(values.episode === undefined ? {} : { episode: Number(values.episode) }),
    progress: (done) => {
      if (Date.now() - shownAt < PROGRESS_MS) return;
      shownAt = Date.now();
      console.log(`${done} commands, ${rate(done, startedAt)} per second`);
    },
  });
  for (const [name, times] of differential.explained) console.log(`known: ${name} × ${times}`);
  if (found === undefined) {
    console.log(
      `no difference between ${left.version} and ${right.version}, ${summary(startedAt)}`,
    );
  } else {
    process.exitCode = 1;
    await report(found);
  }
} finally {
  await left.close();
  await right.close();
}

async function report(found: Found): Promise<void> {
  console.log(`\nA difference in episode ${found.episode}:`);
  console.log(describe(found.difference, ['left ', 'right']));
  const same = values.groups === undefined ? '' : `--groups ${values.groups}`;
  console.log(
    `\nrepeat: node dist/test/oracle/main.js --seed ${seed} --episode ${found.episode} ${same}`,
  );
  console.log(`shrinking ${found.steps.length} steps …`);
  const { steps, difference } = await shrink(
    differential,
    found.steps,
    protocolOf(seed, found.episode),
  );
  console.log(`\nThe shortest way there, RESP${protocolOf(seed, found.episode)}:`);
  for (const words of steps.flat()) console.log(`> ${printCommand(words)}`);
  console.log(`\nthen\n${describe(difference, ['left ', 'right'])}`);
}

function summary(startedAt: number): string {
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
  return `${seconds} s, ${rate(count, startedAt)} commands per second`;
}

function rate(done: number, startedAt: number): number {
  return Math.round((done / Math.max(1, Date.now() - startedAt)) * 1000);
}
