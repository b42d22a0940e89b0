// A session: what the server knows of one connection (or of a script, a link, a gateway client),
// apart from its bytes. It belongs to one thread. What other threads may see of it stands in the
// shared client directory (stats/clients.ts).

import type { User } from '../acl/user.js';
import { NO_WATCH, type WatchPlace } from '../keyspace/watchers.js';
import type { Subscriptions } from '../pubsub/local.js';
import type { Tracked, TrackedSession } from '../pubsub/tracked.js';
import type { Reply } from '../resp/write.js';
import { ClientFlag } from '../stats/clients.js';
import type { Queue } from './queue.js';

/** Why a session is closed. Decides whether what is already written still goes out. */
export const enum Closing {
  No = 0,
  /** After the replies written so far have left (QUIT, protocol errors). */
  AfterReply = 1,
  /** At once (CLIENT KILL of another, output limit). */
  Now = 2,
}

/** CLIENT REPLY. */
export const enum ReplyMode {
  On = 0,
  Off = 1,
  /** The reply of the next command is dropped. */
  SkipNext = 2,
  /** The reply of this command is dropped. */
  Skip = 3,
}

/** What a session waits for: input goes on when the wait is over. */
export interface Wait {
  /** Clock milliseconds, Infinity for never. */
  readonly deadlineMs: number;
  /** Writes the reply when the deadline has come. */
  readonly timedOut: (reply: Reply) => void;
  /**
   * CLIENT UNBLOCK with ERROR: the line of the error; with TIMEOUT timedOut answers. None where
   * others may end the wait: see Blocking.unblock.
   */
  readonly unblockLine?: string;
  /**
   * Gets the wait out of others' reach before it is ended from here. False: somebody is answering
   * it, or looks whether to; its answer comes by itself, or it waits on.
   */
  readonly withdraw?: () => boolean;
  /** The connection is gone: nobody is to answer it any more. */
  readonly abandon?: () => void;
  /** What others know it by: see dispatch/blocking.ts. */
  readonly place?: number;
  /** Looks, from a time on, whether it can be answered before its deadline; says when to next. */
  readonly look?: { atMs: number; readonly again: () => number };
}

/** The session's connection, as far as commands may act on it. */
export interface SessionEdge {
  /** Tells the edge that `session.closing` or `session.wait` changed outside of its own command. */
  wake(session: Session): void;
}

export class Session implements TrackedSession {
  readonly id: number;
  readonly edge: SessionEdge;
  /** Slot in the shared client directory. */
  readonly slot: number;
  readonly address: string;
  readonly localAddress: string;
  readonly fd: number;
  readonly createdMs: number;
  database = 0;
  protocol: 2 | 3 = 2;
  /** Gate bits raised for this session alone. */
  raised = 0;
  closing: Closing = Closing.No;
  replyMode: ReplyMode = ReplyMode.On;
  isAuthenticated = false;
  user = 'default';
  /** Whom it acts as; null, for what is no connection, may do everything. */
  rights: User | null = null;
  name = '';
  libraryName = '';
  libraryVersion = '';
  /** CLIENT NO-EVICT and NO-TOUCH. */
  isNoEvict = false;
  isNoTouch = false;
  isReadOnly = false;
  /** Inside MULTI or a script nothing waits: blocking commands answer as when time is over. */
  isDenyBlocking = false;
  /** What MULTI has queued; null outside of it. */
  queue: Queue | null = null;
  /** The last key that WATCH has added, and how many it has. */
  watch: WatchPlace = NO_WATCH;
  watchCount = 0;
  /** Set while the session waits; the edge reads no further commands of it. */
  wait: Wait | null = null;
  /** Channels and patterns it has subscribed to; null when to none. */
  subscriptions: Subscriptions | null = null;
  /** What CLIENT TRACKING has switched on; null when it is off. */
  tracked: Tracked | null = null;
  /** It has said MONITOR. */
  isMonitor = false;
  /** ClientFlag bits that change seldom: kept here, so that no turn asks for them. */
  shownFlags: number;
  /** After each of its commands there may be a message for it (gates.ts: updateToldness). */
  isTold = false;
  /** Where messages for it go: its connection, known to the edge alone. */
  outlet: unknown = null;

  constructor(fields: {
    id: number;
    edge: SessionEdge;
    slot: number;
    address: string;
    localAddress: string;
    fd: number;
    createdMs: number;
  }) {
    this.id = fields.id;
    this.edge = fields.edge;
    this.slot = fields.slot;
    this.address = fields.address;
    this.localAddress = fields.localAddress;
    this.fd = fields.fd;
    this.createdMs = fields.createdMs;
    this.shownFlags = isSocketPath(fields.address) ? ClientFlag.UnixSocket : 0;
  }

  /** What the client directory shows of its state, as ClientFlag bits. */
  get clientFlags(): number {
    let flags = this.shownFlags;
    if (this.subscriptions !== null) flags |= ClientFlag.PubSub;
    if (this.wait !== null) flags |= ClientFlag.Blocked;
    if (this.queue !== null) flags |= ClientFlag.Multi;
    if (this.closing === Closing.AfterReply) flags |= ClientFlag.CloseAfterReply;
    if (this.closing === Closing.Now) flags |= ClientFlag.CloseNow;
    if (this.isReadOnly) flags |= ClientFlag.ReadOnly;
    if (this.isNoEvict) flags |= ClientFlag.NoEvict;
    if (this.isNoTouch) flags |= ClientFlag.NoTouch;
    return flags;
  }

  /** CLIENT TRACKING has changed something. */
  trackedChanged(): void {
    this.shownFlags &= ~TRACKING_FLAGS;
    if (this.tracked !== null) this.shownFlags |= trackingFlags(this.tracked);
  }

  /** CLIENT REPLY silences it, or its next command. */
  get isMuted(): boolean {
    return this.replyMode === ReplyMode.Off || this.replyMode === ReplyMode.Skip;
  }

  /** Does it come from this machine? Some commands are for such sessions alone. */
  get isLocal(): boolean {
    const { address } = this;
    return isSocketPath(address) || address.startsWith('127.') || address.startsWith('[::1]');
  }
}

const TRACKING_FLAGS =
  ClientFlag.Tracking | ClientFlag.TrackingBroken | ClientFlag.TrackingBroadcast;

function trackingFlags(tracked: Tracked): number {
  let flags: number = ClientFlag.Tracking;
  if (tracked.isBroken) flags |= ClientFlag.TrackingBroken;
  if (tracked.isBroadcast) flags |= ClientFlag.TrackingBroadcast;
  return flags;
}

/** Addresses of unix sockets are their path and `:0`. */
function isSocketPath(address: string): boolean {
  return address.charCodeAt(0) === SLASH;
}

const SLASH = 0x2f;
