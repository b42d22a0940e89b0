// Members and scores outside the slabs: what a union or a range has found, before it is answered or
// stored. Names lie one behind the other; an open hash finds them again. Everything is known before
// the first change, so that storing can reserve its memory, and the target may be a source.

import { compareBytes, copyBytes, equalBytes } from '../../base/bytes.js';
import { hashBytes } from '../../base/hash.js';
import type { Context } from '../../dispatch/context.js';
import { Notify } from '../../dispatch/effects.js';
import { Type } from '../../keyspace/entry.js';
import type { Reply } from '../../resp/write.js';
import { NONE, type Slab } from '../../slab/slab.js';
import { SortedSet } from '../../types/sorted-set/index.js';
import { createSet, entryReserve } from './window.js';

const NAME_BYTES_AT_START = 1024;
const MEMBERS_AT_START = 64;
/** Members that are sorted by putting each in its place. */
const RUN = 8;
/** What one large command has grown is not kept for ever. */
const MEMBERS_KEPT = 16 * 1024;

export class Collected {
  count = 0;
  u8 = new Uint8Array(NAME_BYTES_AT_START);
  starts = new Int32Array(MEMBERS_AT_START);
  lengths = new Int32Array(MEMBERS_AT_START);
  scores = new Float64Array(MEMBERS_AT_START);
  private nameBytes = 0;
  /** Twice as many words as members have room: index + 1, or 0. */
  private places = new Int32Array(MEMBERS_AT_START * 2);
  private hashes = new Int32Array(MEMBERS_AT_START);
  /** Does `places` find the names? */
  private isIndexed = false;
  private soughtHash = 0;
  /** Indexes in the order of the members, and room for sorting them. */
  private order = new Int32Array(MEMBERS_AT_START);
  private spare = new Int32Array(MEMBERS_AT_START);

  begin(): void {
    const wasIndexed = this.isIndexed;
    this.isIndexed = false;
    this.count = 0;
    this.nameBytes = 0;
    if (this.starts.length > MEMBERS_KEPT || this.u8.length > MEMBERS_KEPT * 64) {
      this.u8 = new Uint8Array(NAME_BYTES_AT_START);
      this.order = new Int32Array(MEMBERS_AT_START);
      this.spare = new Int32Array(MEMBERS_AT_START);
      this.growTo(MEMBERS_AT_START);
    } else if (wasIndexed) {
      this.places.fill(0);
    }
  }

  /** The index of the name, -1 when it is not there. */
  find(u8: Uint8Array, start: number, length: number): number {
    const { places } = this;
    const mask = places.length - 1;
    const hash = hashBytes(u8, start, length);
    this.soughtHash = hash;
    for (let place = hash & mask; places[place] !== 0; place = (place + 1) & mask) {
      const index = places[place]! - 1;
      if (this.hashes[index] !== hash || this.lengths[index] !== length) continue;
      if (equalBytes(this.u8, this.starts[index]!, u8, start, length)) return index;
    }
    return -1;
  }

  /** Adds the name that find has just not found. */
  add(u8: Uint8Array, start: number, length: number, score: number): void {
    const index = this.count;
    this.isIndexed = true;
    this.append(u8, start, length, score);
    this.hashes[index] = this.soughtHash;
    this.enter(index);
  }

  /** Adds a name that is not there. It is not found again: either all are added or all appended. */
  append(u8: Uint8Array, start: number, length: number, score: number): void {
    const index = this.count;
    if (index === this.starts.length) this.growTo(index * 2);
    if (this.nameBytes + length > this.u8.length) {
      const grown = new Uint8Array(Math.max(this.u8.length * 2, this.nameBytes + length));
      grown.set(this.u8.subarray(0, this.nameBytes));
      this.u8 = grown;
    }
    copyBytes(u8, start, this.u8, this.nameBytes, length);
    this.starts[index] = this.nameBytes;
    this.lengths[index] = length;
    this.scores[index] = score;
    this.nameBytes += length;
    this.count = index + 1;
  }

  private enter(index: number): void {
    const { places } = this;
    const mask = places.length - 1;
    let place = this.hashes[index]! & mask;
    while (places[place] !== 0) place = (place + 1) & mask;
    places[place] = index + 1;
  }

  private growTo(members: number): void {
    const kept = Math.min(this.count, members);
    this.starts = grown(this.starts, new Int32Array(members), kept);
    this.lengths = grown(this.lengths, new Int32Array(members), kept);
    this.hashes = grown(this.hashes, new Int32Array(members), kept);
    const scores = new Float64Array(members);
    scores.set(this.scores.subarray(0, kept));
    this.scores = scores;
    this.places = new Int32Array(members * 2);
    for (let index = 0; this.isIndexed && index < kept; index++) this.enter(index);
  }

