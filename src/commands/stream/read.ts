// XREAD: what is new in several streams. What it shares with XREADGROUP is in reading.ts.

import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, crossCommand, Flag } from '../../dispatch/define.js';
import { Type } from '../../keyspace/entry.js';
import { Refusal } from '../../resp/errors.js';
import { NONE, type Slab } from '../../slab/slab.js';
import { EntryCursor } from '../../types/stream/block.js';
import { compareIds, MAX_ID, StreamId } from '../../types/stream/id.js';
import {
  countEntries,
  readLastGivenId,
  type StreamRef,
  seekEntry,
  seekEntryBack,
} from '../../types/stream/stream.js';
import { xreadgroup } from './read-group.js';
import { budget, limitOfKey, reading, readOptions, Share, shares, takeRoom } from './reading.js';
import { findStream, idText, isByte, readId, replyEntries, textOf } from './value.js';

const DOLLAR = 0x24;
const PLUS = 0x2b;
const GREATER = 0x3e;

const GREATER_MEANINGLESS = new Refusal(
  'ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> ' +
    '<consumer> option.',
);

const id = new StreamId();
const last = new StreamId();
const cursor = new EntryCursor();

// ── Finding ──────────────────────────────────────────────────────────────────────────────────

/** Finds the streams, for reading, and where each is to be read from; checks all IDs. */
function findPlaces(context: Context): void {
  const { args } = context;
  shares.starts.clear();
  for (let place = 0; place < reading.keyCount; place++) {
    const key = reading.firstKey + place;
    const idWord = key + reading.keyCount;
    const isHere = context.isHere(key);
    const stream = isHere ? findStream(context.at(key), args, key) : (NONE as StreamRef);
    shares.streams[place] = stream;
    if (isByte(args, idWord, GREATER)) throw GREATER_MEANINGLESS;
    if (isByte(args, idWord, DOLLAR)) {
      if (stream === NONE) id.set(0, 0, 0, 0);
      else readLastGivenId(context.at(key).slab, stream, id);
    } else if (isByte(args, idWord, PLUS)) id.set(0, 0, 0, 0);
    else readId(args, idWord, id);
    shares.starts.add(id);
  }
  if (context.keyspace.announcesMisses) announceMisses(context);
}

/** Redis looks at all keys once for their IDs and again to read: who listens hears of both. */
function announceMisses(context: Context): void {
  for (let place = 0; place < reading.keyCount; place++) {
    const key = reading.firstKey + place;
    if (shares.streams[place] !== NONE || !context.isHere(key)) continue;
    context.at(key).announceMiss(context.args, key);
  }
}

/** What the keys give a reader; returns how many give anything. */
function share(context: Context): number {
  const { args } = context;
  let served = 0;
  for (let place = 0; place < reading.keyCount; place++) {
    shares.kinds[place] = Share.None;
    const stream = shares.streams[place]! as StreamRef;
    if (stream === NONE) continue;
    const key = reading.firstKey + place;
    const { slab } = context.at(key);
    let count = 0;
    if (isByte(args, key + reading.keyCount, PLUS)) {
      count = seekEntryBack(slab, stream, cursor, MAX_ID) && hasRoom() ? 1 : 0;
    } else {
      count = countBehind(slab, stream, place);
    }
    if (count === 0) continue;
    budget.entries -= budget.hasBytes ? 0 : count;
    shares.kinds[place] = Share.Entries;
    shares.counts[place] = count;
    served++;
  }
  return served;
}

/** Does the entry that the cursor stands on fit? Where only entries count, `share` takes it. */
function hasRoom(): boolean {
  return budget.hasBytes ? takeRoom(cursor) : budget.entries > 0;
}

/** Entries behind the start of a key, up to the limit. */
function countBehind(slab: Slab, stream: StreamRef, place: number): number {
  shares.starts.read(place, id);
  // Behind the last ID there is nothing: most who ask are told so.
  readLastGivenId(slab, stream, last);
  if (compareIds(id, last) >= 0 || !id.increment()) return 0;
  const limit = limitOfKey();
  if (limit <= 0 || !seekEntry(slab, stream, cursor, id)) return 0;
  if (!budget.hasBytes) return countEntries(slab, cursor, MAX_ID, limit);
  let count = 0;
  while (takeRoom(cursor)) {
    count++;
    if (count >= limit || !cursor.next()) break;
  }
  return count;
}

function replyShares(context: Context, served: number): void {
  const { args, reply } = context;
  if (reply.protocol === 3) reply.map(served);
  else reply.array(served);
  for (let place = 0; place < reading.keyCount; place++) {
    if (shares.kinds[place] === Share.None) continue;
    const key = reading.firstKey + place;
    if (reply.protocol === 2) reply.array(2);
    reply.bulk(args.u8, args.startOf(key), args.lengthOf(key));
    replyNew(context, place);
  }
}

function replyNew(context: Context, place: number): void {
  const { args, reply } = context;
  const key = reading.firstKey + place;
  const stream = shares.streams[place]! as StreamRef;
  const { slab } = context.at(key);
  if (isByte(args, key + reading.keyCount, PLUS)) {
    seekEntryBack(slab, stream, cursor, MAX_ID);
  } else {
    shares.starts.read(place, id);
    id.increment();
    seekEntry(slab, stream, cursor, id);
  }
  const count = shares.counts[place]!;
  reply.array(count);
  replyEntries(reply, cursor, count);
}

/** Nothing was found: waits, if that was asked for. */
function waitOrAnswer(context: Context): void {
  const { deadlineMs, firstKey, keyCount } = reading;
  if (deadlineMs < 0) {
    context.reply.nilArray();
    return;
  }
  const replaced = idsToWaitWith(context);
  const order = { type: Type.Stream, firstKey, keyCount, deadlineMs };
  context.block(replaced === null ? order : { ...order, replaced });
}

/** `$` is what it stood for when the reader came, however late it is woken. */
function idsToWaitWith({ args }: Context): Map<number, Uint8Array> | null {
  let replaced: Map<number, Uint8Array> | null = null;
  for (let place = 0; place < reading.keyCount; place++) {
    const idWord = reading.firstKey + reading.keyCount + place;
    if (!isByte(args, idWord, DOLLAR)) continue;
    shares.starts.read(place, id);
    replaced ??= new Map();
    replaced.set(idWord, idText.slice(0, textOf(id)));
  }
  return replaced;
}

const xread = crossCommand({
  name: 'xread',
  arity: -4,
  group: 'stream',
  since: '5.0.0',
  summary: 'Returns what streams have behind given IDs, waiting until there is anything.',
  cost: 'O(N) for N entries, after O(log M) in each stream of M.',
  flags: Flag.Read | Flag.Blocking | Flag.MovableKeys,
  syntax:
    '[COUNT count] [MAXCOUNT maxcount] [MAXSIZE maxsize] [BLOCK milliseconds] ' +
    'STREAMS key [key ...] id [id ...]',
  keys: [
    {
      flags: ['RO', 'access', 'incomplete'],
      begin: { keyword: 'STREAMS', startFrom: 1 },
      find: { lastKey: -1, step: 1, limit: 2 },
    },
  ],
  history: [
    ['7.4.0', 'Takes + for the last entry.'],
    ['8.10.0', 'Takes MAXCOUNT and MAXSIZE.'],
  ],
  run(context) {
    readOptions(context, false);

    findPlaces(context);
    const served = share(context);

    if (served !== 0) replyShares(context, served);
    else waitOrAnswer(context);
  },
});

export const readCommands: readonly CommandSpec[] = [xread, xreadgroup];
