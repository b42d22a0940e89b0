// The expiry index of one database of one partition: which entries expire when, without sampling
// and without a pointer that can dangle. A hierarchical timing wheel (G. Varghese, T. Lauck,
// "Hashed and Hierarchical Timing Wheels", 1987) of 6 levels with 64 slots each; a tick is 64 ms.
// An entry stands in the level of the highest base-64 digit in which its tick differs from the
// wheel's, so that it is moved at most five times in its life. Each entry knows its place, so
// leaving is O(1).
//
//   wheel, one block                               chunk, 512 bytes, aligned to them
//   ┌───────────┬───────┬─────────────────────┐    ┌──────┬──────┬───────┬────────────────────┐
//   │ tick:     │ drain │ heads: 7 × 64 chunk │──▶ │ next │ slot │ count │ 125 entry refs     │
//   │ high, low │ level │ refs, 0 is empty    │    └──────┴──────┴───────┴────────────────────┘
//   └───────────┴───────┴─────────────────────┘    word 0   1      2       3 … 127
//
// Only the first chunk of a slot is partly filled: a leaving entry's hole is filled with the last
// entry of the first chunk. Level 6 holds what lies behind the wheel's 2^36 ticks (after the year
// 2109); such entries expire when they are met.
//
// Advancing to a tick drains one slot a level, from the highest level whose digit changed down to
// 0: what has expired is handed to the caller, the rest is placed again, lower. Draining remembers
// its level, so it may stop after any entry: the owner does it in time-boxed steps.

import { assert } from '../base/assert.js';
import { allocate, type BlockRef, release } from '../slab/alloc.js';
import { moveAt, moving } from '../slab/moving.js';
import { NONE, type Slab } from '../slab/slab.js';
import { type EntryRef, expiryOf, placeOf, setPlace } from './entry.js';

const enum Wheel {
  TickHigh = 0,
  TickLow = 1,
  DrainLevel = 2,
  Heads = 4,
}
const enum Chunk {
  Next = 0,
  Slot = 1,
  Count = 2,
  Entries = 3,
}

const TICK_MS = 64;
const DIGIT_BITS = 6;
const SLOTS = 64;
const LEVELS = 6;
const FAR_LEVEL = LEVELS;
const WHEEL_BYTES = (Wheel.Heads + (LEVELS + 1) * SLOTS) * 4;
const CHUNK_BYTES = 512;
const CHUNK_WORDS = CHUNK_BYTES / 4;
const CHUNK_MASK = CHUNK_WORDS - 1;
const ENTRIES_PER_CHUNK = CHUNK_WORDS - Chunk.Entries;
// A tick is held as two numbers of 18 bits (three digits) and the rest.
const LOW_BITS = 18;
const LOW_SIZE = 2 ** LOW_BITS;
const NOT_DRAINING = -1;
/** Entries that are walked over for one by chance: some sixty chunks. */
const WALKED_MAX = 8192;
/** Ticks above are "far": the high part must stay an int32. */
const TICK_MAX = 2 ** (LOW_BITS + 30);

/** The expiry part of a database root. */
export const enum ExpiryRoot {
  Wheel = 0,
  Count = 1,
  Words = 2,
}

/** Bytes that adding one entry may need, at the most. */
export const EXPIRY_RESERVE_BYTES = WHEEL_BYTES + CHUNK_BYTES;

function tickOf(ms: number): number {
  return Math.min(Math.floor(ms / TICK_MS), TICK_MAX);
}

function wheelTick(slab: Slab, wheelAt: number): number {
  return slab.i32[wheelAt + Wheel.TickHigh]! * LOW_SIZE + slab.i32[wheelAt + Wheel.TickLow]!;
}

function setWheelTick(slab: Slab, wheelAt: number, tick: number): void {
  slab.i32[wheelAt + Wheel.TickHigh] = Math.floor(tick / LOW_SIZE);
  slab.i32[wheelAt + Wheel.TickLow] = tick % LOW_SIZE;
}

