// What the producers of a stream have added of late: whoever adds the same twice, because the first
// answer was lost, is told the ID of the first (XADD IDMP, XCFGSET). A stream that has never heard
// of producers has nothing of this.
//
//   root, 9 words; the stream's root refers to it
//   ┌──────────────┬──────────────┬───────────────┬───────────────┬────────┬───────────┐
//   │ seconds that │ how many a   │ added in the  │ found to be   │ next   │ producers │
//   │ an iid lives │ producer has │ stream's life │ there already │ sweep  │           │
//   └──────────────┴──────────────┴───────────────┴───────────────┴────────┴───────────┘
//                                  int64           int64                    names, 2 words
//
//   producer, 4 words and its name          iid, 7 words and its name
//   ┌────────┬────────┬─────────┬──────┐    ┌───────┬──────────┬───────────┬──────┐
//   │ oldest │ newest │ iids    │ name │    │ newer │ ID of    │ added at, │ name │
//   │ iid    │ iid    │ (names) │      │    │ iid   │ the entry│ ms        │      │
//   └────────┴────────┴─────────┴──────┘    └───────┴──────────┴───────────┴──────┘
//                      2 words                       4          int64
//
// The iids of a producer are found by name (names.ts), and linked in the order in which they came:
// the oldest goes when its time is over, or when there are too many. Times never descend along that
// order, so those that are over stand at its beginning. They are freed when their producer adds
// again; with every addition the sweep looks at one more producer, so that no dead one stays.

import { assert } from '../../base/assert.js';
import { allocate, type BlockRef, capacityOf, release } from '../../slab/alloc.js';
import { moveAt, moving } from '../../slab/moving.js';
import { NONE, type Ref, type Slab } from '../../slab/slab.js';
import type { MovePlace } from '../kind.js';
import { ID_WORDS, readIdAt, StreamId, writeIdAt } from './id.js';
import {
  checkNames,
  createNamed,
  enterName,
  findName,
  leaveName,
  moveNamed,
  moveNames,
  Names,
  nameCount,
  namedAt,
  nameLength,
  nameReserve,
  nameStart,
  namesBytes,
} from './names.js';
import { producersAt, type StreamRef } from './stream.js';

export type ProducersRef = Ref<'producers'>;
export type ProducerRef = Ref<'producer'>;
export type IidRef = Ref<'iid'>;

const enum Root {
  Seconds = 0,
  IidsMax = 1,
  AddedLow = 2,
  AddedHigh = 3,
  DuplicatesLow = 4,
  DuplicatesHigh = 5,
  Sweep = 6,
  List = 7,
  Words = List + Names.Words,
}

const enum Producer {
  Oldest = 0,
  Newest = 1,
  Iids = 2,
  Name = Iids + Names.Words,
}

const enum Iid {
  Next = 0,
  Id = 1,
  AddedLow = Id + ID_WORDS,
  AddedHigh = AddedLow + 1,
  Name = AddedHigh + 1,
}

export const SECONDS_MAX = 86_400;
export const IIDS_MAX = 10_000;

const TWO_32 = 2 ** 32;
const MS_PER_SECOND = 1000;

/** A name somewhere in memory: of a producer, or of what it adds. */
export interface Name {
  u8: Uint8Array;
  start: number;
  length: number;
}

// ── The root ─────────────────────────────────────────────────────────────────────────────────

/** What is known of a stream's producers; NONE when they never named themselves. */
export function producersOf(slab: Slab, stream: StreamRef): ProducersRef {
  return slab.i32[producersAt(stream)]! as ProducersRef;
}

/** Bytes that createProducers may allocate. */
export const PRODUCERS_RESERVE_BYTES = Root.Words * 4 + 8;

