// A ring with its wish for room (src/mesh/ring.ts) and both doorbells, as a step machine: a pusher
// with more messages than fit, and a drainer. Both sleep without a timeout. A message is two words.

import { DONE, type Model, type Program, type Rules } from './explore.js';

export const RING_RULES = {
  roomBeforeWrite: 'the pusher writes only where the drainer has read',
  writeBeforeTail: 'the tail moves after the bytes are written',
  readBeforeHead: 'the head moves after the bytes are read',
  wishForRoom: 'a pusher that finds the ring full asks to be rung',
  wishAfterHead: 'the drainer looks for the wish after it has moved the head',
  lookAtRoomAgain: 'the pusher looks at the head again after it has wished for room',
  lookAtWishAgain: 'the pusher looks at its wish again after it has announced its sleep',
  lookAtMailAgain: 'the drainer looks at the tail again after it has announced its sleep',
} as const;
export type RingRule = keyof typeof RING_RULES;

interface RingState {
  at: string[];
  tail: number;
  head: number;
  wants: boolean;
  cells: [number, number][];
  /** Bells of pusher and drainer. */
  asleep: [boolean, boolean];
  rung: [boolean, boolean];
  headSeen: number;
  tailSeen: number;
  pushed: number;
  first: number;
  got: number;
  isTorn: boolean;
}

const PUSHER = 0;
const DRAINER = 1;
const CAPACITY = 2;

export function ringModel(rules: Rules<RingRule>, messages: number): Model<RingState> {
  return {
    start: {
      at: ['push', 'drain'],
      tail: 0,
      head: 0,
      wants: false,
      cells: Array.from({ length: CAPACITY }, () => [0, 0]),
      asleep: [false, false],
      rung: [false, false],
      headSeen: 0,
      tailSeen: 0,
      pushed: 0,
      first: 0,
      got: 0,
      isTorn: false,
    },
    programs: [pusherSteps(rules, messages), drainerSteps(rules, messages)],
    wrong: (state) => (state.isTorn ? 'a message was torn, lost or repeated' : null),
    wrongAtEnd: (state) => (state.got === messages ? null : 'messages are missing'),
  };
}

function ring(state: RingState, who: 0 | 1): void {
  if (state.asleep[who]) state.rung[who] = true;
}

function pusherSteps(rules: Rules<RingRule>, messages: number): Program<RingState> {
  const write = (word: 0 | 1) => (state: RingState) => {
    state.cells[state.tail % CAPACITY]![word] = state.pushed + 1;
  };
  return {
    push(state) {
      if (state.pushed === messages) return DONE;
      if (!rules.roomBeforeWrite || state.tail - state.headSeen < CAPACITY) return 'first';
      return 'readHead';
    },
    readHead(state) {
      state.headSeen = state.head;
      if (state.tail - state.headSeen < CAPACITY) return 'first';
      return rules.wishForRoom ? 'wish' : 'announce';
    },
    first(state) {
      if (!rules.writeBeforeTail) state.tail++;
      if (rules.writeBeforeTail) write(0)(state);
      else state.cells[(state.tail - 1) % CAPACITY]![0] = state.pushed + 1;
      return 'second';
    },
    second(state) {
      if (rules.writeBeforeTail) write(1)(state);
      else state.cells[(state.tail - 1) % CAPACITY]![1] = state.pushed + 1;
      return 'publish';
    },
    publish(state) {
      if (rules.writeBeforeTail) state.tail++;
      state.pushed++;
      return 'ring';
    },
    ring(state) {
      ring(state, DRAINER);
      return 'push';
    },
    wish(state) {
      state.wants = true;
      return rules.lookAtRoomAgain ? 'lookAtRoom' : 'announce';
    },
    lookAtRoom: (state) => (state.head !== state.headSeen ? 'push' : 'announce'),
    announce(state) {
      state.asleep[PUSHER] = true;
      return rules.lookAtWishAgain ? 'lookAtWish' : 'sleep';
    },
    lookAtWish: (state) => (state.wants || !rules.wishForRoom ? 'sleep' : 'silence'),
    sleep: (state) => (state.rung[PUSHER] ? 'silence' : null),
    silence(state) {
      state.asleep[PUSHER] = false;
      state.rung[PUSHER] = false;
      return 'push';
    },
  };
}

function drainerSteps(rules: Rules<RingRule>, messages: number): Program<RingState> {
  const afterDrain = (state: RingState) => (state.got === messages ? DONE : 'drain');
  return {
    // One drain takes all messages up to the tail that it saw at its start.
    drain(state) {
      state.tailSeen = state.tail;
      if (state.tailSeen === state.head) return 'announce';
      return rules.wishAfterHead ? 'readFirst' : 'takeWish';
    },
    readFirst(state) {
      state.first = state.cells[state.head % CAPACITY]![0];
      if (!rules.readBeforeHead) state.head++;
      return 'readSecond';
    },
    readSecond(state) {
      const at = rules.readBeforeHead ? state.head : state.head - 1;
      const second = state.cells[at % CAPACITY]![1];
      if (state.first !== state.got + 1 || second !== state.got + 1) state.isTorn = true;
      state.got++;
      return 'publish';
    },
    publish(state) {
      if (rules.readBeforeHead) state.head++;
      if (state.head !== state.tailSeen) return 'readFirst';
      return rules.wishAfterHead ? 'takeWish' : afterDrain(state);
    },
    takeWish(state) {
      const next = rules.wishAfterHead ? afterDrain(state) : 'readFirst';
      if (!state.wants) return next;
      state.wants = false;
      return 'ring';
    },
    ring(state) {
      ring(state, PUSHER);
      return rules.wishAfterHead ? afterDrain(state) : 'readFirst';
    },
    announce(state) {
      state.asleep[DRAINER] = true;
      return rules.lookAtMailAgain ? 'lookAgain' : 'sleep';
    },
    lookAgain: (state) => (state.tail !== state.head ? 'silence' : 'sleep'),
    sleep: (state) => (state.rung[DRAINER] ? 'silence' : null),
    silence(state) {
      state.asleep[DRAINER] = false;
      state.rung[DRAINER] = false;
      return 'drain';
    },
  };
}
