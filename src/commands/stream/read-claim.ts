// XREADGROUP CLAIM: entries that have been pending for long are taken over before anything new is
// read, the longest idle first. What is found is chosen without a change, so that memory can be
// reserved; then it is claimed, and then told, with how long it was idle and how often it had been
// delivered before.
//
// Entries that were given back (XNACK) were delivered at the beginning of time and so come first.
// Of those delivered at the same moment the one with the smaller ID comes first. Entries that were
// deleted meanwhile are no longer pending, as XCLAIM has it.

import type { Context } from '../../dispatch/context.js';
import { NONE, type Slab } from '../../slab/slab.js';
import { EntryCursor } from '../../types/stream/block.js';
import {
  type ConsumerRef,
  countDelivery,
  deliveredMs,
  deliveriesHigh,
  deliveriesLow,
  findPending,
  type GroupRef,
  movePending,
  NEVER_MS,
  oldestMs,
  PENDING_WORDS,
  pendingAt,
  setActive,
  setDelivered,
  setOldest,
} from '../../types/stream/groups.js';
import { readIdAt, StreamId, ZERO_ID } from '../../types/stream/id.js';
import { IdTreeCursor } from '../../types/stream/id-tree.js';
import { findEntry, type StreamRef } from '../../types/stream/stream.js';
import { limitOfKey, reading, shares, takeRoom } from './reading.js';
import { dropDeleted, recordClaim } from './records.js';
import { IdList, replyEntryBody } from './value.js';

/** Who waits to claim looks no more often than that where nothing is pending. */
const LOOK_MS_LEAST = 50;

const id = new StreamId();
const cursor = new EntryCursor();
const walk = new IdTreeCursor();

/** What was chosen of each key, by its place: some of `ids`, in the order of the claims. */
export const claims = {
  ids: new IdList(),
  firsts: new Int32Array(16),
  counts: new Int32Array(16),
  /** When the oldest was delivered of all that was not chosen. */
  restMs: new Float64Array(16),
};

/** What was claimed, and how it had been pending. */
const told = {
  ids: new IdList(),
  idleMs: [] as number[],
  deliveriesLow: [] as number[],
  deliveriesHigh: [] as number[],
  firsts: new Int32Array(16),
  counts: new Int32Array(16),
};

// ── Choosing ─────────────────────────────────────────────────────────────────────────────────

/** Chooses what each key with new entries gives up; changes nothing. */
export function findClaims(context: Context): void {
  const { keyCount, firstKey } = reading;
  if (keyCount > claims.counts.length) makeRoom(keyCount * 2);
  claims.ids.clear();
  told.ids.clear();
  for (let place = 0; place < keyCount; place++) {
    claims.counts[place] = 0;
    told.counts[place] = 0;
    const group = shares.groups[place]! as GroupRef;
    shares.starts.read(place, id);
    if (group !== NONE && id.isMax)
      choose(context.at(firstKey + place).slab, place, group, context);
  }
}

function makeRoom(count: number): void {
  claims.firsts = new Int32Array(count);
  claims.counts = new Int32Array(count);
  claims.restMs = new Float64Array(count);
  told.firsts = new Int32Array(count);
  told.counts = new Int32Array(count);
}

function choose(slab: Slab, place: number, group: GroupRef, { nowMs }: Context): void {
  const latestMs = nowMs - reading.leastIdleMs;
  if (oldestMs(slab, group) > latestMs) return;
  oldest.begin(limitOfKey());
  let firstMs = NEVER_MS;
  let isThere = walk.seek(slab, pendingAt(group), PENDING_WORDS, ZERO_ID);
  for (; isThere; isThere = walk.next()) {
    const ms = deliveredMs(slab, walk.at);
    if (ms < firstMs) firstMs = ms;
    if (ms > latestMs) oldest.leave(ms);
    else oldest.offer(ms, slab, walk.at);
  }
  setOldest(slab, group, firstMs);
  claims.firsts[place] = claims.ids.count;
  claims.counts[place] = oldest.count;
  claims.restMs[place] = oldest.restMs;
  oldest.giveTo(claims.ids);
}

/**
 * The so many oldest of what is offered, which comes in the order of IDs: a heap whose root is the
 * youngest, as soon as there are more.
 */
class Oldest {
  count = 0;
  /** The time of the oldest that is not among them. */
  restMs = NEVER_MS;
  private limit = 0;
  private offered = 0;
  private times = new Float64Array(64);
  /** The turns in which they were offered, and where their IDs stand. */
  private turns = new Float64Array(64);
  private slots = new Int32Array(64);
  private readonly ids = new IdList();

  begin(limit: number): void {
    this.limit = limit;
    this.count = 0;
    this.offered = 0;
    this.restMs = NEVER_MS;
    this.ids.clear();
  }

  /** Something that may not be chosen. */
  leave(ms: number): void {
    if (ms < this.restMs) this.restMs = ms;
  }

  offer(ms: number, slab: Slab, at: number): void {
    const turn = this.offered++;
    if (this.count < this.limit) {
      readIdAt(slab.i32, at, id);
      this.ids.add(id);
      this.append(ms, turn);
      return;
    }
    // Of the same time the earlier one stays.
    if (this.count === 0 || ms >= this.times[0]!) {
      this.leave(ms);
      return;
    }
    this.leave(this.times[0]!);
    readIdAt(slab.i32, at, id);
    this.ids.replace(this.slots[0]!, id);
    this.times[0] = ms;
    this.turns[0] = turn;
    this.sink(0, this.count);
  }

