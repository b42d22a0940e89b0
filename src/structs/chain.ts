// A chain of packed lists (packed.ts), for lists of any length. What stands in which node is in a
// directory, a ring of nodes with their element counts, so that both ends are reached and extended
// in O(1), and an index is found by adding counts that lie side by side instead of following links
// from node to node.
//
//   chain, a block of its own
//   ┌──────────┬───────┬──────────────────┬──────────────┬───────────┬─────────────────┬─────────┐
//   │ elements │ nodes │ first: its place │ mask: places │ directory │ most bytes and  │ walk, 5 │
//   │          │       │ in the ring      │ less one     │           │ elements a node │ words   │
//   └──────────┴───────┴──────────────────┴──────────────┴───────────┴─────────────────┴─────────┘
//   directory: four words for each place of the ring; numbers are of a snapshot's walk
//   ┌──────┬──────────┬───────┬────────┬──────┬──────────┬───────┬────────┬── …
//   │ node │ elements │ bytes │ number │ node │ elements │ bytes │ number │
//   └──────┴──────────┴───────┴────────┴──────┴──────────┴───────┴────────┴── …
//
// A node holds elements up to a limit of bytes or of elements (list-max-listpack-size, as it was
// when the chain was made). Which elements share a node is what Redis would do with its quicklist:
// then a chain comes down to one node, and back to a packed list, when Redis's does. Hence bytes
// are those of a listpack (base/listpack-size.ts), a replaced element stays in its node however
// long it is, and a node that is cut for an element joins its neighbours again where they fit.
//
// A node that is begun at an end gets its full size at once, so that pushes do not move it; when
// the next node is begun it gives back what it has to spare. Rejected: nodes linked to each other.
// That needs eight bytes more a node and a cache miss a node for LINDEX; inserting into the middle
// of the directory moves a part of it, but 16 bytes of it stand for some eight kilobytes of
// list. Rejected, too: nodes that end by the bytes they take here. That is six percent less memory
// for elements of sixteen bytes, and another answer to OBJECT ENCODING.

import { assert } from '../base/assert.js';
import {
  LISTPACK_HEAD_BYTES,
  listpackIntegerBytes,
  listpackStringBytes,
} from '../base/listpack-size.js';
import {
  allocate,
  type BlockRef,
  capacityOf,
  release,
  reserve,
  SMALL_BYTES_MAX,
} from '../slab/alloc.js';
import { NONE, type Slab } from '../slab/slab.js';
import { checkChainWalk, leavePlace, placesChanged, savePlaceFirst } from './chain-first.js';
import { allows, Chain, type ChainRef, Place, placeAt } from './chain-layout.js';
import {
  checkPacked,
  copyPacked,
  createPacked,
  encodedListpackBytes,
  Packed,
  packedAppend,
  packedBytes,
  packedCount,
  packedElementBytes,
  packedInsertBefore,
  packedPrepend,
  packedRemove,
  packedReplace,
  packedSplit,
  releasePacked,
  tightenPacked,
} from './packed.js';

export type { ChainRef };

const PLACES_MIN = 4;
/** What a packed list has besides its elements. */
const LIST_OVERHEAD = 16;
/** A small node, its block's slack and its place: what a node costs besides its elements. */
const NODE_OVERHEAD = 48;

// ── Limits of a node ─────────────────────────────────────────────────────────────────────────

const KILOBYTE = 1024;
/** Limits by number: −1 is 4 KiB, then twice as much each; below −5 it is as −5. */
const SMALLEST_KILOBYTES = 4;
const LEVELS = 5;
/** A node that is limited by elements still has a limit of bytes. */
const SAFE_BYTES = 8 * KILOBYTE;
/** A chain has no larger limit of elements than that of Redis's quicklists. */
const CHAIN_LIMIT_MAX = 2 ** 15 - 1;
const INT32_MAX = 2 ** 31 - 1;

/** Bytes that a node may have; `limit` is list-max-listpack-size. */
export function nodeBytesMax(limit: number): number {
  if (limit >= 0) return SAFE_BYTES;
  const level = limit < -LEVELS ? LEVELS : -limit;
  return (SMALLEST_KILOBYTES * KILOBYTE) << (level - 1);
}

