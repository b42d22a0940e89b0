// The numbers that order all writes, and when a reply may leave, as a step machine.
//
// Every thread has a log: a buffer in shared memory, a lock and what it has written. A write
// changes a partition under its lock, takes the next number, and appends its record, both under the
// lock of the own log, before the partition's lock is released. A reply to write n leaves when
// every record up to n is written. To know that without asking anybody, a thread publishes a lower
// bound before the first write of its turn (all numbers it will take are greater) and clears it
// after its write to the file. Whoever finds a bound below its own number writes that thread's
// buffer itself.

import { DONE, type Model, type Program, type Rules } from './explore.js';

export const NUMBERING_RULES = {
  boundBeforeNumber: 'the lower bound is published before the first number of a turn is taken',
  boundsAfterNumber: 'the bounds of others are loaded after the own number was taken',
  clearAfterWrite: 'the bound is cleared after the records are written',
  waitForOthers: 'a reply waits for every smaller number of other threads',
  appendUnderLogLock: 'number and record come under one hold of the log lock',
  numberUnderLock: 'the number is taken before the lock of the partition is released',
  takeByAdd: 'a number is taken by one atomic addition',
  readsWait: 'under always, a read waits for the last number of the partition it saw',
} as const;
export type NumberingRule = keyof typeof NUMBERING_RULES;

interface NumberedRecord {
  number: number;
  partition: number;
  by: number;
}

interface NumberingState {
  at: string[];
  counter: number;
  /** −1 while a thread has nothing unwritten. */
  bounds: number[];
  boundSeen: number[];
  /** Bounds of others as a thread loaded them, if it loads them all at once (too early). */
  early: number[][];
  buffers: NumberedRecord[][];
  written: NumberedRecord[];
  logLocks: number[];
  partitionLocks: number[];
  /** Who wrote each partition last, and that write's number. */
  values: number[];
  lastNumbers: number[];
  numbers: number[];
  writeIndex: number[];
  other: number[];
  tooEarly: boolean;
}

const NONE = -1;

/** What each thread does in its one turn: writes to these partitions, or one read. */
export interface Turn {
  readonly writes: readonly number[];
  readonly reads?: number;
}

export function numberingModel(
  rules: Rules<NumberingRule>,
  turns: readonly Turn[],
): Model<NumberingState> {
  const fill = <T>(make: () => T): T[] => turns.map(() => make());
  const partitions = 1 + Math.max(...turns.map((t) => Math.max(t.reads ?? 0, ...t.writes)));
  const perPartition = Array.from({ length: partitions }, () => 0);
  const starts = turns.map((turn) => {
    if (turn.reads !== undefined) return 'read';
    return rules.boundBeforeNumber ? 'loadCounter' : 'lock';
  });
  return {
    start: {
      at: starts,
      counter: 0,
      bounds: fill(() => NONE),
      boundSeen: fill(() => NONE),
      early: fill(() => []),
      buffers: fill(() => []),
      written: [],
      logLocks: fill(() => 0),
      partitionLocks: [...perPartition],
      values: [...perPartition],
      lastNumbers: [...perPartition],
      numbers: fill(() => 0),
      writeIndex: fill(() => 0),
      other: fill(() => 0),
      tooEarly: false,
    },
    programs: turns.map((turn) => ({
      ...boundSteps(rules),
      ...writeSteps(rules, turn),
      ...readSteps(rules, turn),
      ...fileSteps(rules),
      ...replySteps(rules, turns.length),
    })),
    wrong: (state) =>
      state.tooEarly ? 'a reply left, and a crash now loses a record up to its number' : null,
    wrongAtEnd: (state) => replayFault(state),
  };
}

/** Replay in the order of the numbers must end where memory ended. */
function replayFault(state: NumberingState): string | null {
  const numbers = state.written.map(({ number }) => number);
  if (new Set(numbers).size !== numbers.length) return 'two records have the same number';
  const replayed = state.values.map(() => 0);
  const inOrder = [...state.written].sort((a, b) => a.number - b.number);
  for (const record of inOrder) replayed[record.partition] = record.by;
  const isSame = replayed.every((by, partition) => by === state.values[partition]);
  return isSame ? null : 'replay ends in another state than memory';
}

function boundSteps(rules: Rules<NumberingRule>): Program<NumberingState> {
  return {
    loadCounter(state, me) {
      state.boundSeen[me] = state.counter;
      return 'publishBound';
    },
    publishBound(state, me) {
      state.bounds[me] = state.boundSeen[me]!;
      return rules.boundBeforeNumber ? 'lock' : 'append';
    },
  };
}

