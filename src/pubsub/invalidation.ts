// The forms of an invalidation: between threads, and as its receiver reads it.
//
//   between threads: words, then bytes
//   │ Keys      │ origin slot, id │ key bytes │ members │ slot, id of each member │ key │
//   │ Broadcast │ count │ for each key: origin slot, id, key bytes │ the key, up to a word │
//   │ Flush     │
//   │ Redirect  │ source slot, id │ target slot, id │ bytes │ the value, encoded │
//   │ Gone      │ source slot, id │
//
// The origin is the session whose command has changed the key: it may not want to hear of that.

import { writeInteger } from '../base/ascii.js';
import { copyBytes } from '../base/bytes.js';

export const enum News {
  /** A key changed that sessions of the target have read. */
  Keys = 0,
  /** Keys changed whose prefixes sessions of the target want to hear of. */
  Broadcast = 1,
  /** All keys are gone. */
  Flush = 2,
  /** For a session of the target, from one that redirects to it. */
  Redirect = 3,
  /** Whom a session of the target redirects to is gone. */
  Gone = 4,
  /** As Keys, changed for one that has waited: it hears of that after the answer to its wait. */
  LateKeys = 5,
}

/** The first word of every message. */
const KIND = 0;

const enum KeysWord {
  OriginSlot = 1,
  OriginId = 2,
  KeyBytes = 3,
  Members = 4,
  Head = 5,
}

const enum BroadcastWord {
  Count = 1,
  Head = 2,
}

/** Redirect, and Gone, which ends before the target. */
const enum RedirectWord {
  SourceSlot = 1,
  SourceId = 2,
  TargetSlot = 3,
  TargetId = 4,
  ValueBytes = 5,
  Head = 6,
}

const BYTES_AT_START = 4096;
const BYTES_KEPT = 1024 * 1024;
/** `*1`, a length and line ends. */
const VALUE_HEAD_BYTES = 64;

/** Words and bytes, one behind the other; grows, and forgets what it has grown to. */
export class Writer {
  u8 = new Uint8Array(new ArrayBuffer(BYTES_AT_START));
  i32 = new Int32Array(this.u8.buffer);
  /** Where the next word goes, in bytes; a multiple of 4. */
  at = 0;

  word(value: number): void {
    this.room(4);
    this.i32[this.at >> 2] = value;
    this.at += 4;
  }

  bytes(source: Uint8Array, start: number, length: number): void {
    this.room(length + 4);
    copyBytes(source, start, this.u8, this.at, length);
    this.at = (this.at + length + 3) & ~3;
  }

  clear(): void {
    this.at = 0;
    if (this.u8.length <= BYTES_KEPT) return;
    this.u8 = new Uint8Array(new ArrayBuffer(BYTES_AT_START));
    this.i32 = new Int32Array(this.u8.buffer);
  }

  private room(bytes: number): void {
    if (this.at + bytes <= this.u8.length) return;
    const size = (Math.max(this.u8.length * 2, this.at + bytes) + 3) & ~3;
    const grown = new Uint8Array(new ArrayBuffer(size));
    grown.set(this.u8.subarray(0, this.at));
    this.u8 = grown;
    this.i32 = new Int32Array(grown.buffer);
  }
}

/** A message in hand: borrowed bytes. */
export class Invalidation {
  kind = News.Flush;
  u8: Uint8Array = NO_BYTES;
  /** The key, or the value. */
  start = 0;
  length = 0;
  /** Keys: whose change it was; Redirect and Gone: who redirects. */
  slot = 0;
  id = 0;
  targetSlot = 0;
  targetId = 0;
  /** Members of Keys, keys of Broadcast. */
  count = 0;
  private words: Int32Array = NO_WORDS;
  private at = 0;

  /** Reads the message at u8[start…], a multiple of 4 in its buffer, of `length` bytes. */
  read(u8: Uint8Array, start: number, length: number): void {
    const words = new Int32Array(u8.buffer, u8.byteOffset + start, (length + 3) >> 2);
    this.u8 = u8;
    this.words = words;
    this.kind = words[KIND]! as News;
    switch (this.kind) {
      case News.Keys:
      case News.LateKeys:
        this.slot = words[KeysWord.OriginSlot]!;
        this.id = words[KeysWord.OriginId]!;
        this.count = words[KeysWord.Members]!;
        this.start = start + (KeysWord.Head + this.count * 2) * 4;
        this.length = words[KeysWord.KeyBytes]!;
        break;
      case News.Broadcast:
        this.count = words[BroadcastWord.Count]!;
        this.at = start + BroadcastWord.Head * 4;
        break;
      case News.Flush:
        break;
      case News.Redirect:
        this.readSource(words);
        this.targetSlot = words[RedirectWord.TargetSlot]!;
        this.targetId = words[RedirectWord.TargetId]!;
        this.start = start + RedirectWord.Head * 4;
        this.length = words[RedirectWord.ValueBytes]!;
        break;
      case News.Gone:
        this.readSource(words);
        break;
    }
  }

