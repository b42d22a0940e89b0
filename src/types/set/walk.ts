// One member after the other, whatever the set's encoding, and members by chance. The set must not
// change while it is walked.

import { INT64_TEXT_BYTES_MAX, int64, parseInt64, writeInt64 } from '../../base/ascii.js';
import { hashBytes } from '../../base/hash.js';
import type { BlockRef } from '../../slab/alloc.js';
import { NONE } from '../../slab/slab.js';
import {
  integer,
  integersAt,
  integersCount,
  integersHas,
  integersRemoveAt,
} from '../../structs/integers.js';
import { Packed, packedCount, packedRemove } from '../../structs/packed.js';
import { randomRef } from '../../structs/table.js';
import { TableWalk } from '../../structs/table-walk.js';
import { Encoding } from '../kind.js';
import { type MemberRef, memberLength, memberStart } from './member.js';
import type { SetValue } from './value.js';

const DIGIT_NINE = 0x39;
const MINUS = 0x2d;

/**
 * Stands on one member. What it says of it holds until the set changes or the walk goes on: a text
 * in u8[start, start + length), or, if isInteger, an int64 whose text is there after asText().
 */
export class SetWalk {
  set: SetValue | null = null;
  isInteger = false;
  low = 0;
  high = 0;
  u8: Uint8Array;
  start = 0;
  length = 0;
  private hasText = false;
  private hasHash = false;
  private hash = 0;
  private ref = NONE as MemberRef;
  private index = 0;
  private count = 0;
  private readonly table = new TableWalk();
  private readonly packed = new Packed();
  private readonly digits = new Uint8Array(new ArrayBuffer(INT64_TEXT_BYTES_MAX));

  constructor() {
    this.u8 = this.digits;
  }

  /** To before the first member. */
  open(set: SetValue): this {
    const { slab, encoding, root } = set;
    this.set = set;
    this.index = -1;
    if (encoding === Encoding.Table) this.table.open(slab, root << 1);
    else if (encoding === Encoding.Packed) this.packed.open(slab, root as BlockRef);
    else this.count = integersCount(slab, root as BlockRef);
    return this;
  }

  /** To the next member; false when there is none. */
  next(): boolean {
    const { encoding } = this.set!;
    const index = ++this.index;
    if (encoding === Encoding.Table) {
      const ref = this.table.next();
      if (ref === NONE) return false;
      this.standOnBlock(ref as MemberRef);
      return true;
    }
    if (encoding === Encoding.Packed) {
      if (!(index === 0 ? this.packed.first() : this.packed.next())) return false;
      this.standOnElement();
      return true;
    }
    if (index >= this.count) return false;
    this.standOnInteger(index);
    return true;
  }

  /** To a member by chance, each as likely as any other. The set is not empty. */
  pick(set: SetValue, draw: (below: number) => number): void {
    const { slab, encoding, root } = set;
    this.set = set;
    if (encoding === Encoding.Table) {
      this.standOnBlock(randomRef(slab, root << 1, draw) as MemberRef);
    } else if (encoding === Encoding.Packed) {
      const list = root as BlockRef;
      this.packed.open(slab, list).seek(draw(packedCount(slab, list)));
      this.standOnElement();
    } else {
      this.standOnInteger(draw(integersCount(slab, root as BlockRef)));
    }
  }

  /** What tells this member from the others of its set while that does not change. */
  get identity(): number {
    const { encoding } = this.set!;
    if (encoding === Encoding.Table) return this.ref;
    return encoding === Encoding.Packed ? this.packed.at : this.index;
  }

  /** To the member of a table whose identity it is. */
  standOnBlock(ref: MemberRef): void {
    const { slab } = this.set!;
    this.ref = ref;
    this.u8 = slab.u8;
    this.start = memberStart(slab, ref);
    this.length = memberLength(slab, ref);
    this.isInteger = false;
    this.hasText = true;
    this.hasHash = false;
  }

  private standOnElement(): void {
    const { packed } = this;
    this.isInteger = packed.isInteger;
    this.hasHash = false;
    this.hasText = !packed.isInteger;
    if (packed.isInteger) {
      this.low = packed.low;
      this.high = packed.high;
      return;
    }
    this.u8 = packed.slab.u8;
    this.start = packed.at;
    this.length = packed.length;
  }

  private standOnInteger(index: number): void {
    const { slab, root } = this.set!;
    integersAt(slab, root as BlockRef, index);
    this.index = index;
    this.isInteger = true;
    this.low = integer.low;
    this.high = integer.high;
    this.hasText = false;
    this.hasHash = false;
  }

  /** Puts the text of an integer where that of the others is. */
  asText(): void {
    if (this.hasText) return;
    this.u8 = this.digits;
    this.start = 0;
    this.length = writeInt64(this.digits, 0, this.low, this.high);
    this.hasText = true;
  }

  /** Finds out whether a text is that of an integer; isInteger tells. */
  asInteger(): void {
    if (this.isInteger || this.length === 0 || this.length > INT64_TEXT_BYTES_MAX) return;
    const first = this.u8[this.start]!;
    if (first > DIGIT_NINE || first < MINUS) return;
    if (!parseInt64(this.u8, this.start, this.length)) return;
    this.isInteger = true;
    this.low = int64.lo;
    this.high = int64.hi;
  }

  /** The hash of the text. */
  hashOfText(): number {
    if (!this.hasHash) {
      this.asText();
      this.hash = hashBytes(this.u8, this.start, this.length);
      this.hasHash = true;
    }
    return this.hash;
  }

  /** Is the member in `other`, too? */
  isIn(other: SetValue): boolean {
    if (other.encoding === Encoding.Table) {
      const hash = this.hashOfText();
      return other.find(hash, this.u8, this.start, this.length) !== NONE;
    }
    if (other.encoding === Encoding.Integers && this.isInteger) {
      return integersHas(other.slab, other.root as BlockRef, this.low, this.high);
    }
    this.asText();
    return other.has(this.u8, this.start, this.length);
  }

  /**
   * Takes the member out of its set. A walk of a packed list then stands before the member behind
   * it; any other is over.
   */
  remove(): void {
    const set = this.set!;
    if (set.encoding === Encoding.Table) {
      set.removeRef(this.ref, this.hashOfText());
    } else if (set.encoding === Encoding.Packed) {
      set.root = packedRemove(set.slab, this.packed, 1);
    } else {
      set.root = integersRemoveAt(set.slab, set.root as BlockRef, this.index);
    }
  }

  /** After remove in a packed list: to the member behind; false when there is none. */
  stay(): boolean {
    if (this.packed.token === 0) return false;
    this.standOnElement();
    return true;
  }
}
