// Keyspace notifications: what happened to a key, for subscribers of the channels
// `__keyspace@<db>__:<key>` and `__keyevent@<db>__:<event>` on any thread.
//
//   under the lock            after it was released          the thread of a subscriber
//   number, targets ─▶ own ─▶ settle ─▶ Post ─▶ ring ─▶ arrived ─▶ in the order of the numbers
//   (note)             outbox                           ─▶ both channels ─▶ its subscribers
//
// Order. Two threads may change one key in turn and post their notices in the other order, because
// nothing is posted under a lock. So each partition numbers its notices, under its lock, and each
// thread that listens hands those of a partition on in the order of their numbers, keeping what
// has come too early.
//
// No gaps. Whoever listens gets every notice, so a missing number always comes. Who listens is
// looked up under the partition's lock, together with the number. A thread that begins to listen
// sets its bit and then visits each partition under its lock: whoever takes the lock afterwards
// sees the bit, and what has a lower number than it finds there is not for it.
//
// The shared words
//   │ Listeners: a bit for each thread, written by it │ per partition, a cache line: its number │
// Atomics for the bits, because a thread sets its own at any time; the numbers belong to the
// partition's lock.
//
// A record, in the outbox and in the ring:
//   │ partition │ number │ version, 2 │ database │ forms │ event bytes │ key bytes │ event │ key │

import { writeInteger } from '../base/ascii.js';
import { copyBytes } from '../base/bytes.js';
import { matchesGlob } from '../base/glob.js';
import { MessageKind } from '../mesh/post.js';
import { locksHeld } from '../slab/lock.js';
import type { Delivery } from './delivery.js';
import type { Sender } from './hub.js';
import type { LocalIndex } from './local.js';
import { Published } from './message.js';
import { Kind, type Registry } from './registry.js';

const enum Shared {
  Listeners = 0,
  Lines = 128,
}

const enum PartitionLine {
  Number = 0,
  Words = 16,
}

const enum Word {
  Partition = 0,
  Number = 1,
  VersionLow = 2,
  VersionHigh = 3,
  Database = 4,
  Forms = 5,
  EventBytes = 6,
  KeyBytes = 7,
  Words = 8,
}

/** The channels that a notice goes to. */
export const enum Form {
  Keyspace = 1,
  Keyevent = 2,
}

const BITS = 32;
const TWO_32 = 2 ** 32;
const OUTBOX_BYTES = 16 * 1024;
const OUTBOX_BYTES_KEPT = 1024 * 1024;
/** Digits of a database and the dress around it. */
const CHANNEL_HEAD_BYTES = 32;

const KEYSPACE = Buffer.from('__keyspace@', 'latin1');
const KEYEVENT = Buffer.from('__keyevent@', 'latin1');
const BEHIND_DATABASE = Buffer.from('__:', 'latin1');

export interface NoticesShape {
  readonly words: SharedArrayBuffer;
}

/** Allocates what the threads share. Called once, before they start. */
export function createNotices(partitionCount: number): NoticesShape {
  const words = Shared.Lines + partitionCount * PartitionLine.Words;
  return { words: new SharedArrayBuffer(words * 4) };
}

/** May a channel of this name, or one that matches this pattern, be one of a notice? */
export function mayMatchNotices(kind: Kind, name: Uint8Array): boolean {
  if (kind === Kind.Shard) return false;
  const isPattern = kind === Kind.Pattern;
  return mayBegin(name, KEYSPACE, isPattern) || mayBegin(name, KEYEVENT, isPattern);
}

/** For a pattern: up to its first special byte. */
function mayBegin(name: Uint8Array, prefix: Uint8Array, isPattern: boolean): boolean {
  for (let index = 0; index < prefix.length; index++) {
    const byte = name[index];
    if (byte === undefined) return false;
    if (isPattern && SPECIAL.includes(byte)) return true;
    if (byte !== prefix[index]) return false;
  }
  return true;
}

const SPECIAL = Buffer.from('*?[\\', 'latin1');

export interface NoticesFields {
  readonly shape: NoticesShape;
  readonly thread: number;
  readonly registry: Registry;
  readonly local: LocalIndex;
  readonly post: Sender;
  readonly eachPartition: (visitor: (partition: number) => void) => void;
}

export class Notices {
  /** Form bits of notify-keyspace-events. */
  forms = 0;
  private readonly fields: NoticesFields;
  private readonly shared: Int32Array;
  private readonly threadCount: number;
  private readonly bitWords: number;
  private delivery: Delivery | null = null;
  /** Local subscriptions that may want notices. */
  private wanted = 0;
  private isListening = false;
  private isVisitDue = false;
  /**
   * While a visit is due: the first number that this thread has given in a partition since its bit
   * is set. It gave it under the partition's lock, so it hears of every later one.
   */
  private readonly firsts = new Map<number, number>();
  /** The next number of each partition that this thread hands on. */
  private readonly expected: Int32Array;
  /** What has come too early, per partition. */
  private readonly early: Map<number, Uint8Array>[];
  /** Records with the bits of their targets before each. */
  private outbox = new Uint8Array(new ArrayBuffer(OUTBOX_BYTES));
  private outboxWords = new Int32Array(this.outbox.buffer);
  private outboxAt = 0;
  private readonly published = new Published();
  private channel = new Uint8Array(new ArrayBuffer(256));

