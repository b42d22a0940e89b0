// Client-side caching, for one thread: who caches keys is told when they change.
//
//   a read of a tracked session ─▶ remember ─▶ keyspace/tracked-keys.ts, under the key's lock
//   a change ─▶ changed: takes the key out ─▶ outbox        prefixes ─▶ batch for each thread
//   the locks are released ─▶ settle ─▶ Post ─▶ arrived ─▶ its session ─▶ whom it redirects to
//
// - A writer looks here only where Header.Listeners says that somebody may listen: a partition in
//   which a key is tracked is one listener, and each thread with sessions in broadcast mode is one
//   in every partition.
// - What is remembered stands under the lock of the read, and is taken out under that of the
//   change: a change after the read is told. The message reaches the session's own thread after the
//   reply to the read was written there, so its client never caches what it was told to forget.
//   Two messages about one key may come from two threads in either order: each only says "forget".
// - Prefixes stand in a registry of their own (registry.ts), so that a writer knows which threads
//   want a key; which sessions is their thread's business.
// - Keys for sessions in broadcast mode are told together at the end of the turn, as Redis does.
// - What cannot be remembered, for want of memory or because of tracking-table-max-keys, is told as
//   changed: the client forgets it and may ask again.

import type { Partition } from '../keyspace/partition.js';
import {
  createTrackedKeys,
  lowId,
  TrackedKeys,
  type TrackedKeysShape,
} from '../keyspace/tracked-keys.js';
import { MessageKind } from '../mesh/post.js';
import { Header, NONE } from '../slab/slab.js';
import { type Outlet, PUSH_BYTES_MAX } from './delivery.js';
import type { Sender } from './hub.js';
import {
  ALL_KEYS_2,
  ALL_KEYS_3,
  addBroadcast,
  beginKeys,
  brokenRedirect,
  Invalidation,
  KeyArray,
  MESSAGE_HEAD,
  News,
  PUSH_HEAD,
  Writer,
  writeGone,
  writeRedirect,
} from './invalidation.js';
import {
  createRegistry,
  Kind,
  type PatternFacts,
  Registry,
  type RegistryShape,
} from './registry.js';
import {
  beginsWith,
  PrefixGroup,
  Tracked,
  type TrackedSession,
  type TrackingOptions,
} from './tracked.js';

/** Keys that are forgotten at a time when there are more than tracking-table-max-keys. */
const EVICTED_AT_ONCE = 100;
/** Prefixes of all sessions; only address space until then. */
const PREFIX_BYTES = 16 * 1024 * 1024;
/** Keys that a step of sweeping looks at. */
const SWEPT_PER_STEP = 200;

export interface TrackingShape {
  readonly keys: TrackedKeysShape;
  readonly prefixes: RegistryShape;
  /** Tracked sessions of each thread. */
  readonly counts: SharedArrayBuffer;
}

/** Allocates what all threads share. Called once, before they start. */
export function createTracking(threadCount: number, partitionCount: number): TrackingShape {
  return {
    keys: createTrackedKeys(partitionCount),
    prefixes: createRegistry(threadCount, PREFIX_BYTES),
    counts: new SharedArrayBuffer(threadCount * 4),
  };
}

export interface TrackingFields {
  readonly shape: TrackingShape;
  readonly thread: number;
  readonly partitions: readonly Partition[];
  readonly post: Sender;
  /** Runs `visitor` under the lock of each partition, one after the other; none is held. */
  readonly eachPartition: (visitor: (partition: number) => void) => void;
  /** Runs `visitor` under the lock of one partition; none is held. */
  readonly visit: (partition: number, visitor: (partition: Partition) => void) => void;
  readonly hashOf: (u8: Uint8Array, start: number, length: number) => number;
  readonly random: (below: number) => number;
  /** The thread that owns a slot of the client directory. */
  readonly threadOf: (slot: number) => number;
  /** Is session `id` still in this slot, of any thread? */
  readonly isConnected: (slot: number, id: number) => boolean;
  /** The session in a slot of this thread; null when there is none. */
  readonly sessionAt: (slot: number) => TrackedSession | null;
  /** What others are told of a session has changed. */
  readonly noted: (session: TrackedSession) => void;
}

