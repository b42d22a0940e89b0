// The patterns of BY and GET: an element in the place of the star is the name of a key, or with an
// arrow that of a hash and one of its fields: `weight_*`, `object_*->price`. The keys may lie in
// any partition; all of them are locked.

import { copyBytes } from '../../base/bytes.js';
import { Slices } from '../../base/slices.js';
import type { Context } from '../../dispatch/context.js';
import { placeKey } from '../../dispatch/route.js';
import { encodingOf, Type, typeOf } from '../../keyspace/entry.js';
import { readString, StringBytes } from '../../keyspace/strings.js';
import { rootOf } from '../../keyspace/values.js';
import { NONE } from '../../slab/slab.js';
import { Hash, Text } from '../../types/hash/hash.js';

const STAR = 0x2a;
const MINUS = 0x2d;
const GREATER = 0x3e;
const HASH_SIGN = 0x23;
const NO_TIME = -1;

const hash = new Hash();
const fieldText = new Text();
const key = new Slices(new Uint8Array(new ArrayBuffer(256)));

/** What a pattern has led to: valid until the next look. */
export const value = new StringBytes();

/** Is there a star in the word? As in C, a zero byte ends it. */
export function hasStar(args: Slices, index: number): boolean {
  return starOf(args, index) !== -1;
}

/** GET #: the element itself. */
export function isElementItself(args: Slices, index: number): boolean {
  return textBytes(args, index) === 1 && args.u8[args.startOf(index)] === HASH_SIGN;
}

/** Bytes of the word before a zero byte. */
function textBytes(args: Slices, index: number): number {
  const start = args.startOf(index);
  const length = args.lengthOf(index);
  for (let at = 0; at < length; at++) if (args.u8[start + at] === 0) return at;
  return length;
}

/** Where in the word its first star is, −1 without one. */
function starOf(args: Slices, index: number): number {
  const start = args.startOf(index);
  const end = textBytes(args, index);
  for (let at = 0; at < end; at++) if (args.u8[start + at] === STAR) return at;
  return -1;
}

/** Where in the word the arrow to a field is, −1 without one: behind the star, and not last. */
function arrowOf(args: Slices, index: number, star: number): number {
  const { u8 } = args;
  const start = args.startOf(index);
  const end = textBytes(args, index) - 2;
  for (let at = star + 1; at < end; at++) {
    if (u8[start + at] === MINUS && u8[start + at + 1] === GREATER) return at;
  }
  return -1;
}

/** A pattern taken apart once, for many elements. Offsets are into the words of the command. */
export class Pattern {
  private readonly isElement: boolean;
  private readonly start: number;
  /** Bytes before the star, and between star and arrow or end. */
  private readonly prefixBytes: number;
  private readonly postfixBytes: number;
  private readonly field: number;
  private readonly fieldBytes: number;
  private readonly args: Slices;

  constructor(args: Slices, index: number) {
    const star = starOf(args, index);
    const arrow = star === -1 ? -1 : arrowOf(args, index, star);
    const length = args.lengthOf(index);
    this.args = args;
    this.isElement = isElementItself(args, index);
    this.start = args.startOf(index);
    this.prefixBytes = star;
    this.postfixBytes = (arrow === -1 ? length : arrow) - star - 1;
    this.field = arrow === -1 ? -1 : this.start + arrow + 2;
    this.fieldBytes = length - arrow - 2;
  }

  /** Sets `value` to what the pattern means for an element; false when there is none. */
  look(context: Context, u8: Uint8Array, start: number, length: number): boolean {
    if (this.isElement) {
      value.u8 = u8;
      value.start = start;
      value.length = length;
      return true;
    }
    // A key without a star would be the same for all elements: Redis gives nothing for it.
    if (this.prefixBytes === -1) return false;
    this.writeKey(u8, start, length);
    const { keyspace } = context;
    const partition = keyspace.partitions[placeKey(keyspace, key, 0)]!;
    const entry = partition.find(key, 0, Type.Any);
    if (entry === NONE) return false;
    const { slab } = partition;
    const type = typeOf(slab, entry);
    if (this.field === -1) {
      if (type !== Type.String) return false;
      readString(slab, entry, value);
      return true;
    }
    if (type !== Type.Hash) return false;
    const nowMs = keyspace.expiresByClock ? keyspace.nowMs : NO_TIME;
    hash.open(slab, encodingOf(slab, entry), rootOf(slab, entry), key.hashes[0]!, nowMs);
    if (!hash.find(this.args.u8, this.field, this.fieldBytes)) return false;
    hash.readValue(fieldText);
    value.u8 = fieldText.u8;
    value.start = fieldText.start;
    value.length = fieldText.length;
    return true;
  }

  private writeKey(u8: Uint8Array, start: number, length: number): void {
    const { prefixBytes, postfixBytes } = this;
    const words = this.args.u8;
    const bytes = prefixBytes + length + postfixBytes;
    if (bytes > key.u8.length) key.u8 = new Uint8Array(new ArrayBuffer(bytes * 2));
    copyBytes(words, this.start, key.u8, 0, prefixBytes);
    copyBytes(u8, start, key.u8, prefixBytes, length);
    const postfixAt = this.start + prefixBytes + 1;
    copyBytes(words, postfixAt, key.u8, prefixBytes + length, postfixBytes);
    key.count = 0;
    key.push(0, bytes);
  }
}
