// Sets: sorted integers while all members are integers and few, a packed list while they are few
// and short, a table of member blocks otherwise. The limits and the moments of change are Redis's.
//
//   root of a table, one block
//   ┌───────────┬───────┬───────┬───────────┬──────────────┬────────────┐
//   │ directory │ depth │ count │ walk word │ shrink place │ free place │
//   └───────────┴───────┴───────┴───────────┴──────────────┴────────────┘
//    structs/table.ts            walked.ts   where the next step of shrinking or freeing goes on

import { INT64_TEXT_BYTES_MAX, int64, parseInt64, writeInt64 } from '../../base/ascii.js';
import { assert } from '../../base/assert.js';
import { hashBytes, knownHash } from '../../base/hash.js';
import type { Slices } from '../../base/slices.js';
import { allocate, type BlockRef, release, reserve } from '../../slab/alloc.js';
import { NONE, Slab } from '../../slab/slab.js';
import {
  createIntegers,
  INTEGERS_COUNT_MAX,
  integer,
  integersAdd,
  integersAt,
  integersCount,
  integersHas,
  integersRemove,
  integersReserve,
  releaseIntegers,
} from '../../structs/integers.js';
import {
  createPacked,
  Packed,
  packedAppend,
  packedBytes,
  packedCount,
  packedFind,
  packedRemove,
  packedReserve,
  releasePacked,
  tightenPacked,
} from '../../structs/packed.js';
import {
  bucketAt,
  findInBucket,
  freeTable,
  insert,
  removeRef,
  shrinkStep,
  TableRoot,
} from '../../structs/table.js';
import { saveBucketFirst } from '../../structs/table-first.js';
import { TableWalk } from '../../structs/table-walk.js';
import { isWalked } from '../../structs/walked.js';
import { Encoding } from '../kind.js';
import { thresholds } from '../thresholds.js';
import {
  createMember,
  freeMember,
  hashOfMember,
  isMember,
  type MemberRef,
  memberLength,
  memberReserve,
  memberStart,
} from './member.js';

const enum Root {
  Table = 0,
  ShrinkPlace = TableRoot.Words,
  FreePlace = ShrinkPlace + 1,
  Words = FreePlace + 1,
}

/** Bytes of the root of a table. */
export const ROOT_BYTES = Root.Words * 4;
/** What a table needs besides its members: root, directory and first segment. */
export const TABLE_BYTES = 2560;
/** So many members of all sizes may each begin a span of their size class. */
export const SPANS_BYTES = 1280 * 1024;
const FEW_MEMBERS = 8;
/** Bytes of a packed list, or of eight for each integer, of which a table takes below 128 KiB. */
const SMALL_FORM_BYTES = 4096;
/** A new packed list has room for its first member, unless that will make it a table. */
const FIRST_ROOM_BYTES = 64;

/** A table with fewer members for each place of its directory than so is worth shrinking … */
const SPARSE_MEMBERS = 100;
/** … by one step in so many removals: a round is over long before half of the members are gone. */
const SHRINK_INTERVAL_MASK = 31;

const NO_SLAB = new Slab(0, new SharedArrayBuffer(8));
const cursor = new Packed();
const walk = new TableWalk();

/** Where writeIntegerText has written. */
export const integerText = new Uint8Array(new ArrayBuffer(INT64_TEXT_BYTES_MAX));

/** Writes an int64 into integerText; returns how many bytes it takes. */
export function writeIntegerText(low: number, high: number): number {
  return writeInt64(integerText, 0, low, high);
}

/** A set outside its entry: whoever changes it writes encoding and root back. Reused. */
export class SetValue {
  slab: Slab = NO_SLAB;
  encoding: Encoding = Encoding.Integers;
  root = 0;

  open(slab: Slab, encoding: Encoding, root: number): this {
    this.slab = slab;
    this.encoding = encoding;
    this.root = root;
    return this;
  }

  private get block(): BlockRef {
    return this.root as BlockRef;
  }

  get count(): number {
    return countMembers(this.slab, this.encoding, this.root);
  }

  /** Is u8[start, start + length) a member? */
  has(u8: Uint8Array, start: number, length: number): boolean {
    const { slab } = this;
    if (this.encoding === Encoding.Table) {
      return this.find(knownHash(u8, start, length), u8, start, length) !== NONE;
    }
    if (this.encoding === Encoding.Packed) {
      return packedFind(slab, this.block, u8, start, length, 1, cursor);
    }
    return parseInt64(u8, start, length) && integersHas(slab, this.block, int64.lo, int64.hi);
  }