  private append(ms: number, turn: number): void {
    const at = this.count++;
    if (at === this.times.length) this.grow();
    this.times[at] = ms;
    this.turns[at] = turn;
    this.slots[at] = at;
    let child = at;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!this.isYounger(child, parent)) break;
      this.swap(child, parent);
      child = parent;
    }
  }

  private grow(): void {
    const { times, turns, slots } = this;
    this.times = new Float64Array(times.length * 2);
    this.turns = new Float64Array(times.length * 2);
    this.slots = new Int32Array(times.length * 2);
    this.times.set(times);
    this.turns.set(turns);
    this.slots.set(slots);
  }

  private isYounger(left: number, right: number): boolean {
    const difference = this.times[left]! - this.times[right]!;
    return difference !== 0 ? difference > 0 : this.turns[left]! > this.turns[right]!;
  }

  private swap(left: number, right: number): void {
    const { times, turns, slots } = this;
    const ms = times[left]!;
    const turn = turns[left]!;
    const slot = slots[left]!;
    times[left] = times[right]!;
    turns[left] = turns[right]!;
    slots[left] = slots[right]!;
    times[right] = ms;
    turns[right] = turn;
    slots[right] = slot;
  }

  private sink(parent: number, end: number): void {
    for (;;) {
      let child = 2 * parent + 1;
      if (child >= end) return;
      if (child + 1 < end && this.isYounger(child + 1, child)) child++;
      if (!this.isYounger(child, parent)) return;
      this.swap(parent, child);
      parent = child;
    }
  }

  /** Adds what was chosen to `list`, the oldest first. */
  giveTo(list: IdList): void {
    for (let end = this.count - 1; end > 0; end--) {
      this.swap(0, end);
      this.sink(0, end);
    }
    for (let at = 0; at < this.count; at++) {
      this.ids.read(this.slots[at]!, id);
      list.add(id);
    }
  }
}

const oldest = new Oldest();

// ── Claiming ─────────────────────────────────────────────────────────────────────────────────

/** Claims what was chosen of a key, as far as there is room; returns how many entries it was. */
export function deliverClaims(context: Context, place: number, consumer: ConsumerRef): number {
  const { nowMs } = context;
  const { slab } = context.at(reading.firstKey + place);
  const group = shares.groups[place]! as GroupRef;
  const first = told.ids.count;
  let isWhole = claims.counts[place]! > 0;
  for (let index = 0; index < claims.counts[place]!; index++) {
    claims.ids.read(claims.firsts[place]! + index, id);
    const pending = findPending(slab, group, id);
    // The same key may have come before: then it is nothing to be claimed any more.
    if (pending === 0) continue;
    if (nowMs - deliveredMs(slab, pending) < reading.leastIdleMs) continue;
    if (claimOne(context, place, consumer, pending)) continue;
    isWhole = false;
    break;
  }
  if (isWhole) setOldest(slab, group, Math.min(claims.restMs[place]!, nowMs));
  told.firsts[place] = first;
  told.counts[place] = told.ids.count - first;
  return told.counts[place]!;
}

/** Claims the entry `id`, or forgets it when it is deleted; false when there is no room for it. */
function claimOne(
  context: Context,
  place: number,
  consumer: ConsumerRef,
  pending: number,
): boolean {
  const { effects, nowMs } = context;
  const { groupWord } = reading;
  const key = reading.firstKey + place;
  const { slab } = context.at(key);
  const group = shares.groups[place]! as GroupRef;
  if (!findEntry(slab, shares.streams[place]! as StreamRef, cursor, id)) {
    dropDeleted(context, key, groupWord, slab, group, id, pending);
    return true;
  }
  if (!takeRoom(cursor)) return false;
  const at = told.ids.count;
  told.idleMs[at] = nowMs - deliveredMs(slab, pending);
  told.deliveriesLow[at] = deliveriesLow(slab, pending);
  told.deliveriesHigh[at] = deliveriesHigh(slab, pending);
  told.ids.add(id);
  movePending(slab, group, pending, consumer, id);
  setDelivered(slab, group, pending, nowMs);
  countDelivery(slab, pending);
  setActive(slab, consumer, nowMs);
  if (effects.isRecording) recordClaim(context, key, groupWord, slab, group, id, pending);
  effects.dirty++;
  return true;
}

/** How many entries of a key were claimed. */
export function claimedCount(place: number): number {
  return told.counts[place]!;
}

/** The entries of a key that were claimed, without the head of their array. */
export function replyClaims(context: Context, place: number): void {
  const { reply } = context;
  const { slab } = context.at(reading.firstKey + place);
  const first = told.firsts[place]!;
  for (let index = first; index < first + told.counts[place]!; index++) {
    told.ids.read(index, id);
    findEntry(slab, shares.streams[place]! as StreamRef, cursor, id);
    reply.array(4);
    replyEntryBody(reply, cursor);
    reply.integer(told.idleMs[index]!);
    reply.int64(told.deliveriesLow[index]!, told.deliveriesHigh[index]!);
  }
}

// ── Waiting ──────────────────────────────────────────────────────────────────────────────────

/**
 * Nothing could be claimed: the moment when something may have become idle enough. What others are
 * given from now on is so later still.
 */
export function dueMs(context: Context): number {
  const { nowMs } = context;
  const { leastIdleMs } = reading;
  let due = nowMs + Math.max(leastIdleMs, LOOK_MS_LEAST);
  for (let place = 0; place < reading.keyCount; place++) {
    const group = shares.groups[place]! as GroupRef;
    if (group === NONE) continue;
    const { slab } = context.at(reading.firstKey + place);
    due = Math.min(due, Math.max(oldestMs(slab, group) + leastIdleMs, nowMs + 1));
  }
  return due;
}
