// The part board (src/mesh/board.ts) with one slot, as a step machine: two coordinators that post a
// part each to the same owner, and the owner, which looks a few times and then is busy for ever.

import { DONE, type Model, type Program, type Rules } from './explore.js';

export const BOARD_RULES = {
  fillBySwap: 'a coordinator gets a free slot by compare-and-swap',
  describeBeforePost: 'the descriptor is written before the part is posted',
  claimBySwap: 'a part is claimed by compare-and-swap',
  readAfterClaim: 'the descriptor is read after the claim',
  coordinatorClaims: 'the coordinator runs what nobody has claimed',
  flagBeforeSleep: 'the coordinator turns Claimed into Awaited before it sleeps',
  notifyIfAwaited: 'whoever finishes an awaited part notifies',
  resultBeforeDone: 'the result is written before the part is done',
  freeAfterResult: 'a slot is free after its result has been read',
  partsTakeNoLock: 'a part takes no lock',
} as const;
export type BoardRule = keyof typeof BOARD_RULES;

type SlotState = 'free' | 'filling' | 'posted' | 'claimed' | 'awaited' | 'done';

interface BoardState {
  at: string[];
  state: SlotState;
  /** The descriptor: the part's number, in two words. */
  words: [number, number];
  result: number;
  /** How often each part ran; part p is that of coordinator p − 1. */
  ran: number[];
  /** What each thread read of the descriptor. */
  read: [number, number][];
  looksLeft: number;
  sleepers: number[];
  hasAwaited: boolean[];
  answers: number[];
  locks: number[];
  isTorn: boolean;
}

const OWNER = 2;
const LOOKS = 2;

export function boardModel(rules: Rules<BoardRule>): Model<BoardState> {
  return {
    start: {
      at: ['lock', 'lock', 'look'],
      state: 'free',
      words: [0, 0],
      result: 0,
      ran: [0, 0, 0],
      read: [
        [0, 0],
        [0, 0],
        [0, 0],
      ],
      looksLeft: LOOKS,
      sleepers: [],
      hasAwaited: [false, false, false],
      answers: [0, 0],
      locks: [0, 0],
      isTorn: false,
    },
    programs: [coordinator(rules), coordinator(rules), owner(rules)],
    wrong(state) {
      if (state.isTorn) return 'a part was run from a torn descriptor';
      return state.ran.some((count) => count > 1) ? 'a part ran twice' : null;
    },
    wrongAtEnd(state) {
      if (state.ran[1] !== 1 || state.ran[2] !== 1) return 'a part did not run';
      const isRight = state.answers[0] === 10 && state.answers[1] === 20;
      return isRight ? null : `a coordinator got another's result: ${state.answers.join(', ')}`;
    },
  };
}

/** Each coordinator holds a lock of its own, from before it posts until it has the result. */
function coordinator(rules: Rules<BoardRule>): Program<BoardState> {
  return {
    lock(state, me) {
      state.locks[me] = me + 1;
      return 'find';
    },
    find: (state) => (state.state === 'free' ? 'fill' : 'runInline'),
    fill(state) {
      if (rules.fillBySwap && state.state !== 'free') return 'runInline';
      state.state = 'filling';
      return rules.describeBeforePost ? 'describeFirst' : 'post';
    },
    runInline(state, me) {
      state.ran[me + 1]!++;
      state.answers[me] = (me + 1) * 10;
      return 'unlock';
    },
    describeFirst(state, me) {
      state.words[0] = me + 1;
      return 'describeSecond';
    },
    describeSecond(state, me) {
      state.words[1] = me + 1;
      return rules.describeBeforePost ? 'post' : 'claimOwn';
    },
    post(state) {
      state.state = 'posted';
      return rules.describeBeforePost ? 'claimOwn' : 'describeFirst';
    },
    claimOwn(state) {
      if (!rules.coordinatorClaims || state.state !== 'posted') return 'await';
      return 'claim';
    },
    ...claimAndRun(rules, 'await'),
    await: (state) => (state.state === 'done' ? 'readResult' : 'flag'),
    flag(state) {
      if (rules.flagBeforeSleep && state.state === 'claimed') state.state = 'awaited';
      return 'sleep';
    },
    sleep(state, me) {
      if (state.state === 'done') return 'readResult';
      const sleepsOn = rules.flagBeforeSleep ? 'awaited' : 'claimed';
      // Posted, and nobody claims it: it would look again and again.
      if (state.state !== sleepsOn) return state.state === 'posted' ? null : 'await';
      state.sleepers.push(me);
      return 'asleep';
    },
    asleep: (state, me) => (state.sleepers.includes(me) ? null : 'await'),
    readResult(state, me) {
      if (!rules.freeAfterResult) state.state = 'free';
      else state.answers[me] = state.result;
      return 'free';
    },
    free(state, me) {
      if (!rules.freeAfterResult) state.answers[me] = state.result;
      else state.state = 'free';
      return 'unlock';
    },
    unlock(state, me) {
      state.locks[me] = 0;
      return DONE;
    },
  };
}

function owner(rules: Rules<BoardRule>): Program<BoardState> {
  return {
    look(state) {
      if (state.looksLeft === 0) return DONE;
      state.looksLeft--;
      if (!rules.readAfterClaim) return 'readFirst';
      return state.state === 'posted' ? 'claim' : 'look';
    },
    ...claimAndRun(rules, 'look'),
  };
}

/** From a part seen as posted to Done; then `next`. If somebody else claimed it, `next` at once. */
function claimAndRun(rules: Rules<BoardRule>, next: string): Program<BoardState> {
  const isOwner = next === 'look';
  const readsFirst = isOwner && !rules.readAfterClaim;
  return {
    claim(state) {
      if (rules.claimBySwap && state.state !== 'posted') return next;
      state.state = 'claimed';
      return readsFirst ? 'run' : 'readFirst';
    },
    readFirst(state, me) {
      state.read[me]![0] = state.words[0];
      return 'readSecond';
    },
    readSecond(state, me) {
      state.read[me]![1] = state.words[1];
      return readsFirst ? 'claim' : 'run';
    },
    run(state, me) {
      const [first, second] = state.read[me]!;
      if (first !== second || first === 0) {
        state.isTorn = true;
        return 'finish';
      }
      // A part that takes the lock of the partition it works on waits for its own coordinator.
      if (isOwner && !rules.partsTakeNoLock && state.locks[first - 1] !== 0) return null;
      state.ran[first]!++;
      if (rules.resultBeforeDone) state.result = first * 10;
      return 'finish';
    },
    finish(state, me) {
      state.hasAwaited[me] = state.state === 'awaited';
      state.state = 'done';
      if (!rules.resultBeforeDone) return 'lateResult';
      return state.hasAwaited[me] && rules.notifyIfAwaited ? 'notify' : next;
    },
    lateResult(state, me) {
      state.result = state.read[me]![0] * 10;
      return state.hasAwaited[me] && rules.notifyIfAwaited ? 'notify' : next;
    },
    notify(state) {
      state.sleepers = [];
      return next;
    },
  };
}

/** The thread that serves; named for readers of traces. */
export const BOARD_OWNER = OWNER;
