// What the string commands share: answering with a string, comparing one, and saying what was
// changed in the words that log and feed take.

import { equalsFolded, upperOf } from '../../base/ascii.js';
import { equalBytes } from '../../base/bytes.js';
import type { Slices } from '../../base/slices.js';
import { DIGEST_TEXT_BYTES, writeDigest } from '../../base/xxh3.js';
import { word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import type { Notify } from '../../dispatch/effects.js';
import {
  Encoding,
  type EntryRef,
  embeddedBytesOf,
  embeddedStartOf,
  encodingOf,
  payloadHigh,
  payloadLow,
} from '../../keyspace/entry.js';
import { readString, StringBytes } from '../../keyspace/strings.js';
import { Refusal } from '../../resp/errors.js';
import type { Reply } from '../../resp/write.js';
import type { Slab } from '../../slab/slab.js';
import { Option } from './options.js';

const value = new StringBytes();

/** Answers with the string at `entry`. */
export function replyString(reply: Reply, slab: Slab, entry: EntryRef): void {
  const encoding = encodingOf(slab, entry);
  if (encoding === Encoding.Embedded) {
    reply.bulk(slab.u8, embeddedStartOf(slab, entry), embeddedBytesOf(slab, entry));
  } else if (encoding === Encoding.Integer) {
    reply.bulkInt64(payloadLow(slab, entry), payloadHigh(slab, entry));
  } else {
    readString(slab, entry, value);
    reply.bulk(value.u8, value.start, value.length);
  }
}

// ── Conditions ───────────────────────────────────────────────────────────────────────────────

const NO_DIGEST = new Refusal('ERR must be exactly 16 hexadecimal characters');
const digest = new Uint8Array(new ArrayBuffer(DIGEST_TEXT_BYTES));

/** Does the string meet the condition `option` with its value in word `index`? */
export function meetsCondition(
  slab: Slab,
  entry: EntryRef,
  option: number,
  args: Slices,
  index: number,
): boolean {
  if ((option & (Option.IfEq | Option.IfNe)) !== 0) {
    readString(slab, entry, value);
    const isEqual =
      value.length === args.lengthOf(index) &&
      equalBytes(value.u8, value.start, args.u8, args.startOf(index), value.length);
    return isEqual === ((option & Option.IfEq) !== 0);
  }
  // As in Redis, only the length shows that a word is no digest: any other is an unequal one.
  if (args.lengthOf(index) !== DIGEST_TEXT_BYTES) throw NO_DIGEST;
  const text = digestOf(slab, entry);
  for (let at = 0; at < DIGEST_TEXT_BYTES; at++) text[at] = upperOf(text[at]!);
  const isEqual = equalsFolded(args.u8, args.startOf(index), DIGEST_TEXT_BYTES, text);
  return isEqual === ((option & Option.IfDeq) !== 0);
}

/** The digest of the string as text; borrowed until the next call. */
export function digestOf(slab: Slab, entry: EntryRef): Uint8Array {
  readString(slab, entry, value);
  writeDigest(digest, 0, value.u8, value.start, value.length);
  return digest;
}

// ── What follows a change ────────────────────────────────────────────────────────────────────

const DEL = word('DEL');
const KEEPTTL = word('KEEPTTL');
const PERSIST = word('PERSIST');
const PEXPIREAT = word('PEXPIREAT');
const PXAT = word('PXAT');
const SET = word('SET');

/** A second event of the same change: no further change of the dataset. */
export function notifyAlso(context: Context, index: number, notify: Notify, event: string): void {
  const { args, effects } = context;
  const start = args.startOf(index);
  effects.announce(context.at(index), args.u8, start, args.lengthOf(index), notify, event);
}

/** Records `SET key value`, from words of the command, or `SET key value KEEPTTL`. */
export function recordSet(
  context: Context,
  keyIndex: number,
  valueIndex: number,
  keepsExpiry: boolean,
): void {
  const { args, effects } = context;
  if (!effects.isRecording) return;
  effects.begin(keepsExpiry ? 4 : 3);
  effects.word(SET);
  effects.arg(args, keyIndex);
  effects.arg(args, valueIndex);
  if (keepsExpiry) effects.word(KEEPTTL);
}

/** Records `SET key value PXAT ms`. */
export function recordSetUntil(
  context: Context,
  keyIndex: number,
  valueIndex: number,
  low: number,
  high: number,
): void {
  const { args, effects } = context;
  if (!effects.isRecording) return;
  effects.begin(5);
  effects.word(SET);
  effects.arg(args, keyIndex);
  effects.arg(args, valueIndex);
  effects.word(PXAT);
  effects.int64(low, high);
}

/** Starts the record `SET key`; the caller writes the value and `wordsBehind` words more. */
export function beginSet(context: Context, keyIndex: number, wordsBehind: number): void {
  const { args, effects } = context;
  effects.begin(3 + wordsBehind);
  effects.word(SET);
  effects.arg(args, keyIndex);
}

/** The end of a record that beginSet has started, with one word behind the value. */
export function endSetKeeping(context: Context): void {
  context.effects.word(KEEPTTL);
}

/** As endSetKeeping, with two. */
export function endSetUntil(context: Context, low: number, high: number): void {
  context.effects.word(PXAT);
  context.effects.int64(low, high);
}

/** Records `DEL key`. */
export function recordDel(context: Context, index: number): void {
  const { args, effects } = context;
  if (!effects.isRecording) return;
  effects.begin(2);
  effects.word(DEL);
  effects.arg(args, index);
}

/** Records `PERSIST key`. */
export function recordPersist(context: Context, index: number): void {
  const { args, effects } = context;
  if (!effects.isRecording) return;
  effects.begin(2);
  effects.word(PERSIST);
  effects.arg(args, index);
}

/** Records `PEXPIREAT key ms`. */
export function recordUntil(context: Context, index: number, low: number, high: number): void {
  const { args, effects } = context;
  if (!effects.isRecording) return;
  effects.begin(3);
  effects.word(PEXPIREAT);
  effects.arg(args, index);
  effects.int64(low, high);
}
