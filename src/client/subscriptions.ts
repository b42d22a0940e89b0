// Channels as async iterators. Several iterators may follow one channel: the server hears of the
// first one that comes and of the last one that goes.

import { ReplyError, type Value, type Word } from './value.js';

export type SubscriptionKind = 'subscribe' | 'psubscribe' | 'ssubscribe';

export interface Message {
  readonly channel: string;
  /** Text, or bytes where they are no text or in binary mode. */
  readonly payload: string | Uint8Array;
  /** The pattern that fits the channel, for psubscribe. */
  readonly pattern?: string;
}

/** More messages than this that nobody has read end an iterator, before they end the page. */
const UNREAD_MAX = 10_000;

/** Messages of some channels. It ends by close(), or by leaving the loop over it. */
export class Subscription implements AsyncIterableIterator<Message> {
  private readonly unread: Message[] = [];
  private readonly readers: ((result: IteratorResult<Message>) => void)[] = [];
  private isClosed = false;
  private error: Error | null = null;

  constructor(
    /** Fulfilled when the server has confirmed, rejected when it has refused. */
    readonly ready: Promise<void>,
    private readonly leave: (subscription: Subscription) => void,
  ) {
    // Who only loops gets the refusal there. A lost connection is none: the next one subscribes.
    ready.catch((error: Error) => {
      if (error instanceof ReplyError) this.fail(error);
    });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Message>> {
    const message = this.unread.shift();
    if (message !== undefined) return Promise.resolve({ value: message, done: false });
    if (this.error !== null) {
      const { error } = this;
      this.error = null;
      return Promise.reject(error);
    }
    if (this.isClosed) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve, reject) => {
      this.readers.push((result) => {
        if (this.error === null) resolve(result);
        else reject(this.error);
      });
    });
  }

  return(): Promise<IteratorResult<Message>> {
    this.close();
    return Promise.resolve({ value: undefined, done: true });
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.leave(this);
    for (const read of this.readers.splice(0)) read({ value: undefined, done: true });
  }

  /** For the client: a message has come. */
  deliver(message: Message): void {
    const read = this.readers.shift();
    if (read !== undefined) read({ value: message, done: false });
    else if (this.unread.length < UNREAD_MAX) this.unread.push(message);
    else this.fail(new Error(`${UNREAD_MAX} messages were not read`));
  }

  /** For the client: it ends with an error, which the next reader gets. */
  fail(error: Error): void {
    if (this.isClosed) return;
    this.error = error;
    const hasReader = this.readers.length > 0;
    this.close();
    if (hasReader) this.error = null;
  }
}

const KIND_OF_PUSH: Readonly<Record<string, SubscriptionKind | undefined>> = {
  message: 'subscribe',
  pmessage: 'psubscribe',
  smessage: 'ssubscribe',
};

const textDecoder = new TextDecoder();

/** Names of channels are bytes in binary mode, but they were given as text. */
function textOf(value: Value | undefined): string {
  return value instanceof Uint8Array ? textDecoder.decode(value) : String(value);
}

export class Subscriptions {
  private readonly followers: Readonly<Record<SubscriptionKind, Map<string, Set<Subscription>>>> = {
    subscribe: new Map(),
    psubscribe: new Map(),
    ssubscribe: new Map(),
  };

  constructor(private readonly request: (words: readonly Word[]) => Promise<Value>) {}

  /** What a new connection is to subscribe to. */
  greeting(): Word[][] {
    const kinds = Object.entries(this.followers);
    return kinds.flatMap(([kind, names]) =>
      names.size === 0 ? [] : [[kind.toUpperCase(), ...names.keys()]],
    );
  }

  follow(kind: SubscriptionKind, names: readonly string[]): Subscription {
    const followers = this.followers[kind];
    const unknown = names.filter((name) => !followers.has(name));
    const isAsked = unknown.length > 0;
    const asked = isAsked ? this.request([kind.toUpperCase(), ...unknown]) : Promise.resolve(null);
    const ready = asked.then(() => {});
    const subscription = new Subscription(ready, (left) => this.leave(kind, names, left));
    for (const name of names) {
      const set = followers.get(name);
      if (set === undefined) followers.set(name, new Set([subscription]));
      else set.add(subscription);
    }
    return subscription;
  }

  pushed(push: string, values: readonly Value[]): void {
    const kind = KIND_OF_PUSH[push];
    if (kind === undefined) return;
    const isPattern = kind === 'psubscribe';
    const name = textOf(values[0]);
    const channel = isPattern ? textOf(values[1]) : name;
    const payload = values[isPattern ? 2 : 1] as string | Uint8Array;
    const message = isPattern ? { channel, payload, pattern: name } : { channel, payload };
    for (const subscription of this.followers[kind].get(name) ?? []) subscription.deliver(message);
  }

  closeAll(): void {
    for (const names of Object.values(this.followers)) {
      for (const set of [...names.values()]) for (const each of [...set]) each.close();
    }
  }

  private leave(kind: SubscriptionKind, names: readonly string[], left: Subscription): void {
    const followers = this.followers[kind];
    const deserted = names.filter((name) => {
      const set = followers.get(name);
      set?.delete(left);
      return set?.size === 0;
    });
    for (const name of deserted) followers.delete(name);
    if (deserted.length === 0) return;
    const verb = kind.replace('subscribe', 'unsubscribe').toUpperCase();
    // A connection that is gone has forgotten the channels by itself.
    this.request([verb, ...deserted]).catch(() => {});
  }
}
