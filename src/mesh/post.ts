// The mesh of threads: a ring for every ordered pair of them, a doorbell for each thread, and an
// outbox where messages wait while a ring is full.
//
//               ┌────────────┐   ring 0→1   ┌────────────┐
//   thread 0:   │ outboxes   │ ───────────▶ │ thread 1   │      a turn of a thread:
//   send ─────▶ │ per target │ ◀─────────── │ polls all  │        poll → work, send → flush →
//               └────────────┘   ring 1→0   │ its rings  │        prepareSleep → sleep → woke
//                                           └────────────┘
// Rules
// - A full ring is back-pressure, never loss: what does not fit waits in the outbox, in order.
//   While the outbox is over its limit (`isOverLimit`) the thread takes no input from clients, but
//   keeps polling. So two threads with full rings to each other still empty them.
// - Nothing is sent while a lock is held (asserted): whoever waits for a lock looks at no ring.
// - `send` stores, `flush` rings: one wake-up per target and turn, however many messages.
// - Between two threads order is kept. Between different senders there is none.
//
// Each Post belongs to one thread. What threads share is in rings (ring.ts) and bells
// (doorbell.ts).

import { assert, fail } from '../base/assert.js';
import { createDoorbells, Doorbell, type DoorbellsShape, type SleepKind } from './doorbell.js';
import { RingReader, RingWriter, ringBytes } from './ring.js';

/** What a message means to the thread that gets it. */
export const enum MessageKind {
  /** Only wakes: there is something outside the rings. No handler is asked. */
  Wake = 0,
  /** A new connection: its descriptor and where it came from. */
  Connection = 1,
  CloseSession = 2,
  ConfigChanged = 3,
  PartPosted = 4,
  Shutdown = 5,
  /** A finished reply for a client that was blocked. */
  Reply = 6,
  /** A pub/sub message for sessions of the target. */
  Publish = 7,
  /** A key changed that a client-side cache holds. */
  Invalidate = 8,
  /** A question about the target's sessions (CLIENT LIST) and its answer. */
  SessionQuery = 9,
  SessionAnswer = 10,
  Pause = 11,
  MonitorLine = 12,
  /** A keyspace notification for sessions of the target. */
  Notice = 13,
  /** SAVE and SHUTDOWN ask main; its answer. */
  Save = 24,
  Answer = 25,
  /** Main asks a worker to say when it is between two turns; the worker says it. */
  Turn = 26,
  /** The first kind that is free for the floors above. */
  Custom = 32,
  /** Kinds are below this. */
  Count = 64,
}

/** Borrows u8[start, start + length) until it returns; `start` is a multiple of 8. May send. */
export type MessageHandler = (from: number, u8: Uint8Array, start: number, length: number) => void;

/** Handlers by kind. */
export type MessageHandlers = readonly (MessageHandler | undefined)[];

/** Everything that a thread needs to join the mesh; plain, so that it can be sent to one. */
export interface MeshShape {
  readonly threadCount: number;
  /** Bytes of messages per ring. */
  readonly ringCapacity: number;
  /** Bytes that may wait in a thread's outbox before it stops taking input. */
  readonly outboxBytesMax: number;
  /** The rings into each thread: that from thread f begins at f × ringBytes(ringCapacity). */
  readonly inboxes: readonly SharedArrayBuffer[];
  readonly bells: DoorbellsShape;
}

export interface MeshOptions {
  /** How each thread sleeps; its index is the thread's number. */
  readonly sleeps: readonly SleepKind[];
  readonly ringCapacity?: number;
  readonly outboxBytesMax?: number;
}

// A pair of busy threads exchanges a few hundred short messages per turn at most. Untouched memory
// is not resident, so the pairs that never speak cost address space only.
const RING_CAPACITY = 64 * 1024;
const OUTBOX_BYTES_MAX = 4 * 1024 * 1024;
const WAITING_OVERHEAD_BYTES = 64; // what a waiting message costs beside its bytes

/** Allocates the rings and bells. Called once, before the threads start. */
export function createMesh(options: MeshOptions): MeshShape {
  const threadCount = options.sleeps.length;
  const ringCapacity = options.ringCapacity ?? RING_CAPACITY;
  const inboxBytes = threadCount * ringBytes(ringCapacity);
  return {
    threadCount,
    ringCapacity,
    outboxBytesMax: options.outboxBytesMax ?? OUTBOX_BYTES_MAX,
    inboxes: Array.from({ length: threadCount }, () => new SharedArrayBuffer(inboxBytes)),
    bells: createDoorbells(options.sleeps),
  };
}

/** A message that waits for room, or the rest of one. */
class Waiting {
  readonly kind: number;
  readonly bytes: Uint8Array;
  /** Length of the whole message. */
  readonly total: number;
  /** How much of it has been pushed: bytes[sent − firstSent] is next. */
  sent: number;
  readonly firstSent: number;

