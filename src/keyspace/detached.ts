// What was taken out of the keyspace and is freed later, in steps, by the owner of the partition:
// databases that were emptied, and values of many elements whose key is gone. Both hang in lists of
// the slab's header. Nothing refers to them any more, so that they can be freed at any time under
// the partition's lock.
//
//   detached database, one block, linked from the slab's header
//   ┌──────┬──────────────────────────────────┬───────┐
//   │ next │ the database's root, 16 words,   │ place │
//   │      │ see root.ts                      │       │
//   └──────┴──────────────────────────────────┴───────┘
//                                              where freeing goes on
//
// A database that a snapshot has yet to walk through stands in a list of its own until it has, and
// so does a large value that it walks through node by node (structs/walked.ts).
//
//   detached value: the block of the entry that had it, or a block of its own when the entry lives
//   on with another value; linked from the slab's header
//   ┌──────┬──────────┬────────┬──────┬──────┐
//   │ type │ encoding │ units  │ next │ root │
//   │ 4    │ 4        │ 24     │      │      │
//   └──────┴──────────┴────────┴──────┴──────┘
//                       about what it takes, while it is left to a snapshot
//
// What is left to a snapshot takes memory that nobody can make free: eviction must not count it, or
// it would empty the keyspace while it waits for the walk (Header.LeftUnits).

import { assert } from '../base/assert.js';
import { allocate, type BlockRef, capacityOf, release } from '../slab/alloc.js';
import { counterOf, DATABASE_WORDS, GRANULE_BYTES, Header, NONE, type Slab } from '../slab/slab.js';
import { freeSegmentStep, TableRoot } from '../structs/table.js';
import { isWalked } from '../structs/walked.js';
import {
  Encoding,
  type EntryRef,
  encodingOf,
  payloadLow,
  releaseEntry,
  Type,
  typeOf,
} from './entry.js';
import { freeExpiryStep } from './expire.js';
import { Root } from './root.js';
import { freeStructure, isStructured, kindOf, lengthOf, rootOf, walkWordOf } from './values.js';

const enum Detached {
  Next = 0,
  Root = Next + 1,
  Place = Root + DATABASE_WORDS,
  Words = Place + 1,
}
const enum DetachedValue {
  Meta = 0,
  Next = 1,
  Root = 2,
  Words = 3,
}

const DETACHED_BYTES = Detached.Words * 4;
const DETACHED_VALUE_BYTES = DetachedValue.Words * 4;
const NIBBLE_MASK = 0xf;
const ENCODING_SHIFT = 4;
const UNITS_SHIFT = 8;
const UNITS_MAX = 0xffffff;
const UNIT_GRANULES = 16;
/** What freeing a segment costs besides its entries, in entries. */
const SEGMENT_COST = 16;
/** Values of at most so many elements are freed at once: Redis draws the line here, too. */
const ELEMENTS_AT_ONCE = 64;

/** Does a snapshot walk through the value of the entry? It is freed when that is over, then. */
function isHeld(slab: Slab, entry: EntryRef): boolean {
  if (slab.i32[Header.WalkedValues] === 0) return false;
  if (!isStructured(slab, entry) && encodingOf(slab, entry) !== Encoding.Blob) return false;
  const walkAt = walkWordOf(slab, entry);
  return walkAt !== 0 && isWalked(slab, walkAt);
}

/** Frees what an entry refers to, at once. */
export function freeValueNow(slab: Slab, entry: EntryRef): void {
  if (isHeld(slab, entry)) {
    freeValueLater(slab, entry);
    return;
  }
  if (encodingOf(slab, entry) === Encoding.Blob) release(slab, payloadLow(slab, entry) as BlockRef);
  else if (isStructured(slab, entry)) freeStructure(slab, entry);
}

/** As freeValueNow, but many elements are freed in later steps. The entry lives on. */
export function freeValueLater(slab: Slab, entry: EntryRef): void {
  // A slab too full for the little block that holds the root frees the value at once instead.
  const isLeft = isHeld(slab, entry);
  const isDetached = isLeft || isLarge(slab, entry);
  const block = isDetached ? allocate(slab, DETACHED_VALUE_BYTES) : NONE;
  assert(block !== NONE || !isLeft, 'whoever gives an entry another value reserved for this block');
  if (block === NONE) freeValueNow(slab, entry);
  else linkValue(slab, block, entry, isLeft);
}