export class Tracking {
  /** tracking-table-max-keys; 0 is no limit. */
  keysMax = 0;
  readonly keys: TrackedKeys;
  readonly prefixes: Registry;
  private readonly fields: TrackingFields;
  private readonly thread: number;
  private readonly counts: Int32Array;
  private outlet: Outlet | null = null;
  /** Those of this thread that are tracked. */
  private readonly sessions = new Set<TrackedSession>();
  private readonly groups = new Map<string, PrefixGroup>();
  /** A copy of all prefixes, and the version it is of. */
  private patterns: readonly PatternFacts[] = [];
  private patternVersion = 0;
  /** Records for threads: the thread and the record's length before each. */
  private readonly outbox = new Writer();
  /** The same, of keys that were changed for somebody who has waited. */
  private readonly late = new Writer();
  /** Such records that have come, and wait until the answers are given. */
  private arrivedLate: Uint8Array[] = [];
  /** Where the length of the record that is being written stands. */
  private recordAt = 0;
  private readonly scratch = new Writer();
  /** Keys for the sessions of each thread in broadcast mode. */
  private readonly batches: readonly Writer[];
  private readonly batchCounts: Int32Array;
  private hasBatches = false;
  private readonly isWanted: Uint8Array;
  private isFlushing = false;
  private isOverLimit = false;
  private isPosted = false;
  /** Sessions of this thread have gone: where taking them out of the keys goes on; −1 for no. */
  private sweepAt = -1;
  private sweepPosition = 0;
  private readonly incoming = new Invalidation();
  private readonly value = new KeyArray();

  constructor(fields: TrackingFields) {
    const { shape, thread } = fields;
    const { threadCount } = shape.prefixes;
    this.fields = fields;
    this.thread = thread;
    this.keys = new TrackedKeys(shape.keys, thread);
    this.prefixes = new Registry(shape.prefixes, thread);
    this.counts = new Int32Array(shape.counts);
    this.batches = Array.from({ length: threadCount }, () => new Writer());
    this.batchCounts = new Int32Array(threadCount);
    this.isWanted = new Uint8Array(threadCount);
  }

  /** Says where invalidations for this thread's sessions go; before the first of them. */
  connect(outlet: Outlet): void {
    this.outlet = outlet;
  }

  // ---- CLIENT TRACKING --------------------------------------------------------------------------

  /**
   * Switches tracking on, or changes its options; `prefixes` are those of broadcast mode, and
   * overlap with none the session has. False when there is no memory for a prefix.
   */
  on(
    session: TrackedSession,
    options: TrackingOptions,
    prefixes: readonly Uint8Array[],
    eachPartition: (visitor: (partition: number) => void) => void,
  ): boolean {
    const wasOn = session.tracked !== null;
    session.tracked ??= new Tracked();
    session.tracked.take(options);
    if (!wasOn) {
      this.sessions.add(session);
      this.count(1);
    }
    for (const prefix of prefixes) {
      if (this.join(session, prefix, eachPartition)) continue;
      if (!wasOn) this.off(session, eachPartition);
      return false;
    }
    this.fields.noted(session);
    return true;
  }

  off(
    session: TrackedSession,
    eachPartition: (visitor: (partition: number) => void) => void,
  ): void {
    const { tracked } = session;
    if (tracked === null) return;
    session.tracked = null;
    this.sessions.delete(session);
    this.count(-1);
    for (const group of tracked.prefixes) this.leave(session, group, eachPartition);
    if (!tracked.isBroadcast) this.sweepAt = 0;
    this.fields.noted(session);
  }

  /** The session's connection is closed; no lock is held. */
  closed(session: TrackedSession): void {
    if (session.tracked !== null) this.off(session, this.fields.eachPartition);
  }

  private count(change: number): void {
    // Atomic, because other threads read it when all keys go.
    Atomics.add(this.counts, this.thread, change);
  }

  private join(
    session: TrackedSession,
    prefix: Uint8Array,
    eachPartition: (visitor: (partition: number) => void) => void,
  ): boolean {
    const name = Buffer.from(prefix).toString('latin1');
    let group = this.groups.get(name);
    if (group?.members.includes(session) === true) return true;
    const id = this.prefixes.add(Kind.Pattern, prefix, 0, prefix.length);
    if (id === NONE) return false;
    if (group === undefined) {
      group = new PrefixGroup(id, prefix);
      // After the prefix is known: whoever takes a partition's lock from now on looks for it.
      if (this.groups.size === 0) this.listen(1, eachPartition);
      this.groups.set(name, group);
    }
    group.members.push(session);
    session.tracked!.prefixes.push(group);
    return true;
  }

