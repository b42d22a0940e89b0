// A session that watches a key in one partition and changes another one in its transaction
// (src/keyspace/watchers.ts), as a step machine: its owner, and writers of the watched key. When
// the session has ended, its slot goes to another one, which watches nothing. A lock is one step;
// what is done under it is several, where others can come in between.

import { DONE, type Model, type Program, type Rules } from './explore.js';

export const WATCH_RULES = {
  touch: 'whoever changes a key touches the watches on it',
  touchInVisit: 'a key is touched before the lock of the change is released',
  lockWatched: 'EXEC takes the locks of watched keys, not only of those that it uses',
  checkUnderLocks: 'EXEC looks whether its session is dirty after it has taken the locks',
  unlinkUnderLock: 'a watch is unlinked under the lock of its partition',
  unlinkBeforeReuse: 'a slot goes to another session when no watch of the last is linked',
  clearAfterUnlink: 'a session is made clean after its watches are unlinked',
} as const;
export type WatchRule = keyof typeof WATCH_RULES;

interface WatchState {
  at: string[];
  /** Who holds the lock of each partition; -1 nobody. */
  locks: number[];
  /** The watched key's value, and what the session has read of it. */
  value: number;
  seen: number;
  isLinked: boolean;
  isDirty: boolean;
  hasReused: boolean;
  ranOnOther: boolean;
}

const OWNER = 0;
const FREE = -1;
const WATCHED = 0;
const USED = 1;

export function watchModel(
  rules: Rules<WatchRule>,
  size: { readonly writers: number; readonly changes: number },
): Model<WatchState> {
  return {
    start: {
      at: ['lockToWatch', ...Array.from({ length: size.writers }, () => 'lock0')],
      locks: [FREE, FREE],
      value: 0,
      seen: 0,
      isLinked: false,
      isDirty: false,
      hasReused: false,
      ranOnOther: false,
    },
    programs: [
      owner(rules),
      ...Array.from({ length: size.writers }, () => writer(rules, size.changes)),
    ],
    wrong(state) {
      if (state.ranOnOther) return 'a transaction ran although a key that it watched had changed';
      if (state.hasReused && state.isDirty) return 'a session is dirty that has watched nothing';
      return null;
    },
  };
}

function owner(rules: Rules<WatchRule>): Program<WatchState> {
  return {
    lockToWatch: (state, me) => take(state, WATCHED, me, 'watch'),
    watch(state) {
      state.isLinked = true;
      state.locks[WATCHED] = FREE;
      return 'lockToRead';
    },
    lockToRead: (state, me) => take(state, WATCHED, me, 'read'),
    read(state) {
      state.seen = state.value;
      state.locks[WATCHED] = FREE;
      return 'go';
    },
    // It closes its connection instead, at any time.
    go: [() => (rules.checkUnderLocks ? 'lockWatched' : 'checkEarly'), () => 'lockToUnwatch'],
    ...execSteps(rules),
    ...unwatchSteps(rules),
  };
}

function execSteps(rules: Rules<WatchRule>): Program<WatchState> {
  return {
    checkEarly: (state) => (state.isDirty ? 'lockToUnwatch' : 'lockWatched'),
    lockWatched(state, me) {
      if (!rules.lockWatched) return 'lockUsed';
      return take(state, WATCHED, me, 'lockUsed');
    },
    lockUsed: (state, me) => take(state, USED, me, rules.checkUnderLocks ? 'check' : 'run'),
    check: (state) => (state.isDirty ? 'release' : 'run'),
    run(state) {
      if (state.value !== state.seen) state.ranOnOther = true;
      return 'release';
    },
    release(state) {
      for (const [partition, holder] of state.locks.entries()) {
        if (holder === OWNER) state.locks[partition] = FREE;
      }
      return 'lockToUnwatch';
    },
  };
}

/** The connection is closed, and its slot used again. */
function unwatchSteps(rules: Rules<WatchRule>): Program<WatchState> {
  return {
    lockToUnwatch(state, me) {
      if (!rules.unlinkBeforeReuse) return 'clear';
      if (!rules.clearAfterUnlink) return 'clearEarly';
      return rules.unlinkUnderLock ? take(state, WATCHED, me, 'unlink') : 'unlink';
    },
    clearEarly(state) {
      state.isDirty = false;
      return 'lockLate';
    },
    lockLate: (state, me) => take(state, WATCHED, me, 'unlink'),
    unlink(state) {
      state.isLinked = false;
      if (state.locks[WATCHED] === OWNER) state.locks[WATCHED] = FREE;
      return rules.clearAfterUnlink ? 'clear' : 'reuse';
    },
    clear(state) {
      state.isDirty = false;
      return 'reuse';
    },
    reuse(state) {
      state.hasReused = true;
      return DONE;
    },
  };
}

function writer(rules: Rules<WatchRule>, changes: number): Program<WatchState> {
  const program: Record<string, (state: WatchState, me: number) => string | null> = {};
  for (let round = 0; round < changes; round++) {
    const next = round + 1 === changes ? DONE : `lock${round + 1}`;
    const touch = rules.touchInVisit ? `look${round}` : `unlockEarly${round}`;
    program[`lock${round}`] = (state, me) => take(state, WATCHED, me, `change${round}`);
    program[`change${round}`] = (state) => {
      state.value++;
      return rules.touch ? touch : `unlock${round}`;
    };
    program[`unlockEarly${round}`] = (state) => {
      state.locks[WATCHED] = FREE;
      return `lockAgain${round}`;
    };
    program[`lockAgain${round}`] = (state, me) => take(state, WATCHED, me, `look${round}`);
    program[`look${round}`] = (state) => (state.isLinked ? `taint${round}` : `unlock${round}`);
    program[`taint${round}`] = (state) => {
      state.isDirty = true;
      state.isLinked = false;
      return `unlock${round}`;
    };
    program[`unlock${round}`] = (state) => {
      state.locks[WATCHED] = FREE;
      return next;
    };
  }
  return program;
}

function take(state: WatchState, partition: number, me: number, next: string): string | null {
  if (state.locks[partition] !== FREE) return null;
  state.locks[partition] = me;
  return next;
}
