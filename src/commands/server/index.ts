// Commands about the server itself: its figures, settings, time, end.

import { isWord, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, sessionCommand } from '../../dispatch/define.js';
import { Refusal, SYNTAX } from '../../resp/errors.js';
import { absentFeatures } from './absent.js';
import { config } from './config.js';
import { debug } from './debug.js';
import { lolwut } from './lolwut.js';
import { memory } from './memory.js';
import { info } from './report.js';
import { slowlog } from './slowlog.js';

const NOSAVE = word('NOSAVE');
const SAVE = word('SAVE');
const NOW = word('NOW');
const FORCE = word('FORCE');
const ABORT = word('ABORT');

const NOT_ENDING = new Refusal('ERR No shutdown in progress.');
const NOTHING_TO_SAVE = new Refusal(
  'ERR There is nothing to save: this server does not keep its data on disk yet',
);

const US_PER_SECOND = 1_000_000;

const time = sessionCommand({
  name: 'time',
  arity: 1,
  group: 'server',
  since: '2.6.0',
  summary: "Tells the server's time.",
  cost: 'O(1)',
  flags: Flag.Loading | Flag.Stale | Flag.Fast,
  tips: ['nondeterministic_output'],
  run({ reply, server }) {
    const nowUs = server.nowUs();

    reply.array(2);
    reply.bulkInteger(Math.floor(nowUs / US_PER_SECOND));
    reply.bulkInteger(nowUs % US_PER_SECOND);
  },
});

interface Ending {
  isSaving: boolean | null;
  isNow: boolean;
  isForced: boolean;
}

/** The words of SHUTDOWN; null for ABORT. */
function readEnding({ args }: Context): Ending | null {
  const ending: Ending = { isSaving: null, isNow: false, isForced: false };
  let isAbort = false;
  let isNoSave = false;
  let isSave = false;
  for (let index = 1; index < args.count; index++) {
    if (isWord(args, index, NOSAVE)) isNoSave = true;
    else if (isWord(args, index, SAVE)) isSave = true;
    else if (isWord(args, index, NOW)) ending.isNow = true;
    else if (isWord(args, index, FORCE)) ending.isForced = true;
    else if (isWord(args, index, ABORT)) isAbort = true;
    else throw SYNTAX;
  }
  const hasOption = isNoSave || isSave || ending.isNow || ending.isForced;
  if ((isAbort && hasOption) || (isNoSave && isSave)) throw SYNTAX;
  if (isNoSave || isSave) ending.isSaving = isSave;
  return isAbort ? null : ending;
}

const shutdown = sessionCommand({
  name: 'shutdown',
  arity: -1,
  group: 'server',
  since: '1.0.0',
  summary: 'Ends the server.',
  cost: 'O(1)',
  flags: Flag.Admin | Flag.NoScript | Flag.Loading | Flag.Stale | Flag.NoMulti | Flag.AllowBusy,
  syntax: '[<NOSAVE | SAVE>] [NOW] [FORCE] [ABORT]',
  history: [['7.0.0', 'NOW, FORCE and ABORT were added.']],
  run(context) {
    const ending = readEnding(context);
    if (ending === null) throw NOT_ENDING;
    if (ending.isSaving === true) throw NOTHING_TO_SAVE;

    context.server.shutDown(ending);

    // No reply: the connection ends with the server.
    context.wait({
      deadlineMs: Number.POSITIVE_INFINITY,
      timedOut() {},
      unblockLine: 'UNBLOCKED client unblocked via CLIENT UNBLOCK',
    });
  },
});

export const serverCommands: readonly CommandSpec[] = [
  config,
  debug,
  info,
  lolwut,
  memory,
  shutdown,
  slowlog,
  time,
  ...absentFeatures,
];