/** Elements that a node may have. */
export function nodeElementsMax(limit: number): number {
  if (limit < 0) return INT32_MAX;
  return limit === 0 ? 1 : limit;
}

/** Bytes that the element would take in a listpack. */
export function listpackElementBytes(element: Packed): number {
  return element.isInteger
    ? listpackIntegerBytes(element.low, element.high)
    : listpackStringBytes(element.length);
}

const measured = new Packed();

/** Bytes of the listpack that would hold the same elements. */
export function listpackBytes(slab: Slab, node: BlockRef): number {
  measured.open(slab, node);
  return LISTPACK_HEAD_BYTES + (measured.first() ? runBytes(INT32_MAX) : 0);
}

/** Bytes in a listpack of `count` elements, or as many as there are, from `measured` on. */
function runBytes(count: number): number {
  let bytes = 0;
  for (let left = count; left > 0; left--) {
    bytes += listpackElementBytes(measured);
    if (!measured.next()) return bytes;
  }
  return bytes;
}

/** Bytes to begin a node with whose first element is that text. */
function newNodeRoom(
  slab: Slab,
  chain: ChainRef,
  u8: Uint8Array,
  start: number,
  length: number,
): number {
  const at = chain << 1;
  const bytes = packedElementBytes(u8, start, length);
  const most = slab.i32[at + Chain.BytesMax]! - LIST_OVERHEAD;
  if (bytes > most) return bytes;
  // As many of the kind as it may have: elements of one list are of one size more often than not.
  const byBytes = Math.ceil((most / encodedListpackBytes(length)) * bytes);
  const byElements = slab.i32[at + Chain.ElementsMax]! * bytes;
  // A limit of no elements is one of a single one.
  return Math.max(bytes, Math.min(most, byBytes, byElements));
}

/**
 * Bytes that a change may allocate at the most that adds `addedCount` texts of `addedBytes` in all
 * to the ends of the chain, or of one that is about to be made (NONE) with that limit.
 */
export function chainReserve(
  slab: Slab,
  chain: ChainRef | typeof NONE,
  addedBytes: number,
  addedCount: number,
  limit: number,
): number {
  // An eighth is what a block may have of slack, and the directory may double.
  let bytes = addedBytes + (addedBytes >>> 2) + NODE_OVERHEAD * addedCount;
  const node = chain === NONE ? nodeBytesMax(limit) : slab.i32[(chain << 1) + Chain.BytesMax]!;
  if (node > SMALL_BYTES_MAX) bytes += 3 * node;
  if (chain !== NONE) {
    const directory = (slab.i32[(chain << 1) + Chain.Mask]! + 1) * Place.Words * 8;
    if (directory > SMALL_BYTES_MAX) bytes += directory;
  }
  return bytes;
}

/**
 * What putting a text into the inside of a node, or in an element's place, may allocate besides:
 * then a node is moved, cut in two or joined with others, and it may be longer than `bytesMax`.
 */
export function nodeChangeReserve(slab: Slab, node: BlockRef, bytesMax: number): number {
  const used = packedBytes(slab, node);
  // It moves to a larger block, and once more; up to four joins each have a block of a full node.
  return used + bytesMax <= SMALL_BYTES_MAX ? 0 : Math.ceil(2.25 * used + 4.5 * bytesMax);
}

// ── The directory ────────────────────────────────────────────────────────────────────────────

export function chainCount(slab: Slab, chain: ChainRef): number {
  return slab.i32[(chain << 1) + Chain.Elements]!;
}

export function chainNodes(slab: Slab, chain: ChainRef): number {
  return slab.i32[(chain << 1) + Chain.Nodes]!;
}

/** Bytes that a node of the chain may have, those of a listpack. */
export function chainBytesMax(slab: Slab, chain: ChainRef): number {
  return slab.i32[(chain << 1) + Chain.BytesMax]!;
}

