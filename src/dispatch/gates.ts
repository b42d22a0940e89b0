// Every reason to refuse a command is one bit. `command.subjectTo` says which of them concern a
// command, `raised` (of the server and of the session) which are up; the hot path is one AND. A
// raised bit means "look closer": the row's `refuses` has the last word. The order of the rows is
// the order of precedence.

import { NO_AUTH, OUT_OF_MEMORY, type Refusal } from '../resp/errors.js';
import { type CommandSpec, Flag } from './define.js';
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
}

interface GateRow {
  readonly gate: Gate;
  appliesTo(spec: CommandSpec): boolean;
  /** Null lets the command pass; 'wait' keeps it for later. */
  readonly answer: Refusal | 'wait';
}

const ROWS: readonly GateRow[] = [
  {
    gate: Gate.Stranger,
    appliesTo: (spec) => (spec.flags & Flag.NoAuth) === 0,
    answer: NO_AUTH,
  },
  {
    gate: Gate.OutOfMemory,
    appliesTo: (spec) => (spec.flags & Flag.DenyOom) !== 0,
    answer: OUT_OF_MEMORY,
  },
  {
    gate: Gate.Paused,
    // Like Redis, without exception: even CLIENT UNPAUSE waits until the pause is over.
    appliesTo: () => true,
    answer: 'wait',
  },
  {
    gate: Gate.WritesPaused,
    appliesTo: (spec) => (spec.flags & (Flag.Write | Flag.MayReplicate)) !== 0,
    answer: 'wait',
  },
];

/** The gate bits that concern a command. */
export function gatesOf(spec: CommandSpec): number {
  let bits = 0;
  for (const row of ROWS) if (row.appliesTo(spec)) bits |= row.gate;
  return bits;
}

/** Why a command with these gates closed before it may not run. */
export function answerOf(closed: number, _session: Session): Refusal | 'wait' {
  for (const row of ROWS) if ((closed & row.gate) !== 0) return row.answer;
  throw new RangeError('a closed gate has a row');
}