  constructor(fields: NoticesFields) {
    this.fields = fields;
    this.shared = new Int32Array(fields.shape.words);
    this.threadCount = fields.registry.threadCount;
    this.bitWords = Math.ceil(this.threadCount / BITS);
    const partitionCount = (this.shared.length - Shared.Lines) / PartitionLine.Words;
    this.expected = new Int32Array(partitionCount);
    this.early = Array.from({ length: partitionCount }, () => new Map<number, Uint8Array>());
  }

  connect(delivery: Delivery): void {
    this.delivery = delivery;
  }

  // ---- listening ------------------------------------------------------------------------------

  /** A subscription of this thread may want notices. */
  listen(): void {
    if (this.wanted++ > 0) return;
    const { thread } = this.fields;
    // Before the visits: whoever takes a partition's lock after this thread sees the bit.
    Atomics.or(this.shared, Shared.Listeners + Math.floor(thread / BITS), 1 << (thread % BITS));
    this.isVisitDue = true;
    // In a transaction the visits wait for its end: its locks are not to be taken out of order.
    if (locksHeld() === 0) this.visitPartitions();
  }

  /** A subscription for which `listen` was called is over. */
  stopListening(): void {
    if (--this.wanted > 0) return;
    const { thread } = this.fields;
    Atomics.and(this.shared, Shared.Listeners + Math.floor(thread / BITS), ~(1 << (thread % BITS)));
    this.isListening = false;
    this.isVisitDue = false;
    this.firsts.clear();
    for (const early of this.early) early.clear();
  }

  private visitPartitions(): void {
    this.isVisitDue = false;
    this.fields.eachPartition((partition) => {
      const first = this.firsts.get(partition);
      this.expected[partition] = first ?? this.shared[numberAt(partition)]!;
    });
    this.firsts.clear();
    this.isListening = true;
  }

  // ---- the changing thread --------------------------------------------------------------------

  /** Something happened to a key of `partition`, whose lock is held. */
  note(
    partition: number,
    event: string,
    database: number,
    u8: Uint8Array,
    start: number,
    length: number,
  ): void {
    const { shared, bitWords } = this;
    let anybody = 0;
    for (let word = 0; word < bitWords; word++) {
      // Atomic, and under the lock: see "No gaps".
      anybody |= Atomics.load(shared, Shared.Listeners + word);
    }
    if (anybody === 0) return;
    const number = shared[numberAt(partition)]!;
    shared[numberAt(partition)] = number + 1;
    if (this.isVisitDue && !this.firsts.has(partition)) this.firsts.set(partition, number);
    const headWords = this.headWords;
    this.ensure((headWords + Word.Words) * 4 + event.length + length + 8);
    const words = this.outboxWords;
    let at = this.outboxAt >> 2;
    for (let word = 0; word < bitWords; word++) {
      words[at + 1 + word] = Atomics.load(shared, Shared.Listeners + word);
    }
    const bytes = Word.Words * 4 + event.length + length;
    words[at] = bytes;
    at += headWords;
    const version = this.fields.registry.readVersion();
    words[at + Word.Partition] = partition;
    words[at + Word.Number] = number;
    words[at + Word.VersionLow] = (version % TWO_32) | 0;
    words[at + Word.VersionHigh] = Math.floor(version / TWO_32);
    words[at + Word.Database] = database;
    words[at + Word.Forms] = this.forms;
    words[at + Word.EventBytes] = event.length;
    words[at + Word.KeyBytes] = length;
    let to = (at + Word.Words) << 2;
    for (let index = 0; index < event.length; index++) this.outbox[to++] = event.charCodeAt(index);
    copyBytes(u8, start, this.outbox, to, length);
    this.outboxAt = ((at << 2) + bytes + 7) & ~7;
  }

  /** Words before a record in the outbox: its length and its targets, a multiple of two. */
  private get headWords(): number {
    return (1 + this.bitWords + 1) & ~1;
  }

  private ensure(bytes: number): void {
    const needed = this.outboxAt + bytes;
    if (needed <= this.outbox.length) return;
    const size = (Math.max(needed, this.outbox.length * 2) + 7) & ~7;
    const grown = new Uint8Array(new ArrayBuffer(size));
    grown.set(this.outbox.subarray(0, this.outboxAt));
    this.outbox = grown;
    this.outboxWords = new Int32Array(grown.buffer);
  }

  /** Is there something that `settle` has to send, or to do? */
  get hasNews(): boolean {
    return this.outboxAt !== 0 || this.isVisitDue;
  }

