// A chain of packed lists (packed.ts), for lists of any length. What stands in which node is in a
// directory, a ring of nodes with their element counts, so that both ends are reached and extended
// in O(1), and an index is found by adding counts that lie side by side instead of following links
// from node to node.
//
//   chain, a block of its own
//   ┌──────────┬───────┬──────────────────┬──────────────┬───────────┐
//   │ elements │ nodes │ first: its place │ mask: places │ directory │
//   │          │       │ in the ring      │ less one     │           │
//   └──────────┴───────┴──────────────────┴──────────────┴───────────┘
//   directory: a pair of words for each place of the ring
//   ┌──────┬──────────┬──────┬──────────┬── …
//   │ node │ elements │ node │ elements │
//   └──────┴──────────┴──────┴──────────┴── …
//
// A node holds elements up to a limit of bytes or of elements (list-max-listpack-size); an element
// that is longer than a node may be has one to itself. A node that is begun at an end gets its full
// size at once, so that pushes do not move it; when the next node is begun it gives back what it
// has to spare. Rejected: nodes linked to each other. That needs eight bytes more a node and a
// cache miss a node for LINDEX; inserting into the middle of the directory moves a part of it, but
// eight bytes of it stand for some eight kilobytes of list.

import { assert } from '../base/assert.js';
import {
  allocate,
  type BlockRef,
  capacityOf,
  release,
  reserve,
  SMALL_BYTES_MAX,
} from '../slab/alloc.js';
import { NONE, type Ref, type Slab } from '../slab/slab.js';
import {
  checkPacked,
  copyPacked,
  createPacked,
  Packed,
  packedAppend,
  packedBytes,
  packedCount,
  packedInsertBefore,
  packedPrepend,
  packedRemove,
  packedReplace,
  packedSplit,
  releasePacked,
  tightenPacked,
} from './packed.js';

export type ChainRef = Ref<'chain'>;

const enum Chain {
  Elements = 0,
  Nodes = 1,
  First = 2,
  Mask = 3,
  Directory = 4,
  Words = 5,
}
const enum Place {
  Node = 0,
  Elements = 1,
  Words = 2,
}

const PLACES_MIN = 4;
/** What a packed list has besides its elements, and its longest element besides its text. */
const LIST_OVERHEAD = 16;
const SHORT_OVERHEAD = 1;
const LONG_OVERHEAD = 9;
const SHORT_BYTES_MAX = 239;
/** A small node, its block's slack and its place: what a node costs besides its elements. */
const NODE_OVERHEAD = 48;

// ── Limits of a node ─────────────────────────────────────────────────────────────────────────

const KILOBYTE = 1024;
/** Limits by number: −1 is 4 KiB, then twice as much each; below −5 it is as −5. */
const SMALLEST_KILOBYTES = 4;
const LEVELS = 5;
/** A node that is limited by elements still has a limit of bytes. */
const SAFE_BYTES = 8 * KILOBYTE;

/** Bytes that a node may have; `limit` is list-max-listpack-size. */
export function nodeBytesMax(limit: number): number {
  if (limit >= 0) return SAFE_BYTES;
  const level = limit < -LEVELS ? LEVELS : -limit;
  return (SMALLEST_KILOBYTES * KILOBYTE) << (level - 1);
}

/** Elements that a node may have. */
export function nodeElementsMax(limit: number): number {
  if (limit < 0) return Number.MAX_SAFE_INTEGER;
  return limit === 0 ? 1 : limit;
}

/** Bytes that a text takes in a node at the most. */
function elementBytesMax(length: number): number {
  return length + (length <= SHORT_BYTES_MAX ? SHORT_OVERHEAD : LONG_OVERHEAD);
}

/** May an element of so many bytes join the node? */
function fits(slab: Slab, node: BlockRef, elements: number, bytes: number, limit: number): boolean {
  if (packedBytes(slab, node) + bytes > nodeBytesMax(limit)) return false;
  return limit < 0 || elements < nodeElementsMax(limit);
}

/** Bytes to begin a node with whose first element takes `bytes`. */
function newNodeRoom(bytes: number, limit: number): number {
  const most = nodeBytesMax(limit) - LIST_OVERHEAD;
  if (bytes > most) return bytes;
  if (limit < 0) return most;
  const wanted = bytes * nodeElementsMax(limit);
  return wanted < most ? wanted : most;
}