/** Bytes of the listpack that would hold what the node in place `index` holds. */
export function chainNodeBytes(slab: Slab, chain: ChainRef, index: number): number {
  return slab.i32[placeAt(slab, chain, index) + Place.Bytes]!;
}

/** The node in place `index`. */
export function chainNode(slab: Slab, chain: ChainRef, index: number): BlockRef {
  return slab.i32[placeAt(slab, chain, index) + Place.Node]! as BlockRef;
}

function allocateBlock(slab: Slab, bytes: number): BlockRef {
  const block = allocate(slab, bytes);
  assert(block !== NONE, 'memory for a chain was reserved');
  return block;
}

/** A chain without elements, whose nodes have that limit always. Memory was reserved. */
export function createChain(slab: Slab, limit: number): ChainRef {
  const { i32 } = slab;
  const chain = allocateBlock(slab, Chain.Words * 4) as number as ChainRef;
  const at = chain << 1;
  i32[at + Chain.Elements] = 0;
  i32[at + Chain.Nodes] = 0;
  i32[at + Chain.First] = 0;
  i32[at + Chain.Mask] = PLACES_MIN - 1;
  i32[at + Chain.Directory] = allocateBlock(slab, PLACES_MIN * Place.Words * 4);
  i32[at + Chain.BytesMax] = nodeBytesMax(limit);
  i32[at + Chain.ElementsMax] = limit < 0 ? INT32_MAX : Math.min(limit, CHAIN_LIMIT_MAX);
  i32.fill(0, at + Chain.Walk, at + Chain.Words);
  return chain;
}

/**
 * Makes a packed list the last node of the chain, whose it is from now on; `bytes` are those of its
 * listpack. Memory was reserved.
 */
export function adoptNode(slab: Slab, chain: ChainRef, node: BlockRef, bytes: number): void {
  insertPlace(slab, chain, chainNodes(slab, chain), node, bytes);
}

/** Takes the only node out of a chain, which is freed. */
export function dissolveChain(slab: Slab, chain: ChainRef): BlockRef {
  assert(chainNodes(slab, chain) === 1, 'only a chain of one node dissolves into it');
  const node = chainNode(slab, chain, 0);
  releaseHead(slab, chain);
  return node;
}

function releaseHead(slab: Slab, chain: ChainRef): void {
  release(slab, slab.i32[(chain << 1) + Chain.Directory]! as BlockRef);
  release(slab, chain as number as BlockRef);
}

/** Puts `node` into place `index`; what stands there and behind goes one further. */
function insertPlace(
  slab: Slab,
  chain: ChainRef,
  index: number,
  node: BlockRef,
  bytes: number,
): void {
  const { i32 } = slab;
  const at = chain << 1;
  const nodes = i32[at + Chain.Nodes]!;
  if (nodes > i32[at + Chain.Mask]!) resizeDirectory(slab, chain, 2 * nodes);
  placesChanged(slab, chain, index, 1);
  // The shorter side moves.
  if (index < nodes >>> 1 || (index === 0 && nodes !== 0)) {
    i32[at + Chain.First] = (i32[at + Chain.First]! - 1) & i32[at + Chain.Mask]!;
    for (let moved = 0; moved < index; moved++) copyPlace(slab, chain, moved + 1, moved);
  } else {
    for (let moved = nodes; moved > index; moved--) copyPlace(slab, chain, moved - 1, moved);
  }
  const elements = packedCount(slab, node);
  const place = placeAt(slab, chain, index);
  i32[place + Place.Node] = node;
  i32[place + Place.Elements] = elements;
  i32[place + Place.Bytes] = bytes;
  i32[place + Place.Number] = 0;
  i32[at + Chain.Nodes] = nodes + 1;
  i32[at + Chain.Elements] = i32[at + Chain.Elements]! + elements;
}

