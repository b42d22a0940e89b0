// What deliveries leave in the log: the pending entry as it is now, whoever brought it about.

import { int64, int64FromNumber } from '../../base/ascii.js';
import { word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { NONE, type Slab } from '../../slab/slab.js';
import {
  consumerNameLength,
  consumerNameStart,
  consumerOf,
  deliveredMs,
  deliveriesHigh,
  deliveriesLow,
  entriesReadHigh,
  entriesReadLow,
  type GroupRef,
  readDeliveredId,
  removePending,
} from '../../types/stream/groups.js';
import { StreamId } from '../../types/stream/id.js';
import { idText, textOf } from './value.js';

const XACK = word('XACK');
const XCLAIM = word('XCLAIM');
const XGROUP = word('XGROUP');
const SETID = word('SETID');
const CREATECONSUMER = word('CREATECONSUMER');
const ENTRIESREAD = word('ENTRIESREAD');
const TIME = word('TIME');
const RETRYCOUNT = word('RETRYCOUNT');
const FORCE = word('FORCE');
const JUSTID = word('JUSTID');
const LASTID = word('LASTID');
const NO_IDLE_TIME = word('0');

const ACK_WORDS = 4;
const CLAIM_WORDS = 14;
const SETID_WORDS = 7;
const CREATE_WORDS = 5;

const last = new StreamId();

/**
 * Records that the entry `id` is pending as its record says: applied again, it comes to the same.
 * Key and group are words of the command.
 */
export function recordClaim(
  context: Context,
  key: number,
  groupWord: number,
  slab: Slab,
  group: GroupRef,
  id: StreamId,
  pending: number,
): void {
  const { args, effects } = context;
  const consumer = consumerOf(slab, pending);
  effects.begin(CLAIM_WORDS);
  effects.word(XCLAIM);
  effects.arg(args, key);
  effects.arg(args, groupWord);
  effects.bytes(slab.u8, consumerNameStart(consumer), consumerNameLength(slab, consumer));
  effects.word(NO_IDLE_TIME);
  effects.bytes(idText, 0, textOf(id));
  effects.word(TIME);
  int64FromNumber(deliveredMs(slab, pending));
  effects.int64(int64.lo, int64.hi);
  effects.word(RETRYCOUNT);
  effects.int64(deliveriesLow(slab, pending), deliveriesHigh(slab, pending));
  effects.word(FORCE);
  effects.word(JUSTID);
  effects.word(LASTID);
  readDeliveredId(slab, group, last);
  effects.bytes(idText, 0, textOf(last));
}

/** Records that the entry `id` is not pending any more. */
export function recordAcknowledged(
  context: Context,
  key: number,
  groupWord: number,
  id: StreamId,
): void {
  const { args, effects } = context;
  effects.begin(ACK_WORDS);
  effects.word(XACK);
  effects.arg(args, key);
  effects.arg(args, groupWord);
  effects.bytes(idText, 0, textOf(id));
}

/**
 * The entry `id` is deleted: it is not pending any more, and the record says as much when it is
 * applied. A claim of what is nobody's would name no consumer.
 */
export function dropDeleted(
  context: Context,
  key: number,
  groupWord: number,
  slab: Slab,
  group: GroupRef,
  id: StreamId,
  pending: number,
): void {
  const { effects } = context;
  if (effects.isRecording) {
    if (consumerOf(slab, pending) === NONE) recordAcknowledged(context, key, groupWord, id);
    else recordClaim(context, key, groupWord, slab, group, id, pending);
  }
  removePending(slab, group, id);
  effects.dirty++;
}

/** Records how far the group has read. */
export function recordGroup(
  context: Context,
  key: number,
  groupWord: number,
  slab: Slab,
  group: GroupRef,
): void {
  const { args, effects } = context;
  effects.begin(SETID_WORDS);
  effects.word(XGROUP);
  effects.word(SETID);
  effects.arg(args, key);
  effects.arg(args, groupWord);
  readDeliveredId(slab, group, last);
  effects.bytes(idText, 0, textOf(last));
  effects.word(ENTRIESREAD);
  effects.int64(entriesReadLow(slab, group), entriesReadHigh(slab, group));
}

/** Records that a consumer, a word of the command, was created. */
export function recordConsumer(
  context: Context,
  key: number,
  groupWord: number,
  consumerWord: number,
): void {
  const { args, effects } = context;
  effects.begin(CREATE_WORDS);
  effects.word(XGROUP);
  effects.word(CREATECONSUMER);
  effects.arg(args, key);
  effects.arg(args, groupWord);
  effects.arg(args, consumerWord);
}
