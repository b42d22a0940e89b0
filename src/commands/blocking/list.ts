// BLPOP and its kin: elements of lists, waiting until there is one.

import { word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import {
  type CommandSpec,
  countedKeysAt,
  crossCommand,
  Flag,
  keyAt,
  keysFrom,
} from '../../dispatch/define.js';
import { Type } from '../../keyspace/entry.js';
import { NONE } from '../../slab/slab.js';
import { popElement } from '../list/ends.js';
import {
  moveElement,
  moveElements,
  popFirstOf,
  readMoveOrder,
  readPopOrder,
} from '../list/move.js';
import { readIsHead } from '../list/value.js';
import { readSecondsDeadline } from '../timeout.js';

const SOURCE = 1;
const TARGET = 2;
const LPOP = word('LPOP');
const RPOP = word('RPOP');
const LMOVE = word('LMOVE');
const LMOVEM = word('LMOVEM');
const RPOPLPUSH = word('RPOPLPUSH');

const POP_FLAGS = Flag.Write | Flag.Blocking;
const POP_KEYS = [keysFrom(1, -2, 1, 'RW', 'access', 'delete')];
const MOVE_FLAGS = Flag.Write | Flag.DenyOom | Flag.Blocking;
const MOVE_KEYS = [keyAt(SOURCE, 'RW', 'access', 'delete'), keyAt(TARGET, 'RW', 'insert')];
const TIMEOUT_HISTORY = [['6.0.0', 'The timeout may have a fraction.']] as const;

/** Pops from the first of the keys that is a list, or waits for one. */
function popOrWait(context: Context, isHead: boolean): void {
  const { args, effects, reply } = context;
  const last = args.count - 1;
  const deadlineMs = readSecondsDeadline(context, last);

  for (let index = 1; index < last; index++) {
    if (!context.isHere(index)) continue;
    const entry = context.at(index).edit(args, index, Type.List);
    if (entry === NONE) continue;

    reply.array(2);
    reply.bulk(args.u8, args.startOf(index), args.lengthOf(index));
    popElement(context, index, entry, isHead);
    if (!effects.isRecording) return;
    effects.begin(2);
    effects.word(isHead ? LPOP : RPOP);
    effects.arg(args, index);
    return;
  }
  context.block({ type: Type.List, firstKey: 1, keyCount: last - 1, deadlineMs });
}

const blpop = crossCommand({
  name: 'blpop',
  arity: -3,
  group: 'list',
  since: '2.0.0',
  summary: 'Takes the first element out of a list, waiting until there is one.',
  cost: 'O(N) for N keys.',
  flags: POP_FLAGS,
  syntax: 'key [key ...] timeout',
  keys: POP_KEYS,
  history: TIMEOUT_HISTORY,
  run: (context) => popOrWait(context, true),
});

const brpop = crossCommand({
  name: 'brpop',
  arity: -3,
  group: 'list',
  since: '2.0.0',
  summary: 'Takes the last element out of a list, waiting until there is one.',
  cost: 'O(N) for N keys.',
  flags: POP_FLAGS,
  syntax: 'key [key ...] timeout',
  keys: POP_KEYS,
  history: TIMEOUT_HISTORY,
  run: (context) => popOrWait(context, false),
});

/** Moves an element of the list at word 1 to that at word 2, or waits for one. */
function moveOrWait(
  context: Context,
  fromHead: boolean,
  toHead: boolean,
  deadlineMs: number,
): boolean {
  if (moveElement(context, fromHead, toHead)) return context.effects.isRecording;
  context.block({
    type: Type.List,
    firstKey: SOURCE,
    keyCount: 1,
    target: TARGET,
    deadlineMs,
    deniedAs: 'value',
  });
  return false;
}

const blmove = crossCommand({
  name: 'blmove',
  arity: 6,
  group: 'list',
  since: '6.2.0',
  summary:
    'Takes an element from one end of a list, puts it to an end of another, returns it; ' +
    'waits until there is one.',
  cost: 'O(1)',
  flags: MOVE_FLAGS,
  syntax: 'source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout',
  keys: MOVE_KEYS,
  run(context) {
    const { args, effects } = context;
    const fromHead = readIsHead(context, 3);
    const toHead = readIsHead(context, 4);
    const deadlineMs = readSecondsDeadline(context, 5);

    if (!moveOrWait(context, fromHead, toHead, deadlineMs)) return;
    effects.begin(5);
    effects.word(LMOVE);
    for (let index = 1; index < 5; index++) effects.arg(args, index);
  },
});

const brpoplpush = crossCommand({
  name: 'brpoplpush',
  arity: 4,
  group: 'list',
  since: '2.2.0',
  summary:
    'Takes the last element of one list, puts it before the first of another, returns it; ' +
    'waits until there is one.',
  cost: 'O(1)',
  flags: MOVE_FLAGS,
  syntax: 'source destination timeout',
  keys: MOVE_KEYS,
  history: TIMEOUT_HISTORY,
  deprecatedSince: '6.2.0',
  replacedBy: '`BLMOVE` with the `RIGHT` and `LEFT` arguments',
  run(context) {
    const { args, effects } = context;
    const deadlineMs = readSecondsDeadline(context, 3);

    if (!moveOrWait(context, false, true, deadlineMs)) return;
    effects.begin(3);
    effects.word(RPOPLPUSH);
    effects.arg(args, SOURCE);
    effects.arg(args, TARGET);
  },
});

const blmovem = crossCommand({
  name: 'blmovem',
  arity: -6,
  group: 'list',
  since: '8.10.0',
  summary:
    'Takes elements from one end of a list, puts them to an end of another, returns them; ' +
    'waits until there are any, or as many as are asked for.',
  cost: 'O(N) for N elements moved.',
  flags: MOVE_FLAGS,
  syntax:
    'source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout ' +
    '[<COUNT count | EXACTLY exactly> <OBO | BULK>]',
  keys: MOVE_KEYS,
  run(context) {
    const { args, effects } = context;
    const order = readMoveOrder(context, 6);
    const deadlineMs = readSecondsDeadline(context, 5);

    if (!moveElements(context, order)) {
      const type = Type.List;
      context.block({ type, firstKey: SOURCE, keyCount: 1, target: TARGET, deadlineMs });
      return;
    }
    if (!effects.isRecording) return;
    effects.begin(args.count - 1);
    effects.word(LMOVEM);
    for (let index = 1; index < args.count; index++) if (index !== 5) effects.arg(args, index);
  },
});

const blmpop = crossCommand({
  name: 'blmpop',
  arity: -5,
  group: 'list',
  since: '7.0.0',
  summary: 'Takes elements out of the first list of several that has any, waiting until one has.',
  cost: 'O(N+M) for N keys and M elements returned.',
  flags: POP_FLAGS | Flag.MovableKeys,
  syntax: 'timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]',
  keys: [countedKeysAt(2, 1, 'RW', 'access', 'delete')],
  run(context) {
    const order = readPopOrder(context, 2);
    const deadlineMs = readSecondsDeadline(context, 1);

    if (popFirstOf(context, order)) return;
    const { firstKey, keyCount } = order;
    context.block({ type: Type.List, firstKey, keyCount, deadlineMs });
  },
});

export const listBlockingCommands: readonly CommandSpec[] = [
  blpop,
  brpop,
  blmove,
  brpoplpush,
  blmovem,
  blmpop,
];