/** Frees the node in place `index`; what stands behind it goes one back. */
function removePlace(slab: Slab, chain: ChainRef, index: number): void {
  const { i32 } = slab;
  const at = chain << 1;
  const isLeft = leavePlace(slab, chain, index);
  placesChanged(slab, chain, index, -1);
  const place = placeAt(slab, chain, index);
  const nodes = i32[at + Chain.Nodes]! - 1;
  if (!isLeft) releasePacked(slab, i32[place + Place.Node]! as BlockRef);
  i32[at + Chain.Elements] = i32[at + Chain.Elements]! - i32[place + Place.Elements]!;
  if (index < nodes >>> 1 || index === 0) {
    for (let moved = index; moved > 0; moved--) copyPlace(slab, chain, moved - 1, moved);
    i32[at + Chain.First] = (i32[at + Chain.First]! + 1) & i32[at + Chain.Mask]!;
  } else {
    for (let moved = index; moved < nodes; moved++) copyPlace(slab, chain, moved + 1, moved);
  }
  i32[at + Chain.Nodes] = nodes;
  const places = i32[at + Chain.Mask]! + 1;
  if (places > PLACES_MIN && nodes <= places >>> 2) shrinkDirectory(slab, chain, places >>> 1);
}

function copyPlace(slab: Slab, chain: ChainRef, from: number, to: number): void {
  const { i32 } = slab;
  const source = placeAt(slab, chain, from);
  const target = placeAt(slab, chain, to);
  i32[target + Place.Node] = i32[source + Place.Node]!;
  i32[target + Place.Elements] = i32[source + Place.Elements]!;
  i32[target + Place.Bytes] = i32[source + Place.Bytes]!;
  i32[target + Place.Number] = i32[source + Place.Number]!;
}

function resizeDirectory(slab: Slab, chain: ChainRef, places: number): void {
  moveDirectory(slab, chain, places, allocateBlock(slab, places * Place.Words * 4));
}

/** Nobody reserves memory for giving some back: when there is none, the directory stays. */
function shrinkDirectory(slab: Slab, chain: ChainRef, places: number): void {
  const bytes = places * Place.Words * 4;
  if (!reserve(slab, bytes)) return;
  const directory = allocate(slab, bytes);
  if (directory !== NONE) moveDirectory(slab, chain, places, directory);
}

function moveDirectory(slab: Slab, chain: ChainRef, places: number, directory: BlockRef): void {
  const { i32 } = slab;
  const at = chain << 1;
  const nodes = i32[at + Chain.Nodes]!;
  for (let index = 0; index < nodes; index++) {
    const from = placeAt(slab, chain, index);
    const to = (directory << 1) + index * Place.Words;
    i32[to + Place.Node] = i32[from + Place.Node]!;
    i32[to + Place.Elements] = i32[from + Place.Elements]!;
    i32[to + Place.Bytes] = i32[from + Place.Bytes]!;
    i32[to + Place.Number] = i32[from + Place.Number]!;
  }
  release(slab, i32[at + Chain.Directory]! as BlockRef);
  i32[at + Chain.First] = 0;
  i32[at + Chain.Mask] = places - 1;
  i32[at + Chain.Directory] = directory;
}

/** Writes the node back that a change of it has returned, and what came or, negative, went. */
function settleNode(
  slab: Slab,
  chain: ChainRef,
  index: number,
  node: BlockRef,
  added: number,
  addedBytes: number,
): void {
  const { i32 } = slab;
  const place = placeAt(slab, chain, index);
  i32[place + Place.Node] = node;
  i32[place + Place.Bytes] = i32[place + Place.Bytes]! + addedBytes;
  i32[place + Place.Elements] = i32[place + Place.Elements]! + added;
  i32[(chain << 1) + Chain.Elements] = i32[(chain << 1) + Chain.Elements]! + added;
}

/** A node that stops being an end gives back what it has to spare. */
function seal(slab: Slab, chain: ChainRef, index: number): void {
  const place = placeAt(slab, chain, index);
  const node = slab.i32[place + Place.Node]! as BlockRef;
  slab.i32[place + Place.Node] = tightenPacked(slab, node);
}

// ── Both ends ────────────────────────────────────────────────────────────────────────────────

/**
 * Puts a text before the first or behind the last element. Memory was reserved; the source lies
 * anywhere but in the chain.
 */