/** Adds an entry that has an expiry and is not in the index. Memory was reserved. */
export function addExpiry(slab: Slab, rootAt: number, entry: EntryRef, nowMs: number): void {
  const { i32 } = slab;
  if (i32[rootAt + ExpiryRoot.Wheel] === NONE) createWheel(slab, rootAt, nowMs);
  const wheelAt = i32[rootAt + ExpiryRoot.Wheel]! << 1;
  const isPlaced = placeIn(slab, wheelAt, slotFor(slab, wheelAt, entry), entry);
  assert(isPlaced, 'memory for an expiry chunk was reserved');
  i32[rootAt + ExpiryRoot.Count] = i32[rootAt + ExpiryRoot.Count]! + 1;
}

/** Takes an entry out; its block is still whole. */
export function removeExpiry(slab: Slab, rootAt: number, entry: EntryRef): void {
  const { i32 } = slab;
  const at = placeOf(slab, entry);
  assert(i32[at] === entry, 'the expiry index holds the entry at its place');
  leave(slab, i32[rootAt + ExpiryRoot.Wheel]! << 1, at);
  i32[rootAt + ExpiryRoot.Count] = i32[rootAt + ExpiryRoot.Count]! - 1;
}

/** Tells the index that the entry, place and expiry copied along, now stands at another ref. */
export function movedExpiry(slab: Slab, entry: EntryRef): void {
  slab.i32[placeOf(slab, entry)] = entry;
}

/** Puts an entry whose expiry was overwritten where it now belongs. */
export function changedExpiry(slab: Slab, rootAt: number, entry: EntryRef): void {
  const wheelAt = slab.i32[rootAt + ExpiryRoot.Wheel]! << 1;
  const at = placeOf(slab, entry);
  const slot = slotFor(slab, wheelAt, entry);
  if (slab.i32[(at & ~CHUNK_MASK) + Chunk.Slot] === slot) return;
  leave(slab, wheelAt, at);
  const isPlaced = placeIn(slab, wheelAt, slot, entry);
  assert(isPlaced, 'memory for an expiry chunk was reserved');
}

function createWheel(slab: Slab, rootAt: number, nowMs: number): void {
  const wheel = allocate(slab, WHEEL_BYTES);
  assert(wheel !== NONE, 'memory for an expiry wheel was reserved');
  const wheelAt = wheel << 1;
  slab.i32.fill(0, wheelAt, wheelAt + WHEEL_BYTES / 4);
  slab.i32[wheelAt + Wheel.DrainLevel] = NOT_DRAINING;
  setWheelTick(slab, wheelAt, tickOf(nowMs));
  slab.i32[rootAt + ExpiryRoot.Wheel] = wheel;
}

/** Level × 64 + digit of the slot for an entry, seen from the wheel's tick. */
function slotFor(slab: Slab, wheelAt: number, entry: EntryRef): number {
  const { i32 } = slab;
  const nowHigh = i32[wheelAt + Wheel.TickHigh]!;
  const nowLow = i32[wheelAt + Wheel.TickLow]!;
  let tick = tickOf(expiryOf(slab, entry));
  // The slot of the current tick was drained already: what is due goes into the next.
  const now = nowHigh * LOW_SIZE + nowLow;
  if (tick <= now) tick = now + 1;
  const high = Math.floor(tick / LOW_SIZE);
  const low = tick % LOW_SIZE;
  const differsHigh = high ^ nowHigh;
  if (differsHigh !== 0) {
    if (tick >= TICK_MAX || differsHigh >>> LOW_BITS !== 0) return FAR_LEVEL * SLOTS;
    const level = ((31 - Math.clz32(differsHigh)) / DIGIT_BITS) | 0;
    return (level + 3) * SLOTS + ((high >>> (level * DIGIT_BITS)) & (SLOTS - 1));
  }
  const level = ((31 - Math.clz32(low ^ nowLow)) / DIGIT_BITS) | 0;
  return level * SLOTS + ((low >>> (level * DIGIT_BITS)) & (SLOTS - 1));
}

