// The numbers that order all writes, the logs they go into, when a reply may leave, and the cut of
// a rewrite, as a step machine: src/log/append-log.ts, log-files.ts and logs.ts in small.
//
// Every thread has a log: a buffer in shared memory that only it appends to, an end, a lock for
// whoever writes the buffer out, and a file. A write changes a partition under its lock, marks a
// record as in the making, takes the next number, and makes the record, all before the partition's
// lock is released. A reply to write n leaves when every record up to n is in a file. To know that
// without asking anybody, a thread publishes a lower bound before the first number of its turn (all
// numbers it will take are greater) and clears it after its records are written. Whoever finds a
// bound below its own number writes that thread's buffer out itself.
//
// The cut begins a generation: records behind it go into new files, and once the base of what was
// before is durable, the old files are gone. Owners note where in their buffer the new ones begin.

import { DONE, type Model, type Program, type Rules } from './explore.js';

export const NUMBERING_RULES = {
  boundBeforeNumber: 'the lower bound is published before the first number of a turn is taken',
  boundsAfterNumber: 'the bounds of others are loaded after the own number was taken',
  clearAfterWrite: 'the bound is cleared after the records are written',
  waitForOthers: 'a reply waits for every smaller number of other threads',
  markBeforeNumber: 'a record is marked as in the making before its number is taken',
  waitForMaking: 'whoever writes a log out waits for a record in the making',
  lockToWrite: 'a log is written out under its lock',
  numberUnderLock: 'the number is taken before the lock of the partition is released',
  takeByAdd: 'a number is taken by one atomic addition',
  readsWait: 'under always, a read waits for the numbers taken before the end of its turn',
  cutUnderLocks: 'the cut is made under the locks of all partitions',
  cutBeforeRecord: 'the owner notes the cut before the first record behind it is there',
  cutAfterEnd: 'whoever writes a log out looks at its cut after its end',
} as const;
export type NumberingRule = keyof typeof NUMBERING_RULES;

interface NumberedRecord {
  number: number;
  partition: number;
  by: number;
  /** Which file it is in, once it is in one. */
  file: number;
}

interface NumberingState {
  at: string[];
  counter: number;
  /** What new records belong to. */
  generation: number;
  /** −1 while a thread has nothing unwritten. */
  bounds: number[];
  buffers: NumberedRecord[][];
  /** How many records of the buffer are there; complemented while one is in the making. */
  ends: number[];
  written: number[];
  cutAt: number[];
  cutGeneration: number[];
  fileGeneration: number[];
  logLocks: number[];
  files: NumberedRecord[];
  partitionLocks: number[];
  /** Who wrote each partition last, and that write's number. */
  values: number[];
  lastNumbers: number[];
  /** The last number before the cut and what was there then; the base once it is durable. */
  cutNumber: number;
  cutValues: number[];
  base: number;
  /** The largest number whose reply has left. */
  acknowledged: number;
  // What threads keep for themselves.
  generationSeen: number[];
  boundSeen: number[];
  early: number[][];
  numbers: number[];
  /** What a reply waits for: the own number, or for a read what it looks at. */
  goals: number[];
  writeIndex: number[];
  other: number[];
  log: number[];
  endSeen: number[];
  writtenSeen: number[];
  cutSeen: [generation: number, at: number][];
}

const NONE = -1;
const FIRST_GENERATION = 1;
const NEXT_GENERATION = 2;

/** What each thread does in its one turn: writes to these partitions, one read, or a rewrite. */
export interface Turn {
  readonly writes?: readonly number[];
  readonly reads?: number;
  readonly rewrites?: true;
}

