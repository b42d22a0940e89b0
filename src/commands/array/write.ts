// Writing arrays by position, and taking values away.

import type { Slices } from '../../base/slices.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { Notify } from '../../dispatch/effects.js';
import { Type } from '../../keyspace/entry.js';
import { Refusal } from '../../resp/errors.js';
import { NONE } from '../../slab/slab.js';
import {
  deleteValue,
  rowReserve,
  scatteredReserve,
  setValue,
  valueReserve,
} from '../../types/array/array.js';
import {
  compareUnsigned,
  numberHighOf,
  numberLowOf,
  Position,
} from '../../types/array/position.js';
import { deleteRange } from '../../types/array/walk.js';
import { addArray, arrayOf, editArray, endRemoval, readPosition, reserveFor } from './value.js';

const OVERFLOWS = new Refusal('ERR array index overflow');

const position = new Position();
const other = new Position();

/** Bytes that the values at every `step`-th word from `index` on may take. */
export function valuesReserve(args: Slices, index: number, step: number): number {
  let bytes = 0;
  for (; index < args.count; index += step) bytes += valueReserve(args.lengthOf(index));
  return bytes;
}

const arset = keyCommand({
  name: 'arset',
  arity: -4,
  group: 'array',
  since: '8.8.0',
  summary: 'Writes values to an array, one behind the other from a position on.',
  cost: 'O(N) for N values.',
  flags: Flag.Write | Flag.DenyOom | Flag.Fast,
  syntax: 'key index value [value ...]',
  keys: [keyAt(1, 'RW', 'update')],
  run(context) {
    const { partition, args, reply } = context;
    const { slab } = partition;
    const values = args.count - 3;
    readPosition(args, 2, position);
    other.copyFrom(position);
    if (!other.advance(values - 1) || other.isBehindLast) throw OVERFLOWS;

    let array = editArray(partition, args);
    reserveFor(context, array, valuesReserve(args, 3, 1) + rowReserve(values));

    if (array === NONE) array = addArray(partition, args);
    let added = 0;
    for (let index = 3; index < args.count; index++) {
      const start = args.startOf(index);
      const left = args.count - index;
      if (setValue(slab, array, position, args.u8, start, args.lengthOf(index), left)) added++;
      position.increment();
    }
    context.changed(1, Notify.Array, 'arset');

    reply.integer(added);
  },
});

const armset = keyCommand({
  name: 'armset',
  arity: -4,
  group: 'array',
  since: '8.8.0',
  summary: 'Writes values to positions of an array.',
  cost: 'O(N) for N pairs.',
  flags: Flag.Write | Flag.DenyOom | Flag.Fast,
  syntax: 'key index value [index value ...]',
  keys: [keyAt(1, 'RW', 'update')],
  run(context) {
    const { partition, args, reply } = context;
    const { slab } = partition;
    if ((args.count & 1) !== 0) throw context.command.wrongArity;
    const runs = countRuns(args);

    let array = editArray(partition, args);
    const pairs = (args.count - 2) >> 1;
    const slots = scatteredReserve(slab, array, pairs, runs);
    reserveFor(context, array, valuesReserve(args, 3, 2) + slots);

    if (array === NONE) array = addArray(partition, args);
    let added = 0;
    for (let index = 2; index < args.count; index += 2) {
      readPosition(args, index, position);
      const start = args.startOf(index + 1);
      const length = args.lengthOf(index + 1);
      if (setValue(slab, array, position, args.u8, start, length, 1)) added++;
    }
    context.changed(1, Notify.Array, 'armset');

    reply.integer(added);
  },
});

/** How often the slice changes from one of the positions to the next; all of them are read. */
function countRuns(args: Slices): number {
  let runs = 1;
  for (let index = 2; index < args.count; index += 2) {
    readPosition(args, index, position);
    if (index > 2) {
      const isSame =
        numberHighOf(position.high) === numberHighOf(other.high) &&
        numberLowOf(position.high, position.low) === numberLowOf(other.high, other.low);
      if (!isSame) runs++;
    }
    other.copyFrom(position);
  }
  return runs;
}

const ardel = keyCommand({
  name: 'ardel',
  arity: -3,
  group: 'array',
  since: '8.8.0',
  summary: 'Removes the values at positions of an array.',
  cost: 'O(N) for N positions.',
  flags: Flag.Write | Flag.Fast,
  syntax: 'key index [index ...]',
  keys: [keyAt(1, 'RW', 'delete')],
  run(context) {
    const { partition, args, reply } = context;
    const { slab } = partition;
    for (let index = 2; index < args.count; index++) readPosition(args, index, position);

    const entry = partition.edit(args, 1, Type.Array);
    const array = arrayOf(slab, entry);
    let removed = 0;
    for (let index = 2; index < args.count && array !== NONE; index++) {
      readPosition(args, index, position);
      if (deleteValue(slab, array, position)) removed++;
    }
    if (removed > 0) endRemoval(context, entry, array, 'ardel');

    reply.integer(removed);
  },
});

const ardelrange = keyCommand({
  name: 'ardelrange',
  arity: -4,
  group: 'array',
  since: '8.8.0',
  summary: 'Removes the values in ranges of an array.',
  cost: 'O(N) for the values and slices in the ranges.',
  flags: Flag.Write,
  syntax: 'key start end [start end ...]',
  keys: [keyAt(1, 'RW', 'delete')],
  run(context) {
    const { partition, args, reply } = context;
    const { slab } = partition;
    if ((args.count & 1) !== 0) throw context.command.wrongArity;
    for (let index = 2; index < args.count; index++) readPosition(args, index, position);

    const entry = partition.edit(args, 1, Type.Array);
    const array = arrayOf(slab, entry);
    let removed = 0;
    for (let index = 2; index < args.count && array !== NONE; index += 2) {
      readPosition(args, index, position);
      readPosition(args, index + 1, other);
      const isUp = compareUnsigned(position.high, position.low, other.high, other.low) <= 0;
      removed += isUp
        ? deleteRange(slab, array, position, other)
        : deleteRange(slab, array, other, position);
    }
    if (removed > 0) endRemoval(context, entry, array, 'ardelrange');

    reply.integer(removed);
  },
});

export const writeCommands: readonly CommandSpec[] = [arset, armset, ardel, ardelrange];
