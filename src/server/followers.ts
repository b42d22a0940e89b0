// The sessions of one thread that wait for records (FEED READ BLOCK). Whoever has written some
// wakes all threads, if any has said that it waits:
//
//   follower's thread: Followed = 1, looks at the limit once more, sleeps
//   writer's thread:   clears its bound (the limit rises), sees Followed, takes it back, wakes
//
// Both do so in an order that all threads agree on, so one of them sees the other. Thus a writer
// pays for followers when they sleep, at most: a thread that has just found nothing for its
// followers looks again after a moment by itself before it asks to be woken.

import { type FeedLook, FeedState } from '../dispatch/server-door.js';
import type { Session, Wait } from '../dispatch/session.js';
import { Refusal } from '../resp/errors.js';
import type { Executor } from './executor.js';

/** While records come that nobody here has waited for, followers are looked at this often. */
const LOOK_MS = 2;
/** Followers with much to go through get their share one after the other. */
const READERS_PER_TURN = 4;
const NOT_LOOKED = -1;

interface Follower {
  readonly session: Session;
  readonly wait: Wait | null;
  readonly look: FeedLook;
}

export class Followers {
  private readonly executor: Executor;
  private waits: Follower[] = [];
  private nextLookMs = 0;
  /** What was looked at last. */
  private limit = NOT_LOOKED;
  private generation = 0;
  /** Whoever writes wakes this thread. */
  private isArmed = false;

  constructor(executor: Executor) {
    this.executor = executor;
  }

  get hasWaits(): boolean {
    return this.waits.length !== 0;
  }

  /** Milliseconds until the next look; Infinity when somebody wakes this thread for it. */
  get leftMs(): number {
    if (this.waits.length === 0 || this.isArmed) return Number.POSITIVE_INFINITY;
    return Math.max(0, this.nextLookMs - this.executor.keyspace.nowMs);
  }

  /** The session has begun to wait. */
  add(session: Session, look: FeedLook): void {
    this.waits.push({ session, wait: session.wait, look });
    this.limit = NOT_LOOKED;
    this.nextLookMs = 0;
    this.executor.lookDue();
  }

  // ---- after a turn that has written ----------------------------------------------------------

  wake(): void {
    const { executor } = this;
    executor.feed.takeWakingBack();
    for (let thread = 0; thread < executor.shape.executorCount; thread++) {
      if (thread !== executor.thread) executor.post.wake(thread);
    }
    if (this.hasWaits) executor.lookDue();
  }

  // ---- between two turns ----------------------------------------------------------------------

  /** Answers those for whom there is something. True: there is more to be looked at soon. */
  look(): boolean {
    const { executor } = this;
    const { nowMs } = executor.keyspace;
    if (nowMs < this.nextLookMs) return false;
    const limit = executor.feed.limit();
    const { generation } = executor.sink.logs;
    if (limit === this.limit && generation === this.generation) return this.arm(limit);
    this.limit = limit;
    this.generation = generation;
    this.isArmed = false;
    this.nextLookMs = nowMs + LOOK_MS;
    if (!this.lookAtAll(limit)) return false;
    this.limit = NOT_LOOKED;
    this.nextLookMs = 0;
    return true;
  }

  /** Asks to be woken. True: there is something already. */
  private arm(limit: number): boolean {
    const { feed } = this.executor;
    feed.askForWaking();
    this.isArmed = true;
    return feed.limit() !== limit;
  }

  private lookAtAll(limit: number): boolean {
    const { waits } = this;
    this.waits = [];
    const isReading: Follower[] = [];
    const notAsked: Follower[] = [];
    for (const follower of waits) {
      if (isReading.length >= READERS_PER_TURN) notAsked.push(follower);
      else if (this.lookAt(follower, limit) === FeedState.Reading) isReading.push(follower);
    }
    this.waits = [...notAsked, ...this.waits, ...isReading];
    return isReading.length > 0;
  }

  /** Answers a follower, or keeps it; one that reads on is the caller's. */
  private lookAt(follower: Follower, limit: number): FeedState {
    const { session, wait, look } = follower;
    const { serving, door } = this.executor;
    const connection = serving.connectionAt(session.slot);
    const isGone = connection === null || connection.session !== session;
    if (isGone || wait === null || session.wait !== wait) return FeedState.Ready;
    try {
      const state = look.read(limit);
      if (state === FeedState.Ready) serving.endWait(connection, (reply) => look.answer(reply));
      else if (state === FeedState.Waiting) this.waits.push(follower);
      return state;
    } catch (thrown) {
      if (!(thrown instanceof Refusal)) throw thrown;
      door.stats.errorReplied(thrown.code);
      serving.endWait(connection, (reply) => reply.refusal(thrown));
      return FeedState.Ready;
    }
  }
}
