// What CLIENT TRACKING has switched on for one session, and the prefixes of this thread's sessions
// in broadcast mode.

import { equalBytes } from '../base/bytes.js';
import type { Subscriber } from './local.js';
import type { RecordId } from './registry.js';

/** A session that may cache keys: as far as tracking knows it. */
export interface TrackedSession extends Subscriber {
  readonly id: number;
  readonly slot: number;
  tracked: Tracked | null;
  /** What others are told of `tracked` has changed. */
  trackedChanged(): void;
}

export interface TrackingOptions {
  readonly isBroadcast: boolean;
  readonly isOptIn: boolean;
  readonly isOptOut: boolean;
  readonly isNoLoop: boolean;
  /** The id of the session that is told instead, and its slot; 0 for none. */
  readonly redirect: number;
  readonly redirectSlot: number;
}

export class Tracked implements TrackingOptions {
  isBroadcast = false;
  isOptIn = false;
  isOptOut = false;
  isNoLoop = false;
  redirect = 0;
  redirectSlot = -1;
  /** Whom it redirects to is gone, and it was told so. */
  isBroken = false;
  /** CLIENT CACHING was said: the next command is the exception of its mode. */
  isCachingSaid = false;
  /** Are the keys that the running command reads remembered? */
  isRemembering = false;
  readonly prefixes: PrefixGroup[] = [];

  take(options: TrackingOptions): void {
    this.isBroadcast = options.isBroadcast;
    this.isOptIn = options.isOptIn;
    this.isOptOut = options.isOptOut;
    this.isNoLoop = options.isNoLoop;
    this.redirect = options.redirect;
    this.redirectSlot = options.redirectSlot;
    this.isBroken = false;
  }

  /** Does its mode want the keys of a command that comes now? */
  get wantsKeys(): boolean {
    if (this.isBroadcast) return false;
    if (this.isOptIn) return this.isCachingSaid;
    return !(this.isOptOut && this.isCachingSaid);
  }
}

/** This thread's sessions that want to hear of all keys with one prefix. */
export class PrefixGroup {
  readonly id: RecordId;
  readonly prefix: Uint8Array;
  readonly members: TrackedSession[] = [];

  constructor(id: RecordId, prefix: Uint8Array) {
    this.id = id;
    this.prefix = prefix;
  }
}

export function beginsWith(
  prefix: Uint8Array,
  u8: Uint8Array,
  start: number,
  length: number,
): boolean {
  return length >= prefix.length && equalBytes(u8, start, prefix, 0, prefix.length);
}

/** Would a key exist of which both prefixes tell? */
export function doOverlap(first: Uint8Array, second: Uint8Array): boolean {
  return equalBytes(first, 0, second, 0, Math.min(first.length, second.length));
}