/** False when the slot needs a chunk and there is no memory for one; nothing is changed then. */
function placeIn(slab: Slab, wheelAt: number, slot: number, entry: EntryRef): boolean {
  const { i32 } = slab;
  const headAt = wheelAt + Wheel.Heads + slot;
  let chunk = i32[headAt]!;
  let count = chunk === NONE ? ENTRIES_PER_CHUNK : i32[(chunk << 1) + Chunk.Count]!;
  if (count === ENTRIES_PER_CHUNK) {
    const added = allocate(slab, CHUNK_BYTES);
    if (added === NONE) return false;
    i32[(added << 1) + Chunk.Next] = chunk;
    i32[(added << 1) + Chunk.Slot] = slot;
    i32[headAt] = added;
    chunk = added;
    count = 0;
  }
  const at = (chunk << 1) + Chunk.Entries + count;
  i32[at] = entry;
  i32[(chunk << 1) + Chunk.Count] = count + 1;
  setPlace(slab, entry, at);
  return true;
}

/** Fills the hole at word `at` with the newest entry of its slot. */
function leave(slab: Slab, wheelAt: number, at: number): void {
  const { i32 } = slab;
  const slot = i32[(at & ~CHUNK_MASK) + Chunk.Slot]!;
  const headAt = wheelAt + Wheel.Heads + slot;
  const head = i32[headAt]! << 1;
  const count = i32[head + Chunk.Count]! - 1;
  const last = head + Chunk.Entries + count;
  if (last !== at) {
    const filler = i32[last]! as EntryRef;
    i32[at] = filler;
    setPlace(slab, filler, at);
  }
  if (count !== 0) {
    i32[head + Chunk.Count] = count;
    return;
  }
  i32[headAt] = i32[head + Chunk.Next]!;
  release(slab, (head >> 1) as BlockRef);
}

/**
 * Moves the wheel towards `nowMs`, handing expired entries to `expire`, which must remove them from
 * the index (as removing the entry does). Stops after `budget` entries and ticks. Returns what is
 * left of the budget: 0 means that there may be more to do before `nowMs`.
 */
export function advance(
  slab: Slab,
  rootAt: number,
  nowMs: number,
  budget: number,
  expire: (entry: EntryRef) => void,
): number {
  const { i32 } = slab;
  const wheel = i32[rootAt + ExpiryRoot.Wheel]!;
  if (wheel === NONE) return budget;
  const wheelAt = wheel << 1;
  // A tick is over when its last millisecond is: then all that stands in its slot has expired.
  const target = tickOf(nowMs) - 1;
  for (;;) {
    let level = i32[wheelAt + Wheel.DrainLevel]!;
    if (level === NOT_DRAINING) {
      if (i32[rootAt + ExpiryRoot.Count] === 0) {
        if (target > wheelTick(slab, wheelAt)) setWheelTick(slab, wheelAt, target);
        return budget;
      }
      if (!stepTick(slab, wheelAt, target)) return budget;
      level = i32[wheelAt + Wheel.DrainLevel]!;
    }
    while (level >= 0) {
      const headAt = wheelAt + Wheel.Heads + slotOfTick(slab, wheelAt, level);
      while (i32[headAt] !== NONE) {
        if (budget-- <= 0) return 0;
        const head = i32[headAt]! << 1;
        const at = head + Chunk.Entries + i32[head + Chunk.Count]! - 1;
        const entry = i32[at]! as EntryRef;
        if (expiryOf(slab, entry) <= nowMs) {
          expire(entry);
        } else {
          // Nobody reserved memory for this: without any, the rest waits for a better time.
          if (!placeIn(slab, wheelAt, slotFor(slab, wheelAt, entry), entry)) return 0;
          leave(slab, wheelAt, at);
        }
      }
      level--;
      i32[wheelAt + Wheel.DrainLevel] = level;
    }
    if (--budget <= 0) return 0;
  }
}

