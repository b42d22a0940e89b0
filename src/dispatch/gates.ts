// Every reason to refuse a command is one bit. `command.subjectTo` says which of them concern a
// command, `raised` (of the server and of the session) which are up; the hot path is one AND. A
// raised bit means "look closer": the row's `refuses` has the last word. The order of the rows is
// the order of precedence.

import { NO_AUTH, OUT_OF_MEMORY, Refusal } from '../resp/errors.js';
import type { Command } from './command.js';
import { type CommandSpec, Flag, InMulti } from './define.js';
import type { Session } from './session.js';

export const enum Gate {
  /** The session has not authenticated. */
  Stranger = 1 << 0,
  /** Memory is at its limit and nothing may be evicted. */
  OutOfMemory = 1 << 1,
  /** CLIENT PAUSE ALL. */
  Paused = 1 << 2,
  /** CLIENT PAUSE WRITE. */
  WritesPaused = 1 << 3,
  /** The session is inside MULTI: its commands are queued. */
  Multi = 1 << 4,
  /** The session has subscribed, and its protocol cannot tell messages from replies. */
  Subscriber = 1 << 5,
}

/** What becomes of a command whose gates are closed: 'wait' keeps it for later. */
export type GateAnswer = Refusal | 'wait' | 'queue';

interface GateRow {
  readonly gate: Gate;
  appliesTo(spec: CommandSpec): boolean;
  /** The last word, where the bits do not say all. `raised` are the gates that are up. */
  readonly refuses?: (command: Command, session: Session, raised: number) => boolean;
  readonly answer: GateAnswer | ((command: Command) => Refusal);
}

const NOT_IN_MULTI = new Refusal('ERR Command not allowed inside a transaction');

/** EXEC is refused for what is queued: has any of it one of these flags? */
function isRefusedFor(flags: number): NonNullable<GateRow['refuses']> {
  return (command, session) => {
    if (command.inMulti !== InMulti.Executes) return true;
    return session.queue !== null && (session.queue.flags & flags) !== 0;
  };
}

/** Flags of commands that CLIENT PAUSE WRITE holds back. */
const CHANGING = Flag.Write | Flag.MayReplicate;

const executes = (spec: CommandSpec) => spec.inMulti === InMulti.Executes;
const endsMulti = (spec: CommandSpec) => spec.inMulti === InMulti.Ends || executes(spec);

const ROWS: readonly GateRow[] = [
  {
    gate: Gate.Stranger,
    appliesTo: (spec) => (spec.flags & Flag.NoAuth) === 0,
    answer: NO_AUTH,
  },
  {
    gate: Gate.Multi,
    appliesTo: (spec) => (spec.flags & Flag.NoMulti) !== 0,
    answer: NOT_IN_MULTI,
  },
  {
    gate: Gate.OutOfMemory,
    appliesTo: (spec) => (spec.flags & Flag.DenyOom) !== 0 || executes(spec),
    refuses: isRefusedFor(Flag.DenyOom),
    answer: OUT_OF_MEMORY,
  },
  {
    gate: Gate.Multi,
    // A queue could grow without end, so nothing comes into it any more.
    appliesTo: (spec) => !endsMulti(spec),
    refuses: (_command, _session, raised) => (raised & Gate.OutOfMemory) !== 0,
    answer: OUT_OF_MEMORY,
  },
  {
    gate: Gate.Subscriber,
    appliesTo: (spec) => spec.isForSubscribers !== true,
    answer: ({ fullName }) =>
      new Refusal(
        `ERR Can't execute '${fullName}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / ` +
          'RESET are allowed in this context',
      ),
  },
  {
    gate: Gate.Paused,
    // Like Redis, without exception: even CLIENT UNPAUSE waits until the pause is over.
    appliesTo: () => true,
    answer: 'wait',
  },
  {
    gate: Gate.WritesPaused,
    appliesTo: (spec) => (spec.flags & CHANGING) !== 0 || executes(spec),
    refuses: isRefusedFor(CHANGING),
    answer: 'wait',
  },
  {
    gate: Gate.Multi,
    appliesTo: (spec) => (spec.inMulti ?? InMulti.IsQueued) === InMulti.IsQueued,
    answer: 'queue',
  },
];

/** The gate bits that concern a command. */
export function gatesOf(spec: CommandSpec): number {
  let bits = 0;
  for (const row of ROWS) if (row.appliesTo(spec)) bits |= row.gate;
  return bits;
}

/**
 * What becomes of a command of which the gates `closed` are up, of all that are `raised`. Null:
 * none of them refuses it.
 */
export function answerOf(
  closed: number,
  raised: number,
  command: Command,
  session: Session,
): GateAnswer | null {
  for (const row of ROWS) {
    if ((closed & row.gate) === 0 || !row.appliesTo(command.spec)) continue;
    if (row.refuses !== undefined && !row.refuses(command, session, raised)) continue;
    return typeof row.answer === 'function' ? row.answer(command) : row.answer;
  }
  return null;
}

/** Raises or lowers what follows from a session's subscriptions and protocol. */
export function updateSubscriberGate(session: Session): void {
  if (session.subscriptions !== null && session.protocol === 2) session.raised |= Gate.Subscriber;
  else session.raised &= ~Gate.Subscriber;
}