/**
 * Bytes that a change may allocate at the most that adds `addedCount` texts of `addedBytes` in all
 * to the chain, or to one that is about to be made (NONE).
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
  const node = nodeBytesMax(limit);
  if (node > SMALL_BYTES_MAX) bytes += 3 * node;
  if (chain !== NONE) {
    const directory = (slab.i32[(chain << 1) + Chain.Mask]! + 1) * Place.Words * 8;
    if (directory > SMALL_BYTES_MAX) bytes += directory;
  }
  return bytes;
}

// ── The directory ────────────────────────────────────────────────────────────────────────────

/** Word index of the directory's pair for the node in place `index`, counted from the first. */
function placeAt(slab: Slab, chain: ChainRef, index: number): number {
  const { i32 } = slab;
  const at = chain << 1;
  const place = (i32[at + Chain.First]! + index) & i32[at + Chain.Mask]!;
  return (i32[at + Chain.Directory]! << 1) + place * Place.Words;
}

export function chainCount(slab: Slab, chain: ChainRef): number {
  return slab.i32[(chain << 1) + Chain.Elements]!;
}

export function chainNodes(slab: Slab, chain: ChainRef): number {
  return slab.i32[(chain << 1) + Chain.Nodes]!;
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

/** A chain without elements. Memory was reserved. */
export function createChain(slab: Slab): ChainRef {
  const { i32 } = slab;
  const chain = allocateBlock(slab, Chain.Words * 4) as number as ChainRef;
  const at = chain << 1;
  i32[at + Chain.Elements] = 0;
  i32[at + Chain.Nodes] = 0;
  i32[at + Chain.First] = 0;
  i32[at + Chain.Mask] = PLACES_MIN - 1;
  i32[at + Chain.Directory] = allocateBlock(slab, PLACES_MIN * Place.Words * 4);
  return chain;
}

/** Makes a packed list the last node of the chain, whose it is from now on. Memory was reserved. */
export function adoptNode(slab: Slab, chain: ChainRef, node: BlockRef): void {
  const nodes = chainNodes(slab, chain);
  insertPlace(slab, chain, nodes, node);
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
function insertPlace(slab: Slab, chain: ChainRef, index: number, node: BlockRef): void {
  const { i32 } = slab;
  const at = chain << 1;
  const nodes = i32[at + Chain.Nodes]!;
  if (nodes > i32[at + Chain.Mask]!) resizeDirectory(slab, chain, 2 * nodes);
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
  i32[at + Chain.Nodes] = nodes + 1;
  i32[at + Chain.Elements] = i32[at + Chain.Elements]! + elements;
}

/** Frees the node in place `index`; what stands behind it goes one back. */
function removePlace(slab: Slab, chain: ChainRef, index: number): void {
  const { i32 } = slab;
  const at = chain << 1;
  const place = placeAt(slab, chain, index);
  const nodes = i32[at + Chain.Nodes]! - 1;
  releasePacked(slab, i32[place + Place.Node]! as BlockRef);
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
  }
  release(slab, i32[at + Chain.Directory]! as BlockRef);
  i32[at + Chain.First] = 0;
  i32[at + Chain.Mask] = places - 1;
  i32[at + Chain.Directory] = directory;
}

/** Writes the node back that a change of it has returned, and how many elements came or went. */
function settleNode(
  slab: Slab,
  chain: ChainRef,
  index: number,
  node: BlockRef,
  added: number,
): void {
  const { i32 } = slab;
  const place = placeAt(slab, chain, index);
  i32[place + Place.Node] = node;
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
  limit: number,
): void {
  const { i32 } = slab;
  const at = chain << 1;
  const nodes = i32[at + Chain.Nodes]!;
  const index = isHead ? 0 : nodes - 1;
  const bytes = elementBytesMax(length);
  let place = placeAt(slab, chain, index);
  if (
    nodes === 0 ||
    !fits(slab, i32[place + Place.Node]! as BlockRef, i32[place + Place.Elements]!, bytes, limit)
  ) {
    if (nodes !== 0) seal(slab, chain, index);
    const node = createPacked(slab, newNodeRoom(bytes, limit));
    insertPlace(slab, chain, isHead ? 0 : nodes, node);
    place = placeAt(slab, chain, isHead ? 0 : nodes);
  }
  const node = i32[place + Place.Node]! as BlockRef;
  i32[place + Place.Node] = isHead
    ? packedPrepend(slab, node, u8, start, length)
    : packedAppend(slab, node, u8, start, length);
  i32[place + Place.Elements] = i32[place + Place.Elements]! + 1;
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
  limit: number,
): void {
  const { slab, chain, place, element } = cursor;
  const bytes = elementBytesMax(length);
  if (isBehind) element.next();
  const elements = slab.i32[placeAt(slab, chain, place) + Place.Elements]!;
  if (fits(slab, element.ref, elements, bytes, limit)) {
    settleNode(slab, chain, place, packedInsertBefore(slab, element, u8, start, length), 1);
    return;
  }
  // The node is full. At its edges the text goes to the neighbour, or to a node of its own between
  // both; inside, the node is cut in two there.
  const isFirst = !isBehind && isFirstElement(element);
  const isLast = isBehind && element.token === 0;
  if (isFirst && pushInto(slab, chain, place - 1, false, u8, start, length, limit)) return;
  if (isLast && pushInto(slab, chain, place + 1, true, u8, start, length, limit)) return;
  if (!isFirst && !isLast) {
    const second = packedSplit(slab, element);
    settleNode(slab, chain, place, element.ref, -packedCount(slab, second));
    insertPlace(slab, chain, place + 1, second);
    seal(slab, chain, place);
    if (pushInto(slab, chain, place, false, u8, start, length, limit)) return;
  }
  const node = packedAppend(slab, createPacked(slab, bytes), u8, start, length);
  insertPlace(slab, chain, isFirst ? place : place + 1, node);
}

const sought = new Packed();

function isFirstElement(element: Packed): boolean {
  return sought.open(element.slab, element.ref).first() && sought.at === element.at;
}

/** Puts a text to one end of the node in `place`, if there is one and it has room. */
function pushInto(
  slab: Slab,
  chain: ChainRef,
  place: number,
  isHead: boolean,
  u8: Uint8Array,
  start: number,
  length: number,
  limit: number,
): boolean {
  if (place < 0 || place >= chainNodes(slab, chain)) return false;
  const at = placeAt(slab, chain, place);
  const node = slab.i32[at + Place.Node]! as BlockRef;
  const elements = slab.i32[at + Place.Elements]!;
  if (!fits(slab, node, elements, elementBytesMax(length), limit)) return false;
  const grown = isHead
    ? packedPrepend(slab, node, u8, start, length)
    : packedAppend(slab, node, u8, start, length);
  settleNode(slab, chain, place, grown, 1);
  return true;
}

/** Puts a text in the place of the cursor's element. The cursor is nowhere afterwards. */
export function chainReplace(
  cursor: ChainCursor,
  u8: Uint8Array,
  start: number,
  length: number,
  limit: number,
): void {
  const { slab, chain, place, element } = cursor;
  const elements = slab.i32[placeAt(slab, chain, place) + Place.Elements]!;
  const bytes = elementBytesMax(length) - (element.behind - element.before);
  const isRoomy = packedBytes(slab, element.ref) + bytes <= nodeBytesMax(limit);
  if (elements === 1 || bytes <= 0 || isRoomy) {
    settleNode(slab, chain, place, packedReplace(slab, element, u8, start, length), 0);
    return;
  }
  // Too long for this node: the text comes first, then the element goes, which now stands at the
  // head of its node or of what was cut off from it.
  const index = indexOf(cursor);
  chainInsert(cursor, false, u8, start, length, limit);
  cursor.seek(index + 1);
  chainDelete(cursor);
}

/** Which element of the chain the cursor stands on, from 0. */
function indexOf(cursor: ChainCursor): number {
  const { slab, chain, place, element } = cursor;
  let index = 0;
  for (let before = 0; before < place; before++) {
    index += slab.i32[placeAt(slab, chain, before) + Place.Elements]!;
  }
  sought.open(slab, element.ref).first();
  while (sought.before !== element.before) {
    sought.next();
    index++;
  }
  return index;
}

/** Takes the cursor's element out; the cursor then stands on the one behind it, or on none. */
export function chainDelete(cursor: ChainCursor): boolean {
  const { slab, chain, place, element } = cursor;
  if (slab.i32[placeAt(slab, chain, place) + Place.Elements] === 1) {
    removePlace(slab, chain, place);
    if (place < chainNodes(slab, chain)) {
      element.open(slab, chainNode(slab, chain, place));
      return element.first();
    }
    element.token = 0;
    return false;
  }
  settleNode(slab, chain, place, packedRemove(slab, element, 1), -1);
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
    const before = packedCount(slab, element.ref);
    const node = packedRemove(slab, element, left);
    const removed = before - packedCount(slab, node);
    settleNode(slab, chain, place, node, -removed);
    left -= removed;
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
    settleNode(slab, chain, place, packedRemove(slab, element, left), -left);
    left = 0;
  }
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
  const copy = createChain(target);
  const nodes = chainNodes(source, chain);
  for (let index = 0; index < nodes; index++) {
    adoptNode(target, copy, copyPacked(source, chainNode(source, chain, index), target));
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
    count += elements;
  }
  assert(count === chainCount(slab, chain), 'a chain counts what its nodes hold');
}