  /** The member of a table, whose hash is known already; or NONE. */
  find(hash: number, u8: Uint8Array, start: number, length: number): MemberRef | typeof NONE {
    const { slab } = this;
    const bucket = bucketAt(slab, this.root << 1, hash);
    if (bucket === 0) return NONE;
    return findInBucket(slab, bucket, hash, isMember, u8, start, length) as MemberRef;
  }

  /** Adds u8[start, start + length); false when it is a member already. Memory was reserved. */
  add(u8: Uint8Array, start: number, length: number): boolean {
    if (this.encoding === Encoding.Table) return this.addToTable(u8, start, length);
    if (this.encoding === Encoding.Packed) return this.addToPacked(u8, start, length);
    if (parseInt64(u8, start, length)) return this.addInteger(int64.lo, int64.hi);
    if (this.fitsPacked(length)) {
      convertToPacked(this, length);
      this.root = packedAppend(this.slab, this.block, u8, start, length);
      return true;
    }
    convertToTable(this);
    return this.addToTable(u8, start, length);
  }

  private addToTable(u8: Uint8Array, start: number, length: number): boolean {
    const hash = knownHash(u8, start, length);
    if (this.find(hash, u8, start, length) !== NONE) return false;
    saveBucketFirst(this.slab, this.root << 1, hash);
    const member = createMember(this.slab, u8, start, length);
    insert(this.slab, this.root << 1, hash, member, hashOfMember, 0);
    return true;
  }

  private addToPacked(u8: Uint8Array, start: number, length: number): boolean {
    const { slab } = this;
    if (packedFind(slab, this.block, u8, start, length, 1, cursor)) return false;
    const isFull = packedCount(slab, this.block) >= thresholds.setMaxListpackEntries;
    if (!isFull && length <= thresholds.setMaxListpackValue) {
      this.root = packedAppend(slab, this.block, u8, start, length);
      return true;
    }
    convertToTable(this);
    return this.addToTable(u8, start, length);
  }

  private addInteger(low: number, high: number): boolean {
    const { slab } = this;
    const ref = integersAdd(slab, this.block, low, high);
    if (ref === NONE) return false;
    this.root = ref;
    if (integersCount(slab, ref as BlockRef) > integersMax()) convertToTable(this);
    return true;
  }

  /** May integers and a text of `length` bytes become a packed list? */
  private fitsPacked(length: number): boolean {
    const { slab } = this;
    const { setMaxListpackEntries, setMaxListpackValue } = thresholds;
    const count = integersCount(slab, this.block);
    if (count >= setMaxListpackEntries || length > setMaxListpackValue) return false;
    if (setMaxListpackValue >= INT64_TEXT_BYTES_MAX || count === 0) return true;
    return Math.max(this.textLengthAt(0), this.textLengthAt(count - 1)) <= setMaxListpackValue;
  }

  private textLengthAt(index: number): number {
    integersAt(this.slab, this.block, index);
    return writeIntegerText(integer.low, integer.high);
  }

  /** Takes u8[start, start + length) out; false when it is no member. */
  remove(u8: Uint8Array, start: number, length: number): boolean {
    const { slab } = this;
    if (this.encoding === Encoding.Table) {
      const hash = knownHash(u8, start, length);
      const member = this.find(hash, u8, start, length);
      if (member === NONE) return false;
      this.removeRef(member as MemberRef, hash);
      return true;
    }
    if (this.encoding === Encoding.Packed) {
      if (!packedFind(slab, this.block, u8, start, length, 1, cursor)) return false;
      this.root = packedRemove(slab, cursor, 1);
      return true;
    }
    if (!parseInt64(u8, start, length)) return false;
    const ref = integersRemove(slab, this.block, int64.lo, int64.hi);
    if (ref === NONE) return false;
    this.root = ref;
    return true;
  }

  /** Takes the member out of a table, whose hash it is, and frees it. */
  removeRef(member: MemberRef, hash: number): void {
    const { slab } = this;
    const rootAt = this.root << 1;
    saveBucketFirst(slab, rootAt, hash);
    removeRef(slab, rootAt, bucketAt(slab, rootAt, hash), member);
    freeMember(slab, member);
    const count = slab.i32[rootAt + TableRoot.Count]!;
    if ((count & SHRINK_INTERVAL_MASK) === 0) shrinkIfSparse(slab, rootAt, count);
  }