  private readSource(words: Int32Array): void {
    this.slot = words[RedirectWord.SourceSlot]!;
    this.id = words[RedirectWord.SourceId]!;
  }

  /** Keys: member `index`. */
  memberSlot(index: number): number {
    return this.words[KeysWord.Head + index * 2]!;
  }

  memberId(index: number): number {
    return this.words[KeysWord.Head + index * 2 + 1]!;
  }

  /** The whole message, in bytes of its own. */
  copy(): Uint8Array {
    const { words } = this;
    return new Uint8Array(new Int32Array(words).buffer);
  }

  /** Broadcast: points slot, id, start and length to the next key. */
  nextKey(): void {
    const { u8 } = this;
    const words = new Int32Array(u8.buffer, u8.byteOffset + this.at, TOLD_WORDS);
    [this.slot, this.id, this.length] = words as unknown as [number, number, number];
    this.start = this.at + TOLD_WORDS * 4;
    this.at = (this.start + this.length + 3) & ~3;
  }

  /** Forgets whose bytes it borrowed. */
  drop(): void {
    this.u8 = NO_BYTES;
    this.words = NO_WORDS;
  }
}

const NO_BYTES: Uint8Array = new Uint8Array(new ArrayBuffer(0));
const NO_WORDS = new Int32Array(0);
/** Origin slot, id and key bytes. */
const TOLD_WORDS = 3;

/** Begins a message about one key; its members and then the key follow (`word`, `bytes`). */
export function beginKeys(
  writer: Writer,
  kind: News.Keys | News.LateKeys,
  slot: number,
  id: number,
  keyBytes: number,
  members: number,
): void {
  writer.word(kind);
  writer.word(slot);
  writer.word(id);
  writer.word(keyBytes);
  writer.word(members);
}

/** Adds a key to a message of several, which begins with the first; `count` is how many it has. */
export function addBroadcast(
  writer: Writer,
  count: number,
  slot: number,
  id: number,
  u8: Uint8Array,
  start: number,
  length: number,
): void {
  if (count === 0) {
    writer.word(News.Broadcast);
    writer.word(0);
  }
  writer.i32[BroadcastWord.Count] = count + 1;
  writer.word(slot);
  writer.word(id);
  writer.word(length);
  writer.bytes(u8, start, length);
}

export function writeRedirect(
  writer: Writer,
  source: { readonly slot: number; readonly id: number },
  target: { readonly slot: number; readonly id: number },
  value: Uint8Array,
  length: number,
): void {
  writer.word(News.Redirect);
  writer.word(source.slot);
  writer.word(source.id);
  writer.word(target.slot);
  writer.word(target.id);
  writer.word(length);
  writer.bytes(value, 0, length);
}

export function writeGone(writer: Writer, slot: number, id: number): void {
  writer.word(News.Gone);
  writer.word(slot);
  writer.word(id);
}

/** The value of an invalidation: an array of keys, in protocol. */
export class KeyArray {
  u8 = new Uint8Array(new ArrayBuffer(BYTES_AT_START));
  length = 0;

  begin(count: number): void {
    this.length = 0;
    this.head(0x2a, count);
  }

  key(source: Uint8Array, start: number, length: number): void {
    this.room(length + VALUE_HEAD_BYTES);
    this.head(0x24, length);
    copyBytes(source, start, this.u8, this.length, length);
    this.length += length;
    this.lineEnd();
  }

  private head(mark: number, value: number): void {
    this.room(VALUE_HEAD_BYTES);
    this.u8[this.length++] = mark;
    this.length += writeInteger(this.u8, this.length, value);
    this.lineEnd();
  }

  private lineEnd(): void {
    this.u8[this.length++] = 0x0d;
    this.u8[this.length++] = 0x0a;
  }

  private room(bytes: number): void {
    if (this.length + bytes <= this.u8.length) return;
    const grown = new Uint8Array(
      new ArrayBuffer(Math.max(this.u8.length * 2, this.length + bytes)),
    );
    grown.set(this.u8.subarray(0, this.length));
    this.u8 = grown;
  }
}

/** What comes before the value, for a receiver in RESP3 and for a subscriber in RESP2. */
export const PUSH_HEAD = Buffer.from('>2\r\n$10\r\ninvalidate\r\n', 'latin1');
export const MESSAGE_HEAD = Buffer.from(
  '*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n',
  'latin1',
);

/** The value that says "all keys", as the protocol of who caches them writes it. */
export const ALL_KEYS_2 = Buffer.from('$-1\r\n', 'latin1');
export const ALL_KEYS_3 = Buffer.from('_\r\n', 'latin1');

export function brokenRedirect(id: number): Uint8Array {
  return Buffer.from(`>2\r\n$21\r\ntracking-redir-broken\r\n:${id}\r\n`, 'latin1');
}