function writeSteps(rules: Rules<NumberingRule>, turn: Turn): Program<NumberingState> {
  const partitionOf = (state: NumberingState, me: number) => turn.writes[state.writeIndex[me]!]!;
  const afterLog = (state: NumberingState, me: number) => {
    state.writeIndex[me]!++;
    if (state.writeIndex[me]! < turn.writes.length) return 'lock';
    return 'takeOwnLog';
  };
  const afterNumber = (state: NumberingState, me: number) => {
    // Too late: the bound should have been there before.
    if (rules.boundBeforeNumber || state.bounds[me] !== NONE) return 'append';
    state.boundSeen[me] = state.numbers[me]! - 1;
    return 'publishBound';
  };
  return {
    lock(state, me) {
      const partition = partitionOf(state, me);
      if (state.partitionLocks[partition] !== 0) return null;
      state.partitionLocks[partition] = me + 1;
      return 'change';
    },
    change(state, me) {
      state.values[partitionOf(state, me)] = me + 1;
      if (!rules.numberUnderLock) return 'unlock';
      return rules.appendUnderLogLock ? 'takeLog' : 'loadBounds';
    },
    takeLog(state, me) {
      if (state.logLocks[me] !== 0) return null;
      state.logLocks[me] = me + 1;
      return 'loadBounds';
    },
    // Only the broken order looks at the others before the number is taken.
    loadBounds(state, me) {
      if (!rules.boundsAfterNumber) state.early[me] = [...state.bounds];
      if (rules.takeByAdd) {
        state.numbers[me] = ++state.counter;
        return afterNumber(state, me);
      }
      state.numbers[me] = state.counter + 1;
      return 'storeCounter';
    },
    storeCounter(state, me) {
      state.counter = state.numbers[me]!;
      return afterNumber(state, me);
    },
    append(state, me) {
      const partition = partitionOf(state, me);
      state.buffers[me]!.push({ number: state.numbers[me]!, partition, by: me + 1 });
      state.lastNumbers[partition] = Math.max(state.lastNumbers[partition]!, state.numbers[me]!);
      return rules.appendUnderLogLock ? 'releaseLog' : 'unlock';
    },
    releaseLog(state, me) {
      state.logLocks[me] = 0;
      return rules.numberUnderLock ? 'unlock' : afterLog(state, me);
    },
    unlock(state, me) {
      state.partitionLocks[partitionOf(state, me)] = 0;
      return rules.numberUnderLock ? afterLog(state, me) : 'takeLog';
    },
  };
}

function readSteps(rules: Rules<NumberingRule>, turn: Turn): Program<NumberingState> {
  const partition = turn.reads ?? 0;
  return {
    read(state, me) {
      if (state.partitionLocks[partition] !== 0) return null;
      state.numbers[me] = state.lastNumbers[partition]!;
      return rules.readsWait ? 'others' : 'reply';
    },
  };
}

/** The end of a turn: the own buffer goes to the file. */
function fileSteps(rules: Rules<NumberingRule>): Program<NumberingState> {
  return {
    takeOwnLog(state, me) {
      if (state.logLocks[me] !== 0) return null;
      state.logLocks[me] = me + 1;
      return rules.clearAfterWrite ? 'writeOwn' : 'clearBound';
    },
    writeOwn(state, me) {
      state.written.push(...state.buffers[me]!);
      state.written.sort((a, b) => a.number - b.number);
      state.buffers[me] = [];
      return rules.clearAfterWrite ? 'clearBound' : 'releaseOwnLog';
    },
    clearBound(state, me) {
      state.bounds[me] = NONE;
      return rules.clearAfterWrite ? 'releaseOwnLog' : 'writeOwn';
    },
    releaseOwnLog(state, me) {
      state.logLocks[me] = 0;
      return rules.waitForOthers ? 'others' : 'reply';
    },
  };
}

/** For each other thread: is all it took before the own number written? If not, write it. */
function replySteps(rules: Rules<NumberingRule>, threads: number): Program<NumberingState> {
  const nextOther = (state: NumberingState, me: number) => {
    state.other[me]!++;
    return 'others';
  };
  return {
    others(state, me) {
      const other = state.other[me]!;
      if (other === threads) return 'reply';
      if (other === me) return nextOther(state, me);
      const bounds = rules.boundsAfterNumber ? state.bounds : state.early[me]!;
      const bound = bounds[other] ?? NONE;
      const isWritten = bound === NONE || bound >= state.numbers[me]!;
      return isWritten ? nextOther(state, me) : 'takeOtherLog';
    },
    takeOtherLog(state, me) {
      const other = state.other[me]!;
      if (state.logLocks[other] !== 0) return null;
      state.logLocks[other] = me + 1;
      return 'writeOther';
    },
    writeOther(state, me) {
      const other = state.other[me]!;
      state.written.push(...state.buffers[other]!);
      state.written.sort((a, b) => a.number - b.number);
      state.buffers[other] = [];
      state.logLocks[other] = 0;
      return nextOther(state, me);
    },
    reply(state, me) {
      const last = state.numbers[me]!;
      const written = new Set(state.written.map(({ number }) => number));
      for (let number = 1; number <= last; number++) {
        if (!written.has(number)) state.tooEarly = true;
      }
      return DONE;
    },
  };
}
