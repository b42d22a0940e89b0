// Writing arrays where their cursor is: as a log without an end, or as a ring.

import { int64 } from '../../base/ascii.js';
import type { Slices } from '../../base/slices.js';
import { readInt64 } from '../../dispatch/args.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { Notify } from '../../dispatch/effects.js';
import { Refusal } from '../../resp/errors.js';
import { NONE } from '../../slab/slab.js';
import { rowReserve, setValue, writeCursor } from '../../types/array/array.js';
import { Position, parsePosition, remainder } from '../../types/array/position.js';
import { orderReserve, orderRing, readNext } from '../../types/array/ring.js';
import {
  addArray,
  editArray,
  findArray,
  INVALID_INDEX,
  replyPosition,
  reserveFor,
} from './value.js';
import { valuesReserve } from './write.js';

const OVERFLOWS = new Refusal('ERR insert index overflow');
const INVALID_SIZE = new Refusal('ERR invalid size');
const SIZE_NOT_POSITIVE = new Refusal('ERR size must be positive');

const position = new Position();
const last = new Position();
const size = new Position();

const arinsert = keyCommand({
  name: 'arinsert',
  arity: -3,
  group: 'array',
  since: '8.8.0',
  summary: 'Writes values to an array behind what was inserted last.',
  cost: 'O(N) for N values.',
  flags: Flag.Write | Flag.DenyOom | Flag.Fast,
  syntax: 'key value [value ...]',
  keys: [keyAt(1, 'RW', 'update')],
  run(context) {
    const { partition, args, reply } = context;
    const { slab } = partition;
    const values = args.count - 2;

    let array = editArray(partition, args);
    readNext(slab, array, position);
    last.copyFrom(position);
    if (!last.advance(values - 1) || last.isBehindLast) throw OVERFLOWS;
    reserveFor(context, array, valuesReserve(args, 2, 1) + rowReserve(values));

    if (array === NONE) array = addArray(partition, args);
    for (let index = 2; index < args.count; index++) {
      const left = args.count - index;
      setValue(slab, array, position, args.u8, args.startOf(index), args.lengthOf(index), left);
      position.increment();
    }
    writeCursor(slab, array, last);
    context.changed(1, Notify.Array, 'arinsert');

    replyPosition(reply, last.high, last.low);
  },
});

const arring = keyCommand({
  name: 'arring',
  arity: -4,
  group: 'array',
  since: '8.8.0',
  summary: 'Writes values to an array as to a ring of a size, over the oldest ones.',
  cost: 'O(M) for M values; O(N+M) when the size changes, for a ring of N.',
  flags: Flag.Write | Flag.DenyOom,
  syntax: 'key size value [value ...]',
  keys: [keyAt(1, 'RW', 'update')],
  run(context) {
    const { partition, args, reply } = context;
    const { slab } = partition;
    readSize(args);

    let array = editArray(partition, args);
    const slots = rowReserve(args.count - 3) + orderReserve(slab, array, size);
    reserveFor(context, array, valuesReserve(args, 3, 1) + slots);

    if (array === NONE) array = addArray(partition, args);
    orderRing(slab, array, size);
    readNext(slab, array, position);
    for (let index = 3; index < args.count; index++) {
      remainder(position, size);
      last.copyFrom(position);
      const left = args.count - index;
      setValue(slab, array, position, args.u8, args.startOf(index), args.lengthOf(index), left);
      position.increment();
    }
    writeCursor(slab, array, last);
    context.changed(1, Notify.Array, 'arring');

    replyPosition(reply, last.high, last.low);
  },
});

/** The number of places of a ring. */
function readSize(args: Slices): void {
  readInt64(args, 2, INVALID_SIZE);
  size.set(int64.hi, int64.lo);
  if (size.high < 0 || size.isZero) throw SIZE_NOT_POSITIVE;
}

const arnext = keyCommand({
  name: 'arnext',
  arity: 2,
  group: 'array',
  since: '8.8.0',
  summary: 'Returns the position that the next insert into an array goes to.',
  cost: 'O(1)',
  flags: Flag.Read | Flag.Fast,
  syntax: 'key',
  keys: [keyAt(1, 'RO', 'access')],
  run({ partition, args, reply }) {
    const array = findArray(partition, args);

    readNext(partition.slab, array, position);
    if (position.isBehindLast) reply.nil();
    else replyPosition(reply, position.high, position.low);
  },
});

const arseek = keyCommand({
  name: 'arseek',
  arity: 3,
  group: 'array',
  since: '8.8.0',
  summary: 'Sets the position that the next insert into an array goes to.',
  cost: 'O(1)',
  flags: Flag.Write | Flag.Fast,
  syntax: 'key index',
  keys: [keyAt(1, 'RW', 'update')],
  run(context) {
    const { partition, args, reply } = context;
    // 2^64 - 1 is taken: the cursor of an array whose last position has been inserted.
    const isRead = parsePosition(args.u8, args.startOf(2), args.lengthOf(2), position);
    if (!isRead) throw INVALID_INDEX;

    const array = editArray(partition, args);
    if (array === NONE) {
      reply.integer(0);
      return;
    }

    // Before 0 is 2^64 - 1, which stands for no cursor.
    position.decrement();
    writeCursor(partition.slab, array, position);
    context.changed(1, Notify.Array, 'arseek');

    reply.integer(1);
  },
});

export const insertCommands: readonly CommandSpec[] = [arinsert, arring, arnext, arseek];