export function numberingModel(
  rules: Rules<NumberingRule>,
  turns: readonly Turn[],
): Model<NumberingState> {
  const used = turns.flatMap(({ writes = [], reads = 0 }) => [reads, ...writes]);
  const partitions = 1 + Math.max(...used);
  return {
    start: startOf(turns, partitions),
    programs: turns.map((turn) => {
      if (turn.rewrites) return cutSteps(rules, partitions);
      return {
        ...writeSteps(rules, turn.writes ?? []),
        ...numberSteps(rules),
        ...readSteps(rules, turn.reads ?? 0),
        ...fileSteps(rules),
        ...replySteps(rules, turns.length),
      };
    }),
    wrong: (state) => lossAfterCrash(state),
    wrongAtEnd: (state) => replayFault(state),
  };
}

function startOf(turns: readonly Turn[], partitions: number): NumberingState {
  const each = <T>(make: () => T): T[] => turns.map(() => make());
  const perPartition = Array.from({ length: partitions }, () => 0);
  return {
    at: turns.map(({ reads, rewrites }) => {
      if (rewrites) return 'lockAll';
      return reads === undefined ? 'lock' : 'read';
    }),
    counter: 0,
    generation: FIRST_GENERATION,
    bounds: each(() => NONE),
    buffers: each(() => []),
    ends: each(() => 0),
    written: each(() => 0),
    cutAt: each(() => 0),
    cutGeneration: each(() => FIRST_GENERATION),
    fileGeneration: each(() => FIRST_GENERATION),
    logLocks: each(() => 0),
    files: [],
    partitionLocks: [...perPartition],
    values: [...perPartition],
    lastNumbers: [...perPartition],
    cutNumber: 0,
    cutValues: [...perPartition],
    base: 0,
    acknowledged: 0,
    generationSeen: each(() => FIRST_GENERATION),
    boundSeen: each(() => NONE),
    early: each(() => []),
    numbers: each(() => 0),
    goals: each(() => 0),
    writeIndex: each(() => 0),
    other: each(() => 0),
    log: turns.map((_, me) => me),
    endSeen: each(() => 0),
    writtenSeen: each(() => 0),
    cutSeen: each(() => [FIRST_GENERATION, 0]),
  };
}

/** What a restart finds beside the base: once that is durable, the old files are gone. */
function survivorsOf({ files, base }: NumberingState): NumberedRecord[] {
  if (base === 0) return files;
  return files.filter(({ file, number }) => file === NEXT_GENERATION && number > base);
}

/** A crash in this state may lose nothing whose reply has left. */
function lossAfterCrash(state: NumberingState): string | null {
  const found = new Set(survivorsOf(state).map(({ number }) => number));
  for (let number = state.base + 1; number <= state.acknowledged; number++) {
    if (!found.has(number))
      return `${number} is lost by a crash, and a reply has left that needs it`;
  }
  return null;
}

/** Replay in the order of the numbers must end where memory ended. */
function replayFault(state: NumberingState): string | null {
  const numbers = state.files.map(({ number }) => number);
  if (new Set(numbers).size !== numbers.length) return 'two records have the same number';
  const replayed = state.base === 0 ? state.values.map(() => 0) : [...state.cutValues];
  const inOrder = survivorsOf(state).sort((a, b) => a.number - b.number);
  for (const record of inOrder) replayed[record.partition] = record.by;
  const isSame = replayed.every((by, partition) => by === state.values[partition]);
  return isSame ? null : 'replay ends in another state than memory';
}

