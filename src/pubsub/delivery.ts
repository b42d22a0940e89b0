// From a message to the output of its subscribers on this thread. A message is encoded once for
// each protocol version; what its subscribers get is the same bytes. How they come to them is the
// edge's: see Outlet.

import { GrowingEdge, Reply } from '../resp/write.js';
import type { Group, Subscriber } from './local.js';
import type { Published } from './message.js';
import { Kind } from './registry.js';

/** Where encoded messages go: the output of this thread's connections. */
export interface Outlet {
  /** Makes room for `bytes`, at most 2 × PUSH_BYTES_MAX, in `pushes` behind `pushAt`. */
  prepare(bytes: number): void;
  readonly pushes: Uint8Array;
  /** Where the next message is written; whoever writes moves it on. */
  pushAt: number;
  /** Appends pushes[start, end), written since the last `prepare`, to a subscriber's output. */
  push(subscriber: Subscriber, start: number, end: number): void;
  /** The same for a long message, which has bytes of its own that never change. */
  pushLong(subscriber: Subscriber, bytes: Uint8Array): void;
}

/** Longer messages do not pass through the outlet's common bytes. */
export const PUSH_BYTES_MAX = 64 * 1024;

/** Room for everything but names and message: the frame, the kind, the lengths. */
const FRAME_BYTES = 256;

const WORDS: readonly Uint8Array[] = [
  Buffer.from('$7\r\nmessage\r\n', 'latin1'),
  Buffer.from('$8\r\nsmessage\r\n', 'latin1'),
  Buffer.from('$8\r\npmessage\r\n', 'latin1'),
];

/** One message in one protocol. */
class Encoded {
  isDone = false;
  start = 0;
  end = 0;
  long: Uint8Array | null = null;
}

export class Delivery {
  private readonly outlet: Outlet;
  private readonly reply = new Reply(new Uint8Array(new ArrayBuffer(64)), new GrowingEdge());
  private readonly resp2 = new Encoded();
  private readonly resp3 = new Encoded();

  constructor(outlet: Outlet) {
    this.outlet = outlet;
  }

  /** Gives a message to the members of `group` that had subscribed by its version. */
  deliver(group: Group, published: Published): void {
    const { outlet, resp2, resp3 } = this;
    const { version, channelBytes, messageBytes } = published;
    const bytes = FRAME_BYTES + group.name.length + channelBytes + messageBytes;
    const isLong = bytes > PUSH_BYTES_MAX;
    if (!isLong) outlet.prepare(2 * bytes);
    resp2.isDone = false;
    resp3.isDone = false;
    const { members } = group;
    for (let index = 0; index < members.length; index++) {
      const { subscriber, since } = members[index]!;
      if (since > version) continue;
      const encoded = subscriber.protocol === 2 ? resp2 : resp3;
      if (!encoded.isDone) {
        this.reply.protocol = subscriber.protocol;
        if (isLong) this.encodeApart(encoded, group, published, bytes);
        else this.encodeAmong(encoded, group, published);
      }
      if (isLong) outlet.pushLong(subscriber, encoded.long!);
      else outlet.push(subscriber, encoded.start, encoded.end);
    }
    resp2.long = null;
    resp3.long = null;
  }

  private encodeAmong(encoded: Encoded, group: Group, published: Published): void {
    const { outlet, reply } = this;
    reply.u8 = outlet.pushes;
    reply.at = outlet.pushAt;
    encoded.start = reply.at;
    this.encode(group, published);
    encoded.end = reply.at;
    encoded.isDone = true;
    outlet.pushAt = reply.at;
  }

  private encodeApart(encoded: Encoded, group: Group, published: Published, bytes: number): void {
    const { reply } = this;
    reply.u8 = new Uint8Array(new ArrayBuffer(bytes));
    reply.at = 0;
    this.encode(group, published);
    encoded.long = reply.u8.subarray(0, reply.at);
    encoded.isDone = true;
  }

  private encode(group: Group, published: Published): void {
    const { reply } = this;
    const isPattern = group.kind === Kind.Pattern;
    reply.push(isPattern ? 4 : 3);
    reply.raw(WORDS[group.kind]!);
    if (isPattern) reply.bulk(group.name, 0, group.name.length);
    reply.bulk(published.channel, published.channelStart, published.channelBytes);
    reply.bulk(published.message, published.messageStart, published.messageBytes);
  }
}

/** The words of confirmations by kind: of a subscription, and of its end. */
const CONFIRMATIONS: readonly (readonly [string, string])[] = [
  ['subscribe', 'unsubscribe'],
  ['ssubscribe', 'sunsubscribe'],
  ['psubscribe', 'punsubscribe'],
];

/** The reply to a subscription or its end; a null name says that there was nothing to end. */
export function writeConfirmation(
  reply: Reply,
  kind: Kind,
  isSubscribed: boolean,
  name: Uint8Array | null,
  count: number,
): void {
  reply.push(3);
  reply.text(CONFIRMATIONS[kind]![isSubscribed ? 0 : 1]);
  if (name === null) reply.nil();
  else reply.bulk(name, 0, name.length);
  reply.integer(count);
}
