// The partition lock: one word, taken by compare-and-swap, that threads hold for about a
// microsecond (a visit). It has a cache line of its own, which the caller lays out.
//
//    word 0                  1       2         3              4            5            6
//   ┌───────────────────────┬───────┬─────────┬──────────────┬────────────┬────────────┬─────────┐
//   │ waiters│reserver│holder│ takes │ command │ labelledTake │ contentions│ waitedSecs │ waitedUs│
//   └───────────────────────┴───────┴─────────┴──────────────┴────────────┴────────────┴─────────┘
//    bit 24  bits 12…23 0…11                                          words 7 to 15 stay unused
//
// Who writes what, and what orders it
// - Word 0 is written by compare-and-swap only. Holder and reserver are thread indexes plus one.
//   Atomics are sequentially consistent: the swap that takes a lock sees everything that was
//   written before the swap that released it, so the partition itself needs no atomic access.
// - Words 1 to 6 are written by the holder alone, with plain stores. Others read them as hints: the
//   watchdog and INFO may see them stale or half-way.
// - Word 0 is 0 exactly when the lock is free and nobody reserved it: whoever frees it clears the
//   waiters bit, and whoever finds it free takes it. So the fast path is one compare with 0.
//
// Why nobody sleeps for ever
// - A thread sleeps only on a word in which it has seen or set the waiters bit; a release that sees
//   the bit clears it and wakes one sleeper. A thread that has slept sets the bit again, when it
//   takes the lock or finds it taken, on behalf of those who sleep on. Hence: while anybody sleeps,
//   the bit is set or somebody awake is about to set it. (test/sim/lock.ts checks this without
//   timeouts.)
// - The reserved field names a waiter of more than a millisecond; nobody else takes the lock then.
//   A release that sees it wakes all, because the one sleeper it would wake could be another.
// - Whoever waits for a job's thread reserves at once: a job takes the same lock again a moment
//   after it has given it back, which is sooner than the waiter is awake, over and over.
// - Sleeps are short anyhow, so that a waiter looks at the part board now and then.

import { availableParallelism } from 'node:os';
import { assert } from '../base/assert.js';
import { CLOCK_DOUBLES, SystemClock } from '../base/clock.js';

const enum Lock {
  Word = 0,
  Takes = Word + 1,
  Command = Takes + 1,
  LabelledTake = Command + 1,
  Contentions = LabelledTake + 1,
  WaitedSeconds = Contentions + 1,
  WaitedUs = WaitedSeconds + 1,
  Words = 16,
}

const enum Word {
  HolderMask = 0xfff,
  ReserverShift = 12,
  ReserverMask = 0xfff << 12,
  Waiters = 1 << 24,
}

/** What the caller sets aside per lock: one cache line, which begins at a multiple of 64 bytes. */
export const LOCK_WORDS: number = Lock.Words;

/** Thread indexes are below this: holder and reserver have twelve bits, and 0 is nobody. */
export const LOCK_THREADS_MAX: number = Word.HolderMask;

// A visit takes about a microsecond and a sleep with its wake-up twenty to fifty, so a waiter first
// looks this often (a few microseconds in all). Longer does not pay: on a busy machine the holder
// is preempted, and spinning keeps it from running. With one processor spinning cannot help at all.
const SPINS = availableParallelism() > 1 ? 400 : 0;

const RESERVE_AFTER_MS = 1;
const SLEEP_MS = 1; // how late a sleeping waiter may notice a part on the board
const US_PER_SECOND = 1_000_000;

/** `self` of the functions below: what thread `index` is called in a lock word. */
export type Holder = number & { readonly __brand: 'lock holder' };

export function holderOf(threadIndex: number): Holder {
  assert(threadIndex >= 0 && threadIndex < LOCK_THREADS_MAX, 'a thread index fits a lock word');
  return (threadIndex + 1) as Holder;
}

/** A lock that somebody held for too long, as a waiter saw it. */
export interface LongHold {
  readonly words: Int32Array;
  readonly at: number;
  /** Index of the thread that holds it; -1 if it is only reserved. */
  readonly holderThread: number;
  /** What labelHold said of this very hold; 0 if nothing. */
  readonly command: number;
  readonly waitedMs: number;
}

