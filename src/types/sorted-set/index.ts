// Sorted sets: which of the two encodings, and when it changes. Whoever works with one opens a
// SortedSet on it, a window that is reused from command to command; after a change, root and
// encoding of the window are what the key's entry has to say.

import { fail } from '../../base/assert.js';
import { type BlockRef, capacityOf } from '../../slab/alloc.js';
import { move } from '../../slab/moving.js';
import { NONE, Slab } from '../../slab/slab.js';
import { type MemberRef, nameBytes, nameStart, scoreOf } from '../../structs/member.js';
import {
  copyPacked,
  createPacked,
  Packed,
  packedBytes,
  packedReserve,
  releasePacked,
} from '../../structs/packed.js';
import { bucketAtPosition, eachInBucket, nextPosition } from '../../structs/table.js';
import {
  TreeCursor,
  treeMove,
  treeRank,
  treeRankOfName,
  treeRankOfScore,
} from '../../structs/tree.js';
import { Encoding, type ValueKind } from '../kind.js';
import { thresholds } from '../thresholds.js';
import {
  checkLarge,
  createLarge,
  largeAdd,
  largeAppend,
  largeCopy,
  largeCopyReserve,
  largeExpect,
  largeFind,
  largeFreeStep,
  largeHeldBytes,
  largeLength,
  largeMove,
  largeRemove,
  largeRemoveRange,
  largeReserve,
  largeRoughBytes,
  tableOf,
  treeOf,
  walkWordOf,
} from './large.js';
import {
  checkSmall,
  SCORE_BYTES_MAX,
  scoreBehind,
  seekMember,
  smallAdd,
  smallFind,
  smallLength,
  smallRank,
  smallRankOfName,
  smallRankOfScore,
  smallRemove,
  smallRemoveRange,
  toNextMember,
  toPreviousMember,
} from './small.js';

const NO_SLAB = new Slab(0, new SharedArrayBuffer(8));
const NO_BYTES = new Uint8Array(0);

export class SortedSet {
  slab: Slab = NO_SLAB;
  encoding: Encoding = Encoding.Packed;
  root = NONE as number;
  /** Of the member that find has found. Born as no small integer, so that it is stored unboxed. */
  score = Number.NaN;
  private member = NONE as MemberRef;
  private u8: Uint8Array = NO_BYTES;
  private start = 0;
  private nameLength = 0;

  open(slab: Slab, encoding: Encoding, root: number): this {
    this.slab = slab;
    this.encoding = encoding;
    this.root = root;
    return this;
  }

  /** A new set that is to take `count` members, the first with a name of so many bytes. */
  create(slab: Slab, count: number, firstNameBytes: number): this {
    const isSmall =
      count <= thresholds.zsetMaxListpackEntries &&
      firstNameBytes <= thresholds.zsetMaxListpackValue;
    if (isSmall) return this.open(slab, Encoding.Packed, createPacked(slab, 0));
    return this.open(slab, Encoding.Tree, createLarge(slab));
  }

  get isSmall(): boolean {
    return this.encoding === Encoding.Packed;
  }

  get length(): number {
    if (this.isSmall) return smallLength(this.slab, this.root as BlockRef);
    return largeLength(this.slab, this.root);
  }

  /** Is there a member of this name? Its score is left in `score`. */
  find(u8: Uint8Array, start: number, length: number): boolean {
    this.u8 = u8;
    this.start = start;
    this.nameLength = length;
    if (this.encoding === Encoding.Packed) {
      const score = smallFind(this.slab, this.root as BlockRef, u8, start, length);
      this.score = score;
      return !Number.isNaN(score);
    }
    const member = largeFind(this.slab, this.root, u8, start, length);
    this.member = member;
    if (member === NONE) return false;
    this.score = scoreOf(this.slab, member);
    return true;
  }

  /** Members before the one that find has just found. */
  rank(): number {
    const { slab, root, u8, start, nameLength } = this;
    if (this.isSmall) return smallRank(slab, root as BlockRef, u8, start, nameLength);
    return treeRank(slab, treeOf(root), this.member);
  }

  /** Members with a lower score, or with `isWithEqual` a lower or the same. */
  rankOfScore(score: number, isWithEqual: boolean): number {
    const { slab, root } = this;
    if (this.isSmall) return smallRankOfScore(slab, root as BlockRef, score, isWithEqual);
    return treeRankOfScore(slab, treeOf(root), score, isWithEqual);
  }