  /** Converts to what Redis takes for a set that is about to get `added` more members. */
  expect(added: number): void {
    const { encoding } = this;
    if (encoding === Encoding.Packed && added > thresholds.setMaxListpackEntries) {
      convertToTable(this);
    } else if (encoding === Encoding.Integers && added > thresholds.setMaxIntsetEntries) {
      convertToTable(this);
    }
  }

  /**
   * Makes this an empty set for `added` members, the first of which is u8[start, start + length).
   * Memory was reserved.
   */
  create(slab: Slab, added: number, u8: Uint8Array, start: number, length: number): void {
    if (added <= thresholds.setMaxIntsetEntries && parseInt64(u8, start, length)) {
      this.open(slab, Encoding.Integers, createIntegers(slab));
    } else if (added <= thresholds.setMaxListpackEntries) {
      this.open(slab, Encoding.Packed, createPacked(slab, Math.min(length + 1, FIRST_ROOM_BYTES)));
    } else {
      this.open(slab, Encoding.Table, createTable(slab));
    }
  }
}

/** As Redis: the array has a limit of its own. */
export function integersMax(): number {
  return Math.min(thresholds.setMaxIntsetEntries, INTEGERS_COUNT_MAX);
}

export function countMembers(slab: Slab, encoding: Encoding, root: number): number {
  if (encoding === Encoding.Table) return slab.i32[(root << 1) + TableRoot.Count]!;
  if (encoding === Encoding.Packed) return packedCount(slab, root as BlockRef);
  return integersCount(slab, root as BlockRef);
}

/** The root of an empty table. Memory was reserved. */
export function createTable(slab: Slab): BlockRef {
  const root = allocate(slab, ROOT_BYTES);
  assert(root !== NONE, 'memory for the root of a table was reserved');
  slab.i32.fill(0, root << 1, (root << 1) + Root.Words);
  return root;
}

/** Word index of the place where freeing the table at `root` goes on. */
export function freePlaceOf(root: number): number {
  return (root << 1) + Root.FreePlace;
}

function shrinkIfSparse(slab: Slab, rootAt: number, count: number): void {
  const { i32 } = slab;
  const depth = i32[rootAt + TableRoot.Depth]!;
  if (depth === 0 || count >= SPARSE_MEMBERS << depth) return;
  i32[rootAt + Root.ShrinkPlace] = shrinkStep(slab, rootAt, i32[rootAt + Root.ShrinkPlace]!);
}

// ── Conversions ──────────────────────────────────────────────────────────────────────────────

/** Makes a table of integers or of a packed list. Memory was reserved. */
function convertToTable(set: SetValue): void {
  const { slab, encoding } = set;
  const ref = set.root as BlockRef;
  const root = createTable(slab);
  if (encoding === Encoding.Packed) {
    cursor.open(slab, ref);
    for (let isThere = cursor.first(); isThere; isThere = cursor.next()) {
      if (cursor.isInteger) insertInteger(slab, root, cursor.low, cursor.high);
      else insertNew(slab, root, slab.u8, cursor.at, cursor.length);
    }
    releasePacked(slab, ref);
  } else {
    const count = integersCount(slab, ref);
    for (let index = 0; index < count; index++) {
      integersAt(slab, ref, index);
      insertInteger(slab, root, integer.low, integer.high);
    }
    releaseIntegers(slab, ref);
  }
  set.open(slab, Encoding.Table, root);
}

/** Puts what is no member yet into the table at `root`. Memory was reserved. */
export function insertNew(
  slab: Slab,
  root: number,
  u8: Uint8Array,
  start: number,
  length: number,
): void {
  const hash = hashBytes(u8, start, length);
  const member = createMember(slab, u8, start, length);
  insert(slab, root << 1, hash, member, hashOfMember, 0);
}

export function insertInteger(slab: Slab, root: number, low: number, high: number): void {
  insertNew(slab, root, integerText, 0, writeIntegerText(low, high));
}

/** Makes a packed list of integers, with room for a text more. Memory was reserved. */
function convertToPacked(set: SetValue, length: number): void {
  const { slab } = set;
  const ref = set.root as BlockRef;
  const count = integersCount(slab, ref);
  let list = createPacked(slab, count * 3 + length + 1);
  for (let index = 0; index < count; index++) {
    integersAt(slab, ref, index);
    const bytes = writeIntegerText(integer.low, integer.high);
    list = packedAppend(slab, list, integerText, 0, bytes);
  }
  releaseIntegers(slab, ref);
  set.open(slab, Encoding.Packed, list);
}

