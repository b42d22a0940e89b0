// SHUTDOWN: what is to happen before the server ends, and its end. The main thread does both.

import { isWord, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { Flag, sessionCommand } from '../../dispatch/define.js';
import { Refusal, SYNTAX } from '../../resp/errors.js';

const NOSAVE = word('NOSAVE');
const SAVE = word('SAVE');
const NOW = word('NOW');
const FORCE = word('FORCE');
const ABORT = word('ABORT');

const NOT_ENDING = new Refusal('ERR No shutdown in progress.');

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

export const shutdown = sessionCommand({
  name: 'shutdown',
  arity: -1,
  group: 'server',
  since: '1.0.0',
  summary: 'Ends the server.',
  cost: 'O(N) for N keys in all databases where a snapshot is written first, O(1) where not.',
  flags: Flag.Admin | Flag.NoScript | Flag.Loading | Flag.Stale | Flag.NoMulti | Flag.AllowBusy,
  syntax: '[<NOSAVE | SAVE>] [NOW] [FORCE] [ABORT]',
  history: [['7.0.0', 'NOW, FORCE and ABORT were added.']],
  run(context) {
    const { server, session } = context;
    const ending = readEnding(context);
    if (ending === null) {
      if (!server.saving.abortEnding()) throw NOT_ENDING;
      server.wakeMain();
      context.reply.ok();
      return;
    }
    // In the middle of a script there is nothing that could be saved.
    const busy = ending.isSaving === false ? null : server.busyRefusal();
    if (busy !== null) throw busy;

    server.shutDown(session, ending);

    // No reply: the connection ends with the server, unless that fails.
    context.wait({
      deadlineMs: Number.POSITIVE_INFINITY,
      timedOut() {},
      unblockLine: 'UNBLOCKED client unblocked via CLIENT UNBLOCK',
    });
  },
});
