// Members that go: by name, rank, score or the order of names.

import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { Type } from '../../keyspace/entry.js';
import { NONE } from '../../slab/slab.js';
import { By, Range } from './bounds.js';
import { endRemoval, openSet, set } from './window.js';

const DELETE_KEYS = [keyAt(1, 'RW', 'delete')];

const zrem = keyCommand({
  name: 'zrem',
  arity: -3,
  group: 'sorted-set',
  since: '1.2.0',
  summary: 'Removes members from a sorted set; with the last of them the key goes.',
  cost: 'O(M*log(N)) for M members that go, out of N.',
  flags: Flag.Write | Flag.Fast,
  syntax: 'key member [member ...]',
  keys: DELETE_KEYS,
  history: [['2.4.0', 'Takes several members.']],
  element: 2,
  run(context) {
    const { args, partition, reply } = context;

    const entry = partition.edit(args, 1, Type.SortedSet);
    if (entry === NONE) {
      reply.integer(0);
      return;
    }
    openSet(partition.slab, entry);

    let removed = 0;
    for (let index = 2; index < args.count && set.length > 0; index++) {
      if (!set.find(args.u8, args.startOf(index), args.lengthOf(index))) continue;
      set.remove();
      removed++;
    }
    if (removed > 0) endRemoval(context, 1, entry, 'zrem');

    reply.integer(removed);
  },
});

const range = new Range();

function removeRange(context: Context, by: By, event: string): void {
  const { args, partition, reply } = context;
  range.read(args, by, 2, 3);

  const entry = partition.edit(args, 1, Type.SortedSet);
  const count = entry === NONE ? 0 : range.resolve(openSet(partition.slab, entry), args.u8);

  if (count > 0) {
    set.removeRange(range.from, count);
    endRemoval(context, 1, entry, event);
  }

  reply.integer(count);
}

const zremrangebyrank = keyCommand({
  name: 'zremrangebyrank',
  arity: 4,
  group: 'sorted-set',
  since: '2.0.0',
  summary: 'Removes the members between two ranks; with the last of them the key goes.',
  cost: 'O(log(N)+M) for N members in the sorted set and M that go.',
  flags: Flag.Write,
  syntax: 'key start stop',
  keys: DELETE_KEYS,
  run: (context) => removeRange(context, By.Rank, 'zremrangebyrank'),
});

const zremrangebyscore = keyCommand({
  name: 'zremrangebyscore',
  arity: 4,
  group: 'sorted-set',
  since: '1.2.0',
  summary: 'Removes the members between two scores; with the last of them the key goes.',
  cost: 'O(log(N)+M) for N members in the sorted set and M that go.',
  flags: Flag.Write,
  syntax: 'key min max',
  keys: DELETE_KEYS,
  run: (context) => removeRange(context, By.Score, 'zremrangebyscore'),
});

const zremrangebylex = keyCommand({
  name: 'zremrangebylex',
  arity: 4,
  group: 'sorted-set',
  since: '2.8.9',
  summary: 'Removes the members between two names, where all scores are the same.',
  cost: 'O(log(N)+M) for N members in the sorted set and M that go.',
  flags: Flag.Write,
  syntax: 'key min max',
  keys: DELETE_KEYS,
  run: (context) => removeRange(context, By.Name, 'zremrangebylex'),
});

export const removeCommands: readonly CommandSpec[] = [
  zrem,
  zremrangebyrank,
  zremrangebyscore,
  zremrangebylex,
];
