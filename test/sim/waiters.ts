// A session that waits for a key in either of two partitions (src/keyspace/waiters.ts), as a step
// machine: its owner, and a writer for each partition. The session takes `need` elements at once,
// so that a writer may find too few for it and put it back. A lock is one step; what is done under
// it is several, where others can come in between.

import { DONE, type Model, type Program, type Rules } from './explore.js';

export const WAITER_RULES = {
  linkInVisit: 'a waiter is linked in the visit that found nothing',
  claimBySwap: 'a writer claims the waiter by compare-and-swap',
  withdrawBySwap: 'the owner gets the waiter back by compare-and-swap',
  putBackBySwap: 'a claimed waiter is put back by compare-and-swap',
  orphanBySwap: 'the owner marks a claimed waiter as orphaned by compare-and-swap',
  awaitClaimed: 'a writer awaits what becomes of a waiter that another has claimed',
  serveInVisit: 'a writer serves before it releases its lock',
  wordOfOrphan: 'the owner of an orphaned waiter is told when its claimer has done with it',
  freeAfterWord: 'a record that a writer has claimed is freed when its message has come',
  unlinkBeforeFree: 'a record is freed when it stands in no queue any more',
  unlinkUnderLock: 'queues are changed under the lock of their partition',
} as const;
export type WaiterRule = keyof typeof WAITER_RULES;

type RecordState = 'none' | 'waiting' | 'claimed' | 'orphaned' | 'done' | 'freed';

interface WaiterState {
  at: string[];
  /** Who holds the lock of each partition; -1 nobody. */
  locks: number[];
  elements: number[];
  isLinked: boolean[];
  record: RecordState;
  messages: ('reply' | 'empty')[];
  /** What the owner has told its session. */
  told: ('reply' | 'time')[];
  isClosed: boolean;
  touchedFreed: boolean;
  touchedUnlocked: boolean;
  taken: number;
}

const OWNER = 0;
const FREE = -1;

export interface WaiterSize {
  readonly need: number;
  /** What the writers push; the writer p works in partition p - 1. */
  readonly pushes: readonly number[];
  readonly mayTimeOut: boolean;
  readonly mayClose: boolean;
}

export function waiterModel(rules: Rules<WaiterRule>, size: WaiterSize): Model<WaiterState> {
  return {
    start: {
      at: ['lockFirst', ...size.pushes.map(() => 'lock')],
      locks: [FREE, FREE],
      elements: [0, 0],
      isLinked: [false, false],
      record: 'none',
      messages: [],
      told: [],
      isClosed: false,
      touchedFreed: false,
      touchedUnlocked: false,
      taken: 0,
    },
    programs: [owner(rules, size), ...size.pushes.map((count) => writer(rules, size.need, count))],
    wrong: (state) => wrongIn(state, size.need),
    wrongAtEnd(state) {
      if (state.record !== 'freed' && state.record !== 'none') return 'a record was not freed';
      if (state.messages.length > 0) return 'a message names a record that was freed before';
      const pushed = size.pushes.reduce((sum, count) => sum + count, 0);
      const left = state.elements[0]! + state.elements[1]!;
      if (left + state.taken !== pushed) return 'an element was lost or made';
      if (state.taken > 0 && !state.isClosed && state.told[0] !== 'reply') {
        return 'an element was taken for a session that was not told of it';
      }
      return null;
    },
  };
}

function wrongIn(state: WaiterState, need: number): string | null {
  if (state.touchedFreed) return 'a record was used after it was freed';
  if (state.touchedUnlocked) return 'a queue was changed while another held its lock';
  if (state.told.length > 1) return 'a session was answered twice';
  if (state.taken > need) return 'a session took twice';
  for (const [partition, count] of state.elements.entries()) {
    const isOpen = state.locks[partition] === FREE;
    if (isOpen && state.isLinked[partition] && state.record === 'waiting' && count >= need) {
      return 'an element is there for others while somebody waits for it';
    }
  }
  return null;
}

function owner(rules: Rules<WaiterRule>, size: WaiterSize): Program<WaiterState> {
  return {
    ...enlistSteps(rules, size.need),
    wait: [
      (state) => (state.messages.length > 0 ? 'hear' : null),
      (state) => (size.mayTimeOut && state.messages.length === 0 ? 'timeOut' : null),
      () => (size.mayClose ? 'close' : null),
      // Whatever else may happen, its time need not come: but then somebody must answer it.
      (state) => (size.mayTimeOut || size.mayClose || state.messages.length > 0 ? null : 'stuck'),
    ],
    stuck: (state) => (state.messages.length > 0 ? 'hear' : null),
    hear(state) {
      const message = state.messages.shift()!;
      state.record = 'done';
      if (message === 'reply' && !state.isClosed) state.told.push('reply');
      return 'unlinkFirst';
    },
    ...endingSteps(rules),
    ...unlinkSteps(rules),
  };
}

/** Looks under both locks; takes what there is, or stands in both queues. */
function enlistSteps(rules: Rules<WaiterRule>, need: number): Program<WaiterState> {
  return {
    lockFirst: (state, me) => take(state, 0, me, 'lockSecond'),
    lockSecond: (state, me) => take(state, 1, me, 'look'),
    look(state) {
      const partition = state.elements.findIndex((count) => count >= need);
      if (partition === -1) return rules.linkInVisit ? 'link' : 'release';
      state.elements[partition]! -= need;
      state.taken += need;
      state.told.push('reply');
      return 'leave';
    },
    release(state) {
      state.locks = [FREE, FREE];
      return 'again';
    },
    again: (state, me) => take(state, 0, me, 'againSecond'),
    againSecond: (state, me) => take(state, 1, me, 'link'),
    link(state) {
      state.record = 'waiting';
      state.isLinked = [true, true];
      state.locks = [FREE, FREE];
      return 'wait';
    },
    leave(state) {
      state.locks = [FREE, FREE];
      return DONE;
    },
  };
}

