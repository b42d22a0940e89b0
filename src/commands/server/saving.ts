// Snapshots and new bases of the append log, as clients ask for them. What goes on is shared by all
// threads (mesh/saving.ts); the main thread does it, in a job.

import { isWord, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, sessionCommand } from '../../dispatch/define.js';
import { Activity, Figure } from '../../mesh/saving.js';
import { Refusal, SYNTAX } from '../../resp/errors.js';

const SCHEDULE = word('SCHEDULE');

const ALREADY_SAVING = new Refusal('ERR Background save already in progress');
const ALREADY_REWRITING = new Refusal(
  'ERR Background append only file rewriting already in progress',
);
const OTHER_ACTIVITY = new Refusal(
  "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in " +
    'order to schedule a BGSAVE whenever possible.',
);
const CANNOT_REWRITE = new Refusal(
  "ERR Can't execute an AOF background rewriting. Please check the server logs for more " +
    'information.',
);

const save = sessionCommand({
  name: 'save',
  arity: 1,
  group: 'server',
  since: '1.0.0',
  summary: 'Writes all keys to the snapshot file and answers when it is on the disk.',
  cost: 'O(N) for N keys in all databases.',
  flags: Flag.Admin | Flag.NoScript | Flag.NoAsyncLoading | Flag.NoMulti,
  run(context) {
    const { server, session } = context;
    if ((server.saving.activity & Activity.Background) !== 0) throw ALREADY_SAVING;

    server.save(session);

    context.wait({ deadlineMs: Number.POSITIVE_INFINITY, timedOut() {} });
  },
});

const bgsave = sessionCommand({
  name: 'bgsave',
  arity: -1,
  group: 'server',
  since: '1.0.0',
  summary: 'Starts to write all keys to the snapshot file, and answers at once.',
  cost: 'O(1)',
  flags: Flag.Admin | Flag.NoScript | Flag.NoAsyncLoading,
  syntax: '[SCHEDULE]',
  history: [['3.2.2', 'Takes the option SCHEDULE.']],
  run(context) {
    const { args, server, reply } = context;
    const mayWait = args.count > 1;
    if (mayWait && (args.count !== 2 || !isWord(args, 1, SCHEDULE))) throw SYNTAX;

    const isStarted = begin(context, Activity.Background, ALREADY_SAVING);
    if (!isStarted && !mayWait && context.executing === null) throw OTHER_ACTIVITY;
    if (!isStarted) server.saving.schedule(Activity.Background);
    server.wakeMain();

    reply.simple(isStarted ? 'Background saving started' : 'Background saving scheduled');
  },
});

/** Claims an activity; false when another one is on, or inside EXEC. */
function begin(context: Context, activity: Activity, already: Refusal): boolean {
  const { saving } = context.server;
  const isInExec = context.executing !== null;
  const all = Activity.Background | Activity.Rewrite;
  const running = isInExec ? saving.activity : saving.claim(activity, all);
  if ((running & activity) !== 0) throw already;
  return !isInExec && running === 0;
}

const bgrewriteaof = sessionCommand({
  name: 'bgrewriteaof',
  arity: 1,
  group: 'server',
  since: '1.0.0',
  summary: 'Starts to write a new base for the append log, which then begins anew.',
  cost: 'O(1)',
  flags: Flag.Admin | Flag.NoScript | Flag.NoAsyncLoading,
  run(context) {
    const { server, reply } = context;
    if (!server.config.flag('appendonly')) throw CANNOT_REWRITE;

    const isStarted = begin(context, Activity.Rewrite, ALREADY_REWRITING);
    if (!isStarted) server.saving.schedule(Activity.Rewrite);
    server.wakeMain();

    reply.simple(`Background append only file rewriting ${isStarted ? 'started' : 'scheduled'}`);
  },
});

const lastsave = sessionCommand({
  name: 'lastsave',
  arity: 1,
  group: 'server',
  since: '1.0.0',
  summary: 'Tells when the last snapshot succeeded, in seconds since 1970.',
  cost: 'O(1)',
  flags: Flag.Loading | Flag.Stale | Flag.Fast,
  categories: ['@admin', '@dangerous'],
  tips: ['nondeterministic_output'],
  run({ reply, server }) {
    reply.integer(server.saving.figure(Figure.LastSavedAt));
  },
});

export const savingCommands: readonly CommandSpec[] = [bgrewriteaof, bgsave, lastsave, save];
