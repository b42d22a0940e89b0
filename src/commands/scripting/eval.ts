// Running scripts. Which one, and under which locks, is told in dispatch/scripts.ts.

import { type CommandSpec, countedKeysAt, crossCommand, Flag } from '../../dispatch/define.js';

const FLAGS = Flag.NoScript | Flag.Stale | Flag.SkipMonitor | Flag.NoMandatoryKeys;
const COST = 'Depends on the script that is executed.';

const evaluate = crossCommand({
  name: 'eval',
  arity: -3,
  group: 'scripting',
  since: '2.6.0',
  summary: 'Runs a Lua script on the server.',
  cost: COST,
  flags: FLAGS | Flag.MayReplicate | Flag.MovableKeys,
  syntax: 'script numkeys [key [key ...]] [arg [arg ...]]',
  keys: [countedKeysAt(2, 1, 'RW', 'access', 'update')],
  script: 'source',
  run(context) {
    context.scripts.run(context, false);
  },
});

const evalsha = crossCommand({
  name: 'evalsha',
  arity: -3,
  group: 'scripting',
  since: '2.6.0',
  summary: 'Runs a Lua script that the server knows, by its SHA-1.',
  cost: COST,
  flags: FLAGS | Flag.MayReplicate | Flag.MovableKeys,
  syntax: 'sha1 numkeys [key [key ...]] [arg [arg ...]]',
  keys: [countedKeysAt(2, 1, 'RW', 'access', 'update')],
  script: 'sha',
  run(context) {
    context.scripts.run(context, false);
  },
});

const evalRo = crossCommand({
  name: 'eval_ro',
  arity: -3,
  group: 'scripting',
  since: '7.0.0',
  summary: 'Runs a Lua script that may only read.',
  cost: COST,
  flags: FLAGS | Flag.Read | Flag.MovableKeys,
  categories: ['@scripting'],
  syntax: 'script numkeys [key [key ...]] [arg [arg ...]]',
  keys: [countedKeysAt(2, 1, 'RO', 'access')],
  script: 'source',
  run(context) {
    context.scripts.run(context, true);
  },
});

const evalshaRo = crossCommand({
  name: 'evalsha_ro',
  arity: -3,
  group: 'scripting',
  since: '7.0.0',
  summary: 'Runs a Lua script that the server knows and that may only read.',
  cost: COST,
  flags: FLAGS | Flag.Read | Flag.MovableKeys,
  categories: ['@scripting'],
  syntax: 'sha1 numkeys [key [key ...]] [arg [arg ...]]',
  keys: [countedKeysAt(2, 1, 'RO', 'access')],
  script: 'sha',
  run(context) {
    context.scripts.run(context, true);
  },
});

export const evalCommands: readonly CommandSpec[] = [evaluate, evalRo, evalsha, evalshaRo];