/** A stream has none yet. Memory was reserved. */
export function createProducers(
  slab: Slab,
  stream: StreamRef,
  seconds: number,
  iidsMax: number,
): ProducersRef {
  const block = allocate(slab, Root.Words * 4);
  assert(block !== NONE, 'memory for producers was reserved');
  const at = block << 1;
  slab.i32.fill(0, at, at + Root.Words);
  slab.i32[at + Root.Seconds] = seconds;
  slab.i32[at + Root.IidsMax] = iidsMax;
  slab.i32[producersAt(stream)] = block;
  return block as number as ProducersRef;
}

export function iidSeconds(slab: Slab, producers: ProducersRef): number {
  return slab.i32[(producers << 1) + Root.Seconds]!;
}

export function iidsMax(slab: Slab, producers: ProducersRef): number {
  return slab.i32[(producers << 1) + Root.IidsMax]!;
}

/** Other limits: what is known by the old ones is forgotten. */
export function setLimits(
  slab: Slab,
  producers: ProducersRef,
  seconds: number,
  most: number,
): void {
  const at = producers << 1;
  if (slab.i32[at + Root.Seconds] === seconds && slab.i32[at + Root.IidsMax] === most) return;
  freeListStep(slab, producers, Number.MAX_SAFE_INTEGER);
  slab.i32[at + Root.Seconds] = seconds;
  slab.i32[at + Root.IidsMax] = most;
}

/** Entries that were added by producers that named themselves: an int64. */
export function iidsAddedLow(slab: Slab, producers: ProducersRef): number {
  return slab.i32[(producers << 1) + Root.AddedLow]!;
}

export function iidsAddedHigh(slab: Slab, producers: ProducersRef): number {
  return slab.i32[(producers << 1) + Root.AddedHigh]!;
}

/** Entries that were not added, because they had been: an int64. */
export function duplicatesLow(slab: Slab, producers: ProducersRef): number {
  return slab.i32[(producers << 1) + Root.DuplicatesLow]!;
}

export function duplicatesHigh(slab: Slab, producers: ProducersRef): number {
  return slab.i32[(producers << 1) + Root.DuplicatesHigh]!;
}

export function setIidsAdded(slab: Slab, producers: ProducersRef, low: number, high: number): void {
  slab.i32[(producers << 1) + Root.AddedLow] = low;
  slab.i32[(producers << 1) + Root.AddedHigh] = high;
}

export function setDuplicates(
  slab: Slab,
  producers: ProducersRef,
  low: number,
  high: number,
): void {
  slab.i32[(producers << 1) + Root.DuplicatesLow] = low;
  slab.i32[(producers << 1) + Root.DuplicatesHigh] = high;
}

export function countDuplicate(slab: Slab, producers: ProducersRef): void {
  countOne(slab, (producers << 1) + Root.DuplicatesLow, (producers << 1) + Root.DuplicatesHigh);
}

function countOne(slab: Slab, lowAt: number, highAt: number): void {
  const low = (slab.i32[lowAt]! + 1) | 0;
  slab.i32[lowAt] = low;
  if (low === 0) slab.i32[highAt] = slab.i32[highAt]! + 1;
}

// ── Producers ────────────────────────────────────────────────────────────────────────────────

function listAt(producers: ProducersRef): number {
  return (producers << 1) + Root.List;
}

export function producerCount(slab: Slab, producers: ProducersRef): number {
  return nameCount(slab, listAt(producers));
}

/** The producer at place `index`, in the order of names. */
export function producerAt(slab: Slab, producers: ProducersRef, index: number): ProducerRef {
  return namedAt(slab, listAt(producers), index) as ProducerRef;
}

export function producerNameStart(producer: ProducerRef): number {
  return nameStart(producer, Producer.Name);
}

export function producerNameLength(slab: Slab, producer: ProducerRef): number {
  return nameLength(slab, producer, Producer.Name);
}

function findProducer(slab: Slab, producers: ProducersRef, pid: Name): ProducerRef {
  const at = listAt(producers);
  const place = findName(slab, at, Producer.Name, pid.u8, pid.start, pid.length);
  return (place < 0 ? NONE : namedAt(slab, at, place)) as ProducerRef;
}

