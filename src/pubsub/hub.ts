// Publish and subscribe, for one thread. The registry says which threads have subscribers of a
// channel; a message goes to each of them once, over the mesh, and each thread gives it to its own.
//
//   PUBLISH ─▶ registry.look, patterns ─▶ count ─┬─▶ this thread's subscribers
//                                                └─▶ Post ─▶ arrived ─▶ that thread's subscribers
//
// - A subscription is counted before its confirmation leaves, and a message is in the ring before
//   its publisher's reply leaves: who has the confirmation gets what is published afterwards.
// - Between two threads a ring keeps the order, so every subscriber gets the messages of one
//   publisher in the order in which they were published.
// - What is published while locks are held (EXEC, scripts) waits here until `settle`; its receivers
//   are counted at once.

import { matchesGlob } from '../base/glob.js';
import type { Slices } from '../base/slices.js';
import { MessageKind, type Post } from '../mesh/post.js';
import { locksHeld } from '../slab/lock.js';
import { NONE } from '../slab/slab.js';
import { Delivery, type Outlet } from './delivery.js';
import { LocalIndex, type Subscriber, type Subscription, Subscriptions } from './local.js';
import { MessageCodec, Published, readMessage } from './message.js';
import { mayMatchNotices, Notices, type NoticesShape } from './notices.js';
import { Kind, type PatternFacts, Registry, type RegistryShape } from './registry.js';

/** What pub/sub sends with: the part of the mesh's Post that it needs. */
export type Sender = Pick<Post, 'send' | 'sendInts' | 'flush'>;

export interface PubSubShape {
  readonly registry: RegistryShape;
  readonly notices: NoticesShape;
}

export interface PubSubFields {
  readonly shape: PubSubShape;
  readonly thread: number;
  readonly post: Sender;
  /** Runs `visitor` under the lock of each partition, one after the other. */
  readonly eachPartition: (visitor: (partition: number) => void) => void;
}

/** A message that waits for locks to be released. */
interface Deferred {
  readonly bytes: Uint8Array;
  readonly targets: Int32Array;
}

export class PubSub {
  readonly registry: Registry;
  readonly local = new LocalIndex();
  readonly notices: Notices;
  private readonly thread: number;
  private readonly post: Sender;
  private delivery: Delivery | null = null;
  private readonly codec = new MessageCodec();
  /** What `count` has looked up, for the `publish` that follows. */
  private readonly outgoing = new Published();
  private readonly incoming = new Published();
  private readonly targets: Int32Array;
  private patterns: readonly PatternFacts[] = [];
  private patternVersion = 0;
  private deferred: Deferred[] = [];
  private isPosted = false;

  constructor({ shape, thread, post, eachPartition }: PubSubFields) {
    this.registry = new Registry(shape.registry, thread);
    this.targets = new Int32Array(shape.registry.threadCount);
    this.thread = thread;
    this.post = post;
    this.notices = new Notices({
      shape: shape.notices,
      thread,
      registry: this.registry,
      local: this.local,
      post,
      eachPartition,
    });
  }

  /** Says where messages for this thread's subscribers go; before the first of them. */
  connect(outlet: Outlet): void {
    this.delivery = new Delivery(outlet);
    this.notices.connect(this.delivery);
  }

  // ---- subscribing ----------------------------------------------------------------------------

  /** Subscribes to the name at word `index`. False when there is no memory for it. */
  subscribe(subscriber: Subscriber, kind: Kind, args: Slices, index: number): boolean {
    subscriber.subscriptions ??= new Subscriptions();
    const names = subscriber.subscriptions.byKind[kind]!;
    const text = args.text(index);
    if (names.has(text)) return true;
    const { registry, local } = this;
    const id = registry.add(kind, args.u8, args.startOf(index), args.lengthOf(index));
    if (id === NONE) {
      this.leaveIfEmpty(subscriber);
      return false;
    }
    const name = args.copy(index);
    const subscription = local.add(subscriber, id, kind, name, registry.version);
    names.set(text, subscription);
    if (mayMatchNotices(kind, name)) this.notices.listen();
    return true;
  }

  /** Ends the subscription to a name, if there is one. */
  unsubscribe(subscriber: Subscriber, kind: Kind, text: string): void {
    const names = subscriber.subscriptions?.byKind[kind];
    const subscription = names?.get(text);
    if (names === undefined || subscription === undefined) return;
    names.delete(text);
    this.end(subscription);
    this.leaveIfEmpty(subscriber);
  }

  /** The subscriber is gone, or starts anew: ends all its subscriptions. */
  leave(subscriber: Subscriber): void {
    const { subscriptions } = subscriber;
    if (subscriptions === null) return;
    subscriber.subscriptions = null;
    for (const names of subscriptions.byKind) {
      for (const subscription of names.values()) this.end(subscription);
    }
  }

  private end(subscription: Subscription): void {
    const { kind, name, id } = subscription.group;
    this.local.remove(subscription);
    this.registry.remove(id);
    if (mayMatchNotices(kind, name)) this.notices.stopListening();
  }

  private leaveIfEmpty(subscriber: Subscriber): void {
    if (subscriber.subscriptions?.isEmpty === true) subscriber.subscriptions = null;
  }

  // ---- publishing -----------------------------------------------------------------------------