/**
 * Makes a table that became small a packed list, when its members fit one and memory allows: Redis
 * does so where it builds a set anew of what remains.
 */
export function convertToPackedIfSmall(set: SetValue): void {
  const { slab, root, count } = set;
  const rootAt = root << 1;
  if (set.encoding !== Encoding.Table || count > thresholds.setMaxListpackEntries) return;
  // A snapshot that walks through it holds on to its root.
  if (isWalked(slab, rootAt + TableRoot.Walk)) return;
  let bytes = 0;
  walk.open(slab, rootAt);
  for (let ref = walk.next(); ref !== NONE; ref = walk.next()) {
    const length = memberLength(slab, ref as MemberRef);
    if (length > thresholds.setMaxListpackValue) return;
    bytes += length;
  }
  if (!reserve(slab, packedReserve(slab, NONE, bytes, count))) return;
  let list = createPacked(slab, bytes + count);
  walk.open(slab, rootAt);
  for (let ref = walk.next(); ref !== NONE; ref = walk.next()) {
    const member = ref as MemberRef;
    list = packedAppend(slab, list, slab.u8, memberStart(slab, member), memberLength(slab, member));
    freeMember(slab, member);
  }
  freeTable(slab, rootAt);
  release(slab, root as BlockRef);
  set.open(slab, Encoding.Packed, tightenPacked(slab, list));
}

// ── Memory ───────────────────────────────────────────────────────────────────────────────────

/**
 * Bytes that adding the words from `first` on to the set, or to a new one, may allocate at the
 * most, in whatever encoding it ends.
 */
export function addReserve(set: SetValue | null, args: Slices, first: number): number {
  const count = args.count - first;
  if (count === 1 && set !== null) {
    const length = args.lengthOf(first);
    if (set.encoding === Encoding.Table) return memberReserve(length);
    if (length < SMALL_FORM_BYTES && isSmall(set)) return SMALL_FORM_BYTES;
  }
  let bytes = TABLE_BYTES;
  let textBytes = 0;
  for (let index = first; index < args.count; index++) {
    const length = args.lengthOf(index);
    textBytes += length;
    bytes += memberReserve(length);
  }
  if (count > FEW_MEMBERS && textBytes > SPANS_BYTES >>> 3) bytes += SPANS_BYTES;
  return set === null
    ? bytes + newReserve(textBytes, count)
    : bytes + changeReserve(set, textBytes, count);
}

/** Is the set so small that a table of its members fits into what reserve() keeps free anyway? */
function isSmall(set: SetValue): boolean {
  const { slab, root } = set;
  if (set.encoding === Encoding.Packed) {
    return packedBytes(slab, root as BlockRef) < SMALL_FORM_BYTES;
  }
  return integersCount(slab, root as BlockRef) < SMALL_FORM_BYTES / 8;
}

/** What a new set may take besides the blocks of its members. */
function newReserve(textBytes: number, count: number): number {
  if (!staysSmall(count)) return 0;
  return packedReserve(NO_SLAB, NONE, textBytes, count) + integersReserve(NO_SLAB, NONE, count);
}

/** Sets that get more members at once become tables before that. */
function staysSmall(added: number): boolean {
  return added <= thresholds.setMaxListpackEntries || added <= thresholds.setMaxIntsetEntries;
}

/** What the change of a set's own form may take, besides the blocks of new members. */
function changeReserve(set: SetValue, textBytes: number, count: number): number {
  const { slab, encoding, root } = set;
  if (encoding === Encoding.Table) {
    // A directory that doubles.
    return 8 << slab.i32[(root << 1) + TableRoot.Depth]!;
  }
  const there = set.count;
  // What is there becomes blocks: less than twice its bytes here, and 48 more a member.
  if (encoding === Encoding.Packed) {
    const asTable = 2 * packedBytes(slab, root as BlockRef) + 48 * there;
    if (!staysSmall(count)) return asTable;
    return asTable + packedReserve(slab, root as BlockRef, textBytes, count);
  }
  const asTable = 48 * there;
  if (!staysSmall(count)) return asTable;
  const asIntegers = integersReserve(slab, root as BlockRef, count);
  if (there + count > thresholds.setMaxListpackEntries) return asTable + asIntegers;
  const bytes = textBytes + there * INT64_TEXT_BYTES_MAX;
  return asTable + asIntegers + packedReserve(slab, NONE, bytes, there + count);
}