/** The producer of this name, made if there is none. Memory was reserved. */
export function producerNamed(slab: Slab, producers: ProducersRef, pid: Name): ProducerRef {
  const at = listAt(producers);
  const place = findName(slab, at, Producer.Name, pid.u8, pid.start, pid.length);
  if (place >= 0) return namedAt(slab, at, place) as ProducerRef;
  const producer = createNamed(slab, Producer.Name, pid.u8, pid.start, pid.length);
  slab.i32.fill(0, producer << 1, (producer << 1) + Producer.Name);
  enterName(slab, at, -1 - place, producer);
  return producer as ProducerRef;
}

function iidsAt(producer: ProducerRef): number {
  return (producer << 1) + Producer.Iids;
}

export function iidCount(slab: Slab, producer: ProducerRef): number {
  return nameCount(slab, iidsAt(producer));
}

export function oldestIid(slab: Slab, producer: ProducerRef): IidRef {
  return slab.i32[(producer << 1) + Producer.Oldest]! as IidRef;
}

export function newestIid(slab: Slab, producer: ProducerRef): IidRef {
  return slab.i32[(producer << 1) + Producer.Newest]! as IidRef;
}

// ── Iids ─────────────────────────────────────────────────────────────────────────────────────

export function nextIid(slab: Slab, iid: IidRef): IidRef {
  return slab.i32[(iid << 1) + Iid.Next]! as IidRef;
}

export function iidNameStart(iid: IidRef): number {
  return nameStart(iid, Iid.Name);
}

export function iidNameLength(slab: Slab, iid: IidRef): number {
  return nameLength(slab, iid, Iid.Name);
}

/** The ID of the entry that was added with it. */
export function readIidEntry(slab: Slab, iid: IidRef, out: StreamId): void {
  readIdAt(slab.i32, (iid << 1) + Iid.Id, out);
}

export function iidAddedMs(slab: Slab, iid: IidRef): number {
  const at = iid << 1;
  return slab.i32[at + Iid.AddedHigh]! * TWO_32 + (slab.i32[at + Iid.AddedLow]! >>> 0);
}

function isOver(slab: Slab, producers: ProducersRef, iid: IidRef, nowMs: number): boolean {
  return iidAddedMs(slab, iid) + iidSeconds(slab, producers) * MS_PER_SECOND <= nowMs;
}

/** Bytes that rememberIid may allocate, with a producer; `producers` may be NONE. */
export function iidReserve(slab: Slab, producers: ProducersRef, pid: Name, iid: Name): number {
  if (producers === NONE)
    return PRODUCERS_RESERVE_BYTES + 2 * NEW_LIST_BYTES + pid.length + iid.length;
  const producer = findProducer(slab, producers, pid);
  if (producer !== NONE) return nameReserve(slab, iidsAt(producer), Iid.Name, iid.length);
  const named = nameReserve(slab, listAt(producers), Producer.Name, pid.length);
  return named + NEW_LIST_BYTES + iid.length;
}

/** A first name of a list, without its bytes, and the list. */
const NEW_LIST_BYTES = 64;

/** Has the producer an iid of this name, whether or not its time is over? */
export function hasIid(slab: Slab, producer: ProducerRef, iid: Name): boolean {
  return findName(slab, iidsAt(producer), Iid.Name, iid.u8, iid.start, iid.length) >= 0;
}

/** What the producer added with this iid, if it is remembered: NONE when it is not. */
export function findIid(
  slab: Slab,
  producers: ProducersRef,
  pid: Name,
  iid: Name,
  nowMs: number,
): IidRef {
  const producer = findProducer(slab, producers, pid);
  if (producer === NONE) return NONE as IidRef;
  const at = iidsAt(producer);
  const place = findName(slab, at, Iid.Name, iid.u8, iid.start, iid.length);
  if (place < 0) return NONE as IidRef;
  const found = namedAt(slab, at, place) as IidRef;
  return isOver(slab, producers, found, nowMs) ? (NONE as IidRef) : found;
}