export interface LockWaiting {
  /** Runs one part of another thread's command if there is one: all that a waiter may do. */
  readonly serveParts: () => boolean;
  /** Told once per wait that has lasted `longHoldMs` under one holder. It must take no lock. */
  readonly reportLongHold: (hold: LongHold) => void;
  /** 0: never report. */
  readonly longHoldMs: number;
  /**
   * Asked now and then by who only claims a lock: whatever is not null is thrown, and the wait is
   * over (a script keeps the lock for too long).
   */
  readonly reasonToGiveUp?: () => unknown;
  /** Index of the thread of jobs, which no client waits for: who finds it with a lock is next. */
  readonly jobThread?: number;
}

// State of this thread: each thread has its own copy of the module.
let waiting: LockWaiting = {
  serveParts: () => false,
  reportLongHold: () => {},
  longHoldMs: 0,
};
/** What the thread of jobs is called in a lock word; nobody, where there is none. */
let job = -1;
let heldCount = 0;
// Only differences are read from it, so it needs no offset in shared memory.
const clock = new SystemClock(new Float64Array(CLOCK_DOUBLES));

/** Says what this thread does while it waits for a lock. */
export function configureLocks(how: LockWaiting): void {
  waiting = how;
  job = how.jobThread === undefined ? -1 : holderOf(how.jobThread);
}

/** How many locks this thread holds: nothing is posted unless it is 0. */
export function locksHeld(): number {
  return heldCount;
}

// ---- one lock ---------------------------------------------------------------------------------

/** Takes the lock, however long that takes. It must not be held by this thread already. */
export function takeLock(words: Int32Array, at: number, self: Holder): void {
  // Acquire: what the last holder wrote is visible once the swap succeeds.
  if (Atomics.compareExchange(words, at, 0, self) !== 0) takeSlowly(words, at, self);
  words[at + Lock.Takes] = words[at + Lock.Takes]! + 1;
  heldCount++;
}

/** As takeLock, but gives up where LockWaiting has a reason: throws it, and has not the lock. */
export function claimLock(words: Int32Array, at: number, self: Holder): void {
  // Acquire, as above.
  if (Atomics.compareExchange(words, at, 0, self) !== 0) takeSlowly(words, at, self, true);
  words[at + Lock.Takes] = words[at + Lock.Takes]! + 1;
  heldCount++;
}

/** Takes the lock if it is free and unreserved. */
export function tryLock(words: Int32Array, at: number, self: Holder): boolean {
  // Acquire, as above. A reserved lock is not 0, so this never overtakes a waiter.
  if (Atomics.compareExchange(words, at, 0, self) !== 0) return false;
  words[at + Lock.Takes] = words[at + Lock.Takes]! + 1;
  heldCount++;
  return true;
}

/** Does `self`, this thread, hold the lock? A plain read: only this thread writes it so. */
export function isHeldBy(words: Int32Array, at: number, self: Holder): boolean {
  return (words[at]! & Word.HolderMask) === self;
}

/** Gives the lock back. Only its holder may. */
export function releaseLock(words: Int32Array, at: number): void {
  heldCount--;
  // A plain read will do: the holder field is this thread's own, and the swap checks the rest.
  const word = words[at]!;
  // Release: everything written under the lock comes before the swap.
  if (word > 0 && word <= Word.HolderMask && Atomics.compareExchange(words, at, word, 0) === word)
    return;
  releaseSlowly(words, at);
}

function releaseSlowly(words: Int32Array, at: number): void {
  for (;;) {
    // Waiters change the word at any time, so it is read afresh until the swap succeeds.
    const word = Atomics.load(words, at);
    assert((word & Word.HolderMask) !== 0, 'a lock that is released is held');
    const reserved = word & Word.ReserverMask;
    // Release, as above. The waiters bit goes: those who wake set it again if others sleep on.
    if (Atomics.compareExchange(words, at, word, reserved) !== word) continue;
    if ((word & Word.Waiters) !== 0) {
      Atomics.notify(words, at, reserved !== 0 ? Number.POSITIVE_INFINITY : 1);
    }
    return;
  }
}

/** May `self` take the lock whose word this is? */
function isTakeable(word: number, self: Holder): boolean {
  if ((word & Word.HolderMask) !== 0) return false;
  const reserved = word & Word.ReserverMask;
  return reserved === 0 || reserved === self << Word.ReserverShift;
}