  constructor(kind: number, bytes: Uint8Array, total: number, sent: number) {
    this.kind = kind;
    this.bytes = bytes;
    this.total = total;
    this.sent = sent;
    this.firstSent = sent;
  }
}

/** One direction to another thread: its ring, its bell and what waits for room. */
class Target {
  readonly writer: RingWriter;
  readonly bell: Doorbell;
  /** First come, first sent; waiting[0, nextIndex) are gone. */
  waiting: Waiting[] = [];
  nextIndex = 0;
  /** Something was pushed since the last ring. */
  isToBeRung = false;

  constructor(writer: RingWriter, bell: Doorbell) {
    this.writer = writer;
    this.bell = bell;
  }
}

export class Post {
  /** The number of this thread. */
  readonly self: number;
  readonly threadCount: number;
  /** This thread's own bell. */
  readonly bell: Doorbell;
  private readonly locksHeld: () => number;
  private readonly outboxBytesMax: number;
  private readonly targets: readonly (Target | null)[];
  private readonly readers: readonly (RingReader | null)[];
  private readonly dispatchBound: (k: number, u8: Uint8Array, start: number, n: number) => void;
  private handlers: MessageHandlers = [];
  private from = -1;
  private waitingBytes = 0;
  private waitingCount = 0;
  private isPolling = false;

  /** `locksHeld` tells how many partition locks this thread holds (slab/lock.ts). */
  constructor(shape: MeshShape, self: number, locksHeld: () => number) {
    assert(self >= 0 && self < shape.threadCount, 'a thread of the mesh has a number in it');
    this.self = self;
    this.threadCount = shape.threadCount;
    this.bell = new Doorbell(shape.bells, self);
    this.locksHeld = locksHeld;
    this.outboxBytesMax = shape.outboxBytesMax;
    const stride = ringBytes(shape.ringCapacity);
    const others = Array.from({ length: shape.threadCount }, (_, thread) => thread);
    this.targets = others.map((to) => {
      if (to === self) return null;
      const writer = new RingWriter(shape.inboxes[to]!, self * stride, shape.ringCapacity);
      return new Target(writer, new Doorbell(shape.bells, to));
    });
    this.readers = others.map((from) => {
      if (from === self) return null;
      return new RingReader(shape.inboxes[self]!, from * stride, shape.ringCapacity);
    });
    this.dispatchBound = (kind, u8, start, length) => this.dispatch(kind, u8, start, length);
  }

  // ---- out ------------------------------------------------------------------------------------

  /** Sends a copy of u8[start, start + length) to thread `to`. The target wakes at `flush`. */
  send(to: number, kind: number, u8: Uint8Array, start: number, length: number): void {
    const target = this.targetOf(to, kind);
    if (this.hasNoneWaiting(target) && this.pushWhole(target, kind, u8, start, length)) return;
    this.sendSlowly(target, kind, u8, start, length);
  }

  /** Sends four 32-bit integers, as most notices are. The handler reads them at start >> 2. */
  sendInts(to: number, kind: number, a: number, b: number, c: number, d: number): void {
    const target = this.targetOf(to, kind);
    const { writer } = target;
    const at = this.hasNoneWaiting(target) ? writer.reserve(kind, 16) : -1;
    if (at < 0) {
      const bytes = new Uint8Array(Int32Array.of(a, b, c, d).buffer);
      this.sendSlowly(target, kind, bytes, 0, bytes.length);
      return;
    }
    let index = at >> 2;
    writer.i32[index++] = a;
    writer.i32[index++] = b;
    writer.i32[index++] = c;
    writer.i32[index] = d;
    writer.commit();
    target.isToBeRung = true;
  }

  /** Wakes thread `to` without a message, at once and even under a lock: it never waits. */
  wake(to: number): void {
    const target = this.targets[to];
    if (target != null) target.bell.ring();
  }

  private targetOf(to: number, kind: number): Target {
    assert(this.locksHeld() === 0, 'nothing is posted while a lock is held');
    assert(kind >= 0 && kind < MessageKind.Count, 'a message has a kind of its own');
    const target = this.targets[to];
    if (target == null) fail('a message goes to another thread of the mesh');
    return target;
  }

  private hasNoneWaiting(target: Target): boolean {
    return target.nextIndex === target.waiting.length;
  }

  private pushWhole(
    target: Target,
    kind: number,
    u8: Uint8Array,
    start: number,
    length: number,
  ): boolean {
    if (length > target.writer.wholeBytesMax) return false;
    if (!target.writer.tryPush(kind, u8, start, length)) return false;
    target.isToBeRung = true;
    return true;
  }

