// Large values as a snapshot writes them: node by node (structs/walked.ts), while writers go on.
// What stands before the nodes (expiry, key, type, count) is written when the value is met first,
// by the walk or by a writer, and is as it was at the cut, because nobody has changed it since. The
// nodes follow in whatever order they are taken over, with what tells where they belong; whoever
// writes the file puts them together (piece-store.ts, assembly.ts).
//
// Large is a set, hash, sorted set or array of more than PIECES_ELEMENTS_MIN elements that is no
// packed list, a list or stream of more than PIECES_NODES_MIN nodes, and what takes
// PIECES_BYTES_MIN all the same, because its few elements are long; and a string of more than
// PIECES_STRING_MIN.

import { releaseLeftValue } from '../keyspace/detached.js';
import {
  Encoding,
  type EntryRef,
  encodingOf,
  keyBytesOf,
  payloadHigh,
  Type,
  typeOf,
} from '../keyspace/entry.js';
import {
  beginBlobWalk,
  blobOfWalk,
  canWalkBlob,
  endBlobWalk,
  walkBlob,
} from '../keyspace/string-first.js';
import { lengthOf, rootOf, roughBytesOf, walkWordOf } from '../keyspace/values.js';
import type { BlockRef } from '../slab/alloc.js';
import { Header, type Slab } from '../slab/slab.js';
import { type ChainRef, chainNodes } from '../structs/chain.js';
import { beginChainWalk, chainOfWalk, walkChain } from '../structs/chain-first.js';
import type { MemberRef } from '../structs/member.js';
import { eachInBucket, SCAN_END, TableRoot } from '../structs/table.js';
import { type TakeNode, walkTable } from '../structs/table-first.js';
import { TreeRoot } from '../structs/tree.js';
import { TreePlace, walkTree } from '../structs/tree-first.js';
import { eachInLeaf } from '../structs/tree-node.js';
import {
  beginValueWalk,
  endValueWalk,
  isTimed,
  keyOrder,
  WalkKind,
  walkKindOf,
} from '../structs/walked.js';
import { type ArrayRef, arrayOfWalk } from '../types/array/array.js';
import { ArrayPieceWalk, beginArrayWalk } from '../types/array/first.js';
import { NEVER } from '../types/hash/expiries.js';
import type { FieldRef } from '../types/hash/field.js';
import { nextTimeOfLarge, rootOfWalk } from '../types/hash/large.js';
import { memberLength, memberStart, type MemberRef as SetMemberRef } from '../types/set/member.js';
import { rootOfWalk as rootOfSortedSetWalk } from '../types/sorted-set/large.js';
import { allPending, beginStreamWalk, StreamWalk } from '../types/stream/first.js';
import { GROUPS_SECTION } from '../types/stream/pending-first.js';
import { blockCount, type StreamRef, streamOfWalk } from '../types/stream/stream.js';
import { writeArrayHead } from './array.js';
import { writeArrayNode } from './array-pieces.js';
import { type RecordForm, writeRecordHead } from './file-write.js';
import { EARLIEST_MS, writeField } from './hash.js';
import { writeLength } from './length.js';
import { writeListHead, writeListNode } from './list-pieces.js';
import { RdbType, versionOf } from './rdb-type.js';
import type { ByteSink } from './sink.js';
import { writeMember } from './sorted-set.js';
import { writeGroups, writeStreamPiece } from './stream-pieces.js';
import { writeChunk, writeStringHead } from './string-pieces.js';
import { writeText } from './strings.js';
import { rdbTypeOf } from './write.js';

/** A value of 64 KB, at 64 bytes an element: that takes a fifth of a millisecond. */
const PIECES_ELEMENTS_MIN = 1024;
/** Nodes of a list have 8 KB, as a rule. */
const PIECES_NODES_MIN = 8;
/** Copied in a tenth of a millisecond, but compressed in a few. */
const PIECES_BYTES_MIN = 256 * 1024;
/** Compressing that much takes a fifth of a millisecond, and a bucket may have a dozen. */
const PIECES_STRING_MIN = 32 * 1024;
/** What stands before the nodes is one message (images.ts): whoever has longer keys waits. */
const KEY_BYTES_MAX = 16 * 1024;
const TWO_32 = 2 ** 32;
/** A hold of the lock looks at so many nodes at the most, whatever they hold. */
const BUCKETS_PER_HOLD = 512;
const LEAVES_PER_HOLD = 64;
const NODES_PER_HOLD = 16;
const CHUNKS_PER_HOLD = 4;