/** Frees an entry that stands in no table any more, with its value; many elements later. */
export function freeEntryLater(slab: Slab, entry: EntryRef): void {
  if (isLarge(slab, entry)) linkValue(slab, entry, entry, isHeld(slab, entry));
  else freeEntryNow(slab, entry);
}

/** Frees an entry that stands in no table any more, with its value. */
export function freeEntryNow(slab: Slab, entry: EntryRef): void {
  if (isHeld(slab, entry)) {
    linkValue(slab, entry, entry, true);
    return;
  }
  freeValueNow(slab, entry);
  releaseEntry(slab, entry);
}

/** Has the value so many blocks that freeing it takes its time? A packed list is one block. */
function isLarge(slab: Slab, entry: EntryRef): boolean {
  const encoding = encodingOf(slab, entry);
  if (encoding === Encoding.Packed || encoding === Encoding.Inside) return false;
  if (!isStructured(slab, entry)) return false;
  return lengthOf(slab, entry) > ELEMENTS_AT_ONCE;
}

/** The block may be the entry's own. `isLeft`: it is left to a snapshot's walk first. */
function linkValue(slab: Slab, block: number, entry: EntryRef, isLeft: boolean): void {
  const { i32 } = slab;
  const at = block << 1;
  const type = typeOf(slab, entry);
  const encoding = encodingOf(slab, entry);
  const root = rootOf(slab, entry);
  const list = isLeft ? Header.LeftValues : Header.DetachedValues;
  if (type !== Type.String) kindOf(type).detach?.(slab, encoding, root);
  const units = isLeft ? unitsOf(slab, type, encoding, root) : 0;
  i32[at + DetachedValue.Meta] = type | (encoding << ENCODING_SHIFT) | (units << UNITS_SHIFT);
  i32[Header.LeftUnits] = i32[Header.LeftUnits]! + units;
  i32[at + DetachedValue.Next] = i32[list]!;
  i32[at + DetachedValue.Root] = root;
  i32[list] = block;
  i32[Header.LazyPending] = i32[Header.LazyPending]! + 1;
}

function unitsOf(slab: Slab, type: Type, encoding: Encoding, root: number): number {
  const bytes =
    type === Type.String
      ? capacityOf(slab, root as BlockRef)
      : (kindOf(type).roughBytes?.(slab, encoding, root) ?? 0);
  return Math.min(UNITS_MAX, Math.floor(bytes / (UNIT_GRANULES * GRANULE_BYTES)));
}

/** About the granules that values take whose keys are gone, but which a snapshot needs yet. */
export function leftGranules(slab: Slab): number {
  return counterOf(slab, Header.LeftUnits) * UNIT_GRANULES;
}

/** A snapshot has walked through the value at `root`: if its key is gone, it may be freed now. */
export function releaseLeftValue(slab: Slab, root: number): void {
  const { i32 } = slab;
  let linkAt: number = Header.LeftValues;
  for (let block = i32[linkAt]!; block !== NONE; block = i32[linkAt]!) {
    const at = block << 1;
    if (i32[at + DetachedValue.Root] === root) {
      i32[linkAt] = i32[at + DetachedValue.Next]!;
      const units = i32[at + DetachedValue.Meta]! >>> UNITS_SHIFT;
      i32[Header.LeftUnits] = i32[Header.LeftUnits]! - units;
      i32[at + DetachedValue.Next] = i32[Header.DetachedValues]!;
      i32[Header.DetachedValues] = block;
      return;
    }
    linkAt = at + DetachedValue.Next;
  }
}

/**
 * Takes all that the database with the root at `rootAt` holds out of it, to be freed later; false
 * when there is no memory for that. What a snapshot has yet to walk through is left to it first.
 */
export function detachDatabase(slab: Slab, rootAt: number): boolean {
  const { i32 } = slab;
  const node = allocate(slab, DETACHED_BYTES);
  if (node === NONE) return false;
  const at = node << 1;
  const list = i32[rootAt + Root.Cut] === 0 ? Header.Detached : Header.LeftRoots;
  i32[Header.LazyPending] = i32[Header.LazyPending]! + i32[rootAt + Root.Table + TableRoot.Count]!;
  i32[at + Detached.Next] = i32[list]!;
  for (let word = 0; word < Root.Words; word++) {
    i32[at + Detached.Root + word] = i32[rootAt + word]!;
    i32[rootAt + word] = 0;
  }
  i32[at + Detached.Place] = 0;
  i32[list] = node;
  return true;
}

