// Lists: one packed list while they are small, a chain of packed lists when they are not. What is
// small is what Redis finds small, so that OBJECT ENCODING agrees: its measure is the size that its
// listpack would have, in bytes, or a number of elements (list-max-listpack-size).

import {
  digitsOfInt64,
  INT64_TEXT_BYTES_MAX,
  int64,
  parseInt64,
  writeInt64,
} from '../base/ascii.js';
import { copyBytes, equalBytes } from '../base/bytes.js';
import { type BlockRef, capacityOf } from '../slab/alloc.js';
import { move } from '../slab/moving.js';
import { NONE, type Slab } from '../slab/slab.js';
import {
  adoptNode,
  ChainCursor,
  type ChainRef,
  chainBytesMax,
  chainCopyReserve,
  chainCount,
  chainDelete,
  chainHeldBytes,
  chainInsert,
  chainNodeBytes,
  chainNodes,
  chainPush,
  chainRemoveRange,
  chainReplace,
  chainReserve,
  chainRoughBytes,
  checkChain,
  copyChain,
  createChain,
  dissolveChain,
  freeChainStep,
  listpackBytes,
  listpackElementBytes,
  nodeBytesMax,
  nodeChangeReserve,
  nodeElementsMax,
} from '../structs/chain.js';
import { chainWalkAt } from '../structs/chain-first.js';
import { moveChain, moveNodes } from '../structs/chain-move.js';
import {
  checkPacked,
  copyPacked,
  createPacked,
  encodedListpackBytes,
  Packed,
  packedAppend,
  packedBytes,
  packedCount,
  packedInsertBefore,
  packedPrepend,
  packedRemove,
  packedReplace,
  releasePacked,
  tightenPacked,
} from '../structs/packed.js';
import { isWalked } from '../structs/walked.js';
import { Encoding, type ValueKind } from './kind.js';
import { thresholds } from './thresholds.js';

/** No element is this much longer in a listpack than in a packed list. */
const DIFFERENCE_MAX = 5;
/** What a list that SORT builds has as its limit, whatever list-max-listpack-size is. */
const BUILT_LIMIT = -2;

// ── The list ─────────────────────────────────────────────────────────────────────────────────

/** Words of an element's text, wherever they are: valid until the next change of its list. */
export class ElementText {
  u8: Uint8Array = new Uint8Array(0);
  start = 0;
  length = 0;
}

const integerText = new Uint8Array(new ArrayBuffer(32));
let ownText = new Uint8Array(new ArrayBuffer(256));
const OWN_BYTES_MAX = 64 * 1024;

/** Where the text of an element is; an integer's stands in scratch memory. */
export function readElement(element: Packed, out: ElementText): void {
  if (element.isInteger) {
    out.u8 = integerText;
    out.start = 0;
    out.length = writeInt64(integerText, 0, element.low, element.high);
    return;
  }
  out.u8 = element.slab.u8;
  out.start = element.at;
  out.length = element.length;
}

/** As readElement, but the text is a copy: its list may change. */
export function copyElement(element: Packed, out: ElementText): void {
  const length = element.isInteger ? digitsOfInt64(element.low, element.high) : element.length;
  if (ownText.length < length || ownText.length > OWN_BYTES_MAX) {
    ownText = new Uint8Array(new ArrayBuffer(Math.max(256, length)));
  }
  out.u8 = ownText;
  out.start = 0;
  out.length = length;
  if (element.isInteger) writeInt64(ownText, 0, element.low, element.high);
  else copyBytes(element.slab.u8, element.at, ownText, 0, length);
}

/** A text that elements are compared with: read once, whatever it is. */
export class Wanted {
  private u8: Uint8Array = new Uint8Array(0);
  private start = 0;
  private length = 0;
  private isInteger = false;
  private low = 0;
  private high = 0;