  private leave(
    session: TrackedSession,
    group: PrefixGroup,
    eachPartition: (visitor: (partition: number) => void) => void,
  ): void {
    this.prefixes.remove(group.id);
    group.members.splice(group.members.indexOf(session), 1);
    if (group.members.length > 0) return;
    this.groups.delete(Buffer.from(group.prefix).toString('latin1'));
    if (this.groups.size === 0) this.listen(-1, eachPartition);
  }

  /** This thread's sessions in broadcast mode are one listener of every partition. */
  private listen(
    change: number,
    eachPartition: (visitor: (partition: number) => void) => void,
  ): void {
    eachPartition((index) => {
      const { i32 } = this.fields.partitions[index]!.slab;
      i32[Header.Listeners] = i32[Header.Listeners]! + change;
    });
  }

  // ---- reads and changes, under the lock of the partition ---------------------------------------

  /** The session in `slot` has read the key u8[start, start + length). */
  remember(
    partition: Partition,
    hash: number,
    u8: Uint8Array,
    start: number,
    length: number,
    slot: number,
    id: number,
  ): void {
    const { keys } = this;
    if (keys.remember(partition, hash, u8, start, length, slot, lowId(id))) {
      if (this.keysMax > 0 && keys.keyCount > this.keysMax) this.isOverLimit = true;
      return;
    }
    // No room: it is told at once what it would be told later.
    this.begin(this.fields.threadOf(slot));
    beginKeys(this.outbox, News.Keys, NOBODY, 0, length, 1);
    this.outbox.word(slot);
    this.outbox.word(lowId(id));
    this.outbox.bytes(u8, start, length);
    this.end();
  }

  /**
   * The key has changed, or is going, by a command of the session in `slot`; `isServed`: which has
   * waited, and is served by another.
   */
  changed(
    partition: Partition,
    hash: number,
    u8: Uint8Array,
    start: number,
    length: number,
    slot: number,
    id: number,
    isServed: boolean,
  ): void {
    if (this.isFlushing) return;
    if (this.keys.takeOut(partition, hash, u8, start, length)) {
      this.tell(u8, start, length, slot, lowId(id), isServed);
    }
    if (this.prefixes.nameCount(Kind.Pattern) !== 0) {
      this.tellPrefixes(u8, start, length, slot, lowId(id));
    }
  }

  /** Writes a record for each thread with sessions among the members of the key taken out. */
  private tell(
    u8: Uint8Array,
    start: number,
    length: number,
    slot: number,
    id: number,
    isLate: boolean,
  ): void {
    const { keys, isWanted } = this;
    const { threadOf } = this.fields;
    const outbox = isLate ? this.late : this.outbox;
    const kind = isLate ? News.LateKeys : News.Keys;
    const { members, memberCount } = keys;
    for (let index = 0; index < memberCount; index++) isWanted[threadOf(members[index * 2]!)] = 1;
    for (let thread = 0; thread < isWanted.length; thread++) {
      if (isWanted[thread] === 0) continue;
      isWanted[thread] = 0;
      let count = 0;
      for (let index = 0; index < memberCount; index++) {
        if (threadOf(members[index * 2]!) === thread) count++;
      }
      this.begin(thread, outbox);
      beginKeys(outbox, kind, slot, id, length, count);
      for (let index = 0; index < memberCount; index++) {
        if (threadOf(members[index * 2]!) !== thread) continue;
        outbox.word(members[index * 2]!);
        outbox.word(members[index * 2 + 1]!);
      }
      outbox.bytes(u8, start, length);
      this.end(outbox);
    }
  }

  private tellPrefixes(
    u8: Uint8Array,
    start: number,
    length: number,
    slot: number,
    id: number,
  ): void {
    const { prefixes, isWanted, batches, batchCounts } = this;
    if (prefixes.readPatternVersion() !== this.patternVersion) {
      this.patterns = prefixes.patterns();
      this.patternVersion = prefixes.patternVersion;
    }
    for (const { bytes, targets } of this.patterns) {
      if (!beginsWith(bytes, u8, start, length)) continue;
      for (let thread = 0; thread < targets.length; thread++) {
        if (targets[thread] !== 0) isWanted[thread] = 1;
      }
    }
    for (let thread = 0; thread < isWanted.length; thread++) {
      if (isWanted[thread] === 0) continue;
      isWanted[thread] = 0;
      addBroadcast(batches[thread]!, batchCounts[thread]!, slot, id, u8, start, length);
      batchCounts[thread] = batchCounts[thread]! + 1;
      this.hasBatches = true;
    }
  }

