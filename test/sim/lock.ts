// The partition lock (src/slab/lock.ts) as a step machine. Sleeps have no timeout here, so a
// wake-up that is lost leaves a thread asleep for ever; a few may end by themselves, as timeouts
// do.

import { DONE, type Model, type Program, type Rules } from './explore.js';

export const LOCK_RULES = {
  takeBySwap: 'a lock is taken by compare-and-swap',
  flagBeforeSleep: 'a waiter sets the waiters bit before it sleeps',
  compareAtSleep: 'a sleep compares the word with what the waiter saw',
  flagAfterSleep: 'a waiter that has slept sets the waiters bit again',
  wakeAllIfReserved: 'the release of a reserved lock wakes all sleepers',
  respectReserved: 'nobody takes a lock that another has reserved',
  keepReserved: 'a release keeps the reservation',
} as const;
export type LockRule = keyof typeof LOCK_RULES;

interface LockState {
  at: string[];
  /** The lock word: holder in the low digit, reserver in the next, then the waiters bit. */
  word: number;
  /** What each thread saw of it last. */
  seen: number[];
  hasSlept: boolean[];
  /** Who sleeps, in the order in which notify wakes them. */
  sleepers: number[];
  wakesAll: boolean[];
  roundsLeft: number[];
  /** Sleeps that may still end by their timeout. */
  timeoutsLeft: number;
  /** Not in the program: whose reservation must be respected, and who is inside. */
  promised: number;
  inside: number[];
  overtaken: boolean;
}

const HOLDER = 4;
const RESERVER = 4;
const WAITERS = HOLDER * RESERVER;

const holderIn = (word: number) => word % HOLDER;
const reserverIn = (word: number) => Math.floor(word / HOLDER) % RESERVER;
const hasWaiters = (word: number) => word >= WAITERS;
const withWaiters = (word: number) => (hasWaiters(word) ? word : word + WAITERS);

export interface LockSize {
  readonly threads: number;
  readonly rounds: number;
  readonly timeouts: number;
}

export function lockModel(rules: Rules<LockRule>, size: LockSize): Model<LockState> {
  const threads = Array.from({ length: size.threads }, (_, me) => me);
  const program = { ...takeSteps(rules), ...waitSteps(rules), ...releaseSteps(rules) };
  return {
    start: {
      at: threads.map(() => 'fast'),
      word: 0,
      seen: threads.map(() => 0),
      hasSlept: threads.map(() => false),
      sleepers: [],
      wakesAll: threads.map(() => false),
      roundsLeft: threads.map(() => size.rounds),
      timeoutsLeft: size.timeouts,
      promised: 0,
      inside: [],
      overtaken: false,
    },
    programs: threads.map(() => program),
    wrong(state) {
      if (state.inside.length > 1) return 'two threads hold the lock';
      return state.overtaken ? 'a thread took a lock that another had reserved' : null;
    },
    wrongAtEnd: (state) => (state.word === 0 ? null : 'the lock is not free in the end'),
  };
}

function isTakeable(rules: Rules<LockRule>, word: number, self: number): boolean {
  if (holderIn(word) !== 0) return false;
  const reserver = reserverIn(word);
  return reserver === 0 || reserver === self || !rules.respectReserved;
}

function enter(state: LockState, me: number): string {
  if (state.promised !== 0 && state.promised !== me + 1) state.overtaken = true;
  if (state.promised === me + 1) state.promised = 0;
  state.hasSlept[me] = false;
  state.inside.push(me);
  return 'leave';
}

function takeSteps(rules: Rules<LockRule>): Program<LockState> {
  return {
    fast(state, me) {
      if (state.word !== 0) return 'look';
      state.word = me + 1;
      return enter(state, me);
    },
    look(state, me) {
      state.seen[me] = state.word;
      return isTakeable(rules, state.word, me + 1) ? 'take' : 'announce';
    },
    take(state, me) {
      const seen = state.seen[me]!;
      if (rules.takeBySwap && state.word !== seen) return 'look';
      const keepsFlag = hasWaiters(seen) || (state.hasSlept[me]! && rules.flagAfterSleep);
      state.word = keepsFlag ? withWaiters(me + 1) : me + 1;
      return enter(state, me);
    },
  };
}