/**
 * The producer has added the entry `id` with an iid that findIid does not find, at `addedMs`. What
 * is too old or too many is forgotten. Memory was reserved.
 */
export function rememberIid(
  slab: Slab,
  producers: ProducersRef,
  pid: Name,
  iid: Name,
  id: StreamId,
  addedMs: number,
  nowMs: number,
): void {
  const at = producers << 1;
  countOne(slab, at + Root.AddedLow, at + Root.AddedHigh);
  const producer = producerNamed(slab, producers, pid);
  forgetOver(slab, producers, producer, nowMs);
  if (iidCount(slab, producer) >= iidsMax(slab, producers)) forgetOldest(slab, producer);
  appendIid(slab, producer, iid, id, addedMs);
  sweepOne(slab, producers, nowMs);
}

/** Adds an iid that its producer does not have as its newest. Memory was reserved. */
export function appendIid(
  slab: Slab,
  producer: ProducerRef,
  iid: Name,
  id: StreamId,
  addedMs: number,
): void {
  const at = iidsAt(producer);
  const place = findName(slab, at, Iid.Name, iid.u8, iid.start, iid.length);
  assert(place < 0, 'an iid is remembered once');
  const added = createNamed(slab, Iid.Name, iid.u8, iid.start, iid.length) as IidRef;
  const newest = newestIid(slab, producer);
  const ms = newest === NONE ? addedMs : Math.max(addedMs, iidAddedMs(slab, newest));
  const { i32 } = slab;
  const words = added << 1;
  i32[words + Iid.Next] = NONE;
  writeIdAt(i32, words + Iid.Id, id);
  i32[words + Iid.AddedLow] = ms | 0;
  i32[words + Iid.AddedHigh] = Math.floor(ms / TWO_32);
  if (newest === NONE) i32[(producer << 1) + Producer.Oldest] = added;
  else i32[(newest << 1) + Iid.Next] = added;
  i32[(producer << 1) + Producer.Newest] = added;
  enterName(slab, at, -1 - place, added);
}

// ── Forgetting ───────────────────────────────────────────────────────────────────────────────

function forgetOldest(slab: Slab, producer: ProducerRef): void {
  const oldest = oldestIid(slab, producer);
  const at = iidsAt(producer);
  const length = iidNameLength(slab, oldest);
  leaveName(slab, at, findName(slab, at, Iid.Name, slab.u8, iidNameStart(oldest), length));
  const next = nextIid(slab, oldest);
  slab.i32[(producer << 1) + Producer.Oldest] = next;
  if (next === NONE) slab.i32[(producer << 1) + Producer.Newest] = NONE;
  release(slab, oldest as number as BlockRef);
}

/**
 * Forgets an iid, should it be there, and what its producer added before it: what must have been
 * over when the producer added the iid once more.
 */
export function forgetThrough(slab: Slab, producers: ProducersRef, pid: Name, iid: Name): void {
  const producer = findProducer(slab, producers, pid);
  if (producer === NONE) return;
  while (hasIid(slab, producer, iid)) forgetOldest(slab, producer);
}

/** Forgets the iids of a producer whose time is over. */
function forgetOver(
  slab: Slab,
  producers: ProducersRef,
  producer: ProducerRef,
  nowMs: number,
): void {
  for (;;) {
    const oldest = oldestIid(slab, producer);
    if (oldest === NONE || !isOver(slab, producers, oldest, nowMs)) return;
    forgetOldest(slab, producer);
  }
}

/** Looks at the next producer; one that has nothing any more is forgotten. */
function sweepOne(slab: Slab, producers: ProducersRef, nowMs: number): void {
  const at = (producers << 1) + Root.Sweep;
  const count = producerCount(slab, producers);
  const index = slab.i32[at]! < count ? slab.i32[at]! : 0;
  const producer = producerAt(slab, producers, index);
  forgetOver(slab, producers, producer, nowMs);
  slab.i32[at] = index + 1;
  if (iidCount(slab, producer) !== 0) return;
  leaveName(slab, listAt(producers), index);
  release(slab, producer as number as BlockRef);
  slab.i32[at] = index;
}

