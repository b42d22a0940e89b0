// The touch pass: brings the buckets and the likely entries of several keys near before they are
// looked up, so that their cache misses overlap instead of adding up. Used for commands read ahead
// (batch.ts) and for the keys of one command (run.ts). Everything here is a hint: read without
// locks where that is so, kept within the slab by masks, and read again by whoever acts on it.
//
// Three short loops instead of one: a core overlaps the misses only of what fits its window of some
// three hundred instructions, so the loops that miss do nothing else. See docs/performance.md.

import { rememberHash } from '../base/hash.js';
import type { Slices } from '../base/slices.js';
import { kindOf, likelyKind, likelyRoot } from '../keyspace/entry.js';
import type { Keyspace } from '../keyspace/keyspace.js';
import { NONE, type Slab } from '../slab/slab.js';
import { likelyRef, touchBucket } from '../structs/table.js';
import { FIELD_TABLE_WORD } from '../types/hash/large.js';
import { Encoding, Type } from '../types/kind.js';
import { MEMBER_TABLE_WORD } from '../types/sorted-set/large.js';

/**
 * Keys touched in one round: as many misses as a core has in flight; more would fall out of cache.
 */
export const TOUCH_KEYS = 16;
/** Below this many there is too little to overlap. */
export const TOUCHED_FROM = 3;
/** Entries of 40 to 56 bytes seldom lie in one cache line: two of each are brought. */
const SECOND_LINE_WORDS = 8;

export class Touch {
  /** Keys of this round. */
  count = 0;
  /** What the loads gave, kept so that they cannot be left out. */
  seen = 0;
  private readonly hashes = new Int32Array(TOUCH_KEYS);
  private readonly buckets = new Int32Array(TOUCH_KEYS);
  private readonly refs = new Int32Array(TOUCH_KEYS);
  private readonly slabs: Slab[];
  private readonly views: Int32Array[];
  private readonly keyspace: Keyspace;

  constructor(keyspace: Keyspace) {
    this.keyspace = keyspace;
    const first = keyspace.partitions[0]!.slab;
    this.slabs = new Array<Slab>(TOUCH_KEYS).fill(first);
    this.views = new Array<Int32Array>(TOUCH_KEYS).fill(first.i32);
  }

  /** Adds a placed key; at most TOUCH_KEYS of them. */
  add(partitionIndex: number, database: number, hash: number): void {
    const { count } = this;
    const partition = this.keyspace.partitions[partitionIndex]!;
    this.hashes[count] = hash;
    this.slabs[count] = partition.slab;
    this.views[count] = partition.slab.i32;
    this.buckets[count] = partition.touchBucket(database, hash);
    this.count = count + 1;
  }

  /** Loads what the added keys will need, and starts the next round. */
  run(): void {
    const { count, buckets, refs, views, slabs, hashes } = this;
    this.count = 0;
    if (count < TOUCHED_FROM) return;
    // All slabs have one size.
    const { wordMask } = slabs[0]!;
    let seen = 0;
    for (let index = 0; index < count; index++) seen ^= views[index]![buckets[index]!]!;
    for (let index = 0; index < count; index++) {
      const ref = likelyRef(slabs[index]!, buckets[index]!, hashes[index]!, wordMask);
      refs[index] = (ref << 1) & wordMask;
    }
    for (let index = 0; index < count; index++) {
      const view = views[index]!;
      const at = refs[index]!;
      seen ^= view[at]! ^ view[(at + SECOND_LINE_WORDS) & wordMask]!;
    }
    this.seen = seen;
  }
}

const SET_TABLE = kindOf(Type.Set, Encoding.Table);
const HASH_TABLE = kindOf(Type.Hash, Encoding.Table);
const SORTED_SET_TREE = kindOf(Type.SortedSet, Encoding.Tree);

/**
 * As Touch, one step further: the elements that commands will look for in the tables of large
 * hashes, sets and sorted sets, and the packed lists of small ones.
 */
export class ElementTouch {
  /** Elements of this round. */
  count = 0;
  /** What the loads gave, kept so that they cannot be left out. */
  seen = 0;
  /** The key that the next elements belong to: its slab, and its table's root or 0. */
  private slab: Slab;
  private rootAt = 0;
  private readonly hashes = new Int32Array(TOUCH_KEYS);
  private readonly buckets = new Int32Array(TOUCH_KEYS);
  private readonly refs = new Int32Array(TOUCH_KEYS);
  private readonly slabs: Slab[];
  private readonly views: Int32Array[];
  private readonly keyspace: Keyspace;

  constructor(keyspace: Keyspace) {
    this.keyspace = keyspace;
    this.slab = keyspace.partitions[0]!.slab;
    this.slabs = new Array<Slab>(TOUCH_KEYS).fill(this.slab);
    this.views = new Array<Int32Array>(TOUCH_KEYS).fill(this.slab.i32);
  }

  /** Elements are of this key from now on. It was touched: finding its entry is cheap. */
  setKey(partitionIndex: number, database: number, hash: number): void {
    const partition = this.keyspace.partitions[partitionIndex]!;
    const { slab } = partition;
    const { wordMask } = slab;
    this.slab = slab;
    this.rootAt = 0;
    const ref = likelyRef(slab, partition.touchBucket(database, hash), hash, wordMask);
    if (ref === NONE) return;
    const root = likelyRoot(slab, ref, wordMask);
    this.seen ^= slab.i32[root]!;
    const kind = likelyKind(slab, ref, wordMask);
    if (kind === SET_TABLE) this.rootAt = root;
    else if (kind === HASH_TABLE) this.rootAt = root + FIELD_TABLE_WORD;
    else if (kind === SORTED_SET_TREE) this.rootAt = root + MEMBER_TABLE_WORD;
  }

  /** Adds an element; at most TOUCH_KEYS of them. */
  add(args: Slices, word: number): void {
    const { slab, rootAt, count } = this;
    if (rootAt === 0) return;
    const hash = rememberHash(args.u8, args.startOf(word), args.lengthOf(word));
    this.hashes[count] = hash;
    this.slabs[count] = slab;
    this.views[count] = slab.i32;
    this.buckets[count] = touchBucket(slab, rootAt & slab.wordMask, hash, slab.wordMask);
    this.count = count + 1;
  }

  /** Loads what the added elements will need, and starts the next round. */
  run(): void {
    const { count, buckets, refs, views, slabs, hashes } = this;
    this.count = 0;
    if (count < TOUCHED_FROM) return;
    const { wordMask } = slabs[0]!;
    let seen = 0;
    for (let index = 0; index < count; index++) seen ^= views[index]![buckets[index]!]!;
    for (let index = 0; index < count; index++) {
      const ref = likelyRef(slabs[index]!, buckets[index]!, hashes[index]!, wordMask);
      refs[index] = (ref << 1) & wordMask;
    }
    for (let index = 0; index < count; index++) {
      const view = views[index]!;
      const at = refs[index]!;
      seen ^= view[at]! ^ view[(at + SECOND_LINE_WORDS) & wordMask]!;
    }
    this.seen ^= seen;
  }
}