/** Is the value so large that it is written in pieces? `form` is that of a snapshot. */
export function isInPieces(slab: Slab, entry: EntryRef): boolean {
  let isLong = false;
  switch (encodingOf(slab, entry)) {
    case Encoding.Blob:
      if (payloadHigh(slab, entry) < PIECES_STRING_MIN || !canWalkBlob(slab)) return false;
      return keyBytesOf(slab, entry) <= KEY_BYTES_MAX;
    case Encoding.Log: {
      const stream = rootOf(slab, entry) as StreamRef;
      const isWide = blockCount(slab, stream) > PIECES_NODES_MIN;
      isLong = isWide || allPending(slab, stream) > PIECES_ELEMENTS_MIN;
      break;
    }
    case Encoding.Chain:
      isLong = chainNodes(slab, rootOf(slab, entry) as ChainRef) > PIECES_NODES_MIN;
      break;
    case Encoding.Table:
    case Encoding.Tree:
    case Encoding.Sliced:
      isLong = lengthOf(slab, entry) > PIECES_ELEMENTS_MIN;
      break;
    default:
      return false;
  }
  if (!isLong && roughBytesOf(slab, entry) < PIECES_BYTES_MIN) return false;
  return keyBytesOf(slab, entry) <= KEY_BYTES_MAX;
}

/**
 * Begins the walk through the value of an entry that the cut has and nobody has changed since:
 * writes all that stands before its nodes. Returns the version that the value needs.
 */
export function beginPieces(sink: ByteSink, slab: Slab, entry: EntryRef, form: RecordForm): number {
  const root = rootOf(slab, entry);
  const walkAt = walkWordOf(slab, entry);
  const type = piecesType(slab, entry, root, form);
  writeRecordHead(sink, slab, entry, type, form);
  slab.i32[Header.WalkedValues] = slab.i32[Header.WalkedValues]! + 1;
  switch (typeOf(slab, entry)) {
    case Type.String:
      writeStringHead(sink, payloadHigh(slab, entry), form.compresses);
      beginBlobWalk(slab, root, payloadHigh(slab, entry));
      break;
    case Type.List:
      writeListHead(sink, chainNodes(slab, root as ChainRef), form.compresses);
      beginChainWalk(slab, root as ChainRef);
      break;
    case Type.Stream:
      writeLength(sink, blockCount(slab, root as StreamRef));
      beginStreamWalk(slab, root as StreamRef);
      break;
    case Type.Array:
      writeArrayHead(sink, slab, root as ArrayRef);
      beginArrayWalk(slab, root as ArrayRef);
      break;
    default:
      if (type === RdbType.HashTimed) {
        sink.little(EARLIEST_MS, 4);
        sink.little(EARLIEST_MS / TWO_32, 4);
      }
      writeLength(sink, lengthOf(slab, entry));
      beginValueWalk(slab, walkAt, kindOfType(type), type === RdbType.HashTimed);
  }
  return versionOf(type);
}

function piecesType(slab: Slab, entry: EntryRef, root: number, form: RecordForm): RdbType {
  switch (typeOf(slab, entry)) {
    case Type.Set:
      return RdbType.Set;
    case Type.Hash:
      return nextTimeOfLarge(slab, root) === NEVER ? RdbType.Hash : RdbType.HashTimed;
    case Type.SortedSet:
      return RdbType.SortedSet2;
    case Type.List:
      return RdbType.ListQuicklist2;
    default:
      return rdbTypeOf(slab, entry, form);
  }
}

function kindOfType(type: RdbType): WalkKind {
  if (type === RdbType.Set) return WalkKind.Set;
  return type === RdbType.SortedSet2 ? WalkKind.SortedSet : WalkKind.Hash;
}

/**
 * After beginPieces: writes the first piece of a value that has one, which is no node but as it
 * was at the cut; false for all others. Its order is FIRST_PIECE_ORDER.
 */
export function writeFirstPiece(
  sink: ByteSink,
  slab: Slab,
  entry: EntryRef,
  form: RecordForm,
): boolean {
  if (typeOf(slab, entry) !== Type.Stream) return false;
  const stream = rootOf(slab, entry) as StreamRef;
  writeGroups(sink, slab, stream, rdbTypeOf(slab, entry, form), form.compresses);
  return true;
}

export const FIRST_PIECE_ORDER = keyOrder(GROUPS_SECTION);

// What the writing of the running node needs: closures for each would be garbage.
let nodeSink: ByteSink;
let nodeRoot = 0;
let nodeHasTimes = false;
let nodeIsCompressed = false;