  /**
   * How many receive a message to the channel at word `channel`. `publish` sends it to exactly
   * them; a message with none needs not be sent.
   */
  count(kind: Kind.Channel | Kind.Shard, args: Slices, channel: number): number {
    const { registry, outgoing, targets } = this;
    const start = args.startOf(channel);
    const length = args.lengthOf(channel);
    registry.look(kind, args.u8, start, length);
    if (kind === Kind.Channel && registry.patternVersion !== this.patternVersion) {
      this.renewPatterns(args.u8, start, length);
    }
    let receivers = registry.total;
    outgoing.version = registry.version;
    outgoing.channelId = registry.id;
    outgoing.patternCount = 0;
    // One after the other: there are few, and a call would take longer.
    for (let thread = 0; thread < targets.length; thread++) {
      targets[thread] = receivers === 0 ? 0 : registry.targets[thread]!;
    }
    if (kind === Kind.Channel && this.patterns.length > 0) {
      receivers += this.matchPatterns(args.u8, start, length);
    }
    return receivers;
  }

  /** Brings the copy of the patterns and the look at the channel to one version. */
  private renewPatterns(u8: Uint8Array, start: number, length: number): void {
    const { registry } = this;
    do {
      this.patterns = registry.patterns();
      this.patternVersion = registry.patternVersion;
      registry.look(Kind.Channel, u8, start, length);
    } while (registry.patternVersion !== this.patternVersion);
  }

  private matchPatterns(u8: Uint8Array, start: number, length: number): number {
    const { outgoing, targets, patterns } = this;
    let receivers = 0;
    for (let index = 0; index < patterns.length; index++) {
      const pattern = patterns[index]!;
      const { bytes } = pattern;
      if (!matchesGlob(bytes, 0, bytes.length, u8, start, length, false)) continue;
      receivers += pattern.total;
      outgoing.addPattern(pattern.id);
      for (let thread = 0; thread < targets.length; thread++) {
        targets[thread] = targets[thread]! + pattern.targets[thread]!;
      }
    }
    return receivers;
  }

  /**
   * Sends the message at word `message` to those whom `count` has just counted; `isLater`: once the
   * transaction or script is over that it is part of.
   */
  publish(args: Slices, channel: number, message: number, isLater: boolean): void {
    const { outgoing, targets, codec } = this;
    outgoing.channel = args.u8;
    outgoing.channelStart = args.startOf(channel);
    outgoing.channelBytes = args.lengthOf(channel);
    outgoing.message = args.u8;
    outgoing.messageStart = args.startOf(message);
    outgoing.messageBytes = args.lengthOf(message);
    if (isLater || locksHeld() > 0) {
      // The writing first: it may move to longer bytes.
      const length = codec.write(outgoing);
      this.deferred.push({ bytes: codec.u8.slice(0, length), targets: targets.slice() });
    } else {
      // What was published before, under locks, goes first.
      if (this.deferred.length !== 0) this.sendDeferred();
      if (this.isForOthers()) {
        const length = codec.write(outgoing);
        this.sendTo(codec.u8, length, targets);
      }
      if (targets[this.thread] !== 0) this.deliver(outgoing);
    }
    outgoing.drop();
  }

  private isForOthers(): boolean {
    const { targets, thread } = this;
    for (let to = 0; to < targets.length; to++) if (to !== thread && targets[to] !== 0) return true;
    return false;
  }

  private sendTo(u8: Uint8Array, length: number, targets: Int32Array): void {
    for (let to = 0; to < targets.length; to++) {
      if (to === this.thread || targets[to] === 0) continue;
      this.post.send(to, MessageKind.Publish, u8, 0, length);
      this.isPosted = true;
    }
  }

  /** MessageKind.Publish: a message of another thread. */
  readonly arrived = (_from: number, u8: Uint8Array, start: number): void => {
    const { incoming } = this;
    readMessage(u8, start, incoming);
    this.deliver(incoming);
    incoming.drop();
  };

  private deliver(published: Published): void {
    const { local, delivery } = this;
    if (delivery === null) return;
    if (published.channelId !== NONE) {
      const group = local.groupOf(published.channelId);
      if (group !== undefined) delivery.deliver(group, published);
    }
    for (let index = 0; index < published.patternCount; index++) {
      const group = local.groupOf(published.patterns[index]! as typeof published.channelId);
      if (group !== undefined) delivery.deliver(group, published);
    }
  }

  // ---- the end of a turn ----------------------------------------------------------------------

  /** Is there something that `settle` has to send? */
  get hasNews(): boolean {
    return this.deferred.length !== 0 || this.isPosted || this.notices.hasNews;
  }

  /** No lock is held any more: sends what has waited for that, and wakes who got something. */
  settle(): void {
    if (this.deferred.length !== 0) this.sendDeferred();
    if (this.notices.settle()) this.isPosted = true;
    if (!this.isPosted) return;
    this.isPosted = false;
    this.post.flush();
  }

  private sendDeferred(): void {
    const { deferred, incoming } = this;
    this.deferred = [];
    for (const { bytes, targets } of deferred) {
      this.sendTo(bytes, bytes.length, targets);
      if (targets[this.thread] === 0) continue;
      readMessage(bytes, 0, incoming);
      this.deliver(incoming);
    }
    incoming.drop();
  }
}