/** Time is over, or the session is gone. */
function endingSteps(rules: Rules<WaiterRule>): Program<WaiterState> {
  const withdraw = (next: string, otherwise: string) => ({
    [next](state: WaiterState) {
      if (rules.withdrawBySwap) {
        if (state.record !== 'waiting') return otherwise;
        state.record = 'done';
        return `${next}Done`;
      }
      if (state.record !== 'waiting') return otherwise;
      return `${next}Late`;
    },
    [`${next}Late`](state: WaiterState) {
      state.record = 'done';
      return `${next}Done`;
    },
  });
  return {
    // In hand of a writer: looked at again, until the message comes or it is put back.
    ...withdraw('timeOut', 'wait'),
    timeOutDone(state) {
      state.told.push('time');
      return 'unlinkFirst';
    },
    close(state) {
      state.isClosed = true;
      return 'abandon';
    },
    ...withdraw('abandon', 'orphan'),
    abandonDone: () => 'unlinkFirst',
    orphan(state) {
      if (!rules.orphanBySwap) return state.record === 'claimed' ? 'orphanLate' : 'orphaned';
      if (state.record === 'claimed') state.record = 'orphaned';
      return 'orphaned';
    },
    orphanLate(state) {
      state.record = 'orphaned';
      return 'orphaned';
    },
    orphaned(state) {
      if (state.record === 'waiting') return 'abandon';
      if (!rules.freeAfterWord) return 'unlinkFirst';
      return state.messages.length > 0 ? 'hear' : null;
    },
  };
}

/** The owner takes the waiter out of the queues where it still stands, and frees it. */
function unlinkSteps(rules: Rules<WaiterRule>): Program<WaiterState> {
  const unlink = (partition: number) => (state: WaiterState) => {
    if (state.locks[partition] !== OWNER && state.locks[partition] !== FREE) {
      state.touchedUnlocked = true;
    }
    state.isLinked[partition] = false;
    if (state.locks[partition] === OWNER) state.locks[partition] = FREE;
    return partition === 0 ? 'unlinkSecond' : 'free';
  };
  const locked = (partition: number, next: string, skip: string) => {
    return (state: WaiterState, me: number) => {
      if (!rules.unlinkBeforeFree) return 'free';
      if (!state.isLinked[partition]) return skip;
      return rules.unlinkUnderLock ? take(state, partition, me, next) : next;
    };
  };
  return {
    unlinkFirst: locked(0, 'outFirst', 'unlinkSecond'),
    outFirst: unlink(0),
    unlinkSecond: locked(1, 'outSecond', 'free'),
    outSecond: unlink(1),
    free(state) {
      state.record = 'freed';
      return DONE;
    },
  };
}

function writer(rules: Rules<WaiterRule>, need: number, count: number): Program<WaiterState> {
  return {
    ...pushSteps(rules, count),
    ...serveSteps(rules, need),
  };
}

/** The partition of a writer. */
const mine = (me: number) => me - 1;

function pushSteps(rules: Rules<WaiterRule>, count: number): Program<WaiterState> {
  return {
    lock: (state, me) => take(state, mine(me), me, 'push'),
    push(state, me) {
      state.elements[mine(me)]! += count;
      if (!state.isLinked[mine(me)]) return 'unlock';
      return rules.serveInVisit ? 'claim' : 'unlockFirst';
    },
    unlockFirst(state, me) {
      state.locks[mine(me)] = FREE;
      return 'lockAgain';
    },
    lockAgain: (state, me) => take(state, mine(me), me, 'look'),
    look: (state, me) => (state.isLinked[mine(me)] ? 'claim' : 'unlock'),
    unlock(state, me) {
      state.locks[mine(me)] = FREE;
      return DONE;
    },
  };
}

function serveSteps(rules: Rules<WaiterRule>, need: number): Program<WaiterState> {
  return {
    claim(state) {
      if (state.record === 'freed') state.touchedFreed = true;
      if (state.record === 'claimed' && rules.awaitClaimed) return null;
      if (state.record !== 'waiting') return 'unlock';
      if (!rules.claimBySwap) return 'claimLate';
      state.record = 'claimed';
      return 'run';
    },
    claimLate(state) {
      state.record = 'claimed';
      return 'run';
    },
    run(state, me) {
      if (state.record === 'freed') state.touchedFreed = true;
      if (state.elements[mine(me)]! < need) return 'putBack';
      state.elements[mine(me)]! -= need;
      state.taken += need;
      return 'finish';
    },
    putBack(state) {
      if (!rules.putBackBySwap) return 'putBackLate';
      if (state.record !== 'claimed') return 'drop';
      state.record = 'waiting';
      return 'unlock';
    },
    putBackLate(state) {
      state.record = 'waiting';
      return 'unlock';
    },
    drop(state, me) {
      state.isLinked[mine(me)] = false;
      state.record = 'done';
      state.locks[mine(me)] = FREE;
      return rules.wordOfOrphan ? 'postEmpty' : DONE;
    },
    finish(state, me) {
      if (state.record === 'freed') state.touchedFreed = true;
      state.isLinked[mine(me)] = false;
      state.record = 'done';
      state.locks[mine(me)] = FREE;
      return 'postReply';
    },
    postReply(state) {
      state.messages.push('reply');
      return DONE;
    },
    postEmpty(state) {
      state.messages.push('empty');
      return DONE;
    },
  };
}

function take(state: WaiterState, partition: number, me: number, next: string): string | null {
  if (state.locks[partition] !== FREE) return null;
  state.locks[partition] = me;
  return next;
}