export function chainPush(
  slab: Slab,
  chain: ChainRef,
  isHead: boolean,
  u8: Uint8Array,
  start: number,
  length: number,
): void {
  const { i32 } = slab;
  const at = chain << 1;
  const nodes = i32[at + Chain.Nodes]!;
  const index = isHead ? 0 : nodes - 1;
  if (nodes !== 0) savePlaceFirst(slab, chain, index);
  let place = placeAt(slab, chain, index);
  if (nodes === 0 || !allows(slab, chain, place, length)) {
    if (nodes !== 0) seal(slab, chain, index);
    const begun = isHead ? 0 : nodes;
    const node = createPacked(slab, newNodeRoom(slab, chain, u8, start, length));
    insertPlace(slab, chain, begun, node, LISTPACK_HEAD_BYTES);
    place = placeAt(slab, chain, begun);
  }
  const node = i32[place + Place.Node]! as BlockRef;
  i32[place + Place.Node] = isHead
    ? packedPrepend(slab, node, u8, start, length)
    : packedAppend(slab, node, u8, start, length);
  i32[place + Place.Elements] = i32[place + Place.Elements]! + 1;
  i32[place + Place.Bytes] = i32[place + Place.Bytes]! + encodedListpackBytes(length);
  i32[at + Chain.Elements] = i32[at + Chain.Elements]! + 1;
}

// ── The cursor ───────────────────────────────────────────────────────────────────────────────

/** Stands on an element of a chain, or on none; valid until the chain changes. */
export class ChainCursor {
  slab: Slab;
  chain = NONE as ChainRef;
  /** Which node it is in. */
  place = 0;
  /** The element. */
  readonly element = new Packed();

  constructor() {
    this.slab = this.element.slab;
  }

  open(slab: Slab, chain: ChainRef): this {
    this.slab = slab;
    this.chain = chain;
    this.place = 0;
    return this;
  }

  private enter(place: number): Packed {
    this.place = place;
    return this.element.open(this.slab, chainNode(this.slab, this.chain, place));
  }

  first(): boolean {
    return chainNodes(this.slab, this.chain) !== 0 && this.enter(0).first();
  }

  last(): boolean {
    const nodes = chainNodes(this.slab, this.chain);
    return nodes !== 0 && this.enter(nodes - 1).last();
  }

  next(): boolean {
    if (this.element.next()) return true;
    const place = this.place + 1;
    return place < chainNodes(this.slab, this.chain) && this.enter(place).first();
  }

  previous(): boolean {
    if (this.element.previous()) return true;
    return this.place > 0 && this.enter(this.place - 1).last();
  }

  /** To element `index`, from 0 to count − 1. */
  seek(index: number): boolean {
    const { slab, chain } = this;
    const count = chainCount(slab, chain);
    if (index < 0 || index >= count) return false;
    const { i32 } = slab;
    if (index <= count >>> 1) {
      let left = index;
      for (let place = 0; ; place++) {
        const elements = i32[placeAt(slab, chain, place) + Place.Elements]!;
        if (left < elements) return this.enter(place).seek(left);
        left -= elements;
      }
    }
    let left = count - 1 - index;
    for (let place = chainNodes(slab, chain) - 1; ; place--) {
      const elements = i32[placeAt(slab, chain, place) + Place.Elements]!;
      if (left < elements) return this.enter(place).seek(elements - 1 - left);
      left -= elements;
    }
  }
}

// ── Changes inside ───────────────────────────────────────────────────────────────────────────

/**
 * Puts a text before the cursor's element, or behind it. The cursor is nowhere afterwards. Memory
 * was reserved; the source lies anywhere but in the chain.
 */