/** What trackedIn has counted. */
export const tracked = { pids: 0, iids: 0 };

/** Counts producers and iids whose time is not over, in `tracked`. */
export function trackedIn(slab: Slab, producers: ProducersRef, nowMs: number): void {
  tracked.pids = 0;
  tracked.iids = 0;
  for (let index = 0; index < producerCount(slab, producers); index++) {
    const producer = producerAt(slab, producers, index);
    let live = iidCount(slab, producer);
    let iid = oldestIid(slab, producer);
    for (; iid !== NONE && isOver(slab, producers, iid, nowMs); iid = nextIid(slab, iid)) live--;
    tracked.iids += live;
    if (live !== 0) tracked.pids++;
  }
}

// ── As a whole ───────────────────────────────────────────────────────────────────────────────

/** Frees about `budget` iids; true when no producer is left. */
function freeListStep(slab: Slab, producers: ProducersRef, budget: number): boolean {
  for (let count = producerCount(slab, producers); count > 0; count--) {
    const producer = producerAt(slab, producers, count - 1);
    for (; iidCount(slab, producer) !== 0; budget--) {
      if (budget <= 0) return false;
      // By place, not by age: nothing is found by the order of ages any more.
      const place = iidCount(slab, producer) - 1;
      const iid = namedAt(slab, iidsAt(producer), place);
      leaveName(slab, iidsAt(producer), place);
      release(slab, iid as BlockRef);
    }
    release(slab, producer as number as BlockRef);
    leaveName(slab, listAt(producers), count - 1);
  }
  return true;
}

/** Frees about `budget` iids of a stream that is going; true when nothing is left. */
export function freeProducersStep(slab: Slab, stream: StreamRef, budget: number): boolean {
  const producers = producersOf(slab, stream);
  if (producers === NONE) return true;
  if (!freeListStep(slab, producers, budget)) return false;
  release(slab, producers as number as BlockRef);
  slab.i32[producersAt(stream)] = NONE;
  return true;
}

/** Bytes of what is known of a stream's producers. */
export function producersBytes(slab: Slab, stream: StreamRef): number {
  const producers = producersOf(slab, stream);
  if (producers === NONE) return 0;
  let bytes = capacityOf(slab, producers as number as BlockRef);
  bytes += namesBytes(slab, listAt(producers));
  for (let index = 0; index < producerCount(slab, producers); index++) {
    const producer = producerAt(slab, producers, index);
    bytes += capacityOf(slab, producer as number as BlockRef) + namesBytes(slab, iidsAt(producer));
    for (let iid = oldestIid(slab, producer); iid !== NONE; iid = nextIid(slab, iid)) {
      bytes += capacityOf(slab, iid as number as BlockRef);
    }
  }
  return bytes;
}

/** Copies what is known of a stream's producers to a stream without any. Memory was reserved. */
export function copyProducers(slab: Slab, stream: StreamRef, target: Slab, copy: StreamRef): void {
  const producers = producersOf(slab, stream);
  if (producers === NONE) return;
  const seconds = iidSeconds(slab, producers);
  const copied = createProducers(target, copy, seconds, iidsMax(slab, producers));
  setIidsAdded(target, copied, iidsAddedLow(slab, producers), iidsAddedHigh(slab, producers));
  setDuplicates(target, copied, duplicatesLow(slab, producers), duplicatesHigh(slab, producers));
  const pid: Name = { u8: slab.u8, start: 0, length: 0 };
  const name: Name = { u8: slab.u8, start: 0, length: 0 };
  for (let index = 0; index < producerCount(slab, producers); index++) {
    const producer = producerAt(slab, producers, index);
    pid.start = producerNameStart(producer);
    pid.length = producerNameLength(slab, producer);
    const twin = producerNamed(target, copied, pid);
    for (let iid = oldestIid(slab, producer); iid !== NONE; iid = nextIid(slab, iid)) {
      name.start = iidNameStart(iid);
      name.length = iidNameLength(slab, iid);
      readIidEntry(slab, iid, copiedId);
      appendIid(target, twin, name, copiedId, iidAddedMs(slab, iid));
    }
  }
}

