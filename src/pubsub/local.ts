// The subscribers of this thread: by session, and by the record of their channel or pattern.
// Messages bring the numbers of records, so no name is looked up here.

import { assert } from '../base/assert.js';
import { Kind, type RecordId } from './registry.js';

/** Whoever may subscribe: a session, as far as pub/sub knows it. */
export interface Subscriber {
  readonly protocol: 2 | 3;
  /** What it has subscribed to; null when to nothing. */
  subscriptions: Subscriptions | null;
  /** Where its messages go: known to the edge alone. */
  readonly outlet: unknown;
}

/** All that one subscriber has subscribed to, by name (latin1) in the order of subscribing. */
export class Subscriptions {
  readonly byKind: readonly Map<string, Subscription>[];

  constructor() {
    this.byKind = Array.from({ length: Kind.Count }, () => new Map<string, Subscription>());
  }

  count(kind: Kind): number {
    return this.byKind[kind]!.size;
  }

  /** The number in replies: channels and patterns together, shard channels by themselves. */
  shownCount(kind: Kind): number {
    if (kind === Kind.Shard) return this.count(Kind.Shard);
    return this.count(Kind.Channel) + this.count(Kind.Pattern);
  }

  get isEmpty(): boolean {
    return this.byKind.every((names) => names.size === 0);
  }
}

export class Subscription {
  readonly subscriber: Subscriber;
  readonly group: Group;
  /** The registry's version when it began: older messages are not for it. */
  readonly since: number;
  /** Its place in the group. */
  index: number;

  constructor(subscriber: Subscriber, group: Group, since: number, index: number) {
    this.subscriber = subscriber;
    this.group = group;
    this.since = since;
    this.index = index;
  }
}

/** The subscribers of one channel or pattern on this thread. */
export class Group {
  readonly id: RecordId;
  readonly kind: Kind;
  readonly name: Uint8Array;
  readonly members: Subscription[] = [];
  /** Its place in the list of patterns; of patterns only. */
  patternIndex = -1;

  constructor(id: RecordId, kind: Kind, name: Uint8Array) {
    this.id = id;
    this.kind = kind;
    this.name = name;
  }
}

export class LocalIndex {
  /** Groups of patterns, for events that are matched here. */
  readonly patterns: Group[] = [];
  private readonly groups = new Map<RecordId, Group>();

  groupOf(id: RecordId): Group | undefined {
    return this.groups.get(id);
  }

  /** Adds a subscription to record `id`, which the registry has counted already. */
  add(
    subscriber: Subscriber,
    id: RecordId,
    kind: Kind,
    name: Uint8Array,
    since: number,
  ): Subscription {
    let group = this.groups.get(id);
    if (group === undefined) {
      group = new Group(id, kind, new Uint8Array(name));
      this.groups.set(id, group);
      if (kind === Kind.Pattern) group.patternIndex = this.patterns.push(group) - 1;
    }
    const subscription = new Subscription(subscriber, group, since, group.members.length);
    group.members.push(subscription);
    return subscription;
  }

  /** Takes a subscription out. True when it was the last of its group. */
  remove(subscription: Subscription): boolean {
    const { group } = subscription;
    const { members } = group;
    assert(members[subscription.index] === subscription, 'a subscription knows its place');
    const last = members.pop()!;
    if (last !== subscription) {
      members[subscription.index] = last;
      last.index = subscription.index;
    }
    if (members.length > 0) return false;
    this.groups.delete(group.id);
    if (group.kind !== Kind.Pattern) return true;
    const lastPattern = this.patterns.pop()!;
    if (lastPattern !== group) {
      this.patterns[group.patternIndex] = lastPattern;
      lastPattern.patternIndex = group.patternIndex;
    }
    return true;
  }
}

/** Asserts that groups, places and patterns agree. */
export function checkLocalIndex(index: LocalIndex, subscribers: Iterable<Subscriber>): void {
  let members = 0;
  const groups = new Set<Group>();
  for (const { subscriptions } of subscribers) {
    for (const [kind, names] of (subscriptions?.byKind ?? []).entries()) {
      for (const [name, subscription] of names) {
        const { group } = subscription;
        assert(group.kind === kind, 'a subscription stands with its kind');
        assert(Buffer.from(group.name).toString('latin1') === name, 'it stands under its name');
        assert(group.members[subscription.index] === subscription, 'it knows its place');
        assert(index.groupOf(group.id) === group, 'its group is found by the record');
        groups.add(group);
        members++;
      }
    }
  }
  let counted = 0;
  let patterns = 0;
  for (const group of groups) {
    counted += group.members.length;
    if (group.kind === Kind.Pattern) patterns++;
  }
  assert(counted === members, 'every member of a group is a subscription of somebody');
  assert(index.patterns.length === patterns, 'the list of patterns has each group once');
}