export function chainInsert(
  cursor: ChainCursor,
  isBehind: boolean,
  u8: Uint8Array,
  start: number,
  length: number,
): void {
  const { slab, chain, place, element } = cursor;
  savePlaceFirst(slab, chain, place);
  const isFirst = !isBehind && isFirstElement(element);
  const isLast = isBehind && !element.next();
  if (allows(slab, chain, placeAt(slab, chain, place), length)) {
    const node = packedInsertBefore(slab, element, u8, start, length);
    settleNode(slab, chain, place, node, 1, encodedListpackBytes(length));
    return;
  }
  // The node is full. At its edges the text goes to the neighbour, or to a node of its own between
  // both; inside, the node is cut in two, and the text joins the part that is cut off.
  if (isFirst || isLast) {
    const beside = isFirst ? place - 1 : place + 1;
    const isThere = beside >= 0 && beside < chainNodes(slab, chain);
    if (isThere && allows(slab, chain, placeAt(slab, chain, beside), length)) {
      pushInto(slab, chain, beside, isLast, u8, start, length);
      return;
    }
    const between = isFirst ? place : place + 1;
    const node = createPacked(slab, packedElementBytes(u8, start, length));
    insertPlace(slab, chain, between, node, LISTPACK_HEAD_BYTES);
    pushInto(slab, chain, between, true, u8, start, length);
    return;
  }
  cut(slab, chain, place, element);
  pushInto(slab, chain, isBehind ? place + 1 : place, isBehind, u8, start, length);
  joinAround(slab, chain, isBehind ? place : place + 1);
}

const sought = new Packed();

function isFirstElement(element: Packed): boolean {
  return sought.open(element.slab, element.ref).first() && sought.at === element.at;
}

/** Cuts the node in `place` in two before the element. */
function cut(slab: Slab, chain: ChainRef, place: number, element: Packed): void {
  const second = packedSplit(slab, element);
  const bytes = listpackBytes(slab, second);
  const { ref } = element;
  const goneBytes = bytes - LISTPACK_HEAD_BYTES;
  settleNode(slab, chain, place, ref, -packedCount(slab, second), -goneBytes);
  insertPlace(slab, chain, place + 1, second, bytes);
  seal(slab, chain, place);
}

/** Puts a text to one end of the node in `place`. */
function pushInto(
  slab: Slab,
  chain: ChainRef,
  place: number,
  isHead: boolean,
  u8: Uint8Array,
  start: number,
  length: number,
): void {
  savePlaceFirst(slab, chain, place);
  const node = chainNode(slab, chain, place);
  const grown = isHead
    ? packedPrepend(slab, node, u8, start, length)
    : packedAppend(slab, node, u8, start, length);
  settleNode(slab, chain, place, grown, 1, encodedListpackBytes(length));
}

/**
 * Joins nodes that fit together about the one in place `center`: the two before it, the two behind
 * it, then itself with its neighbours.
 */
function joinAround(slab: Slab, chain: ChainRef, center: number): void {
  let place = center;
  if (join(slab, chain, place - 2)) place--;
  join(slab, chain, place + 1);
  if (join(slab, chain, place - 1)) place--;
  join(slab, chain, place);
}

const textScratch = new Uint8Array(new ArrayBuffer(32));

/** Makes the nodes in place `index` and behind it one, where they are and may be one. */
function join(slab: Slab, chain: ChainRef, index: number): boolean {
  const { i32 } = slab;
  if (index < 0 || index + 1 >= chainNodes(slab, chain)) return false;
  const at = chain << 1;
  const first = placeAt(slab, chain, index);
  const second = placeAt(slab, chain, index + 1);
  const bytes = i32[first + Place.Bytes]! + i32[second + Place.Bytes]! - LISTPACK_HEAD_BYTES;
  const elements = i32[first + Place.Elements]! + i32[second + Place.Elements]!;
  if (bytes > i32[at + Chain.BytesMax]! || elements > i32[at + Chain.ElementsMax]!) return false;
  savePlaceFirst(slab, chain, index);
  savePlaceFirst(slab, chain, index + 1);
  const source = i32[second + Place.Node]! as BlockRef;
  let node = i32[first + Place.Node]! as BlockRef;
  measured.open(slab, source);
  for (let isThere = measured.first(); isThere; isThere = measured.next()) {
    if (measured.isInteger) {
      node = packedAppend(slab, node, textScratch, 0, measured.writeText(textScratch, 0));
    } else {
      node = packedAppend(slab, node, slab.u8, measured.at, measured.length);
    }
  }
  removePlace(slab, chain, index + 1);
  const place = placeAt(slab, chain, index);
  const added = elements - i32[place + Place.Elements]!;
  settleNode(slab, chain, index, node, added, bytes - i32[place + Place.Bytes]!);
  return true;
}

