// Every reason to refuse a command is one bit. `command.subjectTo` says which of them concern a
// command, `raised` (of the server and of the session) which are up; the hot path is one AND. A
// raised bit means "look closer": the row's `refuses` has the last word. The order of the rows is
// the order of precedence.

import type { Slices } from '../base/slices.js';
import { NO_WATCH } from '../keyspace/watchers.js';
import { NO_AUTH, OUT_OF_MEMORY, Refusal } from '../resp/errors.js';
import type { Command } from './command.js';
import type { Context } from './context.js';
import { type CommandSpec, Flag, InMulti } from './define.js';
import { QuickRight } from './key-rights.js';
import { limits } from './limits.js';
import type { Session } from './session.js';

export const enum Gate {
  /** The session has not authenticated. */
  Stranger = 1 << 0,
  /** Memory is at its limit and nothing may be evicted. */
  OutOfMemory = 1 << 1,
  /** Memory is near its limit: room is made before commands that may need some. */
  Limited = 1 << 19,
  /** CLIENT PAUSE ALL. */
  Paused = 1 << 2,
  /** CLIENT PAUSE WRITE. */
  WritesPaused = 1 << 3,
  /** The session is inside MULTI: its commands are queued. */
  Multi = 1 << 4,
  /** The session has subscribed, and its protocol cannot tell messages from replies. */
  Subscriber = 1 << 5,
  /** The session's reads are remembered (CLIENT TRACKING): its commands are looked on at. */
  Tracked = 1 << 16,
  /** There is a MONITOR: all commands are looked on at. */
  Monitored = 1 << 17,
  /** A session of HOTKEYS is on: all commands are looked on at. */
  Profiled = 1 << 18,
  /** The data is being loaded: there is only a part of it. */
  Loading = 1 << 6,
  /** A log cannot be written: see log/logs.ts. */
  LogFailed = 1 << 7,
  /** A script takes long: bits that count the threads with one (mesh/control.ts). */
  Busy = 0x7ff << 20,
  /** The last snapshot failed, and writes are to stop then. */
  SavesFailed = 1 << 8,
  /** The session acts as a user who may not do everything (access.ts). */
  Restricted = 1 << 9,
}

/**
 * What becomes of a command whose gates are closed: 'wait' keeps it for later, 'attend' runs it
 * with somebody looking on (attend.ts), 'busy' asks what is said of the script that runs.
 */
export type GateAnswer = Refusal | 'wait' | 'queue' | 'attend' | 'busy';

interface GateRow {
  readonly gate: Gate;
  appliesTo(spec: CommandSpec): boolean;
  /** The last word, where the bits do not say all. `raised` are the gates that are up. */
  readonly refuses?: (command: Command, session: Session, raised: number) => boolean;
  readonly answer: GateAnswer | ((command: Command, context: Context) => Refusal | null);
}

const LOADING = new Refusal('LOADING Redis is loading the dataset in memory');
const SAVES_FAILED = new Refusal(
  "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to " +
    'disk. Commands that may modify the data set are disabled, because this instance is ' +
    'configured to report errors during writes if RDB snapshotting fails ' +
    '(stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB ' +
    'error.',
);
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
    gate: Gate.Restricted,
    appliesTo: (spec) => (spec.flags & Flag.NoAuth) === 0,
    answer: (_command, context) => context.server.access.refusalOf(context),
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
    gate: Gate.SavesFailed,
    // PING tells whoever watches over the server.
    appliesTo: (spec) => (spec.flags & Flag.Write) !== 0 || spec.name === 'ping' || executes(spec),
    refuses: isRefusedFor(Flag.Write),
    answer: SAVES_FAILED,
  },
  {
    gate: Gate.LogFailed,
    appliesTo: (spec) => (spec.flags & Flag.Write) !== 0 || spec.name === 'ping' || executes(spec),
    refuses: isRefusedFor(Flag.Write),
    answer: logFailed,
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
    gate: Gate.Loading,
    // EXEC needs no look at its queue: what may not run now did not get into it.
    appliesTo: (spec) => (spec.flags & Flag.Loading) === 0,
    answer: LOADING,
  },
  {
    gate: Gate.Busy,
    // Watches end under the locks that the script may hold: whoever has some waits.
    appliesTo: (spec) => (spec.flags & Flag.AllowBusy) !== 0 || executes(spec),
    refuses: (_command, session) => session.watch !== NO_WATCH,
    answer: 'wait',
  },
  {
    gate: Gate.Busy,
    appliesTo: (spec) => (spec.flags & Flag.AllowBusy) === 0,
    answer: 'busy',
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
  {
    gate: Gate.Tracked,
    appliesTo: () => true,
    answer: 'attend',
  },
  {
    gate: Gate.Monitored,
    appliesTo: () => true,
    answer: 'attend',
  },
  {
    gate: Gate.Profiled,
    appliesTo: () => true,
    answer: 'attend',
  },
];