function slotOfTick(slab: Slab, wheelAt: number, level: number): number {
  const { i32 } = slab;
  const part = level < 3 ? i32[wheelAt + Wheel.TickLow]! : i32[wheelAt + Wheel.TickHigh]!;
  return level * SLOTS + ((part >>> ((level % 3) * DIGIT_BITS)) & (SLOTS - 1));
}

/**
 * Advances to the next tick at which there is something to drain, at most to `target`; false if
 * there is nothing before it. Slots of a level begin behind all those of the levels below that are
 * ahead.
 */
function stepTick(slab: Slab, wheelAt: number, target: number): boolean {
  const { i32 } = slab;
  const now = wheelTick(slab, wheelAt);
  if (now >= target) return false;
  let size = 1;
  for (let level = 0; level < LEVELS; level++) {
    const digit = Math.floor(now / size) % SLOTS;
    for (let ahead = digit + 1; ahead < SLOTS; ahead++) {
      if (i32[wheelAt + Wheel.Heads + level * SLOTS + ahead] === NONE) continue;
      const next = (Math.floor(now / size) - digit + ahead) * size;
      if (next > target) {
        setWheelTick(slab, wheelAt, target);
        return false;
      }
      setWheelTick(slab, wheelAt, next);
      i32[wheelAt + Wheel.DrainLevel] = level;
      return true;
    }
    size *= SLOTS;
  }
  setWheelTick(slab, wheelAt, target);
  return false;
}

/**
 * The entry that is likely to expire first: of the slot that is due next, the soonest of its
 * newest chunk. What stands in the slots behind comes later, whatever it is.
 */
export function soonestEntry(slab: Slab, rootAt: number): EntryRef {
  const { i32 } = slab;
  const wheel = i32[rootAt + ExpiryRoot.Wheel]!;
  if (wheel === NONE || i32[rootAt + ExpiryRoot.Count] === 0) return NONE as EntryRef;
  const wheelAt = wheel << 1;
  for (let level = 0; level < LEVELS; level++) {
    const now = slotOfTick(slab, wheelAt, level);
    // A slot that is being drained holds what is due already.
    for (let slot = now; slot < (level + 1) * SLOTS; slot++) {
      const chunk = i32[wheelAt + Wheel.Heads + slot]!;
      if (chunk !== NONE) return soonestIn(slab, chunk);
    }
  }
  return soonestIn(slab, i32[wheelAt + Wheel.Heads + FAR_LEVEL * SLOTS]!);
}

function soonestIn(slab: Slab, chunk: number): EntryRef {
  const { i32 } = slab;
  const at = chunk << 1;
  const count = i32[at + Chunk.Count]!;
  let soonest = i32[at + Chunk.Entries]! as EntryRef;
  let soonestMs = expiryOf(slab, soonest);
  for (let index = 1; index < count; index++) {
    const entry = i32[at + Chunk.Entries + index]! as EntryRef;
    const ms = expiryOf(slab, entry);
    if (ms >= soonestMs) continue;
    soonest = entry;
    soonestMs = ms;
  }
  return soonest;
}

/**
 * An entry of the index drawn with `draw` (uniform below its argument), or NONE. All are equally
 * likely up to WALKED_MAX entries; of more, those are left out that stand behind so many others of
 * their slots, as seen from a slot by chance.
 */