function takeSlowly(words: Int32Array, at: number, self: Holder, mayGiveUp = false): void {
  for (let spins = 0; spins < SPINS; spins++) {
    // Only loads while the lock is taken: a failing swap would pull the cache line from its holder.
    const word = Atomics.load(words, at);
    if (!isTakeable(word, self)) continue;
    // Acquire. The waiters bit stays as it was: others may sleep.
    if (Atomics.compareExchange(words, at, word, (word & Word.Waiters) | self) === word) {
      countContention(words, at, 0);
      return;
    }
  }
  const word = words[at]!;
  assert((word & Word.HolderMask) !== self, 'a thread that holds a lock does not take it again');
  waitForLock(words, at, self, mayGiveUp);
}

function waitForLock(words: Int32Array, at: number, self: Holder, mayGiveUp: boolean): void {
  const startMs = clock.monotonicMs();
  // Set once this thread may have used up a wake-up that others hoped for.
  let hasSlept = false;
  let isReported = false;
  let waitedMs = 0;
  let firstTake = words[at + Lock.Takes]!;
  let sameTakeSinceMs = 0;
  for (;;) {
    const word = Atomics.load(words, at);
    const sleepers = hasSlept ? Word.Waiters : word & Word.Waiters;
    if (isTakeable(word, self)) {
      // Acquire. This also clears a reservation, which is this thread's own if there is one.
      if (Atomics.compareExchange(words, at, word, sleepers | self) === word) break;
      continue;
    }
    waitedMs = clock.monotonicMs() - startMs;
    const announced = word | sleepers | reservation(word, self, waitedMs);
    // On taken words, or free ones that another reserved: never on one this thread could take.
    if (announced !== word && Atomics.compareExchange(words, at, word, announced) !== word)
      continue;
    if (waiting.serveParts()) continue;

    const asleep = announced | Word.Waiters;
    if (asleep !== announced) {
      // Announced before sleeping, so that the release wakes somebody.
      if (Atomics.compareExchange(words, at, announced, asleep) !== announced) continue;
    }
    hasSlept = true;
    // Returns at once if the word has changed since: a release in between is never slept through.
    Atomics.wait(words, at, asleep, SLEEP_MS);
    const reason = mayGiveUp ? (waiting.reasonToGiveUp?.() ?? null) : null;
    if (reason !== null) {
      giveUp(words, at, self);
      throw reason;
    }

    const take = words[at + Lock.Takes]!;
    if (take !== firstTake) {
      firstTake = take;
      sameTakeSinceMs = waitedMs;
    } else if (!isReported && waiting.longHoldMs > 0) {
      isReported = reportIfLong(words, at, waitedMs - sameTakeSinceMs);
    }
  }
  countContention(words, at, Math.round((clock.monotonicMs() - startMs) * 1000));
}

/** This thread waits no longer: it takes its reservation back, and passes on what woke it. */
function giveUp(words: Int32Array, at: number, self: Holder): void {
  for (;;) {
    // Waiters change the word at any time, so it is read afresh until the swap succeeds.
    const word = Atomics.load(words, at);
    const isReserver = (word & Word.ReserverMask) === self << Word.ReserverShift;
    const left = isReserver ? word & ~Word.ReserverMask : word;
    if (Atomics.compareExchange(words, at, word, left) !== word) continue;
    // A release may have woken this thread alone: whoever sleeps on looks for itself.
    Atomics.notify(words, at, Number.POSITIVE_INFINITY);
    return;
  }
}

/**
 * The reserver bits to add to `word`: this thread's if it has waited long, or for a job, and nobody
 * was first.
 */
function reservation(word: number, self: Holder, waitedMs: number): number {
  if ((word & Word.ReserverMask) !== 0) return 0;
  if (waitedMs < RESERVE_AFTER_MS && (word & Word.HolderMask) !== job) return 0;
  return self << Word.ReserverShift;
}

function reportIfLong(words: Int32Array, at: number, heldMs: number): boolean {
  if (heldMs < waiting.longHoldMs) return false;
  const { holderThread, command } = inspectLock(words, at);
  waiting.reportLongHold({ words, at, holderThread, command, waitedMs: heldMs });
  return true;
}

/** Called by the new holder, so plain stores will do. */
function countContention(words: Int32Array, at: number, waitedUs: number): void {
  words[at + Lock.Contentions] = words[at + Lock.Contentions]! + 1;
  const us = words[at + Lock.WaitedUs]! + (waitedUs % US_PER_SECOND);
  const carry = us >= US_PER_SECOND ? 1 : 0;
  words[at + Lock.WaitedUs] = us - carry * US_PER_SECOND;
  words[at + Lock.WaitedSeconds] =
    words[at + Lock.WaitedSeconds]! + Math.floor(waitedUs / US_PER_SECOND) + carry;
}