function writeSteps(
  rules: Rules<NumberingRule>,
  writes: readonly number[],
): Program<NumberingState> {
  const partitionOf = (state: NumberingState, me: number) => writes[state.writeIndex[me]!]!;
  const afterWrite = (state: NumberingState, me: number) => {
    state.writeIndex[me]!++;
    if (state.writeIndex[me]! < writes.length) return 'lock';
    state.log[me] = me;
    state.goals[me] = state.numbers[me]!;
    return rules.clearAfterWrite ? 'takeLog' : 'clearBound';
  };
  const noteCut = (state: NumberingState, me: number) => {
    state.cutAt[me] = state.buffers[me]!.length - (rules.cutBeforeRecord ? 0 : 1);
    state.cutGeneration[me] = state.generation;
    state.generationSeen[me] = state.generation;
  };
  return {
    lock(state, me) {
      const partition = partitionOf(state, me);
      if (state.partitionLocks[partition] !== 0) return null;
      state.partitionLocks[partition] = me + 1;
      // Nobody else looks at it until the lock is released.
      state.values[partition] = me + 1;
      return rules.numberUnderLock ? 'open' : 'unlock';
    },
    // The owner looks at the generation under the lock of its partition.
    open(state, me) {
      const isNew = state.generation !== state.generationSeen[me];
      if (isNew && rules.cutBeforeRecord) noteCut(state, me);
      const isOpen = state.bounds[me] !== NONE;
      return isOpen || !rules.boundBeforeNumber ? 'mark' : 'loadCounter';
    },
    record(state, me) {
      const partition = partitionOf(state, me);
      const number = state.numbers[me]!;
      state.buffers[me]!.push({ number, partition, by: me + 1, file: 0 });
      state.lastNumbers[partition] = Math.max(state.lastNumbers[partition]!, number);
      state.ends[me] = state.buffers[me]!.length;
      const isLate = !rules.cutBeforeRecord && state.generation !== state.generationSeen[me];
      if (isLate) return 'noteCut';
      return rules.numberUnderLock ? 'unlock' : afterWrite(state, me);
    },
    noteCut(state, me) {
      noteCut(state, me);
      return rules.numberUnderLock ? 'unlock' : afterWrite(state, me);
    },
    unlock(state, me) {
      state.partitionLocks[partitionOf(state, me)] = 0;
      return rules.numberUnderLock ? afterWrite(state, me) : 'open';
    },
  };
}

/** Between the change and the record: bound, mark, number. */
function numberSteps(rules: Rules<NumberingRule>): Program<NumberingState> {
  const afterNumber = (state: NumberingState, me: number) => {
    if (!rules.markBeforeNumber) return 'markLate';
    if (rules.boundBeforeNumber || state.bounds[me] !== NONE) return 'record';
    // Too late: the bound should have been there before.
    state.boundSeen[me] = state.numbers[me]! - 1;
    return 'publishBound';
  };
  return {
    loadCounter(state, me) {
      state.boundSeen[me] = state.counter;
      return 'publishBound';
    },
    publishBound(state, me) {
      state.bounds[me] = state.boundSeen[me]!;
      return rules.boundBeforeNumber ? 'mark' : 'record';
    },
    mark(state, me) {
      if (rules.markBeforeNumber) state.ends[me] = ~state.ends[me]!;
      return 'number';
    },
    number(state, me) {
      // Only the broken order looks at the others before the number is taken.
      if (!rules.boundsAfterNumber) state.early[me] = [...state.bounds];
      if (!rules.takeByAdd) {
        state.numbers[me] = state.counter + 1;
        return 'storeCounter';
      }
      state.numbers[me] = ++state.counter;
      return afterNumber(state, me);
    },
    storeCounter(state, me) {
      state.counter = state.numbers[me]!;
      return afterNumber(state, me);
    },
    markLate(state, me) {
      state.ends[me] = ~state.ends[me]!;
      return 'record';
    },
  };
}

function readSteps(rules: Rules<NumberingRule>, partition: number): Program<NumberingState> {
  return {
    read(state, me) {
      if (state.partitionLocks[partition] !== 0) return null;
      state.numbers[me] = state.lastNumbers[partition]!;
      return rules.readsWait ? 'endReads' : 'reply';
    },
    endReads(state, me) {
      state.goals[me] = state.counter;
      return 'others';
    },
  };
}