  set(u8: Uint8Array, start: number, length: number): void {
    this.u8 = u8;
    this.start = start;
    this.length = length;
    this.isInteger = length <= INT64_TEXT_BYTES_MAX && parseInt64(u8, start, length);
    this.low = int64.lo;
    this.high = int64.hi;
  }

  /** Has the element this text? An integer is stored as one always, so that texts suffice. */
  is(element: Packed): boolean {
    if (this.isInteger) {
      return element.isInteger && element.low === this.low && element.high === this.high;
    }
    if (element.isInteger || element.length !== this.length) return false;
    return equalBytes(element.slab.u8, element.at, this.u8, this.start, this.length);
  }
}

/**
 * One list, opened where its entry points; reused. After a change, `encoding`, `root` and `measure`
 * are what the entry has to hold: its encoding and the two words of its payload.
 */
export class List {
  slab: Slab;
  encoding: Encoding = Encoding.Packed;
  root = NONE;
  /** Bytes of the listpack that would hold the same, when they are known; else 0. */
  measure = 0;
  /** The element that the last walk or search has come to. */
  element: Packed;
  private readonly single = new Packed();
  private readonly cursor = new ChainCursor();

  constructor() {
    this.element = this.single;
    this.slab = this.single.slab;
  }

  open(slab: Slab, encoding: Encoding, root: number, measure: number): this {
    this.slab = slab;
    this.encoding = encoding;
    this.root = root;
    this.measure = measure;
    this.stand();
    return this;
  }

  /** A new list, still without elements, for the texts that are about to come. */
  create(slab: Slab, addedBytes: number, addedCount: number): this {
    // The one byte that most elements take besides their text.
    const room = addedBytes + addedCount;
    const isSmall = room <= nodeBytesMax(thresholds.listMaxListpackSize);
    return this.open(slab, Encoding.Packed, createPacked(slab, isSmall ? room : 0), 0);
  }

  /** A new list for any number of texts, of which settle then makes what they are. */
  build(slab: Slab): this {
    return this.open(slab, Encoding.Chain, createChain(slab, BUILT_LIMIT), 0);
  }

  /** Makes `element` that of the encoding. */
  private stand(): void {
    if (this.encoding === Encoding.Packed) {
      this.element = this.single.open(this.slab, this.root as BlockRef);
    } else {
      this.element = this.cursor.open(this.slab, this.root as ChainRef).element;
    }
  }

  get length(): number {
    if (this.encoding === Encoding.Packed) return packedCount(this.slab, this.root as BlockRef);
    return chainCount(this.slab, this.root as ChainRef);
  }

  // A walk: `element` is where it stands.

  first(): boolean {
    return this.encoding === Encoding.Packed ? this.single.first() : this.cursor.first();
  }

  last(): boolean {
    return this.encoding === Encoding.Packed ? this.single.last() : this.cursor.last();
  }

  next(): boolean {
    return this.encoding === Encoding.Packed ? this.single.next() : this.cursor.next();
  }

  previous(): boolean {
    return this.encoding === Encoding.Packed ? this.single.previous() : this.cursor.previous();
  }

  /** To element `index`, counted from 0; false when there is none. */
  seek(index: number): boolean {
    if (index < 0) return false;
    return this.encoding === Encoding.Packed ? this.single.seek(index) : this.cursor.seek(index);
  }

  /** Bytes that adding so many texts may allocate at the most, for reserve. */
  reserveBytes(addedBytes: number, addedCount: number): number {
    const chain = this.encoding === Encoding.Chain ? (this.root as ChainRef) : NONE;
    return chainReserve(this.slab, chain, addedBytes, addedCount, thresholds.listMaxListpackSize);
  }

  /** As reserveBytes, for a text beside the element where the walk stands, or in its place. */
  changeReserveBytes(addedBytes: number): number {
    const { slab } = this;
    const bytesMax =
      this.encoding === Encoding.Chain
        ? chainBytesMax(slab, this.root as ChainRef)
        : nodeBytesMax(thresholds.listMaxListpackSize);
    return this.reserveBytes(addedBytes, 1) + nodeChangeReserve(slab, this.element.ref, bytesMax);
  }

