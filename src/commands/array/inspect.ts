// What an array is made of.

import { isWord, word } from '../../dispatch/args.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { NO_SUCH_KEY, SYNTAX } from '../../resp/errors.js';
import type { Reply } from '../../resp/write.js';
import { NONE, type Slab } from '../../slab/slab.js';
import { type ArrayRef, arrayCount, countSlices, readLength } from '../../types/array/array.js';
import { Position, SLICE_SLOTS } from '../../types/array/position.js';
import { readNext } from '../../types/array/ring.js';
import { measureSlices } from '../../types/array/walk.js';
import { findArray, replyPosition } from './value.js';

const FULL = word('FULL');
const FACTS = 7;
const FULL_FACTS = 12;

const position = new Position();

const arinfo = keyCommand({
  name: 'arinfo',
  arity: -2,
  group: 'array',
  since: '8.8.0',
  summary: 'Tells about an array and, with FULL, about its slices.',
  cost: 'O(1); O(N) for N slices with FULL.',
  flags: Flag.Read,
  syntax: 'key [FULL]',
  keys: [keyAt(1, 'RO', 'access')],
  run({ partition, args, reply }) {
    const isFull = isWord(args, 2, FULL);
    if (args.count > 3 || (args.count === 3 && !isFull)) throw SYNTAX;

    const array = findArray(partition, args);
    if (array === NONE) throw NO_SUCH_KEY;

    reply.map(isFull ? FULL_FACTS : FACTS);
    replyFacts(reply, partition.slab, array);
    if (isFull) replySlices(reply, partition.slab, array);
  },
});

function replyFacts(reply: Reply, slab: Slab, array: ArrayRef): void {
  const slices = countSlices(slab, array);
  replyFact(reply, 'count', arrayCount(slab, array));
  readLength(slab, array, position);
  reply.text('len');
  replyPosition(reply, position.high, position.low);
  readNext(slab, array, position);
  if (position.isBehindLast) position.set(0, 0);
  reply.text('next-insert-index');
  replyPosition(reply, position.high, position.low);
  replyFact(reply, 'slices', slices);
  // A tree grows by the record: it has as many as there are slices, and no second directory.
  replyFact(reply, 'directory-size', slices);
  replyFact(reply, 'super-dir-entries', 0);
  replyFact(reply, 'slice-size', SLICE_SLOTS);
}

function replyFact(reply: Reply, name: string, fact: number): void {
  reply.text(name);
  reply.integer(fact);
}

function replySlices(reply: Reply, slab: Slab, array: ArrayRef): void {
  const { dense, denseSlots, denseValues, sparse, sparseSlots } = measureSlices(slab, array);
  replyFact(reply, 'dense-slices', dense);
  replyFact(reply, 'sparse-slices', sparse);
  reply.text('avg-dense-size');
  reply.double(dense === 0 ? 0 : denseSlots / dense);
  reply.text('avg-dense-fill');
  reply.double(dense === 0 ? 0 : denseValues / denseSlots);
  reply.text('avg-sparse-size');
  reply.double(sparse === 0 ? 0 : sparseSlots / sparse);
}

export const inspectCommands: readonly CommandSpec[] = [arinfo];
