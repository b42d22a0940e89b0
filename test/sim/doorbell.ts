// The doorbell (src/mesh/doorbell.ts) as a step machine: one owner that sleeps in epoll_wait
// without a timeout, and ringers that each leave some messages.

import { DONE, type Model, type Program, type Rules } from './explore.js';

export const DOORBELL_RULES = {
  lookAfterAnnounce: 'the owner looks for messages once more after it has announced its sleep',
  announceBeforeSleep: 'the owner announces its sleep',
  storeBeforeRing: 'a ringer stores its message before it looks at the state',
  ringAfterStore: 'a ringer rings after it has stored a message',
  signalIfAsleep: 'the ringer that finds the owner asleep signals',
  swapToRung: 'only the ringer that turns Asleep into Rung signals',
} as const;
export type DoorbellRule = keyof typeof DOORBELL_RULES;

interface DoorbellState {
  at: string[];
  state: 'awake' | 'asleep' | 'rung';
  mail: number;
  /** The eventfd's counter. */
  signals: number;
  received: number;
  left: number[];
  /** Not in the program: how many ringers took it on them to end this sleep. */
  swaps: number;
}

export interface DoorbellSize {
  readonly ringers: number;
  readonly messages: number;
}

export function doorbellModel(
  rules: Rules<DoorbellRule>,
  size: DoorbellSize,
): Model<DoorbellState> {
  const total = size.ringers * size.messages;
  const ringers = Array.from({ length: size.ringers }, () => ringerSteps(rules));
  return {
    start: {
      at: ['poll', ...ringers.map(() => (rules.storeBeforeRing ? 'store' : 'ring'))],
      state: 'awake',
      mail: 0,
      signals: 0,
      received: 0,
      left: [0, ...ringers.map(() => size.messages)],
      swaps: 0,
    },
    programs: [ownerSteps(rules, total), ...ringers],
    wrong: (state) => (state.swaps > 1 ? 'two ringers signal one sleep' : null),
  };
}

function ownerSteps(rules: Rules<DoorbellRule>, total: number): Program<DoorbellState> {
  return {
    poll(state) {
      state.received += state.mail;
      state.mail = 0;
      if (state.received === total) return DONE;
      return rules.announceBeforeSleep ? 'announce' : 'look';
    },
    announce(state) {
      state.state = 'asleep';
      state.swaps = 0;
      return rules.lookAfterAnnounce ? 'look' : 'sleep';
    },
    look: (state) => (state.mail > 0 ? 'silence' : 'sleep'),
    sleep: (state) => (state.signals > 0 ? 'silence' : null),
    silence(state) {
      state.state = 'awake';
      return 'takeSignal';
    },
    takeSignal(state) {
      state.signals = 0;
      return 'poll';
    },
  };
}

function ringerSteps(rules: Rules<DoorbellRule>): Program<DoorbellState> {
  const next = (state: DoorbellState, me: number) => {
    state.left[me]!--;
    if (state.left[me] === 0) return DONE;
    return rules.storeBeforeRing ? 'store' : 'ring';
  };
  const afterRing = (state: DoorbellState, me: number) =>
    rules.storeBeforeRing ? next(state, me) : 'store';
  const afterStore = (state: DoorbellState, me: number) =>
    rules.storeBeforeRing && rules.ringAfterStore ? 'ring' : next(state, me);
  return {
    store(state, me) {
      state.mail++;
      return afterStore(state, me);
    },
    ring: (state, me) => (state.state === 'asleep' ? 'swap' : afterRing(state, me)),
    swap(state, me) {
      if (state.state !== 'asleep' && rules.swapToRung) return afterRing(state, me);
      state.state = 'rung';
      state.swaps++;
      return rules.signalIfAsleep ? 'signal' : afterRing(state, me);
    },
    signal(state, me) {
      state.signals++;
      return afterRing(state, me);
    },
  };
}
