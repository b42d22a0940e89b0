// XNACK: a consumer gives back what it was given, for others to claim at once.

import { int64 } from '../../base/ascii.js';
import { isWord, readInt64, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { Refusal, SYNTAX } from '../../resp/errors.js';
import { Header, type Slab } from '../../slab/slab.js';
import { EntryCursor } from '../../types/stream/block.js';
import {
  addUnowned,
  deliveriesHigh,
  deliveriesLow,
  findPending,
  type GroupRef,
  pendingReserve,
  releasePending,
  setDeliveries,
} from '../../types/stream/groups.js';
import { StreamId } from '../../types/stream/id.js';
import { findEntry, type StreamRef } from '../../types/stream/stream.js';
import { findGroupOf } from './claim.js';
import { block, checkIds, IDS, readIds } from './remove.js';
import { editStream, readId } from './value.js';

const MODE = 3;
const IDS_AT = 4;

const SILENT = word('SILENT');
const FAIL = word('FAIL');
const FATAL = word('FATAL');
const RETRYCOUNT = word('RETRYCOUNT');
const FORCE = word('FORCE');
const NOT_RETRYCOUNT = new Refusal('ERR Invalid RETRYCOUNT option argument for XNACK');

const INT32_MAX = 2 ** 31 - 1;

const id = new StreamId();
const cursor = new EntryCursor();

/** What becomes of the number of deliveries. */
const order = {
  /** The delivery did not count. */
  isSilent: false,
  /** The number is the one below, whatever it was. */
  hasDeliveries: false,
  deliveriesLow: 0,
  deliveriesHigh: 0,
  /** Entries that are not pending become so. */
  isForced: false,
};

function readOrder({ args }: Context): void {
  order.isSilent = isWord(args, MODE, SILENT);
  order.hasDeliveries = isWord(args, MODE, FATAL);
  order.deliveriesLow = -1;
  order.deliveriesHigh = INT32_MAX;
  order.isForced = false;
  if (!order.isSilent && !order.hasDeliveries && !isWord(args, MODE, FAIL)) throw SYNTAX;
  if (!isWord(args, IDS_AT, IDS)) throw SYNTAX;
  readIds(args, IDS_AT + 1);
  checkIds(args, block.first, block.end);
  for (let index = block.end; index < args.count; index++) {
    if (isWord(args, index, FORCE)) {
      order.isForced = true;
    } else if (isWord(args, index, RETRYCOUNT) && index + 1 < args.count) {
      readInt64(args, ++index, NOT_RETRYCOUNT);
      if (int64.hi < 0) throw NOT_RETRYCOUNT;
      order.hasDeliveries = true;
      order.deliveriesLow = int64.lo;
      order.deliveriesHigh = int64.hi;
    } else throw SYNTAX;
  }
}

const xnack = keyCommand({
  name: 'xnack',
  arity: -7,
  group: 'stream',
  since: '8.8.0',
  summary: 'Gives pending entries back to their group, where others may claim them at once.',
  cost: 'O(log N) for each entry, with N pending.',
  flags: Flag.Write | Flag.Fast,
  syntax: 'key group <SILENT | FAIL | FATAL> IDS numids id [id ...] [RETRYCOUNT count] [FORCE]',
  keys: [keyAt(1, 'RW', 'update')],
  run(context) {
    const { args, effects, partition, reply } = context;
    const { slab } = partition;
    readOrder(context);

    const stream = editStream(partition, args, 1);
    const group = findGroupOf(context, stream);
    if (order.isForced) partition.reserve(pendingReserve(block.end - block.first));

    let released = 0;
    for (let index = block.first; index < block.end; index++) {
      readId(args, index, id);
      if (release(slab, stream, group)) released++;
    }
    effects.dirty += released;
    // Who waits to claim (XREADGROUP CLAIM) may have them at once.
    if (released !== 0) wakeClaimants(context);

    reply.integer(released);
  },
});

/** No event, and nothing that WATCH would hear of: the entries are what they were. */
function wakeClaimants({ args, blocking, partition }: Context): void {
  if (partition.slab.i32[Header.Listeners] === 0) return;
  blocking.keyChanged(partition, args.hashes[1]!, args.u8, args.startOf(1), args.lengthOf(1));
}

/** Releases the entry `id`; false when it is not pending and does not become so. */
function release(slab: Slab, stream: StreamRef, group: GroupRef): boolean {
  let pending = findPending(slab, group, id);
  if (pending !== 0) {
    releasePending(slab, group, pending, id);
    if (order.isSilent) takeDeliveryBack(slab, pending);
  } else {
    if (!order.isForced || !findEntry(slab, stream, cursor, id)) return false;
    pending = addUnowned(slab, group, id, 0);
    setDeliveries(slab, pending, 0, 0);
  }
  if (order.hasDeliveries) setDeliveries(slab, pending, order.deliveriesLow, order.deliveriesHigh);
  return true;
}

/** One delivery less, down to none. */
function takeDeliveryBack(slab: Slab, pending: number): void {
  const low = deliveriesLow(slab, pending);
  const high = deliveriesHigh(slab, pending);
  if ((low | high) !== 0) setDeliveries(slab, pending, (low - 1) | 0, low === 0 ? high - 1 : high);
}

export const nackCommands: readonly CommandSpec[] = [xnack];