  /** All keys of a database or of all are about to go, with all locks held: no key is told. */
  beginFlush(): void {
    this.isFlushing = true;
    this.keys.clear(this.fields.partitions);
  }

  /** They are gone: whoever caches any is told to forget all. */
  endFlush(): void {
    this.isFlushing = false;
    const { counts } = this;
    for (let thread = 0; thread < counts.length; thread++) {
      // Atomic: a session that is tracked before the locks were taken is seen.
      if (Atomics.load(counts, thread) === 0) continue;
      this.begin(thread);
      this.outbox.word(News.Flush);
      this.end();
    }
  }

  // ---- the outbox -------------------------------------------------------------------------------

  private begin(thread: number, outbox = this.outbox): void {
    outbox.word(thread);
    this.recordAt = outbox.at;
    outbox.word(0);
  }

  private end(outbox = this.outbox): void {
    const { recordAt } = this;
    outbox.i32[recordAt >> 2] = outbox.at - recordAt - 4;
  }

  /** Is there something that `settle` has to send, or to do? */
  get hasNews(): boolean {
    return this.outbox.at !== 0 || this.hasBatches || this.isOverLimit;
  }

  /**
   * No lock is held any more: sends what has waited for that. `endsTurn`: also what is told once a
   * turn.
   */
  settle(endsTurn: boolean): void {
    if (this.isOverLimit) this.evict();
    if (this.outbox.at !== 0) this.sendRecords(this.outbox);
    if (endsTurn && this.hasBatches) this.sendBatches();
    if (!this.isPosted) return;
    this.isPosted = false;
    this.fields.post.flush();
  }

  /** Is there something that those who have waited hear after their answers? */
  get hasLate(): boolean {
    return this.late.at !== 0;
  }

  /** Sends that: their answers have been sent. */
  settleLate(): void {
    this.sendRecords(this.late);
    if (!this.isPosted) return;
    this.isPosted = false;
    this.fields.post.flush();
  }

  private sendRecords(outbox: Writer): void {
    const { thread, incoming } = this;
    const { u8, i32, at: end } = outbox;
    for (let at = 0; at < end; ) {
      const to = i32[at >> 2]!;
      const bytes = i32[(at >> 2) + 1]!;
      const start = at + 8;
      if (to === thread) {
        incoming.read(u8, start, bytes);
        this.receive();
      } else {
        this.send(to, u8, start, bytes);
      }
      at = start + bytes;
    }
    outbox.clear();
  }

  private sendBatches(): void {
    const { batches, batchCounts, thread, incoming } = this;
    this.hasBatches = false;
    for (let to = 0; to < batches.length; to++) {
      const batch = batches[to]!;
      if (batchCounts[to] === 0) continue;
      batchCounts[to] = 0;
      if (to === thread) {
        incoming.read(batch.u8, 0, batch.at);
        this.receive();
      } else {
        this.send(to, batch.u8, 0, batch.at);
      }
      batch.clear();
    }
  }

  private send(to: number, u8: Uint8Array, start: number, bytes: number): void {
    this.fields.post.send(to, MessageKind.Invalidate, u8, start, bytes);
    this.isPosted = true;
  }

  /** Forgets keys until there are no more than may be; whoever has read them is told. */
  private evict(): void {
    const { keys, fields } = this;
    for (let left = EVICTED_AT_ONCE; left > 0 && this.isOver; left--) {
      const index = keys.draw(fields.random);
      if (index === -1) break;
      fields.visit(index, (partition) => {
        const { drawn, drawnBytes } = keys;
        const hash = fields.hashOf(drawn, 0, drawnBytes);
        if (keys.takeOut(partition, hash, drawn, 0, drawnBytes)) {
          this.tell(drawn, 0, drawnBytes, NOBODY, 0, false);
        }
      });
    }
    // What is left over the limit goes with the next turns.
    this.isOverLimit = this.isOver;
  }

  private get isOver(): boolean {
    return this.keysMax > 0 && this.keys.keyCount > this.keysMax;
  }

