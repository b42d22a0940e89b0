// WAIT and WAITAOF: waiting for other machines, and for the disk, to have what was written.

import { readInteger } from '../../dispatch/args.js';
import { type CommandSpec, Flag, sessionCommand } from '../../dispatch/define.js';
import type { ServerDoor } from '../../dispatch/server-door.js';
import { NOT_INTEGER, OUT_OF_RANGE_POSITIVE, Refusal } from '../../resp/errors.js';
import type { Reply } from '../../resp/write.js';
import { readMillisecondsDeadline } from '../timeout.js';

const NOT_ZERO_OR_ONE = new Refusal('ERR value is out of range, value must between 0 and 1');
const NO_APPEND_LOG = new Refusal(
  'ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.',
);
const UNBLOCKED = 'UNBLOCKED client unblocked via CLIENT UNBLOCK';

/** Replicas that have acknowledged anything: a server that stands alone has none. */
const REPLICAS = 0;
/** There is no log. Not a number's lower bits, which are an int32. */
const NO_NUMBER = Number.NEGATIVE_INFINITY;

const wait = sessionCommand({
  name: 'wait',
  arity: 3,
  group: 'generic',
  since: '3.0.0',
  summary: 'Waits until replicas have the writes of this connection, and counts them.',
  cost: 'O(1)',
  flags: Flag.Blocking,
  syntax: 'numreplicas timeout',
  categories: ['@connection'],
  tips: ['request_policy:all_shards', 'response_policy:agg_min'],
  run(context) {
    const wanted = readInteger(context.args, 1, NOT_INTEGER);
    const deadlineMs = readMillisecondsDeadline(context, 2);

    if (REPLICAS >= wanted || context.session.isDenyBlocking) context.reply.integer(REPLICAS);
    else context.wait({ deadlineMs, timedOut: replyReplicas, unblockLine: UNBLOCKED });
  },
});

function replyReplicas(reply: Reply): void {
  reply.integer(REPLICAS);
}

const waitaof = sessionCommand({
  name: 'waitaof',
  arity: 4,
  group: 'generic',
  since: '7.2.0',
  summary: 'Waits until the log here and on replicas has the writes of this connection.',
  cost: 'O(1)',
  flags: Flag.Blocking,
  syntax: 'numlocal numreplicas timeout',
  categories: ['@connection'],
  tips: ['request_policy:all_shards', 'response_policy:agg_min'],
  run(context) {
    const { args } = context;
    const wantedLocal = readInteger(args, 1, NOT_INTEGER);
    if (wantedLocal < 0 || wantedLocal > 1) throw NOT_ZERO_OR_ONE;
    const wanted = readInteger(args, 2, OUT_OF_RANGE_POSITIVE);
    if (wanted < 0) throw OUT_OF_RANGE_POSITIVE;
    const deadlineMs = readMillisecondsDeadline(context, 3);
    if (wantedLocal > 0 && !context.server.config.flag('appendonly')) throw NO_APPEND_LOG;

    const { server, session } = context;
    // All of this thread's connections count: whoever wrote nothing waits for its neighbours.
    const number = server.config.flag('appendonly') ? server.lastOwnNumber() : NO_NUMBER;
    const replyLogs = (reply: Reply): void => {
      reply.array(2);
      reply.integer(isLogged(server, number) ? 1 : 0);
      reply.integer(REPLICAS);
    };
    const isDone = REPLICAS >= wanted && (wantedLocal === 0 || isLogged(server, number));
    if (isDone || session.isDenyBlocking) replyLogs(context.reply);
    else {
      context.wait({ deadlineMs, timedOut: replyLogs, unblockLine: UNBLOCKED });
      if (REPLICAS >= wanted) server.waitForLog(session, number);
    }
  },
});

/** Is everything up to the number on disk? Without a log nothing is. */
function isLogged(server: ServerDoor, number: number): boolean {
  return number !== NO_NUMBER && server.logs.generation !== 0 && server.logs.isSynced(number);
}

export const waitCommands: readonly CommandSpec[] = [wait, waitaof];