// ---- several locks ----------------------------------------------------------------------------

/** Where the locks of all partitions are: partition p's is word ats[p] of words[p]. */
export interface LockPlaces {
  readonly words: readonly Int32Array[];
  readonly ats: Int32Array;
}

/**
 * Takes the locks of partitions[0, count), which must ascend: all threads use the one order, so no
 * two can wait for each other.
 */
export function takeLocks(
  places: LockPlaces,
  partitions: Int32Array,
  count: number,
  self: Holder,
): void {
  assertAscending(partitions, count);
  for (let index = 0; index < count; index++) {
    const partition = partitions[index]!;
    takeLock(places.words[partition]!, places.ats[partition]!, self);
  }
}

/** As takeLocks, by claimLock: what it throws leaves none of them taken. */
export function claimLocks(
  places: LockPlaces,
  partitions: Int32Array,
  count: number,
  self: Holder,
): void {
  assertAscending(partitions, count);
  let index = 0;
  try {
    for (; index < count; index++) {
      const partition = partitions[index]!;
      claimLock(places.words[partition]!, places.ats[partition]!, self);
    }
  } catch (thrown) {
    releaseLocks(places, partitions, index);
    throw thrown;
  }
}

/** Takes all of them or none, without waiting. */
export function tryLocks(
  places: LockPlaces,
  partitions: Int32Array,
  count: number,
  self: Holder,
): boolean {
  assertAscending(partitions, count);
  for (let index = 0; index < count; index++) {
    const partition = partitions[index]!;
    if (tryLock(places.words[partition]!, places.ats[partition]!, self)) continue;
    releaseLocks(places, partitions, index);
    return false;
  }
  return true;
}

/** Releases the locks of partitions[0, count), the last taken first. */
export function releaseLocks(places: LockPlaces, partitions: Int32Array, count: number): void {
  for (let index = count - 1; index >= 0; index--) {
    const partition = partitions[index]!;
    releaseLock(places.words[partition]!, places.ats[partition]!);
  }
}

function assertAscending(partitions: Int32Array, count: number): void {
  assert(count >= 0 && count <= partitions.length, 'the list holds as many partitions as it says');
  for (let index = 1; index < count; index++) {
    assert(partitions[index - 1]! < partitions[index]!, 'locks are taken in ascending order');
  }
}

// ---- for the watchdog and for INFO ------------------------------------------------------------

/** Says for which command (any number but 0) this thread holds the lock. Two plain stores. */
export function labelHold(words: Int32Array, at: number, command: number): void {
  words[at + Lock.Command] = command;
  words[at + Lock.LabelledTake] = words[at + Lock.Takes]!;
}

export interface LockView {
  /** Index of the holding thread; -1 when nobody holds it. */
  readonly holderThread: number;
  /** Index of the thread that reserved it; -1 when nobody did. */
  readonly reserverThread: number;
  readonly hasWaiters: boolean;
  /** Counts up with every take and wraps: the same number and a holder means the same hold. */
  readonly takes: number;
  /** The label of this very hold, or 0. */
  readonly command: number;
  readonly contentions: number;
  readonly waitedMs: number;
}

/** What the lock looks like now; stale as soon as it is returned. Cold. */
export function inspectLock(words: Int32Array, at: number): LockView {
  // Atomic only so that the word is not older than the plain reads that follow.
  const word = Atomics.load(words, at);
  const takes = words[at + Lock.Takes]!;
  const isLabelled = words[at + Lock.LabelledTake]! === takes;
  return {
    holderThread: (word & Word.HolderMask) - 1,
    reserverThread: ((word & Word.ReserverMask) >> Word.ReserverShift) - 1,
    hasWaiters: (word & Word.Waiters) !== 0,
    takes,
    command: isLabelled ? words[at + Lock.Command]! : 0,
    contentions: words[at + Lock.Contentions]!,
    waitedMs: words[at + Lock.WaitedSeconds]! * 1000 + words[at + Lock.WaitedUs]! / 1000,
  };
}

assert(Lock.WaitedUs < Lock.Words, 'the words of a lock fit its cache line');
assert(((Word.HolderMask | Word.ReserverMask) & Word.Waiters) === 0, 'bits do not overlap');