  /** The message is long, or must wait: its bytes are borrowed, so what stays is copied. */
  private sendSlowly(
    target: Target,
    kind: number,
    u8: Uint8Array,
    start: number,
    length: number,
  ): void {
    const isWhole = length <= target.writer.wholeBytesMax;
    let sent = 0;
    if (!isWhole && this.hasNoneWaiting(target)) {
      sent = target.writer.pushFragments(kind, length, 0, u8, start);
      if (sent > 0) target.isToBeRung = true;
      if (sent === length) return;
    }
    const rest = u8.slice(start + sent, start + length);
    target.waiting.push(new Waiting(kind, rest, length, sent));
    this.waitingCount++;
    this.waitingBytes += rest.length + WAITING_OVERHEAD_BYTES;
  }

  /** Should this thread take no more input from clients? */
  isOverLimit(): boolean {
    return this.waitingBytes > this.outboxBytesMax;
  }

  /** Messages that wait for room in a ring. */
  outboxCount(): number {
    return this.waitingCount;
  }

  /** Pushes what waits while there is room, and wakes whoever got something. Ends every turn. */
  flush(): void {
    for (let to = 0; to < this.targets.length; to++) {
      const target = this.targets[to];
      if (target == null) continue;
      if (!this.hasNoneWaiting(target)) this.pushWaiting(target);
      if (!target.isToBeRung) continue;
      target.isToBeRung = false;
      target.bell.ring();
    }
  }

  private pushWaiting(target: Target): void {
    for (;;) {
      while (!this.hasNoneWaiting(target)) {
        const message = target.waiting[target.nextIndex]!;
        const isSent = this.pushMessage(target, message);
        if (!isSent) break;
        this.waitingBytes -= message.bytes.length + WAITING_OVERHEAD_BYTES;
        this.waitingCount--;
        target.nextIndex++;
      }
      if (this.hasNoneWaiting(target)) {
        target.waiting = [];
        target.nextIndex = 0;
        return;
      }
      // The drainer rings when there is room, unless there is some already.
      if (target.writer.wantRoom()) break;
    }
    this.dropSent(target);
  }

  private pushMessage(target: Target, message: Waiting): boolean {
    const { kind, bytes, total } = message;
    if (total <= target.writer.wholeBytesMax) return this.pushWhole(target, kind, bytes, 0, total);
    const start = message.sent - message.firstSent;
    const sent = target.writer.pushFragments(kind, total, message.sent, bytes, start);
    if (sent > message.sent) target.isToBeRung = true;
    message.sent = sent;
    return sent === total;
  }

  /** Sent messages leave the queue once they are half of it, so that each is moved about once. */
  private dropSent(target: Target): void {
    if (target.nextIndex * 2 < target.waiting.length) return;
    target.waiting = target.waiting.slice(target.nextIndex);
    target.nextIndex = 0;
  }

  // ---- in -------------------------------------------------------------------------------------

  /**
   * Hands every message that is here to the handler of its kind, and returns how many there were.
   * Not to be called from a handler.
   */
  poll(handlers: MessageHandlers): number {
    assert(!this.isPolling, 'a message handler does not poll');
    this.isPolling = true;
    this.handlers = handlers;
    let count = 0;
    for (let from = 0; from < this.readers.length; from++) {
      const reader = this.readers[from];
      if (reader == null || reader.isEmpty()) continue;
      this.from = from;
      count += reader.drain(this.dispatchBound);
      if (reader.takeWish()) this.targets[from]!.bell.ring();
    }
    this.isPolling = false;
    return count;
  }

  private dispatch(kind: number, u8: Uint8Array, start: number, length: number): void {
    const handler = this.handlers[kind];
    if (handler !== undefined) handler(this.from, u8, start, length);
    else assert(kind === MessageKind.Wake, `messages of kind ${kind} have a handler`);
  }

  /** Is there a message? */
  hasMail(): boolean {
    for (let from = 0; from < this.readers.length; from++) {
      const reader = this.readers[from];
      if (reader != null && !reader.isEmpty()) return true;
    }
    return false;
  }

  // ---- sleep ----------------------------------------------------------------------------------

  /**
   * May this thread sleep? Flushes, announces the sleep and looks at its rings for the last time;
   * the caller then looks at whatever else others leave for it (the part board, flags). Whatever
   * the answers and however it slept, `woke` comes next. False also if waiting messages have just
   * gone out: the thread may be under its limit again, and take input.
   */
  prepareSleep(): boolean {
    const waitingBefore = this.waitingCount;
    this.flush();
    if (this.waitingCount < waitingBefore) return false;
    this.bell.announce();
    return !this.hasMail() && this.willBeRung();
  }

  /**
   * Will everybody whose ring is full ring when there is room? Asked once more after the
   * announcement: a drainer may have taken the wish for room, and rung, when this thread still
   * counted as awake.
   */
  private willBeRung(): boolean {
    if (this.waitingCount === 0) return true;
    for (let to = 0; to < this.targets.length; to++) {
      const target = this.targets[to];
      if (target == null || this.hasNoneWaiting(target)) continue;
      if (!target.writer.willBeRung()) return false;
    }
    return true;
  }

  /** The thread is awake: rings cost their senders nothing until the next prepareSleep. */
  woke(): void {
    this.bell.silence();
  }
}