  /**
   * Sorts the indexes of all members by score and name into `order`: runs of a few are put in place
   * one by one, then merged; sources that were walked in order leave little to do.
   */
  private sort(): void {
    const { count } = this;
    if (this.order.length < count) {
      this.order = new Int32Array(this.starts.length);
      this.spare = new Int32Array(this.starts.length);
    }
    for (let first = 0; first < count; first += RUN) {
      this.sortRun(first, Math.min(count, first + RUN));
    }
    for (let width = RUN; width < count; width *= 2) {
      for (let first = 0; first < count; first += 2 * width) {
        this.merge(first, Math.min(count, first + width), Math.min(count, first + 2 * width));
      }
      const { order, spare } = this;
      this.order = spare;
      this.spare = order;
    }
  }

  private sortRun(first: number, end: number): void {
    const { order } = this;
    for (let index = first; index < end; index++) {
      let to = index;
      for (; to > first && this.isBefore(index, order[to - 1]!); to--) order[to] = order[to - 1]!;
      order[to] = index;
    }
  }

  /** Merges order[first, middle) and order[middle, end) into `spare`. */
  private merge(first: number, middle: number, end: number): void {
    const { order, spare } = this;
    let left = first;
    let right = middle;
    let to = first;
    if (middle < end && this.isBefore(order[middle]!, order[middle - 1]!)) {
      while (left < middle && right < end) {
        const isRight = this.isBefore(order[right]!, order[left]!);
        spare[to++] = isRight ? order[right++]! : order[left++]!;
      }
    }
    while (left < middle) spare[to++] = order[left++]!;
    while (right < end) spare[to++] = order[right++]!;
  }

  private isBefore(a: number, b: number): boolean {
    const { lengths, scores, starts, u8 } = this;
    if (scores[a] !== scores[b]) return scores[a]! < scores[b]!;
    return compareBytes(u8, starts[a]!, lengths[a]!, u8, starts[b]!, lengths[b]!) < 0;
  }

  /** Answers with all members, in order. */
  answer(reply: Reply, withScores: boolean): void {
    const isNested = withScores && reply.protocol === 3;
    reply.array(withScores && !isNested ? this.count * 2 : this.count);
    this.sort();
    for (let place = 0; place < this.count; place++) {
      const index = this.order[place]!;
      if (isNested) reply.array(2);
      reply.bulk(this.u8, this.starts[index]!, this.lengths[index]!);
      if (withScores) reply.double(this.scores[index]!);
    }
  }

  /**
   * Makes all members the value of the key in word `index`, in the place of what it held; none are
   * no key. Answers with their number.
   */
  store(context: Context, index: number, event: string): void {
    const { args, reply } = context;
    const target = context.at(index);
    const replaced = target.edit(args, index, Type.Any);
    if (this.count > 0) {
      const bytes = SortedSet.reserveForNew(this.count, this.nameBytes);
      target.reserve(entryReserve(context, index) + bytes);
    }

    if (replaced !== NONE && this.count === 0) target.remove(args, index, replaced);
    if (this.count > 0) {
      if (replaced !== NONE) target.makeWay(args, index, replaced);
      createSet(target, context, index, this.build(target.slab));
      context.changed(index, Notify.SortedSet, event);
    } else if (replaced !== NONE) {
      context.changed(index, Notify.Generic, 'del');
    }

    reply.integer(this.count);
  }

  /** A sorted set of all members. Memory was reserved. */
  private build(slab: Slab): SortedSet {
    let longest = 0;
    for (let index = 0; index < this.count; index++) {
      longest = Math.max(longest, this.lengths[index]!);
    }
    stored.create(slab, this.count, longest);
    this.sort();
    const { hashes, isIndexed, lengths, order, scores, starts, u8 } = this;
    const { isSmall } = stored;
    if (!isSmall) stored.expect(this.count);
    for (let place = 0; place < this.count; place++) {
      const index = order[place]!;
      const start = starts[index]!;
      const length = lengths[index]!;
      if (isSmall) {
        stored.find(u8, start, length);
        stored.add(scores[index]!);
      } else {
        const hash = isIndexed ? hashes[index]! : hashBytes(u8, start, length);
        stored.append(scores[index]!, u8, start, length, hash);
      }
    }
    return stored;
  }
}

function grown(
  from: Int32Array,
  to: Int32Array<ArrayBuffer>,
  kept: number,
): Int32Array<ArrayBuffer> {
  to.set(from.subarray(0, kept));
  return to;
}

const stored = new SortedSet();

export const collected = new Collected();