  /** Members with a lower name, or with `isWithEqual` a lower or the same; all have one score. */
  rankOfName(u8: Uint8Array, start: number, length: number, isWithEqual: boolean): number {
    const { slab, root } = this;
    if (this.isSmall) {
      return smallRankOfName(slab, root as BlockRef, u8, start, length, isWithEqual);
    }
    return treeRankOfName(slab, treeOf(root), u8, start, length, isWithEqual);
  }

  // ── Changes: memory was reserved ───────────────────────────────────────────────────────────

  /**
   * Bytes that `count` changes may allocate: members added, with names of `bytes` in all and none
   * longer than `longest`, or given another score.
   */
  reserveFor(count: number, bytes: number, longest: number): number {
    if (!this.isSmall) return largeReserve(count, bytes);
    const { slab, root } = this;
    const list = root as BlockRef;
    const packed = packedReserve(slab, list, bytes + SCORE_BYTES_MAX * count, 2 * count);
    const length = smallLength(slab, list) + count;
    const staysSmall =
      length <= thresholds.zsetMaxListpackEntries && longest <= thresholds.zsetMaxListpackValue;
    if (staysSmall) return packed;
    return packed + largeReserve(length, packedBytes(slab, list) * TEXT_PER_BYTE + bytes);
  }

  /** As reserveFor, for a set that is to be created. */
  static reserveForNew(count: number, bytes: number): number {
    return (
      packedReserve(NO_SLAB, NONE, bytes + SCORE_BYTES_MAX * count, 2 * count) +
      largeReserve(count, bytes)
    );
  }

  /** Adds the member that find has just not found. */
  add(score: number): void {
    const { slab, u8, start, nameLength } = this;
    if (this.encoding === Encoding.Packed) {
      const list = this.root as BlockRef;
      const staysSmall =
        smallLength(slab, list) < thresholds.zsetMaxListpackEntries &&
        nameLength <= thresholds.zsetMaxListpackValue;
      if (staysSmall) {
        this.root = smallAdd(slab, list, score, u8, start, nameLength);
        return;
      }
      this.grow();
      largeFind(slab, this.root, u8, start, nameLength);
    }
    largeAdd(slab, this.root, score, u8, start, nameLength);
  }

  /** Makes room in an empty large set for members that are appended. */
  expect(count: number): void {
    largeExpect(this.slab, this.root, count);
  }

  /** Adds a member that comes after all others to a large set; `hash` is that of its name. */
  append(score: number, u8: Uint8Array, start: number, length: number, hash: number): void {
    largeAppend(this.slab, this.root, score, u8, start, length, hash);
  }

  /** Gives the member that find has just found another score. */
  setScore(score: number): void {
    const { slab } = this;
    if (this.encoding !== Encoding.Packed) {
      treeMove(slab, treeOf(this.root), this.member, score);
      return;
    }
    const list = smallRemove(slab);
    this.root = smallAdd(slab, list, score, this.u8, this.start, this.nameLength);
  }

  /** Removes the member that find has just found. */
  remove(): void {
    if (this.isSmall) this.root = smallRemove(this.slab);
    else largeRemove(this.slab, this.root, this.member);
  }

  /** Removes `count` members from this rank on; they are there. */
  removeRange(rank: number, count: number): void {
    const { slab, root } = this;
    if (this.isSmall) this.root = smallRemoveRange(slab, root as BlockRef, rank, count);
    else largeRemoveRange(slab, root, rank, count);
  }

  // ── Scanning a large set ─────────────────────────────────────────────────────────────────────

  /** Calls `visit` for each member at a scan position, see structs/table.ts. */
  eachAt(position: number, visit: (slab: Slab, member: number) => void): void {
    const bucket = bucketAtPosition(this.slab, tableOf(this.root), position);
    if (bucket !== 0) eachInBucket(this.slab, bucket, visit);
  }

  /** The scan position behind, SCAN_END after the last. */
  positionBehind(position: number): number {
    return nextPosition(this.slab, tableOf(this.root), position);
  }

  /** Makes a small set large when `count` members are to come that are too many for a small one. */
  growFor(count: number): void {
    if (this.isSmall && count > thresholds.zsetMaxListpackEntries) this.grow();
  }

  private grow(): void {
    const { slab } = this;
    const list = this.root as BlockRef;
    const root = createLarge(slab);
    if (smallLength(slab, list) > 0) {
      growing.seek(this, 0);
      do {
        growing.readScore();
        const { u8, start, length } = growing;
        largeFind(slab, root, u8, start, length);
        largeAdd(slab, root, growing.score, u8, start, length);
      } while (growing.next());
    }
    releasePacked(slab, list);
    this.encoding = Encoding.Tree;
    this.root = root;
  }
}