  /**
   * Before so many texts are added: a list that would be too large becomes a chain. True when it
   * did: then the walk is over.
   */
  grow(addedBytes: number, addedCount: number): boolean {
    if (this.encoding !== Encoding.Packed) return false;
    if (!this.wouldExceed(addedBytes, addedCount)) return false;
    const { slab } = this;
    const node = this.root as BlockRef;
    const chain = createChain(slab, thresholds.listMaxListpackSize);
    if (packedCount(slab, node) === 0) releasePacked(slab, node);
    else adoptNode(slab, chain, node, this.measure || listpackBytes(slab, node));
    this.become(Encoding.Chain, chain);
    return true;
  }

  private wouldExceed(addedBytes: number, addedCount: number): boolean {
    const { slab } = this;
    const limit = thresholds.listMaxListpackSize;
    const node = this.root as BlockRef;
    const count = packedCount(slab, node);
    if (count + addedCount > nodeElementsMax(limit)) return true;
    const bytesMax = nodeBytesMax(limit) - addedBytes;
    if (this.measure === 0) {
      // Nearly always: far from the limit, whatever the elements are.
      if (packedBytes(slab, node) + DIFFERENCE_MAX * count <= bytesMax) return false;
      this.measure = listpackBytes(slab, node);
    }
    return this.measure > bytesMax;
  }

  private become(encoding: Encoding, root: number): void {
    this.encoding = encoding;
    this.root = root;
    this.measure = 0;
    this.stand();
  }

  /** After elements went: a chain that is small again becomes a packed list. */
  shrink(): void {
    if (this.encoding !== Encoding.Chain) return;
    if (chainNodes(this.slab, this.root as ChainRef) !== 1) return;
    // Half the limits, so that a list that stays about as large is not converted each time.
    this.dissolve(2);
  }

  /** After a list was built: it is what it would be if it had been small all the time. */
  settle(): void {
    if (chainNodes(this.slab, this.root as ChainRef) === 1) this.dissolve(1);
  }

  /** Makes a chain of one node a packed list, if it is within so much of the limits. */
  private dissolve(divisor: number): void {
    const { slab } = this;
    const chain = this.root as ChainRef;
    const limit = thresholds.listMaxListpackSize;
    const bytes = chainNodeBytes(slab, chain, 0);
    const isSmall =
      limit >= 0
        ? chainCount(slab, chain) <= Math.floor(nodeElementsMax(limit) / divisor)
        : bytes <= nodeBytesMax(limit) / divisor;
    // A snapshot that walks through it holds on to the chain.
    if (!isSmall || isWalked(slab, chainWalkAt(chain))) return;
    this.become(Encoding.Packed, tightenPacked(slab, dissolveChain(slab, chain)));
  }

  // Changes. Memory was reserved, and grow has been called; a text that is added does not lie in
  // this list.

  push(isHead: boolean, u8: Uint8Array, start: number, length: number): void {
    const { slab } = this;
    if (this.encoding === Encoding.Chain) {
      chainPush(slab, this.root as ChainRef, isHead, u8, start, length);
      return;
    }
    const node = this.root as BlockRef;
    this.root = isHead
      ? packedPrepend(slab, node, u8, start, length)
      : packedAppend(slab, node, u8, start, length);
    this.single.open(slab, this.root as BlockRef);
    if (this.measure !== 0) this.measure += encodedListpackBytes(length);
  }

  /** The measure without the element where the walk stands. */
  private forget(): void {
    if (this.measure !== 0) this.measure -= listpackElementBytes(this.single);
  }