/** Why nothing may be written while what is written may not reach the disk; null if it may. */
export function diskRefusal(raised: number): Refusal | null {
  if ((raised & Gate.SavesFailed) !== 0) return SAVES_FAILED;
  return (raised & Gate.LogFailed) !== 0 ? logFailed() : null;
}

function logFailed(): Refusal {
  return new Refusal(`MISCONF Errors writing to the AOF file: ${limits.logFailure}`);
}

/** May a command need memory? Those that a transaction or a script runs find what there is. */
function wantsRoom(spec: CommandSpec): boolean {
  return (spec.flags & Flag.DenyOom) !== 0 || executes(spec) || spec.script !== undefined;
}

/** What EXEC answers when it may not run. */
export function discardedBy({ line, code }: Refusal): Refusal {
  const reason = code === 'ERR' ? line.slice('ERR '.length) : line;
  return new Refusal(`EXECABORT Transaction discarded because of: ${reason}`);
}

/** The gate bits that concern a command. */
export function gatesOf(spec: CommandSpec): number {
  let bits = wantsRoom(spec) ? Gate.Limited : 0;
  for (const row of ROWS) if (row.appliesTo(spec)) bits |= row.gate;
  return bits;
}

/**
 * The first look at a command of which the gates `closed` are up: nearly always nothing else speaks
 * against it than that its user may not do everything, and one of his selectors permits it.
 */
export function isPermitted(
  closed: number,
  session: Session,
  command: Command,
  args: Slices,
): boolean {
  if (closed !== Gate.Restricted) return false;
  const right = command.quickRight;
  if (right === QuickRight.LookCloser) return false;
  const rights = session.rights!;
  const { u8 } = args;
  const at = command.firstKey;
  if (command.id === rights.lastCommand) {
    if (rights.lastPattern!.matches(u8, args.startOf(at), args.lengthOf(at))) return true;
  }
  const { selectors } = rights;
  for (let index = 0; index < selectors.length; index++) {
    const selector = selectors[index]!;
    if (!selector.permitsCommand(command.id)) continue;
    if (right === QuickRight.Nothing || selector.allKeys) return true;
    const pattern = selector.patternFor(u8, args.startOf(at), args.lengthOf(at), right);
    if (pattern === null) continue;
    rights.lastCommand = command.id;
    rights.lastPattern = pattern;
    return true;
  }
  return false;
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
  context: Context,
): GateAnswer | null {
  // Every command of a user who may not do everything comes along here.
  if (closed === Gate.Restricted) return context.server.access.refusalOf(context);
  for (const row of ROWS) {
    if ((closed & row.gate) === 0 || !row.appliesTo(command.spec)) continue;
    if (row.refuses !== undefined && !row.refuses(command, session, raised)) continue;
    if (typeof row.answer !== 'function') return row.answer;
    const refusal = row.answer(command, context);
    if (refusal !== null) return refusal;
  }
  return null;
}

/** Raises or lowers what follows from a session's subscriptions and protocol. */
export function updateSubscriberGate(session: Session): void {
  if (session.subscriptions !== null && session.protocol === 2) session.raised |= Gate.Subscriber;
  else session.raised &= ~Gate.Subscriber;
  updateToldness(session);
}

/** Raises or lowers what follows from CLIENT TRACKING. */
export function updateTrackedGate(session: Session): void {
  if (session.tracked !== null) session.raised |= Gate.Tracked;
  else session.raised &= ~Gate.Tracked;
  updateToldness(session);
}

/** May a command of the session have a message for itself, which comes before its next reply? */
export function updateToldness(session: Session): void {
  const { tracked } = session;
  session.isTold =
    session.subscriptions !== null ||
    session.isMonitor ||
    (tracked !== null && !tracked.isBroadcast);
}