const copiedId = new StreamId();

/**
 * Moves what is known of producers together (slab/moving.ts), from `place` on and until the budget
 * is spent. True when all of it is done.
 */
export function moveProducers(slab: Slab, stream: StreamRef, place: MovePlace): boolean {
  if (producersOf(slab, stream) === NONE) return true;
  if (place.place === 0 && place.inner === 0) {
    moveAt(slab, producersAt(stream));
    moveNames(slab, listAt(producersOf(slab, stream)));
  }
  const at = listAt(producersOf(slab, stream));
  for (; place.place < nameCount(slab, at); place.place++) {
    if (place.inner === 0) {
      const producer = moveNamed(slab, at, place.place);
      moveNames(slab, iidsAt(producer as ProducerRef));
    }
    if (!moveIids(slab, namedAt(slab, at, place.place) as ProducerRef, place)) return false;
    place.inner = 0;
  }
  return true;
}

/** The iids of one producer, from the one that `place` tells on: each knows the next one. */
function moveIids(slab: Slab, producer: ProducerRef, place: MovePlace): boolean {
  const { i32, u8 } = slab;
  const at = iidsAt(producer);
  let linkAt = (producer << 1) + Producer.Oldest;
  for (let index = 0; i32[linkAt] !== NONE; index++) {
    const iid = i32[linkAt]!;
    if (index >= place.inner) {
      if (moving.units <= 0) {
        place.inner = index;
        return false;
      }
      const start = nameStart(iid, Iid.Name);
      const named = findName(slab, at, Iid.Name, u8, start, nameLength(slab, iid, Iid.Name));
      const moved = moveNamed(slab, at, named);
      i32[linkAt] = moved;
      if (i32[(producer << 1) + Producer.Newest] === iid) {
        i32[(producer << 1) + Producer.Newest] = moved;
      }
    }
    linkAt = (i32[linkAt]! << 1) + Iid.Next;
  }
  return true;
}

/** Asserts what must hold of a stream's producers. */
export function checkProducers(slab: Slab, stream: StreamRef): void {
  const producers = producersOf(slab, stream);
  if (producers === NONE) return;
  checkNames(slab, listAt(producers), Producer.Name);
  const most = iidsMax(slab, producers);
  const seconds = iidSeconds(slab, producers);
  assert(seconds > 0 && seconds <= SECONDS_MAX, 'iids live for a time that may be asked for');
  assert(most > 0 && most <= IIDS_MAX, 'producers have as many iids as may be asked for');
  for (let index = 0; index < producerCount(slab, producers); index++) {
    const producer = producerAt(slab, producers, index);
    checkNames(slab, iidsAt(producer), Iid.Name);
    const count = iidCount(slab, producer);
    assert(count > 0 && count <= most, 'a producer has iids, and no more than it may');
    assert(producerNameLength(slab, producer) > 0, 'a producer has a name');
    let linked = 0;
    let beforeMs = -1;
    let last = NONE as IidRef;
    for (let iid = oldestIid(slab, producer); iid !== NONE; iid = nextIid(slab, iid)) {
      assert(++linked <= count, 'every iid is linked once');
      assert(iidNameLength(slab, iid) > 0, 'an iid has a name');
      assert(iidAddedMs(slab, iid) >= beforeMs, 'iids are linked in the order of their times');
      const start = iidNameStart(iid);
      const length = iidNameLength(slab, iid);
      const place = findName(slab, iidsAt(producer), Iid.Name, slab.u8, start, length);
      assert(place >= 0 && namedAt(slab, iidsAt(producer), place) === iid, 'an iid is found');
      beforeMs = iidAddedMs(slab, iid);
      last = iid;
    }
    assert(linked === count, 'every iid that is found is linked');
    assert(newestIid(slab, producer) === last, 'the newest iid is known');
  }
}
