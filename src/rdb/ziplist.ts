// Ziplists, the small collections of Redis 2 to 6.
//
//   ┌───────┬──────────────┬─────────────────┬─────────┬─────────┬───┬─────┐
//   │ bytes │ place of the │ elements        │ element │ element │ … │ 255 │
//   │ 4     │ last one, 4  │ 2; 65535: count │         │         │   │     │
//   └───────┴──────────────┴─────────────────┴─────────┴─────────┴───┴─────┘
//
//   element: the bytes of the one before (1, or 254 and 4), a code, and its bytes
//   ┌────────┬─────────────────────────────────────────┬─────┐
//   │ before │ 00nnnnnn                                │ n B │   text
//   │        │ 01nnnnnn nnnnnnnn                       │ n B │   high bits first
//   │        │ 10000000 and 4 bytes, high first        │ n B │
//   │        │ C0, D0, E0, F0, FE: 2, 4, 8, 3, 1 B     │     │   an integer, low byte first
//   │        │ 1111vvvv, v from 1 to 13                │     │   v − 1
//   └────────┴─────────────────────────────────────────┴─────┘

import { Elements } from './elements.js';
import { BAD_DATA } from './source.js';

const COUNT_UNKNOWN = 0xffff;
const END = 0xff;
const LONG_BEFORE = 254;

const TEXT_14 = 0x40;
const TEXT_32 = 0x80;
const INT16 = 0xc0;
const INT32 = 0xd0;
const INT64 = 0xe0;
const INT24 = 0xf0;
const SMALL_FIRST = 0xf1;
const SMALL_LAST = 0xfd;
const INT8 = 0xfe;

export class Ziplist extends Elements {
  private listAt = 0;
  private lastAt = 0;
  private claimed = 0;
  private walked = 0;
  /** Where the element before begins, and its bytes. */
  private beforeAt = 0;
  private beforeBytes = 0;

  open(bytes: Uint8Array, start: number, length: number): this {
    this.begin(bytes, start, length);
    this.listAt = start;
    if (this.little(4) !== length) throw BAD_DATA;
    this.lastAt = this.little(4);
    this.claimed = this.little(2);
    this.walked = 0;
    this.beforeAt = this.at;
    this.beforeBytes = 0;
    return this;
  }

  next(): boolean {
    const start = this.take(1);
    const before = this.bytes[start]!;
    if (before === END) {
      this.checkEnd();
      return false;
    }
    if ((before === LONG_BEFORE ? this.little(4) : before) !== this.beforeBytes) throw BAD_DATA;
    this.walked++;
    this.read(this.little(1));
    this.beforeAt = start;
    this.beforeBytes = this.at - start;
    return true;
  }

  private checkEnd(): void {
    if (this.at !== this.end) throw BAD_DATA;
    if (this.claimed !== COUNT_UNKNOWN && this.claimed !== this.walked) throw BAD_DATA;
    // An empty one calls its end the last.
    if (this.lastAt !== this.beforeAt - this.listAt) throw BAD_DATA;
  }

  private read(code: number): void {
    if (code < TEXT_14) this.readText(code);
    else if (code < TEXT_32) this.readText(((code & 0x3f) << 8) | this.little(1));
    else if (code === TEXT_32) this.readText(this.big32());
    else if (code === INT8) this.setWord(this.signed(1));
    else if (code === INT16) this.setWord(this.signed(2));
    else if (code === INT24) this.setWord(this.signed(3));
    else if (code === INT32) this.setWord(this.signed(4));
    else if (code === INT64) this.setWide();
    else if (code >= SMALL_FIRST && code <= SMALL_LAST) this.setWord(code - SMALL_FIRST);
    else throw BAD_DATA;
  }

  private readText(length: number): void {
    this.setText(this.take(length), length);
  }

  private big32(): number {
    const start = this.take(4);
    let word = 0;
    for (let index = 0; index < 4; index++) word = (word << 8) | this.bytes[start + index]!;
    return word >>> 0;
  }
}
