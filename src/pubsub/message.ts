// A published message, and its form on the way to another thread: the records it is for and the
// version at which they were looked up, so that the thread that gets it looks nothing up.
//
//   words, 4 bytes each                                      bytes
//   ┌──────────┬─────────┬─────────┬──────────┬──────────┬────┬─────────────┬─────────┬─────────┐
//   │ version, │ channel │ channel │ message  │ count of │ …  │ numbers of  │ channel │ message │
//   │ 2 words  │ record  │ bytes   │ bytes    │ patterns │    │ the patterns│         │         │
//   └──────────┴─────────┴─────────┴──────────┴──────────┴────┴─────────────┴─────────┴─────────┘

import { copyBytes } from '../base/bytes.js';
import type { RecordId } from './registry.js';

const enum Head {
  VersionLow = 0,
  VersionHigh = 1,
  Channel = 2,
  ChannelBytes = 3,
  MessageBytes = 4,
  PatternCount = 5,
  /** One unused: the patterns begin at a granule. */
  Words = 8,
}

const TWO_32 = 2 ** 32;
const BYTES_AT_START = 4096;
const BYTES_KEPT = 1024 * 1024;

/** A message in hand: borrowed bytes, and the records that it is for. */
export class Published {
  /** For subscriptions that are not younger. */
  version = 0;
  /** The record of its channel; 0 when that has no subscribers. */
  channelId = 0 as RecordId;
  channel: Uint8Array = NO_BYTES;
  channelStart = 0;
  channelBytes = 0;
  message: Uint8Array = NO_BYTES;
  messageStart = 0;
  messageBytes = 0;
  /** Records of patterns that match the channel: patterns[0, patternCount). */
  patterns = new Int32Array(16);
  patternCount = 0;

  addPattern(id: RecordId): void {
    if (this.patternCount === this.patterns.length) {
      const grown = new Int32Array(this.patterns.length * 2);
      grown.set(this.patterns);
      this.patterns = grown;
    }
    this.patterns[this.patternCount++] = id;
  }

  /** Forgets whose bytes it borrowed. */
  drop(): void {
    this.channel = NO_BYTES;
    this.message = NO_BYTES;
  }
}

const NO_BYTES: Uint8Array = new Uint8Array(new ArrayBuffer(0));

/** Writes and reads the form above, in bytes of its own. */
export class MessageCodec {
  u8 = new Uint8Array(new ArrayBuffer(BYTES_AT_START));
  private i32 = new Int32Array(this.u8.buffer);

  /** Writes the message to `u8`; returns its length. */
  write(published: Published): number {
    const { patternCount, channelBytes, messageBytes } = published;
    const channelAt = (Head.Words + patternCount) * 4;
    const length = channelAt + channelBytes + messageBytes;
    this.ensure(length);
    const { i32, u8 } = this;
    i32[Head.VersionLow] = (published.version % TWO_32) | 0;
    i32[Head.VersionHigh] = Math.floor(published.version / TWO_32);
    i32[Head.Channel] = published.channelId;
    i32[Head.ChannelBytes] = channelBytes;
    i32[Head.MessageBytes] = messageBytes;
    i32[Head.PatternCount] = patternCount;
    for (let index = 0; index < patternCount; index++) {
      i32[Head.Words + index] = published.patterns[index]!;
    }
    copyBytes(published.channel, published.channelStart, u8, channelAt, channelBytes);
    const messageAt = channelAt + channelBytes;
    copyBytes(published.message, published.messageStart, u8, messageAt, messageBytes);
    return length;
  }

  private ensure(bytes: number): void {
    const isTooLarge = this.u8.length > BYTES_KEPT && bytes <= BYTES_KEPT;
    if (bytes <= this.u8.length && !isTooLarge) return;
    const size = isTooLarge ? BYTES_KEPT : Math.max(bytes, Math.min(bytes * 2, BYTES_KEPT));
    this.u8 = new Uint8Array(new ArrayBuffer((size + 3) & ~3));
    this.i32 = new Int32Array(this.u8.buffer);
  }
}

/** Reads a message at u8[start…], a multiple of 4 in its buffer; its bytes stay borrowed. */
export function readMessage(u8: Uint8Array, start: number, into: Published): void {
  const words = new Int32Array(u8.buffer, u8.byteOffset + start, Head.Words);
  const patternCount = words[Head.PatternCount]!;
  into.version = words[Head.VersionHigh]! * TWO_32 + (words[Head.VersionLow]! >>> 0);
  into.channelId = words[Head.Channel]! as RecordId;
  into.channelBytes = words[Head.ChannelBytes]!;
  into.messageBytes = words[Head.MessageBytes]!;
  into.patternCount = 0;
  if (patternCount > 0) {
    const at = u8.byteOffset + start + Head.Words * 4;
    const ids = new Int32Array(u8.buffer, at, patternCount);
    for (let index = 0; index < patternCount; index++) into.addPattern(ids[index]! as RecordId);
  }
  into.channel = u8;
  into.channelStart = start + (Head.Words + patternCount) * 4;
  into.message = u8;
  into.messageStart = into.channelStart + into.channelBytes;
}
