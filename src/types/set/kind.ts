// What the keyspace asks of sets.

import { assert } from '../../base/assert.js';
import { type BlockRef, capacityOf, release } from '../../slab/alloc.js';
import { move } from '../../slab/moving.js';
import { NONE, type Slab } from '../../slab/slab.js';
import {
  checkIntegers,
  copyIntegers,
  integersCopyBytes,
  integersHeldBytes,
  releaseIntegers,
} from '../../structs/integers.js';
import { checkPacked, copyPacked, packedBytes, releasePacked } from '../../structs/packed.js';
import { checkTable, freeSegmentStep, SCAN_END, TableRoot } from '../../structs/table.js';
import { checkTableEpochs } from '../../structs/table-first.js';
import { moveTable } from '../../structs/table-move.js';
import { roughTableBytes, TableWalk, tableBytes } from '../../structs/table-walk.js';
import { Encoding, type ValueKind } from '../kind.js';
import {
  checkMember,
  freeMember,
  hashOfMember,
  type MemberRef,
  memberLength,
  memberReserve,
  memberStart,
} from './member.js';
import {
  countMembers,
  createTable,
  freePlaceOf,
  insertNew,
  ROOT_BYTES,
  SetValue,
} from './value.js';
import { SetWalk } from './walk.js';

const ENCODING_NAMES = new Map<Encoding, string>([
  [Encoding.Integers, 'intset'],
  [Encoding.Packed, 'listpack'],
  [Encoding.Table, 'hashtable'],
]);

/** Members that heldBytes looks at; a larger set is taken to go on like that. */
const SAMPLE_MEMBERS = 4096;
/** What freeing a segment costs besides its members, in members. */
const SEGMENT_COST = 16;
const SEGMENT_BYTES = 2048;

const walk = new TableWalk();

function tableHeldBytes(slab: Slab, root: number): number {
  const rootAt = root << 1;
  const count = slab.i32[rootAt + TableRoot.Count]!;
  let bytes = 0;
  let sampled = 0;
  walk.open(slab, rootAt);
  while (sampled < SAMPLE_MEMBERS) {
    const ref = walk.next();
    if (ref === NONE) break;
    bytes += capacityOf(slab, ref as BlockRef);
    sampled++;
  }
  if (sampled < count) bytes = Math.round((bytes / sampled) * count);
  return bytes + capacityOf(slab, root as BlockRef) + tableBytes(slab, rootAt);
}

function tableCopyBytes(slab: Slab, root: number): number {
  const rootAt = root << 1;
  let bytes = ROOT_BYTES + SEGMENT_BYTES + (16 << slab.i32[rootAt + TableRoot.Depth]!);
  walk.open(slab, rootAt);
  for (let ref = walk.next(); ref !== NONE; ref = walk.next()) {
    bytes += memberReserve(memberLength(slab, ref as MemberRef));
  }
  return bytes;
}

function copyTable(source: Slab, root: number, target: Slab): number {
  const copy = createTable(target);
  walk.open(source, root << 1);
  for (let ref = walk.next(); ref !== NONE; ref = walk.next()) {
    const member = ref as MemberRef;
    const length = memberLength(source, member);
    insertNew(target, copy, source.u8, memberStart(source, member), length);
  }
  return copy;
}

/** Frees segments until about `budget` members are gone; true with the last of them. */
function freeTableStep(slab: Slab, root: number, budget: number): boolean {
  const { i32 } = slab;
  const rootAt = root << 1;
  const placeAt = freePlaceOf(root);
  let left = budget;
  do {
    const before = i32[rootAt + TableRoot.Count]!;
    const place = freeSegmentStep(slab, rootAt, i32[placeAt]!, freeMember);
    i32[placeAt] = place;
    if (place === 0) {
      release(slab, root as BlockRef);
      return true;
    }
    left -= before - i32[rootAt + TableRoot.Count]! + SEGMENT_COST;
  } while (left > 0);
  return false;
}

/** Asserts what must hold of a set. */
export function checkSet(slab: Slab, encoding: Encoding, root: number): void {
  if (encoding === Encoding.Table) {
    checkTable(slab, root << 1, hashOfMember);
    checkTableEpochs(slab, root << 1);
  } else if (encoding === Encoding.Packed) checkPacked(slab, root as BlockRef);
  else checkIntegers(slab, root as BlockRef);
  const set = new SetValue().open(slab, encoding, root);
  const members = new SetWalk().open(set);
  const seen = new Set<string>();
  while (members.next()) {
    if (encoding === Encoding.Table) checkMember(slab, members.identity as MemberRef);
    assert(members.isIn(set), 'a member is found');
    members.asText();
    const { u8, start, length } = members;
    seen.add(Buffer.from(u8.slice(start, start + length)).toString('latin1'));
  }
  assert(seen.size === set.count, 'a member is there once');
}

export const setKind: ValueKind = {
  encodingName: (_slab, encoding) => ENCODING_NAMES.get(encoding)!,
  length: countMembers,
  freeStep(slab, encoding, root, budget) {
    if (encoding === Encoding.Table) return freeTableStep(slab, root, budget);
    if (encoding === Encoding.Packed) releasePacked(slab, root as BlockRef);
    else releaseIntegers(slab, root as BlockRef);
    return true;
  },
  copyReserve(slab, encoding, root) {
    if (encoding === Encoding.Table) return tableCopyBytes(slab, root);
    if (encoding === Encoding.Packed) return packedBytes(slab, root as BlockRef);
    return integersCopyBytes(slab, root as BlockRef);
  },
  copy(slab, encoding, root, target) {
    if (encoding === Encoding.Table) return copyTable(slab, root, target);
    if (encoding === Encoding.Packed) return copyPacked(slab, root as BlockRef, target);
    return copyIntegers(slab, root as BlockRef, target);
  },
  heldBytes(slab, encoding, root) {
    if (encoding === Encoding.Table) return tableHeldBytes(slab, root);
    if (encoding === Encoding.Packed) return capacityOf(slab, root as BlockRef);
    return integersHeldBytes(slab, root as BlockRef);
  },
  move(slab, encoding, root, place) {
    const moved = place.place === 0 ? move(slab, root) : root;
    if (encoding === Encoding.Table) place.place = moveTable(slab, moved << 1, place.place, move);
    if (encoding !== Encoding.Table || place.place >= SCAN_END) place.end();
    return moved;
  },
  check: checkSet,
  roughBytes: (slab, _encoding, root) =>
    roughTableBytes(slab, root << 1, (_slab, ref) => capacityOf(slab, ref as BlockRef)),
  walkAt: (encoding, root) => (encoding === Encoding.Table ? (root << 1) + TableRoot.Walk : 0),
};