function writeSetMember(slab: Slab, ref: number): void {
  const member = ref as SetMemberRef;
  const start = memberStart(slab, member);
  writeText(nodeSink, slab.u8, start, memberLength(slab, member), nodeIsCompressed);
}

function writeHashField(slab: Slab, ref: number): void {
  writeField(nodeSink, slab, nodeRoot, ref as FieldRef, nodeHasTimes, nodeIsCompressed);
}

function writeSortedMember(slab: Slab, member: MemberRef): void {
  writeMember(nodeSink, slab, member, nodeIsCompressed);
}

/** Writes all elements of a node of the value whose walk word is at `walkAt`. */
export function writePiece(
  sink: ByteSink,
  slab: Slab,
  walkAt: number,
  node: number,
  order: number,
  compresses: boolean,
): void {
  nodeSink = sink;
  nodeIsCompressed = compresses;
  switch (walkKindOf(slab, walkAt)) {
    case WalkKind.Set:
      eachInBucket(slab, node, writeSetMember);
      break;
    case WalkKind.Hash:
      nodeRoot = rootOfWalk(walkAt);
      nodeHasTimes = isTimed(slab, walkAt);
      eachInBucket(slab, node, writeHashField);
      break;
    case WalkKind.SortedSet:
      eachInLeaf(slab, node, writeSortedMember);
      break;
    case WalkKind.String:
      writeChunk(sink, slab, walkAt, node);
      break;
    case WalkKind.Stream:
      writeStreamPiece(sink, slab, node, order, compresses);
      break;
    case WalkKind.Array:
      writeArrayNode(sink, slab, node, compresses);
      break;
    default:
      writeListNode(sink, slab, node as BlockRef);
  }
}

/** The walk through one value, by the thread that writes the file. */
export class PieceWalk {
  private readonly slab: Slab;
  private readonly walkAt: number;
  private readonly kind: WalkKind;
  private position = 0;
  private readonly place = new TreePlace();
  private readonly stream = new StreamWalk();
  private readonly array = new ArrayPieceWalk();

  constructor(slab: Slab, walkAt: number) {
    this.slab = slab;
    this.walkAt = walkAt;
    this.kind = walkKindOf(slab, walkAt);
  }

  /** A step, under the lock of the partition. True when every node has been taken over. */
  step(take: TakeNode, isEnough: () => boolean): boolean {
    const { slab, walkAt, kind } = this;
    if (kind === WalkKind.SortedSet) {
      return walkTree(slab, walkAt - TreeRoot.Walk, this.place, LEAVES_PER_HOLD, take, isEnough);
    }
    if (kind === WalkKind.List) {
      return walkChain(slab, chainOfWalk(walkAt), NODES_PER_HOLD, take, isEnough);
    }
    if (kind === WalkKind.String) {
      return walkBlob(slab, walkAt, CHUNKS_PER_HOLD, take, isEnough);
    }
    if (kind === WalkKind.Stream) {
      return this.stream.step(slab, walkAt, LEAVES_PER_HOLD, take, isEnough);
    }
    if (kind === WalkKind.Array) {
      return this.array.step(slab, walkAt, LEAVES_PER_HOLD, take, isEnough);
    }
    const tableAt = walkAt - TableRoot.Walk;
    this.position = walkTable(slab, tableAt, this.position, BUCKETS_PER_HOLD, take, isEnough);
    return this.position >= SCAN_END;
  }

  /** The value is its key's again, or is freed if the key is gone. Under the lock. */
  end(): void {
    const { slab, walkAt } = this;
    if (this.kind === WalkKind.String) endBlobWalk(slab, walkAt);
    endValueWalk(slab, walkAt);
    slab.i32[Header.WalkedValues] = slab.i32[Header.WalkedValues]! - 1;
    releaseLeftValue(slab, rootOfValue(walkAt, this.kind));
  }
}

function rootOfValue(walkAt: number, kind: WalkKind): number {
  switch (kind) {
    case WalkKind.Set:
      return (walkAt - TableRoot.Walk) >> 1;
    case WalkKind.Hash:
      return rootOfWalk(walkAt);
    case WalkKind.SortedSet:
      return rootOfSortedSetWalk(walkAt);
    case WalkKind.String:
      return blobOfWalk(walkAt);
    case WalkKind.Stream:
      return streamOfWalk(walkAt);
    case WalkKind.Array:
      return arrayOfWalk(walkAt);
    default:
      return chainOfWalk(walkAt);
  }
}