/** Puts a text in the place of the cursor's element. The cursor is nowhere afterwards. */
export function chainReplace(
  cursor: ChainCursor,
  u8: Uint8Array,
  start: number,
  length: number,
): void {
  const { slab, chain, place, element } = cursor;
  savePlaceFirst(slab, chain, place);
  const oldBytes = listpackElementBytes(element);
  const node = packedReplace(slab, element, u8, start, length);
  settleNode(slab, chain, place, node, 0, encodedListpackBytes(length) - oldBytes);
}

/** Takes the cursor's element out; the cursor then stands on the one behind it, or on none. */
export function chainDelete(cursor: ChainCursor): boolean {
  const { slab, chain, place, element } = cursor;
  savePlaceFirst(slab, chain, place);
  if (slab.i32[placeAt(slab, chain, place) + Place.Elements] === 1) {
    removePlace(slab, chain, place);
    if (place < chainNodes(slab, chain)) {
      element.open(slab, chainNode(slab, chain, place));
      return element.first();
    }
    element.token = 0;
    return false;
  }
  const bytes = listpackElementBytes(element);
  settleNode(slab, chain, place, packedRemove(slab, element, 1), -1, -bytes);
  if (element.token !== 0) return true;
  return cursor.place + 1 < chainNodes(slab, chain) && cursorToNode(cursor, place + 1);
}

function cursorToNode(cursor: ChainCursor, place: number): boolean {
  cursor.place = place;
  return cursor.element.open(cursor.slab, chainNode(cursor.slab, cursor.chain, place)).first();
}

const ranged = new ChainCursor();

/** Takes `count` elements out, from element `index` on; they are all there. */
export function chainRemoveRange(slab: Slab, chain: ChainRef, index: number, count: number): void {
  if (count === 0) return;
  ranged.open(slab, chain).seek(index);
  const { element } = ranged;
  let { place } = ranged;
  let left = count;
  if (!isFirstElement(element)) {
    left -= removeRun(slab, chain, place, element, left);
    place++;
  }
  while (left > 0) {
    const elements = slab.i32[placeAt(slab, chain, place) + Place.Elements]!;
    if (elements <= left) {
      removePlace(slab, chain, place);
      left -= elements;
      continue;
    }
    element.open(slab, chainNode(slab, chain, place)).first();
    left -= removeRun(slab, chain, place, element, left);
  }
}

/** Takes up to `count` elements out of one node, but not all; returns how many. */
function removeRun(
  slab: Slab,
  chain: ChainRef,
  place: number,
  element: Packed,
  count: number,
): number {
  savePlaceFirst(slab, chain, place);
  measured.open(slab, element.ref).stand(element.before, element.token);
  const bytes = runBytes(count);
  const before = slab.i32[placeAt(slab, chain, place) + Place.Elements]!;
  const node = packedRemove(slab, element, count);
  const removed = before - packedCount(slab, node);
  settleNode(slab, chain, place, node, -removed, -bytes);
  return removed;
}

// ── The chain as a whole ─────────────────────────────────────────────────────────────────────

/** Frees nodes of about `budget` elements; true when that was the whole chain. */
export function freeChainStep(slab: Slab, chain: ChainRef, budget: number): boolean {
  const { i32 } = slab;
  for (let left = budget; left > 0; ) {
    const last = chainNodes(slab, chain) - 1;
    if (last < 0) {
      releaseHead(slab, chain);
      return true;
    }
    const place = placeAt(slab, chain, last);
    left -= i32[place + Place.Elements]!;
    // The last one: the others stay where they are, and the directory need not shrink.
    releasePacked(slab, i32[place + Place.Node]! as BlockRef);
    i32[(chain << 1) + Chain.Nodes] = last;
  }
  return false;
}

