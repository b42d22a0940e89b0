// How the use of an entry is noted in the 24 bits that it has for that (entry.ts), by the eviction
// policy:
//
//    LRU, LRM, TTL, random                LFU
//   ┌────────────────────────────┐      ┌──────────────────────┬───────────┐
//   │ second of the last access  │      │ minute of the last   │ counter   │
//   │ (LRM: of the last change)  │      │ access or decay, 16  │ 8         │
//   └────────────────────────────┘      └──────────────────────┴───────────┘
//
// The counter is a logarithm, after Morris ("Counting large numbers of events in small registers",
// 1978): the higher it is, the seldomer an access raises it; it falls by one each `lfu-decay-time`
// minutes. Redis does the same with the same figures, so that its tunables mean the same here.

import { Prng } from '../base/prng.js';

/** What the doors do to an entry that is found. */
export const enum Stamping {
  /** Every access notes the second: the fast road. */
  Accesses = 0,
  /** Nothing is noted (CLIENT NO-TOUCH). */
  Nothing = 1,
  /** Every access is counted: LFU. */
  Counts = 2,
  /** Changes note the second, reads nothing: LRM. */
  Changes = 3,
}

export const RECENCY_MASK = 0xffffff;
const MINUTES_MASK = 0xffff;
const COUNTER_BITS = 8;
const COUNTER_MASK = 0xff;
const COUNTER_MAX = 255;
const MINUTE_MS = 60_000;
/** The counter of a new key: so that it is not the next to go before it was ever used again. */
const COUNTER_NEW = 5;

/** lfu-log-factor and lfu-decay-time. */
export interface FrequencyScale {
  logFactor: number;
  decayMinutes: number;
}

export function clockRecency(wallMs: number): number {
  return Math.floor(wallMs / 1000) & RECENCY_MASK;
}

/** The recency of an entry that is created now, under LFU. */
export function freshFrequency(wallMs: number): number {
  return ((Math.floor(wallMs / MINUTE_MS) & MINUTES_MASK) << COUNTER_BITS) | COUNTER_NEW;
}

/** Seconds since `recency` was stamped; `now` is the clock's. */
export function idleSeconds(recency: number, now: number): number {
  return (now - recency) & RECENCY_MASK;
}

/** The counter as it is in the minute of `now`, another recency: what has decayed is off. */
export function frequencyOf(recency: number, now: number, scale: FrequencyScale): number {
  const { decayMinutes } = scale;
  const counter = recency & COUNTER_MASK;
  const elapsed = ((now >>> COUNTER_BITS) - (recency >>> COUNTER_BITS)) & MINUTES_MASK;
  if (elapsed === 0 || decayMinutes === 0) return counter;
  return Math.max(0, counter - Math.floor(elapsed / decayMinutes));
}

/** The recency after an access in the minute of `now`. */
export function countAccess(recency: number, now: number, scale: FrequencyScale): number {
  let counter = frequencyOf(recency, now, scale);
  if (counter < COUNTER_MAX && isRaised(counter, scale.logFactor)) counter++;
  return (now & ~COUNTER_MASK) | counter;
}

/** One access in so many raises the counter, and there are ever more of them. */
function isRaised(counter: number, logFactor: number): boolean {
  const above = counter - COUNTER_NEW;
  return above <= 0 || chance.nextDouble() * (above * logFactor + 1) < 1;
}

const chance = Prng.fromEntropy();