  /** The limit may have been lowered. */
  checkLimit(): void {
    if (this.isOver) this.isOverLimit = true;
  }

  // ---- sessions that are gone -------------------------------------------------------------------

  get hasToSweep(): boolean {
    return this.sweepAt !== -1;
  }

  /** Takes sessions of this thread that are not tracked any more out of some keys. */
  sweepStep(): void {
    const { fields, keys } = this;
    const index = this.sweepAt;
    if (index >= fields.partitions.length) {
      this.sweepAt = -1;
      return;
    }
    if (keys.countOf(index) === 0) {
      this.sweepAt = index + 1;
      return;
    }
    fields.visit(index, (partition) => {
      this.sweepPosition = keys.sweep(partition, this.sweepPosition, SWEPT_PER_STEP, this.hasGone);
    });
    if (this.sweepPosition === 0) this.sweepAt = index + 1;
  }

  private readonly hasGone = (slot: number, id: number): boolean => {
    if (this.fields.threadOf(slot) !== this.thread) return false;
    const session = this.sessionOf(slot, id);
    return session === null || session.tracked === null || session.tracked.isBroadcast;
  };

  // ---- the thread of the sessions ---------------------------------------------------------------

  /** MessageKind.Invalidate: news of another thread. */
  readonly arrived = (_from: number, u8: Uint8Array, start: number, length: number): void => {
    this.incoming.read(u8, start, length);
    this.receive();
    if (!this.isPosted) return;
    this.isPosted = false;
    this.fields.post.flush();
  };

  private receive(): void {
    const { incoming } = this;
    switch (incoming.kind) {
      case News.Keys:
        this.receiveKey();
        break;
      case News.LateKeys:
        // A copy: its bytes are borrowed.
        this.arrivedLate.push(incoming.copy());
        break;
      case News.Broadcast:
        this.receiveBroadcast();
        break;
      case News.Flush:
        this.receiveFlush();
        break;
      case News.Redirect:
        this.receiveRedirect();
        break;
      case News.Gone:
        this.receiveGone();
        break;
    }
    incoming.drop();
  }

  /** The answers to those who have waited are written: they hear of what was done for them. */
  receiveLate(): void {
    const { arrivedLate, incoming } = this;
    if (arrivedLate.length === 0) return;
    this.arrivedLate = [];
    for (const bytes of arrivedLate) {
      incoming.read(bytes, 0, bytes.length);
      this.receiveKey();
    }
    incoming.drop();
    if (!this.isPosted) return;
    this.isPosted = false;
    this.fields.post.flush();
  }

  private sessionOf(slot: number, id: number): TrackedSession | null {
    const session = this.fields.sessionAt(slot);
    return session !== null && lowId(session.id) === id ? session : null;
  }

  private receiveKey(): void {
    const { incoming, value } = this;
    value.begin(1);
    value.key(incoming.u8, incoming.start, incoming.length);
    for (let index = 0; index < incoming.count; index++) {
      const slot = incoming.memberSlot(index);
      const id = incoming.memberId(index);
      const session = this.sessionOf(slot, id);
      const tracked = session?.tracked;
      if (session === null || tracked == null || tracked.isBroadcast) continue;
      if (tracked.isNoLoop && slot === incoming.slot && id === incoming.id) continue;
      this.give(session, tracked, value.u8, value.length);
    }
  }

  private receiveFlush(): void {
    for (const session of [...this.sessions]) {
      if (session.tracked === null) continue;
      const value = session.protocol === 2 ? ALL_KEYS_2 : ALL_KEYS_3;
      this.give(session, session.tracked, value, value.length);
    }
  }

  /** Each prefix in its turn: the keys that begin with it, in order, each once. */
  private receiveBroadcast(): void {
    const { incoming } = this;
    const changes = new Map<string, { slot: number; id: number }>();
    for (let left = incoming.count; left > 0; left--) {
      incoming.nextKey();
      const end = incoming.start + incoming.length;
      const key = Buffer.from(incoming.u8.subarray(incoming.start, end)).toString('latin1');
      changes.set(key, { slot: incoming.slot, id: incoming.id });
    }
    const keys = [...changes.keys()].sort(byBytes);
    for (const { prefix, members } of [...this.groups.values()]) {
      const begin = Buffer.from(prefix).toString('latin1');
      const ofPrefix = keys.filter((key) => key.startsWith(begin));
      if (ofPrefix.length === 0) continue;
      for (const session of [...members]) {
        const { tracked } = session;
        if (tracked === null) continue;
        const told = tracked.isNoLoop
          ? ofPrefix.filter((key) => !isBy(changes.get(key)!, session))
          : ofPrefix;
        if (told.length > 0) this.giveKeys(session, tracked, told);
      }
    }
  }