/** Bytes that a copy takes at the most. */
export function chainCopyReserve(slab: Slab, chain: ChainRef): number {
  return chainHeldBytes(slab, chain) + chainNodes(slab, chain) * Place.Words * 8;
}

/** A copy in `target`, which may be the same slab. Memory was reserved. */
export function copyChain(source: Slab, chain: ChainRef, target: Slab): ChainRef {
  const copy = createChain(target, 0);
  const from = chain << 1;
  const to = copy << 1;
  target.i32[to + Chain.BytesMax] = source.i32[from + Chain.BytesMax]!;
  target.i32[to + Chain.ElementsMax] = source.i32[from + Chain.ElementsMax]!;
  const nodes = chainNodes(source, chain);
  for (let index = 0; index < nodes; index++) {
    const node = copyPacked(source, chainNode(source, chain, index), target);
    adoptNode(target, copy, node, chainNodeBytes(source, chain, index));
  }
  return copy;
}

/** Bytes of all its blocks. */
export function chainHeldBytes(slab: Slab, chain: ChainRef): number {
  const directory = slab.i32[(chain << 1) + Chain.Directory]! as BlockRef;
  let bytes = capacityOf(slab, chain as number as BlockRef) + capacityOf(slab, directory);
  const nodes = chainNodes(slab, chain);
  for (let index = 0; index < nodes; index++) {
    bytes += capacityOf(slab, chainNode(slab, chain, index));
  }
  return bytes;
}

const ROUGH_NODES = 64;

/** About as much, as the first nodes tell. */
export function chainRoughBytes(slab: Slab, chain: ChainRef): number {
  const nodes = chainNodes(slab, chain);
  const seen = Math.min(nodes, ROUGH_NODES);
  let bytes = 0;
  for (let index = 0; index < seen; index++)
    bytes += capacityOf(slab, chainNode(slab, chain, index));
  return seen === 0 ? 0 : Math.round((bytes / seen) * nodes);
}

/** What DEBUG OBJECT tells of a chain, in Redis's words for its quicklists. */
export function describeChain(slab: Slab, chain: ChainRef): string {
  const { i32 } = slab;
  const at = chain << 1;
  const nodes = chainNodes(slab, chain);
  const elementsMax = i32[at + Chain.ElementsMax]!;
  const level = Math.log2(i32[at + Chain.BytesMax]! / (SMALLEST_KILOBYTES * KILOBYTE)) + 1;
  let bytes = 0;
  for (let index = 0; index < nodes; index++) bytes += chainNodeBytes(slab, chain, index);
  return (
    `ql_nodes:${nodes} ql_avg_node:${(chainCount(slab, chain) / nodes).toFixed(2)} ` +
    `ql_listpack_max:${elementsMax === INT32_MAX ? -level : elementsMax} ` +
    `ql_compressed:0 ql_uncompressed_size:${bytes}`
  );
}

/** Asserts what must hold of a chain and of its nodes. */
export function checkChain(slab: Slab, chain: ChainRef): void {
  const { i32 } = slab;
  const at = chain << 1;
  const nodes = chainNodes(slab, chain);
  const places = i32[at + Chain.Mask]! + 1;
  assert((places & (places - 1)) === 0 && nodes <= places, 'a directory has room for its nodes');
  assert(i32[at + Chain.First]! < places, 'the first place lies in the ring');
  const directory = i32[at + Chain.Directory]! as BlockRef;
  assert(capacityOf(slab, directory) >= places * Place.Words * 4, 'a directory fits its block');
  let count = 0;
  for (let index = 0; index < nodes; index++) {
    const place = placeAt(slab, chain, index);
    const node = i32[place + Place.Node]! as BlockRef;
    checkPacked(slab, node);
    const elements = packedCount(slab, node);
    assert(elements > 0, 'no node of a chain is empty');
    assert(elements === i32[place + Place.Elements], 'the directory counts what a node holds');
    const bytes = listpackBytes(slab, node);
    assert(bytes === i32[place + Place.Bytes], 'the directory measures what a node holds');
    count += elements;
  }
  checkChainWalk(slab, chain);
  assert(count === chainCount(slab, chain), 'a chain counts what its nodes hold');
}
