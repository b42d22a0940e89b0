// Calling functions of libraries (dispatch/functions.ts).

import { type CommandSpec, countedKeysAt, crossCommand, Flag } from '../../dispatch/define.js';

const FLAGS =
  Flag.NoScript | Flag.Stale | Flag.SkipMonitor | Flag.NoMandatoryKeys | Flag.MovableKeys;
const COST = 'Depends on the function that is executed.';
const SYNTAX = 'function numkeys [key [key ...]] [arg [arg ...]]';

const fcall = crossCommand({
  name: 'fcall',
  arity: -3,
  group: 'scripting',
  since: '7.0.0',
  summary: 'Calls a function of a library.',
  cost: COST,
  flags: FLAGS | Flag.MayReplicate,
  syntax: SYNTAX,
  keys: [countedKeysAt(2, 1, 'RW', 'access', 'update')],
  script: 'function',
  run(context) {
    context.scripts.callFunction(context, false);
  },
});

const fcallRo = crossCommand({
  name: 'fcall_ro',
  arity: -3,
  group: 'scripting',
  since: '7.0.0',
  summary: 'Calls a function of a library that says of itself that it only reads.',
  cost: COST,
  flags: FLAGS | Flag.Read,
  // Named here, because what is of this category alone is not of @read.
  categories: ['@scripting'],
  syntax: SYNTAX,
  keys: [countedKeysAt(2, 1, 'RO', 'access')],
  script: 'function',
  run(context) {
    context.scripts.callFunction(context, true);
  },
});

export const fcallCommands: readonly CommandSpec[] = [fcall, fcallRo];