function announce(rules: Rules<LockRule>, state: LockState, me: number, reserves: boolean): string {
  const seen = state.seen[me]!;
  let word = seen;
  if (reserves && reserverIn(seen) === 0) word += (me + 1) * HOLDER;
  if (state.hasSlept[me]! && rules.flagAfterSleep) word = withWaiters(word);
  if (word === seen) return 'flag';
  if (state.word !== seen) return 'look';
  if (reserverIn(word) !== reserverIn(seen)) state.promised = me + 1;
  state.word = word;
  state.seen[me] = word;
  return 'flag';
}

function waitSteps(rules: Rules<LockRule>): Program<LockState> {
  return {
    // It has waited for a millisecond, or not yet.
    announce: [
      (state, me) => announce(rules, state, me, false),
      (state, me) => announce(rules, state, me, true),
    ],
    flag(state, me) {
      const seen = state.seen[me]!;
      if (!hasWaiters(seen) && rules.flagBeforeSleep) {
        if (state.word !== seen) return 'look';
        state.word = withWaiters(seen);
        state.seen[me] = state.word;
      }
      state.hasSlept[me] = true;
      return 'sleep';
    },
    sleep(state, me) {
      if (rules.compareAtSleep && state.word !== state.seen[me]) return 'look';
      state.sleepers.push(me);
      return 'asleep';
    },
    asleep: [
      (state, me) => (state.sleepers.includes(me) ? null : 'look'),
      (state, me) => {
        if (!state.sleepers.includes(me) || state.timeoutsLeft === 0) return null;
        state.timeoutsLeft--;
        state.sleepers = state.sleepers.filter((sleeper) => sleeper !== me);
        return 'look';
      },
    ],
  };
}

function releaseSteps(rules: Rules<LockRule>): Program<LockState> {
  const afterRound = (state: LockState, me: number) => {
    state.roundsLeft[me]!--;
    return state.roundsLeft[me]! > 0 ? 'fast' : DONE;
  };
  return {
    leave(state, me) {
      state.inside = state.inside.filter((thread) => thread !== me);
      return 'release';
    },
    release(state, me) {
      if (state.word !== me + 1) return 'readForRelease';
      state.word = 0;
      return afterRound(state, me);
    },
    readForRelease(state, me) {
      state.seen[me] = state.word;
      return 'swapForRelease';
    },
    swapForRelease(state, me) {
      const seen = state.seen[me]!;
      if (state.word !== seen) return 'readForRelease';
      state.word = rules.keepReserved ? reserverIn(seen) * HOLDER : 0;
      state.wakesAll[me] = reserverIn(seen) !== 0 && rules.wakeAllIfReserved;
      return hasWaiters(seen) ? 'notify' : afterRound(state, me);
    },
    notify(state, me) {
      state.sleepers.splice(0, state.wakesAll[me]! ? state.sleepers.length : 1);
      return afterRound(state, me);
    },
  };
}

// ---- several locks ----------------------------------------------------------------------------

export const ORDER_RULES = {
  ascending: 'several locks are taken in ascending order',
  beforeFirstWrite: 'no lock is waited for out of order after the first',
} as const;
export type OrderRule = keyof typeof ORDER_RULES;

interface OrderState {
  at: string[];
  holders: number[];
  next: number[];
}

/** Three threads that each take several of three locks, one after the other, in some order. */
export function orderModel(rules: Rules<OrderRule>): Model<OrderState> {
  // The second finds out late that it needs a lower lock. By the rule it takes it from the start.
  const late = rules.beforeFirstWrite ? [0, 1, 2] : [1, 2, 0];
  const lists = [[0, 1], late, rules.ascending ? [0, 2] : [2, 0]];
  const program = (list: readonly number[]): Program<OrderState> => ({
    take(state, me) {
      const lock = list[state.next[me]!]!;
      if (state.holders[lock] !== 0) return null;
      state.holders[lock] = me + 1;
      state.next[me]!++;
      return state.next[me]! < list.length ? 'take' : 'release';
    },
    release(state, me) {
      state.holders = state.holders.map((holder) => (holder === me + 1 ? 0 : holder));
      return DONE;
    },
  });
  return {
    start: { at: lists.map(() => 'take'), holders: [0, 0, 0], next: lists.map(() => 0) },
    programs: lists.map(program),
  };
}