  private giveKeys(session: TrackedSession, tracked: Tracked, keys: readonly string[]): void {
    const { value } = this;
    value.begin(keys.length);
    for (const key of keys) {
      const bytes = Buffer.from(key, 'latin1');
      value.key(bytes, 0, bytes.length);
    }
    this.give(session, tracked, value.u8, value.length);
  }

  private receiveRedirect(): void {
    const { incoming, scratch } = this;
    const target = this.sessionOf(incoming.targetSlot, incoming.targetId);
    if (target !== null) {
      const { start, length } = incoming;
      this.pass(target, incoming.u8.subarray(start, start + length), length);
      return;
    }
    writeGone(scratch, incoming.slot, incoming.id);
    this.send(this.fields.threadOf(incoming.slot), scratch.u8, 0, scratch.at);
    scratch.clear();
  }

  private receiveGone(): void {
    const session = this.sessionOf(this.incoming.slot, this.incoming.id);
    if (session?.tracked != null) this.breakRedirect(session, session.tracked);
  }

  // ---- to a session -----------------------------------------------------------------------------

  /** Gives an invalidation to a session, or to whom it redirects to. */
  private give(session: TrackedSession, tracked: Tracked, value: Uint8Array, length: number): void {
    const { redirect, redirectSlot } = tracked;
    const { fields, scratch, thread } = this;
    if (redirect === 0) {
      // RESP2 has no form for what comes unasked.
      if (session.protocol === 3) this.push(session, PUSH_HEAD, value, length);
      return;
    }
    if (!fields.isConnected(redirectSlot, redirect)) {
      this.breakRedirect(session, tracked);
      return;
    }
    const owner = fields.threadOf(redirectSlot);
    if (owner !== thread) {
      const source = { slot: session.slot, id: lowId(session.id) };
      const target = { slot: redirectSlot, id: lowId(redirect) };
      writeRedirect(scratch, source, target, value, length);
      this.send(owner, scratch.u8, 0, scratch.at);
      scratch.clear();
      return;
    }
    const target = fields.sessionAt(redirectSlot);
    if (target === null || target.id !== redirect) this.breakRedirect(session, tracked);
    else this.pass(target, value, length);
  }

  /** To a session that another redirects to. */
  private pass(target: TrackedSession, value: Uint8Array, length: number): void {
    if (target.protocol === 3) this.push(target, PUSH_HEAD, value, length);
    else if (target.subscriptions !== null) this.push(target, MESSAGE_HEAD, value, length);
  }

  private breakRedirect(session: TrackedSession, tracked: Tracked): void {
    if (!tracked.isBroken) {
      tracked.isBroken = true;
      this.fields.noted(session);
    }
    if (session.protocol !== 3) return;
    const line = brokenRedirect(tracked.redirect);
    this.push(session, line, line, 0);
  }

  /** Appends `head` and value[0, length) to the session's output. */
  private push(session: TrackedSession, head: Uint8Array, value: Uint8Array, length: number): void {
    const { outlet } = this;
    if (outlet === null) return;
    const bytes = head.length + length;
    if (bytes > PUSH_BYTES_MAX) {
      const long = new Uint8Array(new ArrayBuffer(bytes));
      long.set(head);
      long.set(value.subarray(0, length), head.length);
      outlet.pushLong(session, long);
      return;
    }
    outlet.prepare(bytes);
    const start = outlet.pushAt;
    outlet.pushes.set(head, start);
    outlet.pushes.set(value.subarray(0, length), start + head.length);
    outlet.pushAt = start + bytes;
    outlet.push(session, start, start + bytes);
  }
}

/** Of a change that is nobody's. */
const NOBODY = -1;

function byBytes(first: string, second: string): number {
  if (first === second) return 0;
  return first < second ? -1 : 1;
}

function isBy(origin: { slot: number; id: number }, session: TrackedSession): boolean {
  return origin.slot === session.slot && origin.id === lowId(session.id);
}