export function randomVolatile(
  slab: Slab,
  rootAt: number,
  draw: (below: number) => number,
): EntryRef {
  const { i32 } = slab;
  const wheel = i32[rootAt + ExpiryRoot.Wheel]!;
  const count = i32[rootAt + ExpiryRoot.Count]!;
  if (wheel === NONE || count === 0) return NONE as EntryRef;
  const headsAt = (wheel << 1) + Wheel.Heads;
  let left = draw(Math.min(count, WALKED_MAX));
  for (let slot = draw((LEVELS + 1) * SLOTS); ; slot = (slot + 1) % ((LEVELS + 1) * SLOTS)) {
    for (
      let chunk = i32[headsAt + slot]!;
      chunk !== NONE;
      chunk = i32[(chunk << 1) + Chunk.Next]!
    ) {
      const here = i32[(chunk << 1) + Chunk.Count]!;
      if (left < here) return i32[(chunk << 1) + Chunk.Entries + left]! as EntryRef;
      left -= here;
    }
  }
}

/** Chunks of a slot that are counted one by one: some 4000 entries. */
const CHUNKS_COUNTED = 32;
/** Entries of a slot whose expiry is looked at: they are near each other. */
const ENTRIES_LOOKED_AT = 16;

/**
 * The mean expiry of the entries, in milliseconds since 1970; 0 when there are none. Exact for a
 * few keys; of many it knows how many stand in each slot of the wheel, and looks at some of them.
 */
export function meanExpiry(slab: Slab, rootAt: number): number {
  const { i32 } = slab;
  const wheel = i32[rootAt + ExpiryRoot.Wheel]!;
  const count = i32[rootAt + ExpiryRoot.Count]!;
  if (wheel === NONE || count === 0) return 0;
  const headsAt = (wheel << 1) + Wheel.Heads;
  let counted = 0;
  let sum = 0;
  // Of slots that are not counted to their end, the sum of their means.
  let longCount = 0;
  let longSum = 0;
  for (let slot = 0; slot < (LEVELS + 1) * SLOTS; slot++) {
    const head = i32[headsAt + slot]!;
    if (head === NONE) continue;
    const mean = meanOfChunk(slab, head << 1);
    let here = i32[(head << 1) + Chunk.Count]!;
    let next = i32[(head << 1) + Chunk.Next]!;
    // All chunks but the first are full.
    for (let chunks = 1; next !== NONE && chunks < CHUNKS_COUNTED; chunks++) {
      here += ENTRIES_PER_CHUNK;
      next = i32[(next << 1) + Chunk.Next]!;
    }
    counted += here;
    sum += mean * here;
    if (next === NONE) continue;
    longCount++;
    longSum += mean;
  }
  // What was not counted stands in the long slots: nobody knows in which.
  if (longCount !== 0) sum += (longSum / longCount) * (count - counted);
  else return sum / counted;
  return sum / count;
}

function meanOfChunk(slab: Slab, chunkAt: number): number {
  const count = Math.min(slab.i32[chunkAt + Chunk.Count]!, ENTRIES_LOOKED_AT);
  let sum = 0;
  for (let index = 0; index < count; index++) {
    sum += expiryOf(slab, slab.i32[chunkAt + Chunk.Entries + index]! as EntryRef);
  }
  return sum / count;
}

/** Bytes that the index of so many entries takes, at the least. */
export function expiryBytes(count: number): number {
  if (count === 0) return 0;
  return WHEEL_BYTES + Math.ceil(count / ENTRIES_PER_CHUNK) * CHUNK_BYTES;
}

/** Frees the index without looking at the entries. */
export function freeExpiry(slab: Slab, rootAt: number): void {
  freeExpiryStep(slab, rootAt, Number.POSITIVE_INFINITY);
}

/** As freeExpiry, at most `budget` chunks of it. True when all is gone. */
export function freeExpiryStep(slab: Slab, rootAt: number, budget: number): boolean {
  const { i32 } = slab;
  const wheel = i32[rootAt + ExpiryRoot.Wheel]!;
  if (wheel === NONE) return true;
  const wheelAt = wheel << 1;
  for (let slot = 0; slot < (LEVELS + 1) * SLOTS; slot++) {
    const headAt = wheelAt + Wheel.Heads + slot;
    while (i32[headAt] !== NONE) {
      if (budget-- <= 0) return false;
      const chunk = i32[headAt]!;
      i32[headAt] = i32[(chunk << 1) + Chunk.Next]!;
      release(slab, chunk as BlockRef);
    }
  }
  release(slab, wheel as BlockRef);
  i32[rootAt + ExpiryRoot.Wheel] = NONE;
  i32[rootAt + ExpiryRoot.Count] = 0;
  return true;
}