  /** Puts a text before the element where the walk stands, or behind it; the walk is over. */
  insert(isBehind: boolean, u8: Uint8Array, start: number, length: number): void {
    if (this.encoding === Encoding.Chain) {
      chainInsert(this.cursor, isBehind, u8, start, length);
      return;
    }
    if (isBehind) this.single.next();
    this.root = packedInsertBefore(this.slab, this.single, u8, start, length);
    this.measure = 0;
  }

  /** Puts a text in the place of the element where the walk stands; the walk is over. */
  replace(u8: Uint8Array, start: number, length: number): void {
    if (this.encoding === Encoding.Chain) {
      chainReplace(this.cursor, u8, start, length);
      return;
    }
    this.root = packedReplace(this.slab, this.single, u8, start, length);
    this.measure = 0;
  }

  /** Takes the element out where the walk stands; true, and on the next one, if there is one. */
  delete(): boolean {
    if (this.encoding === Encoding.Chain) return chainDelete(this.cursor);
    this.forget();
    this.root = packedRemove(this.slab, this.single, 1);
    return this.single.token !== 0;
  }

  /** Takes `count` elements out, from element `index` on; they are all there. */
  removeRange(index: number, count: number): void {
    if (count === 0) return;
    if (this.encoding === Encoding.Chain) {
      chainRemoveRange(this.slab, this.root as ChainRef, index, count);
      return;
    }
    this.single.seek(index);
    this.root = packedRemove(this.slab, this.single, count);
    this.measure = 0;
  }
}

/** Bytes that a new list of so many texts may allocate at the most, for reserve. */
export function newListReserve(slab: Slab, addedBytes: number, addedCount: number): number {
  return chainReserve(slab, NONE, addedBytes, addedCount, thresholds.listMaxListpackSize);
}

/** As newListReserve, for a list that is built. */
export function builtListReserve(slab: Slab, addedBytes: number, addedCount: number): number {
  return chainReserve(slab, NONE, addedBytes, addedCount, BUILT_LIMIT);
}

/** What the keyspace asks of lists. */
export const listKind: ValueKind = {
  encodingName(_slab, encoding) {
    return encoding === Encoding.Packed ? 'listpack' : 'quicklist';
  },
  length(slab, encoding, root) {
    if (encoding === Encoding.Packed) return packedCount(slab, root as BlockRef);
    return chainCount(slab, root as ChainRef);
  },
  freeStep(slab, encoding, root, budget) {
    if (encoding === Encoding.Chain) return freeChainStep(slab, root as ChainRef, budget);
    releasePacked(slab, root as BlockRef);
    return true;
  },
  copyReserve(slab, encoding, root) {
    if (encoding === Encoding.Packed) return packedBytes(slab, root as BlockRef);
    return chainCopyReserve(slab, root as ChainRef);
  },
  copy(slab, encoding, root, target) {
    if (encoding === Encoding.Packed) return copyPacked(slab, root as BlockRef, target);
    return copyChain(slab, root as ChainRef, target);
  },
  heldBytes(slab, encoding, root) {
    if (encoding === Encoding.Packed) return capacityOf(slab, root as BlockRef);
    return chainHeldBytes(slab, root as ChainRef);
  },
  move(slab, encoding, root, place) {
    const isChain = encoding === Encoding.Chain;
    const first = place.place === 0;
    let moved = root;
    if (first) moved = isChain ? moveChain(slab, root as ChainRef) : move(slab, root);
    if (isChain) place.place = moveNodes(slab, moved as ChainRef, place.place);
    if (!isChain || place.place === 0) place.end();
    return moved;
  },
  check(slab, encoding, root) {
    if (encoding === Encoding.Packed) checkPacked(slab, root as BlockRef);
    else checkChain(slab, root as ChainRef);
  },
  roughBytes: (slab, _encoding, root) => chainRoughBytes(slab, root as ChainRef),
  walkAt: (encoding, root) => (encoding === Encoding.Chain ? chainWalkAt(root as ChainRef) : 0),
};