  /** No lock is held any more. True when something was posted. */
  settle(): boolean {
    if (this.isVisitDue) this.visitPartitions();
    if (this.outboxAt === 0) return false;
    const { outbox, outboxWords, headWords } = this;
    const end = this.outboxAt;
    let isPosted = false;
    for (let at = 0; at < end; ) {
      const wordAt = at >> 2;
      const bytes = outboxWords[wordAt]!;
      const start = at + headWords * 4;
      if (this.sendToListeners(wordAt + 1, start, bytes)) isPosted = true;
      at = (start + bytes + 7) & ~7;
    }
    this.outboxAt = 0;
    if (outbox.length > OUTBOX_BYTES_KEPT) {
      this.outbox = new Uint8Array(new ArrayBuffer(OUTBOX_BYTES));
      this.outboxWords = new Int32Array(this.outbox.buffer);
    }
    return isPosted;
  }

  private sendToListeners(bitsAt: number, start: number, bytes: number): boolean {
    const { outbox, outboxWords, threadCount } = this;
    const { thread, post } = this.fields;
    let isPosted = false;
    for (let to = 0; to < threadCount; to++) {
      const bits = outboxWords[bitsAt + Math.floor(to / BITS)]!;
      if ((bits & (1 << (to % BITS))) === 0) continue;
      if (to === thread) {
        this.arrived(thread, outbox, start, bytes);
      } else {
        post.send(to, MessageKind.Notice, outbox, start, bytes);
        isPosted = true;
      }
    }
    return isPosted;
  }

  // ---- the listening thread -------------------------------------------------------------------

  /** MessageKind.Notice: a notice of any thread, this one included. */
  readonly arrived = (_from: number, u8: Uint8Array, start: number, length: number): void => {
    if (!this.isListening) return;
    const words = new Int32Array(u8.buffer, u8.byteOffset + start, Word.Words);
    const partition = words[Word.Partition]!;
    const number = words[Word.Number]!;
    const ahead = (number - this.expected[partition]!) | 0;
    // From before this thread began to listen.
    if (ahead < 0) return;
    const early = this.early[partition]!;
    if (ahead > 0) {
      early.set(number, new Uint8Array(u8.slice(start, start + length)));
      return;
    }
    this.handOn(words, u8, start);
    let next = (number + 1) | 0;
    while (early.size > 0) {
      const kept = early.get(next);
      if (kept === undefined) break;
      early.delete(next);
      this.handOn(new Int32Array(kept.buffer, 0, Word.Words), kept, 0);
      next = (next + 1) | 0;
    }
    this.expected[partition] = next;
  };

  private handOn(words: Int32Array, u8: Uint8Array, start: number): void {
    const { published } = this;
    const forms = words[Word.Forms]!;
    const database = words[Word.Database]!;
    const eventBytes = words[Word.EventBytes]!;
    const keyBytes = words[Word.KeyBytes]!;
    const eventAt = start + Word.Words * 4;
    const keyAt = eventAt + eventBytes;
    published.version = words[Word.VersionHigh]! * TWO_32 + (words[Word.VersionLow]! >>> 0);
    if ((forms & Form.Keyspace) !== 0) {
      this.setChannel(KEYSPACE, database, u8, keyAt, keyBytes);
      this.deliver(u8, eventAt, eventBytes);
    }
    if ((forms & Form.Keyevent) !== 0) {
      this.setChannel(KEYEVENT, database, u8, eventAt, eventBytes);
      this.deliver(u8, keyAt, keyBytes);
    }
    published.drop();
  }

  private setChannel(
    prefix: Uint8Array,
    database: number,
    u8: Uint8Array,
    start: number,
    length: number,
  ): void {
    const bytes = CHANNEL_HEAD_BYTES + length;
    if (bytes > this.channel.length) this.channel = new Uint8Array(new ArrayBuffer(bytes * 2));
    const { channel, published } = this;
    copyBytes(prefix, 0, channel, 0, prefix.length);
    let at = prefix.length;
    at += writeInteger(channel, at, database);
    copyBytes(BEHIND_DATABASE, 0, channel, at, BEHIND_DATABASE.length);
    at += BEHIND_DATABASE.length;
    copyBytes(u8, start, channel, at, length);
    published.channel = channel;
    published.channelStart = 0;
    published.channelBytes = at + length;
  }

  private deliver(u8: Uint8Array, start: number, length: number): void {
    const { published, delivery } = this;
    const { registry, local } = this.fields;
    if (delivery === null) return;
    published.message = u8;
    published.messageStart = start;
    published.messageBytes = length;
    const { channel, channelBytes } = published;
    registry.look(Kind.Channel, channel, 0, channelBytes);
    const group = local.groupOf(registry.id);
    if (group !== undefined) delivery.deliver(group, published);
    const { patterns } = local;
    for (let index = 0; index < patterns.length; index++) {
      const { name } = patterns[index]!;
      if (!matchesGlob(name, 0, name.length, channel, 0, channelBytes, false)) continue;
      delivery.deliver(patterns[index]!, published);
    }
  }
}

function numberAt(partition: number): number {
  return Shared.Lines + partition * PartitionLine.Words + PartitionLine.Number;
}
