// WAIT and WAITAOF: waiting for other machines, and for the disk, to have what was written.

import { readInteger } from '../../dispatch/args.js';
import { type CommandSpec, Flag, sessionCommand } from '../../dispatch/define.js';
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
/** Is what this session wrote on disk, as far as WAITAOF is asked? Without a log nothing is. */
const LOCAL_LOGS = 0;

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

    const isDone = REPLICAS >= wanted && LOCAL_LOGS >= wantedLocal;
    if (isDone || context.session.isDenyBlocking) replyLogs(context.reply);
    else context.wait({ deadlineMs, timedOut: replyLogs, unblockLine: UNBLOCKED });
  },
});

function replyLogs(reply: Reply): void {
  reply.array(2);
  reply.integer(LOCAL_LOGS);
  reply.integer(REPLICAS);
}

export const waitCommands: readonly CommandSpec[] = [wait, waitaof];
