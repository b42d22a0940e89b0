// Zipmaps, the small hashes of Redis 2.4 and before.
//
//   ┌──────────────────┬────────┬───────┬────────┬────────┬───────┬────────┬───┬─────┐
//   │ fields           │ length │ field │ length │ unused │ value │ unused │ … │ 255 │
//   │ 1; 254: count    │        │       │        │ count  │       │ bytes  │   │     │
//   └──────────────────┴────────┴───────┴────────┴────────┴───────┴────────┴───┴─────┘
//
// A length is a byte below 254, or 254 and four bytes, low byte first. Fields and values are its
// elements, one after the other.

import { Elements } from './elements.js';
import { BAD_DATA } from './source.js';

const LONG = 254;
const END = 0xff;

export class Zipmap extends Elements {
  private claimed = 0;
  private walked = 0;
  private isValue = false;

  open(bytes: Uint8Array, start: number, length: number): this {
    this.begin(bytes, start, length);
    this.claimed = this.little(1);
    this.walked = 0;
    this.isValue = false;
    return this;
  }

  next(): boolean {
    const first = this.little(1);
    if (first === END) {
      if (this.isValue || this.at !== this.end) throw BAD_DATA;
      if (this.claimed < LONG && this.claimed !== this.walked) throw BAD_DATA;
      return false;
    }
    const length = first === LONG ? this.little(4) : first;
    const unused = this.isValue ? this.little(1) : 0;
    this.setText(this.take(length), length);
    this.take(unused);
    if (!this.isValue) this.walked++;
    this.isValue = !this.isValue;
    return true;
  }
}