/** Word index of the root of a database that was left to the snapshot; 0 when there is none. */
export function leftRootAt(slab: Slab): number {
  const node = slab.i32[Header.LeftRoots]!;
  return node === NONE ? 0 : (node << 1) + Detached.Root;
}

/** The snapshot has walked through the database that leftRootAt tells: it may be freed now. */
export function releaseLeftRoot(slab: Slab): void {
  const { i32 } = slab;
  const node = i32[Header.LeftRoots]!;
  const at = node << 1;
  i32[Header.LeftRoots] = i32[at + Detached.Next]!;
  i32[at + Detached.Next] = i32[Header.Detached]!;
  i32[Header.Detached] = node;
}

/** Forgets what is detached: the slab is about to be reset, which frees all of it. */
export function forgetDetached(slab: Slab): void {
  const { i32 } = slab;
  i32[Header.LazyFreed] = i32[Header.LazyFreed]! + i32[Header.LazyPending]!;
  i32[Header.LazyPending] = 0;
  i32[Header.Detached] = NONE;
  i32[Header.DetachedValues] = NONE;
}

/**
 * Frees about `budget` entries of detached databases, or elements of a detached value. True when
 * there is nothing left. One step frees a segment of a database at the least: some 300 entries.
 */
export function freeDetachedStep(slab: Slab, budget: number): boolean {
  const { i32 } = slab;
  if (i32[Header.DetachedValues] !== NONE) {
    freeValueStep(slab, budget);
    return i32[Header.DetachedValues] === NONE && i32[Header.Detached] === NONE;
  }
  while (i32[Header.Detached] !== NONE) {
    if (budget <= 0) return false;
    const node = i32[Header.Detached]!;
    const at = node << 1;
    const before = i32[at + Detached.Root + Root.Table + TableRoot.Count]!;
    if (!freeExpiryStep(slab, at + Detached.Root + Root.Expiry, budget)) return false;
    pending = 0;
    const place = i32[at + Detached.Place]!;
    i32[at + Detached.Place] = freeSegmentStep(
      slab,
      at + Detached.Root + Root.Table,
      place,
      freeEntry,
    );
    const left = before - i32[at + Detached.Root + Root.Table + TableRoot.Count]!;
    countFreed(slab, left - pending);
    budget -= left + SEGMENT_COST;
    if (i32[at + Detached.Place] === 0) {
      i32[Header.Detached] = i32[at + Detached.Next]!;
      release(slab, node as BlockRef);
    }
  }
  return i32[Header.DetachedValues] === NONE;
}

// Entries of the running segment step whose values are freed later: they go on waiting.
let pending = 0;

function freeEntry(slab: Slab, ref: number): void {
  const { i32 } = slab;
  const before = i32[Header.LazyPending]!;
  freeEntryLater(slab, ref as EntryRef);
  // The entry was counted with its database already.
  if (i32[Header.LazyPending] !== before) {
    i32[Header.LazyPending] = before;
    pending++;
  }
}

/** Goes on with the first detached value. */
function freeValueStep(slab: Slab, budget: number): void {
  const { i32 } = slab;
  const block = i32[Header.DetachedValues]!;
  const at = block << 1;
  const meta = i32[at + DetachedValue.Meta]!;
  const encoding = ((meta >>> ENCODING_SHIFT) & NIBBLE_MASK) as Encoding;
  const type = (meta & NIBBLE_MASK) as Type;
  const root = i32[at + DetachedValue.Root]!;
  // A string that a snapshot has walked through.
  if (type === Type.String) release(slab, root as BlockRef);
  else if (!kindOf(type).freeStep(slab, encoding, root, budget)) return;
  i32[Header.DetachedValues] = i32[at + DetachedValue.Next]!;
  release(slab, block as BlockRef);
  countFreed(slab, 1);
}

function countFreed(slab: Slab, count: number): void {
  const { i32 } = slab;
  i32[Header.LazyPending] = i32[Header.LazyPending]! - count;
  i32[Header.LazyFreed] = i32[Header.LazyFreed]! + count;
}
