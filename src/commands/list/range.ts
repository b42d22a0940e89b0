// Ranges of a list: reading them, and keeping nothing else.

import { readInteger } from '../../dispatch/args.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { Type } from '../../keyspace/entry.js';
import { NONE } from '../../slab/slab.js';
import { list, openList, removeList, replyElements, saveOrRemove } from './value.js';

// The range that resolve has made of two indexes.
let rangeStart = 0;
let rangeCount = 0;

/** Which of `length` elements are from `start` to `stop`; negative counts from the end. */
function resolve(start: number, stop: number, length: number): void {
  rangeStart = start < 0 ? Math.max(0, start + length) : start;
  const last = Math.min(stop < 0 ? stop + length : stop, length - 1);
  rangeCount = Math.max(0, last - rangeStart + 1);
}

const lrange = keyCommand({
  name: 'lrange',
  arity: 4,
  group: 'list',
  since: '1.0.0',
  summary: 'Returns the elements of a list from one index to another.',
  cost: 'O(S+N) for N elements at a distance of S from the nearer end.',
  flags: Flag.Read,
  syntax: 'key start stop',
  keys: [keyAt(1, 'RO', 'access')],
  run({ args, partition, reply }) {
    const start = readInteger(args, 2);
    const stop = readInteger(args, 3);

    const entry = partition.find(args, 1, Type.List);
    if (entry === NONE) {
      reply.array(0);
      return;
    }
    openList(list, partition, entry);
    resolve(start, stop, list.length);

    reply.array(rangeCount);
    replyElements(reply, list, rangeStart, rangeCount, true);
  },
});

const ltrim = keyCommand({
  name: 'ltrim',
  arity: 4,
  group: 'list',
  since: '1.0.0',
  summary: 'Removes all elements of a list that are not between two indexes.',
  cost: 'O(N) for N elements removed.',
  flags: Flag.Write,
  syntax: 'key start stop',
  keys: [keyAt(1, 'RW', 'delete')],
  run(context) {
    const { args, partition, reply } = context;
    const start = readInteger(args, 2);
    const stop = readInteger(args, 3);

    const entry = partition.edit(args, 1, Type.List);
    if (entry === NONE) {
      reply.ok();
      return;
    }

    openList(list, partition, entry);
    const { length } = list;
    resolve(start, stop, length);
    if (rangeCount === 0) {
      removeList(context, 1, entry, 'ltrim');
    } else {
      const keptEnd = rangeStart + rangeCount;
      list.removeRange(keptEnd, length - keptEnd);
      list.removeRange(0, rangeStart);
      // Redis announces every trim; one that removed nothing is not worth a record.
      if (rangeCount === length) context.effects.nothing();
      saveOrRemove(list, context, 1, entry, 'ltrim');
    }

    reply.ok();
  },
});

export const rangeCommands: readonly CommandSpec[] = [lrange, ltrim];