/** Writing a log out: the own one, or another's. */
function fileSteps(rules: Rules<NumberingRule>): Program<NumberingState> {
  return {
    takeLog(state, me) {
      const log = state.log[me]!;
      if (rules.lockToWrite) {
        if (state.logLocks[log] !== 0) return null;
        state.logLocks[log] = me + 1;
      }
      return rules.cutAfterEnd ? 'readEnd' : 'readCut';
    },
    readEnd(state, me) {
      const log = state.log[me]!;
      const end = state.ends[log]!;
      if (end < 0 && rules.waitForMaking) return null;
      state.endSeen[me] = end < 0 ? ~end : end;
      state.writtenSeen[me] = state.written[log]!;
      return rules.cutAfterEnd ? 'readCut' : 'write';
    },
    readCut(state, me) {
      const log = state.log[me]!;
      state.cutSeen[me] = [state.cutGeneration[log]!, state.cutAt[log]!];
      return rules.cutAfterEnd ? 'write' : 'readEnd';
    },
    write(state, me) {
      const log = state.log[me]!;
      const [generation, cutAt] = state.cutSeen[me]!;
      let from = state.writtenSeen[me]!;
      if (generation > state.fileGeneration[log]!) {
        writeTo(state, log, from, cutAt);
        state.fileGeneration[log] = generation;
        from = cutAt;
      }
      writeTo(state, log, from, state.endSeen[me]!);
      state.written[log] = state.endSeen[me]!;
      return 'releaseLog';
    },
    releaseLog(state, me) {
      const log = state.log[me]!;
      state.logLocks[log] = 0;
      if (log !== me) {
        state.other[me]!++;
        return 'others';
      }
      return rules.clearAfterWrite ? 'clearBound' : afterOwn(rules);
    },
    clearBound(state, me) {
      state.bounds[me] = NONE;
      return rules.clearAfterWrite ? afterOwn(rules) : 'takeLog';
    },
  };
}

function afterOwn(rules: Rules<NumberingRule>): string {
  return rules.waitForOthers ? 'others' : 'reply';
}

function writeTo(state: NumberingState, log: number, from: number, to: number): void {
  const file = state.fileGeneration[log]!;
  for (const record of state.buffers[log]!.slice(from, to)) state.files.push({ ...record, file });
  state.files.sort((a, b) => a.number - b.number);
}

/** For each other thread: is all it took before the own number written? If not, write it. */
function replySteps(rules: Rules<NumberingRule>, threads: number): Program<NumberingState> {
  return {
    others(state, me) {
      if (state.other[me] === me) state.other[me]!++;
      const other = state.other[me]!;
      if (other >= threads) return 'reply';
      const bounds = rules.boundsAfterNumber ? state.bounds : state.early[me]!;
      const bound = bounds[other] ?? NONE;
      if (bound === NONE || bound >= state.goals[me]!) {
        state.other[me]!++;
        return 'others';
      }
      state.log[me] = other;
      return 'takeLog';
    },
    reply(state, me) {
      state.acknowledged = Math.max(state.acknowledged, state.numbers[me]!);
      return DONE;
    },
  };
}

/** The rewrite: the cut under all locks; some time later its base is durable. */
function cutSteps(rules: Rules<NumberingRule>, partitions: number): Program<NumberingState> {
  return {
    lockAll(state, me) {
      if (!rules.cutUnderLocks) return 'cut';
      const partition = state.writeIndex[me]!;
      if (partition === partitions) return 'cut';
      if (state.partitionLocks[partition] !== 0) return null;
      state.partitionLocks[partition] = me + 1;
      state.writeIndex[me]!++;
      return 'lockAll';
    },
    cut(state) {
      state.cutNumber = state.counter;
      state.cutValues = [...state.values];
      state.generation = NEXT_GENERATION;
      return 'unlockAll';
    },
    unlockAll(state, me) {
      if (rules.cutUnderLocks) state.partitionLocks.fill(0);
      state.writeIndex[me] = 0;
      return 'finish';
    },
    finish(state) {
      state.base = state.cutNumber;
      return DONE;
    },
  };
}