/** More chunks than a slot can have in a slab. */
const PLACES_PER_SLOT = 2 ** 22;

/**
 * Moves the blocks of the index together (slab/moving.ts), from `place` on and until the budget is
 * spent. Returns where to go on, 0 when all have been met.
 */
export function moveExpiry(slab: Slab, rootAt: number, place: number): number {
  const { i32 } = slab;
  if (i32[rootAt + ExpiryRoot.Wheel] === NONE) return 0;
  if (place === 0) moveAt(slab, rootAt + ExpiryRoot.Wheel);
  const headsAt = (i32[rootAt + ExpiryRoot.Wheel]! << 1) + Wheel.Heads;
  let skipped = place % PLACES_PER_SLOT;
  for (let slot = Math.floor(place / PLACES_PER_SLOT); slot < (LEVELS + 1) * SLOTS; slot++) {
    let linkAt = headsAt + slot;
    for (let index = 0; i32[linkAt] !== NONE; index++) {
      if (index >= skipped) {
        if (moving.units <= 0) return slot * PLACES_PER_SLOT + Math.max(1, index);
        moveChunk(slab, linkAt);
      }
      linkAt = (i32[linkAt]! << 1) + Chunk.Next;
    }
    skipped = 0;
  }
  return 0;
}

/** The chunk that word `linkAt` refers to; all of its entries know their places. */
function moveChunk(slab: Slab, linkAt: number): void {
  const { i32 } = slab;
  if (!moveAt(slab, linkAt)) return;
  const at = i32[linkAt]! << 1;
  const count = i32[at + Chunk.Count]!;
  for (let index = 0; index < count; index++) {
    const place = at + Chunk.Entries + index;
    setPlace(slab, i32[place]! as EntryRef, place);
  }
  moving.units -= count;
}

/** Walks the index and asserts its invariants; returns how many entries it holds. */
export function checkExpiry(slab: Slab, rootAt: number): number {
  const { i32 } = slab;
  const wheel = i32[rootAt + ExpiryRoot.Wheel]!;
  let count = 0;
  if (wheel !== NONE) {
    const wheelAt = wheel << 1;
    for (let slot = 0; slot < (LEVELS + 1) * SLOTS; slot++) {
      let chunk = i32[wheelAt + Wheel.Heads + slot]!;
      for (let isFirst = true; chunk !== NONE; isFirst = false) {
        const at = chunk << 1;
        assert((at & CHUNK_MASK) === 0, 'a chunk is aligned to its size');
        assert(i32[at + Chunk.Slot] === slot, 'a chunk names its slot');
        const here = i32[at + Chunk.Count]!;
        assert(here > 0 && here <= ENTRIES_PER_CHUNK, 'a chunk is not empty');
        assert(isFirst || here === ENTRIES_PER_CHUNK, 'only the first chunk is partly filled');
        for (let index = 0; index < here; index++) {
          const place = at + Chunk.Entries + index;
          assert(placeOf(slab, i32[place]! as EntryRef) === place, 'an entry knows its place');
          const isDraining = i32[wheelAt + Wheel.DrainLevel]! >= 0;
          const right = slotFor(slab, wheelAt, i32[place]! as EntryRef);
          assert(isDraining || right >> DIGIT_BITS <= slot >> DIGIT_BITS, 'no entry is too low');
        }
        count += here;
        chunk = i32[at + Chunk.Next]!;
      }
    }
  }
  assert(count === i32[rootAt + ExpiryRoot.Count], 'the expiry count is of what is there');
  return count;
}
