// Transactions: MULTI queues commands, EXEC runs them as one step, WATCH makes it depend on keys
// that nobody changes in between. How is told in dispatch/transactions.ts and dispatch/run.ts.

import {
  type CommandSpec,
  crossCommand,
  Flag,
  InMulti,
  keysFrom,
  sessionCommand,
} from '../dispatch/define.js';
import { Refusal } from '../resp/errors.js';

const NESTED = new Refusal('ERR MULTI calls can not be nested');
const EXEC_OUTSIDE = new Refusal('ERR EXEC without MULTI');
const DISCARD_OUTSIDE = new Refusal('ERR DISCARD without MULTI');
const WATCH_INSIDE = new Refusal('ERR WATCH inside MULTI is not allowed');
const ABORTED = new Refusal('EXECABORT Transaction discarded because of previous errors.');

const FLAGS = Flag.NoScript | Flag.Loading | Flag.Stale | Flag.Fast | Flag.AllowBusy;

const multi = sessionCommand({
  name: 'multi',
  arity: 1,
  group: 'transactions',
  since: '1.2.0',
  summary: 'Begins a transaction: the commands that follow are queued.',
  cost: 'O(1)',
  flags: FLAGS,
  inMulti: InMulti.Answers,
  run({ session, transactions, reply }) {
    if (session.queue !== null) throw NESTED;

    transactions.begin(session);

    reply.ok();
  },
});

const exec = sessionCommand({
  name: 'exec',
  arity: 1,
  group: 'transactions',
  since: '1.2.0',
  summary: 'Runs all queued commands of a transaction as one step.',
  cost: 'Depends on commands in the transaction',
  flags: Flag.NoScript | Flag.Loading | Flag.Stale | Flag.SkipSlowlog,
  inMulti: InMulti.Executes,
  run(context) {
    const { session, transactions, reply } = context;
    if (session.queue === null) throw EXEC_OUTSIDE;
    if (session.queue.isAborted) {
      transactions.end(session);
      throw ABORTED;
    }
    if (transactions.isDirty(session)) {
      transactions.end(session);
      reply.nilArray();
      return;
    }

    context.execute();
  },
});

const discard = sessionCommand({
  name: 'discard',
  arity: 1,
  group: 'transactions',
  since: '2.0.0',
  summary: 'Gives up a transaction and forgets what was queued.',
  cost: 'O(N), when N is the number of queued commands',
  flags: FLAGS,
  inMulti: InMulti.Ends,
  run({ session, transactions, reply }) {
    if (session.queue === null) throw DISCARD_OUTSIDE;

    transactions.end(session);

    reply.ok();
  },
});

const watch = crossCommand({
  name: 'watch',
  arity: -2,
  group: 'transactions',
  since: '2.2.0',
  summary: 'Lets the next transaction run only if nobody has changed these keys until then.',
  cost: 'O(1) for every key.',
  flags: FLAGS,
  syntax: 'key [key ...]',
  keys: [keysFrom(1, -1, 1, 'RO')],
  inMulti: InMulti.Answers,
  run(context) {
    if (context.session.queue !== null) throw WATCH_INSIDE;

    context.transactions.watch(context);

    context.reply.ok();
  },
});

const unwatch = sessionCommand({
  name: 'unwatch',
  arity: 1,
  group: 'transactions',
  since: '2.2.0',
  summary: 'Forgets all watched keys.',
  cost: 'O(1)',
  flags: FLAGS,
  run({ session, transactions, reply }) {
    transactions.unwatchAll(session);

    reply.ok();
  },
});

export const transactionCommands: readonly CommandSpec[] = [discard, exec, multi, unwatch, watch];
