// BZPOPMIN, BZPOPMAX and BZMPOP: members of sorted sets, waiting until there is one.

import type { Context } from '../../dispatch/context.js';
import {
  type CommandSpec,
  countedKeysAt,
  crossCommand,
  Flag,
  keysFrom,
} from '../../dispatch/define.js';
import { Type } from '../../keyspace/entry.js';
import { NONE } from '../../slab/slab.js';
import { multiplePop, PopForm, popFromSortedSet, readMultiplePop } from '../sorted-set/pop.js';
import { readSecondsDeadline } from '../timeout.js';

/** Pops from the first of the keys that holds members, or waits for one that does. */
function popOrWait(
  context: Context,
  firstKey: number,
  keyCount: number,
  deadlineMs: number,
  isMax: boolean,
  count: number,
  form: PopForm,
): void {
  const { args } = context;
  for (let index = firstKey; index < firstKey + keyCount; index++) {
    if (!context.isHere(index)) continue;
    const entry = context.at(index).edit(args, index, Type.SortedSet);
    if (entry === NONE) continue;
    popFromSortedSet(context, index, entry, isMax, count, form);
    return;
  }
  context.block({ type: Type.SortedSet, firstKey, keyCount, deadlineMs });
}

function popOne(context: Context, isMax: boolean): void {
  const last = context.args.count - 1;
  const deadlineMs = readSecondsDeadline(context, last);

  popOrWait(context, 1, last - 1, deadlineMs, isMax, 1, PopForm.KeyAndMember);
}

const POP_KEYS = [keysFrom(1, -2, 1, 'RW', 'access', 'delete')];
const TIMEOUT_HISTORY = [['6.0.0', 'The timeout may have a fraction.']] as const;

const bzpopmin = crossCommand({
  name: 'bzpopmin',
  arity: -3,
  group: 'sorted-set',
  since: '5.0.0',
  summary: 'Takes the member of the lowest score out of a sorted set, waiting until there is one.',
  cost: 'O(log(N)) for N members in the sorted set.',
  flags: Flag.Write | Flag.Blocking | Flag.Fast,
  syntax: 'key [key ...] timeout',
  keys: POP_KEYS,
  history: TIMEOUT_HISTORY,
  run: (context) => popOne(context, false),
});

const bzpopmax = crossCommand({
  name: 'bzpopmax',
  arity: -3,
  group: 'sorted-set',
  since: '5.0.0',
  summary: 'Takes the member of the highest score out of a sorted set, waiting until there is one.',
  cost: 'O(log(N)) for N members in the sorted set.',
  flags: Flag.Write | Flag.Blocking | Flag.Fast,
  syntax: 'key [key ...] timeout',
  keys: POP_KEYS,
  history: TIMEOUT_HISTORY,
  run: (context) => popOne(context, true),
});

const bzmpop = crossCommand({
  name: 'bzmpop',
  arity: -5,
  group: 'sorted-set',
  since: '7.0.0',
  summary:
    'Takes members of the lowest or highest scores out of the first key that holds any, ' +
    'waiting until one does.',
  cost: 'O(K) + O(M*log(N)) for K keys, N members in the sorted set and M that are taken.',
  flags: Flag.Write | Flag.Blocking | Flag.MovableKeys,
  syntax: 'timeout numkeys key [key ...] <MIN | MAX> [COUNT count]',
  keys: [countedKeysAt(2, 1, 'RW', 'access', 'delete')],
  run(context) {
    readMultiplePop(context, 2);
    const { firstKey, keyCount, isMax, count } = multiplePop;
    const deadlineMs = readSecondsDeadline(context, 1);

    popOrWait(context, firstKey, keyCount, deadlineMs, isMax, count, PopForm.KeyAndPairs);
  },
});

export const sortedSetBlockingCommands: readonly CommandSpec[] = [bzpopmin, bzpopmax, bzmpop];
