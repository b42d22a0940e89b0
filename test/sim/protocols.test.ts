// The rules between threads, checked over all interleavings of two or three of them. Every rule is
// taken away once: a model that does not notice is no check.

import { describe, expect, it } from 'vitest';
import { partSeed, Random, seedOf } from '../support/seed.js';
import { BOARD_RULES, type BoardRule, boardModel } from './board.js';
import { DOORBELL_RULES, type DoorbellRule, doorbellModel } from './doorbell.js';
import {
  allRules,
  explore,
  type Model,
  type Rules,
  type Standing,
  wander,
  without,
} from './explore.js';
import {
  LOCK_RULES,
  type LockRule,
  lockModel,
  ORDER_RULES,
  type OrderRule,
  orderModel,
} from './lock.js';
import { NUMBERING_RULES, type NumberingRule, numberingModel } from './numbering.js';
import { RING_RULES, type RingRule, ringModel } from './ring.js';
import { WAITER_RULES, type WaiterRule, waiterModel } from './waiters.js';
import { WATCH_RULES, type WatchRule, watchModel } from './watch.js';

const seed = seedOf('SIM_SEED');
const repeat = `repeat with: SIM_SEED=${seed} npx vitest run test/sim`;

const STATES_MIN = 20; // fewer would mean that the model does nothing
const WALKS = 40;
const STEPS_MAX = 2000;

/** One protocol: its rules as sentences, models small enough for all states, and a larger one. */
function protocol<Name extends string, S extends Standing>(
  title: string,
  sentences: Readonly<Record<Name, string>>,
  small: readonly ((rules: Rules<Name>) => Model<S>)[],
  large: (rules: Rules<Name>) => Model<S>,
): void {
  const names = Object.keys(sentences) as Name[];
  describe(title, () => {
    it('is right in every interleaving', () => {
      for (const build of small) {
        const { failure, stateCount } = explore(build(allRules(names)));
        expect(failure).toBeNull();
        expect(stateCount).toBeGreaterThan(STATES_MIN);
      }
    });

    it('is right in random interleavings of a larger case', () => {
      const model = large(allRules(names));
      for (let walk = 0; walk < WALKS; walk++) {
        const failure = wander(model, new Random(partSeed(seed, walk)), STEPS_MAX);
        expect(failure, repeat).toBeNull();
      }
    });

    for (const name of names) {
      it(`fails without the rule: ${sentences[name]}`, () => {
        const rules = without(names, name);
        const isCaught = small.some((build) => explore(build(rules)).failure !== null);
        expect(isCaught).toBe(true);
      });
    }
  });
}

protocol<LockRule, ReturnType<typeof lockModel>['start']>(
  'the partition lock',
  LOCK_RULES,
  [
    (rules) => lockModel(rules, { threads: 2, rounds: 2, timeouts: 1 }),
    (rules) => lockModel(rules, { threads: 3, rounds: 1, timeouts: 0 }),
    (rules) => lockModel(rules, { threads: 3, rounds: 1, timeouts: 1 }),
  ],
  (rules) => lockModel(rules, { threads: 3, rounds: 20, timeouts: 5 }),
);

protocol<OrderRule, ReturnType<typeof orderModel>['start']>(
  'the order of locks',
  ORDER_RULES,
  [orderModel],
  orderModel,
);

protocol<DoorbellRule, ReturnType<typeof doorbellModel>['start']>(
  'the doorbell',
  DOORBELL_RULES,
  [
    (rules) => doorbellModel(rules, { ringers: 1, messages: 3 }),
    (rules) => doorbellModel(rules, { ringers: 2, messages: 2 }),
  ],
  (rules) => doorbellModel(rules, { ringers: 4, messages: 20 }),
);

protocol<RingRule, ReturnType<typeof ringModel>['start']>(
  'a ring with the wish for room',
  RING_RULES,
  [(rules) => ringModel(rules, 5)],
  (rules) => ringModel(rules, 60),
);

protocol<BoardRule, ReturnType<typeof boardModel>['start']>(
  'the part board',
  BOARD_RULES,
  [boardModel],
  boardModel,
);

protocol<NumberingRule, ReturnType<typeof numberingModel>['start']>(
  'the numbering of writes',
  NUMBERING_RULES,
  [
    (rules) => numberingModel(rules, [{ writes: [0] }, { writes: [0] }]),
    (rules) => numberingModel(rules, [{ writes: [0] }, { writes: [1] }]),
    (rules) => numberingModel(rules, [{ writes: [0, 1] }, { writes: [1, 0] }]),
    (rules) => numberingModel(rules, [{ writes: [0] }, { writes: [0] }, { reads: 0 }]),
    (rules) => numberingModel(rules, [{ writes: [0, 0] }, { rewrites: true }]),
    (rules) => numberingModel(rules, [{ writes: [0, 0] }, { reads: 1 }, { rewrites: true }]),
  ],
  (rules) =>
    numberingModel(rules, [
      { writes: [0, 1, 2, 0] },
      { writes: [1, 0, 1] },
      { writes: [2, 2] },
      { reads: 2 },
      { rewrites: true },
    ]),
);

protocol<WaiterRule, ReturnType<typeof waiterModel>['start']>(
  'who waits for a key',
  WAITER_RULES,
  [
    (rules) => waiterModel(rules, { need: 1, pushes: [1, 1], mayTimeOut: true, mayClose: false }),
    (rules) => waiterModel(rules, { need: 2, pushes: [1, 2], mayTimeOut: true, mayClose: true }),
    (rules) => waiterModel(rules, { need: 2, pushes: [1, 1], mayTimeOut: false, mayClose: true }),
    (rules) => waiterModel(rules, { need: 1, pushes: [1, 1], mayTimeOut: false, mayClose: false }),
  ],
  (rules) => waiterModel(rules, { need: 2, pushes: [2, 3], mayTimeOut: true, mayClose: true }),
);

protocol<WatchRule, ReturnType<typeof watchModel>['start']>(
  'who watches a key',
  WATCH_RULES,
  [
    (rules) => watchModel(rules, { writers: 1, changes: 2 }),
    (rules) => watchModel(rules, { writers: 2, changes: 1 }),
  ],
  (rules) => watchModel(rules, { writers: 3, changes: 4 }),
);