/** An integer of one byte in a packed list may be a text of four, one of eight a text of twenty. */
const TEXT_PER_BYTE = 4;

/** Walks a sorted set in its order. Valid until the set changes. */
export class SortedSetWalk {
  /** The member's name. */
  u8: Uint8Array = NO_BYTES;
  start = 0;
  length = 0;
  /** Its score, once it was read. */
  score = Number.NaN;
  private slab: Slab = NO_SLAB;
  private isSmall = true;
  private readonly tree = new TreeCursor();
  private readonly list = new Packed();
  private readonly integerText = new Uint8Array(32);

  /** Goes to the member of this rank, which must be there. */
  seek(set: SortedSet, rank: number): void {
    this.slab = set.slab;
    this.isSmall = set.isSmall;
    if (this.isSmall) {
      seekMember(this.list, set.slab, set.root as BlockRef, rank);
      this.readListed();
    } else {
      this.tree.seek(set.slab, treeOf(set.root), rank);
      this.readMember();
    }
  }

  /** Looks ahead at the next `count` members, or with a negative count back at those before. */
  touch(count: number): void {
    if (!this.isSmall) this.tree.touch(this.slab, count);
  }

  /** Goes to the member behind; false when there is none. */
  next(): boolean {
    if (this.isSmall) {
      if (!toNextMember(this.list)) return false;
      this.readListed();
      return true;
    }
    if (!this.tree.next(this.slab)) return false;
    this.readMember();
    return true;
  }

  /** Goes to the member before; false when there is none. */
  previous(): boolean {
    if (this.isSmall) {
      if (!toPreviousMember(this.list)) return false;
      this.readListed();
      return true;
    }
    if (!this.tree.previous(this.slab)) return false;
    this.readMember();
    return true;
  }

  /** Leaves the member's score in `score`. */
  readScore(): void {
    if (this.isSmall) this.score = scoreBehind(this.list);
    else this.score = scoreOf(this.slab, this.tree.member);
  }

  private readMember(): void {
    const { member } = this.tree;
    this.u8 = this.slab.u8;
    this.start = nameStart(member);
    this.length = nameBytes(this.slab, member);
  }

  private readListed(): void {
    const { list } = this;
    if (list.isInteger) {
      this.u8 = this.integerText;
      this.start = 0;
      this.length = list.writeText(this.integerText, 0);
    } else {
      this.u8 = this.slab.u8;
      this.start = list.at;
      this.length = list.length;
    }
  }
}

const growing = new SortedSetWalk();

export const sortedSetKind: ValueKind = {
  encodingName(_slab, encoding) {
    return encoding === Encoding.Packed ? 'listpack' : 'skiplist';
  },
  length(slab, encoding, root) {
    if (encoding === Encoding.Packed) return smallLength(slab, root as BlockRef);
    return largeLength(slab, root);
  },
  freeStep(slab, encoding, root, budget) {
    if (encoding !== Encoding.Packed) return largeFreeStep(slab, root, budget);
    releasePacked(slab, root as BlockRef);
    return true;
  },
  copyReserve(slab, encoding, root) {
    if (encoding === Encoding.Packed) return packedReserve(slab, root as BlockRef, 0, 0);
    return largeCopyReserve(slab, root);
  },
  copy(slab, encoding, root, target) {
    if (encoding === Encoding.Packed) return copyPacked(slab, root as BlockRef, target);
    return largeCopy(slab, root, target);
  },
  heldBytes(slab, encoding, root) {
    if (encoding === Encoding.Packed) return capacityOf(slab, root as BlockRef);
    return largeHeldBytes(slab, root);
  },
  move(slab, encoding, root, place) {
    if (encoding === Encoding.Tree) return largeMove(slab, root, place);
    place.end();
    return move(slab, root);
  },
  check(slab, encoding, root) {
    if (encoding === Encoding.Packed) checkSmall(slab, root as BlockRef);
    else if (encoding === Encoding.Tree) checkLarge(slab, root);
    else fail('a sorted set is small or large');
  },
  roughBytes: (slab, _encoding, root) => largeRoughBytes(slab, root),
  walkAt: (encoding, root) => (encoding === Encoding.Tree ? walkWordOf(root) : 0),
};
