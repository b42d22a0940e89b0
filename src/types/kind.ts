// What all value types have in common: their numbers, their encodings, and what the keyspace does
// with a value whose inside it does not know (keyspace/values.ts). A structured value hangs on one
// block, its root; the entry of its key holds encoding and root.

import type { Slab } from '../slab/slab.js';

/** Redis's types, by the numbers that RDB uses for the oldest of them. */
export const enum Type {
  String = 0,
  List = 1,
  Set = 2,
  SortedSet = 3,
  Hash = 4,
  Stream = 6,
  Array = 7,
  /** For finding a key whatever its type. */
  Any = 15,
}

/**
 * Four bits. All but Embedded and Inside, whose lower three bits are alike, keep a payload of eight
 * bytes in the entry.
 */
export const enum Encoding {
  /** A string that is an int64, in the payload. */
  Integer = 0,
  /** A string inside the entry. */
  Embedded = 1,
  /** A string in a block of its own. */
  Blob = 2,
  /** A small collection in one packed list (structs/packed.ts). */
  Packed = 3,
  /** A list as a chain of packed nodes (structs/chain.ts). */
  Chain = 4,
  /** A set or hash as a table (structs/table.ts). */
  Table = 5,
  /** A sorted set as a tree with a table (structs/tree.ts). */
  Tree = 6,
  /** A set of integers as a sorted array (structs/integers.ts). */
  Integers = 7,
  /** A stream. */
  Log = 8,
  /** A small hash as a packed list inside the entry, at a multiple of eight bytes. */
  Inside = 9,
  /** An array in slices (types/array). */
  Sliced = 10,
  /** A small hash whose fields may have an expiry (types/hash/small.ts). */
  PackedTimed = 11,
}

/**
 * Where a walk goes on that moves the blocks of one value together. All of it is by value, not by
 * address: any command may change the value in between.
 */
export class MovePlace {
  /** Which part of the value, in an order of its type's; DONE when all have been walked through. */
  stage = 0;
  /** A position, rank or number in the part, and one in what stands there. */
  place = 0;
  inner = 0;
  /** An ID in a tree of them. */
  readonly id = new Int32Array(4);

  static readonly DONE = -1;

  begin(): this {
    this.next(0);
    return this;
  }

  /** Goes on with the beginning of another part. */
  next(stage: number): void {
    this.stage = stage;
    this.place = 0;
    this.inner = 0;
    this.id.fill(0);
  }

  end(): void {
    this.next(MovePlace.DONE);
  }

  get isDone(): boolean {
    return this.stage === MovePlace.DONE;
  }
}

/** What the keyspace asks of a structured type. `root` is what the entry's payload holds. */
export interface ValueKind {
  /** Redis's name, for OBJECT ENCODING. */
  encodingName(slab: Slab, encoding: Encoding, root: number): string;
  /** Elements: decides whether a removal is worth doing in steps. */
  length(slab: Slab, encoding: Encoding, root: number): number;
  /**
   * Frees about `budget` elements, and with the last of them the root. True when all is freed;
   * called again otherwise, and nothing else is done with the value in between.
   */
  freeStep(slab: Slab, encoding: Encoding, root: number, budget: number): boolean;
  /** Bytes that a copy may allocate at the most, for reserve. */
  copyReserve(slab: Slab, encoding: Encoding, root: number): number;
  /** Copies the value into `target`, which may be the same slab; returns the copy's root. */
  copy(slab: Slab, encoding: Encoding, root: number, target: Slab): number;
  /** Bytes of slab that the value holds, for MEMORY USAGE. */
  heldBytes(slab: Slab, encoding: Encoding, root: number): number;
  /**
   * Moves blocks of the value together (slab/moving.ts), from `place` on and until the budget is
   * spent or all is done; returns the root, which may have moved as well. No snapshot may be
   * walking through the value. The value does not lie inside its entry.
   */
  move(slab: Slab, encoding: Encoding, root: number, place: MovePlace): number;
  /** Throws when the structure is broken: tests and DEBUG. */
  check(slab: Slab, encoding: Encoding, root: number): void;
  /** For values that know their key: they hang on a key of this hash now (COPY, RENAME). */
  rekey?(slab: Slab, encoding: Encoding, root: number, keyHash: number): void;
  /** For values that indexes of the slab know: the key is gone, freeStep comes later. */
  detach?(slab: Slab, encoding: Encoding, root: number): void;
  /** For types that snapshots walk through node by node: their walk word, 0 for none. */
  walkAt?(encoding: Encoding, root: number): number;
  /** For the same types: about the bytes of slab that a walked value holds, found quickly. */
  roughBytes?(slab: Slab, encoding: Encoding, root: number): number;
  /** For types with indexes in the slab's header: the slab is reset, nothing of them is left. */
  forget?(slab: Slab): void;
}
